//! A text of somebody else, as an event shows it.

use std::fmt::Write;

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

/// The longest text that is shown as a whole, in characters.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

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
