//! Tokens that are bound to their sender, as a service sees them.

mod answers;
mod certificates;
mod dpop;
mod modes;
mod order;
#[cfg(feature = "settings")]
mod settings;

use std::{
    collections::HashSet,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use http::{Request, Response, header::WWW_AUTHENTICATE};
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Claims, JwtAuthLayer,
    error::StoreError,
    maybe_ready::MaybeReady,
    proof::{DPoP, DPoPBuilder, Insertion, PresentedProof, ReplayStore, Thumbprint},
    testing::{TestIssuer, TestProofKey, TestRequest},
};

/// The address of the route that the tests ask for.
const URL: &str = "https://api.example.com/me";

/// A store that answers at once, or after a wait, or fails.
#[derive(Clone, Default)]
struct Store {
    seen: Arc<Mutex<HashSet<Thumbprint>>>,
    fails: Arc<AtomicBool>,
    waits: Arc<AtomicBool>,
}

impl Store {
    fn len(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

impl ReplayStore for Store {
    fn insert(&self, proof: PresentedProof) -> MaybeReady<Result<Insertion, StoreError>> {
        let answer = match self.fails.load(Ordering::Relaxed) {
            true => Err(StoreError::new("the store is down")),
            false if self.seen.lock().unwrap().insert(proof.id) => Ok(Insertion::Inserted),
            false => Ok(Insertion::Replayed),
        };
        match self.waits.load(Ordering::Relaxed) {
            true => MaybeReady::pending(async move {
                tokio::task::yield_now().await;
                answer
            }),
            false => MaybeReady::Ready(answer),
        }
    }
}

fn public(builder: DPoPBuilder) -> DPoPBuilder {
    builder.public_url("https://api.example.com")
}

/// An issuer, a client with its key, and a layer.
struct Setup {
    issuer: TestIssuer,
    key: TestProofKey,
    store: Store,
    layer: JwtAuthLayer,
}

impl Setup {
    fn new(dpop: DPoPBuilder) -> Self {
        let store = Store::default();
        let dpop = public(dpop).replay_store(store.clone()).build().unwrap();
        Self::with(dpop, store)
    }

    fn with(dpop: DPoP, store: Store) -> Self {
        let issuer = TestIssuer::new();
        let verifier = issuer.verifier_builder().dpop(dpop).build().unwrap();
        Self { issuer, key: TestProofKey::new(), store, layer: JwtAuthLayer::new(verifier) }
    }

    /// A token that is bound to the client's key.
    fn bound(&self) -> String {
        self.issuer.token().bound_to(&self.key).sign()
    }

    /// A good proof for that token.
    fn proof(&self, token: &str) -> String {
        self.key.proof("GET", URL).token(token).sign()
    }

    async fn ask(&self, request: Request<String>) -> Response<String> {
        ask(&self.layer, request).await
    }

    async fn status(&self, token: &str, proof: &str) -> u16 {
        let request = Request::get("/me").dpop(token, proof).body(String::new()).unwrap();
        self.ask(request).await.status().as_u16()
    }
}

/// The answer of a service that says what its caller has shown.
async fn ask(layer: &JwtAuthLayer, request: Request<String>) -> Response<String> {
    let shown = service_fn(async |request: Request<String>| {
        let claims = request.extensions().get::<Claims>();
        let proof = claims.map(Claims::proof_of_possession);
        let shown = proof.map_or("guest".to_owned(), |proof| {
            let name = |thumbprint: Option<Thumbprint>| {
                thumbprint.map_or("-".to_owned(), |thumbprint| thumbprint.to_string())
            };
            format!("{} {}", name(proof.jkt()), name(proof.x5t_s256()))
        });
        Ok::<_, Infallible>(Response::new(shown))
    });
    layer.layer(shown).oneshot(request).await.unwrap()
}

/// The challenges of an answer, without the descriptions.
fn challenges<B>(response: &Response<B>) -> Vec<String> {
    let values = response.headers().get_all(WWW_AUTHENTICATE).iter();
    values
        .map(|value| {
            let value = value.to_str().unwrap();
            match value.split_once(", error_description=\"") {
                Some((start, rest)) => format!("{start}{}", rest.split_once('"').unwrap().1),
                None => value.to_owned(),
            }
        })
        .collect()
}
