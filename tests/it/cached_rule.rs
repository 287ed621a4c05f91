//! Rules whose verdicts are kept for a while.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use serde::Deserialize;
use serde_json::json;
use tokio::{sync::Notify, task::JoinSet};
use tower_jwt_auth::{
    Algorithm, Claims, Error, ErrorKind, Verifier,
    verifier::{CachedRule, RuleError},
};

use crate::{
    requests::token,
    support::{FixedClock, NOW, builder, claims_with, key},
};

/// What the rule answers, how often it was called, and whether it waits to be let go.
#[derive(Clone, Default)]
struct Asked {
    calls: Arc<AtomicUsize>,
    answer: Arc<Mutex<&'static str>>,
    door: Option<Arc<Notify>>,
}

impl Asked {
    fn behind_a_door() -> Self {
        Self { door: Some(Arc::default()), ..Self::default() }
    }

    fn answers(&self, answer: &'static str) {
        *self.answer.lock().unwrap() = answer;
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// By subject.
    fn rule(&self) -> CachedRule {
        let asked = self.clone();
        CachedRule::new(
            |user: &Claims| user.subject().map(str::to_owned),
            move |_: Claims| {
                let asked = asked.clone();
                async move {
                    asked.calls.fetch_add(1, Ordering::SeqCst);
                    if let Some(door) = &asked.door {
                        door.notified().await;
                    }
                    let answer = *asked.answer.lock().unwrap();
                    match answer {
                        "refuse" => Err(RuleError::refuse("no")),
                        "forbid" => Err(RuleError::forbidden("no")),
                        "policy" => Err(Error::forbidden("no"))?,
                        "fail" => Err(RuleError::fail("broken")),
                        "unavailable" => Err(std::io::Error::other("no database"))?,
                        "panic" => panic!("a bug in the rule"),
                        _ => Ok(()),
                    }
                }
            },
        )
    }

    fn verifier(&self) -> Verifier {
        builder().cached_rule(self.rule()).build().unwrap()
    }
}

#[tokio::test]
async fn clones_share_their_verdicts_unless_they_are_set() {
    let asked = Asked::default();
    let rule = asked.rule();
    let of = |rule: CachedRule| builder().cached_rule(rule).build().unwrap();
    let verifiers: [Verifier; 3] = [of(rule.clone()), of(rule.clone()), of(rule.clone())];
    let token = token("alice");
    for verifier in &verifiers {
        assert_eq!(status(verifier.verify(&token).await), 200);
    }
    assert_eq!(asked.calls(), 1);
    let others: [Verifier; 2] =
        [of(rule.clone().lifetime(Duration::from_secs(5))), of(rule.max_entries(1))];
    for verifier in &others {
        assert_eq!(status(verifier.verify(&token).await), 200);
    }
    assert_eq!(asked.calls(), 3);
}

fn status(answer: Result<Claims, Error>) -> u16 {
    answer.map_or_else(|error| error.status().as_u16(), |_| 200)
}

#[tokio::test]
async fn a_verdict_is_kept_for_30_seconds_and_an_error_is_not() {
    for (answer, expected, is_kept) in [
        ("", 200, true),
        ("refuse", 401, true),
        ("forbid", 403, true),
        ("policy", 403, true),
        ("fail", 500, false),
        ("unavailable", 503, false),
    ] {
        let (asked, clock) = (Asked::default(), FixedClock::default());
        let verifier: Verifier =
            builder().clock(clock.clone()).cached_rule(asked.rule()).build().unwrap();
        let alice = token("alice");
        let at = |seconds| clock.set(UNIX_EPOCH + Duration::from_secs(NOW + seconds));
        asked.answers(answer);
        assert!(!verifier.verify(&alice).is_ready(), "it is not known yet");
        assert_eq!((status(verifier.verify(&alice).await), asked.calls()), (expected, 1));

        asked.answers(if answer.is_empty() { "refuse" } else { "" });
        let opposite = if answer.is_empty() { 401 } else { 200 };
        at(29);
        if is_kept {
            // A hit is answered at once, whether the token itself is in the cache or not.
            let known = verifier.verify(&alice).now_or_never();
            assert_eq!((status(known.unwrap()), asked.calls()), (expected, 1), "{answer}");
            let other = key(Algorithm::HS256).token(&claims_with(json!({"sub": "alice", "n": 1})));
            assert_eq!(status(verifier.verify(&other).now_or_never().unwrap()), expected);
            // The key is another one.
            assert_eq!(
                (status(verifier.verify(&token("bob")).await), asked.calls()),
                (opposite, 2)
            );
            // A clock that is set back does not prolong it.
            at(0);
            clock.set(UNIX_EPOCH + Duration::from_secs(NOW - 1));
            assert!(!verifier.verify(&alice).is_ready());
            at(30);
            assert_eq!((status(verifier.verify(&alice).await), asked.calls()), (opposite, 3));
        } else {
            assert_eq!(
                (status(verifier.verify(&alice).await), asked.calls()),
                (200, 2),
                "{answer}"
            );
        }
    }
}

#[tokio::test]
async fn the_settings_are_checked_and_count() {
    let rule = || Asked::default().rule();
    for (rule, part) in [
        (rule().lifetime(Duration::from_millis(999)), "from 1 s to 1 h"),
        (rule().lifetime(Duration::from_secs(3601)), "from 1 s to 1 h"),
        (rule().max_entries(0), "at least one verdict"),
    ] {
        let error = builder().cached_rule(rule).build().map(|_: Verifier| ()).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
    let (asked, clock) = (Asked::default(), FixedClock::default());
    let rule = asked.rule().lifetime(Duration::from_secs(2)).max_entries(2);
    let verifier: Verifier = builder().clock(clock.clone()).cached_rule(rule).build().unwrap();
    let is_known = async |user| {
        let before = asked.calls();
        verifier.verify(&token(user)).await.unwrap();
        asked.calls() == before
    };
    assert!(!is_known("a").await && is_known("a").await);
    clock.set(UNIX_EPOCH + Duration::from_secs(NOW + 1));
    assert!(!is_known("b").await && is_known("a").await && is_known("b").await);
    // The oldest makes room.
    assert!(!is_known("c").await && is_known("b").await && is_known("c").await);
    assert!(!is_known("a").await);
    clock.set(UNIX_EPOCH + Duration::from_secs(NOW + 3));
    assert!(!is_known("c").await, "its 2 seconds are over");
}

#[tokio::test]
async fn it_has_its_place_among_the_rules_and_a_type_of_the_application() {
    #[derive(Deserialize)]
    struct User {
        tenant: String,
    }
    let (asked, waits) = (Asked::default(), Asked::default());
    let by_tenant = CachedRule::new(
        |user: &Claims<User>| user.tenant.clone(),
        async |user: Claims<User>| match &*user.tenant {
            "acme" => Ok(()),
            _ => Err(RuleError::forbidden("another tenant")),
        },
    );
    let counts = waits.clone();
    let verifier = builder::<tower_jwt_auth::RegisteredClaims>()
        .cached_rule(asked.rule())
        .claims::<User>()
        .cached_rule(by_tenant)
        .async_rule(move |_: Claims<User>| {
            counts.calls.fetch_add(1, Ordering::SeqCst);
            async { Ok(()) }
        })
        .build()
        .unwrap();
    let of = |tenant: &str| {
        key(Algorithm::HS256).token(&claims_with(json!({"sub": "alice", "tenant": tenant})))
    };
    for n in 1..3 {
        assert!(verifier.verify(&of("acme")).await.is_ok());
        assert_eq!((asked.calls(), waits.calls()), (1, n));
    }
    for _ in 0..2 {
        assert_eq!(verifier.verify(&of("else")).await.unwrap_err().status(), 403);
        assert_eq!((asked.calls(), waits.calls()), (1, 2), "the first refusal ends it");
    }
    assert!(!verifier.verify(&of("acme")).is_ready(), "the last rule waits");
}

/// Lets all tasks run as far as they can.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_call_serves_all_who_wait() {
    for (answer, expected, kept) in [("", 200, true), ("unavailable", 503, false)] {
        let asked = Asked::behind_a_door();
        asked.answers(answer);
        let verifier = asked.verifier();
        let mut waiting = JoinSet::new();
        for _ in 0..50 {
            waiting.spawn(verifier.verify(&token("alice")));
        }
        settle().await;
        assert_eq!(asked.calls(), 1);
        asked.door.as_ref().unwrap().notify_one();
        while let Some(answer) = waiting.join_next().await {
            assert_eq!(status(answer.unwrap()), expected);
        }
        assert_eq!(asked.calls(), 1);
        assert_eq!(verifier.verify(&token("alice")).is_ready(), kept);
    }
}

#[tokio::test]
async fn another_takes_over_where_the_caller_is_dropped_or_panics() {
    let asked = Asked::behind_a_door();
    let (verifier, alice) = (asked.verifier(), token("alice"));
    let mut first = Box::pin(verifier.verify(&alice));
    let mut last = Box::pin(verifier.verify(&alice));
    assert!(futures_pending(&mut first).await);
    let second = tokio::spawn(verifier.verify(&alice));
    settle().await;
    assert!(futures_pending(&mut last).await);
    assert_eq!(asked.calls(), 1);
    drop(first);
    settle().await;
    assert_eq!(asked.calls(), 2);
    asked.answers("panic");
    asked.door.as_ref().unwrap().notify_one();
    assert!(second.await.unwrap_err().is_panic());
    assert!(futures_pending(&mut last).await);
    assert_eq!(asked.calls(), 3);
    // Nobody is left: the next one begins.
    drop(last);
    let next = tokio::spawn(verifier.verify(&alice));
    settle().await;
    assert_eq!(asked.calls(), 4);
    asked.answers("");
    asked.door.as_ref().unwrap().notify_one();
    assert_eq!(status(next.await.unwrap()), 200);
    assert!(verifier.verify(&alice).is_ready());
}

/// Polls it once, and says whether it waits.
async fn futures_pending<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_pending())
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_blocks_the_others_for_5_seconds() {
    let asked = Asked::behind_a_door();
    let (verifier, alice) = (asked.verifier(), token("alice"));
    let mut hangs = Box::pin(verifier.verify(&alice));
    // It is polled once, and then nobody polls it any more.
    assert!(futures_pending(&mut hangs).await);
    let mut waiting = JoinSet::new();
    for _ in 0..10 {
        waiting.spawn(verifier.verify(&alice));
    }
    tokio::time::sleep(Duration::from_millis(4900)).await;
    assert_eq!(asked.calls(), 1);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(asked.calls(), 2, "one of them asks for all");
    // The first is woken first, and does not run; the second call is the one that counts.
    asked.door.as_ref().unwrap().notify_waiters();
    while let Some(answer) = waiting.join_next().await {
        assert_eq!(status(answer.unwrap()), 200);
    }
    assert_eq!(asked.calls(), 2);
    // What is late is not kept: it is older than the verdict that is known.
    asked.answers("refuse");
    assert_eq!(status(hangs.await), 401);
    assert_eq!(status(verifier.verify(&alice).now_or_never().unwrap()), 200);
}

