//! `--set PATTERN.KEY=VALUE`: values from the command line, put into the targets whose names match.

use std::collections::BTreeMap;

use crate::definition::Definition;
use crate::entry::{Attest, Entry, Output};
use crate::error::{Problem, Result};
use crate::pattern;
use crate::suggest;
use crate::target::Target;

const KEYS: [&str; 29] = [
    "annotations",
    "args",
    "attest",
    "cache-from",
    "cache-to",
    "call",
    "context",
    "contexts",
    "description",
    "dockerfile",
    "dockerfile-inline",
    "entitlements",
    "extra-hosts",
    "labels",
    "load",
    "network",
    "no-cache",
    "no-cache-filter",
    "output",
    "platform",
    "policy",
    "pull",
    "push",
    "secrets",
    "shm-size",
    "ssh",
    "tags",
    "target",
    "ulimits",
];

/// Overrides for each target.
#[derive(Debug, Default)]
pub(crate) struct Overrides(BTreeMap<String, Vec<Override>>);

#[derive(Clone, Debug)]
struct Override {
    /// As it was written, for messages.
    written: String,
    key: &'static str,
    /// What follows the key: the name of an argument, label, context, host, or resource.
    name: Option<String>,
    /// Given once, except for lists.
    values: Vec<String>,
    append: bool,
}

impl Overrides {
    /// Reads what `--set` was given.
    pub(crate) fn read(
        definition: &Definition,
        sets: &[String],
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let mut all = Self::default();
        for set in sets {
            all.add(definition, set, variable)?;
        }
        Ok(all)
    }

    fn add(
        &mut self,
        definition: &Definition,
        set: &str,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<()> {
        let wrong = |message: String| Problem::elsewhere(format!("`--set {set}`: {message}"));
        let (path, value) = match set.split_once('=') {
            Some((path, value)) => (path, Some(value)),
            None => (set, None),
        };
        let (path, append) = path.strip_suffix('+').map_or((path, false), |path| (path, true));
        let Some((target, rest)) = path.split_once('.') else {
            return Err(wrong("a target and a key are needed".to_owned())
                .help("such as `--set app.tags=app:1` or `--set '*.no-cache=true'`"));
        };
        let (key, name) = match rest.split_once('.') {
            Some((key, name)) => (key, Some(name.to_owned())),
            None => (rest, None),
        };
        let key = known(key).map_err(|meant| wrong(format!("there is no key `{key}`")).meant(meant))?;
        let named = matches!(key, "args" | "contexts" | "labels" | "extra-hosts" | "resources");
        if named && name.as_deref().unwrap_or_default().is_empty() {
            return Err(wrong(format!("`{key}` needs a name"))
                .help(format!("such as `--set {target}.{key}.NAME=VALUE`")));
        }
        if !named && name.is_some() {
            return Err(wrong(format!("`{key}` takes no name")));
        }
        let value = match (value, key, &name) {
            (Some(value), ..) => value.to_owned(),
            (None, "args", Some(name)) => match variable(name) {
                Some(value) => value,
                None => return Ok(()),
            },
            (None, ..) => {
                return Err(wrong("the value is missing".to_owned()).help("write `=VALUE` behind it"));
            }
        };
        let targets = definition.targets.iter().map(|(name, _)| name.as_str());
        let exact: Vec<&str> = targets.clone().filter(|name| *name == target).collect();
        let found = if exact.is_empty() {
            targets.clone().filter(|name| pattern::matches(target, name)).collect()
        } else {
            exact
        };
        if found.is_empty() {
            return Err(
                wrong(format!("no target matches `{target}`")).meant(suggest::closest(target, targets))
            );
        }
        for target in found {
            let overrides = self.0.entry(target.to_owned()).or_default();
            match overrides.iter_mut().find(|known| known.key == key && known.name == name) {
                Some(known) => {
                    known.values.push(value.clone());
                    known.append = append;
                }
                None => overrides.push(Override {
                    written: set.to_owned(),
                    key,
                    name: name.clone(),
                    values: vec![value.clone()],
                    append,
                }),
            }
        }
        Ok(())
    }

    /// Puts the values into the target of that name.
    pub(crate) fn apply(&self, name: &str, target: &mut Target) -> Result<()> {
        for set in self.0.get(name).into_iter().flatten() {
            set.apply(target)
                .map_err(|message| Problem::elsewhere(format!("`--set {}`: {message}", set.written)))?;
        }
        Ok(())
    }
}

/// The key as we call it; buildx has other names for some than in a file, and takes both here.
fn known(key: &str) -> std::result::Result<&'static str, Option<&'static str>> {
    let key = match key {
        "platforms" => "platform",
        "secret" => "secrets",
        "outputs" => "output",
        "resources" => return Ok("resources"),
        other => other,
    };
    KEYS.into_iter().find(|known| *known == key).ok_or_else(|| suggest::closest(key, KEYS))
}

impl Override {
    fn apply(&self, target: &mut Target) -> std::result::Result<(), String> {
        let last = self.values.last().cloned().unwrap_or_default();
        let name = self.name.clone().unwrap_or_default();
        match self.key {
            "description" => target.description = Some(last),
            "context" => target.context = Some(last),
            "dockerfile" => target.dockerfile = Some(last),
            "dockerfile-inline" => target.dockerfile_inline = Some(last),
            "target" => target.stage = Some(last),
            "call" => target.call = Some(last),
            "shm-size" => target.shm_size = Some(last),
            "network" => target.network = Some(last),
            "args" => drop(target.args.insert(name, last)),
            "contexts" => drop(target.contexts.insert(name, last)),
            "labels" => drop(target.labels.insert(name, last)),
            "extra-hosts" => drop(target.extra_hosts.insert(name, last)),
            "resources" => drop(target.resources.insert(name, last)),
            "tags" => self.list(&mut target.tags),
            "platform" => self.list(&mut target.platforms),
            "no-cache-filter" => self.list(&mut target.no_cache_filter),
            "ulimits" => self.list(&mut target.ulimits),
            "entitlements" => target.entitlements.get_or_insert_default().extend(self.values.clone()),
            "annotations" => target.annotations.get_or_insert_default().extend(self.values.clone()),
            "cache-from" => self.entries(&mut target.cache_from)?,
            "cache-to" => self.entries(&mut target.cache_to)?,
            "secrets" => self.entries(&mut target.secrets)?,
            "ssh" => self.entries(&mut target.ssh)?,
            "output" => self.entries(&mut target.outputs)?,
            "policy" => self.entries(&mut target.policy)?,
            "attest" => Attest::merge(target.attest.get_or_insert_default(), self.read()?),
            "no-cache" => target.no_cache = Some(truth(&last)?),
            "pull" => target.pull = Some(truth(&last)?),
            "push" => push(&mut target.outputs, truth(&last)?),
            "load" => load(&mut target.outputs, truth(&last)?),
            other => return Err(format!("`{other}` cannot be set")),
        }
        Ok(())
    }

