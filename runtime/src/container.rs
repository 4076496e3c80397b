//! What to run, on what root, with what around it: plain values, nothing done yet.
//!
//! The defaults are those of `docker run`: 14 capabilities, the default system call filter, 64 MiB of shared memory.
//! Nothing of our own environment gets in that is not named here.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::wire;

/// One container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Container {
    /// Its file system.
    pub root: Root,
    /// What is mounted into it, in this order.
    pub mounts: Vec<Mount>,
    /// Directories that are made where they are missing (mode 0755, root). They stay.
    #[serde(with = "wire::many")]
    pub directories: Vec<PathBuf>,
    /// Further groups of the process, by id.
    pub groups: Vec<u32>,
    /// Targets of mounts whose files, with all below them, are given to the user of the process.
    #[serde(with = "wire::many")]
    pub owned: Vec<PathBuf>,
    /// The process to run.
    pub process: Process,
    /// The name the container sees as its own.
    pub hostname: String,
    /// Which network it sees.
    pub network: Network,
    /// Names added to `/etc/hosts`.
    pub hosts: Vec<(String, IpAddr)>,
    /// Which of the files every container expects are provided.
    pub files: SystemFiles,
    /// Size of `/dev/shm` in bytes.
    pub shm_size: u64,
    /// Limits for the process; those not named are inherited.
    pub ulimits: Vec<Ulimit>,
    /// Limits for the container as a whole.
    pub resources: Resources,
    /// What the processes may do.
    pub security: Security,
    /// What the process reads from and writes to. With [`Process::terminal`] only [`Stream::Pipe`] and
    /// [`Stream::Inherit`] differ in who moves the bytes: see [`crate::Running::take_terminal`].
    pub stdio: Stdio,
    /// Whether a small process of ours is process 1: it forwards signals and reaps orphans. Without it the process
    /// itself is process 1.
    pub init: bool,
}

impl Container {
    /// A container with Docker's defaults on `root` that runs `process`.
    #[must_use]
    pub fn new(root: Root, process: Process) -> Self {
        Self {
            root,
            mounts: Vec::new(),
            directories: Vec::new(),
            groups: Vec::new(),
            owned: Vec::new(),
            process,
            hostname: "tug".to_owned(),
            network: Network::Host,
            hosts: Vec::new(),
            files: SystemFiles::default(),
            shm_size: 64 << 20,
            ulimits: Vec::new(),
            resources: Resources::default(),
            security: Security::default(),
            stdio: Stdio::INHERIT,
            init: true,
        }
    }
}

/// The file system of a container: layers, merged by overlay.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Root {
    /// What is merged, the top one first. May be empty.
    pub lower: Vec<Lower>,
    /// Where changes land. Without it the root can only be read.
    #[serde(with = "wire::maybe")]
    pub upper: Option<PathBuf>,
    /// An empty directory on the same file system as `upper`; overlay's own. Needed when there is an `upper`.
    #[serde(with = "wire::maybe")]
    pub work: Option<PathBuf>,
    /// Whether the container may not write to its root although there is an `upper`.
    pub read_only: bool,
}

/// One of the layers that are merged, in overlay's form: whiteouts, opaque directories.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Lower {
    /// A directory.
    Directory(#[serde(with = "wire::one")] PathBuf),
    /// An image of an EROFS file system whose files have their content in another file.
    ///
    /// It must be made by ourselves: the kernel's reader is not made for images of strangers.
    Indexed {
        /// The image.
        #[serde(with = "wire::one")]
        index: PathBuf,
        /// The files with the content: device 1 of the image and so on.
        #[serde(with = "wire::many")]
        data: Vec<PathBuf>,
    },
}

impl Lower {
    /// Whether its files are there.
    #[must_use]
    pub fn exists(&self) -> bool {
        match self {
            Self::Directory(path) => path.exists(),
            Self::Indexed { index, data } => index.exists() && data.iter().all(|path| path.exists()),
        }
    }
}

impl From<PathBuf> for Lower {
    fn from(directory: PathBuf) -> Self {
        Self::Directory(directory)
    }
}

