//! Reads gzip, on several threads where its members are short.
//!
//! What tug writes has a member for each MiB: they are found by how the next one begins, and each is decompressed as a whole,
//! which takes half the time that a stream takes, on whatever thread is free. Other gzip is one long member, which is read as a
//! stream.
//!
//! | seen where a member begins                                      | what is done                                        |
//! | --------------------------------------------------------------- | --------------------------------------------------- |
//! | [`BEGINNING`], and within [`LONGEST`] another one, or the end   | what lies between is taken as a whole               |
//! | that, but it is no member, or one that ends before              | it and what follows is read as a stream             |
//! | anything else                                                   | is read as a stream, up to the end of the member    |
//!
//! So the same bytes come out as of a stream, however they are cut into members and whatever these hold by chance.
//!
//! Source: RFC 1952.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;
use libdeflater::Decompressor;

use super::pool::{InOrder, Pool};

/// What those begin with that tug writes: no optional fields, no time.
const BEGINNING: [u8; 8] = [0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0];
/// How long their header is.
const HEADER: usize = 10;
/// Checksum and length.
const TRAILER: usize = 8;
/// So long is a member at most that is taken as a whole. A block of 1 MiB that cannot be compressed fits.
const LONGEST: usize = 1024 * 1024 + 64 * 1024;
/// So much comes out of it at most.
const LARGEST: usize = 4 * 1024 * 1024;
const PIECE: usize = 128 * 1024;

/// The plain bytes of all members of a gzip stream.
pub(super) struct Members<R: Read> {
    /// `None` only while it is replaced.
    state: Option<State<R>>,
    work: InOrder<Member>,
    done: VecDeque<Member>,
    /// The one whose bytes are being read, and how many have been.
    current: Member,
    read: usize,
    /// Their memory is used again: new memory costs as much as filling it.
    unused: Vec<Member>,
}

enum State<R: Read> {
    /// Before a member, after those that are worked on.
    Between(Ahead<R>),
    /// Within a member, and nothing is worked on.
    Within(Box<GzDecoder<Ahead<R>>>),
}

/// What seems to be a member, and what it stands for if it is one.
#[derive(Default)]
struct Member {
    compressed: Vec<u8>,
    plain: Vec<u8>,
    is_whole: bool,
}

impl<R: Read> Members<R> {
    pub(super) fn new(source: R) -> Self {
        let ahead = Ahead { source, bytes: Vec::new(), start: 0, has_ended: false };
        Self {
            state: Some(State::Between(ahead)),
            work: InOrder::new(Pool::shared()),
            done: VecDeque::new(),
            current: Member::default(),
            read: 0,
            unused: Vec::new(),
        }
    }

    /// What is read from.
    pub(super) fn source(&self) -> &R {
        match self.state.as_ref().expect("it is always put back") {
            State::Between(ahead) => &ahead.source,
            State::Within(decoder) => &decoder.get_ref().source,
        }
    }

    /// Gets the next member that is taken as a whole. `false` where there is none: then nothing is worked on any more.
    fn next_whole(&mut self, ahead: &mut Ahead<R>) -> io::Result<bool> {
        self.unused.push(std::mem::take(&mut self.current));
        self.read = 0;
        while self.done.is_empty() {
            let mut member = self.unused.pop().unwrap_or_default();
            if !ahead.short_member(&mut member.compressed)? {
                self.finish_work()?;
                break;
            }
            let done = &mut self.done;
            self.work.give(move || member.decompressed(), &mut |member| {
                done.push_back(member);
                Ok(())
            })?;
        }
        let Some(member) = self.done.pop_front() else { return Ok(false) };
        if member.is_whole {
            self.current = member;
            return Ok(true);
        }
        // It ends elsewhere, and so do all that were thought to follow it.
        self.finish_work()?;
        let mut all = member.compressed;
        for member in self.done.drain(..) {
            all.extend_from_slice(&member.compressed);
        }
        ahead.give_back(all);
        Ok(false)
    }

    fn finish_work(&mut self) -> io::Result<()> {
        let Self { work, done, .. } = self;
        work.finish(&mut |member| {
            done.push_back(member);
            Ok(())
        })
    }
}

