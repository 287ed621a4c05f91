//! The entry of a revocation in the store, with its keys and its script.

use std::sync::LazyLock;

use redis::{Cmd, Script, ScriptInvocation};
use serde_json::Value;

use super::{connection::script, failure::Failure};
use crate::revocation::Revocation;

/// The names of the keys. They have one hash tag, so that a script may use all of them.
pub(super) struct Keys {
    /// The revocations, by the name of the token, session or subject.
    pub(super) entries: String,
    /// The end of each revocation.
    times: String,
    /// The stream of changes that the machines follow.
    pub(super) changes: String,
    /// The number of changes that there were.
    pub(super) count: String,
    /// The time since which the list has been whole.
    pub(super) since: String,
    /// Exists while somebody writes back what the list has lost.
    pub(super) writing: String,
    /// Never exists: deleting it is a write that changes nothing.
    pub(super) nothing: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self::named(&format!("{{{prefix}:deny}}"))
    }

    /// Separate keys, to try the scripts on.
    pub(super) fn for_trial(prefix: &str, id: &str) -> Self {
        Self::named(&format!("{{{prefix}:deny}}:trial-{id}"))
    }

    fn named(begin: &str) -> Self {
        let key = |name: &str| format!("{begin}:{name}");
        Self {
            entries: key("entries"),
            times: key("times"),
            changes: key("changes"),
            count: key("count"),
            since: key("since"),
            writing: key("writing"),
            nothing: key("nothing"),
        }
    }

    /// The script that adds a revocation.
    pub(super) fn revoke(
        &self,
        revocation: &Revocation,
        now: i64,
    ) -> Result<ScriptInvocation<'static>, serde_json::Error> {
        let mut invocation = REVOKE.prepare_invoke();
        for key in self.all() {
            invocation.key(key);
        }
        for argument in arguments(revocation, now)? {
            invocation.arg(argument);
        }
        Ok(invocation)
    }

    /// The same as a command of a pipeline. The script must be loaded.
    pub(super) fn revoke_loaded(
        &self,
        revocation: &Revocation,
        now: i64,
    ) -> Result<Cmd, serde_json::Error> {
        let mut command = redis::cmd("EVALSHA");
        command.arg(REVOKE.get_hash()).arg(self.all().len());
        command.arg(&self.all()).arg(&arguments(revocation, now)?);
        Ok(command)
    }

    /// The keys that the script uses, in its order.
    pub(super) fn all(&self) -> [&str; 5] {
        [&self.entries, &self.times, &self.changes, &self.count, &self.since]
    }
}

/// The script that adds a revocation.
pub(super) static REVOKE: LazyLock<Script> = LazyLock::new(|| script(include_str!("revoke.lua")));

/// The script that tells the age of the list and its last change.
pub(super) static BEGIN: LazyLock<Script> = LazyLock::new(|| script(include_str!("begin.lua")));

fn arguments(revocation: &Revocation, now: i64) -> Result<[String; 8], serde_json::Error> {
    Ok([
        revocation.key(),
        revocation.keep_until().to_string(),
        revocation.issued_until().map_or_else(|| NEVER.to_owned(), |before| before.to_string()),
        serde_json::to_string(revocation)?,
        now.to_string(),
        MOST_CHANGES.to_string(),
        SHORTEST.to_string(),
        LONGEST.to_string(),
    ])
}

/// Reads an entry. Its times come first, where a script can change them.
pub(super) fn read(entry: &str) -> Result<Revocation, Failure> {
    try_read(entry).ok_or(Failure::Foreign(
        "a revocation in Redis is malformed: nothing else may write to the keys of its prefix",
    ))
}

fn try_read(entry: &str) -> Option<Revocation> {
    let mut parts = entry.splitn(3, ' ');
    let (until, before, json) = (parts.next()?, parts.next()?, parts.next()?);
    let mut value: Value = serde_json::from_str(json).ok()?;
    let object = value.as_object_mut()?;
    object.insert("until".to_owned(), until.parse::<i64>().ok()?.into());
    if before != NEVER {
        let subject = object.get_mut("subject")?.as_object_mut()?;
        subject.insert("before".to_owned(), before.parse::<i64>().ok()?.into());
    }
    serde_json::from_value(value).ok()
}

/// The time of a revocation that holds for tokens of any time of issue.
const NEVER: &str = "-";

/// The number of changes that are kept. A machine that has missed more reads the whole list.
const MOST_CHANGES: u32 = 10_000;

/// The shortest and the longest time that the list is kept, in seconds: a day, and a hundred
/// years.
const SHORTEST: i64 = 24 * 60 * 60;
const LONGEST: i64 = 100 * 366 * 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_with_the_times_at_its_head() {
        let of_token = Revocation::token("i", "j j", 9);
        let json = serde_json::to_string(&of_token).unwrap();
        assert_eq!(read(&format!("309 - {json}")).unwrap(), of_token);
        assert_eq!(read(&format!("310 - {json}")).unwrap().keep_until(), 310);
        let of_subject = Revocation::subject("i", "s", 5, 9);
        let json = serde_json::to_string(&of_subject).unwrap();
        let merged = read(&format!("{} {} {json}", i64::MAX, i64::MIN)).unwrap();
        assert_eq!((merged.keep_until(), merged.issued_until()), (i64::MAX, Some(i64::MIN)));
        assert_eq!(merged.key(), of_subject.key());
        for wrong in ["", "1", "1 2", "1 - {}", "x - {}", "1 - []", "9 5 {\"token\":\"t\"}"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn all_keys_are_in_one_slot() {
        let keys = Keys::new("shop");
        assert!(keys.all().iter().all(|key| key.starts_with("{shop:deny}:")));
    }
}
