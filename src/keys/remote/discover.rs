//! Finds the URL of an issuer's keys (OpenID Connect Discovery 1.0 §4, RFC 8414 §3), and
//! decides which URLs may be fetched at all.

use serde::Deserialize;
use url::{Host, Url};

use crate::{
    error::{ConfigError, FetchErrorKind},
    json,
};

/// Parses a URL that keys or metadata may be fetched from: `https`, or `http` to loopback, and
/// without a user, a password or a fragment.
pub(super) fn address(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "it is no URL, write it as `https://…`")?;
    if url.host().is_none() {
        return Err("it has no host");
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err("`http` is for loopback alone, use `https`"),
        _ => return Err("its scheme is not `https`"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it has a user or a password in it");
    }
    if url.fragment().is_some() {
        return Err("it has a fragment");
    }
    Ok(url)
}

/// Whether what is sent to this URL stays on this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Parses an issuer as the URL that its metadata is found by.
pub(super) fn issuer(text: &str) -> Result<Url, ConfigError> {
    let url = address(text).map_err(ConfigError::InvalidUrl)?;
    match url.query() {
        None => Ok(url),
        Some(_) => Err(ConfigError::InvalidUrl("an issuer to discover has no query")),
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
    [
        at(format!("{path}/.well-known/openid-configuration")),
        at(format!("/.well-known/oauth-authorization-server{path}")),
    ]
}

/// The URL of the keys in the metadata of this issuer. It must be `https` if the issuer is.
pub(super) fn keys_url(
    document: &[u8],
    issuer: &str,
    issuer_url: &Url,
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
        let found = metadata.issuer.chars().take(200).collect::<String>().into();
        return Err(FetchErrorKind::Issuer { found });
    }
    match address(&metadata.jwks_uri) {
        Ok(url) if url.scheme() == "http" && issuer_url.scheme() != "http" => {
            Err(FetchErrorKind::KeysUrl("it is `http`, and the issuer is `https`"))
        }
        Ok(url) => Ok(url),
        Err(what) => Err(FetchErrorKind::KeysUrl(what)),
    }
}

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
    fn j03_addresses_are_https_or_on_this_machine() {
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
            keys_url(document.as_bytes(), ISSUER, &super::issuer(ISSUER).unwrap())
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
            assert_eq!(error, FetchErrorKind::Issuer { found: other.into() });
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
            let url = super::issuer(ISSUER).unwrap();
            assert_eq!(keys_url(bad, ISSUER, &url), Err(FetchErrorKind::NotMetadata));
        }
    }
}
