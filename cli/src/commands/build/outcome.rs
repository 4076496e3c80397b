//! What is left of a build for people and scripts: the last line, the digest, the files they asked for.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tug_builder::{Built, Ending, Error};
use tug_oci::Reference;

use super::BuildArguments;
use crate::error::CommandError;
use crate::human;
use crate::output::{Output, Paint};
use crate::progress::ProgressMode;

/// Looks whether the files that were asked for can be there at the end: better now than after the build.
pub(super) fn check_files(arguments: &BuildArguments) -> Result<(), CommandError> {
    for file in [&arguments.tell.iidfile, &arguments.tell.metadata_file].into_iter().flatten() {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let problem = match fs::metadata(folder) {
            Ok(found) if found.is_dir() && !file.is_dir() => continue,
            Ok(_) => io::Error::from(io::ErrorKind::IsADirectory),
            Err(error) => error,
        };
        return Err(cannot_write(file, &problem));
    }
    Ok(())
}

/// Writes what was asked for, and says that it is done.
pub(super) fn succeeded(
    arguments: &BuildArguments,
    built: &Built,
    took: Duration,
    mode: ProgressMode,
    output: &Output,
) -> Result<(), CommandError> {
    if let Some(file) = &arguments.tell.iidfile {
        // Docker and buildx write the image id, which is the digest of the config, without a line break.
        write(file, built.config.to_string().as_bytes())?;
    }
    if let Some(file) = &arguments.tell.metadata_file {
        write_json(file, &metadata(built, took))?;
    }
    let digest = &built.descriptor.digest;
    if matches!(mode, ProgressMode::Tty | ProgressMode::Plain) {
        let word = output.stderr.paint(Paint::Green, "Built");
        output.note(format_args!("{word} {}", summary(built, took)));
    }
    let quiet = mode == ProgressMode::Quiet;
    if quiet || (mode != ProgressMode::None && !output.stdout.terminal) {
        output.line(digest)?;
    }
    Ok(())
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

/// `app:latest sha256:… in 4.1s (9 of 12 steps cached, 31 MB new)`.
fn summary(built: &Built, took: Duration) -> String {
    let mut names = built.names.iter().map(Reference::familiar).collect::<Vec<_>>().join(", ");
    if !names.is_empty() {
        names.push(' ');
    }
    let steps = human::counted(built.steps, "step");
    let cached = match built.cached {
        _ if built.steps == 0 => "no steps".to_owned(),
        0 => format!("{steps}, none cached"),
        all if all == built.steps => format!("{steps}, all cached"),
        some => format!("{some} of {steps} cached"),
    };
    let new = match built.new_bytes {
        0 => "nothing new".to_owned(),
        bytes => format!("{} new", human::size(bytes)),
    };
    format!("{names}{} in {} ({cached}, {new})", built.descriptor.digest, human::seconds(took))
}

/// buildx's keys, and ours.
fn metadata(built: &Built, took: Duration) -> Value {
    let names: Vec<String> = built.names.iter().map(ToString::to_string).collect();
    let mut metadata = json!({
        "containerimage.config.digest": built.config,
        "containerimage.descriptor": built.descriptor,
        "containerimage.digest": built.descriptor.digest,
    });
    if !names.is_empty() {
        metadata["image.name"] = names.join(",").into();
    }
    metadata["tug.build.id"] = built.build.as_str().into();
    metadata["tug.build.steps"] = built.steps.into();
    metadata["tug.build.cachedSteps"] = built.cached.into();
    metadata["tug.build.newBytes"] = built.new_bytes.into();
    metadata["tug.build.seconds"] = (took.as_millis() as f64 / 1000.0).into();
    metadata
}

fn write_json(file: &Path, value: &Value) -> Result<(), CommandError> {
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
    use tug_oci::{Descriptor, Digest, media_type};

    use super::*;

    fn built(steps: usize, cached: usize, new_bytes: u64, names: &[&str]) -> Built {
        Built {
            descriptor: Descriptor::new(media_type::OCI_MANIFEST, Digest::of(b"manifest"), 8),
            config: Digest::of(b"config"),
            names: names.iter().map(|name| name.parse().unwrap()).collect(),
            steps,
            cached,
            new_bytes,
            build: "01J".to_owned(),
            findings: tug_builder::Findings::default(),
        }
    }

    #[test]
    fn the_last_line_says_what_came_out_and_what_it_took() {
        let line = |built: &Built| {
            summary(built, Duration::from_millis(4100))
                .replace(&built.descriptor.digest.to_string(), "sha256:…")
        };
        assert_eq!(
            line(&built(12, 9, 31_000_000, &["app"])),
            "app:latest sha256:… in 4.1s (9 of 12 steps cached, 31 MB new)"
        );
        assert_eq!(line(&built(1, 0, 5, &[])), "sha256:… in 4.1s (1 step, none cached, 5 B new)");
        assert_eq!(
            line(&built(3, 3, 0, &["a", "b:1"])),
            "a:latest, b:1 sha256:… in 4.1s (3 steps, all cached, nothing new)"
        );
    }

    #[test]
    fn the_metadata_has_the_keys_of_buildx() {
        let metadata = metadata(&built(12, 9, 31_000_000, &["app", "b:1"]), Duration::from_millis(4100));
        insta::assert_snapshot!(format!("{metadata:#}"), @r#"
        {
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
