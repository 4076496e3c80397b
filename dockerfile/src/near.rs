//! Names of variables: the one that was probably meant, and where one stands in a value.

use crate::{Span, Word};

/// The first of those names that differ from `name` in the fewest letters, two at most; none if one is `name` itself.
pub(crate) fn nearest<'n>(name: &str, candidates: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let mut best = None;
    let mut fewest = 3;
    for candidate in candidates {
        let distance = strsim::levenshtein(name, candidate);
        if distance == 0 {
            return None;
        }
        if distance < fewest {
            (best, fewest) = (Some(candidate), distance);
        }
    }
    best
}

/// Where `$name` or `${name…}` stands in a value; all of the value if that cannot be told.
pub(crate) fn variable_in(word: &Word, name: &str) -> Span {
    if word.span.end - word.span.start != word.raw.len() {
        return word.span;
    }
    let goes_on = |rest: &str| rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
    for (at, _) in word.raw.match_indices('$') {
        let after = &word.raw[at + 1..];
        let (inner, opened) = after.strip_prefix('{').map_or((after, 0), |inner| (inner, 1));
        let Some(rest) = inner.strip_prefix(name).filter(|rest| !goes_on(rest)) else { continue };
        let closed = usize::from(opened == 1 && rest.starts_with('}'));
        let start = word.span.start + at;
        return Span::new(start, start + 1 + opened + name.len() + closed);
    }
    word.span
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_letters_may_differ() {
        assert_eq!(nearest("PAHT", ["HOME", "PATH"].into_iter()), Some("PATH"));
        assert_eq!(nearest("MYARCH", ["MY_OS", "MY_ARCH"].into_iter()), Some("MY_ARCH"));
        assert_eq!(nearest("version", ["tag"].into_iter()), None);
    }

    #[test]
    fn a_variable_is_found_in_its_value() {
        let place = |raw: &str, name| {
            let span = variable_in(&Word::new(raw, Span::new(10, 10 + raw.len())), name);
            raw[span.start - 10..span.end - 10].to_owned()
        };
        assert_eq!(place("a:$VERSIONS-$VERSION.1", "VERSION"), "$VERSION");
        assert_eq!(place("a:${A}${AB}", "AB"), "${AB}");
        assert_eq!(place("a:${A:-${B}}", "A"), "${A");
        assert_eq!(place("a", "A"), "a");
    }
}
