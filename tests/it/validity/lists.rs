//! Denylists that do not tell, and those that do not answer.

use std::{future::pending, sync::Arc};

use tokio::time::{Instant, sleep};
use tower_jwt_auth::{
    error::StoreError, maybe_ready::MaybeReady, revocation::TokenIds, testing::TestDenylist,
};

use super::*;

/// A list that does not say when it hears of a revocation.
struct Silent(MemoryDenylist);

impl Denylist for Silent {
    fn revoke(&self, revocation: Revocation) -> MaybeReady<Result<(), StoreError>> {
        self.0.revoke(revocation)
    }

    fn is_revoked(&self, token: TokenIds<'_>) -> MaybeReady<Result<bool, StoreError>> {
        let revoked = self.0.contains(token);
        MaybeReady::pending(async move {
            sleep(Duration::from_millis(5)).await;
            Ok(revoked)
        })
    }
}

/// A list that answers the first question, and no other.
#[derive(Default)]
struct Mute(std::sync::atomic::AtomicBool);

impl Denylist for Mute {
    fn revoke(&self, _: Revocation) -> MaybeReady<Result<(), StoreError>> {
        MaybeReady::Ready(Ok(()))
    }

    fn is_revoked(&self, _: TokenIds<'_>) -> MaybeReady<Result<bool, StoreError>> {
        match self.0.swap(true, std::sync::atomic::Ordering::SeqCst) {
            true => MaybeReady::pending(pending()),
            false => MaybeReady::Ready(Ok(false)),
        }
    }
}

fn verifier(setup: &Setup, list: impl Denylist) -> Verifier {
    setup.issuer.verifier_builder().denylist(list).build().unwrap()
}

/// The validity of a token of ten days, by another verifier.
async fn validity_by(setup: &Setup, verifier: &Verifier) -> Validity {
    let token = setup.token("ada", "1").expires_in(Duration::from_secs(864_000));
    verifier.verify(&token.sign()).await.unwrap().validity()
}

