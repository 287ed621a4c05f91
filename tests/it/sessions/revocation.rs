//! Access tokens that are refused before their time is over: v01 and v02.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, Verifier,
    error::{ConfigError, ErrorKind, StoreError},
    issue::{Grant, SigningKey, TokenIssuerBuilder},
    maybe_ready::MaybeReady,
    refresh::{Login, MemoryRefreshStore, RefreshTokens},
    revocation::{Denylist, MemoryDenylist, Revocation, TokenIds},
    sessions::Sessions,
    verifier::RuleError,
};

use super::{
    issuer,
    refresh::{sessions, status},
    set,
};
use crate::support::{AUDIENCE, FixedClock, ISSUER, NOW, claims_with, key, trusting};

#[tokio::test]
async fn v01_what_is_revoked_is_refused_at_once() {
    let clock = FixedClock::default();
    let sessions = sessions(&clock);
    let mine = sessions.open(Login::new("ada")).await.unwrap();
    let other = sessions.open(Login::new("ada")).await.unwrap();
    let (mine, other) = (mine.access(), other.access());
    assert_eq!(status(&sessions, mine.as_str()).await, 200);
    sessions.end(sessions.list("ada").await.unwrap()[0].id()).await.unwrap();
    let both = [status(&sessions, mine.as_str()).await, status(&sessions, other.as_str()).await];
    assert!(both == [200, 401] || both == [401, 200], "{both:?}");
    sessions.end_all("ada").await.unwrap();
    assert_eq!(status(&sessions, mine.as_str()).await, 401);
    assert_eq!(status(&sessions, other.as_str()).await, 401);
    let again = sessions.open(Login::new("ada")).await.unwrap();
    assert_eq!(status(&sessions, again.access().as_str()).await, 200, "in the same second");
}

fn now() -> i64 {
    i64::try_from(NOW).unwrap()
}

/// A list that nobody can reach: it fails at once, or after a while.
struct Down(bool);

impl Down {
    fn answer<T: Send + Unpin + 'static>(&self) -> MaybeReady<Result<T, StoreError>> {
        let refused = || Err(StoreError::new("hunter2"));
        match self.0 {
            true => MaybeReady::Ready(refused()),
            false => MaybeReady::pending(async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                refused()
            }),
        }
    }
}

impl Denylist for Down {
    fn revoke(&self, _: Revocation) -> MaybeReady<Result<(), StoreError>> {
        self.answer()
    }

    fn is_revoked(&self, _: TokenIds<'_>) -> MaybeReady<Result<bool, StoreError>> {
        self.answer()
    }
}

#[tokio::test]
async fn v02_nobody_passes_while_the_list_cannot_be_asked() {
    let clock = FixedClock::default();
    let issuer = issuer(&clock).build().unwrap();
    let token = issuer.issue(Grant::new("ada")).unwrap();
    for at_once in [true, false] {
        for (open, status) in [(false, 503), (true, 200)] {
            let keys = issuer.key_source();
            let builder = Verifier::builder().audience(AUDIENCE).keys(keys);
            let mut builder = builder.clock(clock.clone()).denylist(Down(at_once));
            if open {
                builder = builder.dangerous().fail_open();
            }
            let inner = service_fn(|_: Request<String>| async {
                Ok::<_, Infallible>(Response::new(String::new()))
            });
            let service = JwtAuthLayer::new(builder.build().unwrap()).layer(inner);
            let request = Request::get("/")
                .header("authorization", format!("Bearer {}", token.as_str()))
                .body(String::new());
            let answer = service.clone().oneshot(request.unwrap()).await.unwrap();
            assert_eq!(answer.status(), status);
            assert_eq!(answer.headers().contains_key("retry-after"), status == 503);
            assert!(!answer.body().contains("hunter2"));
            // What is wrong with the token itself is said all the same.
            let bad = Request::get("/").header("authorization", "Bearer a.b.c");
            let answer = service.oneshot(bad.body(String::new()).unwrap()).await.unwrap();
            assert_eq!(answer.status(), 401);
        }
    }
    // Who cannot be logged out is told so.
    assert!(Down(false).revoke(Revocation::token(ISSUER, "one", 0)).await.is_err());
}

