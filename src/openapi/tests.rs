use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use utoipa::openapi::{
    InfoBuilder, OpenApiBuilder,
    security::{
        ApiKey, ApiKeyValue, AuthorizationCode, DeviceAuthorization, Flow, OAuth2,
        Scopes as OAuthScopes, SecurityScheme,
    },
};
use utoipa_axum::routes;

use super::*;
use crate::{
    authorize::{PolicyExt, Roles, Scopes, sender_constrained},
    keys::Key,
    proof::{DPoP, MemoryReplayStore, MutualTls},
    resource::ProtectedResource,
    revocation::MemoryDenylist,
    source::{CookieSourceBuilder, TokenSource},
    verifier::{Claims, Verifier, VerifierBuilder},
};

fn builder() -> VerifierBuilder {
    Verifier::builder()
        .issuer("https://login.example.com/")
        .audience("https://api.example.com")
        .keys(Key::hs256([7; 32]))
}

fn layer(builder: VerifierBuilder) -> JwtAuthLayer {
    JwtAuthLayer::new(builder.build().unwrap())
}

fn dpop(is_required: bool) -> DPoP {
    let builder = if is_required { DPoP::required() } else { DPoP::optional() };
    let builder = builder.public_url("https://api.example.com");
    builder.replay_store(MemoryReplayStore::new()).build().unwrap()
}

fn mutual_tls(is_required: bool) -> MutualTls {
    let builder = if is_required { MutualTls::required() } else { MutualTls::optional() };
    builder.build().unwrap()
}

/// The security of a route with this policy.
fn security(api: &ApiSecurity, policy: impl Policy<RegisteredClaims>) -> Value {
    let alternatives = PolicyDescription::of(&policy).alternatives();
    serde_json::to_value(api.schemes.requirements(&alternatives)).unwrap()
}

/// The statuses of the refusals of a route with this policy.
fn statuses(layer: JwtAuthLayer, policy: impl Policy<RegisteredClaims>) -> Vec<&'static str> {
    let api = ApiSecurity::builder(layer).build().unwrap();
    let refusals = api.refusals(&PolicyDescription::of(&policy));
    refusals.iter().map(|refusal| refusal.status).collect()
}

#[test]
fn scopes_that_are_all_required_are_in_one_requirement_and_alternatives_in_several() {
    let api = ApiSecurity::builder(layer(builder())).build().unwrap();
    let both = Scopes::all_of(["a", "b"]);
    assert_eq!(security(&api, both), json!([{"bearerAuth": ["a", "b"]}]));
    let either = Scopes::any_of(["a", "b"]).and(Scopes::all_of(["c"]));
    assert_eq!(
        security(&api, either),
        json!([{"bearerAuth": ["a", "c"]}, {"bearerAuth": ["b", "c"]}])
    );
    // A requirement that no scope can say never makes the operation public.
    let role = Scopes::all_of(["a"]).or(Roles::at("roles").any_of(["admin"]));
    assert_eq!(security(&api, role), json!([{"bearerAuth": ["a"]}, {"bearerAuth": []}]));
    assert_eq!(security(&api, authenticated()), json!([{"bearerAuth": []}]));
    // This verifier accepts no bound token.
    assert_eq!(security(&api, sender_constrained()), json!([{"bearerAuth": []}]));
}

