//! What of a merged tree is written, and under which name.

use crate::entry::join;
use crate::view::{Node, View};

/// What of a merged tree is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The file or directory, without leading slash; empty for the root. Links on the way are not followed.
    pub path: Vec<u8>,
    /// What it is called where it is written: one plain name, or empty for what is in a directory and not the directory
    /// itself.
    pub name: Vec<u8>,
}

impl Part {
    /// All that is in the root.
    pub(super) fn whole() -> Self {
        Self { path: Vec::new(), name: Vec::new() }
    }

    /// Where the walk begins.
    pub(super) fn top(&self, view: &View) -> Vec<Node> {
        match self.name.is_empty() {
            true => view.children(&self.path),
            false => view.lookup(&self.path).into_iter().collect(),
        }
    }

    /// Where something of the tree is written.
    pub(super) fn place(&self, path: &[u8]) -> Vec<u8> {
        let below = path.get(self.path.len()..).unwrap_or_default();
        let below = below.strip_prefix(b"/").unwrap_or(below);
        match (self.name.is_empty(), below.is_empty()) {
            (true, _) => below.to_vec(),
            (false, true) => self.name.clone(),
            (false, false) => join(&self.name, below),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_gets_its_new_name_and_all_below_it_too() {
        let place = |part: &str, name: &str, path: &str| {
            let part = Part { path: part.into(), name: name.into() };
            String::from_utf8(part.place(path.as_bytes())).unwrap()
        };
        for (part, name, path, expected) in [
            ("", "", "etc/passwd", "etc/passwd"),
            ("", "root", "etc/passwd", "root/etc/passwd"),
            ("", "root", "", "root"),
            ("etc", "", "etc/passwd", "passwd"),
            ("etc", "config", "etc", "config"),
            ("etc/apt", "apt", "etc/apt/sources.list", "apt/sources.list"),
            ("etc/passwd", "users", "etc/passwd", "users"),
        ] {
            assert_eq!(place(part, name, path), expected, "{path} of {part} as {name}");
        }
    }
}
