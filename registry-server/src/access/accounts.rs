//! Who has which password: a file as `htpasswd -B` writes it.
//!
//! A line is `USER:HASH`; empty lines and those that begin with `#` say nothing. Only bcrypt is taken: everything else
//! that htpasswd can write is broken by guessing.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ring::hmac;
use ring::rand::SystemRandom;
use tokio::sync::Semaphore;

use crate::observer::Observer;
use crate::watched::{Watched, why};

/// The longest password that is looked at. bcrypt itself knows the first 72 bytes.
const LONGEST_PASSWORD: usize = 1024;

/// A hash of a higher cost would take longer than anybody waits for an answer.
const HIGHEST_COST: u32 = 16;

/// How many passwords are checked at once. Each takes a core for a tenth of a second.
const AT_ONCE: usize = 2;

/// How long somebody waits until a password can be checked.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// How long a password that was right need not be checked again.
const REMEMBERED_FOR: Duration = Duration::from_secs(300);

/// How many passwords are remembered.
const REMEMBERED: usize = 1024;

/// The users and the hashes of their passwords.
#[derive(Debug)]
pub(crate) struct Accounts {
    file: Watched<Table>,
    /// Passwords that were right, under a key that is gone with the process.
    verified: Mutex<HashMap<[u8; 32], Instant>>,
    key: hmac::Key,
    slots: Semaphore,
}

#[derive(Debug)]
struct Table(HashMap<String, Arc<str>>);

/// What came of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the user's.
    Right,
    /// It is not, or there is no such user.
    Wrong,
    /// Too many passwords wait to be checked.
    Busy,
}

impl Accounts {
    /// Reads the file at `path`. The error is a sentence that names the file, and the line.
    pub(crate) fn open(path: &Path, observer: Arc<dyn Observer>) -> Result<Self, String> {
        let file: PathBuf = path.to_owned();
        let read = move || {
            let bytes = fs::read(&file).map_err(|error| {
                format!("could not read the users in `{}`: {}", file.display(), why(&error))
            })?;
            parse(&bytes).map_err(|wrong| format!("`{}`, {wrong}", file.display()))
        };
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| "the system gives no random numbers".to_owned())?;
        Ok(Self {
            file: Watched::new(vec![path.to_owned()], observer, read)?,
            verified: Mutex::default(),
            key,
            slots: Semaphore::new(AT_ONCE),
        })
    }

    /// Whether the file can be used as it is now.
    pub(crate) fn reload(&self) -> bool {
        self.file.is_good()
    }

    /// Whether there is such a user now.
    pub(crate) fn has(&self, user: &str) -> bool {
        self.file.current().0.contains_key(user)
    }

    /// The hash of the user's password: it changes when the password does.
    pub(crate) fn hash_of(&self, user: &str) -> Option<Arc<str>> {
        self.file.current().0.get(user).cloned()
    }

    /// Whether `password` is that of `user`.
    pub(crate) async fn verify(&self, user: &str, password: &str) -> Verdict {
        if password.len() > LONGEST_PASSWORD {
            return Verdict::Wrong;
        }
        let table = self.file.current();
        let known = table.0.get(user).cloned();
        let is_known = known.is_some();
        // Who asks for somebody who does not exist waits as long as for somebody who does.
        let Some(hash) = known.or_else(|| table.0.values().next().cloned()) else { return Verdict::Wrong };
        let mark = self.mark(user, password, &hash);
        if is_known && self.is_remembered(&mark) {
            return Verdict::Right;
        }
        let Ok(Ok(_slot)) = tokio::time::timeout(LONGEST_WAIT, self.slots.acquire()).await else {
            return Verdict::Busy;
        };
        // Many requests with one password come at once; the first of them has answered for all.
        if is_known && self.is_remembered(&mark) {
            return Verdict::Right;
        }
        let password = password.to_owned();
        let checked = tokio::task::spawn_blocking(move || bcrypt::verify(password, &hash)).await;
        let is_right = is_known && matches!(checked, Ok(Ok(true)));
        if is_right {
            self.remember(mark);
        }
        if is_right { Verdict::Right } else { Verdict::Wrong }
    }

    fn mark(&self, user: &str, password: &str, hash: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for text in [user, password, hash] {
            context.update(&(text.len() as u64).to_le_bytes());
            context.update(text.as_bytes());
        }
        let mut mark = [0; 32];
        mark.copy_from_slice(context.sign().as_ref());
        mark
    }

    fn is_remembered(&self, mark: &[u8; 32]) -> bool {
        let verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        verified.get(mark).is_some_and(|since| since.elapsed() < REMEMBERED_FOR)
    }

    fn remember(&self, mark: [u8; 32]) {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= REMEMBERED {
            verified.retain(|_, since| since.elapsed() < REMEMBERED_FOR);
        }
        if verified.len() >= REMEMBERED {
            verified.clear();
        }
        verified.insert(mark, Instant::now());
    }
}

