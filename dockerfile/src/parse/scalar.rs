//! Small values: booleans, durations, sizes, numbers.

use std::time::Duration;

/// `true` and `false` in the spellings that Go reads.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A duration as Go writes it: `1h30m`, `1.5s`, `300ms`, `0`. `None` if it is none, or negative, or beyond
/// 292 years.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let whole = &rest[..digits(rest)];
        rest = &rest[whole.len()..];
        let mut fraction = "";
        if let Some(after_point) = rest.strip_prefix('.') {
            fraction = &after_point[..digits(after_point)];
            rest = &after_point[fraction.len()..];
        }
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let unit =
            &rest[..rest.find(|next: char| next.is_ascii_digit() || next == '.').unwrap_or(rest.len())];
        rest = &rest[unit.len()..];
        let nanoseconds = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        total = total.checked_add(whole.checked_mul(nanoseconds)?)?;
        // Digits beyond the nanosecond do not count.
        let mut place = nanoseconds;
        for digit in fraction.bytes() {
            place /= 10;
            total += place * u128::from(digit - b'0');
        }
    }
    let nanoseconds = i64::try_from(total).ok()?;
    Some(Duration::from_nanos(nanoseconds.unsigned_abs()))
}

/// A size in bytes as docker writes it: `128m`, `1.5 GiB`, `1024`; every unit counts in steps of 1024.
pub(super) fn size(text: &str) -> Option<u64> {
    let number = text.find(|next: char| !next.is_ascii_digit() && next != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(number);
    let unit = unit.strip_prefix(' ').unwrap_or(unit).to_ascii_lowercase();
    let power = match unit.trim_end_matches('b').trim_end_matches('i') {
        "" if matches!(unit.as_str(), "" | "b") => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    let bytes = number * 1024f64.powi(power);
    (bytes.is_finite() && bytes < 9e18).then_some(bytes as u64)
}

/// A mode in octal digits, at most 32 bits.
pub(super) fn octal(text: &str) -> Option<u32> {
    let is_octal = !text.is_empty() && text.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    is_octal.then(|| u32::from_str_radix(text, 8).ok()).flatten()
}

/// A number in decimal digits, at most 32 bits.
pub(super) fn decimal(text: &str) -> Option<u32> {
    let is_decimal = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    is_decimal.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, milliseconds) in [
            ("0", 0),
            ("1s", 1000),
            ("1h2m3.5s", 3_723_500),
            ("+300ms", 300),
            (".5s", 500),
            ("1.s", 1000),
            ("0.05s", 50),
            ("1us1500us", 1),
        ] {
            assert_eq!(duration(text).map(|duration| duration.as_millis()), Some(milliseconds), "{text}");
        }
        for text in
            ["", "1", "s", "-1s", "1 s", "1d", ".s", "9999999h", "99999999999999999999999999999999999999999s"]
        {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_count_in_steps_of_1024() {
        for (text, bytes) in
            [("1024", 1024), ("128m", 128 << 20), ("1.5 GiB", 3 << 29), ("2kb", 2048), ("7B", 7)]
        {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "m", "1mm", "1x", "-1", "1ib", "9e9", "99999999999p", "1..2"] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
