//! Shows how images move between registries and the store. `transfer` tells events; here they become what somebody reads.
//!
//! | `--progress`      | what standard error gets                                                         |
//! | ----------------- | -------------------------------------------------------------------------------- |
//! | `tty`             | a bar for each blob that moves, and one line for all of them                      |
//! | `plain`           | a line for each blob that is done, and one now and then while nothing else is said |
//! | `rawjson`         | each event as one JSON object on a line                                           |
//! | `quiet`, `none`   | nothing but errors                                                                |
//!
//! Whatever the mode, pauses that a registry asks for, retries and warnings are told.

mod bars;
mod json;
mod lines;
mod tally;

use std::sync::Arc;

use tug_transfer::{Event, Observer};

use super::ProgressMode;
use crate::output::Output;
use bars::Bars;
use json::Json;
use lines::Lines;
pub(crate) use tally::{Tally, remark};

/// What is being done, for the line of totals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// From a registry.
    Pulling,
    /// To a registry.
    Pushing,
    /// Between places.
    Copying,
}

impl Doing {
    fn word(self) -> &'static str {
        match self {
            Self::Pulling => "pulling",
            Self::Pushing => "pushing",
            Self::Copying => "copying",
        }
    }
}

/// Shows transfers. Finished, it leaves the terminal as it was.
pub(crate) struct TransferProgress(Kind);

enum Kind {
    Bars(Bars),
    Lines(Lines),
    Json(Json),
    Silent,
}

impl TransferProgress {
    /// Starts to show them.
    pub(crate) fn start(mode: ProgressMode, doing: Doing, output: &Output) -> Arc<Self> {
        Arc::new(Self(match mode {
            ProgressMode::Tty => Kind::Bars(Bars::start(doing)),
            ProgressMode::Auto | ProgressMode::Plain => Kind::Lines(Lines::start(output.stderr)),
            ProgressMode::RawJson => Kind::Json(Json::start()),
            ProgressMode::Quiet | ProgressMode::None => Kind::Silent,
        }))
    }

    /// Writes something above the bars.
    pub(crate) fn above(&self, write: impl FnOnce()) {
        match &self.0 {
            Kind::Bars(bars) => bars.above(write),
            _ => write(),
        }
    }

    /// Takes the bars away until something moves again.
    pub(crate) fn pause(&self) {
        if let Kind::Bars(bars) = &self.0 {
            bars.pause();
        }
    }

    /// Takes the bars away. Whatever is written to standard error afterwards comes below.
    pub(crate) fn finish(&self) {
        match &self.0 {
            Kind::Bars(bars) => bars.finish(),
            Kind::Lines(lines) => lines.finish(),
            Kind::Json(_) | Kind::Silent => {}
        }
    }
}

impl Observer for TransferProgress {
    fn event(&self, event: Event) {
        match &self.0 {
            Kind::Bars(bars) => bars.on(&event),
            Kind::Lines(lines) => lines.on(&event),
            Kind::Json(json) => json.on(&event),
            Kind::Silent => {}
        }
    }
}

impl Drop for TransferProgress {
    fn drop(&mut self) {
        self.finish();
    }
}
