//! A tar without the contents of its files, in the format of tar-split: a JSON object a line, compressed with zstd.
//!
//! ```text
//! {"type":2,"payload":"<base64>","position":0}                                 bytes of the tar as they are
//! {"type":1,"name":"etc/motd","size":5,"payload":"<crc64>","position":1}       the content of a file belongs here
//! ```
//! The checksum is CRC-64 with the polynomial of ISO 3309; a file without content has none. Source: vbatts/tar-split.

use std::io::{self, Write};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::Serialize;

const FILE: u32 = 1;
const SEGMENT: u32 = 2;
const LEVEL: i32 = 3;
const POLYNOMIAL: u64 = 0xd800_0000_0000_0000;

/// What is written of a tar while it passes.
pub(super) struct TarSplit {
    out: zstd::Encoder<'static, Vec<u8>>,
    length: u64,
    position: u64,
    table: [u64; 256],
    checksum: u64,
}

/// The whole.
pub(super) struct Finished {
    pub(super) compressed: Vec<u8>,
    /// How long it is when decompressed.
    pub(super) length: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "is_zero")]
    size: u64,
    payload: Option<String>,
    position: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl TarSplit {
    pub(super) fn new() -> io::Result<Self> {
        let out = zstd::Encoder::new(Vec::new(), LEVEL)?;
        Ok(Self { out, length: 0, position: 0, table: table(), checksum: u64::MAX })
    }

    /// Bytes that belong to no file.
    pub(super) fn segment(&mut self, bytes: &[u8]) -> io::Result<()> {
        let payload = Some(BASE64_STANDARD.encode(bytes));
        self.line(&Line { kind: SEGMENT, name: None, size: 0, payload, position: self.position })
    }

    /// Some content of the file that [`Self::file`] will name.
    pub(super) fn content(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let place = (self.checksum as u8 ^ byte) as usize;
            self.checksum = self.table[place] ^ (self.checksum >> 8);
        }
    }

    /// The end of an entry, whatever it is; only files have a size.
    pub(super) fn file(&mut self, name: &str, size: u64) -> io::Result<()> {
        let checksum = std::mem::replace(&mut self.checksum, u64::MAX);
        let payload = (size > 0).then(|| BASE64_STANDARD.encode((!checksum).to_be_bytes()));
        self.line(&Line { kind: FILE, name: Some(name), size, payload, position: self.position })
    }

    pub(super) fn finish(self) -> io::Result<Finished> {
        Ok(Finished { compressed: self.out.finish()?, length: self.length })
    }

    fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.length += text.len() as u64;
        self.position += 1;
        self.out.write_all(&text)
    }
}

fn table() -> [u64; 256] {
    let mut table = [0; 256];
    for (byte, entry) in table.iter_mut().enumerate() {
        *entry = (0..8).fold(byte as u64, |rest, _| match rest & 1 {
            1 => (rest >> 1) ^ POLYNOMIAL,
            _ => rest >> 1,
        });
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_tar_split() {
        let mut split = TarSplit::new().unwrap();
        split.segment(b"head").unwrap();
        split.content(b"123456");
        split.content(b"789");
        split.file("etc/motd", 9).unwrap();
        split.file("etc", 0).unwrap();
        let finished = split.finish().unwrap();
        let text = zstd::decode_all(finished.compressed.as_slice()).unwrap();
        assert_eq!(text.len() as u64, finished.length);
        // The check value of this checksum is B90956C775A41001.
        insta::assert_snapshot!(String::from_utf8(text).unwrap(), @r#"
        {"type":2,"payload":"aGVhZA==","position":0}
        {"type":1,"name":"etc/motd","size":9,"payload":"uQlWx3WkEAE=","position":1}
        {"type":1,"name":"etc","payload":null,"position":2}
        "#);
    }
}
