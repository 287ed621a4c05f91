//! Refresh tokens in Redis.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tower_jwt_auth::{
    Error, ErrorKind,
    clock::Clock,
    error::StoreError,
    maybe_ready::MaybeReady,
    redis::{Redis, RedisRefreshStore},
    refresh::{
        Family, IssuedToken, Login, MemoryRefreshStore, RefreshStore, RefreshTokens, Rotated,
        Rotation, Session, TokenStatus,
    },
};

use super::{Server, connect};
use crate::support::{FixedClock, NOW};

fn tokens(store: impl RefreshStore, grace: u64, clock: &FixedClock) -> RefreshTokens {
    RefreshTokens::builder(store)
        .idle_lifetime(Duration::from_secs(100))
        .absolute_lifetime(Duration::from_secs(300))
        .grace(Duration::from_secs(grace))
        .max_sessions(200)
        .clock(clock.clone())
        .build()
        .unwrap()
}

/// How a hundred requests at once with one token end, on ten machines.
async fn hundred(server: &Server, grace: u64) -> (Vec<Result<IssuedToken, Error>>, RefreshTokens) {
    let clock = FixedClock::default();
    let mut machines = Vec::new();
    for _ in 0..10 {
        machines.push(tokens(connect(server).await.refresh_store(), grace, &clock));
    }
    let opened = machines[0].open(Login::new("alice")).await.unwrap();
    let text = opened.token().as_str().to_owned();
    let tasks: Vec<_> = (0..100)
        .map(|number| {
            let (machine, text) = (machines[number % 10].clone(), text.clone());
            tokio::spawn(async move { machine.rotate(&text).await })
        })
        .collect();
    let mut ends = Vec::new();
    for task in tasks {
        ends.push(task.await.unwrap());
    }
    (ends, machines.remove(0))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn r02_redis_a_hundred_at_once_have_one_successor() {
    let server = Server::start();
    let (ends, refresh) = hundred(&server, 10).await;
    let ends: Vec<_> = ends.into_iter().map(Result::unwrap).collect();
    let first = ends[0].token().as_str();
    assert!(ends.iter().all(|end| end.token().as_str() == first));
    assert_eq!(ends.iter().filter(|end| !end.is_repeated()).count(), 1);
    assert_eq!(refresh.list("alice").await.unwrap().len(), 1);
    assert!(!refresh.rotate(first).await.unwrap().is_repeated());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn r02_redis_without_a_grace_one_wins_and_the_session_is_dead() {
    let server = Server::start();
    let (ends, refresh) = hundred(&server, 0).await;
    let won: Vec<_> = ends.iter().flatten().collect();
    assert_eq!(won.len(), 1);
    let reused = |end: &&Result<IssuedToken, Error>| matches!(end, Err(error) if error.code() == Some("invalid_grant"));
    assert_eq!(ends.iter().filter(reused).count(), 99);
    assert!(refresh.rotate(won[0].token().as_str()).await.is_err());
    assert!(refresh.list("alice").await.unwrap().is_empty());
}

#[tokio::test]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn sessions_are_listed_and_end() {
    let server = Server::start();
    let clock = FixedClock::default();
    let refresh = tokens(connect(&server).await.refresh_store(), 10, &clock);
    let mut opened = Vec::new();
    for number in 0..150 {
        opened.push(refresh.open(Login::new("älice").label(format!("{number}"))).await.unwrap());
    }
    let other = refresh.open(Login::new("bob").client_id("c").scope("a b")).await.unwrap();
    assert_eq!(refresh.list("bob").await.unwrap(), [other.session().clone()]);
    assert_eq!(refresh.list("älice").await.unwrap().len(), 150);

    let first = opened[0].session();
    assert_eq!(refresh.end(first.id()).await.unwrap().as_ref(), Some(first));
    assert_eq!(refresh.end(first.id()).await.unwrap(), None);
    assert!(refresh.rotate(opened[0].token().as_str()).await.is_err());
    assert_eq!(refresh.list("älice").await.unwrap().len(), 149);

    assert_eq!(refresh.end_all("älice").await.unwrap().len(), 149);
    assert!(refresh.end_all("älice").await.unwrap().is_empty());
    assert!(refresh.list("älice").await.unwrap().is_empty());
    for opened in &opened {
        assert!(refresh.rotate(opened.token().as_str()).await.is_err());
    }
    refresh.rotate(other.token().as_str()).await.unwrap();
    // What is left is of Bob, and goes by itself.
    let keys: Vec<String> = server.ask(&["KEYS", "test:*"]);
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert!(keys.iter().all(|key| key.starts_with("test:") && !key.contains("bob")));
    for key in &keys {
        assert!(server.ask::<i64>(&["TTL", key]) > 0);
    }
}

#[tokio::test]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn an_index_forgets_what_is_gone() {
    let server = Server::start();
    let clock = FixedClock::default();
    let refresh = tokens(connect(&server).await.refresh_store(), 10, &clock);
    for _ in 0..50 {
        let opened = refresh.open(Login::new("alice")).await.unwrap();
        // As Redis does when their time is over.
        server.ask::<i64>(&["DEL", &format!("test:refresh:{}", opened.session().id())]);
    }
    let keys: Vec<String> = server.ask(&["KEYS", "test:sessions:*"]);
    assert!(server.ask::<i64>(&["ZCARD", &keys[0]]) < 30, "each login tidies up a little");
    assert!(refresh.list("alice").await.unwrap().is_empty());
    assert!(server.ask::<Vec<String>>(&["KEYS", "test:*"]).is_empty());
}

