//! The `cfg`s that an item depends on.

use std::collections::BTreeSet;

use quote::ToTokens;
use syn::{Attribute, Meta, Token, punctuated::Punctuated};

/// Predicates that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conditions(BTreeSet<String>);

impl Conditions {
    /// Adds the `cfg` attributes. Returns `None` if they hold only in tests or documentation.
    pub fn with(&self, attributes: &[Attribute]) -> Option<Self> {
        let mut all = self.clone();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")) {
            let predicate = attribute.parse_args().expect("a `cfg` has one predicate");
            for part in conjuncts(predicate) {
                match evaluate(&part) {
                    Value::Always => {}
                    Value::Never => return None,
                    Value::When(text) => {
                        all.0.insert(text);
                    }
                }
            }
        }
        Some(all)
    }

    /// The conditions of both.
    pub fn and(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    /// What is at the end of a line: nothing, or ` [cfg(…)]`.
    pub fn suffix(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let all: Vec<_> = self.0.iter().map(String::as_str).collect();
        format!(" [cfg({})]", all.join(", "))
    }
}

/// A predicate, evaluated for a build without tests and documentation.
enum Value {
    Always,
    Never,
    When(String),
}

fn conjuncts(predicate: Meta) -> Vec<Meta> {
    if predicate.path().is_ident("all") {
        parts(&predicate).into_iter().flat_map(conjuncts).collect()
    } else {
        vec![predicate]
    }
}

fn evaluate(predicate: &Meta) -> Value {
    let path = predicate.path();
    if ["test", "doc", "doctest"].iter().any(|name| path.is_ident(name)) {
        return Value::Never;
    }
    if path.is_ident("not") {
        return match parts(predicate).first().map(evaluate) {
            Some(Value::Always) => Value::Never,
            Some(Value::Never) | None => Value::Always,
            Some(Value::When(text)) => Value::When(format!("not({text})")),
        };
    }
    let is_any = path.is_ident("any");
    if !is_any && !path.is_ident("all") {
        return Value::When(predicate.to_token_stream().to_string());
    }
    let mut texts = Vec::new();
    for part in parts(predicate) {
        match (evaluate(&part), is_any) {
            (Value::Always, true) => return Value::Always,
            (Value::Never, false) => return Value::Never,
            (Value::When(text), _) => texts.push(text),
            _ => {}
        }
    }
    match (texts.len(), is_any) {
        (0, true) => Value::Never,
        (0, false) => Value::Always,
        (1, _) => Value::When(texts.remove(0)),
        (_, true) => Value::When(format!("any({})", texts.join(", "))),
        (_, false) => Value::When(format!("all({})", texts.join(", "))),
    }
}

fn parts(predicate: &Meta) -> Vec<Meta> {
    let list = predicate.require_list().expect("`all`, `any` and `not` have a list");
    list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
        .expect("`all`, `any` and `not` contain predicates")
        .into_iter()
        .collect()
}
