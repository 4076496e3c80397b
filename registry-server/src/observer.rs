//! What happens in a server, for whoever wants to tell: the library itself prints nothing.

use std::fmt::Debug;

use crate::access_log::Record;
use crate::storage::Collected;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Something is wrong with what is kept, or with the machine. The server goes on.
    Problem {
        /// What, as a sentence.
        what: String,
    },
    /// What nothing refers to was taken away.
    Collected(Collected),
    /// A request was answered to its end, or as far as its client took the answer.
    Answered(Box<Record>),
}

/// Hears of every event, on the thread where it happens: it must be quick.
pub trait Observer: Debug + Send + Sync {
    /// Something happened.
    fn event(&self, event: Event);
}

/// Hears nothing.
#[derive(Debug)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _event: Event) {}
}
