//! Settings that are legal and unwise.

use std::time::Duration;

use http::header;
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, Key, KeySet, RegisteredClaims, TokenSource, Verifier,
    keys::by_id::KeysById,
    report::{Lint, LintReport},
    revocation::MemoryDenylist,
    verifier::{Issuers, VerifierBuilder},
};

use crate::support::{AUDIENCE, ISSUER, key, trusting};

type Builder = VerifierBuilder<RegisteredClaims>;

const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);

fn rsa() -> Builder {
    trusting(Key::from_pem(key(Algorithm::RS256).pem().unwrap()))
}

fn secret() -> Key {
    key(Algorithm::HS256).key()
}

fn names(report: &LintReport) -> Vec<&'static str> {
    report.iter().map(|finding| finding.lint().name()).collect()
}

#[track_caller]
fn found(builder: Builder) -> Vec<&'static str> {
    names(&builder.build().unwrap().lint())
}

#[test]
fn a_default_verifier_has_none() {
    let report = rsa().build().unwrap().lint();
    assert!(report.is_empty(), "{report}");
    assert_eq!(report.to_string(), "nothing found");
    assert!(JwtAuthLayer::new(rsa().build().unwrap()).lint().is_empty());
    assert_eq!(found(trusting(secret())), [""; 0], "a secret by itself");
}

/// Tests are built with the feature, and usually with debug assertions.
#[test]
fn test_util_in_a_release() {
    let report = rsa().build().unwrap().lint();
    assert_eq!(report.contains(Lint::TestUtil), cfg!(not(debug_assertions)), "{report}");
}

#[test]
fn settings_that_are_stricter_have_none() {
    let strict = rsa()
        .access_tokens_only()
        .client_id("web")
        .leeway(SECOND)
        .max_age(HOUR)
        .denylist(MemoryDenylist::new())
        .log_subject()
        .shadow(|rules| rules.leeway(Duration::ZERO));
    assert_eq!(found(strict), [""; 0]);
    let cookie = TokenSource::cookie("__Host-at").trusted_origin("https://app.example.com");
    let layer = JwtAuthLayer::new(rsa().build().unwrap())
        .optional()
        .allow_preflight()
        .source(cookie.build().unwrap())
        .source(TokenSource::websocket_protocol("bearer"))
        .source(TokenSource::header(header::HeaderName::from_static("x-token")))
        .source(TokenSource::custom_builder(|_, _, _| None).ambient().build().unwrap());
    assert!(layer.lint().is_empty(), "{}", layer.lint());
}

#[test]
fn any_audience() {
    let two = || rsa().issuer("https://other.example");
    assert_eq!(found(rsa().any_audience()), [""; 0], "one issuer");
    assert_eq!(found(two().any_audience()), ["any_audience", "unbound_keys"]);
    assert_eq!(found(two()), ["unbound_keys"]);
    assert_eq!(found(two().any_audience().client_id("web")), ["unbound_keys"], "its clients");
    assert_eq!(
        found(rsa().any_issuer().any_audience()),
        ["any_audience", "any_issuer", "unbound_keys"]
    );
}

#[test]
fn any_issuer() {
    assert_eq!(found(rsa().any_issuer()), ["any_issuer", "unbound_keys"]);
}

#[test]
fn unbound_keys() {
    let other = "https://other.example";
    let bound = |algorithm, issuer: &str| key(algorithm).key().with_issuer(issuer);
    let all = [bound(Algorithm::RS256, ISSUER), bound(Algorithm::ES256, other)];
    assert_eq!(found(Verifier::builder().audience(AUDIENCE).keys(all.clone())), [""; 0]);
    let one_is_not = all.into_iter().chain([key(Algorithm::EdDSA).key()]).collect::<Vec<_>>();
    let builder = Verifier::builder().audience(AUDIENCE).issuer(ISSUER).issuer(other);
    assert_eq!(found(builder.keys(one_is_not)), ["unbound_keys"]);
}

