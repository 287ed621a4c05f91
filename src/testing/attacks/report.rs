//! The attacks that were not refused.

use std::fmt;

use http::StatusCode;

use super::Attack;

/// The result of [`AttackRun::run`](super::AttackRun::run). `Display` has three lines for each attack
/// that was not refused, and only the names of those that the service answers as a request without any
/// token.
#[derive(Clone, Debug)]
#[must_use = "a report does nothing until it is looked at"]
pub struct AttackReport {
    pub(super) path: String,
    pub(super) sent: usize,
    /// The fault of the set-up: then no attack was sent.
    pub(super) fault: Option<String>,
    pub(super) not_refused: Vec<UnrefusedAttack>,
    /// The answers that refuse.
    pub(super) expected: Vec<StatusCode>,
    /// The attacks that were not sent, with the reason.
    pub(super) notes: Vec<String>,
}

/// An attack that was not refused.
#[derive(Clone, Debug)]
pub struct UnrefusedAttack {
    pub(super) attack: Attack,
    pub(super) answer: Answer,
}

/// The answer of the service.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Status(StatusCode),
    /// The service itself has failed.
    Failed(String),
    /// It has not accepted the valid request that the attack repeats, so it was not sent.
    Unprepared(StatusCode),
}

impl AttackReport {
    /// Whether valid requests were accepted, and all attacks refused, except for those that are
    /// [allowed](super::AttackRun::allow).
    #[must_use]
    pub fn all_refused(&self) -> bool {
        self.fault.is_none() && self.not_refused.is_empty()
    }

    /// The attacks that were not refused.
    pub fn not_refused(&self) -> impl Iterator<Item = &UnrefusedAttack> {
        self.not_refused.iter()
    }

    /// The number of attacks that were sent.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.sent
    }

    /// Why no attack was sent, such as a valid request that was refused.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Asserts that [`all_refused`](Self::all_refused) is true.
    ///
    /// # Panics
    ///
    /// It is not. The message is that of `Display`: it has all attacks that were not refused.
    #[track_caller]
    pub fn assert_all_refused(&self) {
        assert!(self.all_refused(), "{self}");
    }
}

impl UnrefusedAttack {
    /// The attack.
    #[must_use]
    pub fn attack(&self) -> &Attack {
        &self.attack
    }

    /// The status of the answer; `None` if the service has failed, or if it has refused the valid request
    /// that the attack repeats.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self.answer {
            Answer::Status(status) => Some(status),
            Answer::Failed(_) | Answer::Unprepared(_) => None,
        }
    }
}

impl AttackReport {
    /// The status of a request without a token, if that is not a refusal.
    fn without_token(&self) -> Option<StatusCode> {
        let is_without_token = |one: &&UnrefusedAttack| one.attack.name() == "t01_no_token";
        self.not_refused.iter().find(is_without_token)?.status()
    }

    /// The likely reason why so many were not refused.
    fn hint(&self) -> Option<String> {
        let status = self.without_token()?;
        match status {
            _ if status.is_success() => Some(
                "the route answers requests without a token: put it inside a `JwtAuthLayer`, without \
                 `.optional()` and `.pass_through()`"
                    .into(),
            ),
            _ if status.is_redirection() || status == StatusCode::NOT_FOUND => Some(format!(
                "requests without a token get {status}: if the service refuses them so, count it as a \
                 refusal with `.refusal(…)`"
            )),
            _ => None,
        }
    }

    /// Whether it is named only, because a request without any token gets the same answer.
    fn is_like_none(&self, one: &UnrefusedAttack) -> bool {
        let is_all = self.not_refused.len() == self.sent;
        one.attack.name() != "t01_no_token"
            && self.without_token().is_some_and(|status| one.status() == Some(status))
            && (is_all || one.attack.check.is_about_place())
    }

    fn expected(&self) -> String {
        let mut all: Vec<_> =
            self.expected.iter().map(|status| status.as_u16().to_string()).collect();
        let last = all.pop().unwrap_or_default();
        format!("{} or {last}", all.join(", "))
    }
}

impl fmt::Display for AttackReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, sent, fault, not_refused, notes, .. } = self;
        if let Some(fault) = fault {
            return write!(f, "no attack was sent to {path}: {fault}");
        }
        if not_refused.is_empty() {
            write!(f, "{path} refused all of {sent} attacks")?;
        } else {
            write!(f, "{path} did not refuse {} of {sent} attacks", not_refused.len())?;
            write!(f, ", expected {}", self.expected())?;
        }
        if let Some(hint) = self.hint() {
            write!(f, "\n{hint}")?;
        }
        let (named, shown): (Vec<_>, Vec<_>) =
            not_refused.iter().partition(|one| self.is_like_none(one));
        for one in shown {
            write!(f, "\n{one}")?;
        }
        if !named.is_empty() {
            let names: Vec<_> = named.iter().map(|one| one.attack.name()).collect();
            write!(f, "\nwith the same answer: {}", names.join(", "))?;
        }
        if !not_refused.is_empty() {
            f.write_str("\nif one must pass, write its reason down with `.allow(name, reason)`")?;
        }
        for note in notes {
            write!(f, "\n{note}")?;
        }
        Ok(())
    }
}

impl fmt::Display for UnrefusedAttack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attack, answer } = self;
        let (name, description) = (attack.name(), attack.description());
        write!(
            f,
            "{name}: {description}\n  answer: {answer}\n  stopped by: {}",
            attack.stopped_by()
        )
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) if status.is_server_error() => {
                write!(f, "{status}: the request made the service fail")
            }
            Self::Status(status) => write!(f, "{status}"),
            Self::Failed(error) => write!(f, "the service has failed: {error}"),
            Self::Unprepared(status) => {
                write!(f, "not sent: the valid request that it repeats got {status}")
            }
        }
    }
}
