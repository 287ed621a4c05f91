//! Attacks through a cookie that the router reads (RFC 6265 §5.4, Fetch Metadata).

use http::{
    HeaderName, Method, Uri,
    header::{
        AUTHORIZATION, CONNECTION, COOKIE, ORIGIN, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
        UPGRADE,
    },
};

use super::{Attack, Forge, Head, bearer};
use crate::{
    attack::Check::{Credentials, CrossSite, Keys},
    testing::jws::sign,
};

/// The cookie of a route, and the origin of its pages.
#[derive(Clone, Debug)]
pub(super) struct CookieRoute {
    pub(super) name: String,
    /// The method of the route that changes something, if there is one.
    pub(super) method: Method,
    pub(super) origin: Origin,
    /// Whether requests that change nothing are `GET`, as a handshake of a WebSocket is.
    pub(super) has_get: bool,
}

/// The origin of a service, such as `https://app.test`.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    text: String,
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origin {
    /// # Panics
    ///
    /// The text is no origin.
    pub(super) fn new(text: &str) -> Self {
        let uri = text
            .parse::<Uri>()
            .ok()
            .filter(|uri| uri.path() == "/" && uri.query().is_none() && !text.ends_with('/'));
        let parts = uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.authority()?)));
        let Some((scheme, authority)) = parts else {
            panic!("{text:?} is no origin: write it as `https://app.example.com`");
        };
        Self {
            text: text.to_owned(),
            scheme: scheme.to_owned(),
            host: authority.host().to_owned(),
            port: authority.port_u16(),
        }
    }

    /// The value of `Host`.
    pub(super) fn authority(&self) -> String {
        self.port.map_or_else(|| self.host.clone(), |port| format!("{}:{port}", self.host))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// An origin whose text begins with this one.
    fn longer(&self) -> String {
        format!("{}://{}.attacker.test", self.scheme, self.host)
    }

    fn with_another_port(&self) -> String {
        let port = if self.port == Some(8443) { 8444 } else { 8443 };
        format!("{}://{}:{port}", self.scheme, self.host)
    }

    fn of_sibling(&self) -> String {
        format!("{}://sibling.{}", self.scheme, self.host)
    }
}

impl CookieRoute {
    /// Whether requests of the route change something, so that other sites must not send them.
    pub(super) fn is_unsafe(&self) -> bool {
        !self.method.is_safe()
    }

    /// The headers of a page of the same origin that sends this cookie.
    pub(super) fn same_origin(&self, cookies: &str) -> Head {
        Head::default()
            .header(COOKIE, cookies)
            .header(SITE, "same-origin")
            .header(ORIGIN, self.origin.as_str())
    }

    /// The same attack with its token in the cookie, and not in `Authorization`. `None` if it has
    /// no such token, or one that no cookie can have.
    pub(super) fn moved(&self, attack: &Attack) -> Option<Attack> {
        let token = attack.head.token.as_deref()?;
        let fits =
            |byte| matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e);
        let head = self.same_origin(&format!("{}={token}", self.name));
        token.bytes().all(fits).then(|| Attack { head, ..attack.clone() })
    }

    /// The request of a page of the same origin, which must be accepted.
    pub(super) fn good(&self, forge: &Forge) -> Attack {
        let head = self.same_origin(&format!("{}={}", self.name, forge.good()));
        let head = head.method(self.method.clone());
        Attack::new("valid_cookie", CrossSite, "a page of the same origin sends the cookie", head)
    }
}

/// Requests with a token in this cookie.
pub(super) fn attacks(forge: &Forge, route: &CookieRoute) -> Vec<Attack> {
    let name = &route.name;
    let good = forge.good();
    let other = forge.other();
    let key = forge.stranger();
    let forged = forge.with_signature(&forge.header, |text| sign(&key, text));
    let same_origin = |cookies: &str| route.same_origin(cookies);
    let mut all = Vec::new();
    if route.is_unsafe() {
        all.extend(cross_site(route, &good));
    }
    if route.has_get {
        all.push(Attack::new(
            "w03_websocket_cross_site",
            CrossSite,
            "a page of another site opens a WebSocket with the cookie",
            Head::default()
                .header(COOKIE, format!("{name}={good}"))
                .header(CONNECTION, "upgrade")
                .header(UPGRADE, "websocket")
                .header(SEC_WEBSOCKET_VERSION, "13")
                .header(SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==")
                .header(SITE, "cross-site")
                .header(ORIGIN, "https://attacker.test"),
        ));
    }
    all.extend(
        [
            (
                "t07_bad_header_good_cookie",
                "a bad token is in `Authorization`, and a good one in the cookie",
                Credentials,
                same_origin(&format!("{name}={good}")).header(AUTHORIZATION, bearer("a.b.c")),
            ),
            (
                "t08_two_cookies",
                "the cookie is there twice with different tokens",
                Credentials,
                same_origin(&format!("{name}={good}; {name}={other}")),
            ),
            (
                "t08_good_then_bad",
                "the cookie is there twice, and the second token is bad",
                Credentials,
                same_origin(&format!("{name}={good}; {name}=a.b.c")),
            ),
            (
                "t08_bad_then_good",
                "the cookie is there twice, and the first token is bad",
                Credentials,
                same_origin(&format!("{name}=a.b.c; {name}={good}")),
            ),
            (
                "t08_two_headers",
                "the cookie is in two `Cookie` headers with different tokens",
                Credentials,
                same_origin(&format!("{name}={good}")).header(COOKIE, format!("{name}={other}")),
            ),
            (
                "t09_scheme_in_cookie",
                "the cookie has a scheme before the token",
                Credentials,
                same_origin(&format!("{name}=Bearer {good}")),
            ),
            (
                "w04_forged_cookie",
                "another key has signed the token in the cookie",
                Keys,
                same_origin(&format!("{name}={forged}")),
            ),
        ]
        .map(|(name, description, check, head)| Attack::new(name, check, description, head)),
    );
    all
}

/// Requests that pages of other sites send.
fn cross_site(route: &CookieRoute, good: &str) -> Vec<Attack> {
    let (name, origin, method) = (&route.name, &route.origin, &route.method);
    let unsafe_ = |headers: &[(HeaderName, &str)]| {
        let head = Head::default().method(method.clone());
        let head = head.header(COOKIE, format!("{name}={good}"));
        headers.iter().fold(head, |head, (header, value)| head.header(header.clone(), value))
    };
    let own = origin.as_str();
    let (like_own, with_port) = (origin.longer(), origin.with_another_port());
    let sibling = origin.of_sibling();
    let site = SITE;
    [
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
            unsafe_(&[(site.clone(), "same-site"), (ORIGIN, &sibling)]),
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
            unsafe_(&[(ORIGIN, own), (ORIGIN, "https://attacker.test")]),
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
            unsafe_(&[(HeaderName::from_static("referer"), own)]),
        ),
        (
            "w02_ajax_header_only",
            "only `X-Requested-With` says that a script sends it",
            unsafe_(&[(HeaderName::from_static("x-requested-with"), "XMLHttpRequest")]),
        ),
    ]
    .into_iter()
    .map(|(name, description, head)| Attack::new(name, CrossSite, description, head))
    .collect()
}

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
