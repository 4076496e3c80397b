//! Tokens of our own: JSON web tokens signed with a key that lies in the root, readable by its owner only.
//!
//! Source: RFC 7519, RFC 8037 (EdDSA), distribution `docs/spec/auth/jwt`.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use ring::{digest, hmac};
use serde::{Deserialize, Serialize};

use super::scope::Scope;

/// What our tokens are for; clients only pass it on.
pub(crate) const SERVICE: &str = "tug-registry";

/// The longest token that is looked at: what fits into a header.
const LONGEST: usize = 64 << 10;

/// Makes tokens and recognises them.
pub(crate) struct Tokens {
    key: Ed25519KeyPair,
    /// For marks of passwords in tokens that outlive a change of them.
    marks: hmac::Key,
    life: Duration,
    refresh_life: Duration,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    /// The user; empty for somebody without a password.
    sub: String,
    exp: u64,
    nbf: u64,
    iat: u64,
    jti: String,
    #[serde(default)]
    access: Vec<Scope>,
    /// Only in tokens that stand for a password: a mark of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh: Option<String>,
}

/// A token that was recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recognised {
    /// Whose it is; `None` for somebody without a password.
    pub(crate) user: Option<String>,
    /// What it is for.
    pub(crate) scopes: Vec<Scope>,
}

/// A token that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) text: String,
    /// From when it counts, in seconds since 1970.
    pub(crate) issued: u64,
    /// How many seconds it counts.
    pub(crate) life: u64,
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    typ: String,
}

impl Tokens {
    /// Takes the key from the file at `path`, or makes it.
    pub(crate) fn open(path: &Path, life: Duration, refresh_life: Duration) -> Result<Self, String> {
        let named = |what: String| format!("the key for tokens in `{}` {what}", path.display());
        let pkcs8 = match fs::read(path) {
            Ok(bytes) => {
                fs::set_permissions(path, Permissions::from_mode(0o600))
                    .map_err(|error| named(format!("cannot be closed to others: {error}")))?;
                bytes
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_key(path).map_err(|error| named(format!("cannot be made: {error}")))?
            }
            Err(error) => return Err(named(format!("cannot be read: {error}"))),
        };
        let key = Ed25519KeyPair::from_pkcs8(&pkcs8)
            .map_err(|_| named("is damaged: remove it, and clients log in anew".to_owned()))?;
        let secret = digest::digest(&digest::SHA256, &[b"marks of passwords".as_slice(), &pkcs8].concat());
        Ok(Self { key, marks: hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref()), life, refresh_life })
    }

    /// A token for `scopes`.
    pub(crate) fn make(&self, user: Option<&str>, scopes: Vec<Scope>, now: SystemTime) -> Made {
        self.signed(user, scopes, None, self.life, now)
    }

    /// A token that stands for the password behind `hash`, until that changes.
    pub(crate) fn make_refresh(&self, user: &str, hash: &str, now: SystemTime) -> Made {
        self.signed(Some(user), Vec::new(), Some(self.mark(user, hash)), self.refresh_life, now)
    }

    /// What a token says, if it is ours, for requests, and counts now.
    pub(crate) fn recognise(&self, token: &str, now: SystemTime) -> Option<Recognised> {
        let claims = self.claims(token, now)?;
        if claims.refresh.is_some() {
            return None;
        }
        Some(Recognised { user: Some(claims.sub).filter(|user| !user.is_empty()), scopes: claims.access })
    }

    /// Whose password a token stands for, if it does. `hash_of` says what is known of the user's password.
    pub(crate) fn recognise_refresh<H: AsRef<str>>(
        &self,
        token: &str,
        now: SystemTime,
        hash_of: impl FnOnce(&str) -> Option<H>,
    ) -> Option<String> {
        let claims = self.claims(token, now)?;
        let mark = claims.refresh?;
        let hash = hash_of(&claims.sub)?;
        (mark == self.mark(&claims.sub, hash.as_ref())).then_some(claims.sub)
    }

    fn signed(
        &self,
        user: Option<&str>,
        access: Vec<Scope>,
        refresh: Option<String>,
        life: Duration,
        now: SystemTime,
    ) -> Made {
        let (issued, life) = (seconds(now), life.as_secs());
        let mut random = [0; 12];
        // Only so that no two tokens are alike; nothing depends on it.
        let _ = SystemRandom::new().fill(&mut random);
        let claims = Claims {
            iss: SERVICE.to_owned(),
            aud: SERVICE.to_owned(),
            sub: user.unwrap_or_default().to_owned(),
            exp: issued + life,
            nbf: issued,
            iat: issued,
            jti: URL_SAFE_NO_PAD.encode(random),
            access,
            refresh,
        };
        let header = Header { alg: "EdDSA".to_owned(), typ: "JWT".to_owned() };
        let encoded = |bytes: Vec<u8>| URL_SAFE_NO_PAD.encode(bytes);
        let header = encoded(serde_json::to_vec(&header).expect("texts are JSON"));
        let claims = encoded(serde_json::to_vec(&claims).expect("texts and numbers are JSON"));
        let signed = format!("{header}.{claims}");
        let signature = self.key.sign(signed.as_bytes());
        let text = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()));
        Made { text, issued, life }
    }

    fn claims(&self, token: &str, now: SystemTime) -> Option<Claims> {
        if token.len() > LONGEST {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let public = UnparsedPublicKey::new(&ED25519, self.key.public_key());
        public.verify(signed.as_bytes(), &signature).ok()?;
        let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        let now = seconds(now);
        let counts = header.alg == "EdDSA"
            && claims.iss == SERVICE
            && claims.aud == SERVICE
            && claims.nbf <= now
            && now < claims.exp;
        counts.then_some(claims)
    }

    fn mark(&self, user: &str, hash: &str) -> String {
        let tag = hmac::sign(&self.marks, format!("{user}:{hash}").as_bytes());
        URL_SAFE_NO_PAD.encode(&tag.as_ref()[..16])
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Tokens")
    }
}

