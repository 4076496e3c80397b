//! Progress as lines, for logs.
//!
//! Steps that run side by side do not interleave: each is written whole when it is done. A step that runs alone has
//! the floor and is written as it goes; it keeps the floor until it is done. Every line carries the number of its
//! step, so that a step whose output is too large to be held back can still be told from the others.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tug_builder::{Event, Finding, StepId};

use super::lints;
use super::text::{LineCutter, log_line};
use crate::diagnostic::{escape_command, escape_property};
use crate::human;
use crate::output::{Paint, Stream};

/// A step that wrote nothing for so long is mentioned, so that nobody thinks that the build hangs.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// Output of a step that is held back at most; more than that is written at once.
const HELD_BACK: usize = 1 << 20;

/// Turns events into lines.
#[derive(Debug)]
pub(crate) struct Plain {
    steps: BTreeMap<usize, Step>,
    /// The step that is written as it goes.
    floor: Option<usize>,
    /// Steps that are done and wait for the floor.
    done: VecDeque<usize>,
    /// What is probably not meant in the Dockerfile: shown at the end.
    findings: Vec<Finding>,
    stream: Stream,
    log: Log,
    out: String,
}

/// Who collects the lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    /// Somebody who shows them as they are.
    Simple,
    /// GitHub Actions: steps are folded, warnings become annotations of this Dockerfile.
    Github {
        /// Its path, as it was given.
        dockerfile: String,
    },
}

#[derive(Debug, Default)]
struct Step {
    name: String,
    started: Duration,
    running: bool,
    /// When something of it was last said.
    mentioned: Duration,
    cutter: LineCutter,
    held: String,
    headed: bool,
}

impl Plain {
    /// A view for `stream`, whose lines go to `log`.
    pub(crate) fn new(stream: Stream, log: Log) -> Self {
        Self {
            steps: BTreeMap::new(),
            floor: None,
            done: VecDeque::new(),
            findings: Vec::new(),
            stream,
            log,
            out: String::new(),
        }
    }

    /// What is written because of `event`, which came at `at` after the start.
    pub(crate) fn on(&mut self, event: &Event, at: Duration) -> String {
        match event {
            Event::Planned { steps, .. } => {
                for step in steps {
                    let name = human::one_line(&step.name);
                    self.steps.insert(step.id.0, Step { name, ..Step::default() });
                }
            }
            Event::Started { step } => {
                let state = self.step(*step);
                (state.started, state.mentioned, state.running) = (at, at, true);
                self.give_floor(at);
            }
            Event::Missed { step, reason, .. } => {
                let reason = human::one_line(reason);
                self.say(*step, &self.stream.paint(Paint::Dim, &format!("miss: {reason}")));
            }
            Event::Output { step, text, .. } => {
                let color = self.stream.color;
                let state = self.step(*step);
                state.mentioned = at;
                let since = at.saturating_sub(state.started).as_secs_f64();
                let mut cutter = std::mem::take(&mut state.cutter);
                cutter.push(text, |line| self.say(*step, &format!("{since:.3} {}", log_line(line, color))));
                self.step(*step).cutter = cutter;
            }
            Event::Cached { step, .. } => self.end(*step, at, &self.stream.paint(Paint::Cyan, "CACHED")),
            Event::Finished { step, duration, .. } => {
                let word = self.stream.paint(Paint::Cyan, "DONE");
                self.end(*step, at, &format!("{word} {}", human::seconds(*duration)));
            }
            Event::Failed { step, message, .. } => {
                let word = self.stream.paint(Paint::Red, "ERROR:");
                self.end(*step, at, &format!("{word} {}", human::one_line(message)));
            }
            Event::Cancelled { step } => {
                self.end(*step, at, &self.stream.paint(Paint::Yellow, "CANCELED"));
            }
            Event::Note { message } => {
                let message = human::one_line(message);
                self.out += &format!("{}\n", self.stream.paint(Paint::Dim, &message));
            }
            Event::Warning { message, line } => self.warn(message, *line),
            Event::Lint(finding) => self.findings.push((**finding).clone()),
            _ => {}
        }
        std::mem::take(&mut self.out)
    }

    /// What is written because it is now `at` after the start.
    pub(crate) fn tick(&mut self, at: Duration) -> String {
        for (id, step) in &mut self.steps {
            if step.running && at.saturating_sub(step.mentioned) >= HEARTBEAT {
                step.mentioned = at;
                let duration = human::seconds(at.saturating_sub(step.started));
                self.out += &format!("#{} still running after {duration}: {}\n", id + 1, step.name);
            }
        }
        std::mem::take(&mut self.out)
    }

