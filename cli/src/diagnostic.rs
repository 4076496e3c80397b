//! Draws the lines of the Dockerfile that an error is about, with a caret under the very words.

use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};
use tug_builder::{Finding, Problem, Source};

use crate::human;
use crate::output::{Paint, Stream};

/// What an error shows of the Dockerfile.
#[derive(Debug)]
pub(crate) enum Picture {
    /// Places that are wrong.
    Problems {
        /// The Dockerfile.
        source: Source,
        /// At least one.
        problems: Vec<Problem>,
    },
    /// An instruction that could not be carried out.
    Instruction {
        /// The Dockerfile.
        source: Source,
        /// The instruction.
        span: Range<usize>,
    },
    /// A step that failed.
    Step {
        /// The Dockerfile.
        source: Source,
        /// The instruction.
        span: Range<usize>,
        /// The last lines of its output.
        tail: Vec<String>,
        /// How many lines of output there were.
        lines: usize,
        /// The file with all of them.
        log: PathBuf,
    },
}

impl Picture {
    /// The places, for `--progress rawjson`.
    pub(crate) fn json(&self) -> Value {
        let place = |source: &Source, span: &Range<usize>| {
            let place = Place::of(source, span);
            json!({"file": source.name, "line": place.line, "column": place.column})
        };
        match self {
            Self::Problems { source, problems } => problems
                .iter()
                .map(|problem| {
                    let mut object = place(source, &problem.span);
                    object["message"] = problem.message.as_str().into();
                    object["label"] = problem.label.as_deref().into();
                    object["help"] = problem.help.as_deref().into();
                    object
                })
                .collect(),
            Self::Instruction { source, span } => json!([place(source, span)]),
            Self::Step { source, span, tail, lines, log } => {
                let mut object = place(source, span);
                object["tail"] = tail.as_slice().into();
                object["lines"] = (*lines).into();
                object["log"] = log.to_string_lossy().into();
                json!([object])
            }
        }
    }

    /// The places as annotations of GitHub Actions, one a line. The name of the Dockerfile is seen from `folder`.
    pub(crate) fn annotations(&self, message: &str, folder: &Path) -> String {
        let annotation = |source: &Source, span: &Range<usize>, message: &str| {
            let place = Place::of(source, span);
            let file = escape_property(&folder.join(&source.name).to_string_lossy());
            let text = escape_command(message);
            format!("::error file={file},line={},col={}::{text}\n", place.line, place.column)
        };
        match self {
            Self::Problems { source, problems } => problems
                .iter()
                .map(|problem| match &problem.label {
                    Some(label) => {
                        annotation(source, &problem.span, &format!("{}: {label}", problem.message))
                    }
                    None => annotation(source, &problem.span, &problem.message),
                })
                .collect(),
            Self::Instruction { source, span } | Self::Step { source, span, .. } => {
                annotation(source, span, message)
            }
        }
    }
}

/// The error `message` with its picture; ends with a line break.
pub(crate) fn draw(message: &str, picture: &Picture, stream: Stream) -> String {
    match picture {
        Picture::Problems { source, problems } => problems
            .iter()
            .map(|problem| {
                draw_one(&problem.message, source, &problem.span, problem.label.as_deref(), stream)
                    + &help(problem, stream)
            })
            .collect::<Vec<_>>()
            .join("\n"),
        Picture::Instruction { source, span } => draw_one(message, source, span, None, stream),
        Picture::Step { source, span, tail, lines, log } => {
            draw_one(message, source, span, None, stream)
                + &output(tail, *lines, &log.to_string_lossy(), stream)
        }
    }
}

