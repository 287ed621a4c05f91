//! Policies describe themselves, and their challenges say the same.

use std::time::Duration;

use http::{Request, Response};
use proptest::prelude::*;
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, Claims, Error, JwtAuthLayer, RegisteredClaims, RequireLayer,
    authorize::{
        Amr, Policy, PolicyDescription, PolicyExt, Roles, Scopes, StepUp, sender_constrained,
    },
};

use crate::{
    requests::{challenge, who},
    support::{builder, claims_with, key},
};

/// The status and the challenge for a token without rights, in a layer with this policy.
async fn refused(layer: RequireLayer) -> (u16, String) {
    let outside = JwtAuthLayer::new(builder::<RegisteredClaims>().build().unwrap());
    let service = outside.layer(layer.layer(service_fn(who::<()>)));
    let token = key(Algorithm::HS256).token(&claims_with(json!({})));
    let request = Request::get("/").header("authorization", format!("Bearer {token}"));
    let response: Response<String> = service.oneshot(request.body(()).unwrap()).await.unwrap();
    let challenge = challenge(&response).unwrap_or_default().to_owned();
    (response.status().as_u16(), challenge)
}

/// The value of a parameter of a challenge.
fn parameter<'c>(challenge: &'c str, name: &str) -> Option<&'c str> {
    challenge.split_once(&format!("{name}=\""))?.1.split('"').next()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn challenge_and_description_name_the_same(
        scopes in prop::collection::vec("[a-c]{1,2}", 1..4),
        acr in prop::collection::vec("[x-z]{1,2}", 0..3),
        max_age in prop::option::of(1..600u64),
        order in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let all = Scopes::all_of(&scopes);
        let max_age = max_age.map(Duration::from_secs);
        let login = match (acr.is_empty(), max_age) {
            (true, None) => None,
            (true, Some(max_age)) => Some(StepUp::login_within(max_age)),
            (false, None) => Some(StepUp::acr(&acr)),
            (false, Some(max_age)) => Some(StepUp::acr(&acr).max_age(max_age)),
        };
        let layer = match login {
            None => RequireLayer::new(all),
            Some(login) if order => RequireLayer::new(all.and(login)),
            Some(login) => RequireLayer::new(login.and(all)),
        };
        let description = layer.describe();
        let (status, challenge) = runtime.block_on(refused(layer));
        let is_login = !acr.is_empty() || max_age.is_some();
        prop_assert_eq!(status, if is_login { 401 } else { 403 });
        let scope = parameter(&challenge, "scope").unwrap();
        let mut named: Vec<_> = scope.split(' ').collect();
        named.dedup();
        let mut seen = Vec::new();
        named.retain(|scope| !seen.contains(scope) && { seen.push(*scope); true });
        prop_assert_eq!(named, description.scopes());
        let acr_values = description.acr_values().join(" ");
        prop_assert_eq!(parameter(&challenge, "acr_values").unwrap_or_default(), acr_values);
        let seconds = description.max_age().map(|max_age| max_age.as_secs().to_string());
        prop_assert_eq!(parameter(&challenge, "max_age").map(str::to_owned), seconds);
    }
}

struct Payer;

impl Policy<RegisteredClaims> for Payer {
    fn authorize(&self, claims: &Claims) -> Result<(), Error> {
        Scopes::all_of(["pay"]).authorize(claims)
    }

    fn describe(&self) -> PolicyDescription {
        PolicyDescription::of(&Scopes::all_of(["pay"]))
    }
}

#[tokio::test]
async fn a_policy_of_the_application_has_its_scopes_in_the_challenge_of_a_login() {
    let (status, challenge) = refused(RequireLayer::new(StepUp::acr(["phr"]).and(Payer))).await;
    assert_eq!(status, 401);
    assert_eq!(parameter(&challenge, "scope"), Some("pay"));
    assert_eq!(parameter(&challenge, "acr_values"), Some("phr"));
}

#[tokio::test]
async fn another_text_does_not_change_the_answer() {
    let plain = || Scopes::all_of(["pay"]).and(StepUp::acr(["phr"]));
    let expected = refused(RequireLayer::new(plain())).await;
    let named = RequireLayer::new(plain().described_as("a payer"));
    assert_eq!(named.describe().to_string(), "a payer");
    assert_eq!(refused(named).await, expected);
    let within =
        Scopes::all_of(["pay"]).described_as("x").and(StepUp::acr(["phr"]).described_as("y"));
    assert_eq!(refused(RequireLayer::new(within)).await, expected);
    let layer = RequireLayer::new(plain()).described_as("a payer");
    assert_eq!(layer.describe().scopes(), ["pay"]);
    assert_eq!(refused(layer).await, expected);
    // A step-up under `not` refuses every token, whatever its text is.
    let (status, challenge) =
        refused(RequireLayer::new(StepUp::acr(["phr"]).described_as("x").not())).await;
    assert_eq!((status, parameter(&challenge, "acr_values")), (403, None));
}

#[test]
fn a_function_of_a_request_is_opaque_unless_told() {
    let layer = || RequireLayer::for_request(|_, _: &Claims| Ok(()));
    assert_eq!(layer().describe(), PolicyDescription::default());
    assert_eq!(layer().described_as("the own tenant").describe().to_string(), "the own tenant");
    let scopes = PolicyDescription::of(&Scopes::all_of(["a"]));
    let told = layer().described_as(scopes.clone()).clone();
    assert_eq!(told.describe(), scopes);
    assert_eq!(told.respond_with(tower_jwt_auth::response::ProblemJson).describe(), scopes);
}

#[test]
fn all_of_it_is_one_line_and_one_value() {
    let policy = Scopes::any_of(["a", "b"])
        .and(Roles::at("roles").any_of(["admin"]).or(Amr::any_of(["otp"])))
        .and(sender_constrained());
    let description = PolicyDescription::of(&policy);
    assert_eq!(
        description.to_string(),
        "one of the scopes a b, and (the role admin in `roles`, or a login by the method otp), and \
         a token that is bound to its sender"
    );
    assert!(description.requires_sender_constrained());
    let alternatives = description.alternatives();
    assert_eq!(alternatives.len(), 2);
    assert!(alternatives.iter().all(|one| one.is_sender_constrained()));
    assert!(alternatives.iter().all(|one| one.has_other_conditions()));
}
