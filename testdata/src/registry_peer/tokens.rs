//! Who may do what: tokens, the service that gives them, and `Basic`.

use std::collections::BTreeSet;

use serde_json::json;

use super::answer::Answer;
use super::behaviour::{Access, Account, Bearer};
use super::contents::{Contents, Grant};
use super::wire::{self, Request};

/// What the service is called.
const SERVICE: &str = "peer";

/// What came with a request that says who asks.
pub(super) enum Caller {
    /// May do everything.
    Anybody,
    /// May do this.
    Holds(BTreeSet<String>),
}

impl Caller {
    /// Whether it may do this: `repository:app:pull` and the like.
    pub(super) fn may(&self, scope: &str) -> bool {
        match self {
            Self::Anybody => true,
            Self::Holds(scopes) => scopes.contains(scope),
        }
    }
}

/// Lets a request in that needs these scopes, or says how it must be refused.
pub(super) fn admit(
    access: &Access,
    base: &str,
    contents: &mut Contents,
    request: &Request,
    needed: &[String],
) -> Result<Caller, Answer> {
    match access {
        Access::Open => Ok(Caller::Anybody),
        Access::Basic(accounts) => match is_known(request, accounts) {
            Some(true) => Ok(Caller::Anybody),
            _ => Err(unauthorized().header("WWW-Authenticate", "Basic realm=\"peer\"")),
        },
        Access::Bearer(bearer) => {
            if bearer.has_open_base && needed.is_empty() {
                return Ok(Caller::Anybody);
            }
            let given = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
            if given.is_some_and(|token| bearer.registry_tokens.iter().any(|known| known == token)) {
                return Ok(Caller::Anybody);
            }
            let scopes = given.and_then(|token| spend(contents, token)).filter(|_| !bearer.refuses_all);
            match scopes {
                Some(scopes) if needed.iter().all(|scope| scopes.contains(scope)) => {
                    Ok(Caller::Holds(scopes))
                }
                Some(_) => Err(challenge(bearer, base, needed, Some("insufficient_scope"))),
                None => Err(challenge(bearer, base, needed, given.map(|_| "invalid_token"))),
            }
        }
    }
}

/// The scopes of a token, which is used once more.
fn spend(contents: &mut Contents, token: &str) -> Option<BTreeSet<String>> {
    let grant = contents.tokens.get_mut(token)?;
    if let Some(uses) = &mut grant.uses {
        *uses = uses.checked_sub(1)?;
    }
    Some(grant.scopes.clone())
}

fn challenge(bearer: &Bearer, base: &str, needed: &[String], error: Option<&str>) -> Answer {
    let realm = bearer.realm.clone().unwrap_or_else(|| format!("{base}/token"));
    let only_pull = bearer.asks_too_little && error != Some("insufficient_scope");
    let scope = joined(needed.iter().filter(|scope| !only_pull || scope.ends_with(":pull")));
    let usual = "Bearer realm=\"{realm}\",service=\"{service}\",scope=\"{scope}\"".to_owned();
    let mut answer = unauthorized();
    for text in bearer.challenges.clone().unwrap_or_else(|| vec![usual]) {
        let mut text =
            text.replace("{realm}", &realm).replace("{service}", SERVICE).replace("{scope}", &scope);
        if let Some(error) = error {
            text += &format!(",error=\"{error}\"");
        }
        answer = answer.header("WWW-Authenticate", &text);
    }
    answer
}

/// `repository:a:pull`, `repository:a:push` → `repository:a:pull,push`.
fn joined<'a>(scopes: impl Iterator<Item = &'a String>) -> String {
    let mut all: Vec<(String, Vec<&str>)> = Vec::new();
    for scope in scopes {
        let (name, action) = scope.rsplit_once(':').expect("a scope has an action");
        match all.iter_mut().find(|(known, _)| known == name) {
            Some((_, actions)) => actions.push(action),
            None => all.push((name.to_owned(), vec![action])),
        }
    }
    all.iter().map(|(name, actions)| format!("{name}:{}", actions.join(","))).collect::<Vec<_>>().join(" ")
}

/// Answers at `/token`.
pub(super) fn give(access: &Access, contents: &mut Contents, request: &Request, body: &[u8]) -> Answer {
    let Access::Bearer(bearer) = access else { return Answer::status(404) };
    if !bearer.methods.contains(&request.method.as_str()) {
        return Answer::status(404);
    }
    let (fields, owns_all) = match request.method.as_str() {
        "POST" => {
            let fields = wire::form(&String::from_utf8_lossy(body));
            let field =
                |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
            let is_known = match field("grant_type").as_deref() {
                Some("refresh_token") => {
                    field("refresh_token").is_some_and(|token| bearer.identity_tokens.contains(&token))
                }
                Some("password") => field("username")
                    .zip(field("password"))
                    .is_some_and(|pair| bearer.accounts.contains(&pair)),
                _ => false,
            };
            (fields, is_known.then_some(true))
        }
        _ => match is_known(request, &bearer.accounts) {
            Some(true) => (request.parameters(), Some(true)),
            Some(false) => (request.parameters(), None),
            None => (request.parameters(), Some(false)),
        },
    };
    let Some(owns_all) = owns_all else {
        return Answer::error(401, "UNAUTHORIZED", "incorrect username or password");
    };
    let mut scopes = BTreeSet::new();
    for scope in fields.iter().filter(|(name, _)| name == "scope").flat_map(|(_, value)| value.split(' ')) {
        let Some((name, actions)) = scope.rsplit_once(':') else { continue };
        for action in actions.split(',') {
            if owns_all || bearer.allows_anonymous_pull && action == "pull" {
                scopes.insert(format!("{name}:{action}"));
            }
        }
    }
    let token = contents.new_name("token");
    contents.tokens.insert(token.clone(), Grant { scopes, uses: bearer.uses });
    let mut answer = json!({ bearer.field: token });
    if let Some(seconds) = bearer.expires_in {
        answer["expires_in"] = json!(seconds);
    }
    Answer::body(answer.to_string()).header("Content-Type", "application/json")
}

/// Whether the user and password of a request are right; `None` if there are none.
fn is_known(request: &Request, accounts: &[Account]) -> Option<bool> {
    let given = request.header("authorization")?.strip_prefix("Basic ")?;
    Some(accounts.iter().any(|(user, password)| base64(format!("{user}:{password}").as_bytes()) == given))
}

fn unauthorized() -> Answer {
    Answer::error(401, "UNAUTHORIZED", "authentication required")
}

/// These bytes in base64.
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits =
            group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}
