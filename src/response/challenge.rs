//! `WWW-Authenticate` (RFC 6750 §3, RFC 9110 §11.6.1).

use std::{fmt::Write, sync::Arc};

use http::HeaderValue;

use super::step_up;
use crate::error::{Class, ErrorKind};

/// The challenges of a layer. The frequent ones are written once. A refusal within a layer finds them in
/// its request, and with them what else its answer must heed.
#[derive(Clone, Debug)]
pub(crate) struct Challenge {
    schemes: Arc<Schemes>,
    /// Whether the request had the scheme `DPoP`.
    is_dpop_used: bool,
    /// Whether the requests of the layer are those of a proxy for forward authentication.
    for_forward_auth: bool,
}

#[derive(Debug)]
struct Schemes {
    /// `None` if every token must have a DPoP proof.
    bearer: Option<Written>,
    /// `None` if no DPoP proof is checked.
    dpop: Option<Written>,
}

/// The challenges of one scheme.
#[derive(Debug)]
struct Written {
    /// The scheme and the parameters that each of its challenges has: the realm, of DPoP the
    /// algorithms, and the URL of the metadata.
    prefix: HeaderValue,
    /// Without an error, and with the scopes to ask for.
    without_error: HeaderValue,
    invalid_request: HeaderValue,
    invalid_token: HeaderValue,
}

/// The parameters of a layer's challenges.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChallengeParameters {
    /// RFC 9110 §11.5.
    pub(crate) realm: Option<Box<str>>,
    pub(crate) dpop: Option<DpopChallenge>,
    /// The URL of the protected resource metadata (RFC 9728 §5.1).
    pub(crate) resource_metadata: Option<Box<str>>,
    /// The scopes that a client without a valid token asks for, with blanks between them.
    pub(crate) scope: Option<Box<str>>,
}

impl ChallengeParameters {
    /// Whether they make the challenge that there is without a layer.
    pub(crate) fn are_default(&self) -> bool {
        let Self { realm, dpop, resource_metadata, scope } = self;
        realm.is_none() && dpop.is_none() && resource_metadata.is_none() && scope.is_none()
    }
}

/// The scheme `DPoP` of a challenge (RFC 9449 §7.1).
#[derive(Clone, Debug)]
pub(crate) struct DpopChallenge {
    /// The names of the algorithms that proofs may have, with blanks between them.
    pub(crate) algorithms: String,
    /// Whether it is the only scheme.
    pub(crate) is_required: bool,
}

impl Default for Challenge {
    /// Challenges of the scheme `Bearer` without parameters.
    fn default() -> Self {
        Self::new(&ChallengeParameters::default())
    }
}

impl Challenge {
    /// Challenges with these parameters. Characters that a header cannot have are replaced by
    /// question marks.
    pub(crate) fn new(parameters: &ChallengeParameters) -> Self {
        let ChallengeParameters { realm, dpop, resource_metadata, scope } = parameters;
        let scheme = |name: &str, algorithms: Option<&str>| {
            let mut prefix = name.to_owned();
            let of_all = [
                ("realm", realm.as_deref()),
                ("algs", algorithms),
                ("resource_metadata", resource_metadata.as_deref()),
            ];
            for (parameter, value) in of_all {
                if let Some(value) = value {
                    write_parameter(&mut prefix, parameter, value);
                }
            }
            let with_scope = |mut text: String| {
                if let Some(scope) = scope {
                    write_parameter(&mut text, "scope", scope);
                }
                value(text)
            };
            Written {
                without_error: with_scope(prefix.clone()),
                invalid_request: value(with_error(&prefix, Class::InvalidRequest)),
                invalid_token: with_scope(with_error(&prefix, Class::InvalidToken)),
                prefix: value(prefix),
            }
        };
        let is_required = dpop.as_ref().is_some_and(|dpop| dpop.is_required);
        let schemes = Schemes {
            bearer: (!is_required).then(|| scheme("Bearer", None)),
            dpop: dpop.as_ref().map(|dpop| scheme("DPoP", Some(&dpop.algorithms))),
        };
        Self { schemes: Arc::new(schemes), is_dpop_used: false, for_forward_auth: false }
    }

