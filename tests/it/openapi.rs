//! Documents of OpenAPI: they say what is enforced.

use std::{
    env,
    io::Write,
    process::{Command, Stdio},
};

use axum::{Router, body::Body, extract::State};
use http::{Request, Response};
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_jwt_auth::{
    Algorithm, Claims, ConfigError, Error, JwtAuthLayer, RegisteredClaims, RequireLayer,
    TokenSource,
    authorize::{PolicyExt, Roles, Scopes, StepUp, authenticated, sender_constrained},
    openapi::{ApiSecurity, SecuredRouter},
    proof::{DPoP, MemoryReplayStore, MutualTls},
    resource::ProtectedResource,
};
use utoipa::openapi::{
    InfoBuilder, OpenApi, OpenApiBuilder,
    security::{AuthorizationCode, Flow, OAuth2, Scopes as OAuthScopes, SecurityRequirement},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::support::{AUDIENCE, builder, claims_with, key};

/// Lists orders.
#[utoipa::path(get, path = "/orders", responses((status = 200, description = "orders", body = String)))]
async fn list(State(name): State<&'static str>) -> &'static str {
    name
}

/// Makes an order.
///
/// It is sent tomorrow.
#[utoipa::path(
    post,
    path = "/orders",
    responses(
        (status = 201, description = "made"),
        (status = 403, description = "Not yours", body = String, headers(("X-Reason", description = "why"))),
    )
)]
async fn create() {}

#[utoipa::path(get, path = "/admin", responses((status = 200, description = "yes")))]
async fn admin() {}

#[utoipa::path(get, path = "/orders/{id}", params(("id" = String, Path)), responses((status = 200, description = "yes")))]
async fn one() {}

#[utoipa::path(get, path = "/me", responses((status = 200, description = "yes")))]
async fn me(claims: Option<Claims>) -> String {
    claims.and_then(|claims| claims.subject().map(str::to_owned)).unwrap_or("guest".into())
}

#[utoipa::path(get, path = "/health", responses((status = 200, description = "yes")))]
async fn health() {}

#[utoipa::path(get, path = "/own", security(("x" = [])), responses((status = 200, description = "yes")))]
async fn own() {}

fn layer() -> JwtAuthLayer {
    JwtAuthLayer::new(builder::<RegisteredClaims>().build().unwrap())
}

fn titled() -> OpenApi {
    let info = InfoBuilder::new().title("Orders").version("1.0.0").build();
    OpenApiBuilder::new().info(info).build()
}

/// A service with one route of each kind.
fn api(security: &ApiSecurity) -> Result<(Router, OpenApi), ConfigError> {
    let own_order: RequireLayer =
        RequireLayer::for_request(|request, claims: &Claims| {
            match request.uri().path().rsplit('/').next() == claims.subject() {
                true => Ok(()),
                false => Err(Error::forbidden("the order of another user")),
            }
        });
    let admin_policy = Scopes::all_of(["admin"])
        .or(Roles::at("roles").any_of(["admin"]))
        .and(Scopes::any_of(["a*b", "c"]));
    let router = SecuredRouter::new()
        .nest(
            "/v1",
            SecuredRouter::new()
                .merge(security.secured(
                    OpenApiRouter::new().routes(routes!(list)),
                    Scopes::all_of(["orders:read"]),
                ))
                .merge(security.secured(
                    OpenApiRouter::new().routes(routes!(create)),
                    Scopes::all_of(["orders:read", "orders:write"]),
                ))
                .with_state("orders"),
        )
        .merge(security.secured(OpenApiRouter::new().routes(routes!(admin)), admin_policy))
        .merge(security.secured_by(
            OpenApiRouter::new().routes(routes!(one)),
            own_order.described_as("own orders"),
        ))
        .merge(security.optional(OpenApiRouter::new().routes(routes!(me))))
        .merge(security.public(OpenApiRouter::new().routes(routes!(health))));
    security.finish(router, titled())
}

async fn ask(router: &Router, method: &str, path: &str, claims: Option<Value>) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(claims) = claims {
        let token = key(Algorithm::ES256).token(&claims_with(claims));
        request = request.header("authorization", format!("Bearer {token}"));
    }
    router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn status(router: &Router, method: &str, path: &str, claims: Option<Value>) -> u16 {
    ask(router, method, path, claims).await.status().as_u16()
}

