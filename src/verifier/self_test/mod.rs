//! Runs the attacks on the verifier's own configuration.

mod proofs;
mod tester;
mod valid;

use serde::de::DeserializeOwned;

use self::tester::Tester;
use super::{Engines, Verifier};
use crate::report::SelfTestReport;

impl<C: DeserializeOwned + Send + Sync + 'static> Verifier<C> {
    /// Checks that this verifier refuses bad tokens: more than 150 that each break one rule. Use it
    /// when the service starts, or in a test. [`lint`](Self::lint) looks at the settings themselves.
    ///
    /// It has no private key. So the checks of the form, the header and the claims read tokens whose
    /// signature is not looked at, on a path that no request reaches. The checks of the keys read
    /// tokens with a signature that no key has made. Each token must be refused for its own reason. If
    /// a setting turns the check off, the case is [loosened](crate::report::SelfTestOutcome::Loosened) and has not
    /// failed.
    ///
    /// With [`dpop`](super::VerifierBuilder::dpop), it also checks the number and the header of proofs, which
    /// come before the signature. `testing::AttackRun::dpop` also checks what is signed.
    ///
    /// With a short `max_token_len`, tokens that are longer are left out, because each of them is refused for
    /// its length.
    ///
    /// It fetches no keys, asks no denylist and no rule of the application, and leaves the cache as it
    /// is. It takes some milliseconds. For the verifier of [`Issuers`](super::Issuers), it checks the
    /// first 16 of the issuers that are there now, in the order of their names.
    ///
    /// The layer is not part of it. `testing::assert_refuses_all`, of the feature `test-util`, sends
    /// requests to a route.
    ///
    /// # Example
    /// ```
    /// use tower_jwt_auth::{Key, Verifier, report::SelfTestOutcome};
    ///
    /// let builder = || {
    ///     Verifier::builder().issuer("https://login.example.com").keys(Key::hs256([7; 32]))
    /// };
    /// let report = builder().audience("https://api.example.com").build()?.self_test();
    /// assert!(report.is_passed(), "{report}");
    /// assert_eq!(report.with_outcome(SelfTestOutcome::Loosened).count(), 0);
    ///
    /// let report = builder().any_audience().build()?.self_test();
    /// println!("{report}");
    /// let case = report.iter().find(|case| case.name() == "c05_aud_missing").unwrap();
    /// assert_eq!(case.outcome(), SelfTestOutcome::Loosened);
    /// assert_eq!(case.setting(), Some("any_audience"));
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn self_test(&self) -> SelfTestReport {
        let mut report = SelfTestReport::new();
        match &self.0.engines {
            Engines::One(engine) | Engines::ObservedOne(engine) => {
                Tester::new(engine, None, &mut report).run()
            }
            Engines::ByIssuer(engines) | Engines::ObservedByIssuer(engines) => {
                let mut names = engines.names();
                names.sort();
                for name in names.iter().take(MOST_ISSUERS) {
                    if let Some(engine) = engines.get(name) {
                        Tester::new(&engine, Some(name), &mut report).run();
                    }
                }
                report.leave_out(names.len().saturating_sub(MOST_ISSUERS));
            }
        }
        report
    }
}

/// The number of issuers that are tested.
const MOST_ISSUERS: usize = 16;
