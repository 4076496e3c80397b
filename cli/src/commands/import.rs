//! `tug import`: an image of one layer from a tar of files.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;

use jiff::Timestamp;
use tug_layer_store::{Durability, ImportLayer};
use tug_oci::{History, ImageConfig, Platform, Reference};

use crate::arguments::values;
use crate::changes;
use crate::download;
use crate::error::CommandError;
use crate::session;
use crate::settings::Settings;

/// Arguments of `tug import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug import rootfs.tar.xz base:1
  tar c -C rootfs . | tug import - base:1
  tug import https://example.com/rootfs.tar.gz base:1
  tug import -c 'CMD [\"sh\"]' -c 'ENV PATH=/bin:/usr/bin' rootfs.tar base:1")]
pub(crate) struct ImportArguments {
    /// The tar, plain or compressed: a file, an address (http, https), or `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The name to give to the image
    #[arg(value_name = "NAME", value_parser = values::new_name)]
    name: Option<Reference>,
    /// Apply an instruction of the Dockerfile language to the config (can be repeated)
    #[arg(short, long = "change", value_name = "INSTRUCTION")]
    changes: Vec<String>,
    /// Write this remark into the history
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// What the files are for [default: this machine]
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
}

/// Makes the image; its id goes to standard output.
pub(super) fn run(arguments: &ImportArguments, settings: &Settings) -> Result<(), CommandError> {
    let mut config = ImageConfig::empty(arguments.platform.clone().unwrap_or_else(Platform::host));
    for change in &arguments.changes {
        changes::apply(&mut config.config, change)?;
    }
    let created = match settings.source_date_epoch()? {
        None => Timestamp::now(),
        Some(seconds) => Timestamp::from_second(seconds).map_err(|error| {
            CommandError::usage("`SOURCE_DATE_EPOCH` is outside of all calendars").because(&error)
        })?,
    };
    // Nothing else may have what came here.
    let options =
        ImportLayer { keep_plain_tar: true, durability: Durability::Synced, ..ImportLayer::default() };
    let open_store = || {
        let store = session::open_store(settings)?;
        session::tidy_in_background(&store);
        Ok::<_, CommandError>(store)
    };
    let (store, layer) = match download::address(&arguments.file)? {
        Some(url) => {
            let store = open_store()?;
            let layer =
                download::read(&url, settings, |tar| Ok(store.import_layer(&mut { tar }, &options)?))?;
            (store, layer)
        }
        None => {
            let mut source = open(arguments)?;
            let store = open_store()?;
            let layer = store.import_layer(&mut source, &options)?;
            (store, layer)
        }
    };
    config.created = Some(created.to_string());
    config.rootfs.diff_ids = vec![layer.diff_id().clone()];
    let origin = tug_fetch::hide(&arguments.file.to_string_lossy());
    config.history = vec![History {
        created: config.created.clone(),
        comment: Some(arguments.message.clone().unwrap_or_else(|| format!("Imported from {origin}"))),
        ..History::default()
    }];
    let image = store.write_image(config, Default::default())?;
    match &arguments.name {
        Some(name) => store.tag(name, &image.descriptor)?,
        None => store.keep(&image.descriptor)?,
    }
    settings.output.line(image.id())
}

fn open(arguments: &ImportArguments) -> Result<Box<dyn Read>, CommandError> {
    if arguments.file.as_os_str() == "-" {
        if io::stdin().is_terminal() {
            return Err(CommandError::usage("a tar is expected on standard input, which is a terminal")
                .hint("name a file, or use a pipe: `tar c -C rootfs . | tug import - NAME`"));
        }
        return Ok(Box::new(io::stdin().lock()));
    }
    let path = &arguments.file;
    let failed = |error: io::Error| {
        CommandError::failed(format_args!("cannot import `{}`", path.display())).because(&error)
    };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(CommandError::failed(format_args!("cannot import `{}`: it is a folder", path.display()))
            .hint("make a tar of it: `tar c -C FOLDER . | tug import - NAME`"));
    }
    Ok(Box::new(file))
}
