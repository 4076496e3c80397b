//! A target as the words of a `tug build`.

use std::path::Path;

use clap::{Args, FromArgMatches};
use tug_bake::{Output, Target};
use tug_builder::DockerfileSource;

use super::super::build::BuildArguments;
use crate::error::CommandError;

/// Flags that say only how fast or how well documented a build is: a `tug build` that does not know them does the same.
const DISPENSABLE: [(&str, &str); 3] =
    [("cache-from", "cache-from"), ("cache-to", "cache-to"), ("attest", "attest")];

/// A target, understood as a build.
pub(super) struct Understood {
    /// What the words meant.
    pub(super) arguments: BuildArguments,
    /// Attributes that had to be left out.
    pub(super) left_out: Vec<&'static str>,
}

/// Parses the words of a target, and `more` of them.
pub(super) fn understand(name: &str, target: &Target, more: &[String]) -> Result<Understood, CommandError> {
    let command = BuildArguments::augment_args(clap::Command::new("build").no_binary_name(true));
    let knows = |flag: &str| command.get_arguments().any(|argument| argument.get_long() == Some(flag));
    let mut left_out = Vec::new();
    let mut words = more.to_vec();
    for word in words_of(name, target)? {
        let flag = word.strip_prefix("--").unwrap_or_default().split('=').next().unwrap_or_default();
        match DISPENSABLE.iter().find(|(dispensable, _)| *dispensable == flag && !knows(flag)) {
            Some((_, attribute)) if left_out.contains(attribute) => {}
            Some((_, attribute)) => left_out.push(attribute),
            None => words.push(word),
        }
    }
    let parsed = command.try_get_matches_from(&words);
    let arguments =
        parsed.and_then(|matches| BuildArguments::from_arg_matches(&matches)).map_err(|error| {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            let reason = line.strip_prefix("error: ").unwrap_or(line);
            CommandError::failed(format_args!("the target `{name}` cannot be built: {reason}"))
                .hint("the attributes of a target are flags of `tug build`; see `tug build --help`")
        })?;
    Ok(Understood { arguments, left_out })
}

/// The words. Values stand behind `=`, so that none is taken for a flag.
fn words_of(name: &str, target: &Target) -> Result<Vec<String>, CommandError> {
    let context = target.context.as_deref().unwrap_or(".");
    let dockerfile = target.dockerfile.as_deref().unwrap_or("Dockerfile");
    for (attribute, value) in [("context", context), ("dockerfile", dockerfile)] {
        if value == "-" {
            return Err(CommandError::failed(format_args!(
                "the target `{name}` wants its {attribute} from standard input, which belongs to all targets"
            )));
        }
    }
    if target
        .policy
        .iter()
        .flatten()
        .any(|policy| policy.attributes.get("disabled").is_none_or(|it| it != "true"))
    {
        return Err(CommandError::failed(format_args!(
            "the target `{name}` has a policy, and tug checks none"
        ))
        .hint(format!("if it may be built without: `--set {name}.policy=`")));
    }
    let mut words = Vec::new();
    let mut add = |flag: &str, value: &str| words.push(format!("--{flag}={value}"));
    if target.dockerfile_inline.is_none() && dockerfile != "Dockerfile" {
        add("file", &dockerfile_path(context, dockerfile));
    }
    if !target.linked {
        target.tags.iter().flatten().for_each(|tag| add("tag", tag));
        outputs(target, &mut add);
    }
    if let Some(stage) = &target.stage {
        add("target", stage);
    }
    target.args.iter().for_each(|(name, value)| add("build-arg", &format!("{name}={value}")));
    target.labels.iter().for_each(|(name, value)| add("label", &format!("{name}={value}")));
    target.annotations.iter().flatten().for_each(|annotation| add("annotation", annotation));
    for (name, value) in &target.contexts {
        if !value.starts_with("target:") {
            add("build-context", &format!("{name}={}", value.strip_prefix("cwd://").unwrap_or(value)));
        }
    }
    if let Some(platforms) = target.platforms.as_ref().filter(|platforms| !platforms.is_empty()) {
        add("platform", &platforms.join(","));
    }
    target.secrets.iter().flatten().for_each(|secret| add("secret", &secret.text()));
    target.ssh.iter().flatten().for_each(|ssh| add("ssh", &ssh.text()));
    target.cache_from.iter().flatten().for_each(|cache| add("cache-from", &cache.text()));
    target.cache_to.iter().flatten().for_each(|cache| add("cache-to", &cache.text()));
    for attest in target.attest.iter().flatten().filter(|attest| !attest.disabled) {
        add("attest", &attest.text());
    }
    target.no_cache_filter.iter().flatten().for_each(|stage| add("no-cache-filter", stage));
    target.ulimits.iter().flatten().for_each(|limit| add("ulimit", limit));
    for allowed in target.entitlements.iter().flatten() {
        add("allow", allowed);
    }
    target.extra_hosts.iter().for_each(|(host, address)| add("add-host", &format!("{host}={address}")));
    target.resources.iter().for_each(|(name, value)| add("resource", &format!("{name}={value}")));
    for (flag, value) in [("network", &target.network), ("shm-size", &target.shm_size)] {
        if let Some(value) = value {
            add(flag, value);
        }
    }
    if let Some(call) = target.call.as_ref().filter(|call| *call != "build") {
        add("call", call);
    }
    for (flag, value) in [("no-cache", target.no_cache), ("pull", target.pull)] {
        if value == Some(true) {
            words.push(format!("--{flag}"));
        }
    }
    words.extend(["--".to_owned(), context.to_owned()]);
    Ok(words)
}

