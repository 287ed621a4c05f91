//! A text of somebody else, as an event shows it.

use std::fmt::{self, Write};

/// The text with its control characters escaped, cut at 64 characters.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::new();
    let mut characters = text.chars();
    for character in characters.by_ref().take(LONGEST) {
        // A string can always be written to.
        let _ = write!(shown, "{}", character.escape_debug());
    }
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

/// A message that may have texts of others in it, such as the reason of an application's rule. Its
/// control characters are escaped, so that it is one line. Quotes and backslashes stay: what is
/// quoted in it is escaped already.
pub(crate) struct OneLine<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Escape<'f, 'a>(&'f mut fmt::Formatter<'a>);

        impl Write for Escape<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                text.chars().try_for_each(|character| match character {
                    '"' | '\'' | '\\' => self.0.write_char(character),
                    _ => write!(self.0, "{}", character.escape_debug()),
                })
            }
        }
        write!(Escape(f), "{}", self.0)
    }
}

/// The longest text that is shown as a whole, in characters.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line() {
        let shown = |text: &str| OneLine(text).to_string();
        assert_eq!(shown("a role \"x\\n\" is 'ü'"), "a role \"x\\n\" is 'ü'");
        assert_eq!(
            shown("a\r\nINFO b\u{1b}[31m\u{202e}\0"),
            "a\\r\\nINFO b\\u{1b}[31m\\u{202e}\\0"
        );
    }

    #[test]
    fn a_text_cannot_forge_a_line_nor_fill_the_log() {
        assert_eq!(shown("https://login.example.com"), "https://login.example.com");
        assert_eq!(
            shown("a\nINFO b\u{1b}[31m\u{202e}\"\0"),
            "a\\nINFO b\\u{1b}[31m\\u{202e}\\\"\\0"
        );
        assert_eq!(shown(&"ä".repeat(64)), "ä".repeat(64));
        assert_eq!(shown(&"ä".repeat(65)), format!("{}…", "ä".repeat(64)));
    }
}
