//! Sends all attacks to a service.

use std::{fmt, future::poll_fn, marker::PhantomData};

use http::{Method, Request, Response, StatusCode};
use tower_service::Service;

use super::{
    Attack, Forge, Head, bearer, cookie,
    report::{Answer, AttackReport, PassedAttack},
    transport::COOKIES,
};
use crate::{
    attack::Check,
    issue::Body,
    testing::{issuer::TestIssuer, token::TestToken},
};

/// Asserts that a service refuses all [`attacks`](super::attacks) on this path, and accepts a valid
/// token there. The service trusts [`TestIssuer::new`]; [`AttackRun`] has more options.
///
/// An attack is refused if the status is 400, 401 or 403.
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

/// The options of a run of all attacks.
///
/// # Defaults
///
/// - token: [`TestIssuer::token`]
/// - method: `GET`
/// - cookie: none, so there are no attacks through a cookie that the service reads
/// - attacks that are allowed: none
/// - body of the requests: an empty [`Body`], which axum's `Router` accepts
///
/// # Example: a route that needs a scope, and reads a cookie
/// ```
/// use axum::{Router, routing::get};
/// use http::Method;
/// use tower_jwt_auth::{
///     JwtAuthLayer, RequireLayer, TokenSource,
///     testing::{AttackRun, TestIssuer},
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = TestIssuer::new();
/// let app = Router::new()
///     .route("/orders", get(async || "orders").post(async || "ordered"))
///     .route_layer(RequireLayer::scopes(["orders"]))
///     .layer(
///         JwtAuthLayer::new(issuer.verifier())
///             .source(TokenSource::cookie("__Host-at").build()?),
///     );
///
/// let report = AttackRun::new(&issuer)
///     .token(issuer.token().scopes(["orders"]))
///     .cookie("__Host-at", Method::POST)
///     .run(app, "/orders")
///     .await;
/// println!("{report}");
/// assert!(report.all_refused());
/// # Ok(()) }
/// ```
#[must_use = "no attack is sent until it runs"]
pub struct AttackRun<B = Body> {
    issuer: TestIssuer,
    token: TestToken,
    method: Method,
    cookie: Option<(String, Method)>,
    allowed: Vec<(String, String)>,
    body: PhantomData<fn() -> B>,
}

impl AttackRun {
    /// A run with tokens of this issuer.
    pub fn new(issuer: &TestIssuer) -> Self {
        Self {
            issuer: issuer.clone(),
            token: issuer.token(),
            method: Method::GET,
            cookie: None,
            allowed: Vec::new(),
            body: PhantomData,
        }
    }
}

impl<B: Default> AttackRun<B> {
    /// Sets the valid token that the attacks change. Set it if the route needs scopes, or claims of
    /// the application's type. Use the same issuer.
    pub fn token(mut self, token: TestToken) -> Self {
        self.token = token;
        self
    }

    /// Sets the method of the requests. Default: `GET`.
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Sets the cookie that the service reads, and a method of the route that changes something, such
    /// as `POST`. This adds the attacks through a cookie, such as requests from pages of other sites.
    pub fn cookie(mut self, name: impl Into<String>, unsafe_method: Method) -> Self {
        self.cookie = Some((name.into(), unsafe_method));
        self
    }

    /// Allows an attack, with a reason: it is not sent. The report says so.
    ///
    /// # Panics
    ///
    /// At [`run`](Self::run), if no attack has this name.
    pub fn allow(mut self, name: impl Into<String>, reason: impl Into<String>) -> Self {
        self.allowed.push((name.into(), reason.into()));
        self
    }

    /// Sets the type of the body, which is its default value. Set it if the service takes only that type.
    pub fn body<T: Default>(self) -> AttackRun<T> {
        let Self { issuer, token, method, cookie, allowed, body: PhantomData } = self;
        AttackRun { issuer, token, method, cookie, allowed, body: PhantomData }
    }

