use std::{
    convert::Infallible,
    hint::black_box,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::Empty;
use tower::{Service, ServiceExt};

use crate::{Case, Input};

/// Sends requests to a router, in this process and without a socket.
pub(crate) struct Stopwatch<App> {
    app: App,
    uri: Uri,
    headers: HeaderMap,
    good: Vec<HeaderValue>,
    /// The next of `good`. It goes on from one measurement to the next: one that always
    /// began at the first would meet the same few tokens each time.
    next: usize,
    expired: HeaderValue,
    forged: HeaderValue,
    garbage: HeaderValue,
}

impl<App, Body> Stopwatch<App>
where
    App: Service<Request<Empty<Bytes>>, Response = Response<Body>, Error = Infallible>,
{
    pub(crate) fn new(app: App, input: &Input) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("api.example.com"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static("bench/1.0"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        Self {
            app,
            uri: Uri::from_static("/orders"),
            headers,
            good: input.good.iter().map(|token| bearer(token)).collect(),
            next: 0,
            expired: bearer(&input.expired),
            forged: bearer(&input.forged),
            garbage: bearer(&garbage()),
        }
    }

    /// The status of the answer to one request.
    pub(crate) async fn status(&mut self, case: Case) -> StatusCode {
        self.call(case).await.status()
    }

    /// Nanoseconds per request, over about `time`.
    pub(crate) async fn time(&mut self, case: Case, time: Duration) -> f64 {
        let start = Instant::now();
        let mut calls = 0_u32;
        loop {
            for _ in 0..BATCH {
                black_box(self.call(case).await.status());
            }
            calls += BATCH;
            let passed = start.elapsed();
            if passed >= time {
                return passed.as_secs_f64() * 1e9 / f64::from(calls);
            }
        }
    }

    /// Allocations per request.
    #[cfg(feature = "count")]
    pub(crate) fn allocations(&mut self, case: Case, runtime: &tokio::runtime::Runtime) -> f64 {
        let mut calls = |number: u32| {
            runtime.block_on(async {
                for _ in 0..number {
                    self.call(case).await;
                }
            });
        };
        // What is made at the first request alone does not count.
        calls(BATCH);
        let counted = allocation_counter::measure(|| calls(COUNTED));
        counted.count_total as f64 / f64::from(COUNTED)
    }

    async fn call(&mut self, case: Case) -> Response<Body> {
        let request = self.request(case);
        let Ok(app) = self.app.ready().await;
        let Ok(response) = app.call(request).await;
        response
    }

    fn request(&mut self, case: Case) -> Request<Empty<Bytes>> {
        let authorization = match case {
            Case::Repeated => Some(&self.good[0]),
            Case::Distinct => {
                self.next = (self.next + 1) % self.good.len();
                Some(&self.good[self.next])
            }
            Case::Expired => Some(&self.expired),
            Case::Forged => Some(&self.forged),
            Case::Missing => None,
            Case::Garbage => Some(&self.garbage),
        };
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        if let Some(value) = authorization {
            request.headers_mut().insert(header::AUTHORIZATION, value.clone());
        }
        request
    }
}

fn bearer(token: &str) -> HeaderValue {
    HeaderValue::try_from(format!("Bearer {token}")).expect("a token of plain letters")
}

/// Base64url that decodes to nothing useful, with two dots.
fn garbage() -> String {
    let letters = b"QxZ7-kM_w3Jd9TfVb5";
    let third = GARBAGE / 3;
    let part = |length: usize| -> String {
        letters.iter().cycle().take(length).map(|&letter| char::from(letter)).collect()
    };
    [part(third), part(third), part(GARBAGE - 2 * third - 2)].join(".")
}

/// The length of the longest token that this crate looks at.
const GARBAGE: usize = 8192;
/// Requests between two looks at the clock.
const BATCH: u32 = 16;
#[cfg(feature = "count")]
const COUNTED: u32 = 1000;
