//! Finds what goes round in a circle.

use std::cell::RefCell;

use crate::error::{Problem, Result};
use crate::source::Place;

/// What is being worked out right now, the outermost first.
#[derive(Debug, Default)]
pub(crate) struct Running(RefCell<Vec<String>>);

/// As long as it lives, the thing counts as being worked out.
pub(crate) struct Entered<'a>(&'a Running);

impl Running {
    /// Begins to work something out; an error if that has begun already.
    pub(crate) fn enter(&self, name: &str, place: Place) -> Result<Entered<'_>> {
        let mut names = self.0.borrow_mut();
        if let Some(at) = names.iter().position(|running| running == name) {
            let path: Vec<&str> = names[at..].iter().map(String::as_str).chain([name]).collect();
            return Err(Problem::at(place, format!("`{name}` needs itself")).label(path.join(" → ")));
        }
        names.push(name.to_owned());
        Ok(Entered(self))
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.0.borrow_mut().pop();
    }
}
