//! Lines for a log: one for each blob that is done, and one now and then while a large one is on its way.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tug_transfer::{Direction, Event};

use super::Tally;
use super::tally::remark;
use crate::human;
use crate::output::{Paint, Stream};
use crate::progress::{lock, write_stderr};

/// Silence that is longer makes people wonder.
const LONGEST_SILENCE: Duration = Duration::from_secs(5);

/// Lines, and the thread that breaks long silences.
pub(super) struct Lines {
    state: Arc<Mutex<State>>,
    stream: Stream,
    stop: Sender<()>,
    ticking: Mutex<Option<JoinHandle<()>>>,
}

struct State {
    tally: Tally,
    direction: Direction,
    spoken: Instant,
    moved: u64,
}

impl Lines {
    pub(super) fn start(stream: Stream) -> Self {
        let state =
            State { tally: Tally::default(), direction: Direction::Down, spoken: Instant::now(), moved: 0 };
        let state = Arc::new(Mutex::new(state));
        let (stop, stopped) = mpsc::channel();
        let ticked = Arc::clone(&state);
        let ticking = thread::spawn(move || {
            while stopped.recv_timeout(LONGEST_SILENCE / 5) == Err(RecvTimeoutError::Timeout) {
                let mut state = lock(&ticked);
                let (over, blobs) = state.tally.blobs();
                if over < blobs && state.spoken.elapsed() >= LONGEST_SILENCE {
                    let text = state.totals();
                    state.say(&text);
                }
            }
        });
        Self { state, stream, stop, ticking: Mutex::new(Some(ticking)) }
    }

    pub(super) fn on(&self, event: &Event) {
        let mut state = lock(&self.state);
        if let Event::Planned { direction, .. } = event {
            state.direction = *direction;
        }
        state.tally.on(event);
        let text = match (remark(event), event) {
            (Some(remark), Event::Client(_)) => self.stream.paint(Paint::Yellow, &human::one_line(&remark)),
            (Some(remark), _) => human::one_line(&remark),
            (None, event) => match line(event, state.direction) {
                Some(line) => line,
                None => return,
            },
        };
        state.say(&text);
    }

    pub(super) fn finish(&self) {
        let _ = self.stop.send(());
        if let Some(ticking) = lock(&self.ticking).take() {
            let _ = ticking.join();
        }
    }
}

impl State {
    fn say(&mut self, text: &str) {
        write_stderr(&format!("{text}\n"));
        (self.spoken, self.moved) = (Instant::now(), self.tally.moved());
    }

    /// How far it is, and how fast it was since the last line.
    fn totals(&self) -> String {
        let ((over, blobs), (done, all)) = (self.tally.blobs(), self.tally.bytes());
        let since = self.spoken.elapsed().as_secs_f64().max(0.001);
        let rate = self.tally.moved().saturating_sub(self.moved) as f64 / since;
        let (done, all, rate) = (human::size(done), human::size(all), human::size(rate as u64));
        format!("{over} of {blobs} blobs, {done} of {all}, {rate}/s")
    }
}

fn line(event: &Event, direction: Direction) -> Option<String> {
    let there = if direction == Direction::Down { "here" } else { "there" };
    Some(match event {
        Event::Resolved { name, target } => {
            format!("{} is {}", human::one_line(name), target.digest)
        }
        Event::Present { blob } => format!("{} is {there} already", blob.short()),
        Event::Mounted { blob, from } => {
            format!("{} is taken over from {}", blob.short(), from.as_deref().unwrap_or("beside"))
        }
        Event::Done { blob } => format!("{} is {there}", blob.short()),
        Event::Published { name, .. } => format!("{} is there", human::one_line(name)),
        _ => return None,
    })
}
