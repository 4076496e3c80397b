//! Reads what may be compressed.

use std::io::{self, BufReader, Chain, Cursor, Read};

use bzip2::bufread::MultiBzDecoder;
use liblzma::bufread::XzDecoder;

use super::Compression;
use super::members::Members;

/// zstd's own default, and what others accept.
const LARGEST_ZSTD_WINDOW: u32 = 27;
/// Twice what `xz -9` needs.
const MOST_XZ_MEMORY: u64 = 128 * 1024 * 1024;
/// Below this the proportion does not matter.
const HARMLESS: u64 = 1024 * 1024 * 1024;

/// How much may come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecompressionLimits {
    /// Bytes in all.
    pub bytes: u64,
    /// Bytes for each byte that went in, counted from the first GiB on.
    pub ratio: u64,
}

impl Default for DecompressionLimits {
    /// 1 TiB; 5000 times (gzip reaches 1032 at most).
    fn default() -> Self {
        Self { bytes: 1 << 40, ratio: 5000 }
    }
}

/// The plain bytes of a stream, whatever it is compressed with. Truncated or damaged input is an error of `read`.
pub struct Decompressed<R: Read> {
    decoder: Decoder<R>,
    compression: Compression,
    limits: DecompressionLimits,
    produced: u64,
}

type Raw<R> = Counted<Chain<Cursor<Vec<u8>>, R>>;
type Source<R> = BufReader<Raw<R>>;

enum Decoder<R: Read> {
    Plain(Source<R>),
    Gzip(Members<Raw<R>>),
    Zstd(Box<zstd::Decoder<'static, Source<R>>>),
    Xz(Box<XzDecoder<Source<R>>>),
    Bzip2(Box<MultiBzDecoder<Source<R>>>),
}

impl<R: Read> Decompressed<R> {
    /// Reads the first bytes of `source` and decides.
    pub fn new(mut source: R, limits: DecompressionLimits) -> io::Result<Self> {
        let mut head = Vec::with_capacity(Compression::HEAD);
        source.by_ref().take(Compression::HEAD as u64).read_to_end(&mut head)?;
        let compression = Compression::detect(&head);
        let counted = Counted { inner: Cursor::new(head).chain(source), count: 0 };
        let buffered = |counted| BufReader::with_capacity(128 * 1024, counted);
        let decoder = match compression {
            Compression::Plain => Decoder::Plain(buffered(counted)),
            Compression::Gzip => Decoder::Gzip(Members::new(counted)),
            Compression::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(buffered(counted))?;
                decoder.window_log_max(LARGEST_ZSTD_WINDOW)?;
                Decoder::Zstd(Box::new(decoder))
            }
            Compression::Xz => {
                let flags = liblzma::stream::CONCATENATED;
                let stream = liblzma::stream::Stream::new_stream_decoder(MOST_XZ_MEMORY, flags)?;
                Decoder::Xz(Box::new(XzDecoder::new_stream(buffered(counted), stream)))
            }
            Compression::Bzip2 => Decoder::Bzip2(Box::new(MultiBzDecoder::new(buffered(counted)))),
        };
        Ok(Self { decoder, compression, limits, produced: 0 })
    }

    /// What the stream is compressed with.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    fn consumed(&self) -> u64 {
        let source = match &self.decoder {
            Decoder::Gzip(decoder) => return decoder.source().count,
            Decoder::Plain(source) => source,
            Decoder::Zstd(decoder) => decoder.get_ref(),
            Decoder::Xz(decoder) => decoder.get_ref(),
            Decoder::Bzip2(decoder) => decoder.get_ref(),
        };
        source.get_ref().count
    }
}

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.decoder {
            Decoder::Plain(source) => source.read(buffer),
            Decoder::Gzip(decoder) => decoder.read(buffer),
            Decoder::Zstd(decoder) => decoder.read(buffer),
            Decoder::Xz(decoder) => decoder.read(buffer),
            Decoder::Bzip2(decoder) => decoder.read(buffer),
        }?;
        self.produced += count as u64;
        if self.produced > self.limits.bytes {
            return Err(io::Error::new(io::ErrorKind::InvalidData, TooMuch::Bytes(self.limits.bytes)));
        }
        let proportionate = self.consumed().saturating_mul(self.limits.ratio);
        if self.produced > HARMLESS && self.produced > proportionate {
            return Err(io::Error::new(io::ErrorKind::InvalidData, TooMuch::Ratio(self.limits.ratio)));
        }
        Ok(count)
    }
}

