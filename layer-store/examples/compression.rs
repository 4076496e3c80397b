//! Measures ways to compress and decompress a layer, and writes a table in Markdown: `compression FILE.tar`.
//!
//! What tug uses is measured through its own code; what it does not use stands beside it. `bench/compression` runs this.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use tug_layer_store::{BlockWriter, Decompressed, DecompressionLimits};

/// Of several runs the fastest counts: others were disturbed.
const RUNS: usize = 3;
const PIECE: usize = 128 * 1024;

type Way = Box<dyn Fn(&[u8]) -> io::Result<Vec<u8>>>;

fn main() -> io::Result<()> {
    let Some(path) = std::env::args().nth(1) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "give a tar as the only argument"));
    };
    let plain = std::fs::read(&path)?;
    let mut out = io::stdout().lock();
    let megabytes = plain.len() as f64 / 1e6;
    writeln!(out, "{megabytes:.0} MB plain, {} processors\n", processors())?;
    writeln!(out, "| how | size | of plain | MB/s, 1 thread | MB/s, {} threads | MB/s back |", processors())?;
    writeln!(out, "| --- | ---: | ---: | ---: | ---: | ---: |")?;
    for (name, alone, together) in ways() {
        let (compressed, alone) = fastest(|| alone(&plain))?;
        let together = match together {
            Some(together) => {
                let (other, time) = fastest(|| together(&plain))?;
                if other != compressed {
                    return Err(io::Error::other(format!("{name}: the output depends on threads")));
                }
                speed(megabytes, time)
            }
            None => "–".to_owned(),
        };
        let (_, back) = fastest(|| decompressed(&compressed, plain.len()))?;
        let share = 100.0 * compressed.len() as f64 / plain.len() as f64;
        writeln!(
            out,
            "| {name} | {:.1} MB | {share:.1} % | {} | {together} | {} |",
            compressed.len() as f64 / 1e6,
            speed(megabytes, alone),
            speed(megabytes, back)
        )?;
    }
    Ok(())
}

fn ways() -> Vec<(String, Way, Option<Way>)> {
    let mut ways: Vec<(String, Way, Option<Way>)> = Vec::new();
    for level in [1, 4, 5, 6, 7, 9, 12] {
        let with = move |threads| -> Way {
            Box::new(move |plain| through(plain, BlockWriter::gzip(Vec::new(), level).with_threads(threads)))
        };
        ways.push((format!("gzip {level}, blocks (tug)"), with(0), Some(with(processors()))));
    }
    for level in [1, 3, 6, 9, 12, 19] {
        let with = move |threads| -> Way {
            Box::new(move |plain| through(plain, BlockWriter::zstd(Vec::new(), level).with_threads(threads)))
        };
        ways.push((format!("zstd {level}, blocks (tug)"), with(0), Some(with(processors()))));
    }
    for level in [1_u32, 6, 9] {
        let way: Way = Box::new(move |plain| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
            pieces(plain, &mut encoder)?;
            encoder.finish()
        });
        ways.push((format!("gzip {level}, one stream (zlib-rs)"), way, None));
    }
    for (level, long) in [(3, false), (3, true), (9, true)] {
        let way: Way = Box::new(move |plain| {
            let mut encoder = zstd::Encoder::new(Vec::new(), level)?;
            if long {
                encoder.long_distance_matching(true)?;
                encoder.window_log(27)?;
            }
            pieces(plain, &mut encoder)?;
            encoder.finish()
        });
        let window = if long { ", long" } else { "" };
        ways.push((format!("zstd {level}, one stream{window}"), way, None));
    }
    ways
}

fn through(plain: &[u8], mut writer: BlockWriter<Vec<u8>>) -> io::Result<Vec<u8>> {
    pieces(plain, &mut writer)?;
    writer.finish()
}

fn pieces(plain: &[u8], out: &mut dyn Write) -> io::Result<()> {
    plain.chunks(PIECE).try_for_each(|piece| out.write_all(piece))
}

fn decompressed(compressed: &[u8], expected: usize) -> io::Result<()> {
    let mut reader = Decompressed::new(compressed, DecompressionLimits::default())?;
    let (mut buffer, mut length) = (vec![0; PIECE], 0);
    loop {
        match reader.read(&mut buffer)? {
            0 if length == expected => return Ok(()),
            0 => return Err(io::Error::other("it came back shorter")),
            count => length += count,
        }
    }
}

fn fastest<T>(work: impl Fn() -> io::Result<T>) -> io::Result<(T, Duration)> {
    let mut best = None;
    for _ in 0..RUNS {
        let before = Instant::now();
        let made = work()?;
        let time = before.elapsed();
        if best.as_ref().is_none_or(|(_, fastest)| time < *fastest) {
            best = Some((made, time));
        }
    }
    best.ok_or_else(|| io::Error::other("nothing was measured"))
}

fn speed(megabytes: f64, time: Duration) -> String {
    format!("{:.0}", megabytes / time.as_secs_f64())
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
