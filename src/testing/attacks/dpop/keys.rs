//! Signatures and keys of proofs (RFC 9449 §4.3 checks 5-7 and 12, RFC 8725 §2.1).

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{
    super::keys::{brought, der_signature, flipped},
    Attack, Client, Draft, Forge,
};
use crate::{
    alg::{Algorithm, Family},
    attack::{Check::Proof, Members},
    digest::Thumbprint,
    random::hmac_sha256,
    testing::jws::sign,
};

pub(super) fn attacks(client: &Client, forge: &Forge) -> Vec<Attack> {
    let mut all = signatures(client, forge);
    all.extend(other_keys(client, forge));
    all.extend(algorithms(client, forge));
    all.extend(secrets(client, forge));
    all
}

/// An attack on the signature or the key, with the good token.
fn attack(
    client: &Client,
    forge: &Forge,
    name: &str,
    description: &str,
    make: impl Fn(&Draft<'_>) -> String + Send + Sync + 'static,
) -> Attack {
    let about = (name, Proof, description);
    client.attack(about, &forge.good(), forge, move |draft| Some(vec![make(draft)]))
}

/// Signatures that do not fit.
fn signatures(client: &Client, forge: &Forge) -> Vec<Attack> {
    let attack = |name, description, make: fn(&Draft<'_>) -> String| {
        attack(client, forge, name, description, make)
    };
    let mut all = vec![
        attack("d01_bit_of_header", "a bit of the header of the proof is changed", |draft| {
            flipped(&draft.right(), 0)
        }),
        attack("d01_bit_of_payload", "a bit of the payload of the proof is changed", |draft| {
            flipped(&draft.right(), 1)
        }),
        attack("d01_bit_of_signature", "a bit of the signature of the proof is changed", |draft| {
            flipped(&draft.right(), 2)
        }),
        attack("d01_payload_of_another_proof", "the signature is that of another proof", |draft| {
            let (right, other) = (draft.right(), draft.other());
            let input = right.rsplit_once('.').map_or("", |(input, _)| input);
            let signature = other.rsplit_once('.').map_or("", |(_, signature)| signature);
            format!("{input}.{signature}")
        }),
        attack("d01_signature_short", "the signature of the proof lacks its last byte", |draft| {
            changed(draft, |mut signature| {
                signature.pop();
                signature
            })
        }),
        attack("d01_signature_long", "a byte is behind the signature of the proof", |draft| {
            changed(draft, |signature| [&*signature, &[0]].concat())
        }),
        attack("d01_signature_zero", "the signature of the proof is all zeros", |draft| {
            changed(draft, |signature| vec![0; signature.len()])
        }),
        attack("d01_signature_ones", "the signature of the proof is all ones", |draft| {
            changed(draft, |signature| vec![0xff; signature.len()])
        }),
        attack(
            "d01_signature_of_header",
            "the signature is over the header of the proof",
            |draft| {
                let key = &draft.proof.client.key().key;
                draft.with_signature(&draft.header, |input| {
                    sign(key, input.split(|byte| *byte == b'.').next().unwrap_or_default())
                })
            },
        ),
        attack("d01_signature_of_another_key", "another key than `jwk` has signed", |draft| {
            let other = draft.proof.client.other();
            draft.with_signature(&draft.header, |input| sign(&other, input))
        }),
    ];
    if matches!(client.key().key.algorithm().family(), Family::P256 | Family::P384) {
        let description = "the signature of the proof is DER in place of two numbers";
        all.push(attack("d01_signature_der", description, |draft| {
            changed(draft, |signature| der_signature(&signature))
        }));
    }
    all
}

/// The proof with another signature.
fn changed(draft: &Draft<'_>, change: impl Fn(Vec<u8>) -> Vec<u8>) -> String {
    let key = &draft.proof.client.key().key;
    draft.with_signature(&draft.header, |input| change(sign(key, input)))
}

/// Proofs of another key, and headers that lead to one.
fn other_keys(client: &Client, forge: &Forge) -> Vec<Attack> {
    let attack = |name: &str, description: &str, change: Box<HeaderChange>| {
        attack(client, forge, name, description, move |draft| {
            let mut header = draft.header.clone();
            change(&mut header, draft);
            let other = draft.proof.client.other();
            draft.with_signature(&header, |input| sign(&other, input))
        })
    };
    let mut all = vec![
        attack(
            "d01_another_key",
            "the proof is that of another key than the one that the token is bound to",
            Box::new(|header, draft| header.set("jwk", draft.setup().other_jwk)),
        ),
        attack(
            "d01_jwk_of_another_key_first",
            "`jwk` is in the proof twice, first with another key, which has signed",
            Box::new(|header, draft| {
                header.set("jwk", draft.setup().other_jwk);
                header.repeat("jwk", draft.setup().jwk);
            }),
        ),
        attack(
            "d01_jwk_of_another_key_last",
            "`jwk` is in the proof twice, last with another key, which has signed",
            Box::new(|header, draft| header.repeat("jwk", draft.setup().other_jwk)),
        ),
        attack(
            "d01_kid",
            "another key has signed, which `kid` names",
            Box::new(|header, draft| header.set_text("kid", draft.proof.client.other().kid())),
        ),
        attack(
            "d01_kid_without_jwk",
            "another key has signed, which `kid` names, and there is no `jwk`",
            Box::new(|header, draft| {
                header.remove("jwk");
                header.set_text("kid", draft.proof.client.other().kid());
            }),
        ),
    ];
    // `jwk` is what a proof has anyway.
    let brought = brought(&client.other()).into_iter().filter(|(.., name, _)| *name != "jwk");
    for (name, description, parameter, value) in brought {
        let (_, name) = name.split_once('_').unwrap_or_default();
        for (suffix, and, has_jwk) in
            [("", "", true), ("_without_jwk", ", and there is no `jwk`", false)]
        {
            let (name, value) = (format!("d01_{name}{suffix}"), value.clone());
            let description = format!("the proof: {description}{and}");
            let change = move |header: &mut Members, _: &Draft<'_>| {
                header.set(parameter, &*value);
                if !has_jwk {
                    header.remove("jwk");
                }
            };
            all.push(attack(&name, &description, Box::new(change)));
        }
    }
    all
}

