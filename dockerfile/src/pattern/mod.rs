//! Patterns of paths, for `COPY` wildcards, `--parents`, `--exclude` and ignore files.
//!
//! | in a pattern | matches                                                                                   |
//! | ------------ | ----------------------------------------------------------------------------------------- |
//! | `*`          | any characters but `/`, also none                                                         |
//! | `?`          | one character but `/`                                                                     |
//! | `[a-z]`      | one of these characters; `[^a-z]` any other                                               |
//! | `\c`         | the character `c`                                                                         |
//! | `**`         | only in [deep](Pattern::parse_deep) patterns: any number of directories, also none; at the end everything |
//!
//! These are the rules of Go's `filepath.Match`, and for `**` those of docker's ignore files. Paths are
//! bytes: where they are not UTF-8, each byte is a character.

mod matcher;

use std::fmt;

use matcher::{Goal, Matcher, first_character};

/// A longer pattern is refused; no path is that long.
const MAX_PATTERN_BYTES: usize = 4096;

/// A pattern, ready to be held against paths.
///
/// ```
/// use tug_dockerfile::Pattern;
/// assert!(Pattern::parse("src/*.rs")?.matches(b"src/main.rs"));
/// assert!(!Pattern::parse("*.rs")?.matches(b"src/main.rs"));
/// assert!(Pattern::parse_deep("**/*.rs")?.matches(b"src/bin/main.rs"));
/// # Ok::<(), tug_dockerfile::PatternError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pattern {
    text: Vec<u8>,
    tokens: Vec<Token>,
    /// How many tokens may match text of different lengths.
    choices: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// These bytes.
    Literal(Vec<u8>),
    /// One character but `/`.
    One,
    /// One character of a set.
    Set(Set),
    /// Any characters but `/`.
    Many,
    /// Nothing, or everything up to some `/`.
    Directories,
    /// Everything.
    All,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Set {
    negated: bool,
    ranges: Vec<(char, char)>,
}

/// A text that is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// Longer than any path.
    #[error("the pattern has more than {MAX_PATTERN_BYTES} bytes")]
    TooLong,
    /// `[` without `]`, or an empty or broken set.
    #[error("the set that starts with `[` in `{pattern}` is not complete")]
    BadSet {
        /// The pattern.
        pattern: String,
    },
    /// `\` as the last character.
    #[error("nothing follows the last `\\` of `{pattern}`")]
    LoneEscape {
        /// The pattern.
        pattern: String,
    },
}

impl PatternError {
    /// What the user can do about it, if we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::BadSet { .. } => Some("for the character itself write `[[]`".to_owned()),
            Self::LoneEscape { .. } => Some("for the character itself write `\\\\`".to_owned()),
            Self::TooLong => None,
        }
    }
}

