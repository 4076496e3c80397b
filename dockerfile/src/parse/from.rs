//! `FROM [--platform=P] image [AS name]`

use super::check_word;
use super::flags::{Flags, Takes};
use super::instruction::missing;
use super::text::Slice;
use super::words::split_blanks;
use crate::{Escape, Flag, From, ParseError, ParseErrorKind, StageName, Word};

pub(super) fn parse(
    flags: Flags,
    arguments: Slice<'_>,
    escape: Escape,
) -> Result<(From, Vec<Flag>), ParseError> {
    let flags = flags.check(&[("platform", Takes::Text)])?;
    let words = split_blanks(arguments);
    let Some(&image) = words.first() else { return Err(missing("FROM", "an image", arguments)) };
    let image = image.word();
    let platform = flags.text("platform");
    check_word(&image, escape)?;
    if let Some(platform) = &platform {
        check_word(platform, escape)?;
    }
    let name_as_written = name_as_written(&words, arguments)?;
    let name = name_as_written.as_ref().map(|(_, name)| stage_name(name)).transpose()?;
    Ok((From { image, platform, name, name_as_written }, flags.as_written()))
}

fn name_as_written(words: &[Slice<'_>], arguments: Slice<'_>) -> Result<Option<(Word, Word)>, ParseError> {
    match words {
        [_] => Ok(None),
        [_, keyword, name] if keyword.as_str().eq_ignore_ascii_case("AS") => {
            Ok(Some((keyword.word(), name.word())))
        }
        [_, keyword] if keyword.as_str().eq_ignore_ascii_case("AS") => {
            Err(missing("FROM", "a name after `AS`", arguments))
        }
        _ => {
            let extra = match words {
                [_, keyword, _, extra, ..] if keyword.as_str().eq_ignore_ascii_case("AS") => extra,
                _ => &words[1],
            };
            let kind = ParseErrorKind::TooManyArguments {
                instruction: "FROM".to_owned(),
                allowed: "an image, and perhaps `AS` and a name".to_owned(),
            };
            let error = ParseError::new(extra.span(), kind, "expected `AS name` or nothing");
            Err(match extra.as_str().starts_with('#') {
                true => error.with_help("a comment needs a line of its own"),
                false => error,
            })
        }
    }
}

fn stage_name(word: &Word) -> Result<StageName, ParseError> {
    word.raw.parse().map_err(|_| {
        let kind = ParseErrorKind::BadStageName { name: word.raw.clone() };
        ParseError::new(word.span, kind, "expected a letter, then letters, digits, `-`, `_` or `.`")
    })
}
