//! Entries with a policy, entries for many resources, and what a table says of itself.

use std::time::Duration;

use tower_jwt_auth::{
    authorize::{
        PolicyExt, Roles, ScopeHierarchy, Scopes, StepUp, authenticated, sender_constrained,
    },
    mcp::McpEntry,
    resource::ProtectedResource,
};

use super::*;

fn table() -> McpScopes {
    McpScopes::new()
        .base(["mcp"])
        .tool("read", ["read"])
        .require(McpEntry::tool("whoami"), authenticated())
        .require(McpEntry::tool("any"), Scopes::any_of(["a", "b"]))
        .require(McpEntry::tool("or"), Scopes::all_of(["c", "d"]).or(Scopes::all_of(["e"])))
        .require(McpEntry::tool("editor"), Roles::at("roles").any_of(["editor"]))
        .require(McpEntry::prompt("p"), Scopes::all_of(["prompt"]))
        .require(McpEntry::resource("x:y"), Scopes::any_of(["f", "g"]))
        .require(McpEntry::method("tasks/get"), authenticated())
}

/// A call with a token of these claims.
fn call_with(claims: Value, tool: &str) -> Request<Full<Bytes>> {
    let mut request = post("", &[], &call(tool));
    let token = format!("Bearer {}", token_with(claims));
    request.headers_mut().insert("authorization", token.parse().unwrap());
    request
}

#[tokio::test]
async fn c08_a_policy_is_checked_and_named_together_with_the_base_scopes() {
    let server = Server::new(preset().scopes(table()).build().unwrap());
    for (tool, scope, named) in [
        ("whoami", "mcp", None),
        ("whoami", "other", Some("mcp")),
        ("any", "mcp a", None),
        ("any", "mcp b", None),
        ("any", "mcp", Some("mcp a b")),
        ("any", "", Some("mcp a b")),
        // The policy is satisfied: a new token must satisfy it, too, by the scopes that it has.
        ("any", "b", Some("mcp b")),
        ("or", "mcp c d", None),
        ("or", "mcp e", None),
        ("or", "mcp c", Some("mcp c d")),
        ("or", "e", Some("mcp e")),
    ] {
        let seen = server.status(post(scope, &[], &call(tool))).await;
        let status = if named.is_some() { 403 } else { 200 };
        assert_eq!(seen, (status, named.map(str::to_owned)), "{tool} {scope}");
        // A token with the scopes that the refusal names is accepted.
        if let Some(named) = named {
            assert_eq!(server.status(post(named, &[], &call(tool))).await.0, 200, "{tool}");
        }
    }
    let get = json!({"method": "tasks/get", "params": {"taskId": "a"}}).to_string();
    assert_eq!(server.status(post("mcp", &[], &get)).await.0, 200);
    let prompt = json!({"method": "prompts/get", "params": {"name": "p"}}).to_string();
    let refused = server.status(post("", &[], &prompt)).await;
    assert_eq!(refused, (403, Some("mcp prompt".into())));
}

#[tokio::test]
async fn c08_a_role_is_no_scope() {
    let server = Server::new(preset().scopes(table()).build().unwrap());
    let editor = json!({"scope": "mcp", "roles": ["editor"]});
    assert_eq!(server.status(call_with(editor, "editor")).await.0, 200);
    // No scope helps, whether or not the base scope is there.
    for scope in ["mcp", ""] {
        let reader = json!({"scope": scope, "roles": ["reader"]});
        assert_eq!(server.status(call_with(reader, "editor")).await, (403, None));
    }
    let editor = json!({"roles": ["editor"]});
    assert_eq!(server.status(call_with(editor, "editor")).await, (403, Some("mcp".into())));
}

#[tokio::test]
async fn c14_a_batch_and_an_unknown_tool_need_what_the_policies_require_together() {
    let server = Server::new(preset().scopes(table()).build().unwrap());
    let batch = format!("[{},{},{}]", call("any"), call("read"), call("any"));
    assert_eq!(server.status(post("mcp b read", &[], &batch)).await.0, 200);
    let refused = server.status(post("mcp b", &[], &batch)).await;
    assert_eq!(refused, (403, Some("mcp read b".into())));
    // Scopes are not enough for a tool of which nobody knows what it requires: one needs a role.
    let all = table().scopes().map(str::to_owned).collect::<Vec<_>>().join(" ");
    let claims = |roles: Value| json!({"scope": all, "roles": roles});
    assert_eq!(server.status(call_with(claims(json!(["editor"])), "x")).await.0, 200);
    assert_eq!(server.status(call_with(claims(json!([])), "x")).await, (403, None));
}

#[tokio::test]
async fn c09_a_hierarchy_counts_for_policies_too() {
    let hierarchy = ScopeHierarchy::new().implies("root", ["mcp", "b"]);
    let verifier = builder().scope_hierarchy(hierarchy).build().unwrap();
    let layer = McpAuthLayer::builder(JwtAuthLayer::new(verifier)).scopes(table());
    let server = Server::new(layer.build().unwrap());
    assert_eq!(server.status(post("root", &[], &call("any"))).await.0, 200);
    assert_eq!(server.status(post("root", &[], &call("or"))).await.1, Some("mcp c d".into()));
}

