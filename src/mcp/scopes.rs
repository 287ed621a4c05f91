//! The scopes that the operations of an MCP server need.

use std::collections::BTreeMap;

use super::message::Operation;
use crate::{
    authorize::{Policy, Scopes, words},
    error::{ConfigError, Error},
    scope_hierarchy::is_scope,
    verifier::Claims,
};

/// Says which scopes the operations of an MCP server need. Give it to
/// [`McpAuthLayerBuilder::scopes`](super::McpAuthLayerBuilder::scopes).
///
/// # Rules
///
/// 1. Every request needs the [base scopes](Self::base). A call of a tool, a prompt that is got, and a
///    resource that is read or subscribed to, needs the scopes of its entry, too.
/// 2. A tool, prompt or resource without an entry needs the
///    [default scopes](Self::default_scopes). Without these, it needs all scopes that the table has.
/// 3. `initialize`, `ping`, `server/discover`, `logging/setLevel`, the lists of tools, prompts,
///    resources and templates, `subscriptions/listen`, `completion/complete`, the notifications
///    `initialized`, `cancelled`, `progress` and `roots/list_changed`, and answers to questions of the
///    server need the base scopes. A completion needs the scopes of its prompt or resource, too, and
///    `subscriptions/listen` those of its resources.
/// 4. Every other method needs all scopes that the table has, unless [`method`](Self::method) says
///    otherwise. So does a call without the name of a tool, and the like.
/// 5. A batch needs the scopes of all of its messages together.
/// 6. `GET`, `HEAD`, `DELETE` and `OPTIONS` need the base scopes. Another HTTP method than these and
///    `POST` needs all scopes.
/// 7. A refusal is one 403 with all scopes of the operation. A
///    [`ScopeHierarchy`](crate::authorize::ScopeHierarchy) of the verifier counts. Names are compared byte
///    for byte.
///
/// # Example
/// ```
/// use tower_jwt_auth::mcp::McpScopes;
///
/// let scopes = McpScopes::new()
///     .base(["notes"])
///     .tool("search", ["notes:read"])
///     .tool("delete", ["notes:read", "notes:write"])
///     .resource("notes://today", ["notes:read"]);
/// # let _ = scopes;
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "scopes do nothing until a layer has them"]
pub struct McpScopes {
    base: Vec<Box<str>>,
    unnamed: Unnamed,
    tools: Entries,
    resources: Entries,
    prompts: Entries,
    methods: Entries,
}

