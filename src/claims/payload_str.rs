//! A string of the payload, kept without a copy.

use std::ptr;

/// A string of the payload: its place there, or a copy if it was written with escapes.
#[derive(Clone)]
pub(super) enum PayloadStr {
    At { start: usize, end: usize },
    Own(Box<str>),
}

impl PayloadStr {
    /// Keeps `text`, which may be a part of `payload`.
    pub(super) fn new(text: &str, payload: &str) -> Self {
        if let Some(start) = text.as_ptr().addr().checked_sub(payload.as_ptr().addr())
            && let Some(end) = start.checked_add(text.len())
            && payload.get(start..end).is_some_and(|part| ptr::eq(part, text))
        {
            return Self::At { start, end };
        }
        Self::Own(Box::from(text))
    }

    /// The string; `payload` is the one that it was kept of.
    pub(super) fn get<'a>(&'a self, payload: &'a str) -> &'a str {
        match self {
            // `new` has seen that the place is there.
            Self::At { start, end } => payload.get(*start..*end).unwrap_or_default(),
            Self::Own(text) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_kept_as_its_place() {
        let payload = String::from("abcdef");
        let kept = PayloadStr::new(&payload[2..4], &payload);
        assert!(matches!(kept, PayloadStr::At { start: 2, end: 4 }));
        assert_eq!(kept.get(&payload), "cd");
    }

    #[test]
    fn another_text_is_copied() {
        let payload = String::from("abcdef");
        for text in ["cd-elsewhere".to_owned(), "cd".to_owned()] {
            let kept = PayloadStr::new(&text, &payload);
            assert!(matches!(kept, PayloadStr::Own(_)));
            assert_eq!(kept.get(&payload), text);
        }
    }
}
