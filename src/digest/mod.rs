//! SHA-256, with the cryptography of the build.

mod thumbprint;

pub use self::thumbprint::{Thumbprint, ThumbprintError};

/// SHA-256 (FIPS 180-4) of the parts, one after the other.
#[cfg(feature = "aws_lc_rs")]
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; LEN] {
    use aws_lc_rs::digest::{Context, SHA256};

    let mut context = Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    let digest = context.finish();
    let mut bytes = [0; LEN];
    bytes.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    bytes
}

/// SHA-256 (FIPS 180-4) of the parts, one after the other.
#[cfg(all(feature = "rust_crypto", not(feature = "aws_lc_rs")))]
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; LEN] {
    use sha2::{Digest, Sha256};

    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

/// The length of a SHA-256, in bytes.
pub(crate) const LEN: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_vector() {
        // FIPS 180-2 B.1.
        let text = sha256(&[b"a", b"bc"]).map(|byte| format!("{byte:02x}")).concat();
        assert_eq!(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
