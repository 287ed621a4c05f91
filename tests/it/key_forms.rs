//! Keys in the forms that people have them in: in a variable, in a chain, in a bundle, many without
//! ids.

use serde_json::{Value, json};
use tower_jwt_auth::{Algorithm, ConfigError, ErrorKind, Key, KeySet, RegisteredClaims, Verifier};

use crate::{
    gate::{Gate, accepted, invalid_token},
    support::{KEYS, TestKey, certificate, claims, claims_with, key, pem, trusting},
};

#[test]
fn b43_line_ends_may_be_written_as_backslash_n() {
    for key in KEYS.iter().filter(|key| key.pem().is_some()) {
        let text = key.pem().unwrap();
        for written in [
            text.replace('\n', "\\n"),
            text.trim_end().replace('\n', "\\n"),
            text.replace('\n', "\\r\\n"),
            format!("\"{}\"", text.replace('\n', "\\n")),
        ] {
            let read = Key::from_pem(&written).unwrap_or_else(|error| panic!("{written}: {error}"));
            let gate = Gate::of(trusting::<RegisteredClaims>(read));
            assert_eq!(gate.bearer(&key.token(&claims())), accepted(), "{}", key.algorithm);
        }
        for (label, der) in key.private() {
            let private = pem(label, &der).replace('\n', "\\n");
            assert_eq!(Key::from_pem(&private).err(), Some(ConfigError::PrivateKey));
            assert_eq!(Key::hs256(&private).err(), Some(ConfigError::SecretIsAKey));
            #[cfg(feature = "issue")]
            if label == "PRIVATE KEY" && key.algorithm == Algorithm::ES256 {
                assert!(tower_jwt_auth::issue::SigningKey::from_pem(&private).is_ok());
                let twice = format!("{private}{private}");
                let error = tower_jwt_auth::issue::SigningKey::from_pem(twice).unwrap_err();
                assert!(error.to_string().contains("several private keys"), "{error}");
            }
        }
    }
    for bad in ["-----BEGIN PUBLIC KEY-----\\", "\\n", "\\"] {
        assert!(matches!(Key::from_pem(bad), Err(ConfigError::MalformedKey(_))), "{bad}");
    }
}

#[test]
fn several_blocks_are_a_chain_or_refused() {
    let [one, other] = [Algorithm::ES256, Algorithm::ES384].map(key);
    let leaf = certificate("leaf", "middle", one);
    let (middle, root) = (certificate("middle", "root", other), certificate("root", "root", other));
    for chain in [
        leaf.clone(),
        format!("{leaf}{middle}"),
        format!("{leaf}{middle}{root}"),
        format!("{}{}", leaf, middle).replace('\n', "\\n"),
    ] {
        let gate = Gate::of(trusting::<RegisteredClaims>(Key::from_pem(chain)));
        assert_eq!(gate.bearer(&one.token(&claims())), accepted());
        assert_eq!(gate.bearer(&other.token(&claims())), invalid_token());
    }
    let (first, second) = (one.pem().unwrap(), other.pem().unwrap());
    for several in [
        format!("{first}{second}"),
        format!("{first}{first}"),
        format!("{leaf}{first}"),
        format!("{first}{leaf}"),
        format!("{leaf}{root}"),
        format!("{middle}{leaf}"),
        format!("{leaf}{leaf}"),
        format!("{leaf}{middle}{leaf}"),
        format!("{leaf}{}", pem("CERTIFICATE", &[0x30, 0])),
    ] {
        let error = Key::from_pem(several).unwrap_err().to_string();
        assert!(error.contains("give each to a `Key` of its own"), "{error}");
    }
}

#[test]
fn b40_the_error_says_that_more_keys_fit_than_are_tried() {
    let keys: Vec<_> = (0..6).map(|_| TestKey::fresh(Algorithm::EdDSA)).collect();
    let named = ["k1", "k2", "k3", "k4", "k5", "k6"];
    let set = |count: usize| {
        let keys = keys.iter().zip(named).take(count);
        keys.map(|(key, kid)| key.key().with_kid(kid)).collect::<KeySet>()
    };
    let refusal = |set: KeySet, header: Value, at: usize| {
        let verifier: Verifier = trusting(set).build().unwrap();
        let token = keys[at].token_of(header.to_string(), claims().to_string());
        verifier.verify(&token).now_or_never().unwrap().err().map(|error| error.kind().clone())
    };
    let without = || json!({"alg": "EdDSA", "typ": "JWT"});
    for at in 0..4 {
        assert_eq!(refusal(set(6), without(), at), None);
    }
    for at in 4..6 {
        let kind = refusal(set(6), without(), at).unwrap();
        assert!(matches!(kind, ErrorKind::KeysNotTried { tried: 4, fitting: 6, .. }), "{kind:?}");
        let told = kind.to_string();
        assert!(told.contains("6 keys") && told.contains("4 which were tried"), "{told}");
        let named = json!({"alg": "EdDSA", "typ": "JWT", "kid": named[at]});
        assert_eq!(refusal(set(6), named, at), None);
    }
    assert_eq!(refusal(set(4), without(), 4), Some(ErrorKind::Signature), "all were tried");
    // The index of a large set says the same.
    let many = (0..30).map(|_| TestKey::fresh(Algorithm::EdDSA).key()).collect();
    let kind = refusal(many, without(), 0).unwrap();
    assert!(matches!(kind, ErrorKind::KeysNotTried { tried: 4, fitting: 30, .. }), "{kind:?}");
}

