//! What is left of a build for people and scripts: the last line, the digest, the files they asked for.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tug_builder::{Built, Ending, Error};
use tug_oci::{Descriptor, Digest, Reference, media_type};

use super::BuildArguments;
use super::github;
use super::output::Put;
use crate::commands::check::metadata_warnings;
use crate::error::CommandError;
use crate::human;
use crate::output::{Output, Paint};
use crate::progress::{ProgressMode, is_github};
use crate::settings::Settings;

/// Looks whether the files that were asked for can be there at the end: better now than after the build.
pub(super) fn check_files(arguments: &BuildArguments) -> Result<(), CommandError> {
    let files = [&arguments.tell.iidfile, &arguments.tell.metadata_file, &arguments.tell.logfile];
    files.into_iter().flatten().try_for_each(|file| check_file(file))
}

/// Looks whether a file can be there at the end.
pub(in super::super) fn check_file(file: &Path) -> Result<(), CommandError> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let problem = match fs::metadata(folder) {
        Ok(found) if found.is_dir() && !file.is_dir() => return Ok(()),
        Ok(_) => io::Error::from(io::ErrorKind::IsADirectory),
        Err(error) => error,
    };
    Err(cannot_write(file, &problem))
}

/// What a build came to, all platforms together.
pub(in super::super) struct Outcome {
    /// What points to the image or index, if an output was one.
    image: Option<Descriptor>,
    /// The image id, if it is a single image.
    config: Option<Digest>,
    names: Vec<Reference>,
    notes: Vec<String>,
    steps: usize,
    cached: usize,
    new_bytes: u64,
    build: String,
    /// What is probably not meant in the Dockerfiles, as the metadata say it.
    warnings: Vec<Value>,
    took: Duration,
}

impl Outcome {
    pub(in super::super) fn new(built: &[Built], put: Put, took: Duration) -> Self {
        let config = match (built, &put.image) {
            ([only], Some(image)) if !media_type::is_index(&image.media_type) => Some(only.config.clone()),
            _ => None,
        };
        Self {
            config,
            image: put.image,
            names: put.names,
            notes: put.notes,
            steps: built.iter().map(|built| built.steps).sum(),
            cached: built.iter().map(|built| built.cached).sum(),
            new_bytes: built.iter().map(|built| built.new_bytes).sum(),
            build: built.first().map_or_else(String::new, |built| built.build.clone()),
            warnings: metadata_warnings(built.iter().map(|built| &built.findings)),
            took,
        }
    }

    /// What points to the image or index, if an output was one.
    pub(in super::super) fn image(&self) -> Option<&Descriptor> {
        self.image.as_ref()
    }

    /// What docker calls the id: the digest of the config, or of the index.
    fn id(&self) -> Option<&Digest> {
        self.config.as_ref().or_else(|| self.image.as_ref().map(|image| &image.digest))
    }
}

/// Writes what was asked for, and says that it is done.
pub(super) fn succeeded(
    arguments: &BuildArguments,
    outcome: &Outcome,
    mode: ProgressMode,
    stdout_is_taken: bool,
    output: &Output,
) -> Result<(), CommandError> {
    if let (Some(file), Some(id)) = (&arguments.tell.iidfile, outcome.id()) {
        // Without a line break, as docker and buildx do.
        write(file, id.to_string().as_bytes())?;
    }
    if let Some(file) = &arguments.tell.metadata_file {
        write_json(file, &metadata(outcome))?;
    }
    say(outcome, "", mode, output);
    let is_wanted = mode == ProgressMode::Quiet || (mode != ProgressMode::None && !output.stdout.terminal);
    if let Some(image) = &outcome.image
        && is_wanted
        && !stdout_is_taken
    {
        output.line(&image.digest)?;
    }
    Ok(())
}

/// Tells the job of GitHub Actions, if this is one, what was built. That it cannot be told does not fail the build.
pub(super) fn tell_github(outcome: &Outcome, settings: &Settings) {
    if !is_github(&settings.environment) {
        return;
    }
    let result = github::Result {
        id: outcome.id().map(ToString::to_string),
        digest: outcome.image.as_ref().map(|image| image.digest.to_string()),
        metadata: &metadata(outcome),
        summary: summary(outcome),
    };
    if let Err(error) = github::tell(&result, &settings.environment) {
        let why = crate::error::io_text(&error);
        settings.output.warning(format_args!("the job of GitHub Actions was not told the result: {why}"));
    }
}

/// Says what was built, with a `name` before it if there is more than one thing.
pub(in super::super) fn say(outcome: &Outcome, name: &str, mode: ProgressMode, output: &Output) {
    for note in &outcome.notes {
        let word = output.stderr.paint(Paint::Yellow, "warning:");
        output.note(format_args!("{word} {note}"));
    }
    if matches!(mode, ProgressMode::Tty | ProgressMode::Plain) {
        let word = output.stderr.paint(Paint::Green, "Built");
        let name = if name.is_empty() { String::new() } else { format!("{name}: ") };
        output.note(format_args!("{word} {name}{}", summary(outcome)));
    }
}

/// Writes the metadata of a build that failed.
pub(super) fn record_failure(arguments: &BuildArguments, error: &Error) -> Result<(), CommandError> {
    let (Some(file), Error::StepFailed(failure)) = (&arguments.tell.metadata_file, error) else {
        return Ok(());
    };
    let record = json!({
        "tug.build.id": failure.build,
        "tug.build.failedStep": failure.step.name,
        "tug.build.exitCode": own_exit_code(error),
    });
    write_json(file, &record)
}

/// The exit code of the command of a RUN step, as a shell would say it.
pub(super) fn own_exit_code(error: &Error) -> Option<u8> {
    let Error::StepFailed(failure) = error else { return None };
    match &failure.ending {
        Ending::Code(code) => u8::try_from(*code).ok(),
        Ending::Signal(signal) => u8::try_from(128 + signal).ok(),
        Ending::OutOfMemory => Some(137),
    }
}

