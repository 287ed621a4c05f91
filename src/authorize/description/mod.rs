//! The requirements of a policy, as a value that documents are made of.

mod alternatives;
mod display;
mod serialize;

use std::{sync::Arc, time::Duration};

pub use self::alternatives::PolicyAlternative;
pub(super) use self::display::write_words;

/// The requirements of a [`Policy`](super::Policy), for challenges and documents.
///
/// A policy [describes](super::Policy::describe) itself. The crate makes its challenges from the same value,
/// so a document that is made from it asks for what is enforced.
///
/// | for | method |
/// |---|---|
/// | the security requirements of an OpenAPI operation | [`alternatives`](Self::alternatives) |
/// | `scopes_supported` of protected resource metadata (RFC 9728 §2) | [`scopes`](Self::scopes) |
/// | the description of an operation | [`Display`](std::fmt::Display): one line of plain English |
/// | the login that is required (RFC 9470) | [`acr_values`](Self::acr_values), [`max_age`](Self::max_age) |
/// | a token that is bound to its sender (RFC 9449, RFC 8705) | [`requires_sender_constrained`](Self::requires_sender_constrained) |
/// | everything, as JSON | `serde::Serialize` |
///
/// A closure cannot say what it requires. Its description is opaque: "a condition of the
/// application", unless [`described_as`](super::PolicyExt::described_as) gives it another one.
///
/// # Example: the documentation of a route
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth::{
///     RequireLayer,
///     authorize::{PolicyDescription, PolicyExt, Scopes, StepUp},
/// };
///
/// let policy = Scopes::all_of(["pay", "read"])
///     .and(StepUp::acr(["phr"]).max_age(Duration::from_secs(300)));
/// let description = PolicyDescription::of(&policy);
/// assert_eq!(
///     description.to_string(),
///     "all of the scopes pay read, and a login of acr phr within 300 s"
/// );
/// assert_eq!(description.scopes(), ["pay", "read"]);
/// assert_eq!(description.max_age(), Some(Duration::from_secs(300)));
/// assert_eq!(
///     serde_json::to_string(&description)?,
///     r#"{"all_of":[{"all_scopes":["pay","read"]},{"login":{"acr_values":["phr"],"max_age":300}}]}"#
/// );
/// // A layer has the description of its policy.
/// assert_eq!(RequireLayer::new(policy).describe(), description);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDescription(Arc<Term>);

/// One requirement, or several that are combined.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Term {
    AllScopes(Words),
    AnyScope(Words),
    Login(Login),
    SenderConstrained,
    /// A requirement that only a text can say.
    Text(Box<str>),
    /// A requirement of which nothing is known.
    Opaque,
    /// Without any: every verified token is accepted.
    All(Vec<PolicyDescription>),
    Any(Vec<PolicyDescription>),
    Not(PolicyDescription),
    /// Another text for what `of` says.
    Named {
        text: Box<str>,
        of: PolicyDescription,
    },
    /// No token is accepted; the reason is for the operator.
    Never(&'static str),
}

/// Scopes, or `acr` values.
pub(super) type Words = Box<[Box<str>]>;

/// A login that is required (RFC 9470).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Login {
    /// In the order of preference. Any is good if it is empty.
    pub(super) acr_values: Words,
    /// Whether a stronger one is good, too.
    pub(super) or_stronger: bool,
    pub(super) max_age: Option<Duration>,
}

