//! The registered claims of a verified token.

use std::fmt;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};
use serde_json::value::RawValue;

use super::{
    audience::{Audience, KeptAudience},
    confirmation::{Confirmation, RawConfirmation},
    path::{ClaimPath, Misplaced},
    payload_str::PayloadStr,
    raw::{RawClaims, Reading},
    scope::{KeptScope, ScopeSet},
    time::{NumericDate, Times},
};
use crate::json::Text;

/// The claims that RFC 7519 §4.1 and RFC 9068 §2.2 give a meaning to, and the
/// way to all others.
///
/// Strings are shared with the payload, which is kept: reading them allocates nothing.
/// It reads a payload as a whole, so it cannot be a `#[serde(flatten)]` field of
/// another type, nor need it be:
/// [`Claims::registered`](crate::Claims::registered) has it beside every type.
#[derive(Clone)]
pub struct RegisteredClaims {
    payload: Box<str>,
    iss: Option<PayloadStr>,
    sub: Option<PayloadStr>,
    jti: Option<PayloadStr>,
    client_id: Option<PayloadStr>,
    sid: Option<PayloadStr>,
    aud: KeptAudience,
    times: Times,
    scope: KeptScope,
    scp: KeptScope,
    /// In a box, because few tokens have one.
    confirmation: Option<Box<Confirmation>>,
}

impl RegisteredClaims {
    /// The issuer (`iss`, RFC 7519 §4.1.1).
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.text(self.iss.as_ref())
    }

    /// The subject (`sub`, RFC 7519 §4.1.2): unique within its issuer.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.text(self.sub.as_ref())
    }

    /// The recipients (`aud`, RFC 7519 §4.1.3).
    #[must_use]
    pub fn audience(&self) -> Audience<'_> {
        Audience { payload: &self.payload, members: &self.aud }
    }

    /// When the token expires (`exp`, RFC 7519 §4.1.4). A connection that
    /// outlives its request, such as a WebSocket, should end then.
    #[must_use]
    pub fn expires_at(&self) -> Option<NumericDate> {
        self.times.exp
    }

    /// Before when the token is not valid (`nbf`, RFC 7519 §4.1.5).
    #[must_use]
    pub fn not_before(&self) -> Option<NumericDate> {
        self.times.nbf
    }

    /// When the token was issued (`iat`, RFC 7519 §4.1.6).
    #[must_use]
    pub fn issued_at(&self) -> Option<NumericDate> {
        self.times.iat
    }

    /// The token's id (`jti`, RFC 7519 §4.1.7).
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.text(self.jti.as_ref())
    }

    /// The client that asked for the token (`client_id`, RFC 8693 §4.3).
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.text(self.client_id.as_ref())
    }

    /// The session at the issuer (`sid`, OpenID Connect Front-Channel Logout
    /// 1.0 §3).
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.text(self.sid.as_ref())
    }

    /// The scopes (`scope`, RFC 8693 §4.2, and `scp`).
    #[must_use]
    pub fn scopes(&self) -> ScopeSet<'_> {
        ScopeSet { payload: &self.payload, claims: [&self.scope, &self.scp] }
    }

    /// The authentication context of the login (`acr`, RFC 9068 §2.2.1), such as `phr`. `None` if
    /// the claim is missing or not a string. Each call reads the payload again.
    #[must_use]
    pub fn acr(&self) -> Option<String> {
        self.get("acr")
    }

    /// The methods of the login (`amr`, RFC 8176), such as `pwd` and `otp`. `None` if the claim is
    /// missing or not an array of strings. Each call reads the payload again.
    #[must_use]
    pub fn amr(&self) -> Option<Vec<String>> {
        self.get("amr")
    }

    /// The time at which the user logged in (`auth_time`, RFC 9068 §2.2.1). `None` if the claim is
    /// missing or not a number. Each call reads the payload again.
    #[must_use]
    pub fn auth_time(&self) -> Option<NumericDate> {
        self.get("auth_time")
    }

    /// The claim at `path` as a `T`, or `None` if the token does not have it or it does not fit.
    /// Each call reads the payload again.
    ///
    /// # Example: roles as Keycloak writes them
    /// ```
    /// use tower_jwt_auth::RegisteredClaims;
    ///
    /// # fn roles(claims: &RegisteredClaims) -> Vec<String> {
    /// claims.get::<Vec<String>>("realm_access.roles").unwrap_or_default()
    /// # }
    /// # let claims = serde_json::from_str(r#"{"realm_access":{"roles":["a"]}}"#).unwrap();
    /// # assert_eq!(roles(&claims), ["a"]);
    /// ```
    #[must_use]
    pub fn get<T: DeserializeOwned>(&self, path: impl Into<ClaimPath>) -> Option<T> {
        path.into().read(&self.payload)
    }

    /// The value at a path; `None` if it is absent, and an error if there is something else.
    pub(crate) fn at<T>(&self, path: &ClaimPath) -> Result<Option<T>, Misplaced>
    where
        T: DeserializeOwned,
    {
        path.find(&self.payload)
    }

    /// The client, by the first of the claims that may name it.
    pub(crate) fn client(&self) -> Option<String> {
        let elsewhere = || ["azp", "cid", "appid"].iter().find_map(|name| self.get(*name));
        self.client_id().map(String::from).or_else(elsewhere)
    }

    /// The claims of `payload`, which is still borrowed by `raw`.
    #[inline]
    pub(crate) fn from_raw(raw: &RawClaims<'_>, payload: &str) -> WithoutPayload {
        let keep =
            |text: &Option<Text<'_>>| text.as_deref().map(|text| PayloadStr::new(text, payload));
        // An empty name is the name of nothing.
        let name = |text: &Option<Text<'_>>| {
            let text = text.as_deref().filter(|text| !text.is_empty());
            text.map(|text| PayloadStr::new(text, payload))
        };
        WithoutPayload(Self {
            iss: keep(&raw.iss),
            sub: name(&raw.sub),
            jti: name(&raw.jti),
            client_id: keep(&raw.client_id),
            sid: name(&raw.sid),
            aud: KeptAudience::new(raw.aud.as_ref(), payload),
            times: raw.times,
            scope: KeptScope::new(raw.scope.as_ref(), payload),
            scp: KeptScope::new(raw.scp.as_ref(), payload),
            confirmation: match raw.cnf {
                RawConfirmation::Known(known) => Some(Box::new(known)),
                RawConfirmation::Absent | RawConfirmation::Other => None,
            },
            payload: Box::default(),
        })
    }

    /// By what the sender confirms that the token is theirs, if all of it is known.
    #[inline]
    pub(crate) fn confirmation(&self) -> Option<&Confirmation> {
        self.confirmation.as_deref()
    }

    /// The same claims, if nobody checks their confirmation.
    #[cold]
    pub(crate) fn without_confirmation(mut self) -> Self {
        self.confirmation = None;
        self
    }

    /// When the token is valid.
    pub(crate) fn times(&self) -> Times {
        self.times
    }

    /// The payload that they were read from.
    pub(crate) fn payload(&self) -> &str {
        &self.payload
    }

    fn text<'a>(&'a self, text: Option<&'a PayloadStr>) -> Option<&'a str> {
        text.map(|text| text.get(&self.payload))
    }
}

