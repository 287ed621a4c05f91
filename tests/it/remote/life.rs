//! Where the task runs, and when it ends.

use tokio::runtime::{Builder, Runtime};

use super::{
    provider::{Answer, Provider},
    *,
};
use crate::support::key;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn j08_the_task_ends_with_the_last_handle() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let runtime = runtime();
    runtime.block_on(async {
        let interval = ms(20)..=ms(20);
        let keys = provider.remote().refresh_interval(interval).build().await.unwrap();
        let verifier = verifier(keys.clone());
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        until("it fetches by itself", || provider.fetches() > 2).await;
        drop(keys);
        let before = provider.fetches();
        until("the verifier keeps it", || provider.fetches() > before).await;
        drop(verifier);
        until("no task is left", || tasks() == 0).await;
        let before = provider.fetches();
        tokio::time::sleep(ms(100)).await;
        assert_eq!(provider.fetches(), before);
    });
}

#[test]
fn j08_in_the_middle_of_a_fetch_too() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    runtime().block_on(async {
        let verifier = verifier(provider.remote().build().await.unwrap());
        provider.answer(Answer::Hang);
        let waiting = verifier.verify(&unknown(1));
        until("the fetch begins", || provider.fetches() == 2).await;
        drop((verifier, waiting));
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        until("no task is left", || tasks() == 0).await;
    });
}

#[test]
fn j08_another_runtime_takes_over() {
    let (good, new) = (key(Algorithm::ES256), fresh(Algorithm::ES256, "new"));
    let provider = Provider::new([good]);
    let first = runtime();
    let (keys, verifier) = first.block_on(async {
        let keys = provider.remote().build().await.unwrap();
        (keys.clone(), verifier(keys))
    });
    // It goes while a fetch is under way.
    provider.answer(Answer::Hang);
    let waiting = first.block_on(async {
        let waiting = verifier.verify(&unknown(1));
        until("the fetch begins", || provider.fetches() == 2).await;
        waiting
    });
    drop(first);
    drop(waiting);

    // Outside of a runtime, known keys serve, and others are refused without a panic.
    accepted(now(&verifier, &token(good)));
    unavailable(now(&verifier, &unknown(2)));
    provider.answer(Answer::Good);
    provider.publish([good, &new]);
    runtime().block_on(async {
        accepted(now(&verifier, &token(good)));
        until("it fetches again", || keys.status().keys == 2).await;
        accepted(now(&verifier, &token(&new)));
        keys.refresh().await.unwrap();
    });
}

#[test]
fn j08_nothing_is_spawned_outside_a_runtime() {
    let good = key(Algorithm::ES256);
    let provider = Provider::new([good]);
    let keys = provider.remote().lazy().unwrap();
    let verifier = verifier(keys.clone());
    unavailable(now(&verifier, &token(good)));
    assert_eq!(provider.fetches(), 0);
    assert!(!keys.status().state.is_usable());
    runtime().block_on(async {
        accepted(verifier.verify(&token(good)).await);
    });
    assert_eq!(provider.fetches(), 1);
}

#[tokio::test]
async fn j08_a_request_that_is_dropped_leaves_the_fetch_to_the_others() {
    let new = fresh(Algorithm::ES256, "new");
    let provider = Provider::new([key(Algorithm::ES256)]);
    let verifier = verifier(provider.remote().build().await.unwrap());
    provider.answer(Answer::Hang);
    provider.publish([&new]);
    let (first, second) = (verifier.verify(&token(&new)), verifier.verify(&token(&new)));
    until("the fetch begins", || provider.fetches() == 2).await;
    drop(first);
    provider.answer(Answer::Good);
    accepted(second.await);
    assert_eq!(provider.fetches(), 2);
}
