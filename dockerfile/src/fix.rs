//! Mends what lint rules find, where that cannot change what is built.
//!
//! | rule                          | what is done                                                              |
//! | ----------------------------- | ------------------------------------------------------------------------- |
//! | `StageNameCasing`             | the name is written in lower case                                         |
//! | `FromAsCasing`                | `AS` is written as its `FROM`                                             |
//! | `ConsistentInstructionCasing` | the instruction is written as most of the others                          |
//! | `NoEmptyContinuation`         | the empty lines are taken out                                             |
//! | `LegacyKeyValueFormat`        | `key value` becomes `key=value`, with quotes or escapes for blanks in it  |
//! | `RedundantTargetPlatform`     | the flag is taken out                                                     |
//! | `ExposeProtoCasing`           | the protocol is written in lower case                                     |
//!
//! The others need somebody who knows what was meant: another form of `CMD` runs another program, a label in the place of
//! `MAINTAINER` is another image. What stands elsewhere in the text stays as it is, byte for byte.

use crate::{
    Dockerfile, Escape, Instruction, InstructionKind, LineIndex, Lint, LintOptions, Rule, Span, Stage, lint,
};

/// Mending one thing may show another: `from … as` becomes `FROM … as` becomes `FROM … AS`.
const MOST_ROUNDS: usize = 8;

/// Something that was mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// The rule that was gone against.
    pub rule: Rule,
    /// The line in the text as it was, from 1.
    pub line: usize,
}

/// A text with everything mended that can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mended {
    /// The whole text.
    pub text: Vec<u8>,
    /// What was mended, in the order of the text; at least one thing.
    pub fixes: Vec<Fix>,
}

/// Replaces a stretch of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Edit {
    span: Span,
    text: String,
}

impl Rule {
    /// [`fix`] mends violations of this rule.
    pub fn is_fixable(self) -> bool {
        matches!(
            self,
            Self::StageNameCasing
                | Self::FromAsCasing
                | Self::ConsistentInstructionCasing
                | Self::NoEmptyContinuation
                | Self::LegacyKeyValueFormat
                | Self::RedundantTargetPlatform
                | Self::ExposeProtoCasing
        )
    }
}

/// Mends everything that can be. `None` if nothing is to be mended, or if the text is
/// no correct Dockerfile: then nobody knows what it means.
pub fn fix(source: &[u8], options: &LintOptions<'_>) -> Option<Mended> {
    let mut text = source.to_vec();
    let mut done = Vec::new();
    // Lines are told as they are in the text that the user has.
    let mut lines_taken_out: Vec<usize> = Vec::new();
    for _ in 0..MOST_ROUNDS {
        let Ok(dockerfile) = Dockerfile::parse(&text) else { break };
        let index = LineIndex::new(&text);
        let mut edits: Vec<Edit> = Vec::new();
        for found in lint(&dockerfile, options) {
            let own: Vec<Edit> = edits_for(&found, &dockerfile, &text, &index);
            let overlaps = own.iter().any(|new| edits.iter().any(|edit| touches(edit.span, new.span)));
            if own.is_empty() || overlaps {
                continue;
            }
            edits.extend(own);
            let mut line = index.location(found.span.start).line;
            for taken in &lines_taken_out {
                line += usize::from(*taken <= line);
            }
            done.push(Fix { rule: found.rule, line });
        }
        if edits.is_empty() {
            break;
        }
        edits.sort_by_key(|edit| edit.span);
        let whole_lines =
            edits.iter().filter(|edit| edit.text.is_empty() && text[edit.span.range()].ends_with(b"\n"));
        lines_taken_out.extend(whole_lines.map(|edit| index.location(edit.span.start).line));
        lines_taken_out.sort_unstable();
        let mended = apply(&text, &edits);
        if Dockerfile::parse(&mended).is_err() {
            // A fix that breaks the file is worse than none.
            break;
        }
        text = mended;
    }
    done.sort_by_key(|fix| (fix.line, fix.rule));
    (text != source).then_some(Mended { text, fixes: done })
}

fn touches(one: Span, other: Span) -> bool {
    one.start <= other.end && other.start <= one.end
}

fn apply(text: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut result = Vec::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        result.extend_from_slice(&text[at..edit.span.start]);
        result.extend_from_slice(edit.text.as_bytes());
        at = edit.span.end;
    }
    result.extend_from_slice(&text[at..]);
    result
}

