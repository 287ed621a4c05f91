//! Members that were read before, for a type that is read from an object.
//!
//! A type gets what `serde_json` would give it, or an error, after which `serde_json` itself
//! is asked. Members that it passes over cost nothing.

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor, value::BorrowedStrDeserializer,
};
use serde_json::Error;

use super::{
    RAW_JSON,
    members::{Member, Members, Value},
};

/// An object.
pub(super) struct Fields<'m, 'a>(pub(super) &'m Members<'a>);

/// What is left of it.
struct Rest<'a, I> {
    members: I,
    value: Option<Value<'a>>,
}

/// A string without escapes, or such a name.
struct Plain<'a>(&'a str);

type Words = &'static [&'static str];

/// Methods of a `Deserializer`, with what they take besides a visitor; then the one
/// answer that all of them give.
macro_rules! methods {
    ($($method:ident($($name:ident: $type:ty),*))* => $answer:ident) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(
            self,
            $($name: $type,)*
            visitor: V,
        ) -> Result<V::Value, Error> {
            $answer!(self, visitor, $method $($name)*)
        }
    )*};
}

/// What nobody asks who is content with a string.
macro_rules! unknown {
    ($self:ident, $visitor:ident, $method:ident $($name:ident)*) => {{
        let _ = ($self, $visitor, $($name,)*);
        Err(unknown())
    }};
}

macro_rules! any {
    ($self:ident, $visitor:ident, $method:ident $($name:ident)*) => {{
        let _ = ($($name,)*);
        $self.deserialize_any($visitor)
    }};
}

/// What `serde_json` makes of a text.
macro_rules! ask {
    ($text:expr, $visitor:ident, $method:ident $($name:ident)*) => {{
        let mut json = serde_json::Deserializer::from_str($text);
        let value = json.$method($($name,)* $visitor)?;
        // A number may have been read to its point.
        json.end().map(|()| value)
    }};
}

macro_rules! whole {
    ($self:ident, $visitor:ident, $method:ident $($name:ident)*) => {
        ask!($self.0.text, $visitor, $method $($name)*)
    };
}

macro_rules! alone {
    ($self:ident, $visitor:ident, $method:ident $($name:ident)*) => {
        match $self {
            Value::Plain(text) => Plain(text).$method($($name,)* $visitor),
            Value::Whole(text) | Value::Other(text) => ask!(text, $visitor, $method $($name)*),
        }
    };
}

macro_rules! number {
    ($self:ident, $visitor:ident, $method:ident) => {
        match $self {
            Value::Whole(digits) => $visitor.visit_u64(number(digits)),
            _ => alone!($self, $visitor, $method),
        }
    };
}

impl<'de> Deserializer<'de> for Fields<'_, 'de> {
    type Error = Error;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut rest = Rest { members: self.0.iter(), value: None };
        let value = visitor.visit_map(&mut rest)?;
        let is_all = rest.members.next().is_none() && rest.value.is_none();
        if is_all { Ok(value) } else { Err(unknown()) }
    }

    methods! {
        deserialize_map() deserialize_struct(name: &'static str, fields: Words)
        => any
    }

    methods! {
        deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32()
        deserialize_i64() deserialize_i128() deserialize_u8() deserialize_u16()
        deserialize_u32() deserialize_u64() deserialize_u128() deserialize_f32()
        deserialize_f64() deserialize_char() deserialize_str() deserialize_string()
        deserialize_bytes() deserialize_byte_buf() deserialize_option() deserialize_unit()
        deserialize_unit_struct(name: &'static str)
        deserialize_seq() deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_enum(name: &'static str, variants: Words)
        deserialize_identifier() deserialize_ignored_any()
        => whole
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == RAW_JSON {
            whole!(self, visitor, deserialize_newtype_struct name)
        } else {
            visitor.visit_newtype_struct(self)
        }
    }
}

impl<'de, I: Iterator<Item = Member<'de>>> MapAccess<'de> for &mut Rest<'de, I> {
    type Error = Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        match (self.members.next(), self.value) {
            (None, None) => Ok(None),
            (Some(Member { name: Value::Plain(name), value }), None) => {
                self.value = Some(value);
                seed.deserialize(Plain(name)).map(Some)
            }
            _ => Err(unknown()),
        }
    }

    #[inline]
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.value.take().ok_or_else(unknown)?)
    }
}

impl<'de> Deserializer<'de> for Plain<'de> {
    type Error = Error;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.0)
    }

    methods! {
        deserialize_str() deserialize_string() deserialize_identifier()
        deserialize_ignored_any()
        => any
    }

    methods! {
        deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32()
        deserialize_i64() deserialize_i128() deserialize_u8() deserialize_u16()
        deserialize_u32() deserialize_u64() deserialize_u128() deserialize_f32()
        deserialize_f64() deserialize_char() deserialize_bytes() deserialize_byte_buf()
        deserialize_unit() deserialize_unit_struct(name: &'static str)
        deserialize_seq() deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_map() deserialize_struct(name: &'static str, fields: Words)
        => unknown
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == RAW_JSON { Err(unknown()) } else { visitor.visit_newtype_struct(self) }
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: Words,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(BorrowedStrDeserializer::new(self.0))
    }
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = Error;

    methods! {
        deserialize_any() deserialize_bool() deserialize_i128() deserialize_u128()
        deserialize_char() deserialize_str() deserialize_string() deserialize_bytes()
        deserialize_byte_buf() deserialize_unit() deserialize_unit_struct(name: &'static str)
        deserialize_seq() deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_map() deserialize_struct(name: &'static str, fields: Words)
        deserialize_enum(name: &'static str, variants: Words)
        deserialize_identifier()
        => alone
    }

    methods! {
        deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64()
        deserialize_f32() deserialize_f64()
        => number
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == RAW_JSON {
            alone!(self, visitor, deserialize_newtype_struct name)
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    /// It was checked before.
    #[inline]
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

/// The number that these digits are, so few that it fits.
#[inline]
fn number(digits: &str) -> u64 {
    digits.bytes().fold(0, |sum, digit| {
        sum.wrapping_mul(10).wrapping_add(u64::from(digit.wrapping_sub(b'0')))
    })
}

#[cold]
fn unknown() -> Error {
    Error::custom("not known here")
}