impl<R: Read> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = (&self.current.plain[self.read..]).read(buffer)?;
            self.read += count;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            match self.state.take().expect("it is always put back") {
                State::Within(mut decoder) => {
                    let count = decoder.read(buffer);
                    if matches!(count, Ok(0)) {
                        self.state = Some(State::Between(decoder.into_inner()));
                        continue;
                    }
                    self.state = Some(State::Within(decoder));
                    return count;
                }
                State::Between(mut ahead) => {
                    let found = self.next_whole(&mut ahead);
                    let is_over = !matches!(found, Ok(true)) && ahead.fill_buf().is_ok_and(<[u8]>::is_empty);
                    self.state = Some(match found {
                        Ok(false) if !is_over => State::Within(Box::new(GzDecoder::new(ahead))),
                        _ => State::Between(ahead),
                    });
                    if !found? && is_over {
                        return Ok(0);
                    }
                }
            }
        }
    }
}

impl Member {
    fn decompressed(mut self) -> Self {
        self.is_whole = self.decompress().is_some();
        self
    }

    /// `None` when it is no member with the usual header, or not nothing but that.
    fn decompress(&mut self) -> Option<()> {
        let (rest, trailer) = self.compressed.split_last_chunk::<TRAILER>()?;
        let (checksum, length) = trailer.split_first_chunk::<4>()?;
        let length: &[u8; 4] = length.try_into().ok()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok().filter(|length| *length <= LARGEST)?;
        self.plain.resize(length, 0);
        let count = Decompressor::new().gzip_decompress(&self.compressed, &mut self.plain).ok()?;
        // A trailer was compared where the member ends. That is the end of all this, if what stands here is the same and is
        // nowhere before.
        let is_same = count == length && libdeflater::crc32(&self.plain) == u32::from_le_bytes(*checksum);
        (is_same && memchr::memmem::find(rest, trailer).is_none()).then_some(())
    }
}

/// A source, and what was read of it before it is wanted.
struct Ahead<R> {
    source: R,
    bytes: Vec<u8>,
    start: usize,
    has_ended: bool,
}

impl<R: Read> Ahead<R> {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Moves the next member to `member`, if it is short and begins as usual. Returns whether it does.
    fn short_member(&mut self, member: &mut Vec<u8>) -> io::Result<bool> {
        let mut searched = HEADER;
        loop {
            let rest = self.rest();
            if rest.len() >= BEGINNING.len() && !rest.starts_with(&BEGINNING) {
                return Ok(false);
            }
            let next = rest.get(searched..).and_then(|rest| memchr::memmem::find(rest, &BEGINNING));
            let end = match next {
                Some(next) => searched + next,
                None if self.has_ended && rest.len() >= HEADER + TRAILER => rest.len(),
                None if self.has_ended || rest.len() >= LONGEST => return Ok(false),
                None => {
                    searched = searched.max(rest.len().saturating_sub(BEGINNING.len() - 1));
                    self.read_more()?;
                    continue;
                }
            };
            if end > LONGEST {
                return Ok(false);
            }
            member.clear();
            member.extend_from_slice(&rest[..end]);
            self.consume(end);
            return Ok(true);
        }
    }

    fn read_more(&mut self) -> io::Result<()> {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        let filled = self.bytes.len();
        self.bytes.resize(filled + PIECE, 0);
        let count = loop {
            match self.source.read(&mut self.bytes[filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                count => break count,
            }
        };
        self.bytes.truncate(filled + count.as_ref().map_or(0, |count| *count));
        self.has_ended = count? == 0;
        Ok(())
    }

    /// Puts bytes before what is there.
    fn give_back(&mut self, mut bytes: Vec<u8>) {
        bytes.extend_from_slice(self.rest());
        (self.bytes, self.start) = (bytes, 0);
    }
}

impl<R: Read> Read for Ahead<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read> BufRead for Ahead<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.rest().is_empty() && !self.has_ended {
            self.read_more()?;
        }
        Ok(self.rest())
    }

    fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.bytes.len());
    }
}

