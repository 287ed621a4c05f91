//! The refresh token itself, which only its client has.

use std::fmt;

use base64_simd::URL_SAFE_NO_PAD;
use zeroize::{Zeroize, Zeroizing};

use super::store::Digest;
use crate::{
    digest::sha256,
    error::Error,
    random::{hmac_sha256, random},
};

/// A refresh token: 384 random bits, of which 128 stay the same in its family and 256
/// change with each rotation.
///
/// `Debug` does not show it, and it is wiped when dropped.
pub struct RefreshToken {
    text: Zeroizing<String>,
}

impl RefreshToken {
    /// Its text: 64 characters of base64url.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl RefreshToken {
    /// The id of the session of a token, whether or not the session exists.
    pub(crate) fn session_of(text: &str) -> Option<String> {
        Parts::read(text).map(|parts| parts.id())
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(..)")
    }
}

/// The two secrets of a refresh token.
///
/// The first one shows that a token was made for a family. If its second one is not that of the
/// live token, it is a former token and not a guess, so the former ones need not be kept.
pub(super) struct Parts {
    family: [u8; 16],
    secret: [u8; 32],
}

impl Parts {
    /// Makes the first token of a new family.
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Self { family: random()?, secret: random()? })
    }

    /// Reads a token that is presented.
    pub(super) fn read(text: &str) -> Option<Self> {
        if text.len() != LENGTH {
            return None;
        }
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode_to_vec(text.as_bytes()).ok()?);
        let (family, secret) = bytes.split_first_chunk()?;
        Some(Self { family: *family, secret: secret.try_into().ok()? })
    }

    /// Makes the next token with this salt. That requires this token and the salt: the store does
    /// not have the token, and the client does not have the salt.
    pub(super) fn successor(&self, salt: Digest) -> Self {
        Self { family: self.family, secret: hmac_sha256(&self.secret, salt.as_bytes()) }
    }

    /// Makes the next token, which nobody can make of this one and what the store keeps.
    pub(super) fn unrelated(&self) -> Result<Self, Error> {
        Ok(Self { family: self.family, secret: random()? })
    }

    /// The id of the family. It is a digest, so that a token cannot be made from it.
    pub(super) fn id(&self) -> String {
        let digest = sha256(&[b"refresh family", &self.family]);
        URL_SAFE_NO_PAD.encode_to_string(digest.first_chunk::<16>().unwrap_or(&[0; 16]))
    }

    /// The digest by which the store knows the token.
    pub(super) fn digest(&self) -> Digest {
        Digest::new(sha256(&[b"refresh token", &self.family, &self.secret]))
    }

    pub(super) fn to_token(&self) -> RefreshToken {
        let mut bytes = [&self.family[..], &self.secret].concat();
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode_to_string(&bytes));
        bytes.zeroize();
        RefreshToken { text }
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.family.zeroize();
        self.secret.zeroize();
    }
}

const LENGTH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_there_and_back() {
        let parts = Parts::new().unwrap();
        let token = parts.to_token();
        assert_eq!(token.as_str().len(), LENGTH);
        let read = Parts::read(token.as_str()).unwrap();
        assert_eq!((read.id(), read.digest()), (parts.id(), parts.digest()));
        assert!(!format!("{token:?}").contains(token.as_str()));
    }

    #[test]
    fn what_is_no_token_is_not_read() {
        let token = Parts::new().unwrap().to_token();
        let text = token.as_str();
        for other in ["", &text[1..], &format!("{text}A"), &text.replace(&text[9..10], "=")] {
            assert!(Parts::read(other).is_none(), "{other}");
        }
        assert!(Parts::read(&"ä".repeat(32)).is_none());
    }

    #[test]
    fn a_successor_is_of_the_family_and_hangs_on_the_salt() {
        let parts = Parts::new().unwrap();
        let salt = Digest::new([1; 32]);
        let successor = parts.successor(salt);
        assert_eq!(successor.id(), parts.id());
        assert_ne!(successor.digest(), parts.digest());
        assert_eq!(successor.digest(), parts.successor(salt).digest());
        assert_ne!(successor.digest(), parts.successor(Digest::new([2; 32])).digest());
    }
}
