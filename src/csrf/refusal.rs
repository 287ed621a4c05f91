//! The reason of a refusal: what the browser said, what was expected, and which setting to look
//! at. Only the operator sees it.

use std::fmt::{self, Write};

use http::{HeaderMap, HeaderName, Uri, header};

use super::{
    is_websocket,
    origin::{Origin, addressed, single_value},
};

/// A request that is not shown to come from a page that may send it.
pub(super) struct Refusal<'a> {
    pub(super) what: What,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    pub(super) public: Option<&'a Origin>,
    pub(super) trusted: &'a [Origin],
    /// The header in which a proxy names the method of the real request.
    pub(super) method_header: Option<&'a HeaderName>,
}

/// The part of a request that is refused.
#[derive(Clone, Copy)]
pub(super) enum What {
    /// A token that a cookie brought, or another thing that a browser sends by itself.
    Cookie,
    /// A login, which has no cookie yet.
    #[cfg(feature = "issue")]
    Login,
}

impl Refusal<'_> {
    /// The reason, in one sentence.
    #[cold]
    pub(super) fn reason(&self) -> Box<str> {
        let mut text = String::from(match self.what {
            What::Cookie => {
                "a cookie does not count: the request is not shown to come from a page of this \
                 service"
            }
            #[cfg(feature = "issue")]
            What::Login => {
                "a login is refused: the request is not shown to come from a page of this service"
            }
        });
        // Writing to a text does not fail.
        let _ = self.write(&mut text);
        text.into_boxed_str()
    }

    fn write(&self, text: &mut String) -> fmt::Result {
        if let Some(name) = self.method_header {
            self.write_method(text, name)?;
        }
        if is_websocket(self.headers) {
            write!(text, ", which counts for a `GET` too, because it opens a WebSocket")?;
        }
        write!(text, "; the browser said ")?;
        write_header(text, self.headers, "Sec-Fetch-Site")?;
        write!(text, " and ")?;
        write_header(text, self.headers, "Origin")?;
        write!(text, "; expected is `Sec-Fetch-Site: same-origin` or the `Origin` of ")?;
        match (self.public, addressed(self.uri, self.headers)) {
            (Some(public), _) => write!(text, "`public_origin`, `{public}`")?,
            (None, Some((host, Some(port)))) => write!(text, "the request's host, {host}:{port}")?,
            (None, Some((host, None))) => write!(text, "the request's host, {host}")?,
            (None, None) => write!(text, "the request's host, which it does not name once")?,
        }
        for origin in self.trusted.iter().take(SHOWN) {
            write!(text, ", or `{origin}`")?;
        }
        if self.trusted.len() > SHOWN {
            write!(text, ", or another trusted origin")?;
        }
        write!(text, ": ")?;
        self.write_advice(text)
    }

    /// Says which method the proxy has named. If that is not a method, says what to do.
    fn write_method(&self, text: &mut String, name: &HeaderName) -> fmt::Result {
        write!(text, "; the proxy said ")?;
        write_header(text, self.headers, name.as_str())?;
        match single_value(self.headers, name.as_str()).flatten() {
            Some("POST" | "PUT" | "PATCH" | "DELETE") => Ok(()),
            Some("GET" | "HEAD" | "OPTIONS") => write!(text, " for a WebSocket"),
            _ => write!(
                text,
                ", which is not the name of one method, so the request counts as one that changes \
                 something: let the proxy set `{name}` to the method of the client's request"
            ),
        }
    }

    fn write_advice(&self, text: &mut String) -> fmt::Result {
        let site = single_value(self.headers, "sec-fetch-site");
        let origin = single_value(self.headers, header::ORIGIN.as_str());
        let (Some(site), Some(origin)) = (site, origin) else {
            return write!(text, "a header that may occur once is repeated or is no text");
        };
        let Some(origin) = origin else {
            return match site {
                None => write!(
                    text,
                    "every browser sends one of the two with such a request, so a client that is no \
                     browser must send its token in `Authorization`"
                ),
                Some("none") => {
                    write!(text, "it was not sent by a page, but from the address bar")
                }
                Some(_) => write!(
                    text,
                    "a page of another site must send `Origin`, as `fetch` with `mode: \"cors\"` \
                     does, and be a `trusted_origin`"
                ),
            };
        };
        let Some(page) = Origin::parse(origin) else {
            return write!(
                text,
                "this `Origin` names no page: a sandboxed frame, a local file or a redirect across \
                 origins sends `null`"
            );
        };
        let own = match self.public {
            Some(public) => Some(public.clone()),
            None => page.at_host_of(self.uri, self.headers),
        };
        if let Some(own) = own.filter(|own| page.is_alias_of(own)) {
            return write!(
                text,
                "the page was opened under another name of the same host, open `{own}` in place of \
                 `{page}`"
            );
        }
        match (site, self.public) {
            (Some("none"), _) if page.is_web() => {
                write!(text, "it was not sent by a page, but from the address bar")
            }
            (Some("same-origin"), Some(public)) => write!(
                text,
                "browsers see this service as `{page}` and not as `{public}`, correct \
                 `public_origin`"
            ),
            (Some("same-origin"), None) => write!(
                text,
                "a proxy has changed `Host`, so set `public_origin(\"{page}\")`, which is the \
                 origin of this service as browsers see it"
            ),
            (Some("same-site" | "cross-site"), Some(public)) if page == *public => write!(
                text,
                "browsers see this service under another origin than `{public}`: correct \
                 `public_origin`, and if this page is yours, add \
                 `trusted_origin(\"{page}\")`"
            ),
            (None, None) => write!(
                text,
                "if browsers see this service as `{page}`, a proxy has changed `Host`, so set \
                 `public_origin(\"{page}\")`; if it is another page of yours, add \
                 `trusted_origin(\"{page}\")`"
            ),
            (None, Some(_)) => write!(
                text,
                "if browsers see this service as `{page}`, correct `public_origin`; if it is \
                 another page of yours, add `trusted_origin(\"{page}\")`"
            ),
            _ => write!(
                text,
                "if this page is yours, add `trusted_origin(\"{page}\")`; behind a proxy, set \
                 `public_origin` to the origin of this service as browsers see it"
            ),
        }
    }
}

/// Writes a header as it was sent, escaped and cut.
fn write_header(text: &mut String, headers: &HeaderMap, name: &str) -> fmt::Result {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return write!(text, "no `{name}`") };
    let value = String::from_utf8_lossy(first.as_bytes());
    let value: String = value.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    write!(text, "`{name}: {value}`")?;
    if values.next().is_some() {
        write!(text, " (more than once)")?;
    }
    Ok(())
}

/// The longest part of a header that is shown, in characters.
const LONGEST: usize = 64;

/// The most trusted origins that are listed.
const SHOWN: usize = 8;