#[test]
fn each_way_to_send_a_token_is_a_requirement() {
    let cookie = TokenSource::cookie("__Host-at").build().unwrap();
    let header = TokenSource::header("x-token".parse().unwrap());
    let layer = layer(builder()).source(cookie).source(header).source(TokenSource::query());
    let api = ApiSecurity::builder(layer).open_id_connect_of_issuers().build().unwrap();
    let names = ["openIdConnect", "bearerAuth", "headerAuth", "queryAuth", "cookieAuth"];
    let expected: Vec<_> = names.iter().map(|name| json!({*name: ["a"]})).collect();
    assert_eq!(security(&api, Scopes::all_of(["a"])), json!(expected));
    let schemes = serde_json::to_value(api.schemes.for_document(&[]).unwrap());
    let mut schemes = schemes.unwrap();
    for scheme in schemes.as_object_mut().unwrap().values_mut() {
        let about = scheme.as_object_mut().unwrap().remove("description").unwrap();
        assert!(about.as_str().is_some_and(|about| about.ends_with('.')));
    }
    assert_eq!(
        schemes,
        json!({
            "bearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            "cookieAuth": {"type": "apiKey", "in": "cookie", "name": "__Host-at"},
            "headerAuth": {"type": "apiKey", "in": "header", "name": "x-token"},
            "openIdConnect": {
                "type": "openIdConnect",
                "openIdConnectUrl": "https://login.example.com/.well-known/openid-configuration",
            },
            "queryAuth": {"type": "apiKey", "in": "query", "name": "access_token"},
        })
    );
}

#[test]
fn proofs_are_part_of_the_requirements_that_have_them() {
    let bearer = json!({"bearerAuth": ["a"]});
    let dpop_proof = json!({"dpop": ["a"], "dpopProof": []});
    let certificate = json!({"bearerAuth": ["a"], "mutualTls": []});
    let both = json!({"dpop": ["a"], "dpopProof": [], "mutualTls": []});
    for (with_dpop, with_tls, expected, bound) in [
        (Some(false), None, vec![&bearer, &dpop_proof], vec![&dpop_proof]),
        (Some(true), None, vec![&dpop_proof], vec![&dpop_proof]),
        (None, Some(false), vec![&bearer, &certificate], vec![&certificate]),
        (None, Some(true), vec![&certificate], vec![&certificate]),
        (
            Some(false),
            Some(false),
            vec![&bearer, &dpop_proof, &certificate],
            vec![&dpop_proof, &certificate],
        ),
        (Some(false), Some(true), vec![&certificate, &both], vec![&certificate, &both]),
        (Some(true), Some(false), vec![&dpop_proof, &both], vec![&dpop_proof, &both]),
        (Some(true), Some(true), vec![&both], vec![&both]),
    ] {
        let mut builder = builder();
        if let Some(is_required) = with_dpop {
            builder = builder.dpop(dpop(is_required));
        }
        if let Some(is_required) = with_tls {
            builder = builder.mutual_tls(mutual_tls(is_required));
        }
        let api = ApiSecurity::builder(layer(builder)).build().unwrap();
        let scope = || Scopes::all_of(["a"]);
        assert_eq!(security(&api, scope()), json!(expected), "{with_dpop:?} {with_tls:?}");
        assert_eq!(security(&api, scope().and(sender_constrained())), json!(bound));
        // No scheme is in the document that no requirement names.
        let used = serde_json::to_string(&expected).unwrap();
        for name in api.schemes.names() {
            assert!(used.contains(&format!("\"{name}\"")), "{name} is in none of {used}");
        }
    }
}

#[test]
fn refusals_are_those_that_can_happen() {
    let scope = || Scopes::all_of(["a"]);
    let plain = || layer(builder());
    assert_eq!(statuses(plain(), scope()), ["401", "403"]);
    assert_eq!(statuses(plain(), authenticated()), ["401"]);
    assert_eq!(statuses(plain(), sender_constrained()), ["401"]);
    assert_eq!(statuses(plain(), scope().or(authenticated())), ["401"]);
    let cookie = |builder: CookieSourceBuilder| plain().source(builder.build().unwrap());
    let of_cookie = || TokenSource::cookie("at");
    assert_eq!(statuses(cookie(of_cookie()), authenticated()), ["401", "403"]);
    let unguarded = cookie(of_cookie().dangerous().without_cross_site_check());
    assert_eq!(statuses(unguarded, authenticated()), ["401"]);
    let with_rule = layer(builder().rule(|_: &Claims| Ok(())));
    assert_eq!(statuses(with_rule, authenticated()), ["401", "403", "503"]);
    let with_denylist = layer(builder().denylist(MemoryDenylist::new()));
    assert_eq!(statuses(with_denylist, authenticated()), ["401", "503"]);
    let with_proofs = layer(builder().dpop(dpop(false)));
    assert_eq!(statuses(with_proofs, authenticated()), ["401", "429", "503"]);
}

