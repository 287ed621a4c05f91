//! Keys come and go while requests are served.

use super::{
    provider::{Answer, Provider},
    *,
};
use tower_jwt_auth::error::JsonFault;

use crate::support::{FixedClock, NOW, key, secret_key};

#[tokio::test]
async fn j01_the_first_token_after_a_rotation_passes_in_its_own_request() {
    let (old, new) = (key(Algorithm::ES256), fresh(Algorithm::ES256, "new"));
    let provider = Provider::new([old]);
    let keys = provider.remote().build().await.unwrap();
    let verifier = verifier(keys.clone());
    accepted(now(&verifier, &token(old)));
    assert_eq!(provider.fetches(), 1);

    provider.publish([old, &new]);
    assert_eq!(answer(&verifier, &token(&new)).await.status(), 200);
    assert_eq!(provider.fetches(), 2);
    accepted(now(&verifier, &token(&new)));
    accepted(now(&verifier, &token(old)));
    assert_eq!(keys.status().ids, ["ES256", "new"]);
}

#[tokio::test]
async fn j01_all_who_wait_share_one_fetch() {
    let new = fresh(Algorithm::ES256, "new");
    let provider = Provider::new([key(Algorithm::ES256)]);
    let verifier = verifier(provider.remote().build().await.unwrap());
    provider.answer(Answer::Hang);
    provider.publish([&new]);

    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let (verifier, token) = (verifier.clone(), token(&new));
            tokio::spawn(async move { verifier.verify(&token).await })
        })
        .collect();
    until("the fetch begins", || provider.fetches() == 2).await;
    provider.answer(Answer::Good);
    for result in waiting {
        accepted(result.await.unwrap());
    }
    assert_eq!(provider.fetches(), 2);
}

#[tokio::test]
async fn a_fetch_that_began_before_the_rotation_does_not_count() {
    let (old, new) = (key(Algorithm::ES256), fresh(Algorithm::ES256, "new"));
    let provider = Provider::new([old]);
    let keys = provider.remote().build().await.unwrap();
    let verifier = verifier(keys.clone());
    // A fetch is under way whose answer is the old set.
    provider.answer_at("/jwks", Answer::Hang);
    let refresh = tokio::spawn(async move { keys.refresh().await });
    until("the fetch begins", || provider.fetches() == 2).await;
    let verified = verifier.verify(&token(&new));
    let old_set = json!({"keys": [old.jwk()]}).to_string().into_bytes();
    provider.answer_at("/jwks", Answer::Body(old_set, Vec::new()));
    refresh.await.unwrap().unwrap();
    provider.publish([&new]);
    provider.answer_at("/jwks", Answer::Good);
    accepted(verified.await);
    assert_eq!(provider.fetches(), 3);
}

#[tokio::test]
async fn j05_a_key_that_is_gone_is_refused_after_the_next_refresh() {
    let (one, other) = (key(Algorithm::ES256), key(Algorithm::EdDSA));
    let provider = Provider::new([one, other]);
    let keys = provider.remote().build().await.unwrap();
    let verifier = verifier(keys.clone());
    accepted(now(&verifier, &token(one)));
    provider.publish([other]);
    keys.refresh().await.unwrap();
    accepted(now(&verifier, &token(other)));
    refused(verifier.verify(&token(one)).await, &ErrorKind::UnknownKey);
    assert_eq!(keys.status().keys, 1);
}

#[tokio::test]
async fn j05_it_happens_by_itself() {
    let (one, other) = (key(Algorithm::ES256), key(Algorithm::EdDSA));
    let provider = Provider::new([one]);
    let keys = provider.remote().refresh_interval(ms(100)..=ms(100)).build().await.unwrap();
    let verifier = verifier(keys.clone());
    accepted(now(&verifier, &token(one)));
    provider.publish([other]);
    until("the key is there", || keys.status().ids == ["EdDSA"]).await;
    accepted(now(&verifier, &token(other)));
    refused(verifier.verify(&token(one)).await, &ErrorKind::UnknownKey);
}

#[tokio::test]
async fn j05_the_same_id_with_another_key_replaces_it() {
    let (old, new) = (fresh(Algorithm::ES256, "k"), fresh(Algorithm::ES256, "k"));
    let provider = Provider::new([&old]);
    let keys = provider.remote().build().await.unwrap();
    let verifier = verifier(keys.clone());
    provider.publish([&new]);
    // The id is known, so nothing is fetched for it.
    refused(now(&verifier, &token(&new)), &ErrorKind::Signature);
    assert_eq!(provider.fetches(), 1);
    keys.refresh().await.unwrap();
    accepted(now(&verifier, &token(&new)));
    refused(now(&verifier, &token(&old)), &ErrorKind::Signature);
}

