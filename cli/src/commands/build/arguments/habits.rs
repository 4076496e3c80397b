//! Flags that scripts give out of habit: those of docker, buildx, buildah and podman that change nothing here, and those
//! that cannot be honoured.
//!
//! A flag whose absence changes nothing about the image is accepted, and said once with tug's own way to what the user
//! wants. One whose absence would change the image is refused. Nothing is ignored in silence but what asks for what tug
//! does anyway.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::error::CommandError;

/// What a value of a flag comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It asks for what is done anyway.
    Done,
    /// It has no effect, and this is why or what to do.
    Note(&'static str),
    /// It cannot be done: why, and what to do.
    Refused(&'static str, &'static str),
    /// The value is none.
    BadValue(&'static str),
}

/// Whether a flag has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Nothing,
    /// `--flag` or `--flag=value`.
    Optional,
    Value,
}

/// One flag.
struct Habit {
    name: &'static str,
    takes: Takes,
    /// What a value comes to; empty when there is none.
    judge: fn(&str) -> Verdict,
}

const fn habit(name: &'static str, takes: Takes, judge: fn(&str) -> Verdict) -> Habit {
    Habit { name, takes, judge }
}

const NO_TRUST: Verdict = Verdict::Note("signatures are not checked, and images are not encrypted");
const OWN_RETRIES: Verdict = Verdict::Note("what may pass is tried again anyway, as often as makes sense");
const OWN_NAMESPACES: Verdict =
    Verdict::Note("steps run in namespaces that tug makes by itself: `tug doctor` shows how");
const NO_ATTESTATIONS: Verdict = Verdict::Refused(
    "images cannot be given attestations yet",
    "leave it away, or say `--provenance=false --sbom=false`",
);

