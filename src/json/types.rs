//! Every type gets what `serde_json` gives it.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::{self, Debug},
};

use proptest::prelude::*;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor},
};
use serde_json::{Value as Json, value::RawValue};

use crate::json::Members;

/// The kinds of types that applications have for their claims.
#[derive(Debug, Deserialize, PartialEq)]
struct Plain {
    sub: String,
    exp: u64,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Many {
    sub: Option<String>,
    exp: Option<f64>,
    iat: Option<i64>,
    #[serde(default)]
    small: u8,
    #[serde(alias = "groups")]
    roles: Option<Vec<String>>,
    kind: Option<Kind>,
    id: Option<Id>,
    letter: Option<char>,
    big: Option<u128>,
    unit: Option<()>,
    pair: Option<(u8, String)>,
    nested: Option<Plain>,
    one_or_many: Option<OneOrMany>,
    raw: Option<Json>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Flat {
    sub: Option<Json>,
    #[serde(flatten)]
    rest: HashMap<String, Json>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Closed {
    sub: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
enum Kind {
    User,
    Robot { name: String },
    Other(u8),
}

/// Makes something of errors.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(default)]
struct Lenient {
    #[serde(deserialize_with = "or_none")]
    letter: Option<char>,
    #[serde(deserialize_with = "or_none")]
    roles: Option<Vec<String>>,
    #[serde(deserialize_with = "or_none")]
    exp: Option<u8>,
    #[serde(deserialize_with = "or_none")]
    kind: Option<Kind>,
    #[serde(deserialize_with = "unread")]
    id: u8,
}

impl Default for Lenient {
    fn default() -> Self {
        Self { letter: Some('-'), roles: None, exp: Some(9), kind: Some(Kind::User), id: 9 }
    }
}

fn or_none<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(T::deserialize(deserializer).ok())
}

fn unread<'de, D: Deserializer<'de>>(_: D) -> Result<u8, D::Error> {
    Ok(7)
}

/// Takes what comes before the first error.
#[derive(Debug, PartialEq)]
struct UntilWrong(Vec<(String, Option<char>)>);

impl<'de> Deserialize<'de> for UntilWrong {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = UntilWrong;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UntilWrong, A::Error> {
                let mut list = Vec::new();
                while let Ok(Some(name)) = map.next_key() {
                    list.push((name, map.next_value().ok()));
                }
                Ok(UntilWrong(list))
            }
        }
        deserializer.deserialize_map(All)
    }
}

#[derive(Debug, Deserialize, PartialEq)]
struct Id(String);

#[derive(Debug, Deserialize, PartialEq)]
struct Whole(Plain);

#[derive(Debug, Deserialize, PartialEq)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Number(u64),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "sub")]
enum Tagged {
    User { exp: u64 },
    Robot,
}

/// Reads a `T`, which must be what `serde_json` reads of the text.
fn same<T: DeserializeOwned + Debug + PartialEq>(text: &str) -> Result<(), TestCaseError> {
    let mut members = Members::new();
    let Some(()) = members.read(text) else { return Ok(()) };
    let (ours, theirs) = (members.to::<T>(), serde_json::from_str::<T>(text));
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs, "{}", text),
        (Err(ours), Err(theirs)) => {
            prop_assert_eq!(ours.to_string(), theirs.to_string(), "{}", text);
        }
        (ours, theirs) => prop_assert!(false, "{text}: {ours:?}, {theirs:?}"),
    }
    Ok(())
}

fn all(text: &str) -> Result<(), TestCaseError> {
    same::<Plain>(text)?;
    same::<Many>(text)?;
    same::<Flat>(text)?;
    same::<Closed>(text)?;
    same::<Lenient>(text)?;
    same::<UntilWrong>(text)?;
    same::<Option<Lenient>>(text)?;
    same::<Whole>(text)?;
    same::<Tagged>(text)?;
    same::<Kind>(text)?;
    same::<Json>(text)?;
    same::<Option<Plain>>(text)?;
    same::<HashMap<String, Json>>(text)?;
    same::<BTreeMap<u8, Json>>(text)?;
    same::<BTreeMap<Kind2, Json>>(text)?;
    same::<BTreeMap<Option<String>, String>>(text)?;
    same::<HashMap<String, String>>(text)?;
    same::<HashMap<String, u64>>(text)?;
    same::<()>(text)?;
    same::<Vec<u8>>(text)?;
    same::<(u8, u8)>(text)?;
    same::<String>(text)
}

