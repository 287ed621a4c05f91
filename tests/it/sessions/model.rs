//! A store of refresh families against a model that remembers every token.
//!
//! [`check_store`] is for every store: give it one that is empty each time.

use std::{slice, sync::Arc, time::Duration};

use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{FileFailurePersistence, TestRunner},
};
use tokio::{runtime::Runtime, sync::Barrier};
use tower_jwt_auth::{
    error::ErrorKind,
    refresh::{Login, RefreshStore, RefreshTokens, Session, TokenStatus},
};

use super::set;
use crate::fixed::{FixedClock, NOW};

const GRACE: u64 = 10;
const IDLE: u64 = 100;
const ABSOLUTE: u64 = 300;
const SUBJECTS: [&str; 2] = ["ada", "grace"];

/// What somebody does; a number chooses among the families that were ever opened.
#[derive(Clone, Debug)]
enum Act {
    Login(usize),
    /// Presents the newest token, or one that is so many older.
    Present(usize, usize),
    /// A token of the family that never was.
    Guess(usize),
    /// A token of no family.
    Stray(usize),
    End(usize),
    EndAll(usize),
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let family = || 0..6usize;
    let times = vec![1, 2, GRACE - 1, GRACE, GRACE + 1, IDLE - 1, IDLE, IDLE + 1, ABSOLUTE];
    prop_oneof![
        3 => (0..2usize).prop_map(Act::Login),
        8 => (family(), select(vec![0, 0, 0, 1, 1, 2, 3])).prop_map(|(f, t)| Act::Present(f, t)),
        1 => family().prop_map(Act::Guess),
        1 => family().prop_map(Act::Stray),
        1 => family().prop_map(Act::End),
        1 => (0..2usize).prop_map(Act::EndAll),
        4 => select(times).prop_map(Act::Wait),
    ]
}

/// A login, with all the tokens that it ever had and when each was spent.
struct History {
    id: String,
    subject: usize,
    opened: u64,
    refreshed: u64,
    tokens: Vec<(String, Option<u64>)>,
    ended: bool,
}

/// What is to come of a token.
#[derive(Debug, PartialEq)]
enum Outcome {
    New,
    Again(String),
    Refused,
    Stolen,
}

impl History {
    fn is_over(&self, now: u64) -> bool {
        self.ended || now >= self.refreshed + IDLE || now >= self.opened + ABSOLUTE
    }

    fn outcome(&self, at: usize, now: u64) -> Outcome {
        let (spent, next) = (self.tokens[at].1, self.tokens.get(at + 1));
        match (spent, next) {
            _ if self.is_over(now) => Outcome::Refused,
            (None, _) => Outcome::New,
            (Some(spent), Some((next, None))) if now < spent + GRACE => {
                Outcome::Again(next.clone())
            }
            _ => Outcome::Stolen,
        }
    }
}

struct World {
    tokens: RefreshTokens,
    clock: FixedClock,
    /// Seconds since [`NOW`].
    now: u64,
    histories: Vec<History>,
}

impl World {
    fn new(store: impl RefreshStore) -> Self {
        let clock = FixedClock::default();
        Self { tokens: tokens(store, &clock), clock, now: 0, histories: Vec::new() }
    }

    async fn act(&mut self, act: &Act) {
        let count = self.histories.len().max(1);
        match *act {
            Act::Login(subject) => self.login(subject).await,
            Act::Wait(seconds) => {
                self.now += seconds;
                set(&self.clock, self.now);
            }
            Act::EndAll(subject) => {
                let ended = self.tokens.end_all(SUBJECTS[subject]).await.unwrap();
                self.ended(|history| history.subject == subject, &ended);
            }
            Act::Present(family, _)
            | Act::Guess(family)
            | Act::Stray(family)
            | Act::End(family)
                if self.histories.is_empty() =>
            {
                let _ = family;
            }
            Act::Present(family, back) => self.present(family % count, back).await,
            Act::Guess(family) => self.guess(family % count).await,
            Act::Stray(family) => {
                let stray = changed(&self.histories[family % count].tokens[0].0, 0);
                assert_eq!(self.refusal(&stray).await, ErrorKind::RefreshToken);
            }
            Act::End(family) => {
                let id = self.histories[family % count].id.clone();
                let ended = self.tokens.end(&id).await.unwrap();
                self.ended(|history| history.id == id, ended.as_slice());
            }
        }
        self.compare().await;
    }

    async fn login(&mut self, subject: usize) {
        let opened = self.tokens.open(Login::new(SUBJECTS[subject])).await.unwrap();
        assert!(!opened.is_repeated());
        self.histories.push(History {
            id: opened.session().id().into(),
            subject,
            opened: self.now,
            refreshed: self.now,
            tokens: vec![(opened.token().as_str().into(), None)],
            ended: false,
        });
    }

