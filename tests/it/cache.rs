//! Tokens that were verified a moment ago: what is saved, and what is asked each time.
//!
//! Requests with a token that is known have the very same claims, which is how it shows.

use std::{
    ptr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::json;
use tower_jwt_auth::{
    Algorithm, Claims, Error, ErrorKind, RegisteredClaims, Verifier,
    revocation::{MemoryDenylist, Revocation},
    verifier::{Cache, RuleError, VerifierBuilder},
};

use crate::support::{AUDIENCE, FixedClock, ISSUER, NOW, builder, claims_with, key, trusting};

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(second)
}

fn now(verifier: &Verifier, token: &str) -> Result<Claims, Error> {
    verifier.verify(token).now_or_never().expect("nothing has to wait")
}

fn refused(verifier: &Verifier, token: &str) -> ErrorKind {
    now(verifier, token).expect_err("it is refused").kind().clone()
}

fn same(one: &Claims, other: &Claims) -> bool {
    ptr::eq(one.registered(), other.registered())
}

/// Whether a token is known.
fn is_known(verifier: &Verifier, token: &str) -> bool {
    same(&now(verifier, token).unwrap(), &now(verifier, token).unwrap())
}

fn token(changes: serde_json::Value) -> String {
    key(Algorithm::HS256).token(&claims_with(changes))
}

/// A verifier and the hand of its clock.
fn timed(
    set: impl FnOnce(VerifierBuilder<RegisteredClaims>) -> VerifierBuilder<RegisteredClaims>,
) -> (Verifier, FixedClock) {
    let clock = FixedClock::default();
    let builder = builder().clock(clock.clone()).leeway(Duration::ZERO);
    (set(builder).build().unwrap(), clock)
}

#[test]
fn a_token_is_verified_once() {
    let verifier: Verifier = builder().build().unwrap();
    for algorithm in [Algorithm::HS256, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        let token = key(algorithm).token(&claims_with(json!({})));
        assert!(is_known(&verifier, &token), "{algorithm}");
    }
    assert!(!is_known(&builder().cache(Cache::off()).build().unwrap(), &token(json!({}))));
}

#[test]
fn the_size_is_sensible() {
    for bytes in [0, 1, (1 << 18) - 1, (1 << 30) + 1, usize::MAX] {
        let built = builder::<RegisteredClaims>().cache(Cache::of_bytes(bytes)).build();
        assert!(built.unwrap_err().to_string().contains("Cache::off()"));
    }
    let small = builder().cache(Cache::of_bytes(1 << 18)).build().unwrap();
    assert!(is_known(&small, &token(json!({}))));
    assert_eq!(Cache::default(), Cache::of_bytes(16 << 20));
}

#[test]
fn times_are_asked_each_time() {
    let (verifier, clock) = timed(|builder| builder.max_age(Duration::from_secs(300)));
    let times = json!({"iat": NOW, "nbf": NOW, "exp": NOW + 200});
    let (short, long) = (token(times), token(json!({"iat": NOW, "exp": NOW + 900})));
    for token in [&short, &long] {
        assert!(is_known(&verifier, token));
    }
    clock.set(at(NOW + 199));
    assert!(is_known(&verifier, &short));
    clock.set(at(NOW + 200));
    assert_eq!(refused(&verifier, &short), ErrorKind::Expired);
    clock.set(at(NOW + 301));
    assert_eq!(refused(&verifier, &long), ErrorKind::TooOld);
    assert_eq!(refused(&verifier, &short), ErrorKind::Expired);

    // A clock that is set back.
    clock.set(at(NOW - 1));
    assert_eq!(refused(&verifier, &short), ErrorKind::NotYetValid);
    assert_eq!(refused(&verifier, &long), ErrorKind::IssuedInFuture);
    clock.set(at(NOW));
    now(&verifier, &short).unwrap();
}

