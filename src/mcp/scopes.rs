//! The requirements of the operations of an MCP server.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    entry::{McpEntry, McpEntryDescription},
    required::{Required, SharedPolicy, add},
    resources::{Resources, fault_of_prefix},
    table::{ScopeTable, Table},
};
use crate::{
    authorize::{Policy, words},
    claims::RegisteredClaims,
    error::ConfigError,
    scope_hierarchy::is_scope,
};

/// Says which scopes, or which policy, the operations of an MCP server require. Give it to
/// [`McpAuthLayerBuilder::scopes`](super::McpAuthLayerBuilder::scopes).
///
/// # Rules
///
/// 1. Every request needs the [base scopes](Self::base). `tools/call`, `prompts/get`, `resources/read`,
///    `resources/subscribe` and `resources/unsubscribe` also need what the entry of their tool, prompt or
///    resource requires.
/// 2. A tool, prompt or resource without an entry needs the
///    [default scopes](Self::default_scopes). Without these, it needs everything that the table requires.
/// 3. `initialize`, `ping`, `server/discover`, `logging/setLevel`, the lists of tools, prompts,
///    resources and templates, `subscriptions/listen`, `completion/complete`, the notifications
///    `initialized`, `cancelled`, `progress` and `roots/list_changed`, and responses to requests of the
///    server need the base scopes. A completion also needs what its prompt or resource requires.
///    `subscriptions/listen` also needs what its resources require, with `taskIds` what `tasks/get`
///    requires, and with a filter that the layer does not know everything.
/// 4. Every other method needs everything that the table requires, unless it has an entry
///    ([`method`](Self::method)). A `tools/call` without a name, and every other message without the
///    parameter that it is about, needs everything, too.
/// 5. A batch needs what all of its messages need together.
/// 6. `GET`, `HEAD`, `DELETE` and `OPTIONS` need the base scopes. Another HTTP method than these and
///    `POST` needs everything.
/// 7. A refusal for a missing scope is one 403. Its challenge names scopes that are enough. A
///    [`ScopeHierarchy`](crate::authorize::ScopeHierarchy) of the verifier counts. If a part of the
///    requirements refuses for another reason, such as a role, the 403 names no scopes.
/// 8. The 403 of an operation that needs everything names no scopes. Its event names the operation.
/// 9. Names are compared byte for byte.
///
/// # Example
/// ```
/// use tower_jwt_auth::{
///     authorize::{PolicyExt, Roles, Scopes, authenticated},
///     mcp::{McpEntry, McpScopes},
/// };
///
/// let scopes = McpScopes::new()
///     .base(["notes"])
///     .tool("search", ["notes:read"])
///     .tool("delete", ["notes:read", "notes:write"])
///     .resource("notes://today", ["notes:read"])
///     .resources_under("notes://archive/", ["notes:read"])
///     // No more than the base scopes.
///     .require(McpEntry::tool("whoami"), authenticated())
///     .require(
///         McpEntry::tool("publish"),
///         Scopes::any_of(["notes:write", "blog"]).and(Roles::at("roles").any_of(["editor"])),
///     );
/// for entry in scopes.describe() {
///     println!("{entry}"); // tool delete: all of the scopes notes notes:read notes:write
/// }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "scopes do nothing until a layer has them"]
pub struct McpScopes {
    base: Vec<Box<str>>,
    unnamed: Unnamed,
    entries: BTreeMap<McpEntry, Needs>,
    /// An entry that was there already.
    repeated: Option<McpEntry>,
}

/// The requirements of an entry besides the base scopes.
#[derive(Clone, Debug)]
struct Needs {
    scopes: Vec<Box<str>>,
    policy: Option<SharedPolicy>,
    /// The scopes of the policy.
    named: Vec<Box<str>>,
}

/// The scopes of what has no entry.
#[derive(Clone, Debug, Default)]
enum Unnamed {
    /// All of the table.
    #[default]
    All,
    /// No others than the base scopes.
    Base,
    These(Vec<Box<str>>),
}