type HeaderChange = dyn Fn(&mut Members, &Draft<'_>) + Send + Sync;

/// Right signatures, with the name of another algorithm.
fn algorithms(client: &Client, forge: &Forge) -> Vec<Attack> {
    let own = client.key().key.algorithm();
    let others = Algorithm::ALL.iter().filter(|other| **other != own);
    let attack = |other: &Algorithm| {
        let name = format!("d01_alg_{}", other.name().to_lowercase());
        let description =
            format!("the signature of the proof is by `{own}`, and `alg` is `{other}`");
        let other = other.name();
        attack(client, forge, &name, &description, move |draft| {
            let mut header = draft.header.clone();
            header.set_text("alg", other);
            draft.signed(&header, &draft.claims)
        })
    };
    others.map(attack).collect()
}

/// HMAC with what everybody knows as the secret.
fn secrets(client: &Client, forge: &Forge) -> Vec<Attack> {
    let key = &client.key().key;
    let jwk = client.key().public_jwk();
    let mut secrets = vec![
        ("d01_hs256_empty", "nothing", Vec::new()),
        ("d01_hs256_jwk", "the JWK text of the key in `jwk`", jwk.to_string().into_bytes()),
        ("d01_hs256_thumbprint", "the thumbprint of the key", key.kid().into()),
    ];
    if let Some(pem) = key.public_pem() {
        secrets.push(("d01_hs256_pem", "the PEM text of the key in `jwk`", pem.into_bytes()));
    }
    let number = jwk.get("n").or_else(|| jwk.get("x")).and_then(Value::as_str);
    if let Some(number) = number.and_then(|text| URL_SAFE_NO_PAD.decode_to_vec(text).ok()) {
        secrets.push(("d01_hs256_number", "the first number of the key in `jwk`", number));
    }
    let mut all: Vec<_> = secrets
        .into_iter()
        .map(|(name, secret, bytes)| {
            let description = format!("the proof is signed by `HS256`, and the secret is {secret}");
            attack(client, forge, name, &description, move |draft| {
                let mut header = draft.header.clone();
                header.set_text("alg", "HS256");
                draft.with_signature(&header, |input| hmac_sha256(&bytes, input).to_vec())
            })
        })
        .collect();
    all.push(secret_in_jwk(client, forge));
    all
}

/// A token that is bound to a shared secret (RFC 7638 §3.2), which the proof has in `jwk`.
fn secret_in_jwk(client: &Client, forge: &Forge) -> Attack {
    let secret = [7; 32];
    let k = URL_SAFE_NO_PAD.encode_to_string(secret);
    let jwk = format!(r#"{{"k":"{k}","kty":"oct"}}"#);
    let mut claims = forge.claims.clone();
    claims.set("cnf", format!(r#"{{"jkt":"{}"}}"#, Thumbprint::of(&[jwk.as_bytes()])));
    let token = forge.signed(&forge.header, &claims);
    let description = "the proof is signed by `HS256`, and the secret is in `jwk`";
    let about = ("d01_hs256_secret_in_jwk", Proof, description);
    client.attack(about, &token, forge, move |draft| {
        let mut header = draft.header.clone();
        header.set_text("alg", "HS256");
        header.set("jwk", &*jwk);
        Some(vec![draft.with_signature(&header, |input| hmac_sha256(&secret, input).to_vec())])
    })
}
