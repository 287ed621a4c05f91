//! Keys from PEM (RFC 7468) and DER: SubjectPublicKeyInfo, PKCS #1, certificates.

use x509_cert::{
    Certificate,
    der::{
        Decode, DecodeValue, FixedTag, Reader, SliceReader, Tag, TagMode, TagNumber, Tagged,
        asn1::{AnyRef, ObjectIdentifier, UintRef},
    },
    spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef},
};

use pem::PemError;
use zeroize::Zeroizing;

use super::{
    form::{Form, wrong_form},
    material::{Material, RsaScheme},
};
use crate::{
    alg::{Algorithm, Family},
    error::ConfigError,
};

/// The blocks of a PEM text. Line ends may be written as `\n`, a backslash and a letter, as in
/// many variables of the environment: PEM has no other use of a backslash.
pub(crate) fn pem_blocks(text: &[u8]) -> Result<Vec<pem::Pem>, ConfigError> {
    let malformed = |error| {
        ConfigError::MalformedKey(match error {
            PemError::MismatchedTags(..) => {
                "a `-----BEGIN …-----` line and the `-----END …-----` line after it have different \
                 labels"
            }
            PemError::MissingBeginTag | PemError::MissingEndTag => {
                "a `-----BEGIN …-----` or `-----END …-----` line has no label"
            }
            PemError::InvalidData(_) | PemError::MissingData => {
                "the text between `-----BEGIN …-----` and `-----END …-----` is not base64"
            }
            PemError::InvalidHeader(_) => "a header before the base64 of the PEM is malformed",
            PemError::NotUtf8(_) => "the PEM has bytes that are not UTF-8",
            _ => "the text is not PEM (RFC 7468)",
        })
    };
    if !text.contains(&b'\\') {
        return pem::parse_many(text).map_err(malformed);
    }
    let mut lines = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match (first, tail) {
            (b'\\', [b'n', tail @ ..]) => {
                lines.push(b'\n');
                rest = tail;
            }
            (b'\\', [b'r', tail @ ..]) => rest = tail,
            _ => lines.push(*first),
        }
    }
    pem::parse_many(&*lines).map_err(malformed)
}

/// The key of a PEM text, or that of the first certificate of a chain.
pub(super) fn from_pem(text: &[u8]) -> Result<Material, ConfigError> {
    let mut blocks = pem_blocks(text)?;
    if blocks.iter().any(|block| block.tag() == OPENSSH) {
        return Err(ConfigError::UnsupportedKey(
            "it is a private key in the format of OpenSSH, write its public key with \
             `ssh-keygen -e -m PKCS8 -f key` (RSA and ECDSA; instead of Ed25519, make a new key \
             with `openssl genpkey`)",
        ));
    }
    if blocks.iter().any(|block| block.tag().ends_with("PRIVATE KEY")) {
        return Err(ConfigError::PrivateKey);
    }
    let count = blocks.len();
    blocks.retain(|block| block.tag() != "EC PARAMETERS");
    let block = blocks.first().ok_or_else(|| match count {
        0 => no_blocks(text),
        _ => ConfigError::MalformedKey(
            "the text has only `EC PARAMETERS`, which name a curve: give it the block \
             `-----BEGIN PUBLIC KEY-----`",
        ),
    })?;
    if blocks.len() > 1 && !is_chain(&blocks) {
        return Err(ConfigError::MalformedKey(
            "there are several keys or certificates in the text, and they are no chain in which \
             each certificate is followed by its issuer's: give each to a `Key` of its own",
        ));
    }
    match block.tag() {
        "PUBLIC KEY" => from_spki(block.contents()),
        "RSA PUBLIC KEY" => from_pkcs1(block.contents(), RsaScheme::Any),
        "CERTIFICATE" | "X509 CERTIFICATE" => from_certificate(block.contents()),
        _ => Err(ConfigError::MalformedKey(
            "the PEM block is none of PUBLIC KEY, RSA PUBLIC KEY and CERTIFICATE",
        )),
    }
}

