//! The checks that refuse attacks, and the settings that turn them off.

/// The check that refuses an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "test-util"), expect(dead_code, reason = "only the corpus has it all"))]
pub(crate) enum Check {
    /// The signature is that of a key, with the algorithm of that key.
    Keys,
    Form,
    Padding,
    Length,
    Header,
    Type,
    ClaimsForm,
    Issuer,
    Audience,
    Expiry,
    /// `exp` is there.
    HasExpiry,
    Times,
    Subject,
    /// `sub` is a text.
    SubjectType,
    Confirmation,
    Events,
    /// The request has a token.
    Token,
    /// The token is in the place where it is looked for.
    Source,
    /// The credentials are those of RFC 6750.
    Credentials,
    CrossSite,
    /// The token is an access token of RFC 9068.
    AccessToken,
    Scope,
    /// The form, the header, the signature, the key and the claims of a proof.
    Proof,
    /// `htu` of a proof.
    ProofAddress,
    /// `iat` of a proof.
    ProofTime,
    ProofNonce,
    /// A proof is accepted once.
    Replay,
    /// A token has the proofs that its `cnf` names, and the scheme of these.
    Binding,
    /// Every token is bound.
    Bound,
}

impl Check {
    /// The setting that stops the attack.
    #[cfg(feature = "test-util")]
    pub(crate) fn stopped_by(self) -> &'static str {
        match self {
            Self::Keys => {
                "`.keys(…)` of the verifier with the public keys of the issuer, and no shared \
                 secret beside them"
            }
            Self::Form => "a `Verifier` checks the form of every token (RFC 7515 §5.2)",
            Self::Padding => {
                "a `Verifier` checks the form of every token, unless `.any_padding()` is set"
            }
            Self::Length => "`.max_token_len(…)` of the verifier, by default 8 KiB",
            Self::Header => "a `Verifier` checks the header of every token (RFC 7515 §4.1.11)",
            Self::Type => {
                "the default types of a `Verifier`, or `.access_tokens_only()`; `.token_types(…)` \
                 sets others"
            }
            Self::ClaimsForm => {
                "a `Verifier` checks the types of registered claims, and their names"
            }
            Self::Issuer => "`.issuer(…)` of the verifier, or keys `.with_issuer(…)`",
            Self::Audience => "`.audience(…)` of the verifier",
            Self::Expiry => "`.leeway(…)` of the verifier, at most 300 s",
            Self::HasExpiry => {
                "a `Verifier` requires `exp`, unless `.dangerous().without_expiry(…)` is set"
            }
            Self::Times => {
                "a `Verifier` checks `nbf` and `iat`, with at most 300 s of `.leeway(…)`"
            }
            Self::Subject => "a `Verifier` requires `sub`, unless `.without_subject()` is set",
            Self::SubjectType => {
                "a `Verifier` requires a text in `sub`, unless `.any_integer_subject()` is set"
            }
            Self::Confirmation => {
                "a `Verifier` refuses tokens that are bound to a key, unless \
                 `.dangerous().ignore_confirmation()` is set"
            }
            Self::Events => {
                "a `Verifier` refuses logout tokens and other security events, unless \
                 `.any_events()` is set"
            }
            Self::Token => {
                "a `JwtAuthLayer` around the route, without `.optional()` and `.pass_through()`"
            }
            Self::Source => {
                "`.source(…)` of the layer: only the places that it names are looked at"
            }
            Self::Credentials => {
                "a `JwtAuthLayer` accepts one token in one place (RFC 6750 §2), unless a \
                 `.source(…)` reads another form"
            }
            Self::CrossSite => {
                "the cross-site check of `TokenSource::cookie(…)`, without \
                 `.dangerous().without_cross_site_check()`"
            }
            Self::AccessToken => "`.access_tokens_only()` of the verifier",
            Self::Scope => "`RequireLayer::scopes(…)` around the route",
            Self::Proof => {
                "`.dpop(…)` of the verifier: a `DPoP` makes all checks of each proof (RFC 9449 §4.3)"
            }
            Self::ProofAddress => "`.public_url(…)` of `DPoP`, without `.dangerous().trust_host()`",
            Self::ProofTime => {
                "`.max_age(…)` of `DPoP`, at most 300 s, and `.max_ahead(…)`; set \
                 `.any_client_clock()` of the run if its nonces have that"
            }
            Self::ProofNonce => "`.nonces(…)` of `DPoP`",
            Self::Replay => "`.replay_store(…)` of `DPoP`",
            Self::Binding => {
                "a `Verifier` accepts a bound token only with the proofs that its `cnf` names, and \
                 as `DPoP` only a token with `jkt`"
            }
            Self::Bound => "`DPoP::required()`",
        }
    }

    /// Whether it is about where a request has its token, and not about the token.
    #[cfg(feature = "test-util")]
    pub(crate) fn is_about_place(self) -> bool {
        matches!(self, Self::Token | Self::Source | Self::Credentials)
    }

    /// The setting of the verifier that turns the check off, if there is one.
    pub(crate) fn loosened_by(self) -> Option<&'static str> {
        Some(match self {
            Self::Padding => "any_padding",
            Self::Type => "token_types",
            Self::Issuer => "any_issuer",
            Self::Audience => "any_audience",
            Self::Expiry | Self::Times => "any_leeway",
            Self::HasExpiry => "without_expiry",
            Self::Subject => "without_subject",
            Self::SubjectType => "any_integer_subject",
            Self::Confirmation => "ignore_confirmation",
            Self::Events => "any_events",
            Self::Keys
            | Self::Form
            | Self::Length
            | Self::Header
            | Self::ClaimsForm
            | Self::Token
            | Self::Source
            | Self::Credentials
            | Self::CrossSite
            | Self::AccessToken
            | Self::Scope
            | Self::Proof
            | Self::ProofAddress
            | Self::ProofTime
            | Self::ProofNonce
            | Self::Replay
            | Self::Binding
            | Self::Bound => return None,
        })
    }
}
