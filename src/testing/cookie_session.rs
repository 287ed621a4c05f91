//! The cookies of a browser.

use std::{fmt, time::SystemTime};

use cookie::Cookie;
use http::{
    HeaderMap, HeaderValue, Method, Uri,
    header::{COOKIE, ORIGIN, SET_COOKIE},
};

use crate::clock::unix_seconds;

/// The cookies of a session in a browser, for
/// [`TestRequest::cookie_session`](super::TestRequest::cookie_session). `Debug` shows their names.
///
/// # Example: log in, and go on
/// ```
/// use axum::{Router, body::Body, http::Request, routing::{get, post}};
/// # use axum::{http::request::Parts, response::IntoResponse};
/// use tower::ServiceExt;
/// # use tower_jwt_auth::{extract::Subject, sessions::{Login, Sessions}};
/// use tower_jwt_auth::testing::{CookieSession, TestRequest, assert_accepted, assert_refused};
/// # fn app() -> Result<Router, tower_jwt_auth::ConfigError> {
/// #     let issuer = tower_jwt_auth::testing::TestIssuer::new().token_issuer().build()?;
/// #     let sessions = Sessions::builder(issuer).build()?;
/// #     let me = async |subject: Subject| subject.to_string();
/// #     Ok(Router::new()
/// #         .route("/me", get(me).post(me))
/// #         .route_layer(sessions.layer()?)
/// #         .route("/auth/login", post(async move |parts: Parts| {
/// #             sessions.login(&parts, Login::new("ada")).await.into_response()
/// #         })))
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let app = app()?;
/// let login = Request::post("/auth/login").cookie_session(&CookieSession::new());
/// let response = app.clone().oneshot(login.body(Body::empty())?).await?;
/// let session = CookieSession::from_headers(response.headers());
///
/// let post = || Request::post("/me").cookie_session(&session);
/// assert_accepted(&app.clone().oneshot(post().body(Body::empty())?).await?);
/// let forged = post().cross_site().body(Body::empty())?;
/// assert_refused(&app.oneshot(forged).await?, "cross_site");
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct CookieSession {
    origin: Option<HeaderValue>,
    cookies: Vec<StoredCookie>,
}

#[derive(Clone)]
struct StoredCookie {
    name: String,
    value: String,
    path: String,
}

impl CookieSession {
    /// A browser without cookies.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The cookies that the headers of a response set, such as those of a login.
    ///
    /// # Panics
    ///
    /// A `Set-Cookie` cannot be read.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let mut session = Self::new();
        session.update(headers);
        session
    }

    /// Adds a cookie for all paths. It replaces one of the same name.
    #[must_use]
    pub fn with_cookie(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.store(StoredCookie { name: name.into(), value: value.into(), path: "/".into() });
        self
    }

    /// Sets the origin of the page, such as `https://app.example.com`: requests other than `GET` and
    /// `HEAD` then have `Origin`, too. Default: they have only `Sec-Fetch-Site`.
    ///
    /// # Panics
    ///
    /// It has a byte that no header can have.
    #[must_use]
    pub fn with_origin(mut self, origin: &str) -> Self {
        let origin = HeaderValue::from_str(origin);
        self.origin = Some(origin.expect("an origin has only bytes that a header can have"));
        self
    }

    /// Takes the cookies that the headers of a response set, and drops those that they remove: with
    /// `Max-Age` of 0 or less, or with `Expires` in the past, by the clock of the system.
    ///
    /// # Panics
    ///
    /// A `Set-Cookie` cannot be read.
    pub fn update(&mut self, headers: &HeaderMap) {
        for header in headers.get_all(SET_COOKIE) {
            let text = header.to_str().expect("`Set-Cookie` is visible ASCII");
            let cookie = Cookie::parse(text).expect("`Set-Cookie` has a name and a value");
            let stored = StoredCookie {
                name: cookie.name().to_owned(),
                value: cookie.value().to_owned(),
                path: cookie.path().unwrap_or("/").to_owned(),
            };
            // `Max-Age` wins (RFC 6265 §5.3).
            let is_over = match (cookie.max_age(), cookie.expires_datetime()) {
                (Some(age), _) => !age.is_positive(),
                (None, Some(end)) => end.unix_timestamp() <= unix_seconds(SystemTime::now()),
                (None, None) => false,
            };
            if is_over {
                self.cookies.retain(|other| !other.is_same(&stored));
            } else {
                self.store(stored);
            }
        }
    }

    /// The value of a cookie.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let cookie = self.cookies.iter().find(|cookie| cookie.name == name)?;
        Some(&cookie.value)
    }

    /// The header `Cookie` of a request to this path, or `None` if no cookie has a path that fits.
    /// Use it with an HTTP client such as reqwest.
    ///
    /// # Panics
    ///
    /// A cookie has a byte that no header can have.
    #[must_use]
    pub fn cookie_header(&self, path: &str) -> Option<HeaderValue> {
        let cookies = self.cookies.iter().filter(|cookie| cookie.is_for(path));
        let pairs: Vec<_> =
            cookies.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        let value = Some(pairs.join("; ")).filter(|pairs| !pairs.is_empty())?;
        let value = HeaderValue::try_from(value);
        let mut value = value.expect("cookies have only bytes that a header can have");
        value.set_sensitive(true);
        Some(value)
    }

    /// Whether there are no cookies, such as after a logout.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cookies.is_empty()
    }

    fn store(&mut self, cookie: StoredCookie) {
        self.cookies.retain(|other| !other.is_same(&cookie));
        self.cookies.push(cookie);
    }

    /// Adds the headers that a browser sends from a page of the same origin.
    pub(super) fn add_to(&self, method: &Method, uri: &Uri, headers: &mut HeaderMap) {
        headers.insert("sec-fetch-site", HeaderValue::from_static("same-origin"));
        if let Some(origin) = &self.origin
            && !matches!(*method, Method::GET | Method::HEAD)
        {
            headers.insert(ORIGIN, origin.clone());
        }
        match self.cookie_header(uri.path()) {
            Some(value) => _ = headers.insert(COOKIE, value),
            None => _ = headers.remove(COOKIE),
        }
    }
}

