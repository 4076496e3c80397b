//! A body that is read while it is sent, and a watch over how it goes.

use std::io::{self, Read};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};

use super::BlobSource;
use crate::options::Limits;

/// Read at a time. A few of them wait to be sent.
const PIECE: usize = 128 * 1024;
const WAITING: usize = 4;
/// Given away at a time: what is taken is what the connection has room for, so small ones show how it moves.
const FRAME: usize = 16 * 1024;

/// The bytes of a source from some place on.
pub(super) struct Outgoing {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    /// What was read and is not given away yet.
    rest: Bytes,
    /// How many bytes are still to come, where that is known.
    left: Option<u64>,
    /// The first byte waits for this.
    begins: Option<Pin<Box<Sleep>>>,
    watch: Arc<Watch>,
}

/// How a body is going.
pub(super) struct Watch(Mutex<Going>);

struct Going {
    stage: Stage,
    since: Instant,
    window: Instant,
    in_window: u64,
    too_slow: Option<String>,
    taken: u64,
    failure: Option<io::Error>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing was asked for yet.
    Connecting,
    /// The other side has the last piece.
    Taking,
    /// The other side waits for us.
    Reading,
    /// All was taken.
    Ended,
}

/// Begins to read `length` bytes (or all there are) from `offset` on. The first one is given away after `pause`.
pub(super) fn outgoing(
    source: Arc<dyn BlobSource>,
    offset: u64,
    length: Option<u64>,
    pause: Duration,
) -> (Outgoing, Arc<Watch>) {
    let (sender, pieces) = mpsc::channel(WAITING);
    let watch = Arc::new(Watch::new());
    if length != Some(0) {
        tokio::task::spawn_blocking(move || read(source.as_ref(), offset, length, &sender));
    }
    let begins = (!pause.is_zero()).then(|| Box::pin(tokio::time::sleep(pause)));
    let outgoing = Outgoing { pieces, rest: Bytes::new(), left: length, begins, watch: Arc::clone(&watch) };
    (outgoing, watch)
}

