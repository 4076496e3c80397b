//! Times as people write them: `30s`, `90m`, `24h`, `7d`.

use std::time::Duration;

use super::Every;

/// Reads a number with a unit.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let refused = || "expected a number with `s`, `m`, `h` or `d` behind, as in `24h`".to_owned();
    let split = text.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(refused)?;
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(refused()),
    };
    let number: u64 = number.parse().map_err(|_| refused())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(refused)
}

/// The same, or `off`.
pub(super) fn parse_or_off(text: &str) -> Result<Every, String> {
    match text {
        "off" => Ok(Every(None)),
        _ => match parse(text)? {
            Duration::ZERO => Err("expected more than no time at all; `off` is never".to_owned()),
            every => Ok(Every(Some(every))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_a_unit() {
        for (text, seconds) in [("0s", 0), ("30s", 30), ("90m", 5400), ("24h", 86400), ("7d", 604_800)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)));
        }
        for text in
            ["", "30", "s", "-1s", "1.5h", "1h30m", "1 h", "99999999999999999d", "99999999999999999999s"]
        {
            assert!(parse(text).is_err(), "{text} was taken");
        }
    }
}
