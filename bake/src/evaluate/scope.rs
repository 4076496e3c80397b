//! Names that hold in a part of an expression only: of `for`, of a function's parameters, of a matrix.

use crate::value::Value;

/// Names and their values; those outside are seen through.
#[derive(Debug, Default)]
pub(crate) struct Scope<'a> {
    names: Vec<(&'a str, Value)>,
    outer: Option<&'a Scope<'a>>,
}

impl<'a> Scope<'a> {
    /// With these names and nothing else.
    pub(crate) fn of(names: Vec<(&'a str, Value)>) -> Self {
        Self { names, outer: None }
    }

    /// With these names on top of those of `self`.
    pub(crate) fn with(&'a self, names: Vec<(&'a str, Value)>) -> Self {
        Self { names, outer: Some(self) }
    }

    /// The value of a name.
    pub(crate) fn find(&self, name: &str) -> Option<&Value> {
        let own = self.names.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
        own.or_else(|| self.outer?.find(name))
    }

    /// All the names.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.names.iter().map(|(name, _)| *name).collect();
        names.extend(self.outer.map(Self::names).unwrap_or_default());
        names
    }
}
