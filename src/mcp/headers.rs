//! The headers in which a request of the revision 2026-07-28 repeats what its body says.

use std::borrow::Cow;

use base64_simd::STANDARD;
use http::{HeaderMap, HeaderName};

use super::message::{Message, Messages, Operation, Subject};
use crate::{csrf::single_value, error::McpFault};

pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
pub(super) const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// The first revision with these headers. Later ones sort behind it.
pub(super) const FIRST: &str = "2026-07-28";

/// The headers of a request that are about its message. They are kept until the body is read.
#[derive(Debug)]
pub(super) struct McpHeaders {
    method: Option<Box<str>>,
    name: Option<Box<str>>,
    is_modern: bool,
}

impl McpHeaders {
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, McpFault> {
        let version = only(headers, &VERSION)?;
        Ok(Self {
            method: only(headers, &METHOD)?.map(Box::from),
            name: only(headers, &NAME)?.map(decoded).transpose()?,
            is_modern: version.is_some_and(|version| is_date(version) && version >= FIRST),
        })
    }

    pub(super) fn has_method(&self) -> bool {
        self.method.is_some()
    }

    /// Whether the request is of the revision 2026-07-28 or a later one.
    pub(super) fn is_modern(&self) -> bool {
        self.is_modern
    }

    /// The operation by the headers. It is only reason enough to refuse the request:
    /// the body has the last word.
    pub(super) fn operation(&self) -> Option<Operation<'_>> {
        let method = self.method.as_deref()?;
        match Subject::of(method) {
            subject @ (Subject::Tool | Subject::Resource | Subject::Prompt) => {
                subject.operation(Cow::Borrowed(self.name.as_deref()?))
            }
            Subject::Task | Subject::Reference | Subject::Subscriptions | Subject::None => {
                Some(Operation::Method(Cow::Borrowed(method)))
            }
        }
    }

    /// Checks that the body says the same.
    pub(super) fn check(&self, messages: &Messages<'_>) -> Result<(), McpFault> {
        let is_same = match messages {
            Messages::One(message) => self.agrees(message),
            // There are no batches in a revision with these headers.
            Messages::Batch(_) => self.method.is_none() && self.name.is_none(),
        };
        if is_same { Ok(()) } else { Err(McpFault::HeaderMismatch) }
    }

    fn agrees(&self, message: &Message<'_>) -> bool {
        let has_method =
            self.method.as_deref().is_none_or(|method| message.method() == Some(method));
        let has_name = self.name.as_deref().is_none_or(|name| match message.name() {
            Some(other) => other == name,
            // A later revision may have a name for other methods.
            None => message.method().is_some_and(|method| Subject::of(method) == Subject::None),
        });
        has_method && has_name
    }
}

/// The value of a header that may come once, if it is there.
pub(super) fn only<'r>(
    headers: &'r HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'r str>, McpFault> {
    single_value(headers, name.as_str()).ok_or(McpFault::HeaderMismatch)
}

/// The name that a value stands for. One that a header cannot have is in Base64 between `=?base64?` and
/// `?=`.
fn decoded(value: &str) -> Result<Box<str>, McpFault> {
    let encoded = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    let Some(encoded) = encoded else { return Ok(value.into()) };
    let bytes = STANDARD.decode_to_vec(encoded).map_err(|_| McpFault::HeaderMismatch)?;
    let name = String::from_utf8(bytes).map_err(|_| McpFault::HeaderMismatch)?;
    Ok(name.into())
}

/// Whether a text is a date such as `2026-07-28`, so that later ones are greater.
fn is_date(text: &str) -> bool {
    let is_in_place = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    text.len() == FIRST.len() && text.bytes().enumerate().all(is_in_place)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(all: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    fn agree(all: &[(HeaderName, &'static str)], body: &str) -> bool {
        let headers = headers(all);
        let messages = Messages::read(body.as_bytes(), 10).unwrap();
        McpHeaders::read(&headers).is_ok_and(|headers| headers.check(&messages).is_ok())
    }

    #[test]
    fn c14_headers_must_say_what_the_body_says() {
        let call = r#"{"method":"tools/call","params":{"name":"größe"}}"#;
        let list = r#"{"method":"tools/list"}"#;
        let batch = r#"[{"method":"tools/list"}]"#;
        let answer = r#"{"result":{}}"#;
        let good = "=?base64?Z3LDtsOfZQ==?=";
        for (headers, body) in [
            (&[][..], call),
            (&[(METHOD, "tools/call"), (NAME, good)], call),
            (&[(NAME, good)], call),
            (&[(METHOD, "tools/call")], call),
            (&[(METHOD, "tools/list")], list),
            (&[(METHOD, "tasks/result"), (NAME, "a")], r#"{"method":"tasks/result"}"#),
            (
                &[(METHOD, "tasks/get"), (NAME, "a")],
                r#"{"method":"tasks/get","params":{"taskId":"a"}}"#,
            ),
            (&[], batch),
            (&[], answer),
        ] {
            assert!(agree(headers, body), "{headers:?} {body}");
        }
        for (headers, body) in [
            (&[(METHOD, "tools/list")][..], call),
            (&[(METHOD, "Tools/Call")], call),
            (&[(METHOD, "tools/call"), (NAME, "echo")], call),
            // Padding is part of the encoding, and so is its alphabet.
            (&[(NAME, "=?base64?Z3LDtsOfZQ?=")], call),
            (&[(NAME, "=?base64?Z3LDtsOf_Q==?=")], call),
            (&[(NAME, "=?BASE64?Z3LDtsOfZQ==?=")], call),
            (&[(NAME, "=?base64?/w==?=")], call),
            (&[(NAME, "Z3LDtsOfZQ==")], call),
            (&[(METHOD, "tools/call"), (METHOD, "tools/call")], call),
            (&[(NAME, good), (NAME, good)], call),
            (&[(METHOD, "tools/list")], batch),
            (&[(METHOD, "tools/list")], answer),
            (&[(NAME, "x")], answer),
            (
                &[(METHOD, "tasks/get"), (NAME, "b")],
                r#"{"method":"tasks/get","params":{"taskId":"a"}}"#,
            ),
        ] {
            assert!(!agree(headers, body), "{headers:?} {body}");
        }
        let mut bytes = HeaderMap::new();
        bytes.insert(NAME, HeaderValue::from_bytes(b"gr\xf6\xdfe").unwrap());
        assert_eq!(McpHeaders::read(&bytes).unwrap_err(), McpFault::HeaderMismatch);
    }

    #[test]
    fn only_a_date_is_a_revision() {
        for (version, is_modern) in [
            ("2026-07-28", true),
            ("2026-11-01", true),
            ("2027-01-01", true),
            ("2025-11-25", false),
            ("draft", false),
            ("9", false),
            ("2026-07-28-rc1", false),
            ("2026/07/28", false),
        ] {
            let headers = headers(&[(VERSION, version)]);
            assert_eq!(McpHeaders::read(&headers).unwrap().is_modern(), is_modern, "{version}");
        }
        assert!(!McpHeaders::read(&HeaderMap::new()).unwrap().is_modern());
    }
}
