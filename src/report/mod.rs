//! Reports about a configuration: settings that are legal and unwise, and whether bad tokens are
//! refused.
//!
//! [`Verifier::lint`](crate::Verifier::lint) looks at a verifier, and
//! [`JwtAuthLayer::lint`](crate::JwtAuthLayer::lint) at a layer with its verifier. Neither needs a token
//! or the network. A report prints what was found, with the reason and what to do instead, and serializes.
//!
//! The guide [security] has a table of all findings.
//!
//! [security]: https://docs.rs/tower-jwt-auth/latest/tower_jwt_auth/guides/security/index.html#settings-that-are-legal-and-unwise
//!
//! [`Verifier::self_test`](crate::Verifier::self_test) has a verifier read more than 150 bad tokens.
//!
//! # Example: a test of one's own configuration
//! ```
//! use tower_jwt_auth::{JwtAuthLayer, Key, TokenSource, Verifier, report::Lint};
//!
//! let verifier = Verifier::builder()
//!     .issuer("https://login.example.com")
//!     .audience("https://api.example.com")
//!     .keys(Key::hs256([7; 32]))
//!     .build()?;
//! let layer = JwtAuthLayer::new(verifier).source(TokenSource::query());
//!
//! let report = layer.lint();
//! assert!(report.contains(Lint::QueryToken));
//! // For clients that cannot set a header, with a reason that is written down here.
//! assert!(report.allow([Lint::QueryToken]).is_empty());
//! # Ok::<(), tower_jwt_auth::ConfigError>(())
//! ```

mod lint;
mod lint_report;
mod self_test;

pub use self::{
    lint::Lint,
    lint_report::{Finding, LintReport},
    self_test::{SelfTestCase, SelfTestOutcome, SelfTestReport},
};
