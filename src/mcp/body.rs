//! The body of a request: how it is read as a whole, and a type for it.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, BufMut, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

use crate::{error::McpFault, runtime::runtime_with_timer};

pin_project! {
    /// A body that is read until its end.
    pub(super) struct WholeBody<B> {
        #[pin]
        body: B,
        read: Vec<u8>,
        most: usize,
        latest: Duration,
        timer: Timer,
    }
}

impl<B: Body> WholeBody<B> {
    /// A body of at most so many bytes, which may take so long.
    pub(super) fn new(body: B, most: usize, latest: Duration) -> Self {
        Self { body, read: Vec::new(), most, latest, timer: Timer::NotNeeded }
    }

    /// The bytes of the body. It must not be polled again then.
    pub(super) fn poll(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Bytes, McpFault>> {
        let mut this = self.project();
        // A length that the client has announced is refused before the body is read.
        let least = usize::try_from(this.body.size_hint().lower()).unwrap_or(usize::MAX);
        if least > this.most.saturating_sub(this.read.len()) {
            return Poll::Ready(Err(McpFault::TooLarge));
        }
        loop {
            let frame = match this.body.as_mut().poll_frame(context) {
                Poll::Pending => {
                    ready!(this.timer.poll(*this.latest, context));
                    return Poll::Ready(Err(McpFault::LateBody));
                }
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(McpFault::Incomplete)),
                Poll::Ready(None) => {
                    return Poll::Ready(Ok(Bytes::from(std::mem::take(this.read))));
                }
            };
            if let Ok(data) = frame.into_data() {
                if data.remaining() > this.most.saturating_sub(this.read.len()) {
                    return Poll::Ready(Err(McpFault::TooLarge));
                }
                this.read.put(data);
            }
        }
    }
}

/// The end of the time that a body may take. It begins when the body is waited for.
enum Timer {
    /// Most bodies have already arrived.
    NotNeeded,
    /// There is no runtime with a timer, so the server must limit the time.
    Without,
    Until(Pin<Box<Sleep>>),
}

impl Timer {
    fn poll(&mut self, latest: Duration, context: &mut Context<'_>) -> Poll<()> {
        if matches!(self, Self::NotNeeded) {
            *self = match runtime_with_timer() {
                Some(_) => Self::Until(Box::pin(sleep(latest))),
                None => Self::Without,
            };
        }
        match self {
            // One whose runtime has shut down has elapsed, and would panic when it is polled.
            Self::Until(timer) if timer.is_elapsed() => Poll::Ready(()),
            Self::Until(timer) => timer.as_mut().poll(context),
            Self::NotNeeded | Self::Without => Poll::Pending,
        }
    }
}

pin_project! {
    /// The body of a request, as the layer needs it: a body of any type, or bytes.
    ///
    /// The layer reads a message, and passes its bytes on. So the type of a body must be one that can be
    /// made of [`Bytes`], as that of axum is. With this type, a service gets bodies of another type.
    ///
    /// # Example: a server of hyper
    /// ```
    /// use http::{Request, Response};
    /// use http_body_util::Full;
    /// use hyper::body::{Bytes, Incoming};
    /// use tower::{Service, ServiceExt};
    /// use tower_jwt_auth::mcp::RequestBody;
    ///
    /// async fn answer<S>(mcp: S, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, S::Error>
    /// where
    ///     S: Service<Request<RequestBody<Incoming>>, Response = Response<Full<Bytes>>>,
    /// {
    ///     mcp.oneshot(request.map(RequestBody::new)).await
    /// }
    /// ```
    pub struct RequestBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<B> {
        Stream { #[pin] body: B },
        Whole { bytes: Option<Bytes> },
    }
}

impl<B> RequestBody<B> {
    /// The body of a request as the server has received it.
    pub fn new(body: B) -> Self {
        Self { kind: Kind::Stream { body } }
    }
}

impl<B> From<Bytes> for RequestBody<B> {
    fn from(bytes: Bytes) -> Self {
        Self { kind: Kind::Whole { bytes: Some(bytes).filter(|bytes| !bytes.is_empty()) } }
    }
}

impl<B: Body<Data = Bytes>> Body for RequestBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindProj::Stream { body } => body.poll_frame(context),
            KindProj::Whole { bytes } => Poll::Ready(bytes.take().map(|all| Ok(Frame::data(all)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Stream { body } => body.is_end_stream(),
            Kind::Whole { bytes } => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Stream { body } => body.size_hint(),
            Kind::Whole { bytes } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
        }
    }
}

impl<B> fmt::Debug for RequestBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").finish_non_exhaustive()
    }
}
