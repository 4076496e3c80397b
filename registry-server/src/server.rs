//! How connections come in, and how they end in good order.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::api::Registry;
use crate::exchange::Exchange;
use crate::guard::{Activity, Guard};
use crate::limits::{Paced, Ticket};
use crate::observer::Event;
use crate::options::Options;
use crate::proxy::Proxy;
use crate::storage::{self, CollectOptions, ServerLock, Storage};

/// How much of a request is read at once, in bytes: what one transfer needs in memory is a few of these.
const READ_AT_ONCE: usize = 256 << 10;

/// The most threads that wait for the disk at once.
const BLOCKING_THREADS: usize = 64;

/// How long the views for other tools may be behind.
const VIEWS_EVERY: Duration = Duration::from_millis(250);

/// How long to wait when no connection can be accepted: mostly, too many files are open.
const WAIT_AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(50);

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address is taken, or not of this machine.
    #[error("could not listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The root cannot be used.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// Users, rules, certificates or other registries cannot be used. The text is a sentence that says which.
    #[error("{0}")]
    Access(String),
    /// The system gives no threads.
    #[error("could not start the threads of the server")]
    Threads(#[source] io::Error),
}

/// A registry server.
#[derive(Debug)]
pub struct Server;

/// A server that runs, on threads of its own. Dropping it ends it at once; see [`Running::stop`].
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    registry: Weak<Registry>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server. When this returns, it listens.
    pub fn start(options: Options) -> Result<Running, StartError> {
        let storage = Arc::new(Storage::open(&options.root, options.sync)?);
        let lock = storage.lock_for_server()?;
        let guard = Guard::open(&options).map_err(StartError::Access)?;
        let proxy = Proxy::open(&options, &storage, &guard.metrics).map_err(StartError::Access)?;
        let at = |source| StartError::Listen { address: options.address, source };
        let listener = listen(options.address).map_err(at)?;
        listener.set_nonblocking(true).map_err(at)?;
        let address = listener.local_addr().map_err(at)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("registry")
            .max_blocking_threads(BLOCKING_THREADS)
            .enable_all()
            .build()
            .map_err(StartError::Threads)?;
        let (stop, stopped) = oneshot::channel();
        let registry = Arc::new(Registry::new(storage, options, guard, proxy));
        let weak = Arc::downgrade(&registry);
        let thread = thread::Builder::new()
            .name("registry-main".to_owned())
            .spawn(move || {
                runtime.block_on(serve(registry, listener, stopped, lock));
                runtime.shutdown_timeout(Duration::from_secs(1));
            })
            .map_err(StartError::Threads)?;
        Ok(Running { address, registry: weak, stop: Some(stop), thread: Some(thread) })
    }
}

/// Listens; on all interfaces also where there is no IPv6.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listened = TcpListener::bind(address);
    let without_ipv6 = |error: &io::Error| {
        let no_such_family = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
        error.raw_os_error() == Some(no_such_family) || error.kind() == io::ErrorKind::AddrNotAvailable
    };
    match listened {
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && without_ipv6(&error) => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port()))
        }
        other => other,
    }
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Reads users, rules and certificates now, where their files have changed, and not only when the next client comes.
    /// Whether all of them can be used; what is wrong is told as an [`Event::Problem`].
    pub fn reload(&self) -> bool {
        self.registry.upgrade().is_none_or(|registry| registry.guard.reload())
    }

    /// Ends the server in good order: no new connections, requests under way go on for a while
    /// ([`Options::stop_time`]), and all that was pushed is on the disk and in the views when this returns.
    pub fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        self.wait();
    }

    fn wait(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Without a word, the other end knows that it is at once.
        drop(self.stop.take());
        self.wait();
    }
}

async fn serve(
    registry: Arc<Registry>,
    listener: TcpListener,
    mut stopped: oneshot::Receiver<()>,
    lock: ServerLock,
) {
    let observer = Arc::clone(&registry.options.observer);
    let problem = |what: String| observer.event(Event::Problem { what });
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return problem(format!("could not listen: {error}")),
    };
    let checking = tokio::task::spawn_blocking({
        let registry = Arc::clone(&registry);
        move || check(&registry)
    });
    let views = tokio::spawn(write_views(Arc::clone(&registry)));
    let collector = tokio::spawn(collect(Arc::clone(&registry)));
    let graceful = GracefulShutdown::new();
    let in_good_order = loop {
        let accepted = async {
            let place = registry.guard.connections.place().await;
            listener.accept().await.map(|(stream, peer)| (stream, peer, place))
        };
        tokio::select! {
            accepted = accepted => match accepted {
                Ok((stream, peer, place)) => {
                    let _ = stream.set_nodelay(true);
                    match registry.guard.connections.admit(peer.ip(), place) {
                        Some(ticket) => {
                            let watcher = graceful.watcher();
                            tokio::spawn(connection(Arc::clone(&registry), stream, peer, ticket, watcher));
                        }
                        None => turn_away(&registry, &stream),
                    }
                }
                Err(error) => {
                    problem(format!("could not accept a connection: {error}"));
                    tokio::time::sleep(WAIT_AFTER_FAILED_ACCEPT).await;
                }
            },
            how = &mut stopped => break how.is_ok(),
        }
    };
    registry.guard.is_stopping.store(true, Ordering::Relaxed);
    drop(listener);
    if in_good_order && tokio::time::timeout(registry.options.stop_time, graceful.shutdown()).await.is_err() {
        problem("some requests took too long, and were ended".to_owned());
    }
    if in_good_order {
        // What it has found to be mended is written below.
        let _ = tokio::time::timeout(registry.options.stop_time, checking).await;
    }
    views.abort();
    collector.abort();
    let storage = Arc::clone(&registry.storage);
    let _ = tokio::task::spawn_blocking(move || storage.write_stale_indexes()).await;
    drop(lock);
}

