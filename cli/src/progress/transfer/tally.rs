//! What has been told so far, added up, and the sentences for single events.

use std::collections::HashMap;

use tug_oci::Digest;
use tug_registry_client::Event as Client;
use tug_transfer::Event;

use crate::human;

/// All blobs that were told of.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    blobs: HashMap<Digest, Blob>,
}

#[derive(Debug, Default)]
struct Blob {
    size: Option<u64>,
    /// There before this command began.
    before: Option<u64>,
    done: u64,
    is_over: bool,
}

impl Tally {
    /// Takes an event into account.
    pub(crate) fn on(&mut self, event: &Event) {
        match event {
            Event::Planned { blob, size, .. } => {
                let known = self.blobs.entry(blob.clone()).or_default();
                known.size = size.or(known.size);
            }
            Event::Moved { blob, done, size } => {
                let known = self.blobs.entry(blob.clone()).or_default();
                known.before.get_or_insert(0);
                (known.done, known.size) = (*done, size.or(known.size));
            }
            Event::Again { blob, .. } => {
                let known = self.blobs.entry(blob.clone()).or_default();
                known.done = 0;
            }
            Event::Client(Client::Resumed { digest, have, .. }) => {
                let known = self.blobs.entry(digest.clone()).or_default();
                known.before.get_or_insert(*have);
                known.done = *have;
            }
            Event::Present { blob } | Event::Mounted { blob, .. } => {
                self.blobs.entry(blob.clone()).or_default().is_over = true;
            }
            Event::Done { blob } => {
                let known = self.blobs.entry(blob.clone()).or_default();
                known.is_over = true;
                known.done = known.size.unwrap_or(known.done);
            }
            _ => {}
        }
    }

    /// Blobs that are over, and all.
    pub(crate) fn blobs(&self) -> (usize, usize) {
        (self.blobs.values().filter(|blob| blob.is_over).count(), self.blobs.len())
    }

    /// Bytes that this command has moved.
    pub(crate) fn moved(&self) -> u64 {
        self.blobs.values().map(|blob| blob.done.saturating_sub(blob.before.unwrap_or(0))).sum()
    }

    /// Bytes that are at the other end by now, whoever brought them there, and all, as far as they are known.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let done = |blob: &Blob| match blob.is_over {
            true => blob.size.unwrap_or(blob.done),
            false => blob.done,
        };
        let all = |blob: &Blob| blob.size.unwrap_or(0).max(blob.done);
        (self.blobs.values().map(done).sum(), self.blobs.values().map(all).sum())
    }
}

/// Events that are told whatever else is shown.
pub(crate) fn remark(event: &Event) -> Option<String> {
    Some(match event {
        Event::OnlyOne { platform, of } if *of > 1 => {
            format!("only the image for {platform}, of {of} that there are")
        }
        Event::Again { blob, .. } => format!("{} arrived damaged, it is fetched again", blob.short()),
        Event::Waiting { blob } => format!("{} is being fetched by another process", blob.short()),
        Event::Client(Client::Retrying { reason, wait, .. }) => {
            format!("{reason}; again in {}", human::seconds(*wait))
        }
        Event::Client(Client::Throttled { host, wait }) => {
            format!("`{host}` asks to wait {}", human::seconds(*wait))
        }
        Event::Client(Client::Resumed { digest, have, size }) => {
            format!("{} goes on at {} of {}", digest.short(), human::size(*have), human::size(*size))
        }
        Event::Client(Client::MirrorSkipped { host, reason }) => {
            format!("mirror `{host}` is passed over: {reason}")
        }
        Event::Client(Client::CredentialsSkipped { path, reason }) => {
            format!("the credentials in `{}` are passed over: {reason}", path.display())
        }
        Event::Client(Client::Warning { host, text }) => format!("`{host}` warns: {text}"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use tug_transfer::Direction;

    use super::*;

    #[test]
    fn bytes_are_added_up_and_those_of_an_earlier_process_are_not_moved_twice() {
        let (one, two, three) = (Digest::of(b"1"), Digest::of(b"2"), Digest::of(b"3"));
        let mut tally = Tally::default();
        for blob in [&one, &two] {
            let direction = Direction::Down;
            tally.on(&Event::Planned { blob: blob.clone(), size: Some(100), direction });
        }
        tally.on(&Event::Client(Client::Resumed { digest: one.clone(), have: 40, size: 100 }));
        tally.on(&Event::Moved { blob: one.clone(), done: 60, size: Some(100) });
        assert_eq!((tally.moved(), tally.bytes(), tally.blobs()), (20, (60, 200), (0, 2)));
        tally.on(&Event::Done { blob: one });
        tally.on(&Event::Present { blob: two });
        assert_eq!((tally.moved(), tally.bytes(), tally.blobs()), (60, (200, 200), (2, 2)));
        tally.on(&Event::Planned { blob: three.clone(), size: None, direction: Direction::Up });
        tally.on(&Event::Moved { blob: three, done: 7, size: None });
        assert_eq!((tally.moved(), tally.bytes()), (67, (207, 207)));
    }
}