#[tokio::test]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn an_id_is_taken_once() {
    let server = Server::start();
    let store = connect(&server).await.refresh_store();
    let digest = "A".repeat(43);
    let family = |subject: &str, ends_at: i64| {
        let json = serde_json::json!({
            "session": {"id": "one", "subject": subject, "created_at": 0, "refreshed_at": 0,
                "idle_until": ends_at, "ends_at": ends_at},
            "current": digest,
        });
        serde_json::from_value(json).unwrap()
    };
    store.create(family("alice", 100), 0).await.unwrap();
    assert!(store.create(family("mallory", 100), 99).await.is_err());
    assert_eq!(store.list("alice", 99).await.unwrap().len(), 1);
    assert!(store.list("mallory", 99).await.unwrap().is_empty());
    // Its time is over, so it is not there any more.
    assert!(store.list("alice", 100).await.unwrap().is_empty());
    store.create(family("bob", i64::MAX), 100).await.unwrap();
    assert_eq!(store.list("bob", i64::MAX - 1).await.unwrap().len(), 1);
    assert!(store.create(family("mallory", 9), i64::MAX - 1).await.is_err());
    assert!(store.list("bob", i64::MAX).await.unwrap().is_empty());
    store.end("one").await.unwrap();
    // A former token whose grace is over is a spent one.
    let json = serde_json::json!({
        "session": {"id": "two", "subject": "dora", "created_at": 0, "refreshed_at": 0,
            "idle_until": 900, "ends_at": 900},
        "current": digest,
        "previous": {"digest": "B".repeat(42) + "A", "salt": digest, "until": 10},
    });
    let spent: Family = serde_json::from_value(json).unwrap();
    store.create(spent, 100).await.unwrap();
    assert!(!store.get("two", 100).await.unwrap().unwrap().takes(family_digest(), 100));
    store.create(family("carol", i64::MIN + 1), i64::MIN).await.unwrap();
    assert_eq!(store.list("carol", i64::MIN).await.unwrap().len(), 1);
}

/// The system's clock, so many seconds ahead.
struct Ahead(i64);

impl Clock for Ahead {
    fn now(&self) -> SystemTime {
        let seconds = Duration::from_secs(self.0.unsigned_abs());
        if self.0 < 0 { SystemTime::now() - seconds } else { SystemTime::now() + seconds }
    }
}

#[tokio::test]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn a_grace_is_the_same_on_machines_whose_clocks_differ() {
    let server = Server::start();
    let machine = async |ahead, grace| {
        let builder =
            RefreshTokens::builder(connect(&server).await.refresh_store()).clock(Ahead(ahead));
        builder.grace(Duration::from_secs(grace)).build().unwrap()
    };
    for (one, other) in [(0, 10), (10, 0), (0, -10), (-60, 60)] {
        let (here, there) = (machine(one, 10).await, machine(other, 10).await);
        let opened = here.open(Login::new("alice")).await.unwrap();
        let text = opened.token().as_str();
        let next = here.rotate(text).await.unwrap();
        assert!(matches!(there.token_status(text).await.unwrap(), TokenStatus::Active(_)));
        let again = there.rotate(text).await.unwrap();
        assert!(again.is_repeated(), "{one} {other}");
        assert_eq!(again.token().as_str(), next.token().as_str());
        assert!(!there.rotate(next.token().as_str()).await.unwrap().is_repeated());

        // A thief has no longer than before.
        let (here, there) = (machine(one, 1).await, machine(other, 1).await);
        let opened = here.open(Login::new("alice")).await.unwrap();
        let text = opened.token().as_str();
        here.rotate(text).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1050)).await;
        assert!(matches!(there.token_status(text).await.unwrap(), TokenStatus::Spent(_)));
        let error = there.rotate(text).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::RefreshTokenReused { .. }), "{one} {other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn v07_redis_the_cap_holds_under_many_logins_at_once() {
    let server = Server::start();
    let mut machines = Vec::new();
    for _ in 0..4 {
        // A machine that does much else may be slow to answer.
        let redis = Redis::builder(server.url()).prefix("test").timeout(Duration::from_secs(5));
        let store = redis.build().await.unwrap().refresh_store();
        machines.push(RefreshTokens::builder(store).max_sessions(10).build().unwrap());
    }
    let begin = std::time::Instant::now();
    let tasks: Vec<_> = (0..400)
        .map(|number| {
            let machine = machines[number % 4].clone();
            tokio::spawn(async move { machine.open(Login::new("alice")).await })
        })
        .collect();
    let mut opened = Vec::new();
    for task in tasks {
        opened.push(task.await.unwrap().unwrap());
    }
    println!("400 logins at once: {:?}", begin.elapsed());
    let left = machines[0].list("alice").await.unwrap();
    assert_eq!(left.len(), 10);
    let displaced: std::collections::BTreeSet<_> = opened
        .iter()
        .flat_map(IssuedToken::displaced)
        .map(|session| session.id().to_owned())
        .collect();
    assert_eq!(displaced.len() + left.len(), 400, "each that ended was told of");
    // The tokens of those that ended are worth nothing.
    for opened in &opened {
        let there = left.iter().any(|session| session.id() == opened.session().id());
        assert_eq!(machines[1].rotate(opened.token().as_str()).await.is_ok(), there);
    }
}

