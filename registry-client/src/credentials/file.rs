//! Files with credentials: docker's `config.json`, podman's `auth.json`, and the older `.dockercfg`.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::helper::Helper;
use super::{CredentialKind, key};
use crate::config_error::{ConfigError, Origin};
use crate::document::{self, Part};
use crate::repository::Repository;

/// People write these by hand, with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How the entries lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Below `auths`.
    Auths,
    /// At the top, as in `.dockercfg`.
    Bare,
}

/// A file that was read.
pub(crate) struct AuthFile {
    origin: Origin,
    value: Value,
    layout: Layout,
}

impl fmt::Debug for AuthFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("AuthFile").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl AuthFile {
    /// Takes its text.
    pub(crate) fn parse(text: &str, origin: Origin, layout: Layout) -> Result<Self, ConfigError> {
        let value = document::json(text, &origin)?;
        Ok(Self { origin, value, layout })
    }

    /// Where it is.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether it has the older layout.
    pub(crate) fn is_bare(&self) -> bool {
        self.layout == Layout::Bare
    }

    /// The helper that `credHelpers` names for a repository, and the key.
    pub(crate) fn own_helper(
        &self,
        repository: &Repository,
    ) -> Result<Option<(String, Helper)>, ConfigError> {
        let Some(helpers) = self.whole().field("credHelpers")?.filter(|_| self.layout == Layout::Auths)
        else {
            return Ok(None);
        };
        let Some((key, part)) = key::best(helpers.fields()?, repository) else { return Ok(None) };
        let name = part.text()?;
        Ok((!name.is_empty()).then(|| (key.to_owned(), self.helper(name))))
    }

    /// The helper for all registries, `credsStore`.
    pub(crate) fn common_helper(&self) -> Result<Option<Helper>, ConfigError> {
        if self.layout == Layout::Bare {
            return Ok(None);
        }
        Ok(self.whole().text_of("credsStore")?.map(|name| self.helper(name)))
    }

    /// The entry for a repository, and its key. An empty entry is none: docker leaves such when a helper has the password.
    pub(crate) fn entry(
        &self,
        repository: &Repository,
    ) -> Result<Option<(String, CredentialKind)>, ConfigError> {
        let mut entries = Vec::new();
        for (key, part) in self.entries()? {
            // An entry for something else may be as wrong as it likes.
            if key::Key::parse(key).reach(repository).is_some()
                && let Some(kind) = entry(&part)?
            {
                entries.push((key, kind));
            }
        }
        Ok(key::best(entries, repository).map(|(key, kind)| (key.to_owned(), kind)))
    }

    /// The keys of all entries, and of all helpers for one registry.
    pub(crate) fn keys(&self) -> Result<Vec<String>, ConfigError> {
        let mut keys: Vec<String> = self.entries()?.iter().map(|(key, _)| (*key).to_owned()).collect();
        if self.layout == Layout::Auths
            && let Some(helpers) = self.whole().field("credHelpers")?
        {
            keys.extend(helpers.fields()?.iter().map(|(key, _)| (*key).to_owned()));
        }
        Ok(keys)
    }

    fn entries(&self) -> Result<Vec<(&str, Part<'_>)>, ConfigError> {
        match self.layout {
            Layout::Bare => self.whole().fields(),
            Layout::Auths => match self.whole().field("auths")? {
                Some(auths) => auths.fields(),
                None => Ok(Vec::new()),
            },
        }
    }

    fn whole(&self) -> Part<'_> {
        Part::whole(&self.value, &self.origin)
    }

    fn helper(&self, name: &str) -> Helper {
        Helper { name: name.to_owned(), origin: self.origin.clone() }
    }
}

/// What an entry says. A token for the registry itself counts more than one that is exchanged, and that more than a
/// password.
fn entry(part: &Part<'_>) -> Result<Option<CredentialKind>, ConfigError> {
    use crate::secret::Secret;
    if let Some(token) = part.text_of("registrytoken")? {
        return Ok(Some(CredentialKind::Registry(Secret::new(token))));
    }
    if let Some(token) = part.text_of("identitytoken")? {
        return Ok(Some(CredentialKind::Identity(Secret::new(token))));
    }
    if let Some(auth) = part.text_of("auth")? {
        let problem = |text: &str| part.field("auth").ok().flatten().unwrap_or(part.clone()).problem(text);
        let bytes = BASE64.decode(auth.trim()).map_err(|_| problem("is not base64"))?;
        let pair = String::from_utf8(bytes).map_err(|_| problem("is not text in base64"))?;
        let (user, password) =
            pair.split_once(':').ok_or_else(|| problem("is not `user:password` in base64"))?;
        return Ok(Some(CredentialKind::of_pair(user, password.trim_end_matches('\0'))));
    }
    match (part.text_of("username")?, part.text_of("password")?) {
        (Some(user), Some(password)) => Ok(Some(CredentialKind::of_pair(user, password))),
        (Some(_), None) | (None, Some(_)) => Err(part.problem("has only one of `username` and `password`")),
        (None, None) => Ok(None),
    }
}
