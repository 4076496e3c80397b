//! Lint rules: what is allowed in a Dockerfile and yet probably not meant.
//!
//! The rules and their names are those of `docker build --check`. Those that need more than the file get it
//! through [`LintOptions`]; `InvalidBaseImagePlatform`, which needs the base image, is left to the builder.
//!
//! | rule                              | asks                                                              |
//! | --------------------------------- | ----------------------------------------------------------------- |
//! | `StageNameCasing`                 | is the name of a stage lower-case                                 |
//! | `FromAsCasing`                    | has `AS` the case of its `FROM`                                   |
//! | `NoEmptyContinuation`             | is no line empty inside an instruction                            |
//! | `ConsistentInstructionCasing`     | have all instructions the case that most of them have             |
//! | `DuplicateStageName`              | has every stage its own name                                      |
//! | `ReservedStageName`               | is no stage called `scratch` or `context`                         |
//! | `JSONArgsRecommended`             | are `CMD` and `ENTRYPOINT` JSON arrays, unless `SHELL` is set     |
//! | `MaintainerDeprecated`            | is there no `MAINTAINER`                                          |
//! | `UndefinedArgInFrom`              | is every variable of `FROM` declared above it                     |
//! | `UndefinedVar`                    | is every variable declared in its stage, see below                |
//! | `WorkdirRelativePath`             | does no relative `WORKDIR` depend on the base image               |
//! | `MultipleInstructionsDisallowed`  | has a stage one `CMD`, `ENTRYPOINT` and `HEALTHCHECK` at most     |
//! | `LegacyKeyValueFormat`            | have `ENV` and `LABEL` an `=`                                     |
//! | `RedundantTargetPlatform`         | does no `FROM` ask for the platform it gets anyway                |
//! | `SecretsUsedInArgOrEnv`           | does no name of `ARG` or `ENV` look like that of a secret         |
//! | `InvalidDefaultArgInFrom`         | does `FROM` name an image if no build argument is given           |
//! | `FromPlatformFlagConstDisallowed` | is the platform of `FROM` left to the build                       |
//! | `CopyIgnoredFile`                 | is no source of `COPY` or `ADD` left out by the ignore file       |
//! | `ExposeProtoCasing`               | are the protocols of `EXPOSE` lower-case                          |
//! | `ExposeInvalidFormat`             | has `EXPOSE` no part that only `docker run -p` knows              |
//! | `InvalidDefinitionDescription`    | (experimental) does a comment above start with the name it is for |
//!
//! `UndefinedVar` needs the variables of the base image. If they are not known, it speaks only of names that
//! look like a misspelled known one. A variable with a fallback, as `${A:-b}`, need not be declared.

mod instructions;
mod stages;
mod variables;

use crate::{Check, Dockerfile, Ignore, Rules, Span, Stage};

/// Something that is allowed and yet probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// The rule it goes against.
    pub rule: Rule,
    /// The text it is about.
    pub span: Span,
    /// What was found, in one line.
    pub message: String,
}

/// What the rules may know beyond the file.
#[derive(Default)]
pub struct LintOptions<'a> {
    /// The ignore file of the build context.
    pub ignore: Option<&'a Ignore>,
    /// Takes the place of the `# check=` directive at the top of the file.
    pub check: Option<&'a Check>,
    /// The names of the variables that the base image of a stage sets; `None` if they are not known.
    pub base_environment: Option<&'a BaseEnvironment<'a>>,
}

/// Tells the names of the variables that the base image of a stage sets.
pub type BaseEnvironment<'a> = dyn Fn(&Stage) -> Option<Vec<String>> + 'a;