    /// What is still held back, at the end of the build.
    pub(crate) fn finish(&mut self) -> String {
        self.floor = None;
        self.write_done();
        let unfinished: Vec<usize> =
            self.steps.iter().filter(|(_, step)| !step.held.is_empty()).map(|(id, _)| *id).collect();
        for id in unfinished {
            self.write_held(id);
        }
        let findings = std::mem::take(&mut self.findings);
        self.out += &match &self.log {
            Log::Simple => lints::draw(&findings, self.stream),
            Log::Github { dockerfile } => lints::annotate(&findings, dockerfile),
        };
        if self.log == Log::Simple && !findings.is_empty() {
            self.out.push('\n');
        }
        std::mem::take(&mut self.out)
    }

    fn step(&mut self, id: StepId) -> &mut Step {
        self.steps.entry(id.0).or_default()
    }

    /// Says `line` of a step, now or when its turn comes.
    fn say(&mut self, id: StepId, line: &str) {
        let has_floor = self.floor == Some(id.0);
        let step = self.step(id);
        step.held += &format!("#{} {line}\n", id.0 + 1);
        if has_floor || step.held.len() > HELD_BACK {
            self.write_held(id.0);
        }
    }

    fn end(&mut self, id: StepId, at: Duration, how: &str) {
        let color = self.stream.color;
        let step = self.step(id);
        let since = at.saturating_sub(step.started).as_secs_f64();
        let mut cutter = std::mem::take(&mut step.cutter);
        cutter.finish(|line| self.say(id, &format!("{since:.3} {}", log_line(line, color))));
        let step = self.step(id);
        step.running = false;
        step.held += &format!("#{} {how}\n", id.0 + 1);
        if self.floor == Some(id.0) {
            self.floor = None;
            self.write_whole(id.0);
        } else {
            self.done.push_back(id.0);
        }
        self.give_floor(at);
    }

    /// Writes what waits for the floor, then gives it to the step that runs alone.
    fn give_floor(&mut self, at: Duration) {
        if self.floor.is_some() {
            return;
        }
        self.write_done();
        let mut running = self.steps.iter().filter(|(_, step)| step.running).map(|(id, _)| *id);
        if let (Some(alone), None) = (running.next(), running.next()) {
            self.floor = Some(alone);
            self.step(StepId(alone)).mentioned = at;
            self.write_held(alone);
        }
    }

    fn write_done(&mut self) {
        while let Some(id) = self.done.pop_front() {
            self.write_whole(id);
        }
    }

    fn write_whole(&mut self, id: usize) {
        self.write_held(id);
        self.out += if self.log == Log::Simple { "\n" } else { "::endgroup::\n" };
    }

    fn write_held(&mut self, id: usize) {
        let step = self.steps.entry(id).or_default();
        if !step.headed {
            step.headed = true;
            let group = if self.log == Log::Simple { "" } else { "::group::" };
            let head = self.stream.paint(Paint::Bold, &step.name);
            self.out += &format!("{group}#{} {head}\n", id + 1);
        }
        self.out += &std::mem::take(&mut step.held);
    }

