//! How proxies write a certificate: base64 of its DER, and URL-encoded PEM.
//!
//! Each function accepts exactly what its proxy writes, and gives the DER of the end-entity
//! certificate. `None` is everything else.

use base64_simd::STANDARD;
use memchr::memmem;
use x509_cert::der::{Decode, Reader, SliceReader, Tag, Tagged, asn1::AnyRef};

/// RFC 9440 §2.1: a byte sequence of RFC 8941 §3.3.5, base64 between colons.
pub(super) fn byte_sequence(value: &[u8]) -> Option<Vec<u8>> {
    base64_der(value.strip_prefix(b":")?.strip_suffix(b":")?)
}

/// Base64 (RFC 4648 §4) of the DER.
pub(super) fn base64_der(value: &[u8]) -> Option<Vec<u8>> {
    let der = STANDARD.decode_to_vec(value).ok()?;
    is_certificate(&der).then_some(der)
}

/// Certificates as base64 with commas between them. The first is that of the client.
pub(super) fn base64_chain(value: &[u8]) -> Option<Vec<u8>> {
    let mut chain = value.split(|byte| *byte == b',').map(base64_der);
    let first = chain.next()??;
    chain.all(|der| der.is_some()).then_some(first)
}

/// One certificate as URL-encoded PEM.
pub(super) fn escaped_pem(value: &[u8]) -> Option<Vec<u8>> {
    let text = unescaped(value)?;
    let (first, rest) = block(&text)?;
    rest.is_empty().then_some(first)
}

/// A chain as URL-encoded PEM. The first certificate is that of the client.
pub(super) fn escaped_chain(value: &[u8]) -> Option<Vec<u8>> {
    let text = unescaped(value)?;
    let (first, mut rest) = block(&text)?;
    while !rest.is_empty() {
        (_, rest) = block(rest)?;
    }
    Some(first)
}

/// Decodes `%` and two hexadecimal digits (RFC 3986 §2.1). A `+` is a plus sign: PEM has many, and
/// an AWS load balancer leaves them as they are. A byte that has no place in a URL is `None`.
fn unescaped(value: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut text = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, tail @ ..] = rest {
        rest = tail;
        text.push(match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                rest = tail;
                digit(*high)? << 4 | digit(*low)?
            }
            (b'%', _) => return None,
            (byte, _) if byte.is_ascii_graphic() => *byte,
            _ => return None,
        });
    }
    Some(text)
}

/// The certificate at the beginning of a PEM text (RFC 7468 §2, §5), and what comes behind it.
fn block(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let text = text.strip_prefix(b"-----BEGIN CERTIFICATE-----")?;
    let (body, rest) = text.split_at_checked(memmem::find(text, END)?)?;
    let line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let base64: Vec<u8> = body.iter().copied().filter(|byte| !line_end(byte)).collect();
    let rest = rest.strip_prefix(END)?;
    let ends = rest.iter().take_while(|byte| line_end(byte)).count();
    Some((base64_der(&base64)?, rest.get(ends..)?))
}

const END: &[u8] = b"-----END CERTIFICATE-----";

/// Whether the bytes are one sequence of exactly the three parts of a certificate (RFC 5280
/// §4.1.1), with nothing behind it. What the parts say is not judged: only the hash counts.
fn is_certificate(der: &[u8]) -> bool {
    let read = || {
        let mut reader = SliceReader::new(der)?;
        let tags = reader.sequence(|reader| {
            let mut tag = || AnyRef::decode(reader).map(|part| part.tag());
            Ok::<_, x509_cert::der::Error>([tag()?, tag()?, tag()?])
        })?;
        reader.finish()?;
        Ok::<_, x509_cert::der::Error>(tags)
    };
    read().is_ok_and(|tags| tags == [Tag::Sequence, Tag::Sequence, Tag::BitString])
}
