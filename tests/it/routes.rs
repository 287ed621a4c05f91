//! One table of policies for all routes of a service.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    routing::{MethodFilter, any, get as on_get, on},
};
use http::{Method, Response, StatusCode, header};
use proptest::prelude::*;
use serde_json::json;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, Claims, ConfigError, Error, JwtAuthLayer, RegisteredClaims, RequireLayer,
    authorize::{Roles, ScopeHierarchy, Scopes, StepUp, authenticated},
    layer::Routes,
    response::ProblemJson,
    testing::{TestClaims, TestRequest},
};

use crate::{
    requests::challenge,
    support::{builder, claims_with, key},
};

fn table() -> Routes {
    Routes::new()
        .route("GET /orders/{id}", Scopes::all_of(["read"]))
        .route("POST /orders", Scopes::all_of(["write"]))
        .route("/account", Scopes::all_of(["account"]))
        .route("DELETE /account", Roles::at("roles").any_of(["admin"]))
        .route("GET /files/{*path}", Scopes::all_of(["read"]))
        .route("HEAD /files/{*path}", Scopes::all_of(["list"]))
        .route("GET /me", authenticated())
        .public("GET /health")
}

fn layer() -> JwtAuthLayer {
    JwtAuthLayer::new(builder::<RegisteredClaims>().build().unwrap()).realm("api")
}

