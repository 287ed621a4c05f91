//! Lists that have one value nearly always, and texts that are nearly always the same.

use std::{
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
};

/// One value in place, or several that clones share.
///
/// Of a hundred thousand tenants, what a token needs is in no cache of the processor, and each
/// pointer on the way to it costs as much as a quarter of the verification. The only key,
/// issuer or audience of a verifier therefore lies within the verifier.
#[derive(Clone, Debug)]
pub(crate) enum Few<T> {
    One(T),
    Many(Arc<[T]>),
}

impl<T> Deref for Few<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::Many(Arc::default())
    }
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(values: Vec<T>) -> Self {
        match <[T; 1]>::try_from(values) {
            Ok([one]) => Self::One(one),
            Err(values) => Self::Many(values.into()),
        }
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Vec::from_iter(values).into()
    }
}

/// The first few texts of a kind, each in one place for all who have it: what all tenants
/// read stays in the cache of the processor.
#[derive(Debug)]
pub(crate) struct SharedTexts(Mutex<Vec<Arc<str>>>);

impl SharedTexts {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// The text, shared if it is one of the first few.
    pub(crate) fn text(&self, text: String) -> Arc<str> {
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = texts.iter().find(|known| ***known == *text) {
            return Arc::clone(known);
        }
        let text = Arc::from(text);
        if texts.len() < MOST_SHARED {
            texts.push(Arc::clone(&text));
        }
        text
    }
}

/// Few enough to be looked through, and to be kept for good.
const MOST_SHARED: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_list_that_it_was_made_of() {
        for count in 0..4 {
            let list: Vec<_> = (0..count).collect();
            let few: Few<_> = list.clone().into();
            assert_eq!(*few, *list);
            assert_eq!(matches!(few, Few::One(_)), count == 1);
        }
        assert!(Few::<u8>::default().is_empty());
    }

    #[test]
    fn the_first_few_texts_are_shared() {
        let shared = SharedTexts::new();
        let texts: Vec<_> = (0..MOST_SHARED + 1).map(|n| shared.text(n.to_string())).collect();
        for (n, text) in texts.iter().enumerate() {
            let again = shared.text(n.to_string());
            assert_eq!(again, *text);
            assert_eq!(Arc::ptr_eq(&again, text), n < MOST_SHARED);
        }
    }
}
