//! Several issuers, none of whom speaks for another; `remote::issuers` has those whose keys are
//! fetched.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, UNIX_EPOCH},
};

use serde_json::json;
use tokio::runtime::Builder;
use tower_jwt_auth::{
    Algorithm, ConfigError, ErrorKind, RegisteredClaims, Verifier, keys::IntoKeySource,
    verifier::Issuers,
};

use crate::{
    support::{AUDIENCE, FixedClock, ISSUER, NOW, TestKey, b64, builder, claims_with, key},
    verdicts::{accepted, answer, ms, now, pending, refused, token, unavailable, until},
};

pub(crate) const ONE: &str = "https://one.example";
pub(crate) const TWO: &str = "https://two.example";

pub(crate) fn of(issuer: &str, audience: &str, keys: impl IntoKeySource) -> Verifier {
    let builder = Verifier::builder().issuer(issuer).audience(audience).keys(keys);
    builder.clock(FixedClock::default()).build().unwrap()
}

pub(crate) fn token_of(key: &TestKey, issuer: &str) -> String {
    key.token(&claims_with(json!({"iss": issuer})))
}

#[test]
fn each_has_rules_of_its_own_and_comes_and_goes() {
    let (one, two) = (key(Algorithm::ES256), key(Algorithm::EdDSA));
    let issuers = Issuers::new();
    let verifier = issuers.verifier();
    refused(now(&verifier, &token_of(one, ONE)), &ErrorKind::Issuer);
    issuers.add(of(ONE, AUDIENCE, one.key())).unwrap();
    issuers.add(of(TWO, "https://other.example.com", two.key())).unwrap();
    accepted(now(&verifier, &token_of(one, ONE)));
    refused(now(&verifier, &token_of(two, TWO)), &ErrorKind::Audience);
    let mut names = issuers.names();
    names.sort();
    assert_eq!(names, [ONE, TWO]);

    // Another one in its place, and none.
    issuers.add(of(TWO, AUDIENCE, two.key())).unwrap();
    accepted(now(&verifier, &token_of(two, TWO)));
    assert!(issuers.remove(TWO) && !issuers.remove(TWO));
    refused(now(&verifier, &token_of(two, TWO)), &ErrorKind::Issuer);
    accepted(now(&verifier, &token_of(one, ONE)));
    assert!(issuers.get(ONE).is_some() && issuers.get(TWO).is_none());

    // One that is not picked by an issuer has no place among them.
    let any = Verifier::builder().any_issuer().any_audience();
    let error = issuers.add(any.keys(one.key()).build().unwrap()).unwrap_err();
    assert!(matches!(error, ConfigError::InvalidName(_)));
    assert!(issuers.add(issuers.verifier()).is_err());
}

#[test]
fn what_is_no_token_is_refused() {
    let issuers = Issuers::new();
    issuers.add(builder().build().unwrap()).unwrap();
    let verifier: Verifier = issuers.verifier();
    let key = key(Algorithm::ES256);
    accepted(now(&verifier, &token(key)));
    let long = key.token(&claims_with(json!({"x": "x".repeat(9000)})));
    refused(now(&verifier, &long), &ErrorKind::TokenTooLong { limit: 8192 });
    for token in ["", "a.b.c", "....", "e30.e30.e30"] {
        assert!(now(&verifier, token).unwrap_err().is_invalid_token(), "{token}");
    }
    for payload in [
        "{}",
        "[]",
        "null",
        r#"["https://login.example.com"]"#,
        r#"{"iss":7}"#,
        r#"{"iss":null}"#,
        r#"{"iss":"https://login.example.com","iss":"https://evil.example"}"#,
        &format!(r#"{{"x":{}{},"iss":"{ISSUER}"}}"#, "[".repeat(3000), "]".repeat(3000)),
    ] {
        let token = key.token_of(key.header().to_string(), payload);
        assert!(now(&verifier, &token).unwrap_err().is_invalid_token(), "{payload}");
    }
}

/// Issuers of tenants whose resolver counts, and answers as the tenant's name says.
fn tenants(clock: &FixedClock) -> (Issuers<RegisteredClaims>, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let resolve = move |issuer: String| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            tokio::time::sleep(ms(20)).await;
            match issuer.rsplit('/').next().unwrap_or_default() {
                "unknown" => Ok(None),
                "down" => Err(io::Error::other("the database is down")),
                "wrong" => Ok(Some(of(ONE, AUDIENCE, key(Algorithm::ES256).key()))),
                "panic" => panic!("a resolver of this kind"),
                _ => Ok(Some(of(&issuer, AUDIENCE, key(Algorithm::ES256).key()))),
            }
        }
    };
    let builder = Issuers::builder().resolve(["https://t.example/{tenant}"], resolve);
    let builder = builder.lifetime(Duration::from_secs(100)).max_resolved(2).clock(clock.clone());
    (builder.build().unwrap(), asked)
}

