//! Rows d02 and d08: what the store is asked, and when.

use std::time::Duration;

use super::*;

#[test]
fn d02_a_proof_is_accepted_once() {
    let (dpop, store) = dpop();
    let signer = Signer::p256();
    let proof = signer.proof();
    assert_eq!(check(&dpop, &proof, &signer.jkt()), Ok(()));
    assert_eq!(check(&dpop, &proof, &signer.jkt()), fault(ProofFault::Replayed));
    // Another spelling of the address, or a new signature, is no other proof.
    let jti = json!({"jti": "one", "htu": format!("{URL}/%6De")});
    assert_eq!(check(&dpop, &signer.proof_with(json!({}), jti), &signer.jkt()), Ok(()));
    let again = signer.proof_with(json!({}), json!({"jti": "one"}));
    assert_eq!(check(&dpop, &again, &signer.jkt()), fault(ProofFault::Replayed));
    assert_eq!(store.last().key, signer.jkt());
    let id = Thumbprint::of(&[signer.jkt().as_bytes(), b"\0one"]);
    assert_eq!(store.last().id, id);
}

#[test]
fn d02_a_clone_shares_the_store() {
    let (dpop, _) = dpop();
    let signer = Signer::p256();
    let proof = signer.proof();
    assert_eq!(check(&dpop.clone(), &proof, &signer.jkt()), Ok(()));
    assert_eq!(check(&dpop, &proof, &signer.jkt()), fault(ProofFault::Replayed));
}

#[test]
fn d08_nothing_is_spent_before_all_else_is_right() {
    let (dpop, store) = dpop();
    let signer = Signer::p256();
    let proof = signer.proof();
    let at = |method: &str, uri: &str, token: &str, now: i64| {
        let request = request(method, uri, &[&proof]);
        answer(dpop.check_and_spend((&request).into(), token, &signer.jkt(), now))
    };
    assert_eq!(at("POST", "/me", TOKEN, NOW), fault(ProofFault::Method));
    assert_eq!(at("GET", "/you", TOKEN, NOW), fault(ProofFault::Uri));
    assert_eq!(at("GET", "/me", "other", NOW), fault(ProofFault::AccessToken));
    assert_eq!(at("GET", "/me", TOKEN, NOW + 61), fault(ProofFault::Time));
    assert_eq!(store.calls(), 0);
    assert_eq!(at("GET", "/me", TOKEN, NOW), Ok(()));
    assert_eq!(store.calls(), 1);
}

#[test]
fn the_answers_of_a_store() {
    let (dpop, store) = dpop();
    let signer = Signer::p256();
    let retry_after = Duration::from_secs(7);
    let unavailable = |seconds| {
        let error =
            Error::from(ErrorKind::Unavailable { retry_after: Duration::from_secs(seconds) });
        Err(error.kind().clone())
    };
    for (answer, expected) in [
        (Ok(Insertion::Inserted), Ok(())),
        (Ok(Insertion::Replayed), fault(ProofFault::Replayed)),
        (
            Ok(Insertion::TooManyOfKey { retry_after }),
            Err(ErrorKind::TooManyProofs { retry_after }),
        ),
        (Ok(Insertion::Full { retry_after }), unavailable(7)),
        (Err(StoreError::new("down")), unavailable(1)),
    ] {
        *store.answer.lock().unwrap() = Some(answer);
        assert_eq!(check(&dpop, &signer.proof(), &signer.jkt()), expected);
    }
}

#[test]
fn a_store_elsewhere_is_waited_for() {
    let store = Arc::new(Store { is_elsewhere: true, ..Store::default() });
    let dpop = DPoP::required().public_url(URL).replay_store(Arc::clone(&store)).build().unwrap();
    let signer = Signer::p256();
    let request = request("GET", "/me", &[&signer.proof()]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let once = || {
        let answer = dpop.check_and_spend((&request).into(), TOKEN, &signer.jkt(), NOW);
        assert!(matches!(answer, MaybeReady::Pending(_)));
        runtime.block_on(async { answer.await }).map_err(|error| error.kind().clone())
    };
    assert_eq!(once(), Ok(()));
    assert_eq!(once(), fault(ProofFault::Replayed));
    *store.answer.lock().unwrap() = Some(Err(StoreError::new("down")));
    assert!(matches!(once(), Err(ErrorKind::Unavailable { .. })));
}

#[test]
fn services_that_share_a_store() {
    let store = Arc::new(Store::default());
    let dpop = |name: Option<&str>| {
        let builder = DPoP::optional().public_url(URL).replay_store(Arc::clone(&store));
        match name {
            Some(name) => builder.service_name(name).build().unwrap(),
            None => builder.build().unwrap(),
        }
    };
    let signer = Signer::p256();
    let with = |dpop: &DPoP, jti: &str| {
        check(dpop, &signer.proof_with(json!({}), json!({ "jti": jti })), &signer.jkt())
    };
    for name in [None, Some("a"), Some("ab"), Some("b")] {
        assert_eq!(with(&dpop(name), "bc"), Ok(()), "{name:?}");
        assert_eq!(with(&dpop(name), "bc"), fault(ProofFault::Replayed), "{name:?}");
    }
    // Name and `jti` are told apart.
    assert_eq!(with(&dpop(Some("a")), "bbc"), Ok(()));
}

#[test]
fn without_a_store_there_are_nonces_or_something_else() {
    let dpop =
        DPoP::optional().public_url(URL).dangerous().replay_protection_elsewhere().build().unwrap();
    let signer = Signer::p256();
    let proof = signer.proof();
    assert_eq!(check(&dpop, &proof, &signer.jkt()), Ok(()));
    assert_eq!(check(&dpop, &proof, &signer.jkt()), Ok(()), "nobody looks");
}
