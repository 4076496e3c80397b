//! `COPY` and `ADD`

use super::flags::{Flags, Takes};
use super::instruction::Request;
use super::text::Slice;
use super::words::split_blanks;
use crate::{Add, Copy, Flag, InstructionKind, ParseError, ParseErrorKind, Source, Transfer, Word};

pub(super) fn parse_copy(
    request: &Request<'_>,
    flags: Flags,
) -> Result<(InstructionKind, Vec<Flag>), ParseError> {
    let flags = flags.check(&[
        ("from", Takes::Text),
        ("chown", Takes::Text),
        ("chmod", Takes::Text),
        ("link", Takes::Bool),
        ("parents", Takes::Bool),
        ("exclude", Takes::Texts),
    ])?;
    let copy = Copy {
        from: flags.text("from"),
        parents: flags.boolean("parents") == Some(true),
        files: transfer(request, &flags)?,
    };
    Ok((InstructionKind::Copy(copy), flags.as_written()))
}

pub(super) fn parse_add(
    request: &Request<'_>,
    flags: Flags,
) -> Result<(InstructionKind, Vec<Flag>), ParseError> {
    let flags = flags.check(&[
        ("chown", Takes::Text),
        ("chmod", Takes::Text),
        ("link", Takes::Bool),
        ("exclude", Takes::Texts),
        ("checksum", Takes::Text),
        ("keep-git-dir", Takes::Bool),
        ("unpack", Takes::Bool),
    ])?;
    let add = Add {
        checksum: flags.text("checksum"),
        keep_git_dir: flags.boolean("keep-git-dir"),
        unpack: flags.boolean("unpack"),
        files: transfer(request, &flags)?,
    };
    Ok((InstructionKind::Add(add), flags.as_written()))
}

fn transfer(request: &Request<'_>, flags: &Flags) -> Result<Transfer, ParseError> {
    let (mut sources, destination) = match request.json_array()? {
        Some(strings) => {
            let span = request.arguments.span();
            let mut words: Vec<Word> = strings.into_iter().map(|text| Word::new(text, span)).collect();
            let destination = words.pop().filter(|_| !words.is_empty());
            (words.into_iter().map(Source::Path).collect(), destination)
        }
        None => sources_and_destination(request)?,
    };
    let Some(destination) = destination.filter(|_| !sources.is_empty()) else {
        return Err(request.missing("a source and a destination"));
    };
    let is_empty = |source: &Source| matches!(source, Source::Path(path) if path.raw.is_empty());
    if destination.raw.is_empty() || sources.iter().any(is_empty) {
        return Err(request.missing("paths that are not empty"));
    }
    sources.shrink_to_fit();
    Ok(Transfer {
        sources,
        destination,
        chown: flags.text("chown"),
        chmod: flags.text("chmod"),
        link: flags.boolean("link") == Some(true),
        exclude: flags.texts("exclude"),
    })
}

/// Words between the here-documents are paths; the last word of all is the destination.
fn sources_and_destination(request: &Request<'_>) -> Result<(Vec<Source>, Option<Word>), ParseError> {
    let arguments = request.arguments;
    let offset = arguments.offset();
    let mut sources = Vec::new();
    let mut at = 0;
    for (marker, heredoc) in request.markers.iter().zip(&request.heredocs) {
        sources.extend(paths(arguments.part(at..marker.range.start - offset)));
        sources.push(Source::Heredoc(heredoc.clone()));
        at = marker.range.end - offset;
    }
    sources.extend(paths(arguments.after(at)));
    match sources.pop() {
        Some(Source::Path(destination)) => Ok((sources, Some(destination))),
        Some(Source::Heredoc(heredoc)) if !sources.is_empty() => {
            let kind = ParseErrorKind::HeredocAsDestination { instruction: request.name.to_owned() };
            Err(ParseError::new(heredoc.span, kind, "expected a path as the last argument"))
        }
        _ => Ok((sources, None)),
    }
}

fn paths(arguments: Slice<'_>) -> impl Iterator<Item = Source> {
    split_blanks(arguments).into_iter().map(|word| Source::Path(word.word()))
}
