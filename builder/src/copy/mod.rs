//! COPY and ADD: from sources to a layer, with nothing in between.
//!
//! Sources go straight from where they are into the layer's tar, and into its folder when a RUN will need it. What
//! goes by must be what the key was made of: a file that changed meanwhile is noticed by its digest.

pub(crate) mod archive;
mod inputs;
mod mounted;
pub(crate) mod owner;
mod parents;
mod remote;
mod select;
mod target;
mod write;

use std::ops::Range;
use std::sync::Arc;

use tug_dockerfile::Ignore;
use tug_layer_store::{Layer, Mtime, NewEntry, Store, View};

use crate::cancel::Cancel;
use crate::error::{Error, Problem};
use crate::files::{Files, Layered};
use crate::plan::{CopyAction, CopyFrom, CopySource};
use crate::remote::Remotes;
use owner::OwnerError;
pub use owner::owner_in;
use remote::Remote;
use select::{SelectError, Selected};
use target::{Content, NewDirectory, Ownership, Planned, Target, TargetError, landing};

pub(crate) use inputs::{add_inputs, depends_on_below};
pub(crate) use mounted::Mounted;

/// The mode of files that stand in the Dockerfile itself.
const INLINE_MODE: u32 = 0o644;

/// Why a COPY came to nothing.
#[derive(Debug)]
pub(crate) enum CopyError {
    /// It is at a place in the Dockerfile.
    Problem(Problem),
    /// Something else.
    Failed(Error),
}

