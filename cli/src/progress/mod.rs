//! Shows what a build does while it runs. The builder tells events; here they become what somebody reads.
//!
//! | `--progress` | who reads it                | what standard error gets                                        |
//! | ------------ | --------------------------- | --------------------------------------------------------------- |
//! | `tty`        | a person                    | a live view, drawn again and again                              |
//! | `plain`      | a person, in a log          | each step whole when it is done; a step that is alone, at once  |
//! | `rawjson`    | a program                   | each event as one JSON object on a line                         |
//! | `quiet`      | nobody                      | nothing but errors; the digest of the image on standard output  |
//! | `none`       | nobody                      | nothing but errors                                              |
//!
//! `auto` is `tty` on a terminal and `plain` elsewhere. The objects of `rawjson` are those of [`Event::line`]; when the
//! build fails, the last one is of the kind `error`.

pub(crate) mod lints;
mod live;
mod logfile;
mod plain;
#[cfg(test)]
mod recorded;
mod text;
pub(crate) mod transfer;
mod tty;
mod watched;

use std::io::{self, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tug_builder::{Event, Reporter};

use crate::environment::{self, Environment};
use crate::error::CommandError;
use crate::output::Output;
use crate::settings::Settings;
use crate::signals::Interrupts;
use live::Live;
pub(crate) use logfile::LogFile;
pub(crate) use plain::{Log, Plain};
pub(crate) use text::{LineCutter, log_line};
use tty::View;
pub(crate) use watched::Watched;

/// How to show progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ProgressMode {
    /// `tty` on a terminal, else `plain`
    #[default]
    Auto,
    /// A live view
    Tty,
    /// Lines for a log: each step whole when it is done
    Plain,
    /// One JSON object a line, for programs
    #[value(name = "rawjson")]
    RawJson,
    /// Nothing but errors, and the digest on standard output
    Quiet,
    /// Nothing but errors
    None,
}

impl ProgressMode {
    /// The mode that holds: the flag, else the environment, else what the terminal can do.
    pub(crate) fn chosen(
        flag: Option<Self>,
        environment: &Environment,
        output: &Output,
    ) -> Result<Self, CommandError> {
        let variable = environment::BUILDKIT_PROGRESS;
        let asked = match (flag, environment.text(variable)) {
            (Some(flag), _) => flag,
            (None, None) => Self::Auto,
            (None, Some(text)) => <Self as clap::ValueEnum>::from_str(text, true).map_err(|_| {
                CommandError::usage(format_args!("`{variable}={text}` is not a kind of progress"))
                    .hint("use `auto`, `tty`, `plain`, `rawjson`, `quiet` or `none`")
            })?,
        };
        match asked {
            Self::Auto if output.stderr.redraws => Ok(Self::Tty),
            Self::Auto => Ok(Self::Plain),
            Self::Tty if !output.stderr.redraws && flag.is_some() => {
                Err(CommandError::usage("`--progress tty` needs a terminal on standard error")
                    .hint("`--progress plain` works everywhere"))
            }
            Self::Tty if !output.stderr.redraws => Ok(Self::Plain),
            other => Ok(other),
        }
    }
}

/// Shows a build; dropped or finished, it leaves the terminal as it was.
pub(crate) enum Progress {
    /// On a terminal.
    Live(Live),
    /// In a log.
    Plain(Ticking),
    /// For a program.
    RawJson(Instant),
    /// For nobody.
    Silent,
}

impl Progress {
    /// Starts to show a build of `dockerfile` in `mode`.
    pub(crate) fn start(
        mode: ProgressMode,
        dockerfile: &str,
        interrupts: &Interrupts,
        settings: &Settings,
    ) -> Self {
        let Settings { environment, output, .. } = settings;
        match mode {
            ProgressMode::Tty => {
                let lines = environment.text(environment::BUILDKIT_TTY_LOG_LINES);
                let lines = lines.and_then(|lines| lines.parse().ok()).unwrap_or(6).min(1000);
                Self::Live(Live::start(View::new(output.stderr, lines), interrupts.clone()))
            }
            ProgressMode::Auto | ProgressMode::Plain => {
                let log = match is_github(environment) {
                    true => Log::Github { dockerfile: dockerfile.to_owned() },
                    false => Log::Simple,
                };
                Self::Plain(Ticking::start(Plain::new(output.stderr, log)))
            }
            ProgressMode::RawJson => Self::RawJson(Instant::now()),
            ProgressMode::Quiet | ProgressMode::None => Self::Silent,
        }
    }

    /// Shows what is left to be shown. Whatever is written to standard error afterwards comes below.
    pub(crate) fn finish(&mut self) {
        match self {
            Self::Live(live) => live.finish(),
            Self::Plain(plain) => plain.finish(),
            Self::RawJson(_) | Self::Silent => {}
        }
    }
}

impl Reporter for Progress {
    fn report(&self, event: Event) {
        match self {
            Self::Live(live) => live.report(event),
            Self::Plain(plain) => plain.report(&event),
            Self::RawJson(start) => write_stderr(&event.line(start.elapsed())),
            Self::Silent => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Whether this is a job of GitHub Actions.
pub(crate) fn is_github(environment: &Environment) -> bool {
    environment.text(environment::GITHUB_ACTIONS) == Some("true")
}

/// The plain view, and the thread that breaks long silences.
pub(crate) struct Ticking {
    view: Arc<Mutex<Plain>>,
    start: Instant,
    stop: Sender<()>,
    ticking: Option<JoinHandle<()>>,
}

impl Ticking {
    fn start(view: Plain) -> Self {
        let view = Arc::new(Mutex::new(view));
        let start = Instant::now();
        let (stop, stopped) = mpsc::channel();
        let ticked = Arc::clone(&view);
        let ticking = thread::spawn(move || {
            while stopped.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
                let mut view = lock(&ticked);
                write_stderr(&view.tick(start.elapsed()));
            }
        });
        Self { view, start, stop, ticking: Some(ticking) }
    }

    fn finish(&mut self) {
        let _ = self.stop.send(());
        if let Some(ticking) = self.ticking.take() {
            let _ = ticking.join();
            write_stderr(&lock(&self.view).finish());
        }
    }

    fn report(&self, event: &Event) {
        // Written under the lock: lines keep their order.
        let mut view = lock(&self.view);
        write_stderr(&view.on(event, self.start.elapsed()));
    }
}

/// A view is whole after each event, even when another thread panicked.
fn lock<T>(view: &Mutex<T>) -> MutexGuard<'_, T> {
    view.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Nobody is left to tell when standard error is gone; the build goes on.
fn write_stderr(text: &str) {
    if !text.is_empty() {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}
