//! `/token`: a password or a token that stands for one comes in, a token for some repositories goes out.
//!
//! Source: distribution `docs/spec/auth/token` (GET) and `docs/spec/auth/oauth` (POST).

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde_json::json;

use super::admission::too_many;
use super::refusal::Refusal;
use super::request_body::RequestBody;
use super::{Answer, Registry, json as json_answer};
use crate::access::{Caller, SERVICE, Scope, Verdict};
use crate::exchange::Exchange;

/// The most scopes in one request.
const MOST_SCOPES: usize = 64;

/// A request for a token.
struct Wanted {
    caller: Caller,
    scopes: Vec<Scope>,
    /// Whether a token that stands for the password is wished.
    keeps: bool,
    /// A token that stood for the password: it still counts.
    refresh: Option<String>,
}

impl Registry {
    /// `GET` and `POST` of `/token`.
    pub(super) async fn give_token(&self, parts: &Parts, body: &mut RequestBody) -> Answer {
        let wanted = match parts.method {
            Method::GET => self.wanted_by_query(parts).await?,
            Method::POST => self.wanted_by_form(parts, body).await?,
            _ => {
                let message = format!("{} is not possible here", parts.method);
                return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message)
                    .with_header(header::ALLOW, "GET, POST"));
            }
        };
        let gate = &self.guard.gate;
        let now = SystemTime::now();
        let user = wanted.caller.user.as_deref();
        if let (Some(user), Some(exchange)) = (user, parts.extensions.get::<Arc<Exchange>>()) {
            exchange.is_of(user);
        }
        let granted = gate.grant(&wanted.caller, &wanted.scopes);
        let scope: Vec<String> = granted.iter().map(ToString::to_string).collect();
        let made = gate.tokens.make(user, granted, now);
        let issued =
            i64::try_from(made.issued).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
        let mut answer = json!({
            "token": made.text,
            "access_token": made.text,
            "token_type": "Bearer",
            "expires_in": made.life,
            "scope": scope.join(" "),
        });
        if let Some(issued) = issued {
            answer["issued_at"] = json!(issued.to_string());
        }
        let hash = user.and_then(|user| gate.accounts.as_ref()?.hash_of(user));
        match (wanted.refresh, user, hash) {
            (Some(refresh), ..) => answer["refresh_token"] = json!(refresh),
            (None, Some(user), Some(hash)) if wanted.keeps => {
                answer["refresh_token"] = json!(gate.tokens.make_refresh(user, &hash, now).text);
            }
            _ => {}
        }
        let mut response = json_answer(StatusCode::OK, answer.to_string());
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }

    async fn wanted_by_query(&self, parts: &Parts) -> Result<Wanted, Refusal> {
        let form = Form::parse(parts.uri.query().unwrap_or_default())?;
        form.check_service()?;
        let authorization = parts.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        // Only a password makes a token: one for a repository must not become one for others.
        let is_token = authorization
            .is_some_and(|value| value.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"bearer ")));
        if is_token {
            return Err(Refusal::bad("UNSUPPORTED", "a token is given for a password, not for a token"));
        }
        let caller = self.guard.gate.identify(authorization).await;
        let caller = caller.map_err(|stopped| self.stopped(stopped, parts, &[]))?;
        let keeps = form.first("offline_token").is_some_and(|value| value == "true" || value == "1");
        Ok(Wanted { caller, scopes: form.scopes()?, keeps, refresh: None })
    }

    async fn wanted_by_form(&self, parts: &Parts, body: &mut RequestBody) -> Result<Wanted, Refusal> {
        let bytes = body.whole(self.options.limits.max_token_request, "request").await?;
        let text = std::str::from_utf8(&bytes).map_err(|_| bad("the form is no UTF-8"))?;
        let form = Form::parse(text)?;
        form.check_service()?;
        let scopes = form.scopes()?;
        let keeps = form.first("access_type") == Some("offline");
        let gate = &self.guard.gate;
        let mut caller = gate.stranger();
        let accounts = gate.accounts.as_ref();
        match form.first("grant_type") {
            Some("password") => {
                let (Some(user), Some(password)) = (form.first("username"), form.first("password")) else {
                    return Err(bad("`username` and `password` are missing"));
                };
                match accounts {
                    None => {}
                    Some(accounts) => match accounts.verify(user, password).await {
                        Verdict::Right => caller.user = Some(user.to_owned()),
                        Verdict::Wrong => return Err(self.wrong("the user or the password is wrong")),
                        Verdict::Busy => return Err(too_many("too many passwords wait to be checked")),
                    },
                }
                Ok(Wanted { caller, scopes, keeps, refresh: None })
            }
            Some("refresh_token") => {
                let Some(token) = form.first("refresh_token") else {
                    return Err(bad("`refresh_token` is missing"));
                };
                let hash_of = |user: &str| accounts.and_then(|accounts| accounts.hash_of(user));
                match gate.tokens.recognise_refresh(token, SystemTime::now(), hash_of) {
                    Some(user) => caller.user = Some(user),
                    None => {
                        let message =
                            "the refresh token has ended, or the password has changed: log in again";
                        return Err(self.wrong(message));
                    }
                }
                Ok(Wanted { caller, scopes, keeps, refresh: Some(token.to_owned()) })
            }
            _ => {
                let _ = parts;
                Err(bad("`grant_type` must be `password` or `refresh_token`"))
            }
        }
    }

    fn wrong(&self, message: &str) -> Refusal {
        self.guard.metrics.stopped();
        Refusal::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message)
    }
}

/// The fields of a form, or of a query of one.
struct Form(Vec<(String, String)>);

impl Form {
    /// Source: URL standard, `application/x-www-form-urlencoded`.
    fn parse(text: &str) -> Result<Self, Refusal> {
        let decode = |text: &str| {
            let spaced = text.replace('+', " ");
            let decoded = percent_decode_str(&spaced).decode_utf8().map(Cow::into_owned);
            decoded.map_err(|_| bad("the form is no UTF-8"))
        };
        let mut fields = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            fields.push((decode(name)?, decode(value)?));
        }
        Ok(Self(fields))
    }

    fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// All scopes: the field comes several times, or has several. What is none that we know, is left out.
    fn scopes(&self) -> Result<Vec<Scope>, Refusal> {
        let values = self.0.iter().filter(|(name, _)| name == "scope");
        let scopes: Vec<Scope> =
            values.flat_map(|(_, value)| value.split_whitespace()).filter_map(Scope::parse).collect();
        match scopes.len() > MOST_SCOPES {
            true => Err(bad(&format!("at most {MOST_SCOPES} scopes can be asked for at once"))),
            false => Ok(scopes),
        }
    }

    fn check_service(&self) -> Result<(), Refusal> {
        match self.first("service") {
            None | Some("" | SERVICE) => Ok(()),
            Some(_) => Err(bad(&format!("tokens are for the service `{SERVICE}` only"))),
        }
    }
}

fn bad(message: &str) -> Refusal {
    Refusal::bad("UNSUPPORTED", message)
}
