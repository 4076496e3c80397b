//! Mended files say the same as before, and go against no rule that can be mended.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tug_dockerfile::{
    Dockerfile, Escape, Expandable, Instruction, InstructionKind, LintOptions, Mended, Pairs, expand,
    expand_heredoc, expand_words, fix, lint,
};

fn mended(text: &str) -> String {
    match fix(text.as_bytes(), &LintOptions::default()) {
        Some(mended) => String::from_utf8(mended.text).expect("it was text before"),
        None => text.to_owned(),
    }
}

/// What a file means: everything but places, the case of keywords, and how values are quoted.
fn meaning(text: &[u8]) -> Vec<String> {
    let dockerfile = Dockerfile::parse(text).expect("it is correct");
    let escape = dockerfile.directives.escape;
    let mut said: Vec<String> =
        dockerfile.global_args.iter().map(|instruction| meaning_of(instruction, escape)).collect();
    for stage in &dockerfile.stages {
        let platform = stage.from.platform.as_ref().map(|word| word.raw.as_str());
        let platform = platform.filter(|platform| !platform.contains("TARGETPLATFORM"));
        let name = stage.from.name.as_ref().map(tug_dockerfile::StageName::as_str);
        said.push(format!(
            "FROM {platform:?} {} {name:?} {:?}",
            stage.from.image.raw,
            comments(&stage.comments)
        ));
        said.extend(stage.instructions.iter().map(|instruction| meaning_of(instruction, escape)));
    }
    said
}

fn comments(comments: &[tug_dockerfile::Comment]) -> Vec<&str> {
    comments.iter().map(|comment| comment.text.as_str()).collect()
}

fn meaning_of(instruction: &Instruction, escape: Escape) -> String {
    let lookup = |name: &str| (name.len() % 2 == 1).then(|| format!("<{name} ' \" value>"));
    let value = |raw: &str| format!("{:?}", expand(raw, escape, &lookup).map(|expanded| expanded.text));
    let body = match &instruction.kind {
        InstructionKind::Env(Pairs { entries, .. }) | InstructionKind::Label(Pairs { entries, .. }) => {
            entries
                .iter()
                .map(|pair| format!("{}={}", value(&pair.key.raw), value(&pair.value.raw)))
                .collect()
        }
        InstructionKind::Expose(_) => {
            let words = instruction.expandables().into_iter().map(|expandable| match expandable {
                Expandable::Word(word) => value(&word.raw),
                Expandable::Words(word) => {
                    let words = expand_words(&word.raw, escape, &lookup).map(|expanded| expanded.words);
                    format!("{words:?}").to_lowercase()
                }
                Expandable::Heredoc(heredoc) => format!("{:?}", expand_heredoc(&heredoc.text(), &lookup)),
            });
            words.collect::<Vec<_>>()
        }
        _ => {
            let arguments = instruction.text.get(instruction.keyword.text.len()..).unwrap_or_default();
            vec![arguments.to_owned()]
        }
    };
    format!("{} {body:?} {:?}", instruction.kind.name(), comments(&instruction.comments))
}

/// Mending changes no meaning, leaves nothing to mend, and takes nothing else away.
fn check(text: &[u8]) {
    let options = LintOptions::default();
    let Some(Mended { text: mended, fixes }) = fix(text, &options) else { return };
    let shown = String::from_utf8_lossy(&mended);
    assert!(!fixes.is_empty(), "{shown}");
    assert_eq!(meaning(text), meaning(&mended), "{shown}");
    assert_eq!(fix(&mended, &options), None, "{shown}");
}

#[test]
fn each_rule_that_can_be_mended_is_mended() {
    for (before, after) in [
        ("FROM a AS Build\nFROM BUILD\n", "FROM a AS build\nFROM BUILD\n"),
        ("FROM a as b\nfrom b AS c\nFROM c\n", "FROM a AS b\nFROM b AS c\nFROM c\n"),
        ("from a as b\nFROM b AS c\nRUN x\n", "FROM a AS b\nFROM b AS c\nRUN x\n"),
        ("FROM a\n  run\tx  \nRuN y\nRUN z\n", "FROM a\n  RUN\tx  \nRUN y\nRUN z\n"),
        ("FROM a\r\nRUN a \\\r\n\r\n \t\r\n b \\\r\n\r\n c\r\n", "FROM a\r\nRUN a \\\r\n b \\\r\n c\r\n"),
        ("FROM a\nRUN a \\\n\n\n", "FROM a\nRUN a \\\n"),
        ("FROM a\nENV  a  b  # c\n", "FROM a\nENV  a=\"b  # c\"\n"),
        ("FROM a\nENV a b\nLABEL c 'd e' f\n", "FROM a\nENV a=b\nLABEL c='d e'\\ f\n"),
        ("# escape=`\nFROM a\nENV a C:\\ x\"y z\"\n", "# escape=`\nFROM a\nENV a=C:\\` x\"y z\"\n"),
        ("FROM a\nENV a b\\ c d\n", "FROM a\nENV a=b\\ c\\ d\n"),
        ("FROM --platform=$TARGETPLATFORM  a AS b\n", "FROM a AS b\n"),
        ("FROM a\nEXPOSE 80/TCP 1-2/Udp $X/TCP 3\n", "FROM a\nEXPOSE 80/tcp 1-2/udp $X/TCP 3\n"),
    ] {
        assert_eq!(mended(before), after);
        check(before.as_bytes());
    }
}

