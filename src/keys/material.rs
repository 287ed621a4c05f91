//! The parts of a key, whatever its form was.

use crate::{
    alg::{Algorithm, Family},
    error::ConfigError,
    secret::Secret,
};

/// The numbers of a key, checked.
#[derive(Debug)]
pub(super) enum Material {
    /// A shared secret.
    Secret(Secret),
    /// An RSA public key: modulus and exponent, big-endian, without zeros in
    /// front.
    Rsa { n: Vec<u8>, e: Vec<u8>, scheme: RsaScheme },
    /// A point, uncompressed (SEC 1 §2.3.3), and its curve.
    Ec { curve: Family, point: Vec<u8> },
    /// An Ed25519 public key (RFC 8032 §5.1.5).
    Ed25519([u8; 32]),
}

/// The uses of an RSA key (RFC 4055 §1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RsaScheme {
    /// PKCS #1 v1.5 and PSS.
    Any,
    /// PSS.
    Pss,
    /// PSS with the parameters of this algorithm.
    Only(Algorithm),
}

impl Material {
    /// A secret for one algorithm or for all that it is long enough for; whether it is one, the
    /// caller asks.
    pub(super) fn long_secret(
        bytes: &[u8],
        algorithm: Option<Algorithm>,
    ) -> Result<Self, ConfigError> {
        let algorithm = algorithm.unwrap_or(Algorithm::HS256);
        let needed = algorithm
            .shortest_secret()
            .ok_or(ConfigError::KeyUse("a shared secret serves HS256, HS384 and HS512 only"))?;
        if bytes.len() < needed {
            let (algorithm, given) = (algorithm.name(), bytes.len());
            return Err(ConfigError::SecretTooShort { algorithm, needed, given });
        }
        Ok(Self::Secret(Secret::new(bytes)))
    }

    /// An RSA key of the numbers `n` and `e`, zeros in front allowed.
    pub(super) fn rsa(n: &[u8], e: &[u8], scheme: RsaScheme) -> Result<Self, ConfigError> {
        let (n, e) = (without_zeros(n), without_zeros(e));
        let bits = bits(n);
        if bits < 2048 {
            return Err(ConfigError::WeakKey("RSA needs at least 2048 bits (RFC 7518 §3.3)"));
        }
        if bits > 8192 {
            return Err(ConfigError::WeakKey("RSA with more than 8192 bits is too slow to offer"));
        }
        if is_even(n) {
            return Err(ConfigError::MalformedKey("an RSA modulus is odd"));
        }
        if is_even(e) || e == [1] || self::bits(e) > 33 {
            return Err(ConfigError::WeakKey("the RSA exponent is odd, from 3 to 2^33"));
        }
        Ok(Self::Rsa { n: n.to_vec(), e: e.to_vec(), scheme })
    }

    /// A point in uncompressed form; the back end checks that it is on the
    /// curve.
    pub(super) fn ec(curve: Family, point: &[u8]) -> Result<Self, ConfigError> {
        let coordinate = coordinate_length(curve);
        match point.split_first() {
            Some((4, coordinates)) if coordinates.len() == coordinate * 2 => {
                Ok(Self::Ec { curve, point: point.to_vec() })
            }
            Some((2 | 3, x)) if x.len() == coordinate => Err(ConfigError::UnsupportedKey(
                "its point is compressed, write it with `openssl ec -conv_form uncompressed`",
            )),
            _ => Err(ConfigError::MalformedKey("the point is not one of its curve")),
        }
    }

    /// An Ed25519 key that is encoded as it must be and not of small order,
    /// for such a key verifies signatures that nobody made.
    pub(super) fn ed25519(bytes: &[u8]) -> Result<Self, ConfigError> {
        let key: [u8; 32] =
            bytes.try_into().map_err(|_| ConfigError::MalformedKey("Ed25519 has 32 bytes"))?;
        let mut y = key;
        if let Some(last) = y.last_mut() {
            *last &= 0x7f;
        }
        if y.iter().rev().ge(FIELD.iter().rev()) {
            return Err(ConfigError::MalformedKey("the Ed25519 point is not in canonical form"));
        }
        if SMALL_ORDER.contains(&y) {
            return Err(ConfigError::WeakKey("the Ed25519 point is of small order"));
        }
        Ok(Self::Ed25519(key))
    }

