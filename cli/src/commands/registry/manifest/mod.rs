//! `tug manifest`: lists of images for several platforms, in docker's and podman's words.
//!
//! A list is an index in the store, under its name, between the commands. Its images may be in the store or on registries:
//! of those only the documents are fetched, and `push` lets the registry take layers over from its own repositories, or
//! brings them from where they are.
//!
//! | module  | what                                            |
//! | ------- | ----------------------------------------------- |
//! | `list`  | the index itself, and what can be changed in it |
//! | `add`   | images, from the store and from registries      |
//! | `parts` | the flags that say what an entry is for         |

mod add;
mod list;
mod parts;

use std::path::PathBuf;

use tug_layer_store::Store;
use tug_oci::{Digest, Platform, Reference, media_type};
use tug_transfer::PushOptions;

use self::add::Adding;
use self::list::List;
use self::parts::{EntryArguments, annotations};
use super::Registry;
use super::names::RemoteName;
use crate::arguments::values::{self, Assignment};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::format;
use crate::registry_settings::RegistryArguments;
use crate::session;
use crate::settings::Settings;

/// Arguments of `tug manifest`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug manifest create example.com/app:1 example.com/app:1-amd64 example.com/app:1-arm64
  tug manifest annotate --arch arm --variant v7 example.com/app:1 example.com/app:1-arm
  tug manifest push example.com/app:1
  tug manifest inspect debian:12              Also of lists that others have pushed")]
