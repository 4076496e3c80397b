//! Progress on a terminal: the live view that users of buildx know.
//!
//! ```text
//! [+] Building 3.4s (2/4)
//!  => CACHED [base 1/1] FROM debian:12                                  0.0s
//!  => [build 2/3] COPY . /src                                           0.3s
//!  => [build 3/3] RUN make                                              2.1s
//!  => => # cc main.c
//! ```
//!
//! This file knows what a frame looks like; when it is drawn is decided in [`super::live`].

use std::collections::VecDeque;
use std::time::Duration;

use tug_builder::{Event, Finding, StepId};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::text::{LineCutter, log_line};
use crate::human;
use crate::output::{Paint, Stream};

/// What a frame is drawn on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    /// In columns.
    pub(crate) width: usize,
    /// In lines.
    pub(crate) height: usize,
}

/// Whether a build is still wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// It is.
    Working,
    /// It was interrupted and is about to end.
    Cancelling,
}

/// What was seen of a build so far.
#[derive(Debug)]
pub(crate) struct View {
    steps: Vec<Step>,
    /// Steps that have begun, in the order in which they did.
    begun: Vec<usize>,
    /// What was told last of what happens outside of the steps.
    note: Option<String>,
    warnings: Vec<String>,
    findings: Vec<Finding>,
    stream: Stream,
    log_lines: usize,
}

#[derive(Debug, Default)]
struct Step {
    name: String,
    state: State,
    miss: Option<String>,
    cutter: LineCutter,
    log: VecDeque<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum State {
    #[default]
    Waiting,
    Running {
        since: Duration,
    },
    Cached,
    Done(Duration),
    Failed(Duration),
    Cancelled,
}

impl View {
    /// A view for `stream` that shows `log_lines` lines of output below each running step.
    pub(crate) fn new(stream: Stream, log_lines: usize) -> Self {
        Self {
            steps: Vec::new(),
            begun: Vec::new(),
            note: None,
            warnings: Vec::new(),
            findings: Vec::new(),
            stream,
            log_lines,
        }
    }

    /// Takes note of `event`, which came at `at` after the start.
    pub(crate) fn on(&mut self, event: &Event, at: Duration) {
        match event {
            Event::Planned { steps, .. } => {
                let name = |name: &str| human::one_line(name);
                self.steps =
                    steps.iter().map(|step| Step { name: name(&step.name), ..Step::default() }).collect();
            }
            Event::Started { step } => self.turn(*step, State::Running { since: at }),
            Event::Cached { step, .. } => self.turn(*step, State::Cached),
            Event::Finished { step, duration, .. } => self.turn(*step, State::Done(*duration)),
            Event::Failed { step, duration, .. } => {
                let seen = self.running_for(*step, at);
                self.turn(*step, State::Failed(seen.max(*duration)));
            }
            Event::Cancelled { step } => self.turn(*step, State::Cancelled),
            Event::Missed { step, reason, .. } => {
                if let Some(step) = self.steps.get_mut(step.0) {
                    step.miss = Some(human::one_line(reason));
                }
            }
            Event::Output { step, text, .. } => self.output(*step, text),
            Event::Note { message } => self.note = Some(human::one_line(message)),
            Event::Warning { message, line } => {
                let place = if *line == 0 { String::new() } else { format!(" (line {line})") };
                self.warnings.push(human::one_line(message) + &place);
            }
            Event::Lint(finding) => self.findings.push((**finding).clone()),
            _ => {}
        }
    }

