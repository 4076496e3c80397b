//! Lists: tags, repositories, what is attached to an image. Source: distribution-spec "Content Discovery".

mod page;
mod referrers;
mod search;

use http::StatusCode;
use serde::Deserialize;

pub(crate) use self::referrers::referrers_tag;
pub use self::search::Found;
use crate::auth::Scope;
use crate::client::Client;
use crate::error::{Error, Kind};
use crate::hosts::Operation;
use crate::repository::Repository;

/// Some registries refuse to give more at a time.
const PAGE: usize = 1000;

#[derive(Deserialize)]
struct TagList {
    /// `null` where there are none.
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Catalog {
    repositories: Option<Vec<String>>,
}

impl Client {
    /// The tags of a repository, in the registry's order. At most `limit`, if that is given.
    pub async fn tags(&self, repository: &Repository, limit: Option<usize>) -> Result<Vec<String>, Error> {
        let mut sources = self.sources(repository, Operation::PullByTag)?;
        loop {
            let place = sources.next().await?;
            let url = place.url("tags/list");
            let scopes = vec![Scope::pull(place.name())];
            let read = |body: &[u8]| {
                serde_json::from_slice::<TagList>(body).map(|list| list.tags.unwrap_or_default())
            };
            let pages = self.pages(&place, url, scopes, limit, read, |tag| Some(tag));
            match pages.await {
                Ok(tags) => return Ok(tags),
                Err(error) => sources.failed(&place, error)?,
            }
        }
    }

    /// The repositories of a registry, as far as it tells. Many do not.
    ///
    /// Errors: [`Kind::Unsupported`] where there is no such list.
    pub async fn catalog(&self, registry: &str, limit: Option<usize>) -> Result<Vec<String>, Error> {
        let place = self.primary(&Repository::whole(registry)).await?;
        let url = place.root("_catalog");
        let read = |body: &[u8]| {
            serde_json::from_slice::<Catalog>(body).map(|list| list.repositories.unwrap_or_default())
        };
        let pages = self.pages(&place, url, vec![Scope::catalog()], limit, read, |name| Some(name));
        match pages.await {
            Err(error) if matches!(error.status(), Some(404 | 405 | 401 | 403)) => {
                let status = error.status().unwrap_or_default();
                let message = format!("`{registry}` gives no list of its repositories: it answered {status}");
                let told = Error::new(Kind::Unsupported, message)
                    .with_answer(status, error.code().map(str::to_owned));
                Err(match error.hint() {
                    Some(hint) => told.with_hint(hint),
                    None => told,
                })
            }
            outcome => outcome,
        }
    }

    /// Asks a registry whether it is one, and whether it lets us in.
    ///
    /// True when credentials were looked at: a registry that lets everybody in cannot tell good ones from bad ones.
    /// Errors: [`Kind::Unauthorized`] for wrong credentials; [`Kind::Protocol`] where no registry is.
    pub async fn ping(&self, registry: &str) -> Result<bool, Error> {
        let place = self.primary(&Repository::whole(registry)).await?;
        let url = place.root("");
        let call = crate::client::Call::new(http::Method::GET, url.clone(), Vec::new());
        let answer = self.call(&place, call).await?;
        match answer.status {
            status if status.is_success() => {
                answer.drain().await;
                Ok(self.authorization(&place, &url, &[]).await?.is_some())
            }
            StatusCode::NOT_FOUND => {
                let message =
                    format!("`{}` was answered 404: what answers there is no registry", answer.request);
                Err(Error::new(Kind::Protocol, message).with_answer(404, None))
            }
            _ => Err(self.refusal(&place, answer).await),
        }
    }
}
