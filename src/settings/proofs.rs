//! The proofs of senders that the settings ask for.

use zeroize::Zeroizing;

use super::{
    contradiction,
    keys::{read, secret_bytes},
    table::Table,
    text::{Span, Text},
};
use crate::{
    error::ConfigError,
    proof::{DPoP, MemoryReplayStore, MutualTls, Nonces, ProxyHeader},
};

impl Table {
    /// The check of DPoP proofs, if it is set.
    pub(super) fn dpop(&self) -> Result<Option<DPoP>, ConfigError> {
        let Some(Text(mode)) = &self.dpop else {
            let others = [
                ("dpop_algorithms", self.dpop_algorithms.is_some()),
                ("dpop_max_age", self.dpop_max_age.is_some()),
                ("dpop_nonce_secret", self.dpop_nonce_secret.is_some()),
                ("dpop_nonce_secret_file", self.dpop_nonce_secret_file.is_some()),
            ];
            return match others.into_iter().find(|(_, is_set)| *is_set) {
                Some((name, _)) => contradiction(&format!("`{name}` is set, set `dpop`, too")),
                None => Ok(None),
            };
        };
        let mut builder = match &**mode {
            "optional" => DPoP::optional(),
            "required" => DPoP::required(),
            _ => return contradiction("`dpop` is `optional` or `required`"),
        };
        let Some(url) = &self.public_origin else {
            return contradiction(
                "`dpop` needs `public_origin`, the origin at which clients reach this service",
            );
        };
        builder = builder.public_url(url).replay_store(MemoryReplayStore::new());
        if let Some(algorithms) = &self.dpop_algorithms {
            builder = builder.algorithms(algorithms.iter().copied());
        }
        if let Some(Span(age)) = self.dpop_max_age {
            builder = builder.max_age(age);
        }
        let secrets = match (&self.dpop_nonce_secret, &self.dpop_nonce_secret_file) {
            (Some(_), Some(_)) => {
                return contradiction(
                    "set at most one of `dpop_nonce_secret` and `dpop_nonce_secret_file`",
                );
            }
            (Some(secrets), None) => {
                Some(nonce_secrets("dpop_nonce_secret", secrets.expose().as_bytes())?)
            }
            (None, Some(file)) => {
                let secrets = read("dpop_nonce_secret_file", file)?;
                Some(nonce_secrets("dpop_nonce_secret_file", &secrets)?)
            }
            (None, None) => None,
        };
        if let Some(secrets) = secrets {
            let secrets = secrets.iter().map(|secret| &**secret);
            builder = builder.nonces(Nonces::with_secrets(secrets)?);
        }
        builder.build().map(Some)
    }

    /// The check of client certificates, if it is set.
    pub(super) fn mutual_tls(&self) -> Result<Option<MutualTls>, ConfigError> {
        let header = self.client_certificate_header.as_ref();
        let mut builder = match self.mutual_tls.as_ref().map(|Text(mode)| &**mode) {
            Some("optional") => MutualTls::optional(),
            Some("required") => MutualTls::required(),
            Some(_) => return contradiction("`mutual_tls` is `optional` or `required`"),
            None if header.is_some() => MutualTls::optional(),
            None if !self.trusted_proxy.is_empty() => {
                return contradiction(
                    "`trusted_proxy` is set, set `client_certificate_header`, too",
                );
            }
            None => return Ok(None),
        };
        match header {
            Some(_) if self.trusted_proxy.is_empty() => {
                return contradiction(
                    "`client_certificate_header` needs `trusted_proxy`, the networks of the \
                     proxies that set it",
                );
            }
            Some(Text(name)) => builder = builder.proxy_header(ProxyHeader::known_as(name)),
            None if !self.trusted_proxy.is_empty() => {
                return contradiction(
                    "`trusted_proxy` is set, set `client_certificate_header`, too",
                );
            }
            None => {}
        }
        builder.trusted_proxies(self.trusted_proxy.iter()).build().map(Some)
    }
}

/// The secrets of nonces, with commas or white space between them.
fn nonce_secrets(setting: &str, texts: &[u8]) -> Result<Vec<Zeroizing<Vec<u8>>>, ConfigError> {
    texts
        .split(|byte| *byte == b',' || byte.is_ascii_whitespace())
        .filter(|text| !text.is_empty())
        .map(|text| secret_bytes(setting, text))
        .collect()
}
