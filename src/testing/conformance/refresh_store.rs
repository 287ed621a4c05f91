//! The suite for stores of refresh tokens.

use std::{ops::Range, slice, sync::Arc, time::Duration};

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::Barrier,
};

use super::model;
use crate::{
    claims::Confirmation,
    digest::Thumbprint,
    error::ErrorKind,
    refresh::{Login, RefreshStore, RefreshTokens, Session, TokenStatus},
    testing::clock::TestClock,
};

/// Tests a [`RefreshStore`]. `make` makes an empty store for each part, about 60 in all. It gets the
/// clock of the suite: give it to a store that takes the time from a clock.
///
/// It checks that
///
/// 1. a session is stored, read, listed and ended as it was given, whatever its texts are, and the
///    sessions of one subject are not those of another;
/// 2. an id is not taken twice;
/// 3. a rotation gives what [`Family::rotate`](crate::refresh::Family::rotate) says: a successor,
///    the same one within the grace, or the end of the session;
/// 4. of a hundred rotations of one token at once, one wins, and all get the same successor;
/// 5. the lifetimes of a login are kept over rotations;
/// 6. the time, the `acr` and the `amr` of a login are kept over rotations, and replaced by a step-up,
///    whose spent token gives no successor;
/// 7. a session that is bound to a key or to a certificate is rotated only for a client that has proven
///    to have it, and stays as it is otherwise;
/// 8. of twenty logins at once with a cap of three sessions, three sessions remain;
/// 9. random sequences of logins, rotations, ends and pauses show what a model of the rules shows.
///    The sequences are the same each time.
///
/// A store that takes the time of a rotation from its database cannot follow the clock of the suite
/// by itself: wrap it for the test, and set the time of the database.
///
/// # Example: a store of your own
/// ```
/// use tower_jwt_auth::{refresh::MemoryRefreshStore, testing::conformance};
///
/// // With tokio's macros: #[tokio::test(flavor = "multi_thread")]
/// # #[tokio::main(flavor = "multi_thread", worker_threads = 2)]
/// # async fn main() {
/// conformance::refresh_store(async |_| MemoryRefreshStore::new()).await;
/// # }
/// ```
///
/// # Panics
///
/// The store does something else; the message says what. For 9, the sequence is written to the
/// standard error. Or the runtime has only one thread: then 4 and 8 would be no test.
pub async fn refresh_store<S: RefreshStore>(make: impl AsyncFn(TestClock) -> S) {
    let is_parallel = Handle::current().runtime_flavor() != RuntimeFlavor::CurrentThread;
    assert!(is_parallel, "use `#[tokio::test(flavor = \"multi_thread\")]`: one thread is no race");
    let made = async || {
        let clock = TestClock::new();
        (make(clock.clone()).await, clock)
    };
    let (store, clock) = made().await;
    fields(store, clock).await;
    let (store, clock) = made().await;
    ids(store, clock).await;
    for _ in 0..4 {
        let (store, clock) = made().await;
        race(store, clock).await;
    }
    let (store, clock) = made().await;
    lifetimes(store, clock).await;
    let (store, clock) = made().await;
    logins(store, clock).await;
    let (store, clock) = made().await;
    bound(store, clock).await;
    let (store, clock) = made().await;
    cap(store, clock).await;
    refresh_store_cases(0..48, make).await;
}

/// Part 9 of [`refresh_store`] with sequences of these numbers, each with a store of its own. The
/// suite has those from 0 to 47. Use it to repeat one that has failed, or to run more of them.
///
/// # Panics
///
/// The store does something else than the model; the message says what, and the sequence is written
/// to the standard error.
pub async fn refresh_store_cases<S: RefreshStore>(
    cases: Range<u64>,
    make: impl AsyncFn(TestClock) -> S,
) {
    for case in cases {
        let clock = TestClock::new();
        model::run(case, make(clock.clone()).await, clock).await;
    }
}