/// The error of a text in which no PEM block is complete.
#[cold]
pub(crate) fn no_blocks(text: &[u8]) -> ConfigError {
    if Form::of(text) == Some(Form::Pem) {
        return ConfigError::MalformedKey(
            "a `-----BEGIN …-----` line has no `-----END …-----` line after it, is the text cut off?",
        );
    }
    wrong_form(text, Form::Pem, "there is no `-----BEGIN …-----` in the text")
}

/// Whether each block is a certificate that is followed by the one of its issuer (RFC 5246 §7.4.2).
fn is_chain(blocks: &[pem::Pem]) -> bool {
    let is_certificate = |tag: &str| matches!(tag, "CERTIFICATE" | "X509 CERTIFICATE");
    let read = |block: &pem::Pem| {
        is_certificate(block.tag()).then(|| Certificate::from_der(block.contents()).ok()).flatten()
    };
    let Some(chain) = blocks.iter().map(read).collect::<Option<Vec<_>>>() else { return false };
    chain.windows(2).all(|pair| match pair {
        [one, next] => one.tbs_certificate().issuer() == next.tbs_certificate().subject(),
        _ => true,
    })
}

/// A key or certificate in DER.
pub(super) fn from_der(bytes: &[u8]) -> Result<Material, ConfigError> {
    if is_private(bytes) {
        return Err(ConfigError::PrivateKey);
    }
    if SubjectPublicKeyInfoRef::from_der(bytes).is_ok() {
        from_spki(bytes)
    } else if Certificate::from_der(bytes).is_ok() {
        from_certificate(bytes)
    } else {
        from_pkcs1(bytes, RsaScheme::Any)
    }
}

/// A SubjectPublicKeyInfo (RFC 5280 §4.1).
fn from_spki(bytes: &[u8]) -> Result<Material, ConfigError> {
    let spki = SubjectPublicKeyInfoOwned::from_der(bytes)
        .map_err(|_| ConfigError::MalformedKey("it is no SubjectPublicKeyInfo"))?;
    public_key(&spki)
}

fn from_certificate(bytes: &[u8]) -> Result<Material, ConfigError> {
    let certificate = Certificate::from_der(bytes)
        .map_err(|_| ConfigError::MalformedKey("it is no X.509 certificate"))?;
    public_key(certificate.tbs_certificate().subject_public_key_info())
}

fn public_key(spki: &SubjectPublicKeyInfoOwned) -> Result<Material, ConfigError> {
    let key = spki
        .subject_public_key
        .as_bytes()
        .ok_or(ConfigError::MalformedKey("the key is not a whole number of bytes"))?;
    match spki.algorithm.oid {
        RSA => from_pkcs1(key, RsaScheme::Any),
        RSA_PSS => from_pkcs1(key, pss_scheme(spki)?),
        ED25519 => Material::ed25519(key),
        EC => {
            let curve = spki.algorithm.parameters.as_ref().and_then(|p| p.decode_as().ok());
            let curve = match curve {
                Some(P256) => Family::P256,
                Some(P384) => Family::P384,
                Some(P521) => Family::P521,
                _ => {
                    return Err(ConfigError::UnsupportedKey(
                        "of the curves, P-256, P-384 and P-521 are",
                    ));
                }
            };
            Material::ec(curve, key)
        }
        _ => Err(ConfigError::UnsupportedKey("of the key types, RSA, EC and Ed25519 are")),
    }
}

/// An RSAPublicKey (RFC 8017 §A.1.1).
fn from_pkcs1(bytes: &[u8], scheme: RsaScheme) -> Result<Material, ConfigError> {
    let read = || {
        let mut reader = SliceReader::new(bytes)?;
        let numbers = reader.sequence(|reader| {
            let n = UintRef::decode(reader)?;
            let e = UintRef::decode(reader)?;
            Ok::<_, x509_cert::der::Error>((n, e))
        })?;
        reader.finish()?;
        Ok::<_, x509_cert::der::Error>(numbers)
    };
    let (n, e) = read().map_err(|_| ConfigError::MalformedKey("it is no RSA public key"))?;
    Material::rsa(n.as_bytes(), e.as_bytes(), scheme)
}