#[tokio::test]
async fn v07_a_session_that_the_cap_ends_has_no_token_left() {
    let clock = FixedClock::default();
    let refresh = RefreshTokens::builder(MemoryRefreshStore::new()).clock(clock.clone());
    let refresh = refresh.max_sessions(2).build().unwrap();
    let issuer = issuer(&clock).build().unwrap();
    let sessions = Sessions::builder(issuer).refresh_tokens(refresh).build().unwrap();
    // All in one second: a revocation of the subject does not tell them apart.
    let mut opened = Vec::new();
    for _ in 0..4 {
        opened.push(sessions.open(Login::new("ada")).await.unwrap());
    }
    let left = sessions.list("ada").await.unwrap();
    assert_eq!(left.len(), 2);
    for opened in &opened {
        let there = left.iter().any(|session| session.id() == opened.session().id());
        let expected = if there { 200 } else { 401 };
        assert_eq!(status(&sessions, opened.access().as_str()).await, expected);
    }
    assert_eq!(status(&sessions, opened[3].access().as_str()).await, 200, "the new one stays");
    sessions.end_all("ada").await.unwrap();
    for opened in &opened {
        assert_eq!(status(&sessions, opened.access().as_str()).await, 401);
    }
}

#[tokio::test]
async fn v07_a_login_that_is_refused_ends_no_other_session() {
    let clock = FixedClock::default();
    let refresh = RefreshTokens::builder(MemoryRefreshStore::new()).clock(clock.clone());
    let refresh = refresh.max_sessions(1).build().unwrap();
    let builder = Sessions::builder(issuer(&clock).build().unwrap()).refresh_tokens(refresh);
    let asked = Arc::new(AtomicUsize::new(0));
    let sessions = builder.grant(move |session| {
        let is_refused = asked.fetch_add(1, Ordering::Relaxed) == 1;
        async move {
            if is_refused {
                tokio::task::yield_now().await;
                return Err(RuleError::refuse("no"));
            }
            Ok(Grant::of_session(&session))
        }
    });
    let sessions = sessions.build().unwrap();
    let first = sessions.open(Login::new("ada")).await.unwrap();
    // Also where another one succeeds while this one is being refused.
    let mut refused = Box::pin(sessions.open(Login::new("ada")));
    let pending = std::future::poll_fn(|context| Poll::Ready(refused.as_mut().poll(context)));
    assert!(pending.await.is_pending());
    let ids = async || {
        let sessions = sessions.list("ada").await.unwrap();
        sessions.into_iter().map(|session| session.id().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids().await, [first.session().id()]);
    let second = sessions.open(Login::new("ada")).await.unwrap();
    let error = refused.await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Rule { .. }), "{error:?}");
    assert_eq!(ids().await, [second.session().id()]);
    assert_eq!(status(&sessions, second.access().as_str()).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn v07_the_cap_holds_under_many_logins_at_once() {
    let builder = RefreshTokens::builder(MemoryRefreshStore::new()).max_sessions(10);
    let refresh = builder.build().unwrap();
    let tasks: Vec<_> = (0..400)
        .map(|_| {
            let refresh = refresh.clone();
            tokio::spawn(async move { refresh.open(Login::new("ada")).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(refresh.list("ada").await.unwrap().len(), 10);
}

#[tokio::test]
async fn v07_a_logout_holds_for_tokens_of_a_longer_lifetime() {
    let minutes = |minutes| Duration::from_secs(60 * minutes);
    // Up to an hour, nobody need say what the lifetime was.
    for (before, longest) in [(60, None), (240, Some(240))] {
        let clock = FixedClock::default();
        let key = SigningKey::generate(Algorithm::ES256).unwrap();
        let made = |builder: TokenIssuerBuilder| builder.key(key.clone()).build().unwrap();
        let old = made(issuer(&clock).any_lifetime(minutes(before)));
        let new = issuer(&clock).lifetime(minutes(5));
        let new = made(match longest {
            Some(longest) => new.earlier_lifetime(minutes(longest)),
            None => new,
        });
        assert_eq!(new.last_expiry(), now() + 60 * i64::try_from(before).unwrap());
        let list =
            MemoryDenylist::builder().max_revocations(100).clock(clock.clone()).build().unwrap();
        let sessions = Sessions::builder(new).denylist(list.clone()).build().unwrap();
        let [by_session, by_subject, other] = ["one", "two", "three"].map(|session| {
            let subject = if session == "two" { "grace" } else { "ada" };
            old.issue(Grant::new(subject).session_id(session)).unwrap()
        });
        set(&clock, 10);
        sessions.end("one").await.unwrap();
        sessions.end_all("grace").await.unwrap();
        // What is over would leave the list with these.
        set(&clock, before * 60 - 1);
        for number in 0..90 {
            let until = now() + 100_000;
            list.insert(Revocation::token(ISSUER, &number.to_string(), until)).unwrap();
        }
        for (token, expected) in [(&by_session, 401), (&by_subject, 401), (&other, 200)] {
            assert_eq!(status(&sessions, token.as_str()).await, expected, "{before}");
        }
    }
}

#[tokio::test]
async fn a_builder_takes_one_denylist_with_room_for_something() {
    let sessions = Sessions::builder(issuer(&FixedClock::default()).build().unwrap());
    let builder = sessions.build().unwrap().verifier_builder();
    // It would replace the list of the sessions, and no logout would hold any more.
    let error = builder.denylist(MemoryDenylist::new()).build().unwrap_err();
    assert!(matches!(error, ConfigError::Conflict(_)), "{error}");
    for none in [MemoryDenylist::builder().max_revocations(0).build().err(), {
        MemoryRefreshStore::builder().max_sessions(0).build().err()
    }] {
        assert!(matches!(none, Some(ConfigError::OutOfRange(_))), "{none:?}");
    }
}

#[tokio::test]
async fn v08_a_key_that_is_retired_is_refused_though_nothing_was_issued_since() {
    let clock = FixedClock::default();
    let builder = issuer(&clock).publish_ahead(Duration::from_secs(100));
    let issuer = builder.lifetime(Duration::from_secs(600)).build().unwrap();
    // An hour is the leeway of a verifier that is told so: only the key decides.
    let builder = Verifier::builder().audience(AUDIENCE);
    let builder = builder.keys(issuer.key_source()).clock(clock.clone());
    let verifier = builder.dangerous().any_leeway(Duration::from_secs(3600)).build().unwrap();
    let old = issuer.issue(Grant::new("ada")).unwrap();
    let taken = async || {
        verifier.verify(old.as_str()).await.map(drop).map_err(|error| error.kind().clone())
    };
    issuer.rotate(SigningKey::generate(Algorithm::ES256).unwrap()).unwrap();
    // Ahead, lifetime, and 300 s for clocks that differ; also where the token is known.
    set(&clock, 100 + 600 + 300 - 1);
    assert_eq!((taken().await, taken().await), (Ok(()), Ok(())));
    set(&clock, 100 + 600 + 300);
    assert_eq!(taken().await, Err(ErrorKind::UnknownKey));
    // Two that retire one after the other.
    let next = issuer.issue(Grant::new("ada")).unwrap();
    issuer.rotate(SigningKey::generate(Algorithm::ES256).unwrap()).unwrap();
    let taken = async || verifier.verify(next.as_str()).await.is_ok();
    set(&clock, 2 * 1000 - 1);
    assert!(taken().await);
    set(&clock, 2 * 1000);
    assert!(!taken().await);
    assert!(verifier.verify(issuer.issue(Grant::new("ada")).unwrap().as_str()).await.is_ok());
}

#[tokio::test]
async fn an_empty_id_is_the_id_of_nothing() {
    let es = key(Algorithm::ES256);
    let list =
        MemoryDenylist::builder().max_revocations(10).clock(FixedClock::default()).build().unwrap();
    let builder = || trusting(es.key()).denylist(list.clone());
    let strict: Verifier = builder().build().unwrap();
    let loose: Verifier = builder().without_token_id().build().unwrap();
    for revocation in [
        Revocation::token(ISSUER, "", now() + 900),
        Revocation::session(ISSUER, "", now() + 900),
        Revocation::subject(ISSUER, "", now(), now() + 900),
    ] {
        list.insert(revocation).unwrap();
    }
    let token = es.token(&claims_with(serde_json::json!({"jti": "", "sid": ""})));
    let error = strict.verify(&token).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::MissingClaim("jti".into()));
    // Nobody has revoked all tokens without an id by the one of another.
    let claims = loose.verify(&token).await.unwrap();
    assert_eq!((claims.registered().token_id(), claims.registered().session_id()), (None, None));
}

#[tokio::test]
async fn an_access_token_ends_with_the_idle_session() {
    let clock = FixedClock::default();
    let refresh = RefreshTokens::builder(MemoryRefreshStore::new()).clock(clock.clone());
    let refresh = refresh.idle_lifetime(Duration::from_secs(120));
    let refresh = refresh.absolute_lifetime(Duration::from_secs(300)).build().unwrap();
    let issuer = issuer(&clock).build().unwrap();
    let sessions = Sessions::builder(issuer).refresh_tokens(refresh).build().unwrap();
    let opened = sessions.open(Login::new("ada")).await.unwrap();
    assert_eq!(opened.access().expires_at(), now() + 120);
    set(&clock, 100);
    let next = sessions.refresh(opened.refresh()).await.unwrap();
    assert_eq!(next.access().expires_at(), now() + 220);
    // Once more within the grace: the session does not end later for it.
    set(&clock, 105);
    let again = sessions.refresh(opened.refresh()).await.unwrap();
    assert_eq!(again.access().expires_at(), now() + 220);
    set(&clock, 210);
    let last = sessions.refresh(next.refresh()).await.unwrap();
    assert_eq!(last.access().expires_at(), now() + 300, "the session ends then in any case");
}

/// A list that cannot be written to while it is told so.
#[derive(Clone)]
struct Stubborn(MemoryDenylist, std::sync::Arc<std::sync::atomic::AtomicUsize>);

impl Denylist for Stubborn {
    fn revoke(&self, revocation: Revocation) -> MaybeReady<Result<(), StoreError>> {
        use std::sync::atomic::Ordering::SeqCst;
        if self.1.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok() {
            return MaybeReady::Ready(Err(StoreError::new("no answer")));
        }
        self.0.revoke(revocation)
    }

    fn is_revoked(&self, token: TokenIds<'_>) -> MaybeReady<Result<bool, StoreError>> {
        self.0.is_revoked(token)
    }
}

#[tokio::test]
async fn v07_one_revocation_that_fails_keeps_no_other_from_being_made() {
    let clock = FixedClock::default();
    let list = Stubborn(
        MemoryDenylist::builder().max_revocations(100).clock(clock.clone()).build().unwrap(),
        std::sync::Arc::default(),
    );
    let store = MemoryRefreshStore::new();
    let sessions = |most| {
        let refresh = RefreshTokens::builder(store.clone()).clock(clock.clone());
        let refresh = refresh.max_sessions(most).build().unwrap();
        let builder = Sessions::builder(issuer(&clock).build().unwrap()).refresh_tokens(refresh);
        builder.denylist(list.clone()).build().unwrap()
    };
    // A cap that was made smaller ends several at once.
    let (roomy, tight) = (sessions(10), sessions(1));
    let mut opened = Vec::new();
    for _ in 0..3 {
        opened.push(roomy.open(Login::new("ada")).await.unwrap());
    }
    list.1.store(1, std::sync::atomic::Ordering::SeqCst);
    assert!(tight.open(Login::new("ada")).await.is_err());
    let mut revoked = 0;
    for opened in &opened {
        revoked += usize::from(status(&roomy, opened.access().as_str()).await == 401);
    }
    assert_eq!(revoked, 2, "all but the one that failed");
    assert!(roomy.list("ada").await.unwrap().is_empty(), "nor is the new one there");
}
