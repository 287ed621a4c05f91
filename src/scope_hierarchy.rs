//! Scopes that imply others. It knows nothing of tokens.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, OnceLock},
};

/// Says which scopes imply others. A token with `files:write` may then use a route that requires
/// `files:read`. It is cheap to clone.
///
/// Give it to the verifier with
/// [`scope_hierarchy`](crate::verifier::VerifierBuilder::scope_hierarchy), for all policies of the
/// service, or to one policy with [`Scopes::with_hierarchy`](crate::authorize::Scopes::with_hierarchy).
///
/// # Rules
///
/// 1. A scope implies what [`implies`](Self::implies) says, and what these scopes imply in turn.
///    Scopes that imply each other are equal.
/// 2. A function of [`matching`](Self::matching) says for two scopes whether the first one implies the
///    second. It sees scopes of tokens. Both ways can be combined: `admin` implies `files:*`, and
///    that matches `files:read`.
/// 3. Scopes are compared byte for byte.
/// 4. A challenge names the scopes of the route, and not those that imply them. A scope that is
///    implied is not missing, also under [`not`](crate::authorize::PolicyExt::not).
///
/// [`ScopeSet::contains`](crate::claims::ScopeSet::contains) does not know the hierarchy: use a policy
/// in a handler, too.
///
/// # Example: a table
/// ```
/// use tower_jwt_auth::authorize::ScopeHierarchy;
///
/// let hierarchy = ScopeHierarchy::new()
///     .implies("files:write", ["files:read"])
///     .implies("admin", ["files:write", "users:read"]);
/// assert!(hierarchy.covers("admin", "files:read"));
/// assert!(!hierarchy.covers("files:read", "files:write"));
/// ```
///
/// # Example: wildcards
/// ```
/// use tower_jwt_auth::authorize::ScopeHierarchy;
///
/// let hierarchy = ScopeHierarchy::new().matching(|granted, required| {
///     granted.strip_suffix('*').is_some_and(|area| required.starts_with(area))
/// });
/// assert!(hierarchy.covers("files:*", "files:read"));
/// assert!(!hierarchy.covers("files:*", "users:read"));
/// ```
///
/// # Security
///
/// A function of `matching` decides on scopes that only the issuer has checked. If users choose the
/// scopes of their tokens, a scope `*` must not mean everything.
#[derive(Clone, Default)]
#[must_use = "a hierarchy does nothing until a verifier or a policy has it"]
pub struct ScopeHierarchy(Arc<Table>);

#[derive(Clone, Default)]
struct Table {
    implied: BTreeMap<Box<str>, BTreeSet<Box<str>>>,
    matching: Vec<Arc<Matching>>,
    /// The scopes that each scope of the table implies, with itself and what follows from it.
    reach: OnceLock<Reach>,
}

type Reach = BTreeMap<Box<str>, Box<[Box<str>]>>;

/// Whether the first scope implies the second one.
type Matching = dyn Fn(&str, &str) -> bool + Send + Sync;

impl ScopeHierarchy {
    /// A hierarchy in which each scope implies only itself.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that the scope `granted` implies these scopes, in addition to what was said of it before.
    pub fn implies<S: AsRef<str>>(
        self,
        granted: impl Into<String>,
        implied: impl IntoIterator<Item = S>,
    ) -> Self {
        self.with(|table| {
            let known = table.implied.entry(granted.into().into_boxed_str()).or_default();
            known.extend(implied.into_iter().map(|scope| Box::from(scope.as_ref())));
        })
    }

    /// Adds a function that says whether the first scope, of a token, implies the second one, of a
    /// policy. Of several functions, one is enough. It is called for each pair that is not equal, so
    /// it should be cheap.
    pub fn matching(self, matching: impl Fn(&str, &str) -> bool + Send + Sync + 'static) -> Self {
        self.with(|table| table.matching.push(Arc::new(matching)))
    }

    /// Whether the scope `granted` implies the scope `required`, or is the same.
    #[must_use]
    pub fn covers(&self, granted: &str, required: &str) -> bool {
        let table = &*self.0;
        if granted == required || table.matches(granted, required) {
            return true;
        }
        let reach = table.reach();
        let reaches = |implied: &[Box<str>]| {
            implied.iter().any(|scope| **scope == *required || table.matches(scope, required))
        };
        match reach.get(granted) {
            Some(implied) => reaches(implied),
            None if table.matching.is_empty() => false,
            None => reach
                .iter()
                .any(|(scope, implied)| table.matches(granted, scope) && reaches(implied)),
        }
    }

