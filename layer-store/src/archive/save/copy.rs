//! Copies a blob and tells its digest: one thread reads and hashes, the other writes.

use std::io::{self, Read};
use std::sync::mpsc::{channel, sync_channel};

use tug_oci::{Algorithm, Digest, Hasher};

use crate::error::Result;

const PIECE: u64 = 256 * 1024;
const WAITING: usize = 8;

/// Gives all that `source` has to `out`, in pieces, and returns its digest.
///
/// The outer error is of `out`, the inner one of `source`.
pub(super) fn copy_hashed(
    mut source: impl Read + Send,
    algorithm: Algorithm,
    out: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<io::Result<Digest>> {
    std::thread::scope(|scope| {
        // Both ends of the caller are dropped when this returns early, so that the other thread ends too.
        let (filled, pieces) = sync_channel::<Vec<u8>>(WAITING);
        let (emptied, unused) = channel::<Vec<u8>>();
        let reading = scope.spawn(move || {
            let mut hasher = Hasher::new(algorithm);
            loop {
                let mut piece = unused.try_recv().unwrap_or_default();
                piece.clear();
                source.by_ref().take(PIECE).read_to_end(&mut piece)?;
                hasher.update(&piece);
                if piece.is_empty() || filled.send(piece).is_err() {
                    return Ok(hasher.finish());
                }
            }
        });
        for piece in pieces {
            out(&piece)?;
            let _ = emptied.send(piece);
        }
        Ok(reading.join().unwrap_or_else(|_| Err(io::Error::other("the thread that reads has ended"))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn all_pieces_arrive_in_order() {
        for length in [0, 1, PIECE as usize, 3 * PIECE as usize + 17] {
            let content: Vec<u8> = (0..length).map(|place| (place % 251) as u8).collect();
            let mut copied = Vec::new();
            let mut out = |piece: &[u8]| {
                copied.extend_from_slice(piece);
                Ok(())
            };
            let digest = copy_hashed(content.as_slice(), Algorithm::Sha256, &mut out).unwrap().unwrap();
            assert!(copied == content && digest == Digest::of(&content));
        }
    }

    #[test]
    fn an_error_on_either_side_ends_both() {
        let endless = io::repeat(0);
        let full = || Error::Stream { action: "write", source: io::ErrorKind::StorageFull.into() };
        let outcome = copy_hashed(endless, Algorithm::Sha256, &mut |_| Err(full()));
        assert!(outcome.unwrap_err().is_disk_full());

        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::NotConnected.into())
            }
        }
        let outcome = copy_hashed(Broken, Algorithm::Sha256, &mut |_| Ok(())).unwrap();
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::NotConnected);
    }
}
