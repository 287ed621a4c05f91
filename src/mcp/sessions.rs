//! The sessions of the revisions before 2026-07-28, and who they belong to.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{error::ConfigError, expiring::ExpiringMap, verifier::Claims};

/// Binds each `Mcp-Session-Id` to the principal that began the session: the issuer, the subject and the
/// client of its token. A request of another principal with that id is answered 404, as one with an id
/// that the server never gave. Otherwise, whoever learns the id of a session could take part in it.
///
/// The ids are learned from the responses of the server. A token that was refreshed has the same
/// principal, so the session continues. A token without a subject and without a client has no principal, and
/// no session.
///
/// # Defaults
///
/// - an id is forgotten 24 hours after its last request
/// - at most 100,000 sessions, and at most 1,000 of one subject, whatever its clients. If there are more,
///   the one that was not used for the longest time is forgotten, and its client gets a 404 and begins
///   anew.
///
/// A request within a minute of another one of its session may count as if it came with that one, so an id may be
/// forgotten up to a minute earlier.
///
/// # Several processes
///
/// Each process knows the sessions that it began. A load balancer must send the requests of a session to
/// one process, as servers with sessions in memory need it anyway.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth::mcp::SessionBinding;
///
/// let sessions = SessionBinding::new().ttl(Duration::from_secs(3600)).capacity(10_000);
/// # let _ = sessions;
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "it does nothing until a layer has it"]
pub struct SessionBinding {
    ttl: Duration,
    capacity: usize,
    per_subject: usize,
}

impl SessionBinding {
    /// A binding with the defaults.
    pub fn new() -> Self {
        let ttl = Duration::from_secs(24 * 60 * 60);
        Self { ttl, capacity: 100_000, per_subject: 1_000 }
    }

    /// Sets how long an id is remembered after its last request, in whole seconds. It should be longer
    /// than the server keeps a session. Default: 24 hours.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets how many sessions are remembered. Default: 100,000.
    pub fn capacity(mut self, sessions: usize) -> Self {
        self.capacity = sessions;
        self
    }

    /// Sets how many sessions of one subject are remembered, of all of its clients together: with dynamic
    /// registration, a subject may have as many clients as it wants. The sessions of a client without a
    /// subject are counted by themselves. Default: 1,000.
    pub fn capacity_per_subject(mut self, sessions: usize) -> Self {
        self.per_subject = sessions;
        self
    }

    pub(super) fn build(self) -> Result<Sessions, ConfigError> {
        let ttl = i64::try_from(self.ttl.as_secs()).unwrap_or(i64::MAX);
        if !(1..=LONGEST).contains(&ttl) {
            return Err(ConfigError::OutOfRange(
                "the `ttl` of `SessionBinding` must be at least 1 second, and at most 10 years",
            ));
        }
        if self.capacity == 0 || self.per_subject == 0 {
            return Err(ConfigError::OutOfRange(
                "the capacities of `SessionBinding` must be at least 1: to have no binding, say \
                 `.without_session_binding()`",
            ));
        }
        let known = ExpiringMap::new(self.capacity);
        let table = Table { known, of: HashMap::new(), per_subject: self.per_subject, ttl };
        Ok(Sessions(Mutex::new(table)))
    }
}

impl Default for SessionBinding {
    fn default() -> Self {
        Self::new()
    }
}

/// How long a request leaves the deadline as it is, in seconds at most: moving a session in its order is
/// the most expensive part of a request.
const STEP: i64 = 60;

/// Ten years, in seconds.
const LONGEST: i64 = 10 * 365 * 24 * 60 * 60;

/// The longest id that is remembered, in bytes. The ids of servers are UUIDs, or signed texts.
const LONGEST_ID: usize = 1024;

/// Whose a session is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Principal {
    issuer: Option<Box<str>>,
    subject: Option<Box<str>>,
    client: Option<Box<str>>,
}

