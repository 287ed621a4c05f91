//! The names that the document lists: authorization servers and scopes.

use super::url::canonical;
use crate::{http_url, scope_hierarchy::is_scope, verifier::Accepted};

/// An authorization server that was named.
pub(super) struct Server {
    pub(super) issuer: String,
    /// Whether its name must be an issuer that is trusted.
    pub(super) is_issuer: bool,
}

/// The authorization servers: those that were named, or the issuers that are trusted, as far as they
/// are URLs.
pub(super) fn authorization_servers(
    accepted: &Accepted,
    named: &[Server],
    are_left_out: bool,
) -> Result<Vec<String>, String> {
    if are_left_out {
        return match named.first() {
            Some(_) => Err("`.without_authorization_servers()` leaves no server to name".into()),
            None => Ok(Vec::new()),
        };
    }
    let mut servers = Vec::new();
    for Server { issuer, is_issuer } in named {
        check_server(accepted, issuer, *is_issuer)?;
        servers.push(issuer.clone());
    }
    if named.is_empty() {
        let issuers = accepted.issuers.iter().flatten();
        servers.extend(issuers.filter(|issuer| is_issuer_url(issuer)).cloned());
    }
    if servers.is_empty() {
        return Err(
            "the verifier knows no issuer that is a URL: name the authorization server with \
                    `.authorization_server(\"https://…\")`, or say \
                    `.without_authorization_servers()`"
                .into(),
        );
    }
    Ok(without_doubles(servers))
}

fn check_server(accepted: &Accepted, issuer: &str, is_issuer: bool) -> Result<(), String> {
    if !is_issuer_url(issuer) {
        return Err(format!(
            "the authorization server `{issuer}` is not a URL without a query and a fragment"
        ));
    }
    if !is_issuer && canonical(issuer).is_err() {
        return Err(format!(
            "the authorization server `{issuer}` must be `https`; `http` is for loopback only"
        ));
    }
    if is_issuer && !accepted.trusts(issuer) {
        return Err(format!(
            "the verifier does not trust the authorization server `{issuer}`, and would refuse its \
             tokens: write it as in `.issuer(…)`, to the last slash; if its tokens have another \
             `iss`, say `.authorization_server_of_other_issuer(…)`"
        ));
    }
    Ok(())
}

/// Whether an issuer identifier is a URL (RFC 8414 §2). `http` is what the verifier trusts.
fn is_issuer_url(issuer: &str) -> bool {
    http_url::parse(issuer).is_some_and(|address| !address.has_more)
}

/// The scopes, each once.
pub(super) fn scopes(scopes: Vec<String>) -> Result<Vec<String>, String> {
    for scope in &scopes {
        if !is_scope(scope) {
            return Err(format!(
                "{scope:?} is not a scope: one has no blanks, quotes and backslashes, and is ASCII"
            ));
        }
        if scope == "offline_access" {
            return Err(
                "`offline_access` asks the authorization server for a refresh token, and is \
                        not a scope of this service: leave it out"
                    .into(),
            );
        }
    }
    Ok(without_doubles(scopes))
}

pub(super) fn without_doubles(names: Vec<String>) -> Vec<String> {
    let mut once: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        if !once.contains(&name) {
            once.push(name);
        }
    }
    once
}
