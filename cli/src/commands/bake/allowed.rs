//! What a definition may reach. It is text that may come from anywhere, so files outside of this folder, the SSH agent
//! and privileges must be allowed on the command line.

use std::path::{Path, PathBuf};

use tug_bake::{Plan, Target};

use super::BakeArguments;
use crate::environment::{self, Environment};
use crate::error::CommandError;

/// What was allowed.
#[derive(Debug, Default)]
struct Allowed {
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
    ssh: bool,
    privileges: Vec<String>,
}

/// Something that a target wants and may not have.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Missing {
    flag: String,
    reason: String,
}

impl Missing {
    /// Whether allowing this allows the other as well.
    fn covers(&self, other: &Self) -> bool {
        match (self.flag.split_once('='), other.flag.split_once('=')) {
            (Some((kind, folder)), Some((other_kind, path))) => {
                kind == other_kind && Path::new(path).starts_with(folder)
            }
            _ => self.flag == other.flag,
        }
    }
}

/// An error that names all that is missing.
pub(super) fn check(
    plan: &Plan,
    arguments: &BakeArguments,
    environment: &Environment,
) -> Result<(), CommandError> {
    let here = std::env::current_dir()
        .map_err(|error| CommandError::failed("cannot find the current folder").because(&error))?;
    let files_are_checked =
        !matches!(environment.text(environment::BUILDX_BAKE_ENTITLEMENTS_FS), Some("0" | "false"));
    let allowed = Allowed::new(&arguments.allowed, &here)?;
    let mut missing = Vec::new();
    for (name, target) in &plan.targets {
        allowed.check_target(name, target, &mut missing);
        if files_are_checked {
            allowed.check_files(name, target, &here, &mut missing);
        }
    }
    missing.sort();
    // A folder that must be allowed takes in what is below it; it comes first, for it is shorter.
    let mut needed: Vec<Missing> = Vec::new();
    for one in missing {
        if !needed.iter().any(|known| known.covers(&one)) {
            needed.push(one);
        }
    }
    let missing = needed;
    if missing.is_empty() {
        return Ok(());
    }
    let reasons: Vec<&str> = missing.iter().map(|missing| missing.reason.as_str()).collect();
    let flags: Vec<String> = missing.iter().map(|missing| format!("--allow={}", missing.flag)).collect();
    Err(CommandError::failed(format_args!(
        "the definition wants what it may not have: {}",
        reasons.join("; ")
    ))
    .hint(format!("if that is right, add `{}`", flags.join(" "))))
}

impl Allowed {
    fn new(flags: &[String], here: &Path) -> Result<Self, CommandError> {
        let mut allowed =
            Self { read: vec![real(here, here)], write: vec![real(here, here)], ..Self::default() };
        for flag in flags {
            let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
            let place = if value == "*" { PathBuf::from("/") } else { real(Path::new(value), here) };
            match (name, value.is_empty()) {
                ("fs", false) => {
                    allowed.read.push(place.clone());
                    allowed.write.push(place);
                }
                ("fs.read", false) => allowed.read.push(place),
                ("fs.write", false) => allowed.write.push(place),
                ("ssh", true) => allowed.ssh = true,
                ("network.host" | "security.insecure" | "device", _) => allowed.privileges.push(flag.clone()),
                _ => {
                    return Err(CommandError::usage(format_args!("`--allow {flag}`: nothing of that kind can be allowed"))
                        .hint("`fs=DIR`, `fs.read=DIR`, `fs.write=DIR`, `ssh`, `network.host` and `security.insecure` can"));
                }
            }
        }
        Ok(allowed)
    }

    fn check_target(&self, name: &str, target: &Target, missing: &mut Vec<Missing>) {
        for wanted in target.entitlements.iter().flatten() {
            // RUN steps see the host's network by default here.
            if wanted != "network.host" && !self.privileges.contains(wanted) {
                let reason = format!("`{name}` asks for `{wanted}`");
                missing.push(Missing { flag: wanted.clone(), reason });
            }
        }
        if !self.ssh && target.ssh.iter().flatten().any(|ssh| ssh.paths.is_empty()) {
            let reason = format!("`{name}` uses the SSH agent");
            missing.push(Missing { flag: "ssh".to_owned(), reason });
        }
    }

