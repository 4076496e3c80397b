//! Where a build reads from: the context, the Dockerfile, or standard input for one of them.
//!
//! | PATH     | `-f`     | context                         | Dockerfile                                              |
//! | -------- | -------- | ------------------------------- | ------------------------------------------------------- |
//! | folder   | absent   | the folder                      | looked for in the folder                                |
//! | folder   | a file   | the folder                      | the file, seen from here, else from the folder          |
//! | folder   | `-`      | the folder                      | standard input                                          |
//! | address  | absent   | what is there                   | in there; a file that is no tar is the Dockerfile       |
//! | address  | a file   | what is there                   | in there                                                |
//! | address  | `-`      | what is there                   | standard input                                          |
//! | `-`      | absent   | standard input if it is a tar   | in the tar; else standard input, and there is no context |
//! | `-`      | a file   | standard input, a tar           | in the tar                                              |

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Cursor, IsTerminal, Read};
use std::path::{Path, PathBuf};

use tug_builder::{ContextSource, DockerfileSource, is_archive};
use tug_dockerfile::MAX_SOURCE_BYTES;
use tug_fetch::Remote;

use super::BuildArguments;
use crate::error::CommandError;

/// Enough to tell a tar from a Dockerfile.
const HEAD: u64 = 512;

/// What the build reads.
pub(super) fn find(arguments: &BuildArguments) -> Result<(ContextSource, DockerfileSource), CommandError> {
    if arguments.what.files.len() > 1 {
        return several(arguments);
    }
    of(&arguments.what.context, arguments.what.file())
}

/// What a command reads that is given this PATH and this `-f`.
pub(crate) fn of(
    context: &OsStr,
    file: Option<&OsStr>,
) -> Result<(ContextSource, DockerfileSource), CommandError> {
    if context == "-" {
        if file == Some(OsStr::new("-")) {
            return Err(CommandError::usage("standard input cannot be both the context and the Dockerfile"));
        }
        return from_stdin(file);
    }
    if let Some(remote) = address(context)? {
        let dockerfile = match file {
            None => DockerfileSource::InContext(None),
            Some(name) if name == "-" => from_stdin_text()?,
            Some(name) => DockerfileSource::InContext(Some(name.to_string_lossy().into_owned())),
        };
        return Ok((ContextSource::Remote(remote), dockerfile));
    }
    let folder = PathBuf::from(context);
    check_folder(&folder)?;
    let dockerfile = match file {
        None => DockerfileSource::InContext(None),
        Some(name) if name == "-" => from_stdin_text()?,
        Some(name) => from_file(Path::new(name), &folder)?,
    };
    Ok((ContextSource::Folder(folder), dockerfile))
}

/// Several Dockerfiles, one after the other, as podman builds them.
fn several(arguments: &BuildArguments) -> Result<(ContextSource, DockerfileSource), CommandError> {
    let files = &arguments.what.files;
    if arguments.what.context == "-" || files.iter().filter(|file| *file == "-").count() > 1 {
        return Err(CommandError::usage("standard input can only be one Dockerfile of several")
            .hint("name a folder as the context, and `-f -` once"));
    }
    let folder = PathBuf::from(&arguments.what.context);
    check_folder(&folder)?;
    let mut whole = Vec::new();
    let mut names = Vec::new();
    let mut first = None;
    for file in files {
        let source = match file == "-" {
            true => {
                let text = read_bounded(io::stdin(), "standard input")?;
                DockerfileSource::Text { name: "<standard input>".to_owned(), text, path: None }
            }
            false => from_file(Path::new(file), &folder)?,
        };
        let DockerfileSource::Text { name, text, path } = source else { continue };
        names.push(name);
        first = first.or(path);
        whole.extend(text);
        if !whole.ends_with(b"\n") {
            whole.push(b'\n');
        }
    }
    let dockerfile = DockerfileSource::Text { name: names.join(" + "), text: whole, path: first };
    Ok((ContextSource::Folder(folder), dockerfile))
}

