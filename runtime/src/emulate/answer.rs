//! The desk where the calls arrive.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use rustix::process::Pid;

use super::calls::{Call, Width, known};
use super::create::{Made, Maker};
use super::identity::{Change, Identity, Ids, Kind, SAME};
use super::owners::Owners;
use super::processes::Processes;
use super::status::{self, Form};
use super::view::{Spot, View, read_path};
use crate::OwnerTable;
use crate::sys::notify::{Listener, Notification, Reply, read_memory};

/// The kernel's limit on supplementary groups.
const MOST_GROUPS: u64 = 65536;

pub(super) struct Desk<'a> {
    listener: &'a Listener,
    view: View,
    processes: Processes,
    owners: Owners,
}

impl<'a> Desk<'a> {
    pub(super) fn new(
        listener: &'a Listener,
        init: Pid,
        first: Identity,
        upper: Option<&Path>,
    ) -> Result<Self, Errno> {
        let view = View::new(init, upper)?;
        let proc = view.proc().try_clone().map_err(|_| Errno::MFILE)?;
        Ok(Self { listener, view, processes: Processes::new(proc, first), owners: Owners::default() })
    }

    pub(super) fn into_owners(self) -> OwnerTable {
        self.owners.into_table()
    }

    /// Answers until nobody is left who could ask.
    pub(super) fn serve(&mut self) {
        while let Some(asked) = self.listener.receive() {
            let Some((call, width)) = known(asked.architecture, asked.number) else {
                self.listener.reply(asked.id, Reply::Continue);
                continue;
            };
            match self.answer(&asked, call, width) {
                Ok(Answer::Reply(reply)) => self.listener.reply(asked.id, reply),
                Ok(Answer::File { file, close_on_execute }) => {
                    self.listener.reply_with(asked.id, file.as_fd(), close_on_execute);
                }
                Err(errno) => self.listener.reply(asked.id, Reply::Fail(errno)),
            }
        }
    }

    fn answer(&mut self, asked: &Notification, call: Call, width: Width) -> Result<Answer, Errno> {
        let [a, b, c, d, ..] = asked.arguments;
        let thread = asked.thread;
        let id = |argument: u64| widened(argument, width);
        let change = match call {
            Call::Chown { follow } => {
                return self.chown_path(asked, libc::AT_FDCWD, a, (id(b), id(c)), follow);
            }
            Call::Fchown => return self.chown_descriptor(asked, a as i32, (id(b), id(c))),
            Call::FchownAt => return self.chown_at(asked, (id(c), id(d))),
            Call::SetOne(kind) => Change::One(kind, id(a)),
            Call::SetTwo(kind) => Change::Two(kind, id(a), id(b)),
            Call::SetThree(kind) => Change::Three(kind, id(a), id(b), id(c)),
            Call::SetFile(kind) => Change::File(kind, id(a)),
            Call::SetGroups => Change::Groups(read_groups(thread, a, b, width)?),
            Call::Control => Change::KeepCapabilities(b != 0),
            Call::GetReal(kind) => return Ok(value(ids(&self.processes.identity(thread), kind).real)),
            Call::GetEffective(kind) => {
                return Ok(value(ids(&self.processes.identity(thread), kind).effective));
            }
            Call::GetThree(kind) => {
                let ids = ids(&self.processes.identity(thread), kind);
                for (address, id) in [(a, ids.real), (b, ids.effective), (c, ids.saved)] {
                    self.write(asked, address, &bytes_of_ids(&[id], width))?;
                }
                return Ok(Answer::Reply(Reply::Value(0)));
            }
            Call::GetGroups => return self.groups(asked, a as i32, b, width),
            Call::Open { at: false } => return self.open(asked, libc::AT_FDCWD, a, (b, c)),
            Call::Open { at: true } => return self.open(asked, a as i32, b, (c, d)),
            Call::Create => {
                let flags = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;
                return self.open(asked, libc::AT_FDCWD, a, (flags as u64, b));
            }
            Call::MakeDirectory { at } => {
                let (directory, path, mode) = if at { (a as i32, b, c) } else { (libc::AT_FDCWD, a, b) };
                return self.make(asked, directory, path, |maker, spot| maker.directory(spot, mode as u32));
            }
            Call::MakeNode { at } => {
                let (directory, path, mode, device) =
                    if at { (a as i32, b, c, d) } else { (libc::AT_FDCWD, a, b, c) };
                // The kernel packs the two numbers of a device into 32 bits here.
                let device = u64::from(device as u32);
                return self
                    .make(asked, directory, path, |maker, spot| maker.node(spot, mode as u32, device));
            }
            Call::Link { at } => {
                let target = read_path(thread, a)?;
                let (directory, path) = if at { (b as i32, c) } else { (libc::AT_FDCWD, b) };
                return self.make(asked, directory, path, |maker, spot| maker.link(spot, &target));
            }
            Call::Status { follow } => {
                return self.status(asked, (libc::AT_FDCWD, a, follow, false), (b, Form::Plain));
            }
            Call::StatusOf => return self.status(asked, (a as i32, 0, true, true), (b, Form::Plain)),
            Call::StatusAt => {
                let (follow, may_be_empty) = flags_of(d as i32);
                return self.status(asked, (a as i32, b, follow, may_be_empty), (c, Form::Plain));
            }
            Call::StatusExtended => {
                let (follow, may_be_empty) = flags_of(c as i32);
                let form = Form::Extended { flags: c as u32, mask: d as u32 };
                return self.status(asked, (a as i32, b, follow, may_be_empty), (asked.arguments[4], form));
            }
            Call::Execute { at } => {
                let (directory, path) = if at { (a as i32, b) } else { (libc::AT_FDCWD, a) };
                self.execute(asked, directory, path);
                return Ok(Answer::Reply(Reply::Continue));
            }
        };
        let mut identity = self.processes.identity(thread);
        let result = identity.apply(&change)?;
        self.processes.change(thread, identity);
        // What it asks to keep it really has.
        Ok(Answer::Reply(if call == Call::Control { Reply::Continue } else { Reply::Value(result) }))
    }

