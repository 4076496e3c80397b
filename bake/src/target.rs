//! Targets and groups, and what happens when two of one name meet.

use std::collections::BTreeMap;

use crate::entry::{Attest, Cache, Entry, Output, Policy, Secret, Ssh};

/// What one target builds. A field that is `None` was not given; an empty list was given and is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Target {
    /// What it is for.
    pub description: Option<String>,
    /// The targets whose fields it takes over; empty once it is resolved.
    pub inherits: Vec<String>,
    /// `--annotation`
    pub annotations: Option<Vec<String>>,
    /// `--attest`
    pub attest: Option<Vec<Attest>>,
    /// The build context: a folder or an URL.
    pub context: Option<String>,
    /// `--build-context`, by name; `target:NAME` is the result of another target.
    pub contexts: BTreeMap<String, String>,
    /// `--file`, seen from the context.
    pub dockerfile: Option<String>,
    /// A Dockerfile as text; it wins over `dockerfile`.
    pub dockerfile_inline: Option<String>,
    /// `--build-arg`
    pub args: BTreeMap<String, String>,
    /// `--label`
    pub labels: BTreeMap<String, String>,
    /// `--tag`
    pub tags: Option<Vec<String>>,
    /// `--cache-from`
    pub cache_from: Option<Vec<Cache>>,
    /// `--cache-to`
    pub cache_to: Option<Vec<Cache>>,
    /// `--target`
    pub stage: Option<String>,
    /// `--secret`
    pub secrets: Option<Vec<Secret>>,
    /// `--ssh`
    pub ssh: Option<Vec<Ssh>>,
    /// `--platform`
    pub platforms: Option<Vec<String>>,
    /// `--output`
    pub outputs: Option<Vec<Output>>,
    /// `--pull`
    pub pull: Option<bool>,
    /// `--no-cache`
    pub no_cache: Option<bool>,
    /// `--network`
    pub network: Option<String>,
    /// `--no-cache-filter`
    pub no_cache_filter: Option<Vec<String>>,
    /// `--shm-size`
    pub shm_size: Option<String>,
    /// `--ulimit`
    pub ulimits: Option<Vec<String>>,
    /// `--call`
    pub call: Option<String>,
    /// `--allow`
    pub entitlements: Option<Vec<String>>,
    /// `--add-host`
    pub extra_hosts: BTreeMap<String, String>,
    /// `--policy`
    pub policy: Option<Vec<Policy>>,
    /// `--resource`
    pub resources: BTreeMap<String, String>,
    /// It is built only because another target needs it.
    pub linked: bool,
}

/// Targets that are built together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// What it is for.
    pub description: Option<String>,
    /// Names of targets and groups.
    pub targets: Vec<String>,
}

impl Target {
    /// Takes over what `other` gives. Names, stages, outputs, platforms and tags replace what was there; maps, secrets,
    /// cache sources and the like are added to it.
    pub(crate) fn merge(&mut self, other: Self) {
        replace(&mut self.description, other.description);
        replace(&mut self.context, other.context);
        replace(&mut self.dockerfile, other.dockerfile);
        replace(&mut self.dockerfile_inline, other.dockerfile_inline);
        replace(&mut self.tags, other.tags);
        replace(&mut self.stage, other.stage);
        replace(&mut self.call, other.call);
        replace(&mut self.platforms, other.platforms);
        replace(&mut self.cache_to, other.cache_to);
        replace(&mut self.outputs, other.outputs);
        replace(&mut self.pull, other.pull);
        replace(&mut self.no_cache, other.no_cache);
        replace(&mut self.network, other.network);
        replace(&mut self.shm_size, other.shm_size);
        self.args.extend(other.args);
        self.contexts.extend(other.contexts);
        self.labels.extend(other.labels);
        self.extra_hosts.extend(other.extra_hosts);
        self.resources.extend(other.resources);
        append(&mut self.annotations, other.annotations);
        append(&mut self.no_cache_filter, other.no_cache_filter);
        append(&mut self.ulimits, other.ulimits);
        append(&mut self.entitlements, other.entitlements);
        entries(&mut self.attest, other.attest);
        entries(&mut self.secrets, other.secrets);
        entries(&mut self.ssh, other.ssh);
        entries(&mut self.cache_from, other.cache_from);
        entries(&mut self.policy, other.policy);
        self.inherits.extend(other.inherits);
    }

    /// Takes out what is there twice and what is empty.
    pub(crate) fn normalize(&mut self) {
        let lists = [
            &mut self.annotations,
            &mut self.tags,
            &mut self.platforms,
            &mut self.no_cache_filter,
            &mut self.ulimits,
            &mut self.entitlements,
        ];
        for list in lists.into_iter().flatten() {
            once(list);
        }
        if self.network.as_deref() == Some("host") {
            let entitlements = self.entitlements.get_or_insert_default();
            if !entitlements.iter().any(|known| known == "network.host") {
                entitlements.push("network.host".to_owned());
            }
        }
        self.contexts.retain(|_, value| !value.is_empty());
    }
}

/// Leaves each text once, and none that is empty.
pub(crate) fn once(list: &mut Vec<String>) {
    let mut seen = std::collections::BTreeSet::new();
    list.retain(|text| !text.is_empty() && seen.insert(text.clone()));
}

fn replace<T>(old: &mut Option<T>, new: Option<T>) {
    if new.is_some() {
        *old = new;
    }
}

fn append(old: &mut Option<Vec<String>>, new: Option<Vec<String>>) {
    if let Some(new) = new {
        old.get_or_insert_default().extend(new);
    }
}

fn entries<T: Entry>(old: &mut Option<Vec<T>>, new: Option<Vec<T>>) {
    if let Some(new) = new {
        T::merge(old.get_or_insert_default(), new);
    }
}
