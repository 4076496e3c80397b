//! Lists of tags and of repositories, page by page. Source: distribution-spec, "Listing Tags".

use std::sync::Arc;

use http::{Response, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::body::Body;
use super::{Answer, Asked, Registry, json as json_answer, set};
use crate::names::RepositoryName;
use crate::storage::Storage;

/// A part of a list, and whether there is more behind it.
pub(super) struct Page<T> {
    pub(super) entries: Vec<T>,
    pub(super) is_last: bool,
}

impl Registry {
    /// `GET /v2/NAME/tags/list`. Without `n`, all of them: not every client asks for a next page.
    pub(super) async fn list_tags(self: &Arc<Self>, asked: Asked, name: RepositoryName) -> Answer {
        let number = asked.query.number()?;
        self.must_exist(&name).await?;
        let repository = name.clone();
        let tags = self.blocking(move |storage| storage.tags(&repository)).await?;
        let tags: Vec<String> = tags.iter().map(ToString::to_string).collect();
        let page = page(tags, asked.query.first("last"), number.unwrap_or(usize::MAX), String::as_str);
        let text = json!({ "name": name.as_str(), "tags": page.entries }).to_string();
        let mut response = json_answer(StatusCode::OK, text);
        link_to_next(&mut response, &asked, number, page.is_last, page.entries.last().map(String::as_str));
        Ok(response)
    }

    /// `GET /v2/_catalog`.
    pub(super) async fn list_repositories(self: &Arc<Self>, asked: Asked) -> Answer {
        let number = asked.query.number()?.unwrap_or(self.options.max_page).min(self.options.max_page);
        let names = self.blocking(Storage::catalog).await?;
        let names: Vec<String> = names
            .iter()
            .filter(|name| asked.caller.may_see(name.as_str()))
            .map(ToString::to_string)
            .collect();
        let page = page(names, asked.query.first("last"), number, String::as_str);
        let mut response = json_answer(StatusCode::OK, json!({ "repositories": page.entries }).to_string());
        link_to_next(
            &mut response,
            &asked,
            Some(number),
            page.is_last,
            page.entries.last().map(String::as_str),
        );
        Ok(response)
    }
}

/// The `number` entries behind `last`, which need not be in the list.
pub(super) fn page<T>(
    sorted: Vec<T>,
    last: Option<&str>,
    number: usize,
    key: impl Fn(&T) -> &str,
) -> Page<T> {
    let start = last.map_or(0, |last| sorted.partition_point(|entry| key(entry) <= last));
    let mut rest = sorted.into_iter().skip(start);
    let entries: Vec<T> = rest.by_ref().take(number).collect();
    Page { entries, is_last: rest.next().is_none() }
}

/// Says where the next page is. Source: RFC 8288.
pub(super) fn link_to_next(
    response: &mut Response<Body>,
    asked: &Asked,
    number: Option<usize>,
    is_last: bool,
    last: Option<&str>,
) {
    let (Some(last), Some(number), false) = (last, number, is_last) else { return };
    let mut target =
        format!("{}?n={number}&last={}", asked.path, utf8_percent_encode(last, NON_ALPHANUMERIC));
    // The next page is of the same registry, and with the same filter.
    for name in ["artifactType", "ns"] {
        if let Some(value) = asked.query.first(name) {
            target.push_str(&format!("&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
        }
    }
    set(response, header::LINK, format!("<{target}>; rel=\"next\""));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(last: Option<&str>, number: usize) -> (Vec<&'static str>, bool) {
        let page = page(vec!["a", "c", "e"], last, number, |entry| entry);
        (page.entries, page.is_last)
    }

    #[test]
    fn a_page_begins_behind_the_last_entry_of_the_one_before() {
        assert_eq!(entries(None, 2), (vec!["a", "c"], false));
        assert_eq!(entries(Some("c"), 2), (vec!["e"], true));
        assert_eq!(entries(Some("b"), 9), (vec!["c", "e"], true));
        assert_eq!(entries(Some("z"), 9), (vec![], true));
        assert_eq!(entries(None, 0), (vec![], false));
        assert_eq!(entries(None, 3), (vec!["a", "c", "e"], true));
    }
}
