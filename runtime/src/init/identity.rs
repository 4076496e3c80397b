//! Which ids a user named in an image has.
//!
//! The names are looked up in the container's own `/etc/passwd` and `/etc/group`, which anybody may have written: a
//! link there stays in the root, anything but a regular file is refused (a fifo would make us wait for ever,
//! CVE-2024-9676), and both a line and a file may only be so long (CVE-2026-47262). No library of the container is
//! loaded to do it.
//!
//! | text        | user                    | group                    | supplementary groups          |
//! | ----------- | ----------------------- | ------------------------ | ----------------------------- |
//! | empty       | 0                       | of user 0, else 0        | of user 0's name              |
//! | `name`      | of its line, must exist | of its line              | every group that lists it     |
//! | `id`        | the id                  | of its line, else 0      | those of its name, if any     |
//! | `…:group`   | as above                | the group, only it       | none                          |
//!
//! An id must fit into 32 bits and must not be 4294967295, which means "no change" to the kernel: text that does not
//! is an error and never becomes root (CVE-2024-40635, CVE-2026-30892).

use std::io::{BufRead, BufReader, Read};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;

use super::walk::{LastLink, Missing, walk};
use crate::Error;
use crate::error::UserKind;

/// Longest line and longest file that are read. Ten thousand users need less than one megabyte.
const LONGEST_LINE: usize = 64 << 10;
const LONGEST_FILE: u64 = 16 << 20;
/// The kernel's own limit.
const MOST_GROUPS: usize = 65536;

/// Who the process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Without `gid`.
    pub(super) groups: Vec<u32>,
    /// Home directory, where the user has a line.
    pub(super) home: Option<Vec<u8>>,
}

/// Looks `text` up in the files of `root`.
pub(super) fn resolve(root: BorrowedFd<'_>, text: &str) -> Result<Identity, Error> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    if group.is_some_and(|group| group.is_empty() || group.contains(':')) {
        return Err(bad(text, "after `:` a group is expected"));
    }
    let user = if user.is_empty() { Wanted::Id(0) } else { wanted(text, user)? };
    let group = group.map(|group| wanted(text, group)).transpose()?;

    let line = user_line(root, &user)?;
    let (uid, name) = match (&line, &user) {
        (Some(line), _) => (line.uid, Some(line.name.as_slice())),
        (None, Wanted::Id(id)) => (*id, None),
        (None, Wanted::Name(name)) => return Err(unknown(UserKind::User, name, PASSWD)),
    };
    let home = line.as_ref().map(|line| line.home.clone());
    let own_group = line.as_ref().map_or(0, |line| line.gid);

    match group {
        Some(Wanted::Id(gid)) => Ok(Identity { uid, gid, groups: Vec::new(), home }),
        Some(Wanted::Name(group)) => {
            let gid = group_id(root, &group)?.ok_or_else(|| unknown(UserKind::Group, &group, GROUP))?;
            Ok(Identity { uid, gid, groups: Vec::new(), home })
        }
        None => {
            let mut groups = name.map_or(Ok(Vec::new()), |name| groups_of(root, name))?;
            groups.retain(|&group| group != own_group);
            Ok(Identity { uid, gid: own_group, groups, home })
        }
    }
}

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

enum Wanted {
    Name(String),
    Id(u32),
}

/// A word of digits is an id; anything else is a name.
fn wanted(text: &str, word: &str) -> Result<Wanted, Error> {
    if word.chars().any(|character| character.is_control() || character == '/') || word.len() > 256 {
        return Err(bad(text, "a name has no control characters and no `/`"));
    }
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Wanted::Name(word.to_owned()));
    }
    match word.parse() {
        Ok(id) if id != u32::MAX && digits.len() == word.len() => Ok(Wanted::Id(id)),
        _ => Err(bad(text, "ids go from 0 to 4294967294")),
    }
}

struct UserLine {
    name: Vec<u8>,
    uid: u32,
    gid: u32,
    home: Vec<u8>,
}

