//! The origins of pages that may send a request, whatever brings its token.

use http::{HeaderMap, header};

use super::origin::{Origin, single_value};
use crate::error::{ConfigError, Error, ErrorKind};

/// The origins from which a request is accepted. A request without `Origin` is accepted, too: it is not
/// one that a page of another origin has made.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllowedOrigins(Vec<Origin>);

impl AllowedOrigins {
    /// Adds an origin, from the configuration.
    pub(crate) fn add(&mut self, origin: &str) -> Result<(), ConfigError> {
        let origin = Origin::new(origin)?;
        if !self.0.contains(&origin) {
            self.0.push(origin);
        }
        Ok(())
    }

    /// Refuses a request of a page of another origin. `null`, and an `Origin` that comes twice, is not
    /// one of these.
    #[inline]
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Error> {
        if headers.contains_key(header::ORIGIN) { self.check_said(headers) } else { Ok(()) }
    }

    fn check_said(&self, headers: &HeaderMap) -> Result<(), Error> {
        let said = single_value(headers, header::ORIGIN.as_str()).flatten().and_then(Origin::parse);
        if said.as_ref().is_some_and(|said| self.0.contains(said)) {
            return Ok(());
        }
        let reason = match said {
            Some(said) => format!(
                "a page of {said} has sent the request, which is not an allowed origin: if it is one \
                 of yours, name it with `.allowed_origin(…)`"
            ),
            None => "the header `Origin` is `null`, is malformed, or comes twice".into(),
        };
        Err(ErrorKind::CrossSite { reason: reason.into() }.into())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_one_origin_that_is_named_passes() {
        let mut allowed = AllowedOrigins::default();
        allowed.add("https://app.example.com").unwrap();
        allowed.add("http://127.0.0.1:6274").unwrap();
        let check = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::ORIGIN, HeaderValue::from_static(value));
            }
            allowed.check(&headers).is_ok()
        };
        for good in [
            &[][..],
            &["https://app.example.com"],
            &["https://APP.example.com:443"],
            &["http://127.0.0.1:6274"],
        ] {
            assert!(check(good), "{good:?}");
        }
        for bad in [
            &["null"][..],
            &[""],
            &["https://app.example.com", "https://app.example.com"],
            &["https://app.example.com.evil.example"],
            &["https://app.example.com/"],
            &["http://app.example.com"],
            &["https://app.example.com:8443"],
            &["http://127.0.0.1"],
            &["http://localhost:6274"],
            &["https://app.example.com https://evil.example"],
        ] {
            assert!(!check(bad), "{bad:?}");
        }
        assert!(allowed.add("https://app.example.com/x").is_err());
    }
}
