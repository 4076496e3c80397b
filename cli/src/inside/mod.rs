//! Looking into images, wherever they are: the store, a registry, a file.
//!
//! Of an image on a registry only what is needed comes here. Layers are looked at from the top: a file that the
//! uppermost layer has needs no other. What came stays in the store, without a name, until the next prune, so that the
//! second look is a look into the store.

mod layers;
mod place;

use std::sync::Arc;

use tug_layer_store::{
    EntryKind, Image, LastLink, Lists, LoadOptions, Loaded, Mountable, Names, Node, PathError, Store, View,
};
use tug_oci::{Descriptor, Platform, Reference, media_type};

pub(crate) use layers::{Base, Step, StepLayer};
use place::PlaceKind;
pub(crate) use place::{ImagePath, ImagePlace, image, image_path, path_in_image};

use crate::arguments::values::ImageName;
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
use crate::transfers::Transfers;

/// The flags about where an image is.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct PlaceArguments {
    /// Ask the registry, not the store; `docker://IMAGE` does the same for one image
    #[arg(long)]
    pub(crate) remote: bool,
    /// Look at the image of this platform [default: that of this machine]
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<Platform>,
    #[command(flatten)]
    registry: RegistryArguments,
}

/// An image that is looked into.
pub(crate) struct Opened {
    /// The store that has it, or brings it.
    pub(crate) store: Store,
    /// The image.
    pub(crate) image: Image,
    /// As it was typed.
    pub(crate) name: String,
    /// What its name points to, where that is an index.
    index: Option<Descriptor>,
    /// The lists of layers that stay where they are.
    lists: Lists,
    /// The way to its registry, if it is on one.
    transfers: Option<Transfers>,
    output: crate::output::Output,
}

impl PlaceArguments {
    /// Finds an image. Of one on a registry, manifest and config come into the store.
    pub(crate) fn open(&self, place: &ImagePlace, settings: &Settings) -> Result<Opened, CommandError> {
        let store = on_demand::store(&session::open_to_read(settings)?, settings);
        let platform = self.platform.clone().unwrap_or_else(Platform::host);
        let opened = |store, image, transfers| Opened {
            store,
            image,
            name: place.text.clone(),
            index: None,
            lists: Lists::default(),
            transfers,
            output: settings.output,
        };
        match &place.kind {
            PlaceKind::Registry(name) => self.ask(&store, name, &platform, place, settings),
            PlaceKind::Name(name) if self.remote => {
                let not_a_name = || {
                    CommandError::usage(format_args!("`{}` is not a name", name.as_str()))
                        .hint("images on registries have no ids: write `NAME:TAG` or `NAME@DIGEST`")
                };
                let name = name.reference().ok_or_else(not_a_name)?;
                self.ask(&store, &name, &platform, place, settings)
            }
            PlaceKind::Archive(path, only) => {
                let image = load(&store, place, path, only.as_deref(), &platform)?;
                Ok(opened(store, image, None))
            }
            PlaceKind::Name(name) => match store.find_image(name.as_str(), &platform)? {
                Some(image) => {
                    let target = name.reference().map(|name| store.resolve(&name)).transpose()?.flatten();
                    Ok(opened(store, image, None).pointed_to_by(target))
                }
                None => match elsewhere(name, settings) {
                    Some(found) => {
                        let shown = name.as_str();
                        settings
                            .output
                            .note(format_args!("`{shown}` is not in the store: its registry is asked"));
                        let here = images::not_found(&store, name);
                        let asked = self.ask(&store, &found, &platform, place, settings);
                        asked.map_err(|error| match here.advice() {
                            Some(advice) => error.also_hint(format!("in the store: {advice}")),
                            None => error,
                        })
                    }
                    None => Err(not_found(&store, name)),
                },
            },
            PlaceKind::Store(name) => match store.find_image(name.as_str(), &platform)? {
                Some(image) => Ok(opened(store, image, None)),
                None => Err(images::not_found(&store, name)),
            },
        }
    }

    fn ask(
        &self,
        store: &Store,
        name: &Reference,
        platform: &Platform,
        place: &ImagePlace,
        settings: &Settings,
    ) -> Result<Opened, CommandError> {
        let options = self.registry.options(&settings.environment, Some(name.registry()))?;
        let mode = ProgressMode::chosen(None, &settings.environment, &settings.output)?;
        let transfers = Transfers::start(options, mode, Doing::Pulling, settings)?;
        let resolved = transfers.end(transfers.remote.resolve_target(store, name, platform))?;
        let opened = Opened {
            store: store.with_fetcher(Arc::new(transfers.remote.clone())),
            image: resolved.image,
            name: place.text.clone(),
            index: None,
            lists: Lists::default(),
            transfers: Some(transfers),
            output: settings.output,
        };
        Ok(opened.pointed_to_by(Some(resolved.target)))
    }
}

