//! Access tokens, their keys and their cookies: i01 and what is promised of issuing.

use std::time::{Duration, UNIX_EPOCH};

use base64_simd::URL_SAFE_NO_PAD;
use http::{HeaderMap, Request};
use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, Verifier,
    error::ErrorKind,
    issue::{
        Grant, KeyDirectory, MetadataService, PrivateKeyPem, SigningKey, TokenCookies, TokenIssuer,
    },
    refresh::Login,
};

use super::{ask, issuer, refresh::sessions, set, tokens::tokens};
use crate::{
    privacy::{MARKER, check},
    support::{AUDIENCE, FixedClock, ISSUER, NOW},
};

fn verifier(issuer: &TokenIssuer, clock: &FixedClock) -> Verifier {
    let builder = Verifier::builder().audience(AUDIENCE).keys(issuer.key_source());
    builder.access_tokens_only().clock(clock.clone()).build().unwrap()
}

pub(crate) fn part(token: &str, at: usize) -> Value {
    let text = token.split('.').nth(at).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode_to_vec(text).unwrap()).unwrap()
}

pub(super) fn kids(issuer: &TokenIssuer) -> Vec<String> {
    let jwks: Value = serde_json::from_str(&issuer.jwks()).unwrap();
    let keys = jwks["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn i01_claims_of_the_issuer_are_its_own() {
    let issuer = issuer(&FixedClock::default()).build().unwrap();
    let names = [
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "client_id",
        "scope",
        "scp",
        "sid",
        "cnf",
        "azp",
        "act",
        "may_act",
        "nonce",
        "events",
    ];
    for name in names {
        for value in [json!(1), json!("x"), json!(null)] {
            let error = issuer.issue(Grant::new("ada").claims(&json!({name: value}))).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Issue { .. }), "{name}");
            assert!(error.to_string().contains(name), "{error}");
        }
        // Not even before good ones.
        let grant = Grant::new("ada").claims(&json!({name: 1})).claims(&json!({"name": "Ada"}));
        assert!(issuer.issue(grant).is_err());
    }
    for none in [json!(1), json!(null), json!([{"name": 1}])] {
        assert!(issuer.issue(Grant::new("ada").claims(&none)).is_err());
    }
    let fine = json!({"name": "Ada", "Iss": 1, "roles": ["a"], "deep": {"iss": 1}});
    assert!(issuer.issue(Grant::new("ada").claims(&fine)).is_ok());
    assert!(issuer.issue(Grant::new("")).is_err());
}

#[tokio::test]
async fn a_token_says_what_rfc_9068_asks_for() {
    let clock = FixedClock::default();
    let issuer = issuer(&clock).client_id("app").build().unwrap();
    let grant = Grant::new("ada").scope("read write").session_id("one");
    let token = issuer.issue(grant.claims(&json!({"name": "Ada"}))).unwrap();
    let header = part(token.as_str(), 0);
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));
    assert_eq!(header["kid"], kids(&issuer)[0]);
    assert_eq!(
        part(token.as_str(), 1),
        json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "client_id": "app", "iat": NOW,
            "exp": NOW + 900, "jti": token.token_id(), "scope": "read write", "sid": "one",
            "name": "Ada",
        })
    );
    let claims = verifier(&issuer, &clock).verify(token.as_str()).await.unwrap();
    assert_eq!(claims.session_id(), Some("one"));
    assert_ne!(issuer.issue(Grant::new("ada")).unwrap().token_id(), token.token_id());
}

#[test]
fn lifetimes_are_short_unless_it_is_said() {
    let with = |seconds| issuer(&FixedClock::default()).lifetime(Duration::from_secs(seconds));
    let clock = FixedClock::default();
    assert_eq!(issuer(&clock).build().unwrap().lifetime().as_secs(), 900);
    assert!(with(3600).build().is_ok());
    assert!(with(3601).build().unwrap_err().to_string().contains("any_lifetime"));
    assert!(with(0).build().is_err());
    let day = Duration::from_secs(86400);
    let long = issuer(&clock).any_lifetime(day).build().unwrap();
    assert_eq!(long.issue(Grant::new("ada")).unwrap().lifetime(), day);
    assert!(issuer(&clock).any_lifetime(day).lifetime(day).build().is_err());
    // A grant makes it shorter, and not longer.
    let lasts = |seconds| {
        let grant = Grant::new("ada").lifetime(Duration::from_secs(seconds));
        issuer(&clock).build().unwrap().issue(grant).unwrap().lifetime().as_secs()
    };
    assert_eq!((lasts(60), lasts(9000), lasts(0)), (60, 900, 1));
}

