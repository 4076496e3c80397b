//! Whether there is room for what is about to come: asked before a body is read.

use http::StatusCode;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tug_oci::Digest;

use super::Registry;
use super::admission::{denied, too_many};
use super::refusal::Refusal;
use super::request_body::RequestBody;
use crate::names::RepositoryName;

/// What is full.
#[derive(Clone, Copy, Debug)]
enum Room {
    Blob,
    Repository,
    All,
}

impl Registry {
    /// Makes sure that a body fits behind the `offset` bytes that are there already. Where its length is not known, it
    /// ends when it has grown too long.
    pub(super) async fn make_room(
        &self,
        name: &RepositoryName,
        offset: u64,
        body: &mut RequestBody,
    ) -> Result<(), Refusal> {
        let length = body.length().unwrap_or(0);
        let mut rooms = vec![(Room::Blob, self.options.limits.max_blob, 0)];
        for (what, quota, key) in [
            (Room::Repository, self.options.limits.repository_quota, Some(name)),
            (Room::All, self.options.limits.quota, None),
        ] {
            if let Some(quota) = quota {
                rooms.push((what, quota, self.used(key, quota, offset + length).await?));
            }
        }
        let mut least: Option<(u64, Refusal)> = None;
        for (what, limit, used) in rooms {
            let room = limit.saturating_sub(used).checked_sub(offset);
            let refusal = full(what, name, limit, used, offset + length);
            match room {
                Some(room) if length <= room => {
                    if least.as_ref().is_none_or(|(least, _)| room < *least) {
                        least = Some((room, refusal));
                    }
                }
                _ => return Err(refusal),
            }
        }
        if let Some((room, refusal)) = least {
            body.set_room(room, refusal);
        }
        Ok(())
    }

    /// Makes sure that a blob that another repository has fits into this one.
    pub(super) async fn make_room_for_mount(
        &self,
        name: &RepositoryName,
        digest: &Digest,
    ) -> Result<(), Refusal> {
        let Some(quota) = self.options.limits.repository_quota else { return Ok(()) };
        let (wanted, repository) = (digest.clone(), name.clone());
        let sizes = self
            .blocking(move |storage| {
                Ok((storage.shared_size(&wanted)?, storage.lease_blob(&repository, &wanted)?.is_some()))
            })
            .await?;
        let (Some(size), false) = sizes else { return Ok(()) };
        let used = self.used(Some(name), quota, size).await?;
        match used + size > quota {
            true => Err(full(Room::Repository, name, quota, used, size)),
            false => Ok(()),
        }
    }

    /// How much is used; counted anew before it would be too much.
    async fn used(&self, key: Option<&RepositoryName>, quota: u64, more: u64) -> Result<u64, Refusal> {
        match self.guard.usage.known(key) {
            Some(used) if used + more <= quota => Ok(used),
            _ => {
                let repository = key.cloned();
                let used = self.blocking(move |storage| storage.count(repository.as_ref())).await?;
                self.guard.usage.keep(key, used);
                Ok(used)
            }
        }
    }

    /// Waits for the turn of an upload.
    pub(super) async fn upload_turn(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let turn = std::sync::Arc::clone(&self.guard.uploads).acquire_owned();
        match tokio::time::timeout(self.options.limits.upload_wait, turn).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(too_many("too many uploads are under way")),
        }
    }
}

fn full(what: Room, name: &RepositoryName, limit: u64, used: u64, asked: u64) -> Refusal {
    let (message, reason) = match what {
        Room::Blob => {
            let message = format!("the blob is too large: at most {limit} bytes are taken");
            return Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID", message)
                .with_detail(json!({ "limit": limit }));
        }
        Room::Repository => {
            (format!("the repository `{name}` may have {limit} bytes, and has {used}"), "repository-quota")
        }
        Room::All => (format!("the registry may have {limit} bytes, and has {used}"), "quota"),
    };
    denied(message).with_detail(json!({ "reason": reason, "limit": limit, "used": used, "asked": asked }))
}
