//! Refresh tokens under attack: r01 to r05.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use http::{Request, Response};
use serde_json::Value;
use tokio::runtime;
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    error::{ErrorKind, StoreError},
    maybe_ready::MaybeReady,
    refresh::{
        Family, Login, MemoryRefreshStore, RefreshStore, RefreshTokens, Rotated, Rotation, Session,
        TokenStatus,
    },
    revocation::{Denylist, MemoryDenylist, Revocation, TokenIds},
    sessions::Sessions,
};

use super::{
    Answer, ask, issuer, presenting, set,
    tokens::{changed, tokens},
};
use crate::{
    privacy::{check, events},
    support::FixedClock,
};

pub(super) fn sessions(clock: &FixedClock) -> Sessions {
    let refresh = tokens(MemoryRefreshStore::new(), clock);
    Sessions::builder(issuer(clock).build().unwrap()).refresh_tokens(refresh).build().unwrap()
}

async fn refresh(sessions: &Sessions, token: &str) -> Answer {
    ask(sessions.refresh_service(), presenting(token)).await
}

/// The status of a request with this access token.
pub(super) async fn status(sessions: &Sessions, token: &str) -> u16 {
    let inner = service_fn(|_: Request<String>| async {
        Ok::<_, std::convert::Infallible>(Response::new(String::new()))
    });
    let service = sessions.layer().unwrap().layer(inner);
    let request = Request::get("/").header("authorization", format!("Bearer {token}"));
    let answer = service.oneshot(request.body(String::new()).unwrap()).await.unwrap();
    answer.status().as_u16()
}

fn text(answer: &Answer, name: &str) -> String {
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    body[name].as_str().unwrap().to_owned()
}

#[track_caller]
fn is_invalid_grant(answer: &Answer) {
    assert_eq!(answer.status, 401, "{answer:?}");
    assert!(answer.body.contains("invalid_grant"), "{answer:?}");
    assert_eq!(answer.headers["cache-control"], "no-store");
}

#[test]
fn r01_a_token_that_is_used_again_ends_its_family() {
    let clock = FixedClock::default();
    let sessions = sessions(&clock);
    let mut secrets = Vec::new();
    let said = events(|| {
        let runtime = runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let first = sessions.open(Login::new("ada")).await.unwrap();
            let other = sessions.open(Login::new("ada")).await.unwrap();
            let second = refresh(&sessions, first.refresh()).await;
            assert_eq!(second.status, 200, "{second:?}");
            let access = text(&second, "access_token");
            let body = access.split_once('.').unwrap().1.to_owned();
            let refresh_token = text(&second, "refresh_token");
            secrets = vec![body, first.refresh().to_owned(), refresh_token];
            assert_eq!(status(&sessions, &access).await, 200);
            set(&clock, 10);
            is_invalid_grant(&refresh(&sessions, first.refresh()).await);
            // Nobody can go on: neither the thief nor the one who was robbed.
            is_invalid_grant(&refresh(&sessions, &text(&second, "refresh_token")).await);
            for token in [&access, first.access().as_str()] {
                assert_eq!(status(&sessions, token).await, 401);
            }
            assert_eq!(refresh(&sessions, other.refresh()).await.status, 200);
            assert_eq!(sessions.list("ada").await.unwrap().len(), 1);
        });
    });
    check(&said, &secrets);
    if cfg!(feature = "tracing") {
        assert_eq!(said.matches("a spent refresh token was used").count(), 1, "{said}");
    }
}

#[tokio::test]
async fn r03_neither_token_passes_for_the_other() {
    let clock = FixedClock::default();
    let sessions = sessions(&clock);
    let tokens = sessions.open(Login::new("ada")).await.unwrap();
    assert_eq!(status(&sessions, tokens.refresh()).await, 401);
    is_invalid_grant(&refresh(&sessions, tokens.access().as_str()).await);
    // It has not harmed the session.
    assert_eq!(status(&sessions, tokens.access().as_str()).await, 200);
    assert_eq!(refresh(&sessions, tokens.refresh()).await.status, 200);
}

/// Notes all that a store is given.
#[derive(Clone, Default)]
struct Notes {
    store: MemoryRefreshStore,
    seen: Arc<Mutex<String>>,
}

impl Notes {
    fn note(&self, what: &str) {
        self.seen.lock().unwrap().push_str(what);
    }
}

impl RefreshStore for Notes {
    fn create(&self, family: Family, now: i64) -> MaybeReady<Result<(), StoreError>> {
        self.note(&serde_json::to_string(&family).unwrap());
        self.store.create(family, now)
    }

    fn get(&self, id: &str, now: i64) -> MaybeReady<Result<Option<Family>, StoreError>> {
        self.note(id);
        self.store.get(id, now)
    }

    fn rotate(&self, rotation: Rotation) -> MaybeReady<Result<Rotated, StoreError>> {
        let digests = [rotation.presented(), rotation.next(), rotation.salt()];
        self.note(&digests.map(|digest| digest.to_text()).join(" "));
        self.note(rotation.id());
        self.store.rotate(rotation)
    }

    fn list(&self, subject: &str, now: i64) -> MaybeReady<Result<Vec<Session>, StoreError>> {
        self.store.list(subject, now)
    }

    fn end(&self, id: &str) -> MaybeReady<Result<Option<Session>, StoreError>> {
        self.note(id);
        self.store.end(id)
    }

    fn end_all(&self, subject: &str) -> MaybeReady<Result<Vec<Session>, StoreError>> {
        self.store.end_all(subject)
    }
}