macro_rules! rules {
    ($($(#[$attribute:meta])* $name:ident: $description:literal,)*) => {
        /// A lint rule; the module's documentation has a table of them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Rule {
            $(
                #[doc = $description]
                $(#[$attribute])*
                $name,
            )*
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name, as `# check=skip=` takes it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// What the rule asks for, in one line.
            pub fn description(self) -> &'static str {
                match self {
                    $(Self::$name => $description,)*
                }
            }
        }
    };
}

rules! {
    StageNameCasing: "the name of a stage is lower-case",
    FromAsCasing: "`AS` has the case of its `FROM`",
    NoEmptyContinuation: "no line is empty inside an instruction",
    ConsistentInstructionCasing: "all instructions are written in the same case",
    DuplicateStageName: "every stage has its own name",
    ReservedStageName: "no stage is called `scratch` or `context`",
    JSONArgsRecommended: "`CMD` and `ENTRYPOINT` are JSON arrays, so that signals reach the program",
    MaintainerDeprecated: "the label `org.opencontainers.image.authors` takes the place of `MAINTAINER`",
    UndefinedArgInFrom: "variables of `FROM` are declared with `ARG` before the first `FROM`",
    UndefinedVar: "variables are declared in their stage",
    WorkdirRelativePath: "a relative `WORKDIR` follows an absolute one, so that the base image cannot change it",
    MultipleInstructionsDisallowed: "a stage has one `CMD`, `ENTRYPOINT` and `HEALTHCHECK`; only the last one counts",
    LegacyKeyValueFormat: "`ENV` and `LABEL` are written `key=value`",
    RedundantTargetPlatform: "`--platform=$TARGETPLATFORM` says what happens anyway",
    SecretsUsedInArgOrEnv: "secrets are given with `RUN --mount=type=secret`; `ARG` and `ENV` stay in the image",
    InvalidDefaultArgInFrom: "`FROM` names an image also if no build argument is given",
    FromPlatformFlagConstDisallowed: "the platform of `FROM` is left to the build",
    CopyIgnoredFile: "what is copied is not left out by the ignore file",
    ExposeProtoCasing: "the protocol of a port is lower-case",
    ExposeInvalidFormat: "`EXPOSE` takes ports of the container, not addresses or ports of the host",
    InvalidDefinitionDescription: "a comment directly above `ARG` or `FROM` starts with the name it describes",
}

impl Rule {
    /// It says nothing unless it is asked for with `# check=experimental=`.
    pub fn is_experimental(self) -> bool {
        self == Self::InvalidDefinitionDescription
    }
}

/// Applies every rule that the directives of the file do not switch off. What is found is in the order of the
/// text.
pub fn lint(dockerfile: &Dockerfile, options: &LintOptions<'_>) -> Vec<Lint> {
    let mut findings = Findings {
        file: options.check.or(dockerfile.directives.check.as_ref()),
        instruction: None,
        found: Vec::new(),
    };
    stages::lint(dockerfile, &mut findings);
    instructions::lint(dockerfile, options, &mut findings);
    variables::lint(dockerfile, options, &mut findings);
    findings.found.sort_by_key(|lint| (lint.span, lint.rule));
    findings.found
}

/// Collects what the rules find, as far as they are switched on.
struct Findings<'a> {
    file: Option<&'a Check>,
    instruction: Option<&'a Check>,
    found: Vec<Lint>,
}

impl<'a> Findings<'a> {
    /// The next findings are about an instruction with this `# check=` above it.
    fn at(&mut self, check: Option<&'a Check>) {
        self.instruction = check;
    }

    fn report(&mut self, rule: Rule, span: Span, message: String) {
        let checks = [self.file, self.instruction];
        let named = |rules: fn(&Check) -> &Rules| {
            checks.iter().flatten().any(|check| rules(check).contains(rule.name()))
        };
        if named(|check| &check.skip) || (rule.is_experimental() && !named(|check| &check.experimental)) {
            return;
        }
        self.found.push(Lint { rule, span, message });
    }
}

/// The stage that an image name means, if it is an earlier one.
fn earlier_stage<'d>(dockerfile: &'d Dockerfile, before: usize, image: &str) -> Option<&'d Stage> {
    let is_it = |stage: &&Stage| {
        stage.from.name.as_ref().is_some_and(|name| name.as_str().eq_ignore_ascii_case(image))
    };
    dockerfile.stages[..before].iter().rev().find(is_it)
}
