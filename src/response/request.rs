//! The request that was refused, as far as an answer may depend on it.

use http::{HeaderValue, Method, Version, header};

use crate::request_head::RequestHead;

/// The part of a request that its [`Rejection`](super::Rejection) shows.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestFacts {
    pub(super) version: Option<Version>,
    pub(super) is_post: bool,
    pub(super) content_type: Option<HeaderValue>,
    pub(super) scheme: Option<&'static str>,
}

impl From<RequestHead<'_>> for RequestFacts {
    #[cold]
    fn from(head: RequestHead<'_>) -> Self {
        let mut facts = Self {
            version: Some(head.version()),
            is_post: *head.method() == Method::POST,
            ..Self::default()
        };
        // Fewer comparisons than it takes to hash two names, unless there are very many. Of several
        // values, the first counts.
        for (name, value) in head.headers() {
            if *name == header::CONTENT_TYPE && facts.content_type.is_none() {
                facts.content_type = Some(value.clone());
            } else if *name == header::AUTHORIZATION && facts.scheme.is_none() {
                facts.scheme = scheme(value);
            }
        }
        facts
    }
}

/// The scheme of RFC 9449.
pub(super) const DPOP: &str = "DPoP";

/// The scheme of credentials, if it is one that carries tokens. Anything else may be a token
/// without a scheme, which must not be shown.
fn scheme(credentials: &HeaderValue) -> Option<&'static str> {
    let scheme = credentials.as_bytes().split(|byte| *byte == b' ').next()?;
    ["Bearer", DPOP].into_iter().find(|known| scheme.eq_ignore_ascii_case(known.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_schemes_are_shown() {
        for (credentials, expected) in [
            ("Bearer x", Some("Bearer")),
            ("bEARER x", Some("Bearer")),
            ("dpop x", Some("DPoP")),
            ("Bearer", Some("Bearer")),
            ("Bearerx", None),
            ("secret", None),
            ("secret Bearer", None),
            ("", None),
        ] {
            assert_eq!(scheme(&HeaderValue::from_static(credentials)), expected, "{credentials}");
        }
    }
}
