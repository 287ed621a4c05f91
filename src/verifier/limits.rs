//! Limits that several builders share.

use std::time::Duration;

use crate::error::ConfigError;

/// Refuses a length of tokens that no server needs.
pub(super) fn check_token_len(bytes: usize) -> Result<(), ConfigError> {
    if (1..=LONGEST_TOKEN).contains(&bytes) {
        Ok(())
    } else {
        Err(ConfigError::OutOfRange("the length of a token is from 1 to 65536 bytes"))
    }
}

/// More than NTP ever leaves; less than the life of an access token.
pub(super) const MOST_LEEWAY: Duration = Duration::from_secs(300);

/// More than any server takes in one header.
const LONGEST_TOKEN: usize = 64 * 1024;