#[tokio::test]
async fn r04_guesses_are_refused_and_the_store_has_digests_alone() {
    let (notes, clock) = (Notes::default(), FixedClock::default());
    let tokens: RefreshTokens = tokens(notes.clone(), &clock);
    let first = tokens.open(Login::new("ada")).await.unwrap();
    let other = tokens.open(Login::new("ada")).await.unwrap();
    let text = first.token().as_str().to_owned();
    // Not of any family: those that are there go on.
    let guesses = [
        String::new(),
        text[..63].to_owned(),
        text[..22].to_owned(),
        format!("{text}A"),
        format!("{text} "),
        changed(&text, 0),
        "A".repeat(64),
        "ä".repeat(32),
    ];
    for guess in &guesses {
        let error = tokens.rotate(guess).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::RefreshToken, "{guess}");
        assert!(!matches!(tokens.token_status(guess).await.unwrap(), TokenStatus::Active(_)));
    }
    let second = tokens.rotate(&text).await.unwrap();
    // The name of one family and the secret of another: the first one ends.
    let mixed = format!("{}{}", &text[..24], &other.token().as_str()[24..]);
    let error = tokens.rotate(&mixed).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::RefreshTokenReused { .. }));
    assert!(tokens.rotate(second.token().as_str()).await.is_err());
    let third = tokens.rotate(other.token().as_str()).await.unwrap();

    let seen = notes.seen.lock().unwrap();
    for token in [&text, second.token().as_str(), other.token().as_str(), third.token().as_str()] {
        for part in [&token[..16], &token[24..40], &token[48..]] {
            assert!(!seen.contains(part), "{part} of {token} is in {seen}");
        }
    }
}

#[tokio::test]
async fn r05_a_session_ends_idle_or_old() {
    let (clock, store) = (FixedClock::default(), MemoryRefreshStore::new());
    let tokens = tokens(store.clone(), &clock);
    let refused = async |token: &str| {
        let error = tokens.rotate(token).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::RefreshToken);
        assert!(tokens.list("ada").await.unwrap().is_empty());
        assert_eq!(tokens.end_all("ada").await.unwrap(), [], "it is gone from the store");
    };
    let idle = tokens.open(Login::new("ada")).await.unwrap();
    set(&clock, 99);
    let idle = tokens.rotate(idle.token().as_str()).await.unwrap();
    set(&clock, 199);
    refused(idle.token().as_str()).await;

    let mut old = tokens.open(Login::new("ada")).await.unwrap();
    for time in [280, 370, 460, 498] {
        set(&clock, time);
        old = tokens.rotate(old.token().as_str()).await.unwrap();
        assert!(old.session().expires_at() <= old.session().absolute_expires_at());
    }
    set(&clock, 499);
    refused(old.token().as_str()).await;
}

#[tokio::test]
async fn nobody_has_more_sessions_than_there_may_be() {
    let clock = FixedClock::default();
    let builder = RefreshTokens::builder(MemoryRefreshStore::new()).clock(clock.clone());
    let tokens = builder.max_sessions(2).build().unwrap();
    let other = tokens.open(Login::new("grace")).await.unwrap();
    let mut opened = Vec::new();
    for second in 0..4 {
        set(&clock, second);
        opened.push(tokens.open(Login::new("ada")).await.unwrap());
    }
    let ids: Vec<_> = opened.iter().rev().take(2).map(|one| one.session().id()).collect();
    let list = tokens.list("ada").await.unwrap();
    assert_eq!(list.iter().map(Session::id).collect::<Vec<_>>(), ids, "the newest ones");
    assert!(tokens.rotate(opened[0].token().as_str()).await.is_err());
    assert!(tokens.rotate(opened[3].token().as_str()).await.is_ok());
    assert!(tokens.rotate(other.token().as_str()).await.is_ok(), "of somebody else");
}

/// A list that may refuse to be written.
struct Mute(MemoryDenylist, AtomicBool);

impl Denylist for Mute {
    fn revoke(&self, revocation: Revocation) -> MaybeReady<Result<(), StoreError>> {
        if self.1.load(Ordering::Relaxed) {
            return MaybeReady::Ready(Err(StoreError::new("no answer")));
        }
        self.0.revoke(revocation)
    }

    fn is_revoked(&self, token: TokenIds<'_>) -> MaybeReady<Result<bool, StoreError>> {
        self.0.is_revoked(token)
    }
}

#[tokio::test]
async fn a_theft_that_is_seen_while_the_list_is_down_is_not_forgotten() {
    let clock = FixedClock::default();
    let list = Arc::new(Mute(MemoryDenylist::new(), false.into()));
    let refresh = tokens(MemoryRefreshStore::new(), &clock);
    let sessions = Sessions::builder(issuer(&clock).build().unwrap())
        .refresh_tokens(refresh)
        .denylist(Arc::clone(&list))
        .build()
        .unwrap();
    let stolen = sessions.open(Login::new("ada")).await.unwrap();
    let thief = sessions.refresh(stolen.refresh()).await.unwrap();
    set(&clock, 30);
    list.1.store(true, Ordering::Relaxed);
    let error = sessions.refresh(stolen.refresh()).await.unwrap_err();
    assert!(error.is_server_fault());
    list.1.store(false, Ordering::Relaxed);
    let error = sessions.refresh(stolen.refresh()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::RefreshTokenReused { .. }));
    let verifier = sessions.verifier_builder().claims::<serde_json::Value>().build().unwrap();
    let error = verifier.verify(thief.access().as_str()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Revoked);
}
