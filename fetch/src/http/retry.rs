//! When a request is tried again.

use std::time::Duration;

use super::options::HttpOptions;
use crate::error::Error;

/// Whether an answer says that it may be another one later.
pub(super) fn is_for_now(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

/// How long to wait after attempt number `count`. `None` when the server wants more patience than we have.
pub(super) fn wait(options: &HttpOptions, count: u32, asked: Option<Duration>) -> Option<Duration> {
    let own = options.pause.saturating_mul(1 << (count - 1).min(16));
    match asked {
        Some(asked) if asked > options.longest_pause => None,
        Some(asked) => Some(asked.max(own.min(asked))),
        None => Some(own.min(options.longest_pause)),
    }
}

/// `Retry-After`: seconds, or a date.
pub(super) fn retry_after(header: &str, now: i64) -> Option<Duration> {
    let text = header.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let then = http_date(text)?;
    Some(Duration::from_secs(u64::try_from(then - now).unwrap_or(0)))
}

/// Seconds since 1970 of a date as http writes it.
pub(super) fn http_date(text: &str) -> Option<i64> {
    let text = text.trim().strip_suffix("GMT").map_or_else(|| text.to_owned(), |date| format!("{date}+0000"));
    jiff::fmt::rfc2822::parse(&text).ok().map(|date| date.timestamp().as_second())
}

/// The error of the last attempt, with their number.
pub(super) fn counted(error: Error, count: u32) -> Error {
    match error {
        Error::Status { url, status, .. } => Error::Status { url, status, attempts: count },
        Error::Connection { url, reason, .. } => Error::Connection { url, reason, attempts: count },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_the_server_has_the_last_word() {
        let options = HttpOptions { pause: Duration::from_secs(1), ..HttpOptions::default() };
        let seconds = |count, asked| wait(&options, count, asked).map(|wait| wait.as_secs());
        assert_eq!([seconds(1, None), seconds(2, None), seconds(4, None)], [Some(1), Some(2), Some(8)]);
        assert_eq!(seconds(60, None), Some(120), "no wait is longer than the longest");
        assert_eq!(seconds(1, Some(Duration::from_secs(7))), Some(7));
        assert_eq!(seconds(1, Some(Duration::from_secs(3600))), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = 1_700_000_000;
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Tue, 14 Nov 2023 22:13:30 GMT", now), Some(Duration::from_secs(10)));
        assert_eq!(retry_after("Tue, 14 Nov 2023 22:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }
}
