//! Reading never panics, whatever the input, and takes no time worth mentioning.

use proptest::prelude::*;
use tug_dockerfile::{
    Dockerfile, Ignore, LineIndex, MAX_SOURCE_BYTES, Mode, ParseErrorKind, Pattern, detect_syntax,
    parse_instruction,
};

/// Lines made of the pieces the language cares about.
fn dockerfiles() -> impl Strategy<Value = Vec<u8>> {
    let pieces = proptest::sample::select(vec![
        "FROM ",
        "RUN ",
        "COPY ",
        "ADD ",
        "ENV ",
        "ARG ",
        "LABEL ",
        "HEALTHCHECK ",
        "ONBUILD ",
        "CMD ",
        "SHELL ",
        "EXPOSE ",
        "VOLUME ",
        "USER ",
        "--mount=",
        "--from=",
        "--",
        "type=cache",
        ",target=",
        "AS ",
        "a",
        "b ",
        "=",
        "\"",
        "'",
        "\\",
        "`",
        "\n",
        "\r\n",
        "\\\n",
        "# ",
        "# escape=`\n",
        "# check=skip=all\n",
        "<<",
        "<<EOF",
        "<<-'E'",
        "\nEOF\n",
        "\nE\n",
        "[",
        "]",
        ",",
        "${",
        "}",
        "$x",
        ":-",
        "\u{feff}",
        "ä",
        "\u{a0}",
        "\t",
        "CMD",
        "NONE",
        "1s",
        "0",
        "/",
    ]);
    let piece = prop_oneof![20 => pieces.prop_map(|piece| piece.as_bytes().to_vec()), 1 => any::<[u8; 2]>().prop_map(Vec::from)];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn read(source: &[u8]) -> Result<(), TestCaseError> {
    let index = LineIndex::new(source);
    match Dockerfile::parse(source) {
        Ok(dockerfile) => {
            prop_assert!(!dockerfile.stages.is_empty());
            for instruction in dockerfile.stages.iter().flat_map(|stage| &stage.instructions) {
                prop_assert!(
                    instruction.span.end <= source.len() && instruction.span.start < instruction.span.end
                );
            }
        }
        Err(errors) => {
            prop_assert!(!errors.is_empty() && errors.len() <= 20);
            prop_assert!(errors.is_sorted_by_key(|error| error.span.start));
            for error in errors {
                prop_assert!(error.span.end <= source.len(), "{error:?}");
                prop_assert!(index.location(error.span.start).line >= 1);
                let rendered = error.render(source, "Dockerfile");
                prop_assert!(
                    rendered.chars().all(|shown| shown == '\n' || !shown.is_control()),
                    "{rendered:?}"
                );
            }
        }
    }
    let _ = parse_instruction(source);
    let _ = detect_syntax(source);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_without_panic(source in any::<Vec<u8>>()) {
        read(&source)?;
    }

    #[test]
    fn any_text_is_read_without_panic(source in any::<String>()) {
        read(source.as_bytes())?;
    }

    #[test]
    fn anything_like_a_dockerfile_is_read_without_panic(source in dockerfiles()) {
        read(&source)?;
        read(&[b"FROM a\n", source.as_slice()].concat())?;
    }

    #[test]
    fn a_trigger_reads_the_same_from_the_config_of_an_image(source in dockerfiles()) {
        use tug_dockerfile::InstructionKind;
        let Ok(dockerfile) = Dockerfile::parse([b"FROM a\nONBUILD ", source.as_slice()].concat()) else { return Ok(()) };
        for instruction in &dockerfile.stages[0].instructions {
            if let InstructionKind::Onbuild(onbuild) = &instruction.kind {
                let again = parse_instruction(&onbuild.text);
                prop_assert!(again.is_ok(), "{:?} {again:?}", onbuild.text);
                prop_assert_eq!(&again.expect("it was read before").text, &onbuild.instruction.text);
            }
        }
    }

    #[test]
    fn ignore_files_patterns_and_modes_are_read_without_panic(text in any::<Vec<u8>>(), path in any::<Vec<u8>>()) {
        if let Ok(ignore) = Ignore::parse(&text) {
            let _ = ignore.matches(&path);
            let _ = ignore.may_have_exceptions_below(&path);
        }
        if let Ok(pattern) = Pattern::parse(&text) {
            let _ = pattern.matches(&path);
        }
        if let Ok(mode) = Mode::parse(&String::from_utf8_lossy(&text)) {
            prop_assert!(mode.apply(0o644, false) <= 0o7777);
        }
    }

    /// Against the plainest way to match there is.
    #[test]
    fn patterns_match_as_defined(pattern in "[ab/*?]{0,8}", path in "[ab/]{0,8}") {
        fn matches(pattern: &[u8], path: &[u8]) -> bool {
            match (pattern.split_first(), path.split_first()) {
                (None, None) => true,
                (Some((b'*', rest)), after) => {
                    matches(rest, path) || after.is_some_and(|(&first, after)| first != b'/' && matches(pattern, after))
                }
                (Some((b'?', rest)), Some((&first, after))) => first != b'/' && matches(rest, after),
                (Some((literal, rest)), Some((first, after))) => literal == first && matches(rest, after),
                _ => false,
            }
        }
        let read = Pattern::parse(&pattern).expect("no sets and no escapes");
        prop_assert_eq!(read.matches(path.as_bytes()), matches(pattern.as_bytes(), path.as_bytes()));
    }

    /// A walk that prunes finds the same files as asking for each.
    #[test]
    fn pruned_walks_miss_nothing(rules in proptest::collection::vec("!?[ab/*]{1,5}", 0..5), path in "[ab](/[ab]){0,4}") {
        let Ok(ignore) = Ignore::from_patterns(&rules) else { return Ok(()) };
        let path = path.as_bytes();
        if ignore.matches(path).ignored {
            return Ok(());
        }
        for (at, _) in path.iter().enumerate().filter(|&(_, &byte)| byte == b'/') {
            let parent = &path[..at];
            prop_assert!(!ignore.matches(parent).ignored || ignore.may_have_exceptions_below(parent));
        }
    }
}

#[test]
fn a_huge_file_is_refused_at_once() {
    let source = b"RUN echo hello\n".repeat(100_000_000 / 15);
    let errors = Dockerfile::parse(&source).expect_err("100 MB are too much");

    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].kind, ParseErrorKind::TooLarge { limit: MAX_SOURCE_BYTES });
}

