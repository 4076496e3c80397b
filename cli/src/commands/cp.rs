//! `tug cp`: files out of an image, onto this machine.
//!
//! Where they go is as with `docker cp`:
//!
//! | in the image      | DEST is a folder         | DEST is a file  | DEST is nothing                  |
//! | ----------------- | ------------------------ | --------------- | -------------------------------- |
//! | a file or link    | under its name in there  | replaces it     | becomes it; not with a slash     |
//! | a folder          | under its name in there  | an error        | becomes it                       |
//! | a folder and `/.` | what is in it, in there  | an error        | becomes it                       |
//!
//! The folder that DEST is in must exist. No link in the image leads out of it, and none that lies in DEST is followed.

use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tug_layer_store::{EntryKind, FolderOptions, LastLink, Node, Part, View, WrittenFolder};

use crate::error::CommandError;
use crate::exit::Exit;
use crate::file_output::FileOutput;
use crate::human;
use crate::inside::{ImagePath, Opened, PlaceArguments, path_in_image};
use crate::settings::Settings;
use crate::signals::Interrupts;

/// So many devices are named that were left out.
const NAMED: usize = 5;

/// Arguments of `tug cp`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What is copied belongs to you, as with docker. Of an image on a registry only the layers come that are needed.

Examples:
  tug cp app:/etc/nginx/nginx.conf .
  tug cp app:/usr/share/doc docs         The folder, as docs or into it
  tug cp app:/usr/share/doc/. docs       What is in the folder
  tug cp app:/var/log - | tar tv         As a tar
  tug cp docker://debian:12:/etc/os-release /tmp")]
pub(crate) struct CpArguments {
    /// What to copy, as `IMAGE:/PATH`
    #[arg(value_name = "IMAGE:/PATH", value_parser = path_in_image())]
    from: ImagePath,
    /// The file or folder to copy to; `-` for a tar on standard output
    #[arg(value_name = "DEST")]
    to: PathBuf,
    /// Keep user and group ids; only root may
    #[arg(short, long)]
    archive: bool,
    /// Copy what a link leads to, and not the link
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// Tell nothing but errors
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    place: PlaceArguments,
}

/// Copies the files.
pub(super) fn run(arguments: &CpArguments, settings: &Settings) -> Result<(), CommandError> {
    if arguments.archive && !rustix::process::geteuid().is_root() && arguments.to.as_os_str() != "-" {
        return Err(CommandError::new(Exit::Host, "only root can give files to other users")
            .hint("leave out `-a`, or write a tar, which has the owners: `tug cp IMAGE:/PATH -`"));
    }
    let opened = arguments.place.open(&arguments.from.image, settings)?;
    let path = arguments.from.path.as_deref().unwrap_or(b"/");
    let last = if arguments.follow_link { LastLink::Follow } else { LastLink::Keep };
    let (view, node) = opened.find(path, last)?;
    if arguments.to.as_os_str() == "-" {
        write_tar(&view, &part(path, &node), settings)?;
        return opened.finish();
    }
    if let Some(mut device) = device(&arguments.to, &node)? {
        let mut content = view.open(&node)?;
        io::copy(&mut content, &mut device).map_err(|error| cannot_write(&arguments.to, &error))?;
        return opened.finish();
    }
    let (folder, part) = destination(&arguments.to, path, &node)?;
    let options = FolderOptions {
        owners: arguments.archive,
        plain_modes: !arguments.archive,
        ..FolderOptions::default()
    };
    let written = copy(&opened, &view, &part, &folder, options)?;
    if !arguments.quiet {
        tell(&written, &arguments.to, settings);
    }
    opened.finish()
}

/// Writes what is meant into the folder. After an interrupt nothing half is left.
fn copy(
    opened: &Opened,
    view: &View,
    part: &Part,
    folder: &Path,
    options: FolderOptions,
) -> Result<WrittenFolder, CommandError> {
    let stop = Arc::new(AtomicBool::new(false));
    let interrupts = Interrupts::watch({
        let stop = Arc::clone(&stop);
        move || stop.store(true, Ordering::SeqCst)
    })?;
    let store = opened.store.stopping_when(move || stop.load(Ordering::SeqCst));
    let written = store.write_part(view, part, folder, options);
    written.map_err(|error| interrupts.behind(error.into()))
}

