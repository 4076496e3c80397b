//! `RUN --mount`: the fields as written, and the mount they mean once variables are replaced.

use crate::parse::resolve_mount;
use crate::{ExpandError, ParseError, Span, Word};

/// The fields of one `--mount`, before variables are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountSpec {
    /// In order; every key is one the language knows.
    pub fields: Vec<MountField>,
    /// The whole flag.
    pub span: Span,
}

/// `key=value`, or a key alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountField {
    /// In lower case and without its short forms: `source` for `src`, `target` for `dst` and `destination`,
    /// `readonly` for `ro`, `readwrite` for `rw`.
    pub key: &'static str,
    /// `None` where there is no `=`.
    pub value: Option<Word>,
    /// The whole field.
    pub span: Span,
}

/// What is mounted while a command runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mount {
    /// Files of the context, of a stage or of an image.
    Bind(BindMount),
    /// A directory that outlives the build.
    Cache(CacheMount),
    /// A file system in memory.
    Tmpfs(TmpfsMount),
    /// A secret given to the build.
    Secret(SecretMount),
    /// A socket of an ssh agent.
    Ssh(SshMount),
}

/// `type=bind`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindMount {
    /// Where; relative to the working directory, which is also meant by `None`.
    pub target: Option<String>,
    /// A stage, a named context or an image; the build context if `None`.
    pub from: Option<String>,
    /// The path inside of it; its root if `None`.
    pub source: Option<String>,
    /// May be written to; what is written is thrown away.
    pub writable: bool,
    /// What is mounted is given to the user of the step first.
    pub chown: bool,
}

/// `type=cache`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheMount {
    /// Which cache; the cleaned target if `None`.
    pub id: Option<String>,
    /// Where; relative to the working directory, which is also meant by `None`.
    pub target: Option<String>,
    /// May be written to.
    pub writable: bool,
    /// What is mounted is given to the user of the step first.
    pub chown: bool,
    /// What happens when two commands want it at once.
    pub sharing: Sharing,
    /// A stage, a named context or an image whose files a new cache starts with.
    pub from: Option<String>,
    /// The path inside of it, or of the cache; its root if `None`.
    pub source: Option<String>,
    /// Mode of a new cache directory.
    pub mode: u32,
    /// Owner of a new cache directory.
    pub uid: u32,
    /// Group of a new cache directory.
    pub gid: u32,
}

/// Who may use a cache at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sharing {
    /// Everybody.
    #[default]
    Shared,
    /// Each gets its own.
    Private,
    /// One after the other.
    Locked,
}

/// `type=tmpfs`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TmpfsMount {
    /// Where; relative to the working directory, which is also meant by `None`.
    pub target: Option<String>,
    /// Limit in bytes.
    pub size: Option<u64>,
    /// May be written to.
    pub writable: bool,
}

/// `type=secret`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretMount {
    /// Which secret. Never empty.
    pub id: String,
    /// The file it is put in. `None` if it is only given as a variable, see `env`; else relative to the
    /// working directory.
    pub target: Option<String>,
    /// The variable it is put in.
    pub env: Option<String>,
    /// The build fails if there is no such secret.
    pub required: bool,
    /// Mode of the file.
    pub mode: u32,
    /// Owner of the file.
    pub uid: u32,
    /// Group of the file.
    pub gid: u32,
}

/// `type=ssh`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshMount {
    /// Which agent.
    pub id: String,
    /// Where the socket is put; `/run/buildkit/ssh_agent.N` if `None`.
    pub target: Option<String>,
    /// The build fails if there is no such agent.
    pub required: bool,
    /// Mode of the socket.
    pub mode: u32,
    /// Owner of the socket.
    pub uid: u32,
    /// Group of the socket.
    pub gid: u32,
}

impl MountSpec {
    /// Replaces the variables with `expand` and checks what the fields then say.
    ///
    /// `expand` is usually [`expand`](crate::expand()) with the variables of the stage; every value goes
    /// through it once.
    pub fn resolve(&self, expand: &dyn Fn(&str) -> Result<String, ExpandError>) -> Result<Mount, ParseError> {
        resolve_mount(self, expand)
    }
}
