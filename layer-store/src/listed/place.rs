//! Where the list of a layer is, and whether it is the right one.
//!
//! ```text
//! zstd:chunked    annotations say where the list is, and the digest of its compressed bytes
//! eStargz         an annotation says the digest of the plain list; the last 51 bytes say where the gzip member is that
//!                 holds it, as the only file of the end of the tar
//! ```
//! Source: containers/storage `pkg/chunked` (see [`crate::chunked`]); containerd stargz-snapshotter, `docs/estargz.md`.

use std::io::Read;

use tug_oci::{Descriptor, Digest};

use crate::chunked::{KIND, MANIFEST_CHECKSUM, MANIFEST_POSITION};
use crate::entry::{NewEntry, NewEntryKind};
use crate::error::Result;
use crate::store::Store;
use crate::tar::{Limits, TarReader};

const STARGZ_DIGEST: &str = "containerd.io/snapshot/stargz/toc.digest";
const STARGZ_LIST: &[u8] = b"stargz.index.json";
/// A gzip member without content, whose extra field has the offset in 16 hexadecimal digits and `STARGZ`.
const STARGZ_FOOTER: usize = 51;
const STARGZ_BEGIN: &[u8] = &[0x1f, 0x8b, 0x08, 0x04];
const STARGZ_EXTRA: &[u8] = &[26, 0, b'S', b'G', 22, 0];
/// What is fetched from the end at first: mostly the list is in it.
const TAIL: u64 = 128 * 1024;
/// Some 200 000 files; a larger list is not worth the memory.
const LARGEST: u64 = 64 << 20;

/// A list whose digest is right.
pub(super) struct List {
    /// JSON.
    pub(super) text: Vec<u8>,
    /// Where content ends in the compressed bytes.
    pub(super) end: u64,
    /// The list as a file of the layer, if it is one.
    pub(super) itself: Option<NewEntry>,
}

/// `None` when there is none, or another one than the annotations say.
pub(super) fn read(store: &Store, blob: &Descriptor) -> Result<Option<List>> {
    let digest = |key| blob.annotations.get(key).and_then(|digest: &String| digest.parse::<Digest>().ok());
    if let (Some(digest), Some(place)) = (digest(MANIFEST_CHECKSUM), blob.annotations.get(MANIFEST_POSITION))
    {
        return chunked(store, blob, &digest, place);
    }
    match digest(STARGZ_DIGEST) {
        Some(digest) => stargz(store, blob, &digest),
        None => Ok(None),
    }
}

fn chunked(store: &Store, blob: &Descriptor, digest: &Digest, place: &str) -> Result<Option<List>> {
    let numbers: Option<Vec<u64>> = place.split(':').map(|number| number.parse().ok()).collect();
    let Some([start, length, plain, KIND]) = numbers.as_deref() else { return Ok(None) };
    if *plain > LARGEST || *length > LARGEST {
        return Ok(None);
    }
    let Some(end) = start.checked_add(*length) else { return Ok(None) };
    let Some(bytes) = store.range_elsewhere(blob, *start..end)? else { return Ok(None) };
    if Digest::of(&bytes) != *digest {
        return Ok(None);
    }
    let text = zstd::Decoder::new(bytes.as_slice()).ok().and_then(|decoder| limited(decoder, *plain));
    let text = text.filter(|text| text.len() as u64 == *plain);
    Ok(text.map(|text| List { text, end: *start, itself: None }))
}

fn stargz(store: &Store, blob: &Descriptor, digest: &Digest) -> Result<Option<List>> {
    let tail_at = blob.size.saturating_sub(TAIL);
    let Some(tail) = store.range_elsewhere(blob, tail_at..blob.size)? else { return Ok(None) };
    let Some(end) = tail.len().checked_sub(STARGZ_FOOTER).and_then(|at| footer(&tail[at..])) else {
        return Ok(None);
    };
    let behind = blob.size - STARGZ_FOOTER as u64;
    if end >= behind || behind - end > LARGEST {
        return Ok(None);
    }
    let member = match end.checked_sub(tail_at) {
        Some(from) => tail[from as usize..tail.len() - STARGZ_FOOTER].to_vec(),
        None => match store.range_elsewhere(blob, end..behind)? {
            Some(member) => member,
            None => return Ok(None),
        },
    };
    let decoder = flate2::read::GzDecoder::new(member.as_slice());
    let mut tar = TarReader::new(decoder, Limits::default());
    let Ok(Some(itself)) = tar.next_entry() else { return Ok(None) };
    let size = match itself.kind {
        NewEntryKind::File { size } if itself.path == STARGZ_LIST && size <= LARGEST => size,
        _ => return Ok(None),
    };
    let text = limited(&mut tar, size).filter(|text| Digest::of(text) == *digest);
    Ok(text.map(|text| List { text, end, itself: Some(itself) }))
}

/// The offset that a footer tells.
fn footer(footer: &[u8]) -> Option<u64> {
    if !footer.starts_with(STARGZ_BEGIN) || footer[10..16] != *STARGZ_EXTRA || footer[32..38] != *b"STARGZ" {
        return None;
    }
    let digits = std::str::from_utf8(&footer[16..32]).ok()?;
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u64::from_str_radix(digits, 16).ok())?
}

/// All that comes, if it is no more than `limit` bytes and comes without an error.
fn limited(source: impl Read, limit: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(limit + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= limit).then_some(bytes)
}