impl Pattern {
    /// Reads a pattern in which `**` is the same as `*`.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, PatternError> {
        Self::compile(text.as_ref(), false)
    }

    /// Reads a pattern in which `**` stands for any number of directories.
    pub fn parse_deep(text: impl AsRef<[u8]>) -> Result<Self, PatternError> {
        Self::compile(text.as_ref(), true)
    }

    /// The pattern as it was written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    /// Has `text` any `*`, `?` or `[`? If not, docker takes it as a path, `\` included.
    pub fn has_wildcards(text: &[u8]) -> bool {
        let mut bytes = text.iter();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\\' => drop(bytes.next()),
                b'*' | b'?' | b'[' => return true,
                _ => {}
            }
        }
        false
    }

    /// Does it match the whole path? The path is relative and clean: no `.`, no `..`, no `/` at either end.
    pub fn matches(&self, path: &[u8]) -> bool {
        self.fits_at_the_ends(path) && self.run(path, Goal::Whole)
    }

    /// Could it match a path below this directory?
    pub fn could_match_below(&self, directory: &[u8]) -> bool {
        if directory.is_empty() {
            return true;
        }
        let mut start = directory.to_vec();
        start.push(b'/');
        self.run(&start, Goal::Start)
    }

    fn compile(text: &[u8], deep: bool) -> Result<Self, PatternError> {
        if text.len() > MAX_PATTERN_BYTES {
            return Err(PatternError::TooLong);
        }
        let pattern = || String::from_utf8_lossy(text).into_owned();
        let mut tokens: Vec<Token> = Vec::new();
        let mut rest = text;
        while let Some((&first, after)) = rest.split_first() {
            rest = after;
            match first {
                b'*' if deep && rest.first() == Some(&b'*') => {
                    let at_start = rest.len() + 1 == text.len();
                    rest = &rest[1..];
                    let before_slash = rest.first() == Some(&b'/');
                    rest = if before_slash { &rest[1..] } else { rest };
                    // Docker takes a leading `**` before plain text as "ends with".
                    let is_plain_end =
                        at_start && !before_slash && !rest.iter().any(|byte| b"*?[]\\".contains(byte));
                    tokens.push(if rest.is_empty() || is_plain_end {
                        Token::All
                    } else {
                        Token::Directories
                    });
                }
                b'*' if tokens.last() == Some(&Token::Many) => {}
                b'*' => tokens.push(Token::Many),
                b'?' => tokens.push(Token::One),
                b'[' => {
                    let (set, length) =
                        Set::parse(rest).ok_or_else(|| PatternError::BadSet { pattern: pattern() })?;
                    tokens.push(Token::Set(set));
                    rest = &rest[length..];
                }
                b'\\' => {
                    let (&escaped, after) =
                        rest.split_first().ok_or_else(|| PatternError::LoneEscape { pattern: pattern() })?;
                    push_literal(&mut tokens, escaped);
                    rest = after;
                }
                literal => push_literal(&mut tokens, literal),
            }
        }
        let choices = tokens.iter().filter(|token| token.is_choice()).count();
        Ok(Self { text: text.to_vec(), tokens, choices })
    }

    /// Looks at the plain text at both ends first: most paths fail there.
    fn fits_at_the_ends(&self, path: &[u8]) -> bool {
        let fits_start = match self.tokens.first() {
            Some(Token::Literal(start)) => path.starts_with(start),
            _ => true,
        };
        fits_start
            && match self.tokens.last() {
                Some(Token::Literal(end)) => path.ends_with(end),
                _ => true,
            }
    }

    fn run(&self, path: &[u8], goal: Goal) -> bool {
        let seen =
            if self.choices > 1 { vec![false; self.tokens.len() * (path.len() + 1)] } else { Vec::new() };
        Matcher { tokens: &self.tokens, path, goal, seen }.from(0, 0)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&String::from_utf8_lossy(&self.text))
    }
}

impl Token {
    fn is_choice(&self) -> bool {
        matches!(self, Self::Many | Self::Directories | Self::All)
    }
}

fn push_literal(tokens: &mut Vec<Token>, byte: u8) {
    match tokens.last_mut() {
        Some(Token::Literal(bytes)) => bytes.push(byte),
        _ => tokens.push(Token::Literal(vec![byte])),
    }
}

impl Set {
    /// Reads what follows `[`; gives the length of it, `]` included.
    fn parse(text: &[u8]) -> Option<(Self, usize)> {
        let mut rest = text;
        let negated = rest.first() == Some(&b'^');
        if negated {
            rest = &rest[1..];
        }
        let mut ranges = Vec::new();
        while rest.first() != Some(&b']') || ranges.is_empty() {
            let low = member(&mut rest)?;
            let mut high = low;
            if rest.first() == Some(&b'-') {
                rest = &rest[1..];
                high = member(&mut rest)?;
            }
            ranges.push((low, high));
        }
        Some((Self { negated, ranges }, text.len() - rest.len() + 1))
    }

    fn contains(&self, character: char) -> bool {
        self.ranges.iter().any(|&(low, high)| (low..=high).contains(&character)) != self.negated
    }
}

