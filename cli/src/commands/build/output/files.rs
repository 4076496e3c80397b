//! The files of an image, in a folder or a tar.
//!
//! Those of several platforms go into folders of their own, `linux_amd64` and so on, unless that is switched off. Then
//! they must agree wherever they have the same path.

use std::path::{Path, PathBuf};

use tug_builder::Product;
use tug_layer_store::{EntryKind, FolderOptions, Mountable, Store, View};

use super::super::BuildArguments;
use super::cannot_write;
use crate::environment;
use crate::error::CommandError;
use crate::file_output::FileOutput;
use crate::settings::Settings;

/// The merged trees of the images, with the folders that they go into.
pub(super) struct ImageTrees {
    trees: Vec<(String, View)>,
    split: bool,
}

/// The files of all images. They are split by platform if that is wanted, else if there are several platforms.
pub(super) fn trees(
    store: &Store,
    product: &Product,
    split: Option<bool>,
) -> Result<ImageTrees, CommandError> {
    let mut trees = Vec::with_capacity(product.images().len());
    for (platform, image) in product.images() {
        store.ensure_layers(image.layers(), Mountable::Later)?;
        trees.push((platform.to_string().replace('/', "_"), store.view(image.diff_ids())?));
    }
    let split = split.unwrap_or(product.is_index());
    if !split {
        for (number, later) in trees.iter().enumerate() {
            for earlier in &trees[..number] {
                compare(earlier, later)?;
            }
        }
    }
    Ok(ImageTrees { trees, split })
}

/// Refuses two trees that have something different at the same path.
fn compare(first: &(String, View), second: &(String, View)) -> Result<(), CommandError> {
    let mut open = vec![Vec::new()];
    while let Some(directory) = open.pop() {
        for node in second.1.children(&directory) {
            let Some(other) = first.1.lookup(node.path()) else { continue };
            let is_same = match (&node.entry().kind, &other.entry().kind) {
                (EntryKind::Directory, EntryKind::Directory) => {
                    open.push(node.path().to_vec());
                    true
                }
                (
                    EntryKind::File { size, digest, .. },
                    EntryKind::File { size: other_size, digest: other_digest, .. },
                ) => (size, digest, node.entry().mode) == (other_size, other_digest, other.entry().mode),
                (kind, other) => kind == other,
            };
            if !is_same {
                let path = String::from_utf8_lossy(node.path()).into_owned();
                let (first, second) = (&first.0, &second.0);
                return Err(CommandError::failed(format_args!(
                    "`/{path}` differs between `{first}` and `{second}`"
                ))
                .hint("leave `platform-split=false` away, so that each platform has a folder of its own"));
            }
        }
    }
    Ok(())
}

/// Writes the trees into the folder `path`.
pub(super) fn write_folders(
    store: &Store,
    trees: &ImageTrees,
    path: &Path,
    delete: bool,
    notes: &mut Vec<String>,
) -> Result<(), CommandError> {
    // Where several trees share a folder, the first one must not lose what the next one is about to write.
    let options = |number: usize| FolderOptions {
        delete_others: delete && (trees.split || number == 0),
        ..FolderOptions::default()
    };
    for (number, (name, tree)) in trees.trees.iter().enumerate() {
        let folder = if trees.split { path.join(name) } else { path.to_owned() };
        let written = store.write_folder(tree, &folder, options(number))?;
        if let Some(first) = written.left_out.first() {
            let rest = match written.left_out.len() {
                1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            notes.push(format!("left out the device `/{first}`{rest}: only root can make devices"));
        }
    }
    if delete && trees.split {
        remove_other_folders(path, trees)?;
    }
    Ok(())
}

/// With `mode=delete`, folders of platforms that are no longer built go as well.
fn remove_other_folders(path: &Path, trees: &ImageTrees) -> Result<(), CommandError> {
    let failed = |error: std::io::Error| cannot_write(path, &error.to_string());
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if trees.trees.iter().any(|(name, _)| entry.file_name() == name.as_str()) {
            continue;
        }
        let is_folder = entry.file_type().map_err(failed)?.is_dir();
        let path = entry.path();
        match is_folder {
            true => std::fs::remove_dir_all(path).map_err(failed)?,
            false => std::fs::remove_file(path).map_err(failed)?,
        }
    }
    Ok(())
}

/// Writes the trees as one tar.
pub(super) fn write_tar(trees: &ImageTrees, mut out: FileOutput) -> Result<(), CommandError> {
    let written = match trees.split {
        true => View::export_each(&trees.trees, &mut out),
        false => {
            let all: Vec<&View> = trees.trees.iter().map(|(_, tree)| tree).collect();
            View::export_together(&all, &mut out)
        }
    };
    match written {
        Err(_) if out.is_deserted() => Ok(()),
        written => written.map_err(CommandError::from).and_then(|()| out.finish()),
    }
}

/// Looks before the build whether a folder can be written to, and whether nothing is deleted by mistake.
pub(super) fn check_folder(
    path: &Path,
    delete: bool,
    arguments: &BuildArguments,
    settings: &Settings,
) -> Result<(), CommandError> {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_dir() => return Err(cannot_write(path, "it is not a folder")),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot_write(path, &error.to_string())),
    }
    let Ok(target) = std::fs::canonicalize(path) else { return Ok(()) };
    if target == Path::new("/") {
        return Err(CommandError::usage(
            "`/` cannot be an output: the files of the image would take the place of those of this machine",
        )
        .hint("give a folder of its own, as in `-o FOLDER`"));
    }
    let context = Path::new(&arguments.what.context).to_owned();
    let home = settings.environment.path(environment::HOME);
    let kept = [Some(PathBuf::from(".")), Some(context), home, settings.store().ok()];
    let kept = kept.into_iter().flatten().filter_map(|path| std::fs::canonicalize(path).ok());
    if delete && kept.into_iter().any(|kept| kept.starts_with(&target)) {
        return Err(CommandError::usage(format_args!(
            "`mode=delete` would empty `{}`, which is or holds the current folder, the context, your home or the \
             store",
            path.display()
        ))
        .hint("give a folder that has nothing but the output in it"));
    }
    Ok(())
}
