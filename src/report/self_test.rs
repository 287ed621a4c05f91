//! The result of a self-test.

use std::fmt;

use serde::{
    Serialize,
    ser::{SerializeStruct, Serializer},
};

use crate::shown::shown;

/// The result of [`Verifier::self_test`](crate::Verifier::self_test).
///
/// `Display` has a line with the numbers, a line for each setting that loosens checks, and two lines for
/// each case that failed. It serializes as an object with `passed`, `left_out` and `cases`: a list of
/// objects with `name`, `place`, `description`, `outcome`, `kind` and `setting`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a report does nothing until it is looked at"]
pub struct SelfTestReport {
    cases: Vec<SelfTestCase>,
    left_out: usize,
}

/// One case of a self-test: a token, and what the verifier made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfTestCase {
    pub(crate) name: &'static str,
    pub(crate) place: Option<Box<str>>,
    pub(crate) description: &'static str,
    pub(crate) outcome: SelfTestOutcome,
    pub(crate) kind: Option<&'static str>,
    pub(crate) setting: Option<&'static str>,
}

/// The outcome of a case of a self-test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SelfTestOutcome {
    /// The token was refused by the check that it is for. The valid token was accepted.
    Passed,
    /// A setting turns the check off, so that it does not refuse the token.
    Loosened,
    /// The token was accepted, or refused for another reason, and no setting says so. Or the valid
    /// token was refused: then there are no other cases.
    Failed,
}

impl SelfTestReport {
    /// A report without a case.
    pub(crate) fn new() -> Self {
        Self { cases: Vec::new(), left_out: 0 }
    }

    pub(crate) fn add(&mut self, case: SelfTestCase) {
        self.cases.push(case);
    }

    /// Leaves out this many issuers.
    pub(crate) fn leave_out(&mut self, issuers: usize) {
        self.left_out = issuers;
    }

    /// Whether there are cases, and none has failed. A check that a setting loosens has not failed.
    /// Issuers that were [left out](Self::left_out) do not count. The verifier of
    /// [`Issuers`](crate::verifier::Issuers) without any issuer has no case, and has not passed.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        !self.cases.is_empty() && self.with_outcome(SelfTestOutcome::Failed).next().is_none()
    }

    /// All cases.
    pub fn iter(&self) -> impl Iterator<Item = &SelfTestCase> {
        self.cases.iter()
    }

    /// The cases with this outcome.
    pub fn with_outcome(&self, outcome: SelfTestOutcome) -> impl Iterator<Item = &SelfTestCase> {
        self.iter().filter(move |case| case.outcome == outcome)
    }

    /// The number of issuers that were not tested, because there are too many; see
    /// [`Verifier::self_test`](crate::Verifier::self_test).
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The settings that loosen checks, each once, with their cases.
    fn loosened(&self) -> Vec<(&'static str, Vec<&SelfTestCase>)> {
        let mut all: Vec<(&'static str, Vec<&SelfTestCase>)> = Vec::new();
        for case in self.with_outcome(SelfTestOutcome::Loosened) {
            let setting = case.setting.unwrap_or_default();
            match all.iter_mut().find(|(other, _)| *other == setting) {
                Some((_, cases)) => cases.push(case),
                None => all.push((setting, vec![case])),
            }
        }
        all
    }
}

impl SelfTestCase {
    /// The name, such as `c05_aud_missing`. A name does not change. Attacks of the test kit have the
    /// same names.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The issuer whose tokens the case is about. `None` if the verifier has the same rules for all.
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }

    /// The fault of the token, as a sentence without a full stop. The wording may change.
    #[must_use]
    pub fn description(&self) -> &'static str {
        self.description
    }

    /// The outcome.
    #[must_use]
    pub fn outcome(&self) -> SelfTestOutcome {
        self.outcome
    }

    /// The [kind](crate::ErrorKind::name) of the refusal. `None` if the token was accepted.
    #[must_use]
    pub fn kind(&self) -> Option<&'static str> {
        self.kind
    }

    /// The setting that turns the check off, such as `any_audience`. `None` if there is no such
    /// setting.
    #[must_use]
    pub fn setting(&self) -> Option<&'static str> {
        self.setting
    }
}

