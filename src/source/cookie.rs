//! A cookie that carries the token, and the check against requests from other sites.

use std::{borrow::Cow, fmt, sync::Arc};

use http::{HeaderMap, HeaderValue, Method, Uri, header};

use super::{
    cookie_header::{cut, has_prefix, is_of_an_attribute, pairs, text, trim, unquoted},
    custom::CustomSource,
    malformed::several,
};
use crate::{
    csrf::Guard,
    error::{ConfigError, Error},
};

/// A cookie that may carry the token.
#[derive(Clone)]
pub(crate) struct CookieSource {
    name: Box<str>,
    path: Box<str>,
    domain: Option<Box<str>>,
    guard: Guard,
    guarded: bool,
    /// Whether it is set with `SameSite=None; Secure; Partitioned`.
    partitioned: bool,
    /// Whether it is one for development, which is not `Secure`.
    development: bool,
    /// A function that finds the token in place of the name.
    custom: Option<Arc<CustomSource>>,
}

impl CookieSource {
    pub(crate) fn new(name: &str) -> Self {
        let mut source = Self {
            name: Box::default(),
            path: "/".into(),
            domain: None,
            guard: Guard::default(),
            guarded: true,
            partitioned: false,
            development: false,
            custom: None,
        };
        source.rename(name);
        source
    }

    /// A function that finds something that browsers send by themselves.
    pub(super) fn custom(custom: Arc<CustomSource>, guard: Guard) -> Self {
        Self { guard, custom: Some(custom), ..Self::new("") }
    }

    pub(crate) fn set_path(&mut self, path: &str) -> Result<(), ConfigError> {
        let is_path = path.starts_with('/') && !path.contains("//") && !path.contains(['?', '#']);
        if !is_path || !path.bytes().all(is_of_an_attribute) {
            return Err(ConfigError::InvalidName(
                "the path of a cookie must be absolute, without a query, such as `/app`",
            ));
        }
        if has_prefix(&self.name, HOST) && path != "/" {
            return Err(ConfigError::InvalidName(
                "the path of a cookie whose name begins with `__Host-` must be `/`",
            ));
        }
        self.path = path.into();
        Ok(())
    }

