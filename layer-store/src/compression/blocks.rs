//! Compresses in blocks of fixed length, on several threads.
//!
//! Each block becomes a gzip member or a zstd frame of its own, which every reader takes for one stream. The output
//! depends on the input, the format and the level, and not on the number of threads or on how the input was cut into
//! writes. Memory is bounded: each thread has at most two blocks.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use libdeflater::{CompressionLvl, Compressor};

const MOST_THREADS: usize = 8;

/// A writer that compresses what it is given. [`BlockWriter::finish`] must be called, or the end is missing.
pub struct BlockWriter<W: Write> {
    out: W,
    format: Format,
    block: Vec<u8>,
    wrote_anything: bool,
    workers: Option<Workers>,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Gzip(i32),
    Zstd(i32),
}

type Compressed = io::Result<Vec<u8>>;

struct Job {
    block: Vec<u8>,
    answer: SyncSender<Compressed>,
}

struct Workers {
    jobs: SyncSender<Job>,
    pending: VecDeque<Receiver<Compressed>>,
    limit: usize,
}

impl<W: Write> BlockWriter<W> {
    /// Writes gzip. `level` is 1 (fast) to 12 (small).
    pub fn gzip(out: W, level: i32) -> Self {
        Self::new(out, Format::Gzip(level.clamp(1, 12)))
    }

    /// Writes zstd. `level` is 1 (fast) to 19 (small).
    pub fn zstd(out: W, level: i32) -> Self {
        Self::new(out, Format::Zstd(level.clamp(1, 19)))
    }

    /// Uses so many threads; 0 compresses on the thread that writes. Without this, as many as there are processors.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.workers = Workers::start(threads.min(MOST_THREADS), self.format);
        self
    }

    /// Writes what is left, and gives the writer below back.
    pub fn finish(mut self) -> io::Result<W> {
        if !self.block.is_empty() || !self.wrote_anything {
            self.end_block()?;
        }
        if let Some(workers) = &mut self.workers {
            while let Some(answer) = workers.pending.pop_front() {
                self.out.write_all(&receive(&answer)?)?;
            }
        }
        Ok(self.out)
    }

    fn new(out: W, format: Format) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        let workers = if threads > 1 { Workers::start(threads.min(MOST_THREADS), format) } else { None };
        Self { out, format, block: Vec::with_capacity(format.block_length()), wrote_anything: false, workers }
    }

    fn end_block(&mut self) -> io::Result<()> {
        self.wrote_anything = true;
        let Some(workers) = &mut self.workers else {
            let compressed = self.format.compress(&self.block)?;
            self.block.clear();
            return self.out.write_all(&compressed);
        };
        if workers.pending.len() == workers.limit
            && let Some(answer) = workers.pending.pop_front()
        {
            self.out.write_all(&receive(&answer)?)?;
        }
        let next = Vec::with_capacity(self.format.block_length());
        let (answer, compressed) = sync_channel(1);
        let job = Job { block: std::mem::replace(&mut self.block, next), answer };
        workers.jobs.send(job).map_err(|_| ended())?;
        workers.pending.push_back(compressed);
        Ok(())
    }
}

impl<W: Write> Write for BlockWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.format.block_length() - self.block.len();
        let count = room.min(bytes.len());
        self.block.extend_from_slice(&bytes[..count]);
        if self.block.len() == self.format.block_length() {
            self.end_block()?;
        }
        Ok(count)
    }

    /// Does not end the block: the output must not depend on flushes.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Workers {
    /// `None` when no thread can be had: then the writing thread does the work.
    fn start(threads: usize, format: Format) -> Option<Self> {
        let (jobs, queue) = sync_channel::<Job>(threads.max(1));
        let queue = Arc::new(Mutex::new(queue));
        let started = (0..threads).filter(|_| {
            let queue = Arc::clone(&queue);
            let builder = std::thread::Builder::new().name("compress".to_owned());
            builder.spawn(move || work(&queue, format)).is_ok()
        });
        match started.count() {
            0 => None,
            started => Some(Self { jobs, pending: VecDeque::new(), limit: 2 * started }),
        }
    }
}

/// Ends when the writer is gone.
fn work(queue: &Mutex<Receiver<Job>>, format: Format) {
    loop {
        let job = match queue.lock() {
            Ok(queue) => queue.recv(),
            Err(_) => return,
        };
        let Ok(job) = job else { return };
        let _ = job.answer.send(format.compress(&job.block));
    }
}

impl Format {
    fn block_length(self) -> usize {
        match self {
            Self::Gzip(_) => 1024 * 1024,
            Self::Zstd(_) => 2 * 1024 * 1024,
        }
    }

    fn compress(self, block: &[u8]) -> Compressed {
        match self {
            Self::Gzip(level) => {
                let level = CompressionLvl::new(level).map_err(|_| io::ErrorKind::InvalidInput)?;
                let mut compressor = Compressor::new(level);
                let mut output = vec![0; compressor.gzip_compress_bound(block.len())];
                let length = compressor.gzip_compress(block, &mut output).map_err(io::Error::other)?;
                output.truncate(length);
                Ok(output)
            }
            Self::Zstd(level) => {
                let mut compressor = zstd::bulk::Compressor::new(level)?;
                compressor.include_checksum(true)?;
                compressor.compress(block)
            }
        }
    }
}

fn receive(answer: &Receiver<Compressed>) -> Compressed {
    answer.recv().map_err(|_| ended())?
}

fn ended() -> io::Error {
    io::Error::other("a thread that compresses has ended")
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
