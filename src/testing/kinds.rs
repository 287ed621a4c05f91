//! The names of the kinds of errors that a test may expect.

/// Why no kind has this name, if that is so.
pub(super) fn fault_of_name(name: &str) -> Option<String> {
    if KINDS.contains(&name) {
        return None;
    }
    let likeness = |kind: &&&str| {
        let pairs = |text: &str| text.as_bytes().windows(2).map(<[u8]>::to_vec).collect::<Vec<_>>();
        let own = pairs(name);
        pairs(kind).iter().filter(|pair| own.contains(pair)).count()
    };
    let nearest = KINDS.iter().max_by_key(likeness)?;
    Some(format!("no kind is called `{name}`; did you mean `{nearest}`? See `ErrorKind::name`"))
}

/// The names of all kinds.
const KINDS: &[&str] = &[
    "missing_token",
    "invalid_request",
    "preflight",
    "missing_refresh_token",
    "cross_site",
    "token_too_long",
    "malformed_token",
    "encrypted",
    "unsigned",
    "malformed_header",
    "unsupported_header",
    "header_parameter",
    "algorithm_not_allowed",
    "token_type",
    "unknown_key",
    "signature",
    "keys_not_tried",
    "malformed_claims",
    "missing_claim",
    "expired",
    "not_yet_valid",
    "issued_in_future",
    "too_old",
    "issuer",
    "audience",
    "client",
    "sender_constrained",
    "dpop_scheme",
    "not_sender_constrained",
    "certificate",
    "dpop_replayed",
    "dpop_proof",
    "dpop_nonce",
    "too_many_proofs",
    "user_authentication",
    "security_event",
    "claims_type",
    "rule",
    "revoked",
    "refresh_token",
    "refresh_token_reused",
    "insufficient_scope",
    "forbidden",
    "mcp_message",
    "mcp_session",
    "keys_unavailable",
    "key_pending",
    "unavailable",
    "failed",
    "issue",
    "clock",
    "missing_layer",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ErrorKind, each_kind};

    #[test]
    fn all_kinds_are_known() {
        let mut names: Vec<_> = each_kind().iter().map(ErrorKind::name).collect();
        names.dedup();
        assert_eq!(names, KINDS);
        assert_eq!(fault_of_name("expired"), None);
        let fault = fault_of_name("expird").unwrap();
        assert!(fault.contains("did you mean `expired`?"), "{fault}");
    }
}
