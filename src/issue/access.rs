//! Access tokens (RFC 9068).

use std::{fmt, sync::Arc, time::Duration};

use base64_simd::URL_SAFE_NO_PAD;
use serde::Serialize;
use zeroize::Zeroizing;

use super::{
    grant::{Grant, OwnClaims, refused},
    key_directory::DirectoryWatch,
    keys::KeyRing,
    signing::SigningKey,
};
use crate::{
    claims::Confirmation,
    clock::{Clock, unix_seconds},
    error::{ConfigError, Error, ErrorKind},
    keys::KeySource,
    random::unique_id,
    rules::seconds,
};

/// Issues access tokens, and publishes the keys that verify them; cheap to clone.
///
/// # Example: issue and verify in one process
/// ```
/// use tower_jwt_auth::{
///     Algorithm, Verifier,
///     issue::{Grant, SigningKey, TokenIssuer},
/// };
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct User {
///     name: String,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = TokenIssuer::builder()
///     .issuer("https://login.example.com")
///     .audience("https://api.example.com")
///     .key(SigningKey::generate(Algorithm::ES256)?)
///     .build()?;
/// let verifier = Verifier::builder().claims::<User>()
///     .audience("https://api.example.com")
///     .keys(issuer.key_source()) // they bring the issuer's name along
///     .access_tokens_only()
///     .build()?;
///
/// let grant = Grant::new("user-1").scope("orders:read").claims(&User { name: "Ada".into() });
/// let token = issuer.issue(grant)?;
/// let user = verifier.verify(token.as_str()).await?;
/// assert_eq!((user.name.as_str(), user.registered().subject()), ("Ada", Some("user-1")));
/// # Ok(()) }
/// ```
///
/// # Security
///
/// A token is signed and not encrypted, so anybody who has it can read it. Put nothing secret
/// into its claims.
#[derive(Clone)]
pub struct TokenIssuer(Arc<IssuerInner>);

pub(super) struct IssuerInner {
    pub(super) issuer: Box<str>,
    pub(super) audiences: Box<[Box<str>]>,
    pub(super) client_id: Box<str>,
    /// In seconds.
    pub(super) lifetime: i64,
    pub(super) longest_lifetime: i64,
    pub(super) publish_ahead: i64,
    pub(super) keys: Arc<KeyRing>,
    /// Rereads the keys, if they are from a directory.
    pub(super) watch: Option<Arc<DirectoryWatch>>,
    pub(super) clock: Arc<dyn Clock>,
}

impl TokenIssuer {
    pub(super) fn of(inner: IssuerInner) -> Self {
        Self(Arc::new(inner))
    }

    /// Issues an access token (RFC 9068 §2). Its `typ` is `at+jwt`. It has `iss`, `sub`, `aud`,
    /// `exp`, `iat`, `jti` and `client_id`, and `scope`, `sid`, `auth_time`, `acr`, `amr` and `cnf` if they
    /// were granted. Within [`Sessions`](crate::sessions::Sessions), it always has `sid` and `auth_time`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Issue`]: the subject is empty, or the claims are not a JSON object, or have a
    /// name that is the issuer's own.
    pub fn issue(&self, grant: Grant) -> Result<AccessToken, Error> {
        let IssuerInner { issuer, audiences, .. } = &*self.0;
        if grant.subject.is_empty() {
            return Err(refused("the subject is empty"));
        }
        let now = self.now();
        let lifetime = match grant.lifetime {
            Some(lifetime) => seconds(lifetime).min(self.0.lifetime).max(1),
            None => self.0.lifetime,
        };
        let expires_at = now.checked_add(lifetime).ok_or(ErrorKind::Clock)?;
        let token_id = unique_id()?;
        let payload = Payload {
            iss: issuer,
            sub: &grant.subject,
            aud: match &**audiences {
                [one] => One::One(one),
                several => One::Several(several),
            },
            client_id: grant.client_id.as_deref().unwrap_or(&self.0.client_id),
            exp: expires_at,
            iat: now,
            jti: &token_id,
            scope: grant.scope.as_deref(),
            sid: grant.session_id.as_deref(),
            auth_time: grant.auth_time.map(|time| time.clamp(0, now.max(0))),
            acr: grant.acr.as_deref(),
            amr: &grant.amr,
            cnf: grant.confirmation(),
            own: grant.claims?,
        };
        let payload = serde_json::to_vec(&payload)
            .map_err(|error| Error::with_source(ErrorKind::Failed, error))?;
        let key = self.0.keys.signing(now).ok_or(ErrorKind::Failed)?;
        let text = sign(&key, &payload)?;
        Ok(AccessToken { text, token_id, lifetime, expires_at })
    }

    /// The public keys as a JWK set (RFC 7517 §5): the key that signs, the next one, and the last
    /// one until its tokens have expired. Shared secrets are left out.
    #[must_use]
    pub fn jwks(&self) -> String {
        self.0.keys.jwks(self.now())
    }

    /// The seconds for which a copy of the JWK set is valid: it expires before a key signs that is
    /// not in it.
    pub(super) fn jwks_max_age(&self) -> i64 {
        (self.0.publish_ahead / 2).min(300)
    }

    /// The names of the algorithms of the keys in the JWK set.
    pub(super) fn published_algorithms(&self) -> Vec<&'static str> {
        self.0.keys.published_algorithms(self.now())
    }

    /// The keys for a [`Verifier`](crate::Verifier) in the same process, bound to this issuer.
    /// They include shared secrets, and follow each rotation.
    #[must_use]
    pub fn key_source(&self) -> KeySource {
        let keys = self.0.keys.live();
        KeySource::live(match &self.0.watch {
            Some(watch) => keys.kept_by(watch.clone()),
            None => keys,
        })
    }

    /// Publishes a key, and signs with it [later](super::TokenIssuerBuilder::publish_ahead), when
    /// the verifiers have had time to fetch it. The last key is published until its tokens have
    /// expired. If this is the key that signs now, it continues to sign, and a key that was
    /// waiting does not follow.
    ///
    /// # Errors
    ///
    /// The key cannot be used, or another key with the same id is in use. Or the keys are from a
    /// [directory](super::KeyDirectory).
    pub fn rotate(&self, next: SigningKey) -> Result<(), ConfigError> {
        self.check_no_directory()?;
        let now = self.now();
        let signs_from = now.saturating_add(self.0.publish_ahead);
        let gone_at = signs_from.saturating_add(self.0.longest_lifetime).saturating_add(SLACK);
        self.0.keys.add(next, now, signs_from, gone_at)
    }

    /// Signs with this key at once, and drops all other keys. All tokens that they have signed
    /// become invalid: use it if somebody else may have a key.
    ///
    /// # Errors
    ///
    /// The key cannot be used. Or the keys are from a [directory](super::KeyDirectory).
    pub fn replace_keys(&self, key: SigningKey) -> Result<(), ConfigError> {
        self.check_no_directory()?;
        self.0.keys.replace(key)
    }

    /// Reads the keys from their [directory](super::KeyDirectory) now, and not at the end of the
    /// interval; for example after a `SIGHUP`. It blocks while it reads files: in an asynchronous
    /// function, use a thread for blocking calls, such as that of `tokio::task::spawn_blocking`.
    ///
    /// # Errors
    ///
    /// A file cannot be used: then no key was added, see the rules of the
    /// [directory](super::KeyDirectory). Or the keys are not from a directory.
    pub fn reread_keys(&self) -> Result<(), ConfigError> {
        match &self.0.watch {
            Some(watch) => watch.reread(),
            None => Err(ConfigError::Conflict(
                "the signing keys are not from a directory, use `.key_directory(…)`",
            )),
        }
    }

    fn check_no_directory(&self) -> Result<(), ConfigError> {
        match self.0.watch {
            None => Ok(()),
            Some(_) => Err(ConfigError::Conflict(
                "the signing keys are from a directory: put the next key there as a file",
            )),
        }
    }

    /// The name of the issuer: `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The audiences of the tokens: `aud`.
    pub fn audiences(&self) -> impl Iterator<Item = &str> {
        self.0.audiences.iter().map(|name| &**name)
    }

    /// The longest lifetime of a token.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.0.lifetime).unwrap_or_default())
    }

    /// The time when all tokens that were issued until now have expired, in seconds since
    /// 1970-01-01T00:00:00Z. [Revocations](crate::revocation::Revocation) of a session or a
    /// subject need it.
    ///
    /// It is now plus the largest of the lifetime, one hour and
    /// [`earlier_lifetime`](super::TokenIssuerBuilder::earlier_lifetime): tokens may have been
    /// issued before the lifetime was made shorter.
    #[must_use]
    pub fn last_expiry(&self) -> i64 {
        self.now().saturating_add(self.0.longest_lifetime.max(seconds(LONGEST)))
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.0.clock)
    }

    pub(crate) fn now(&self) -> i64 {
        unix_seconds(self.0.clock.now())
    }
}

