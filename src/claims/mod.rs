//! The registered claims of a verified token (RFC 7519, RFC 9068).
//!
//! [`RegisteredClaims`] has them all. [`Claims`](crate::Claims), which the layer puts into the
//! request's extensions, has the same methods.

// A payload is read once, strictly and borrowed. The rules look at that, and `RegisteredClaims` is
// kept of it for the application.

mod audience;
mod confirmation;
mod path;
mod payload_str;
mod raw;
mod registered;
mod scope;
mod time;

pub use self::{
    audience::Audience, path::ClaimPath, registered::RegisteredClaims, scope::ScopeSet,
    time::NumericDate,
};
pub(crate) use self::{
    confirmation::{Confirmation, RawConfirmation},
    raw::{Malformed, RawClaims, Reading},
    time::Times,
};