    pub(super) fn set_domain(&mut self, domain: &str) -> Result<(), ConfigError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        if domain.is_empty() || !domain.bytes().all(plain) {
            return Err(ConfigError::InvalidName(
                "the domain of a cookie must be a host name, such as `example.com`",
            ));
        }
        if has_prefix(&self.name, HOST) {
            return Err(ConfigError::InvalidName(
                "a cookie whose name begins with `__Host-` must not have a domain",
            ));
        }
        self.domain = Some(domain.into());
        Ok(())
    }

    fn rename(&mut self, name: &str) {
        self.name = name.into();
        // Browsers set and send these only over TLS.
        self.guard.require_tls(has_prefix(name, HOST) || has_prefix(name, SECURE));
    }

    /// Gives it the name of a cookie for development.
    #[cfg(feature = "issue")]
    pub(crate) fn set_development(&mut self, name: &str) {
        self.rename(name);
        self.development = true;
    }

    pub(super) fn is_for_development(&self) -> bool {
        self.development
    }

    /// Whether no other host can set a cookie of this name. Nothing is known of the cookies that a
    /// function reads.
    pub(super) fn is_of_this_host_only(&self) -> bool {
        self.custom.is_some() || has_prefix(&self.name, HOST)
    }

    pub(super) fn is_guarded(&self) -> bool {
        self.guarded
    }

    /// The name that a report shows.
    pub(super) fn place(&self) -> Option<Box<str>> {
        Some(match (&self.custom, &*self.name) {
            (Some(_), _) => "custom".into(),
            (None, "") => "Cookie".into(),
            (None, name) => name.into(),
        })
    }

    /// # Errors
    ///
    /// A setting is without the one that it needs, or an origin is set, which only the check
    /// needs.
    pub(crate) fn check_config(&self) -> Result<(), ConfigError> {
        self.guard.check_config()?;
        if !self.guarded && self.guard.has_origins() {
            return Err(ConfigError::Conflict(
                "without the cross-site check, no origin counts: leave out `.public_origin(…)` \
                 and `.trusted_origin(…)`, or keep the check",
            ));
        }
        Ok(())
    }

    pub(super) fn remove_guard(&mut self) {
        self.guarded = false;
    }

    /// The origins that the check needs.
    pub(crate) fn guard_mut(&mut self) -> &mut Guard {
        &mut self.guard
    }

    /// The origins from which the cookie counts.
    #[cfg(feature = "issue")]
    pub(crate) fn origins(&self) -> &Guard {
        &self.guard
    }

    /// The cookie is set with `SameSite=None; Secure; Partitioned`.
    pub(crate) fn set_partitioned(&mut self) {
        self.partitioned = true;
        self.guard.check_always();
    }

    /// The check that pages of other sites cannot use the token.
    pub(super) fn cross_site_guard(&self) -> &Guard {
        &self.guard
    }

    /// Sets the path, which must be a valid one.
    #[cfg(feature = "issue")]
    pub(crate) fn below(self, path: &'static str) -> Self {
        Self { path: path.into(), ..self }
    }

    /// The path that the cookie is set with.
    #[cfg(feature = "issue")]
    pub(crate) fn below_path(&self) -> &str {
        &self.path
    }

    /// The function, if it reads headers beside `Cookie`.
    pub(super) fn with_headers(&self) -> Option<Arc<CustomSource>> {
        self.custom.clone().filter(|custom| !custom.headers.is_empty())
    }

    #[cfg(any(feature = "issue", feature = "utoipa"))]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether another source reads the same place.
    pub(super) fn is_same_place(&self, other: &Self) -> bool {
        self.name == other.name && self.custom.is_none() && other.custom.is_none()
    }

    /// Finds the token.
    pub(super) fn find_token<'r>(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &'r HeaderMap,
    ) -> Result<Option<Cow<'r, str>>, Error> {
        match &self.custom {
            Some(custom) => Ok(custom.find(method, uri, headers).map(Cow::Owned)),
            None => Ok(self.find(headers)?.map(Cow::Borrowed)),
        }
    }

    /// Finds the cookie's value (RFC 6265 §4.2.1), without the one pair of quotes that it may
    /// have. Empty values do not count, and the same text twice is one value.
    pub(crate) fn find<'h>(&self, headers: &'h HeaderMap) -> Result<Option<&'h str>, Error> {
        let mut found = None;
        for value in self.values(headers).map(unquoted).filter(|value| !value.is_empty()) {
            if found.replace(value).is_some_and(|other| other != value) {
                return Err(several());
            }
        }
        found.map(text).transpose()
    }

    /// Finds the one value that `is_ours` and ignores all others of this name: for a cookie that
    /// another cookie vouches for.
    #[cfg(feature = "issue")]
    pub(crate) fn find_ours<'h>(
        &self,
        headers: &'h HeaderMap,
        is_ours: impl Fn(&str) -> bool,
    ) -> Result<Option<&'h str>, Error> {
        let mut ours = None;
        for value in self.values(headers).filter_map(|value| text(unquoted(value)).ok()) {
            if is_ours(value) && ours.replace(value).is_some_and(|other| other != value) {
                return Err(several());
            }
        }
        Ok(ours)
    }

    /// Whether a request has a cookie of this name, even an empty one.
    #[cfg(feature = "issue")]
    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        self.values(headers).next().is_some()
    }

    /// All values of this name. HTTP/2 may split the header (RFC 9113 §8.2.3), so all `Cookie`
    /// headers count as one.
    fn values<'h>(&self, headers: &'h HeaderMap) -> impl Iterator<Item = &'h [u8]> {
        let headers = headers.get_all(header::COOKIE).into_iter();
        let all = headers.flat_map(|header| pairs(header.as_bytes()));
        all.filter(|(name, _)| *name == self.name.as_bytes()).map(|(_, value)| value)
    }

    pub(crate) fn guard(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), Error> {
        if self.guarded { self.guard.check(method, uri, headers) } else { Ok(()) }
    }

    /// The value of `Set-Cookie` that removes the cookie; `None` if it has no name, because
    /// browsers ignore a cookie without a name and a value.
    ///
    /// A browser refuses a name with one of these prefixes unless the cookie is `Secure`. For
    /// every other name, `Secure` is left out: a browser then removes the cookie over HTTPS
    /// whether it was set as `Secure` or not, and over plain HTTP too. A partitioned cookie is
    /// another one than that of the same name without a partition.
    pub(crate) fn removal(&self) -> Option<HeaderValue> {
        let Self { name, path, .. } = self;
        if name.is_empty() {
            return None;
        }
        let domain = self.domain.as_ref().map(|domain| format!("; Domain={domain}"));
        let is_secure = [HOST, SECURE, HTTP].iter().any(|prefix| has_prefix(name, prefix));
        let site = match (self.partitioned, is_secure) {
            (true, _) => "SameSite=None; Secure; Partitioned",
            (false, true) => "SameSite=Lax; Secure",
            (false, false) => "SameSite=Lax",
        };
        let text = format!(
            "{name}=; HttpOnly; {site}; Path={path}{}; Max-Age=0; \
             Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            domain.unwrap_or_default(),
        );
        HeaderValue::try_from(text).ok()
    }

    /// Whether the token is, or may be, in the cookie of this name.
    fn is_named(&self, name: &[u8]) -> bool {
        match &self.custom {
            Some(custom) => std::str::from_utf8(name).is_ok_and(|name| custom.reads_cookie(name)),
            None => name == self.name.as_bytes(),
        }
    }

    /// Removes the cookie, and leaves the others.
    pub(super) fn strip(&self, headers: &mut HeaderMap) {
        let ours =
            |header: &HeaderValue| pairs(header.as_bytes()).any(|(name, _)| self.is_named(name));
        if !headers.get_all(header::COOKIE).iter().any(ours) {
            return;
        }
        let header::Entry::Occupied(old) = headers.entry(header::COOKIE) else { return };
        let old: Vec<_> = old.remove_entry_mult().1.collect();
        for header in old {
            let left: Vec<_> = header
                .as_bytes()
                .split(|byte| *byte == b';')
                .map(trim)
                .filter(|pair| !pair.is_empty() && !self.is_named(cut(pair).0))
                .collect();
            if let Ok(mut value) = HeaderValue::from_bytes(&left.join(&b"; "[..]))
                && !left.is_empty()
            {
                value.set_sensitive(true);
                headers.append(header::COOKIE, value);
            }
        }
    }
}