impl PolicyDescription {
    /// Both requirements, or all of them. Without any, every verified token is accepted.
    #[must_use]
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match &*part.0 {
                Term::All(parts) => flat.extend(parts.iter().cloned()),
                _ => flat.push(part),
            }
        }
        Self::one_or(flat, Term::All)
    }

    /// One of these requirements. Without any, no token is accepted.
    #[must_use]
    pub fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match &*part.0 {
                Term::Any(parts) => flat.extend(parts.iter().cloned()),
                _ => flat.push(part),
            }
        }
        match flat.is_empty() {
            true => Term::Never("no alternative is given").into(),
            false => Self::one_or(flat, Term::Any),
        }
    }

    /// The contrary of a requirement. With a login in it, no token is accepted; see
    /// [`StepUp`](super::StepUp).
    #[must_use]
    pub fn contrary(part: Self) -> Self {
        if part.asks_for_login() {
            return Term::Never("a step-up is under `not`").into();
        }
        match &*part.0 {
            Term::Not(inner) => inner.clone(),
            Term::Never(reason) => Term::Never(reason).into(),
            _ => Term::Not(part).into(),
        }
    }

    /// This description with another text.
    ///
    /// If it is opaque, the other description takes its place. Otherwise, only the text is taken: the
    /// scopes, the login and the challenge remain those of the policy.
    #[must_use]
    pub fn described_as(self, other: impl Into<Self>) -> Self {
        let other = other.into();
        match *self.0 {
            Term::Opaque => other,
            _ => Term::Named { text: other.to_string().into(), of: self }.into(),
        }
    }

    /// The `acr` values that a challenge asks for, in the order of preference (RFC 9470 §3). It is
    /// empty if no login is required, or only by one of several alternatives.
    #[must_use]
    pub fn acr_values(&self) -> Vec<String> {
        let values = self.login().map(|login| login.acr_values).unwrap_or_default();
        values.into_iter().map(String::from).collect()
    }

    /// The maximum age of the login that a challenge asks for (RFC 9470 §3). `None` if no maximum is
    /// required, or only by one of several alternatives.
    #[must_use]
    pub fn max_age(&self) -> Option<Duration> {
        self.login()?.max_age
    }

    /// Whether each token that is accepted must be bound to its sender (RFC 9449, RFC 8705). If only
    /// some of the [alternatives](Self::alternatives) require that, each of them says so.
    #[must_use]
    pub fn requires_sender_constrained(&self) -> bool {
        match self.term() {
            Term::SenderConstrained => true,
            Term::All(parts) => parts.iter().any(Self::requires_sender_constrained),
            Term::Any(parts) => parts.iter().all(Self::requires_sender_constrained),
            Term::Named { of, .. } => of.requires_sender_constrained(),
            _ => false,
        }
    }

    /// The scopes that may be needed, each once, in the order in which they are named. A scope that a
    /// token must not have is not among them.
    #[must_use]
    pub fn scopes(&self) -> Vec<&str> {
        let mut scopes = Vec::new();
        self.add_scopes(&mut scopes);
        scopes
    }

    fn add_scopes<'d>(&'d self, scopes: &mut Vec<&'d str>) {
        match self.term() {
            Term::AllScopes(words) | Term::AnyScope(words) => {
                for word in words {
                    if !scopes.contains(&&**word) {
                        scopes.push(word);
                    }
                }
            }
            Term::All(parts) | Term::Any(parts) => {
                parts.iter().for_each(|part| part.add_scopes(scopes));
            }
            Term::Named { of, .. } => of.add_scopes(scopes),
            _ => {}
        }
    }

    pub(super) fn term(&self) -> &Term {
        &self.0
    }

    fn one_or(mut parts: Vec<Self>, term: fn(Vec<Self>) -> Term) -> Self {
        match parts.pop() {
            Some(part) if parts.is_empty() => part,
            last => {
                parts.extend(last);
                term(parts).into()
            }
        }
    }
}

impl From<Term> for PolicyDescription {
    fn from(term: Term) -> Self {
        Self(Arc::new(term))
    }
}

/// A requirement that only this text says.
impl From<&str> for PolicyDescription {
    fn from(text: &str) -> Self {
        Term::Text(text.into()).into()
    }
}

/// A requirement that only this text says.
impl From<String> for PolicyDescription {
    fn from(text: String) -> Self {
        Term::Text(text.into()).into()
    }
}

/// An opaque description.
impl Default for PolicyDescription {
    fn default() -> Self {
        Term::Opaque.into()
    }
}

#[cfg(test)]
mod tests;
