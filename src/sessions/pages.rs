//! Pages without scripts: a layer that sends a browser to the route that renews its session.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderValue, Method, Request, Response, header};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Sessions,
    renew::{has_expired, is_navigation, see_other},
    return_path::ReturnPath,
};
use crate::{csrf::said, verifier::Verification};

/// Renews the sessions of browsers that open pages without scripts; made by
/// [`Sessions::page_layer`].
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it wraps a service"]
pub struct PageLayer(Sessions);

impl Sessions {
    /// Makes a layer for pages that do not refresh by a script. It must be outside of
    /// [`layer`](Self::layer), and needs the route of [`renew_service`](Self::renew_service).
    ///
    /// # Rules
    ///
    /// 1. A browser opens a page (`GET` with `Sec-Fetch-Mode: navigate` and `Sec-Fetch-Dest:
    ///    document`) and has a session, but its access token is missing or expired. Then it is
    ///    sent to the route that renews, below the path of the refresh cookie, and comes back
    ///    with new cookies. This takes two redirects (303).
    /// 2. A browser that sends a form from a page of the same origin in that state is sent to the
    ///    same route, which asks its user to send the form again. The service does not see the
    ///    form.
    /// 3. All other requests pass: those of scripts, images and frames, a page that is fetched
    ///    ahead (`Sec-Purpose`), requests with `Authorization`, and browsers that do not send
    ///    `Sec-Fetch-Mode`.
    /// 4. A browser that comes back without new cookies is not sent again for 10 s, so redirects
    ///    do not go in circles. This is also so if the session cannot be renewed, such as when the
    ///    store does not answer or the [grant](super::SessionsBuilder::grant) refuses: the page then
    ///    answers as it does a guest.
    ///
    /// The access token's cookie is `SameSite=Lax`, and the other two are `SameSite=Strict`: a
    /// browser that follows a link from another site sends only the first one. If the access token
    /// has expired, this browser is not renewed, and sees the page as a guest does. It is renewed
    /// when it opens the next page from this site.
    ///
    /// The layer must see the path that the browser has asked for: put it on the outermost router.
    /// Inside of `nest`, the prefix is missing.
    /// It does nothing with cookies [without
    /// `SameSite`](crate::issue::TokenCookiesBuilder::without_same_site), with
    /// [`dpop_in_browsers`](super::SessionsBuilder::dpop_in_browsers), because a browser that opens a page
    /// sends no proof, and over plain `http` in a local
    /// network, where browsers do not send `Sec-Fetch-Mode`.
    ///
    /// # Example
    /// ```
    /// use axum::{Router, routing::get};
    /// use tower_jwt_auth::{ConfigError, extract::Subject, sessions::Sessions};
    ///
    /// fn app(sessions: &Sessions) -> Result<Router, ConfigError> {
    ///     Ok(Router::new()
    ///         .route("/account", get(async |user: Subject| format!("hello {user}")))
    ///         .route_layer(sessions.layer()?)
    ///         .route_layer(sessions.page_layer()) // outside
    ///         .route_service(sessions.renew_path(), sessions.renew_service()))
    /// }
    /// ```
    pub fn page_layer(&self) -> PageLayer {
        PageLayer(self.clone())
    }

    /// Decides about a request before its token is looked at.
    fn page_step<B>(&self, request: &Request<B>) -> PageStep {
        let (cookies, headers) = (&self.0.cookies, request.headers());
        let renew = self.renew_path();
        if self.0.dpop_in_browsers
            || !is_navigation(headers)
            || headers.contains_key(header::AUTHORIZATION)
            || !cookies.may_renew(headers)
        {
            return PageStep::Forward;
        }
        let target = match *request.method() {
            Method::GET => ReturnPath::of(request.uri(), renew)
                .map(|path| format!("{renew}?to={}", path.encoded())),
            Method::POST if said(headers, "sec-fetch-site") == Some("same-origin") => {
                let page = ReturnPath::of_referer(headers, renew)
                    .or_else(|| ReturnPath::of(request.uri(), renew))
                    .unwrap_or_else(ReturnPath::start);
                Some(format!("{renew}?again={}", page.encoded()))
            }
            _ => None,
        };
        let Some(target) = target.and_then(|text| HeaderValue::try_from(text).ok()) else {
            return PageStep::Forward;
        };
        match cookies.find_access(headers) {
            Ok(None) => PageStep::Renew(target),
            Ok(Some(token)) => {
                PageStep::Verify(self.0.verifier.verify(token), target, self.0.issuer.now())
            }
            // The layer within refuses it, or removes it.
            Err(_) => PageStep::Forward,
        }
    }
}

/// The decision on a request.
enum PageStep {
    Forward,
    /// The browser is sent there.
    Renew(HeaderValue),
    /// The browser is sent there if the token has expired at this time.
    Verify(Verification, HeaderValue, i64),
}

impl<S> Layer<S> for PageLayer {
    type Service = Pages<S>;

    fn layer(&self, inner: S) -> Pages<S> {
        Pages { inner, sessions: self.0.clone() }
    }
}

/// A service behind [`PageLayer`].
#[derive(Clone)]
pub struct Pages<S> {
    inner: S,
    sessions: Sessions,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Pages<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ResBody: Default,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = PageFuture<S, ReqBody>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let state = match self.sessions.page_step(&request) {
            PageStep::Forward => State::Forward { future: self.inner.call(request) },
            PageStep::Renew(target) => State::Renew { target: Some(target) },
            PageStep::Verify(verification, target, now) => {
                // The service that `poll_ready` made ready goes into the future. Its clone stays,
                // and is polled before it is called.
                let clone = self.inner.clone();
                let ready = mem::replace(&mut self.inner, clone);
                let parked = Some(Box::new((ready, request)));
                State::Verify { verification, target: Some(target), now, parked }
            }
        };
        PageFuture { state }
    }
}

impl<S: fmt::Debug> fmt::Debug for Pages<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("inner", &self.inner).finish_non_exhaustive()
    }
}

pin_project! {
    /// The response of [`Pages`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it before it is done drops the inner service's response.
    #[must_use = "a future does nothing unless it is polled"]
    pub struct PageFuture<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, ReqBody>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        Forward { #[pin] future: S::Future },
        Renew { target: Option<HeaderValue> },
        Verify {
            verification: Verification,
            target: Option<HeaderValue>,
            now: i64,
            parked: Option<Box<(S, Request<ReqBody>)>>,
        },
    }
}

impl<S, ReqBody, ResBody> Future for PageFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Default,
{
    type Output = Result<Response<ResBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProj::Forward { future } => return future.poll(context),
                StateProj::Renew { target } => {
                    let target = target.take().expect("a future is not polled when it is done");
                    return Poll::Ready(Ok(see_other(target)));
                }
                StateProj::Verify { verification, target, now, parked } => {
                    let verified = ready!(Pin::new(verification).poll(context));
                    if has_expired(&verified, *now) {
                        State::Renew { target: target.take() }
                    } else {
                        let parked = parked.take().expect("taken once, when the state changes");
                        let (mut service, request) = *parked;
                        State::Forward { future: service.call(request) }
                    }
                }
            };
            this.state.set(next);
        }
    }
}

impl<S, ReqBody> fmt::Debug for PageFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageFuture").finish_non_exhaustive()
    }
}
