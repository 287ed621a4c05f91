//! Certificates and headers, against what a token is bound to.
//!
//! `vectors/` has two self-signed certificates of `openssl req -x509`, and for each the value that
//! every proxy writes, made with Python's `base64` and `urllib.parse.quote` from openssl's PEM and DER.
//! `tests/mutual_tls` has a real nginx.

mod formats;

use std::{
    net::{IpAddr, SocketAddr},
    ops::Deref,
};

use http::Request;

use super::*;
use crate::{digest::Thumbprint, error::CertificateFault};

/// A file of `vectors/`.
macro_rules! vector {
    ($name:literal) => {
        include_str!(concat!("../vectors/", $name)).trim_ascii_end()
    };
}

use vector;

/// As `openssl x509 -fingerprint -sha256` has it, in base64url.
const EC: &str = "hoSXJWHghgI535TfY2AMrwkJVVObBbD8EzPdfWi8Xjs";
const RSA: &str = "sZL3pmHOTAXhU4btk0PiFN5zv8Ry-ftLBU1iSxvCv-Y";
const EC_HEX: &str = "8684972561e0860239df94df63600caf090955539b05b0fc1333dd7d68bc5e3b";

fn thumbprint(text: &str) -> Thumbprint {
    Thumbprint::from_base64url(text).unwrap()
}

fn der(name: &str) -> Vec<u8> {
    let text = if name == "ec" { vector!("ec.pem") } else { vector!("rsa.pem") };
    pem::parse(text).unwrap().into_contents()
}