/// All of them.
const HABITS: &[Habit] = &[
    habit("all-platforms", Takes::Nothing, |_| {
        Verdict::Refused("base images for all platforms cannot be known", "name them with `--platform`")
    }),
    habit("attest", Takes::Value, |value| match value.contains("disabled=true") {
        true => Verdict::Done,
        false => NO_ATTESTATIONS,
    }),
    habit("builder", Takes::Value, |_| {
        Verdict::Note("there are no builders to choose from: this process builds")
    }),
    habit("cache-ttl", Takes::Value, |_| {
        Verdict::Note(
            "a result that no build has used for 30 days leaves a cache: `--cache-to …,max-age=` says otherwise",
        )
    }),
    habit("cgroupns", Takes::Value, |_| OWN_NAMESPACES),
    habit("compat-volumes", Takes::Optional, |value| match is_true(value) {
        Some(false) => Verdict::Done,
        Some(true) => Verdict::Refused(
            "what steps write below a VOLUME is kept",
            "put the VOLUME after the steps whose files it should not have",
        ),
        None => NOT_A_BOOL,
    }),
    habit("compress", Takes::Nothing, |_| Verdict::Note("the context is read where it lies, and never sent")),
    habit("cpp-flag", Takes::Value, |_| {
        Verdict::Refused(
            "tug does not run the C preprocessor",
            "run it yourself: `cpp -E -P Containerfile.in | tug build -f - .`",
        )
    }),
    habit("decryption-key", Takes::Value, |_| NO_TRUST),
    habit("disable-compression", Takes::Optional, |value| match is_true(value) {
        Some(_) => Verdict::Note(
            "the store keeps layers as they are, and what is written out of it has its own flags",
        ),
        None => NOT_A_BOOL,
    }),
    habit("disable-content-trust", Takes::Optional, |_| NO_TRUST),
    habit("force-rm", Takes::Optional, boolean),
    habit("format", Takes::Value, |value| match value {
        "oci" => Verdict::Done,
        "docker" => Verdict::Note(
            "the store keeps images as OCI has them, with HEALTHCHECK, SHELL and ONBUILD: `tug save` writes what \
             docker loads",
        ),
        _ => Verdict::BadValue("use `oci` or `docker`"),
    }),
    habit("hooks-dir", Takes::Value, |_| OWN_NAMESPACES),
    habit("identity-label", Takes::Optional, |value| match is_true(value) {
        Some(false) => Verdict::Done,
        Some(true) => Verdict::Note("tug adds no label of its own: `--label` adds yours"),
        None => NOT_A_BOOL,
    }),
    habit("inherit-annotations", Takes::Optional, |value| match is_true(value) {
        Some(false) => Verdict::Done,
        Some(true) => Verdict::Note("annotations are those of `--annotation` alone"),
        None => NOT_A_BOOL,
    }),
    habit("ipc", Takes::Value, |_| OWN_NAMESPACES),
    habit("isolation", Takes::Value, |value| match value {
        "oci" | "rootless" | "default" => Verdict::Done,
        "chroot" => OWN_NAMESPACES,
        "process" | "hyperv" => Verdict::Refused("that is for Windows", "leave `--isolation` away"),
        _ => Verdict::BadValue("use `oci`, `rootless`, `chroot` or `default`"),
    }),
    habit("layers", Takes::Optional, |value| match is_true(value) {
        Some(true) => Verdict::Done,
        Some(false) => Verdict::Note("each step makes a layer of its own: `--squash` makes one of them all"),
        None => NOT_A_BOOL,
    }),
    habit("logsplit", Takes::Optional, |_| Verdict::Note("`--logfile` writes one file for all")),
    habit("manifest", Takes::Value, |_| {
        Verdict::Refused("images cannot be added to a list yet", "name the image with `--tag`")
    }),
    habit("no-hostname", Takes::Optional, boolean),
    habit("pid", Takes::Value, |_| OWN_NAMESPACES),
    habit("policy", Takes::Value, |_| NO_POLICY),
    habit("provenance", Takes::Optional, |value| match value {
        "false" | "disabled=true" => Verdict::Done,
        _ => NO_ATTESTATIONS,
    }),
    habit("retry", Takes::Value, |_| OWN_RETRIES),
    habit("retry-delay", Takes::Value, |_| OWN_RETRIES),
    habit("rm", Takes::Optional, boolean),
    habit("runtime", Takes::Value, |_| OWN_NAMESPACES),
    habit("runtime-flag", Takes::Value, |_| OWN_NAMESPACES),
    habit("sbom", Takes::Optional, |value| match value {
        "false" | "disabled=true" => Verdict::Done,
        _ => NO_ATTESTATIONS,
    }),
    habit("sign-by", Takes::Value, |_| {
        Verdict::Refused("images cannot be signed yet", "sign them with another tool when they are pushed")
    }),
    habit("signature-policy", Takes::Value, |_| NO_TRUST),
    habit("skip-unused-stages", Takes::Optional, |value| match is_true(value) {
        Some(true) => Verdict::Done,
        Some(false) => Verdict::Note("only what the target needs is built: `--target` names another one"),
        None => NOT_A_BOOL,
    }),
    habit("source-policy-file", Takes::Value, |_| NO_POLICY),
    habit("stdin", Takes::Nothing, |_| {
        Verdict::Refused(
            "steps cannot read from standard input: nobody could build them again",
            "copy a file, or use a here-document: `RUN command <<EOF`",
        )
    }),
    habit("userns", Takes::Value, |_| OWN_NAMESPACES),
    habit("userns-gid-map", Takes::Value, |_| OWN_NAMESPACES),
    habit("userns-gid-map-group", Takes::Value, |_| OWN_NAMESPACES),
    habit("userns-uid-map", Takes::Value, |_| OWN_NAMESPACES),
    habit("userns-uid-map-user", Takes::Value, |_| OWN_NAMESPACES),
    habit("uts", Takes::Value, |_| OWN_NAMESPACES),
];

const NO_POLICY: Verdict =
    Verdict::Refused("policies about sources are not known yet", "name base images by their digest");
const NOT_A_BOOL: Verdict = Verdict::BadValue("use `true` or `false`");

