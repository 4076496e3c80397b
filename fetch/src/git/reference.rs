//! From what was asked for to a commit.
//!
//! The whole name of a commit is one. Anything else is asked of the server: a branch comes before a tag of the same
//! name, and of an annotated tag the commit behind it counts.

use super::program::REMOTE;
use super::repository::Repository;
use super::{Commit, GitUrl};
use crate::error::Error;
use crate::stop::Stop;

pub(super) fn resolve(repository: &Repository, url: &GitUrl, stop: &Stop) -> Result<Commit, Error> {
    let wanted = url.wanted();
    let commit = match (&wanted.checksum, &wanted.reference) {
        (Some(checksum), _) if wanted.by_commit => {
            if !is_commit(checksum) {
                let reason = "`fetch-by-commit` needs the whole name of a commit as `checksum`";
                return Err(repository.program.failed(reason, None));
            }
            return Ok(Commit { sha: checksum.clone(), reference: None });
        }
        (_, Some(reference)) if is_commit(reference) => {
            Found { commit: Commit { sha: reference.clone(), reference: None }, tag: None }
        }
        (_, reference) => ask(repository, reference.as_deref(), stop)?,
    };
    let Found { commit, tag } = commit;
    if let Some(expected) = &wanted.checksum
        && !commit.sha.starts_with(expected.as_str())
        && !tag.is_some_and(|tag| tag.starts_with(expected.as_str()))
    {
        return Err(Error::OtherCommit {
            url: repository.program.shown().to_owned(),
            reference: wanted.reference.clone().unwrap_or_else(|| "HEAD".to_owned()),
            expected: expected.clone(),
            actual: commit.sha,
        });
    }
    Ok(commit)
}

struct Found {
    commit: Commit,
    /// The object of an annotated tag.
    tag: Option<String>,
}

fn ask(repository: &Repository, reference: Option<&str>, stop: &Stop) -> Result<Found, Error> {
    repository.make_folder()?;
    let names = candidates(reference);
    let mut arguments = vec!["ls-remote".to_owned(), "--symref".to_owned(), REMOTE.to_owned()];
    arguments.extend(names.iter().flat_map(|name| [name.clone(), format!("{name}^{{}}")]));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let listing = repository.git(&arguments, stop).map_err(|failure| repository.program.error(failure))?;
    let listing = String::from_utf8_lossy(&listing);
    choose(&listing, &names).ok_or_else(|| Error::NoReference {
        url: repository.program.shown().to_owned(),
        reference: reference.unwrap_or("HEAD").to_owned(),
    })
}

/// The whole names that a short one may mean, the best first.
fn candidates(reference: Option<&str>) -> Vec<String> {
    match reference {
        None | Some("HEAD") => vec!["HEAD".to_owned()],
        Some(name) if name.starts_with("refs/") => vec![name.to_owned()],
        Some(name) => ["refs/heads/", "refs/tags/", "refs/"].map(|prefix| format!("{prefix}{name}")).to_vec(),
    }
}

/// Looks for the first of `names` in what `git ls-remote` has listed.
fn choose(listing: &str, names: &[String]) -> Option<Found> {
    let lines = || listing.lines().filter_map(|line| line.split_once('\t'));
    let of = |name: &str| {
        let sha = lines().find(|(sha, found)| *found == name && is_commit(sha))?.0;
        Some(sha.to_owned())
    };
    names.iter().find_map(|name| {
        let sha = of(name)?;
        let target = lines().find(|(sha, found)| found == name && sha.starts_with("ref: "));
        let reference = target.map_or(name.as_str(), |(sha, _)| &sha["ref: ".len()..]);
        let reference = Some(reference.to_owned());
        Some(match of(&format!("{name}^{{}}")) {
            Some(peeled) => Found { commit: Commit { sha: peeled, reference }, tag: Some(sha) },
            None => Found { commit: Commit { sha, reference }, tag: None },
        })
    })
}

/// Whether a text is the whole name of a commit.
pub(super) fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_comes_before_a_tag_and_a_commit_before_its_tag() {
        let (a, b, c) = ("a".repeat(40), "b".repeat(40), "c".repeat(40));
        let listing = format!(
            "ref: refs/heads/main\tHEAD\n{a}\tHEAD\n{a}\trefs/heads/both\n{b}\trefs/tags/both\n{b}\trefs/tags/v1\n\
             {c}\trefs/tags/v1^{{}}\n{a}\trefs/heads/x/v2\n"
        );
        let found = |name| {
            choose(&listing, &candidates(name)).map(|found| (found.commit.sha, found.commit.reference))
        };
        assert_eq!(found(None), Some((a.clone(), Some("refs/heads/main".to_owned()))));
        assert_eq!(found(Some("both")), Some((a, Some("refs/heads/both".to_owned()))));
        assert_eq!(found(Some("v1")), Some((c, Some("refs/tags/v1".to_owned()))));
        assert_eq!(found(Some("v2")), None);
    }
}
