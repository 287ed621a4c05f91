//! Changes of the claims (RFC 7519 §4.1, RFC 8725 §3.8-3.9).

use super::{
    Case, Change,
    Check::{
        Audience, ClaimsForm, Confirmation, Events, Expiry, HasExpiry, Issuer, Subject,
        SubjectType, Times,
    },
    text,
};

/// One change of the claims of a good token each.
#[rustfmt::skip]
pub(crate) static CLAIMS: &[Case<Change>] = &[
    // ----- exp
    Case::new("c01_exp_missing", HasExpiry, MISSING, "`exp` is missing", |claims, _| claims.remove("exp")),
    Case::new("c01_exp_null", HasExpiry, MISSING, "`exp` is `null`", |claims, _| claims.set("exp", "null")),
    Case::new("c01_exp_zero", Expiry, &["expired"], "`exp` is 0", |claims, _| claims.set("exp", "0")),
    Case::new("c01_exp_an_hour_ago", Expiry, &["expired"], "the token expired an hour ago", |claims, setup| {
        claims.set("iat", (setup.now - 2 * HOUR).to_string());
        claims.set("exp", (setup.now - HOUR).to_string());
    }),
    Case::new("c01_exp_past_the_leeway", Expiry, &["expired"], "the token expired as long ago as the leeway, for which 300 s is the most", |claims, setup| {
        claims.set("iat", setup.now.saturating_sub(setup.leeway).saturating_sub(HOUR).max(0).to_string());
        claims.set("exp", setup.now.saturating_sub(setup.leeway).max(0).to_string());
    }),
    Case::new("c01_exp_fraction_past", Expiry, &["expired"], "`exp` is a fraction in the past", |claims, setup| {
        claims.set("exp", format!("{}.5", setup.now - HOUR));
    }),
    Case::new("c01_exp_text", ClaimsForm, MALFORMED, "`exp` is a text", |claims, setup| {
        claims.set("exp", text(&(setup.now + HOUR).to_string()));
    }),
    Case::new("c01_exp_date", ClaimsForm, MALFORMED, "`exp` is a date in words", |claims, _| claims.set("exp", r#""2999-12-31T23:59:59Z""#)),
    Case::new("c01_exp_negative", ClaimsForm, &["malformed_claims", "expired"], "`exp` is negative", |claims, _| claims.set("exp", "-1")),
    Case::new("c01_exp_infinite", ClaimsForm, MALFORMED, "`exp` is 1e400", |claims, _| claims.set("exp", "1e400")),
    Case::new("c01_exp_two_to_the_64", ClaimsForm, MALFORMED, "`exp` is 2^64", |claims, _| claims.set("exp", "18446744073709551616")),
    Case::new("c01_exp_nan", ClaimsForm, MALFORMED, "`exp` is `NaN`", |claims, _| claims.set("exp", "NaN")),
    Case::new("c01_exp_array", ClaimsForm, MALFORMED, "`exp` is an array", |claims, setup| {
        claims.set("exp", format!("[{}]", setup.now + HOUR));
    }),
    Case::new("c01_exp_object", ClaimsForm, MALFORMED, "`exp` is an object", |claims, _| claims.set("exp", "{}")),
    Case::new("c01_exp_true", ClaimsForm, MALFORMED, "`exp` is `true`", |claims, _| claims.set("exp", "true")),
    Case::new("c01_exp_another_case", HasExpiry, MISSING, "the claim is called `EXP`", |claims, setup| {
        claims.remove("exp");
        claims.set("EXP", (setup.now + HOUR).to_string());
    }),
    // ----- nbf, iat
    Case::new("c02_nbf_in_an_hour", Times, &["not_yet_valid"], "the token is valid in an hour", |claims, setup| {
        claims.set("nbf", (setup.now + HOUR).to_string());
        claims.set("exp", (setup.now + 2 * HOUR).to_string());
    }),
    Case::new("c02_nbf_fraction", Times, &["not_yet_valid"], "`nbf` is a fraction in the future", |claims, setup| {
        claims.set("nbf", format!("{}.5", setup.now + HOUR));
        claims.set("exp", (setup.now + 2 * HOUR).to_string());
    }),
    Case::new("c02_nbf_text", ClaimsForm, MALFORMED, "`nbf` is a text", |claims, setup| {
        claims.set("nbf", text(&(setup.now - HOUR).to_string()));
    }),
    Case::new("c02_nbf_array", ClaimsForm, MALFORMED, "`nbf` is an array", |claims, _| claims.set("nbf", "[0]")),
    Case::new("c02_nbf_false", ClaimsForm, MALFORMED, "`nbf` is `false`", |claims, _| claims.set("nbf", "false")),
    Case::new("c02_nbf_infinite", ClaimsForm, MALFORMED, "`nbf` is 1e400", |claims, _| claims.set("nbf", "1e400")),
    Case::new("c03_iat_in_an_hour", Times, &["issued_in_future"], "the token was issued in an hour", |claims, setup| {
        claims.set("iat", (setup.now + HOUR).to_string());
        claims.set("exp", (setup.now + 2 * HOUR).to_string());
    }),
    Case::new("c03_iat_text", ClaimsForm, MALFORMED, "`iat` is a text", |claims, setup| {
        claims.set("iat", text(&setup.now.to_string()));
    }),
    Case::new("c03_iat_object", ClaimsForm, MALFORMED, "`iat` is an object", |claims, _| claims.set("iat", "{}")),
    // ----- iss
    Case::new("c04_iss_missing", Issuer, MISSING, "`iss` is missing", |claims, _| claims.remove("iss")),
    Case::new("c04_iss_null", Issuer, MISSING, "`iss` is `null`", |claims, _| claims.set("iss", "null")),
    Case::new("c04_iss_other", Issuer, ISSUER, "`iss` is another issuer", |claims, _| claims.set_text("iss", "https://another-issuer.test")),
    Case::new("c04_iss_empty", Issuer, ISSUER, "`iss` is empty", |claims, _| claims.set_text("iss", "")),
    Case::new("c04_iss_slash", Issuer, ISSUER, "`iss` has a slash at its end, or lacks it", |claims, setup| {
        let other = setup.issuer.strip_suffix('/').map(str::to_owned);
        claims.set_text("iss", &other.unwrap_or_else(|| format!("{}/", setup.issuer)));
    }),
    Case::new("c04_iss_upper_case", Issuer, ISSUER, "`iss` is in upper case", |claims, setup| claims.set_text("iss", &other_case(setup.issuer))),
    Case::new("c04_iss_longer", Issuer, ISSUER, "`iss` begins with the issuer", |claims, setup| {
        claims.set_text("iss", &format!("{}.attacker.test", setup.issuer));
    }),
    Case::new("c04_iss_shorter", Issuer, ISSUER, "`iss` is the beginning of the issuer", |claims, setup| claims.set_text("iss", shorter(setup.issuer))),
    Case::new("c04_iss_blank", Issuer, ISSUER, "`iss` has a blank at its end", |claims, setup| claims.set_text("iss", &format!("{} ", setup.issuer))),
    Case::new("c04_iss_nul", Issuer, ISSUER, "`iss` has a NUL at its end", |claims, setup| claims.set_text("iss", &format!("{}\0", setup.issuer))),
    Case::new("c04_iss_look_alike", Issuer, ISSUER, "`iss` has a zero-width space", |claims, setup| claims.set_text("iss", &format!("{}\u{200b}", setup.issuer))),
    Case::new("c04_iss_array", ClaimsForm, MALFORMED, "`iss` is an array with the issuer", |claims, setup| {
        claims.set("iss", format!("[{}]", text(setup.issuer)));
    }),
    Case::new("c04_iss_array_of_two", ClaimsForm, MALFORMED, "`iss` is an array with the issuer and another one", |claims, setup| {
        claims.set("iss", format!(r#"["https://another-issuer.test",{}]"#, text(setup.issuer)));
    }),
    Case::new("c04_iss_object", ClaimsForm, MALFORMED, "`iss` is an object", |claims, _| claims.set("iss", "{}")),
    Case::new("c04_iss_number", ClaimsForm, MALFORMED, "`iss` is a number", |claims, _| claims.set("iss", "7")),
    Case::new("c04_iss_true", ClaimsForm, MALFORMED, "`iss` is `true`", |claims, _| claims.set("iss", "true")),
    // ----- aud
    Case::new("c05_aud_missing", Audience, MISSING, "`aud` is missing", |claims, _| claims.remove("aud")),
    Case::new("c05_aud_null", Audience, MISSING, "`aud` is `null`", |claims, _| claims.set("aud", "null")),
    Case::new("c05_aud_other", Audience, AUDIENCE, "`aud` is another service", |claims, _| claims.set_text("aud", "https://another-api.test")),
    Case::new("c05_aud_others", Audience, AUDIENCE, "`aud` is two other services", |claims, _| {
        claims.set("aud", r#"["https://another-api.test","https://third-api.test"]"#);
    }),
    Case::new("c05_aud_no_services", Audience, AUDIENCE, "`aud` is an empty array", |claims, _| claims.set("aud", "[]")),
    Case::new("c05_aud_empty", Audience, AUDIENCE, "`aud` is empty", |claims, _| claims.set_text("aud", "")),
    Case::new("c05_aud_slash", Audience, AUDIENCE, "`aud` has a slash at its end, or lacks it", |claims, setup| {
        let other = setup.audience.strip_suffix('/').map(str::to_owned);
        claims.set_text("aud", &other.unwrap_or_else(|| format!("{}/", setup.audience)));
    }),
    Case::new("c05_aud_upper_case", Audience, AUDIENCE, "`aud` is in upper case", |claims, setup| claims.set_text("aud", &other_case(setup.audience))),
    Case::new("c05_aud_longer", Audience, AUDIENCE, "`aud` begins with the name of the service", |claims, setup| {
        claims.set_text("aud", &format!("{}.attacker.test", setup.audience));
    }),
    Case::new("c05_aud_shorter", Audience, AUDIENCE, "`aud` is the beginning of the name of the service", |claims, setup| claims.set_text("aud", shorter(setup.audience))),
    Case::new("c05_aud_list_in_a_text", Audience, AUDIENCE, "`aud` is one text with two names", |claims, setup| {
        claims.set_text("aud", &format!("https://another-api.test {}", setup.audience));
    }),
    Case::new("c05_aud_array_with_a_number", ClaimsForm, MALFORMED, "`aud` is an array with a number", |claims, setup| {
        claims.set("aud", format!("[{},7]", text(setup.audience)));
    }),
    Case::new("c05_aud_array_with_null", ClaimsForm, MALFORMED, "`aud` is an array with `null`", |claims, setup| {
        claims.set("aud", format!("[{},null]", text(setup.audience)));
    }),
    Case::new("c05_aud_nested", ClaimsForm, MALFORMED, "`aud` is an array in an array", |claims, setup| {
        claims.set("aud", format!("[[{}]]", text(setup.audience)));
    }),
    Case::new("c05_aud_object", ClaimsForm, MALFORMED, "`aud` is an object", |claims, setup| {
        claims.set("aud", format!("{{{}:true}}", text(setup.audience)));
    }),
    Case::new("c05_aud_number", ClaimsForm, MALFORMED, "`aud` is a number", |claims, _| claims.set("aud", "7")),
    Case::new("c05_aud_true", ClaimsForm, MALFORMED, "`aud` is `true`", |claims, _| claims.set("aud", "true")),
    // ----- sub, jti, client_id
    Case::new("c06_sub_missing", Subject, MISSING, "`sub` is missing", |claims, _| claims.remove("sub")),
    Case::new("c06_sub_null", Subject, MISSING, "`sub` is `null`", |claims, _| claims.set("sub", "null")),
    Case::new("c06_sub_empty", Subject, MISSING, "`sub` is empty", |claims, _| claims.set_text("sub", "")),
    Case::new("c06_sub_number", SubjectType, MALFORMED, "`sub` is a number", |claims, _| claims.set("sub", "7")),
    Case::new("c06_sub_array", ClaimsForm, MALFORMED, "`sub` is an array", |claims, _| claims.set("sub", r#"["user"]"#)),
    Case::new("c06_sub_object", ClaimsForm, MALFORMED, "`sub` is an object", |claims, _| claims.set("sub", "{}")),
    Case::new("c06_jti_number", ClaimsForm, MALFORMED, "`jti` is a number", |claims, _| claims.set("jti", "7")),
    Case::new("c06_client_id_array", ClaimsForm, MALFORMED, "`client_id` is an array", |claims, _| claims.set("client_id", r#"["client"]"#)),
    Case::new("c06_sid_number", ClaimsForm, MALFORMED, "`sid` is a number", |claims, _| claims.set("sid", "7")),
    // ----- cnf, events
    Case::new("c11_cnf_jkt", Confirmation, BOUND, "the token is bound to a key of DPoP that the sender does not have", |claims, _| {
        claims.set("cnf", r#"{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}"#);
    }),
    Case::new("c11_cnf_certificate", Confirmation, BOUND, "the token is bound to a certificate, and the request has none", |claims, _| {
        claims.set("cnf", r#"{"x5t#S256":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg0"}"#);
    }),
    Case::new("c11_cnf_unknown", Confirmation, BOUND, "the token is bound in an unknown way", |claims, _| claims.set("cnf", r#"{"other":1}"#)),
    Case::new("c11_cnf_empty", Confirmation, BOUND, "`cnf` is an empty object", |claims, _| claims.set("cnf", "{}")),
    Case::new("c11_cnf_null", Confirmation, BOUND, "`cnf` is `null`", |claims, _| claims.set("cnf", "null")),
    Case::new("a10_logout_token_untyped", Events, &["security_event"], "a logout token whose `typ` does not say so", |claims, _| {
        claims.set("events", r#"{"http://schemas.openid.net/event/backchannel-logout":{}}"#);
    }),
    Case::new("a10_security_event", Events, &["security_event"], "`events` is an empty object", |claims, _| claims.set("events", "{}")),
    // ----- names that are repeated
    Case::new("f05_exp_repeated", ClaimsForm, MALFORMED, "`exp` is there twice, first in the past", |claims, setup| {
        let good = claims.json("exp").unwrap_or("0").to_owned();
        claims.set("exp", (setup.now - HOUR).to_string());
        claims.repeat("exp", good);
    }),
    Case::new("f05_iss_repeated", ClaimsForm, MALFORMED, "`iss` is there twice", |claims, _| claims.double("iss")),
    Case::new("f05_aud_repeated", ClaimsForm, MALFORMED, "`aud` is there twice, first for another service", |claims, setup| {
        claims.set_text("aud", "https://another-api.test");
        claims.repeat("aud", text(setup.audience));
    }),
    Case::new("f05_sub_repeated", ClaimsForm, MALFORMED, "`sub` is there twice", |claims, _| {
        claims.set_text("sub", "user");
        claims.repeat("sub", r#""admin""#);
    }),
    Case::new("f05_scope_repeated", ClaimsForm, MALFORMED, "`scope` is there twice", |claims, _| claims.double("scope")),
    Case::new("f05_other_claim_repeated", ClaimsForm, MALFORMED, "a claim that is not registered is there twice", |claims, _| {
        claims.repeat("attack", "1");
        claims.repeat("attack", "2");
    }),
    Case::new("f05_inner_name_repeated", ClaimsForm, MALFORMED, "a name is repeated within a claim", |claims, _| {
        claims.set("attack", r#"{"a":[{"b":1,"b":2}]}"#);
    }),
    // ----- sizes
    Case::new("f06_claim_nested_deeply", ClaimsForm, MALFORMED, "a claim is nested 1,000 deep", |claims, _| {
        claims.set("attack", format!("{}{}", "[".repeat(1_000), "]".repeat(1_000)));
    }),
    Case::new("f06_exp_of_2_000_digits", ClaimsForm, MALFORMED, "`exp` has 2,000 digits", |claims, _| claims.set("exp", "1".repeat(2_000))),
];

/// The text with its letters in the other case.
fn other_case(text: &str) -> String {
    let upper = text.to_uppercase();
    if upper == text { text.to_lowercase() } else { upper }
}

/// The text without its last character.
fn shorter(text: &str) -> &str {
    text.char_indices().next_back().and_then(|(at, _)| text.get(..at)).unwrap_or_default()
}

const MISSING: &[&str] = &["missing_claim"];
const MALFORMED: &[&str] = &["malformed_claims"];
const ISSUER: &[&str] = &["issuer"];
const AUDIENCE: &[&str] = &["audience"];
const BOUND: &[&str] = &["sender_constrained", "not_sender_constrained"];

/// In seconds.
const HOUR: i64 = 60 * 60;
