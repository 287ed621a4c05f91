//! Sends all attacks to a service.

use std::{
    any::Any,
    fmt,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_TYPE, WWW_AUTHENTICATE},
};
use serde::Serialize;
use tower_service::Service;

use super::{
    Attack,
    cookie::Origin,
    fault::Valid,
    options::Options,
    report::{Answer, AttackReport, UnrefusedAttack},
};
use crate::{
    issue::Body,
    testing::{grpc_status::is_grpc_error, issuer::TestIssuer, jws::json_of, token::TestToken},
};

/// Asserts that a service refuses all [`attacks`](super::attacks) on this path, and accepts a valid
/// token there. The service trusts [`TestIssuer::new`]; [`AttackRun`] has more options.
///
/// An attack is refused if the status is 400, 401 or 403, or if a layer of this crate has refused it
/// with an answer of its own that is no success, such as a redirection or an error of gRPC. It sends `GET`
/// requests: a route with several methods needs a run for each.
///
/// # Example
/// ```
/// use axum::{Router, routing::get};
/// use tower_jwt_auth::{JwtAuthLayer, Verifier, testing::{TestIssuer, assert_refuses_all}};
///
/// fn app(verifier: Verifier) -> Router {
///     Router::new().route("/me", get(async || "hello")).layer(JwtAuthLayer::new(verifier))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// assert_refuses_all(app(TestIssuer::new().verifier()), "/me").await;
/// # }
/// ```
///
/// # Panics
///
/// Some attacks were not refused: the message has the name of each, what is wrong with it, the answer,
/// and the setting that stops it. Or the service does not accept a valid token.
pub async fn assert_refuses_all<S, R>(service: S, path: &str)
where
    S: Service<Request<Body>, Response = Response<R>>,
    S::Error: fmt::Debug,
{
    AttackRun::new(&TestIssuer::new()).run(service, path).await.assert_all_refused();
}

/// The options of a run of all attacks on a route.
///
/// # Defaults
///
/// - token: [`TestIssuer::token`]
/// - method: `GET`
/// - cookie: none, so there are no attacks through a cookie that the service reads
/// - origin of the service: `https://app.test`
/// - proofs: none, so there are no attacks on them
/// - answers that refuse an attack: 400, 401 and 403, each refusal of this crate that is no success, and
///   503 if the key of the token may still be fetched
/// - attacks that are allowed: none
/// - body of the requests: an empty [`Body`], which axum's `Router` accepts
///
/// # Example: several routes, one with a body and one with a cookie
/// ```
/// use axum::{Json, Router, http::Method, routing::get};
/// use tower_jwt_auth::{
///     JwtAuthLayer, RequireLayer, TokenSource,
///     testing::{AttackRun, TestIssuer},
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// #[derive(serde::Deserialize)]
/// struct Order {
///     item: String,
/// }
///
/// let issuer = TestIssuer::new();
/// let order = async |Json(order): Json<Order>| format!("ordered {}", order.item);
/// let app = Router::new()
///     .route("/orders", get(async || "orders").post(order))
///     .route_layer(RequireLayer::scopes(["orders"]))
///     .route("/me", get(async || "hello"))
///     .route("/help", get(async || "help"))
///     .layer(
///         JwtAuthLayer::new(issuer.verifier())
///             .source(TokenSource::cookie("__Host-at").build()?),
///     );
///
/// let run = AttackRun::new(&issuer).cookie("__Host-at", Method::GET);
/// for path in ["/me", "/help"] {
///     run.run(app.clone(), path).await.assert_all_refused();
/// }
///
/// let report = AttackRun::new(&issuer)
///     .token(issuer.token().scopes(["orders"]))
///     .method(Method::POST)
///     .json(serde_json::json!({"item": "tea"}))
///     .cookie("__Host-at", Method::POST)
///     .run(app, "/orders")
///     .await;
/// println!("{report}");
/// assert!(report.all_refused());
/// # Ok(()) }
/// ```
///
/// # Security
///
/// A run shows that bad tokens are refused, and with the [scopes](Self::token) of a token that they are
/// needed. It does not show that other rights are checked, such as roles, or whose order it is.
#[must_use = "no attack is sent until it runs"]
pub struct AttackRun<B = Body> {
    pub(super) options: Options,
    make: Arc<Make<B>>,
}

