//! The settings as an operator writes them.

use std::path::PathBuf;

use serde::Deserialize;

use super::{
    hierarchy::Hierarchy,
    number::{Flag, Number},
    shadow::Shadow,
    text::{List, SecretText, Span, Text},
};
use crate::alg::Algorithm;

/// The settings by their names; each is described in the documentation of the module.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub(super) issuer: String,
    #[serde(default)]
    pub(super) audience: List,
    #[serde(default)]
    pub(super) any_audience: Flag,
    #[serde(default)]
    pub(super) client_id: List,
    pub(super) jwks_url: Option<String>,
    #[serde(default)]
    pub(super) http_hosts: List,
    pub(super) public_key: Option<String>,
    pub(super) public_key_file: Option<PathBuf>,
    pub(super) hmac_secret: Option<SecretText>,
    pub(super) hmac_secret_file: Option<PathBuf>,
    pub(super) algorithms: Option<List<Algorithm>>,
    pub(super) leeway: Option<Span>,
    pub(super) max_age: Option<Span>,
    #[serde(default)]
    pub(super) access_tokens_only: Flag,
    pub(super) token_type: Option<List>,
    #[serde(default)]
    pub(super) required_claim: List,
    #[serde(default)]
    pub(super) without_subject: Flag,
    #[serde(default)]
    pub(super) shadow: Shadow,
    pub(super) max_token_len: Option<Number<usize>>,
    pub(super) cache_bytes: Option<Number<usize>>,
    pub(super) token_cookie: Option<Text>,
    pub(super) public_origin: Option<String>,
    #[serde(default)]
    pub(super) trusted_origin: List,
    pub(super) dpop: Option<Text>,
    pub(super) dpop_algorithms: Option<List<Algorithm>>,
    pub(super) dpop_max_age: Option<Span>,
    pub(super) dpop_nonce_secret: Option<SecretText>,
    pub(super) dpop_nonce_secret_file: Option<PathBuf>,
    pub(super) mutual_tls: Option<Text>,
    pub(super) client_certificate_header: Option<Text>,
    #[serde(default)]
    pub(super) trusted_proxy: List,
    pub(super) realm: Option<Text>,
    #[serde(default)]
    pub(super) scope_hierarchy: Hierarchy,
    #[serde(default)]
    pub(super) base_scopes: List,
    pub(super) resource: Option<String>,
    pub(super) resource_name: Option<Text>,
    pub(super) resource_documentation: Option<String>,
    pub(super) resource_policy_uri: Option<String>,
    pub(super) resource_tos_uri: Option<String>,
    #[serde(default)]
    pub(super) scopes_supported: List,
    #[serde(default)]
    pub(super) authorization_servers: List,
    #[serde(default)]
    pub(super) lazy: Flag,
    pub(super) jwks_min_refresh: Option<Span>,
    pub(super) jwks_max_refresh: Option<Span>,
    pub(super) jwks_default_refresh: Option<Span>,
    pub(super) jwks_jitter: Option<Number<f64>>,
    pub(super) jwks_min_retry: Option<Span>,
    pub(super) jwks_max_retry: Option<Span>,
    pub(super) jwks_cooldown: Option<Span>,
    pub(super) jwks_timeout: Option<Span>,
    pub(super) jwks_connect_timeout: Option<Span>,
    pub(super) jwks_max_wait: Option<Span>,
    pub(super) jwks_max_stale: Option<Span>,
    pub(super) jwks_old_after: Option<Span>,
    pub(super) jwks_max_body: Option<Number<usize>>,
    pub(super) jwks_max_keys: Option<Number<usize>>,
}
