//! What observers are told of keys, and what their status says of a rotation.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{
    provider::{Answer, Provider},
    *,
};
use crate::{
    observe::Notes,
    support::{FixedClock, ISSUER, NOW, key},
};

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(second)
}

#[tokio::test]
async fn fetches_and_the_state_of_the_keys_are_told() {
    let (notes, clock) = (Notes::default(), FixedClock::default());
    let provider = Provider::new([key(Algorithm::ES256)]);
    let keys = provider.remote().clock(clock.clone()).build().await.unwrap();
    assert!(notes.take("").is_empty());
    // The verifier hands its observer on, and the state is told at once.
    let _verifier: Verifier = trusting(keys.clone()).observer(notes.clone()).build().unwrap();
    assert_eq!(notes.take("keys"), [format!("keys {ISSUER} 1 Some(0)")]);
    // Another one that is built later is not told.
    let late = Notes::default();
    let _other: Verifier = trusting(keys.clone()).observer(late.clone()).build().unwrap();

    clock.set(at(NOW + 30));
    provider.answer(Answer::Status(500));
    keys.refresh().await.unwrap_err();
    assert_eq!(notes.take("fetched"), [format!("fetched {ISSUER} failed")]);
    assert_eq!(notes.take("keys"), [format!("keys {ISSUER} 1 Some(30)")]);
    provider.answer(Answer::Good);
    keys.refresh().await.unwrap();
    provider.publish([key(Algorithm::ES256), key(Algorithm::EdDSA)]);
    keys.refresh().await.unwrap();
    let told = ["unchanged", "renewed"].map(|outcome| format!("fetched {ISSUER} {outcome}"));
    assert_eq!(notes.take("fetched"), told);
    let states = [1, 2].map(|number| format!("keys {ISSUER} {number} Some(0)"));
    assert_eq!(notes.take("keys"), states);
    assert!(late.take("").is_empty());
}

#[tokio::test]
async fn the_first_fetch_is_told_to_an_observer_of_the_keys_themselves() {
    let notes = Notes::default();
    let provider = Provider::new([key(Algorithm::ES256)]);
    let keys = RemoteKeys::at(provider.jwks_url()).observer(notes.clone());
    let _keys = keys.build().await.unwrap();
    // Without an issuer, they are named by where they come from.
    let url = provider.jwks_url();
    assert_eq!(notes.take("fetched"), [format!("fetched {url} renewed")]);
    assert_eq!(
        notes.take("keys"),
        [format!("keys {url} 0 None unusable"), format!("keys {url} 1 Some(0)"),]
    );
}

#[tokio::test(start_paused = true)]
async fn the_state_is_told_every_ten_seconds_while_nothing_happens() {
    // The time of tokio stands still unless all wait, so the first fetch fails at once.
    let notes = Notes::default();
    let keys =
        RemoteKeys::at("http://127.0.0.1:1/jwks").retry_interval(ms(3_600_000)..=ms(3_600_000));
    let _keys = keys.observer(notes.clone()).lazy().unwrap();
    tokio::time::sleep(Duration::from_secs(35)).await;
    let told = notes.take("keys").len();
    assert!((4..=5).contains(&told), "{told}");
}

#[tokio::test]
async fn a_key_that_is_removed_before_its_tokens_expire_is_told_and_in_the_status() {
    let (notes, clock) = (Notes::default(), FixedClock::default());
    let (old, new) = (key(Algorithm::ES256), fresh(Algorithm::ES256, "new"));
    let provider = Provider::new([old]);
    let keys = provider.remote().clock(clock.clone()).cooldown(ms(0)).build().await.unwrap();
    let verifier: Verifier = trusting(keys.clone()).observer(notes.clone()).build().unwrap();
    for life in [100, 500, 300] {
        let token = old.token(&claims_with(json!({"exp": NOW + life})));
        accepted(now(&verifier, &token));
    }
    let status = keys.status();
    assert_eq!((status.oldest_since, &status.last_rotation), (Some(at(NOW)), &None));

    clock.set(at(NOW + 60));
    provider.publish([&new]);
    keys.refresh().await.unwrap();
    assert_eq!(notes.take("rotated"), [format!("rotated {ISSUER} [\"new\"] [\"ES256\"]")]);
    assert_eq!(notes.take("early"), [format!("early {ISSUER} ES256 440")]);
    let status = keys.status();
    let rotation = status.last_rotation.unwrap();
    assert_eq!(rotation.at, at(NOW + 60));
    assert_eq!((rotation.added, rotation.removed), (vec!["new".into()], vec!["ES256".into()]));
    assert_eq!(status.oldest_since, Some(at(NOW + 60)));
    let [removed] = &status.removed[..] else { panic!("{:?}", status.removed) };
    assert_eq!((&*removed.id, removed.removed_at), ("ES256", at(NOW + 60)));
    assert_eq!((removed.tokens_expire_at, removed.last_used), (Some(at(NOW + 500)), None));

    // The provider still signs with it.
    clock.set(at(NOW + 70));
    for life in [600, 601] {
        let token = old.token(&claims_with(json!({"exp": NOW + life})));
        refused(verifier.verify(&token).await, &ErrorKind::UnknownKey);
    }
    assert_eq!(notes.take("used"), [format!("used {ISSUER} ES256")], "one in ten seconds");
    assert_eq!(keys.status().removed[0].last_used, Some(at(NOW + 70)));

    // It comes back.
    provider.publish([old, &new]);
    keys.refresh().await.unwrap();
    assert!(keys.status().removed.is_empty());
}

