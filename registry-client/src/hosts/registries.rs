//! registries.conf, version 2, and the files in the folder registries.conf.d.
//!
//! Of several files the later ones win: a list or an alias replaces that of the same name, an entry the one with the same
//! prefix. Source: containers-registries.conf(5).

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::options::RegistriesOptions;
use crate::config_error::{ConfigError, Origin};
use crate::document::{self, Part};
use crate::repository::Repository;

/// What all files say together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registries {
    /// Where names without a registry are looked for, and where that is written.
    pub(crate) search: Option<(Vec<String>, Origin)>,
    /// Full names of short ones, and where they are written.
    pub(crate) aliases: BTreeMap<String, (String, Origin)>,
    /// The entries.
    pub(crate) entries: Vec<Entry>,
}

/// An entry `[[registry]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Names that it is about: a host, a path on it, or `*.` and a domain.
    pub(crate) prefix: String,
    /// What stands for the prefix in the real address; the prefix itself when it is empty.
    pub(crate) location: String,
    pub(crate) insecure: bool,
    pub(crate) blocked: bool,
    pub(crate) mirrors: Vec<Mirror>,
    pub(crate) origin: Origin,
}

/// An entry `[[registry.mirror]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mirror {
    pub(crate) location: String,
    pub(crate) insecure: bool,
    pub(crate) pulls: Pulls,
}

/// What a mirror is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pulls {
    All,
    ByDigest,
    ByTag,
}

impl Registries {
    /// Reads all files.
    pub(crate) fn read(options: &RegistriesOptions) -> Result<Self, ConfigError> {
        let mut all = Self::default();
        for (origin, value) in documents(options)? {
            all.add(&Part::whole(&value, &origin))?;
        }
        Ok(all)
    }

    /// The entry with the longest prefix of `repository`, and how much of the name it covers.
    pub(crate) fn entry(&self, repository: &Repository) -> Option<(&Entry, usize)> {
        let name = repository.to_string();
        let matching = self.entries.iter().filter_map(|entry| Some((entry, covered(&entry.prefix, &name)?)));
        matching.max_by_key(|(entry, _)| entry.prefix.len())
    }

    fn add(&mut self, file: &Part<'_>) -> Result<(), ConfigError> {
        if file.field("registries")?.is_some() {
            return Err(
                file.problem("has a table `registries`, the older form: write `[[registry]]` entries")
            );
        }
        if let Some(search) = file.field("unqualified-search-registries")? {
            self.search = Some((search.texts()?, file.origin().clone()));
        }
        if let Some(aliases) = file.field("aliases")? {
            for (name, part) in aliases.fields()? {
                match part.text()? {
                    "" => drop(self.aliases.remove(name)),
                    full => {
                        let value = (full.to_owned(), file.origin().clone());
                        self.aliases.insert(name.to_owned(), value);
                    }
                }
            }
        }
        if let Some(entries) = file.field("registry")? {
            for part in entries.entries()? {
                let entry = entry(&part)?;
                self.entries.retain(|other| other.prefix != entry.prefix);
                self.entries.push(entry);
            }
        }
        Ok(())
    }
}

/// The files that count, parsed, in the order in which they override each other.
pub(crate) fn documents(options: &RegistriesOptions) -> Result<Vec<(Origin, Value)>, ConfigError> {
    let mut documents = Vec::new();
    let mut add = |path: &Path| {
        let Some(text) = document::read(path)? else { return Ok(false) };
        let origin = Origin::from(path);
        let value = document::toml(&text, &origin)?;
        documents.push((origin, value));
        Ok::<bool, ConfigError>(true)
    };
    if let Some((path, named_by)) = &options.only {
        if !add(path)? {
            return Err(ConfigError::NoSuchFile { path: path.clone(), named_by: named_by.clone() });
        }
        return Ok(documents);
    }
    let main = |folder: &PathBuf| folder.join("registries.conf");
    let user_has_own = options.user.as_ref().map(main).map(|path| add(&path)).transpose()?.unwrap_or(false);
    let mut folders = Vec::new();
    if !user_has_own {
        for path in options.system.iter().rev().map(main) {
            if add(&path)? {
                break;
            }
        }
        folders.extend(&options.system);
    }
    for folder in folders.into_iter().chain(&options.user) {
        for path in conf_files(&folder.join("registries.conf.d"))? {
            add(&path)?;
        }
    }
    Ok(documents)
}

