//! Who is let in, and how others are sent away: before anything is looked up, so that nobody learns what there is.
//!
//! Source: distribution `docs/spec/auth/token`, RFC 6750 section 3.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::json;

use super::Registry;
use super::query::Query;
use super::refusal::Refusal;
use super::route::{Access, Route};
use crate::access::{Action, Caller, Challenge, SERVICE, Scope, Stopped};
use crate::exchange::Exchange;
use crate::names::{Reference, RepositoryName};

impl Registry {
    /// Lets a request in, or says why not.
    pub(super) async fn admit(&self, parts: &Parts, route: &Route, query: &Query) -> Result<Caller, Refusal> {
        let wanted = wanted(route, &parts.method, query);
        let authorization = parts.headers.get(header::AUTHORIZATION);
        let caller = match self.guard.gate.identify(authorization.map(http::HeaderValue::as_bytes)).await {
            Ok(caller) => caller,
            Err(stopped) => return Err(self.stopped(stopped, parts, &wanted)),
        };
        if let (Some(exchange), Some(user)) = (parts.extensions.get::<Arc<Exchange>>(), &caller.user) {
            exchange.is_of(user);
        }
        self.allow(&caller, parts, route, &wanted)?;
        self.check_switches(&caller, &parts.method, route).await?;
        Ok(caller)
    }

    fn allow(&self, caller: &Caller, parts: &Parts, route: &Route, wanted: &[Scope]) -> Result<(), Refusal> {
        let has_users = self.guard.gate.accounts.is_some();
        match route.access(&parts.method) {
            // Whether there is a registry is no secret, but clients learn here whom to ask for a token.
            Access::Base if !has_users || caller.user.is_some() || caller.scopes.is_some() => Ok(()),
            Access::Base => {
                Err(self.unauthorized(parts, wanted, None, "the registry wants to know who asks"))
            }
            Access::Catalog => {
                let is_for_it = caller.scopes.as_ref();
                if !is_for_it.is_none_or(|scopes| scopes.iter().any(Scope::allows_catalog)) {
                    return Err(self.insufficient(parts, wanted));
                }
                match caller.may_list() {
                    true => Ok(()),
                    false => Err(self.not_allowed(caller, parts, wanted, "list the repositories")),
                }
            }
            Access::Pull(name) => self.allow_on(caller, parts, wanted, &[Action::Read], &name),
            Access::Push(name) => self.allow_on(caller, parts, wanted, &[Action::Write], &name),
            Access::Delete(name) => self.allow_on(caller, parts, wanted, &[Action::Delete], &name),
        }
    }

    fn allow_on(
        &self,
        caller: &Caller,
        parts: &Parts,
        wanted: &[Scope],
        actions: &[Action],
        name: &RepositoryName,
    ) -> Result<(), Refusal> {
        for &action in actions {
            if !caller.policy.may(caller.user.as_deref(), action, name.as_str()) {
                let verb = match action {
                    Action::Read => "read",
                    Action::Write => "write to",
                    Action::Delete => "delete from",
                };
                return Err(self.not_allowed(caller, parts, wanted, &format!("{verb} `{name}`")));
            }
            if !caller.token_allows(action, name.as_str()) {
                return Err(self.insufficient(parts, wanted));
            }
        }
        Ok(())
    }

    /// What nobody may do, whoever they are.
    async fn check_switches(&self, caller: &Caller, method: &Method, route: &Route) -> Result<(), Refusal> {
        if matches!(*method, Method::GET | Method::HEAD) {
            return Ok(());
        }
        if caller.policy.read_only {
            return Err(denied("the registry is read-only").with_detail(json!({ "reason": "read-only" })));
        }
        let (Route::Manifest(name, reference), &Method::DELETE) = (route, method) else { return Ok(()) };
        if caller.policy.immutable_tags.is_empty() {
            return Ok(());
        }
        let (repository, reference, policy) = (name.clone(), reference.clone(), Arc::clone(&caller.policy));
        let fixed = self
            .blocking(move |storage| {
                let is_fixed = |tag: &str| policy.is_immutable(repository.as_str(), tag);
                match &reference {
                    Reference::Tag(tag) => Ok(is_fixed(tag.as_str()).then(|| tag.clone())),
                    Reference::Digest(digest) => {
                        for tag in storage.tags(&repository)? {
                            if is_fixed(tag.as_str())
                                && storage.tagged(&repository, &tag)?.as_ref() == Some(digest)
                            {
                                return Ok(Some(tag));
                            }
                        }
                        Ok(None)
                    }
                }
            })
            .await?;
        match fixed {
            Some(tag) => Err(denied(format!("the tag `{tag}` of `{name}` is immutable"))
                .with_detail(json!({ "reason": "immutable", "tag": tag.as_str() }))),
            None => Ok(()),
        }
    }

