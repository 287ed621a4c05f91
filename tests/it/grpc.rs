//! Refusals that clients of gRPC read, and requests that need no token.

use axum::{
    Router,
    body::{Body, HttpBody as _},
    routing::post,
};
use http::{Request, Response, header};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Claims, Error, JwtAuthLayer, RequireLayer, TokenSource,
    authorize::Scopes,
    proof::DPoP,
    response::{Grpc, GrpcWeb, ProblemJson, Rejection},
    testing::{
        AttackRun, TestIssuer, TestProofKey, TestRequest, assert_accepted, assert_challenge,
        assert_grpc_status, assert_insufficient_scope, assert_refused,
    },
};

const LIST: &str = "/shop.Orders/List";

fn call(path: &str) -> http::request::Builder {
    Request::post(path).header(header::CONTENT_TYPE, "application/grpc+proto")
}

/// What a method of a service answers with.
async fn answer() -> Response<Body> {
    let message = Body::from(&b"\0\0\0\0\0"[..]);
    let response = Response::builder().header(header::CONTENT_TYPE, "application/grpc");
    response.body(message).unwrap()
}

async fn ask(app: &Router, request: http::request::Builder) -> Response<Body> {
    app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

/// A refusal that consists of headers only.
fn assert_trailers_only(response: &Response<Body>) {
    assert_eq!(response.status(), 200);
    assert!(response.body().is_end_stream());
    assert_eq!(response.headers()["content-type"], "application/grpc+proto");
    assert!(response.headers().contains_key("grpc-message"));
    assert_eq!(response.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn refusals_of_layers_policies_extractors_and_rules_are_alike() {
    async fn who(_: Claims) -> Response<Body> {
        answer().await
    }
    let issuer = TestIssuer::new();
    let poor = |user: &Claims| match user.subject() {
        Some("poor") => Err(tower_jwt_auth::verifier::RuleError::forbidden("payment")),
        _ => Ok(()),
    };
    let verifier = issuer.verifier_builder().rule(poor).build().unwrap();
    let routes = Router::new()
        .route(LIST, post(answer))
        .route_layer(RequireLayer::scopes(["orders"]))
        .route("/shop.Orders/Who", post(who));
    let layer = JwtAuthLayer::grpc(verifier).realm("shop");
    for layer in [layer.clone(), layer.optional()] {
        let app = routes.clone().layer(layer);
        for path in [LIST, "/shop.Orders/Who"] {
            let response = ask(&app, call(path)).await;
            assert_refused(&response, "missing_token");
            assert_grpc_status(&response, 16);
            assert_trailers_only(&response);
            assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"shop\"");
        }
        let response = ask(&app, call(LIST).bearer(issuer.token().expired().sign())).await;
        assert_grpc_status(&response, 16);
        assert_challenge(&response, "invalid_token");
        let response = ask(&app, call(LIST).bearer(issuer.token().sign())).await;
        assert_grpc_status(&response, 7);
        assert_trailers_only(&response);
        assert_insufficient_scope(&response, ["orders"]);
        let token = issuer.token().subject("poor").scopes(["orders"]).sign();
        let response = ask(&app, call(LIST).bearer(token)).await;
        assert_grpc_status(&response, 7);
        assert_challenge(&response, "insufficient_scope");
        let rejection = response.extensions().get::<Rejection>().unwrap();
        assert_eq!((rejection.status().as_u16(), rejection.grpc_code()), (403, 7));
        let token = issuer.token().scopes(["orders"]).sign();
        assert_accepted(&ask(&app, call(LIST).bearer(token)).await);
    }
}

#[tokio::test]
async fn a_store_that_fails_is_unavailable_with_a_pause() {
    let issuer = TestIssuer::new();
    let list = tower_jwt_auth::testing::TestDenylist::new();
    let verifier = issuer.verifier_builder().denylist(list.clone()).build().unwrap();
    let app = Router::new().route(LIST, post(answer)).layer(JwtAuthLayer::grpc(verifier));
    list.fail();
    let response = ask(&app, call(LIST).bearer(issuer.token().sign())).await;
    assert_grpc_status(&response, 14);
    assert!(response.headers().contains_key("retry-after"));
    assert!(!response.headers().contains_key("www-authenticate"));
}

#[tokio::test]
async fn a_request_for_a_nonce_is_metadata() {
    let issuer = TestIssuer::new();
    let dpop = DPoP::optional()
        .public_url("https://shop.example")
        .nonces(tower_jwt_auth::proof::Nonces::new([7; 32]).unwrap())
        .build()
        .unwrap();
    let verifier = issuer.verifier_builder().dpop(dpop).build().unwrap();
    let app = Router::new().route(LIST, post(answer)).layer(JwtAuthLayer::grpc(verifier));
    let key = TestProofKey::new();
    let token = issuer.token().bound_to(&key).sign();
    let proof = key.proof("POST", format!("https://shop.example{LIST}"));
    let response = ask(&app, call(LIST).dpop(&token, proof.token(&token).sign())).await;
    assert_grpc_status(&response, 16);
    assert_challenge(&response, "use_dpop_nonce");
    let nonce = response.headers()["dpop-nonce"].to_str().unwrap().to_owned();
    let proof = key.proof("POST", format!("https://shop.example{LIST}")).token(&token);
    let response = ask(&app, call(LIST).dpop(&token, proof.nonce(&nonce).sign())).await;
    assert_accepted(&response);
}

#[tokio::test]
async fn other_clients_of_a_mixed_service_get_their_format() {
    let issuer = TestIssuer::new();
    let layer = JwtAuthLayer::new(issuer.verifier()).respond_with(Grpc::or(ProblemJson));
    let app = Router::new()
        .route(LIST, post(answer))
        .route("/orders", post(async || "orders"))
        .layer(layer);
    assert_grpc_status(&ask(&app, call(LIST)).await, 16);
    for request in [
        Request::post("/orders"),
        Request::post("/orders").header(header::CONTENT_TYPE, "application/json"),
        // Of the Connect protocol, whose refusals have a status of HTTP.
        Request::post(LIST)
            .header(header::CONTENT_TYPE, "application/proto")
            .header("connect-protocol-version", "1"),
        Request::get(LIST).header(header::CONTENT_TYPE, "application/grpc"),
    ] {
        let response = ask(&app, request).await;
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert!(!response.headers().contains_key("grpc-status"));
    }
}

/// The same service with axum's body and with one that has no `From<String>`.
#[tokio::test]
async fn a_service_without_axum_has_no_length() {
    let issuer = TestIssuer::new();
    let inner = service_fn(async |_: Request<Body>| {
        Ok::<_, std::convert::Infallible>(Response::new(http_body_util::Empty::<&[u8]>::new()))
    });
    let service = JwtAuthLayer::grpc(issuer.verifier()).layer(inner);
    let request = call(LIST).body(Body::empty()).unwrap();
    let response = service.oneshot(request).await.unwrap();
    assert_grpc_status(&response, 16);
    assert!(response.body().is_end_stream());
    assert!(!response.headers().contains_key("content-length"));
}

#[tokio::test]
async fn a_frame_of_trailers_is_only_for_the_web() {
    let issuer = TestIssuer::new();
    let layer = JwtAuthLayer::new(issuer.verifier()).optional().respond_with(GrpcWeb::new());
    let routes = Router::new().route(LIST, post(answer)).route_layer(RequireLayer::scopes(["x"]));
    let app = routes.layer(layer);
    assert_trailers_only(&ask(&app, call(LIST)).await);
    let request = || {
        let request =
            Request::post(LIST).header(header::CONTENT_TYPE, "application/grpc-web+proto");
        request.bearer(issuer.token().sign())
    };
    let response = ask(&app, request()).await;
    assert_eq!(response.status(), 200);
    assert_challenge(&response, "insufficient_scope");
    assert_grpc_status(&response, 7);
    assert_eq!(response.headers()["content-type"], "application/grpc-web+proto");
    assert!(!response.headers().contains_key("grpc-status"));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(body[5..].starts_with(b"grpc-status:7\r\n"), "{body:?}");
}

#[tokio::test]
async fn only_authorization_is_a_source_of_the_preset() {
    let issuer = TestIssuer::new();
    let token = issuer.token().sign();
    let app = Router::new().route(LIST, post(answer)).layer(JwtAuthLayer::grpc(issuer.verifier()));
    let binary = call(LIST).header("authorization-bin", format!("Bearer {token}"));
    let cookie = call(LIST)
        .header(header::COOKIE, format!("at={token}"))
        .header("sec-fetch-site", "same-origin");
    let query = call(&format!("{LIST}?access_token={token}"));
    for request in [binary, cookie, query] {
        assert_refused(&ask(&app, request).await, "missing_token");
    }
    let twice = call(LIST).bearer(&token).header(header::AUTHORIZATION, "Bearer other");
    let response = ask(&app, twice).await;
    assert_grpc_status(&response, 16);
    assert_challenge(&response, "invalid_request");
}

#[tokio::test]
async fn a_cross_site_cookie_is_permission_denied() {
    let issuer = TestIssuer::new();
    let layer =
        JwtAuthLayer::grpc(issuer.verifier()).source(TokenSource::cookie("at").build().unwrap());
    let app = Router::new().route(LIST, post(answer)).layer(layer);
    let request = call(LIST)
        .header(header::COOKIE, format!("at={}", issuer.token().sign()))
        .header("sec-fetch-site", "cross-site");
    assert_grpc_status(&ask(&app, request).await, 7);
}

const HEALTH: [&str; 2] = ["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"];
const REFLECTION: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// The source of a layer that a proxy asks before it passes a request on.
fn cookie_behind_a_proxy() -> TokenSource {
    TokenSource::cookie("at")
        .public_origin("https://shop.example")
        .forwarded_method("x-forwarded-method")
        .build()
        .unwrap()
}

/// A proxy takes 200 for a yes, whoever refuses.
#[tokio::test]
async fn behind_a_proxy_that_asks_no_refusal_is_200() {
    async fn who(_: Claims) -> Response<Body> {
        answer().await
    }
    async fn by_hand() -> Rejection {
        Error::forbidden("an order of somebody else").into()
    }
    let issuer = TestIssuer::new();
    let cookie = cookie_behind_a_proxy();
    let scopes = || RequireLayer::scopes(["admin"]);
    let inside = Router::new()
        .route(LIST, post(answer))
        .route("/grpc.health.v1.Health/Check", post(answer))
        .route_layer(scopes())
        .route("/shop.Orders/Own", post(answer).route_layer(scopes().respond_with(Grpc::new())))
        .route("/shop.Orders/Who", post(who))
        .route("/shop.Orders/ByHand", post(by_hand));
    let layer = JwtAuthLayer::grpc(issuer.verifier()).source(cookie).exempt_grpc_health();
    for layer in [layer.clone(), layer.optional()] {
        let app = inside.clone().layer(layer);
        for path in [LIST, "/shop.Orders/Own", "/shop.Orders/Who", "/grpc.health.v1.Health/Check"] {
            let response = ask(&app, call(path)).await;
            assert_eq!(response.status(), 401, "{path}");
            assert!(!response.headers().contains_key("grpc-status"), "{path}");
        }
        for path in [LIST, "/shop.Orders/Own", "/shop.Orders/ByHand"] {
            let response = ask(&app, call(path).bearer(issuer.token().sign())).await;
            assert_eq!(response.status(), 403, "{path}");
            assert!(!response.headers().contains_key("grpc-status"), "{path}");
        }
    }
}

/// The layer of the proxy is further out than the one that refuses.
#[tokio::test]
async fn behind_a_proxy_that_asks_no_layer_within_answers_200() {
    async fn who(_: Claims) -> Response<Body> {
        answer().await
    }
    let issuer = TestIssuer::new();
    let cookie = cookie_behind_a_proxy();
    let of_proxy = JwtAuthLayer::grpc(issuer.verifier()).source(cookie);
    let inner = || JwtAuthLayer::grpc(issuer.verifier()).exempt_grpc_health();
    let token = issuer.token().sign();
    let by_cookie = |path| {
        let request = call(path).header(header::COOKIE, format!("at={token}"));
        request.header("sec-fetch-site", "same-origin").header("x-forwarded-method", "GET")
    };
    let scopes = RequireLayer::scopes(["admin"]).respond_with(GrpcWeb::new());
    let service = Router::new()
        .route(LIST, post(answer))
        .route(HEALTH[0], post(answer))
        .route_layer(scopes)
        .route("/shop.Orders/Who", post(who));
    for inner in [inner(), inner().realm("in"), inner().optional(), inner().pass_through()] {
        for outer in
            [of_proxy.clone(), of_proxy.clone().optional(), of_proxy.clone().pass_through()]
        {
            let app = service.clone().layer(inner.clone());
            // Layers in between neither hide the outermost one nor are a proxy's.
            for app in [app.clone(), app.layer(JwtAuthLayer::grpc(issuer.verifier()).optional())] {
                let app = app.layer(outer.clone());
                for path in [LIST, "/shop.Orders/Who", HEALTH[0]] {
                    // The inner layers read no cookie.
                    for request in [call(path), call(path).bearer("a.b.c"), by_cookie(path)] {
                        let response = ask(&app, request).await;
                        assert_eq!(response.status(), 401, "{path} {inner:?} {outer:?}");
                        assert!(!response.headers().contains_key("grpc-status"), "{path}");
                    }
                }
                let response = ask(&app, call(LIST).bearer(&token)).await;
                assert_eq!(response.status(), 403, "{inner:?} {outer:?}");
                assert_accepted(&ask(&app, call("/shop.Orders/Who").bearer(&token)).await);
            }
        }
    }
}

/// A layer in between that lets guests pass does not hide the layer of the proxy.
#[tokio::test]
async fn behind_a_proxy_that_asks_an_optional_layer_in_between_hides_nothing() {
    let issuer = TestIssuer::new();
    let cookie = cookie_behind_a_proxy();
    let inner_token = header::HeaderName::from_static("x-inner");
    let grpc = || JwtAuthLayer::grpc(issuer.verifier());
    let inner = grpc().sources([TokenSource::header(inner_token.clone())]);
    let scopes = RequireLayer::scopes(["admin"]).respond_with(Grpc::new());
    let service = Router::new().route(LIST, post(answer)).route_layer(scopes).layer(inner);
    let token = issuer.token().sign();
    for middle in [grpc().optional(), grpc().optional().realm("middle")] {
        let nested = service.clone().layer(middle);
        let of_proxy = grpc().source(cookie.clone());
        for (outer, guest) in [(of_proxy.clone(), false), (of_proxy.optional(), true)] {
            let app = nested.clone().layer(outer);
            // Who refuses: the outermost layer, or the innermost with and without claims of the others.
            for (request, status) in [
                (call(LIST), 401),
                (call(LIST).bearer("a.b.c"), 401),
                (call(LIST).bearer(&token), 401),
                (call(LIST).bearer(&token).header(&inner_token, format!("Bearer {token}")), 403),
                (
                    call(LIST).header(&inner_token, format!("Bearer {token}")),
                    if guest { 403 } else { 401 },
                ),
            ] {
                let response = ask(&app, request).await;
                assert_eq!(response.status(), status, "{guest}");
                assert!(!response.headers().contains_key("grpc-status"), "{guest}");
            }
        }
        // Without the layer of the proxy, the same refusals are those of gRPC.
        assert_grpc_status(&ask(&nested, call(LIST)).await, 16);
        let inside = call(LIST).header(&inner_token, format!("Bearer {token}"));
        assert_grpc_status(&ask(&nested, inside).await, 7);
    }
}

#[tokio::test]
async fn only_exact_paths_are_exempt() {
    let issuer = TestIssuer::new();
    let layer = JwtAuthLayer::grpc(issuer.verifier());
    let app = |layer| Router::new().fallback(answer).layer(layer);
    let plain = app(layer.clone());
    let health = app(layer.clone().exempt_grpc_health());
    let reflection = app(layer.clone().exempt_grpc_reflection());
    let both = app(layer.exempt_grpc_health().exempt_grpc_reflection());
    for (paths, apps, others) in
        [(HEALTH, [&health, &both], &reflection), (REFLECTION, [&reflection, &both], &health)]
    {
        for path in paths {
            for app in apps {
                assert_accepted(&ask(app, call(path)).await);
                // A token is not verified there.
                assert_accepted(&ask(app, call(path).bearer("a.b.c")).await);
            }
            assert_grpc_status(&ask(others, call(path)).await, 16);
            assert_grpc_status(&ask(&plain, call(path)).await, 16);
        }
    }
    for path in [
        "/grpc.health.v1.Health/List",
        "/grpc.health.v1.Health/Check/",
        "/grpc.health.v1.Health/check",
        "/grpc.health.v1.Health//Check",
        "/grpc.health.v1.Health/Chec%6b",
        "//grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Check/../../shop.Orders/List",
        "/x/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/",
        "/grpc.reflection.v1.ServerReflection/Other",
        "/grpc.reflection.v2.ServerReflection/ServerReflectionInfo",
        LIST,
    ] {
        assert_grpc_status(&ask(&both, call(path)).await, 16);
    }
}

/// What an outer layer has left does not pass for a guest of the health service.
#[tokio::test]
async fn an_exempt_request_has_no_claims() {
    async fn seen(request: axum::extract::Request) -> String {
        format!("{}", request.extensions().get::<Claims>().is_some())
    }
    let issuer = TestIssuer::new();
    let app = Router::new()
        .fallback(seen)
        .layer(JwtAuthLayer::grpc(issuer.verifier()).exempt_grpc_health())
        .layer(JwtAuthLayer::grpc(issuer.verifier()));
    let response = ask(&app, call(HEALTH[0]).bearer(issuer.token().sign())).await;
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "false");
}

#[tokio::test]
async fn a_method_that_was_called_with_bad_tokens_refuses_all() {
    let issuer = TestIssuer::new();
    let list = RequireLayer::new(Scopes::all_of(["orders"]));
    let routes = || Router::new().route(LIST, post(answer)).route_layer(list.clone());
    let run = || {
        AttackRun::new(&issuer)
            .token(issuer.token().scopes(["orders"]))
            .method(http::Method::POST)
            .content("application/grpc", "\0\0\0\0\0")
    };
    let app = routes().layer(JwtAuthLayer::grpc(issuer.verifier()));
    run().run(app, LIST).await.assert_all_refused();
    // A service that lets all pass, in its own protocol.
    let report = run().run(routes(), LIST).await;
    assert!(!report.all_refused());
    let open = Router::new().route(LIST, post(answer));
    assert!(!run().run(open, LIST).await.all_refused());
}

#[tokio::test]
#[should_panic(expected = "the service answered 200 OK")]
async fn an_error_of_the_service_is_not_accepted() {
    let unimplemented = async || [("grpc-status", "12")];
    let app = Router::new().fallback(unimplemented);
    assert_accepted(&ask(&app, call(LIST)).await);
}

#[test]
#[should_panic(expected = "the status of gRPC is 16, expected 7")]
fn another_status_is_told() {
    let response = Response::builder().header("grpc-status", "16").body(()).unwrap();
    assert_grpc_status(&response, 7);
}

#[test]
#[should_panic(expected = "has the layer the format `Grpc`?")]
fn an_answer_of_http_is_told() {
    let response = Response::builder().status(401).body(()).unwrap();
    assert_grpc_status(&response, 16);
}

#[test]
fn an_error_has_a_code_for_a_method_that_refuses() {
    assert_eq!(Error::forbidden("an account of somebody else").grpc_code(), 7);
}
