//! One format of refusals: that of the layer, wherever the refusal is made.

use axum::{
    Router,
    body::{Body, Bytes},
    middleware::map_response,
    response::{IntoResponse, Response as AxumResponse},
    routing::get as on_get,
};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde::Deserialize;
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Claims, Error, JwtAuthLayer, RequireLayer, TokenSource, Verifier,
    authorize::{Policy, Scopes},
    extract::{Authorized, Subject},
    response::{DefaultRespond, ProblemJson, Rejection, Respond},
    verifier::{CachedRule, RuleError},
};

use crate::{
    requests::{challenge, get, get_as, verifiers},
    support::builder,
};

#[derive(Deserialize)]
struct Other {}

#[derive(Default)]
struct Admin;

impl Policy<tower_jwt_auth::RegisteredClaims> for Admin {
    fn authorize(&self, claims: &Claims) -> Result<(), Error> {
        Scopes::all_of(["admin"]).authorize(claims)
    }
}

fn routes() -> Router {
    Router::new()
        .route("/require", on_get(async || "in").layer(RequireLayer::scopes(["admin"])))
        .route("/claims", on_get(async |_: Claims| "in"))
        .route("/subject", on_get(async |_: Subject| "in"))
        .route("/authorized", on_get(async |_: Authorized<Admin>| "in"))
        .route("/other", on_get(async |_: Claims<Other>| "in"))
        .route("/handler", on_get(async || Rejection::from(Error::forbidden("this"))))
}

async fn text(response: Response<Body>) -> Response<String> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Response::from_parts(parts, String::from_utf8(body.to_vec()).unwrap())
}

async fn ask(app: &Router, path: &str, user: Option<&str>) -> Response<String> {
    let mut request = user.map_or_else(|| get::<Body>(&[]), get_as);
    *request.uri_mut() = path.parse().unwrap();
    text(app.clone().oneshot(request).await.unwrap()).await
}

/// An answer that says which format it has.
fn format(name: &'static str) -> impl Fn(&Rejection) -> Response<Body> + Clone + Send + Sync {
    move |rejection| rejection.to_response(Body::from(name))
}

fn layer() -> JwtAuthLayer {
    let [verifier, _] = verifiers();
    JwtAuthLayer::new(verifier)
}

/// Each refusal inside of an optional layer, and its status.
const REFUSALS: [(&str, Option<&str>, u16); 9] = [
    ("/claims", None, 401),
    ("/subject", None, 401),
    ("/authorized", None, 401),
    ("/authorized", Some("alice"), 403),
    ("/require", None, 401),
    ("/require", Some("alice"), 403),
    ("/other", None, 500),
    ("/other", Some("alice"), 500),
    ("/handler", Some("alice"), 403),
];

#[tokio::test]
async fn extractors_and_policies_have_the_format_of_the_layer() {
    for verifier in verifiers() {
        let layer = JwtAuthLayer::new(verifier).optional();
        let plain = routes().layer(layer.clone());
        let app = routes().layer(layer.respond_with(ProblemJson));
        for (path, user, status) in REFUSALS {
            let (plain, response) = (ask(&plain, path, user).await, ask(&app, path, user).await);
            assert_eq!((plain.status().as_u16(), &**plain.body()), (status, ""), "{path}");
            assert_eq!(response.status(), status, "{path}");
            assert_eq!(challenge(&response), challenge(&plain), "{path}");
            assert_eq!(response.headers()["cache-control"], "no-store", "{path}");
            assert_eq!(response.headers().get_all("cache-control").iter().count(), 1, "{path}");
            // It is as if the layer had refused.
            let rejection = plain.extensions().get::<Rejection>().unwrap();
            let expected: Response<String> = ProblemJson.respond(rejection);
            assert_eq!(response.body(), expected.body(), "{path}");
            let length = expected.body().len().to_string();
            assert_eq!(response.headers()["content-length"], length, "{path}");
            assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
        }
        assert_eq!(ask(&app, "/claims", Some("alice")).await.body(), "in");
    }
}

