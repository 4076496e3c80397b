//! `tug explain`: why each step of a build was done, or was not.

use serde_json::json;
use tug_builder::{Build, BuiltBy, Change, ChangeKind, Event, StepSummary};

use crate::builds;
use crate::error::CommandError;
use crate::format::{self, Row, Table};
use crate::human;
use crate::output::{Output, Paint, Stream};
use crate::session;
use crate::settings::Settings;

/// How the builder calls the layers below a step in the changes of a miss.
const EARLIER_STEP: &str = "the result of an earlier step";
/// Characters of the name of a step that the table shows.
const NAME: usize = 50;
/// Characters of a value that are shown.
const VALUE: usize = 200;

/// Arguments of `tug explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug explain                        Why the steps of the newest build were done, or not
  tug explain app                    … of the newest build of `app`
  tug explain --format json          For programs, with every change
  tug build --explain -t app .       The same right after the build")]
pub(crate) struct ExplainArguments {
    /// The build: its name, the beginning of it, or the name of an image [default: the newest]
    #[arg(value_name = "BUILD")]
    build: Option<String>,
    /// Write `json`, `table`, or what a template says, such as `{{.Step}} {{.Result}}`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

const TABLE: Table = Table {
    template: "{{.Step}}\t{{.Name}}\t{{.Result}}\t{{.Time}}\t{{.Reason}}",
    heads: &[
        ("Step", "STEP"),
        ("Name", "NAME"),
        ("Result", "RESULT"),
        ("Time", "TIME"),
        ("LastTime", "LAST TIME"),
        ("New", "NEW"),
        ("Reason", "REASON"),
    ],
};

/// Explains a past build.
pub(super) fn run(arguments: &ExplainArguments, settings: &Settings) -> Result<(), CommandError> {
    let store = session::open_to_read(settings)?;
    let build = builds::find(&store, arguments.build.as_deref())?;
    let outcomes = outcomes(&build)?;
    if arguments.format.is_none() {
        settings.output.data(details(&outcomes, settings.output.stdout).as_bytes())?;
    }
    format::list(arguments.format.as_deref(), &TABLE, &rows(&outcomes), &settings.output)
}

/// Explains the build `id`, which has just ended, on standard error.
pub(super) fn after_build(
    store: &tug_layer_store::Store,
    id: &str,
    output: &Output,
) -> Result<(), CommandError> {
    let Some(build) = Build::open(store, id)? else { return Ok(()) };
    let outcomes = outcomes(&build)?;
    let table = format::listing(None, &TABLE, &rows(&outcomes))?;
    output.talk(&format!("{}{table}\n", details(&outcomes, output.stderr)));
    Ok(())
}

/// What a step came to.
struct Outcome {
    step: StepSummary,
    result: Fate,
    reason: String,
    changes: Vec<Change>,
    since: Option<BuiltBy>,
    made_by: Option<BuiltBy>,
    seconds: Option<f64>,
    last_seconds: Option<f64>,
    bytes: Option<u64>,
    error: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    NotReached,
    Hit,
    Miss,
    /// There was no earlier build to compare with.
    New,
}

impl Fate {
    fn name(self) -> &'static str {
        match self {
            Self::NotReached => "not reached",
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::New => "new",
        }
    }
}

fn outcomes(build: &Build) -> Result<Vec<Outcome>, CommandError> {
    let mut outcomes: Vec<Outcome> = builds::steps(build)?.into_iter().map(Outcome::new).collect();
    let mut replay = build.replay()?;
    while let Some((_, event)) = replay.next_event()? {
        take(&mut outcomes, event);
    }
    for index in 0..outcomes.len() {
        if let Some(cause) = cause(&outcomes, index) {
            let named = format!("the result of step {cause}");
            let outcome = &mut outcomes[index];
            outcome.reason = outcome.reason.replace(EARLIER_STEP, &named);
            for change in outcome.changes.iter_mut().filter(|change| change.name == EARLIER_STEP) {
                change.name.clone_from(&named);
            }
        }
    }
    Ok(outcomes)
}

impl Outcome {
    fn new(step: StepSummary) -> Self {
        Self {
            step,
            result: Fate::NotReached,
            reason: String::new(),
            changes: Vec::new(),
            since: None,
            made_by: None,
            seconds: None,
            last_seconds: None,
            bytes: None,
            error: None,
        }
    }
}

