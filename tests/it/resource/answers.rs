//! The answers to requests for the metadata.

use std::{
    convert::Infallible,
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use http::{HeaderMap, Request, Response};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_jwt_auth::{JwtAuthLayer, TokenSource};

use super::*;

/// The answer of a service that has nothing to wait for.
pub(super) fn now<B, S>(service: S, request: Request<B>) -> Response<String>
where
    S: Service<Request<B>, Response = Response<String>, Error = Infallible>,
{
    let mut answer = pin!(service.oneshot(request));
    match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(response)) => response,
        Poll::Pending => panic!("it waits"),
    }
}

/// The service within, which must not see requests for the metadata.
async fn inner(_: Request<()>) -> Result<Response<String>, Infallible> {
    Ok(Response::new("inner".into()))
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().unwrap();
    assert_eq!(values.next(), None, "{name} comes once");
    Some(value)
}

fn request(method: &str, path: &str) -> Request<()> {
    Request::builder().method(method).uri(path).body(()).unwrap()
}

/// All services that answer with the metadata of this resource.
fn answers(resource: &ProtectedResource, ask: &dyn Fn() -> Request<()>) -> Vec<Response<String>> {
    let layer = || JwtAuthLayer::new(verifier());
    let by_layer = layer().protected_resource(resource.clone());
    let in_steps = layer().resource_metadata(resource.clone()).optional().serve_metadata();
    vec![
        resource.response(&ask()).unwrap(),
        now(resource.clone(), ask()),
        now(by_layer.clone().layer(service_fn(inner)), ask()),
        now(by_layer.clone().optional().layer(service_fn(inner)), ask()),
        now(by_layer.clone().allow_preflight().layer(service_fn(inner)), ask()),
        now(by_layer.pass_through().layer(service_fn(inner)), ask()),
        now(in_steps.layer(service_fn(inner)), ask()),
    ]
}

#[test]
fn c04_get_head_and_preflight_are_answered_to_everybody() {
    let resource = usual().build().unwrap();
    for path in [ROOT, "/.well-known/oauth-protected-resource/"] {
        for response in answers(&resource, &|| request("GET", path)) {
            assert_eq!(response.status(), 200);
            let headers = response.headers();
            assert_eq!(header(headers, "content-type"), Some("application/json"));
            assert_eq!(header(headers, "cache-control"), Some("public, max-age=3600"));
            assert_eq!(header(headers, "access-control-allow-origin"), Some("*"));
            assert_eq!(header(headers, "www-authenticate"), None);
            assert_eq!(response.body(), resource.json());
        }
        for response in answers(&resource, &|| request("HEAD", path)) {
            assert_eq!((response.status().as_u16(), &**response.body()), (200, ""));
            let length = resource.json().len().to_string();
            assert_eq!(header(response.headers(), "content-length"), Some(&*length));
            assert_eq!(header(response.headers(), "content-type"), Some("application/json"));
        }
        let preflight = || {
            let mut request = request("OPTIONS", path);
            let headers = request.headers_mut();
            headers.insert("origin", "https://inspector.example".parse().unwrap());
            headers.insert("access-control-request-method", "GET".parse().unwrap());
            let name = "access-control-request-headers";
            headers.insert(name, "mcp-protocol-version".parse().unwrap());
            request
        };
        for ask in [&preflight as &dyn Fn() -> _, &|| request("OPTIONS", path)] {
            for response in answers(&resource, ask) {
                assert_eq!((response.status().as_u16(), &**response.body()), (204, ""));
                let headers = response.headers();
                assert_eq!(header(headers, "access-control-allow-origin"), Some("*"));
                let allowed = header(headers, "access-control-allow-headers");
                assert_eq!(allowed, Some("mcp-protocol-version"));
                let methods = header(headers, "access-control-allow-methods");
                assert_eq!(methods, Some("GET, HEAD, OPTIONS"));
            }
        }
    }
}

