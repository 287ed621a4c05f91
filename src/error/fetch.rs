//! Why keys could not be fetched.

use std::{borrow::Cow, error::Error as StdError, fmt};

/// Why a fetch from an identity provider failed; the keys that were there before
/// stay.
///
/// `Display` names the address, without its query, and what went wrong. It is for
/// logs and health pages of your own, and says nothing of any request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchError {
    url: Box<str>,
    kind: FetchErrorKind,
    /// A setting that may be the reason.
    note: Option<Box<str>>,
}

/// The kind of a [`FetchError`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchErrorKind {
    /// It took longer than the time that it is given.
    Timeout,
    /// No connection, no TLS session, or an answer that broke off; the cause.
    Transport(Box<str>),
    /// A redirect, which is not followed.
    Redirect,
    /// A status other than 200.
    Status(u16),
    /// An answer with a content coding, such as `gzip`, although none was asked for; its name.
    Encoded(Box<str>),
    /// More bytes than are accepted.
    TooLarge {
        /// The most that is accepted, in bytes.
        limit: usize,
    },
    /// More keys than are accepted.
    TooManyKeys {
        /// The most that is accepted.
        limit: usize,
    },
    /// The answer is no JWK set (RFC 7517 §5), and no object that has a PEM text for each key id.
    NotKeySet,
    /// The answer has no key that can be used; the reasons, one a key.
    NoUsableKeys(Box<[String]>),
    /// The answer is no metadata document (OpenID Connect Discovery §4.2,
    /// RFC 8414 §3.2).
    NotMetadata,
    /// The metadata is that of another issuer (OpenID Connect Discovery §4.3,
    /// RFC 8414 §3.3).
    #[non_exhaustive]
    Issuer {
        /// The issuer that it names, cut to 200 characters.
        found: Box<str>,
        /// The address of its keys, if it can be used and has at most 200 characters.
        keys_url: Option<Box<str>>,
    },
    /// The metadata's `jwks_uri` is not an address that may be used.
    KeysUrl(Cow<'static, str>),
    /// The function that gives the `Authorization` header has failed; the cause.
    Authorization(Box<str>),
    /// There is no tokio runtime to fetch on, or one without a timer.
    NoRuntime,
}

impl FetchError {
    #[cold]
    #[cfg(any(test, feature = "remote"))]
    pub(crate) fn new(url: impl Into<Box<str>>, kind: FetchErrorKind) -> Self {
        Self { url: url.into(), kind, note: None }
    }

    /// Adds a setting that may be the reason.
    #[cfg(feature = "remote")]
    pub(crate) fn with_note(self, note: Option<String>) -> Self {
        Self { note: note.map(String::into_boxed_str), ..self }
    }

    /// The error without the address: the kind, and what to do.
    #[cfg(feature = "remote")]
    pub(crate) fn reason(&self) -> impl fmt::Display {
        Reason(self)
    }

    /// The way out, if that depends on the address.
    fn way_out(&self) -> &'static str {
        // The addresses of metadata (OpenID Connect Discovery §4, RFC 8414 §3).
        let is_metadata = ["/.well-known/openid-configuration", "/.well-known/oauth-"]
            .iter()
            .any(|path| self.url.contains(path));
        match (&self.kind, is_metadata) {
            (FetchErrorKind::Redirect, false) => ", configure the address it leads to",
            (FetchErrorKind::Redirect, true) => {
                ": read `issuer` and `jwks_uri` in the document that it leads to, and configure \
                 `RemoteKeys::at(jwks_uri).issuer(issuer)`, or in settings `jwks_url`"
            }
            (FetchErrorKind::NotMetadata | FetchErrorKind::Status(400 | 404 | 405 | 410), true) => {
                ": if this issuer has no metadata here, configure the keys and the tokens' `iss` \
                 with `RemoteKeys::at(jwks_uri).issuer(iss)`, or in settings `jwks_url`"
            }
            (FetchErrorKind::NotKeySet, true) => {
                ": this is the address of metadata, configure `RemoteKeys::discover(issuer)`, or \
                 the `jwks_uri` that the document names"
            }
            _ => "",
        }
    }

    /// The address, without its query.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether the provider may do better without anybody doing anything.
    pub(super) fn may_pass(&self) -> bool {
        match &self.kind {
            FetchErrorKind::Timeout
            | FetchErrorKind::Transport(_)
            | FetchErrorKind::Authorization(_) => true,
            FetchErrorKind::Status(status) => *status == 429 || *status >= 500,
            _ => false,
        }
    }

    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> &FetchErrorKind {
        &self.kind
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.url, Reason(self))
    }
}

