//! JSON Web Keys (RFC 7517), one by one: a key that cannot be used is an
//! answer, not the end of its document.

use std::borrow::Cow;

use base64_simd::URL_SAFE_NO_PAD;
use serde::{Deserialize, de::IgnoredAny};
use zeroize::Zeroizing;

use super::{
    form::{Form, jwk_fault, wrong_form},
    material::{Material, RsaScheme, coordinate_length},
    shared_secret,
};
use crate::{
    alg::{Algorithm, Family},
    error::ConfigError,
    json,
};

/// The members of a JWK.
pub(super) struct Jwk {
    pub(super) material: Material,
    pub(super) kid: Option<String>,
    pub(super) algorithm: Option<Algorithm>,
}

/// Whether a document may bring what must be kept secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// It has public keys; a secret in it is refused.
    Public,
    /// It was asked for by name that it has secrets.
    Private,
}

/// Reads one JWK. The second value is its `kid`, also where it is refused.
pub(super) fn read(text: &str, trust: Trust) -> (Result<Jwk, ConfigError>, Option<String>) {
    let Some(raw) = json::object::<Raw<'_>>(text) else {
        return (Err(wrong_form(text.as_bytes(), Form::Jwk, jwk_fault(text))), None);
    };
    let kid = raw.kid.as_deref().filter(|kid| !kid.is_empty()).map(str::to_owned);
    (raw.check(trust, kid.clone()), kid)
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    kty: Cow<'a, str>,
    #[serde(borrow, rename = "use")]
    usage: Option<Cow<'a, str>>,
    key_ops: Option<Vec<String>>,
    #[serde(borrow)]
    alg: Option<Cow<'a, str>>,
    #[serde(borrow)]
    kid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    crv: Option<Cow<'a, str>>,
    #[serde(borrow)]
    x: Option<Cow<'a, str>>,
    #[serde(borrow)]
    y: Option<Cow<'a, str>>,
    #[serde(borrow)]
    n: Option<Cow<'a, str>>,
    #[serde(borrow)]
    e: Option<Cow<'a, str>>,
    #[serde(borrow)]
    k: Option<Cow<'a, str>>,
    // The private members of all key types (RFC 7518 §6.2.2, §6.3.2, RFC 8037
    // §2), and of those to come.
    d: Option<IgnoredAny>,
    p: Option<IgnoredAny>,
    q: Option<IgnoredAny>,
    dp: Option<IgnoredAny>,
    dq: Option<IgnoredAny>,
    qi: Option<IgnoredAny>,
    oth: Option<IgnoredAny>,
    #[serde(rename = "priv")]
    private: Option<IgnoredAny>,
}

impl Raw<'_> {
    fn check(self, trust: Trust, kid: Option<String>) -> Result<Jwk, ConfigError> {
        match self.usage.as_deref() {
            // The second is SPIFFE's name for it (SPIFFE JWT-SVID §4).
            None | Some("sig" | "jwt-svid") => {}
            Some("x509-svid") => {
                return Err(ConfigError::KeyUse(
                    "its `use` is `x509-svid`, so it is for certificates (SPIFFE)",
                ));
            }
            Some(_) => return Err(ConfigError::KeyUse("its `use` is not `sig`")),
        }
        if self.key_ops.as_ref().is_some_and(|ops| !ops.iter().any(|op| op == "verify")) {
            return Err(ConfigError::KeyUse("its `key_ops` lack `verify`"));
        }
        let algorithm = match &self.alg {
            None => None,
            Some(alg) => Some(Algorithm::from_name(alg).ok_or(ConfigError::KeyUse(
                "its `alg` is not a signature algorithm that is known",
            ))?),
        };
        let material = self.material(trust, algorithm)?;
        if algorithm.is_some_and(|one| !material.algorithms().any(|other| other == one)) {
            return Err(ConfigError::KeyUse("its `alg` does not fit its `kty` and `crv`"));
        }
        Ok(Jwk { material, kid, algorithm })
    }

    fn material(
        &self,
        trust: Trust,
        algorithm: Option<Algorithm>,
    ) -> Result<Material, ConfigError> {
        if &*self.kty == "oct" {
            if trust == Trust::Public {
                return Err(ConfigError::SymmetricKey);
            }
            let secret = Zeroizing::new(member(
                &self.k,
                "`k` is missing",
                "`k` is no base64url without padding (RFC 7515 §2)",
            )?);
            return shared_secret::read(&secret, algorithm);
        }
        let private = [&self.d, &self.p, &self.q, &self.dp, &self.dq, &self.qi, &self.oth];
        let private = private.into_iter().chain([&self.private]).any(Option::is_some);
        if trust == Trust::Public && (private || self.k.is_some()) {
            return Err(ConfigError::PrivateJwk);
        }
        match (&*self.kty, self.crv.as_deref()) {
            ("RSA", None) => {
                let n = member(
                    &self.n,
                    "`n` is missing",
                    "`n` is no base64url without padding (RFC 7515 §2)",
                )?;
                let e = member(
                    &self.e,
                    "`e` is missing",
                    "`e` is no base64url without padding (RFC 7515 §2)",
                )?;
                Material::rsa(&n, &e, RsaScheme::Any)
            }
            ("EC", Some("P-256")) => self.point(Family::P256),
            ("EC", Some("P-384")) => self.point(Family::P384),
            ("EC", Some("P-521")) => self.point(Family::P521),
            ("OKP", Some("Ed25519")) => Material::ed25519(&self.x()?),
            ("EC", None) | ("OKP", None) => Err(ConfigError::MalformedKey("`crv` is missing")),
            ("RSA", Some(_)) => Err(ConfigError::MalformedKey("an RSA key has no `crv`")),
            _ => Err(ConfigError::UnsupportedKey(
                "of the `kty` and `crv`, RSA, EC on P-256, P-384 and P-521, and OKP on Ed25519 are",
            )),
        }
    }

    fn x(&self) -> Result<Vec<u8>, ConfigError> {
        member(&self.x, "`x` is missing", "`x` is no base64url without padding (RFC 7515 §2)")
    }

    fn point(&self, curve: Family) -> Result<Material, ConfigError> {
        let x = self.x()?;
        let y =
            member(&self.y, "`y` is missing", "`y` is no base64url without padding (RFC 7515 §2)")?;
        let length = coordinate_length(curve);
        if x.len() != length || y.len() != length {
            return Err(ConfigError::MalformedKey("`x` and `y` do not have the curve's length"));
        }
        Material::ec(curve, &[&[4][..], &x, &y].concat())
    }
}