type Entries = BTreeMap<Box<str>, Vec<Box<str>>>;

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

    /// Sets the scopes of a tool, in addition to the base scopes. A second entry for the same name
    /// replaces the first one.
    pub fn tool<S: AsRef<str>>(
        mut self,
        name: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        self.tools.insert(name.into().into(), words(scopes).into_vec());
        self
    }

    /// Sets the scopes of a resource, by its URI, in addition to the base scopes.
    ///
    /// # Security
    ///
    /// Another spelling of the URI, such as `notes://%61dmin` for `notes://admin`, has no entry, and needs the
    /// [default scopes](Self::default_scopes). A server that takes both for the same resource must not be
    /// given default scopes that are weaker than those of its entries.
    pub fn resource<S: AsRef<str>>(
        mut self,
        uri: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        self.resources.insert(uri.into().into(), words(scopes).into_vec());
        self
    }

    /// Sets the scopes of a prompt, in addition to the base scopes.
    pub fn prompt<S: AsRef<str>>(
        mut self,
        name: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        self.prompts.insert(name.into().into(), words(scopes).into_vec());
        self
    }

    /// Sets the scopes of another method, such as `tasks/get` or `tools/list`, in addition to the base
    /// scopes.
    ///
    /// # Security
    ///
    /// A task is not bound to the principal that began it: with an entry for `tasks/get`, every token with these
    /// scopes can read each task whose id it knows, whatever scopes its tool needs. The server must compare.
    pub fn method<S: AsRef<str>>(
        mut self,
        method: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        self.methods.insert(method.into().into(), words(scopes).into_vec());
        self
    }

    /// Sets the scopes of the tools, prompts and resources without an entry, in addition to the base
    /// scopes. Default: all scopes that the table has.
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

    /// All scopes that the table has, each once, in the order of the alphabet.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        let mut all: Vec<&str> = self.lists().flatten().map(|scope| &**scope).collect();
        all.sort_unstable();
        all.dedup();
        all.into_iter()
    }

    pub(super) fn base_scopes(&self) -> &[Box<str>] {
        &self.base
    }

    fn lists(&self) -> impl Iterator<Item = &Vec<Box<str>>> {
        let unnamed = match &self.unnamed {
            Unnamed::These(scopes) => Some(scopes),
            Unnamed::All | Unnamed::Base => None,
        };
        self.entries().map(|(_, _, scopes)| scopes).chain([&self.base]).chain(unnamed)
    }

    /// All entries, each with its kind and its name.
    fn entries(&self) -> impl Iterator<Item = (&'static str, &str, &Vec<Box<str>>)> {
        [
            ("tool", &self.tools),
            ("resource", &self.resources),
            ("prompt", &self.prompts),
            ("method", &self.methods),
        ]
        .into_iter()
        .flat_map(|(kind, entries)| {
            entries.iter().map(move |(name, scopes)| (kind, &**name, scopes))
        })
    }

    /// Makes the table that is asked on requests.
    pub(super) fn build(&self) -> Result<ScopeTable, ConfigError> {
        self.check().map_err(|reason| ConfigError::Resource(format!("`McpScopes`: {reason}")))?;
        let all: Vec<Box<str>> = self.scopes().map(Box::from).collect();
        let entries = |entries: &Entries| {
            let with_base = |scopes: &[Box<str>]| Required::new(union([&*self.base, scopes]));
            entries.iter().map(|(name, scopes)| (name.clone(), with_base(scopes))).collect()
        };
        let strictest = Required::new(all);
        let base = Required::new(self.base.clone());
        Ok(ScopeTable {
            unnamed: match &self.unnamed {
                Unnamed::All => strictest.clone(),
                Unnamed::Base => base.clone(),
                Unnamed::These(scopes) => Required::new(union([&*self.base, scopes])),
            },
            tools: entries(&self.tools),
            resources: entries(&self.resources),
            prompts: entries(&self.prompts),
            methods: entries(&self.methods),
            base,
            strictest,
        })
    }

    fn check(&self) -> Result<(), String> {
        for (kind, name, scopes) in self.entries() {
            if scopes.is_empty() {
                return Err(format!(
                    "the {kind} `{name}` has no scope: give it one, or leave the entry out and say \
                     `.without_default_scopes()`"
                ));
            }
            let own = match name {
                "tools/call" => ".tool(…)",
                "prompts/get" => ".prompt(…)",
                "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
                    ".resource(…)"
                }
                _ => continue,
            };
            if kind == "method" {
                return Err(format!("the scopes of `{name}` are set by `{own}`"));
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

/// The scopes of several lists, each once.
fn union<'s>(lists: impl IntoIterator<Item = &'s [Box<str>]>) -> Vec<Box<str>> {
    let mut once: Vec<Box<str>> = Vec::new();
    for scope in lists.into_iter().flatten() {
        if !once.contains(scope) {
            once.push(scope.clone());
        }
    }
    once
}

/// The scopes that an operation needs.
#[derive(Clone, Debug)]
struct Required {
    scopes: Vec<Box<str>>,
    /// `None` if every token will do.
    policy: Option<Scopes>,
}

impl Required {
    fn new(scopes: Vec<Box<str>>) -> Self {
        let policy = (!scopes.is_empty()).then(|| Scopes::all_of(&scopes));
        Self { scopes, policy }
    }

    fn check<C>(&self, claims: &Claims<C>) -> Result<(), Error> {
        self.policy.as_ref().map_or(Ok(()), |policy| policy.authorize(claims))
    }
}

/// The scopes of all operations, base scopes included.
#[derive(Debug)]
pub(super) struct ScopeTable {
    base: Required,
    unnamed: Required,
    strictest: Required,
    tools: Table,
    resources: Table,
    prompts: Table,
    methods: Table,
}

type Table = BTreeMap<Box<str>, Required>;

impl ScopeTable {
    /// Checks a request without a message.
    pub(super) fn check_base<C>(&self, claims: &Claims<C>) -> Result<(), Error> {
        self.base.check(claims)
    }

    /// Checks a request of which nobody knows what it asks for.
    pub(super) fn check_strictest<C>(&self, claims: &Claims<C>) -> Result<(), Error> {
        self.strictest.check(claims)
    }

    /// Checks operations together: one refusal names the scopes of all of them.
    pub(super) fn check<C>(
        &self,
        operations: &[Operation<'_>],
        claims: &Claims<C>,
    ) -> Result<(), Error> {
        match operations {
            [one] => self.required(one).check(claims),
            all => {
                let lists = all.iter().map(|one| &*self.required(one).scopes);
                Required::new(union([&*self.base.scopes].into_iter().chain(lists))).check(claims)
            }
        }
    }

    fn required(&self, operation: &Operation<'_>) -> &Required {
        match operation {
            Operation::Answer => &self.base,
            Operation::Unnamed => &self.strictest,
            Operation::Tool(name) => self.tools.get(&**name).unwrap_or(&self.unnamed),
            Operation::Resource(uri) => self.resources.get(&**uri).unwrap_or(&self.unnamed),
            Operation::Prompt(name) => self.prompts.get(&**name).unwrap_or(&self.unnamed),
            Operation::Method(method) => match self.methods.get(&**method) {
                Some(required) => required,
                None if HARMLESS.contains(&&**method) => &self.base,
                None => &self.strictest,
            },
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
