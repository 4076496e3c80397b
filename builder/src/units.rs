//! One unit of a build, from its options to its part of the plan.

use std::cell::RefCell;

use tug_dockerfile::{Dockerfile, LineIndex};
use tug_layer_store::{Image, Store};
use tug_oci::{Platform, Reference};

use crate::context::Contexts;
use crate::error::{Error, Problem, Source};
use crate::event::{Event, Reporter};
use crate::execute::Unit;
use crate::images;
use crate::options::{BuildOptions, ContextSource, NamedContext};
use crate::plan::{self, FilesId, Named, NoImage, Plan, PlanError, PlanOptions, Surroundings};

/// A unit whose Dockerfile has been read and planned.
pub(crate) struct Opened {
    /// What its steps have in common.
    pub unit: Unit,
    /// What its image should be called.
    pub wanted: Wanted,
}

/// How a unit and its image are called.
pub(crate) struct Wanted {
    pub name: String,
    pub tags: Vec<Reference>,
    /// Whether the image tells how it was made.
    pub history: bool,
}

/// Reads the Dockerfile that `options` name and adds what it needs to `plan`.
pub(crate) fn open(
    options: BuildOptions,
    plan: &mut Plan,
    contexts: &mut Contexts<'_>,
) -> Result<Opened, Error> {
    let proxy_environment = options.proxies();
    let opened = contexts.open(options.context, options.dockerfile)?;
    let source =
        Source { name: opened.name.clone(), text: String::from_utf8_lossy(&opened.text).into_owned() };
    let in_source = |problems| Error::Dockerfile { source_text: source.clone(), problems };
    let dockerfile = Dockerfile::parse(&opened.text)
        .map_err(|errors| in_source(errors.into_iter().map(plan::problem_of).collect()))?;
    let (named, sources) = named(options.named_contexts, plan.units.len())?;
    let plan_options = PlanOptions {
        target: options.target.as_deref(),
        build_args: &options.build_args,
        labels: &options.labels,
        platform: &options.platform,
        network: options.network,
        unit_name: &options.name,
        context: opened.files,
        named: &named,
        identity: &opened.identity,
        no_cache_stages: &options.no_cache_stages,
        sandbox: &options.sandbox,
        changes: &options.changes,
    };
    let surroundings = Around { store: contexts.store(), opened: RefCell::new((contexts, sources)) };
    plan::plan(plan, &dockerfile, &source.text, &plan_options, &surroundings).map_err(
        |error| match error {
            PlanError::Problems(problems) => in_source(problems),
            PlanError::Failed(error) => error,
        },
    )?;
    Ok(Opened {
        unit: Unit {
            source,
            no_cache: options.no_cache,
            epoch: options.source_date_epoch,
            proxy_environment,
            resolv_conf: options.resolv_conf,
            sandbox: options.sandbox,
        },
        wanted: Wanted { name: options.name, tags: options.tags, history: !options.changes.no_history },
    })
}

impl Opened {
    /// Tells what the plan warns of.
    pub(crate) fn warn(&self, warnings: &[Problem], reporter: &dyn Reporter) {
        let lines = LineIndex::new(&self.unit.source.text);
        for warning in warnings {
            let line = lines.location(warning.span.start).line;
            let line = if warning.span.is_empty() { 0 } else { line };
            reporter.report(Event::Warning { message: warning.message.clone(), line });
        }
    }
}

/// Named contexts by name.
type NamedList = Vec<(String, Named)>;

/// A context that is opened when the Dockerfile names it.
enum Lazy {
    Closed(Option<ContextSource>),
    Open(FilesId),
}

/// What the named contexts of unit number `unit` are, and those of them that are files, not yet opened.
fn named(contexts: Vec<(String, NamedContext)>, unit: usize) -> Result<(NamedList, Vec<Lazy>), Error> {
    let mut sources = Vec::new();
    let mut named = Vec::new();
    for (name, context) in contexts {
        let meaning = match context {
            NamedContext::Files(source) => {
                sources.push(Lazy::Closed(Some(source)));
                Named::Files(sources.len() - 1)
            }
            NamedContext::Image(image) => Named::Image(image),
            NamedContext::Unit(other) if other < unit => Named::Unit(other),
            NamedContext::Unit(_) => {
                let message = format!("the context `{name}` is the result of a build that comes later");
                return Err(Error::Context(message));
            }
        };
        named.push((name, meaning));
    }
    Ok((named, sources))
}

/// What lies around the Dockerfile of one unit.
struct Around<'a, 'b> {
    store: &'a Store,
    opened: RefCell<(&'b mut Contexts<'a>, Vec<Lazy>)>,
}

impl Surroundings for Around<'_, '_> {
    fn image(&self, name: &str, platform: &Platform) -> Result<Image, NoImage> {
        images::find(self.store, name, platform)
    }

    fn files(&self, number: usize) -> Result<FilesId, Error> {
        let (contexts, sources) = &mut *self.opened.borrow_mut();
        let lazy = &mut sources[number];
        let id = match lazy {
            Lazy::Open(id) => *id,
            Lazy::Closed(source) => contexts.open_named(source.take().unwrap_or(ContextSource::Empty))?,
        };
        *lazy = Lazy::Open(id);
        Ok(id)
    }
}
