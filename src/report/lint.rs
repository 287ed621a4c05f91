//! The findings that a configuration can have.

use std::fmt;

/// A setting that is legal and unwise.
///
/// A version may add variants: then a report may find something that it did not find before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lint {
    // ----- the verifier
    /// [`any_audience`](crate::verifier::VerifierBuilder::any_audience) with several issuers, and
    /// without clients.
    AnyAudience,
    /// [`any_events`](crate::verifier::VerifierBuilder::any_events).
    AnyEvents,
    /// [`any_integer_subject`](crate::verifier::VerifierBuilder::any_integer_subject).
    AnyIntegerSubject,
    /// [`any_issuer`](crate::verifier::VerifierBuilder::any_issuer).
    AnyIssuer,
    /// [`any_padding`](crate::verifier::VerifierBuilder::any_padding).
    AnyPadding,
    /// [`any_max_age`](crate::proof::DangerousDPoPBuilder::any_max_age) of DPoP.
    DpopLongMaxAge,
    /// [`trust_host`](crate::proof::DangerousDPoPBuilder::trust_host) of DPoP.
    DpopTrustHost,
    /// DPoP without a [replay store](crate::proof::DPoPBuilder::replay_store).
    DpopWithoutStore,
    /// [`fail_open`](crate::verifier::DangerousVerifierBuilder::fail_open).
    FailOpen,
    /// A shared secret beside public keys for the same issuer.
    HmacBesidePublicKeys,
    /// [`ignore_confirmation`](crate::verifier::DangerousVerifierBuilder::ignore_confirmation).
    IgnoreConfirmation,
    /// [`log_unverified`](crate::verifier::VerifierBuilder::log_unverified).
    LogUnverified,
    /// A leeway of more than 120 s.
    LongLeeway,
    /// A maximum age of more than a day.
    LongMaxAge,
    /// [`trust_everyone_who_can_connect`](crate::proof::DangerousMutualTlsBuilder::trust_everyone_who_can_connect).
    MutualTlsTrustsEveryone,
    /// A maximum age of more than an hour, and no denylist.
    NoDenylist,
    /// A host from which keys may be fetched over plain `http`.
    PlainHttpKeys,
    /// A shared secret that is shorter than its hash.
    ShortSecret,
    /// The feature `test-util` in a build without debug assertions, as a release is.
    TestUtil,
    /// Several issuers that share a key.
    UnboundKeys,
    /// [`without_expiry`](crate::verifier::DangerousVerifierBuilder::without_expiry).
    WithoutExpiry,
    /// [`without_token_id`](crate::verifier::VerifierBuilder::without_token_id) with a denylist.
    WithoutTokenId,

    // ----- the layer
    /// A cookie whose name does not begin with `__Host-`.
    CookieWithoutHostPrefix,
    /// Cookies for development, which are not `Secure`.
    DevelopmentCookies,
    /// [`exempt_grpc_reflection`](crate::JwtAuthLayer::exempt_grpc_reflection).
    ExemptGrpcReflection,
    /// [`forwarded_method`](crate::source::CookieSourceBuilder::forwarded_method).
    ForwardedMethod,
    /// [`pass_through`](crate::JwtAuthLayer::pass_through).
    PassThrough,
    /// [`query`](crate::TokenSource::query) as a source.
    QueryToken,
    /// [`without_cross_site_check`](crate::source::DangerousCookieSourceBuilder::without_cross_site_check).
    WithoutCrossSiteCheck,
    /// [`without_same_site`](crate::source::CookieSourceBuilder::without_same_site).
    WithoutSameSite,
}

impl Lint {
    /// All lints, those of the verifier first.
    pub const ALL: &[Self] = &[
        Self::AnyAudience,
        Self::AnyEvents,
        Self::AnyIntegerSubject,
        Self::AnyIssuer,
        Self::AnyPadding,
        Self::DpopLongMaxAge,
        Self::DpopTrustHost,
        Self::DpopWithoutStore,
        Self::FailOpen,
        Self::HmacBesidePublicKeys,
        Self::IgnoreConfirmation,
        Self::LogUnverified,
        Self::LongLeeway,
        Self::LongMaxAge,
        Self::MutualTlsTrustsEveryone,
        Self::NoDenylist,
        Self::PlainHttpKeys,
        Self::ShortSecret,
        Self::TestUtil,
        Self::UnboundKeys,
        Self::WithoutExpiry,
        Self::WithoutTokenId,
        Self::CookieWithoutHostPrefix,
        Self::DevelopmentCookies,
        Self::ExemptGrpcReflection,
        Self::ForwardedMethod,
        Self::PassThrough,
        Self::QueryToken,
        Self::WithoutCrossSiteCheck,
        Self::WithoutSameSite,
    ];

