//! The self-test of a verifier.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tower_jwt_auth::{
    Algorithm, Claims, Key, RegisteredClaims, Verifier,
    clock::Clock,
    report::{SelfTestOutcome, SelfTestReport},
    verifier::{Issuers, RuleError, VerifierBuilder},
};

use crate::support::{AUDIENCE, ISSUER, key};

fn builder() -> VerifierBuilder {
    Verifier::builder().issuer(ISSUER).audience(AUDIENCE).keys(key(Algorithm::ES256).key())
}

fn report(change: impl FnOnce(VerifierBuilder) -> VerifierBuilder) -> SelfTestReport {
    change(builder()).build().unwrap().self_test()
}

/// A clock before 1970.
struct BeforeTime;

impl Clock for BeforeTime {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH - Duration::from_secs(60)
    }
}

/// The names of the loosened cases, with the settings.
fn loosened(report: &SelfTestReport) -> Vec<(&'static str, &'static str)> {
    assert!(report.is_passed(), "{report}");
    let cases = report.with_outcome(SelfTestOutcome::Loosened);
    cases.map(|case| (case.setting().unwrap(), case.name())).collect()
}

fn settings(report: &SelfTestReport) -> Vec<&'static str> {
    let mut settings: Vec<_> = loosened(report).into_iter().map(|(setting, _)| setting).collect();
    settings.dedup();
    settings
}

/// A bound token counts only with its proof, which the self-test has for one key alone.
#[test]
fn proofs_of_senders_pass_all() {
    use tower_jwt_auth::proof::{DPoP, MemoryReplayStore, MutualTls};

    let dpop = |required| {
        let builder = if required { DPoP::required() } else { DPoP::optional() };
        let builder = builder.public_url("https://api.example.com");
        builder.replay_store(MemoryReplayStore::new()).build().unwrap()
    };
    let mutual_tls = |required| {
        let builder = if required { MutualTls::required() } else { MutualTls::optional() };
        builder.build().unwrap()
    };
    for (required, both) in [(false, false), (true, false), (false, true), (true, true)] {
        let report = report(|builder| {
            let builder = builder.dpop(dpop(required));
            if both { builder.mutual_tls(mutual_tls(required)) } else { builder }
        });
        assert_eq!(loosened(&report), []);
        let kind = |name| report.iter().find(|case| case.name() == name).map(|case| case.kind());
        assert!(kind("c11_cnf_jkt").is_some_and(|kind| kind.is_some()), "{required} {both}");
        let not_bound = required.then_some(Some("not_sender_constrained"));
        assert_eq!(kind("d03_not_bound"), not_bound, "{required} {both}");
    }
}

#[test]
fn the_defaults_pass_all() {
    let report = report(|builder| builder);
    assert_eq!(loosened(&report), []);
    let passed = report.with_outcome(SelfTestOutcome::Passed).count();
    assert!(passed > 150, "{passed}");
    assert_eq!(
        report.to_string(),
        format!("self-test: {passed} passed, 0 loosened by a setting, 0 failed")
    );
    let kind = |name| report.iter().find(|case| case.name() == name).unwrap().kind();
    assert_eq!(kind("valid"), None);
    assert_eq!(kind("a02_alg_none_upper_case"), Some("unsigned"));
    assert_eq!(kind("a13_signature_of_nobody"), Some("signature"));
    assert_eq!(kind("c05_aud_number"), Some("malformed_claims"));
    assert_eq!(kind("c11_cnf_jkt"), Some("sender_constrained"));
    assert_eq!(kind("f02_padding_payload"), Some("malformed_token"));
}

#[test]
fn each_algorithm_passes() {
    for algorithm in
        Algorithm::ALL.iter().filter(|it| cfg!(feature = "aws_lc_rs") || **it != Algorithm::ES512)
    {
        let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE);
        let report = builder.keys(key(*algorithm).key()).build().unwrap().self_test();
        assert_eq!(loosened(&report), [], "{algorithm}");
    }
}

#[test]
fn what_a_setting_loosens_is_named() {
    let aud = report(VerifierBuilder::any_audience);
    assert_eq!(settings(&aud), ["any_audience"]);
    assert!(loosened(&aud).contains(&("any_audience", "c05_aud_missing")));
    let number = aud.iter().find(|case| case.name() == "c05_aud_number").unwrap();
    assert_eq!(number.outcome(), SelfTestOutcome::Passed, "its type is still checked");
    assert!(aud.to_string().contains("\nloosened by any_audience: c05_aud_missing, "), "{aud}");

    assert_eq!(settings(&report(VerifierBuilder::any_issuer)), ["any_issuer"]);
    assert_eq!(settings(&report(VerifierBuilder::any_events)), ["any_events"]);
    assert_eq!(
        settings(&report(|builder| builder.dangerous().ignore_confirmation())),
        ["ignore_confirmation"]
    );
    assert_eq!(
        loosened(&report(VerifierBuilder::any_padding)),
        [("any_padding", "f02_padding_all_parts")]
    );
    assert_eq!(
        loosened(&report(VerifierBuilder::any_integer_subject)),
        [("any_integer_subject", "c06_sub_number")]
    );
    assert_eq!(settings(&report(VerifierBuilder::without_subject)), ["without_subject"]);
    assert_eq!(
        loosened(&report(|builder| builder.token_types(["at+jwt", "logout+jwt"]))),
        [("token_types", "a10_logout_token")]
    );
    let day = Duration::from_secs(24 * 60 * 60);
    let leeway = report(|builder| builder.dangerous().any_leeway(day));
    assert_eq!(
        loosened(&leeway),
        [
            ("any_leeway", "c01_exp_an_hour_ago"),
            ("any_leeway", "c01_exp_past_the_leeway"),
            ("any_leeway", "c01_exp_fraction_past"),
            ("any_leeway", "c02_nbf_in_an_hour"),
            ("any_leeway", "c02_nbf_fraction"),
            ("any_leeway", "c03_iat_in_an_hour"),
        ]
    );
    // Little more than the longest that is usual.
    let leeway = report(|builder| builder.dangerous().any_leeway(Duration::from_secs(600)));
    assert_eq!(loosened(&leeway), [("any_leeway", "c01_exp_past_the_leeway")]);
    let expiry = report(|builder| builder.dangerous().without_expiry(day));
    assert_eq!(settings(&expiry), ["without_expiry"]);
}