impl From<Error> for CopyError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<tug_layer_store::Error> for CopyError {
    fn from(error: tug_layer_store::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// The sources of a COPY, found.
pub(crate) struct Sources {
    files: Arc<dyn Files>,
    found: Vec<Source>,
    /// What the user should know of sources that came to nothing.
    pub(crate) warnings: Vec<String>,
}

enum Source {
    Selected(Vec<Selected>),
    Inline {
        name: String,
        text: String,
    },
    /// From elsewhere.
    Remote(Box<Remote>),
}

/// Finds the sources of `action` in `files`, and their digests. `place` says what `files` are.
pub(crate) fn find(
    action: &CopyAction,
    files: Arc<dyn Files>,
    place: &str,
    remotes: &Remotes,
    cancel: &Cancel,
) -> Result<Sources, CopyError> {
    let excludes = Ignore::from_patterns(&action.exclude).map_err(|error| {
        CopyError::Problem(Problem::new(0..0, format!("`--exclude` is not a pattern: {}", error.kind)))
    })?;
    let (mut found, mut warnings) = (Vec::new(), Vec::new());
    for source in &action.sources {
        match source {
            CopySource::Inline { name, text } => {
                found.push(Source::Inline { name: name.clone(), text: text.clone() });
            }
            CopySource::Remote(source) => {
                found.push(Source::Remote(Box::new(Remote::look(source, remotes)?)));
            }
            CopySource::Path { path, span } => {
                let selected = match action.parents {
                    true => parents::select(&*files, path, &excludes),
                    false => select::select(&*files, path, &excludes),
                };
                let selected = selected.map_err(|error| select_error(error, span, place))?;
                select::hash(&*files, &selected, cancel)?;
                let is_nothing = |one: &Selected| action.parents && one.below.is_empty();
                if selected.iter().all(is_nothing) {
                    let but_excluded = if excludes.is_empty() { "" } else { " that is not excluded" };
                    warnings.push(format!("`{path}` matches nothing{but_excluded}, so nothing is copied"));
                }
                found.push(Source::Selected(selected));
            }
        }
    }
    Ok(Sources { files, found, warnings })
}

/// Where a layer is made, and how.
pub(crate) struct CopyContext<'a> {
    pub store: &'a Store,
    pub remotes: &'a Remotes,
    pub cancel: &'a Cancel,
    /// The tree of the layers below.
    pub below: View,
    pub materialise: bool,
    /// The time of directories that are made.
    pub now: i64,
    /// No file is younger than this, and files of a context are just as old.
    pub clamp: Option<i64>,
    /// The place of the instruction.
    pub span: Range<usize>,
}

/// Makes the layer of `action`.
pub(crate) fn copy(
    context: &CopyContext<'_>,
    action: &CopyAction,
    sources: &Sources,
) -> Result<Layer, CopyError> {
    let below = Arc::new(Layered::new(context.below.clone()));
    let chown = match &action.chown {
        None => None,
        Some(text) => Some(
            owner::look_up(&*below, text)
                .map_err(|error| owner_error(error, "--chown=", &action.chown_span))?,
        ),
    };
    let keep = matches!(action.from, CopyFrom::Layers(_));
    // When somebody checked out a context says nothing about it, and would make another image on every machine.
    let time = if keep { None } else { context.clamp.map(Mtime::from_seconds) };
    let ownership = Ownership { chown, chmod: action.chmod.clone(), keep, time, parents: action.parents };
    let mut target = Target::new((!action.link).then_some(below), context.now());
    let is_slashed = action.destination.ends_with('/');
    let destination = target.resolve(action.destination.as_bytes())?;
    let failed = |error: TargetError| target_error(error, &context.span);
    let new = ownership.of_new();
    for source in &sources.found {
        let fetched;
        let (files, selected, unpack) = match source {
            Source::Selected(selected) => (&sources.files, selected, action.unpack),
            Source::Remote(remote) => {
                fetched = remote.fetch(context, action)?;
                (&fetched.files, &fetched.selected, fetched.unpack)
            }
            Source::Inline { name, text } => {
                let path = place_inline(&mut target, &destination, is_slashed, name, new).map_err(failed)?;
                target.put(inline(&path, text, &ownership, context.now()));
                continue;
            }
        };
        for one in selected {
            if unpack
                && let Some(archive) = archive::open(context.store, &**files, &one.item, context.cancel)?
            {
                target.make_directories(&destination, ownership.of_archive()).map_err(failed)?;
                archive::unpack(&Arc::new(archive), &mut target, &destination, &ownership).map_err(failed)?;
                continue;
            }
            put_selected(&mut target, files, one, &destination, is_slashed, &ownership).map_err(failed)?;
        }
    }
    write::write(context, target)
}

/// Makes the layer of WORKDIR: the directory at `path`, unless it is there. What has to be made is `0755` and belongs
/// to `user`.
pub(crate) fn make_directory(context: &CopyContext<'_>, path: &str, user: &str) -> Result<Layer, CopyError> {
    let below = Arc::new(Layered::new(context.below.clone()));
    let mut target = Target::new(Some(Arc::clone(&below)), context.now());
    let path = target.resolve(path.as_bytes())?;
    if !target.is_directory(&path) {
        let owner = match user {
            "" => (0, 0),
            user => {
                owner::look_up(&*below, user).map_err(|error| owner_error(error, "USER ", &context.span))?
            }
        };
        let new = NewDirectory::plain(owner);
        target.make_directories(&path, new).map_err(|error| target_error(error, &context.span))?;
    }
    write::write(context, target)
}

impl CopyContext<'_> {
    fn now(&self) -> Mtime {
        Mtime { seconds: self.now, nanos: 0 }
    }
}

/// Puts one source, a file or the content of a directory.
fn put_selected(
    target: &mut Target,
    files: &Arc<dyn Files>,
    selected: &Selected,
    destination: &[u8],
    is_slashed: bool,
    ownership: &Ownership,
) -> Result<(), TargetError> {
    let new = ownership.of_new();
    target.forget_links();
    if !selected.item.is_directory() {
        let path = place(target, destination, is_slashed, &selected.name, new)?;
        return target.copy(files, &selected.item, &path, ownership);
    }
    target.must_be_free(destination)?;
    target.make_directories(destination, new)?;
    let root = selected.item.path.len() + usize::from(!selected.item.path.is_empty());
    for item in &selected.below {
        target.copy(files, item, &crate::files::join(destination, &item.path[root..]), ownership)?;
    }
    Ok(())
}

/// The path in which a single file lands, with everything above it made.
fn place(
    target: &mut Target,
    destination: &[u8],
    is_slashed: bool,
    name: &[u8],
    new: NewDirectory,
) -> Result<Vec<u8>, TargetError> {
    let path = landing(target, destination, is_slashed, name)?;
    target.make_directories(crate::files::parent_of(&path), new)?;
    Ok(path)
}

