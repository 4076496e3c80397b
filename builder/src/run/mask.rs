//! Hides the values of secrets in output, however they are cut into pieces.
//!
//! What looks like the beginning of a secret is held back until it is clear whether it is one. A value that somebody
//! wrapped into lines is found as well, and so is each line of a value that has several. Colours and control characters
//! between the letters, which a display swallows, change nothing.

/// What stands in the place of a secret.
const MASK: &[u8] = b"****";
/// A shorter value is no secret, and hiding it everywhere would leave no output to read.
const SHORTEST: usize = 3;
/// A shorter line of a longer value, such as a bracket, says nothing.
const SHORTEST_LINE: usize = 6;
/// So many bytes must agree before a line break may be in the middle of a value that has none there.
const BEFORE_A_BREAK: usize = 4;

/// The values to hide.
#[derive(Default)]
pub(super) struct Mask {
    /// Longest first.
    values: Vec<Value>,
}

struct Value {
    /// Without line breaks.
    bytes: Vec<u8>,
    /// Before which bytes the value has line breaks.
    breaks: Vec<usize>,
}

/// Hides values in one stream of output.
pub(super) struct Masked<'a> {
    mask: &'a Mask,
    /// What may be the beginning of a value.
    held: Vec<u8>,
}

enum Match {
    /// It is not there.
    No,
    /// It may be: the text ends too early to tell.
    Begun,
    /// So many bytes of the text are it.
    Whole(usize),
}

impl Mask {
    pub(super) fn new<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut values: Vec<Value> = Vec::new();
        let mut add = |value: Value, shortest: usize| {
            if value.bytes.len() >= shortest && !values.iter().any(|known| known.bytes == value.bytes) {
                values.push(value);
            }
        };
        for secret in secrets {
            let secret = secret.trim_ascii();
            add(Value::of(secret), SHORTEST);
            if secret.contains(&b'\n') {
                for line in secret.split(|byte| *byte == b'\n') {
                    add(Value::of(line.trim_ascii()), SHORTEST_LINE);
                }
            }
        }
        values.sort_by_key(|value| std::cmp::Reverse(value.bytes.len()));
        Self { values }
    }

    /// Begins a stream.
    pub(super) fn stream(&self) -> Masked<'_> {
        Masked { mask: self, held: Vec::new() }
    }
}

impl Masked<'_> {
    /// What can be shown after `text` has come.
    pub(super) fn next(&mut self, text: &[u8]) -> Vec<u8> {
        if self.mask.values.is_empty() {
            return text.to_vec();
        }
        self.held.extend_from_slice(text);
        self.take(false)
    }

    /// What can be shown when nothing more comes.
    pub(super) fn end(&mut self) -> Vec<u8> {
        self.take(true)
    }

    fn take(&mut self, is_end: bool) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        let mut shown = Vec::with_capacity(held.len());
        let mut at = 0;
        'text: while at < held.len() {
            let rest = &held[at..];
            for value in self.mask.values.iter().filter(|value| value.bytes[0] == rest[0]) {
                match value.find(rest) {
                    Match::No => {}
                    Match::Begun if !is_end => {
                        self.held = rest.to_vec();
                        return shown;
                    }
                    // Most of a secret is as bad as the whole of it.
                    Match::Begun if rest.len() >= BEFORE_A_BREAK && rest.len() * 2 >= value.bytes.len() => {
                        hide(rest, &mut shown);
                        return shown;
                    }
                    Match::Begun => {}
                    Match::Whole(length) => {
                        hide(&rest[..length], &mut shown);
                        at += length;
                        continue 'text;
                    }
                }
            }
            shown.push(rest[0]);
            at += 1;
        }
        shown
    }
}

/// Where in a sequence that steers a terminal we are (ECMA-48).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escape {
    /// In none.
    None,
    /// After its `ESC`.
    Begun,
    /// In one that begins with `ESC [`.
    Control,
    /// In a text that begins with `ESC ]`, `ESC P` or the like and ends with `BEL` or `ESC \`.
    Text,
}

impl Escape {
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Begun, b'[') => Self::Control,
            (Self::Begun, b']' | b'P' | b'X' | b'^' | b'_') => Self::Text,
            (Self::Begun, b' '..=b'/') => Self::Begun,
            (Self::Control, b'@'..=b'~') | (Self::Text, 0x07) | (Self::None | Self::Begun, _) => Self::None,
            (Self::Text, 0x1b) => Self::Begun,
            (other, _) => other,
        }
    }
}

impl Value {
    fn of(text: &[u8]) -> Self {
        let (mut bytes, mut breaks) = (Vec::with_capacity(text.len()), Vec::new());
        for byte in text {
            match byte {
                b'\n' | b'\r' => breaks.push(bytes.len()),
                byte => bytes.push(*byte),
            }
        }
        Self { bytes, breaks }
    }

