//! Who is attached to a manifest. Source: distribution-spec, "Listing Referrers".

use std::sync::Arc;

use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use tug_oci::{Digest, media_type};

use super::lists::{link_to_next, page};
use super::{Answer, Asked, Registry, json as json_answer, set};
use crate::names::RepositoryName;

/// Says that the list holds only what was asked for.
const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

/// The list is a manifest itself, so clients read at most 4 MiB of it.
const LARGEST_LIST: usize = 2 << 20;

impl Registry {
    /// `GET /v2/NAME/referrers/DIGEST`: always an index, also for what does not exist.
    pub(super) async fn list_referrers(
        self: &Arc<Self>,
        asked: Asked,
        name: RepositoryName,
        digest: Digest,
    ) -> Answer {
        let number = asked.query.number()?.unwrap_or(self.options.max_page).min(self.options.max_page);
        let filter = asked.query.first("artifactType").map(str::to_owned);
        let mut found = self.blocking(move |storage| storage.referrers(&name, &digest)).await?;
        if let Some(filter) = &filter {
            found.retain(|descriptor| descriptor["artifactType"] == filter.as_str());
        }
        let mut page = page(found, asked.query.first("last"), number, digest_of);
        let mut size = 0;
        let fitting = page.entries.iter().take_while(|descriptor| {
            size += descriptor.to_string().len();
            size <= LARGEST_LIST
        });
        let fitting = fitting.count().max(usize::from(!page.entries.is_empty()));
        page.is_last &= fitting == page.entries.len();
        page.entries.truncate(fitting);
        let index = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_INDEX,
            "manifests": page.entries,
        });
        let mut response = json_answer(StatusCode::OK, index.to_string());
        let own_type = HeaderValue::from_static(media_type::OCI_INDEX);
        response.headers_mut().insert(header::CONTENT_TYPE, own_type);
        if filter.is_some() {
            set(&mut response, FILTERS_APPLIED, "artifactType");
        }
        link_to_next(&mut response, &asked, Some(number), page.is_last, page.entries.last().map(digest_of));
        Ok(response)
    }
}

fn digest_of(descriptor: &Value) -> &str {
    descriptor["digest"].as_str().unwrap_or_default()
}