fn json_of(document: &OpenApi) -> Value {
    serde_json::to_value(document).unwrap()
}

fn usual() -> (Router, Value) {
    let security = ApiSecurity::builder(layer()).build().unwrap();
    let (router, document) = api(&security).unwrap();
    (router, json_of(&document))
}

#[tokio::test]
async fn each_operation_says_what_is_enforced() {
    let (router, document) = usual();
    let paths = &document["paths"];
    let security = |path: &str, method: &str| paths[path][method]["security"].clone();
    assert_eq!(security("/v1/orders", "get"), json!([{"bearerAuth": ["orders:read"]}]));
    assert_eq!(
        security("/v1/orders", "post"),
        json!([{"bearerAuth": ["orders:read", "orders:write"]}])
    );
    assert_eq!(
        security("/admin", "get"),
        json!([
            {"bearerAuth": ["admin", "a*b"]},
            {"bearerAuth": ["admin", "c"]},
            {"bearerAuth": ["a*b"]},
            {"bearerAuth": ["c"]},
        ])
    );
    assert_eq!(security("/orders/{id}", "get"), json!([{"bearerAuth": []}]));
    assert_eq!(security("/me", "get"), json!([{}, {"bearerAuth": []}]));
    assert_eq!(security("/health", "get"), json!([]));

    let text = |path: &str, method: &str| paths[path][method]["description"].clone();
    assert_eq!(text("/v1/orders", "get"), "Requires the scope orders:read.");
    assert_eq!(
        text("/v1/orders", "post"),
        "It is sent tomorrow.\n\nRequires all of the scopes orders:read orders:write."
    );
    assert_eq!(
        text("/admin", "get"),
        "Requires (the scope admin, or the role admin in `roles`), and one of the scopes a\\*b c."
    );
    assert_eq!(text("/orders/{id}", "get"), "Requires own orders.");
    assert_eq!(text("/me", "get"), "A token is optional.");
    assert_eq!(text("/health", "get"), Value::Null);

    // The requirements decide as the service does, for tokens with scopes only.
    for scope in ["", "orders:read", "orders:write", "orders:read orders:write x", "admin c"] {
        for (path, method) in [("/v1/orders", "GET"), ("/v1/orders", "POST")] {
            let requirements = security(path, &method.to_lowercase());
            let is_enough = |one: &Value| {
                let needed = one["bearerAuth"].as_array().unwrap();
                needed.iter().all(|one| scope.split(' ').any(|had| had == one))
            };
            let expected = requirements.as_array().unwrap().iter().any(is_enough);
            let got = status(&router, method, path, Some(json!({"scope": scope}))).await;
            assert_eq!(got, if expected { 200 } else { 403 }, "{method} {path} with {scope:?}");
        }
    }
    for (claims, expected) in [
        (json!({"scope": "admin c"}), 200),
        (json!({"scope": "c", "roles": ["admin"]}), 200),
        (json!({"scope": "admin"}), 403),
        (json!({"scope": "c"}), 403),
    ] {
        assert_eq!(status(&router, "GET", "/admin", Some(claims)).await, expected);
    }
    assert_eq!(status(&router, "GET", "/orders/ada", Some(json!({"sub": "ada"}))).await, 200);
    assert_eq!(status(&router, "GET", "/orders/bob", Some(json!({"sub": "ada"}))).await, 403);
}

#[tokio::test]
async fn without_a_token_only_public_operations_answer() {
    let (router, document) = usual();
    let mut public = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let answer = ask(&router, &method.to_uppercase(), path, None).await;
            let security = operation["security"].as_array().unwrap();
            let is_open = security.is_empty() || security.contains(&json!({}));
            assert_eq!(answer.status(), if is_open { 200 } else { 401 }, "{method} {path}");
            // What is answered is documented, with its headers.
            if !is_open {
                let challenge = &operation["responses"]["401"]["headers"]["WWW-Authenticate"];
                assert!(challenge.is_object() && answer.headers().contains_key("www-authenticate"));
            } else {
                public.push(path.as_str());
            }
        }
    }
    assert_eq!(public, ["/health", "/me"]);
    // A token that is invalid is refused where one is optional, and not looked at where it is public.
    let expired = Some(json!({"exp": 1}));
    assert_eq!(status(&router, "GET", "/me", expired.clone()).await, 401);
    assert_eq!(status(&router, "GET", "/health", expired).await, 200);
    assert_eq!(status(&router, "GET", "/me", Some(json!({}))).await, 200);
}

