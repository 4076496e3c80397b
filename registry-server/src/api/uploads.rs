//! Uploads in all their forms, and mounts. Source: distribution-spec, "Pushing blobs", "Mounting a blob from another
//! repository", "Cancelling a blob upload".

use std::sync::Arc;

use http::{HeaderName, Response, StatusCode, header};
use tug_oci::{Algorithm, Digest};

use super::append::{Appended, append};
use super::body::Body;
use super::range;
use super::refusal::Refusal;
use super::request_body::RequestBody;
use super::sessions::Turn;
use super::{Answer, Asked, CONTENT_DIGEST, Registry, blob_location, empty, set};
use crate::access::Action;
use crate::names::{RepositoryName, UploadId};
use crate::storage::Upload;

/// What older clients take for the name of an upload.
const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");

impl Registry {
    /// `POST`: begins an upload, mounts a blob, or takes a whole blob.
    pub(super) async fn begin_upload(
        self: &Arc<Self>,
        asked: Asked,
        name: RepositoryName,
        body: &mut RequestBody,
    ) -> Answer {
        if let Some(digest) = asked.query.first("mount") {
            let digest: Digest = digest.parse()?;
            self.make_room_for_mount(&name, &digest).await?;
            if self.mount(&asked, &name, &digest).await? {
                return Ok(created(&name, &digest));
            }
        }
        let digest = asked.query.first("digest").map(str::parse::<Digest>).transpose()?;
        let algorithm = match (&digest, asked.query.first("digest-algorithm")) {
            (Some(digest), _) => digest.algorithm(),
            (None, Some("sha512")) => Algorithm::Sha512,
            (None, Some("sha256") | None) => Algorithm::Sha256,
            (None, Some(_)) => {
                let message = "the registry knows the algorithms `sha256` and `sha512`";
                return Err(Refusal::bad("DIGEST_INVALID", message));
            }
        };
        let repository = name.clone();
        let id = self.blocking(move |storage| storage.begin_upload(&repository, algorithm)).await?;
        match digest {
            // A client that says a digest and sends nothing wants to go on with a PUT.
            Some(digest) if body.length() != Some(0) || is_empty_blob(&digest) => {
                let ended = self.append_and_commit(&asked, &name, &id, &digest, body).await;
                if ended.is_err() {
                    self.forget_upload(&name, &id).await;
                }
                ended
            }
            _ => Ok(accepted(StatusCode::ACCEPTED, &name, &id, 0)),
        }
    }

    /// `GET`: how far an upload is.
    pub(super) async fn upload_status(self: &Arc<Self>, name: RepositoryName, id: UploadId) -> Answer {
        let (repository, upload) = (name.clone(), id.clone());
        match self.blocking(move |storage| storage.upload_offset(&repository, &upload)).await? {
            Some(offset) => Ok(accepted(StatusCode::NO_CONTENT, &name, &id, offset)),
            None => Err(Refusal::unknown_upload()),
        }
    }

    /// `PATCH`: one chunk, or all that comes.
    pub(super) async fn add_chunk(
        self: &Arc<Self>,
        asked: Asked,
        name: RepositoryName,
        id: UploadId,
        body: &mut RequestBody,
    ) -> Answer {
        let (mut turn, upload) = self.take_up(&name, &id).await?.ok_or_else(Refusal::unknown_upload)?;
        let upload = self.append_body(&asked, &name, &id, &mut turn, upload, body).await?;
        let offset = upload.offset();
        *turn.progress = Some(upload.pause());
        Ok(accepted(StatusCode::ACCEPTED, &name, &id, offset))
    }

    /// `PUT`: the last chunk, if any, and the digest of the whole.
    pub(super) async fn end_upload(
        self: &Arc<Self>,
        asked: Asked,
        name: RepositoryName,
        id: UploadId,
        body: &mut RequestBody,
    ) -> Answer {
        let Some(digest) = asked.query.first("digest") else {
            return Err(Refusal::bad("DIGEST_INVALID", "the request does not say the digest of the blob"));
        };
        let digest: Digest = digest.parse()?;
        self.append_and_commit(&asked, &name, &id, &digest, body).await
    }

