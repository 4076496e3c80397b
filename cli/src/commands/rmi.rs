//! `tug rmi`: takes names away, and images that lose their last one.
//!
//! Blobs and layers that no other image and no record of the build cache needs go, too, unless another tug is at work
//! in the store: then whoever tidies up next takes them.

use tug_layer_store::Store;
use tug_oci::{Platform, Reference};

use crate::arguments::values::ImageName;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::human;
use crate::images;
use crate::session;
use crate::settings::Settings;

/// Arguments of `tug rmi`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug rmi app:1.1 app:1.2
  tug rmi -f 0123456789ab          Also if it has several names
  tug rmi $(tug images -q app)")]
pub(crate) struct RmiArguments {
    /// The images, by name or id (can be repeated)
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<ImageName>,
    /// Take all names away from an image given by id; an image that is not there is no error
    #[arg(short, long)]
    force: bool,
}

/// Removes the images; those that can be removed are, also when others cannot.
pub(super) fn run(arguments: &RmiArguments, settings: &Settings) -> Result<(), CommandError> {
    let store = session::open_store(settings)?;
    let mut failures = Vec::new();
    for name in &arguments.images {
        match remove(&store, name, arguments.force) {
            Ok(lines) => settings.output.data(lines.as_bytes())?,
            Err(error) => failures.push(error),
        }
    }
    // Unlinking a layer takes as long as it has files, so that is for a process that nobody waits for.
    store.bury_unreferenced()?;
    session::settle_in_background(&store);
    let Some(last) = failures.pop() else { return Ok(()) };
    for failure in &failures {
        settings.output.talk(&failure.text(settings.output.stderr));
    }
    // One code for all: the worst of them.
    let host = failures.iter().any(|failure| failure.exit() == Exit::Host);
    Err(if host { last.exiting(Exit::Host) } else { last })
}

fn remove(store: &Store, name: &ImageName, force: bool) -> Result<String, CommandError> {
    if let Some(reference) = name.reference()
        && let Some(target) = store.untag(&reference)?
    {
        let mut lines = format!("Untagged: {}\n", reference.familiar());
        if store.refs()?.iter().all(|(_, other)| other.digest != target.digest) {
            let image = store.image(&target, &Platform::host());
            let id = image.map_or_else(|_| target.digest.clone(), |image| image.id().clone());
            lines += &format!("Deleted: {id}\n");
        }
        return Ok(lines);
    }
    let image = match store.find_image(name.as_str(), &Platform::host())? {
        Some(image) => image,
        None if force => return Ok(String::new()),
        None => return Err(images::not_found(store, name)),
    };
    let digest = &image.descriptor.digest;
    let target = images::find_target(store, name)?;
    if let Some(other) = store.other_store_of(&target.digest)? {
        let shown = other.display();
        return Err(CommandError::failed(format_args!(
            "image `{}` is in the store `{shown}`, which is only read",
            name.as_str()
        ))
        .hint(format!("its owner can remove it: `tug --store {shown} rmi {}`", name.as_str())));
    }
    let refs = store.refs()?;
    let names: Vec<&Reference> =
        refs.iter().filter(|(_, target)| target.digest == *digest).map(|(name, _)| name).collect();
    if names.len() > 1 && !force {
        let listed: Vec<String> = names.iter().map(|name| format!("`{}`", name.familiar())).collect();
        let what = human::counted(names.len(), "name");
        return Err(CommandError::failed(format_args!("image `{}` has {what}", name.as_str()))
            .hint(format!("`-f` takes all of them away: {}", listed.join(", "))));
    }
    let untagged = store.forget(digest)?;
    let mut lines: String = untagged.iter().map(|name| format!("Untagged: {}\n", name.familiar())).collect();
    lines += &format!("Deleted: {}\n", image.id());
    Ok(lines)
}