#[tokio::test]
async fn j05_a_token_that_is_known_goes_with_its_key_and_with_keys_that_are_too_old() {
    let (one, other) = (key(Algorithm::ES256), key(Algorithm::EdDSA));
    let provider = Provider::new([one, other]);
    let clock = FixedClock::default();
    let keys = provider.remote().clock(clock.clone()).build().await.unwrap();
    let verifier: Verifier = trusting(keys.clone()).build().unwrap();
    let same = |token: &str| {
        let (first, second) = (now(&verifier, token).unwrap(), now(&verifier, token).unwrap());
        std::ptr::eq(first.registered(), second.registered()).then_some(second)
    };
    let (token, others) = (token(one), token(other));
    let known = same(&token).expect("it is known");
    // The same document again changes nothing.
    keys.refresh().await.unwrap();
    let still = same(&token).expect("it is known");
    assert!(std::ptr::eq(known.registered(), still.registered()));

    provider.publish([other]);
    keys.refresh().await.unwrap();
    refused(verifier.verify(&token).await, &ErrorKind::UnknownKey);
    same(&others).expect("it is known");
    provider.answer(Answer::Status(500));
    clock.set(std::time::UNIX_EPOCH + Duration::from_secs(NOW + 2 * 24 * 3600));
    let error = verifier.verify(&others).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::KeysUnavailable { .. }), "{error}");
}

#[tokio::test]
async fn keys_without_an_id_rotate_too() {
    let nameless = |key: &TestKey| {
        let mut jwk = key.jwk();
        jwk.as_object_mut().unwrap().remove("kid");
        jwk
    };
    let (old, new) = (key(Algorithm::ES256), fresh(Algorithm::ES256, "new"));
    let provider = Provider::new([]);
    provider.publish_jwks(vec![nameless(old)]);
    let verifier = verifier(provider.remote().build().await.unwrap());
    accepted(now(&verifier, &token(old)));
    provider.publish_jwks(vec![nameless(&new)]);
    accepted(verifier.verify(&token(&new)).await);
    // Without an id, each token asks for its own key: this one waits for another fetch.
    pending(now(&verifier, &token(old)));
    assert_eq!(provider.fetches(), 2);
}

#[tokio::test]
async fn j01_what_fails_anyway_causes_no_fetch() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let verifier = verifier(provider.remote().build().await.unwrap());
    let other = fresh(Algorithm::ES256, "nobody's");
    let with = |changes| other.token(&claims_with(changes));
    let mut typed = other.header();
    typed["typ"] = json!("logout+jwt");
    let mut critical = other.header();
    critical["crit"] = json!(["exp"]);
    let good = token(&other);
    let (front, signature) = good.rsplit_once('.').unwrap();
    let hmac = secret_key(Algorithm::HS256, &[7; 32]).with_kid("nobody's");
    for (token, kind) in [
        (with(json!({"iss": "https://evil.example"})), ErrorKind::Issuer),
        (with(json!({"iss": null})), ErrorKind::MissingClaim("iss".into())),
        (with(json!({"aud": "https://other.example.com"})), ErrorKind::Audience),
        (with(json!({"exp": 1_700_000_000})), ErrorKind::Expired),
        (with(json!({"nbf": 1_900_000_000})), ErrorKind::NotYetValid),
        (with(json!({"iat": 1_900_000_000})), ErrorKind::IssuedInFuture),
        (with(json!({"sub": null})), ErrorKind::MissingClaim("sub".into())),
        (with(json!({"cnf": {"jkt": "x"}})), ErrorKind::SenderConstrained),
        (
            with(json!({"exp": "soon"})),
            ErrorKind::MalformedClaims { claim: Some("exp".into()), fault: JsonFault::WrongType },
        ),
        (token(&hmac), ErrorKind::AlgorithmNotAllowed),
        (other.token_of(typed.to_string(), claims().to_string()), ErrorKind::TokenType),
        (
            other.token_of(critical.to_string(), claims().to_string()),
            ErrorKind::UnsupportedHeader("crit"),
        ),
        (
            other.token_of(other.header().to_string(), "[]"),
            ErrorKind::MalformedClaims { claim: None, fault: JsonFault::Syntax },
        ),
        (format!("{front}.{signature}="), ErrorKind::MalformedToken),
        // The id is that of a key for another algorithm.
        (token(&fresh(Algorithm::RS256, "ES256")), ErrorKind::UnknownKey),
    ] {
        refused(now(&verifier, &token), &kind);
    }
    assert_eq!(provider.fetches(), 1);
    // And what does not, does.
    refused(verifier.verify(&good).await, &ErrorKind::UnknownKey);
    assert_eq!(provider.fetches(), 2);
}

