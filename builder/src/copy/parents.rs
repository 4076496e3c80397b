//! What the sources of `COPY --parents` name: the items, and the directories above them.
//!
//! | source      | walk starts at                    | pattern, seen from there | lands as          |
//! | ----------- | --------------------------------- | ------------------------ | ----------------- |
//! | `a/b/c`     | the root                          | `a/b/c`                  | `destination/a/b/c` |
//! | `a/./b/c`   | `a`, its links followed           | `b/c`                    | `destination/b/c` |
//! | `a*/./b/**` | every directory that `a*` matches | `b/**`                   | `destination/b/…` |
//!
//! The first `/./` counts. A pattern is one of ignore files: `**` stands for any number of directories, and a directory
//! that matches brings everything in it. Links below the start are copied as links and never followed. A source without
//! wildcards must exist.

use std::sync::Arc;

use tug_dockerfile::{Ignore, Pattern};

use super::select::{SelectError, Selected, Walk, matches, missing};
use crate::files::{Files, ItemKind, clean, components, join, name_of, resolve};

/// Finds what `source` names in `files`: one selection for each directory from which a walk starts.
pub(super) fn select(
    files: &dyn Files,
    source: &str,
    excludes: &Ignore,
) -> Result<Vec<Selected>, SelectError> {
    let (start, wanted) = source.split_once("/./").unwrap_or(("", source));
    let (start, wanted) = (clean(start.as_bytes()), clean(wanted.as_bytes()));
    let has_wildcards = |path: &[u8]| components(path).any(Pattern::has_wildcards);
    let is_pattern = has_wildcards(&start) || has_wildcards(&wanted);
    let starts = if has_wildcards(&start) { matches(files, source, &start)? } else { vec![start] };
    let include = pattern(source, &wanted)?;
    let mut selected = Vec::with_capacity(starts.len());
    for start in starts {
        let item = match files.item(&resolve(files, &start)?)? {
            Some(item) if item.is_directory() => item,
            _ if is_pattern => continue,
            _ => return Err(missing(files, source, &join(&start, &wanted))?),
        };
        if !is_pattern {
            must_exist(files, source, &item.path, &wanted)?;
        }
        let mut below = Vec::new();
        let walk = Walk { files, root: item.path.len(), include: include.as_ref(), excludes };
        walk.run(&item.path, false, &mut below)?;
        selected.push(Selected { name: name_of(&start).to_vec(), item: Arc::new(item), below });
    }
    Ok(selected)
}

/// `wanted` as a pattern; `None` when it is the start itself, and so everything in it.
fn pattern(source: &str, wanted: &[u8]) -> Result<Option<Pattern>, SelectError> {
    if wanted.is_empty() {
        return Ok(None);
    }
    let pattern = match Pattern::has_wildcards(wanted) {
        true => Pattern::parse_deep(wanted),
        // As everywhere, a path without wildcards is taken as it is.
        false => {
            Pattern::parse_deep(wanted.split(|byte| *byte == b'\\').collect::<Vec<_>>().join(&b"\\\\"[..]))
        }
    };
    let bad = |error: tug_dockerfile::PatternError| SelectError::Pattern {
        source: source.to_owned(),
        reason: error.to_string(),
    };
    pattern.map(Some).map_err(bad)
}

/// Looks for `wanted` below `start` without following links, as the walk will.
fn must_exist(files: &dyn Files, source: &str, start: &[u8], wanted: &[u8]) -> Result<(), SelectError> {
    let mut path = start.to_vec();
    let mut parts = components(wanted).peekable();
    while let Some(part) = parts.next() {
        path = join(&path, part);
        let Some(item) = files.item(&path)? else {
            return Err(missing(files, source, &join(start, wanted))?);
        };
        if let (ItemKind::Symlink { target }, Some(_)) = (&item.kind, parts.peek()) {
            let (link, target) = (String::from_utf8_lossy(&path), String::from_utf8_lossy(target));
            let explanation = format!("`{link}` is a link to `{target}`, and `--parents` follows none");
            let source = source.to_owned();
            return Err(SelectError::Missing { source, explanation: Some(explanation), similar: None });
        }
    }
    Ok(())
}
