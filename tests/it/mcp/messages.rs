//! Scopes of operations, and bodies that cannot be judged.

use http::HeaderValue;
use tower_jwt_auth::{
    ErrorKind, authorize::ScopeHierarchy, error::McpFault, response::ProblemJson,
};

use super::*;

#[tokio::test]
async fn c07_without_a_token_the_base_scopes_are_named() {
    let server = Server::new(preset().scopes(scopes()).build().unwrap());
    let bare = Request::post("/mcp").body(Full::default()).unwrap();
    let (response, reached) = server.send(bare).await;
    assert_eq!((response.status().as_u16(), reached), (401, false));
    let metadata = "https://api.example.com/.well-known/oauth-protected-resource";
    assert_eq!(
        response.headers()["www-authenticate"],
        format!("Bearer resource_metadata=\"{metadata}\", scope=\"mcp\"")
    );
    let document = Request::get("/.well-known/oauth-protected-resource");
    let (document, _) = server.send(document.body(Full::default()).unwrap()).await;
    let document: Value = serde_json::from_str(document.body()).unwrap();
    assert_eq!(document["scopes_supported"], json!(["mcp"]));

    // Scopes of the layer do not take the place of those without which nobody passes.
    let layer = JwtAuthLayer::new(verifier()).base_scopes(["other", "mcp"]);
    let server = Server::new(McpAuthLayer::builder(layer).scopes(scopes()).build().unwrap());
    let (response, _) = server.send(Request::post("/mcp").body(Full::default()).unwrap()).await;
    let challenge = response.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.ends_with("scope=\"mcp other\""), "{challenge}");
}

#[tokio::test]
async fn c08_a_refusal_names_all_scopes_of_the_operation() {
    let server = Server::new(preset().scopes(scopes()).build().unwrap());
    let (response, reached) = server.send(post("mcp other", &[], &call("admin"))).await;
    assert_eq!((response.status().as_u16(), reached), (403, false));
    let metadata = "https://api.example.com/.well-known/oauth-protected-resource";
    assert_eq!(
        response.headers()["www-authenticate"],
        format!(
            "Bearer resource_metadata=\"{metadata}\", error=\"insufficient_scope\", \
             error_description=\"the access token does not allow this\", scope=\"mcp read admin\""
        )
    );
}

#[tokio::test]
async fn c09_a_hierarchy_counts() {
    let hierarchy =
        ScopeHierarchy::new().implies("root", ["mcp", "admin"]).implies("admin", ["read"]);
    let verifier = builder().scope_hierarchy(hierarchy).build().unwrap();
    let layer =
        McpAuthLayer::builder(JwtAuthLayer::new(verifier)).scopes(scopes()).build().unwrap();
    let server = Server::new(layer);
    assert_eq!(server.status(post("root", &[], &call("admin"))).await.0, 200);
    let refused = server.status(post("mcp read", &[], &call("admin"))).await;
    assert_eq!(refused, (403, Some("mcp read admin".into())));
}

