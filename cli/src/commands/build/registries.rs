//! The way to registries while a build runs: base images, layers that the store does not have, results that are pushed.
//!
//! What registries tell comes from threads of their own; it goes through a channel into the view of the build.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tug_builder::{Cancel, Elsewhere, Event, ImageSource, LayerListener, NotPulled, PullPolicy, Reporter};
use tug_layer_store::{CompressAhead, Fetcher, Image, LayerCompression, Store, Wanted};
use tug_oci::{Descriptor, DiffId, Platform, Reference};
use tug_registry_client::{Kind, Options};
use tug_transfer::{self as transfer, Ahead, Layers, PullOptions, Remote};

use super::arguments::PullChoice;
use crate::error::CommandError;
use crate::human;
use crate::progress::transfer::remark;

/// The way to registries; closed with `--offline`.
pub(in super::super) struct Registries {
    remote: Option<Remote>,
    teller: Arc<Teller>,
    told: Mutex<Receiver<Option<Event>>>,
}

impl Registries {
    /// Starts threads: call it after the store was opened. Without `options` no registry is asked.
    pub(in super::super) fn start(options: Option<Options>, cancel: &Cancel) -> Result<Self, CommandError> {
        let (sender, told) = channel();
        let teller = Arc::new(Teller(Mutex::new(sender)));
        let remote = match options {
            None => None,
            Some(options) => {
                let cancel = cancel.clone();
                let remote = Remote::new(options, Arc::clone(&teller) as Arc<dyn transfer::Observer>)?;
                Some(remote.stopping_when(move || cancel.is_cancelled()))
            }
        };
        Ok(Self { remote, teller, told: Mutex::new(told) })
    }

    /// What moves images, unless no registry may be asked.
    pub(in super::super) fn remote(&self) -> Option<&Remote> {
        self.remote.as_ref()
    }

    /// Takes what is to be told, from any thread, until the build is over.
    pub(super) fn teller(&self) -> Arc<dyn Fn(Event) + Send + Sync> {
        let teller = Arc::clone(&self.teller);
        Arc::new(move |event| teller.send(Some(event)))
    }

    /// The store, which fetches what it does not have.
    pub(in super::super) fn behind(&self, store: &Store) -> Store {
        match &self.remote {
            None => store.clone(),
            Some(remote) => {
                let (remote, teller) = (remote.clone(), Arc::clone(&self.teller));
                store.with_fetcher(Arc::new(Telling { remote, teller }))
            }
        }
    }

    /// Sends layers of the image in the making to where it will be pushed.
    pub(in super::super) fn ahead(
        &self,
        store: &Store,
        destinations: Vec<Reference>,
        compression: LayerCompression,
    ) -> Option<Arc<Ahead>> {
        let remote = self.remote.as_ref().filter(|_| !destinations.is_empty())?;
        Some(Arc::new(Ahead::new(remote, store, destinations, compression)))
    }

    /// Whom the builder may ask, and whom it tells.
    pub(in super::super) fn elsewhere(
        &self,
        pull: Option<PullChoice>,
        ahead: Option<&Arc<Ahead>>,
    ) -> Elsewhere {
        let Some(remote) = &self.remote else {
            return Elsewhere { pull: PullPolicy::Never, ..Elsewhere::default() };
        };
        let layers = ahead.map(|ahead| Arc::new(Sent(Arc::clone(ahead))) as Arc<dyn LayerListener>);
        let (remote, teller) = (remote.clone(), Arc::clone(&self.teller));
        Elsewhere {
            images: Some(Arc::new(Telling { remote, teller })),
            pull: match pull {
                None | Some(PullChoice::Missing) => PullPolicy::Missing,
                Some(PullChoice::Always) => PullPolicy::Always,
                Some(PullChoice::Newer) => PullPolicy::Newer,
                Some(PullChoice::Never) => PullPolicy::Never,
            },
            layers,
            ..Elsewhere::default()
        }
    }

