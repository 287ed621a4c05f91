//! The challenges that lead to the metadata (RFC 9728 §5.1).

use http::{Request, Response, header::WWW_AUTHENTICATE};
use serde_json::json;
use tower::{Layer, service_fn};
use tower_jwt_auth::{
    Algorithm, Claims, JwtAuthLayer, RegisteredClaims, RequireLayer,
    authorize::{Policy, Roles, Scopes, StepUp},
    proof::{DPoP, DPoPBuilder, MemoryReplayStore},
};

use super::{answers::now, *};
use crate::support::{AUDIENCE, claims_with, key};

const METADATA: &str =
    "resource_metadata=\"https://api.example.com/.well-known/oauth-protected-resource\"";

/// A layer for a verifier that takes proofs or not, which names its metadata.
fn layer(dpop: Option<DPoPBuilder>) -> JwtAuthLayer {
    let mut builder = builder();
    if let Some(dpop) = dpop {
        let dpop = dpop.public_url(AUDIENCE).replay_store(MemoryReplayStore::new());
        builder = builder.dpop(dpop.build().unwrap());
    }
    let verifier = builder.build().unwrap();
    let resource = ProtectedResource::builder(&verifier).build().unwrap();
    JwtAuthLayer::new(verifier).resource_metadata(resource)
}

/// The status and the challenges of a service to a request with this token.
fn ask<P>(layer: &JwtAuthLayer, policy: P, authorization: Option<&str>) -> (u16, Vec<String>)
where
    P: Policy<RegisteredClaims> + Send + Sync + 'static,
{
    let inner = RequireLayer::new(policy).layer(service_fn(async |_: Request<()>| {
        Ok::<_, std::convert::Infallible>(Response::new(String::new()))
    }));
    let mut request = Request::get("/").body(()).unwrap();
    if let Some(authorization) = authorization {
        request.headers_mut().insert("authorization", authorization.parse().unwrap());
    }
    let response = now(layer.layer(inner), request);
    (response.status().as_u16(), challenges(&response))
}

fn challenges<B>(response: &Response<B>) -> Vec<String> {
    let values = response.headers().get_all(WWW_AUTHENTICATE).iter();
    values.map(|value| value.to_str().unwrap().to_owned()).collect()
}

fn bearer(changes: serde_json::Value) -> String {
    format!("Bearer {}", key(Algorithm::ES256).token(&claims_with(changes)))
}

/// The parameters of a challenge, as a client reads them. Fails if it cannot.
fn parameters(challenge: &str) -> Vec<(&str, &str)> {
    let (_, mut rest) = challenge.split_once(' ').unwrap();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"").unwrap();
        let (value, more) = value.split_once('"').unwrap();
        found.push((name, value));
        rest = more.strip_prefix(", ").unwrap_or(more);
    }
    found
}

#[test]
fn c06_each_401_and_403_names_the_metadata() {
    let layer = layer(None);
    let admin = || Scopes::all_of(["admin"]);
    let expired = bearer(json!({"exp": 1}));
    let good = bearer(json!({}));
    for (status, code, (got, challenges)) in [
        (401, None, ask(&layer, admin(), None)),
        (401, Some("invalid_token"), ask(&layer, admin(), Some(&expired))),
        (401, Some("invalid_token"), ask(&layer, admin(), Some("Bearer a.b.c"))),
        (400, Some("invalid_request"), ask(&layer, admin(), Some("Bearer"))),
        (403, Some("insufficient_scope"), ask(&layer, admin(), Some(&good))),
        (403, Some("insufficient_scope"), {
            ask(&layer, Roles::at("roles").any_of(["root"]), Some(&good))
        }),
        (403, Some("insufficient_scope"), {
            ask(&layer, |claims: &Claims| claims.subject().is_none(), Some(&good))
        }),
        (401, Some("insufficient_user_authentication"), {
            ask(&layer, StepUp::acr(["mfa"]), Some(&good))
        }),
    ] {
        let [challenge] = challenges.as_slice() else { panic!("{challenges:?}") };
        assert_eq!(got, status, "{challenge}");
        assert!(challenge.starts_with(&format!("Bearer {METADATA}")), "{challenge}");
        let found = parameters(challenge);
        let all = |name: &str| {
            let values = found.iter().filter(|(other, _)| *other == name);
            values.map(|(_, value)| *value).collect::<Vec<_>>()
        };
        assert_eq!(all("resource_metadata").len(), 1);
        assert_eq!(all("error"), Vec::from_iter(code));
    }
    assert_eq!(ask(&layer, admin(), None).1, [format!("Bearer {METADATA}")], "no error");
    let realm = layer.realm("api");
    let bare = ask(&realm, admin(), None).1;
    assert_eq!(bare, [format!("Bearer realm=\"api\", {METADATA}")], "in either order");
}