    async fn present(&mut self, family: usize, back: usize) {
        let now = self.now;
        let history = &mut self.histories[family];
        let at = history.tokens.len().saturating_sub(1 + back);
        let expected = history.outcome(at, now);
        match self.tokens.rotate(&history.tokens[at].0).await {
            Ok(opened) => {
                let token = opened.token().as_str().to_owned();
                assert_eq!(opened.session().id(), history.id);
                if opened.is_repeated() {
                    assert_eq!(expected, Outcome::Again(token));
                } else {
                    assert_eq!(expected, Outcome::New);
                    assert!(history.tokens.iter().all(|(old, _)| *old != token));
                    history.tokens[at].1 = Some(now);
                    history.tokens.push((token, None));
                    history.refreshed = now;
                }
            }
            Err(error) => match error.kind() {
                ErrorKind::RefreshToken => {
                    assert_eq!(expected, Outcome::Refused);
                    history.ended = true;
                }
                ErrorKind::RefreshTokenReused { session, .. } => {
                    assert_eq!((&**session, expected), (&*history.id, Outcome::Stolen));
                    history.ended = true;
                }
                other => panic!("{other:?}"),
            },
        }
    }

    async fn guess(&mut self, family: usize) {
        let history = &self.histories[family];
        let guessed = changed(&history.tokens[0].0, 63);
        let expected = match history.is_over(self.now) {
            true => None,
            false => Some(&*history.id),
        };
        let reused = match self.refusal(&guessed).await {
            ErrorKind::RefreshToken => None,
            ErrorKind::RefreshTokenReused { session, .. } => Some(session),
            other => panic!("{other:?}"),
        };
        assert_eq!(reused.as_deref(), expected);
        self.histories[family].ended = true;
    }

    async fn refusal(&self, token: &str) -> ErrorKind {
        self.tokens.rotate(token).await.unwrap_err().kind().clone()
    }

    /// These have ended; a store may or may not have known those whose time was over.
    fn ended(&mut self, these: impl Fn(&History) -> bool, said: &[Session]) {
        let now = self.now;
        for history in self.histories.iter_mut() {
            let is_said = said.iter().any(|session| session.id() == history.id);
            if !these(history) || history.ended {
                assert!(!is_said, "it had not to end, or had ended before");
            } else {
                assert!(is_said || history.is_over(now), "nobody says that it has ended");
                history.ended = true;
            }
        }
    }

    /// What can be seen from outside is what the model says.
    async fn compare(&self) {
        for (place, subject) in SUBJECTS.iter().enumerate() {
            let listed = self.tokens.list(subject).await.unwrap();
            let mut listed: Vec<_> = listed.iter().map(|session| session.id().to_owned()).collect();
            let alive = |history: &&History| history.subject == place && !history.is_over(self.now);
            let mut expected: Vec<_> =
                self.histories.iter().filter(alive).map(|history| history.id.clone()).collect();
            listed.sort();
            expected.sort();
            assert_eq!(listed, expected);
        }
        for history in &self.histories {
            for at in 0..history.tokens.len() {
                let takes =
                    matches!(history.outcome(at, self.now), Outcome::New | Outcome::Again(_));
                let standing = self.tokens.token_status(&history.tokens[at].0).await.unwrap();
                let session = match &standing {
                    TokenStatus::Active(session) => Some(session),
                    _ => None,
                };
                assert_eq!(session.is_some(), takes, "token {at} of {}", history.tokens.len());
                if let Some(session) = session {
                    let time = |seconds: u64| i64::try_from(NOW + seconds).unwrap();
                    assert_eq!(session.subject(), SUBJECTS[history.subject]);
                    assert_eq!(session.created_at(), time(history.opened));
                    assert_eq!(session.refreshed_at(), time(history.refreshed));
                    let until = (history.refreshed + IDLE).min(history.opened + ABSOLUTE);
                    assert_eq!(session.expires_at(), time(until));
                }
            }
        }
    }
}

pub(crate) fn tokens(store: impl RefreshStore, clock: &FixedClock) -> RefreshTokens {
    let seconds = Duration::from_secs;
    RefreshTokens::builder(store)
        .grace(seconds(GRACE))
        .idle_lifetime(seconds(IDLE))
        .absolute_lifetime(seconds(ABSOLUTE))
        .clock(clock.clone())
        .build()
        .unwrap()
}

/// The text with another letter at this place.
pub(crate) fn changed(text: &str, at: usize) -> String {
    let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}

