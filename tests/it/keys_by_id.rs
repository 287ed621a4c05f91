//! Keys that a function looks up by the id that a token names.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tower_jwt_auth::{
    Algorithm, Claims, ConfigError, Error, ErrorKind, Key, Verifier,
    keys::by_id::{KeysById, KeysByIdBuilder},
    verifier::VerifierBuilder,
};

use crate::support::{FixedClock, NOW, TestKey, claims, claims_with, key, trusting};

/// A place that has keys, and counts who asks for which.
#[derive(Clone, Default)]
struct Place(Arc<Inner>);

#[derive(Default)]
struct Inner {
    keys: Mutex<HashMap<String, Key>>,
    asked: Mutex<Vec<String>>,
    answer: Mutex<Answer>,
    running: AtomicUsize,
    most_running: AtomicUsize,
    /// Lookups wait here if the answer says so.
    gate: Gate,
}

struct Gate(Semaphore);

impl Default for Gate {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

#[derive(Clone, Copy, Debug, Default)]
enum Answer {
    #[default]
    Good,
    Waits,
    /// But for this id.
    WaitsUnless(&'static str),
    Fails,
    Panics,
}

impl Place {
    /// With this key under this id.
    fn of(id: &str, key: &TestKey) -> Self {
        let place = Self::default();
        place.publish(id, key);
        place
    }

    fn publish(&self, id: &str, key: &TestKey) {
        self.0.keys.lock().unwrap().insert(id.into(), key.key());
    }

    fn withdraw(&self, id: &str) {
        self.0.keys.lock().unwrap().remove(id);
    }

    fn answer(&self, answer: Answer) {
        *self.0.answer.lock().unwrap() = answer;
    }

    fn builder(&self) -> KeysByIdBuilder {
        let place = self.clone();
        KeysById::builder(move |id| place.clone().lookup(id))
    }

    async fn lookup(self, id: String) -> io::Result<Option<Key>> {
        self.0.asked.lock().unwrap().push(id.clone());
        let running = self.0.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most_running.fetch_max(running, Ordering::SeqCst);
        let answer = *self.0.answer.lock().unwrap();
        let waits = match answer {
            Answer::Waits => true,
            Answer::WaitsUnless(good) => id != good,
            _ => false,
        };
        if waits {
            self.0.gate.0.acquire().await.unwrap().forget();
        }
        self.0.running.fetch_sub(1, Ordering::SeqCst);
        match answer {
            Answer::Good | Answer::Waits | Answer::WaitsUnless(_) => {
                Ok(self.0.keys.lock().unwrap().get(&id).cloned())
            }
            Answer::Fails => Err(io::Error::other("the database is down")),
            Answer::Panics => panic!("a bug of the application"),
        }
    }

