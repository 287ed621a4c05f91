//! Attacks on routes that take tokens with DPoP proofs.

mod handwritten;
mod routers;
mod service;

use std::collections::HashSet;

use tower_jwt_auth::testing::{AttackRun, TestIssuer};

use super::routers::names;

/// The public URL of the services.
const URL: &str = "https://api.example.com";

fn run() -> AttackRun {
    AttackRun::new(&TestIssuer::new()).dpop(URL)
}

/// A set of names.
fn set<'n>(names: impl IntoIterator<Item = &'n str>) -> HashSet<String> {
    names.into_iter().map(str::to_owned).collect()
}