fn user_line(root: BorrowedFd<'_>, user: &Wanted) -> Result<Option<UserLine>, Error> {
    let mut found = None;
    each_line(root, PASSWD, |fields| {
        let [name, _, uid, gid, _, home, ..] = fields else { return Next::Line };
        let (Some(uid), Some(gid)) = (number(uid), number(gid)) else { return Next::Line };
        let matches = match user {
            Wanted::Name(wanted) => *name == wanted.as_bytes(),
            Wanted::Id(wanted) => uid == *wanted,
        };
        if !matches {
            return Next::Line;
        }
        found = Some(UserLine { name: name.to_vec(), uid, gid, home: home.to_vec() });
        Next::Stop
    })?;
    Ok(found)
}

fn group_id(root: BorrowedFd<'_>, name: &str) -> Result<Option<u32>, Error> {
    let mut found = None;
    each_line(root, GROUP, |fields| match fields {
        [group, _, gid, ..] if *group == name.as_bytes() && number(gid).is_some() => {
            found = number(gid);
            Next::Stop
        }
        _ => Next::Line,
    })?;
    Ok(found)
}

fn groups_of(root: BorrowedFd<'_>, user: &[u8]) -> Result<Vec<u32>, Error> {
    let mut groups = Vec::new();
    each_line(root, GROUP, |fields| {
        let [_, _, gid, members, ..] = fields else { return Next::Line };
        if members.split(|&byte| byte == b',').any(|member| member == user)
            && let Some(gid) = number(gid)
            && !groups.contains(&gid)
        {
            groups.push(gid);
        }
        if groups.len() == MOST_GROUPS { Next::Stop } else { Next::Line }
    })?;
    Ok(groups)
}

enum Next {
    Line,
    Stop,
}

/// Gives the fields of each line to `read`. A file that is missing has no lines.
fn each_line(root: BorrowedFd<'_>, path: &str, mut read: impl FnMut(&[&[u8]]) -> Next) -> Result<(), Error> {
    let refused = |reason: &str| Error::UserFile { file: path.to_owned(), reason: reason.to_owned() };
    let file = match open_regular(root, path) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        Err(Errno::INVAL) => return Err(refused("it is not a regular file")),
        Err(errno) => return Err(refused(&crate::Cause::from(errno).to_string())),
    };
    let mut lines = BufReader::new(std::fs::File::from(file).take(LONGEST_FILE));
    let mut line = Vec::new();
    let mut total = 0;
    loop {
        line.clear();
        let length = (&mut lines)
            .take(LONGEST_LINE as u64)
            .read_until(b'\n', &mut line)
            .map_err(|error| refused(&crate::Cause::from(error).to_string()))?;
        total += length as u64;
        if length == 0 {
            return if total >= LONGEST_FILE { Err(refused("it is larger than 16 MiB")) } else { Ok(()) };
        }
        if length == LONGEST_LINE {
            return Err(refused("a line is longer than 64 KiB"));
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let fields: Vec<&[u8]> = text.split(|&byte| byte == b':').collect();
        if let Next::Stop = read(&fields) {
            return Ok(());
        }
    }
}

