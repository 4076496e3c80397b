//! Bars on a terminal: one for each blob that moves, and a line for all of them below.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tug_oci::Digest;
use tug_transfer::Event;

use super::tally::remark;
use super::{Doing, Tally};
use crate::human;
use crate::progress::lock;

const FRAMES_PER_SECOND: u8 = 12;

/// Bars for blobs, and a line of totals.
pub(super) struct Bars {
    all: MultiProgress,
    total: ProgressBar,
    doing: Doing,
    start: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tally: Tally,
    bars: HashMap<Digest, ProgressBar>,
    is_over: bool,
}

impl Bars {
    pub(super) fn start(doing: Doing) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(FRAMES_PER_SECOND));
        let total = all.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}") {
            total.set_style(style);
        }
        total.set_message(doing.word());
        total.enable_steady_tick(Duration::from_millis(120));
        Self { all, total, doing, start: Instant::now(), state: Mutex::default() }
    }

    pub(super) fn on(&self, event: &Event) {
        let mut state = lock(&self.state);
        if state.is_over {
            return;
        }
        state.tally.on(event);
        match event {
            Event::Moved { blob, done, size } => {
                let bar = match state.bars.get(blob) {
                    Some(bar) => bar.clone(),
                    None => {
                        let bar = self.bar(blob);
                        state.bars.insert(blob.clone(), bar.clone());
                        bar
                    }
                };
                if let Some(size) = size {
                    bar.set_length(*size);
                }
                bar.set_position(*done);
            }
            Event::Arrived { blob } => {
                if let Some(bar) = state.bars.get(blob) {
                    bar.set_message("unpacking");
                }
            }
            Event::Done { blob } | Event::Present { blob } | Event::Mounted { blob, .. } => {
                if let Some(bar) = state.bars.remove(blob) {
                    bar.finish_and_clear();
                    self.all.remove(&bar);
                }
            }
            _ => {}
        }
        if let Some(remark) = remark(event) {
            let _ = self.all.println(human::one_line(&remark));
        }
        self.total.set_message(self.totals(&state.tally));
    }

    fn bar(&self, blob: &Digest) -> ProgressBar {
        let bar = self.all.insert_before(&self.total, ProgressBar::no_length());
        let template = "  {prefix} [{bar:28}] {decimal_bytes:>10} of {decimal_total_bytes:<10} {msg:.dim}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(blob.short().to_owned());
        bar
    }

    fn totals(&self, tally: &Tally) -> String {
        let ((over, blobs), (done, all)) = (tally.blobs(), tally.bytes());
        let seconds = self.start.elapsed().as_secs_f64();
        let rate = if seconds > 0.2 { tally.moved() as f64 / seconds } else { 0.0 };
        let (done, all, rate) = (human::size(done), human::size(all), human::size(rate as u64));
        format!("{}: {over} of {blobs} blobs, {done} of {all}, {rate}/s", self.doing.word())
    }

    pub(super) fn above(&self, write: impl FnOnce()) {
        self.all.suspend(write);
    }

    pub(super) fn pause(&self) {
        let mut state = lock(&self.state);
        state.bars.drain().for_each(|(_, bar)| bar.finish_and_clear());
        self.total.disable_steady_tick();
        let _ = self.all.clear();
    }

    pub(super) fn finish(&self) {
        let mut state = lock(&self.state);
        if !state.is_over {
            state.is_over = true;
            state.bars.drain().for_each(|(_, bar)| bar.finish_and_clear());
            self.total.finish_and_clear();
            let _ = self.all.clear();
        }
    }
}
