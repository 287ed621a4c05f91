//! Streams that end with their token.

use std::{
    cell::Cell,
    ops::Range,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures_core::Stream;
use jsonwebtoken as jwt;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};
use tower_jwt_auth::{
    Key, Verifier,
    revocation::{MemoryDenylist, Revocation},
    validity::{Guarded, Validity},
};

use crate::table::{Table, each, resident};

/// A stream with nothing in it.
struct Nothing;

impl Stream for Nothing {
    type Item = ();

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> {
        Poll::Pending
    }
}

pub(crate) fn measure(table: &mut Table) {
    let _ = jwt::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    let runtime = runtime();
    let _entered = runtime.enter();
    let (few, many) = (1_000, table.size(2_000, 100_000));
    let (small, large) = (Open::new(few), Open::new(many));
    let batch = 100;
    let next = Cell::new(1_000_000);
    let timed = |open: &Open, work: fn(&Open, usize, Vec<Guarded<Nothing>>)| {
        // Other streams than those that are open.
        let first = next.replace(next.get() + batch);
        let streams = open.guarded(first..first + batch);
        each(batch, || work(open, first, streams))
    };
    let end = |open: &Open, first: usize, mut streams: Vec<Guarded<Nothing>>| {
        for (number, stream) in streams.iter_mut().enumerate() {
            open.list.insert(revocation(first + number)).expect("it has room");
            let mut context = Context::from_waker(Waker::noop());
            assert!(Pin::new(stream).poll_next(&mut context).is_ready());
        }
    };
    let close = |_: &Open, _: usize, streams: Vec<Guarded<Nothing>>| drop(streams);
    table.ratio(
        &format!("streams: one is revoked, {few} and {many} open"),
        Some(3.0),
        || timed(&small, end),
        || timed(&large, end),
    );
    table.ratio(
        &format!("streams: one is closed, {few} and {many} open"),
        Some(3.0),
        || timed(&small, close),
        || timed(&large, close),
    );
    drop((small, large));
    let count = table.size(10_000, 100_000);
    let bytes = table.bytes_each("streams", count);
    table.value(&format!("streams: memory of {count}, each"), bytes, "bytes", Some(600.0));
}

/// What streams take beside their tokens' claims, which are dropped.
pub(crate) fn memory(count: usize) -> f64 {
    let _ = jwt::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    let runtime = runtime();
    let _entered = runtime.enter();
    let open = Open::new(0);
    // The memory of the verifier's cache is there before.
    open.validities(0..count).for_each(drop);
    resident(count, || open.guarded(0..count))
}

/// A service with open streams.
struct Open {
    list: MemoryDenylist,
    verifier: Verifier,
    _streams: Vec<Guarded<Nothing>>,
}

impl Open {
    fn new(count: usize) -> Self {
        let list = MemoryDenylist::new();
        let verifier = Verifier::builder()
            .issuer(ISSUER)
            .audience("https://api.example.com")
            .keys(Key::hs256(SECRET))
            .denylist(list.clone())
            .build()
            .expect("it is complete");
        let mut open = Self { list, verifier, _streams: Vec::new() };
        open._streams = open.guarded(0..count);
        open
    }

    fn guarded(&self, numbers: Range<usize>) -> Vec<Guarded<Nothing>> {
        let mut streams = Vec::with_capacity(numbers.len());
        for validity in self.validities(numbers) {
            let mut stream = validity.guard(Nothing);
            let mut context = Context::from_waker(Waker::noop());
            let _ = Pin::new(&mut stream).poll_next(&mut context);
            streams.push(stream);
        }
        streams
    }

    fn validities(&self, numbers: Range<usize>) -> impl Iterator<Item = Validity> {
        numbers.map(|number| {
            let answer = self.verifier.verify(&token(number)).now_or_never();
            answer.expect("the key is known").expect("it is good").validity()
        })
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime")
}

fn revocation(number: usize) -> Revocation {
    Revocation::token(ISSUER, &id(number), EXPIRES)
}

fn id(number: usize) -> String {
    format!("token-id-{number:013}")
}

fn token(number: usize) -> String {
    let claims = json!({
        "iss": ISSUER,
        "aud": "https://api.example.com",
        "sub": format!("0c1f0a5e-9d3b-4f0e-8f6a-{number:012}"),
        "jti": id(number),
        "sid": format!("session-{number:014}"),
        "client_id": "web-client",
        "exp": EXPIRES,
    });
    let key = jwt::EncodingKey::from_secret(&SECRET);
    jwt::encode(&jwt::Header::default(), &claims, &key).expect("it is signed")
}

const ISSUER: &str = "https://login.example.com";
const SECRET: [u8; 32] = [7; 32];
const EXPIRES: i64 = 4_000_000_000;
