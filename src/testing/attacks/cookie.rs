//! Attacks through a cookie that the router reads (RFC 6265 §5.4, Fetch Metadata).

use http::{
    HeaderName, Method,
    header::{AUTHORIZATION, COOKIE, ORIGIN},
};

use super::{Attack, Forge, HOST_NAME, Head, bearer};
use crate::{
    attack::Check::{Credentials, CrossSite, Keys},
    testing::keys::{self, Use},
    testing::token::sign,
};

/// Requests with a token in this cookie. The method is one that changes something.
pub(super) fn attacks(forge: &Forge, name: &str, method: &Method) -> Vec<Attack> {
    let good = forge.good();
    let other = forge.with_claim("jti", "another");
    let key = keys::of(&forge.token.issuer, forge.token.key.algorithm(), Use::Stranger);
    let forged = forge.with_signature(&forge.header, |text| sign(&key, text));
    let safe = |cookies: &str| Head::default().method(Method::GET).header(COOKIE, cookies);
    let unsafe_ = |headers: &[(HeaderName, &str)]| {
        let head = Head::default().method(method.clone());
        let head = head.header(COOKIE, format!("{name}={good}"));
        headers.iter().fold(head, |head, (header, value)| head.header(header.clone(), value))
    };
    let own = format!("https://{HOST_NAME}");
    let (like_own, with_port) = (format!("{own}.attacker.test"), format!("{own}:8443"));
    let site = SITE;
    let mut all: Vec<_> = [
        (
            "w02_cross_site",
            "a page of another site sends the cookie",
            unsafe_(&[(site.clone(), "cross-site"), (ORIGIN, "https://attacker.test")]),
        ),
        (
            "w02_cross_site_old_browser",
            "a page of another site sends the cookie, from a browser without Fetch Metadata",
            unsafe_(&[(ORIGIN, "https://attacker.test")]),
        ),
        (
            "w02_cross_site_without_origin",
            "a page of another site sends the cookie, without `Origin`",
            unsafe_(&[(site.clone(), "cross-site")]),
        ),
        (
            "w02_same_site",
            "a page of a sibling subdomain sends the cookie",
            unsafe_(&[(site.clone(), "same-site"), (ORIGIN, "https://sibling.app.test")]),
        ),
        (
            "w02_origin_null",
            "a page without an origin sends the cookie",
            unsafe_(&[(site.clone(), "cross-site"), (ORIGIN, "null")]),
        ),
        ("w02_origin_null_old_browser", "`Origin` is `null`", unsafe_(&[(ORIGIN, "null")])),
        (
            "w02_origin_prefix",
            "`Origin` begins with the origin of the service",
            unsafe_(&[(ORIGIN, &like_own)]),
        ),
        ("w02_origin_port", "`Origin` has another port", unsafe_(&[(ORIGIN, &with_port)])),
        (
            "w02_two_origins",
            "the request has two `Origin`",
            unsafe_(&[(ORIGIN, &own), (ORIGIN, "https://attacker.test")]),
        ),
        ("w02_nothing_said", "the request has neither `Origin` nor `Sec-Fetch-Site`", unsafe_(&[])),
        (
            "w02_site_unknown",
            "`Sec-Fetch-Site` is an unknown word",
            unsafe_(&[(site.clone(), "attack")]),
        ),
        (
            "w02_referer_only",
            "only `Referer` names the origin of the service",
            unsafe_(&[(HeaderName::from_static("referer"), &own)]),
        ),
        (
            "w02_ajax_header_only",
            "only `X-Requested-With` says that a script sends it",
            unsafe_(&[(HeaderName::from_static("x-requested-with"), "XMLHttpRequest")]),
        ),
    ]
    .into_iter()
    .map(|(name, description, head)| Attack::new(name, CrossSite, description, head))
    .collect();
    all.extend(
        [
            (
                "t07_bad_header_good_cookie",
                "a bad token is in `Authorization`, and a good one in the cookie",
                Credentials,
                safe(&format!("{name}={good}")).header(AUTHORIZATION, bearer("a.b.c")),
            ),
            (
                "t08_two_cookies",
                "the cookie is there twice with different tokens",
                Credentials,
                safe(&format!("{name}={good}; {name}={other}")),
            ),
            (
                "t08_good_then_bad",
                "the cookie is there twice, and the second token is bad",
                Credentials,
                safe(&format!("{name}={good}; {name}=a.b.c")),
            ),
            (
                "t08_bad_then_good",
                "the cookie is there twice, and the first token is bad",
                Credentials,
                safe(&format!("{name}=a.b.c; {name}={good}")),
            ),
            (
                "t08_two_headers",
                "the cookie is in two `Cookie` headers with different tokens",
                Credentials,
                safe(&format!("{name}={good}")).header(COOKIE, format!("{name}={other}")),
            ),
            (
                "t09_scheme_in_cookie",
                "the cookie has a scheme before the token",
                Credentials,
                safe(&format!("{name}=Bearer {good}")),
            ),
            (
                "w04_forged_cookie",
                "another key has signed the token in the cookie",
                Keys,
                safe(&format!("{name}={forged}")),
            ),
        ]
        .map(|(name, description, check, head)| Attack::new(name, check, description, head)),
    );
    all
}

/// The request of a page of the same origin, which must be accepted.
pub(super) fn good(forge: &Forge, name: &str, method: &Method) -> Attack {
    let head = Head::default()
        .method(method.clone())
        .header(COOKIE, format!("{name}={}", forge.good()))
        .header(SITE, "same-origin")
        .header(ORIGIN, format!("https://{HOST_NAME}"));
    Attack::new("valid_cookie", CrossSite, "a page of the same origin sends the cookie", head)
}

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
