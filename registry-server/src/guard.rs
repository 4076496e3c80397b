//! All that stands between the network and the registry: who comes in, how much they may take, and what is written down.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::access::Gate;
use crate::access_log::Record;
use crate::exchange::Exchange;
use crate::limits::{Connections, Limits};
use crate::metrics::{Metrics, UnderWay};
use crate::observer::{Event, Observer};
use crate::options::Options;
use crate::storage::Usage;
use crate::tls::Tls;

/// The status that is written down when the client left before there was an answer.
const CLIENT_LEFT: u16 = 499;

/// A connection on which nothing moves for so many windows of pace, though requests are under way, is given up.
const STUCK_AFTER: u32 = 20;

/// All that stands between the network and the registry.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) gate: Gate,
    pub(crate) tls: Option<Tls>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) uploads: Arc<Semaphore>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) usage: Usage,
    pub(crate) is_stopping: AtomicBool,
    observer: Arc<dyn Observer>,
}

impl Guard {
    /// Reads all the files that decide. The error is a sentence.
    pub(crate) fn open(options: &Options) -> Result<Self, String> {
        let key = options.root.join("_tug/token.key");
        let limits = &options.limits;
        let tls = options.tls.as_ref();
        Ok(Self {
            gate: Gate::open(&options.access, &key, &options.observer)?,
            tls: tls.map(|tls| Tls::open(tls, Arc::clone(&options.observer))).transpose()?,
            connections: Connections::new(limits),
            uploads: Arc::new(Semaphore::new(limits.uploads.clamp(1, Semaphore::MAX_PERMITS))),
            metrics: Arc::default(),
            usage: Usage::default(),
            is_stopping: AtomicBool::new(false),
            observer: Arc::clone(&options.observer),
        })
    }

    /// Reads the files again that have changed. Whether all of them can be used.
    pub(crate) fn reload(&self) -> bool {
        let is_gate_good = self.gate.reload();
        self.tls.as_ref().is_none_or(Tls::reload) && is_gate_good
    }

    /// A request has come. What is told of it ends with the result.
    pub(crate) fn begin<B>(
        &self,
        request: &Request<B>,
        exchange: Arc<Exchange>,
        activity: &Arc<Activity>,
    ) -> Ongoing {
        activity.under_way.fetch_add(1, Ordering::Relaxed);
        activity.moves();
        let agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Ongoing {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            agent: agent.map(|agent| agent.chars().take(200).collect()),
            time: SystemTime::now(),
            begun: Instant::now(),
            status: CLIENT_LEFT,
            digest: None,
            sent: 0,
            exchange,
            activity: Arc::clone(activity),
            metrics: Arc::clone(&self.metrics),
            observer: Arc::clone(&self.observer),
            _under_way: self.metrics.begin(),
        }
    }
}

/// A request that is being answered. Counted and written down when it is dropped.
pub(crate) struct Ongoing {
    method: Method,
    path: String,
    agent: Option<String>,
    time: SystemTime,
    begun: Instant,
    status: u16,
    digest: Option<String>,
    sent: u64,
    exchange: Arc<Exchange>,
    activity: Arc<Activity>,
    metrics: Arc<Metrics>,
    observer: Arc<dyn Observer>,
    _under_way: UnderWay,
}

impl Ongoing {
    /// There is an answer; its body is watched to its end.
    pub(crate) fn answered<B>(mut self, response: Response<B>) -> Response<Watched<B>> {
        self.status = response.status().as_u16();
        let digest = response.headers().get("docker-content-digest").and_then(|value| value.to_str().ok());
        self.digest = digest.map(str::to_owned);
        self.activity.moves();
        response.map(|body| Watched { body, ongoing: self })
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        self.activity.moves();
        self.activity.done.store(true, Ordering::Relaxed);
        self.activity.under_way.fetch_sub(1, Ordering::Relaxed);
        let took = self.begun.elapsed();
        let received = self.exchange.received();
        self.metrics.answered(&self.method, self.status, took, received, self.sent);
        self.observer.event(Event::Answered(Box::new(Record {
            time: self.time,
            peer: self.exchange.peer,
            user: self.exchange.user().map(str::to_owned),
            method: self.method.to_string(),
            path: std::mem::take(&mut self.path),
            status: self.status,
            digest: self.digest.take(),
            received,
            sent: self.sent,
            took,
            agent: self.agent.take(),
        })));
    }
}

/// The body of an answer, counted while it goes out.
pub(crate) struct Watched<B> {
    body: B,
    ongoing: Ongoing,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Watched<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            self.ongoing.sent += frame.data_ref().map_or(0, Bytes::len) as u64;
            self.ongoing.activity.moves();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Whether anything happens on a connection.
#[derive(Debug)]
pub(crate) struct Activity {
    under_way: AtomicUsize,
    /// Whether there was any request yet.
    done: AtomicBool,
    last: Mutex<Instant>,
}

impl Activity {
    /// A connection that has just come.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            under_way: AtomicUsize::new(0),
            done: AtomicBool::new(false),
            last: Mutex::new(Instant::now()),
        })
    }

    /// Something happens.
    pub(crate) fn moves(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Returns when nothing has happened for too long.
    pub(crate) async fn ends(&self, limits: &Limits) {
        loop {
            let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
            let patience: Duration = match self.under_way.load(Ordering::Relaxed) {
                0 if self.done.load(Ordering::Relaxed) => limits.keep_alive,
                0 => limits.head,
                _ => limits.pace_window * STUCK_AFTER,
            };
            if last.elapsed() >= patience {
                return;
            }
            // Meanwhile a request may come or end, and another patience count.
            let look_again = Instant::now() + limits.head.min(limits.keep_alive);
            tokio::time::sleep_until(look_again.min(last + patience)).await;
        }
    }
}