/// Checks that a store behaves as the model does, so many times with one that is empty;
/// that of many rotations at once one wins; and that an id is not taken twice.
///
/// It is a test's whole body: it has a runtime of its own.
pub(crate) fn check_store<S: RefreshStore + Clone>(cases: u32, make: impl AsyncFn() -> S) {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        check_ids(make().await).await;
        check_race(make().await).await;
    });
    let failure_persistence = Some(Box::new(FileFailurePersistence::Off) as Box<_>);
    let config = ProptestConfig { cases, failure_persistence, ..ProptestConfig::default() };
    let ran = TestRunner::new(config).run(&vec(act(), 1..50), |acts| {
        runtime.block_on(async {
            let mut world = World::new(make().await);
            world.login(0).await;
            for act in &acts {
                world.act(act).await;
            }
        });
        Ok(())
    });
    if let Err(error) = ran {
        panic!("{error}");
    }
}

/// Checks that a store keeps what a login says of its end, over rotations. It is a test's whole
/// body.
pub(crate) fn check_lifetimes<S: RefreshStore + Clone>(make: impl AsyncFn() -> S) {
    let seconds = Duration::from_secs;
    Runtime::new().unwrap().block_on(async {
        let (store, clock) = (make().await, FixedClock::default());
        let tokens = RefreshTokens::builder(store.clone())
            .idle_lifetime(seconds(1000))
            .browser_idle_lifetime(seconds(100))
            .absolute_lifetime(seconds(3000))
            .grace(seconds(0))
            .clock(clock.clone())
            .build()
            .unwrap();
        let login = Login::new("ada").until_browser_closes().lifetime(seconds(250));
        let mut short = tokens.open(login).await.unwrap();
        let mut usual = tokens.open(Login::new("grace")).await.unwrap();
        for now in [90, 180, 240] {
            set(&clock, now);
            short = tokens.rotate(short.token().as_str()).await.unwrap();
            usual = tokens.rotate(usual.token().as_str()).await.unwrap();
            let at = |time: u64| i64::try_from(NOW + time).unwrap();
            for (session, ends) in
                [(short.session(), (now + 100).min(250)), (usual.session(), now + 1000)]
            {
                assert_eq!(session.expires_at(), at(ends));
                let family = store.get(session.id(), at(now)).await.unwrap().unwrap();
                assert_eq!(family.session(), session, "as it is stored");
                let listed = tokens.list(session.subject()).await.unwrap();
                assert_eq!(listed, slice::from_ref(session));
            }
            assert!(short.session().ends_with_browser());
            assert!(!usual.session().ends_with_browser());
        }
        set(&clock, 250);
        assert!(tokens.rotate(short.token().as_str()).await.is_err());
        let idle = tokens.open(Login::new("ada").until_browser_closes()).await.unwrap();
        set(&clock, 350);
        assert!(tokens.rotate(idle.token().as_str()).await.is_err(), "idle for too long");
        assert!(tokens.rotate(usual.token().as_str()).await.is_ok());
    });
}

async fn check_ids<S: RefreshStore + Clone>(store: S) {
    let opened = tokens(store.clone(), &FixedClock::default()).open(Login::new("ada")).await;
    let (id, now) = (opened.unwrap().session().id().to_owned(), i64::try_from(NOW).unwrap());
    let family = store.get(&id, now).await.unwrap().expect("it was opened");
    assert_eq!(family.session().id(), id);
    assert!(store.create(family.clone(), now).await.is_err(), "it is there");
    assert_eq!(store.get(&id, now).await.unwrap(), Some(family));
    assert_eq!(store.end("another").await.unwrap(), None);
    assert!(store.end(&id).await.unwrap().is_some());
    assert_eq!(store.get(&id, now).await.unwrap(), None);
}

/// One token a hundred times at once: one successor, and one live token.
pub(crate) async fn check_race<S: RefreshStore>(store: S) {
    let tokens = tokens(store, &FixedClock::default());
    let first = tokens.open(Login::new("ada")).await.unwrap();
    let barrier = Arc::new(Barrier::new(100));
    let all = (0..100).map(|_| {
        let (tokens, barrier) = (tokens.clone(), Arc::clone(&barrier));
        let token = first.token().as_str().to_owned();
        tokio::spawn(async move {
            barrier.wait().await;
            let opened = tokens.rotate(&token).await.unwrap();
            (opened.token().as_str().to_owned(), opened.is_repeated())
        })
    });
    let mut given = Vec::new();
    for one in all.collect::<Vec<_>>() {
        given.push(one.await.unwrap());
    }
    assert_eq!(given.iter().filter(|(_, repeated)| !repeated).count(), 1, "one has won");
    assert!(given.iter().all(|(token, _)| *token == given[0].0), "one successor");
    // Used, it is spent, and with it all that came before.
    let last = tokens.rotate(&given[0].0).await.unwrap();
    assert!(!last.is_repeated());
    let standing = tokens.token_status(first.token().as_str()).await.unwrap();
    assert!(matches!(standing, TokenStatus::Spent(_)));
}
