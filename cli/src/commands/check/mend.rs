//! `tug check --fix`: mends files where that cannot change what is built.
//!
//! A file is replaced as a whole, by a rename, and only if it is still what was read. A file that is reached through a
//! link is replaced where it lies.

use std::fs;
use std::io::Write;
use std::path::Path;

use tug_builder::{InspectOptions, Inspected};
use tug_dockerfile::{Fix, Mended};
use tug_layer_store::Store;

use super::report::Checked;
use super::{Call, report};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::human;
use crate::output::{Paint, Stream};
use crate::settings::Settings;

/// Mends every file, or shows how it would be mended, then tells what is left.
pub(super) fn run(
    read: &[Inspected],
    options: &InspectOptions,
    store: Option<&Store>,
    dry_run: bool,
    folder: &Path,
    settings: &Settings,
) -> Result<Exit, CommandError> {
    let mut left = Vec::new();
    for inspected in read {
        inspected.refuse_problems()?;
        let shown = folder.join(&inspected.source.name);
        let Some(Mended { text: mended, fixes }) = inspected.fix(options, store)? else {
            if inspected.path.is_none() && !dry_run {
                settings.output.data(&inspected.bytes)?;
            }
            left.push(None);
            continue;
        };
        if dry_run {
            let diff = unified(&inspected.bytes, &mended, &shown.to_string_lossy(), settings.output.stdout);
            settings.output.data(diff.as_bytes())?;
        } else {
            match &inspected.path {
                Some(path) => replace(path, &inspected.bytes, &mended)?,
                // What came on standard input goes to standard output.
                None => settings.output.data(&mended)?,
            }
        }
        settings.output.note(summary(&fixes, &shown.to_string_lossy(), dry_run));
        left.push(Some(inspected.with_text(mended, &options.build_args)));
    }
    let after: Vec<&Inspected> =
        left.iter().zip(read).map(|(after, before)| after.as_ref().unwrap_or(before)).collect();
    let writes_file = !dry_run && read.iter().all(|inspected| inspected.path.is_some());
    if !writes_file {
        return Ok(if left.iter().all(Option::is_none) || !dry_run { Exit::Success } else { Exit::Failed });
    }
    let mut checked = Vec::new();
    for inspected in after {
        checked.push(Checked { inspected, findings: inspected.lint(options, store)? });
    }
    report::text(&checked, Call::check(), folder, settings)
}

/// `Dockerfile: fixed 3 (2 FromAsCasing, 1 StageNameCasing)`.
fn summary(fixes: &[Fix], file: &str, dry_run: bool) -> String {
    let mut names: Vec<&str> = fixes.iter().map(|fix| fix.rule.name()).collect();
    names.sort_unstable();
    let each: Vec<String> =
        names.chunk_by(|one, other| one == other).map(|same| format!("{} {}", same.len(), same[0])).collect();
    let word = if dry_run { "would fix" } else { "fixed" };
    format!("{}: {word} {} ({})", human::one_line(file), fixes.len(), each.join(", "))
}

/// Puts `new` in the place of the file at `path`, which must still hold `old`.
fn replace(path: &Path, old: &[u8], new: &[u8]) -> Result<(), CommandError> {
    let cannot = |error: std::io::Error| {
        CommandError::failed(format_args!("cannot change `{}`", path.display())).because(&error)
    };
    let path = fs::canonicalize(path).map_err(cannot)?;
    if fs::read(&path).map_err(cannot)? != old {
        return Err(CommandError::failed(format_args!("`{}` changed meanwhile", path.display()))
            .hint("run the command again"));
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = folder.join(format!(".{name}.tug-{}", std::process::id()));
    let written = (|| {
        let permissions = fs::metadata(&path)?.permissions();
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&draft)?;
        file.write_all(new)?;
        file.set_permissions(permissions)?;
        file.sync_all()?;
        fs::rename(&draft, &path)
    })();
    written.map_err(|error| {
        drop(fs::remove_file(&draft));
        cannot(error)
    })
}

