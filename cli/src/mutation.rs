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

use std::cell::OnceCell;
use std::str::FromStr;
use std::time::Instant;

use tug_layer_store::{Changed, Image, LayerCompression, Store, Which};
use tug_oci::{Descriptor, Index, Platform, Raw, Reference, ReferenceError, media_type};
use tug_registry_client::hosts::Hosts;
use tug_transfer::{Layers, PullOptions, PushOptions};

use crate::arguments::values::ImageName;
use crate::commands::destination;
use crate::environment;
use crate::error::CommandError;
use crate::human;
use crate::images;
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

    fn target(
        &self,
        start: &Start,
        store: &Store,
        way: &Way,
        settings: &Settings,
    ) -> Result<Descriptor, CommandError> {
        if !self.remote && !start.is_remote {
            if let Some(found) = images::look_for_target(store, &start.name)? {
                return Ok(found);
            }
            let may_ask = settings.environment.text(environment::OFFLINE).is_none();
            let says_where =
                start.name.reference().is_some_and(|own| start.as_str().starts_with(own.registry()));
            if !may_ask || !(self.push || says_where) || start.name.reference().is_none() {
                let error = images::not_found(store, &start.name);
                return Err(match start.name.reference() {
                    Some(_) if !is_id(start.as_str()) => {
                        error.also_hint("`--remote` takes it from its registry")
                    }
                    _ => error,
                });
            }
        }
        let name = self.full_name(start, settings)?;
        self.documents(&name, store, way, settings)
    }

    fn which(
        &self,
        start: &Start,
        store: &Store,
        target: &Descriptor,
        way: &Way,
        settings: &Settings,
    ) -> Result<Which, CommandError> {
        if !media_type::is_index(&target.media_type) {
            if let Some(wanted) = &self.platform {
                let image = store.image(target, wanted)?;
                if image.config.platform.distance_to(wanted).is_none() {
                    let own = &image.config.platform;
                    let message = format!("`{}` is for {own}, not for {wanted}", start.as_str());
                    return Err(CommandError::failed(message));
                }
            }
            return Ok(Which::All);
        }
        if let Some(platform) = &self.platform {
            return Ok(Which::One(platform.clone()));
        }
        let missing = store.missing_documents(target)?;
        if missing == 0 {
            return Ok(Which::All);
        }
        if !self.all_platforms {
            let image = store.image(target, &Platform::host())?;
            let platform = image.config.platform.clone();
            if !self.quiet {
                settings.output.note(format_args!(
                    "only the image for {platform}: the store has no manifests of {missing} others, which \
                     `--all-platforms` fetches"
                ));
            }
            return Ok(Which::One(platform));
        }
        let Some(own) = start.name.reference().filter(|_| !is_id(start.as_str())) else {
            let message =
                format!("the store has not all images of `{}`: {missing} are missing", start.as_str());
            return Err(CommandError::failed(message).hint("name it as it is called on its registry"));
        };
        let pinned = format!("{}/{}@{}", own.registry(), own.repository(), target.digest);
        let pinned = pinned.parse().map_err(|error: ReferenceError| CommandError::usage(error))?;
        self.documents(&pinned, store, way, settings)?;
        Ok(Which::All)
    }

    /// What a name without a registry means, registries.conf may say.
    fn full_name(&self, start: &Start, settings: &Settings) -> Result<Reference, CommandError> {
        let Some(reference) = start.name.reference().filter(|_| !start.as_str().starts_with("sha256:"))
        else {
            let message = format!("`{}` is not a name", start.as_str());
            return Err(CommandError::usage(message)
                .hint("images on registries have no ids: write `NAME:TAG` or `NAME@DIGEST`"));
        };
        let hosts = Hosts::new(self.registry.connection.hosts(&settings.environment, &[]));
        Ok(hosts.full_name(start.as_str(), &reference)?.reference)
    }

    /// Fetches manifests and configs, not layers.
    fn documents(
        &self,
        name: &Reference,
        store: &Store,
        way: &Way,
        settings: &Settings,
    ) -> Result<Descriptor, CommandError> {
        let transfers = self.transfers(way, settings)?;
        let target = match &self.platform {
            Some(platform) => transfers.end(transfers.remote.resolve_target(store, name, platform))?.target,
            None => {
                let options = PullOptions {
                    all_platforms: true,
                    layers: Layers::Lazy,
                    gives_name: false,
                    ..PullOptions::new(Platform::host())
                };
                transfers.end(transfers.remote.pull(store, name, &options))?.target
            }
        };
        transfers.pause();
        Ok(target)
    }

    fn transfers<'a>(&self, way: &'a Way, settings: &Settings) -> Result<&'a Transfers, CommandError> {
        if let Some(begun) = way.begun.get() {
            return Ok(begun);
        }
        let registry = self.registry.options(&settings.environment, transfers::registry(&way.names))?;
        let begun = Transfers::start(registry, way.mode, Doing::Copying, settings)?;
        Ok(way.begun.get_or_init(|| begun))
    }

    /// Another image that the command needs, such as a base: its documents, for `platform`. The store has it, unless
    /// `asks` or it is not there.
    pub(crate) fn other_image(
        &self,
        name: &str,
        platform: &Platform,
        asks: bool,
        subject: &Subject,
        settings: &Settings,
    ) -> Result<Image, CommandError> {
        let store = &subject.store;
        let start: Start = name.parse().map_err(|error: ReferenceError| CommandError::usage(error))?;
        if !asks && !start.is_remote {
            if let Some(found) = store.find_image(start.as_str(), platform)? {
                return Ok(found);
            }
            if settings.environment.text(environment::OFFLINE).is_some() {
                return Err(images::not_found(store, &start.name));
            }
        }
        let full = self.full_name(&start, settings)?;
        let transfers = self.transfers(&subject.way, settings)?;
        let image = transfers.end(transfers.remote.resolve(store, &full, platform))?;
        transfers.pause();
        Ok(image)
    }

    /// Whether the image, and what belongs to it, is asked of registries before the store.
    pub(crate) fn is_remote(&self, start: &Start) -> bool {
        self.remote || start.is_remote
    }

    /// Gives the result its names, or sends it away. What a script wants goes to standard output.
    pub(crate) fn deliver(
        &self,
        subject: &Subject,
        made: &Changed,
        settings: &Settings,
    ) -> Result<(), CommandError> {
        subject.tell(made, settings)?;
        let Subject { store, destinations, .. } = subject;
        if self.push {
            return self.send(subject, &made.target, settings);
        }
        match destinations.as_slice() {
            [] => store.keep(&made.target)?,
            names => {
                let refs: Vec<_> = names.iter().map(|name| (name.clone(), made.target.clone())).collect();
                store.tag_all(&refs)?;
            }
        }
        settings.output.line(&made.target.digest)
    }

    fn send(&self, subject: &Subject, target: &Descriptor, settings: &Settings) -> Result<(), CommandError> {
        let Subject { store, destinations, by_digest, way, .. } = subject;
        let transfers = self.transfers(way, settings)?;
        let mut options =
            PushOptions { all: true, by_digest: *by_digest, ..PushOptions::new(Platform::host()) };
        if subject.is_from_registry && !subject.has_new_layers {
            // They are on a registry as they are, plain or not, and need not be moved.
            options.compression = LayerCompression::Plain;
        }
        let before = Instant::now();
        let pushed = transfers.remote.push(store, &subject.shown, target, destinations, &options);
        let mut lines = String::new();
        for pushed in transfers.end(pushed)? {
            let name = if *by_digest { pushed.name.familiar_name() } else { pushed.name.familiar() };
            transfers.note(&format!("pushed {name} in {}", human::seconds(before.elapsed())));
            let Descriptor { digest, .. } = pushed.target;
            lines += &format!("{}/{}@{digest}\n", pushed.name.registry(), pushed.name.repository());
        }
        transfers.finish();
        settings.output.data(lines.as_bytes())
    }
}