#[test]
fn a_public_key_as_a_shared_secret_fails() {
    for algorithm in [Algorithm::ES256, Algorithm::EdDSA] {
        let public = key(algorithm);
        let number = public.jwk()["x"].as_str().unwrap().to_owned();
        let with = |secret: Key| {
            let keys = [public.key(), secret.with_kid("secret")];
            let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE);
            builder.keys(keys).build().unwrap().self_test()
        };
        let report = with(Key::hs256(number).unwrap());
        let failed: Vec<_> = report.with_outcome(SelfTestOutcome::Failed).collect();
        assert_eq!(failed.len(), 1, "{report}");
        assert_eq!((failed[0].name(), failed[0].kind()), ("a03_hs256_public_key", None));
        // Another secret is no fault.
        let report = with(Key::hs256([7; 32]).unwrap());
        assert_eq!(loosened(&report), []);
        let case = report.iter().find(|case| case.name() == "a03_hs256_public_key").unwrap();
        assert_eq!(case.kind(), Some("signature"));
    }
    let only_secret =
        Verifier::builder().issuer(ISSUER).audience(AUDIENCE).keys(Key::hs256([7; 32]));
    let report = only_secret.build().unwrap().self_test();
    assert!(report.iter().all(|case| case.name() != "a03_hs256_public_key"));
}

#[test]
fn rules_that_are_added_are_tested() {
    let report = report(|builder| {
        builder
            .access_tokens_only()
            .client_id("my-app")
            .required_claim("tenant")
            .required_header("signer", "arn:\"1\"")
            .required_header("region", "eu")
            .max_age(Duration::from_secs(600))
            .audience("https://api.example.com/")
    });
    assert_eq!(loosened(&report), []);
    for (name, kind) in [
        ("a09_required_parameter", "header_parameter"),
        ("a10_typ_jwt", "token_type"),
        ("a10_typ_missing", "token_type"),
        ("c03_iat_too_old", "too_old"),
        ("c06_client_other", "client"),
        ("c06_required_claim", "missing_claim"),
        ("t12_too_long", "token_too_long"),
    ] {
        let case = report.iter().find(|case| case.name() == name).unwrap();
        assert_eq!(case.kind(), Some(kind), "{name}");
    }
}

#[test]
fn names_that_are_trusted_are_no_attacks() {
    let slash = |name: &str| format!("{}/", name.trim_end_matches('/'));
    let report = report(|builder| builder.issuer(slash(ISSUER)).audience(slash(AUDIENCE)));
    assert_eq!(loosened(&report), []);
    // One of the services that an attack names.
    let report = self::report(|builder| builder.audience("https://another-api.test"));
    assert_eq!(loosened(&report), []);
}

#[test]
fn a_verifier_that_cannot_accept_anything_fails() {
    let report = report(|builder| builder.clock(BeforeTime));
    assert!(!report.is_passed());
    assert_eq!(report.iter().count(), 1);
    let text = report.to_string();
    assert!(
        text.contains(
            "\nvalid: a token that satisfies all rules is accepted\n  failed: refused as clock"
        ),
        "{text}"
    );

    let report = builder().max_token_len(100).build().unwrap().self_test();
    assert!(report.to_string().contains("token_too_long"), "{report}");
}

#[tokio::test]
async fn it_asks_nobody_and_touches_nothing() {
    let asked = Arc::new(AtomicUsize::new(0));
    let (rule, later) = (Arc::clone(&asked), Arc::clone(&asked));
    let verifier = builder()
        .rule(move |_: &Claims| {
            rule.fetch_add(1, Ordering::Relaxed);
            Err(RuleError::refuse("nobody"))
        })
        .async_rule(move |_: Claims<RegisteredClaims>| {
            later.fetch_add(1, Ordering::Relaxed);
            async { Ok(()) }
        })
        .build()
        .unwrap();
    let began = Instant::now();
    assert!(verifier.self_test().is_passed());
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn issuers_are_tested_each_and_at_most_16() {
    let issuers = Issuers::builder().build().unwrap();
    let empty = issuers.verifier().self_test();
    assert!(empty.iter().count() == 0 && !empty.is_passed(), "nothing was tested");
    for n in 10..30 {
        let issuer = format!("https://issuer-{n}.example.com");
        let builder = Verifier::builder().issuer(issuer).keys(Key::hs256([n; 32]));
        let builder = if n == 11 { builder.any_audience() } else { builder.audience(AUDIENCE) };
        issuers.add(builder.build().unwrap()).unwrap();
    }
    let report = issuers.verifier().self_test();
    assert!(report.is_passed(), "{report}");
    assert_eq!(report.left_out(), 4);
    let valid: Vec<_> = report
        .iter()
        .filter(|case| case.name() == "valid")
        .map(|case| case.place().unwrap())
        .collect();
    assert_eq!((valid.len(), valid[0]), (16, "https://issuer-10.example.com"));
    for case in report.with_outcome(SelfTestOutcome::Loosened) {
        assert_eq!(case.place(), Some("https://issuer-11.example.com"));
    }
}
