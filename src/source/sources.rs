//! All sources of a layer, and the one token that they find.

use std::{borrow::Cow, slice};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header as names};

use super::{
    CookieSource, OtherSource, SourceKind, TokenSource, header, query,
    raw::{Fault, RawText, RawToken, TokenLocation},
    websocket,
};

/// The sources of a layer in their order. Cookies are apart, because they count only if no
/// header has a token.
#[derive(Clone, Debug)]
pub(crate) struct TokenSources {
    not_cookies: Vec<OtherSource>,
    cookies: Vec<CookieSource>,
    /// Whether `Authorization` may have the scheme `DPoP`, too.
    dpop: bool,
}

impl TokenSources {
    pub(crate) fn new() -> Self {
        Self { not_cookies: vec![OtherSource::Authorization], cookies: Vec::new(), dpop: false }
    }

    pub(crate) fn none() -> Self {
        Self { not_cookies: Vec::new(), cookies: Vec::new(), dpop: false }
    }

    /// The same, and `Authorization` may have the scheme `DPoP`.
    pub(crate) fn with_dpop(self, dpop: bool) -> Self {
        Self { dpop, ..self }
    }

    pub(crate) fn have_dpop(&self) -> bool {
        self.dpop
    }

    /// Adds a source, or replaces the one that reads the same place.
    pub(crate) fn add(&mut self, source: TokenSource) {
        match source.0 {
            SourceKind::Cookie(cookie) => {
                if let Some(custom) = cookie.with_headers() {
                    self.not_cookies.push(OtherSource::HeadersOf(custom));
                }
                match self.cookies.iter_mut().find(|other| other.is_same_place(&cookie)) {
                    Some(same) => *same = cookie,
                    None => self.cookies.push(cookie),
                }
            }
            SourceKind::Other(source) => {
                match self.not_cookies.iter_mut().find(|other| is_same_place(other, &source)) {
                    Some(same) => *same = source,
                    None => self.not_cookies.push(source),
                }
            }
        }
        self.share_method_header();
    }

    /// A proxy that asks for one source asks for all. So each of them looks at the method that the
    /// proxy names.
    fn share_method_header(&mut self) {
        let named = |cookie: &CookieSource| cookie.cross_site_guard().method_header().cloned();
        if let Some(name) = self.cookies.iter().find_map(named) {
            for cookie in &mut self.cookies {
                cookie.guard_mut().share_method_header(&name);
            }
        }
    }

