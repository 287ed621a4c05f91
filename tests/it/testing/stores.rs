//! The fakes, and the suites of stores: each finds a store that is wrong in one way.

use std::{
    sync::{Arc, Mutex},
    time::UNIX_EPOCH,
};

use tower_jwt_auth::{
    error::StoreError,
    maybe_ready::MaybeReady,
    refresh::{
        Family, Login, MemoryRefreshStore, RefreshStore, RefreshTokens, Rotated, Rotation, Session,
    },
    revocation::{Denylist, MemoryDenylist, Revocation, TokenIds},
    testing::{TestClock, TestDenylist, TestRefreshStore, conformance},
};

/// What is wrong with a store of refresh tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Overwrites,
    ReadsBeforeItWrites,
    KeepsReused,
    ForgetsGrace,
    ListsExpired,
    ListsByPrefix,
    LosesLabel,
    EndsOnlyOne,
    NeverEnds,
    GetsExpired,
    TakesWildcards,
    DisplacesForAll,
    DisplacesNewest,
}

#[derive(Clone)]
struct Wrong(Fault, Arc<Mutex<Vec<Family>>>);

impl Wrong {
    fn has(&self, fault: Fault) -> bool {
        self.0 == fault
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&mut Vec<Family>) -> T,
    ) -> MaybeReady<Result<T, StoreError>> {
        MaybeReady::Ready(Ok(work(&mut self.1.lock().unwrap())))
    }
}

/// Whether the text is like the pattern, as SQL says with `_`.
fn is_like(text: &str, pattern: &str) -> bool {
    let mut letters = pattern.chars();
    let same = |letter: char| letters.next().is_some_and(|one| one == '_' || one == letter);
    text.chars().count() == pattern.chars().count() && text.chars().all(same)
}

fn is(id: &str) -> impl Fn(&Family) -> bool {
    move |family| family.session().id() == id
}

impl RefreshStore for Wrong {
    fn create(&self, mut family: Family, _: i64) -> MaybeReady<Result<(), StoreError>> {
        let mut families = self.1.lock().unwrap();
        if self.has(Fault::LosesLabel) {
            let mut json = serde_json::to_value(&family).unwrap();
            json["session"]["label"].take();
            family = serde_json::from_value(json).unwrap();
        }
        if families.iter().any(is(family.session().id())) && !self.has(Fault::Overwrites) {
            return MaybeReady::Ready(Err(StoreError::new("it is there")));
        }
        families.push(family);
        MaybeReady::Ready(Ok(()))
    }

    fn get(&self, id: &str, now: i64) -> MaybeReady<Result<Option<Family>, StoreError>> {
        self.with(|families| {
            let found = families.iter().find(|family| is(id)(family)).cloned();
            let expired = self.has(Fault::GetsExpired);
            found.filter(|family| expired || family.session().expires_at() > now)
        })
    }

