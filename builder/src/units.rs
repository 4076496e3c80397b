//! One unit of a build, from its options to its part of the plan.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tug_dockerfile::{Dockerfile, Ignore, LineIndex};
use tug_fetch::Remote;
use tug_layer_store::{Image, Store};
use tug_oci::{ImageConfig, Platform, Reference};

use crate::context::Contexts;
use crate::elsewhere::{InlineCache, Pulls};
use crate::error::{Error, Problem, Source};
use crate::event::{Event, Reporter};
use crate::execute::Unit;
use crate::lint::{self, Findings, LintContext};
use crate::options::{BuildOptions, ContextSource, NamedContext, Squash};
use crate::plan::{self, FilesId, Named, NoImage, Plan, PlanError, PlanOptions, Surroundings};
use crate::{built_in, frontend, images};

/// A unit whose Dockerfile has been read and planned.
pub(crate) struct Opened {
    /// What its steps have in common.
    pub unit: Unit,
    /// What its image should be called.
    pub wanted: Wanted,
    /// What is probably not meant in its Dockerfile.
    pub findings: Findings,
    /// What to tell about its build arguments.
    pub notes: Vec<String>,
}

/// How a unit and its image are called.
pub(crate) struct Wanted {
    pub name: String,
    pub tags: Vec<Reference>,
    /// Whether the image tells how it was made.
    pub history: bool,
    pub keep: bool,
    pub squash: Squash,
    pub inline_cache: Option<Arc<dyn InlineCache>>,
}

/// Reads the Dockerfile that `options` name and adds what it needs to `plan`. What the Dockerfile is warned of is told at
/// once when nothing can come of it.
pub(crate) fn open<'a>(
    options: BuildOptions,
    plan: &mut Plan,
    contexts: &mut Contexts<'a>,
    pulls: &'a Pulls,
    reporter: &dyn Reporter,
) -> Result<Opened, Error> {
    let proxy_environment = options.proxies();
    let context = with_git_dir(options.context, &options.build_args);
    let opened = contexts.open(context, options.dockerfile, options.ignore_file.as_deref())?;
    let epoch = match options.epoch_of_context {
        true => contexts.time(opened.files)?,
        false => options.source_date_epoch,
    };
    let source =
        Source { name: opened.name.clone(), text: String::from_utf8_lossy(&opened.text).into_owned() };
    let in_source = |problems| Error::Dockerfile { source_text: source.clone(), problems };
    let (dockerfile, problems) = frontend::parse(&opened.text, &options.build_args);
    let ignore = contexts.ignore(opened.files).cloned();
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
        strict_platform: options.strict_platform,
    };
    let surroundings = Around {
        store: contexts.store(),
        pulls,
        opened: RefCell::new((contexts, sources)),
        seen: RefCell::default(),
    };
    let planned = match problems.is_empty() {
        false => Err(in_source(problems)),
        true => plan::plan(plan, &dockerfile, &source.text, &plan_options, &surroundings).map_err(|error| {
            match error {
                PlanError::Problems(problems) => in_source(problems),
                // The plan knows the place, and not the name of the file.
                PlanError::Failed(Error::AtStep { span, error, .. }) => error.at(&source, &span),
                PlanError::Failed(error) => error,
            }
        }),
    };
    let findings = surroundings.lint(&dockerfile, &source, &plan_options, ignore.as_ref());
    let findings = findings.map_err(|problem| in_source(vec![problem]))?;
    let failing = findings.failing_rules();
    if planned.is_err() || !failing.is_empty() {
        findings.shown().into_iter().for_each(|finding| reporter.report(Event::Lint(Box::new(finding))));
    }
    planned?;
    if !failing.is_empty() {
        return Err(Error::Lint { rules: failing });
    }
    let own = plan.units.last().and_then(|unit| unit.epoch.as_deref());
    let epoch = match (epoch, own) {
        (None, Some("context")) => contexts.time(opened.files)?,
        (None, Some(text)) if !text.is_empty() => {
            Some(epoch_of(text).map_err(|problem| in_source(vec![problem]))?)
        }
        (given, _) => given,
    };
    Ok(Opened {
        unit: Unit {
            source,
            no_cache: options.no_cache,
            remember: options.remember,
            epoch,
            proxy_environment,
            resolv_conf: options.resolv_conf,
            sandbox: options.sandbox,
            secrets: options.secrets,
            ssh_agents: options.ssh_agents,
        },
        wanted: Wanted {
            name: options.name,
            tags: options.tags,
            history: !options.changes.no_history,
            keep: options.keep,
            squash: options.squash,
            inline_cache: options.inline_cache,
        },
        findings,
        notes: built_in::without_effect(&options.build_args),
    })
}

