//! Changes of the address in a proof (RFC 9449 §4.3, check 9).

use super::{
    super::{
        Case,
        Check::{Proof, ProofAddress},
        text,
    },
    ProofChange, ProofSetup,
};

/// One other address each. The signature is valid.
#[rustfmt::skip]
pub(crate) static PROOF_ADDRESSES: &[Case<ProofChange>] = &[
    Case::new("d01_htu_missing", Proof, HTU, "the proof has no `htu`", |claims, _| claims.remove("htu")),
    Case::new("d01_htu_null", Proof, HTU, "the `htu` of the proof is `null`", |claims, _| claims.set("htu", "null")),
    Case::new("d01_htu_number", Proof, HTU, "the `htu` of the proof is a number", |claims, _| claims.set("htu", "7")),
    Case::new("d01_htu_array", Proof, HTU, "the `htu` of the proof is an array with the address", |claims, setup| claims.set("htu", format!("[{}]", text(&setup.htu())))),
    Case::new("d01_htu_empty", ProofAddress, URI, "the `htu` of the proof is empty", |claims, _| claims.set_text("htu", "")),
    Case::new("d01_htu_star", ProofAddress, URI, "the `htu` of the proof is `*`", |claims, _| claims.set_text("htu", "*")),
    // ----- origin
    Case::new("d05_htu_other_origin", ProofAddress, URI, "the `htu` of the proof has another origin", |claims, setup| {
        claims.set_text("htu", &format!("https://another-api.test{}{}", setup.prefix(), setup.path));
    }),
    Case::new("d05_htu_longer_host", ProofAddress, URI, "the host in the `htu` of the proof begins with that of the service", |claims, setup| {
        claims.set_text("htu", &format!("{}://{}.attacker.test{}{}", setup.scheme(), setup.host(), setup.prefix(), setup.path));
    }),
    Case::new("d05_htu_subdomain", ProofAddress, URI, "the host in the `htu` of the proof ends with that of the service", |claims, setup| {
        claims.set_text("htu", &format!("{}://attack.{}{}{}", setup.scheme(), setup.authority(), setup.prefix(), setup.path));
    }),
    Case::new("d05_htu_other_scheme", ProofAddress, URI, "the `htu` of the proof has another scheme", |claims, setup| {
        let scheme = if setup.scheme() == "https" { "http" } else { "https" };
        claims.set_text("htu", &format!("{scheme}://{}{}{}", setup.authority(), setup.prefix(), setup.path));
    }),
    Case::new("d05_htu_other_port", ProofAddress, URI, "the `htu` of the proof has another port", |claims, setup| {
        let port = if setup.authority().ends_with(":8443") { 8444 } else { 8443 };
        claims.set_text("htu", &format!("{}://{}:{port}{}{}", setup.scheme(), setup.host(), setup.prefix(), setup.path));
    }),
    Case::new("d05_htu_user_information", ProofAddress, URI, "the `htu` of the proof has a user before the host", |claims, setup| {
        claims.set_text("htu", &format!("{}://user@{}{}{}", setup.scheme(), setup.authority(), setup.prefix(), setup.path));
    }),
    Case::new("d05_htu_host_as_user", ProofAddress, URI, "the host of the service is the user in the `htu` of the proof", |claims, setup| {
        claims.set_text("htu", &format!("{}://{}@attacker.test{}{}", setup.scheme(), setup.host(), setup.prefix(), setup.path));
    }),
    Case::new("d05_htu_backslash", ProofAddress, URI, "the `htu` of the proof has a backslash before the host", |claims, setup| {
        claims.set_text("htu", &format!("{}://attacker.test\\@{}{}{}", setup.scheme(), setup.authority(), setup.prefix(), setup.path));
    }),
    Case::new("d05_htu_in_query", ProofAddress, URI, "the address of the request is in the query of the `htu`", |claims, setup| {
        claims.set_text("htu", &format!("https://attacker.test/?{}", setup.htu()));
    }),
    Case::new("d05_htu_in_fragment", ProofAddress, URI, "the address of the request is in the fragment of the `htu`", |claims, setup| {
        claims.set_text("htu", &format!("https://attacker.test/#{}", setup.htu()));
    }),
    Case::new("d05_htu_without_origin", ProofAddress, URI, "the `htu` of the proof is only the path", |claims, setup| {
        claims.set_text("htu", &format!("{}{}", setup.prefix(), setup.path));
    }),
    Case::new("d05_htu_without_scheme", ProofAddress, URI, "the `htu` of the proof has no scheme", |claims, setup| {
        claims.set_text("htu", &format!("//{}{}{}", setup.authority(), setup.prefix(), setup.path));
    }),
    // ----- path
    Case::new("d05_htu_other_path", ProofAddress, URI, "the `htu` of the proof has another path", |claims, setup| {
        claims.set_text("htu", &format!("{}/attack", setup.url));
    }),
    Case::new("d05_htu_without_path", ProofAddress, URI, "the `htu` of the proof is only the origin", |claims, setup| {
        if !setup.is_root() {
            claims.set_text("htu", &format!("{}://{}", setup.scheme(), setup.authority()));
        }
    }),
    Case::new("d05_htu_longer_path", ProofAddress, URI, "the path in the `htu` of the proof begins with that of the request", |claims, setup| {
        claims.set_text("htu", &format!("{}/attack", setup.htu()));
    }),
    Case::new("d05_htu_shorter_path", ProofAddress, URI, "the path in the `htu` of the proof is the beginning of that of the request", |claims, setup| {
        if setup.path.len() > 1 {
            let htu = setup.htu();
            claims.set_text("htu", htu.get(..htu.len().saturating_sub(1)).unwrap_or_default());
        }
    }),
    Case::new("d05_htu_path_behind", ProofAddress, URI, "the path in the `htu` of the proof ends with that of the request", |claims, setup| {
        claims.set_text("htu", &format!("{}/attack{}", setup.url, setup.path));
    }),
    Case::new("d05_htu_path_case", ProofAddress, URI, "the path in the `htu` of the proof is in another case", |claims, setup| {
        // The two digits of an escape are the same in both cases.
        if !setup.path.contains('%') {
            let upper = setup.path.to_uppercase();
            let other = if upper == setup.path { setup.path.to_lowercase() } else { upper };
            claims.set_text("htu", &format!("{}{other}", setup.url));
        }
    }),
    Case::new("d05_htu_slash", ProofAddress, URI, "the `htu` of the proof has a slash at its end", |claims, setup| claims.set_text("htu", &format!("{}/", setup.htu()))),
    Case::new("d05_htu_two_slashes", ProofAddress, URI, "the path in the `htu` of the proof begins with two slashes", |claims, setup| {
        claims.set_text("htu", &format!("{}/{}", setup.url, setup.path));
    }),
    Case::new("d05_htu_escaped_slash", ProofAddress, URI, "a slash in the `htu` of the proof is `%2F`", |claims, setup| {
        let htu = setup.htu();
        let (front, rest) = htu.rsplit_once('/').unwrap_or((&htu, ""));
        claims.set_text("htu", &format!("{front}%2F{rest}"));
    }),
    // ----- bytes that are no part of an address
    Case::new("d05_htu_blank", ProofAddress, URI, "the `htu` of the proof has a blank at its end", |claims, setup| claims.set_text("htu", &format!("{} ", setup.htu()))),
    Case::new("d05_htu_line_feed", ProofAddress, URI, "the `htu` of the proof has a line feed at its end", |claims, setup| claims.set_text("htu", &format!("{}\n", setup.htu()))),
    Case::new("d05_htu_nul", ProofAddress, URI, "the `htu` of the proof has a NUL and more behind the address", |claims, setup| {
        claims.set_text("htu", &format!("{}\0.attacker.test", setup.htu()));
    }),
    Case::new("d05_htu_list", ProofAddress, URI, "the `htu` of the proof is one text with two addresses", |claims, setup| {
        claims.set_text("htu", &format!("https://attacker.test/ {}", setup.htu()));
    }),
];

