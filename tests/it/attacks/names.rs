//! The names of attacks and of cases of a self-test, which `docs/semver.md` promises.

use std::{collections::BTreeSet, env, fs, path::Path, time::Duration};

use axum::http::Method;
use tower_jwt_auth::{
    Algorithm, Key, Verifier,
    proof::{DPoP, MemoryReplayStore},
    testing::{AttackRun, TestIssuer, TestProofKey},
};

/// Compares a set with a list in a file. `UPDATE=1` writes the file.
#[track_caller]
fn check(file: &str, names: &BTreeSet<String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/attacks").join(file);
    let text: String = names.iter().map(|name| format!("{name}\n")).collect();
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let listed = fs::read_to_string(&path).unwrap_or_default();
    let listed: BTreeSet<_> = listed.lines().map(str::to_owned).collect();
    let (missing, new): (Vec<_>, Vec<_>) =
        (listed.difference(names).collect(), names.difference(&listed).collect());
    assert!(
        missing.is_empty() && new.is_empty(),
        "{file}: these names are promised and gone: {missing:?}; these are new, so list them with \
         `UPDATE=1 cargo test --all-features --test it names::`: {new:?}"
    );
}

#[test]
fn attacks() {
    let mut names = BTreeSet::new();
    for algorithm in Algorithm::ALL {
        let issuer = TestIssuer::new().with_algorithm(*algorithm);
        let run = AttackRun::new(&issuer)
            .token(issuer.token().scopes(["a"]))
            .access_tokens_only()
            .cookie("at", Method::POST);
        names.extend(run.attacks().map(|attack| attack.name().to_owned()));
        let run = run.without_authorization();
        names.extend(run.attacks().map(|attack| attack.name().to_owned()));
    }
    check("attacks.txt", &names);
}

/// Those of a run with proofs that no other run has, and all that others have.
#[test]
fn attacks_on_proofs() {
    let (mut proofs, mut others) = (BTreeSet::new(), BTreeSet::new());
    for algorithm in [Algorithm::ES256, Algorithm::RS256, Algorithm::EdDSA] {
        let issuer = TestIssuer::new();
        let run = AttackRun::new(&issuer)
            .token(issuer.token().scopes(["a"]))
            .access_tokens_only()
            .cookie("at", Method::POST);
        others.extend(run.attacks().map(|attack| attack.name().to_owned()));
        let run = run
            .dpop("https://api.example.com")
            .proof_key(&TestProofKey::for_algorithm(algorithm))
            .bound_tokens_only();
        proofs.extend(run.attacks().map(|attack| attack.name().to_owned()));
    }
    let missing: Vec<_> = others.difference(&proofs).collect();
    assert!(missing.is_empty(), "{missing:?}");
    check("proofs.txt", &proofs.difference(&others).cloned().collect());
}

#[test]
fn cases_of_a_self_test() {
    let mut names = BTreeSet::new();
    let issuer = TestIssuer::new();
    let strict = Verifier::builder()
        .issuer(issuer.issuer())
        .audience(issuer.audience())
        .keys(Key::from_pem(issuer.public_key_pem()))
        .access_tokens_only()
        .client_id("my-app")
        .required_claim("tenant")
        .required_header("signer", "arn")
        .max_age(Duration::from_secs(600));
    let dpop = DPoP::required()
        .public_url("https://api.example.com")
        .replay_store(MemoryReplayStore::new())
        .build()
        .unwrap();
    let bound = issuer.verifier_builder().dpop(dpop).build().unwrap();
    for verifier in [issuer.verifier(), strict.build().unwrap(), bound] {
        let report = verifier.self_test();
        assert!(report.is_passed(), "{report}");
        names.extend(report.iter().map(|case| case.name().to_owned()));
    }
    check("self_test.txt", &names);
}
