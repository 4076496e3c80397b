//! Everything in a directory of a merged tree, directories before what is in them.

use std::vec::IntoIter;

use crate::entry::EntryKind;
use crate::view::{Node, View};

/// A walk through a merged tree, in canonical order.
#[derive(Debug)]
pub struct Walk<'a> {
    view: &'a View,
    /// One list of children for each directory on the way down; paths may be deeper than a stack is.
    open: Vec<IntoIter<Node>>,
}

impl View {
    /// All that is in the directory at `path`, at any depth; nothing if it is no directory.
    pub fn walk(&self, path: &[u8]) -> Walk<'_> {
        Walk { view: self, open: vec![self.children(path).into_iter()] }
    }
}

impl Iterator for Walk<'_> {
    type Item = Node;

    fn next(&mut self) -> Option<Node> {
        while let Some(children) = self.open.last_mut() {
            let Some(node) = children.next() else {
                self.open.pop();
                continue;
            };
            if node.entry().kind == EntryKind::Directory {
                self.open.push(self.view.children(node.path()).into_iter());
            }
            return Some(node);
        }
        None
    }
}
