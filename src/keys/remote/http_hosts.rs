//! The hosts that keys may be fetched from over plain `http`.

use url::{Host, Url};

use crate::error::ConfigError;

/// The hosts besides loopback that keys may be fetched from over plain `http`.
#[derive(Clone, Debug, Default)]
pub(super) struct HttpHosts {
    listed: Vec<Host>,
    /// Whether a name was given that is no host.
    is_malformed: bool,
}

impl HttpHosts {
    /// Adds an exact host name or IP address.
    pub(super) fn add(&mut self, host: &str) {
        // The parser of URLs would take more than a name, such as a wildcard.
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let is_plain = host.starts_with('[') || host.chars().all(is_name);
        match (host.parse(), Host::parse(host)) {
            (Ok(address), _) => self.listed.push(Host::Ipv6(address)),
            (Err(_), Ok(host)) if is_plain => self.listed.push(host),
            _ => self.is_malformed = true,
        }
    }

    /// The hosts.
    pub(super) fn names(&self) -> Vec<String> {
        self.listed.iter().map(ToString::to_string).collect()
    }

    /// Refuses names that are no hosts.
    pub(super) fn check_names(&self) -> Result<(), ConfigError> {
        if self.is_malformed {
            return Err(ConfigError::InvalidName(
                "a host for `http` is an exact host name such as `keycloak` or an IP address, \
                 without a scheme, a port or a wildcard",
            ));
        }
        Ok(())
    }

    /// Whether the host of this URL is listed.
    pub(super) fn lists(&self, url: &Url) -> bool {
        url.host().is_some_and(|host| self.listed.iter().any(|listed| *listed == host))
    }

    /// Refuses `http` to a host that is not listed and is not loopback.
    pub(super) fn check(&self, url: &Url) -> Result<(), String> {
        if url.scheme() != "http" || is_loopback(url) || self.lists(url) {
            return Ok(());
        }
        let host: String = url.host_str().unwrap_or_default().chars().take(200).collect();
        Err(format!(
            "`http` to the host `{host}` is refused, because anybody on the way could change the \
             keys: use `https`, or in a network that you trust say \
             `.dangerous().http_host(\"{host}\")` (in settings `http_hosts`)"
        ))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_exact() {
        let mut hosts = HttpHosts::default();
        for host in ["keycloak", "IdP.internal", "10.0.0.7", "[fd00::1]", "fd00::5", "auth_server"]
        {
            hosts.add(host);
        }
        assert!(hosts.check_names().is_ok());
        let lists = |url: &str| hosts.check(&Url::parse(url).unwrap()).is_ok();
        for good in [
            "http://keycloak:8080/x",
            "http://KEYCLOAK/",
            "http://idp.internal/",
            "http://10.0.0.7/",
            "http://[fd00:0::1]:80/",
            "http://[fd00::5]/",
            "http://auth_server/",
            "https://anything.example/",
            "http://localhost/",
        ] {
            assert!(lists(good), "{good}");
        }
        for bad in [
            "http://a.keycloak/",
            "http://keycloak.example.com/",
            "http://keycloak./",
            "http://internal/",
            "http://10.0.0.8/",
            "http://[fd00::2]/",
            "http://169.254.169.254/",
        ] {
            assert!(!lists(bad), "{bad}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for bad in [
            "",
            "*",
            "*.svc",
            "http://keycloak",
            "keycloak:8080",
            "a b",
            "a/b",
            "u@h",
            "[fd00::1",
            "[x]",
            "k\u{e9}ycloak",
            "a%2eb",
        ] {
            let mut hosts = HttpHosts::default();
            hosts.add(bad);
            assert!(hosts.check_names().is_err(), "{bad}");
            assert!(hosts.listed.is_empty(), "{bad}");
        }
    }
}