/// Something mounted into the root. Targets are paths inside the container; they are resolved inside the root, and
/// where they do not exist, an empty directory or file is made and swept away again at the end.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Mount {
    /// A file or directory of the host.
    Bind {
        /// What is shown.
        source: BindSource,
        /// Where it is shown.
        #[serde(with = "wire::one")]
        target: PathBuf,
        /// Whether it can only be read.
        read_only: bool,
        /// Whether what is mounted below the source comes along.
        recursive: bool,
    },
    /// A file or directory of another root. What the container writes there goes to that root's `upper`.
    Foreign {
        /// The other root, and the path within it.
        root: ForeignRoot,
        /// Where it is shown.
        #[serde(with = "wire::one")]
        target: PathBuf,
    },
    /// An empty file system in memory.
    Tmpfs {
        /// Where it is shown.
        #[serde(with = "wire::one")]
        target: PathBuf,
        /// Largest size in bytes; half of the memory when absent.
        size: Option<u64>,
        /// Permission bits of its root. When absent, those of the directory that it covers; 1777 where there is none.
        mode: Option<u32>,
    },
    /// A file in memory with given contents.
    File {
        /// Where it is shown.
        #[serde(with = "wire::one")]
        target: PathBuf,
        /// What it holds at the start.
        #[serde(with = "wire::one")]
        contents: Vec<u8>,
        /// Permission bits.
        mode: u32,
        /// Owner and group, as ids of the container.
        owner: (u32, u32),
        /// Whether it can only be read.
        read_only: bool,
    },
}

impl Mount {
    /// Where it is shown, as it was written.
    #[must_use]
    pub fn target(&self) -> &PathBuf {
        match self {
            Self::Bind { target, .. }
            | Self::Foreign { target, .. }
            | Self::Tmpfs { target, .. }
            | Self::File { target, .. } => target,
        }
    }
}

/// What a bind mount shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum BindSource {
    /// A path of the host, trusted by whoever named it.
    Path(#[serde(with = "wire::one")] PathBuf),
    /// A path that comes from a build or an image: resolved beneath `root`, which it cannot leave by any link.
    Beneath {
        /// The directory that is `/` for `path`.
        #[serde(with = "wire::one")]
        root: PathBuf,
        /// The path, resolved at the moment of mounting.
        #[serde(with = "wire::one")]
        path: PathBuf,
    },
}

/// A path of another image or stage.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ForeignRoot {
    /// Its file system.
    pub root: Root,
    /// The path within, resolved as the root's own processes would.
    #[serde(with = "wire::one")]
    pub path: PathBuf,
}

/// The process to run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Process {
    /// Program and arguments. A program without `/` is looked up in `PATH` of `env`, inside the container.
    #[serde(with = "wire::many")]
    pub args: Vec<OsString>,
    /// The whole environment. Only `PATH` and `HOME` are added where absent.
    #[serde(with = "wire::pairs")]
    pub env: Vec<(OsString, OsString)>,
    /// Absolute; empty means `/`.
    #[serde(with = "wire::one")]
    pub working_directory: PathBuf,
    /// Whether the working directory is made when it does not exist (mode 0755, root). It stays.
    pub create_working_directory: bool,
    /// `name`, `id`, `name:group`, `id:id`, or empty for root; names are looked up in the container's own files.
    pub user: String,
    /// Whether it gets a terminal of its own.
    pub terminal: bool,
}

/// Which network the container sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Network {
    /// The one our own process sees.
    #[default]
    Host,
    /// None but its own loopback.
    None,
}

/// Which of the files that containers expect are put over those of the image. What the container writes to them is
/// lost.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SystemFiles {
    /// `/etc/resolv.conf`.
    pub resolv_conf: ResolvConf,
    /// Leave the image's own `/etc/hosts`.
    pub keep_hosts: bool,
    /// Put our hostname into `/etc/hostname`. A build leaves that file to the image.
    pub hostname: bool,
}

/// Where `/etc/resolv.conf` comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResolvConf {
    /// A copy of the host's.
    #[default]
    Host,
    /// The image's own.
    Keep,
    /// This text.
    Text(String),
}

/// Limits for the container as a whole. Where the host does not let us set them, the container runs without and a
/// warning says so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// Memory in bytes; swap is not added to it.
    pub memory: Option<u64>,
    /// Swap in bytes beside `memory`: none when absent, as much as there is with [`u64::MAX`]. Means nothing without
    /// `memory`.
    pub swap: Option<u64>,
    /// Processors, such as `1.5`. Counts before `cpu_quota` and `cpu_period`.
    pub cpus: Option<f64>,
    /// Microseconds of processor time in each `cpu_period`.
    pub cpu_quota: Option<u64>,
    /// Microseconds; 100,000 when absent.
    pub cpu_period: Option<u64>,
    /// Weight against others when processors are short: 2 to 262,144, and 1,024 is what everybody has.
    pub cpu_shares: Option<u64>,
    /// The processors it may run on, as the kernel writes lists: `0-3,8`.
    pub cpuset_cpus: Option<String>,
    /// The memory nodes it may use, written in the same way.
    pub cpuset_mems: Option<String>,
    /// Number of processes and threads.
    pub pids: Option<u64>,
    /// The control group below which the container's own is made, seen from the root of the groups; where it seems best
    /// when absent.
    #[serde(with = "wire::maybe")]
    pub parent: Option<PathBuf>,
}

