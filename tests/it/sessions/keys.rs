//! Keys that sign, in every form in which they come.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use tower_jwt_auth::{
    Algorithm, Verifier,
    issue::{Grant, SigningKey},
};

use super::issuer;
use crate::support::{AUDIENCE, FixedClock, key, pem};

/// What this key signs, the crate takes.
async fn works(key: SigningKey) {
    let clock = FixedClock::default();
    let algorithm = key.algorithm();
    let issuer = issuer(&clock).key(key).build().unwrap();
    let verifier: Verifier = Verifier::builder()
        .audience(AUDIENCE)
        .keys(issuer.key_source())
        .clock(clock)
        .build()
        .unwrap();
    let token = issuer.issue(Grant::new("ada")).unwrap();
    let claims = verifier.verify(token.as_str()).await;
    assert_eq!(claims.unwrap().subject(), Some("ada"), "{algorithm}");
}

#[tokio::test]
async fn every_algorithm_signs_what_the_verifier_takes() {
    for algorithm in Algorithm::ALL {
        let key = SigningKey::generate(*algorithm).unwrap();
        assert_eq!(key.algorithm(), *algorithm);
        works(key).await;
    }
}

#[tokio::test]
async fn every_form_of_a_private_key_is_read() {
    for algorithm in Algorithm::ALL {
        let test_key = key(*algorithm);
        let mut kids = Vec::new();
        for (label, der) in test_key.private() {
            let read = SigningKey::from_pem(pem(label, &der)).unwrap();
            let read = read.with_algorithm(*algorithm).unwrap();
            kids.push(read.kid().to_owned());
            works(read).await;
            // With the public key before it, as some tools write it.
            let both = format!("{}{}", test_key.pem().unwrap(), pem(label, &der));
            assert!(SigningKey::from_pem(both).is_ok());
        }
        assert!(kids.iter().all(|kid| *kid == kids[0]), "one key, one name");
        if let Some(public) = test_key.pem() {
            let error = SigningKey::from_pem(public).unwrap_err();
            assert!(error.to_string().contains("public"), "{error}");
            assert!(SigningKey::from_jwk(test_key.jwk().to_string()).is_err());
        } else {
            works(SigningKey::from_jwk(test_key.jwk().to_string()).unwrap()).await;
        }
    }
}

#[tokio::test]
async fn published_keys_are_read() {
    // RFC 8037 A.1 and A.3.
    let ed25519 = SigningKey::from_jwk(
        r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    )
    .unwrap();
    assert_eq!(ed25519.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    works(ed25519).await;
    // RFC 7515 A.3 and A.1.
    works(
        SigningKey::from_jwk(
            r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
                "d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#,
        )
        .unwrap(),
    )
    .await;
    works(
        SigningKey::from_jwk(
            r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#,
        )
        .unwrap(),
    )
    .await;
    // Its halves must fit each other.
    assert!(
        SigningKey::from_jwk(
            r#"{"kty":"OKP","crv":"Ed25519","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
                "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#
        )
        .is_err()
    );
}

#[tokio::test]
async fn every_private_key_is_written_and_read_again() {
    for algorithm in Algorithm::ALL {
        let key = SigningKey::generate(*algorithm).unwrap();
        if algorithm.name().starts_with("HS") {
            let error = key.to_pkcs8_pem().unwrap_err().to_string();
            assert!(error.contains("shared secret"), "{error}");
            continue;
        }
        let pem = key.to_pkcs8_pem().unwrap();
        assert_eq!(format!("{pem:?}"), "PrivateKeyPem(..)");
        let lines: Vec<_> = pem.as_str().lines().collect();
        assert_eq!(lines.first(), Some(&"-----BEGIN PRIVATE KEY-----"));
        assert_eq!(lines.last(), Some(&"-----END PRIVATE KEY-----"));
        assert!(lines.iter().all(|line| !line.is_empty() && line.len() <= 64));
        let read = SigningKey::from_pem(pem.as_str()).unwrap();
        let read = read.with_algorithm(*algorithm).unwrap();
        assert_eq!(read.public_jwk(), key.public_jwk());
        works(read).await;
        // What was loaded is written as what was generated, and openssl finds the same public key.
        assert_eq!(
            SigningKey::from_pem(pem.as_str()).unwrap().to_pkcs8_pem().unwrap().as_str(),
            pem.as_str()
        );
        let public = openssl(&["pkey", "-pubout"], pem.as_str());
        let verifying = tower_jwt_auth::Key::from_pem(public).unwrap().with_kid(key.kid());
        let issuer = issuer(&FixedClock::default()).key(key).build().unwrap();
        let verifier: Verifier = Verifier::builder()
            .issuer(issuer.issuer())
            .audience(AUDIENCE)
            .keys(verifying)
            .clock(FixedClock::default())
            .build()
            .unwrap();
        let token = issuer.issue(Grant::new("ada")).unwrap();
        assert!(verifier.verify(token.as_str()).await.is_ok(), "{algorithm}");
    }
}

fn openssl(arguments: &[&str], input: &str) -> Vec<u8> {
    let mut command = Command::new("openssl");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}

#[test]
fn what_is_weak_or_does_not_fit_is_refused() {
    for (secret, length) in [(31, 32), (0, 32)] {
        assert!(SigningKey::hs256(vec![7; secret]).is_err());
        assert!(SigningKey::hs256(vec![7; length]).is_ok());
    }
    assert!(SigningKey::hs384([7; 47]).is_err() && SigningKey::hs512([7; 63]).is_err());
    let ec = SigningKey::generate(Algorithm::ES256).unwrap();
    for other in [Algorithm::ES384, Algorithm::RS256, Algorithm::HS256, Algorithm::EdDSA] {
        assert!(ec.clone().with_algorithm(other).is_err(), "{other}");
    }
    let text = pem("ENCRYPTED PRIVATE KEY", b"nothing");
    assert!(SigningKey::from_pem(text).unwrap_err().to_string().contains("openssl"));
}
