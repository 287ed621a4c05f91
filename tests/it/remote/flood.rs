//! Made-up key ids cost the provider next to nothing, and other requests nothing.

use super::{
    provider::{Answer, Provider},
    *,
};
use crate::support::key;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j01_a_flood_of_unknown_ids_costs_one_fetch() {
    let good = key(Algorithm::ES256);
    let provider = Provider::new([good]);
    let verifier = verifier(provider.remote().build().await.unwrap());
    let known = token(good);
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let (verifier, known) = (verifier.clone(), known.clone());
            tokio::spawn(async move {
                for n in 0..2500 {
                    let token = unknown(task * 2500 + n);
                    refused(verifier.verify(&token).await, &ErrorKind::UnknownKey);
                    if n % 50 == 0 {
                        accepted(now(&verifier, &known));
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(provider.fetches(), 2, "the first one of all, and one for 10,000 tokens");
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
        assert!(matches!(step, tower_jwt_auth::step::Step::Pending(_)), "{n}");
        waiting.push(step);
    }
    unavailable(now(&verifier, &unknown(1000)));
    // Who goes makes room.
    waiting.truncate(500);
    assert!(verifier.verify(&unknown(1001)).now().is_none());
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
