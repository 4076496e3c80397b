//! What is mounted into the root, and the empty stubs it is mounted on.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fchmod, fchown, fstat, openat};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

use super::devices::Private;
use super::mounting::{Setting, attach, clone_of, new_file_system};
use super::overlay::merge;
use super::walk::{LastLink, Missing, Place, Witness, is_proc, statx_of, walk};
use crate::control::{Control, Identity, Report, Stub, Time};
use crate::sys::mount::{Attributes, set_attributes};
use crate::{BindSource, Error, ForeignRoot, Mount, MountCause};

/// The root while things are put into it.
pub(super) struct Furnishing<'a> {
    pub(super) root: OwnedFd,
    pub(super) upper: Option<OwnedFd>,
    pub(super) private: &'a Private,
    pub(super) user_namespace: bool,
    pub(super) control: &'a Control,
    /// How many files and other roots there are so far; each needs a name in our private corner.
    pub(super) count: usize,
}

impl Furnishing<'_> {
    /// A directory that every container must have. It is made where it is missing and stays, as with other engines;
    /// a link in its place is refused.
    pub(super) fn system_directory(&self, path: &str) -> Result<OwnedFd, Error> {
        let refused = |cause| Error::Mount { target: PathBuf::from(path), cause };
        let place = walk(self.root.as_fd(), Path::new(path), LastLink::Keep, Missing::MakeDirectory, &mut ())
            .map_err(|errno| refused(target_failed(errno)))?;
        if place.kind().map_err(|errno| refused(target_failed(errno)))? != FileType::Directory {
            return Err(refused(MountCause::NotADirectory));
        }
        place.descriptor().try_clone_to_owned().map_err(|error| Error::system("open a directory", error))
    }

    pub(super) fn mount(&mut self, mount: &Mount) -> Result<(), Error> {
        match mount {
            Mount::Bind { source, target, read_only, recursive } => {
                self.bind(source, target, *read_only, *recursive)
            }
            Mount::Foreign { root, target } => self.foreign(root, target),
            Mount::Tmpfs { target, size, mode } => self.tmpfs(target, *size, *mode),
            Mount::File { target, contents, mode, owner, read_only } => {
                let file = File { contents, mode: *mode, owner: *owner, read_only: *read_only };
                self.file(target, &file)
            }
        }
        .map_err(|cause| Error::Mount { target: mount.target().clone(), cause })
    }

    fn bind(
        &mut self,
        source: &BindSource,
        target: &Path,
        read_only: bool,
        recursive: bool,
    ) -> Result<(), MountCause> {
        let source = open_source(source)?;
        self.attach_view(source.as_fd(), target, read_only, recursive)
    }

    fn foreign(&mut self, foreign: &ForeignRoot, target: &Path) -> Result<(), MountCause> {
        let scratch = self.private_directory()?;
        let merged =
            merge(&foreign.root, self.user_namespace, false, scratch.as_fd()).map_err(
                |error| match error {
                    Error::Overlay { cause, .. } => {
                        MountCause::System { action: "merge its layers".to_owned(), cause }
                    }
                    Error::Source { path, .. } => MountCause::NoSource { path },
                    _ => MountCause::Escapes,
                },
            )?;
        let place = self.private_directory()?;
        attach(&merged.mount, place.as_fd()).map_err(failed("put its layers in place"))?;
        let source = walk(merged.mount.as_fd(), &foreign.path, LastLink::Follow, Missing::Refuse, &mut ())
            .map_err(|errno| source_failed(errno, &foreign.path))?;
        let read_only = foreign.root.read_only || foreign.root.upper.is_none();
        self.attach_view(source.descriptor(), target, read_only, false)
    }

    fn attach_view(
        &mut self,
        source: BorrowedFd<'_>,
        target: &Path,
        read_only: bool,
        recursive: bool,
    ) -> Result<(), MountCause> {
        let kind = FileType::from_raw_mode(fstat(source).map_err(failed("look at the source"))?.st_mode);
        let missing = if kind == FileType::Directory { Missing::MakeDirectory } else { Missing::MakeFile };
        let place = self.target(target, missing)?;
        if (kind == FileType::Directory) != (place.kind().map_err(target_failed)? == FileType::Directory) {
            return Err(MountCause::KindDiffers);
        }
        let view = clone_of(source, recursive).map_err(failed("open the source"))?;
        let attributes = Attributes {
            read_only,
            // A device that is named itself is meant to be used.
            no_devices: !matches!(kind, FileType::CharacterDevice | FileType::BlockDevice),
            private: true,
            recursive,
            ..Attributes::default()
        };
        set_attributes(&view, attributes).map_err(failed("set its flags"))?;
        attach(view, place.descriptor()).map_err(failed("put it in place"))
    }

    fn tmpfs(&mut self, target: &Path, size: Option<u64>, mode: Option<u32>) -> Result<(), MountCause> {
        let there = walk(self.root.as_fd(), target, LastLink::Follow, Missing::Refuse, &mut ()).ok();
        let covered = there.and_then(|place| fstat(place.descriptor()).ok()).map(|stat| stat.st_mode);
        let place = self.target(target, Missing::MakeDirectory)?;
        if place.kind().map_err(target_failed)? != FileType::Directory {
            return Err(MountCause::KindDiffers);
        }
        let mode = format!("{:o}", mode.or(covered).unwrap_or(0o1777) & 0o7777);
        let size = size.map(|size| size.to_string());
        let mut settings = vec![Setting::Text("mode", &mode)];
        if let Some(size) = &size {
            settings.push(Setting::Text("size", size));
        }
        let flags = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
        let mount =
            new_file_system("tmpfs", &settings, flags).map_err(failed("make a file system in memory"))?;
        attach(mount, place.descriptor()).map_err(failed("put it in place"))
    }

    pub(super) fn file(&mut self, target: &Path, file: &File<'_>) -> Result<(), MountCause> {
        let place = self.target(target, Missing::MakeFile)?;
        if place.kind().map_err(target_failed)? == FileType::Directory {
            return Err(MountCause::KindDiffers);
        }
        self.count += 1;
        let name = format!("file-{}", self.count);
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let write = || -> Result<OwnedFd, Errno> {
            let opened = openat(self.private.descriptor(), &name, flags, Mode::from_raw_mode(0o600))?;
            let mut rest = file.contents;
            while !rest.is_empty() {
                rest = &rest[rustix::io::write(&opened, rest)?..];
            }
            let (uid, gid) = file.owner;
            if file.owner != (0, 0) {
                let owner = (Some(rustix::fs::Uid::from_raw(uid)), Some(rustix::fs::Gid::from_raw(gid)));
                match fchown(&opened, owner.0, owner.1) {
                    // Not an id of ours. With one id, whoever that is in the container is we ourselves.
                    Ok(()) | Err(Errno::INVAL) => {}
                    Err(errno) => return Err(errno),
                }
            }
            fchmod(&opened, Mode::from_raw_mode(file.mode & 0o7777))?;
            openat(self.private.descriptor(), &name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        };
        let view = write().and_then(|file| clone_of(file, false)).map_err(failed("write its contents"))?;
        let attributes = Attributes {
            read_only: file.read_only,
            no_devices: true,
            no_execute: file.mode & 0o111 == 0,
            ..Attributes::default()
        };
        set_attributes(&view, attributes).map_err(failed("set its flags"))?;
        attach(view, place.descriptor()).map_err(failed("put it in place"))
    }

    fn private_directory(&mut self) -> Result<OwnedFd, MountCause> {
        self.count += 1;
        self.private.directory(&format!("view-{}", self.count)).map_err(failed("make a directory"))
    }

    /// The place to mount on, made where it is missing.
    fn target(&self, path: &Path, missing: Missing) -> Result<Place, MountCause> {
        let mut recorder = Recorder {
            root: self.root.as_fd(),
            upper: self.upper.as_ref().map(AsFd::as_fd),
            control: self.control,
        };
        let place =
            walk(self.root.as_fd(), path, LastLink::Follow, missing, &mut recorder).map_err(target_failed)?;
        if place.is_root() {
            return Err(MountCause::Reserved);
        }
        // A mount inside `/proc` would make parts of it lie to the runtime (CVE-2019-19921, CVE-2025-52881).
        if is_proc(place.descriptor()).map_err(target_failed)? {
            return Err(MountCause::Reserved);
        }
        Ok(place)
    }
}

