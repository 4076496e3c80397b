//! What a build tells while it runs.
//!
//! The builder never prints. It reports one stream of typed events; the terminal, plain lines, JSON lines and the
//! record on disk are all drawn from the same stream.

use std::time::Duration;

use serde::{Serialize, Serializer};
use tug_oci::{DiffId, Digest};

/// The number of a step within one build, in the order of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct StepId(pub usize);

/// One step of the plan, as shown to people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepSummary {
    /// Its number.
    pub id: StepId,
    /// `[build 2/5] RUN cargo build`.
    pub name: String,
    /// The name of its unit, where a build has several: a platform or a target.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// The name of its stage, or its number.
    pub stage: String,
    /// The line of the instruction in the Dockerfile, from 1; 0 for what stands in no line, such as reading the context.
    pub line: usize,
}

/// Where output of a step was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Something that happened in a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum Event {
    /// The first event: what will be done.
    Planned {
        /// The identity of this build, also the name of its folder in the store.
        build: String,
        /// Every step, in order.
        steps: Vec<StepSummary>,
    },
    /// Work on a step began.
    Started {
        /// Which step.
        step: StepId,
    },
    /// The result of a step was known from an earlier build.
    Cached {
        /// Which step.
        step: StepId,
    },
    /// The result of a step was not known; the reason, if there was an earlier build to compare with.
    Missed {
        /// Which step.
        step: StepId,
        /// For example `src/main.rs changed`.
        reason: String,
    },
    /// A step wrote output.
    Output {
        /// Which step.
        step: StepId,
        /// Where to.
        stream: Stream,
        /// The bytes as they came; not cut at lines.
        #[serde(serialize_with = "as_text")]
        text: Vec<u8>,
    },
    /// A step is done.
    Finished {
        /// Which step.
        step: StepId,
        /// How long it took.
        #[serde(serialize_with = "as_seconds", rename = "seconds")]
        duration: Duration,
        /// The layer that it made, if it made one.
        #[serde(skip_serializing_if = "Option::is_none")]
        layer: Option<DiffId>,
        /// Bytes of the layer's plain tar.
        bytes: u64,
    },
    /// A step failed.
    Failed {
        /// Which step.
        step: StepId,
        /// How long it took.
        #[serde(serialize_with = "as_seconds", rename = "seconds")]
        duration: Duration,
        /// Why, in one line.
        message: String,
    },
    /// A step was given up because another one failed or the user asked for it.
    Cancelled {
        /// Which step.
        step: StepId,
    },
    /// Something that the user should know and can change.
    Warning {
        /// What, in one line.
        message: String,
        /// The line of the Dockerfile, from 1, or 0.
        line: usize,
    },
    /// The image is in the store.
    Written {
        /// The name of the unit that it is of, where a build has several.
        #[serde(skip_serializing_if = "String::is_empty")]
        unit: String,
        /// The digest of its manifest.
        manifest: Digest,
        /// The digest of its config.
        config: Digest,
        /// The names that it has now.
        names: Vec<String>,
    },
}

/// Who is told about events. Called from many threads.
pub trait Reporter: Send + Sync {
    /// Takes note of `event`.
    fn report(&self, event: Event);
}

/// A reporter that keeps every event, for tests.
#[derive(Debug, Default)]
pub struct Recording(std::sync::Mutex<Vec<Event>>);

impl Recording {
    /// All events so far.
    pub fn events(&self) -> Vec<Event> {
        self.0.lock().expect("nobody panics while holding it").clone()
    }
}

impl Reporter for Recording {
    fn report(&self, event: Event) {
        self.0.lock().expect("nobody panics while holding it").push(event);
    }
}

fn as_text<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(bytes))
}

fn as_seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
