//! Row d01: each check of §4.3 fails, one at a time.

use super::*;

#[test]
fn d01_a_change_of_the_header() {
    let (dpop, store) = dpop();
    let signer = Signer::p256();
    let private = |name: &str| {
        let mut jwk = signer.jwk();
        merge(&mut jwk, json!({name: "AA"}));
        json!({"jwk": jwk})
    };
    let mut cases = vec![
        (json!({"typ": null}), ProofFault::Type),
        (json!({"typ": "JWT"}), ProofFault::Type),
        (json!({"typ": "at+jwt"}), ProofFault::Type),
        (json!({"typ": "dpop+jwt "}), ProofFault::Type),
        (json!({"typ": "text/dpop+jwt"}), ProofFault::Type),
        (json!({"typ": 7}), ProofFault::Type),
        (json!({"alg": null}), ProofFault::Algorithm),
        (json!({"alg": "none"}), ProofFault::Algorithm),
        (json!({"alg": "HS256"}), ProofFault::Algorithm),
        (json!({"alg": "RS256"}), ProofFault::Algorithm),
        (json!({"alg": "ES384"}), ProofFault::Algorithm),
        (json!({"alg": "es256"}), ProofFault::Algorithm),
        (json!({"alg": ["ES256"]}), ProofFault::Algorithm),
        // Allowed, and not that of the key.
        (json!({"alg": "EdDSA"}), ProofFault::Key),
        (json!({"jwk": null}), ProofFault::Key),
        (json!({"jwk": "x"}), ProofFault::Key),
        (json!({"jwk": [signer.jwk()]}), ProofFault::Key),
        (json!({"jwk": {}}), ProofFault::Key),
        (json!({"jwk": {"kty": "oct", "k": base64url([7; 32])}}), ProofFault::Key),
        (json!({"crit": ["exp"]}), ProofFault::UnsupportedHeader),
        (json!({"crit": []}), ProofFault::UnsupportedHeader),
        (json!({"b64": true}), ProofFault::UnsupportedHeader),
        (json!({"enc": "A128GCM"}), ProofFault::UnsupportedHeader),
    ];
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
        cases.push((private(name), ProofFault::Key));
    }
    for (member, value) in [
        ("use", json!("enc")),
        ("key_ops", json!(["sign"])),
        ("alg", json!("ES384")),
        ("crv", json!("P-384")),
        ("crv", json!("secp256k1")),
        ("x", json!("AA")),
        // Not on the curve.
        ("y", json!(base64url([1; 32]))),
    ] {
        let mut jwk = signer.jwk();
        merge(&mut jwk, json!({member: value}));
        cases.push((json!({"jwk": jwk}), ProofFault::Key));
    }
    for (change, expected) in cases {
        let proof = signer.proof_with(change.clone(), json!({}));
        assert_eq!(check(&dpop, &proof, &signer.jkt()), fault(expected), "{change}");
    }
    assert_eq!(store.calls(), 0, "no fault asks the store");
    // Members that change nothing.
    let mut jwk = signer.jwk();
    merge(&mut jwk, json!({"use": "sig", "key_ops": ["verify"], "ext": true, "kid": "a"}));
    for change in [
        json!({"typ": "DPoP+JWT"}),
        json!({"typ": "application/dpop+jwt"}),
        json!({"kid": "a", "x5c": ["a"], "jku": "https://evil.example"}),
        json!({ "jwk": jwk }),
    ] {
        let proof = signer.proof_with(change.clone(), json!({}));
        assert_eq!(check(&dpop, &proof, &signer.jkt()), Ok(()), "{change}");
    }
}

#[test]
fn d01_weak_keys() {
    let (dpop, _) = dpop_with(|builder| {
        builder.algorithms([Algorithm::RS256, Algorithm::PS256, Algorithm::EdDSA])
    });
    let signer = Signer::p256();
    let rsa = |bytes: usize| {
        let mut n = vec![0xff; bytes];
        n[bytes - 1] = 1;
        json!({"alg": "PS256", "jwk": {"e": "AQAB", "kty": "RSA", "n": base64url(n)}})
    };
    let mut point = [0; 32];
    point[0] = 1;
    let small = json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(point)});
    for (header, expected) in [
        (rsa(255), ProofFault::Key),
        (rsa(513), ProofFault::Key),
        (json!({"alg": "EdDSA", "jwk": small}), ProofFault::Key),
        (rsa(256), ProofFault::Signature),
    ] {
        let jkt = match expected {
            ProofFault::Signature => {
                let jwk = &header["jwk"];
                Thumbprint::of(&[jwk.to_string().as_bytes()])
            }
            _ => signer.jkt(),
        };
        let proof = signer.proof_with(header.clone(), json!({}));
        assert_eq!(check(&dpop, &proof, &jkt), fault(expected), "{header}");
    }
}