#[tokio::test]
async fn a_refusal_is_in_the_extensions_of_its_response() {
    let apps = [
        routes().layer(layer().optional()),
        routes().layer(layer().optional().respond_with(ProblemJson)),
        routes().layer(layer().optional().respond_with(format("own"))),
    ];
    for (app, (path, user, status)) in
        apps.iter().flat_map(|app| REFUSALS.map(|refusal| (app, refusal)))
    {
        let response = ask(app, path, user).await;
        let rejection = response.extensions().get::<Rejection>().unwrap();
        assert_eq!(rejection.status(), status, "{path}");
        let error = response.extensions().get::<Error>().unwrap();
        assert_eq!(error.kind(), rejection.error().kind(), "{path}");
    }
    let app = routes().layer(layer());
    let response = ask(&app, "/claims", None).await;
    assert!(response.extensions().get::<Rejection>().unwrap().error().is_missing_token());
    let response = ask(&app, "/claims", Some("alice")).await;
    assert!(response.extensions().get::<Rejection>().is_none());
}

/// A refusal by hand is as one of the layer, in each of its formats.
#[tokio::test]
async fn a_handler_that_refuses_has_the_challenge_of_the_layer() {
    let forbidden = |realm: &str| {
        format!(
            "Bearer realm=\"{realm}\", error=\"insufficient_scope\", \
             error_description=\"the access token does not allow this\""
        )
    };
    for verifier in verifiers() {
        let layer = JwtAuthLayer::new(verifier).realm("inner");
        for layer in [layer.clone(), layer.clone().optional()] {
            for (app, body) in [
                (routes().layer(layer.clone()), ""),
                (routes().layer(layer.clone().respond_with(DefaultRespond)), ""),
                (routes().layer(layer.clone().respond_with(format("own"))), "own"),
            ] {
                // The innermost layer decides, and the answer is not changed twice.
                let outer = self::layer().optional().realm("outer").respond_with(format("outer"));
                for app in [app.clone(), app.layer(outer)] {
                    let response = ask(&app, "/handler", Some("alice")).await;
                    assert_eq!((response.status().as_u16(), &**response.body()), (403, body));
                    assert_eq!(challenge(&response), Some(&*forbidden("inner")));
                    let rejection = response.extensions().get::<Rejection>().unwrap();
                    let challenge = rejection.challenges().next().unwrap();
                    assert_eq!(challenge, forbidden("inner"));
                    assert_eq!(ask(&app, "/claims", Some("alice")).await.status(), 200);
                }
            }
        }
    }
    // A layer without a realm is the innermost one, too; outside of all, there is none.
    let without = forbidden("").replace(" realm=\"\",", "");
    let app = routes().layer(layer()).layer(layer().realm("outer").optional());
    for app in [app, routes()] {
        assert_eq!(challenge(&ask(&app, "/handler", Some("alice")).await), Some(&*without));
    }
    // A challenge of somebody else, and an answer with a status of its own, stay.
    async fn other(mut response: AxumResponse) -> AxumResponse {
        let basic = HeaderValue::from_static("Basic");
        response.headers_mut().append(header::WWW_AUTHENTICATE, basic);
        *response.status_mut() = StatusCode::NOT_FOUND;
        response
    }
    let app = routes().layer(map_response(other)).layer(layer().realm("r"));
    let response = ask(&app, "/handler", Some("alice")).await;
    assert_eq!(response.status(), 404);
    let values: Vec<_> = response.headers().get_all(header::WWW_AUTHENTICATE).iter().collect();
    assert_eq!(values, [&*forbidden("r"), "Basic"]);
}

/// A rule can say 403. It is a refusal of the layer, also where guests are welcome.
#[tokio::test]
async fn a_rule_that_forbids_is_403_and_never_a_guest() {
    let rule = |user: &Claims| match user.subject() {
        Some("poor") => Err(RuleError::forbidden("payment")),
        _ => Ok(()),
    };
    let now = builder().rule(rule);
    let later = builder().async_rule(move |user: Claims| async move { rule(&user) });
    let cached = builder().cached_rule(CachedRule::new(
        |user: &Claims| user.subject().map(str::to_owned),
        move |user: Claims| async move { rule(&user) },
    ));
    for verifier in [now, later, cached].map(|builder| builder.build().unwrap()) {
        let layer = JwtAuthLayer::new(verifier)
            .source(TokenSource::cookie("at").build().unwrap())
            .realm("api");
        for layer in [layer.clone(), layer.optional()] {
            let app = routes()
                .route("/", on_get(async |user: Option<Claims>| format!("{}", user.is_some())))
                .layer(layer.respond_with(ProblemJson));
            let cookie = format!("at={}", crate::requests::token("poor"));
            let same_origin = (HeaderName::from_static("sec-fetch-site"), "same-origin");
            for request in [get_as::<Body>("poor"), get(&[(header::COOKIE, &*cookie), same_origin])]
            {
                let response = text(app.clone().oneshot(request).await.unwrap()).await;
                assert_eq!(response.status(), 403);
                assert_eq!(
                    challenge(&response).unwrap(),
                    "Bearer realm=\"api\", error=\"insufficient_scope\", \
                     error_description=\"the access token does not allow this\""
                );
                assert_eq!(response.headers()["content-type"], "application/problem+json");
                assert!(!response.body().contains("payment"));
                assert!(!response.headers().contains_key(header::SET_COOKIE));
                let error = response.extensions().get::<Error>().unwrap();
                assert_eq!(error.to_string(), "the token does not allow this: payment");
            }
            let response = text(app.oneshot(get_as::<Body>("alice")).await.unwrap()).await;
            assert_eq!((response.status().as_u16(), &**response.body()), (200, "true"));
        }
    }
}

