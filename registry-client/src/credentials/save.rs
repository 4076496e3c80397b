//! What `login` keeps and `logout` takes away.
//!
//! A password goes where it will be found: into the helper that registries.conf lists first; else into the named file;
//! else into the first file that has something for the registry, or a helper for all; else into the first file that is
//! there; else into a new one. In a file with a helper for the registry, the helper gets it.

use std::path::PathBuf;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Map, Value, json};

use super::file::AuthFile;
use super::helper::Helper;
use super::key::{HUB, HUB_KEY, Key, canonical_host};
use super::walk::{self, servers};
use super::{CredentialKind, CredentialSource, Credentials, Listed, rewrite};
use crate::config_error::{ConfigError, Origin};
use crate::repository::Repository;

/// Where something was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The place.
    pub source: CredentialSource,
    /// Whether everybody who can read the file can read the password.
    pub is_plain: bool,
}

/// Where something was taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The place.
    pub source: CredentialSource,
}

impl Credentials {
    /// Keeps `kind` for a host, or for a path on it.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is malformed or cannot be written, or the helper refuses.
    pub fn save(&self, repository: &Repository, kind: &CredentialKind) -> Result<Saved, ConfigError> {
        if let Some(Listed::Helper(helper)) = self.listed()?.into_iter().next() {
            let server = canonical_host(&repository.registry);
            return self.store(&helper, None, &server, kind);
        }
        let path = self.file_for(repository)?;
        let origin = Origin::File(path.clone());
        let file = walk::read(&path)?;
        let helper = match &file {
            Some(file) => self.helper_of(file, repository)?,
            None => None,
        };
        let mut used_key = String::new();
        let saved = match &helper {
            Some((key, helper)) => {
                let server = &servers(&repository.registry)[0];
                Some(self.store(helper, Some(key.clone()), server, kind)?)
            }
            None => None,
        };
        rewrite::change(&path, |top| {
            let auths = rewrite::table(top, "auths", &origin)?;
            let key = key_in(auths, repository, &path);
            auths.retain(|other, _| *other == key || Key::parse(other).repository() != asked(repository));
            auths.insert(key.clone(), if saved.is_some() { json!({}) } else { entry(kind) });
            used_key = key;
            Ok(())
        })?;
        self.forget(&origin);
        let source = CredentialSource { origin, key: Some(used_key), helper: None };
        Ok(saved.unwrap_or(Saved { source, is_plain: true }))
    }

    /// Takes away what there is for exactly this host, or exactly this path on it, in every place that counts. Nothing
    /// may have been there.
    ///
    /// # Errors
    ///
    /// As for [`Credentials::save`].
    pub fn remove(&self, repository: &Repository) -> Result<Vec<Removed>, ConfigError> {
        let mut removed = Vec::new();
        for listed in self.listed()? {
            match listed {
                Listed::Helper(helper) => {
                    self.erase(&helper, None, &canonical_host(&repository.registry), &mut removed)?;
                }
                Listed::Files => {
                    for (origin, _) in self.files() {
                        self.remove_from(&origin, repository, &mut removed)?;
                    }
                }
            }
        }
        Ok(removed)
    }

    /// Takes away everything in every place that counts.
    ///
    /// # Errors
    ///
    /// As for [`Credentials::save`].
    pub fn remove_all(&self) -> Result<Vec<Removed>, ConfigError> {
        let mut removed = Vec::new();
        for listed in self.listed()? {
            match listed {
                Listed::Helper(helper) => self.erase_all(&helper, &mut removed)?,
                Listed::Files => {
                    for (origin, _) in self.files() {
                        let Some(file) = self.file(&origin)? else { continue };
                        if let Some(helper) = file.common_helper()? {
                            self.erase_all(&helper, &mut removed)?;
                        }
                        for key in file.keys()? {
                            self.remove_from(&origin, &Key::parse(&key).repository(), &mut removed)?;
                        }
                    }
                }
            }
        }
        Ok(removed)
    }

    fn store(
        &self,
        helper: &Helper,
        key: Option<String>,
        server: &str,
        kind: &CredentialKind,
    ) -> Result<Saved, ConfigError> {
        let (user, secret) = match kind {
            CredentialKind::Basic { user, password } => (user.as_str(), password),
            CredentialKind::Identity(token) | CredentialKind::Registry(token) => ("<token>", token),
        };
        self.helpers.store(helper, server, user, secret)?;
        Ok(Saved { source: of_helper(helper, key), is_plain: false })
    }