/// A store in a Redis whose clock says what the caller's does.
#[derive(Clone)]
struct InTime(RedisRefreshStore, Arc<Server>);

impl InTime {
    fn at(&self, now: i64) -> &RedisRefreshStore {
        self.1.set_time(now.try_into().unwrap());
        &self.0
    }
}

impl RefreshStore for InTime {
    fn create(&self, family: Family, now: i64) -> MaybeReady<Result<(), StoreError>> {
        self.at(now).create(family, now)
    }

    fn get(&self, id: &str, now: i64) -> MaybeReady<Result<Option<Family>, StoreError>> {
        self.at(now).get(id, now)
    }

    fn rotate(&self, rotation: Rotation) -> MaybeReady<Result<Rotated, StoreError>> {
        self.at(rotation.now()).rotate(rotation)
    }

    fn list(&self, subject: &str, now: i64) -> MaybeReady<Result<Vec<Session>, StoreError>> {
        self.at(now).list(subject, now)
    }

    fn displace(
        &self,
        subject: &str,
        most: usize,
        now: i64,
    ) -> MaybeReady<Result<Option<Vec<Session>>, StoreError>> {
        self.at(now).displace(subject, most, now)
    }

    fn end(&self, id: &str) -> MaybeReady<Result<Option<Session>, StoreError>> {
        self.0.end(id)
    }

    fn end_all(&self, subject: &str) -> MaybeReady<Result<Vec<Session>, StoreError>> {
        self.0.end_all(subject)
    }
}

fn family_digest() -> tower_jwt_auth::refresh::Digest {
    tower_jwt_auth::refresh::Digest::from_text(&("B".repeat(42) + "A")).unwrap()
}

/// Two stores that are told the same, and what each has answered.
struct Pair {
    stores: [RefreshTokens; 2],
    clock: FixedClock,
    now: u64,
    /// The tokens of each session in each store, the oldest first, and its ids.
    sessions: Vec<[(Vec<String>, String); 2]>,
    random: u64,
    seen: BTreeMap<&'static str, usize>,
}

impl Pair {
    fn below(&mut self, end: usize) -> usize {
        // Xorshift: the same for a seed on every machine.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % u64::try_from(end).unwrap()).unwrap()
    }

    /// What is the same in both stores: all but the ids.
    fn shown(&self, session: &Session) -> String {
        let mut value = serde_json::to_value(session).unwrap();
        value["id"] = "".into();
        value.to_string()
    }

    fn alive(&self, sessions: &[Session]) -> Vec<String> {
        let now = i64::try_from(self.now).unwrap();
        let alive = sessions.iter().filter(|session| session.expires_at() > now);
        let mut shown: Vec<_> = alive.map(|session| self.shown(session)).collect();
        shown.sort();
        shown
    }

