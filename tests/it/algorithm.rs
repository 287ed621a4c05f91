//! Who decides how a token is verified: the configured keys, and never the
//! token (RFC 8725 §3.1-3.3, §3.10-3.11, RFC 7515 §4).

use serde_json::{Value, json};
use tower_jwt_auth::{Algorithm, Key, RegisteredClaims};

use crate::{
    gate::{Gate, accepted, gate, invalid_token},
    support::{KEYS, TestKey, b64, builder, claims, claims_with, key, secret_key, trusting},
};

/// A token with this header, signed with the usual key for `HS256`.
fn with_header(header: &str) -> String {
    key(Algorithm::HS256).token_of(header, claims().to_string())
}

/// The usual header of `key` with these members instead.
fn header_with(key: &TestKey, changes: &Value) -> String {
    let mut header = key.header();
    for (name, value) in changes.as_object().unwrap() {
        header[name] = value.clone();
    }
    header.to_string()
}

/// A token of `key` with these members in its header.
fn changed(key: &TestKey, changes: &Value) -> String {
    key.token_of(header_with(key, changes), claims().to_string())
}

/// A gate that trusts this key alone.
fn only(key: Key) -> Gate {
    Gate::of(trusting::<RegisteredClaims>(key))
}

#[test]
fn a01_an_algorithm_is_named_exactly() {
    for header in [
        "{}",
        r#"{"typ":"JWT"}"#,
        r#"{"alg":256}"#,
        r#"{"alg":null}"#,
        r#"{"alg":true}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"alg":{"name":"HS256"}}"#,
        r#"{"alg":""}"#,
        r#"{"alg":"HS256 "}"#,
        r#"{"alg":" HS256"}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":"Hs256"}"#,
        r#"{"alg":"HS256\u0000"}"#,
        r#"{"alg":"ＨＳ２５６"}"#,
        r#"{"alg":"HS257"}"#,
        r#"{"alg":"HMAC"}"#,
        r#"{"alg":"HS1"}"#,
        r#"{"alg":"A128KW"}"#,
        r#"{"alg":"dir"}"#,
        r#"{"ALG":"HS256"}"#,
        r#"{"Alg":"HS256"}"#,
    ] {
        assert_eq!(gate().bearer(&with_header(header)), invalid_token(), "{header}");
    }
    for (algorithm, names) in [
        (Algorithm::RS256, ["RS256 ", "rs256", "RSA256"]),
        (Algorithm::ES256, ["es256", "ES256K", "ECDSA"]),
        (Algorithm::EdDSA, ["EDDSA", "eddsa", "Ed448"]),
    ] {
        for name in names {
            let token = changed(key(algorithm), &json!({"alg": name}));
            assert_eq!(gate().bearer(&token), invalid_token(), "{name}");
        }
    }
    // Another spelling of the same text, and another name of the same thing
    // (RFC 9864).
    assert_eq!(gate().bearer(&with_header(r#"{"alg":"\u0048S256"}"#)), accepted());
    let ed = changed(key(Algorithm::EdDSA), &json!({"alg": "Ed25519"}));
    assert_eq!(gate().bearer(&ed), accepted());
}

#[test]
fn a02_alg_none_is_refused() {
    let payload = b64(claims().to_string());
    for name in ["none", "None", "NONE", "nOnE", "none ", "noné", "n\\u006fne"] {
        for rest in ["", ",\"typ\":\"JWT\"", ",\"kid\":\"HS256\""] {
            let header = format!(r#"{{"alg":"{name}"{rest}}}"#);
            let start = format!("{}.{payload}", b64(&header));
            for end in [".", "", ".AA", ".bm9uZQ"] {
                assert_eq!(gate().bearer(&format!("{start}{end}")), invalid_token(), "{header}");
            }
            assert_eq!(gate().bearer(&with_header(&header)), invalid_token(), "{header}");
        }
    }
    for header in [r#"{"alg":"HS256"}"#, r#"{"alg":"RS256"}"#, r#"{"alg":"EdDSA"}"#] {
        assert_eq!(gate().bearer(&format!("{}.{payload}.", b64(header))), invalid_token());
    }
}

#[test]
fn a03_public_keys_are_no_secrets() {
    for key in KEYS.iter() {
        let (Some(pem), Some(der)) = (key.pem(), key.spki()) else { continue };
        let jwk = key.jwk();
        let number = |name: &str| {
            let text = jwk[name].as_str().unwrap_or_default();
            [text.as_bytes().to_vec(), base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).unwrap()]
        };
        let mut secrets = vec![
            pem.clone().into_bytes(),
            pem.trim_end().into(),
            pem.replace('\n', "\r\n").into(),
            pem.lines().filter(|line| !line.starts_with('-')).collect::<String>().into(),
            der.clone(),
            der[der.len().saturating_sub(65)..].to_vec(),
            der[der.len() - 32..].to_vec(),
            jwk.to_string().into(),
            json!({"keys": [jwk]}).to_string().into(),
            jwk["kid"].as_str().unwrap().into(),
            Vec::new(),
        ];
        secrets.extend(["n", "e", "x", "y"].into_iter().flat_map(number));
        let gates = [only(key.key()), Gate::of(builder::<RegisteredClaims>())];
        for secret in secrets {
            for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
                for kid in [key.kid, algorithm.name()] {
                    let header = json!({"alg": algorithm.name(), "typ": "JWT", "kid": kid});
                    let token = secret_key(algorithm, &secret)
                        .token_of(header.to_string(), claims().to_string());
                    for gate in &gates {
                        assert_eq!(gate.bearer(&token), invalid_token(), "{}", key.algorithm);
                    }
                }
            }
        }
    }
}

#[test]
fn a03_a_key_set_with_both_kinds_keeps_them_apart() {
    let (rsa, hmac) = (key(Algorithm::RS256), key(Algorithm::HS256));
    let (rsa_key, secret) = (Key::from_pem(rsa.pem().unwrap()), hmac.key().with_kid("rsa"));
    let keys = vec![rsa_key.unwrap().with_kid("rsa"), secret];
    let gate = Gate::of(trusting::<RegisteredClaims>(keys));
    for good in [rsa, hmac] {
        assert_eq!(gate.bearer(&changed(good, &json!({"kid": "rsa"}))), accepted());
    }
    let forged = secret_key(Algorithm::HS256, rsa.pem().unwrap().as_bytes());
    assert_eq!(gate.bearer(&changed(&forged, &json!({"kid": "rsa"}))), invalid_token());
}

#[test]
fn a04_a_key_serves_its_algorithm_only() {
    let rsa = [
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
    ];
    for own in rsa {
        let bare = Key::from_pem(key(own).pem().unwrap()).unwrap();
        let allowed =
            trusting::<RegisteredClaims>(bare.clone().with_kid(own.name())).algorithms([own]);
        let gates = [
            only(key(own).key()),
            only(bare.with_kid(own.name()).with_algorithms([own])),
            Gate::of(allowed),
        ];
        for other in rsa {
            // It is the same RSA key, so that the signature would be good.
            let token = changed(key(other), &json!({"kid": own.name()}));
            let expected = if other == own { accepted() } else { invalid_token() };
            for gate in &gates {
                assert_eq!(gate.bearer(&token), expected, "{own} {other}");
            }
            // And with the name of the other algorithm in front.
            if other != own {
                let named = changed(key(other), &json!({"kid": own.name(), "alg": own.name()}));
                for gate in &gates {
                    assert_eq!(gate.bearer(&named), invalid_token(), "{own} {other}");
                }
            }
        }
    }
}

#[test]
fn a04_every_other_algorithm_is_refused_for_every_key() {
    for own in KEYS.iter() {
        let gate = only(own.key());
        for other in KEYS.iter() {
            let expected =
                if other.algorithm == own.algorithm { accepted() } else { invalid_token() };
            assert_eq!(gate.bearer(&other.token(&claims())), expected);
            let posing = changed(other, &json!({"alg": own.algorithm.name(), "kid": own.kid}));
            assert_eq!(gate.bearer(&posing), expected, "{} {}", own.algorithm, other.algorithm);
        }
    }
}

#[test]
fn a07_a_token_does_not_bring_its_key() {
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA, Algorithm::HS256] {
        let (ours, theirs) = (key(algorithm), TestKey::fresh(algorithm));
        let der = theirs.spki().unwrap_or_default();
        let x5c = base64_simd::STANDARD.encode_to_string(der);
        for member in [
            json!({"jwk": theirs.jwk()}),
            json!({"jku": "https://evil.example/jwks.json"}),
            json!({"jku": "http://127.0.0.1:1/jwks.json"}),
            json!({"x5u": "https://evil.example/key.pem"}),
            json!({"x5u": "file:///etc/passwd"}),
            json!({"x5c": [x5c]}),
            json!({"x5t": b64([0; 20]), "x5t#S256": b64([0; 32])}),
            json!({"jwk": theirs.jwk(), "kid": theirs.kid, "jku": "//evil.example"}),
            json!({"jwk": 7, "jku": null, "x5c": "AA", "x5u": []}),
        ] {
            assert_eq!(gate().bearer(&changed(&theirs, &member)), invalid_token(), "{member}");
            // Whoever signs with our key may write there what they like.
            assert_eq!(gate().bearer(&changed(ours, &member)), accepted(), "{member}");
        }
        let without_kid = json!({"alg": algorithm.name(), "jwk": theirs.jwk()}).to_string();
        let token = theirs.token_of(without_kid, claims().to_string());
        assert_eq!(gate().bearer(&token), invalid_token());
    }
}

#[test]
fn a08_no_extension_is_understood() {
    for crit in [
        json!(["exp"]),
        json!([]),
        json!(["b64"]),
        json!(["alg"]),
        json!(["typ", "kid"]),
        json!(["x", "x"]),
        json!([""]),
        json!([7]),
        json!("exp"),
        json!(null),
        json!(false),
        json!({}),
    ] {
        let token = changed(key(Algorithm::ES256), &json!({"crit": crit, "x": 1, "exp": 1}));
        assert_eq!(gate().bearer(&token), invalid_token(), "{crit}");
    }
    for header in [r#"{"alg":"HS256","cr\u0069t":[]}"#, r#"{"crit":["exp"],"alg":"HS256","exp":1}"#]
    {
        assert_eq!(gate().bearer(&with_header(header)), invalid_token(), "{header}");
    }
    for b64 in [json!(false), json!(true), json!(null), json!("false")] {
        let members = json!({"b64": b64});
        let token = changed(key(Algorithm::ES256), &members);
        assert_eq!(gate().bearer(&token), invalid_token(), "{members}");
    }
    // An unencoded payload (RFC 7797 §3).
    let hmac = key(Algorithm::HS256);
    let start = format!("{}.", b64(r#"{"alg":"HS256","b64":false,"crit":["b64"]}"#));
    let input = format!("{start}{}", claims());
    let token = format!("{input}.{}", b64(hmac.sign(input.as_bytes())));
    assert_eq!(gate().bearer(&token).status / 100, 4);
    assert!(!gate().bearer(&token).reached);
    // Within another member it is only a name.
    let token = changed(hmac, &json!({"x": {"crit": ["exp"], "b64": false}}));
    assert_eq!(gate().bearer(&token), accepted());
}

#[test]
fn a09_the_usual_types_are_accepted() {
    let gate_of = |typ: Value| gate().bearer(&changed(key(Algorithm::ES256), &json!({"typ": typ})));
    for typ in [
        "JWT",
        "jwt",
        "Jwt",
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "Application/AT+jwt",
        "application/jwt",
    ] {
        assert_eq!(gate_of(typ.into()), accepted(), "{typ}");
    }
    assert_eq!(gate().bearer(&with_header(r#"{"alg":"HS256"}"#)), accepted());
    for typ in [
        "",
        " JWT",
        "JWT ",
        "JWT;charset=utf-8",
        "dpop+jwt",
        "logout+jwt",
        "secevent+jwt",
        "rt+jwt",
        "id+jwt",
        "token-introspection+jwt",
        "oauth-authz-req+jwt",
        "dc+sd-jwt",
        "JOSE",
        "JOSE+JSON",
        "application/",
        "application/application/at+jwt",
        "text/jwt",
        "ＪＷＴ",
        "ȷwt",
    ] {
        assert_eq!(gate_of(typ.into()), invalid_token(), "{typ:?}");
    }
    for typ in [json!(null), json!(7), json!(["JWT"]), json!({"typ": "JWT"}), json!(true)] {
        assert_eq!(gate_of(typ.clone()), invalid_token(), "{typ}");
    }
}

#[test]
fn a10_where_access_tokens_are_demanded_others_are_refused() {
    let strict = Gate::of(builder::<RegisteredClaims>().access_tokens_only());
    let full = claims_with(json!({"jti": "1", "client_id": "app", "nonce": "n"}));
    let send = |typ: Option<&str>, claims: &Value| {
        let mut header = key(Algorithm::ES256).header();
        match typ {
            Some(typ) => header["typ"] = typ.into(),
            None => drop(header.as_object_mut().unwrap().remove("typ")),
        }
        strict.bearer(&key(Algorithm::ES256).token_of(header.to_string(), claims.to_string()))
    };
    for typ in ["at+jwt", "AT+jwt", "application/at+jwt"] {
        assert_eq!(send(Some(typ), &full), accepted(), "{typ}");
    }
    // An ID token, a logout token and others, all with the claims of an access
    // token.
    for typ in [Some("JWT"), None, Some("logout+jwt"), Some("id+jwt"), Some("at"), Some("xat+jwt")]
    {
        assert_eq!(send(typ, &full), invalid_token(), "{typ:?}");
    }
    for name in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
        let mut claims = full.clone();
        claims.as_object_mut().unwrap().remove(name);
        assert_eq!(send(Some("at+jwt"), &claims), invalid_token(), "{name}");
    }
    let own = Gate::of(builder::<RegisteredClaims>().token_types(["Application/Own+jwt"]));
    let token = |typ: &str| changed(key(Algorithm::ES256), &json!({"typ": typ}));
    assert_eq!(own.bearer(&token("own+JWT")), accepted());
    assert_eq!(own.bearer(&token("application/own+jwt")), accepted());
    assert_eq!(own.bearer(&token("JWT")), invalid_token());
}

#[test]
fn a10_a_security_event_is_no_access_token() {
    let es = key(Algorithm::ES256);
    let logout = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    for events in [logout, json!({}), json!([]), json!("x")] {
        let token = es.token(&claims_with(json!({"jti": "1", "sid": "s", "events": events})));
        assert_eq!(gate().bearer(&token), invalid_token(), "{events}");
        let all = Gate::of(builder::<RegisteredClaims>().any_events());
        assert_eq!(all.bearer(&token), accepted(), "{events}");
    }
}

#[test]
fn a11_a_token_within_a_token_is_refused() {
    let es = key(Algorithm::ES256);
    for cty in ["JWT", "jwt", "application/jwt", "APPLICATION/JWT"] {
        assert_eq!(gate().bearer(&changed(es, &json!({"cty": cty}))), invalid_token(), "{cty}");
        let nested = es.token_of(header_with(es, &json!({"cty": cty})), es.token(&claims()));
        assert_eq!(gate().bearer(&nested), invalid_token(), "{cty}");
    }
    let inner = es.token(&claims());
    for payload in [inner.clone(), format!("\"{inner}\"")] {
        assert_eq!(gate().bearer(&es.token_of(es.header().to_string(), payload)), invalid_token());
    }
    for cty in [json!(null), json!(["JWT"]), json!(7)] {
        assert_eq!(gate().bearer(&changed(es, &json!({"cty": cty}))), invalid_token(), "{cty}");
    }
}

#[test]
fn a12_a_kid_is_compared_and_nothing_else() {
    let es = key(Algorithm::ES256);
    let long = "k".repeat(8192);
    let roomy = Gate::of(builder::<RegisteredClaims>().max_token_len(64 * 1024));
    for kid in [
        json!("../../dev/null"),
        json!("/dev/null"),
        json!("ES256' OR '1'='1"),
        json!("ES256'; DROP TABLE keys; --"),
        json!("https://evil.example/key"),
        json!("file:///etc/passwd"),
        json!("$(id)"),
        json!("|id"),
        json!("%45S256"),
        json!("ES256\u{0}"),
        json!("ES256\r\nX: y"),
        json!(" ES256"),
        json!("es256"),
        json!("ＥＳ２５６"),
        json!("E\u{301}S256"),
        json!("__proto__"),
        json!("{}"),
        json!("%n%s"),
        json!(""),
        json!(long),
        json!("k".repeat(257)),
        json!(0),
        json!(-1),
        json!(null),
        json!(true),
        json!(["ES256"]),
        json!({"kid": "ES256"}),
    ] {
        let token = changed(es, &json!({"kid": kid}));
        assert_eq!(gate().bearer(&token), invalid_token(), "{kid}");
        assert_eq!(roomy.bearer(&token), invalid_token(), "{kid}");
        // The content of the file, the empty one: no key is made of either.
        let empty = changed(&secret_key(Algorithm::HS256, b""), &json!({"kid": kid}));
        assert_eq!(gate().bearer(&empty), invalid_token(), "{kid}");
    }
    // Whatever it is, one that a key has is found.
    for kid in ["../../dev/null", "' OR 1=1", "é", &"k".repeat(256)] {
        let gate = only(es.key().with_kid(kid));
        assert_eq!(gate.bearer(&changed(es, &json!({"kid": kid}))), accepted(), "{kid}");
        assert_eq!(gate.bearer(&es.token(&claims())), invalid_token(), "{kid}");
    }
}

#[test]
fn a13_the_kid_of_one_key_does_not_lead_to_another() {
    let (a, b) = (key(Algorithm::ES256), TestKey::fresh(Algorithm::ES256));
    let gate = Gate::of(trusting::<RegisteredClaims>(vec![
        a.key().with_kid("a"),
        b.key().with_kid("b"),
        TestKey::fresh(Algorithm::ES256).key(),
    ]));
    for (signer, kid, expected) in [
        (a, "a", accepted()),
        (&b, "b", accepted()),
        (a, "b", invalid_token()),
        (&b, "a", invalid_token()),
        (a, "c", invalid_token()),
        (a, "A", invalid_token()),
    ] {
        assert_eq!(gate.bearer(&changed(signer, &json!({"kid": kid}))), expected, "{kid}");
    }
}

#[test]
fn a14_many_members_are_read_and_forgotten() {
    let es = key(Algorithm::ES256);
    let many: String = (0..300).map(|n| format!(",\"n{n}\":\"value\"")).collect();
    let one = format!(",\"x\":\"{}\"", "x".repeat(4096));
    let nested = format!(",\"x\":[{}0]", "{\"a\":[1,2.5,null]},".repeat(210));
    for rest in [many, one, nested] {
        assert!(rest.len() >= 3900);
        let header = es.header().to_string().replace('}', &rest) + "}";
        assert_eq!(gate().bearer(&es.token_of(header, claims().to_string())), accepted());
    }
    let over = es.header().to_string().replace('}', &format!(",\"x\":\"{}\"}}", "x".repeat(6200)));
    assert_eq!(gate().bearer(&es.token_of(over, claims().to_string())), invalid_token());
}
