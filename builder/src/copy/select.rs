//! Which items the sources of COPY and ADD name.
//!
//! A source is a path from the root of the context, stage or image. Its links are followed inside that root, the last
//! one too; links further down are copied as links. A source with wildcards may match nothing, one without must exist.
//!
//! `--exclude` holds its patterns against paths below a directory that is a source, and against the name of a file that
//! is one, as the documentation of Dockerfiles says; BuildKit leaves such files in.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tug_dockerfile::{Ignore, Pattern, closest};

use crate::cancel::Cancel;
use crate::error::Error;
use crate::files::{Files, Item, ItemKind, clean, components, join, name_of, resolve};
use crate::parallel;

/// One source, found.
#[derive(Debug)]
pub(crate) struct Selected {
    /// The name it has when it lands in a directory: the last part of the path as it was written or matched.
    pub name: Vec<u8>,
    /// The item itself.
    pub item: Arc<Item>,
    /// For a directory: everything below it that is not excluded, in walk order, with paths from the root.
    pub below: Vec<Arc<Item>>,
}

impl Selected {
    /// What of it lands: the item itself, or what a directory holds.
    pub(crate) fn landing(&self) -> &[Arc<Item>] {
        match self.item.is_directory() {
            true => &self.below,
            false => std::slice::from_ref(&self.item),
        }
    }
}

/// What can be wrong with a source.
#[derive(Debug)]
pub(crate) enum SelectError {
    /// There is no such path; maybe an explanation, maybe a similar name.
    Missing { source: String, explanation: Option<String>, similar: Option<String> },
    /// A pattern is not one.
    Pattern { source: String, reason: String },
    /// Looking failed.
    Failed(Error),
}

impl From<Error> for SelectError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Finds what `source` names in `files`; more than one item only when it has wildcards.
pub(crate) fn select(
    files: &dyn Files,
    source: &str,
    excludes: &Ignore,
) -> Result<Vec<Selected>, SelectError> {
    let path = clean(source.as_bytes());
    let is_pattern = components(&path).any(Pattern::has_wildcards);
    let paths = if is_pattern { matches(files, source, &path)? } else { vec![path] };
    let mut selected = Vec::with_capacity(paths.len());
    for path in paths {
        match at(files, &path, excludes)? {
            Found::Selected(one) => selected.push(one),
            Found::Excluded => {}
            Found::Nothing if is_pattern => {}
            Found::Nothing => return Err(missing(files, source, &path)?),
        }
    }
    Ok(selected)
}

/// Finds what is at the path `source`, in which no character has a meaning of its own.
pub(crate) fn select_one(files: &dyn Files, source: &str) -> Result<Selected, SelectError> {
    let path = clean(source.as_bytes());
    match at(files, &path, &Ignore::default())? {
        Found::Selected(one) => Ok(one),
        Found::Excluded | Found::Nothing => Err(missing(files, source, &path)?),
    }
}

/// What is at a path.
enum Found {
    Selected(Selected),
    /// A file that is excluded.
    Excluded,
    Nothing,
}

fn at(files: &dyn Files, path: &[u8], excludes: &Ignore) -> Result<Found, Error> {
    let Some(item) = files.item(&resolve(files, path)?)? else { return Ok(Found::Nothing) };
    let mut below = Vec::new();
    if item.is_directory() {
        Walk { files, root: item.path.len(), include: None, excludes }.all(&item.path, &mut below)?;
    } else if excludes.matches(name_of(path)).ignored {
        return Ok(Found::Excluded);
    }
    Ok(Found::Selected(Selected { name: name_of(path).to_vec(), item: Arc::new(item), below }))
}

/// Finds the digests of all files that were selected, by as many threads as there are processors.
pub(crate) fn hash(files: &dyn Files, selected: &[Selected], cancel: &Cancel) -> Result<(), Error> {
    const WORTH_A_THREAD: usize = 64;
    let is_open =
        |item: &&Arc<Item>| matches!(item.kind, ItemKind::File { .. }) && item.digest.get().is_none();
    let items: Vec<&Arc<Item>> = selected.iter().flat_map(Selected::landing).filter(is_open).collect();
    let threads = parallel::threads(items.len() / WORTH_A_THREAD);
    parallel::each(threads, items.chunks(WORTH_A_THREAD / 2), |some| {
        for item in some {
            let digest = files.digest(item, cancel)?;
            item.digest.get_or_init(|| digest);
        }
        Ok(())
    })
}

