//! The environment variables that tug reads: all of them, and the only place that reads any.
//!
//! What they mean is said here once; the table in the crate's README and the help texts follow it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Where images, layers and the build cache are kept, unless `--store` says otherwise.
pub(crate) const STORE: &str = "TUG_STORE";
/// How large the build cache may be after a build: `20g`, `15%` of the disk, or `off` for any size.
pub(crate) const CACHE_LIMIT: &str = "TUG_CACHE_LIMIT";
/// Stores that are only read, with `:` between, as with `--add-store`.
pub(crate) const EXTRA_STORES: &str = "TUG_EXTRA_STORES";
/// Set to anything: an internal error shows where in the program it happened.
pub(crate) const BACKTRACE: &str = "TUG_BACKTRACE";
/// `root`, `many-ids` or `single-id`: how to get the ids of containers, instead of the best way that works.
pub(crate) const MODE: &str = "TUG_MODE";
/// How layers are kept: `auto` or `trees`.
pub(crate) const LAYERS: &str = "TUG_LAYERS";
/// Set to anything: builds ask no registry, as with `--offline`.
pub(crate) const OFFLINE: &str = "TUG_OFFLINE";

/// Default of `tug build --progress`, as in docker.
pub(crate) const BUILDKIT_PROGRESS: &str = "BUILDKIT_PROGRESS";
/// How many lines of output the live view shows below each running step, as in docker.
pub(crate) const BUILDKIT_TTY_LOG_LINES: &str = "BUILDKIT_TTY_LOG_LINES";
/// The time that everything in a new image gets, in seconds since 1970, unless `--timestamp` says otherwise.
pub(crate) const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";
/// Default of `--platform`, as in docker.
pub(crate) const DOCKER_DEFAULT_PLATFORM: &str = "DOCKER_DEFAULT_PLATFORM";

/// Files that `tug bake` reads when no `-f` names any, as in buildx.
pub(crate) const BUILDX_BAKE_FILE: &str = "BUILDX_BAKE_FILE";
/// What stands between the names in [`BUILDX_BAKE_FILE`]; `:` by default.
pub(crate) const BUILDX_BAKE_PATH_SEPARATOR: &str = "BUILDX_BAKE_PATH_SEPARATOR";
/// `1`: variables of bake files do not see the environment.
pub(crate) const BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP: &str = "BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP";
/// `0`: bake files may name files outside of the current folder.
pub(crate) const BUILDX_BAKE_ENTITLEMENTS_FS: &str = "BUILDX_BAKE_ENTITLEMENTS_FS";

/// Set to anything but nothing: no colours.
pub(crate) const NO_COLOR: &str = "NO_COLOR";
/// Set to anything but `0`: colours although the output is no terminal.
pub(crate) const FORCE_COLOR: &str = "FORCE_COLOR";
/// The other spelling of [`FORCE_COLOR`].
pub(crate) const CLICOLOR_FORCE: &str = "CLICOLOR_FORCE";
/// `dumb`: a terminal that knows neither colours nor cursor movement.
pub(crate) const TERM: &str = "TERM";
/// `true` inside of GitHub Actions: output is folded there, and errors become annotations.
pub(crate) const GITHUB_ACTIONS: &str = "GITHUB_ACTIONS";
/// Inside of GitHub Actions: the file that takes what later steps of the job may read.
pub(crate) const GITHUB_OUTPUT: &str = "GITHUB_OUTPUT";
/// Inside of GitHub Actions: the file that takes what is shown on the page of the job.
pub(crate) const GITHUB_STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// The socket of the ssh agent that `tug build --ssh default` gives to steps.
pub(crate) const SSH_AUTH_SOCK: &str = "SSH_AUTH_SOCK";

/// Where the socket of an ssh agent is made that serves keys given to `tug build --ssh`.
pub(crate) const TMPDIR: &str = "TMPDIR";

/// Where an ordinary user's data lies; the store is the folder `tug` in it.
pub(crate) const XDG_DATA_HOME: &str = "XDG_DATA_HOME";
/// The user's home, for `.local/share` when [`XDG_DATA_HOME`] is not set.
pub(crate) const HOME: &str = "HOME";

/// The folder of docker's settings and credentials; `~/.docker` by default.
pub(crate) const DOCKER_CONFIG: &str = "DOCKER_CONFIG";
/// The text of a file with credentials, as docker and GitLab take it.
pub(crate) const DOCKER_AUTH_CONFIG: &str = "DOCKER_AUTH_CONFIG";
/// The one file with credentials, as in podman.
pub(crate) const REGISTRY_AUTH_FILE: &str = "REGISTRY_AUTH_FILE";
/// The one registries.conf, as in podman.
pub(crate) const CONTAINERS_REGISTRIES_CONF: &str = "CONTAINERS_REGISTRIES_CONF";
/// Where podman keeps credentials until the next restart.
pub(crate) const XDG_RUNTIME_DIR: &str = "XDG_RUNTIME_DIR";
/// Where a user's settings of podman lie; `~/.config` by default.
pub(crate) const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";
/// Where programs are looked for that keep passwords.
pub(crate) const PATH: &str = "PATH";
/// Folders of certificates, with `:` between, that are trusted besides those of the system by registries.
pub(crate) const SSL_CERT_DIR: &str = "SSL_CERT_DIR";

/// A file of certificates that are trusted besides those of the system, when something is fetched.
pub(crate) const SSL_CERT_FILE: &str = "SSL_CERT_FILE";

/// How to reach the network: for what tug fetches itself, and handed to RUN steps, but recorded nowhere.
pub(crate) use tug_builder::PROXY_VARIABLES as PROXIES;

/// The environment as it was when tug started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// The environment of this process.
    pub(crate) fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// The value of `name`; a variable that is set to nothing counts as not set.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(OsStr::new(name))?.to_str().filter(|value| !value.is_empty())
    }

    /// The value of `name` as a path.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.0.get(OsStr::new(name)).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// All of it, for programs that are started.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter()
    }

    /// Everything, for files that may name any variable; what is not UTF-8 is left out.
    pub(crate) fn texts(&self) -> BTreeMap<String, String> {
        let text = |word: &OsString| word.to_str().map(str::to_owned);
        self.0.iter().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect()
    }

    /// The value of a variable that the user named, such as in `--build-arg NAME`; it may be empty.
    pub(crate) fn named(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}
