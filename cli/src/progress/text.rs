//! Output of steps as lines that are safe to show.
//!
//! Bytes come as the step wrote them. A line break ends a line; a carriage return starts it anew, as on a terminal;
//! nothing that would move the cursor, set a title or ring a bell gets through.

use crate::human;

/// Cuts a stream of bytes into lines. A line longer than [`LineCutter::LONGEST`] is cut, so that memory is bounded.
#[derive(Debug, Default)]
pub(crate) struct LineCutter(Vec<u8>);

impl LineCutter {
    const LONGEST: usize = 64 << 10;

    /// Takes `bytes` and gives each line that they complete to `line`.
    pub(crate) fn push(&mut self, bytes: &[u8], mut line: impl FnMut(&[u8])) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let mut part = part;
            while self.0.len() + part.len() > Self::LONGEST {
                let (now, later) = part.split_at(Self::LONGEST - self.0.len());
                self.0.extend_from_slice(now);
                line(&std::mem::take(&mut self.0));
                part = later;
            }
            self.0.extend_from_slice(part);
            if self.0.last() == Some(&b'\n') {
                self.0.pop();
                line(&std::mem::take(&mut self.0));
            }
        }
    }

    /// Gives what was begun and not ended to `line`.
    pub(crate) fn finish(&mut self, mut line: impl FnMut(&[u8])) {
        if !self.0.is_empty() {
            line(&std::mem::take(&mut self.0));
        }
    }

    /// What was begun and not ended.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.0
    }
}

/// One line as it may be shown; colours stay if `color` is set.
pub(crate) fn log_line(line: &[u8], color: bool) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches('\r');
    let text = text.rsplit('\r').next().unwrap_or(text);
    let mut shown = String::with_capacity(text.len());
    let mut colored = false;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\x1b' => {
                if let Some(sequence) = escape(&mut letters).filter(|_| color) {
                    shown.push_str(&sequence);
                    colored = true;
                }
            }
            '\t' => shown.push('\t'),
            other if human::is_dangerous(other) => {}
            other => shown.push(other),
        }
    }
    if colored {
        shown.push_str("\x1b[0m");
    }
    shown
}

/// Reads what follows an escape character; gives it back if it sets a colour.
fn escape(letters: &mut std::str::Chars<'_>) -> Option<String> {
    match letters.next()? {
        '[' => {
            let mut sequence = String::from("\x1b[");
            for letter in letters.by_ref() {
                sequence.push(letter);
                match letter {
                    'm' => return Some(sequence),
                    '0'..='9' | ';' | ':' => {}
                    '@'..='~' => return None,
                    ' '..='?' => {}
                    _ => return None,
                }
            }
            None
        }
        // An operating system command, a device control string: they end with a bell or `ESC \`.
        ']' | 'P' | 'X' | '^' | '_' => {
            while let Some(letter) = letters.next() {
                match letter {
                    '\x07' => break,
                    '\x1b' => {
                        letters.next();
                        break;
                    }
                    _ => {}
                }
            }
            None
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_wherever_the_writes_were() {
        let mut lines = Vec::new();
        let mut cutter = LineCutter::default();
        for piece in ["one\ntw", "o\n", "\nthree"] {
            cutter.push(piece.as_bytes(), |line| lines.push(String::from_utf8_lossy(line).into_owned()));
        }
        assert_eq!(cutter.rest(), b"three");
        cutter.finish(|line| lines.push(String::from_utf8_lossy(line).into_owned()));
        assert_eq!(lines, ["one", "two", "", "three"]);
    }

    #[test]
    fn a_line_without_end_does_not_grow_without_end() {
        let (mut count, mut longest) = (0, 0);
        let mut cutter = LineCutter::default();
        for _ in 0..1000 {
            cutter.push(&[b'x'; 1000], |line| {
                count += 1;
                longest = longest.max(line.len());
            });
        }
        assert_eq!((count, longest), (15, LineCutter::LONGEST));
    }

    #[test]
    fn what_would_steer_the_terminal_is_left_out() {
        for (line, plain, colored) in [
            ("10%\r50%\r100%\r", "100%", "100%"),
            ("\x1b[1;32mok\x1b[0m", "ok", "\x1b[1;32mok\x1b[0m\x1b[0m"),
            ("\x1b[2J\x1b[10;1Ha\x1b[?25lb", "ab", "ab"),
            ("\x1b]0;title\x07a\x1b]8;;x\x1b\\b", "ab", "ab"),
            ("\x1bca\u{9b}31mb\x07", "a31mb", "a31mb"),
            ("a\x1b[", "a", "a"),
            ("a\tb\u{0}", "a\tb", "a\tb"),
        ] {
            assert_eq!(log_line(line.as_bytes(), false), plain);
            assert_eq!(log_line(line.as_bytes(), true), colored);
        }
        assert_eq!(log_line(b"caf\xe9", false), "caf\u{fffd}");
    }
}
