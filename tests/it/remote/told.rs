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
