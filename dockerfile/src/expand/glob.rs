//! The patterns of `${name#pattern}` and its kin: `*`, `?`, and nothing else.
//!
//! A pattern is run over the text once, all its possible positions side by side, so that no pattern takes
//! more than length of text times length of pattern. As in BuildKit neither `*` nor `?` matches a newline.

use super::MAX_EXPANDED_BYTES;

/// A pattern.
pub(super) struct Glob {
    tokens: Vec<Token>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Literal(char),
    One,
    Many,
}

impl Glob {
    /// Reads a pattern. `\` stands before `*`, `?` and `\` to mean themselves, and is dropped before `}` and
    /// `/`. The error is the character after any other `\`.
    pub(super) fn parse(pattern: &str) -> Result<Self, String> {
        let mut tokens = Vec::new();
        let mut characters = pattern.chars().peekable();
        while let Some(character) = characters.next() {
            tokens.push(match character {
                '*' => Token::Many,
                '?' => Token::One,
                '\\' => match characters.next() {
                    Some(escaped @ ('}' | '/' | '*' | '?' | '\\')) => Token::Literal(escaped),
                    other => return Err(other.map(String::from).unwrap_or_default()),
                },
                literal => Token::Literal(literal),
            });
        }
        Ok(Self { tokens })
    }

    /// What is left of `text` without the start that matches.
    pub(super) fn trim_start<'t>(&self, text: &'t str, longest: bool) -> &'t str {
        let positions = text.char_indices().map(|(at, character)| (character, at + character.len_utf8()));
        match run(&self.tokens, positions, 0, longest) {
            Some(end) => &text[end..],
            None => text,
        }
    }

    /// What is left of `text` without the end that matches.
    pub(super) fn trim_end<'t>(&self, text: &'t str, longest: bool) -> &'t str {
        let reversed: Vec<Token> = self.tokens.iter().rev().copied().collect();
        let positions = text.char_indices().rev().map(|(at, character)| (character, at));
        match run(&reversed, positions, text.len(), longest) {
            Some(start) => &text[..start],
            None => text,
        }
    }

    /// `text` with the first or every match, from the left and as long as can be, replaced. `None` if it
    /// grows too long.
    pub(super) fn replace(&self, text: &str, replacement: &str, every: bool) -> Option<String> {
        let mut result = String::new();
        let mut at = 0;
        let mut after_match = false;
        loop {
            let rest = &text[at..];
            let positions = rest.char_indices().map(|(at, character)| (character, at + character.len_utf8()));
            let found = run(&self.tokens, positions, 0, true).filter(|&length| length > 0 || !after_match);
            if found.is_some() {
                result.push_str(replacement);
            }
            let length = found.unwrap_or(0);
            if found.is_some() && !every {
                result.push_str(&rest[length..]);
                return Some(result);
            }
            at += length;
            after_match = length > 0;
            if length == 0 {
                let Some(character) = rest.chars().next() else { return Some(result) };
                result.push(character);
                at += character.len_utf8();
            }
            if result.len() > MAX_EXPANDED_BYTES {
                return None;
            }
        }
    }
}

/// Matches from the first position on; gives the position after the shortest or longest match.
fn run(
    tokens: &[Token],
    positions: impl Iterator<Item = (char, usize)>,
    start: usize,
    longest: bool,
) -> Option<usize> {
    let mut current = vec![false; tokens.len() + 1];
    let mut following = current.clone();
    enter(tokens, &mut current, 0);
    let mut found = None;
    if current[tokens.len()] {
        found = Some(start);
    }
    for (character, position) in positions {
        if (found.is_some() && !longest) || !current.contains(&true) {
            break;
        }
        following.fill(false);
        for (index, &token) in tokens.iter().enumerate().filter(|&(index, _)| current[index]) {
            match token {
                Token::Literal(literal) if literal == character => enter(tokens, &mut following, index + 1),
                Token::One if character != '\n' => enter(tokens, &mut following, index + 1),
                Token::Many if character != '\n' => enter(tokens, &mut following, index),
                _ => {}
            }
        }
        std::mem::swap(&mut current, &mut following);
        if current[tokens.len()] {
            found = Some(position);
        }
    }
    found
}

/// Marks a position of the pattern, and those behind it that need no character.
fn enter(tokens: &[Token], states: &mut [bool], mut index: usize) {
    while !std::mem::replace(&mut states[index], true) && tokens.get(index) == Some(&Token::Many) {
        index += 1;
    }
}
