//! The test kit (feature `test-util`): an application that is tested with it alone, and each part.

mod application;
mod claims;
mod failures;
mod proofs;
#[cfg(feature = "remote")]
mod replay_stores;
mod server;
mod stores;
mod tokens;
