//! The findings in a configuration.

use std::fmt;

use serde::{
    Serialize,
    ser::{SerializeStruct, Serializer},
};

use super::Lint;
use crate::shown::shown;

/// The settings of a verifier or a layer that are legal and unwise.
///
/// `Display` has two lines for each finding, or says that nothing was found. It serializes as an
/// object with the member `findings`: a list of objects with `name`, `places` (a
/// list), `reason` and `advice`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[must_use = "a report does nothing until it is looked at"]
pub struct LintReport {
    findings: Vec<Finding>,
}

/// A setting that is legal and unwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    lint: Lint,
    places: Vec<Box<str>>,
}

impl LintReport {
    /// Adds a finding.
    pub(crate) fn add(&mut self, lint: Lint, places: impl IntoIterator<Item = Box<str>>) {
        self.findings.push(Finding { lint, places: places.into_iter().collect() });
    }

    /// Adds a finding if it is one.
    pub(crate) fn add_if(&mut self, is_found: bool, lint: Lint) {
        if is_found {
            self.add(lint, []);
        }
    }

    /// Removes these findings. Use it if a setting is unwise and cannot be helped.
    pub fn allow(mut self, allowed: impl IntoIterator<Item = Lint>) -> Self {
        for lint in allowed {
            self.findings.retain(|finding| finding.lint != lint);
        }
        self
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether this was found.
    #[must_use]
    pub fn contains(&self, lint: Lint) -> bool {
        self.iter().any(|finding| finding.lint == lint)
    }

    /// The findings, those of the verifier first.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter()
    }
}

impl Finding {
    /// The kind of the finding.
    #[must_use]
    pub fn lint(&self) -> Lint {
        self.lint
    }

    /// The cookie, the query parameter, the hosts or the issuers that have the setting, all of them as
    /// they are configured. None if that is the verifier or the layer itself.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        self.places.iter().map(|place| &**place)
    }
}

impl fmt::Display for LintReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing found");
        }
        for (place, finding) in self.iter().enumerate() {
            write!(f, "{}{finding}", if place == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.lint)?;
        if !self.places.is_empty() {
            let mut places: Vec<_> = self.places().take(MOST_SHOWN).map(shown).collect();
            if self.places.len() > MOST_SHOWN {
                places.push("…".to_owned());
            }
            write!(f, " ({})", places.join(", "))?;
        }
        write!(f, ": {}\n  instead: {}", self.lint.reason(), self.lint.advice())
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut finding = serializer.serialize_struct("Finding", 4)?;
        finding.serialize_field("name", self.lint.name())?;
        finding.serialize_field("places", &self.places)?;
        finding.serialize_field("reason", self.lint.reason())?;
        finding.serialize_field("advice", self.lint.advice())?;
        finding.end()
    }
}

/// The places that are printed.
const MOST_SHOWN: usize = 8;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_prints_and_serializes() {
        let mut report = LintReport::default();
        assert_eq!(report.to_string(), "nothing found");
        assert_eq!(serde_json::to_value(&report).unwrap(), json!({"findings": []}));
        report.add(Lint::QueryToken, Some("token".into()));
        report.add_if(false, Lint::AnyIssuer);
        report.add_if(true, Lint::AnyPadding);
        let text = report.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(lines[0].starts_with("query_token (token): addresses are kept"), "{text}");
        assert!(lines[1].starts_with("  instead: send the token in `Authorization`"), "{text}");
        assert!(lines[2].starts_with("any_padding: the same token"), "{text}");
        let value = serde_json::to_value(&report).unwrap();
        assert_eq!(value["findings"][0]["name"], "query_token");
        assert_eq!(value["findings"][0]["places"], json!(["token"]));
        assert_eq!(value["findings"][1]["places"], json!([]));
        assert_eq!(value["findings"][1]["reason"], Lint::AnyPadding.reason());
        assert_eq!(value["findings"][1]["advice"], Lint::AnyPadding.advice());
        assert!(report.contains(Lint::AnyPadding) && !report.contains(Lint::AnyIssuer));
        let left = report.allow([Lint::AnyPadding, Lint::AnyIssuer]);
        let left: Vec<_> = left.iter().map(|one| (one.lint(), one.places().collect())).collect();
        assert_eq!(left, [(Lint::QueryToken, vec!["token"])]);
    }
}
