//! The parameters of a challenge that asks for another login (RFC 9470 §3).

use super::challenge::write_parameter;
use crate::error::ErrorKind;

/// Adds `acr_values`, `max_age` and `scope`, as far as they are asked for.
pub(super) fn write_parameters(text: &mut String, kind: &ErrorKind) {
    let ErrorKind::UserAuthentication { acr_values, max_age, scopes } = kind else { return };
    if !acr_values.is_empty() {
        write_parameter(text, "acr_values", &acr_values.join(" "));
    }
    if let Some(max_age) = max_age {
        write_parameter(text, "max_age", &max_age.as_secs().to_string());
    }
    if !scopes.is_empty() {
        write_parameter(text, "scope", &scopes.join(" "));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn f04_parameters_are_quoted_and_in_order() {
        let written = |acr_values: &[&str], max_age: Option<u64>, scopes: &[&str]| {
            let boxed = |words: &[&str]| words.iter().map(|word| Box::from(*word)).collect();
            let mut text = String::from("Bearer error=\"e\"");
            let kind = ErrorKind::UserAuthentication {
                acr_values: boxed(acr_values),
                max_age: max_age.map(Duration::from_secs),
                scopes: boxed(scopes),
            };
            write_parameters(&mut text, &kind);
            text
        };
        assert_eq!(
            written(&["phrh", "a\"b"], Some(300), &["pay", "read"]),
            r#"Bearer error="e", acr_values="phrh a\"b", max_age="300", scope="pay read""#
        );
        assert_eq!(written(&[], Some(0), &[]), r#"Bearer error="e", max_age="0""#);
        assert_eq!(written(&[], None, &[]), r#"Bearer error="e""#);
    }
}