/// The rule's own call may take as long as it wants.
#[tokio::test(start_paused = true)]
async fn a_slow_call_is_not_cut() {
    let rule = CachedRule::new(
        |_: &Claims| (),
        async |_: Claims| {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(())
        },
    );
    let verifier: Verifier = builder().cached_rule(rule).build().unwrap();
    assert!(verifier.verify(&token("alice")).await.is_ok());
    assert!(verifier.verify(&token("bob")).is_ready());
}

/// Without tokio, on threads that race each other.
#[test]
fn threads_without_a_runtime() {
    let asked = Asked::default();
    let verifier = asked.verifier();
    let tokens: Vec<_> = (0..20).map(|n| token(&n.to_string())).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for token in tokens.iter().cycle().take(400) {
                    assert_eq!(status(block_on(verifier.verify(token))), 200);
                }
            });
        }
    });
    assert_eq!(asked.calls(), 20);
}

fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);

    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        if let std::task::Poll::Ready(answer) = future.as_mut().poll(&mut context) {
            return answer;
        }
        std::thread::park();
    }
}

/// A key whose hash panics does no harm to others.
#[tokio::test]
async fn a_key_that_panics() {
    #[derive(Clone, PartialEq, Eq)]
    struct Key(Option<String>);

    impl std::hash::Hash for Key {
        fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
            assert_ne!(self.0.as_deref(), Some("mallory"));
            self.0.hash(state);
        }
    }

    let rule = CachedRule::new(
        |user: &Claims| Key(user.subject().map(str::to_owned)),
        async |_: Claims| Ok(()),
    );
    let verifier: Verifier = builder().cached_rule(rule).build().unwrap();
    for _ in 0..2 {
        let mallory = token("mallory");
        let answer = std::panic::catch_unwind(AssertUnwindSafe(|| verifier.verify(&mallory)));
        assert!(answer.is_err());
        assert!(verifier.verify(&token("alice")).await.is_ok());
        assert!(verifier.verify(&token("alice")).is_ready());
    }
}

#[tokio::test]
async fn a_kept_refusal_has_its_reason() {
    let asked = Asked::default();
    asked.answers("forbid");
    let verifier = asked.verifier();
    for _ in 0..2 {
        let error = verifier.verify(&token("alice")).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Forbidden { .. }));
        assert_eq!(error.to_string(), "the token does not allow this: no");
    }
    assert_eq!(asked.calls(), 1);
}
