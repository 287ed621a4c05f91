//! The alternatives of a policy: sets of scopes of which one is enough.

use super::{PolicyDescription, Term};

/// One set of scopes with which a token may be accepted; made by
/// [`PolicyDescription::alternatives`]. All of its scopes are required.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyAlternative {
    scopes: Vec<String>,
    sender_constrained: bool,
    other_conditions: bool,
}

impl PolicyAlternative {
    /// The scopes that a token must have, all of them. It is empty if no scope is needed.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// Whether the token must be bound to its sender (RFC 9449, RFC 8705).
    #[must_use]
    pub fn is_sender_constrained(&self) -> bool {
        self.sender_constrained
    }

    /// Whether there are other conditions, which no set of scopes can say: a login, a role, a closure,
    /// a scope that must be absent. The text of the [`PolicyDescription`] has them.
    #[must_use]
    pub fn has_other_conditions(&self) -> bool {
        self.other_conditions
    }

    fn any_token() -> Self {
        Self { scopes: Vec::new(), sender_constrained: false, other_conditions: false }
    }

    fn with_scopes<'a>(scopes: impl IntoIterator<Item = &'a Box<str>>) -> Self {
        let mut alternative = Self::any_token();
        scopes.into_iter().for_each(|scope| alternative.add_scope(scope));
        alternative
    }

    fn with_other_conditions() -> Self {
        Self { other_conditions: true, ..Self::any_token() }
    }

    fn and(&self, other: &Self) -> Self {
        let mut both = self.clone();
        other.scopes.iter().for_each(|scope| both.add_scope(scope));
        both.sender_constrained |= other.sender_constrained;
        both.other_conditions |= other.other_conditions;
        both
    }

    fn add_scope(&mut self, scope: &str) {
        if !self.scopes.iter().any(|known| known == scope) {
            self.scopes.push(scope.to_owned());
        }
    }

    /// Whether each token that the other one accepts is accepted by this one, too.
    fn covers(&self, other: &Self) -> bool {
        !self.other_conditions
            && (other.sender_constrained || !self.sender_constrained)
            && self.scopes.iter().all(|scope| other.scopes.contains(scope))
    }
}

impl PolicyDescription {
    /// The sets of scopes of which one is enough, as security requirements of OpenAPI have them: the
    /// scopes of one requirement are all required, and of several requirements one is enough.
    ///
    /// A condition that no set of scopes can say, such as a role, is left out, and the alternative
    /// [says so](PolicyAlternative::has_other_conditions). The same happens to a part with which there
    /// would be more than 64 alternatives. There is always at least one alternative: an empty list of
    /// security requirements would say that the operation is public. A policy that accepts no token
    /// has one without scopes and with other conditions.
    ///
    /// # Example: security requirements
    /// ```
    /// use serde_json::{Value, json};
    /// use tower_jwt_auth::authorize::{PolicyDescription, PolicyExt, Roles, Scopes};
    ///
    /// let policy = Scopes::all_of(["read"])
    ///     .and(Scopes::any_of(["orders", "shop"]))
    ///     .or(Roles::at("roles").any_of(["admin"]));
    /// let alternatives = PolicyDescription::of(&policy).alternatives();
    /// let security: Vec<Value> =
    ///     alternatives.iter().map(|one| json!({"oauth2": one.scopes()})).collect();
    /// assert_eq!(
    ///     json!(security),
    ///     json!([{"oauth2": ["read", "orders"]}, {"oauth2": ["read", "shop"]}, {"oauth2": []}])
    /// );
    /// assert!(!alternatives[0].has_other_conditions());
    /// assert!(alternatives[2].has_other_conditions());
    /// ```
    #[must_use]
    pub fn alternatives(&self) -> Vec<PolicyAlternative> {
        let mut kept: Vec<PolicyAlternative> = Vec::new();
        for alternative in self.all_alternatives() {
            let is_covered =
                |known: &PolicyAlternative| known.covers(&alternative) || *known == alternative;
            if !kept.iter().any(is_covered) {
                kept.retain(|known| !alternative.covers(known));
                kept.push(alternative);
            }
        }
        if kept.is_empty() {
            kept.push(PolicyAlternative::with_other_conditions());
        }
        kept
    }

    /// The same with those that others cover. It is empty if no token is accepted.
    fn all_alternatives(&self) -> Vec<PolicyAlternative> {
        match self.term() {
            Term::AllScopes(words) => vec![PolicyAlternative::with_scopes(words)],
            Term::AnyScope(words) => {
                words.iter().map(|word| PolicyAlternative::with_scopes([word])).collect()
            }
            Term::SenderConstrained => {
                vec![PolicyAlternative {
                    sender_constrained: true,
                    ..PolicyAlternative::any_token()
                }]
            }
            Term::Login(_) | Term::Text(_) | Term::Opaque | Term::Not(_) => {
                vec![PolicyAlternative::with_other_conditions()]
            }
            Term::Never(_) => Vec::new(),
            Term::Named { of, .. } => of.all_alternatives(),
            Term::Any(parts) => parts.iter().flat_map(Self::all_alternatives).collect(),
            Term::All(parts) => {
                let one = vec![PolicyAlternative::any_token()];
                parts.iter().fold(one, |all, part| product(all, &part.all_alternatives()))
            }
        }
    }
}

/// Each of the one with each of the others.
fn product(
    mut one: Vec<PolicyAlternative>,
    others: &[PolicyAlternative],
) -> Vec<PolicyAlternative> {
    let is_growing = one.len() > 1 && others.len() > 1;
    if is_growing && one.len().saturating_mul(others.len()) > MOST {
        one.iter_mut().for_each(|alternative| alternative.other_conditions = true);
        return one;
    }
    one.iter().flat_map(|one| others.iter().map(|other| one.and(other))).collect()
}

/// The largest number of alternatives that a combination makes.
const MOST: usize = 64;
