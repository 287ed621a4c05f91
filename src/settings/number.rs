//! Flags and numbers. Each may also be a text, because the environment has only text.

use std::{fmt, marker::PhantomData};

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// A flag: `true` or `false`, 1 or 0, or one of these as text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flag(pub(super) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FlagVisitor)
    }
}

struct FlagVisitor;

impl Visitor<'_> for FlagVisitor {
    type Value = Flag;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true or false, or 1 or 0")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Flag, E> {
        Ok(Flag(flag))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Flag, E> {
        match text {
            "true" | "1" => Ok(Flag(true)),
            "false" | "0" => Ok(Flag(false)),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Flag, E> {
        match number {
            1 => Ok(Flag(true)),
            0 => Ok(Flag(false)),
            _ => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Flag, E> {
        let unsigned = u64::try_from(number);
        let unsigned = unsigned.map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))?;
        self.visit_u64(unsigned)
    }
}

/// A number that is not negative, or its decimal text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number<T>(pub(super) T);

impl<'de, T: Numeric> Deserialize<'de> for Number<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor(PhantomData))
    }
}

/// A type of numbers. Each function returns `None` if the type does not have the number.
pub(super) trait Numeric: Sized {
    /// The description of a number of this type, for errors.
    const EXPECTED: &'static str;

    fn from_whole(number: u64) -> Option<Self>;

    fn from_fraction(number: f64) -> Option<Self>;

    fn from_text(text: &str) -> Option<Self>;
}

impl Numeric for usize {
    const EXPECTED: &'static str = "a whole number such as 1000";

    fn from_whole(number: u64) -> Option<Self> {
        number.try_into().ok()
    }

    fn from_fraction(_: f64) -> Option<Self> {
        None
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Numeric for f64 {
    const EXPECTED: &'static str = "a number such as 0.1";

    fn from_whole(number: u64) -> Option<Self> {
        Some(number as f64)
    }

    fn from_fraction(number: f64) -> Option<Self> {
        (number.is_finite() && !number.is_sign_negative()).then_some(number)
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok().and_then(Self::from_fraction)
    }
}

struct NumberVisitor<T>(PhantomData<T>);

impl<T: Numeric> Visitor<'_> for NumberVisitor<T> {
    type Value = Number<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Number<T>, E> {
        let number = T::from_text(text).map(Number);
        number.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Number<T>, E> {
        let read = T::from_whole(number).map(Number);
        read.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Number<T>, E> {
        let read = number.try_into().ok().and_then(T::from_whole).map(Number);
        read.ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Number<T>, E> {
        let read = T::from_fraction(number).map(Number);
        read.ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    #[test]
    fn flags_may_be_numbers_and_texts() {
        let read = |value: Value| from_value::<Flag>(value).map(|flag| flag.0);
        for (flag, values) in [
            (true, [json!(true), json!(1), json!("true"), json!("1")]),
            (false, [json!(false), json!(0), json!("false"), json!("0")]),
        ] {
            for value in values {
                assert_eq!(read(value.clone()).unwrap(), flag, "{value}");
            }
        }
        for bad in [
            json!(2),
            json!(-1),
            json!(1.0),
            json!(null),
            json!([true]),
            json!(""),
            json!("yes"),
            json!("True"),
            json!(" true"),
        ] {
            let error = read(bad.clone()).unwrap_err().to_string();
            assert!(error.contains("expected true or false, or 1 or 0"), "{bad}: {error}");
        }
    }

    #[test]
    fn numbers_may_be_texts() {
        let whole = |value: Value| from_value::<Number<usize>>(value).map(|number| number.0);
        for good in [json!(512), json!("512"), json!("0512")] {
            assert_eq!(whole(good).unwrap(), 512);
        }
        let fraction = |value: Value| from_value::<Number<f64>>(value).map(|number| number.0);
        for good in [json!(0.5), json!("0.5"), json!("5e-1")] {
            assert_eq!(fraction(good).unwrap(), 0.5);
        }
        for good in [json!(0), json!("0"), json!(0.0)] {
            assert_eq!(fraction(good).unwrap(), 0.0);
        }
        for bad in [json!(-1), json!("-1"), json!(""), json!("1 "), json!("1k"), json!(true)] {
            for error in [whole(bad.clone()).unwrap_err(), fraction(bad.clone()).unwrap_err()] {
                assert!(error.to_string().contains("number such as"), "{bad}: {error}");
            }
        }
        for bad in [json!(1.5), json!("1.5"), json!(1.0), json!("99999999999999999999")] {
            assert!(whole(bad.clone()).is_err(), "{bad}");
        }
        for bad in ["NaN", "inf", "infinity", "1e999"] {
            assert!(fraction(json!(bad)).is_err(), "{bad}");
        }
    }
}