    fn rotate(&self, rotation: Rotation) -> MaybeReady<Result<Rotated, StoreError>> {
        let store = self.clone();
        MaybeReady::pending(async move {
            let found = store.1.lock().unwrap().iter().find(|one| is(rotation.id())(one)).cloned();
            let Some(mut family) = found else { return Ok(Rotated::Unknown) };
            if store.has(Fault::ReadsBeforeItWrites) {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            let mut families = store.1.lock().unwrap();
            if !store.has(Fault::ReadsBeforeItWrites) {
                // In one step, after all: nobody else has held the lock for long.
                match families.iter().find(|one| is(rotation.id())(one)) {
                    Some(present) => family = present.clone(),
                    None => return Ok(Rotated::Unknown),
                }
            }
            if store.has(Fault::ForgetsGrace) {
                let mut json = serde_json::to_value(&family).unwrap();
                json.as_object_mut().unwrap().remove("previous");
                family = serde_json::from_value(json).unwrap();
            }
            let rotated = family.rotate(&rotation);
            families.retain(|one| !is(rotation.id())(one));
            match &rotated {
                Rotated::Reused(_) if store.has(Fault::KeepsReused) => families.push(family),
                Rotated::Reused(_) | Rotated::Expired => {}
                _ => families.push(family),
            }
            Ok(rotated)
        })
    }

    fn list(&self, subject: &str, now: i64) -> MaybeReady<Result<Vec<Session>, StoreError>> {
        self.with(|families| {
            let sessions = families.iter().map(Family::session);
            let of_subject = sessions.filter(|session| match self.0 {
                Fault::ListsByPrefix => session.subject().starts_with(subject),
                Fault::TakesWildcards => is_like(session.subject(), subject),
                _ => session.subject() == subject,
            });
            let expired = self.has(Fault::ListsExpired);
            of_subject.filter(|one| expired || one.expires_at() > now).cloned().collect()
        })
    }

    fn displace(
        &self,
        subject: &str,
        most: usize,
        now: i64,
    ) -> MaybeReady<Result<Option<Vec<Session>>, StoreError>> {
        if !self.has(Fault::DisplacesForAll) && !self.has(Fault::DisplacesNewest) {
            return MaybeReady::Ready(Ok(None));
        }
        self.with(|families| {
            let sessions = families.iter().map(Family::session);
            let mut all: Vec<_> =
                sessions.filter(|one| one.subject() == subject && one.expires_at() > now).collect();
            all.sort_by_key(|session| std::cmp::Reverse(session.created_at()));
            if self.has(Fault::DisplacesForAll) {
                return Some(all.into_iter().skip(most).cloned().collect());
            }
            let given: Vec<_> = all.into_iter().rev().skip(most).cloned().collect();
            families.retain(|family| !given.contains(family.session()));
            Some(given)
        })
    }

    fn end(&self, id: &str) -> MaybeReady<Result<Option<Session>, StoreError>> {
        self.with(|families| {
            let at = families.iter().position(is(id))?;
            Some(match self.has(Fault::NeverEnds) {
                true => families[at].session().clone(),
                false => families.remove(at).session().clone(),
            })
        })
    }

    fn end_all(&self, subject: &str) -> MaybeReady<Result<Vec<Session>, StoreError>> {
        self.with(|families| {
            let (mut ended, mut kept) = (Vec::new(), Vec::new());
            for family in families.drain(..) {
                let more = ended.is_empty() || !self.has(Fault::EndsOnlyOne);
                match family.session().subject() == subject && more {
                    true => ended.push(family.session().clone()),
                    false => kept.push(family),
                }
            }
            *families = kept;
            ended
        })
    }
}

/// The message of a suite that fails.
fn failure<F: Future<Output = ()>>(suite: impl FnOnce() -> F + Send + 'static) -> Option<String> {
    let work = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(suite());
    };
    let panic = std::thread::spawn(work).join().err()?;
    Some(panic.downcast_ref::<String>().expect("the message has values").clone())
}

#[test]
fn the_suite_of_refresh_stores_finds_each_fault() {
    let suite = |fault| {
        failure(move || conformance::refresh_store(async move |_| Wrong(fault, Arc::default())))
    };
    for (fault, parts) in [
        (Fault::Overwrites, ["part 2", "`create` took the id"]),
        (Fault::ReadsBeforeItWrites, ["part 4", "in one step"]),
        (Fault::KeepsReused, ["part 7", "`list` of ada gives 1 sessions, and 0 is right"]),
        (
            Fault::ForgetsGrace,
            ["part 4", "of a hundred rotations of one token at once, 99 were refused"],
        ),
        (
            Fault::ListsByPrefix,
            ["part 1", "`list` of the subject \"ada\" gives sessions of [\"ada\", \"ada"],
        ),
        (Fault::LosesLabel, ["part 1", "as it was given to `create`"]),
        (Fault::EndsOnlyOne, ["part 7", "a session of"]),
        (Fault::NeverEnds, ["part 1", "has ended; `get` gives Some"]),
        (Fault::ListsExpired, ["part 5", "`list` gives"]),
        (Fault::GetsExpired, ["part 5", "`None` is right"]),
        (Fault::TakesWildcards, ["part 1", "`list` of the subject \"a_\" gives"]),
        (Fault::DisplacesForAll, ["part 6", "to 20 of twenty callers; 1 is right"]),
        (Fault::DisplacesNewest, ["part 6", "the newest three of 4 sessions remain"]),
    ] {
        let said = suite(fault).unwrap_or_else(|| panic!("{fault:?} passes"));
        for part in parts {
            assert!(said.contains(part), "{fault:?}: {part} is not in: {said}");
        }
        assert!(said.len() < 4000, "{fault:?}: {said}");
    }
}

