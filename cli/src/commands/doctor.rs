//! `tug doctor`: what this machine can do, why it matters, and how to mend what it cannot.

use serde_json::{Value, json};
use tug_runtime::{Check, Mode, Outcome};

use crate::error::CommandError;
use crate::exit::Exit;
use crate::format;
use crate::output::{Paint, Stream};
use crate::session::Session;
use crate::settings::Settings;
use crate::template::Template;

/// Arguments of `tug doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Ends with 4 when this machine cannot build images.")]
pub(crate) struct DoctorArguments {
    /// Write `json`, or what a template says
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

/// Tries everything, then whether the sum of it is enough to build.
pub(super) fn run(arguments: &DoctorArguments, settings: &Settings) -> Result<Exit, CommandError> {
    let store = settings.store()?;
    let mut checks = tug_runtime::probe(&store);
    checks.push(git(tug_fetch::git_version(&crate::remote::of_git(&settings.environment))));
    let session = Session::enter(settings);
    let verdict = session.and_then(|session| match missing(&checks) {
        None => Ok(mode_in_words(session.runtime.mode()?)),
        Some(error) => Err(error),
    });
    let verdict = verdict.as_ref();
    let output = &settings.output;
    match arguments.format.as_deref() {
        None => output.data(report(&checks, verdict, output.stdout).as_bytes())?,
        Some(format) => {
            let value = json!({
                "checks": checks.iter().map(check_value).collect::<Vec<_>>(),
                "canBuild": verdict.is_ok(),
                "mode": verdict.ok(),
                "store": store.to_string_lossy(),
            });
            match format {
                "json" => output.line(format::pretty(&value))?,
                template => output.line(Template::parse(template)?.render(&value)?)?,
            }
        }
    }
    Ok(if verdict.is_ok() { Exit::Success } else { Exit::Host })
}

/// Repositories are fetched by git; nothing else needs it.
fn git(version: Option<String>) -> Check {
    let remedy = "install it, for example with `apt-get install git` or `apk add git`";
    Check {
        name: "git",
        outcome: if version.is_some() { Outcome::Ok } else { Outcome::Degraded },
        remedy: version.is_none().then(|| remedy.to_owned()),
        found: version.unwrap_or_else(|| "it is not installed".to_owned()),
        why: "`ADD` of repositories, and contexts that are some, are fetched with it",
    }
}

/// What keeps containers from running, although a store and a mode were found.
fn missing(checks: &[Check]) -> Option<CommandError> {
    let missing = checks.iter().find(|check| check.outcome == Outcome::Missing)?;
    let message = format!("RUN steps and containers need what is missing: {}", missing.name);
    Some(CommandError::new(Exit::Host, message))
}

fn report(checks: &[Check], verdict: Result<&String, &CommandError>, stream: Stream) -> String {
    let mut text = String::new();
    for check in checks {
        let word = match check.outcome {
            Outcome::Ok => stream.paint(Paint::Green, "ok      "),
            Outcome::Degraded => stream.paint(Paint::Yellow, "degraded"),
            Outcome::Missing => stream.paint(Paint::Red, "missing "),
        };
        text += &format!("{word}  {}: {}\n", stream.paint(Paint::Bold, check.name), check.found);
        if check.outcome != Outcome::Ok {
            text += &format!("          why it matters: {}\n", check.why);
        }
        if let Some(remedy) = &check.remedy {
            text += &format!("          how to mend it: {remedy}\n");
        }
    }
    if !checks.is_empty() {
        text.push('\n');
    }
    match verdict {
        Ok(mode) => text += &format!("tug can build here: {mode}\n"),
        Err(error) => {
            text += &format!("{}\n", stream.paint(Paint::Red, "tug cannot build here"));
            text += &error.text(stream);
        }
    }
    text
}

fn mode_in_words(mode: Mode) -> String {
    match mode {
        Mode::Root => "as root".to_owned(),
        Mode::ManyIds { uids, .. } => format!("rootless, with {uids} ids"),
        Mode::SingleId => "rootless, with a single id; other owners are recorded, not set".to_owned(),
        _ => "in a mode of its own".to_owned(),
    }
}

fn check_value(check: &Check) -> Value {
    json!({
        "name": check.name,
        "outcome": match check.outcome {
            Outcome::Ok => "ok",
            Outcome::Degraded => "degraded",
            Outcome::Missing => "missing",
        },
        "found": check.found,
        "why": check.why,
        "remedy": check.remedy,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_says_how_it_stands_and_what_to_do() {
        let check = |name, outcome, remedy: Option<&str>| Check {
            name,
            outcome,
            found: "found".to_owned(),
            why: "because",
            remedy: remedy.map(str::to_owned),
        };
        let checks = [
            check("user namespaces", Outcome::Ok, None),
            check("ranges of ids", Outcome::Degraded, Some("ask an administrator")),
            check("overlay", Outcome::Missing, None),
        ];
        let stream = Stream::default();
        insta::assert_snapshot!(report(&checks[..2], Ok(&"as root".to_owned()), stream), @"
        ok        user namespaces: found
        degraded  ranges of ids: found
                  why it matters: because
                  how to mend it: ask an administrator

        tug can build here: as root
        ");
        insta::assert_snapshot!(report(&checks[2..], Err(&missing(&checks).unwrap()), stream), @"
        missing   overlay: found
                  why it matters: because

        tug cannot build here
        error: RUN steps and containers need what is missing: overlay
        ");
        let error =
            CommandError::new(Exit::Host, "this host does not let us create user namespaces").hint("do x");
        insta::assert_snapshot!(report(&[], Err(&error), stream), @"
        tug cannot build here
        error: this host does not let us create user namespaces

        hint: do x
        ");
    }
}
