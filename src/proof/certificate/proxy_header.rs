//! The header in which a proxy names the client's certificate.

use http::HeaderName;

use super::{encoding, xfcc};
use crate::{
    digest::Thumbprint,
    error::{CertificateFault, ConfigError},
    request_head::RequestHead,
};

/// The header in which a proxy that ends TLS hands on the client's certificate, and its format.
///
/// There is one function for each proxy. Every format is read strictly: a value that the proxy does
/// not write refuses the token, and so do two headers, or more than 16 KiB.
///
/// # Security
///
/// A client can send the same header. **The proxy must remove it from every request**, also from
/// those without a certificate (RFC 9440 §4), and the service must be reachable only by the proxy. The
/// guide [sender-constrained tokens][guide] has the configuration of each proxy.
///
/// [guide]: https://docs.rs/tower-jwt-auth/latest/tower_jwt_auth/guides/sender_constrained/index.html
#[derive(Clone, Debug)]
pub struct ProxyHeader(Result<Header, ConfigError>);

/// A header, and how to read it.
#[derive(Clone, Debug)]
pub(super) struct Header {
    name: HeaderName,
    format: Format,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Base64Chain,
    Base64Der,
    ByteSequence,
    EscapedChain,
    EscapedPem,
    Xfcc,
}

impl ProxyHeader {
    /// `Client-Cert` of RFC 9440: `:`, the base64 of the DER, `:`. Cloudflare, Google Cloud, Fastly
    /// and Apache Traffic Server can write it, and every proxy that can encode base64.
    #[must_use]
    pub fn client_cert() -> Self {
        Self::fixed("client-cert", Format::ByteSequence)
    }

    /// nginx: the variable [`$ssl_client_escaped_cert`][nginx], which is URL-encoded PEM, in a header
    /// of any name, such as `X-SSL-Client-Cert`, or `ssl-client-cert` of ingress-nginx.
    ///
    /// A name that no header can have, or that has another meaning, such as `Authorization`, is an
    /// error of [`MutualTlsBuilder::build`](super::MutualTlsBuilder::build).
    ///
    /// [nginx]: https://nginx.org/en/docs/http/ngx_http_ssl_module.html#var_ssl_client_escaped_cert
    #[must_use]
    pub fn nginx(name: impl AsRef<str>) -> Self {
        Self::named(name.as_ref(), Format::EscapedPem)
    }

    /// HAProxy: [`%[ssl_c_der,base64]`][haproxy], the base64 of the DER, in a header of any name, such
    /// as `X-SSL-Client-Cert`. An empty header is none: HAProxy writes one for a client without a
    /// certificate. For names, see [`nginx`](Self::nginx).
    ///
    /// [haproxy]: https://docs.haproxy.org/3.2/configuration.html#7.3.4-ssl_c_der
    #[must_use]
    pub fn haproxy(name: impl AsRef<str>) -> Self {
        Self::named(name.as_ref(), Format::Base64Der)
    }

    /// Envoy: [`X-Forwarded-Client-Cert`][envoy], with the SHA-256 of the certificate as `Hash`, or the
    /// URL-encoded PEM as `Cert`, or both, which must then agree.
    ///
    /// The header must have **one** element. Envoy writes one with
    /// `forward_client_cert_details: SANITIZE_SET`. With `APPEND_FORWARD`, it has one for each proxy,
    /// and the first ones come from the client or from proxies that this service does not know: several
    /// are refused.
    ///
    /// [envoy]: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-forwarded-client-cert
    #[must_use]
    pub fn envoy() -> Self {
        Self::fixed("x-forwarded-client-cert", Format::Xfcc)
    }

    /// Traefik 3: [`X-Forwarded-Tls-Client-Cert`][traefik], which the middleware `passTLSClientCert`
    /// writes with `pem: true`: the base64 of the DER without the lines of PEM. Of a chain, with
    /// commas between the certificates, the first is that of the client.
    ///
    /// [traefik]: https://doc.traefik.io/traefik/reference/routing-configuration/http/middlewares/passtlsclientcert/
    #[must_use]
    pub fn traefik() -> Self {
        Self::fixed("x-forwarded-tls-client-cert", Format::Base64Chain)
    }

