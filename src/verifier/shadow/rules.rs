//! The shadow rules, as they are configured.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{ShadowRule, ask::Shadow};
use crate::{
    alg::{Algorithm, AlgorithmSet},
    error::{ConfigError, list},
    few::Few,
    observe::Observed,
    rules::{Rules, Types, seconds},
    token::{RequiredHeader, essence},
    verifier::limits::{check_required, check_required_header, check_types},
};

/// Rules that decide nothing, and report which tokens they would refuse. They are set with
/// [`VerifierBuilder::shadow`](crate::verifier::VerifierBuilder::shadow).
///
/// A method sets the rule of the method of the same name of the
/// [builder](crate::verifier::VerifierBuilder); those that begin with `refuse_` undo a permission of
/// the verifier. A shadow rule can only be stricter than the verifier: only tokens that the verifier
/// accepts are looked at.
///
/// # Defaults
///
/// - no rule
/// - leeway: that of the verifier
#[derive(Clone, Debug, Default)]
#[must_use = "return the rules from the closure"]
pub struct ShadowRules {
    issuers: Vec<String>,
    audiences: Vec<String>,
    clients: Vec<String>,
    algorithms: Option<AlgorithmSet>,
    types: Option<Box<[Box<str>]>>,
    required: BTreeSet<String>,
    required_header: RequiredHeader,
    leeway: Option<Duration>,
    max_age: Option<Duration>,
    refuse_events: bool,
    refuse_confirmation: bool,
    refuse_integer_subject: bool,
}

