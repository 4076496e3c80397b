//! An end to what would take for ever: steps, depth and memory of one definition.

use std::cell::Cell;

use crate::error::{Problem, Result};
use crate::source::Place;

const MOST_STEPS: usize = 2_000_000;
const MOST_BYTES: usize = 128 << 20;
/// How far expressions, functions and variables may lead into each other.
const MOST_LEVELS: usize = 250;

/// What was used up so far.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    steps: Cell<usize>,
    bytes: Cell<usize>,
    levels: Cell<usize>,
}

/// As long as it lives, evaluation is one level deeper.
pub(crate) struct Level<'a>(&'a Budget);

impl Budget {
    /// Begins a step.
    pub(crate) fn enter(&self, place: Place) -> Result<Level<'_>> {
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() > MOST_STEPS {
            return Err(Problem::at(place, "the definition takes more than two million steps to work out"));
        }
        if self.levels.get() >= MOST_LEVELS {
            let message = format!("expressions lead into each other more than {MOST_LEVELS} times");
            return Err(Problem::at(place, message));
        }
        self.levels.set(self.levels.get() + 1);
        Ok(Level(self))
    }

    /// Counts the memory of something that was made.
    pub(crate) fn spend(&self, bytes: usize, place: Place) -> Result<()> {
        self.bytes.set(self.bytes.get().saturating_add(bytes));
        if self.bytes.get() > MOST_BYTES {
            let message = format!("the values of the definition take more than {} MiB", MOST_BYTES >> 20);
            return Err(Problem::at(place, message));
        }
        Ok(())
    }
}

impl Drop for Level<'_> {
    fn drop(&mut self) {
        self.0.levels.set(self.0.levels.get() - 1);
    }
}
