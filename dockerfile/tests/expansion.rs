//! Variables, quotes and escapes in values.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tug_dockerfile::{Escape, ExpandErrorKind, MAX_EXPANDED_BYTES, expand, expand_heredoc, expand_words};

const VARIABLES: [(&str, &str); 8] = [
    ("PATH", "/usr/bin:/bin"),
    ("EMPTY", ""),
    ("V", "1.2.3"),
    ("WORDS", "a  b"),
    ("STAR", "x*y?z"),
    ("FILE", "foo/bar/baz.tar.gz"),
    ("ÄÖ", "umlaut"),
    ("_x1", "under"),
];

fn lookup(name: &str) -> Option<String> {
    VARIABLES.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

fn expanded(word: &str) -> String {
    match expand(word, Escape::Backslash, &lookup) {
        Ok(expanded) => expanded.text,
        Err(error) => format!("error: {error} @ {:?}", error.range),
    }
}

#[test]
fn every_form_gives_what_the_table_says() {
    for (word, text) in [
        ("", ""),
        ("plain text", "plain text"),
        ("$V", "1.2.3"),
        ("${V}", "1.2.3"),
        ("a$V.b", "a1.2.3.b"),
        ("a${V}b", "a1.2.3b"),
        ("$NONE|${NONE}", "|"),
        ("$ÄÖ $_x1 ${ÄÖ}", "umlaut under umlaut"),
        ("$", "$"),
        ("a$ b$.", "a$ b$."),
        ("$$V", "V"),
        ("$1$@$*$#$?$-$!$0x$12y", "xy"),
        ("${1}${@}", ""),
        (r"\$V \${V} \a \\ \", r"$V ${V} a \ "),
        (r"'$V \a'", r"$V \a"),
        (r#""$V" "a b" "" "\"" "\a" "\$V" "\\""#, r#"1.2.3 a b  " \a $V \"#),
        (r#"a"b"'c'd"#, "abcd"),
        (r#"'"' "'""#, r#"" '"#),
        ("${V:-w} ${V-w}", "1.2.3 1.2.3"),
        ("${NONE:-w} ${NONE-w}", "w w"),
        ("${EMPTY:-w} ${EMPTY-w}", "w "),
        ("${V:+w} ${V+w}", "w w"),
        ("${NONE:+w} ${NONE+w}", " "),
        ("${EMPTY:+w} ${EMPTY+w}", " w"),
        ("${V:?m} ${V?m} ${EMPTY?m}", "1.2.3 1.2.3 "),
        ("${NONE:-}${NONE:+}", ""),
        ("${NONE:-${NONE2:-$V}}", "1.2.3"),
        (r#"${NONE:-"a }" 'b }'}"#, "a } b }"),
        (r"${NONE:-a\}b}", "a}b"),
        ("${NONE:-a b}", "a b"),
        ("${PATH:+${PATH}:}/new", "/usr/bin:/bin:/new"),
        ("${FILE#*/} ${FILE##*/}", "bar/baz.tar.gz baz.tar.gz"),
        ("${FILE%.*} ${FILE%%.*}", "foo/bar/baz.tar foo/bar/baz"),
        (
            "${FILE#foo/} ${FILE#bar} ${FILE%.gz} ${FILE%gz?}",
            "bar/baz.tar.gz foo/bar/baz.tar.gz foo/bar/baz.tar foo/bar/baz.tar.gz",
        ),
        ("${FILE#???/}", "bar/baz.tar.gz"),
        ("${FILE##*} ${FILE%%*} ${FILE#*} ${FILE%*}", "  foo/bar/baz.tar.gz foo/bar/baz.tar.gz"),
        (r"${STAR#x\*} ${STAR%\?z} ${STAR#x*}", "y?z x*y *y?z"),
        ("${V%.${V##*.}}", "1.2"),
        ("${NONE#x} ${NONE%%x} ${NONE/a/b}", "  "),
        ("${FILE/ba/X} ${FILE//ba/X}", "foo/Xr/baz.tar.gz foo/Xr/Xz.tar.gz"),
        (r"${FILE//\//-}", "foo-bar-baz.tar.gz"),
        ("${FILE/b*r/X} ${FILE//?a/}", "foo/X.gz foo/r/z.r.gz"),
        ("${V//./$V}", "11.2.321.2.33"),
        ("${V//./}", "123"),
        ("${V/x*/y} ${V//*/y} ${EMPTY//*/y}", "1.2.3 y y"),
        ("${V/./\"a b\"}", "1a b2.3"),
    ] {
        assert_eq!(expanded(word), text, "{word}");
    }
}

#[test]
fn wrong_forms_are_named_with_their_place() {
    for (word, message) in [
        ("a${V", "`${` has no `}` @ 1..4"),
        ("${", "`${` has no `}` @ 0..2"),
        ("${V:-x", "`${` has no `}` @ 0..6"),
        ("${V:-${W}", "`${` has no `}` @ 0..9"),
        ("${V/a/b", "`${` has no `}` @ 0..7"),
        ("${}", "`${}` names no variable @ 0..3"),
        ("${{V}}", "`${{` names no variable @ 0..3"),
        ("${:-x}", "`${:` names no variable @ 0..3"),
        ("${V:=x}", "`:=` is not a modifier of a variable @ 3..5"),
        ("${V^^}", "`^` is not a modifier of a variable @ 3..4"),
        ("${V:#x}", "`:#` is not a modifier of a variable @ 3..5"),
        ("${V:}", "`:}` is not a modifier of a variable @ 3..5"),
        ("${V:1:2}", "`:1` is not a modifier of a variable @ 3..5"),
        ("${V x}", "` ` is not a modifier of a variable @ 3..4"),
        ("${V/a}", "`${V/` has no second `/` @ 0..6"),
        ("${NONE?}", "`NONE` is not set @ 0..8"),
        ("${NONE:?say why}", "`NONE` is not set: say why @ 0..16"),
        ("${EMPTY:?$V}", "`EMPTY` is empty: 1.2.3 @ 0..12"),
        (r"${V#\a}", r"`\a` is not an escape of a pattern @ 0..7"),
        ("a\"b", "the quote `\"` does not close @ 1..2"),
        ("a'b", "the quote `'` does not close @ 1..2"),
    ] {
        assert_eq!(expanded(word), format!("error: {message}"), "{word}");
    }
}

#[test]
fn the_escape_character_can_be_a_backtick() {
    let expanded = |word| expand(word, Escape::Backtick, &lookup).expect("it can be expanded").text;

    assert_eq!(expanded(r"c:\$V`$V"), r"c:\1.2.3$V");
    assert_eq!(expanded("\"`\" \\\""), r#"" \"#);
}

#[test]
fn names_that_were_asked_for_are_told() {
    let expanded =
        expand("$V ${NONE:-${FILE}} '$PATH' ${EMPTY:+$OTHER}", Escape::Backslash, &lookup).expect("correct");

    assert_eq!(expanded.used.into_iter().collect::<Vec<_>>(), ["EMPTY", "FILE", "V"]);
    assert_eq!(expanded.unset.into_iter().collect::<Vec<_>>(), ["NONE", "OTHER"]);
}

#[test]
fn words_are_split_after_variables_are_replaced() {
    let words = |word| expand_words(word, Escape::Backslash, &lookup).expect("it can be expanded").words;

    assert_eq!(words("  a $WORDS  b "), ["a", "a", "b", "b"]);
    assert_eq!(words("x$WORDS"), ["xa", "b"]);
    assert_eq!(words(r#""$WORDS" 'c d' e\ f $EMPTY """#), ["a  b", "c d", "e f"]);
}

#[test]
fn bodies_of_heredocs_keep_their_quotes() {
    let expanded = |body| expand_heredoc(body, &lookup).expect("it can be expanded").text;

    assert_eq!(expanded("'$V' \"${V}\" it's\n"), "'1.2.3' \"1.2.3\" it's\n");
    assert_eq!(expanded("\\$V \\\\ \\\n\\n `$V`\n"), "$V \\ \nn `1.2.3`\n");
    assert_eq!(expanded("${NONE:-\"a\"}"), "\"a\"");
}

#[test]
fn values_cannot_grow_without_end() {
    let large = "x".repeat(MAX_EXPANDED_BYTES / 2);
    let error = expand("$A$A$A", Escape::Backslash, &|_| Some(large.clone())).expect_err("three halves");
    assert_eq!(error.kind, ExpandErrorKind::TooLong);
    let error = expand("\"$A$A$A\"", Escape::Backslash, &|_| Some(large.clone())).expect_err("three halves");
    assert_eq!(error.kind, ExpandErrorKind::TooLong);
    let error = expand("${A//x/$B}", Escape::Backslash, &|name| {
        Some(if name == "A" { "x".repeat(9000) } else { "y".repeat(9000) })
    });
    assert_eq!(error.expect_err("81 million").kind, ExpandErrorKind::TooLong);
}

#[test]
fn nesting_has_an_end() {
    let deep = "${a:-".repeat(100_000);
    assert_eq!(
        expand(&deep, Escape::Backslash, &lookup).expect_err("too deep").kind,
        ExpandErrorKind::TooDeep
    );
}

/// Text made of the pieces the language cares about.
fn words() -> impl Strategy<Value = String> {
    let pieces = proptest::sample::select(vec![
        "$", "${", "}", "{", ":", "-", "+", "?", "#", "%", "/", "\\", "`", "'", "\"", "*", "a", "B", "_",
        "1", " ", "\t", "\n", "ä", "😀", "${V}", "${V:-", "${V#", "${V//", "$V",
    ]);
    proptest::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn expansion_never_panics_and_marks_a_place_inside_the_word(word in words()) {
        for escape in [Escape::Backslash, Escape::Backtick] {
            let errors = [
                expand(&word, escape, &lookup).err(),
                expand_words(&word, escape, &lookup).err(),
                expand_heredoc(&word, &lookup).err(),
            ];
            for error in errors.into_iter().flatten() {
                prop_assert!(error.range.start <= error.range.end && error.range.end <= word.len());
                prop_assert!(word.is_char_boundary(error.range.start) && word.is_char_boundary(error.range.end));
            }
        }
    }

    #[test]
    fn expansion_of_any_text_never_panics(word in any::<String>()) {
        let _ = expand(&word, Escape::Backslash, &lookup);
        let _ = expand_heredoc(&word, &lookup);
    }

    #[test]
    fn literal_text_stays(word in "[^$'\"\\\\`]*") {
        let value = expand(&word, Escape::Backslash, &lookup).expect("nothing to expand");
        prop_assert_eq!(&value.text, &word);
        let body = expand_heredoc(&word, &lookup).expect("nothing to expand");
        prop_assert_eq!(&body.text, &word);
        let split = expand_words(&word, Escape::Backtick, &lookup).expect("nothing to expand");
        prop_assert_eq!(split.words, word.split_whitespace().collect::<Vec<_>>());
    }

    #[test]
    fn quoted_text_stays(text in "[^']*") {
        let expanded = expand(&format!("'{text}'"), Escape::Backslash, &lookup).expect("nothing to expand");
        prop_assert_eq!(expanded.text, text);
    }

    #[test]
    fn trimmed_ends_are_ends(value in "[abc]{0,8}", pattern in "[abc*?]{0,5}") {
        let environment = BTreeMap::from([("A", value.clone()), ("P", pattern)]);
        let expanded = |word: &str| {
            let expanded = expand(word, Escape::Backslash, &|name| environment.get(name).cloned());
            expanded.expect("a pattern without escapes").text
        };
        let (shortest, longest) = (expanded("${A#$P}"), expanded("${A##$P}"));
        prop_assert!(value.ends_with(&shortest) && shortest.ends_with(&longest));
        let (shortest, longest) = (expanded("${A%$P}"), expanded("${A%%$P}"));
        prop_assert!(value.starts_with(&shortest) && shortest.starts_with(&longest));
    }
}