    /// Sends a valid request, and then all attacks, one after the other.
    ///
    /// # Panics
    ///
    /// The path is not one, or an attack is allowed that does not exist.
    pub async fn run<S, R>(&self, mut service: S, path: &str) -> AttackReport
    where
        S: Service<Request<B>, Response = Response<R>>,
        S::Error: fmt::Debug,
    {
        let forge = Forge::new(&self.issuer, self.token.clone());
        let mut report = AttackReport {
            path: path.to_owned(),
            sent: 0,
            fault: None,
            passed: Vec::new(),
            allowed: self.allowed.clone(),
        };
        let attacks = self.attacks(&forge);
        for valid in self.valid(&forge) {
            let answer = self.send(&mut service, &valid, path).await;
            if !matches!(answer, Answer::Status(status) if status.as_u16() < 400) {
                report.fault = Some(self.fault(&valid, &answer));
                return report;
            }
        }
        for attack in attacks {
            report.sent += 1;
            let answer = self.send(&mut service, &attack, path).await;
            if !matches!(answer, Answer::Status(status) if REFUSALS.contains(&status)) {
                report.passed.push(PassedAttack { attack, answer });
            }
        }
        report
    }

    /// The attacks that are not allowed.
    fn attacks(&self, forge: &Forge) -> Vec<Attack> {
        let mut all = forge.attacks();
        for (name, _) in &self.allowed {
            let is_known = all.iter().any(|attack| attack.name() == name)
                || cookie::attacks(forge, "at", &Method::POST).iter().any(|it| it.name() == name);
            assert!(is_known, "no attack is called {name:?}: see `attacks` for the names");
        }
        if let Some((name, method)) = &self.cookie {
            // The router reads this one.
            let own = COOKIES.iter().find(|(_, cookie)| cookie == name);
            all.retain(|attack| own.is_none_or(|(own, _)| attack.name() != *own));
            all.extend(cookie::attacks(forge, name, method));
        }
        all.retain(|attack| !self.allowed.iter().any(|(name, _)| attack.name() == name));
        all
    }

    /// The requests that must be accepted.
    fn valid(&self, forge: &Forge) -> Vec<Attack> {
        let header = Head::default().header(http::header::AUTHORIZATION, bearer(&forge.good()));
        let mut all = vec![Attack::new("valid", Check::Token, "a valid token", header)];
        if let Some((name, method)) = &self.cookie {
            all.push(cookie::good(forge, name, method));
        }
        all
    }

    fn fault(&self, valid: &Attack, answer: &Answer) -> String {
        let answer = match answer {
            Answer::Status(status) => status.to_string(),
            Answer::Failed(error) => format!("a failure: {error}"),
        };
        let (issuer, audience) = (self.issuer.issuer(), self.issuer.audience());
        match &self.cookie {
            Some((name, method)) if valid.name() == "valid_cookie" => format!(
                "a valid token in the cookie `{name}`, from a page of the same origin, got {answer} \
                 for `{method}`. Name the cookie that the service reads, and a method of the route"
            ),
            _ => format!(
                "a valid token got {answer} for `{}`. The service must trust the keys of this \
                 `TestIssuer`, with the issuer {issuer:?} and the audience {audience:?}. If the route \
                 needs scopes, or claims of a type, set them with `.token(…)`",
                self.method
            ),
        }
    }

    async fn send<S, R>(&self, service: &mut S, attack: &Attack, path: &str) -> Answer
    where
        S: Service<Request<B>, Response = Response<R>>,
        S::Error: fmt::Debug,
    {
        let request = attack.request(self.method.clone(), path).map(|()| B::default());
        if let Err(error) = poll_fn(|context| service.poll_ready(context)).await {
            return Answer::Failed(format!("{error:?}"));
        }
        match service.call(request).await {
            Ok(response) => Answer::Status(response.status()),
            Err(error) => Answer::Failed(format!("{error:?}")),
        }
    }
}

impl<B> Clone for AttackRun<B> {
    fn clone(&self) -> Self {
        Self {
            issuer: self.issuer.clone(),
            token: self.token.clone(),
            method: self.method.clone(),
            cookie: self.cookie.clone(),
            allowed: self.allowed.clone(),
            body: PhantomData,
        }
    }
}

impl<B> fmt::Debug for AttackRun<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttackRun")
            .field("issuer", &self.issuer)
            .field("token", &self.token)
            .field("method", &self.method)
            .field("cookie", &self.cookie)
            .field("allowed", &self.allowed)
            .finish()
    }
}

/// The answers that refuse a request.
const REFUSALS: [StatusCode; 3] =
    [StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