    /// Does `work`, while what registries tell goes to `reporter`.
    pub(in super::super) fn telling<T>(&self, reporter: &dyn Reporter, work: impl FnOnce() -> T) -> T {
        std::thread::scope(|scope| {
            // Ends the thread, also when the work panics.
            let _end = End(&self.teller);
            scope.spawn(|| {
                let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                while let Ok(Some(event)) = told.recv() {
                    reporter.report(event);
                }
            });
            work()
        })
    }
}

/// Layers that are sent while later steps run.
struct Sent(Arc<Ahead>);

impl LayerListener for Sent {
    fn layer(&self, layer: &DiffId, blob: Option<&Descriptor>) {
        self.0.layer(layer, blob);
    }
}

/// Layers that are compressed while later steps run.
pub(super) struct Compressed(pub(super) Arc<CompressAhead>);

impl LayerListener for Compressed {
    fn layer(&self, layer: &DiffId, _: Option<&Descriptor>) {
        self.0.layer(layer);
    }
}

struct End<'a>(&'a Teller);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.send(None);
    }
}

/// Puts what registries tell into events of a build.
struct Teller(Mutex<Sender<Option<Event>>>);

impl Teller {
    fn send(&self, event: Option<Event>) {
        // Nobody listens any more when the build is over.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).send(event);
    }

    fn note(&self, message: String) {
        self.send(Some(Event::Note { message }));
    }
}

impl transfer::Observer for Teller {
    fn event(&self, event: transfer::Event) {
        match (&event, remark(&event)) {
            (transfer::Event::Resolved { name, target }, _) => {
                self.note(format!("{} is {}", human::one_line(name), target.digest));
            }
            (transfer::Event::Published { name, .. }, _) => {
                self.note(format!("{} is there", human::one_line(name)));
            }
            (transfer::Event::Client(tug_registry_client::Event::Resumed { .. }), Some(message)) => {
                self.note(message);
            }
            (transfer::Event::Client(_), Some(message)) => {
                self.send(Some(Event::Warning { message, line: 0 }));
            }
            (_, Some(message)) => self.note(message),
            (_, None) => {}
        }
    }
}

/// Registries, and what is told of what they do.
struct Telling {
    remote: Remote,
    teller: Arc<Teller>,
}

impl Fetcher for Telling {
    fn fetch(&self, store: &Store, blobs: &[Wanted]) -> tug_layer_store::Result<()> {
        let (count, begun) = (blobs.len(), Instant::now());
        let size = blobs.iter().fold(0, |sum: u64, wanted| sum.saturating_add(wanted.descriptor.size));
        let what = if count == 1 { "1 layer".to_owned() } else { format!("{count} layers") };
        let what = format!("{what}, {}", human::size(size));
        self.teller.note(format!("fetching {what}"));
        self.remote.fetch(store, blobs)?;
        self.teller.note(format!("fetched {what} in {}", human::seconds(begun.elapsed())));
        Ok(())
    }
}

impl ImageSource for Telling {
    fn pull(&self, store: &Store, reference: &Reference, platform: &Platform) -> Result<Image, NotPulled> {
        let options = PullOptions { layers: Layers::Lazy, ..PullOptions::new(platform.clone()) };
        let absent = |error: &transfer::Error| NotPulled::Absent {
            message: match error {
                transfer::Error::Registry { .. } => {
                    format!("`{}` is neither in the store nor at its registry", reference.familiar())
                }
                error => error.to_string(),
            },
            help: error.hint(),
        };
        match self.remote.pull(store, reference, &options) {
            Ok(transfer::Pulled { image: Some(image), .. }) => Ok(image),
            Ok(_) => Err(NotPulled::Absent {
                message: format!("`{}` has no image for {platform}", reference.familiar()),
                help: None,
            }),
            Err(error @ transfer::Error::NoSuchPlatform { .. }) => Err(absent(&error)),
            Err(transfer::Error::Registry { source, action, name }) if source.kind() == Kind::NotFound => {
                Err(absent(&transfer::Error::Registry { source, action, name }))
            }
            Err(error) => Err(NotPulled::Failed(Box::new(error))),
        }
    }
}
