//! What comes to a definition from outside.

use std::collections::BTreeMap;

/// What comes to a definition from outside. Nothing else does: no file and no variable is read here.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Values that were set for variables on the command line. They win.
    pub variables: BTreeMap<String, String>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// The text of a file `.env`, which gives compose files the variables that the environment does not have.
    pub dot_env: Option<String>,
    /// Variables that are always there, such as `BAKE_LOCAL_PLATFORM`.
    pub builtins: BTreeMap<String, String>,
    /// Seconds since 1970, for `timestamp()`.
    pub now: i64,
    /// Something random, for `uuidv4()`.
    pub seed: u64,
}

impl Inputs {
    /// The value that a variable is given from outside, and where that comes from.
    pub(crate) fn given(&self, name: &str) -> Option<(&str, &'static str)> {
        let set = self.variables.get(name).map(|value| (value.as_str(), "`--var`"));
        set.or_else(|| self.environment.get(name).map(|value| (value.as_str(), "the environment")))
    }
}
