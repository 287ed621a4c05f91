//! Client certificates as proofs (RFC 8705).
