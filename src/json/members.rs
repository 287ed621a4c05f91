//! The members of one object, each with its value as it stands.

use std::borrow::Cow;

use memchr::{memchr, memchr2_iter};
use serde::de::{Deserialize, value::BorrowedStrDeserializer};

use super::{Checked, Text};

/// The members of a JSON object, in their order. Everything in them was checked, but for
/// names that stand twice among these.
pub(crate) struct Members<'a> {
    /// All of them, if they are few.
    few: [Member<'a>; FEW],
    count: usize,
    /// All of them, if they are many.
    many: Vec<Member<'a>>,
}

#[derive(Clone, Copy)]
pub(crate) struct Member<'a> {
    name: Value<'a>,
    pub(crate) value: Value<'a>,
}

/// A value, checked.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    /// A string without escapes: what is between the quotes.
    Plain(&'a str),
    /// A whole number of so few digits that it fits into 64 bits.
    Whole(&'a str),
    /// Any other, as it stands.
    Other(&'a str),
}

impl<'a> Members<'a> {
    pub(crate) fn new() -> Self {
        Self { few: [NONE; FEW], count: 0, many: Vec::new() }
    }

    /// Reads a text that is one object and nothing else. Fills what is empty: it is large to
    /// hand about.
    pub(crate) fn read(&mut self, text: &'a str) -> Option<()> {
        let mut cursor = Cursor { text, at: 0, plain: is_plain(text) };
        cursor.skip_blanks();
        cursor.take(b'{')?;
        cursor.skip_blanks();
        if cursor.take(b'}').is_none() {
            loop {
                self.add(cursor.member()?);
                cursor.skip_blanks();
                match cursor.take(b',') {
                    Some(()) => cursor.skip_blanks(),
                    None => break,
                }
            }
            cursor.take(b'}')?;
        }
        cursor.skip_blanks();
        cursor.is_at_end().then_some(())
    }

    #[inline]
    fn add(&mut self, member: Member<'a>) {
        match self.few.get_mut(self.count) {
            Some(place) => {
                *place = member;
                self.count += 1;
            }
            None => {
                if self.many.is_empty() {
                    self.many.extend(self.few);
                }
                self.many.push(member);
            }
        }
    }

    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = Member<'a>> {
        let few = self.few.get(..self.count).unwrap_or_default();
        let all = if self.many.is_empty() { few } else { &self.many };
        all.iter().copied()
    }
}

/// Reads a type that is not ours. From bytes: what reads a text panics where a map's key is a
/// `bool` and a name is not ASCII (serde_json 1.0.154), since it cuts the text inside of a
/// character.
pub(crate) fn value<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, serde_json::Error> {
    serde_json::from_slice(text.as_bytes())
}

impl<'a> Member<'a> {
    /// The name without its escapes; `None` is not to be expected, since they were checked.
    #[inline]
    pub(crate) fn name(&self) -> Option<Cow<'a, str>> {
        match self.name {
            Value::Plain(name) => Some(Cow::Borrowed(name)),
            Value::Whole(name) | Value::Other(name) => {
                serde_json::from_str(name).ok().map(|Text(name)| name)
            }
        }
    }
}

impl<'a> Value<'a> {
    /// The value as a `T`.
    #[inline]
    pub(crate) fn to<T: Deserialize<'a>>(self) -> Result<T, serde_json::Error> {
        match self {
            Self::Plain(text) => T::deserialize(BorrowedStrDeserializer::new(text)),
            Self::Whole(text) | Self::Other(text) => serde_json::from_str(text),
        }
    }

    pub(crate) fn is_null(self) -> bool {
        matches!(self, Self::Other("null"))
    }
}

/// Reads from the front.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// Whether every string ends at the next quote.
    plain: bool,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    fn is_at_end(&self) -> bool {
        self.peek().is_none()
    }

    fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }

    /// Skips what RFC 8259 §2 has between the parts.
    #[inline]
    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.skip(1);
        }
    }

    #[inline]
    fn take(&mut self, byte: u8) -> Option<()> {
        let is_there = self.peek() == Some(byte);
        self.skip(usize::from(is_there));
        is_there.then_some(())
    }

    #[inline]
    fn member(&mut self) -> Option<Member<'a>> {
        let name = match self.plain_string() {
            Some(name) => Value::Plain(name),
            None => Value::Other(self.any::<Text<'a>>()?),
        };
        self.skip_blanks();
        self.take(b':')?;
        self.skip_blanks();
        Some(Member { name, value: self.value()? })
    }

    #[inline]
    fn value(&mut self) -> Option<Value<'a>> {
        if let Some(text) = self.plain_string() {
            return Some(Value::Plain(text));
        }
        match self.whole_number() {
            Some(number) => Some(Value::Whole(number)),
            None => self.any::<Checked>().filter(|text| !is_too_deep(text)).map(Value::Other),
        }
    }

    /// A string, if it is known where it ends.
    #[inline]
    fn plain_string(&mut self) -> Option<&'a str> {
        if !self.plain || self.peek() != Some(b'"') {
            return None;
        }
        let start = self.at.checked_add(1)?;
        let length = memchr(b'"', self.text.as_bytes().get(start..)?)?;
        let end = start.checked_add(length)?;
        self.at = end.checked_add(1)?;
        self.text.get(start..end)
    }

    /// A number as dates have it.
    #[inline]
    fn whole_number(&mut self) -> Option<&'a str> {
        let length = self.rest().iter().take(DIGITS).take_while(|byte| byte.is_ascii_digit());
        let length = length.count();
        let (end, first) = (self.at.checked_add(length)?, self.peek()?);
        // What is behind it says whether it is all of the number.
        let ends = matches!(self.text.as_bytes().get(end), Some(b',' | b'}'));
        if length == 0 || first == b'0' || !ends {
            return None;
        }
        let number = self.text.get(self.at..end);
        self.at = end;
        number
    }

    /// How any `T` stands here.
    fn any<T: Deserialize<'a>>(&mut self) -> Option<&'a str> {
        let rest = self.text.get(self.at..)?;
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<T>();
        stream.next()?.ok()?;
        let length = stream.byte_offset();
        self.skip(length);
        rest.get(..length)
    }
}

/// Whether no string in a text has an escape in it, or what may not be in one.
fn is_plain(text: &str) -> bool {
    // Looks at every byte, which is many times as fast as stopping early.
    text.bytes().fold(true, |all, byte| all & (byte >= b' ') & (byte != b'\\'))
}

/// Whether a value that was read by itself is nested too deeply for where it stands, one
/// level further in.
#[inline]
fn is_too_deep(text: &str) -> bool {
    // Most are far too short.
    text.len() >= 2 * DEPTH
        && memchr2_iter(b'{', b'[', text.as_bytes()).count() >= DEPTH
        && serde_json::from_str::<Checked>(&format!("[{text}]")).is_err()
}

/// As many members as most claims sets have.
pub(super) const FEW: usize = 16;

const NONE: Member<'static> = Member { name: Value::Plain(""), value: Value::Plain("") };

/// As many as no number beyond 64 bits has.
const DIGITS: usize = 18;

/// How deep `serde_json` goes at the least.
const DEPTH: usize = 100;
