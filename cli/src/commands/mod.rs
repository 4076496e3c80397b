//! The commands: each takes its arguments and the settings, asks a library, and writes the answer.

mod append;
mod bake;
mod build;
mod builds;
mod cache;
mod cat;
mod check;
mod completion;
mod convert;
mod copy;
mod cp;
mod debug;
mod diff;
mod doctor;
mod edit;
mod explain;
mod export;
mod generate;
mod history;
mod image;
mod images;
mod import;
mod inspect;
mod load;
mod log;
mod login;
mod logout;
mod ls;
mod prune;
mod pull;
mod push;
mod rebase;
mod registry;
mod report;
mod rmi;
mod run;
mod save;
mod serve;
mod settle;
mod squash;
mod store;
mod system;
mod tag;
mod version;
mod waste;

pub(crate) use push::destination;

use crate::error::CommandError;
use crate::exit::Exit;
use crate::settings::Settings;

/// What tug can do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Build an image from a Dockerfile
    Build(Box<build::BuildArguments>),
    /// Build all that a bake file or a compose file describes
    Bake(Box<bake::BakeArguments>),
    /// Look for what is probably not meant in a Dockerfile, and mend it
    Check(Box<check::CheckCommandArguments>),
    /// List past builds, or take their records away
    Builds(builds::BuildsArguments),
    /// Show the whole log of a build, or of one of its steps
    Log(log::LogArguments),
    /// Look around in the state before or after a step of a build
    Debug(debug::DebugArguments),
    /// Show why each step of a build was done again, or was not
    Explain(explain::ExplainArguments),
    /// Run a command in a container, in the foreground
    Run(Box<run::RunArguments>),
    /// List the images in the store
    Images(images::ImagesArguments),
    /// Show all that is known about images, as JSON
    Inspect(inspect::InspectArguments),
    /// Show how an image was made, layer by layer
    History(history::HistoryArguments),
    /// Show what differs between two images, or between an image and its base
    Diff(Box<diff::DiffArguments>),
    /// Show which bytes of an image nobody needs, and who put them there
    Waste(Box<waste::WasteArguments>),
    /// Write a page about an image
    Report(Box<report::ReportArguments>),
    /// List what is in an image
    Ls(Box<ls::LsArguments>),
    /// Write the content of files of images
    Cat(Box<cat::CatArguments>),
    /// Copy files out of an image
    Cp(Box<cp::CpArguments>),
    /// Fetch images from a registry
    Pull(Box<pull::PullArguments>),
    /// Send an image to registries
    Push(Box<push::PushArguments>),
    /// Copy an image between registries, archives and the store
    Copy(Box<copy::CopyArguments>),
    /// Give an image other compression or media types, without touching its files
    Convert(Box<convert::ConvertArguments>),
    /// Give an image another name
    Tag(tag::TagArguments),
    /// Change how an image runs, and what it says of itself, without a build
    #[command(alias = "mutate")]
    Edit(Box<edit::EditArguments>),
    /// Put files on top of an image, as a new layer, without a build
    Append(Box<append::AppendArguments>),
    /// Make one layer of several
    #[command(visible_alias = "flatten")]
    Squash(Box<squash::SquashArguments>),
    /// Put an image on a newer base, without a build
    Rebase(Box<rebase::RebaseArguments>),
    /// Remove images
    Rmi(rmi::RmiArguments),
    /// Load images from an archive
    Load(load::LoadArguments),
    /// Save images into an archive
    Save(save::SaveArguments),
    /// Make an image of a tar of files
    Import(Box<import::ImportArguments>),
    /// Write the files of an image as one tar
    Export(export::ExportArguments),
    /// Serve a registry: push to it, pull from it
    Serve(Box<serve::ServeArguments>),
    /// List the tags of a repository on a registry
    Tags(Box<registry::tags::TagsArguments>),
    /// List the repositories of a registry
    Catalog(Box<registry::catalog::CatalogArguments>),
    /// Search Docker Hub, or the names on another registry
    Search(Box<registry::search::SearchArguments>),
    /// Show what a name on a registry points to
    Digest(Box<registry::digest::DigestArguments>),
    /// Make and push lists of images for several platforms
    Manifest(Box<registry::manifest::ManifestArguments>),
    /// Show what is attached to an image on a registry, or get it
    #[command(visible_alias = "discover")]
    Referrers(Box<registry::referrers::ReferrersArguments>),
    /// Attach files to an image on a registry
    Attach(Box<registry::attach::AttachArguments>),
    /// Delete tags or images on a registry
    Delete(Box<registry::delete::DeleteArguments>),
    /// Show what this machine can do, and how to mend what it cannot
    Doctor(doctor::DoctorArguments),
    /// Look whether the store is whole, and mend it
    Store(store::StoreArguments),
    /// Show the version of tug
    Version(version::VersionArguments),
    /// List, export, import and remove the caches of `RUN --mount=type=cache`
    Cache(cache::CacheArguments),
    /// Log in to a registry, or show who is logged in
    Login(login::LoginArguments),
    /// Forget the password of a registry
    Logout(logout::LogoutArguments),
    /// Write completions for a shell to standard output
    Completion(completion::CompletionArguments),
    /// Show what takes how much room in the store, and remove what is not used
    System(Box<system::SystemArguments>),
    /// Remove images that are not used
    Image(Box<image::ImageArguments>),
    /// The spelling of other tools for what is about the build cache
    #[command(hide = true, alias = "buildx")]
    Builder(Box<system::BuilderArguments>),
    /// Write man pages or completions into a folder
    #[command(hide = true)]
    Generate(generate::GenerateArguments),
    /// Wait until the disk has every layer
    #[command(hide = true)]
    Settle,
}

