//! What a client sends itself, beside what its browser adds: headers beat cookies, and a cookie
//! that is bad does not lock a guest out.

use std::{convert::Infallible, sync::Arc};

use http::{HeaderMap, HeaderName, Method, Request, Response, Uri, header};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, Claims, Error, ErrorKind, JwtAuthLayer, RegisteredClaims, TokenSource, Verifier,
    error::{InvalidRequest, JsonFault, StoreError},
    maybe_ready::MaybeReady,
    response::Rejection,
    revocation::{Denylist, MemoryDenylist, Revocation, TokenIds},
    verifier::RuleError,
};

use crate::{
    gate::{
        Gate, accepted, bare, cookie_gate, cross_site, invalid_request, invalid_token, request,
    },
    support::{ISSUER, NOW, TestKey, b64, builder, claims, claims_with, key},
};

const X_TOKEN: HeaderName = HeaderName::from_static("x-token");

fn good() -> String {
    key(Algorithm::ES256).token(&claims())
}

fn other() -> String {
    key(Algorithm::EdDSA).token(&claims())
}

fn expired() -> String {
    key(Algorithm::ES256).token(&claims_with(json!({"exp": NOW - 600})))
}

fn layer() -> JwtAuthLayer<RegisteredClaims> {
    JwtAuthLayer::new(builder().build().unwrap())
}

// ----- headers and cookies

#[test]
fn t07_a_token_in_a_header_counts_alone() {
    let (good, other) = (good(), other());
    let gates = [
        (cookie_gate(), "authorization", "Bearer "),
        (
            &Gate::new(layer().source(TokenSource::cookie("at").build().unwrap()).optional()),
            "authorization",
            "bearer ",
        ),
        (
            &Gate::new(
                layer()
                    .source(TokenSource::header(X_TOKEN))
                    .source(TokenSource::cookie("at").build().unwrap()),
            ),
            "x-token",
            "",
        ),
    ];
    for (gate, name, scheme) in gates {
        let header = |token: &str| (name, format!("{scheme}{token}").into_bytes());
        let cookies = ["", "deleted", "x", "a.b.c", &good, &other, &expired(), "x; at=y", "\u{e4}"];
        for cookie in cookies.map(|value| ("cookie", format!("a=1; at={value}").into_bytes())) {
            assert_eq!(gate.get(&[header(&good), cookie.clone()]), accepted());
            assert_eq!(gate.get(&[cookie.clone(), header(&good)]), accepted());
            // A bad one is refused for what it is: the cookie does not make up for it.
            for bad in ["x", "a.b.c", &expired()] {
                assert_eq!(gate.get(&[header(bad), cookie.clone()]), invalid_token());
            }
            for bad in ["", "a, b", "\u{e4}"] {
                assert_eq!(gate.get(&[header(bad), cookie.clone()]), invalid_request(), "{bad:?}");
            }
            // Another site cannot send the header, so the cookie beside it proves nothing.
            let mut post = request("POST", &[header(&good), cookie.clone()]);
            post.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
            assert_eq!(gate.send(post), accepted());
        }
    }
}

#[test]
fn t07_credentials_of_another_scheme_are_no_token() {
    let cookie = |value: &str| ("cookie", format!("at={value}"));
    for basic in ["Basic YTpi", "Basic", "Digest x", ""] {
        let basic = ("authorization", basic.to_owned());
        assert_eq!(cookie_gate().get(&[basic.clone(), cookie(&good())]), accepted());
        assert_eq!(cookie_gate().get(&[basic.clone(), cookie("x")]), invalid_token());
        assert_eq!(cookie_gate().get(&[basic.clone(), cookie("")]), bare());
        let post = request("POST", &[basic, cookie(&good())]);
        assert_eq!(cookie_gate().send(post), cross_site());
    }
    for empty in ["Bearer", "Bearer  "] {
        let empty = ("authorization", empty.to_owned());
        assert_eq!(cookie_gate().get(&[empty, cookie(&good())]), invalid_request());
    }
}

