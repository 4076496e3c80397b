//! Taking things out of a registry. Source: distribution-spec "Content Management".

use http::{Method, StatusCode};

use crate::auth::Scope;
use crate::client::{Call, Client};
use crate::error::{Error, Kind};
use crate::manifest::Target;
use crate::repository::Repository;

impl Client {
    /// Deletes a tag (and nothing but the tag), or a manifest with all its tags.
    ///
    /// Errors: [`Kind::NotFound`]; [`Kind::Unsupported`] where the registry does not delete, or not by tag. It is never
    /// tried in another way: deleting by digest would take other tags along.
    pub async fn delete_manifest(&self, repository: &Repository, target: &Target) -> Result<(), Error> {
        let is_tag = matches!(target, Target::Tag(_));
        let place = self.primary(repository).await?;
        let url = place.url(&format!("manifests/{target}"));
        let answer =
            self.call(&place, Call::new(Method::DELETE, url, vec![Scope::delete(place.name())])).await?;
        match answer.status {
            status if status.is_success() => {
                answer.drain().await;
                Ok(())
            }
            StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED if is_tag => {
                let status = answer.status.as_u16();
                let message =
                    format!("`{}` was answered {status}: this registry deletes no tags", answer.request);
                let hint = "delete the manifest by its digest, which takes all its tags away: `tug delete NAME@DIGEST`";
                Err(Error::new(Kind::Unsupported, message).with_answer(status, None).with_hint(hint))
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                let message =
                    format!("`{}` was answered 405: deleting is switched off there", answer.request);
                Err(Error::new(Kind::Unsupported, message).with_answer(405, None))
            }
            _ => Err(self.refusal(&place, answer).await),
        }
    }
}