    /// Computes now what the first request would have to compute.
    pub(crate) fn prepared(self) -> Self {
        self.0.reach();
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Table)) -> Self {
        let mut table = Arc::unwrap_or_clone(self.0);
        change(&mut table);
        table.reach = OnceLock::new();
        self.0 = Arc::new(table);
        self
    }
}

impl Table {
    fn matches(&self, granted: &str, required: &str) -> bool {
        self.matching.iter().any(|matching| matching(granted, required))
    }

    fn reach(&self) -> &Reach {
        self.reach.get_or_init(|| {
            let implied = self.implied.values().flatten();
            let scopes: BTreeSet<&str> = self.implied.keys().chain(implied).map(|s| &**s).collect();
            let from = |scope: &&str| (Box::from(*scope), self.reached_from(scope, &scopes));
            scopes.iter().map(from).collect()
        })
    }

    /// All of these scopes that `first` implies, itself included.
    fn reached_from(&self, first: &str, scopes: &BTreeSet<&str>) -> Box<[Box<str>]> {
        let mut reached = BTreeSet::from([first]);
        let mut next = vec![first];
        while let Some(scope) = next.pop() {
            let implied = self.implied.get(scope).into_iter().flatten().map(|implied| &**implied);
            let matched = scopes.iter().copied().filter(|other| self.matches(scope, other));
            for other in implied.chain(matched) {
                if reached.insert(other) {
                    next.push(other);
                }
            }
        }
        reached.into_iter().map(Box::from).collect()
    }
}

impl fmt::Debug for ScopeHierarchy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeHierarchy").field("implied", &self.0.implied).finish_non_exhaustive()
    }
}

/// Whether a text is a scope (RFC 6749 §3.3): it has no blanks, quotes and backslashes, and is ASCII.
pub(crate) fn is_scope(text: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    !text.is_empty() && text.bytes().all(is_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wildcards(granted: &str, required: &str) -> bool {
        granted.strip_suffix('*').is_some_and(|area| required.starts_with(area))
    }

    #[test]
    fn a_table_is_transitive_and_has_one_direction() {
        let hierarchy =
            ScopeHierarchy::new().implies("a", ["b", "c"]).implies("b", ["d"]).implies("a", ["e"]);
        for (granted, required, covers) in [
            ("a", "b", true),
            ("a", "c", true),
            ("a", "d", true),
            ("a", "e", true),
            ("b", "d", true),
            ("x", "x", true),
            ("b", "a", false),
            ("d", "a", false),
            ("c", "d", false),
            ("A", "b", false),
            ("", "b", false),
            ("a", "", false),
            ("a b", "d", false),
        ] {
            assert_eq!(hierarchy.covers(granted, required), covers, "{granted} {required}");
        }
    }

    #[test]
    fn cycles_are_harmless() {
        let hierarchy = ScopeHierarchy::new()
            .implies("a", ["b"])
            .implies("b", ["c"])
            .implies("c", ["a", "c"])
            .implies("d", ["a"]);
        for granted in ["a", "b", "c", "d"] {
            for required in ["a", "b", "c"] {
                assert!(hierarchy.covers(granted, required), "{granted} {required}");
            }
        }
        assert!(!hierarchy.covers("a", "d"));
    }

    #[test]
    fn functions_and_the_table_are_combined() {
        let hierarchy = ScopeHierarchy::new()
            .implies("admin", ["files:*"])
            .implies("files:write", ["audit:*"])
            .matching(wildcards)
            .matching(|granted, required| granted == "root" && required != "secret");
        for (granted, required, covers) in [
            ("files:*", "files:read", true),
            ("admin", "files:read", true),
            // files:* matches files:write, which implies audit:*, which matches audit:x.
            ("admin", "audit:x", true),
            ("files:*", "audit:x", true),
            ("fil*", "audit:x", true),
            ("root", "audit:x", true),
            ("root", "secret", false),
            ("audit:x", "audit:*", false),
            ("users:*", "audit:x", false),
            ("files:read", "files:*", false),
        ] {
            assert_eq!(hierarchy.covers(granted, required), covers, "{granted} {required}");
        }
    }

    #[test]
    fn a_clone_does_not_change_with_the_other() {
        let one = ScopeHierarchy::new().implies("a", ["b"]).prepared();
        let other = one.clone().implies("b", ["c"]);
        assert!(other.covers("a", "c") && !one.covers("a", "c"));
    }
}
