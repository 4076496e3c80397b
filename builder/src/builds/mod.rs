//! What is kept of each build, and how it is read again.
//!
//! | file in `builds/<id>/` | what it holds                                                                        |
//! | ---------------------- | ------------------------------------------------------------------------------------ |
//! | `build.json`           | [`BuildRecord`]: what was built, when, and what came of it; written at the start and at the end |
//! | `events.jsonl`         | every event, as [`Event::line`] writes it, but for output: of that only how much came when |
//! | `<number>.log`         | the whole output of a step; steps are counted from 1, as in messages                 |
//! | `plan.json`            | which step stands on which, the layers of base images, what each RUN runs            |
//! | `<number>.json`        | what a step that failed ran in: its container, with the mounts that outlive it       |
//! | `leftover/<number>`    | the files that a step that failed left; kept of the newest builds only               |
//!
//! A line of output in `events.jsonl` has `bytes` instead of `text`: so many bytes of the log of its step follow. So
//! output is on the disk once, and [`Replay`] gives back the very stream of events.
//!
//! Nothing waits for the disk, and each line is one write: when the process is killed or the power fails, at most the
//! last lines are missing. What cannot be written is missing too; it does not fail the build.

mod origins;
mod recorder;
mod replay;
mod states;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tug_layer_store::{BuildFolder, Store};
use tug_oci::Digest;

use crate::error::Error;
use crate::event::StepId;
pub use origins::{LayerOrigin, build_of_image, layer_origins};
pub(crate) use recorder::Recorder;
pub use replay::Replay;
pub use states::{StepState, When};
pub(crate) use states::{keep_failed, write_plan};

#[cfg(doc)]
use crate::event::Event;

const RECORD: &str = "build.json";
/// A record is small, however many units a build has.
const RECORD_LIMIT: u64 = 16 << 20;

/// How a build ended, if it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BuildStatus {
    /// It is not over.
    Running,
    /// There is an image.
    Done,
    /// There is none, for the reason that [`BuildRecord::error`] says.
    Failed,
    /// The user gave it up.
    Cancelled,
    /// Its process ended without a word.
    Killed,
}

impl BuildStatus {
    /// The word for it in tables and filters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Killed => "killed",
        }
    }
}

/// What is known of a build without reading its events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildRecord {
    /// The version of this format: 1.
    pub v: u32,
    /// The identity of the build.
    pub id: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// How it ended, as far as its own process could say.
    pub status: BuildStatus,
    /// How long it took, when it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// How many steps it had; 0 until it is planned.
    pub steps: usize,
    /// How many of them were known from earlier builds.
    pub cached: usize,
    /// Bytes of layers that were new.
    pub new_bytes: u64,
    /// How many warnings it gave.
    pub warnings: usize,
    /// What was to be built.
    pub units: Vec<UnitRecord>,
    /// Why there is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorRecord>,
}

/// One unit of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitRecord {
    /// What tells it from the others; empty when it is alone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The names that its image was to get.
    pub tags: Vec<String>,
    /// Where the files came from.
    pub context: String,
    /// The Dockerfile.
    pub dockerfile: String,
    /// The stage, if it is not the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What the image is for.
    pub platform: String,
    /// The digest of the manifest that came out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Digest>,
    /// The digest of its config.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Digest>,
}

/// Why there is no image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorRecord {
    /// In one line.
    pub message: String,
    /// The step whose command failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
    /// The exit code of that command, as a shell would say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Where in the Dockerfile: `Dockerfile:4:13`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// A build of the store, past or running. It is not removed while this lives.
#[derive(Debug)]
pub struct Build {
    /// What is known of it; its status is what is true now.
    pub record: BuildRecord,
    folder: BuildFolder,
}

impl Build {
    /// The build `id`; `None` when there is none, or nothing that can be read.
    pub fn open(store: &Store, id: &str) -> Result<Option<Self>, Error> {
        let Some(folder) = store.open_build(id)? else { return Ok(None) };
        // Looked at first: a build that ends in between has its record by then.
        let is_running = folder.is_running();
        let Some(mut record) = read(&folder.path().join(RECORD)) else { return Ok(None) };
        record.status = match record.status {
            BuildStatus::Running if !is_running => BuildStatus::Killed,
            status => status,
        };
        Ok(Some(Self { record, folder }))
    }

    /// Every build of the store, the newest first.
    pub fn all(store: &Store) -> Result<Vec<Self>, Error> {
        let mut builds = Vec::new();
        for id in store.build_ids()?.into_iter().rev() {
            builds.extend(Self::open(store, &id)?);
        }
        Ok(builds)
    }

    /// The events so far, from the first one.
    pub fn replay(&self) -> Result<Replay, Error> {
        Replay::open(&self.folder)
    }

    /// The file with the whole output of a step. There is none of a step that ran no command.
    pub fn log(&self, step: StepId) -> PathBuf {
        log(self.folder.path(), step)
    }

    /// Whether its process still works on it.
    pub fn is_running(&self) -> bool {
        self.folder.is_running()
    }
}

/// The file with the output of a step in the folder of its build.
pub(crate) fn log(folder: &Path, step: StepId) -> PathBuf {
    folder.join(format!("{}.log", step.0 + 1))
}

fn read(path: &Path) -> Option<BuildRecord> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(RECORD_LIMIT).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}
