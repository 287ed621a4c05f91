//! JSON read strictly (RFC 8259): where a careless reader lets two meanings
//! pass, this one refuses.
//!
//! - A member name is unique in its object, at every level, also when one of
//!   the two is written with escapes (RFC 7515 §4 and RFC 7519 §4 allow just
//!   this or the last one; two readers that differ are an attack).
//! - Members that nobody asks for are checked like the others: numbers have a
//!   finite value, strings are Unicode, nesting ends at `serde_json`'s limit of
//!   128.
//! - The member names by which `serde_json` marks raw JSON and numbers are refused: its
//!   `Value` shows what the string of that member says, and every other reader shows an
//!   object with a string in it.

use std::{borrow::Cow, collections::HashSet, fmt, ops::Deref};

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Takes the members of an object, one by one.
pub(crate) trait Object<'de> {
    /// Reads the value of a member. Returns whether the name is a known one, of which the reader
    /// itself refuses a repetition; of all others, the caller does.
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error>;
}

/// The fault of a header or a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonFault {
    /// It is not one JSON object (RFC 8259).
    Syntax,
    /// A name is repeated in an object.
    Repeated,
    /// A value has another JSON type than it must have, or is out of range.
    WrongType,
    /// A member that must be there is missing.
    Missing,
}

/// The error of a name that is repeated.
#[cold]
pub(crate) fn repeated<E: de::Error>(name: &str) -> E {
    E::custom(format_args!("{REPEATED}{name}"))
}

/// Reads a text that is one object and nothing else.
#[inline]
pub(crate) fn read<'de>(text: &'de str, object: &mut impl Object<'de>) -> serde_json::Result<()> {
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(ObjectVisitor(object))?;
    json.end()
}

/// Reads an object where any value may be, and gives it to `object`.
#[cfg(feature = "mcp")]
#[inline]
pub(crate) fn members<'de, A: MapAccess<'de>>(
    object: &mut impl Object<'de>,
    map: A,
) -> Result<(), A::Error> {
    ObjectVisitor(object).visit_map(map)
}

struct ObjectVisitor<'o, O>(&'o mut O);

impl<'de, O: Object<'de>> Visitor<'de> for ObjectVisitor<'_, O> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut names = MemberNames::new();
        while let Some(Text(name)) = map.next_key()? {
            if !self.0.member(&name, &mut map)? {
                names.add(name)?;
            }
        }
        Ok(())
    }
}

/// Any JSON value, checked and thrown away.
pub(crate) struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CheckVisitor)
    }
}

struct CheckVisitor;

impl<'de> Visitor<'de> for CheckVisitor {
    type Value = Checked;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_str<E>(self, _: &str) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Checked, A::Error> {
        while seq.next_element::<Checked>()?.is_some() {}
        Ok(Checked)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Checked, A::Error> {
        ObjectVisitor(&mut Checked).visit_map(map).map(|()| Checked)
    }
}

impl<'de> Object<'de> for Checked {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        if name == ARBITRARY_NUMBER {
            map.next_value::<Number>()?;
            return Ok(true);
        }
        map.next_value::<Checked>()?;
        Ok(false)
    }
}

