//! What package managers have installed, from their own lists.
//!
//! | manager | list                                                                   |
//! | ------- | ---------------------------------------------------------------------- |
//! | dpkg    | `var/lib/dpkg/status`, and a file each in `var/lib/dpkg/status.d`      |
//! | apk     | `lib/apk/db/installed`, `usr/lib/apk/db/installed`                     |
//! | Python  | folders `NAME-VERSION.dist-info` and `.egg-info`                       |
//! | npm     | `package.json` below `node_modules`                                    |
//! | Ruby    | `specifications/NAME-VERSION.gemspec`                                  |
//!
//! The databases of rpm are files of SQLite or Berkeley DB; that they are there is told, and they are not read.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};

use serde::Deserialize;

use crate::entry::{EntryKind, shown, split};
use crate::error::{Error, Result};
use crate::view::{LastLink, Node, View};

/// Lists are read up to here; Debian's longest is a tenth of it.
const LIST_LIMIT: u64 = 256 << 20;
/// A line of a list, and a `package.json`, are read up to here.
const LINE_LIMIT: u64 = 1 << 20;
/// So many `package.json` are read.
const MOST_NPM: usize = 50_000;

/// Who installed a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PackageKind {
    /// Debian and its kin.
    Dpkg,
    /// Alpine.
    Apk,
    /// pip and others.
    Python,
    /// npm, yarn, pnpm.
    Npm,
    /// gem, bundler.
    Gem,
}

impl PackageKind {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dpkg => "deb",
            Self::Apk => "apk",
            Self::Python => "python",
            Self::Npm => "npm",
            Self::Gem => "gem",
        }
    }
}

/// A package by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// Who installed it.
    pub kind: PackageKind,
    /// What it is called.
    pub name: String,
}

/// What is installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packages {
    /// The versions of each package; npm may have several.
    pub installed: BTreeMap<Package, BTreeSet<String>>,
    /// Lists that are there and were not read.
    pub unread: Vec<String>,
}

impl View {
    /// What is installed in a merged tree.
    pub fn packages(&self) -> Result<Packages> {
        let mut found = Packages::default();
        self.dpkg(&mut found)?;
        for list in [&b"lib/apk/db/installed"[..], b"usr/lib/apk/db/installed"] {
            if let Some(node) = self.list(list) {
                self.each_line(&node, &mut Apk::default(), &mut found)?;
            }
        }
        for (folder, name) in
            [("var/lib/rpm", "rpm"), ("usr/lib/sysimage/rpm", "rpm"), ("usr/share/rpm", "rpm")]
        {
            if !self.children(folder.as_bytes()).is_empty() {
                found.unread.push(format!("the database of {name} in /{folder}"));
            }
        }
        self.by_path(&mut found)?;
        Ok(found)
    }

    fn dpkg(&self, found: &mut Packages) -> Result<()> {
        let mut lists: Vec<Node> = self.list(b"var/lib/dpkg/status").into_iter().collect();
        let each = self.children(b"var/lib/dpkg/status.d");
        lists.extend(each.into_iter().filter(|node| !node.path().ends_with(b".md5sums")));
        for node in lists {
            self.each_line(&node, &mut Dpkg::default(), found)?;
        }
        Ok(())
    }

    /// Packages that are told by where their files lie.
    fn by_path(&self, found: &mut Packages) -> Result<()> {
        let mut npm = 0;
        for node in self.walk(b"") {
            let (directory, name) = split(node.path());
            let kind = &node.entry().kind;
            let is_file = matches!(kind, EntryKind::File { .. });
            let name = String::from_utf8_lossy(name);
            if let Some(package) = name.strip_suffix(".dist-info").or_else(|| name.strip_suffix(".egg-info"))
                && let Some((name, version)) = package.split_once('-')
            {
                let version = version.split("-py").next().unwrap_or(version);
                found.add(PackageKind::Python, name, version);
            } else if is_file
                && directory.ends_with(b"/specifications")
                && let Some(package) = name.strip_suffix(".gemspec")
                && let Some((name, version)) = package.rsplit_once('-')
            {
                found.add(PackageKind::Gem, name, version);
            } else if is_file && name == "package.json" && is_npm(directory) {
                npm += 1;
                if npm == MOST_NPM {
                    found.unread.push(format!("packages of npm beyond the first {MOST_NPM}"));
                }
                if npm <= MOST_NPM {
                    self.npm(&node, found)?;
                }
            }
        }
        Ok(())
    }

