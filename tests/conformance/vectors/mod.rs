//! Published test vectors: of RFC 7515, RFC 7520 and RFC 8037, and Wycheproof's of the
//! primitives. Wycheproof's JSON web vectors need more than an application may do, and stand in
//! `src/verifier/vectors`.

mod primitives;
mod rfc;
