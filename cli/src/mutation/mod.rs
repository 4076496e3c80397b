//! What commands have in common that make an image of another one: where that is found, which images of an index are
//! meant, and where the result goes.
//!
//! | IMAGE                                | is looked for                                                            |
//! | ------------------------------------ | ------------------------------------------------------------------------ |
//! | an id, or a name                     | in the store                                                             |
//! | a name that the store has not        | on its registry, if it says which one, or with `--push`                  |
//! | `docker://NAME`, or with `--remote`  | on its registry                                                          |
//!
//! From a registry only manifests and configs are fetched; layers stay where they are until somebody reads them.

mod delivery;
mod search;

use std::cell::OnceCell;
use std::str::FromStr;

use tug_layer_store::{Store, Which};
use tug_oci::{Descriptor, Platform, Reference, ReferenceError};

use crate::arguments::values::ImageName;
use crate::commands::destination;
use crate::error::CommandError;
use crate::on_demand;
use crate::progress::ProgressMode;
use crate::progress::transfer::Doing;
use crate::registry_settings::RegistryArguments;
use crate::session;
use crate::settings::Settings;
use crate::transfers::{self, Transfers};

/// skopeo's and podman's way to say that a name is one of a registry.
const DOCKER: &str = "docker://";
/// The image without layers, as FROM calls it.
const SCRATCH: &str = "scratch";

/// Where the image comes from and where the result goes.
#[derive(Debug, clap::Args)]
pub(crate) struct MutationArguments {
    /// The name to give to the result (can be repeated) [default: that of the image]
    #[arg(short, long = "tag", value_name = "NAME", value_parser = destination)]
    pub(crate) tags: Vec<Reference>,
    /// Of an image for several platforms, only the one for this one [default: all]
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<Platform>,
    /// All images of an index; those that the store has not are looked for on the registry
    #[arg(long, conflicts_with = "platform")]
    all_platforms: bool,
    /// Take the image from its registry, not from the store; `docker://IMAGE` does the same
    #[arg(long)]
    remote: bool,
    /// Send the result to the registries of its names, instead of naming it in the store
    #[arg(long)]
    push: bool,
    /// Show nothing but names and errors
    #[arg(short, long)]
    quiet: bool,
    /// How to show progress
    #[arg(long, value_name = "HOW", conflicts_with = "quiet")]
    progress: Option<ProgressMode>,
    #[command(flatten)]
    pub(crate) registry: RegistryArguments,
}

/// The image that a command starts from, as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    name: ImageName,
    is_remote: bool,
}

impl FromStr for Start {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let bare = text.strip_prefix(DOCKER);
        Ok(Self { name: bare.unwrap_or(text).parse()?, is_remote: bare.is_some() })
    }
}

impl Start {
    /// As it was typed, without `docker://`.
    pub(crate) fn as_str(&self) -> &str {
        self.name.as_str()
    }

    /// Whether it is the image without layers.
    pub(crate) fn is_scratch(&self) -> bool {
        self.name.as_str() == SCRATCH && !self.is_remote
    }
}

/// What is to be changed.
pub(crate) struct Subject {
    /// The store, which fetches layers that somebody reads.
    pub(crate) store: Store,
    /// What the name points to.
    pub(crate) target: Descriptor,
    /// Which images of it are changed.
    pub(crate) which: Which,
    /// What the user calls it.
    pub(crate) shown: String,
    /// Whether the result has layers of its own, which a push compresses.
    pub(crate) has_new_layers: bool,
    is_from_registry: bool,
    destinations: Vec<Reference>,
    by_digest: bool,
    way: Way,
}

/// The way to registries, prepared once somebody takes it.
struct Way {
    names: Vec<Reference>,
    mode: ProgressMode,
    begun: OnceCell<Transfers>,
}

