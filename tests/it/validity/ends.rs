//! When a stream ends, and when it does not.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Wake, Waker},
    time::{Instant, SystemTime},
};

use futures_core::FusedStream;
use tower_jwt_auth::validity::Guarded;

use super::*;
use crate::fixed::FixedClock;

#[tokio::test]
async fn s01_a_stream_ends_when_its_token_expires() {
    let setup = Setup::new();
    let (short, long) = (setup.validity("ada", "1").await, {
        let token = setup.token("ada", "2").expires_in(Duration::from_secs(3600));
        setup.claims(token).await.validity()
    });
    let (sender, items) = channel();
    let mut stream = short.guard_with(items, |end| format!("bye: {end}"));
    let waiting = tokio::spawn(short.clone());
    sender.send("first".to_owned()).unwrap();
    assert_eq!(next(&mut stream).await.as_deref(), Some("first"));

    setup.clock.advance(Duration::from_secs(359));
    goes_on(&short).await;
    sender.send("second".to_owned()).unwrap();
    assert_eq!(next(&mut stream).await.as_deref(), Some("second"));

    // 300 s, and 60 s of leeway.
    setup.clock.advance(Duration::from_secs(1));
    assert_eq!(ends(async { waiting.await.unwrap() }).await, ValidityEnd::Expired);
    // The end comes before what is left in the stream, which is dropped.
    sender.send("third".to_owned()).unwrap();
    assert!(!stream.is_terminated());
    assert_eq!(next(&mut stream).await.as_deref(), Some("bye: the token has expired"));
    assert!(sender.is_closed() && stream.is_terminated());
    assert_eq!(next(&mut stream).await, None);
    assert_eq!(short.ended(), Some(ValidityEnd::Expired));
    goes_on(&long).await;

    // A clock that is set back does not bring it back.
    setup.clock.rewind(Duration::from_secs(300));
    assert_eq!(ends(short.clone()).await, ValidityEnd::Expired);
    assert_eq!(long.ended(), None);
}

#[tokio::test]
async fn s01_a_stream_ends_by_the_clock_of_the_system() {
    let issuer = TestIssuer::new();
    let verifier = issuer.verifier_builder().leeway(Duration::ZERO).build().unwrap();
    let token = issuer.token().expires_in(Duration::from_secs(2)).sign();
    let claims = verifier.verify(&token).await.unwrap();
    let end = claims.expires_at().unwrap().to_system_time().unwrap();
    assert_eq!(claims.validity().await, ValidityEnd::Expired);
    let late = SystemTime::now().duration_since(end).expect("it does not end early");
    assert!(late < Duration::from_millis(500), "{late:?}");
    assert!(verifier.verify(&token).await.is_err());
}

#[tokio::test]
async fn s01_a_stream_ends_with_the_age_of_its_token() {
    let clock = TestClock::new();
    let issuer = TestIssuer::new().with_clock(clock.clone());
    let verifier = issuer.verifier_builder().max_age(Duration::from_secs(100)).build().unwrap();
    let token = issuer.token().expires_in(Duration::from_secs(3600)).sign();
    let validity = verifier.verify(&token).await.unwrap().validity();
    clock.advance(Duration::from_secs(160));
    assert!(verifier.verify(&token).await.is_ok());
    goes_on(&validity).await;
    clock.advance(Duration::from_secs(1));
    assert!(verifier.verify(&token).await.is_err());
    assert_eq!(ends(validity).await, ValidityEnd::Expired);
}

#[tokio::test]
async fn s01_a_stream_ends_at_a_revocation_and_no_other_does() {
    let (issuer, now) = (Setup::new().issuer.issuer().to_owned(), TestClock::new().unix_seconds());
    for (revocation, ended) in [
        (Revocation::token(&issuer, "1", now + 300), &[0][..]),
        (Revocation::session(&issuer, "session of eve", now + 300), &[2]),
        (Revocation::subject(&issuer, "ada", now, now + 300), &[0, 1]),
        (Revocation::subject(&issuer, "ada", now - 1, now + 300), &[]),
        (Revocation::token("https://other.example.com", "1", now + 300), &[]),
    ] {
        // Another list each time, because a revocation stays.
        let setup = Setup::new();
        let mut streams = Vec::new();
        for (subject, id) in [("ada", "1"), ("ada", "2"), ("eve", "3")] {
            let token = setup.token(subject, id).claim("iat", now);
            let validity = setup.claims(token).await.validity();
            streams.push((validity.clone(), tokio::spawn(validity)));
        }
        tokio::task::yield_now().await;
        setup.revoke(revocation.clone()).await;
        for (place, (validity, waiting)) in streams.into_iter().enumerate() {
            if ended.contains(&place) {
                let end = ends(async { waiting.await.unwrap() }).await;
                assert_eq!(end, ValidityEnd::Revoked, "{revocation:?}");
                assert_eq!(validity.ended(), Some(ValidityEnd::Revoked));
            } else {
                goes_on(&validity).await;
                assert!(!waiting.is_finished(), "{revocation:?} {place}");
            }
        }
    }
}

#[tokio::test]
async fn s01_a_revocation_before_the_stream_begins_is_not_missed() {
    let setup = Setup::new();
    // Verified before, registered after.
    let claims = setup.claims(setup.token("ada", "1")).await;
    setup.revoke(setup.revocation("1")).await;
    assert_eq!(ends(claims.validity()).await, ValidityEnd::Revoked);

    // Registered before, polled after.
    let validity = setup.validity("ada", "2").await;
    setup.revoke(setup.revocation("2")).await;
    assert_eq!(validity.ended(), Some(ValidityEnd::Revoked));
}

