//! The protocol of a request, by its content type.

use http::HeaderValue;

use crate::response::Rejection;

/// One of the three protocols, and the format of its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Protocol {
    pub(super) family: Family,
    messages: Messages,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Grpc,
    /// gRPC-Web with binary frames.
    Web,
    /// gRPC-Web in base64.
    WebText,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Messages {
    /// Not said, or one that is not known here.
    Unnamed,
    Proto,
    Json,
}

impl Protocol {
    /// That of a refused request, if it is one of gRPC.
    pub(super) fn of(rejection: &Rejection) -> Option<Self> {
        // A proxy that asks whether a request may pass takes the status 200 for a yes.
        if !rejection.request.is_post || rejection.challenge.is_for_forward_auth() {
            return None;
        }
        Self::parse(rejection.content_type()?)
    }

    /// That of a media type, which is compared without case (RFC 9110 §8.3.1).
    fn parse(content_type: &HeaderValue) -> Option<Self> {
        let essence = content_type.to_str().ok()?.split(';').next()?.trim().to_ascii_lowercase();
        let (name, suffix) = match essence.split_once('+') {
            Some((name, suffix)) => (name, Some(suffix)),
            None => (&*essence, None),
        };
        let family = match name {
            "application/grpc" => Family::Grpc,
            "application/grpc-web" => Family::Web,
            "application/grpc-web-text" => Family::WebText,
            _ => return None,
        };
        let messages = match suffix {
            Some("proto") => Messages::Proto,
            Some("json") => Messages::Json,
            _ => Messages::Unnamed,
        };
        Some(Self { family, messages })
    }

    /// The content type of an answer. It is never a text of the client.
    pub(super) fn content_type(self) -> &'static str {
        let Self { family, messages } = self;
        match (family, messages) {
            (Family::Grpc, Messages::Unnamed) => "application/grpc",
            (Family::Grpc, Messages::Proto) => "application/grpc+proto",
            (Family::Grpc, Messages::Json) => "application/grpc+json",
            (Family::Web, Messages::Unnamed) => "application/grpc-web",
            (Family::Web, Messages::Proto) => "application/grpc-web+proto",
            (Family::Web, Messages::Json) => "application/grpc-web+json",
            (Family::WebText, Messages::Unnamed) => "application/grpc-web-text",
            (Family::WebText, Messages::Proto) => "application/grpc-web-text+proto",
            (Family::WebText, Messages::Json) => "application/grpc-web-text+json",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_three_media_types_are_known() {
        let answer = |text: &'static str| {
            Protocol::parse(&HeaderValue::from_static(text)).map(Protocol::content_type)
        };
        for (sent, expected) in [
            ("application/grpc", "application/grpc"),
            ("application/grpc+proto", "application/grpc+proto"),
            ("application/grpc+json; charset=utf-8", "application/grpc+json"),
            ("application/grpc+thrift", "application/grpc"),
            ("Application/gRPC", "application/grpc"),
            ("application/grpc;x=y", "application/grpc"),
            ("application/grpc-web", "application/grpc-web"),
            ("application/grpc-web+proto", "application/grpc-web+proto"),
            ("application/grpc-web+json", "application/grpc-web+json"),
            ("application/grpc-web-text", "application/grpc-web-text"),
            ("application/grpc-web-text+proto ; a", "application/grpc-web-text+proto"),
            ("application/grpc-web-text+json", "application/grpc-web-text+json"),
        ] {
            assert_eq!(answer(sent), Some(expected), "{sent}");
        }
        for sent in [
            "",
            "application/json",
            "application/proto",
            "application/grpcx",
            "application/grpc-webx",
            "application/grpc-web-textual",
            "application/grpc_web",
            "text/grpc",
            "application/x; application/grpc",
            "application/json, application/grpc",
        ] {
            assert_eq!(answer(sent), None, "{sent}");
        }
        let bytes = HeaderValue::from_bytes(b"application/grpc\xff").unwrap();
        assert_eq!(Protocol::parse(&bytes), None);
    }
}
