//! Patterns of names: `*`, `?`, `[a-c]`, `[^x]`, and `\` before what stands for itself.

/// Whether the whole name matches. A pattern that is not one matches nothing.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    // Where to go on when it does not fit: behind the last `*`, one character later.
    let (mut at, mut letter) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    loop {
        if at == pattern.len() && letter == name.len() {
            return true;
        }
        if pattern.get(at) == Some(&'*') {
            again = Some((at + 1, letter + 1));
            at += 1;
            continue;
        }
        match (one(&pattern[at..], name.get(letter).copied()), again) {
            (Some(length), _) => {
                at += length;
                letter += 1;
            }
            (None, Some((behind, next))) if next <= name.len() => {
                (at, letter) = (behind, next);
                again = Some((behind, next + 1));
            }
            (None, _) => return false,
        }
    }
}

/// How long the part of the pattern is that one letter matches.
fn one(pattern: &[char], letter: Option<char>) -> Option<usize> {
    let letter = letter?;
    match pattern {
        ['?', ..] => Some(1),
        ['\\', escaped, ..] => (*escaped == letter).then_some(2),
        ['[', rest @ ..] => {
            let (negated, mut rest) = match rest {
                ['^', rest @ ..] => (true, rest),
                rest => (false, rest),
            };
            let length = rest.iter().skip(1).position(|letter| *letter == ']')? + 1;
            let whole = 1 + usize::from(negated) + length + 1;
            rest = &rest[..length];
            let mut found = false;
            while let [first, others @ ..] = rest {
                (found, rest) = match others {
                    ['-', last, others @ ..] => (found || (*first..=*last).contains(&letter), others),
                    others => (found || *first == letter, others),
                };
            }
            (found != negated).then_some(whole)
        }
        [plain, ..] => (*plain == letter).then_some(1),
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn names_match_patterns() {
        for (pattern, name, expected) in [
            ("*", "app", true),
            ("app-*", "app-", true),
            ("app-*", "api-1", false),
            ("*-x-*", "a-x-x-b", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[]x", "]x", false),
            ("a\\*", "a*", true),
            ("a", "ab", false),
            ("", "", true),
            ("**a", "bba", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