#[tokio::test]
async fn s01_revocations_that_come_while_streams_begin_are_not_missed() {
    let setup = Arc::new(Setup::new());
    for round in 0..200 {
        let id = round.to_string();
        let claims = setup.claims(setup.token("ada", &id)).await;
        let (list, revocation) = (setup.list.clone(), setup.revocation(&id));
        let revoking = std::thread::spawn(move || list.insert(revocation).unwrap());
        let waiting = tokio::spawn(claims.validity());
        revoking.join().unwrap();
        assert_eq!(ends(async { waiting.await.unwrap() }).await, ValidityEnd::Revoked);
    }
}

#[tokio::test]
async fn s01_a_token_without_exp_ends_only_by_a_revocation() {
    let setup = Setup::new();
    let builder = setup.issuer.verifier_builder().denylist(setup.list.clone());
    let verifier = builder.dangerous().without_expiry(Duration::from_secs(10 * 86_400));
    let verifier: Verifier = verifier.build().unwrap();
    let token = setup.token("ada", "1").without("exp").sign();
    let validity = verifier.verify(&token).await.unwrap().validity();
    setup.clock.advance(Duration::from_secs(9 * 86_400));
    goes_on(&validity).await;
    setup.revoke(setup.revocation("1")).await;
    assert_eq!(ends(validity).await, ValidityEnd::Revoked);
}

#[tokio::test]
async fn a_stream_that_ends_by_itself_has_no_last_item() {
    let setup = Setup::new();
    let validity = setup.validity("ada", "1").await;
    let (sender, items) = channel();
    let mut stream = validity.guard_with(items, |end| panic!("{end}"));
    sender.send(1).unwrap();
    drop(sender);
    assert_eq!(stream.size_hint(), (0, None));
    assert_eq!(next(&mut stream).await, Some(1));
    assert_eq!(next(&mut stream).await, None);
    assert_eq!(next(&mut stream).await, None);
    assert_eq!(stream.size_hint(), (0, Some(0)));
    goes_on(&validity).await;
}

#[tokio::test]
async fn a_stream_that_is_always_ready_ends_and_needs_no_last_item() {
    struct Busy;

    impl Stream for Busy {
        type Item = ();

        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> {
            Poll::Ready(Some(()))
        }
    }

    let setup = Setup::new();
    let mut stream: Guarded<Busy> = setup.validity("ada", "1").await.guard(Busy);
    for _ in 0..1000 {
        assert_eq!(next(&mut stream).await, Some(()));
    }
    setup.revoke(setup.revocation("1")).await;
    assert_eq!(next(&mut stream).await, None);
}

/// Counts how often a task is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_revocation_wakes_only_the_streams_that_it_ends() {
    let setup = Setup::new();
    let mut streams = Vec::new();
    for number in 0..1000 {
        let validity = setup.validity(&format!("user {number}"), &number.to_string()).await;
        streams.push((validity, Arc::new(Count::default())));
    }
    for (validity, count) in &mut streams {
        let waker = Waker::from(Arc::clone(count));
        assert!(poll_once(validity, &waker).is_pending());
        assert!(poll_once(validity, &waker).is_pending());
    }
    setup.revoke(setup.revocation("7")).await;
    for (number, (_, count)) in streams.iter().enumerate() {
        assert_eq!(count.0.load(Ordering::SeqCst), usize::from(number == 7), "{number}");
    }
}

#[tokio::test]
async fn a_stream_that_is_dropped_leaves_nothing_behind() {
    let setup = Setup::new();
    let names = || format!("{:?}", setup.list.watchers().unwrap());
    let validity = setup.validity("ada", "1").await;
    let (_sender, items) = channel::<()>();
    let stream = validity.guard(items);
    assert!(names().contains("names: 3") && !stream.is_terminated(), "{}", names());
    drop(validity);
    assert!(names().contains("names: 3"), "{}", names());
    drop(stream);
    assert!(names().contains("names: 0"), "{}", names());
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_tells_nobody_of_its_move_ends_streams_within_30_s() {
    let clock = FixedClock::default();
    let issuer = TestIssuer::new().with_clock(clock.clone());
    let token = issuer.token().expires_in(Duration::from_secs(300)).sign();
    let validity = tokio::spawn(issuer.verifier().verify(&token).await.unwrap().validity());
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(!validity.is_finished(), "its clock stands still");
    let moved = tokio::time::Instant::now();
    clock.set(tower_jwt_auth::clock::Clock::now(&clock) + Duration::from_secs(360));
    assert_eq!(validity.await.unwrap(), ValidityEnd::Expired);
    assert!(moved.elapsed() <= Duration::from_millis(30_010), "{:?}", moved.elapsed());
}

#[test]
fn without_a_timer_a_stream_ends_at_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let setup = Setup::new();
    let end = runtime.block_on(async { setup.validity("ada", "1").await.await });
    assert_eq!(end, ValidityEnd::Unchecked);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_streams_of_a_subject_end_at_once() {
    let setup = Setup::new();
    let mut waiting = tokio::task::JoinSet::new();
    let mut others = Vec::new();
    for number in 0..10_000 {
        waiting.spawn(setup.validity("ada", &number.to_string()).await);
        if number % 100 == 0 {
            others.push(setup.validity("eve", &number.to_string()).await);
        }
    }
    let (issuer, now) = (setup.issuer.issuer(), setup.clock.unix_seconds());
    let revocation = Revocation::session(issuer, "session of ada", now + 300);
    let begin = Instant::now();
    setup.revoke(revocation).await;
    while let Some(end) = waiting.join_next().await {
        assert_eq!(end.unwrap(), ValidityEnd::Revoked);
    }
    println!("10,000 streams have ended in {:?}", begin.elapsed());
    assert!(others.iter().all(|other| other.ended().is_none()));
}
