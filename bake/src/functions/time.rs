//! Points in time, written as RFC 3339.

use std::collections::BTreeMap;

use jiff::civil::Weekday;
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ZonedDateTime};

use super::arguments::{fail, text, whole};
use super::{Builtin, Failure, Outcome, Surroundings};
use crate::value::{Number, Value};

pub(super) const ALL: &[Builtin] = &[
    Builtin::new("formatdate", 2, 2, |arguments, _| {
        let time = moment(arguments, 1)?;
        formatted(&text(arguments, 0)?, &time).map(Value::from)
    }),
    Builtin::new("timeadd", 2, 2, |arguments, _| {
        let time = moment(arguments, 0)?;
        let duration =
            duration(&text(arguments, 1)?).ok_or_else(|| fail(1, "a duration such as `1h30m` is needed"))?;
        let later = time.checked_add(duration).map_err(|_| fail(1, "that is too far away"))?;
        Ok(rfc3339(&later).into())
    }),
    Builtin::new("timestamp", 0, 0, |_, surroundings| {
        let now = Timestamp::from_second(surroundings.now).unwrap_or_default();
        Ok(rfc3339(&now.to_zoned_datetime(TimeZone::UTC)).into())
    }),
    Builtin::new("unixtimestampparse", 1, 1, unixtimestampparse),
];

/// A time with the offset it is written with.
fn moment(arguments: &[Value], at: usize) -> Result<ZonedDateTime, Failure> {
    let text = text(arguments, at)?;
    let wrong = || fail(at, format!("`{text}` is not a time such as `2026-01-31T12:00:00Z`"));
    let timestamp: Timestamp = text.parse().map_err(|_| wrong())?;
    let offset = Pieces::parse(&text).ok().and_then(|pieces| pieces.to_numeric_offset());
    Ok(timestamp.to_zoned_datetime(TimeZone::fixed(offset.unwrap_or(Offset::UTC))))
}

fn offset(time: &ZonedDateTime, colon: &str) -> String {
    let seconds = time.offset().seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("{sign}{:02}{colon}{:02}", minutes / 60, minutes % 60)
}

fn rfc3339(time: &ZonedDateTime) -> String {
    let zone = if time.offset().is_zero() { "Z".to_owned() } else { offset(time, ":") };
    let (date, clock) = (time.date(), time.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{zone}",
        date.year(),
        date.month(),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second()
    )
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

fn month(time: &ZonedDateTime) -> &'static str {
    MONTHS[usize::try_from(time.month() - 1).unwrap_or_default()]
}

fn weekday(time: &ZonedDateTime) -> &'static str {
    match time.weekday() {
        Weekday::Sunday => "Sunday",
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
    }
}

/// Letters stand for parts of the time, text in single quotes for itself.
fn formatted(format: &str, time: &ZonedDateTime) -> Result<String, Failure> {
    let letters: Vec<char> = format.chars().collect();
    let mut text = String::new();
    let mut at = 0;
    while let Some(&letter) = letters.get(at) {
        if letter == '\'' {
            at = quoted(&letters, at, &mut text)?;
            continue;
        }
        let count = letters[at..].iter().take_while(|other| **other == letter).count();
        at += count;
        if letter.is_ascii_alphabetic() {
            let part = part(letter, count, time);
            let run: String = std::iter::repeat_n(letter, count).collect();
            text +=
                &part.ok_or_else(|| fail(0, format!("`{run}` is no part of a time; quote text with `'`")))?;
        } else {
            text.extend(std::iter::repeat_n(letter, count));
        }
    }
    Ok(text)
}

/// Writes quoted text, two quotes in it as one; returns where it ends.
fn quoted(letters: &[char], mut at: usize, text: &mut String) -> Result<usize, Failure> {
    at += 1;
    loop {
        match (letters.get(at), letters.get(at + 1)) {
            (Some('\''), Some('\'')) => {
                text.push('\'');
                at += 2;
            }
            (Some('\''), _) => return Ok(at + 1),
            (Some(letter), _) => {
                text.push(*letter);
                at += 1;
            }
            (None, _) => return Err(fail(0, "a quote in the format does not end")),
        }
    }
}

fn part(letter: char, count: usize, time: &ZonedDateTime) -> Option<String> {
    let short = |name: &str| name[..3].to_owned();
    let two = |number: i8| Some(format!("{number:02}"));
    let one = |number: i8| Some(number.to_string());
    let twelve = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let half = if time.hour() < 12 { "am" } else { "pm" };
    let is_utc = time.offset().is_zero();
    match (letter, count) {
        ('Y', 4) => Some(format!("{:04}", time.year())),
        ('Y', 2) => Some(format!("{:02}", time.year().rem_euclid(100))),
        ('M', 4) => Some(month(time).to_owned()),
        ('M', 3) => Some(short(month(time))),
        ('M', 2) => two(time.month()),
        ('M', 1) => one(time.month()),
        ('D', 2) => two(time.day()),
        ('D', 1) => one(time.day()),
        ('E', 4) => Some(weekday(time).to_owned()),
        ('E', 3) => Some(short(weekday(time))),
        ('h', 2) => two(time.hour()),
        ('h', 1) => one(time.hour()),
        ('H', 2) => two(twelve),
        ('H', 1) => one(twelve),
        ('A', 2) => Some(half.to_uppercase()),
        ('a', 2) => Some(half.to_owned()),
        ('m', 2) => two(time.minute()),
        ('m', 1) => one(time.minute()),
        ('s', 2) => two(time.second()),
        ('s', 1) => one(time.second()),
        ('Z', 5) => Some(offset(time, ":")),
        ('Z', 4) => Some(offset(time, "")),
        ('Z', 3) => Some(if is_utc { "UTC".to_owned() } else { offset(time, "") }),
        ('Z', 1) => Some(if is_utc { "Z".to_owned() } else { offset(time, ":") }),
        _ => None,
    }
}

