//! The directives at the top: `# syntax=`, `# escape=`, `# check=`.
//!
//! They stand before everything else, each at most once. Anything that is not one of them (another comment,
//! an empty line, an instruction) ends the zone; so `# escape=` below it is an ordinary comment. A first line
//! that starts with `#!` is skipped.

use super::json::{self, Value};
use crate::{Check, Comment, Directives, Escape, ParseError, ParseErrorKind, Rules, Span, Word};

/// Reads comments as directives until the zone is closed.
#[derive(Default)]
pub(super) struct DirectiveZone {
    closed: bool,
    started: bool,
    seen: Vec<&'static str>,
}

impl DirectiveZone {
    /// Nothing that follows is a directive.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Was it a directive, or the `#!` line?
    pub(super) fn read(
        &mut self,
        comment: &Comment,
        directives: &mut Directives,
    ) -> Result<bool, ParseError> {
        let is_first = !std::mem::replace(&mut self.started, true);
        if is_first && !self.closed && comment.text.starts_with('!') {
            return Ok(true);
        }
        if self.closed {
            return Ok(false);
        }
        let Some((name, value)) = key_and_value(&comment.text) else {
            self.close();
            return Ok(false);
        };
        let Some(name) =
            ["syntax", "escape", "check"].into_iter().find(|known| name.eq_ignore_ascii_case(known))
        else {
            self.close();
            return Ok(false);
        };
        let span = value_span(comment, value);
        if self.seen.contains(&name) {
            let kind = ParseErrorKind::DuplicateDirective { name: name.to_owned() };
            return Err(ParseError::new(comment.span, kind, "the second one"));
        }
        self.seen.push(name);
        match name {
            "syntax" => {
                let image = value.split(' ').next().unwrap_or(value);
                directives.syntax =
                    Some(Word::new(image, Span::new(span.start, span.end.min(span.start + image.len()))));
            }
            "escape" => {
                directives.escape = match value {
                    "\\" => Escape::Backslash,
                    "`" => Escape::Backtick,
                    _ => return Err(bad_directive("escape", value, span, "expected `\\` or `` ` ``")),
                }
            }
            _ => directives.check = Some(parse_check(value, span)?),
        }
        Ok(true)
    }
}

/// Finds a `# check=` among the comments above an instruction. One that cannot be read is a comment like any
/// other.
pub(super) fn check_above(comments: &[Comment]) -> Option<Check> {
    comments.iter().rev().find_map(|comment| {
        let (name, value) = key_and_value(&comment.text)?;
        let is_check = name.eq_ignore_ascii_case("check");
        is_check.then(|| parse_check(value, value_span(comment, value)).ok()).flatten()
    })
}

impl Check {
    /// Reads the value of a check directive or of the build argument `BUILDKIT_DOCKERFILE_CHECK`. The error
    /// says what was expected.
    ///
    /// ```
    /// use tug_dockerfile::Check;
    /// let check = Check::parse("skip=StageNameCasing,FromAsCasing;error=true").expect("it is correct");
    /// assert!(check.error && check.skip.contains("FromAsCasing"));
    /// ```
    pub fn parse(value: &str) -> Result<Self, ParseError> {
        parse_check(value, Span::new(0, value.len()))
    }
}

fn parse_check(value: &str, span: Span) -> Result<Check, ParseError> {
    let mut check = Check { skip: Rules::none(), experimental: Rules::none(), error: false, span };
    for option in value.split(';').map(str::trim).filter(|option| !option.is_empty()) {
        let bad = |expected: &str| bad_directive("check", option, span, expected);
        let (key, setting) = option
            .split_once('=')
            .ok_or_else(|| bad("expected `skip=…`, `error=true` or `experimental=…`"))?;
        match (key.trim(), setting.trim()) {
            ("skip", rules) => check.skip = Rules::parse(rules),
            ("experimental", rules) => check.experimental = Rules::parse(rules),
            ("error", setting) => {
                check.error =
                    super::scalar::boolean(setting).ok_or_else(|| bad("expected `true` or `false`"))?;
            }
            _ => return Err(bad("expected `skip`, `error` or `experimental`")),
        }
    }
    Ok(check)
}