/// Few bytes that stand for very many.
#[derive(Debug, thiserror::Error)]
enum TooMuch {
    #[error("it holds more than {0} bytes")]
    Bytes(u64),
    #[error("it decompresses to more than {0} times its length, as a decompression bomb does")]
    Ratio(u64),
}

struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn bzip2(content: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn xz(content: &[u8]) -> Vec<u8> {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(content: &[u8]) -> Vec<u8> {
        zstd::encode_all(content, 1).unwrap()
    }

    type Encoder = fn(&[u8]) -> Vec<u8>;
    const FORMATS: [(Compression, Encoder); 5] = [
        (Compression::Plain, <[u8]>::to_vec),
        (Compression::Gzip, gzip),
        (Compression::Zstd, zstd),
        (Compression::Xz, xz),
        (Compression::Bzip2, bzip2),
    ];

    fn read(source: &[u8], limits: DecompressionLimits) -> io::Result<(Compression, Vec<u8>)> {
        let mut reader = Decompressed::new(source, limits)?;
        let mut content = Vec::new();
        reader.read_to_end(&mut content)?;
        Ok((reader.compression(), content))
    }

    #[test]
    fn every_format_is_told_by_its_content() {
        for content in [&b""[..], b"x", &[7; 100_000]] {
            for (format, encode) in FORMATS {
                let found = read(&encode(content), DecompressionLimits::default()).unwrap();
                assert_eq!(found, (format, content.to_vec()), "{format:?} of {} bytes", content.len());
            }
        }
    }

    #[test]
    fn what_only_begins_like_bzip2_is_plain() {
        let (format, content) = read(b"BZh9-the-file-name", DecompressionLimits::default()).unwrap();
        assert_eq!((format, content.as_slice()), (Compression::Plain, &b"BZh9-the-file-name"[..]));
    }

    #[test]
    fn members_and_frames_that_follow_each_other_are_read_as_one() {
        for (format, encode) in FORMATS {
            let both = [encode(b"first,"), encode(b"second")].concat();
            assert_eq!(read(&both, DecompressionLimits::default()).unwrap().1, b"first,second", "{format:?}");
        }
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd(b"after")].concat();
        assert_eq!(read(&skippable, DecompressionLimits::default()).unwrap().1, b"after");
    }

    #[test]
    fn truncated_and_damaged_input_is_an_error() {
        let content: Vec<u8> =
            (0..50_000u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for (format, encode) in &FORMATS[1..] {
            let encoded = encode(&content);
            for length in [11, encoded.len() / 2, encoded.len() - 1] {
                assert!(
                    read(&encoded[..length], DecompressionLimits::default()).is_err(),
                    "{format:?} cut at {length}"
                );
            }
            let mut damaged = encoded.clone();
            let middle = damaged.len() / 2;
            damaged[middle] ^= 0x55;
            let outcome = read(&damaged, DecompressionLimits::default());
            // zstd without a checksum does not notice: digests do.
            assert!(outcome.is_err() || *format == Compression::Zstd, "{format:?}");
        }
    }

    #[test]
    fn more_than_the_limit_does_not_come_out() {
        for (format, encode) in FORMATS {
            let encoded = encode(&[0; 4097]);
            let error = read(&encoded, DecompressionLimits { bytes: 4096, ratio: 5000 }).unwrap_err();
            assert_eq!(error.to_string(), "it holds more than 4096 bytes", "{format:?}");
        }
    }

    #[test]
    fn a_bomb_is_told_by_its_proportion() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        io::copy(&mut io::repeat(0).take(HARMLESS + (64 << 20)), &mut encoder).unwrap();
        let bomb = encoder.finish().unwrap();
        assert!(bomb.len() < 200_000);
        let mut reader = Decompressed::new(bomb.as_slice(), DecompressionLimits::default()).unwrap();
        let error = io::copy(&mut reader, &mut io::sink()).unwrap_err();
        assert!(error.to_string().contains("decompression bomb"), "{error}");
    }
}