    /// Somebody whose password or token does not count.
    pub(super) fn stopped(&self, stopped: Stopped, parts: &Parts, wanted: &[Scope]) -> Refusal {
        self.guard.metrics.stopped();
        match stopped {
            Stopped::WrongPassword => {
                self.unauthorized(parts, wanted, None, "the user or the password is wrong")
            }
            Stopped::BadToken => {
                let message = "the token is not of this registry, or has ended";
                self.unauthorized(parts, wanted, Some("invalid_token"), message)
            }
            Stopped::Unreadable => {
                self.unauthorized(parts, wanted, None, "the header `Authorization` cannot be read")
            }
            Stopped::Busy => too_many("too many passwords wait to be checked"),
        }
    }

    /// Somebody who may not do it: they are asked for a password if they gave none.
    fn not_allowed(&self, caller: &Caller, parts: &Parts, wanted: &[Scope], what: &str) -> Refusal {
        self.guard.metrics.stopped();
        match (&caller.user, &self.guard.gate.accounts) {
            (Some(user), _) => denied(format!("the user `{user}` may not {what}")),
            (None, None) => denied(format!("nobody may {what}")),
            (None, Some(_)) if caller.scopes.is_some() => {
                let message = format!("nobody may {what} without a password");
                self.unauthorized(parts, wanted, Some("insufficient_scope"), &message)
            }
            (None, Some(_)) => {
                self.unauthorized(parts, wanted, None, &format!("nobody may {what} without a password"))
            }
        }
    }

    /// Somebody whose token is for something else.
    fn insufficient(&self, parts: &Parts, wanted: &[Scope]) -> Refusal {
        self.guard.metrics.stopped();
        self.unauthorized(parts, wanted, Some("insufficient_scope"), "the token is not for this")
    }

    /// Asks for a password, or for a token.
    pub(super) fn unauthorized(
        &self,
        parts: &Parts,
        wanted: &[Scope],
        error: Option<&str>,
        message: &str,
    ) -> Refusal {
        let scopes: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        let detail = json!(wanted);
        let challenge = match self.options.access.challenge {
            Challenge::Basic => "Basic realm=\"tug registry\", charset=\"UTF-8\"".to_owned(),
            Challenge::Token => {
                let mut challenge =
                    format!("Bearer realm=\"{}/token\",service=\"{SERVICE}\"", self.public_url(parts));
                if !scopes.is_empty() {
                    challenge.push_str(&format!(",scope=\"{}\"", scopes.join(" ")));
                }
                if let Some(error) = error {
                    challenge.push_str(&format!(",error=\"{error}\""));
                }
                challenge
            }
        };
        let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message)
            .with_header(header::WWW_AUTHENTICATE, challenge);
        if scopes.is_empty() { refusal } else { refusal.with_detail(detail) }
    }

    /// Where the client reaches us. Only it hears of it, so it may believe what it says itself.
    fn public_url(&self, parts: &Parts) -> String {
        if let Some(url) = &self.options.access.public_url {
            return url.trim_end_matches('/').to_owned();
        }
        let is_encrypted =
            parts.extensions.get::<Arc<Exchange>>().is_some_and(|exchange| exchange.is_encrypted);
        let scheme = match text(&parts.headers, "x-forwarded-proto") {
            Some(said @ ("http" | "https")) => said,
            _ if is_encrypted => "https",
            _ => "http",
        };
        let host =
            text(&parts.headers, "host").or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
        let is_host = |host: &&str| {
            let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
            !host.is_empty() && host.len() <= 255 && host.bytes().all(is_part)
        };
        format!("{scheme}://{}", host.filter(is_host).unwrap_or("localhost"))
    }
}

/// Refused, whoever asks.
pub(super) fn denied(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, "DENIED", message)
}

/// Refused for now.
pub(super) fn too_many(message: &str) -> Refusal {
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", message)
        .with_header(header::RETRY_AFTER, "1")
}

/// What a token must be for. The repository of the request comes first; the one that a blob is mounted from, second.
fn wanted(route: &Route, method: &Method, query: &Query) -> Vec<Scope> {
    match route.access(method) {
        Access::Base => Vec::new(),
        Access::Catalog => vec![Scope::catalog()],
        Access::Pull(name) => vec![Scope::repository(name.as_str(), &["pull"])],
        Access::Delete(name) => vec![Scope::repository(name.as_str(), &["delete"])],
        Access::Push(name) => {
            let mut scopes = vec![Scope::repository(name.as_str(), &["pull", "push"])];
            let from = query.first("from").and_then(|from| from.parse::<RepositoryName>().ok());
            if let (Some(from), Route::Uploads(_)) = (from, route) {
                scopes.push(Scope::repository(from.as_str(), &["pull"]));
            }
            scopes
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
