//! Starting a container from our own process, which may have any number of threads.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::cgroup::Group;
use crate::control::{Containment, Control, Order, Report};
use crate::emulate::{self, Scene, Supervisor};
use crate::running::{Notes, Running};
use crate::sys::spawn::{Spawn, SpawnError, Spawned, spawn};
use crate::{Container, Error, Network, ResolvConf, Runtime, Stream, Warning, init, stubs};

impl Container {
    /// Starts the container and returns once its command runs.
    ///
    /// # Errors
    /// [`Error::CommandNotFound`], [`Error::NotExecutable`], or whatever else kept it from running.
    pub fn start(&self, runtime: &Runtime) -> Result<Running, Error> {
        let order = self.order(runtime, runtime.mode()?);
        if let Some(work) = &self.root.work {
            stubs::clear_mark(work);
        }
        let mut streams = Streams::new(self)?;
        let (ours, theirs) = Control::pair().map_err(|errno| Error::system("make a socket", errno))?;
        let spawn_it = Spawn {
            program: runtime.program()?,
            name: init::NAME,
            descriptors: [streams.theirs(0), streams.theirs(1), streams.theirs(2), theirs.as_fd()],
            namespaces: self.namespaces(),
        };
        let spawned = if self.init { spawn(&spawn_it) } else { spawn_and_keep(&spawn_it) };
        let spawned = spawned.map_err(|failure| match failure {
            SpawnError::Clone(errno) => namespaces_refused(errno),
            SpawnError::Execute(errno) => Error::system("execute our own program in the container", errno),
        })?;
        // From here on an early return drops `running`, which kills and reaps what was started.
        let mut running = Running::new(spawned.pid, Arc::new(spawned.handle), ours, streams.take_ours());
        drop((streams, theirs));
        self.limit(spawned.pid, &mut running);
        running.root_upper.clone_from(&self.root.upper);
        running.root_work.clone_from(&self.root.work);

        match running.control.send(&order) {
            Ok(()) | Err(Errno::PIPE) => {}
            Err(errno) => return Err(Error::system("describe the container to its first process", errno)),
        }
        drop(order);
        running.until_started(self.init)?;
        Ok(running)
    }

    /// Puts the first process under the limits, before it makes anything.
    fn limit(&self, pid: Pid, running: &mut Running) {
        let Some(group) = Group::new(&self.resources, &mut running.notes.warnings) else { return };
        if let Err(reason) = group.admit(pid) {
            let what = "the container as a whole".to_owned();
            running.notes.warnings.push(Warning::NoLimit { what, reason });
        }
        running.group = Some(group);
    }

    fn order(&self, runtime: &Runtime, mode: crate::Mode) -> Order {
        let resolv_conf = match &self.files.resolv_conf {
            ResolvConf::Host => std::fs::read_to_string("/etc/resolv.conf").ok(),
            ResolvConf::Keep => None,
            ResolvConf::Text(text) => Some(text.clone()),
        };
        Order::Contain(Box::new(Containment {
            container: self.clone(),
            user_namespace: mode != crate::Mode::Root,
            ids: Runtime::ids(mode),
            open_files: crate::enter::open_files::before(),
            resolv_conf,
            cgroup2: runtime.has_cgroup2(),
            filter: runtime.filter(self),
            listening: if mode == crate::Mode::SingleId {
                emulate::filter_bytes().to_vec()
            } else {
                Vec::new()
            },
        }))
    }

    fn namespaces(&self) -> libc::c_int {
        let always = libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
        match self.network {
            Network::Host => always,
            Network::None => always | libc::CLONE_NEWNET,
        }
    }
}

