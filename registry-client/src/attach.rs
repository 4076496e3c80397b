//! Attaching a manifest to another one, so that it is found by whoever asks for what is attached.
//!
//! A registry that keeps the list itself says so with `OCI-Subject` when the manifest comes. For one that does not, the
//! list is an index under a tag that is made of the digest, kept by whoever attaches something:
//!
//! | step | what                                                                                       |
//! | ---- | ------------------------------------------------------------------------------------------ |
//! | 1    | the index is fetched from the registry itself, never from a mirror; none is an empty one   |
//! | 2    | the entry is put in (once, in the order of digests) or taken out; the others stay as they are |
//! | 3    | it is put back, where there was an `ETag` only if nobody else was quicker (`If-Match`)     |
//! | 4    | it is fetched again: another one may have come in between; then from step 1                |
//!
//! Source: distribution-spec "Pushing Manifests with Subject", "Referrers Tag Schema", "Deleting Manifests".

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_MATCH};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tug_oci::{Digest, media_type};

use crate::auth::Scope;
use crate::client::{Call, Client, Place};
use crate::error::{Error, Kind};
use crate::lists::referrers_tag;
use crate::manifest::{PutManifest, Target};
use crate::repository::Repository;

/// How often others may be quicker.
const ROUNDS: u32 = 8;

/// What matters of a manifest that is attached.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attached {
    artifact_type: Option<String>,
    config: Option<Config>,
    subject: Option<Subject>,
    annotations: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    media_type: String,
}

#[derive(Deserialize)]
struct Subject {
    digest: Digest,
}

/// The index of a list, as it is in the registry.
struct List {
    index: Value,
    etag: Option<String>,
}

impl Client {
    /// Puts a manifest with a `subject` by its digest, and sees to it that it is listed. The bytes are not changed.
    ///
    /// Errors: those of [`Client::put_manifest`]; [`Kind::Protocol`] when the manifest has no subject, or what is under
    /// the tag of the list is none.
    pub async fn push_referrer(
        &self,
        repository: &Repository,
        media_type: &str,
        bytes: Bytes,
    ) -> Result<PutManifest, Error> {
        let attached = read(&bytes);
        let Some((attached, subject)) = attached.and_then(|attached| {
            let subject = attached.subject.as_ref()?.digest.clone();
            Some((attached, subject))
        }) else {
            return Err(Error::new(Kind::Protocol, "a manifest that is to be attached names no subject"));
        };
        let digest = Digest::of(&bytes);
        let entry = entry(&attached, media_type, &digest, bytes.len());
        let put = self.put_manifest(repository, &Target::Digest(digest.clone()), media_type, bytes).await?;
        if put.subject.is_none() {
            self.change_list(repository, &subject, &digest, Some(&entry)).await?;
        }
        Ok(put)
    }

    /// Deletes a manifest that is attached to another one, and takes it out of the list under the tag, if there is one.
    ///
    /// Errors: those of [`Client::delete_manifest`]; [`Kind::NotFound`] when there is no such manifest.
    pub async fn remove_referrer(&self, repository: &Repository, manifest: &Digest) -> Result<(), Error> {
        let target = Target::Digest(manifest.clone());
        let found = self.manifest(repository, &target).await?;
        self.delete_manifest(repository, &target).await?;
        match read(&found.bytes).and_then(|attached| attached.subject) {
            Some(subject) => self.change_list(repository, &subject.digest, manifest, None).await,
            None => Ok(()),
        }
    }

    /// Puts `entry` into the list of `subject`, or takes the manifest out when there is none.
    async fn change_list(
        &self,
        repository: &Repository,
        subject: &Digest,
        manifest: &Digest,
        entry: Option<&Value>,
    ) -> Result<(), Error> {
        let place = self.primary(repository).await?;
        let tag = referrers_tag(subject);
        let wanted = manifest.to_string();
        for round in 1..=ROUNDS {
            let list = self.list(&place, &tag).await?;
            let Some(List { mut index, etag }) = list.or_else(|| entry.map(|_| List::empty())) else {
                return Ok(());
            };
            match change(&mut index, &wanted, entry) {
                None => return Err(no_list(&place, &tag)),
                Some(false) => return Ok(()),
                Some(true) => {}
            }
            let put = match self.put_list(&place, &tag, &index, etag.as_deref()).await {
                // What was deleted without being taken out would block the list for ever.
                Err(error) if error.says_that_a_part_is_missing() => {
                    if !self.drop_what_is_gone(&place, &mut index).await? {
                        return Err(error);
                    }
                    self.put_list(&place, &tag, &index, etag.as_deref()).await?
                }
                put => put?,
            };
            if !put || round > 1 {
                tokio::time::sleep(crate::retry::pause(self.limits(), round)).await;
            }
        }
        let message =
            format!("the list `{tag}` in `{repository}` was changed by others {ROUNDS} times meanwhile");
        Err(Error::new(Kind::Server, message).with_hint("try again when they are done"))
    }

