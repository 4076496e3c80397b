//! A working copy with `.git` in it, for those who build from what git knows.
//!
//! It is a shallow clone of one commit, on its branch if a branch was asked for. The address of its `origin` has no
//! password in it.

use std::path::Path;

use super::program::Failure;
use super::repository::Repository;
use super::{Commit, GitUrl};
use crate::error::Error;
use crate::stop::Stop;

/// Makes a working copy of `commit`, which `repository` has, in the empty `folder`.
pub(super) fn make(
    repository: &Repository,
    url: &GitUrl,
    commit: &Commit,
    folder: &Path,
    stop: &Stop,
) -> Result<(), Error> {
    let program = &repository.program.with("GIT_DIR", &folder.join(".git").to_string_lossy());
    // From our own copy; nothing else is a path.
    let local = program.with("GIT_CONFIG_PARAMETERS", "'protocol.file.allow=always'");
    let error = |failure: Failure| program.error(failure);
    let run = |arguments: &[&str]| program.output(folder, arguments, stop).map(drop).map_err(error);
    let sha = commit.sha.as_str();
    let format = if sha.len() == 64 { "--object-format=sha256" } else { "--object-format=sha1" };
    run(&["init", "--quiet", "--template=", format])?;
    let from = repository.folder.to_string_lossy().into_owned();
    let reference = commit.reference.as_deref().unwrap_or_default();
    let name = format!("refs/tug/{sha}");
    let spec = match reference.strip_prefix("refs/tags/") {
        Some(_) => format!("+{name}:{reference}"),
        None => format!("+{name}:refs/tug/fetched"),
    };
    let fetch =
        ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--depth=1", from.as_str(), spec.as_str()];
    local.output(folder, &fetch, stop).map(drop).map_err(error)?;
    run(&["config", "remote.origin.url", url.repository()])?;
    run(&["config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"])?;
    match reference.strip_prefix("refs/heads/") {
        Some(branch) => {
            run(&["update-ref", &format!("refs/remotes/origin/{branch}"), sha])?;
            run(&["update-ref", reference, sha])?;
            run(&["symbolic-ref", "HEAD", reference])?;
            run(&["reset", "--quiet", "--hard"])?;
        }
        None => {
            run(&["update-ref", "--no-deref", "HEAD", sha])?;
            run(&["reset", "--quiet", "--hard"])?;
        }
    }
    if !reference.starts_with("refs/tags/") {
        run(&["update-ref", "-d", "refs/tug/fetched"])?;
    }
    if url.wanted().submodules && folder.join(".gitmodules").is_file() {
        let update = ["submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"];
        // Relative addresses are seen from the one with the password.
        run(&["config", "remote.origin.url", url.remote()])?;
        let updated = program.output(folder, &update, stop);
        run(&["config", "remote.origin.url", url.repository()])?;
        updated.map_err(error)?;
    }
    Ok(())
}
