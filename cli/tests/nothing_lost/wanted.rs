//! The commands that meet faults, and what is to be there when they are done.

use std::fs;
use std::path::PathBuf;

use crate::checker;
use crate::yard::Yard;

/// Each with the name that it gives. `REGISTRY` is the registry, `ELSEWHERE` a folder on another file system.
const COMMANDS: &[(&[&str], Option<&str>)] = &[
    (
        &["build", "-q", "--network", "none", "-t", "new", "--build-arg", "ROUND=7", "context-1"],
        Some("new:latest"),
    ),
    (&["load", "-q", "-i", "load-2.tar"], Some("w2/loaded:1")),
    (&["load", "-q", "-i", "load-1.tar"], Some("w1/loaded:2")),
    (&["import", "root.tar", "new"], Some("new:latest")),
    (&["tag", "app", "new"], Some("new:latest")),
    (&["save", "-o", "out.tar", "app"], None),
    (&["save", "--format", "oci-archive", "--compress", "zstd", "-o", "out.tar", "app", "base"], None),
    (&["rmi", "--force", "gone"], None),
    (&["settle"], None),
    (&["pull", "-q", "REGISTRY/seed:1"], Some("REGISTRY/seed:1")),
    (&["push", "-q", "app", "REGISTRY/pushed:1"], None),
    (&["system", "prune", "--force"], None),
    (&["system", "prune", "--force", "--derived"], None),
    (&["builds", "prune", "--force"], None),
    (&["store", "verify", "--repair"], None),
    (&["store", "move", "moved"], None),
    (&["store", "move", "ELSEWHERE"], None),
    (&["store", "dedup", "--hard-links"], None),
    (&["edit", "--env", "A=1", "-t", "new", "app"], Some("new:latest")),
    (&["squash", "-t", "new", "app"], Some("new:latest")),
    (&["append", "-f", "root.tar", "-t", "new", "app"], Some("new:latest")),
    (&["convert", "--compression", "zstd", "-t", "new", "app"], Some("new:latest")),
    (&["export", "-o", "out.tar", "app"], None),
];

/// A command.
pub(crate) struct Wanted {
    pub(crate) words: Vec<String>,
    /// The name that leads to an image when it is done.
    pub(crate) gives: Option<String>,
    /// Where the store is when it is done, if not where it was.
    moves_to: Option<PathBuf>,
}

/// All of them.
pub(crate) fn all(yard: &Yard) -> Vec<Wanted> {
    let elsewhere = format!("/dev/shm/tug-lost-{}", std::process::id());
    let filled =
        |word: &str| word.replace("REGISTRY", &yard.registry_name()).replace("ELSEWHERE", &elsewhere);
    let wanted = COMMANDS.iter().map(|(words, gives)| {
        let words: Vec<String> = words.iter().map(|word| filled(word)).collect();
        let moves_to = (words[0] == "store" && words[1] == "move").then(|| yard.path(&words[2]));
        Wanted { words, gives: gives.map(filled), moves_to }
    });
    wanted.collect()
}

/// A store with an image to keep, one that goes, some that nothing names, and what was deleted half.
pub(crate) fn prepare(yard: &Yard) {
    let must = |words: &[&str]| drop(Yard::successful(words, yard.run_to_the_end(words)));
    let build = ["build", "-q", "--network", "none", "--build-arg"];
    must(&[&build[..], &["ROUND=0", "-t", "app", "context-2"]].concat());
    must(&[&build[..], &["ROUND=1", "-t", "app", "context-0"]].concat());
    must(&["load", "-q", "-i", "load-0.tar"]);
    let remote = format!("{}/seed:1", yard.registry_name());
    must(&["push", "-q", "w0/loaded:1", &remote]);
    must(&["rmi", "w0/loaded:1", "w0/loaded:2"]);
    must(&["import", "root.tar", "gone"]);
}

impl Wanted {
    /// The words for tug.
    pub(crate) fn words(&self) -> Vec<&str> {
        self.words.iter().map(String::as_str).collect()
    }

    /// Makes what the command needs, in a store that is as prepared.
    pub(crate) fn set_up(&self, yard: &Yard) {
        if let Some(target) = &self.moves_to {
            let _ = fs::remove_dir_all(target);
        }
        if self.is_repair() {
            for folder in checker::names_in(&yard.store().join("layers")) {
                fs::write(folder.join("toc"), "no table").unwrap();
            }
        }
    }

    /// Where the store is.
    pub(crate) fn store(&self, yard: &Yard) -> PathBuf {
        match &self.moves_to {
            Some(target) if !yard.store().join("index.json").exists() => target.clone(),
            _ => yard.store().to_owned(),
        }
    }

    /// Whether it cannot be done again: a store that was moved is not where it was.
    pub(crate) fn is_done_for_good(&self, yard: &Yard) -> bool {
        self.store(yard) != yard.store()
    }

    /// Whether something that is wrong was wrong before, and the command is to mend it.
    pub(crate) fn is_to_mend(&self, finding: &str) -> bool {
        self.is_repair() && finding.contains("toc: ")
    }

    fn is_repair(&self) -> bool {
        self.words.iter().any(|word| word == "--repair")
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        if let Some(target) = self.moves_to.take() {
            let _ = fs::remove_dir_all(target);
        }
    }
}