fn open_regular(root: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, Errno> {
    let place = walk(root, Path::new(path), LastLink::Follow, Missing::Refuse, &mut ())?;
    let (parent, name) = place.parent().ok_or(Errno::INVAL)?;
    if place.kind()? != FileType::RegularFile {
        return Err(Errno::INVAL);
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(parent, name, flags, Mode::empty())?;
    if FileType::from_raw_mode(fstat(&file)?.st_mode) == FileType::RegularFile {
        Ok(file)
    } else {
        Err(Errno::INVAL)
    }
}

fn number(field: &[u8]) -> Option<u32> {
    std::str::from_utf8(field).ok()?.trim().parse().ok().filter(|&id| id != u32::MAX)
}

fn bad(text: &str, reason: &str) -> Error {
    Error::BadUser { text: text.to_owned(), reason: reason.to_owned() }
}

fn unknown(kind: UserKind, name: &str, file: &str) -> Error {
    Error::UnknownUser { kind, name: name.to_owned(), file: file.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    struct Files(tempfile::TempDir);

    impl Files {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            std::fs::create_dir(directory.path().join("etc")).unwrap();
            let files = Self(directory);
            files.write(
                "passwd",
                "root:x:0:0::/root:/bin/sh\nnode:x:1000:1001:Node:/home/node:/bin/sh\nbroken\n",
            );
            files.write(
                "group",
                "root:x:0:\nnode:x:1001:\nwww:x:33:node,other\nstaff:x:50:node\nadm:x:4:other\n",
            );
            files
        }

        fn write(&self, name: &str, contents: &str) {
            std::fs::write(self.0.path().join("etc").join(name), contents).unwrap();
        }

        fn resolve(&self, text: &str) -> Result<Identity, Error> {
            let root: OwnedFd = std::fs::File::open(self.0.path()).unwrap().into();
            resolve(root.as_fd(), text)
        }

        fn ids(&self, text: &str) -> (u32, u32, Vec<u32>) {
            let identity = self.resolve(text).unwrap();
            (identity.uid, identity.gid, identity.groups)
        }
    }

    #[test]
    fn users_and_groups_are_those_of_the_container() {
        let files = Files::new();
        assert_eq!(files.ids(""), (0, 0, vec![]));
        assert_eq!(files.ids("node"), (1000, 1001, vec![33, 50]));
        assert_eq!(files.ids("1000"), (1000, 1001, vec![33, 50]));
        assert_eq!(files.ids("node:www"), (1000, 33, vec![]));
        assert_eq!(files.ids("node:77"), (1000, 77, vec![]));
        assert_eq!(files.ids("4242"), (4242, 0, vec![]));
        assert_eq!(files.ids("4242:www"), (4242, 33, vec![]));
        assert_eq!(files.ids(":www"), (0, 33, vec![]));
        assert_eq!(files.resolve("node").unwrap().home.unwrap(), b"/home/node");
    }

    #[test]
    fn a_text_that_names_nobody_is_an_error_and_never_root() {
        let files = Files::new();
        for text in [
            "4294967296",
            "4294967295",
            "-1",
            "+5",
            "99999999999999999999",
            "node:",
            "node:www:x",
            "a/b",
            "1000:-1",
        ] {
            assert!(matches!(files.resolve(text), Err(Error::BadUser { .. })), "{text}");
        }
        assert!(matches!(files.resolve("nobody"), Err(Error::UnknownUser { kind: UserKind::User, .. })));
        assert!(matches!(
            files.resolve("node:nobody"),
            Err(Error::UnknownUser { kind: UserKind::Group, .. })
        ));
    }

    #[test]
    fn without_the_files_only_numbers_work() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files(directory);
        assert_eq!(files.ids("7:8"), (7, 8, vec![]));
        assert_eq!(files.ids(""), (0, 0, vec![]));
        assert!(files.resolve("root").is_err());
    }

    #[test]
    fn a_fifo_or_an_endless_line_is_refused_and_read_no_further() {
        let files = Files::new();
        files.write("passwd", &"x".repeat(LONGEST_LINE * 2));
        assert!(matches!(files.resolve("node"), Err(Error::UserFile { .. })));
        let path = files.0.path().join("etc/passwd");
        std::fs::remove_file(&path).unwrap();
        let fifo = Mode::from_raw_mode(0o644);
        rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, fifo, 0).unwrap();
        assert!(matches!(files.resolve("node"), Err(Error::UserFile { .. })));
    }

    #[test]
    fn a_file_beyond_all_measure_is_refused() {
        let files = Files::new();
        let file = std::fs::File::create(files.0.path().join("etc/passwd")).unwrap();
        file.set_len(1 << 30).unwrap();
        assert!(matches!(files.resolve("node"), Err(Error::UserFile { .. })));
        files.write("passwd", &"a:x:1:1::/:\n".repeat(1_500_000));
        assert!(matches!(files.resolve("node"), Err(Error::UserFile { .. })));
    }
}
