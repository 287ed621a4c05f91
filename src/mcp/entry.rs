//! The entries of a table of scopes, as documents show them.

use std::fmt;

use crate::authorize::PolicyDescription;

/// One of the operations for which [`McpScopes`](super::McpScopes) has an entry.
///
/// Its `Display` is the kind and the name, such as `tool search`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum McpEntry {
    /// A call of the tool with this name.
    Tool(String),
    /// The resource with this URI: to read it, to subscribe to it, and completions for it.
    Resource(String),
    /// All resources whose URI begins with this one; see
    /// [`McpScopes::resources_under`](super::McpScopes::resources_under).
    ResourcesUnder(String),
    /// The prompt with this name: to get it, and completions for it.
    Prompt(String),
    /// A method of JSON-RPC, such as `tasks/get`.
    Method(String),
}

impl McpEntry {
    /// A call of the tool with this name.
    pub fn tool(name: impl Into<String>) -> Self {
        Self::Tool(name.into())
    }

    /// The resource with this URI.
    pub fn resource(uri: impl Into<String>) -> Self {
        Self::Resource(uri.into())
    }

    /// All resources whose URI begins with this one, which ends with a slash.
    pub fn resources_under(uri: impl Into<String>) -> Self {
        Self::ResourcesUnder(uri.into())
    }

    /// The prompt with this name.
    pub fn prompt(name: impl Into<String>) -> Self {
        Self::Prompt(name.into())
    }

    /// A method of JSON-RPC.
    pub fn method(name: impl Into<String>) -> Self {
        Self::Method(name.into())
    }

    /// The name, the URI, or the beginning of the URI.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Tool(name)
            | Self::Resource(name)
            | Self::ResourcesUnder(name)
            | Self::Prompt(name)
            | Self::Method(name) => name,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Tool(_) => "tool",
            Self::Resource(_) => "resource",
            Self::ResourcesUnder(_) => "resources under",
            Self::Prompt(_) => "prompt",
            Self::Method(_) => "method",
        }
    }
}

impl fmt::Display for McpEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.name())
    }
}

/// An entry of [`McpScopes`](super::McpScopes), for documents.
///
/// Its `Display` is one line, such as `tool search: all of the scopes notes notes:read`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpEntryDescription {
    entry: McpEntry,
    policy: PolicyDescription,
}

impl McpEntryDescription {
    pub(super) fn new(entry: McpEntry, policy: PolicyDescription) -> Self {
        Self { entry, policy }
    }

    /// The operation.
    #[must_use]
    pub fn entry(&self) -> &McpEntry {
        &self.entry
    }

    /// Its requirements, including the base scopes.
    #[must_use]
    pub fn policy(&self) -> &PolicyDescription {
        &self.policy
    }
}

impl fmt::Display for McpEntryDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.entry, self.policy)
    }
}