    /// Finds the token of a request, if it has one.
    #[inline]
    pub(crate) fn find<'r>(
        &self,
        method: &Method,
        uri: &'r Uri,
        headers: &'r HeaderMap,
    ) -> Result<Option<RawToken<'r>>, Fault> {
        let mut token: Option<RawToken<'r>> = None;
        let mut in_header = false;
        for source in &self.not_cookies {
            let borrowed = |text| RawText::Text(Cow::Borrowed(text));
            let mut location = TokenLocation::Other;
            let text = match source {
                OtherSource::Authorization => match header::authorization(headers)? {
                    None if self.dpop => {
                        location = TokenLocation::DPoP;
                        header::dpop(headers)?.map(RawText::Credentials)
                    }
                    credentials => credentials.map(RawText::Credentials),
                },
                OtherSource::Header(name) => header::other(headers, name)?.map(borrowed),
                OtherSource::Query(name) => {
                    location = TokenLocation::Query;
                    query::find(uri, name)?.map(RawText::Text)
                }
                OtherSource::WebSocket(place) => websocket::find(headers, place)?.map(borrowed),
                OtherSource::Custom(custom) => {
                    custom.find(method, uri, headers).map(|text| RawText::Text(Cow::Owned(text)))
                }
                OtherSource::HeadersOf(_) => None,
            };
            let Some(text) = text else { continue };
            in_header |= matches!(source, OtherSource::Authorization | OtherSource::Header(_));
            let found = RawToken::new(text, location);
            token = match token {
                None => Some(found),
                Some(one) => Some(one.join(found)?),
            };
        }
        if in_header || self.cookies.is_empty() {
            return Ok(token);
        }
        self.find_cookie(token, method, uri, headers)
    }

    /// Adds the cookies to a token that is in no header, or to none.
    fn find_cookie<'r>(
        &self,
        mut token: Option<RawToken<'r>>,
        method: &Method,
        uri: &Uri,
        headers: &'r HeaderMap,
    ) -> Result<Option<RawToken<'r>>, Fault> {
        // A fault of a cookie beside another token is a conflict of the two.
        let is_only = token.is_none();
        for (at, cookie) in (0..=u16::MAX).zip(&self.cookies) {
            let location =
                if is_only { TokenLocation::OnlyInCookie(at) } else { TokenLocation::Other };
            let fault = |error| Fault { error, location };
            let value = match cookie.find_token(method, uri, headers) {
                Ok(None) => continue,
                value => value,
            };
            // First, so that the answer to another site does not depend on the cookie's value.
            cookie.guard(method, uri, headers).map_err(fault)?;
            if let Some(text) = value.map_err(fault)? {
                let found = RawToken::new(RawText::Text(text), location);
                token = match token {
                    None => Some(found),
                    Some(one) => Some(one.join(found).map_err(fault)?),
                };
            }
        }
        Ok(token)
    }

    /// The ways of RFC 6750 §2 in which a request may have its token: of the others, such as cookies,
    /// the RFC knows nothing.
    pub(crate) fn bearer_methods(&self) -> Vec<&'static str> {
        let has = |is_method: fn(&OtherSource) -> bool| self.not_cookies.iter().any(is_method);
        let header = has(|source| matches!(source, OtherSource::Authorization));
        let query =
            has(|source| matches!(source, OtherSource::Query(name) if **name == *"access_token"));
        [("header", header), ("query", query)]
            .into_iter()
            .filter_map(|(method, is_there)| is_there.then_some(method))
            .collect()
    }

    /// Whether a token may be in the query.
    #[cfg(feature = "mcp")]
    pub(crate) fn have_query(&self) -> bool {
        self.not_cookies.iter().any(|source| matches!(source, OtherSource::Query(_)))
    }

    /// The sources that are not cookies.
    pub(super) fn not_cookies(&self) -> &[OtherSource] {
        &self.not_cookies
    }

    /// The cookies.
    pub(super) fn cookies(&self) -> &[CookieSource] {
        &self.cookies
    }

    /// Whether the requests are those of a proxy for forward authentication.
    pub(crate) fn is_for_forward_auth(&self) -> bool {
        self.cookies.iter().any(|cookie| cookie.cross_site_guard().is_for_forward_auth())
    }

    /// The `Set-Cookie` that removes the cookie with the token, if only a cookie had it.
    pub(crate) fn removal(&self, location: TokenLocation) -> Option<HeaderValue> {
        match location {
            TokenLocation::OnlyInCookie(at) => self.cookies.get(usize::from(at))?.removal(),
            TokenLocation::Query | TokenLocation::DPoP | TokenLocation::Other => None,
        }
    }

    /// Marks the headers that may have a token as sensitive: `Debug` does not show their
    /// values, and HPACK does not index them.
    #[inline]
    pub(crate) fn mark_sensitive(&self, headers: &mut HeaderMap) {
        // Fewer comparisons than it takes to hash two names, unless there are very many.
        for (name, value) in headers.iter_mut() {
            if *name == names::AUTHORIZATION || *name == names::COOKIE {
                value.set_sensitive(true);
            }
        }
        if self.dpop {
            set_sensitive(headers, &[HeaderName::from_static("dpop")]);
        }
        for source in &self.not_cookies {
            let others = match source {
                OtherSource::Header(name) => slice::from_ref(name),
                OtherSource::WebSocket(_) => &[names::SEC_WEBSOCKET_PROTOCOL],
                OtherSource::Custom(custom) | OtherSource::HeadersOf(custom) => &*custom.headers,
                OtherSource::Authorization | OtherSource::Query(_) => continue,
            };
            set_sensitive(headers, others);
        }
    }

    /// Removes the token from the request, and leaves everything else.
    pub(crate) fn strip(&self, uri: &mut Uri, headers: &mut HeaderMap) {
        for source in &self.not_cookies {
            match source {
                OtherSource::Authorization => header::strip(headers, self.dpop),
                OtherSource::Header(name) => {
                    headers.remove(name);
                }
                OtherSource::Query(name) => query::strip(uri, name),
                OtherSource::WebSocket(place) => websocket::strip(headers, place),
                OtherSource::Custom(custom) | OtherSource::HeadersOf(custom) => {
                    custom.strip_headers(headers);
                }
            }
        }
        for cookie in &self.cookies {
            cookie.strip(headers);
        }
    }
}

