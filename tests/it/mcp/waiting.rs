//! Bodies that are late, and a server that is not ready.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

use http_body_util::StreamBody;
use hyper::body::Frame;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tower::Service as _;
use tower_jwt_auth::{ErrorKind, error::McpFault, mcp::RequestBody};

use super::*;

/// A body of the parts that are sent to it, and its sender.
fn body_in_parts()
-> (mpsc::UnboundedSender<Bytes>, RequestBody<impl hyper::body::Body<Data = Bytes>>) {
    struct Parts(mpsc::UnboundedReceiver<Bytes>);

    impl futures_core::Stream for Parts {
        type Item = Result<Frame<Bytes>, Infallible>;

        fn poll_next(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Self::Item>> {
            self.0.poll_recv(context).map(|part| part.map(|bytes| Ok(Frame::data(bytes))))
        }
    }

    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, RequestBody::new(StreamBody::new(Parts(receiver))))
}

#[tokio::test(start_paused = true)]
async fn c14_a_body_that_is_late_is_408() {
    for (layer, limit) in [(preset(), 30), (preset().body_timeout(Duration::from_secs(5)), 5)] {
        let inner = service_fn(async |_: Request<RequestBody<_>>| {
            Ok::<_, Infallible>(Response::new(String::new()))
        });
        let service = layer.build().unwrap().layer(inner);
        // Each part comes in time, and the whole does not.
        let (sender, body) = body_in_parts();
        let begin = Instant::now();
        let sending = tokio::spawn(async move {
            while sender.send(" ".into()).is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        let response = service.oneshot(post("", &[], "").map(|_| body)).await.unwrap();
        assert_eq!(begin.elapsed().as_secs(), limit);
        assert_eq!(response.status(), 408);
        assert!(matches!(error(&response).kind(), ErrorKind::Mcp(McpFault::LateBody)));
        assert!(!response.headers().contains_key("www-authenticate"));
        let said: Value = serde_json::from_str(response.body()).unwrap();
        assert_eq!((&said["id"], &said["error"]["code"]), (&Value::Null, &json!(-32600)));
        assert!(error(&response).to_string().contains("`body_timeout`"));
        // The body is dropped.
        sending.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn c14_only_the_body_is_timed() {
    let inner = service_fn(async |_: Request<RequestBody<_>>| {
        sleep(Duration::from_secs(300)).await;
        Ok::<_, Infallible>(Response::new(String::new()))
    });
    let service = preset().build().unwrap().layer(inner);
    let (sender, body) = body_in_parts();
    let sending = async move {
        let ping = message("ping");
        let (first, second) = ping.split_at(5);
        sender.send(first.to_owned().into()).unwrap();
        sleep(Duration::from_secs(29)).await;
        sender.send(second.to_owned().into()).unwrap();
    };
    let request = post("", &[], "").map(|_| body);
    let (response, ()) = tokio::join!(service.oneshot(request), sending);
    assert_eq!(response.unwrap().status(), 200);
}

/// There is no time limit then, and no panic.
#[test]
fn c14_without_a_runtime_a_body_is_waited_for() {
    let inner = service_fn(async |_: Request<RequestBody<_>>| {
        Ok::<_, Infallible>(Response::new(String::new()))
    });
    let service = preset().build().unwrap().layer(inner);
    let (sender, body) = body_in_parts();
    let mut response = pin!(service.oneshot(post("", &[], "").map(|_| body)));
    let context = &mut Context::from_waker(Waker::noop());
    assert!(response.as_mut().poll(context).is_pending());
    sender.send(message("ping").into()).unwrap();
    drop(sender);
    let Poll::Ready(Ok(response)) = response.poll(context) else { panic!("the body is whole") };
    assert_eq!(response.status(), 200);
}

/// A server that is ready for one request, once it is told so. A clone of it is not.
struct Slow {
    ready: Arc<AtomicUsize>,
    is_ready: bool,
}

impl Clone for Slow {
    fn clone(&self) -> Self {
        Self { ready: self.ready.clone(), is_ready: false }
    }
}

impl tower::Service<Request<Full<Bytes>>> for Slow {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        let take = |count: usize| count.checked_sub(1);
        self.is_ready = self.is_ready
            || self.ready.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        if self.is_ready { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        assert!(self.is_ready, "it is called without being ready");
        self.is_ready = false;
        std::future::ready(Ok(Response::new(String::new())))
    }
}

#[tokio::test]
async fn the_layer_is_ready_when_the_server_is() {
    let ready = Arc::new(AtomicUsize::new(0));
    let slow = Slow { ready: ready.clone(), is_ready: false };
    let mut service = preset().scopes(scopes()).build().unwrap().layer(slow);
    let context = &mut Context::from_waker(Waker::noop());
    for body in [message("ping"), call("read"), call("admin"), "x".to_owned()] {
        assert!(service.poll_ready(context).is_pending(), "{body}");
        ready.store(1, Ordering::Relaxed);
        assert!(service.poll_ready(context).is_ready());
        // It is the service that was ready, and not its clone, that is called after the body is read.
        let response = service.call(post("mcp read", &[], &body)).await.unwrap();
        let reached = body.contains("ping") || body.contains("\"read\"");
        assert_eq!(response.status() == StatusCode::OK, reached, "{body}");
    }
    // Requests without a message are passed on by the service itself.
    assert!(service.poll_ready(context).is_pending());
    ready.store(1, Ordering::Relaxed);
    assert!(service.poll_ready(context).is_ready());
    let refused = service.call(request("GET", "", &[], "")).await.unwrap();
    assert_eq!(refused.status(), 403);
    // The refusal did not use it up.
    assert!(service.poll_ready(context).is_ready());
    assert_eq!(service.call(request("GET", "mcp", &[], "")).await.unwrap().status(), 200);
    assert!(service.poll_ready(context).is_pending());
}