/// A file with given contents.
pub(super) struct File<'a> {
    pub(super) contents: &'a [u8],
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
    pub(super) read_only: bool,
}

/// Tells our parent of every stub that lands in the upper directory.
struct Recorder<'a> {
    root: BorrowedFd<'a>,
    upper: Option<BorrowedFd<'a>>,
    control: &'a Control,
}

impl Witness for Recorder<'_> {
    fn made(&mut self, path: &Path, parent: BorrowedFd<'_>, before: &Stat) -> Result<(), Errno> {
        let Some(upper) = self.upper else { return Ok(()) };
        let here = Path::new("");
        // What was made in another mount, a volume for example, is not in our upper directory.
        if statx_of(parent, here)?.stx_mnt_id != statx_of(self.root, here)?.stx_mnt_id {
            return Ok(());
        }
        let made = statx_of(upper, path)?;
        let after = fstat(parent)?;
        let stub = Stub {
            path: path.to_owned(),
            directory: FileType::from_raw_mode(made.stx_mode.into()) == FileType::Directory,
            identity: Identity::of(&made),
            parent_before: Time::modified(before),
            parent_after: Time::modified(&after),
        };
        self.control.send(&Report::Stub(stub))
    }
}

fn open_source(source: &BindSource) -> Result<OwnedFd, MountCause> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    match source {
        BindSource::Path(path) => {
            openat(CWD, path, flags, Mode::empty()).map_err(|errno| source_failed(errno, path))
        }
        BindSource::Beneath { root, path } => {
            let root = openat(CWD, root, flags | OFlags::DIRECTORY, Mode::empty())
                .map_err(|errno| source_failed(errno, root))?;
            let place = walk(root.as_fd(), path, LastLink::Follow, Missing::Refuse, &mut ())
                .map_err(|errno| source_failed(errno, path))?;
            place.descriptor().try_clone_to_owned().map_err(|_| MountCause::Escapes)
        }
    }
}

fn source_failed(errno: Errno, path: &Path) -> MountCause {
    match errno {
        Errno::NOENT | Errno::NOTDIR => MountCause::NoSource { path: path.to_owned() },
        Errno::LOOP => MountCause::Escapes,
        _ => MountCause::System { action: "open its source".to_owned(), cause: errno.into() },
    }
}

pub(super) fn target_failed(errno: Errno) -> MountCause {
    match errno {
        Errno::LOOP => MountCause::Escapes,
        Errno::ROFS => MountCause::ReadOnlyRoot,
        Errno::NOTDIR => MountCause::NotADirectory,
        _ => MountCause::System { action: "make the place to mount on".to_owned(), cause: errno.into() },
    }
}

fn failed(action: &str) -> impl FnOnce(Errno) -> MountCause {
    let action = action.to_owned();
    move |errno| MountCause::System { action, cause: errno.into() }
}
