//! Moments as docker's filters write them: how long ago, or when.
//!
//! | text                                    | moment                                   |
//! | --------------------------------------- | ---------------------------------------- |
//! | `90s`, `10m`, `24h`, `1h30m`, `7d`, `2w` | so long ago                              |
//! | `2024-05-06`, `2024-05-06T07:08:09`     | then; UTC                                |
//! | `2024-05-06T07:08:09+02:00`             | then                                     |
//! | `1714979289`                            | seconds since 1970                       |

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// The moment that a text means; for one that is a length of time, so long before now.
pub(crate) fn moment(text: &str) -> Result<SystemTime, String> {
    if let Ok(ago) = length(text) {
        return SystemTime::now()
            .checked_sub(ago)
            .ok_or_else(|| format!("`{text}` ago is before all calendars"));
    }
    let at = |moment: DateTime| TimeZone::UTC.to_timestamp(moment).ok();
    let found = text
        .parse::<Timestamp>()
        .ok()
        .or_else(|| at(text.parse::<DateTime>().ok()?))
        .or_else(|| at(text.parse::<Date>().ok()?.at(0, 0, 0, 0)))
        .or_else(|| Timestamp::from_second(text.parse().ok()?).ok());
    found.and_then(|moment| SystemTime::try_from(moment).ok()).ok_or_else(|| {
        format!(
            "`{text}` is neither a length of time, such as `24h` or `7d`, nor a date, such as `2024-05-31`"
        )
    })
}

/// A length of time: numbers, each with a unit.
pub(crate) fn length(text: &str) -> Result<Duration, String> {
    let refused =
        || format!("`{text}` is no length of time: expected for example `90s`, `10m`, `24h` or `7d`");
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits =
            rest.find(|letter: char| !letter.is_ascii_digit()).filter(|at| *at > 0).ok_or_else(refused)?;
        let number: u64 = rest[..digits].parse().map_err(|_| refused())?;
        rest = &rest[digits..];
        let letters = rest.find(|letter: char| letter.is_ascii_digit()).unwrap_or(rest.len());
        let seconds = match &rest[..letters] {
            "ms" => {
                total = total.checked_add(Duration::from_millis(number)).ok_or_else(refused)?;
                0
            }
            "s" => 1,
            "m" => 60,
            "h" => 60 * 60,
            "d" => 24 * 60 * 60,
            "w" => 7 * 24 * 60 * 60,
            _ => return Err(refused()),
        };
        rest = &rest[letters..];
        let part = number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(refused)?;
        total = total.checked_add(part).ok_or_else(refused)?;
    }
    if text.is_empty() { Err(refused()) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_added_up() {
        for (text, seconds) in
            [("0s", 0), ("90s", 90), ("1h30m", 5400), ("24h", 86_400), ("7d", 604_800), ("2w", 1_209_600)]
        {
            assert_eq!(length(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(length("1s500ms"), Ok(Duration::from_millis(1500)));
        for text in
            ["", "30", "s", "-1s", "1.5h", "1 h", "h1", "1y", "99999999999999999d", "99999999999999999999s"]
        {
            assert!(length(text).is_err(), "{text} was taken");
        }
    }

    #[test]
    fn moments_are_ages_or_dates() {
        let seconds =
            |text: &str| moment(text).unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        assert_eq!(seconds("2024-05-06T07:08:09Z"), 1_714_979_289);
        assert_eq!(seconds("2024-05-06T09:08:09+02:00"), 1_714_979_289);
        assert_eq!(seconds("2024-05-06T07:08:09"), 1_714_979_289);
        assert_eq!(seconds("1714979289"), 1_714_979_289);
        assert_eq!(seconds("2024-05-06"), 1_714_953_600);
        let hour_ago = moment("1h").unwrap().elapsed().unwrap().as_secs();
        assert!((3600..3700).contains(&hour_ago));
        for text in ["", "yesterday", "2024-13-01", "99999999999999999999h", "1e9"] {
            assert!(moment(text).is_err(), "{text} was taken");
        }
    }
}
