//! Who asks, and what they may do.
//!
//! | module     | what it decides                                                      |
//! | ---------- | -------------------------------------------------------------------- |
//! | `accounts` | whether a password is the user's                                     |
//! | `rules`    | who may do what with which repositories                              |
//! | `pattern`  | which tags a pattern means                                           |
//! | `scope`    | what a token is for                                                  |
//! | `tokens`   | whether a token is ours                                              |
//!
//! Nothing here knows of HTTP but for the value of `Authorization`. A token never allows more than the rules do at the
//! moment of the request: taking something from a user counts at once.

mod accounts;
mod pattern;
mod rules;
mod scope;
mod tokens;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub(crate) use accounts::{Accounts, Verdict};
pub(crate) use rules::Policy;
pub use rules::{Action, Rule, RuleError, Who};
pub(crate) use scope::Scope;
pub(crate) use tokens::{SERVICE, Tokens};

use crate::observer::Observer;
use crate::watched::Watched;

/// Who may come in, and what may be changed.
#[derive(Clone, Debug)]
pub struct AccessOptions {
    /// The users, as `htpasswd -B` writes them. Without, nobody can log in. Read again when the file changes.
    pub users: Option<PathBuf>,
    /// What is allowed. Without any rule here and in `rules_file`, users may everything, and everybody where there are
    /// none.
    pub rules: Vec<Rule>,
    /// More rules, and the two switches below, in TOML. Read again when the file changes.
    pub rules_file: Option<PathBuf>,
    /// Nothing may be changed.
    pub read_only: bool,
    /// Tags that cannot be changed or deleted once they are there: `TAG` or `REPOSITORY:TAG`, with `*` and `?`.
    pub immutable_tags: Vec<String>,
    /// How clients are asked for passwords.
    pub challenge: Challenge,
    /// The address that clients reach the server at, `https://registry.example.com`; without, what they say themselves.
    pub public_url: Option<String>,
    /// How long a token counts.
    pub token_life: Duration,
    /// How long a token counts that a client keeps in place of a password.
    pub refresh_token_life: Duration,
    /// Whether everybody may see `/metrics`. If not, users may, and everybody where there are none.
    pub open_metrics: bool,
}

/// How clients are asked for passwords. Whatever they are asked for, both are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Challenge {
    /// For a token, that they get at `/token` for a password.
    #[default]
    Token,
    /// For a password with each request.
    Basic,
}

impl Default for AccessOptions {
    fn default() -> Self {
        Self {
            users: None,
            rules: Vec::new(),
            rules_file: None,
            read_only: false,
            immutable_tags: Vec::new(),
            challenge: Challenge::default(),
            public_url: None,
            token_life: Duration::from_secs(300),
            refresh_token_life: Duration::from_secs(90 * 24 * 3600),
            open_metrics: false,
        }
    }
}

/// What decides who comes in.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) accounts: Option<Accounts>,
    pub(crate) tokens: Tokens,
    policy: Watched<Policy>,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// `None` for somebody without a password.
    pub(crate) user: Option<String>,
    /// What their token is for; `None` where they came without one.
    pub(crate) scopes: Option<Vec<Scope>>,
    pub(crate) policy: Arc<Policy>,
}

/// Why nobody is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The password or the user is wrong.
    WrongPassword,
    /// The token is not ours, or counts no more.
    BadToken,
    /// It cannot be read.
    Unreadable,
    /// Too many passwords wait to be checked.
    Busy,
}

impl Gate {
    /// Reads users and rules. `key` is where the key for tokens lies, or will. The error is a sentence.
    pub(crate) fn open(
        options: &AccessOptions,
        key: &Path,
        observer: &Arc<dyn Observer>,
    ) -> Result<Self, String> {
        let accounts =
            options.users.as_deref().map(|path| Accounts::open(path, Arc::clone(observer))).transpose()?;
        options.immutable_tags.iter().try_for_each(|text| pattern::check(text))?;
        options.public_url.as_deref().map_or(Ok(()), check_url)?;
        let fixed = Policy {
            rules: options.rules.clone(),
            has_accounts: accounts.is_some(),
            read_only: options.read_only,
            immutable_tags: options.immutable_tags.clone(),
        };
        let file = options.rules_file.clone();
        let paths: Vec<PathBuf> = file.iter().cloned().collect();
        let read = move || {
            let mut policy = fixed.clone();
            file.as_deref().map_or(Ok(()), |file| policy.add_file(file))?;
            match policy.misses_accounts() {
                true => Err("the rules are for users, but no file of users is given: without one, only `@anyone` can be named".to_owned()),
                false => Ok(policy),
            }
        };
        Ok(Self {
            accounts,
            tokens: Tokens::open(key, options.token_life, options.refresh_token_life)?,
            policy: Watched::new(paths, Arc::clone(observer), read)?,
        })
    }