#[test]
fn the_largest_file_is_read() {
    let mut source = b"FROM a\n".to_vec();
    while source.len() < MAX_SOURCE_BYTES - 100 {
        source.extend_from_slice(
            b"RUN --mount=type=cache,target=/x echo hello $x && \\\n  make all\nENV a=\"$b\" c=d\n",
        );
    }
    let dockerfile = Dockerfile::parse(&source).expect("it is correct");
    assert!(dockerfile.stages[0].instructions.len() > 400_000);
}

#[test]
fn a_file_of_garbage_gives_the_first_errors_only() {
    let errors = Dockerfile::parse(b"garbage \\\n".repeat(100_000)).expect_err("no instructions");
    assert_eq!(errors.len(), 1);
    let errors = Dockerfile::parse(b"garbage\n".repeat(1_000_000)).expect_err("no instructions");
    assert_eq!(errors.len(), 20);
}

#[test]
fn many_heredocs_and_deep_triggers_are_read() {
    let markers: String = (0..2000).map(|number| format!(" <<E{number}")).collect();
    let bodies: String = (0..2000).map(|number| format!("body\nE{number}\n")).collect();
    let dockerfile =
        Dockerfile::parse(format!("FROM a\nCOPY{markers} /x/\n{bodies}")).expect("it is correct");
    assert_eq!(dockerfile.stages[0].instructions.len(), 1);

    let errors =
        Dockerfile::parse(format!("FROM a\n{}", "ONBUILD ".repeat(8000))).expect_err("triggers do not nest");
    assert_eq!(errors.len(), 1);
}

#[test]
fn options_of_mounts_that_nobody_knows_are_refused() {
    for option in
        ["bind-propagation=shared,rw", "propagation=shared", "options=rshared", "suid", "rw=yes;dev"]
    {
        let text = format!("FROM a\nRUN --mount=type=bind,target=/x,{option} true\n");
        assert!(Dockerfile::parse(text.as_bytes()).is_err(), "{option} was taken");
    }
}