#[tokio::test]
async fn a_tenant_is_resolved_once_and_kept_for_a_while() {
    let clock = FixedClock::default();
    let (issuers, asked) = tenants(&clock);
    let (verifier, good) = (issuers.verifier(), key(Algorithm::ES256));
    let tenant = |name: &str| token_of(good, &format!("https://t.example/{name}"));
    let asked = || asked.load(Ordering::SeqCst);

    let waiting: Vec<_> = (0..50).map(|_| verifier.verify(&tenant("a"))).collect();
    for result in waiting {
        accepted(result.await);
    }
    assert_eq!(asked(), 1, "shared");
    accepted(now(&verifier, &tenant("a")));
    assert_eq!(answer(&verifier, &tenant("a")).await.status(), 200);

    // After a while it is asked for again, and no request waits for that.
    clock.set(UNIX_EPOCH + Duration::from_secs(NOW + 100));
    for _ in 0..10 {
        accepted(now(&verifier, &tenant("a")));
    }
    until("it is asked for again", || asked() == 2).await;
    tokio::time::sleep(ms(50)).await;
    accepted(now(&verifier, &tenant("a")));
    assert_eq!(asked(), 2);
    // At once, if it was removed by hand.
    issuers.remove("https://t.example/a");
    accepted(verifier.verify(&tenant("a")).await);
    assert_eq!(asked(), 3);
    // No more than two are kept, and others are resolved each time; one that was added by hand
    // is not among them.
    issuers.add(of(ONE, AUDIENCE, good.key())).unwrap();
    for name in ["b", "c", "d"] {
        accepted(verifier.verify(&tenant(name)).await);
    }
    let mut names = issuers.names();
    names.sort();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(["a", "b"].iter().all(|name| names.contains(&format!("https://t.example/{name}"))));
    assert!(names.contains(&ONE.into()), "{names:?}");
    // What is over makes room.
    clock.set(UNIX_EPOCH + Duration::from_secs(NOW + 200));
    accepted(verifier.verify(&tenant("e")).await);
    assert!(issuers.names().contains(&"https://t.example/e".into()));
}

#[tokio::test]
async fn what_is_changed_by_hand_meanwhile_is_of_that_issuer_alone() {
    let (issuers, asked) = tenants(&FixedClock::default());
    let (verifier, good) = (issuers.verifier(), key(Algorithm::ES256));
    let tenant = |name: &str| format!("https://t.example/{name}");
    let token = |name: &str| token_of(good, &tenant(name));

    let [kept, removed] = ["kept", "removed"].map(|name| verifier.verify(&token(name)));
    until("both are asked for", || asked.load(Ordering::SeqCst) == 2).await;
    issuers.add(of(ONE, AUDIENCE, good.key())).unwrap();
    assert!(!issuers.remove(&tenant("removed")), "it is not there yet");
    accepted(kept.await);
    accepted(removed.await);
    let mut names = issuers.names();
    names.sort();
    assert_eq!(names, [ONE.to_owned(), tenant("kept")]);

    // One that was added by hand stays, whatever is resolved.
    let own = verifier.verify(&token("own"));
    until("it is asked for", || asked.load(Ordering::SeqCst) == 3).await;
    issuers.add(of(&tenant("own"), "another audience", good.key())).unwrap();
    let _ = own.await;
    refused(now(&verifier, &token("own")), &ErrorKind::Audience);
}