async fn fields(store: impl RefreshStore, clock: TestClock) {
    let store = Arc::new(store);
    let tokens = model::tokens(Arc::clone(&store), &clock);
    let odd = "a 'b' \"c\" %_*?[x]{y}\\z:\u{fc}\u{1f600};--";
    let long = "x".repeat(1000);
    let subjects = ["ada", "Ada", "ad", "a%", "a*", odd, &long];
    let mut opened = Vec::new();
    for subject in subjects {
        let login = Login::new(subject).client_id(odd).scope("a b").label(odd);
        let session = tokens.open(login).await.unwrap().session().clone();
        assert_eq!((session.client_id(), session.scope()), (Some(odd), Some("a b")));
        opened.push(session);
    }
    let now = clock.unix_seconds();
    for session in &opened {
        let listed = store.list(session.subject(), now).await.unwrap();
        assert_eq!(listed, slice::from_ref(session), "the list of `{}`", session.subject());
        let family = store.get(session.id(), now).await.unwrap().expect("it was opened");
        assert_eq!(family.session(), session, "as it was read");
    }
    let (first, rest) = opened.split_first().expect("there are several");
    assert_eq!(store.end(first.id()).await.unwrap().as_ref(), Some(first), "as it was ended");
    for session in rest {
        let ended = store.end_all(session.subject()).await.unwrap();
        assert_eq!(ended, slice::from_ref(session), "the end of all of `{}`", session.subject());
    }
    for session in &opened {
        assert_eq!(store.get(session.id(), now).await.unwrap(), None, "it has ended");
        assert!(store.list(session.subject(), now).await.unwrap().is_empty(), "it has ended");
    }
}

async fn ids(store: impl RefreshStore, clock: TestClock) {
    let store = Arc::new(store);
    let tokens = model::tokens(Arc::clone(&store), &clock);
    let opened = tokens.open(Login::new("ada")).await.unwrap();
    let (id, now) = (opened.session().id().to_owned(), clock.unix_seconds());
    let family = store.get(&id, now).await.unwrap().expect("it was opened");
    assert_eq!(family.session().id(), id);
    let again = store.create(family.clone(), now).await;
    assert!(again.is_err(), "`create` took the id of a session that is there");
    assert_eq!(store.get(&id, now).await.unwrap(), Some(family), "`create` failed, and changed it");
    assert_eq!(store.get("another", now).await.unwrap(), None);
    assert_eq!(store.end("another").await.unwrap(), None);
    assert!(store.end(&id).await.unwrap().is_some());
    assert_eq!(store.end(&id).await.unwrap(), None, "it was ended before");
    assert_eq!(store.get(&id, now).await.unwrap(), None);
}

/// One token a hundred times at once: one successor, and one live token.
async fn race(store: impl RefreshStore, clock: TestClock) {
    let tokens = model::tokens(store, &clock);
    let first = tokens.open(Login::new("ada")).await.unwrap();
    let barrier = Arc::new(Barrier::new(100));
    let all = (0..100).map(|_| {
        let (tokens, barrier) = (tokens.clone(), Arc::clone(&barrier));
        let token = first.token().as_str().to_owned();
        tokio::spawn(async move {
            barrier.wait().await;
            let opened = tokens.rotate(&token).await.unwrap();
            (opened.token().as_str().to_owned(), opened.is_repeated())
        })
    });
    let mut given = Vec::new();
    for one in all.collect::<Vec<_>>() {
        given.push(one.await.unwrap());
    }
    let won = given.iter().filter(|(_, repeated)| !repeated).count();
    assert_eq!(won, 1, "of a hundred rotations at once, one wins");
    assert!(given.iter().all(|(token, _)| *token == given[0].0), "all get the same successor");
    // Used, it is spent, and with it all that came before.
    let last = tokens.rotate(&given[0].0).await.unwrap();
    assert!(!last.is_repeated());
    let standing = tokens.token_status(first.token().as_str()).await.unwrap();
    assert!(matches!(standing, TokenStatus::Spent(_)), "{standing:?}");
}