impl Rules {
    fn none() -> Self {
        Self::Named(Vec::new())
    }

    fn parse(text: &str) -> Self {
        if text.eq_ignore_ascii_case("all") {
            return Self::All;
        }
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        Self::Named(names.map(str::to_owned).collect())
    }
}

/// The frontend a file asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Syntax {
    /// The image, up to the first blank.
    pub image: String,
    /// The whole value.
    pub command_line: String,
}

/// Finds the frontend that any kind of file asks for: in the directives of a Dockerfile, in comments that
/// start with `//`, or as `{"syntax": "image"}` in a JSON file. A first line that starts with `#!` is
/// skipped.
pub fn detect_syntax(source: impl AsRef<[u8]>) -> Option<Syntax> {
    let source = source.as_ref();
    let source = source.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(source);
    let source = match source.starts_with(b"#!") {
        true => source.splitn(2, |&byte| byte == b'\n').nth(1).unwrap_or_default(),
        false => source,
    };
    let from_comments = |prefix: &str| {
        let lines =
            source.split(|&byte| byte == b'\n').map(|line| std::str::from_utf8(line).unwrap_or_default());
        lines
            .map_while(|line| directive(line.trim().strip_prefix(prefix)?))
            .find_map(|(name, value)| name.eq_ignore_ascii_case("syntax").then(|| value.to_owned()))
    };
    let from_json = || match json::parse(std::str::from_utf8(source).ok()?.trim())? {
        Value::Object(members) => members.into_iter().find_map(|(name, value)| match value {
            Value::String(value) if name == "syntax" => Some(value),
            _ => None,
        }),
        _ => None,
    };
    let command_line = from_comments("#").or_else(|| from_comments("//")).or_else(from_json)?;
    let image = command_line.split(' ').next().unwrap_or_default().to_owned();
    Some(Syntax { image, command_line })
}

fn directive(comment: &str) -> Option<(&str, &str)> {
    key_and_value(comment).filter(|(name, _)| {
        ["syntax", "escape", "check"].iter().any(|known| name.eq_ignore_ascii_case(known))
    })
}

/// Splits `name = value`; the name starts with a letter and goes on with letters and digits, the value is not
/// empty.
fn key_and_value(comment: &str) -> Option<(&str, &str)> {
    let (name, value) = comment.trim().split_once('=')?;
    let (name, value) = (name.trim_end(), value.trim());
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_name && !value.is_empty()).then_some((name, value))
}

/// Where the value of a directive stands: at the end of its comment. What is not UTF-8 is longer in the text of a comment
/// than in the file; then it is the whole comment.
fn value_span(comment: &Comment, value: &str) -> Span {
    match value.contains(char::REPLACEMENT_CHARACTER) {
        true => comment.span,
        false => Span::new(comment.span.end - value.len(), comment.span.end),
    }
}

fn bad_directive(name: &str, value: &str, span: Span, expected: &str) -> ParseError {
    ParseError::new(
        span,
        ParseErrorKind::BadDirective { name: name.to_owned(), value: value.to_owned() },
        expected,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frontend_is_found_in_any_kind_of_file() {
        let image = |source: &str| detect_syntax(source).map(|syntax| syntax.image);

        assert_eq!(image("# syntax = a/b:1 --flag\nFROM x"), Some("a/b:1".to_owned()));
        assert_eq!(image("#!/usr/bin/env x\n# escape=`\n#SYNTAX=a\n"), Some("a".to_owned()));
        assert_eq!(image("// syntax=a\nfoo"), Some("a".to_owned()));
        assert_eq!(image("{\"x\": [1, null], \"syntax\": \"a b\"}"), Some("a".to_owned()));
        assert_eq!(image("# a comment\n# syntax=a\n"), None);
    }
}