/// Makes the request of an attack.
type Make<B> = dyn Fn(Request<()>) -> Request<B> + Send + Sync;

impl AttackRun {
    /// A run with tokens of this issuer.
    pub fn new(issuer: &TestIssuer) -> Self {
        let options = Options::new(issuer);
        Self { options, make: Arc::new(|request| request.map(|()| Body::default())) }
    }
}

impl<B> AttackRun<B> {
    /// Sets the valid token that the attacks change. Set it if the route needs scopes, or claims of
    /// the application's type. Use the same issuer.
    ///
    /// If it has scopes, one attack lacks them: `c12_scope_missing`. Set only those that the route needs.
    pub fn token(mut self, token: TestToken) -> Self {
        self.options.token = token;
        self.options.has_own_token = true;
        self
    }

    /// Sets the method of the requests. Default: `GET`.
    pub fn method(mut self, method: Method) -> Self {
        self.options.method = method;
        self
    }

    /// Sets the cookie that the service reads, and a method of the route that changes something, such
    /// as `POST`. This adds the attacks through a cookie, such as requests from pages of other sites.
    ///
    /// If the route has no such method, give it `GET`: pages of other sites may send that, so these
    /// attacks are left out, and the report says so.
    pub fn cookie(mut self, name: impl Into<String>, unsafe_method: Method) -> Self {
        self.options.cookie = Some((name.into(), unsafe_method));
        self
    }

    /// Sets the origin of the service, such as `https://app.example.com`: that of its own pages, which
    /// may send the cookie, and the `Host` of all requests. Default: `https://app.test`.
    ///
    /// # Panics
    ///
    /// It is no origin.
    pub fn origin(mut self, origin: &str) -> Self {
        self.options.origin = Origin::new(origin);
        self
    }

    /// The service reads tokens only from the [cookie](Self::cookie). Then the bad tokens are in the
    /// cookie, and a good one in `Authorization` is an attack: `t16_authorization`.
    ///
    /// # Panics
    ///
    /// At [`run`](Self::run), if no cookie is set.
    pub fn without_authorization(mut self) -> Self {
        self.options.reads_authorization = false;
        self
    }

    /// Adds tokens that are no access tokens of RFC 9068: with the type `JWT` or with none, as ID tokens
    /// have it. Use it if the verifier is to be
    /// [`access_tokens_only`](crate::verifier::VerifierBuilder::access_tokens_only).
    pub fn access_tokens_only(mut self) -> Self {
        self.options.access_tokens_only = true;
        self
    }

    /// Adds a status that refuses a request, beside 400, 401 and 403: 303 for a service that is not of
    /// this crate, and sends browsers without a session to its login.
    ///
    /// # Security
    ///
    /// An attack that gets this status counts as refused, whatever the service has done. The valid
    /// request must get another one.
    pub fn refusal(mut self, status: StatusCode) -> Self {
        self.options.refusals.push(status);
        self
    }

    /// Allows an attack, with a reason: it is not sent. The report says so.
    ///
    /// # Panics
    ///
    /// At [`run`](Self::run), if no attack has this name.
    pub fn allow(mut self, name: impl Into<String>, reason: impl Into<String>) -> Self {
        self.options.allowed.push((name.into(), reason.into()));
        self
    }

    /// Sets the type of the body, with its default value as the body. Set it if the service takes only
    /// that type, such as a `service_fn` of `Request<axum::body::Body>`. Call it before
    /// [`json`](Self::json) and [`content`](Self::content), which it undoes.
    pub fn body<T: Default>(self) -> AttackRun<T> {
        self.requests(|request| request.map(|()| T::default()))
    }

