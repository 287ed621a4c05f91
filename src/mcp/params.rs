//! The parameters of a message, as far as they decide on scopes.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::json::{self, Checked, Object};

/// The members of parameters, or of an object in them, that decide on scopes.
#[derive(Debug, Default)]
pub(super) struct Fields<'m> {
    pub(super) name: Option<Cow<'m, str>>,
    pub(super) uri: Option<Cow<'m, str>>,
    pub(super) task_id: Option<Cow<'m, str>>,
    pub(super) reference: Option<Box<Fields<'m>>>,
    pub(super) notifications: Option<Box<Fields<'m>>>,
    pub(super) subscriptions: Vec<Cow<'m, str>>,
    /// Whether there is a list of tasks.
    pub(super) has_tasks: bool,
    /// Whether there is a member that no filter of notifications has.
    pub(super) has_others: bool,
    /// Whether there are more resources than are looked up.
    has_too_many: bool,
    /// A name differs from one of these only in its case, or a value has another type than it must
    /// have.
    is_ambiguous: bool,
}

impl<'m> Fields<'m> {
    pub(super) fn is_ambiguous(&self) -> bool {
        let within = [&self.reference, &self.notifications];
        self.is_ambiguous || within.into_iter().flatten().any(|fields| fields.is_ambiguous())
    }

    pub(super) fn has_too_many(&self) -> bool {
        self.has_too_many || self.notifications.as_ref().is_some_and(|within| within.has_too_many)
    }

    fn text(&mut self, value: Value<'m>) -> Option<Cow<'m, str>> {
        match value {
            Value::Text(text) => Some(text),
            _ => {
                self.is_ambiguous = true;
                None
            }
        }
    }

    fn fields(&mut self, value: Value<'m>) -> Option<Box<Fields<'m>>> {
        match value {
            Value::Fields(fields) => Some(fields),
            _ => {
                self.is_ambiguous = true;
                None
            }
        }
    }
}

impl<'de> Object<'de> for Fields<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        const NAMES: [&str; 7] =
            ["name", "uri", "taskId", "ref", "notifications", "resourceSubscriptions", "taskIds"];
        const FILTERS: [&str; 6] = [
            "toolsListChanged",
            "promptsListChanged",
            "resourcesListChanged",
            "resourceSubscriptions",
            "taskIds",
            "_meta",
        ];
        self.has_others |= !FILTERS.contains(&name);
        match name {
            "name" => {
                let value = map.next_value()?;
                self.name = self.text(value);
            }
            "uri" => {
                let value = map.next_value()?;
                self.uri = self.text(value);
            }
            "taskId" => {
                let value = map.next_value()?;
                self.task_id = self.text(value);
            }
            "ref" => {
                let value = map.next_value()?;
                self.reference = self.fields(value);
            }
            "notifications" => {
                let value = map.next_value()?;
                self.notifications = self.fields(value);
            }
            "resourceSubscriptions" => match map.next_value()? {
                Value::Texts(uris) => self.subscriptions = uris,
                Value::ManyTexts => self.has_too_many = true,
                _ => self.is_ambiguous = true,
            },
            "taskIds" => {
                self.has_tasks = true;
                let are_texts = matches!(map.next_value()?, Value::Texts(_) | Value::ManyTexts);
                self.is_ambiguous |= !are_texts;
            }
            _ => {
                self.is_ambiguous |= is_like_one_of(name, &NAMES);
                return Checked.member(name, map);
            }
        }
        Ok(false)
    }
}

/// Any value, of which only some parts are kept.
#[derive(Debug)]
pub(super) enum Value<'m> {
    Text(Cow<'m, str>),
    Fields(Box<Fields<'m>>),
    /// An array of strings, and of nothing else.
    Texts(Vec<Cow<'m, str>>),
    /// The same with more than [`MOST_OPERATIONS`].
    ManyTexts,
    Other,
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value<'de>, A::Error> {
        let (mut texts, mut are_texts, mut are_many) = (Vec::new(), true, false);
        while let Some(value) = seq.next_element::<Value<'de>>()? {
            match value {
                Value::Text(text) if are_texts && texts.len() < MOST_OPERATIONS => texts.push(text),
                Value::Text(_) => are_many = true,
                _ => {
                    are_texts = false;
                    texts = Vec::new();
                }
            }
        }
        Ok(match (are_texts, are_many) {
            (true, false) => Value::Texts(texts),
            (true, true) => Value::ManyTexts,
            (false, _) => Value::Other,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value<'de>, A::Error> {
        let mut fields = Fields::default();
        json::members(&mut fields, map)?;
        Ok(Value::Fields(Box::new(fields)))
    }
}

/// The most operations of one body, each of which is looked up. There is room for many more in the text of a
/// body: 349,000 resources.
pub(super) const MOST_OPERATIONS: usize = 1_000;

/// Whether some reader would take a name for one of these: one that ignores the case, or one that copies
/// members into an object of JavaScript, where `__proto__` brings members of its own.
pub(super) fn is_like_one_of(name: &str, known: &[&str]) -> bool {
    name == "__proto__"
        || known.iter().any(|known| name != *known && folded(name).eq(folded(known)))
}

/// A text without its case, as all languages together see it: `İ` (U+0130) is an `i` for Java, and the
/// Kelvin sign (U+212A) a `k` for Go.
fn folded(text: &str) -> impl Iterator<Item = char> {
    let lower = text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    lower.filter(|c| *c != '\u{307}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c15_a_name_that_another_reader_takes_for_one_that_counts_is_in_doubt() {
        let known = ["name", "taskId", "notifications", "resourceSubscriptions"];
        for like in [
            "Name",
            "NAME",
            "taskid",
            "tas\u{212a}Id",
            "not\u{130}fications",
            "not\u{131}fications",
            "re\u{17f}ourceSubscriptions",
            "__proto__",
        ] {
            assert!(is_like_one_of(like, &known), "{like}");
        }
        for other in ["name", "names", "nam", "", "n\u{e4}me", "_meta", "proto", "task_id"] {
            assert!(!is_like_one_of(other, &known), "{other}");
        }
    }
}