fn from_stdin_text() -> Result<DockerfileSource, CommandError> {
    refuse_terminal("a Dockerfile")?;
    let text = read_bounded(io::stdin(), "standard input")?;
    Ok(DockerfileSource::Text { name: "<standard input>".to_owned(), text, path: None })
}

fn from_stdin(file: Option<&OsStr>) -> Result<(ContextSource, DockerfileSource), CommandError> {
    refuse_terminal("a context")?;
    let mut head = Vec::new();
    let read = io::stdin().take(HEAD).read_to_end(&mut head);
    read.map_err(|error| CommandError::failed("cannot read standard input").because(&error))?;
    if is_archive(&head) {
        let name = file.map(|name| name.to_string_lossy().into_owned());
        let tar = Cursor::new(head).chain(io::stdin());
        return Ok((ContextSource::Tar(Box::new(tar)), DockerfileSource::InContext(name)));
    }
    if let Some(name) = file {
        let name = name.to_string_lossy();
        return Err(CommandError::usage(format_args!(
            "standard input is not a tar, so there is no `{name}` in it"
        ))
        .hint("leave `-f` away to build the Dockerfile on standard input"));
    }
    let text = read_bounded(Cursor::new(head).chain(io::stdin()), "standard input")?;
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(CommandError::failed("standard input is empty: expected a tar or a Dockerfile"));
    }
    let name = "<standard input>".to_owned();
    Ok((ContextSource::Empty, DockerfileSource::Text { name, text, path: None }))
}

fn from_file(name: &Path, folder: &Path) -> Result<DockerfileSource, CommandError> {
    let inside = folder.join(name);
    let path = if !name.exists() && inside.exists() { inside } else { name.to_owned() };
    let failed = |error: io::Error| {
        CommandError::failed(format_args!("cannot read the Dockerfile `{}`", name.display())).because(&error)
    };
    let file = File::open(&path).map_err(|error| {
        let missing = error.kind() == io::ErrorKind::NotFound;
        let failure = failed(error);
        if missing {
            failure.hint("`-f` is seen from this folder, or else from the context")
        } else {
            failure
        }
    })?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(CommandError::failed(format_args!("`{}` is a folder, not a Dockerfile", name.display())));
    }
    let text = read_bounded(file, &path.display().to_string())?;
    Ok(DockerfileSource::Text { name: name.to_string_lossy().into_owned(), text, path: Some(path) })
}

/// One byte more than a Dockerfile may have is read, so that the parser can say that it is too large.
fn read_bounded(source: impl Read, name: &str) -> Result<Vec<u8>, CommandError> {
    let mut text = Vec::new();
    match source.take(MAX_SOURCE_BYTES as u64 + 1).read_to_end(&mut text) {
        Ok(_) => Ok(text),
        Err(error) => Err(CommandError::failed(format_args!("cannot read `{name}`")).because(&error)),
    }
}

fn check_folder(folder: &Path) -> Result<(), CommandError> {
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => {
            Err(CommandError::failed(format_args!("the context `{}` is not a folder", folder.display()))
                .hint("name the folder with the files, and the Dockerfile with `-f`"))
        }
        Err(error) => {
            Err(CommandError::failed(format_args!("cannot use the context `{}`", folder.display()))
                .because(&error))
        }
    }
}

/// What is at an address; `None` when it is a path. A folder that is called like the short form of one wins.
pub(super) fn address(context: &OsStr) -> Result<Option<Remote>, CommandError> {
    let text = context.to_string_lossy();
    let short = !Path::new(context).exists();
    match Remote::parse(&text, short) {
        None => Ok(None),
        Some(Ok(remote)) => Ok(Some(remote)),
        Some(Err(error)) => Err(CommandError::usage(error)),
    }
}

fn refuse_terminal(what: &str) -> Result<(), CommandError> {
    match io::stdin().is_terminal() {
        false => Ok(()),
        true => Err(CommandError::usage(format_args!(
            "{what} is expected on standard input, which is a terminal"
        ))
        .hint("use a pipe or a redirection: `tug build - < Dockerfile`")),
    }
}
