//! Ranges of bytes: cut into parts, written into requests, read from answers.

use std::ops::Range;

/// Cuts ranges into pieces of at most `part` bytes. A rest shorter than a quarter of a part stays with its neighbour.
pub(super) fn cut(missing: &[Range<u64>], part: u64) -> Vec<Range<u64>> {
    let part = part.max(1);
    let mut parts = Vec::new();
    for range in missing {
        let mut start = range.start;
        while range.end - start > part + part / 4 {
            parts.push(start..start + part);
            start += part;
        }
        if start < range.end {
            parts.push(start..range.end);
        }
    }
    parts
}

/// `bytes=0-499` for `0..500`.
pub(super) fn header(range: &Range<u64>) -> String {
    format!("bytes={}-{}", range.start, range.end.saturating_sub(1))
}

/// `bytes 0-499/1234`: what came, and how long the whole is if that is told.
pub(super) fn content_range(header: &str) -> Option<(Range<u64>, Option<u64>)> {
    let (range, total) = header.trim().strip_prefix("bytes")?.trim_start().split_once('/')?;
    let (start, end) = range.trim().split_once('-')?;
    let (start, end) = (start.trim().parse::<u64>().ok()?, end.trim().parse::<u64>().ok()?.checked_add(1)?);
    let total = match total.trim() {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    (start < end).then_some((start..end, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_into_parts_without_short_rests() {
        let parts = |missing: &[(u64, u64)], part| -> Vec<(u64, u64)> {
            let missing: Vec<_> = missing.iter().map(|&(start, end)| start..end).collect();
            cut(&missing, part).into_iter().map(|range| (range.start, range.end)).collect()
        };
        assert_eq!(parts(&[(0, 100)], 100), [(0, 100)]);
        assert_eq!(parts(&[(0, 120)], 100), [(0, 120)]);
        let expected = [(0, 100), (100, 200), (200, 250), (300, 310)];
        assert_eq!(parts(&[(0, 250), (300, 310)], 100), expected);
        assert_eq!(parts(&[(5, 5)], 100), []);
        assert_eq!(parts(&[], 0), []);
    }

    #[test]
    fn what_came_is_read_from_the_answer() {
        assert_eq!(header(&(3..10)), "bytes=3-9");
        assert_eq!(content_range("bytes 3-9/20"), Some((3..10, Some(20))));
        assert_eq!(content_range("bytes 3-9/*"), Some((3..10, None)));
        for odd in
            ["", "bytes */20", "3-9/20", "bytes 9-3/20", "bytes 0-18446744073709551615/1", "bytes 1-2/x"]
        {
            assert_eq!(content_range(odd), None, "{odd}");
        }
    }
}