    fn list(&self, list: &mut Option<Vec<String>>) {
        if !self.append {
            *list = Some(Vec::new());
        }
        list.get_or_insert_default().extend(self.values.clone());
    }

    fn entries<T: Entry>(&self, entries: &mut Option<Vec<T>>) -> std::result::Result<(), String> {
        let read = self.read()?;
        if !self.append {
            *entries = Some(Vec::new());
        }
        T::merge(entries.get_or_insert_default(), read);
        Ok(())
    }

    fn read<T: Entry>(&self) -> std::result::Result<Vec<T>, String> {
        self.values.iter().filter(|value| !value.is_empty()).map(|value| T::from_text(value)).collect()
    }
}

fn truth(text: &str) -> std::result::Result<bool, String> {
    crate::entry::truth(text).ok_or_else(|| format!("`{text}` is neither true nor false"))
}

/// `--push`: images are pushed; where there is no output that could be, one comes to it.
fn push(outputs: &mut Option<Vec<Output>>, wanted: bool) {
    let list = outputs.get_or_insert_default();
    let flag = ("push".to_owned(), wanted.to_string());
    for output in list.iter_mut().filter(|output| output.kind == "image") {
        output.attributes.extend([flag.clone()]);
    }
    if !wanted {
        list.retain(|output| output.kind != "registry");
    } else if list.iter().all(|output| output.kind == "docker") {
        let mut image = Output::of("image");
        image.attributes.extend([flag]);
        list.push(image);
    }
}

/// `--load`: images go into the store, unless the target has outputs of another kind.
fn load(outputs: &mut Option<Vec<Output>>, wanted: bool) {
    let list = outputs.get_or_insert_default();
    let is_there = list.iter().any(|output| output.kind == "docker" && output.destination.is_none());
    let is_image = |output: &Output| matches!(output.kind.as_str(), "docker" | "image" | "registry" | "oci");
    if wanted && !is_there && list.iter().all(is_image) {
        list.push(Output::of("docker"));
    }
}
