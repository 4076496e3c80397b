//! What a build is asked to do: plain values, filled in by whoever calls.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use tug_fetch::{GitOptions, HttpOptions, Remote};
use tug_oci::{Platform, Reference};

use crate::changes::ImageChanges;
use crate::elsewhere::{Elsewhere, InlineCache};
use crate::sandbox::Sandbox;
use crate::secret::{Secret, SshAgent};

/// Variables that say how the network is reached. As build arguments nobody needs to declare them: RUN steps see them,
/// and they are in no key and in no history.
pub const PROXY_VARIABLES: [&str; 10] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "FTP_PROXY",
    "ftp_proxy",
    "NO_PROXY",
    "no_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// The files that a build may read.
pub enum ContextSource {
    /// A folder.
    Folder(PathBuf),
    /// A tar, plain or compressed, read once from front to back.
    Tar(Box<dyn Read + Send>),
    /// No files at all: the Dockerfile came alone.
    Empty,
    /// A repository, or a file that is a tar, plain or compressed, or a Dockerfile without any files.
    Remote(Remote),
    /// The files of an earlier unit of the same build, by its place in the list: what can be read once only, such as a
    /// tar on standard input, can serve several units.
    OfUnit(usize),
}

/// Where the text of the Dockerfile comes from.
#[derive(Clone)]
pub enum DockerfileSource {
    /// A path inside the context, or `None` for `Dockerfile`, then `dockerfile`, then `Containerfile`.
    InContext(Option<String>),
    /// A text with the name that errors show and, if it is a file, its path, beside which `NAME.dockerignore` may lie.
    Text {
        /// Shown in errors.
        name: String,
        /// The bytes of the file.
        text: Vec<u8>,
        /// Where the file lies.
        path: Option<PathBuf>,
    },
}

/// The network that RUN steps see when they do not choose themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NetworkMode {
    /// The host's.
    #[default]
    Host,
    /// None but loopback.
    None,
}

/// Which layers of an image become one at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Squash {
    /// None.
    #[default]
    No,
    /// Those of this build; the layers of the base image stay.
    New,
    /// All of them.
    All,
}

/// How what is not on this machine is fetched.
#[derive(Clone, Debug, Default)]
pub struct RemoteOptions {
    /// Files.
    pub http: HttpOptions,
    /// Repositories.
    pub git: GitOptions,
}

/// What a name in `FROM`, `--from` or `from=` means instead of a stage or an image of that name.
pub enum NamedContext {
    /// Files.
    Files(ContextSource),
    /// An image, under any name that `FROM` takes.
    Image(String),
    /// What another unit of the same build makes: its place in the list that [`crate::build_all`] gets, before this one.
    Unit(usize),
}

/// Everything that can be asked of one unit of a build.
pub struct BuildOptions {
    /// What tells this unit from the others of the same build in the names of steps; empty when it is alone.
    pub name: String,
    /// The files.
    pub context: ContextSource,
    /// The Dockerfile.
    pub dockerfile: DockerfileSource,
    /// Further contexts by name. They hide stages and images of the same name.
    pub named_contexts: Vec<(String, NamedContext)>,
    /// The stage to build, by name or number; the last one by default.
    pub target: Option<String>,
    /// `--build-arg`: values of ARG.
    pub build_args: BTreeMap<String, String>,
    /// `--label`: added to the image, in order.
    pub labels: Vec<(String, String)>,
    /// Names to give to the image.
    pub tags: Vec<Reference>,
    /// Whether an image without a name is kept as well. Without it, the image lasts only as long as nobody tidies up: for
    /// a caller who does something else with it.
    pub keep: bool,
    /// Which of its layers become one.
    pub squash: Squash,
    /// Whether every step runs again.
    pub no_cache: bool,
    /// Whether results are kept for later builds. Without it, the cache is as if there had been no build.
    pub remember: bool,
    /// Stages, by name or number, whose steps run again.
    pub no_cache_stages: Vec<String>,
    /// What the image is for.
    pub platform: Platform,
    /// Whether a base image for another platform is an error, because somebody asked for this one. Otherwise an image
    /// that is for one platform only is taken for what it is.
    pub strict_platform: bool,
    /// The network of RUN steps.
    pub network: NetworkMode,
    /// How many steps may run at once.
    pub jobs: usize,
    /// Seconds since 1970: `created`, and no file in a new layer is younger. Files of a context have just this time. When
    /// absent, the Dockerfile may say it.
    pub source_date_epoch: Option<i64>,
    /// Whether [`Self::source_date_epoch`] is the time of the context, if it has one: of a repository that of the commit, of
    /// a download `Last-Modified`, of a tar that of its newest file.
    pub epoch_of_context: bool,
    /// How what is not on this machine is fetched; that of the first unit counts for all.
    pub remote: RemoteOptions,
    /// Who may be asked for images and results of steps; that of the first unit counts for all.
    pub elsewhere: Elsewhere,
    /// Who puts results of steps into the image.
    pub inline_cache: Option<Arc<dyn InlineCache>>,
    /// Proxy variables of the caller that RUN steps may use: in no key, no layer and no history. Build arguments of the
    /// same name count before them.
    pub proxy_environment: Vec<(String, String)>,
    /// Text of `/etc/resolv.conf` for RUN steps; the host's when absent.
    pub resolv_conf: Option<String>,
    /// Where the rules for leaving files out of the context are, in place of `.dockerignore`.
    pub ignore_file: Option<PathBuf>,
    /// What else RUN steps get.
    pub sandbox: Sandbox,
    /// What is changed about the image from outside of the Dockerfile.
    pub changes: ImageChanges,
    /// What `RUN --mount=type=secret` gives to commands; of several with one id the last one.
    pub secrets: Vec<Secret>,
    /// What `RUN --mount=type=ssh` gives to commands; of several with one id the last one.
    pub ssh_agents: Vec<SshAgent>,
}

impl BuildOptions {
    /// Builds the last stage for this machine, with everything as it is by default.
    pub fn new(context: ContextSource, dockerfile: DockerfileSource) -> Self {
        Self {
            name: String::new(),
            context,
            dockerfile,
            named_contexts: Vec::new(),
            target: None,
            build_args: BTreeMap::new(),
            labels: Vec::new(),
            tags: Vec::new(),
            keep: true,
            squash: Squash::default(),
            no_cache: false,
            remember: true,
            no_cache_stages: Vec::new(),
            platform: Platform::host(),
            strict_platform: false,
            network: NetworkMode::default(),
            jobs: 4,
            source_date_epoch: None,
            epoch_of_context: false,
            remote: RemoteOptions::default(),
            elsewhere: Elsewhere::default(),
            inline_cache: None,
            proxy_environment: Vec::new(),
            resolv_conf: None,
            ignore_file: None,
            sandbox: Sandbox::default(),
            changes: ImageChanges::default(),
            secrets: Vec::new(),
            ssh_agents: Vec::new(),
        }
    }

    /// The proxy variables that RUN steps see without having declared them.
    pub(crate) fn proxies(&self) -> Vec<(String, String)> {
        let given = self.build_args.iter().filter(|(name, _)| PROXY_VARIABLES.contains(&name.as_str()));
        let inherited = self.proxy_environment.iter().filter(|(name, _)| !self.build_args.contains_key(name));
        given.map(|(name, value)| (name.clone(), value.clone())).chain(inherited.cloned()).collect()
    }
}
