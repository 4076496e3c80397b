//! What a token is for. Source: distribution `docs/spec/auth/scope`.

use std::fmt;

/// One thing that a token allows: `repository:library/debian:pull`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Scope(String);

impl Scope {
    pub(crate) fn pull(name: &str) -> Self {
        Self(format!("repository:{name}:pull"))
    }

    pub(crate) fn push(name: &str) -> Self {
        Self(format!("repository:{name}:pull,push"))
    }

    pub(crate) fn delete(name: &str) -> Self {
        Self(format!("repository:{name}:pull,delete"))
    }

    pub(crate) fn catalog() -> Self {
        Self("registry:catalog:*".to_owned())
    }

    /// The scopes that a challenge names, several with spaces between them.
    pub(crate) fn of_challenge(text: &str) -> Vec<Self> {
        text.split_whitespace().map(|scope| Self(scope.to_owned())).collect()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