impl fmt::Debug for TokenIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenIssuer")
            .field("issuer", &self.0.issuer)
            .field("audiences", &self.0.audiences)
            .field("lifetime", &self.0.lifetime)
            .field("keys", &self.0.keys)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Payload<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: One<'a>,
    client_id: &'a str,
    exp: i64,
    iat: i64,
    jti: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    amr: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation>,
    #[serde(flatten)]
    own: OwnClaims,
}

#[derive(Serialize)]
#[serde(untagged)]
enum One<'a> {
    One(&'a str),
    Several(&'a [Box<str>]),
}

/// RFC 7515 §5.1.
fn sign(key: &SigningKey, payload: &[u8]) -> Result<Zeroizing<String>, Error> {
    let header = Header { typ: "at+jwt", alg: key.algorithm().name(), kid: key.kid() };
    let header = serde_json::to_vec(&header)
        .map_err(|error| Error::with_source(ErrorKind::Failed, error))?;
    let mut text = Zeroizing::new(URL_SAFE_NO_PAD.encode_to_string(header));
    text.push('.');
    URL_SAFE_NO_PAD.encode_append(payload, &mut *text);
    let signature = key.sign(text.as_bytes())?;
    text.push('.');
    URL_SAFE_NO_PAD.encode_append(signature, &mut *text);
    Ok(text)
}

#[derive(Serialize)]
struct Header<'a> {
    typ: &'a str,
    alg: &'a str,
    kid: &'a str,
}

/// An access token. `Debug` shows its id, and not the token.
pub struct AccessToken {
    text: Zeroizing<String>,
    token_id: String,
    lifetime: i64,
    expires_at: i64,
}

impl AccessToken {
    /// The token's text. Give it only to its client.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its id: `jti`.
    #[must_use]
    pub fn token_id(&self) -> &str {
        &self.token_id
    }

    /// Its lifetime: the `expires_in` of RFC 6749 §5.1.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.lifetime).unwrap_or_default())
    }

    /// When it expires, in seconds since 1970-01-01T00:00:00Z: `exp`.
    #[must_use]
    pub fn expires_at(&self) -> i64 {
        self.expires_at
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("token_id", &self.token_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// How much longer than its tokens a key is kept, in seconds. Clocks differ, so verifiers may
/// accept a token for this time after its `exp`.
pub(super) const SLACK: i64 = 300;

/// The longest lifetime of an access token without `any_lifetime`.
pub(super) const LONGEST: Duration = Duration::from_secs(60 * 60);
