//! `tug append`: files on top of an image, as a new layer, without a build.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tug_dockerfile::Mode;
use tug_layer_store::{Draft, ImportLayer, Layer, Lists, Mtime, NewEntry, Placement, Store, View};
use tug_oci::{BASE_DIGEST, BASE_NAME, History, Platform};

use crate::arguments::values;
use crate::error::CommandError;
use crate::mutation::{MutationArguments, Start, Subject};
use crate::settings::Settings;

/// What stands in the history beside each line.
const COMMENT: &str = "tug append";

/// Arguments of `tug append`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A tar is a layer as it is, and stays compressed as it came; with `--dest`, `--chown`, `--chmod` or `--timestamp` it is
written anew. Of a folder, what is in it lands in the root of the image, or below `--dest`, and belongs to root, unless
`--chown` says otherwise. Each `-f` is a layer, in the order given; what `--rm` removes is gone before.

Examples:
  tug append app -f config.tar.gz -t app:configured
  tug append debian:12 -f ./site --dest /srv/www --chown www-data -t site
  tug append app --rm /etc/secret --rm /var/cache
  tug append scratch -f rootfs.tar -t base --platform linux/arm64
  tug append docker://debian:12 -f tools.tar -t registry.example/tools --push")]
pub(crate) struct AppendArguments {
    /// The image, by name or id, `docker://NAME` for one on a registry, or `scratch` for none
    #[arg(value_name = "IMAGE", required_unless_present = "base")]
    image: Option<Start>,
    /// The same, as crane spells it
    #[arg(short, long, value_name = "IMAGE", conflicts_with = "image")]
    base: Option<Start>,
    /// A tar, plain or compressed, a folder, or `-` for a tar on standard input (can be repeated)
    #[arg(short, long = "file", visible_alias = "new-layer", alias = "new_layer", value_name = "PATH")]
    #[arg(required_unless_present = "removed")]
    files: Vec<PathBuf>,
    /// Remove this path of the image (can be repeated)
    #[arg(long = "rm", id = "removed", value_name = "PATH", value_parser = path)]
    removed: Vec<String>,
    /// The folder of the image that the files land in [default: /]
    #[arg(long, value_name = "PATH", value_parser = path_or_root)]
    dest: Option<String>,
    /// Give all files this owner; names are those of the image's `/etc/passwd` and `/etc/group`
    #[arg(long, value_name = "USER[:GROUP]")]
    chown: Option<String>,
    /// Give all files this mode: octal, or changes such as `u=rwX,go=rX`
    #[arg(long, value_name = "MODE", value_parser = mode)]
    chmod: Option<Mode>,
    /// Give all files, and the history, this time: seconds since 1970
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds, allow_negative_numbers = true)]
    timestamp: Option<i64>,
    /// Write this remark into the history
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Note IMAGE as the base of the result, so that `tug rebase` finds it
    #[arg(long, visible_alias = "set-base-image-annotations")]
    set_base: bool,
    #[command(flatten)]
    mutation: MutationArguments,
}

/// Appends the layers.
pub(super) fn run(arguments: &AppendArguments, settings: &Settings) -> Result<(), CommandError> {
    let Some(start) = arguments.image.as_ref().or(arguments.base.as_ref()) else {
        return Err(CommandError::usage("no image was named"));
    };
    let epoch = match arguments.timestamp {
        Some(given) => Some(given),
        None => settings.source_date_epoch()?,
    };
    if arguments.set_base && start.is_scratch() {
        return Err(CommandError::usage("`scratch` is no image that could be noted as the base"));
    }
    let sources = arguments.files.iter().map(|path| Source::open(path)).collect::<Result<Vec<_>, _>>()?;
    if sources.iter().filter(|source| matches!(source, Source::Stdin)).count() > 1 {
        return Err(CommandError::usage("standard input can only be one layer"));
    }
    let mut subject = match start.is_scratch() {
        true => Subject::scratch(&arguments.mutation, settings)?,
        false => arguments.mutation.find(start, settings)?,
    };
    subject.has_new_layers = true;
    let made = append(arguments, start, sources, epoch, &subject);
    let made = made.map_err(|error| subject.behind(error))?;
    arguments.mutation.deliver(&subject, &made, settings)
}

