//! Errors of the configuration, before any request is served.

use std::{borrow::Cow, error::Error as StdError, fmt, path::PathBuf};

use super::FetchError;

/// A configuration that is wrong or not safe.
///
/// `Display` says what is wrong and what to write instead; it never has key
/// material in it. `Debug` is the same text, because a `main` that returns the error
/// prints it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// No key was given.
    NoKeys,
    /// Keys were given and none of them can be used; the reasons, one a key.
    NoUsableKeys(Vec<String>),
    /// The allow-list of algorithms leaves no key anything to verify.
    NoUsableAlgorithm,
    /// No issuer was given, and `any_issuer()` was not called.
    NoIssuer,
    /// No audience was given, and `any_audience()` was not called.
    NoAudience,
    /// An issuer, audience, claim or other name is empty or has characters
    /// that it cannot have.
    InvalidName(&'static str),
    /// A number is outside of what is sensible; the message says which.
    OutOfRange(&'static str),
    /// An address is malformed or not safe to fetch keys from.
    InvalidUrl(Cow<'static, str>),
    /// A public URL of this service is malformed or not safe; the message says why, and has the URL
    /// unless there may be a password in it.
    PublicUrl(String),
    /// The keys could not be fetched.
    Fetch(FetchError),
    /// A store cannot be used; the message says why.
    Store(String),
    /// Two calls on a builder contradict each other, or one needs another; the message says which
    /// to leave out or to add.
    Conflict(&'static str),
    /// Settings contradict each other, a variable is unknown or malformed, or a file cannot be
    /// read; the message says which.
    Settings(String),
    /// A route of a table of policies is malformed, or it contradicts another one.
    #[non_exhaustive]
    Route {
        /// The route, as it was given.
        route: String,
        /// The fault, and what to write.
        reason: String,
    },
    /// The metadata of a protected resource cannot be made of the configuration; the message says
    /// what to write instead.
    Resource(String),
    /// A file with a signing key, or the directory of such files, cannot be used.
    #[non_exhaustive]
    KeyFile {
        /// The file or the directory.
        path: PathBuf,
        /// The fault, and what to do.
        reason: String,
    },
    /// An HMAC secret is shorter than its hash (RFC 7518 §3.2).
    #[non_exhaustive]
    SecretTooShort {
        /// The algorithm that the secret is for.
        algorithm: &'static str,
        /// The shortest length that is accepted, in bytes.
        needed: usize,
        /// The length that was given, in bytes.
        given: usize,
    },
    /// A key file, PEM or DER, or a JWK was given as an HMAC secret.
    SecretIsAKey,
    /// A private key was given where a public key is meant.
    PrivateKey,
    /// A JWK with private members was given, or published, where a public key is meant.
    PrivateJwk,
    /// An `oct` JWK, which is a shared secret, was given where a public key is
    /// meant.
    SymmetricKey,
    /// The text or the bytes are not a key in any form that is known.
    MalformedKey(&'static str),
    /// The key is of a type or on a curve that is not supported, or not by the
    /// back end that this build has.
    UnsupportedKey(&'static str),
    /// The key is too weak or too large to verify with.
    WeakKey(&'static str),
    /// The key's own `alg`, `use` or `key_ops` forbids to verify with it.
    KeyUse(&'static str),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKeys => f.write_str(
                "no key is configured, give one with `.keys(Key::from_pem(…)?)`, \
                 `.keys(Key::hs256(secret)?)`, `.keys(KeySet::from_jwks(…)?)`, or with the feature \
                 `remote` those of an issuer with `.keys(RemoteKeys::discover(…).build().await?)`",
            ),
            Self::NoUsableKeys(reasons) => {
                write!(f, "none of the {} keys can be used:", reasons.len())?;
                for reason in reasons {
                    write!(f, " {reason};")?;
                }
                f.write_str(" give a key set with at least one key that verifies signatures")
            }
            Self::NoUsableAlgorithm => f.write_str(
                "none of the keys can verify one of the allowed algorithms, \
                 name the algorithm of a key in `.algorithms(…)` or leave it out",
            ),
            Self::NoIssuer => f.write_str(
                "no issuer is configured, name it with `.issuer(\"https://…\")`, \
                 or say `.any_issuer()` if every issuer with this key is trusted",
            ),
            Self::NoAudience => f.write_str(
                "no audience is configured, name this service with `.audience(\"…\")`, \
                 or say `.any_audience()` if tokens for others are welcome too",
            ),
            Self::InvalidName(what) => write!(f, "{what}"),
            Self::OutOfRange(what) | Self::Conflict(what) => write!(f, "{what}"),
            Self::Fetch(error) => {
                write!(f, "the keys cannot be fetched from {error}")?;
                if error.may_pass() {
                    f.write_str(
                        "; to start without them, say `.lazy()`, or `lazy = true` in settings",
                    )?;
                }
                Ok(())
            }
            Self::InvalidUrl(what) => {
                write!(f, "keys cannot be fetched from the address that is configured: {what}")
            }
            Self::PublicUrl(what) | Self::Store(what) => write!(f, "{what}"),
            Self::Settings(what) | Self::Resource(what) => write!(f, "{what}"),
            Self::Route { route, reason } => {
                write!(f, "the route `{route}` is not possible: {reason}")
            }
            Self::KeyFile { path, reason } => {
                write!(f, "the signing key {} cannot be used: {reason}", path.display())
            }
            Self::SecretTooShort { algorithm, needed, given } => write!(
                f,
                "the secret for {algorithm} has {given} bytes, use at least {needed} random ones \
                 (RFC 7518 §3.2); for an issuer that cannot be changed, see `Key::dangerous`"
            ),
            Self::SecretIsAKey => f.write_str(
                "the HMAC secret is a key file, load it with `Key::from_pem`, `Key::from_der` or \
                 `Key::from_jwk`",
            ),
            Self::PrivateKey => f.write_str(
                "this is a private key, verify with its public key: \
                 `openssl pkey -in private.pem -pubout`",
            ),
            Self::PrivateJwk => f.write_str(
                "this JWK has private members, verify with its public key: remove `d`, `p`, `q`, \
                 `dp`, `dq`, `qi`, `oth`, `k` and `priv`, and replace the key if it was published",
            ),
            Self::SymmetricKey => f.write_str(
                "this is a shared secret (`kty: oct`), load it with `Key::from_private_jwk` or \
                 `KeySet::from_private_jwks` if that is meant",
            ),
            Self::MalformedKey(what) => write!(f, "the key is malformed: {what}"),
            Self::UnsupportedKey(what) => write!(f, "the key is not supported: {what}"),
            Self::WeakKey(what) => write!(f, "the key is not safe: {what}"),
            Self::KeyUse(what) => write!(f, "the key is not for verifying: {what}"),
        }
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for ConfigError {}

impl From<FetchError> for ConfigError {
    fn from(error: FetchError) -> Self {
        Self::Fetch(error)
    }
}
