//! The contents of an access token that is to be issued.

use std::{borrow::Cow, fmt, time::Duration};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    claims::Confirmation,
    error::{Error, ErrorKind},
    json,
    refresh::{Authentication, Session},
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
    pub(super) login: Option<Authentication>,
    pub(super) confirmation: Option<Confirmation>,
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
            login: None,
            confirmation: None,
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

    /// Sets the lifetime of the token, in whole seconds. It is at most the lifetime of the issuer,
    /// which is the default.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Sets the claims that belong to the session, whatever the application has granted: its id, the
    /// last login, and what it is bound to.
    pub(crate) fn within_session(mut self, session: &Session) -> Self {
        self.login = Some(Authentication {
            auth_time: session.auth_time(),
            acr: session.acr().map(str::to_owned),
            amr: session.amr().to_vec(),
        });
        self.confirmation = session.confirmation.as_deref().copied();
        self.session_id(session.id())
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
            "the claim `{name}` belongs to the issuer, use the methods of `Grant`, or another name"
        ))),
        None => Ok(object),
    }
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
