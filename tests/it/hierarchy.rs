//! Scopes that imply others: checks, challenges and events.

use http::{Request, Response};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, Claims, Error, ErrorKind, JwtAuthLayer, RegisteredClaims, RequireLayer, Verifier,
    authorize::{Policy, PolicyDescription, PolicyExt, ScopeHierarchy, Scopes, StepUp},
    verifier::{Cache, Issuers},
};

use crate::{
    requests::{challenge, who},
    support::{builder, claims_with, key},
};

fn table() -> ScopeHierarchy {
    ScopeHierarchy::new().implies("admin", ["files:write"]).implies("files:write", ["files:read"])
}

fn wildcards() -> ScopeHierarchy {
    ScopeHierarchy::new().matching(|granted, required| {
        granted.strip_suffix('*').is_some_and(|area| required.starts_with(area))
    })
}

fn verifier(hierarchy: Option<ScopeHierarchy>) -> Verifier {
    let builder = builder::<RegisteredClaims>();
    match hierarchy {
        Some(hierarchy) => builder.scope_hierarchy(hierarchy).build().unwrap(),
        None => builder.build().unwrap(),
    }
}

async fn claims(verifier: &Verifier, scope: Value) -> Claims {
    let token = key(Algorithm::HS256).token(&claims_with(json!({"scope": scope})));
    verifier.verify(&token).await.unwrap()
}

/// The scopes that a refusal names: those that are required, and those that are missing.
fn named(error: &Error) -> (String, String) {
    let ErrorKind::InsufficientScope { required, missing, .. } = error.kind() else {
        panic!("{error} is not for a scope");
    };
    (required.join(" "), missing.join(" "))
}

#[tokio::test]
async fn c09_a_scope_that_is_implied_is_not_missing() {
    let plain = verifier(None);
    for (scope, required, missing) in [
        ("files:read", "files:read", None),
        ("files:write", "files:read", None),
        ("admin", "files:read", None),
        ("x admin", "files:read files:write", None),
        ("files:read", "files:write", Some("files:write")),
        ("files:write", "files:read admin", Some("admin")),
        ("files:write", "files:read other", Some("other")),
        ("FILES:WRITE", "files:read", Some("files:read")),
        ("", "files:read", Some("files:read")),
    ] {
        let token = claims(&plain, json!(scope)).await;
        let policy = Scopes::all_of([required]);
        // Of the policy, and of the verifier.
        let own = policy.clone().with_hierarchy(&table()).authorize(&token);
        let token = claims(&verifier(Some(table())), json!(scope)).await;
        for decided in [own, policy.authorize(&token)] {
            let named = decided.as_ref().err().map(named);
            let expected = missing.map(|missing| (required.to_owned(), missing.to_owned()));
            assert_eq!(named, expected, "{scope} for {required}");
            if let (Err(error), Some(missing)) = (decided, missing) {
                assert_eq!(error.to_string(), format!("the token lacks the scope {missing}"));
            }
        }
    }
}

#[tokio::test]
async fn c09_wildcards_are_those_of_a_function() {
    let service = verifier(Some(wildcards()));
    let policy = Scopes::all_of(["files:read", "users:read"]);
    for (scope, is_enough) in [
        (json!("files:* users:*"), true),
        (json!(["files:*", "users:read"]), true),
        (json!("*"), true),
        (json!("files:*"), false),
        (json!("files: users:"), false),
    ] {
        let token = claims(&service, scope.clone()).await;
        assert_eq!(policy.authorize(&token).is_ok(), is_enough, "{scope}");
        let any = Scopes::any_of(["users:read", "nothing"]);
        assert_eq!(any.authorize(&token).is_ok(), is_enough, "{scope}");
    }
}

#[tokio::test]
async fn a_policy_can_have_another_hierarchy_than_the_verifier() {
    let token = claims(&verifier(Some(table())), json!("files:write")).await;
    let read = Scopes::all_of(["files:read"]);
    assert!(read.authorize(&token).is_ok());
    assert!(read.clone().with_hierarchy(&ScopeHierarchy::new()).authorize(&token).is_err());
    let other = ScopeHierarchy::new().implies("files:write", ["x"]);
    assert!(read.with_hierarchy(&other).authorize(&token).is_err());
    assert!(Scopes::all_of(["x"]).with_hierarchy(&other).authorize(&token).is_ok());
    // The set of a token has what is written there.
    assert!(!token.scopes().contains("files:read"));
}

