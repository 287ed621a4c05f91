//! The examples of RFC 7515 appendix A, RFC 7520 §4 and RFC 8037 appendix A.

use std::time::{Duration, UNIX_EPOCH};

use base64_simd::URL_SAFE_NO_PAD;
use tower_jwt_auth::{Algorithm, ConfigError, Error, ErrorKind, Key, KeySet, Verifier};

use crate::fixed::FixedClock;

struct Vector {
    name: &'static str,
    algorithm: Algorithm,
    key: &'static str,
    token: &'static str,
    payload: &'static str,
}

impl Vector {
    /// The key alone, if this build has its algorithm.
    fn keys(&self) -> Option<KeySet> {
        match Key::from_private_jwk(self.key) {
            Ok(key) => Some(KeySet::new([key])),
            Err(ConfigError::UnsupportedKey(_)) => None,
            Err(error) => panic!("{}: {error}", self.name),
        }
    }
}

/// A token's payload, if its form, its header and its signature are good. Those of the vectors
/// are no claims of ours, and most are no claims at all: that is found after the signature.
fn open(keys: &KeySet, token: &str) -> Result<Vec<u8>, Error> {
    let builder = Verifier::builder().keys(keys.clone());
    let builder = builder.any_issuer().any_audience().without_subject();
    // In the year of RFC 7515's example.
    let clock = FixedClock::at(UNIX_EPOCH + Duration::from_secs(1_300_000_000));
    let verifier = builder.clock(clock).build().unwrap();
    // Again, with the header known.
    for _ in 0..2 {
        match verifier.verify(token).now_or_never().expect("nothing has to be waited for") {
            Err(error)
                if !matches!(error.kind(), ErrorKind::MalformedClaims { claim: None, .. }) =>
            {
                return Err(error);
            }
            _ => {}
        }
    }
    let payload = token.split('.').nth(1).unwrap();
    Ok(URL_SAFE_NO_PAD.decode_to_vec(payload).unwrap())
}

fn has(keys: &KeySet, algorithm: Algorithm) -> bool {
    keys.iter().flat_map(Key::algorithms).any(|one| one == algorithm)
}

#[test]
fn each_verifies() {
    let mut left_out = Vec::new();
    for vector in VECTORS {
        let Some(keys) = vector.keys() else {
            left_out.push(vector.name);
            continue;
        };
        let payload = open(&keys, vector.token).unwrap_or_else(|e| panic!("{}: {e}", vector.name));
        assert_eq!(payload, vector.payload.as_bytes(), "{}", vector.name);
        assert!(has(&keys, vector.algorithm), "{}", vector.name);
    }
    let without_es512: &[&str] =
        if cfg!(feature = "aws_lc_rs") { &[] } else { &["RFC 7515 A.4", "RFC 7520 4.3"] };
    assert_eq!(left_out, without_es512);
}

#[test]
fn none_verifies_with_a_flipped_bit() {
    for vector in VECTORS {
        let Some(keys) = vector.keys() else { continue };
        let parts: Vec<&str> = vector.token.split('.').collect();
        for flipped in 0..3 {
            let bytes = URL_SAFE_NO_PAD.decode_to_vec(parts[flipped]).unwrap();
            for at in [0, bytes.len() / 2, bytes.len() - 1] {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1;
                let part = URL_SAFE_NO_PAD.encode_to_string(&bytes);
                let mut parts = parts.clone();
                parts[flipped] = &part;
                let token = parts.join(".");
                assert!(open(&keys, &token).is_err(), "{}: {token}", vector.name);
            }
        }
    }
}

#[test]
fn a_key_opens_its_own_alone() {
    let keys: Vec<_> = VECTORS.iter().map(Vector::keys).collect();
    let mut opened = 0;
    for keys in keys.iter().flatten() {
        opened += VECTORS.iter().filter(|vector| open(keys, vector.token).is_ok()).count();
    }
    // Bilbo's RSA key serves both of its tokens, in both entries.
    let own = keys.iter().flatten().count();
    assert_eq!(opened, own + 2);
}

#[test]
fn private_members_need_a_private_loader() {
    let public = |vector: &&Vector| Key::from_jwk(vector.key).is_ok();
    let public: Vec<_> = VECTORS.iter().filter(public).map(|vector| vector.name).collect();
    let with_es512 = ["RFC 7520 4.1", "RFC 7520 4.2", "RFC 7520 4.3"];
    assert_eq!(public, with_es512[..if cfg!(feature = "aws_lc_rs") { 3 } else { 2 }]);
}

/// RFC 7515 A.5.
#[test]
fn unsecured_is_refused() {
    let token = concat!(
        "eyJhbGciOiJub25lIn0.",
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
        "."
    );
    let keys: KeySet = VECTORS.iter().filter_map(|v| Key::from_private_jwk(v.key).ok()).collect();
    let refused = |token: &str| open(&keys, token).unwrap_err().kind().clone();
    assert_eq!(refused(token), ErrorKind::Unsigned);
    assert_eq!(refused(&format!("{token}AA")), ErrorKind::Unsigned);
}

