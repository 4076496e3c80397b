//! Caches of other machines in a build: asked for steps that are not known here, and given the results at the end.
//!
//! A cache never fails a build, unless `ignore-error=false` says so: what goes wrong is a warning.

mod spec;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use tug_builder::{BuildOptions, Elsewhere, Event, InlineCache, Reporter, ResultSink, ResultSource};
use tug_layer_store::{ExportedResult, FoundResult, Store};
use tug_oci::{Digest, ImageConfig, Platform};
use tug_transfer::Remote;
use tug_transfer::cache::{
    self as transfer, CacheError, CacheNotice, CachePlace, CacheSource, ExportOptions, ExportedCache,
};

use spec::{CacheExport, CacheTarget};
pub(crate) use spec::{CacheFrom, CacheTo};

use super::Registries;
use super::arguments::CacheArguments;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::human;
use crate::library_errors::registry_exit;

/// The build argument with which buildx asks for a cache inside the image.
const INLINE: &str = "BUILDKIT_INLINE_CACHE";

/// The caches of a build. Of several targets that are built at once, all caches get all results: they are kept by key.
#[derive(Default)]
pub(in super::super) struct Caches {
    from: Vec<CachePlace>,
    to: Vec<CacheExport>,
    results: Arc<Results>,
}

impl Caches {
    /// What the flags of all targets say, each once.
    pub(in super::super) fn of<'a>(all: impl IntoIterator<Item = &'a CacheArguments>) -> Self {
        let mut caches = Self::default();
        for arguments in all {
            for place in arguments.cache_from.iter().flat_map(|from| &from.places) {
                if !caches.from.contains(place) {
                    caches.from.push(place.clone());
                }
            }
            for target in arguments.cache_to.iter().flat_map(|to| &to.targets) {
                if let CacheTarget::Elsewhere(export) = target
                    && !caches.to.contains(export)
                {
                    caches.to.push((**export).clone());
                }
            }
        }
        caches
    }

    /// Makes the builder ask them, and keep its results for them. `units` are those that will be built.
    pub(in super::super) fn join(
        &self,
        elsewhere: &mut Elsewhere,
        registries: &Registries,
        store: &Store,
        units: &[BuildOptions],
    ) {
        let platforms: Vec<Platform> = units.iter().map(|unit| unit.platform.clone()).collect();
        for place in &self.from {
            let told = registries.teller();
            let tell: Arc<dyn Fn(CacheNotice) + Send + Sync> =
                Arc::new(move |notice| told(event_of(&notice)));
            let platforms = platforms.clone();
            let source = match registries.remote() {
                Some(remote) => Some(remote.cache_source(store, place, platforms, tell)),
                None => place.source_offline(store, platforms, tell),
            };
            match source {
                Some(source) => elsewhere.results.push(Arc::new(Source(source))),
                None => registries.teller()(not_offline("read", place)),
            }
        }
        if !self.to.is_empty() {
            elsewhere.exports = Some(Arc::clone(&self.results) as Arc<dyn ResultSink>);
        }
    }

    /// Gives them the results of a build that has come to its end. An error only where `ignore-error=false` was said.
    pub(in super::super) fn export(
        &self,
        remote: Option<&Remote>,
        store: &Store,
        reporter: &dyn Reporter,
    ) -> Result<(), CommandError> {
        let results = std::mem::take(&mut *self.results.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut failure = None;
        for export in &self.to {
            let (place, options) = (&export.place, options(export));
            let output = format!("cache {}", place.name());
            reporter.report(Event::Exporting { output: output.clone() });
            let begun = Instant::now();
            let exported = match remote {
                Some(remote) => Some(remote.export_cache(store, place, &results, &options)),
                None => place.export_offline(store, &results, &options),
            };
            let Some(exported) = exported else {
                reporter.report(not_offline("write", place));
                continue;
            };
            match exported {
                Ok(exported) => {
                    reporter.report(Event::Note { message: told(&exported) });
                    let (duration, names) = (begun.elapsed(), Vec::new());
                    reporter.report(Event::Exported { output, duration, digest: None, names });
                }
                Err(CacheError::Stopped) => return Ok(()),
                Err(error) if export.ignores_errors => {
                    reporter.report(event_of(&CacheNotice::Unusable(error)));
                }
                Err(error) => drop(failure.get_or_insert(error)),
            }
        }
        failure.map_or(Ok(()), |error| Err(error.into()))
    }
}

/// Who puts a cache into the image, if that was asked for.
pub(super) fn inline(
    arguments: &CacheArguments,
    build_args: &BTreeMap<String, String>,
) -> Option<Arc<dyn InlineCache>> {
    let mut targets = arguments.cache_to.iter().flat_map(|to| &to.targets);
    let is_asked = targets.any(|target| *target == CacheTarget::Inline)
        || build_args.get(INLINE).is_some_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
    is_asked.then(|| Arc::new(Inline) as Arc<dyn InlineCache>)
}

fn options(export: &CacheExport) -> ExportOptions {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    ExportOptions {
        mode: export.mode,
        compression: export.compression,
        all_layers: export.all_layers,
        bounds: export.bounds,
        now: now.map_or(0, |since| since.as_secs()),
    }
}

/// A cache that is not there yet is nothing to worry about.
fn event_of(notice: &CacheNotice) -> Event {
    let message = human::one_line(&notice.to_string());
    match notice {
        CacheNotice::Missing { .. } => Event::Note { message },
        CacheNotice::Unusable(_) => Event::Warning { message, line: 0 },
    }
}

fn not_offline(action: &str, place: &CachePlace) -> Event {
    let message = format!("`--offline`: could not {action} the cache `{}`", place.name());
    Event::Warning { message, line: 0 }
}

/// In one line.
fn told(exported: &ExportedCache) -> String {
    let ExportedCache { name, records, new, left_out, removed, sent, shared, is_written } = exported;
    let mut parts = vec![format!("{}, {new} new", human::counted(*records, "result"))];
    match is_written {
        false => parts.push("nothing to write".to_owned()),
        true => parts.push(format!("{} sent, {} shared", human::size(*sent), human::size(*shared))),
    }
    if *left_out > 0 {
        parts.push(format!("{left_out} left out"));
    }
    if *removed > 0 {
        parts.push(format!("{removed} old ones removed"));
    }
    format!("cache {}: {}", human::one_line(name), parts.join("; "))
}

/// Keeps the results of a build.
#[derive(Default)]
struct Results(Mutex<Vec<ExportedResult>>);

impl ResultSink for Results {
    fn results(&self, results: Vec<ExportedResult>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = results;
    }
}

struct Source(CacheSource);

impl ResultSource for Source {
    fn look_up(&self, key: &Digest) -> Option<FoundResult> {
        self.0.look_up(key)
    }
}

struct Inline;

impl InlineCache for Inline {
    fn embed(&self, config: &mut ImageConfig, results: &[ExportedResult]) {
        transfer::inline::embed(config, results);
    }
}

impl From<CacheError> for CommandError {
    fn from(error: CacheError) -> Self {
        let hint = error.hint();
        let exit = match &error {
            CacheError::Registry { source, .. } => registry_exit(source),
            CacheError::Busy { .. } => Exit::Network,
            CacheError::Folder { .. } => Exit::Host,
            _ => Exit::Failed,
        };
        match error {
            CacheError::Store(error) => error.into(),
            error => Self::from_error(exit, &error, hint),
        }
    }
}
