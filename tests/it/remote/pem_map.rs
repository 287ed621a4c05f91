//! A document that has a PEM text for each key id, as Firebase has (B15).

use tower_jwt_auth::{ConfigError, error::FetchErrorKind};

use super::{
    provider::{Answer, Provider},
    *,
};
use crate::support::{certificate, key};

fn document(map: serde_json::Value) -> Answer {
    Answer::Body(map.to_string().into_bytes(), vec![("cache-control", "max-age=3600".into())])
}

fn with_id(key: &TestKey, kid: &str) -> String {
    let mut header = key.header();
    header["kid"] = json!(kid);
    key.token_of(header.to_string(), claims().to_string())
}

#[tokio::test]
async fn b15_a_map_of_certificates_is_a_key_set() {
    let (one, other) = (key(Algorithm::RS256), key(Algorithm::ES256));
    let provider = Provider::new([]);
    let first = json!({
        "kid1": certificate("a", "a", one), "kid2": other.pem().unwrap(), "bad": "-----BEGIN X-----",
    });
    provider.answer(document(first));
    let keys = provider.remote().cooldown(ms(0)).build().await.unwrap();
    let status = keys.status();
    assert_eq!((status.ids, status.skipped.len()), (vec!["kid1".into(), "kid2".into()], 1));
    assert!(status.skipped[0].contains("\"bad\""), "{:?}", status.skipped);
    let verifier = verifier(keys.clone());
    accepted(now(&verifier, &with_id(one, "kid1")));
    accepted(now(&verifier, &with_id(other, "kid2")));
    // The id is that of the map.
    refused(now(&verifier, &with_id(one, "kid2")), &ErrorKind::UnknownKey);
    // It rotates like any other.
    provider.answer(document(json!({"kid3": certificate("b", "b", other)})));
    accepted(verifier.verify(&with_id(other, "kid3")).await);
    refused(verifier.verify(&with_id(one, "kid1")).await, &ErrorKind::UnknownKey);
}

#[tokio::test]
async fn b15_other_documents_are_no_such_map() {
    let es = key(Algorithm::ES256);
    let provider = Provider::new([]);
    let (label, der) = &es.private()[0];
    for (map, kind) in [
        (json!({}), FetchErrorKind::NotKeySet),
        (json!({"a": "text"}), FetchErrorKind::NotKeySet),
        (json!({"a": es.pem().unwrap(), "b": "text"}), FetchErrorKind::NotKeySet),
        (json!({"a": es.pem().unwrap(), "b": {"c": 1}}), FetchErrorKind::NotKeySet),
        (json!([es.pem().unwrap()]), FetchErrorKind::NotKeySet),
        (
            json!({"a": es.pem().unwrap(), "b": es.pem().unwrap(), "c": es.pem().unwrap()}),
            FetchErrorKind::TooManyKeys { limit: 2 },
        ),
    ] {
        provider.answer(document(map.clone()));
        let error = provider.remote().max_keys(2).build().await.unwrap_err();
        assert!(matches!(&error, ConfigError::Fetch(error) if *error.kind() == kind), "{map}");
    }
    // A private key is not used, and who published it is told.
    provider.answer(document(json!({"a": crate::support::pem(label, der)})));
    let error = provider.remote().build().await.unwrap_err().to_string();
    assert!(error.contains("private key"), "{error}");
}