#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
enum Kind2 {
    Sub,
    Exp,
}

#[test]
fn types_get_what_serde_json_gives_them() {
    for text in [
        "{}",
        r#"{"sub":"a","exp":1800000000}"#,
        r#"{"exp":1,"sub":"a\n","other":[1,{"x":"y"}]}"#,
        r#"{"sub":"a","exp":1,"sub":"b"}"#,
        r#"{"sub":"a","exp":-1}"#,
        r#"{"sub":"a","exp":1.0}"#,
        r#"{"sub":1,"exp":"a"}"#,
        r#"{"sub":null,"exp":null,"iat":null}"#,
        r#"{"s\u0075b":"a","exp":1}"#,
        r#"{"sub":"User","exp":7}"#,
        r#"{"sub":"Robot"}"#,
        r#"{"1":"a","255":"b"}"#,
        r#"{"1":"a","256":"b"}"#,
        r#"{"User":null}"#,
        r#"{"Robot":{"name":"r"}}"#,
        r#"{"Other":7}"#,
        r#"{"sub":"a","exp":9007199254740993,"iat":-5,"small":255,"roles":["a","b\u0063"],
            "kind":"User","id":"i","letter":"ä","big":340282366920938463463374607431768211455,
            "unit":null,"pair":[1,"x"],"nested":{"sub":"b","exp":2},"one_or_many":"one",
            "raw":{"a":[1,2.5]}}"#,
        r#"{"small":256}"#,
        r#"{"kind":{"Robot":{"name":"n"}},"one_or_many":["a"],"letter":"ab"}"#,
        r#"{"kind":{"Other":3},"one_or_many":12,"groups":[]}"#,
        r#"{"kind":"Robot"}"#,
        r#"{"kind":"Nobody"}"#,
        r#"{"roles":[],"groups":[]}"#,
        r#"{"exp":4000000000,"letter":"a"}"#,
        r#"{"exp":4000000000,"roles":["a",1,"b"],"sub":"s"}"#,
        r#"{"letter":"a","id":1}"#,
        "{\"exp\"\n:4000000000\r\n}  ",
    ] {
        assert!(Members::new().read(text).is_some(), "{text}");
        all(text).unwrap();
    }
}

#[test]
fn raw_values_are_raw() {
    let text = r#"{"a":"b", "c":1,"d": [ 1 ]}"#;
    let mut members = Members::new();
    members.read(text).unwrap();
    let values: HashMap<String, Box<RawValue>> = members.to().unwrap();
    let get = |name: &str| values.get(name).unwrap().get();
    assert_eq!([get("a"), get("c"), get("d")], ["\"b\"", "1", "[ 1 ]"]);
    let all: Box<RawValue> = members.to().unwrap();
    assert_eq!(all.get(), text);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_members_are_read_alike(
        members in prop::collection::vec((
            prop::sample::select(NAMES),
            prop::sample::select(VALUES),
        ), 0..6),
    ) {
        let members: Vec<_> =
            members.iter().map(|(name, value)| format!("{name}:{value}")).collect();
        all(&format!("{{{}}}", members.join(",")))?;
    }
}

const NAMES: &[&str] = &[
    "\"sub\"",
    "\"exp\"",
    "\"iat\"",
    "\"small\"",
    "\"roles\"",
    "\"kind\"",
    "\"id\"",
    "\"letter\"",
    "\"big\"",
    "\"unit\"",
    "\"pair\"",
    "\"nested\"",
    "\"one_or_many\"",
    "\"raw\"",
    "\"1\"",
    "\"User\"",
    "\"Robot\"",
    "\"e\\u0078p\"",
    "\"x\"",
];

const VALUES: &[&str] = &[
    "\"a\"",
    "\"\"",
    "\"User\"",
    "\"Robot\"",
    "\"ä\"",
    "\"\\u00e4\"",
    "0",
    "1",
    "255",
    "256",
    "-1",
    "1.0",
    "1.5",
    "1e2",
    "123456789012345678",
    "12345678901234567890",
    "true",
    "null",
    "[]",
    "[1,\"x\"]",
    "[\"a\"]",
    "{}",
    "{\"sub\":\"b\",\"exp\":2}",
    "{\"Other\":7}",
    "{\"Robot\":{\"name\":\"n\"}}",
];