/// The context with `.git`, if it is a repository and the build argument for that is set.
fn with_git_dir(context: ContextSource, build_args: &BTreeMap<String, String>) -> ContextSource {
    let wants = build_args.get("BUILDKIT_CONTEXT_KEEP_GIT_DIR").map(String::as_str);
    match context {
        ContextSource::Remote(Remote::Git(url)) if matches!(wants, Some("1" | "true")) => {
            let wanted = tug_fetch::Wanted { keep_git_dir: Some(true), ..url.wanted().clone() };
            ContextSource::Remote(Remote::Git(url.wanting(wanted)))
        }
        context => context,
    }
}

/// The time that a Dockerfile gives to everything new.
fn epoch_of(text: &str) -> Result<i64, Problem> {
    let seconds: Option<i64> = text.parse().ok();
    seconds.filter(|seconds| jiff::Timestamp::from_second(*seconds).is_ok()).ok_or_else(|| {
        Problem::new(0..0, format!("`SOURCE_DATE_EPOCH` in the Dockerfile is `{text}`, which is not a time"))
            .help("give the seconds since 1970")
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

/// Tells what is probably not meant in the Dockerfiles of `units`, and what to tell of their build arguments. What several
/// of them have in common is told once.
pub(crate) fn tell(units: &[Opened], reporter: &dyn Reporter) {
    let mut told = BTreeSet::new();
    for unit in units {
        for note in unit.notes.iter().filter(|note| told.insert((String::new(), 0, (*note).clone()))) {
            reporter.report(Event::Warning { message: note.clone(), line: 0 });
        }
        for finding in unit.findings.shown() {
            let place = finding.line * 1_000_000 + finding.column;
            if told.insert((finding.file.clone(), place, format!("{} {}", finding.rule, finding.message))) {
                reporter.report(Event::Lint(Box::new(finding)));
            }
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
    pulls: &'a Pulls,
    opened: RefCell<(&'b mut Contexts<'a>, Vec<Lazy>)>,
    /// The configs of the images that were asked for.
    seen: RefCell<Vec<(String, Platform, ImageConfig)>>,
}

impl Around<'_, '_> {
    /// Applies the lint rules, with what planning has brought to light.
    fn lint(
        &self,
        dockerfile: &Dockerfile,
        source: &Source,
        options: &PlanOptions<'_>,
        ignore: Option<&Ignore>,
    ) -> Result<Findings, Problem> {
        let seen = self.seen.borrow();
        let image = |name: &str, platform: &Platform| {
            let is_it = |known: &&(String, Platform, ImageConfig)| known.0 == name && known.1 == *platform;
            seen.iter().find(is_it).map(|(_, _, config)| config.clone())
        };
        let context = LintContext {
            build_args: options.build_args,
            platform: options.platform,
            target: plan::target(dockerfile, options.target),
            ignore,
            image: &image,
        };
        lint::find(dockerfile, source, &context)
    }
}

impl Surroundings for Around<'_, '_> {
    fn image(&self, name: &str, platform: &Platform) -> Result<Image, NoImage> {
        let image = images::find(self.store, name, platform, self.pulls)?;
        self.seen.borrow_mut().push((name.to_owned(), platform.clone(), (*image.config).clone()));
        Ok(image)
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
