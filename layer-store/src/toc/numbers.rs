//! How numbers and texts stand in a table of contents: LEB128, and length before bytes.

/// Takes an unsigned number from the front of `rest`.
pub(super) fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        let bits = u64::from(byte & 0x7f);
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return (shift < 63 || bits <= 1).then_some(number);
        }
    }
    None
}

pub(super) fn number_32(rest: &mut &[u8]) -> Option<u32> {
    u32::try_from(number(rest)?).ok()
}

/// Takes a signed number: zigzag, so that small ones are short on both sides of zero.
pub(super) fn signed(rest: &mut &[u8]) -> Option<i64> {
    let number = number(rest)?;
    Some((number >> 1) as i64 ^ -((number & 1) as i64))
}

pub(super) fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(number(rest)?).ok()?;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(text)
}

pub(super) fn append_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(super) fn append_signed(out: &mut Vec<u8>, number: i64) {
    append_number(out, ((number << 1) ^ (number >> 63)) as u64);
}

pub(super) fn append_text(out: &mut Vec<u8>, text: &[u8]) {
    append_number(out, text.len() as u64);
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_and_texts_come_back(unsigned: u64, with_sign: i64, bytes: Vec<u8>) {
            let mut out = Vec::new();
            append_number(&mut out, unsigned);
            append_signed(&mut out, with_sign);
            append_text(&mut out, &bytes);
            let mut rest = out.as_slice();
            prop_assert_eq!(number(&mut rest), Some(unsigned));
            prop_assert_eq!(signed(&mut rest), Some(with_sign));
            prop_assert_eq!(text(&mut rest), Some(bytes.as_slice()));
            prop_assert!(rest.is_empty());
        }
    }

    #[test]
    fn numbers_that_end_too_early_or_are_too_large_are_none() {
        for bytes in
            [&b""[..], b"\x80", &[0xff; 11], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]]
        {
            assert_eq!(number(&mut &*bytes), None);
        }
        assert_eq!(text(&mut &b"\x05abc"[..]), None);
    }
}
