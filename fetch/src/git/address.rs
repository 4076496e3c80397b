//! Addresses of repositories, in every form that docker knows.
//!
//! | written                                     | means                                                          |
//! | ------------------------------------------- | -------------------------------------------------------------- |
//! | `https://host/path.git`, also `http`        | a repository; without `.git` it is a file                      |
//! | `ssh://[user@]host[:port]/path`, `git://…`  | a repository                                                   |
//! | `user@host:path`                            | the same over ssh                                              |
//! | `github.com/owner/name`                     | short for `https://…`, only as a context                       |
//! | `…#ref:subdir`, `…#:subdir`                 | a branch, tag or commit, and a folder in it                    |
//! | `…?ref=…&subdir=…`                          | the same and more: [`Wanted`]; not together with `#`           |

use std::fmt;
use std::str::FromStr;

use url::Url;

/// The address of a repository and what of it is wanted. What it shows of itself has no password in it.
#[derive(Clone, PartialEq, Eq)]
pub struct GitUrl {
    /// What git is told.
    remote: String,
    /// The same for people.
    shown: String,
    /// The password in it, if there is one.
    secret: Option<String>,
    /// The host, with its port if that is not the usual one, that may see credentials which name no host.
    entrusted: Option<String>,
    wanted: Wanted,
}

/// What of a repository is wanted, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// A branch, a tag, or the whole name of a commit; the default branch when absent.
    pub reference: Option<String>,
    /// The folder that counts as the root; without slashes around it.
    pub subdirectory: Option<String>,
    /// The first digits of the commit that it must be, or all.
    pub checksum: Option<String>,
    /// Whether `.git` is wanted, if the address says.
    pub keep_git_dir: Option<bool>,
    /// Whether submodules come along.
    pub submodules: bool,
    /// Whether files have the time of the checkout instead of that of the commit, if the address says.
    pub checkout_times: Option<bool>,
    /// Whether the commit of [`Wanted::checksum`] is asked for, and not the reference.
    pub by_commit: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            reference: None,
            subdirectory: None,
            checksum: None,
            keep_git_dir: None,
            submodules: true,
            checkout_times: None,
            by_commit: false,
        }
    }
}

/// What is wrong with the address of a repository.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{shown}` cannot be a repository: {reason}")]
pub struct GitUrlError {
    shown: String,
    reason: String,
}

