//! Writes down what happens in a build, and passes it on to whoever shows it.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use tug_dockerfile::LineIndex;
use tug_layer_store::{BuildFolder, Store};
use tug_oci::{Digest, Reference};

use super::{BuildRecord, BuildStatus, ErrorRecord, RECORD, UnitRecord};
use crate::error::{Ending, Error};
use crate::event::{Event, Reporter, StepId};
use crate::options::{BuildOptions, ContextSource, DockerfileSource};

/// Output of a step that comes in so short a time is one line of the events.
const GATHERED: Duration = Duration::from_millis(50);
/// … unless it is more than this.
const MOST_GATHERED: usize = 64 << 10;

/// The record of a build in the making.
pub(crate) struct Recorder<'a> {
    shown: &'a dyn Reporter,
    folder: BuildFolder,
    start: Instant,
    state: Mutex<State>,
}

struct State {
    /// Locked, so that others see that the build runs.
    events: File,
    record: BuildRecord,
    gathered: Option<Gathered>,
}

/// Output that was told and not yet written down.
struct Gathered {
    step: StepId,
    since: Duration,
    bytes: usize,
}

impl<'a> Recorder<'a> {
    /// Begins the record of a build of `units`. What happens is passed on to `shown`.
    pub(crate) fn start(
        store: &Store,
        units: &[BuildOptions],
        shown: &'a dyn Reporter,
    ) -> Result<Self, Error> {
        let (folder, events) = loop {
            if let Some(made) = store.create_build(&new_id())? {
                break made;
            }
        };
        let record = BuildRecord {
            v: Event::VERSION,
            id: folder.id().to_owned(),
            started: jiff::Timestamp::now().strftime("%FT%T.%3fZ").to_string(),
            status: BuildStatus::Running,
            seconds: None,
            steps: 0,
            cached: 0,
            new_bytes: 0,
            warnings: 0,
            units: units.iter().map(unit).collect(),
            error: None,
        };
        write(folder.path(), &record);
        let state = Mutex::new(State { events, record, gathered: None });
        Ok(Self { shown, folder, start: Instant::now(), state })
    }

    /// The identity of the build.
    pub(crate) fn id(&self) -> &str {
        self.folder.id()
    }

    /// The folder with its logs.
    pub(crate) fn folder(&self) -> &BuildFolder {
        &self.folder
    }

    /// Writes down how the build ended.
    pub(crate) fn finish(self, error: Option<&Error>) {
        let mut state = self.lock();
        state.write_gathered();
        state.record.seconds = Some(self.start.elapsed().as_secs_f64());
        state.record.status = match error {
            None => BuildStatus::Done,
            Some(Error::Cancelled) => BuildStatus::Cancelled,
            Some(_) => BuildStatus::Failed,
        };
        state.record.error = error.filter(|error| !matches!(error, Error::Cancelled)).map(told);
        write(self.folder.path(), &state.record);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reporter for Recorder<'_> {
    fn report(&self, event: Event) {
        self.lock().take(&event, self.start.elapsed());
        self.shown.report(event);
    }
}

impl State {
    fn take(&mut self, event: &Event, at: Duration) {
        match event {
            Event::Output { step, text } => return self.gather(*step, text.len(), at),
            Event::Planned { steps, .. } => self.record.steps = steps.len(),
            Event::Cached { .. } => self.record.cached += 1,
            Event::Finished { bytes, .. } => self.record.new_bytes += bytes,
            Event::Warning { .. } => self.record.warnings += 1,
            Event::Written { unit, manifest, config, .. } => {
                if let Some(record) = self.record.units.iter_mut().find(|record| record.name == *unit) {
                    record.manifest = Some(manifest.clone());
                    record.config = Some(config.clone());
                }
            }
            _ => {}
        }
        self.write_gathered();
        self.write_line(&event.line(at));
    }