#[tokio::test(start_paused = true)]
async fn s01_a_list_that_does_not_tell_is_asked_within_30_s() {
    let setup = Setup::new();
    let list = Arc::new(Silent(setup.list.clone()));
    let verifier = verifier(&setup, Arc::clone(&list));
    for begun in [0, 7, 100] {
        let validity = tokio::spawn(validity_by(&setup, &verifier).await);
        sleep(Duration::from_secs(begun)).await;
        assert!(!validity.is_finished());
        let revoked = Instant::now();
        list.revoke(setup.revocation("1")).await.unwrap();
        assert_eq!(validity.await.unwrap(), ValidityEnd::Revoked);
        assert!(revoked.elapsed() <= Duration::from_millis(30_010), "{:?}", revoked.elapsed());
        setup.clock.advance(Duration::from_secs(2 * 3600));
        // It is over, and the list forgets it with the next one.
        setup.list.insert(setup.revocation("other")).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn s01_a_stream_that_nobody_can_check_ends_after_60_s() {
    let setup = Setup::new();
    let list = TestDenylist::around(setup.list.clone());
    let verifier = verifier(&setup, list.clone());
    let validity = tokio::spawn(validity_by(&setup, &verifier).await);
    sleep(Duration::from_secs(3600)).await;
    assert!(!validity.is_finished());
    let failed = Instant::now();
    list.fail();
    assert_eq!(validity.await.unwrap(), ValidityEnd::Unchecked);
    let took = failed.elapsed().as_secs();
    // The last answer was up to 30 s before.
    assert!((30..=65).contains(&took), "{took}");

    // For half a minute, nobody notices.
    list.recover();
    let validity = tokio::spawn(validity_by(&setup, &verifier).await);
    for _ in 0..20 {
        sleep(Duration::from_secs(35)).await;
        list.fail();
        sleep(Duration::from_secs(29)).await;
        list.recover();
    }
    assert!(!validity.is_finished());

    // What is told ends a stream, whether the list answers or not.
    list.fail();
    setup.revoke(setup.revocation("1")).await;
    assert_eq!(ends(async { validity.await.unwrap() }).await, ValidityEnd::Revoked);
}

#[tokio::test(start_paused = true)]
async fn s01_a_list_that_never_answers_has_not_answered() {
    let setup = Setup::new();
    let verifier = verifier(&setup, Mute::default());
    let validity = validity_by(&setup, &verifier).await;
    let begin = Instant::now();
    assert_eq!(validity.await, ValidityEnd::Unchecked);
    assert!((60..=65).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn s01_a_verifier_that_fails_open_continues() {
    let setup = Setup::new();
    let list = TestDenylist::around(setup.list.clone());
    let builder = setup.issuer.verifier_builder().denylist(list.clone()).dangerous().fail_open();
    let verifier = builder.build().unwrap();
    let validity = tokio::spawn(validity_by(&setup, &verifier).await);
    list.fail();
    sleep(Duration::from_secs(3600)).await;
    assert!(!validity.is_finished());
    setup.clock.advance(Duration::from_secs(864_060));
    assert_eq!(ends(async { validity.await.unwrap() }).await, ValidityEnd::Expired);
}

#[tokio::test(start_paused = true)]
async fn streams_are_not_looked_at_all_at_once() {
    let setup = Setup::new();
    let list = TestDenylist::around(setup.list.clone());
    let verifier = verifier(&setup, list.clone());
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..100 {
        waiting.spawn(validity_by(&setup, &verifier).await);
    }
    sleep(Duration::from_secs(1)).await;
    let first = list.calls();
    let mut most = 0;
    for _ in 0..30 {
        let before = list.calls();
        sleep(Duration::from_secs(1)).await;
        most = most.max(list.calls() - before);
    }
    assert!(list.calls() >= first + 100, "each is looked at within 30 s");
    assert!(most < 40, "{most} of 100 in one second");
}

/// A list that answers each question a moment later, and counts them.
#[derive(Default)]
struct Late {
    questions: std::sync::atomic::AtomicU32,
    fails: bool,
}

impl Denylist for Late {
    fn revoke(&self, _: Revocation) -> MaybeReady<Result<(), StoreError>> {
        MaybeReady::Ready(Ok(()))
    }

    fn is_revoked(&self, _: TokenIds<'_>) -> MaybeReady<Result<bool, StoreError>> {
        // The first one is that of the request.
        let first = self.questions.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        let answer = if self.fails && !first { Err(StoreError::new("away")) } else { Ok(false) };
        MaybeReady::pending(async move {
            sleep(Duration::from_millis(20)).await;
            answer
        })
    }
}

#[tokio::test(start_paused = true)]
async fn s01_a_list_that_answers_late_is_asked_no_more_often() {
    let (setup, list) = (Setup::new(), Arc::new(Late::default()));
    let questions = || list.questions.load(std::sync::atomic::Ordering::SeqCst);
    let verifier = verifier(&setup, Arc::clone(&list));
    let validity = tokio::spawn(validity_by(&setup, &verifier).await);
    sleep(Duration::from_secs(600)).await;
    assert!(!validity.is_finished());
    assert!((20..=43).contains(&questions()), "{}", questions());
}

#[tokio::test(start_paused = true)]
async fn s01_an_error_that_comes_late_has_the_list_asked_again_after_5_s() {
    let (setup, list) = (Setup::new(), Arc::new(Late { fails: true, ..Late::default() }));
    let questions = || list.questions.load(std::sync::atomic::Ordering::SeqCst);
    let verifier = verifier(&setup, Arc::clone(&list));
    let validity = tokio::spawn(validity_by(&setup, &verifier).await);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(questions(), 2);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(questions(), 3);
    assert_eq!(validity.await.unwrap(), ValidityEnd::Unchecked);
    assert!((12..=15).contains(&questions()), "{}", questions());
}
