//! Reads a partial blob while it arrives.

use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tug_oci::Hasher;

use super::{End, Shared};

/// How often a reader that waits asks whether the work was given up.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// The bytes of a [`Partial`](super::Partial) in order, hashed on the way. `read` waits for what has not arrived yet, and
/// fails when the download does, or when it is begun anew.
pub struct PartialReader {
    shared: Arc<Shared>,
    round: u64,
    place: u64,
    hasher: Option<Hasher>,
}

impl PartialReader {
    pub(super) fn at(shared: Arc<Shared>, round: u64, place: u64) -> Self {
        let hasher = (place == 0).then(|| Hasher::new(shared.digest.algorithm()));
        let place = place.min(shared.size);
        Self { shared, round, place, hasher }
    }

    /// Reads what is left, so that the digest of all is known.
    pub(crate) fn read_to_the_end(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; 128 * 1024];
        while self.read(&mut buffer)? > 0 {}
        Ok(())
    }

    /// How many bytes may be read now. Waits until there are some; 0 at the end.
    fn wait(&self) -> io::Result<u64> {
        let mut state = self.shared.state();
        loop {
            if state.round != self.round {
                return Err(io::Error::other("the download was begun anew"));
            }
            let front = state.ranges.front();
            if front > self.place || self.place == self.shared.size {
                return Ok(front - self.place);
            }
            match &state.end {
                Some(End::Failed(reason)) => return Err(io::Error::other(reason.clone())),
                Some(End::Finished) => return Err(io::ErrorKind::UnexpectedEof.into()),
                None => {}
            }
            let waited = self.shared.changed.wait_timeout(state, ASK_AGAIN);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            self.shared.store.go_on().map_err(io::Error::other)?;
        }
    }
}

impl Read for PartialReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let ready = self.wait()?;
        let room = usize::try_from(ready).map_or(buffer.len(), |ready| ready.min(buffer.len()));
        if room > 0 {
            let count = self.shared.file.read_at(&mut buffer[..room], self.place)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&buffer[..count]);
            }
            self.place += count as u64;
            if self.place < self.shared.size {
                return Ok(count);
            }
            self.tell_digest();
            return Ok(count);
        }
        if self.place == self.shared.size {
            self.tell_digest();
        }
        Ok(0)
    }
}

impl PartialReader {
    fn tell_digest(&mut self) {
        let Some(hasher) = self.hasher.take() else { return };
        let mut state = self.shared.state();
        if state.round == self.round {
            state.found = Some(hasher.finish());
        }
    }
}
