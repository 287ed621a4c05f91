//! How often a request makes the layer allocate, held down by exact bounds.
//!
//! What is counted is what the layer adds to the service that it stands
//! around, on this thread and by Rust's allocator: what a C library allocates
//! for itself is not seen.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use allocation_counter::{AllocationInfo, measure};
use futures_core::Stream;
use http::{Request, Response, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use tower::{Layer, Service, service_fn};
use tower_jwt_auth::{
    Algorithm, Claims, JwtAuthLayer, RegisteredClaims, Verifier, revocation::MemoryDenylist,
    verifier::Cache,
};

#[allow(dead_code, reason = "the tests in `it` use the rest")]
#[path = "it/fixed.rs"]
mod fixed;
#[allow(dead_code, reason = "the tests in `it` use the rest")]
#[path = "it/support.rs"]
mod support;

use support::{builder, claims_with, key};

/// Nothing in it is on the heap.
#[derive(Deserialize)]
struct Flag {
    admin: bool,
}

/// One thing in it is.
#[derive(Deserialize)]
struct Named {
    name: String,
}

fn handle(_: Request<String>) -> Ready<Result<Response<String>, Infallible>> {
    ready(Ok(Response::new(String::new())))
}

/// What one request allocates in a service that is warm. The request is made
/// before, and the response is dropped after.
fn allocated<S>(service: S, authorization: Option<&str>, status: u16) -> AllocationInfo
where
    S: Service<Request<String>, Response = Response<String>, Error = Infallible>,
{
    allocated_for(service, || Request::new(String::new()), authorization, status)
}

/// The same for requests of one's own.
fn allocated_for<S>(
    mut service: S,
    new: impl Fn() -> Request<String>,
    authorization: Option<&str>,
    status: u16,
) -> AllocationInfo
where
    S: Service<Request<String>, Response = Response<String>, Error = Infallible>,
{
    let mut once = || {
        let mut request = new();
        if let Some(value) = authorization {
            request.headers_mut().insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        let mut context = Context::from_waker(Waker::noop());
        let mut response = None;
        let info = measure(|| {
            assert!(service.poll_ready(&mut context).is_ready());
            let mut future = pin!(service.call(request));
            response = Some(future.as_mut().poll(&mut context));
        });
        let Some(std::task::Poll::Ready(Ok(response))) = response else {
            panic!("nothing here has to wait")
        };
        assert_eq!(response.status(), status);
        info
    };
    once();
    let info = once();
    assert_eq!(info, once(), "the third request is as the second");
    info
}

fn layer<C: DeserializeOwned + Send + Sync + 'static>() -> JwtAuthLayer<C> {
    JwtAuthLayer::new(builder().cache(Cache::off()).build().unwrap())
}

/// What a good token costs that comes for the first time, on its way to claims of the type
/// `C`.
fn accepted<C>(algorithm: Algorithm) -> AllocationInfo
where
    C: DeserializeOwned + Send + Sync + 'static,
{
    let claims = claims_with(json!({"admin": true, "name": "Alice"}));
    let authorization = format!("Bearer {}", key(algorithm).token(&claims));
    allocated(layer::<C>().layer(service_fn(handle)), Some(&authorization), 200)
}

#[test]
fn a_request_allocates_no_more_than_it_must() {
    let bare = allocated(service_fn(handle), None, 200);
    assert_eq!(bare.count_total, 0, "what stands within allocates nothing");

    // The payload, the `Arc`s of the registered claims and of all claims, and three for the
    // extensions: their map, its table, and the box of the claims.
    const LEAST: u64 = 6;
    let mut rows = Vec::new();
    for algorithm in [Algorithm::HS256, Algorithm::ES256, Algorithm::EdDSA] {
        let of = |claims: &str| format!("{algorithm}, {claims}");
        // What jsonwebtoken's provider takes to verify a signature.
        let verify = if cfg!(feature = "aws_lc_rs") { 0 } else { 2 };
        rows.push((of("a flag"), accepted::<Flag>(algorithm), LEAST + verify));
        rows.push((of("a string"), accepted::<Named>(algorithm), LEAST + 1 + verify));
        rows.push((of("registered"), accepted::<RegisteredClaims>(algorithm), LEAST + verify));
    }
    // Two for the headers of the response, four for its extensions, and the error.
    let layer = layer::<RegisteredClaims>;
    for (what, authorization, most) in [("no token", None, 6), ("a bad token", Some("Bearer x"), 7)]
    {
        let refused = allocated(layer().layer(service_fn(handle)), authorization, 401);
        rows.push((what.into(), refused, most));
    }
    // Two for the extensions, and three boxes: the reason twice, and the challenge.
    let guest = allocated(layer().optional().layer(service_fn(handle)), None, 200);
    rows.push(("a guest".into(), guest, 5));

    for (what, info, most) in &rows {
        println!("{what:>18}: {} allocations, {} bytes", info.count_total, info.bytes_total);
        assert!(info.count_total <= *most, "{what}: at most {most}");
    }
}

#[test]
fn a_token_that_is_known_allocates_the_place_of_its_claims_and_no_more() {
    /// As routers leave one in each request.
    #[derive(Clone)]
    struct Route;

    for algorithm in [Algorithm::HS256, Algorithm::ES256, Algorithm::EdDSA] {
        let token = key(algorithm).token(&claims_with(json!({"name": "Alice"})));
        let of = |new: fn() -> Request<String>| {
            let verifier = builder::<Named>().build().unwrap();
            let service = JwtAuthLayer::new(verifier).layer(service_fn(handle));
            allocated_for(service, new, Some(&format!("Bearer {token}")), 200).count_total
        };
        let routed = || {
            let mut request = Request::new(String::new());
            request.extensions_mut().insert(Route);
            request
        };
        assert_eq!(of(routed), 1, "the box of the claims");
        assert_eq!(of(|| Request::new(String::new())), 3, "and the map of the extensions");

        // Rules in the shadow take nothing, whether they would refuse the token or not.
        for audience in [support::AUDIENCE, "another"] {
            let shadow = builder::<Named>()
                .shadow(|rules| rules.audience(audience).leeway(std::time::Duration::ZERO));
            let layer = JwtAuthLayer::new(shadow.build().unwrap());
            let authorization = format!("Bearer {token}");
            let service = layer.layer(service_fn(handle));
            let info = allocated_for(service, routed, Some(&authorization), 200);
            assert_eq!(info.count_total, 1, "{audience}");
        }
    }
}

#[cfg(feature = "routes")]
#[test]
fn a_table_of_routes_allocates_nothing() {
    use tower_jwt_auth::{authorize::Scopes, layer::Routes};

    let token = key(Algorithm::HS256).token(&claims_with(json!({"scope": "a b"})));
    let authorization = format!("Bearer {token}");
    let of = |path: &'static str| {
        let routes = Routes::new()
            .route("GET /orders", Scopes::all_of(["a"]))
            .route("GET /orders/{id}", Scopes::all_of(["a", "b"]))
            .route("/files/{*path}", Scopes::any_of(["b", "c"]))
            .public("GET /health");
        let new = || Request::builder().uri(path).body(String::new()).unwrap();
        let verifier = || builder::<RegisteredClaims>().build().unwrap();
        let bare = JwtAuthLayer::new(verifier()).layer(service_fn(handle));
        let bare = allocated_for(bare, new, Some(&authorization), 200).count_total;
        let layers = (JwtAuthLayer::new(verifier()), routes.build().unwrap());
        let service = layers.layer(service_fn(handle));
        allocated_for(service, new, Some(&authorization), 200).count_total - bare
    };
    for path in ["/orders", "/orders/7", "/files/a/b/c", "/health"] {
        assert_eq!(of(path), 0, "{path}");
    }
}

