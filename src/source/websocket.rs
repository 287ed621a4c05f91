//! The WebSocket subprotocol after a marker, which a browser can send when it opens a
//! WebSocket (RFC 6455 §11.3.4).

use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_PROTOCOL};

use super::malformed::{empty, malformed, several};
use crate::error::Error;

pub(super) fn find<'h>(headers: &'h HeaderMap, marker: &str) -> Result<Option<&'h str>, Error> {
    let mut protocols = Vec::new();
    for value in headers.get_all(SEC_WEBSOCKET_PROTOCOL) {
        protocols.extend(value.to_str().map_err(|_| malformed())?.split(',').map(str::trim));
    }
    let mut found = None;
    let mut protocols = protocols.into_iter();
    while let Some(protocol) = protocols.next() {
        if protocol == marker {
            let token = protocols.next().filter(|token| !token.is_empty()).ok_or_else(empty)?;
            if found.replace(token).is_some() {
                return Err(several());
            }
        }
    }
    Ok(found)
}

/// Removes the subprotocol after the marker, even if [`find`] refuses it, and leaves the marker
/// for the handler to accept.
pub(super) fn strip(headers: &mut HeaderMap, marker: &str) {
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let protocols: Vec<_> = values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .collect();
    let behind = protocols.windows(2).filter(|pair| pair.first() == Some(&marker.as_bytes()));
    let tokens: Vec<_> = behind.filter_map(|pair| pair.last()).collect();
    if tokens.is_empty() {
        return;
    }
    let left: Vec<_> =
        protocols.iter().filter(|protocol| !tokens.contains(protocol)).copied().collect();
    if let Ok(value) = HeaderValue::from_bytes(&left.join(&b", "[..])) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(SEC_WEBSOCKET_PROTOCOL, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn found_behind_its_marker() {
        let found = |values: &[&str]| {
            find(&headers(values), "bearer").map(|token| token.map(str::to_owned)).map_err(drop)
        };
        assert_eq!(found(&["bearer, a.b.c"]), Ok(Some("a.b.c".into())));
        assert_eq!(found(&["chat", "bearer,a.b.c"]), Ok(Some("a.b.c".into())));
        assert_eq!(found(&["chat, a.b.c"]), Ok(None));
        assert_eq!(found(&["bearer"]), Err(()));
        assert_eq!(found(&["bearer, a, bearer, b"]), Err(()));
    }

    #[test]
    fn stripped_alone() {
        for (before, after) in [
            (&["chat, bearer", "a.b.c, other"][..], "chat, bearer, other"),
            (&["a.b.c, bearer, a.b.c"], "bearer"),
            (&["bearer, a, bearer,b", "chat"], "bearer, bearer, chat"),
            (&["chat,bearer"], "chat,bearer"),
        ] {
            let mut headers = headers(before);
            strip(&mut headers, "bearer");
            assert_eq!(headers[SEC_WEBSOCKET_PROTOCOL], after);
        }
    }
}
