//! Commands that ask registries, and change what is there, without moving images.
//!
//! | module      | command                                               |
//! | ----------- | ----------------------------------------------------- |
//! | `tags`      | `tug tags`, `tug image ls-remote`                     |
//! | `catalog`   | `tug catalog`                                         |
//! | `search`    | `tug search`                                          |
//! | `digest`    | `tug digest`                                          |
//! | `inspect`   | `tug inspect --remote`                                |
//! | `manifest`  | `tug manifest`: lists of images for several platforms |
//! | `referrers` | `tug referrers`: what is attached, and its files      |
//! | `attach`    | `tug attach`                                          |
//! | `delete`    | `tug delete`                                          |
//!
//! `names` says what can be typed, `find` leads from a name to an image, `files` are blobs that are files of the user.

pub(super) mod attach;
pub(super) mod catalog;
pub(super) mod delete;
pub(super) mod digest;
mod files;
mod find;
pub(super) mod inspect;
pub(super) mod manifest;
pub(super) mod names;
pub(super) mod referrers;
pub(super) mod search;
pub(super) mod tags;

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tug_oci::Reference;
use tug_registry_client as client;
use tug_registry_client::hosts::Hosts;
use tug_registry_client::{Client, FetchedManifest, Repository, Target};
use tug_transfer::Remote;

use self::names::RemoteName;
use crate::error::CommandError;
use crate::human;
use crate::output::Output;
use crate::progress::transfer::remark;
use crate::registry_settings::RegistryArguments;
use crate::settings::Settings;
use crate::signals::Interrupts;

/// The way to registries, while a command runs.
pub(super) struct Registry {
    remote: Remote,
    hosts: Arc<Hosts>,
    interrupts: Interrupts,
}

impl Registry {
    /// Starts threads; nothing is connected to yet. What `--creds` gives is for `registry`.
    pub(super) fn connect(
        arguments: &RegistryArguments,
        registry: Option<&str>,
        settings: &Settings,
    ) -> Result<Self, CommandError> {
        let options = arguments.options(&settings.environment, registry)?;
        let hosts = Arc::clone(&options.hosts);
        let remote = Remote::new(options, Arc::new(Notices(settings.output)))?;
        Ok(Self { remote, hosts, interrupts: Interrupts::default() })
    }

    /// The same, for what writes to a registry: after an interrupt it cancels the uploads that it has begun there.
    pub(super) fn cancelling(mut self) -> Result<Self, CommandError> {
        let stop = Arc::new(AtomicBool::new(false));
        self.interrupts = Interrupts::watch({
            let stop = Arc::clone(&stop);
            move || stop.store(true, Ordering::SeqCst)
        })?;
        self.remote = self.remote.stopping_when(move || stop.load(Ordering::SeqCst));
        Ok(self)
    }

    /// The same for one name, and what that name means in full.
    pub(super) fn of(
        arguments: &RegistryArguments,
        name: &RemoteName,
        settings: &Settings,
    ) -> Result<(Self, Reference), CommandError> {
        let registry = Self::connect(arguments, Some(name.reference().registry()), settings)?;
        let full = registry.full_name(name)?;
        match full.registry() == name.reference().registry() {
            true => Ok((registry, full)),
            // The short name is an alias for something elsewhere.
            false => Ok((Self::connect(arguments, Some(full.registry()), settings)?, full)),
        }
    }

    /// What a name means in full: registries.conf may have aliases.
    pub(super) fn full_name(&self, name: &RemoteName) -> Result<Reference, CommandError> {
        Ok(self.hosts.full_name(name.as_str(), name.reference())?.reference)
    }

    /// Moves images.
    pub(super) fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Asks registries.
    pub(super) fn client(&self) -> &Client {
        self.remote.client()
    }

    /// Does it, or says that `what` could not be done.
    pub(super) fn run<T>(
        &self,
        what: impl Display,
        work: impl Future<Output = Result<T, client::Error>>,
    ) -> Result<T, CommandError> {
        self.remote.run(work).map_err(|error| self.behind(CommandError::of_registry(what, &error)))
    }

    /// `error`; after an interrupt the process ends by its signal.
    pub(super) fn behind(&self, error: CommandError) -> CommandError {
        self.interrupts.behind(error)
    }

    /// The manifest or index that a name points to.
    pub(super) fn manifest(&self, name: &Reference) -> Result<FetchedManifest, CommandError> {
        let what = format!("could not read `{}`", name.familiar());
        self.run(what, self.client().manifest(&Repository::from(name), &Target::from(name)))
    }
}

/// Tells what happens on the way, if it is worth a line.
struct Notices(Output);

impl tug_transfer::Observer for Notices {
    fn event(&self, event: tug_transfer::Event) {
        if let tug_transfer::Event::Client(_) = event
            && let Some(text) = remark(&event)
        {
            self.0.note(human::one_line(&text));
        }
    }
}
