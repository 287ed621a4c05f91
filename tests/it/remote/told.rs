//! What is logged of keys: when something changes, and nothing of a request.

use tokio::runtime::Builder;

use super::{
    provider::{Answer, Provider},
    *,
};
use crate::{
    privacy::{MARKER, check, events},
    support::key,
};

/// The events of this crate while `work` runs on a runtime of this thread.
fn told(work: impl AsyncFnOnce()) -> (String, String) {
    let all =
        events(|| Builder::new_current_thread().enable_all().build().unwrap().block_on(work()));
    let own = all.lines().filter(|line| line.contains(" tower_jwt_auth")).collect::<Vec<_>>();
    (own.join("\n"), all)
}

#[test]
fn p01_no_event_shows_what_a_token_asks_for() {
    let mut tokens = Vec::new();
    let (own, all) = told(async || {
        let provider = Provider::new([key(Algorithm::ES256)]);
        let keys = provider.remote().build().await.unwrap();
        let verifier = verifier(keys.clone());
        let mut header = key(Algorithm::ES256).header();
        header["kid"] = json!(MARKER);
        let with = |changes| {
            key(Algorithm::ES256).token_of(header.to_string(), claims_with(changes).to_string())
        };
        tokens = vec![
            with(json!({})),
            with(json!({"iss": format!("https://{MARKER}")})),
            with(json!({"sub": MARKER, "jti": MARKER})),
        ];
        for answer_of_it in [Answer::Good, Answer::Status(500), Answer::Good] {
            provider.answer(answer_of_it);
            for token in &tokens {
                let response = answer(&verifier, token).await;
                check(&format!("{response:?}"), &tokens);
            }
            let _ = keys.refresh().await;
        }
        check(&format!("{keys:?} {verifier:?} {:?}", keys.status()), &tokens);
    });
    assert!(own.contains("request refused"), "{own}");
    check(&all, &tokens);
}

#[test]
fn changes_are_told_once() {
    let (own, _) = told(async || {
        let mut encrypts = key(Algorithm::RS256).jwk();
        encrypts["use"] = json!("enc");
        let mut private = key(Algorithm::EdDSA).jwk();
        private["d"] = json!(MARKER);
        let provider = Provider::new([]);
        provider.publish_jwks(vec![key(Algorithm::ES256).jwk(), encrypts, private]);
        let keys = provider.remote().build().await.unwrap();
        for answer in [Answer::Good, Answer::Status(500), Answer::Close, Answer::Good, Answer::Good]
        {
            provider.answer(answer);
            let _ = keys.refresh().await;
        }
    });
    check(&own, &[]);
    let count = |text: &str| own.matches(text).count();
    assert_eq!(count("keys were fetched"), 3, "{own}");
    assert_eq!(count("keys cannot be fetched"), 1, "{own}");
    assert_eq!(count("keys can be fetched again"), 1, "{own}");
    assert_eq!(count("a key is left out"), 2, "{own}");
    assert_eq!(count("WARN"), 2, "a private key, and a failure: {own}");
}

#[test]
fn a_rotation_is_told_and_a_removed_key_that_still_signs() {
    let (own, _) = told(async || {
        let (old, new) = (key(Algorithm::ES256), fresh(Algorithm::ES256, "n\new"));
        let other = fresh(Algorithm::EdDSA, "other");
        let provider = Provider::new([old, &other]);
        let keys = provider.remote().cooldown(ms(0)).build().await.unwrap();
        let verifier = verifier(keys.clone());
        let tokens: Vec<_> = (0..3).map(|n| old.token(&claims_with(json!({"n": n})))).collect();
        for token in &tokens {
            accepted(now(&verifier, token));
        }
        provider.publish([&new, &other]);
        keys.refresh().await.unwrap();
        keys.refresh().await.unwrap();
        for token in &tokens {
            refused(verifier.verify(token).await, &ErrorKind::UnknownKey);
        }
        // A key that nobody ever had is no such key.
        refused(verifier.verify(&unknown(1)).await, &ErrorKind::UnknownKey);
    });
    let lines = |text: &str| -> Vec<String> {
        own.lines().filter(|line| line.contains(text)).map(String::from).collect()
    };
    let rotated = lines("keys were rotated");
    assert_eq!(rotated.len(), 1, "{own}");
    let told = &rotated[0];
    assert!(told.contains("INFO") && told.contains(r#"added="n\new""#), "{told}");
    assert!(told.contains(r#"removed="ES256""#), "{told}");
    let used = lines("a token names a key that was removed");
    assert_eq!(used.len(), 1, "one in ten seconds: {own}");
    assert!(used[0].contains("WARN") && used[0].contains(r#"kid="ES256""#), "{}", used[0]);
}

#[test]
fn an_outage_that_lasts_is_told_again_and_so_are_keys_that_are_too_old() {
    use crate::support::{FixedClock, NOW};

    let (own, _) = told(async || {
        let clock = FixedClock::default();
        let provider = Provider::new([key(Algorithm::ES256)]);
        let keys = provider.remote().clock(clock.clone()).max_stale(Duration::from_secs(60));
        let keys = keys.build().await.unwrap();
        provider.answer(Answer::Status(500));
        for _ in 0..3 {
            keys.refresh().await.unwrap_err();
        }
        clock.set(std::time::UNIX_EPOCH + Duration::from_secs(NOW + 61));
        for _ in 0..3 {
            keys.refresh().await.unwrap_err();
        }
        tokio::time::sleep(Duration::from_millis(10_100)).await;
        let failing = keys.refresh().await;
        failing.unwrap_err();
        provider.answer(Answer::Good);
        keys.refresh().await.unwrap();
    });
    let lines =
        |text: &str| -> Vec<&str> { own.lines().filter(|line| line.contains(text)).collect() };
    let failed = lines("keys cannot be fetched");
    assert_eq!(failed.len(), 2, "one in ten seconds: {own}");
    assert!(failed[0].contains("more=0") && failed[1].contains("WARN"), "{own}");
    let more = failed[1].rsplit_once("more=").unwrap().1;
    assert!(more.parse::<u32>().unwrap() >= 5, "{own}");
    let stale = lines("keys are too old to be used");
    assert_eq!(stale.len(), 2, "one in ten seconds: {own}");
    assert!(stale[0].contains("ERROR") && stale[0].contains("age_s=61 more=0"), "{own}");
    assert_eq!(lines("keys can be fetched again").len(), 1, "{own}");
}
