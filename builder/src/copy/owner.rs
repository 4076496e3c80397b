//! `--chown` and the owner of new directories: names are looked up in the image's own files.
//!
//! Numbers need no files. A user alone brings the group of its `/etc/passwd` line; a number alone, with or without a
//! line, is its own group. A name that is not there is an error: BuildKit makes the files root's without a word.

use std::io::{BufRead, BufReader, Read};

use tug_layer_store::View;

use crate::error::Error;
use crate::files::{Files, ItemKind, Layered, resolve};

/// More than any real user file; beyond it nobody is found.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;
const LONGEST_LINE: u64 = 64 * 1024;

/// Why an owner is not known.
#[derive(Debug)]
pub(crate) enum OwnerError {
    /// The text is not `user[:group]`.
    Malformed(String),
    /// There is no such user.
    User(String),
    /// There is no such group.
    Group(String),
    /// The files could not be read.
    Failed(Error),
}

impl From<Error> for OwnerError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// The numbers of `text`, `user[:group]`, in the image whose files are `files`.
pub(crate) fn look_up(files: &dyn Files, text: &str) -> Result<(u32, u32), OwnerError> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    if user.is_empty() || group.is_some_and(|group| group.is_empty() || group.contains(':')) {
        return Err(OwnerError::Malformed(text.to_owned()));
    }
    let (uid, own_group) = match number(user)? {
        Some(uid) => (uid, uid),
        None => find_user(files, user)?.ok_or_else(|| OwnerError::User(user.to_owned()))?,
    };
    let gid = match group {
        None => own_group,
        Some(group) => match number(group)? {
            Some(gid) => gid,
            None => find_group(files, group)?.ok_or_else(|| OwnerError::Group(group.to_owned()))?,
        },
    };
    Ok((uid, gid))
}

/// The numbers of `text`, `user[:group]`, in an image, as `COPY --chown` finds them: names are those of its `/etc/passwd` and
/// `/etc/group`.
///
/// # Errors
/// A sentence about what is no owner, or is not in these files.
pub fn owner_in(image: View, text: &str) -> Result<(u32, u32), String> {
    look_up(&Layered::new(image), text).map_err(|error| match error {
        OwnerError::Malformed(text) => format!("`{text}` is not an owner: expected `user` or `user:group`"),
        OwnerError::User(name) => format!("no user `{name}` in the image's `/etc/passwd`"),
        OwnerError::Group(name) => format!("no group `{name}` in the image's `/etc/group`"),
        OwnerError::Failed(error) => error.to_string(),
    })
}

/// Whether `text` is a number, for which no file is looked at.
pub(crate) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `Ok(None)` for what is no number; a number that no id can have is an error, never root.
fn number(text: &str) -> Result<Option<u32>, OwnerError> {
    if !is_number(text) {
        return Ok(None);
    }
    let id: Option<u32> = text.parse().ok().filter(|id| *id < u32::MAX);
    id.map(Some).ok_or_else(|| OwnerError::Malformed(text.to_owned()))
}

fn find_user(files: &dyn Files, name: &str) -> Result<Option<(u32, u32)>, Error> {
    let mut found = None;
    each_line(files, b"etc/passwd", &mut |line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return false;
        }
        let mut id = || fields.next().and_then(|text| text.parse().ok());
        let _password: Option<u32> = id();
        if let (Some(uid), Some(gid)) = (id(), id()) {
            found = Some((uid, gid));
        }
        true
    })?;
    Ok(found)
}

fn find_group(files: &dyn Files, name: &str) -> Result<Option<u32>, Error> {
    let mut found = None;
    each_line(files, b"etc/group", &mut |line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return false;
        }
        found = fields.nth(1).and_then(|text| text.parse().ok());
        true
    })?;
    Ok(found)
}

/// Calls `take` for each line until it says that it is done. What is not a regular file has no lines.
fn each_line(files: &dyn Files, path: &[u8], take: &mut dyn FnMut(&str) -> bool) -> Result<(), Error> {
    let Some(item) = files.item(&resolve(files, path)?)? else { return Ok(()) };
    if !matches!(item.kind, ItemKind::File { .. }) {
        return Ok(());
    }
    let mut reader = BufReader::new(files.open(&item)?.take(LARGEST_FILE));
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        let count = read.map_err(|error| Error::Context(format!("could not read a user file: {error}")))?;
        if count == 0 || take(String::from_utf8_lossy(&line).trim_end()) {
            return Ok(());
        }
    }
}