/// The files `*.conf` of a folder, sorted.
fn conf_files(folder: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let failed = |source| ConfigError::Read { path: folder.to_owned(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(failed(error)),
    };
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    paths.retain(|path| path.extension() == Some(OsStr::new("conf")));
    paths.sort();
    Ok(paths)
}

fn entry(part: &Part<'_>) -> Result<Entry, ConfigError> {
    let location = address(part, "location")?;
    let prefix = address(part, "prefix")?.or_else(|| location.clone());
    let Some(prefix) = prefix else { return Err(part.problem("has neither `prefix` nor `location`")) };
    let wildcard = prefix.strip_prefix("*.");
    if wildcard.unwrap_or(&prefix).contains('*') {
        return Err(part.problem("has a `*` in its `prefix` that is not a `*.` at the beginning"));
    }
    if location.is_none() && wildcard.is_none() {
        return Err(part.problem("has a `prefix` and no `location`"));
    }
    let only_digests = part.flag_of("mirror-by-digest-only")?;
    let mut mirrors = Vec::new();
    if let Some(list) = part.field("mirror")? {
        for mirror in list.entries()? {
            mirrors.push(self::mirror(&mirror, only_digests)?);
        }
    }
    Ok(Entry {
        location: location.unwrap_or_default(),
        insecure: part.flag_of("insecure")?,
        blocked: part.flag_of("blocked")?,
        origin: part.origin().clone(),
        prefix,
        mirrors,
    })
}

fn mirror(part: &Part<'_>, only_digests: bool) -> Result<Mirror, ConfigError> {
    let location = address(part, "location")?.ok_or_else(|| part.problem("has no `location`"))?;
    let pulls = match (part.text_of("pull-from-mirror")?, only_digests) {
        (Some(_), true) => {
            return Err(
                part.problem("has `pull-from-mirror`, which `mirror-by-digest-only` of its registry forbids")
            );
        }
        (None, true) | (Some("digest-only"), false) => Pulls::ByDigest,
        (None | Some("all"), false) => Pulls::All,
        (Some("tag-only"), false) => Pulls::ByTag,
        (Some(_), false) => {
            return Err(
                part.problem("has a `pull-from-mirror` that is none of `all`, `digest-only`, `tag-only`")
            );
        }
    };
    Ok(Mirror { location, insecure: part.flag_of("insecure")?, pulls })
}

/// A host, which is in lower case in names too, with or without a path; no scheme.
fn address(part: &Part<'_>, name: &str) -> Result<Option<String>, ConfigError> {
    let Some(text) = part.text_of(name)? else { return Ok(None) };
    if text.contains("://") {
        return Err(part.problem(&format!("has a `{name}` with a scheme: write only host and path")));
    }
    let (host, path) = text.split_once('/').map_or((text, None), |(host, path)| (host, Some(path)));
    let mut address = host.to_ascii_lowercase();
    if let Some(path) = path {
        address.push('/');
        address.push_str(path);
    }
    Ok(Some(address.trim_end_matches('/').to_owned()).filter(|text| !text.is_empty()))
}

/// How many bytes of a name `host/path` a prefix covers.
fn covered(prefix: &str, name: &str) -> Option<usize> {
    let ends_there = |length: usize| name.len() == length || name.as_bytes()[length] == b'/';
    let Some(domain) = prefix.strip_prefix('*') else {
        return (name.starts_with(prefix) && ends_there(prefix.len())).then_some(prefix.len());
    };
    let host = name.split('/').next().unwrap_or_default();
    // `*.example.com/path`: the part before the path is about the host.
    let (domain, path) = domain.split_once('/').map_or((domain, None), |(domain, path)| (domain, Some(path)));
    // A port of the name is not in the prefix, unless it was written there.
    let bare = if domain.contains(':') { host } else { host.rsplit_once(':').map_or(host, |(bare, _)| bare) };
    if bare.len() <= domain.len() || !bare.ends_with(domain) {
        return None;
    }
    match path {
        None => Some(host.len()),
        Some(path) => {
            let rest = name.get(host.len() + 1..).unwrap_or_default();
            let length = host.len() + 1 + path.len();
            (rest.starts_with(path) && ends_there(length)).then_some(length)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_the_same_in_capitals() {
        let text = "[[registry]]\nprefix = \"*.Example.COM/Team\"\nlocation = \"LOCALHOST:5000/Up/\"\n";
        let origin = Origin::Flag("x".to_owned());
        let value = document::toml(text, &origin).unwrap();
        let mut registries = Registries::default();
        registries.add(&Part::whole(&value, &origin)).unwrap();
        let entry = &registries.entries[0];
        assert_eq!(
            (entry.prefix.as_str(), entry.location.as_str()),
            ("*.example.com/Team", "localhost:5000/Up")
        );
    }

    #[test]
    fn a_prefix_covers_whole_parts_of_a_name() {
        for (prefix, name, expected) in [
            ("a.io", "a.io/x", Some(4)),
            ("a.io", "a.io:5000/x", None),
            ("a.io", "a.iox/x", None),
            ("a.io/x", "a.io/x", Some(6)),
            ("a.io/x", "a.io/x/y", Some(6)),
            ("a.io/x", "a.io/xy", None),
            ("*.a.io", "b.a.io/x", Some(6)),
            ("*.a.io", "c.b.a.io/x", Some(8)),
            ("*.a.io", "b.a.io:5000/x", Some(11)),
            ("*.a.io:5000", "b.a.io:5000/x", Some(11)),
            ("*.a.io", "a.io/x", None),
            ("*.a.io", "xa.io/x", None),
            ("*.a.io", "evil.com/b.a.io/x", None),
            ("*.a.io/x", "b.a.io/x/y", Some(8)),
            ("*.a.io/x", "b.a.io/xy", None),
        ] {
            assert_eq!(covered(prefix, name), expected, "{prefix} {name}");
        }
    }
}
