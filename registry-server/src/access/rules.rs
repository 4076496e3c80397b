//! Who may do what with which repositories.
//!
//! | rule                                                       | because                                             |
//! | ---------------------------------------------------------- | --------------------------------------------------- |
//! | without users and without rules, everybody may everything  | a registry for tests needs no set-up                |
//! | with users and without rules, users may everything         | what other registries do with the same file         |
//! | with any rule, only what rules allow                       | what was forgotten is closed                        |
//! | of the rules for a repository, those with the longest prefix count, together | a part can be closed inside an open whole |
//! | a prefix ends where a part of the name does                | `team` is not for `teamwork`                        |

use std::path::Path;

use serde::Deserialize;

use super::pattern;
use crate::watched::why;

/// What can be done with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// To pull, and to see in lists.
    Read,
    /// To push, and to change what tags point to.
    Write,
    /// To take away tags, manifests and blobs.
    Delete,
}

/// Whom a rule is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// Everybody, also without a password: `@anyone`.
    Anyone,
    /// Everybody with a password: `@users`.
    Users,
    /// One user.
    User(String),
}

/// Allows something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The repositories: this one and all below it; all, where it is empty.
    pub prefix: String,
    /// For whom.
    pub who: Vec<Who>,
    /// What.
    pub allow: Vec<Action>,
}

/// Why a rule cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Not `WHO:WHAT[:PREFIX]`.
    #[error("`{0}` is no rule: expected `WHO:WHAT[:PREFIX]`, as in `alice,bob:read,write:team`")]
    Shape(String),
    /// Nothing that can be allowed.
    #[error("`{0}` cannot be allowed: expected `read`, `write` or `delete`")]
    Action(String),
    /// Not the name of a user.
    #[error("`{0}` is nobody: expected the name of a user, `@users` or `@anyone`")]
    Who(String),
    /// Not the beginning of a name of repositories.
    #[error("`{0}` is not the beginning of a repository's name")]
    Prefix(String),
}

/// All that decides, of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) rules: Vec<Rule>,
    pub(crate) has_accounts: bool,
    /// Nothing may be changed.
    pub(crate) read_only: bool,
    /// Tags that cannot be changed once they are there: `TAG` or `REPOSITORY:TAG`, with `*` and `?`.
    pub(crate) immutable_tags: Vec<String>,
}

/// What a file of rules says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RulesFile {
    #[serde(default)]
    read_only: bool,
    #[serde(default)]
    immutable_tags: Vec<String>,
    #[serde(default)]
    rules: Vec<RuleOfFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleOfFile {
    #[serde(default)]
    prefix: String,
    users: Vec<String>,
    allow: Vec<Action>,
}

impl Policy {
    /// Whether somebody may do something. `user` is `None` for somebody without a password.
    pub(crate) fn may(&self, user: Option<&str>, action: Action, repository: &str) -> bool {
        if self.rules.is_empty() {
            return !self.has_accounts || user.is_some();
        }
        let fitting = || self.rules.iter().filter(|rule| rule.is_for(repository));
        let Some(longest) = fitting().map(|rule| rule.prefix.len()).max() else { return false };
        fitting()
            .filter(|rule| rule.prefix.len() == longest)
            .any(|rule| rule.allow.contains(&action) && rule.who.iter().any(|who| who.is(user)))
    }

    /// Whether there is anything at all that somebody without a password may see.
    pub(crate) fn is_open_to_strangers(&self) -> bool {
        match self.rules.is_empty() {
            true => !self.has_accounts,
            false => self.rules.iter().any(|rule| rule.who.contains(&Who::Anyone) && !rule.allow.is_empty()),
        }
    }

    /// Whether some rule is for users, though there are none.
    pub(crate) fn misses_accounts(&self) -> bool {
        let is_for_users = |rule: &Rule| rule.who.iter().any(|who| *who != Who::Anyone);
        !self.has_accounts && self.rules.iter().any(is_for_users)
    }

