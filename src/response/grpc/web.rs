//! Refusals of gRPC-Web whose status is in the body.

use base64_simd::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};

use super::{
    GRPC_MESSAGE, GRPC_STATUS, Grpc, head, message,
    protocol::{Family, Protocol},
};
use crate::response::{DPOP_NONCE, DefaultRespond, Rejection, Respond};

/// Answers as [`Grpc`](super::Grpc) does, but a refusal of gRPC-Web has its status in a frame of trailers in the body.
///
/// Use it for pages of another origin, if the layer is outside of tonic-web's `GrpcWebLayer`. Such a page
/// reads a header only if CORS exposes it, and can always read the body. `www-authenticate`, `dpop-nonce`
/// and `retry-after` are in the frame and in the headers. For `application/grpc-web-text`, the frame is in
/// base64.
///
/// The body of responses must be made of bytes (`From<Vec<u8>>`), as that of axum is and that of tonic's
/// `Server` is not. Inside of tonic-web's layer, a request is one of gRPC, and both formats give the same
/// answer.
///
/// # Example
/// ```
/// use http::{Request, Response};
/// use tower::{Layer, ServiceExt, service_fn};
/// use tower_jwt_auth::{JwtAuthLayer, response::GrpcWeb};
/// # use tower_jwt_auth::{Key, Verifier};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let verifier = Verifier::builder()
/// #     .any_issuer().any_audience().keys(Key::hs256([7; 32])).build()?;
/// # let service = service_fn(async |_: Request<String>| {
/// #     Ok::<_, std::io::Error>(Response::new(Vec::new()))
/// # });
/// let service = JwtAuthLayer::grpc(verifier).respond_with(GrpcWeb::new()).layer(service);
///
/// let request = Request::post("/shop.Orders/List").header("content-type", "application/grpc-web");
/// let response = service.oneshot(request.body(String::new())?).await?;
/// assert_eq!(response.status(), 200);
/// assert_eq!(response.body()[0], 0x80); // a frame of trailers
/// assert!(response.body()[5..].starts_with(b"grpc-status:16\r\n"));
/// # Ok(()) }
/// ```
///
/// # Security
///
/// A refusal has the HTTP status 200: see [`Grpc`](super::Grpc#security).
#[derive(Clone, Copy, Debug, Default)]
pub struct GrpcWeb<R = DefaultRespond> {
    /// The format of all requests but those of gRPC-Web.
    grpc: Grpc<R>,
}

impl GrpcWeb {
    /// Answers requests of other protocols as [`DefaultRespond`] does: with an empty body.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<R> GrpcWeb<R> {
    /// Answers requests of other protocols in this format.
    #[must_use]
    pub fn or(others: R) -> Self {
        Self { grpc: Grpc::or(others) }
    }
}

impl<B: Default + From<Vec<u8>>, R: Respond<B>> Respond<B> for GrpcWeb<R> {
    fn respond(&self, rejection: &Rejection) -> Response<B> {
        let protocol = Protocol::of(rejection).filter(|protocol| protocol.family != Family::Grpc);
        let Some(protocol) = protocol else { return self.grpc.respond(rejection) };
        let response = head(rejection, protocol, ());
        let frame = frame(rejection, response.headers());
        let body = match protocol.family {
            Family::WebText => STANDARD.encode_to_string(frame).into_bytes(),
            Family::Web | Family::Grpc => frame,
        };
        response.map(|()| B::from(body))
    }
}

/// The frame of trailers: a flag, the length in four bytes, and the lines of the trailers.
fn frame(rejection: &Rejection, headers: &HeaderMap) -> Vec<u8> {
    let status = HeaderValue::from(rejection.grpc_code());
    let mut lines = Vec::new();
    write_line(&mut lines, &GRPC_STATUS, &status);
    write_line(&mut lines, &GRPC_MESSAGE, &message(rejection));
    for name in [header::WWW_AUTHENTICATE, DPOP_NONCE, header::RETRY_AFTER] {
        for value in headers.get_all(&name) {
            write_line(&mut lines, &name, value);
        }
    }
    // A refusal has a few hundred bytes.
    let length = u32::try_from(lines.len()).unwrap_or(u32::MAX);
    let mut frame = vec![TRAILERS];
    frame.extend(length.to_be_bytes());
    frame.extend(lines);
    frame
}

/// The flag of a frame of trailers.
const TRAILERS: u8 = 0x80;

fn write_line(lines: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    for part in [name.as_str().as_bytes(), b":", value.as_bytes(), b"\r\n"] {
        lines.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::{error::ErrorKind, response::grpc::tests::rejection};

    fn answer(content_type: &'static str, kind: ErrorKind) -> Response<Vec<u8>> {
        GrpcWeb::new().respond(&rejection(Method::POST, content_type, kind))
    }

    const LINES: &str = "grpc-status:16\r\n\
                         grpc-message:the DPoP proof must have the nonce of this server\r\n";

    #[test]
    fn the_status_of_a_web_request_is_in_a_frame_only() {
        let nonce = || ErrorKind::DpopNonce { nonce: "n1".into() };
        let binary = answer("application/grpc-web+proto", nonce());
        assert_eq!(binary.headers()["content-type"], "application/grpc-web+proto");
        assert!(!binary.headers().contains_key("grpc-status"));
        assert_eq!(binary.headers()["dpop-nonce"], "n1");
        let (head, lines) = binary.body().split_at(5);
        assert_eq!(head[0], 0x80);
        assert_eq!(u32::from_be_bytes(head[1..].try_into().unwrap()) as usize, lines.len());
        let lines = str::from_utf8(lines).unwrap();
        assert!(lines.starts_with(LINES), "{lines}");
        assert!(lines.ends_with("\r\ndpop-nonce:n1\r\n"), "{lines}");

        let text = answer("application/grpc-web-text", nonce());
        assert_eq!(text.headers()["content-type"], "application/grpc-web-text");
        assert_eq!(&STANDARD.decode_to_vec(text.body()).unwrap(), binary.body());
    }

    #[test]
    fn all_challenges_and_the_pause_are_in_the_frame() {
        let lines = |kind| {
            let body = answer("application/grpc-web", kind).into_body();
            String::from_utf8(body[5..].to_vec()).unwrap()
        };
        assert!(lines(ErrorKind::MissingToken).ends_with("\r\nwww-authenticate:Bearer\r\n"));
        let pause = std::time::Duration::from_secs(7);
        let later = lines(ErrorKind::Unavailable { retry_after: pause });
        assert!(
            later.starts_with("grpc-status:14\r\n") && later.ends_with("\r\nretry-after:7\r\n")
        );
    }

    #[test]
    fn other_requests_have_no_frame() {
        let grpc = answer("application/grpc", ErrorKind::Expired);
        assert_eq!((grpc.headers()["grpc-status"].as_bytes(), grpc.body().len()), (&b"16"[..], 0));
        let json = answer("application/json", ErrorKind::Expired);
        assert_eq!((json.status().as_u16(), json.body().len()), (401, 0));
    }
}