    fn warn(&mut self, message: &str, line: usize) {
        let message = human::one_line(message);
        self.out += &match (&self.log, line) {
            (Log::Github { .. }, 0) => format!("::warning::{}\n", escape_command(&message)),
            (Log::Github { dockerfile }, _) => {
                let file = escape_property(dockerfile);
                format!("::warning file={file},line={line}::{}\n", escape_command(&message))
            }
            (Log::Simple, 0) => format!("{} {message}\n", self.stream.paint(Paint::Yellow, "warning:")),
            (Log::Simple, _) => {
                format!("{} {message} (line {line})\n", self.stream.paint(Paint::Yellow, "warning:"))
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::recorded::{self, at, finished, output, planned, started};

    fn plain(events: &[(f64, Event)]) -> String {
        render(Plain::new(Stream::default(), Log::Simple), events)
    }

    fn render(mut view: Plain, events: &[(f64, Event)]) -> String {
        let mut text = String::new();
        for (time, event) in events {
            text += &view.on(event, at(*time));
        }
        text + &view.finish()
    }

    #[test]
    fn a_build_reads_from_top_to_bottom() {
        insta::assert_snapshot!(plain(&recorded::two_stages()), @"
        #1 [context] .
        #1 DONE 0.1s

        #2 [base 1/2] FROM debian:12
        #2 CACHED

        #3 [base 2/2] RUN apt-get update
        #3 CACHED

        #4 [build 2/2] COPY . /src
        #4 miss: src/main.rs changed
        #4 DONE 0.3s

        #5 [build 3/3] RUN make
        #5 0.100 cc main.c
        #5 1.100 100%
        #5 1.600 make: no rule
        #5 ERROR: exited with 2
        ");
    }

    #[test]
    fn steps_side_by_side_do_not_interleave() {
        let text = plain(&[
            (0.0, planned(&["[a 1/1] RUN a", "[b 1/1] RUN b", "[c 1/1] RUN c"])),
            (0.0, started(0)),
            (0.0, started(1)),
            (0.0, started(2)),
            (0.1, output(0, "a1\n")),
            (0.1, output(1, "b1\n")),
            (0.2, output(0, "a2\n")),
            (0.3, output(2, "c1\n")),
            (0.4, finished(1, 0.4)),
            (0.5, finished(0, 0.5)),
            (0.6, output(2, "c2\nhalf a line")),
            (0.7, finished(2, 0.7)),
        ]);
        insta::assert_snapshot!(text, @"
        #1 [a 1/1] RUN a
        #1 0.100 a1
        #1 0.200 a2
        #1 DONE 0.5s

        #2 [b 1/1] RUN b
        #2 0.100 b1
        #2 DONE 0.4s

        #3 [c 1/1] RUN c
        #3 0.300 c1
        #3 0.600 c2
        #3 0.700 half a line
        #3 DONE 0.7s
        ");
    }

    #[test]
    fn a_step_that_runs_alone_is_written_as_it_goes() {
        let mut view = Plain::new(Stream::default(), Log::Simple);
        view.on(&planned(&["[1/2] RUN a", "[2/2] RUN b"]), at(0.0));
        assert_eq!(view.on(&started(0), at(0.0)), "#1 [1/2] RUN a\n");
        assert_eq!(view.on(&output(0, "one\ntw"), at(0.5)), "#1 0.500 one\n");
        assert_eq!(view.on(&output(0, "o\n"), at(0.75)), "#1 0.750 two\n");
        assert_eq!(view.on(&finished(0, 1.0), at(1.0)), "#1 DONE 1.0s\n\n");
    }

    #[test]
    fn a_long_silence_is_broken_each_half_minute() {
        let mut view = Plain::new(Stream::default(), Log::Simple);
        view.on(&planned(&["[1/1] RUN a"]), at(0.0));
        view.on(&started(0), at(0.0));
        assert_eq!(view.tick(at(29.0)), "");
        assert_eq!(view.tick(at(30.0)), "#1 still running after 30.0s: [1/1] RUN a\n");
        assert_eq!(view.tick(at(59.0)), "");
        view.on(&output(0, "x\n"), at(59.5));
        assert_eq!(view.tick(at(60.0)), "");
    }

    #[test]
    fn output_that_is_too_large_is_not_held_back() {
        let mut view = Plain::new(Stream::default(), Log::Simple);
        view.on(&planned(&["[a] RUN a", "[b] RUN b"]), at(0.0));
        view.on(&started(0), at(0.0));
        view.on(&started(1), at(0.0));
        let line = "x".repeat(999) + "\n";
        let written: usize = (0..5000).map(|_| view.on(&output(1, &line), at(1.0)).len()).sum();
        assert!(written > 3 << 20, "{written}");
        assert!(view.steps[&1].held.len() <= HELD_BACK);
    }

    #[test]
    fn github_folds_each_step_and_gets_warnings_as_annotations() {
        let mut events = recorded::two_stages();
        events.push((9.0, Event::Warning { message: "`LABEL a b` is old\n::stop".to_owned(), line: 3 }));
        insta::assert_snapshot!(render(Plain::new(Stream::default(), Log::Github { dockerfile: "Dockerfile".to_owned() }), &events), @"
        ::group::#1 [context] .
        #1 DONE 0.1s
        ::endgroup::
        ::group::#2 [base 1/2] FROM debian:12
        #2 CACHED
        ::endgroup::
        ::group::#3 [base 2/2] RUN apt-get update
        #3 CACHED
        ::endgroup::
        ::group::#4 [build 2/2] COPY . /src
        #4 miss: src/main.rs changed
        #4 DONE 0.3s
        ::endgroup::
        ::group::#5 [build 3/3] RUN make
        #5 0.100 cc main.c
        #5 1.100 100%
        #5 1.600 make: no rule
        #5 ERROR: exited with 2
        ::endgroup::
        ::warning file=Dockerfile,line=3::`LABEL a b` is old ::stop
        ");
    }

    #[test]
    fn colours_are_used_where_they_are_wanted() {
        let view = Plain::new(Stream { color: true, ..Stream::default() }, Log::Simple);
        let events = [
            (0.0, planned(&["[1/1] RUN a"])),
            (0.0, started(0)),
            (0.1, output(0, "\x1b[31mred\x1b[0m\n")),
            (0.2, finished(0, 0.2)),
        ];
        insta::assert_snapshot!(render(view, &events).replace('\x1b', "ESC"), @"
        #1 ESC[1m[1/1] RUN aESC[0m
        #1 0.100 ESC[31mredESC[0mESC[0m
        #1 ESC[36mDONEESC[0m 0.2s
        ");
    }
}