#[tokio::test]
async fn a_tenant_that_is_none_is_asked_for_once() {
    let clock = FixedClock::default();
    let (issuers, asked) = tenants(&clock);
    let (verifier, good) = (issuers.verifier(), key(Algorithm::ES256));
    let tenant = |name: &str| token_of(good, &format!("https://t.example/{name}"));
    let asked = || asked.load(Ordering::SeqCst);

    refused(verifier.verify(&tenant("unknown")).await, &ErrorKind::Issuer);
    refused(now(&verifier, &tenant("unknown")), &ErrorKind::Issuer);
    assert_eq!(asked(), 1);
    clock.set(UNIX_EPOCH + Duration::from_secs(NOW + 60));
    refused(verifier.verify(&tenant("unknown")).await, &ErrorKind::Issuer);
    assert_eq!(asked(), 2);

    let response = answer(&verifier, &tenant("down")).await;
    assert_eq!((response.status().as_u16(), asked()), (503, 3));
    assert_eq!(response.headers()["retry-after"], "5");
    assert_eq!(answer(&verifier, &tenant("down")).await.status(), 503);
    assert_eq!(asked(), 3);
    assert_eq!(answer(&verifier, &tenant("wrong")).await.status(), 500);
    unavailable(verifier.verify(&tenant("panic")).await);

    // Not even asked for: other names, and tokens that are bad anyway.
    let before = asked();
    for issuer in ["https://evil.example/a", "https://t.example/a/b", "https://t.example/..", "x"] {
        refused(now(&verifier, &token_of(good, issuer)), &ErrorKind::Issuer);
    }
    let expired = claims_with(json!({"iss": "https://t.example/a", "exp": 1_700_000_000}));
    refused(now(&verifier, &good.token(&expired)), &ErrorKind::Expired);
    assert_eq!(asked(), before);
}