fn request(route: &str, scope: Option<&str>) -> Request {
    let (method, path) = route.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    if let Some(scope) = scope {
        let token = key(Algorithm::HS256).token(&claims_with(json!({"scope": scope})));
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    request.body(Body::empty()).unwrap()
}

async fn handler(_: Request) -> Result<Response<Body>, Infallible> {
    Ok(Response::new(Body::empty()))
}

/// The answer of a service with this table in this layer.
async fn answer(outside: &JwtAuthLayer, routes: RequireLayer, request: Request) -> Response<Body> {
    let service = ServiceBuilder::new().layer(outside.clone()).layer(routes);
    service.service(service_fn(handler)).oneshot(request).await.unwrap()
}

async fn status(routes: Routes, route: &str, scope: Option<&str>) -> u16 {
    let layer = layer().optional();
    let answer = answer(&layer, routes.build().unwrap(), request(route, scope)).await;
    answer.status().as_u16()
}

#[tokio::test]
async fn each_route_has_its_policy() {
    for (route, scope, expected) in [
        ("GET /orders/7", "read", 200),
        ("GET /orders/7?x=/me", "read", 200),
        ("GET /orders/7", "write", 403),
        ("POST /orders", "write", 200),
        ("POST /orders", "read", 403),
        // Entries for all methods, beside that of one.
        ("GET /account", "account", 200),
        ("PATCH /account", "account", 200),
        ("DELETE /account", "account", 403),
        ("HEAD /account", "account", 200),
        // HEAD has the policy of GET, unless it has its own.
        ("HEAD /orders/7", "read", 200),
        ("HEAD /orders/7", "write", 403),
        ("HEAD /me", "", 200),
        ("HEAD /files/a/b", "list", 200),
        ("HEAD /files/a/b", "read", 403),
        ("GET /files/a/b", "read", 200),
        ("GET /files/a/b", "list", 403),
        ("GET /me", "", 200),
        ("GET /health", "", 200),
    ] {
        assert_eq!(status(table(), route, Some(scope)).await, expected, "{route} with {scope}");
    }
    for (route, expected) in
        [("GET /health", 200), ("HEAD /health", 200), ("GET /me", 401), ("GET /nothing", 401)]
    {
        assert_eq!(status(table(), route, None).await, expected, "{route} without a token");
    }
}

#[tokio::test]
async fn what_the_table_does_not_name_is_refused() {
    let all = "read write account list";
    for route in [
        "GET /",
        "GET /nothing",
        "GET /orders",
        "GET /orders/",
        "GET /orders/7/",
        "GET /orders/7/8",
        "GET //orders/7",
        "GET /Orders/7",
        "GET /%6frders/7",
        "GET /orders/../me/x",
        "GET /me/",
        "GET /m%65",
        "GET /files/",
        "GET /files",
        // A path that is known, with another method.
        "PUT /orders/7",
        "OPTIONS /orders/7",
        "POST /health",
        "CONNECT /me",
        "get /me",
        "OPTIONS *",
    ] {
        assert_eq!(status(table(), route, Some(all)).await, 403, "{route}");
        assert_eq!(status(table(), route, None).await, 401, "{route} without a token");
        let open = table().fallback(Scopes::all_of(["read"]));
        assert_eq!(status(open, route, Some(all)).await, 200, "{route} with a fallback");
        let open = table().fallback(Scopes::all_of(["other"]));
        assert_eq!(status(open, route, Some(all)).await, 403, "{route} with a fallback");
        let open = table().fallback(authenticated());
        assert_eq!(status(open, route, None).await, 401, "{route} with a fallback");
    }
    // The operator is told the path, and the client is not.
    let outside = layer().respond_with(ProblemJson);
    let service = outside.layer(table().build().unwrap().layer(service_fn(handler)));
    let refused = service.oneshot(request("PUT /orders/7%0A?secret", Some(all))).await.unwrap();
    let told = refused.extensions().get::<Error>().unwrap().to_string();
    assert_eq!(
        told,
        "the token does not allow this: the table of routes has no entry for PUT /orders/7%0A: add \
         one, or set a `fallback`"
    );
    assert!(challenge(&refused).unwrap().contains("error=\"insufficient_scope\""));
    let body = axum::body::to_bytes(refused.into_body(), 10_000).await.unwrap();
    assert!(!String::from_utf8_lossy(&body).contains("orders"), "{body:?}");
}

#[tokio::test]
async fn a_public_route_needs_an_optional_layer() {
    let built = || table().build().unwrap();
    for (outside, expected) in
        [(layer(), 401), (layer().optional(), 200), (layer().pass_through(), 200)]
    {
        let answered = answer(&outside, built(), request("GET /health", None)).await;
        assert_eq!(answered.status(), expected);
    }
    // An invalid token is refused by the layer, and only if it passes everything it is none.
    for (outside, expected) in [(layer().optional(), 401), (layer().pass_through(), 200)] {
        let mut bad = request("GET /health", None);
        bad.headers_mut().insert(header::AUTHORIZATION, "Bearer x".parse().unwrap());
        assert_eq!(answer(&outside, built(), bad).await.status(), expected);
        let mut bad = request("GET /me", None);
        bad.headers_mut().insert(header::AUTHORIZATION, "Bearer x".parse().unwrap());
        assert_eq!(answer(&outside, built(), bad).await.status(), 401);
    }
    // Without a layer, no route works.
    let service = built().layer(service_fn(handler));
    for route in ["GET /health", "GET /me", "GET /nothing"] {
        let answered = service.clone().oneshot(request(route, None)).await.unwrap();
        assert_eq!(answered.status(), 500, "{route}");
    }
}

#[tokio::test]
async fn policies_of_a_type_of_the_application() {
    #[derive(serde::Deserialize)]
    struct User {
        tenant: String,
    }

    let routes = || {
        Routes::for_claims()
            .route("/acme", |user: &Claims<User>| user.tenant == "acme")
            .public("/health")
    };
    let service = routes().build().unwrap().layer(service_fn(handler));
    let claims = |tenant: &str| TestClaims::new("ada").claim("tenant", tenant).build_as::<User>();
    for (path, tenant, expected) in [
        ("/acme", "acme", 200),
        ("/acme", "else", 403),
        ("/health", "else", 200),
        ("/", "acme", 403),
    ] {
        let request = Request::get(path).with_claims(claims(tenant)).body(Body::empty()).unwrap();
        assert_eq!(service.clone().oneshot(request).await.unwrap().status(), expected, "{path}");
    }
    let untyped = Request::get("/health").with_claims(TestClaims::new("ada").build());
    let request = untyped.body(Body::empty()).unwrap();
    assert_eq!(service.oneshot(request).await.unwrap().status(), 500, "of another type");
}

#[tokio::test]
async fn it_answers_as_the_layer_of_one_route() {
    let policy = || Scopes::all_of(["read"]).with_hierarchy(&ScopeHierarchy::new());
    let step_up = || StepUp::acr(["phr"]);
    for (one, routes) in [
        (RequireLayer::new(policy()), Routes::new().route("GET /x", policy())),
        (RequireLayer::new(step_up()), Routes::new().route("GET /x", step_up())),
    ] {
        let expected = answer(&layer(), one, request("GET /x", Some(""))).await;
        let answered = answer(&layer(), routes.build().unwrap(), request("GET /x", Some(""))).await;
        assert_eq!(answered.status(), expected.status());
        assert_eq!(answered.headers(), expected.headers());
    }
}

#[test]
fn entries_that_contradict_each_other_are_errors() {
    let routes = |entries: &[&str]| {
        let add = |routes: Routes, entry: &&str| routes.route(*entry, authenticated());
        entries.iter().fold(Routes::new(), add).build()
    };
    for (entries, part) in [
        (&["GET /a", "GET /a"][..], "has an entry for GET already"),
        (&["/a", "/a"], "has an entry for all methods already"),
        (&["GET /{a}", "POST /{b}"], "conflicts with `/{a}`"),
        (&["/{x}", "/{*x}"], "conflicts with `/{x}`"),
        (&["/a/{*x}", "/a/{*y}"], "conflicts with `/a/{*x}`"),
        (&["/{a"], "write a parameter as `{name}`"),
        (&["/{}"], "write a parameter as `{name}`"),
        (&["/{a}{b}"], "a segment has one parameter"),
        (&["/{*a}/b"], "a whole segment, the last one"),
        (&["GET /ok", "get /a"], "write the method as `GET`"),
        (&["orders"], "begins with `/`"),
        (&["/:id"], "write `{id}`"),
    ] {
        let error = routes(entries).unwrap_err();
        let ConfigError::Route { route, reason, .. } = &error else { panic!("{error}") };
        assert_eq!(route, entries.last().unwrap());
        assert!(reason.contains(part), "{entries:?}: {reason}");
        assert!(error.to_string().contains(route.as_str()));
    }
    let public = Routes::new().public("GET /a").route("GET /a", authenticated());
    assert!(matches!(public.build(), Err(ConfigError::Route { .. })));
    for entries in [&[][..], &["GET /a", "POST /a", "/a"], &["/a", "/a/", "/{x}", "/a/{*x}"]] {
        assert!(routes(entries).is_ok(), "{entries:?}");
    }
}

#[test]
fn the_table_describes_itself() {
    let routes = table();
    let lines: Vec<_> = routes.describe().iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "GET /orders/{id}: the scope read",
            "POST /orders: the scope write",
            "/account: the scope account",
            "DELETE /account: the role admin in `roles`",
            "GET /files/{*path}: the scope read",
            "HEAD /files/{*path}: the scope list",
            "GET /me: a valid token",
            "GET /health: public",
        ]
    );
    let described = routes.describe();
    assert_eq!(described[0].method(), Some(&Method::GET));
    assert_eq!((described[2].method(), described[2].path()), (None, "/account"));
    assert!(described[7].policy().is_none());
    let layer = routes.fallback(Scopes::all_of(["other"])).build().unwrap();
    assert_eq!(layer.describe().scopes(), ["read", "write", "account", "list", "other"]);
    assert_eq!(layer.describe().to_string(), "what the table has for the route");
    let open = Routes::new().public("/").build().unwrap();
    assert!(open.describe().scopes().is_empty());
}