/// 1,000 tokens that are used, and 100,000 that come once: what is kept, and how much
/// memory it takes.
#[test]
fn a_flood_of_tokens_keeps_to_the_memory_and_pushes_out_none_that_is_used() {
    const MOST: usize = 8 * 1024 * 1024;
    let token = |number: usize| {
        key(Algorithm::HS256).token(&claims_with(json!({"jti": number.to_string()})))
    };
    let verifier: Verifier = builder().cache(Cache::of_bytes(MOST)).build().unwrap();
    let verify = |token: &str| verifier.verify(token).now_or_never().unwrap().unwrap();
    let hot: Vec<_> = (0..1_000).map(token).collect();

    let mut held = 0;
    let mut grow = |work: &mut dyn FnMut()| {
        held += measure(work).bytes_current;
        let held = usize::try_from(held).unwrap();
        assert!(held <= MOST, "{held} of {MOST} bytes");
        held
    };
    let mut before = Vec::with_capacity(hot.len());
    grow(&mut || before.extend(hot.iter().map(|token| verify(token))));
    for number in 1_000..101_000 {
        let token = token(number);
        grow(&mut || drop(verify(&token)));
    }
    let kept = hot
        .iter()
        .zip(&before)
        .filter(|(token, before)| std::ptr::eq(before.registered(), verify(token).registered()));
    let kept = kept.count();
    println!("{kept} of 1000 are still known");
    assert!(kept >= 950);

    // Those that come twice are kept, as far as there is room.
    for number in 200_000..210_000 {
        let token = token(number);
        for _ in 0..2 {
            grow(&mut || drop(verify(&token)));
        }
    }
    let full = grow(&mut || {});
    println!("{full} of {MOST} bytes are held by the allocator");
    // What a type may keep of the claims counts, and this one keeps little.
    assert!(full > MOST / 4, "it is full");
}