    fn npm(&self, node: &Node, found: &mut Packages) -> Result<()> {
        #[derive(Deserialize)]
        struct Manifest {
            name: Option<String>,
            version: Option<String>,
        }
        let mut bytes = Vec::new();
        self.open(node)?.take(LINE_LIMIT).read_to_end(&mut bytes).map_err(unreadable)?;
        // Tests of packages have broken ones.
        if let Ok(Manifest { name: Some(name), version: Some(version) }) = serde_json::from_slice(&bytes) {
            found.add(PackageKind::Npm, &name, &version);
        }
        Ok(())
    }

    /// A list, if there is one; links are followed inside the image.
    fn list(&self, path: &[u8]) -> Option<Node> {
        let node = self.resolve(path, LastLink::Follow).ok()?;
        // What is a link to another list is read under that one's name.
        (node.path() == path && matches!(node.entry().kind, EntryKind::File { .. })).then_some(node)
    }

    fn each_line(&self, node: &Node, list: &mut dyn List, found: &mut Packages) -> Result<()> {
        if !matches!(node.entry().kind, EntryKind::File { .. }) {
            return Ok(());
        }
        let mut lines = BufReader::new(self.open(node)?.take(LIST_LIMIT));
        let mut line = Vec::new();
        loop {
            line.clear();
            match (&mut lines).take(LINE_LIMIT).read_until(b'\n', &mut line).map_err(unreadable)? {
                0 => break,
                _ => list.line(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']), found),
            }
        }
        list.line("", found);
        if matches!(&node.entry().kind, EntryKind::File { size, .. } if *size > LIST_LIMIT) {
            found.unread.push(format!("the end of /{}", shown(node.path())));
        }
        Ok(())
    }
}

impl Packages {
    fn add(&mut self, kind: PackageKind, name: &str, version: &str) {
        let package = Package { kind, name: name.to_owned() };
        self.installed.entry(package).or_default().insert(version.to_owned());
    }
}

fn unreadable(source: std::io::Error) -> Error {
    Error::Stream { action: "read a layer", source }
}

/// `…/node_modules/NAME` and `…/node_modules/@SCOPE/NAME`.
fn is_npm(directory: &[u8]) -> bool {
    let (above, _) = split(directory);
    let (higher, scope) = split(above);
    let is_modules = |path: &[u8]| split(path).1 == b"node_modules";
    is_modules(above) || scope.starts_with(b"@") && is_modules(higher)
}

/// A list of packages in paragraphs. An empty line ends one.
trait List {
    fn line(&mut self, line: &str, found: &mut Packages);
}

/// Source: deb-control(5); a package that was removed may still have its configuration and an entry.
#[derive(Default)]
struct Dpkg {
    name: Option<String>,
    version: Option<String>,
    is_gone: bool,
}

impl List for Dpkg {
    fn line(&mut self, line: &str, found: &mut Packages) {
        if let Some(name) = line.strip_prefix("Package: ") {
            self.name = Some(name.to_owned());
        } else if let Some(version) = line.strip_prefix("Version: ") {
            self.version = Some(version.to_owned());
        } else if let Some(status) = line.strip_prefix("Status: ") {
            self.is_gone = !status.ends_with(" installed");
        } else if line.is_empty() {
            let Self { name, version, is_gone } = std::mem::take(self);
            if let (Some(name), Some(version), false) = (name, version, is_gone) {
                found.add(PackageKind::Dpkg, &name, &version);
            }
        }
    }
}

/// Source: the Alpine wiki, "Apk spec".
#[derive(Default)]
struct Apk {
    name: Option<String>,
    version: Option<String>,
}

impl List for Apk {
    fn line(&mut self, line: &str, found: &mut Packages) {
        if let Some(name) = line.strip_prefix("P:") {
            self.name = Some(name.to_owned());
        } else if let Some(version) = line.strip_prefix("V:") {
            self.version = Some(version.to_owned());
        } else if line.is_empty()
            && let (Some(name), Some(version)) = (self.name.take(), self.version.take())
        {
            found.add(PackageKind::Apk, &name, &version);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::NewEntry;
    use crate::layer::LayerWriterOptions;
    use crate::store::tests::store;

    #[test]
    fn lists_of_package_managers_are_read() {
        let (_folder, store) = store();
        let mut files: BTreeMap<&str, &str> = BTreeMap::from([
            (
                "var/lib/dpkg/status",
                "Package: bash\nStatus: install ok installed\nVersion: 5.2-1\nDescription: a shell\n Package: no\n\n\
                 Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n",
            ),
            ("var/lib/dpkg/status.d/base", "Package: base-files\nVersion: 12\n"),
            ("var/lib/dpkg/status.d/base.md5sums", "Package: no\nVersion: 1\n"),
            ("lib/apk/db/installed", "C:Q1\nP:musl\nV:1.2.5-r0\n\nP:busybox\nV:1.36\n\n"),
            ("usr/lib/python3/site-packages/requests-2.31.0.dist-info/METADATA", ""),
            ("usr/lib/python3/site-packages/six-1.16.0-py3.11.egg-info/x", ""),
            ("app/node_modules/left-pad/package.json", r#"{"name":"left-pad","version":"1.3.0"}"#),
            ("app/node_modules/@types/node/package.json", r#"{"name":"@types/node","version":"20.1.0"}"#),
            (
                "app/node_modules/x/node_modules/left-pad/package.json",
                r#"{"name":"left-pad","version":"1.0.0"}"#,
            ),
            ("app/node_modules/x/test/package.json", r#"{"name":"no","version":"1.0.0"}"#),
            ("usr/lib/ruby/gems/specifications/rack-3.0.0.gemspec", ""),
            ("var/lib/rpm/rpmdb.sqlite", ""),
        ]);
        let mut writer = store.layer_writer(&LayerWriterOptions::default()).unwrap();
        let mut folders: BTreeSet<String> = BTreeSet::new();
        for path in files.keys() {
            for (end, _) in path.match_indices('/') {
                folders.insert(path[..end].to_owned());
            }
        }
        let mut entries: Vec<NewEntry> =
            folders.iter().map(|path| NewEntry::directory(path.as_str(), 0o755)).collect();
        entries.extend(files.iter().map(|(path, text)| NewEntry::file(*path, 0o644, text.len() as u64)));
        entries.sort_by(|one, other| crate::entry::canonical_order(&one.path, &other.path));
        for entry in entries {
            let text = files.remove(std::str::from_utf8(&entry.path).unwrap()).unwrap_or_default();
            writer.add(&entry, Some(&mut text.as_bytes())).unwrap();
        }
        let view = store.view(&[writer.finish().unwrap().diff_id().clone()]).unwrap();
        let found = view.packages().unwrap();
        let listing: String = found
            .installed
            .iter()
            .map(|(package, versions)| {
                let versions: Vec<_> = versions.iter().map(String::as_str).collect();
                format!("{} {} {}\n", package.kind.name(), package.name, versions.join(" "))
            })
            .collect();
        insta::assert_snapshot!(listing, @"
        deb base-files 12
        deb bash 5.2-1
        apk busybox 1.36
        apk musl 1.2.5-r0
        python requests 2.31.0
        python six 1.16.0
        npm @types/node 20.1.0
        npm left-pad 1.0.0 1.3.0
        gem rack 3.0.0
        ");
        assert_eq!(found.unread, ["the database of rpm in /var/lib/rpm"]);
    }
}
