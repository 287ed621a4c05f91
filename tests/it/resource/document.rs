//! What the document says (RFC 9728 §2), and where it has that from.

use serde_json::json;
use tower_jwt_auth::{
    Algorithm, Key, TokenSource,
    proof::{DPoP, DPoPBuilder, MemoryReplayStore, MutualTls},
    verifier::Issuers,
};

use super::*;
use crate::support::{AUDIENCE, ISSUER, key};

fn dpop(builder: DPoPBuilder) -> DPoP {
    builder.public_url(AUDIENCE).replay_store(MemoryReplayStore::new()).build().unwrap()
}

/// The document of a verifier.
fn of(verifier: &Verifier) -> Value {
    document(&ProtectedResource::builder(verifier).build().unwrap())
}

#[test]
fn c03_all_is_derived_from_the_verifier() {
    let expected = json!({
        "resource": AUDIENCE,
        "authorization_servers": [ISSUER],
        "bearer_methods_supported": ["header"],
    });
    assert_eq!(of(&verifier()), expected);

    let with = |members: Value| {
        let mut all = expected.clone();
        all.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        all
    };
    let optional = dpop(DPoP::optional().algorithms([Algorithm::ES256]));
    assert_eq!(
        of(&builder().dpop(optional).build().unwrap()),
        with(json!({"dpop_signing_alg_values_supported": ["ES256"]}))
    );
    assert_eq!(
        of(&builder().dpop(dpop(DPoP::required())).build().unwrap()),
        with(json!({
            "dpop_signing_alg_values_supported": ["ES256", "EdDSA"],
            "dpop_bound_access_tokens_required": true,
        }))
    );
    assert_eq!(
        of(&builder().mutual_tls(MutualTls::optional().build().unwrap()).build().unwrap()),
        with(json!({"tls_client_certificate_bound_access_tokens": true}))
    );
}

#[test]
fn c03_all_members_and_others() {
    let resource = usual()
        .scopes_supported(["read", "write"])
        .scopes_supported(vec![String::from("admin"), String::from("read")])
        .authorization_details_types_supported(["payment"])
        .bearer_methods(["header", "body"])
        .resource_name("Orders")
        .resource_name("Orders \u{2764}")
        .resource_documentation("https://api.example.com/docs?v=2")
        .resource_policy_uri("https://api.example.com/policy")
        .resource_tos_uri("https://api.example.com/tos")
        .member("resource_name#de", "Bestellungen")
        .member("tls_client_certificate_bound_access_tokens", false)
        .member("com_example_limits", json!({"rate": 7}))
        .member("com_example_none", Vec::<String>::new())
        .member("com_example_null", Value::Null);
    assert_eq!(
        document(&resource.build().unwrap()),
        json!({
            "resource": AUDIENCE,
            "authorization_servers": [ISSUER],
            "scopes_supported": ["read", "write", "admin"],
            "authorization_details_types_supported": ["payment"],
            "bearer_methods_supported": ["header", "body"],
            "resource_name": "Orders \u{2764}",
            "resource_documentation": "https://api.example.com/docs?v=2",
            "resource_policy_uri": "https://api.example.com/policy",
            "resource_tos_uri": "https://api.example.com/tos",
            "resource_name#de": "Bestellungen",
            "tls_client_certificate_bound_access_tokens": false,
            "com_example_limits": {"rate": 7},
        })
    );
    let none = usual().bearer_methods([""; 0]).without_authorization_servers().build().unwrap();
    assert_eq!(document(&none), json!({"resource": AUDIENCE}));
}