    /// Whether `text` begins with it.
    fn find(&self, text: &[u8]) -> Match {
        let (mut matched, mut escape) = (0, Escape::None);
        // What a display swallows may be as long as it likes, but not without end.
        let longest = self.bytes.len() * 8 + 1024;
        for (at, byte) in text.iter().enumerate() {
            if matched == self.bytes.len() {
                return Match::Whole(at);
            }
            if at > longest {
                return Match::No;
            }
            if escape != Escape::None {
                escape = escape.after(*byte);
            } else if *byte == self.bytes[matched] {
                matched += 1;
            } else if matched > 0 && *byte == 0x1b {
                escape = Escape::Begun;
            } else if matched > 0 && byte.is_ascii_control() && !matches!(byte, b'\n' | b'\r') {
                // Nothing of it is seen.
            } else if !matches!(byte, b'\n' | b'\r')
                || (matched < BEFORE_A_BREAK && self.breaks.binary_search(&matched).is_err())
            {
                return Match::No;
            }
        }
        if matched == self.bytes.len() { Match::Whole(text.len()) } else { Match::Begun }
    }
}

/// Line breaks stay, so that lines keep their numbers.
fn hide(text: &[u8], shown: &mut Vec<u8>) {
    shown.extend_from_slice(MASK);
    shown.extend(text.iter().filter(|byte| matches!(byte, b'\n' | b'\r')));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text, given in every way that it can be cut in two, and byte by byte.
    fn shown(secrets: &[&str], text: &str) -> String {
        let mask = Mask::new(secrets.iter().map(|secret| secret.as_bytes()));
        let in_pieces = |pieces: &[&[u8]]| {
            let mut stream = mask.stream();
            let mut shown: Vec<u8> = pieces.iter().flat_map(|piece| stream.next(piece)).collect();
            shown.extend(stream.end());
            String::from_utf8(shown).unwrap()
        };
        let whole = in_pieces(&[text.as_bytes()]);
        for cut in 0..=text.len() {
            let (left, right) = text.as_bytes().split_at(cut);
            assert_eq!(in_pieces(&[left, right]), whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(in_pieces(&bytes), whole);
        whole
    }

    #[test]
    fn a_secret_is_hidden_wherever_the_output_is_cut() {
        assert_eq!(
            shown(&["hunter2"], "pass hunter2, hunterhunter2 hunter.\n"),
            "pass ****, hunter**** hunter.\n"
        );
        assert_eq!(shown(&["hunter2\n"], "hunter2"), "****");
        assert_eq!(shown(&["abab"], "aababab"), "a****ab");
    }

    #[test]
    fn what_a_display_swallows_does_not_help_a_secret_through() {
        let end = "\u{1b}[0m";
        assert_eq!(
            shown(&["hunter2"], &format!("\u{1b}[31mhunt{end}er2{end}.")),
            format!("\u{1b}[31m****{end}.")
        );
        assert_eq!(shown(&["hunter2"], "hunt\0er\u{8}2 and h\u{1b}]0;title\u{7}unter2"), "**** and ****");
        let long = format!("h\u{1b}]{}unter2", "x".repeat(5000));
        assert_eq!(shown(&["hunter2"], &long), long, "nothing is held back for ever");
    }

    #[test]
    fn the_longest_of_several_is_hidden() {
        assert_eq!(
            shown(&["token", "token-long", "other"], "token-long token other-long"),
            "**** **** ****-long"
        );
        assert_eq!(shown(&["token", "token-long"], "token-lo"), "****");
    }

    #[test]
    fn a_secret_of_several_lines_is_hidden_whole_and_line_by_line() {
        let key = "-----BEGIN KEY-----\nabcdefgh\n}\nxyz\n-----END KEY-----\n";
        assert_eq!(shown(&[key], &format!("key: {key}.")), "key: ****\n\n\n\n\n.");
        assert_eq!(shown(&[key], "line abcdefgh only } and xyz"), "line **** only } and xyz");
        let with_returns = key.replace('\n', "\r\n");
        assert!(!shown(&[key], &with_returns).contains("xyz"));
    }

    #[test]
    fn a_secret_that_is_wrapped_into_lines_is_hidden() {
        assert_eq!(shown(&["0123456789abcdef"], "<01234567\n89abcdef>"), "<****\n>");
        assert_eq!(shown(&["0123456789abcdef"], "<0123\n4567\n89ab\ncdef>"), "<****\n\n\n>");
    }

    #[test]
    fn what_was_held_back_comes_when_it_is_no_secret() {
        let mask = Mask::new([b"hunter2".as_slice()]);
        let mut stream = mask.stream();
        assert_eq!(stream.next(b"the hun"), b"the ");
        assert_eq!(stream.next(b"dred\n"), b"hundred\n");
        assert_eq!(stream.next(b"hu"), b"");
        assert_eq!(stream.end(), b"hu");
        assert_eq!(stream.next(b"hunter"), b"");
        assert_eq!(stream.end(), b"****", "most of a secret is hidden as well");
    }

    #[test]
    fn nothing_is_hidden_for_a_value_that_is_no_secret() {
        assert_eq!(shown(&["", "1", "\n", "  "], "1 2 3\n\n"), "1 2 3\n\n");
    }
}