fn append(
    arguments: &AppendArguments,
    start: &Start,
    sources: Vec<Source>,
    epoch: Option<i64>,
    subject: &Subject,
) -> Result<tug_layer_store::Changed, CommandError> {
    let store = &subject.store;
    let below = view_below(store, subject);
    let owner = arguments.owner(subject)?;
    let mut layers = Vec::new();
    if !arguments.removed.is_empty() {
        let paths: Vec<Vec<u8>> = arguments.removed.iter().map(|path| path.clone().into_bytes()).collect();
        if let Some(below) = &below
            && let Some(missing) = paths.iter().find(|path| below.lookup(path).is_none())
        {
            let missing = String::from_utf8_lossy(missing);
            return Err(CommandError::failed(format_args!(
                "`{}` has no `/{missing}` to remove",
                subject.shown
            )));
        }
        let shown: Vec<String> = arguments.removed.iter().map(|path| format!("/{path}")).collect();
        layers.push((store.removing_layer(&paths)?, format!("RUN rm -rf {}", shown.join(" "))));
    }
    for (source, path) in sources.into_iter().zip(&arguments.files) {
        let destination = arguments.dest.as_deref().unwrap_or_default();
        let created_by = format!("ADD {} /{destination}", source.name(path));
        layers.push((arguments.layer(source, path, epoch, below.as_ref(), owner, store)?, created_by));
    }
    let created = match epoch {
        Some(seconds) => Timestamp::from_second(seconds)
            .map_err(|error| CommandError::usage("the time is outside of all calendars").because(&error))?,
        None => Timestamp::now(),
    };
    let created = created.to_string();
    let base = arguments.set_base.then(|| tug_builder::followed_name(start.as_str()));
    let mut append = |draft: &mut Draft| -> Result<(), CommandError> {
        if let Some(name) = &base {
            let image = store.image(&subject.target, &draft.config.platform)?;
            draft.annotations.insert(BASE_DIGEST.to_owned(), image.descriptor.digest.to_string());
            draft.annotations.remove(BASE_NAME);
            draft.annotations.extend(name.iter().map(|name| (BASE_NAME.to_owned(), name.clone())));
        }
        for (layer, created_by) in &layers {
            let history = History {
                created: Some(created.clone()),
                created_by: Some(created_by.clone()),
                comment: Some(arguments.message.clone().unwrap_or_else(|| COMMENT.to_owned())),
                ..History::default()
            };
            draft.append_layer(store, layer.diff_id(), history)?;
        }
        draft.config.created = Some(created.clone());
        Ok(())
    };
    store.change_images(&subject.target, &subject.which, &mut append, &mut |_| {})
}

/// What is in the image, if the store knows it without fetching anything.
fn view_below(store: &Store, subject: &Subject) -> Option<View> {
    let image = store.image(&subject.target, &platform_of(subject)).ok()?;
    store.view(image.diff_ids()).ok()
}

fn platform_of(subject: &Subject) -> Platform {
    match &subject.which {
        tug_layer_store::Which::One(platform) => platform.clone(),
        tug_layer_store::Which::All => Platform::host(),
    }
}

/// What becomes a layer.
enum Source {
    Folder,
    Tar(File),
    Stdin,
}

impl Source {
    fn open(path: &Path) -> Result<Self, CommandError> {
        if path.as_os_str() == "-" {
            if io::stdin().is_terminal() {
                return Err(CommandError::usage("a tar is expected on standard input, which is a terminal"));
            }
            return Ok(Self::Stdin);
        }
        let failed = |error: io::Error| {
            CommandError::failed(format_args!("cannot append `{}`", path.display())).because(&error)
        };
        let file = File::open(path).map_err(failed)?;
        let kind = file.metadata().map_err(failed)?;
        Ok(if kind.is_dir() { Self::Folder } else { Self::Tar(file) })
    }

    /// What the history calls it: where it was on this machine is nobody's business.
    fn name(&self, path: &Path) -> String {
        match self {
            Self::Stdin => "-".to_owned(),
            Self::Folder => ".".to_owned(),
            Self::Tar(_) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }
}

impl AppendArguments {
    /// The owner that all files get. Only for a name the image is looked into; of an index for the one for this machine.
    fn owner(&self, subject: &Subject) -> Result<Option<(u32, u32)>, CommandError> {
        let Some(text) = &self.chown else { return Ok(None) };
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let store = &subject.store;
        let view = match text.split(':').all(is_number) {
            true => store.view(&[])?,
            false => {
                let image = store.image(&subject.target, &platform_of(subject))?;
                store.look_into(image.layers(), &Lists::default())?
            }
        };
        let found = tug_builder::owner_in(view, text);
        found.map(Some).map_err(|error| CommandError::failed(format_args!("`--chown {text}`: {error}")))
    }

