//! What kind of registry a peer is: a right one by default, and each of the known peculiarities if wished.

use super::rule::Rule;
use super::tls::Tls;

/// A kind of registry.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// Who may do what.
    pub access: Access,
    /// How blobs are taken.
    pub uploads: Uploads,
    /// What becomes of mounts.
    pub mounts: Mounts,
    /// How lists of tags and repositories are given.
    pub lists: Lists,
    /// How referrers are given.
    pub referrers: Referrers,
    /// Whether things can be deleted. 405 if not.
    pub deletes: bool,
    /// Whether a manifest is refused whose blobs or children are not there.
    pub checks_manifests: bool,
    /// Whether manifests have an `ETag` and `If-Match` counts.
    pub has_etags: bool,
    /// Texts that come as `Warning: 299` with every answer.
    pub warnings: Vec<String>,
    /// 400 for a request with `Authorization`, as stores of blobs behind a registry do.
    pub refuses_authorization: bool,
    /// Encrypted with this.
    pub tls: Option<Tls>,
    /// The faults that are there from the start.
    pub rules: Vec<Rule>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            access: Access::Open,
            uploads: Uploads::default(),
            mounts: Mounts::Work,
            lists: Lists::default(),
            referrers: Referrers::Listed,
            deletes: true,
            checks_manifests: true,
            has_etags: false,
            warnings: Vec::new(),
            refuses_authorization: false,
            tls: None,
            rules: Vec::new(),
        }
    }
}

/// A user and a password.
pub type Account = (String, String);

/// Who may do what.
#[derive(Clone, Debug)]
pub enum Access {
    /// Everybody everything.
    Open,
    /// These users everything, by `Basic`.
    Basic(Vec<Account>),
    /// Who has a token.
    Bearer(Bearer),
}

/// Tokens, and the service at `/token` that gives them.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// Get tokens for everything.
    pub accounts: Vec<Account>,
    /// Get tokens for everything, by POST.
    pub identity_tokens: Vec<String>,
    /// Are tokens for everything themselves.
    pub registry_tokens: Vec<String>,
    /// Whether others get tokens to pull.
    pub allows_anonymous_pull: bool,
    /// Which methods the service knows. 404 for others.
    pub methods: Vec<&'static str>,
    /// The field in which the token is given.
    pub field: &'static str,
    /// How many requests a token is good for.
    pub uses: Option<usize>,
    /// What is said about its life, in seconds.
    pub expires_in: Option<u64>,
    /// Another place than `/token` of this peer.
    pub realm: Option<String>,
    /// The values of `WWW-Authenticate` in place of the one right one. `{realm}`, `{service}` and `{scope}` stand for
    /// theirs.
    pub challenges: Option<Vec<String>>,
    /// Asks for a scope to pull, whatever is wanted; says `insufficient_scope` when such a token comes.
    pub asks_too_little: bool,
    /// No token is good enough.
    pub refuses_all: bool,
    /// `/v2/` needs no token.
    pub has_open_base: bool,
}

impl Default for Bearer {
    fn default() -> Self {
        Self {
            accounts: Vec::new(),
            identity_tokens: Vec::new(),
            registry_tokens: Vec::new(),
            allows_anonymous_pull: true,
            methods: vec!["GET", "POST"],
            field: "token",
            uses: None,
            expires_in: Some(300),
            realm: None,
            challenges: None,
            asks_too_little: false,
            refuses_all: false,
            has_open_base: false,
        }
    }
}

/// How blobs are taken.
#[derive(Clone, Debug, Default)]
pub struct Uploads {
    /// How a session says where it is.
    pub location: Location,
    /// What becomes of a session whose request was cut.
    pub after_cut: AfterCut,
    /// Announced as `OCI-Chunk-Min-Length`; a shorter chunk must be the last one (else 416).
    pub least_chunk: Option<u64>,
    /// A longer chunk (a PATCH with `Content-Range`) is refused with 416, as GHCR does over 4 MiB.
    pub largest_chunk: Option<u64>,
    /// Refuses every PATCH with `Content-Range`, as Google's registries do, and knows no status of a session.
    pub refuses_chunks: bool,
    /// A PATCH is answered with 201, the blob is there, and the session gone, as with Amazon's.
    pub patch_completes: bool,
    /// Takes a chunk in any order, as distribution 2.8 does.
    pub ignores_content_range: bool,
    /// Takes `POST …?digest=` with a body; answers it with an ordinary session if not.
    pub takes_post: bool,
}

/// How a session says where it is.
#[derive(Clone, Debug, Default)]
pub enum Location {
    /// A path.
    #[default]
    Path,
    /// A whole URL.
    Url,
    /// A URL on another peer, by the base of that one.
    UrlAt(String),
    /// A path with a query, without which the session is not found.
    Query,
    /// Relative to the URL of the request.
    LastPart,
    /// Not at all.
    Missing,
}

/// What becomes of a session whose request was cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterCut {
    /// It keeps what came.
    #[default]
    Keeps,
    /// It keeps nothing of that request.
    Forgets,
    /// It answers 404 for ever, as with distribution 2.8.
    Dies,
    /// It keeps what came; its status says a new place, and the old one is refused with 416, as with distribution 3.
    Moves,
}

/// What becomes of mounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mounts {
    /// 201 where the blob is in the other repository and may be read there, else a session.
    Work,
    /// Always a session.
    BecomeSessions,
    /// This status, for a mount only.
    Fail(u16),
}

/// How lists of tags and repositories are given.
#[derive(Clone, Debug)]
pub struct Lists {
    /// The most that is given at once.
    pub page: usize,
    /// How it is said that there is more.
    pub more: More,
    /// `"tags": null` for none.
    pub says_null: bool,
    /// Whether `n` is looked at.
    pub heeds_n: bool,
    /// Whether there is a catalog.
    pub has_catalog: bool,
}

impl Default for Lists {
    fn default() -> Self {
        Self { page: 1000, more: More::Link, says_null: false, heeds_n: true, has_catalog: true }
    }
}

/// How it is said that there is more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum More {
    /// By `Link`.
    Link,
    /// Not at all: whoever asks for what comes after the last one gets it.
    Silent,
    /// By a `Link` that leads to the same page for ever.
    Loop,
    /// By a `Link` to this base.
    LinkAt(String),
}

/// How referrers are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referrers {
    /// Rightly, with filter and pages (of `Lists::page`), and `OCI-Subject` when a manifest with a subject comes.
    Listed,
    /// Rightly, but the filter is not looked at.
    Unfiltered,
    /// 404, and no `OCI-Subject`.
    Missing,
    /// 200 and a page for people, and no `OCI-Subject`.
    Html,
}