fn tell(written: &WrittenFolder, to: &Path, settings: &Settings) {
    let files = human::counted(usize::try_from(written.files).unwrap_or(usize::MAX), "file");
    let size = human::size(written.bytes);
    settings.output.note(format_args!("copied {files}, {size}, to {}", to.display()));
    if let [first, ..] = written.left_out.as_slice() {
        let count = human::counted(written.left_out.len(), "device");
        let mut names = format!("`/{first}`");
        for name in written.left_out.iter().take(NAMED).skip(1) {
            names += &format!(", `/{name}`");
        }
        let more = if written.left_out.len() > NAMED { ", …" } else { "" };
        settings.output.warning(format_args!("{count} left out, which only root can make: {names}{more}"));
    }
}

/// What is meant by a path, under its own name; what is in it for the root and for what ends in `/.`.
fn part(path: &[u8], node: &Node) -> Part {
    let name = match is_content_only(path) {
        true => Vec::new(),
        false => own_name(path, node),
    };
    Part { path: node.path().to_vec(), name }
}

fn is_content_only(path: &[u8]) -> bool {
    path.ends_with(b"/.") || path.iter().all(|&byte| byte == b'/')
}

/// The last name that was typed. Where that is none, the one that it leads to.
fn own_name(path: &[u8], node: &Node) -> Vec<u8> {
    let mut names = path.split(|&byte| byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
    match names.next_back() {
        Some(name) if name != b".." => name.to_vec(),
        _ => node.path().rsplit(|&byte| byte == b'/').next().unwrap_or_default().to_vec(),
    }
}

/// The folder to write into, and what to write there.
fn destination(to: &Path, path: &[u8], node: &Node) -> Result<(PathBuf, Part), CommandError> {
    let is_folder = node.entry().kind == EntryKind::Directory;
    let shown = to.display();
    match fs::metadata(to) {
        Ok(found) if found.is_dir() => Ok((to.to_owned(), part(path, node))),
        Ok(_) if is_folder => {
            Err(CommandError::failed(format_args!("cannot copy a folder to `{shown}`: it is a file")))
        }
        Ok(_) => {
            // A link stays a link: what it leads to is replaced.
            let real = fs::canonicalize(to).map_err(|error| cannot_write(to, &error))?;
            beside(&real, node)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let ends_in_slash = to.as_os_str().as_bytes().ends_with(b"/");
            if ends_in_slash && !is_folder {
                return Err(CommandError::failed(format_args!("there is no folder `{shown}`"))
                    .hint("make it first, or leave out the slash at its end"));
            }
            beside(to, node)
        }
        Err(error) => Err(cannot_write(to, &error)),
    }
}

/// As `to` itself, in the folder that it is in.
fn beside(to: &Path, node: &Node) -> Result<(PathBuf, Part), CommandError> {
    let Some(name) = to.file_name() else {
        return Err(CommandError::failed(format_args!("`{}` is no name for a file", to.display())));
    };
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => {
            return Err(CommandError::failed(format_args!("`{}` is no folder", folder.display())));
        }
        Err(error) => {
            return Err(CommandError::failed(format_args!("there is no folder `{}`", folder.display()))
                .because(&error));
        }
    }
    Ok((folder.to_owned(), Part { path: node.path().to_vec(), name: name.as_bytes().to_vec() }))
}

/// Something that is no regular file, such as `/dev/null`, is written to in its place.
fn device(to: &Path, node: &Node) -> Result<Option<File>, CommandError> {
    let is_other = match fs::metadata(to) {
        // `/dev/stdout` may be a file: it stays the file that others have open.
        Ok(found) if found.is_file() => to.starts_with("/dev") || to.starts_with("/proc"),
        Ok(found) => !found.is_dir(),
        Err(_) => false,
    };
    if !is_other || !matches!(node.entry().kind, EntryKind::File { .. }) {
        return Ok(None);
    }
    let opened = File::options().write(true).open(to);
    opened.map(Some).map_err(|error| cannot_write(to, &error))
}

fn write_tar(view: &View, part: &Part, settings: &Settings) -> Result<(), CommandError> {
    let mut out = FileOutput::open(None, "a tar", &settings.output)?;
    match view.export_part(part, &mut out) {
        Err(_) if out.is_deserted() => Ok(()),
        written => written.map_err(CommandError::from).and_then(|()| out.finish()),
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> CommandError {
    CommandError::failed(format_args!("cannot write `{}`", path.display())).because(error)
}
