//! Streams that end with their token, with the clients of each kind: the recipes of the guide
//! `long-connections.md`.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use axum::{Router, routing::get};
use tokio::net::TcpListener;
use tower_jwt_auth::{
    Claims, JwtAuthLayer, Verifier,
    revocation::{MemoryDenylist, Revocation},
    testing::{TestClock, TestIssuer},
};

mod channel;
mod grpc;
mod sse;
mod websocket;
mod recipes {
    pub mod owned;
    pub mod sse;
    pub mod tonic;
    pub mod websocket;
}

/// A service, its clock and its denylist.
struct Setup {
    clock: TestClock,
    issuer: TestIssuer,
    list: MemoryDenylist,
    address: SocketAddr,
    /// Whether the source of `Flood` was dropped.
    dropped: Arc<AtomicBool>,
}

impl Setup {
    async fn start() -> Self {
        let (clock, dropped) = (TestClock::new(), Arc::default());
        let issuer = TestIssuer::new().with_clock(clock.clone());
        let list = MemoryDenylist::builder().clock(clock.clone()).build().unwrap();
        let builder = issuer.verifier_builder().denylist(list.clone());
        // A token of Mallory logs Ada out: at a moment that a test chooses.
        let (name, ends, for_rule) = (issuer.issuer().to_owned(), clock.clone(), list.clone());
        let verifier: Verifier = builder
            .rule(move |claims| {
                if claims.subject() == Some("mallory") {
                    let until = ends.unix_seconds() + 3600;
                    for_rule.insert(Revocation::session(&name, "ada", until)).unwrap();
                }
                Ok(())
            })
            .build()
            .unwrap();
        let events = async |claims: Claims| recipes::sse::events(claims, channel::news());
        let app = Router::new()
            .route("/events", get(events))
            .route_service("/news.News/{method}", grpc::News { dropped: Arc::clone(&dropped) })
            .layer(JwtAuthLayer::new(verifier.clone()))
            .merge(recipes::websocket::app(verifier));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { clock, issuer, list, address, dropped }
    }

    /// A token of this subject for five minutes.
    fn token(&self, subject: &str) -> String {
        let token = self.issuer.token().subject(subject).claim("sid", subject);
        token.expires_in(Duration::from_secs(300)).sign()
    }

    /// Moves the clock to the end of a token, and beyond the leeway.
    fn expire(&self) {
        self.clock.advance(Duration::from_secs(360));
    }

    fn log_out(&self, subject: &str) {
        let until = self.clock.unix_seconds() + 3600;
        self.list.insert(Revocation::session(self.issuer.issuer(), subject, until)).unwrap();
    }
}

/// What comes within a second.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    let answer = tokio::time::timeout(Duration::from_secs(1), future).await;
    answer.expect("it does not come within a second")
}

#[test]
fn the_guide_has_the_code_of_the_recipes() {
    let guide = include_str!("../../docs/guides/long-connections.md");
    for recipe in [
        include_str!("recipes/websocket.rs"),
        include_str!("recipes/sse.rs"),
        include_str!("recipes/tonic.rs"),
        include_str!("recipes/owned.rs"),
    ] {
        // The guide has it without `pub`, which the modules of the tests need.
        let code = recipe.replace("pub async fn", "async fn").replace("pub fn", "fn");
        assert!(guide.contains(code.trim_end()), "not in the guide:\n{code}");
    }
}
