//! Cuts a template into text and the words of its actions.

use super::TemplateError;

/// Text between actions, or one action.
#[derive(Debug, PartialEq)]
pub(super) enum Part {
    /// Text to be written as it is.
    Text(String),
    /// The words between `{{` and `}}`.
    Action(Vec<Token>),
}

/// One word of an action.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A keyword or the name of a function.
    Word(String),
    /// `.Name`; empty for the dot alone.
    Field(String),
    /// `$name`; empty for the dollar alone.
    Variable(String),
    /// A quoted text.
    Text(String),
    /// A number.
    Number(serde_json::Number),
    /// `|`
    Pipe,
    /// `(`
    Open,
    /// `)`; whether a field follows at once is seen from the next token.
    Close,
    /// `:=`
    Declare,
    /// `=`
    Assign,
    /// `,`
    Comma,
    /// White space: `.A .B` are two values, `.A.B` is one.
    Space,
}

/// Cuts `template` into its parts.
pub(super) fn parts(template: &str) -> Result<Vec<Part>, TemplateError> {
    let mut parts = Vec::new();
    let mut rest = template;
    let mut trim = false;
    loop {
        let (text, action) = match rest.find("{{") {
            Some(at) => (&rest[..at], Some(&rest[at + 2..])),
            None => (rest, None),
        };
        let trim_end = action.is_some_and(|action| action.starts_with('-') && after_space(&action[1..]));
        let text = if trim { text.trim_start() } else { text };
        let text = if trim_end { text.trim_end() } else { text };
        if !text.is_empty() {
            parts.push(Part::Text(text.replace("\\t", "\t").replace("\\n", "\n")));
        }
        let Some(action) = action else { return Ok(parts) };
        let action = if trim_end { &action[1..] } else { action };
        let at = template.len() - action.len() - 1;
        let (tokens, after, trims) = tokens(action).map_err(|error| match error {
            TemplateError::Unclosed(_) => TemplateError::Unclosed(at),
            other => other,
        })?;
        if let Some(tokens) = tokens {
            parts.push(Part::Action(tokens));
        }
        (rest, trim) = (after, trims);
    }
}

fn after_space(text: &str) -> bool {
    text.starts_with(char::is_whitespace)
}

/// The words up to `}}` (none for a comment), what follows, and whether white space behind it is cut.
fn tokens(action: &str) -> Result<(Option<Vec<Token>>, &str, bool), TemplateError> {
    if let Some(comment) = action.trim_start().strip_prefix("/*") {
        let end = comment.find("*/").ok_or(TemplateError::Unclosed(0))?;
        let (_, rest, trims) = tokens(&comment[end + 2..])?;
        return Ok((None, rest, trims));
    }
    let mut tokens = Vec::new();
    let mut rest = action;
    loop {
        let Some(first) = rest.chars().next() else { return Err(TemplateError::Unclosed(0)) };
        if let Some(after) = rest.strip_prefix("}}") {
            return Ok((Some(tokens), after, false));
        }
        if first.is_whitespace() {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix("-}}") {
                return Ok((Some(tokens), after, true));
            }
            tokens.push(Token::Space);
            continue;
        }
        let (token, after) = token(first, rest)?;
        tokens.push(token);
        rest = after;
    }
}

fn token(first: char, rest: &str) -> Result<(Token, &str), TemplateError> {
    let after = &rest[first.len_utf8()..];
    let token = match first {
        '|' => Token::Pipe,
        '(' => Token::Open,
        ')' => Token::Close,
        ',' => Token::Comma,
        '=' => Token::Assign,
        ':' if after.starts_with('=') => return Ok((Token::Declare, &after[1..])),
        '"' => return quoted(after),
        '`' => {
            let end = after.find('`').ok_or(TemplateError::Quote)?;
            return Ok((Token::Text(after[..end].to_owned()), &after[end + 1..]));
        }
        '.' => {
            let (name, after) = name(after);
            return Ok((Token::Field(name.to_owned()), after));
        }
        '$' => {
            let (name, after) = name(after);
            return Ok((Token::Variable(name.to_owned()), after));
        }
        '-' | '+' | '0'..='9' => return number(rest),
        _ if is_name(first) => {
            let (name, after) = name(rest);
            return Ok((Token::Word(name.to_owned()), after));
        }
        other => return Err(TemplateError::Character(other)),
    };
    Ok((token, after))
}

fn name(text: &str) -> (&str, &str) {
    text.split_at(text.find(|letter| !is_name(letter)).unwrap_or(text.len()))
}

fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn number(text: &str) -> Result<(Token, &str), TemplateError> {
    let belongs = |letter: char| letter.is_ascii_alphanumeric() || "+-._".contains(letter);
    let (word, after) = text.split_at(text.find(|letter| !belongs(letter)).unwrap_or(text.len()));
    let plain = word.strip_prefix('+').unwrap_or(word);
    match plain.parse() {
        Ok(number) => Ok((Token::Number(number), after)),
        Err(_) => Err(TemplateError::Expected { expected: "a number", place: format!("at `{word}`") }),
    }
}

fn quoted(text: &str) -> Result<(Token, &str), TemplateError> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Ok((Token::Text(value), &text[at + 1..])),
            '\\' => match letters.next().ok_or(TemplateError::Quote)?.1 {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                'r' => value.push('\r'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    Err(TemplateError::Quote)
}
