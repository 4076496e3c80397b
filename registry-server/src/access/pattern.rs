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

/// Refuses what could be the pattern of no tag. The error is a sentence.
pub(crate) fn check(pattern: &str) -> Result<(), String> {
    let (repositories, tags) = pattern.split_once(':').unwrap_or(("*", pattern));
    let fits = |text: &str, further: &str| {
        !text.is_empty()
            && text.chars().all(|letter| letter.is_ascii_alphanumeric() || further.contains(letter))
    };
    match fits(repositories, "*?._-/") && fits(tags, "*?._-") {
        true => Ok(()),
        false => Err(format!("`{pattern}` fits no tag: expected `TAG` or `REPOSITORY:TAG`, as in `v*`")),
    }
}

#[cfg(test)]
mod tests {
    use super::{check, matches};

    #[test]
    fn what_can_be_no_tag_is_refused() {
        for good in ["v*", "*", "base/*:*", "a/b:v?.1-rc_2"] {
            assert_eq!(check(good), Ok(()));
        }
        for bad in ["", ":v1", "a:", "a:b:c", "a/b", "v 1", "[v]"] {
            let expected = format!("`{bad}` fits no tag: expected `TAG` or `REPOSITORY:TAG`, as in `v*`");
            assert_eq!(check(bad), Err(expected));
        }
    }

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
