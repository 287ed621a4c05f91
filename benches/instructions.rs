//! Does one thing many times, for a tool that counts the instructions: see
//! `benches/instructions`. Without arguments it does each thing once.
//!
//! Usage: instructions algorithm case count
//!
//! `observed` is `repeated` with the observer of the feature `metrics` and no recorder.

mod shared;

use std::convert::Infallible;

use http::{Request, Response};
use shared::{Bare, Signer, What, request, signers, status};
use tower_jwt_auth::verifier::Cache;
#[cfg(feature = "metrics")]
use tower_jwt_auth::{JwtAuthLayer, observe::MetricsObserver};
#[cfg(feature = "metrics")]
use tower_layer::Layer;
use tower_service::Service;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let signers = signers();
    if let [algorithm, case, count] = &arguments[..] {
        let named = |signer: &&Signer| signer.name == algorithm;
        let signer = signers.iter().find(named).expect("an algorithm");
        // `bare` is none of them.
        let what = What::ALL.into_iter().find(|what| what.name() == case);
        let count = count.parse().expect("a number");
        #[cfg(feature = "metrics")]
        if case == "observed" {
            return go_observed(signer, count);
        }
        go(signer, what, count);
    } else {
        for what in What::ALL.into_iter().map(Some).chain([None]) {
            signers.iter().for_each(|signer| go(signer, what, 1));
        }
    }
}

/// So many requests to the layer, or without it if there is nothing to be verified.
fn go(signer: &Signer, what: Option<What>, count: usize) {
    let tokens = signer.tokens(what.unwrap_or(What::Repeated), count);
    let requests: Vec<_> = tokens.iter().map(|token| request(token.as_deref())).collect();
    let Some(what) = what else { return serve(&mut Bare, requests, 200) };
    let mut service = signer.layer(Cache::default());
    if what == What::Repeated {
        assert_eq!(status(&mut service, request(tokens[0].as_deref())), 200);
    }
    serve(&mut service, requests, if what.is_good() { 200 } else { 401 });
}

/// The same token so many times, with an observer.
#[cfg(feature = "metrics")]
fn go_observed(signer: &Signer, count: usize) {
    let tokens = signer.tokens(What::Repeated, count);
    let requests: Vec<_> = tokens.iter().map(|token| request(token.as_deref())).collect();
    let builder = signer.builder(Cache::default()).observer(MetricsObserver::new());
    let mut service = JwtAuthLayer::new(builder.build().expect("a verifier")).layer(Bare);
    assert_eq!(status(&mut service, request(tokens[0].as_deref())), 200);
    serve(&mut service, requests, 200);
}

/// What is counted.
#[inline(never)]
fn serve<S>(service: &mut S, requests: Vec<Request<()>>, expected: u16)
where
    S: Service<Request<()>, Response = Response<()>, Error = Infallible>,
{
    for request in requests {
        assert_eq!(status(service, request), expected);
    }
}