#[test]
fn the_whole_token_counts() {
    let verifier: Verifier = builder().build().unwrap();
    let known = token(json!({"sub": "alice"}));
    assert!(is_known(&verifier, &known));
    let parts: Vec<_> = known.split('.').collect();
    let other = token(json!({"sub": "mallory"}));
    let payload = other.split('.').nth(1).unwrap();
    // The same end, which is all that its place depends on.
    let forged = format!("{}.{payload}.{}", parts[0], parts[2]);
    assert_eq!(refused(&verifier, &forged), ErrorKind::Signature);
    for place in 0..known.len() {
        let mut changed = known.clone().into_bytes();
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(now(&verifier, &changed).is_err(), "at {place}");
    }
    for longer in [format!("{known}A"), format!("A{known}"), format!("{known}."), known.repeat(2)] {
        assert!(now(&verifier, &longer).is_err());
    }
    assert_eq!(now(&verifier, &known).unwrap().subject(), Some("alice"));
}

#[test]
fn v01_a_revoked_token_is_refused_though_it_is_known() {
    let list = Arc::new(MemoryDenylist::new());
    let verifier: Verifier = builder().denylist(Arc::clone(&list)).build().unwrap();
    let ids = json!({"jti": "j", "sid": "s"});
    type Revoke = fn() -> Revocation;
    let ways: [Revoke; 3] = [
        || Revocation::token(ISSUER, "j", NOW as i64 + 600),
        || Revocation::session(ISSUER, "s", NOW as i64 + 600),
        || Revocation::subject(ISSUER, "alice", NOW as i64, NOW as i64 + 600),
    ];
    for revoke in ways {
        let list = Arc::new(MemoryDenylist::new());
        let verifier: Verifier = builder().denylist(Arc::clone(&list)).build().unwrap();
        let token = token(ids.clone());
        assert!(is_known(&verifier, &token));
        list.insert(revoke()).unwrap();
        assert_eq!(refused(&verifier, &token), ErrorKind::Revoked);
    }
    // One that is revoked from the start is not kept, either.
    list.insert(ways[0]()).unwrap();
    assert_eq!(refused(&verifier, &token(ids)), ErrorKind::Revoked);
}