#[tokio::test]
async fn c14_each_operation_has_its_scopes() {
    const ALL: &str = "admin mcp prompt read resource task write";
    let server = Server::new(preset().scopes(scopes()).build().unwrap());
    for (body, needs) in [
        (message("initialize"), "mcp"),
        (message("ping"), "mcp"),
        (message("tools/list"), "mcp"),
        (message("notifications/initialized"), "mcp"),
        (json!({"id": 1, "result": {}}).to_string(), "mcp"),
        (call("read"), "mcp read"),
        (call("größe"), "mcp write"),
        (call("admin"), "mcp read admin"),
        (json!({"method": "prompts/get", "params": {"name": "p"}}).to_string(), "mcp prompt"),
        (json!({"method": "resources/read", "params": {"uri": "x:y"}}).to_string(), "mcp resource"),
        (
            json!({"method": "resources/subscribe", "params": {"uri": "x:y"}}).to_string(),
            "mcp resource",
        ),
        (
            json!({"method": "completion/complete", "params": {"ref": {"name": "p"}}}).to_string(),
            "mcp prompt",
        ),
        (
            json!({"method": "subscriptions/listen",
                   "params": {"notifications": {"resourceSubscriptions": ["x:y"]}}})
            .to_string(),
            "mcp resource",
        ),
        (json!({"method": "tasks/get", "params": {"taskId": "a"}}).to_string(), "mcp task"),
        // A batch needs what all of its messages need.
        (format!("[{},{}]", call("read"), message("ping")), "mcp read"),
        (format!("[{},{}]", call("read"), call("größe")), "mcp read write"),
    ] {
        assert_eq!(server.status(post(needs, &[], &body)).await.0, 200, "{body}");
        for missing in needs.split(' ') {
            let others: Vec<_> = ALL.split(' ').filter(|scope| *scope != missing).collect();
            let refused = server.status(post(&others.join(" "), &[], &body)).await;
            assert_eq!(refused, (403, Some(needs.into())), "{body} without {missing}");
        }
    }
}

fn listen(notifications: Value) -> String {
    let params = json!({ "notifications": notifications });
    json!({"method": "subscriptions/listen", "params": params}).to_string()
}

/// The notifications about a task have its result.
#[tokio::test]
async fn c14_to_listen_to_tasks_needs_what_a_task_needs() {
    let table = McpScopes::new().base(["mcp"]).method("tasks/get", ["tasks"]).tool("a", ["a"]);
    let server = Server::new(preset().scopes(table).build().unwrap());
    let tasks = listen(json!({"taskIds": ["a"], "toolsListChanged": true}));
    assert_eq!(server.status(post("mcp tasks", &[], &tasks)).await.0, 200);
    assert_eq!(server.status(post("mcp", &[], &tasks)).await, (403, Some("mcp tasks".into())));
    let core = listen(json!({"toolsListChanged": true, "promptsListChanged": true, "_meta": {}}));
    assert_eq!(server.status(post("mcp", &[], &core)).await.0, 200);
    for ambiguous in [json!({"taskIds": "a"}), json!({"TaskIds": ["a"]}), json!({"taskIds": [1]})] {
        assert_eq!(server.status(post("mcp tasks a", &[], &listen(ambiguous))).await.0, 400);
    }
    assert_eq!(server.status(post("mcp tasks a", &[], &listen(json!({"new": 1})))).await.0, 200);
}

/// A client that is told all scopes of the table would ask its user for them, and then hear that there is no
/// such tool.
#[tokio::test]
async fn c14_what_nobody_knows_needs_everything_and_names_no_scope() {
    let server = Server::new(preset().scopes(scopes()).build().unwrap());
    let all: Vec<_> = scopes().scopes().map(str::to_owned).collect();
    for (body, what) in [
        // A tool without an entry, and one that differs in its case.
        (call("other"), "the tool `other`"),
        (call("Read"), "the tool `Read`"),
        (call(""), "the tool ``"),
        (call("a\nb"), "the tool `a\\nb`"),
        (json!({"method": "prompts/get", "params": {"name": "read"}}).to_string(), "prompt `read`"),
        (json!({"method": "resources/read", "params": {"uri": "x:z"}}).to_string(), "`x:z`"),
        (message("tasks/cancel"), "the method `tasks/cancel`"),
        (message("tools/Call"), "the method `tools/Call`"),
        (message("notifications/custom"), "`notifications/custom`"),
        (message("x"), "the method `x`"),
        (message("tools/call"), "the message does not name"),
        (listen(json!({"later": true})), "the message does not name"),
        (format!("[{},{}]", call("read"), message("x")), "the method `x`"),
    ] {
        assert_eq!(server.status(post(&all.join(" "), &[], &body)).await.0, 200, "{body}");
        for missing in &all {
            let others: Vec<_> = all.iter().filter(|scope| *scope != missing).cloned().collect();
            let (response, reached) = server.send(post(&others.join(" "), &[], &body)).await;
            assert_eq!((response.status().as_u16(), reached), (403, false), "{body} {missing}");
            assert_eq!(named_scopes(&response), None, "{body}");
            let challenge = response.headers()["www-authenticate"].to_str().unwrap();
            assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
            // The operator is told which operation it is, and what is missing.
            let reason = error(&response).to_string();
            assert!(reason.contains(what) && reason.contains(&**missing), "{reason}");
            assert!(!challenge.contains(what) && !response.body().contains(what));
        }
    }
}

