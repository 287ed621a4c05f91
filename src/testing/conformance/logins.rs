//! Parts of the suite of refresh stores: the login of a session, and what it is bound to.

use std::{slice, sync::Arc, time::Duration};

use super::model;
use crate::{
    claims::Confirmation,
    digest::Thumbprint,
    error::ErrorKind,
    refresh::{Login, RefreshStore, Session},
    testing::clock::TestClock,
};

/// A login stays what it was, until there is another one.
pub(super) async fn logins(store: impl RefreshStore, clock: TestClock) {
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
pub(super) async fn bound(store: impl RefreshStore, clock: TestClock) {
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
                assert_eq!(
                    *refused.kind(),
                    ErrorKind::RefreshToken,
                    "{BOUND}: `rotate`, {proven:?}"
                );
                let login = Login::new("ada").authentication(clock.unix_seconds());
                let refused = tokens.step_up(token, login, proven).await.unwrap_err();
                assert_eq!(
                    *refused.kind(),
                    ErrorKind::RefreshToken,
                    "{BOUND}: a step-up, {proven:?}"
                );
            }
            let after = store.get(&id, clock.unix_seconds()).await.unwrap();
            assert_eq!(after, family, "{BOUND}: whoever has only the token has changed it");
        }
        let last = tokens.rotate_proven(next.token().as_str(), by(jkt, x5t)).await.unwrap();
        // The client itself ends its session by a spent token, as every client does.
        let reused = tokens.rotate_proven(&text, by(jkt, x5t)).await.unwrap_err();
        assert!(matches!(reused.kind(), ErrorKind::RefreshTokenReused { .. }), "{reused}");
        let after = tokens.rotate_proven(last.token().as_str(), by(jkt, x5t)).await;
        assert!(after.is_err(), "{BOUND}: a spent token did not end it");
    }
}

const BOUND: &str = "part 9 of the suite of refresh stores: a bound session";
