//! The change of the response's headers that a request causes, and who looks at the response.

use std::{mem, sync::Arc};

use http::{HeaderMap, HeaderValue, Response, header};

use crate::{
    error::Error,
    observe::{Decision, Observers, Scheme},
    response::DPOP_NONCE,
    source::TokenLocation,
};

/// The change of the response's headers that a request causes.
#[derive(Debug, Default)]
pub(super) enum HeaderChange {
    /// Nothing.
    #[default]
    None,
    /// Its token was in the address: shared caches must not keep the answer (RFC 6750 §2.3).
    Private,
    /// A rare change. It is in an `Arc`, because the future of every request has room for one.
    Rare(Arc<RareChange>),
}

/// A change that few requests cause.
#[derive(Debug, Default)]
pub(super) struct RareChange {
    /// As [`HeaderChange::Private`].
    private: bool,
    /// The cookie of the request has a token that never verifies again. This is the `Set-Cookie`
    /// that removes it.
    removal: Option<HeaderValue>,
    /// The nonce for the client's next proof.
    nonce: Option<HeaderValue>,
    /// They are told if the response is a refusal.
    observers: Observers,
}

/// In the extensions of a refusal of which observers were told.
#[derive(Clone)]
struct Reported;

/// Marks a refusal, so that the layers around do not tell their observers of it, too.
pub(super) fn mark_reported<B>(response: &mut Response<B>) {
    response.extensions_mut().insert(Reported);
}

impl From<TokenLocation> for HeaderChange {
    fn from(location: TokenLocation) -> Self {
        match location {
            TokenLocation::Query => Self::Private,
            TokenLocation::DPoP | TokenLocation::Other | TokenLocation::OnlyInCookie(_) => {
                Self::None
            }
        }
    }
}

impl HeaderChange {
    /// The removal of a cookie.
    pub(super) fn removal(removal: HeaderValue) -> Self {
        Self::Rare(Arc::new(RareChange { removal: Some(removal), ..RareChange::default() }))
    }

    /// The same change, and that of these observers.
    #[cold]
    pub(super) fn and(self, watch: &Arc<RareChange>) -> Self {
        let observers = watch.observers.clone();
        Self::Rare(match self {
            Self::None => Arc::clone(watch),
            Self::Private => {
                Arc::new(RareChange { private: true, observers, ..RareChange::default() })
            }
            Self::Rare(rare) => {
                let (private, removal) = (rare.private, rare.removal.clone());
                Arc::new(RareChange { private, removal, nonce: rare.nonce.clone(), observers })
            }
        })
    }

    /// The same change, and this nonce for the client's next proof.
    #[cold]
    pub(super) fn with_nonce(self, nonce: HeaderValue) -> Self {
        let nonce = Some(nonce);
        Self::Rare(Arc::new(match self {
            Self::None => RareChange { nonce, ..RareChange::default() },
            Self::Private => RareChange { private: true, nonce, ..RareChange::default() },
            Self::Rare(rare) => RareChange {
                private: rare.private,
                removal: rare.removal.clone(),
                nonce,
                observers: rare.observers.clone(),
            },
        }))
    }

    #[inline]
    pub(super) fn apply<B>(&mut self, response: &mut Response<B>) {
        match mem::take(self) {
            Self::None => {}
            Self::Private => make_private(response.headers_mut()),
            Self::Rare(rare) => rare.apply(response),
        }
    }
}

impl RareChange {
    /// Nothing, but these observers are told if the response is a refusal.
    pub(super) fn watch(observers: Observers) -> Self {
        Self { observers, ..Self::default() }
    }

    pub(super) fn observers(&self) -> &Observers {
        &self.observers
    }

    #[inline]
    fn apply<B>(&self, response: &mut Response<B>) {
        if !response.extensions().is_empty() {
            report(&self.observers, response);
        }
        if self.private || self.removal.is_some() || self.nonce.is_some() {
            self.change(response.headers_mut());
        }
    }

    #[cold]
    fn change(&self, headers: &mut HeaderMap) {
        if self.private {
            make_private(headers);
        }
        if let Some(removal) = &self.removal {
            remove_cookie(removal, headers);
        }
        if let Some(nonce) = &self.nonce {
            headers.insert(DPOP_NONCE, nonce.clone());
            // Of another client, the nonce would be too old (RFC 9449 §8.2).
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
}

#[cold]
fn make_private(headers: &mut HeaderMap) {
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private"));
}

#[cold]
fn remove_cookie(removal: &HeaderValue, headers: &mut HeaderMap) {
    // After a login, the service has set a good one.
    let is_set = |value: &HeaderValue| name(value) == name(removal);
    if headers.get_all(header::SET_COOKIE).iter().any(is_set) {
        return;
    }
    headers.append(header::SET_COOKIE, removal.clone());
    // It is a response to this one browser now.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// Tells the observers of a refusal that was made further in, unless they were told.
#[cold]
fn report<B>(observers: &Observers, response: &mut Response<B>) {
    let extensions = response.extensions_mut();
    if !observers.is_empty()
        && extensions.get::<Reported>().is_none()
        && let Some(error) = extensions.get::<Error>().cloned()
    {
        // The event was written where the request was refused.
        let decision = Decision::refused(Scheme::Within, &error);
        observers.tell(|observer| observer.decided(&decision));
        extensions.insert(Reported);
    }
}

/// The name of the cookie in a `Set-Cookie`.
fn name(value: &HeaderValue) -> &[u8] {
    let pair = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(
        mut change: HeaderChange,
        headers: &[(header::HeaderName, &'static str)],
    ) -> Vec<String> {
        let mut response = Response::new(());
        for (name, value) in headers {
            response.headers_mut().append(name, HeaderValue::from_static(value));
        }
        change.apply(&mut response);
        let mut lines: Vec<_> = response
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn a_cookie_that_the_service_sets_is_not_removed() {
        use header::{CACHE_CONTROL, SET_COOKIE};
        let dead = || HeaderChange::removal(HeaderValue::from_static("at=; Max-Age=0"));
        let no_store = "cache-control: no-store";
        let removal = "set-cookie: at=; Max-Age=0";
        assert_eq!(finished(dead(), &[]), [no_store, removal]);
        let public = [(CACHE_CONTROL, "public, max-age=60"), (CACHE_CONTROL, "immutable")];
        assert_eq!(finished(dead(), &public), [no_store, removal]);
        let other = [(SET_COOKIE, "rt=x; Path=/"), (SET_COOKIE, "atx=1")];
        let both = [no_store, removal, "set-cookie: atx=1", "set-cookie: rt=x; Path=/"];
        assert_eq!(finished(dead(), &other), both);
        for own in ["at=new; Path=/", " at =new", "at=; Max-Age=0", "at"] {
            let expected = [format!("set-cookie: {own}")];
            assert_eq!(finished(dead(), &[(SET_COOKIE, own)]), expected);
        }
    }

    #[test]
    fn an_answer_to_a_token_in_the_address_is_private_unless_it_says_more() {
        assert_eq!(finished(HeaderChange::Private, &[]), ["cache-control: private"]);
        let own = [(header::CACHE_CONTROL, "no-store")];
        assert_eq!(finished(HeaderChange::Private, &own), ["cache-control: no-store"]);
        assert!(finished(HeaderChange::None, &[]).is_empty());
    }
}
