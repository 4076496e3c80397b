//! Shows an error as plain text: the line it is in, with a mark below the words it is about.

use crate::{LineIndex, ParseError, Span};

/// So much of a line is shown, in characters; what is cut off is marked `…`.
const MAX_SHOWN: usize = 120;

impl ParseError {
    /// The error with its place in `source`, which is called `name`; several lines, the last one ends too.
    ///
    /// ```
    /// use tug_dockerfile::Dockerfile;
    /// let source = "FROM a\nRUM make\n";
    /// let errors = Dockerfile::parse(source).expect_err("`RUM` is no instruction");
    /// assert_eq!(errors[0].render(source, "Dockerfile"), "\
    /// error: unknown instruction `RUM`
    ///  --> Dockerfile:2:1
    ///   |
    /// 2 | RUM make
    ///   | ^^^ expected an instruction such as `RUN` or `COPY`
    ///   |
    /// help: did you mean `RUN`?
    /// ");
    /// ```
    pub fn render(&self, source: impl AsRef<[u8]>, name: &str) -> String {
        let mut shown = format!("error: {self}\n");
        shown.push_str(&snippet(source.as_ref(), name, self.span, &self.label));
        if let Some(help) = &self.help {
            shown.push_str(&format!("help: {help}\n"));
        } else {
            // Without help the snippet needs no closing line.
            shown.truncate(shown.trim_end_matches([' ', '|', '\n']).len());
            shown.push('\n');
        }
        shown
    }
}

fn snippet(source: &[u8], name: &str, span: Span, label: &str) -> String {
    let index = LineIndex::new(source);
    let start = index.location(span.start);
    let line_span = index.span(start.line);
    let marked_end = span.end.clamp(span.start, line_span.end.max(span.start));
    let text = |range: Span| printable(&source[range.start.min(source.len())..range.end.min(source.len())]);

    let before = text(Span::new(line_span.start, span.start.min(line_span.end)));
    let marked = text(Span::new(span.start, marked_end));
    let after = text(Span::new(marked_end, line_span.end));

    // A window around the mark.
    let before_shown = tail(&before, MAX_SHOWN / 2);
    let marked_shown = head(&marked, MAX_SHOWN);
    let after_shown =
        head(&after, MAX_SHOWN.saturating_sub(count(&before_shown) + count(&marked_shown)).max(1));

    let number = start.line.to_string();
    let gutter = " ".repeat(number.len());
    let line = format!("{before_shown}{marked_shown}{after_shown}");
    let mark = "^".repeat(count(&marked_shown).max(1));
    let under = format!("{}{mark} {label}", " ".repeat(count(&before_shown)));
    [
        format!("{gutter}--> {name}:{}:{}", start.line, start.column),
        format!("{gutter} |"),
        format!("{number} | {line}").trim_end().to_owned(),
        format!("{gutter} | {under}").trim_end().to_owned(),
        format!("{gutter} |"),
    ]
    .into_iter()
    .flat_map(|line| [line, "\n".to_owned()])
    .collect()
}

/// Tabs become four spaces; what a terminal would obey, or what is not UTF-8, becomes `\u{fffd}`.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace('\t', "    ");
    text.chars()
        .map(|character| if character.is_control() { char::REPLACEMENT_CHARACTER } else { character })
        .collect()
}

fn count(text: &str) -> usize {
    text.chars().count()
}

fn head(text: &str, length: usize) -> String {
    match count(text) > length {
        true => text.chars().take(length - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

fn tail(text: &str, length: usize) -> String {
    let cut = count(text).saturating_sub(length);
    match cut {
        0 => text.to_owned(),
        cut => std::iter::once('…').chain(text.chars().skip(cut + 1)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ParseErrorKind;

    fn rendered(source: &str, start: usize, end: usize) -> String {
        ParseError::new(Span::new(start, end), ParseErrorKind::Empty, "here").render(source, "Dockerfile")
    }

    #[test]
    fn a_mark_stands_below_its_words_whatever_is_before_them() {
        insta::assert_snapshot!(rendered("FROM a\nRUN\tä \u{1b}[0m x\n", 19, 20), @r"
        error: the Dockerfile has no instructions
         --> Dockerfile:2:12
          |
        2 | RUN    ä �[0m x
          |               ^ here
        ");
    }

    #[test]
    fn a_mark_over_several_lines_ends_with_the_first() {
        insta::assert_snapshot!(rendered("RUN a \\\n b\n", 4, 10), @r"
        error: the Dockerfile has no instructions
         --> Dockerfile:1:5
          |
        1 | RUN a \
          |     ^^^ here
        ");
    }

    #[test]
    fn a_long_line_is_cut_around_the_mark() {
        let source = format!("RUN {} x {}", "a".repeat(300), "b".repeat(300));
        insta::assert_snapshot!(rendered(&source, 305, 306), @r"
        error: the Dockerfile has no instructions
         --> Dockerfile:1:306
          |
        1 | …aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa x bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb…
          |                                                             ^ here
        ");
    }

    #[test]
    fn the_end_of_the_file_can_be_marked() {
        insta::assert_snapshot!(rendered("ARG a", 5, 5), @r"
        error: the Dockerfile has no instructions
         --> Dockerfile:1:6
          |
        1 | ARG a
          |      ^ here
        ");
        insta::assert_snapshot!(rendered("", 0, 0), @r"
        error: the Dockerfile has no instructions
         --> Dockerfile:1:1
          |
        1 |
          | ^ here
        ");
    }
}