    /// The build as it stands at `at` after the start; lines without a break at the end of the last.
    pub(crate) fn frame(&self, at: Duration, mood: Mood, screen: Screen) -> String {
        let running = self.begun.iter().filter(|id| self.is_running(**id)).count();
        let note = self.note.as_ref().map(|note| {
            let line = cut(&format!(" => {note}"), screen.width.max(8));
            self.stream.paint(Paint::Dim, &line)
        });
        let room = screen.height.saturating_sub(2 + usize::from(note.is_some()));
        let logs = match running {
            0 => 0,
            _ => self.log_lines.min(room.saturating_sub(running) / running),
        };
        let mut groups: Vec<(bool, Vec<String>)> = Vec::new();
        for id in &self.begun {
            let step = &self.steps[*id];
            let mut lines = vec![self.step_line(step, at, screen.width)];
            if self.is_running(*id) {
                lines.extend(self.detail_lines(step, logs, screen.width));
            }
            groups.push((self.is_running(*id), lines));
        }
        // What is done gives way first, the oldest before the others; then what began last.
        let mut excess = groups.iter().map(|(_, lines)| lines.len()).sum::<usize>().saturating_sub(room);
        groups.retain(|(running, _)| {
            let gives_way = excess > 0 && !running;
            excess -= usize::from(gives_way);
            !gives_way
        });
        let lines = groups.into_iter().flat_map(|(_, lines)| lines).take(room);
        let end = match mood {
            Mood::Working => "",
            Mood::Cancelling => " CANCELLING (Ctrl-C again to leave at once)",
        };
        [cut(&self.head(at, end), screen.width.max(8))]
            .into_iter()
            .chain(note)
            .chain(lines)
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// The build when it is over, however long: one line for each step that had a part in it.
    pub(crate) fn last_frame(&self, at: Duration, width: usize) -> String {
        let mut findings = super::lints::draw(&self.findings, self.stream);
        if !findings.is_empty() {
            findings.push('\n');
        }
        if self.steps.is_empty() && self.warnings.is_empty() {
            return findings;
        }
        let mut lines = vec![self.head(at, " FINISHED")];
        for id in &self.begun {
            let step = &self.steps[*id];
            lines.push(self.step_line(step, at, width));
            lines.extend(step.miss.as_deref().map(|reason| self.miss_line(reason, width)));
        }
        let word = self.stream.paint(Paint::Yellow, "warning:");
        lines.extend(self.warnings.iter().map(|warning| format!("{word} {warning}")));
        lines.join("\n") + "\n" + &findings
    }

    fn turn(&mut self, id: StepId, state: State) {
        let Some(step) = self.steps.get_mut(id.0) else { return };
        step.state = state;
        if !self.begun.contains(&id.0) {
            self.begun.push(id.0);
        }
    }

    fn output(&mut self, id: StepId, text: &[u8]) {
        let Some(step) = self.steps.get_mut(id.0) else { return };
        let (log, most) = (&mut step.log, self.log_lines);
        step.cutter.push(text, |line| {
            log.push_back(log_line(line, false).replace('\t', "    "));
            while log.len() > most {
                log.pop_front();
            }
        });
    }

    /// How long a step has been running, as far as we saw.
    fn running_for(&self, id: StepId, at: Duration) -> Duration {
        match self.steps.get(id.0).map(|step| step.state) {
            Some(State::Running { since }) => at.saturating_sub(since),
            _ => Duration::ZERO,
        }
    }

    fn is_running(&self, id: usize) -> bool {
        matches!(self.steps[id].state, State::Running { .. })
    }

    fn head(&self, at: Duration, end: &str) -> String {
        let over = |step: &&Step| !matches!(step.state, State::Waiting | State::Running { .. });
        let over = self.steps.iter().filter(over).count();
        format!("[+] Building {} ({over}/{}){end}", human::seconds(at), self.steps.len())
    }

    fn step_line(&self, step: &Step, at: Duration, width: usize) -> String {
        let (word, time, paint) = match step.state {
            State::Waiting => ("", Duration::ZERO, None),
            State::Running { since } => ("", at.saturating_sub(since), None),
            State::Cached => ("CACHED ", Duration::ZERO, Some(Paint::Cyan)),
            State::Done(duration) => ("", duration, Some(Paint::Cyan)),
            State::Failed(duration) => ("ERROR ", duration, Some(Paint::Red)),
            State::Cancelled => ("CANCELED ", Duration::ZERO, Some(Paint::Yellow)),
        };
        let time = format!(" {}", human::seconds(time));
        let room = width.saturating_sub(time.len() + 1);
        let left = cut(&format!(" => {word}{}", step.name), room);
        let gap = " ".repeat(room.saturating_sub(left.width()));
        let line = left + &gap + &time;
        match paint {
            Some(paint) => self.stream.paint(paint, &line),
            None => line,
        }
    }

    fn detail_lines(&self, step: &Step, logs: usize, width: usize) -> Vec<String> {
        let mut lines = Vec::new();
        if logs > 0 {
            lines.extend(step.miss.as_deref().map(|reason| self.miss_line(reason, width)));
        }
        let rest = log_line(step.cutter.rest(), false).replace('\t', "    ");
        let all = step.log.iter().chain((!rest.is_empty()).then_some(&rest)).collect::<Vec<_>>();
        let room = logs.saturating_sub(lines.len());
        for line in &all[all.len().saturating_sub(room)..] {
            lines.push(self.stream.paint(Paint::Dim, &cut(&format!(" => => # {line}"), width - 1)));
        }
        lines
    }

    fn miss_line(&self, reason: &str, width: usize) -> String {
        self.stream.paint(Paint::Dim, &cut(&format!(" => => miss: {reason}"), width - 1))
    }
}

/// `text` in at most `width` columns.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut shown = String::new();
    let mut used = 1;
    for letter in text.chars() {
        used += letter.width().unwrap_or(0);
        if used > width {
            break;
        }
        shown.push(letter);
    }
    shown + "…"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::recorded::{self, at, cached, finished, output, planned, started};

