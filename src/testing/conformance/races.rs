//! Calls of a store of refresh tokens at the same time.

use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

use tokio::sync::Barrier;

use super::model;
use crate::{
    refresh::{Login, RefreshStore, RefreshTokens, Session, TokenStatus},
    testing::clock::TestClock,
};

/// Does this so often at once, and gives all results.
async fn at_once<T, F>(times: usize, work: impl Fn() -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(times));
    let all: Vec<_> = (0..times)
        .map(|_| {
            let (work, barrier) = (work(), Arc::clone(&barrier));
            tokio::spawn(async move {
                barrier.wait().await;
                work.await
            })
        })
        .collect();
    let mut results = Vec::new();
    for one in all {
        results
            .push(one.await.unwrap_or_else(|error| panic!("a call of the store failed: {error}")));
    }
    results
}

/// One token a hundred times at once: one successor, and one live token.
pub(super) async fn one_token(store: impl RefreshStore, clock: TestClock) {
    let tokens = model::tokens(store, &clock);
    let first = tokens.open(Login::new("ada")).await.expect("`create` takes a new session");
    let results = at_once(100, || {
        let (tokens, token) = (tokens.clone(), first.token().as_str().to_owned());
        async move {
            let opened = tokens.rotate(&token).await?;
            Ok::<_, crate::error::Error>((opened.token().as_str().to_owned(), opened.is_repeated()))
        }
    })
    .await;
    let refused: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    if let Some(error) = refused.first() {
        panic!(
            "part 4 of the suite of refresh stores: of a hundred rotations of one token at once, {} \
             were refused, the first of them: {error}. The first rotation must give the successor, \
             and the others, within the grace, the same one (`Rotated::Repeated`): `rotate` must read \
             and write in one step",
            refused.len()
        );
    }
    let given: Vec<_> = results.into_iter().flatten().collect();
    let won = given.iter().filter(|(_, repeated)| !repeated).count();
    let different: std::collections::HashSet<_> = given.iter().map(|(token, _)| token).collect();
    assert!(
        won == 1 && different.len() == 1,
        "part 4 of the suite of refresh stores: of a hundred rotations of one token at once, {won} were \
         the first, and they gave {} different successors; exactly one is right: `rotate` must read and \
         write in one step",
        different.len()
    );
    // Used, it is spent, and with it all that came before.
    let next = given.first().map(|(token, _)| token.as_str()).unwrap_or_default();
    match tokens.rotate(next).await {
        Ok(last) if !last.is_repeated() => {}
        Ok(_) => panic!(
            "part 4 of the suite of refresh stores: the successor was presented for the first time, \
             and the store says that it was spent (`Rotated::Repeated`)"
        ),
        Err(error) => panic!(
            "part 4 of the suite of refresh stores: the successor that all were given was refused: \
             {error}"
        ),
    }
    let status = tokens.token_status(first.token().as_str()).await;
    assert!(
        matches!(status, Ok(TokenStatus::Spent(_))),
        "part 4 of the suite of refresh stores: after two rotations, the first token is spent; `get` \
         says {status:?}"
    );
}

/// A subject has no more sessions than it may have, and keeps the newest.
pub(super) async fn cap(store: impl RefreshStore, clock: TestClock) {
    let builder = RefreshTokens::builder(store).max_sessions(3).clock(clock.clone());
    let tokens = builder.build().expect("the settings are the usual ones");
    let open = async |subject: &str| {
        tokens.open(Login::new(subject)).await.unwrap_or_else(|error| {
            panic!("part 6 of the suite of refresh stores: a login failed: {error}")
        })
    };
    let other = open("grace").await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        clock.advance(Duration::from_secs(1));
        ids.push(open("ada").await.session().id().to_owned());
        let listed = tokens.list("ada").await.unwrap_or_else(|error| {
            panic!("part 6 of the suite of refresh stores: `list` failed: {error}")
        });
        let listed: Vec<_> = listed.iter().map(Session::id).collect();
        let newest: Vec<_> = ids.iter().rev().take(3).collect();
        assert!(
            listed == newest,
            "part 6 of the suite of refresh stores: with a cap of three, the newest three of {} \
             sessions remain; `list` gives {} sessions, of which these are wrong: {:?}",
            ids.len(),
            listed.len(),
            listed.iter().filter(|id| !newest.iter().any(|one| one == *id)).collect::<Vec<_>>()
        );
    }
    clock.advance(Duration::from_secs(1));
    let logins = at_once(20, || {
        let tokens = tokens.clone();
        async move { tokens.open(Login::new("ada")).await.map(drop) }
    })
    .await;
    if let Some(error) = logins.into_iter().find_map(Result::err) {
        panic!(
            "part 6 of the suite of refresh stores: one of twenty logins at once failed: {error}"
        );
    }
    // Of logins in the same second, a store may not know which one is the newest.
    let left = tokens.list("ada").await.map(|sessions| sessions.len());
    assert!(
        matches!(left, Ok(1..=3)),
        "part 6 of the suite of refresh stores: after twenty logins at once with a cap of three, one to \
         three sessions remain; `list` gives {left:?}"
    );
    assert!(
        tokens.rotate(other.token().as_str()).await.is_ok(),
        "part 6 of the suite of refresh stores: the cap of one subject ended the session of another"
    );
}

/// Each session is displaced for one caller.
pub(super) async fn displaced(store: impl RefreshStore, clock: TestClock) {
    let store = Arc::new(store);
    let tokens = model::tokens(Arc::clone(&store), &clock);
    let mut opened = Vec::new();
    for subject in ["ada", "grace", "ada", "ada", "ada", "ada"] {
        clock.advance(Duration::from_secs(1));
        let session = tokens.open(Login::new(subject)).await;
        opened.push(session.expect("`create` takes a new session").session().clone());
    }
    let now = clock.unix_seconds();
    let results = at_once(20, || {
        let store = Arc::clone(&store);
        async move { store.displace("ada", 2, now).await }
    })
    .await;
    let mut given: HashMap<String, usize> = HashMap::new();
    for result in results {
        match result {
            // The store has no such step.
            Ok(None) => return,
            Ok(Some(sessions)) => {
                for session in sessions {
                    *given.entry(session.id().to_owned()).or_default() += 1;
                }
            }
            Err(error) => {
                panic!("part 6 of the suite of refresh stores: `displace` failed: {error}")
            }
        }
    }
    let ids: Vec<_> = opened.iter().filter(|one| one.subject() == "ada").map(Session::id).collect();
    for (at, id) in ids.iter().enumerate() {
        let (times, right) = (given.remove(*id).unwrap_or_default(), usize::from(at < 3));
        assert!(
            times == right,
            "part 6 of the suite of refresh stores: of five sessions of a subject, of which two may \
             remain, `displace` gave number {} (1 is the oldest) to {times} of twenty callers; {right} \
             is right: the oldest three are given to one caller each",
            at + 1
        );
    }
    assert!(
        given.is_empty(),
        "part 6 of the suite of refresh stores: `displace` gave sessions of other subjects: {given:?}"
    );
}