/// Starts it from a thread that lives as long as it does.
///
/// A command that is process 1 itself is told by the kernel when its parent ends, and takes for its parent the thread
/// that started it.
fn spawn_and_keep(what: &Spawn<'_>) -> Result<Spawned, SpawnError> {
    let failed = |errno| SpawnError::Clone(errno);
    let copy = |descriptor: BorrowedFd<'_>| rustix::io::fcntl_dupfd_cloexec(descriptor, 3).map_err(failed);
    let program = copy(what.program)?;
    let mut descriptors = Vec::new();
    for descriptor in what.descriptors {
        descriptors.push(copy(descriptor)?);
    }
    let (name, namespaces) = (what.name, what.namespaces);
    let (tell, hear) = std::sync::mpsc::channel();
    let keeper = move || {
        let what = Spawn {
            program: program.as_fd(),
            name,
            descriptors: std::array::from_fn(|number| descriptors[number].as_fd()),
            namespaces,
        };
        let spawned = spawn(&what);
        drop((program, descriptors));
        let handle = spawned.as_ref().ok().and_then(|spawned| spawned.handle.try_clone().ok());
        let _ = tell.send(spawned);
        if let Some(handle) = handle {
            let _ = waitid(WaitId::PidFd(handle.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        }
    };
    let thread = std::thread::Builder::new().name("tug-keeper".to_owned()).stack_size(128 << 10);
    thread.spawn(keeper).map_err(|error| failed(Errno::from_io_error(&error).unwrap_or(Errno::AGAIN)))?;
    hear.recv().unwrap_or(Err(failed(Errno::AGAIN)))
}

fn namespaces_refused(errno: Errno) -> Error {
    let advice = match errno {
        Errno::PERM => Some(
            "inside a container this needs `CAP_SYS_ADMIN`, or a system call filter that lets user namespaces through"
                .to_owned(),
        ),
        Errno::NOSPC => Some("raise the limits in `/proc/sys/user/max_*_namespaces`".to_owned()),
        _ => None,
    };
    Error::Namespaces { what: "the namespaces of a container".to_owned(), cause: errno.into(), advice }
}

/// Both ends of the three standard streams.
struct Streams {
    theirs: [Option<OwnedFd>; 3],
    ours: [Option<File>; 3],
}

impl Streams {
    fn new(container: &Container) -> Result<Self, Error> {
        let failed = |errno| Error::system("make the standard streams of the container", errno);
        let mut streams = Self { theirs: [None, None, None], ours: [None, None, None] };
        let stdio = container.stdio;
        for (number, stream) in [stdio.stdin, stdio.stdout, stdio.stderr].into_iter().enumerate() {
            // With a terminal of its own the container needs none of ours.
            let null = stream == Stream::Null || container.process.terminal;
            if null {
                let null =
                    open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
                streams.theirs[number] = Some(null);
            } else if stream == Stream::Pipe {
                let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(failed)?;
                let (theirs, ours) = if number == 0 { (read, write) } else { (write, read) };
                streams.theirs[number] = Some(theirs);
                streams.ours[number] = Some(ours.into());
            } else if stream == Stream::WithStdout && number == 2 {
                let shared = rustix::io::fcntl_dupfd_cloexec(streams.theirs(1), 3).map_err(failed)?;
                streams.theirs[number] = Some(shared);
            }
        }
        Ok(streams)
    }

    fn theirs(&self, number: usize) -> BorrowedFd<'_> {
        match (&self.theirs[number], number) {
            (Some(descriptor), _) => descriptor.as_fd(),
            (None, 0) => rustix::stdio::stdin(),
            (None, 1) => rustix::stdio::stdout(),
            (None, _) => rustix::stdio::stderr(),
        }
    }

    fn take_ours(&mut self) -> [Option<File>; 3] {
        std::mem::take(&mut self.ours)
    }
}

impl Running {
    /// Hears what the first process has to say until the command runs, or the reason why it does not.
    fn until_started(&mut self, init: bool) -> Result<(), Error> {
        loop {
            let heard = self.control.receive::<Report>();
            let heard = heard.map_err(|errno| Error::system("hear from the container", errno))?;
            match heard {
                Some((Report::Started, _)) => return Ok(()),
                Some((Report::Failed(error), _)) => {
                    self.sweep();
                    return Err(error);
                }
                Some((report, descriptor)) => self.note(report, descriptor)?,
                // Without an init the socket closes when the command starts.
                None if !init => return Ok(()),
                None => return Err(Error::InitDied),
            }
        }
    }

    fn note(&mut self, report: Report, descriptor: Option<OwnedFd>) -> Result<(), Error> {
        let Notes { stubs, warnings, .. } = &mut self.notes;
        match report {
            Report::Stub(stub) => stubs.push(stub),
            Report::Warning(warning) => warnings.push(warning),
            Report::Terminal => self.terminal = descriptor.map(Arc::new),
            Report::Listener(identity) => {
                let listener = descriptor.ok_or(Error::InitDied)?;
                let scene = Scene { listener, init: self.pid, identity, upper: self.root_upper.clone() };
                self.supervisor = Some(Supervisor::start(scene)?);
            }
            Report::Started | Report::Failed(_) | Report::Exited(_) | Report::Tried(_) => {}
        }
        Ok(())
    }
}
