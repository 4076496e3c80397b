//! From a Dockerfile to a graph of steps, before anything is done.
//!
//! Everything that instructions say is evaluated here: variables, users, working directories, the config and the
//! history of every stage. That is possible because no instruction can learn anything from the file system; what runs
//! later only adds layers. Only stages that the target needs are in the plan.
//!
//! A plan is a pure function of the Dockerfile, the options and the configs of the base images.
//!
//! One plan may be for several *units*, each with a Dockerfile and options of its own: the platforms of an image, or the
//! targets of a bake file. They share one graph, so that what one unit makes can be the base of another.

mod config;
mod evaluate;
pub(crate) mod history;
mod mounts;
mod named;
mod needed;
mod privileges;
mod remote;
mod scope;
mod stages;
mod transfer;

#[cfg(test)]
mod tests;

use std::ops::Range;

use tug_fetch::Remote;
use tug_layer_store::Image;
use tug_oci::{Digest, History, ImageConfig, Platform};

use crate::error::Problem;
use crate::event::{StepId, StepSummary};
use crate::options::NetworkMode;

pub(crate) use evaluate::problem_of;
pub(crate) use mounts::{MountKind, MountSource, Owner, RunMount};
pub(crate) use named::Named;
pub(crate) use needed::{find_target, target_number as target};
pub(crate) use privileges::Privileges;
pub(crate) use stages::{NoImage, PlanError, PlanOptions, Surroundings, plan};

/// The graph of steps that lead to images.
#[derive(Default)]
pub(crate) struct Plan {
    /// Every step; a step comes after those it needs.
    pub steps: Vec<Step>,
    /// What comes out, in the order in which units were added.
    pub units: Vec<PlannedUnit>,
}

/// What a plan says about one unit.
pub(crate) struct PlannedUnit {
    /// What the image will be.
    pub result: StageResult,
    /// What the user should know.
    pub warnings: Vec<Problem>,
    /// `SOURCE_DATE_EPOCH` as the Dockerfile says it: as ENV of the target, else as a global ARG.
    pub epoch: Option<String>,
}

/// Files that steps read, by their number in the list of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FilesId(pub usize);

/// The layers that something stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// None.
    Scratch,
    /// Those that are there after a step.
    After(StepId),
}

/// One node of the graph.
pub(crate) struct Step {
    pub summary: StepSummary,
    /// The unit whose Dockerfile it stands in.
    pub unit: usize,
    /// What its stage is for.
    pub platform: Platform,
    /// Its instruction in the Dockerfile.
    pub span: Range<usize>,
    /// The layers below it.
    pub below: State,
    /// Other steps whose layers it reads.
    pub uses: Vec<StepId>,
    pub action: Action,
    /// The place of the step in its Dockerfile: what "the same step in an earlier build" means.
    pub slot: Digest,
    /// Whether a later RUN will read its layer through the kernel.
    pub materialise: bool,
    /// Why it runs again although its result may be known.
    pub anew: Option<&'static str>,
}

impl Step {
    /// What is shown of it, with the steps that it waits for.
    pub(crate) fn summary(&self) -> StepSummary {
        let below = match self.below {
            State::Scratch => None,
            State::After(step) => Some(step),
        };
        let mut needs: Vec<StepId> = below.into_iter().chain(self.uses.iter().copied()).collect();
        needs.sort_unstable();
        needs.dedup();
        StepSummary { needs, ..self.summary.clone() }
    }
}

/// What a step does.
pub(crate) enum Action {
    /// Takes an image of the store as it is.
    Base(Box<Image>),
    Run(RunAction),
    Copy(CopyAction),
    /// Makes a directory, if it is not there.
    Workdir(WorkdirAction),
}

/// RUN, evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunAction {
    pub args: Vec<String>,
    /// Environment and declared ARGs, in order.
    pub env: Vec<(String, String)>,
    /// Which of them are ARGs, for explanations.
    pub arg_names: Vec<String>,
    pub working_directory: String,
    pub user: String,
    pub network: NetworkMode,
    pub privileges: Privileges,
    pub hostname: String,
    /// A script that is written into the container and executed.
    pub script: Option<Script>,
    /// What is mounted, the outer ones first.
    pub mounts: Vec<RunMount>,
}

/// The body of a here-document that starts with `#!`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    pub path: String,
    pub text: String,
}

/// COPY or ADD, evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CopyAction {
    pub sources: Vec<CopySource>,
    pub from: CopyFrom,
    /// Absolute; ends in `/` if it was written so.
    pub destination: String,
    pub chown: Option<String>,
    /// Where `--chown` stands, or else the instruction.
    pub chown_span: Range<usize>,
    pub chmod: Option<tug_dockerfile::Mode>,
    /// `--chmod` as it was written.
    pub chmod_text: Option<String>,
    pub exclude: Vec<String>,
    /// `--parents`: whether the directories above a source come along.
    pub parents: bool,
    /// Whether the layer must not depend on the layers below.
    pub link: bool,
    /// Whether archives are unpacked.
    pub unpack: bool,
}

/// One source of a COPY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CopySource {
    /// A path or pattern, and where it stands in the Dockerfile.
    Path { path: String, span: Range<usize> },
    /// A here-document.
    Inline { name: String, text: String },
    /// An address.
    Remote(RemoteSource),
}

/// A source that is not on this machine. What it is now is only known when the step is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemoteSource {
    /// Where it is, and what of it is wanted.
    pub remote: Remote,
    /// As it stands in the Dockerfile, expanded, without a password.
    pub written: String,
    /// What a file must be.
    pub checksum: Option<Digest>,
    /// Whether a file is unpacked if it is an archive.
    pub unpack: bool,
    /// Whether `.git` comes along with a repository.
    pub keep_git_dir: bool,
}

/// Where sources are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CopyFrom {
    /// A context.
    Files(FilesId),
    Layers(State),
}

/// WORKDIR, evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WorkdirAction {
    /// Absolute and clean.
    pub path: String,
    pub user: String,
}

/// A stage, evaluated: what an image of it would be, but for the layers.
#[derive(Clone)]
pub(crate) struct StageResult {
    pub state: State,
    /// With the diff ids of no layer.
    pub config: ImageConfig,
    pub history: Vec<PlannedHistory>,
    /// The image at its bottom, whatever stages are between.
    pub base: Option<BaseImage>,
}

/// The image that a stage starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseImage {
    /// Its full name; an image that was named by its id or a path has none.
    pub name: Option<String>,
    /// The digest of its manifest.
    pub digest: Digest,
}

/// A line of the history in the making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PlannedHistory {
    /// From the base image, as it is.
    Base(History),
    /// Of this build; dated when the step made its layer.
    Own { created_by: String, step: Option<StepId> },
}
