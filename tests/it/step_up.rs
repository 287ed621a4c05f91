//! Logins that must be strong or recent enough (RFC 9470).

use std::{
    error::Error as _,
    time::{Duration, UNIX_EPOCH},
};

use http::{Request, Response};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, Claims, Error, ErrorKind, JwtAuthLayer, RegisteredClaims, RequireLayer, Verifier,
    authorize::{Amr, Policy, PolicyExt, Roles, Scopes, StepUp},
    verifier::Cache,
};

use crate::{
    requests::{challenge, who},
    support::{FixedClock, NOW, builder, claims_with, key},
};

const MINUTE: Duration = Duration::from_secs(60);

/// The claims of a token with these changes, from a verifier with a clock at [`NOW`].
async fn claims(changes: Value) -> Claims {
    verified(&builder().build().unwrap(), changes).await
}

async fn verified(verifier: &Verifier, changes: Value) -> Claims {
    let token = key(Algorithm::HS256).token(&claims_with(changes));
    verifier.verify(&token).await.unwrap()
}

/// Whether a policy accepts a token with these claims; otherwise, the status and the cause.
async fn decide(
    policy: &impl Policy<RegisteredClaims>,
    changes: Value,
) -> Result<(), (u16, String)> {
    policy.authorize(&claims(changes).await).map_err(|error| {
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        (error.status().as_u16(), cause)
    })
}

/// The challenge of a policy to a token with these claims, behind the description.
async fn asked<P>(policy: P, changes: Value) -> (u16, String)
where
    P: Policy<RegisteredClaims> + Send + Sync + 'static,
{
    let layer = JwtAuthLayer::new(builder::<RegisteredClaims>().build().unwrap()).realm("api");
    let service = layer.layer(RequireLayer::new(policy).layer(service_fn(who::<()>)));
    let token = key(Algorithm::HS256).token(&claims_with(changes));
    let request = Request::get("/").header("authorization", format!("Bearer {token}"));
    let response: Response<String> = service.oneshot(request.body(()).unwrap()).await.unwrap();
    let asked = challenge(&response).unwrap_or_default().to_owned();
    (response.status().as_u16(), asked)
}

const LOGIN: &str = "Bearer realm=\"api\", error=\"insufficient_user_authentication\", \
                     error_description=\"a more recent or a stronger login is required\"";

#[tokio::test]
async fn f02_acr_is_one_of_the_values_byte_for_byte() {
    let policy = StepUp::acr(["urn:example:phrh", "phr"]);
    for acr in ["phr", "urn:example:phrh"] {
        assert_eq!(decide(&policy, json!({"acr": acr})).await, Ok(()), "{acr}");
    }
    for acr in [json!("PHR"), json!("ph"), json!("phr "), json!("urn:example:phrh phr"), json!("")]
    {
        let cause = "its `acr` is not one that is accepted".to_owned();
        assert_eq!(decide(&policy, json!({"acr": acr})).await, Err((401, cause)), "{acr}");
    }
    // f.3: missing or malformed is not enough.
    let cause = "it has no `acr`: have the issuer write it".to_owned();
    assert_eq!(decide(&policy, json!({})).await, Err((401, cause)));
    for acr in [json!(2), json!(["phr"]), json!({"phr": true}), json!(true)] {
        let cause = "its `acr` is not a string".to_owned();
        assert_eq!(decide(&policy, json!({"acr": acr})).await, Err((401, cause)), "{acr}");
    }
}

