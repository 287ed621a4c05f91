//! Rules in the shadow: they decide nothing, and say which tokens they would refuse.

#[cfg(feature = "tracing")]
mod events;
#[cfg(feature = "settings")]
mod settings;

use std::{
    ptr,
    time::{Duration, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, Claims, Error, RegisteredClaims, Verifier,
    keys::by_id::KeysById,
    verifier::{Cache, Issuers, RuleError, ShadowRule, ShadowRules, VerifierBuilder},
};

use crate::{
    support::{AUDIENCE, FixedClock, ISSUER, NOW, builder, claims_with, key, trusting},
    verdicts::now,
};

type SetRules = fn(ShadowRules) -> ShadowRules;
type Builder = VerifierBuilder<RegisteredClaims>;

const MINUTE: Duration = Duration::from_secs(60);

/// A token of the usual key with these claims, and these members in its header.
fn token(header: Value, claims: Value) -> String {
    let key = key(Algorithm::ES256);
    let mut all = key.header();
    all.as_object_mut().unwrap().extend(header.as_object().unwrap().clone());
    key.token_of(all.to_string(), claims_with(claims).to_string())
}

fn with(claims: Value) -> String {
    token(json!({}), claims)
}

/// The names of the rules that would have refused the token.
fn shadow(verifier: &Verifier, token: &str) -> String {
    now(verifier, token).expect("it passes").shadow().to_string()
}

fn clock_at(seconds: u64) -> FixedClock {
    FixedClock::at(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// A rule in the shadow, the same rule enforced, and tokens that it refuses.
struct Case {
    name: &'static str,
    accepts: String,
    refuses: Vec<String>,
    shadow: SetRules,
    /// A verifier that accepts all of the tokens.
    loose: fn(Builder) -> Builder,
    strict: fn(Builder) -> Builder,
}

fn cases() -> Vec<Case> {
    let same: fn(Builder) -> Builder = |builder| builder;
    let logout = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    vec![
        Case {
            name: "issuer",
            accepts: with(json!({})),
            refuses: vec![
                with(json!({"iss": "https://other.example"})),
                with(json!({"iss": null})),
            ],
            shadow: |rules| rules.issuer(ISSUER),
            loose: |builder| builder.any_issuer(),
            strict: same,
        },
        Case {
            name: "audience",
            accepts: with(json!({"aud": ["x", AUDIENCE]})),
            refuses: vec![with(json!({"aud": "x"})), with(json!({"aud": null}))],
            shadow: |rules| rules.audience(AUDIENCE).audience("https://z.example"),
            loose: |builder| builder.any_audience(),
            strict: same,
        },
        Case {
            name: "client",
            accepts: with(json!({"azp": "web"})),
            refuses: vec![with(json!({"client_id": "x", "azp": "web"})), with(json!({}))],
            shadow: |rules| rules.client_id("web").client_id("app"),
            loose: same,
            strict: |builder| builder.client_id("web"),
        },
        Case {
            name: "token_type",
            accepts: token(json!({"typ": "application/AT+JWT"}), json!({})),
            refuses: vec![token(json!({"typ": "JWT"}), json!({}))],
            shadow: |rules| rules.token_types(["application/at+jwt"]),
            loose: same,
            strict: |builder| builder.token_types(["at+jwt"]),
        },
        Case {
            name: "algorithm_not_allowed",
            accepts: key(Algorithm::RS256).token(&claims_with(json!({}))),
            refuses: vec![with(json!({}))],
            shadow: |rules| rules.algorithms([Algorithm::RS256]),
            loose: same,
            strict: |builder| builder.algorithms([Algorithm::RS256]),
        },
        Case {
            name: "header_parameter",
            accepts: token(json!({"signer": "a"}), json!({})),
            refuses: vec![token(json!({"signer": "b"}), json!({})), with(json!({}))],
            shadow: |rules| rules.required_header("signer", "a"),
            loose: same,
            strict: |builder| builder.required_header("signer", "a"),
        },
        Case {
            name: "missing_claim",
            accepts: with(json!({"tenant": 1, "jti": "j"})),
            refuses: vec![with(json!({"jti": "j"})), with(json!({"tenant": 1, "jti": ""}))],
            shadow: |rules| rules.required_claim("tenant").required_claim("jti"),
            loose: same,
            strict: |builder| builder.required_claim("tenant").required_claim("jti"),
        },
        Case {
            name: "missing_claim",
            accepts: with(json!({})),
            refuses: vec![with(json!({"sub": null})), with(json!({"sub": ""}))],
            shadow: |rules| rules.required_claim("sub"),
            loose: |builder| builder.without_subject(),
            strict: same,
        },
        Case {
            name: "security_event",
            accepts: with(json!({"events": null})),
            refuses: vec![with(json!({"events": logout}))],
            shadow: |rules| rules.refuse_events(),
            loose: |builder| builder.any_events(),
            strict: same,
        },
        Case {
            name: "sender_constrained",
            accepts: with(json!({})),
            refuses: vec![with(json!({"cnf": {"jkt": "x"}}))],
            shadow: |rules| rules.refuse_confirmation(),
            loose: |builder| builder.dangerous().ignore_confirmation(),
            strict: same,
        },
        Case {
            name: "malformed_claims",
            accepts: with(json!({"sub": "42"})),
            refuses: vec![with(json!({"sub": 42}))],
            shadow: |rules| rules.refuse_integer_subject(),
            loose: |builder| builder.any_integer_subject(),
            strict: same,
        },
        Case {
            name: "expired",
            accepts: with(json!({"exp": NOW - 4})),
            refuses: vec![with(json!({"exp": NOW - 5})), with(json!({"exp": NOW - 59}))],
            shadow: |rules| rules.leeway(Duration::from_secs(5)),
            loose: same,
            strict: |builder| builder.leeway(Duration::from_secs(5)),
        },
        Case {
            name: "not_yet_valid",
            accepts: with(json!({"nbf": NOW + 5})),
            refuses: vec![with(json!({"nbf": NOW + 6}))],
            shadow: |rules| rules.leeway(Duration::from_secs(5)),
            loose: same,
            strict: |builder| builder.leeway(Duration::from_secs(5)),
        },
        Case {
            name: "issued_in_future",
            accepts: with(json!({"iat": NOW + 5})),
            refuses: vec![with(json!({"iat": NOW + 6}))],
            shadow: |rules| rules.leeway(Duration::from_secs(5)),
            loose: same,
            strict: |builder| builder.leeway(Duration::from_secs(5)),
        },
        Case {
            name: "too_old",
            accepts: with(json!({"iat": NOW - 120})),
            refuses: vec![with(json!({"iat": NOW - 121})), with(json!({"iat": null}))],
            shadow: |rules| rules.max_age(MINUTE),
            loose: same,
            strict: |builder| builder.max_age(MINUTE),
        },
        Case {
            name: "too_old",
            accepts: with(json!({"iat": NOW - 65})),
            refuses: vec![with(json!({"iat": NOW - 66}))],
            shadow: |rules| rules.leeway(Duration::from_secs(5)),
            loose: |builder| builder.max_age(MINUTE),
            strict: |builder| builder.leeway(Duration::from_secs(5)).max_age(MINUTE),
        },
    ]
}

#[test]
fn each_rule_says_what_it_would_refuse_and_refuses_nothing() {
    for cache in [Cache::default(), Cache::off()] {
        for Case { name, accepts, refuses, shadow: rules, loose, strict } in cases() {
            let loose = || loose(builder().cache(cache));
            let verifier = loose().shadow(rules).build().unwrap();
            let plain = loose().build().unwrap();
            let strict = strict(builder()).build().unwrap();
            assert!(now(&strict, &accepts).is_ok(), "{name}");
            for _ in 0..3 {
                assert_eq!(shadow(&verifier, &accepts), "", "{name}");
                for token in &refuses {
                    assert_eq!(shadow(&verifier, token), name);
                    assert_eq!(shadow(&plain, token), "", "there is no shadow");
                }
            }
            // The name is that of the error, except for a claim that such a rule needs.
            for token in &refuses {
                let kind = now(&strict, token).unwrap_err().kind().name();
                assert!([name, "missing_claim"].contains(&kind), "{name}: {kind}");
            }
            let kind = now(&strict, &refuses[0]).unwrap_err().kind().name();
            assert_eq!(kind, name, "the first one");
        }
    }
}

#[test]
fn access_tokens_only_is_two_rules() {
    let verifier = builder().shadow(ShadowRules::access_tokens_only).build().unwrap();
    assert_eq!(shadow(&verifier, &with(json!({}))), "token_type, missing_claim");
    let of_client = json!({"client_id": "web", "jti": "j"});
    assert_eq!(shadow(&verifier, &with(of_client.clone())), "token_type");
    let access = json!({"typ": "at+jwt"});
    assert_eq!(shadow(&verifier, &token(access.clone(), json!({"jti": "j"}))), "missing_claim");
    assert_eq!(shadow(&verifier, &token(access, of_client)), "");
}

#[test]
fn all_rules_that_refuse_are_named() {
    let verifier = builder()
        .any_audience()
        .shadow(|rules| rules.audience(AUDIENCE).client_id("web"))
        .shadow(|rules| rules.leeway(Duration::ZERO))
        .build()
        .unwrap();
    let token = with(json!({"aud": "x", "exp": NOW - 1}));
    let verdict = now(&verifier, &token).unwrap().shadow();
    assert_eq!(verdict.to_string(), "audience, client, expired");
    assert_eq!(format!("{verdict:?}"), "{Audience, Client, Expired}");
    assert!(!verdict.is_empty() && verdict.contains(ShadowRule::Audience));
    assert!(!verdict.contains(ShadowRule::TooOld));
    let names: Vec<_> = verdict.iter().map(ShadowRule::name).collect();
    assert_eq!(names, ["audience", "client", "expired"]);
}

#[test]
fn the_verdict_of_a_known_token_follows_the_time() {
    let clock = clock_at(NOW);
    let verifier = builder()
        .any_audience()
        .clock(clock.clone())
        .shadow(|rules| rules.audience(AUDIENCE).leeway(Duration::from_secs(5)).max_age(MINUTE))
        .build()
        .unwrap();
    let token = with(json!({"aud": "x", "exp": NOW + 10, "iat": NOW - 30}));
    let first = now(&verifier, &token).unwrap();
    for (at, expected) in [
        (0, "audience"),
        (14, "audience"),
        (15, "audience, expired"),
        (35, "audience, expired"),
        (36, "audience, expired, too_old"),
        (69, "audience, expired, too_old"),
        // A clock that is set back.
        (3, "audience"),
    ] {
        clock.set(UNIX_EPOCH + Duration::from_secs(NOW + at));
        let claims = now(&verifier, &token).unwrap();
        assert!(ptr::eq(first.registered(), claims.registered()), "it is known");
        assert_eq!(claims.shadow().to_string(), expected, "{at}");
    }
    clock.set(UNIX_EPOCH + Duration::from_secs(NOW + 70));
    assert_eq!(now(&verifier, &token).unwrap_err().kind().name(), "expired");
}

#[test]
fn claims_for_another_type_have_it_too() {
    #[derive(serde::Deserialize)]
    struct User {
        scope: String,
    }
    let verifier = builder::<User>().any_audience().shadow(|rules| rules.audience(AUDIENCE));
    let verifier = verifier.build().unwrap();
    let claims: Claims<User> =
        verifier.verify(&with(json!({"aud": "x"}))).now_or_never().unwrap().unwrap();
    assert_eq!((&*claims.scope, claims.shadow().to_string()), ("read write", "audience".into()));
}

#[tokio::test]
async fn it_comes_after_all_rules_and_decides_nothing() {
    let rules = |builder: Builder| builder.any_audience().shadow(|rules| rules.audience(AUDIENCE));
    let waits = rules(builder()).async_rule(|claims: Claims| async move {
        tokio::task::yield_now().await;
        match claims.subject() {
            Some("alice") => Ok(()),
            _ => Err(RuleError::refuse("not alice")),
        }
    });
    let waits = waits.build().unwrap();
    let token = with(json!({"aud": "x", "exp": NOW - 1}));
    for _ in 0..2 {
        let claims = waits.verify(&token).await.unwrap();
        assert_eq!(claims.shadow().to_string(), "audience");
    }
    assert!(waits.verify(&with(json!({"aud": "x", "sub": "bob"}))).await.is_err());
}

#[tokio::test]
async fn a_token_that_waits_for_its_key_is_judged_too() {
    let found = |_: String| async { Ok::<_, Error>(Some(key(Algorithm::ES256).key())) };
    let verifier = trusting(KeysById::new(found)).any_audience();
    let verifier = verifier.shadow(|rules| rules.audience(AUDIENCE).token_types(["at+jwt"]));
    let (verifier, token) = (verifier.build().unwrap(), with(json!({"aud": "x"})));
    for _ in 0..3 {
        let claims: Claims = verifier.verify(&token).await.unwrap();
        assert_eq!(claims.shadow().to_string(), "token_type, audience");
    }
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn a_handler_has_it_also_inside_a_layer_for_another_type() {
    use axum::{Router, body::Body, routing::get};
    use http::Request;
    use tower::ServiceExt;
    use tower_jwt_auth::JwtAuthLayer;

    #[derive(serde::Deserialize)]
    struct User {}
    let rules = |rules: ShadowRules| rules.audience(AUDIENCE).leeway(Duration::ZERO);
    let verifier = builder::<User>().any_audience().shadow(rules).build().unwrap();
    let app = Router::new()
        .route("/typed", get(async |claims: Claims<User>| claims.shadow().to_string()))
        .route("/plain", get(async |claims: Claims| claims.shadow().to_string()))
        .layer(JwtAuthLayer::new(verifier));
    let token = with(json!({"aud": "x", "exp": NOW - 1}));
    for path in ["/typed", "/plain", "/typed", "/plain"] {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
        assert_eq!(body, "audience, expired", "{path}");
    }
}

#[test]
fn each_issuer_has_its_own() {
    let issuers = Issuers::new();
    for (issuer, audience) in [("https://a.example", "a"), ("https://b.example", "b")] {
        let key = key(Algorithm::ES256).key();
        let verifier = Verifier::builder().issuer(issuer).any_audience().keys(key);
        let verifier =
            verifier.clock(FixedClock::default()).shadow(|rules| rules.audience(audience));
        issuers.add(verifier.build().unwrap()).unwrap();
    }
    let verifier = issuers.verifier();
    for _ in 0..2 {
        for (issuer, audience, expected) in [
            ("https://a.example", "a", ""),
            ("https://a.example", "b", "audience"),
            ("https://b.example", "a", "audience"),
            ("https://b.example", "b", ""),
        ] {
            let token = with(json!({"iss": issuer, "aud": audience}));
            assert_eq!(shadow(&verifier, &token), expected, "{issuer} {audience}");
        }
    }
}

#[test]
fn rules_that_cannot_be_meant_are_refused() {
    fn refused(rules: SetRules) -> String {
        builder()
            .max_age(MINUTE)
            .shadow(rules)
            .build()
            .map(|_: Verifier| ())
            .unwrap_err()
            .to_string()
    }
    let cases: [(SetRules, &str); 9] = [
        (|rules| rules.audience(""), "an audience"),
        (|rules| rules.issuer(" "), "an issuer"),
        (|rules| rules.client_id(""), "a client of the shadow rules is empty"),
        (|rules| rules.required_claim(""), "required claim is empty"),
        (|rules| rules.required_header("typ", "x"), "`.token_types(…)`"),
        (|rules| rules.token_types(Vec::<String>::new()), "token types is empty"),
        (|rules| rules.algorithms([]), "algorithms of the shadow rules is empty"),
        (|rules| rules.leeway(Duration::from_secs(61)), "would refuse nothing"),
        (|rules| rules.max_age(2 * MINUTE), "would refuse nothing"),
    ];
    for (rules, said) in cases {
        assert!(refused(rules).contains(said), "{}", refused(rules));
    }
    let many =
        builder().shadow(|rules| (0..65).fold(rules, |all, n| all.required_claim(n.to_string())));
    assert!(many.build().map(|_: Verifier| ()).unwrap_err().to_string().contains("64"));
    // A rule that is enforced already may stay.
    let enforced = builder().shadow(|rules| rules.audience(AUDIENCE).leeway(MINUTE));
    assert_eq!(shadow(&enforced.build().unwrap(), &with(json!({}))), "");
}

#[test]
fn debug_shows_the_rules() {
    let rules = builder().any_audience().shadow(|rules| rules.audience(AUDIENCE));
    let verifier: Verifier = rules.build().unwrap();
    let shown = format!("{verifier:?}");
    assert!(shown.contains("shadow: Shadow") && shown.contains("asked: [Audience]"), "{shown}");
    let plain: Verifier = builder().build().unwrap();
    assert!(!format!("{plain:?}").contains("shadow"));
    let shown = format!("{:?}", ShadowRules::default().client_id("web"));
    assert!(shown.contains("clients: [\"web\"]"), "{shown}");
}