/// The path in which a here-document lands. In a directory it has its own name, which must be one.
fn place_inline(
    target: &mut Target,
    destination: &[u8],
    is_slashed: bool,
    name: &str,
    new: NewDirectory,
) -> Result<Vec<u8>, TargetError> {
    let is_inside = is_slashed || target.is_directory(destination);
    if is_inside && (name.contains('/') || matches!(name, "." | "..")) {
        return Err(TargetError::NoName(name.to_owned()));
    }
    let path = place(target, destination, is_slashed, name.as_bytes(), new)?;
    match target.is_directory(&path) {
        true => Err(TargetError::FileOverDirectory(format!("/{}", path.escape_ascii()))),
        false => Ok(path),
    }
}

fn inline(path: &[u8], text: &str, ownership: &Ownership, now: Mtime) -> Planned {
    let (uid, gid) = ownership.owner_of(0, 0);
    let mut entry = NewEntry::file(path, ownership.mode_of(INLINE_MODE, false, false), text.len() as u64);
    (entry.uid, entry.gid, entry.mtime) = (uid, gid, now);
    Planned { entry, content: Content::Bytes(Arc::new(text.as_bytes().to_vec())) }
}

fn select_error(error: SelectError, span: &Range<usize>, place: &str) -> CopyError {
    match error {
        SelectError::Failed(error) => CopyError::Failed(error),
        SelectError::Pattern { source, reason } => {
            CopyError::Problem(Problem::new(span.clone(), format!("`{source}` is not a pattern: {reason}")))
        }
        SelectError::Missing { source, explanation, similar } => {
            let mut problem = Problem::new(span.clone(), format!("`{source}` is not in {place}"));
            problem.help = similar.map(|name| format!("did you mean `{name}`?"));
            problem.label = explanation.or(Some("no such file or directory".to_owned()));
            CopyError::Problem(problem)
        }
    }
}

fn owner_error(error: OwnerError, what: &str, span: &Range<usize>) -> CopyError {
    let problem = |message: String| Problem::new(span.clone(), message);
    CopyError::Problem(match error {
        OwnerError::Failed(error) => return CopyError::Failed(error),
        OwnerError::Malformed(text) => {
            problem(format!("`{what}{text}` is not an owner: expected `user` or `user:group`"))
        }
        OwnerError::User(name) => problem(format!("no user `{name}` in the image's `/etc/passwd`"))
            .help("make the user in an earlier step, or use its number"),
        OwnerError::Group(name) => problem(format!("no group `{name}` in the image's `/etc/group`"))
            .help("make the group in an earlier step, or use its number"),
    })
}

fn target_error(error: TargetError, span: &Range<usize>) -> CopyError {
    let problem = |message: String| CopyError::Problem(Problem::new(span.clone(), message));
    match error {
        TargetError::Failed(error) => CopyError::Failed(error),
        TargetError::NotADirectory(path) => {
            problem(format!("cannot make the directory `{path}`: something else is there"))
        }
        TargetError::DirectoryOverFile(path) => problem(format!(
            "cannot copy a directory to `{path}`: something that is not a directory is there"
        )),
        TargetError::FileOverDirectory(path) => {
            problem(format!("cannot copy a file to `{path}`: a directory is there"))
        }
        TargetError::NothingToLink { path, target } => {
            problem(format!("`{path}` is a link to `{target}` in the archive, and no file is there"))
        }
        TargetError::Several(path) => CopyError::Problem(
            Problem::new(span.clone(), format!("several sources match, but `{path}` is not a directory"))
                .help("end the destination with `/`"),
        ),
        TargetError::NoName(name) => CopyError::Problem(
            Problem::new(span.clone(), format!("the here-document `{name}` cannot be a file of that name"))
                .help("name the whole path of the file as the destination"),
        ),
        TargetError::Reserved(path) => problem(format!(
            "`{path}` cannot be in an image: names that start with `.wh.` mark what a layer removes"
        )),
    }
}
