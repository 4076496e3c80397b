//! `check=`: which lint rules apply.

use crate::Span;

/// The value of a `# check=` directive, above the whole file or above one instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Rules that say nothing.
    pub skip: Rules,
    /// Rules that are off unless asked for.
    pub experimental: Rules,
    /// A violation fails the build.
    pub error: bool,
    /// The value.
    pub span: Span,
}

/// A set of rules by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Every rule.
    All,
    /// Those named; may be none.
    Named(Vec<String>),
}

impl Rules {
    /// Is a rule one of them? Case does not count.
    pub fn contains(&self, rule: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.iter().any(|name| name.eq_ignore_ascii_case(rule)),
        }
    }
}