    fn check_files(&self, name: &str, target: &Target, here: &Path, missing: &mut Vec<Missing>) {
        let mut refuse = |flag: &str, places: &[PathBuf], path: &str| {
            let place = real(Path::new(path), here);
            if !places.iter().any(|allowed| place.starts_with(allowed)) {
                let verb = if flag == "fs.read" { "reads" } else { "writes" };
                missing.push(Missing {
                    flag: format!("{flag}={}", place.display()),
                    reason: format!("`{name}` {verb} `{path}`"),
                });
            }
        };
        for path in read_paths(target) {
            refuse("fs.read", &self.read, &path);
        }
        for path in written_paths(target) {
            refuse("fs.write", &self.write, &path);
        }
    }
}

fn read_paths(target: &Target) -> Vec<String> {
    let context = target.context.clone().unwrap_or_default();
    let mut paths = Vec::new();
    if !tug_bake::is_remote(&context) {
        if target.dockerfile_inline.is_none() {
            let dockerfile = target.dockerfile.as_deref().unwrap_or("Dockerfile");
            paths.push(super::words::dockerfile_path(&context, dockerfile));
        }
        paths.push(context);
    }
    let named = target.contexts.values().filter_map(|context| local(context));
    let secrets = target.secrets.iter().flatten().filter_map(|secret| secret.source.clone());
    let keys = target.ssh.iter().flatten().flat_map(|ssh| ssh.paths.clone());
    let caches = target.cache_from.iter().flatten().filter(|cache| cache.kind == "local");
    let caches = caches.filter_map(|cache| cache.attributes.get("src").cloned());
    paths.extend(named.chain(secrets).chain(keys).chain(caches));
    paths
}

fn written_paths(target: &Target) -> Vec<String> {
    let outputs = target.outputs.iter().flatten().filter_map(|output| output.destination.clone());
    let caches = target.cache_to.iter().flatten().filter(|cache| cache.kind == "local");
    let caches = caches.filter_map(|cache| cache.attributes.get("dest").cloned());
    outputs.filter(|destination| destination != "-").chain(caches).collect()
}

/// The folder that a named context is, if it is one.
fn local(context: &str) -> Option<String> {
    let elsewhere = ["target:", "docker-image:", "oci-layout:"];
    if tug_bake::is_remote(context) || elsewhere.iter().any(|start| context.starts_with(start)) {
        return None;
    }
    Some(context.strip_prefix("cwd://").unwrap_or(context).to_owned())
}

/// Where a path really leads, links followed as far as it exists.
fn real(path: &Path, here: &Path) -> PathBuf {
    let path = here.join(path);
    let mut rest = Vec::new();
    let mut there = path.as_path();
    loop {
        if let Ok(found) = there.canonicalize() {
            return rest.iter().rev().fold(found, |mut found, part: &std::ffi::OsString| {
                match part.to_str() {
                    Some("..") => drop(found.pop()),
                    Some(".") => {}
                    _ => found.push(part),
                }
                found
            });
        }
        let last = there.components().next_back().map(|part| part.as_os_str().to_owned());
        match (there.parent(), last) {
            (Some(parent), Some(last)) => {
                rest.push(last);
                there = parent;
            }
            _ => return path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(flags: &[&str], target: &Target) -> Vec<String> {
        let here = Path::new("/nowhere/here");
        let flags: Vec<String> = flags.iter().map(ToString::to_string).collect();
        let allowed = Allowed::new(&flags, here).unwrap();
        let mut missing = Vec::new();
        allowed.check_target("app", target, &mut missing);
        allowed.check_files("app", target, here, &mut missing);
        missing.into_iter().map(|missing| format!("{}: {}", missing.flag, missing.reason)).collect()
    }

    #[test]
    fn what_is_outside_must_be_allowed() {
        let mut target = Target { context: Some("app".to_owned()), ..Target::default() };
        target.contexts.insert("near".to_owned(), "../here/x".to_owned());
        target.contexts.insert("base".to_owned(), "docker-image://alpine".to_owned());
        assert_eq!(missing(&[], &target), Vec::<String>::new());
        target.contexts.insert("far".to_owned(), "../far".to_owned());
        target.dockerfile = Some("../../Dockerfile".to_owned());
        target.entitlements = Some(vec!["network.host".to_owned(), "security.insecure".to_owned()]);
        assert_eq!(
            missing(&[], &target),
            [
                "security.insecure: `app` asks for `security.insecure`",
                "fs.read=/nowhere/Dockerfile: `app` reads `app/../../Dockerfile`",
                "fs.read=/nowhere/far: `app` reads `../far`",
            ]
        );
        assert_eq!(missing(&["fs.read=..", "security.insecure"], &target), Vec::<String>::new());
        assert_eq!(missing(&["fs=*", "security.insecure"], &target), Vec::<String>::new());
        assert_eq!(missing(&["fs.write=*", "security.insecure"], &target).len(), 2);
    }
}
