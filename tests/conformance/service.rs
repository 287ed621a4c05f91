//! The layer as a Tower service: readiness, errors, bodies, modes, and what
//! the inner service gets to see.

use std::{
    convert::Infallible,
    future::pending,
    io,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use serde::Deserialize;
use tower::{Layer, Service, ServiceExt, buffer::Buffer, limit::ConcurrencyLimit, service_fn};
use tower_jwt_auth::{
    Claims, Error, ErrorKind, JwtAuthLayer, RequireLayer, TokenSource, Verifier,
    response::{ProblemJson, Rejection},
    verifier::RuleError,
};
use tower_test::mock::{self, Mock};

use crate::{
    requests::{bearer, challenge, get, get_as, seen, token, verifiers, who},
    support::builder,
};

const AUTHORIZATION: HeaderName = header::AUTHORIZATION;
const X_TOKEN: HeaderName = HeaderName::from_static("x-token");
const NO_TOKEN: &str = "the request has no token";
const BAD_TOKEN: &str = "the token is not three parts of unpadded base64url";

fn verifier() -> Verifier {
    builder().build().unwrap()
}

/// Polls once for readiness.
fn ready<S: Service<Request<String>>>(service: &mut S) -> bool {
    matches!(service.poll_ready(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(())))
}

// ----- readiness

#[tokio::test]
async fn a_service_that_must_be_polled_first_is() {
    for verifier in verifiers() {
        let layer = JwtAuthLayer::new(verifier);
        let mut limited = layer.layer(ConcurrencyLimit::new(service_fn(who::<String>), 1));
        let mut buffered = layer.layer(Buffer::new(service_fn(who::<String>), 1));
        let mut inside = Buffer::new(layer.layer(service_fn(who::<String>)), 1);
        for user in ["alice", "bob", "carol"] {
            let response = limited.ready().await.unwrap().call(get_as(user)).await.unwrap();
            assert_eq!(response.body(), user);
            let refused = limited.ready().await.unwrap().call(get(&[])).await.unwrap();
            assert_eq!(refused.status(), 401);
            let response = buffered.ready().await.unwrap().call(get_as(user)).await.unwrap();
            assert_eq!(response.body(), user);
            let response = inside.ready().await.unwrap().call(get_as(user)).await.unwrap();
            assert_eq!(response.body(), user);
        }
    }
}

#[tokio::test]
async fn clones_share_the_limit_of_the_inner_service() {
    for verifier in verifiers() {
        let inner = ConcurrencyLimit::new(service_fn(who::<String>), 1);
        let mut first = JwtAuthLayer::new(verifier).layer(inner);
        let mut second = first.clone();
        assert!(ready(&mut first) && !ready(&mut second));
        let response = first.call(get_as("alice"));
        assert!(!ready(&mut second), "the permit went along with the request");
        assert_eq!(response.await.unwrap().body(), "alice");
        assert!(ready(&mut second));
    }
}

#[tokio::test]
async fn readiness_is_that_of_the_inner_service() {
    for verifier in verifiers() {
        let layer = JwtAuthLayer::new(verifier);
        let (mut service, mut handle) =
            mock::spawn_layer::<Request<String>, Response<String>, _>(layer);
        handle.allow(0);
        assert!(service.poll_ready::<Request<String>>().is_pending());
        // The mock panics unless the one that is called was polled ready.
        for user in ["alice", "bob"] {
            handle.allow(1);
            assert!(service.poll_ready::<Request<String>>().is_ready());
            let answer = async {
                let (request, send) = handle.next_request().await.unwrap();
                send.send_response(Response::new(seen(&request)));
            };
            let (response, ()) = tokio::join!(service.call(get_as::<String>(user)), answer);
            assert_eq!(response.unwrap().body(), user);
            assert!(service.poll_ready::<Request<String>>().is_pending());
        }
    }
}

#[tokio::test]
async fn a_refused_request_does_not_reach_the_inner_service() {
    for verifier in verifiers() {
        let (inner, mut handle) = mock::pair::<Request<String>, Response<String>>();
        let service = JwtAuthLayer::new(verifier).layer(inner);
        let response = service.oneshot(get(&[])).await.unwrap();
        assert_eq!((response.status(), &**response.body()), (StatusCode::UNAUTHORIZED, ""));
        assert!(handle.next_request().await.is_none());
    }
}

#[tokio::test]
async fn errors_of_the_inner_service_pass() {
    for verifier in verifiers() {
        let layer = JwtAuthLayer::new(verifier);
        let fails = service_fn(async |_: Request<String>| Err::<Response<String>, _>("broken"));
        assert_eq!(layer.layer(fails).oneshot(get_as("alice")).await.unwrap_err(), "broken");

        let (mut service, mut handle) =
            mock::spawn_layer::<Request<String>, Response<String>, _>(layer);
        handle.send_error("not today");
        let Poll::Ready(Err(error)) = service.poll_ready::<Request<String>>() else {
            panic!("an error was expected")
        };
        assert_eq!(error.to_string(), "not today");
    }
}

#[tokio::test]
async fn the_inner_service_need_be_neither_send_nor_static() {
    for verifier in verifiers() {
        let (calls, name) = (Rc::new(AtomicUsize::new(0)), String::from("local"));
        let (counter, borrowed) = (&calls, &name);
        let inner = service_fn(|request: Request<Rc<str>>| {
            let calls = Rc::clone(counter);
            async move {
                calls.fetch_add(1, Ordering::Relaxed);
                Ok::<_, Infallible>(Response::new(format!("{borrowed} {}", request.body())))
            }
        });
        let mut request = get_as::<String>("alice").map(|_| Rc::from("body"));
        request.extensions_mut().insert(());
        let response = JwtAuthLayer::new(verifier).layer(inner).oneshot(request).await.unwrap();
        assert_eq!(response.body(), "local body");
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }
}

// ----- refusals

/// A body that nothing but a test can make.
#[derive(Debug, PartialEq)]
struct Body(u8);

#[tokio::test]
async fn bodies_pass_untouched() {
    for verifier in verifiers() {
        let inner = service_fn(async |request: Request<Body>| {
            Ok::<_, Infallible>(Response::new(request.into_body()))
        });
        let service = JwtAuthLayer::new(verifier)
            .respond_with(|rejection: &Rejection| rejection.to_response(Body(0)))
            .layer(inner);
        let good = get_as::<String>("alice").map(|_| Body(7));
        assert_eq!(*service.clone().oneshot(good).await.unwrap().body(), Body(7));
        let missing = Request::new(Body(7));
        let response = service.oneshot(missing).await.unwrap();
        assert_eq!((response.status().as_u16(), response.body()), (401, &Body(0)));
        assert_eq!(challenge(&response), Some("Bearer"));
    }
}

#[tokio::test]
async fn the_reason_stands_in_the_extensions_whoever_answers() {
    let error =
        |response: &Response<String>| response.extensions().get::<Error>().unwrap().kind().clone();
    let layer = JwtAuthLayer::new(verifier());
    let plain = layer.clone().layer(service_fn(who::<String>));
    let json = layer.clone().respond_with(ProblemJson).layer(service_fn(who::<String>));
    let own = layer
        .respond_with(|_: &Rejection| Response::new(String::from("fine")))
        .layer(service_fn(who::<String>));
    for (headers, kind) in [
        (&[][..], ErrorKind::MissingToken),
        (&[(AUTHORIZATION, "Bearer x")], ErrorKind::MalformedToken),
    ] {
        assert_eq!(error(&plain.clone().oneshot(get(headers)).await.unwrap()), kind);
        assert_eq!(error(&json.clone().oneshot(get(headers)).await.unwrap()), kind);
        let response = own.clone().oneshot(get(headers)).await.unwrap();
        assert_eq!((response.status(), error(&response)), (StatusCode::OK, kind));
        assert_eq!(challenge(&response), None);
    }
}

#[tokio::test]
async fn a_401_without_a_challenge_is_given_one() {
    let own = |rejection: &Rejection| {
        let mut response = Response::new(rejection.description().to_owned());
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response
    };
    let layer = JwtAuthLayer::new(verifier())
        .source(TokenSource::cookie("at").build().unwrap())
        .realm("r")
        .respond_with(own);
    let service = layer.layer(service_fn(who::<String>));
    for (headers, expected) in [
        (&[][..], r#"Bearer realm="r""#),
        (&[(AUTHORIZATION, "Bearer x")], r#"Bearer realm="r", error="invalid_token""#),
        (&[(AUTHORIZATION, "Bearer")], r#"Bearer realm="r", error="invalid_request""#),
    ] {
        let response = service.clone().oneshot(get(headers)).await.unwrap();
        assert!(challenge(&response).unwrap().starts_with(expected), "{expected}");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    }
    // Where no challenge belongs to the error, the bare one.
    let mut forged = get(&[(header::COOKIE, "at=x")]);
    *forged.method_mut() = Method::POST;
    let response = service.oneshot(forged).await.unwrap();
    assert_eq!(challenge(&response), Some(r#"Bearer realm="r""#));
}

#[tokio::test]
async fn the_realm_is_quoted_in_every_challenge() {
    let realm = r#"Bearer realm="a \"b\" \\c""#;
    let layer = JwtAuthLayer::new(verifier()).realm(r#"a "b" \c"#);
    let inner = RequireLayer::scopes(["admin"]);
    let service = layer.layer(inner.layer(service_fn(who::<String>)));
    for (headers, status, rest) in [
        (&[][..], 401, ""),
        (&[(AUTHORIZATION, "Bearer x")], 401, r#", error="invalid_token", "#),
        (&[(AUTHORIZATION, "Bearer")], 400, r#", error="invalid_request", "#),
        (&[(AUTHORIZATION, &*bearer("alice"))], 403, r#", error="insufficient_scope", "#),
    ] {
        let response = service.clone().oneshot(get(headers)).await.unwrap();
        assert_eq!(response.status(), status);
        let challenge = challenge(&response).unwrap();
        let (start, end) = challenge.split_at(realm.len());
        assert_eq!(start, realm);
        assert!(end.starts_with(rest), "{end}");
    }
}

#[tokio::test]
async fn a_rule_that_cannot_decide_is_no_fault_of_the_client() {
    type Rule = fn() -> Result<(), RuleError>;
    let unavailable: Rule = || Err(io::Error::other("hunter2 at db.internal"))?;
    let cases: [(Rule, u16, Option<&str>, Option<&str>); 3] = [
        (unavailable, 503, Some("5"), None),
        (|| Err(RuleError::fail("hunter2 at db.internal")), 500, None, None),
        (|| Err(RuleError::refuse("hunter2")), 401, None, Some(r#"error="invalid_token""#)),
    ];
    for (rule, status, retry_after, code) in cases {
        let now = builder().rule(move |_: &Claims| rule()).build().unwrap();
        let later = builder().async_rule(move |_: Claims| async move { rule() }).build().unwrap();
        for verifier in [now, later] {
            let layer = JwtAuthLayer::new(verifier).respond_with(ProblemJson);
            let mut response =
                layer.layer(service_fn(who::<String>)).oneshot(get_as("alice")).await.unwrap();
            assert_eq!(response.status(), status);
            let given = response.headers().get(header::RETRY_AFTER);
            assert_eq!(given.map(|value| value.to_str().unwrap()), retry_after);
            match code {
                Some(code) => assert!(challenge(&response).unwrap().contains(code)),
                None => assert!(!response.headers().contains_key(header::WWW_AUTHENTICATE)),
            }
            response.extensions_mut().clear();
            assert!(!format!("{response:?}").contains("hunter2"), "{response:?}");
        }
    }
}

// ----- cancellation

/// Notes that it was dropped.
struct OnDrop(Arc<AtomicBool>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_dropped_response_leaves_nothing_behind() {
    let dropped = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&dropped);
    let verifier = builder().async_rule(move |_: Claims| {
        let guard = OnDrop(Arc::clone(&flag));
        async move {
            let _guard = guard;
            pending::<Result<(), RuleError>>().await
        }
    });
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let inner = service_fn(move |request: Request<String>| {
        counter.fetch_add(1, Ordering::Relaxed);
        who(request)
    });
    let layer = JwtAuthLayer::new(verifier.build().unwrap());
    let mut service = layer.layer(ConcurrencyLimit::new(inner, 1));
    let mut other = service.clone();

    for polled in [true, false] {
        dropped.store(false, Ordering::Relaxed);
        assert!(ready(&mut service));
        let mut response = Box::pin(service.call(get_as("alice")));
        if polled {
            let context = &mut Context::from_waker(Waker::noop());
            assert!(response.as_mut().poll(context).is_pending());
        }
        assert!(!ready(&mut other), "the permit is taken");
        drop(response);
        assert!(dropped.load(Ordering::Relaxed) || !polled);
        assert!(ready(&mut other), "the permit is free");
        other = service.clone();
    }
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

// ----- modes

#[tokio::test]
async fn what_each_mode_lets_pass() {
    for verifier in verifiers() {
        let required = JwtAuthLayer::new(verifier);
        let optional = required.clone().optional();
        let report = required.clone().pass_through();
        let good = bearer("alice");
        for (headers, passes) in [
            (&[][..], [None, Some(NO_TOKEN), Some(NO_TOKEN)]),
            (&[(AUTHORIZATION, "Basic YTpi")], [None, Some(NO_TOKEN), Some(NO_TOKEN)]),
            (&[(AUTHORIZATION, "Bearer x")], [None, None, Some(BAD_TOKEN)]),
            (&[(AUTHORIZATION, &*good)], [Some("alice"); 3]),
        ] {
            for (layer, passes) in [&required, &optional, &report].into_iter().zip(passes) {
                let service = layer.layer(service_fn(who::<String>));
                let response = service.oneshot(get(headers)).await.unwrap();
                let body = (response.status() == 200).then(|| &**response.body());
                assert_eq!(body, passes, "{layer:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_rule_that_waits_decides_by_mode_too() {
    let refuses = builder().async_rule(|_: Claims| async { Err(RuleError::refuse("no")) });
    let layer = JwtAuthLayer::new(refuses.build().unwrap());
    for (layer, expected) in [
        (layer.clone(), (401, "")),
        (layer.clone().optional(), (401, "")),
        (layer.pass_through(), (200, "a rule refused the token: no")),
    ] {
        let service = layer.layer(service_fn(who::<String>));
        let response = service.oneshot(get_as("alice")).await.unwrap();
        assert_eq!((response.status().as_u16(), &**response.body()), expected);
    }
}

#[tokio::test]
async fn claims_of_a_layer_outside_do_not_stay() {
    for verifier in verifiers() {
        let outer = JwtAuthLayer::new(verifier.clone());
        let cookie =
            JwtAuthLayer::new(verifier).sources([TokenSource::cookie("at").build().unwrap()]);
        let (authorization, planted) = (bearer("alice"), format!("at={}", token("bob")));
        for (inner, without) in
            [(cookie.clone().optional(), NO_TOKEN), (cookie.pass_through(), NO_TOKEN)]
        {
            let service = outer.layer(inner.layer(service_fn(who::<String>)));
            let headers = [(AUTHORIZATION, &*authorization), (header::COOKIE, &*planted)];
            let response = service.clone().oneshot(get(&headers)).await.unwrap();
            assert_eq!(response.body(), "bob");
            let response = service.oneshot(get(&headers[..1])).await.unwrap();
            assert_eq!(response.body(), without);
        }
    }
}

#[tokio::test]
async fn claims_found_further_in_take_the_place_of_a_refusal() {
    for verifier in verifiers() {
        let outer = JwtAuthLayer::new(verifier.clone()).optional();
        let inner = JwtAuthLayer::new(verifier).sources([TokenSource::header(X_TOKEN)]);
        let service = outer.layer(inner.layer(service_fn(who::<String>)));
        let response = service.oneshot(get(&[(X_TOKEN, &*token("alice"))])).await.unwrap();
        assert_eq!(response.body(), "alice");
    }
}

#[tokio::test]
async fn only_preflights_pass_and_without_claims() {
    let layer = JwtAuthLayer::new(verifier());
    let stale = verifier().verify(&token("mallory")).await.unwrap();
    const METHOD: HeaderName = header::ACCESS_CONTROL_REQUEST_METHOD;
    let origin = (header::ORIGIN, "https://app.example.com");
    let good = bearer("alice");
    let preflight = [origin.clone(), (METHOD, "POST")];
    let with_token = [origin.clone(), (METHOD, "POST"), (AUTHORIZATION, &*good)];
    let with_bad_token = [origin.clone(), (METHOD, "POST"), (AUTHORIZATION, "Bearer x")];
    for (method, headers, passes) in [
        (Method::OPTIONS, &preflight[..], true),
        (Method::OPTIONS, &with_token, true),
        (Method::OPTIONS, &with_bad_token, true),
        (Method::OPTIONS, &preflight[..1], false),
        (Method::OPTIONS, &preflight[1..], false),
        (Method::OPTIONS, &[], false),
        (Method::GET, &preflight, false),
        (Method::HEAD, &preflight, false),
        (Method::POST, &preflight, false),
        (Method::from_bytes(b"options").unwrap(), &preflight, false),
    ] {
        let request = || {
            let mut request = get::<String>(headers);
            *request.method_mut() = method.clone();
            request.extensions_mut().insert(stale.clone());
            request
        };
        let allowed = layer.clone().allow_preflight().layer(service_fn(who::<String>));
        let response = allowed.oneshot(request()).await.unwrap();
        let expected = if passes { (200, NO_TOKEN) } else { (401, "") };
        assert_eq!((response.status().as_u16(), &**response.body()), expected, "{method}");

        let service = layer.layer(service_fn(who::<String>));
        let response = service.oneshot(request()).await.unwrap();
        let with_good = headers.iter().any(|(_, value)| *value == good);
        assert_eq!(response.status(), if with_good { 200 } else { 401 }, "{method}");
    }
}

// ----- what is passed on

/// Answers with the address, the headers and what stands in `Debug` of them.
async fn passed_on(request: Request<String>) -> Result<Response<String>, Infallible> {
    let lines = request.headers().iter().map(|(name, value)| {
        format!(
            "{name}: {}{}",
            value.to_str().unwrap(),
            if value.is_sensitive() { " !" } else { "" }
        )
    });
    let mut lines: Vec<_> = lines.collect();
    lines.sort();
    Ok(Response::new(format!("{}\n{}", request.uri(), lines.join("\n"))))
}

#[tokio::test]
async fn the_token_alone_is_taken_out() {
    const COOKIE: HeaderName = header::COOKIE;
    const PROTOCOL: HeaderName = header::SEC_WEBSOCKET_PROTOCOL;
    let token = token("alice");
    let query = format!("http://h:1/p?a=%20&access_token={token}&b");
    let in_cookie = format!("a=1; at={token};b=2");
    let in_protocol = format!("chat, bearer, {token}, other");
    let with_bearer = bearer("alice");
    // The source, the address and the headers, and what is left of them.
    type Case<'a> = (TokenSource, &'a str, &'a [(HeaderName, &'a str)], &'a str);
    let cases: [Case<'_>; 7] = [
        (
            TokenSource::authorization(),
            "/p",
            &[(AUTHORIZATION, &with_bearer), (X_TOKEN, "x")],
            "/p\nx-token: x",
        ),
        (
            TokenSource::cookie("at").build().unwrap(),
            "/p",
            &[(COOKIE, &in_cookie), (X_TOKEN, "x")],
            "/p\ncookie: a=1; b=2 !\nx-token: x",
        ),
        (
            TokenSource::cookie("at").build().unwrap(),
            "/p",
            &[(COOKIE, &format!("at={token}"))],
            "/p\n",
        ),
        (
            TokenSource::cookie("at").build().unwrap(),
            "/p",
            &[(COOKIE, "a=1"), (COOKIE, &format!("at={token}")), (COOKIE, "b=2")],
            "/p\ncookie: a=1 !\ncookie: b=2 !",
        ),
        (
            TokenSource::header(X_TOKEN),
            "/p",
            &[(X_TOKEN, &token), (COOKIE, "a=1")],
            "/p\ncookie: a=1 !",
        ),
        (TokenSource::query(), &query, &[], "http://h:1/p?a=%20&b\n"),
        (
            TokenSource::websocket_protocol("bearer"),
            "/p",
            &[(PROTOCOL, &in_protocol)],
            "/p\nsec-websocket-protocol: chat, bearer, other",
        ),
    ];
    for verifier in verifiers() {
        for (source, uri, headers, expected) in &cases {
            let layer = JwtAuthLayer::new(verifier.clone()).sources([source.clone()]);
            let service = layer.strip_token().layer(service_fn(passed_on));
            let mut request = get(headers);
            *request.uri_mut() = uri.parse().unwrap();
            let response = service.oneshot(request).await.unwrap();
            assert_eq!(response.body(), expected, "{source:?}");
        }
    }
}

#[tokio::test]
async fn tokens_that_are_reported_are_taken_out_too() {
    let twice = "bearer, a.b.c, chat, bearer, d.e.f";
    let layer = JwtAuthLayer::new(verifier())
        .source(TokenSource::query())
        .source(TokenSource::websocket_protocol("bearer"))
        .pass_through()
        .strip_token();
    let mut request = get(&[
        (AUTHORIZATION, "Bearer a.b.c"),
        (AUTHORIZATION, "Bearer d.e.f"),
        (header::SEC_WEBSOCKET_PROTOCOL, twice),
    ]);
    *request.uri_mut() = Uri::from_static("/?access_token=a.b.c&access_token=d.e.f");
    let response = layer.layer(service_fn(passed_on)).oneshot(request).await.unwrap();
    assert_eq!(response.body(), "/\nsec-websocket-protocol: bearer, chat, bearer");
}

#[tokio::test]
async fn what_may_hold_a_token_is_marked_sensitive() {
    const PROTOCOL: HeaderName = header::SEC_WEBSOCKET_PROTOCOL;
    let good = bearer("alice");
    let headers = [
        (AUTHORIZATION, &*good),
        (header::COOKIE, "a=1"),
        (header::COOKIE, "b=2"),
        (header::ACCEPT, "x"),
    ];
    for verifier in verifiers() {
        let layer = JwtAuthLayer::new(verifier);
        let response = layer.layer(service_fn(passed_on)).oneshot(get(&headers)).await.unwrap();
        let expected =
            format!("/\naccept: x\nauthorization: {good} !\ncookie: a=1 !\ncookie: b=2 !");
        assert_eq!(*response.body(), expected);

        let layer = layer
            .source(TokenSource::header(X_TOKEN))
            .source(TokenSource::websocket_protocol("bearer"))
            .pass_through();
        let headers =
            [(X_TOKEN, "x"), (X_TOKEN, "y"), (PROTOCOL, "bearer, z"), (header::ACCEPT, "x")];
        let response = layer.layer(service_fn(passed_on)).oneshot(get(&headers)).await.unwrap();
        let expected =
            "/\naccept: x\nsec-websocket-protocol: bearer, z !\nx-token: x !\nx-token: y !";
        assert_eq!(response.body(), expected);
    }
}

#[tokio::test]
async fn answers_to_a_token_in_the_address_are_private() {
    let own = service_fn(async |_: Request<String>| {
        let mut response = Response::new(String::new());
        let value = HeaderValue::from_static("no-store");
        response.headers_mut().insert(header::CACHE_CONTROL, value);
        Ok::<_, Infallible>(response)
    });
    let control = |response: Response<String>| {
        let value = response.headers().get(header::CACHE_CONTROL)?;
        Some(value.to_str().unwrap().to_owned())
    };
    for verifier in verifiers() {
        let layer = JwtAuthLayer::new(verifier).source(TokenSource::query());
        let in_query = || {
            let mut request = get::<String>(&[]);
            *request.uri_mut() = format!("/?access_token={}", token("alice")).parse().unwrap();
            request
        };
        let service = layer.layer(service_fn(who::<String>));
        let response = service.clone().oneshot(in_query()).await.unwrap();
        assert_eq!(response.body(), "alice");
        assert_eq!(control(response).as_deref(), Some("private"));
        assert_eq!(control(service.clone().oneshot(get_as("alice")).await.unwrap()), None);
        let refused = service.oneshot(get(&[])).await.unwrap();
        assert_eq!(control(refused).as_deref(), Some("no-store"));
        let response = layer.layer(own).oneshot(in_query()).await.unwrap();
        assert_eq!(control(response).as_deref(), Some("no-store"));
    }
}

// ----- several types of claims

#[derive(Deserialize)]
struct User {
    sub: String,
}

#[tokio::test]
async fn layers_of_two_types_stand_side_by_side() {
    let users = JwtAuthLayer::new(builder::<User>().build().unwrap());
    let plain = JwtAuthLayer::new(verifier());
    let both = service_fn(async |request: Request<String>| {
        let user = &request.extensions().get::<Claims<User>>().unwrap().sub;
        let claims = request.extensions().get::<Claims>().unwrap();
        Ok::<_, Infallible>(Response::new(format!("{user} {:?}", claims.subject())))
    });
    let service = users.layer(plain.layer(both));
    let response = service.oneshot(get_as("alice")).await.unwrap();
    assert_eq!(response.body(), "alice Some(\"alice\")");
}

/// A mock can stand where any service can.
#[test]
fn the_service_shows_what_is_within() {
    let (inner, _handle) = mock::pair::<Request<String>, Response<String>>();
    let service = JwtAuthLayer::new(verifier()).layer(inner);
    let _: &Mock<_, _> = service.get_ref();
    assert!(format!("{service:?}").starts_with("JwtAuth"));
}
