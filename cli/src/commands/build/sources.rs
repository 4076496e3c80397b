//! Where a build reads from: the context, the Dockerfile, or standard input for one of them.
//!
//! | PATH     | `-f`     | context                         | Dockerfile                                              |
//! | -------- | -------- | ------------------------------- | ------------------------------------------------------- |
//! | folder   | absent   | the folder                      | looked for in the folder                                |
//! | folder   | a file   | the folder                      | the file, seen from here, else from the folder          |
//! | folder   | `-`      | the folder                      | standard input                                          |
//! | `-`      | absent   | standard input if it is a tar   | in the tar; else standard input, and there is no context |
//! | `-`      | a file   | standard input, a tar           | in the tar                                              |

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Cursor, IsTerminal, Read};
use std::path::{Path, PathBuf};

use tug_builder::{ContextSource, DockerfileSource};
use tug_dockerfile::MAX_SOURCE_BYTES;

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
    refuse_address(context)?;
    let folder = PathBuf::from(context);
    check_folder(&folder)?;
    let dockerfile = match file {
        None => DockerfileSource::InContext(None),
        Some(name) if name == "-" => {
            refuse_terminal("a Dockerfile")?;
            let text = read_bounded(io::stdin(), "standard input")?;
            DockerfileSource::Text { name: "<standard input>".to_owned(), text, path: None }
        }
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

fn refuse_address(context: &OsStr) -> Result<(), CommandError> {
    let text = context.to_string_lossy();
    let remote = ["http://", "https://", "git://", "git@", "ssh://", "github.com/"];
    if remote.iter().any(|start| text.starts_with(start)) && !Path::new(context).exists() {
        return Err(CommandError::failed(format_args!(
            "cannot build from `{text}`: only from folders and tars yet"
        ))
        .hint("clone or fetch it first, and name the folder"));
    }
    Ok(())
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

/// Whether bytes are the start of a tar, plain or compressed.
fn is_archive(head: &[u8]) -> bool {
    let magics: [&[u8]; 4] = [b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"];
    magics.iter().any(|magic| head.starts_with(magic)) || is_tar(head)
}

/// A header whose checksum is right, in any of tar's dialects; or the zeros of an empty tar.
fn is_tar(head: &[u8]) -> bool {
    if head.len() < 512 {
        return false;
    }
    if head.iter().all(|byte| *byte == 0) {
        return true;
    }
    let digits: String =
        head[148..156].iter().map(|byte| char::from(*byte)).filter(char::is_ascii_digit).collect();
    let sum: u32 = head
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { u32::from(b' ') } else { u32::from(*byte) })
        .sum();
    u32::from_str_radix(&digits, 8) == Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tar_is_told_from_a_dockerfile() {
        let mut header = [0_u8; 512];
        header[..5].copy_from_slice(b"a.txt");
        header[156] = b'0';
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum::<u32>() + 8 * u32::from(b' ');
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        assert!(is_archive(&header));
        assert!(is_archive(&[0; 512]));
        assert!(is_archive(b"\x1f\x8b\x08\x00"));
        header[0] = b'b';
        assert!(!is_archive(&header));
        assert!(!is_archive(b"FROM scratch\n"));
        assert!(!is_archive("FROM scratch\n".repeat(100).as_bytes()));
        assert!(!is_archive(b""));
    }
}
