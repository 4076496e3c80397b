//! Reads the events of a build again, also while it runs.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use tug_layer_store::BuildFolder;

use super::log;
use crate::error::Error;
use crate::event::{Event, StepId};

/// No event is longer: a plan of ten thousand steps is still below this.
const LONGEST_LINE: usize = 64 << 20;
/// Output is given back in pieces of this size at most.
const PIECE: u64 = 64 << 10;

/// The events of a build, one after the other. Lines that cannot be understood, such as those of a newer version, are
/// left out.
#[derive(Debug)]
pub struct Replay {
    folder: PathBuf,
    path: PathBuf,
    events: BufReader<File>,
    /// What was read of a line whose end is not there yet.
    begun: Vec<u8>,
    logs: BTreeMap<StepId, Log>,
    ready: VecDeque<(Duration, Event)>,
    now: Duration,
}

/// The log of a step that is not over.
#[derive(Debug, Default)]
struct Log {
    file: Option<File>,
    /// How much of it was given back.
    given: u64,
    /// How much of it was announced by events.
    announced: u64,
}

/// A line of the events: what they all have, and what those of output have.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    at: f64,
    event: String,
    #[serde(default)]
    step: Option<StepId>,
    #[serde(default)]
    bytes: u64,
}

impl Replay {
    pub(super) fn open(folder: &BuildFolder) -> Result<Self, Error> {
        let path = folder.events();
        let opened = File::open(&path);
        let opened = opened.map_err(|source| Error::Io { action: "read", path: path.clone(), source })?;
        Ok(Self {
            folder: folder.path().to_owned(),
            path,
            events: BufReader::new(opened),
            begun: Vec::new(),
            logs: BTreeMap::new(),
            ready: VecDeque::new(),
            now: Duration::ZERO,
        })
    }

    /// The next event and when it came, since the start of the build; `None` when there is none yet.
    ///
    /// Of a build that is over, `None` is the end. Of one that runs, [`Replay::catch_up`] gives what steps have written
    /// since.
    pub fn next_event(&mut self) -> Result<Option<(Duration, Event)>, Error> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Ok(Some(ready));
            }
            let Some(line) = self.line()? else { return Ok(None) };
            self.take(&line);
        }
    }

    /// Makes events of the output that was written and not announced yet. To be called when there is no next event.
    pub fn catch_up(&mut self) {
        for step in self.logs.keys().copied().collect::<Vec<_>>() {
            self.give(step, u64::MAX);
        }
    }

    /// The next line, if all of it is there.
    fn line(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let room = LONGEST_LINE.saturating_sub(self.begun.len()) as u64;
        match (&mut self.events).take(room).read_until(b'\n', &mut self.begun) {
            Ok(_) if self.begun.ends_with(b"\n") => Ok(Some(std::mem::take(&mut self.begun))),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(None),
            Err(source) => Err(Error::Io { action: "read", path: self.path.clone(), source }),
        }
    }

    fn take(&mut self, line: &[u8]) {
        let Ok(head) = serde_json::from_slice::<Line>(line) else { return };
        self.now = Duration::try_from_secs_f64(head.at).unwrap_or(self.now);
        if let ("output", Some(step)) = (head.event.as_str(), head.step) {
            let log = self.logs.entry(step).or_default();
            log.announced = log.announced.saturating_add(head.bytes);
            let announced = log.announced;
            self.give(step, announced);
            return;
        }
        let Ok(event) = serde_json::from_slice::<Event>(line) else { return };
        match &event {
            Event::Started { step } => drop(self.logs.entry(*step).or_default()),
            Event::Finished { step, .. } | Event::Failed { step, .. } | Event::Cancelled { step } => {
                self.give(*step, u64::MAX);
                self.logs.remove(step);
            }
            Event::Cached { step, .. } => drop(self.logs.remove(step)),
            _ => {}
        }
        self.ready.push_back((self.now, event));
    }

    /// Makes events of the log of a step up to the byte `end`. A log that is not there has nothing.
    fn give(&mut self, step: StepId, end: u64) {
        let Some(log) = self.logs.get_mut(&step) else { return };
        if log.file.is_none() {
            log.file = File::open(self::log(&self.folder, step)).ok();
        }
        let Some(file) = &mut log.file else { return };
        while log.given < end {
            let mut text = Vec::new();
            let piece = PIECE.min(end - log.given);
            match file.take(piece).read_to_end(&mut text) {
                Ok(count @ 1..) => log.given += count as u64,
                _ => break,
            }
            self.ready.push_back((self.now, Event::Output { step, text }));
        }
    }
}
