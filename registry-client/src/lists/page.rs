//! Page after page of a list: by `Link`, as the specification says (RFC 8288), with bounds. Registries that are older
//! than that are asked for what comes after the last name of a full page.

use std::collections::HashSet;

use http::Method;
use http::header::LINK;
use reqwest::Url;

use super::PAGE;
use crate::auth::Scope;
use crate::client::{Call, Client, Place};
use crate::error::{Error, Kind};
use crate::text;
use crate::transport::Answer;

/// Nobody reads more.
const MOST_PAGES: usize = 10_000;
/// Of one page: a thousand of the longest names.
const PAGE_BYTES: u64 = 4 << 20;

impl Client {
    /// The entries of all pages, at most `limit` of them. `name` is what `last=` takes, for lists that know it.
    pub(super) async fn pages<T>(
        &self,
        place: &Place,
        first: Url,
        scopes: Vec<Scope>,
        limit: Option<usize>,
        read: impl Fn(&[u8]) -> Result<Vec<T>, serde_json::Error>,
        name: impl Fn(&T) -> Option<&str>,
    ) -> Result<Vec<T>, Error> {
        let mut first = first;
        let size = limit.unwrap_or(PAGE).min(PAGE);
        first.query_pairs_mut().append_pair("n", &size.to_string());
        let mut url = first.clone();
        let mut seen = HashSet::new();
        let mut all = Vec::new();
        loop {
            let call = Call::new(Method::GET, url.clone(), scopes.clone());
            let mut answer = self.call(place, call).await?;
            if !answer.status.is_success() {
                return Err(self.refusal(place, answer).await);
            }
            let body = answer.bytes(PAGE_BYTES, "the list").await?;
            let entries = read(&body).map_err(|_| {
                let message = format!("`{}` was answered with something that is no list", answer.request);
                Error::new(Kind::Protocol, message)
            })?;
            let (had, is_full) = (all.len(), entries.len() >= size);
            if had > 0 && entries.last().and_then(&name) == all.last().and_then(&name) && is_full {
                // The same page once more: `last` is not looked at.
                return Ok(all);
            }
            all.extend(entries);
            if limit.is_some_and(|limit| all.len() >= limit) {
                all.truncate(limit.unwrap_or(all.len()));
                return Ok(all);
            }
            seen.insert(url);
            let after = || {
                let mut url = first.clone();
                url.query_pairs_mut().append_pair("last", name(all.last()?)?);
                Some(url)
            };
            match next(place, &answer)?.or_else(|| if is_full { after() } else { None }) {
                // A page without entries that leads to the next one may go on for ever.
                Some(next) if !seen.contains(&next) && all.len() > had && seen.len() < MOST_PAGES => {
                    url = next;
                }
                _ => return Ok(all),
            }
        }
    }
}

/// The next page, on the same server.
fn next(place: &Place, answer: &Answer) -> Result<Option<Url>, Error> {
    let links = answer.headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    let Some(target) = links.flat_map(|header| header.split(',')).find_map(next_link) else {
        return Ok(None);
    };
    let Ok(url) = answer.url.join(target) else { return Ok(None) };
    match place.is_own(&url) {
        true => Ok(Some(url)),
        false => {
            let message = format!(
                "`{}`: the next page is said to be at `{}`, another server, which is not asked",
                answer.request,
                text::address(&url)
            );
            Err(Error::new(Kind::Protocol, message))
        }
    }
}

/// The address in `<…>; rel="next"`.
fn next_link(link: &str) -> Option<&str> {
    let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = parameters.split(';').any(|parameter| {
        let Some((name, value)) = parameter.split_once('=') else { return false };
        name.trim().eq_ignore_ascii_case("rel") && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
    });
    is_next.then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_read_from_links_of_every_spelling() {
        assert_eq!(
            next_link(r#"</v2/a/tags/list?n=2&last=b>; rel="next""#),
            Some("/v2/a/tags/list?n=2&last=b")
        );
        assert_eq!(next_link("<https://h/x> ; REL = next"), Some("https://h/x"));
        for other in ["</x>; rel=\"prev\"", "</x>", "/x; rel=next", ""] {
            assert_eq!(next_link(other), None, "{other}");
        }
    }
}
