//! The entries of resources, which are found by their URIs.

use std::collections::{BTreeMap, BTreeSet};

use super::required::Required;

/// The entries of resources.
#[derive(Debug, Default)]
pub(super) struct Resources {
    exact: BTreeMap<Box<str>, Required>,
    /// The URIs of these, in lower case.
    folded: BTreeSet<String>,
    under: Vec<Under>,
}

#[derive(Debug)]
struct Under {
    prefix: Box<str>,
    folded: String,
    required: Required,
}

/// The entry that the table has for a URI.
#[derive(Debug)]
pub(super) enum Found<'t> {
    Entry(&'t Required),
    /// A server may resolve the URI to another resource, which has stricter requirements.
    Ambiguous,
    Nothing,
}

impl Resources {
    pub(super) fn add(&mut self, uri: &str, required: Required) {
        self.folded.insert(uri.to_ascii_lowercase());
        self.exact.insert(uri.into(), required);
    }

    pub(super) fn add_under(&mut self, prefix: &str, required: Required) {
        let folded = prefix.to_ascii_lowercase();
        self.under.push(Under { prefix: prefix.into(), folded, required });
    }

    /// The entry of a URI. That of the whole URI takes precedence, and then the longest prefix.
    pub(super) fn find(&self, uri: &str) -> Found<'_> {
        if let Some(required) = self.exact.get(uri) {
            return Found::Entry(required);
        }
        if self.exact.is_empty() && self.under.is_empty() {
            return Found::Nothing;
        }
        let folded = uri.to_ascii_lowercase();
        if !is_plain(uri) || self.has_like(&folded) {
            return Found::Ambiguous;
        }
        let matching = self.under.iter().filter(|under| folded.starts_with(&under.folded));
        match matching.max_by_key(|under| under.prefix.len()) {
            None => Found::Nothing,
            Some(longest) => match uri.strip_prefix(&*longest.prefix) {
                Some(rest) if are_segments(rest) => Found::Entry(&longest.required),
                _ => Found::Ambiguous,
            },
        }
    }

    /// Whether an entry differs from a URI, which is in lower case, only in its case or in a slash at its
    /// end.
    fn has_like(&self, folded: &str) -> bool {
        let with_slash = format!("{folded}/");
        self.folded.contains(folded)
            || self.folded.contains(&with_slash)
            || self.under.iter().any(|under| under.folded == with_slash)
    }
}

/// Whether all servers resolve a URI to the same resource: it has no escapes, no query, no empty segment, and
/// no `..`.
fn is_plain(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else { return false };
    is_scheme(scheme)
        && match rest.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) =
                    rest.split_once('/').map_or((rest, None), |it| (it.0, Some(it.1)));
                let is_in_authority = |byte: u8| is_in_segment(byte) || byte == b':';
                authority.bytes().all(is_in_authority)
                    && !authority.ends_with('.')
                    && path.is_none_or(are_segments)
            }
            // Without a slash, colons separate names, as in `urn:isbn:1`.
            None => are_segments(rest) || rest.split(':').all(is_segment),
        }
}

fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

fn are_segments(path: &str) -> bool {
    path.split('/').all(is_segment)
}

/// Windows removes a dot at the end, and takes what follows a colon for a part of the same file.
fn is_segment(segment: &str) -> bool {
    !segment.is_empty() && !segment.ends_with('.') && segment.bytes().all(is_in_segment)
}

fn is_in_segment(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

/// Why a text cannot be the prefix of URIs, if it cannot.
pub(super) fn fault_of_prefix(prefix: &str) -> Option<&'static str> {
    let (scheme, path) = prefix.split_once(':').unwrap_or_default();
    let is_path_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte);
    let ends_with_dot = |segment: &str| segment.ends_with('.');
    if !is_scheme(scheme) || !path.ends_with('/') {
        Some("is not a prefix that ends with a slash, such as `file:///docs/`")
    } else if !path.bytes().all(is_path_byte) || path.split('/').any(ends_with_dot) {
        Some(
            "has a character or a segment that servers may read differently: write an entry for each URI",
        )
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The scope of the entry that is found, `?` for an ambiguous URI, or nothing.
    fn found(resources: &Resources, uri: &str) -> String {
        match resources.find(uri) {
            Found::Entry(required) => required.scopes().concat(),
            Found::Ambiguous => "?".into(),
            Found::Nothing => String::new(),
        }
    }

    #[test]
    fn c14_the_whole_uri_takes_precedence_and_then_the_longest_prefix() {
        let required = |scope: &str| Required::new(vec![scope.into()], Vec::new());
        let mut resources = Resources::default();
        resources.add("file:///docs/secret", required("secret"));
        resources.add("file:///docs/{path}", required("template"));
        assert_eq!(found(&resources, "file:///docs/a"), "", "only whole URIs have entries");
        resources.add_under("file:///docs/", required("docs"));
        resources.add_under("file:///docs/admin/", required("admin"));
        for (uri, expected) in [
            ("file:///docs/secret", "secret"),
            ("file:///docs/{path}", "template"),
            ("file:///docs/a", "docs"),
            ("file:///docs/a/b-c_d.txt", "docs"),
            ("file:///docs/.well-known", "docs"),
            ("file:///docs/administrators", "docs"),
            ("file:///docs/admin/a", "admin"),
            ("file:///doc", ""),
            ("file:///other", ""),
            ("https://a.example:8443/x", ""),
            ("notes://today", ""),
            ("urn:isbn:1", ""),
        ] {
            assert_eq!(found(&resources, uri), expected, "{uri}");
        }
        for ambiguous in [
            "",
            "other",
            "file:///docs",
            "file:///docs/",
            "file:///docs/admin",
            "file:///x/../docs/admin/a",
            "file:///%64ocs/admin/a",
            "file:////docs/admin/a",
            "file:///x/docs.",
            "file:///other?a",
            "file://a%2f/docs/secret",
            "file://./docs/secret",
            "urn:a:",
            "file:///docs/SECRET",
            "file:///docs/secret/",
            "file:///docs/secret.",
            "file:///docs/%73ecret",
            "file:///docs/a%2f..%2fsecret",
            "file:///docs/../etc/passwd",
            "file:///docs/a/../secret",
            "file:///docs/./secret",
            "file:///docs//secret",
            "file:///docs/a/",
            "file:///docs/a\\..\\secret",
            "file:///docs/secret?a",
            "file:///docs/secret#a",
            "file:///docs/secret;a",
            "file:///docs/secret ",
            "file:///docs/secre\u{0442}",
            "file:///docs/secret::$DATA",
            "file:///docs/SECRET~1",
            "file:///docs/{other}",
            "file:///docs/ADMIN/a",
            "file:///Docs/a",
            "FILE:///docs/a",
        ] {
            assert_eq!(found(&resources, ambiguous), "?", "{ambiguous}");
        }
    }

    #[test]
    fn a_prefix_of_uris_is_plain_and_ends_with_a_slash() {
        for good in ["file:///docs/", "notes://", "https://a.example:8443/x/", "a+b:/"] {
            assert_eq!(fault_of_prefix(good), None, "{good}");
        }
        for bad in [
            "",
            "/docs/",
            "file:///docs",
            "file",
            "1a://x/",
            "://x/",
            "file:///%64ocs/",
            "file:///a/../docs/",
            "file:///a./",
            "file:///{path}/",
            "file:///a b/",
            "file:///\u{e4}/",
        ] {
            assert!(fault_of_prefix(bad).is_some(), "{bad}");
        }
    }
}
