//! Gathers small pieces, and knows where the next one goes.

use std::io::{self, Write};

const FULL: usize = 256 * 1024;

pub(super) struct Output<W> {
    out: W,
    gathered: Vec<u8>,
    passed: u64,
}

impl<W: Write> Output<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, gathered: Vec::with_capacity(FULL), passed: 0 }
    }

    /// Where the next byte goes.
    pub(super) fn position(&self) -> u64 {
        self.passed + self.gathered.len() as u64
    }

    /// Takes in what `append` adds to the bytes it is given.
    pub(super) fn add(&mut self, append: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        append(&mut self.gathered);
        if self.gathered.len() >= FULL { self.pass_on() } else { Ok(()) }
    }

    /// Adds zeros until the next byte goes to `position`.
    pub(super) fn pad_to(&mut self, position: u64) -> io::Result<()> {
        let missing = (position - self.position()) as usize;
        self.add(|bytes| bytes.resize(bytes.len() + missing, 0))
    }

    /// Passes on what is left. Returns how many bytes there were.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        self.pass_on()?;
        self.out.flush()?;
        Ok(self.passed)
    }

    fn pass_on(&mut self) -> io::Result<()> {
        self.out.write_all(&self.gathered)?;
        self.passed += self.gathered.len() as u64;
        self.gathered.clear();
        Ok(())
    }
}