    /// Whether a tag that is there stays as it is.
    pub(crate) fn is_immutable(&self, repository: &str, tag: &str) -> bool {
        self.immutable_tags.iter().any(|pattern| match pattern.split_once(':') {
            Some((repositories, tags)) => {
                pattern::matches(repositories, repository) && pattern::matches(tags, tag)
            }
            None => pattern::matches(pattern, tag),
        })
    }

    /// Adds what the file at `path` says. The error is a sentence that names the file and the line.
    pub(crate) fn add_file(&mut self, path: &Path) -> Result<(), String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("could not read the rules in `{}`: {}", path.display(), why(&error)))?;
        let named = |why: String| format!("the rules in `{}`: {why}", path.display());
        let file: RulesFile = toml::from_str(&text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start.min(text.len())].lines().count().max(1));
            let line = line.map_or_else(String::new, |line| format!("line {line}: "));
            named(format!("{line}{}", error.message()))
        })?;
        self.read_only |= file.read_only;
        file.immutable_tags.iter().try_for_each(|text| pattern::check(text)).map_err(named)?;
        self.immutable_tags.extend(file.immutable_tags);
        for rule in file.rules {
            let who = rule.users.iter().map(|who| Who::parse(who)).collect::<Result<_, _>>();
            let rule =
                who.and_then(|who| Ok(Rule { prefix: parse_prefix(&rule.prefix)?, who, allow: rule.allow }));
            self.rules.push(rule.map_err(|error| named(error.to_string()))?);
        }
        Ok(())
    }
}

impl Rule {
    /// Reads `WHO:WHAT[:PREFIX]`; `WHO` and `WHAT` are lists with commas.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let mut parts = text.splitn(3, ':');
        let (Some(who), Some(what)) = (parts.next(), parts.next()) else {
            return Err(RuleError::Shape(text.to_owned()));
        };
        Ok(Self {
            who: who.split(',').map(|who| Who::parse(who.trim())).collect::<Result<_, _>>()?,
            allow: what.split(',').map(|what| Action::parse(what.trim())).collect::<Result<_, _>>()?,
            prefix: parse_prefix(parts.next().unwrap_or_default())?,
        })
    }

    fn is_for(&self, repository: &str) -> bool {
        match repository.strip_prefix(self.prefix.as_str()) {
            Some(rest) => self.prefix.is_empty() || rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }
}

impl Action {
    fn parse(text: &str) -> Result<Self, RuleError> {
        match text {
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            "delete" => Ok(Self::Delete),
            other => Err(RuleError::Action(other.to_owned())),
        }
    }
}

impl Who {
    fn parse(text: &str) -> Result<Self, RuleError> {
        match text {
            "@anyone" => Ok(Self::Anyone),
            "@users" => Ok(Self::Users),
            "" => Err(RuleError::Who(text.to_owned())),
            _ if text.starts_with('@') => Err(RuleError::Who(text.to_owned())),
            user => Ok(Self::User(user.to_owned())),
        }
    }

    fn is(&self, user: Option<&str>) -> bool {
        match self {
            Self::Anyone => true,
            Self::Users => user.is_some(),
            Self::User(name) => user == Some(name.as_str()),
        }
    }
}

