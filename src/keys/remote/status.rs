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
///  "next_refresh":"2026-11-24T12:10:00Z"}
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
