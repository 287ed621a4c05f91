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

    /// Whether a token has everything.
    pub(super) fn has_everything(&self, claims: &Claims) -> bool {
        self.strictest.first_refusal(claims).is_none()
    }

    /// Checks a request of which nobody knows what it asks for.
    ///
    /// The refusal names no scopes. A client would ask its user for all of them, and then hear that there
    /// is no such tool; and if there is one, only an entry says which scopes it really needs.
    pub(super) fn check_strictest(&self, claims: &Claims, why: &Unknown<'_>) -> Result<(), Error> {
        let Some(error) = self.strictest.first_refusal(claims) else { return Ok(()) };
        Err(match error.kind() {
            ErrorKind::InsufficientScope { .. }
            | ErrorKind::Forbidden { .. }
            | ErrorKind::UserAuthentication { .. }
            | ErrorKind::NotSenderConstrained => Error::forbidden(format!(
                "{why}, so everything in `McpScopes` is required ({error})"
            )),
            _ => error,
        })
    }

    /// Checks operations together: one refusal names the scopes of all of them.
    pub(super) fn check(&self, operations: &[Operation<'_>], claims: &Claims) -> Result<(), Error> {
        let mut all = Vec::new();
        for operation in operations {
            match self.required(operation) {
                Ok(required) if operations.len() == 1 => return required.check(claims),
                Ok(required) => all.push(required),
                Err(why) => return self.check_strictest(claims, &why),
            }
        }
        Required::union([&self.base].into_iter().chain(all)).check(claims)
    }

    /// # Errors
    ///
    /// Nobody knows.
    fn required<'o>(&self, operation: &'o Operation<'_>) -> Result<&Required, Unknown<'o>> {
        let found = match operation {
            Operation::Answer => Some(&self.base),
            Operation::Unnamed => return Err(Unknown::Unnamed),
            Operation::Tool(name) => self.tools.get(&**name).or(self.unnamed.as_ref()),
            Operation::Prompt(name) => self.prompts.get(&**name).or(self.unnamed.as_ref()),
            Operation::Resource(uri) => match self.resources.find(uri) {
                Found::Entry(required) => Some(required),
                Found::Ambiguous => return Err(Unknown::Ambiguous(uri)),
                Found::Nothing => self.unnamed.as_ref(),
            },
            Operation::Method(method) => {
                let is_harmless = HARMLESS.contains(&&**method);
                self.methods.get(&**method).or_else(|| is_harmless.then_some(&self.base))
            }
        };
        found.ok_or(Unknown::WithoutEntry(operation))
    }
}

/// Why nobody knows what a request requires. Its `Display` is for the operator.
#[derive(Debug)]
pub(super) enum Unknown<'o> {
    /// An operation without an entry.
    WithoutEntry(&'o Operation<'o>),
    /// A message that does not say what it is about, or says it in a way of its own.
    Unnamed,
    /// The URI of a resource.
    Ambiguous(&'o str),
    /// Another HTTP method than those of MCP.
    HttpMethod,
}

impl fmt::Display for Unknown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = match self {
            Self::WithoutEntry(Operation::Tool(name)) => ("tool", name),
            Self::WithoutEntry(Operation::Resource(uri)) => ("resource", uri),
            Self::WithoutEntry(Operation::Prompt(name)) => ("prompt", name),
            Self::WithoutEntry(Operation::Method(name)) => ("method", name),
            Self::WithoutEntry(Operation::Answer | Operation::Unnamed) | Self::Unnamed => {
                return f.write_str("the message does not name what it is about");
            }
            Self::Ambiguous(uri) => {
                return write!(
                    f,
                    "the resource `{}` has no entry of its own, and servers may read its URI as \
                     another one",
                    shown(uri)
                );
            }
            Self::HttpMethod => return f.write_str("MCP does not use this HTTP method"),
        };
        write!(f, "the {kind} `{}` has no entry", shown(name))
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
