//! Conditions that compare a request with the claims of its token.

use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, OriginalUri},
    routing::get as on_get,
};
use http::{Method, Request, Response, header};
use serde::Deserialize;
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, Claims, Error, JwtAuthLayer, RequireLayer,
    authorize::{Policy, RequestHead, Roles, Scopes},
    response::ProblemJson,
};

use crate::{
    requests::{challenge, get_as, verifiers},
    support::{builder, claims_with, key},
};

#[derive(Deserialize)]
struct User {
    tenant: String,
}

fn own_tenant(request: RequestHead<'_>, user: &Claims<User>) -> Result<(), Error> {
    let whole = request.extensions().get::<OriginalUri>().map(|uri| &uri.0);
    let mut parts = whole.unwrap_or(request.uri()).path().split('/').skip(1);
    match (parts.next(), parts.next()) {
        (Some("t"), Some(tenant)) if tenant == user.tenant => Ok(()),
        (Some("t"), Some(_)) => Err(Error::forbidden("another tenant")),
        _ => Err(Error::forbidden("no tenant in the path")),
    }
}

fn request(method: Method, uri: &str, tenant: Option<&str>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(uri);
    if let Some(tenant) = tenant {
        let token = key(Algorithm::HS256).token(&claims_with(json!({"tenant": tenant})));
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    request.body(Body::empty()).unwrap()
}

async fn status(app: &Router, uri: &str, tenant: Option<&str>) -> u16 {
    let request = request(Method::GET, uri, tenant);
    app.clone().oneshot(request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn the_tenant_of_the_path_is_that_of_the_token() {
    let guard = RequireLayer::for_request(own_tenant);
    let orders = || Router::new().route("/orders", on_get(async || "orders"));
    let layer = JwtAuthLayer::new(builder::<User>().build().unwrap()).realm("api");
    let flat = Router::new().route("/t/{tenant}/orders", on_get(async || "orders"));
    for app in [
        // In a nested router, two of them, and outside of it.
        Router::new().nest("/t/{tenant}", orders().route_layer(guard.clone())),
        Router::new()
            .nest("/t", Router::new().nest("/{tenant}", orders().route_layer(guard.clone()))),
        Router::new().nest("/t/{tenant}", orders()).route_layer(guard.clone()),
        Router::new().nest("/t/{tenant}", orders()).layer(guard.clone()),
        flat.route_layer(guard.clone()),
    ] {
        let app = app.layer(layer.clone());
        assert_eq!(status(&app, "/t/acme/orders", Some("acme")).await, 200);
        assert_eq!(status(&app, "/t/acme/orders?t=else", Some("acme")).await, 200);
        assert_eq!(status(&app, "/t/else/orders", Some("acme")).await, 403);
        assert_eq!(status(&app, "/t/acme/orders", None).await, 401);
        // The router decodes it, and the condition refuses what is not written out.
        assert_eq!(status(&app, "/t/%61cme/orders", Some("acme")).await, 403);
    }
    // A path without a tenant is refused, too.
    let app = Router::new()
        .route("/orders", on_get(async || "orders"))
        .route_layer(guard)
        .layer(layer.respond_with(ProblemJson));
    let answer = app.oneshot(request(Method::GET, "/orders", Some("acme"))).await.unwrap();
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let challenge = challenge(&answer).unwrap();
    assert!(challenge.starts_with("Bearer realm=\"api\", error=\"insufficient_scope\""));
    let error = answer.extensions().get::<Error>().unwrap();
    assert_eq!(error.to_string(), "the token does not allow this: no tenant in the path");
}

#[tokio::test]
async fn it_sees_all_but_the_body() {
    #[derive(Clone, PartialEq)]
    struct Mark(u8);

    let sees = |request: RequestHead<'_>, claims: &Claims| {
        let is_seen = *request.method() == Method::PUT
            && request.uri().path() == "/a"
            && request.version() == http::Version::HTTP_2
            && request.headers()["x-one"] == "1"
            && request.headers()[header::AUTHORIZATION].is_sensitive()
            && request.extensions().get() == Some(&Mark(7))
            && claims.subject() == Some("alice");
        if is_seen { Ok(()) } else { Err(Error::forbidden("it is not seen")) }
    };
    for verifier in verifiers() {
        // A body that is neither `Clone` nor `Send`.
        type Local = std::rc::Rc<std::cell::Cell<u8>>;
        let inner = service_fn(async |_: Request<Local>| {
            Ok::<_, std::convert::Infallible>(Response::new(String::new()))
        });
        let service =
            JwtAuthLayer::new(verifier).layer(RequireLayer::for_request(sees).layer(inner));
        let mut request: Request<Local> = get_as("alice");
        *request.method_mut() = Method::PUT;
        *request.uri_mut() = "/a".parse().unwrap();
        *request.version_mut() = http::Version::HTTP_2;
        request.headers_mut().insert("x-one", "1".parse().unwrap());
        request.extensions_mut().insert(Mark(7));
        assert!(!format!("{:?}", RequestHead::from(&request)).contains("ey"));
        assert_eq!(service.clone().oneshot(request).await.unwrap().status(), 200);
        assert_eq!(service.oneshot(get_as("alice")).await.unwrap().status(), 403);
    }
}

#[tokio::test]
async fn it_combines_with_policies() {
    // Reading needs one scope; all else needs a role.
    let by_method = |request: RequestHead<'_>, claims: &Claims| match *request.method() {
        Method::GET => Scopes::all_of(["read"]).authorize(claims),
        _ => Roles::at("roles").any_of(["admin"]).authorize(claims),
    };
    let matched = |request: RequestHead<'_>, _: &Claims| match request
        .extensions()
        .get::<MatchedPath>()
        .map(MatchedPath::as_str)
    {
        Some("/{id}") => Ok(()),
        _ => Err(Error::forbidden("another route")),
    };
    let [verifier, _] = verifiers();
    let app = Router::new()
        .route("/{id}", on_get(async || "in").put(async || "in"))
        .route("/other/{id}", on_get(async || "in"))
        .route_layer(RequireLayer::for_request(by_method))
        .route_layer(RequireLayer::for_request(matched))
        .layer(JwtAuthLayer::new(verifier));
    for (method, path, expected) in
        [(Method::GET, "/1", 200), (Method::PUT, "/1", 403), (Method::GET, "/other/1", 403)]
    {
        let mut request = get_as::<Body>("alice");
        (*request.method_mut(), *request.uri_mut()) = (method, path.parse().unwrap());
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), expected, "{path}");
    }
}