    /// `DELETE`: gives up an upload.
    pub(super) async fn cancel_upload(self: &Arc<Self>, name: RepositoryName, id: UploadId) -> Answer {
        if self.forget_upload(&name, &id).await {
            Ok(empty(StatusCode::NO_CONTENT))
        } else {
            Err(Refusal::unknown_upload())
        }
    }

    /// Finds a repository that has the blob, the one that the client names first, and mounts it from there.
    async fn mount(&self, asked: &Asked, name: &RepositoryName, digest: &Digest) -> Result<bool, Refusal> {
        let caller = asked.caller.clone();
        let named = asked.query.first("from").and_then(|from| from.parse::<RepositoryName>().ok());
        // What the caller may not read is not there for them.
        let named = named.filter(|from| caller.may(Action::Read, from.as_str()));
        let (to, digest) = (name.clone(), digest.clone());
        self.blocking(move |storage| {
            if let Some(from) = named
                && storage.mount_blob(&digest, &from, &to)?
            {
                return Ok(true);
            }
            match storage.owner_of(&digest, &|from| caller.may(Action::Read, from.as_str()))? {
                Some(from) => storage.mount_blob(&digest, &from, &to),
                None => Ok(false),
            }
        })
        .await
    }

    async fn append_and_commit(
        self: &Arc<Self>,
        asked: &Asked,
        name: &RepositoryName,
        id: &UploadId,
        digest: &Digest,
        body: &mut RequestBody,
    ) -> Answer {
        let Some((mut turn, upload)) = self.take_up(name, id).await? else {
            // The answer to the request that ended it may have been lost.
            let (repository, blob) = (name.clone(), digest.clone());
            let is_there =
                self.blocking(move |storage| storage.lease_blob(&repository, &blob)).await?.is_some();
            return if is_there { Ok(created(name, digest)) } else { Err(Refusal::unknown_upload()) };
        };
        let upload = self.append_body(asked, name, id, &mut turn, upload, body).await?;
        let (repository, blob) = (name.clone(), digest.clone());
        let size = upload.offset();
        let committed = self.blocking(move |storage| storage.commit_upload(&repository, upload, &blob)).await;
        self.sessions.forget(id);
        committed?;
        self.guard.usage.add(name, size);
        Ok(created(name, digest))
    }

    /// Makes this request the one that writes to an upload.
    async fn take_up(&self, name: &RepositoryName, id: &UploadId) -> Result<Option<(Turn, Upload)>, Refusal> {
        let (repository, upload) = (name.clone(), id.clone());
        if self.blocking(move |storage| storage.upload_offset(&repository, &upload)).await?.is_none() {
            return Ok(None);
        }
        let mut turn = self.sessions.take_over(id).await;
        let (repository, upload, known) = (name.clone(), id.clone(), turn.progress.take());
        match self.blocking(move |storage| storage.open_upload(&repository, &upload, known)).await? {
            Some(upload) => Ok(Some((turn, upload))),
            None => {
                self.sessions.forget(id);
                Ok(None)
            }
        }
    }

    /// Appends the body of a request. When it cannot be appended as a whole, what is known is left in `turn`.
    async fn append_body(
        &self,
        asked: &Asked,
        name: &RepositoryName,
        id: &UploadId,
        turn: &mut Turn,
        upload: Upload,
        body: &mut RequestBody,
    ) -> Result<Upload, Refusal> {
        let announced = match announced(asked, body) {
            Ok(Some((start, length))) if start == upload.offset() => Some(length),
            Ok(None) => None,
            Ok(Some(_)) => {
                let offset = upload.offset();
                *turn.progress = Some(upload.pause());
                let message = format!("the upload has {offset} bytes; a chunk must begin there");
                return Err(self.out_of_order(name, id, offset, message));
            }
            Err(refusal) => {
                *turn.progress = Some(upload.pause());
                return Err(refusal);
            }
        };
        if let Err(refusal) = self.make_room(name, upload.offset(), body).await {
            *turn.progress = Some(upload.pause());
            return Err(refusal);
        }
        let _turn_of_all = match self.upload_turn().await {
            Ok(turn_of_all) => turn_of_all,
            Err(refusal) => {
                *turn.progress = Some(upload.pause());
                return Err(refusal);
            }
        };
        let (upload, ended) = match append(upload, body, &turn.over, announced).await {
            Ok(appended) => appended,
            Err(error) => {
                if error.is_disk_full() {
                    // Its bytes are what others need now.
                    self.remove_upload(name, id).await;
                }
                return Err(self.refuse(&error));
            }
        };
        let offset = upload.offset();
        match ended {
            Appended::Whole => return Ok(upload),
            Appended::Cut | Appended::TooLong => *turn.progress = Some(upload.pause()),
        }
        if let Some(refusal) = body.overflow() {
            // What does not fit as a whole will not fit later.
            self.remove_upload(name, id).await;
            return Err(refusal);
        }
        match ended {
            Appended::TooLong => Err(Refusal::bad("SIZE_INVALID", "the chunk is longer than its range says")),
            _ => Err(self.out_of_order(name, id, offset, "the request was cut short".to_owned())),
        }
    }

