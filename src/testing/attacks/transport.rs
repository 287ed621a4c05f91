//! Places and forms of credentials (RFC 6750 §2, RFC 9110 §11).

use http::{
    HeaderName,
    header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL},
};

use super::{Attack, Forge, Head};
use crate::attack::Check::{Credentials, Length, Source, Token};

pub(super) fn attacks(forge: &Forge) -> Vec<Attack> {
    let good = &*forge.good();
    // The same claims, and another text.
    let other = &*forge.other();
    let scheme = forge.scheme;
    let look_alike = scheme.replace('B', "\u{412}").replace('P', "\u{420}");
    let bearer = |token: &str| format!("{scheme} {token}");
    let head = Head::default;
    let with =
        |name: &'static str, value: &str| head().header(HeaderName::from_static(name), value);
    let authorization = |value: &str| head().header(AUTHORIZATION, value);
    let cookie = |name: &str| head().header(COOKIE, format!("{name}={good}"));
    let mut all = vec![
        Attack::new("t01_no_token", Token, "the request has no token", head()),
        Attack::new(
            "t11_query_malformed",
            Token,
            "the request has no token, and its query is not percent-encoded",
            head().query("access_token=%FF&token=%"),
        ),
    ];
    for (name, description, value) in [
        ("t03_basic", "the token is behind `Basic`", format!("Basic {good}")),
        ("t03_digest", "the token is behind `Digest`", format!("Digest {good}")),
        ("t03_token", "the token is behind `Token`", format!("Token {good}")),
        ("t03_jwt", "the token is behind `JWT`", format!("JWT {good}")),
        ("t03_bearerx", "a letter is behind the scheme", format!("{scheme}x {good}")),
        ("t03_xbearer", "a letter is before the scheme", format!("X{scheme} {good}")),
        ("t03_bearer_colon", "a colon is behind the scheme", format!("{scheme}: {good}")),
        ("t03_bearer_equals", "an equals sign is behind the scheme", format!("{scheme}={good}")),
        ("t03_no_blank", "no blank is between the scheme and the token", format!("{scheme}{good}")),
        ("t03_no_scheme", "the token has no scheme", good.to_owned()),
        (
            "d03_unbound_token_as_dpop",
            "a token that is not bound is behind `DPoP`, without a proof",
            format!("DPoP {good}"),
        ),
        ("t04_scheme_only", "nothing is behind the scheme", scheme.to_owned()),
        ("t04_empty", "nothing is behind the scheme and a blank", format!("{scheme} ")),
        ("t04_blanks", "only blanks are behind the scheme", format!("{scheme}    ")),
        (
            "t05_list",
            "two credentials are in one header",
            format!("{scheme} {good}, {scheme} {other}"),
        ),
        ("t05_list_of_bad", "a good and a bad token are in one header", {
            format!("{scheme} {good}, {scheme} a.b.c")
        }),
        ("t05_list_basic_first", "`Basic` and the token are in one header", {
            format!("Basic dXNlcjpwYXNzd29yZA==, {scheme} {good}")
        }),
        ("t06_tilde", "a tilde is behind the token, as in an SD-JWT", format!("{scheme} {good}~")),
        ("t06_text_behind", "a word is behind the token", format!("{scheme} {good} x")),
        ("t06_text_before", "a word is before the token", format!("{scheme} x {good}")),
        ("t06_tab", "a tab and a word are behind the token", format!("{scheme} {good}\tx")),
        ("t06_parameter", "the token is in a parameter", format!("{scheme} token=\"{good}\"")),
        ("t06_quoted", "the token is quoted", format!("{scheme} \"{good}\"")),
        (
            "t06_non_ascii",
            "a byte beyond ASCII is behind the token",
            format!("{scheme} {good}\u{e9}"),
        ),
        ("t16_look_alike", "the scheme has a Cyrillic letter", format!("{look_alike} {good}")),
    ] {
        let check = if name.starts_with("t04") { Token } else { Credentials };
        all.push(Attack::new(name, check, description, authorization(&value)));
    }
    for (name, description, first, second) in [
        (
            "t05_two_headers",
            "the request has two `Authorization` with different tokens",
            good,
            other,
        ),
        ("t05_two_headers_same", "the request has the same `Authorization` twice", good, good),
        ("t05_good_then_bad", "a bad token is in a second `Authorization`", good, "a.b.c"),
        ("t05_bad_then_good", "a bad token is in the first of two `Authorization`", "a.b.c", good),
    ] {
        let both = authorization(&bearer(first)).header(AUTHORIZATION, bearer(second));
        all.push(Attack::new(name, Credentials, description, both));
    }
    all.push(Attack::new(
        "t05_basic_then_bearer",
        Credentials,
        "`Basic` is in the first of two `Authorization`",
        authorization("Basic dXNlcjpwYXNzd29yZA==").header(AUTHORIZATION, bearer(good)),
    ));
    for (name, header) in [
        ("t16_x_forwarded_authorization", "x-forwarded-authorization"),
        ("t16_x_original_authorization", "x-original-authorization"),
        ("t16_x_authorization", "x-authorization"),
        ("t16_authentication", "authentication"),
        ("t16_x_access_token", "x-access-token"),
        ("t16_x_auth_token", "x-auth-token"),
        ("t16_x_jwt_assertion", "x-jwt-assertion"),
        ("t16_x_forwarded_access_token", "x-forwarded-access-token"),
        ("t16_x_goog_iap_jwt_assertion", "x-goog-iap-jwt-assertion"),
        ("t16_x_amzn_oidc_data", "x-amzn-oidc-data"),
        ("t16_cf_access_jwt_assertion", "cf-access-jwt-assertion"),
    ] {
        let value = if header.ends_with("authorization") { bearer(good) } else { good.to_owned() };
        let description = format!("the token is in the header `{header}`");
        all.push(Attack::new(name, Source, description, with(header, &value)));
    }
    for (name, header) in [
        ("t16_x_user", "x-user"),
        ("t16_x_user_id", "x-user-id"),
        ("t16_x_forwarded_user", "x-forwarded-user"),
        ("t16_x_authenticated_user", "x-authenticated-user"),
        ("t16_remote_user", "remote-user"),
    ] {
        let description = format!("the request has no token, and a subject in `{header}`");
        all.push(Attack::new(name, Token, description, with(header, "admin")));
    }
    all.push(Attack::new(
        "t16_proxy_authorization",
        Source,
        "the token is in `Proxy-Authorization`",
        head().header(PROXY_AUTHORIZATION, bearer(good)),
    ));
    for (name, parameter) in [
        ("t10_query_access_token", "access_token"),
        ("t10_query_token", "token"),
        ("t10_query_jwt", "jwt"),
        ("t10_query_authorization", "authorization"),
    ] {
        let description = format!("the token is in `{parameter}` of the query");
        all.push(Attack::new(
            name,
            Source,
            description,
            head().query(format!("{parameter}={good}")),
        ));
    }
    all.push(Attack::new(
        "t10_subprotocol",
        Source,
        "the token is in `Sec-WebSocket-Protocol`",
        head().header(SEC_WEBSOCKET_PROTOCOL, format!("bearer, {good}")),
    ));
    for (name, cookie_name) in COOKIES {
        let description = format!("the token is in the cookie `{cookie_name}`");
        all.push(Attack::new(name, Source, description, cookie(cookie_name)));
    }
    all.push(Attack::bearer(
        "t12_too_long",
        Length,
        "the token has more than 16 KiB",
        &forge.with_claim("attack", &"a".repeat(12 * 1024)),
    ));
    all
}

/// Names of cookies that a router may read.
pub(super) const COOKIES: [(&str, &str); 8] = [
    ("t10_cookie_access_token", "access_token"),
    ("t10_cookie_token", "token"),
    ("t10_cookie_jwt", "jwt"),
    ("t10_cookie_auth_token", "auth_token"),
    ("t10_cookie_session", "session"),
    ("t10_cookie_sid", "sid"),
    ("t10_cookie_authorization", "authorization"),
    ("t10_cookie_host_at", "__Host-at"),
];