#[test]
fn c04_other_methods_are_not_allowed() {
    let resource = usual().build().unwrap();
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "get", "QUERY"] {
        for response in answers(&resource, &|| request(method, ROOT)) {
            assert_eq!((response.status().as_u16(), &**response.body()), (405, ""), "{method}");
            assert_eq!(header(response.headers(), "allow"), Some("GET, HEAD, OPTIONS"));
        }
    }
}

#[test]
fn c05_a_token_makes_no_difference() {
    let resource = usual().build().unwrap();
    let mut expected = document(&resource);
    expected["bearer_methods_supported"] = serde_json::json!(["header", "query"]);
    let layer =
        JwtAuthLayer::new(verifier()).source(TokenSource::query()).protected_resource(resource);
    for (path, authorization) in [
        (ROOT, "Bearer nonsense"),
        (ROOT, "Bearer"),
        (ROOT, "DPoP a.b.c"),
        ("/.well-known/oauth-protected-resource?access_token=a", "Bearer b"),
    ] {
        let mut request = request("GET", path);
        request.headers_mut().insert("authorization", authorization.parse().unwrap());
        let response = now(layer.layer(service_fn(inner)), request);
        let answered: Value = serde_json::from_str(response.body()).unwrap();
        assert_eq!((response.status().as_u16(), &answered), (200, &expected));
    }
    for path in ["/", "/.well-known", "/.well-known/oauth-protected-resource/x"] {
        let response = now(layer.layer(service_fn(inner)), request("GET", path));
        assert_eq!(response.status(), 401, "{path}");
    }
}

#[test]
fn c05_a_layer_that_only_names_the_metadata_does_not_answer() {
    let layer = JwtAuthLayer::new(verifier()).resource_metadata(usual().build().unwrap());
    for method in ["GET", "OPTIONS"] {
        let response = now(layer.layer(service_fn(inner)), request(method, ROOT));
        assert_eq!(response.status(), 401);
        assert!(response.headers()["www-authenticate"].to_str().unwrap().contains(ROOT));
    }
    // Without metadata, there is nothing to answer.
    let layer = JwtAuthLayer::new(verifier()).serve_metadata();
    let response = now(layer.layer(service_fn(inner)), request("GET", ROOT));
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
}

#[test]
fn c05_a_preflight_elsewhere_is_not_answered() {
    let resource = usual().build().unwrap();
    let layer = JwtAuthLayer::new(verifier()).protected_resource(resource);
    let mut preflight = request("OPTIONS", "/");
    for (name, value) in [("origin", "https://a.example"), ("access-control-request-method", "GET")]
    {
        preflight.headers_mut().insert(name, value.parse().unwrap());
    }
    let closed = now(layer.clone().layer(service_fn(inner)), preflight.clone());
    assert_eq!(closed.status(), 401);
    let open = now(layer.allow_preflight().layer(service_fn(inner)), preflight);
    assert_eq!((open.status().as_u16(), &**open.body()), (200, "inner"));
}

#[test]
fn c05_a_body_without_text_needs_no_metadata() {
    // `()` cannot be made of a text: a layer that only names the metadata is around it.
    let layer = JwtAuthLayer::new(verifier()).resource_metadata(usual().build().unwrap());
    let service =
        layer.layer(service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(()))));
    let mut answer = pin!(service.oneshot(request("GET", "/")));
    let Poll::Ready(Ok(response)) = answer.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    else {
        panic!("it waits")
    };
    assert_eq!(response.status(), 401);
}