impl GitUrl {
    /// Reads `text` if it has the form of a repository's address; `None` when it is something else.
    ///
    /// `short` allows `github.com/…`, which looks like a path.
    pub fn parse(text: &str, short: bool) -> Option<Result<Self, GitUrlError>> {
        let (address, fragment) = match text.split_once('#') {
            Some((address, fragment)) => (address, Some(fragment)),
            None => (text, None),
        };
        if let Some(split) = scp_like(address) {
            return Some(split.and_then(|remote| Self::of(remote, text, None, fragment)));
        }
        if short && address.starts_with("github.com/") {
            return Some(Self::of_url(&format!("https://{address}"), text, fragment));
        }
        let scheme = address.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase())?;
        match scheme.as_str() {
            "ssh" | "git" => {}
            "http" | "https" => {
                let path = address.split_once('?').map_or(address, |(path, _)| path);
                if !path.ends_with(".git") {
                    return None;
                }
            }
            _ => return None,
        }
        Some(Self::of_url(address, text, fragment))
    }

    /// What of the repository is wanted.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// The same repository with other wishes.
    #[must_use]
    pub fn wanting(&self, wanted: Wanted) -> Self {
        Self { wanted, ..self.clone() }
    }

    /// The same, which must be a commit whose name is or begins with `checksum`.
    pub fn expecting(&self, checksum: &str) -> Result<Self, GitUrlError> {
        let wrong = |reason: String| GitUrlError { shown: self.shown.clone(), reason };
        let checksum = checksum_of(checksum).map_err(wrong)?;
        if self.wanted.checksum.as_ref().is_some_and(|known| *known != checksum) {
            return Err(wrong("its own `checksum` is another one".to_owned()));
        }
        Ok(self.wanting(Wanted { checksum: Some(checksum), ..self.wanted.clone() }))
    }

    /// What names the repository in keys and records: its address without a password, and nothing of what is wanted.
    pub fn repository(&self) -> &str {
        &self.shown
    }

    /// What git is told, with the password in it.
    pub(super) fn remote(&self) -> &str {
        &self.remote
    }

    /// What must not be seen in a message.
    pub(super) fn secret(&self) -> Option<&str> {
        self.secret.as_deref()
    }

    /// The host that may see credentials which name no host: never another one than that of the first repository.
    pub(super) fn entrusted(&self) -> Option<&str> {
        self.entrusted.as_deref()
    }

    /// A submodule's address, seen from this repository.
    pub(super) fn submodule(&self, text: &str) -> Result<Self, GitUrlError> {
        Ok(Self { entrusted: self.entrusted.clone(), ..self.inner(text)? })
    }

    fn inner(&self, text: &str) -> Result<Self, GitUrlError> {
        let wrong = |reason: &str| GitUrlError { shown: crate::http::hide(text), reason: reason.to_owned() };
        let is_relative = text.starts_with("./") || text.starts_with("../");
        let absolute = if is_relative {
            self.relative(text).ok_or_else(|| wrong("it leads nowhere"))?
        } else {
            text.to_owned()
        };
        if let Some(split) = scp_like(&absolute) {
            return Self::of(split?, &absolute, None, None);
        }
        match absolute.split_once("://").map(|(scheme, _)| scheme) {
            Some("http" | "https" | "ssh" | "git") => {
                let url = Url::parse(&absolute).map_err(|error| wrong(&error.to_string()))?;
                check_host(&url, &absolute)?;
                Self::of(absolute.clone(), &absolute, Some(&url), None)
            }
            Some(scheme) => Err(wrong(&format!("`{scheme}` is not allowed for submodules"))),
            None => Err(wrong("it is a path of this machine")),
        }
    }

    /// `../name` as git resolves it: each `../` takes a part away, of scp-like addresses up to the colon.
    fn relative(&self, text: &str) -> Option<String> {
        let (mut base, mut rest) = (self.remote.trim_end_matches('/').to_owned(), text);
        let first = base.split_once("://").map_or(0, |(scheme, _)| scheme.len() + 3);
        loop {
            if let Some(after) = rest.strip_prefix("./") {
                rest = after;
            } else if let Some(after) = rest.strip_prefix("../") {
                let end = base[first..].rfind(['/', ':'])? + first;
                let keeps_colon = base.as_bytes()[end] == b':';
                base.truncate(if keeps_colon { end + 1 } else { end });
                rest = after;
            } else {
                let between = if base.ends_with(':') { "" } else { "/" };
                return Some(format!("{base}{between}{rest}"));
            }
        }
    }

    fn of_url(address: &str, text: &str, fragment: Option<&str>) -> Result<Self, GitUrlError> {
        let wrong = |reason: String| GitUrlError { shown: crate::http::hide(text), reason };
        let mut url = Url::parse(address).map_err(|error| wrong(error.to_string()))?;
        check_host(&url, text)?;
        let query: Vec<(String, String)> =
            url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        url.set_query(None);
        let mut made = Self::of(url.as_str().to_owned(), text, Some(&url), fragment)?;
        if query.is_empty() {
            return Ok(made);
        }
        if fragment.is_some() {
            return Err(wrong("both `?` and `#` say what of it is wanted: use one of them".to_owned()));
        }
        made.wanted = Wanted::from_query(&query).map_err(wrong)?;
        Ok(made)
    }

    fn of(
        remote: String,
        text: &str,
        url: Option<&Url>,
        fragment: Option<&str>,
    ) -> Result<Self, GitUrlError> {
        let wrong = |reason: String| GitUrlError { shown: crate::http::hide(text), reason };
        if remote.contains(|letter: char| letter.is_control()) {
            return Err(wrong("it has control characters in it".to_owned()));
        }
        let shown = url.map_or_else(|| remote.clone(), crate::http::shown);
        let secret = url.and_then(|url| match (url.password(), url.scheme()) {
            (Some(password), _) => Some(password.to_owned()),
            // A token alone stands where a user would.
            (None, "http" | "https") => Some(url.username().to_owned()).filter(|user| !user.is_empty()),
            _ => None,
        });
        let mut wanted = Wanted::default();
        if let Some(fragment) = fragment {
            let (reference, folder) = fragment.split_once(':').unwrap_or((fragment, ""));
            wanted.reference = reference_of(reference).map_err(wrong)?;
            wanted.subdirectory = folder_of(folder).map_err(wrong)?;
        }
        let entrusted = url.filter(|url| matches!(url.scheme(), "http" | "https")).and_then(|url| {
            let host = url.host_str()?;
            Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
        });
        Ok(Self { remote, shown, secret, entrusted, wanted })
    }
}