/// How to look around in the state that a failed command saw.
pub(super) fn look_around(error: &Error, settings: &Settings) -> Option<String> {
    let Error::StepFailed(failure) = error else { return None };
    let (build, step) = (&failure.build, failure.step.id.0 + 1);
    let store = settings.store_flag();
    Some(format!("look around in the state before this step: `tug{store} debug {build} --step {step}`"))
}

/// `app:latest sha256:… in 4.1s (9 of 12 steps cached, 31 MB new)`.
fn summary(outcome: &Outcome) -> String {
    let names = outcome.names.iter().map(Reference::familiar).collect::<Vec<_>>().join(", ");
    let digest = outcome.image.as_ref().map(|image| image.digest.to_string());
    let mut words = vec![names];
    match digest {
        Some(digest) => words.push(digest),
        // Of an image of which only the files were wanted, its name says nothing.
        None => words = Vec::new(),
    }
    words.retain(|word| !word.is_empty());
    words.push(format!("in {}", human::seconds(outcome.took)));
    let steps = human::counted(outcome.steps, "step");
    let cached = match outcome.cached {
        _ if outcome.steps == 0 => "no steps".to_owned(),
        0 => format!("{steps}, none cached"),
        all if all == outcome.steps => format!("{steps}, all cached"),
        some => format!("{some} of {steps} cached"),
    };
    let new = match outcome.new_bytes {
        0 => "nothing new".to_owned(),
        bytes => format!("{} new", human::size(bytes)),
    };
    format!("{} ({cached}, {new})", words.join(" "))
}

/// buildx's keys, and ours.
pub(in super::super) fn metadata(outcome: &Outcome) -> Value {
    let mut metadata = json!({ "buildx.build.ref": format!("tug/tug/{}", outcome.build) });
    if !outcome.warnings.is_empty() {
        metadata["buildx.build.warnings"] = outcome.warnings.clone().into();
    }
    if let Some(image) = &outcome.image {
        if let Some(config) = &outcome.config {
            metadata["containerimage.config.digest"] = json!(config);
        }
        metadata["containerimage.descriptor"] = json!(image);
        metadata["containerimage.digest"] = json!(image.digest);
        let names: Vec<String> = outcome.names.iter().map(ToString::to_string).collect();
        if !names.is_empty() {
            metadata["image.name"] = names.join(",").into();
        }
    }
    metadata["tug.build.id"] = outcome.build.as_str().into();
    metadata["tug.build.steps"] = outcome.steps.into();
    metadata["tug.build.cachedSteps"] = outcome.cached.into();
    metadata["tug.build.newBytes"] = outcome.new_bytes.into();
    metadata["tug.build.seconds"] = (outcome.took.as_millis() as f64 / 1000.0).into();
    metadata
}

/// Writes JSON into a file that was asked for.
pub(in super::super) fn write_json(file: &Path, value: &Value) -> Result<(), CommandError> {
    write(file, format!("{value:#}\n").as_bytes())
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    fs::write(file, bytes).map_err(|error| cannot_write(file, &error))
}

fn cannot_write(file: &Path, error: &io::Error) -> CommandError {
    CommandError::failed(format_args!("cannot write `{}`", file.display())).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(steps: usize, cached: usize, new_bytes: u64, names: &[&str]) -> Outcome {
        Outcome {
            image: Some(Descriptor::new(media_type::OCI_MANIFEST, Digest::of(b"manifest"), 8)),
            config: Some(Digest::of(b"config")),
            names: names.iter().map(|name| name.parse().unwrap()).collect(),
            notes: Vec::new(),
            steps,
            cached,
            new_bytes,
            build: "01J".to_owned(),
            warnings: Vec::new(),
            took: Duration::from_millis(4100),
        }
    }

    #[test]
    fn the_last_line_says_what_came_out_and_what_it_took() {
        let line =
            |outcome: &Outcome| summary(outcome).replace(&Digest::of(b"manifest").to_string(), "sha256:…");
        assert_eq!(
            line(&outcome(12, 9, 31_000_000, &["app"])),
            "app:latest sha256:… in 4.1s (9 of 12 steps cached, 31 MB new)"
        );
        assert_eq!(line(&outcome(1, 0, 5, &[])), "sha256:… in 4.1s (1 step, none cached, 5 B new)");
        assert_eq!(
            line(&outcome(3, 3, 0, &["a", "b:1"])),
            "a:latest, b:1 sha256:… in 4.1s (3 steps, all cached, nothing new)"
        );
        let files = Outcome { image: None, ..outcome(2, 1, 5, &["a"]) };
        assert_eq!(line(&files), "in 4.1s (1 of 2 steps cached, 5 B new)");
    }

    #[test]
    fn the_metadata_has_the_keys_of_buildx() {
        let metadata = metadata(&outcome(12, 9, 31_000_000, &["app", "b:1"]));
        insta::assert_snapshot!(format!("{metadata:#}"), @r#"
        {
          "buildx.build.ref": "tug/tug/01J",
          "containerimage.config.digest": "sha256:b79606fb3afea5bd1609ed40b622142f1c98125abcfe89a76a661b0e8e343910",
          "containerimage.descriptor": {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": "sha256:05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f",
            "size": 8
          },
          "containerimage.digest": "sha256:05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f",
          "image.name": "docker.io/library/app:latest,docker.io/library/b:1",
          "tug.build.id": "01J",
          "tug.build.steps": 12,
          "tug.build.cachedSteps": 9,
          "tug.build.newBytes": 31000000,
          "tug.build.seconds": 4.1
        }
        "#);
    }
}
