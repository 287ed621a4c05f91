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
        let keys = provider.remote().cooldown(ms(100)).build().await.unwrap();
        (keys.clone(), verifier(keys))
    });
    // It goes while a fetch is under way.
    provider.answer(Answer::Hang);
    let mut waiting = None;
    first.block_on(async {
        waiting = Some(verifier.verify(&unknown(1)));
        until("the fetch begins", || provider.fetches() == 2).await;
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

#[test]
fn j08_a_health_page_starts_it_too() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let keys = provider.remote().lazy().unwrap();
    runtime().block_on(async {
        until("the keys are there", || keys.status().state.is_usable()).await;
    });
}

#[test]
fn j08_a_runtime_that_nobody_drives_is_left() {
    let (old, new) = (key(Algorithm::ES256), fresh(Algorithm::ES256, "new"));
    let provider = Provider::new([old]);
    let setup = runtime();
    let keys = setup.block_on(provider.remote().max_wait(ms(50)).build()).unwrap();
    let verifier = verifier(keys.clone());
    provider.publish([old, &new]);
    runtime().block_on(async {
        pending(verifier.verify(&token(&new)).await);
        tokio::time::sleep(Duration::from_secs(5)).await;
        let _ = verifier.verify(&token(&new)).await;
        until("another task fetches", || keys.status().keys == 2).await;
        accepted(now(&verifier, &token(&new)));
    });
    drop(setup);
}

#[test]
fn j08_runtimes_that_come_and_go_do_not_add_up() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let verifier = verifier(provider.remote().lazy().unwrap());
    for n in 0..20 {
        let _ = runtime().block_on(async { verifier.verify(&unknown(n)).await });
    }
    assert!(provider.fetches() <= 2, "{} fetches for 20 ids", provider.fetches());
}

#[test]
fn j08_a_runtime_without_a_timer_serves_the_keys_that_are_there() {
    let good = key(Algorithm::ES256);
    let provider = Provider::new([good]);
    let first = runtime();
    let keys = first.block_on(provider.remote().build()).unwrap();
    let verifier = verifier(keys);
    let bare = Builder::new_current_thread().build().unwrap();
    bare.block_on(async {
        accepted(verifier.verify(&token(good)).await);
        unavailable(verifier.verify(&unknown(1)).await);
    });
    let error = bare.block_on(provider.remote().build()).unwrap_err().to_string();
    assert!(error.contains("no tokio runtime"), "{error}");
}

/// tokio's time stands still but for its timers, so an hour is over at once.
#[tokio::test(start_paused = true)]
async fn j02_a_provider_that_is_down_is_tried_for_ever() {
    let good = key(Algorithm::ES256);
    let provider = Provider::new([good]);
    provider.stop();
    let keys = provider.remote().lazy().unwrap();
    let begin = tokio::time::Instant::now();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let next = keys.status().next_refresh;
    let pause =
        next.map(|next| next.duration_since(std::time::SystemTime::now()).unwrap_or_default());
    assert!(pause.is_none_or(|pause| pause <= Duration::from_secs(60)), "{pause:?}");
    assert!(keys.status().last_error.is_some());

    provider.start();
    tokio::time::resume();
    assert!(begin.elapsed() >= Duration::from_secs(3600));
    keys.refresh().await.unwrap();
    accepted(now(&verifier(keys), &token(good)));
}
