//! A Dockerfile that was mended is planned as before: the same steps, the same config, the same history.

use std::path::Path;

use tug_dockerfile::{LintOptions, fix};

use super::{PLAIN, history, listing, planned};

/// Everything that a plan says, but for the case of keywords in the names of steps.
fn said(text: &str) -> Option<String> {
    let plan = planned(text, &PLAIN).ok()?;
    let config = serde_json::to_string(&plan.units[0].result.config).unwrap();
    Some(format!("{}{:?}\n{config}", listing(&plan).to_lowercase(), history(&plan)))
}

fn mended(text: &str) -> Option<String> {
    let mended = fix(text.as_bytes(), &LintOptions::default())?;
    Some(String::from_utf8(mended.text).unwrap())
}

#[test]
fn what_was_mended_is_planned_as_before() {
    for text in [
        "FROM base as One\nrun make \\\n\n  all\nFROM ONE\ncopy --from=one /a /a\nRUN x\n",
        "FROM base\nENV A  b  c\nENV B $A \\$A 'x  y'\nLABEL c d \"e f\" $B\nRUN echo $A\n",
        "# escape=`\nFROM base\nENV A C:\\dir x`\"y\nRUN a `\n\n b\n",
        "FROM --platform=$TARGETPLATFORM base\nEXPOSE 80/TCP 81-82/Udp\nENV P 83/TCP\nEXPOSE $P\n",
        "from base\nUser a\nENV A ${B:-c}\nworkdir /x\nonbuild env a b\n",
        "FROM base AS Build\nFROM scratch\nCOPY --from=BUILD /a /\nCOPY <<EOF <<'F' /b/\n$A\n\nEOF\n\nF\ncmd [\"x\"]\n",
    ] {
        let after = mended(text).unwrap_or_else(|| panic!("there is something to mend in {text}"));
        assert!(said(text).is_some(), "{text}");
        assert_eq!(said(text), said(&after), "{after}");
    }
}

#[test]
fn what_was_mended_in_the_corpus_is_planned_as_before() {
    let corpora = ["../testdata/build-cases", "../dockerfile/tests/lint-cases", "../dockerfile/tests/cases"];
    let mut compared = 0;
    for corpus in corpora {
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(corpus)).unwrap() {
            let path = entry.unwrap().path().join("Dockerfile");
            // Other images than `base` are not there.
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            let Some(after) = mended(&text) else { continue };
            if let Some(before) = said(&text) {
                assert_eq!(Some(before), said(&after), "{}", path.display());
                compared += 1;
            }
        }
    }
    assert!(compared >= 5, "{compared}");
}
