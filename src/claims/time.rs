//! NumericDate (RFC 7519 §2): seconds since 1970, whole or not.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};

/// A point in time as a claim has it (RFC 7519 §2): seconds since
/// 1970-01-01T00:00:00Z, without leap seconds.
///
/// A token may give a fraction of a second. It is not kept to the last digit:
/// [`floor`](Self::floor) and [`ceil`](Self::ceil) say between which whole
/// seconds it lies, and every rule takes the one that is stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NumericDate {
    seconds: i64,
    fraction: bool,
}

/// When a token is valid: `exp`, `nbf` and `iat` (RFC 7519 §4.1.4 to §4.1.6).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    pub(crate) exp: Option<NumericDate>,
    pub(crate) nbf: Option<NumericDate>,
    pub(crate) iat: Option<NumericDate>,
}

impl NumericDate {
    /// The last whole second that is not after this time.
    #[must_use]
    pub fn floor(self) -> i64 {
        self.seconds
    }

    /// The first whole second that is not before this time.
    #[must_use]
    pub fn ceil(self) -> i64 {
        self.seconds.saturating_add(i64::from(self.fraction))
    }

    /// The same as a [`SystemTime`], in whole seconds; `None` where the system
    /// cannot express it.
    #[must_use]
    pub fn to_system_time(self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(self.seconds).ok()?))
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Asked for a number by name, serde_json gives one, also where another
        // crate of the build has turned on its `arbitrary_precision`.
        deserializer.deserialize_f64(DateVisitor)
    }
}

struct DateVisitor;

impl Visitor<'_> for DateVisitor {
    type Value = NumericDate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of seconds since 1970")
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<NumericDate, E> {
        match i64::try_from(seconds) {
            Ok(seconds) => Ok(NumericDate { seconds, fraction: false }),
            Err(_) => Err(E::invalid_value(Unexpected::Other("a number out of range"), &self)),
        }
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<NumericDate, E> {
        // Above 2^53 a double has no longer every whole number, and no date of
        // any use either. The range refuses NaN and the infinities, too.
        if !(0.0..=LARGEST_EXACT).contains(&seconds) {
            return Err(E::invalid_value(Unexpected::Other("a number out of range"), &self));
        }
        #[allow(clippy::cast_possible_truncation, reason = "within 0 and 2^53")]
        let whole = seconds.trunc() as i64;
        Ok(NumericDate { seconds: whole, fraction: seconds.fract() != 0.0 })
    }
}

const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Option<(i64, i64)> {
        let date: NumericDate = serde_json::from_str(text).ok()?;
        Some((date.floor(), date.ceil()))
    }

    #[test]
    fn whole_and_fractional_seconds() {
        assert_eq!(date("0"), Some((0, 0)));
        assert_eq!(date("1700000000"), Some((1_700_000_000, 1_700_000_000)));
        assert_eq!(date("1700000000.25"), Some((1_700_000_000, 1_700_000_001)));
        assert_eq!(date("1.7e9"), Some((1_700_000_000, 1_700_000_000)));
        assert_eq!(date(&i64::MAX.to_string()), Some((i64::MAX, i64::MAX)));
    }

    #[test]
    fn what_is_no_date() {
        let text = [
            "-1",
            "-0.5",
            "9223372036854775808",
            "18446744073709551616",
            "1e16",
            "1e400",
            "NaN",
            "null",
            "true",
            "\"1700000000\"",
            "[1]",
            "{}",
        ];
        for text in text {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn system_time_where_there_is_one() {
        let date: NumericDate = serde_json::from_str("10.5").unwrap();
        assert_eq!(date.to_system_time(), Some(UNIX_EPOCH + Duration::from_secs(10)));
        // Must not panic, whatever the platform answers.
        let far: NumericDate = serde_json::from_str(&i64::MAX.to_string()).unwrap();
        let _ = far.to_system_time();
    }
}