#[test]
fn d01_a_key_of_another_type_than_the_algorithm() {
    let (dpop, _) = dpop_with(|builder| {
        builder.algorithms([Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA])
    });
    for signer in [Signer::p256(), Signer::p384(), Signer::ed25519()] {
        for alg in ["ES256", "ES384", "EdDSA"].into_iter().filter(|alg| *alg != signer.alg()) {
            let proof = signer.proof_with(json!({ "alg": alg }), json!({}));
            assert_eq!(check(&dpop, &proof, &signer.jkt()), fault(ProofFault::Key), "{alg}");
        }
    }
}

#[test]
fn d01_a_change_of_the_claims() {
    let (dpop, store) = dpop();
    let signer = Signer::p256();
    let url = |rest: &str| format!("{URL}{rest}");
    for (change, expected) in [
        (json!({"jti": null}), ProofFault::Claim("jti")),
        (json!({"jti": 7}), ProofFault::Claim("jti")),
        (json!({"jti": ""}), ProofFault::Claim("jti")),
        (json!({"jti": "j".repeat(257)}), ProofFault::Claim("jti")),
        (json!({"htm": null}), ProofFault::Claim("htm")),
        (json!({"htm": ["GET"]}), ProofFault::Claim("htm")),
        (json!({"htm": "POST"}), ProofFault::Method),
        (json!({"htm": "get"}), ProofFault::Method),
        (json!({"htm": "GET "}), ProofFault::Method),
        (json!({"htm": ""}), ProofFault::Method),
        (json!({"htu": null}), ProofFault::Claim("htu")),
        (json!({"htu": {}}), ProofFault::Claim("htu")),
        (json!({"htu": ""}), ProofFault::Uri),
        (json!({"htu": "/me"}), ProofFault::Uri),
        (json!({"htu": url("/you")}), ProofFault::Uri),
        (json!({"iat": null}), ProofFault::Claim("iat")),
        (json!({"iat": NOW.to_string()}), ProofFault::Claim("iat")),
        (json!({"iat": -1}), ProofFault::Claim("iat")),
        (json!({"iat": NOW - 303}), ProofFault::Time),
        (json!({"iat": NOW + 303}), ProofFault::Time),
        (json!({"exp": NOW}), ProofFault::Time),
        (json!({"exp": "x"}), ProofFault::Claim("exp")),
        (json!({"nbf": NOW + 11}), ProofFault::Time),
        (json!({"nbf": true}), ProofFault::Claim("nbf")),
        (json!({"nonce": 7}), ProofFault::Claim("nonce")),
        (json!({"ath": null}), ProofFault::Claim("ath")),
        (json!({"ath": 7}), ProofFault::Claim("ath")),
        (json!({"ath": ""}), ProofFault::AccessToken),
        (json!({"ath": Thumbprint::of(&[b"other"]).to_string()}), ProofFault::AccessToken),
        (
            json!({"ath": format!("{}=", Thumbprint::of(&[TOKEN.as_bytes()]))}),
            ProofFault::AccessToken,
        ),
    ] {
        let proof = signer.proof_with(json!({}), change.clone());
        assert_eq!(check(&dpop, &proof, &signer.jkt()), fault(expected), "{change}");
    }
    assert_eq!(store.calls(), 0, "no fault asks the store");
    for change in [
        json!({"jti": "j".repeat(256)}),
        json!({"jti": "\0 ä"}),
        json!({"exp": NOW + 1, "nbf": NOW + 10}),
        // Nobody has asked for one.
        json!({"nonce": "of somebody else"}),
        json!({"iss": "a", "claim": {"of": ["another"]}}),
    ] {
        let proof = signer.proof_with(json!({}), change.clone());
        assert_eq!(check(&dpop, &proof, &signer.jkt()), Ok(()), "{change}");
    }
}