#[test]
fn the_suite_of_refresh_stores_wants_several_threads() {
    let on_one_thread = || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(conformance::refresh_store(async |_| MemoryRefreshStore::new()));
    };
    let panic = std::thread::spawn(on_one_thread).join().unwrap_err();
    assert!(panic.downcast_ref::<&str>().is_some_and(|said| said.contains("multi_thread")));
}

/// The time of the system, in seconds since 1970.
fn unix_seconds() -> i64 {
    i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap()
}

/// A list that is wrong in one way.
struct WrongList(ListFault, MemoryDenylist, Mutex<Vec<Revocation>>, TestClock);

#[derive(Clone, Copy, Debug)]
enum ListFault {
    Nothing,
    ForgetsAll,
    LastOneWins,
    FirstOneWins,
    IgnoresIssuer,
    MixesNames,
    IgnoresTime,
    AcceptsWithoutTime,
    ForgetsSoon,
    ForgetsAfterADay,
    LastEndWins,
    FirstEndWins,
    DropsNonAscii,
    CutsNames,
}

impl WrongList {
    /// The name of an entry, by what the list keeps of it.
    fn kept(&self, key: &str) -> String {
        match self.0 {
            ListFault::DropsNonAscii => key.chars().filter(char::is_ascii).collect(),
            ListFault::CutsNames => key.chars().take(70).collect(),
            _ => key.to_owned(),
        }
    }

    fn revoked(&self, token: TokenIds<'_>) -> bool {
        let all = self.2.lock().unwrap();
        let keys: Vec<_> = token.keys().map(|key| self.kept(&key)).collect();
        let now = self.3.unix_seconds();
        all.iter().any(|one| {
            let named = keys.contains(&self.kept(&one.key()));
            let ends: Vec<_> = all
                .iter()
                .filter(|other| other.key() == one.key())
                .map(Revocation::keep_until)
                .collect();
            let is_over = match self.0 {
                ListFault::ForgetsSoon => one.keep_until() <= now + 3898,
                ListFault::ForgetsAfterADay => now > unix_seconds() + 24 * 3600,
                ListFault::LastEndWins => *ends.last().unwrap() <= now,
                ListFault::FirstEndWins => *ends.iter().min().unwrap() <= now,
                _ => false,
            };
            let is_in_time = one.issued_until().is_none_or(|time| token.is_issued_until(time));
            named && is_in_time && !is_over
        })
    }
}

impl Denylist for WrongList {
    fn revoke(&self, revocation: Revocation) -> MaybeReady<Result<(), StoreError>> {
        let mut all = self.2.lock().unwrap();
        let same = |one: &Revocation| one.key() == revocation.key();
        match self.0 {
            ListFault::ForgetsAll => return MaybeReady::Ready(Ok(())),
            ListFault::LastOneWins => all.retain(|one| !same(one)),
            ListFault::FirstOneWins if all.iter().any(same) => return MaybeReady::Ready(Ok(())),
            _ => {}
        }
        all.push(revocation);
        MaybeReady::Ready(Ok(()))
    }

    fn is_revoked(&self, token: TokenIds<'_>) -> MaybeReady<Result<bool, StoreError>> {
        let all = self.2.lock().unwrap().clone();
        let json = |one: &Revocation| serde_json::to_value(one).unwrap();
        let ids = [token.token_id(), token.session_id(), token.subject()];
        let names = |one: &Revocation, at: usize| {
            let name = ["token", "session", "subject"][at];
            let value = &json(one)[name];
            let text = value.as_str().or(value["subject"].as_str()).map(str::to_owned);
            text.filter(|text| ids[at] == Some(text)).is_some()
        };
        let answer = match self.0 {
            ListFault::IgnoresIssuer => self.revoked(token) || all.iter().any(|one| names(one, 0)),
            ListFault::MixesNames => {
                let text = |one: &Revocation| json(one)["token"].as_str().map(str::to_owned);
                self.revoked(token)
                    || all.iter().filter_map(text).any(|id| ids.contains(&Some(&*id)))
            }
            ListFault::IgnoresTime => {
                all.iter().any(|one| token.keys().any(|key| key == one.key()))
            }
            ListFault::AcceptsWithoutTime => {
                self.revoked(token) && (token.issued_at().is_some() || token.subject().is_none())
            }
            _ => self.revoked(token),
        };
        drop(MaybeReady::Ready(self.1.len()));
        MaybeReady::Ready(Ok(answer))
    }
}