    async fn list(&self, place: &Place, tag: &str) -> Result<Option<List>, Error> {
        let url = place.url(&format!("manifests/{tag}"));
        let call = Call::new(Method::GET, url, vec![Scope::push(place.name())]);
        let mut answer = self.call(place, call.header(ACCEPT, media_type::OCI_INDEX)).await?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            _ => return Err(self.refusal(place, answer).await),
        }
        let etag = answer.header(ETAG).map(str::to_owned);
        let bytes = answer.bytes(self.limits().manifest, "the list of what is attached").await?;
        let index: Option<Value> = serde_json::from_slice(&bytes).ok();
        let index =
            index.filter(|index| index.get("manifests").is_some_and(|all| all.is_array() || all.is_null()));
        index.map(|index| Some(List { index, etag })).ok_or_else(|| no_list(place, tag))
    }

    /// Takes the entries out whose manifests are not there. Whether there were any.
    async fn drop_what_is_gone(&self, place: &Place, index: &mut Value) -> Result<bool, Error> {
        let Some(all) = index.get_mut("manifests").and_then(Value::as_array_mut) else { return Ok(false) };
        let before = all.len();
        for entry in std::mem::take(all) {
            let digest = digest(&entry).parse::<Digest>();
            let is_gone = match &digest {
                Ok(digest) => {
                    let url = place.url(&format!("manifests/{digest}"));
                    let call = Call::new(Method::HEAD, url, vec![Scope::push(place.name())]);
                    let call = call.header(ACCEPT, "*/*");
                    self.call(place, call).await?.status == StatusCode::NOT_FOUND
                }
                Err(_) => false,
            };
            if !is_gone {
                all.push(entry);
            }
        }
        Ok(all.len() < before)
    }

    /// False when somebody else was quicker.
    async fn put_list(
        &self,
        place: &Place,
        tag: &str,
        index: &Value,
        etag: Option<&str>,
    ) -> Result<bool, Error> {
        let url = place.url(&format!("manifests/{tag}"));
        let mut call = Call::new(Method::PUT, url, vec![Scope::push(place.name())])
            .header(CONTENT_TYPE, media_type::OCI_INDEX);
        if let Some(etag) = etag {
            call = call.header(IF_MATCH, etag);
        }
        call.body = index.to_string().into();
        let answer = self.call(place, call).await?;
        match answer.status {
            StatusCode::PRECONDITION_FAILED => Ok(false),
            status if status.is_success() => {
                answer.drain().await;
                Ok(true)
            }
            _ => Err(self.refusal(place, answer).await),
        }
    }
}

impl List {
    fn empty() -> Self {
        let index = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [] });
        Self { index, etag: None }
    }
}

fn read(bytes: &[u8]) -> Option<Attached> {
    serde_json::from_slice(bytes).ok()
}

/// What the list says of a manifest. Source: distribution-spec "Listing Referrers".
fn entry(attached: &Attached, media_type: &str, digest: &Digest, size: usize) -> Value {
    let mut entry = json!({ "mediaType": media_type, "digest": digest.to_string(), "size": size });
    let of_config = attached.config.as_ref().map(|config| &config.media_type);
    let own = attached.artifact_type.as_ref().filter(|own| !own.is_empty());
    if let Some(artifact_type) = own.or(of_config) {
        entry["artifactType"] = json!(artifact_type);
    }
    if let Some(annotations) = &attached.annotations {
        entry["annotations"] = annotations.clone();
    }
    entry
}

/// Whether that changed anything; `None` when the index is none.
fn change(index: &mut Value, wanted: &str, entry: Option<&Value>) -> Option<bool> {
    let all = index.get_mut("manifests")?;
    if all.is_null() {
        *all = json!([]);
    }
    let all = all.as_array_mut()?;
    let before = all.len();
    match entry {
        Some(_) if all.iter().any(|known| digest(known) == wanted) => return Some(false),
        Some(entry) => all.push(entry.clone()),
        None => all.retain(|known| digest(known) != wanted),
    }
    // Two who add different entries at once come to the same list.
    all.sort_by(|one, other| digest(one).cmp(digest(other)));
    Some(all.len() != before)
}

fn digest(entry: &Value) -> &str {
    entry.get("digest").and_then(Value::as_str).unwrap_or_default()
}

fn no_list(place: &Place, tag: &str) -> Error {
    let message = format!(
        "the tag `{tag}` of `{}/{}` should be a list of what is attached, and is something else",
        place.authority(),
        place.name()
    );
    Error::new(Kind::Protocol, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_the_type_of_the_artifact_and_all_annotations() {
        let digest = Digest::of(b"");
        let made = |manifest: Value| entry(&read(manifest.to_string().as_bytes()).unwrap(), "m", &digest, 7);
        let own = made(
            json!({ "artifactType": "a/b", "config": { "mediaType": "c" }, "annotations": { "k": "v" } }),
        );
        let expected = json!({
            "mediaType": "m", "digest": digest.to_string(), "size": 7, "artifactType": "a/b", "annotations": { "k": "v" },
        });
        assert_eq!(own, expected);
        assert_eq!(made(json!({ "config": { "mediaType": "c" } }))["artifactType"], "c");
        assert_eq!(made(json!({ "manifests": [] })).get("artifactType"), None, "an index without one");
    }

    #[test]
    fn a_list_has_each_entry_once_in_order_and_keeps_what_it_does_not_know() {
        let mut index = json!({ "manifests": [{ "digest": "b", "x": 1 }], "future": true });
        let new = json!({ "digest": "a" });
        assert_eq!(change(&mut index, "a", Some(&new)), Some(true));
        assert_eq!(change(&mut index, "a", Some(&new)), Some(false));
        let expected = json!({ "manifests": [{ "digest": "a" }, { "digest": "b", "x": 1 }], "future": true });
        assert_eq!(index, expected);
        assert_eq!(change(&mut index, "c", None), Some(false));
        assert_eq!(change(&mut index, "b", None), Some(true));
        assert_eq!(index, json!({ "manifests": [{ "digest": "a" }], "future": true }));
        assert_eq!(change(&mut json!({ "manifests": null }), "a", Some(&new)), Some(true));
        assert_eq!(change(&mut json!({ "layers": [] }), "a", Some(&new)), None);
    }
}
