//! From the container's first process to the command that was asked for.
//!
//! The ids come last but for the program itself, because everything else needs root. The system call filter needs
//! either `no_new_privs` or a capability that the command will not have, so it is loaded just before the ids change;
//! it lets through what is left to do.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Gid, Mode, Uid};
use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Signal, fchdir, ioctl_tiocsctty, set_dumpable_behavior,
    set_parent_process_death_signal, setsid, umask,
};
use rustix::thread::{
    clear_ambient_capability_set, set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::identity::Identity;
use super::{reaper, say};
use crate::control::{Containment, Control, Report};
use crate::error::UserKind;
use crate::sys::process::exit;
use crate::{Error, Process, Resource, Stream, Warning, sys};

/// Where programs are looked for when the container's environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is needed to start the command.
pub(super) struct Launch {
    pub(super) identity: Identity,
    pub(super) directory: OwnedFd,
    pub(super) terminal: Option<OwnedFd>,
}

impl Launch {
    /// Starts the command. Comes back only when that failed.
    pub(super) fn go(self, order: &Containment, control: &Control) -> Error {
        match self.prepare(order, control) {
            Ok(program) if order.container.init => self.under_init(&program, order, control),
            Ok(program) => match self.become_process(order, control) {
                Ok(()) => program.execute(),
                Err(error) => error,
            },
            Err(error) => error,
        }
    }

    /// What can be checked before anything is given up.
    fn prepare(&self, order: &Containment, control: &Control) -> Result<Program, Error> {
        let (uids, gids) = order.ids;
        if order.listening.is_empty() {
            let outside = |kind, id, limit| Error::UnmappedId { kind, id, limit };
            if self.identity.uid >= uids {
                return Err(outside(UserKind::User, self.identity.uid, uids));
            }
            if let Some(&gid) =
                [self.identity.gid].iter().chain(&self.identity.groups).find(|&&gid| gid >= gids)
            {
                return Err(outside(UserKind::Group, gid, gids));
            }
        }
        // From here on nobody in the container may look into us or trace us (CVE-2016-9962).
        set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .map_err(|errno| Error::system("become unreadable", errno))?;
        let missing = order.container.security.capabilities
            & crate::capabilities::ALL
            & !sys::process::permitted_capabilities()
                .map_err(|errno| Error::system("read capabilities", errno))?;
        // The usual set is not worth a word where part of it is missing: nobody asked for it.
        if missing & !crate::capabilities::DOCKER != 0 {
            let names = crate::capabilities::names(missing).join(", ");
            say(control.send(&Report::Warning(Warning::NoCapabilities { names })))?;
        }
        if let Some((soft, hard)) = order.open_files {
            let _ = sys::process::set_limit(number(Resource::OpenFiles), soft, hard);
        }
        for limit in &order.container.ulimits {
            if let Err(errno) = sys::process::set_limit(number(limit.resource), limit.soft, limit.hard) {
                let reason = crate::Cause::from(errno).to_string();
                let resource = format!("{:?}", limit.resource).to_lowercase();
                say(control.send(&Report::Warning(Warning::Ulimit { resource, reason })))?;
            }
        }
        Program::new(&order.container.process, &self.identity)
    }

    /// Starts the command as a child of this process, which then looks after it.
    fn under_init(self, program: &Program, order: &Containment, control: &Control) -> Error {
        let pipe = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
        let (news, teller) = match pipe {
            Ok(pipe) => pipe,
            Err(errno) => return Error::system("make a pipe", errno),
        };
        match sys::process::fork() {
            Ok(Some(child)) => {
                drop((teller, self));
                reaper::look_after(child, news, control)
            }
            Ok(None) => {
                let error = match self.become_process(order, control) {
                    Ok(()) => program.execute(),
                    Err(error) => error,
                };
                let text = serde_json::to_vec(&error).unwrap_or_default();
                let _ = rustix::io::write(&teller, &text);
                exit(i32::from(error.exit_code()))
            }
            Err(errno) => Error::system("start a process in the container", errno),
        }
    }

    /// Turns this process into what the command is to be, but for the program.
    fn become_process(&self, order: &Containment, control: &Control) -> Result<(), Error> {
        let container = &order.container;
        let security = &container.security;
        let emulated = !order.listening.is_empty();
        let failed = |action: &'static str| move |errno: Errno| Error::system(action, errno);

        let _ = setsid();
        if let Some(terminal) = &self.terminal {
            ioctl_tiocsctty(terminal).map_err(failed("take the terminal"))?;
            rustix::stdio::dup2_stdin(terminal).map_err(failed("take the terminal"))?;
            rustix::stdio::dup2_stdout(terminal).map_err(failed("take the terminal"))?;
            rustix::stdio::dup2_stderr(terminal).map_err(failed("take the terminal"))?;
        }
        fchdir(&self.directory).map_err(|errno| Error::WorkingDirectory {
            path: container.process.working_directory.clone(),
            cause: errno.into(),
        })?;
        sys::process::close_on_execute(3).map_err(failed("close what the command must not have"))?;
        umask(Mode::from_raw_mode(0o022));
        sys::process::reset_signals();

        let (uid, gid) = (Uid::from_raw(self.identity.uid), Gid::from_raw(self.identity.gid));
        let groups: Vec<Gid> = self.identity.groups.iter().copied().map(Gid::from_raw).collect();
        self.own_the_pipes(order, uid, gid);

        sys::process::limit_capabilities(security.capabilities).map_err(failed("give up capabilities"))?;
        clear_ambient_capability_set().map_err(failed("give up capabilities"))?;
        if !emulated {
            set_thread_groups(&groups).map_err(failed("set the groups"))?;
            set_thread_res_gid(gid, gid, gid).map_err(failed("become the group"))?;
        }
        if security.no_new_privileges {
            set_no_new_privs(true).map_err(failed("refuse new privileges"))?;
        }
        if emulated {
            self.hand_calls_over(order, control)?;
        }
        load_filter(&order.filter)?;
        if !emulated {
            set_thread_res_uid(uid, uid, uid).map_err(failed("become the user"))?;
        }
        if !container.init {
            die_with_parent(control)?;
        }
        let kept = if emulated || self.identity.uid == 0 { security.capabilities } else { 0 };
        let kept = kept & sys::process::permitted_capabilities().map_err(failed("read capabilities"))?;
        sys::process::set_capabilities(kept, kept, 0).map_err(failed("give up capabilities"))
    }

    /// From here on the calls that need other ids are answered by a thread of our parent's.
    fn hand_calls_over(&self, order: &Containment, control: &Control) -> Result<(), Error> {
        let failed = |errno| Error::system("hand the calls that need other ids over", errno);
        let program = crate::seccomp::from_bytes(&order.listening);
        let listener = sys::seccomp::load_with_listener(&program).map_err(failed)?;
        let Identity { uid, gid, groups, .. } = &self.identity;
        let identity = crate::emulate::Identity::new(*uid, *gid, groups.clone());
        say(control.send_with(&Report::Listener(identity), Some(listener.as_fd())))
    }

    /// A user other than root must be able to open `/dev/stdout` again, so the pipes we made become its own.
    fn own_the_pipes(&self, order: &Containment, uid: Uid, gid: Gid) {
        let stdio = &order.container.stdio;
        if !order.listening.is_empty() || self.identity.uid == 0 {
            return;
        }
        let own = |descriptor: std::os::fd::BorrowedFd<'_>| {
            let _ = rustix::fs::fchown(descriptor, Some(uid), Some(gid));
        };
        if stdio.stdin == Stream::Pipe || self.terminal.is_some() {
            own(rustix::stdio::stdin());
        }
        if stdio.stdout == Stream::Pipe {
            own(rustix::stdio::stdout());
        }
        if stdio.stderr == Stream::Pipe {
            own(rustix::stdio::stderr());
        }
    }
}