/// The bytes of a member (RFC 7518 §6).
fn member(
    text: &Option<Cow<'_, str>>,
    missing: &'static str,
    malformed: &'static str,
) -> Result<Vec<u8>, ConfigError> {
    let text = text.as_ref().ok_or(ConfigError::MalformedKey(missing))?;
    let bytes = URL_SAFE_NO_PAD.decode_to_vec(text.as_bytes());
    bytes.map_err(|_| ConfigError::MalformedKey(malformed))
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn refusal(text: &str) -> ConfigError {
        read(text, Trust::Public).0.err().unwrap_or(ConfigError::NoKeys)
    }

    #[test]
    fn what_it_says_of_itself_is_honoured() {
        let with = |rest: &str| format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}"{rest}}}"#);
        assert_eq!(refusal(&with("")), ConfigError::NoKeys, "a good key");
        assert_eq!(
            refusal(&with(r#","use":"sig","key_ops":["sign","verify"]"#)),
            ConfigError::NoKeys
        );
        for rest in [
            r#","use":"enc""#,
            r#","key_ops":["sign"]"#,
            r#","key_ops":[]"#,
            r#","alg":"RSA-OAEP""#,
            r#","alg":"ES256""#,
            r#","alg":"none""#,
        ] {
            assert!(matches!(refusal(&with(rest)), ConfigError::KeyUse(_)), "{rest}");
        }
        for rest in [r#","d":"AA""#, r#","k":"AA""#, r#","priv":"AA""#] {
            assert_eq!(refusal(&with(rest)), ConfigError::PrivateJwk, "{rest}");
        }
        for rest in [r#","kid":7"#, r#","key_ops":"verify""#, r#","use":5"#, r#","x":"AA""#] {
            assert!(matches!(refusal(&with(rest)), ConfigError::MalformedKey(_)), "{rest}");
        }
    }

    #[test]
    fn b37_spiffe_has_a_use_of_its_own() {
        let with =
            |usage: &str| format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","use":{usage}}}"#);
        assert_eq!(refusal(&with(r#""jwt-svid""#)), ConfigError::NoKeys, "a good key");
        let told = refusal(&with(r#""x509-svid""#)).to_string();
        assert!(told.contains("`x509-svid`"), "{told}");
        for other in [r#""JWT-SVID""#, r#""jwt-svid ""#, r#""""#, r#""jwt""#] {
            assert!(matches!(refusal(&with(other)), ConfigError::KeyUse(_)), "{other}");
        }
        // The other members still count.
        let encrypts = with(r#""jwt-svid","key_ops":["encrypt"]"#);
        assert!(matches!(refusal(&encrypts), ConfigError::KeyUse(_)));
    }

    #[test]
    fn b38_a_member_is_missing_or_no_base64url() {
        let told = |text: &str| refusal(text).to_string();
        for (text, missing) in [
            (r#"{"kty":"RSA","e":"AQAB"}"#, "`n`"),
            (r#"{"kty":"RSA","n":"AQAB"}"#, "`e`"),
            (r#"{"kty":"EC","crv":"P-256","y":"AA"}"#, "`x`"),
            (r#"{"kty":"EC","crv":"P-256","x":"AA"}"#, "`y`"),
            (r#"{"kty":"OKP","crv":"Ed25519"}"#, "`x`"),
        ] {
            assert!(told(text).ends_with(&format!("{missing} is missing")), "{text}");
        }
        for (text, member) in [
            (r#"{"kty":"RSA","n":"AQ==","e":"AQAB"}"#, "`n`"),
            (r#"{"kty":"RSA","n":"+/8","e":"AQAB"}"#, "`n`"),
            (r#"{"kty":"RSA","n":"AQAB","e":"AQAB="}"#, "`e`"),
            (r#"{"kty":"EC","crv":"P-256","x":"A A","y":"AA"}"#, "`x`"),
            (r#"{"kty":"EC","crv":"P-256","x":"AA","y":"/w"}"#, "`y`"),
            (r#"{"kty":"OKP","crv":"Ed25519","x":"AQ=="}"#, "`x`"),
        ] {
            let told = told(text);
            assert!(told.contains(&format!("{member} is no base64url without padding")), "{told}");
        }
    }

    #[test]
    fn shapes_that_are_no_key() {
        for text in
            ["", "7", "null", "[]", r#"["RSA"]"#, "{}", r#"{"kty":"EC"}"#, r#"{"kty":"RSA"}"#]
        {
            assert!(matches!(refusal(text), ConfigError::MalformedKey(_)), "{text}");
        }
        for kty in ["AKP", "rsa", "EC2"] {
            let text = format!(r#"{{"kty":"{kty}"}}"#);
            assert!(matches!(refusal(&text), ConfigError::UnsupportedKey(_)), "{text}");
        }
        let text = r#"{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}"#;
        assert_eq!(refusal(text), ConfigError::SymmetricKey);
        assert!(read(text, Trust::Private).0.is_ok());
    }
}
