//! `WWW-Authenticate` (RFC 6750 §3, RFC 9110 §11.6.1).

use std::{fmt::Write, sync::Arc};

use http::HeaderValue;

use super::step_up;
use crate::error::{Class, ErrorKind};

/// The challenges of a layer. The frequent ones are written once.
#[derive(Clone, Debug)]
pub(crate) struct Challenge(Arc<Written>);

#[derive(Debug)]
struct Written {
    /// `Bearer`, with the realm if there is one.
    bare: HeaderValue,
    invalid_request: HeaderValue,
    invalid_token: HeaderValue,
}

impl Challenge {
    /// Challenges with this realm (RFC 9110 §11.5). Characters that a header cannot have are
    /// replaced by question marks.
    pub(crate) fn new(realm: Option<&str>) -> Self {
        let mut bare = String::from("Bearer");
        if let Some(realm) = realm {
            write_parameter(&mut bare, "realm", realm);
        }
        let with = |class| value(with_error(&bare, class));
        Self(Arc::new(Written {
            invalid_request: with(Class::InvalidRequest),
            invalid_token: with(Class::InvalidToken),
            bare: value(bare),
        }))
    }

    /// The challenge without an error.
    pub(super) fn bare(&self) -> HeaderValue {
        self.0.bare.clone()
    }

    /// The challenge for an error, or `None` if the client's token is not at fault.
    pub(super) fn header(&self, class: Class, kind: &ErrorKind) -> Option<HeaderValue> {
        match class {
            // RFC 6749 has no challenge. A 401 needs one (RFC 9110 §15.5.2), and the code is in
            // the body.
            Class::NoToken | Class::InvalidGrant => Some(self.bare()),
            Class::InvalidRequest => Some(self.0.invalid_request.clone()),
            Class::InvalidToken => Some(self.0.invalid_token.clone()),
            Class::InsufficientScope => {
                let bare = self.0.bare.to_str().unwrap_or("Bearer");
                let mut text = with_error(bare, Class::InsufficientScope);
                if let ErrorKind::InsufficientScope { required, .. } = kind
                    && !required.is_empty()
                {
                    write_parameter(&mut text, "scope", &required.join(" "));
                }
                Some(value(text))
            }
            Class::UserAuthentication => {
                let bare = self.0.bare.to_str().unwrap_or("Bearer");
                let mut text = with_error(bare, class);
                step_up::write_parameters(&mut text, kind);
                Some(value(text))
            }
            Class::InvalidProof | Class::UseNonce => {
                let bare = self.0.bare.to_str().unwrap_or("Bearer");
                Some(value(with_error(bare, class)))
            }
            Class::CrossSite | Class::TooManyRequests | Class::Unavailable | Class::Failed => None,
        }
    }
}

/// The description for the client.
pub(super) fn description(class: Class) -> &'static str {
    match class {
        Class::NoToken => "this request needs a token, and has none",
        Class::InvalidRequest => "the request must have one well-formed token in one place",
        Class::InvalidToken => "the access token is not valid here, or not any more",
        Class::InsufficientScope => "the access token does not allow this",
        Class::InvalidGrant => "the session has ended, log in again",
        Class::InvalidProof => "the DPoP proof is not valid for this request",
        Class::UseNonce => "the DPoP proof must have the nonce of this server",
        Class::UserAuthentication => "a more recent or a stronger login is required",
        Class::TooManyRequests => "too many requests with this key",
        Class::CrossSite => "the request is not shown to come from this site",
        Class::Unavailable => "the token cannot be checked now",
        Class::Failed => "the token could not be checked",
    }
}

fn with_error(bare: &str, class: Class) -> String {
    let mut text = bare.to_owned();
    if let Some(code) = class.code() {
        write_parameter(&mut text, "error", code);
    }
    write_parameter(&mut text, "error_description", description(class));
    text
}

/// Adds `name="value"`: behind a blank the first one, behind a comma the
/// others.
pub(super) fn write_parameter(text: &mut String, name: &str, value: &str) {
    let comma = if text.contains('=') { "," } else { "" };
    // A string can always be written to.
    let _ = write!(text, "{comma} {name}=\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            ' '..='~' => text.push(c),
            _ => text.push('?'),
        }
    }
    text.push('"');
}

fn value(text: String) -> HeaderValue {
    // `write_parameter` writes only visible ASCII.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Bearer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(realm: Option<&str>, kind: ErrorKind) -> Option<String> {
        let value = Challenge::new(realm).header(kind.class(), &kind)?;
        Some(value.to_str().unwrap().to_owned())
    }

    #[test]
    fn bare_without_an_error() {
        assert_eq!(text(None, ErrorKind::MissingToken).unwrap(), "Bearer");
        assert_eq!(text(Some("api"), ErrorKind::MissingToken).unwrap(), r#"Bearer realm="api""#);
    }

    #[test]
    fn parameters_are_parted_by_commas() {
        assert_eq!(
            text(Some("api"), ErrorKind::Expired).unwrap(),
            "Bearer realm=\"api\", error=\"invalid_token\", \
             error_description=\"the access token is not valid here, or not any more\""
        );
        let scope = ErrorKind::InsufficientScope {
            required: ["a".into(), "b".into()].into(),
            missing: ["b".into()].into(),
        };
        assert_eq!(
            text(None, scope).unwrap(),
            "Bearer error=\"insufficient_scope\", \
             error_description=\"the access token does not allow this\", scope=\"a b\""
        );
        let none = ErrorKind::InsufficientScope { required: [].into(), missing: [].into() };
        assert!(!text(None, none).unwrap().contains("scope=\"\""));
    }

    #[test]
    fn quoted_and_escaped() {
        let realm = "a\"b\\c\r\nX: y\u{e4}=";
        assert_eq!(
            text(Some(realm), ErrorKind::MissingToken).unwrap(),
            r#"Bearer realm="a\"b\\c??X: y?=""#
        );
    }

    #[test]
    fn none_where_the_token_is_not_at_fault() {
        assert_eq!(text(None, ErrorKind::CrossSite { reason: "".into() }), None);
        assert_eq!(text(None, ErrorKind::Failed), None);
    }

    #[test]
    fn every_description_may_stand_in_a_header() {
        for class in [
            Class::NoToken,
            Class::InvalidRequest,
            Class::InvalidToken,
            Class::InsufficientScope,
            Class::InvalidGrant,
            Class::InvalidProof,
            Class::UseNonce,
            Class::UserAuthentication,
            Class::TooManyRequests,
            Class::CrossSite,
            Class::Unavailable,
            Class::Failed,
        ] {
            let allowed = |b: u8| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\';
            assert!(description(class).bytes().all(allowed));
        }
    }
}
