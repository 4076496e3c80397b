//! The signal of `STOPSIGNAL`.

use crate::{ParseError, ParseErrorKind, Word};

/// A signal by its number on Linux (x86 and ARM).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StopSignal {
    number: u8,
}

/// A text that names no signal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a signal")]
pub struct BadSignal {
    text: String,
}

const NAMES: [(&str, u8); 36] = [
    ("ABRT", 6),
    ("ALRM", 14),
    ("BUS", 7),
    ("CHLD", 17),
    ("CLD", 17),
    ("CONT", 18),
    ("FPE", 8),
    ("HUP", 1),
    ("ILL", 4),
    ("INT", 2),
    ("IO", 29),
    ("IOT", 6),
    ("KILL", 9),
    ("PIPE", 13),
    ("POLL", 29),
    ("PROF", 27),
    ("PWR", 30),
    ("QUIT", 3),
    ("SEGV", 11),
    ("STKFLT", 16),
    ("STOP", 19),
    ("SYS", 31),
    ("TERM", 15),
    ("TRAP", 5),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("USR1", 10),
    ("USR2", 12),
    ("VTALRM", 26),
    ("WINCH", 28),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("RTMIN", FIRST_REAL_TIME),
    ("RTMAX", LAST_REAL_TIME),
];

const FIRST_REAL_TIME: u8 = 34;
const LAST_REAL_TIME: u8 = 64;

impl StopSignal {
    /// Reads a number from 1 to 64, or a name with or without `SIG` in any case, such as `SIGTERM`, `int`,
    /// `RTMIN+3`.
    pub fn parse(text: &str) -> Result<Self, BadSignal> {
        let bad = || BadSignal { text: text.to_owned() };
        if !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit()) {
            let number =
                text.parse().ok().filter(|number| (1..=LAST_REAL_TIME).contains(number)).ok_or_else(bad)?;
            return Ok(Self { number });
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        if let Some(&(_, number)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(Self { number });
        }
        let offset = |text: &str| {
            text.bytes().all(|digit| digit.is_ascii_digit()).then(|| text.parse().ok()).flatten()
        };
        let number = if let Some(offset) = name.strip_prefix("RTMIN+").and_then(offset) {
            FIRST_REAL_TIME.checked_add(offset)
        } else if let Some(offset) = name.strip_prefix("RTMAX-").and_then(offset) {
            LAST_REAL_TIME.checked_sub(offset)
        } else {
            None
        };
        let is_real_time = |number: &u8| (FIRST_REAL_TIME..=LAST_REAL_TIME).contains(number);
        Ok(Self { number: number.filter(is_real_time).ok_or_else(bad)? })
    }

    /// The number.
    pub fn number(self) -> i32 {
        i32::from(self.number)
    }
}

impl BadSignal {
    /// What a signal looks like.
    pub fn hint(&self) -> Option<String> {
        Some("write a name such as `SIGTERM`, or a number from 1 to 64".to_owned())
    }

    /// The same as an error in the file, where `word` is the value before it was expanded.
    pub fn at(self, word: &Word) -> ParseError {
        let hint = self.hint();
        let mut error = ParseError::new(word.span, ParseErrorKind::BadSignal(self), "expected a signal");
        error.help = hint;
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        for (text, number) in [
            ("SIGTERM", 15),
            ("int", 2),
            ("9", 9),
            ("SIGRTMIN+3", 37),
            ("rtmax-1", 63),
            ("64", 64),
            ("RTMIN", 34),
        ] {
            assert_eq!(StopSignal::parse(text).expect("a signal").number(), number, "{text}");
        }
        for text in
            ["", "0", "65", "-1", "SIG", "SIGFOO", "RTMIN+31", "RTMAX-31", "RTMIN+", "RTMIN+300", "TERM "]
        {
            assert!(StopSignal::parse(text).is_err(), "{text}");
        }
    }
}