    fn chown_at(&mut self, asked: &Notification, to: (u32, u32)) -> Result<Answer, Errno> {
        let [directory, path, _, _, flags, _] = asked.arguments;
        let flags = flags as i32;
        if flags & !(libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW) != 0 {
            return Err(Errno::INVAL);
        }
        let (follow, may_be_empty) = flags_of(flags);
        let is_empty = may_be_empty && (path == 0 || read_path(asked.thread, path)?.is_empty());
        if is_empty && directory as i32 != libc::AT_FDCWD {
            return self.chown_descriptor(asked, directory as i32, to);
        }
        self.chown_path(asked, directory as i32, path, to, follow)
    }

    fn chown_path(
        &mut self,
        asked: &Notification,
        directory: i32,
        path: u64,
        to: (u32, u32),
        follow: bool,
    ) -> Result<Answer, Errno> {
        let path = read_path(asked.thread, path)?;
        let file = self.view.spot(asked.thread, directory, path)?.open(follow)?;
        self.give(asked, &file, to)
    }

    fn chown_descriptor(
        &mut self,
        asked: &Notification,
        number: i32,
        to: (u32, u32),
    ) -> Result<Answer, Errno> {
        let file = self.view.descriptor(asked.thread, number)?;
        self.give(asked, &file, to)
    }

    fn give(&mut self, asked: &Notification, file: &OwnedFd, to: (u32, u32)) -> Result<Answer, Errno> {
        let who = self.processes.identity(asked.thread);
        self.still_asked(asked)?;
        if !who.is_root() {
            let owner = self.owners.owner(&mut self.view, file.as_fd())?;
            if !who.may_give(owner, to) {
                return Err(Errno::PERM);
            }
        }
        self.owners.give(&mut self.view, file, to)?;
        Ok(Answer::Reply(Reply::Value(0)))
    }

    fn open(
        &mut self,
        asked: &Notification,
        directory: i32,
        path: u64,
        (flags, mode): (u64, u64),
    ) -> Result<Answer, Errno> {
        let close_on_execute = flags as i32 & libc::O_CLOEXEC != 0;
        let made = self
            .make_with(asked, directory, path, |maker, spot| maker.open(spot, flags as u32, mode as u32))?;
        Ok(match made {
            Made::Open(file) => Answer::File { file, close_on_execute },
            Made::Done | Made::Nothing => Answer::Reply(Reply::Continue),
        })
    }

    fn make(
        &mut self,
        asked: &Notification,
        directory: i32,
        path: u64,
        make: impl FnOnce(&mut Maker<'_>, &Spot) -> Result<Made, Errno>,
    ) -> Result<Answer, Errno> {
        Ok(Answer::Reply(match self.make_with(asked, directory, path, make)? {
            Made::Nothing | Made::Open(_) => Reply::Continue,
            Made::Done => Reply::Value(0),
        }))
    }

    fn make_with(
        &mut self,
        asked: &Notification,
        directory: i32,
        path: u64,
        make: impl FnOnce(&mut Maker<'_>, &Spot) -> Result<Made, Errno>,
    ) -> Result<Made, Errno> {
        // What cannot be looked at, the kernel shall explain.
        let path = read_path(asked.thread, path);
        let spot = path.and_then(|path| self.view.spot(asked.thread, directory, path));
        let Ok(spot) = spot else { return Ok(Made::Nothing) };
        let who = self.processes.identity(asked.thread);
        self.still_asked(asked)?;
        let mut maker =
            Maker { view: &mut self.view, owners: &mut self.owners, who: &who, thread: asked.thread };
        match make(&mut maker, &spot) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS | Errno::LOOP) => Ok(Made::Nothing),
            other => other,
        }
    }

