//! The submodules of a commit, and theirs.
//!
//! They are fetched by their commits, each from its own repository with the same rules. One whose address is a path of
//! this machine, or has a transport that is not allowed, is an error: the repository is somebody else's. One that has no
//! address at all stays an empty folder, as after `git clone`.

use std::collections::BTreeMap;

use super::archive::Part;
use super::program::Failure;
use super::reference::is_commit;
use super::repository::Repository;
use super::{Commit, Git};
use crate::error::Error;
use crate::stop::Stop;

const DEEPEST: usize = 10;
const MOST: usize = 1000;

/// Fetches the submodules of `sha`, which lies at `path`, and adds them to `parts`.
pub(super) fn fetch(
    git: &Git,
    repository: &Repository,
    sha: &str,
    path: &str,
    depth: usize,
    parts: &mut Vec<Part>,
    stop: &Stop,
) -> Result<(), Error> {
    let addresses = addresses(repository, sha, stop)?;
    if addresses.is_empty() {
        return Ok(());
    }
    for (place, commit) in links(repository, sha, stop)? {
        let Some(address) = addresses.get(&place) else { continue };
        let wrong = |reason: String| Error::Submodule {
            url: repository.program.shown().to_owned(),
            path: place.clone(),
            reason,
        };
        if depth >= DEEPEST || parts.len() > MOST {
            return Err(wrong(format!("more than {MOST} submodules, or {DEEPEST} in each other")));
        }
        let url = repository.url.submodule(address).map_err(|error| wrong(error.to_string()))?;
        let inner = git.repository(&url);
        inner.fetch(&Commit { sha: commit.clone(), reference: None }, stop).map_err(|error| match error {
            Error::Stopped => error,
            error => wrong(error.to_string()),
        })?;
        let inner_path = if path.is_empty() { place.clone() } else { format!("{path}/{place}") };
        parts.push(Part::new(&inner, &inner_path, &commit));
        fetch(git, &inner, &commit, &inner_path, depth + 1, parts, stop)?;
    }
    Ok(())
}

/// What `.gitmodules` says: addresses by path.
fn addresses(repository: &Repository, sha: &str, stop: &Stop) -> Result<BTreeMap<String, String>, Error> {
    let blob = format!("{sha}:.gitmodules");
    let listing = match repository.git(&["config", "--blob", &blob, "--list", "-z"], stop) {
        Ok(listing) => listing,
        Err(Failure::Git { .. }) => return Ok(BTreeMap::new()),
        Err(failure) => return Err(repository.program.error(failure)),
    };
    let (mut paths, mut urls) = (BTreeMap::new(), BTreeMap::new());
    for pair in String::from_utf8_lossy(&listing).split('\0') {
        let Some((name, value)) = pair.split_once('\n') else { continue };
        let Some(name) = name.strip_prefix("submodule.") else { continue };
        if let Some(name) = name.strip_suffix(".path") {
            paths.insert(name.to_owned(), value.trim_matches('/').to_owned());
        } else if let Some(name) = name.strip_suffix(".url") {
            urls.insert(name.to_owned(), value.to_owned());
        }
    }
    Ok(paths.into_iter().filter_map(|(name, path)| Some((path, urls.remove(&name)?))).collect())
}

/// The places in the tree of a commit where another repository's commit is named.
fn links(repository: &Repository, sha: &str, stop: &Stop) -> Result<Vec<(String, String)>, Error> {
    let listing = repository.git(&["ls-tree", "-r", "-z", sha], stop);
    let listing = listing.map_err(|failure| repository.program.error(failure))?;
    let mut links = Vec::new();
    for entry in listing.split(|byte| *byte == 0) {
        let Ok(entry) = std::str::from_utf8(entry) else { continue };
        let Some((facts, path)) = entry.split_once('\t') else { continue };
        let mut facts = facts.split(' ');
        if let (Some("160000"), Some("commit"), Some(commit)) = (facts.next(), facts.next(), facts.next())
            && is_commit(commit)
        {
            links.push((path.to_owned(), commit.to_owned()));
        }
    }
    Ok(links)
}