#[test]
fn what_needs_a_thought_is_left_alone() {
    for text in [
        "FROM a\nMAINTAINER me\nCMD x\n",
        "FROM a\nENV a b \\\n c\n",
        "FROM a\nENV a \"b\" ${c:-d e}\n",
        "ARG TARGETPLATFORM=linux/arm64\nFROM --platform=$TARGETPLATFORM a\n",
        "# check=skip=all\nfrom a as B\nRUN x\nRUN y\n",
        "FROM a as b\nNOTHING\n",
    ] {
        assert_eq!(fix(text.as_bytes(), &LintOptions::default()), None, "{text}");
    }
}

#[test]
fn fixes_name_the_lines_that_the_user_has() {
    let text = "FROM a AS B\nRUN a \\\n\n b\nrun c\nENV a b\n";
    let mended = fix(text.as_bytes(), &LintOptions::default()).expect("there is something to mend");
    let lines: Vec<_> = mended.fixes.iter().map(|fix| (fix.line, fix.rule.name())).collect();
    assert_eq!(
        lines,
        [
            (1, "StageNameCasing"),
            (3, "NoEmptyContinuation"),
            (5, "ConsistentInstructionCasing"),
            (6, "LegacyKeyValueFormat"),
        ]
    );
}

#[test]
fn every_dockerfile_of_the_corpora_means_the_same_afterwards() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for corpus in ["tests/lint-cases", "tests/cases", "../testdata/build-cases"] {
        for entry in fs::read_dir(root.join(corpus)).expect("the corpus exists") {
            let path = entry.expect("the corpus can be listed").path().join("Dockerfile");
            let Ok(text) = fs::read(&path) else { continue };
            check(&text);
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}

/// Lines that go against rules, with the odd things that lines can have.
fn files() -> impl Strategy<Value = String> {
    let line = proptest::sample::select(vec![
        "FROM scratch as Base",
        "from Base AS other",
        "From --platform=$TARGETPLATFORM scratch",
        "FROM --platform=${TARGETPLATFORM} \\\n\n scratch AS \\\n  X",
        "env A b",
        "ENV A b  c\t",
        "ENV ab \"x y\" z",
        "Env a it's",
        "ENV a $b ${ccc} d",
        "ENV a ${b:-c d} e",
        "ENV a 'b' \"c\\\" d\" \\e f\\",
        "LABEL x a=b c",
        "LABEL x.y \\\n z",
        "EXPOSE 80/TCP $p 81/udp",
        "expose \"82/TCP\" 83/Tcp \\\n\n 84/SCTP",
        "RUN a \\\n\n# comment\n\n  b",
        "run <<EOF\n\nEOF",
        "# a comment",
        "",
        "# check=skip=LegacyKeyValueFormat",
        "CMD x",
        "HEALTHCHECK NONE",
        "ONBUILD env a b",
        "COPY <<'E' <<F /x\n$a\nE\n\nF",
        "ARG a=b ccc",
    ]);
    let end = proptest::sample::select(vec!["\n", "\r\n", " \n", "\n\n"]);
    let lines = proptest::collection::vec((line, end), 0..14);
    (any::<bool>(), lines).prop_map(|(backtick, lines)| {
        let lines: String = lines.into_iter().map(|(line, end)| format!("{line}{end}")).collect();
        let head = if backtick { "# escape=`\n" } else { "" };
        let lines = if backtick { lines.replace("\\\n", "`\n") } else { lines };
        format!("{head}FROM scratch\n{lines}")
    })
}

proptest! {
    #[test]
    fn a_mended_file_means_the_same(text in files()) {
        if Dockerfile::parse(&text).is_ok() {
            check(text.as_bytes());
        }
    }

    #[test]
    fn nothing_is_left_to_mend(text in files()) {
        if let Some(Mended { text: mended, fixes }) = fix(text.as_bytes(), &LintOptions::default()) {
            let dockerfile = Dockerfile::parse(&mended).expect("it stays correct");
            let left = lint(&dockerfile, &LintOptions::default()).len();
            let before = Dockerfile::parse(&text).expect("it was correct");
            prop_assert!(left <= lint(&before, &LintOptions::default()).len());
            prop_assert!(fixes.iter().all(|fix| fix.rule.is_fixable()));
        }
    }
}