/// The program with its arguments and environment, ready for the kernel.
struct Program {
    /// As it was asked for.
    name: OsString,
    args: Vec<CString>,
    env: Vec<CString>,
    /// The value of `PATH`.
    path: OsString,
}

impl Program {
    fn new(process: &Process, identity: &Identity) -> Result<Self, Error> {
        let name = process.args.first().filter(|name| !name.is_empty()).ok_or(Error::NoCommand)?.clone();
        let args = process.args.iter().map(|arg| c_string(arg.clone())).collect::<Result<_, _>>()?;

        let mut env = process.env.clone();
        if !env.iter().any(|(name, _)| name == "PATH") {
            env.push(("PATH".into(), DEFAULT_PATH.into()));
        }
        if !env.iter().any(|(name, _)| name == "HOME") {
            let home = identity.home.clone().filter(|home| !home.is_empty()).unwrap_or_else(|| b"/".to_vec());
            env.push(("HOME".into(), OsString::from_vec(home)));
        }
        let path = env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
        let env = env
            .into_iter()
            .map(|(mut name, value)| {
                name.push("=");
                name.push(value);
                c_string(name)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { name, args, env, path: path.unwrap_or_default() })
    }

    /// Becomes the program, looking for it as a shell does. Comes back only when that failed.
    fn execute(&self) -> Error {
        let name = self.name.as_bytes();
        if name.contains(&b'/') {
            let errno = self.try_path(OsStr::from_bytes(name));
            return self.explain(errno, errno == Errno::NOENT && !self.exists(&self.name));
        }
        let mut denied = None;
        for directory in self.path.as_bytes().split(|&byte| byte == b':') {
            let mut candidate =
                OsString::from_vec(if directory.is_empty() { b".".to_vec() } else { directory.to_vec() });
            candidate.push("/");
            candidate.push(&self.name);
            match self.try_path(&candidate) {
                // Found but without its interpreter: a clearer thing to say than "not found".
                Errno::NOENT if self.exists(&candidate) => return self.explain(Errno::NOENT, false),
                Errno::NOENT | Errno::NOTDIR => {}
                Errno::ACCESS => denied = Some(Errno::ACCESS),
                errno => return self.explain(errno, false),
            }
        }
        match denied {
            Some(errno) => self.explain(errno, false),
            None => self.explain(Errno::NOENT, true),
        }
    }

    fn try_path(&self, path: &OsStr) -> Errno {
        match CString::new(path.as_bytes()) {
            Ok(path) => sys::process::execute(&path, &self.args, &self.env),
            Err(_) => Errno::INVAL,
        }
    }

    fn exists(&self, path: &OsStr) -> bool {
        rustix::fs::stat(path).is_ok()
    }

    fn explain(&self, errno: Errno, missing: bool) -> Error {
        let command = self.name.to_string_lossy().into_owned();
        if missing || errno == Errno::NOTDIR {
            let has_slash = self.name.as_bytes().contains(&b'/');
            let searched = if has_slash { None } else { Some(self.path.to_string_lossy().into_owned()) };
            Error::CommandNotFound { command, searched }
        } else {
            Error::NotExecutable { command, cause: errno.into() }
        }
    }
}

/// Without a process of ours that would notice, the kernel ends the command when our parent ends. A change of ids
/// forgets this, so it comes after.
fn die_with_parent(control: &Control) -> Result<(), Error> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|errno| {
        Error::system("be ended together with the process that started the container", errno)
    })?;
    let mut gone = [PollFd::from_borrowed_fd(control.as_fd(), PollFlags::RDHUP)];
    let _ = poll(&mut gone, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    if gone[0].revents().intersects(PollFlags::RDHUP | PollFlags::HUP) {
        exit(128 + Signal::KILL.as_raw());
    }
    Ok(())
}

