//! The URLs of a resource and of its metadata, which only the configuration decides.

use http::Request;
use proptest::prelude::*;

use super::*;

fn at(url: &str) -> ProtectedResource {
    usual().resource(url).build().unwrap()
}

/// Whether a request for this path is answered with the metadata.
fn leads_to(resource: &ProtectedResource, path: &str) -> bool {
    let request = Request::get(path).body(()).unwrap();
    resource.response::<String>(&request).is_some()
}

#[test]
fn c01_the_path_of_the_metadata_is_before_that_of_the_resource() {
    for (resource, url) in [
        // RFC 9728 §3.1.
        (
            "https://resource.example.com",
            "https://resource.example.com/.well-known/oauth-protected-resource",
        ),
        (
            "https://resource.example.com/resource1",
            "https://resource.example.com/.well-known/oauth-protected-resource/resource1",
        ),
        (
            "https://api.example.com:8443/v1/mcp",
            "https://api.example.com:8443/.well-known/oauth-protected-resource/v1/mcp",
        ),
        (
            "http://127.0.0.1:3000/mcp",
            "http://127.0.0.1:3000/.well-known/oauth-protected-resource/mcp",
        ),
        (
            "https://[2001:db8::1]/a%2Fb",
            "https://[2001:db8::1]/.well-known/oauth-protected-resource/a%2Fb",
        ),
    ] {
        let metadata = at(resource);
        assert_eq!((metadata.resource(), metadata.metadata_url()), (resource, url));
        assert_eq!(document(&metadata)["resource"], resource);
        let path = url.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap();
        let paths: Vec<_> = metadata.paths().collect();
        assert_eq!(paths, [&path, &format!("{path}/")]);
        assert!(paths.iter().all(|path| leads_to(&metadata, path)));
    }
}

#[test]
fn c01_the_root_form_is_answered_if_it_is_asked_for() {
    let paths = ["/mcp", "/mcp/", "", "/"].map(|end| format!("{ROOT}{end}"));
    let resource = usual().resource("https://api.example.com/mcp");
    let both = resource.also_at_root().build().unwrap();
    assert_eq!(both.paths().collect::<Vec<_>>(), paths);
    // The same resource, not the origin, and the same URL in challenges.
    assert_eq!(document(&both)["resource"], "https://api.example.com/mcp");
    assert!(both.metadata_url().ends_with("/mcp"));
    let only = at("https://api.example.com/mcp");
    assert!(!leads_to(&only, ROOT) && leads_to(&both, ROOT));
    let root = usual().also_at_root().build().unwrap();
    assert_eq!(root.paths().count(), 2, "without a path there is nothing to add");
}

#[test]
fn c05_no_other_path_leads_to_it() {
    let resource = at("https://api.example.com/mcp");
    for path in [
        "/",
        "/mcp",
        "/.well-known",
        ROOT,
        "/.well-known/oauth-protected-resource/mc",
        "/.well-known/oauth-protected-resource/mcp/x",
        "/.well-known/oauth-protected-resource/mcp//",
        "/.well-known/oauth-protected-resource/mcp%2f",
        "/.well-known/oauth-protected-resource/mcpx",
        "/.well-known/oauth-protected-resource/MCP",
        "/.well-known/oauth-protected-resource/%6dcp",
        "/.well-known/oauth-protected-resource//mcp",
        "/.well-known/oauth-protected-resource/./mcp",
        "/x/../.well-known/oauth-protected-resource/mcp",
        "//.well-known/oauth-protected-resource/mcp",
        "/mcp/.well-known/oauth-protected-resource",
    ] {
        assert!(!leads_to(&resource, path), "{path}");
    }
    // A query is no part of the path.
    assert!(leads_to(&resource, "/.well-known/oauth-protected-resource/mcp?a=b"));
}