#[test]
fn flows_get_the_scopes_of_the_policies_and_keep_their_descriptions() {
    let known = OAuthScopes::from_iter([("a", "About a")]);
    let code = AuthorizationCode::new("https://l.example/a", "https://l.example/t", known);
    let device =
        DeviceAuthorization::new("https://l.example/d", "https://l.example/t", OAuthScopes::new());
    let flows = OAuth2::new([Flow::AuthorizationCode(code), Flow::DeviceAuthorization(device)]);
    let api = ApiSecurity::builder(layer(builder())).oauth2(flows.clone()).build().unwrap();
    let part = |api: &ApiSecurity, scope: &str| {
        let scopes = [scope.to_owned()].into();
        Part { schemes: Arc::clone(&api.schemes), scopes }
    };
    // Another layer with the same scheme, and one of another issuer.
    let same = ApiSecurity::builder(layer(builder())).oauth2(flows).build().unwrap();
    let other = OAuth2::new([]);
    let other = ApiSecurity::builder(layer(builder())).oauth2(other).build().unwrap();
    let parts = [part(&api, "a"), part(&same, "b"), part(&other, "c")];
    let schemes = serde_json::to_value(api.schemes.for_document(&parts).unwrap()).unwrap();
    let flows = &schemes["oauth2"]["flows"];
    assert_eq!(flows["authorizationCode"]["scopes"], json!({"a": "About a", "b": ""}));
    assert_eq!(flows["authorizationCode"]["tokenUrl"], "https://l.example/t");
    assert_eq!(flows["deviceAuthorization"]["scopes"], json!({"a": "", "b": ""}));
    assert!(api.schemes.need_version_3_2());
}

#[test]
fn what_no_document_can_say_is_an_error() {
    let error = |builder: ApiSecurityBuilder| builder.build().unwrap_err().to_string();
    let api = |layer| ApiSecurity::builder(layer);
    let plain = || api(layer(builder()));
    let key = || SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("x-token")));
    let function = || {
        let source = TokenSource::custom(|_, _, _| None);
        api(layer(builder()).sources([source]))
    };
    for (error, part) in [
        (error(function()), "`.scheme(name, scheme)`"),
        (
            error(function().open_id_connect("https://l.example/o")),
            "`TokenSource::authorization()`",
        ),
        (error(plain().scheme("a b", key())), "ASCII letters"),
        (error(plain().scheme("dpop", key())), "choose another name"),
        (error(plain().scheme("a", key()).scheme("a", key())), "the same name"),
        (error(plain().open_id_connect("login")), "absolute"),
        (
            error(
                api(layer(
                    Verifier::builder().any_issuer().any_audience().keys(Key::hs256([7; 32])),
                ))
                .open_id_connect_of_issuers(),
            ),
            "`.open_id_connect(\"https://…\")`",
        ),
    ] {
        assert!(error.contains(part), "{error}");
    }
    // With a scheme for it, it is fine.
    let api = function().scheme("token", key()).build().unwrap();
    assert_eq!(security(&api, Scopes::all_of(["a"])), json!([{"token": ["a"]}]));
    // Names that are taken get a number.
    let api = plain().scheme("bearerAuth", key()).build().unwrap();
    assert_eq!(api.schemes.names().collect::<Vec<_>>(), ["bearerAuth", "bearerAuth2"]);
    let two = plain().open_id_connect("https://a.example/o").open_id_connect("https://b.example/o");
    let two = two.build().unwrap();
    let names: Vec<_> = two.schemes.names().collect();
    assert_eq!(names, ["bearerAuth", "openIdConnect", "openIdConnect2"]);
}

#[test]
fn markdown_is_escaped_outside_of_code() {
    assert_eq!(in_markdown("files:* a_b"), r"files:\* a\_b");
    assert_eq!(in_markdown("the role x in `a_b.*`, <b>"), r"the role x in `a_b.*`, \<b\>");
    assert_eq!(in_markdown("the scopes a`b <b>"), r"the scopes a\`b \<b\>");
}

