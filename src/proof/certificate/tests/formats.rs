//! Each format accepts its own values, and nothing else.

use base64_simd::STANDARD;
use proptest::prelude::*;

use super::*;

#[test]
fn d10_two_headers_or_too_many_bytes_are_refused() {
    for (name, value, other, header) in formats() {
        let mutual_tls = behind(header.clone());
        for second in [value, other, "", "x"] {
            let both = [(name, value.as_bytes()), (name, second.as_bytes())];
            for headers in [both, [both[1], both[0]]] {
                let request = request(Some("10.0.0.1"), &headers);
                let found = mutual_tls.find((&request).into());
                assert_eq!(found, Err(CertificateFault::Malformed), "{name}: {second}");
            }
        }
        // A list in one header.
        for list in [format!("{value}, {value}"), format!("{value};{value}")] {
            let found = read(header.clone(), name, list.as_bytes());
            assert_eq!(found, Err(CertificateFault::Malformed), "{name}");
        }
        // An empty one counts as missing.
        assert_eq!(read(header, name, b""), Err(CertificateFault::Missing), "{name}");
    }
    // The limit is 16 KiB, and comes before any decoding.
    let long = |len: usize| {
        let end = format!(";Hash={EC_HEX}");
        format!("By={}{end}", "a".repeat(len - end.len() - 3))
    };
    let xfcc = |len| read(ProxyHeader::envoy(), "x-forwarded-client-cert", long(len).as_bytes());
    assert_eq!(xfcc(16 * 1024), Ok(thumbprint(EC)));
    assert_eq!(xfcc(16 * 1024 + 1), Err(CertificateFault::Malformed));
}

#[test]
fn d10_what_a_proxy_does_not_write_is_refused() {
    // The members of Envoy's take any text: `xfcc.rs` has its tests.
    let others = || formats().into_iter().filter(|(name, ..)| *name != "x-forwarded-client-cert");
    for (name, value, _, header) in others() {
        let wrong = [
            format!("{value} "),
            format!(" {value}"),
            format!("{value}\t"),
            format!("{value}="),
            format!("{value}%"),
            format!("{value}%0"),
            format!("{value}%zz"),
            format!("{value}%+1"),
            format!("{value}x"),
            format!("x{value}"),
            value[..value.len() / 2].to_owned(),
            value[..value.len() - 1].to_owned(),
            value[1..].to_owned(),
            "%".to_owned(),
            "::".to_owned(),
            ":".to_owned(),
            ",".to_owned(),
            ";".to_owned(),
            "\"".to_owned(),
            "=".to_owned(),
        ];
        for wrong in wrong {
            let found = read(header.clone(), name, wrong.as_bytes());
            assert_eq!(found, Err(CertificateFault::Malformed), "{name}: {wrong}");
        }
        for bytes in [&[0xff][..], &[value.as_bytes(), &[0x80]].concat()] {
            let found = read(header.clone(), name, bytes);
            assert_eq!(found, Err(CertificateFault::Malformed), "{name}");
        }
    }
}

#[test]
fn d10_one_format_is_not_another() {
    // Those of nginx and of the leaf of an AWS load balancer are one, and the first two are chains.
    let same = [
        ("x-amzn-mtls-clientcert", "x-ssl-client-cert"),
        ("x-forwarded-tls-client-cert", "x-client-der"),
        ("x-amzn-mtls-clientcert", "x-amzn-mtls-clientcert-leaf"),
        ("x-amzn-mtls-clientcert-leaf", "x-ssl-client-cert"),
        ("x-ssl-client-cert", "x-amzn-mtls-clientcert-leaf"),
    ];
    for (name, _, _, header) in formats() {
        for (other, value, ..) in formats() {
            if name != other && !same.contains(&(name, other)) {
                let found = read(header.clone(), name, value.as_bytes());
                assert_eq!(found, Err(CertificateFault::Malformed), "{other} as {name}");
            }
        }
    }
}