    fn erase(
        &self,
        helper: &Helper,
        key: Option<String>,
        server: &str,
        removed: &mut Vec<Removed>,
    ) -> Result<(), ConfigError> {
        if self.helpers.erase(helper, server)? {
            removed.push(Removed { source: of_helper(helper, key) });
        }
        Ok(())
    }

    fn erase_all(&self, helper: &Helper, removed: &mut Vec<Removed>) -> Result<(), ConfigError> {
        for server in self.helpers.list(helper)? {
            self.erase(helper, Some(server.clone()), &server, removed)?;
        }
        Ok(())
    }

    fn remove_from(
        &self,
        origin: &Origin,
        repository: &Repository,
        removed: &mut Vec<Removed>,
    ) -> Result<(), ConfigError> {
        let (Some(file), Origin::File(path)) = (self.file(origin)?, origin) else { return Ok(()) };
        if let Some((key, helper)) = self.helper_of(&file, repository)? {
            for server in servers(&repository.registry) {
                self.erase(&helper, Some(key.clone()), &server, removed)?;
            }
        }
        let is_meant = |key: &str| Key::parse(key).repository() == asked(repository);
        if !file.keys()?.iter().any(|key| is_meant(key)) {
            return Ok(());
        }
        rewrite::change(path, |top| {
            let entries = match file.is_bare() {
                true => top,
                false => rewrite::table(top, "auths", origin)?,
            };
            let gone: Vec<String> = entries.keys().filter(|key| is_meant(key)).cloned().collect();
            for key in gone {
                // An empty entry only says that a helper has it.
                let had_secret = entries.shift_remove(&key).is_some_and(|entry| entry != json!({}));
                if had_secret {
                    let source = CredentialSource { origin: origin.clone(), key: Some(key), helper: None };
                    removed.push(Removed { source });
                }
            }
            Ok(())
        })?;
        self.forget(origin);
        Ok(())
    }

    /// The helper for a registry, and the key that names it.
    fn helper_of(
        &self,
        file: &AuthFile,
        repository: &Repository,
    ) -> Result<Option<(String, Helper)>, ConfigError> {
        if let Some((key, helper)) = file.own_helper(repository)? {
            return Ok(Some((format!("credHelpers.{key}"), helper)));
        }
        Ok(file.common_helper()?.map(|helper| ("credsStore".to_owned(), helper)))
    }

    fn file_for(&self, repository: &Repository) -> Result<PathBuf, ConfigError> {
        if let Some(only) = &self.options.only {
            return Ok(only.path.clone());
        }
        let mut first = None;
        for path in &self.options.files {
            match self.file(&Origin::File(path.clone()))? {
                Some(file) if !file.is_bare() => {
                    if !walk::in_file(&file, repository)?.is_empty() {
                        return Ok(path.clone());
                    }
                    first.get_or_insert(path);
                }
                _ => {}
            }
        }
        let chosen = first.or(self.options.new_file.as_ref());
        chosen.cloned().ok_or(ConfigError::NoPlace)
    }
}

fn of_helper(helper: &Helper, key: Option<String>) -> CredentialSource {
    let program = format!("docker-credential-{}", helper.name);
    CredentialSource { origin: helper.origin.clone(), key, helper: Some(program) }
}

/// What a key must stand for to mean exactly this.
fn asked(repository: &Repository) -> Repository {
    Repository { registry: canonical_host(&repository.registry), name: repository.name.clone() }
}

/// The key to use: the one that is there, else the way in which the program spells it whose file it is.
fn key_in(auths: &Map<String, Value>, repository: &Repository, path: &std::path::Path) -> String {
    let asked = asked(repository);
    if let Some(key) = auths.keys().find(|key| Key::parse(key).repository() == asked) {
        return key.clone();
    }
    let is_dockers = path.file_name().is_some_and(|name| name == "config.json");
    if asked == Repository::whole(HUB) && is_dockers {
        return HUB_KEY.to_owned();
    }
    asked.to_string()
}

/// An entry, as docker writes it.
fn entry(kind: &CredentialKind) -> Value {
    match kind {
        CredentialKind::Basic { user, password } => {
            json!({ "auth": BASE64_STANDARD.encode(format!("{user}:{}", password.reveal())) })
        }
        CredentialKind::Identity(token) => json!({ "identitytoken": token.reveal() }),
        CredentialKind::Registry(token) => json!({ "registrytoken": token.reveal() }),
    }
}
