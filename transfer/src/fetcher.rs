//! Brings blobs that the store misses, from where they were seen.

use std::collections::HashSet;
use std::ops::Range;

use tug_layer_store::{Fetcher, Store, Wanted as Missing};
use tug_oci::Descriptor;
use tug_registry_client::Repository;

use crate::arrival::Wanted;
use crate::error::Error;
use crate::remote::Remote;

/// So many repositories are tried before a blob is sent.
const MOST_MOUNTS: usize = 3;

impl Fetcher for Remote {
    fn fetch(&self, store: &Store, blobs: &[Missing]) -> tug_layer_store::Result<()> {
        let mut wanted = Vec::new();
        let mut seen = HashSet::new();
        for missing in blobs {
            let digest = &missing.descriptor.digest;
            if !seen.insert(digest) {
                continue;
            }
            let repositories = origins(store, digest)?;
            match crate::cache::origin::bring(store, missing) {
                Ok(true) => continue,
                // What a folder has spoilt, a registry may have in order.
                Err(error) if repositories.is_empty() => return Err(error),
                Ok(false) | Err(_) => {}
            }
            wanted.push(Wanted {
                blob: missing.descriptor.clone(),
                layer: missing.diff_id.clone().map(|diff_id| (diff_id, missing.mountable)),
                repositories,
                action: "fetch a layer from",
            });
        }
        wanted.retain(|wanted| !wanted.repositories.is_empty());
        match self.block_on(self.bring(&self.stopping(store), wanted)) {
            Ok(()) => Ok(()),
            Err(Error::Store(error)) => Err(error),
            Err(Error::Stopped) => Err(tug_layer_store::Error::Stopped),
            Err(error) => Err(tug_layer_store::Error::Fetch(Box::new(error))),
        }
    }

    fn fetch_range(
        &self,
        store: &Store,
        blob: &Descriptor,
        range: Range<u64>,
    ) -> tug_layer_store::Result<Option<Vec<u8>>> {
        for repository in origins(store, &blob.digest)? {
            let asked = async {
                let range = self.client().blob_range(&repository, blob, range.clone()).await;
                range.map_err(Error::registry("read a part of a layer of", &repository.to_string()))
            };
            match self.block_on(asked) {
                Ok(None) => {}
                Ok(bytes) => return Ok(bytes),
                Err(Error::Stopped) => return Err(tug_layer_store::Error::Stopped),
                // Whoever fetches the whole asks all of them in turn, and tells what they said.
                Err(_) => return Ok(None),
            }
        }
        Ok(None)
    }
}

/// The repositories in which a blob was seen, the last first.
pub(crate) fn origins(store: &Store, digest: &tug_oci::Digest) -> tug_layer_store::Result<Vec<Repository>> {
    let origins = store.origins(digest)?;
    let registries = origins.iter().filter(|origin| crate::cache::origin::folder(origin).is_none());
    let parsed = registries.filter_map(|origin| origin.split_once('/'));
    Ok(parsed
        .map(|(registry, name)| Repository { registry: registry.to_owned(), name: name.to_owned() })
        .collect())
}

/// Of repositories that have a blob, those from which the registry of `to` can take it over: a few, each once.
pub(crate) fn mounts(known: impl IntoIterator<Item = Repository>, to: &Repository) -> Vec<Repository> {
    let mut mounts: Vec<Repository> = Vec::new();
    for from in known {
        if from.registry == to.registry && from != *to && !mounts.contains(&from) {
            mounts.push(from);
        }
    }
    mounts.truncate(MOST_MOUNTS);
    mounts
}