#[test]
fn c02_the_only_audience_is_the_resource() {
    assert_eq!(usual().build().unwrap().resource(), "https://api.example.com");
    for (name, said) in [
        ("https://api.example.com/", "say `.resource(\"https://api.example.com\")`"),
        ("https://API.example.com", "say `.resource(\"https://api.example.com\")`"),
        ("https://api.example.com:443/a/", "say `.resource(\"https://api.example.com/a\")`"),
        ("urn:example:api", ".metadata_url(\"https://…\")"),
        ("my-client-id", "is not an absolute `https` URL"),
        ("http://api.example.com", "is for loopback only"),
        ("https://api.example.com?a=b", "has a query"),
        ("https://api.example.com#a", "or a fragment"),
        ("https://user:secret@api.example.com", "without user information"),
    ] {
        let verifier = Verifier::builder()
            .issuer("https://login.example.com")
            .audience(name)
            .keys(tower_jwt_auth::Key::hs256([7; 32]))
            .build()
            .unwrap();
        let derived = error(ProtectedResource::builder(&verifier));
        assert!(derived.contains(said) && derived.contains(name), "{name}: {derived}");
        assert_eq!(error(usual().resource(name)), derived);
    }
    let several: Verifier = builder().audience("https://other.example.com").build().unwrap();
    let said = error(ProtectedResource::builder(&several));
    assert!(said.contains("several audiences"), "{said}");
    let any = Verifier::builder()
        .issuer("https://login.example.com")
        .any_audience()
        .keys(tower_jwt_auth::Key::hs256([7; 32]))
        .build()
        .unwrap();
    let said = error(ProtectedResource::builder(&any));
    assert!(said.contains("no audience of its own"), "{said}");
    let named = ProtectedResource::builder(&several).resource("https://other.example.com");
    assert_eq!(named.build().unwrap().resource(), "https://other.example.com");
}

#[test]
fn c02_a_resource_of_another_kind_needs_the_url_of_its_metadata() {
    let url = "https://api.example.com/metadata";
    for name in ["urn:example:api", "https://api.example.com/", "api://4711"] {
        let resource = usual().resource(name).metadata_url(url).build().unwrap();
        assert_eq!((resource.resource(), resource.metadata_url()), (name, url));
        assert_eq!(resource.paths().collect::<Vec<_>>(), ["/metadata"]);
    }
    for (name, url, said) in [
        ("urn:a#b", url, "is not an absolute URI"),
        ("http://api.example.com", url, "is for loopback only"),
        ("urn:a", "http://api.example.com/metadata", "is for loopback only"),
        ("urn:a", "https://api.example.com", "must have a path"),
        ("urn:a", "https://api.example.com/", "must have a path"),
        ("urn:a", "https://api.example.com/a/", "canonical form"),
        ("urn:a", "https://api.example.com/a?b", "has a query"),
        ("urn:a", "/metadata", "is not an absolute"),
    ] {
        let said_is = error(usual().resource(name).metadata_url(url));
        assert!(said_is.contains(said), "{name}, {url}: {said_is}");
    }
}

proptest! {
    #[test]
    fn c01_only_the_paths_of_the_resource_lead_to_it(
        segments in prop::collection::vec("[a-zA-Z0-9._~-]{1,6}", 0..4),
        other in "(/[a-zA-Z0-9._~%-]{0,6}){0,4}",
    ) {
        prop_assume!(!segments.iter().any(|segment| segment == "." || segment == ".."));
        let path: String = segments.iter().map(|segment| format!("/{segment}")).collect();
        let resource = at(&format!("https://api.example.com{path}"));
        let own = format!("{ROOT}{path}");
        prop_assert_eq!(resource.metadata_url(), format!("https://api.example.com{own}"));
        let with_slash = format!("{own}/");
        prop_assert!(leads_to(&resource, &own) && leads_to(&resource, &with_slash));
        let asked = format!("{ROOT}{other}");
        let is_own = asked == own || asked == with_slash;
        prop_assert_eq!(leads_to(&resource, &asked), is_own, "{}", asked);
    }
}
