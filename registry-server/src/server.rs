//! How connections come in, and how they end in good order.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::sync::oneshot;

use crate::api::Registry;
use crate::observer::Event;
use crate::options::Options;
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
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server. When this returns, it listens.
    pub fn start(options: Options) -> Result<Running, StartError> {
        let storage = Arc::new(Storage::open(&options.root, options.sync)?);
        let lock = storage.lock_for_server()?;
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
        let registry = Arc::new(Registry::new(storage, options));
        let thread = thread::Builder::new()
            .name("registry-main".to_owned())
            .spawn(move || {
                runtime.block_on(serve(registry, listener, stopped, lock));
                runtime.shutdown_timeout(Duration::from_secs(1));
            })
            .map_err(StartError::Threads)?;
        Ok(Running { address, stop: Some(stop), thread: Some(thread) })
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
    tokio::task::spawn_blocking({
        let registry = Arc::clone(&registry);
        move || check(&registry)
    });
    let views = tokio::spawn(write_views(Arc::clone(&registry)));
    let collector = tokio::spawn(collect(Arc::clone(&registry)));
    let graceful = GracefulShutdown::new();
    let in_good_order = loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let _ = stream.set_nodelay(true);
                    tokio::spawn(connection(Arc::clone(&registry), stream, graceful.watcher()));
                }
                Err(error) => {
                    problem(format!("could not accept a connection: {error}"));
                    tokio::time::sleep(WAIT_AFTER_FAILED_ACCEPT).await;
                }
            },
            how = &mut stopped => break how.is_ok(),
        }
    };
    drop(listener);
    if in_good_order && tokio::time::timeout(registry.options.stop_time, graceful.shutdown()).await.is_err() {
        problem("some requests took too long, and were ended".to_owned());
    }
    views.abort();
    collector.abort();
    let storage = Arc::clone(&registry.storage);
    let _ = tokio::task::spawn_blocking(move || storage.write_stale_indexes()).await;
    drop(lock);
}

/// Answers the requests of one connection.
async fn connection(
    registry: Arc<Registry>,
    stream: tokio::net::TcpStream,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let service = service_fn(move |request| {
        let registry = Arc::clone(&registry);
        async move { Ok::<_, std::convert::Infallible>(registry.answer(request).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).max_buf_size(READ_AT_ONCE);
    builder.http2().timer(TokioTimer::new());
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    // What goes wrong here is the end of one connection; who was served by it has noticed.
    let _ = watcher.watch(connection).await;
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