/// An error without its address.
struct Reason<'e>(&'e FetchError);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0.kind, self.0.way_out())?;
        match &self.0.note {
            Some(note) => write!(f, "; {note}"),
            None => Ok(()),
        }
    }
}

impl StdError for FetchError {}

impl fmt::Display for FetchErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("no complete answer in time"),
            Self::Transport(cause) => write!(f, "cannot be reached: {cause}"),
            Self::Redirect => f.write_str("the answer is a redirect, which is not followed"),
            Self::Status(status) => write!(f, "the status is {status} and not 200"),
            Self::Encoded(coding) => write!(
                f,
                "the answer comes with the content coding {coding}, although `Accept-Encoding: \
                 identity` was asked for: have the server, or the proxy in front of it, send it \
                 without"
            ),
            Self::TooLarge { limit } => write!(f, "the answer has more than {limit} bytes"),
            Self::TooManyKeys { limit } => write!(f, "the answer has more than {limit} keys"),
            Self::NotKeySet => f.write_str(
                "the answer is no JWK set (RFC 7517 §5), and no object with a PEM text for each id",
            ),
            Self::NoUsableKeys(reasons) => {
                f.write_str("the answer has no key that can be used")?;
                for (at, reason) in reasons.iter().enumerate() {
                    write!(f, "{} {reason}", if at == 0 { ":" } else { ";" })?;
                }
                Ok(())
            }
            Self::NotMetadata => f.write_str(
                "the answer is no metadata of an issuer, or lacks `issuer` or `jwks_uri`",
            ),
            Self::Issuer { found, .. } if found.contains('{') => write!(
                f,
                "the document is that of many tenants, with the issuer {found:?}: configure the \
                 issuer of one tenant, or trust many with `Issuers::builder().resolve(…)`"
            ),
            Self::Issuer { found, keys_url } => {
                write!(
                    f,
                    "the document is that of the issuer {found:?}, configure exactly this, to the \
                     last slash; if its metadata is not found by that, configure \
                     `RemoteKeys::at("
                )?;
                match keys_url {
                    Some(url) => write!(f, "{url:?}")?,
                    None => f.write_str("jwks_uri")?,
                }
                write!(f, ").issuer({found:?})`, or in settings `jwks_url`")
            }
            Self::Authorization(cause) => {
                write!(f, "the function of `.authorization(…)` has failed: {cause}")
            }
            Self::KeysUrl(what) => write!(f, "its `jwks_uri` cannot be used: {what}"),
            Self::NoRuntime => f.write_str(
                "there is no tokio runtime with time and I/O, use `#[tokio::main]`, or \
                 `enable_all()` on its builder",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_address_and_the_reason() {
        let reasons = ["key 0: weak".to_owned(), "key 1: no".to_owned()];
        let kind = FetchErrorKind::NoUsableKeys(reasons.into());
        let error = FetchError::new("https://login.example.com/jwks", kind);
        assert_eq!(
            error.to_string(),
            "https://login.example.com/jwks: the answer has no key that can be used: key 0: weak; \
             key 1: no"
        );
        let found = "https://a\r\nb".into();
        let kind = FetchErrorKind::Issuer { found, keys_url: None };
        assert!(!kind.to_string().contains('\n'));
    }
}
