//! Commands in one argument: `--cmd` and `--entrypoint`.

/// Reads a command: a JSON array as it is; anything else as words, which quotes and backslashes hold together as in a
/// shell. Nothing is expanded, and no shell is put in front. Nothing at all is no command.
pub(crate) fn command(text: &str) -> Result<Vec<String>, String> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).map_err(|_| {
            format!("`{text}` is not a list of words in JSON: expected `[\"sh\", \"-c\", \"…\"]`")
        });
    }
    split(text).ok_or_else(|| format!("`{text}` has a quote that is not closed"))
}

/// Words as a shell sees them. `None` when a quote has no end.
fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next()? {
                        '\'' => break,
                        other => word.push(other),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next()? {
                        '"' => break,
                        '\\' => match characters.next()? {
                            escaped @ ('"' | '\\' | '$' | '`') => word.push(escaped),
                            other => word.extend(['\\', other]),
                        },
                        other => word.push(other),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(characters.next()?),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_a_shell_and_lists_are_taken_as_they_are() {
        for (text, expected) in [
            ("serve --all", &["serve", "--all"][..]),
            ("  a  'b c' \"d \\\" e\"f\\ g ", &["a", "b c", "d \" ef g"]),
            ("sh -c 'echo $HOME'", &["sh", "-c", "echo $HOME"]),
            ("a '' \"\"", &["a", "", ""]),
            (r#"["a b", "c"]"#, &["a b", "c"]),
            (" [] ", &[]),
            ("", &[]),
            ("a,b", &["a,b"]),
        ] {
            assert_eq!(command(text).unwrap(), expected, "{text}");
        }
        for bad in ["'a", "\"a", "a\\", "[a]", "[1]", "[\"a\""] {
            assert!(command(bad).is_err(), "{bad}");
        }
    }
}