    const SCREEN: Screen = Screen { width: 60, height: 20 };

    fn view(events: &[(f64, Event)]) -> View {
        let mut view = View::new(Stream::default(), 3);
        for (time, event) in events {
            view.on(event, at(*time));
        }
        view
    }

    #[test]
    fn running_steps_show_their_last_lines() {
        let events = recorded::two_stages();
        let view = view(&events[..events.len() - 1]);
        insta::assert_snapshot!(view.frame(at(1.9), Mood::Working, SCREEN), @"
        [+] Building 1.9s (4/5)
         => [context] .                                        0.1s
         => CACHED [base 1/2] FROM debian:12                   0.0s
         => CACHED [base 2/2] RUN apt-get update               0.0s
         => [build 2/2] COPY . /src                            0.3s
         => [build 3/3] RUN make                               1.5s
         => => # cc main.c
         => => # 100%
         => => # make: no rule
        ");
    }

    #[test]
    fn an_interrupted_build_says_how_to_leave_at_once() {
        let frame = view(&recorded::two_stages()).frame(at(2.0), Mood::Cancelling, SCREEN);
        assert!(frame.starts_with("[+] Building 2.0s (5/5) CANCELLING (Ctrl-C again"), "{frame}");
    }

    #[test]
    fn the_last_frame_has_one_line_for_each_step_and_the_misses() {
        let mut events = recorded::two_stages();
        events.push((2.0, Event::Warning { message: "old".to_owned(), line: 3 }));
        insta::assert_snapshot!(view(&events).last_frame(at(2.04), 60), @"
        [+] Building 2.0s (5/5) FINISHED
         => [context] .                                        0.1s
         => CACHED [base 1/2] FROM debian:12                   0.0s
         => CACHED [base 2/2] RUN apt-get update               0.0s
         => [build 2/2] COPY . /src                            0.3s
         => => miss: src/main.rs changed
         => ERROR [build 3/3] RUN make                         1.6s
        warning: old (line 3)
        ");
    }

    #[test]
    fn a_frame_never_exceeds_its_screen() {
        let names: Vec<String> =
            (0..40).map(|number| format!("[{number}/40] RUN {}ü界", "x".repeat(number * 3))).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut events = vec![(0.0, planned(&names))];
        for step in 0..30 {
            events.push((0.0, cached(step)));
        }
        for step in 30..33 {
            events.push((0.0, started(step)));
            events.push((
                0.5,
                output(step, "1\n2\n3\n4\nand a fifth line that is rather long, longer than the screen\n"),
            ));
        }
        let view = view(&events);
        for (width, height) in [(80, 24), (40, 10), (20, 5), (10, 3), (1, 1)] {
            let frame = view.frame(at(3.0), Mood::Working, Screen { width, height });
            let lines: Vec<&str> = frame.lines().collect();
            assert!(lines.len() < height.max(2), "{} lines of {height}", lines.len());
            assert!(lines[1..].iter().all(|line| line.width() <= width.max(8)), "{frame}");
        }
        insta::assert_snapshot!(view.frame(at(3.0), Mood::Working, Screen { width: 40, height: 12 }), @"
        [+] Building 3.0s (30/40)
         => CACHED [29/40] RUN xxxxxxxxxx… 0.0s
         => [30/40] RUN xxxxxxxxxxxxxxxxx… 3.0s
         => => # 4
         => => # and a fifth line that is rath…
         => [31/40] RUN xxxxxxxxxxxxxxxxx… 3.0s
         => => # 4
         => => # and a fifth line that is rath…
         => [32/40] RUN xxxxxxxxxxxxxxxxx… 3.0s
         => => # 4
         => => # and a fifth line that is rath…
        ");
    }

    #[test]
    fn a_step_that_is_done_turns_blue_and_collapses() {
        let mut view = View::new(Stream { color: true, ..Stream::default() }, 3);
        for event in [planned(&["[1/1] RUN a"]), started(0), output(0, "x\n"), finished(0, 1.0)] {
            view.on(&event, at(0.0));
        }
        assert_eq!(
            view.frame(at(1.0), Mood::Working, Screen { width: 30, height: 9 }),
            "[+] Building 1.0s (1/1)\n\x1b[36m => [1/1] RUN a          1.0s\x1b[0m"
        );
    }
}
