//! Made-up key ids cost the provider next to nothing, and other requests nothing.

use super::{
    provider::{Answer, Provider},
    *,
};
use crate::support::key;

/// What a spray of made-up ids and a token of a key that is published in the middle of it get.
async fn spray(provider: &Provider, verifier: &Verifier, time: Duration) -> Duration {
    let (old, new) = (key(Algorithm::ES256), fresh(Algorithm::ES256, "new"));
    let (known, good) = (token(old), token(&new));
    let begin = Instant::now();
    let tasks: Vec<_> = (0..2)
        .map(|task| {
            let (verifier, known) = (verifier.clone(), known.clone());
            tokio::spawn(async move {
                let mut sent = 0;
                while begin.elapsed() < time {
                    // Nobody waits for the answers.
                    drop(verifier.verify(&unknown(2 * sent + task)));
                    sent += 1;
                    if sent % 50 == 0 {
                        accepted(now(&verifier, &known));
                        tokio::time::sleep(ms(1)).await;
                    }
                }
                sent
            })
        })
        .collect();
    tokio::time::sleep(ms(700)).await;
    provider.publish([old, &new]);
    let published = Instant::now();
    let took = loop {
        match verifier.verify(&good).await {
            Ok(_) => break published.elapsed(),
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::KeyPending { .. }), "{error}, never 401");
                assert!(published.elapsed() < Duration::from_secs(60));
                tokio::time::sleep(ms(20)).await;
            }
        }
    };
    let mut sent = 0;
    for task in tasks {
        sent += task.await.unwrap();
    }
    println!("{} fetches for {sent} ids, accepted after {took:?}", provider.fetches() - 1);
    took
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j01_a_spray_of_unknown_ids_keeps_no_rotation_out() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let verifier = verifier(provider.remote().build().await.unwrap());
    let took = spray(&provider, &verifier, Duration::from_secs(12)).await;
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(provider.fetches() - 1 <= 3, "12 in a minute: {}", provider.fetches() - 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j01_a_cool_down_that_is_set_bounds_both() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let verifier = verifier(provider.remote().cooldown(ms(1500)).build().await.unwrap());
    let took = spray(&provider, &verifier, Duration::from_secs(6)).await;
    assert!(took < ms(1500 + 5000), "{took:?}");
    assert!(provider.fetches() - 1 <= 3 + 4, "{}", provider.fetches() - 1);
}

#[tokio::test]
async fn j01_an_id_is_refused_only_for_a_fetch_that_was_for_it() {
    let (old, new) = (key(Algorithm::ES256), fresh(Algorithm::ES256, "new"));
    let provider = Provider::new([old]);
    let verifier = verifier(provider.remote().build().await.unwrap());
    refused(verifier.verify(&unknown(1)).await, &ErrorKind::UnknownKey);
    // For a moment, that is known of this id, and of no other.
    refused(now(&verifier, &unknown(1)), &ErrorKind::UnknownKey);
    let pause = pending(now(&verifier, &unknown(2)));
    assert!(pause > Duration::from_secs(4) && pause <= Duration::from_secs(5), "{pause:?}");
    assert_eq!(provider.fetches(), 2);
    let answered = answer(&verifier, &unknown(2)).await;
    assert_eq!(
        (answered.status().as_u16(), &answered.headers()["retry-after"]),
        (503, &"5".parse().unwrap())
    );
    // It comes true without anybody asking again.
    provider.publish([old, &new]);
    until("the key is there", || now_or_pending(&verifier, &token(&new))).await;
    assert_eq!(provider.fetches(), 3);
}

/// Whether the token is accepted; if not, its key is pending.
fn now_or_pending(verifier: &Verifier, token: &str) -> bool {
    match verifier.verify(token).now_or_never() {
        Some(Ok(_)) => true,
        Some(Err(error)) => {
            assert!(matches!(error.kind(), ErrorKind::KeyPending { .. }), "{error}");
            false
        }
        None => false,
    }
}

#[tokio::test]
async fn j01_a_failing_provider_is_asked_once_in_a_cool_down_too() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let keys = provider.remote().cooldown(ms(500)).build().await.unwrap();
    let verifier = verifier(keys);
    provider.answer(Answer::Status(500));
    let begin = Instant::now();
    for n in 0.. {
        unavailable(verifier.verify(&unknown(n)).await);
        tokio::task::yield_now().await;
        if begin.elapsed() > ms(1200) {
            break;
        }
    }
    let fetches = provider.fetches() - 1;
    assert!((2..=3).contains(&fetches), "{fetches} fetches in 1.2 s");
}

#[tokio::test]
async fn j01_known_keys_do_not_wait_for_a_fetch() {
    let good = key(Algorithm::ES256);
    let provider = Provider::new([good]);
    let verifier = verifier(provider.remote().build().await.unwrap());
    provider.answer(Answer::Hang);
    let waiting: Vec<_> = (0..200)
        .map(|n| {
            let verifier = verifier.clone();
            tokio::spawn(async move { verifier.verify(&unknown(n)).await })
        })
        .collect();
    until("the fetch begins", || provider.fetches() == 2).await;
    for _ in 0..100 {
        accepted(now(&verifier, &token(good)));
    }
    provider.answer(Answer::Good);
    for result in waiting {
        refused(result.await.unwrap(), &ErrorKind::UnknownKey);
    }
}

#[tokio::test]
async fn j01_no_more_wait_than_can_be_served() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let verifier = verifier(provider.remote().build().await.unwrap());
    provider.answer(Answer::Hang);
    let mut waiting = Vec::new();
    for n in 0..1000 {
        let step = verifier.verify(&unknown(n));
        assert!(!step.is_ready(), "{n}");
        waiting.push(step);
    }
    pending(now(&verifier, &unknown(1000)));
    // Who goes makes room.
    waiting.truncate(500);
    assert!(verifier.verify(&unknown(1001)).now_or_never().is_none());
}

#[tokio::test]
async fn j01_without_a_cool_down_a_failing_provider_is_spared() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let keys = provider.remote().cooldown(Duration::ZERO).build().await.unwrap();
    let verifier = verifier(keys);
    provider.answer(Answer::Status(500));
    unavailable(verifier.verify(&unknown(1)).await);
    tokio::time::sleep(ms(1200)).await;
    let fetches = provider.fetches() - 1;
    assert!((1..=3).contains(&fetches), "{fetches} fetches for one token");
}

#[tokio::test]
async fn j01_without_a_cool_down_each_unknown_id_costs_one_fetch() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let verifier = verifier(provider.remote().cooldown(Duration::ZERO).build().await.unwrap());
    for n in 0..10 {
        refused(verifier.verify(&unknown(n)).await, &ErrorKind::UnknownKey);
    }
    assert_eq!(provider.fetches(), 11);
}

#[tokio::test]
async fn j01_a_provider_that_takes_its_time_is_no_outage() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let keys = provider.remote().max_wait(ms(100)).build().await.unwrap();
    let verifier = verifier(keys.clone());
    provider.answer(Answer::Hang);
    for n in 0..3 {
        pending(verifier.verify(&unknown(n)).await);
    }
    assert_eq!(keys.status().state, tower_jwt_auth::keys::remote::KeyState::Healthy);
    // Without keys that may be used, nobody can tell.
    let keys = provider.remote().max_wait(ms(100)).lazy().unwrap();
    unavailable(self::verifier(keys).verify(&unknown(1)).await);
}
