//! Extractors and policies in axum.

use axum::{Router, body::Body, routing::get as on_get};
use http::{HeaderName, Request, Response, header};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};
use tower_jwt_auth::{
    Algorithm, Claims, Error, JwtAuthLayer, RegisteredClaims, RequireLayer, TokenSource, Verifier,
    authorize::{Policy, PolicyExt, Roles, Scopes},
    extract::{Authorized, Subject},
    response::Rejection,
    verifier::RuleError,
};

use crate::{
    requests::{bearer, challenge, get, get_as, verifiers},
    support::{builder, claims_with, key},
};

const AUTHORIZATION: HeaderName = header::AUTHORIZATION;

#[derive(Deserialize)]
struct User {
    sub: String,
}

fn users() -> Verifier<User> {
    builder().build().unwrap()
}

/// The answer of an application to a request for a path.
async fn ask(app: &Router, path: &str, mut request: Request<Body>) -> Response<String> {
    *request.uri_mut() = path.parse().unwrap();
    let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Response::from_parts(parts, String::from_utf8(body.to_vec()).unwrap())
}

async fn status(app: &Router, path: &str, request: Request<Body>) -> u16 {
    ask(app, path, request).await.status().as_u16()
}

// ----- where the layer stands

#[tokio::test]
async fn the_layer_guards_what_it_stands_around() {
    for verifier in verifiers() {
        let auth = JwtAuthLayer::new(verifier);
        let routes = || Router::new().route("/in", on_get(async || "in"));
        let app = Router::new()
            .nest("/all", routes().layer(auth.clone()))
            .nest("/own", routes().fallback(async || "own").layer(auth.clone()))
            .nest("/routes", routes().route_layer(auth.clone()))
            .nest("/outside", Router::new().nest("/deep", routes()).layer(auth.clone()))
            .route("/open", on_get(async || "open"))
            .merge(routes().route("/merged", on_get(async || "merged")).route_layer(auth))
            .fallback(async || (http::StatusCode::NOT_FOUND, "fallback"));
        for (path, without, with) in [
            ("/all/in", 401, 200),
            // Without a fallback of its own, it is the one outside.
            ("/all/none", 404, 404),
            ("/own/in", 401, 200),
            ("/own/none", 401, 200),
            ("/routes/in", 401, 200),
            ("/routes/none", 404, 404),
            ("/outside/deep/in", 401, 200),
            ("/outside/deep/none", 404, 404),
            ("/merged", 401, 200),
            ("/open", 200, 200),
            ("/none", 404, 404),
        ] {
            assert_eq!(status(&app, path, get(&[])).await, without, "{path}");
            assert_eq!(status(&app, path, get_as("alice")).await, with, "{path}");
        }
    }
}

#[tokio::test]
async fn a_layer_around_everything_guards_the_fallback_too() {
    let app = Router::new()
        .route("/in", on_get(async || "in"))
        .fallback(async || "fallback")
        .layer(JwtAuthLayer::new(users()));
    for path in ["/in", "/none"] {
        assert_eq!(status(&app, path, get(&[])).await, 401, "{path}");
        assert_eq!(status(&app, path, get_as("alice")).await, 200, "{path}");
    }
}

// ----- extractors

/// Alice may pass.
#[derive(Default)]
struct IsAlice;

impl Policy<User> for IsAlice {
    fn authorize(&self, claims: &Claims<User>) -> Result<(), Error> {
        (|user: &Claims<User>| user.sub == "alice").authorize(claims)
    }
}

fn handlers() -> Router {
    async fn claims(user: Claims<User>) -> String {
        format!("{} {:?}", user.sub, user.registered().subject())
    }
    async fn option(user: Option<Claims<User>>) -> String {
        user.map_or("guest".into(), |user| user.sub.clone())
    }
    async fn result(user: Result<Claims<User>, Rejection>) -> String {
        user.map_or_else(|why| why.error().to_string(), |user| user.sub.clone())
    }
    async fn authorized(user: Authorized<IsAlice, User>) -> String {
        let name = user.sub.clone();
        format!("{name} {}", user.into_claims().sub)
    }
    Router::new()
        .route("/claims", on_get(claims))
        .route("/option", on_get(option))
        .route("/result", on_get(result))
        .route("/authorized", on_get(authorized))
}

