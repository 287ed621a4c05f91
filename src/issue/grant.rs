//! The contents of an access token that is to be issued.

use std::{borrow::Cow, fmt, time::Duration};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    claims::Confirmation,
    digest::Thumbprint,
    error::{Error, ErrorKind},
    json,
    refresh::Session,
};

/// The contents of an access token that is to be issued.
#[derive(Debug)]
#[must_use = "a grant does nothing until it is issued"]
pub struct Grant {
    pub(super) subject: String,
    pub(super) client_id: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) session_id: Option<String>,
    pub(super) lifetime: Option<Duration>,
    pub(super) auth_time: Option<i64>,
    pub(super) acr: Option<String>,
    pub(super) amr: Vec<String>,
    pub(super) jkt: Option<Thumbprint>,
    pub(super) x5t_s256: Option<Thumbprint>,
    pub(super) claims: Result<OwnClaims, Error>,
}

/// Claims of the application. `Debug` does not show their values.
#[derive(Default, Serialize)]
#[serde(transparent)]
pub(super) struct OwnClaims(Map<String, Value>);

impl fmt::Debug for OwnClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Grant {
    /// A grant for this subject: `sub`.
    pub fn new(subject: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            client_id: None,
            scope: None,
            session_id: None,
            lifetime: None,
            auth_time: None,
            acr: None,
            amr: Vec::new(),
            jkt: None,
            x5t_s256: None,
            claims: Ok(OwnClaims::default()),
        }
    }

    /// A grant with the subject, client, scope and id of a session. [`Sessions`] add when and how its
    /// user has logged in.
    ///
    /// [`Sessions`]: crate::sessions::Sessions
    pub fn of_session(session: &Session) -> Self {
        Self {
            client_id: session.client_id().map(str::to_owned),
            scope: session.scope().map(str::to_owned),
            ..Self::new(session.subject()).session_id(session.id())
        }
    }

    /// Sets the client that requests the token: `client_id`. Default: the client of the issuer.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// Sets the scope: words separated by spaces (RFC 6749 §3.3). Default: none.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into()).filter(|scope| !scope.is_empty());
        self
    }

    /// Sets the session that the token belongs to: `sid`. Default: none.
    pub fn session_id(mut self, session_id: impl Into<String>) -> Self {
        self.session_id = Some(session_id.into());
        self
    }

    /// Sets the time at which the user was authenticated, in seconds since 1970-01-01T00:00:00Z:
    /// `auth_time` (RFC 9068 §2.2.1). A time in the future counts as now. Default: none.
    ///
    /// Within [`Sessions`], this, [`acr`](Self::acr), [`amr`](Self::amr), [`jkt`](Self::jkt) and
    /// [`x5t_s256`](Self::x5t_s256) are those of the session, whatever the grant says.
    ///
    /// [`Sessions`]: crate::sessions::Sessions
    pub fn auth_time(mut self, seconds: i64) -> Self {
        self.auth_time = Some(seconds);
        self
    }

    /// Sets the authentication context of the login, such as `phr`: `acr` (RFC 9068 §2.2.1), which
    /// [`StepUp`](crate::authorize::StepUp) reads. Default: none.
    pub fn acr(mut self, acr: impl Into<String>) -> Self {
        self.acr = Some(acr.into()).filter(|acr| !acr.is_empty());
        self
    }

    /// Sets the methods of the login, such as `pwd` and `otp` (RFC 8176): `amr`. Default: none.
    pub fn amr<S: Into<String>>(mut self, methods: impl IntoIterator<Item = S>) -> Self {
        self.amr = methods.into_iter().map(Into::into).collect();
        self
    }

    /// Binds the token to a key, by its [thumbprint](crate::proof::Thumbprint): `cnf.jkt` (RFC 9449 §6.1).
    /// The `token_type` of the answer is then `DPoP` (§5). Default: the token is not bound.
    ///
    /// # Security
    ///
    /// The client must have proven that it has the key:
    /// [`DPoP::verify_token_request`](crate::proof::DPoP::verify_token_request) checks the proof, and gives
    /// the thumbprint.
    pub fn jkt(mut self, thumbprint: Thumbprint) -> Self {
        self.jkt = Some(thumbprint);
        self
    }

    /// Binds the token to a client certificate, by the SHA-256 of its DER: `cnf.x5t#S256` (RFC 8705 §3.1).
    /// The `token_type` of the answer stays `Bearer`. Default: the token is not bound.
    ///
    /// # Security
    ///
    /// The connection of the request must have this certificate:
    /// [`MutualTls::verify_token_request`](crate::proof::MutualTls::verify_token_request) finds it, and
    /// gives the thumbprint.
    pub fn x5t_s256(mut self, thumbprint: Thumbprint) -> Self {
        self.x5t_s256 = Some(thumbprint);
        self
    }

    /// Sets the lifetime of the token, in whole seconds. It is at most the lifetime of the issuer,
    /// which is the default.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Sets the claims that belong to the session, whatever the application has granted: its id, the
    /// last login, and what it is bound to.
    pub(crate) fn within_session(mut self, session: &Session) -> Self {
        self.auth_time = Some(session.auth_time());
        self.acr = session.acr().map(str::to_owned);
        self.amr = session.amr().to_vec();
        (self.jkt, self.x5t_s256) = (session.jkt(), session.x5t_s256());
        self.session_id(session.id())
    }

    /// The key and the certificate that the token is bound to.
    pub(super) fn confirmation(&self) -> Option<Confirmation> {
        Confirmation::new(self.jkt, self.x5t_s256)
    }

    /// Limits the lifetime.
    pub(crate) fn at_most(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(self.lifetime.map_or(lifetime, |other| other.min(lifetime)));
        self
    }

    /// Adds the application's own claims, such as `name` or `roles`. They must serialize to a
    /// JSON object.
    ///
    /// # Security
    ///
    /// Anybody who has the token can read them.
    pub fn claims(mut self, claims: &impl Serialize) -> Self {
        self.claims = self.claims.and_then(|OwnClaims(mut all)| {
            all.extend(own_claims(claims)?);
            Ok(OwnClaims(all))
        });
        self
    }
}