impl StoredCookie {
    /// RFC 6265 §5.3, for one host.
    fn is_same(&self, other: &Self) -> bool {
        self.name == other.name && self.path == other.path
    }

    /// RFC 6265 §5.1.4.
    fn is_for(&self, path: &str) -> bool {
        let rest = path.strip_prefix(&*self.path);
        rest.is_some_and(|rest| {
            rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/')
        })
    }
}

impl fmt::Debug for CookieSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.cookies.iter().map(|cookie| &cookie.name).collect();
        f.debug_struct("CookieSession")
            .field("origin", &self.origin)
            .field("cookies", &names)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookies: &[&'static str]) -> HeaderMap {
        let all = cookies.iter().map(|cookie| (SET_COOKIE, HeaderValue::from_static(cookie)));
        let mut headers = HeaderMap::new();
        all.for_each(|(name, value)| _ = headers.append(name, value));
        headers
    }

    fn sent(session: &CookieSession, method: Method, path: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        session.add_to(&method, &Uri::from_static(path), &mut headers);
        headers
    }

    #[test]
    fn cookies_are_sent_below_their_path() {
        let mut session = CookieSession::from_headers(&headers(&[
            "__Host-at=a; Path=/; Secure; HttpOnly",
            "__Secure-rt=b; Path=/auth; Max-Age=60",
        ]));
        for (path, cookies) in [
            ("/me", "__Host-at=a"),
            ("/auth", "__Host-at=a; __Secure-rt=b"),
            ("/auth/refresh?x=/y", "__Host-at=a; __Secure-rt=b"),
            ("/author", "__Host-at=a"),
        ] {
            let headers = sent(&session, Method::GET, path);
            assert_eq!(headers[COOKIE], cookies, "{path}");
            assert_eq!(headers["sec-fetch-site"], "same-origin");
        }
        session.update(&headers(&["__Host-at=c; Path=/", "__Secure-rt=; Path=/auth; Max-Age=0"]));
        assert_eq!((session.get("__Host-at"), session.get("__Secure-rt")), (Some("c"), None));
        session.update(&headers(&[
            "__Host-at=d; Path=/; Expires=Fri, 01 Jan 2100 00:00:00 GMT",
            "other=x; Path=/; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        ]));
        assert_eq!((session.get("__Host-at"), session.get("other")), (Some("d"), Some("x")));
        session.update(&headers(&["other=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]));
        assert_eq!(session.get("other"), None);
        let shown = format!("{session:?}");
        assert!(shown.contains("__Host-at") && !shown.contains("\"d\""), "{shown}");
    }

    #[test]
    fn an_origin_is_sent_where_browsers_send_it() {
        let session = CookieSession::new().with_origin("https://app.test");
        assert!(session.is_empty());
        assert_eq!(sent(&session, Method::POST, "/")[ORIGIN], "https://app.test");
        let get = sent(&session, Method::GET, "/");
        assert!(!get.contains_key(ORIGIN) && !get.contains_key(COOKIE));
    }
}