#[tokio::test]
async fn what_each_extractor_answers() {
    let none = "the request has no token";
    let malformed = "the token is not three parts of unpadded base64url";
    let layer = JwtAuthLayer::new(users());
    let [required, optional, report] =
        [layer.clone(), layer.clone().optional(), layer.pass_through()]
            .map(|one| handlers().layer(one));
    let (alice, bob) = (bearer("alice"), bearer("bob"));
    for (path, missing, bad, alices, bobs) in [
        ("/claims", (401, ""), (401, ""), "alice Some(\"alice\")", (200, "bob Some(\"bob\")")),
        ("/option", (200, "guest"), (401, ""), "alice", (200, "bob")),
        ("/result", (200, none), (200, malformed), "alice", (200, "bob")),
        ("/authorized", (401, ""), (401, ""), "alice alice", (403, "")),
    ] {
        for (headers, [required_is, optional_is, report_is]) in [
            (&[][..], [(401, ""), missing, missing]),
            (&[(AUTHORIZATION, "Bearer x")], [(401, ""), (401, ""), bad]),
            (&[(AUTHORIZATION, &*alice)], [(200, alices); 3]),
            (&[(AUTHORIZATION, &*bob)], [bobs; 3]),
        ] {
            for (app, expected) in
                [(&required, required_is), (&optional, optional_is), (&report, report_is)]
            {
                let response = ask(app, path, get(headers)).await;
                assert_eq!((response.status().as_u16(), &**response.body()), expected, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn extractors_challenge_as_the_layer_does() {
    let layer = JwtAuthLayer::new(users()).realm("api");
    let outside = handlers().layer(layer.clone());
    let within = handlers().layer(layer.pass_through());
    for headers in [&[][..], &[(AUTHORIZATION, "Bearer x")]] {
        for path in ["/claims", "/authorized"] {
            let [layers, own] =
                [ask(&outside, path, get(headers)).await, ask(&within, path, get(headers)).await];
            assert_eq!(layers.status(), own.status());
            assert!(challenge(&own).unwrap().starts_with(r#"Bearer realm="api""#));
            assert_eq!(challenge(&layers), challenge(&own));
            assert_eq!(layers.headers()["cache-control"], own.headers()["cache-control"]);
            let kind = |response: &Response<String>| {
                response.extensions().get::<Error>().unwrap().kind().clone()
            };
            assert_eq!(kind(&layers), kind(&own));
        }
    }
    let forbidden = ask(&outside, "/authorized", get_as("bob")).await;
    assert_eq!(
        challenge(&forbidden),
        Some(
            "Bearer realm=\"api\", error=\"insufficient_scope\", \
             error_description=\"the access token does not allow this\""
        )
    );
}

// ----- wiring

#[tokio::test]
async fn without_the_layer_the_answer_is_500() {
    let others = || JwtAuthLayer::new(builder::<RegisteredClaims>().build().unwrap());
    for app in [
        handlers(),
        // Layers of another type are no help, whatever their mode.
        handlers().layer(others().optional()),
        handlers().layer(others().pass_through()),
    ] {
        for request in [|| get(&[]), || get_as("alice"), || get(&[(AUTHORIZATION, "Basic x")])] {
            for path in ["/claims", "/option", "/authorized"] {
                let response = ask(&app, path, request()).await;
                assert_eq!((response.status().as_u16(), &**response.body()), (500, ""), "{path}");
                assert_eq!(challenge(&response), None);
            }
            let response = ask(&app, "/result", request()).await;
            assert!(response.body().contains("JwtAuthLayer"), "{}", response.body());
        }
    }
}

/// Scopes, roles and the subject need no type: any layer will do.
#[tokio::test]
async fn registered_claims_are_those_of_any_layer() {
    #[derive(serde::Deserialize)]
    struct Other {
        sub: String,
    }
    let routes = || {
        Router::new()
            .route("/scopes", on_get(async || "in"))
            .route_layer(RequireLayer::new(Scopes::all_of(["read"])))
            .route(
                "/roles",
                on_get(async || "in").layer(RequireLayer::new(Roles::at("sub").any_of(["alice"]))),
            )
            .route(
                "/closure",
                on_get(async || "in")
                    .layer(RequireLayer::new(|c: &Claims| c.subject() == Some("alice"))),
            )
            .route("/claims", on_get(async |claims: Claims| claims.subject().unwrap().to_owned()))
            .route(
                "/option",
                on_get(async |claims: Option<Claims>| format!("{}", claims.is_some())),
            )
            .route("/subject", on_get(async |subject: Subject| subject.to_string()))
    };
    let expected = [
        ("/scopes", 200, "in"),
        ("/roles", 200, "in"),
        ("/closure", 200, "in"),
        ("/claims", 200, "alice"),
        ("/option", 200, "true"),
        ("/subject", 200, "alice"),
    ];
    let registered = || JwtAuthLayer::new(builder::<RegisteredClaims>().build().unwrap());
    let other = || {
        JwtAuthLayer::new(
            builder::<Other>()
                .rule(|other| {
                    // It is read.
                    if other.sub.is_empty() { Err(RuleError::refuse("no subject")) } else { Ok(()) }
                })
                .build()
                .unwrap(),
        )
    };
    for app in [
        routes().layer(JwtAuthLayer::new(users())),
        routes().layer(registered()),
        // A layer without a type of its own counts before others, wherever it is.
        routes().layer(registered()).layer(JwtAuthLayer::new(users())),
        routes().layer(JwtAuthLayer::new(users())).layer(registered()),
        routes().layer(JwtAuthLayer::new(users())).layer(other()).layer(registered()),
    ] {
        for (path, status, body) in expected {
            let response = ask(&app, path, get_as("alice")).await;
            assert_eq!((response.status().as_u16(), &**response.body()), (status, body), "{path}");
            // The layer outside refuses it.
            assert_eq!(ask(&app, path, get(&[])).await.status(), 401, "{path}");
        }
        assert_eq!(ask(&app, "/roles", get_as("bob")).await.status(), 403);
    }
    // Of two other types, nobody can say which one is meant, whichever of them the request has.
    let in_header = |layer: JwtAuthLayer<Other>, name| {
        let source = TokenSource::header(HeaderName::from_static(name));
        layer.sources([source])
    };
    let outer = || JwtAuthLayer::new(users()).optional();
    let inner = || in_header(other(), "x-inner").optional();
    let bearer = bearer("alice");
    let tokens = [(AUTHORIZATION, &*bearer), (HeaderName::from_static("x-inner"), &*bearer)];
    for app in [routes().layer(inner()).layer(outer()), routes().layer(outer()).layer(inner())] {
        for headers in [&tokens[..], &tokens[..1], &tokens[1..], &[]] {
            for (path, ..) in expected {
                assert_eq!(ask(&app, path, get(headers)).await.status(), 500, "{path} {headers:?}");
            }
        }
    }
    // Unless one of them is for registered claims.
    let app = routes().layer(registered()).layer(outer());
    let guests = routes().layer(registered().optional()).layer(outer());
    for (path, status, body) in expected {
        for app in [&app, &guests] {
            let response = ask(app, path, get_as("alice")).await;
            assert_eq!((response.status().as_u16(), &**response.body()), (status, body), "{path}");
        }
        assert_eq!(ask(&app, path, get(&[])).await.status(), 401, "{path}");
        let (status, body) = if path == "/option" { (200, "false") } else { (401, "") };
        let response = ask(&guests, path, get(&[])).await;
        assert_eq!((response.status().as_u16(), &**response.body()), (status, body), "{path}");
    }
    // Why there are no claims is known, too.
    let app = routes().layer(JwtAuthLayer::new(users()).optional());
    for (path, ..) in expected {
        let (status, body) = if path == "/option" { (200, "false") } else { (401, "") };
        let response = ask(&app, path, get(&[])).await;
        assert_eq!((response.status().as_u16(), &**response.body()), (status, body), "{path}");
    }
}

/// Also before a verifier for the type was built.
#[tokio::test]
async fn a_guest_of_issuers_that_are_not_resolved_is_a_guest() {
    #[derive(Deserialize)]
    struct Fresh {}
    let issuers = tower_jwt_auth::verifier::Issuers::<Fresh>::new();
    let app = Router::new()
        .route("/", on_get(async |claims: Option<Claims>| format!("{}", claims.is_some())))
        .route("/subject", on_get(async |subject: Subject| subject.to_string()))
        .layer(JwtAuthLayer::new(issuers.verifier()).optional());
    assert_eq!(ask(&app, "/", get(&[])).await.body(), "false");
    assert_eq!(ask(&app, "/subject", get(&[])).await.status(), 401);
}

#[tokio::test]
async fn a_token_without_a_subject_has_none_to_give() {
    let app = Router::new()
        .route("/", on_get(async |subject: Subject| subject.to_string()))
        .layer(JwtAuthLayer::new(builder::<RegisteredClaims>().without_subject().build().unwrap()));
    for sub in [json!(null), json!("")] {
        let token = key(Algorithm::ES256).token(&claims_with(json!({"sub": sub})));
        let response = ask(&app, "/", get(&[(AUTHORIZATION, &format!("Bearer {token}"))])).await;
        assert_eq!(response.status(), 401);
        assert!(challenge(&response).unwrap().contains("invalid_token"));
    }
}

/// A renderer sees what its answer may depend on, wherever the refusal is made.
#[tokio::test]
async fn a_rejection_knows_its_request() {
    fn shown(rejection: &Rejection) -> Response<Body> {
        let facts = format!(
            "{:?} {:?} {:?} {} {:?}",
            rejection.version().unwrap(),
            rejection.content_type().map(|value| value.to_str().unwrap()),
            rejection.scheme(),
            rejection.is_from_cookie(),
            rejection.challenges().next(),
        );
        // As gRPC has it: 200, with the challenge as metadata.
        let mut response = Response::new(Body::from(facts));
        response
            .headers_mut()
            .extend(rejection.challenges().map(|challenge| (header::WWW_AUTHENTICATE, challenge)));
        response
    }
    let ask_with = async |app: &Router, path, headers: &[(HeaderName, &str)]| {
        let mut request = get(headers);
        *request.version_mut() = http::Version::HTTP_2;
        let response = ask(app, path, request).await;
        assert_eq!(response.status(), 200);
        (challenge(&response).map(str::to_owned), response.into_body())
    };
    let layer = JwtAuthLayer::new(users())
        .source(TokenSource::cookie("at").build().unwrap())
        .respond_with(shown);
    let app = Router::new()
        .route("/", on_get(async || "in"))
        .route(
            "/scope",
            on_get(async || "in").layer(RequireLayer::scopes(["none"]).respond_with(shown)),
        )
        .layer(layer.clone());
    let grpc = (header::CONTENT_TYPE, "application/grpc+proto");
    let (challenge, facts) = ask_with(&app, "/", std::slice::from_ref(&grpc)).await;
    assert_eq!(challenge.as_deref(), Some("Bearer"));
    assert!(facts.starts_with("HTTP/2.0 Some(\"application/grpc+proto\") None false"), "{facts}");
    let (challenge, facts) = ask_with(&app, "/", &[(AUTHORIZATION, "bearer x")]).await;
    assert!(challenge.unwrap().contains("invalid_token"));
    assert!(facts.starts_with("HTTP/2.0 None Some(\"Bearer\") false"), "{facts}");
    let same_origin = HeaderName::from_static("sec-fetch-site");
    let cookie = [(header::COOKIE, "at=x"), (same_origin, "same-origin")];
    let (_, facts) = ask_with(&app, "/", &cookie).await;
    assert!(facts.starts_with("HTTP/2.0 None None true"), "{facts}");
    let bearer = bearer("alice");
    let (challenge, facts) = ask_with(&app, "/scope", &[grpc, (AUTHORIZATION, &bearer)]).await;
    assert!(challenge.unwrap().contains("scope=\"none\""));
    assert!(facts.starts_with("HTTP/2.0 Some(\"application/grpc+proto\") Some(\"Bearer\") false"));
}

#[tokio::test]
async fn a_refusal_of_one_type_does_not_speak_for_another() {
    // The token for `User` is bad, the one for `RegisteredClaims` is missing.
    let inner = JwtAuthLayer::new(builder::<RegisteredClaims>().build().unwrap())
        .sources([TokenSource::cookie("at").build().unwrap()])
        .optional();
    let app = handlers().layer(inner).layer(JwtAuthLayer::new(users()).pass_through());
    let bad = || get(&[(AUTHORIZATION, "Bearer x")]);
    assert_eq!(status(&app, "/option", bad()).await, 401);
    assert_eq!(ask(&app, "/option", get(&[])).await.body(), "guest");
}

#[tokio::test]
async fn require_without_the_layer_around_it_is_500() {
    let auth = JwtAuthLayer::new(users());
    let require = RequireLayer::scopes(["read"]);
    let route = || Router::new().route("/", on_get(async || "in"));
    for (app, with, without) in [
        (route().layer(require.clone()).layer(auth.clone()), 200, 401),
        (route().layer(auth).layer(require.clone()), 500, 500),
        (route().layer(require), 500, 500),
    ] {
        assert_eq!(status(&app, "/", get_as("alice")).await, with);
        assert_eq!(status(&app, "/", get(&[])).await, without);
    }
}

/// What is logged while a future runs.
#[cfg(feature = "tracing")]
async fn logged(future: impl Future) -> String {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::{fmt, util::SubscriberInitExt};

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let log = Log::default();
    let writer = log.clone();
    // While there is only one subscriber, another thread without any decides
    // which events are of interest; so there are two.
    let _other = fmt().with_writer(std::io::sink).set_default();
    let _this = fmt().with_ansi(false).with_writer(move || writer.clone()).set_default();
    future.await;
    let bytes = log.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn the_log_names_the_layer_that_is_missing() {
    let app = handlers();
    let require = RequireLayer::for_claims(|_: &Claims<User>| true);
    let require = Router::new().route("/claims", on_get(async || "in")).layer(require);
    for app in [app, require] {
        let log = logged(status(&app, "/claims", get_as("alice"))).await;
        assert!(log.contains("ERROR"), "{log}");
        assert!(log.contains("JwtAuthLayer") && log.contains("axum::User"), "{log}");
        assert_eq!(log.lines().count(), 1, "{log}");
        assert!(!log.contains(&bearer("alice")["Bearer ".len()..]), "{log}");
    }
}

// ----- policies

fn granted(roles: &str) -> Value {
    json!({
        "scope": "read write",
        "roles": [roles],
        "realm_access": {"roles": ["user", roles]},
        "permissions": ["read:orders", roles],
        "cognito:groups": [roles],
        "https://example.com/roles": roles,
        "a.b": {"c": [roles]},
    })
}

#[tokio::test]
async fn policies_decide() {
    fn policy(policy: impl Policy<User> + Send + Sync + 'static) -> RequireLayer<User> {
        RequireLayer::for_claims(policy)
    }
    let roles = |path: &str| Roles::at(path).any_of(["admin", "root"]);
    let is_alice = |user: &Claims<User>| user.sub == "alice";
    let yes = |_: &Claims<User>| true;
    let no = |_: &Claims<User>| false;
    for (at, (layer, passes)) in [
        (policy(Scopes::all_of(["read"])), true),
        (policy(Scopes::all_of(["read", "write"])), true),
        (policy(Scopes::all_of(["read write"])), true),
        (policy(Scopes::all_of(["read", "admin"])), false),
        (policy(Scopes::all_of(["READ"])), false),
        (policy(Scopes::all_of(["rea"])), false),
        (policy(Scopes::all_of([""; 0])), false),
        (policy(Scopes::all_of([" "])), false),
        (policy(Scopes::all_of([""; 0]).not()), false),
        (policy(Scopes::any_of(["admin", "write"])), true),
        (policy(Scopes::any_of(["admin", "root"])), false),
        (policy(Scopes::any_of([""; 0])), false),
        (policy(Scopes::any_of([""; 0]).not()), false),
        (policy(roles("roles")), true),
        (policy(roles("realm_access.roles")), true),
        (policy(roles("permissions")), true),
        (policy(roles("cognito:groups")), true),
        (policy(roles("https://example.com/roles")), true),
        (policy(Roles::at(["a.b", "c"]).any_of(["admin"])), true),
        (policy(roles("a.b.c")), false),
        (policy(roles("realm_access")), false),
        (policy(roles("sub")), false),
        (policy(roles("none")), false),
        (policy(Roles::at("realm_access.roles").all_of(["admin", "user"])), true),
        (policy(Roles::at("realm_access.roles").all_of(["admin", "root"])), false),
        (policy(Roles::at("permissions").any_of(["read:orders"])), true),
        (policy(Roles::at("roles").any_of([""; 0])), false),
        (policy(Roles::at("roles").any_of([""; 0]).not()), false),
        (policy(Roles::at("roles").all_of([""; 0])), false),
        (policy(Roles::at("roles").all_of([""; 0]).not()), false),
        (policy(Roles::keys_of("none").all_of([""; 0])), false),
        (policy(is_alice), true),
        (policy(is_alice.not()), false),
        (policy(yes.and(no)), false),
        (policy(yes.and(yes)), true),
        (policy(no.or(yes)), true),
        (policy(no.or(no)), false),
        (policy(no.or(no).not()), true),
        (policy(roles("none").not()), true),
        (policy(roles("roles").not()), false),
        (policy(roles("realm_access").not()), false),
        // A string or an array on the way says nothing of roles.
        (policy(roles("sub.roles").not()), false),
        (policy(roles("permissions.roles").not()), false),
        (policy(roles("realm_access.none").not()), true),
        (policy(no.or(roles("sub.roles")).not()), false),
        (policy(no.or(roles("realm_access")).not()), false),
        (policy(Scopes::all_of(["admin"]).or(roles("roles")).and(is_alice)), true),
    ]
    .into_iter()
    .enumerate()
    {
        let app = Router::new()
            .route("/", on_get(async || "in"))
            .route_layer(layer)
            .layer(JwtAuthLayer::new(users()));
        let token = key(Algorithm::HS256).token(&claims_with(granted("admin")));
        let request = get(&[(AUTHORIZATION, &*format!("Bearer {token}"))]);
        let response = ask(&app, "/", request).await;
        assert_eq!(response.status(), if passes { 200 } else { 403 }, "row {at}");
        assert_eq!(challenge(&response).is_some(), !passes, "row {at}");
        assert_eq!(status(&app, "/", get(&[])).await, 401, "row {at}");
    }
}

#[tokio::test]
async fn missing_scopes_are_named() {
    let app = Router::new()
        .route("/", on_get(async || "in"))
        .route_layer(RequireLayer::scopes(["read", "admin"]))
        .layer(JwtAuthLayer::new(users()));
    let response = ask(&app, "/", get_as("alice")).await;
    assert_eq!(response.status(), 403);
    assert!(challenge(&response).unwrap().ends_with(r#", scope="read admin""#));
}

#[tokio::test]
async fn c09_a_malformed_scope_counts_only_where_scopes_do() {
    let read = || Scopes::any_of(["read"]);
    let admin = || Scopes::all_of(["admin"]);
    let no = |_: &Claims<User>| false;
    let mut app = Router::new().route("/none", on_get(async || "in"));
    for (path, layer) in [
        ("/scopes", RequireLayer::for_claims(read())),
        ("/scopes-or", RequireLayer::for_claims(read().or(no))),
        ("/or-scopes", RequireLayer::for_claims(no.or(read()))),
        ("/not", RequireLayer::for_claims(admin().not())),
        ("/neither", RequireLayer::for_claims(admin().or(no).not())),
        ("/nor", RequireLayer::for_claims(no.or(admin()).not())),
        ("/roles", RequireLayer::for_claims(Roles::at("scope").any_of(["7"]))),
    ] {
        app = app.route(path, on_get(async || "in").layer(layer));
    }
    let app = app.layer(JwtAuthLayer::new(users()));
    for (claims, scopes, not) in [
        (json!({"scope": "read"}), 200, 200),
        (json!({"scope": "read admin"}), 200, 403),
        (json!({"scope": null, "scp": ["read"]}), 200, 200),
        (json!({"scope": "write", "scp": ["read"]}), 200, 200),
        (json!({"scope": null}), 403, 200),
        (json!({"scope": 7}), 403, 403),
        (json!({"scope": ["read"]}), 200, 200),
        (json!({"scope": ["read", "admin"]}), 200, 403),
        (json!({"scope": ["read", 7]}), 403, 403),
        (json!({"scope": "read", "scp": {"read": true}}), 403, 403),
        (json!({"scope": "read", "scp": ["read", 7]}), 403, 403),
    ] {
        let token = key(Algorithm::HS256).token(&claims_with(claims.clone()));
        let authorization = format!("Bearer {token}");
        let request = || get(&[(AUTHORIZATION, &*authorization)]);
        for (paths, expected) in [
            (&["/scopes", "/scopes-or", "/or-scopes"][..], scopes),
            (&["/not", "/neither", "/nor"], not),
            (&["/roles"], 403),
            (&["/none"], 200),
        ] {
            for path in paths {
                assert_eq!(status(&app, path, request()).await, expected, "{path} {claims}");
            }
        }
    }
}

#[tokio::test]
async fn require_takes_a_responder_of_its_own() {
    let require = RequireLayer::scopes(["admin"])
        .respond_with(|rejection: &Rejection| rejection.to_response(String::from("own")));
    let inner = tower::service_fn(async |_: Request<String>| {
        Ok::<_, std::convert::Infallible>(Response::new(String::from("in")))
    });
    let layer = JwtAuthLayer::new(users()).pass_through();
    let service = layer.layer(require.layer(inner));
    for (request, status) in [(get_as("alice"), 403), (get(&[]), 401)] {
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!((response.status().as_u16(), &**response.body()), (status, "own"));
        assert!(response.extensions().get::<Error>().is_some());
    }
}
