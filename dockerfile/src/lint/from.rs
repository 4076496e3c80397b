//! Rules about variables and platforms in `FROM`.

use super::image_name::may_name_an_image;
use super::{Findings, Rule};
use crate::arguments::{Globals, Values};
use crate::near::{nearest, variable_in};
use crate::{Arguments, Dockerfile, Escape, Expanded, Stage, Word, expand};

pub(super) fn lint<'a>(dockerfile: &'a Dockerfile, arguments: &Arguments, findings: &mut Findings<'a>) {
    let escape = dockerfile.directives.escape;
    let globals = Globals::new(dockerfile, arguments);
    let defaults = Globals::with_defaults(dockerfile, arguments);
    for stage in &dockerfile.stages {
        findings.at(stage.check.as_ref(), stage.span);
        for word in std::iter::once(&stage.from.image).chain(&stage.from.platform) {
            undefined(word, escape, &globals, findings);
        }
        default_image(&stage.from.image, escape, &defaults, findings);
        if let Some(platform) = &stage.from.platform
            && let Some(expanded) = globals.values.expand(platform, escape)
        {
            redundant(platform, &expanded, &globals.values, findings);
            constant(stage, platform, &expanded, &globals.values, findings);
        }
    }
}

fn undefined(word: &Word, escape: Escape, globals: &Globals, findings: &mut Findings<'_>) {
    let Some(expanded) = globals.values.expand(word, escape) else { return };
    for name in expanded.unset.iter().filter(|name| !globals.knows(name)) {
        let declared = globals.declared.iter().map(String::as_str);
        let hint = match nearest(name, declared.chain(globals.values.names())) {
            Some(near) => format!(" (did you mean {near}?)"),
            None => String::new(),
        };
        let message = format!("FROM argument '{name}' is not declared{hint}");
        findings.report(Rule::UndefinedArgInFrom, variable_in(word, name), message);
    }
}

fn default_image(image: &Word, escape: Escape, defaults: &Globals, findings: &mut Findings<'_>) {
    let Some(expanded) = defaults.values.expand(image, escape) else { return };
    if image.raw.contains('$') && !may_name_an_image(&expanded.text) {
        let message =
            format!("Default value for ARG {} results in empty or invalid base image name", image.raw);
        findings.report(Rule::InvalidDefaultArgInFrom, image.span, message);
    }
}

/// `$TARGETPLATFORM` and nothing else.
fn redundant(platform: &Word, expanded: &Expanded, values: &Values, findings: &mut Findings<'_>) {
    const NAME: &str = "TARGETPLATFORM";
    let is_only_one = expanded.used.len() == 1 && expanded.used.contains(NAME) && expanded.unset.is_empty();
    if is_only_one && values.get(NAME) == Some(&expanded.text) {
        let message = format!(
            "Setting platform to predefined {} in FROM is redundant as this is the default behavior",
            platform.raw
        );
        findings.report(Rule::RedundantTargetPlatform, platform.span, message);
    }
}

fn constant(
    stage: &Stage,
    platform: &Word,
    expanded: &Expanded,
    values: &Values,
    findings: &mut Findings<'_>,
) {
    // In the text of a platform there is nothing else that an escape character could change.
    let is_constant = expand(&platform.raw, Escape::Backslash, &|_| None)
        .is_ok_and(|constant| constant.unset.is_empty() && constant.used.is_empty());
    let name = stage.from.name.as_ref().map_or("", |name| name.as_str());
    let machine = values.get("BUILDARCH").unwrap_or_default();
    let words = platform_words(&expanded.text, machine);
    if is_constant && !words.is_empty() && !words.iter().any(|word| name.contains(word)) {
        let message = format!("FROM --platform flag should not use constant value \"{}\"", expanded.text);
        findings.report(Rule::FromPlatformFlagConstDisallowed, platform.span, message);
    }
}

/// Operating system and architecture of `os/arch[/variant]`, or of either alone; none if it is no platform.
fn platform_words<'p>(platform: &'p str, machine: &'p str) -> Vec<&'p str> {
    let usual = |word| match word {
        "x86_64" | "x86-64" => "amd64",
        "aarch64" => "arm64",
        "armhf" | "armel" => "arm",
        "macos" => "darwin",
        other => other,
    };
    let parts: Vec<&str> = platform.split('/').collect();
    let is_word = |part: &&str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    };
    if parts.len() > 3 || !parts.iter().all(is_word) {
        return Vec::new();
    }
    let mut words: Vec<&str> = parts.into_iter().take(2).map(usual).collect();
    if let [only] = words[..] {
        let is_system = matches!(only, "linux" | "windows" | "darwin" | "freebsd");
        words.push(if is_system { machine } else { "linux" });
    }
    words.retain(|word| !word.is_empty());
    words
}