impl Principal {
    /// The principal of a token. `None` if the token names neither a subject nor a client. Providers name
    /// the client in different claims.
    pub(super) fn of(claims: &Claims) -> Option<Arc<Self>> {
        let (subject, client) = (claims.subject(), claims.registered().client());
        (subject.is_some() || client.is_some()).then(|| {
            Arc::new(Self {
                issuer: claims.issuer().map(Box::from),
                subject: subject.map(Box::from),
                client: client.map(String::into_boxed_str),
            })
        })
    }

    /// The principal that its sessions are counted for: its subject, with whatever client.
    fn owner(self: &Arc<Self>) -> Arc<Self> {
        match (&self.subject, &self.client) {
            (Some(_), Some(_)) => Arc::new(Self { client: None, ..Self::clone(self) }),
            _ => Arc::clone(self),
        }
    }
}

/// The sessions that are known, and their principals.
pub(super) struct Sessions(Mutex<Table>);

struct Table {
    known: ExpiringMap<Arc<str>, Session>,
    /// The sessions of each owner, so that one cannot push out those of all others.
    of: HashMap<Arc<Principal>, ExpiringMap<Arc<str>, Arc<str>>>,
    per_subject: usize,
    ttl: i64,
}

#[derive(Debug)]
struct Session {
    id: Arc<str>,
    principal: Arc<Principal>,
    /// The principal that the session is counted for.
    owner: Arc<Principal>,
    deadline: i64,
}

impl Sessions {
    /// Whether the session is one of this principal. If it is, it is remembered for longer.
    pub(super) fn is_of(&self, id: &str, principal: &Arc<Principal>, now: i64) -> bool {
        let mut table = self.table();
        let Some(session) = table.known.get(id, now) else { return false };
        if session.principal != *principal {
            return false;
        }
        let step = STEP.min(table.ttl / 16);
        let is_due = table.deadline(now).saturating_sub(session.deadline) > step;
        if is_due {
            table.insert(id, principal, now);
        }
        true
    }

    /// Remembers a session that the server has begun. One of another principal stays that principal's.
    pub(super) fn learn(&self, id: &str, principal: &Arc<Principal>, now: i64) {
        let mut table = self.table();
        let is_known = table.known.get(id, now).is_some();
        if !is_known && (1..=LONGEST_ID).contains(&id.len()) {
            table.insert(id, principal, now);
        }
    }

    /// Forgets a session of this principal that has ended.
    pub(super) fn forget(&self, id: &str, principal: &Principal) {
        let mut table = self.table();
        // Also one whose time is over.
        let is_own = |session: &Session| *session.principal == *principal;
        if table.known.get(id, i64::MIN).is_some_and(is_own)
            && let Some(session) = table.known.remove(id)
        {
            table.remove_from_principal(&session);
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // The table is whole after each of its methods.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn deadline(&self, now: i64) -> i64 {
        now.saturating_add(self.ttl)
    }

    fn insert(&mut self, id: &str, principal: &Arc<Principal>, now: i64) {
        let deadline = self.deadline(now);
        let id: Arc<str> = Arc::from(id);
        let (principal, owner) = (principal.clone(), principal.owner());
        let session = Session { id: id.clone(), principal, owner: owner.clone(), deadline };
        if let Some(former) = self.known.remove(&*id) {
            self.remove_from_principal(&former);
        }
        for gone in self.known.insert(id.clone(), session, deadline, now) {
            self.remove_from_principal(&gone);
        }
        let most = self.per_subject;
        let own = self.of.entry(owner).or_insert_with(|| ExpiringMap::new(most));
        for gone in own.insert(id.clone(), id, deadline, now) {
            self.known.remove(&*gone);
        }
    }

    fn remove_from_principal(&mut self, session: &Session) {
        if let Some(own) = self.of.get_mut(&session.owner) {
            own.remove(&*session.id);
            if own.is_empty() {
                self.of.remove(&session.owner);
            }
        }
    }
}

/// Shows no id: whoever has one, and a token of its principal, is in the session.
impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(subject: &str) -> Arc<Principal> {
        let subject = Some(subject.into());
        Arc::new(Principal { issuer: Some("i".into()), subject, client: None })
    }

    fn counts(sessions: &Sessions) -> (usize, usize, usize) {
        let table = sessions.table();
        (table.known.len(), table.of.len(), table.of.values().map(ExpiringMap::len).sum())
    }

