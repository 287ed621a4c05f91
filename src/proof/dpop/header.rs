//! The header of a proof (RFC 9449 §4.2).

use serde::de::MapAccess;
use serde_json::value::RawValue;

use crate::{
    alg::{Algorithm, AlgorithmSet},
    error::ProofFault,
    json::{self, Checked, JsonFault, Object, Text},
    keys::ProofKey,
    token::essence,
};

/// The key of a proof with this header, made ready for its algorithm.
pub(super) fn key_of(bytes: &[u8], allowed: AlgorithmSet) -> Result<ProofKey, ProofFault> {
    let text = str::from_utf8(bytes).map_err(|_| ProofFault::Malformed)?;
    let mut header = Header::default();
    if let Err(error) = json::read(text, &mut header) {
        return Err(match (json::fault(&error).0, header.at_fault) {
            (JsonFault::WrongType, Some(fault)) => fault,
            _ => ProofFault::Malformed,
        });
    }
    if header.is_refused {
        return Err(ProofFault::UnsupportedHeader);
    }
    if !header.typ.is_some_and(|typ| essence(&typ).eq_ignore_ascii_case("dpop+jwt")) {
        return Err(ProofFault::Type);
    }
    let algorithm = header
        .alg
        .and_then(|name| Algorithm::from_name(&name))
        .filter(|algorithm| allowed.contains(*algorithm))
        .ok_or(ProofFault::Algorithm)?;
    let jwk = header.jwk.ok_or(ProofFault::Key)?.get();
    json::read(jwk, &mut Checked).map_err(|error| match json::fault(&error).0 {
        JsonFault::Repeated => ProofFault::Malformed,
        _ => ProofFault::Key,
    })?;
    ProofKey::from_jwk(jwk, algorithm).map_err(|_| ProofFault::Key)
}

#[derive(Default)]
struct Header<'a> {
    typ: Option<Text<'a>>,
    alg: Option<Text<'a>>,
    jwk: Option<&'a RawValue>,
    is_refused: bool,
    /// The fault if the value that is read has another type.
    at_fault: Option<ProofFault>,
}

impl<'a> Object<'a> for Header<'a> {
    fn member<A: MapAccess<'a>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        let (name, place, fault) = match name {
            "typ" => ("typ", &mut self.typ, ProofFault::Type),
            "alg" => ("alg", &mut self.alg, ProofFault::Algorithm),
            "jwk" => {
                return match self.jwk.replace(map.next_value()?) {
                    None => Ok(true),
                    Some(_) => Err(json::repeated("jwk")),
                };
            }
            name => {
                self.is_refused |= REFUSED.contains(&name);
                return map.next_value::<Checked>().map(|_| false);
            }
        };
        self.at_fault = Some(fault);
        if place.replace(map.next_value()?).is_some() {
            return Err(json::repeated(name));
        }
        self.at_fault = None;
        Ok(true)
    }
}

/// Members that say that the proof must be read in another way, as for tokens: extensions (RFC 7515
/// §4.1.11), an unencoded payload (RFC 7797), encryption (RFC 7516 §4.1.2).
const REFUSED: [&str; 3] = ["crit", "b64", "enc"];
