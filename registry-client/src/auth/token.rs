//! Fetching a token from where a challenge says. Source: distribution `docs/spec/auth/token` and `oauth`.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use serde::Deserialize;
use tokio::time::Instant;

use super::Scope;
use crate::credentials::{Credential, CredentialKind};
use crate::error::{Error, Kind};
use crate::retry;
use crate::text;
use crate::transport::{Answer, Connection, Payload, Request, Transport, failure};

/// What the specification says when a server says nothing.
const USUAL_LIFE: Duration = Duration::from_secs(60);
/// A token is not used in its last moments.
const MARGIN: Duration = Duration::from_secs(5);
const CLIENT_ID: &str = "tug";
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A token, until it is too old.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) header: HeaderValue,
    pub(crate) until: Instant,
}

/// Where tokens come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Issuer {
    pub(crate) realm: Url,
    pub(crate) service: Option<String>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<u64>,
}

/// Asks for a token. The scopes are in order: some servers look at the first only.
pub(crate) async fn fetch(
    transport: &Transport,
    issuer: &Issuer,
    connection: &Connection,
    credential: Option<&Credential>,
    scopes: &[Scope],
) -> Result<Token, Error> {
    let identity = super::identity(credential);
    if let Some(Credential { kind: CredentialKind::Identity(token), .. }) = credential {
        let form =
            form(issuer, scopes, &[("grant_type", "refresh_token"), ("refresh_token", token.reveal())]);
        let answer = ask(transport, issuer, connection, Asking::Post(form)).await?;
        // Some know the older way only.
        if !matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
            return read(transport, answer, &identity).await;
        }
        let basic = basic("<token>", token.reveal());
        return read(
            transport,
            ask(transport, issuer, connection, Asking::Get(scopes, Some(basic))).await?,
            &identity,
        )
        .await;
    }
    let basic = match credential.map(|credential| &credential.kind) {
        Some(CredentialKind::Basic { user, password }) => Some(basic(user, password.reveal())),
        _ => None,
    };
    read(transport, ask(transport, issuer, connection, Asking::Get(scopes, basic)).await?, &identity).await
}

enum Asking<'a> {
    Get(&'a [Scope], Option<HeaderValue>),
    Post(String),
}

/// One policy of retries for tokens, too: what may pass is asked again.
async fn ask(
    transport: &Transport,
    issuer: &Issuer,
    connection: &Connection,
    asking: Asking<'_>,
) -> Result<Answer, Error> {
    let limits = &transport.options().limits;
    let gate = transport.gate(&text::authority(&issuer.realm));
    let mut count = 0;
    loop {
        count += 1;
        gate.pass().await;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let mut request = Request {
            method: Method::GET,
            url: issuer.realm.clone(),
            headers,
            authorization: None,
            body: Payload::None,
            connection: connection.clone(),
            answer_within: Some(limits.answer),
        };
        match &asking {
            Asking::Get(scopes, basic) => {
                let mut query = request.url.query_pairs_mut();
                query.extend_pairs(issuer.service.iter().map(|service| ("service", service)));
                query.extend_pairs(scopes.iter().map(|scope| ("scope", scope.as_str())));
                drop(query);
                if request.url.query() == Some("") {
                    request.url.set_query(None);
                }
                request.authorization.clone_from(basic);
            }
            Asking::Post(form) => {
                request.method = Method::POST;
                let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
                request.headers.insert(CONTENT_TYPE, kind);
                request.body = Payload::Bytes(Bytes::from(form.clone()));
            }
        }
        let outcome = transport.exchange(request).await;
        let error = match outcome {
            Ok(answer) if retry::is_for_now(answer.status.as_u16()) => {
                failure::of_answer(answer, "no token could be had").await
            }
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        transport.rest(&text::authority(&issuer.realm), "a token", error, count, limits.attempts).await?;
    }
}

async fn read(transport: &Transport, mut answer: Answer, identity: &str) -> Result<Token, Error> {
    if !answer.status.is_success() {
        return Err(failure::of_answer(answer, identity).await);
    }
    let body = answer.bytes(transport.options().limits.document, "the answer with the token").await?;
    let unusable = || {
        let message = format!("`{}` was answered with something that is no token", answer.request);
        Error::new(Kind::Protocol, message)
    };
    let TokenAnswer { token, access_token, expires_in } =
        serde_json::from_slice(&body).map_err(|_| unusable())?;
    let token = token.or(access_token).filter(|token| !token.is_empty()).ok_or_else(unusable)?;
    let mut header = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| unusable())?;
    header.set_sensitive(true);
    let life = expires_in.map_or(USUAL_LIFE, Duration::from_secs);
    let life = life.saturating_sub(MARGIN.min(life / 4)).min(Duration::from_secs(24 * 3600));
    Ok(Token { header, until: Instant::now() + life })
}

/// `Authorization: Basic`.
pub(crate) fn basic(user: &str, password: &str) -> HeaderValue {
    let text = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let mut header = HeaderValue::from_str(&text).expect("base64 is text");
    header.set_sensitive(true);
    header
}

fn form(issuer: &Issuer, scopes: &[Scope], first: &[(&str, &str)]) -> String {
    let scopes: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
    let scopes = scopes.join(" ");
    let service = issuer.service.as_deref().map(|service| ("service", service));
    let rest = [("client_id", CLIENT_ID), ("scope", scopes.as_str())];
    let pairs = first.iter().copied().chain(service).chain(rest).filter(|(_, value)| !value.is_empty());
    let encoded = pairs.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, PLAIN)));
    encoded.collect::<Vec<_>>().join("&")
}
