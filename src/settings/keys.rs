//! The keys that the settings name, or that they say where to find.

use std::{fmt, fs::File, io::Read, path::Path};

use base64_simd::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::{fetched, table::Table};
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
            self.hmac_secret_file.is_some(),
            self.jwks_url.is_some(),
        ];
        if sources.into_iter().filter(|set| *set).count() > 1 {
            return Err(ConfigError::Settings(
                "set at most one of `jwks_url`, `public_key`, `public_key_file`, `hmac_secret` \
                 and `hmac_secret_file`"
                    .into(),
            ));
        }
        if let Some(pem) = &self.public_key {
            return Key::from_pem(pem).into_key_source();
        }
        if let Some(file) = &self.public_key_file {
            return Key::from_pem(&*read("public_key_file", file)?).into_key_source();
        }
        if let Some(secret) = &self.hmac_secret {
            let secret = secret.expose().as_bytes();
            return self.secret_keys("hmac_secret", secret)?.into_key_source();
        }
        if let Some(file) = &self.hmac_secret_file {
            let secret = read("hmac_secret_file", file)?;
            return self
                .secret_keys("hmac_secret_file", secret.trim_ascii_end())?
                .into_key_source();
        }
        fetched::keys(self).await
    }

    /// The secret as a key of each allowed algorithm; of HS256 if `algorithms` is not set.
    fn secret_keys(&self, setting: &str, base64url: &[u8]) -> Result<Vec<Key>, ConfigError> {
        let bytes = secret_bytes(setting, base64url)?;
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
            Ok(keys) if keys.is_empty() => Err(ConfigError::Settings(format!(
                "no algorithm in `algorithms` uses `{setting}`, add HS256"
            ))),
            keys => keys,
        }
    }
}

/// The bytes of a secret that is written as base64url, with padding or without.
pub(super) fn secret_bytes(
    setting: &str,
    base64url: &[u8],
) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
    let padding = base64url.iter().rev().take_while(|byte| **byte == b'=').count();
    let base64url = &base64url[..base64url.len() - padding];
    let bytes = URL_SAFE_NO_PAD.decode_to_vec(base64url).map(Zeroizing::new);
    bytes.map_err(|_| ConfigError::Settings(format!("`{setting}` is not base64url")))
}

/// Reads the file that a setting names.
pub(super) fn read(setting: &str, path: &Path) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
    // With room for all of it, so that no part of a secret stays behind in memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST_OF_A_FILE + 1));
    let refuse = |why: fmt::Arguments<'_>| {
        let path = path.display();
        Err(ConfigError::Settings(format!("`{setting}`: the file {path} {why}")))
    };
    let file = File::open(path);
    match file.and_then(|file| file.take(MOST_OF_A_FILE as u64 + 1).read_to_end(&mut bytes)) {
        Err(error) => refuse(format_args!("cannot be read: {error}")),
        Ok(0) => refuse(format_args!("is empty")),
        Ok(length) if length > MOST_OF_A_FILE => refuse(format_args!("is longer than 64 KiB")),
        Ok(_) => Ok(bytes),
    }
}

const MOST_OF_A_FILE: usize = 64 * 1024;
