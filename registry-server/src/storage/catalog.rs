//! Which repositories there are: a walk over their folders.

use std::fs;

use super::error::{At, Error, if_there};
use super::{Storage, files};
use crate::names::RepositoryName;

impl Storage {
    /// All repositories, sorted by bytes; also those that are empty now.
    pub(crate) fn repositories(&self) -> Result<Vec<RepositoryName>, Error> {
        let mut found = Vec::new();
        // Names are at most 255 bytes long, so there are at most 128 levels.
        let mut folders = vec![(self.root.clone(), String::new())];
        while let Some((folder, name)) = folders.pop() {
            if folder.join("oci-layout").is_file()
                && let Ok(name) = name.parse()
            {
                found.push(name);
            }
            for entry in if_there(fs::read_dir(&folder)).at("read", &folder)?.into_iter().flatten() {
                let entry = entry.at("read", &folder)?;
                let file_name = entry.file_name();
                let Some(part) = file_name.to_str().and_then(RepositoryName::part_of_folder) else {
                    continue;
                };
                if entry.file_type().at("look at", &entry.path())?.is_dir() {
                    let name = if name.is_empty() { part.to_owned() } else { format!("{name}/{part}") };
                    folders.push((entry.path(), name));
                }
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// All repositories in which there is a manifest, sorted by bytes.
    pub(crate) fn catalog(&self) -> Result<Vec<RepositoryName>, Error> {
        let mut names = Vec::new();
        for name in self.repositories()? {
            let folder = self.repository(&name).join("_manifests");
            let has_some = |algorithm| files::names(&folder.join(algorithm)).map(|names| !names.is_empty());
            if has_some("sha256")? || has_some("sha512")? {
                names.push(name);
            }
        }
        Ok(names)
    }
}