impl Subject {
    /// A line about what the user may not expect.
    pub(crate) fn note(&self, text: impl std::fmt::Display, settings: &Settings) {
        let is_quiet =
            matches!(self.way.mode, ProgressMode::Quiet | ProgressMode::None | ProgressMode::RawJson);
        match self.way.begun.get() {
            Some(transfers) => transfers.note(&text.to_string()),
            None if is_quiet => {}
            None => settings.output.note(text),
        }
    }

    /// The error of work between transfers: after an interrupt the process ends by its signal.
    pub(crate) fn behind(&self, error: CommandError) -> CommandError {
        match self.way.begun.get() {
            Some(transfers) => transfers.behind(error),
            None => error,
        }
    }

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

    fn tell(&self, made: &Changed, settings: &Settings) -> Result<(), CommandError> {
        if let Which::One(_) = &self.which
            && media_type::is_index(&self.target.media_type)
        {
            let bytes = self.store.read_blob(&self.target.digest, self.target.size)?;
            let of = Raw::<Index>::parse(bytes).map_or(0, |index| index.manifests.len());
            let platform = made.target.platform.as_ref().map(|own| format!(" for {own}")).unwrap_or_default();
            self.note(
                format_args!("the result is the image{platform} alone: `{}` is an index of {of}", self.shown),
                settings,
            );
        }
        match made.attestations {
            0 => {}
            1 => self.note("left out an attestation: it is about the image as it was", settings),
            many => self.note(
                format_args!("left out {many} attestations: they are about the images as they were"),
                settings,
            ),
        }
        Ok(())
    }
}

/// Whether a text is rather an id than a name.
fn is_id(text: &str) -> bool {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    text.starts_with("sha256:") || digits.len() >= 12 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}