/// Claims that lack the payload which their strings point into.
pub(crate) struct WithoutPayload(RegisteredClaims);

impl WithoutPayload {
    /// Adds the payload that they were read from.
    #[inline]
    pub(crate) fn with_payload(mut self, payload: Box<str>) -> RegisteredClaims {
        self.0.payload = payload;
        self.0
    }
}

impl<'de> Deserialize<'de> for RegisteredClaims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let payload = Box::<RawValue>::deserialize(deserializer)?;
        let payload: Box<str> = payload.into();
        let malformed = || D::Error::custom("the registered claims are malformed");
        let mut raw = RawClaims::default();
        raw.read(&payload, Reading::default()).map_err(|_| malformed())?;
        let claims = Self::from_raw(&raw, &payload);
        drop(raw);
        Ok(claims.with_payload(payload))
    }
}

impl fmt::Debug for RegisteredClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisteredClaims")
            .field("iss", &self.issuer())
            .field("sub", &self.subject())
            .field("aud", &self.audience())
            .field("exp", &self.times.exp)
            .field("nbf", &self.times.nbf)
            .field("iat", &self.times.iat)
            .field("jti", &self.token_id())
            .field("client_id", &self.client_id())
            .field("sid", &self.session_id())
            .field("scope", &self.scopes())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(payload: &str) -> RegisteredClaims {
        serde_json::from_str(payload).unwrap()
    }

    #[test]
    fn everything_is_read() {
        let claims = claims(
            r#"{"iss":"i","sub":"s\u0075b","aud":["a","b"],"exp":9,"nbf":1.5,"iat":2,"jti":"j",
                "client_id":"c","sid":"d","scope":"read  write","scp":["admin"],"x":{"y":[1]},
                "acr":"phr","amr":["pwd","otp"],"auth_time":1.5}"#,
        );
        assert_eq!(claims.issuer(), Some("i"));
        assert_eq!(claims.subject(), Some("sub"));
        assert_eq!(claims.audience().iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(claims.expires_at().map(NumericDate::floor), Some(9));
        assert_eq!(claims.not_before().map(NumericDate::ceil), Some(2));
        assert_eq!(claims.issued_at().map(NumericDate::floor), Some(2));
        assert_eq!(claims.token_id(), Some("j"));
        assert_eq!(claims.client_id(), Some("c"));
        assert_eq!(claims.session_id(), Some("d"));
        assert_eq!(claims.scopes().iter().collect::<Vec<_>>(), ["read", "write", "admin"]);
        assert!(claims.scopes().contains("admin") && !claims.scopes().contains("adm"));
        assert_eq!(claims.acr().as_deref(), Some("phr"));
        assert_eq!(claims.amr().unwrap(), ["pwd", "otp"]);
        assert_eq!(claims.auth_time().map(NumericDate::floor), Some(1));
        assert_eq!(claims.get::<Vec<u8>>("x.y"), Some(vec![1]));
        // The places stay right when the claims are cloned.
        assert_eq!(claims.clone().subject(), Some("sub"));
    }

    #[test]
    fn nothing_is_made_up() {
        let claims = claims("{}");
        assert_eq!(claims.issuer(), None);
        assert!(claims.audience().is_empty() && claims.scopes().is_empty());
        assert!(!claims.scopes().is_malformed());
        assert!(claims.acr().is_none() && claims.amr().is_none() && claims.auth_time().is_none());
    }

    #[test]
    fn only_blanks_part_scopes() {
        let claims = claims("{\"scope\":\"a\\tb\u{a0}c,d  e\"}");
        assert_eq!(claims.scopes().iter().collect::<Vec<_>>(), ["a\tb\u{a0}c,d", "e"]);
    }
}
