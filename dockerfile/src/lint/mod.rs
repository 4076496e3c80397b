//! Lint rules: what is allowed in a Dockerfile and yet probably not meant.
//!
//! The rules, their names and their words are those of `docker build --check`. Those that need more than the file get it
//! through [`LintOptions`].
//!
//! | rule                              | asks                                                              | stages |
//! | --------------------------------- | ----------------------------------------------------------------- | ------ |
//! | `StageNameCasing`                 | is the name of a stage lower-case                                 | all    |
//! | `FromAsCasing`                    | has `AS` the case of its `FROM`                                   | all    |
//! | `NoEmptyContinuation`             | is no line empty inside an instruction                            | all    |
//! | `ConsistentInstructionCasing`     | have all instructions the case that most of them have             | all    |
//! | `DuplicateStageName`              | has every stage its own name                                      | all    |
//! | `ReservedStageName`               | is no stage called `scratch` or `context`                         | all    |
//! | `JSONArgsRecommended`             | are `CMD` and `ENTRYPOINT` JSON arrays, unless `SHELL` is set     | built  |
//! | `MaintainerDeprecated`            | is there no `MAINTAINER`                                          | all    |
//! | `UndefinedArgInFrom`              | is every variable of `FROM` declared above it                     | all    |
//! | `UndefinedVar`                    | is every variable declared in its stage, see below                | built  |
//! | `WorkdirRelativePath`             | is the first `WORKDIR` of a file absolute                         | built  |
//! | `MultipleInstructionsDisallowed`  | has a stage one `CMD`, `ENTRYPOINT` and `HEALTHCHECK` at most     | built  |
//! | `LegacyKeyValueFormat`            | have `ENV` and `LABEL` an `=`                                     | built  |
//! | `InvalidBaseImagePlatform`        | is the base image for the platform that is asked for              | built  |
//! | `RedundantTargetPlatform`         | does no `FROM` ask for the platform it gets anyway                | all    |
//! | `SecretsUsedInArgOrEnv`           | does no name of `ARG` or `ENV` in a stage look like a secret's    | built  |
//! | `InvalidDefaultArgInFrom`         | does `FROM` name an image if no build argument is given           | all    |
//! | `FromPlatformFlagConstDisallowed` | is the platform of `FROM` left to the build                       | all    |
//! | `CopyIgnoredFile`                 | is no source of `COPY` or `ADD` left out by the ignore file       | built  |
//! | `ExposeProtoCasing`               | are the protocols of `EXPOSE` lower-case                          | built  |
//! | `ExposeInvalidFormat`             | has `EXPOSE` no part that only `docker run -p` knows              | built  |
//! | `InvalidDefinitionDescription`    | (experimental) does a comment above start with the name it is for | all    |
//!
//! *built*: only in stages that are built, see [`LintOptions::stages`]. Instructions are looked at as a build sees them,
//! with the values of variables, and with the triggers of `ONBUILD` that fire.
//!
//! `UndefinedVar` needs the variables of the base image. If they are not known, it speaks only of names that
//! look like a misspelled known one, and rules that look at a value say nothing about one that hangs on them.

mod built;
mod findings;
mod from;
mod image_name;
mod instructions;
mod rule;
mod stages;

use std::collections::BTreeSet;

pub use rule::Rule;

use crate::{Arguments, Check, Dockerfile, Ignore, Span, Stage};
use findings::Findings;

/// Something that is allowed and yet probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// The rule it goes against.
    pub rule: Rule,
    /// The text it is about.
    pub span: Span,
    /// The instruction that text stands in; of `NoEmptyContinuation` its end, as BuildKit has it.
    pub instruction: Span,
    /// What was found, in one line and in BuildKit's words.
    pub message: String,
    /// A `# check=error=true` makes an error of it.
    pub is_error: bool,
}

/// What the rules may know beyond the file.
#[derive(Default)]
pub struct LintOptions<'a> {
    /// The ignore file of the build context.
    pub ignore: Option<&'a Ignore>,
    /// Takes the place of the `# check=` directive at the top of the file.
    pub check: Option<&'a Check>,
    /// The values that the build gives to variables.
    pub arguments: Arguments,
    /// The numbers of the stages that are built; all if `None`.
    pub stages: Option<BTreeSet<usize>>,
    /// What is known of base images.
    pub base: Option<&'a BaseImages<'a>>,
}

/// Tells what is known of the base image of a stage: the stage, the image, and what `--platform` asks for, both with
/// their variables replaced. `None` if nothing is known.
pub type BaseImages<'a> = dyn Fn(&Stage, &str, Option<&str>) -> Option<BaseImage> + 'a;

/// What the rules want to know of a base image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseImage {
    /// The variables that it sets.
    pub environment: Vec<(String, String)>,
    /// It has a `SHELL`.
    pub has_shell: bool,
    /// Its `ONBUILD` triggers.
    pub triggers: Vec<String>,
    /// It is not for the platform that is asked for: that platform, and its own.
    pub other_platform: Option<(String, String)>,
}

/// Applies every rule that the directives of the file do not switch off. What is found is in the order of the
/// text.
pub fn lint(dockerfile: &Dockerfile, options: &LintOptions<'_>) -> Vec<Lint> {
    let mut findings = Findings::new(options.check.or(dockerfile.directives.check.as_ref()));
    stages::lint(dockerfile, &mut findings);
    from::lint(dockerfile, &options.arguments, &mut findings);
    built::lint(dockerfile, options, &mut findings);
    findings.finish()
}

/// The stage that an image name means, if it is an earlier one.
pub(crate) fn earlier_stage<'d>(dockerfile: &'d Dockerfile, before: usize, image: &str) -> Option<&'d Stage> {
    let is_it = |stage: &&Stage| {
        stage.from.name.as_ref().is_some_and(|name| name.as_str().eq_ignore_ascii_case(image))
    };
    dockerfile.stages[..before].iter().rev().find(is_it)
}