#[tokio::test]
async fn around_nested_routers_it_sees_the_whole_path() {
    let orders = Router::new().route("/{id}", on_get(async || "order"));
    let app = Router::new()
        .nest("/orders", orders)
        .route("/me", on_get(async || "me"))
        .layer(table().build().unwrap())
        .layer(layer().optional());
    for (route, scope, expected) in [
        ("GET /orders/7", Some("read"), 200),
        ("GET /orders/7", Some(""), 403),
        ("GET /orders/7", None, 401),
        ("GET /me", Some(""), 200),
        ("GET /health", None, 404),
        ("GET /nothing", Some("read"), 403),
        ("POST /me", Some("read"), 403),
    ] {
        let answered = app.clone().oneshot(request(route, scope)).await.unwrap();
        assert_eq!(answered.status(), expected, "{route} {scope:?}");
    }
}

// ----- every decision is axum's -----

const PATTERNS: [&str; 20] = [
    "/", "/a", "/a/", "/a/b", "/a/{x}", "/a/{*x}", "/{x}", "/{y}", "/{x}/", "/{x}/b", "/{x}/{y}",
    "/{*x}", "/b-{x}", "/b-{x}/c", "/%61", "/a%2Fb", "/{{a}}", "/ab", "/{x}-", "/a//b",
];