#[test]
fn types_are_read() {
    let token = key(Algorithm::HS256).token(&claims_with(json!({"admin": true, "name": "Alice"})));
    let flag: Claims<Flag> =
        builder().build().unwrap().verify(&token).now_or_never().unwrap().unwrap();
    let named: Claims<Named> =
        builder().build().unwrap().verify(&token).now_or_never().unwrap().unwrap();
    assert!(flag.admin && named.name == "Alice");
}

/// Claims that take many times their text, of a type that keeps them all.
#[test]
fn claims_that_take_much_memory_count_as_much() {
    const MOST: usize = 4 * 1024 * 1024;
    type All = serde_json::Map<String, serde_json::Value>;
    let claims = |number: usize| match number % 5 {
        0 => json!({"x": vec![json!({"": 0}); 400]}),
        1 => json!({"x": vec![json!([[]]); 600]}),
        2 => json!({"x": vec![0; 1500]}),
        3 => json!({"aud": ([vec![""; 900], vec![support::AUDIENCE]].concat())}),
        _ => json!({"scp": vec![""; 900], "name": "Alice"}),
    };
    let verifier = builder::<All>().cache(Cache::of_bytes(MOST)).build().unwrap();
    let mut held = 0;
    for number in 0..2_000 {
        let mut claims = claims_with(claims(number));
        claims["jti"] = number.to_string().into();
        let token = key(Algorithm::HS256).token(&claims);
        let info = measure(|| drop(verifier.verify(&token).now_or_never().unwrap().unwrap()));
        held += info.bytes_current;
        assert!(usize::try_from(held).unwrap() <= MOST, "{held} of {MOST} bytes");
    }
    println!("{held} of {MOST} bytes are held by the allocator");
}

/// A stream with nothing in it.
struct Nothing;

impl Stream for Nothing {
    type Item = ();

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> {
        Poll::Pending
    }
}

#[test]
fn a_stream_that_ends_with_its_token_takes_at_most_600_bytes() {
    const COUNT: usize = 2_000;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let verifier: Verifier = builder().denylist(MemoryDenylist::new()).build().unwrap();
    let claims = |number: usize| {
        let token = key(Algorithm::HS256).token(&claims_with(json!({
            "sub": format!("0c1f0a5e-9d3b-4f0e-8f6a-{number:012}"),
            "jti": format!("token-id-{number:013}"),
            "sid": format!("session-{number:014}"),
            "client_id": "web-client",
        })));
        verifier.verify(&token).now_or_never().unwrap().unwrap()
    };
    let all: Vec<_> = (0..COUNT).map(claims).collect();
    let mut streams = Vec::with_capacity(COUNT);
    let mut context = Context::from_waker(Waker::noop());
    let info = measure(|| {
        for claims in &all {
            streams.push(claims.validity().guard(Nothing));
        }
        for stream in &mut streams {
            assert!(Pin::new(stream).poll_next(&mut context).is_pending());
        }
    });
    let inline = size_of_val(&streams[0]) - size_of::<Nothing>();
    let bytes = usize::try_from(info.bytes_current).unwrap() / COUNT + inline;
    println!("{bytes} bytes for each stream, {} allocations", info.count_total / COUNT as u64);
    assert!(bytes <= 540, "{bytes} bytes, and the allocator needs some more");
    let freed = measure(|| streams.clear());
    // An empty tree of the index keeps one node.
    assert!(freed.bytes_current <= -info.bytes_current + 4096, "{freed:?} of {info:?}");
}
