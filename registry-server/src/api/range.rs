//! Which bytes a request wants, and which an upload brings.
//!
//! Source: RFC 9110 section 14 for downloads; distribution-spec, "Pushing a blob in chunks" for uploads.

/// What of a blob is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Everything: no range, or one that need not be understood.
    Whole,
    /// From the first number to before the second.
    Part(u64, u64),
    /// Nothing that there is.
    Unsatisfiable,
}

impl Wanted {
    /// Reads a `Range` header for a blob of `size` bytes. Several ranges at once are answered with the whole, as is
    /// what is no range of bytes. A range that ends before it begins is refused.
    pub(crate) fn parse(text: &str, size: u64) -> Self {
        let Some(range) = text.trim().strip_prefix("bytes=") else { return Self::Whole };
        let Some((first, last)) = range.split_once('-') else { return Self::Whole };
        let (first, last) = (first.trim(), last.trim());
        match (number(first), number(last)) {
            (None, Some(length)) if first.is_empty() => match length.min(size) {
                0 => Self::Unsatisfiable,
                length => Self::Part(size - length, size),
            },
            (Some(first), None) if last.is_empty() && first < size => Self::Part(first, size),
            (Some(_), None) if last.is_empty() => Self::Unsatisfiable,
            (Some(first), Some(last)) if first > last || first >= size => Self::Unsatisfiable,
            (Some(first), Some(last)) => Self::Part(first, size.min(last.saturating_add(1))),
            _ => Self::Whole,
        }
    }
}

/// The first byte of a chunk and how many it has, from `Content-Range: 0-499`. Also with `bytes ` in front and a total
/// behind, as some clients write; `None` when it is none of this.
pub(crate) fn chunk(text: &str) -> Option<(u64, u64)> {
    let text = text.trim();
    let text = text.strip_prefix("bytes").map_or(text, |rest| rest.trim_start_matches([' ', '=']));
    let (first, last) = text.split('/').next()?.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    let length = last.checked_sub(first)?.checked_add(1)?;
    Some((first, length))
}

/// Digits only: no sign, no space.
fn number(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_a_blob() {
        use Wanted::{Part, Unsatisfiable, Whole};
        for (text, wanted) in [
            ("bytes=500-1499", Part(500, 1500)),
            ("bytes=500-", Part(500, 2048)),
            ("bytes=-500", Part(1548, 2048)),
            ("bytes=2000-5000", Part(2000, 2048)),
            ("bytes=0-0", Part(0, 1)),
            ("bytes=-5000", Part(0, 2048)),
            ("bytes=0-18446744073709551615", Part(0, 2048)),
            ("bytes=500-0", Unsatisfiable),
            ("bytes=5000-10000", Unsatisfiable),
            ("bytes=2048-", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            ("bytes=0-1,5-6", Whole),
            ("bytes=-", Whole),
            ("bytes=a-b", Whole),
            ("bytes=+1-2", Whole),
            ("bytes=99999999999999999999-", Whole),
            ("items=0-1", Whole),
            ("", Whole),
        ] {
            assert_eq!(Wanted::parse(text, 2048), wanted, "{text}");
        }
        assert_eq!(Wanted::parse("bytes=0-", 0), Unsatisfiable);
        assert_eq!(Wanted::parse("bytes=-1", 0), Unsatisfiable);
    }

    #[test]
    fn ranges_of_a_chunk() {
        for (text, range) in [
            ("0-499", Some((0, 500))),
            ("500-500", Some((500, 1))),
            ("bytes 5-9", Some((5, 5))),
            ("bytes 5-9/100", Some((5, 5))),
            ("bytes=5-9/*", Some((5, 5))),
            ("9-5", None),
            ("0-18446744073709551615", None),
            ("-5", None),
            ("5-", None),
            ("a-b", None),
            ("", None),
        ] {
            assert_eq!(chunk(text), range, "{text}");
        }
    }
}
