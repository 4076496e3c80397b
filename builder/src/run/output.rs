//! The output of a step: told as it comes, kept whole in a file, and its last lines kept for an error.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Mutex;

use super::mask::Mask;
use crate::error::Error;
use crate::event::{Event, Reporter, StepId};

/// How many lines an error shows.
const TAIL_LINES: usize = 20;
/// How much of one endless line is kept for the tail.
const LONGEST_TAIL_LINE: usize = 2000;
const BUFFER: usize = 32 * 1024;

/// Where the output of one step goes.
pub(super) struct Output {
    /// What must not be seen in it.
    mask: Mask,
    inner: Mutex<Inner>,
}

struct Inner {
    log: File,
    tail: VecDeque<String>,
    /// The line in the making.
    open: Vec<u8>,
    lines: usize,
}

impl Output {
    /// Makes the file `log`. What `mask` hides is seen nowhere.
    pub(super) fn open(log: &Path, mask: Mask) -> Result<Self, Error> {
        let failed = |source| Error::Io { action: "write", path: log.to_owned(), source };
        if let Some(folder) = log.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let log = File::create(log).map_err(failed)?;
        let inner = Inner { log, tail: VecDeque::new(), open: Vec::new(), lines: 0 };
        Ok(Self { mask, inner: Mutex::new(inner) })
    }

    /// Takes everything that comes through `pipe`, until its other end is closed.
    pub(super) fn pump(&self, pipe: Option<File>, step: StepId, reporter: &dyn Reporter) {
        let Some(mut pipe) = pipe else { return };
        let mut buffer = vec![0; BUFFER];
        let mut masked = self.mask.stream();
        // The start of a character whose end has not come yet, so that no event ends in the middle of one.
        let mut text = Vec::new();
        let mut is_end = false;
        while !is_end {
            let shown = match pipe.read(&mut buffer) {
                Ok(count) if count > 0 => masked.next(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                _ => {
                    is_end = true;
                    masked.end()
                }
            };
            self.take(&shown);
            text.extend_from_slice(&shown);
            let whole = if is_end { text.len() } else { text.len() - unfinished(&text) };
            let rest = text.split_off(whole);
            if !text.is_empty() {
                reporter.report(Event::Output { step, text });
            }
            text = rest;
        }
    }

    /// Adds a line of our own.
    pub(super) fn note(&self, line: &str) {
        self.take(format!("{line}\n").as_bytes());
    }

    /// The last lines, and how many there were in all.
    pub(super) fn into_tail(self) -> (Vec<String>, usize) {
        let mut inner = self.inner.into_inner().expect("nobody panics while holding it");
        if !inner.open.is_empty() {
            inner.end_line();
        }
        (inner.tail.into(), inner.lines)
    }

    /// A log that cannot be written, on a full disk for example, must not fail the step.
    fn take(&self, bytes: &[u8]) {
        let mut inner = self.inner.lock().expect("nobody panics while holding it");
        inner.log.write_all(bytes).ok();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let room = LONGEST_TAIL_LINE.saturating_sub(inner.open.len());
            let kept = &text[..text.len().min(room)];
            inner.open.extend_from_slice(kept);
            if ended {
                inner.end_line();
            }
        }
    }
}

impl Inner {
    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.open).trim_end_matches('\r').to_owned();
        self.open.clear();
        self.lines += 1;
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }
}

/// How many bytes at the end are the start of a UTF-8 character that is not complete.
fn unfinished(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(3)..];
    let start = (0..tail.len()).rev().find(|&at| tail[at] & 0xc0 != 0x80);
    let Some(start) = start else { return 0 };
    let length = match tail[start] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    if start + length > tail.len() { tail.len() - start } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Recording;

    fn output() -> (tempfile::TempDir, Output) {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::open(&folder.path().join("builds/1.log"), Mask::default()).unwrap();
        (folder, output)
    }

    #[test]
    fn the_tail_keeps_the_last_lines_and_counts_all() {
        let (folder, output) = output();
        for number in 0..50 {
            output.take(format!("line {number}\n").as_bytes());
        }
        output.take(b"unfinished");
        let (tail, lines) = output.into_tail();
        assert_eq!(lines, 51);
        assert_eq!((tail.len(), tail[0].as_str(), tail[19].as_str()), (20, "line 31", "unfinished"));
        assert_eq!(std::fs::read(folder.path().join("builds/1.log")).unwrap().len(), 50 * 8 - 10 + 10);
    }

    #[test]
    fn no_event_ends_in_the_middle_of_a_character() {
        let (_folder, output) = output();
        let (reader, mut writer) = io::pipe().unwrap();
        let recording = Recording::default();
        std::thread::scope(|scope| {
            let pipe = Some(File::from(std::os::fd::OwnedFd::from(reader)));
            scope.spawn(|| output.pump(pipe, StepId(0), &recording));
            for byte in "aé€😀\u{7ff}".bytes().chain([0xff, 0xe2, 0x82]) {
                writer.write_all(&[byte]).unwrap();
                std::thread::yield_now();
            }
            drop(writer);
        });
        let texts: Vec<Vec<u8>> = recording
            .events()
            .into_iter()
            .filter_map(|event| match event {
                Event::Output { text, .. } => Some(text),
                _ => None,
            })
            .collect();
        let all = texts.concat();
        assert_eq!(all, ["aé€😀\u{7ff}".as_bytes(), &[0xff, 0xe2, 0x82]].concat());
        let whole = texts.iter().map(|text| String::from_utf8_lossy(text)).collect::<String>();
        assert_eq!(whole, String::from_utf8_lossy(&all));
    }

    #[test]
    fn an_endless_line_is_cut_in_the_tail_and_whole_in_the_log() {
        let (folder, output) = output();
        for _ in 0..100 {
            output.take(&[b'x'; 1000]);
        }
        let (tail, _) = output.into_tail();
        assert_eq!(tail[0].len(), LONGEST_TAIL_LINE);
        assert_eq!(std::fs::metadata(folder.path().join("builds/1.log")).unwrap().len(), 100_000);
    }
}
