//! Splits arguments into words.

use super::lines::is_blank;
use super::text::Slice;
use crate::Escape;

/// Splits at blanks, whatever stands around them.
pub(super) fn split_blanks(arguments: Slice<'_>) -> Vec<Slice<'_>> {
    let text = arguments.as_str();
    let starts = text.split(is_blank).filter(|word| !word.is_empty());
    starts
        .map(|word| {
            let start = word.as_ptr() as usize - text.as_ptr() as usize;
            arguments.part(start..start + word.len())
        })
        .collect()
}

/// Splits at blanks outside of quotes. Quotes and escapes stay in the words; the expansion reads them.
///
/// A quote that does not close holds everything up to the end. An escape character as the very last one is
/// dropped.
pub(super) fn split_quoted(arguments: Slice<'_>, escape: Escape) -> Vec<Slice<'_>> {
    let escape = escape.character();
    let mut words = Vec::new();
    let mut word_start = None;
    let mut quote = None;
    let mut characters = arguments.as_str().char_indices();
    let mut end = arguments.as_str().len();
    while let Some((at, character)) = characters.next() {
        if word_start.is_none() {
            if character.is_whitespace() {
                continue;
            }
            word_start = Some(at);
        }
        match quote {
            None if character.is_whitespace() => {
                if let Some(start) = word_start.take() {
                    words.push(arguments.part(start..at));
                }
            }
            None if matches!(character, '\'' | '"') => quote = Some(character),
            Some(open) if character == open => quote = None,
            _ if character == escape && quote != Some('\'') && characters.next().is_none() => end = at,
            _ => {}
        }
    }
    if let Some(start) = word_start.filter(|&start| start < end) {
        words.push(arguments.part(start..end));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::super::text::Text;
    use super::*;

    fn split(line: &str) -> Vec<String> {
        let mut text = Text::default();
        text.push(line, 0);
        split_quoted(text.whole(), Escape::Backslash)
            .into_iter()
            .map(|word| word.as_str().to_owned())
            .collect()
    }

    #[test]
    fn quotes_and_escapes_keep_blanks_in_a_word() {
        assert_eq!(
            split(r#"a=1  b="x y" c='p "q' d=e\ f "#),
            ["a=1", r#"b="x y""#, r#"c='p "q'"#, r"d=e\ f"]
        );
        assert_eq!(split(r#"a="x\" y" '' \"b "#), [r#"a="x\" y""#, "''", r#"\"b"#]);
    }

    #[test]
    fn an_open_quote_takes_the_rest_and_a_last_escape_is_dropped() {
        assert_eq!(split(r#"a="b c"#), [r#"a="b c"#]);
        assert_eq!(split(r"a b\"), ["a", "b"]);
        assert_eq!(split(r"a \"), ["a"]);
    }
}