impl fmt::Debug for CookieSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieSource")
            .field("name", &self.name)
            .field("origins", &self.guard)
            .field("guarded", &self.guarded)
            .field("partitioned", &self.partitioned)
            .finish_non_exhaustive()
    }
}

const HOST: &str = "__Host-";
const SECURE: &str = "__Secure-";
const HTTP: &str = "__Http-";

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::COOKIE, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    fn find(values: &[&[u8]]) -> Result<Option<String>, ()> {
        let cookie = CookieSource::new("at");
        cookie.find(&headers(values)).map(|found| found.map(str::to_owned)).map_err(drop)
    }

    #[test]
    fn found_by_its_exact_name() {
        for header in ["at=x", "a=b; at=x; c=d", "a=b;at=x;c", " at = x ", "at=\"x\"", ";;at=x;"] {
            assert_eq!(find(&[header.as_bytes()]), Ok(Some("x".into())), "{header}");
        }
        for header in ["", "At=x", "%61t=x", "=at=x", "xat=x", "\u{2000}at=x", "at", "a=at=x"] {
            assert_eq!(find(&[header.as_bytes()]), Ok(None), "{header}");
        }
        assert_eq!(find(&[b"a=1", b"at=x"]), Ok(Some("x".into())));
        assert_eq!(find(&[b"\xff=1; at=x"]), Ok(Some("x".into())));
        assert_eq!(find(&[b"at=x=y"]), Ok(Some("x=y".into())));
        assert_eq!(find(&[b"at="]), Ok(None));
        assert_eq!(find(&[b"at=\"\""]), Ok(None));
    }

    #[test]
    fn one_text_twice_is_one_cookie() {
        for header in ["at=x; at=x", "at=x; at=\"x\"", "at=; at=x", "at=x; at=\"\"; b=1; at="] {
            assert_eq!(find(&[header.as_bytes()]), Ok(Some("x".into())), "{header}");
        }
        assert_eq!(find(&[b"at=x", b"at=x", b"at="]), Ok(Some("x".into())));
        assert_eq!(find(&[b"at=; at=\"\""]), Ok(None));
    }

    #[test]
    fn removed_as_it_was_set() {
        let removal =
            |cookie: CookieSource| cookie.removal().map(|value| value.to_str().unwrap().to_owned());
        let rest = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
        for (name, secure) in [
            ("at", ""),
            ("__Host-at", "; Secure"),
            ("__host-at", "; Secure"),
            ("__Secure-at", "; Secure"),
            ("__Http-at", "; Secure"),
            ("__Host-Http-at", "; Secure"),
            ("__Hos", ""),
        ] {
            let expected = format!("{name}=; HttpOnly; SameSite=Lax{secure}; Path=/; {rest}");
            assert_eq!(removal(CookieSource::new(name)), Some(expected));
        }
        let mut cookie = CookieSource::new("at");
        cookie.set_path("/app").unwrap();
        cookie.set_domain("example.com").unwrap();
        let expected =
            format!("at=; HttpOnly; SameSite=Lax; Path=/app; Domain=example.com; {rest}");
        assert_eq!(removal(cookie), Some(expected));
        let mut cookie = CookieSource::new("at");
        cookie.set_partitioned();
        let expected = format!("at=; HttpOnly; SameSite=None; Secure; Partitioned; Path=/; {rest}");
        assert_eq!(removal(cookie), Some(expected));
        for unnamed in ["", "a\u{0}", "a\nb"] {
            assert_eq!(removal(CookieSource::new(unnamed)), None);
        }
    }

    #[test]
    fn path_and_domain_are_checked() {
        let cookie = |name: &str| CookieSource::new(name);
        for path in ["", "app", "/a;b", "/a b", "/\u{e4}"] {
            assert!(cookie("at").set_path(path).is_err(), "{path}");
        }
        for domain in ["", "a b", "a;b", "https://a.example"] {
            assert!(cookie("at").set_domain(domain).is_err(), "{domain}");
        }
        assert!(cookie("__Host-at").set_path("/").is_ok());
        assert!(cookie("__Host-at").set_path("/app").is_err());
        assert!(cookie("__Host-at").set_domain("example.com").is_err());
    }

    #[test]
    fn refused() {
        assert_eq!(find(&[b"at=x; at=y"]), Err(()));
        assert_eq!(find(&[b"at=x", b"b=1;at=y"]), Err(()));
        assert_eq!(find(&[b"at=\xff"]), Err(()));
        assert_eq!(find(&[b"at=x y"]), Err(()));
    }

    #[test]
    fn stripped_alone() {
        let mut headers = headers(&[b"a=1; at=x;b=2", b"at=y", b"c=3"]);
        CookieSource::new("at").strip(&mut headers);
        let left: Vec<_> = headers.get_all(header::COOKIE).iter().collect();
        assert_eq!(left, ["a=1; b=2", "c=3"]);
    }
}