impl McpScopes {
    /// A table without entries. With it, each request needs a valid token and no scope.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the scopes that every request needs. The challenge of a 401 names them, and the metadata, if
    /// it is derived. Default: none.
    pub fn base<S: AsRef<str>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.base = words(scopes).into_vec();
        self
    }

    /// Sets the scopes of a tool, in addition to the base scopes. A second entry for the same name is an
    /// error of `build`.
    ///
    /// A list without a scope is an error of `build`, because it may be empty by mistake. A tool that
    /// needs only the base scopes has the policy
    /// [`authenticated()`](crate::authorize::authenticated): see [`require`](Self::require).
    pub fn tool<S: AsRef<str>>(
        self,
        name: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        self.scopes_of(McpEntry::tool(name), scopes)
    }

    /// Sets the scopes of a resource, by its URI, in addition to the base scopes.
    ///
    /// # Security
    ///
    /// A URI that servers may resolve to another resource, such as `notes://%61dmin`, needs everything that the
    /// table requires: see [`resources_under`](Self::resources_under).
    pub fn resource<S: AsRef<str>>(
        self,
        uri: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        self.scopes_of(McpEntry::resource(uri), scopes)
    }

    /// Sets the scopes of all resources whose URI has this prefix, in addition to the base scopes. A prefix
    /// has a scheme and no escapes, and ends with a slash: `file:///docs/` is for `file:///docs/a` and
    /// `file:///docs/a/b`. An entry of [`resource`](Self::resource) takes precedence, and of several prefixes
    /// the longest one does.
    ///
    /// As soon as a table has an entry for a resource, a URI that servers may resolve to another resource
    /// needs everything that the table requires, unless it has an entry of its own. Such a URI has a `%`, a
    /// query, a fragment, an empty segment, a segment that ends with a dot, a slash at its end, or a character
    /// other than ASCII letters, digits, `-`, `_`, `.`, `/` and `:`. A URI that differs from an entry only in
    /// the case of letters, or in a slash at its end, is another one.
    ///
    /// A template, such as `file:///docs/{path}`, has braces. So `completion/complete` for one needs an entry:
    /// `.resource("file:///docs/{path}", ["docs"])`.
    ///
    /// # Security
    ///
    /// `file:///docs/a`, `file:/docs/a` and `file://localhost/docs/a` are three URIs for the layer.
    pub fn resources_under<S: AsRef<str>>(
        self,
        uri: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        self.scopes_of(McpEntry::resources_under(uri), scopes)
    }

    /// Sets the scopes of a prompt, in addition to the base scopes.
    pub fn prompt<S: AsRef<str>>(
        self,
        name: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        self.scopes_of(McpEntry::prompt(name), scopes)
    }

    /// Sets the scopes of another method, such as `tasks/get` or `tools/list`, in addition to the base
    /// scopes.
    ///
    /// # Security
    ///
    /// A task is not bound to the principal that began it. With an entry for `tasks/get`, every token with these
    /// scopes can read each task whose id it knows, whatever scopes its tool needs, and can have its result
    /// sent by `subscriptions/listen`. The server must compare the principals.
    pub fn method<S: AsRef<str>>(
        self,
        method: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        self.scopes_of(McpEntry::method(method), scopes)
    }

    /// Sets the policy of an operation, in addition to the base scopes, where a list of scopes does not
    /// say enough. A second entry for the same operation is an error of `build`.
    ///
    /// The policy sees the registered claims, also if the layer has a claims type of its own. A refusal for a
    /// missing scope names the base scopes and those that the policy asks for. If the policy is satisfied and a
    /// base scope is missing, it names the scopes by which the token satisfies it.
    pub fn require(
        mut self,
        entry: McpEntry,
        policy: impl Policy<RegisteredClaims> + Send + Sync + 'static,
    ) -> Self {
        let policy = SharedPolicy::new(policy);
        let named = policy.describe().scopes().into_iter().map(Box::from).collect();
        self.add(entry, Needs { scopes: Vec::new(), policy: Some(policy), named });
        self
    }

    /// Sets the scopes of the tools, prompts and resources without an entry, in addition to the base
    /// scopes. Default: everything that the table requires.
    ///
    /// # Security
    ///
    /// A tool that is forgotten in the table needs only these, and so does another spelling of a name or a URI
    /// that has an entry.
    pub fn default_scopes<S: AsRef<str>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.unnamed = Unnamed::These(words(scopes).into_vec());
        self
    }

    /// Lets tools, prompts and resources without an entry be used with the base scopes only.
    ///
    /// # Security
    ///
    /// A tool that is forgotten in the table is open to every token that has the base scopes.
    pub fn without_default_scopes(mut self) -> Self {
        self.unnamed = Unnamed::Base;
        self
    }

    /// All scopes that the table has, each once, in the order of the alphabet: those of its policies, too.
    /// Give them to
    /// [`scopes_supported`](crate::resource::ProtectedResourceBuilder::scopes_supported) if clients are to
    /// know all of them; the derived metadata names only the base scopes.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        let unnamed = match &self.unnamed {
            Unnamed::These(scopes) => Some(scopes),
            Unnamed::All | Unnamed::Base => None,
        };
        let of_entries = self.entries.values().flat_map(|needs| [&needs.scopes, &needs.named]);
        let lists = of_entries.chain([&self.base]).chain(unnamed);
        let mut all: Vec<&str> = lists.flatten().map(|scope| &**scope).collect();
        all.sort_unstable();
        all.dedup();
        all.into_iter()
    }

    /// All entries and what they require, including the base scopes, for documents.
    #[must_use]
    pub fn describe(&self) -> Vec<McpEntryDescription> {
        let describe = |(entry, needs): (&McpEntry, &Needs)| {
            McpEntryDescription::new(entry.clone(), self.required(needs).describe())
        };
        self.entries.iter().map(describe).collect()
    }

    pub(super) fn base_scopes(&self) -> &[Box<str>] {
        &self.base
    }

    fn scopes_of<S: AsRef<str>>(
        mut self,
        entry: McpEntry,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        let scopes = words(scopes).into_vec();
        self.add(entry, Needs { scopes, policy: None, named: Vec::new() });
        self
    }

    fn add(&mut self, entry: McpEntry, needs: Needs) {
        if self.entries.insert(entry.clone(), needs).is_some() {
            self.repeated = Some(entry);
        }
    }

    fn required(&self, needs: &Needs) -> Required {
        Required::new(self.with_base(&needs.scopes), needs.policy.iter().cloned().collect())
    }

    fn with_base(&self, scopes: &[Box<str>]) -> Vec<Box<str>> {
        let mut all = Vec::new();
        add(&mut all, &self.base);
        add(&mut all, scopes);
        all
    }

    /// Makes the table that is asked on requests.
    pub(super) fn build(&self) -> Result<ScopeTable, ConfigError> {
        self.check().map_err(|reason| ConfigError::Resource(format!("`McpScopes`: {reason}")))?;
        let base = Required::new(self.with_base(&[]), Vec::new());
        let unnamed = match &self.unnamed {
            Unnamed::All => None,
            Unnamed::Base => Some(base.clone()),
            Unnamed::These(scopes) => Some(Required::new(self.with_base(scopes), Vec::new())),
        };
        let (mut tools, mut prompts, mut methods) = (Table::new(), Table::new(), Table::new());
        let mut resources = Resources::default();
        let mut all: Vec<Required> = Vec::new();
        for (entry, needs) in &self.entries {
            let required = self.required(needs);
            all.push(required.clone());
            match entry {
                McpEntry::Tool(name) => _ = tools.insert(name.as_str().into(), required),
                McpEntry::Prompt(name) => _ = prompts.insert(name.as_str().into(), required),
                McpEntry::Method(name) => _ = methods.insert(name.as_str().into(), required),
                McpEntry::Resource(uri) => resources.add(uri, required),
                McpEntry::ResourcesUnder(uri) => resources.add_under(uri, required),
            }
        }
        let strictest = Required::union([&base].into_iter().chain(&unnamed).chain(&all));
        Ok(ScopeTable { base, unnamed, strictest, tools, resources, prompts, methods })
    }

    fn check(&self) -> Result<(), String> {
        if let Some(entry) = &self.repeated {
            return Err(format!("the {entry} has two entries, of which only one would count"));
        }
        let mut prefixes = BTreeSet::new();
        for (entry, needs) in &self.entries {
            if needs.scopes.is_empty() && needs.policy.is_none() {
                return Err(format!(
                    "the {entry} has no scope: give it one, or say `.require(…, authenticated())` if the \
                     base scopes are enough"
                ));
            }
            match entry {
                McpEntry::Method(name) => {
                    let own = match name.as_str() {
                        "tools/call" => "McpEntry::tool(…)",
                        "prompts/get" => "McpEntry::prompt(…)",
                        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
                            "McpEntry::resource(…)"
                        }
                        _ => continue,
                    };
                    return Err(format!("the entries of `{name}` are those of `{own}`"));
                }
                McpEntry::ResourcesUnder(uri) => {
                    if let Some(fault) = fault_of_prefix(uri) {
                        return Err(format!("the URI {uri:?} of `resources_under` {fault}"));
                    }
                    if !prefixes.insert(uri.to_ascii_lowercase()) {
                        return Err(format!(
                            "the URI {uri:?} of `resources_under` differs from another one only in its case"
                        ));
                    }
                }
                McpEntry::Tool(_) | McpEntry::Resource(_) | McpEntry::Prompt(_) => {}
            }
        }
        if matches!(&self.unnamed, Unnamed::These(scopes) if scopes.is_empty()) {
            return Err(
                "`.default_scopes(…)` has no scope: to let everybody with the base scopes use \
                        what has no entry, say `.without_default_scopes()`"
                    .into(),
            );
        }
        match self.scopes().find(|scope| !is_scope(scope)) {
            Some(scope) => {
                Err(format!("{scope:?} is not a scope: one has no quotes, and is ASCII"))
            }
            None => Ok(()),
        }
    }
}
