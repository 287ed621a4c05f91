//! Settings of keys that are fetched, in a build that cannot fetch any.

use super::table::Table;
use crate::{error::ConfigError, keys::KeySource};

/// Whether this build can do what the settings ask for.
pub(super) fn check(table: &Table) -> Result<(), ConfigError> {
    let settings = [
        ("jwks_url", table.jwks_url.is_some()),
        ("http_hosts", !table.http_hosts.is_empty()),
        ("lazy", table.lazy.0),
        ("jwks_min_refresh", table.jwks_min_refresh.is_some()),
        ("jwks_max_refresh", table.jwks_max_refresh.is_some()),
        ("jwks_default_refresh", table.jwks_default_refresh.is_some()),
        ("jwks_jitter", table.jwks_jitter.is_some()),
        ("jwks_min_retry", table.jwks_min_retry.is_some()),
        ("jwks_max_retry", table.jwks_max_retry.is_some()),
        ("jwks_cooldown", table.jwks_cooldown.is_some()),
        ("jwks_timeout", table.jwks_timeout.is_some()),
        ("jwks_connect_timeout", table.jwks_connect_timeout.is_some()),
        ("jwks_max_wait", table.jwks_max_wait.is_some()),
        ("jwks_max_stale", table.jwks_max_stale.is_some()),
        ("jwks_old_after", table.jwks_old_after.is_some()),
        ("jwks_max_body", table.jwks_max_body.is_some()),
        ("jwks_max_keys", table.jwks_max_keys.is_some()),
    ];
    match settings.into_iter().find(|(_, is_set)| *is_set) {
        Some((name, _)) => Err(ConfigError::Settings(format!(
            "`{name}` requires the feature `remote` of tower-jwt-auth, enable it or leave the \
             setting out"
        ))),
        None => Ok(()),
    }
}

/// There is no key without the feature.
pub(super) async fn keys(_: &Table) -> Result<KeySource, ConfigError> {
    Err(ConfigError::Settings(
        "no key is set, set `public_key_file` or `hmac_secret_file`; to fetch the keys of the \
         issuer, enable the feature `remote` of tower-jwt-auth"
            .into(),
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use crate::settings::Settings;

    /// The error of these settings, if there is one.
    async fn refused(mut settings: Value) -> Option<String> {
        settings["issuer"] = json!("https://login.example.com");
        settings["audience"] = json!("https://api.example.com");
        let settings: Settings = from_value(settings).unwrap();
        settings.verifier().await.err().map(|error| error.to_string())
    }

    #[tokio::test]
    async fn settings_of_fetched_keys_name_the_feature() {
        let secret = "WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo";
        assert_eq!(refused(json!({"hmac_secret": secret, "lazy": false})).await, None);
        for (name, value) in [
            ("jwks_url", json!("https://login.example.com/keys")),
            ("http_hosts", json!("keycloak")),
            ("lazy", json!(true)),
            ("jwks_min_refresh", json!("1m")),
            ("jwks_max_refresh", json!("1h")),
            ("jwks_default_refresh", json!("10m")),
            ("jwks_jitter", json!(0.1)),
            ("jwks_min_retry", json!(1)),
            ("jwks_max_retry", json!(60)),
            ("jwks_cooldown", json!(5)),
            ("jwks_timeout", json!(5)),
            ("jwks_connect_timeout", json!(2)),
            ("jwks_max_wait", json!(5)),
            ("jwks_max_stale", json!("12h")),
            ("jwks_old_after", json!("90 days")),
            ("jwks_max_body", json!(65536)),
            ("jwks_max_keys", json!(100)),
        ] {
            for settings in [json!({name: value}), json!({"hmac_secret": secret, name: value})] {
                let error = refused(settings).await.unwrap();
                assert!(error.starts_with(&format!("`{name}` requires the feature")), "{error}");
            }
        }
        let error = refused(json!({})).await.unwrap();
        assert!(error.starts_with("no key is set") && error.contains("`remote`"), "{error}");
    }
}