/// Outputs that are all no more than "into the store" are what happens anyway.
fn outputs(target: &Target, add: &mut impl FnMut(&str, &str)) {
    let outputs = target.outputs.as_deref().unwrap_or_default();
    let is_plain = |output: &Output| {
        let has_nothing = output.destination.is_none() && output.attributes.is_empty();
        has_nothing && matches!(output.kind.as_str(), "docker" | "image")
    };
    if !outputs.iter().all(is_plain) {
        outputs.iter().for_each(|output| add("output", &output.text()));
    }
}

/// The Dockerfile that stands in the definition itself.
pub(super) fn inline_dockerfile(name: &str, target: &Target) -> Option<DockerfileSource> {
    let text = target.dockerfile_inline.clone()?.into_bytes();
    Some(DockerfileSource::Text { name: format!("<Dockerfile of {name}>"), text, path: None })
}

/// Where the Dockerfile of a target is: seen from its context, unless it says that it is seen from here.
pub(super) fn dockerfile_path(context: &str, dockerfile: &str) -> String {
    match dockerfile.strip_prefix("cwd://") {
        Some(here) => here.to_owned(),
        None if tug_bake::is_remote(context) || context == "." => dockerfile.to_owned(),
        None => Path::new(context).join(dockerfile).to_string_lossy().into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(definition: &str) -> Result<String, String> {
        let file = tug_bake::File { name: "x.hcl".to_owned(), text: definition.to_owned() };
        let definition = tug_bake::read(&[file], &tug_bake::Inputs::default()).unwrap();
        let plan = definition.plan(&["app".to_owned()], &[], |_| None).unwrap();
        let words = words_of("app", &plan.targets["app"]);
        words.map(|words| words.join(" ")).map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn every_attribute_becomes_a_flag() {
        let text = words(
            r#"target "app" {
                annotations = ["a=b"]
                args = { A = "-x" }
                attest = ["type=sbom", "type=provenance,disabled=true"]
                cache-from = ["type=gha"]
                call = "check"
                context = "src"
                contexts = { one = "target:base", two = "cwd://x", three = "docker-image://y" }
                dockerfile = "../D"
                entitlements = ["security.insecure"]
                extra-hosts = { h = "1.2.3.4" }
                labels = { l = "" }
                network = "none"
                no-cache = true
                no-cache-filter = ["s"]
                output = ["type=docker", "type=local,dest=a", { type = "image", compression = "zstd" }]
                platforms = ["linux/amd64", "linux/arm64"]
                pull = false
                secret = ["id=s,src=f"]
                shm-size = "1g"
                ssh = ["default"]
                tags = ["t:1"]
                target = "st"
                ulimits = ["nofile=1"]
            }
            target "base" {}"#,
        );
        insta::assert_snapshot!(text.unwrap().replace(" --", "\n--"), @r"
        --file=src/../D
        --tag=t:1
        --output=type=docker
        --output=type=local,dest=a
        --output=type=image,compression=zstd
        --target=st
        --build-arg=A=-x
        --label=l=
        --annotation=a=b
        --build-context=three=docker-image://y
        --build-context=two=x
        --platform=linux/amd64,linux/arm64
        --secret=id=s,src=f
        --ssh=default
        --cache-from=type=gha
        --attest=type=sbom
        --no-cache-filter=s
        --ulimit=nofile=1
        --allow=security.insecure
        --add-host=h=1.2.3.4
        --network=none
        --shm-size=1g
        --call=check
        --no-cache
        -- src
        ");
    }

    #[test]
    fn nothing_said_is_nothing_but_the_context() {
        assert_eq!(words("target \"app\" {}").unwrap(), "-- .");
        assert_eq!(words("target \"app\" { dockerfile = \"cwd://D\" }").unwrap(), "--file=D -- .");
    }

    #[test]
    fn a_policy_is_not_passed_over() {
        assert!(words("target \"app\" { policy = [\"filename=x.rego\"] }").is_err());
        assert!(words("target \"app\" { policy = [\"disabled=true\"] }").is_ok());
        assert!(words("target \"app\" { context = \"-\" }").is_err());
    }
}