#[tokio::test]
async fn keys_take_turns_as_the_clock_goes() {
    let clock = FixedClock::default();
    let hour = Duration::from_secs(3600);
    let issuer = issuer(&clock).publish_ahead(hour).build().unwrap();
    let verifier = verifier(&issuer, &clock);
    let next = SigningKey::generate(Algorithm::EdDSA).unwrap();
    let new = next.kid().to_owned();
    let old = kids(&issuer).remove(0);
    let signs = || {
        let token = issuer.issue(Grant::new("ada")).unwrap();
        (part(token.as_str(), 0)["kid"].as_str().unwrap().to_owned(), token)
    };
    issuer.rotate(next).unwrap();
    // Published, and it does not sign yet.
    assert_eq!(kids(&issuer), [&*old, &new]);
    set(&clock, 3599);
    let (kid, last) = signs();
    assert_eq!(kid, old);
    set(&clock, 3600);
    let (kid, first) = signs();
    assert_eq!(kid, new);
    // The last token is good until it expires, with the verifier's leeway.
    set(&clock, 3599 + 900);
    for token in [&last, &first] {
        assert!(verifier.verify(token.as_str()).await.is_ok());
    }
    set(&clock, 3600 + 900 + 299);
    assert_eq!(kids(&issuer), [&*old, &new]);
    set(&clock, 3600 + 900 + 300);
    assert_eq!(kids(&issuer), [&*new]);

    // One that was stolen is gone at once, with its tokens.
    let (_, stolen) = signs();
    assert!(verifier.verify(stolen.as_str()).await.is_ok());
    issuer.replace_keys(SigningKey::generate(Algorithm::ES384).unwrap()).unwrap();
    assert!(verifier.verify(stolen.as_str()).await.is_err());
    let (kid, token) = signs();
    assert_eq!(kids(&issuer), [kid]);
    assert!(verifier.verify(token.as_str()).await.is_ok());
}

#[test]
fn no_private_member_is_published() {
    for algorithm in Algorithm::ALL {
        let key = SigningKey::generate(*algorithm).unwrap();
        let secret = SigningKey::hs256(MARKER).unwrap();
        let builder = issuer(&FixedClock::default()).key(key).published_key(secret);
        let jwks: Value = serde_json::from_str(&builder.build().unwrap().jwks()).unwrap();
        for key in jwks["keys"].as_array().unwrap() {
            for name in key.as_object().unwrap().keys() {
                let public = ["kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"];
                assert!(public.contains(&&**name), "{name} of {algorithm}");
            }
        }
        let shared = algorithm.name().starts_with("HS");
        assert_eq!(jwks["keys"].as_array().unwrap().len(), usize::from(!shared));
    }
}

#[tokio::test]
async fn the_keys_are_served() {
    let issuer = issuer(&FixedClock::default()).build().unwrap();
    let asked = async |method: &str| {
        let request = Request::builder().method(method).uri("/").body(String::new()).unwrap();
        ask(issuer.jwks_service(), request).await
    };
    for method in ["GET", "HEAD"] {
        let answer = asked(method).await;
        assert_eq!((answer.status, &*answer.body), (200, &*issuer.jwks()), "hyper drops it");
        assert_eq!(answer.headers["content-type"], "application/jwk-set+json");
        assert_eq!(answer.headers["cache-control"], "public, max-age=300");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = asked(method).await;
        assert_eq!(answer.status, 405);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert_eq!(answer.headers["allow"], "GET, HEAD");
    }
}

