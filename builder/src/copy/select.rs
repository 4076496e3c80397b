//! Which items the sources of COPY and ADD name.
//!
//! A source is a path from the root of the context, stage or image. Its links are followed inside that root, the last
//! one too; links further down are copied as links. A source with wildcards may match nothing, one without must exist.

use std::collections::HashMap;
use std::path::Path;

use tug_dockerfile::{Ignore, Pattern, closest};

use crate::error::Error;
use crate::files::{Files, Item, ItemKind, clean, components, join, name_of, resolve};
use crate::key::Inputs;

/// One source, found.
#[derive(Debug)]
pub(crate) struct Selected {
    /// The name it has when it lands in a directory: the last part of the path as it was written or matched.
    pub name: Vec<u8>,
    /// The item itself.
    pub item: Item,
    /// For a directory: everything below it that is not excluded, in walk order, with paths from the root.
    pub below: Vec<Item>,
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
    let paths = match has_wildcards(&path) {
        true => matches(files, source, &path)?,
        false => vec![path],
    };
    let wild = has_wildcards(&clean(source.as_bytes()));
    let mut selected = Vec::with_capacity(paths.len());
    for path in paths {
        let Some(item) = files.item(&resolve(files, &path)?)? else {
            if wild {
                continue;
            }
            return Err(missing(files, source, &path)?);
        };
        let mut below = Vec::new();
        if item.is_directory() {
            let root = item.path.clone();
            walk(files, &root, &item.path, excludes, &mut below)?;
        }
        selected.push(Selected { name: name_of(&path).to_vec(), item, below });
    }
    Ok(selected)
}

/// Adds everything that decides what `selected` puts into a layer.
pub(crate) fn add_inputs(
    files: &dyn Files,
    selected: &[Selected],
    facts: Facts,
    number: usize,
    inputs: &mut Inputs,
) -> Result<(), Error> {
    let names =
        selected.iter().map(|source| format!("{} {}", escaped(&source.name), escaped(&source.item.path)));
    inputs.content(format!("what source {} matches", number + 1), names.collect::<Vec<_>>().join("\n"));
    let all: Vec<&Item> =
        selected.iter().flat_map(|source| std::iter::once(&source.item).chain(&source.below)).collect();
    let mut first_names: HashMap<(u64, u64), &[u8]> = HashMap::new();
    for (item, content) in all.iter().zip(digests(files, &all)?) {
        let first_name = item.link.map(|link| *first_names.entry(link).or_insert(&item.path));
        let first_name = first_name.filter(|first| *first != item.path);
        inputs.content(escaped(&item.path), facts.of(item, content.as_ref(), first_name));
    }
    Ok(())
}

/// Which facts of an item reach the layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// Owners and xattrs: not for contexts.
    pub owner: bool,
    /// Modes: not under an octal `--chmod`.
    pub mode: bool,
}

impl Facts {
    fn of(self, item: &Item, content: Option<&tug_oci::Digest>, first_name: Option<&[u8]>) -> String {
        use crate::files::ItemKind as Kind;
        let mut text = match &item.kind {
            Kind::Directory => "dir".to_owned(),
            Kind::File { size } => {
                format!("file {size} {}", content.map(ToString::to_string).unwrap_or_default())
            }
            Kind::Symlink { target } => format!("link {}", escaped(target)),
            Kind::Fifo => "fifo".to_owned(),
            Kind::CharDevice { major, minor } => format!("char {major}:{minor}"),
            Kind::BlockDevice { major, minor } => format!("block {major}:{minor}"),
            Kind::Socket => "socket".to_owned(),
        };
        if self.mode {
            text.push_str(&format!(" mode {:o}", item.mode));
        }
        if self.owner {
            text.push_str(&format!(" owner {}:{}", item.uid, item.gid));
            for (name, value) in &item.xattrs {
                text.push_str(&format!(" {}={}", escaped(name), tug_oci::Digest::of(value)));
            }
        }
        if let Some(first) = first_name {
            text.push_str(&format!(" also {}", escaped(first)));
        }
        text
    }
}

/// Digests of all files among `items`, by as many threads as there are processors.
fn digests(files: &dyn Files, items: &[&Item]) -> Result<Vec<Option<tug_oci::Digest>>, Error> {
    const WORTH_A_THREAD: usize = 64;
    let one = |item: &&Item| match item.kind {
        ItemKind::File { .. } => files.digest(item).map(Some),
        _ => Ok(None),
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    if items.len() < WORTH_A_THREAD || threads == 1 {
        return items.iter().map(one).collect();
    }
    let next = std::sync::atomic::AtomicUsize::new(0);
    let chunk = WORTH_A_THREAD / 2;
    let parts: Vec<Result<Vec<(usize, Vec<_>)>, Error>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut done = Vec::new();
                    loop {
                        let start = next.fetch_add(chunk, std::sync::atomic::Ordering::Relaxed);
                        if start >= items.len() {
                            return Ok(done);
                        }
                        let end = (start + chunk).min(items.len());
                        done.push((start, items[start..end].iter().map(one).collect::<Result<Vec<_>, _>>()?));
                    }
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("hashing does not panic")).collect()
    });
    let mut all: Vec<(usize, Vec<_>)> = Vec::new();
    for part in parts {
        all.extend(part?);
    }
    all.sort_unstable_by_key(|(start, _)| *start);
    Ok(all.into_iter().flat_map(|(_, digests)| digests).collect())
}

fn walk(
    files: &dyn Files,
    root: &[u8],
    directory: &[u8],
    excludes: &Ignore,
    found: &mut Vec<Item>,
) -> Result<(), Error> {
    for item in files.children(directory)? {
        let relative = match root.is_empty() {
            true => &item.path[..],
            false => &item.path[root.len() + 1..],
        };
        if !excludes.is_empty() && excludes.matches(relative).ignored {
            continue;
        }
        let (path, is_directory) = (item.path.clone(), item.is_directory());
        found.push(item);
        if is_directory {
            walk(files, root, &path, excludes, found)?;
        }
    }
    Ok(())
}

fn has_wildcards(path: &[u8]) -> bool {
    path.iter().any(|byte| b"*?[\\".contains(byte))
}

/// Expands wildcards part by part, so that only directories that can match are read.
fn matches(files: &dyn Files, source: &str, path: &[u8]) -> Result<Vec<Vec<u8>>, SelectError> {
    let mut found: Vec<Vec<u8>> = vec![Vec::new()];
    for part in components(path) {
        let pattern = Pattern::parse(part)
            .map_err(|error| SelectError::Pattern { source: source.to_owned(), reason: error.to_string() })?;
        let mut next = Vec::new();
        for directory in found {
            if !has_wildcards(part) {
                next.push(join(&directory, part));
                continue;
            }
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

fn missing(files: &dyn Files, source: &str, path: &[u8]) -> Result<SelectError, Error> {
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

/// Bytes as text that no two paths share.
fn escaped(path: &[u8]) -> String {
    match std::str::from_utf8(path) {
        Ok(text) if !text.contains('\\') => text.to_owned(),
        _ => path.escape_ascii().to_string(),
    }
}
