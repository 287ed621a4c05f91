//! The claims of RFC 7519 and RFC 9068 as plain data, without any verdict.
//!
//! A payload is read once, strictly and borrowed; the rules look at that, and
//! [`RegisteredClaims`] is what is kept of it for the application.

mod audience;
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
    raw::{Malformed, RawClaims, Reading},
    time::Times,
};
