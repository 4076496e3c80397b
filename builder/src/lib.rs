//! Turns a Dockerfile, a context and options into an image: plan, keys, execution.
//!
//! [`build`] and [`build_all`] are the way in. It joins the other crates: `dockerfile` parses, `layer-store` keeps, `runtime` runs.

mod archive_kind;
mod builds;
mod built_in;
mod cache_names;
mod cancel;
mod cdi;
mod changes;
mod comparison;
mod context;
mod copy;
mod difference;
mod elsewhere;
mod error;
mod event;
mod execute;
mod files;
mod finish;
mod frontend;
mod images;
mod inspect;
mod key;
mod lint;
mod lower;
mod options;
mod parallel;
mod plan;
mod product;
mod record;
mod remote;
mod run;
mod sandbox;
mod secret;
mod units;

pub use archive_kind::is_archive;
pub use builds::{
    Build, BuildRecord, BuildStatus, ErrorRecord, LayerOrigin, Replay, StepState, UnitRecord, When,
    build_of_image, layer_origins,
};
pub use cache_names::{StepNames, result_kind};
pub use cancel::{Cancel, CancelGuard};
pub use changes::ImageChanges;
pub use comparison::{Comparison, DifferentField, DifferentLayer};
pub use copy::owner_in;
pub use elsewhere::{
    Elsewhere, ImageSource, InlineCache, LayerListener, NotPulled, PullPolicy, ResultSink, ResultSource,
};
pub use error::{Ending, Error, Problem, Source, StepFailure};
pub use event::{BuiltBy, Change, ChangeKind, Event, Recording, Reporter, StepId, StepSummary};
pub use images::followed_name;
pub use inspect::{InspectOptions, Inspected};
pub use lint::{Finding, Findings};
pub use lower::lower_of;
pub use options::{
    BuildOptions, ContextSource, DockerfileSource, NamedContext, NetworkMode, PROXY_VARIABLES, RemoteOptions,
    Squash,
};
/// Instructions as docker writes them into the history of an image.
pub mod history_text {
    pub use crate::plan::history::{bare_list, command, expose, healthcheck};
}
pub use product::{Annotation, AnnotationLevel, Product};
pub use sandbox::{Access, Allowed, Sandbox, Volume, mount_volumes};

use std::collections::HashSet;

use builds::Recorder;
use context::Contexts;
use elsewhere::Pulls;
pub use secret::{Secret, SshAgent};

use execute::{Blobs, Claims, Execution, Results};
use plan::Plan;
use remote::Remotes;
use run::ContextTrees;
use tug_layer_store::Store;
use tug_oci::{Descriptor, Digest, Reference};
use tug_runtime::Runtime;
use units::Opened;

/// An image that was built.
#[derive(Clone, Debug)]
pub struct Built {
    /// What names it in the store.
    pub descriptor: Descriptor,
    /// The digest of its config: the image id.
    pub config: Digest,
    /// The names that it has now.
    pub names: Vec<Reference>,
    /// How many steps the build had.
    pub steps: usize,
    /// How many of them were known from earlier builds.
    pub cached: usize,
    /// Bytes of layers that were new.
    pub new_bytes: u64,
    /// The identity of this build.
    pub build: String,
    /// What is probably not meant in its Dockerfile.
    pub findings: Findings,
}

/// Builds an image and puts it into `store`.
///
/// As [`build_all`] with one unit.
pub fn build(
    store: &Store,
    runtime: &Runtime,
    options: BuildOptions,
    reporter: &dyn Reporter,
    cancel: &Cancel,
) -> Result<Built, Error> {
    let mut built = build_all(store, runtime, vec![options], reporter, cancel)?;
    Ok(built.remove(0))
}

/// Builds several images at once and puts them into `store`: all `units` are one graph of steps, in which equal steps
/// are done once.
///
/// The answer has one image for each unit, in the same order. Everything that happens is told to `reporter`, from many
/// threads. After an error or `cancel`, no image has been written, but finished layers stay in the store, so that the
/// next build goes on from there. At most [`BuildOptions::jobs`] of the first unit run at once.
pub fn build_all(
    store: &Store,
    runtime: &Runtime,
    units: Vec<BuildOptions>,
    reporter: &dyn Reporter,
    cancel: &Cancel,
) -> Result<Vec<Built>, Error> {
    let stop = Cancel::default();
    let _guard = {
        let stop = stop.clone();
        cancel.on_cancel(move || stop.cancel())
    };
    let store = &{
        let stop = stop.clone();
        store.stopping_when(move || stop.is_cancelled())
    };
    let recorder = Recorder::start(store, &units, reporter)?;
    let built = build_recorded(store, runtime, units, &recorder, &stop);
    recorder.finish(built.as_ref().err());
    built
}

/// A switch that is thrown with another one, and can be thrown alone.
struct Linked {
    own: Cancel,
    _guard: CancelGuard,
}