#[tokio::test]
async fn f02_at_least_is_by_the_rank_that_the_user_gives() {
    let rank = |acr: &str| match acr {
        "aal1" => Some(1),
        "aal2" | "phr" => Some(2),
        "aal3" => Some(3),
        _ => None,
    };
    let policy = StepUp::acr_at_least("aal2", rank);
    for (acr, status) in [("aal2", 200), ("phr", 200), ("aal3", 200), ("aal1", 401), ("x", 401)] {
        let decided = decide(&policy, json!({"acr": acr})).await;
        assert_eq!(decided.map_or_else(|(status, _)| status, |()| 200), status, "{acr}");
    }
    assert_eq!(decide(&policy, json!({})).await.unwrap_err().0, 401);
    let asked = asked(policy, json!({"acr": "aal1"})).await;
    assert_eq!(asked, (401, format!("{LOGIN}, acr_values=\"aal2\"")));
    // Without a rank, everything would be at least it.
    let unknown = decide(&StepUp::acr_at_least("aal4", rank), json!({"acr": "aal3"})).await;
    let cause = "the policy wants an `acr` that has no rank, give it one".to_owned();
    assert_eq!(unknown, Err((403, cause)));
}

#[tokio::test]
async fn f03_max_age_is_by_the_clock_and_the_leeway_of_the_verifier() {
    let policy = StepUp::login_within(5 * MINUTE);
    let now = |seconds: i64| json!({"auth_time": NOW.strict_add_signed(seconds)});
    for (ago, good) in
        [(0, true), (-300, true), (-360, true), (-361, false), (60, true), (61, false)]
    {
        assert_eq!(decide(&policy, now(ago)).await.is_ok(), good, "{ago}");
    }
    for (auth_time, good) in [
        (json!(NOW as f64 - 360.5), false),
        (json!(NOW as f64 + 60.5), false),
        (json!(NOW as f64 - 0.5), true),
        (json!(0), false),
        (json!(-1), false),
        (json!(i64::MAX), false),
        (json!(NOW.to_string()), false),
        (json!([NOW]), false),
        (json!(null), false),
    ] {
        let decided = decide(&policy, json!({"auth_time": auth_time})).await;
        assert_eq!(decided.is_ok(), good, "{auth_time}");
        assert!(good || decided.unwrap_err().0 == 401, "{auth_time}");
    }
    let cause = "its `auth_time` is not a number of seconds since 1970".to_owned();
    assert_eq!(decide(&policy, json!({"auth_time": "now"})).await, Err((401, cause)));
    let cause = "it has no `auth_time`: have the issuer write it".to_owned();
    // `iat` and `exp` say nothing of the login.
    assert_eq!(decide(&policy, json!({})).await, Err((401, cause)));
    let whole = StepUp::login_within(Duration::from_millis(300_999));
    assert!(decide(&whole, now(-361)).await.is_err(), "whole seconds");

    // Another leeway, and a token that is known, while the clock goes on.
    let clock = FixedClock::default();
    for cache in [Cache::default(), Cache::off()] {
        clock.set(UNIX_EPOCH + Duration::from_secs(NOW));
        let verifier = builder::<RegisteredClaims>()
            .clock(clock.clone())
            .leeway(Duration::ZERO)
            .cache(cache)
            .build()
            .unwrap();
        for (later, good) in [(0, true), (300, true), (301, false)] {
            clock.set(UNIX_EPOCH + Duration::from_secs(NOW + later));
            let claims = verified(&verifier, now(0)).await;
            assert_eq!(policy.authorize(&claims).is_ok(), good, "{later}");
        }
    }
}

