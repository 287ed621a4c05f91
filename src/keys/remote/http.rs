//! The HTTP client that fetches keys, as a trait.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};

use crate::error::BoxError;

/// Sends the requests that fetch keys.
///
/// Implement it, or pass a closure, to fetch with a client of your own. The built-in client is
/// enough for a [proxy](super::RemoteKeysBuilder::proxy), a
/// [private authority](super::RemoteKeysBuilder::root_certificates) and a
/// [client certificate](super::RemoteKeysBuilder::client_certificate).
///
/// The caller limits the time and the size of the body.
///
/// # Security
///
/// The client must not follow redirects, must check the server's certificate, and must not
/// decompress the body.
///
/// # Example: a client that adds a header
/// ```no_run
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use tower_jwt_auth::{ConfigError, RemoteKeys};
///
/// # async fn send(_: Request<Bytes>) -> std::io::Result<Response<http_body_util::Full<Bytes>>> {
/// #     Ok(Response::default())
/// # }
/// # async fn start() -> Result<(), ConfigError> {
/// let keys = RemoteKeys::discover("https://login.example.com")
///     .http_client(|mut request: Request<Bytes>| {
///         request.headers_mut().insert("x-team", http::HeaderValue::from_static("orders"));
///         send(request)
///     })
///     .build()
///     .await?;
/// # Ok(()) }
/// ```
pub trait HttpClient: Send + Sync + 'static {
    /// Sends a request, and gives the response as soon as its head is there.
    ///
    /// # Errors
    ///
    /// Returns any error of the connection. Its deepest cause is shown to the operator.
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<ResponseBody>, BoxError>> + Send>>;
}

impl<F, Fut, B, E> HttpClient for F
where
    F: Fn(Request<Bytes>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    E: Into<BoxError>,
{
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<ResponseBody>, BoxError>> + Send>> {
        let response = self(request);
        Box::pin(async move { Ok(response.await.map_err(Into::into)?.map(ResponseBody::new)) })
    }
}

/// The body of a response, in a box.
pub struct ResponseBody(Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>);

impl ResponseBody {
    /// Wraps any body.
    pub fn new<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Box::pin(http_body_util::BodyExt::map_err(body, Into::into)))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.as_mut().poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}
