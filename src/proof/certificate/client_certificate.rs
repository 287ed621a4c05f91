//! The certificate of a client, as a connection or a proxy says.

use std::{fmt, sync::Arc};

use crate::digest::Thumbprint;

/// The certificate that a client has shown in the TLS handshake.
///
/// The code that accepts connections makes one for each connection, so that the certificate is
/// hashed once, and puts a clone into the extensions of each request. By default, [`MutualTls`] looks
/// for it there. A clone is cheap.
///
/// Make it of the end-entity certificate, which is the first of the chain that the client has sent.
/// The guide [sender-constrained tokens][guide] has the code for axum, axum-server, hyper and tonic.
///
/// # Example: a connection of rustls
/// ```
/// use tower_jwt_auth::proof::ClientCertificate;
///
/// /// `chain` is what `ServerConnection::peer_certificates()` returns.
/// fn client_certificate(chain: Option<&[impl AsRef<[u8]>]>) -> Option<ClientCertificate> {
///     chain?.first().map(ClientCertificate::from_der)
/// }
/// # assert!(client_certificate(None::<&[Vec<u8>]>).is_none());
/// # assert!(client_certificate(Some(&[vec![0x30, 0x00]])).is_some());
/// ```
///
/// # Security
///
/// The TLS stack must have verified the signature of the handshake, or else the client has shown
/// a certificate whose key it may not have. rustls does that in
/// `ClientCertVerifier::verify_tls12_signature` and `verify_tls13_signature`: a verifier of your
/// own must not answer there without a check.
///
/// [`MutualTls`]: super::MutualTls
/// [guide]: https://docs.rs/tower-jwt-auth/latest/tower_jwt_auth/guides/sender_constrained/index.html
#[derive(Clone)]
pub struct ClientCertificate {
    thumbprint: Thumbprint,
    der: Option<Arc<[u8]>>,
}

impl ClientCertificate {
    /// Hashes a certificate in DER, and keeps a copy of it.
    #[must_use]
    pub fn from_der(der: impl AsRef<[u8]>) -> Self {
        let der = der.as_ref();
        Self { thumbprint: Thumbprint::of(&[der]), der: Some(der.into()) }
    }

    /// A certificate of which only the hash is known: the SHA-256 of its DER (RFC 8705 §3.1).
    #[must_use]
    pub fn from_thumbprint(thumbprint: Thumbprint) -> Self {
        Self { thumbprint, der: None }
    }

    /// The SHA-256 of the certificate's DER, which a bound token has as `x5t#S256` in its claim
    /// `cnf` (RFC 8705 §3.1).
    #[must_use]
    pub fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// The certificate in DER. `None` if it was made of a thumbprint.
    #[must_use]
    pub fn der(&self) -> Option<&[u8]> {
        self.der.as_deref()
    }
}

/// Shows the thumbprint only: the names in a certificate may be personal data.
impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientCertificate").field(&self.thumbprint).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traits() {
        fn test<T: Clone + Send + Sync + Unpin + 'static>() {}
        test::<ClientCertificate>();
    }

    #[test]
    fn it_has_the_hash_of_its_der_and_shows_nothing_else() {
        // FIPS 180-2 B.1, SHA-256 of `abc`.
        let thumbprint = "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0";
        let certificate = ClientCertificate::from_der(b"abc");
        assert_eq!(certificate.thumbprint().to_string(), thumbprint);
        assert_eq!(certificate.der(), Some(&b"abc"[..]));
        let shown = format!("ClientCertificate(Thumbprint({thumbprint}))");
        assert_eq!(format!("{certificate:?}"), shown);

        let hash = ClientCertificate::from_thumbprint(certificate.thumbprint());
        assert!(hash.der().is_none());
        assert_eq!(hash.thumbprint(), certificate.thumbprint());
    }
}
