//! Hashes a file while somebody else reads and writes it: on a thread of its own, once it is long enough for one.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use tug_oci::{Algorithm, Digest, Hasher};

/// Shorter files are hashed by whoever reads them.
const WORTH_A_THREAD: u64 = 2 * 1024 * 1024;
const WAITING: usize = 4;

/// The digest of a file in the making.
pub(super) struct Hashing {
    seen: u64,
    place: Place,
}

enum Place {
    Here(Hasher),
    There { give: SyncSender<(Vec<u8>, usize)>, unused: Receiver<Vec<u8>>, thread: JoinHandle<Hasher> },
}

impl Hashing {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        Self { seen: 0, place: Place::Here(Hasher::new(algorithm)) }
    }

    /// Takes the first `count` bytes of `buffer`, and gives back a buffer of the same length to be filled.
    pub(super) fn update(&mut self, mut buffer: Vec<u8>, count: usize) -> Vec<u8> {
        self.seen += count as u64;
        if self.seen >= WORTH_A_THREAD {
            self.detach();
        }
        let length = buffer.len();
        match &mut self.place {
            Place::Here(hasher) => hasher.update(&buffer[..count]),
            Place::There { give, unused, .. } => {
                // It only ends before us when it panics, and that is seen at the end.
                let _ = give.send((buffer, count));
                buffer = unused.try_recv().unwrap_or_default();
                buffer.resize(length, 0);
            }
        }
        buffer
    }

    pub(super) fn finish(self) -> Digest {
        let hasher = match self.place {
            Place::Here(hasher) => hasher,
            Place::There { give, thread, .. } => {
                drop(give);
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            }
        };
        hasher.finish()
    }

    fn detach(&mut self) {
        let Place::Here(hasher) = &self.place else { return };
        let (give, pieces) = sync_channel(WAITING);
        let (emptied, unused) = channel();
        let hasher = hasher.clone();
        let thread = std::thread::Builder::new().name("hash".to_owned());
        if let Ok(thread) = thread.spawn(move || hash(hasher, &pieces, &emptied)) {
            self.place = Place::There { give, unused, thread };
        }
    }
}

fn hash(mut hasher: Hasher, pieces: &Receiver<(Vec<u8>, usize)>, emptied: &Sender<Vec<u8>>) -> Hasher {
    for (piece, count) in pieces {
        hasher.update(&piece[..count]);
        let _ = emptied.send(piece);
    }
    hasher
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_all_bytes_in_order() {
        for length in [0, 1, WORTH_A_THREAD as usize - 1, WORTH_A_THREAD as usize, 5_000_000] {
            let content: Vec<u8> = (0..length).map(|place| (place % 251) as u8).collect();
            let mut hashing = Hashing::new(Algorithm::Sha256);
            let mut buffer = vec![0; 100_000];
            for piece in content.chunks(70_000) {
                buffer[..piece.len()].copy_from_slice(piece);
                buffer = hashing.update(buffer, piece.len());
                assert_eq!(buffer.len(), 100_000);
            }
            assert_eq!(hashing.finish(), Digest::of(&content), "{length} bytes");
        }
    }
}