/// What the flags of the table say on one command line.
#[derive(Clone, Debug, Default)]
pub(crate) struct HabitArguments {
    /// Name and value of each that was given; the value is empty when there is none.
    given: Vec<(&'static str, String)>,
}

impl HabitArguments {
    /// What has no effect, one sentence for each reason; or what cannot be done.
    pub(crate) fn judge(&self) -> Result<Vec<String>, CommandError> {
        let mut notes: Vec<(&str, Vec<String>)> = Vec::new();
        for (name, value) in &self.given {
            let Some(habit) = HABITS.iter().find(|habit| habit.name == *name) else { continue };
            let shown = match value.is_empty() || habit.takes == Takes::Value {
                true => format!("`--{name}`"),
                false => format!("`--{name}={value}`"),
            };
            match (habit.judge)(value) {
                Verdict::Done => {}
                Verdict::Note(why) => match notes.iter_mut().find(|(known, _)| *known == why) {
                    Some((_, flags)) if flags.contains(&shown) => {}
                    Some((_, flags)) => flags.push(shown),
                    None => notes.push((why, vec![shown])),
                },
                Verdict::Refused(why, hint) => {
                    return Err(CommandError::usage(format_args!("{shown}: {why}")).hint(hint));
                }
                Verdict::BadValue(hint) => {
                    let message = format!("`{value}` is not a value for `--{name}`");
                    return Err(CommandError::usage(message).hint(hint));
                }
            }
        }
        Ok(notes.into_iter().map(|(why, flags)| note(&flags, why)).collect())
    }
}

/// The sentence that says that flags have no effect.
pub(crate) fn note(flags: &[String], why: &str) -> String {
    let has = if flags.len() == 1 { "has" } else { "have" };
    format!("{} {has} no effect: {why}", flags.join(", "))
}

impl Args for HabitArguments {
    fn augment_args(command: Command) -> Command {
        HABITS.iter().fold(command, |command, habit| {
            let argument = Arg::new(habit.name).long(habit.name).hide(true).action(ArgAction::Append);
            command.arg(match habit.takes {
                Takes::Nothing => argument.num_args(0).default_missing_value(""),
                Takes::Optional => argument
                    .num_args(0..=1)
                    .require_equals(true)
                    .default_missing_value("")
                    .value_name("VALUE"),
                Takes::Value => argument.num_args(1).value_name("VALUE").allow_hyphen_values(true),
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for HabitArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Vec::new();
        for habit in HABITS {
            let values = matches.get_many::<String>(habit.name).into_iter().flatten();
            given.extend(values.map(|value| (habit.name, value.clone())));
        }
        Ok(Self { given })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn is_true(value: &str) -> Option<bool> {
    match value {
        "" | "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn boolean(value: &str) -> Verdict {
    if is_true(value).is_some() { Verdict::Done } else { NOT_A_BOOL }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::output::Stream;

    #[derive(Parser)]
    struct Wrapper {
        #[command(flatten)]
        habits: HabitArguments,
        words: Vec<String>,
    }

    fn judged(words: &[&str]) -> String {
        let wrapper = Wrapper::try_parse_from([&["build"], words].concat()).unwrap();
        assert_eq!(wrapper.words, ["."], "{words:?}");
        match wrapper.habits.judge() {
            Ok(notes) => notes.join("\n"),
            Err(error) => error.text(Stream::default()),
        }
    }

    #[test]
    fn what_is_done_anyway_is_not_worth_a_word() {
        let words = ["--rm=true", "--force-rm", "--provenance=false", "--sbom=false", "--layers", "."];
        assert_eq!(judged(&words), "");
        assert_eq!(judged(&["--format", "oci", "--isolation=rootless", "."]), "");
    }

    #[test]
    fn what_has_no_effect_is_said_once_for_each_reason() {
        let words = ["--retry", "3", "--retry-delay", "1s", "--retry", "3", "--builder=x", "."];
        insta::assert_snapshot!(judged(&words), @"
        `--builder` has no effect: there are no builders to choose from: this process builds
        `--retry`, `--retry-delay` have no effect: what may pass is tried again anyway, as often as makes sense
        ");
    }

    #[test]
    fn what_would_change_the_image_is_refused() {
        insta::assert_snapshot!(judged(&["--stdin", "."]), @"
        error: `--stdin`: steps cannot read from standard input: nobody could build them again

        hint: copy a file, or use a here-document: `RUN command <<EOF`
        ");
        for words in [
            &["--provenance=mode=max", "."][..],
            &["--sbom", "."],
            &["--layers=maybe", "."],
            &["--format", "squashfs", "."],
            &["--isolation", "hyperv", "."],
        ] {
            assert!(judged(words).starts_with("error: "), "{words:?}");
        }
    }

    #[test]
    fn each_is_in_the_readme() {
        let readme = include_str!("../../../../README.md");
        for habit in HABITS.iter().filter(|habit| !habit.name.starts_with("userns-")) {
            assert!(readme.contains(&format!("`--{}", habit.name)), "{}", habit.name);
        }
    }

    #[test]
    fn the_table_is_in_order() {
        let names: Vec<&str> = HABITS.iter().map(|habit| habit.name).collect();
        assert!(names.is_sorted(), "{names:?}");
    }
}
