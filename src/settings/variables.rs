//! Variables of the environment, read by serde as a map.

use std::{error::Error as StdError, fmt, mem, vec};

use serde::{
    de::{
        self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess,
        Visitor, value::MapAccessDeserializer,
    },
    forward_to_deserialize_any,
};
use zeroize::Zeroizing;

use super::nearest::nearest;

/// A variable that is set.
pub(super) struct Variable {
    /// As in the environment, for errors.
    pub(super) name: String,
    pub(super) setting: String,
    pub(super) text: Zeroizing<String>,
}

/// Reads a value from these variables, whose names begin with the prefix.
///
/// # Errors
///
/// Returns what is wrong, with the name of the variable.
pub(super) fn read<T: DeserializeOwned>(
    prefix: &str,
    variables: Vec<Variable>,
) -> Result<T, String> {
    let (shadow, others) = variables.into_iter().partition(|one| one.setting.starts_with(SHADOW));
    let variables = Variables::new(prefix, others, shadow);
    T::deserialize(MapAccessDeserializer::new(variables)).map_err(|fault| fault.text(prefix))
}

/// How the settings of the table `shadow` begin.
const SHADOW: &str = "shadow_";

/// The variables as a map from the names of settings to texts, and from `shadow` to a map of the
/// same kind.
struct Variables<'a> {
    prefix: &'a str,
    left: vec::IntoIter<Variable>,
    shadow: Vec<Variable>,
    /// The variable whose value is read next; `None` for the table `shadow`.
    current: Option<Variable>,
}

impl<'a> Variables<'a> {
    fn new(prefix: &'a str, left: Vec<Variable>, shadow: Vec<Variable>) -> Self {
        Self { prefix, left: left.into_iter(), shadow, current: None }
    }

    /// Reads the table `shadow`.
    fn shadow<'de, S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let mut variables = mem::take(&mut self.shadow);
        for variable in &mut variables {
            variable.setting.drain(..SHADOW.len());
        }
        let prefix = format!("{}{}", self.prefix, SHADOW.to_ascii_uppercase());
        let variables = Variables::new(&prefix, variables, Vec::new());
        seed.deserialize(MapAccessDeserializer::new(variables))
            .map_err(|fault: Fault| Fault::Other(fault.text(&prefix)))
    }
}

impl<'de> MapAccess<'de> for Variables<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some(variable) = self.left.next() else {
            let shadow = (!self.shadow.is_empty()).then_some("shadow");
            return shadow.map(|name| seed.deserialize(name.into_deserializer())).transpose();
        };
        let key = seed.deserialize(variable.setting.as_str().into_deserializer());
        let key = key.map_err(|fault: Fault| fault.of_name(&variable, self.prefix))?;
        self.current = Some(variable);
        Ok(Some(key))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let Some(variable) = self.current.take() else { return self.shadow(seed) };
        seed.deserialize(TextDeserializer(&variable.text))
            .map_err(|fault| fault.of_value(&variable))
    }
}

/// The value of a variable.
struct TextDeserializer<'a>(&'a str);

impl<'de> Deserializer<'de> for TextDeserializer<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_str(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

/// An error of the map. serde does not know the variables, so the text is made where they are
/// known.
#[derive(Debug)]
enum Fault {
    /// No variable has the name of this required setting.
    Missing(&'static str),
    /// Two variables have the name of this setting.
    Twice(&'static str),
    /// A name is not one of these.
    Unknown(&'static [&'static str]),
    Other(String),
}

impl Fault {
    /// The fault of a variable's name.
    fn of_name(self, variable: &Variable, prefix: &str) -> Self {
        let Self::Unknown(known) = self else { return self };
        let name = &variable.name;
        Self::Other(match nearest(&variable.setting, known) {
            Some(known) => {
                let known = name_of(prefix, known);
                format!("`{name}` is not a setting, did you mean `{known}`?")
            }
            None => format!(
                "`{name}` is not a setting, remove it, or use a prefix that other variables do not \
                 have"
            ),
        })
    }

    /// The fault of a variable's value.
    fn of_value(self, variable: &Variable) -> Self {
        Self::Other(format!("`{}`: {self}", variable.name))
    }

    fn text(self, prefix: &str) -> String {
        match self {
            Self::Missing(setting) => format!("`{}` is not set", name_of(prefix, setting)),
            Self::Twice(setting) => {
                format!("`{}` is set twice, remove one", name_of(prefix, setting))
            }
            other => other.to_string(),
        }
    }
}

/// The name of the variable of a setting.
fn name_of(prefix: &str, setting: &str) -> String {
    format!("{}{}", prefix.escape_debug(), setting.to_ascii_uppercase())
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(_) => f.write_str("a setting is missing"),
            Self::Twice(_) => f.write_str("a setting is there twice"),
            Self::Unknown(_) => f.write_str("not a setting"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl StdError for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::Other(text.to_string())
    }

    fn missing_field(setting: &'static str) -> Self {
        Self::Missing(setting)
    }

    fn duplicate_field(setting: &'static str) -> Self {
        Self::Twice(setting)
    }

    fn unknown_field(_: &str, known: &'static [&'static str]) -> Self {
        Self::Unknown(known)
    }
}
