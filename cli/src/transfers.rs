//! What commands that move images have in common: the way to registries, what is shown, and giving up in good order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tug_layer_store::Store;
use tug_oci::Reference;
use tug_registry_client::Options;
use tug_transfer::{Error, Observer, Remote};

use crate::error::CommandError;
use crate::output::Output;
use crate::progress::ProgressMode;
use crate::progress::transfer::{Doing, TransferProgress};
use crate::settings::Settings;
use crate::signals::Interrupts;

/// The way to registries, while a command runs.
pub(crate) struct Transfers {
    /// Moves images.
    pub(crate) remote: Remote,
    progress: Arc<TransferProgress>,
    interrupts: Interrupts,
    stop: Arc<AtomicBool>,
    is_quiet: bool,
    output: Output,
}

impl Transfers {
    /// Starts threads: call it after the store was opened.
    pub(crate) fn start(
        options: Options,
        mode: ProgressMode,
        doing: Doing,
        settings: &Settings,
    ) -> Result<Self, CommandError> {
        let stop = Arc::new(AtomicBool::new(false));
        let interrupts = Interrupts::watch({
            let stop = Arc::clone(&stop);
            move || stop.store(true, Ordering::SeqCst)
        })?;
        let progress = TransferProgress::start(mode, doing, &settings.output);
        let remote = Remote::new(options, Arc::clone(&progress) as Arc<dyn Observer>)?;
        let stopped = Arc::clone(&stop);
        let remote = remote.stopping_when(move || stopped.load(Ordering::SeqCst));
        let is_quiet = matches!(mode, ProgressMode::Quiet | ProgressMode::None | ProgressMode::RawJson);
        Ok(Self { remote, progress, interrupts, stop, is_quiet, output: settings.output })
    }

    /// The result of what was done. The view is taken away first; after an interrupt the process ends by its signal.
    pub(crate) fn end<T>(&self, outcome: Result<T, Error>) -> Result<T, CommandError> {
        outcome.map_err(|error| {
            self.progress.finish();
            self.interrupts.behind(error.into())
        })
    }

    /// The store, which ends its long work after an interrupt.
    pub(crate) fn stopping(&self, store: &Store) -> Store {
        let stop = Arc::clone(&self.stop);
        store.stopping_when(move || stop.load(Ordering::SeqCst))
    }

    /// An error of other work, as [`Self::end`] gives those of transfers.
    pub(crate) fn behind(&self, error: CommandError) -> CommandError {
        self.progress.finish();
        self.interrupts.behind(error)
    }

    /// Takes the view away, until there is something to show again.
    pub(crate) fn pause(&self) {
        self.progress.pause();
    }

    /// Takes the view away.
    pub(crate) fn finish(&self) {
        self.progress.finish();
    }

    /// Tells what was done, above what is still being done.
    pub(crate) fn note(&self, text: &str) {
        if !self.is_quiet {
            self.progress.above(|| self.output.note(text));
        }
    }
}

/// The registry that all names are on: `--creds` is meant for it.
pub(crate) fn registry(names: &[Reference]) -> Option<&str> {
    let first = names.first()?.registry();
    names.iter().all(|name| name.registry() == first).then_some(first)
}

/// `-q` is one of the kinds of progress.
pub(crate) fn mode(
    flag: Option<ProgressMode>,
    is_quiet: bool,
    settings: &Settings,
) -> Result<ProgressMode, CommandError> {
    let flag = if is_quiet { Some(ProgressMode::Quiet) } else { flag };
    ProgressMode::chosen(flag, &settings.environment, &settings.output)
}