    /// Says where an upload goes on.
    fn out_of_order(&self, name: &RepositoryName, id: &UploadId, offset: u64, message: String) -> Refusal {
        Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID", message)
            .with_header(header::LOCATION, upload_location(name, id))
            .with_header(header::RANGE, range_header(offset))
            .with_header(UPLOAD_UUID, id.as_str())
    }

    /// Ends whoever writes to an upload, and forgets it; whether it was there.
    async fn forget_upload(&self, name: &RepositoryName, id: &UploadId) -> bool {
        let (repository, upload) = (name.clone(), id.clone());
        let offset = self.blocking(move |storage| storage.upload_offset(&repository, &upload)).await;
        if !matches!(offset, Ok(Some(_))) {
            return false;
        }
        let _turn = self.sessions.take_over(id).await;
        self.remove_upload(name, id).await
    }

    async fn remove_upload(&self, name: &RepositoryName, id: &UploadId) -> bool {
        self.sessions.forget(id);
        let (repository, upload) = (name.clone(), id.clone());
        self.blocking(move |storage| storage.cancel_upload(&repository, &upload)).await.unwrap_or(false)
    }
}

/// Where a chunk begins and how long it is, where the request says.
fn announced(asked: &Asked, body: &RequestBody) -> Result<Option<(u64, u64)>, Refusal> {
    let Some(text) = asked.headers.get(header::CONTENT_RANGE) else { return Ok(None) };
    let range = text.to_str().ok().and_then(range::chunk);
    let Some((start, length)) = range else {
        // An empty last chunk cannot be written as a range; some clients try.
        if body.length() == Some(0) {
            return Ok(None);
        }
        let message = "`Content-Range` must be the first and the last byte of the chunk, as in `0-499`";
        return Err(Refusal::bad("BLOB_UPLOAD_INVALID", message));
    };
    match body.length() {
        Some(actual) if actual != length => {
            let message = format!("the range of the chunk has {length} bytes, but the request has {actual}");
            Err(Refusal::bad("SIZE_INVALID", message))
        }
        _ => Ok(Some((start, length))),
    }
}

/// An upload goes on.
fn accepted(status: StatusCode, name: &RepositoryName, id: &UploadId, offset: u64) -> Response<Body> {
    let mut response = empty(status);
    set(&mut response, header::LOCATION, upload_location(name, id));
    set(&mut response, header::RANGE, range_header(offset));
    set(&mut response, UPLOAD_UUID, id.as_str());
    response
}

/// A blob is there.
fn created(name: &RepositoryName, digest: &Digest) -> Response<Body> {
    let mut response = empty(StatusCode::CREATED);
    set(&mut response, header::LOCATION, blob_location(name, digest));
    set(&mut response, CONTENT_DIGEST, digest);
    response
}

fn upload_location(name: &RepositoryName, id: &UploadId) -> String {
    format!("/v2/{name}/blobs/uploads/{}", id.as_str())
}

/// Nothing at all cannot be written as a range; everybody writes it like the first byte.
fn range_header(offset: u64) -> String {
    format!("0-{}", offset.saturating_sub(1))
}

fn is_empty_blob(digest: &Digest) -> bool {
    tug_oci::Hasher::new(digest.algorithm()).finish() == *digest
}
