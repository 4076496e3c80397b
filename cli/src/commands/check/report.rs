//! What was found, for people: the words of buildx, and a mark under the words that they are about.

use std::path::Path;

use tug_builder::{Findings, Inspected};

use super::Call;
use crate::diagnostic;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Paint, Stream};
use crate::progress::{is_github, lints};
use crate::settings::Settings;

/// A Dockerfile and what was found in it.
pub(super) struct Checked<'a> {
    /// The file.
    pub(super) inspected: &'a Inspected,
    /// What is probably not meant.
    pub(super) findings: Findings,
}

impl Checked<'_> {
    /// Neither wrong nor suspicious.
    pub(super) fn is_clean(&self) -> bool {
        self.inspected.problems.is_empty() && self.findings.lints.is_empty()
    }
}

/// Writes everything to standard output; what is wrong with a file is the error that the command ends with.
pub(super) fn text(
    checked: &[Checked<'_>],
    call: Call,
    folder: &Path,
    settings: &Settings,
) -> Result<Exit, CommandError> {
    let found: usize = checked.iter().map(|checked| checked.findings.lints.len()).sum();
    let stdout = settings.output.stdout;
    let mut told = match found {
        0 => String::new(),
        1 => "Check complete, 1 warning has been found!\n".to_owned(),
        several => format!("Check complete, {several} warnings have been found!\n"),
    };
    for checked in checked {
        told += &warnings(&checked.findings, stdout);
    }
    let is_wrong = checked.iter().any(|checked| !checked.inspected.problems.is_empty());
    if found == 0 && !is_wrong {
        told = "Check complete, no warnings found.\n".to_owned();
    }
    settings.output.data(told.as_bytes())?;
    let in_github = is_github(&settings.environment);
    if in_github {
        settings.output.talk(&annotations(checked, folder));
    }
    let mut failures = checked.iter().filter_map(|checked| checked.inspected.refuse_problems().err());
    if let Some(first) = failures.next() {
        for failure in failures {
            settings.output.talk(&CommandError::from(failure).text(settings.output.stderr));
        }
        let first = CommandError::from(first);
        return Err(if in_github { first.in_github_log() } else { first });
    }
    Ok(if found == 0 || call.ignore_status { Exit::Success } else { Exit::Failed })
}

fn warnings(findings: &Findings, stream: Stream) -> String {
    let warning = |finding: tug_builder::Finding| {
        let head = stream.paint(Paint::Yellow, &format!("WARNING: {}", finding.rule));
        let url = stream.paint(Paint::Dim, &finding.url);
        let picture = diagnostic::draw_finding(&finding, stream);
        // The picture begins with the message, which stands above it here.
        let picture = picture.split_once('\n').map_or("", |(_, picture)| picture);
        format!("\n{head} - {url}\n{}\n{picture}", crate::human::one_line(&finding.message))
    };
    findings.shown().into_iter().map(warning).collect()
}

/// Everything as annotations of GitHub Actions, one a line.
pub(super) fn annotations(checked: &[Checked<'_>], folder: &Path) -> String {
    let mut all = String::new();
    for checked in checked {
        let file = folder.join(&checked.inspected.source.name);
        all += &lints::annotate(&checked.findings.shown(), &file.to_string_lossy());
        if let Err(error) = checked.inspected.refuse_problems() {
            all += &CommandError::from(error).annotations(folder);
        }
    }
    all
}