/// The claims as an object without the names of the issuer's claims.
fn own_claims(claims: &impl Serialize) -> Result<Map<String, Value>, Error> {
    // A `Map` would hide a repeated name, so the claims are read again from their text.
    let text = serde_json::to_string(claims)
        .map_err(|_| refused("the claims cannot be serialized as JSON"))?;
    let object = json::object::<Map<String, Value>>(&text)
        .ok_or_else(|| refused("the claims are not a JSON object, or repeat a name"))?;
    match object.keys().find(|name| RESERVED.contains(&name.as_str())) {
        Some(name) => Err(refused(format!(
            "the claim `{name}` belongs to the issuer, {}",
            match method(name) {
                Some(method) => format!("set it with `Grant::{method}`"),
                None => "give yours another name".to_owned(),
            }
        ))),
        None => Ok(object),
    }
}

/// The method that sets a claim, if there is one.
fn method(claim: &str) -> Option<&'static str> {
    Some(match claim {
        "sub" => "new",
        "exp" => "lifetime",
        "client_id" => "client_id",
        "scope" | "scp" => "scope",
        "sid" => "session_id",
        "auth_time" => "auth_time",
        "acr" => "acr",
        "amr" => "amr",
        "cnf" => "jkt` or `Grant::x5t_s256",
        _ => return None,
    })
}

#[cold]
pub(super) fn refused(reason: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Issue { reason: reason.into() })
}

/// The names that the issuer writes, or that have a meaning for a verifier.
const RESERVED: [&str; 22] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "client_id",
    "scope",
    "scp",
    "sid",
    "cnf",
    "acr",
    "amr",
    "auth_time",
    "azp",
    "cid",
    "appid",
    "act",
    "may_act",
    "nonce",
    "events",
];
