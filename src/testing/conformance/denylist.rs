//! The suite for denylists.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use crate::{
    claims::RegisteredClaims,
    issue::Grant,
    revocation::{Denylist, Revocation, TokenIds},
    testing::{clock::TestClock, issuer::TestIssuer},
};

/// Tests a [`Denylist`]. `make` makes an empty list for each part. It gets the clock of the suite:
/// give it to a list that takes the time from a clock.
///
/// It checks that
///
/// 1. a revoked token, session or subject is refused at once, also by a verifier that has seen the
///    token before, and no other token is;
/// 2. a revocation of a subject leaves tokens that are issued later, and refuses those without
///    `iat`;
/// 3. of two revocations that name the same, the later of each time holds, whatever their order;
/// 4. a name is compared as a whole: a token's id, a session's id and a subject of the same text are
///    three things, and so are names with any characters.
///
/// The clock begins at the time of the system. The revocations of the suite last for an hour or
/// more, so that it also tests a list that knows only its own time.
///
/// # Example: a list of your own
/// ```
/// use tower_jwt_auth::{revocation::MemoryDenylist, testing::conformance};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// conformance::denylist(async |clock| MemoryDenylist::builder().clock(clock).build().unwrap()).await;
/// # }
/// ```
///
/// # Panics
///
/// The list does something else; the message says what.
pub async fn denylist<D: Denylist>(make: impl AsyncFn(TestClock) -> D) {
    let clock = TestClock::new();
    tokens(make(clock.clone()).await, clock).await;
    let clock = TestClock::new();
    times(make(clock.clone()).await, clock.unix_seconds()).await;
    let clock = TestClock::new();
    names(make(clock.clone()).await, clock.unix_seconds()).await;
}

async fn tokens(list: impl Denylist, clock: TestClock) {
    let list = Arc::new(list);
    let test = TestIssuer::new().with_clock(clock.clone());
    let issuer = test.token_issuer().build().unwrap();
    let verifier = test.verifier_builder().denylist(Arc::clone(&list)).build().unwrap();
    let (name, now, until) = (test.issuer(), clock.unix_seconds(), issuer.last_expiry());
    let token = |session: &str, subject: &str| {
        issuer.issue(Grant::new(subject).session_id(session)).unwrap()
    };
    let [by_id, by_session, by_subject, other] =
        [token("one", "ada"), token("two", "ada"), token("three", "grace"), token("four", "ada")];
    let taken = async |token: &str| verifier.verify(token).await.is_ok();
    for token in [&by_id, &by_session, &by_subject, &other] {
        assert!(taken(token.as_str()).await, "nothing is revoked");
    }
    for nothing in [
        Revocation::token("another", by_id.token_id(), until),
        Revocation::session(name, by_id.token_id(), until),
        Revocation::subject(name, "grace", now - 1, until),
    ] {
        list.revoke(nothing).await.unwrap();
    }
    for (token, revocation) in [
        (&by_id, Revocation::token(name, by_id.token_id(), until)),
        (&by_session, Revocation::session(name, "two", until)),
        (&by_subject, Revocation::subject(name, "grace", now, until)),
    ] {
        assert!(taken(token.as_str()).await, "it is not revoked yet");
        list.revoke(revocation.clone()).await.unwrap();
        assert!(!taken(token.as_str()).await, "it is revoked: {revocation:?}");
        assert!(taken(other.as_str()).await, "another token is not revoked: {revocation:?}");
    }
    clock.advance(Duration::from_secs(1));
    assert!(taken(token("five", "grace").as_str()).await, "a later login is not revoked");
}

/// The claims of a token as a list sees them.
fn claims(members: Value) -> RegisteredClaims {
    serde_json::from_value(members).expect("the claims are of their types")
}

async fn is_revoked(list: &impl Denylist, members: Value) -> bool {
    list.is_revoked(TokenIds::new(&claims(members))).await.unwrap()
}

async fn times(list: impl Denylist, now: i64) {
    let hour = now + 3600;
    let of_subject = |subject: &str, before: i64, until: i64| {
        Revocation::subject("i", subject, now + before, until)
    };
    // The one that says less comes last, and then first.
    for (subject, order) in [("s", [(10, 0), (5, 9), (4, 0)]), ("t", [(4, 0), (5, 9), (10, 0)])] {
        for (before, more) in order {
            list.revoke(of_subject(subject, before, hour + more)).await.unwrap();
        }
        let issued = |at: i64| json!({"iss": "i", "sub": subject, "iat": now + at});
        assert!(is_revoked(&list, issued(10)).await, "{order:?}: issued at the time");
        assert!(!is_revoked(&list, issued(11)).await, "{order:?}: issued after the time");
        assert!(is_revoked(&list, json!({"iss": "i", "sub": subject})).await, "without `iat`");
        let fraction = json!({"iss": "i", "sub": subject, "iat": now + 10}).to_string();
        let fraction = fraction.replace(&format!("{}", now + 10), &format!("{}.5", now + 10));
        let fraction = serde_json::from_str(&fraction).expect("it is an object");
        assert!(is_revoked(&list, fraction).await, "issued later in the same second");
    }
}

async fn names(list: impl Denylist, now: i64) {
    let hour = now + 3600;
    let odd = "a 'b' \"c\" %_*?[x]{y}\\z:\u{fc}\u{1f600};--\n";
    let long = "x".repeat(1000);
    let all = ["id", "ID", "i", "id ", "i%", "i*", odd, &long];
    // Each text is revoked in one of its three meanings.
    for (at, text) in all.into_iter().enumerate() {
        let revocation = match at % 3 {
            0 => Revocation::token("i", text, hour),
            1 => Revocation::session("i", text, hour),
            _ => Revocation::subject("i", text, now, hour),
        };
        list.revoke(revocation).await.unwrap();
        for (meaning, name) in ["jti", "sid", "sub"].into_iter().enumerate() {
            let of = |issuer: &str| json!({"iss": issuer, name: text, "iat": now});
            let revoked = is_revoked(&list, of("i")).await;
            assert_eq!(revoked, meaning == at % 3, "`{name}` {text:?}");
            assert!(!is_revoked(&list, of("j")).await, "another issuer's `{name}` {text:?}");
        }
        for later in all.iter().skip(at + 1) {
            for name in ["jti", "sid", "sub"] {
                let token = json!({"iss": "i", name: later, "iat": now});
                assert!(!is_revoked(&list, token).await, "`{name}` {later:?} after {text:?}");
            }
        }
    }
    // An issuer and a name are not one text that is cut elsewhere.
    list.revoke(Revocation::token("a", "b c", hour)).await.unwrap();
    list.revoke(Revocation::token("", "none", hour)).await.unwrap();
    assert!(is_revoked(&list, json!({"jti": "none"})).await, "a token without `iss`");
    for (issuer, id) in [("a b", "c"), ("a b c", ""), ("", "a b c"), ("i", "none")] {
        assert!(!is_revoked(&list, json!({"iss": issuer, "jti": id})).await, "{issuer:?} {id:?}");
    }
}
