//! Replaces variables, and removes quotes and escapes, in the values of instructions.
//!
//! | text                             | becomes                                                                  |
//! | -------------------------------- | ------------------------------------------------------------------------ |
//! | `$V` `${V}`                      | the value; nothing if unset                                              |
//! | `${V:-w}` `${V-w}`               | the value; `w` if unset (`:` or empty)                                   |
//! | `${V:+w}` `${V+w}`               | `w` if set (`:` and not empty); else nothing                             |
//! | `${V:?w}` `${V?w}`               | the value; an error with message `w` if unset (`:` or empty)             |
//! | `${V#p}` `${V##p}`               | the value without the shortest (longest) start that matches `p`          |
//! | `${V%p}` `${V%%p}`               | the value without the shortest (longest) end that matches `p`            |
//! | `${V/p/w}` `${V//p/w}`           | the value with the first (every) match of `p`, as long as can be, replaced |
//! | `$1` `$@` `$*` `$#` `$?` `$-` `$$` `$!` `$0` | nothing: there are no such parameters here                   |
//! | `$` before anything else         | itself                                                                   |
//! | `'text'`                         | the text as it is                                                        |
//! | `"text"`                         | the text with variables replaced; the escape character works before `"`, `$` and itself |
//! | the escape character             | the next character as it is                                              |
//!
//! `w` is expanded too; `p` knows `*`, `?` and the escapes `\*`, `\?`, `\\`. Bodies of here-documents have no
//! quotes. Every variable of a value is looked up, also in a `w` that turns out not to be needed.

mod error;
mod glob;
mod words;

pub use error::{ExpandError, ExpandErrorKind};

use std::collections::BTreeSet;
use std::ops::Range;

use crate::Escape;
use glob::Glob;
use words::Words;

/// No expanded value is longer, in bytes: values that contain each other grow exponentially.
pub const MAX_EXPANDED_BYTES: usize = 16 << 20;

/// `${a:-${b:-...}}` may be nested this deep.
const MAX_DEPTH: usize = 64;

/// A value with its variables replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expanded {
    /// The value.
    pub text: String,
    /// Names that were asked for and found.
    pub used: BTreeSet<String>,
    /// Names that were asked for and not found.
    pub unset: BTreeSet<String>,
}

/// A value with its variables replaced, split at blanks outside of quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpandedWords {
    /// The words; none is empty.
    pub words: Vec<String>,
    /// Names that were asked for and found.
    pub used: BTreeSet<String>,
    /// Names that were asked for and not found.
    pub unset: BTreeSet<String>,
}