const JOE: &str =
    "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";

const BILBO: &str = "It\u{2019}s a dangerous business, Frodo, going out your door. You step onto \
                     the road, and if you don't keep your feet, there\u{2019}s no knowing where \
                     you might be swept off to.";

const VECTORS: &[Vector] = &[
    Vector {
        name: "RFC 7515 A.1",
        algorithm: Algorithm::HS256,
        key: "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3\
              Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}",
        token: "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4M\
                TkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27\
                uhbUJU1p1r_wW1gFWFOEjXk",
        payload: JOE,
    },
    Vector {
        name: "RFC 7515 A.2",
        algorithm: Algorithm::RS256,
        key: "{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHm\
              fHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r\
              2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2\
              R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco\
              9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\",\"d\":\"Eq5xpGnNCivD\
              flJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2N\
              XOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3M\
              kqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1j\
              uUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0\
              QU91p1DhOVRuOopznQ\"}",
        token: "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6L\
                y9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9\
                g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcA\
                cQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0Gar\
                ZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9\
                QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        payload: JOE,
    },
    Vector {
        name: "RFC 7515 A.3",
        algorithm: Algorithm::ES256,
        key: "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\
              \":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\",\"d\":\"jpsQnnGQmL-YBIffH1136cspY\
              G6-0iY7X1fCE9-E9LI\"}",
        token: "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6L\
                y9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4Gawxae\
                pmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        payload: JOE,
    },
    Vector {
        name: "RFC 7515 A.4",
        algorithm: Algorithm::ES512,
        key: "{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBp\
              Xp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk\",\"y\":\"ADSmRA43Z1DSNx_RvcLI87cdL07l6j\
              QyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2\",\"d\":\"AY5pb7A0UFiB3\
              RELSD64fTLOSV_jazdF7fLYyuTw8lOfRhWg6Y6rUrPAxerEzgdRhajnu0ferB0d53vM9mE15j2C\"}",
        token: "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZ\
                OYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdO\
                O8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
        payload: "Payload",
    },
    Vector {
        name: "RFC 7520 4.1",
        algorithm: Algorithm::RS256,
        key: "{\"kty\":\"RSA\",\"kid\":\"bilbo.baggins@hobbiton.example\",\"use\":\"sig\",\"n\":\"n4EPtAOCc\
              9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz\
              _AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj\
              -oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHr\
              tIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUk\
              Rz5iaiQkqgc5gHdrNP5zw\",\"e\":\"AQAB\"}",
        token: "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTig\
                JlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN\
                0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXig\
                JlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.MRjdkly7_-oTPTS\
                3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglI\
                I7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNC\
                rUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPx\
                UAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree\
                7vjbU5y18kDquDg",
        payload: BILBO,
    },
    Vector {
        name: "RFC 7520 4.2",
        algorithm: Algorithm::PS384,
        key: "{\"kty\":\"RSA\",\"kid\":\"bilbo.baggins@hobbiton.example\",\"use\":\"sig\",\"n\":\"n4EPtAOCc\
              9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz\
              _AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj\
              -oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHr\
              tIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUk\
              Rz5iaiQkqgc5gHdrNP5zw\",\"e\":\"AQAB\"}",
        token: "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTig\
                JlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN\
                0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXig\
                JlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.cu22eBqkYDKgIlT\
                pzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB\
                5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442\
                ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0\
                qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4\
                ifKo8DYM-X72Eaw",
        payload: BILBO,
    },
    Vector {
        name: "RFC 7520 4.3",
        algorithm: Algorithm::ES512,
        key: "{\"kty\":\"EC\",\"kid\":\"bilbo.baggins@hobbiton.example\",\"use\":\"sig\",\"crv\":\"P-521\",\"\
              x\":\"AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7yt\
              DyRXYgCF5cj0Kt\",\"y\":\"AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsU\
              daQkAgDPrwQrJmbnX9cwlGfP-HqHZR1\"}",
        token: "eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTig\
                JlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN\
                0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXig\
                JlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.AE_R_YZCChjn479\
                1jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3m\
                tPBu_u_sDDyYjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBom\
                u9xQ2",
        payload: BILBO,
    },
    Vector {
        name: "RFC 7520 4.4",
        algorithm: Algorithm::HS256,
        key: "{\"kty\":\"oct\",\"kid\":\"018c0ae5-4d9b-471b-bfd6-eef314bc7037\",\"use\":\"sig\",\"alg\":\"H\
              S256\",\"k\":\"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg\"}",
        token: "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNy\
                J9.SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4\
                gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgd\
                GhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.s0h6KTh\
                zkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0",
        payload: BILBO,
    },
    Vector {
        name: "RFC 8037 A.4",
        algorithm: Algorithm::EdDSA,
        key: "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"\
              ,\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
        token: "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG\
                1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        payload: "Example of Ed25519 signing",
    },
];