    /// The name, such as `long_leeway`. A name does not change.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AnyAudience => "any_audience",
            Self::AnyEvents => "any_events",
            Self::AnyIntegerSubject => "any_integer_subject",
            Self::AnyIssuer => "any_issuer",
            Self::AnyPadding => "any_padding",
            Self::DpopLongMaxAge => "dpop_long_max_age",
            Self::DpopTrustHost => "dpop_trust_host",
            Self::DpopWithoutStore => "dpop_without_store",
            Self::FailOpen => "fail_open",
            Self::HmacBesidePublicKeys => "hmac_beside_public_keys",
            Self::IgnoreConfirmation => "ignore_confirmation",
            Self::LogUnverified => "log_unverified",
            Self::LongLeeway => "long_leeway",
            Self::LongMaxAge => "long_max_age",
            Self::MutualTlsTrustsEveryone => "mutual_tls_trusts_everyone",
            Self::NoDenylist => "no_denylist",
            Self::PlainHttpKeys => "plain_http_keys",
            Self::ShortSecret => "short_secret",
            Self::TestUtil => "test_util",
            Self::UnboundKeys => "unbound_keys",
            Self::WithoutExpiry => "without_expiry",
            Self::WithoutTokenId => "without_token_id",
            Self::CookieWithoutHostPrefix => "cookie_without_host_prefix",
            Self::DevelopmentCookies => "development_cookies",
            Self::ExemptGrpcReflection => "exempt_grpc_reflection",
            Self::ForwardedMethod => "forwarded_method",
            Self::PassThrough => "pass_through",
            Self::QueryToken => "query_token",
            Self::WithoutCrossSiteCheck => "without_cross_site_check",
            Self::WithoutSameSite => "without_same_site",
        }
    }

    /// The reason why it is unwise. The wording may change.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::AnyAudience => {
                "several issuers are trusted, and a token that one of them made for another \
                 service is accepted (RFC 8725 §2.7)"
            }
            Self::AnyEvents => {
                "logout tokens and other security events, which other parties receive, are \
                 accepted as access tokens"
            }
            Self::AnyIntegerSubject => "the subject 42 is the same as the subject \"42\"",
            Self::AnyIssuer => {
                "everybody who can sign with one of the keys is trusted, whatever `iss` says (RFC \
                 8725 §3.8)"
            }
            Self::AnyPadding => "the same token may exist as two texts",
            Self::DpopLongMaxAge => "a proof that was stolen before it was used counts for as long",
            Self::DpopTrustHost => {
                "a proof for another host is accepted if the request claims to be for that host"
            }
            Self::DpopWithoutStore => "a proof can be presented again within its time",
            Self::FailOpen => "a client that keeps the denylist from answering is never logged out",
            Self::HmacBesidePublicKeys => {
                "everybody who knows the shared secret can sign tokens in the name of the issuer \
                 with the public keys"
            }
            Self::IgnoreConfirmation => {
                "a stolen token that is bound to a key of its sender serves the thief"
            }
            Self::LogUnverified => "anybody can write texts into the log",
            Self::LongLeeway => "an expired token is accepted for more than two minutes",
            Self::LongMaxAge => "a token may be accepted for more than a day",
            Self::MutualTlsTrustsEveryone => {
                "whoever connects past the proxy can claim every certificate"
            }
            Self::NoDenylist => {
                "a token may be accepted for more than an hour, and cannot be revoked"
            }
            Self::PlainHttpKeys => {
                "anybody between this service and the host can replace the keys, and then sign \
                 tokens"
            }
            Self::ShortSecret => {
                "with one token, an attacker can try secrets offline (RFC 7518 §3.2)"
            }
            Self::TestUtil => {
                "the feature `test-util` is on, so code of this program can make claims that nobody \
                 has verified"
            }
            Self::UnboundKeys => {
                "each of the trusted issuers can sign tokens in the name of the others"
            }
            Self::WithoutExpiry => "the issuer does not say when its tokens end",
            Self::WithoutTokenId => "a token without `jti` cannot be revoked by itself",
            Self::CookieWithoutHostPrefix => {
                "a sibling subdomain, or a page over plain HTTP, can set a cookie of this name"
            }
            Self::DevelopmentCookies => {
                "the cookies are sent over plain HTTP, where others can read them"
            }
            Self::ExemptGrpcReflection => {
                "everybody can read the names of all services, methods and messages"
            }
            Self::ForwardedMethod => {
                "if the proxy does not set the header on every request, a page of another site can \
                 send unsafe requests"
            }
            Self::PassThrough => "a handler that does not look at the claims is open to everybody",
            Self::QueryToken => "addresses are kept in histories, logs and `Referer` headers",
            Self::WithoutCrossSiteCheck => {
                "every site that a user visits can send requests in their name"
            }
            Self::WithoutSameSite => {
                "browsers send the cookie with requests of every site, and only the check of the \
                 origin protects it"
            }
        }
    }

    /// The setting to use instead. The wording may change.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::AnyAudience => {
                "name this service with `.audience(…)`, or its clients with `.client_id(…)`; look \
                 first with `.shadow(|rules| rules.audience(…))`"
            }
            Self::AnyEvents => "leave out `.any_events()`",
            Self::AnyIntegerSubject => {
                "have the issuer write `sub` as a string (RFC 7519 §4.1.2), and leave out \
                 `.any_integer_subject()`"
            }
            Self::AnyIssuer => "name the issuer with `.issuer(…)`",
            Self::AnyPadding => {
                "have the issuer write base64url without padding (RFC 7515 §2), and leave out \
                 `.any_padding()`"
            }
            Self::DpopLongMaxAge => {
                "leave out `.dangerous().any_max_age(…)`, and set the clocks by NTP"
            }
            Self::DpopTrustHost => {
                "name the public address with `.public_url(…)`, and leave out `.dangerous().trust_host()`"
            }
            Self::DpopWithoutStore => {
                "add a `.replay_store(…)`, which all processes of the service share"
            }
            Self::FailOpen => "leave out `.dangerous().fail_open()`: the answer is then 503",
            Self::HmacBesidePublicKeys => {
                "remove the secret, or bind it to an issuer of its own with `.with_issuer(…)`"
            }
            Self::IgnoreConfirmation => {
                "leave out `.dangerous().ignore_confirmation()`, unless a gateway in front has \
                 checked the binding"
            }
            Self::LogUnverified => "leave out `.log_unverified()` when the fault is found",
            Self::LongLeeway => "set the clocks by NTP, and `.leeway(…)` to 120 s or less",
            Self::LongMaxAge => "set `.max_age(…)` to a day or less",
            Self::MutualTlsTrustsEveryone => "name the proxies with `.trusted_proxy(…)`",
            Self::NoDenylist => "add a `.denylist(…)`, or set `.max_age(…)` to an hour or less",
            Self::PlainHttpKeys => {
                "fetch the keys over `https`, and leave out `.dangerous().http_host(…)` (in \
                 settings `http_hosts`)"
            }
            Self::ShortSecret => {
                "use a secret of 32 random bytes or more with `Key::hs256(…)`, or a public key"
            }
            Self::TestUtil => {
                "turn `test-util` on only in `[dev-dependencies]`, with the resolver 2 or newer, and \
                 build a release by itself: `cargo build --release --package …`"
            }
            Self::UnboundKeys => {
                "bind each key to its issuer with `.with_issuer(…)`, or use `Issuers`"
            }
            Self::WithoutExpiry => {
                "have the issuer write `exp`, and leave out `.dangerous().without_expiry(…)`"
            }
            Self::WithoutTokenId => {
                "have the issuer write `jti`, and leave out `.without_token_id()`"
            }
            Self::CookieWithoutHostPrefix => {
                "use a name that begins with `__Host-`, such as `__Host-at`"
            }
            Self::DevelopmentCookies => {
                "in production, leave out `.development(…)` and serve HTTPS"
            }
            Self::ExemptGrpcReflection => {
                "leave out `.exempt_grpc_reflection()`: tools can send a token, such as `grpcurl` with \
                 `-reflect-header`"
            }
            Self::ForwardedMethod => {
                "see that the proxy sets the header itself and drops that of the client"
            }
            Self::PassThrough => {
                "use `.optional()`, which refuses bad tokens, or require claims on each route"
            }
            Self::QueryToken => {
                "send the token in `Authorization`, in a cookie or in a WebSocket subprotocol"
            }
            Self::WithoutCrossSiteCheck => {
                "leave out `.dangerous().without_cross_site_check()`, and name other origins with \
                 `.trusted_origin(…)`"
            }
            Self::WithoutSameSite => {
                "set the cookie with `SameSite=Lax`, unless pages of other sites need it"
            }
        }
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_texts_follow_the_style() {
        for lint in Lint::ALL {
            let same = Lint::ALL.iter().filter(|one| one.name() == lint.name());
            assert_eq!(same.count(), 1, "{lint}");
            for text in [lint.reason(), lint.advice()] {
                assert!(!text.is_empty() && !text.ends_with('.') && !text.contains("  "), "{text}");
            }
        }
    }

    #[test]
    fn the_guide_has_all_names() {
        let guide = include_str!("../../docs/guides/security.md");
        for lint in Lint::ALL {
            assert!(guide.contains(&format!("| `{lint}` |")), "{lint}");
        }
        let rows = guide.lines().skip_while(|line| *line != "| finding | when |").skip(2);
        assert_eq!(rows.take_while(|line| line.starts_with('|')).count(), Lint::ALL.len());
    }
}