/// A prefix is the name of a repository, or of what repositories lie in. A `/` or `/*` at its end says nothing more.
fn parse_prefix(text: &str) -> Result<String, RuleError> {
    let prefix = text.strip_suffix('*').unwrap_or(text);
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    let is_whole = prefix.len() == text.len() || text[prefix.len()..].starts_with('/') || prefix.is_empty();
    match prefix.is_empty() || (is_whole && prefix.parse::<crate::names::RepositoryName>().is_ok()) {
        true => Ok(prefix.to_owned()),
        false => Err(RuleError::Prefix(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(rules: &[&str]) -> Policy {
        let rules = rules.iter().map(|rule| Rule::parse(rule).unwrap()).collect();
        Policy { rules, has_accounts: true, ..Policy::default() }
    }

    #[test]
    fn without_rules_users_may_everything_and_strangers_only_where_there_are_no_users() {
        assert!(Policy::default().may(None, Action::Delete, "a"));
        assert!(!policy(&[]).may(None, Action::Read, "a"));
        assert!(policy(&[]).may(Some("alice"), Action::Delete, "a"));
    }

    #[test]
    fn the_longest_prefix_decides_and_what_was_forgotten_is_closed() {
        let policy = policy(&[
            "@anyone:read",
            "@users:read,write:team",
            "alice:read:team/secret",
            "bob:write:team/secret/",
            "root:read,write,delete",
        ]);
        for (user, repository, expected) in [
            (None, "a", "r--"),
            (None, "teamwork", "r--"),
            (None, "team", "---"),
            (Some("carol"), "team/app", "rw-"),
            (Some("carol"), "team/secret", "---"),
            (Some("carol"), "team/secret/deep", "---"),
            (Some("carol"), "team/secrets", "rw-"),
            (Some("alice"), "team/secret", "r--"),
            (Some("bob"), "team/secret/deep", "-w-"),
            (Some("root"), "a", "rwd"),
            (Some("root"), "team/secret", "---"),
        ] {
            let found: String = [(Action::Read, 'r'), (Action::Write, 'w'), (Action::Delete, 'd')]
                .into_iter()
                .map(|(action, letter)| if policy.may(user, action, repository) { letter } else { '-' })
                .collect();
            assert_eq!(found, expected, "{user:?} {repository}");
        }
        assert!(policy.is_open_to_strangers());
    }

    #[test]
    fn with_rules_for_one_place_the_rest_is_closed() {
        let policy = policy(&["alice:read:team"]);
        assert!(!policy.may(Some("alice"), Action::Read, "other"));
        assert!(!policy.is_open_to_strangers());
    }

    #[test]
    fn what_is_no_rule_is_named() {
        for (text, expected) in [
            ("alice", "`alice` is no rule: expected `WHO:WHAT[:PREFIX]`, as in `alice,bob:read,write:team`"),
            ("alice:all", "`all` cannot be allowed: expected `read`, `write` or `delete`"),
            (":read", "`` is nobody: expected the name of a user, `@users` or `@anyone`"),
            ("@all:read", "`@all` is nobody: expected the name of a user, `@users` or `@anyone`"),
            ("a:read:Team", "`Team` is not the beginning of a repository's name"),
            ("a:read:te*", "`te*` is not the beginning of a repository's name"),
            ("a:read:../x", "`../x` is not the beginning of a repository's name"),
        ] {
            assert_eq!(Rule::parse(text).unwrap_err().to_string(), expected);
        }
        for prefix in ["team", "team/", "team/*"] {
            assert_eq!(Rule::parse(&format!("a:read:{prefix}")).unwrap().prefix, "team");
        }
        assert_eq!(Rule::parse("a:read:*").unwrap().prefix, "");
    }

    #[test]
    fn a_file_has_rules_switches_and_mistakes_with_their_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let mut policy = Policy { has_accounts: true, ..Policy::default() };
            policy.add_file(&path).map(|()| policy)
        };
        let good = read(
            "read-only = true\nimmutable-tags = [\"v*\", \"base/*:*\"]\n\
             [[rules]]\nprefix = \"team/\"\nusers = [\"alice\", \"@anyone\"]\nallow = [\"read\"]\n",
        )
        .unwrap();
        assert!(good.read_only);
        assert_eq!(good.rules, [Rule::parse("alice,@anyone:read:team").unwrap()]);
        assert!(good.is_immutable("app", "v1") && good.is_immutable("base/debian", "latest"));
        assert!(!good.is_immutable("app", "latest"));
        let name = path.display();
        let bad = read("read-only = true\n[[rules]]\nusers = [\"a\"]\nallow = [\"all\"]\n").unwrap_err();
        assert!(bad.starts_with(&format!("the rules in `{name}`: line 4: ")), "{bad}");
        let bad = read("readonly = true\n").unwrap_err();
        assert!(bad.contains("line 1: unknown field `readonly`"), "{bad}");
        let bad = read("[[rules]]\nusers = [\"@x\"]\nallow = []\n").unwrap_err();
        assert!(bad.ends_with("`@x` is nobody: expected the name of a user, `@users` or `@anyone`"), "{bad}");
    }
}
