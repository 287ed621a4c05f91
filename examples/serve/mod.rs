//! `axum::serve` with time limits, which it does not have: a client that is slow on purpose does
//! not keep a connection.
//!
//! | what a client does | what happens |
//! |---|---|
//! | it connects and sends nothing, or half a head | the connection is closed after [`QUIET`] |
//! | it sends a request and then nothing | the same, after the answer |
//! | it does not send the body, or the answer takes too long | 408 after [`REQUEST`] |
//! | it does not take the answer | the connection is closed after [`ANSWER`] |
//!
//! A limit to the number of connections, and to how many one address may have, belongs in a
//! proxy or a firewall.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, HttpBody},
    extract::ConnectInfo,
    http::{Request, StatusCode},
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    net::{TcpListener, TcpStream},
    signal,
    time::{self, Instant},
};
use tower::ServiceExt;

/// How long a connection may be without a whole head of a request.
const QUIET: Duration = Duration::from_secs(10);
/// How long a request may take until it is answered, its body included.
const REQUEST: Duration = Duration::from_secs(15);
/// How long a request may take until its answer has been taken.
const ANSWER: Duration = Duration::from_secs(60);
/// How long requests under way are given when the server stops.
const GRACE: Duration = Duration::from_secs(6);

/// Serves until `stopped` is ready, and then until the requests under way are answered.
pub(crate) async fn serve(listener: TcpListener, app: Router, stopped: impl Future<Output = ()>) {
    let server = auto::Builder::new(TokioExecutor::new());
    let connections = GracefulShutdown::new();
    let mut stopped = pin!(stopped);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stopped => break,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            // Perhaps too many files are open: that passes, because of the limits.
            Err(_) => {
                time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let activity = Arc::new(Activity::default());
        let service = service(app.clone(), address, Arc::clone(&activity));
        let connection = server.serve_connection(TokioIo::<TcpStream>::new(stream), service);
        let connection = connections.watch(connection.into_owned());
        tokio::spawn(async move {
            tokio::select! {
                _ = connection => {}
                () = activity.quiet() => {}
            }
        });
    }
    drop(listener);
    let _ = time::timeout(GRACE, connections.shutdown()).await;
}

fn service(
    app: Router,
    address: SocketAddr,
    activity: Arc<Activity>,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = Response,
    Error = Infallible,
    Future: Send,
> + Send {
    service_fn(move |request: Request<Incoming>| {
        let (app, under_way) = (app.clone(), UnderWay::new(&activity));
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(address));
            request.extensions_mut().insert(address);
            let response = match time::timeout(REQUEST, app.oneshot(request)).await {
                Ok(Ok(response)) => response,
                Ok(Err(never)) => match never {},
                Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
            };
            // The request is under way until the body of its answer has been taken over.
            Ok(response.map(|body| match body.is_end_stream() {
                true => body,
                false => Body::new(body.map_frame(move |frame| {
                    let _ = &under_way;
                    frame
                })),
            }))
        }
    })
}

/// The requests of a connection.
struct Activity(Mutex<State>);

struct State {
    /// When each request under way began, the first one first.
    under_way: BTreeSet<(Instant, u64)>,
    /// How many there were.
    count: u64,
    /// If no request is under way: since when.
    since: Instant,
}

impl Default for Activity {
    fn default() -> Self {
        let (under_way, since) = (BTreeSet::new(), Instant::now());
        Self(Mutex::new(State { under_way, count: 0, since }))
    }
}

impl Activity {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there has been no request for too long, or one has taken too long.
    async fn quiet(&self) {
        loop {
            let (now, end) = (Instant::now(), self.state().end());
            if end <= now {
                return;
            }
            // A request may begin, or end, in the meantime.
            time::sleep_until(end.min(now + QUIET)).await;
        }
    }
}

impl State {
    fn end(&self) -> Instant {
        self.under_way.first().map_or(self.since + QUIET, |(began, _)| *began + ANSWER)
    }
}

/// A request of a connection, until it is dropped.
struct UnderWay {
    activity: Arc<Activity>,
    request: (Instant, u64),
}

impl UnderWay {
    fn new(activity: &Arc<Activity>) -> Self {
        let mut state = activity.state();
        state.count += 1;
        let request = (Instant::now(), state.count);
        state.under_way.insert(request);
        drop(state);
        Self { activity: Arc::clone(activity), request }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.under_way.remove(&self.request);
        state.since = Instant::now();
    }
}

/// Waits for ctrl-c or, on Unix, for SIGTERM.
pub(crate) async fn stopped() {
    #[cfg(unix)]
    let terminated = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut terminate) => terminate.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        _ = signal::ctrl_c() => {}
        _ = terminated => {}
    }
}
