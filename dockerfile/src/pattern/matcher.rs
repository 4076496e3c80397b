//! Holds the tokens of a pattern against a path.

use super::Token;

/// What has to be matched.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// The whole path.
    Whole,
    /// Some path that starts with this one.
    Start,
}

pub(super) struct Matcher<'a> {
    pub(super) tokens: &'a [Token],
    pub(super) path: &'a [u8],
    pub(super) goal: Goal,
    /// Choices that did not lead anywhere, so that none is tried twice. Empty where one choice cannot repeat.
    pub(super) seen: Vec<bool>,
}

impl Matcher<'_> {
    pub(super) fn from(&mut self, mut token: usize, mut at: usize) -> bool {
        loop {
            if self.goal == Goal::Start && at == self.path.len() {
                return true;
            }
            let rest = &self.path[at..];
            match self.tokens.get(token) {
                None => return rest.is_empty(),
                Some(Token::Literal(bytes)) => {
                    if !rest.starts_with(bytes) {
                        return self.goal == Goal::Start && bytes.starts_with(rest);
                    }
                    at += bytes.len();
                }
                Some(Token::One) => match first_character(rest) {
                    Some((character, length)) if character != '/' => at += length,
                    _ => return false,
                },
                Some(Token::Set(set)) => match first_character(rest) {
                    Some((character, length)) if set.contains(character) => at += length,
                    _ => return false,
                },
                Some(Token::All) if token + 1 == self.tokens.len() => return true,
                Some(choice) => {
                    let choice = choice.clone();
                    return self.choose(&choice, token, at);
                }
            }
            token += 1;
        }
    }

    fn choose(&mut self, choice: &Token, token: usize, at: usize) -> bool {
        if self.was_seen(token, at) {
            return false;
        }
        if self.from(token + 1, at) {
            return true;
        }
        for (position, &byte) in self.path.iter().enumerate().skip(at) {
            match choice {
                Token::Many if byte == b'/' => return false,
                Token::Directories if byte != b'/' => continue,
                _ => {}
            }
            // From there on everything was tried before, or this would be over.
            if self.was_seen(token, position + 1) {
                return false;
            }
            if self.from(token + 1, position + 1) {
                return true;
            }
        }
        // What comes after the known start may be anything.
        self.goal == Goal::Start
    }

    /// Whether the choice `token` was made at `at` before; it is from now on.
    fn was_seen(&mut self, token: usize, at: usize) -> bool {
        let seen = self.seen.get_mut(token * (self.path.len() + 1) + at);
        seen.is_some_and(|seen| std::mem::replace(seen, true))
    }
}

/// The first character and its length in bytes; a byte that is not UTF-8 is `\u{fffd}`.
pub(super) fn first_character(bytes: &[u8]) -> Option<(char, usize)> {
    let first = *bytes.first()?;
    if first.is_ascii() {
        return Some((char::from(first), 1));
    }
    let start = &bytes[..bytes.len().min(4)];
    let valid = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default(),
    };
    Some(
        valid
            .chars()
            .next()
            .map_or((char::REPLACEMENT_CHARACTER, 1), |character| (character, character.len_utf8())),
    )
}
