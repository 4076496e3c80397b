//! Ignore files: which paths of a build context are left out.
//!
//! One pattern a line. `#` in the first column starts a comment; blanks around a pattern, a leading `/` and a
//! trailing `/` do not count, and `.`, `..` and `//` in it are resolved. A pattern matches a path if it
//! matches the path itself or a directory above it; `!` before it brings paths back. The last pattern that
//! matches decides.

use crate::{Pattern, PatternError};

/// The rules of an ignore file, or of `--exclude`.
#[derive(Clone, Debug, Default)]
pub struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    pattern: Pattern,
    brings_back: bool,
    line: usize,
}

/// Whether a path is left out, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// It is left out.
    pub ignored: bool,
    /// The line whose pattern decided, counted from 1; `None` if no pattern matches.
    pub line: Option<usize>,
}

/// Which rules match a directory or one above it, so that a walk need not try them again for what is below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Above {
    matched: Vec<bool>,
}

/// A line that is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {kind}")]
pub struct IgnoreError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub kind: IgnoreErrorKind,
}

/// What can be wrong with a line of an ignore file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IgnoreErrorKind {
    /// Nothing follows the `!`.
    #[error("`!` needs a pattern after it")]
    LoneExclamationMark,
    /// No pattern.
    #[error(transparent)]
    Pattern(PatternError),
}

impl IgnoreError {
    /// What the user can do about it, if we know.
    pub fn hint(&self) -> Option<String> {
        match &self.kind {
            IgnoreErrorKind::Pattern(error) => error.hint(),
            IgnoreErrorKind::LoneExclamationMark => None,
        }
    }
}

impl Ignore {
    /// Reads an ignore file. It need not be UTF-8.
    ///
    /// ```
    /// use tug_dockerfile::Ignore;
    /// let ignore = Ignore::parse("# built\ntarget\n!target/app\n")?;
    /// assert!(ignore.matches(b"target/debug/x").ignored);
    /// assert_eq!(ignore.matches(b"target/app").line, Some(3));
    /// # Ok::<(), tug_dockerfile::IgnoreError>(())
    /// ```
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, IgnoreError> {
        let text = text.as_ref();
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        let lines =
            text.split(|&byte| byte == b'\n').map(|line| if line.starts_with(b"#") { &[] } else { line });
        Self::from_lines(lines)
    }

    /// Takes patterns that do not come from a file, such as those of `--exclude`. `#` has no meaning; the
    /// lines of decisions count the patterns.
    pub fn from_patterns<P: AsRef<[u8]>>(patterns: &[P]) -> Result<Self, IgnoreError> {
        Self::from_lines(patterns.iter().map(AsRef::as_ref))
    }

    /// Are there no rules?
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Does any rule bring paths back?
    pub fn has_exceptions(&self) -> bool {
        self.rules.iter().any(|rule| rule.brings_back)
    }

    /// Is a path left out? The path is relative to the root of the context and clean: `/` between its parts,
    /// no `.`, no `..`, no `/` at either end. Directories and files are treated alike.
    pub fn matches(&self, path: &[u8]) -> Decision {
        self.decide_by(|rule, _| parents_and_self(path).any(|part| rule.pattern.matches(part)))
    }

    /// What a walk knows at the root of the context.
    pub fn top(&self) -> Above {
        Above { matched: vec![false; self.rules.len()] }
    }

    /// What a walk knows inside of a directory; `above` is what it knows inside of the directory that holds
    /// it.
    pub fn enter(&self, above: &Above, directory: &[u8]) -> Above {
        let rules = self.rules.iter().zip(&above.matched);
        Above { matched: rules.map(|(rule, &matched)| matched || rule.pattern.matches(directory)).collect() }
    }

    /// The same as [`matches`](Self::matches), faster; `above` is what a walk knows inside of the directory
    /// that holds the path.
    pub fn decide(&self, above: &Above, path: &[u8]) -> Decision {
        self.decide_by(|rule, index| {
            above.matched.get(index).copied().unwrap_or_default() || rule.pattern.matches(path)
        })
    }

    /// May something below a directory be brought back, though the directory is left out? If not, a walk need
    /// not enter it.
    pub fn may_have_exceptions_below(&self, directory: &[u8]) -> bool {
        let matches = |rule: &Rule| parents_and_self(directory).any(|part| rule.pattern.matches(part));
        let undecided = self.rules.iter().rev().take_while(|rule| rule.brings_back || !matches(rule));
        undecided.filter(|rule| rule.brings_back).any(|rule| rule.pattern.could_match_below(directory))
    }

    fn from_lines<'t>(lines: impl Iterator<Item = &'t [u8]>) -> Result<Self, IgnoreError> {
        let mut rules = Vec::new();
        for (index, written) in lines.enumerate() {
            let line = index + 1;
            let mut text = trim(written);
            let brings_back = text.starts_with(b"!");
            if brings_back {
                text = trim(&text[1..]);
                if text.is_empty() {
                    return Err(IgnoreError { line, kind: IgnoreErrorKind::LoneExclamationMark });
                }
            }
            if text.is_empty() {
                continue;
            }
            let cleaned = clean(text);
            let relative = cleaned.strip_prefix(b"/").filter(|rest| !rest.is_empty()).unwrap_or(&cleaned);
            let pattern = Pattern::parse_deep(relative)
                .map_err(|error| IgnoreError { line, kind: IgnoreErrorKind::Pattern(error) })?;
            rules.push(Rule { pattern, brings_back, line });
        }
        Ok(Self { rules })
    }

    fn decide_by(&self, matches: impl Fn(&Rule, usize) -> bool) -> Decision {
        let mut from_the_last = self.rules.iter().enumerate().rev();
        let deciding = from_the_last.find(|(index, rule)| matches(rule, *index)).map(|(_, rule)| rule);
        Decision {
            ignored: deciding.is_some_and(|rule| !rule.brings_back),
            line: deciding.map(|rule| rule.line),
        }
    }
}

