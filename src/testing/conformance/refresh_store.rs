//! The suite for stores of refresh tokens.

use std::{ops::Range, slice, sync::Arc};

use tokio::runtime::{Handle, RuntimeFlavor};

use super::{cut, expiry, logins, model, races};
use crate::{
    refresh::{Family, Login, RefreshStore, Session},
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
/// 5. the lifetimes of a login are kept over rotations, and a session whose time is over is neither read
///    nor listed;
/// 6. of twenty logins at once with a cap of three sessions, at most three sessions remain, and
///    [`displace`](RefreshStore::displace), if the store has it, gives each session to one caller;
/// 7. random sequences of logins, rotations, ends and pauses show what a model of the rules shows.
///    The sequences are the same each time;
/// 8. the time, the `acr` and the `amr` of a login are kept over rotations, and replaced by a step-up,
///    whose spent token gives no successor;
/// 9. a session that is bound to a key or to a certificate is rotated only for a client that has proven
///    to have it, and stays as it is otherwise.
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
/// The store does something else; the message says what it does, and what is right. For 7, the
/// sequence is written to the standard error. Or the runtime has only one thread: then 4 and 6 would be no test.
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
        races::one_token(store, clock).await;
    }
    let (store, clock) = made().await;
    expiry::lifetimes(store, clock).await;
    let (store, clock) = made().await;
    expiry::expired(store, clock).await;
    let (store, clock) = made().await;
    races::cap(store, clock).await;
    let (store, clock) = made().await;
    races::displaced(store, clock).await;
    refresh_store_cases(0..48, &make).await;
    let (store, clock) = made().await;
    logins::logins(store, clock).await;
    let (store, clock) = made().await;
    logins::bound(store, clock).await;
}

/// Part 7 of [`refresh_store`] with sequences of these numbers, each with a store of its own. The
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

/// The result of a call that must not fail.
fn done<T, E: std::fmt::Display>(result: Result<T, E>, call: &str) -> T {
    result.unwrap_or_else(|error| panic!("the suite of refresh stores: `{call}` failed: {error}"))
}

async fn fields(store: impl RefreshStore, clock: TestClock) {
    let store = Arc::new(store);
    let tokens = model::tokens(Arc::clone(&store), &clock);
    let odd = "a 'b' \"c\" %_*?[x]{y}\\z:\u{fc}\u{1f600};--";
    let long = "x".repeat(1000);
    let longer = "x".repeat(1001);
    let subjects = [
        "ada", "Ada", "ad", "a%", "a*", "a_", "ad_", "a?", "a.", "ada ", " ada", "ad\u{e4}", "1",
        "01", odd, &long, &longer,
    ];
    let mut opened = Vec::new();
    for subject in subjects {
        let login = Login::new(subject).client_id(odd).scope("a b").label(odd);
        opened.push(done(tokens.open(login).await, "create").session().clone());
    }
    let now = clock.unix_seconds();
    let check = |listed: &[Session], session: &Session, call: &str| {
        assert!(
            listed == slice::from_ref(session),
            "part 1 of the suite of refresh stores: `{call}` of the subject {:?} gives {}; only its own \
             session is right, as it was given to `create`: {session:?}",
            cut(session.subject()),
            of_subjects(listed)
        );
    };
    for session in &opened {
        check(&done(store.list(session.subject(), now).await, "list"), session, "list");
        let family = done(store.get(session.id(), now).await, "get");
        let read = family.as_ref().map(Family::session);
        assert!(
            read == Some(session),
            "part 1 of the suite of refresh stores: `get` gives {read:?}; the session is right as it was \
             given to `create`: {session:?}"
        );
    }
    let (first, rest) = opened.split_first().expect("there are several");
    let ended = done(store.end(first.id()).await, "end");
    check(ended.as_slice(), first, "end");
    for session in rest {
        check(&done(store.end_all(session.subject()).await, "end_all"), session, "end_all");
    }
    for session in &opened {
        let family = done(store.get(session.id(), now).await, "get");
        let listed = done(store.list(session.subject(), now).await, "list");
        assert!(
            family.is_none() && listed.is_empty(),
            "part 1 of the suite of refresh stores: a session of {:?} has ended; `get` gives {family:?}, \
             and `list` gives {}",
            cut(session.subject()),
            of_subjects(&listed)
        );
    }
}

/// The subjects of these sessions, as a message has them.
fn of_subjects(sessions: &[Session]) -> String {
    let subjects: Vec<_> = sessions.iter().map(|one| cut(one.subject())).collect();
    match subjects.is_empty() {
        true => "no session".to_owned(),
        false => format!("sessions of {subjects:?}: {}", cut(&format!("{sessions:?}"))),
    }
}

async fn ids(store: impl RefreshStore, clock: TestClock) {
    const PART: &str = "part 2 of the suite of refresh stores";
    let store = Arc::new(store);
    let tokens = model::tokens(Arc::clone(&store), &clock);
    let opened = done(tokens.open(Login::new("ada")).await, "create");
    let (id, now) = (opened.session().id().to_owned(), clock.unix_seconds());
    let family = done(store.get(&id, now).await, "get");
    let family = family.unwrap_or_else(|| panic!("{PART}: `get` does not find a new session"));
    assert!(family.session().id() == id, "{PART}: `get` gives a session of another id");
    assert!(
        store.create(family.clone(), now).await.is_err(),
        "{PART}: `create` took the id of a session that is there; it must fail"
    );
    let after = done(store.get(&id, now).await, "get");
    assert!(
        after.as_ref() == Some(&family),
        "{PART}: `create` failed, and changed the session that is there"
    );
    let swapped: String = id.chars().map(swapped).collect();
    // A wildcard of SQL in place of a letter; an id may have that character itself.
    let pattern = id.replacen(|letter: char| letter != '_', "_", 1);
    for other in ["another", "", "%", "*", "_", &swapped, &pattern, &format!("{id} ")] {
        let found = done(store.get(other, now).await, "get");
        assert!(
            found.is_none(),
            "{PART}: `get` of the id {other:?}, which does not exist, finds {id:?}"
        );
        let ended = done(store.end(other).await, "end");
        assert!(
            ended.is_none(),
            "{PART}: `end` of the id {other:?}, which does not exist, ends {id:?}"
        );
    }
    let ended = done(store.end(&id).await, "end");
    assert!(ended.is_some(), "{PART}: `end` does not give the session that it has ended");
    let again = done(store.end(&id).await, "end");
    assert!(again.is_none(), "{PART}: `end` gives a session that was ended before: {again:?}");
    let left = done(store.get(&id, now).await, "get");
    assert!(left.is_none(), "{PART}: `get` gives a session that has ended: {left:?}");
}

/// The letter in the other case.
fn swapped(letter: char) -> char {
    match letter.is_ascii_uppercase() {
        true => letter.to_ascii_lowercase(),
        false => letter.to_ascii_uppercase(),
    }
}
