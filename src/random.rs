//! Random bytes, and codes that need a key.

use aws_lc_rs::{hmac, rand};
use base64_simd::URL_SAFE_NO_PAD;

use crate::error::{Error, ErrorKind};

/// Bytes that nobody can guess.
///
/// # Errors
///
/// The system has no random bytes.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes)
        .map_err(|_| Error::with_source(ErrorKind::Failed, "the system has no random bytes"))?;
    Ok(bytes)
}

/// A name that no other has: 128 random bits as base64url.
pub(crate) fn unique_id() -> Result<String, Error> {
    Ok(URL_SAFE_NO_PAD.encode_to_string(random::<16>()?))
}

/// HMAC-SHA-256 (RFC 2104).
pub(super) fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    array(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref())
}

/// The 32 bytes that a SHA-256 has.
fn array(bytes: &[u8]) -> [u8; 32] {
    let mut array = [0; 32];
    array.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_vectors() {
        // RFC 4231 §4.3.
        let text = |bytes: [u8; 32]| bytes.map(|byte| format!("{byte:02x}")).concat();
        assert_eq!(
            text(hmac_sha256(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn ids_differ() {
        let (one, other) = (unique_id().unwrap(), unique_id().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 22);
    }
}
