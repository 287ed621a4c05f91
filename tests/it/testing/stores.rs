//! The fakes, and the suites of stores: each finds a store that is wrong in one way.

use std::sync::{Arc, Mutex};

use tower_jwt_auth::{
    error::StoreError,
    maybe_ready::MaybeReady,
    refresh::{
        Family, Login, MemoryRefreshStore, RefreshStore, RefreshTokens, Rotated, Rotation, Session,
    },
    revocation::{Denylist, MemoryDenylist, Revocation, TokenIds},
    testing::{TestDenylist, TestRefreshStore, conformance},
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
            found.filter(|family| family.session().expires_at() > now)
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
            let of_subject = sessions.filter(|session| match self.has(Fault::ListsByPrefix) {
                true => session.subject().starts_with(subject),
                false => session.subject() == subject,
            });
            let expired = self.has(Fault::ListsExpired);
            of_subject.filter(|one| expired || one.expires_at() > now).cloned().collect()
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

/// Whether a suite fails.
pub(super) fn fails<F: Future<Output = ()>>(suite: impl FnOnce() -> F + Send + 'static) -> bool {
    let work = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(suite());
    };
    std::thread::spawn(work).join().is_err()
}

#[test]
fn the_suite_of_refresh_stores_finds_each_fault() {
    for fault in [
        Fault::Overwrites,
        Fault::ReadsBeforeItWrites,
        Fault::KeepsReused,
        Fault::ForgetsGrace,
        Fault::ListsByPrefix,
        Fault::LosesLabel,
        Fault::EndsOnlyOne,
        Fault::NeverEnds,
    ] {
        let make = move || conformance::refresh_store(async move |_| Wrong(fault, Arc::default()));
        assert!(fails(make), "{fault:?} passes");
    }
    // Whoever uses it filters again, so this is no fault that anybody sees.
    let make = || conformance::refresh_store(async |_| Wrong(Fault::ListsExpired, Arc::default()));
    assert!(!fails(make));
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

/// A list that is wrong in one way.
struct WrongList(ListFault, MemoryDenylist, Mutex<Vec<Revocation>>);

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
}

impl WrongList {
    fn revoked(&self, token: TokenIds<'_>) -> bool {
        let all = self.2.lock().unwrap();
        let keys: Vec<_> = token.keys().collect();
        all.iter().any(|one| {
            let named = keys.contains(&one.key());
            named && one.issued_until().is_none_or(|time| token.is_issued_until(time))
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
    let fails = |fault: ListFault| {
        fails(move || {
            conformance::denylist(async move |clock| {
                let memory = MemoryDenylist::builder().clock(clock).build().unwrap();
                WrongList(fault, memory, Mutex::default())
            })
        })
    };
    assert!(!fails(ListFault::Nothing));
    for fault in [
        ListFault::ForgetsAll,
        ListFault::LastOneWins,
        ListFault::FirstOneWins,
        ListFault::IgnoresIssuer,
        ListFault::MixesNames,
        ListFault::IgnoresTime,
        ListFault::AcceptsWithoutTime,
    ] {
        assert!(fails(fault), "{fault:?} passes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fakes_are_stores_as_good_as_any() {
    conformance::refresh_store(async |_| TestRefreshStore::new()).await;
    conformance::denylist(async |clock| TestDenylist::with_clock(clock)).await;
    // Around a store of one's own, too.
    conformance::denylist(async |_| TestDenylist::around(MemoryDenylist::new())).await;
}

#[tokio::test]
async fn a_switch_is_that_of_all_clones() {
    let store = TestRefreshStore::new();
    let tokens = RefreshTokens::builder(store.clone()).build().unwrap();
    let opened = tokens.open(Login::new("ada")).await.unwrap();
    let calls = store.calls();
    store.fail(true);
    let error = tokens.rotate(opened.token().as_str()).await.unwrap_err();
    assert!(error.is_server_fault());
    assert_eq!(store.calls(), calls + 1);
    store.fail(false);
    let next = tokens.rotate(opened.token().as_str()).await.unwrap();
    assert!(!next.is_repeated(), "the call that failed had no effect");

    store.lose_answers(true);
    assert!(tokens.end(next.session().id()).await.is_err());
    store.lose_answers(false);
    assert!(tokens.list("ada").await.unwrap().is_empty(), "it had an effect");

    let list = TestDenylist::new();
    list.clone().lose_answers(true);
    assert!(list.revoke(Revocation::token("i", "j", i64::MAX)).await.is_err());
    assert_eq!((list.get_ref().len(), list.calls()), (1, 1));
}