    #[test]
    fn c16_a_session_is_its_principals_until_it_ends() {
        let sessions = SessionBinding::new().ttl(Duration::from_secs(100)).build().unwrap();
        let (alice, bob) = (principal("alice"), principal("bob"));
        assert!(!sessions.is_of("s", &alice, 0));
        sessions.learn("s", &alice, 0);
        // A server that gives the same id to two principals does not move it.
        sessions.learn("s", &bob, 0);
        sessions.forget("s", &bob);
        assert!(sessions.is_of("s", &alice, 99) && !sessions.is_of("s", &bob, 99));
        // Each request counts from then on.
        assert!(sessions.is_of("s", &alice, 198));
        assert!(!sessions.is_of("s", &alice, 298));
        sessions.learn("s", &alice, 300);
        sessions.forget("s", &alice);
        assert!(!sessions.is_of("s", &alice, 300));
        assert_eq!(counts(&sessions), (0, 0, 0));
    }

    #[test]
    fn c16_one_principal_does_not_push_out_the_sessions_of_others() {
        let binding = SessionBinding::new().capacity(10).capacity_per_subject(3);
        let sessions = binding.build().unwrap();
        let (alice, mallory) = (principal("alice"), principal("mallory"));
        sessions.learn("a", &alice, 0);
        for (at, id) in (1..).zip(["1", "2", "3", "4", "5", "6"]) {
            sessions.learn(id, &mallory, at);
        }
        assert!(sessions.is_of("a", &alice, 10));
        assert!(!sessions.is_of("3", &mallory, 10) && sessions.is_of("4", &mallory, 10));
        assert_eq!(counts(&sessions), (4, 2, 4));
        for (at, subject) in (20..).zip('b'..='z') {
            sessions.learn(&subject.to_string(), &principal(&subject.to_string()), at);
        }
        assert_eq!(counts(&sessions), (10, 10, 10), "the rest is forgotten in both maps");
    }

    #[test]
    fn c16_the_clients_of_one_subject_do_not_push_out_the_sessions_of_others() {
        let binding = SessionBinding::new().capacity(10).capacity_per_subject(3);
        let sessions = binding.build().unwrap();
        let alice = principal("alice");
        sessions.learn("a", &alice, 0);
        for at in 1..50 {
            let client = Some(format!("client {at}").into());
            let mallory = Arc::new(Principal { client, ..Principal::clone(&principal("mallory")) });
            sessions.learn(&at.to_string(), &mallory, at);
            assert!(sessions.is_of(&at.to_string(), &mallory, at));
            // Another client of the same subject is another principal.
            assert!(!sessions.is_of(&at.to_string(), &principal("mallory"), at));
        }
        assert!(sessions.is_of("a", &alice, 60));
        assert_eq!(counts(&sessions), (4, 2, 4));
    }

    #[test]
    fn c16_the_session_that_was_used_last_stays() {
        let binding = SessionBinding::new().capacity_per_subject(2);
        let (sessions, alice) = (binding.build().unwrap(), principal("alice"));
        sessions.learn("busy", &alice, 0);
        sessions.learn("idle", &alice, 1);
        for minute in 1..5 {
            assert!(sessions.is_of("busy", &alice, minute * 61));
        }
        sessions.learn("third", &alice, 400);
        assert!(sessions.is_of("busy", &alice, 400) && !sessions.is_of("idle", &alice, 400));
    }

    #[test]
    fn limits_must_be_sensible() {
        let binding = SessionBinding::new;
        assert!(binding().ttl(Duration::from_millis(999)).build().is_err());
        assert!(binding().ttl(Duration::MAX).build().is_err());
        assert!(binding().capacity(0).build().is_err());
        assert!(binding().capacity_per_subject(0).build().is_err());
        let sessions = binding().build().unwrap();
        sessions.learn("", &principal("a"), 0);
        sessions.learn(&"x".repeat(1025), &principal("a"), 0);
        assert_eq!(counts(&sessions), (0, 0, 0));
    }
}