/// `1h30m`, `-5s`, `1.5h`, `250ms`, as Go reads it.
fn duration(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits =
            rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(rest.len());
        let amount: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(rest.len());
        seconds += amount
            * match &rest[..unit] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                "" if amount == 0.0 => 0.0,
                _ => return None,
            };
        rest = &rest[unit..];
    }
    SignedDuration::try_from_secs_f64(if negative { -seconds } else { seconds }).ok()
}

fn unixtimestampparse(arguments: &[Value], _: &Surroundings) -> Outcome {
    let seconds =
        i64::try_from(whole(arguments, 0)?).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    let time = seconds.ok_or_else(|| fail(0, "that is too far away"))?.to_zoned_datetime(TimeZone::UTC);
    let number = |number: i64| Value::Number(Number::Whole(i128::from(number)));
    let week = time.date().iso_week_date();
    let fields = [
        ("year", number(time.year().into())),
        ("year_day", number(time.day_of_year().into())),
        ("day", number(time.day().into())),
        ("month", number(time.month().into())),
        ("month_name", month(&time).into()),
        ("weekday", number(time.weekday().to_sunday_zero_offset().into())),
        ("weekday_name", weekday(&time).into()),
        ("hour", number(time.hour().into())),
        ("minute", number(time.minute().into())),
        ("second", number(time.second().into())),
        ("rfc3339", rfc3339(&time).into()),
        ("iso_year", number(week.year().into())),
        ("iso_week", number(week.week().into())),
    ];
    let fields: BTreeMap<String, Value> =
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Ok(Value::Object(fields))
}

#[cfg(test)]
mod tests {
    use super::super::{find, surroundings};
    use super::*;

    fn call(name: &str, arguments: &[&str]) -> String {
        let arguments: Vec<Value> = arguments.iter().map(|text| Value::from(*text)).collect();
        match (find(name).unwrap().work)(&arguments, &surroundings()) {
            Ok(value) => value.to_string(),
            Err(failure) => failure.message,
        }
    }

    #[test]
    fn dates_are_written_as_the_letters_say() {
        let date = |format| call("formatdate", &[format, "2018-01-02T23:12:01Z"]);
        assert_eq!(date("DD MMM YYYY hh:mm ZZZ"), "02 Jan 2018 23:12 UTC");
        assert_eq!(date("EEEE, DD-MMM-YY hh:mm:ss ZZZ"), "Tuesday, 02-Jan-18 23:12:01 UTC");
        assert_eq!(date("EEE, DD MMM YYYY hh:mm:ss ZZZZ"), "Tue, 02 Jan 2018 23:12:01 +0000");
        assert_eq!(date("h'h'mm 'o''clock' Haa"), "23h12 o'clock 11pm");
        assert_eq!(date("YYYYMMDDhhmmss"), "20180102231201");
        assert_eq!(date("YYY"), "`YYY` is no part of a time; quote text with `'`");
        assert_eq!(date("'x"), "a quote in the format does not end");
        assert_eq!(call("formatdate", &["hh:mmZZZZZ", "2018-01-02T23:12:01-08:00"]), "23:12-08:00");
        assert_eq!(
            call("formatdate", &["YYYY", "yesterday"]),
            "`yesterday` is not a time such as `2026-01-31T12:00:00Z`"
        );
    }

    #[test]
    fn time_goes_on() {
        assert_eq!(call("timestamp", &[]), "2023-11-14T22:13:20Z");
        assert_eq!(call("timeadd", &["2017-11-22T00:00:00Z", "1h30m"]), "2017-11-22T01:30:00Z");
        assert_eq!(call("timeadd", &["2017-11-22T00:00:00+02:00", "-1.5h"]), "2017-11-21T22:30:00+02:00");
        assert_eq!(call("timeadd", &["2017-11-22T00:00:00Z", "1y"]), "a duration such as `1h30m` is needed");
        let parsed = call("unixtimestampparse", &["1690328596"]);
        assert!(parsed.contains(r#""rfc3339":"2023-07-25T23:43:16Z""#), "{parsed}");
        assert!(parsed.contains(r#""iso_week":30"#) && parsed.contains(r#""weekday":2"#), "{parsed}");
    }
}