/// Text for the message of a GitHub workflow command.
pub(crate) fn escape_command(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Text for a property of a GitHub workflow command.
pub(crate) fn escape_property(text: &str) -> String {
    escape_command(text).replace(':', "%3A").replace(',', "%2C")
}

fn help(problem: &Problem, stream: Stream) -> String {
    match &problem.help {
        Some(help) if is_nowhere(&problem.span) => {
            format!("\n{} {}\n", stream.paint(Paint::Cyan, "hint:"), human::one_line(help))
        }
        Some(help) => format!("{} {}\n", stream.paint(Paint::Cyan, "help:"), human::one_line(help)),
        None => String::new(),
    }
}

fn output(tail: &[String], lines: usize, log: &str, stream: Stream) -> String {
    let note = stream.paint(Paint::Bold, "note:");
    if tail.is_empty() {
        return format!("{note} it wrote nothing\n");
    }
    let head = match lines > tail.len() {
        true => format!("last {} of {lines} lines of its output", tail.len()),
        false => "its output".to_owned(),
    };
    let mut text = format!("{note} {head}; the whole log is `{log}`\n");
    for line in tail {
        text += &format!("  {}\n", crate::progress::log_line(line.as_bytes(), stream.color));
    }
    text
}

fn draw_one(
    message: &str,
    source: &Source,
    span: &Range<usize>,
    label: Option<&str>,
    stream: Stream,
) -> String {
    let title = human::one_line(message);
    if is_nowhere(span) {
        return format!("{} {title}\n", stream.paint(Paint::Red, "error:"));
    }
    let place = Place::of(source, span);
    let mut annotation: Annotation<'_> = AnnotationKind::Primary.span(place.span.clone());
    if let Some(label) = label {
        annotation = annotation.label(human::one_line(label));
    }
    let snippet = Snippet::source(place.text)
        .line_start(place.line)
        .path(human::one_line(&source.name))
        .fold(true)
        .annotation(annotation);
    render(&[Level::ERROR.primary_title(title).element(snippet)], place.line, stream)
}

/// Something that is probably not meant, with its line and a mark under its words; ends with a line break.
pub(crate) fn draw_finding(finding: &Finding, stream: Stream) -> String {
    let byte = |column: usize| {
        finding.text.char_indices().nth(column.saturating_sub(1)).map_or(finding.text.len(), |(at, _)| at)
    };
    let span = byte(finding.column)..byte(finding.end_column.max(finding.column));
    let snippet = Snippet::source(finding.text.as_str())
        .line_start(finding.line)
        .path(human::one_line(&finding.file))
        .fold(true)
        .annotation(AnnotationKind::Primary.span(span));
    let title = Level::WARNING.primary_title(human::one_line(&finding.message)).id(finding.rule.as_str());
    render(&[title.element(snippet)], finding.line, stream)
}

fn render(report: &[Group<'_>], line: usize, stream: Stream) -> String {
    let renderer = if stream.color { Renderer::styled() } else { Renderer::plain() };
    let mut text = renderer.render(report);
    // The frame is closed, so that what follows does not stick to it.
    let bar = format!("{} |", " ".repeat(line.to_string().len()));
    text.push('\n');
    text += &stream.paint_frame(&bar);
    text + "\n"
}

/// A problem without a place, such as a target that no stage has.
fn is_nowhere(span: &Range<usize>) -> bool {
    span.is_empty() && span.start == 0
}

impl Stream {
    /// The frame's colour is that of annotate-snippets.
    fn paint_frame(self, text: &str) -> String {
        match self.color {
            true => format!("\x1b[1m\x1b[94m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

/// A span, found in its line.
struct Place<'a> {
    /// From 1.
    line: usize,
    /// In characters, from 1.
    column: usize,
    /// The line.
    text: &'a str,
    /// Bytes of the line. A span that goes on in the next line is cut here: the first line says enough.
    span: Range<usize>,
}

impl<'a> Place<'a> {
    fn of(source: &'a Source, span: &Range<usize>) -> Self {
        let text = source.text.as_str();
        let start = text.floor_char_boundary(span.start.min(text.len()));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let line_text = text[line_start..line_end].trim_end();
        let last = line_text.len();
        let from = (start - line_start).min(last);
        let to = line_text.floor_char_boundary((span.end.max(start) - line_start).min(last)).max(from);
        Self {
            line: text[..line_start].matches('\n').count() + 1,
            column: line_text[..from].chars().count() + 1,
            text: line_text,
            span: from..to,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "FROM scratch AS build\nRUN make \\\n  all\n\nCOPY --from=biuld /app /app\n";

    fn source() -> Source {
        Source { name: "Dockerfile".to_owned(), text: TEXT.to_owned() }
    }

    fn span(words: &str) -> Range<usize> {
        let start = TEXT.find(words).unwrap();
        start..start + words.len()
    }

    fn problems() -> Picture {
        let problems = vec![
            Problem::new(span("biuld"), "no stage named `biuld`")
                .label("not a stage of this file, nor a named context")
                .help("a stage with a similar name exists: `build`"),
            Problem::new(0..0, "no `CMD` to inherit"),
        ];
        Picture::Problems { source: source(), problems }
    }

    #[test]
    fn several_problems_are_drawn_one_below_the_other() {
        insta::assert_snapshot!(draw("", &problems(), Stream::default()), @"
        error: no stage named `biuld`
         --> Dockerfile:5:13
          |
        5 | COPY --from=biuld /app /app
          |             ^^^^^ not a stage of this file, nor a named context
          |
        help: a stage with a similar name exists: `build`

        error: no `CMD` to inherit
        ");
    }

    #[test]
    fn a_failing_step_shows_its_first_line_and_its_last_words() {
        let picture = Picture::Step {
            source: source(),
            span: span("RUN make \\\n  all"),
            tail: vec!["make: *** no rule".to_owned(), "\x1b[31mstop\x1b[0m\x1b[2J".to_owned()],
            lines: 214,
            log: "/store/builds/1/7.log".into(),
        };
        let message = "step 7/12: `RUN make all` exited with 2";
        insta::assert_snapshot!(draw(message, &picture, Stream::default()), @r"
        error: step 7/12: `RUN make all` exited with 2
         --> Dockerfile:2:1
          |
        2 | RUN make \
          | ^^^^^^^^^^
          |
        note: last 2 of 214 lines of its output; the whole log is `/store/builds/1/7.log`
          make: *** no rule
          stop
        ");
        assert_eq!(
            picture.annotations(message, Path::new("")),
            "::error file=Dockerfile,line=2,col=1::step 7/12: `RUN make all` exited with 2\n"
        );
    }

    #[test]
    fn github_gets_one_annotation_for_each_place() {
        assert_eq!(
            problems().annotations("", Path::new("app")),
            "::error file=app/Dockerfile,line=5,col=13::no stage named `biuld`: not a stage of this file, nor a named context\n\
             ::error file=app/Dockerfile,line=1,col=1::no `CMD` to inherit\n"
        );
    }

    #[test]
    fn a_span_that_fits_nowhere_is_drawn_at_the_nearest_place() {
        for span in [900..1000, TEXT.len()..TEXT.len(), 21..22, 30..30] {
            let span: Range<usize> = span;
            let text = draw_one("x", &source(), &span, None, Stream::default());
            assert!(text.starts_with("error: x\n --> Dockerfile:"), "{text}");
        }
        let odd = Source { name: "ü".to_owned(), text: "RUN üü\u{202e}\x1b[2J x".to_owned() };
        let text = draw_one("x", &odd, &(5..7), None, Stream::default());
        assert!(!text.contains('\x1b') && !text.contains('\u{202e}'), "{text}");
    }
}
