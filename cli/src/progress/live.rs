//! Draws the live view: nothing in the first moment, then at most fifteen times a second.

use std::io::{self, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tug_builder::{Event, Reporter};

use super::lock;
use super::tty::{Mood, Screen, View};
use crate::signals::Interrupts;

/// A build that is over before needs no live view.
const MOMENT: Duration = Duration::from_millis(250);
const FRAME: Duration = Duration::from_millis(67);
const FRAMES_PER_SECOND: u8 = 15;

/// The live view and the thread that draws it.
pub(crate) struct Live {
    view: Arc<Mutex<View>>,
    start: Instant,
    stop: Sender<()>,
    drawing: Option<JoinHandle<()>>,
}

impl Live {
    /// Starts to draw `view` on standard error. After an interrupt it says that the build is being cancelled.
    pub(crate) fn start(view: View, interrupts: Interrupts) -> Self {
        let view = Arc::new(Mutex::new(view));
        let start = Instant::now();
        let (stop, stopped) = mpsc::channel();
        let drawn = Arc::clone(&view);
        let drawing = thread::spawn(move || {
            if stopped.recv_timeout(MOMENT) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let target = ProgressDrawTarget::stderr_with_hz(FRAMES_PER_SECOND);
            let bar = ProgressBar::with_draw_target(None, target);
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            loop {
                let mood = if interrupts.signal().is_some() { Mood::Cancelling } else { Mood::Working };
                let frame = lock(&drawn).frame(start.elapsed(), mood, screen());
                bar.set_message(frame);
                bar.tick();
                if stopped.recv_timeout(FRAME) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            bar.finish_and_clear();
        });
        Self { view, start, stop, drawing: Some(drawing) }
    }

    /// Draws the last frame, which stays.
    pub(crate) fn finish(&mut self) {
        let _ = self.stop.send(());
        if let Some(drawing) = self.drawing.take() {
            let _ = drawing.join();
            let frame = lock(&self.view).last_frame(self.start.elapsed(), screen().width);
            let _ = io::stderr().lock().write_all(frame.as_bytes());
        }
    }
}

impl Reporter for Live {
    fn report(&self, event: Event) {
        lock(&self.view).on(&event, self.start.elapsed());
    }
}

/// The size of the terminal, as it is now.
fn screen() -> Screen {
    match rustix::termios::tcgetwinsize(io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
            Screen { width: size.ws_col.into(), height: size.ws_row.into() }
        }
        _ => Screen { width: 80, height: 24 },
    }
}
