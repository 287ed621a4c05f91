//! Proofs that a token is in the hands of the sender to whom it was issued: DPoP (RFC 9449) and client
//! certificates (RFC 8705).

mod certificate;
mod dpop;
mod possession;
mod replay;

pub use self::certificate::{
    ClientCertificate, DangerousMutualTlsBuilder, MutualTls, MutualTlsBuilder, ProxyHeader,
};
pub use self::dpop::{
    CORS_ALLOWED_HEADERS, CORS_EXPOSED_HEADERS, DPoP, DPoPBuilder, DangerousDPoPBuilder, Nonces,
};
pub use self::possession::ProofOfPossession;
pub use self::replay::{Insertion, PresentedProof, ReplayStore};
pub use crate::digest::Thumbprint;
