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
    /// A server may take the URI for another one that has stricter requirements.
    Doubt,
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

    /// The entry of a URI. That of the whole URI comes first, and then the longest beginning.
    pub(super) fn find(&self, uri: &str) -> Found<'_> {
        if let Some(required) = self.exact.get(uri) {
            return Found::Entry(required);
        }
        if self.under.is_empty() {
            return Found::Nothing;
        }
        let folded = uri.to_ascii_lowercase();
        let matching = self.under.iter().filter(|under| folded.starts_with(&under.folded));
        let Some(longest) = matching.max_by_key(|under| under.prefix.len()) else {
            return Found::Nothing;
        };
        match uri.strip_prefix(&*longest.prefix) {
            Some(rest) if is_plain(rest) && !self.folded.contains(&folded) => {
                Found::Entry(&longest.required)
            }
            _ => Found::Doubt,
        }
    }
}

/// Whether the rest of a URI has only one meaning for all servers: no escapes, no query, no segment that is
/// empty or `..`, and none that ends with a dot, which Windows removes.
fn is_plain(rest: &str) -> bool {
    let is_segment = |segment: &str| {
        !segment.is_empty()
            && !segment.ends_with('.')
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    rest.split('/').all(is_segment)
}

/// Why a text cannot be the beginning of URIs, if it cannot.
pub(super) fn fault_of_prefix(prefix: &str) -> Option<&'static str> {
    let (scheme, path) = prefix.split_once(':').unwrap_or_default();
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let is_path_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte);
    let ends_with_dot = |segment: &str| segment.ends_with('.');
    if !is_scheme || !path.ends_with('/') {
        Some("is not the beginning of a URI up to a slash, such as `file:///docs/`")
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

    /// The scope of the entry that is found, `?` for a doubt, or nothing.
    fn found(resources: &Resources, uri: &str) -> String {
        match resources.find(uri) {
            Found::Entry(required) => required.scopes().concat(),
            Found::Doubt => "?".into(),
            Found::Nothing => String::new(),
        }
    }

    #[test]
    fn c14_the_whole_uri_comes_first_and_then_the_longest_beginning() {
        let required = |scope: &str| Required::new(vec![scope.into()], Vec::new());
        let mut resources = Resources::default();
        resources.add("file:///docs/secret", required("secret"));
        resources.add("file:///docs/{path}", required("template"));
        assert_eq!(found(&resources, "file:///docs/SECRET"), "", "only whole URIs have entries");
        resources.add_under("file:///docs/", required("docs"));
        resources.add_under("file:///docs/admin/", required("admin"));
        for (uri, expected) in [
            ("file:///docs/secret", "secret"),
            ("file:///docs/{path}", "template"),
            ("file:///docs/a", "docs"),
            ("file:///docs/a/b-c_d.txt", "docs"),
            ("file:///docs/.well-known", "docs"),
            ("file:///docs/administrators", "docs"),
            ("file:///docs/admin", "docs"),
            ("file:///docs/admin/a", "admin"),
            ("file:///doc", ""),
            ("file:///other", ""),
            ("", ""),
        ] {
            assert_eq!(found(&resources, uri), expected, "{uri}");
        }
        for doubtful in [
            "file:///docs/",
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
            assert_eq!(found(&resources, doubtful), "?", "{doubtful}");
        }
    }

    #[test]
    fn a_beginning_of_uris_is_plain_and_ends_with_a_slash() {
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