impl ProofSetup<'_> {
    /// The address of the request.
    fn htu(&self) -> String {
        format!("{}{}", self.url, self.path)
    }

    fn scheme(&self) -> &str {
        self.url.split_once("://").map_or("https", |(scheme, _)| scheme)
    }

    /// The host and the port.
    fn authority(&self) -> &str {
        let rest = self.url.split_once("://").map_or(self.url, |(_, rest)| rest);
        rest.split_once('/').map_or(rest, |(authority, _)| authority)
    }

    fn host(&self) -> &str {
        let authority = self.authority();
        // The address of IPv6 has colons, too.
        let end = authority.rfind(']').map_or(0, |at| at.saturating_add(1));
        let port = authority.get(end..).and_then(|rest| rest.rfind(':'));
        port.and_then(|at| authority.get(..end.saturating_add(at))).unwrap_or(authority)
    }

    /// The path of the public URL.
    fn prefix(&self) -> &str {
        let rest = self.url.split_once("://").map_or(self.url, |(_, rest)| rest);
        rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default()
    }

    /// Whether the address is that of an origin.
    fn is_root(&self) -> bool {
        self.prefix().is_empty() && self.path == "/"
    }
}

const HTU: &[&str] = &["Claim(\"htu\")"];
const URI: &[&str] = &["Uri"];
