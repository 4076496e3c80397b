//! Build arguments that mean something to the builder, whether a Dockerfile declares them or not.
//!
//! | argument                                       | what it does                                                         |
//! | ---------------------------------------------- | -------------------------------------------------------------------- |
//! | `SOURCE_DATE_EPOCH`                            | the time of everything new                                           |
//! | `BUILDKIT_SYNTAX`                              | counts before `# syntax=`                                            |
//! | `BUILDKIT_DOCKERFILE_CHECK`                    | counts before `# check=` at the top of the file                      |
//! | `BUILDKIT_SANDBOX_HOSTNAME`                    | the host name that RUN steps see                                     |
//! | `BUILDKIT_CACHE_MOUNT_NS`                      | comes before the ids of cache mounts                                 |
//! | `BUILDKIT_CONTEXT_KEEP_GIT_DIR`                | a git context has its `.git`                                         |
//! | `BUILDKIT_MULTI_PLATFORM`                      | the result is an index even for one platform                         |
//! | `BUILDKIT_BUILD_NAME`                          | a name for the build, which BuildKit shows in its history            |
//! | `BUILDKIT_INLINE_CACHE`                        | as `--cache-to type=inline`, which is up to the caller               |
//! | `BUILDKIT_SBOM_SCAN_CONTEXT`, `…_SCAN_STAGE`   | without effect: nothing is scanned                                   |
//!
//! Source: the reference of the Dockerfile language, "BuildKit built-in build args".

use std::collections::BTreeMap;

/// All of them.
pub(crate) const NAMES: [&str; 11] = [
    "SOURCE_DATE_EPOCH",
    "BUILDKIT_SYNTAX",
    "BUILDKIT_DOCKERFILE_CHECK",
    "BUILDKIT_SANDBOX_HOSTNAME",
    "BUILDKIT_CACHE_MOUNT_NS",
    "BUILDKIT_CONTEXT_KEEP_GIT_DIR",
    "BUILDKIT_MULTI_PLATFORM",
    "BUILDKIT_BUILD_NAME",
    "BUILDKIT_INLINE_CACHE",
    "BUILDKIT_SBOM_SCAN_CONTEXT",
    "BUILDKIT_SBOM_SCAN_STAGE",
];

/// Those that change nothing, and why.
const WITHOUT_EFFECT: [(&str, &str); 2] = [
    ("BUILDKIT_SBOM_SCAN_CONTEXT", "tug does not scan what goes into an image"),
    ("BUILDKIT_SBOM_SCAN_STAGE", "tug does not scan what goes into an image"),
];

/// Is an ARG of this name only for the builder? RUN steps do not see it.
pub(crate) fn is_for_the_builder(name: &str) -> bool {
    matches!(name, "BUILDKIT_SBOM_SCAN_CONTEXT" | "BUILDKIT_SBOM_SCAN_STAGE")
}

/// The host name that BuildKit gives to its steps; programs have come to write it into files.
pub(crate) const HOSTNAME: &str = "buildkitsandbox";

/// The host name that RUN steps see.
pub(crate) fn hostname(build_args: &BTreeMap<String, String>) -> &str {
    let asked = build_args.get("BUILDKIT_SANDBOX_HOSTNAME").map(String::as_str);
    asked.filter(|name| !name.is_empty()).unwrap_or(HOSTNAME)
}

/// What to tell about arguments that were given and change nothing. `0` and `false` ask for nothing.
pub(crate) fn without_effect(build_args: &BTreeMap<String, String>) -> Vec<String> {
    let is_asked =
        |name: &str| build_args.get(name).is_some_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
    let told = WITHOUT_EFFECT.iter().filter(|(name, _)| is_asked(name));
    told.map(|(name, reason)| format!("`--build-arg {name}` has no effect: {reason}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(name: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn an_argument_without_effect_is_told_when_it_asks_for_something() {
        let told = without_effect(&given("BUILDKIT_SBOM_SCAN_STAGE", "1"));
        assert_eq!(
            told,
            [
                "`--build-arg BUILDKIT_SBOM_SCAN_STAGE` has no effect: tug does not scan what goes into an image"
            ]
        );
        assert!(without_effect(&given("BUILDKIT_SBOM_SCAN_STAGE", "0")).is_empty());
        assert!(without_effect(&given("BUILDKIT_SYNTAX", "dockerfile.v0")).is_empty());
    }

    #[test]
    fn a_host_name_can_be_chosen() {
        assert_eq!(hostname(&BTreeMap::new()), "buildkitsandbox");
        assert_eq!(hostname(&given("BUILDKIT_SANDBOX_HOSTNAME", "a")), "a");
        assert_eq!(hostname(&given("BUILDKIT_SANDBOX_HOSTNAME", "")), "buildkitsandbox");
    }
}
