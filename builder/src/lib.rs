//! Turns a Dockerfile, a context and options into an image: plan, keys, execution.
//!
//! [`build`] is the way in. It joins the other crates: `dockerfile` parses, `layer-store` keeps, `runtime` runs.

mod cancel;
mod context;
mod copy;
mod error;
mod event;
mod execute;
mod files;
mod finish;
mod images;
mod key;
mod options;
mod parallel;
mod plan;
mod record;
mod run;

pub use cancel::{Cancel, CancelGuard};
pub use error::{Ending, Error, Problem, Source, StepFailure};
pub use event::{Event, Recording, Reporter, StepId, StepSummary, Stream};
pub use options::{BuildOptions, ContextSource, DockerfileSource, NetworkMode, PROXY_VARIABLES};

use execute::{Claims, Execution};
use plan::{PlanError, PlanOptions};
use tug_dockerfile::{Dockerfile, LineIndex};
use tug_layer_store::Store;
use tug_oci::{Descriptor, Digest, Reference};
use tug_runtime::Runtime;

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
}

/// Builds an image and puts it into `store`.
///
/// Everything that happens is told to `reporter`, from many threads. After an error or `cancel`, finished layers stay
/// in the store, so that the next build goes on from there.
pub fn build(
    store: &Store,
    runtime: &Runtime,
    options: BuildOptions,
    reporter: &dyn Reporter,
    cancel: &Cancel,
) -> Result<Built, Error> {
    let stop = Cancel::default();
    let _guard = {
        let stop = stop.clone();
        cancel.on_cancel(move || stop.cancel())
    };
    let store = &{
        let stop = stop.clone();
        store.stopping_when(move || stop.is_cancelled())
    };
    let proxy_environment = options.proxies();
    let opened = context::open(store, options.context, options.dockerfile)?;
    let source =
        Source { name: opened.name.clone(), text: String::from_utf8_lossy(&opened.text).into_owned() };
    let in_source = |problems| Error::Dockerfile { source_text: source.clone(), problems };
    let dockerfile = Dockerfile::parse(&opened.text)
        .map_err(|errors| in_source(errors.into_iter().map(plan::problem_of).collect()))?;
    let plan_options = PlanOptions {
        target: options.target.as_deref(),
        build_args: &options.build_args,
        labels: &options.labels,
        platform: &options.platform,
        network: options.network,
        identity: &opened.identity,
    };
    let plan = plan::plan(&dockerfile, &source.text, &plan_options, store).map_err(|error| match error {
        PlanError::Problems(problems) => in_source(problems),
        PlanError::Failed(error) => error,
    })?;
    let build = build_id();
    let steps = plan.steps.iter().map(|step| step.summary.clone()).collect();
    reporter.report(Event::Planned { build: build.clone(), steps });
    let lines = LineIndex::new(&source.text);
    for warning in &plan.warnings {
        let line = lines.location(warning.span.start).line;
        let line = if warning.span.is_empty() { 0 } else { line };
        reporter.report(Event::Warning { message: warning.message.clone(), line });
    }
    let execution = Execution {
        store,
        runtime,
        reporter,
        plan: &plan,
        files: opened.files,
        source: &source,
        build: &build,
        jobs: options.jobs,
        no_cache: options.no_cache,
        platform: options.platform.to_string(),
        epoch: options.source_date_epoch,
        proxy_environment: &proxy_environment,
        resolv_conf: options.resolv_conf.as_deref(),
        stop: &stop,
        claims: Claims::default(),
    };
    let executed = execute::execute(&execution);
    if let Some(folder) = &opened.folder {
        folder.remember();
    }
    let done = executed?;
    let image = finish::finish(store, &plan.result, &done, &options.tags, options.source_date_epoch)?;
    let names: Vec<String> = options.tags.iter().map(Reference::familiar).collect();
    reporter.report(Event::Written {
        manifest: image.descriptor.digest.clone(),
        config: image.id().clone(),
        names,
    });
    Ok(Built {
        config: image.id().clone(),
        descriptor: image.descriptor,
        names: options.tags,
        steps: done.len(),
        cached: done.iter().filter(|done| done.cached).count(),
        new_bytes: done.iter().filter(|done| !done.cached).map(|done| done.size).sum(),
        build,
    })
}

/// A name for a build that sorts by time and is not given twice.
fn build_id() -> String {
    let now = jiff::Timestamp::now();
    let seed = format!("{} {}", now.as_nanosecond(), std::process::id());
    format!("{}-{}", now.strftime("%Y%m%d-%H%M%S"), &Digest::of(seed.as_bytes()).hex()[..6])
}