#[tokio::test]
async fn the_innermost_layer_decides() {
    let inner = || layer().optional();
    let outer = || layer().optional().respond_with(format("outer"));
    for (path, user, _) in REFUSALS {
        for (app, expected) in [
            (routes().layer(inner().respond_with(format("inner"))), "inner"),
            (routes().layer(inner()), ""),
            (routes().layer(inner().respond_with(DefaultRespond)), ""),
        ] {
            let app = app.layer(outer());
            assert_eq!(ask(&app, path, user).await.body(), expected, "{path}");
        }
    }
    // What is between the two is inside of one only.
    let between = RequireLayer::scopes(["admin"]);
    let app = routes().layer(inner().respond_with(format("inner"))).layer(between).layer(outer());
    assert_eq!(ask(&app, "/claims", Some("alice")).await.body(), "outer");
    // Outside of all, nobody has a format.
    let app = routes().layer(outer()).layer(RequireLayer::scopes(["admin"]));
    let response = ask(&app, "/claims", Some("alice")).await;
    assert_eq!((response.status().as_u16(), &**response.body()), (500, ""));
}

#[tokio::test]
async fn a_format_that_a_policy_names_is_its_own() {
    let require = || RequireLayer::scopes(["admin"]);
    let route = || Router::new().route("/", on_get(async || "in"));
    for (app, expected) in [
        (route().route_layer(require().respond_with(format("own"))), "own"),
        (route().route_layer(require().respond_with(DefaultRespond)), ""),
        (route().route_layer(require().clone()), "layer"),
    ] {
        let app = app.layer(layer().optional().respond_with(format("layer")));
        for (user, status) in [(None, 401), (Some("alice"), 403)] {
            let response = ask(&app, "/", user).await;
            assert_eq!((response.status().as_u16(), &**response.body()), (status, expected));
        }
    }
}

/// As gRPC has it: 200, with the code and the challenge as metadata.
#[tokio::test]
async fn a_format_may_have_another_status() {
    fn grpc(rejection: &Rejection) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        let code = if rejection.status() == 401 { "16" } else { "7" };
        response.headers_mut().insert("grpc-status", HeaderValue::from_static(code));
        let grpc = HeaderValue::from_static("application/grpc");
        response.headers_mut().insert(header::CONTENT_TYPE, grpc);
        response
    }
    let app = routes().layer(layer().optional().respond_with(grpc)).layer(
        // It is no refusal of the outer layer.
        layer().optional().respond_with(format("outer")),
    );
    for (path, user, code, challenged) in
        [("/claims", None, "16", Some("Bearer")), ("/require", Some("alice"), "7", None)]
    {
        let response = ask(&app, path, user).await;
        assert_eq!((response.status().as_u16(), &**response.body()), (200, ""), "{path}");
        assert_eq!(response.headers()["grpc-status"], code, "{path}");
        assert_eq!(response.headers()["content-type"], "application/grpc", "{path}");
        // The format has left it out, and only 16 must have one, as 401 must.
        assert_eq!(challenge(&response), challenged, "{path}");
    }
}