/// The scheme that the parameters of an RSA-PSS key bind it to (RFC 4055 §3.1):
/// without parameters, PSS; else one hash, with a salt of its length as RFC 7518
/// §3.5 requires.
fn pss_scheme(spki: &SubjectPublicKeyInfoOwned) -> Result<RsaScheme, ConfigError> {
    let Some(parameters) = &spki.algorithm.parameters else { return Ok(RsaScheme::Pss) };
    let read = || {
        parameters.sequence(|reader| {
            let hash = field::<AlgorithmIdentifierOwned>(reader, 0)?;
            let mask = field::<AlgorithmIdentifierOwned>(reader, 1)?;
            let salt = field::<u8>(reader, 2)?;
            let trailer = field::<u8>(reader, 3)?;
            Ok::<_, x509_cert::der::Error>((hash, mask, salt, trailer))
        })
    };
    let only = match read() {
        Ok((Some(hash), Some(mask), Some(salt), None | Some(1))) if mask.oid == MGF1 => {
            let mask = mask.parameters.and_then(|p| p.decode_as::<AlgorithmIdentifierOwned>().ok());
            let same = mask.is_some_and(|mask| mask.oid == hash.oid);
            match (hash.oid, salt) {
                (SHA256, 32) if same => Some(Algorithm::PS256),
                (SHA384, 48) if same => Some(Algorithm::PS384),
                (SHA512, 64) if same => Some(Algorithm::PS512),
                _ => None,
            }
        }
        _ => None,
    };
    only.map(RsaScheme::Only).ok_or(ConfigError::UnsupportedKey(
        "of the RSA-PSS parameters, those of PS256, PS384 and PS512 are",
    ))
}

/// An optional element with an explicit tag.
fn field<'r, T>(
    reader: &mut SliceReader<'r>,
    number: u32,
) -> Result<Option<T>, x509_cert::der::Error>
where
    T: DecodeValue<'r, Error = x509_cert::der::Error> + FixedTag + 'r,
{
    reader.context_specific(TagNumber(number), TagMode::Explicit)
}

/// Whether the bytes begin as private keys do: a sequence of a version of 0 or 1
/// and more (PKCS #1, PKCS #8, RFC 5915), or of an algorithm and an octet string,
/// which is one that is encrypted (RFC 5958 §3).
fn is_private(bytes: &[u8]) -> bool {
    let begins = || {
        let mut reader = SliceReader::new(bytes)?;
        reader.sequence(|reader| {
            let first = AnyRef::decode(reader)?;
            let second = AnyRef::decode(reader)?;
            let rest = reader.remaining_len();
            reader.read_slice(rest)?;
            Ok::<_, x509_cert::der::Error>(match first.tag() {
                Tag::Integer => matches!(first.value(), [0 | 1]),
                Tag::Sequence => second.tag() == Tag::OctetString,
                _ => false,
            })
        })
    };
    begins().unwrap_or(false)
}

/// The label of a private key as `ssh-keygen` writes it.
pub(crate) const OPENSSH: &str = "OPENSSH PRIVATE KEY";

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_keys_are_told_by_how_they_begin() {
        let encrypted = [0x30, 0x0c, 0x30, 0x05, 0x06, 0x03, 0x2a, 0x03, 0x04, 0x04, 0x03, 1, 2, 3];
        let pkcs8 = [0x30, 0x0a, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];
        let sec1 = [0x30, 0x06, 0x02, 0x01, 0x01, 0x04, 0x01, 0x07];
        for private in [&encrypted[..], &pkcs8, &sec1] {
            assert_eq!(from_der(private).unwrap_err(), ConfigError::PrivateKey);
        }
        for other in [&[][..], &[0x30, 0x00], &[0x30, 0x03, 0x02, 0x01, 0x00], b"text"] {
            assert!(matches!(from_der(other), Err(ConfigError::MalformedKey(_))), "{other:?}");
        }
    }
}