#[tokio::test]
async fn not_knows_what_is_implied() {
    let service = verifier(Some(table()));
    let none = || Scopes::any_of(["files:read"]).not();
    for (scope, is_allowed) in [
        (json!("x"), true),
        (json!("files:read"), false),
        (json!("files:write"), false),
        (json!("admin"), false),
        // Nobody can say which scopes these are.
        (json!(7), false),
        (json!(["admin", 7]), false),
    ] {
        let token = claims(&service, scope.clone()).await;
        assert_eq!(none().authorize(&token).is_ok(), is_allowed, "{scope}");
    }
    let malformed = claims(&service, json!(7)).await;
    assert!(Scopes::all_of(["files:read"]).authorize(&malformed).is_err());
}

/// The status and the challenge of a layer for a token with this scope.
async fn asked(verifier: Verifier, layer: RequireLayer, scope: &str) -> (u16, String) {
    let service = JwtAuthLayer::new(verifier).layer(layer.layer(service_fn(who::<()>)));
    let token = key(Algorithm::HS256).token(&claims_with(json!({"scope": scope})));
    let request = Request::get("/").header("authorization", format!("Bearer {token}"));
    let response: Response<String> = service.oneshot(request.body(()).unwrap()).await.unwrap();
    let challenge = challenge(&response).unwrap_or_default().to_owned();
    (response.status().as_u16(), challenge)
}

#[tokio::test]
async fn c08_a_challenge_names_the_scopes_of_the_route() {
    let layer = || RequireLayer::scopes(["files:read", "users:read"]);
    for (scope, status) in [("files:write users:read", 200), ("files:write", 403), ("", 403)] {
        let (answered, challenge) = asked(verifier(Some(table())), layer(), scope).await;
        assert_eq!(answered, status, "{scope}");
        let names = challenge.ends_with("scope=\"files:read users:read\"");
        assert_eq!(names, status == 403, "{challenge}");
    }
    // With a login, too.
    let read = Scopes::all_of(["files:read"]).with_hierarchy(&table());
    let layer = RequireLayer::new(read.and(StepUp::acr(["phr"])));
    let (status, challenge) = asked(verifier(None), layer, "admin").await;
    assert_eq!(status, 401);
    assert!(challenge.ends_with("acr_values=\"phr\", scope=\"files:read\""), "{challenge}");
    let described = PolicyDescription::of(&Scopes::all_of(["a"]).with_hierarchy(&table()));
    assert_eq!(described, PolicyDescription::of(&Scopes::all_of(["a"])));
}

#[tokio::test]
async fn tokens_that_come_again_and_those_of_many_issuers_have_it_too() {
    let read = Scopes::all_of(["files:read"]);
    for cache in [Cache::default(), Cache::off()] {
        let builder = builder::<RegisteredClaims>().cache(cache).scope_hierarchy(table());
        let service = builder.build().unwrap();
        for _ in 0..3 {
            assert!(read.authorize(&claims(&service, json!("admin")).await).is_ok());
        }
    }
    let issuers = Issuers::new();
    issuers.add(verifier(Some(table()))).unwrap();
    let token = claims(&issuers.verifier(), json!("admin")).await;
    assert!(read.authorize(&token).is_ok());
}

#[tokio::test]
async fn claims_of_another_type_have_it_too() {
    #[derive(serde::Deserialize)]
    struct User {}

    let builder = builder::<User>().scope_hierarchy(table());
    let service = JwtAuthLayer::new(builder.build().unwrap())
        .layer(RequireLayer::scopes(["files:read"]).layer(service_fn(who::<()>)));
    let token = key(Algorithm::HS256).token(&claims_with(json!({"scope": "files:write"})));
    let request = Request::get("/").header("authorization", format!("Bearer {token}"));
    let response: Response<String> = service.oneshot(request.body(()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
}

#[cfg(feature = "test-util")]
#[test]
fn claims_for_tests_have_it_if_they_are_told() {
    use tower_jwt_auth::testing::TestClaims;

    let read = Scopes::all_of(["files:read"]);
    let admin = || TestClaims::new("ada").scopes(["admin"]);
    assert!(read.authorize(&admin().build()).is_err());
    assert!(read.authorize(&admin().scope_hierarchy(table()).build()).is_ok());
}
