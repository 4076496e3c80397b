//! Looking at a Dockerfile instead of building it.

use std::str::FromStr;

/// Looking instead of building.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Instead of building")]
pub(crate) struct CheckArguments {
    /// Look for what is probably not meant in the Dockerfile, without building it: the same as `--call check`
    #[arg(long, conflicts_with = "call")]
    check: bool,
    /// Do this with the Dockerfile: build, check, outline or targets
    ///
    /// `check` looks for what is probably not meant, `outline` lists the build arguments, secrets, agents and caches that
    /// the target takes, `targets` lists the stages. `,format=json` after it writes JSON as buildx does, `,format=sarif` and
    /// `,format=github` are for `check`; `,ignorestatus=true` ends with 0 although something was found.
    #[arg(long, value_name = "METHOD[,format=json]")]
    call: Option<Call>,
}

impl CheckArguments {
    /// What is to be done instead of building.
    pub(crate) fn call(&self) -> Option<Call> {
        let call = if self.check { Some(Call::check()) } else { self.call };
        call.filter(|call| call.method != Method::Build)
    }
}

/// What to do with a Dockerfile, and how to tell what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// What to do.
    pub(crate) method: Method,
    /// How to tell.
    pub(crate) format: Format,
    /// End with 0 whatever was found.
    pub(crate) ignore_status: bool,
}

/// What to do with a Dockerfile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// Build it.
    Build,
    /// Apply the lint rules.
    Check,
    /// List what the target takes.
    Outline,
    /// List the stages.
    Targets,
}

/// How to tell what was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs, as buildx writes it
    Json,
    /// For programs, in the common form of static analysis
    Sarif,
    /// As annotations of GitHub Actions
    Github,
}

impl Call {
    /// `check`, for people.
    pub(crate) fn check() -> Self {
        Self { method: Method::Check, format: Format::Text, ignore_status: false }
    }
}

impl FromStr for Call {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut call = Self { method: Method::Build, ..Self::check() };
        for (at, part) in text.split(',').map(str::trim).enumerate() {
            match (at, part.split_once('=')) {
                (0, None) => call.method = method(part)?,
                (_, Some(("format", "text"))) => call.format = Format::Text,
                (_, Some(("format", "json"))) => call.format = Format::Json,
                (_, Some(("format", "sarif"))) => call.format = Format::Sarif,
                (_, Some(("format", "github"))) => call.format = Format::Github,
                (_, Some(("format", other))) => {
                    return Err(format!("`{other}` is not a format: use text, json, sarif or github"));
                }
                (_, Some(("ignorestatus", "true" | "1"))) => call.ignore_status = true,
                (_, Some(("ignorestatus", "false" | "0"))) => call.ignore_status = false,
                _ => return Err(format!("`{part}` is neither `format=…` nor `ignorestatus=true`")),
            }
        }
        if call.method != Method::Check && matches!(call.format, Format::Sarif | Format::Github) {
            return Err("only `check` can be told as sarif or github".to_owned());
        }
        Ok(call)
    }
}

fn method(name: &str) -> Result<Method, String> {
    match name {
        "" | "build" => Ok(Method::Build),
        "check" | "lint" => Ok(Method::Check),
        "outline" => Ok(Method::Outline),
        "targets" => Ok(Method::Targets),
        other => match tug_dockerfile::closest(other, &["build", "check", "outline", "targets"]) {
            Some(near) => Err(format!("there is no method `{other}`; did you mean `{near}`?")),
            None => Err(format!("there is no method `{other}`: use build, check, outline or targets")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_a_method_and_how_to_tell() {
        let call = |text: &str| text.parse::<Call>();
        assert_eq!(call("check"), Ok(Call::check()));
        assert_eq!(call("lint,format=json"), Ok(Call { format: Format::Json, ..Call::check() }));
        assert_eq!(call("outline").map(|call| call.method), Ok(Method::Outline));
        assert_eq!(call("check,ignorestatus=true").map(|call| call.ignore_status), Ok(true));
        assert_eq!(call("chekc"), Err("there is no method `chekc`; did you mean `check`?".to_owned()));
        assert_eq!(
            call("targets,format=xml"),
            Err("`xml` is not a format: use text, json, sarif or github".to_owned())
        );
        assert!(call("outline,format=sarif").is_err());
        assert!(call("check,loud").is_err());
    }
}