#[test]
fn hmac_beside_public_keys() {
    let mixed = ["hmac_beside_public_keys"];
    assert_eq!(found(rsa().keys(secret())), mixed);
    let all = KeySet::new([secret(), key(Algorithm::ES256).key()]).with_issuer(ISSUER);
    assert_eq!(found(trusting(all)), mixed);
    let by_id = KeysById::new(|_| async { Ok::<_, std::io::Error>(None) });
    assert_eq!(found(trusting(secret()).keys(by_id)), mixed);
    // Each for an issuer of its own, or not used at all.
    let apart = [secret().with_issuer("a"), key(Algorithm::ES256).key().with_issuer("b")];
    assert_eq!(found(Verifier::builder().audience(AUDIENCE).keys(apart)), [""; 0]);
    assert_eq!(found(rsa().keys(secret()).algorithms([Algorithm::RS256])), [""; 0]);
}

#[test]
fn short_secret() {
    let short = Key::dangerous().short_hs256([7; 31]);
    assert_eq!(found(trusting(short)), ["short_secret"]);
    let short =
        Key::dangerous().short_hs512([7; 63]).map(|key| key.with_kid("k").with_issuer(ISSUER));
    assert_eq!(found(trusting(short)), ["short_secret"]);
    assert_eq!(found(trusting(Key::dangerous().short_hs256([7; 32]))), [""; 0], "it is long");
}

#[test]
fn long_leeway() {
    assert_eq!(found(rsa().leeway(120 * SECOND)), [""; 0]);
    assert_eq!(found(rsa().leeway(121 * SECOND)), ["long_leeway"]);
    assert_eq!(found(rsa().dangerous().any_leeway(HOUR)), ["long_leeway"]);
}

#[test]
fn no_denylist_and_long_max_age() {
    let list = MemoryDenylist::new;
    assert_eq!(found(rsa().max_age(HOUR)), [""; 0]);
    assert_eq!(found(rsa().max_age(HOUR + SECOND)), ["no_denylist"]);
    assert_eq!(found(rsa().max_age(24 * HOUR).denylist(list())), [""; 0]);
    assert_eq!(found(rsa().max_age(24 * HOUR + SECOND).denylist(list())), ["long_max_age"]);
    assert_eq!(found(rsa().max_age(25 * HOUR)), ["long_max_age", "no_denylist"]);
}

#[test]
fn without_expiry() {
    assert_eq!(found(rsa().dangerous().without_expiry(HOUR)), ["without_expiry"]);
}

#[test]
fn without_token_id() {
    assert_eq!(found(rsa().without_token_id()), [""; 0], "there is no denylist");
    let builder = || rsa().denylist(MemoryDenylist::new()).without_token_id();
    assert_eq!(found(builder()), ["without_token_id"]);
    assert_eq!(found(builder().required_claim("jti")), [""; 0]);
}

#[test]
fn settings_that_take_a_check_away() {
    let list = || rsa().denylist(MemoryDenylist::new());
    for (builder, name) in [
        (list().dangerous().fail_open(), "fail_open"),
        (rsa().dangerous().ignore_confirmation(), "ignore_confirmation"),
        (rsa().any_padding(), "any_padding"),
        (rsa().any_integer_subject(), "any_integer_subject"),
        (rsa().any_events(), "any_events"),
        (rsa().log_unverified(), "log_unverified"),
    ] {
        assert_eq!(found(builder), [name]);
    }
}

