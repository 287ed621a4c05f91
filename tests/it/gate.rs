//! A service behind the layer, and its whole answers: what is compared are
//! status, every header and body, so two refusals are equal only if a client
//! cannot tell them apart.

use std::{
    convert::Infallible,
    future::{Future, ready},
    pin::pin,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use http::{Request, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_jwt_auth::{
    Algorithm, Claims, JwtAuthLayer, RegisteredClaims, response::Respond, verifier::VerifierBuilder,
};

use crate::support::{builder, key};

pub(crate) type Inner = BoxCloneSyncService<Request<String>, Response<String>, Infallible>;

/// What a client sees of an answer, and whether the inner service was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) reached: bool,
}

impl Answer {
    fn refusal(status: u16, challenge: Option<&str>) -> Self {
        let mut headers = vec![("cache-control".into(), "no-store".into())];
        headers.extend(challenge.map(|text| ("www-authenticate".into(), text.into())));
        Self { status, headers, body: String::new(), reached: false }
    }
}

/// The answer of the inner service, which found the claims of this subject.
pub(crate) fn accepted_for(subject: &str) -> Answer {
    Answer { status: 200, headers: Vec::new(), body: subject.into(), reached: true }
}

/// The answer to the usual claims.
pub(crate) fn accepted() -> Answer {
    accepted_for("alice")
}

/// The answer of the inner service, which found no claims.
pub(crate) fn without_claims() -> Answer {
    accepted_for("nobody")
}

impl Answer {
    /// The same with this header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self.headers.sort();
        self
    }
}

/// *bare 401* of the table.
pub(crate) fn bare() -> Answer {
    Answer::refusal(401, Some("Bearer"))
}

/// *401* of the table.
pub(crate) fn invalid_token() -> Answer {
    Answer::refusal(
        401,
        Some(
            "Bearer error=\"invalid_token\", \
             error_description=\"the access token is not valid here, or not any more\"",
        ),
    )
}

/// *400* of the table.
pub(crate) fn invalid_request() -> Answer {
    Answer::refusal(
        400,
        Some(
            "Bearer error=\"invalid_request\", \
             error_description=\"the request must have one well-formed token in one place\"",
        ),
    )
}

/// 403 where scopes are missing.
pub(crate) fn insufficient_scope(scopes: &str) -> Answer {
    let challenge = format!(
        "Bearer error=\"insufficient_scope\", \
         error_description=\"the access token does not allow this\", scope=\"{scopes}\""
    );
    Answer::refusal(403, Some(&challenge))
}

/// 403 for a cookie on a request that another site may have made.
pub(crate) fn cross_site() -> Answer {
    Answer::refusal(403, None)
}

/// 500: the server's own fault.
pub(crate) fn failed() -> Answer {
    Answer::refusal(500, None)
}

/// A service behind a layer.
pub(crate) struct Gate(Inner);

impl Gate {
    pub(crate) fn new<C, R>(layer: JwtAuthLayer<C, R>) -> Self
    where
        C: DeserializeOwned + Send + Sync + 'static,
        R: Respond<String> + Clone + Send + Sync + 'static,
    {
        Self::around(&layer, handler::<C>())
    }

    /// With another service within.
    pub(crate) fn around<C, R>(layer: &JwtAuthLayer<C, R>, inner: Inner) -> Self
    where
        C: DeserializeOwned + Send + Sync + 'static,
        R: Respond<String> + Clone + Send + Sync + 'static,
    {
        Self(Inner::new(layer.layer(inner)))
    }

    /// One with the usual layer around this verifier.
    pub(crate) fn of<C>(builder: VerifierBuilder<C>) -> Self
    where
        C: DeserializeOwned + Send + Sync + 'static,
    {
        Self::new(JwtAuthLayer::new(builder.build().unwrap()))
    }

    /// Answers a request. Nothing here has to wait, so one poll must do.
    pub(crate) fn send(&self, mut request: Request<String>) -> Answer {
        let reached = Reached::default();
        request.extensions_mut().insert(reached.clone());
        let answer = pin!(self.0.clone().oneshot(request));
        let Poll::Ready(answer) = answer.poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("the layer waits where it knows all")
        };
        let (parts, body) = answer.unwrap().into_parts();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut headers: Vec<_> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
            .collect();
        headers.sort();
        let reached = reached.0.load(Ordering::Relaxed);
        Answer { status: parts.status.as_u16(), headers, body, reached }
    }

    /// Answers a `GET` with these headers.
    pub(crate) fn get<V: AsRef<[u8]>>(&self, headers: &[(&str, V)]) -> Answer {
        self.send(request("GET", headers))
    }

    /// Answers a `GET` with this bearer token.
    pub(crate) fn bearer(&self, token: &str) -> Answer {
        self.get(&[("authorization", format!("Bearer {token}"))])
    }

    /// Answers a `GET` with the token of these claims.
    pub(crate) fn claims(&self, claims: &Value) -> Answer {
        self.bearer(&key(Algorithm::ES256).token(claims))
    }
}

/// The usual layer around the usual verifier.
pub(crate) fn gate() -> &'static Gate {
    static GATE: LazyLock<Gate> = LazyLock::new(|| Gate::of(builder::<RegisteredClaims>()));
    &GATE
}

/// The usual layer that looks at a cookie named `at` too.
pub(crate) fn cookie_gate() -> &'static Gate {
    static GATE: LazyLock<Gate> = LazyLock::new(|| {
        let layer = JwtAuthLayer::new(builder::<RegisteredClaims>().build().unwrap());
        Gate::new(layer.source(tower_jwt_auth::TokenSource::cookie("at").build().unwrap()))
    });
    &GATE
}

/// A request for `/` at `app.example`, with these headers in their order.
pub(crate) fn request<V: AsRef<[u8]>>(method: &str, headers: &[(&str, V)]) -> Request<String> {
    let mut request = Request::builder().method(method).uri("/").header("host", "app.example");
    for (name, value) in headers {
        request = request.header(*name, value.as_ref());
    }
    request.body(String::new()).unwrap()
}

/// A service that answers with the subject of the claims that it finds, or
/// with `nobody`.
pub(crate) fn handler<C: Send + Sync + 'static>() -> Inner {
    Inner::new(service_fn(|request: Request<String>| {
        if let Some(reached) = request.extensions().get::<Reached>() {
            reached.0.store(true, Ordering::Relaxed);
        }
        let claims = request.extensions().get::<Claims<C>>();
        let subject = claims.map_or(Some("nobody"), |claims| claims.registered().subject());
        ready(Ok(Response::new(subject.unwrap_or("no subject").to_owned())))
    }))
}

/// Set by the inner service when a request gets to it.
#[derive(Clone, Default)]
struct Reached(Arc<AtomicBool>);
