//! `--logfile`: what a build does, as lines in a file.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use tug_builder::{Event, Reporter};

use super::plain::{Log, Plain};
use super::{Progress, lock};
use crate::error::CommandError;
use crate::output::Stream;

/// Hands events on, and writes them down if there is a file to write them to.
pub(crate) struct LogFile<'a> {
    shown: &'a Progress,
    written: Option<(Mutex<Plain>, File)>,
    start: Instant,
}

impl<'a> LogFile<'a> {
    /// Writes to `path`, if there is one; an older file is replaced.
    pub(crate) fn new(shown: &'a Progress, path: Option<&Path>) -> Result<Self, CommandError> {
        let file = path.map(|path| {
            File::create(path).map_err(|error| {
                CommandError::failed(format_args!("cannot write the log `{}`", path.display()))
                    .because(&error)
            })
        });
        let file = file.transpose()?;
        let written = file.map(|file| (Mutex::new(Plain::new(Stream::default(), Log::Simple)), file));
        Ok(Self { shown, written, start: Instant::now() })
    }

    /// Writes down what was held back.
    pub(crate) fn finish(self) {
        if let Some((view, file)) = &self.written {
            write(file, &lock(view).finish());
        }
    }
}

impl Reporter for LogFile<'_> {
    fn report(&self, event: Event) {
        if let Some((view, file)) = &self.written {
            // Written under the lock: lines keep their order.
            let mut view = lock(view);
            write(file, &view.on(&event, self.start.elapsed()));
        }
        self.shown.report(event);
    }
}

/// A log that cannot be written, on a full disk for example, is no reason to give the build up.
fn write(mut file: &File, text: &str) {
    let _ = file.write_all(text.as_bytes());
}