/// A walk below a source.
pub(super) struct Walk<'a> {
    pub(super) files: &'a dyn Files,
    /// The length of the path from which patterns are seen.
    pub(super) root: usize,
    /// What is taken, with everything in it; `None` takes all.
    pub(super) include: Option<&'a Pattern>,
    /// What is left out of that.
    pub(super) excludes: &'a Ignore,
}

impl Walk<'_> {
    /// As [`Self::run`], below a source that is taken. Where all is taken from a folder, a second thread reads it from the other end: what
    /// it has read, the walk need not.
    pub(super) fn all(&self, directory: &[u8], found: &mut Vec<Arc<Item>>) -> Result<(), Error> {
        let takes_all = self.include.is_none() && self.excludes.is_empty();
        if !takes_all || !self.files.remembers() || parallel::threads(2) == 1 {
            return self.run(directory, true, found);
        }
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| read_ahead(self.files, directory, &is_over));
            let walked = self.run(directory, true, found);
            is_over.store(true, Ordering::Relaxed);
            walked
        })
    }

    /// Adds what is taken below `directory` to `found`; `inside` says that something above it was included. A directory
    /// that is not taken comes along for what is taken in it.
    pub(super) fn run(
        &self,
        directory: &[u8],
        inside: bool,
        found: &mut Vec<Arc<Item>>,
    ) -> Result<(), Error> {
        for item in self.files.children(directory)? {
            let relative = &item.path[self.root + usize::from(self.root > 0)..];
            let inside = inside || self.include.is_none_or(|pattern| pattern.matches(relative));
            let is_excluded = !self.excludes.is_empty() && self.excludes.matches(relative).ignored;
            let is_taken = inside && !is_excluded;
            let may_hold = || {
                (inside || self.include.is_some_and(|pattern| pattern.could_match_below(relative)))
                    && (!is_excluded || self.excludes.may_have_exceptions_below(relative))
            };
            let enters = item.is_directory() && may_hold();
            if !is_taken && !enters {
                continue;
            }
            let (path, place) = (item.path.clone(), found.len());
            found.push(item);
            if enters {
                self.run(&path, inside, found)?;
            }
            if !is_taken && found.len() == place + 1 {
                found.pop();
            }
        }
        Ok(())
    }
}

/// Reads what is below a directory, the last first, until the walk `is_over`. What goes wrong, the walk meets again.
fn read_ahead(files: &dyn Files, directory: &[u8], is_over: &AtomicBool) {
    let children = files.children(directory).unwrap_or_default();
    for child in children.iter().rev().filter(|child| child.is_directory()) {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        read_ahead(files, &child.path, is_over);
    }
}

/// Expands wildcards part by part, so that only directories that can match are read.
pub(super) fn matches(files: &dyn Files, source: &str, path: &[u8]) -> Result<Vec<Vec<u8>>, SelectError> {
    let mut found: Vec<Vec<u8>> = vec![Vec::new()];
    for part in components(path) {
        if !Pattern::has_wildcards(part) {
            found.iter_mut().for_each(|directory| *directory = join(directory, part));
            continue;
        }
        let pattern = Pattern::parse(part)
            .map_err(|error| SelectError::Pattern { source: source.to_owned(), reason: error.to_string() })?;
        let mut next = Vec::new();
        for directory in found {
            let resolved = resolve(files, &directory)?;
            let is_directory =
                resolved.is_empty() || files.item(&resolved)?.is_some_and(|item| item.is_directory());
            if !is_directory {
                continue;
            }
            let children = files.children(&resolved)?;
            let named = children.iter().filter(|item| pattern.matches(item.name()));
            next.extend(named.map(|item| join(&directory, item.name())));
        }
        found = next;
    }
    Ok(found)
}

pub(super) fn missing(files: &dyn Files, source: &str, path: &[u8]) -> Result<SelectError, Error> {
    let source = source.to_owned();
    if let Some(Item { kind: ItemKind::Symlink { target }, .. }) = files.item(path)? {
        let target = String::from_utf8_lossy(&target);
        let explanation = Some(format!("it is a link to `{target}`, which leads to nothing there"));
        return Ok(SelectError::Missing { source, explanation, similar: None });
    }
    let parent = crate::files::parent_of(path);
    let wanted = String::from_utf8_lossy(name_of(path)).into_owned();
    let children: Vec<String> = files
        .children(parent)
        .unwrap_or_default()
        .iter()
        .map(|item| String::from_utf8_lossy(item.name()).into_owned())
        .collect();
    let names: Vec<&str> = children.iter().map(String::as_str).collect();
    let similar = closest(&wanted, &names)
        .map(|name| Path::new(&*String::from_utf8_lossy(parent)).join(name).display().to_string());
    Ok(SelectError::Missing { source, explanation: files.hidden(path), similar })
}
