//! Remembers which build it is that progress is shown of.

use std::sync::OnceLock;

use tug_builder::{Event, Reporter};

/// Progress, and the identity of the build.
pub(crate) struct Watched<'a> {
    progress: &'a dyn Reporter,
    build: OnceLock<String>,
}

impl<'a> Watched<'a> {
    /// Passes everything on to `progress`.
    pub(crate) fn new(progress: &'a dyn Reporter) -> Self {
        Self { progress, build: OnceLock::new() }
    }

    /// The identity of the build; `None` when it did not come so far as to have a plan.
    pub(crate) fn into_build(self) -> Option<String> {
        self.build.into_inner()
    }
}

impl Reporter for Watched<'_> {
    fn report(&self, event: Event) {
        if let Event::Planned { build, .. } = &event {
            self.build.get_or_init(|| build.clone());
        }
        self.progress.report(event);
    }
}