/// The name of each header, what the proxy writes of both certificates, and its format.
fn formats() -> [(&'static str, &'static str, &'static str, ProxyHeader); 7] {
    [
        (
            "client-cert",
            vector!("ec.client_cert.txt"),
            vector!("rsa.client_cert.txt"),
            ProxyHeader::client_cert(),
        ),
        (
            "x-ssl-client-cert",
            vector!("ec.nginx.txt"),
            vector!("rsa.nginx.txt"),
            ProxyHeader::nginx("X-SSL-Client-Cert"),
        ),
        (
            "x-client-der",
            vector!("ec.haproxy.txt"),
            vector!("rsa.haproxy.txt"),
            ProxyHeader::haproxy("x-client-der"),
        ),
        (
            "x-forwarded-client-cert",
            vector!("ec.envoy.txt"),
            vector!("rsa.envoy.txt"),
            ProxyHeader::envoy(),
        ),
        (
            "x-forwarded-tls-client-cert",
            vector!("ec.traefik.txt"),
            vector!("rsa.traefik.txt"),
            ProxyHeader::traefik(),
        ),
        (
            "x-amzn-mtls-clientcert-leaf",
            vector!("ec.alb_leaf.txt"),
            vector!("rsa.alb_leaf.txt"),
            ProxyHeader::aws_alb(),
        ),
        (
            "x-amzn-mtls-clientcert",
            vector!("ec.alb_passthrough.txt"),
            vector!("rsa.alb_passthrough.txt"),
            ProxyHeader::aws_alb_passthrough(),
        ),
    ]
}

fn behind(header: ProxyHeader) -> MutualTls {
    MutualTls::required().proxy_header(header).trusted_proxy("10.0.0.0/8").build().unwrap()
}

/// A request from `peer` with these headers.
fn request(peer: Option<&str>, headers: &[(&str, &[u8])]) -> Request<()> {
    let mut request = Request::new(());
    for (name, value) in headers {
        let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().append(name, http::HeaderValue::from_bytes(value).unwrap());
    }
    if let Some(peer) = peer {
        let peer: IpAddr = peer.parse().unwrap();
        request.extensions_mut().insert(SocketAddr::new(peer, 40_000));
    }
    request
}

/// Reads the header of a trusted proxy.
fn read(header: ProxyHeader, name: &str, value: &[u8]) -> Result<Thumbprint, CertificateFault> {
    behind(header).find((&request(Some("10.0.0.1"), &[(name, value)])).into())
}

#[test]
fn traits() {
    fn test<T: Clone + std::fmt::Debug + Send + Sync + Unpin + 'static>() {}
    test::<MutualTls>();
    test::<ProxyHeader>();
}

#[test]
fn d09_only_the_certificate_of_the_token_is_accepted() {
    let expected = thumbprint(EC);
    let connection = |certificate: Option<ClientCertificate>| {
        let mut request = request(None, &[]);
        if let Some(certificate) = certificate {
            request.extensions_mut().insert(certificate);
        }
        request
    };
    let extension = MutualTls::optional().build().unwrap();
    let function = MutualTls::optional()
        .client_certificate(|head| head.extensions().get().cloned())
        .build()
        .unwrap();
    for mutual_tls in [extension, function] {
        // Both are self-signed.
        for (certificate, result) in [
            (None, Err(CertificateFault::Missing)),
            (Some(ClientCertificate::from_der(der("rsa"))), Err(CertificateFault::Other)),
            (Some(ClientCertificate::from_der(der("ec"))), Ok(())),
            (Some(ClientCertificate::from_thumbprint(expected)), Ok(())),
            (Some(ClientCertificate::from_der(EC_HEX)), Err(CertificateFault::Other)),
        ] {
            let mut request = connection(certificate);
            assert_eq!(mutual_tls.check((&request).into(), &expected), result, "{request:?}");
            // A connection without a certificate beside one that has it.
            request.extensions_mut().insert(None::<ClientCertificate>);
            assert_eq!(mutual_tls.check((&request).into(), &expected), result, "{request:?}");
        }
    }
}

#[test]
fn d09_the_extension_may_be_optional() {
    let mutual_tls = MutualTls::optional().build().unwrap();
    let mut request = request(None, &[]);
    request.extensions_mut().insert(None::<ClientCertificate>);
    assert_eq!(mutual_tls.find((&request).into()), Err(CertificateFault::Missing));
    request.extensions_mut().insert(Some(ClientCertificate::from_der(der("ec"))));
    assert_eq!(mutual_tls.find((&request).into()), Ok(thumbprint(EC)));
}

#[test]
fn d09_a_header_counts_only_where_it_is_configured() {
    let value = vector!("ec.client_cert.txt").as_bytes();
    let request = request(Some("10.0.0.1"), &[("client-cert", value)]);
    let mutual_tls = MutualTls::required().build().unwrap();
    assert_eq!(mutual_tls.find((&request).into()), Err(CertificateFault::Missing));
    // And an extension does not count where a header is configured.
    let mut request = self::request(Some("10.0.0.1"), &[]);
    request.extensions_mut().insert(ClientCertificate::from_der(der("ec")));
    let mutual_tls = behind(ProxyHeader::client_cert());
    assert_eq!(mutual_tls.find((&request).into()), Err(CertificateFault::Missing));
}

#[test]
fn d09_each_format_gives_the_hash_that_openssl_has() {
    for (name, ec, rsa, header) in formats() {
        assert_eq!(read(header.clone(), name, ec.as_bytes()), Ok(thumbprint(EC)), "{name}");
        assert_eq!(read(header.clone(), name, rsa.as_bytes()), Ok(thumbprint(RSA)), "{name}");

        let request = request(Some("10.0.0.1"), &[(name, ec.as_bytes())]);
        let mutual_tls = behind(header);
        let check = |expected| mutual_tls.check((&request).into(), &thumbprint(expected));
        assert_eq!(check(EC), Ok(()));
        assert_eq!(check(RSA), Err(CertificateFault::Other));
    }
}

#[test]
fn d10_an_untrusted_peer_is_ignored_and_the_token_refused() {
    for (name, value, _, header) in formats() {
        let mutual_tls = behind(header);
        let find = |peer, headers: &[(&str, &[u8])]| {
            let request = request(peer, headers);
            mutual_tls.find((&request).into())
        };
        let good = [(name, value.as_bytes())];
        assert_eq!(find(Some("10.255.255.255"), &good), Ok(thumbprint(EC)));
        // A socket for both families shows IPv4 so.
        assert_eq!(find(Some("::ffff:10.0.0.1"), &good), Ok(thumbprint(EC)));
        for peer in ["11.0.0.1", "127.0.0.1", "::1", "::a00:1", "64:ff9b::a00:1"] {
            assert_eq!(find(Some(peer), &good), Err(CertificateFault::UntrustedProxy), "{peer}");
            // The value is not even read.
            let broken: &[(&str, &[u8])] = &[(name, b"x")];
            assert_eq!(find(Some(peer), broken), Err(CertificateFault::UntrustedProxy), "{peer}");
            assert_eq!(find(Some(peer), &[]), Err(CertificateFault::Missing), "{peer}");
        }
        assert_eq!(find(None, &good), Err(CertificateFault::UnknownPeer));
        // No header says who the peer is.
        let forged: &[(&str, &[u8])] = &[
            (name, value.as_bytes()),
            ("x-forwarded-for", b"10.0.0.1"),
            ("forwarded", b"for=10.0.0.1"),
            ("x-real-ip", b"10.0.0.1"),
        ];
        assert_eq!(find(Some("11.0.0.1"), forged), Err(CertificateFault::UntrustedProxy));
    }
}

#[test]
fn d10_the_peer_comes_from_where_it_is_configured() {
    #[derive(Clone)]
    struct ConnectInfo(SocketAddr);
    impl Deref for ConnectInfo {
        type Target = SocketAddr;
        fn deref(&self) -> &SocketAddr {
            &self.0
        }
    }

    let value = vector!("ec.client_cert.txt").as_bytes();
    let builder = || MutualTls::required().proxy_header(ProxyHeader::client_cert());
    let extension =
        builder().trusted_proxies(["10.0.0.1"]).peer_extension::<ConnectInfo>().build().unwrap();
    let function = builder()
        .trusted_proxies(["10.0.0.1"])
        .peer(|head| Some(head.extensions().get::<ConnectInfo>()?.0.ip()))
        .build()
        .unwrap();
    for mutual_tls in [extension, function] {
        let mut request = request(Some("10.0.0.1"), &[("client-cert", value)]);
        assert_eq!(mutual_tls.find((&request).into()), Err(CertificateFault::UnknownPeer));
        request.extensions_mut().insert(ConnectInfo("10.0.0.2:1".parse().unwrap()));
        assert_eq!(mutual_tls.find((&request).into()), Err(CertificateFault::UntrustedProxy));
        request.extensions_mut().insert(ConnectInfo("10.0.0.1:1".parse().unwrap()));
        assert_eq!(mutual_tls.find((&request).into()), Ok(thumbprint(EC)));
    }
    // In place of those before.
    let last = builder().trusted_proxy("10.0.0.1").trusted_proxies(["10.0.0.2"]).build().unwrap();
    let request = request(Some("10.0.0.1"), &[("client-cert", value)]);
    assert_eq!(last.find((&request).into()), Err(CertificateFault::UntrustedProxy));
}

#[test]
fn d10_everyone_is_trusted_only_by_a_frightening_name() {
    let everyone = MutualTls::optional()
        .proxy_header(ProxyHeader::client_cert())
        .dangerous()
        .trust_everyone_who_can_connect()
        .build()
        .unwrap();
    let value = vector!("ec.client_cert.txt").as_bytes();
    for peer in [None, Some("203.0.113.1")] {
        let request = request(peer, &[("client-cert", value)]);
        assert_eq!(everyone.find((&request).into()), Ok(thumbprint(EC)));
    }
}

#[test]
fn debug_shows_the_configuration_and_no_function() {
    let mutual_tls = behind(ProxyHeader::nginx("x-cert"));
    let text = format!("{mutual_tls:?}");
    assert!(text.contains("x-cert") && text.contains("10.0.0.0"), "{text}");
}

#[cfg(feature = "settings")]
#[test]
fn a_name_in_settings_has_the_format_that_it_is_known_for() {
    for (name, ec, _, _) in formats() {
        if name == "x-client-der" {
            continue;
        }
        let header = ProxyHeader::known_as(&name.to_uppercase());
        assert_eq!(read(header, name, ec.as_bytes()), Ok(thumbprint(EC)), "{name}");
    }
}
