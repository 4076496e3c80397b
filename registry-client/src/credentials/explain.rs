//! Which place wins, and why the others do not: for `tug login --show`.

use std::sync::PoisonError;

use super::walk::{Place, What};
use super::{CredentialKind, CredentialSource, Credentials};
use crate::config_error::{ConfigError, Origin};
use crate::repository::Repository;

/// A place, and what came of it.
#[derive(Debug)]
pub struct Explanation {
    /// The place.
    pub source: CredentialSource,
    /// What it has.
    pub outcome: Outcome,
}

/// What a place has for a registry.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// What is used. The secret is not in it.
    Wins {
        /// `password`, `identity token` or `registry token`.
        what: &'static str,
        /// The user, if there is one.
        user: Option<String>,
    },
    /// It has something too, but comes later.
    Overruled,
    /// A helper that would have been asked if nothing before it had something.
    NotAsked,
    /// The file is not there.
    Absent,
    /// It is there, and has nothing for this registry.
    Nothing,
    /// It cannot be read, for this reason, and is passed over: nobody named it.
    PassedOver(String),
    /// It cannot be read. Asking the registry fails here, unless something before it wins.
    Broken(ConfigError),
}

impl Credentials {
    /// Every place in its order, with what it has for a host or, after a slash, a path on it. Helpers are asked as far as
    /// they would be for a pull.
    ///
    /// # Errors
    ///
    /// The list of places itself cannot be read.
    pub fn explain(&self, repository: &Repository) -> Result<Vec<Explanation>, ConfigError> {
        let mut explained = Vec::new();
        let mut is_decided = false;
        for place in self.places(Some(&repository.registry))? {
            let candidates = match self.candidates(&place, repository) {
                Ok(candidates) => candidates,
                Err(error) => {
                    is_decided = true;
                    explained.push(Explanation {
                        source: self.source_of(&place),
                        outcome: Outcome::Broken(error),
                    });
                    continue;
                }
            };
            if candidates.is_empty() {
                let outcome = match (self.passed_over(&place), self.is_there(&place)) {
                    (Some(reason), _) => Outcome::PassedOver(reason),
                    (None, true) => Outcome::Nothing,
                    (None, false) => Outcome::Absent,
                };
                explained.push(Explanation { source: self.source_of(&place), outcome });
            }
            for candidate in candidates {
                let outcome = match (&candidate.what, is_decided) {
                    (What::Here(_), true) => Outcome::Overruled,
                    (What::Ask(..), true) => Outcome::NotAsked,
                    (_, false) => match self.resolve(&candidate) {
                        Ok(Some(kind)) => wins(&kind),
                        Ok(None) => Outcome::Nothing,
                        Err(error) => Outcome::Broken(error),
                    },
                };
                is_decided |= matches!(outcome, Outcome::Wins { .. } | Outcome::Broken(_));
                explained.push(Explanation { source: candidate.source, outcome });
            }
        }
        Ok(explained)
    }

    fn is_there(&self, place: &Place) -> bool {
        match place {
            Place::File { origin, .. } => matches!(self.file(origin), Ok(Some(_))),
            Place::Given(_) | Place::Inline | Place::Helper(_) => true,
        }
    }

    fn passed_over(&self, place: &Place) -> Option<String> {
        let Place::File { origin: Origin::File(path), .. } = place else { return None };
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let found = read.passed_over.iter().find(|passed_over| passed_over.path == *path);
        found.map(|passed_over| passed_over.reason.clone())
    }

    fn source_of(&self, place: &Place) -> CredentialSource {
        let (origin, helper) = match place {
            Place::Given(given) => (Origin::Flag(given.flag.clone()), None),
            Place::Inline => {
                let inline = self.options.inline.as_ref();
                let variable = inline.map(|inline| inline.variable.clone());
                (Origin::Variable(variable.unwrap_or_default()), None)
            }
            Place::Helper(helper) => {
                (helper.origin.clone(), Some(format!("docker-credential-{}", helper.name)))
            }
            Place::File { origin, .. } => (origin.clone(), None),
        };
        CredentialSource { origin, key: None, helper }
    }
}

fn wins(kind: &CredentialKind) -> Outcome {
    let what = match kind {
        CredentialKind::Basic { .. } => "password",
        CredentialKind::Identity(_) => "identity token",
        CredentialKind::Registry(_) => "registry token",
    };
    Outcome::Wins { what, user: kind.user().map(str::to_owned) }
}