    /// Shows a recorded owner. The file is a directory with a path below it, or just an open file where that may be.
    fn status(
        &mut self,
        asked: &Notification,
        (directory, path, follow, may_be_empty): (i32, u64, bool, bool),
        (address, form): (u64, Form),
    ) -> Result<Answer, Errno> {
        let path = if may_be_empty && path == 0 { Ok(Vec::new()) } else { read_path(asked.thread, path) };
        // What cannot be looked at, the kernel shall explain.
        let file = path.and_then(|path| {
            if path.is_empty() && may_be_empty && directory != libc::AT_FDCWD {
                return self.view.descriptor(asked.thread, directory);
            }
            self.view.spot(asked.thread, directory, path)?.open(follow)
        });
        let Ok(file) = file else { return Ok(Answer::Reply(Reply::Continue)) };
        Ok(Answer::Reply(match status::record(&mut self.view, &self.owners, &file, form) {
            Ok(Some(record)) => {
                self.write(asked, address, &record)?;
                Reply::Value(0)
            }
            Ok(None) | Err(_) => Reply::Continue,
        }))
    }

    /// Notes down who the process is after it has executed a set-id program.
    fn execute(&mut self, asked: &Notification, directory: i32, path: u64) {
        const SET_USER_ID: u32 = 0o4000;
        const SET_GROUP_ID: u32 = 0o2000;
        let before = self.processes.identity(asked.thread);
        let path = read_path(asked.thread, path);
        let program = path.and_then(|path| self.view.spot(asked.thread, directory, path)?.open(true));
        let Ok(program) = program else { return };
        let Ok(stat) = fstat(&program) else { return };
        let owner = self.owners.owner(&mut self.view, program.as_fd()).unwrap_or((0, 0));
        let mut after = before.clone();
        let user = (stat.st_mode & SET_USER_ID != 0).then_some(owner.0);
        let group = (stat.st_mode & SET_GROUP_ID != 0).then_some(owner.1);
        after.execute(user, group);
        if after != before && self.listener.is_valid(asked.id) {
            self.processes.change(asked.thread, after);
        }
    }

    fn groups(&mut self, asked: &Notification, size: i32, list: u64, width: Width) -> Result<Answer, Errno> {
        let groups = self.processes.identity(asked.thread).groups;
        if size != 0 {
            if size < groups.len() as i32 {
                return Err(Errno::INVAL);
            }
            self.write(asked, list, &bytes_of_ids(&groups, width))?;
        }
        Ok(Answer::Reply(Reply::Value(groups.len() as i64)))
    }

    /// Writes to the memory of the caller, and of nobody who got its number after its end.
    fn write(&self, asked: &Notification, address: u64, bytes: &[u8]) -> Result<(), Errno> {
        let path = format!("{}/mem", asked.thread);
        let memory = openat(self.view.proc(), path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        self.still_asked(asked)?;
        let written = rustix::io::pwrite(memory, bytes, address).map_err(|_| Errno::FAULT)?;
        if written == bytes.len() { Ok(()) } else { Err(Errno::FAULT) }
    }

    /// What was opened by the thread's number is the thread's only if it still waits.
    fn still_asked(&self, asked: &Notification) -> Result<(), Errno> {
        if self.listener.is_valid(asked.id) { Ok(()) } else { Err(Errno::SRCH) }
    }
}

/// Of flags of calls whose names end in `at`: whether a link at the end is followed, and whether the path may be empty.
fn flags_of(flags: i32) -> (bool, bool) {
    (flags & libc::AT_SYMLINK_NOFOLLOW == 0, flags & libc::AT_EMPTY_PATH != 0)
}

enum Answer {
    Reply(Reply),
    File { file: OwnedFd, close_on_execute: bool },
}

fn value(id: u32) -> Answer {
    Answer::Reply(Reply::Value(i64::from(id)))
}

fn ids(identity: &Identity, kind: Kind) -> Ids {
    match kind {
        Kind::User => identity.user,
        Kind::Group => identity.group,
    }
}

fn widened(argument: u64, width: Width) -> u32 {
    match width {
        Width::Wide => argument as u32,
        Width::Narrow if argument as u16 == u16::MAX => SAME,
        Width::Narrow => u32::from(argument as u16),
    }
}

fn read_groups(thread: u32, count: u64, list: u64, width: Width) -> Result<Vec<u32>, Errno> {
    if count > MOST_GROUPS {
        return Err(Errno::INVAL);
    }
    let size = match width {
        Width::Narrow => 2,
        Width::Wide => 4,
    };
    let mut bytes = vec![0; count as usize * size];
    if !bytes.is_empty() && read_memory(thread, list, &mut bytes)? != bytes.len() {
        return Err(Errno::FAULT);
    }
    Ok(match width {
        Width::Narrow => {
            bytes.chunks_exact(2).map(|two| u32::from(u16::from_ne_bytes([two[0], two[1]]))).collect()
        }
        Width::Wide => bytes
            .chunks_exact(4)
            .map(|four| u32::from_ne_bytes([four[0], four[1], four[2], four[3]]))
            .collect(),
    })
}

fn bytes_of_ids(ids: &[u32], width: Width) -> Vec<u8> {
    match width {
        Width::Narrow => ids.iter().flat_map(|&id| (id as u16).to_ne_bytes()).collect(),
        Width::Wide => ids.iter().flat_map(|&id| id.to_ne_bytes()).collect(),
    }
}
