//! Settings of a verifier that are legal and unwise.

use super::{Engines, Verifier, engine::Engine};
use crate::{
    proof::{DPoP, MutualTls},
    report::{Lint, LintReport},
};

impl<C> Verifier<C> {
    /// Lists settings that are legal and unwise, such as a leeway above two minutes. Each finding has
    /// a stable name, a reason and what to do instead. Use it in a test, or when the service starts;
    /// [`JwtAuthLayer::lint`](crate::JwtAuthLayer::lint) also looks at the settings of the layer.
    ///
    /// It looks at the configuration only, and not at tokens. The issuer decides how long a token lives,
    /// so only a [maximum age](super::VerifierBuilder::max_age) is compared with an hour and a day. A
    /// verifier without a maximum age has no such finding.
    ///
    /// [`Lint::TestUtil`] is about the build: a build without debug
    /// assertions, such as a release, has the feature `test-util`. A test that is run with `--release`
    /// [allows](LintReport::allow) it.
    ///
    /// For the verifier of [`Issuers`](super::Issuers), it looks at the issuers that are there now.
    ///
    /// # Example
    /// ```
    /// use std::time::Duration;
    /// use tower_jwt_auth::{Key, Verifier};
    ///
    /// let verifier = Verifier::builder()
    ///     .issuer("https://login.example.com")
    ///     .audience("https://api.example.com")
    ///     .keys(Key::hs256([7; 32]))
    ///     .leeway(Duration::from_secs(180))
    ///     .build()?;
    /// let report = verifier.lint();
    /// println!("{report}");
    /// let names: Vec<_> = report.iter().map(|finding| finding.lint().name()).collect();
    /// assert_eq!(names, ["long_leeway"]);
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn lint(&self) -> LintReport {
        let mut report = LintReport::default();
        match &self.0.engines {
            Engines::One(engine) | Engines::ObservedOne(engine) => {
                for lint in Lint::ALL.iter().filter(|lint| engine.has(**lint, false)) {
                    report.add(*lint, engine.places_of(*lint));
                }
            }
            Engines::ByIssuer(engines) | Engines::ObservedByIssuer(engines) => {
                let mut all: Vec<_> = engines.names();
                all.sort();
                let all: Vec<_> =
                    all.iter().filter_map(|name| Some((name, engines.get(name)?))).collect();
                let are_several = all.len() > 1 || engines.are_resolved();
                for lint in Lint::ALL {
                    let has = all.iter().filter(|(_, engine)| engine.has(*lint, are_several));
                    let names: Vec<Box<str>> = has.map(|(name, _)| name.as_str().into()).collect();
                    if !names.is_empty() {
                        report.add(*lint, names);
                    } else if *lint == Lint::LogUnverified && engines.log_unverified() {
                        report.add(*lint, []);
                    }
                }
            }
        }
        // Of the build, and not of the verifier: those of tests have debug assertions.
        let is_release = cfg!(not(debug_assertions));
        report.add_if(cfg!(feature = "test-util") && is_release, Lint::TestUtil);
        report
    }
}

impl<C> Engine<C> {
    /// Whether this was found. The lints of the layer are not.
    fn has(&self, lint: Lint, is_one_of_several: bool) -> bool {
        let (checks, rules) = (&self.checks, &self.checks.rules);
        let age_above = |seconds: i64| rules.max_age.is_some_and(|age| age > seconds);
        let are_several = self.issuers().is_none_or(|issuers| issuers.len() > 1);
        let proofs = checks.bindings.proofs();
        let dpop = proofs.dpop.as_ref();
        match lint {
            Lint::AnyAudience => {
                rules.audiences.is_none()
                    && checks.clients.is_empty()
                    && (are_several || is_one_of_several)
            }
            Lint::AnyEvents => rules.events,
            Lint::AnyIntegerSubject => rules.integer_subject,
            Lint::AnyIssuer => rules.issuers.is_none(),
            Lint::AnyPadding => self.any_padding,
            Lint::DpopLongMaxAge => dpop.is_some_and(DPoP::has_long_max_age),
            Lint::DpopTrustHost => dpop.is_some_and(DPoP::trusts_host),
            Lint::DpopWithoutStore => dpop.is_some_and(|dpop| !dpop.has_store()),
            Lint::FailOpen => self.revocations.fails_open(),
            Lint::HmacBesidePublicKeys => self.keys.mix_secrets_and_public_keys(checks.algorithms),
            Lint::IgnoreConfirmation => checks.bindings.ignored,
            Lint::LogUnverified => checks.log.unverified,
            Lint::LongLeeway => rules.leeway > 2 * MINUTE,
            Lint::LongMaxAge => age_above(24 * 60 * MINUTE),
            Lint::MutualTlsTrustsEveryone => {
                proofs.mutual_tls.as_ref().is_some_and(MutualTls::trusts_everyone)
            }
            Lint::NoDenylist => age_above(60 * MINUTE) && !self.revocations.is_configured(),
            Lint::PlainHttpKeys => !self.keys.http_hosts().is_empty(),
            Lint::ShortSecret => self.keys.has_short_secret(),
            Lint::UnboundKeys => are_several && self.keys.issuers().any(|bound| bound.is_none()),
            Lint::WithoutExpiry => rules.without_expiry,
            Lint::WithoutTokenId => {
                let is_required = rules.required.iter().any(|name| **name == *"jti");
                self.revocations.is_configured() && !is_required
            }
            Lint::CookieWithoutHostPrefix
            | Lint::DevelopmentCookies
            | Lint::ExemptGrpcReflection
            | Lint::ForwardedMethod
            | Lint::PassThrough
            | Lint::QueryToken
            | Lint::TestUtil
            | Lint::WithoutCrossSiteCheck
            | Lint::WithoutSameSite => false,
        }
    }

    /// The parts of the verifier that have the setting, if that is not all of it.
    fn places_of(&self, lint: Lint) -> Vec<Box<str>> {
        match lint {
            Lint::PlainHttpKeys => {
                self.keys.http_hosts().into_iter().map(String::into_boxed_str).collect()
            }
            _ => Vec::new(),
        }
    }
}

const MINUTE: i64 = 60;
