//! A token among the WebSocket subprotocols, which a browser can send when it opens a WebSocket
//! (RFC 6455 §11.3.4).

use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_PROTOCOL};

use super::malformed::{empty, malformed, several};
use crate::error::Error;

/// The place of the token among the subprotocols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WebSocketToken {
    /// It is the one that follows this marker.
    After(Box<str>),
    /// It is the rest of the one that begins with this prefix.
    Behind(Box<str>),
}

pub(super) fn find<'h>(
    headers: &'h HeaderMap,
    place: &WebSocketToken,
) -> Result<Option<&'h str>, Error> {
    let mut protocols = Vec::new();
    for value in headers.get_all(SEC_WEBSOCKET_PROTOCOL) {
        protocols.extend(value.to_str().map_err(|_| malformed())?.split(',').map(str::trim));
    }
    let mut found = None;
    let mut protocols = protocols.into_iter();
    while let Some(protocol) = protocols.next() {
        let token = match place {
            WebSocketToken::After(marker) if protocol == &**marker => protocols.next(),
            WebSocketToken::After(_) => continue,
            WebSocketToken::Behind(prefix) => match protocol.strip_prefix(&**prefix) {
                Some(token) if !prefix.is_empty() => Some(token),
                _ => continue,
            },
        };
        let token = token.filter(|token| !token.is_empty()).ok_or_else(empty)?;
        if found.replace(token).is_some() {
            return Err(several());
        }
    }
    Ok(found)
}

/// Removes the subprotocol with the token, even if [`find`] refuses it, and leaves the marker for
/// the handler to accept.
pub(super) fn strip(headers: &mut HeaderMap, place: &WebSocketToken) {
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let protocols: Vec<_> = values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .collect();
    let tokens: Vec<_> = match place {
        WebSocketToken::After(marker) => {
            let pairs = protocols.windows(2);
            let behind = pairs.filter(|pair| pair.first() == Some(&marker.as_bytes()));
            behind.filter_map(|pair| pair.last().copied()).collect()
        }
        WebSocketToken::Behind(prefix) => {
            let begins =
                |protocol: &&[u8]| !prefix.is_empty() && protocol.starts_with(prefix.as_bytes());
            protocols.iter().copied().filter(begins).collect()
        }
    };
    if tokens.is_empty() {
        return;
    }
    let left: Vec<_> =
        protocols.iter().filter(|protocol| !tokens.contains(protocol)).copied().collect();
    match HeaderValue::from_bytes(&left.join(&b", "[..])) {
        Ok(value) if !left.is_empty() => {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, value);
        }
        _ => {
            headers.remove(SEC_WEBSOCKET_PROTOCOL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(marker: &str) -> WebSocketToken {
        WebSocketToken::After(marker.into())
    }

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
            find(&headers(values), &marked("bearer"))
                .map(|token| token.map(str::to_owned))
                .map_err(drop)
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
            strip(&mut headers, &marked("bearer"));
            assert_eq!(headers[SEC_WEBSOCKET_PROTOCOL], after);
        }
    }

    #[test]
    fn found_behind_its_prefix() {
        let place = WebSocketToken::Behind("bearer.".into());
        let found = |values: &[&str]| {
            find(&headers(values), &place).map(|token| token.map(str::to_owned)).map_err(drop)
        };
        assert_eq!(found(&["chat, bearer.a.b.c"]), Ok(Some("a.b.c".into())));
        assert_eq!(found(&["bearer, a.b.c", "Bearer.x"]), Ok(None));
        assert_eq!(found(&["bearer."]), Err(()));
        assert_eq!(found(&["bearer.a, bearer.b"]), Err(()));
        let nothing = WebSocketToken::Behind("".into());
        let mut all = headers(&["chat"]);
        assert!(find(&all, &nothing).unwrap().is_none());
        strip(&mut all, &nothing);
        assert_eq!(all[SEC_WEBSOCKET_PROTOCOL], "chat");
        let mut both = headers(&["chat, bearer.a.b.c", "other"]);
        strip(&mut both, &place);
        assert_eq!(both[SEC_WEBSOCKET_PROTOCOL], "chat, other");
        let mut alone = headers(&["bearer.a.b.c"]);
        strip(&mut alone, &place);
        assert!(!alone.contains_key(SEC_WEBSOCKET_PROTOCOL));
    }
}