    /// The same for a request, which may have had the scheme `DPoP`.
    pub(crate) fn used(mut self, is_dpop_used: bool) -> Self {
        self.is_dpop_used |= is_dpop_used;
        self
    }

    /// The same for the requests of a proxy for forward authentication, if they are such ones.
    pub(crate) fn for_forward_auth(self, for_forward_auth: bool) -> Self {
        Self { for_forward_auth, ..self }
    }

    /// Whether the requests are those of a proxy for forward authentication.
    pub(crate) fn is_for_forward_auth(&self) -> bool {
        self.for_forward_auth
    }

    /// The challenges without an error, `Bearer` first: some clients read only one.
    pub(super) fn without_error(&self) -> Challenges {
        let Schemes { bearer, dpop } = &*self.schemes;
        [bearer, dpop].map(|scheme| scheme.as_ref().map(|scheme| scheme.without_error.clone()))
    }

    /// The challenges for an error, or none if the client's token is not at fault. The challenge
    /// of the scheme that the request had has the error (RFC 9449 §7.2).
    pub(super) fn values(&self, class: Class, kind: &ErrorKind) -> Challenges {
        match class {
            // RFC 6749 has no challenge. A 401 needs one (RFC 9110 §15.5.2), and the code is in
            // the body.
            Class::NoToken | Class::InvalidGrant => return self.without_error(),
            Class::CrossSite
            | Class::TooManyRequests
            | Class::Message
            | Class::Unavailable
            | Class::Failed => return [None, None],
            Class::InvalidRequest
            | Class::InvalidToken
            | Class::InsufficientScope
            | Class::InvalidProof
            | Class::UseNonce
            | Class::UserAuthentication => {}
        }
        let Schemes { bearer, dpop } = &*self.schemes;
        let is_dpop = self.is_dpop_used || matches!(class, Class::InvalidProof | Class::UseNonce);
        match (bearer, dpop) {
            (_, Some(dpop)) if is_dpop => [None, Some(dpop.for_error(class, kind))],
            (Some(bearer), dpop) => {
                let dpop = dpop.as_ref().map(|dpop| match class {
                    Class::InvalidToken => dpop.without_error.clone(),
                    _ => dpop.prefix.clone(),
                });
                [Some(bearer.for_error(class, kind)), dpop]
            }
            (None, dpop) => [None, dpop.as_ref().map(|dpop| dpop.for_error(class, kind))],
        }
    }
}

/// The values of `WWW-Authenticate`: at most one for each scheme.
pub(super) type Challenges = [Option<HeaderValue>; 2];

