//! The members of every text are those that `serde_json` finds.

use std::fmt;

use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::{
    Checked,
    members::{FEW, Members, Value},
};

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
fn depth_is_limited_as_in_the_whole() {
    for depth in [1, 99, 100, 101, 125, 126, 127, 128, 129, 10_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":[0],\"b\":", "}]")] {
            let text = format!("{{\"a\":{}0{}}}", open.repeat(depth), close.repeat(depth));
            let whole = serde_json::from_str::<Checked>(&text).is_ok();
            assert_eq!(Members::new().read(&text).is_some(), whole, "{depth} of {open}");
        }
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
