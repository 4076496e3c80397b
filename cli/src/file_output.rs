//! Large results: to a file that is there whole or not at all, or to standard output if nobody looks at it.
//!
//! While it is written, the file has no name, so that nothing is left of it when we are killed. Where the file system
//! cannot do that, it has a name that ends in `.part`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat};

use crate::error::CommandError;
use crate::output::Output;

/// Where a large result goes.
pub(crate) enum FileOutput {
    /// To standard output, without a buffer of lines in between.
    Stdout {
        /// A second handle of it.
        file: File,
        /// Whether its reader has gone away.
        deserted: bool,
    },
    /// Straight to something that is no regular file, such as `/dev/null`.
    Device(File),
    /// To a file that gets its name when it is whole.
    File {
        /// Opened without a name, or under another one.
        file: File,
        /// The other name, if it has one.
        temporary: Temporary,
        /// The name it gets.
        path: PathBuf,
    },
}

/// The name of a file that is removed unless it is kept.
pub(crate) struct Temporary(Option<PathBuf>);

impl FileOutput {
    /// Opens `path`, or standard output when there is none or it is `-`. `what` is for messages: `an image`.
    pub(crate) fn open(path: Option<&Path>, what: &str, output: &Output) -> Result<Self, CommandError> {
        let Some(path) = path.filter(|path| path.as_os_str() != "-") else {
            return match output.stdout.terminal {
                false => {
                    let handle = io::stdout()
                        .as_fd()
                        .try_clone_to_owned()
                        .map_err(|error| CommandError::stdout(&error))?;
                    Ok(Self::Stdout { file: handle.into(), deserted: false })
                }
                true => Err(CommandError::usage(format_args!("{what} is not written to a terminal"))
                    .hint("name a file with `-o FILE`, or use a pipe")),
            };
        };
        let failed = |error| cannot_write(path, &error);
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                Err(CommandError::failed(format_args!("cannot write `{}`: it is a folder", path.display())))
            }
            Ok(found) if !found.is_file() => {
                Ok(Self::Device(File::options().write(true).open(path).map_err(failed)?))
            }
            found => {
                // A link stays a link: what it leads to is replaced.
                let path = match found {
                    Ok(_) => fs::canonicalize(path).map_err(failed)?,
                    Err(_) => path.to_owned(),
                };
                let folder = folder_of(&path);
                let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
                if let Ok(file) = rustix::fs::open(folder, flags, Mode::from_raw_mode(0o666)) {
                    return Ok(Self::File { file: file.into(), temporary: Temporary(None), path });
                }
                let part = part_of(&path);
                let file = File::create(&part).map_err(failed)?;
                Ok(Self::File { file, temporary: Temporary(Some(part)), path })
            }
        }
    }

    /// Whether nobody reads standard output any more: a reason to end, and no error.
    pub(crate) fn is_deserted(&self) -> bool {
        matches!(self, Self::Stdout { deserted: true, .. })
    }

    /// Gives the file its name.
    pub(crate) fn finish(self) -> Result<(), CommandError> {
        match self {
            Self::Stdout { .. } | Self::Device(_) => Ok(()),
            Self::File { file, mut temporary, path } => {
                let named = match &temporary.0 {
                    Some(part) => Ok(part.clone()),
                    None => give_name(&file, &path),
                };
                named
                    .and_then(|part| {
                        temporary.0 = Some(part.clone());
                        fs::rename(&part, &path)
                    })
                    .map_err(|error| cannot_write(&path, &error))?;
                temporary.0 = None;
                Ok(())
            }
        }
    }
}

impl Write for FileOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout { file, deserted } => file.write(bytes).inspect_err(|error| {
                *deserted = error.kind() == io::ErrorKind::BrokenPipe;
            }),
            Self::Device(file) | Self::File { file, .. } => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout { file, .. } | Self::Device(file) | Self::File { file, .. } => file.flush(),
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}

/// Names a nameless file beside `path`, since only a rename can replace what may be there.
fn give_name(file: &File, path: &Path) -> io::Result<PathBuf> {
    let part = part_of(path);
    let nameless = format!("/proc/self/fd/{}", file.as_raw_fd());
    linkat(CWD, nameless, CWD, &part, AtFlags::SYMLINK_FOLLOW)?;
    Ok(part)
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn cannot_write(path: &Path, error: &io::Error) -> CommandError {
    CommandError::failed(format_args!("cannot write `{}`", path.display())).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_name_only_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.tar");
        let names = || fs::read_dir(folder.path()).unwrap().count();
        let mut half = FileOutput::open(Some(&path), "an image", &Output::default()).unwrap();
        half.write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(half);
        assert_eq!(names(), 0);

        fs::write(folder.path().join("old.tar"), "old").unwrap();
        std::os::unix::fs::symlink("old.tar", &path).unwrap();
        let mut whole = FileOutput::open(Some(&path), "an image", &Output::default()).unwrap();
        whole.write_all(b"whole").unwrap();
        whole.finish().unwrap();
        assert_eq!((fs::read(&path).unwrap().as_slice(), names()), (&b"whole"[..], 2));
        assert!(path.is_symlink());
    }

    #[test]
    fn devices_are_written_to_in_place() {
        let mut null =
            FileOutput::open(Some(Path::new("/dev/null")), "an image", &Output::default()).unwrap();
        null.write_all(b"x").unwrap();
        null.finish().unwrap();
    }
}
