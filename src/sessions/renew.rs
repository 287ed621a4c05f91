//! The route that renews the session of a browser, and sends it back to its page.

use http::{HeaderMap, HeaderValue, Response, header, request::Parts};

use super::{Renewal, Sessions, delivery::Delivery, return_path::ReturnPath};
use crate::{
    csrf::{opens_a_page, said},
    error::{Error, ErrorKind},
    issue::Body,
    observe,
    verifier::Claims,
};

impl Sessions {
    /// Answers a browser that [`PageLayer`](super::PageLayer) has sent here.
    pub(super) async fn answer_renew(&self, parts: &Parts) -> Response<Body> {
        let Parts { method, uri, headers, .. } = parts;
        let (cookies, renew) = (&self.0.cookies, self.renew_path());
        let again = ReturnPath::from_query(uri, "again", renew);
        let page = again.clone().or_else(|| ReturnPath::from_query(uri, "to", renew));
        let page = page.unwrap_or_else(ReturnPath::start);
        if !is_navigation(headers) {
            let reason = "only a browser that opens a page may renew its session in this way";
            return self.refuse(ErrorKind::CrossSite { reason: reason.into() }.into(), parts);
        }
        // A browser that opens a page sends no proof.
        if self.0.dpop_in_browsers {
            return back_to(&page);
        }
        // Pages of the same site can open this route at any time. A browser that leaves before the
        // answer keeps a spent token, so none is spent without need.
        let welcome = || again.as_ref().map_or_else(|| back_to(&page), send_again);
        if self.has_valid_access(headers).await {
            return welcome();
        }
        let renewed = match cookies.find_refresh(method, uri, headers) {
            Ok(Some(token)) => {
                let (delivery, request) = (Delivery::Cookies(cookies), Some(parts.into()));
                self.renew(Renewal { delivery, ..Renewal::of(token, request) }).await
            }
            Ok(None) => Err(cookies.explain_missing(uri, headers)),
            Err(error) => Err(error),
        };
        let answered = match renewed {
            Ok(tokens) => {
                let mut response = welcome();
                tokens.set_cookies(cookies, response.headers_mut()).map(|()| response)
            }
            Err(error) if matches!(error.kind(), ErrorKind::CrossSite { .. }) => Err(error),
            // The page answers as it does a guest. Otherwise, a browser whose session cannot be
            // renewed could open no page at all, not even the one to log in.
            Err(error) => {
                observe::refused(&error);
                let mut response = back_to(&page);
                let is_over = error.is_missing_token() || is_invalid_grant(&error);
                if is_over && cookies.is_any_in(headers) {
                    cookies.clear(response.headers_mut());
                }
                Ok(response)
            }
        };
        match answered.and_then(|mut response| {
            cookies.mark_renewed(response.headers_mut())?;
            Ok(response)
        }) {
            Ok(response) => response,
            Err(error) => self.refuse(error, parts),
        }
    }

    /// Whether a browser has an access token that is accepted.
    async fn has_valid_access(&self, headers: &HeaderMap) -> bool {
        match self.0.cookies.find_access(headers) {
            Ok(Some(token)) => {
                let verified = self.0.verifier.verify(token).await;
                verified.is_ok() && !has_expired(&verified, self.0.issuer.now())
            }
            Ok(None) | Err(_) => false,
        }
    }
}

/// Whether a session is to be renewed because of this token. The layer of the page may have a smaller
/// leeway than this verifier, so the token counts as expired from its `exp` on. With any other
/// fault, another token would not help.
pub(super) fn has_expired<C>(verified: &Result<Claims<C>, Error>, now: i64) -> bool {
    match verified {
        Ok(claims) => claims.expires_at().is_some_and(|exp| exp.floor() <= now),
        Err(error) => matches!(error.kind(), ErrorKind::Expired),
    }
}

fn is_invalid_grant(error: &Error) -> bool {
    error.code() == Some("invalid_grant")
}

/// Whether a browser opens a page in a tab or window of its own, and does not only fetch it ahead.
pub(super) fn is_navigation(headers: &HeaderMap) -> bool {
    matches!(said(headers, "sec-fetch-site"), Some("same-origin" | "same-site" | "none"))
        && opens_a_page(headers)
        && !headers.contains_key("sec-purpose")
        && !headers.contains_key("purpose")
}

/// The answer that sends a browser to another page (RFC 9110 §15.4.4).
pub(super) fn see_other<B: Default>(target: HeaderValue) -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() = http::StatusCode::SEE_OTHER;
    response.headers_mut().insert(header::LOCATION, target);
    never_stored(&mut response);
    response
}

fn back_to(page: &ReturnPath) -> Response<Body> {
    // It has only characters that a header may have.
    let start = HeaderValue::from_static("/");
    see_other(HeaderValue::from_str(page.as_str()).unwrap_or(start))
}

/// The page that asks for a form once more.
fn send_again(page: &ReturnPath) -> Response<Body> {
    let text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Please send the form again</title>\n<h1>Please send the form again</h1>\n\
         <p>Nothing was changed: your session had to be renewed first. \
         <a href=\"{page}\">Go back to the page</a> and send the form again.</p>\n</html>\n"
    );
    let mut response = Response::new(Body::from(text));
    never_stored(&mut response);
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn never_stored<B>(response: &mut Response<B>) {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}
