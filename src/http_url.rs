//! The address of a web service or of a request, normalised by RFC 3986 §6.2.2 and §6.2.3.

use std::{borrow::Cow, fmt, net::Ipv6Addr};

/// A scheme and an authority that were normalised: two that are the same lead to the same server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    is_https: bool,
    host: Host,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    /// In lower case. A name in other letters than ASCII has its A-labels (RFC 5890 §2.3.2.1).
    Name(Box<str>),
    Ipv6(Ipv6Addr),
}

impl Origin {
    /// `None` if it has user information (RFC 9110 §4.2.4), no host, or is malformed.
    fn new(is_https: bool, authority: &str) -> Option<Self> {
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                (Host::Ipv6(address.parse().ok()?), port)
            }
            None => {
                let end = authority.find(':').unwrap_or(authority.len());
                let (name, port) = authority.split_at_checked(end)?;
                (Host::Name(host_name(name)?), port)
            }
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => default_port(is_https),
            Some("") => default_port(is_https),
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok()?
            }
            _ => return None,
        };
        Some(Self { is_https, host, port })
    }

    /// The origin of the server that a request names. TLS may end at a proxy.
    pub(crate) fn of_host(authority: &str) -> Option<Self> {
        Self::new(true, authority)
    }

    pub(crate) fn is_https(&self) -> bool {
        self.is_https
    }

    /// Whether it is this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Name(name) if &**name == "localhost" => true,
            Host::Name(name) => {
                name.parse().is_ok_and(|address: std::net::Ipv4Addr| address.is_loopback())
            }
            Host::Ipv6(address) => address.is_loopback(),
        }
    }
}

/// The origin as browsers write it: without the port if that is the one of the scheme.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_https { "https://" } else { "http://" })?;
        match &self.host {
            Host::Name(name) => f.write_str(name)?,
            Host::Ipv6(address) => write!(f, "[{address}]")?,
        }
        if self.port == default_port(self.is_https) {
            return Ok(());
        }
        write!(f, ":{}", self.port)
    }
}

/// The parts of a URI that count.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address<'a> {
    pub(crate) origin: Origin,
    pub(crate) path: Cow<'a, str>,
    /// Whether it has a query or a fragment, which do not count.
    pub(crate) has_more: bool,
}

/// The scheme, the authority, and the rest of a URI that has an authority. Nothing is checked.
pub(crate) fn split(uri: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = uri.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at_checked(end)?;
    Some((scheme, authority, rest))
}

/// Reads an absolute `http` or `https` URI. `None` if it is something else.
pub(crate) fn parse(uri: &str) -> Option<Address<'_>> {
    // Nothing else is in a URI, wherever (RFC 3986 §2).
    if !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let (scheme, authority, rest) = split(uri)?;
    let is_https = match scheme {
        _ if scheme.eq_ignore_ascii_case("https") => true,
        _ if scheme.eq_ignore_ascii_case("http") => false,
        _ => return None,
    };
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let (path, more) = rest.split_at_checked(end)?;
    Some(Address {
        origin: Origin::new(is_https, authority)?,
        path: normal_path(path)?,
        has_more: !more.is_empty(),
    })
}

/// A path without escapes that are not needed, with the others in upper case, without dot segments,
/// and not empty. `None` if it is no path.
pub(crate) fn normal_path(path: &str) -> Option<Cow<'_, str>> {
    if path.is_empty() {
        return Some(Cow::Borrowed("/"));
    }
    if !path.starts_with('/') {
        return None;
    }
    let path = normal_escapes(path, is_path_byte)?;
    let has_dots = path.split('/').any(is_dots);
    Some(if has_dots { Cow::Owned(without_dots(&path)) } else { path })
}

/// The same of the path of a request. `None` if it has dot segments, too: clients remove them before
/// they send a request, a router does not, and so a proof for `/me` would be one for `/files/../me`.
pub(crate) fn request_path(path: &str) -> Option<Cow<'_, str>> {
    let normal = normal_escapes(path, is_path_byte)?;
    let has_dots = normal.split('/').any(is_dots);
    if has_dots { None } else { normal_path(path) }
}

fn is_dots(segment: &str) -> bool {
    matches!(segment, "." | "..")
}

/// Removes the dot segments (RFC 3986 §5.2.4) of a path that begins with `/`.
fn without_dots(path: &str) -> String {
    let mut kept = Vec::new();
    let mut ends_with_dots = false;
    for segment in path.split('/').skip(1) {
        ends_with_dots = is_dots(segment);
        match segment {
            "." => {}
            ".." => _ = kept.pop(),
            _ => kept.push(segment),
        }
    }
    let mut normal: String = kept.iter().flat_map(|segment| ["/", segment]).collect();
    if ends_with_dots {
        normal.push('/');
    }
    normal
}

/// A host name in lower case, with the escapes that it need not have decoded.
fn host_name(name: &str) -> Option<Box<str>> {
    let is_host_byte = |byte: u8| is_unreserved(byte) || b"!$&'()*+,;=".contains(&byte);
    let name = normal_escapes(name, is_host_byte)?;
    // No name of the DNS has a character that must be escaped.
    (!name.is_empty() && !name.contains('%')).then(|| name.to_ascii_lowercase().into_boxed_str())
}

/// Decodes the escapes of unreserved characters, and writes the others in upper case (RFC 3986
/// §6.2.2.1, §6.2.2.2). `None` if an escape is broken, or if another byte is not one of these.
fn normal_escapes(text: &str, is_allowed: impl Fn(u8) -> bool) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return text.bytes().all(is_allowed).then_some(Cow::Borrowed(text));
    }
    let mut normal = String::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let high = hex_digit(bytes.next()?)?;
                let low = hex_digit(bytes.next()?)?;
                let decoded = high << 4 | low;
                if is_unreserved(decoded) {
                    normal.push(char::from(decoded));
                } else {
                    normal.push('%');
                    normal.extend([high, low].map(upper_digit));
                }
            }
            byte if is_allowed(byte) => normal.push(char::from(byte)),
            _ => return None,
        }
    }
    Some(Cow::Owned(normal))
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn upper_digit(digit: u8) -> char {
    char::from_digit(digit.into(), 16).map_or('0', |digit| digit.to_ascii_uppercase())
}

/// RFC 3986 §2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// RFC 3986 §3.3, and those that browsers do not escape in a path (WHATWG URL, path percent-encode
/// set). These are compared as they are.
fn is_path_byte(byte: u8) -> bool {
    is_unreserved(byte) || b"!$&'()*+,;=:@/[]^|".contains(&byte)
}

fn default_port(is_https: bool) -> u16 {
    if is_https { 443 } else { 80 }
}
