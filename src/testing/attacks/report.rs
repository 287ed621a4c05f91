//! The attacks that were not refused.

use std::fmt;

use http::StatusCode;

use super::Attack;

/// The result of [`AttackRun::run`](super::AttackRun::run). `Display` has three lines for each attack
/// that was not refused.
#[derive(Clone, Debug)]
#[must_use = "a report does nothing until it is looked at"]
pub struct AttackReport {
    pub(super) path: String,
    pub(super) sent: usize,
    /// The fault of the set-up: then no attack was sent.
    pub(super) fault: Option<String>,
    pub(super) passed: Vec<PassedAttack>,
    /// Those that were allowed, with the reason.
    pub(super) allowed: Vec<(String, String)>,
}

/// An attack that was not refused.
#[derive(Clone, Debug)]
pub struct PassedAttack {
    pub(super) attack: Attack,
    pub(super) answer: Answer,
}

/// The answer of the service.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Status(StatusCode),
    /// The service itself has failed.
    Failed(String),
}

impl AttackReport {
    /// Whether valid requests were accepted, and all attacks refused, except for those that are
    /// [allowed](super::AttackRun::allow).
    #[must_use]
    pub fn all_refused(&self) -> bool {
        self.fault.is_none() && self.passed.is_empty()
    }

    /// The attacks that were not refused.
    pub fn passed(&self) -> impl Iterator<Item = &PassedAttack> {
        self.passed.iter()
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

impl PassedAttack {
    /// The attack.
    #[must_use]
    pub fn attack(&self) -> &Attack {
        &self.attack
    }

    /// The status of the answer; `None` if the service has failed.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self.answer {
            Answer::Status(status) => Some(status),
            Answer::Failed(_) => None,
        }
    }
}

impl fmt::Display for AttackReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, sent, fault, passed, allowed } = self;
        if let Some(fault) = fault {
            return write!(f, "no attack was sent to {path}: {fault}");
        }
        match &**passed {
            [] => write!(f, "{path} refused all of {sent} attacks")?,
            some => {
                write!(f, "{path} did not refuse {} of {sent} attacks", some.len())?;
                let is_open = |one: &PassedAttack| {
                    let is_success = one.status().is_some_and(|status| status.is_success());
                    one.attack.name() == "t01_no_token" && is_success
                };
                if some.iter().any(is_open) {
                    f.write_str(
                        "\nthe route answers requests without a token: put it inside a `JwtAuthLayer`",
                    )?;
                }
            }
        }
        for one in passed {
            write!(f, "\n{one}")?;
        }
        for (name, reason) in allowed {
            write!(f, "\n{name}: allowed, {reason}")?;
        }
        Ok(())
    }
}

impl fmt::Display for PassedAttack {
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
                write!(f, "{status}, expected 400, 401 or 403: the request made the service fail")
            }
            Self::Status(status) => write!(f, "{status}, expected 400, 401 or 403"),
            Self::Failed(error) => write!(f, "the service has failed: {error}"),
        }
    }
}