    /// All algorithms that the key could serve by what it is.
    pub(super) fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL.iter().copied().filter(move |algorithm| match (self, algorithm.family()) {
            (Self::Secret(secret), Family::Hmac) => {
                algorithm.shortest_secret().is_some_and(|needed| secret.expose().len() >= needed)
            }
            (Self::Rsa { scheme, .. }, Family::RsaPkcs1) => *scheme == RsaScheme::Any,
            (Self::Rsa { scheme: RsaScheme::Only(only), .. }, _) => only == algorithm,
            (Self::Rsa { .. }, Family::RsaPss) | (Self::Ed25519(_), Family::Ed25519) => true,
            (Self::Ec { curve, .. }, family) => *curve == family,
            _ => false,
        })
    }
}

/// The bytes of one coordinate of a curve (RFC 7518 §6.2.1.2).
pub(super) fn coordinate_length(curve: Family) -> usize {
    match curve {
        Family::P384 => 48,
        Family::P521 => 66,
        _ => 32,
    }
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// The bits of a number that has no zeros in front.
fn bits(number: &[u8]) -> usize {
    match number.first() {
        None => 0,
        Some(first) => number.len() * 8 - first.leading_zeros() as usize,
    }
}

fn is_even(number: &[u8]) -> bool {
    number.last().is_none_or(|last| last % 2 == 0)
}

/// 2^255 - 19, little-endian.
const FIELD: [u8; 32] = {
    let mut field = [0xff; 32];
    field[0] = 0xed;
    field[31] = 0x7f;
    field
};

/// The y coordinates, little-endian, of the points whose order divides 8:
/// y = 1, y = -1, y = 0 and the two of order 8.
const SMALL_ORDER: [[u8; 32]; 5] = {
    let mut one = [0; 32];
    one[0] = 1;
    let mut minus_one = FIELD;
    minus_one[0] = 0xec;
    [
        one,
        minus_one,
        [0; 32],
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rsa_bounds() {
        let with = |bytes: usize, first: u8, last: u8, e: &[u8]| {
            let mut n = vec![0xff; bytes];
            n[0] = first;
            n[bytes - 1] = last;
            Material::rsa(&n, e, RsaScheme::Any)
        };
        assert!(with(256, 0x80, 1, &[1, 0, 1]).is_ok());
        assert!(with(1024, 0xff, 1, &[3]).is_ok());
        assert!(matches!(with(256, 0x7f, 1, &[3]), Err(ConfigError::WeakKey(_))));
        assert!(matches!(with(1025, 1, 1, &[3]), Err(ConfigError::WeakKey(_))));
        assert!(matches!(with(256, 0x80, 2, &[3]), Err(ConfigError::MalformedKey(_))));
        for e in [&[][..], &[0], &[1], &[0, 1], &[2], &[1, 0, 0], &[2, 0, 0, 0, 1]] {
            assert!(matches!(with(256, 0x80, 1, e), Err(ConfigError::WeakKey(_))), "{e:?}");
        }
        let Ok(Material::Rsa { n, .. }) = with(257, 0, 1, &[3]) else { panic!("zeros in front") };
        assert_eq!(n.len(), 256);
    }

    #[test]
    fn ed25519_points() {
        let mut key = [9; 32];
        assert!(Material::ed25519(&key).is_ok());
        assert!(Material::ed25519(&key[..31]).is_err());
        for mut y in SMALL_ORDER {
            assert!(Material::ed25519(&y).is_err());
            y[31] |= 0x80;
            assert!(Material::ed25519(&y).is_err());
        }
        key = FIELD;
        assert!(Material::ed25519(&key).is_err(), "p is no coordinate");
        key[0] = 0xff;
        assert!(Material::ed25519(&key).is_err(), "beyond p");
    }

    #[test]
    fn secrets_are_long() {
        assert!(Material::long_secret(&[1; 31], None).is_err());
        assert_eq!(Material::long_secret(&[1; 48], None).unwrap().algorithms().count(), 2);
    }
}
