//! The JOSE header (RFC 7515 §4): what is read, what is ignored, what is refused.

use std::str;

use serde::de::MapAccess;

use crate::{
    alg::Algorithm,
    error::{Detail, Error, ErrorKind},
    json::{self, Checked, JsonFault, Object, Text},
    shown::shown,
};

/// A header that was read strictly and has nothing in it that is not
/// supported.
///
/// Key material and addresses of it (`jwk`, `jku`, `x5c`, `x5u`, `x5t`) are
/// ignored: a token never brings its own key (RFC 8725 §3.10).
pub(crate) struct Header<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) typ: Option<Text<'a>>,
    pub(super) kid: Option<Text<'a>>,
}

impl<'a> Header<'a> {
    /// Far above any key id in use, in bytes; below what would be worth to send.
    pub(crate) const LONGEST_KID: usize = 256;

    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let text = str::from_utf8(bytes).map_err(|_| malformed(None, JsonFault::Syntax))?;
        let mut raw = RawHeader::default();
        if let Err(error) = json::read(text, &mut raw) {
            let member = raw.at_fault.filter(|_| error.is_data());
            return Err(match (member, json::fault(&error).0) {
                // The header itself has a wrong type then.
                (None, JsonFault::WrongType) => malformed(None, JsonFault::Syntax),
                (member, fault) => malformed(member, fault),
            });
        }
        if let Some(name) = raw.refused {
            return Err(Error::new(ErrorKind::UnsupportedHeader(name)));
        }
        let alg = raw.alg.ok_or_else(|| malformed(Some("alg"), JsonFault::Missing))?;
        if alg.eq_ignore_ascii_case("none") {
            return Err(Error::new(ErrorKind::Unsigned));
        }
        let algorithm = Algorithm::from_name(&alg).ok_or_else(|| unknown_algorithm(&alg))?;
        if let Some(cty) = &raw.cty
            && essence(cty).eq_ignore_ascii_case("jwt")
        {
            // A token within the token (RFC 7519 §5.2).
            return Err(Error::new(ErrorKind::UnsupportedHeader("cty")));
        }
        if let Some(kid) = &raw.kid
            && (kid.is_empty() || kid.len() > Self::LONGEST_KID)
        {
            return Err(malformed(Some("kid"), JsonFault::WrongType));
        }
        Ok(Self { algorithm, typ: raw.typ, kid: raw.kid })
    }

    /// The algorithm that the token claims to be signed with.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key id, good for nothing but a comparison.
    pub(crate) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The media type of the token, without the `application/` that may be
    /// left out (RFC 7515 §4.1.9).
    pub(crate) fn typ(&self) -> Option<&str> {
        self.typ.as_deref().map(essence)
    }
}

#[cold]
fn unknown_algorithm(alg: &str) -> Error {
    let detail = Detail { seen: Some(shown(alg).into()), ..Detail::default() };
    Error::new(ErrorKind::AlgorithmNotAllowed).with_detail(detail)
}

#[cold]
fn malformed(member: Option<&'static str>, fault: JsonFault) -> Error {
    Error::new(ErrorKind::MalformedHeader { member, fault })
}

/// A media type without its `application/`, where nothing else has a slash.
pub(crate) fn essence(media_type: &str) -> &str {
    match media_type.split_at_checked("application/".len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
        _ => media_type,
    }
}

#[derive(Default)]
struct RawHeader<'a> {
    alg: Option<Text<'a>>,
    typ: Option<Text<'a>>,
    kid: Option<Text<'a>>,
    cty: Option<Text<'a>>,
    refused: Option<&'static str>,
    /// The member that could not be read.
    at_fault: Option<&'static str>,
}

impl<'a> Object<'a> for RawHeader<'a> {
    fn member<A: MapAccess<'a>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        let (member, place) = match name {
            "alg" => ("alg", &mut self.alg),
            "typ" => ("typ", &mut self.typ),
            "kid" => ("kid", &mut self.kid),
            "cty" => ("cty", &mut self.cty),
            _ => {
                self.refused = self.refused.or(REFUSED.into_iter().find(|other| *other == name));
                return map.next_value::<Checked>().map(|_| false);
            }
        };
        self.at_fault = Some(member);
        if place.replace(map.next_value()?).is_some() {
            return Err(json::repeated(member));
        }
        self.at_fault = None;
        Ok(true)
    }
}

