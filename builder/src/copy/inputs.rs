//! What of a COPY or ADD goes into its key: see the table of [`crate::key`].
//!
//! An input must not look like another one. Paths are escaped so that no two are the same text and none has a control
//! character in it; facts are lines, and so are the sources.

use std::collections::HashMap;
use std::fmt::Write;

use tug_oci::Digest;

use super::owner::is_number;
use super::select::Selected;
use super::{Source, Sources};
use crate::files::{Item, ItemKind, name_of};
use crate::key::Inputs;
use crate::plan::{CopyAction, CopyFrom};

/// Whether what the layers below have counts: it does not for `--link`, unless names are looked up in them.
pub(crate) fn depends_on_below(action: &CopyAction) -> bool {
    let is_numeric = |owner: &String| owner.split(':').all(is_number);
    !action.link || !action.chown.as_ref().is_none_or(is_numeric)
}

/// Adds everything to `inputs` that decides what `action` makes of `sources`.
pub(crate) fn add_inputs(action: &CopyAction, sources: &Sources, inputs: &mut Inputs) {
    inputs.value("destination", action.destination.clone());
    inputs.value("--chown", action.chown.clone().unwrap_or_default());
    inputs.value("--chmod", action.chmod_text.clone().unwrap_or_default());
    inputs.value("--link", action.link.to_string());
    inputs.value("unpack", action.unpack.to_string());
    if action.parents {
        inputs.value("--parents", "true");
    }
    let is_context = matches!(action.from, CopyFrom::Files(_));
    let facts = Facts {
        owner: !is_context && action.chown.is_none(),
        xattrs: !is_context,
        mode: !action.chmod.as_ref().is_some_and(tug_dockerfile::Mode::is_absolute),
    };
    for (number, source) in sources.found.iter().enumerate() {
        match source {
            Source::Inline { name, text } => {
                inputs.content(format!("<<{name}"), Digest::of(text.as_bytes()).to_string());
            }
            Source::Remote(remote) => inputs.content(remote.name(), remote.facts()),
            Source::Selected(selected) => {
                let sources: Vec<String> = selected.iter().map(shown).collect();
                inputs.value(format!("source {}", number + 1), sources.join("\n"));
                selected.iter().for_each(|one| facts.add(one, inputs));
            }
        }
    }
}

/// Where a source is, and the name it lands under if that is another one.
fn shown(selected: &Selected) -> String {
    let mut text = escaped(&selected.item.path);
    if selected.item.is_directory() {
        text.push('/');
    } else if selected.name != name_of(&selected.item.path) {
        write!(text, "\tas {}", escaped(&selected.name)).expect("writing to a string does not fail");
    }
    text
}

/// Which facts of an item reach the layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// Not for contexts, and not under `--chown`.
    pub(super) owner: bool,
    /// Not for contexts.
    pub(super) xattrs: bool,
    /// Not under an octal `--chmod`.
    pub(super) mode: bool,
}

impl Facts {
    pub(super) fn add(self, selected: &Selected, inputs: &mut Inputs) {
        let mut first_names: HashMap<(u64, u64), &[u8]> = HashMap::new();
        for item in selected.landing() {
            let first = item.link.map(|link| *first_names.entry(link).or_insert(&item.path));
            let first = first.filter(|first| *first != item.path);
            inputs.content(escaped(&item.path), self.of(item, first));
        }
    }

    pub(super) fn of(self, item: &Item, first_name: Option<&[u8]>) -> String {
        let digest = || item.digest.get().map(ToString::to_string).unwrap_or_default();
        let mut text = match &item.kind {
            ItemKind::Directory => "dir".to_owned(),
            ItemKind::File { size } => format!("file {size} {}", digest()),
            ItemKind::Symlink { target } => format!("link {}", escaped(target)),
            ItemKind::Fifo => "fifo".to_owned(),
            ItemKind::CharDevice { major, minor } => format!("char {major}:{minor}"),
            ItemKind::BlockDevice { major, minor } => format!("block {major}:{minor}"),
            ItemKind::Socket => "socket".to_owned(),
        };
        let mut add = |fact: std::fmt::Arguments<'_>| {
            text.push('\n');
            text.write_fmt(fact).expect("writing to a string does not fail");
        };
        if self.mode {
            add(format_args!("mode {:o}", item.mode));
        }
        if self.owner {
            add(format_args!("owner {}:{}", item.uid, item.gid));
        }
        for (name, value) in item.xattrs.iter().filter(|_| self.xattrs) {
            add(format_args!("{}={}", escaped(name), Digest::of(value)));
        }
        if let Some(first) = first_name {
            add(format_args!("also {}", escaped(first)));
        }
        text
    }
}

/// Bytes as text that no two paths share, without control characters.
pub(super) fn escaped(path: &[u8]) -> String {
    match std::str::from_utf8(path) {
        Ok(text) if !text.contains(|next: char| next == '\\' || next.is_control()) => text.to_owned(),
        _ => path.escape_ascii().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_paths_are_the_same_text() {
        let paths: [&[u8]; 7] =
            [b"a b", b"a\nb", b"a\\nb", b"a\\\\nb", b"a\xffb", b"a\\xffb", "a\u{ff}b".as_bytes()];
        let texts: std::collections::BTreeSet<String> = paths.iter().map(|path| escaped(path)).collect();
        assert_eq!(texts.len(), paths.len(), "{texts:?}");
        assert!(texts.iter().all(|text| !text.contains(char::is_control)), "{texts:?}");
    }

    #[test]
    fn a_link_cannot_look_like_its_other_facts() {
        let facts = Facts { owner: false, xattrs: false, mode: true };
        let link = |target: &[u8], mode| {
            let item = Item::plain("link", ItemKind::Symlink { target: target.to_vec() });
            facts.of(&Item { mode, ..item }, None)
        };
        assert_ne!(link(b"a\nmode 777", 0o644), link(b"a", 0o777) + "\nmode 644");
    }
}
