//! Builds as lists of events, for the tests of all views.

use std::time::Duration;

use tug_builder::{Event, Finding, StepId, StepSummary};

/// `seconds` after the start.
pub(super) fn at(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A plan with steps of these names.
pub(super) fn planned(names: &[&str]) -> Event {
    let steps = names.iter().enumerate().map(|(number, name)| StepSummary {
        id: StepId(number),
        name: (*name).to_owned(),
        unit: String::new(),
        stage: "0".to_owned(),
        line: number + 1,
        needs: number.checked_sub(1).map(StepId).into_iter().collect(),
    });
    Event::Planned { build: "01J".to_owned(), steps: steps.collect() }
}

pub(super) fn started(step: usize) -> Event {
    Event::Started { step: StepId(step) }
}

pub(super) fn output(step: usize, text: &str) -> Event {
    Event::Output { step: StepId(step), text: text.as_bytes().to_vec() }
}

pub(super) fn finished(step: usize, seconds: f64) -> Event {
    Event::Finished { step: StepId(step), duration: at(seconds), layer: None, bytes: 0 }
}

pub(super) fn cached(step: usize) -> Event {
    Event::Cached { step: StepId(step), made_by: None, layer: None }
}

pub(super) fn missed(step: usize, reason: &str) -> Event {
    Event::Missed {
        step: StepId(step),
        reason: reason.to_owned(),
        changes: Vec::new(),
        since: None,
        last_duration: None,
    }
}

pub(super) fn failed(step: usize, seconds: f64, message: &str) -> Event {
    Event::Failed { step: StepId(step), duration: at(seconds), message: message.to_owned() }
}

/// A build of two stages: something cached, something missed, something that fails.
pub(super) fn two_stages() -> Vec<(f64, Event)> {
    vec![
        (
            0.0,
            planned(&[
                "[context] .",
                "[base 1/2] FROM debian:12",
                "[base 2/2] RUN apt-get update",
                "[build 2/2] COPY . /src",
                "[build 3/3] RUN make",
            ]),
        ),
        (0.0, started(0)),
        (0.1, finished(0, 0.1)),
        (0.1, cached(1)),
        (0.1, cached(2)),
        (0.1, started(3)),
        (0.1, missed(3, "src/main.rs changed")),
        (0.4, finished(3, 0.3)),
        (0.4, started(4)),
        (0.5, output(4, "cc main.c\n10%\r20%\r")),
        (1.5, output(4, "100%\nmake: \x1b[31mno rule\x1b[0m")),
        (2.0, failed(4, 1.6, "exited with 2")),
    ]
}

/// Two things that are probably not meant.
pub(super) fn findings() -> Vec<Finding> {
    let finding = |rule: &str, message: &str, line, text: &str, end_column| Finding {
        message: message.to_owned(),
        line,
        column: 1,
        end_column,
        file: "Dockerfile".to_owned(),
        rule: rule.to_owned(),
        url: String::new(),
        text: text.to_owned(),
        is_error: false,
    };
    let json = "JSON arguments recommended for CMD to prevent unintended behavior related to OS signals";
    vec![
        finding("JSONArgsRecommended", json, 3, "CMD x", 4),
        finding("NoEmptyContinuation", "Empty continuation line", 12, "", 1),
    ]
}
