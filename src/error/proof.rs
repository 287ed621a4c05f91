//! Why the proof of a sender is refused.

use std::fmt;

/// Why a DPoP proof is refused: the check of RFC 9449 §4.3 that it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProofFault {
    /// The request has no header `DPoP`.
    Missing,
    /// The request has several headers `DPoP`, or a list in one.
    Several,
    /// It has more bytes than are accepted, or is not a JSON Web Signature in compact form whose header
    /// and payload are each one JSON object without repeated names.
    Malformed,
    /// The `typ` of its header is not `dpop+jwt`.
    Type,
    /// Its `alg` is not one that is accepted.
    Algorithm,
    /// Its header has a member that changes how it must be read, such as `crit`.
    UnsupportedHeader,
    /// The `jwk` of its header is missing, is private, or is no key that is accepted.
    Key,
    /// The signature is not that of its `jwk`.
    Signature,
    /// A claim is missing or has a wrong type; its name.
    Claim(&'static str),
    /// Its `htm` is not the method of the request.
    Method,
    /// Its `htu` is not the address of the request.
    Uri,
    /// It was made too long ago, or in the future.
    Time,
    /// Its `ath` is not the hash of the token.
    AccessToken,
    /// Its `jwk` is not the key that the token is bound to.
    OtherKey,
    /// It was presented before.
    Replayed,
    /// It comes with a login whose tokens go into cookies, which cannot be bound to its key.
    Cookies,
}

impl fmt::Display for ProofFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "the request has none, in the header `DPoP`",
            Self::Several => "the request has more than one",
            Self::Malformed => "it is not a JWS in compact form with a JSON header and payload",
            Self::Type => "its `typ` is not `dpop+jwt`",
            Self::Algorithm => "its `alg` is not one that is accepted",
            Self::UnsupportedHeader => "its header has a member that is not supported",
            Self::Key => "its `jwk` is missing, private, or no key that is accepted",
            Self::Signature => "its signature is not that of its `jwk`",
            Self::Claim(name) => {
                return write!(f, "its claim `{name}` is missing or has a wrong type");
            }
            Self::Method => "its `htm` is not the method of the request",
            Self::Uri => "its `htu` is not the public address of the request",
            Self::Time => "it was made too long ago, or in the future",
            Self::AccessToken => "its `ath` is not the hash of the token",
            Self::OtherKey => "its `jwk` is not the key that the token is bound to",
            Self::Replayed => "it was presented before",
            Self::Cookies => {
                "it comes with a login of a browser, whose tokens are in cookies, and these cannot be \
                 bound to a key: set `.dpop_in_browsers()`, or send no proof"
            }
        })
    }
}

/// Why the client certificate of a request does not confirm its token (RFC 8705 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CertificateFault {
    /// The request has no certificate.
    Missing,
    /// It comes in a header from a peer that is not trusted.
    UntrustedProxy,
    /// It comes in a header, and the address of the peer is not known: the service lacks the extension
    /// that has it.
    UnknownPeer,
    /// The header of the proxy cannot be read, or is there twice.
    Malformed,
    /// It is not the one that the token is bound to.
    Other,
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "the request has none",
            Self::UntrustedProxy => "it is in a header of a peer that is not a trusted proxy",
            Self::UnknownPeer => {
                "it is in a header, and the address of the peer is not known: add the extension \
                 that has it, or set `.peer(…)`"
            }
            Self::Malformed => "the proxy's header cannot be read, or is there twice",
            Self::Other => "it is not the one that the token is bound to (`x5t#S256`)",
        })
    }
}
