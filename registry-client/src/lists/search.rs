//! Searching Docker Hub, which is no part of the specification. Other registries have only their catalogs.

use http::Method;
use serde::Deserialize;

use crate::client::{Call, Client};
use crate::error::{Error, Kind};
use crate::hosts::HUB_SERVER;
use crate::repository::Repository;

/// Where Docker Hub is searched.
const HUB_INDEX: &str = "index.docker.io";
/// More it does not give at a time.
const MOST: usize = 100;

/// A repository that was found.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Found {
    /// Its name, as it is pulled.
    pub name: String,
    /// What its owner says of it.
    #[serde(default)]
    pub description: String,
    /// How many like it.
    #[serde(default, rename = "star_count")]
    pub stars: u64,
    /// Whether it is one of those that docker keeps itself.
    #[serde(default, rename = "is_official")]
    pub is_official: bool,
}

#[derive(Deserialize)]
struct Results {
    results: Vec<Found>,
}

impl Client {
    /// Searches Docker Hub (`docker.io`), or the catalog of another registry for names that have `term` in them.
    pub async fn search(&self, registry: &str, term: &str, limit: usize) -> Result<Vec<Found>, Error> {
        if registry != "docker.io" {
            let names = self.catalog(registry, None).await?;
            let found = names.into_iter().filter(|name| name.contains(term)).take(limit);
            let found = found.map(|name| Found {
                name: format!("{registry}/{name}"),
                description: String::new(),
                stars: 0,
                is_official: false,
            });
            return Ok(found.collect());
        }
        let place = self.primary(&Repository::whole(HUB_INDEX)).await?;
        let mut url = place.root("../v1/search");
        // The host that serves images does not search. The one that does is asked without credentials.
        if url.host_str() == Some(HUB_SERVER) {
            let _ = url.set_host(Some(HUB_INDEX));
        }
        url.query_pairs_mut().append_pair("q", term).append_pair("n", &limit.clamp(1, MOST).to_string());
        let mut answer = self.call(&place, Call::new(Method::GET, url, Vec::new())).await?;
        if !answer.status.is_success() {
            return Err(self.refusal(&place, answer).await);
        }
        let body = answer.bytes(self.limits().document, "the list of results").await?;
        let results: Results = serde_json::from_slice(&body).map_err(|_| {
            let message = format!("`{}` was answered with something that is no list", answer.request);
            Error::new(Kind::Protocol, message)
        })?;
        Ok(results.results)
    }
}
