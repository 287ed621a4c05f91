//! Documents that have a PEM text for each key id, as Google publishes them for Firebase and for
//! Identity-Aware Proxy: certificates, or public keys.

use std::str;

use serde::de::{Error as _, MapAccess};

use crate::json::{self, Object, Text};

/// The ids and texts of such a document. It is an object of texts, all of which are PEM, and not
/// empty.
pub(super) fn read(document: &[u8]) -> Option<Vec<(String, String)>> {
    let text = str::from_utf8(json::without_mark(document)).ok()?;
    let mut map = PemMap(Vec::new());
    json::read(text, &mut map).ok()?;
    Some(map.0).filter(|texts| !texts.is_empty())
}

struct PemMap(Vec<(String, String)>);

impl<'a> Object<'a> for PemMap {
    fn member<A: MapAccess<'a>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        let text: Text<'a> = map.next_value()?;
        if name.is_empty() || !text.trim_start().starts_with("-----BEGIN ") {
            return Err(A::Error::custom("no PEM text with an id"));
        }
        self.0.push((name.into(), text.into()));
        // The caller refuses a name that is repeated.
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_of_pem_texts_is_one() {
        let good = r#"{"a":"-----BEGIN X-----\n","b":"\n-----BEGIN Y-----"}"#;
        let ids: Vec<_> = read(good.as_bytes()).unwrap().into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, ["a", "b"]);
        for bad in [
            "{}",
            "[]",
            "",
            r#"["-----BEGIN X-----"]"#,
            r#"{"a":"x"}"#,
            r#"{"":"-----BEGIN X-----"}"#,
            r#"{"a":"-----BEGIN X-----","b":7}"#,
            r#"{"a":"-----BEGIN X-----","b":null}"#,
            r#"{"a":"-----BEGIN X-----","a":"-----BEGIN X-----"}"#,
            r#"{"a":{"b":"-----BEGIN X-----"}}"#,
            r#"{"a":"-----BEGIN X-----"} x"#,
        ] {
            assert!(read(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