impl Command {
    /// Does it.
    pub(crate) fn run(&self, settings: &Settings) -> Result<Exit, CommandError> {
        match self {
            Self::Build(arguments) => return build::run(arguments, settings),
            Self::Bake(arguments) => return bake::run(arguments, settings),
            Self::Check(arguments) => return check::run(arguments, settings),
            Self::Run(arguments) => return run::run(arguments, settings),
            Self::Builds(arguments) => builds::run(arguments, settings)?,
            Self::Log(arguments) => log::run(arguments, settings)?,
            Self::Debug(arguments) => return debug::run(arguments, settings),
            Self::Explain(arguments) => explain::run(arguments, settings)?,
            Self::Images(arguments) => images::run(arguments, settings)?,
            Self::Inspect(arguments) => inspect::run(arguments, settings)?,
            Self::History(arguments) => history::run(arguments, settings)?,
            Self::Diff(arguments) => return diff::run(arguments, settings),
            Self::Waste(arguments) => return waste::run(arguments, settings),
            Self::Report(arguments) => report::run(arguments, settings)?,
            Self::Ls(arguments) => ls::run(arguments, settings)?,
            Self::Cat(arguments) => cat::run(arguments, settings)?,
            Self::Cp(arguments) => cp::run(arguments, settings)?,
            Self::Pull(arguments) => pull::run(arguments, settings)?,
            Self::Push(arguments) => push::run(arguments, settings)?,
            Self::Convert(arguments) => convert::run(arguments, settings)?,
            Self::Copy(arguments) => copy::run(arguments, settings)?,
            Self::Tag(arguments) => tag::run(arguments, settings)?,
            Self::Edit(arguments) => edit::run(arguments, settings)?,
            Self::Append(arguments) => append::run(arguments, settings)?,
            Self::Squash(arguments) => squash::run(arguments, settings)?,
            Self::Rebase(arguments) => return rebase::run(arguments, settings),
            Self::Rmi(arguments) => rmi::run(arguments, settings)?,
            Self::Load(arguments) => load::run(arguments, settings)?,
            Self::Save(arguments) => save::run(arguments, settings)?,
            Self::Import(arguments) => import::run(arguments, settings)?,
            Self::Export(arguments) => export::run(arguments, settings)?,
            Self::Tags(arguments) => registry::tags::run(arguments, settings)?,
            Self::Image(arguments) => image::run(arguments, settings)?,
            Self::System(arguments) => system::run(arguments, settings)?,
            Self::Builder(arguments) => system::run_builder(arguments, settings)?,
            Self::Catalog(arguments) => registry::catalog::run(arguments, settings)?,
            Self::Search(arguments) => registry::search::run(arguments, settings)?,
            Self::Digest(arguments) => registry::digest::run(arguments, settings)?,
            Self::Manifest(arguments) => registry::manifest::run(arguments, settings)?,
            Self::Referrers(arguments) => registry::referrers::run(arguments, settings)?,
            Self::Attach(arguments) => registry::attach::run(arguments, settings)?,
            Self::Delete(arguments) => registry::delete::run(arguments, settings)?,
            Self::Doctor(arguments) => return doctor::run(arguments, settings),
            Self::Store(arguments) => return store::run(arguments, settings),
            Self::Version(arguments) => version::run(arguments, settings)?,
            Self::Serve(arguments) => serve::run(arguments, settings)?,
            Self::Cache(arguments) => cache::run(arguments, settings)?,
            Self::Login(arguments) => login::run(arguments, settings)?,
            Self::Logout(arguments) => logout::run(arguments, settings)?,
            Self::Completion(arguments) => completion::run(arguments, settings)?,
            Self::Generate(arguments) => generate::run(arguments)?,
            Self::Settle => settle::run(settings)?,
        }
        Ok(Exit::Success)
    }
}
