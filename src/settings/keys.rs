//! The keys that the settings name, or that they say where to find.

use base64_simd::URL_SAFE_NO_PAD;

use super::{fetched, table::Table, text::SecretText};
use crate::{
    alg::Algorithm,
    error::ConfigError,
    keys::{IntoKeySource, Key, KeySource},
};

impl Table {
    /// The source of the keys, of which there is only one.
    pub(super) async fn keys(&self) -> Result<KeySource, ConfigError> {
        fetched::check(self)?;
        let sources = [
            self.public_key.is_some(),
            self.public_key_file.is_some(),
            self.hmac_secret.is_some(),
            self.jwks_url.is_some(),
        ];
        if sources.into_iter().filter(|set| *set).count() > 1 {
            return Err(ConfigError::Settings(
                "set at most one of `jwks_url`, `public_key`, `public_key_file` and `hmac_secret`"
                    .into(),
            ));
        }
        if let Some(pem) = &self.public_key {
            return Key::from_pem(pem).into_key_source();
        }
        if let Some(file) = &self.public_key_file {
            let pem = std::fs::read(file).map_err(|error| {
                let file = file.display();
                ConfigError::Settings(format!("the key file {file} cannot be read: {error}"))
            })?;
            return Key::from_pem(pem).into_key_source();
        }
        if let Some(secret) = &self.hmac_secret {
            return self.secret_keys(secret)?.into_key_source();
        }
        fetched::keys(self).await
    }

    /// The secret as a key of each allowed algorithm; of HS256 if `algorithms` is not set.
    fn secret_keys(&self, secret: &SecretText) -> Result<Vec<Key>, ConfigError> {
        let text = secret.expose().trim_end_matches('=');
        let bytes = URL_SAFE_NO_PAD
            .decode_to_vec(text)
            .map(zeroize::Zeroizing::new)
            .map_err(|_| ConfigError::Settings("`hmac_secret` is not base64url".into()))?;
        let named = self.algorithms.as_ref().map(|list| list.iter().copied().collect::<Vec<_>>());
        let keys: Result<Vec<_>, _> = named
            .unwrap_or_else(|| vec![Algorithm::HS256])
            .into_iter()
            .filter_map(|algorithm| match algorithm {
                Algorithm::HS256 => Some(Key::hs256(&*bytes)),
                Algorithm::HS384 => Some(Key::hs384(&*bytes)),
                Algorithm::HS512 => Some(Key::hs512(&*bytes)),
                // An algorithm that does not use a secret.
                _ => None,
            })
            .collect();
        match keys {
            Ok(keys) if keys.is_empty() => Err(ConfigError::Settings(
                "no algorithm in `algorithms` uses `hmac_secret`, add HS256".into(),
            )),
            keys => keys,
        }
    }
}
