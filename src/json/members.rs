//! The members of one object, each with its value as it stands.

use std::borrow::Cow;

use memchr::memchr;
use serde::de::Deserialize;

use super::{Checked, Text, fields::Fields};

/// The members of a JSON object, in their order. Everything in them was checked, but for
/// names that stand twice among these.
pub(crate) struct Members<'a> {
    /// The object as it stands.
    pub(super) text: &'a str,
    /// All of them, if they are few.
    few: [Member<'a>; FEW],
    count: usize,
    /// All of them, if they are many.
    many: Vec<Member<'a>>,
}

#[derive(Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(super) name: Value<'a>,
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
        Self { text: "", few: [NONE; FEW], count: 0, many: Vec::new() }
    }

    /// Reads a text that is one object and nothing else. Fills what is empty: it is large to
    /// hand about.
    pub(crate) fn read(&mut self, text: &'a str) -> Option<()> {
        self.text = text;
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

    /// The object as a `T`.
    ///
    /// A `T` asks for most members what is known of them by now. Where it asks for anything
    /// else, or finds anything wrong, the text is read as if nothing were known.
    #[inline]
    pub(crate) fn to<T: Deserialize<'a>>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(Fields(self)).or_else(|_| serde_json::from_str(self.text))
    }
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
        T::deserialize(self)
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
            None => self.any::<Checked>().map(Value::Other),
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

/// As many members as most claims sets have.
const FEW: usize = 16;

const NONE: Member<'static> = Member { name: Value::Plain(""), value: Value::Plain("") };

/// As many as no number beyond 64 bits has.
const DIGITS: usize = 18;

#[cfg(test)]
mod tests {
    use std::fmt;

    use proptest::prelude::*;
    use serde::de::{Deserializer, MapAccess, Visitor};

    use super::*;

    /// The same members read by `serde_json` alone: their names, and each value as it stands.
    struct Slowly(Vec<(String, Box<serde_json::value::RawValue>)>);

    impl<'de> Deserialize<'de> for Slowly {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct All;
            impl<'de> Visitor<'de> for All {
                type Value = Slowly;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Slowly, A::Error> {
                    let mut list = Vec::new();
                    while let Some(member) = map.next_entry()? {
                        list.push(member);
                    }
                    Ok(Slowly(list))
                }
            }
            deserializer.deserialize_map(All)
        }
    }

    /// What is read of a text, if it is read the same in both ways.
    fn read(text: &str) -> Result<Option<usize>, TestCaseError> {
        let slowly = serde_json::from_str::<Slowly>(text).ok().filter(|Slowly(list)| {
            list.iter().all(|(_, value)| serde_json::from_str::<Checked>(value.get()).is_ok())
        });
        let mut members = Members::new();
        let found = members.read(text);
        let (Some(()), Some(Slowly(slowly))) = (found, &slowly) else {
            prop_assert_eq!(found.is_some(), slowly.is_some(), "{:?}", text);
            return Ok(None);
        };
        prop_assert_eq!(members.iter().count(), slowly.len(), "{:?}", text);
        for (member, (other, raw)) in members.iter().zip(slowly) {
            prop_assert_eq!(&member.name().unwrap(), other);
            match member.value {
                Value::Plain(text) => prop_assert_eq!(format!("\"{text}\""), raw.get()),
                Value::Whole(text) | Value::Other(text) => prop_assert_eq!(text, raw.get()),
            }
        }
        Ok(Some(slowly.len()))
    }

    #[test]
    fn objects() {
        for (text, count) in [
            ("{}", 0),
            (" \t\r\n{ \n} ", 0),
            (r#"{"a":1}"#, 1),
            (r#"{"a":"","a":"b"}"#, 2),
            (r#" { "a" : [ 1 , "}" ] , "b" : {"c":"\\"} , "\u0063":null } "#, 3),
            (r#"{"a":0,"b":-1,"c":1.5,"d":12345678901234567890,"e":true,"f":1e3}"#, 6),
            (r#"{"a":"ä€😀","😀":"\ud83d\ude00","b":"\u007f"}"#, 3),
        ] {
            assert_eq!(read(text).unwrap(), Some(count), "{text}");
        }
    }

    #[test]
    fn many_members_stand_in_their_order() {
        let object = |count: usize| {
            let members: Vec<_> = (0..count).map(|n| format!("\"n{n}\":{n}")).collect();
            format!("{{{}}}", members.join(","))
        };
        for count in [FEW - 1, FEW, FEW + 1, 3 * FEW] {
            assert_eq!(read(&object(count)).unwrap(), Some(count));
        }
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            "{",
            "}",
            "{}}",
            "{}{}",
            "[]",
            "null",
            "\u{feff}{}",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,\"a\":1}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":1;\"b\":2}",
            "{a:1}",
            "{'a':1}",
            "{\"a\":01}",
            "{\"a\":+1}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":1e}",
            "{\"a\":-}",
            "{\"a\":1x}",
            "{\"a\":1e400}",
            "{\"a\":NaN}",
            "{\"a\":nul}",
            "{\"a\":nulll}",
            "{\"a\":\"b}",
            "{\"a\":\"b\"\"c\"}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\0\"}",
            "{\"a\":[}",
            "{\"a\":[1}]",
            "{\"a\":{\"b\":1,\"b\":1}}",
            "{\"a\u{1f}\":1}",
            "{\"a\":1}x",
            "{\"a\":1\u{b}}",
            "{\"a\"\u{a0}:1}",
            "{/**/}",
            "{\"a\":1}//",
        ] {
            assert_eq!(read(text).unwrap(), None, "{text:?}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(Members::new().read(&deep).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        /// What JSON is made of, in any order.
        #[test]
        fn pieces_are_read_as_serde_json_reads_them(
            pieces in prop::collection::vec(prop::sample::select(PIECES), 0..12),
        ) {
            read(&pieces.concat())?;
            read(&format!("{{{}}}", pieces.concat()))?;
            read(&format!("{{\"a\":{}}}", pieces.concat()))?;
        }

        /// Good objects with one byte that is another.
        #[test]
        fn changed_objects_are_read_as_serde_json_reads_them(
            at in any::<prop::sample::Index>(),
            by in any::<char>(),
        ) {
            let mut text: Vec<char> = GOOD.chars().collect();
            let at = at.index(text.len());
            text[at] = by;
            read(&text.iter().collect::<String>())?;
            text[at] = char::from((by as u32 % 128) as u8);
            read(&text.into_iter().collect::<String>())?;
        }
    }

    const PIECES: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"b\":",
        "\"c\":1",
        "\"\\n\"",
        "\\",
        " ",
        "\n",
        "\t",
        "0",
        "1",
        "9",
        "-",
        "+",
        ".",
        "e",
        "E",
        "1.5",
        "12",
        "null",
        "true",
        "false",
        "nan",
        "ä",
        "\u{7f}",
        "\u{1}",
        "{}",
        "[]",
        "\\u0061",
        "\\ud800",
        "123456789012345678",
        "1234567890123456789",
        "1e999",
    ];

    const GOOD: &str = r#"{"iss":"https://e.com/","aud":["a","b"],"exp":1800000000,"iat":1.5,
        "x":{"y":[null,true,-1e2],"z":"\u00e4"},"scope":"a b","n":null}"#;
}
