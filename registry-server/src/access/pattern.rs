//! Patterns with `*` (any characters, a `/` too) and `?` (one character).

/// Whether all of `text` is as `pattern` says. Takes at most the product of both lengths.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut place) = (0, 0);
    // Where to go on when the last `*` has to stand for one more character.
    let mut retry: Option<(usize, usize)> = None;
    while place < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at + 1, place));
                at += 1;
            }
            Some(wanted) if *wanted == b'?' || *wanted == text[place] => {
                at += 1;
                place += 1;
            }
            _ => match retry {
                Some((behind, taken)) => {
                    retry = Some((behind, taken + 1));
                    (at, place) = (behind, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|left| *left == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_and_question_marks_stand_for_characters() {
        for (pattern, text, expected) in [
            ("v*", "v1.2", true),
            ("v*", "1v", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("v?.*", "v1.2", true),
            ("v?.*", "v10.2", false),
            ("*-rc*", "1-r-rc2", true),
            ("a*b*c", "axxbxx", false),
            ("base/*", "base/a/b", true),
            ("**a", "aaab", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