pub(crate) struct ManifestArguments {
    #[command(subcommand)]
    what: ManifestCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ManifestCommand {
    /// Make a list of images, and write its digest
    Create(CreateArguments),
    /// Add images to a list
    Add(AddArguments),
    /// Say what an image of a list is for
    Annotate(AnnotateArguments),
    /// Take images out of a list
    Remove(RemoveArguments),
    /// Show a list as it is, or a manifest on a registry
    Inspect(InspectArguments),
    /// Push a list with its images, and write its digest
    Push(PushArguments),
    /// Forget lists
    Rm(RmArguments),
    /// Succeed if there is a list of this name in the store
    Exists(ExistsArguments),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug manifest create app:1 app:1-amd64 app:1-arm64
  tug manifest create --amend app:1 docker://ghcr.io/owner/app:1-riscv64")]
struct CreateArguments {
    /// The name of the list
    #[arg(value_name = "LIST", value_parser = values::new_name)]
    list: Reference,
    /// The images; those that are not in the store, and those with `docker://`, are looked for on their registries
    #[arg(value_name = "IMAGE")]
    images: Vec<RemoteName>,
    /// Add to a list of this name, if there is one
    #[arg(short, long)]
    amend: bool,
    /// Add an annotation to the list itself (can be repeated)
    #[arg(long = "annotation", value_name = "NAME=VALUE")]
    annotations: Vec<Assignment>,
    /// Make the list in docker's form, or in that of the OCI
    #[arg(short = 't', long = "type", value_name = "FORM", default_value = "oci")]
    form: Form,
    /// As in podman: of another list, all images are taken
    #[arg(long, hide = true)]
    all: bool,
    #[command(flatten)]
    registry: RegistryArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// An OCI image index
    Oci,
    /// Docker's manifest list
    #[value(alias = "v2s2")]
    Docker,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug manifest add app:1 app:1-arm64
  tug manifest add --arch arm --variant v7 app:1 docker://ghcr.io/owner/app:1-arm")]
struct AddArguments {
    /// The list
    #[arg(value_name = "LIST", value_parser = values::new_name)]
    list: Reference,
    /// The images
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<RemoteName>,
    /// As in podman: of another list, all images are taken
    #[arg(long, hide = true)]
    all: bool,
    /// Of another list, take only the image for this platform
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    #[command(flatten)]
    entry: EntryArguments,
    #[command(flatten)]
    registry: RegistryArguments,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug manifest annotate --arch arm --variant v7 app:1 app:1-arm
  tug manifest annotate --annotation note=new app:1 sha256:0123…
  tug manifest annotate --index --annotation note=new app:1      The list itself")]
struct AnnotateArguments {
    /// The list
    #[arg(value_name = "LIST", value_parser = values::new_name)]
    list: Reference,
    /// The image: its name as it was added, or its digest or the first digits of it
    #[arg(value_name = "IMAGE", required_unless_present = "index")]
    image: Option<String>,
    /// Change the list itself
    #[arg(long, conflicts_with = "image")]
    index: bool,
    #[command(flatten)]
    entry: EntryArguments,
    #[command(flatten)]
    registry: RegistryArguments,
}

#[derive(Debug, clap::Args)]
struct RemoveArguments {
    /// The list
    #[arg(value_name = "LIST", value_parser = values::new_name)]
    list: Reference,
    /// The images, each by its digest or the first digits of it, or by its name (can be repeated)
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    #[command(flatten)]
    registry: RegistryArguments,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug manifest inspect app:1
  tug manifest inspect docker://debian:12         On the registry, whatever is in the store
  tug manifest inspect -f '{{range .manifests}}{{println .platform.architecture .digest}}{{end}}' debian:12")]
struct InspectArguments {
    /// The list, or the name of anything on a registry
    #[arg(value_name = "LIST")]
    list: String,
    /// Write `json`, or what a template says, such as `{{.mediaType}}`
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,
    /// As in docker: it is always written as it is
    #[arg(short, long, hide = true)]
    verbose: bool,
    #[command(flatten)]
    registry: RegistryArguments,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug manifest push example.com/app:1
  tug manifest push app:1 docker://example.com/app:1
  tug manifest push --purge example.com/app:1                    And forget the list")]
struct PushArguments {
    /// The list
    #[arg(value_name = "LIST", value_parser = values::new_name)]
    list: Reference,
    /// Where to push it [default: its own name]
    #[arg(value_name = "DESTINATION")]
    destination: Option<RemoteName>,
    /// Forget the list when it was pushed
    #[arg(short, long, visible_alias = "rm")]
    purge: bool,
    /// Write the digest into this file as well
    #[arg(long, value_name = "FILE")]
    digestfile: Option<PathBuf>,
    /// As in podman: all images are always pushed
    #[arg(long, hide = true)]
    all: bool,
    /// As in podman
    #[arg(short, long, hide = true)]
    quiet: bool,
    #[command(flatten)]
    registry: RegistryArguments,
}

#[derive(Debug, clap::Args)]
struct RmArguments {
    /// The lists (can be repeated)
    #[arg(required = true, value_name = "LIST", value_parser = values::new_name)]
    lists: Vec<Reference>,
}

#[derive(Debug, clap::Args)]
struct ExistsArguments {
    /// The list
    #[arg(value_name = "LIST", value_parser = values::new_name)]
    list: Reference,
}

/// Does it.
pub(crate) fn run(arguments: &ManifestArguments, settings: &Settings) -> Result<(), CommandError> {
    match &arguments.what {
        ManifestCommand::Create(arguments) => create(arguments, settings),
        ManifestCommand::Add(arguments) => add(arguments, settings),
        ManifestCommand::Annotate(arguments) => annotate(arguments, settings),
        ManifestCommand::Remove(arguments) => remove(arguments, settings),
        ManifestCommand::Inspect(arguments) => inspect(arguments, settings),
        ManifestCommand::Push(arguments) => push(arguments, settings),
        ManifestCommand::Rm(arguments) => forget(&session::open_store(settings)?, &arguments.lists),
        ManifestCommand::Exists(arguments) => {
            match List::find(&session::open_store(settings)?, &arguments.list)? {
                Some(_) => Ok(()),
                None => Err(list::no_such(&arguments.list)),
            }
        }
    }
}

fn create(arguments: &CreateArguments, settings: &Settings) -> Result<(), CommandError> {
    let store = session::open_store(settings)?;
    let name = &arguments.list;
    let new = || match arguments.form {
        Form::Oci => List::new(media_type::OCI_INDEX),
        Form::Docker => List::new(media_type::DOCKER_LIST),
    };
    let mut list = match store.resolve(name)? {
        None => new(),
        Some(_) if arguments.amend => List::open(&store, name)?,
        Some(_) => {
            let what = format!("there is an image or list `{}` in the store", name.familiar());
            return Err(CommandError::failed(what)
                .hint("`--amend` adds to a list, `tug manifest rm` forgets it, `tug rmi` removes an image"));
        }
    };
    let mut adding = Adding::new(&store, &arguments.registry, settings);
    for image in &arguments.images {
        adding.entries(image, None)?.iter().for_each(|entry| list.put(entry));
    }
    list.annotate(&annotations(&arguments.annotations)?);
    settings.output.line(list.save(&store, name)?)
}

fn add(arguments: &AddArguments, settings: &Settings) -> Result<(), CommandError> {
    let store = session::open_store(settings)?;
    let mut list = List::open(&store, &arguments.list)?;
    let mut adding = Adding::new(&store, &arguments.registry, settings);
    for image in &arguments.images {
        let mut entries = adding.entries(image, arguments.platform.as_ref())?;
        if entries.len() > 1 && arguments.entry.says_platform() {
            return Err(CommandError::failed(format_args!("`{}` has several images", image.as_str())).hint(
                "choose one with `--platform`, or say afterwards what each is for: `tug manifest annotate`",
            ));
        }
        for entry in &mut entries {
            arguments.entry.apply(entry)?;
        }
        entries.iter().for_each(|entry| list.put(entry));
    }
    settings.output.line(list.save(&store, &arguments.list)?)
}

fn annotate(arguments: &AnnotateArguments, settings: &Settings) -> Result<(), CommandError> {
    let store = session::open_store(settings)?;
    let mut list = List::open(&store, &arguments.list)?;
    match &arguments.image {
        None => list.annotate(&arguments.entry.annotations()?),
        Some(image) => {
            let mut adding = Adding::new(&store, &arguments.registry, settings);
            let digest = member(&list, image, &mut adding)?;
            list.change(&digest, |entry| arguments.entry.apply(entry))?;
        }
    }
    settings.output.line(list.save(&store, &arguments.list)?)
}

fn remove(arguments: &RemoveArguments, settings: &Settings) -> Result<(), CommandError> {
    let store = session::open_store(settings)?;
    let mut list = List::open(&store, &arguments.list)?;
    let mut adding = Adding::new(&store, &arguments.registry, settings);
    for image in &arguments.images {
        let digest = member(&list, image, &mut adding)?;
        list.remove(&digest);
    }
    settings.output.line(list.save(&store, &arguments.list)?)
}

/// The entry that a digest, its first digits, or the name of an image means.
fn member(list: &List, image: &str, adding: &mut Adding<'_>) -> Result<Digest, CommandError> {
    let digits = image.strip_prefix("sha256:").or_else(|| image.strip_prefix("sha512:")).unwrap_or(image);
    let is_digits = digits.len() >= 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut fitting: Vec<Digest> = match is_digits {
        true => list.digests().filter(|digest| digest.hex().starts_with(digits)).collect(),
        false => Vec::new(),
    };
    fitting.dedup();
    if fitting.len() > 1 {
        return Err(CommandError::failed(format_args!("`{image}` fits several images of the list")));
    }
    if let Some(digest) = fitting.pop() {
        return Ok(digest);
    }
    let not_there = || {
        let shown: Vec<String> = list.digests().take(20).map(|digest| format!("`{digest}`")).collect();
        let error = CommandError::failed(format_args!("the list has no image `{image}`"));
        if shown.is_empty() { error } else { error.hint(format!("it has {}", shown.join(", "))) }
    };
    if image.starts_with("sha256:") || image.starts_with("sha512:") {
        return Err(not_there());
    }
    let name: RemoteName =
        image.parse().map_err(|error: tug_oci::ReferenceError| CommandError::usage(error))?;
    let target = adding.target(&name)?;
    match list.digests().any(|digest| digest == target) {
        true => Ok(target),
        false => Err(not_there()),
    }
}

fn inspect(arguments: &InspectArguments, settings: &Settings) -> Result<(), CommandError> {
    let name: RemoteName =
        arguments.list.parse().map_err(|error: tug_oci::ReferenceError| CommandError::usage(error))?;
    let is_remote = arguments.list.starts_with(super::names::DOCKER);
    let stored = match is_remote {
        true => None,
        false => List::find(&session::open_store(settings)?, name.reference())?,
    };
    let bytes = match stored {
        Some(list) => list.bytes(),
        None => {
            let (registry, name) = Registry::of(&arguments.registry, &name, settings)?;
            registry.manifest(&name)?.bytes.to_vec()
        }
    };
    let value: serde_json::Value = serde_json::from_slice(&bytes)
        .map_err(|_| CommandError::failed(format_args!("`{}` is no manifest", name.as_str())))?;
    match arguments.format.as_deref() {
        None | Some("json") => settings.output.line(format::pretty(&value)),
        format => format::values(format, &[value], &settings.output),
    }
}

fn push(arguments: &PushArguments, settings: &Settings) -> Result<(), CommandError> {
    let store = session::open_store(settings)?;
    let list = List::open(&store, &arguments.list)?;
    if list.digests().next().is_none() {
        return Err(CommandError::failed(format_args!("the list `{}` is empty", arguments.list.familiar()))
            .hint("`tug manifest add` adds images to it"));
    }
    let (registry, destination) = match &arguments.destination {
        Some(name) => Registry::of(&arguments.registry, name, settings)?,
        None => {
            let name: RemoteName = arguments.list.familiar().parse().map_err(CommandError::usage)?;
            Registry::of(&arguments.registry, &name, settings)?
        }
    };
    let registry = registry.cancelling()?;
    let options = PushOptions { all: true, ..PushOptions::new(Platform::host()) };
    let target = store.resolve(&arguments.list)?.ok_or_else(|| list::no_such(&arguments.list))?;
    let name = arguments.list.familiar();
    let pushed = registry.remote().push(&store, &name, &target, &[destination], &options);
    let pushed = pushed.map_err(|error| registry.behind(error.into()))?;
    let Some(pushed) = pushed.first() else { return Ok(()) };
    let digest = pushed.target.digest.to_string();
    if let Some(path) = &arguments.digestfile {
        std::fs::write(path, &digest).map_err(|error| {
            CommandError::new(Exit::Failed, format_args!("could not write `{}`", path.display()))
                .because(&error)
        })?;
    }
    if arguments.purge {
        forget(&store, std::slice::from_ref(&arguments.list))?;
    }
    settings.output.line(digest)
}

fn forget(store: &Store, lists: &[Reference]) -> Result<(), CommandError> {
    for name in lists {
        List::open(store, name)?;
        store.untag(name)?;
    }
    store.remove_unreferenced()?;
    Ok(())
}