#[tokio::test]
async fn t07_a_cookie_that_was_not_read_is_taken_out_too() {
    let inner = service_fn(async |request: Request<String>| {
        let cookies = request.headers().get_all(header::COOKIE).iter();
        let cookies: Vec<_> = cookies.map(|value| value.to_str().unwrap().to_owned()).collect();
        let authorization = request.headers().contains_key(header::AUTHORIZATION);
        Ok::<_, Infallible>(Response::new(format!("{cookies:?} {authorization}")))
    });
    let service =
        layer().source(TokenSource::cookie("at").build().unwrap()).strip_token().layer(inner);
    let (bearer, cookie) = (format!("Bearer {}", good()), format!("a=1; at={}; b=2", other()));
    let headers = [("authorization", &*bearer), ("cookie", &cookie), ("cookie", "c=3; at=x")];
    let response = service.oneshot(request("GET", &headers)).await.unwrap();
    assert_eq!(response.body(), r#"["a=1; b=2", "c=3"] false"#);
}

// ----- several tokens

#[test]
fn t08_a_cookie_twice_is_one_token_or_none() {
    let (good, other) = (good(), other());
    let send = |one: &str, two: &str| {
        let joined = format!("at={one}; b=2; at={two}");
        let joined = cookie_gate().get(&[("cookie", joined)]);
        let parted = [("cookie", format!("at={one}")), ("cookie", format!("at={two}"))];
        assert_eq!(cookie_gate().get(&parted), joined);
        let mut unsafe_one = request("POST", &parted);
        unsafe_one.headers_mut().insert("sec-fetch-site", "same-origin".parse().unwrap());
        assert_eq!(cookie_gate().send(unsafe_one), joined);
        joined
    };
    for same in [&*good, "", "\"\"", &format!("\"{good}\"")] {
        assert_eq!(send(&good, same), accepted());
        assert_eq!(send(same, &good), accepted());
    }
    assert_eq!(send("", "\"\""), bare());
    assert_eq!(send("x", "x"), invalid_token());
    // Which of the two is planted, no evidence of the origin can tell.
    for different in [&*other, "x", "deleted", &format!("{good}x")] {
        assert_eq!(send(&good, different), invalid_request());
        assert_eq!(send(different, &good), invalid_request());
    }
}

#[test]
fn t08_the_answer_to_another_site_is_the_same_whatever_the_cookie_is_worth() {
    for cookie in ["at=x; at=y", "at=\u{e4}", "at=x", &format!("at={}", good())] {
        for gate in [
            cookie_gate(),
            &Gate::new(layer().source(TokenSource::cookie("at").build().unwrap()).optional()),
        ] {
            assert_eq!(gate.send(request("POST", &[("cookie", cookie)])), cross_site());
        }
    }
}

#[test]
fn t18_two_sources_have_one_token_or_it_is_a_bad_request() {
    let (good, other) = (good(), other());
    let custom = |_: &Method, _: &Uri, headers: &HeaderMap| {
        headers.get("x-custom").map(|value| value.to_str().unwrap().to_owned())
    };
    let layer = layer()
        .source(TokenSource::cookie("at").build().unwrap())
        .source(TokenSource::cookie("second").build().unwrap())
        .source(TokenSource::header(X_TOKEN))
        .source(TokenSource::query())
        .source(TokenSource::websocket_protocol("bearer"))
        .source(TokenSource::custom(custom));
    let gates = [Gate::new(layer.clone()), Gate::new(layer.optional())];
    let places = ["authorization", "x-token", "x-custom", "query", "protocol", "at", "second"];
    let send = |gate: &Gate, tokens: [(&str, &str); 2]| {
        let mut headers = Vec::new();
        let mut query = String::new();
        for (place, token) in tokens {
            match place {
                "authorization" => headers.push((place, format!("Bearer {token}"))),
                "query" => query = format!("?access_token={token}"),
                "protocol" => headers.push(("sec-websocket-protocol", format!("bearer, {token}"))),
                "at" | "second" => headers.push(("cookie", format!("{place}={token}"))),
                _ => headers.push((place, token.to_owned())),
            }
        }
        let mut request = request("GET", &headers);
        *request.uri_mut() = format!("/{query}").parse().unwrap();
        gate.send(request)
    };
    let is_header = |place| ["authorization", "x-token"].contains(&place);
    let is_cookie = |place| ["at", "second"].contains(&place);
    let pairs = places.iter().flat_map(|one| places.map(|two| (*one, two)));
    for (one, two) in pairs.filter(|(one, two)| one != two) {
        let [required, optional] = &gates;
        let in_query = one == "query" || two == "query";
        let beats = is_header(one) && is_cookie(two) || is_header(two) && is_cookie(one);
        let private = |answer: crate::gate::Answer| match in_query {
            true => answer.with("cache-control", "private"),
            false => answer,
        };
        for gate in &gates {
            assert_eq!(
                send(gate, [(one, &good), (two, &good)]),
                private(accepted()),
                "{one} {two}"
            );
        }
        for (gate, guest) in [(required, false), (optional, true)] {
            let answer = send(gate, [(one, &good), (two, &other)]);
            match (is_cookie(one) && is_cookie(two), guest) {
                _ if beats => assert_eq!(answer, accepted(), "{one} {two}"),
                // Two different cookies are as one that is doubled.
                (true, true) => assert_eq!(answer, crate::gate::without_claims()),
                _ => assert_eq!(answer, invalid_request(), "{one} {two}"),
            }
            // A link that was planted does not end the user's session either.
            let bad = send(gate, [(one, "x"), (two, &good)]);
            match (is_cookie(one) && is_cookie(two), guest) {
                _ if is_header(one) && is_cookie(two) => assert_eq!(bad, invalid_token()),
                _ if is_header(two) && is_cookie(one) => assert_eq!(bad, accepted()),
                (true, true) => assert_eq!(bad, crate::gate::without_claims()),
                _ => assert_eq!(bad, invalid_request(), "{one} {two}"),
            }
        }
    }
}

// ----- guests

/// A list that has to be waited for.
#[derive(Clone)]
struct Slow(MemoryDenylist);

impl Denylist for Slow {
    fn revoke(&self, revocation: Revocation) -> MaybeReady<Result<(), StoreError>> {
        self.0.revoke(revocation)
    }

    fn is_revoked(&self, token: TokenIds<'_>) -> MaybeReady<Result<bool, StoreError>> {
        let revoked = self.0.contains(token);
        MaybeReady::pending(async move {
            tokio::task::yield_now().await;
            Ok(revoked)
        })
    }
}

/// A verifier that answers at once, and one that makes its caller wait: with a denylist and
/// rules that refuse some users.
fn verifiers() -> [Verifier; 2] {
    let list = MemoryDenylist::new();
    let until = i64::try_from(NOW + 600).unwrap();
    list.insert(Revocation::token(ISSUER, "revoked", until)).unwrap();
    let rule = |subject: &str| match subject {
        "gone" => Err(RuleError::refuse("the user is gone")),
        "poor" => Err(Error::forbidden("payment"))?,
        "unknown" => Err(std::io::Error::other("no database"))?,
        "broken" => Err(RuleError::fail("no rule")),
        _ => Ok(()),
    };
    let subject = |claims: &Claims| claims.subject().unwrap().to_owned();
    let now = builder().denylist(list.clone()).rule(move |one: &Claims| rule(&subject(one)));
    let later = builder().denylist(Slow(list)).async_rule(move |one: Claims| {
        let subject = subject(&one);
        async move {
            tokio::task::yield_now().await;
            rule(&subject)
        }
    });
    [now.build().unwrap(), later.build().unwrap()]
}

fn token_of(changes: serde_json::Value) -> String {
    let mut all = json!({"jti": "one"});
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    key(Algorithm::ES256).token(&claims_with(all))
}

/// Answers with the user, or with the reason why there is none.
async fn who(request: Request<String>) -> Result<Response<String>, Infallible> {
    let extensions = request.extensions();
    let body = match (extensions.get::<Claims>(), extensions.get::<Rejection>()) {
        (Some(claims), _) => claims.subject().unwrap_or_default().to_owned(),
        (None, Some(why)) => format!("{:?} {}", why.error().kind(), why.status().as_u16()),
        (None, None) => "nothing".into(),
    };
    Ok(Response::new(body))
}

/// What removes the cookie `at`.
pub(crate) const REMOVAL: &str = "at=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0; \
                       Expires=Thu, 01 Jan 1970 00:00:00 GMT";

/// The kinds of cookies that are bad, whether the token can never verify again, and the status of
/// one who asks for a user.
fn bad_cookies() -> Vec<(String, ErrorKind, bool, u16)> {
    let invalid = |cookie: String, kind, is_final| (cookie, kind, is_final, 401);
    let token = |changes| token_of(changes);
    let stranger = TestKey::fresh(Algorithm::ES256);
    let of_another_key = stranger.token(&claims_with(json!({"jti": "one"})));
    let unknown = TestKey::fresh(Algorithm::ES256).with_kid("unknown");
    let unknown = unknown.token(&claims_with(json!({"jti": "one"})));
    let no_header = format!("{}.e30.AAAA", b64("[]"));
    let not_json = key(Algorithm::ES256).token_of(key(Algorithm::ES256).header().to_string(), "[]");
    let request = ErrorKind::InvalidRequest;
    vec![
        invalid("deleted".into(), ErrorKind::MalformedToken, true),
        invalid("a.b.c".into(), ErrorKind::MalformedToken, true),
        invalid(
            no_header,
            ErrorKind::MalformedHeader { member: None, fault: JsonFault::Syntax },
            true,
        ),
        invalid(
            not_json,
            ErrorKind::MalformedClaims { claim: None, fault: JsonFault::Syntax },
            true,
        ),
        invalid("a b".into(), request(InvalidRequest::MalformedCredentials), true),
        invalid(token(json!({"jti": "revoked"})), ErrorKind::Revoked, true),
        invalid(format!("{}; at=x", good()), request(InvalidRequest::SeveralTokens), false),
        invalid(token(json!({"exp": NOW - 600})), ErrorKind::Expired, false),
        invalid(token(json!({"nbf": NOW + 600})), ErrorKind::NotYetValid, false),
        invalid(token(json!({"iss": "https://other.example"})), ErrorKind::Issuer, false),
        invalid(token(json!({"aud": "https://other.example"})), ErrorKind::Audience, false),
        invalid(token(json!({"sub": null})), ErrorKind::MissingClaim("sub".into()), false),
        invalid(of_another_key, ErrorKind::Signature, false),
        invalid(unknown, ErrorKind::UnknownKey, false),
        invalid("x".repeat(9000), ErrorKind::TokenTooLong { limit: 8192 }, false),
        invalid(
            token(json!({"sub": "gone"})),
            Error::from(RuleError::refuse("the user is gone")).kind().clone(),
            false,
        ),
    ]
}

fn set_cookies<B>(response: &Response<B>) -> Vec<&str> {
    let cookies = response.headers().get_all(header::SET_COOKIE).iter();
    cookies.map(|value| value.to_str().unwrap()).collect()
}

fn cookie_request(cookie: &str) -> Request<String> {
    request("GET", &[("cookie", format!("a=1; at={cookie}"))])
}

#[tokio::test]
async fn t17_a_bad_cookie_makes_a_guest_and_is_removed_if_it_is_dead() {
    for verifier in verifiers() {
        let all = JwtAuthLayer::new(verifier).source(TokenSource::cookie("at").build().unwrap());
        let optional = all.clone().optional().layer(service_fn(who));
        let report = all.clone().pass_through().layer(service_fn(who));
        let required = all.layer(service_fn(who));
        for (cookie, kind, is_final, status) in bad_cookies() {
            let response = optional.clone().oneshot(cookie_request(&cookie)).await.unwrap();
            assert_eq!(response.status(), 200, "{kind:?}");
            assert_eq!(*response.body(), format!("{kind:?} {status}"));
            let control = response.headers().get(header::CACHE_CONTROL);
            if is_final {
                assert_eq!(set_cookies(&response), [REMOVAL], "{kind:?}");
                assert_eq!(control.unwrap(), "no-store");
            } else {
                assert!(set_cookies(&response).is_empty() && control.is_none(), "{kind:?}");
            }
            // The page itself may send what is unsafe, such as a login.
            let mut post = cookie_request(&cookie);
            *post.method_mut() = Method::POST;
            post.headers_mut().insert("sec-fetch-site", "same-origin".parse().unwrap());
            let response = optional.clone().oneshot(post).await.unwrap();
            assert_eq!(
                (response.status().as_u16(), set_cookies(&response).len()),
                (200, usize::from(is_final))
            );

            // In the other modes, all is as it was: the handler decides, or the layer refuses.
            let is_request = matches!(kind, ErrorKind::InvalidRequest(_));
            let refused = if is_request { 400 } else { 401 };
            let response = report.clone().oneshot(cookie_request(&cookie)).await.unwrap();
            assert_eq!(*response.body(), format!("{kind:?} {refused}"));
            assert!(set_cookies(&response).is_empty());
            let response = required.clone().oneshot(cookie_request(&cookie)).await.unwrap();
            assert_eq!(response.status(), refused);
            assert!(set_cookies(&response).is_empty());

            // The same in a header is refused.
            if !is_request {
                let bearer = [("authorization", format!("Bearer {cookie}"))];
                let response = optional.clone().oneshot(request("GET", &bearer)).await.unwrap();
                assert_eq!((response.status().as_u16(), set_cookies(&response).len()), (401, 0));
            }
        }
        let response = optional.oneshot(cookie_request(&token_of(json!({})))).await.unwrap();
        assert_eq!((&**response.body(), set_cookies(&response).len()), ("alice", 0));
    }
}

#[tokio::test]
async fn t17_a_refusal_that_is_not_of_the_cookie_stays() {
    for verifier in verifiers() {
        let service = JwtAuthLayer::new(verifier)
            .source(TokenSource::cookie("at").build().unwrap())
            .optional()
            .layer(service_fn(who));
        for (subject, status) in [("poor", 403), ("unknown", 503), ("broken", 500)] {
            let cookie = token_of(json!({"sub": subject}));
            let response = service.clone().oneshot(cookie_request(&cookie)).await.unwrap();
            assert_eq!((response.status().as_u16(), set_cookies(&response).len()), (status, 0));
        }
        for cookie in ["x", &token_of(json!({})), &token_of(json!({"jti": "revoked"}))] {
            let mut post = cookie_request(cookie);
            *post.method_mut() = Method::POST;
            let response = service.clone().oneshot(post).await.unwrap();
            assert_eq!((response.status().as_u16(), set_cookies(&response).len()), (403, 0));
        }
    }
}

#[tokio::test]
async fn t17_only_the_cookie_of_the_token_is_removed_and_not_the_one_that_a_login_sets() {
    let dead = |cookie: TokenSource, inner: &'static [(&'static str, &'static str)]| async move {
        let name = format!("{cookie:?}").contains("__Host-at").then_some("__Host-at");
        let handler = service_fn(move |_: Request<String>| async move {
            let mut response = Response::builder();
            for (name, value) in inner {
                response = response.header(*name, *value);
            }
            Ok::<_, Infallible>(response.body(String::new()).unwrap())
        });
        let service = layer().source(cookie).optional().layer(handler);
        let cookie = format!("__Host-sid=s; {}=deleted; b=2", name.unwrap_or("at"));
        let response = service.oneshot(request("GET", &[("cookie", cookie)])).await.unwrap();
        let control = response.headers().get_all(header::CACHE_CONTROL).iter();
        let control: Vec<_> = control.map(|value| value.to_str().unwrap().to_owned()).collect();
        (set_cookies(&response).join("\n"), control.join(", "))
    };
    let at = || TokenSource::cookie("at").build().unwrap();
    let rest = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    let (removal, control) = dead(TokenSource::cookie("__Host-at").build().unwrap(), &[]).await;
    assert_eq!(removal, format!("__Host-at=; HttpOnly; SameSite=Lax; Secure; Path=/; {rest}"));
    assert_eq!(control, "no-store");
    let own = TokenSource::cookie("at").path("/app").domain("example.com").build().unwrap();
    let (removal, _) = dead(own, &[]).await;
    assert_eq!(
        removal,
        format!("at=; HttpOnly; SameSite=Lax; Path=/app; Domain=example.com; {rest}")
    );
    let cached = &[("cache-control", "public, max-age=60"), ("set-cookie", "theme=dark")];
    let (cookies, control) = dead(at(), cached).await;
    assert_eq!((cookies, &*control), (format!("theme=dark\n{REMOVAL}"), "no-store"));
    let login = &[("set-cookie", "at=new; HttpOnly"), ("cache-control", "private")];
    assert_eq!(dead(at(), login).await, ("at=new; HttpOnly".into(), "private".into()));
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn t17_handlers_see_a_guest_or_answer_401() {
    use axum::{Router, body::Body, routing::get};
    use tower_jwt_auth::{RequireLayer, response::ProblemJson};

    async fn option(user: Option<Claims>) -> String {
        user.map_or("guest".into(), |user| user.subject().unwrap().to_owned())
    }
    async fn result(user: Result<Claims, Rejection>) -> String {
        user.map_or_else(|why| format!("{:?}", why.error().kind()), |_| "user".into())
    }
    for verifier in verifiers() {
        let layer = JwtAuthLayer::new(verifier).source(TokenSource::cookie("at").build().unwrap());
        let routes = || {
            let scopes = RequireLayer::scopes(["read"]);
            Router::new()
                .route("/require", get(async || "user"))
                .route_layer(scopes.respond_with(ProblemJson))
                .route("/claims", get(async |_: Claims| "user"))
                .route("/option", get(option))
                .route("/result", get(result))
        };
        let optional = routes().layer(layer.clone().optional().realm("r"));
        let report = routes().layer(layer.pass_through());
        let ask = async |app: &Router, path: &str, cookie: &str| {
            let request = Request::builder().uri(path).header("cookie", format!("at={cookie}"));
            app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
        };
        for (cookie, kind, is_final, _) in bad_cookies() {
            for path in ["/claims", "/require"] {
                let response = ask(&optional, path, &cookie).await;
                assert_eq!(response.status(), 401, "{kind:?}");
                let challenge = response.headers()["www-authenticate"].to_str().unwrap();
                let is_request = matches!(kind, ErrorKind::InvalidRequest(_));
                let expected = if is_request { "" } else { ", error=\"invalid_token\"" };
                assert!(challenge.starts_with(&format!("Bearer realm=\"r\"{expected}")));
                assert_eq!(challenge.contains("error"), !is_request);
                assert_eq!(response.headers()["cache-control"], "no-store");
                assert_eq!(set_cookies(&response).len(), usize::from(is_final));
            }
            let response = ask(&optional, "/option", &cookie).await;
            assert_eq!(
                (response.status().as_u16(), set_cookies(&response).len()),
                (200, usize::from(is_final))
            );
            let body = axum::body::to_bytes(response.into_body(), 9).await.unwrap();
            assert_eq!(body, "guest");
            let response = ask(&optional, "/result", &cookie).await;
            let body = axum::body::to_bytes(response.into_body(), 999).await.unwrap();
            assert_eq!(body, format!("{kind:?}"));
            assert_ne!(ask(&report, "/option", &cookie).await.status(), 200);
        }
    }
}

/// What is known of a request goes with it where the layer has to wait, and to no other one.
#[tokio::test]
async fn t17_requests_at_once_are_not_mixed() {
    let [_, verifier] = verifiers();
    let layer =
        JwtAuthLayer::new(verifier).source(TokenSource::cookie("at").build().unwrap()).optional();
    let service = Arc::new(layer.layer(service_fn(who)));
    let dead = token_of(json!({"jti": "revoked"}));
    let good = token_of(json!({}));
    let all = (0..32).map(|at| {
        let (cookie, removed) = if at % 2 == 0 { (&dead, 1) } else { (&good, 0) };
        let (service, request) = ((*service).clone(), cookie_request(cookie));
        tokio::spawn(async move {
            let response = service.oneshot(request).await.unwrap();
            assert_eq!(set_cookies(&response).len(), removed);
        })
    });
    for one in all.collect::<Vec<_>>() {
        one.await.unwrap();
    }
}