#[tokio::test]
async fn a_tool_may_ask_for_a_login_or_a_bound_token() {
    let recent = StepUp::login_within(Duration::from_secs(60)).and(Scopes::all_of(["pay"]));
    let table = McpScopes::new()
        .base(["mcp"])
        .require(McpEntry::tool("pay"), recent)
        .require(McpEntry::tool("bound"), sender_constrained());
    let server = Server::new(preset().scopes(table).build().unwrap());
    let (response, reached) = server.send(post("mcp", &[], &call("pay"))).await;
    assert_eq!((response.status().as_u16(), reached), (401, false));
    let challenge = response.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("error=\"insufficient_user_authentication\""), "{challenge}");
    assert!(challenge.contains("max_age=60") || challenge.contains("max_age=\"60\""));
    assert!(challenge.contains("scope=\"mcp pay\""), "{challenge}");
    assert_eq!(server.status(post("mcp", &[], &call("bound"))).await.0, 401);
    // Nobody is asked for a login because of a tool that may not exist.
    assert_eq!(server.status(post("mcp", &[], &call("x"))).await, (403, None));
}

#[tokio::test]
async fn a_service_without_base_scopes_has_tools_without_scopes() {
    let table = McpScopes::new()
        .require(McpEntry::tool("whoami"), authenticated())
        .tool("write", ["write"]);
    let server = Server::new(preset().scopes(table).build().unwrap());
    assert_eq!(server.status(post("", &[], &call("whoami"))).await.0, 200);
    assert_eq!(server.status(post("", &[], &call("write"))).await, (403, Some("write".into())));
    assert_eq!(server.status(post("", &[], &call("other"))).await, (403, None));
}

#[tokio::test]
async fn c14_resources_under_a_uri_have_its_scopes_unless_there_is_a_doubt() {
    let table = McpScopes::new()
        .base(["mcp"])
        .resources_under("file:///docs/", ["docs"])
        .resource("file:///docs/secret", ["secret"])
        .without_default_scopes();
    let server = Server::new(preset().scopes(table).build().unwrap());
    let read = |uri: &str| json!({"method": "resources/read", "params": {"uri": uri}}).to_string();
    for (uri, needs) in [
        ("file:///docs/a/b.txt", "mcp docs"),
        ("file:///docs/secret", "mcp secret"),
        ("file:///other", "mcp"),
    ] {
        assert_eq!(server.status(post(needs, &[], &read(uri))).await.0, 200, "{uri}");
        let refused = server.status(post("", &[], &read(uri))).await;
        assert_eq!(refused, (403, Some(needs.into())), "{uri}");
    }
    // Not the default scopes, which are weaker.
    for uri in [
        "file:///docs/%73ecret",
        "file:///docs/SECRET",
        "file:///docs/x/../secret",
        "file:///x/../docs/secret",
        "file:///%64ocs/secret",
        "file:////docs/secret",
        "file:///docs",
    ] {
        assert_eq!(server.status(post("mcp docs", &[], &read(uri))).await, (403, None), "{uri}");
        assert_eq!(server.status(post("mcp docs secret", &[], &read(uri))).await.0, 200, "{uri}");
    }
}

#[tokio::test]
async fn a_policy_sees_the_claims_of_a_layer_with_a_type() {
    #[derive(serde::Deserialize)]
    struct User {
        roles: Vec<String>,
    }

    let verifier = builder::<User>().build().unwrap();
    let layer = McpAuthLayer::builder(JwtAuthLayer::new(verifier)).scopes(table()).build().unwrap();
    let server = layer.layer(service_fn(async |request: Request<Full<Bytes>>| {
        let user = request.extensions().get::<Claims<User>>().unwrap();
        Ok::<_, Infallible>(Response::new(user.roles.concat()))
    }));
    let editor = call_with(json!({"scope": "mcp", "roles": ["editor"]}), "editor");
    let response = server.clone().oneshot(editor).await.unwrap();
    assert_eq!((response.status().as_u16(), &**response.body()), (200, "editor"));
    let reader = call_with(json!({"scope": "mcp", "roles": ["reader"]}), "editor");
    assert_eq!(server.oneshot(reader).await.unwrap().status(), 403);
}

/// One declaration is checked, named, listed and published.
#[test]
fn a_table_describes_itself() {
    let table = table().resources_under("file:///docs/", ["docs"]);
    let lines: Vec<_> = table.describe().iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "tool any: the scope mcp, and one of the scopes a b",
            "tool editor: the scope mcp, and the role editor in `roles`",
            "tool or: the scope mcp, and (all of the scopes c d, or the scope e)",
            "tool read: all of the scopes mcp read",
            "tool whoami: the scope mcp",
            "resource x:y: the scope mcp, and one of the scopes f g",
            "resources under file:///docs/: all of the scopes mcp docs",
            "prompt p: the scope mcp, and the scope prompt",
            "method tasks/get: the scope mcp",
        ]
    );
    let any = &table.describe()[0];
    assert_eq!(any.entry(), &McpEntry::Tool("any".into()));
    assert_eq!(any.entry().name(), "any");
    assert_eq!(any.policy().scopes(), ["mcp", "a", "b"]);
    let all: Vec<_> = table.scopes().collect();
    assert_eq!(all, ["a", "b", "c", "d", "docs", "e", "f", "g", "mcp", "prompt", "read"]);
    let resource = ProtectedResource::builder(&verifier()).scopes_supported(table.scopes());
    let document: Value = serde_json::from_str(resource.build().unwrap().json()).unwrap();
    assert_eq!(document["scopes_supported"], json!(all));
    let without = McpScopes::new().require(McpEntry::tool("a"), authenticated());
    assert_eq!(without.describe()[0].to_string(), "tool a: a valid token");
}
