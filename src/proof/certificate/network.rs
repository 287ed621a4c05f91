//! Networks of trusted proxies.

use std::net::IpAddr;

use crate::error::ConfigError;

/// A network: an address, and how many of its leading bits count (RFC 4632 §3.1, RFC 4291 §2.3).
///
/// An IPv4 address that is mapped into IPv6 (`::ffff:10.0.0.1`, RFC 4291 §2.5.5.2) counts as the IPv4
/// address: a socket that serves both shows IPv4 peers in that form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    /// The address, whose other bits are 0.
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Reads `10.0.0.0/8`, `fd00::/8`, or a single address.
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        let malformed = || {
            ConfigError::InvalidName(
                "a trusted proxy must be an IP address, or a network such as `10.0.0.0/8` or \
                 `fd00::/8`",
            )
        };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(number(prefix).ok_or_else(malformed)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        let prefix = prefix.unwrap_or(width(address));
        let (address, prefix) = match (address, address.to_canonical()) {
            (IpAddr::V6(_), v4 @ IpAddr::V4(_)) => (v4, prefix.checked_sub(96)),
            (address, _) => (address, Some(prefix)),
        };
        let prefix = prefix.filter(|prefix| *prefix <= width(address)).ok_or_else(malformed)?;
        let network = Self { address, prefix };
        if prefix < widest(address) {
            return Err(ConfigError::OutOfRange(
                "a trusted network is wider than any private one (IPv4 `/8`, IPv6 `/7`): name the \
                 addresses of the proxies, or say \
                 `.dangerous().trust_everyone_who_can_connect()`",
            ));
        }
        if network.masked(bits(address)) != bits(address) {
            return Err(ConfigError::InvalidName(
                "the address of a trusted network has bits behind its prefix: write `10.0.0.0/8` \
                 for the network, or `10.1.2.3` for one address",
            ));
        }
        Ok(network)
    }

    /// Whether the address is in it.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4()
            && self.masked(bits(address)) == bits(self.address)
    }

    /// The bits that count; all others are 0.
    fn masked(&self, bits: u128) -> u128 {
        let others = u32::from(width(self.address).saturating_sub(self.prefix));
        let mask = u128::MAX.checked_shl(others).unwrap_or(0);
        bits & mask
    }
}

/// A decimal number as it is written in one way only.
fn number(text: &str) -> Option<u8> {
    let number = text.parse().ok()?;
    (u8::to_string(&number) == text).then_some(number)
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The prefix of the widest private network: `10.0.0.0/8` (RFC 1918), `fc00::/7` (RFC 4193).
fn widest(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 8,
        IpAddr::V6(_) => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d10_an_address_is_in_a_network_if_the_leading_bits_agree() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("172.16.0.0/12", "172.31.255.255", "172.32.0.0"),
            ("192.168.1.128/25", "192.168.1.128", "192.168.1.127"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("127.0.0.1/32", "127.0.0.1", "127.0.0.0"),
            ("127.0.0.0/8", "::ffff:127.0.0.1", "::ffff:128.0.0.1"),
            // The same bits in the other family.
            ("10.0.0.0/8", "10.0.0.1", "::a00:1"),
            ("::a00:0/104", "::a00:1", "10.0.0.1"),
            ("::ffff:10.0.0.0/104", "10.1.1.1", "11.1.1.1"),
            ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
            ("fc00::/7", "fdff::1", "fe00::1"),
            ("fd00:1::/33", "fd00:1:0:1::", "fd00:1:8000::"),
            ("::1", "::1", "::2"),
            ("2001:db8::/128", "2001:db8::", "2001:db8::1"),
        ] {
            let parsed = Network::parse(network).unwrap();
            assert!(parsed.contains(inside.parse().unwrap()), "{inside} in {network}");
            assert!(!parsed.contains(outside.parse().unwrap()), "{outside} not in {network}");
        }
    }

    #[test]
    fn d10_a_network_is_written_in_one_way() {
        for (text, part) in [
            ("", "must be an IP address"),
            ("localhost", "must be an IP address"),
            ("10.0.0.0/", "must be an IP address"),
            ("10.0.0.0/33", "must be an IP address"),
            ("10.0.0.0/08", "must be an IP address"),
            ("10.0.0.0/+8", "must be an IP address"),
            ("10.0.0.0/8/8", "must be an IP address"),
            ("10.0.0.0/-1", "must be an IP address"),
            ("10.0.0.0/256", "must be an IP address"),
            ("010.0.0.0/8", "must be an IP address"),
            ("10.0.0/8", "must be an IP address"),
            ("10.0.0.0/8 ", "must be an IP address"),
            ("10.0.0.1:80", "must be an IP address"),
            ("[::1]", "must be an IP address"),
            ("fe80::1%eth0", "must be an IP address"),
            ("::1/129", "must be an IP address"),
            ("::ffff:10.0.0.0/8", "must be an IP address"),
            ("10.1.2.3/8", "bits behind its prefix"),
            ("fd00::1/64", "bits behind its prefix"),
            ("0.0.0.0/0", "wider than any private one"),
            ("8.0.0.0/7", "wider than any private one"),
            ("::/0", "wider than any private one"),
            ("::ffff:0.0.0.0/96", "wider than any private one"),
            ("fc00::/6", "wider than any private one"),
        ] {
            let error = Network::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }
}
