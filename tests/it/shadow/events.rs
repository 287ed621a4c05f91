//! The events of rules in the shadow.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, Claims, Error, Verifier,
    revocation::{Denylist, MemoryDenylist, Revocation},
    verifier::{Cache, RuleError},
};

use super::{MINUTE, SetRules, clock_at, token, with};
use crate::{
    support::{AUDIENCE, ISSUER, NOW, TestKey, builder, claims_with, key, trusting},
    verdicts::now,
};

/// What is told while `work` runs, a line for each event, without its time.
fn told(work: impl FnOnce()) -> Vec<String> {
    let all = crate::privacy::events(work);
    let brief = |line: &str| {
        let (front, event) = line.split_once(" tower_jwt_auth: ").expect("an event of ours");
        format!("{} {event}", front.rsplit(' ').next().unwrap())
    };
    all.lines().map(brief).collect()
}

#[test]
fn an_event_says_what_was_expected_and_seen() {
    let start = "INFO a shadow rule would refuse tokens rule=";
    for (rules, changes, expected) in [
        (
            (|rules| rules.audience(AUDIENCE)) as SetRules,
            json!({"aud": ["x\n", "y"], "azp": "web"}),
            format!(
                "\"audience\" issuer=\"{ISSUER}\" expected=\"{AUDIENCE}\" seen=\"x\\\\n, y\" \
                 client=\"web\" more=0"
            ),
        ),
        (
            |rules| rules.client_id("app"),
            json!({"client_id": "web"}),
            format!("\"client\" issuer=\"{ISSUER}\" expected=\"app\" client=\"web\" more=0"),
        ),
        (
            |rules| rules.required_claim("jti").required_claim("tenant").required_claim("sub"),
            json!({}),
            format!("\"missing_claim\" issuer=\"{ISSUER}\" expected=\"jti, tenant\" more=0"),
        ),
        (
            |rules| rules.token_types(["at+jwt"]),
            json!({}),
            format!("\"token_type\" issuer=\"{ISSUER}\" expected=\"at+jwt\" seen=\"JWT\" more=0"),
        ),
        (
            |rules| rules.algorithms([Algorithm::RS256]),
            json!({}),
            format!(
                "\"algorithm_not_allowed\" issuer=\"{ISSUER}\" expected=\"RS256\" \
                 seen=\"ES256\" more=0"
            ),
        ),
        (
            |rules| rules.leeway(Duration::ZERO),
            json!({"exp": NOW - 7}),
            format!("\"expired\" issuer=\"{ISSUER}\" late_by_s=7 more=0"),
        ),
        (
            |rules| rules.leeway(Duration::ZERO),
            json!({"nbf": NOW + 7}),
            format!("\"not_yet_valid\" issuer=\"{ISSUER}\" early_by_s=7 more=0"),
        ),
        (
            |rules| rules.max_age(MINUTE),
            json!({"iat": NOW - 150}),
            format!("\"too_old\" issuer=\"{ISSUER}\" late_by_s=90 more=0"),
        ),
    ] {
        // Without a cache, and with one.
        for cache in [Cache::off(), Cache::default()] {
            let verifier = builder().any_audience().cache(cache).shadow(rules).build().unwrap();
            let token = with(changes.clone());
            let events = told(|| {
                for _ in 0..3 {
                    assert!(now(&verifier, &token).is_ok());
                }
            });
            // One for many; the test of `observe` has the count.
            assert_eq!(events, [format!("{start}{expected}")]);
        }
    }
}

#[test]
fn each_rule_has_its_own_event() {
    let verifier =
        builder().any_audience().shadow(|rules| rules.audience(AUDIENCE).client_id("app"));
    let verifier = verifier.build().unwrap();
    let events = told(|| {
        for _ in 0..2 {
            for changes in [json!({"aud": "x"}), json!({"client_id": "app"}), json!({"aud": "y"})] {
                assert!(now(&verifier, &with(changes)).is_ok());
            }
        }
    });
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events[0].contains("rule=\"audience\"") && events[1].contains("rule=\"client\""));
}

#[test]
fn a_token_that_is_refused_is_not_reported() {
    let list = MemoryDenylist::new();
    let clock = clock_at(NOW);
    let verifier = builder()
        .any_audience()
        .denylist(list.clone())
        .clock(clock.clone())
        .rule(|claims: &Claims| match claims.subject() {
            Some("bob") => Err(RuleError::refuse("not bob")),
            _ => Ok(()),
        })
        .shadow(|rules| rules.audience(AUDIENCE).leeway(Duration::ZERO))
        .build()
        .unwrap();
    let token = |changes: Value| {
        let mut all = json!({"aud": "x", "jti": "1", "exp": NOW + 5});
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        with(all)
    };
    let events = |token: &str| {
        let mut result = None;
        let events = told(|| result = Some(now(&verifier, token)));
        (result.unwrap().map(drop).map_err(|error: Error| error.kind().name()), events)
    };
    assert_eq!(events(&token(json!({"sub": "bob"}))), (Err("rule"), vec![]));
    assert_eq!(events(&token(json!({"iss": "https://x.example"}))), (Err("issuer"), vec![]));
    let forged = json!({"aud": "x", "jti": "1"});
    let forged = TestKey::fresh(Algorithm::ES256).token(&claims_with(forged));
    assert_eq!(events(&forged), (Err("signature"), vec![]));
    let good = token(json!({}));
    let (result, told) = events(&good);
    assert_eq!((result, told.len()), (Ok(()), 1));

    // A token that is known, and then expired or revoked.
    clock.set(UNIX_EPOCH + Duration::from_secs(NOW + 100));
    assert_eq!(events(&good), (Err("expired"), vec![]));
    let other = token(json!({"exp": NOW + 600, "jti": "2", "aud": AUDIENCE}));
    let claims = now(&verifier, &other).unwrap();
    let revocation = Revocation::of_token(claims.registered()).unwrap();
    list.revoke(revocation).now_or_never().unwrap().unwrap();
    assert_eq!(events(&other), (Err("revoked"), vec![]));
}

#[test]
fn an_event_has_no_token_in_it() {
    let verifier: Verifier = trusting(key(Algorithm::ES256).key())
        .any_audience()
        .any_issuer()
        .shadow(|rules| {
            let rules = rules.audience(AUDIENCE).issuer(ISSUER).client_id("app").max_age(MINUTE);
            rules.access_tokens_only().leeway(Duration::ZERO).required_claim("tenant")
        })
        .build()
        .unwrap();
    let secret = crate::privacy::MARKER;
    let token = token(
        json!({"kid": "ES256"}),
        json!({
            "iss": "x", "aud": "y", "sub": secret, "jti": secret, "sid": secret, "nbf": NOW + 9,
            "exp": NOW - 9, "iat": NOW - 1000, "name": secret, "scope": secret,
        }),
    );
    let events = told(|| {
        for _ in 0..2 {
            assert!(now(&verifier, &token).is_ok());
        }
    });
    assert_eq!(events.len(), 8, "{events:?}");
    let shown = format!("{events:?} {verifier:?} {:?}", now(&verifier, &token).unwrap().shadow());
    crate::privacy::check(&shown, &[token]);
}
