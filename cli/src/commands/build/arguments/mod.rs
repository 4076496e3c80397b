//! The flags of `tug build`: those of docker and buildx, and buildah's where docker has none.
//!
//! Each group of the help is a struct in a file of its own, and flattened into [`BuildArguments`].

mod cache;
mod check;
mod contexts;
mod entrust;
mod habits;
mod how;
mod image;
mod outputs;
mod steps;
mod tell;
mod what;

use tug_registry_client::Options;

use crate::environment::{self, Environment};
use crate::error::CommandError;
use crate::registry_settings::RegistryArguments;

pub(crate) use cache::CacheArguments;
pub(crate) use check::CheckArguments;
pub(crate) use check::{Call, Format, Method};
pub(super) use contexts::ContextArguments;
pub(super) use entrust::{EntrustArguments, SecretArgument, SecretOrigin, SshArgument};
pub(super) use habits::{HabitArguments, note};
pub(super) use how::{HowArguments, NetworkChoice, PullChoice};
pub(super) use image::ImageArguments;
pub(super) use outputs::OutputArguments;
pub(super) use steps::{Entitlement, ResourceFlag, StepsArguments};
pub(super) use tell::TellArguments;
pub(super) use what::{WhatArguments, value};

impl BuildArguments {
    /// How registries are reached; `None` when none may be.
    pub(super) fn reached(&self, environment: &Environment) -> Result<Option<Options>, CommandError> {
        let options = self.registry.options(environment, None)?;
        Ok((!self.is_offline(environment)).then_some(options))
    }

    /// Whether no registry may be asked.
    pub(in super::super) fn is_offline(&self, environment: &Environment) -> bool {
        self.how.offline || environment.text(environment::OFFLINE).is_some()
    }
}

/// Arguments of `tug build`.
#[derive(Debug, clap::Args)]
// As in docker, the last value of a flag that has one counts.
#[command(
    args_override_self = true,
    after_help = "\
Examples:
  tug build -t app .                                 Build the Dockerfile in this folder
  tug build -t app -f deploy/Dockerfile .            Use another Dockerfile
  tug build --target test --build-arg VERSION=2 .    One stage only, with a value for ARG VERSION
  tug build -q . | xargs tug run --rm                Only the digest on standard output
  tar c . | tug build -t app -                       The context as a tar on standard input
  tug build https://github.com/you/app.git#v1:web    The folder web of a repository, at the tag v1
  tug build https://example.org/app.tar.gz           The context as a tar from elsewhere
  tug build -t app - < Dockerfile                    A Dockerfile without any context
  tug build -o out --target bin .                    The files of a stage, in a folder
  tug build -o type=oci,dest=app.tar .               The image in a file
  tug build --platform linux/amd64,linux/arm64 .     An index of two images
  tug build -t registry.example/app --push .         Pushed, layer by layer while the build runs
  tug build --cache-from REF --cache-to REF .        What other machines have built is known

FROM and COPY --from take the name or id of an image in the store, names that are pulled, and images in files:
  oci:PATH[:NAME]              in an OCI layout, a folder
  oci-archive:PATH[:NAME]      in a tar of such a layout
  docker-archive:PATH[:NAME]   in what `docker save` has written"
)]
pub(crate) struct BuildArguments {
    /// What goes in and which image comes out.
    #[command(flatten)]
    pub(super) what: WhatArguments,
    /// What else can be read.
    #[command(flatten)]
    pub(super) contexts: ContextArguments,
    /// In which way it is made.
    #[command(flatten)]
    pub(in super::super::super) how: HowArguments,
    /// What is made of the result.
    #[command(flatten)]
    pub(super) outputs: OutputArguments,
    /// What RUN steps are entrusted with.
    #[command(flatten)]
    pub(super) entrust: EntrustArguments,
    /// What people and scripts are told.
    #[command(flatten)]
    pub(super) tell: TellArguments,
    /// How registries are reached.
    #[command(flatten)]
    pub(super) registry: RegistryArguments,
    /// Where results of steps come from and go to.
    #[command(flatten)]
    pub(crate) cache: CacheArguments,
    /// What is done with the Dockerfile instead.
    #[command(flatten)]
    pub(crate) check: CheckArguments,
    /// What RUN steps get.
    #[command(flatten)]
    pub(super) steps: StepsArguments,
    /// What is changed about the image from outside.
    #[command(flatten)]
    pub(super) image: ImageArguments,
    /// What scripts say out of habit.
    #[command(flatten)]
    pub(super) habits: HabitArguments,
}