/// What comes out of gzip, if the same comes out of a reader that knows nothing of all this.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn compared(bytes: &[u8]) -> Result<io::Result<Vec<u8>>, String> {
    let (mut expected, mut found) = (Vec::new(), Vec::new());
    let outcome = flate2::bufread::MultiGzDecoder::new(bytes).read_to_end(&mut expected);
    let same = Members::new(bytes).read_to_end(&mut found);
    let is_same = match &same {
        Ok(_) => found == expected,
        // What a member that is broken gives before it breaks is nobody's business.
        Err(_) => expected.starts_with(&found) || found.starts_with(&expected),
    };
    if same.is_ok() != outcome.is_ok() || !is_same {
        return Err(format!("{} bytes, {same:?}, not {}, {outcome:?}", found.len(), expected.len()));
    }
    Ok(same.map(|_| found))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, GzBuilder};

    use super::super::BlockWriter;
    use super::*;

    fn check(bytes: &[u8]) -> io::Result<Vec<u8>> {
        compared(bytes).unwrap_or_else(|difference| panic!("{difference}"))
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 88_172_645_463_325_252_u64;
        let next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    fn member(content: &[u8]) -> Vec<u8> {
        with(GzBuilder::new(), content)
    }

    fn with(builder: GzBuilder, content: &[u8]) -> Vec<u8> {
        let mut encoder = builder.write(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn named(content: &[u8]) -> Vec<u8> {
        with(GzBuilder::new().filename("a"), content)
    }

    fn blocks(content: &[u8]) -> Vec<u8> {
        let mut writer = BlockWriter::gzip(Vec::new(), 1);
        writer.write_all(content).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn what_tug_writes_is_read_whole_and_in_order() {
        let content = [noise(3_500_000), vec![0; 2_500_000], noise(1)].concat();
        let compressed = blocks(&content);
        assert!(check(&compressed).unwrap() == content);
        let mut members = Members::new(&compressed[..]);
        assert!(members.read(&mut [0; 1]).is_ok());
        assert!(matches!(members.state, Some(State::Between(_))), "none of it is read as a stream");
        assert_eq!(check(&blocks(b"")).unwrap(), b"");
    }

    #[test]
    fn members_of_every_kind_follow_each_other() {
        let kinds = [
            member(b"one"),
            named(b"one"),
            member(b""),
            member(&noise(LONGEST + 1)),
            // The beginning of a member in the middle of one.
            member(&[&noise(1000)[..], &BEGINNING, &noise(1000)].concat()),
            // Much out of little.
            member(&vec![0; LARGEST + 1]),
        ];
        for first in &kinds {
            for second in &kinds {
                check(&[&first[..], second, &kinds[0]].concat()).unwrap();
            }
        }
    }

    #[test]
    fn the_same_twice_is_twice() {
        for second in [member(b"same"), named(b"same")] {
            assert_eq!(check(&[member(b"same"), second].concat()).unwrap(), b"samesame");
        }
    }

    #[test]
    fn an_error_comes_after_all_that_is_before_it() {
        let before = [&member(b"text")[..], &member(b"text"), &named(b"tex2")].concat();
        let mut found = Vec::new();
        let bytes = [&before[..], &member(b"text"), b"junk"].concat();
        let outcome = Members::new(&bytes[..]).read_to_end(&mut found);
        assert!(outcome.is_err());
        assert_eq!(String::from_utf8_lossy(&found), "texttexttex2text");
        let bytes = [&before[..], &member(b"text"), &b"junk".repeat(10)].concat();
        found.clear();
        assert!(Members::new(&bytes[..]).read_to_end(&mut found).is_err());
        assert_eq!(String::from_utf8_lossy(&found), "texttexttex2text");
    }

    #[test]
    fn what_follows_a_member_is_seen_although_it_ends_alike() {
        for whole in [member(b"some text"), member(&noise(5000)), member(b"")] {
            let trailer = &whole[whole.len() - TRAILER..];
            assert!(check(&[&whole[..], b"junk", trailer].concat()).is_err());
            assert!(check(&[&whole[..], trailer].concat()).is_err());
        }
    }

    #[test]
    fn what_is_cut_or_damaged_is_an_error_as_in_every_reader() {
        let whole = [member(b"first"), blocks(&noise(1_200_000)), named(b"last")].concat();
        for length in (1..60).chain((60..whole.len()).step_by(40_009)).chain(whole.len() - 30..whole.len()) {
            let is_whole = check(&whole[..length]).is_ok();
            assert_eq!(
                is_whole,
                length == member(b"first").len() || whole[length..] == named(b"last"),
                "{length}"
            );
        }
        for place in (0..60).chain((60..whole.len()).step_by(90_001)) {
            let mut damaged = whole.clone();
            damaged[place] ^= 0x40;
            let _ = check(&damaged);
        }
        for tail in [&b"\0"[..], b"\0\0\0\0\0\0\0\0\0\0\0\0", b"text that follows", &BEGINNING[..3]] {
            let _ = check(&[&whole, tail].concat());
        }
    }
}
