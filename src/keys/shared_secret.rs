//! Shared secrets: whether somebody has taken a public key for one.

use base64_simd::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use super::{der, material::Material};
use crate::{alg::Algorithm, error::ConfigError, secret::Secret};

/// A secret for one algorithm or for all that it is long enough for.
///
/// # Errors
///
/// It is too short, it was never set, or it is a key: then it is public, most likely, and the
/// start of an algorithm confusion (RFC 8725 §2.1).
pub(super) fn read(bytes: &[u8], algorithm: Option<Algorithm>) -> Result<Material, ConfigError> {
    check(bytes, LONG)?;
    Material::long_secret(bytes, algorithm)
}

/// A secret for one algorithm, which may be shorter than its hash.
///
/// # Errors
///
/// It has fewer than 16 bytes, was never set, or is a key.
pub(super) fn read_short(bytes: &[u8], algorithm: Algorithm) -> Result<Material, ConfigError> {
    check(bytes, SHORT)?;
    if bytes.len() < SHORT {
        let (algorithm, given) = (algorithm.name(), bytes.len());
        return Err(ConfigError::SecretTooShort { algorithm, needed: SHORT, given });
    }
    Ok(Material::Secret(Secret::new(bytes)))
}

fn check(bytes: &[u8], shortest: usize) -> Result<(), ConfigError> {
    if is_key(bytes) {
        return Err(ConfigError::SecretIsAKey);
    }
    if bytes.len() >= shortest && bytes.iter().all(|byte| *byte == 0) {
        return Err(ConfigError::WeakKey("the secret is nothing but zeros, it was never set"));
    }
    Ok(())
}

/// Whether these bytes are a key or a certificate, or say one in base64 or hexadecimal digits.
fn is_key(bytes: &[u8]) -> bool {
    let mut text = Zeroizing::new(bytes.to_vec());
    for _ in 0..MOST_CODINGS {
        let is_der = matches!(der::from_der(&text), Ok(_) | Err(ConfigError::PrivateKey));
        if is_der || is_text_of_key(&text) {
            return true;
        }
        let plain = without_marks(&text);
        let Some(next) = from_hex(&plain).or_else(|| from_base64(plain)) else { return false };
        text = next;
    }
    false
}

/// Whether it is the text of a key file.
fn is_text_of_key(bytes: &[u8]) -> bool {
    let lower = Zeroizing::new(bytes.to_ascii_lowercase());
    let has = |part: &[u8]| lower.windows(part.len()).any(|window| window == part);
    has(b"-----begin ")
        || [&b"ssh-"[..], b"ecdsa-sha2-", b"sk-ssh-", b"sk-ecdsa-"].iter().any(|name| has(name))
            && has(b" aaaa")
        || (lower.trim_ascii_start().starts_with(b"{") && has(b"\"kty\""))
}

/// The text without the marks that files and variables have around or between its digits:
/// blanks, quotes, line ends that are written as `\n`, padding.
fn without_marks(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut plain = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'=' | b'"' | b'\'' | b';' | b',' | 0 => {}
            byte if byte.is_ascii_whitespace() => {}
            byte => plain.push(*byte),
        }
    }
    plain
}

fn from_base64(mut plain: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
    plain.iter_mut().for_each(|byte| match byte {
        b'-' => *byte = b'+',
        b'_' => *byte = b'/',
        _ => {}
    });
    STANDARD_NO_PAD.decode_to_vec(&*plain).ok().map(Zeroizing::new)
}

fn from_hex(plain: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let digit =
        |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = plain.chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    });
    pairs.collect::<Option<Vec<_>>>().map(Zeroizing::new)
}

/// The shortest secret, in bytes, and the shortest one of those that may be too short.
const LONG: usize = 32;
const SHORT: usize = 16;

/// How often a text may be that of another one.
const MOST_CODINGS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a03_a_key_in_any_coding_is_no_secret() {
        let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbL\
                   DFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
        let base64 = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
        let bytes = from_base64(without_marks(base64.as_bytes())).unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        let twice = STANDARD_NO_PAD.encode_to_string(base64);
        for text in [
            pem,
            &pem.to_lowercase(),
            &pem.replace('\n', "\\n"),
            &STANDARD_NO_PAD.encode_to_string(pem),
            base64,
            &format!("\"{base64}\""),
            &format!("{base64};"),
            &format!("{base64}\0"),
            &base64.replace("VwA", "VwA\\r\\n"),
            &base64.replace('+', "-").replace('/', "_"),
            &twice,
            &hex,
            &hex.to_lowercase(),
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBm/RAlphM3+hUG6wWfcO5bIUIaqMLa2ywxcOK1wMWbh",
            "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBA",
            r#" {"kty":"RSA","n":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}"#,
        ] {
            let error = read(text.as_bytes(), None).unwrap_err();
            assert_eq!(error, ConfigError::SecretIsAKey, "{text}");
        }
        assert_eq!(read(&bytes, None).unwrap_err(), ConfigError::SecretIsAKey);
        for secret in [&[7; 32][..], b"0123456789abcdef0123456789abcdef", &[b'A'; 64]] {
            assert!(read(secret, None).is_ok());
        }
        assert!(matches!(read(&[0; 32], None), Err(ConfigError::WeakKey(_))));
    }
}