impl ShadowRules {
    /// Adds an issuer: `iss` must be one of those that are added here (`issuer`).
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuers.push(issuer.into());
        self
    }

    /// Adds a name of this service: `aud` must have one of those that are added here
    /// (`audience`).
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Adds a client: the token must be one of those that are added here (`client`).
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.clients.push(id.into());
        self
    }

    /// Sets the only algorithms (`algorithm_not_allowed`).
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// Sets the only values of `typ`, which must be there (`token_type`).
    pub fn token_types<T: Into<String>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        let types = types.into_iter().map(|typ| Box::from(essence(&typ.into())));
        self.types = Some(types.collect());
        self
    }

    /// Only access tokens of RFC 9068: `typ` is `at+jwt` (`token_type`), and all its claims are
    /// there (`missing_claim`).
    pub fn access_tokens_only(mut self) -> Self {
        self.types = Some(Box::new(["at+jwt".into()]));
        let names = ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"];
        self.required.extend(names.map(String::from));
        self
    }

    /// Adds a claim that is required (`missing_claim`): `sub` after
    /// [`without_subject`](crate::verifier::VerifierBuilder::without_subject), `exp` after
    /// [`without_expiry`](crate::verifier::DangerousVerifierBuilder::without_expiry), `jti` before
    /// a denylist.
    pub fn required_claim(mut self, name: impl Into<String>) -> Self {
        self.required.insert(name.into());
        self
    }

    /// Adds a parameter of the header that is required, and a value that it may have
    /// (`header_parameter`).
    pub fn required_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.required_header.add(name.into(), value.into());
        self
    }

    /// Sets a smaller leeway, in whole seconds, for `exp` (`expired`), `nbf` (`not_yet_valid`),
    /// `iat` (`issued_in_future`) and the maximum age (`too_old`).
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = Some(leeway);
        self
    }

    /// Sets a maximum age, in whole seconds. A token without `iat` would be refused, too
    /// (`too_old`).
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Refuses tokens with the claim `events` (`security_event`), where the verifier has
    /// [`any_events`](crate::verifier::VerifierBuilder::any_events).
    pub fn refuse_events(mut self) -> Self {
        self.refuse_events = true;
        self
    }

    /// Refuses tokens that are bound to a key of their sender (`sender_constrained`), where the
    /// verifier has
    /// [`ignore_confirmation`](crate::verifier::DangerousVerifierBuilder::ignore_confirmation).
    pub fn refuse_confirmation(mut self) -> Self {
        self.refuse_confirmation = true;
        self
    }

    /// Refuses a `sub` that is a number (`malformed_claims`), where the verifier has
    /// [`any_integer_subject`](crate::verifier::VerifierBuilder::any_integer_subject).
    pub fn refuse_integer_subject(mut self) -> Self {
        self.refuse_integer_subject = true;
        self
    }

    /// The rules of a verifier whose own rules are these; none if none is set.
    ///
    /// # Errors
    ///
    /// A rule is malformed, or can refuse nothing.
    pub(in crate::verifier) fn build(
        self,
        verifier: &Rules,
    ) -> Result<Option<Arc<Shadow>>, ConfigError> {
        let asked = self.asked(verifier);
        if asked.is_empty() {
            return Ok(None);
        }
        self.check(verifier)?;
        let texts = |names: Vec<String>| -> Option<Few<Arc<str>>> {
            (!names.is_empty()).then(|| names.into_iter().map(Arc::from).collect())
        };
        let rules = Rules {
            issuers: texts(self.issuers),
            audiences: texts(self.audiences),
            subject: false,
            leeway: self.leeway.map_or(verifier.leeway, seconds),
            max_age: self.max_age.map(seconds).or(verifier.max_age),
            types: self.types.map_or(Types::Usual, Types::Only),
            events: !self.refuse_events,
            without_expiry: true,
            integer_subject: true,
            required: self.required.into_iter().map(String::into_boxed_str).collect(),
        };
        let issuers = verifier.issuers.as_deref();
        Ok(Some(Arc::new(Shadow {
            rules,
            algorithms: self.algorithms,
            required_header: self.required_header,
            clients: self.clients.into(),
            refuse_confirmation: self.refuse_confirmation,
            refuse_integer_subject: self.refuse_integer_subject,
            issuers: issuers.map(|names| list(names.iter().map(|name| &**name))),
            asks_time: self.leeway.is_some() || self.max_age.is_some(),
            asked: asked.into_iter().map(Into::into).collect(),
            observed: Observed::default(),
        })))
    }

    /// The rules that are set.
    fn asked(&self, verifier: &Rules) -> Vec<ShadowRule> {
        let (leeway, age) = (self.leeway.is_some(), self.max_age.is_some());
        let has_age = age || (leeway && verifier.max_age.is_some());
        let all = [
            (ShadowRule::Algorithm, self.algorithms.is_some()),
            (ShadowRule::TokenType, self.types.is_some()),
            (ShadowRule::HeaderParameter, !self.required_header.is_empty()),
            (ShadowRule::Issuer, !self.issuers.is_empty()),
            (ShadowRule::Audience, !self.audiences.is_empty()),
            (ShadowRule::Client, !self.clients.is_empty()),
            (ShadowRule::MissingClaim, !self.required.is_empty()),
            (ShadowRule::SecurityEvent, self.refuse_events),
            (ShadowRule::SenderConstrained, self.refuse_confirmation),
            (ShadowRule::MalformedClaims, self.refuse_integer_subject),
            (ShadowRule::Expired, leeway),
            (ShadowRule::NotYetValid, leeway),
            (ShadowRule::IssuedInFuture, leeway),
            (ShadowRule::TooOld, has_age),
        ];
        all.into_iter().filter(|(_, is_set)| *is_set).map(|(rule, _)| rule).collect()
    }

    fn check(&self, verifier: &Rules) -> Result<(), ConfigError> {
        let names = self.issuers.iter().chain(&self.audiences).chain(&self.clients);
        if names.into_iter().any(|name| name.trim().is_empty()) {
            return Err(ConfigError::InvalidName(
                "an issuer, an audience or a client of the shadow rules is empty: name it, or leave \
                 the rule out",
            ));
        }
        check_required(self.required.iter())?;
        check_required_header(&self.required_header)?;
        if let Some(types) = &self.types {
            check_types(types)?;
        }
        if self.algorithms.is_some_and(AlgorithmSet::is_empty) {
            return Err(ConfigError::InvalidName(
                "the list of algorithms of the shadow rules is empty, name one or leave it out",
            ));
        }
        if self.leeway.is_some_and(|leeway| seconds(leeway) > verifier.leeway) {
            return Err(ConfigError::OutOfRange(
                "the leeway of the shadow rules is larger than that of the verifier, so it would refuse \
                 nothing: set a smaller one",
            ));
        }
        let longest = verifier.max_age.unwrap_or(i64::MAX);
        if self.max_age.is_some_and(|max_age| seconds(max_age) > longest) {
            return Err(ConfigError::OutOfRange(
                "the maximum age of the shadow rules is larger than that of the verifier, so it would \
                 refuse nothing: set a smaller one",
            ));
        }
        Ok(())
    }
}