    fn layer(
        &self,
        source: Source,
        path: &Path,
        epoch: Option<i64>,
        below: Option<&View>,
        owner: Option<(u32, u32)>,
        store: &Store,
    ) -> Result<Layer, CommandError> {
        let is_folder = matches!(source, Source::Folder);
        // The times in a tar are those that its maker wanted, unless the user says otherwise.
        let time = if is_folder { epoch } else { self.timestamp };
        let placement = Placement {
            destination: self.dest.as_deref().unwrap_or_default().as_bytes(),
            above: &|path| self.above(path, below, owner, epoch),
            adjust: &|entry| self.adjust(entry, owner, time),
        };
        if is_folder {
            return Ok(store.layer_of_folder(path, &placement)?);
        }
        let mut tar: Box<dyn Read> = match source {
            Source::Tar(file) => Box::new(file),
            _ => Box::new(io::stdin().lock()),
        };
        let imported = store.import_layer(&mut tar, &ImportLayer::default());
        let imported = imported.map_err(|error| no_layer(path, error))?;
        let stays = self.dest.as_deref().is_none_or(str::is_empty)
            && self.chown.is_none()
            && self.chmod.is_none()
            && self.timestamp.is_none();
        match stays {
            true => Ok(imported),
            false => Ok(store.placed_layer(&imported, &placement)?),
        }
    }

    /// A directory above the files: as it is in the image, else new.
    fn above(
        &self,
        path: &[u8],
        below: Option<&View>,
        owner: Option<(u32, u32)>,
        epoch: Option<i64>,
    ) -> NewEntry {
        let mut directory = NewEntry::directory(path, 0o755);
        directory.mtime = Mtime::from_seconds(epoch.unwrap_or_else(|| Timestamp::now().as_second()));
        (directory.uid, directory.gid) = owner.unwrap_or_default();
        if let Some(found) = below.and_then(|below| below.lookup(path))
            && matches!(found.entry().kind, tug_layer_store::EntryKind::Directory)
        {
            let entry = found.entry();
            (directory.mode, directory.uid, directory.gid) = (entry.mode, entry.uid, entry.gid);
            (directory.mtime, directory.xattrs) = (entry.mtime, entry.xattrs.clone());
        }
        directory
    }

    fn adjust(&self, entry: &mut NewEntry, owner: Option<(u32, u32)>, time: Option<i64>) {
        let is_directory = entry.kind == tug_layer_store::NewEntryKind::Directory;
        let is_link = matches!(entry.kind, tug_layer_store::NewEntryKind::Symlink { .. });
        if let Some((uid, gid)) = owner {
            (entry.uid, entry.gid) = (uid, gid);
        }
        if let Some(mode) = self.chmod.as_ref().filter(|_| !is_link) {
            entry.mode = mode.apply(entry.mode, is_directory);
            if is_directory && mode.is_absolute() {
                // As in COPY: who may read a folder may enter it.
                entry.mode |= (entry.mode & 0o444) >> 2;
            }
        }
        if let Some(time) = time {
            entry.mtime = Mtime::from_seconds(time);
        }
    }
}

/// Why a tar is none, or none that can be a layer.
fn no_layer(path: &Path, error: tug_layer_store::Error) -> CommandError {
    use tug_layer_store::Error as Store;
    match error {
        Store::Layer(_) | Store::Archive(_) | Store::Stream { .. } if !error.is_disk_full() => {
            let failed = CommandError::failed(format_args!("cannot append `{}`", path.display()));
            let failed = failed.because(&error);
            match error.hint() {
                Some(hint) => failed.hint(hint),
                None => failed,
            }
        }
        other => other.into(),
    }
}

/// A path in an image, without a slash at its ends.
fn path(text: &str) -> Result<String, String> {
    match path_or_root(text)? {
        path if path.is_empty() => Err(format!("`{text}` is the whole image: expected a path in it")),
        path => Ok(path),
    }
}

fn path_or_root(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    match parts.iter().any(|part| *part == ".." || part.contains('\0')) {
        true => Err(format!("`{text}` is not a path in an image: it has a `..`")),
        false => Ok(parts.join("/")),
    }
}

fn mode(text: &str) -> Result<Mode, String> {
    Mode::parse(text).map_err(|error| match error.hint() {
        Some(hint) => format!("{error}: {hint}"),
        None => error.to_string(),
    })
}