    /// Sets the function that makes each request, which has the method, the path and the headers of an
    /// attack: it adds the body, and other headers that the route needs. For a service that reads
    /// tokens from another place than `Authorization`, such as the query, it can move them there.
    ///
    /// # Example: a form
    /// ```
    /// use axum::{Form, Router, http::{HeaderValue, Method, header::CONTENT_TYPE}, routing::post};
    /// use tower_jwt_auth::{JwtAuthLayer, testing::{AttackRun, TestIssuer}};
    ///
    /// # #[derive(serde::Deserialize)]
    /// # struct Order { item: String }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let issuer = TestIssuer::new();
    /// let app = Router::new()
    ///     .route("/orders", post(async |Form(order): Form<Order>| order.item))
    ///     .layer(JwtAuthLayer::new(issuer.verifier()));
    ///
    /// AttackRun::new(&issuer)
    ///     .method(Method::POST)
    ///     .requests(|attack| {
    ///         let mut request = attack.map(|()| String::from("item=tea"));
    ///         let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    ///         request.headers_mut().insert(CONTENT_TYPE, form);
    ///         request
    ///     })
    ///     .run(app, "/orders")
    ///     .await
    ///     .assert_all_refused();
    /// # }
    /// ```
    pub fn requests<T>(
        self,
        make: impl Fn(Request<()>) -> Request<T> + Send + Sync + 'static,
    ) -> AttackRun<T> {
        AttackRun { options: self.options, make: Arc::new(make) }
    }

    /// Sets a body of text and its `Content-Type` for each request. For other bytes, such as a message of
    /// protobuf, use [`requests`](Self::requests).
    ///
    /// # Panics
    ///
    /// The type has a byte that no header can have.
    pub fn content(self, content_type: &str, body: impl Into<String>) -> Self
    where
        B: From<String> + 'static,
    {
        let content_type = HeaderValue::from_str(content_type);
        let content_type = content_type.expect("a content type has only bytes of a header");
        let body = body.into();
        self.requests(move |request| {
            let mut request = request.map(|()| B::from(body.clone()));
            request.headers_mut().insert(CONTENT_TYPE, content_type.clone());
            request
        })
    }

    /// Sets a body of this JSON for each request, with `Content-Type: application/json`.
    ///
    /// # Panics
    ///
    /// The value cannot be written as JSON.
    pub fn json(self, value: impl Serialize) -> Self
    where
        B: From<String> + 'static,
    {
        self.content("application/json", json_of(value).to_string())
    }

