//! Expands any text with a few variables: nothing panics, a text without anything special stays as it is, the three ways
//! to expand agree where they must, and modes, ports and signals read what comes out.
//!
//! Input: a line with the value of a variable, then the text. The escape character is `` ` `` if the value starts with it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tug_dockerfile::{Escape, ExposedPorts, Mode, StopSignal, expand, expand_heredoc, expand_words};

fuzz_target!(|input: &[u8]| {
    let Ok(input) = std::str::from_utf8(input) else { return };
    let Some((value, text)) = input.split_once('\n') else { return };
    let escape = if value.starts_with('`') { Escape::Backtick } else { Escape::Backslash };
    let lookup = |name: &str| match name {
        "EMPTY" => Some(String::new()),
        "V" | "a" => Some(value.to_owned()),
        "W" => Some("one two  three/four.tar.gz".to_owned()),
        _ => None,
    };
    let is_plain = !text.contains(['$', '\'', '"', '\\', '`']);
    let whole = expand(text, escape, &lookup);
    match &whole {
        Ok(expanded) => {
            assert!(!is_plain || expanded.text == text);
            assert!(expanded.used.is_disjoint(&expanded.unset));
            let _ = Mode::parse(&expanded.text).map(|mode| assert!(mode.apply(0o644, true) <= 0o7777));
            let _ = ExposedPorts::parse(&expanded.text);
            let _ = StopSignal::parse(&expanded.text);
        }
        Err(error) => {
            assert!(!is_plain, "{error}");
            let shown = error.to_string();
            assert!(!shown.contains(char::is_control) || input.contains(char::is_control), "{shown:?}");
        }
    }
    if let Ok(split) = expand_words(text, escape, &lookup) {
        assert!(split.words.iter().all(|word| !word.is_empty()));
        let whole = whole.expect("what can be expanded to words can be expanded to one");
        assert_eq!((&split.used, &split.unset), (&whole.used, &whole.unset));
        let without_blanks = |text: &str| text.split_whitespace().collect::<String>();
        assert_eq!(without_blanks(&split.words.concat()), without_blanks(&whole.text));
    }
    if let Ok(body) = expand_heredoc(text, &lookup) {
        assert!(!is_plain || body.text == text);
    }
});
