//! How and when the user of a session has logged in.

use serde::{Deserialize, Serialize};

/// A login of a user, as the access tokens tell it (RFC 9068 §2.2.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Authentication {
    /// When it was, in seconds since 1970.
    pub(crate) auth_time: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) acr: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) amr: Vec<String>,
}

impl Authentication {
    /// Whether it says no more than that there was a login at this time.
    pub(super) fn is_plain(&self, at: i64) -> bool {
        self.auth_time == at && self.acr.is_none() && self.amr.is_empty()
    }
}