    /// The attacks that a run sends, without those that are [allowed](Self::allow).
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run) does.
    pub fn attacks(&self) -> impl Iterator<Item = Attack> + use<B> {
        self.options.attacks(&self.options.forge()).into_iter()
    }

    /// Sends a valid request, and then all attacks, one after the other. One run may be used for several
    /// routes.
    ///
    /// # Panics
    ///
    /// The path is not one, or an attack is allowed that does not exist.
    pub async fn run<S, R>(&self, mut service: S, path: &str) -> AttackReport
    where
        S: Service<Request<B>, Response = Response<R>>,
        S::Error: fmt::Debug,
    {
        let options = &self.options;
        let forge = options.forge();
        let attacks = options.attacks(&forge);
        let mut report = options.report(path, &forge);
        let mut nonce = None;
        for (valid, cookie) in options.valid(&forge) {
            let Some((_, answer)) = self.attack(&mut service, &valid, path, &mut nonce).await
            else {
                continue;
            };
            let method = valid.head.method.as_ref().unwrap_or(&options.method);
            report.fault = Valid { options, method, path, cookie }.fault(&answer);
            if report.fault.is_some() {
                return report;
            }
        }
        for attack in attacks {
            let answer = self.attack(&mut service, &attack, path, &mut nonce).await;
            let Some((is_attack, answer)) = answer else {
                continue;
            };
            report.sent += 1;
            let answer = match answer {
                Ok(response) if !is_attack => Answer::Unprepared(response.status()),
                Ok(response) if options.is_refusal(&response) => continue,
                Ok(response) => Answer::Status(response.status()),
                Err(error) => Answer::Failed(error),
            };
            report.not_refused.push(UnrefusedAttack { attack, answer });
        }
        if options.dpop.is_some() && nonce.is_none() {
            report.notes.push(NO_NONCE.to_owned());
        }
        report
    }

    /// Sends the requests of an attack, and once more if the service wants another nonce. Gives the last
    /// answer, and whether it is that to the attack itself. `None` if there is nothing to send.
    async fn attack<S, R>(
        &self,
        service: &mut S,
        attack: &Attack,
        path: &str,
        nonce: &mut Option<String>,
    ) -> Option<(bool, Result<Response<R>, String>)>
    where
        S: Service<Request<B>, Response = Response<R>>,
        S::Error: fmt::Debug,
    {
        let (method, host) = (&self.options.method, self.options.origin.authority());
        let mut is_last_try = attack.proof.is_none();
        loop {
            let requests = attack.requests_at(method.clone(), path, &host, nonce.as_deref());
            let mut left = requests.len();
            let mut last = None;
            for request in requests {
                left = left.saturating_sub(1);
                let answer = self.send(service, request).await;
                let wants_nonce = take_nonce(&answer, nonce);
                if wants_nonce && !is_last_try {
                    last = None;
                    break;
                }
                let is_accepted = answer.as_ref().is_ok_and(|it| self.options.is_accepted(it));
                last = Some((left == 0, answer));
                if left > 0 && !is_accepted {
                    break;
                }
            }
            if last.is_some() || is_last_try {
                return last;
            }
            is_last_try = true;
        }
    }

    async fn send<S, R>(&self, service: &mut S, request: Request<()>) -> Result<Response<R>, String>
    where
        S: Service<Request<B>, Response = Response<R>>,
        S::Error: fmt::Debug,
    {
        let request = (self.make)(request);
        let answer = async {
            poll_fn(|context| service.poll_ready(context)).await?;
            service.call(request).await
        };
        let mut answer = pin!(answer);
        // A service that panics is named, and the other attacks are sent to it.
        poll_fn(|context| {
            let polled = catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context)));
            match polled {
                Ok(answer) => answer.map(|answer| answer.map_err(|error| format!("{error:?}"))),
                Err(panic) => Poll::Ready(Err(format!("a panic: {}", message(&*panic)))),
            }
        })
        .await
    }
}

/// Takes the nonce of an answer, if it has one, and says whether the request needs it (RFC 9449 §8, §9).
fn take_nonce<R>(answer: &Result<Response<R>, String>, nonce: &mut Option<String>) -> bool {
    let Ok(response) = answer else { return false };
    let headers = response.headers();
    let Some(new) = headers.get("dpop-nonce").and_then(|new| new.to_str().ok()) else {
        return false;
    };
    *nonce = Some(new.to_owned());
    let says_so = |challenge: &HeaderValue| {
        challenge.as_bytes().windows(NEEDED.len()).any(|part| part == NEEDED)
    };
    let is_refusal = response.status().is_client_error() || is_grpc_error(headers);
    is_refusal && headers.get_all(WWW_AUTHENTICATE).iter().any(says_so)
}

/// The text of a panic.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a text")
}

impl<B> Clone for AttackRun<B> {
    fn clone(&self) -> Self {
        Self { options: self.options.clone(), make: Arc::clone(&self.make) }
    }
}

impl<B> fmt::Debug for AttackRun<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttackRun").field("options", &self.options).finish_non_exhaustive()
    }
}

/// The code of a challenge (RFC 9449 §9).
const NEEDED: &[u8] = b"use_dpop_nonce";

const NO_NONCE: &str = "no proof with a wrong nonce was sent (d06): the service has demanded none";