fn make_key(path: &Path) -> io::Result<Vec<u8>> {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
        .map_err(|_| io::Error::other("the system gives no random numbers"))?;
    // First beside it: a key that a crash has cut short would have to be removed by hand.
    let beside = path.with_extension("new");
    let _ = fs::remove_file(&beside);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(pkcs8.as_ref())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    Ok(pkcs8.as_ref().to_vec())
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(300);

    fn tokens(folder: &Path) -> Tokens {
        Tokens::open(&folder.join("token.key"), LIFE, Duration::from_secs(3600)).unwrap()
    }

    #[test]
    fn a_token_counts_for_its_life_and_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let scope = Scope::repository("a/b", &["pull"]);
        let made = tokens(folder.path()).make(Some("alice"), vec![scope.clone()], now);
        let again = tokens(folder.path());
        let expected = Recognised { user: Some("alice".to_owned()), scopes: vec![scope] };
        assert_eq!(again.recognise(&made.text, now), Some(expected));
        assert_eq!(again.recognise(&made.text, now + LIFE), None, "it has ended");
        assert_eq!(again.recognise(&made.text, now - LIFE), None, "it has not begun");
        let mode = fs::metadata(folder.path().join("token.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_was_changed_or_signed_by_another_key_does_not_count() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let now = SystemTime::now();
        let tokens_of_one = tokens(one.path());
        let made = tokens_of_one.make(None, Vec::new(), now).text;
        assert!(tokens_of_one.recognise(&made, now).is_some_and(|known| known.user.is_none()));
        assert_eq!(tokens(other.path()).recognise(&made, now), None);
        let (header, rest) = made.split_once('.').unwrap();
        let (claims, signature) = rest.split_once('.').unwrap();
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        let forged = URL_SAFE_NO_PAD.encode(text.replace("\"sub\":\"\"", "\"sub\":\"root\""));
        let none = URL_SAFE_NO_PAD.encode("{\"alg\":\"none\",\"typ\":\"JWT\"}");
        for token in [
            format!("{header}.{forged}.{signature}"),
            format!("{none}.{claims}."),
            format!("{none}.{claims}.{signature}"),
            format!("{header}.{claims}"),
            "..".to_owned(),
            String::new(),
            "x".repeat(LONGEST + 1),
        ] {
            assert_eq!(tokens_of_one.recognise(&token, now), None, "{token:.80}");
        }
    }

    #[test]
    fn a_token_in_place_of_a_password_is_good_for_nothing_else_and_ends_with_the_password() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let tokens = tokens(folder.path());
        let refresh = tokens.make_refresh("alice", "$2y$old", now).text;
        assert_eq!(tokens.recognise(&refresh, now), None);
        let user = |hash: Option<&'static str>| tokens.recognise_refresh(&refresh, now, |_| hash);
        assert_eq!(user(Some("$2y$old")).as_deref(), Some("alice"));
        assert_eq!(user(Some("$2y$new")), None);
        assert_eq!(user(None), None);
        let ordinary = tokens.make(Some("alice"), Vec::new(), now).text;
        assert_eq!(tokens.recognise_refresh(&ordinary, now, |_| Some("$2y$old")), None);
    }

    #[test]
    fn a_damaged_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("token.key"), "x").unwrap();
        let error = Tokens::open(&folder.path().join("token.key"), LIFE, LIFE).unwrap_err();
        assert!(error.ends_with("is damaged: remove it, and clients log in anew"), "{error}");
    }
}