#[tokio::test]
async fn c14_other_http_methods_need_the_base_scopes_or_all() {
    let server = Server::new(preset().scopes(scopes()).build().unwrap());
    for method in ["GET", "DELETE", "HEAD", "OPTIONS"] {
        assert_eq!(server.status(request(method, "mcp", &[], "")).await.0, 200, "{method}");
        let refused = server.status(request(method, "read", &[], "")).await;
        assert_eq!(refused, (403, Some("mcp".into())), "{method}");
    }
    // A server that takes a message from such a request gets none, and nobody reads what comes after an
    // upgrade.
    for method in ["GET", "DELETE", "OPTIONS"] {
        let length = [("content-length", "9")];
        let (response, _) = server.send(request(method, "mcp", &length, &call("admin"))).await;
        assert_eq!((response.status().as_u16(), &**response.body()), (200, ""), "{method}");
    }
    // Java's client offers `h2c` in every first request.
    let all = "mcp read write admin prompt resource task";
    for (method, scopes, body, sees_upgrade) in [
        ("GET", "mcp", "", false),
        ("DELETE", "mcp", "", false),
        ("GET", all, "", true),
        ("POST", "mcp read", &*call("read"), false),
        ("POST", all, &*call("read"), false),
    ] {
        for (name, value) in [("upgrade", "websocket"), ("upgrade", "h2c"), ("upgrade", "")] {
            let upgrade =
                [("content-type", "application/json"), ("connection", "upgrade"), (name, value)];
            let (response, _) = server.send(request(method, scopes, &upgrade, body)).await;
            let seen = response.headers().contains_key("x-upgrade");
            assert_eq!((response.status().as_u16(), seen), (200, sees_upgrade), "{method} {value}");
        }
    }
    for method in ["PUT", "PATCH", "QUERY"] {
        let refused = server.status(request(method, "mcp read", &[], &call("read"))).await;
        assert_eq!(refused.0, 403, "{method}");
    }
}

#[tokio::test]
async fn c14_what_has_no_entry_needs_the_default_scopes() {
    let table = || McpScopes::new().base(["mcp"]).tool("a", ["x"]);
    let server = Server::new(preset().scopes(table().default_scopes(["d"])).build().unwrap());
    assert_eq!(server.status(post("mcp x", &[], &call("b"))).await, (403, Some("mcp d".into())));
    assert_eq!(server.status(post("mcp d", &[], &call("b"))).await.0, 200);
    let server = Server::new(preset().scopes(table().without_default_scopes()).build().unwrap());
    assert_eq!(server.status(post("mcp", &[], &call("b"))).await.0, 200);
    assert_eq!(server.status(post("mcp", &[], &message("x"))).await, (403, None));
    assert_eq!(server.status(post("mcp x", &[], &message("x"))).await.0, 200);
    // Without a table, a valid token is enough.
    let server = Server::new(preset().build().unwrap());
    for body in [call("b"), message("x")] {
        assert_eq!(server.status(post("", &[], &body)).await.0, 200);
    }
}

