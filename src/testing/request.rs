//! Requests as a client, a browser or a layer makes them.

use std::mem;

use http::{
    Extensions, HeaderMap, HeaderValue, Method, Request, Uri, header::AUTHORIZATION,
    request::Builder,
};

use super::cookie_session::CookieSession;
use crate::{
    error::ErrorKind,
    response::{Challenge, ClaimsAbsent, Rejection},
    verifier::Claims,
};

/// Methods that a test needs, for [`http::request::Builder`] and [`http::Request`]. It is sealed: no
/// other type implements it.
///
/// # Example
/// ```
/// use http::{Request, header::AUTHORIZATION};
/// use tower_jwt_auth::{
///     Claims,
///     testing::{TestClaims, TestIssuer, TestRequest},
/// };
///
/// let token = TestIssuer::new().token().sign();
/// let request = Request::get("/me").bearer(&token).body(())?;
/// assert!(request.headers().contains_key(AUTHORIZATION));
///
/// let request = Request::get("/me").with_claims(TestClaims::new("ada")).body(())?;
/// let claims: &Claims = request.extensions().get().unwrap();
/// assert_eq!(claims.subject(), Some("ada"));
/// # Ok::<(), http::Error>(())
/// ```
pub trait TestRequest: sealed::Head {
    /// Sends this token in `Authorization` (RFC 6750 §2.1).
    ///
    /// # Panics
    ///
    /// The token has a byte that no header can have.
    #[must_use]
    #[track_caller]
    fn bearer(self, token: impl AsRef<str>) -> Self {
        let value = HeaderValue::try_from(format!("Bearer {}", token.as_ref()));
        let mut value = value.expect("the token has only bytes that a header can have");
        value.set_sensitive(true);
        self.change_head(|_, _, headers, _| {
            headers.insert(AUTHORIZATION, value);
        })
    }

    /// Sends this token in `Authorization` with the scheme `DPoP`, and this proof in the header `DPoP`
    /// (RFC 9449 §7.1). A [`TestProofKey`](super::TestProofKey) signs one.
    ///
    /// # Panics
    ///
    /// The token or the proof has a byte that no header can have.
    #[must_use]
    #[track_caller]
    fn dpop(self, token: impl AsRef<str>, proof: impl AsRef<str>) -> Self {
        let value = HeaderValue::try_from(format!("DPoP {}", token.as_ref()));
        let mut value = value.expect("the token has only bytes that a header can have");
        value.set_sensitive(true);
        let proof = HeaderValue::try_from(proof.as_ref());
        let proof = proof.expect("the proof has only bytes that a header can have");
        self.change_head(|_, _, headers, _| {
            headers.insert(AUTHORIZATION, value);
            headers.insert("dpop", proof);
        })
    }

    /// Sends the cookies of this session, as a browser does from a page of the same origin: those
    /// whose path fits, with `Sec-Fetch-Site: same-origin`. Set the method and the URI first.
    #[must_use]
    fn cookie_session(self, session: &CookieSession) -> Self {
        self.change_head(|method, uri, headers, _| session.add_to(method, uri, headers))
    }

    /// Makes the request one that a page of another site causes: `Sec-Fetch-Site: cross-site`, and
    /// the `Origin` of that page. Call it after [`cookie_session`](Self::cookie_session).
    #[must_use]
    fn cross_site(self) -> Self {
        self.change_head(|_, _, headers, _| {
            headers.insert("sec-fetch-site", HeaderValue::from_static("cross-site"));
            headers.insert("origin", HeaderValue::from_static("https://another-site.test"));
        })
    }

    /// Puts claims into the request, as a [`JwtAuthLayer`](crate::JwtAuthLayer) does after it has
    /// verified a token. Handlers, extractors and a [`RequireLayer`](crate::RequireLayer) take
    /// them.
    ///
    /// A `JwtAuthLayer` does not: it refuses a request without a token. Test the routes that are
    /// within it, or send a token of a [`TestIssuer`](super::TestIssuer).
    #[must_use]
    fn with_claims<C: Send + Sync + 'static>(self, claims: impl Into<Claims<C>>) -> Self {
        let claims = claims.into();
        self.change_head(|_, _, _, extensions| {
            ClaimsAbsent::<C>::remove(extensions);
            extensions.insert(claims);
        })
    }

    /// Makes the request one that a [`JwtAuthLayer`](crate::JwtAuthLayer) for claims of the type `C`
    /// lets pass without a token, because it is [`optional`](crate::JwtAuthLayer::optional):
    /// `Option<Claims<C>>` is `None`.
    #[must_use]
    fn without_claims<C: Send + Sync + 'static>(self) -> Self {
        self.change_head(|_, _, _, extensions| {
            let rejection =
                Rejection::without_request(ErrorKind::MissingToken.into(), Challenge::default());
            extensions.remove::<Claims<C>>();
            ClaimsAbsent::<C>::leave(rejection, extensions);
        })
    }
}

mod sealed {
    use http::{Extensions, HeaderMap, Method, Uri};

    #[expect(unnameable_types, reason = "it is sealed")]
    pub trait Head: Sized {
        /// Changes the head of the request. A builder that has an error stays as it is.
        fn change_head(
            self,
            change: impl FnOnce(&Method, &Uri, &mut HeaderMap, &mut Extensions),
        ) -> Self;
    }
}

impl TestRequest for Builder {}

impl<B> TestRequest for Request<B> {}

impl sealed::Head for Builder {
    fn change_head(
        mut self,
        change: impl FnOnce(&Method, &Uri, &mut HeaderMap, &mut Extensions),
    ) -> Self {
        let (Some(method), Some(uri)) = (self.method_ref().cloned(), self.uri_ref().cloned())
        else {
            return self;
        };
        let mut headers = self.headers_mut().map(mem::take).unwrap_or_default();
        if let Some(extensions) = self.extensions_mut() {
            change(&method, &uri, &mut headers, extensions);
        }
        if let Some(place) = self.headers_mut() {
            *place = headers;
        }
        self
    }
}

impl<B> sealed::Head for Request<B> {
    fn change_head(
        self,
        change: impl FnOnce(&Method, &Uri, &mut HeaderMap, &mut Extensions),
    ) -> Self {
        let (mut parts, body) = self.into_parts();
        change(&parts.method, &parts.uri, &mut parts.headers, &mut parts.extensions);
        Self::from_parts(parts, body)
    }
}