    /// Takes note of `bytes` of output; writes down what came before if it does not belong to it.
    fn gather(&mut self, step: StepId, bytes: usize, at: Duration) {
        match &mut self.gathered {
            Some(gathered)
                if gathered.step == step
                    && at.saturating_sub(gathered.since) < GATHERED
                    && gathered.bytes + bytes <= MOST_GATHERED =>
            {
                gathered.bytes += bytes;
            }
            _ => {
                self.write_gathered();
                self.gathered = Some(Gathered { step, since: at, bytes });
            }
        }
    }

    fn write_gathered(&mut self) {
        if let Some(Gathered { step, since, bytes }) = self.gathered.take() {
            let at = since.as_millis() as f64 / 1000.0;
            let line =
                json!({"v": Event::VERSION, "at": at, "event": "output", "step": step, "bytes": bytes});
            self.write_line(&format!("{line}\n"));
        }
    }

    /// On a full disk a line is missing. That is no reason to give up the build.
    fn write_line(&mut self, line: &str) {
        let _ = self.events.write_all(line.as_bytes());
    }
}

/// Replaces the record, all or nothing.
fn write(folder: &Path, record: &BuildRecord) {
    let part = folder.join("build.json.part");
    let bytes = serde_json::to_vec(record).expect("a record has string keys and no failing parts");
    let _ = std::fs::write(&part, bytes).and_then(|()| std::fs::rename(&part, folder.join(RECORD)));
}

fn unit(options: &BuildOptions) -> UnitRecord {
    let context = match &options.context {
        ContextSource::Folder(folder) => {
            std::path::absolute(folder).unwrap_or_else(|_| folder.clone()).display().to_string()
        }
        ContextSource::Tar(_) => "a tar".to_owned(),
        ContextSource::Remote(remote) => remote.to_string(),
        ContextSource::OfUnit(_) => "that of another unit".to_owned(),
        ContextSource::Empty => "none".to_owned(),
    };
    let dockerfile = match &options.dockerfile {
        DockerfileSource::InContext(name) => name.clone().unwrap_or_else(|| "Dockerfile".to_owned()),
        DockerfileSource::Text { name, .. } => name.clone(),
    };
    UnitRecord {
        name: options.name.clone(),
        tags: options.tags.iter().map(Reference::familiar).collect(),
        context,
        dockerfile,
        target: options.target.clone(),
        platform: options.platform.to_string(),
        manifest: None,
        config: None,
    }
}

fn told(error: &Error) -> ErrorRecord {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let text = next.to_string();
        if !message.ends_with(&text) {
            message += &format!(": {text}");
        }
        cause = next.source();
    }
    let place = match error {
        Error::Dockerfile { source_text, problems } => {
            problems.first().map(|problem| (source_text, problem.span.start))
        }
        Error::StepFailed(failure) => Some((&failure.source_text, failure.span.start)),
        Error::AtStep { source_text, span, .. } => Some((source_text, span.start)),
        _ => None,
    };
    let place = place.map(|(source, start)| {
        let location = LineIndex::new(&source.text).location(start);
        format!("{}:{}:{}", source.name, location.line, location.column)
    });
    let failure = match error {
        Error::StepFailed(failure) => Some(failure),
        _ => None,
    };
    ErrorRecord {
        message,
        step: failure.map(|failure| failure.step.id),
        exit_code: failure.map(|failure| match failure.ending {
            Ending::Code(code) => code,
            Ending::Signal(signal) => 128 + signal,
            Ending::OutOfMemory => 137,
        }),
        place,
    }
}

/// A name for a build that sorts by time, to the millisecond, and is hardly given twice.
fn new_id() -> String {
    let now = jiff::Timestamp::now();
    let seed = format!("{} {}", now.as_nanosecond(), std::process::id());
    let milliseconds = now.subsec_millisecond();
    format!("{}-{milliseconds:03x}{}", now.strftime("%Y%m%d-%H%M%S"), &Digest::of(seed.as_bytes()).hex()[..3])
}
