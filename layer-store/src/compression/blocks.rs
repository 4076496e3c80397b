//! Compresses in blocks of fixed length, on several threads.
//!
//! Each block becomes a gzip member or a zstd frame of its own, which every reader takes for one stream. The output
//! depends on the input, the format and the level, and not on the number of threads or on how the input was cut into
//! writes. Memory is bounded, for all writers of a process together: see [`super::pool`].

use std::io::{self, Write};

use libdeflater::{CompressionLvl, Compressor};

use super::pool::{InOrder, Pool};

/// A writer that compresses what it is given. [`BlockWriter::finish`] must be called, or the end is missing.
pub struct BlockWriter<W: Write> {
    out: W,
    format: Format,
    block: Vec<u8>,
    wrote_anything: bool,
    work: InOrder<Compressed>,
}

/// What blocks are compressed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Gzip(i32),
    Zstd(i32),
}

pub(crate) type Compressed = io::Result<Vec<u8>>;

impl<W: Write> BlockWriter<W> {
    /// Writes gzip. `level` is 1 (fast) to 12 (small).
    pub fn gzip(out: W, level: i32) -> Self {
        Self::new(out, Format::Gzip(level.clamp(1, 12)))
    }

    /// Writes zstd. `level` is 1 (fast) to 19 (small).
    pub fn zstd(out: W, level: i32) -> Self {
        Self::new(out, Format::Zstd(level.clamp(1, 19)))
    }

    /// Uses so many threads of its own; 0 compresses on the thread that writes. Without this, those that all writers of the
    /// process share, as many as there are processors.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.work = InOrder::new(Pool::start(threads));
        self
    }

    /// Writes what is left, and gives the writer below back.
    pub fn finish(mut self) -> io::Result<W> {
        if !self.block.is_empty() || !self.wrote_anything {
            self.end_block()?;
        }
        let Self { out, work, .. } = &mut self;
        work.finish(&mut |compressed| out.write_all(&compressed?))?;
        Ok(self.out)
    }

    fn new(out: W, format: Format) -> Self {
        let work = InOrder::new(Pool::shared());
        Self { out, format, block: Vec::new(), wrote_anything: false, work }
    }

    fn end_block(&mut self) -> io::Result<()> {
        self.wrote_anything = true;
        let (block, format) = (std::mem::take(&mut self.block), self.format);
        let Self { out, work, .. } = self;
        work.give(move || format.compress(&block), &mut |compressed| out.write_all(&compressed?))
    }
}

impl<W: Write> Write for BlockWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.format.block_length();
        if self.block.capacity() == 0 {
            self.block.reserve_exact(length);
        }
        let count = (length - self.block.len()).min(bytes.len());
        self.block.extend_from_slice(&bytes[..count]);
        if self.block.len() == length {
            self.end_block()?;
        }
        Ok(count)
    }

    /// Does not end the block: the output must not depend on flushes.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Format {
    fn block_length(self) -> usize {
        match self {
            Self::Gzip(_) => 1024 * 1024,
            Self::Zstd(_) => 2 * 1024 * 1024,
        }
    }

    /// One block as a stream of its own.
    fn compress(self, block: &[u8]) -> Compressed {
        let mut output = Vec::new();
        self.tool()?.append(block, &mut output)?;
        output.shrink_to_fit();
        Ok(output)
    }

    /// What compresses so. One that is used again may remember: each piece of work takes a new one, so that its output
    /// depends on nothing else.
    pub(crate) fn tool(self) -> io::Result<Tool> {
        Ok(match self {
            Self::Gzip(level) => {
                let level = CompressionLvl::new(level).map_err(|_| io::ErrorKind::InvalidInput)?;
                Tool::Gzip(Compressor::new(level))
            }
            Self::Zstd(level) => {
                let mut compressor = zstd::bulk::Compressor::new(level)?;
                compressor.include_checksum(true)?;
                Tool::Zstd(compressor)
            }
        })
    }
}

/// Compresses one thing after the other, each as a gzip member or zstd frame of its own.
pub(crate) enum Tool {
    Gzip(Compressor),
    Zstd(zstd::bulk::Compressor<'static>),
}

impl Tool {
    /// Compresses `block` to the end of `output`.
    pub(crate) fn append(&mut self, block: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
        let start = output.len();
        let bound = match self {
            Self::Gzip(compressor) => compressor.gzip_compress_bound(block.len()),
            Self::Zstd(_) => zstd::zstd_safe::compress_bound(block.len()),
        };
        output.resize(start + bound, 0);
        let written = match self {
            Self::Gzip(compressor) => {
                compressor.gzip_compress(block, &mut output[start..]).map_err(io::Error::other)?
            }
            Self::Zstd(compressor) => compressor.compress_to_buffer(block, &mut output[start..])?,
        };
        output.truncate(start + written);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::compression::{Compression, Decompressed, DecompressionLimits};

    fn sample(length: usize) -> Vec<u8> {
        (0..length).map(|place| ((place / 7) ^ (place >> 9)) as u8).collect()
    }

    fn compressed(content: &[u8], writer: BlockWriter<Vec<u8>>, piece: usize) -> Vec<u8> {
        let mut writer = writer;
        content.chunks(piece).for_each(|piece| writer.write_all(piece).unwrap());
        writer.finish().unwrap()
    }

    #[test]
    fn the_output_does_not_depend_on_threads_or_on_how_it_was_written() {
        let content = sample(5_300_000);
        let start: [fn() -> BlockWriter<Vec<u8>>; 2] =
            [|| BlockWriter::gzip(Vec::new(), 6), || BlockWriter::zstd(Vec::new(), 3)];
        for start in start {
            let expected = compressed(&content, start().with_threads(0), 1 << 20);
            assert!(expected.len() < content.len() / 4);
            for (threads, piece) in [(1, 1000), (2, 65_536), (8, 5_300_000)] {
                let other = compressed(&content, start().with_threads(threads), piece);
                assert!(other == expected, "{threads} threads, pieces of {piece}");
            }
            let mut back = Vec::new();
            let limits = DecompressionLimits::default();
            Decompressed::new(expected.as_slice(), limits).unwrap().read_to_end(&mut back).unwrap();
            assert!(back == content);
        }
    }

    #[test]
    fn nothing_is_a_valid_stream_too() {
        for (output, format) in [
            (BlockWriter::gzip(Vec::new(), 1).finish().unwrap(), Compression::Gzip),
            (BlockWriter::zstd(Vec::new(), 1).finish().unwrap(), Compression::Zstd),
        ] {
            let mut reader = Decompressed::new(output.as_slice(), DecompressionLimits::default()).unwrap();
            assert_eq!(io::copy(&mut reader, &mut io::sink()).unwrap(), 0);
            assert_eq!(reader.compression(), format);
        }
    }

    #[test]
    fn gzip_itself_reads_what_we_write() {
        let content = sample(2_500_000);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&compressed(&content, BlockWriter::gzip(Vec::new(), 1), 4096)).unwrap();
        let output =
            std::process::Command::new("gzip").arg("-dc").stdin(file.reopen().unwrap()).output().unwrap();
        assert!(output.status.success() && output.stdout == content);
    }

    #[test]
    fn a_full_disk_below_is_reported() {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut writer = BlockWriter::gzip(full, 1);
        let outcome = writer.write_all(&sample(20_000_000)).and_then(|()| writer.finish().map(drop));
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