/// Reads and hands over until the end, or until nobody takes it any more.
fn read(source: &dyn BlobSource, offset: u64, length: Option<u64>, sender: &mpsc::Sender<io::Result<Bytes>>) {
    let mut reader = match source.reader(offset) {
        Ok(reader) => reader.take(length.unwrap_or(u64::MAX)),
        Err(error) => return drop(sender.blocking_send(Err(error))),
    };
    loop {
        let mut piece = vec![0; PIECE];
        match reader.read(&mut piece) {
            Ok(0) => return,
            Ok(count) => {
                piece.truncate(count);
                if sender.blocking_send(Ok(piece.into())).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return drop(sender.blocking_send(Err(error))),
        }
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        if let Some(begins) = &mut this.begins {
            ready!(begins.as_mut().poll(context));
            this.begins = None;
        }
        if this.left == Some(0) {
            this.watch.ended();
            return Poll::Ready(None);
        }
        if this.rest.is_empty() {
            match this.pieces.poll_recv(context) {
                Poll::Pending => {
                    this.watch.waits();
                    return Poll::Pending;
                }
                Poll::Ready(Some(Ok(piece))) => this.rest = piece,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(this.watch.failed(error)))),
                Poll::Ready(None) if this.left.is_some() => {
                    let error =
                        io::Error::new(io::ErrorKind::UnexpectedEof, "it is shorter than it was said");
                    return Poll::Ready(Some(Err(this.watch.failed(error))));
                }
                Poll::Ready(None) => {
                    this.watch.ended();
                    return Poll::Ready(None);
                }
            }
        }
        let frame = this.rest.split_to(this.rest.len().min(FRAME));
        if let Some(left) = &mut this.left {
            *left -= frame.len() as u64;
        }
        this.watch.took(frame.len() as u64);
        if this.left == Some(0) {
            this.watch.ended();
        }
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Watch {
    fn new() -> Self {
        let now = Instant::now();
        Self(Mutex::new(Going {
            stage: Stage::Connecting,
            since: now,
            window: now,
            in_window: 0,
            too_slow: None,
            taken: 0,
            failure: None,
        }))
    }

    /// How many bytes were given away. Not all of them may have arrived.
    pub(super) fn taken(&self) -> u64 {
        self.lock().taken
    }

    /// Whether all was given away.
    pub(super) fn has_ended(&self) -> bool {
        self.lock().stage == Stage::Ended
    }

    /// Why the source could not be read.
    pub(super) fn failure(&self) -> Option<io::Error> {
        self.lock().failure.take()
    }

    /// Comes back when the other side takes nothing, next to nothing, or does not answer. `connect` is how long a
    /// connection may take.
    pub(super) async fn stalled(&self, limits: &Limits, connect: Duration) -> String {
        let pause = limits.idle.min(limits.rate_window);
        loop {
            let (stage, since) = {
                let mut going = self.lock();
                going.look_at_rate(limits);
                if let Some(reason) = &going.too_slow {
                    return reason.clone();
                }
                (going.stage, going.since)
            };
            let next = Instant::now() + pause;
            let (limit, what) = match stage {
                Stage::Connecting => (connect + limits.idle, "nothing was taken"),
                Stage::Taking => (limits.idle, "nothing was taken"),
                Stage::Reading => {
                    tokio::time::sleep_until(next).await;
                    continue;
                }
                Stage::Ended => (limits.answer, "no answer came"),
            };
            if since.elapsed() >= limit {
                return format!("{what} for {} s", limit.as_secs_f64());
            }
            // It may be at another stage before that.
            tokio::time::sleep_until(next.min(since + limit)).await;
        }
    }

    fn took(&self, count: u64) {
        let mut going = self.lock();
        going.taken += count;
        going.in_window += count;
        going.enter(Stage::Taking);
    }

    /// Whoever waits for us is not slow.
    fn waits(&self) {
        let mut going = self.lock();
        going.enter(Stage::Reading);
        (going.window, going.in_window) = (going.since, 0);
    }

    fn ended(&self) {
        let mut going = self.lock();
        if going.stage != Stage::Ended {
            going.enter(Stage::Ended);
        }
    }

    fn failed(&self, error: io::Error) -> io::Error {
        let copy = io::Error::new(error.kind(), error.to_string());
        self.lock().failure = Some(error);
        copy
    }

    fn lock(&self) -> MutexGuard<'_, Going> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Going {
    fn enter(&mut self, stage: Stage) {
        (self.stage, self.since) = (stage, Instant::now());
        if self.taken == 0 {
            self.window = self.since;
        }
    }

    fn look_at_rate(&mut self, limits: &Limits) {
        let now = Instant::now();
        let long = now.duration_since(self.window);
        if self.stage != Stage::Taking || long < limits.rate_window {
            return;
        }
        if self.in_window < limits.rate_bytes {
            let (count, seconds) = (self.in_window, long.as_secs_f64());
            self.too_slow = Some(format!("only {count} bytes were taken in {seconds:.0} s"));
        }
        (self.window, self.in_window) = (now, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_rate_below_the_least_is_like_a_stall_unless_we_are_the_slow_ones() {
        let (long, short) = (Duration::from_secs(100), Duration::from_millis(20));
        let limits = Limits { idle: long, rate_window: short, rate_bytes: 1000, ..Limits::default() };
        let watch = Watch::new();
        watch.took(10);
        let reason = watch.stalled(&limits, long).await;
        assert!(reason.starts_with("only 10 bytes were taken in "), "{reason}");

        let watch = Watch::new();
        watch.took(10);
        watch.waits();
        let waited = tokio::time::timeout(short * 5, watch.stalled(&limits, long)).await;
        assert!(waited.is_err(), "{waited:?}");
    }

    #[tokio::test]
    async fn each_stage_has_a_limit_of_its_own() {
        let (long, short) = (Duration::from_secs(100), Duration::from_millis(20));
        let limits = Limits { idle: short, answer: short, rate_window: long, ..Limits::default() };
        let watch = Watch::new();
        assert_eq!(watch.stalled(&limits, short).await, "nothing was taken for 0.04 s");
        watch.took(10);
        assert_eq!(watch.stalled(&limits, long).await, "nothing was taken for 0.02 s");
        watch.ended();
        assert_eq!(watch.stalled(&limits, long).await, "no answer came for 0.02 s");
    }
}
