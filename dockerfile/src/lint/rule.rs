//! The rules: names, what they ask for, and whether they are on by themselves.

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
    InvalidBaseImagePlatform: "the base image is for the platform that the build asks for",
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

    /// The page about it in the documentation of docker.
    pub fn url(self) -> String {
        let name = self.name();
        let mut slug = String::new();
        for (at, letter) in name.char_indices() {
            let next_is_lower = name[at + 1..].starts_with(|next: char| next.is_ascii_lowercase());
            let before_is_lower = name[..at].ends_with(|before: char| before.is_ascii_lowercase());
            if at > 0 && letter.is_ascii_uppercase() && (before_is_lower || next_is_lower) {
                slug.push('-');
            }
            slug.push(letter.to_ascii_lowercase());
        }
        format!("https://docs.docker.com/go/dockerfile/rule/{slug}/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_a_rule_has_its_name_in_words() {
        let last = |rule: Rule| rule.url().split('/').nth_back(1).unwrap_or_default().to_owned();
        assert_eq!(last(Rule::JSONArgsRecommended), "json-args-recommended");
        assert_eq!(last(Rule::InvalidDefaultArgInFrom), "invalid-default-arg-in-from");
        assert_eq!(Rule::ALL.len(), 22);
    }
}