fn load_filter(filter: &[u8]) -> Result<(), Error> {
    let program = crate::seccomp::from_bytes(filter);
    if program.is_empty() {
        return Ok(());
    }
    sys::seccomp::load(&program).map_err(|errno| Error::system("load the system call filter", errno))
}

fn c_string(text: OsString) -> Result<CString, Error> {
    CString::new(text.into_vec()).map_err(|_| Error::system("pass a NUL byte to a command", Errno::INVAL))
}

#[allow(clippy::unnecessary_cast, reason = "the type differs between C libraries")]
fn number(resource: Resource) -> u32 {
    (match resource {
        Resource::AddressSpace => libc::RLIMIT_AS,
        Resource::Core => libc::RLIMIT_CORE,
        Resource::Cpu => libc::RLIMIT_CPU,
        Resource::Data => libc::RLIMIT_DATA,
        Resource::FileSize => libc::RLIMIT_FSIZE,
        Resource::Locks => libc::RLIMIT_LOCKS,
        Resource::LockedMemory => libc::RLIMIT_MEMLOCK,
        Resource::MessageQueues => libc::RLIMIT_MSGQUEUE,
        Resource::Nice => libc::RLIMIT_NICE,
        Resource::OpenFiles => libc::RLIMIT_NOFILE,
        Resource::Processes => libc::RLIMIT_NPROC,
        Resource::ResidentSet => libc::RLIMIT_RSS,
        Resource::RealTimePriority => libc::RLIMIT_RTPRIO,
        Resource::RealTime => libc::RLIMIT_RTTIME,
        Resource::PendingSignals => libc::RLIMIT_SIGPENDING,
        Resource::Stack => libc::RLIMIT_STACK,
    }) as u32
}