#[test]
fn the_suite_of_denylists_finds_each_fault() {
    let suite = |fault: ListFault| {
        failure(move || {
            conformance::denylist(async move |clock| {
                let memory = MemoryDenylist::builder().clock(clock.clone()).build().unwrap();
                WrongList(fault, memory, Mutex::default(), clock)
            })
        })
    };
    assert_eq!(suite(ListFault::Nothing), None);
    for (fault, parts) in [
        (ListFault::ForgetsAll, ["part 1", "a verifier with this list accepted it"]),
        (ListFault::LastOneWins, ["part 2", "`is_revoked` says false, and true is right"]),
        (ListFault::FirstOneWins, ["part 1", "a verifier with this list accepted it"]),
        (ListFault::IgnoresIssuer, ["part 1", "refused it"]),
        (ListFault::MixesNames, ["part 1", "refused it"]),
        (ListFault::IgnoresTime, ["part 1", "refused it"]),
        (ListFault::AcceptsWithoutTime, ["part 2", "without `iat`"]),
        (ListFault::ForgetsSoon, ["part 3", "the later end holds"]),
        (ListFault::ForgetsAfterADay, ["part 4", "its time (`keep_until`) is not over"]),
        (ListFault::LastEndWins, ["part 3", "\"soon-last\""]),
        (ListFault::FirstEndWins, ["part 3", "the later end holds"]),
        (ListFault::DropsNonAscii, ["part 5", "whatever their characters"]),
        (ListFault::CutsNames, ["part 5", "their length"]),
    ] {
        let said = suite(fault).unwrap_or_else(|| panic!("{fault:?} passes"));
        for part in parts {
            assert!(said.contains(part), "{fault:?}: {part} is not in: {said}");
        }
        assert!(said.contains("revoked so far, in this order: "), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fakes_are_stores_as_good_as_any() {
    conformance::refresh_store(async |_| TestRefreshStore::new()).await;
    conformance::denylist(async |clock| TestDenylist::new().with_clock(clock)).await;
    // Around a store of one's own, too.
    conformance::denylist(async |_| TestDenylist::around(MemoryDenylist::new())).await;
}

#[tokio::test]
async fn a_switch_is_that_of_all_clones() {
    let store = TestRefreshStore::new();
    let tokens = RefreshTokens::builder(store.clone()).build().unwrap();
    let opened = tokens.open(Login::new("ada")).await.unwrap();
    let calls = store.calls();
    store.fail();
    let error = tokens.rotate(opened.token().as_str()).await.unwrap_err();
    assert!(error.is_server_fault());
    assert_eq!(store.calls(), calls + 1);
    store.recover();
    let next = tokens.rotate(opened.token().as_str()).await.unwrap();
    assert!(!next.is_repeated(), "the call that failed had no effect");

    store.lose_answers();
    assert!(tokens.end(next.session().id()).await.is_err());
    store.recover();
    assert!(tokens.list("ada").await.unwrap().is_empty(), "it had an effect");

    let list = TestDenylist::new();
    list.clone().lose_answers();
    assert!(list.revoke(Revocation::token("i", "j", i64::MAX)).await.is_err());
    assert_eq!((list.get_ref().len(), list.calls()), (1, 1));
}

/// A list reports to an observer through the fake.
#[test]
fn the_fake_reports_as_its_list_does() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tower_jwt_auth::observe::{DenylistReport, Observer};

    #[derive(Default)]
    struct Counts(AtomicUsize);
    impl Observer for Counts {
        fn denylist(&self, _: &DenylistReport) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let counts = Arc::new(Counts::default());
    let list = TestDenylist::new();
    list.observe(Arc::clone(&counts) as Arc<dyn Observer>);
    let revoked = list.revoke(Revocation::token("i", "j", i64::MAX)).now_or_never();
    assert!(revoked.is_some_and(|answer| answer.is_ok()));
    assert!(counts.0.load(Ordering::SeqCst) > 0);
}