#[test]
fn several_issuers_are_looked_at_together() {
    let issuers = Issuers::<RegisteredClaims>::new();
    let verifier = |issuer: &str| {
        let builder = Verifier::builder().issuer(issuer).keys(key(Algorithm::RS256).key());
        builder.any_audience()
    };
    assert!(issuers.verifier().lint().is_empty());
    issuers.add(verifier("https://a.example").build().unwrap()).unwrap();
    assert!(issuers.verifier().lint().is_empty(), "one issuer");
    issuers
        .add(verifier("https://b.example").audience(AUDIENCE).any_padding().build().unwrap())
        .unwrap();
    issuers.add(verifier("https://c.example").leeway(200 * SECOND).build().unwrap()).unwrap();
    let report = issuers.verifier().lint();
    let all: Vec<_> =
        report.iter().map(|one| (one.lint(), one.places().collect::<Vec<_>>())).collect();
    assert_eq!(
        all,
        [
            (Lint::AnyAudience, vec!["https://a.example", "https://c.example"]),
            (Lint::AnyPadding, vec!["https://b.example"]),
            (Lint::LongLeeway, vec!["https://c.example"]),
        ]
    );
    // One that was resolved is one of many.
    let resolve = |_: String| async { Ok::<Option<Verifier>, std::io::Error>(None) };
    let issuers =
        Issuers::builder().resolve(["https://{tenant}.example.com"], resolve).log_unverified();
    let issuers = issuers.build().unwrap();
    issuers.add(verifier("https://a.example").build().unwrap()).unwrap();
    assert_eq!(names(&issuers.verifier().lint()), ["any_audience", "log_unverified"]);
    // There are never more names than a line has room for.
    for at in 0..1000 {
        issuers.add(verifier(&format!("https://{at}.example")).build().unwrap()).unwrap();
    }
    let report = issuers.verifier().lint();
    assert!(report.to_string().len() < 1000, "{report}");
    // The program that reads the report gets them all.
    let value = serde_json::to_value(&report).unwrap();
    assert_eq!(value["findings"][0]["places"].as_array().unwrap().len(), 1001);
    // A name cannot forge a line.
    let issuers = Issuers::builder().build().unwrap();
    issuers.add(verifier("a\n\u{1b}[31m").any_padding().build().unwrap()).unwrap();
    let text = issuers.verifier().lint().to_string();
    assert!(text.contains(r"(a\n\u{1b}[31m)"), "{text}");
}

/// What is found in a layer with this source, besides its verifier.
fn of_source(source: TokenSource) -> Vec<(Lint, Option<String>)> {
    let layer = JwtAuthLayer::new(rsa().build().unwrap()).source(source);
    let report = layer.lint();
    report.iter().map(|one| (one.lint(), one.places().next().map(str::to_owned))).collect()
}

#[test]
fn sources() {
    let cookie = || TokenSource::cookie("__Host-at").public_origin("https://api.example.com");
    let in_place = |lint, place: &str| vec![(lint, Some(place.to_owned()))];
    for (name, place) in [("at", "at"), ("__Secure-at", "__Secure-at"), ("__Hostat", "__Hostat")] {
        let source = TokenSource::cookie(name).build().unwrap();
        assert_eq!(of_source(source), in_place(Lint::CookieWithoutHostPrefix, place));
    }
    let unnamed = TokenSource::header(header::COOKIE);
    assert_eq!(of_source(unnamed), in_place(Lint::CookieWithoutHostPrefix, "Cookie"));
    let open = TokenSource::cookie("__Host-at").dangerous().without_cross_site_check();
    let open = open.build().unwrap();
    assert_eq!(of_source(open), in_place(Lint::WithoutCrossSiteCheck, "__Host-at"));
    let framed = cookie().trusted_origin("https://app.example").without_same_site();
    let framed = framed.build().unwrap();
    assert_eq!(of_source(framed), in_place(Lint::WithoutSameSite, "__Host-at"));
    let proxied = cookie().forwarded_method("x-original-method").build().unwrap();
    assert_eq!(of_source(proxied), in_place(Lint::ForwardedMethod, "__Host-at"));
    let custom = TokenSource::custom_builder(|_, _, _| None).cookies(|name| name == "a");
    let custom = custom.public_origin("https://api.example.com").forwarded_method("x-method");
    assert_eq!(of_source(custom.build().unwrap()), in_place(Lint::ForwardedMethod, "custom"));
    assert_eq!(of_source(TokenSource::query()), in_place(Lint::QueryToken, "access_token"));
    assert_eq!(of_source(TokenSource::query_named("t")), in_place(Lint::QueryToken, "t"));
}