fn take(outcomes: &mut [Outcome], event: Event) {
    let id = match &event {
        Event::Started { step }
        | Event::Cached { step, .. }
        | Event::Missed { step, .. }
        | Event::Finished { step, .. }
        | Event::Failed { step, .. }
        | Event::Cancelled { step } => *step,
        _ => return,
    };
    let Some(outcome) = outcomes.get_mut(id.0) else { return };
    match event {
        Event::Started { .. } => {
            outcome.result = Fate::New;
            outcome.reason = "no earlier build of it is known".to_owned();
        }
        Event::Cached { made_by, .. } => {
            outcome.result = Fate::Hit;
            outcome.reason = match &made_by {
                Some(by) if by.build.is_empty() => "known from the cache inside an image".to_owned(),
                Some(by) => format!("made by build {}", dated(by)),
                None => "an image that was there".to_owned(),
            };
            outcome.made_by = made_by;
        }
        Event::Missed { reason, changes, since, last_duration, .. } => {
            outcome.result = Fate::Miss;
            outcome.last_seconds = last_duration.map(|last| last.as_secs_f64());
            (outcome.reason, outcome.changes, outcome.since) = (reason, changes, since);
        }
        Event::Finished { duration, bytes, .. } => {
            (outcome.seconds, outcome.bytes) = (Some(duration.as_secs_f64()), Some(bytes));
        }
        Event::Failed { duration, message, .. } => {
            (outcome.seconds, outcome.error) = (Some(duration.as_secs_f64()), Some(message));
        }
        Event::Cancelled { .. } => outcome.error = Some("it was cancelled".to_owned()),
        _ => {}
    }
}

/// The number of the step because of whose new result a step was done again.
fn cause(outcomes: &[Outcome], index: usize) -> Option<usize> {
    let outcome = &outcomes[index];
    if !outcome.changes.iter().any(|change| change.name == EARLIER_STEP) {
        return None;
    }
    let again = |id: &&tug_builder::StepId| {
        outcomes.get(id.0).is_some_and(|needed| matches!(needed.result, Fate::Miss | Fate::New))
    };
    outcome.step.needs.iter().find(again).map(|id| id.0 + 1)
}

/// Every miss with all its changes.
fn details(outcomes: &[Outcome], stream: Stream) -> String {
    let mut text = String::new();
    for outcome in outcomes.iter().filter(|outcome| outcome.result == Fate::Miss) {
        let name = human::one_line(&outcome.step.name);
        text += &format!("#{} {}\n", outcome.step.id.0 + 1, stream.paint(Paint::Bold, &name));
        match &outcome.since {
            Some(since) => text += &format!("  miss, compared with build {}\n", dated(since)),
            None => text += "  miss\n",
        }
        if outcome.changes.is_empty() {
            text += &format!("  {}\n", human::one_line(&outcome.reason));
        }
        for change in &outcome.changes {
            text += &format!("  {}\n", told(change));
        }
        text.push('\n');
    }
    text
}

/// `ARG VERSION: 1 → 2`, `src/main.rs changed`.
fn told(change: &Change) -> String {
    let name = human::one_line(&change.name);
    let value = |value: &Option<String>| value.as_deref().map(shortened);
    match (change.kind, value(&change.before), value(&change.after)) {
        (ChangeKind::Changed, Some(before), Some(after)) => format!("{name}: {before} → {after}"),
        (ChangeKind::Changed, ..) => format!("{name} changed"),
        (ChangeKind::New, _, Some(after)) => format!("{name} is new: {after}"),
        (ChangeKind::New, ..) => format!("{name} is new"),
        (ChangeKind::Gone, Some(before), _) => format!("{name} is gone; it was {before}"),
        (ChangeKind::Gone, ..) => format!("{name} is gone"),
    }
}

fn shortened(value: &str) -> String {
    let line = human::one_line(&value.replace('\n', "⏎"));
    match line.char_indices().nth(VALUE) {
        Some((end, _)) => format!("`{}…`", &line[..end]),
        None => format!("`{line}`"),
    }
}

/// `20240506-070809-1a2b3c of 2024-05-06 07:08:09 UTC`.
fn dated(by: &BuiltBy) -> String {
    match by.time.parse::<jiff::Timestamp>() {
        Ok(time) => format!("{} of {}", human::one_line(&by.build), time.strftime("%F %T UTC")),
        Err(_) => human::one_line(&by.build),
    }
}

