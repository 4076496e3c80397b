//! Tells tars from other files by their first bytes.

/// Whether `head`, the first 512 bytes of something, is the start of a tar, plain or compressed.
pub fn is_archive(head: &[u8]) -> bool {
    let magics: [&[u8]; 4] = [b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"];
    magics.iter().any(|magic| head.starts_with(magic)) || is_tar(head)
}

/// A header whose checksum is right, in any of tar's dialects; or the zeros of an empty tar.
fn is_tar(head: &[u8]) -> bool {
    if head.len() < 512 {
        return false;
    }
    if head.iter().all(|byte| *byte == 0) {
        return true;
    }
    let digits: String =
        head[148..156].iter().map(|byte| char::from(*byte)).filter(char::is_ascii_digit).collect();
    let sum: u32 = head
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { u32::from(b' ') } else { u32::from(*byte) })
        .sum();
    u32::from_str_radix(&digits, 8) == Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tar_is_told_from_a_dockerfile() {
        let mut header = [0_u8; 512];
        header[..5].copy_from_slice(b"a.txt");
        header[156] = b'0';
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum::<u32>() + 8 * u32::from(b' ');
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        assert!(is_archive(&header));
        assert!(is_archive(&[0; 512]));
        assert!(is_archive(b"\x1f\x8b\x08\x00"));
        header[0] = b'b';
        assert!(!is_archive(&header));
        assert!(!is_archive(b"FROM scratch\n"));
        assert!(!is_archive("FROM scratch\n".repeat(100).as_bytes()));
        assert!(!is_archive(b""));
    }
}
