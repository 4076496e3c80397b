//! When a request is made again, and after how long.

use std::time::Duration;

use crate::options::Limits;

/// Whether an answer with this status may be another one later. 429 is told apart, for it concerns all requests.
pub(crate) fn is_for_now(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 499 | 500 | 502 | 503 | 504 | 522)
}

/// How long to wait after failure number `count`, which starts at 1.
pub(crate) fn pause(limits: &Limits, count: u32) -> Duration {
    let own = limits.pause.saturating_mul(1 << count.saturating_sub(1).min(16));
    own.min(limits.longest_pause)
}

/// `Retry-After`: seconds, or a date. What lies in the past, or is neither, is no wait of its own.
///
/// Source: RFC 9110 section 10.2.3.
pub(crate) fn retry_after(header: &str, now: i64) -> Option<Duration> {
    let text = header.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let text = text.strip_suffix("GMT").map_or_else(|| text.to_owned(), |date| format!("{date}+0000"));
    let then = jiff::fmt::rfc2822::parse(&text).ok()?.timestamp().as_second();
    Some(Duration::from_secs(u64::try_from(then.saturating_sub(now)).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit() {
        let limits = Limits::default();
        let pauses: Vec<u64> = [1, 2, 3, 30].iter().map(|&n| pause(&limits, n).as_millis() as u64).collect();
        assert_eq!(pauses, [500, 1000, 2000, 30_000]);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = 1_700_000_000;
        assert_eq!(retry_after(" 120 ", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Tue, 14 Nov 2023 22:13:30 GMT", now), Some(Duration::from_secs(10)));
        assert_eq!(retry_after("Tue, 14 Nov 2023 22:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("-3", now), None);
        assert_eq!(retry_after("soon", now), None);
    }
}
