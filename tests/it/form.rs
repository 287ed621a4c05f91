//! The form of a token (RFC 7515 §5.2, §7.1, RFC 4648 §5): what is no compact
//! JWS of two JSON objects is refused before anything is made of it.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::json;
use tower_jwt_auth::{Algorithm, RegisteredClaims};

use crate::{
    gate::{Gate, accepted, cookie_gate, gate, invalid_request, invalid_token},
    support::{KEYS, b64, builder, claims, key},
};

fn good() -> String {
    key(Algorithm::HS256).token(&claims())
}

/// A token with a good signature over this payload.
fn payload(text: impl AsRef<[u8]>) -> String {
    let key = key(Algorithm::HS256);
    key.token_of(key.header().to_string(), text)
}

/// The usual claims as text, with `rest` in front of the closing brace.
fn claims_and(rest: &str) -> String {
    claims().to_string().strip_suffix('}').unwrap().to_owned() + rest + "}"
}

#[test]
fn f01_three_parts_that_are_not_empty() {
    let good = good();
    let parts: Vec<&str> = good.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!() };
    for token in [
        "x".into(),
        ".".into(),
        "..".into(),
        "...".into(),
        "....".into(),
        header.into(),
        format!("{header}."),
        format!("{header}.{claims}"),
        format!("{header}.{claims}."),
        format!("{header}..{signature}"),
        format!(".{claims}.{signature}"),
        format!("..{signature}"),
        format!(".{good}"),
        format!("{good}."),
        format!("{good}.{signature}"),
        format!("{good}.."),
        format!("{header}.{header}.{claims}.{signature}"),
        // The five parts of a JWE.
        format!("{header}.{claims}.{signature}.{claims}.{signature}"),
        format!("{}.AA.AA.AA.AA", b64(r#"{"alg":"dir","enc":"A256GCM"}"#)),
        format!("{}..AA.AA.AA", b64(r#"{"alg":"PBES2-HS256+A128KW","p2c":2147483647}"#)),
        ".".repeat(8000),
    ] {
        assert_eq!(gate().bearer(&token), invalid_token(), "{token}");
    }
}

#[test]
fn f02_base64url_has_no_other_characters() {
    let good = good();
    let dots: Vec<usize> = good.match_indices('.').map(|(at, _)| at).collect();
    // In the midst of each part, at its end and at its start.
    let places = [5, dots[0], dots[0] + 1, dots[0] + 7, dots[1], dots[1] + 1, dots[1] + 9];
    for part in ["=", "==", "+", "/", " ", "  ", "%3D", "~", "\"", "'"] {
        for at in places {
            if part.starts_with(' ') && at > dots[1] {
                // Behind a whole token a blank parts it from another one (t05).
                continue;
            }
            let mut token = good.clone();
            token.insert_str(at, part);
            assert_eq!(gate().bearer(&token), invalid_token(), "{part:?} at {at}");
        }
        assert_eq!(gate().bearer(&good.replace('.', &format!("{part}."))), invalid_token());
    }
    for part in ["=", "==", "===", "+", "/", "\""] {
        assert_eq!(gate().bearer(&format!("{good}{part}")), invalid_token(), "{part:?}");
    }
    // A header cannot hold these; another source may.
    let verifier = builder::<RegisteredClaims>().build().unwrap();
    for part in ["\n", "\r\n", "\0", "\t", "\u{b}", "\u{a0}", "\u{2028}", "ä", "\u{ff0b}"] {
        for at in places.into_iter().chain([0, good.len()]) {
            let mut token = good.clone();
            token.insert_str(at, part);
            let error = verifier.verify(&token).now_or_never().unwrap().unwrap_err();
            assert!(error.is_invalid_token(), "{part:?} at {at}");
        }
    }
}

#[test]
fn f03_bits_that_are_left_over_are_zero() {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for key in KEYS.iter() {
        // Texts of lengths that leave two and four bits over.
        for blanks in 0..3 {
            let header = key.header().to_string() + &" ".repeat(blanks);
            let text = claims().to_string() + &" ".repeat(blanks);
            let good = key.token_of(header, text);
            assert_eq!(gate().bearer(&good), accepted(), "{}", key.algorithm);
            let ends = good.match_indices('.').map(|(at, _)| at).chain([good.len()]);
            for (end, start) in
                ends.zip([0].into_iter().chain(good.match_indices('.').map(|d| d.0 + 1)))
            {
                let left = match (end - start) % 4 {
                    2 => 16,
                    3 => 4,
                    _ => continue,
                };
                let last = ALPHABET.find(&good[end - 1..end]).unwrap();
                assert_eq!(last % left, 0);
                for bits in 1..left {
                    let mut token = good.clone();
                    token.replace_range(end - 1..end, &ALPHABET[last + bits..=last + bits]);
                    assert_eq!(gate().bearer(&token), invalid_token(), "{}", key.algorithm);
                }
            }
        }
    }
}

#[test]
fn f04_header_and_payload_are_one_json_object() {
    let key = key(Algorithm::HS256);
    let header = key.header().to_string();
    for text in [
        &b""[..],
        b"x",
        b"{",
        b"}",
        b"[]",
        b"[{}]",
        b"null",
        b"7",
        b"\"{}\"",
        b"{'alg':'HS256'}",
        b"{\"alg\":\"HS256\",}",
        b"{\"alg\":\"HS256\"/**/}",
        b"{\"alg\":\"HS256\"",
        b"\xff\xfe",
        b"{\"alg\":\"HS256\",\"x\":\"\xff\"}",
        b"{\"alg\":\"HS256\",\"x\":\"\xc0\xaf\"}",
        b"{\"alg\":\"HS256\",\"x\":\"\xed\xa0\x80\"}",
        b"{\"alg\":\"HS256\",\"x\":\"\\ud800\"}",
        b"{\"alg\":\"HS256\",\"x\":\"\n\"}",
        b"{\"alg\":\"HS256\",\"x\":1e400}",
        b"{\"alg\":\"HS256\",\"x\":NaN}",
        b"{\"alg\":\"HS256\",\"x\":01}",
        b"[\"HS256\",\"JWT\",\"HS256\"]",
    ] {
        assert_eq!(gate().bearer(&key.token_of(text, claims().to_string())), invalid_token());
        assert_eq!(gate().bearer(&key.token_of(&header, text)), invalid_token());
    }
    let text = claims().to_string();
    for rest in ["x", "{}", ",", "\0", "]", " null", "//", "\u{a0}", "\u{b}"] {
        assert_eq!(gate().bearer(&payload(text.clone() + rest)), invalid_token(), "{rest:?}");
        let token = key.token_of(header.clone() + rest, &text);
        assert_eq!(gate().bearer(&token), invalid_token(), "{rest:?}");
        assert_eq!(gate().bearer(&payload(rest.to_owned() + &text)), invalid_token(), "{rest:?}");
    }
    for rest in [
        r#","x":"\ud800""#,
        r#","x":{"y":["\udc00"]}"#,
        r#","\ud800":1"#,
        r#","x":1e400"#,
        r#","x":[-1e999]"#,
        r#","x":Infinity"#,
        ",\"x\":\"\u{1}\"",
    ] {
        assert_eq!(gate().bearer(&payload(claims_and(rest))), invalid_token(), "{rest}");
    }
    for bytes in [&b"\xff"[..], b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xc3"] {
        let text =
            [claims_and(",\"x\":\"").trim_end_matches('}').as_bytes(), bytes, b"\"}"].concat();
        assert_eq!(gate().bearer(&payload(text)), invalid_token(), "{bytes:?}");
    }
    assert_eq!(gate().bearer(&payload(format!(" \r\n\t{text}\n "))), accepted());
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read by serde")]
struct User {
    role: Option<String>,
    nested: Option<serde_json::Value>,
}

#[test]
fn f05_a_member_stands_once() {
    let typed = Gate::of(builder::<User>());
    let maps = Gate::of(builder::<std::collections::HashMap<String, serde_json::Value>>());
    for rest in [
        r#","role":"user","role":"admin""#,
        r#","role":"user","role":"user""#,
        r#","role":"user","\u0072ole":"admin""#,
        r#","\u0073ub":"bob""#,
        r#","sub":"bob""#,
        r#","iss":"x""#,
        r#","aud":"x""#,
        r#","exp":1"#,
        r#","iat":1"#,
        r#","scope":"admin""#,
        r#","nbf":1,"nbf":1"#,
        r#","jti":"a","jti":"a""#,
        r#","scp":"a","scp":"a""#,
        r#","client_id":"a","client_id":"b""#,
        r#","nested":{"a":1,"a":2}"#,
        r#","nested":[{"a":{"b":1,"b":1}}]"#,
        r#","unread":{"a":1,"\u0061":2}"#,
        r#","unread":1,"unread":1"#,
        r#","unread":null,"unread":null"#,
        r#","":1,"":1"#,
    ] {
        for gate in [gate(), &typed, &maps] {
            assert_eq!(gate.bearer(&payload(claims_and(rest))), invalid_token(), "{rest}");
        }
    }
    // Names that differ in case are different names.
    for rest in [r#","role":"a","Role":"b""#, r#","nested":{"a":{"a":{}}},"a":1"#] {
        assert_eq!(typed.bearer(&payload(claims_and(rest))), accepted(), "{rest}");
    }
    let key = key(Algorithm::HS256);
    for rest in [
        r#","alg":"HS256""#,
        r#","\u0061lg":"none""#,
        r#","typ":"JWT","typ":"JWT""#,
        r#","kid":"HS256","kid":"RS256""#,
        r#","x":1,"x":1"#,
        r#","jwk":{"a":1,"a":1}"#,
    ] {
        let header = format!(r#"{{"alg":"HS256"{rest}}}"#);
        let token = key.token_of(&header, claims().to_string());
        assert_eq!(gate().bearer(&token), invalid_token(), "{header}");
    }
}

#[test]
fn f05_no_member_has_a_second_meaning() {
    // The name under which serde_json hides raw JSON: a `Value` would show
    // what stands in the string, where every other reader sees an object.
    let rest = r#","nested":{"$serde_json::private::RawValue":"{\"admin\":true,\"admin\":false}"}"#;
    assert_eq!(Gate::of(builder::<User>()).bearer(&payload(claims_and(rest))), invalid_token());
}

#[test]
fn f05_what_is_marked_as_a_number_is_refused() {
    for name in ["$serde_json::private::Number", "\\u0024serde_json::private::Number"] {
        for value in ["\"5\"", "5", "\"\\u0035\"", "{}"] {
            for rest in [
                format!(",\"{name}\":{value}"),
                format!(",\"nested\":{{\"{name}\":{value}}}"),
                format!(",\"nested\":[{{\"{name}\":{value},\"a\":1}}]"),
            ] {
                let gate = Gate::of(builder::<User>());
                assert_eq!(gate.bearer(&payload(claims_and(&rest))), invalid_token(), "{rest}");
            }
        }
    }
}

#[test]
fn f05_a_name_that_is_not_ascii_is_no_panic_where_a_key_is_a_bool() {
    use std::collections::HashMap;

    #[derive(Debug, serde::Deserialize)]
    struct Flags {
        #[serde(default)]
        #[allow(dead_code)]
        flags: HashMap<bool, u8>,
    }
    for name in ["é", "t\u{e9}", "tru\u{20ac}", "😀", "true"] {
        let rest = format!(r#","flags":{{"{name}":1}}"#);
        let answer = Gate::of(builder::<Flags>()).bearer(&payload(claims_and(&rest)));
        assert_eq!(answer == invalid_token(), name != "true", "{name}");
        let front = claims_and("").replacen('{', &format!("{{\"{name}\":1,"), 1);
        let gate = Gate::of(builder::<HashMap<bool, serde_json::Value>>());
        assert_eq!(gate.bearer(&payload(front)), invalid_token(), "{name}");
    }
}

#[test]
fn f06_deep_and_long_json_costs_little() {
    on_a_small_stack(|| {
        let roomy = Gate::of(builder::<User>().max_token_len(64 * 1024));
        let key = key(Algorithm::HS256);
        let refused = |token: &str, what: &str| {
            let started = Instant::now();
            assert_eq!(gate().bearer(token), invalid_token(), "{what}");
            assert_eq!(roomy.bearer(token), invalid_token(), "{what}");
            assert!(started.elapsed() < Duration::from_secs(2), "{what}");
        };
        let deep = ["[", "{\"a\":", "[{\"a\":"].map(|one| one.repeat(10_000)[..10_000].to_owned());
        let digits = "9".repeat(10_000);
        let long = [digits.clone(), format!("1e{digits}"), format!("-{digits}.{digits}")];
        for value in deep.iter().chain(&long) {
            for name in ["x", "nested", "exp", "aud", "sub", "scope", "scp", "cnf", "jwk", "kid"] {
                let member = format!("{{\"{name}\":{value},");
                let text = claims().to_string().replacen('{', &member, 1);
                refused(&key.token_of(key.header().to_string(), &text), name);
                let header = key.header().to_string().replacen('{', &member, 1);
                refused(&key.token_of(header, claims().to_string()), name);
            }
        }
    });
}

#[test]
fn f06_what_is_long_and_has_a_value_costs_little() {
    on_a_small_stack(|| {
        let roomy = Gate::of(builder::<User>().max_token_len(64 * 1024));
        let members: String = (0..4000).map(|n| format!(",\"n{n}\":0")).collect();
        let zeros = "0".repeat(10_000);
        let nested = |open: &str, close: &str| {
            format!(",\"nested\":{}0{}", open.repeat(60), close.repeat(60))
        };
        for rest in [
            members,
            format!(",\"x\":0.{zeros}"),
            format!(",\"x\":1e-{zeros}9"),
            nested("[", "]"),
            nested("{\"a\":", "}"),
            nested("[{\"a\":", "}]"),
        ] {
            let started = Instant::now();
            assert_eq!(roomy.bearer(&payload(claims_and(&rest))), accepted());
            assert!(started.elapsed() < Duration::from_secs(2));
        }
    });
}

/// Runs it with a quarter of the stack that tokio gives its threads.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(512 * 1024).spawn(work).unwrap().join().unwrap();
}

#[test]
fn f07_no_bit_can_be_changed() {
    for key in KEYS.iter() {
        let good = key.token(&claims());
        assert_eq!(gate().bearer(&good), accepted(), "{}", key.algorithm);
        let signature = good.rfind('.').unwrap() + 1..good.len() - 1;
        // Unoptimised RustCrypto takes minutes for all of them.
        let step = if cfg!(feature = "aws_lc_rs") { 1 } else { 41 };
        for at in (0..good.len()).step_by(step) {
            for bit in 0..8 {
                let mut bytes = good.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let byte = bytes[at];
                if byte < b' ' || byte == 0x7f {
                    // No header can hold it.
                    continue;
                }
                let place = format!("{}: bit {bit} of byte {at}", key.algorithm);
                // A comma, or a blank behind two dots, makes a list of it, and
                // other bytes are no token's (t05, t06).
                let answer = gate().get(&[("authorization", [b"Bearer ", &*bytes].concat())]);
                let parts = byte == b',' || (byte == b' ' && signature.contains(&at));
                let expected =
                    if parts || byte > 0x7f { invalid_request() } else { invalid_token() };
                assert_eq!(answer, expected, "{place}");
                if byte.is_ascii_graphic() && byte != b';' {
                    let answer = cookie_gate().get(&[("cookie", [b"at=", &*bytes].concat())]);
                    assert_eq!(answer, invalid_token(), "{place}");
                }
            }
        }
    }
}

#[test]
fn f08_json_serialization_is_refused() {
    let good = good();
    let parts: Vec<&str> = good.split('.').collect();
    let flattened =
        json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]}).to_string();
    let general = json!({
        "payload": parts[1],
        "signatures": [{"protected": parts[0], "signature": parts[2]}],
    });
    let token = |text: &str| gate().bearer(text);
    for text in [flattened.clone(), general.to_string(), flattened.replace(',', ", ")] {
        assert_eq!(token(&text), invalid_token(), "{text}");
        assert_eq!(
            cookie_gate().get(&[("cookie", format!("at={}", text.replace(", ", ",")))]),
            invalid_token()
        );
    }
    // At once JSON and, for whoever cuts at dots, a compact token.
    for text in [
        format!(r#"{{"protected":"{}","x":".{}.{}"}}"#, parts[0], parts[1], parts[2]),
        format!(r#"{{"a":"{good}","payload":"{}","signature":"x"}}"#, parts[1]),
        format!(r#"{{"x":"{}.{}.","y":"{}"}}"#, parts[0], parts[1], parts[2]),
        format!("{flattened}.{good}"),
    ] {
        assert_eq!(token(&text), invalid_token(), "{text}");
    }
    // The commas make a list of it (t05).
    assert_eq!(token(&format!("{good}{flattened}")), invalid_request());
}

#[test]
fn f09_only_utf_8_without_a_mark_is_json() {
    let key = key(Algorithm::HS256);
    let (header, text) = (key.header().to_string(), claims().to_string());
    let mark = |text: &str| format!("\u{feff}{text}").into_bytes();
    let wide = |text: &str, order: fn(u16) -> [u8; 2]| {
        text.encode_utf16().flat_map(order).collect::<Vec<u8>>()
    };
    type Form<'f> = &'f dyn Fn(&str) -> Vec<u8>;
    let forms: [Form<'_>; 6] = [
        &mark,
        &|text| wide(text, u16::to_le_bytes),
        &|text| wide(text, u16::to_be_bytes),
        &|text| wide(&format!("\u{feff}{text}"), u16::to_le_bytes),
        &|text| text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect(),
        &|text| [text.as_bytes(), "\u{feff}".as_bytes()].concat(),
    ];
    for form in forms {
        assert_eq!(gate().bearer(&key.token_of(form(&header), &text)), invalid_token());
        assert_eq!(gate().bearer(&key.token_of(&header, form(&text))), invalid_token());
        assert_eq!(gate().bearer(&key.token_of(form(&header), form(&text))), invalid_token());
    }
}