    /// Whether users and rules can be used as they are now.
    pub(crate) fn reload(&self) -> bool {
        let are_users_good = self.accounts.as_ref().is_none_or(Accounts::reload);
        self.policy.is_good() && are_users_good
    }

    /// Somebody without a password.
    pub(crate) fn stranger(&self) -> Caller {
        Caller { user: None, scopes: None, policy: self.policy.current() }
    }

    /// Finds out who asks, from the value of `Authorization`. Where there are no users, nobody is asked for anything, and
    /// whatever comes is taken.
    pub(crate) async fn identify(&self, authorization: Option<&[u8]>) -> Result<Caller, Stopped> {
        let mut caller = self.stranger();
        let (Some(accounts), Some(value)) = (&self.accounts, authorization) else { return Ok(caller) };
        let value = std::str::from_utf8(value).map_err(|_| Stopped::Unreadable)?;
        let (scheme, rest) = value.split_once(' ').ok_or(Stopped::Unreadable)?;
        if scheme.eq_ignore_ascii_case("bearer") {
            let known = self.tokens.recognise(rest.trim(), SystemTime::now()).ok_or(Stopped::BadToken)?;
            if known.user.as_deref().is_some_and(|user| !accounts.has(user)) {
                return Err(Stopped::BadToken);
            }
            caller.user = known.user;
            caller.scopes = Some(known.scopes);
            return Ok(caller);
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(Stopped::Unreadable);
        }
        let (user, password) = basic(rest).ok_or(Stopped::Unreadable)?;
        // What skopeo and podman send when they are asked for a password and have none.
        if user.is_empty() && password.is_empty() {
            return Ok(caller);
        }
        match accounts.verify(&user, &password).await {
            Verdict::Right => caller.user = Some(user),
            Verdict::Wrong => return Err(Stopped::WrongPassword),
            Verdict::Busy => return Err(Stopped::Busy),
        }
        Ok(caller)
    }

    /// What somebody gets of what they ask for.
    pub(crate) fn grant(&self, caller: &Caller, wanted: &[Scope]) -> Vec<Scope> {
        let mut granted: Vec<Scope> = Vec::new();
        for scope in wanted {
            let actions: Vec<String> = match scope.kind.as_str() {
                "repository" => Action::ALL
                    .into_iter()
                    .filter(|action| scope.allows(*action, &scope.name))
                    .filter(|action| caller.policy.may(caller.user.as_deref(), *action, &scope.name))
                    .map(|action| action.name().to_owned())
                    .collect(),
                _ if scope.allows_catalog() && caller.may_list() => vec!["*".to_owned()],
                _ => Vec::new(),
            };
            if !actions.is_empty() {
                granted.push(Scope { actions, ..scope.clone() });
            }
        }
        granted
    }
}

impl Caller {
    /// Whether they may do something with a repository: by the rules, and by the token if they came with one.
    pub(crate) fn may(&self, action: Action, repository: &str) -> bool {
        self.policy.may(self.user.as_deref(), action, repository) && self.token_allows(action, repository)
    }

    /// Whether their token, if they came with one, is for this.
    pub(crate) fn token_allows(&self, action: Action, repository: &str) -> bool {
        self.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(|scope| scope.allows(action, repository)))
    }

    /// Whether they may see a repository in a list of all.
    pub(crate) fn may_see(&self, repository: &str) -> bool {
        self.policy.may(self.user.as_deref(), Action::Read, repository)
    }

    /// Whether the rules let them list repositories; which ones is another question.
    pub(crate) fn may_list(&self) -> bool {
        self.user.is_some() || self.policy.is_open_to_strangers()
    }
}

/// Refuses what clients could not be sent to.
fn check_url(url: &str) -> Result<(), String> {
    let refused =
        || format!("`{url}` is no address for clients: expected one as in `https://registry.example.com`");
    let parsed: http::Uri = url.parse().map_err(|_| refused())?;
    let is_known = matches!(parsed.scheme_str(), Some("http" | "https"));
    match is_known && parsed.host().is_some_and(|host| !host.is_empty()) && parsed.query().is_none() {
        true => Ok(()),
        false => Err(refused()),
    }
}

/// User and password of `Basic`.
pub(crate) fn basic(text: &str) -> Option<(String, String)> {
    let decoded = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}