fn set_sensitive(headers: &mut HeaderMap, names: &[HeaderName]) {
    for other in names {
        for (name, value) in headers.iter_mut() {
            if name == other {
                value.set_sensitive(true);
            }
        }
    }
}

fn is_same_place(one: &OtherSource, other: &OtherSource) -> bool {
    match (one, other) {
        (OtherSource::Authorization, OtherSource::Authorization) => true,
        (OtherSource::Query(one), OtherSource::Query(other)) => one == other,
        (OtherSource::Header(one), OtherSource::Header(other)) => one == other,
        (OtherSource::WebSocket(one), OtherSource::WebSocket(other)) => one == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_cookies_of_a_layer_read_the_method_that_the_proxy_names() {
        let forwarded = || {
            let cookie = TokenSource::cookie("at").public_origin("https://a.example");
            cookie.forwarded_method("x-original-method").build().unwrap()
        };
        let plain = || TokenSource::cookie("other").build().unwrap();
        let own = || TokenSource::custom_builder(|_, _, _| None).ambient().build().unwrap();
        let named = |of: &CookieSource| of.cross_site_guard().method_header().cloned();
        for order in [[forwarded(), plain(), own()], [plain(), own(), forwarded()]] {
            let mut sources = TokenSources::new();
            order.into_iter().for_each(|source| sources.add(source));
            assert_eq!(sources.cookies.len(), 3);
            for cookie in &sources.cookies {
                assert_eq!(named(cookie), Some(HeaderName::from_static("x-original-method")));
            }
        }
        let mut sources = TokenSources::new();
        sources.add(plain());
        assert!(sources.cookies.iter().all(|cookie| named(cookie).is_none()));
    }

    #[test]
    fn no_place_is_looked_at_twice() {
        let mut sources = TokenSources::new();
        sources.add(TokenSource::header(names::AUTHORIZATION));
        assert_eq!(sources.not_cookies.len(), 1);
        for _ in 0..2 {
            sources.add(TokenSource::cookie("at").build().unwrap());
            sources.add(TokenSource::query());
            sources.add(TokenSource::header(HeaderName::from_static("x-token")));
            sources.add(TokenSource::websocket_protocol("bearer"));
        }
        assert_eq!((sources.not_cookies.len(), sources.cookies.len()), (4, 1));
        sources.add(TokenSource::cookie("other").build().unwrap());
        assert_eq!((sources.not_cookies.len(), sources.cookies.len()), (4, 2));
        sources.add(TokenSource::query_named("token"));
        sources.add(TokenSource::websocket_protocol_prefix("bearer."));
        sources.add(TokenSource::custom_builder(|_, _, _| None).ambient().build().unwrap());
        sources.add(TokenSource::header(names::COOKIE));
        assert_eq!((sources.not_cookies.len(), sources.cookies.len()), (6, 4));
    }
}
