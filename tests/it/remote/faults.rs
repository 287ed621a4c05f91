//! A provider that is slow, broken or hostile takes nothing down.

use std::time::UNIX_EPOCH;

use tower_jwt_auth::error::FetchErrorKind;

use super::{
    provider::{Answer, Provider},
    *,
};
use crate::support::{FixedClock, NOW, key};

fn body(text: impl Into<Vec<u8>>) -> Answer {
    Answer::Body(text.into(), Vec::new())
}

#[tokio::test]
async fn j02_bad_answers_keep_the_old_keys() {
    let (old, new) = (key(Algorithm::ES256), key(Algorithm::EdDSA));
    let elsewhere = Provider::new([new]);
    let provider = Provider::new([old]);
    let keys = provider.remote().timeout(ms(1500)).build().await.unwrap();
    let verifier = verifier(keys.clone());
    provider.publish([new]);

    let document = json!({"keys": [new.jwk()]}).to_string();
    let many: Vec<_> = (0..101).map(|_| new.jwk()).collect();
    let gzip = vec![("content-encoding", "gzip".to_owned())];
    let odd = vec![("content-encoding", "<b>".to_owned())];
    let large = FetchErrorKind::TooLarge { limit: 512 * 1024 };
    let padded = format!("{}{document}", " ".repeat(10 * 1024 * 1024));
    for (answer, expected) in [
        (Answer::Status(500), FetchErrorKind::Status(500)),
        (Answer::Status(404), FetchErrorKind::Status(404)),
        (Answer::Status(204), FetchErrorKind::Status(204)),
        (Answer::Status(206), FetchErrorKind::Status(206)),
        (Answer::Status(304), FetchErrorKind::Status(304)),
        (Answer::Status(429), FetchErrorKind::Status(429)),
        (Answer::Redirect(elsewhere.jwks_url()), FetchErrorKind::Redirect),
        (Answer::Redirect(provider.jwks_url()), FetchErrorKind::Redirect),
        (body("<html>log in</html>"), FetchErrorKind::NotKeySet),
        (body(""), FetchErrorKind::NotKeySet),
        (body("null"), FetchErrorKind::NotKeySet),
        (body("[]"), FetchErrorKind::NotKeySet),
        (body("{}"), FetchErrorKind::NotKeySet),
        (body(r#"{"keys":{}}"#), FetchErrorKind::NotKeySet),
        (body(r#"{"keys":[],"keys":[]}"#), FetchErrorKind::NotKeySet),
        (body(format!("{document}{document}")), FetchErrorKind::NotKeySet),
        (body(b"\xff\xfe{}".as_slice()), FetchErrorKind::NotKeySet),
        (body(&document[..document.len() - 3]), FetchErrorKind::NotKeySet),
        (body(r#"{"keys":[]}"#), FetchErrorKind::NoUsableKeys([].into())),
        (body(json!({"keys": many}).to_string()), FetchErrorKind::TooManyKeys { limit: 100 }),
        (body(padded), large.clone()),
        (Answer::Endless, large),
        (Answer::Body(document.clone().into(), gzip), FetchErrorKind::Encoded("`gzip`".into())),
        (
            Answer::Body(document.clone().into(), odd),
            FetchErrorKind::Encoded("of an unknown name".into()),
        ),
        (Answer::Hang, FetchErrorKind::Timeout),
        (Answer::Drip, FetchErrorKind::Timeout),
    ] {
        provider.answer(answer.clone());
        let error = keys.refresh().await.unwrap_err();
        assert_eq!(*error.kind(), expected, "{answer:?}");
        assert_eq!(keys.status().last_error, Some(error));
        accepted(now(&verifier, &token(old)));
        assert!(keys.status().state.is_usable());
    }
    for answer in [Answer::Close, Answer::Truncated] {
        provider.answer(answer);
        let error = keys.refresh().await.unwrap_err();
        assert!(matches!(error.kind(), FetchErrorKind::Transport(_)), "{error}");
        accepted(now(&verifier, &token(old)));
    }
    provider.stop();
    let error = keys.refresh().await.unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
    accepted(now(&verifier, &token(old)));
    assert_eq!(elsewhere.fetches(), 0, "no redirect is followed");

    provider.start();
    provider.answer(Answer::Good);
    keys.refresh().await.unwrap();
    accepted(now(&verifier, &token(new)));
    assert_eq!(keys.status().last_error, None);
}

#[tokio::test]
async fn j09_a_document_without_a_usable_key_is_refused_as_a_whole() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let keys = provider.remote().build().await.unwrap();
    let verifier = verifier(keys.clone());
    let mut encrypts = key(Algorithm::EdDSA).jwk();
    encrypts["use"] = json!("enc");
    let mut private = key(Algorithm::EdDSA).jwk();
    private["d"] = json!("AAAA");
    provider.publish_jwks(vec![encrypts.clone(), private.clone(), key(Algorithm::HS256).jwk()]);
    let error = keys.refresh().await.unwrap_err();
    assert!(matches!(error.kind(), FetchErrorKind::NoUsableKeys(reasons) if reasons.len() == 3));
    accepted(now(&verifier, &token(key(Algorithm::ES256))));

    // With a good one among them, that one serves.
    let good = key(Algorithm::RS256);
    provider.publish_jwks(vec![
        json!(7),
        encrypts,
        good.jwk(),
        private,
        key(Algorithm::HS256).jwk(),
    ]);
    keys.refresh().await.unwrap();
    accepted(now(&verifier, &token(good)));
    let status = keys.status();
    assert_eq!((status.keys, status.skipped.len()), (1, 4), "{status:?}");
    for other in [Algorithm::EdDSA, Algorithm::HS256] {
        assert!(verifier.verify(&token(key(other))).await.is_err(), "{other}");
    }
}

#[tokio::test]
async fn j02_build_fails_clearly() {
    let provider = Provider::new([]);
    let error = provider.remote().build().await.unwrap_err().to_string();
    assert!(error.contains("/jwks: the answer has no key that can be used"), "{error}");
    assert!(!error.contains(".lazy()"), "it would not help: {error}");
    provider.stop();
    let error = provider.remote().build().await.unwrap_err();
    assert_eq!(format!("{error:?}"), error.to_string());
    let error = error.to_string();
    assert!(error.contains("refused") && error.contains(".lazy()"), "{error}");
}

#[tokio::test]
async fn j03_addresses_are_checked_and_credentials_not_shown() {
    for url in [
        "http://login.example.com/jwks",
        "file:///etc/passwd",
        "https://user:hunter2@login.example.com/jwks",
        "jwks",
    ] {
        let error = RemoteKeys::at(url).lazy().unwrap_err();
        assert!(error.to_string().contains("cannot be fetched from the address"), "{error}");
        assert!(!format!("{error} {:?}", RemoteKeys::at(url)).contains("hunter2"));
        assert!(RemoteKeys::discover(url).lazy().is_err());
    }
    // A query may have a key of the provider's in it.
    let provider = Provider::new([]);
    let url = format!("{}?api_key=hunter2", provider.jwks_url());
    let keys = RemoteKeys::at(url).lazy().unwrap();
    let error = keys.refresh().await.unwrap_err();
    assert!(!format!("{error} {error:?} {keys:?} {:?}", keys.status()).contains("hunter2"));
    assert!(provider.last_request()[0].contains("api_key=hunter2"));
}

#[tokio::test]
async fn j06_without_keys_the_answer_is_503_until_they_are_there() {
    let good = key(Algorithm::ES256);
    let provider = Provider::new([good]);
    provider.stop();
    let keys = provider.remote().retry_interval(ms(50)..=ms(100)).lazy().unwrap();
    let verifier = verifier(keys.clone());
    let response = answer(&verifier, &token(good)).await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "1");
    assert!(!response.headers().contains_key("www-authenticate"));
    assert!(!keys.status().state.is_usable());
    // What is bad anyway is told so.
    let expired = good.token(&claims_with(json!({"exp": 1_700_000_000})));
    assert_eq!(answer(&verifier, &expired).await.status(), 401);
    assert_eq!(answer(&verifier, "a.b.c").await.status(), 401);

    provider.start();
    until("the keys are there", || keys.status().state.is_usable()).await;
    accepted(now(&verifier, &token(good)));
}

#[tokio::test]
async fn j06_the_first_request_of_a_lazy_start_waits_for_the_fetch() {
    let good = key(Algorithm::ES256);
    let provider = Provider::new([good]);
    let verifier = verifier(provider.remote().lazy().unwrap());
    accepted(verifier.verify(&token(good)).await);
    assert_eq!(provider.fetches(), 1);
}

#[tokio::test]
async fn j06_a_new_key_while_the_provider_is_down_is_503_and_not_401() {
    let (old, new) = (key(Algorithm::ES256), fresh(Algorithm::ES256, "new"));
    let provider = Provider::new([old]);
    let keys = provider.remote().cooldown(ms(400)).build().await.unwrap();
    let verifier = verifier(keys.clone());
    provider.answer(Answer::Status(500));
    unavailable(verifier.verify(&token(&new)).await);
    // Within the cool-down at once, and with the time that is left of it.
    let pause = unavailable(now(&verifier, &token(&new)));
    assert!(pause <= ms(400), "{pause:?}");
    assert_eq!(provider.fetches(), 2);
    accepted(now(&verifier, &token(old)));

    provider.publish([&new]);
    provider.answer(Answer::Good);
    // Without another request, too.
    until("it is tried again", || keys.status().ids == ["new"]).await;
    accepted(now(&verifier, &token(&new)));
}

#[tokio::test]
async fn j06_a_request_gives_up_in_time() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let keys = provider.remote().max_wait(ms(200)).build().await.unwrap();
    let verifier = verifier(keys);
    provider.answer(Answer::Hang);
    let begin = Instant::now();
    pending(verifier.verify(&unknown(1)).await);
    let waited = begin.elapsed();
    assert!(waited >= ms(190) && waited < ms(2000), "{waited:?}");
}

#[tokio::test]
async fn j06_keys_that_are_too_old_are_not_used() {
    let good = key(Algorithm::ES256);
    let provider = Provider::new([good]);
    let clock = FixedClock::default();
    let keys = provider.remote().clock(clock.clone()).build().await.unwrap();
    let verifier: Verifier = trusting(keys.clone()).build().unwrap();
    provider.answer(Answer::Status(500));
    let at = |seconds| clock.set(UNIX_EPOCH + Duration::from_secs(NOW + seconds));

    at(24 * 3600);
    accepted(now(&verifier, &token(good)));
    at(24 * 3600 + 1);
    unavailable(verifier.verify(&token(good)).await);
    unavailable(now(&verifier, &token(good)));
    assert!(!keys.status().state.is_usable());
    provider.answer(Answer::Good);
    keys.refresh().await.unwrap();
    accepted(now(&verifier, &token(good)));
}

#[tokio::test]
async fn j06_a_clock_that_is_set_back_prolongs_no_keys() {
    let good = key(Algorithm::ES256);
    let provider = Provider::new([good]);
    let clock = FixedClock::default();
    let keys = provider.remote().clock(clock.clone()).build().await.unwrap();
    let verifier: Verifier = trusting(keys.clone()).build().unwrap();
    provider.answer(Answer::Status(500));
    clock.set(UNIX_EPOCH + Duration::from_secs(NOW - 60));
    accepted(now(&verifier, &token(good)));
    clock.set(UNIX_EPOCH + Duration::from_secs(NOW - 61));
    unavailable(verifier.verify(&token(good)).await);
    assert!(!keys.status().state.is_usable());
    // They are fetched again by the new time.
    provider.answer(Answer::Good);
    keys.refresh().await.unwrap();
    accepted(now(&verifier, &token(good)));
}

#[tokio::test]
async fn j06_keys_are_fetched_before_they_are_too_old() {
    // The provider says that they are good for longer than they may be stale.
    let good = key(Algorithm::ES256);
    let provider = Provider::new([good]);
    let keys = provider
        .remote()
        .refresh_interval(ms(10)..=ms(4000))
        .default_refresh(ms(4000))
        .max_stale(ms(4000))
        .build()
        .await
        .unwrap();
    let verifier = verifier(keys.clone());
    until("it fetches in time", || provider.fetches() == 2).await;
    assert!(keys.status().state.is_usable());
    // And so a failure does no harm.
    provider.answer(Answer::Status(500));
    until("it fails", || keys.status().last_error.is_some()).await;
    accepted(now(&verifier, &token(good)));
}

#[tokio::test]
async fn j06_of_two_sources_one_that_is_down_makes_it_503() {
    let (one, other) = (Provider::new([key(Algorithm::ES256)]), Provider::new([]));
    other.publish([key(Algorithm::EdDSA)]);
    let down = one.remote().build().await.unwrap();
    let well = other.remote().cooldown(Duration::ZERO).build().await.unwrap();
    let verifier: Verifier = trusting(down).keys(well).build().unwrap();
    one.answer(Answer::Status(500));
    for n in 0..4 {
        unavailable(verifier.verify(&unknown(n)).await);
    }
    accepted(now(&verifier, &token(key(Algorithm::ES256))));
    accepted(now(&verifier, &token(key(Algorithm::EdDSA))));
}

#[tokio::test]
async fn b32_no_coding_is_asked_for_and_a_byte_order_mark_is_skipped() {
    let es = key(Algorithm::ES256);
    let provider = Provider::new([es]);
    let mut marked = b"\xef\xbb\xbf".to_vec();
    marked.extend(json!({"keys": [es.jwk()]}).to_string().into_bytes());
    for none in ["", "identity, identity"] {
        let none = vec![("content-encoding", none.to_owned())];
        provider.answer(Answer::Body(marked.clone(), none));
        provider.remote().build().await.unwrap();
    }
    let identity = vec![("content-encoding", "Identity".to_owned())];
    provider.answer(Answer::Body(marked.clone(), identity));
    let verifier = verifier(provider.remote().build().await.unwrap());
    assert!(provider.last_request().contains(&"accept-encoding: identity".into()));
    accepted(now(&verifier, &token(es)));
}
