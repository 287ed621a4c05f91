//! Several issuers whose keys are fetched; `crate::issuers` has the others.

use tower_jwt_auth::verifier::Issuers;

use super::{provider::Provider, *};
use crate::{
    issuers::{ONE, TWO, of, token_of},
    support::{AUDIENCE, FixedClock},
};

/// One verifier for the issuers [`ONE`] and [`TWO`], with the keys of these providers.
async fn of_both(one: &Provider, two: &Provider) -> Verifier {
    let mut builder = Verifier::builder().audience(AUDIENCE).clock(FixedClock::default());
    for (provider, issuer) in [(one, ONE), (two, TWO)] {
        let keys = RemoteKeys::at(provider.jwks_url()).issuer(issuer);
        builder = builder.keys(keys.build().await.unwrap());
    }
    builder.build().unwrap()
}

#[tokio::test]
async fn j07_the_keys_of_one_vouch_for_no_other() {
    // The same id in both.
    let (first, second) = (fresh(Algorithm::ES256, "k"), fresh(Algorithm::ES256, "k"));
    let (one, two) = (Provider::new([&first]), Provider::new([&second]));
    let issuers = Issuers::new();
    for (issuer, provider) in [(ONE, &one), (TWO, &two)] {
        let keys = RemoteKeys::at(provider.jwks_url()).issuer(issuer).build().await.unwrap();
        issuers.add(of(issuer, AUDIENCE, keys)).unwrap();
    }
    let verifier = issuers.verifier();
    accepted(now(&verifier, &token_of(&first, ONE)));
    accepted(now(&verifier, &token_of(&second, TWO)));
    refused(now(&verifier, &token_of(&first, TWO)), &ErrorKind::Signature);
    refused(now(&verifier, &token_of(&second, ONE)), &ErrorKind::Signature);
    assert_eq!(answer(&verifier, &token_of(&first, ONE)).await.status(), 200);

    // An issuer that nobody knows costs nothing.
    let other = fresh(Algorithm::ES256, "other");
    refused(now(&verifier, &token_of(&other, "https://evil.example")), &ErrorKind::Issuer);
    refused(now(&verifier, &token_of(&other, "")), &ErrorKind::Issuer);
    assert_eq!((one.fetches(), two.fetches()), (1, 1));
    // An unknown id costs a fetch at its own issuer alone.
    refused(verifier.verify(&token_of(&other, TWO)).await, &ErrorKind::UnknownKey);
    assert_eq!((one.fetches(), two.fetches()), (1, 2));
}

#[tokio::test]
async fn j07_sources_of_one_verifier_are_bound_to_their_issuers() {
    let (first, second) = (fresh(Algorithm::ES256, "k"), fresh(Algorithm::ES256, "k"));
    let (one, two) = (Provider::new([&first]), Provider::new([&second]));
    let verifier = of_both(&one, &two).await;
    accepted(now(&verifier, &token_of(&first, ONE)));
    accepted(now(&verifier, &token_of(&second, TWO)));
    for (key, issuer) in [(&first, TWO), (&second, ONE), (&first, "https://three.example")] {
        assert!(now(&verifier, &token_of(key, issuer)).unwrap_err().is_invalid_token());
    }
    let other = fresh(Algorithm::ES256, "other");
    refused(verifier.verify(&token_of(&other, TWO)).await, &ErrorKind::UnknownKey);
    assert_eq!((one.fetches(), two.fetches()), (1, 2));
}

#[tokio::test]
async fn j07_issuers_may_publish_the_same_key() {
    // As the tenants of some providers do.
    let shared = fresh(Algorithm::ES256, "k");
    let (one, two) = (Provider::new([&shared]), Provider::new([&shared]));
    let fetched = of_both(&one, &two).await;
    let given: Verifier = Verifier::builder()
        .audience(AUDIENCE)
        .keys([shared.key().with_issuer(ONE), shared.key().with_issuer(TWO)])
        .clock(FixedClock::default())
        .build()
        .unwrap();
    for verifier in [fetched, given] {
        accepted(now(&verifier, &token_of(&shared, ONE)));
        accepted(now(&verifier, &token_of(&shared, TWO)));
        refused(now(&verifier, &token_of(&shared, "https://three.example")), &ErrorKind::Issuer);
    }
    assert_eq!((one.fetches(), two.fetches()), (1, 1));
}

#[tokio::test]
async fn j07_a_bad_signature_causes_no_fetch_by_way_of_another_source() {
    let (first, second) = (fresh(Algorithm::ES256, "one"), fresh(Algorithm::ES256, "two"));
    let (one, two) = (Provider::new([&first]), Provider::new([&second]));
    let verifier = of_both(&one, &two).await;
    let forged = token_of(&fresh(Algorithm::ES256, "one"), ONE);
    assert!(now(&verifier, &forged).unwrap_err().is_invalid_token());
    assert_eq!((one.fetches(), two.fetches()), (1, 1));
}
