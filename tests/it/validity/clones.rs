//! Clones of one validity, and the runtimes and wakers that they meet.

use std::{
    sync::{Arc, Mutex, mpsc},
    task::{Wake, Waker},
    thread,
    time::Instant,
};

use tokio::runtime::{Builder, Runtime};
use tower_jwt_auth::validity::Guarded;

use super::*;

/// The time to poll so many guards of one validity twice, and to drop them.
fn time_of_guards(validity: &Validity, count: usize) -> Duration {
    let (_sender, items) = channel::<()>();
    let items = Arc::new(Mutex::new(items));
    let begin = Instant::now();
    let mut guards: Vec<Guarded<Shared>> =
        (0..count).map(|_| validity.guard(Shared(Arc::clone(&items)))).collect();
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        for guard in &mut guards {
            assert!(Pin::new(guard).poll_next(&mut context).is_pending());
        }
    }
    drop(guards);
    begin.elapsed()
}

struct Shared(Arc<Mutex<Received<()>>>);

impl Stream for Shared {
    type Item = ();

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<()>> {
        Pin::new(&mut *self.0.lock().unwrap()).poll_next(context)
    }
}

#[tokio::test]
async fn guards_of_one_validity_take_time_in_proportion_to_their_number() {
    let setup = Setup::new();
    let validity = setup.validity("ada", "1").await;
    let best = |count| (0..5).map(|_| time_of_guards(&validity, count)).min().unwrap();
    let (few, many) = (best(1_000), best(20_000));
    // 20 times the number. If each looks at all others, it is more than 200 times the time.
    assert!(many < few * 80, "1,000 in {few:?}, 20,000 in {many:?}");
    println!("1,000 in {few:?}, 20,000 in {many:?}");
    goes_on(&validity).await;
}

#[tokio::test]
async fn each_of_many_clones_is_woken() {
    let setup = Setup::new();
    let validity = setup.validity("ada", "1").await;
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        waiting.spawn(validity.clone());
    }
    tokio::task::yield_now().await;
    setup.revoke(setup.revocation("1")).await;
    while let Some(end) = ends_within(waiting.join_next()).await {
        assert_eq!(end.unwrap(), ValidityEnd::Revoked);
    }
}

async fn ends_within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(1), future).await.expect("it was not woken")
}

/// A task that owns another clone.
struct Owner(#[allow(dead_code, reason = "it is only dropped")] Validity);

impl Wake for Owner {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_waker_that_owns_the_last_clone_may_be_dropped_by_the_validity() {
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let _entered = runtime.enter();
        let setup = Setup::new();
        let validity = runtime.block_on(setup.validity("ada", "1"));
        let owner = || Waker::from(Arc::new(Owner(validity.clone())));
        let mut polled = validity.clone();
        assert!(poll_once(&mut polled, &owner()).is_pending());
        // It takes the place of the former waker, which is dropped with its clone.
        assert!(poll_once(&mut polled, &owner()).is_pending());
        drop(polled);
        done.send(()).unwrap();
    });
    assert_eq!(is_done.recv_timeout(Duration::from_secs(10)), Ok(()), "it waits for itself");
}

/// Polls it in a runtime, where it does not end.
fn wait_in(runtime: &Runtime, validity: &mut Validity) {
    let waiting =
        runtime.block_on(async { tokio::time::timeout(Duration::from_millis(5), validity).await });
    assert!(waiting.is_err(), "{waiting:?}");
}

#[test]
fn a_stream_continues_in_another_runtime_when_its_first_one_has_shut_down() {
    for shut_down in [drop, Runtime::shutdown_background as fn(Runtime)] {
        let setup = Setup::new();
        let [first, second] = [(); 2].map(|()| Runtime::new().unwrap());
        let mut validity = first.block_on(setup.validity("ada", "1"));
        wait_in(&first, &mut validity);
        shut_down(first);
        // Until the timers of the first runtime have ended.
        thread::sleep(Duration::from_millis(200));
        wait_in(&second, &mut validity);
        setup.clock.advance(Duration::from_secs(360));
        assert_eq!(second.block_on(ends(&mut validity)), ValidityEnd::Expired);
    }
}

#[test]
fn a_stream_whose_runtime_has_shut_down_ends_without_another_one() {
    let setup = Setup::new();
    let runtime = Runtime::new().unwrap();
    let mut validity = runtime.block_on(setup.validity("ada", "1"));
    wait_in(&runtime, &mut validity);
    drop(runtime);
    let end = poll_once(&mut validity, Waker::noop());
    assert_eq!(end, Poll::Ready(ValidityEnd::Unchecked));
}