#[test]
fn traits() {
    fn all<T: Clone + Send + Sync + fmt::Debug + 'static>() {}
    all::<ApiSecurity>();
    all::<SecuredRouter>();
}

#[utoipa::path(get, path = "/orders", responses((status = 200, description = "orders")))]
async fn orders() {}

/// One declaration: the scopes are enforced, documented, and in the metadata.
#[tokio::test]
async fn the_metadata_has_the_scopes_of_all_policies_if_it_is_asked_for() {
    let finish = |own: &[&str], policy: Scopes, in_metadata: bool| {
        let verifier = builder().build().unwrap();
        let resource = ProtectedResource::builder(&verifier).scopes_supported(own.iter().copied());
        let layer = JwtAuthLayer::new(verifier).protected_resource(resource.build().unwrap());
        let api = ApiSecurity::builder(layer);
        let api = if in_metadata { api.scopes_in_metadata() } else { api }.build().unwrap();
        let router = api.secured(OpenApiRouter::new().routes(routes!(orders)), policy);
        let info = InfoBuilder::new().title("a").version("1").build();
        let document = OpenApiBuilder::new().info(info).build();
        api.finish::<()>(router, document).map(|(router, _)| router)
    };
    for (own, policy, in_metadata, expected) in [
        (&["first"][..], Scopes::any_of(["b", "a"]), true, json!(["first", "a", "b"])),
        (&["a"], Scopes::all_of(["a", "c"]), true, json!(["a", "c"])),
        (&[], Scopes::all_of(["a"]), true, json!(["a"])),
        (&["first"], Scopes::all_of(["a"]), false, json!(["first"])),
        (&[], Scopes::all_of(["a"]), false, Value::Null),
    ] {
        let router: Router = finish(own, policy, in_metadata).unwrap();
        let request = Request::get("/.well-known/oauth-protected-resource").body(Body::empty());
        let response = router.oneshot(request.unwrap()).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let document: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(document["scopes_supported"], expected);
        assert_eq!(document["bearer_methods_supported"], json!(["header"]));
        assert_eq!(document["resource"], "https://api.example.com");
    }
    let error = finish(&[], Scopes::all_of(["offline_access"]), true).unwrap_err().to_string();
    assert!(error.contains("`offline_access`"), "{error}");
    let error = ApiSecurity::builder(layer(builder())).scopes_in_metadata().build().unwrap_err();
    assert!(error.to_string().contains("`.protected_resource(…)`"), "{error}");
}

/// A document may have parts of several layers, whose tokens come from different issuers.
#[tokio::test]
async fn the_metadata_has_no_scope_of_another_security() {
    let with_metadata = || {
        let verifier = builder().build().unwrap();
        let resource = ProtectedResource::builder(&verifier).build().unwrap();
        let layer = JwtAuthLayer::new(verifier).protected_resource(resource);
        ApiSecurity::builder(layer).scopes_in_metadata().build().unwrap()
    };
    #[utoipa::path(get, path = "/pay", responses((status = 200, description = "yes")))]
    async fn pay() {}
    let (first, second) = (with_metadata(), with_metadata());
    for (api, expected) in [(&first, "orders"), (&second, "pay")] {
        // A clone has the same metadata.
        let router = first
            .clone()
            .secured(OpenApiRouter::new().routes(routes!(orders)), Scopes::all_of(["orders"]))
            .merge(
                second.secured(OpenApiRouter::new().routes(routes!(pay)), Scopes::all_of(["pay"])),
            );
        let info = InfoBuilder::new().title("a").version("1").build();
        let document = OpenApiBuilder::new().info(info).build();
        let (router, _) = api.finish::<()>(router, document).unwrap();
        let request = Request::get("/.well-known/oauth-protected-resource").body(Body::empty());
        let response = router.oneshot(request.unwrap()).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let document: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(document["scopes_supported"], json!([expected]));
    }
}
