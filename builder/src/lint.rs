//! What is allowed in a Dockerfile and yet probably not meant, found while it is built or only looked at.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tug_dockerfile::{
    Arguments, BaseImage, Check, Dockerfile, Ignore, LineIndex, Lint, LintOptions, Rule, Stage, lint,
    needed_stages,
};
use tug_oci::{ImageConfig, Platform};

use crate::error::{Problem, Source};

/// The build argument that takes the place of `# check=` at the top of a Dockerfile.
const ARGUMENT: &str = "BUILDKIT_DOCKERFILE_CHECK";

/// What was found in one Dockerfile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// The text that places point into.
    pub source: Source,
    /// In the order of the text.
    pub lints: Vec<Lint>,
}

/// One of them, as views show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What was found, in one line.
    pub message: String,
    /// The line that it is about, from 1.
    pub line: usize,
    /// The first character of that line that it is about, from 1.
    pub column: usize,
    /// The character behind the last one; at most the end of the line.
    pub end_column: usize,
    /// The name of the Dockerfile.
    pub file: String,
    /// The name of the rule.
    pub rule: String,
    /// The page about the rule.
    pub url: String,
    /// The line itself.
    pub text: String,
    /// A `# check=error=true` makes an error of it.
    pub is_error: bool,
}

impl Findings {
    /// All of them, each with what is needed to show it.
    pub fn shown(&self) -> Vec<Finding> {
        let lines = LineIndex::new(&self.source.text);
        let shown = self.lints.iter().map(|lint| {
            let start = lines.location(lint.span.start);
            let text = lines.text(start.line);
            let end = lines.location(lint.span.end);
            let last = text.chars().count() + 1;
            Finding {
                message: lint.message.clone(),
                line: start.line,
                column: start.column,
                end_column: if end.line == start.line { end.column.min(last) } else { last },
                file: self.source.name.clone(),
                rule: lint.rule.name().to_owned(),
                url: lint.rule.url(),
                text,
                is_error: lint.is_error,
            }
        });
        shown.collect()
    }

    /// The rules whose violation fails the build, each once.
    pub fn failing_rules(&self) -> Vec<Rule> {
        let mut rules: Vec<Rule> =
            self.lints.iter().filter(|lint| lint.is_error).map(|lint| lint.rule).collect();
        rules.sort_by_key(|rule| rule.name());
        rules.dedup();
        rules
    }
}

/// What the rules are told about a build.
pub(crate) struct LintContext<'a> {
    pub build_args: &'a BTreeMap<String, String>,
    pub platform: &'a Platform,
    /// The number of the stage that is built; `None` for all of them.
    pub target: Option<usize>,
    pub ignore: Option<&'a Ignore>,
    /// The config of an image by its name and platform, if it is known.
    pub image: &'a dyn Fn(&str, &Platform) -> Option<ImageConfig>,
}

/// Applies the rules. An error is about the build argument that chooses them.
pub(crate) fn find(
    dockerfile: &Dockerfile,
    source: &Source,
    context: &LintContext<'_>,
) -> Result<Findings, Problem> {
    let lints = with_options(dockerfile, context, |options| lint(dockerfile, options))?;
    Ok(Findings { source: source.clone(), lints })
}

/// Gives what the rules are told about a build to `apply`.
pub(crate) fn with_options<T>(
    dockerfile: &Dockerfile,
    context: &LintContext<'_>,
    apply: impl FnOnce(&LintOptions<'_>) -> T,
) -> Result<T, Problem> {
    let check = context.build_args.get(ARGUMENT).map(|text| Check::parse(text)).transpose();
    let check = check.map_err(|error| {
        let message = format!("`--build-arg {ARGUMENT}`: {}", error.message());
        Problem::new(0..0, message).help(error.label)
    })?;
    let last = dockerfile.stages.len().saturating_sub(1);
    let arguments =
        arguments(dockerfile, context.build_args, context.platform, context.target.unwrap_or(last));
    let base = |_: &Stage, name: &str, asked: Option<&str>| {
        let platform = match asked {
            Some(text) => text.parse().ok()?,
            None => context.platform.clone(),
        };
        Some(base_image(&(context.image)(name, &platform)?, &platform))
    };
    let stages = context.target.map(|target| needed_stages(dockerfile, target, &arguments));
    Ok(apply(&LintOptions {
        ignore: context.ignore,
        check: check.as_ref(),
        arguments,
        stages,
        base: Some(&base),
    }))
}

/// The values that a build gives to variables, for the stage with the number `target`.
pub(crate) fn arguments(
    dockerfile: &Dockerfile,
    build_args: &BTreeMap<String, String>,
    platform: &Platform,
    target: usize,
) -> Arguments {
    let name = dockerfile.stages.get(target).and_then(|stage| stage.from.name.as_ref());
    let name = name.map_or("default", |name| name.as_str());
    Arguments { build_args: build_args.clone(), predefined: predefined(platform, name) }
}

/// The arguments that every build has, for a platform and the name of the stage that is built.
pub(crate) fn predefined(target: &Platform, target_stage: &str) -> Vec<(String, String)> {
    let host = Platform::host();
    let mut values = Vec::new();
    for (prefix, platform) in [("TARGET", target), ("BUILD", &host)] {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        values.push((format!("{prefix}PLATFORM"), platform.to_string()));
        values.push((format!("{prefix}OS"), platform.os.clone()));
        values.push((format!("{prefix}OSVERSION"), part(&platform.os_version)));
        values.push((format!("{prefix}ARCH"), platform.architecture.clone()));
        values.push((format!("{prefix}VARIANT"), part(&platform.variant)));
    }
    values.push(("TARGETSTAGE".to_owned(), target_stage.to_owned()));
    values
}

fn base_image(config: &ImageConfig, expected: &Platform) -> BaseImage {
    let pair = |line: &String| {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        (name.to_owned(), value.to_owned())
    };
    let own = &config.platform;
    let is_other = own.os != expected.os || own.architecture != expected.architecture;
    BaseImage {
        environment: config.config.env.iter().map(pair).collect(),
        has_shell: config.config.shell.as_ref().is_some_and(|shell| !shell.is_empty()),
        triggers: config.config.on_build.clone(),
        other_platform: is_other.then(|| (expected.to_string(), own.to_string())),
    }
}
