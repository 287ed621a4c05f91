//! The suite for denylists.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};

use super::cut;
use crate::{
    claims::RegisteredClaims,
    clock::unix_seconds,
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
/// 4. a revocation is kept [until its time](Revocation::keep_until), and not only for a while;
/// 5. a name is compared as a whole: a token's id, a session's id and a subject of the same text are
///    three things, and so are names with any characters and of any length.
///
/// The clock begins at the time of the system, and is moved for 4. A list that knows only its own time
/// is tested, too: the suite waits for two seconds for 3.
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
/// The list does something else; the message says what it was asked, what it said, and what is right.
pub async fn denylist<D: Denylist>(make: impl AsyncFn(TestClock) -> D) {
    let clock = TestClock::new();
    tokens(make(clock.clone()).await, clock).await;
    let clock = TestClock::new();
    times(make(clock.clone()).await, clock.unix_seconds()).await;
    let clock = TestClock::new();
    ends(make(clock.clone()).await, clock).await;
    let clock = TestClock::new();
    kept(make(clock.clone()).await, clock).await;
    let clock = TestClock::new();
    names(make(clock.clone()).await, clock.unix_seconds()).await;
}

/// A list, and what was revoked in it.
struct Asked<D> {
    list: D,
    part: u8,
    revoked: Vec<String>,
}

impl<D: Denylist> Asked<D> {
    fn new(list: D, part: u8) -> Self {
        Self { list, part, revoked: Vec::new() }
    }

    async fn revoke(&mut self, revocation: Revocation) {
        let text = cut(&serde_json::to_string(&revocation).expect("a revocation serializes"));
        self.revoked.push(text);
        if let Err(error) = self.list.revoke(revocation).await {
            self.fail(&format!("`revoke` failed: {error}"));
        }
    }

    /// Asks for a token with these claims.
    async fn check(&self, claims: Value, is_revoked: bool, rule: &str) {
        let token: RegisteredClaims =
            serde_json::from_value(claims.clone()).expect("the claims are of their types");
        let said = self.list.is_revoked(TokenIds::new(&token)).await;
        let asked = cut(&claims.to_string());
        match said {
            Ok(said) if said == is_revoked => {}
            Ok(said) => self.fail(&format!(
                "for the token {asked}, `is_revoked` says {said}, and {is_revoked} is right: {rule}"
            )),
            Err(error) => {
                self.fail(&format!("for the token {asked}, `is_revoked` failed: {error}"))
            }
        }
    }

    fn fail(&self, said: &str) -> ! {
        panic!(
            "part {} of the suite of denylists: {said}\n  revoked so far, in this order: {}",
            self.part,
            if self.revoked.is_empty() { "nothing".to_owned() } else { self.revoked.join(", ") }
        )
    }
}

async fn tokens(list: impl Denylist, clock: TestClock) {
    let list = Arc::new(list);
    let test = TestIssuer::new().with_clock(clock.clone());
    let issuer = test.token_issuer().build().expect("the issuer for tests is complete");
    let verifier = test.verifier_builder().denylist(Arc::clone(&list));
    let verifier = verifier.build().expect("the issuer for tests is complete");
    let mut asked = Asked::new(list, 1);
    let (name, now, until) = (test.issuer(), clock.unix_seconds(), issuer.last_expiry());
    let token = |session: &str, subject: &str| {
        issuer.issue(Grant::new(subject).session_id(session)).expect("the issuer can sign")
    };
    let [by_id, by_session, by_subject, other] =
        [token("one", "ada"), token("two", "ada"), token("three", "grace"), token("four", "ada")];
    let check = async |asked: &Asked<_>, token: &str, is_accepted: bool, rule: &str| {
        let verified = verifier.verify(token).await;
        if verified.is_ok() != is_accepted {
            let (said, right) = match verified {
                Ok(_) => ("accepted it".to_owned(), "to refuse it"),
                Err(error) => (format!("refused it: {error}"), "to accept it"),
            };
            asked.fail(&format!("a verifier with this list {said}, and {right} is right: {rule}"));
        }
    };
    for token in [&by_id, &by_session, &by_subject, &other] {
        check(&asked, token.as_str(), true, "nothing is revoked").await;
    }
    for nothing in [
        Revocation::token("another", by_id.token_id(), until),
        Revocation::session(name, by_id.token_id(), until),
        Revocation::subject(name, "grace", now - 1, until),
    ] {
        asked.revoke(nothing).await;
    }
    for (token, revocation) in [
        (&by_id, Revocation::token(name, by_id.token_id(), until)),
        (&by_session, Revocation::session(name, "two", until)),
        (&by_subject, Revocation::subject(name, "grace", now, until)),
    ] {
        check(&asked, token.as_str(), true, "no revocation names this token yet").await;
        asked.revoke(revocation.clone()).await;
        check(&asked, token.as_str(), false, "the last revocation names it, and holds at once")
            .await;
        check(&asked, other.as_str(), true, "no revocation names this token").await;
    }
    clock.advance(Duration::from_secs(1));
    let later = token("five", "grace");
    check(&asked, later.as_str(), true, "the subject has logged in after it was revoked").await;
}

async fn times(list: impl Denylist, now: i64) {
    let mut asked = Asked::new(list, 2);
    let hour = now + 3600;
    // The one that says less comes last, and then first.
    for (subject, order) in [("s", [(10, 0), (5, 9), (4, 0)]), ("t", [(4, 0), (5, 9), (10, 0)])] {
        for (before, more) in order {
            asked.revoke(Revocation::subject("i", subject, now + before, hour + more)).await;
        }
        let issued = |at: Value| json!({"iss": "i", "sub": subject, "iat": at});
        let rule = "of several revocations of a subject, the latest time of issue holds, whatever \
                    their order, and a token that is issued at this time is revoked";
        asked.check(issued(json!(now + 10)), true, rule).await;
        let rule = "it is issued in the second of that time: the fraction does not count";
        asked.check(issued(seconds_and_half(now + 10)), true, rule).await;
        let rule = "it is issued after the latest time of the revocations";
        asked.check(issued(json!(now + 11)), false, rule).await;
        let rule = "a token without `iat` counts as issued before";
        asked.check(json!({"iss": "i", "sub": subject}), true, rule).await;
    }
}

/// A time with half a second.
fn seconds_and_half(time: i64) -> Value {
    serde_json::from_str(&format!("{time}.5")).expect("it is a number")
}

/// Of two revocations of the same name, one is over after a second.
async fn ends(list: impl Denylist, clock: TestClock) {
    let mut asked = Asked::new(list, 3);
    let now = clock.unix_seconds();
    let (soon, hour) = (now + 1 - SLACK, now + 3600);
    for (name, order) in [("soon-last", [hour, soon]), ("soon-first", [soon, hour])] {
        for until in order {
            asked.revoke(Revocation::token("i", name, until)).await;
            asked.revoke(Revocation::session("i", name, until)).await;
            // The one that lasts longer says less.
            let before = if until == hour { now } else { now + 9 };
            asked.revoke(Revocation::subject("i", name, before, until)).await;
        }
    }
    clock.advance(Duration::from_secs(2));
    // A list that knows only its own time.
    while unix_seconds(SystemTime::now()) < now + 3 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for name in ["soon-last", "soon-first"] {
        let rule = "of two revocations of the same name, the later end holds, whatever their order";
        asked.check(json!({"iss": "i", "jti": name}), true, rule).await;
        asked.check(json!({"iss": "i", "sid": name}), true, rule).await;
        asked.check(json!({"iss": "i", "sub": name, "iat": now}), true, rule).await;
        let rule = "of two revocations of a subject, the later time of issue and the later end hold, \
                    also if they are not of the same one";
        asked.check(json!({"iss": "i", "sub": name, "iat": now + 9}), true, rule).await;
    }
}

/// A revocation is kept until its time.
async fn kept(list: impl Denylist, clock: TestClock) {
    let mut asked = Asked::new(list, 4);
    let begin = clock.unix_seconds();
    let ends = [60, 3600, 30 * 24 * 3600];
    for end in ends {
        let name = format!("for {end} s");
        asked.revoke(Revocation::token("i", &name, begin + end)).await;
        asked.revoke(Revocation::session("i", &name, begin + end)).await;
        asked.revoke(Revocation::subject("i", &name, begin, begin + end)).await;
    }
    for (end, at) in ends.into_iter().flat_map(|end| [(end, end), (end, end + SLACK - 1)]) {
        let now = clock.unix_seconds();
        clock.advance(Duration::from_secs(u64::try_from(begin + at - now).unwrap_or_default()));
        // Others are over by now, and a list may remove them when it gets another one.
        asked.revoke(Revocation::token("i", &format!("{at} s later"), begin + at + 60)).await;
        let rule = format!(
            "{at} s after it was revoked, its time (`keep_until`) is not over: it is {} s",
            end + SLACK
        );
        let name = format!("for {end} s");
        asked.check(json!({"iss": "i", "jti": name}), true, &rule).await;
        asked.check(json!({"iss": "i", "sid": name}), true, &rule).await;
        asked.check(json!({"iss": "i", "sub": name, "iat": begin}), true, &rule).await;
    }
}

async fn names(list: impl Denylist, now: i64) {
    let mut asked = Asked::new(list, 5);
    let hour = now + 3600;
    let odd = "a 'b' \"c\" %_*?[x]{y}\\z:\u{fc}\u{1f600};--\n";
    let of_length = |length: usize| "x".repeat(length);
    let [short, longer, long, longest] = [64, 65, 255, 1000].map(of_length);
    let last = format!("{}y", of_length(999));
    // Each is tested against all that come before it.
    let all = [
        "id",
        "ID",
        "i",
        "id ",
        " id",
        "i%",
        "i*",
        "i_",
        "i?",
        "i.",
        "caf",
        "caf\u{e9}",
        "cafe\u{301}",
        "\u{1f600}",
        "\u{1f601}",
        "1",
        "01",
        "1.0",
        odd,
        &short,
        &longer,
        &long,
        &longest,
        &last,
    ];
    let rule = "names are compared as a whole, whatever their characters and their length; an id, a \
                session and a subject of the same text are three things; and each issuer has its own";
    // Each text is revoked in one of its three meanings, and then in the next one.
    for (at, text) in all.into_iter().enumerate() {
        for meaning in [at % 3, (at + 1) % 3] {
            let revocation = match meaning {
                0 => Revocation::token("i", text, hour),
                1 => Revocation::session("i", text, hour),
                _ => Revocation::subject("i", text, now, hour),
            };
            asked.revoke(revocation).await;
        }
        for (meaning, name) in ["jti", "sid", "sub"].into_iter().enumerate() {
            let of = |issuer: &str| json!({"iss": issuer, name: text, "iat": now});
            asked.check(of("i"), meaning != (at + 2) % 3, rule).await;
            asked.check(of("j"), false, rule).await;
        }
        for later in all.iter().skip(at + 1) {
            for name in ["jti", "sid", "sub"] {
                asked.check(json!({"iss": "i", name: later, "iat": now}), false, rule).await;
            }
        }
        asked.revoked.clear();
    }
    // An issuer and a name are not one text that is cut elsewhere.
    asked.revoke(Revocation::token("a", "b c", hour)).await;
    asked.revoke(Revocation::token("", "none", hour)).await;
    asked.revoke(Revocation::token(&short, "long", hour)).await;
    asked.check(json!({"jti": "none"}), true, "a token without `iss` has the empty issuer").await;
    for (issuer, id) in [
        ("a b", "c"),
        ("a b c", ""),
        ("", "a b c"),
        ("i", "none"),
        ("A", "b c"),
        ("a ", "b c"),
        ("a\u{e9}", "b c"),
        (&*longer, "long"),
    ] {
        asked.check(json!({"iss": issuer, "jti": id}), false, rule).await;
    }
}

/// How much longer than its tokens a revocation is kept, in seconds.
const SLACK: i64 = 300;