    /// An AWS Application Load Balancer whose mutual TLS is in verify mode:
    /// [`X-Amzn-Mtls-Clientcert-Leaf`][alb], URL-encoded PEM in which `+`, `=` and `/` are as they
    /// are.
    ///
    /// [alb]: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/mutual-authentication.html
    #[must_use]
    pub fn aws_alb() -> Self {
        Self::fixed("x-amzn-mtls-clientcert-leaf", Format::EscapedPem)
    }

    /// An AWS Application Load Balancer whose mutual TLS is in passthrough mode:
    /// [`X-Amzn-Mtls-Clientcert`][alb], the chain as URL-encoded PEM in which `+`, `=` and `/` are as
    /// they are. The first certificate is that of the client.
    ///
    /// [alb]: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/mutual-authentication.html
    #[must_use]
    pub fn aws_alb_passthrough() -> Self {
        Self::fixed("x-amzn-mtls-clientcert", Format::EscapedChain)
    }

    /// The header of this name, in the format that it is known for: settings have only a name. For
    /// names that are not known, it is that of nginx.
    #[cfg(feature = "settings")]
    pub(crate) fn known_as(name: &str) -> Self {
        let known = [
            Self::client_cert(),
            Self::envoy(),
            Self::traefik(),
            Self::aws_alb(),
            Self::aws_alb_passthrough(),
        ];
        let is_named = |header: &Self| match &header.0 {
            Ok(header) => header.name.as_str().eq_ignore_ascii_case(name),
            Err(_) => false,
        };
        known.into_iter().find(is_named).unwrap_or_else(|| Self::nginx(name))
    }

    /// The header, if its name is valid.
    pub(super) fn into_header(self) -> Result<Header, ConfigError> {
        self.0
    }

    fn fixed(name: &'static str, format: Format) -> Self {
        Self(Ok(Header { name: HeaderName::from_static(name), format }))
    }

    fn named(name: &str, format: Format) -> Self {
        Self(match HeaderName::from_bytes(name.as_bytes()) {
            Err(_) => Err(ConfigError::InvalidName(
                "the name of the proxy's header must be a header name, such as `x-ssl-client-cert`",
            )),
            Ok(name) if has_a_meaning(&name) => Err(ConfigError::InvalidName(
                "the name of the proxy's header is that of a header with another meaning: have the \
                 proxy write the certificate into one of its own, such as `x-ssl-client-cert`",
            )),
            Ok(name) => Ok(Header { name, format }),
        })
    }
}

impl Header {
    /// Whether the request has the header, whatever is in it.
    pub(super) fn is_in(&self, head: RequestHead<'_>) -> bool {
        head.headers().contains_key(&self.name)
    }

    /// The thumbprint of the certificate in the header. `None` if the header is missing or empty.
    pub(super) fn read(
        &self,
        head: RequestHead<'_>,
    ) -> Result<Option<Thumbprint>, CertificateFault> {
        let mut values = head.headers().get_all(&self.name).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() || value.len() > MAX_LEN {
            return Err(CertificateFault::Malformed);
        }
        if value.is_empty() {
            return Ok(None);
        }
        self.format.thumbprint(value.as_bytes()).ok_or(CertificateFault::Malformed).map(Some)
    }
}

impl Format {
    fn thumbprint(self, value: &[u8]) -> Option<Thumbprint> {
        let der = match self {
            Self::Base64Chain => encoding::base64_chain(value),
            Self::Base64Der => encoding::base64_der(value),
            Self::ByteSequence => encoding::byte_sequence(value),
            Self::EscapedChain => encoding::escaped_chain(value),
            Self::EscapedPem => encoding::escaped_pem(value),
            Self::Xfcc => return xfcc::thumbprint(value),
        };
        der.map(|der| Thumbprint::of(&[&der]))
    }
}

/// Whether clients or proxies send it for something else.
fn has_a_meaning(name: &HeaderName) -> bool {
    let names = [
        "authorization",
        "connection",
        "cookie",
        "dpop",
        "expect",
        "forwarded",
        "from",
        "host",
        "keep-alive",
        "origin",
        "priority",
        "proxy-authorization",
        "range",
        "referer",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-proto",
        "x-real-ip",
    ];
    let prefixes = ["accept", "access-control-", "cache-", "content-", "if-", "sec-"];
    let name = name.as_str();
    names.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// The longest value that is read, in bytes: far above any certificate, and what most servers take for
/// all headers together.
const MAX_LEN: usize = 16 * 1024;