/// A store keeps what a login says of its end, over rotations.
async fn lifetimes(store: impl RefreshStore, clock: TestClock) {
    let (store, seconds, begin) = (Arc::new(store), Duration::from_secs, clock.unix_seconds());
    let tokens = RefreshTokens::builder(Arc::clone(&store))
        .idle_lifetime(seconds(1000))
        .browser_idle_lifetime(seconds(100))
        .absolute_lifetime(seconds(3000))
        .grace(seconds(0))
        .clock(clock.clone())
        .build()
        .unwrap();
    let login = Login::new("ada").until_browser_closes().lifetime(seconds(250));
    let mut short = tokens.open(login).await.unwrap();
    let mut usual = tokens.open(Login::new("grace")).await.unwrap();
    for (pause, now) in [(90, 90), (90, 180), (60, 240)] {
        clock.advance(seconds(pause));
        short = tokens.rotate(short.token().as_str()).await.unwrap();
        usual = tokens.rotate(usual.token().as_str()).await.unwrap();
        for (session, ends) in
            [(short.session(), (now + 100).min(250)), (usual.session(), now + 1000)]
        {
            assert_eq!(session.expires_at(), begin + ends, "the end of {}", session.subject());
            let family = store.get(session.id(), begin + now).await.unwrap().unwrap();
            assert_eq!(family.session(), session, "as it is stored");
            let listed = tokens.list(session.subject()).await.unwrap();
            assert_eq!(listed, slice::from_ref(session));
        }
        assert!(short.session().ends_with_browser());
        assert!(!usual.session().ends_with_browser());
    }
    clock.advance(seconds(10));
    let over = tokens.rotate(short.token().as_str()).await;
    assert!(over.is_err(), "the lifetime of the login is over");
    let idle = tokens.open(Login::new("ada").until_browser_closes()).await.unwrap();
    clock.advance(seconds(100));
    assert!(tokens.rotate(idle.token().as_str()).await.is_err(), "it was idle for too long");
    assert!(tokens.rotate(usual.token().as_str()).await.is_ok());
}

/// A login stays what it was, until there is another one.
async fn logins(store: impl RefreshStore, clock: TestClock) {
    let store = Arc::new(store);
    let tokens = model::tokens(Arc::clone(&store), &clock);
    let begin = clock.unix_seconds();
    let stored = async |session: &Session| {
        let now = clock.unix_seconds();
        let family = store.get(session.id(), now).await.unwrap().expect("it was opened");
        assert_eq!(family.session(), session, "as it was read");
        let listed = store.list(session.subject(), now).await.unwrap();
        assert_eq!(listed, slice::from_ref(session), "as it was listed");
    };
    let odd = "a 'b' \"c\" \\ \u{fc}";
    let login = Login::new("ada").acr(odd).amr(["pwd", odd]).auth_time(begin - 50);
    let mut opened = tokens.open(login).await.unwrap();
    let plain = tokens.open(Login::new("grace")).await.unwrap();
    for _ in 0..2 {
        clock.advance(Duration::from_secs(20));
        opened = tokens.rotate(opened.token().as_str()).await.unwrap();
        let session = opened.session();
        assert_eq!((session.auth_time(), session.acr()), (begin - 50, Some(odd)));
        assert_eq!(session.amr(), ["pwd", odd]);
        stored(session).await;
    }
    let now = clock.unix_seconds();
    let login = Login::new("ada").acr("mfa").amr(["otp"]).authentication(now);
    let stepped = tokens.step_up(opened.token().as_str(), login, None).await.unwrap();
    let session = stepped.session();
    assert_eq!(session.id(), opened.session().id());
    assert_eq!((session.auth_time(), session.acr()), (now, Some("mfa")));
    assert_eq!(session.amr(), ["otp"]);
    assert_eq!(session.absolute_expires_at(), opened.session().absolute_expires_at());
    stored(session).await;
    // The spent token gives nothing, and ends nothing while a browser may not know better.
    let refused = tokens.rotate(opened.token().as_str()).await.unwrap_err();
    let again = Login::new("ada").authentication(now);
    let also = tokens.step_up(opened.token().as_str(), again, None).await.unwrap_err();
    for error in [refused, also] {
        assert!(matches!(error.kind(), ErrorKind::Unavailable { .. }), "{error}");
    }
    clock.advance(Duration::from_secs(5));
    let next = tokens.rotate(stepped.token().as_str()).await.unwrap();
    assert_eq!((next.session().auth_time(), next.session().acr()), (now, Some("mfa")));
    stored(next.session()).await;
    // A step-up with a token that was rotated a moment ago spends its successor, too.
    let login = Login::new("ada").authentication(now + 5);
    let last = tokens.step_up(stepped.token().as_str(), login, None).await.unwrap();
    assert_eq!((last.session().auth_time(), last.session().acr()), (now + 5, None));
    stored(last.session()).await;
    let taken = tokens.rotate(next.token().as_str()).await.unwrap_err();
    assert!(matches!(taken.kind(), ErrorKind::Unavailable { .. }), "{taken}");
    clock.advance(Duration::from_secs(model::GRACE));
    let reused = tokens.rotate(next.token().as_str()).await.unwrap_err();
    assert!(matches!(reused.kind(), ErrorKind::RefreshTokenReused { .. }), "{reused}");
    // Without a word of the login, it was when the session was opened.
    let plain = tokens.rotate(plain.token().as_str()).await.unwrap();
    assert_eq!((plain.session().auth_time(), plain.session().acr()), (begin, None));
    assert!(plain.session().amr().is_empty());
}

