//! Which files two images do not have in common, and what is not the same about those that they have.

use serde_json::{Value, json};
use tug_layer_store::{ChangedAspect, Entry, EntryKind, FileChange, View};

use super::Section;
use crate::format;
use crate::human;

/// Compares the merged trees; `None` for images with the same files.
///
/// In the table a folder that came or went as a whole is one line, unless `all` are wanted.
pub(super) fn section(views: Option<&(View, View)>, times: bool, all: bool) -> Section {
    let mut changes = match views {
        Some((before, after)) => before.changes(after),
        None => Vec::new(),
    };
    if !times {
        changes.iter_mut().for_each(|change| change.aspects.retain(|aspect| *aspect != ChangedAspect::Time));
        changes
            .retain(|change| change.before.is_none() || change.after.is_none() || !change.aspects.is_empty());
    }
    let data: Vec<Value> = changes.iter().map(data).collect();
    let mut text = format::aligned(&lines(&changes, all));
    if !changes.is_empty() {
        text += &sum(&changes);
    }
    Section { name: "files", data: data.into(), text, count: changes.len() }
}

fn data(change: &FileChange) -> Value {
    let side = |entry: &Option<Entry>| {
        entry.as_ref().map(|entry| {
            let (size, digest) = match &entry.kind {
                EntryKind::File { size, digest, .. } => (Some(size), Some(digest)),
                _ => (None, None),
            };
            json!({
                "type": kind(&entry.kind),
                "mode": format!("{:04o}", entry.mode),
                "uid": entry.uid,
                "gid": entry.gid,
                "size": size,
                "digest": digest,
            })
        })
    };
    let word = match (&change.before, &change.after) {
        (None, _) => "added",
        (_, None) => "removed",
        _ => "changed",
    };
    json!({
        "path": format!("/{}", String::from_utf8_lossy(&change.path)),
        "change": word,
        "what": change.aspects.iter().map(|aspect| aspect.name()).collect::<Vec<_>>(),
        "before": side(&change.before),
        "after": side(&change.after),
    })
}

fn lines(changes: &[FileChange], all: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut next = 0;
    while let Some(change) = changes.get(next) {
        next += 1;
        let path = format!("/{}", human::one_line(&String::from_utf8_lossy(&change.path)));
        if let (Some(before), Some(after)) = (&change.before, &change.after) {
            lines.push(format!("  ~ {path}\t{}\t{}", sizes(change), what(change, before, after)));
            continue;
        }
        let (sign, entry) = match (&change.before, &change.after) {
            (None, Some(after)) => ("+", after),
            (Some(before), _) => ("-", before),
            (None, None) => continue,
        };
        let is_folder = entry.kind == EntryKind::Directory;
        let inside = changes[next..]
            .iter()
            .take_while(|other| is_inside(&other.path, &change.path) && is_alike(other, change))
            .count();
        if !is_folder || all || inside == 0 {
            let slash = if is_folder { "/" } else { "" };
            lines.push(format!("  {sign} {path}{slash}\t{}\t", sizes(change)));
            continue;
        }
        let below = &changes[next..next + inside];
        let bytes: u64 = below.iter().map(|change| change.sizes().0 + change.sizes().1).sum();
        let things = human::counted(inside, "entry").replace("entrys", "entries");
        lines.push(format!("  {sign} {path}/\t{}\t{things}", human::size(bytes)));
        next += inside;
    }
    lines
}

fn is_inside(path: &[u8], folder: &[u8]) -> bool {
    path.len() > folder.len() && path.starts_with(folder) && path[folder.len()] == b'/'
}

fn is_alike(one: &FileChange, other: &FileChange) -> bool {
    (one.before.is_none(), one.after.is_none()) == (other.before.is_none(), other.after.is_none())
}

fn sizes(change: &FileChange) -> String {
    let (before, after) = change.sizes();
    match (&change.before, &change.after) {
        (Some(_), Some(_)) if before != after => format!("{} → {}", human::size(before), human::size(after)),
        (Some(_), Some(_)) => String::new(),
        _ => human::size(before.max(after)),
    }
}

fn what(change: &FileChange, before: &Entry, after: &Entry) -> String {
    let words = change.aspects.iter().map(|aspect| match aspect {
        ChangedAspect::Mode => format!("mode {:04o} → {:04o}", before.mode, after.mode),
        ChangedAspect::Owner => {
            format!("owner {}:{} → {}:{}", before.uid, before.gid, after.uid, after.gid)
        }
        ChangedAspect::Kind => format!("{} → {}", kind(&before.kind), kind(&after.kind)),
        ChangedAspect::Target => format!("{} → {}", target(&before.kind), target(&after.kind)),
        other => other.name().to_owned(),
    });
    words.collect::<Vec<_>>().join(", ")
}

fn sum(changes: &[FileChange]) -> String {
    let (mut new, mut gone, mut other) = (0, 0, 0);
    let (mut before, mut after) = (0_u64, 0_u64);
    for change in changes {
        match (&change.before, &change.after) {
            (None, _) => new += 1,
            (_, None) => gone += 1,
            _ => other += 1,
        }
        before += change.sizes().0;
        after += change.sizes().1;
    }
    let growth = match after >= before {
        true => format!("{} more", human::size(after - before)),
        false => format!("{} less", human::size(before - after)),
    };
    format!("  {new} added, {gone} removed, {other} changed, {growth}\n")
}

fn kind(kind: &EntryKind) -> &'static str {
    match kind {
        EntryKind::Directory => "directory",
        EntryKind::File { .. } => "file",
        EntryKind::Symlink { .. } => "symlink",
        EntryKind::CharDevice { .. } => "character device",
        EntryKind::BlockDevice { .. } => "block device",
        EntryKind::Fifo => "pipe",
        _ => "mark",
    }
}

fn target(kind: &EntryKind) -> String {
    match kind {
        EntryKind::Symlink { target } => human::one_line(&String::from_utf8_lossy(target)),
        EntryKind::CharDevice { major, minor } | EntryKind::BlockDevice { major, minor } => {
            format!("{major}:{minor}")
        }
        _ => String::new(),
    }
}
