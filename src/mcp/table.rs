//! The table that is asked on requests.

use std::{collections::BTreeMap, fmt};

use super::{
    message::Operation,
    required::Required,
    resources::{Found, Resources},
};
use crate::{
    error::{Error, ErrorKind},
    shown::shown,
    verifier::Claims,
};

/// The requirements of all operations, base scopes included.
#[derive(Debug)]
pub(super) struct ScopeTable {
    pub(super) base: Required,
    /// Those of a tool, a prompt or a resource without an entry. `None`: everything.
    pub(super) unnamed: Option<Required>,
    /// Everything that the table requires.
    pub(super) strictest: Required,
    pub(super) tools: Table,
    pub(super) resources: Resources,
    pub(super) prompts: Table,
    pub(super) methods: Table,
}

pub(super) type Table = BTreeMap<Box<str>, Required>;

impl ScopeTable {
    /// Checks a request without a message.
    pub(super) fn check_base(&self, claims: &Claims) -> Result<(), Error> {
        self.base.check(claims)
    }

    /// Checks a request of which nobody knows what it asks for.
    ///
    /// The refusal names no scopes. A client would ask its user for all of them, and then hear that there
    /// is no such tool; and if there is one, only an entry says which scopes it really needs.
    pub(super) fn check_strictest(
        &self,
        claims: &Claims,
        what: impl fmt::Display,
    ) -> Result<(), Error> {
        self.strictest.check(claims).map_err(|error| match error.kind() {
            ErrorKind::InsufficientScope { .. }
            | ErrorKind::Forbidden { .. }
            | ErrorKind::UserAuthentication { .. }
            | ErrorKind::NotSenderConstrained => Error::forbidden(format!(
                "`McpScopes` does not say what {what} requires, so it requires everything in the table: \
                 give it an entry ({error})"
            )),
            _ => error,
        })
    }

    /// Checks operations together: one refusal names the scopes of all of them.
    pub(super) fn check(&self, operations: &[Operation<'_>], claims: &Claims) -> Result<(), Error> {
        let mut all = Vec::new();
        for operation in operations {
            match self.required(operation) {
                Some(required) if operations.len() == 1 => return required.check(claims),
                Some(required) => all.push(required),
                None => return self.check_strictest(claims, Shown(operation)),
            }
        }
        Required::union([&self.base].into_iter().chain(all)).check(claims)
    }

    /// `None` if nobody knows.
    fn required(&self, operation: &Operation<'_>) -> Option<&Required> {
        match operation {
            Operation::Answer => Some(&self.base),
            Operation::Unnamed => None,
            Operation::Tool(name) => self.tools.get(&**name).or(self.unnamed.as_ref()),
            Operation::Prompt(name) => self.prompts.get(&**name).or(self.unnamed.as_ref()),
            Operation::Resource(uri) => match self.resources.find(uri) {
                Found::Entry(required) => Some(required),
                Found::Doubt => None,
                Found::Nothing => self.unnamed.as_ref(),
            },
            Operation::Method(method) => {
                let is_harmless = HARMLESS.contains(&&**method);
                self.methods.get(&**method).or_else(|| is_harmless.then_some(&self.base))
            }
        }
    }
}

/// Shows an operation to the operator.
struct Shown<'o>(&'o Operation<'o>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Operation::Answer => f.write_str("an answer"),
            Operation::Unnamed => f.write_str("a message that does not name what it is about"),
            Operation::Method(name) => write!(f, "the method `{}`", shown(name)),
            Operation::Tool(name) => write!(f, "the tool `{}`", shown(name)),
            Operation::Resource(uri) => write!(f, "the resource `{}`", shown(uri)),
            Operation::Prompt(name) => write!(f, "the prompt `{}`", shown(name)),
        }
    }
}

/// The methods that need no more than the base scopes.
const HARMLESS: [&str; 14] = [
    "initialize",
    "ping",
    "server/discover",
    "logging/setLevel",
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
    "subscriptions/listen",
    "completion/complete",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "notifications/roots/list_changed",
];
