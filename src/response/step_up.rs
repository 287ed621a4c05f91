//! The parameters of a challenge that asks for another login (RFC 9470 §3).

use crate::error::ErrorKind;

/// The names and values of `acr_values`, `max_age` and `scope`, as far as they are asked for.
pub(super) fn parameters(kind: &ErrorKind) -> Vec<(&'static str, String)> {
    let ErrorKind::UserAuthentication { acr_values, max_age, scopes } = kind else {
        return Vec::new();
    };
    let words = |words: &[Box<str>]| (!words.is_empty()).then(|| words.join(" "));
    let max_age = max_age.map(|max_age| max_age.as_secs().to_string());
    [("acr_values", words(acr_values)), ("max_age", max_age), ("scope", words(scopes))]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn f04_only_what_is_asked_for() {
        let parameters = |acr_values: &[&str], max_age: Option<u64>, scopes: &[&str]| {
            let boxed = |words: &[&str]| words.iter().map(|word| Box::from(*word)).collect();
            parameters(&ErrorKind::UserAuthentication {
                acr_values: boxed(acr_values),
                max_age: max_age.map(Duration::from_secs),
                scopes: boxed(scopes),
            })
        };
        let all = parameters(&["phrh", "phr"], Some(300), &["pay", "read"]);
        let expected = [("acr_values", "phrh phr"), ("max_age", "300"), ("scope", "pay read")];
        assert_eq!(all, expected.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(parameters(&[], Some(0), &[]), [("max_age", "0".to_owned())]);
        assert_eq!(parameters(&[], None, &[]), []);
        assert_eq!(super::parameters(&ErrorKind::Expired), []);
    }
}
