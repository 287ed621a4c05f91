//! Client certificates as proofs (RFC 8705): what a token with `x5t#S256` is compared with.
//!
//! `mutual_tls.rs` asks for the certificate of a request and compares. A certificate comes from the
//! TLS connection (`client_certificate.rs`), or from the header of a proxy (`proxy_header.rs`) that is
//! in a trusted network (`network.rs`). Each format of a header is one function of `encoding.rs` or of
//! `xfcc.rs`.

mod builder;
mod client_certificate;
mod encoding;
mod mutual_tls;
mod network;
mod proxy_header;
#[cfg(test)]
mod tests;
mod xfcc;

pub use self::{
    builder::{DangerousMutualTlsBuilder, MutualTlsBuilder},
    client_certificate::ClientCertificate,
    mutual_tls::MutualTls,
    proxy_header::ProxyHeader,
};