const SEGMENTS: [&str; 12] =
    ["a", "b", "c", "", "b-", "b-x", "%61", "a%2Fb", "{a}", "ab", "x-", "."];

const METHODS: [Method; 5] =
    [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS, Method::DELETE];

fn filter(method: &Method) -> MethodFilter {
    MethodFilter::try_from(method.clone()).unwrap()
}

/// The router with these entries, each of which answers with its number.
fn axum_router(entries: &[(usize, Option<usize>)]) -> Option<Router> {
    let build = || {
        entries.iter().enumerate().fold(Router::new(), |router, (at, (pattern, method))| {
            let handler = move || async move { [("x-entry", at.to_string())] };
            let method_router = match method {
                None => any(handler),
                Some(method) => on(filter(&METHODS[*method]), handler),
            };
            router.route(PATTERNS[*pattern], method_router)
        })
    };
    catch_unwind(AssertUnwindSafe(build)).ok()
}

/// A service with a table of these entries, each of which writes its number down.
fn our_table(
    entries: &[(usize, Option<usize>)],
    seen: &Arc<AtomicUsize>,
) -> Result<RequireLayer, ConfigError> {
    let add = |routes: Routes, (at, (pattern, method)): (usize, &(usize, Option<usize>))| {
        let seen = Arc::clone(seen);
        let path = PATTERNS[*pattern];
        let route = method.map_or(path.to_owned(), |method| format!("{} {path}", METHODS[method]));
        routes.route(route, move |_: &Claims| {
            seen.store(at, Ordering::Relaxed);
            true
        })
    };
    entries.iter().enumerate().fold(Routes::new(), add).build()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_decision_is_that_of_axum(
        entries in prop::collection::vec((0..PATTERNS.len(), prop::option::of(0..METHODS.len())), 1..8),
        requests in prop::collection::vec(
            (0..METHODS.len(), prop::collection::vec(0..SEGMENTS.len(), 1..4)),
            1..40,
        ),
    ) {
        let seen = Arc::new(AtomicUsize::new(usize::MAX));
        let theirs = axum_router(&entries);
        let ours = our_table(&entries, &seen);
        prop_assert_eq!(ours.is_ok(), theirs.is_some(), "{:?}", ours.err());
        if let (Ok(ours), Some(mut theirs)) = (ours, theirs) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let mut ours = ours.layer(service_fn(handler));
            let claims = TestClaims::new("ada").build();
            for (method, segments) in requests {
                let segments: Vec<_> = segments.iter().map(|segment| SEGMENTS[*segment]).collect();
                let path = format!("/{}", segments.join("/"));
                let request = |method: &Method| {
                    let request = Request::builder().method(method).uri(&path);
                    request.with_claims(claims.clone()).body(Body::empty())
                };
                // Not every text is an address.
                let Ok(request_of_axum) = request(&METHODS[method]) else { continue };
                let answered = runtime.block_on(theirs.call(request_of_axum)).unwrap();
                let number = answered.headers().get("x-entry");
                let their_entry = number.map(|number| number.to_str().unwrap().parse().unwrap());

                seen.store(usize::MAX, Ordering::Relaxed);
                let answered =
                    runtime.block_on(ours.call(request(&METHODS[method]).unwrap())).unwrap();
                let entry = seen.load(Ordering::Relaxed);
                let our_entry = (entry != usize::MAX).then_some(entry);
                prop_assert_eq!(our_entry, their_entry, "{} {}", &METHODS[method], &path);
                let expected =
                    if our_entry.is_some() { StatusCode::OK } else { StatusCode::FORBIDDEN };
                prop_assert_eq!(answered.status(), expected);
            }
        }
    }
}
