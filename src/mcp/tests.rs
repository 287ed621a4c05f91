//! How messages are read.

use serde_json::{Value, json};

use super::message::{Messages, Operation};
use crate::error::McpFault::{self, BatchTooLong, Malformed, NotJson};

/// Batches have at most three messages.
fn read(body: &str) -> Result<Vec<Operation<'static>>, McpFault> {
    let messages = Messages::read(body.as_bytes(), 3)?;
    let owned = |operation: &Operation<'_>| match operation.clone() {
        Operation::Answer => Operation::Answer,
        Operation::Unnamed => Operation::Unnamed,
        Operation::Method(text) => Operation::Method(text.into_owned().into()),
        Operation::Tool(text) => Operation::Tool(text.into_owned().into()),
        Operation::Resource(text) => Operation::Resource(text.into_owned().into()),
        Operation::Prompt(text) => Operation::Prompt(text.into_owned().into()),
    };
    Ok(messages.operations()?.iter().map(owned).collect())
}

fn tool(name: &'static str) -> Operation<'static> {
    Operation::Tool(name.into())
}

fn method(name: &'static str) -> Operation<'static> {
    Operation::Method(name.into())
}

fn resource(uri: &'static str) -> Operation<'static> {
    Operation::Resource(uri.into())
}

#[test]
fn c14_messages_say_what_they_ask_for() {
    for (body, operations) in [
        (json!({"method": "tools/call", "params": {"name": "a"}}), vec![tool("a")]),
        (
            json!({"method": "tools/call", "params": {"name": "a", "arguments": {"name": "b"}}}),
            vec![tool("a")],
        ),
        (
            json!({"method": "prompts/get", "params": {"name": "a"}}),
            vec![Operation::Prompt("a".into())],
        ),
        (json!({"method": "resources/read", "params": {"uri": "x:y"}}), vec![resource("x:y")]),
        (json!({"method": "resources/subscribe", "params": {"uri": "x:y"}}), vec![resource("x:y")]),
        (json!({"method": "initialize", "params": {"name": 5}}), vec![method("initialize")]),
        (json!({"method": "ping", "params": null}), vec![method("ping")]),
        (json!({"method": "ping", "params": [1, "a", {}]}), vec![method("ping")]),
        (json!({"method": "x", "params": {"Name": {}}}), vec![method("x")]),
        (json!({"id": 1, "result": {"method": "tools/call"}}), vec![Operation::Answer]),
        (json!({"id": 1, "error": null}), vec![Operation::Answer]),
        (
            json!({"method": "completion/complete",
                   "params": {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {}}}),
            vec![method("completion/complete"), Operation::Prompt("p".into())],
        ),
        (
            json!({"method": "completion/complete", "params": {"ref": {"uri": "x:{a}"}}}),
            vec![method("completion/complete"), resource("x:{a}")],
        ),
        (
            json!({"method": "subscriptions/listen",
                   "params": {"notifications": {"resourceSubscriptions": ["a:b", "c:d"]}}}),
            vec![method("subscriptions/listen"), resource("a:b"), resource("c:d")],
        ),
        (
            json!({"method": "subscriptions/listen", "params": {"notifications": {}}}),
            vec![method("subscriptions/listen")],
        ),
        (
            json!([{"method": "ping"}, {"method": "tools/call", "params": {"name": "a"}}]),
            vec![method("ping"), tool("a")],
        ),
    ] {
        assert_eq!(read(&body.to_string()), Ok(operations), "{body}");
    }
    let escaped = r#"{"\u006dethod":"tools\/call","par\u0061ms":{"n\u0061me":"\u0061"}}"#;
    assert_eq!(read(escaped), Ok(vec![tool("a")]));
}

#[test]
fn c14_what_needs_a_name_and_has_none_needs_everything() {
    for body in [
        json!({"method": "tools/call"}),
        json!({"method": "tools/call", "params": ["a"]}),
        json!({"method": "tools/call", "params": {"uri": "a"}}),
        json!({"method": "resources/read", "params": {"name": "a"}}),
        json!({"method": "prompts/get", "params": {"arguments": {"name": "a"}}}),
    ] {
        assert_eq!(read(&body.to_string()), Ok(vec![Operation::Unnamed]), "{body}");
    }
    for params in [json!({}), json!({"ref": {}}), json!({"ref": {"type": "ref/prompt"}})] {
        let body = json!({"method": "completion/complete", "params": params}).to_string();
        assert_eq!(
            read(&body),
            Ok(vec![method("completion/complete"), Operation::Unnamed]),
            "{body}"
        );
    }
}

#[test]
fn c14_what_is_not_one_message_is_malformed() {
    for body in [
        json!(null),
        json!("tools/call"),
        json!(5),
        json!([]),
        json!([[{"method": "ping"}]]),
        json!([{"method": "ping"}, 5]),
        json!({}),
        json!({"id": 1}),
        json!({"method": 5}),
        json!({"method": null}),
        json!({"method": ["tools/call"]}),
        json!({"method": "ping", "result": {}}),
        json!({"method": "ping", "error": {}}),
        json!({"method": "tools/call", "params": {"name": 5}}),
        json!({"method": "tools/call", "params": {"name": null}}),
        json!({"method": "completion/complete", "params": {"ref": "p"}}),
        json!({"method": "subscriptions/listen",
               "params": {"notifications": {"resourceSubscriptions": ["a", 5]}}}),
        json!({"method": "subscriptions/listen", "params": {"notifications": []}}),
        // A reader that ignores the case would find another method or another name.
        json!({"method": "ping", "Method": "tools/call"}),
        json!({"method": "tools/call", "params": {"name": "a"}, "paramſ": {"name": "b"}}),
        json!({"method": "tools/call", "params": {"name": "a", "NAME": "b"}}),
        json!({"method": "resources/read", "params": {"uri": "a", "Uri": "b"}}),
        json!({"method": "completion/complete", "params": {"ref": {"name": "a", "Name": "b"}}}),
    ] {
        assert_eq!(read(&body.to_string()), Err(Malformed), "{body}");
    }
    for body in
        ["", " ", "{", "{} {}", "\u{feff}{\"method\":\"ping\"}", "[{\"method\":\"ping\"}] x"]
    {
        assert_eq!(read(body), Err(NotJson), "{body}");
    }
    assert!(Messages::read(b"{\"method\":\"\xff\"}", 3).is_err());
    let utf16: Vec<u8> = r#"{"method":"ping"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(Messages::read(&utf16, 3).is_err());
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(read(&format!(r#"{{"method":"ping","params":{deep}}}"#)), Err(Malformed));
}

#[test]
fn c14_a_batch_has_at_most_so_many_messages() {
    let batch = |length: usize| format!("[{}]", vec![r#"{"method":"ping"}"#; length].join(","));
    assert_eq!(read(&batch(3)).map(|all| all.len()), Ok(3));
    assert_eq!(read(&batch(4)), Err(BatchTooLong));
    // The rest is not read.
    assert_eq!(read(&batch(4).replace(']', ",x")), Err(BatchTooLong));
    assert_eq!(read(&batch(2).replace(']', ",5]")), Err(Malformed));
    for not_json in [batch(3).replace(']', "] []"), batch(3) + "x"] {
        assert_eq!(read(&not_json), Err(NotJson), "{not_json}");
    }
}

#[test]
fn c15_names_that_come_twice_or_mark_values_of_serde_json_are_refused() {
    for body in [
        r#"{"method":"ping","method":"tools/call"}"#,
        r#"{"method":"ping","m\u0065thod":"ping"}"#,
        r#"{"method":"tools/call","params":{"name":"a"},"params":{"name":"b"}}"#,
        r#"{"method":"tools/call","params":{"name":"a","name":"b"}}"#,
        r#"{"method":"tools/call","params":{"name":"a","arguments":{"x":1,"x":2}}}"#,
        r#"{"id":1,"id":2,"method":"ping"}"#,
        r#"{"id":1,"result":{"x":1,"x":1}}"#,
        r#"{"id":1,"result":{},"result":{}}"#,
        r#"[{"method":"ping","method":"ping"}]"#,
        r#"{"method":"tools/call","params":{"$serde_json::private::RawValue":"{\"name\":\"a\"}"}}"#,
        r#"{"method":"tools/call","params":{"name":{"$serde_json::private::RawValue":"\"a\""}}}"#,
        r#"{"method":"tools/call","params":{"name":{"$serde_json::private::Number":"1"}}}"#,
        r#"{"method":"tools/call","params":{"name":"a","arguments":{"$serde_json::private::RawValue":"1"}}}"#,
        r#"{"$serde_json::private::RawValue":"{\"method\":\"tools/call\"}"}"#,
        r#"{"method":"ping","$serde_json::private::Number":"1"}"#,
        r#"[{"$serde_json::private::RawValue":"1"}]"#,
    ] {
        assert_eq!(read(body), Err(Malformed), "{body}");
    }
    // `serde_json` reads such a member as another value, so this test has a reason.
    let trap = r#"{"params":{"$serde_json::private::RawValue":"{\"name\":\"a\"}"}}"#;
    let seen: Value = serde_json::from_str(trap).unwrap();
    assert_eq!(seen, json!({"params": {"name": "a"}}));
}