#[tokio::test]
async fn c14_the_body_is_the_judge_of_the_headers() {
    let server = Server::new(preset().scopes(scopes()).build().unwrap());
    let named = [("mcp-method", "tools/call"), ("mcp-name", "=?base64?Z3LDtsOfZQ==?=")];
    assert_eq!(server.status(post("mcp write", &named, &call("größe"))).await.0, 200);
    // The headers name a tool that the token allows, and the body another one.
    for body in [call("admin"), call("read"), message("ping"), format!("[{}]", call("größe"))] {
        assert_eq!(
            server.status(post("mcp write read admin", &named, &body)).await.0,
            400,
            "{body}"
        );
    }
    // The headers are enough for a refusal, also if there is no body to read.
    let refused = server.status(post("mcp", &named, "")).await;
    assert_eq!(refused, (403, Some("mcp write".into())));
    let list = [("mcp-method", "tools/list"), ("mcp-protocol-version", "2026-07-28")];
    assert_eq!(server.status(post("mcp", &list, &call("admin"))).await.0, 400);
    let mut twice = post("mcp", &[("mcp-method", "ping")], &message("ping"));
    twice.headers_mut().append("mcp-method", HeaderValue::from_static("ping"));
    let (response, reached) = server.send(twice).await;
    assert_eq!((response.status().as_u16(), reached), (400, false));
    assert!(matches!(error(&response).kind(), ErrorKind::Mcp(McpFault::HeaderMismatch)));
    assert!(!response.headers().contains_key("www-authenticate"), "the token is not at fault");
}

#[tokio::test]
async fn c14_the_answer_to_a_mismatch_has_the_id_of_the_message() {
    let layer = JwtAuthLayer::new(verifier()).respond_with(ProblemJson);
    let layer = McpAuthLayer::builder(layer).scopes(scopes()).build().unwrap();
    let server = layer.layer(service_fn(answer));
    for id in ["7", "\"a\\u0022b\"", "-1.5e3", "null"] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        let request = post("mcp", &[("mcp-method", "server/discover")], &body);
        let response = server.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 400);
        let said: Value = serde_json::from_str(response.body()).unwrap();
        let id: Value = serde_json::from_str(id).unwrap();
        assert_eq!((&said["id"], &said["error"]["code"]), (&id, &json!(-32020)));
    }
    for id in ["{}", "[1]", "1e999", r#"{"$serde_json::private::RawValue":"1"}"#] {
        let body = format!(r#"{{"id":{id},"method":"ping"}}"#);
        let response = server.clone().oneshot(post("mcp", &[], &body)).await.unwrap();
        assert_eq!(response.status(), 400, "{id}");
        let said: Value = serde_json::from_str(response.body()).unwrap();
        assert_eq!(said["error"]["code"], -32600, "{id}");
    }
}

#[tokio::test]
async fn c14_bodies_are_limited_and_passed_on_as_they_are() {
    let server = Server::new(preset().scopes(scopes()).max_body(200).build().unwrap());
    let odd = "\t{ \"params\":\r\n{\"name\":\"re\\u0061d\", \"arguments\":{\"n\":1.0e1}},\"method\":\"tools\\/call\" }\n ";
    let (response, _) = server.send(post("mcp read", &[], odd)).await;
    assert_eq!((response.status().as_u16(), &**response.body()), (200, odd));
    let padded = |length: usize| {
        let message = message("ping");
        let blanks = " ".repeat(length - message.len());
        message + &blanks
    };
    assert_eq!(server.status(post("mcp", &[], &padded(200))).await.0, 200);
    assert_eq!(server.status(post("mcp", &[], &padded(201))).await.0, 413);
    // Only after authentication.
    let mut request = post("mcp", &[], &padded(201));
    request.headers_mut().remove("authorization");
    assert_eq!(server.status(request).await.0, 401);
    let server = Server::new(preset().build().unwrap());
    assert_eq!(server.status(post("", &[], &padded(1024 * 1024))).await.0, 200);
    assert_eq!(server.status(post("", &[], &padded(1024 * 1024 + 1))).await.0, 413);
}

