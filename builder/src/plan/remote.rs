//! Sources of ADD that are not on this machine, and the flags that are about them.

use std::ops::Range;

use tug_dockerfile::{Add, Instruction, Source};
use tug_fetch::{Remote, RemoteError, hide};
use tug_oci::{Algorithm, Digest};

use super::RemoteSource;
use super::evaluate::StageState;
use super::stages::Planner;
use super::transfer::flag_span;
use crate::error::Problem;

impl StageState {
    /// Whether `--checksum` can be about the sources of `add`: there must be a single one, and it must not be here.
    pub(super) fn check_remote_flags(
        &mut self,
        planner: &mut Planner<'_>,
        instruction: &Instruction,
        add: &Add,
    ) -> Option<()> {
        if add.checksum.is_none() {
            return Some(());
        }
        let message = match add.files.sources.as_slice() {
            [Source::Path(word)] => {
                let path = self.expand(planner, word)?;
                match Remote::parse(&path, false) {
                    Some(_) => return Some(()),
                    None => format!("`--checksum` is for downloads and repositories, and `{path}` is a path"),
                }
            }
            [_] => "`--checksum` is for downloads and repositories".to_owned(),
            several => format!("`--checksum` is about one source, and there are {}", several.len()),
        };
        let place = self.place_of(flag_span(instruction, "checksum"));
        planner.problems.push(Problem::new(place, message));
        None
    }

    /// The source at an address.
    pub(super) fn remote(
        &mut self,
        planner: &mut Planner<'_>,
        instruction: &Instruction,
        add: &Add,
        written: &str,
        remote: Result<Remote, RemoteError>,
        span: Range<usize>,
    ) -> Option<RemoteSource> {
        let place = self.place_of(span);
        let remote = match remote {
            Ok(remote) => remote,
            Err(error) => {
                planner.problems.push(Problem::new(place, error.to_string()));
                return None;
            }
        };
        let checksum = match &add.checksum {
            None => None,
            Some(word) => self.expand(planner, word)?.into(),
        };
        let checksum = checksum.filter(|text: &String| !text.is_empty());
        let checksum_place = self.place_of(flag_span(instruction, "checksum"));
        let mut source = RemoteSource {
            remote,
            written: hide(written),
            checksum: None,
            unpack: add.unpack == Some(true),
            keep_git_dir: false,
        };
        match &mut source.remote {
            Remote::Http(url) => {
                source.checksum = match checksum.as_deref().map(digest) {
                    None => None,
                    Some(Ok(digest)) => Some(digest),
                    Some(Err(reason)) => {
                        planner.problems.push(Problem::new(checksum_place, reason));
                        return None;
                    }
                };
                let is_folder = add.files.destination.raw.ends_with('/') || add.files.sources.len() > 1;
                if is_folder && !source.unpack && url.file_name().is_none() {
                    let problem =
                        Problem::new(place, format!("`{url}` does not say what the file is called"));
                    planner
                        .problems
                        .push(problem.help("give it a name in the destination, without `/` at the end"));
                    return None;
                }
            }
            Remote::Git(url) => {
                source.keep_git_dir = add.keep_git_dir.or(url.wanted().keep_git_dir) == Some(true);
                if let Some(checksum) = checksum {
                    match url.expecting(&checksum) {
                        Ok(expecting) => *url = expecting,
                        Err(error) => {
                            planner.problems.push(Problem::new(checksum_place, error.to_string()));
                            return None;
                        }
                    }
                }
            }
        }
        Some(source)
    }
}

/// What `--checksum` of a file says.
fn digest(text: &str) -> Result<Digest, String> {
    let wrong = |why: String| format!("`{}` is not a checksum: {why}", text.escape_debug());
    let digest: Digest = text.parse().map_err(|error| wrong(format!("{error}")))?;
    match digest.algorithm() {
        Algorithm::Sha256 => Ok(digest),
        other => Err(wrong(format!("expected `sha256:` and 64 digits, not `{}`", other.name()))),
    }
}