/// The text of a number, as `serde_json` itself hands it on: a `String`. The value that an
/// object of the sender has under the same name is never handed on in that way.
struct Number;

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_string(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_string<E: de::Error>(self, number: String) -> Result<Number, E> {
        if number.parse().is_ok_and(f64::is_finite) {
            Ok(Number)
        } else {
            Err(E::custom("a number out of range"))
        }
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Number, E> {
        // Not the default, which shows what was found.
        Err(E::custom("a name that cannot stand here"))
    }
}

/// A JSON string, borrowed unless it has escapes.
#[derive(Debug)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<Text<'_>> for String {
    fn from(text: Text<'_>) -> Self {
        text.0.into_owned()
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

/// The member names of one object, each once.
///
/// The first few are in place and are compared one by one. The others, and names with escapes, go
/// into a hash set with a secret seed, so that no choice of names costs more than linear time.
struct MemberNames<'a> {
    few: [&'a str; FEW],
    count: usize,
    many: Option<HashSet<Cow<'a, str>>>,
}

impl<'a> MemberNames<'a> {
    fn new() -> Self {
        Self { few: [""; FEW], count: 0, many: None }
    }

    /// Takes a name, unless it was there already, or has a meaning of its own.
    #[inline]
    fn add<E: de::Error>(&mut self, name: Cow<'a, str>) -> Result<(), E> {
        let known = self.few.iter().take(self.count).any(|other| *other == name)
            || self.many.as_ref().is_some_and(|many| many.contains(&name));
        if known {
            return Err(repeated(&name));
        }
        if name == RAW_JSON || name == ARBITRARY_NUMBER {
            return Err(E::custom("a name that cannot stand here"));
        }
        match (name, self.few.get_mut(self.count)) {
            (Cow::Borrowed(name), Some(place)) => {
                *place = name;
                self.count += 1;
            }
            (name, _) => {
                self.many.get_or_insert_default().insert(name);
            }
        }
        Ok(())
    }
}

/// The fault of a text that cannot be read, and the name that it repeats.
pub(crate) fn fault(error: &serde_json::Error) -> (JsonFault, Option<Box<str>>) {
    if !error.is_data() {
        return (JsonFault::Syntax, None);
    }
    let message = error.to_string();
    match message.strip_prefix(REPEATED).and_then(|rest| rest.rsplit_once(" at line ")) {
        Some((name, _)) => (JsonFault::Repeated, Some(name.into())),
        None => (JsonFault::WrongType, None),
    }
}

/// How the message begins that names a repeated name.
const REPEATED: &str = "the name is repeated: ";

/// A document without the byte order mark that some servers put before it. JSON has no such mark,
/// and a reader may skip it (RFC 8259 §8.1). Tokens are read without this.
#[cfg(feature = "remote")]
pub(crate) fn without_mark(document: &[u8]) -> &[u8] {
    document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document)
}

/// Reads a type that is not ours. From bytes: what reads a text panics where a map's key is a
/// `bool` and a name is not ASCII (serde_json 1.0.154), since it cuts the text inside of a
/// character.
pub(crate) fn value<'a, T: Deserialize<'a>>(text: &'a str) -> serde_json::Result<T> {
    serde_json::from_slice(text.as_bytes())
}

/// The text as a `T`, if it is one JSON object and nothing behind it: serde would read
/// an array as a struct, too.
pub(crate) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    is_object(text).then(|| serde_json::from_str(text).ok()).flatten()
}

/// Whether the text begins as a JSON object does.
pub(crate) fn is_object(text: &str) -> bool {
    text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{')
}

const FEW: usize = 16;

/// How serde_json shows a number where another crate of the build has turned on
/// its feature `arbitrary_precision`: as an object with this name.
const ARBITRARY_NUMBER: &str = "$serde_json::private::Number";

/// The name by which `serde_json` marks a string that is JSON, with its feature `raw_value`.
const RAW_JSON: &str = "$serde_json::private::RawValue";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> bool {
        serde_json::from_str::<Checked>(text).is_ok()
    }

    #[test]
    fn good_json_passes() {
        for text in ["{}", "[]", "1", "null", r#"{"a":{"b":[1,2.5,"x",null,true,-3]},"b":{}}"#] {
            assert!(check(text), "{text}");
        }
    }

    #[test]
    fn repeated_names_are_refused_at_every_level() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"\u0061":1,"a":1}"#,
            r#"{"\u0061":1,"b":2,"\u0061":1}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"[{"x":[{"a":1,"b":0,"a":2}]}]"#,
        ] {
            assert!(!check(text), "{text}");
        }
    }

    #[test]
    fn repeated_names_are_refused_among_many() {
        let object = |names: &[usize]| {
            let members: Vec<_> = names.iter().map(|n| format!("\"n{n}\":0")).collect();
            format!("{{{}}}", members.join(","))
        };
        let mut names: Vec<usize> = (0..200).collect();
        assert!(check(&object(&names)));
        for twice in [0, 15, 16, 17, 199] {
            names.push(twice);
            assert!(!check(&object(&names)), "{twice}");
            names.pop();
        }
    }

    #[test]
    fn the_mark_of_raw_json_is_refused() {
        let text = format!(r#"{{"{RAW_JSON}":"[1]"}}"#);
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read, serde_json::json!([1]), "what it would be read as");
        assert!(!check(&text));
        assert!(!check(&format!(r#"[{{"a":0,"\u0024{}":"1"}}]"#, &RAW_JSON[1..])));
    }

    #[test]
    fn what_has_no_value_is_refused() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let long = "9".repeat(10_000);
        for text in
            ["1e400", "-1e400", "NaN", r#""\ud800""#, "{} {}", "{", "\u{feff}{}", &deep, &long]
        {
            assert!(!check(text), "{}", &text[..text.len().min(20)]);
        }
    }

    #[test]
    fn an_object_begins_with_a_brace() {
        assert!(is_object(" \n{}"));
        assert!(!is_object("[{}]") && !is_object("") && !is_object("\u{feff}{}"));
    }
}
