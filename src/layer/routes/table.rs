//! The table that requests are looked up in.

use http::Method;
use matchit::{InsertError, Router};

use super::pattern::Pattern;
use crate::authorize::{Policy, PolicyDescription};

pub(super) type BoxPolicy<C> = Box<dyn Policy<C> + Send + Sync>;

/// The requests that may use a route.
pub(super) enum Access<C> {
    Public,
    Policy(BoxPolicy<C>),
}

impl<C> Access<C> {
    pub(super) fn describe(&self) -> Option<PolicyDescription> {
        match self {
            Self::Public => None,
            Self::Policy(policy) => Some(policy.describe()),
        }
    }
}

/// The entries, and what counts without one.
pub(super) struct Table<C> {
    paths: Router<usize>,
    /// Each path once, as the router numbers them.
    pub(super) methods: Vec<Methods<C>>,
    pub(super) fallback: Option<BoxPolicy<C>>,
}

/// The entries of one path.
pub(super) struct Methods<C> {
    pub(super) path: String,
    own: Vec<(Method, Access<C>)>,
    any: Option<Access<C>>,
}

impl<C> Table<C> {
    pub(super) fn new(fallback: Option<BoxPolicy<C>>) -> Self {
        Self { paths: Router::new(), methods: Vec::new(), fallback }
    }

    /// Adds an entry. The error is the reason why it cannot be in the table.
    pub(super) fn add(&mut self, pattern: Pattern, access: Access<C>) -> Result<(), String> {
        let Pattern { method, path } = pattern;
        let at = match self.methods.iter().position(|methods| methods.path == path) {
            Some(at) => at,
            None => {
                self.paths.insert(&path, self.methods.len()).map_err(reason)?;
                self.methods.push(Methods { path, own: Vec::new(), any: None });
                self.methods.len() - 1
            }
        };
        let methods = self.methods.get_mut(at).expect("it was found, or was added");
        match method {
            None if methods.any.is_some() => {
                Err("the path has an entry for all methods already, take one of both out".into())
            }
            None => {
                methods.any = Some(access);
                Ok(())
            }
            Some(method) if methods.of(&method).is_some() => {
                Err(format!("the path has an entry for {method} already, take one of both out"))
            }
            Some(method) => {
                methods.own.push((method, access));
                Ok(())
            }
        }
    }

    /// The entries of the path that this path of a request matches.
    pub(super) fn at(&self, path: &str) -> Option<&Methods<C>> {
        self.methods.get(*self.paths.at(path).ok()?.value)
    }

    pub(super) fn find(&self, method: &Method, path: &str) -> Option<&Access<C>> {
        let methods = self.at(path)?;
        let own = methods.of(method);
        let of_get = || methods.of(&Method::GET).filter(|_| *method == Method::HEAD);
        own.or_else(of_get).or(methods.any.as_ref())
    }
}

impl<C> Methods<C> {
    fn of(&self, method: &Method) -> Option<&Access<C>> {
        self.own.iter().find(|(own, _)| own == method).map(|(_, access)| access)
    }
}

/// Why a path cannot be in the table.
fn reason(error: InsertError) -> String {
    match error {
        InsertError::Conflict { with } => {
            format!("its path conflicts with `{with}`: both match the same requests")
        }
        InsertError::InvalidParamSegment => {
            "a segment has one parameter, at its end, such as `/v{version}`".into()
        }
        InsertError::InvalidCatchAll => "`{*rest}` is a whole segment, the last one".into(),
        // Also what a later version of the router refuses.
        _ => "write a parameter as `{name}`, and a brace as `{{` or `}}`".into(),
    }
}
