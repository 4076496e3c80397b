//! How much one client, and all of them together, can take of a server: time, connections, bytes.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// How much is taken, and how long is waited. The defaults suit slow links and CI machines behind one address.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time. More wait until the system refuses them.
    pub connections: usize,
    /// Connections at a time from one address; for IPv6, from one network of 64 bits. More are closed at once.
    pub connections_per_address: usize,
    /// Until a connection is encrypted and the head of its first request has come.
    pub head: Duration,
    /// Until the next request on a connection that is kept.
    pub keep_alive: Duration,
    /// The time over which the pace of a body is looked at, in both directions.
    pub pace_window: Duration,
    /// The fewest bytes in such a time; fewer end the connection. Time in which we are the slow ones does not count.
    pub pace_bytes: u64,
    /// Uploads that are written at a time. More wait, for as long as `upload_wait`.
    pub uploads: usize,
    /// How long an upload waits for its turn before it is sent away with 429.
    pub upload_wait: Duration,
    /// The largest blob, in bytes.
    pub max_blob: u64,
    /// The longest path and query, in bytes.
    pub max_uri: usize,
    /// The largest form that asks for a token, in bytes.
    pub max_token_request: usize,
    /// How many bytes a repository may have, each blob counted once.
    pub repository_quota: Option<u64>,
    /// How many bytes all repositories may have, each blob counted once.
    pub quota: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_address: 512,
            head: Duration::from_secs(30),
            keep_alive: Duration::from_secs(120),
            pace_window: Duration::from_secs(30),
            pace_bytes: 4096,
            uploads: 256,
            upload_wait: Duration::from_secs(60),
            max_blob: 1 << 40,
            max_uri: 16 << 10,
            max_token_request: 64 << 10,
            repository_quota: None,
            quota: None,
        }
    }
}

/// The connections that are open.
#[derive(Debug)]
pub(crate) struct Connections {
    places: Arc<Semaphore>,
    by_network: Mutex<HashMap<IpAddr, usize>>,
    per_network: usize,
}

/// One open connection; its place is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    connections: Arc<Connections>,
    network: IpAddr,
    _place: OwnedSemaphorePermit,
}

impl Connections {
    /// None yet.
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        let most = limits.connections.clamp(1, Semaphore::MAX_PERMITS);
        Arc::new(Self {
            places: Arc::new(Semaphore::new(most)),
            by_network: Mutex::default(),
            per_network: limits.connections_per_address.max(1),
        })
    }

    /// Waits until there is room for one more connection.
    pub(crate) async fn place(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.places).acquire_owned().await.expect("nobody closes the semaphore")
    }

    /// Lets a connection from `peer` in, unless there are too many from there.
    pub(crate) fn admit(self: &Arc<Self>, peer: IpAddr, place: OwnedSemaphorePermit) -> Option<Ticket> {
        let network = network(peer);
        let mut by_network = self.by_network.lock().unwrap_or_else(PoisonError::into_inner);
        let open = by_network.entry(network).or_default();
        if *open >= self.per_network {
            return None;
        }
        *open += 1;
        Some(Ticket { connections: Arc::clone(self), network, _place: place })
    }

    /// How many are open.
    pub(crate) fn open(&self) -> usize {
        self.by_network.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut by_network = self.connections.by_network.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = by_network.get_mut(&self.network) {
            *open -= 1;
            if *open == 0 {
                by_network.remove(&self.network);
            }
        }
    }
}

/// Who has one address of IPv6 has 2^64 of them.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

/// Whether bytes come, or go, as fast as they must. Only the time that is spent waiting counts.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    window: Duration,
    least: u64,
    waited: Duration,
    moved: u64,
}

impl Pace {
    /// Nothing has moved yet.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { window: limits.pace_window, least: limits.pace_bytes.max(1), waited: Duration::ZERO, moved: 0 }
    }

    /// How long one may still wait for the next bytes.
    pub(crate) fn left(&self) -> Duration {
        self.window.saturating_sub(self.waited)
    }

    /// `bytes` have moved after this time of waiting.
    pub(crate) fn moved(&mut self, bytes: usize, waited: Duration) {
        self.waited += waited;
        self.moved += bytes as u64;
        if self.moved >= self.least {
            (self.waited, self.moved) = (Duration::ZERO, 0);
        }
    }
}

/// A connection whose other end must take what is written at a certain pace.
pub(crate) struct Paced<S> {
    inner: S,
    pace: Pace,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S> Paced<S> {
    /// Watches the pace of `inner`.
    pub(crate) fn new(inner: S, limits: &Limits) -> Self {
        Self { inner, pace: Pace::new(limits), waiting: None }
    }

    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
        moved: impl Fn(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        match polled {
            Poll::Ready(Ok(value)) => {
                let waited = self.waiting.take().map_or(Duration::ZERO, |(since, _)| since.elapsed());
                self.pace.moved(moved(&value), waited);
                Poll::Ready(Ok(value))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let left = self.pace.left();
                let (_, sleep) =
                    self.waiting.get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(left))));
                match sleep.as_mut().poll(context) {
                    Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.watch(context, polled, |written| *written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.watch(context, polled, |written| *written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_network_has_so_many_connections_and_no_more() {
        let limits = Limits { connections: 9, connections_per_address: 2, ..Limits::default() };
        let connections = Connections::new(&limits);
        let from = |text: &str| {
            let place = Arc::clone(&connections.places).try_acquire_owned().ok()?;
            connections.admit(text.parse().unwrap(), place)
        };
        let one = from("2001:db8::1");
        let two = from("2001:db8::2:3");
        assert!(one.is_some() && two.is_some());
        assert!(from("2001:db8:0:0:ffff::").is_none(), "the same network");
        assert!(from("2001:db8:0:1::1").is_some(), "another network");
        let mapped = [from("192.0.2.1"), from("::ffff:192.0.2.1")];
        assert!(mapped.iter().all(Option::is_some));
        assert!(from("192.0.2.1").is_none());
        assert_eq!(connections.open(), 4);
        drop(one);
        assert!(from("2001:db8::9").is_some(), "a place is free again");
    }

    #[test]
    fn a_pace_is_kept_by_enough_bytes_in_a_window_of_waiting() {
        let second = Duration::from_secs(1);
        let limits = Limits { pace_window: second * 10, pace_bytes: 100, ..Limits::default() };
        let mut pace = Pace::new(&limits);
        pace.moved(1, second * 9);
        assert_eq!(pace.left(), second, "a byte is not enough");
        pace.moved(99, second / 2);
        assert_eq!(pace.left(), second * 10);
        pace.moved(1, second * 11);
        assert_eq!(pace.left(), Duration::ZERO);
    }
}