    /// How many lookups there were.
    fn lookups(&self) -> usize {
        self.0.asked.lock().unwrap().len()
    }
}

fn verifier(keys: KeysById) -> Verifier {
    trusting(keys).build().unwrap()
}

/// A token of this key that names this id.
fn token(key: &TestKey, kid: &str, claims: &Value) -> String {
    let mut header = key.header();
    header["kid"] = json!(kid);
    key.token_of(header.to_string(), claims.to_string())
}

fn kind(result: Result<Claims, Error>) -> ErrorKind {
    result.expect_err("a bad token").kind().clone()
}

/// 503: the answer says when to come again.
#[track_caller]
fn not_decided(result: Result<Claims, Error>) {
    let error = result.expect_err("no key");
    assert!(error.is_server_fault() && !error.is_invalid_token(), "{error}");
}

/// The answer to a token that needs no wait.
#[track_caller]
fn now(verifier: &Verifier, token: &str) -> Result<Claims, Error> {
    verifier.verify(token).now_or_never().expect("nothing to wait for")
}

/// Lets the tasks of the runtime go on.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_looked_up_once_and_then_known() {
    let es = key(Algorithm::ES256);
    let place = Place::of("a", es);
    let verifier = verifier(place.builder().build().unwrap());
    assert_eq!(place.lookups(), 0, "nothing before a token needs it");
    let one = token(es, "a", &claims());
    assert_eq!(verifier.verify(&one).await.unwrap().subject(), Some("alice"));
    for n in 0..3 {
        let other = token(es, "a", &claims_with(json!({"n": n})));
        assert!(now(&verifier, &other).is_ok());
        assert!(now(&verifier, &one).is_ok());
    }
    // A signature of another key is no reason to look again.
    let forged = token(&TestKey::fresh(Algorithm::ES256), "a", &claims());
    assert_eq!(kind(now(&verifier, &forged)), ErrorKind::Signature);
    let other_type = token(key(Algorithm::EdDSA), "a", &claims());
    assert_eq!(kind(now(&verifier, &other_type)), ErrorKind::UnknownKey);
    assert_eq!(place.lookups(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_looked_up_for_a_token_that_is_refused_anyway() {
    let es = key(Algorithm::ES256);
    let place = Place::of("a", es);
    let keys = place.builder().build().unwrap();
    let builder: VerifierBuilder = trusting(keys).required_claim("tenant");
    let verifier: Verifier = builder
        .required_header("signer", "arn:own")
        .client_id("web")
        .any_padding()
        .build()
        .unwrap();
    let of = |header: Value, changes: Value| {
        let mut all = es.header();
        (all["kid"], all["signer"]) = (json!("a"), json!("arn:own"));
        all.as_object_mut().unwrap().extend(header.as_object().unwrap().clone());
        let mut claims = claims_with(json!({"tenant": "t", "client_id": "web"}));
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        es.token_of(all.to_string(), claims.to_string())
    };
    let good = of(json!({}), json!({}));
    let bad = [
        of(json!({}), json!({"iss": "https://evil.example"})),
        of(json!({}), json!({"aud": "other"})),
        of(json!({}), json!({"exp": NOW - 100})),
        of(json!({}), json!({"nbf": NOW + 100})),
        of(json!({}), json!({"sub": ""})),
        of(json!({}), json!({"tenant": null})),
        of(json!({}), json!({"client_id": "other"})),
        of(json!({}), json!({"client_id": null})),
        of(json!({}), json!({"cnf": {"jkt": "x"}})),
        of(json!({}), json!({"events": {}})),
        of(json!({"typ": "logout+jwt"}), json!({})),
        of(json!({"crit": ["x"]}), json!({})),
        of(json!({"alg": "HS256"}), json!({})),
        of(json!({"alg": "none"}), json!({})),
        of(json!({"signer": "arn:other"}), json!({})),
        format!("{good}="),
        format!("{good}!"),
    ];
    for token in &bad {
        assert!(now(&verifier, token).unwrap_err().is_invalid_token(), "{token}");
    }
    let long = "k".repeat(129);
    for kid in [".", "..", "a/b", "../a", "a b", "a%2Fb", "http://x/", "\u{e4}", &long] {
        let error = kind(now(&verifier, &of(json!({"kid": kid}), json!({}))));
        assert_eq!(error, ErrorKind::UnknownKey, "{kid}");
    }
    let mut header = json!({"alg": "ES256", "signer": "arn:own"});
    let claims = claims_with(json!({"tenant": "t", "client_id": "web"})).to_string();
    let without = es.token_of(header.to_string(), &claims);
    assert_eq!(kind(now(&verifier, &without)), ErrorKind::UnknownKey);
    header["kid"] = json!(7);
    let number = es.token_of(header.to_string(), &claims);
    assert!(matches!(kind(now(&verifier, &number)), ErrorKind::MalformedHeader { .. }));
    assert_eq!(place.lookups(), 0);
    assert!(verifier.verify(&good).await.is_ok());
    assert_eq!(place.lookups(), 1);
}

#[tokio::test(start_paused = true)]
async fn requests_share_one_lookup_which_goes_on_without_them() {
    let es = key(Algorithm::ES256);
    let place = Place::of("a", es);
    place.answer(Answer::Waits);
    let verifier = verifier(place.builder().build().unwrap());
    let tasks: Vec<_> = (0..50)
        .map(|n| tokio::spawn(verifier.verify(&token(es, "a", &claims_with(json!({"n": n}))))))
        .collect();
    settle().await;
    assert_eq!(place.lookups(), 1);
    // Who hangs up does not end it for the others.
    tasks[0].abort();
    place.0.gate.0.add_permits(1);
    let mut good = 0;
    for task in tasks {
        good += usize::from(task.await.is_ok_and(|result| result.is_ok()));
    }
    assert_eq!((good, place.lookups()), (49, 1));
    // Nor if all do.
    let other = place.clone();
    other.publish("b", es);
    let task = tokio::spawn(verifier.verify(&token(es, "b", &claims())));
    settle().await;
    task.abort();
    place.0.gate.0.add_permits(1);
    settle().await;
    assert!(now(&verifier, &token(es, "b", &claims())).is_ok());
    assert_eq!(place.lookups(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_absent_key_is_401_after_a_lookup_and_not_looked_up_again_at_once() {
    let es = key(Algorithm::ES256);
    let place = Place::default();
    let verifier = verifier(place.builder().build().unwrap());
    let of = |n: usize| token(es, "new", &claims_with(json!({"n": n})));
    assert_eq!(kind(verifier.verify(&of(0)).await), ErrorKind::UnknownKey);
    assert_eq!(place.lookups(), 1, "401 takes a lookup");
    place.publish("new", es);
    for n in 1..10 {
        assert_eq!(kind(now(&verifier, &of(n))), ErrorKind::UnknownKey);
    }
    assert_eq!(place.lookups(), 1);
    tokio::time::advance(Duration::from_secs(5)).await;
    assert!(verifier.verify(&of(10)).await.is_ok());
    assert_eq!(place.lookups(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_503_and_never_401() {
    let (es, hs) = (key(Algorithm::ES256), key(Algorithm::HS256));
    let place = Place::of("a", es);
    let verifier = verifier(place.builder().build().unwrap());
    place.publish("secret", hs);
    let one = token(es, "a", &claims());
    for answer in [Answer::Fails, Answer::Panics, Answer::Waits] {
        let before = place.lookups();
        place.answer(answer);
        not_decided(verifier.verify(&one).await);
        not_decided(now(&verifier, &one));
        assert_eq!(place.lookups(), before + 1, "not again within the cool-down");
        tokio::time::advance(Duration::from_secs(5)).await;
    }
    place.answer(Answer::Good);
    assert!(verifier.verify(&one).await.is_ok());
    // A shared secret is no public key.
    not_decided(verifier.verify(&token(es, "secret", &claims())).await);
    assert_eq!(kind(now(&verifier, &hs.token(&claims()))), ErrorKind::AlgorithmNotAllowed);
}

#[cfg(feature = "tracing")]
#[test]
fn a_failure_is_told_also_that_of_a_function_that_panics() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let es = key(Algorithm::ES256);
    for answer in [Answer::Fails, Answer::Panics] {
        let place = Place::of("a", es);
        place.answer(answer);
        let verifier = verifier(place.builder().build().unwrap());
        let one = token(es, "a", &claims());
        let told = crate::privacy::events(|| {
            not_decided(runtime.block_on(async { verifier.verify(&one).await }));
        });
        assert!(told.contains("a key cannot be looked up"), "{answer:?}: {told}");
    }
}

#[tokio::test]
async fn a_key_that_is_gone_again_is_503_and_never_401() {
    let es = key(Algorithm::ES256);
    let place = Place::default();
    let ids: Vec<_> = (0..8).map(|number| format!("k{number}")).collect();
    ids.iter().for_each(|id| place.publish(id, es));
    let verifier = verifier(place.builder().max_keys(1).build().unwrap());
    let mut accepted = 0;
    for _ in 0..10 {
        let all: Vec<_> = ids
            .iter()
            .map(|id| {
                let (verifier, token) = (verifier.clone(), token(es, id, &claims()));
                tokio::spawn(async move { verifier.verify(&token).await })
            })
            .collect();
        for one in all {
            match one.await.unwrap() {
                Ok(_) => accepted += 1,
                refused => not_decided(refused),
            }
        }
    }
    assert!(accepted > 0);
}

#[test]
fn outside_of_a_runtime_it_is_503() {
    let es = key(Algorithm::ES256);
    let place = Place::of("a", es);
    let verifier = verifier(place.builder().build().unwrap());
    not_decided(now(&verifier, &token(es, "a", &claims())));
    assert_eq!(place.lookups(), 0);
    // A runtime that ends during a lookup leaves no trace.
    place.answer(Answer::Waits);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    first.block_on(async {
        drop(tokio::spawn(verifier.verify(&token(es, "a", &claims()))));
        settle().await;
    });
    drop(first);
    place.answer(Answer::Good);
    let second = runtime();
    second.block_on(async {
        not_decided(now(&verifier, &token(es, "a", &claims())));
        tokio::time::sleep(Duration::from_millis(1100)).await;
    });
    assert_eq!(place.lookups(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_key_is_trusted_for_its_lifetime_at_most() {
    let (es, clock) = (key(Algorithm::ES256), FixedClock::default());
    let at = |seconds: u64| clock.set(UNIX_EPOCH + Duration::from_secs(NOW + seconds));
    let place = Place::of("a", es);
    let keys = || {
        let keys = place.builder().lifetime(Duration::from_secs(100)).clock(clock.clone());
        verifier(keys.build().unwrap())
    };
    let one = token(es, "a", &claims());

    // Looked up again in time: nobody waits, and a withdrawn key goes then.
    let renewed = keys();
    assert!(renewed.verify(&one).await.is_ok());
    assert!(now(&renewed, &one).is_ok(), "from the cache");
    at(74);
    assert!(now(&renewed, &one).is_ok());
    settle().await;
    assert_eq!(place.lookups(), 1);
    at(75);
    assert!(now(&renewed, &one).is_ok());
    assert!(now(&renewed, &one).is_ok());
    settle().await;
    assert_eq!(place.lookups(), 2);
    at(174 - 25);
    assert!(now(&renewed, &one).is_ok(), "the second lookup counts");
    settle().await;
    place.withdraw("a");
    at(150);
    assert!(now(&renewed, &one).is_ok(), "the lookup is only begun");
    settle().await;
    assert_eq!(kind(now(&renewed, &one)), ErrorKind::UnknownKey, "from the cache, too");

    // Nobody needs it meanwhile: its lifetime ends it.
    at(0);
    place.publish("a", es);
    let ended = keys();
    assert!(ended.verify(&one).await.is_ok());
    place.withdraw("a");
    at(99);
    assert!(now(&ended, &one).is_ok());
    at(100);
    assert!(kind(ended.verify(&one).await) == ErrorKind::UnknownKey);

    // While lookups fail, it is used until the end, and then cannot be decided.
    at(0);
    place.publish("a", es);
    let failing = keys();
    assert!(failing.verify(&one).await.is_ok());
    place.answer(Answer::Fails);
    let before = place.lookups();
    for seconds in [75, 76, 79] {
        at(seconds);
        assert!(now(&failing, &one).is_ok());
        settle().await;
    }
    assert_eq!(place.lookups(), before + 1, "tried again after the cool-down");
    at(81);
    assert!(now(&failing, &one).is_ok());
    settle().await;
    assert_eq!(place.lookups(), before + 2);
    tokio::time::advance(Duration::from_secs(6)).await;
    at(100);
    not_decided(failing.verify(&one).await);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_replaced_is_taken_at_the_next_lookup() {
    let (old, new, clock) =
        (key(Algorithm::ES256), TestKey::fresh(Algorithm::ES256), FixedClock::default());
    let place = Place::of("a", old);
    let keys = place.builder().lifetime(Duration::from_secs(100)).clock(clock.clone());
    let verifier = verifier(keys.build().unwrap());
    let (of_old, of_new) = (token(old, "a", &claims()), token(&new, "a", &claims()));
    assert!(verifier.verify(&of_old).await.is_ok());
    place.publish("a", &new);
    assert_eq!(kind(now(&verifier, &of_new)), ErrorKind::Signature);
    clock.set(UNIX_EPOCH + Duration::from_secs(NOW + 80));
    assert!(now(&verifier, &of_old).is_ok());
    settle().await;
    assert!(now(&verifier, &of_new).is_ok());
    assert_eq!(kind(now(&verifier, &of_old)), ErrorKind::Signature);
}

#[tokio::test(start_paused = true)]
async fn made_up_ids_cause_few_lookups_and_hurt_no_known_key() {
    let es = key(Algorithm::ES256);
    let place = Place::of("known", es);
    let keys = place.builder().max_lookups(4).max_misses(10).build().unwrap();
    let verifier = verifier(keys);
    let known = |n: usize| token(es, "known", &claims_with(json!({"n": n})));
    let made_up = |n: usize| token(es, &format!("made-up-{n}"), &claims());
    assert!(verifier.verify(&known(0)).await.is_ok());

    // At a time, so many.
    place.answer(Answer::Waits);
    let tasks: Vec<_> = (0..100).map(|n| tokio::spawn(verifier.verify(&made_up(n)))).collect();
    settle().await;
    assert_eq!((place.0.most_running.load(Ordering::SeqCst), place.lookups()), (4, 5));
    assert!(now(&verifier, &known(1)).is_ok());
    place.0.gate.0.add_permits(4);
    let mut kinds = [0, 0];
    for task in tasks {
        match kind(task.await.unwrap()) {
            ErrorKind::UnknownKey => kinds[0] += 1,
            ErrorKind::KeyPending { .. } => kinds[1] += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(kinds, [4, 96]);

    // In a cool-down, so many that find nothing.
    place.answer(Answer::Good);
    for n in 200..300 {
        let refused = verifier.verify(&made_up(n)).await;
        match n {
            0..206 => assert_eq!(kind(refused), ErrorKind::UnknownKey),
            _ => assert!(matches!(kind(refused), ErrorKind::KeyPending { .. })),
        }
    }
    assert_eq!(place.lookups(), 1 + 10);
    assert!(now(&verifier, &known(2)).is_ok());
    tokio::time::advance(Duration::from_secs(5)).await;
    place.publish("new", es);
    assert!(verifier.verify(&token(es, "new", &claims())).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_made_up_ids_ends_no_key_that_is_in_use() {
    let (es, clock) = (key(Algorithm::ES256), FixedClock::default());
    let at = |seconds: u64| clock.set(UNIX_EPOCH + Duration::from_secs(NOW + seconds));
    let place = Place::of("known", es);
    let keys = place.builder().lifetime(Duration::from_secs(100)).clock(clock.clone());
    let verifier = verifier(keys.max_lookups(4).max_misses(10).build().unwrap());
    let long = claims_with(json!({"exp": NOW + 10_000}));
    let known = token(es, "known", &long);
    let known_lookups = || {
        let asked = place.0.asked.lock().unwrap();
        asked.iter().filter(|id| *id == "known").count()
    };
    let flood = |round: u64| {
        let made_up = |n: usize| token(es, &format!("made-up-{round}-{n}"), &long);
        let tasks = (0..30).map(|n| tokio::spawn(verifier.verify(&made_up(n))));
        tasks.collect::<Vec<_>>()
    };
    assert!(verifier.verify(&known).await.is_ok());

    // Of lookups that find nothing, and then of lookups that take long.
    for (round, answer) in [Answer::Good, Answer::WaitsUnless("known")].into_iter().enumerate() {
        place.answer(answer);
        let (round, before) = (round as u64, known_lookups());
        let start = round * 300;
        for wave in 0..3 {
            drop(flood(round * 10 + wave));
            settle().await;
        }
        not_decided(now(&verifier, &token(es, &format!("made-up-{round}"), &long)));
        // At three quarters, it is looked up again.
        at(start + 75);
        assert!(now(&verifier, &known).is_ok());
        settle().await;
        assert_eq!(known_lookups(), before + 1);
        // From then on, it lasts for another lifetime, which ends while nobody needs it.
        at(start + 174);
        assert!(now(&verifier, &known).is_ok());
        settle().await;
        at(start + 300);
        not_decided(now(&verifier, &token(es, &format!("made-up-{round}"), &long)));
        assert!(verifier.verify(&known).await.is_ok(), "looked up during the flood");
        assert_eq!(known_lookups(), before + 3);
        tokio::time::advance(Duration::from_secs(10)).await;
        settle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn forged_tokens_with_ids_of_others_evict_no_key_that_is_in_use() {
    let (es, clock) = (key(Algorithm::ES256), FixedClock::default());
    let forger = TestKey::fresh(Algorithm::ES256);
    let place = Place::of("own", es);
    let keys = place.builder().max_keys(2).max_misses(10).clock(clock.clone());
    let verifier = verifier(keys.build().unwrap());
    assert!(verifier.verify(&token(es, "own", &claims())).await.is_ok());
    for round in 0..10_u64 {
        clock.set(UNIX_EPOCH + Duration::from_secs(NOW + 5 * round));
        let before = place.lookups();
        for n in 0..30 {
            let id = format!("foreign-{round}-{n}");
            place.publish(&id, es);
            let refused = kind(verifier.verify(&token(&forger, &id, &claims())).await);
            match n {
                0..10 => assert_eq!(refused, ErrorKind::Signature),
                _ => assert!(matches!(refused, ErrorKind::KeyPending { .. }), "{refused:?}"),
            }
        }
        assert_eq!(place.lookups(), before + 10, "so many that verify nothing");
        assert!(now(&verifier, &token(es, "own", &claims_with(json!({"n": round})))).is_ok());
        tokio::time::advance(Duration::from_secs(5)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn new_keys_that_verify_tokens_are_looked_up_without_a_pause() {
    let es = key(Algorithm::ES256);
    let place = Place::default();
    let verifier = verifier(place.builder().max_lookups(4).max_misses(4).build().unwrap());
    for n in 0..30 {
        let id = format!("k{n}");
        place.publish(&id, es);
        assert!(verifier.verify(&token(es, &id, &claims())).await.is_ok(), "{n}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_prolongs_no_key() {
    let (es, clock) = (key(Algorithm::ES256), FixedClock::default());
    let place = Place::of("a", es);
    let verifier = verifier(place.builder().clock(clock.clone()).build().unwrap());
    let long = token(es, "a", &claims_with(json!({"iat": null, "nbf": null})));
    assert!(verifier.verify(&long).await.is_ok());
    place.withdraw("a");
    // That is a correction.
    clock.set(UNIX_EPOCH + Duration::from_secs(NOW - 60));
    assert!(now(&verifier, &long).is_ok());
    clock.set(UNIX_EPOCH + Duration::from_secs(NOW - 61));
    assert_eq!(kind(verifier.verify(&long).await), ErrorKind::UnknownKey);
    assert_eq!(place.lookups(), 2);
}

#[tokio::test(start_paused = true)]
async fn so_many_keys_are_kept() {
    let es = key(Algorithm::ES256);
    let (place, clock) = (Place::default(), FixedClock::default());
    let keys = place.builder().max_keys(2).clock(clock.clone()).build().unwrap();
    let verifier = verifier(keys);
    for (second, id) in ["a", "b", "c"].iter().enumerate() {
        clock.set(UNIX_EPOCH + Duration::from_secs(NOW + second as u64));
        place.publish(id, es);
        assert!(verifier.verify(&token(es, id, &claims())).await.is_ok());
    }
    assert!(now(&verifier, &token(es, "b", &claims())).is_ok());
    assert!(now(&verifier, &token(es, "c", &claims())).is_ok());
    assert_eq!(place.lookups(), 3);
    assert!(verifier.verify(&token(es, "a", &claims())).await.is_ok());
    assert_eq!(place.lookups(), 4, "it was evicted");
}

#[tokio::test(start_paused = true)]
async fn the_issuer_and_other_keys_stay_apart() {
    let (es, ed) = (key(Algorithm::ES256), key(Algorithm::EdDSA));
    let place = Place::of("a", es);
    let bound = |issuer: &str| place.builder().issuer(issuer).build().unwrap();
    // A key of another issuer is not even looked up.
    let keys = bound("https://other.example");
    let builder: VerifierBuilder = trusting(ed.key()).keys(keys).issuer("https://other.example");
    let other: Verifier = builder.build().unwrap();
    assert_eq!(kind(now(&other, &token(es, "a", &claims()))), ErrorKind::UnknownKey);
    assert_eq!(place.lookups(), 0);
    let good = token(es, "a", &claims_with(json!({"iss": "https://other.example"})));
    assert!(other.verify(&good).await.is_ok());
    assert_eq!(kind(now(&other, &token(es, "a", &claims()))), ErrorKind::Issuer);
    // The keys also set the issuer.
    let named: Verifier = Verifier::builder()
        .keys(bound(crate::support::ISSUER))
        .audience(crate::support::AUDIENCE)
        .clock(FixedClock::default())
        .build()
        .unwrap();
    assert!(named.verify(&token(es, "a", &claims())).await.is_ok());
    // Beside a key that is given.
    let keys = place.builder().build().unwrap();
    let both: Verifier = trusting(ed.key()).keys(keys).build().unwrap();
    let before = place.lookups();
    assert!(now(&both, &ed.token(&claims())).is_ok());
    assert_eq!(place.lookups(), before);
    assert!(both.verify(&token(es, "a", &claims())).await.is_ok());
    assert!(now(&both, &token(es, "a", &claims())).is_ok());
}

#[test]
fn limits_are_checked() {
    let builder = || Place::default().builder();
    let second = Duration::from_secs(1);
    type Build = fn(KeysByIdBuilder) -> KeysByIdBuilder;
    let wrong: [Build; 9] = [
        |keys| keys.lifetime(Duration::from_millis(999)),
        |keys| keys.lifetime(Duration::from_secs(31 * 24 * 3600)),
        |keys| keys.cooldown(Duration::ZERO),
        // Whoever guesses the next id could keep it out for as long.
        |keys| keys.cooldown(Duration::from_secs(61)),
        |keys| keys.timeout(Duration::ZERO),
        |keys| keys.timeout(Duration::from_secs(61)),
        |keys| keys.max_keys(0),
        |keys| keys.max_lookups(0),
        |keys| keys.max_misses(0),
    ];
    for set in wrong {
        assert!(matches!(set(builder()).build(), Err(ConfigError::OutOfRange(_))));
    }
    assert!(builder().issuer(" ").build().is_err());
    let keys = builder().lifetime(second).cooldown(second).max_keys(1).build().unwrap();
    assert_eq!(keys.issuer(), None);
    assert!(format!("{keys:?} {:?}", builder()).contains("lifetime"));
    let secrets: VerifierBuilder = trusting(keys).algorithms([Algorithm::HS256]);
    assert_eq!(secrets.build().unwrap_err(), ConfigError::NoUsableAlgorithm);
}