fn rows(outcomes: &[Outcome]) -> Vec<Row> {
    let seconds =
        |seconds: Option<f64>| seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1}s"));
    outcomes
        .iter()
        .map(|outcome| {
            let name = human::one_line(&outcome.step.name);
            let name = match name.char_indices().nth(NAME) {
                Some(_) => name.chars().take(NAME - 1).collect::<String>() + "…",
                None => name,
            };
            let reason = match &outcome.error {
                Some(error) => format!("failed: {error}"),
                None => outcome.reason.clone(),
            };
            Row {
                data: json!({
                    "step": outcome.step.id.0 + 1,
                    "name": outcome.step.name,
                    "unit": outcome.step.unit,
                    "stage": outcome.step.stage,
                    "line": outcome.step.line,
                    "result": outcome.result.name(),
                    "reason": outcome.reason,
                    "changes": outcome.changes,
                    "since": outcome.since,
                    "madeBy": outcome.made_by,
                    "seconds": outcome.seconds,
                    "lastSeconds": outcome.last_seconds,
                    "bytes": outcome.bytes,
                    "error": outcome.error,
                }),
                shown: json!({
                    "Step": format!("#{}", outcome.step.id.0 + 1),
                    "Name": name,
                    "Result": outcome.result.name(),
                    "Time": seconds(outcome.seconds),
                    "LastTime": seconds(outcome.last_seconds),
                    "New": outcome.bytes.map_or_else(|| "-".to_owned(), human::short_size),
                    "Reason": human::one_line(&reason),
                }),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tug_builder::StepId;

    use super::*;

    fn by(build: &str) -> Option<BuiltBy> {
        Some(BuiltBy { build: build.to_owned(), time: "2024-05-06T07:08:09Z".to_owned() })
    }

    fn change(name: &str, before: Option<&str>, after: Option<&str>) -> Change {
        let kind = ChangeKind::Changed;
        Change {
            name: name.to_owned(),
            kind,
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        }
    }

    #[test]
    fn every_change_of_a_miss_is_told_once_in_order() {
        let step = |number: usize, name: &str| StepSummary {
            id: StepId(number),
            name: name.to_owned(),
            unit: String::new(),
            stage: "0".to_owned(),
            line: number + 1,
            needs: number.checked_sub(1).map(StepId).into_iter().collect(),
        };
        let names = ["[1/4] FROM base", "[2/4] COPY . /src", "[3/4] RUN make", "[4/4] RUN make install"];
        let mut outcomes: Vec<Outcome> =
            names.iter().enumerate().map(|(number, name)| Outcome::new(step(number, name))).collect();
        let missed = |step: usize, reason: &str, changes: Vec<Change>| Event::Missed {
            step: StepId(step),
            reason: reason.to_owned(),
            changes,
            since: by("20240506-070809-1a2b3c"),
            last_duration: Some(Duration::from_secs(2)),
        };
        let finished = |step: usize| Event::Finished {
            step: StepId(step),
            duration: Duration::from_millis(1500),
            layer: None,
            bytes: 2048,
        };
        let files =
            vec![change("a\u{1b}.rs", None, None), change("b.sh", Some("mode 644"), Some("mode 755"))];
        for event in [
            Event::Started { step: StepId(0) },
            Event::Cached { step: StepId(0), made_by: None, layer: None },
            Event::Started { step: StepId(1) },
            missed(1, "a.rs changed (and 1 more)", files),
            finished(1),
            Event::Started { step: StepId(2) },
            missed(2, "the result of an earlier step changed", vec![change(EARLIER_STEP, None, None)]),
            Event::Failed {
                step: StepId(2),
                duration: Duration::from_secs(1),
                message: "exited with 2".to_owned(),
            },
        ] {
            take(&mut outcomes, event);
        }
        assert_eq!((cause(&outcomes, 1), cause(&outcomes, 2)), (None, Some(2)));
        let table = format::listing(None, &TABLE, &rows(&outcomes)).unwrap();
        insta::assert_snapshot!(details(&outcomes, Stream::default()) + &table, @"
        #2 [2/4] COPY . /src
          miss, compared with build 20240506-070809-1a2b3c of 2024-05-06 07:08:09 UTC
          a.rs changed
          b.sh: `mode 644` → `mode 755`

        #3 [3/4] RUN make
          miss, compared with build 20240506-070809-1a2b3c of 2024-05-06 07:08:09 UTC
          the result of an earlier step changed

        STEP   NAME                     RESULT        TIME   REASON
        #1     [1/4] FROM base          hit           -      an image that was there
        #2     [2/4] COPY . /src        miss          1.5s   a.rs changed (and 1 more)
        #3     [3/4] RUN make           miss          1.0s   failed: exited with 2
        #4     [4/4] RUN make install   not reached   -
        ");
    }
}
