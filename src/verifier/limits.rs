//! Limits that several builders share.

use crate::{error::ConfigError, rules::Rules, token::RequiredHeader};

/// Refuses a length of tokens that no server needs.
pub(super) fn check_token_len(bytes: usize) -> Result<(), ConfigError> {
    if (1..=LONGEST_TOKEN).contains(&bytes) {
        Ok(())
    } else {
        Err(ConfigError::OutOfRange("the length of a token is from 1 to 65536 bytes"))
    }
}

/// Refuses names of required claims that are empty or too many.
pub(super) fn check_required<'n>(
    names: impl ExactSizeIterator<Item = &'n String>,
) -> Result<(), ConfigError> {
    if names.len() > Rules::MOST_REQUIRED {
        return Err(ConfigError::OutOfRange("at most 64 claims can be required"));
    }
    for name in names {
        if name.is_empty() {
            return Err(ConfigError::InvalidName(
                "the name of a required claim is empty, leave it out",
            ));
        }
    }
    Ok(())
}

/// Refuses a list of types that accepts no token.
pub(super) fn check_types(types: &[Box<str>]) -> Result<(), ConfigError> {
    if types.is_empty() {
        return Err(ConfigError::InvalidName(
            "the list of token types is empty, name one such as `at+jwt`",
        ));
    }
    Ok(())
}

/// Refuses header parameters that other settings are for, and empty ones.
pub(super) fn check_required_header(required: &RequiredHeader) -> Result<(), ConfigError> {
    for (name, values) in required.iter() {
        if name.is_empty() || values.iter().any(|value| value.is_empty()) {
            return Err(ConfigError::InvalidName(
                "a required header parameter, or its value, is empty: name both, or leave it out",
            ));
        }
        if matches!(name, "alg" | "typ" | "kid" | "cty" | "crit" | "b64" | "enc") {
            return Err(ConfigError::InvalidName(
                "`required_header` is for other parameters: for `alg` say `.algorithms(…)`, for \
                 `typ` say `.token_types(…)`, a `kid` is that of a key, and `cty`, `crit`, `b64` \
                 and `enc` are read by this crate",
            ));
        }
    }
    Ok(())
}

/// More than any server takes in one header.
const LONGEST_TOKEN: usize = 64 * 1024;