/// One character of a set. `-` and `]` need a `\` before them.
fn member(rest: &mut &[u8]) -> Option<char> {
    match rest.first()? {
        b'-' | b']' => return None,
        b'\\' => *rest = &rest[1..],
        _ => {}
    }
    let (character, length) = first_character(rest)?;
    *rest = &rest[length..];
    Some(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shallow(pattern: &str, path: &str) -> bool {
        Pattern::parse(pattern).expect("a pattern").matches(path.as_bytes())
    }

    fn deep(pattern: &str, path: &str) -> bool {
        Pattern::parse_deep(pattern).expect("a pattern").matches(path.as_bytes())
    }

    #[test]
    fn what_has_no_wildcards_is_a_path() {
        for (text, expected) in
            [("a", false), ("a*", true), (r"a\*", false), (r"a\\*", true), (r"a\", false), ("[", true)]
        {
            assert_eq!(Pattern::has_wildcards(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn shallow_patterns_match_as_go_matches() {
        for (pattern, path) in [
            ("abc", "abc"),
            ("*", "abc"),
            ("*c", "abc"),
            ("a*", "a"),
            ("a*/b", "abc/b"),
            ("a*b*c*d*e*/f", "axbxcxdxe/f"),
            ("a*b?c*x", "abxbbxdbxebxczzx"),
            ("ab[c]", "abc"),
            ("ab[b-d]", "abc"),
            ("ab[^e-g]", "abc"),
            ("a?b", "a☺b"),
            ("a[^a]b", "a☺b"),
            ("[a-ζ]*", "α"),
            ("[\\]a]", "]"),
            ("[\\-x]", "-"),
            ("[x\\-]", "-"),
            ("*x", "xxx"),
            ("a\\*b", "a*b"),
            ("a[^b]c", "a/c"),
            ("", ""),
            ("**", "abc"),
        ] {
            assert!(shallow(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("a*", "ab/c"),
            ("a*/b", "a/c/b"),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/fff"),
            ("a*b?c*x", "abxbbxdbxebxczzy"),
            ("ab[e-g]", "abc"),
            ("ab[^c]", "abc"),
            ("a\\*b", "ab"),
            ("a???b", "a☺b"),
            ("a[^a][^a][^a]b", "a☺b"),
            ("a?b", "a/b"),
            ("a*b", "a/b"),
            ("a", "ab"),
            ("", "a"),
            ("[!a]", "b"),
            ("**", "a/b"),
        ] {
            assert!(!shallow(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn deep_patterns_match_as_docker_matches() {
        for (pattern, path) in [
            ("**", "a/b"),
            ("**/", "a"),
            ("**/a", "a"),
            ("**/a", "x/y/a"),
            ("a/**", "a/b/c"),
            ("a/**/b", "a/b"),
            ("a/**/b", "a/x/y/b"),
            ("**/*.txt", "x/y.txt"),
            ("**/*.txt", "y.txt"),
            ("a**b", "ab"),
            ("a**b", "ax/b"),
            ("**b", "x/ab"),
            ("a**", "abc/d"),
            ("**/x/**/y", "x/y"),
            ("**b**c", "b/x/bc"),
            ("**/**/c", "a/b/c"),
        ] {
            assert!(deep(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("**/a", "xa"),
            ("a/**", "a"),
            ("a/**", "ab"),
            ("a**b", "axb"),
            ("**/*.txt", "y.txt/z"),
            ("**b*", "xb"),
        ] {
            assert!(!deep(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn broken_patterns_are_refused() {
        for pattern in ["[", "[]", "[^]", "[a", "[a-", "[a-]", "[-a]", "[]a]", "[a\\", "a[", "a\\"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
        assert_eq!(Pattern::parse("a".repeat(5000)).err(), Some(PatternError::TooLong));
    }

    #[test]
    fn a_walk_learns_where_a_pattern_can_still_match() {
        let below = |pattern: &str, directory: &str| {
            Pattern::parse_deep(pattern).expect("a pattern").could_match_below(directory.as_bytes())
        };

        assert!(
            below("a/b/*.txt", "a") && below("a/b/*.txt", "a/b") && below("*/c", "x") && below("**/c", "x/y")
        );
        assert!(!below("a/b/*.txt", "a/c") && !below("*/c", "x/y") && !below("a", "a") && !below("ab", "a"));
        assert!(below("anything", ""));
    }

    #[test]
    fn many_stars_cost_no_more_than_their_number_times_the_length() {
        let path = "ma/in/".repeat(600) + "x";
        for pattern in ["*".repeat(30) + "?/n" + &"*".repeat(30) + "z", "**/a*".repeat(400) + "z"] {
            let pattern = Pattern::parse_deep(pattern).expect("a pattern");
            assert!(!pattern.matches(path.as_bytes()) && pattern.could_match_below(b"ma"));
        }
    }

    #[test]
    fn names_that_are_not_utf8_are_matched_byte_by_byte() {
        assert!(Pattern::parse("?b*").expect("a pattern").matches(b"\xffb\xfe"));
        assert!(!Pattern::parse("?b").expect("a pattern").matches(b"\xff\xffb"));
        assert!(Pattern::parse(b"\xff*").expect("a pattern").matches(b"\xff\xfe"));
    }

    #[test]
    fn many_stars_take_no_longer_than_pattern_times_path() {
        let pattern = Pattern::parse("a*".repeat(100) + "b").expect("a pattern");
        assert!(!pattern.matches("a".repeat(3000).as_bytes()));
    }
}