impl Linked {
    fn to(other: &Cancel) -> Self {
        let own = Cancel::default();
        let _guard = {
            let own = own.clone();
            other.on_cancel(move || own.cancel())
        };
        Self { own, _guard }
    }

    /// The store, which stops its long work with it.
    fn stopping(&self, store: &Store) -> Store {
        let own = self.own.clone();
        store.stopping_when(move || own.is_cancelled())
    }
}

/// The build of which `recorder` keeps the record.
fn build_recorded(
    store: &Store,
    runtime: &Runtime,
    units: Vec<BuildOptions>,
    recorder: &Recorder<'_>,
    stop: &Cancel,
) -> Result<Vec<Built>, Error> {
    let reporter: &dyn Reporter = recorder;
    let jobs = units.first().map_or(1, |unit| unit.jobs);
    let mut plan = Plan::default();
    let elsewhere = units.first().map(|unit| unit.elsewhere.clone()).unwrap_or_default();
    let pulls = Pulls::new(&elsewhere);
    let options = units.first().map(|unit| remote::with_secrets(unit.remote.clone(), &unit.secrets));
    let options = options.unwrap_or_default();
    let remotes = Remotes::new(store, options, stop);
    let mut contexts = Contexts::new(store, &remotes);
    let units: Vec<Opened> = units
        .into_iter()
        .map(|unit| units::open(unit, &mut plan, &mut contexts, &pulls, reporter))
        .collect::<Result<_, _>>()?;
    let steps = plan.steps.iter().map(plan::Step::summary).collect();
    builds::write_plan(recorder.folder(), &plan);
    reporter.report(Event::Planned { build: recorder.id().to_owned(), steps });
    for (unit, planned) in units.iter().zip(&plan.units) {
        unit.warn(&planned.warnings, reporter);
    }
    units::tell(&units, reporter);
    let (units, wanted): (Vec<_>, Vec<_>) =
        units.into_iter().map(|unit| (unit.unit, (unit.wanted, unit.findings))).unzip();
    let mut elsewhere = elsewhere;
    if wanted.iter().any(|(wanted, _)| wanted.squash != Squash::No) {
        // The layers in the making are not those of the image.
        elsewhere.layers = None;
    }
    let start = |store, stop, elsewhere| Execution {
        store,
        runtime,
        reporter,
        plan: &plan,
        units: &units,
        files: contexts.files(),
        remotes: &remotes,
        build: recorder.folder(),
        jobs,
        stop,
        claims: Claims::default(),
        trees: ContextTrees::default(),
        blobs: Blobs::of_bases(&plan.steps),
        elsewhere,
        results: Results::default(),
    };
    let (first_stop, second_stop) = (Linked::to(stop), Linked::to(stop));
    let (first_store, second_store) = (first_stop.stopping(store), second_stop.stopping(store));
    let mut execution = start(&first_store, &first_stop.own, &elsewhere);
    let mut executed = execute::execute(&execution);
    // Somebody else had made a layer, and it can no longer be had: then it is made here.
    let without_results = Elsewhere { results: Vec::new(), ..elsewhere.clone() };
    if let Err(error) = &executed
        && error.is_about_a_lost_layer()
        && !stop.is_cancelled()
        && execution.forget_lost_results()? > 0
    {
        let message = "layers that a cache has told of cannot be had: these steps are carried out again";
        reporter.report(Event::Warning { message: message.to_owned(), line: 0 });
        execution = start(&second_store, &second_stop.own, &without_results);
        executed = execute::execute(&execution);
    }
    contexts.remember();
    let done = executed?;
    let mut all = Vec::with_capacity(units.len());
    let mut in_images = HashSet::new();
    for (number, (planned, (wanted, findings))) in plan.units.iter().zip(wanted).enumerate() {
        let image = finish::finish(&execution, planned, &done, &wanted, units[number].epoch)?;
        in_images.extend(image.diff_ids().iter().cloned());
        reporter.report(Event::Written {
            unit: wanted.name,
            manifest: image.descriptor.digest.clone(),
            config: image.id().clone(),
            names: wanted.tags.iter().map(Reference::familiar).collect(),
        });
        let own = plan.steps.iter().filter(|step| step.unit == number);
        let own: Vec<_> = own.map(|step| &done[step.summary.id.0]).collect();
        all.push(Built {
            config: image.id().clone(),
            descriptor: image.descriptor,
            names: wanted.tags,
            steps: own.len(),
            cached: own.iter().filter(|done| done.cached).count(),
            new_bytes: own.iter().filter(|done| !done.cached).map(|done| done.size).sum(),
            build: recorder.id().to_owned(),
            findings,
        });
    }
    if let Some(exports) = &elsewhere.exports {
        exports.results(execution.results.exported(&in_images));
    }
    Ok(all)
}