#[test]
fn c_urls_come_from_the_configuration_alone() {
    let resource = usual().build().unwrap();
    let layer = JwtAuthLayer::new(verifier()).protected_resource(resource.clone());
    let forged = [
        ("host", "evil.example"),
        ("forwarded", "host=evil.example;proto=http"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-port", "8080"),
        ("x-forwarded-prefix", "/evil"),
        ("x-original-url", "/evil"),
    ];
    for uri in [ROOT, "http://evil.example/.well-known/oauth-protected-resource", "/orders"] {
        let mut request = request("GET", uri);
        for (name, value) in forged {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let response = now(layer.layer(service_fn(inner)), request);
        let headers = format!("{:?}", response.headers());
        assert!(!headers.contains("evil") && !response.body().contains("evil"), "{headers}");
        if uri == "/orders" {
            let challenge = response.headers()["www-authenticate"].to_str().unwrap();
            assert!(challenge.contains("\"https://api.example.com/.well-known/"), "{challenge}");
        } else {
            assert_eq!(response.body(), resource.json());
        }
    }
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn c05_in_axum_the_layer_answers_in_front_of_the_router() {
    use axum::{Router, body::Body, http::Method, routing::get};
    use http_body_util::BodyExt;

    let resource = usual().resource("https://api.example.com/mcp").build().unwrap();
    let routes = || Router::new().route("/mcp", get(async || "tools"));
    let layer = JwtAuthLayer::new(verifier());
    let around = routes().layer(layer.clone().protected_resource(resource.clone()));
    let by_hand = routes().route_layer(layer.resource_metadata(resource.clone()));
    let by_hand =
        resource.paths().fold(by_hand, |router, path| router.route_service(path, resource.clone()));
    for app in [around, by_hand] {
        for path in resource.paths() {
            for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::POST] {
                let request = Request::builder().method(&method).uri(path);
                let request = request.body(Body::empty()).unwrap();
                let response = app.clone().oneshot(request).await.unwrap();
                let status = response.status().as_u16();
                let body = response.into_body().collect().await.unwrap().to_bytes();
                let expected = match method {
                    Method::GET => (200, resource.json()),
                    Method::HEAD => (200, ""),
                    Method::OPTIONS => (204, ""),
                    _ => (405, ""),
                };
                assert_eq!((status, &*String::from_utf8_lossy(&body)), expected, "{method} {path}");
            }
        }
        let request = Request::get("/mcp").body(Body::empty()).unwrap();
        assert_eq!(app.oneshot(request).await.unwrap().status(), 401);
    }
}

#[test]
fn c04_who_has_the_document_is_told_so() {
    let resource = usual().build().unwrap();
    let tag_of =
        |response: &Response<String>| header(response.headers(), "etag").unwrap().to_owned();
    let asked = |method: &str, tags: &[&str]| {
        let mut request = request(method, ROOT);
        for tag in tags {
            request.headers_mut().append("if-none-match", tag.parse().unwrap());
        }
        request
    };
    for response in answers(&resource, &|| request("GET", ROOT)) {
        assert_eq!(tag_of(&response).len(), 45);
    }
    let tag = tag_of(&resource.response(&request("GET", ROOT)).unwrap());
    let weak = format!("W/{tag}");
    let (first, last) = (format!("{tag} , \"x\""), format!("\"x\",W/\"y\",{tag}"));
    for method in ["GET", "HEAD"] {
        for tags in [&[&*tag][..], &[&*weak], &["*"], &[&*first], &[&*last], &["\"x\"", &*tag]] {
            for response in answers(&resource, &|| asked(method, tags)) {
                assert_eq!((response.status().as_u16(), &**response.body()), (304, ""), "{tags:?}");
                let headers = response.headers();
                assert_eq!(header(headers, "etag"), Some(&*tag));
                assert_eq!(header(headers, "cache-control"), Some("public, max-age=3600"));
                assert_eq!(header(headers, "access-control-allow-origin"), Some("*"));
                assert!(!headers.contains_key("content-type"));
            }
        }
        let unquoted = tag.trim_matches('"');
        for tags in [&[][..], &["\"x\""], &[unquoted], &[""], &["W/"], &["w/*"]] {
            for response in answers(&resource, &|| asked(method, tags)) {
                assert_eq!(response.status(), 200, "{tags:?}");
            }
        }
    }
    for response in answers(&resource, &|| asked("OPTIONS", &["*"])) {
        assert_eq!(response.status(), 204);
    }
    // Another document has another tag.
    let other = usual().resource_name("Other").build().unwrap();
    assert_ne!(tag_of(&other.response(&request("GET", ROOT)).unwrap()), tag);
}
