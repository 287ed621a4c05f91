//! The SHA-256 of a key or a certificate, by which a token names it.

use std::{borrow::Cow, error::Error as StdError, fmt, str::FromStr};

use base64_simd::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::LEN;

/// The SHA-256 of a public key (RFC 7638) or of a certificate (RFC 8705 §3.1).
///
/// As text, it is base64url without padding, as in the claim `cnf`, in the parameter `dpop_jkt` (RFC 9449
/// §10) and in the `kid` of many keys: `Display`, `FromStr` and serde write and read it so.
///
/// # Example: from text
/// ```
/// use tower_jwt_auth::proof::Thumbprint;
///
/// let jkt: Thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".parse()?;
/// assert_eq!(jkt.as_bytes()[..2], [0xd1, 0x97]);
/// assert!("0ZcOCORZNYy".parse::<Thumbprint>().is_err());
/// # Ok::<(), tower_jwt_auth::proof::ThumbprintError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Thumbprint([u8; LEN]);

impl Thumbprint {
    /// The thumbprint of these bytes.
    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        Self(super::sha256(parts))
    }

    /// Reads base64url without padding (RFC 4648 §5). `None` if the text is another one, or does not
    /// have 32 bytes.
    pub(crate) fn from_base64url(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode_to_vec(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether both are the same. It takes the same time wherever they differ.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).fold(0, |all, (one, other)| all | (one ^ other)) == 0
    }
}

impl From<[u8; 32]> for Thumbprint {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// Reads base64url without padding (RFC 4648 §5) of exactly 32 bytes. Hexadecimal digits, padding and the
/// alphabet of base64 are errors.
impl FromStr for Thumbprint {
    type Err = ThumbprintError;

    fn from_str(text: &str) -> Result<Self, ThumbprintError> {
        Self::from_base64url(text).ok_or(ThumbprintError(()))
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode_to_string(self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

impl Serialize for Thumbprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Thumbprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A text is not a [`Thumbprint`]. The error does not show the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThumbprintError(());

impl fmt::Display for ThumbprintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a thumbprint must be a SHA-256 as base64url without padding: 43 characters, not \
             hexadecimal digits",
        )
    }
}

impl StdError for ThumbprintError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_32_bytes_as_base64url_without_padding() {
        let text = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        let thumbprint = Thumbprint::from_base64url(text).unwrap();
        assert_eq!(thumbprint.to_string(), text);
        assert!(thumbprint.is(&Thumbprint::from(*thumbprint.as_bytes())));
        assert!(!thumbprint.is(&Thumbprint::of(&[b"a"])));
        let hex = "d1970e08e459358cbe0d6a6aab7d236722461d33747761e0941577ba282e0382";
        assert_eq!(text.parse(), Ok(thumbprint));
        let json = serde_json::to_string(&thumbprint).unwrap();
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Thumbprint>(&json).unwrap(), thumbprint);
        assert!(serde_json::from_str::<Thumbprint>("7").is_err());
        for other in
            ["", &text[1..], &format!("{text}A"), &format!("{text}="), &format!(" {text}"), hex]
        {
            assert_eq!(Thumbprint::from_base64url(other), None, "{other}");
            assert_eq!(other.parse::<Thumbprint>(), Err(ThumbprintError(())), "{other}");
            assert!(serde_json::from_str::<Thumbprint>(&format!("\"{other}\"")).is_err());
        }
        // Bits that nothing has.
        assert_eq!(Thumbprint::from_base64url(&text.replace("A4I", "A4J")), None);
    }
}