impl MutationArguments {
    /// Finds the image, and which of an index.
    pub(crate) fn find(&self, start: &Start, settings: &Settings) -> Result<Subject, CommandError> {
        let mode = transfers::mode(self.progress, self.quiet, settings)?;
        let store = session::open_store(settings)?;
        session::tidy_in_background(&store);
        let (destinations, by_digest) = self.destinations(start, &store)?;
        let mut names = destinations.clone();
        names.extend(start.name.reference().filter(|_| self.is_remote(start)));
        let way = Way { names, mode, begun: OnceCell::new() };
        let target = self.target(start, &store, &way, settings)?;
        let is_from_registry = way.begun.get().is_some();
        let which = self.which(start, &store, &target, &way, settings)?;
        let store = match way.begun.get() {
            Some(transfers) => transfers.stopping(&store),
            None => store,
        };
        let store = on_demand::store(&store, settings);
        let shown = start.as_str().to_owned();
        Ok(Subject {
            store,
            target,
            which,
            shown,
            has_new_layers: false,
            is_from_registry,
            destinations,
            by_digest,
            way,
        })
    }

    /// The names of the result; whether it is pushed by digest only.
    fn destinations(&self, start: &Start, store: &Store) -> Result<(Vec<Reference>, bool), CommandError> {
        if !self.tags.is_empty() {
            return Ok((self.tags.clone(), false));
        }
        let own = start.name.reference();
        let is_name = match &own {
            Some(own) => !is_id(start.as_str()) || store.resolve(own)?.is_some(),
            None => false,
        };
        match (own, self.push) {
            (Some(own), _) if own.digest().is_none() && is_name => Ok((vec![own], false)),
            (Some(own), true) if own.digest().is_some() => {
                let repository = format!("{}/{}", own.registry(), own.repository());
                Ok((repository.parse().into_iter().collect(), true))
            }
            (_, true) => {
                Err(CommandError::usage(format_args!("`{}` is not a name to push to", start.as_str()))
                    .hint("say where to: `-t REGISTRY/NAME:TAG`"))
            }
            (_, false) => Ok((Vec::new(), false)),
        }
    }

    fn transfers<'a>(&self, way: &'a Way, settings: &Settings) -> Result<&'a Transfers, CommandError> {
        if let Some(begun) = way.begun.get() {
            return Ok(begun);
        }
        let registry = self.registry.options(&settings.environment, transfers::registry(&way.names))?;
        let begun = Transfers::start(registry, way.mode, Doing::Copying, settings)?;
        Ok(way.begun.get_or_init(|| begun))
    }

    /// Whether the image, and what belongs to it, is asked of registries before the store.
    pub(crate) fn is_remote(&self, start: &Start) -> bool {
        self.remote || start.is_remote
    }
}

impl Subject {
    /// A subject without layers, for the platform asked for.
    pub(crate) fn scratch(arguments: &MutationArguments, settings: &Settings) -> Result<Self, CommandError> {
        let start = Start { name: SCRATCH.parse().map_err(CommandError::usage)?, is_remote: false };
        if arguments.tags.is_empty() && arguments.push {
            return Err(
                CommandError::usage("a push needs a name").hint("give one with `-t REGISTRY/NAME:TAG`")
            );
        }
        let store = session::open_store(settings)?;
        session::tidy_in_background(&store);
        let platform = arguments.platform.clone().unwrap_or_else(Platform::host);
        let empty = store.write_image(tug_oci::ImageConfig::empty(platform), Default::default())?;
        Ok(Self {
            store: on_demand::store(&store, settings),
            target: empty.descriptor,
            which: Which::All,
            shown: start.as_str().to_owned(),
            has_new_layers: true,
            is_from_registry: false,
            destinations: arguments.tags.clone(),
            by_digest: false,
            way: Way {
                names: arguments.tags.clone(),
                mode: transfers::mode(arguments.progress, arguments.quiet, settings)?,
                begun: OnceCell::new(),
            },
        })
    }
}

/// Whether a text is rather an id than a name.
fn is_id(text: &str) -> bool {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    text.starts_with("sha256:") || digits.len() >= 12 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}
