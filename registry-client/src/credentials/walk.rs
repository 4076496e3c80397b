//! The places in their order, and what each has for a repository.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use super::file::{AuthFile, Layout};
use super::helper::Helper;
use super::key::{HUB, HUB_KEY, canonical_host};
use super::{Credential, CredentialKind, CredentialSource, Credentials, GivenCredential, Listed, PassedOver};
use crate::config_error::{ConfigError, Origin};
use crate::document::{self, Part};
use crate::hosts::registries;
use crate::repository::Repository;

/// A place that may have something. It was not read yet.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// Given for this run.
    Given(GivenCredential),
    /// The text of a variable.
    Inline,
    /// A helper that registries.conf lists.
    Helper(Helper),
    /// A file.
    File { origin: Origin, must_exist: bool },
}

/// One thing in a place.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) source: CredentialSource,
    pub(super) what: What,
}

/// What it is.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// The thing itself.
    Here(CredentialKind),
    /// A program has to be asked, about these names in turn.
    Ask(Helper, Vec<String>),
}

impl Credentials {
    /// The places in their order. What was given counts where a registry was named, and not for mirrors.
    pub(super) fn places(&self, named_registry: Option<&str>) -> Result<Vec<Place>, ConfigError> {
        let named = named_registry.map(canonical_host);
        let given = self.options.given.iter().filter(|given| match (&given.registry, &named) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(registry), Some(named)) => canonical_host(registry) == *named,
        });
        let mut places: Vec<Place> = given.cloned().map(Place::Given).collect();
        if self.options.inline.is_some() {
            places.push(Place::Inline);
        }
        // What is given needs no files, so they need not be right.
        if places.iter().any(|place| matches!(place, Place::Given(_))) {
            return Ok(places);
        }
        for listed in self.listed()? {
            match listed {
                Listed::Helper(helper) => places.push(Place::Helper(helper)),
                Listed::Files => places.extend(
                    self.files().into_iter().map(|(origin, must_exist)| Place::File { origin, must_exist }),
                ),
            }
        }
        Ok(places)
    }

    /// The files that count, and whether they must be there.
    pub(super) fn files(&self) -> Vec<(Origin, bool)> {
        match &self.options.only {
            Some(only) => vec![(Origin::File(only.path.clone()), true)],
            None => self.options.files.iter().map(|path| (Origin::File(path.clone()), false)).collect(),
        }
    }

    /// What a place has for `repository`: the first that turns out to be there.
    pub(super) fn ask(
        &self,
        place: &Place,
        repository: &Repository,
    ) -> Result<Option<Credential>, ConfigError> {
        for candidate in self.candidates(place, repository)? {
            if let Some(kind) = self.resolve(&candidate)? {
                return Ok(Some(Credential { kind, source: candidate.source }));
            }
        }
        Ok(None)
    }

    /// What may be in a place, without asking any program.
    pub(super) fn candidates(
        &self,
        place: &Place,
        repository: &Repository,
    ) -> Result<Vec<Candidate>, ConfigError> {
        match place {
            Place::Given(given) => {
                let kind = CredentialKind::of_pair(&given.user, given.password.reveal());
                let origin = Origin::Flag(given.flag.clone());
                let source = CredentialSource { origin, key: None, helper: None };
                Ok(vec![Candidate { source, what: What::Here(kind) }])
            }
            Place::Helper(helper) => {
                Ok(vec![asking(helper.clone(), None, vec![canonical_host(&repository.registry)])])
            }
            Place::Inline => {
                let Some(inline) = &self.options.inline else { return Ok(Vec::new()) };
                let origin = Origin::Variable(inline.variable.clone());
                let read = || AuthFile::parse(inline.text.reveal(), origin.clone(), Layout::Auths).map(Some);
                match self.cached(&origin, read)? {
                    Some(file) => in_file(&file, repository),
                    None => Ok(Vec::new()),
                }
            }
            Place::File { origin, must_exist } => match self.file(origin)? {
                Some(file) => in_file(&file, repository),
                None if *must_exist => Err(self.missing(origin)),
                None => Ok(Vec::new()),
            },
        }
    }

    /// Asks the program, if it takes one.
    pub(super) fn resolve(&self, candidate: &Candidate) -> Result<Option<CredentialKind>, ConfigError> {
        match &candidate.what {
            What::Here(kind) => Ok(Some(kind.clone())),
            What::Ask(helper, servers) => {
                for server in servers {
                    if let Some(kind) = self.helpers.get(helper, server)? {
                        return Ok(Some(kind));
                    }
                }
                Ok(None)
            }
        }
    }

    /// The file at `origin`, if it is there. It is read once. One that cannot be read counts as not there, unless its
    /// place was named.
    pub(super) fn file(&self, origin: &Origin) -> Result<Option<Arc<AuthFile>>, ConfigError> {
        let Origin::File(path) = origin else { return Ok(None) };
        match self.cached(origin, || read(path)) {
            Err(ConfigError::Read { path, source }) if self.is_usual(&path) => {
                let mut known = self.read.lock().unwrap_or_else(PoisonError::into_inner);
                let reason = crate::text::of_io(&source);
                if known.files.insert(origin.clone(), None).is_none() {
                    known.passed_over.push(PassedOver { path, reason });
                }
                Ok(None)
            }
            read => read,
        }
    }

    /// Whether nobody named the place of a file.
    fn is_usual(&self, path: &Path) -> bool {
        self.options.only.is_none() && !self.options.named_files.iter().any(|named| named == path)
    }

    fn cached(
        &self,
        origin: &Origin,
        read: impl FnOnce() -> Result<Option<AuthFile>, ConfigError>,
    ) -> Result<Option<Arc<AuthFile>>, ConfigError> {
        let mut known = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = known.files.get(origin) {
            return Ok(file.clone());
        }
        let file = read()?.map(Arc::new);
        known.files.insert(origin.clone(), file.clone());
        Ok(file)
    }

    /// The lines of `credential-helpers`.
    pub(super) fn listed(&self) -> Result<Vec<Listed>, ConfigError> {
        let mut known = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listed) = &known.listed {
            return Ok(listed.clone());
        }
        let mut listed = vec![Listed::Files];
        for (origin, value) in registries::documents(&self.options.registries)? {
            if let Some(part) = Part::whole(&value, &origin).field("credential-helpers")? {
                let line = |name: String| match name.as_str() {
                    "containers-auth.json" => Listed::Files,
                    _ => Listed::Helper(Helper { name, origin: origin.clone() }),
                };
                listed = part.texts()?.into_iter().map(line).collect();
            }
        }
        known.listed = Some(listed.clone());
        Ok(listed)
    }

    /// Lets a file be read anew.
    pub(super) fn forget(&self, origin: &Origin) {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).files.remove(origin);
    }

    fn missing(&self, origin: &Origin) -> ConfigError {
        let named_by = self.options.only.as_ref().map(|only| only.named_by.clone()).unwrap_or_default();
        let path = match origin {
            Origin::File(path) => path.clone(),
            Origin::Variable(_) | Origin::Flag(_) => Default::default(),
        };
        ConfigError::NoSuchFile { path, named_by }
    }
}

