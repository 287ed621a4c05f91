//! Members that were read before, for a type that is read from an object.
//!
//! A type gets what `serde_json` would give it. What is not known here, or is not as the type
//! wants it, is an error, and owed from then on: also of a type that makes something of an
//! error, `serde_json` is asked then.

use std::cell::Cell;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor, value::BorrowedStrDeserializer,
};
use serde_json::Error;

use super::{
    RAW_JSON,
    members::{Member, Members, Value},
};

/// An object.
pub(super) struct Fields<'m, 'a> {
    members: &'m Members<'a>,
    owed: &'m Owed,
}

/// What is left of it.
struct Rest<'m, 'a, I> {
    members: I,
    value: Option<Value<'a>>,
    owed: &'m Owed,
}

/// A value that is handed out.
pub(super) struct Handed<'m, 'a> {
    value: Value<'a>,
    owed: &'m Owed,
}

/// A string without escapes, or such a name.
struct Plain<'m, 'a> {
    text: &'a str,
    owed: &'m Owed,
}

/// How much was handed out, or asked for, and not read.
#[derive(Default)]
pub(super) struct Owed(Cell<usize>);

impl Owed {
    pub(super) fn is_nothing(&self) -> bool {
        self.0.get() == 0
    }

    pub(super) fn fields<'m, 'a>(&'m self, members: &'m Members<'a>) -> Fields<'m, 'a> {
        self.more();
        Fields { members, owed: self }
    }

    pub(super) fn hand<'m, 'a>(&'m self, value: Value<'a>) -> Handed<'m, 'a> {
        self.more();
        Handed { value, owed: self }
    }

    fn plain<'m, 'a>(&'m self, text: &'a str) -> Plain<'m, 'a> {
        self.more();
        Plain { text, owed: self }
    }

    fn more(&self) {
        self.0.set(self.0.get().saturating_add(1));
    }

    /// One that was handed out is read, if it could be.
    #[inline]
    fn read<T>(&self, read: Result<T, Error>) -> Result<T, Error> {
        if read.is_ok() {
            self.0.set(self.0.get().wrapping_sub(1));
        }
        read
    }

    #[cold]
    fn unknown(&self) -> Error {
        self.more();
        unknown()
    }
}

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

/// A type around another one, or one that wants the text as it stands: then that answer.
macro_rules! newtypes {
    ($answer:ident) => {
        #[inline]
        fn deserialize_newtype_struct<V: Visitor<'de>>(
            self,
            name: &'static str,
            visitor: V,
        ) -> Result<V::Value, Error> {
            if name == RAW_JSON {
                $answer!(self, visitor, deserialize_newtype_struct name)
            } else {
                visitor.visit_newtype_struct(self)
            }
        }
    };
}

/// What is not known of a string.
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
    ($owed:expr, $text:expr, $visitor:ident, $method:ident $($name:ident)*) => {{
        let mut json = serde_json::Deserializer::from_slice($text.as_bytes());
        let value = json.$method($($name,)* $visitor)?;
        // A number may have been read to its point.
        $owed.read(json.end().map(|()| value))
    }};
}

macro_rules! whole {
    ($self:ident, $visitor:ident, $method:ident $($name:ident)*) => {
        ask!($self.owed, $self.members.text, $visitor, $method $($name)*)
    };
}

macro_rules! alone {
    ($self:ident, $visitor:ident, $method:ident $($name:ident)*) => {
        match $self.value {
            Value::Plain(text) => Plain { text, owed: $self.owed }.$method($($name,)* $visitor),
            Value::Whole(text) | Value::Other(text) => {
                ask!($self.owed, text, $visitor, $method $($name)*)
            }
        }
    };
}

macro_rules! number {
    ($self:ident, $visitor:ident, $method:ident) => {
        match $self.value {
            Value::Whole(digits) => {
                let number = digits.parse().map_err(|_| unknown());
                $self.owed.read(number.and_then(|number| $visitor.visit_u64(number)))
            }
            _ => alone!($self, $visitor, $method),
        }
    };
}

impl<'de> Deserializer<'de> for Fields<'_, 'de> {
    type Error = Error;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut rest = Rest { members: self.members.iter(), value: None, owed: self.owed };
        let value = visitor.visit_map(&mut rest)?;
        let is_all = rest.members.next().is_none() && rest.value.is_none();
        self.owed.read(if is_all { Ok(value) } else { Err(unknown()) })
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

    newtypes!(whole);
}

impl<'de, I: Iterator<Item = Member<'de>>> MapAccess<'de> for &mut Rest<'_, 'de, I> {
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
                seed.deserialize(self.owed.plain(name)).map(Some)
            }
            _ => Err(self.owed.unknown()),
        }
    }

    #[inline]
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        let value = self.value.take().ok_or_else(|| self.owed.unknown())?;
        seed.deserialize(self.owed.hand(value))
    }
}

impl<'de> Deserializer<'de> for Plain<'_, 'de> {
    type Error = Error;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.owed.read(visitor.visit_borrowed_str(self.text))
    }

    methods! {
        deserialize_str() deserialize_string() deserialize_identifier()
        deserialize_char() deserialize_ignored_any()
        => any
    }

    methods! {
        deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32()
        deserialize_i64() deserialize_i128() deserialize_u8() deserialize_u16()
        deserialize_u32() deserialize_u64() deserialize_u128() deserialize_f32()
        deserialize_f64() deserialize_bytes() deserialize_byte_buf()
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

    newtypes!(unknown);

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: Words,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.owed.read(visitor.visit_enum(BorrowedStrDeserializer::new(self.text)))
    }
}

impl<'de> Deserializer<'de> for Handed<'_, 'de> {
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
        if self.value.is_null() {
            self.owed.read(visitor.visit_none())
        } else {
            visitor.visit_some(self)
        }
    }

    newtypes!(alone);

    /// It was checked before.
    #[inline]
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.owed.read(visitor.visit_unit())
    }
}

#[cold]
fn unknown() -> Error {
    Error::custom("not known here")
}