#[tokio::test]
async fn f04_the_challenge_names_all_that_the_login_must_be() {
    let policy = || StepUp::acr(["phrh", "phr"]).max_age(5 * MINUTE);
    let all = (401, format!("{LOGIN}, acr_values=\"phrh phr\", max_age=\"300\""));
    for changes in [
        json!({}),
        // One of both would do: the next login must be good for both.
        json!({"acr": "phr", "auth_time": NOW - 1000}),
        json!({"acr": "pwd", "auth_time": NOW}),
    ] {
        assert_eq!(asked(policy(), changes.clone()).await, all, "{changes}");
    }
    let good = json!({"acr": "phr", "auth_time": NOW});
    assert_eq!(asked(policy(), good.clone()).await.0, 200);
    let both = decide(&policy(), json!({})).await.unwrap_err().1;
    assert!(both.contains("no `acr`") && both.contains("no `auth_time`"), "{both}");

    // The same in two policies, in any order.
    let (acr, age) = (StepUp::acr(["phrh", "phr"]), StepUp::login_within(5 * MINUTE));
    let stale = json!({"acr": "phr", "auth_time": NOW - 1000});
    for changes in [stale, json!({"acr": "pwd", "auth_time": NOW}), json!({})] {
        assert_eq!(asked(acr.clone().and(age.clone()), changes.clone()).await, all, "{changes}");
        assert_eq!(asked(age.clone().and(acr.clone()), changes.clone()).await, all, "{changes}");
    }
    // The stricter ones of both.
    let both = StepUp::acr(["a", "b", "c"])
        .max_age(MINUTE)
        .and(StepUp::acr(["c", "b"]).max_age(2 * MINUTE));
    let expected = (401, format!("{LOGIN}, acr_values=\"b c\", max_age=\"60\""));
    assert_eq!(asked(both, json!({})).await, expected);
    for (layer, parameters) in [
        (RequireLayer::acr(["phr"]), "acr_values=\"phr\""),
        (RequireLayer::max_age(MINUTE), "max_age=\"60\""),
    ] {
        let layers = (JwtAuthLayer::new(builder::<RegisteredClaims>().build().unwrap()), layer);
        let token = key(Algorithm::HS256).token(&claims_with(json!({})));
        let request = Request::get("/").header("authorization", format!("Bearer {token}"));
        let service = layers.layer(service_fn(who::<()>));
        let response: Response<String> = service.oneshot(request.body(()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 401);
        assert!(challenge(&response).unwrap().ends_with(parameters));
        let error = response.extensions().get::<Error>().unwrap();
        assert!(matches!(error.kind(), ErrorKind::UserAuthentication { .. }));
        assert_eq!(error.kind().name(), "user_authentication");
        assert!(!error.is_invalid_token() && !error.is_forbidden() && !error.is_missing_token());
    }
}

/// A value that only one of two policies accepts would send the client round in circles.
#[tokio::test]
async fn f04_only_a_value_that_all_policies_accept_is_asked_for() {
    let rank = |acr: &str| match acr {
        "aal1" => Some(1),
        "aal2" => Some(2),
        "aal3" => Some(3),
        _ => None,
    };
    let least = |acr: &str| StepUp::acr_at_least(acr, rank);
    let acr = |acr: &str| json!({"acr": acr, "auth_time": NOW});
    let aal3 = (401, format!("{LOGIN}, acr_values=\"aal3\""));
    for token in ["aal1", "aal2", "x"] {
        let one = least("aal2").and(StepUp::acr(["aal3"]));
        assert_eq!(asked(one, acr(token)).await, aal3, "{token}");
        let other = StepUp::acr(["aal3"]).and(least("aal2"));
        assert_eq!(asked(other, acr(token)).await, aal3, "{token}");
        assert_eq!(asked(least("aal2").and(least("aal3")), acr(token)).await, aal3, "{token}");
        // Wherever it is.
        let nested = |_: &Claims| true;
        let nested = nested.and(least("aal2")).and(Scopes::any_of(["read"]).and(least("aal3")));
        let with_scope = (401, format!("{LOGIN}, acr_values=\"aal3\", scope=\"read\""));
        assert_eq!(asked(nested, acr(token)).await, with_scope, "{token}");
    }
    let one = least("aal2").and(StepUp::acr(["aal3"]));
    assert_eq!(asked(one, acr("aal3")).await.0, 200);

    // An alternative accepts what one of its policies accepts.
    let admin = Roles::at("roles").any_of(["admin"]);
    let either = || admin.clone().or(StepUp::acr(["a"])).or(StepUp::acr(["b"]));
    let b = (401, format!("{LOGIN}, acr_values=\"b\""));
    for token in ["a", "x"] {
        assert_eq!(asked(either().and(StepUp::acr(["b"])), acr(token)).await, b, "{token}");
        assert_eq!(asked(StepUp::acr(["b"]).and(either()), acr(token)).await, b, "{token}");
    }
    assert_eq!(asked(either().and(StepUp::acr(["c"])), acr("c")).await.0, 403);
    let of_admin = json!({"acr": "x", "roles": ["admin"]});
    assert_eq!(asked(either().and(StepUp::acr(["b"])), of_admin).await, b);

    // No login helps.
    for token in ["a", "b", "x"] {
        let none = StepUp::acr(["a"]).and(StepUp::acr(["b"]));
        let (status, cause) = decide(&none, acr(token)).await.unwrap_err();
        assert_eq!(status, 403, "{token}");
        assert!(cause.contains("give them one in common"), "{cause}");
        let (status, challenge) = asked(none, acr(token)).await;
        assert!(status == 403 && !challenge.contains("acr_values"), "{challenge}");
    }

    // The token has a context that both accept and neither names. Its login is only too old.
    let other = |acr: &str| ["gold", "m1"].contains(&acr).then_some(1);
    let named = |acr: &str| ["gold", "l1"].contains(&acr).then_some(1);
    let both = || StepUp::acr_at_least("l1", named).and(StepUp::acr_at_least("m1", other));
    let recent = both().and(StepUp::login_within(MINUTE));
    let old = json!({"acr": "gold", "auth_time": 1});
    let gold = (401, format!("{LOGIN}, acr_values=\"gold\", max_age=\"60\""));
    assert_eq!(asked(recent, old).await, gold);
    assert_eq!(asked(both(), acr("gold")).await.0, 200);
}

#[tokio::test]
async fn f04_a_value_that_no_challenge_can_name_is_a_fault_of_the_policy() {
    let rank = |_: &str| Some(1);
    for odd in ["a b", " ", "", "a ", "\u{e9}", "x\r\ny", "\t"] {
        for policy in [
            StepUp::acr([odd]),
            StepUp::acr(["a", odd, "b"]).max_age(MINUTE),
            StepUp::acr_at_least(odd, rank),
        ] {
            for acr in [odd, "a", "b"] {
                let decided = decide(&policy, json!({"acr": acr, "auth_time": NOW})).await;
                let (status, cause) = decided.unwrap_err();
                assert_eq!(status, 403, "{odd:?} {acr:?}");
                assert!(cause.contains("one word of visible ASCII"), "{cause}");
            }
        }
    }
    let quoted = asked(StepUp::acr(["a\"b\\"]), json!({})).await;
    assert_eq!(quoted, (401, format!("{LOGIN}, acr_values=\"a\\\"b\\\\\"")));
}

#[tokio::test]
async fn f05_a_scope_and_a_login_are_one_challenge() {
    let (pay, phr) = (Scopes::all_of(["pay", "read"]), StepUp::acr(["phr"]));
    let one = (401, format!("{LOGIN}, acr_values=\"phr\", scope=\"pay read\""));
    // The scope is named if it is there, too: the next token must have it again.
    for scope in ["", "read", "pay read"] {
        let changes = json!({"scope": scope, "acr": "pwd"});
        assert_eq!(asked(pay.clone().and(phr.clone()), changes.clone()).await, one, "{scope}");
        assert_eq!(asked(phr.clone().and(pay.clone()), changes.clone()).await, one, "{scope}");
        let nested = phr.clone().and(|_: &Claims| true).and(pay.clone());
        assert_eq!(asked(nested, changes.clone()).await, one, "{scope}");
        let nested = Scopes::all_of(["pay"]).and(phr.clone().and(Scopes::any_of(["read"])));
        assert_eq!(asked(nested, changes).await, one, "{scope}");
    }
    let cause = decide(&pay.clone().and(phr.clone()), json!({"scope": "", "acr": 1})).await;
    let (_, cause) = cause.unwrap_err();
    assert!(cause.contains("lacks the scope pay read"), "{cause}");
    assert!(cause.contains("its `acr` is not a string"), "{cause}");

    // Only the scope is missing: no login is needed.
    let strong = json!({"scope": "read", "acr": "phr"});
    for (status, asked) in [
        asked(pay.clone().and(phr.clone()), strong.clone()).await,
        asked(phr.clone().and(pay.clone()), strong).await,
    ] {
        assert_eq!(status, 403);
        assert!(
            asked.contains("error=\"insufficient_scope\"") && asked.contains("scope=\"pay read\"")
        );
    }

    // No login changes that: the user is not sent to one.
    let admin = Roles::at("roles").any_of(["admin"]);
    for changes in [json!({"acr": "pwd"}), json!({"acr": "pwd", "scope": ["pay", 7]})] {
        let refused = [
            asked(phr.clone().and(admin.clone()), changes.clone()).await,
            asked(admin.clone().and(phr.clone()), changes.clone()).await,
            asked(pay.clone().and(phr.clone().and(admin.clone())), changes.clone()).await,
        ];
        assert_eq!(refused.map(|(status, _)| status), [403; 3], "{changes}");
    }
    let malformed = json!({"acr": "pwd", "scope": 7});
    assert_eq!(asked(phr.clone().and(pay.clone()), malformed.clone()).await.0, 403);
    assert_eq!(asked(pay.and(phr), malformed).await.0, 403);
}

#[tokio::test]
async fn an_alternative_asks_for_a_login_if_one_helps() {
    let (phr, admin) = (StepUp::acr(["phr"]), Roles::at("roles").any_of(["admin"]));
    let login = (401, format!("{LOGIN}, acr_values=\"phr\""));
    for changes in [json!({}), json!({"acr": "pwd", "roles": []})] {
        assert_eq!(asked(phr.clone().or(admin.clone()), changes.clone()).await, login);
        assert_eq!(asked(admin.clone().or(phr.clone()), changes.clone()).await, login);
    }
    for changes in [json!({"acr": "phr"}), json!({"roles": ["admin"]})] {
        assert_eq!(asked(phr.clone().or(admin.clone()), changes.clone()).await.0, 200);
        assert_eq!(asked(admin.clone().or(phr.clone()), changes.clone()).await.0, 200);
    }
    // An administrator is not asked for what administrators do not need.
    let both = admin.or(phr).and(StepUp::login_within(MINUTE));
    let stale = json!({"roles": ["admin"], "auth_time": 1});
    assert_eq!(asked(both, stale).await, (401, format!("{LOGIN}, max_age=\"60\"")));
}

#[tokio::test]
async fn f01_under_not_it_refuses_every_token_and_says_so() {
    let (phr, admin) = (StepUp::acr(["phr"]), Roles::at("roles").any_of(["admin"]));
    let cause = "a step-up is under `not`: no challenge can ask for a weaker login, take it out";
    let tokens = [
        json!({}),
        json!({"acr": "phr"}),
        json!({"acr": "pwd"}),
        json!({"roles": ["admin"]}),
        json!({"acr": "phr", "roles": ["admin"]}),
    ];
    for changes in tokens {
        let refused = Err((403, cause.to_owned()));
        assert_eq!(decide(&phr.clone().not(), changes.clone()).await, refused, "{changes}");
        let within = phr.clone().and(admin.clone()).not();
        assert_eq!(decide(&within, changes.clone()).await, refused, "{changes}");
        let within = admin.clone().or(phr.clone()).not();
        assert_eq!(decide(&within, changes.clone()).await, refused, "{changes}");
        let twice = phr.clone().not().not();
        assert_eq!(decide(&twice, changes.clone()).await, refused, "{changes}");
    }
    // Other policies are inverted as before.
    assert_eq!(decide(&admin.not(), json!({})).await, Ok(()));
    assert_eq!(decide(&Scopes::all_of(["pay"]).not(), json!({})).await, Ok(()));
}

#[tokio::test]
async fn a_policy_without_a_value_opens_nothing() {
    let empty: [&str; 0] = [];
    for changes in [json!({}), json!({"acr": ""}), json!({"acr": "phr", "auth_time": NOW})] {
        let refused = decide(&StepUp::acr(empty).max_age(MINUTE), changes.clone()).await;
        let cause = "the policy names no `acr`, give it one".to_owned();
        assert_eq!(refused, Err((403, cause)), "{changes}");
        assert_eq!(decide(&StepUp::acr([" "]), changes).await.unwrap_err().0, 403);
    }
}

#[tokio::test]
async fn f02_methods_are_answered_403_as_no_challenge_can_name_them() {
    let any = Amr::any_of(["otp", "hwk"]);
    let all = Amr::all_of(["pwd", "otp"]);
    for (amr, is_any, is_all) in [
        (json!(["pwd", "otp"]), true, true),
        (json!(["hwk"]), true, false),
        (json!(["pwd"]), false, false),
        (json!(["OTP", "pwd "]), false, false),
        (json!([]), false, false),
    ] {
        let changes = json!({"amr": amr});
        assert_eq!(decide(&any, changes.clone()).await.is_ok(), is_any, "{amr}");
        assert_eq!(decide(&all, changes.clone()).await.is_ok(), is_all, "{amr}");
        assert_eq!(decide(&any.clone().not(), changes).await.is_ok(), !is_any, "{amr}");
    }
    // A claim that is missing or malformed does not say that a method was not used.
    for amr in [json!(null), json!("otp"), json!(["otp", 7]), json!({"otp": 1})] {
        let changes = json!({"amr": amr});
        assert_eq!(decide(&any, changes.clone()).await.unwrap_err().0, 403, "{amr}");
        assert_eq!(decide(&any.clone().not(), changes).await.unwrap_err().0, 403, "{amr}");
    }
    let empty: [&str; 0] = [];
    for policy in [Amr::any_of(empty), Amr::all_of(empty)] {
        assert!(decide(&policy, json!({"amr": ["otp"]})).await.is_err());
        assert!(decide(&policy.not(), json!({"amr": ["otp"]})).await.is_err());
    }
    let (status, asked) = asked(any.and(StepUp::acr(["phr"])), json!({"amr": ["pwd"]})).await;
    assert_eq!(status, 403);
    assert!(asked.contains("error=\"insufficient_scope\"") && !asked.contains("acr_values"));
}

#[tokio::test]
async fn claims_say_how_and_when_the_user_has_logged_in() {
    let login = json!({"acr": "phr", "amr": ["pwd", "otp"], "auth_time": NOW});
    let claims = claims(login).await;
    assert_eq!(claims.acr().as_deref(), Some("phr"));
    assert_eq!(claims.amr().unwrap(), ["pwd", "otp"]);
    assert_eq!(claims.auth_time().unwrap().floor(), i64::try_from(NOW).unwrap());
}

#[cfg(feature = "test-util")]
#[tokio::test]
async fn the_test_kit_makes_logins() {
    use tower_jwt_auth::testing::{TestClaims, TestClock, TestIssuer};

    let clock = TestClock::new();
    let policy = StepUp::acr(["phr"]).max_age(5 * MINUTE).and(Amr::all_of(["otp"]));
    let issuer = TestIssuer::new().with_clock(clock.clone());
    let token = issuer.token().acr("phr").amr(["pwd", "otp"]).logged_in(MINUTE).sign();
    let verified = issuer.verifier().verify(&token).await.unwrap();
    let made = || TestClaims::new("ada").acr("phr").amr(["otp"]).logged_in(MINUTE);
    let made_up = made().clock(clock.clone()).build();
    for (later, good) in [(0, true), (240, true), (60, true), (1, false)] {
        clock.advance(Duration::from_secs(later));
        assert_eq!(policy.authorize(&verified).is_ok(), good, "{later}");
        assert_eq!(policy.authorize(&made_up).is_ok(), good, "{later}");
    }
    assert!(policy.authorize(&made().build()).is_ok(), "by the clock of the system");
    assert!(policy.authorize(&made().logged_in(7 * MINUTE).build()).is_err());
}
