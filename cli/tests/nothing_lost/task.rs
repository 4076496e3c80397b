//! One thing that a worker does to the store, and what may be different afterwards.

use std::collections::BTreeMap;

use crate::chance::Chance;
use crate::yard::{CONTEXTS, Yard};

/// What a worker's names lead to.
pub(crate) type Names = BTreeMap<String, String>;

/// A command.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// The words for tug.
    pub(crate) words: Vec<String>,
    /// Names that lead to an image when it is done.
    pub(crate) gives: Vec<String>,
    /// Names that lead nowhere when it is done.
    pub(crate) takes: Vec<String>,
    /// The file that is there, whole, when it is done.
    pub(crate) writes: Option<String>,
    /// Whether it needs the registry.
    pub(crate) remote: bool,
}

impl Task {
    fn of(words: &[&str]) -> Self {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Self { words, gives: Vec::new(), takes: Vec::new(), writes: None, remote: false }
    }

    fn giving(mut self, names: &[&str]) -> Self {
        self.gives = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    fn remote(self) -> Self {
        Self { remote: true, ..self }
    }

    /// Something for a worker whose names are `names`.
    pub(crate) fn any(chance: &mut Chance, yard: &Yard, worker: usize, round: u64, names: &Names) -> Self {
        let new = format!("w{worker}/app:{}", chance.below(4));
        let known: Vec<&String> = names.keys().collect();
        let some = match known.is_empty() {
            true => None,
            false => Some(chance.of(&known).as_str()),
        };
        match (chance.below(13), some) {
            (0 | 1, Some(name)) => {
                Self { takes: vec![name.to_owned()], ..Self::of(&["rmi", "--force", name]) }
            }
            (2, Some(name)) => Self::of(&["tag", name, &new]).giving(&[&new]),
            (3, Some(name)) => {
                let (format, file) = match chance.percent(50) {
                    true => ("docker-archive", format!("out-{worker}.tar")),
                    false => ("oci-archive", format!("out-{worker}.tar")),
                };
                let compress = *chance.of(&["none", "gzip", "zstd"]);
                let words = ["save", "--format", format, "--compress", compress, "-o", &file, name];
                Self { writes: Some(file.clone()), ..Self::of(&words) }
            }
            (4, Some(name)) => {
                let remote = format!("{}/w{worker}/pushed:{}", yard.registry_name(), chance.below(2));
                Self::of(&["push", "-q", name, &remote]).remote()
            }
            (5, _) => {
                let name = format!("{}/seed:1", yard.registry_name());
                // Workers would have one name, so each pulls by a name of its own.
                let name = name.replace("/seed", &format!("/seed-{worker}"));
                Self::of(&["pull", "-q", &name]).giving(&[&name]).remote()
            }
            (6, _) => {
                let names = [format!("w{worker}/loaded:1"), format!("w{worker}/loaded:2")];
                let file = format!("load-{worker}.tar");
                Self::of(&["load", "-q", "-i", &file]).giving(&[&names[0], &names[1]])
            }
            (7, _) => Self::of(&["import", "root.tar", &new]).giving(&[&new]),
            (8, _) => Self::of(&["settle"]),
            (9, _) if yard.prunes => Self::of(&["system", "prune", "--force"]),
            (10, _) => {
                let context = format!("context-{}", chance.below(CONTEXTS));
                Self::of(&["build", "-q", "-t", &new, "--no-cache", &context]).giving(&[&new])
            }
            _ => {
                let context = format!("context-{}", chance.below(CONTEXTS));
                let argument = format!("ROUND={}", round / (1 + chance.below(3)));
                let words =
                    ["build", "-q", "--network", "none", "-t", &new, "--build-arg", &argument, &context];
                Self::of(&words).giving(&[&new])
            }
        }
    }

    /// The words for tug.
    pub(crate) fn words(&self) -> Vec<&str> {
        self.words.iter().map(String::as_str).collect()
    }

    /// What kind it is.
    pub(crate) fn kind(&self) -> &str {
        &self.words[0]
    }

    /// Whether it may change what `name` leads to.
    pub(crate) fn touches(&self, name: &str) -> bool {
        self.gives.iter().chain(&self.takes).any(|touched| touched == name)
    }
}
