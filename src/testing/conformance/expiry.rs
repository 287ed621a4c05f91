//! The ends of sessions in a store of refresh tokens.

use std::{slice, sync::Arc, time::Duration};

use super::model;
use crate::{
    error::ErrorKind,
    refresh::{Login, RefreshStore, RefreshTokens, TokenStatus},
    testing::clock::TestClock,
};

/// A store keeps what a login says of its end, over rotations.
pub(super) async fn lifetimes(store: impl RefreshStore, clock: TestClock) {
    let (store, seconds, begin) = (Arc::new(store), Duration::from_secs, clock.unix_seconds());
    let tokens = RefreshTokens::builder(Arc::clone(&store))
        .idle_lifetime(seconds(1000))
        .browser_idle_lifetime(seconds(100))
        .absolute_lifetime(seconds(3000))
        .grace(seconds(0))
        .clock(clock.clone())
        .build()
        .expect("the lifetimes are at least a minute");
    let login = Login::new("ada").until_browser_closes().lifetime(seconds(250));
    let open = async |login| {
        tokens.open(login).await.unwrap_or_else(|error| panic!("{PART}: a login failed: {error}"))
    };
    let mut short = open(login).await;
    let mut usual = open(Login::new("grace")).await;
    for (pause, now) in [(90, 90), (90, 180), (60, 240)] {
        clock.advance(seconds(pause));
        for opened in [&mut short, &mut usual] {
            *opened = tokens.rotate(opened.token().as_str()).await.unwrap_or_else(|error| {
                panic!("{PART}: after {now} s, the live token was refused: {error}")
            });
        }
        for (session, ends) in
            [(short.session(), (now + 100).min(250)), (usual.session(), now + 1000)]
        {
            let (said, right) = (session.expires_at() - begin, ends);
            assert!(
                said == right,
                "{PART}: after a rotation at {now} s, the session of {} ends at {said} s; {right} s is \
                 right (`Family::rotate` knows it)",
                session.subject()
            );
            let family = store.get(session.id(), begin + now).await;
            let stored = family.as_ref().ok().and_then(Option::as_ref).map(|one| one.session());
            assert!(
                stored == Some(session),
                "{PART}: after a rotation, `get` gives {stored:?}; the session that `rotate` gave is \
                 right: {session:?}"
            );
            let listed = tokens.list(session.subject()).await;
            assert!(
                listed.as_deref().is_ok_and(|listed| listed == slice::from_ref(session)),
                "{PART}: after a rotation, `list` gives {listed:?}; the session that `rotate` gave is \
                 right: {session:?}"
            );
        }
        assert!(
            short.session().ends_with_browser() && !usual.session().ends_with_browser(),
            "{PART}: the store does not keep whether a session ends with the browser"
        );
    }
    clock.advance(seconds(10));
    assert!(
        tokens.rotate(short.token().as_str()).await.is_err(),
        "{PART}: a token was rotated after the lifetime of its login (250 s)"
    );
    let idle = open(Login::new("ada").until_browser_closes()).await;
    clock.advance(seconds(100));
    assert!(
        tokens.rotate(idle.token().as_str()).await.is_err(),
        "{PART}: a token was rotated after it was idle for as long as it may be (100 s)"
    );
    assert!(
        tokens.rotate(usual.token().as_str()).await.is_ok(),
        "{PART}: a session was refused that is neither idle nor too old"
    );
}

/// A session whose time is over counts as missing, also before it is deleted.
pub(super) async fn expired(store: impl RefreshStore, clock: TestClock) {
    let store = Arc::new(store);
    let tokens = model::tokens(Arc::clone(&store), &clock);
    let old = tokens.open(Login::new("ada")).await;
    let old = old.unwrap_or_else(|error| panic!("{PART}: a login failed: {error}"));
    let end = old.session().expires_at();
    let left = u64::try_from(end - clock.unix_seconds()).unwrap_or_default();
    clock.advance(Duration::from_secs(left.saturating_sub(1)));
    for (now, is_there) in [(end - 1, true), (end, false), (end + 1, false)] {
        let when = match is_there {
            true => "a second before the end of a session",
            false => "at the end of a session (`expires_at`) or later",
        };
        let family = store.get(old.session().id(), now).await;
        assert!(
            family.as_ref().is_ok_and(|family| family.is_some() == is_there),
            "{PART}: {when}, `get` gives {family:?}; it is {}",
            if is_there { "there" } else { "missing, so that `None` is right" }
        );
        let listed = store.list("ada", now).await;
        assert!(
            listed.as_ref().is_ok_and(|listed| listed.len() == usize::from(is_there)),
            "{PART}: {when}, `list` gives {listed:?}; {}",
            if is_there { "the session is right" } else { "an empty list is right" }
        );
        if !is_there {
            let displaced = store.displace("ada", 0, now).await;
            let given = displaced.as_ref().map(|given| given.as_ref().map_or(0, Vec::len));
            assert!(
                matches!(given, Ok(0)),
                "{PART}: {when}, `displace` gives {displaced:?}; no session is right"
            );
        }
    }
    clock.advance(Duration::from_secs(1));
    let status = tokens.token_status(old.token().as_str()).await;
    assert!(
        matches!(status, Ok(TokenStatus::Unknown)),
        "{PART}: the token of a session that is over is unknown; the store says {status:?}"
    );
    let rotated = tokens.rotate(old.token().as_str()).await;
    assert!(
        rotated.as_ref().is_err_and(|error| *error.kind() == ErrorKind::RefreshToken),
        "{PART}: the token of a session that is over was rotated, or taken for a stolen one: {rotated:?}"
    );
}

const PART: &str = "part 5 of the suite of refresh stores";