#[tokio::test]
async fn rules_are_asked_each_time() {
    let (asked, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let count = |asked: &Arc<AtomicUsize>| {
        let asked = Arc::clone(asked);
        move || asked.fetch_add(1, Ordering::Relaxed)
    };
    let (first, second, door) = (count(&asked), count(&asked), Arc::clone(&open));
    let verifier: Verifier = builder()
        .rule(move |_: &Claims| {
            first();
            if door.load(Ordering::Relaxed) { Ok(()) } else { Err(RuleError::refuse("closed")) }
        })
        .async_rule(move |_: Claims| {
            second();
            async { Ok(()) }
        })
        .build()
        .unwrap();
    let token = token(json!({}));
    for expected in 1..=3 {
        assert!(verifier.verify(&token).await.is_err());
        assert_eq!(asked.load(Ordering::Relaxed), expected);
    }
    open.store(true, Ordering::Relaxed);
    let claims = verifier.verify(&token).await.unwrap();
    assert!(same(&claims, &verifier.verify(&token).await.unwrap()), "it is known by now");
    assert_eq!(asked.load(Ordering::Relaxed), 3 + 2 * 2);
    open.store(false, Ordering::Relaxed);
    assert!(verifier.verify(&token).await.is_err());
}

#[tokio::test]
async fn what_is_refused_after_waiting_takes_no_room_from_others() {
    let verifier: Verifier = builder()
        .cache(Cache::of_bytes(1 << 18))
        .async_rule(|claims: Claims| async move {
            match claims.subject() {
                Some("alice") => Ok(()),
                _ => Err(RuleError::refuse("not alice")),
            }
        })
        .build()
        .unwrap();
    let mallory: Vec<_> = (0..500).map(|n| token(json!({"sub": n.to_string()}))).collect();
    for _ in 0..4 {
        for token in &mallory {
            assert!(verifier.verify(token).await.is_err());
        }
    }
    let (alice, mut last) = (token(json!({})), None);
    let mut known = false;
    for _ in 0..30 {
        let claims = verifier.verify(&alice).await.unwrap();
        known = last.is_some_and(|last| same(&claims, &last));
        last = Some(claims);
    }
    assert!(known);
}

#[test]
fn no_verifier_knows_the_tokens_of_another() {
    let hs256 = || key(Algorithm::HS256).key();
    let one: Verifier = trusting(hs256()).build().unwrap();
    let other: Verifier = trusting(hs256()).audience("elsewhere").build().unwrap();
    let mut elsewhere = claims_with(json!({}));
    elsewhere["aud"] = "elsewhere".into();
    let elsewhere = key(Algorithm::HS256).token(&elsewhere);
    assert!(is_known(&other, &elsewhere));
    assert_eq!(refused(&one, &elsewhere), ErrorKind::Audience);
}

/// Many tokens, many threads, and room for a few: nobody gets the claims of another.
#[test]
fn nobody_gets_the_claims_of_another() {
    let verifier: Verifier = builder().cache(Cache::of_bytes(1 << 18)).build().unwrap();
    let tokens: Vec<_> = (0..300).map(|n| token(json!({"sub": n.to_string()}))).collect();
    thread::scope(|scope| {
        for start in 0..4 {
            let (verifier, tokens) = (&verifier, &tokens);
            scope.spawn(move || {
                for step in 0..3_000_usize {
                    // A few come often, the others now and then.
                    let wide = if step % 3 == 0 { 300 } else { 20 };
                    let number = (start * 31 + step * 7) % wide;
                    let claims = now(verifier, &tokens[number]).unwrap();
                    assert_eq!(claims.subject(), Some(&*number.to_string()));
                }
            });
        }
    });
}

#[cfg(feature = "issue")]
#[test]
fn a_token_goes_with_its_key() {
    use tower_jwt_auth::issue::{Grant, SigningKey};

    let clock = FixedClock::default();
    let key = || SigningKey::generate(Algorithm::ES256).unwrap();
    let issuer = crate::sessions::issuer(&clock).key(key()).build().unwrap();
    let verifier = Verifier::builder()
        .audience(AUDIENCE)
        .keys(issuer.key_source())
        .clock(clock)
        .build()
        .unwrap();
    let token = issuer.issue(Grant::new("ada")).unwrap();
    assert!(is_known(&verifier, token.as_str()));
    issuer.replace_keys(key()).unwrap();
    assert_eq!(refused(&verifier, token.as_str()), ErrorKind::UnknownKey);
}

mod several {
    use tower_jwt_auth::verifier::Issuers;

    use super::*;

    fn of(audience: &str) -> Verifier {
        let keys = key(Algorithm::HS256).key();
        Verifier::builder()
            .issuer(ISSUER)
            .audience(audience)
            .keys(keys)
            .clock(FixedClock::default())
            .build()
            .unwrap()
    }

    #[test]
    fn they_are_known_until_the_issuer_goes() {
        let issuers = Issuers::new();
        issuers.add(of(AUDIENCE)).unwrap();
        let (verifier, token) = (issuers.verifier(), token(json!({})));
        assert!(is_known(&verifier, &token));
        assert!(issuers.remove(ISSUER));
        assert_eq!(refused(&verifier, &token), ErrorKind::Issuer);
        issuers.add(of("elsewhere")).unwrap();
        assert_eq!(refused(&verifier, &token), ErrorKind::Audience, "another verifier");
        issuers.add(of(AUDIENCE)).unwrap();
        assert!(is_known(&verifier, &token));
    }

    #[test]
    fn none_are_kept_where_none_shall_be() {
        let off = |verifier: VerifierBuilder<RegisteredClaims>| verifier.cache(Cache::off());
        let issuers = Issuers::builder().build().unwrap();
        issuers.add(off(builder()).build().unwrap()).unwrap();
        assert!(!is_known(&issuers.verifier(), &token(json!({}))));
        let issuers = Issuers::builder().cache(Cache::off()).build().unwrap();
        issuers.add(off(builder()).build().unwrap()).unwrap();
        assert!(!is_known(&issuers.verifier(), &token(json!({}))));
        assert!(Issuers::<RegisteredClaims>::builder().cache(Cache::of_bytes(9)).build().is_err());
    }
}
