//! Changes of the header (RFC 8725 §3.1-3.2, RFC 7515 §4).

use super::{
    Case, Change,
    Check::{Header, Keys, Type},
};

/// One change of the header of a good token each.
#[rustfmt::skip]
pub(crate) static HEADERS: &[Case<Change>] = &[
    // ----- alg
    Case::new("a01_alg_missing", Header, MALFORMED, "`alg` is missing", |header, _| header.remove("alg")),
    Case::new("a01_alg_null", Header, MALFORMED, "`alg` is `null`", |header, _| header.set("alg", "null")),
    Case::new("a01_alg_number", Header, MALFORMED, "`alg` is a number", |header, _| header.set("alg", "256")),
    Case::new("a01_alg_array", Header, MALFORMED, "`alg` is an array", |header, _| {
        let alg = header.json("alg").unwrap_or("null").to_owned();
        header.set("alg", format!("[{alg}]"));
    }),
    Case::new("a01_alg_object", Header, MALFORMED, "`alg` is an object", |header, _| header.set("alg", "{}")),
    Case::new("a01_alg_empty", Header, ALGORITHM, "`alg` is empty", |header, _| header.set_text("alg", "")),
    Case::new("a01_alg_unknown", Header, ALGORITHM, "`alg` is unknown", |header, _| header.set_text("alg", "XS256")),
    Case::new("a01_alg_blank", Header, ALGORITHM, "`alg` has a blank at its end", |header, _| {
        let alg = header.json("alg").unwrap_or_default().trim_matches('"').to_owned();
        header.set_text("alg", &format!("{alg} "));
    }),
    Case::new("a01_alg_lower_case", Header, ALGORITHM, "`alg` is in lower case", |header, _| {
        let alg = header.json("alg").unwrap_or_default().to_lowercase();
        header.set("alg", alg);
    }),
    // ----- none, with a signature; those without are among the forms
    Case::new("a02_alg_none_signed", Header, &["unsigned"], "`alg` is `none`, and there is a signature", |header, _| header.set_text("alg", "none")),
    Case::new("a02_alg_none_upper_case_signed", Header, &["unsigned"], "`alg` is `NONE`, and there is a signature", |header, _| header.set_text("alg", "NONE")),
    // ----- crit, b64
    Case::new("a08_crit_unknown", Header, UNSUPPORTED, "`crit` names an unknown parameter", |header, _| {
        header.set("crit", r#"["attack"]"#);
        header.set("attack", "true");
    }),
    Case::new("a08_crit_known", Header, UNSUPPORTED, "`crit` names `exp`", |header, setup| {
        header.set("crit", r#"["exp"]"#);
        header.set("exp", (setup.now + 60).to_string());
    }),
    Case::new("a08_crit_alg", Header, UNSUPPORTED, "`crit` names `alg`", |header, _| header.set("crit", r#"["alg"]"#)),
    Case::new("a08_crit_absent_parameter", Header, UNSUPPORTED, "`crit` names a parameter that is not there", |header, _| header.set("crit", r#"["attack"]"#)),
    Case::new("a08_crit_empty", Header, UNSUPPORTED, "`crit` is an empty array", |header, _| header.set("crit", "[]")),
    Case::new("a08_crit_null", Header, UNSUPPORTED, "`crit` is `null`", |header, _| header.set("crit", "null")),
    Case::new("a08_crit_text", Header, UNSUPPORTED, "`crit` is a text", |header, _| header.set_text("crit", "exp")),
    Case::new("a08_b64_false", Header, UNSUPPORTED, "`b64` is `false`, and `crit` does not name it", |header, _| header.set("b64", "false")),
    Case::new("a08_b64_true", Header, UNSUPPORTED, "`b64` is `true`", |header, _| header.set("b64", "true")),
    Case::new("a08_b64_critical", Header, UNSUPPORTED, "`b64` is `false`, and `crit` names it", |header, _| {
        header.set("b64", "false");
        header.set("crit", r#"["b64"]"#);
    }),
    Case::new("a08_enc", Header, UNSUPPORTED, "the header has `enc`", |header, _| header.set_text("enc", "A256GCM")),
    // ----- typ, cty
    Case::new("a09_typ_dpop_proof", Type, TYPE, "a DPoP proof: `typ` is `dpop+jwt`", |header, _| header.set_text("typ", "dpop+jwt")),
    Case::new("a09_typ_security_event", Type, TYPE, "a security event: `typ` is `secevent+jwt`", |header, _| header.set_text("typ", "secevent+jwt")),
    Case::new("a09_typ_introspection", Type, TYPE, "an answer of introspection: `typ` is `token-introspection+jwt`", |header, _| header.set_text("typ", "token-introspection+jwt")),
    Case::new("a09_typ_authorization_request", Type, TYPE, "a request of a client: `typ` is `oauth-authz-req+jwt`", |header, _| header.set_text("typ", "oauth-authz-req+jwt")),
    Case::new("a09_typ_refresh", Type, TYPE, "a refresh token: `typ` is `refresh+jwt`", |header, _| header.set_text("typ", "refresh+jwt")),
    Case::new("a09_typ_id_token", Type, TYPE, "an ID token that says so: `typ` is `id+jwt`", |header, _| header.set_text("typ", "id+jwt")),
    Case::new("a09_typ_credential", Type, TYPE, "a credential: `typ` is `vc+sd-jwt`", |header, _| header.set_text("typ", "vc+sd-jwt")),
    Case::new("a09_typ_jose_json", Type, TYPE, "`typ` is `JOSE+JSON`", |header, _| header.set_text("typ", "JOSE+JSON")),
    Case::new("a09_typ_empty", Type, TYPE, "`typ` is empty", |header, _| header.set_text("typ", "")),
    Case::new("a09_typ_blank", Type, TYPE, "`typ` has a blank at its end", |header, _| header.set_text("typ", "JWT ")),
    Case::new("a09_typ_null", Header, MALFORMED, "`typ` is `null`", |header, _| header.set("typ", "null")),
    Case::new("a09_typ_number", Header, MALFORMED, "`typ` is a number", |header, _| header.set("typ", "7")),
    Case::new("a09_typ_array", Header, MALFORMED, "`typ` is an array", |header, _| header.set("typ", r#"["at+jwt"]"#)),
    Case::new("a10_logout_token", Type, TYPE, "a logout token: `typ` is `logout+jwt`", |header, _| header.set_text("typ", "logout+jwt")),
    Case::new("a11_cty_jwt", Header, UNSUPPORTED, "`cty` says that a token is within the token", |header, _| header.set_text("cty", "JWT")),
    Case::new("a11_cty_media_type", Header, UNSUPPORTED, "`cty` is `application/jwt`", |header, _| header.set_text("cty", "application/jwt")),
    Case::new("a11_cty_array", Header, MALFORMED, "`cty` is an array", |header, _| header.set("cty", r#"["JWT"]"#)),
    // ----- kid
    Case::new("a12_kid_path", Keys, &[], "`kid` is a path, and another key has signed", |header, _| header.set_text("kid", "../../../../dev/null")),
    Case::new("a12_kid_sql", Keys, &[], "`kid` is SQL, and another key has signed", |header, _| header.set_text("kid", "x' UNION SELECT 'secret' -- ")),
    Case::new("a12_kid_url", Keys, &[], "`kid` is a URL, and another key has signed", |header, _| header.set_text("kid", "https://attacker.test/key.pem")),
    Case::new("a12_kid_command", Keys, &[], "`kid` is a command, and another key has signed", |header, _| header.set_text("kid", "key.pem; sleep 10 |")),
    Case::new("a12_kid_unicode", Keys, &[], "`kid` has characters beyond ASCII, and another key has signed", |header, _| header.set_text("kid", "кey\u{202e}\u{0}")),
    Case::new("a12_kid_other", Keys, &[], "`kid` names a key that nobody has, and another key has signed", |header, _| header.set_text("kid", "no-such-key")),
    Case::new("a12_kid_long", Header, MALFORMED, "`kid` has 2,000 characters", |header, _| header.set_text("kid", &"k".repeat(2_000))),
    Case::new("a12_kid_empty", Header, MALFORMED, "`kid` is empty", |header, _| header.set_text("kid", "")),
    Case::new("a12_kid_null", Header, MALFORMED, "`kid` is `null`", |header, _| header.set("kid", "null")),
    Case::new("a12_kid_number", Header, MALFORMED, "`kid` is a number", |header, _| header.set("kid", "0")),
    Case::new("a12_kid_array", Header, MALFORMED, "`kid` is an array", |header, _| header.set("kid", "[]")),
    Case::new("a12_kid_object", Header, MALFORMED, "`kid` is an object", |header, _| header.set("kid", "{}")),
    // ----- names that are repeated, sizes
    Case::new("f05_alg_repeated", Header, MALFORMED, "`alg` is there twice", |header, _| header.double("alg")),
    Case::new("f05_alg_none_behind", Header, MALFORMED, "`alg` is there twice, and the second one is `none`", |header, _| header.repeat("alg", r#""none""#)),
    Case::new("f05_kid_repeated", Header, MALFORMED, "`kid` is there twice", |header, _| header.double("kid")),
    Case::new("f05_other_parameter_repeated", Header, MALFORMED, "a parameter that is not registered is there twice", |header, _| {
        header.repeat("attack", "1");
        header.repeat("attack", "2");
    }),
    Case::new("f06_parameter_nested_deeply", Header, MALFORMED, "a parameter is nested 1,000 deep", |header, _| {
        header.set("attack", format!("{}{}", "[".repeat(1_000), "]".repeat(1_000)));
    }),
];

const MALFORMED: &[&str] = &["malformed_header"];
const ALGORITHM: &[&str] = &["algorithm_not_allowed"];
const UNSUPPORTED: &[&str] = &["unsupported_header"];
const TYPE: &[&str] = &["token_type"];
