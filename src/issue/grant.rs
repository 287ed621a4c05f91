//! What an access token is to say.

use std::{borrow::Cow, fmt, time::Duration};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::refresh::Session;
use crate::{
    error::{Error, ErrorKind},
    json,
};

/// What an access token is to say.
#[derive(Debug)]
#[must_use = "a grant does nothing until it is issued"]
pub struct Grant {
    pub(super) subject: String,
    pub(super) client_id: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) session_id: Option<String>,
    pub(super) lifetime: Option<Duration>,
    pub(super) claims: Result<OwnClaims, Error>,
}

/// Claims of the application, whose values `Debug` does not show.
#[derive(Default, Serialize)]
#[serde(transparent)]
pub(super) struct OwnClaims(Map<String, Value>);

impl fmt::Debug for OwnClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Grant {
    /// A token for this subject: `sub`.
    pub fn new(subject: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            client_id: None,
            scope: None,
            session_id: None,
            lifetime: None,
            claims: Ok(OwnClaims::default()),
        }
    }

    /// A token for the subject, client and scope of a session, and its id.
    pub fn of_session(session: &Session) -> Self {
        Self {
            client_id: session.client_id().map(str::to_owned),
            scope: session.scope().map(str::to_owned),
            ..Self::new(session.subject()).session_id(session.id())
        }
    }

    /// The client that asks for it: `client_id`. Default: that of the issuer.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// The scope that is granted: words parted by blanks (RFC 6749 §3.3). Default: none.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into()).filter(|scope| !scope.is_empty());
        self
    }

    /// The session that it belongs to: `sid`. Default: none.
    pub fn session_id(mut self, session_id: impl Into<String>) -> Self {
        self.session_id = Some(session_id.into());
        self
    }

    /// How long it lasts, in whole seconds: no longer than the issuer has it. Default: so
    /// long.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// The same, if that is less.
    pub(crate) fn at_most(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(self.lifetime.map_or(lifetime, |other| other.min(lifetime)));
        self
    }

    /// The application's own claims, such as `name` or `roles`: what serializes to a JSON
    /// object. Called again, it adds to them.
    ///
    /// # Security
    ///
    /// Whoever has the token can read them.
    pub fn claims(mut self, claims: &impl Serialize) -> Self {
        self.claims = self.claims.and_then(|OwnClaims(mut all)| {
            all.extend(own_claims(claims)?);
            Ok(OwnClaims(all))
        });
        self
    }
}

/// The claims as an object that has no name of the issuer's.
fn own_claims(claims: &impl Serialize) -> Result<Map<String, Value>, Error> {
    // By way of a text, for that shows a name that stands in it twice.
    let text =
        serde_json::to_string(claims).map_err(|_| refused("the claims do not go into JSON"))?;
    let object = json::object::<Map<String, Value>>(&text)
        .ok_or_else(|| refused("the claims are no JSON object, or have a name twice"))?;
    match object.keys().find(|name| RESERVED.contains(&name.as_str())) {
        Some(name) => Err(refused(format!(
            "the claim `{name}` is the issuer's own, use the methods of `Grant`, or another name"
        ))),
        None => Ok(object),
    }
}

#[cold]
pub(super) fn refused(reason: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Issue { reason: reason.into() })
}

/// The names that the issuer writes, or that a verifier gives a meaning to.
const RESERVED: [&str; 19] = [
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
    "azp",
    "cid",
    "appid",
    "act",
    "may_act",
    "nonce",
    "events",
];
