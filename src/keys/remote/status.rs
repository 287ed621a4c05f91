//! The state of the keys, to show on a health page.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

use crate::error::FetchError;

/// The state of the keys of a [`RemoteKeys`](super::RemoteKeys).
///
/// As JSON, times are text in UTC (RFC 3339), and the error is its text:
///
/// ```json
/// {"issuer":"https://login.example.com","state":"healthy","keys":2,"ids":["2026-10","2026-11"],"skipped":[],
///  "last_success":"2026-11-24T12:00:00Z","last_error":null,
///  "next_refresh":"2026-11-24T12:10:00Z",
///  "last_rotation":{"at":"2026-11-24T11:00:00Z","added":["2026-11"],"removed":["2026-09"]},
///  "removed":[{"id":"2026-09","removed_at":"2026-11-24T11:00:00Z","tokens_expire_at":null,
///              "last_used":null}],
///  "oldest_since":"2026-10-01T00:00:00Z"}
/// ```
///
/// It contains no secrets, but it reveals whether your provider can be reached.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct KeyStatus {
    /// The issuer that the keys are bound to.
    pub issuer: Option<String>,
    /// Whether tokens can be verified.
    pub state: KeyState,
    /// The number of keys.
    pub keys: usize,
    /// The ids of the keys that have one.
    pub ids: Vec<String>,
    /// The unusable keys of the document, with the reasons.
    pub skipped: Vec<String>,
    /// The time when keys were last fetched or found to be unchanged.
    #[serde(serialize_with = "time")]
    pub last_success: Option<SystemTime>,
    /// The error of the last fetch; `None` if it succeeded.
    #[serde(serialize_with = "text")]
    pub last_error: Option<FetchError>,
    /// The time of the next fetch, unless a token causes an earlier one; `None` while a
    /// fetch is under way.
    #[serde(serialize_with = "time")]
    pub next_refresh: Option<SystemTime>,
    /// The last time that the document had other keys than before, since this process started.
    pub last_rotation: Option<Rotation>,
    /// The keys that were removed in the last 24 h, at most 100, the last one at the end.
    pub removed: Vec<RemovedKey>,
    /// The time since when the oldest of the keys is known to this process.
    #[serde(serialize_with = "time")]
    pub oldest_since: Option<SystemTime>,
}

/// A difference between two documents of keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Rotation {
    /// The time when the new document came into use.
    #[serde(serialize_with = "some_time")]
    pub at: SystemTime,
    /// The ids of the keys that were added.
    pub added: Vec<String>,
    /// The ids of the keys that were removed.
    pub removed: Vec<String>,
}

/// A key that its provider has removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RemovedKey {
    /// The id of the key.
    pub id: String,
    /// The time when the document without it came into use.
    #[serde(serialize_with = "some_time")]
    pub removed_at: SystemTime,
    /// The time when the last token expires that was verified with it, if that is after its
    /// removal: the provider removed it too early, and such tokens are refused.
    #[serde(serialize_with = "time")]
    pub tokens_expire_at: Option<SystemTime>,
    /// The time when a token last named it after its removal: the provider may still sign with it.
    /// Such a token was not verified, so it may be made up.
    #[serde(serialize_with = "time")]
    pub last_used: Option<SystemTime>,
}

/// Whether tokens can be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyState {
    /// No keys have been fetched yet: valid tokens are answered 503.
    Starting,
    /// There are keys, and the last fetch succeeded.
    Healthy,
    /// There are keys, and the last fetch failed.
    Degraded,
    /// The last successful fetch is longer ago than
    /// [`max_stale`](super::RemoteKeysBuilder::max_stale): valid tokens are answered 503.
    Stale,
}

impl KeyState {
    /// Whether there are keys to verify tokens with.
    #[must_use]
    pub fn is_usable(self) -> bool {
        match self {
            Self::Healthy | Self::Degraded => true,
            Self::Starting | Self::Stale => false,
        }
    }
}

fn time<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        // Times before 1970 and after 9999 have no such text.
        Some(time) => {
            let time = (*time).clamp(UNIX_EPOCH, UNIX_EPOCH + LAST);
            serializer.collect_str(&humantime::format_rfc3339_seconds(time))
        }
        None => serializer.serialize_none(),
    }
}

fn some_time<S: Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    time(&Some(*at), serializer)
}

fn text<S: Serializer>(error: &Option<FetchError>, serializer: S) -> Result<S::Ok, S::Error> {
    match error {
        Some(error) => serializer.collect_str(error),
        None => serializer.serialize_none(),
    }
}

/// 9999-12-31T23:59:59Z.
const LAST: Duration = Duration::from_secs(253_402_300_799);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::FetchErrorKind;

    #[test]
    fn it_is_json_for_a_health_page() {
        let status = KeyStatus {
            issuer: Some("https://a.example".into()),
            state: KeyState::Degraded,
            keys: 1,
            ids: vec!["a".into()],
            skipped: Vec::new(),
            last_success: Some(UNIX_EPOCH + Duration::from_secs(1_795_521_600)),
            last_error: Some(FetchError::new("https://a.example/", FetchErrorKind::Timeout)),
            next_refresh: None,
            last_rotation: Some(Rotation {
                at: UNIX_EPOCH,
                added: vec!["a".into()],
                removed: vec!["b".into()],
            }),
            removed: vec![RemovedKey {
                id: "b".into(),
                removed_at: UNIX_EPOCH,
                tokens_expire_at: None,
                last_used: Some(UNIX_EPOCH),
            }],
            oldest_since: Some(UNIX_EPOCH),
        };
        assert_eq!(
            serde_json::to_value(&status).unwrap(),
            serde_json::json!({
                "issuer": "https://a.example",
                "state": "degraded",
                "keys": 1,
                "ids": ["a"],
                "skipped": [],
                "last_success": "2026-11-24T12:00:00Z",
                "last_error": "https://a.example/: no complete answer in time",
                "next_refresh": null,
                "last_rotation": {
                    "at": "1970-01-01T00:00:00Z", "added": ["a"], "removed": ["b"],
                },
                "removed": [{
                    "id": "b",
                    "removed_at": "1970-01-01T00:00:00Z",
                    "tokens_expire_at": null,
                    "last_used": "1970-01-01T00:00:00Z",
                }],
                "oldest_since": "1970-01-01T00:00:00Z",
            })
        );
        // A clock that is wrong does no harm.
        for (time, text) in [
            (UNIX_EPOCH - Duration::from_secs(1), "1970-01-01T00:00:00Z"),
            (UNIX_EPOCH + LAST * 2, "9999-12-31T23:59:59Z"),
        ] {
            let status = KeyStatus { last_success: Some(time), ..status.clone() };
            assert_eq!(serde_json::to_value(&status).unwrap()["last_success"], text);
        }
    }
}