#[test]
fn responses_are_added_and_none_is_replaced() {
    let (_, document) = usual();
    let of = |path: &str, method: &str| document["paths"][path][method]["responses"].clone();
    let statuses = |path: &str, method: &str| {
        of(path, method).as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(statuses("/v1/orders", "get"), ["200", "401", "403"]);
    assert_eq!(statuses("/me", "get"), ["200", "401"]);
    assert_eq!(statuses("/health", "get"), ["200"]);
    let forbidden = &of("/v1/orders", "post")["403"];
    assert_eq!(forbidden["description"], "Not yours");
    assert!(forbidden["content"]["text/plain"].is_object());
    let headers: Vec<_> = forbidden["headers"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(headers, ["WWW-Authenticate", "X-Reason"]);
    assert_eq!(document["components"]["securitySchemes"]["bearerAuth"]["bearerFormat"], "JWT");
    assert_eq!(document["info"]["title"], "Orders");
}

#[tokio::test]
async fn a_route_without_a_document_is_enforced_too() {
    let security = ApiSecurity::builder(layer()).build().unwrap();
    let hidden = OpenApiRouter::new()
        .routes(routes!(admin))
        .route("/hidden", axum::routing::get(async || "hidden"));
    let router = security.secured(hidden, Scopes::all_of(["x"]));
    let (router, document) = security.finish(router, titled()).unwrap();
    assert!(json_of(&document)["paths"].get("/hidden").is_none());
    assert_eq!(status(&router, "GET", "/hidden", None).await, 401);
    assert_eq!(status(&router, "GET", "/hidden", Some(json!({"scope": "y"}))).await, 403);
    assert_eq!(status(&router, "GET", "/hidden", Some(json!({"scope": "x"}))).await, 200);
}

/// axum's `route_layer` would leave it open.
#[tokio::test]
async fn a_fallback_of_a_secured_router_is_removed() {
    let security = ApiSecurity::builder(layer()).build().unwrap();
    let with_fallback =
        || OpenApiRouter::new().routes(routes!(admin)).fallback(async || "everything");
    for secured in [
        security.secured(with_fallback(), authenticated()),
        security.optional(with_fallback()),
        SecuredRouter::new().nest("/api", security.secured(with_fallback(), authenticated())),
    ] {
        let (router, _) = security.finish::<()>(secured, titled()).unwrap();
        for path in ["/else", "/api/else"] {
            assert_eq!(status(&router, "GET", path, None).await, 404, "{path}");
        }
    }
}

/// A document of one router that lists an operation of another one, which says who may call it.
#[test]
fn an_operation_that_two_routers_document_is_an_error() {
    let security = ApiSecurity::builder(layer()).build().unwrap();
    let foreign = OpenApiRouter::<()>::new().routes(routes!(health)).into_openapi();
    let lists = || OpenApiRouter::with_openapi(foreign.clone()).routes(routes!(admin));
    let own = || security.public(OpenApiRouter::<()>::new().routes(routes!(health)));
    for router in [
        security.secured(lists(), authenticated()).merge(own()),
        own().merge(security.secured(lists(), authenticated())),
    ] {
        let error = security.finish(router, titled()).err().unwrap().to_string();
        assert!(error.contains("GET /health") && error.contains("two routers"), "{error}");
    }
}

/// An operation that comes into the document in another way, about which nothing was decided.
#[test]
fn an_operation_that_is_added_behind_its_back_is_an_error() {
    let security = ApiSecurity::builder(layer()).build().unwrap();
    let finish = |document| {
        let router: SecuredRouter =
            security.secured(OpenApiRouter::new().routes(routes!(admin)), authenticated());
        security.finish(router, document)
    };
    let later = OpenApiRouter::<()>::with_openapi(titled()).routes(routes!(admin, create));
    let error = finish(later.clone().into_openapi()).err().unwrap();
    let ConfigError::Route { route, .. } = &error else { panic!("{error}") };
    assert_eq!(route, "POST /orders");
    assert!(error.to_string().contains("give its router to `secured`"), "{error}");

    // Its own operations are decided on, and it may say `security` for another service.
    let mut documented = later.into_openapi();
    let post = documented.paths.paths.get_mut("/orders").unwrap().post.as_mut().unwrap();
    post.security = Some(vec![SecurityRequirement::new("elsewhere", ["x"])]);
    let document = json_of(&finish(documented).unwrap().1);
    assert_eq!(document["paths"]["/admin"]["get"]["security"], json!([{"bearerAuth": []}]));
    assert_eq!(document["paths"]["/orders"]["post"]["security"], json!([{"elsewhere": ["x"]}]));
}

#[test]
fn a_security_of_its_own_is_an_error() {
    let security = ApiSecurity::builder(layer()).build().unwrap();
    let own = || OpenApiRouter::<()>::new().routes(routes!(own));
    for router in [security.secured(own(), authenticated()), security.public(own())] {
        let nested = SecuredRouter::new().nest("/v1", SecuredRouter::new().merge(router));
        let error = security.finish(nested, titled()).err().unwrap().to_string();
        assert!(error.contains("GET /own") && error.contains("`#[utoipa::path]`"), "{error}");
    }
    let mut taken = titled();
    let scheme = utoipa::openapi::security::SecurityScheme::ApiKey(
        utoipa::openapi::security::ApiKey::Query(utoipa::openapi::security::ApiKeyValue::new(
            "key",
        )),
    );
    taken.components.get_or_insert_default().add_security_scheme("bearerAuth", scheme);
    let error = security.finish(SecuredRouter::<()>::new(), taken).err().unwrap().to_string();
    assert!(error.contains("another security scheme"), "{error}");
}

#[test]
fn a_nested_router_takes_no_operation_from_the_path_where_it_is() {
    let security = ApiSecurity::builder(layer()).build().unwrap();
    #[utoipa::path(post, path = "", responses((status = 201, description = "made")))]
    async fn create_here() {}
    let inner = security.public(OpenApiRouter::new().routes(routes!(create_here)));
    let outer = security.public(OpenApiRouter::new().routes(routes!(admin)));
    let router = outer.nest("/admin", inner);
    let (_, document) = security.finish::<()>(router, titled()).unwrap();
    let item = &json_of(&document)["paths"]["/admin"];
    assert!(item["get"].is_object() && item["post"].is_object(), "{item}");
}

#[tokio::test]
async fn the_metadata_of_the_resource_is_served() {
    let verifier = builder::<RegisteredClaims>().build().unwrap();
    let resource = ProtectedResource::builder(&verifier).build().unwrap();
    let layer = JwtAuthLayer::new(verifier).protected_resource(resource);
    let security = ApiSecurity::builder(layer).build().unwrap();
    let router = security.secured(OpenApiRouter::new().routes(routes!(admin)), authenticated());
    let (router, document) = security.finish::<()>(router, titled()).unwrap();
    let path = "/.well-known/oauth-protected-resource";
    assert_eq!(status(&router, "GET", path, None).await, 200);
    assert_eq!(status(&router, "DELETE", path, None).await, 405);
    let refused = ask(&router, "GET", "/admin", None).await;
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap().to_owned();
    assert!(challenge.contains(path), "{challenge}");
    assert_eq!(json_of(&document)["paths"].as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn a_document_may_have_parts_of_several_layers() {
    let of = |cookie: &str| {
        let layer = layer().sources([TokenSource::cookie(cookie).build().unwrap()]);
        ApiSecurity::builder(layer)
    };
    let header = ApiSecurity::builder(layer()).build().unwrap();
    let finish = |other: &ApiSecurity| {
        let admin = OpenApiRouter::new().routes(routes!(admin));
        let router = header
            .secured(OpenApiRouter::new().routes(routes!(own_free)), Scopes::all_of(["pay"]))
            .merge(other.secured(admin, authenticated()));
        header.finish::<()>(router, titled())
    };
    let (router, document) = finish(&of("__Host-at").build().unwrap()).unwrap();
    let document = json_of(&document);
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    assert_eq!(schemes.keys().collect::<Vec<_>>(), ["bearerAuth", "cookieAuth"]);
    assert_eq!(document["paths"]["/admin"]["get"]["security"], json!([{"cookieAuth": []}]));
    // Each part has its own layer.
    assert_eq!(status(&router, "GET", "/pay", Some(json!({"scope": "pay"}))).await, 200);
    assert_eq!(status(&router, "GET", "/admin", Some(json!({}))).await, 401);

    // Another scheme of the same name.
    let same_name = |url: &str| {
        let scheme = utoipa::openapi::security::OpenIdConnect::new(url);
        let scheme = utoipa::openapi::security::SecurityScheme::OpenIdConnect(scheme);
        ApiSecurity::builder(layer()).scheme("bearerAuth", scheme).build().unwrap()
    };
    let error = finish(&same_name("https://login.example.com/o")).err().unwrap().to_string();
    assert!(error.contains("another security scheme"), "{error}");
}

/// A layer with everything that a document can say, and one with what version 3.2 has.
fn documents() -> Vec<Value> {
    let dpop = DPoP::optional().public_url(AUDIENCE).replay_store(MemoryReplayStore::new());
    let verifier = builder::<RegisteredClaims>()
        .dpop(dpop.build().unwrap())
        .mutual_tls(MutualTls::optional().build().unwrap())
        .build()
        .unwrap();
    let full = JwtAuthLayer::new(verifier)
        .source(TokenSource::cookie("__Host-at").build().unwrap())
        .source(TokenSource::header("x-token".parse().unwrap()))
        .source(TokenSource::query());
    let flow = || {
        let (authorize, token) = ("https://login.example.com/a", "https://login.example.com/t");
        Flow::AuthorizationCode(AuthorizationCode::new(authorize, token, OAuthScopes::new()))
    };
    let strong = || {
        let policy = Scopes::all_of(["pay"]).and(StepUp::acr(["phr"])).and(sender_constrained());
        (OpenApiRouter::new().routes(routes!(own_free)), policy)
    };
    let full = ApiSecurity::builder(full)
        .open_id_connect_of_issuers()
        .oauth2(OAuth2::new([flow()]))
        .build()
        .unwrap();
    let metadata = OAuth2::new([flow()])
        .with_metadata_url("https://login.example.com/.well-known/oauth-authorization-server");
    let newer = ApiSecurity::builder(layer()).oauth2(metadata).build().unwrap();
    let mut documents = vec![usual().1];
    for security in [full, newer] {
        documents.push(json_of(&api(&security).unwrap().1));
        let (router, policy) = strong();
        let router = security.secured(router, policy);
        documents.push(json_of(&security.finish::<()>(router, titled()).unwrap().1));
    }
    documents
}

#[utoipa::path(get, path = "/pay", responses((status = 200, description = "yes")))]
async fn own_free() {}

#[test]
fn each_requirement_names_schemes_and_scopes_that_the_document_has() {
    for document in documents() {
        let schemes = document["components"]["securitySchemes"].as_object().unwrap();
        let mut named = std::collections::BTreeSet::new();
        for item in document["paths"].as_object().unwrap().values() {
            for operation in item.as_object().unwrap().values() {
                for requirement in operation["security"].as_array().unwrap() {
                    for (name, scopes) in requirement.as_object().unwrap() {
                        named.insert(name.clone());
                        let flows = schemes[name].get("flows").and_then(Value::as_object);
                        for flow in flows.into_iter().flat_map(|flows| flows.values()) {
                            for scope in scopes.as_array().unwrap() {
                                assert!(flow["scopes"].get(scope.as_str().unwrap()).is_some());
                            }
                        }
                    }
                }
            }
        }
        let known: std::collections::BTreeSet<_> = schemes.keys().cloned().collect();
        assert!(named.is_subset(&known), "{named:?} of {known:?}");
    }
    let pay = &documents()[2]["paths"]["/pay"]["get"];
    for requirement in pay["security"].as_array().unwrap() {
        let is_bound = requirement.get("dpopProof").or(requirement.get("mutualTls"));
        assert!(is_bound.is_some(), "{requirement}");
    }
    let about = pay["responses"]["401"]["description"].as_str().unwrap();
    assert!(about.contains("RFC 9470") && about.contains("RFC 9449"), "{about}");
    assert!(pay["description"].as_str().unwrap().contains("a login of acr phr"));
}

#[test]
#[ignore = "needs NODE, and tests/interop/node_modules, which tests/run --install brings"]
fn documents_are_valid() {
    let node = env::var("NODE").expect("NODE is Node.js, 20 or newer");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop");
    let mut command = Command::new(node);
    command.arg("openapi.mjs").current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let documents = Value::from(documents()).to_string();
    child.stdin.take().unwrap().write_all(documents.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    assert!(said.status.success());
    let said = String::from_utf8(said.stdout).unwrap();
    assert_eq!(said.lines().collect::<Vec<_>>(), ["3.1", "3.1", "3.1", "3.2", "3.2"]);
}

/// A table decides for each operation by itself, and so does the document.
#[cfg(feature = "routes")]
#[tokio::test]
async fn i04_each_operation_has_what_its_entry_in_a_table_requires() {
    use tower_jwt_auth::{authorize::authenticated, layer::Routes};

    #[utoipa::path(get, path = "/read/{id}", responses((status = 200)))]
    async fn read() {}
    #[utoipa::path(post, path = "/read/{id}", responses((status = 200)))]
    async fn write() {}
    #[utoipa::path(get, path = "/me", responses((status = 200)))]
    async fn mine() {}
    #[utoipa::path(get, path = "/open", responses((status = 200)))]
    async fn open() {}

    let table = || {
        Routes::new()
            .route("GET /read/{name}", Scopes::all_of(["read"]))
            .route("/read/{name}", Scopes::all_of(["write"]))
            .route("GET /me", authenticated())
            .public("/open")
    };
    let router = || {
        OpenApiRouter::new()
            .routes(routes!(read, write))
            .routes(routes!(mine))
            .routes(routes!(open))
    };
    let security = ApiSecurity::builder(layer()).build().unwrap();
    let secured = security.secured_by(router(), table().build().unwrap());
    let (router_, document) =
        security.finish(SecuredRouter::new().nest("/api", secured), titled()).unwrap();
    let document = json_of(&document);
    for (method, path, scopes, has_403) in [
        ("get", "/api/read/{id}", json!(["read"]), true),
        ("post", "/api/read/{id}", json!(["write"]), true),
        ("get", "/api/me", json!([]), false),
        ("get", "/api/open", json!([]), false),
    ] {
        let operation = &document["paths"][path][method];
        assert_eq!(operation["security"], json!([{"bearerAuth": scopes}]), "{method} {path}");
        assert_eq!(operation["responses"].get("403").is_some(), has_403, "{method} {path}");
        let path = path.replace("{id}", "1");
        let method = method.to_uppercase();
        assert_eq!(status(&router_, &method, &path, None).await, 401, "{method} {path}");
        let with = |scope: &str| status(&router_, &method, &path, Some(json!({"scope": scope})));
        let (own, other) = (with("read write").await, with("other").await);
        assert_eq!((own, other), (200, if has_403 { 403 } else { 200 }), "{method} {path}");
    }

    let lacking = Routes::new().route("GET /read/{id}", authenticated()).build().unwrap();
    let error = security.finish(security.secured_by(router(), lacking), titled()).err().unwrap();
    assert!(error.to_string().contains("has no entry in the table"), "{error}");
    let fallback = Routes::new().fallback(Scopes::all_of(["all"])).build().unwrap();
    let (_, document) = security.finish(security.secured_by(router(), fallback), titled()).unwrap();
    let document = json_of(&document);
    assert_eq!(document["paths"]["/me"]["get"]["security"], json!([{"bearerAuth": ["all"]}]));
}

#[cfg(feature = "routes")]
mod tables {
    use tower_jwt_auth::layer::Routes;

    use super::*;

    #[utoipa::path(get, path = "/orders/{id}", responses((status = 200)))]
    async fn order() {}
    #[utoipa::path(post, path = "/orders/{id}", responses((status = 200)))]
    async fn change() {}
    #[utoipa::path(get, path = "/orders/special", responses((status = 200)))]
    async fn special() {}
    #[utoipa::path(head, path = "/orders/{id}", responses((status = 200)))]
    async fn exists() {}
    #[utoipa::path(get, path = "/files/{*path}", responses((status = 200)))]
    async fn files() {}
    #[utoipa::path(get, path = "/{x}", responses((status = 200)))]
    async fn any() {}
    #[utoipa::path(get, path = "/a/{{x}}", responses((status = 200)))]
    async fn braces() {}
    #[utoipa::path(get, path = "/a/{x}", responses((status = 200)))]
    async fn no_braces() {}

    fn policy(scope: &str) -> Scopes {
        Scopes::all_of([scope])
    }

    fn finish(router: OpenApiRouter, table: Routes) -> Result<(Router, Value), String> {
        let security = ApiSecurity::builder(layer()).build().unwrap();
        let secured = security.secured_by(router, table.build().unwrap());
        let finished = security.finish(secured, titled()).map_err(|error| error.to_string());
        finished.map(|(router, document)| (router, json_of(&document)))
    }

    fn of(method_router: utoipa_axum::router::UtoipaMethodRouter) -> OpenApiRouter {
        OpenApiRouter::new().routes(method_router)
    }

    #[track_caller]
    fn assert_scope(document: &Value, path: &str, method: &str, scope: &str) {
        let security = &document["paths"][path][method]["security"];
        assert_eq!(*security, json!([{"bearerAuth": [scope]}]), "{method} {path}");
    }

    #[track_caller]
    fn assert_error(finished: Result<(Router, Value), String>, parts: &[&str]) {
        let error = finished.map(|(_, document)| document).unwrap_err();
        assert!(parts.iter().all(|part| error.contains(part)), "{parts:?}: {error}");
    }

    const NO_ENTRY: &str = "covers all its requests";

    #[tokio::test]
    async fn a_parameter_is_no_entry_for_a_catch_all() {
        let narrow = || Routes::new().route("GET /files/{name}", policy("one"));
        assert_error(finish(of(routes!(files)), narrow()), &[NO_ENTRY, "add `GET /files/{*path}`"]);
        let deep = Routes::new().route("/files/{a}/{b}/{c}/{d}/{e}", policy("one"));
        assert_error(finish(of(routes!(files)), deep), &[NO_ENTRY]);
        // With a fallback, the two policies are not the same.
        let both = narrow().fallback(policy("all"));
        assert_error(finish(of(routes!(files)), both), &["`/files/{name}`", "more specific"]);
        let same = Routes::new().route("GET /files/{name}", policy("all")).fallback(policy("all"));
        assert_scope(&finish(of(routes!(files)), same).unwrap().1, "/files/{*path}", "get", "all");

        for wide in ["GET /files/{*all}", "/files/{*all}", "/{*all}"] {
            let table = Routes::new().route(wide, policy("one"));
            let (router, document) = finish(of(routes!(files)), table).unwrap();
            assert_scope(&document, "/files/{*path}", "get", "one");
            for path in ["/files/a", "/files/a/b"] {
                assert_eq!(status(&router, "GET", path, Some(json!({"scope": "one"}))).await, 200);
                assert_eq!(status(&router, "GET", path, Some(json!({"scope": "x"}))).await, 403);
            }
        }
    }

    #[tokio::test]
    async fn a_more_specific_entry_is_an_error_unless_its_route_is_documented() {
        let table = || Routes::new().route("/orders/{id}", policy("one"));
        let orders = || of(routes!(order, change));
        let with_special = || table().route("GET /orders/special", policy("special"));
        let finished = finish(orders(), with_special());
        assert_error(finished, &["GET /orders/{id}", "`/orders/special`", "more specific"]);
        // The other methods of its path have no entry.
        let read_too = || table().route("GET /orders/special", policy("one"));
        let finished = finish(of(routes!(change)), read_too());
        assert_error(finished, &["POST /orders/{id}", "`/orders/special`", "for POST"]);
        assert_error(finish(of(routes!(order)), table().public("/orders/special")), &["special"]);
        let same = finish(of(routes!(order)), read_too()).unwrap().1;
        assert_scope(&same, "/orders/{id}", "get", "one");

        let (router, document) = finish(orders().routes(routes!(special)), with_special()).unwrap();
        assert_scope(&document, "/orders/{id}", "get", "one");
        assert_scope(&document, "/orders/{id}", "post", "one");
        assert_scope(&document, "/orders/special", "get", "special");
        for (path, scope) in [("/orders/1", "one"), ("/orders/special", "special")] {
            assert_eq!(status(&router, "GET", path, Some(json!({"scope": scope}))).await, 200);
        }
        assert_eq!(status(&router, "POST", "/orders/1", Some(json!({"scope": "one"}))).await, 200);
        // No operation, and no entry.
        assert_eq!(status(&router, "POST", "/orders/special", Some(json!({}))).await, 403);

        // An entry that the requests of the route cannot get to is no contradiction.
        let elsewhere = table().route("/{x}/special", policy("x")).route("/orders", policy("x"));
        let document = finish(orders(), elsewhere).unwrap().1;
        assert_scope(&document, "/orders/{id}", "get", "one");
    }

    #[test]
    fn an_entry_for_some_segments_is_none_for_all() {
        let some = || Routes::new().route("/v{version}", policy("v"));
        assert_error(finish(of(routes!(any)), some()), &["GET /{x}", NO_ENTRY]);
        let both = || some().route("/{y}", policy("y"));
        assert_error(finish(of(routes!(any)), both()), &["`/v{version}`"]);
        let same = Routes::new().route("/v{version}", policy("y")).route("/{y}", policy("y"));
        assert_scope(&finish(of(routes!(any)), same).unwrap().1, "/{x}", "get", "y");
    }

    #[tokio::test]
    async fn head_and_other_methods_have_what_is_enforced() {
        let table = || Routes::new().route("GET /orders/{id}", policy("one"));
        let (router, document) = finish(of(routes!(exists)), table()).unwrap();
        assert_scope(&document, "/orders/{id}", "head", "one");
        assert_eq!(status(&router, "HEAD", "/orders/1", Some(json!({"scope": "one"}))).await, 200);
        assert_eq!(status(&router, "HEAD", "/orders/1", Some(json!({"scope": "x"}))).await, 403);

        let purge = || {
            let mut router = of(routes!(order));
            let item = router.get_openapi_mut().paths.paths.get_mut("/orders/{id}").unwrap();
            let operation = item.get.clone().unwrap();
            item.additional_operations.insert("PURGE".into(), operation);
            router
        };
        let document = finish(purge(), table().route("/orders/{id}", policy("any"))).unwrap().1;
        let item = &document["paths"]["/orders/{id}"];
        let security = &item["additionalOperations"]["PURGE"]["security"];
        assert_eq!(*security, json!([{"bearerAuth": ["any"]}]));
        assert_scope(&document, "/orders/{id}", "get", "one");
        assert_error(finish(purge(), table()), &["PURGE /orders/{id}", NO_ENTRY]);
    }

    /// The prefix is part of the paths of this router.
    #[tokio::test]
    async fn a_router_that_was_nested_before_has_whole_paths() {
        let nested = || OpenApiRouter::new().nest("/api", of(routes!(order)));
        let table = Routes::new().route("/api/orders/{id}", policy("one"));
        let (router, document) = finish(nested(), table).unwrap();
        assert_scope(&document, "/api/orders/{id}", "get", "one");
        let ask = |scope| status(&router, "GET", "/api/orders/1", Some(json!({"scope": scope})));
        assert_eq!((ask("one").await, ask("x").await), (200, 403));
        let without = Routes::new().route("/orders/{id}", policy("one"));
        assert_error(finish(nested(), without), &["GET /api/orders/{id}", NO_ENTRY]);
    }

    #[tokio::test]
    async fn braces_are_no_parameter() {
        let literal = || Routes::new().route("/a/{{x}}", policy("braces"));
        assert_error(finish(of(routes!(no_braces)), literal()), &["GET /a/{x}", NO_ENTRY]);
        let document = finish(of(routes!(braces)), literal()).unwrap().1;
        assert_scope(&document, "/a/{{x}}", "get", "braces");
        let both = || literal().route("/a/{id}", policy("id"));
        assert_error(finish(of(routes!(no_braces)), both()), &["`/a/{{x}}`", "more specific"]);
        let all = of(routes!(braces)).routes(routes!(no_braces));
        let (router, document) = finish(all, both()).unwrap();
        assert_scope(&document, "/a/{{x}}", "get", "braces");
        assert_scope(&document, "/a/{x}", "get", "id");
        assert_eq!(status(&router, "GET", "/a/1", Some(json!({"scope": "id"}))).await, 200);
        assert_eq!(status(&router, "GET", "/a/1", Some(json!({"scope": "braces"}))).await, 403);
    }
}
