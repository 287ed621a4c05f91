//! Settings of keys that are fetched.

use super::{number::Number, table::Table, text::Span};
use crate::{
    error::ConfigError,
    keys::{
        IntoKeySource, KeySource,
        remote::{
            DEFAULT_REFRESH, FIRST_RETRY, LAST_RETRY, LONGEST_REFRESH, RemoteKeys,
            RemoteKeysBuilder, SHORTEST_REFRESH,
        },
    },
};

/// Whether this build can do what the settings ask for. It can.
pub(super) fn check(_: &Table) -> Result<(), ConfigError> {
    Ok(())
}

/// The keys from their address, or from where the issuer says that they are.
pub(super) async fn keys(table: &Table) -> Result<KeySource, ConfigError> {
    let keys = builder(table);
    if table.lazy.0 { keys.lazy() } else { keys.build().await }.into_key_source()
}

fn builder(table: &Table) -> RemoteKeysBuilder {
    let mut keys = match &table.jwks_url {
        Some(url) => RemoteKeys::at(url).issuer(&*table.issuer),
        None => RemoteKeys::discover(&table.issuer),
    };
    for host in table.http_hosts.iter() {
        keys = keys.dangerous().http_host(host);
    }
    let set = |span: &Option<Span>| span.as_ref().map(|span| span.0);
    if let Some(timeout) = set(&table.jwks_timeout) {
        keys = keys.timeout(timeout);
    }
    if let Some(timeout) = set(&table.jwks_connect_timeout) {
        keys = keys.connect_timeout(timeout);
    }
    if let Some(cooldown) = set(&table.jwks_cooldown) {
        keys = keys.cooldown(cooldown);
    }
    if let Some(wait) = set(&table.jwks_max_wait) {
        keys = keys.max_wait(wait);
    }
    if let Some(stale) = set(&table.jwks_max_stale) {
        keys = keys.max_stale(stale);
    }
    if let Some(age) = set(&table.jwks_old_after) {
        keys = keys.old_after(age);
    }
    if let Some(Number(bytes)) = table.jwks_max_body {
        keys = keys.max_body(bytes);
    }
    if let Some(Number(most)) = table.jwks_max_keys {
        keys = keys.max_keys(most);
    }
    if let Some(Number(part)) = table.jwks_jitter {
        keys = keys.jitter(part);
    }
    let (first, last) = (set(&table.jwks_min_retry), set(&table.jwks_max_retry));
    let first = first.unwrap_or(FIRST_RETRY.min(last.unwrap_or(FIRST_RETRY)));
    keys = keys.retry_interval(first..=last.unwrap_or(LAST_RETRY.max(first)));
    // A bound that is set moves the defaults that contradict it.
    let (shortest, longest) = (set(&table.jwks_min_refresh), set(&table.jwks_max_refresh));
    let most = longest.unwrap_or(LONGEST_REFRESH.max(shortest.unwrap_or_default()));
    let least = shortest.unwrap_or(SHORTEST_REFRESH.min(most));
    let between = set(&table.jwks_default_refresh);
    keys.refresh_interval(least..=most)
        .default_refresh(between.unwrap_or(DEFAULT_REFRESH.min(most).max(least)))
}