impl SelfTestOutcome {
    /// The name: `passed`, `loosened` or `failed`. A name does not change.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Loosened => "loosened",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for SelfTestReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |outcome| self.with_outcome(outcome).count();
        write!(
            f,
            "self-test: {} passed, {} loosened by a setting, {} failed",
            count(SelfTestOutcome::Passed),
            count(SelfTestOutcome::Loosened),
            count(SelfTestOutcome::Failed),
        )?;
        if self.left_out > 0 {
            write!(f, ", {} issuers not tested", self.left_out)?;
        }
        for (setting, cases) in self.loosened() {
            write!(f, "\nloosened by {setting}: ")?;
            for (at, case) in cases.iter().enumerate() {
                write!(f, "{}{}", if at == 0 { "" } else { ", " }, case.name)?;
                if let Some(place) = &case.place {
                    write!(f, " ({})", shown(place))?;
                }
            }
        }
        for case in self.with_outcome(SelfTestOutcome::Failed) {
            write!(f, "\n{case}")?;
        }
        Ok(())
    }
}

impl fmt::Display for SelfTestCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if let Some(place) = &self.place {
            write!(f, " ({})", shown(place))?;
        }
        write!(f, ": {}\n  {}: ", self.description, self.outcome.name())?;
        match self.kind {
            Some(kind) => write!(f, "refused as {kind}")?,
            None => f.write_str("accepted")?,
        }
        match self.setting.filter(|_| self.outcome == SelfTestOutcome::Loosened) {
            Some(setting) => write!(f, ", because of {setting}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for SelfTestOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for SelfTestReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut report = serializer.serialize_struct("SelfTestReport", 3)?;
        report.serialize_field("passed", &self.is_passed())?;
        report.serialize_field("left_out", &self.left_out)?;
        report.serialize_field("cases", &self.cases)?;
        report.end()
    }
}

impl Serialize for SelfTestCase {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut case = serializer.serialize_struct("SelfTestCase", 6)?;
        case.serialize_field("name", self.name)?;
        case.serialize_field("place", &self.place)?;
        case.serialize_field("description", self.description)?;
        case.serialize_field("outcome", self.outcome.name())?;
        case.serialize_field("kind", &self.kind)?;
        case.serialize_field("setting", &self.setting)?;
        case.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_prints_and_serializes() {
        let case = |name, outcome, kind| SelfTestCase {
            name,
            place: None,
            description: "`aud` is missing",
            outcome,
            kind,
            setting: Some("any_audience"),
        };
        let mut report = SelfTestReport::new();
        assert!(!report.is_passed(), "nothing was tested");
        report.add(case("a", SelfTestOutcome::Passed, Some("audience")));
        report.add(case("b", SelfTestOutcome::Loosened, None));
        report.add(SelfTestCase {
            place: Some("i\n\u{202e}".into()),
            ..case("c", SelfTestOutcome::Loosened, None)
        });
        assert!(report.is_passed());
        assert_eq!(
            report.to_string(),
            "self-test: 1 passed, 2 loosened by a setting, 0 failed\n\
             loosened by any_audience: b, c (i\\n\\u{202e})"
        );
        report.add(case("d", SelfTestOutcome::Failed, Some("signature")));
        report.leave_out(3);
        assert!(!report.is_passed());
        let text = report.to_string();
        assert!(text.contains("1 failed, 3 issuers not tested\n"), "{text}");
        let last = "\nd: `aud` is missing\n  failed: refused as signature";
        assert!(text.ends_with(last), "{text}");
        let value = serde_json::to_value(&report).unwrap();
        assert_eq!((&value["passed"], &value["left_out"]), (&json!(false), &json!(3)));
        let expected = json!({
            "name": "c",
            "place": "i\n\u{202e}",
            "description": "`aud` is missing",
            "outcome": "loosened",
            "kind": null,
            "setting": "any_audience",
        });
        assert_eq!(value["cases"][2], expected);
    }
}
