//! Why a request or a token was refused, and why a configuration is invalid.
//!
//! | type | use |
//! |---|---|
//! | [`Error`] | why a request or a token was refused; in the response's extensions, and returned by [`Verifier::verify`](crate::Verifier::verify) |
//! | [`ErrorKind`] | the kind of an `Error`, to use in a `match`; it contains [`InvalidRequest`], [`JsonFault`], [`ProofFault`], [`CertificateFault`] or [`McpFault`] |
//! | [`ConfigError`] | a setting is missing or invalid; returned by `build()` when the service starts |
//! | [`StoreError`] | a store of refresh tokens or a denylist cannot answer; a store of your own returns it |
//! | [`FetchError`], [`FetchErrorKind`] | why the keys of an identity provider were not fetched |
//! | [`BoxError`] | any error in a box, as in tower |
//!
//! No error has a token, a key, a cookie or the value of a claim in its text.

mod config;
mod detail;
#[cfg(test)]
mod each_kind;
mod fetch;
mod kind;
mod mcp;
mod proof;
mod store;

use std::{
    borrow::Cow,
    error::Error as StdError,
    fmt, mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http::StatusCode;

#[cfg(test)]
pub(crate) use self::each_kind::each_kind;
pub use self::{
    config::ConfigError,
    fetch::{FetchError, FetchErrorKind},
    kind::{ErrorKind, InvalidRequest},
    mcp::McpFault,
    proof::{CertificateFault, ProofFault},
    store::StoreError,
};
pub(crate) use self::{
    detail::{Detail, list},
    kind::{Class, UNAUTHENTICATED, seconds_up},
};
pub use crate::json::JsonFault;

/// Any error, in a box, as in tower.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// Why a request or a token was refused.
///
/// One word in size and cheap to clone. [`Error::kind`] says what happened, and the `is_*`
/// questions what it means.
///
/// # Formatting
///
/// `Display` prints this level only, in lower case and without a full stop. It
/// is meant for logs, its wording may change in any release, and it never has
/// a token, a key, a cookie or the value of a claim in it.
///
/// # Source
///
/// The error of an application's own rule is the [`source`](StdError::source).
#[derive(Clone)]
pub struct Error(Option<Arc<ErrorInner>>);

/// The kind of an error without an allocation: a missing token, the most frequent one.
static MISSING: ErrorKind = ErrorKind::MissingToken;

struct ErrorInner {
    kind: ErrorKind,
    source: Option<BoxError>,
    detail: Option<Box<Detail>>,
    /// Whether the operator was told of its cause already.
    told: AtomicBool,
}

impl Error {
    #[cold]
    pub(crate) fn new(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::MissingToken => Self(None),
            kind => Self(Some(Arc::new(ErrorInner {
                kind,
                source: None,
                detail: None,
                told: AtomicBool::new(false),
            }))),
        }
    }

    #[cold]
    pub(crate) fn with_source(kind: ErrorKind, source: impl Into<BoxError>) -> Self {
        let (source, told) = (Some(source.into()), AtomicBool::new(false));
        Self(Some(Arc::new(ErrorInner { kind, source, detail: None, told })))
    }

    #[cold]
    pub(crate) fn missing_claim(name: &'static str) -> Self {
        Self::new(ErrorKind::MissingClaim(Cow::Borrowed(name)))
    }

    /// A service that asks for the claims `C` without the layer for them.
    #[cold]
    pub(crate) fn missing_layer<C>() -> Self {
        Self::new(Self::no_layer_for::<C>())
    }

    /// A service that asks for the claims `C` inside a layer for others.
    #[cold]
    pub(crate) fn layer_of_another_type<C>() -> Self {
        let claims = std::any::type_name::<C>();
        let cause = format!(
            "a layer for another type of claims wraps this service: build its verifier with \
             `.claims::<{claims}>()`, or ask for `Claims`"
        );
        Self::with_source(Self::no_layer_for::<C>(), cause)
    }

    /// A service that asks for the claims `C`, which several layers have and none is for.
    #[cold]
    pub(crate) fn several_layers<C>() -> Self {
        let cause = "several layers for different types of claims wrap this service: ask for the \
                     type of one, as in `Claims<User>` or `RequireLayer::for_claims`";
        Self::with_source(Self::no_layer_for::<C>(), cause)
    }

    fn no_layer_for<C>() -> ErrorKind {
        ErrorKind::MissingLayer { layer: "JwtAuthLayer", claims: std::any::type_name::<C>() }
    }

    /// The operator knows of the cause: the requests that fail with it need no event each.
    pub(crate) fn set_told(&self) {
        if let Some(inner) = &self.0 {
            inner.told.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_told(&self) -> bool {
        self.0.as_ref().is_some_and(|inner| inner.told.load(Ordering::Relaxed))
    }

    /// Verified claims that do not allow this: 403 `insufficient_scope`. `policy` says to the
    /// operator what is missing, and is not sent to the client.
    ///
    /// As the [`Rejection`](crate::response::Rejection) of an axum handler, it has the challenge and
    /// the format of the layer around, and is one event. In a rule, use
    /// [`RuleError::forbidden`](crate::verifier::RuleError::forbidden).
    ///
    /// # Example
    /// ```
    /// use tower_jwt_auth::{Claims, Error, response::Rejection};
    ///
    /// async fn close(account: u64, claims: Claims) -> Result<(), Rejection> {
    ///     if claims.get("accounts").is_none_or(|own: Vec<u64>| !own.contains(&account)) {
    ///         return Err(Error::forbidden("an account of somebody else").into());
    ///     }
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    #[cold]
    pub fn forbidden(policy: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Forbidden { policy: policy.into() })
    }

    /// The error with what its event says besides the kind. An error that is shared stays as it
    /// is: its first owner knew more.
    #[cold]
    pub(crate) fn with_detail(mut self, detail: Detail) -> Self {
        if let Some(inner) = self.0.as_mut().and_then(Arc::get_mut) {
            inner.detail = Some(Box::new(detail));
        }
        self
    }

    pub(crate) fn detail(&self) -> Option<&Detail> {
        self.0.as_ref()?.detail.as_deref()
    }

    /// The error without what the token says: nobody knows yet who has signed it.
    #[cold]
    pub(crate) fn without_values(mut self) -> Self {
        if let ErrorKind::MalformedClaims { claim: Some(Cow::Owned(_)), fault } = self.kind() {
            return Self::new(ErrorKind::MalformedClaims { claim: None, fault: *fault });
        }
        if let Some(detail) =
            self.0.as_mut().and_then(Arc::get_mut).and_then(|inner| inner.detail.as_mut())
        {
            **detail = mem::take(&mut **detail).without_token();
        }
        self
    }

    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        self.0.as_ref().map_or(&MISSING, |inner| &inner.kind)
    }

    /// Whether the request had no token at all.
    #[must_use]
    pub fn is_missing_token(&self) -> bool {
        self.kind().class() == Class::NoToken
    }

    /// Whether the token itself was at fault: `invalid_token` of RFC 6750 §3.1.
    #[must_use]
    pub fn is_invalid_token(&self) -> bool {
        self.kind().class() == Class::InvalidToken
    }

    /// Whether what is at fault is the token, or how it was sent.
    pub(crate) fn is_bad_token(&self) -> bool {
        matches!(self.kind().class(), Class::InvalidToken | Class::InvalidRequest)
    }

    /// Whether the token can never verify again, whatever the time, the keys and the
    /// configuration are one day. A kind that is not named here may: a signature that is invalid
    /// today is valid once its key is configured.
    pub(crate) fn is_final(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::InvalidRequest(InvalidRequest::MalformedCredentials)
                | ErrorKind::MalformedToken
                | ErrorKind::Encrypted
                | ErrorKind::Unsigned
                | ErrorKind::MalformedHeader { .. }
                | ErrorKind::MalformedClaims { .. }
                | ErrorKind::Revoked
        )
    }

    /// Whether the token was valid and does not allow the request: `insufficient_scope` of
    /// RFC 6750 §3.1.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.kind().class() == Class::InsufficientScope
    }

    /// Whether the fault lies with the server and not with the request.
    #[must_use]
    pub fn is_server_fault(&self) -> bool {
        matches!(self.kind().class(), Class::Unavailable | Class::Failed)
    }

    /// The status that answers it, unless the request is one of a
    /// [guest](crate::JwtAuthLayer::optional): see
    /// [`Rejection::status`](crate::response::Rejection::status).
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status_as(self.kind().class())
    }

    /// The status where the error means this to the client.
    pub(crate) fn status_as(&self, class: Class) -> StatusCode {
        match class {
            Class::NoToken
            | Class::InvalidToken
            | Class::InvalidGrant
            | Class::InvalidProof
            | Class::UseNonce
            | Class::UserAuthentication => StatusCode::UNAUTHORIZED,
            Class::InvalidRequest => match self.kind() {
                ErrorKind::InvalidRequest(InvalidRequest::LateBody) => StatusCode::REQUEST_TIMEOUT,
                ErrorKind::InvalidRequest(InvalidRequest::MediaType) => {
                    StatusCode::UNSUPPORTED_MEDIA_TYPE
                }
                _ => StatusCode::BAD_REQUEST,
            },
            Class::InsufficientScope | Class::CrossSite => StatusCode::FORBIDDEN,
            Class::Message => match self.kind() {
                ErrorKind::Mcp(fault) => fault.status(),
                _ => StatusCode::BAD_REQUEST,
            },
            Class::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Class::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Class::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The [status code of gRPC] that answers it: see [`Grpc`](crate::response::Grpc) for the table. A
    /// method of a service that has come by an error, such as that of a
    /// [`Policy`](crate::authorize::Policy), makes its status of it.
    ///
    /// # Example
    /// ```
    /// use tower_jwt_auth::Error;
    ///
    /// let error = Error::forbidden("an account of somebody else");
    /// assert_eq!(error.grpc_code(), 7); // PERMISSION_DENIED
    /// // With tonic: `Status::new(Code::from(error.grpc_code()), "…")`
    /// ```
    ///
    /// [status code of gRPC]: https://grpc.io/docs/guides/status-codes/
    #[must_use]
    pub fn grpc_code(&self) -> i32 {
        self.kind().class().grpc_code()
    }

    /// The error code of RFC 6750 §3.1 or, of a refresh token, of RFC 6749 §5.2, if the
    /// answer has one.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        match self.kind() {
            ErrorKind::InvalidRequest(InvalidRequest::GrantType) => Some("unsupported_grant_type"),
            ErrorKind::InvalidRequest(InvalidRequest::Scope) => Some("invalid_scope"),
            kind => kind.class().code(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind().fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Error").field(self.kind()).finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0.as_ref()?.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_error_is_one_word() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn a_value_of_a_wrong_type_is_told_with_what_it_must_be() {
        let fault = JsonFault::WrongType;
        for (name, must) in [
            ("exp", "must be a JSON number, the seconds since 1970"),
            ("aud", "must be a JSON string or an array of strings"),
            ("sub", "must be a JSON string"),
        ] {
            let error = ErrorKind::MalformedClaims { claim: Some(name.into()), fault };
            assert!(error.to_string().ends_with(must), "{error}");
        }
        let error = ErrorKind::MalformedHeader { member: Some("kid"), fault };
        assert!(error.to_string().ends_with("must be a JSON string of 1 to 256 bytes"), "{error}");
    }

    #[test]
    fn seconds_are_rounded_up() {
        let millis = [0, 1, 1000, 1001, u64::MAX].map(Duration::from_millis);
        assert_eq!(millis.map(seconds_up)[..4], [1, 1, 1, 2]);
        assert_eq!(seconds_up(Duration::MAX), u64::MAX);
    }

    #[test]
    fn traits() {
        fn check<T: Send + Sync + Unpin + Clone + StdError>() {}
        check::<Error>();
    }

    #[test]
    fn the_source_is_kept_and_not_printed() {
        let error = Error::with_source(ErrorKind::Failed, "database password is hunter2");
        assert!(!error.to_string().contains("hunter2"));
        assert!(!format!("{error:?}").contains("hunter2"));
        assert!(error.source().is_some());
        assert!(error.is_server_fault());
    }
}
