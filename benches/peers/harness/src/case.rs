use std::{fmt, str::FromStr};

/// The requests that are measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Case {
    /// One good token, again and again.
    Repeated,
    /// A different good token each time, until the pool is used up and starts anew.
    Distinct,
    /// A token that was good until yesterday.
    Expired,
    /// A good token with one character of the signature changed.
    Forged,
    /// No `Authorization` at all.
    Missing,
    /// As long as the longest tokens, with two dots, and nothing else of a token.
    Garbage,
}

impl Case {
    /// In the order of the table.
    pub const ALL: [Self; 6] =
        [Self::Repeated, Self::Distinct, Self::Expired, Self::Forged, Self::Missing, Self::Garbage];

    /// Whether the algorithm matters.
    pub const fn has_signature(self) -> bool {
        !matches!(self, Self::Missing | Self::Garbage)
    }

    /// The status of the answer to expect.
    pub const fn status(self) -> u16 {
        match self {
            Self::Repeated | Self::Distinct => 200,
            _ => 401,
        }
    }

    /// One word, for the wire and for files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Repeated => "repeated",
            Self::Distinct => "distinct",
            Self::Expired => "expired",
            Self::Forged => "forged",
            Self::Missing => "missing",
            Self::Garbage => "garbage",
        }
    }
}

/// For readers.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Repeated => "the same token",
            Self::Distinct => "different tokens",
            Self::Expired => "expired",
            Self::Forged => "bad signature",
            Self::Missing => "no token",
            Self::Garbage => "8 KiB garbage",
        })
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|case| case.word() == word);
        found.ok_or_else(|| format!("no case has the name {word:?}"))
    }
}