    async fn step(&mut self) {
        let subject = ["alice", "bob"][self.below(2)];
        match self.below(12) {
            0 => self.open(subject).await,
            1 => {
                let longest = [2, 11, 60][self.below(3)];
                self.now += u64::try_from(self.below(longest)).unwrap();
                self.clock.set(UNIX_EPOCH + Duration::from_secs(self.now));
            }
            2 if self.below(4) == 0 => {
                let mut ended = Vec::new();
                for store in &self.stores {
                    ended.push(self.alive(&store.end_all(subject).await.unwrap()));
                }
                assert_eq!(ended[0], ended[1]);
            }
            3 if self.below(3) == 0 && !self.sessions.is_empty() => {
                let at = self.below(self.sessions.len());
                let mut ended = Vec::new();
                for (store, (_, id)) in self.stores.iter().zip(&self.sessions[at]) {
                    let session = store.end(id).await.unwrap();
                    ended.push(self.alive(session.as_slice()));
                }
                assert_eq!(ended[0], ended[1]);
            }
            4 => {
                let mut listed = Vec::new();
                for store in &self.stores {
                    listed.push(self.alive(&store.list(subject).await.unwrap()));
                }
                assert_eq!(listed[0], listed[1]);
            }
            _ if self.sessions.is_empty() => self.open(subject).await,
            _ => self.rotate().await,
        }
    }

    async fn open(&mut self, subject: &str) {
        let label = self.sessions.len().to_string();
        let mut pair = Vec::new();
        for store in &self.stores {
            let opened = store.open(Login::new(subject).label(&label)).await.unwrap();
            pair.push((vec![opened.token().as_str().to_owned()], opened.session().id().to_owned()));
        }
        self.sessions.push(pair.try_into().unwrap());
    }

    async fn rotate(&mut self) {
        // Mostly a late session, and mostly one of its last two tokens.
        let back = self.below(self.sessions.len().min(4));
        let at = self.sessions.len() - 1 - back;
        let count = self.sessions[at][0].0.len();
        let back = [0, 0, 0, 0, 1, 1, 1, 2, 3][self.below(9)].min(count - 1);
        let garbage = self.below(30) == 0;
        let mut outcomes = Vec::new();
        for (store, (texts, _)) in self.stores.iter().zip(&mut self.sessions[at]) {
            let mut text = texts[count - 1 - back].clone();
            if garbage {
                // Of the family, and none of its tokens.
                text.replace_range(40..44, "AbCd");
            }
            outcomes.push(match store.rotate(&text).await {
                Ok(opened) => {
                    let known = texts.iter().position(|text| text == opened.token().as_str());
                    if known.is_none() {
                        texts.push(opened.token().as_str().to_owned());
                    }
                    Ok((opened.is_repeated(), known, opened.session().clone()))
                }
                Err(error) => Err(error.kind().clone()),
            });
        }
        let shown = |outcome: &Result<(bool, Option<usize>, Session), ErrorKind>| match outcome {
            Ok((repeated, known, session)) => {
                format!("{repeated} {known:?} {}", self.shown(session))
            }
            Err(kind) => format!("{:?}", std::mem::discriminant(kind)),
        };
        assert_eq!(shown(&outcomes[0]), shown(&outcomes[1]));
        let name = match &outcomes[0] {
            Ok((false, ..)) => "rotated",
            Ok((true, ..)) => "repeated",
            Err(ErrorKind::RefreshTokenReused { .. }) => "reused",
            Err(_) => "ended",
        };
        *self.seen.entry(name).or_default() += 1;
    }
}

#[tokio::test]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn it_does_what_the_store_in_memory_does() {
    let server = Arc::new(Server::start_timeless());
    let mut seen = BTreeMap::new();
    for seed in 1..=20_u64 {
        let clock = FixedClock::default();
        let redis = super::Redis::builder(server.url()).prefix(format!("seed-{seed}"));
        let grace = [0, 10][usize::try_from(seed % 2).unwrap()];
        let stores = [
            tokens(
                InTime(redis.build().await.unwrap().refresh_store(), server.clone()),
                grace,
                &clock,
            ),
            tokens(MemoryRefreshStore::new(), grace, &clock),
        ];
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut pair =
            Pair { stores, clock, now: NOW, sessions: Vec::new(), random, seen: BTreeMap::new() };
        for _ in 0..150 {
            pair.step().await;
        }
        for (name, count) in pair.seen {
            *seen.entry(name).or_insert(0) += count;
        }
    }
    println!("{seen:?}");
    for name in ["rotated", "repeated", "reused", "ended"] {
        assert!(seen.get(name).is_some_and(|count| *count > 20), "{seen:?}");
    }
}

#[cfg(feature = "test-util")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn r02_it_does_what_every_store_does() {
    let server = Arc::new(Server::start_timeless());
    let count = std::cell::Cell::new(0);
    tower_jwt_auth::testing::conformance::refresh_store(async |_| {
        count.set(count.get() + 1);
        let prefix = format!("suite-{}", count.get());
        let redis = Redis::builder(server.url()).prefix(prefix).build().await.unwrap();
        InTime(redis.refresh_store(), server.clone())
    })
    .await;
}
