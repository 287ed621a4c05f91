//! Header parameters that must have a value which the operator names.

use std::str;

use serde::de::MapAccess;

use super::{Compact, DecodeBuf};
use crate::{
    error::{Error, ErrorKind},
    json::{self, Checked, Object, Text},
};

/// Header parameters (RFC 7515 §4) and the values that each may have.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequiredHeader(Vec<Parameter>);

#[derive(Clone, Debug)]
struct Parameter {
    name: Box<str>,
    values: Vec<Box<str>>,
}

impl RequiredHeader {
    /// Adds a value that the parameter may have.
    pub(crate) fn add(&mut self, name: String, value: String) {
        let value = value.into_boxed_str();
        match self.0.iter_mut().find(|parameter| *parameter.name == *name) {
            Some(parameter) => parameter.values.push(value),
            None => self.0.push(Parameter { name: name.into(), values: vec![value] }),
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names and the values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[Box<str>])> {
        self.0.iter().map(|parameter| (&*parameter.name, &*parameter.values))
    }

    /// Refuses a token whose header lacks one of the parameters, or has another value for it. The
    /// header must be well formed.
    #[inline(never)]
    pub(crate) fn check(&self, token: Compact<'_>) -> Result<(), Error> {
        let mut buf = DecodeBuf::new();
        let text = str::from_utf8(buf.decode(token.header)?)
            .map_err(|_| Error::new(ErrorKind::MalformedToken))?;
        for parameter in &self.0 {
            let mut found = Value { name: &parameter.name, value: None };
            // A value that is no text ends the reading.
            let is_read = json::read(text, &mut found).is_ok();
            let value = found.value.filter(|_| is_read);
            let fits = |value: Text<'_>| parameter.values.iter().any(|one| **one == *value);
            if !value.is_some_and(fits) {
                return Err(Error::new(ErrorKind::HeaderParameter(parameter.name.clone())));
            }
        }
        Ok(())
    }
}

/// The value of one parameter.
struct Value<'p, 'a> {
    name: &'p str,
    value: Option<Text<'a>>,
}

impl<'a> Object<'a> for Value<'_, 'a> {
    fn member<A: MapAccess<'a>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        if name != self.name {
            return map.next_value::<Checked>().map(|_| false);
        }
        if self.value.replace(map.next_value()?).is_some() {
            return Err(json::repeated(name));
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use base64_simd::URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn one_of_the_values_is_there_as_a_text() {
        let mut required = RequiredHeader::default();
        for (name, value) in [("signer", "arn:1"), ("signer", "arn:2"), ("client", "c")] {
            required.add(name.into(), value.into());
        }
        let check = |header: &str| {
            let token = format!("{}.e30.AA", URL_SAFE_NO_PAD.encode_to_string(header));
            let error = required.check(Compact::parse(&token, 1000).unwrap()).err()?;
            match error.kind() {
                ErrorKind::HeaderParameter(name) => Some(name.to_string()),
                other => panic!("{other:?}"),
            }
        };
        for good in [
            r#"{"alg":"ES256","signer":"arn:1","client":"c"}"#,
            r#"{"client":"c","signer":"arn:\u0032","x":{"signer":"other"}}"#,
        ] {
            assert_eq!(check(good), None, "{good}");
        }
        for (bad, name) in [
            (r#"{"client":"c"}"#, "signer"),
            (r#"{"signer":"arn:1"}"#, "client"),
            (r#"{"signer":"arn:3","client":"c"}"#, "signer"),
            (r#"{"signer":"arn:12","client":"c"}"#, "signer"),
            (r#"{"signer":"ARN:1","client":"c"}"#, "signer"),
            (r#"{"signer":["arn:1"],"client":"c"}"#, "signer"),
            (r#"{"signer":null,"client":"c"}"#, "signer"),
            (r#"{"signer":"arn:1","signer":"arn:1","client":"c"}"#, "signer"),
            (r#"{"x":{"signer":"arn:1"},"client":"c"}"#, "signer"),
            (r#"{"signer":"arn:1","client":7}"#, "client"),
        ] {
            assert_eq!(check(bad).as_deref(), Some(name), "{bad}");
        }
    }
}
