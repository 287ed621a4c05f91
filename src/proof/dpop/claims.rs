//! The claims of a proof (RFC 9449 §4.2).

use serde::de::MapAccess;

use crate::{
    claims::NumericDate,
    error::ProofFault,
    json::{self, Checked, JsonFault, Object, Text},
};

/// The claims of a proof, each with the type that it must have. Nobody has vouched for them before the
/// signature is verified.
pub(super) struct ProofClaims<'a> {
    pub(super) jti: Text<'a>,
    pub(super) htm: Text<'a>,
    pub(super) htu: Text<'a>,
    pub(super) iat: NumericDate,
    pub(super) ath: Option<Text<'a>>,
    pub(super) nonce: Option<Text<'a>>,
    pub(super) exp: Option<NumericDate>,
    pub(super) nbf: Option<NumericDate>,
}

impl<'a> ProofClaims<'a> {
    pub(super) fn parse(payload: &'a [u8]) -> Result<Self, ProofFault> {
        let text = str::from_utf8(payload).map_err(|_| ProofFault::Malformed)?;
        let mut raw = RawClaims::default();
        if let Err(error) = json::read(text, &mut raw) {
            return Err(match (json::fault(&error).0, raw.at_fault) {
                (JsonFault::WrongType, Some(name)) => ProofFault::Claim(name),
                _ => ProofFault::Malformed,
            });
        }
        let missing = ProofFault::Claim;
        let claims = Self {
            jti: raw.jti.ok_or(missing("jti"))?,
            htm: raw.htm.ok_or(missing("htm"))?,
            htu: raw.htu.ok_or(missing("htu"))?,
            iat: raw.iat.ok_or(missing("iat"))?,
            ath: raw.ath,
            nonce: raw.nonce,
            exp: raw.exp,
            nbf: raw.nbf,
        };
        match claims.jti.len() {
            1..=LONGEST_JTI => Ok(claims),
            _ => Err(ProofFault::Claim("jti")),
        }
    }
}

#[derive(Default)]
struct RawClaims<'a> {
    jti: Option<Text<'a>>,
    htm: Option<Text<'a>>,
    htu: Option<Text<'a>>,
    iat: Option<NumericDate>,
    ath: Option<Text<'a>>,
    nonce: Option<Text<'a>>,
    exp: Option<NumericDate>,
    nbf: Option<NumericDate>,
    /// The claim whose value is read.
    at_fault: Option<&'static str>,
}

impl<'a> Object<'a> for RawClaims<'a> {
    fn member<A: MapAccess<'a>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        let Some(name) = KNOWN.into_iter().find(|known| *known == name) else {
            return map.next_value::<Checked>().map(|_| false);
        };
        self.at_fault = Some(name);
        let is_repeated = match name {
            "jti" => self.jti.replace(map.next_value()?).is_some(),
            "htm" => self.htm.replace(map.next_value()?).is_some(),
            "htu" => self.htu.replace(map.next_value()?).is_some(),
            "iat" => self.iat.replace(map.next_value()?).is_some(),
            "ath" => self.ath.replace(map.next_value()?).is_some(),
            "nonce" => self.nonce.replace(map.next_value()?).is_some(),
            "exp" => self.exp.replace(map.next_value()?).is_some(),
            _ => self.nbf.replace(map.next_value()?).is_some(),
        };
        if is_repeated {
            return Err(json::repeated(name));
        }
        self.at_fault = None;
        Ok(true)
    }
}

const KNOWN: [&str; 8] = ["jti", "htm", "htu", "iat", "ath", "nonce", "exp", "nbf"];

/// Far above every UUID and hash, in bytes.
const LONGEST_JTI: usize = 256;
