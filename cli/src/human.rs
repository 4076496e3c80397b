//! Sizes, times and untrusted text as people read them.

use jiff::Timestamp;
use std::time::Duration;

/// `31.2 MB`: three digits, steps of 1000, as docker counts.
pub(crate) fn size(bytes: u64) -> String {
    let (number, unit) = scaled(bytes);
    format!("{number} {unit}")
}

/// `31.2MB`: as in docker's tables.
pub(crate) fn short_size(bytes: u64) -> String {
    let (number, unit) = scaled(bytes);
    number + unit
}

/// `0.3s`, `75.0s`.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1}s", duration.as_secs_f64())
}

/// `2 hours ago`, in docker's words. `None` for a text that is no time.
pub(crate) fn since(created: &str, now: Timestamp) -> Option<String> {
    let created: Timestamp = created.parse().ok()?;
    let seconds = now.as_second().saturating_sub(created.as_second());
    let minutes = seconds / 60;
    let hours = (minutes + 30) / 60;
    let days = hours / 24;
    let words = match (seconds, minutes, hours) {
        (..1, ..) => "Less than a second".to_owned(),
        (1, ..) => "1 second".to_owned(),
        (..60, ..) => format!("{seconds} seconds"),
        (_, 1, _) => "About a minute".to_owned(),
        (_, ..60, _) => format!("{minutes} minutes"),
        (.., 1) => "About an hour".to_owned(),
        (.., ..48) => format!("{hours} hours"),
        (.., ..336) => format!("{days} days"),
        (.., ..1440) => format!("{} weeks", days / 7),
        (.., ..17520) => format!("{} months", days / 30),
        _ => format!("{} years", days / 365),
    };
    Some(words + " ago")
}

/// `text` on one line and without anything that a terminal would obey.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\n' | '\r' | '\t' => ' ',
            other => other,
        })
        .filter(|letter| !is_dangerous(*letter))
        .collect()
}

/// Whether a terminal could take a character as an order, or a reader could be misled by it.
pub(crate) fn is_dangerous(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `count` things, with the right ending: `1 step`, `2 steps`.
pub(crate) fn counted(count: usize, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    }
}

fn scaled(bytes: u64) -> (String, &'static str) {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut number = bytes as f64;
    let mut unit = 0;
    // 999.5 would be rounded to a fourth digit.
    while number >= 999.5 && unit + 1 < UNITS.len() {
        number /= 1000.0;
        unit += 1;
    }
    let decimals = match number {
        _ if unit == 0 => 0,
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    let text = format!("{number:.decimals$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    };
    (text, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        for (bytes, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1 kB"),
            (1234, "1.23 kB"),
            (12_345, "12.3 kB"),
            (999_499, "999 kB"),
            (999_500, "1 MB"),
            (31_000_000, "31 MB"),
            (117_900_000, "118 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
        assert_eq!(short_size(1234), "1.23kB");
    }

    #[test]
    fn ages_are_dockers_words() {
        let now: Timestamp = "2024-06-01T12:00:00Z".parse().unwrap();
        for (created, expected) in [
            ("2024-06-01T12:00:00Z", "Less than a second ago"),
            ("2025-06-01T12:00:00Z", "Less than a second ago"),
            ("2024-06-01T11:59:59Z", "1 second ago"),
            ("2024-06-01T11:59:13Z", "47 seconds ago"),
            ("2024-06-01T11:58:50Z", "About a minute ago"),
            ("2024-06-01T11:20:00Z", "40 minutes ago"),
            ("2024-06-01T10:50:00Z", "About an hour ago"),
            ("2024-06-01T10:00:00Z", "2 hours ago"),
            ("2024-05-29T12:00:00Z", "3 days ago"),
            ("2024-05-11T12:00:00Z", "3 weeks ago"),
            ("2024-02-20T12:00:00.5+02:00", "3 months ago"),
            ("1970-01-01T00:00:00Z", "54 years ago"),
        ] {
            assert_eq!(since(created, now).as_deref(), Some(expected), "{created}");
        }
        assert_eq!(since("yesterday", now), None);
    }

    #[test]
    fn text_of_others_cannot_steer_the_terminal() {
        assert_eq!(one_line("a\x1b[31mb\nc\u{202e}d\u{7}"), "a[31mb cd");
    }
}
