//! Test suites for stores of your own.
//!
//! The stores of this crate, in memory and in Redis, and the SQLite store of its examples pass the
//! same suites. They need no other crate, and take a few seconds with a store in memory. They make the same
//! calls each time. Ids and tokens are random, and the order of calls at the same time is not fixed.
//!
//! # Example: the tests of a store
//! ```
//! # use tower_jwt_auth::{
//! #     proof::MemoryReplayStore, refresh::MemoryRefreshStore, revocation::MemoryDenylist,
//! # };
//! use tower_jwt_auth::testing::conformance;
//!
//! # #[tokio::main(flavor = "multi_thread", worker_threads = 2)]
//! # async fn main() {
//! // #[tokio::test(flavor = "multi_thread")]
//! // async fn my_refresh_store() {
//! conformance::refresh_store(async |_clock| MemoryRefreshStore::new()).await;
//!
//! // #[tokio::test]
//! // async fn my_denylist() {
//! conformance::denylist(async |_clock| MemoryDenylist::new()).await;
//!
//! // #[tokio::test(flavor = "multi_thread")]
//! // async fn my_replay_store() {
//! conformance::replay_store(async |setup| {
//!     let store = MemoryReplayStore::builder().max_proofs(setup.max_proofs);
//!     store.max_proofs_per_key(setup.max_proofs_per_key).build().unwrap()
//! })
//! .await;
//! # }
//! ```

mod denylist;
mod expiry;
mod logins;
mod model;
mod races;
mod random;
mod refresh_store;
mod replay_store;

pub use self::{
    denylist::denylist,
    refresh_store::{refresh_store, refresh_store_cases},
    replay_store::{ReplaySetup, replay_store, replay_store_cases},
};

/// The text, cut if it is long.
fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => {
            let length = text.chars().count();
            format!("{}… ({length} characters)", text.get(..at).unwrap_or_default())
        }
        None => text.to_owned(),
    }
}

/// The longest text in a message, in characters.
const LONGEST: usize = 160;