impl Resources {
    /// Whether nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One limit of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// What is limited.
    pub resource: Resource,
    /// The limit in force; `None` is unlimited.
    pub soft: Option<u64>,
    /// How far the process may raise it.
    pub hard: Option<u64>,
}

/// What a [`Ulimit`] limits; the names of `ulimit` and `docker run --ulimit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of setrlimit(2)")]
pub enum Resource {
    AddressSpace,
    Core,
    Cpu,
    Data,
    FileSize,
    Locks,
    LockedMemory,
    MessageQueues,
    Nice,
    OpenFiles,
    Processes,
    ResidentSet,
    RealTimePriority,
    RealTime,
    PendingSignals,
    Stack,
}

impl Resource {
    /// The resource named as `docker run --ulimit` names it (`nofile`, `nproc`, …).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "as" => Self::AddressSpace,
            "core" => Self::Core,
            "cpu" => Self::Cpu,
            "data" => Self::Data,
            "fsize" => Self::FileSize,
            "locks" => Self::Locks,
            "memlock" => Self::LockedMemory,
            "msgqueue" => Self::MessageQueues,
            "nice" => Self::Nice,
            "nofile" => Self::OpenFiles,
            "nproc" => Self::Processes,
            "rss" => Self::ResidentSet,
            "rtprio" => Self::RealTimePriority,
            "rttime" => Self::RealTime,
            "sigpending" => Self::PendingSignals,
            "stack" => Self::Stack,
            _ => return None,
        })
    }
}

/// What the processes of a container may do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Security {
    /// Capabilities by number, as a set of bits. Root has them; another user can regain them only through file
    /// capabilities or set-uid programs.
    pub capabilities: u64,
    /// The system call filter.
    pub seccomp: Seccomp,
    /// Whether set-uid programs and file capabilities have no effect. Builds need it off: package managers and
    /// `sudo` rely on them.
    pub no_new_privileges: bool,
    /// Whether nothing of `/proc` and `/sys` is hidden or protected, and devices that the container makes can be
    /// opened. It says nothing of `capabilities` and `seccomp`: see [`Security::privileged`].
    pub open: bool,
}

impl Security {
    /// Everything that this process may do itself: all capabilities, all system calls, nothing hidden.
    #[must_use]
    pub fn privileged() -> Self {
        Self {
            capabilities: crate::capabilities::ALL,
            seccomp: Seccomp::Unconfined,
            no_new_privileges: false,
            open: true,
        }
    }
}

impl Default for Security {
    fn default() -> Self {
        Self {
            capabilities: crate::capabilities::DOCKER,
            seccomp: Seccomp::Default,
            no_new_privileges: false,
            open: false,
        }
    }
}

/// Which system calls are let through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Seccomp {
    /// Those of Docker's default profile.
    #[default]
    Default,
    /// All.
    Unconfined,
}

/// What the process reads from and writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stdio {
    /// Descriptor 0.
    pub stdin: Stream,
    /// Descriptor 1.
    pub stdout: Stream,
    /// Descriptor 2.
    pub stderr: Stream,
}

impl Stdio {
    /// All three are ours.
    pub const INHERIT: Self =
        Self { stdin: Stream::Inherit, stdout: Stream::Inherit, stderr: Stream::Inherit };
    /// All three are pipes, taken from [`crate::Running`].
    pub const PIPES: Self = Self { stdin: Stream::Pipe, stdout: Stream::Pipe, stderr: Stream::Pipe };
    /// All three are `/dev/null`.
    pub const NULL: Self = Self { stdin: Stream::Null, stdout: Stream::Null, stderr: Stream::Null };
    /// Nothing to read, both outputs as pipes.
    pub const CAPTURE: Self = Self { stdin: Stream::Null, stdout: Stream::Pipe, stderr: Stream::Pipe };
    /// Nothing to read, one pipe for both outputs, taken as standard output: what a build step gets.
    pub const CAPTURE_IN_ORDER: Self =
        Self { stdin: Stream::Null, stdout: Stream::Pipe, stderr: Stream::WithStdout };
}

/// One of the three standard streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stream {
    /// The one our own process has.
    Inherit,
    /// A pipe whose other end is taken from [`crate::Running`].
    Pipe,
    /// `/dev/null`.
    Null,
    /// Of standard error: wherever standard output goes, so that what is written to both keeps its order. Of the other
    /// two: the one our own process has.
    WithStdout,
}