/// Reads a file with credentials, if it is there.
pub(super) fn read(path: &Path) -> Result<Option<AuthFile>, ConfigError> {
    let layout = match path.file_name().is_some_and(|name| name == ".dockercfg") {
        true => Layout::Bare,
        false => Layout::Auths,
    };
    document::read(path)?.map(|text| AuthFile::parse(&text, path.into(), layout)).transpose()
}

/// What a file has for `repository`, the strongest first.
pub(super) fn in_file(file: &AuthFile, repository: &Repository) -> Result<Vec<Candidate>, ConfigError> {
    let servers = servers(&repository.registry);
    let mut found = Vec::new();
    if let Some((key, helper)) = file.own_helper(repository)? {
        found.push(asking(helper, Some(format!("credHelpers.{key}")), servers.clone()));
    }
    if let Some(helper) = file.common_helper()? {
        found.push(asking(helper, Some("credsStore".to_owned()), servers));
    }
    if let Some((key, kind)) = file.entry(repository)? {
        let source = CredentialSource { origin: file.origin().clone(), key: Some(key), helper: None };
        found.push(Candidate { source, what: What::Here(kind) });
    }
    Ok(found)
}

/// The names under which docker, and then podman, keep the password of a registry in a helper.
pub(super) fn servers(registry: &str) -> Vec<String> {
    let host = canonical_host(registry);
    if host == HUB { vec![HUB_KEY.to_owned(), HUB.to_owned()] } else { vec![host] }
}

fn asking(helper: Helper, key: Option<String>, servers: Vec<String>) -> Candidate {
    let program = format!("docker-credential-{}", helper.name);
    let source = CredentialSource { origin: helper.origin.clone(), key, helper: Some(program) };
    Candidate { source, what: What::Ask(helper, servers) }
}
