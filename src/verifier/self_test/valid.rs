//! A header and claims that satisfy all rules of a verifier.

use super::super::pipeline::Checks;
use crate::{
    alg::Algorithm,
    attack::Members,
    claims::Confirmation,
    digest::Thumbprint,
    proof::{DPoP, MutualTls},
    rules::Types,
};

/// A header that satisfies all rules.
pub(super) fn header(checks: &Checks) -> Members {
    let mut header = Members::default();
    header.set_text(
        "typ",
        match &checks.rules.types {
            Types::Only(types) => types.first().map_or("at+jwt", |first| first),
            Types::Usual => "at+jwt",
        },
    );
    let algorithm = Algorithm::ALL.iter().find(|one| checks.algorithms.contains(**one));
    header.set_text("alg", algorithm.unwrap_or(&Algorithm::ES256).name());
    for (name, values) in checks.required_header.iter() {
        header.set_text(name, values.first().map_or("", |first| first));
    }
    header
}

/// Claims that satisfy all rules.
pub(super) fn claims(checks: &Checks, issuer: &str, audience: &str, now: i64) -> Members {
    let client = checks.clients.first().map_or("client", |first| first);
    let mut claims = Members::default();
    for (name, value) in [
        ("iss", issuer),
        ("sub", "user"),
        ("aud", audience),
        ("client_id", client),
        ("jti", "self-test"),
    ] {
        claims.set_text(name, value);
    }
    // Before 1970, the clock is at fault, and not the claims.
    let now = now.max(0);
    claims.set("exp", now.saturating_add(QUARTER).to_string());
    claims.set("iat", now.to_string());
    for name in &checks.rules.required {
        if claims.json(name).is_none() {
            match &**name {
                "nbf" => claims.set(name, now.to_string()),
                "events" | "cnf" => claims.set(name, "{}"),
                _ => claims.set_text(name, "self-test"),
            }
        }
    }
    let proofs = checks.bindings.proofs();
    let required = [
        ("jkt", proofs.dpop.as_ref().is_some_and(DPoP::is_required)),
        ("x5t#S256", proofs.mutual_tls.as_ref().is_some_and(MutualTls::is_required)),
    ];
    let methods: Vec<_> = required.iter().filter(|(_, is_required)| *is_required).collect();
    if !methods.is_empty() {
        let methods = methods.iter().map(|(name, _)| format!("\"{name}\":\"{OWN}\""));
        claims.set("cnf", format!("{{{}}}", methods.collect::<Vec<_>>().join(",")));
    }
    claims
}

/// Whether all methods of a confirmation are those of the claims here. The self-test has their proofs,
/// and no others.
pub(super) fn is_own(confirmation: &Confirmation) -> bool {
    let own = Thumbprint::from_base64url(OWN);
    let methods = [confirmation.jkt, confirmation.x5t_s256];
    methods.into_iter().flatten().all(|method| Some(method) == own)
}

/// A thumbprint of 32 zeros.
const OWN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// In seconds.
const QUARTER: i64 = 15 * 60;