/// Closes a connection of somebody who has too many. On a plain one, the reason can be told in a word.
fn turn_away(registry: &Registry, stream: &TcpStream) {
    registry.guard.metrics.turned_away();
    if registry.guard.tls.is_some() {
        return;
    }
    // What fits into the buffer of a fresh connection is written at once; nobody is waited for.
    let answer = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let _ = stream.try_write(answer);
}

/// Answers the requests of one connection.
async fn connection(
    registry: Arc<Registry>,
    stream: TcpStream,
    peer: SocketAddr,
    ticket: Ticket,
    watcher: Watcher,
) {
    let limits = &registry.options.limits;
    let stream = Paced::new(stream, limits);
    match &registry.guard.tls {
        None => answer_on(&registry, stream, peer, false, watcher).await,
        Some(tls) => {
            let acceptor = tokio_rustls::TlsAcceptor::from(tls.current());
            if let Ok(Ok(stream)) = tokio::time::timeout(limits.head, acceptor.accept(stream)).await {
                answer_on(&registry, stream, peer, true, watcher).await;
            }
        }
    }
    drop(ticket);
}

async fn answer_on<S>(
    registry: &Arc<Registry>,
    stream: S,
    peer: SocketAddr,
    is_encrypted: bool,
    watcher: Watcher,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &registry.options.limits;
    let activity = Activity::new();
    let of_requests = Arc::clone(&activity);
    let answering = Arc::clone(registry);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let registry = Arc::clone(&answering);
        let exchange =
            Arc::new(Exchange::new(peer.ip().to_canonical(), is_encrypted, Arc::clone(&of_requests)));
        request.extensions_mut().insert(Arc::clone(&exchange));
        let ongoing = registry.guard.begin(&request, exchange, &of_requests);
        async move { Ok::<_, std::convert::Infallible>(ongoing.answered(registry.answer(request).await)) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).max_buf_size(READ_AT_ONCE).header_read_timeout(None);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.keep_alive)
        .keep_alive_timeout(limits.head);
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    let connection = watcher.watch(connection);
    tokio::pin!(connection);
    // What goes wrong here is the end of one connection; who was served by it has noticed.
    tokio::select! {
        _ = &mut connection => {}
        () = activity.ends(limits) => {}
    }
}

/// Looks through what a crash may have left, while requests are answered already.
fn check(registry: &Registry) {
    let observer = &registry.options.observer;
    let checked = registry.storage.check(&mut |what| observer.event(Event::Problem { what }));
    if let Err(error) = checked {
        observer.event(Event::Problem { what: error.sentence() });
    }
}

/// Writes the views for other tools, never more than a tenth of the time.
async fn write_views(registry: Arc<Registry>) {
    let mut wait = VIEWS_EVERY;
    loop {
        tokio::time::sleep(wait).await;
        let storage = Arc::clone(&registry.storage);
        let begin = std::time::Instant::now();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || storage.write_stale_indexes()).await {
            registry.options.observer.event(Event::Problem { what: error.sentence() });
        }
        wait = VIEWS_EVERY.max(begin.elapsed() * 10);
    }
}

/// Takes away what nothing refers to, from time to time.
async fn collect(registry: Arc<Registry>) {
    let Some((every, options)) = registry.options.collect.clone() else { return };
    loop {
        tokio::time::sleep(every).await;
        let options = CollectOptions { now: SystemTime::now(), ..options.clone() };
        let working = Arc::clone(&registry);
        let collected = tokio::task::spawn_blocking(move || {
            let collected = working.storage.collect(&options, &mut |_| {});
            working.forget_ended_uploads();
            collected
        })
        .await;
        registry.options.observer.event(match collected {
            Ok(Ok(collected)) => Event::Collected(collected),
            Ok(Err(error)) => Event::Problem { what: format!("nothing was collected: {}", error.sentence()) },
            Err(_) => return,
        });
    }
}
