//! What a token is for, as clients write it: `repository:library/busybox:pull,push`.
//!
//! Source: distribution, `docs/spec/auth/scope`.

use serde::{Deserialize, Serialize};

use super::rules::Action;

/// Something that a token allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scope {
    /// `repository` or `registry`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Of the repository; `catalog` for a registry.
    pub(crate) name: String,
    /// `pull`, `push`, `delete`, `*`.
    pub(crate) actions: Vec<String>,
}

impl Scope {
    /// Something to do with a repository.
    pub(crate) fn repository(name: &str, actions: &[&str]) -> Self {
        let actions = actions.iter().map(|action| (*action).to_owned()).collect();
        Self { kind: "repository".to_owned(), name: name.to_owned(), actions }
    }

    /// To list all repositories.
    pub(crate) fn catalog() -> Self {
        Self { kind: "registry".to_owned(), name: "catalog".to_owned(), actions: vec!["*".to_owned()] }
    }

    /// Reads one scope; `None` when it is none that we know.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        let actions: Vec<String> =
            actions.split(',').filter(|action| !action.is_empty()).map(str::to_owned).collect();
        // Docker writes the class of a repository behind its type.
        let kind = kind.split('(').next().unwrap_or_default();
        let known = match kind {
            "repository" => name.parse::<crate::names::RepositoryName>().is_ok(),
            "registry" => name == "catalog",
            _ => false,
        };
        known.then(|| Self { kind: kind.to_owned(), name: name.to_owned(), actions })
    }

    /// Whether it allows `action` on the repository `name`.
    pub(crate) fn allows(&self, action: Action, name: &str) -> bool {
        self.kind == "repository" && self.name == name && self.has(action.name())
    }

    /// Whether it allows to list all repositories.
    pub(crate) fn allows_catalog(&self) -> bool {
        self.kind == "registry" && self.name == "catalog" && self.has("*")
    }

    fn has(&self, action: &str) -> bool {
        self.actions.iter().any(|own| own == action || own == "*")
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}:{}:{}", self.kind, self.name, self.actions.join(","))
    }
}

impl Action {
    /// All of them, in the order of their weight.
    pub(crate) const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Delete];

    /// What scopes call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "pull",
            Self::Write => "push",
            Self::Delete => "delete",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_as_clients_write_them() {
        let read = |text: &str| Scope::parse(text).map(|scope| scope.to_string());
        assert_eq!(read("repository:a/b:pull,push").as_deref(), Some("repository:a/b:pull,push"));
        assert_eq!(read("repository(plugin):a:pull").as_deref(), Some("repository:a:pull"));
        assert_eq!(read("registry:catalog:*").as_deref(), Some("registry:catalog:*"));
        for text in ["", "repository", "repository:a", "repository:../a:pull", "other:a:pull", "registry:x:*"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
