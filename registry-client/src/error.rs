//! What can go wrong between a client and a registry: one error with the facts that a message and an exit code need.
//!
//! No message holds a secret: addresses are shown without user, password and query, and what a server sent is cut and
//! freed of control characters.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::config_error::ConfigError;

/// What sort of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The registry does not have it, or does not say so to us.
    NotFound,
    /// The registry wants to know who asks, or does not believe it.
    Unauthorized,
    /// The registry knows who asks and refuses.
    Denied,
    /// Too many requests; the registry says when to come back, if it does.
    RateLimited,
    /// No connection, or one that broke each time.
    Unreachable,
    /// The connection stood, and nothing or next to nothing came.
    Stalled,
    /// The certificate is not to be trusted, or there is no common TLS.
    Tls,
    /// The registry failed: 5xx each time.
    Server,
    /// What came is not what its digest or size said.
    Digest,
    /// The answer is none that the protocol knows.
    Protocol,
    /// Larger than it may be.
    TooLarge,
    /// The registry cannot do this, or not in this way.
    Unsupported,
    /// The configuration forbids it.
    Blocked,
    /// The configuration or a credential helper is broken.
    Config,
    /// Reading or writing the file of a blob failed.
    File,
    /// The user gave up.
    Cancelled,
}

/// Why a registry did not do what it was asked for.
pub struct Error(Box<Facts>);

struct Facts {
    kind: Kind,
    message: String,
    hint: Option<String>,
    status: Option<u16>,
    code: Option<String>,
    wait: Option<Duration>,
    /// No connection came about at all.
    is_apart: bool,
    is_distrust: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// For work that its caller has ended.
    pub fn cancelled() -> Self {
        Self::new(Kind::Cancelled, "it was cancelled")
    }

    /// An error with a sentence of its own.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Facts {
            kind,
            message,
            hint: None,
            status: None,
            code: None,
            wait: None,
            is_apart: false,
            is_distrust: false,
            source: None,
        }))
    }

    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub(crate) fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    #[must_use]
    pub(crate) fn with_answer(mut self, status: u16, code: Option<String>) -> Self {
        (self.0.status, self.0.code) = (Some(status), code);
        self
    }

    #[must_use]
    pub(crate) fn with_wait(mut self, wait: Option<Duration>) -> Self {
        self.0.wait = wait;
        self
    }

    /// The other side has a certificate, and it is not to be trusted.
    #[must_use]
    pub(crate) fn with_distrust(mut self, is_distrust: bool) -> Self {
        self.0.is_distrust = is_distrust;
        self
    }

    /// The same, as another sort: who asked knows more.
    #[must_use]
    pub(crate) fn of_kind(mut self, kind: Kind) -> Self {
        self.0.kind = kind;
        self
    }

    /// No connection came about: trying again helps less often.
    #[must_use]
    pub(crate) fn apart(mut self) -> Self {
        self.0.is_apart = true;
        self
    }

    /// Whether there was no connection at all.
    pub(crate) fn is_apart(&self) -> bool {
        self.0.is_apart
    }

    /// A file of the caller could not be read or written.
    pub(crate) fn file(action: &str, source: std::io::Error) -> Self {
        Self::new(Kind::File, format!("cannot {action}: {source}")).with_source(source)
    }

    /// What sort of thing went wrong.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The status of the answer, if there was one.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The registry's own code, for example `MANIFEST_UNKNOWN`.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// Whether a manifest was refused since something that it refers to is not there: it is worth looking again.
    pub fn says_that_a_part_is_missing(&self) -> bool {
        let is_about_parts = matches!(
            self.code(),
            Some("MANIFEST_BLOB_UNKNOWN" | "BLOB_UNKNOWN" | "MANIFEST_UNKNOWN" | "MANIFEST_UNVERIFIED")
        );
        is_about_parts && matches!(self.status(), Some(400 | 404 | 412 | 422))
    }

    /// How long the registry asked to wait before it is asked again.
    pub fn wait(&self) -> Option<Duration> {
        self.0.wait
    }

    /// The operating system's error behind [`Kind::File`].
    pub fn io(&self) -> Option<&std::io::Error> {
        self.0.source.as_deref().and_then(|source| source.downcast_ref())
    }

    /// Whether the other side has a certificate that is not to be trusted.
    pub(crate) fn is_distrust(&self) -> bool {
        self.0.is_distrust
    }

    /// Whether the same request may succeed when it is made again.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self.kind(), Kind::Unreachable | Kind::Stalled | Kind::Server | Kind::RateLimited)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}: {}", self.0.kind, self.0.message)?;
        self.0.hint.iter().try_for_each(|hint| write!(out, " (hint: {hint})"))
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // The message says what the first one says; what lies behind that is news.
        match self.0.kind {
            Kind::File => None,
            _ => self.0.source.as_deref().and_then(|source| source.source()),
        }
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        let kind = match error {
            ConfigError::Blocked { .. } => Kind::Blocked,
            _ => Kind::Config,
        };
        let made = Self::new(kind, error.to_string());
        let made = match error.hint() {
            Some(hint) => made.with_hint(hint),
            None => made,
        };
        made.with_source(error)
    }
}
