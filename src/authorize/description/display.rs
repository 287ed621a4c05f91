//! A description as one line of plain English.

use std::fmt;

use super::{Login, PolicyDescription, Term};
use crate::shown::OneLine;

/// One line of plain English, without a full stop. Its wording may change in any release.
impl fmt::Display for PolicyDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", OneLine(Plain(self)))
    }
}

/// The text, which may have control characters of the configuration in it.
struct Plain<'d>(&'d PolicyDescription);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.term() {
            Term::AllScopes(words) => write_words(f, "all", "scope", words),
            Term::AnyScope(words) => write_words(f, "one", "scope", words),
            Term::Login(login) => write!(f, "{login}"),
            Term::SenderConstrained => f.write_str("a token that is bound to its sender"),
            Term::Text(text) | Term::Named { text, .. } => f.write_str(text),
            Term::Opaque => f.write_str("a condition of the application"),
            Term::All(parts) if parts.is_empty() => f.write_str("a valid token"),
            Term::All(parts) => write_parts(f, ", and ", parts),
            Term::Any(parts) => write_parts(f, ", or ", parts),
            Term::Not(part) => write!(f, "not ({})", Plain(part)),
            Term::Never(reason) => write!(f, "no token ({reason})"),
        }
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a login")?;
        if !self.acr_values.is_empty() {
            write!(f, " of acr {}", self.acr_values.join(" or "))?;
        }
        if self.or_stronger {
            f.write_str(" or a stronger one")?;
        }
        match self.max_age {
            Some(max_age) => write!(f, " within {} s", max_age.as_secs()),
            None => Ok(()),
        }
    }
}

/// Such as `all of the scopes a b`, or `the scope a`.
pub(in crate::authorize) fn write_words(
    f: &mut impl fmt::Write,
    how_many: &str,
    noun: &str,
    words: &[impl AsRef<str>],
) -> fmt::Result {
    match words {
        [word] => write!(f, "the {noun} {}", word.as_ref()),
        _ => {
            write!(f, "{how_many} of the {noun}s")?;
            words.iter().try_for_each(|word| write!(f, " {}", word.as_ref()))
        }
    }
}

/// The parts one by one. A part that has several itself is in parentheses.
fn write_parts(f: &mut fmt::Formatter<'_>, link: &str, parts: &[PolicyDescription]) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        let link = if at == 0 { "" } else { link };
        match part.term() {
            Term::All(within) | Term::Any(within) if within.len() > 1 => {
                write!(f, "{link}({})", Plain(part))?;
            }
            _ => write!(f, "{link}{}", Plain(part))?,
        }
    }
    Ok(())
}
