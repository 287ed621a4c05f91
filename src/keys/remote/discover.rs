//! Finds the URL of an issuer's keys (OpenID Connect Discovery 1.0 §4, RFC 8414 §3), and
//! decides which URLs may be fetched at all.

use std::borrow::Cow;

use serde::Deserialize;
use url::Url;

use super::http_hosts::{HttpHosts, is_loopback};
use crate::{
    error::{ConfigError, FetchErrorKind},
    json,
};

/// Parses a URL that keys or metadata may be fetched from: `https` or `http`, and without a
/// user, a password or a fragment. Whether its host may be asked over `http`,
/// [`HttpHosts::check`] says.
pub(super) fn address(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "it is no URL, write it as `https://…`")?;
    if url.host().is_none() {
        return Err("it has no host");
    }
    if !matches!(url.scheme(), "https" | "http") {
        return Err("its scheme is not `https`");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it has a user or a password in it");
    }
    if url.fragment().is_some() {
        return Err("it has a fragment");
    }
    Ok(url)
}

/// Parses an issuer as the URL that its metadata is found by.
pub(super) fn issuer(text: &str) -> Result<Url, ConfigError> {
    let url = address(text).map_err(|what| ConfigError::InvalidUrl(what.into()))?;
    let path = url.path().trim_end_matches('/');
    if path.ends_with(OPENID_CONFIGURATION) || path.starts_with(OAUTH_METADATA) {
        return Err(ConfigError::InvalidUrl(
            "it is that of an issuer's metadata: configure the issuer itself, which is the \
             `issuer` in that document, without `/.well-known/…`"
                .into(),
        ));
    }
    match url.query() {
        None => Ok(url),
        Some(_) => Err(ConfigError::InvalidUrl(
            "an issuer to discover has no query: leave the query out, or name the keys and the \
             `iss` of their tokens with `RemoteKeys::at(…).issuer(…)`"
                .into(),
        )),
    }
}

/// The URLs of the issuer's metadata, in the order to try: after its path (OpenID Connect
/// Discovery §4.1), and between host and path (RFC 8414 §3.1).
pub(super) fn metadata_urls(issuer: &Url) -> [Url; 2] {
    // Both texts say that "any terminating / is removed first".
    let path = issuer.path().trim_end_matches('/');
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url
    };
    [at(format!("{path}{OPENID_CONFIGURATION}")), at(format!("{OAUTH_METADATA}{path}"))]
}

/// The URL of the keys in the metadata of this issuer. It must be `https` if the issuer is.
pub(super) fn keys_url(
    document: &[u8],
    issuer: &str,
    issuer_url: &Url,
    http_hosts: &HttpHosts,
) -> Result<Url, FetchErrorKind> {
    #[derive(Deserialize)]
    struct Metadata {
        issuer: String,
        jwks_uri: String,
    }
    let metadata = std::str::from_utf8(json::without_mark(document))
        .ok()
        .and_then(json::object::<Metadata>)
        .ok_or(FetchErrorKind::NotMetadata)?;
    if metadata.issuer != issuer {
        let found = metadata.issuer.chars().take(LONGEST_SHOWN).collect::<String>().into();
        let is_shown = metadata.jwks_uri.len() <= LONGEST_SHOWN;
        let keys_url = address(&metadata.jwks_uri).ok().filter(|_| is_shown);
        let keys_url = keys_url.map(|url| String::from(url).into());
        return Err(FetchErrorKind::Issuer { found, keys_url });
    }
    let refused = |what: Cow<'static, str>| Err(FetchErrorKind::KeysUrl(what));
    match address(&metadata.jwks_uri) {
        Ok(url) if url.scheme() == "http" && issuer_url.scheme() != "http" => {
            refused("it is `http`, and the issuer is `https`".into())
        }
        // Over `http`, another machine does not say what to fetch from this one.
        Ok(url)
            if url.scheme() == "http"
                && is_loopback(&url)
                && !is_loopback(issuer_url)
                && !http_hosts.lists(&url) =>
        {
            refused("it is on loopback, and the issuer is not".into())
        }
        Ok(url) => match http_hosts.check(&url) {
            Ok(()) => Ok(url),
            Err(what) => refused(what.into()),
        },
        Err(what) => refused(what.into()),
    }
}

const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";

const OAUTH_METADATA: &str = "/.well-known/oauth-authorization-server";