#[tokio::test]
async fn made_up_tenants_are_asked_for_a_few_at_a_time() {
    let (issuers, asked) = tenants(&FixedClock::default());
    let (verifier, good) = (issuers.verifier(), key(Algorithm::ES256));
    let steps: Vec<_> = (0..200)
        .map(|n| verifier.verify(&token_of(good, &format!("https://t.example/{n}"))))
        .collect();
    tokio::time::sleep(ms(5)).await;
    assert_eq!(asked.load(Ordering::SeqCst), 16);
    let mut passed = 0;
    for step in steps {
        match step.await {
            Ok(_) => passed += 1,
            Err(error) => drop(pending(Err(error))),
        }
    }
    assert_eq!(passed, 16);
    assert_eq!(issuers.names().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn resolutions_in_vain_are_few_unless_the_issuer_is_known() {
    for known in [false, true] {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let resolve = move |issuer: String| {
            let n = count.fetch_add(1, Ordering::SeqCst);
            async move {
                match n % 3 {
                    _ if issuer.contains("good") => {
                        Ok(Some(of(&issuer, AUDIENCE, key(Algorithm::ES256).key())))
                    }
                    0 => Ok(None),
                    1 => Err(io::Error::other("no such host")),
                    _ => panic!("a resolver of this kind"),
                }
            }
        };
        let builder = Issuers::builder().resolve(["https://{tenant}.t.example"], resolve);
        let builder = if known { builder.known(|_| true) } else { builder };
        let verifier = builder.clock(FixedClock::default()).build().unwrap().verifier();
        let token =
            |name: &str| token_of(key(Algorithm::ES256), &format!("https://{name}.t.example"));
        for n in 0..40 {
            accepted(verifier.verify(&token(&format!("good-{n}"))).await);
            let error = verifier.verify(&token(&format!("x{n}"))).await.unwrap_err();
            assert!(known || n < 20 || error.is_server_fault(), "{error}");
            if n == 19 && !known {
                break;
            }
        }
        let later = verifier.verify(&token("good-new")).await;
        if known {
            accepted(later);
            assert_eq!(asked.load(Ordering::SeqCst), 81);
            continue;
        }
        assert_eq!(pending(later), ms(5000));
        assert_eq!(asked.load(Ordering::SeqCst), 40);
        accepted(now(&verifier, &token("good-1")));
        tokio::time::advance(ms(5000)).await;
        accepted(verifier.verify(&token("good-new")).await);
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_prolongs_no_tenant() {
    let clock = FixedClock::default();
    let (issuers, told) = one_tenant(&clock);
    let verifier = issuers.verifier();
    let token = token_of(key(Algorithm::ES256), "https://t.example/good");
    accepted(verifier.verify(&token).await);
    told.store(2, Ordering::SeqCst);
    clock.set(UNIX_EPOCH + Duration::from_secs(NOW - 60));
    accepted(now(&verifier, &token));
    clock.set(UNIX_EPOCH + Duration::from_secs(NOW - 61));
    refused(verifier.verify(&token).await, &ErrorKind::Issuer);
}

#[test]
fn a_runtime_without_a_timer_is_503_and_no_panic() {
    let runtime = || Builder::new_current_thread().build().unwrap();
    let (issuers, asked) = tenants(&FixedClock::default());
    let (verifier, token) =
        (issuers.verifier(), token_of(key(Algorithm::ES256), "https://t.example/a"));
    unavailable(runtime().block_on(async { verifier.verify(&token).await }));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    // Where the request is polled matters, too.
    let timed = Builder::new_current_thread().enable_all().build().unwrap();
    let entered = timed.enter();
    let request = verifier.verify(&token);
    drop(entered);
    unavailable(runtime().block_on(request));
}

/// Issuers of one tenant whose resolver answers as it is told; others are none.
fn one_tenant(clock: &FixedClock) -> (Issuers<RegisteredClaims>, Arc<AtomicUsize>) {
    let told = Arc::new(AtomicUsize::new(0));
    let tells = Arc::clone(&told);
    let resolve = move |issuer: String| {
        let tells = tells.load(Ordering::SeqCst);
        async move {
            tokio::time::sleep(ms(20)).await;
            match tells {
                0 if issuer.ends_with("/good") => {
                    Ok(Some(of(&issuer, AUDIENCE, key(Algorithm::ES256).key())))
                }
                1 => Err(io::Error::other("the database is down")),
                _ => Ok(None),
            }
        }
    };
    let builder = Issuers::builder().resolve(["https://t.example/{tenant}"], resolve);
    (builder.clock(clock.clone()).build().unwrap(), told)
}

#[tokio::test]
async fn a_tenant_outlives_its_resolver_for_a_day() {
    let clock = FixedClock::default();
    let (issuers, told) = one_tenant(&clock);
    let verifier = issuers.verifier();
    let long = json!({"iss": "https://t.example/good", "exp": 4_000_000_000_u64});
    let token = key(Algorithm::ES256).token(&claims_with(long));
    let first = verifier.verify(&token).await.unwrap();
    let at = |hours: u64| clock.set(UNIX_EPOCH + Duration::from_secs(NOW + hours * 3600));

    told.store(1, Ordering::SeqCst);
    for hours in [1, 10, 24] {
        at(hours);
        accepted(now(&verifier, &token));
        tokio::time::sleep(ms(50)).await;
        // It is the verifier of before, which knows the token.
        let again = now(&verifier, &token).unwrap();
        assert!(std::ptr::eq(first.registered(), again.registered()));
    }
    at(25);
    unavailable(verifier.verify(&token).await);
    // Back again, and then gone for good.
    told.store(0, Ordering::SeqCst);
    at(26);
    accepted(verifier.verify(&token).await);
    told.store(2, Ordering::SeqCst);
    at(28);
    accepted(now(&verifier, &token));
    until("it is dropped", || issuers.names().is_empty()).await;
    refused(verifier.verify(&token).await, &ErrorKind::Issuer);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_resolver_is_not_that_of_a_rule() {
    let resolve = |issuer: String| async move {
        let slow = |_: tower_jwt_auth::Claims| async {
            tokio::time::sleep(Duration::from_secs(6)).await;
            Ok(())
        };
        let builder = Verifier::builder().issuer(issuer).audience(AUDIENCE);
        builder
            .keys(key(Algorithm::ES256).key())
            .async_rule(slow)
            .clock(FixedClock::default())
            .build()
            .map(Some)
    };
    let builder = Issuers::builder().resolve(["https://t.example/{tenant}"], resolve);
    let issuers = builder.clock(FixedClock::default()).build().unwrap();
    let token = key(Algorithm::ES256).token(&claims_with(json!({"iss": "https://t.example/a"})));
    for _ in 0..2 {
        accepted(issuers.verifier().verify(&token).await);
    }
}

#[tokio::test]
async fn a_tenant_that_is_needed_makes_no_room() {
    let clock = FixedClock::default();
    let is_down = Arc::new(AtomicBool::new(false));
    let down = Arc::clone(&is_down);
    let resolve = move |issuer: String| {
        let fails = issuer.ends_with("/a") && down.load(Ordering::SeqCst);
        async move {
            if fails {
                return Err(io::Error::other("the database is down"));
            }
            Ok(Some(of(&issuer, AUDIENCE, key(Algorithm::ES256).key())))
        }
    };
    let builder = Issuers::builder().resolve(["https://t.example/{tenant}"], resolve);
    let builder = builder.lifetime(Duration::from_secs(100)).max_resolved(1).clock(clock.clone());
    let issuers = builder.build().unwrap();
    let verifier = issuers.verifier();
    let token = |name: &str| {
        let iss = format!("https://t.example/{name}");
        key(Algorithm::ES256).token(&claims_with(json!({"iss": iss, "exp": 4_000_000_000_u64})))
    };
    accepted(verifier.verify(&token("a")).await);
    is_down.store(true, Ordering::SeqCst);
    clock.set(UNIX_EPOCH + Duration::from_secs(NOW + 101));
    accepted(now(&verifier, &token("a")));
    // Another one is served all the same.
    accepted(verifier.verify(&token("b")).await);
    assert_eq!(issuers.names(), ["https://t.example/a"]);
    tokio::time::sleep(ms(20)).await;
    accepted(now(&verifier, &token("a")));
    // One that nobody has needed since its time was over does.
    is_down.store(false, Ordering::SeqCst);
    clock.set(UNIX_EPOCH + Duration::from_secs(NOW + 110));
    accepted(now(&verifier, &token("a")));
    tokio::time::sleep(ms(20)).await;
    clock.set(UNIX_EPOCH + Duration::from_secs(NOW + 211));
    accepted(verifier.verify(&token("b")).await);
    assert_eq!(issuers.names(), ["https://t.example/b"]);
}

#[tokio::test]
async fn few_tenants_are_renewed_at_a_time() {
    let clock = FixedClock::default();
    let [calls, most] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let (under_way, highest) = (Arc::clone(&calls), Arc::clone(&most));
    let resolve = move |issuer: String| {
        let (under_way, highest) = (Arc::clone(&under_way), Arc::clone(&highest));
        async move {
            highest.fetch_max(1 + under_way.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
            tokio::time::sleep(ms(10)).await;
            under_way.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, io::Error>(Some(of(&issuer, AUDIENCE, key(Algorithm::ES256).key())))
        }
    };
    let builder = Issuers::builder().resolve(["https://t.example/{tenant}"], resolve);
    let verifier = builder.clock(clock.clone()).build().unwrap().verifier();
    let tokens: Vec<_> = (0..200)
        .map(|n| {
            let iss = format!("https://t.example/{n}");
            let long = json!({"iss": iss, "exp": 4_000_000_000_u64});
            key(Algorithm::ES256).token(&claims_with(long))
        })
        .collect();
    for token in &tokens {
        accepted(verifier.verify(token).await);
    }
    clock.set(UNIX_EPOCH + Duration::from_secs(NOW + 3601));
    for token in &tokens {
        accepted(now(&verifier, token));
    }
    tokio::time::sleep(ms(100)).await;
    assert_eq!(most.load(Ordering::SeqCst), 16);
}

#[test]
fn a_runtime_that_nobody_drives_keeps_no_tenant_out() {
    let (issuers, _) = tenants(&FixedClock::default());
    let verifier = issuers.verifier();
    let token = |n: usize| token_of(key(Algorithm::ES256), &format!("https://t.example/{n}"));
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (idle, driven) = (runtime(), runtime());
    for n in 0..16 {
        idle.block_on(async { drop(verifier.verify(&token(n))) });
    }
    let refusal = driven.block_on(async { verifier.verify(&token(100)).await }).unwrap_err();
    assert!(matches!(refusal.kind(), ErrorKind::KeyPending { .. }), "{refusal:?}");
    std::thread::sleep(ms(6500));
    for n in [100, 3] {
        accepted(driven.block_on(async { verifier.verify(&token(n)).await }));
    }
}

#[tokio::test]
async fn made_up_tenants_do_not_keep_others_out() {
    let clock = FixedClock::default();
    let (issuers, _) = one_tenant(&clock);
    let verifier = issuers.verifier();
    let tenant = |name: &str| {
        let iss = format!("https://t.example/{name}");
        key(Algorithm::ES256).token(&claims_with(json!({"iss": iss, "exp": 4_000_000_000_u64})))
    };
    accepted(verifier.verify(&tenant("good")).await);
    for hour in 1..20 {
        clock.set(UNIX_EPOCH + Duration::from_secs(NOW + hour * 3600));
        let flood: Vec<_> =
            (0..20).map(|n| verifier.verify(&tenant(&format!("x{hour}-{n}")))).collect();
        accepted(now(&verifier, &tenant("good")));
        for step in flood {
            assert!(step.await.is_err());
        }
    }
    assert_eq!(issuers.names(), ["https://t.example/good"]);
}

/// `work` on another thread, which must end.
fn ends(work: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        work();
        done.send(()).unwrap();
    });
    is_done.recv_timeout(Duration::from_secs(60)).expect("it hangs, or panics");
}

#[test]
fn j08_a_runtime_that_closes_does_not_hang_on_a_resolver() {
    ends(|| {
        let (issuers, _) = one_tenant(&FixedClock::default());
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        drop(runtime);
        let _guard = handle.enter();
        let token = token_of(key(Algorithm::ES256), "https://t.example/a");
        assert!(issuers.verifier().verify(&token).now_or_never().is_none());
    });
    // While its threads ask for tenants.
    ends(|| {
        for _ in 0..50 {
            let (issuers, _) = one_tenant(&FixedClock::default());
            let verifier = issuers.verifier();
            let runtime =
                Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            let count = Arc::new(AtomicUsize::new(0));
            for _ in 0..2 {
                let (verifier, count) = (verifier.clone(), Arc::clone(&count));
                runtime.spawn(async move {
                    loop {
                        for _ in 0..20 {
                            let n = count.fetch_add(1, Ordering::Relaxed);
                            let claims =
                                claims_with(json!({"iss": format!("https://t.example/{n}")}));
                            let [header, claims] =
                                [r#"{"alg":"ES256"}"#.into(), claims.to_string()].map(b64);
                            drop(verifier.verify(&format!("{header}.{claims}.AAAA")));
                        }
                        tokio::task::yield_now().await;
                    }
                });
            }
            std::thread::sleep(ms(2));
            drop(runtime);
        }
    });
}

#[test]
fn a_resolver_needs_names_and_a_runtime() {
    let none = Issuers::<RegisteredClaims>::builder();
    let none = none.resolve([""; 0], async |_| Ok::<_, io::Error>(None));
    assert!(none.build().is_err());
    let bad = Issuers::<RegisteredClaims>::builder();
    let bad = bad.resolve(["https://{host}/"], async |_| Ok::<_, io::Error>(None));
    assert!(bad.build().is_err());

    let (issuers, asked) = tenants(&FixedClock::default());
    let token = token_of(key(Algorithm::ES256), "https://t.example/a");
    unavailable(now(&issuers.verifier(), &token));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn made_up_names_keep_no_new_tenant_out_where_customers_are_known() {
    let good = key(Algorithm::ES256);
    let resolve = |issuer: String| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let good = key(Algorithm::ES256).key();
        let found = issuer.contains("customer").then(|| of(&issuer, AUDIENCE, good));
        Ok::<_, io::Error>(found)
    };
    let builder = Issuers::builder().resolve(["https://t.example/{tenant}"], resolve);
    let builder = builder.known(|issuer| issuer.contains("customer"));
    let issuers = builder.clock(FixedClock::default()).build().unwrap();
    let verifier = issuers.verifier();
    // Made before: a signature takes longer than all that is measured here.
    let front = token_of(good, "https://t.example/made-up");
    let made_up = |number: u32| {
        let payload = claims_with(json!({"iss": format!("https://t.example/made-up-{number}")}));
        let mut parts: Vec<_> = front.split('.').map(String::from).collect();
        parts[1] = base64_simd::URL_SAFE_NO_PAD.encode_to_string(payload.to_string());
        parts.join(".")
    };
    let begin = std::time::Instant::now();
    let spray = tokio::spawn({
        let (verifier, tokens) = (verifier.clone(), (0..5000).map(made_up).collect::<Vec<_>>());
        async move {
            for token in tokens.iter().cycle() {
                refused(now(&verifier, token), &ErrorKind::Issuer);
                tokio::time::sleep(Duration::from_micros(50)).await;
            }
        }
    });
    let tenants: Vec<_> = (0..30)
        .map(|number| {
            let token = token_of(good, &format!("https://t.example/customer-{number}"));
            let verifier = verifier.clone();
            tokio::spawn(async move {
                loop {
                    match verifier.verify(&token).await {
                        Ok(_) => return,
                        Err(error) => {
                            let kind = error.kind();
                            assert!(matches!(kind, ErrorKind::KeyPending { .. }), "{error}");
                            tokio::time::sleep(ms(200)).await;
                        }
                    }
                }
            })
        })
        .collect();
    for tenant in tenants {
        tenant.await.unwrap();
    }
    spray.abort();
    println!("30 of 30 after {:?}", begin.elapsed());
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert!(Issuers::<RegisteredClaims>::builder().known(|_| true).build().is_err());
}
