//! Refusals from within a layer, which the layer writes in its own format, with its challenge.

use std::mem;

use http::{HeaderMap, HeaderName, HeaderValue, Response, header};

use super::{Challenge, DefaultRespond, Rejection, Respond};

/// In the extensions of a refusal whose format nobody has chosen so far.
///
/// The format of the layer is found on the way out: leaving it in each request for those that are
/// refused would cost an allocation.
#[derive(Clone)]
struct WithoutFormat;

/// Leaves the format of a refusal to the layer around.
pub(crate) fn without_format<B>(mut response: Response<B>) -> Response<B> {
    response.extensions_mut().insert(WithoutFormat);
    response
}

/// The response of a service within a layer. If it is a refusal whose format nobody has chosen, it
/// is in this format, or left as it is, also by layers further out. If it was made by hand, it has
/// this challenge.
pub(crate) fn inherit<B, R: Respond<B>>(
    mut response: Response<B>,
    format: Option<&R>,
    challenge: Option<&Challenge>,
) -> Response<B> {
    if response.extensions_mut().remove::<WithoutFormat>().is_none() {
        return response;
    }
    let Some(mut rejection) = response.extensions().get::<Rejection>().cloned() else {
        return response;
    };
    let is_untouched = is_untouched(&response, &rejection);
    if let Some(challenge) = challenge.filter(|_| rejection.is_by_hand()) {
        let former: Vec<_> = rejection.challenges().collect();
        rejection.challenge = challenge.clone();
        replace_challenges(response.headers_mut(), &former, rejection.challenges());
        response.extensions_mut().insert(rejection.clone());
    }
    match format {
        Some(format) if is_untouched => rewrite(response, rejection, format),
        _ => response,
    }
}

/// Puts challenges in the place of the former ones. Those that others have added stay, behind them.
fn replace_challenges(
    headers: &mut HeaderMap,
    former: &[HeaderValue],
    challenges: impl Iterator<Item = HeaderValue>,
) {
    let present: Vec<_> = headers.get_all(header::WWW_AUTHENTICATE).iter().cloned().collect();
    if !present.iter().any(|value| former.contains(value)) {
        return;
    }
    headers.remove(header::WWW_AUTHENTICATE);
    let others = present.into_iter().filter(|value| !former.contains(value));
    for value in challenges.chain(others) {
        headers.append(header::WWW_AUTHENTICATE, value);
    }
}

/// Whether nobody has made an answer of their own from a refusal: with another status, or a body.
fn is_untouched<B>(response: &Response<B>, rejection: &Rejection) -> bool {
    response.status() == rejection.status()
        && !response.headers().contains_key(header::CONTENT_TYPE)
}

/// Writes a refusal anew, and keeps the headers and extensions that others have added to it.
fn rewrite<B>(former: Response<B>, rejection: Rejection, format: &impl Respond<B>) -> Response<B> {
    let written: Response<()> = rejection.clone().answer_with(&DefaultRespond);
    let (former, _) = former.into_parts();
    let mut response = rejection.answer_with(format);
    add_headers(response.headers_mut(), &former.headers, written.headers());
    let own = mem::replace(response.extensions_mut(), former.extensions);
    response.extensions_mut().extend(own);
    response
}

/// Adds the headers of the former response that the refusal had not `written` itself.
fn add_headers(headers: &mut HeaderMap, former: &HeaderMap, written: &HeaderMap) {
    for name in former.keys().filter(|name| !OF_A_BODY.contains(name)) {
        // The new format decides on a header that it sets, unless there can be several.
        if headers.contains_key(name) && !SEVERAL.contains(name) {
            continue;
        }
        let added = |value: &&_| !written.get_all(name).iter().any(|own| own == *value);
        for value in former.get_all(name).iter().filter(added) {
            headers.append(name, value.clone());
        }
    }
}

/// They describe a body that is replaced.
static OF_A_BODY: [HeaderName; 4] =
    [header::CONTENT_LENGTH, header::CONTENT_ENCODING, header::TRANSFER_ENCODING, header::ETAG];

/// Each value has its own meaning.
static SEVERAL: [HeaderName; 3] = [header::SET_COOKIE, header::VARY, header::WWW_AUTHENTICATE];
