//! The values in the event of a refusal.

use crate::shown::shown;

/// The values in the event of a refusal, besides its kind. Texts of a token are escaped and cut.
#[derive(Debug, Default)]
pub(crate) struct Detail {
    /// The issuers whose rules were asked, as configured.
    pub(crate) issuer: Option<Box<str>>,
    /// The values that the configuration accepts.
    pub(crate) expected: Option<Box<str>>,
    /// The value that the token has.
    pub(crate) seen: Option<Box<str>>,
    /// How many seconds ago its time ended, or is yet to come.
    pub(crate) late_by: Option<i64>,
    pub(crate) early_by: Option<i64>,
    /// Whom the token speaks of.
    pub(crate) subject: Option<Box<str>>,
}

impl Detail {
    /// Removes the values of the token, and keeps those of the configuration.
    pub(super) fn without_token(self) -> Self {
        Self { issuer: self.issuer, expected: self.expected, ..Self::default() }
    }
}

/// Several texts as one, at most eight of them.
pub(crate) fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> Box<str> {
    let mut texts = texts.into_iter();
    let mut all: Vec<String> = texts.by_ref().take(MOST).map(shown).collect();
    if texts.next().is_some() {
        all.push("…".to_owned());
    }
    all.join(", ").into()
}

const MOST: usize = 8;
