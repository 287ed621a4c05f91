//! What every list of revocations must do.

use tower_jwt_auth::{
    Verifier,
    issue::{Grant, TokenIssuer},
    revocation::{Denylist, Revocation},
};

use super::{issuer, set};
use crate::fixed::{AUDIENCE, FixedClock, ISSUER, NOW};

pub(crate) fn now() -> i64 {
    i64::try_from(NOW).unwrap()
}

fn verifier(issuer: &TokenIssuer, list: impl Denylist, clock: &FixedClock) -> Verifier {
    let keys = issuer.key_source();
    let builder = Verifier::builder().audience(AUDIENCE).keys(keys).denylist(list);
    builder.clock(clock.clone()).build().unwrap()
}

/// Whatever list it is: it revokes what it is told to, at once, also where the verifier has
/// seen the token before, and nothing else.
pub(crate) async fn check_list<D: Denylist + Clone>(list: D, clock: &FixedClock) {
    let issuer = issuer(clock).build().unwrap();
    let verifier = verifier(&issuer, list.clone(), clock);
    let until = issuer.last_expiry();
    let token = |session: &str, subject: &str| {
        issuer.issue(Grant::new(subject).session_id(session)).unwrap()
    };
    let [by_id, by_session, by_subject, other] =
        [token("one", "ada"), token("two", "ada"), token("three", "grace"), token("four", "ada")];
    let taken = async |token: &str| verifier.verify(token).await.is_ok();
    for token in [&by_id, &by_session, &by_subject, &other] {
        assert!(taken(token.as_str()).await);
    }
    for nothing in [
        Revocation::token("another", by_id.token_id(), until),
        Revocation::session(ISSUER, by_id.token_id(), until),
        Revocation::subject(ISSUER, "grace", now() - 1, until),
    ] {
        list.revoke(nothing).await.unwrap();
    }
    for (token, revocation) in [
        (&by_id, Revocation::token(ISSUER, by_id.token_id(), until)),
        (&by_session, Revocation::session(ISSUER, "two", until)),
        (&by_subject, Revocation::subject(ISSUER, "grace", now(), until)),
    ] {
        assert!(taken(token.as_str()).await);
        list.revoke(revocation).await.unwrap();
        let error = verifier.verify(token.as_str()).await.unwrap_err();
        assert_eq!(error.code(), Some("invalid_token"));
        assert!(taken(other.as_str()).await);
    }
    // One that says less takes nothing back.
    list.revoke(Revocation::subject(ISSUER, "grace", now() - 9, until + 9)).await.unwrap();
    assert!(!taken(by_subject.as_str()).await);
    // Who logs in later comes in.
    set(clock, 1);
    assert!(taken(token("five", "grace").as_str()).await);
    set(clock, 0);
}