impl Written {
    fn for_error(&self, class: Class, kind: &ErrorKind) -> HeaderValue {
        match class {
            Class::InvalidRequest => self.invalid_request.clone(),
            Class::InvalidToken => self.invalid_token.clone(),
            _ => {
                let mut text = with_error(self.prefix.to_str().unwrap_or("Bearer"), class);
                if let ErrorKind::InsufficientScope { required, .. } = kind
                    && !required.is_empty()
                {
                    write_parameter(&mut text, "scope", &required.join(" "));
                }
                for (name, value) in step_up::parameters(kind) {
                    write_parameter(&mut text, name, &value);
                }
                value(text)
            }
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
        Class::Message => "the message cannot be read, or its session is unknown",
        Class::CrossSite => "the request is not shown to come from this site",
        Class::Unavailable => "the token cannot be checked now",
        Class::Failed => "the token could not be checked",
    }
}

fn with_error(prefix: &str, class: Class) -> String {
    let mut text = prefix.to_owned();
    if let Some(code) = class.code() {
        write_parameter(&mut text, "error", code);
    }
    write_parameter(&mut text, "error_description", description(class));
    text
}

/// Adds `name="value"`: behind a blank the first one, behind a comma the
/// others.
fn write_parameter(text: &mut String, name: &str, value: &str) {
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

    fn texts(challenge: &Challenge, kind: &ErrorKind) -> Vec<String> {
        let values = challenge.values(kind.class(), kind).into_iter().flatten();
        values.map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    fn text(realm: Option<&str>, kind: ErrorKind) -> Option<String> {
        texts(&with_realm(realm), &kind).pop()
    }

    fn with_realm(realm: Option<&str>) -> Challenge {
        let realm = realm.map(Box::from);
        Challenge::new(&ChallengeParameters { realm, ..ChallengeParameters::default() })
    }

    #[test]
    fn the_error_goes_with_the_scheme_that_was_used() {
        let challenge = |is_required| {
            let scheme = DpopChallenge { algorithms: "ES256 EdDSA".into(), is_required };
            Challenge::new(&ChallengeParameters {
                realm: Some("api".into()),
                dpop: Some(scheme),
                ..ChallengeParameters::default()
            })
        };
        let starts = |challenge: &Challenge, kind: ErrorKind| -> Vec<String> {
            let texts = texts(challenge, &kind);
            texts.iter().map(|text| text.split(", error_desc").next().unwrap().into()).collect()
        };
        let bearer = "Bearer realm=\"api\"";
        let dpop = "DPoP realm=\"api\", algs=\"ES256 EdDSA\"";
        let (both, only) = (challenge(false), challenge(true));
        assert_eq!(starts(&both, ErrorKind::MissingToken), [bearer, dpop]);
        assert_eq!(starts(&only, ErrorKind::MissingToken), [dpop]);

        let with = |scheme: &str, code: &str| format!("{scheme}, error=\"{code}\"");
        let invalid = with(bearer, "invalid_token");
        assert_eq!(starts(&both, ErrorKind::DpopScheme), [&invalid, dpop]);
        assert_eq!(starts(&only, ErrorKind::NotSenderConstrained), [with(dpop, "invalid_token")]);
        let used = both.used(true);
        assert_eq!(starts(&used, ErrorKind::Expired), [with(dpop, "invalid_token")]);
        let proof = ErrorKind::DpopProof(crate::error::ProofFault::Time);
        assert_eq!(starts(&used, proof), [with(dpop, "invalid_dpop_proof")]);
        let nonce = ErrorKind::DpopNonce { nonce: "n".into() };
        assert_eq!(starts(&used, nonce), [with(dpop, "use_dpop_nonce")]);
        assert!(starts(&used, ErrorKind::Failed).is_empty());
    }

    #[test]
    fn c06_each_challenge_names_the_metadata_and_a_401_the_scopes() {
        let dpop = DpopChallenge { algorithms: "ES256".into(), is_required: false };
        let challenge = Challenge::new(&ChallengeParameters {
            dpop: Some(dpop),
            resource_metadata: Some("https://a.example/.well-known/x".into()),
            scope: Some("read write".into()),
            ..ChallengeParameters::default()
        });
        let metadata = "resource_metadata=\"https://a.example/.well-known/x\"";
        let (bearer, dpop) =
            (format!("Bearer {metadata}"), format!("DPoP algs=\"ES256\", {metadata}"));
        let scope = ", scope=\"read write\"";
        let with_scope = |prefix: &String| format!("{prefix}{scope}");
        assert_eq!(
            texts(&challenge, &ErrorKind::MissingToken),
            [with_scope(&bearer), with_scope(&dpop)]
        );
        let expired = texts(&challenge, &ErrorKind::Expired);
        assert!(expired[0].starts_with(&format!("{bearer}, error=\"invalid_token\"")));
        assert!(expired[0].ends_with(scope));
        assert_eq!(expired[1], with_scope(&dpop));
        // The scopes of the operation, and no others.
        let kind = ErrorKind::InsufficientScope {
            required: ["admin".into()].into(),
            missing: ["admin".into()].into(),
        };
        let forbidden = texts(&challenge, &kind);
        assert!(forbidden[0].starts_with(&bearer) && forbidden[0].ends_with(", scope=\"admin\""));
        assert_eq!(forbidden[0].matches("scope=").count(), 1);
        assert_eq!(forbidden[1], dpop);
        let role = texts(&challenge, &ErrorKind::Forbidden { policy: "role".into() });
        assert!(role[0].contains(metadata) && !role[0].contains(", scope="), "{role:?}");
        let used = challenge.used(true);
        let proof = ErrorKind::DpopProof(crate::error::ProofFault::Time);
        let [proof] = texts(&used, &proof).try_into().unwrap();
        assert!(proof.starts_with(&dpop) && !proof.contains(", scope="), "{proof}");
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
            Class::Message,
            Class::Unavailable,
            Class::Failed,
        ] {
            let allowed = |b: u8| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\';
            assert!(description(class).bytes().all(allowed));
        }
    }
}