#[tokio::test]
async fn what_is_added_in_between_is_kept() {
    #[derive(Clone)]
    struct Added;

    async fn add(mut response: AxumResponse) -> AxumResponse {
        for (name, value) in [
            (header::SET_COOKIE, "a=1"),
            (header::SET_COOKIE, "b=2"),
            (header::VARY, "accept-encoding"),
            (header::WWW_AUTHENTICATE, "Basic"),
            (HeaderName::from_static("x-request-id"), "7"),
            (HeaderName::from_static("x-set-by-both"), "middleware"),
            (header::RETRY_AFTER, "9"),
        ] {
            response.headers_mut().append(name, HeaderValue::from_static(value));
        }
        // They are those of the body that is replaced, and the format decides on the last one.
        for (name, value) in [
            (header::CONTENT_LENGTH, "0"),
            (header::ETAG, "\"of nothing\""),
            (header::CACHE_CONTROL, "public, max-age=60"),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response.extensions_mut().insert(Added);
        response
    }
    fn own(rejection: &Rejection) -> Response<Body> {
        let mut response = rejection.to_response(Body::from("own"));
        for (name, value) in
            [("vary", "accept"), ("x-set-by-both", "format"), ("set-cookie", "c=3")]
        {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
    let app =
        routes().layer(map_response(add)).layer(layer().realm("r").optional().respond_with(own));
    let response = ask(&app, "/claims", None).await;
    assert_eq!((response.status().as_u16(), &**response.body()), (401, "own"));
    let values = |name: &str| {
        let values = response.headers().get_all(name).iter();
        values.map(|value| value.to_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(values("set-cookie"), ["c=3", "a=1", "b=2"]);
    assert_eq!(values("vary"), ["accept", "accept-encoding"]);
    assert_eq!(values("www-authenticate"), ["Bearer realm=\"r\"", "Basic"]);
    assert_eq!(values("x-request-id"), ["7"]);
    assert_eq!(values("x-set-by-both"), ["format"]);
    assert_eq!(values("retry-after"), ["9"]);
    assert_eq!(values("cache-control"), ["no-store"]);
    assert_eq!(values("content-length"), ["3"]);
    assert_eq!(values("etag"), [""; 0]);
    assert!(response.extensions().get::<Added>().is_some());
    assert!(response.extensions().get::<Error>().is_some());
}

#[tokio::test]
async fn an_answer_that_somebody_has_made_is_left_alone() {
    async fn result(claims: Result<Claims, Rejection>) -> Response<Body> {
        claims.map_or_else(|no| no.to_response(Body::from("handler")), |_| Response::default())
    }
    async fn hidden(claims: Result<Claims, Rejection>) -> AxumResponse {
        claims
            .map_or_else(|no| (StatusCode::NOT_FOUND, no).into_response(), |_| "in".into_response())
    }
    async fn html(mut response: AxumResponse) -> AxumResponse {
        if response.extensions().get::<Rejection>().is_some() {
            *response.body_mut() = Body::from("page");
            let html = HeaderValue::from_static("text/html");
            response.headers_mut().insert(header::CONTENT_TYPE, html);
        }
        response
    }
    let routes = Router::new()
        .route("/result", on_get(result))
        .route("/hidden", on_get(hidden))
        .route("/page", on_get(async |_: Claims| "in").layer(map_response(html)));
    for layer in [layer().optional(), layer().optional().respond_with(DefaultRespond)] {
        let formatted = layer.clone().respond_with(format("layer"));
        for app in [routes.clone().layer(layer), routes.clone().layer(formatted)] {
            for (path, status, body) in
                [("/result", 401, "handler"), ("/hidden", 404, ""), ("/page", 401, "page")]
            {
                let response = ask(&app, path, None).await;
                assert_eq!((response.status().as_u16(), &**response.body()), (status, body));
            }
        }
    }
}

#[tokio::test]
async fn it_needs_no_axum() {
    type Plain = Response<Full<Bytes>>;
    let inner = service_fn(async |_: http::Request<Full<Bytes>>| {
        Ok::<_, std::convert::Infallible>(Plain::default())
    });
    let own = |rejection: &Rejection| -> Plain {
        rejection.to_response(Full::from(rejection.code().unwrap_or("none")))
    };
    let verifier: Verifier = builder().build().unwrap();
    let layer = JwtAuthLayer::new(verifier).optional().respond_with(own);
    let service = layer.layer(RequireLayer::scopes(["admin"]).layer(inner));
    for (request, status, body) in
        [(get(&[]), 401, "none"), (get_as("alice"), 403, "insufficient_scope")]
    {
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), body);
    }
}