/// A name that may be one of a registry, when registries may be asked.
fn elsewhere(name: &ImageName, settings: &Settings) -> Option<Reference> {
    let is_offline = settings.environment.text(environment::OFFLINE).is_some();
    let is_id = name.as_str().starts_with("sha256:");
    name.reference().filter(|_| !is_offline && !is_id)
}

fn not_found(store: &Store, name: &ImageName) -> CommandError {
    let error = images::not_found(store, name);
    match name.reference() {
        Some(_) => error.also_hint(format!("`docker://{}` asks the registry", name.as_str())),
        None => error,
    }
}

/// Its blobs come into the store. No name is given.
fn load(
    store: &Store,
    place: &ImagePlace,
    path: &std::path::Path,
    only: Option<&str>,
    platform: &Platform,
) -> Result<Image, CommandError> {
    let options = LoadOptions {
        only: only.map(str::to_owned),
        names: Names::Leave,
        ..LoadOptions::new(platform.clone())
    };
    let loaded = store.load_path(path, &options)?;
    match loaded.as_slice() {
        [only] => Ok(store.image(&only.target, platform)?),
        several => Err(CommandError::failed(format_args!(
            "there are {} images in `{}`",
            several.len(),
            path.display()
        ))
        .hint(format!("name one of them as `{}:NAME`: {}", place.text, names(several)))),
    }
}

fn names(images: &[Loaded]) -> String {
    let names = images.iter().flat_map(|image| &image.names).map(|name| format!("`{}`", name.familiar()));
    names.collect::<Vec<_>>().join(", ")
}

impl Opened {
    /// Another image, found in the same place.
    pub(crate) fn other(&self, image: Image, name: String) -> Self {
        let lists = self.lists.clone();
        Self {
            store: self.store.clone(),
            image,
            name,
            index: None,
            lists,
            transfers: None,
            output: self.output,
        }
    }

    fn pointed_to_by(mut self, target: Option<Descriptor>) -> Self {
        self.index = target.filter(|target| media_type::is_index(&target.media_type));
        self
    }

    /// The index that its name points to, if it does.
    pub(crate) fn target(&self) -> Option<&Descriptor> {
        self.index.as_ref()
    }

    /// Lets all layers be known. Those that are missing come whole.
    pub(crate) fn fetch(&self) -> Result<(), CommandError> {
        Ok(self.store.ensure_layers(self.image.layers(), Mountable::Later)?)
    }

    /// All layers laid over each other. Those that are missing come, but for those that have a list of what is in them.
    pub(crate) fn view(&self) -> Result<View, CommandError> {
        self.view_from(0)
    }

    /// What is at `path`, and the layers that were needed to know it. Of a directory all are needed.
    pub(crate) fn find(&self, path: &[u8], last: LastLink) -> Result<(View, Node), CommandError> {
        let count = self.image.diff_ids().len();
        let mut from = self.first_of_known()?.min(count.saturating_sub(1));
        loop {
            let view = self.view_from(from)?;
            match view.resolve(path, last) {
                // What the lower layers have may be in it, or may be what is missing.
                Ok(node)
                    if from > 0
                        && node.entry().kind == EntryKind::Directory
                        && !view.settles(node.path()) =>
                {
                    from = 0;
                }
                Err(PathError::Missing(path)) if from > 0 && !view.settles(&path) => from -= 1,
                Ok(node) => return Ok((view, node)),
                Err(error) => {
                    return Err(CommandError::failed(format_args!("{}: {error}", self.name))
                        .hint(format!("`tug ls {}:/` shows what is there", self.name)));
                }
            }
        }
    }

    /// Takes the view of transfers away.
    pub(crate) fn end(&self) {
        if let Some(transfers) = &self.transfers {
            transfers.finish();
        }
    }

    /// The same, and tells how much of an image of a registry is here by now.
    pub(crate) fn finish(&self) -> Result<(), CommandError> {
        if self.transfers.is_none() {
            return Ok(());
        }
        self.end();
        let known = self.known()?;
        let here = known.iter().filter(|known| known.is_some()).count();
        let total = known.len();
        if total > 0 {
            let of = human::counted(total, "layer");
            let listed = match self.lists.count() {
                0 => String::new(),
                listed => format!(", {listed} known by what they list"),
            };
            let name = human::one_line(&self.name);
            self.output.note(format_args!("{name}: {here} of {of} here now{listed}"));
        }
        Ok(())
    }

    fn view_from(&self, from: usize) -> Result<View, CommandError> {
        Ok(self.store.look_into(self.image.layers().skip(from), &self.lists)?)
    }

    /// The lowest layer above which all layers are known, itself included.
    fn first_of_known(&self) -> Result<usize, CommandError> {
        let known = self.known()?;
        Ok(known.iter().rposition(Option::is_none).map_or(0, |missing| missing + 1))
    }
}