/// The lines that differ, as `diff -u` shows them, with three lines around each.
fn unified(old: &[u8], new: &[u8], file: &str, stream: Stream) -> String {
    const AROUND: usize = 3;
    let lines = |text: &[u8]| -> Vec<String> {
        String::from_utf8_lossy(text).split_inclusive('\n').map(str::to_owned).collect()
    };
    let (old, new) = (lines(old), lines(new));
    let steps = steps(&old, &new);
    let file = human::one_line(file);
    let mut text = format!("--- {file}\n+++ {file}\n");
    let mut at = 0;
    while let Some(change) = steps[at..].iter().position(|step| step.sign != ' ') {
        let first = (at + change).saturating_sub(AROUND).max(at);
        let mut end = at + change;
        let mut quiet = 0;
        while end < steps.len() && quiet <= 2 * AROUND {
            quiet = if steps[end].sign == ' ' { quiet + 1 } else { 0 };
            end += 1;
        }
        end -= quiet.saturating_sub(AROUND);
        let hunk = &steps[first..end];
        let count = |without: char| hunk.iter().filter(|step| step.sign != without).count();
        let head = format!("@@ -{},{} +{},{} @@", hunk[0].old + 1, count('+'), hunk[0].new + 1, count('-'));
        text += &format!("{}\n", stream.paint(Paint::Cyan, &head));
        for step in hunk {
            let line = step.text.trim_end_matches(['\n', '\r']);
            let line = format!("{}{}", step.sign, human::one_line(line));
            text += &match step.sign {
                '-' => stream.paint(Paint::Red, &line),
                '+' => stream.paint(Paint::Green, &line),
                _ => line,
            };
            text.push('\n');
        }
        at = end;
    }
    text
}

/// One line of a diff, and how many lines of each text stand before it.
struct Step<'a> {
    sign: char,
    text: &'a str,
    old: usize,
    new: usize,
}

/// Lines that are taken out and put in. Fixes change lines or take them out and never move any, so it is enough to look
/// for the nearest line that both texts have.
fn steps<'a>(old: &'a [String], new: &'a [String]) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    let (mut at, mut to) = (0, 0);
    while at < old.len() || to < new.len() {
        if old.get(at).is_some() && old.get(at) == new.get(to) {
            steps.push(Step { sign: ' ', text: &old[at], old: at, new: to });
            (at, to) = (at + 1, to + 1);
            continue;
        }
        // Where do they agree again? As few lines as possible are passed over, and rather old ones than new ones.
        let agree =
            (1..).map(|sum| (0..=sum).rev().map(move |taken| (taken, sum - taken))).take(64).flatten();
        let mut agree = agree.filter(|(taken, put)| at + taken < old.len() && to + put < new.len());
        let found = agree.find(|(taken, put)| old[at + taken] == new[to + put]);
        let (taken, put) = found.unwrap_or((old.len() - at, new.len() - to));
        let gone = (at..at + taken).map(|line| Step { sign: '-', text: &old[line], old: line, new: to });
        steps.extend(gone);
        let come =
            (to..to + put).map(|line| Step { sign: '+', text: &new[line], old: at + taken, new: line });
        steps.extend(come);
        (at, to) = (at + taken, to + put);
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_shows_what_changes_and_three_lines_around() {
        let old =
            "FROM a as b\nRUN 1\nRUN 2\nRUN 3\nRUN 4\nRUN 5\nRUN 6\nRUN 7\nRUN 8\nRUN x \\\n\n y\nEND\n";
        let new = old.replace(" as ", " AS ").replace("\\\n\n", "\\\n");
        insta::assert_snapshot!(unified(old.as_bytes(), new.as_bytes(), "Dockerfile", Stream::default()), @r"
        --- Dockerfile
        +++ Dockerfile
        @@ -1,4 +1,4 @@
        -FROM a as b
        +FROM a AS b
         RUN 1
         RUN 2
         RUN 3
        @@ -8,6 +8,5 @@
         RUN 7
         RUN 8
         RUN x \
        -
          y
         END
        ");
    }

    #[test]
    fn a_file_that_changed_meanwhile_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Dockerfile");
        fs::write(&path, "one").unwrap();
        replace(&path, b"one", b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert!(replace(&path, b"one", b"three").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