#[tokio::test]
async fn a_key_that_is_removed_after_its_tokens_have_expired_is_no_event() {
    let (notes, clock) = (Notes::default(), FixedClock::default());
    let (old, new) = (key(Algorithm::ES256), fresh(Algorithm::ES256, "new"));
    let provider = Provider::new([old, &new]);
    let keys = provider.remote().clock(clock.clone()).build().await.unwrap();
    let verifier: Verifier = trusting(keys.clone()).observer(notes.clone()).build().unwrap();
    accepted(now(&verifier, &old.token(&claims_with(json!({"exp": NOW + 100})))));
    clock.set(at(NOW + 100));
    provider.publish([&new]);
    keys.refresh().await.unwrap();
    assert_eq!(notes.take("rotated").len(), 1);
    assert!(notes.take("early").is_empty());
    assert_eq!(keys.status().removed[0].tokens_expire_at, None);
}

#[tokio::test]
async fn an_old_key_is_told_once_a_day() {
    let (notes, clock) = (Notes::default(), FixedClock::default());
    let provider = Provider::new([key(Algorithm::ES256)]);
    let month = Duration::from_secs(30 * 24 * 3600);
    let keys = provider.remote().clock(clock.clone()).old_after(month).observer(notes.clone());
    let keys = keys.build().await.unwrap();
    for (hours, told) in [(0, 0), (720, 0), (721, 1), (722, 0), (745, 1)] {
        clock.set(at(NOW + hours * 3600));
        keys.refresh().await.unwrap();
        let old = notes.take("old");
        assert_eq!(old.len(), told, "{hours}");
        for note in old {
            assert_eq!(note, format!("old {ISSUER} ES256 {}", hours * 3600));
        }
    }
}

#[tokio::test]
async fn an_early_removal_is_noticed_whatever_headers_other_tokens_have() {
    let notes = Notes::default();
    let (old, new) = (key(Algorithm::ES256), fresh(Algorithm::ES256, "new"));
    let provider = Provider::new([old, &new]);
    let keys = provider.remote().clock(FixedClock::default()).build().await.unwrap();
    let verifier: Verifier = trusting(keys.clone()).observer(notes.clone()).build().unwrap();
    // More headers than are remembered.
    for nonce in 0..20 {
        let mut header = new.header();
        header["nonce"] = json!(nonce);
        accepted(now(&verifier, &new.token_of(header.to_string(), claims().to_string())));
    }
    // And one that is too long to be remembered.
    let mut header = old.header();
    header["x5c"] = json!(["A".repeat(600)]);
    let token =
        old.token_of(header.to_string(), claims_with(json!({"exp": NOW + 100})).to_string());
    accepted(now(&verifier, &token));
    provider.publish([&new]);
    keys.refresh().await.unwrap();
    assert_eq!(notes.take("early"), [format!("early {ISSUER} ES256 100")]);
    assert_eq!(keys.status().removed[0].tokens_expire_at, Some(at(NOW + 100)));
}

#[tokio::test]
async fn keys_that_are_too_old_are_told_as_unusable() {
    let (notes, clock) = (Notes::default(), FixedClock::default());
    let provider = Provider::new([key(Algorithm::ES256)]);
    let keys = provider.remote().clock(clock.clone()).max_stale(Duration::from_secs(60));
    let keys = keys.observer(notes.clone()).build().await.unwrap();
    notes.take("keys");
    clock.set(at(NOW + 61));
    provider.answer(Answer::Status(500));
    keys.refresh().await.unwrap_err();
    assert_eq!(notes.take("keys"), [format!("keys {ISSUER} 1 Some(61) unusable")]);
    drop(keys);
    assert_eq!(notes.take("dropped"), [format!("dropped {ISSUER}")]);
}
