//! Who asks: what a registry wants to see, and the tokens it has given.
//!
//! Nothing is sent before a host has asked for it, but for a token that was configured as such. A host that has asked
//! once is given the right thing at once from then on. For each token only one request is made, however many wait for
//! it.

mod challenge;
mod scope;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::header::{HeaderValue, WWW_AUTHENTICATE};
use reqwest::Url;
use tokio::time::Instant;
use tug_oci::Digest;

pub(crate) use self::scope::Scope;
use self::token::{Issuer, Token};
use crate::credentials::{Credential, CredentialKind};
use crate::error::{Error, Kind};
use crate::text;
use crate::transport::{Answer, Connection, Transport, check_address};

/// What the hosts want, and the tokens.
#[derive(Default)]
pub(crate) struct Auth {
    known: Mutex<HashMap<String, Wanted>>,
    tokens: Mutex<HashMap<TokenKey, Arc<tokio::sync::Mutex<Option<Token>>>>>,
}

#[derive(Clone, PartialEq, Eq)]
enum Wanted {
    Basic,
    Bearer(Issuer),
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct TokenKey {
    issuer: Issuer,
    who: Digest,
    scopes: Vec<Scope>,
}

/// One who asks: where, as whom, for what.
#[derive(Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) transport: &'a Transport,
    /// Host and port of the registry.
    pub(crate) authority: &'a str,
    pub(crate) connection: &'a Connection,
    pub(crate) credential: Option<&'a Credential>,
}

impl Auth {
    /// What to send, as far as it is known what is wanted.
    pub(crate) async fn authorization(
        &self,
        asking: Asking<'_>,
        scopes: &[Scope],
    ) -> Result<Option<HeaderValue>, Error> {
        let wanted = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(asking.authority).cloned();
        match (wanted, asking.credential.map(|credential| &credential.kind)) {
            (_, Some(CredentialKind::Registry(token))) => {
                let header = HeaderValue::from_str(&format!("Bearer {}", token.reveal())).map_err(|_| {
                    Error::new(Kind::Config, "the configured registry token has characters that no token has")
                })?;
                Ok(Some(sensitive(header)))
            }
            (Some(Wanted::Basic), Some(CredentialKind::Basic { user, password })) => {
                Ok(Some(token::basic(user, password.reveal())))
            }
            (Some(Wanted::Bearer(issuer)), _) => self.token(asking, &issuer, scopes).await.map(Some),
            _ => Ok(None),
        }
    }

    /// Learns from an answer 401 what is wanted. `sent` is what had been sent: it is worth nothing any more.
    ///
    /// Scopes that the host names are put behind the others, unless they are there. `Ok(false)`: there is nothing more
    /// that could be sent.
    pub(crate) fn learn(
        &self,
        asking: Asking<'_>,
        answer: &Answer,
        scopes: &mut Vec<Scope>,
        sent: Option<&HeaderValue>,
    ) -> Result<bool, Error> {
        let headers = answer.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let challenges: Vec<_> = headers.flat_map(challenge::parse).collect();
        let bearer = challenges
            .iter()
            .find(|challenge| challenge.scheme == "bearer" && challenge.get("realm").is_some());
        let is_basic = challenges.iter().any(|challenge| challenge.scheme == "basic");
        let kind = asking.credential.map(|credential| &credential.kind);
        let wanted = match (bearer, kind) {
            (_, Some(CredentialKind::Registry(_))) => return Ok(false),
            (Some(bearer), _) => {
                let named = bearer.get("scope").map(Scope::of_challenge).unwrap_or_default();
                let had = scopes.len();
                if scopes.is_empty() || bearer.get("error") == Some("insufficient_scope") {
                    scopes.extend(
                        named.into_iter().filter(|scope| !scopes.contains(scope)).collect::<Vec<_>>(),
                    );
                }
                let issuer = issuer(answer, bearer)?;
                let is_stale = self.forget(&issuer, sent);
                let grew = scopes.len() > had;
                self.keep(asking.authority, Wanted::Bearer(issuer));
                return Ok(sent.is_none() || grew || is_stale);
            }
            (None, Some(CredentialKind::Basic { .. })) if is_basic => Wanted::Basic,
            _ => return Ok(false),
        };
        self.keep(asking.authority, wanted);
        Ok(sent.is_none())
    }

    fn keep(&self, authority: &str, wanted: Wanted) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(authority.to_owned(), wanted);
    }

    /// Forgets the token that was sent. True when it is an old one of ours: a new one may do.
    fn forget(&self, issuer: &Issuer, sent: Option<&HeaderValue>) -> bool {
        let Some(sent) = sent else { return false };
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let before = tokens.len();
        // One that somebody is fetching just now is another one.
        tokens.retain(|key, token| {
            key.issuer != *issuer
                || token
                    .try_lock()
                    .map_or(true, |token| token.as_ref().is_none_or(|token| token.header != *sent))
        });
        tokens.len() < before
    }

    async fn token(
        &self,
        asking: Asking<'_>,
        issuer: &Issuer,
        scopes: &[Scope],
    ) -> Result<HeaderValue, Error> {
        let who = asking.credential.map_or_else(|| Digest::of(b""), fingerprint);
        let key = TokenKey { issuer: issuer.clone(), who, scopes: scopes.to_vec() };
        let place = {
            let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(tokens.entry(key).or_default())
        };
        let mut token = place.lock().await;
        if let Some(token) = token.as_ref().filter(|token| token.until > Instant::now()) {
            return Ok(token.header.clone());
        }
        let mut connection = asking.connection.clone();
        connection.is_bulk = false;
        let realm = text::authority(&issuer.realm);
        if realm != asking.authority {
            connection.tls = asking.transport.tls(&realm)?;
        }
        let fetched = token::fetch(asking.transport, issuer, &connection, asking.credential, scopes).await?;
        Ok(token.insert(fetched).header.clone())
    }
}

fn issuer(answer: &Answer, bearer: &challenge::Challenge) -> Result<Issuer, Error> {
    let realm = bearer.get("realm").unwrap_or_default();
    let refused = |why: &str| {
        let message =
            format!("`{}`: tokens are to come from an address that is not asked: {why}", answer.request);
        Error::new(Kind::Protocol, message)
    };
    let url = Url::parse(realm).map_err(|_| refused("it cannot be read"))?;
    check_address(&answer.url, &url).map_err(|why| refused(&format!("`{}` {why}", text::address(&url))))?;
    let service = bearer.get("service").filter(|service| !service.is_empty()).map(str::to_owned);
    Ok(Issuer { realm: url, service })
}

/// Tells credentials apart without keeping them.
fn fingerprint(credential: &Credential) -> Digest {
    let text = match &credential.kind {
        CredentialKind::Basic { user, password } => format!("basic\0{user}\0{}", password.reveal()),
        CredentialKind::Identity(token) => format!("identity\0{}", token.reveal()),
        CredentialKind::Registry(token) => format!("registry\0{}", token.reveal()),
    };
    Digest::of(text.as_bytes())
}

fn sensitive(mut header: HeaderValue) -> HeaderValue {
    header.set_sensitive(true);
    header
}

/// Who was asking, for messages: without the secret.
pub(crate) fn identity(credential: Option<&Credential>) -> String {
    let Some(credential) = credential else {
        return "asked without credentials".to_owned();
    };
    let source = &credential.source;
    match &credential.kind {
        CredentialKind::Basic { user, .. } => format!("asked as `{}` ({source})", text::shown(user)),
        CredentialKind::Identity(_) | CredentialKind::Registry(_) => format!("asked with a token ({source})"),
    }
}