/// Members that say that the token must be read in another way: extensions
/// (RFC 7515 §4.1.11), an unencoded payload (RFC 7797), encryption (RFC 7516
/// §4.1.2).
const REFUSED: [&str; 3] = ["crit", "b64", "enc"];

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(), ErrorKind> {
        Header::parse(text.as_bytes()).map(|_| ()).map_err(|error| error.kind().clone())
    }

    #[test]
    fn what_is_read() {
        let text =
            r#"{"alg":"RS256","typ":"application/AT+jwt","kid":"k\u0031","x5c":["a"],"jwk":{}}"#;
        let header = Header::parse(text.as_bytes()).ok().unwrap();
        assert_eq!(header.algorithm(), Algorithm::RS256);
        assert_eq!(header.typ(), Some("AT+jwt"));
        assert_eq!(header.kid(), Some("k1"));
    }

    #[test]
    fn what_is_refused_by_name() {
        for (text, name) in [
            (r#"{"alg":"RS256","crit":["exp"]}"#, "crit"),
            (r#"{"alg":"RS256","crit":[]}"#, "crit"),
            (r#"{"alg":"RS256","cr\u0069t":null}"#, "crit"),
            (r#"{"alg":"RS256","b64":true}"#, "b64"),
            (r#"{"alg":"dir","enc":"A128GCM"}"#, "enc"),
            (r#"{"alg":"RS256","cty":"jwt"}"#, "cty"),
            (r#"{"alg":"RS256","cty":"application/JWT"}"#, "cty"),
        ] {
            assert_eq!(parse(text), Err(ErrorKind::UnsupportedHeader(name)), "{text}");
        }
    }

    #[test]
    fn what_is_malformed_is_named() {
        use JsonFault::{Missing, Repeated, Syntax, WrongType};
        let long = format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(257));
        for (text, member, fault) in [
            ("", None, Syntax),
            ("{", None, Syntax),
            ("[]", None, Syntax),
            (r#"["RS256"]"#, None, Syntax),
            ("{}", Some("alg"), Missing),
            (r#"{"alg":7}"#, Some("alg"), WrongType),
            (r#"{"alg":null}"#, Some("alg"), WrongType),
            (r#"{"alg":"RS256","alg":"RS256"}"#, Some("alg"), Repeated),
            (r#"{"alg":"RS256","x":1,"x":1}"#, None, Repeated),
            (r#"{"alg":"RS256"} {}"#, None, Syntax),
            (r#"{"alg":"RS256","kid":7}"#, Some("kid"), WrongType),
            (r#"{"alg":"RS256","kid":""}"#, Some("kid"), WrongType),
            (r#"{"alg":"RS256","kid":null}"#, Some("kid"), WrongType),
            (r#"{"alg":"RS256","typ":null}"#, Some("typ"), WrongType),
            (r#"{"alg":"RS256","cty":["JWT"]}"#, Some("cty"), WrongType),
            (&long, Some("kid"), WrongType),
        ] {
            assert_eq!(parse(text), Err(ErrorKind::MalformedHeader { member, fault }), "{text}");
        }
        let error = Header::parse(b"\xff\xfe{}").err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::MalformedHeader { member: None, .. }));
    }

    #[test]
    fn algorithms_are_exact() {
        for alg in ["rs256", "RS256 ", ""] {
            let text = format!(r#"{{"alg":"{alg}"}}"#);
            assert_eq!(parse(&text), Err(ErrorKind::AlgorithmNotAllowed), "{text}");
        }
        for alg in ["none", "nOnE"] {
            assert_eq!(parse(&format!(r#"{{"alg":"{alg}"}}"#)), Err(ErrorKind::Unsigned), "{alg}");
        }
    }
}