/// Expands a value that stays one value.
///
/// ```
/// use tug_dockerfile::{Escape, expand};
/// let lookup = |name: &str| (name == "VERSION").then(|| "1.2".to_owned());
/// let expanded = expand("app-${VERSION}-${ARCH:-amd64}", Escape::Backslash, &lookup)?;
/// assert_eq!(expanded.text, "app-1.2-amd64");
/// assert!(expanded.unset.contains("ARCH"));
/// # Ok::<(), tug_dockerfile::ExpandError>(())
/// ```
pub fn expand(
    word: &str,
    escape: Escape,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Expanded, ExpandError> {
    let mut expander = Expander::new(word, escape, Quotes::Removed, lookup);
    let text = expander.until(None, RawEscapes::Removed, None)?;
    Ok(Expanded { text, used: expander.used, unset: expander.unset })
}

/// Expands a value that becomes as many values as it then has words, as `EXPOSE` does.
pub fn expand_words(
    word: &str,
    escape: Escape,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<ExpandedWords, ExpandError> {
    let mut expander = Expander::new(word, escape, Quotes::Removed, lookup);
    let mut words = Words::default();
    expander.until(None, RawEscapes::Removed, Some(&mut words))?;
    Ok(ExpandedWords { words: words.finish(), used: expander.used, unset: expander.unset })
}

/// Expands the body of a here-document of `COPY` or `ADD`: quotes are ordinary characters, and the escape
/// character is always `\`, which is removed wherever it stands.
pub fn expand_heredoc(body: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Expanded, ExpandError> {
    let mut expander = Expander::new(body, Escape::Backslash, Quotes::Ordinary, lookup);
    let text = expander.until(None, RawEscapes::Removed, None)?;
    Ok(Expanded { text, used: expander.used, unset: expander.unset })
}

/// Finds what is wrong with a value whatever its variables are.
pub(crate) fn check(word: &str, escape: Escape) -> Result<(), ExpandError> {
    if !word.contains(['$', '\'', '"']) {
        return Ok(());
    }
    Expander::new(word, escape, Quotes::Removed, &|_| Some("x".to_owned())).until(
        None,
        RawEscapes::Removed,
        None,
    )?;
    Ok(())
}

/// Finds what is wrong with the body of a here-document whatever its variables are.
pub(crate) fn check_heredoc(body: &str) -> Result<(), ExpandError> {
    expand_heredoc(body, &|_| Some("x".to_owned()))?;
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    Removed,
    Ordinary,
}

/// Patterns keep their escapes: the matcher reads them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RawEscapes {
    Kept,
    Removed,
}

struct Expander<'a> {
    text: &'a str,
    at: usize,
    escape: char,
    quotes: Quotes,
    lookup: &'a dyn Fn(&str) -> Option<String>,
    used: BTreeSet<String>,
    unset: BTreeSet<String>,
    depth: usize,
}

impl<'a> Expander<'a> {
    fn new(
        text: &'a str,
        escape: Escape,
        quotes: Quotes,
        lookup: &'a dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let escape = escape.character();
        let (used, unset) = (BTreeSet::new(), BTreeSet::new());
        Self { text, at: 0, escape, quotes, lookup, used, unset, depth: 0 }
    }

    /// Expands up to `stop`, which is consumed, or up to the end.
    fn until(
        &mut self,
        stop: Option<char>,
        escapes: RawEscapes,
        mut words: Option<&mut Words>,
    ) -> Result<String, ExpandError> {
        let opened = self.at;
        let mut result = String::new();
        while let Some(next) = self.peek() {
            if stop == Some(next) {
                self.next();
                return Ok(result);
            }
            match next {
                '$' => {
                    let value = self.dollar()?;
                    if let Some(words) = words.as_deref_mut() {
                        words.push_splitting(&value);
                    }
                    result.push_str(&value);
                }
                '\'' | '"' if self.quotes == Quotes::Removed => {
                    let value = if next == '"' { self.double_quote(escapes)? } else { self.single_quote()? };
                    if let Some(words) = words.as_deref_mut() {
                        words.push_whole(&value);
                    }
                    result.push_str(&value);
                }
                _ if next == self.escape => {
                    self.next();
                    let escaped = self.next();
                    let kept = (escapes == RawEscapes::Kept).then_some(next);
                    let value: String = kept.into_iter().chain(escaped).collect();
                    if let Some(words) = words.as_deref_mut() {
                        words.push_whole(&value);
                    }
                    result.push_str(&value);
                }
                _ => {
                    // Up to the next character that may mean something.
                    let plain = self.plain(stop);
                    if let Some(words) = words.as_deref_mut() {
                        words.push_splitting(plain);
                    }
                    result.push_str(plain);
                }
            }
            if result.len() > MAX_EXPANDED_BYTES {
                return Err(self.error(ExpandErrorKind::TooLong, 0));
            }
        }
        match stop {
            None => Ok(result),
            Some(_) => Err(self.error(ExpandErrorKind::MissingBrace, opened)),
        }
    }

    fn plain(&mut self, stop: Option<char>) -> &'a str {
        let rest = &self.text[self.at..];
        let (escape, quotes) = (self.escape, self.quotes == Quotes::Removed);
        let special = |next: char| {
            next == '$' || next == escape || stop == Some(next) || (quotes && matches!(next, '\'' | '"'))
        };
        let plain = &rest[..rest.find(special).unwrap_or(rest.len())];
        self.at += plain.len();
        plain
    }

    fn single_quote(&mut self) -> Result<String, ExpandError> {
        let opened = self.at;
        self.next();
        let rest = &self.text[self.at..];
        let Some(length) = rest.find('\'') else {
            return Err(self.error_at(ExpandErrorKind::OpenQuote { quote: '\'' }, opened..opened + 1));
        };
        self.at += length + 1;
        Ok(rest[..length].to_owned())
    }

    fn double_quote(&mut self, escapes: RawEscapes) -> Result<String, ExpandError> {
        let opened = self.at;
        self.next();
        let mut result = String::new();
        loop {
            match self.peek() {
                None => {
                    return Err(self.error_at(ExpandErrorKind::OpenQuote { quote: '"' }, opened..opened + 1));
                }
                Some('"') => {
                    self.next();
                    return Ok(result);
                }
                Some('$') => result.push_str(&self.dollar()?),
                Some(character) => {
                    self.next();
                    let mut literal = character;
                    if character == self.escape {
                        if escapes == RawEscapes::Kept {
                            result.push(character);
                        }
                        match self.peek() {
                            None => continue,
                            Some(next) if matches!(next, '"' | '$') || next == self.escape => {
                                literal = next;
                                self.next();
                            }
                            Some(_) => {}
                        }
                    }
                    result.push(literal);
                }
            }
        }
    }

    fn dollar(&mut self) -> Result<String, ExpandError> {
        let opened = self.at;
        self.next();
        if self.peek() != Some('{') {
            let name = self.name();
            return Ok(if name.is_empty() { "$".to_owned() } else { self.value(name).unwrap_or_default() });
        }
        self.next();
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(ExpandErrorKind::TooDeep, opened));
        }
        let result = self.braces(opened);
        self.depth -= 1;
        result
    }

    /// What follows `${`.
    fn braces(&mut self, opened: usize) -> Result<String, ExpandError> {
        match self.peek() {
            None => return Err(self.error(ExpandErrorKind::MissingBrace, opened)),
            Some('{' | '}' | ':') => {
                self.next();
                let text = self.text[opened..self.at].to_owned();
                return Err(self.error(ExpandErrorKind::NoName { text }, opened));
            }
            Some(_) => {}
        }
        let name = self.name();
        let modifier_at = self.at;
        let empty_is_unset = self.peek() == Some(':');
        if empty_is_unset {
            self.next();
        }
        let modifier = self.next();
        match (modifier, empty_is_unset) {
            (Some('}'), false) => Ok(self.value(name).unwrap_or_default()),
            (Some('-'), _) => {
                let fallback = self.argument(opened)?;
                Ok(self.value(name).filter(|value| !(empty_is_unset && value.is_empty())).unwrap_or(fallback))
            }
            (Some('+'), _) => {
                let replacement = self.argument(opened)?;
                let is_set = self.value(name).is_some_and(|value| !(empty_is_unset && value.is_empty()));
                Ok(if is_set { replacement } else { String::new() })
            }
            (Some('?'), _) => {
                let message = self.argument(opened)?;
                let problem = match self.value(name) {
                    None => "is not set",
                    Some(value) if value.is_empty() && empty_is_unset => "is empty",
                    Some(value) => return Ok(value),
                };
                let message =
                    if message.is_empty() { problem.to_owned() } else { format!("{problem}: {message}") };
                Err(self.error(ExpandErrorKind::Required { name: name.to_owned(), message }, opened))
            }
            (Some(side @ ('#' | '%')), false) => self.trim(name, side, opened),
            (Some('/'), false) => self.replace(name, opened),
            (None | Some('\n'), _) => Err(self.error(ExpandErrorKind::MissingBrace, opened)),
            (Some(_), _) => {
                let modifier = self.text[modifier_at..self.at].to_owned();
                Err(self.error(ExpandErrorKind::UnknownModifier { modifier }, modifier_at))
            }
        }
    }

    /// The text up to `}`, expanded.
    fn argument(&mut self, opened: usize) -> Result<String, ExpandError> {
        self.until(Some('}'), RawEscapes::Removed, None).map_err(|error| reopened(error, opened))
    }

    fn trim(&mut self, name: &str, side: char, opened: usize) -> Result<String, ExpandError> {
        let written =
            self.until(Some('}'), RawEscapes::Kept, None).map_err(|error| reopened(error, opened))?;
        let value = self.value(name).unwrap_or_default();
        let (pattern, longest) = match written.strip_prefix(side) {
            Some(pattern) => (pattern, true),
            None => (written.as_str(), false),
        };
        let glob = self.glob(pattern, opened)?;
        let rest =
            if side == '#' { glob.trim_start(&value, longest) } else { glob.trim_end(&value, longest) };
        Ok(rest.to_owned())
    }

    fn replace(&mut self, name: &str, opened: usize) -> Result<String, ExpandError> {
        let every = self.peek() == Some('/');
        if every {
            self.next();
        }
        let pattern = self.until(Some('/'), RawEscapes::Kept, None).map_err(|error| match error.kind {
            ExpandErrorKind::MissingBrace => {
                self.error(ExpandErrorKind::MissingSlash { name: name.to_owned() }, opened)
            }
            _ => error,
        })?;
        let replacement =
            self.until(Some('}'), RawEscapes::Kept, None).map_err(|error| reopened(error, opened))?;
        let value = self.value(name).unwrap_or_default();
        let glob = self.glob(&pattern, opened)?;
        glob.replace(&value, &replacement, every).ok_or_else(|| self.error(ExpandErrorKind::TooLong, opened))
    }

    fn glob(&self, pattern: &str, opened: usize) -> Result<Glob, ExpandError> {
        Glob::parse(pattern)
            .map_err(|character| self.error(ExpandErrorKind::BadPatternEscape { character }, opened))
    }

    /// Letters, digits and `_`; or digits only; or one special parameter. May be empty.
    fn name(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let length = match rest.chars().next() {
            Some('0'..='9') => rest.find(|next: char| !next.is_ascii_digit()).unwrap_or(rest.len()),
            Some('@' | '*' | '#' | '?' | '-' | '$' | '!') => 1,
            _ => rest.find(|next: char| !next.is_alphanumeric() && next != '_').unwrap_or(rest.len()),
        };
        self.at += length;
        &rest[..length]
    }

    fn value(&mut self, name: &str) -> Option<String> {
        let value = (self.lookup)(name);
        let names = if value.is_some() { &mut self.used } else { &mut self.unset };
        if !names.contains(name) {
            names.insert(name.to_owned());
        }
        value
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn error(&self, kind: ExpandErrorKind, start: usize) -> ExpandError {
        self.error_at(kind, start..self.at)
    }

    fn error_at(&self, kind: ExpandErrorKind, range: Range<usize>) -> ExpandError {
        ExpandError { kind, range }
    }
}

/// A missing brace is missing from the `${` that opened.
fn reopened(mut error: ExpandError, opened: usize) -> ExpandError {
    if error.kind == ExpandErrorKind::MissingBrace {
        error.range.start = opened;
    }
    error
}