#[test]
fn c06_the_metadata_is_named_on_each_scheme() {
    let admin = || Scopes::all_of(["admin"]);
    let dpop = format!("DPoP algs=\"ES256 EdDSA\", {METADATA}");
    let bearer_only = format!("Bearer {METADATA}");
    let optional = layer(Some(DPoP::optional()));
    assert_eq!(ask(&optional, admin(), None).1, [bearer_only.clone(), dpop.clone()]);
    let forbidden = ask(&optional, admin(), Some(&bearer(json!({})))).1;
    assert!(forbidden[0].starts_with(&bearer_only) && forbidden[0].contains("scope=\"admin\""));
    assert_eq!(forbidden[1], dpop);
    let (status, used) = ask(&optional, admin(), Some("DPoP a.b.c"));
    assert_eq!((status, used.len()), (401, 1));
    assert!(used[0].starts_with(&dpop), "{used:?}");
    assert_eq!(ask(&layer(Some(DPoP::required())), admin(), None).1, [dpop]);
}

#[test]
fn c07_a_401_names_the_scopes_to_begin_with() {
    let admin = || Scopes::all_of(["admin"]);
    let base = layer(Some(DPoP::optional())).base_scopes(["orders", "profile"]);
    let without = ask(&base, admin(), None).1;
    let scope = "scope=\"orders profile\"";
    assert_eq!(without[0], format!("Bearer {METADATA}, {scope}"));
    assert_eq!(without[1], format!("DPoP algs=\"ES256 EdDSA\", {METADATA}, {scope}"));
    let expired = ask(&base, admin(), Some(&bearer(json!({"exp": 1})))).1;
    assert!(expired.iter().all(|one| one.contains(scope)), "{expired:?}");
    // Those of the operation, and not those of the layer besides.
    let forbidden = ask(&base, admin(), Some(&bearer(json!({})))).1;
    assert!(forbidden[0].ends_with(", scope=\"admin\""), "{forbidden:?}");
    assert!(forbidden.iter().all(|one| !one.contains("orders")), "{forbidden:?}");
    let alone = JwtAuthLayer::new(verifier()).base_scopes(["a"]);
    assert_eq!(ask(&alone, admin(), None).1, ["Bearer scope=\"a\""], "without metadata, too");
    let none = JwtAuthLayer::new(verifier()).base_scopes(["", ""]);
    assert_eq!(ask(&none, admin(), None).1, ["Bearer"]);
    let odd = JwtAuthLayer::new(verifier()).base_scopes(["a\"b\r\n\\"]);
    assert_eq!(ask(&odd, admin(), None).1, ["Bearer scope=\"a\\\"b??\\\\\""]);
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn c06_refusals_of_extractors_and_by_hand_name_it_too() {
    use axum::{Router, body::Body, routing::get};
    use tower::ServiceExt;
    use tower_jwt_auth::{
        Error,
        extract::Authorized,
        response::{ProblemJson, Rejection},
    };

    #[derive(Default)]
    struct Admin;

    impl Policy<RegisteredClaims> for Admin {
        fn authorize(&self, claims: &Claims) -> Result<(), Error> {
            Scopes::all_of(["admin"]).authorize(claims)
        }
    }

    let routes = || {
        Router::new()
            .route("/claims", get(async |_: Claims| "claims"))
            .route("/policy", get(async |_: Authorized<Admin>| "policy"))
            .route("/hand", get(async || Err::<(), _>(Rejection::from(Error::forbidden("no")))))
            .route(
                "/question",
                get(async |claims: Claims| -> Result<(), Rejection> {
                    Ok(Scopes::all_of(["admin"]).authorize(&claims)?)
                }),
            )
    };
    let own = || layer(None).base_scopes(["base"]).optional();
    let (plain, json) = (routes().layer(own()), routes().layer(own().respond_with(ProblemJson)));
    let token = bearer(json!({}));
    let alone = format!("Bearer {METADATA}, scope=\"base\"");
    for app in [plain, json] {
        for (path, token, status, scope) in [
            ("/claims", None, 401, Some("base")),
            ("/policy", None, 401, Some("base")),
            ("/policy", Some(&token), 403, Some("admin")),
            ("/question", Some(&token), 403, Some("admin")),
            ("/hand", Some(&token), 403, None),
        ] {
            let mut request = Request::get(path).body(Body::empty()).unwrap();
            if let Some(token) = token {
                request.headers_mut().insert("authorization", token.parse().unwrap());
            }
            let response = app.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), status, "{path}");
            let challenges = challenges(&response);
            let [challenge] = challenges.as_slice() else { panic!("{path}: {challenges:?}") };
            assert!(challenge.starts_with(&format!("Bearer {METADATA}")), "{path}: {challenge}");
            let found = parameters(challenge);
            let named = found.iter().find(|(name, _)| *name == "scope").map(|(_, value)| *value);
            assert_eq!(named, scope, "{path}: {challenge}");
            if status == 401 {
                assert_eq!(*challenge, alone);
            }
        }
    }
}
