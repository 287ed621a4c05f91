//! The values of settings as text: texts, lists, durations, secrets.

use std::{fmt, marker::PhantomData, slice, str::FromStr, time::Duration};

use serde::de::{self, Deserialize, Deserializer, Error as _, SeqAccess, Visitor};
use zeroize::Zeroizing;

/// A text, or a whole number that is meant as a text: a reader of the environment may take one for
/// the other.
#[derive(Clone, Debug)]
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        Ok(Text(text.to_owned()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Text, E> {
        Ok(Text(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Text, E> {
        Ok(Text(number.to_string()))
    }

    // Some ids are longer than a `u64`.
    fn visit_u128<E>(self, number: u128) -> Result<Text, E> {
        Ok(Text(number.to_string()))
    }
}

/// Several values: a list, or one text with commas.
#[derive(Clone, Debug)]
pub(super) struct List<T = String>(Vec<T>);

impl<T> List<T> {
    pub(super) fn iter(&self) -> slice::Iter<'_, T> {
        self.0.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<T: FromStr<Err: fmt::Display>> ListVisitor<T> {
    fn one<E: de::Error>(text: &str) -> Result<T, E> {
        match text.trim() {
            "" => Err(E::custom("a value in the list is empty")),
            text => text.parse().map_err(|error| E::custom(format_args!("{text:?}: {error}"))),
        }
    }
}

impl<'de, T: FromStr<Err: fmt::Display>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of texts, or one text with commas")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<List<T>, E> {
        text.split(',').map(Self::one).collect::<Result<_, _>>().map(List)
    }

    // As for a single text.
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<List<T>, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<List<T>, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u128<E: de::Error>(self, number: u128) -> Result<List<T>, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(Text(text)) = seq.next_element()? {
            list.push(Self::one(&text)?);
        }
        if list.is_empty() {
            // An empty list would restrict nothing, although it looks as if it did.
            return Err(A::Error::invalid_length(0, &"one value, or leave the setting out"));
        }
        Ok(List(list))
    }
}

/// Reads a struct as a map. Otherwise, with `#[serde(flatten)]` it never sees unknown names, and
/// cannot refuse them.
pub(super) struct AsMap<D>(pub(super) D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for AsMap<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        option unit unit_struct newtype_struct seq tuple tuple_struct map struct enum
        identifier ignored_any
    }
}

/// A duration: `"10m"`, or whole seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span(pub(super) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SpanVisitor)
    }
}

struct SpanVisitor;

impl Visitor<'_> for SpanVisitor {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"10m\", or whole seconds")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
        // The environment has only text.
        let read = match text.parse() {
            Ok(seconds) => Ok(Duration::from_secs(seconds)),
            Err(_) => humantime::parse_duration(text),
        };
        read.map(Span).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_u64<E>(self, seconds: u64) -> Result<Span, E> {
        Ok(Span(Duration::from_secs(seconds)))
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Span, E> {
        let number = u64::try_from(seconds);
        let invalid = || E::invalid_value(de::Unexpected::Signed(seconds), &self);
        number.map_err(|_| invalid()).and_then(|seconds| self.visit_u64(seconds))
    }
}

/// A text that `Debug` does not show, and that is wiped when dropped.
#[derive(Clone)]
pub(super) struct SecretText(Zeroizing<String>);

impl SecretText {
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The original error would quote the value.
        let text = String::deserialize(deserializer);
        text.map(|text| Self(Zeroizing::new(text)))
            .map_err(|_| de::Error::custom("the secret must be a text"))
    }
}

#[cfg(test)]
mod tests {
    use serde::de::{
        IntoDeserializer,
        value::{self, U128Deserializer},
    };
    use serde_json::{Value, from_value, json};

    use super::*;
    use crate::alg::Algorithm;

    #[test]
    fn texts_may_look_like_numbers() {
        let read = |value: Value| from_value::<Text>(value).map(|text| text.0).map_err(drop);
        assert_eq!(read(json!("api")), Ok("api".into()));
        assert_eq!(read(json!(7)), Ok("7".into()));
        assert_eq!(read(json!(-7)), Ok("-7".into()));
        for bad in [json!(1.5), json!(true), json!(null), json!(["a"])] {
            assert_eq!(read(bad.clone()), Err(()), "{bad}");
        }
        let id = 103_845_672_890_123_456_789_u128;
        let wide: U128Deserializer<value::Error> = id.into_deserializer();
        assert_eq!(Text::deserialize(wide).unwrap().0, id.to_string());
        let wide: U128Deserializer<value::Error> = id.into_deserializer();
        assert_eq!(List::<String>::deserialize(wide).unwrap().0, [id.to_string()]);
    }

    #[test]
    fn lists_are_lists_or_texts() {
        let read = |value: Value| from_value::<List>(value).map(|list| list.0).map_err(drop);
        assert_eq!(read(json!("a")), Ok(vec!["a".into()]));
        assert_eq!(read(json!("a, b")), Ok(vec!["a".into(), "b".into()]));
        assert_eq!(read(json!(["a", "b"])), Ok(vec!["a".into(), "b".into()]));
        assert_eq!(read(json!(7)), Ok(vec!["7".into()]));
        assert_eq!(read(json!(["a", 7])), Ok(vec!["a".into(), "7".into()]));
        for bad in [json!(""), json!("a,,b"), json!([]), json!([""]), json!([1.5]), json!(null)] {
            assert_eq!(read(bad.clone()), Err(()), "{bad}");
        }
        let algorithms: List<Algorithm> = from_value(json!("RS256,EdDSA")).unwrap();
        assert_eq!(algorithms.0, [Algorithm::RS256, Algorithm::EdDSA]);
        let error = from_value::<List<Algorithm>>(json!("RS256,none")).unwrap_err();
        assert!(error.to_string().contains("\"none\": unknown algorithm"), "{error}");
    }

    #[test]
    fn durations_are_readable() {
        let read = |value: Value| from_value::<Span>(value).map(|span| span.0.as_millis());
        assert_eq!(read(json!("10m")).unwrap(), 600_000);
        assert_eq!(read(json!("1h 30m")).unwrap(), 5_400_000);
        assert_eq!(read(json!("250ms")).unwrap(), 250);
        assert_eq!(read(json!("5")).unwrap(), 5000);
        assert_eq!(read(json!(5)).unwrap(), 5000);
        for bad in [json!("ten"), json!(""), json!("-1s"), json!(-1), json!(1.5), json!(null)] {
            let error = read(bad.clone()).unwrap_err().to_string();
            assert!(error.contains("such as \"10m\""), "{bad}: {error}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let secret: SecretText = from_value(json!("hunter2")).unwrap();
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(format!("{secret:?}"), "SecretText(..)");
        let error = from_value::<SecretText>(json!(["hunter2"])).unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }
}