fn edits_for(found: &Lint, dockerfile: &Dockerfile, text: &[u8], index: &LineIndex<'_>) -> Vec<Edit> {
    let stage = || dockerfile.stages.iter().find(|stage| stage.span == found.instruction);
    let instruction = || {
        let all = dockerfile.stages.iter().flat_map(|stage| &stage.instructions);
        all.chain(&dockerfile.global_args).find(|instruction| instruction.span == found.instruction)
    };
    // What is split over lines, or not in the text at all, is left alone.
    let written = std::str::from_utf8(&text[found.span.range()]).unwrap_or_default();
    let replace = |new: String| vec![Edit { span: found.span, text: new }];
    match found.rule {
        Rule::StageNameCasing if is_word(written) => replace(written.to_lowercase()),
        Rule::FromAsCasing if is_word(written) => {
            stage().map(|stage| replace(cased_as(written, &stage.keyword.text))).unwrap_or_default()
        }
        Rule::ConsistentInstructionCasing if is_word(written) => {
            let lower = found.message.ends_with("(lowercase)");
            replace(if lower { written.to_lowercase() } else { written.to_uppercase() })
        }
        Rule::NoEmptyContinuation => empty_lines(dockerfile, found, text, index),
        Rule::LegacyKeyValueFormat => instruction()
            .and_then(|instruction| pair(instruction, text, dockerfile.directives.escape))
            .into_iter()
            .collect(),
        Rule::RedundantTargetPlatform => {
            stage().and_then(|stage| platform(dockerfile, stage, text)).into_iter().collect()
        }
        Rule::ExposeProtoCasing => {
            instruction().and_then(|_| protocol(found.span, written)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

fn cased_as(word: &str, model: &str) -> String {
    match model.bytes().all(|byte| byte.is_ascii_lowercase()) {
        true => word.to_lowercase(),
        false => word.to_uppercase(),
    }
}

/// The empty lines of the instruction that ends where the finding says.
fn empty_lines(dockerfile: &Dockerfile, found: &Lint, text: &[u8], index: &LineIndex<'_>) -> Vec<Edit> {
    let end = found.instruction.end.max(found.span.end);
    let lines = dockerfile
        .empty_continuations
        .iter()
        .filter(|line| line.start >= found.span.start && line.start <= end);
    lines
        .filter_map(|line| {
            let number = index.location(line.start).line;
            let whole = Span::new(index.span(number).start, index.span(number + 1).start);
            let is_blank = text[whole.range()].iter().all(u8::is_ascii_whitespace);
            (is_blank && !whole.range().is_empty()).then(|| Edit { span: whole, text: String::new() })
        })
        .collect()
}

/// `key value` as `key=value` with the same meaning.
fn pair(instruction: &Instruction, text: &[u8], escape: Escape) -> Option<Edit> {
    let (InstructionKind::Env(pairs) | InstructionKind::Label(pairs)) = &instruction.kind else {
        return None;
    };
    let [pair] = pairs.entries.as_slice() else { return None };
    let (key, value) = (&pair.key, &pair.value);
    let is_verbatim = |word: &crate::Word| &text[word.span.range()] == word.raw.as_bytes();
    let between = text.get(key.span.end..value.span.start)?;
    // A value over several lines would become one, and `=` in the key would be the end of it.
    if !is_verbatim(key)
        || !is_verbatim(value)
        || !between.iter().all(|byte| matches!(byte, b' ' | b'\t'))
        || key.raw.contains(['=', '"', '\'', escape.character()])
        || value.raw.is_empty()
    {
        return None;
    }
    let span = Span::new(key.span.end, value.span.end);
    Some(Edit { span, text: format!("={}", in_one_word(&value.raw, escape)?) })
}

/// A value with blanks as one word. Quotes keep it together where they change nothing else in it.
fn in_one_word(raw: &str, escape: Escape) -> Option<String> {
    let escape = escape.character();
    let is_blank = |character: char| character.is_whitespace();
    if !raw.contains(is_blank) {
        return Some(raw.to_owned());
    }
    if !raw.contains(['"', '\'', escape]) {
        return Some(format!("\"{raw}\""));
    }
    // Blanks inside of quotes, and those that are escaped, keep together by themselves.
    let mut result = String::new();
    let mut quote = None;
    let mut letters = raw.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some('\''), '\'') => quote = None,
            (Some('\''), _) => {}
            (Some(_), '"') => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            // What an open brace holds has words of its own.
            (_, '$') if raw.contains("${") => return None,
            (None, blank) if is_blank(blank) => result.push(escape),
            _ => {}
        }
        result.push(letter);
        if letter == escape && quote != Some('\'') {
            result.push(letters.next()?);
        }
    }
    quote.is_none().then_some(result)
}

/// Takes `--platform=…` and the blanks behind it out.
fn platform(dockerfile: &Dockerfile, stage: &Stage, text: &[u8]) -> Option<Edit> {
    let mut declared = dockerfile.global_args.iter().flat_map(crate::arguments::declarations);
    if declared.any(|declaration| declaration.name.raw == "TARGETPLATFORM") {
        return None;
    }
    let flag = stage.flags.iter().find(|flag| flag.name == "platform")?;
    let blanks = text[flag.span.end..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let is_alone = text[flag.span.range()].iter().all(|byte| !byte.is_ascii_whitespace());
    let span = Span::new(flag.span.start, flag.span.end + blanks);
    (is_alone && blanks > 0).then(|| Edit { span, text: String::new() })
}

/// The protocol of a port in lower case, where it is written out.
fn protocol(span: Span, written: &str) -> Option<Edit> {
    let (ports, protocol) = written.split_once('/')?;
    let is_plain =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte));
    let start = span.start + ports.len() + 1;
    (is_plain(protocol) && !ports.is_empty() && !ports.contains(char::is_whitespace))
        .then(|| Edit { span: Span::new(start, span.end), text: protocol.to_lowercase() })
}
