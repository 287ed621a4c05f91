//! Changes of a good DPoP proof, and of the confirmation of its token (RFC 9449 §4.3, §6.1).
//!
//! The kinds of a case are the `ProofFault`s that refuse it, as `Debug` writes them. The self-test of a
//! verifier has no private key: it reads the headers only, which are checked before the signature.

#[cfg(feature = "test-util")]
mod address;
#[cfg(feature = "test-util")]
mod claims;
#[cfg(feature = "test-util")]
mod confirmation;
mod header;

pub(crate) use self::header::PROOF_HEADERS;
#[cfg(feature = "test-util")]
pub(crate) use self::{
    address::PROOF_ADDRESSES, claims::PROOF_CLAIMS, confirmation::CONFIRMATIONS,
};
use super::Members;

/// The values that a good proof has, and some that it must not have.
#[cfg_attr(not(feature = "test-util"), expect(dead_code, reason = "only claims need them all"))]
pub(crate) struct ProofSetup<'s> {
    /// The public key of the sender as JSON.
    pub(crate) jwk: &'s str,
    /// That of somebody else.
    pub(crate) other_jwk: &'s str,
    /// The public URL, without a slash at its end.
    pub(crate) url: &'s str,
    /// The path of the request, which is behind the public URL.
    pub(crate) path: &'s str,
    pub(crate) method: &'s str,
    pub(crate) token: &'s str,
    /// Another token of the same sender.
    pub(crate) other_token: &'s str,
    /// The nonce, if the service wants one.
    pub(crate) nonce: Option<&'s str>,
    /// In seconds since 1970.
    pub(crate) now: i64,
}

/// Changes the header or the claims of a proof. It changes nothing if the request is not one that it is
/// for.
pub(crate) type ProofChange = fn(&mut Members, &ProofSetup<'_>);

/// A `cnf` as JSON, of the thumbprint of the sender's key and that of another one.
#[cfg(feature = "test-util")]
pub(crate) type Confirm = fn(&str, &str) -> String;