#[test]
fn d01_texts_that_are_no_proof() {
    let (dpop, store) = dpop();
    let signer = Signer::p256();
    let (header, claims) = (signer.header().to_string(), good_claims().to_string());
    let good = signer.sign(&header, &claims);
    let [first, second, third] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three") };
    let none = base64url(r#"{"typ":"dpop+jwt","alg":"none"}"#);
    let text = |text: String| (text, ProofFault::Malformed);
    let mut repeated_in_jwk = signer.jwk().to_string();
    repeated_in_jwk.insert_str(1, r#""kty":"EC","#);
    for (text, expected) in [
        text(String::new()),
        text("x".into()),
        text(TOKEN.replace('.', "")),
        text(format!("{first}.{second}")),
        text(format!("{first}.{second}.")),
        text(format!("{good}.{third}")),
        text(format!("{good}=")),
        text(format!(" {good}")),
        text(format!("{first}.{second} .{third}")),
        text(format!("{first}.+{second}.{third}")),
        text("x.".repeat(2000)),
        text(signer.proof_with(json!({}), json!({"pad": "x".repeat(3000)}))),
        text(signer.sign(format!("{header} {{}}"), &claims)),
        text(signer.sign(&header[1..], &claims)),
        text(signer.sign("[]", &claims)),
        text(signer.sign(header.replacen('{', r#"{"alg":"ES256","#, 1), &claims)),
        text(signer.sign(header.replacen('{', r#"{"jwk":{},"#, 1), &claims)),
        text(signer.sign(header.replacen('{', r#"{"x":1,"\u0078":1,"#, 1), &claims)),
        text(signer.sign(
            format!(r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{repeated_in_jwk}}}"#),
            &claims,
        )),
        (
            signer.sign(header.replacen("\"crv\"", "\"d\":null,\"crv\"", 1), &claims),
            ProofFault::Key,
        ),
        text(signer.sign(b"\xff\xfe", &claims)),
        text(signer.sign(&header, claims.replacen('{', r#"{"jti":"a","#, 1))),
        text(signer.sign(&header, claims.replacen('{', r#"{"x":{"a":1,"a":1},"#, 1))),
        text(signer.sign(&header, format!("{claims}{claims}"))),
        text(signer.sign(&header, "7")),
        text(signer.sign(&header, b"\xff")),
        (format!("{none}.{second}."), ProofFault::Algorithm),
        (format!("{none}.{second}.{third}"), ProofFault::Algorithm),
        (format!("{good}, {good}"), ProofFault::Several),
        (format!("{good},"), ProofFault::Several),
    ] {
        assert_eq!(check(&dpop, &text, &signer.jkt()), fault(expected), "{text}");
    }
    for (proofs, expected) in [
        (&[][..], ProofFault::Missing),
        (&[&*good, &*good], ProofFault::Several),
        (&[&*good, ""], ProofFault::Several),
    ] {
        let request = request("GET", "/me", proofs);
        let checked = answer(dpop.check_and_spend((&request).into(), TOKEN, &signer.jkt(), NOW));
        assert_eq!(checked, fault(expected));
    }
    let mut bytes = request("GET", "/me", &[]);
    bytes.headers_mut().insert("dpop", HeaderValue::from_bytes(b"a.\xe4.b").unwrap());
    let checked = answer(dpop.check_and_spend((&bytes).into(), TOKEN, &signer.jkt(), NOW));
    assert_eq!(checked, fault(ProofFault::Malformed));
    assert_eq!(store.calls(), 0, "no fault asks the store");
    assert_eq!(check(&dpop, &good, &signer.jkt()), Ok(()), "none has spent it");
}

#[test]
fn d01_another_key_or_signature() {
    let (dpop, store) = dpop();
    let (signer, thief) = (Signer::p256(), Signer::p256());
    assert_eq!(check(&dpop, &thief.proof(), &signer.jkt()), fault(ProofFault::OtherKey));
    // The key of the owner, and the signature of somebody else; then once more, when the key is kept.
    for _ in 0..2 {
        let forged = thief.proof_with(signer.header(), json!({}));
        assert_eq!(check(&dpop, &forged, &signer.jkt()), fault(ProofFault::Signature));
        assert_eq!(check(&dpop, &thief.proof(), &signer.jkt()), fault(ProofFault::OtherKey));
        assert_eq!(check(&dpop, &signer.proof(), &signer.jkt()), Ok(()));
    }
    // A signature in DER, as other formats have it, is not one (RFC 7518 §3.4).
    let proof = signer.proof();
    let (input, _) = proof.rsplit_once('.').unwrap();
    let der = format!("{input}.{}", base64url([&[0x30, 68][..], &[1; 68]].concat()));
    assert_eq!(check(&dpop, &der, &signer.jkt()), fault(ProofFault::Signature));
    assert_eq!(store.calls(), 2);
}

#[test]
fn more_algorithms_by_option() {
    let signer = Signer::p384();
    let (narrow, _) = dpop();
    assert_eq!(check(&narrow, &signer.proof(), &signer.jkt()), fault(ProofFault::Algorithm));
    let (wide, _) = dpop_with(|builder| builder.algorithms([Algorithm::ES384]));
    assert_eq!(wide.algorithms(), "ES384");
    assert_eq!(check(&wide, &signer.proof(), &signer.jkt()), Ok(()));
    let default = Signer::p256();
    assert_eq!(check(&wide, &default.proof(), &default.jkt()), fault(ProofFault::Algorithm));
}
