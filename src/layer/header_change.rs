//! The change of the response's headers that a request causes.

use std::mem;

use http::{HeaderMap, HeaderValue, Response, header};

use crate::source::TokenLocation;

/// The change of the response's headers that a request causes.
#[derive(Debug, Default)]
pub(super) enum HeaderChange {
    /// Nothing.
    #[default]
    None,
    /// Its token was in the address: shared caches must not keep the answer (RFC 6750 §2.3).
    Private,
    /// Its cookie has a token that never verifies again. This is the `Set-Cookie` that removes
    /// it. It is in a box, because the future of every request has room for one.
    RemoveCookie(Box<HeaderValue>),
}

impl From<TokenLocation> for HeaderChange {
    fn from(location: TokenLocation) -> Self {
        match location {
            TokenLocation::Query => Self::Private,
            TokenLocation::Other | TokenLocation::OnlyInCookie(_) => Self::None,
        }
    }
}

impl HeaderChange {
    #[inline]
    pub(super) fn apply<B>(&mut self, response: &mut Response<B>) {
        if !matches!(self, Self::None) {
            mem::take(self).change(response.headers_mut());
        }
    }

    #[cold]
    fn change(self, headers: &mut HeaderMap) {
        match self {
            Self::None => {}
            Self::Private => {
                let private = HeaderValue::from_static("private");
                headers.entry(header::CACHE_CONTROL).or_insert(private);
            }
            Self::RemoveCookie(removal) => {
                // After a login, the service has set a good one.
                let is_set = |value: &HeaderValue| name(value) == name(&removal);
                if headers.get_all(header::SET_COOKIE).iter().any(is_set) {
                    return;
                }
                headers.append(header::SET_COOKIE, *removal);
                // It is a response to this one browser now.
                headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
        }
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
        let dead =
            || HeaderChange::RemoveCookie(Box::new(HeaderValue::from_static("at=; Max-Age=0")));
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