/// Only a client that has the key and the certificate of a session refreshes it.
async fn bound(store: impl RefreshStore, clock: TestClock) {
    let store = Arc::new(store);
    let tokens = model::tokens(Arc::clone(&store), &clock);
    let (key, certificate, other) = ([1; 32].into(), [2; 32].into(), Thumbprint::from([3; 32]));
    let by = |jkt, x5t| Confirmation::new(jkt, x5t);
    for (jkt, x5t) in [(Some(key), None), (None, Some(certificate)), (Some(key), Some(certificate))]
    {
        let login = Login::new("ada");
        let login = jkt.into_iter().fold(login, Login::jkt);
        let login = x5t.into_iter().fold(login, Login::x5t_s256);
        let opened = tokens.open(login).await.unwrap();
        let (id, text) = (opened.session().id().to_owned(), opened.token().as_str().to_owned());
        let next = tokens.rotate_proven(&text, by(jkt, x5t)).await.unwrap();
        assert_eq!((next.session().jkt(), next.session().x5t_s256()), (jkt, x5t));
        clock.advance(Duration::from_secs(model::GRACE));
        let family = store.get(&id, clock.unix_seconds()).await.unwrap();
        // The spent token and the live one, from a client that has something else, or less.
        let mut wrong = vec![None, by(Some(other), Some(other)), by(x5t, jkt)];
        if jkt.is_some() && x5t.is_some() {
            wrong.extend([
                by(jkt, None),
                by(None, x5t),
                by(jkt, Some(other)),
                by(Some(other), x5t),
            ]);
        }
        for proven in wrong {
            for token in [&*text, next.token().as_str()] {
                let refused = tokens.rotate_proven(token, proven).await.unwrap_err();
                assert_eq!(*refused.kind(), ErrorKind::RefreshToken, "{proven:?}");
                let login = Login::new("ada").authentication(clock.unix_seconds());
                let refused = tokens.step_up(token, login, proven).await.unwrap_err();
                assert_eq!(*refused.kind(), ErrorKind::RefreshToken, "{proven:?}");
            }
            let after = store.get(&id, clock.unix_seconds()).await.unwrap();
            assert_eq!(after, family, "whoever has only the token has changed the session");
        }
        let last = tokens.rotate_proven(next.token().as_str(), by(jkt, x5t)).await.unwrap();
        // The client itself ends its session by a spent token, as every client does.
        let reused = tokens.rotate_proven(&text, by(jkt, x5t)).await.unwrap_err();
        assert!(matches!(reused.kind(), ErrorKind::RefreshTokenReused { .. }), "{reused}");
        assert!(tokens.rotate_proven(last.token().as_str(), by(jkt, x5t)).await.is_err());
    }
}

/// A subject has no more sessions than it may have, and keeps the newest.
async fn cap(store: impl RefreshStore, clock: TestClock) {
    let builder = RefreshTokens::builder(store).max_sessions(3).clock(clock.clone());
    let tokens = builder.build().unwrap();
    let other = tokens.open(Login::new("grace")).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..5 {
        clock.advance(Duration::from_secs(1));
        let opened = tokens.open(Login::new("ada")).await.unwrap();
        ids.push(opened.session().id().to_owned());
        let listed = tokens.list("ada").await.unwrap();
        let newest: Vec<_> = ids.iter().rev().take(3).collect();
        assert!(listed.iter().map(|session| session.id()).eq(newest), "the newest three remain");
    }
    clock.advance(Duration::from_secs(1));
    let logins: Vec<_> = (0..20)
        .map(|_| {
            let tokens = tokens.clone();
            tokio::spawn(async move { tokens.open(Login::new("ada")).await.map(drop) })
        })
        .collect();
    for login in logins {
        login.await.unwrap().unwrap();
    }
    // Of logins in the same second, a store may not know which one is the newest.
    let left = tokens.list("ada").await.unwrap().len();
    assert!((1..=3).contains(&left), "{left} sessions remain after twenty logins at once");
    assert!(tokens.rotate(other.token().as_str()).await.is_ok(), "the cap is that of one subject");
}
