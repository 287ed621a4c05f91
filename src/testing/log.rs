//! The events of a test's thread.

use std::{
    cell::RefCell,
    fmt::{self, Write as _},
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use tracing::{
    Dispatch, Event, Level, Metadata, Subscriber,
    dispatcher::{self, DefaultGuard},
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};

/// The events of this crate on the thread of a test, from the call of [`start`](Self::start) until
/// it is dropped. The assertions of [`testing`](super) show them when they fail.
///
/// It takes the place of another `tracing` subscriber of the thread for that time. Events of tasks
/// on other threads are not recorded: `#[tokio::test]` has one thread by default.
///
/// # Example
/// ```
/// use tower_jwt_auth::{JwtAuthLayer, testing::{TestIssuer, TestLog}};
/// # use axum::{Router, body::Body, http::Request, routing::get};
/// # use tower::ServiceExt;
/// # use tower_jwt_auth::testing::TestRequest;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let log = TestLog::start();
/// let issuer = TestIssuer::new();
/// let app = Router::new()
///     .route("/me", get(async || "hello"))
///     .layer(JwtAuthLayer::new(issuer.verifier()));
/// let token = issuer.token().wrong_audience().sign();
/// app.oneshot(Request::get("/me").bearer(&token).body(Body::empty())?).await?;
///
/// assert!(log.text().contains("kind=audience"), "{log}");
/// assert!(log.text().contains("seen=https://another-api.test"), "{log}");
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "it records until it is dropped"]
pub struct TestLog {
    lines: Lines,
    _guard: DefaultGuard,
}

type Lines = Arc<Mutex<Vec<String>>>;

thread_local! {
    /// The logs of this thread that are recorded.
    static LOGS: RefCell<Vec<Lines>> = const { RefCell::new(Vec::new()) };
}

/// While there is one subscriber, `tracing` asks only the thread that first comes by an event
/// whether anybody wants it, which may be that of another test.
static ANOTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Recorder::default()));

impl TestLog {
    /// Begins to record.
    pub fn start() -> Self {
        LazyLock::force(&ANOTHER);
        let lines = Lines::default();
        let recorder = Dispatch::new(Recorder { lines: Arc::clone(&lines) });
        LOGS.with_borrow_mut(|logs| logs.push(Arc::clone(&lines)));
        Self { lines, _guard: dispatcher::set_default(&recorder) }
    }

    /// The events so far, one a line: the level, the message and the fields.
    #[must_use]
    pub fn text(&self) -> String {
        text(&self.lines)
    }
}

impl Drop for TestLog {
    fn drop(&mut self) {
        LOGS.with_borrow_mut(|logs| logs.retain(|other| !Arc::ptr_eq(other, &self.lines)));
    }
}

impl fmt::Display for TestLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// The events of the last log of this thread.
pub(super) fn recorded() -> Option<String> {
    LOGS.with_borrow(|logs| logs.last().map(text))
}

fn text(lines: &Lines) -> String {
    lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
}

#[derive(Default)]
struct Recorder {
    lines: Lines,
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // A question whether an event is wanted is neither a span nor an event.
        !metadata.is_span()
            && metadata.target() == "tower_jwt_auth"
            && *metadata.level() <= Level::DEBUG
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let line = format!("{} {}{}", event.metadata().level(), line.message, line.fields);
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // A string can always be written to.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