fn parse(bytes: &[u8]) -> Result<Table, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is no UTF-8".to_owned())?;
    let mut table = HashMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = |why: String| format!("line {}: {why}", number + 1);
        let (user, hash) = line
            .split_once(':')
            .ok_or_else(|| at("expected `USER:HASH`, as `htpasswd -B` writes it".to_owned()))?;
        if user.is_empty() || user.starts_with('@') || user.chars().any(char::is_control) {
            return Err(at(
                "the name of the user is empty, begins with `@` or has control characters".to_owned()
            ));
        }
        check(hash).map_err(|why| at(format!("the password of `{user}` {why}")))?;
        if table.insert(user.to_owned(), Arc::from(hash)).is_some() {
            return Err(at(format!("the user `{user}` is there twice")));
        }
    }
    Ok(Table(table))
}

/// Whether this is a hash of bcrypt that can be checked in reasonable time. Never shows it.
fn check(hash: &str) -> Result<(), String> {
    let advice = "only bcrypt is taken: make it with `htpasswd -B`";
    if !["$2y$", "$2b$", "$2a$"].iter().any(|prefix| hash.starts_with(prefix)) {
        let kind = match hash {
            _ if hash.starts_with("$apr1$") || hash.starts_with("$1$") => "is hashed with MD5",
            _ if hash.starts_with("{SHA}") => "is hashed with SHA-1",
            _ if hash.starts_with("$5$") || hash.starts_with("$6$") => "is hashed with crypt",
            _ if hash.starts_with("$argon2") => "is hashed with argon2",
            _ => "is not hashed, or in an unknown way",
        };
        return Err(format!("{kind}; {advice}"));
    }
    let cost = hash
        .parse::<bcrypt::HashParts>()
        .map_err(|_| "is cut short, or has characters that bcrypt does not write".to_owned())?
        .get_cost();
    if cost > HIGHEST_COST {
        return Err(format!("has the cost {cost}: more than {HIGHEST_COST} takes too long to check"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::Silent;

    fn hash(password: &str) -> String {
        bcrypt::hash_with_result(password, 4).unwrap().format_for_version(bcrypt::Version::TwoY)
    }

    #[test]
    fn what_is_not_bcrypt_is_refused_with_its_line() {
        let good = hash("x");
        for (text, expected) in [
            ("a\n".to_owned(), "line 1: expected `USER:HASH`, as `htpasswd -B` writes it"),
            (
                format!("# who\n\na:{good}\nb:$apr1$abc$def\n"),
                "line 4: the password of `b` is hashed with MD5; only bcrypt is taken: make it with `htpasswd -B`",
            ),
            (
                "a:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=".to_owned(),
                "line 1: the password of `a` is hashed with SHA-1; only bcrypt is taken: make it with `htpasswd -B`",
            ),
            (
                "a:secret".to_owned(),
                "line 1: the password of `a` is not hashed, or in an unknown way; only bcrypt is taken: make it with \
                 `htpasswd -B`",
            ),
            (
                "a:$2y$05$short".to_owned(),
                "line 1: the password of `a` is cut short, or has characters that bcrypt does not write",
            ),
            (
                format!("a:{}", good.replace("$04$", "$31$")),
                "line 1: the password of `a` has the cost 31: more than 16 takes too long to check",
            ),
            (format!("a:{good}\na:{good}"), "line 2: the user `a` is there twice"),
            (
                format!("@users:{good}"),
                "line 1: the name of the user is empty, begins with `@` or has control characters",
            ),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap_err(), expected);
        }
    }

    #[tokio::test]
    async fn all_three_letters_of_bcrypt_are_known_and_a_change_counts_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        let parts = bcrypt::hash_with_result("p", 4).unwrap();
        let lines: Vec<String> = [bcrypt::Version::TwoA, bcrypt::Version::TwoB, bcrypt::Version::TwoY]
            .into_iter()
            .zip(["a", "b", "y"])
            .map(|(version, user)| format!("{user}:{}\n", parts.format_for_version(version)))
            .collect();
        fs::write(&path, lines.concat()).unwrap();
        let accounts = Accounts::open(&path, Arc::new(Silent)).unwrap();
        for user in ["a", "b", "y"] {
            assert_eq!(accounts.verify(user, "p").await, Verdict::Right);
            assert_eq!(accounts.verify(user, "p").await, Verdict::Right, "remembered");
            assert_eq!(accounts.verify(user, "q").await, Verdict::Wrong);
        }
        assert_eq!(accounts.verify("z", "p").await, Verdict::Wrong, "nobody is let in by another's password");
        fs::write(&path, format!("a:{}\n# nobody else", hash("new"))).unwrap();
        assert_eq!(
            accounts.verify("a", "p").await,
            Verdict::Wrong,
            "what was remembered is of the old password"
        );
        assert_eq!(accounts.verify("a", "new").await, Verdict::Right);
        assert_eq!(accounts.verify("b", "p").await, Verdict::Wrong);
        assert!(!accounts.has("b"));
    }
}
