//! The events of requests that are refused, or would be.

use std::error::Error as _;

use super::pace::Pace;
#[cfg(feature = "tracing")]
use crate::shown::shown;
use crate::{
    error::{Detail, Error, ErrorKind},
    shadow_rule::ShadowRule,
};

/// Reports that a request was refused.
pub(crate) fn refused(error: &Error) {
    let kind = error.kind().name();
    if error.is_told() {
        event!(debug, kind, reason = %error, "request not decided");
    } else if let ErrorKind::KeysUnavailable { .. } | ErrorKind::KeyPending { .. } = error.kind() {
        // The fault of the keys was reported when it began, and anybody can make up a key id.
        event!(info, kind, reason = %error, "request not decided");
    } else if error.is_server_fault() {
        match error.source() {
            Some(cause) => {
                event!(error, kind, reason = %error, cause = %cause, "request not decided");
            }
            None => event!(error, kind, reason = %error, "request not decided"),
        }
    } else if matches!(error.kind(), ErrorKind::MissingToken) {
        event!(debug, kind, reason = %error, "request refused");
    } else {
        let detail = error.detail();
        let issuer = detail.and_then(|detail| detail.issuer.as_deref());
        let expected = detail.and_then(|detail| detail.expected.as_deref());
        let seen = detail.and_then(|detail| detail.seen.as_deref());
        let late_by_s = detail.and_then(|detail| detail.late_by);
        let early_by_s = detail.and_then(|detail| detail.early_by);
        let subject = detail.and_then(|detail| detail.subject.as_deref());
        match error.source() {
            Some(cause) => event!(
                info, kind, reason = %error, cause = %cause, issuer, expected, seen, late_by_s,
                early_by_s, subject, "request refused"
            ),
            None => event!(
                info, kind, reason = %error, issuer, expected, seen, late_by_s, early_by_s,
                subject, "request refused"
            ),
        }
    }
}

/// Reports that a request for a token has a certificate in a header that does not count, and gets a token
/// that is not bound to one.
pub(crate) fn certificate_ignored() {
    let reason = "it is in a header of a peer that is not a trusted proxy";
    event!(info, reason, "client certificate ignored");
}

/// Whether anybody listens to the events of refusals.
#[cfg(feature = "tracing")]
pub(crate) fn tells_refusals() -> bool {
    tracing::enabled!(target: "tower_jwt_auth", tracing::Level::INFO)
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn tells_refusals() -> bool {
    false
}

/// Records the subject of a request in the span around it, if that has a field `subject`: escaped and
/// cut, as in the events of refusals.
#[cfg(feature = "tracing")]
pub(crate) fn record_subject(subject: &str) {
    tracing::Span::current().record("subject", shown(subject));
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn record_subject(_: &str) {}

/// Reports that a request passes without claims, as the layer's mode allows.
pub(in crate::observe) fn passed(error: &Error) {
    if error.is_server_fault() {
        refused(error);
    } else {
        let kind = error.kind().name();
        event!(debug, kind, reason = %error, "request passes without claims");
    }
}

/// Reports that a request was refused because it has no claims, which had [passed](passed) a layer.
pub(crate) fn refused_after_passing(error: &Error) {
    // A fault was reported when it passed.
    if !error.is_server_fault() {
        refused(error);
    }
}

/// The values in the event of a token that a shadow rule would refuse.
pub(crate) struct ShadowRefusal {
    pub(crate) detail: Detail,
    pub(crate) client: Option<Box<str>>,
}

/// Reports that a shadow rule would refuse a token that passes: one event in ten seconds, with a count
/// of requests. `explain` is called only for an event.
pub(crate) fn shadow_refused(
    rule: ShadowRule,
    pace: &Pace,
    explain: impl FnOnce() -> ShadowRefusal,
) {
    let rule = rule.name();
    let Some(more) = pace.case().filter(|_| tells_refusals()) else { return };
    let ShadowRefusal { detail, client } = &explain();
    let (issuer, client) = (detail.issuer.as_deref(), client.as_deref());
    let (expected, seen) = (detail.expected.as_deref(), detail.seen.as_deref());
    let (late_by_s, early_by_s) = (detail.late_by, detail.early_by);
    event!(
        info,
        rule,
        issuer,
        expected,
        seen,
        late_by_s,
        early_by_s,
        client,
        more,
        "a shadow rule would refuse tokens"
    );
}