#[test]
fn d10_der_that_is_no_certificate_is_refused() {
    let der = der("ec");
    let header = |der: &[u8]| {
        let value = format!(":{}:", STANDARD.encode_to_string(der));
        read(ProxyHeader::client_cert(), "client-cert", value.as_bytes())
    };
    assert_eq!(header(&der), Ok(thumbprint(EC)));
    let mut longer = der.clone();
    longer.push(0);
    let indefinite = [&[0x30, 0x80], &der[4..], &[0, 0]].concat();
    let three_byte_length = [&[0x30, 0x83, 0], &der[2..]].concat();
    // One part more in the sequence.
    let len = u16::from_be_bytes([der[2], der[3]]) + 2;
    let more = [&[0x30, 0x82], &len.to_be_bytes()[..], &der[4..], &[5, 0]].concat();
    let key = b"\x30\x13\x30\x05\x06\x03\x2b\x65\x70\x03\x0a\x00123456789".as_slice();
    for (what, der) in [
        ("behind it", longer.as_slice()),
        ("cut", &der[..der.len() - 1]),
        ("without its frame", &der[4..]),
        ("indefinite length", &indefinite),
        ("a length in more bytes than needed", &three_byte_length),
        ("a part more", &more),
        ("twice", &[der.as_slice(), &der].concat()),
        ("a public key", key),
        ("empty", b""),
        ("an empty sequence", b"\x30\x00"),
        ("a number", b"\x02\x01\x01"),
        ("PEM in base64", vector!("ec.pem").as_bytes()),
    ] {
        let found = header(der);
        assert_eq!(found, Err(CertificateFault::Malformed), "{what}");
    }
}

#[test]
fn d10_pem_is_one_certificate_or_a_chain() {
    let escape = |text: &str| {
        let byte = |byte: u8| match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(byte).to_string(),
            _ => format!("%{byte:02x}"),
        };
        text.bytes().map(byte).collect::<String>()
    };
    let one = |text: &str| read(ProxyHeader::nginx("x-cert"), "x-cert", escape(text).as_bytes());
    let chain = |text: &str| {
        let name = "x-amzn-mtls-clientcert";
        read(ProxyHeader::aws_alb_passthrough(), name, escape(text).as_bytes())
    };
    let (ec, rsa) = (vector!("ec.pem"), vector!("rsa.pem"));
    for good in [ec.to_owned(), format!("{ec}\n"), ec.replace('\n', "\r\n"), ec.replace('\n', "")] {
        assert_eq!(one(&good), Ok(thumbprint(EC)), "{good}");
        assert_eq!(chain(&good), Ok(thumbprint(EC)), "{good}");
    }
    // The first is that of the client.
    assert_eq!(chain(&format!("{ec}\n{rsa}")), Ok(thumbprint(EC)));
    assert_eq!(chain(&format!("{rsa}\n{ec}\n")), Ok(thumbprint(RSA)));
    assert_eq!(one(&format!("{ec}\n{rsa}")), Err(CertificateFault::Malformed));

    let label = |label: &str| ec.replace("CERTIFICATE", label);
    for wrong in [
        format!("x\n{ec}"),
        format!("\n{ec}"),
        format!("{ec}\nx"),
        format!("{ec} "),
        format!("{ec}\n{}", &rsa[..200]),
        format!("{ec}\n{}", label("PUBLIC KEY")),
        label("PUBLIC KEY"),
        label("TRUSTED CERTIFICATE"),
        label("X509 CERTIFICATE"),
        label("CERTIFICATE REQUEST"),
        label("PRIVATE KEY"),
        ec.replace("END CERTIFICATE", "END PUBLIC KEY"),
        ec.replace("-----BEGIN", "----BEGIN"),
        ec.replace("MII", "Proc-Type: 4,ENCRYPTED\n\nMII"),
        ec.replace("MII", "M II"),
        ec.replacen('\n', "\n\\n", 1),
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----".to_owned(),
    ] {
        assert_eq!(one(&wrong), Err(CertificateFault::Malformed), "{wrong}");
        assert_eq!(chain(&wrong), Err(CertificateFault::Malformed), "{wrong}");
    }
}

proptest! {
    /// No bytes of a trusted proxy cause a panic, or pass for a certificate.
    #[test]
    fn d10_any_bytes(value in prop::collection::vec(any::<u8>(), 0..64)) {
        for (name, _, _, header) in formats() {
            let Ok(value) = http::HeaderValue::from_bytes(&value) else { continue };
            let found = read(header, name, value.as_bytes());
            prop_assert!(matches!(
                found,
                Err(CertificateFault::Malformed | CertificateFault::Missing)
            ));
        }
    }

    /// One byte of a good value is another one: that certificate, another, or none, and no panic.
    #[test]
    fn d10_any_byte_changed(format in 0..7_usize, at in any::<prop::sample::Index>(), byte in 0x20..0x7f_u8) {
        let (name, value, _, header) = formats().into_iter().nth(format).unwrap();
        let mut value = value.as_bytes().to_vec();
        let at = at.index(value.len());
        value[at] = byte;
        prop_assert_ne!(read(header, name, &value), Ok(thumbprint(RSA)));
    }

    #[test]
    fn d10_any_text_as_a_network(text in "[0-9a-f:./]{0,20}") {
        let _ = MutualTls::required().trusted_proxy(text).build();
    }
}
