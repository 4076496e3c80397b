//! Where the result goes, and what the user is told about it.

use std::time::Instant;

use tug_layer_store::{Changed, LayerCompression, Which};
use tug_oci::{Descriptor, Index, Platform, Raw, media_type};
use tug_transfer::PushOptions;

use super::{MutationArguments, Subject};
use crate::error::CommandError;
use crate::human;
use crate::progress::ProgressMode;
use crate::settings::Settings;

impl MutationArguments {
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