impl Wanted {
    fn from_query(query: &[(String, String)]) -> Result<Self, String> {
        let mut wanted = Self::default();
        let mut named: Option<&str> = None;
        for (name, value) in query {
            match name.as_str() {
                "ref" | "branch" | "tag" => {
                    if let Some(other) = named.replace(name) {
                        return Err(format!(
                            "both `{other}` and `{name}` name what is wanted: use one of them"
                        ));
                    }
                    let prefix = match name.as_str() {
                        "branch" => "refs/heads/",
                        "tag" => "refs/tags/",
                        _ => "",
                    };
                    let reference = reference_of(value)?;
                    wanted.reference = reference.map(|reference| match reference.starts_with(prefix) {
                        true => reference,
                        false => format!("{prefix}{reference}"),
                    });
                }
                "subdir" => wanted.subdirectory = folder_of(value)?,
                "checksum" | "commit" => {
                    let checksum = checksum_of(value)?;
                    if wanted.checksum.as_ref().is_some_and(|other| *other != checksum) {
                        return Err("`checksum` and `commit` are not the same".to_owned());
                    }
                    wanted.checksum = Some(checksum);
                }
                "keep-git-dir" => wanted.keep_git_dir = Some(boolean(name, value)?),
                "submodules" => wanted.submodules = boolean(name, value)?,
                "fetch-by-commit" => wanted.by_commit = boolean(name, value)?,
                "mtime" => {
                    wanted.checkout_times = Some(match value.as_str() {
                        "checkout" => true,
                        "commit" => false,
                        _ => return Err(format!("`mtime={value}`: expected `checkout` or `commit`")),
                    });
                }
                _ => {
                    return Err(format!(
                        "`{name}` is not known in its query; there are ref, branch, tag, subdir, checksum, commit, \
                         keep-git-dir, submodules, mtime and fetch-by-commit"
                    ));
                }
            }
        }
        if wanted.by_commit && wanted.checksum.is_none() {
            return Err("`fetch-by-commit` needs the whole name of a commit as `checksum`".to_owned());
        }
        Ok(wanted)
    }
}

impl FromStr for GitUrl {
    type Err = GitUrlError;

    fn from_str(text: &str) -> Result<Self, GitUrlError> {
        let none = || GitUrlError {
            shown: crate::http::hide(text),
            reason: "expected an address such as `https://host/path.git`".to_owned(),
        };
        Self::parse(text, true).unwrap_or_else(|| Err(none()))
    }
}

impl fmt::Display for GitUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.shown)
    }
}

impl fmt::Debug for GitUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("GitUrl").field("shown", &self.shown).field("wanted", &self.wanted).finish()
    }
}

/// `user@host:path`; `None` when it is something else.
fn scp_like(address: &str) -> Option<Result<String, GitUrlError>> {
    let (user, rest) = address.split_once('@')?;
    let (host, path) = rest.split_once(':')?;
    let is_word = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || more.contains(letter))
    };
    if !is_word(user, "-_.") || !is_word(host, "-.") || path.starts_with("//") || path.is_empty() {
        return None;
    }
    // The programs that are started with it would take it for an option.
    if [user, host, path].iter().any(|part| part.starts_with('-')) {
        let reason = "a part of it begins with `-`".to_owned();
        return Some(Err(GitUrlError { shown: address.to_owned(), reason }));
    }
    Some(Ok(address.to_owned()))
}

fn check_host(url: &Url, text: &str) -> Result<(), GitUrlError> {
    let wrong = |reason: &str| Err(GitUrlError { shown: crate::http::hide(text), reason: reason.to_owned() });
    let host = url.host_str().unwrap_or_default();
    if host.is_empty() {
        return wrong("it names no host");
    }
    let decoded = percent_encoding::percent_decode_str(host).decode_utf8_lossy();
    if decoded.starts_with('-') || url.username().starts_with('-') || url.path().starts_with("/-") {
        return wrong("a part of it begins with `-`");
    }
    if url.path().trim_matches('/').is_empty() {
        return wrong("it names a host but no repository");
    }
    Ok(())
}

/// A reference that neither git nor a pattern of references would take for something else.
pub(super) fn reference_of(text: &str) -> Result<Option<String>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong =
        |reason: &str| Err(format!("`{}` is not a branch, tag or commit: {reason}", text.escape_debug()));
    if text.starts_with('-') {
        return wrong("it begins with `-`");
    }
    if text.starts_with('+')
        || text.contains(|letter: char| letter.is_control() || " ~^:?*[\\".contains(letter))
    {
        return wrong("it has characters that no name has");
    }
    if text.contains("..") || text.contains("@{") || text.ends_with(".lock") || text.ends_with('/') {
        return wrong("no name is written so");
    }
    Ok(Some(text.to_owned()))
}

fn folder_of(text: &str) -> Result<Option<String>, String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." && parts.pop().is_none() {
            return Err(format!("the folder `{text}` is outside of the repository"));
        }
        if part != ".." {
            parts.push(part);
        }
    }
    Ok(Some(parts.join("/")).filter(|path| !path.is_empty()))
}

/// The first digits of a commit, or all of them.
pub(super) fn checksum_of(text: &str) -> Result<String, String> {
    let is_hex = text.chars().all(|digit| matches!(digit, '0'..='9' | 'a'..='f'));
    match is_hex && (7..=64).contains(&text.len()) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "`{}` is not a commit: expected at least 7 hexadecimal digits in lower case",
            text.escape_debug()
        )),
    }
}

fn boolean(name: &str, value: &str) -> Result<bool, String> {
    match value {
        "" | "1" | "t" | "true" | "True" | "TRUE" | "T" => Ok(true),
        "0" | "f" | "false" | "False" | "FALSE" | "F" => Ok(false),
        _ => Err(format!("`{name}={value}`: expected `true` or `false`")),
    }
}