/// `a`, `a/b`, `a/b/c` for `a/b/c`.
fn parents_and_self(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|&(_, &byte)| byte == b'/').map(|(at, _)| at);
    slashes.chain([path.len()]).map(|end| &path[..end])
}

fn trim(text: &[u8]) -> &[u8] {
    match std::str::from_utf8(text) {
        Ok(text) => text.trim().as_bytes(),
        Err(_) => text.trim_ascii(),
    }
}

/// Resolves `.`, `..` and repeated `/`, as Go's `path.Clean` does.
fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = path.starts_with(b"/");
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if parts.last().is_some_and(|last| *last != b"..") => drop(parts.pop()),
            b".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join(&b'/');
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", joined.as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignore(text: &str) -> Ignore {
        Ignore::parse(text).expect("an ignore file")
    }

    fn ignored<'p>(text: &str, paths: &[&'p str]) -> Vec<&'p str> {
        let ignore = ignore(text);
        paths.iter().copied().filter(|path| ignore.matches(path.as_bytes()).ignored).collect()
    }

    #[test]
    fn patterns_are_cleaned_and_match_from_the_root() {
        let paths = ["a", "b", "x/a", "c/d", "e"];

        assert_eq!(ignored("  /a/ \n./c//d/.\n\n# e\n", &paths), ["a", "c/d"]);
        assert_eq!(ignored("x/../b\n ..\n/\n.\n", &paths), ["b"]);
        assert_eq!(ignored("\u{feff}# no\r\na\r\n", &paths), ["a"]);
        assert_eq!(ignored(" # a\n#a", &["# a", "a"]), ["# a"]);
    }

    #[test]
    fn a_pattern_matches_what_is_below_a_directory() {
        assert_eq!(ignored("a\n*/tmp", &["a/b/c", "x/tmp/y", "tmp/y", "ab"]), ["a/b/c", "x/tmp/y"]);
        assert_eq!(
            ignored("**/*.log", &["a.log", "x/y.log", "x/y.log/z", "log"]),
            ["a.log", "x/y.log", "x/y.log/z"]
        );
    }

    #[test]
    fn the_last_match_decides() {
        let paths = ["README.md", "README-secret.md", "a.md", "docs/x/y"];

        assert_eq!(ignored("*.md\n!README*.md\nREADME-secret.md", &paths), ["README-secret.md", "a.md"]);
        assert_eq!(ignored("*.md\nREADME-secret.md\n!README*.md", &paths), ["a.md"]);
        assert_eq!(ignored("*\n! docs/x \n", &paths), ["README.md", "README-secret.md", "a.md"]);
        assert_eq!(ignore("*\n! docs/x \n").matches(b"docs/x/y"), Decision { ignored: false, line: Some(2) });
        assert_eq!(ignore("b\n").matches(b"a"), Decision { ignored: false, line: None });
    }

    #[test]
    fn a_walk_skips_directories_nothing_comes_back_from() {
        let ignore = ignore("node_modules\nout\n!out/keep\n!**/*.md\nout/keep/not");

        assert!(ignore.may_have_exceptions_below(b"out"));
        assert!(ignore.may_have_exceptions_below(b"node_modules/x"));
        assert!(!ignore.may_have_exceptions_below(b"out/keep/not"));
        assert!(!Ignore::parse("!a/b\na").expect("an ignore file").may_have_exceptions_below(b"a"));
    }

    #[test]
    fn a_walk_decides_as_single_questions_do() {
        let ignore = ignore("a\n!a/b\n**/c\n!*/c/d\n*.x");
        let paths = ["a", "a/b", "a/b/c", "a/b/c/d", "a/c", "a/c/d", "a/c/d/e", "q.x", "q.x/y", "b/c/d"];

        for path in paths {
            let mut above = ignore.top();
            for (at, _) in path.match_indices('/') {
                above = ignore.enter(&above, &path.as_bytes()[..at]);
            }
            assert_eq!(ignore.decide(&above, path.as_bytes()), ignore.matches(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn wrong_lines_are_named() {
        let error = Ignore::parse("a\n\n!  \n").expect_err("a lone mark");
        assert_eq!(error.to_string(), "line 3: `!` needs a pattern after it");

        let error = Ignore::parse("a\n[b").expect_err("an open set");
        assert_eq!(error.to_string(), "line 2: the set that starts with `[` in `[b` is not complete");
        assert_eq!(error.hint().as_deref(), Some("for the character itself write `[[]`"));
    }

    #[test]
    fn excludes_are_patterns_without_comments() {
        let ignore = Ignore::from_patterns(&["#a", "*.txt", "!keep.txt"]).expect("patterns");

        assert!(
            ignore.matches(b"#a").ignored
                && ignore.matches(b"x.txt").ignored
                && !ignore.matches(b"keep.txt").ignored
        );
    }
}