#[tokio::test]
async fn etag_and_max_age_are_heeded() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    provider.answer(Answer::Etag("\"one\"".into()));
    let keys = provider.remote().build().await.unwrap();
    let verifier = verifier(keys.clone());
    let in_two_minutes = |keys: &RemoteKeys| {
        let next = keys.status().next_refresh.unwrap();
        let pause = next.duration_since(std::time::SystemTime::now()).unwrap();
        (110..=120).contains(&pause.as_secs())
    };
    assert!(in_two_minutes(&keys), "{:?}", keys.status());
    assert!(!provider.last_request().iter().any(|line| line.starts_with("if-none-match")));

    keys.refresh().await.unwrap();
    assert!(provider.last_request().contains(&"if-none-match: \"one\"".into()));
    assert!(in_two_minutes(&keys));
    accepted(now(&verifier, &token(key(Algorithm::ES256))));

    // Another document has another tag.
    provider.publish([key(Algorithm::EdDSA)]);
    provider.answer(Answer::Etag("\"two\"".into()));
    keys.refresh().await.unwrap();
    accepted(now(&verifier, &token(key(Algorithm::EdDSA))));
    keys.refresh().await.unwrap();
    assert!(provider.last_request().contains(&"if-none-match: \"two\"".into()));
    assert_eq!(keys.status().ids, ["EdDSA"]);
}

#[tokio::test]
async fn keys_that_are_given_and_keys_that_are_fetched_serve_together() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let keys = provider.remote().lazy().unwrap();
    let verifier: Verifier =
        trusting(key(Algorithm::HS256).key()).keys(keys.clone()).build().unwrap();
    accepted(now(&verifier, &token(key(Algorithm::HS256))));
    accepted(verifier.verify(&token(key(Algorithm::ES256))).await);
    assert_eq!(verifier.remote_keys().len(), 1);
    // A given key is no way around a fetched one.
    let forged = secret_key(Algorithm::HS256, &[9; 32]).with_kid("ES256");
    refused(now(&verifier, &token(&forged)), &ErrorKind::UnknownKey);
}

#[tokio::test]
async fn j01_no_key_is_fetched_for_a_token_that_is_refused_anyway() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let keys = provider.remote().cooldown(ms(0)).build().await.unwrap();
    let verifier: Verifier = trusting(keys)
        .access_tokens_only()
        .client_id("app")
        .required_claim("jti")
        .max_token_len(2000)
        .build()
        .unwrap();
    let new = fresh(Algorithm::ES256, "new");
    let header = |changes: serde_json::Value| {
        let mut header = new.header();
        header["typ"] = json!("at+jwt");
        header.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        header.to_string()
    };
    let good = || json!({"client_id": "app", "jti": "1"});
    let with = |changes: serde_json::Value| {
        let mut claims = claims_with(good());
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        claims.to_string()
    };
    let missing = |name: &'static str| ErrorKind::MissingClaim(name.into());
    for (header, claims, kind) in [
        (header(json!({"typ": "JWT"})), with(json!({})), ErrorKind::TokenType),
        (header(json!({"alg": "none"})), with(json!({})), ErrorKind::Unsigned),
        (header(json!({"alg": "HS256"})), with(json!({})), ErrorKind::AlgorithmNotAllowed),
        (header(json!({"crit": ["x"]})), with(json!({})), ErrorKind::UnsupportedHeader("crit")),
        // A name that a stranger has made up is not shown.
        (
            header(json!({})),
            r#"{"x":1,"x":1}"#.into(),
            ErrorKind::MalformedClaims { claim: None, fault: JsonFault::Repeated },
        ),
        (
            header(json!({})),
            "[]".into(),
            ErrorKind::MalformedClaims { claim: None, fault: JsonFault::Syntax },
        ),
        (header(json!({})), with(json!({"iss": "https://b.example"})), ErrorKind::Issuer),
        (header(json!({})), with(json!({"aud": "other"})), ErrorKind::Audience),
        (header(json!({})), with(json!({"exp": NOW - 600})), ErrorKind::Expired),
        (header(json!({})), with(json!({"nbf": NOW + 600})), ErrorKind::NotYetValid),
        (header(json!({})), with(json!({"iat": NOW + 600})), ErrorKind::IssuedInFuture),
        (header(json!({})), with(json!({"sub": ""})), missing("sub")),
        (header(json!({})), with(json!({"jti": ""})), missing("jti")),
        (header(json!({})), with(json!({"events": {}})), ErrorKind::SecurityEvent),
        (header(json!({})), with(json!({"cnf": {}})), ErrorKind::SenderConstrained),
        (header(json!({})), with(json!({"client_id": "other"})), ErrorKind::Client),
        (header(json!({})), claims_with(json!({"jti": "1"})).to_string(), missing("client_id")),
    ] {
        // It is known at once, also before a key was looked for.
        refused(now(&verifier, &new.token_of(header, claims)), &kind);
        assert_eq!(provider.fetches(), 1, "{kind:?}");
    }
    let signature = format!("{}=", new.token_of(header(json!({})), with(json!({}))));
    refused(now(&verifier, &signature), &ErrorKind::MalformedToken);
    assert_eq!(provider.fetches(), 1);
    // With nothing wrong, it is.
    provider.publish([&new]);
    let token = new.token_of(header(json!({})), with(json!({})));
    accepted(verifier.verify(&token).await);
    assert_eq!(provider.fetches(), 2);
}