#[tokio::test]
async fn c14_a_batch_that_is_too_long_is_400() {
    let batch = |length: usize| format!("[{}]", vec![message("ping"); length].join(","));
    let server = Server::new(preset().build().unwrap());
    assert_eq!(server.status(post("", &[], &batch(100))).await.0, 200);
    let (response, reached) = server.send(post("", &[], &batch(101))).await;
    assert_eq!((response.status().as_u16(), reached), (400, false));
    assert!(matches!(error(&response).kind(), ErrorKind::Mcp(McpFault::BatchTooLong)));
    let server = Server::new(preset().max_batch(1).build().unwrap());
    assert_eq!(server.status(post("", &[], &batch(1))).await.0, 200);
    assert_eq!(server.status(post("", &[], &batch(2))).await.0, 400);
}

#[tokio::test]
async fn c14_an_encoded_body_and_one_of_another_type_is_415() {
    let server = Server::new(preset().scopes(scopes()).build().unwrap());
    for (name, value) in [("content-encoding", "gzip"), ("content-encoding", "deflate")] {
        assert_eq!(server.status(post("mcp", &[(name, value)], &message("ping"))).await.0, 415);
    }
    for content_type in ["text/plain", "application/json; charset=utf-7"] {
        let headers = [("content-type", content_type)];
        assert_eq!(server.status(request("POST", "mcp", &headers, &message("ping"))).await.0, 415);
    }
    assert_eq!(server.status(request("POST", "mcp", &[], &message("ping"))).await.0, 415);
}

#[tokio::test]
async fn c14_a_bad_body_is_400_only_after_authentication() {
    let server = Server::new(preset().scopes(scopes()).build().unwrap());
    for body in ["", "x", "[]", "{}", r#"{"method":"ping","method":"ping"}"#] {
        let (response, reached) = server.send(post("mcp", &[], body)).await;
        assert_eq!((response.status().as_u16(), reached), (400, false), "{body}");
        let (fault, code) = match body {
            "" | "x" => (McpFault::NotJson, -32700),
            _ => (McpFault::Malformed, -32600),
        };
        assert!(
            matches!(error(&response).kind(), ErrorKind::Mcp(found) if *found == fault),
            "{body}"
        );
        assert_eq!(response.headers()["content-type"], "application/json");
        let said: Value = serde_json::from_str(response.body()).unwrap();
        assert_eq!((&said["id"], &said["error"]["code"]), (&Value::Null, &json!(code)), "{body}");
        let mut anonymous = post("mcp", &[], body);
        anonymous.headers_mut().remove("authorization");
        assert_eq!(server.status(anonymous).await.0, 401, "{body}");
    }
}

#[tokio::test]
async fn c15_a_private_key_of_serde_json_does_not_hide_a_tool() {
    let server = Server::new(preset().scopes(scopes()).build().unwrap());
    let body = r#"{"method":"tools/call","params":
        {"$serde_json::private::RawValue":"{\"name\":\"admin\"}"}}"#;
    assert_eq!(server.status(post("mcp read admin", &[], body)).await.0, 400);
}