#[tokio::test]
async fn cookies_are_out_of_reach() {
    let clock = FixedClock::default();
    let access = issuer(&clock).build().unwrap().issue(Grant::new("ada")).unwrap();
    let opened = tokens(tower_jwt_auth::refresh::MemoryRefreshStore::new(), &clock)
        .open(Login::new("ada"))
        .await
        .unwrap();
    let set = |cookies: &TokenCookies| {
        let mut headers = HeaderMap::new();
        cookies.set(&mut headers, &access, opened.token(), 77).unwrap();
        let all = headers.get_all("set-cookie");
        assert!(all.iter().all(http::HeaderValue::is_sensitive));
        all.iter().map(|one| one.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (at, rt) = (access.as_str(), opened.token().as_str());
    let sid = opened.session().id();
    assert_eq!(
        set(&TokenCookies::new()),
        [
            format!("__Host-at={at}; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=900"),
            format!("__Secure-rt={rt}; HttpOnly; SameSite=Strict; Secure; Path=/auth; Max-Age=77"),
            format!("__Host-sid={sid}; HttpOnly; SameSite=Strict; Secure; Path=/; Max-Age=77"),
        ]
    );
    assert_eq!(
        set(&TokenCookies::builder().development("http://127.0.0.1:3000").build().unwrap()),
        [
            format!("at={at}; HttpOnly; SameSite=Lax; Path=/; Max-Age=900"),
            format!("rt={rt}; HttpOnly; SameSite=Strict; Path=/auth; Max-Age=77"),
            format!("sid={sid}; HttpOnly; SameSite=Strict; Path=/; Max-Age=77"),
        ]
    );
    for origin in ["http://app.example.com", "https://localhost.example.com", "nonsense"] {
        assert!(TokenCookies::builder().development(origin).build().is_err(), "{origin}");
    }
    let (local, public) = ("http://127.0.0.1:3000", "https://app.example.com");
    let builder = TokenCookies::builder;
    for both in [
        builder().development(local).public_origin(public),
        builder().public_origin(public).development(local),
        builder().dangerous().development_in_lan("http://10.0.0.7").public_origin(public),
    ] {
        assert!(matches!(both.build(), Err(tower_jwt_auth::ConfigError::Conflict(_))));
    }
    assert!(builder().development(local).public_origin(local).build().is_ok());
    let mut headers = HeaderMap::new();
    TokenCookies::new().clear(&mut headers);
    for one in headers.get_all("set-cookie") {
        let text = one.to_str().unwrap();
        assert!(text.contains("=; ") && text.contains("; Max-Age=0"), "{text}");
    }
    for path in ["auth", "", "/a;b", "/a b", "/ä", "//evil.example", "/a?b", "/a#b"] {
        assert!(TokenCookies::builder().refresh_path(path).build().is_err(), "{path}");
    }
    // Browsers drop what is too long, and do not say so.
    let issuer = issuer(&clock).build().unwrap();
    let long = issuer.issue(Grant::new("ada").claims(&json!({"a": "a".repeat(4000)}))).unwrap();
    let set = TokenCookies::new().set(&mut HeaderMap::new(), &long, opened.token(), 1);
    assert!(matches!(set.unwrap_err().kind(), ErrorKind::Issue { .. }));
}

#[tokio::test]
async fn no_debug_shows_what_is_issued() {
    let clock = FixedClock::at(UNIX_EPOCH + Duration::from_secs(NOW));
    let secret = SigningKey::hs256(MARKER).unwrap();
    let grant = || Grant::new("ada").claims(&json!({"name": MARKER}));
    let builder = issuer(&clock).key(secret.clone());
    let issuer = issuer(&clock).key(secret.clone()).build().unwrap();
    let access = issuer.issue(grant()).unwrap();
    let sessions = sessions(&clock);
    let opened = sessions.open(Login::new("ada")).await.unwrap();
    let refresh = tokens(tower_jwt_auth::refresh::MemoryRefreshStore::new(), &clock);
    let login = refresh.open(Login::new("ada")).await.unwrap();
    let everything: &[&dyn std::fmt::Debug] = &[
        &secret,
        &builder,
        &issuer,
        &grant(),
        &access,
        &issuer.jwks_service(),
        &TokenCookies::new(),
        &sessions,
        &sessions.refresh_service(),
        &sessions.logout_service(),
        &opened,
        &refresh,
        &login,
        &login.token(),
        &refresh.rotate(MARKER).await.unwrap_err(),
        &issuer.issue(Grant::new("ada").claims(&MARKER)).unwrap_err(),
        &SigningKey::from_pem(MARKER),
        &SigningKey::from_jwk(MARKER),
    ];
    // The header of a token says nothing.
    let bodies = [access.as_str(), opened.access().as_str()].map(|t| t.split_once('.').unwrap().1);
    let refresh = [opened.refresh(), login.token().as_str()].map(str::to_owned);
    let tokens = [bodies.map(str::to_owned), refresh].concat();
    for one in everything {
        check(&format!("{one:?} {one:#?}"), &tokens);
    }
}

#[test]
fn traits() {
    use tower_jwt_auth::{
        issue::{AccessToken, Body, JwksService, TokenIssuerBuilder},
        refresh::*,
        revocation::{MemoryDenylist, Revocation},
        sessions::{SessionService, SessionTokens, Sessions, SessionsBuilder},
    };
    fn data<T: Send + Sync + Unpin + std::fmt::Debug>() {}
    fn sent<T: Send + Unpin + std::fmt::Debug>() {}
    fn shared<T: Send + Sync + Unpin + std::fmt::Debug + Clone>() {}
    shared::<TokenIssuer>();
    sent::<TokenIssuerBuilder>();
    shared::<SigningKey>();
    data::<PrivateKeyPem>();
    shared::<KeyDirectory>();
    shared::<MetadataService>();
    sent::<Grant>();
    data::<AccessToken>();
    data::<Body>();
    shared::<JwksService>();
    shared::<TokenCookies>();
    shared::<RefreshTokens>();
    sent::<RefreshTokensBuilder>();
    shared::<Login>();
    data::<IssuedToken>();
    data::<RefreshToken>();
    shared::<Family>();
    shared::<Session>();
    shared::<Rotation>();
    shared::<Rotated>();
    shared::<Digest>();
    shared::<MemoryRefreshStore>();
    shared::<MemoryDenylist>();
    shared::<Revocation>();
    shared::<Sessions>();
    sent::<SessionsBuilder>();
    shared::<SessionService>();
    data::<SessionTokens>();
}

/// Whoever uses the crate is told, where they write claims and where they begin.
#[test]
fn i02_the_docs_say_that_a_payload_can_be_read() {
    let says = |text: &str, what: &str| {
        let words: Vec<_> = text.split_whitespace().filter(|word| *word != "///").collect();
        assert!(words.join(" ").contains(what), "{what}");
    };
    says(include_str!("../../../src/issue/grant.rs"), "Anybody who has the token can read them.");
    says(include_str!("../../../src/issue/mod.rs"), "put nothing secret into it");
    says(include_str!("../../../README.md"), "no secrets in the payload");
    says(include_str!("../../../SECURITY.md"), "they are signed, not encrypted");
}
