//! Large results: to a file that is there whole or not at all, or to standard output if nobody looks at it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

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
        /// Opened under another name.
        file: File,
        /// That name.
        temporary: Temporary,
        /// The name it gets.
        path: PathBuf,
    },
}

/// A file that is removed unless it is kept.
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
            _ => {
                let mut name = path.file_name().unwrap_or_default().to_owned();
                name.push(format!(".{}.part", std::process::id()));
                let part = path.with_file_name(name);
                let file = File::create(&part).map_err(failed)?;
                Ok(Self::File { file, temporary: Temporary(Some(part)), path: path.to_owned() })
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
                drop(file);
                let part = temporary.0.take().unwrap_or_default();
                fs::rename(&part, &path).map_err(|error| {
                    temporary.0 = Some(part);
                    cannot_write(&path, &error)
                })
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

        let mut whole = FileOutput::open(Some(&path), "an image", &Output::default()).unwrap();
        whole.write_all(b"whole").unwrap();
        whole.finish().unwrap();
        assert_eq!((fs::read(&path).unwrap().as_slice(), names()), (&b"whole"[..], 1));
    }

    #[test]
    fn devices_are_written_to_in_place() {
        let mut null =
            FileOutput::open(Some(Path::new("/dev/null")), "an image", &Output::default()).unwrap();
        null.write_all(b"x").unwrap();
        null.finish().unwrap();
    }
}