#[tokio::test]
async fn c14_legacy_revisions_can_be_refused() {
    let layer = preset().scopes(scopes()).without_legacy_revisions().build().unwrap();
    let server = Server::new(layer);
    for (version, status) in
        [(None, 400), (Some("2025-11-25"), 400), (Some("2026-07-28"), 200), (Some("x"), 400)]
    {
        let headers: Vec<_> =
            version.into_iter().map(|version| ("mcp-protocol-version", version)).collect();
        assert_eq!(server.status(request("GET", "mcp", &headers, "")).await.0, status);
        let headers = [&headers[..], &[("mcp-method", "ping")]].concat();
        assert_eq!(server.status(post("mcp", &headers, &message("ping"))).await.0, status);
    }
    let modern = ("mcp-protocol-version", "2026-07-28");
    let method = ("mcp-method", "ping");
    let batch = format!("[{}]", message("ping"));
    for (headers, body) in [
        (&[modern][..], &message("ping")),
        (&[modern], &batch),
        (&[modern, method], &batch),
        (&[modern, method, ("mcp-session-id", "s1")], &message("ping")),
    ] {
        assert_ne!(server.status(post("mcp", headers, body)).await.0, 200, "{headers:?} {body}");
    }
    // A client chooses another revision by this answer.
    let old = [("mcp-protocol-version", "2025-11-25")];
    let (response, _) = server.send(post("mcp", &old, &message("ping"))).await;
    let body: Value = serde_json::from_str(response.body()).unwrap();
    assert_eq!(body["error"]["code"], -32022);
    let data = json!({"supported": ["2026-07-28"], "requested": "2025-11-25"});
    assert_eq!(body["error"]["data"], data);
}

#[tokio::test]
async fn refusals_of_tokens_have_the_format_of_the_layer() {
    let layer = JwtAuthLayer::new(verifier()).respond_with(ProblemJson);
    let layer = McpAuthLayer::builder(layer).scopes(scopes()).build().unwrap();
    let server = service_fn(answer);
    let server = layer.layer(server);
    let problem = async |request: Request<Full<Bytes>>| {
        let response = server.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let problem: Value = serde_json::from_str(response.body()).unwrap();
        assert_eq!(problem["status"], response.status().as_u16());
        problem
    };
    assert_eq!(problem(post("mcp", &[], &call("read"))).await["scope"], "mcp read");
    let evil = [("origin", "https://evil.example")];
    assert_eq!(problem(post("mcp", &evil, &message("ping"))).await["title"], "Forbidden");
}

/// A server may read an array as an object, by the places in it.
#[tokio::test]
async fn c14_parameters_that_are_no_object_need_all_scopes() {
    let server = Server::new(preset().scopes(scopes()).build().unwrap());
    for method in ["tools/call", "subscriptions/listen", "completion/complete"] {
        for params in [json!([null, {"resourceSubscriptions": ["x:y"]}]), json!("x"), json!(1)] {
            let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
            let refused = server.status(post("mcp", &[], &body.to_string())).await;
            assert_eq!(refused.0, 403, "{body}");
        }
        assert_eq!(server.status(post("mcp", &[], &message(method))).await.0, 403, "{method}");
    }
}

/// A body of the largest size asks for many things at once, whatever scopes the token has.
#[tokio::test]
async fn c14_a_body_with_very_many_operations_costs_little() {
    let mut table = McpScopes::new().base(["mcp"]);
    for at in 0..200 {
        table = table.tool(format!("tool {at}"), [format!("scope{at}")]);
    }
    let server = Server::new(preset().scopes(table).build().unwrap());
    let listen = |uris: usize| {
        let params = json!({"notifications": {"resourceSubscriptions": vec!["a:"; uris]}});
        json!({"method": "subscriptions/listen", "params": params}).to_string()
    };
    let began = std::time::Instant::now();
    for _ in 0..10 {
        assert_eq!(server.status(post("", &[], &listen(999))).await.0, 403);
        assert_eq!(server.status(post("", &[], &listen(1_000))).await.0, 400);
        assert_eq!(server.status(post("", &[], &listen(1_001))).await.0, 400);
        let many = format!("[{}]", vec![listen(900); 90].join(","));
        let (response, _) = server.send(post("", &[], &many)).await;
        let kind = error(&response).kind();
        assert!(matches!(kind, ErrorKind::Mcp(McpFault::TooManyOperations)), "{kind:?}");
        assert_eq!(server.status(post("", &[], &listen(200_000))).await.0, 400);
        let batch = format!("[{}]", vec![r#"{"method":"a"}"#; 60_000].join(","));
        assert_eq!(server.status(post("", &[], &batch)).await.0, 400);
    }
    // It was more than ten seconds for one of them.
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
}