#[test]
fn b37_a_bundle_of_spiffe_is_a_key_set() {
    let es = key(Algorithm::ES256);
    let mut jwk = es.jwk();
    jwk.as_object_mut().unwrap().remove("alg");
    jwk["use"] = json!("jwt-svid");
    let mut certificate = key(Algorithm::ES256).jwk();
    certificate["use"] = json!("x509-svid");
    certificate["x5c"] = json!(["MIIB"]);
    let bundle = json!({
        "keys": [certificate, jwk], "spiffe_sequence": 12, "spiffe_refresh_hint": 300,
    });
    let set = KeySet::from_jwks(bundle.to_string()).unwrap();
    assert_eq!((set.len(), set.skipped().len()), (1, 1));
    assert!(set.skipped()[0].to_string().contains("x509-svid"), "{}", set.skipped()[0]);
    let builder = Verifier::builder().any_issuer().audience("spiffe://td/api").keys(set);
    let verifier: Verifier = builder.clock(crate::support::FixedClock::default()).build().unwrap();
    let svid = claims_with(json!({
        "iss": null, "iat": null, "sub": "spiffe://td/w", "aud": ["spiffe://td/api"],
    }));
    let claims = verifier.verify(&es.token(&svid)).now_or_never().unwrap().unwrap();
    assert_eq!(claims.subject(), Some("spiffe://td/w"));
}

fn told<T>(result: Result<T, ConfigError>) -> String {
    result.err().expect("an error").to_string()
}

#[test]
fn the_fault_of_a_pem_text_is_named() {
    let text = key(Algorithm::ES256).pem().unwrap();
    let (cut, _) = text.split_once("-----END").unwrap();
    for (text, fault) in [
        (cut.into(), "no `-----END …-----` line after it"),
        (text.replace("END PUBLIC", "END RSA PUBLIC"), "have different labels"),
        (text.replacen("M", "!", 1), "is not base64"),
        (pem("EC PARAMETERS", &[6, 1, 42]), "only `EC PARAMETERS`"),
        ("hello".into(), "there is no `-----BEGIN …-----`"),
    ] {
        assert!(told(Key::from_pem(&text)).contains(fault), "{text}: {:?}", Key::from_pem(&text));
    }
    let ssh = pem("OPENSSH PRIVATE KEY", b"openssh-key-v1\0");
    let says = told(Key::from_pem(&ssh));
    assert!(says.contains("OpenSSH") && says.contains("ssh-keygen -e -m PKCS8"), "{says}");
    let says = told(Key::from_pem("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me"));
    assert!(says.contains("OpenSSH") && says.contains("key.pub"), "{says}");
    #[cfg(feature = "issue")]
    {
        use tower_jwt_auth::issue::SigningKey;
        let says = told(SigningKey::from_pem(&ssh));
        assert!(says.contains("OpenSSH") && says.contains("ssh-keygen -p -m PKCS8"), "{says}");
        assert!(told(SigningKey::from_pem(cut)).contains("no `-----END …-----`"));
    }
}

#[test]
fn a_key_in_another_form_names_the_function_that_reads_it() {
    let one = key(Algorithm::ES256);
    let (text, jwk) = (one.pem().unwrap(), one.jwk().to_string());
    let set = json!({"keys": [one.jwk()]}).to_string();
    let metadata = json!({"issuer": "https://a", "jwks_uri": "https://a/keys"}).to_string();
    let map = json!({"a": text}).to_string();
    for (says, function) in [
        (told(Key::from_pem(&jwk)), "`Key::from_jwk`"),
        (told(Key::from_pem(&set)), "`KeySet::from_jwks`"),
        (told(Key::from_jwk(&text)), "`Key::from_pem`"),
        (told(Key::from_jwk(&set)), "`KeySet::from_jwks`"),
        (told(Key::from_jwk(&metadata)), "`RemoteKeys::discover(issuer)`"),
        (told(KeySet::from_jwks(&jwk)), "`Key::from_jwk`"),
        (told(KeySet::from_jwks(&text)), "`Key::from_pem`"),
        (told(KeySet::from_jwks(&metadata)), "`RemoteKeys::discover(issuer)`"),
        (told(KeySet::from_jwks(&map)), "`Key::from_pem(text)?.with_kid(id)`"),
        (told(KeySet::from_jwks("{}")), "no JWK set"),
    ] {
        assert!(says.contains(function), "{function}: {says}");
    }
    #[cfg(feature = "issue")]
    {
        use tower_jwt_auth::issue::SigningKey;
        for (says, function) in [
            (told(SigningKey::from_pem(&jwk)), "`SigningKey::from_jwk`"),
            (told(SigningKey::from_jwk(&text)), "`SigningKey::from_pem`"),
            (told(SigningKey::from_jwk(&set)), "one private JWK of its `keys`"),
            (told(SigningKey::from_jwk(r#"{"kty":"RSA","e":65537}"#)), "`e` is not a JSON string"),
        ] {
            assert!(says.contains(function), "{function}: {says}");
        }
    }
}

#[test]
fn the_fault_of_a_jwk_names_the_member_also_in_a_set() {
    let mut jwk = key(Algorithm::RS256).jwk();
    jwk["kid"] = json!(1);
    assert!(told(Key::from_jwk(jwk.to_string())).contains("`kid` is not a JSON string"));
    let set = KeySet::from_jwks(json!({"keys": [jwk]}).to_string()).unwrap();
    let says = set.skipped()[0].to_string();
    assert!(says.contains("`kid` is not a JSON string"), "{says}");
    let mut private = key(Algorithm::ES256).jwk();
    private["d"] = json!("AA");
    let says = told(Key::from_jwk(private.to_string()));
    assert!(says.contains("remove `d`") && !says.contains("openssl"), "{says}");
}
