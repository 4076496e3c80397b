//! For which platforms to build: `--platform`, else `DOCKER_DEFAULT_PLATFORM`, else this machine.

use tug_oci::Platform;

use super::BuildArguments;
use crate::environment::{self, Environment};
use crate::error::CommandError;

/// What the images are for.
pub(super) struct Platforms {
    /// In the order asked for, each once.
    pub(super) all: Vec<Platform>,
    /// Whether somebody asked for them.
    pub(super) are_asked_for: bool,
    /// Whether a single image gets an index as well.
    pub(super) is_index: bool,
}

/// The build argument that asks for an index around a single image, as in BuildKit.
const MULTI_PLATFORM: &str = "BUILDKIT_MULTI_PLATFORM";

impl Platforms {
    /// Those that were asked for.
    pub(super) fn wanted(
        arguments: &BuildArguments,
        environment: &Environment,
    ) -> Result<Self, CommandError> {
        let variable = environment::DOCKER_DEFAULT_PLATFORM;
        let (asked, flag) = arguments.how.platforms();
        let (words, origin) = match environment.text(variable) {
            Some(text) if asked.is_empty() => (vec![text.to_owned()], variable),
            _ => (asked, flag),
        };
        let mut all: Vec<Platform> = Vec::new();
        for word in words.iter().flat_map(|word| word.split(',')) {
            let platform = word.trim().parse().map_err(|error| {
                CommandError::usage(format_args!("`{origin}`: {error}"))
                    .hint("several are separated by commas, and `local` is this machine")
            })?;
            if !all.contains(&platform) {
                all.push(platform);
            }
        }
        let are_asked_for = !all.is_empty();
        if !are_asked_for {
            all.push(Platform::host());
        }
        let asked = arguments.what.build_args(environment)?.get(MULTI_PLATFORM).cloned();
        let is_index = match asked.as_deref() {
            None | Some("") => all.len() > 1,
            Some("1" | "true" | "t" | "T" | "TRUE" | "True") => true,
            Some("0" | "false" | "f" | "F" | "FALSE" | "False") if all.len() == 1 => false,
            Some("0" | "false" | "f" | "F" | "FALSE" | "False") => {
                return Err(CommandError::usage(format_args!(
                    "`{MULTI_PLATFORM}=0` does not go together with several platforms"
                )));
            }
            Some(other) => {
                return Err(CommandError::usage(format_args!(
                    "`{MULTI_PLATFORM}={other}` is neither `true` nor `false`"
                )));
            }
        };
        Ok(Self { all, are_asked_for, is_index })
    }
}