#[test]
fn proofs_that_show_less_than_they_could() {
    use tower_jwt_auth::proof::{DPoP, MemoryReplayStore, MutualTls, ProxyHeader};

    let url = "https://api.example.com";
    let with = |dpop: DPoP| names(&rsa().dpop(dpop).build().unwrap().lint());
    let store = || DPoP::optional().replay_store(MemoryReplayStore::new());
    assert!(with(store().public_url(url).build().unwrap()).is_empty());
    let elsewhere = DPoP::optional().public_url(url).dangerous().replay_protection_elsewhere();
    assert_eq!(with(elsewhere.build().unwrap()), ["dpop_without_store"]);
    let host = store().dangerous().trust_host();
    assert_eq!(with(host.build().unwrap()), ["dpop_trust_host"]);
    let long = store().public_url(url).dangerous().any_max_age(Duration::from_secs(301));
    assert_eq!(with(long.build().unwrap()), ["dpop_long_max_age"]);

    let header = || MutualTls::optional().proxy_header(ProxyHeader::client_cert());
    let with = |mutual_tls| names(&rsa().mutual_tls(mutual_tls).build().unwrap().lint());
    assert!(with(header().trusted_proxy("10.0.0.1").build().unwrap()).is_empty());
    let everyone = header().dangerous().trust_everyone_who_can_connect();
    assert_eq!(with(everyone.build().unwrap()), ["mutual_tls_trusts_everyone"]);
}

#[test]
fn pass_through_comes_after_what_the_verifier_has() {
    let layer = JwtAuthLayer::new(rsa().any_padding().build().unwrap()).pass_through();
    let report = layer.lint();
    assert_eq!(names(&report), ["any_padding", "pass_through"]);
    assert!(report.contains(Lint::PassThrough) && !report.contains(Lint::QueryToken));
    let left = report.allow([Lint::AnyPadding]);
    assert_eq!(names(&left), ["pass_through"]);
    let value = serde_json::to_value(&left).unwrap();
    assert_eq!(value["findings"][0]["name"], "pass_through");
}

#[test]
fn reflection_without_a_token() {
    let layer = || JwtAuthLayer::grpc(rsa().build().unwrap()).exempt_grpc_health();
    assert!(layer().lint().is_empty(), "{}", layer().lint());
    assert_eq!(names(&layer().exempt_grpc_reflection().lint()), ["exempt_grpc_reflection"]);
}

#[cfg(feature = "issue")]
#[test]
fn development_cookies() {
    use tower_jwt_auth::issue::TokenCookies;

    let source = TokenCookies::new().source();
    assert!(of_source(source).is_empty());
    let cookies = TokenCookies::builder().development("http://localhost:3000").build().unwrap();
    assert_eq!(of_source(cookies.source()), [(Lint::DevelopmentCookies, Some("at".into()))]);
}

#[cfg(feature = "issue")]
#[test]
fn default_sessions_have_none() {
    use tower_jwt_auth::{
        issue::{SigningKey, TokenIssuer},
        sessions::Sessions,
    };

    let issuer = TokenIssuer::builder().issuer(ISSUER).audience(AUDIENCE);
    let issuer = issuer.key(SigningKey::generate(Algorithm::ES256).unwrap()).build().unwrap();
    let sessions = Sessions::builder(issuer).build().unwrap();
    let report = sessions.layer().unwrap().lint();
    assert!(report.is_empty(), "{report}");
}

#[cfg(feature = "remote")]
#[tokio::test]
async fn plain_http_keys() {
    use tower_jwt_auth::RemoteKeys;

    let https = RemoteKeys::at("https://login.example.com/jwks").issuer(ISSUER).lazy();
    let verifier = Verifier::builder().audience(AUDIENCE).keys(https).build().unwrap();
    assert!(verifier.lint().is_empty(), "{}", verifier.lint());
    let http = RemoteKeys::at("http://keycloak:8080/jwks").issuer(ISSUER);
    let http = http.dangerous().http_host("keycloak").lazy();
    let verifier = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).keys(http);
    let verifier = verifier.keys(secret());
    let report = verifier.build().unwrap().lint();
    assert_eq!(names(&report), ["hmac_beside_public_keys", "plain_http_keys"]);
    assert_eq!(report.iter().last().unwrap().places().next(), Some("keycloak"));
}

#[test]
fn a_report_has_no_secret() {
    let marker = crate::privacy::MARKER;
    let key = Key::dangerous().short_hs512(&marker.as_bytes()[..39]).unwrap();
    let layer = JwtAuthLayer::new(trusting::<RegisteredClaims>(key).build().unwrap());
    let report = layer.source(TokenSource::query()).lint();
    let all = format!("{report} {report:?} {}", serde_json::to_string(&report).unwrap());
    assert!(all.contains("short_secret"));
    crate::privacy::check(&all, &[]);
}