/// The most characters of a document that an error shows.
const LONGEST_SHOWN: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(text: &str) -> [String; 2] {
        metadata_urls(&issuer(text).unwrap()).map(String::from)
    }

    #[test]
    fn metadata_stands_behind_the_path_or_before_it() {
        assert_eq!(
            urls("https://login.example.com"),
            [
                "https://login.example.com/.well-known/openid-configuration",
                "https://login.example.com/.well-known/oauth-authorization-server",
            ]
        );
        let with_path = [
            "https://login.example.com/realms/one/.well-known/openid-configuration",
            "https://login.example.com/.well-known/oauth-authorization-server/realms/one",
        ];
        assert_eq!(urls("https://login.example.com/realms/one"), with_path);
        assert_eq!(urls("https://login.example.com/realms/one/"), with_path);
    }

    #[test]
    fn the_address_of_metadata_is_not_an_issuer() {
        for text in [
            "https://login.example.com/.well-known/openid-configuration",
            "https://login.example.com/realms/one/.well-known/openid-configuration/",
            "https://login.example.com/.well-known/oauth-authorization-server",
            "https://login.example.com/.well-known/oauth-authorization-server/realms/one",
        ] {
            let error = issuer(text).unwrap_err().to_string();
            assert!(error.contains("without `/.well-known/…`"), "{error}");
        }
    }

    #[test]
    fn j03_addresses_are_https_or_on_this_machine() {
        let hosts = HttpHosts::default();
        let address = |text: &str| -> Result<Url, String> {
            let url = address(text)?;
            hosts.check(&url).map(|()| url)
        };
        for good in [
            "https://login.example.com/jwks?v=1",
            "https://10.0.0.1/jwks",
            "http://localhost:3000",
            "http://127.1.2.3/jwks",
            "http://[::1]:80/jwks",
        ] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/jwks",
            "login.example.com/jwks",
            "http://login.example.com/jwks",
            "http://localhost.example.com/jwks",
            "http://127.0.0.1.example.com/",
            "http://0.0.0.0/jwks",
            "http://169.254.169.254/latest",
            "file:///etc/passwd",
            "ftp://localhost/jwks",
            "data:application/json,{}",
            "https://user@login.example.com/",
            "https://user:password@login.example.com/",
            "https://login.example.com/#keys",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
        assert!(issuer("https://login.example.com/?tenant=1").is_err());
    }

    #[test]
    fn j04_the_issuer_is_the_same_to_the_letter() {
        const ISSUER: &str = "https://login.example.com";
        let read = |issuer: &str, jwks_uri: &str| {
            let document = format!(r#"{{"x":[],"issuer":"{issuer}","jwks_uri":"{jwks_uri}"}}"#);
            let hosts = HttpHosts::default();
            keys_url(document.as_bytes(), ISSUER, &super::issuer(ISSUER).unwrap(), &hosts)
        };
        assert!(read(ISSUER, "https://keys.example.com/jwks").is_ok());
        for other in [
            "https://login.example.com/",
            "https://LOGIN.example.com",
            "http://login.example.com",
            "https://login.example.com.evil.example",
            "",
        ] {
            let error = read(other, "https://keys.example.com/jwks").unwrap_err();
            let keys_url = Some("https://keys.example.com/jwks".into());
            assert_eq!(error, FetchErrorKind::Issuer { found: other.into(), keys_url });
        }
        for bad in [
            "http://keys.example.com/",
            "http://localhost/jwks",
            "file:///etc/passwd",
            "jwks",
            "https://a:b@c/",
        ] {
            assert!(matches!(read(ISSUER, bad), Err(FetchErrorKind::KeysUrl(_))), "{bad}");
        }
        for bad in [
            &b"{}"[..],
            b"[]",
            b"\xff",
            br#"{"issuer":"https://login.example.com"}"#,
            br#"{"issuer":"a","issuer":"https://login.example.com","jwks_uri":"https://a/"}"#,
        ] {
            let (url, hosts) = (super::issuer(ISSUER).unwrap(), HttpHosts::default());
            assert_eq!(keys_url(bad, ISSUER, &url, &hosts), Err(FetchErrorKind::NotMetadata));
        }
    }
    #[test]
    fn a_document_names_http_only_if_it_came_over_http_and_the_host_is_listed() {
        let mut hosts = HttpHosts::default();
        hosts.add("keycloak");
        hosts.add("keys.internal");
        let read = |issuer: &str, jwks_uri: &str| {
            let document = format!(r#"{{"issuer":"{issuer}","jwks_uri":"{jwks_uri}"}}"#);
            keys_url(document.as_bytes(), issuer, &super::issuer(issuer).unwrap(), &hosts)
        };
        for (issuer, jwks_uri, good) in [
            ("http://keycloak:8080", "http://keycloak:8080/certs", true),
            ("http://keycloak:8080", "http://keys.internal/certs", true),
            ("http://keycloak:8080", "https://sso.example.com/certs", true),
            ("http://localhost:8080", "http://keycloak/certs", true),
            ("http://localhost:8080", "http://127.0.0.1/certs", true),
            ("http://keycloak:8080", "http://other/certs", false),
            ("http://keycloak:8080", "http://sub.keycloak/certs", false),
            ("http://keycloak:8080", "http://localhost/certs", false),
            ("http://keycloak:8080", "http://169.254.169.254/certs", false),
            ("https://keycloak:8443", "http://keycloak:8080/certs", false),
            ("https://sso.example.com", "http://keycloak/certs", false),
            ("https://sso.example.com", "http://localhost/certs", false),
        ] {
            assert_eq!(read(issuer, jwks_uri).is_ok(), good, "{issuer} {jwks_uri}");
        }
        let error = read("http://keycloak:8080", "http://other/certs").unwrap_err().to_string();
        assert!(error.contains(".dangerous().http_host(\"other\")"), "{error}");
    }
}
