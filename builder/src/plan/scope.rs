//! Variables: what a name means at a place in the Dockerfile.
//!
//! | source                          | seen by                      | beats                        |
//! | ------------------------------- | ---------------------------- | ---------------------------- |
//! | ENV of base image and stage     | expansion, RUN, the image    | ARGs before it               |
//! | ARG, `--build-arg` or default   | expansion, RUN               | ENV and ARGs before it       |
//! | global ARG                      | FROM; ARG without default    | platform ARGs                |
//! | platform ARGs                   | FROM; ARG without default    | –                            |
//! | proxy `--build-arg`s            | RUN                          | nothing; in no key           |
//!
//! Source: BuildKit's `dispatchArg` and `dispatchEnv` semantics.

use std::collections::{BTreeMap, BTreeSet};

use tug_oci::Platform;

use crate::lint::predefined;
use crate::options::PROXY_VARIABLES;

/// The values that come from outside of stages.
pub(super) struct Globals {
    build_args: BTreeMap<String, String>,
    /// Global ARGs and platform ARGs.
    values: BTreeMap<String, String>,
    consumed: BTreeSet<String>,
}

impl Globals {
    pub(super) fn new(build_args: BTreeMap<String, String>, target: &Platform, target_stage: &str) -> Self {
        let mut values: BTreeMap<_, _> = predefined(target, target_stage).into_iter().collect();
        for (name, value) in &build_args {
            if let Some(predefined) = values.get_mut(name) {
                predefined.clone_from(value);
            }
        }
        Self { build_args, values, consumed: BTreeSet::new() }
    }

    /// Declares a global ARG.
    pub(super) fn declare(&mut self, name: &str, default: Option<String>) {
        if let Some(value) = self.given(name).or(default) {
            self.values.insert(name.to_owned(), value);
        }
    }

    /// The value of `name` in a FROM line.
    pub(super) fn lookup(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned()
    }

    /// The value of an ARG in a stage.
    pub(super) fn argument(&mut self, name: &str, default: Option<String>) -> Option<String> {
        self.given(name).or(default).or_else(|| self.lookup(name))
    }

    /// `--build-arg`s that no ARG asked for and that have no meaning of their own.
    pub(super) fn unconsumed(&self) -> Vec<&str> {
        let known = |name: &&str| {
            self.consumed.contains(*name)
                || self.values.contains_key(*name)
                || PROXY_VARIABLES.contains(name)
                || crate::built_in::NAMES.contains(name)
        };
        self.build_args.keys().map(String::as_str).filter(|name| !known(name)).collect()
    }

    /// Is there a `--build-arg` of this name? Then the default of an ARG does not matter.
    pub(super) fn is_given(&self, name: &str) -> bool {
        self.build_args.contains_key(name)
    }

    fn given(&mut self, name: &str) -> Option<String> {
        let value = self.build_args.get(name).cloned();
        if value.is_some() {
            self.consumed.insert(name.to_owned());
        }
        value
    }
}

/// The variables of one stage.
#[derive(Clone, Default)]
pub(super) struct Scope {
    /// Environment and ARGs; a later one replaces an earlier one in place.
    pub(super) variables: Vec<(String, String)>,
    /// Declared ARGs by name, in order, as the history lists them.
    pub(super) arguments: Vec<String>,
}

impl Scope {
    pub(super) fn set(&mut self, name: &str, value: &str) {
        set(&mut self.variables, name, value);
    }

    pub(super) fn declare(&mut self, name: &str, value: Option<&str>) {
        if !self.arguments.iter().any(|known| known == name) {
            self.arguments.push(name.to_owned());
        }
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    /// What RUN steps see of it.
    pub(super) fn seen_by_steps(&self) -> Vec<(String, String)> {
        let is_seen = |(name, _): &&(String, String)| !crate::built_in::is_for_the_builder(name);
        self.variables.iter().filter(is_seen).cloned().collect()
    }

    pub(super) fn lookup(&self, name: &str) -> Option<String> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
}

/// Sets a variable in a list, in place if it is there.
pub(super) fn set(list: &mut Vec<(String, String)>, name: &str, value: &str) {
    match list.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => value.clone_into(old),
        None => list.push((name.to_owned(), value.to_owned())),
    }
}

/// Sets `NAME=value` in the list of an image config, in place if the name is there.
pub(super) fn set_env(list: &mut Vec<String>, name: &str, value: &str) {
    let line = format!("{name}={value}");
    match list.iter_mut().find(|known| known.split('=').next() == Some(name)) {
        Some(old) => *old = line,
        None => list.push(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globals(build_args: &[(&str, &str)]) -> Globals {
        let given =
            build_args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Globals::new(given, &Platform::linux("arm64"), "default")
    }

    #[test]
    fn a_build_arg_beats_the_default_and_the_default_beats_the_global() {
        let mut globals = globals(&[("A", "given")]);
        globals.declare("A", Some("global".to_owned()));
        globals.declare("B", Some("global".to_owned()));
        assert_eq!(globals.argument("A", Some("default".to_owned())).as_deref(), Some("given"));
        assert_eq!(globals.argument("B", Some("default".to_owned())).as_deref(), Some("default"));
        assert_eq!(globals.argument("B", None).as_deref(), Some("global"));
        assert_eq!(globals.argument("C", None), None);
    }

    #[test]
    fn platform_arguments_are_known_and_can_be_overridden() {
        assert_eq!(globals(&[]).lookup("TARGETARCH").as_deref(), Some("arm64"));
        assert_eq!(globals(&[("TARGETARCH", "x")]).argument("TARGETARCH", None).as_deref(), Some("x"));
    }

    #[test]
    fn build_args_that_nobody_asked_for_are_known() {
        let mut globals =
            globals(&[("USED", "1"), ("TYPO", "1"), ("HTTP_PROXY", "x"), ("BUILDKIT_INLINE_CACHE", "1")]);
        globals.argument("USED", None);
        assert_eq!(globals.unconsumed(), ["TYPO"]);
    }
}