#[test]
fn c03_what_no_document_may_say() {
    for (wrong, said) in [
        (usual().scopes_supported(["openid", "offline_access"]), "`offline_access`"),
        (usual().scopes_supported(["a b"]), "is not a scope"),
        (usual().scopes_supported([""]), "is not a scope"),
        (usual().scopes_supported(["a\"b"]), "is not a scope"),
        (usual().scopes_supported(["\u{e4}"]), "is not a scope"),
        (usual().bearer_methods(["cookie"]), "`header`, `body` and `query`"),
        (usual().resource_name(" "), "`resource_name` is empty"),
        (usual().resource_documentation("docs"), "`resource_documentation` must be"),
        (usual().resource_policy_uri("javascript:alert(1)"), "`resource_policy_uri` must be"),
        (usual().resource_tos_uri(""), "`resource_tos_uri` must be"),
        (usual().member("resource", "https://other.example.com"), "use its own method"),
        (usual().member("authorization_servers", ["https://evil.example"]), "use its own method"),
        (usual().member("x", std::collections::HashMap::from([([1_u8], 2)])), "as JSON"),
    ] {
        let error = error(wrong);
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn c02_an_authorization_server_is_one_that_is_trusted() {
    let other = "https://partner.example.org";
    let both: Verifier = builder().issuer(other).build().unwrap();
    let servers = |builder: ProtectedResourceBuilder| {
        document(&builder.build().unwrap())["authorization_servers"].clone()
    };
    assert_eq!(servers(ProtectedResource::builder(&both)), json!([ISSUER, other]));
    let one = ProtectedResource::builder(&both).authorization_server(other);
    assert_eq!(servers(one.authorization_server(other)), json!([other]));

    for (server, said) in [
        (other, "does not trust"),
        ("https://login.example.com/", "to the last slash"),
        ("login.example.com", "is not a URL"),
        ("https://login.example.com?a", "is not a URL"),
    ] {
        let error = error(usual().authorization_server(server));
        assert!(error.contains(said) && error.contains(server), "{error}");
    }
    let elsewhere =
        usual().authorization_server_of_other_issuer(other).authorization_server(ISSUER);
    assert_eq!(servers(elsewhere), json!([other, ISSUER]));
    let said = error(usual().authorization_server_of_other_issuer("http://partner.example.org"));
    assert!(said.contains("loopback only"), "{said}");
    let said = error(usual().authorization_server(ISSUER).without_authorization_servers());
    assert!(said.contains("no server to name"), "{said}");
}

#[test]
fn c02_a_name_that_is_no_url_is_no_authorization_server() {
    let named = |issuer: &str| {
        let verifier = Verifier::builder().issuer(issuer).audience(AUDIENCE);
        verifier.keys(Key::hs256([7; 32])).build().unwrap()
    };
    let builder = ProtectedResource::builder(&named("my-issuer"));
    let said = error(builder);
    assert!(said.contains("`.without_authorization_servers()`"), "{said}");
    let builder = ProtectedResource::builder(&named("my-issuer")).without_authorization_servers();
    assert_eq!(document(&builder.build().unwrap()).get("authorization_servers"), None);
    // The operator of the verifier trusts it as it is.
    let internal = named("http://keycloak:8080/realms/a");
    assert_eq!(of(&internal)["authorization_servers"], json!(["http://keycloak:8080/realms/a"]));
    let any = Verifier::builder().any_issuer().audience(AUDIENCE);
    let any = any.keys(Key::hs256([7; 32])).build().unwrap();
    assert!(error(ProtectedResource::builder(&any)).contains("knows no issuer"));
    let builder = ProtectedResource::builder(&any).authorization_server(ISSUER);
    assert_eq!(document(&builder.build().unwrap())["authorization_servers"], json!([ISSUER]));
}

#[tokio::test]
async fn c02_of_several_issuers_those_that_are_known() {
    let verifier = |issuer: &str, audience: &str| {
        let keys = key(Algorithm::ES256).key();
        Verifier::builder().issuer(issuer).audience(audience).keys(keys).build().unwrap()
    };
    let none = async |_: String| Ok::<Option<Verifier>, std::io::Error>(None);
    let issuers =
        Issuers::builder().resolve(["https://login.example.com/{tenant}"], none).build().unwrap();
    let said = error(ProtectedResource::builder(&issuers.verifier()));
    assert!(said.contains("no audience") || said.contains("knows no issuer"), "{said}");
    issuers.add(verifier("https://b.example", AUDIENCE)).unwrap();
    issuers.add(verifier("https://a.example", AUDIENCE)).unwrap();
    let all = json!(["https://a.example", "https://b.example"]);
    assert_eq!(of(&issuers.verifier())["authorization_servers"], all);
    assert_eq!(of(&issuers.verifier())["resource"], AUDIENCE);

    // An issuer that may be resolved is trusted, but is not named by itself.
    let tenant = "https://login.example.com/acme";
    let named = ProtectedResource::builder(&issuers.verifier()).authorization_server(tenant);
    assert_eq!(document(&named.build().unwrap())["authorization_servers"], json!([tenant]));
    let other = ProtectedResource::builder(&issuers.verifier());
    let other = other.authorization_server("https://login.example.com/acme/x");
    assert!(error(other).contains("does not trust"));

    let before = ProtectedResource::builder(&issuers.verifier()).build().unwrap();
    issuers.add(verifier("https://c.example", "https://other.example.com")).unwrap();
    assert_eq!(document(&before)["authorization_servers"], all, "as when it was built");
    let said = error(ProtectedResource::builder(&issuers.verifier()));
    assert!(said.contains("several audiences"), "{said}");
}

#[test]
fn c03_the_ways_to_send_a_token_are_those_of_the_layer() {
    use http::{Request, Response};
    use tower::{Layer, service_fn};
    use tower_jwt_auth::{JwtAuthLayer, layer::ServeMetadata, response::DefaultRespond};

    let methods = |layer: JwtAuthLayer<_, DefaultRespond, ServeMetadata>| {
        let inner = service_fn(async |_: Request<()>| {
            Ok::<_, std::convert::Infallible>(Response::new(String::new()))
        });
        let request = Request::get(ROOT).body(()).unwrap();
        let response = crate::resource::answers::now(layer.layer(inner), request);
        let document: Value = serde_json::from_str(response.body()).unwrap();
        document.get("bearer_methods_supported").cloned()
    };
    let layer = || JwtAuthLayer::new(verifier()).protected_resource(usual().build().unwrap());
    let cookie = || TokenSource::cookie("at").build().unwrap();
    assert_eq!(methods(layer()), Some(json!(["header"])));
    // Also of what is said later.
    assert_eq!(methods(layer().source(TokenSource::query())), Some(json!(["header", "query"])));
    assert_eq!(methods(layer().source(cookie())), Some(json!(["header"])));
    assert_eq!(methods(layer().sources([cookie()])), None);
    assert_eq!(methods(layer().sources([TokenSource::query_named("t")])), None);
    let own = usual().bearer_methods(["header"]).build().unwrap();
    let layer = JwtAuthLayer::new(verifier()).source(TokenSource::query()).protected_resource(own);
    assert_eq!(methods(layer), Some(json!(["header"])));
}
