//! Proofs that a token is in the hands of the sender to whom it was issued: DPoP (RFC 9449) and client
//! certificates (RFC 8705).

mod certificate;
mod dpop;
mod replay;

pub use self::replay::{
    Insertion, MemoryReplayStore, MemoryReplayStoreBuilder, PresentedProof, ReplayStore,
};
pub use crate::digest::Thumbprint;
