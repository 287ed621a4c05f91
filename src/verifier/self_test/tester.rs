//! Bad tokens for one engine.

use base64_simd::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    super::{
        engine::{Engine, Failure},
        pipeline,
    },
    valid,
};
use crate::{
    alg::{Algorithm, Family},
    attack::{CLAIMS, Check, FORMS, HEADERS, Members, Parts, Setup},
    error::{Error, ErrorKind},
    keys::hmac_sha256,
    report::{SelfTestCase, SelfTestOutcome, SelfTestReport},
    rules::{Rules, Types, seconds},
};

/// Tests one engine.
pub(super) struct Tester<'t, C> {
    pub(super) engine: &'t Engine<C>,
    place: Option<&'t str>,
    report: &'t mut SelfTestReport,
    issuer: Box<str>,
    audience: Box<str>,
    pub(super) now: i64,
}

impl<'t, C: DeserializeOwned + 'static> Tester<'t, C> {
    pub(super) fn new(
        engine: &'t Engine<C>,
        place: Option<&'t str>,
        report: &'t mut SelfTestReport,
    ) -> Self {
        let rules = &engine.checks.rules;
        let issuer = match (place, rules.issuers.as_deref()) {
            (Some(name), _) => name,
            (None, Some([first, ..])) => first,
            _ => "https://issuer.self-test",
        };
        let audience = match rules.audiences.as_deref() {
            Some([first, ..]) => first,
            _ => "https://audience.self-test",
        };
        let (issuer, audience) = (issuer.into(), audience.into());
        Self { engine, place, report, issuer, audience, now: engine.checks.now() }
    }

    /// Adds all cases to the report.
    pub(super) fn run(&mut self) {
        let checks = &self.engine.checks;
        let header = valid::header(checks);
        let claims = valid::claims(checks, &self.issuer, &self.audience, self.now);
        let valid = self.read(&token(&header, &claims));
        let is_valid = valid.is_ok();
        self.add(VALID, "a token that satisfies all rules is accepted", None, is_valid, &valid);
        if !is_valid {
            return;
        }
        for case in FORMS {
            let parts = Parts { header: &header, claims: &claims, sign: &no_signature };
            if let Some(token) = (case.change)(&parts) {
                self.check(case.name, case.description, case.check, case.kinds, &token);
            }
        }
        for case in HEADERS.iter().filter(|case| !case.kinds.is_empty()) {
            let mut header = header.clone();
            (case.change)(&mut header, &self.setup());
            self.check(
                case.name,
                case.description,
                case.check,
                case.kinds,
                &token(&header, &claims),
            );
        }
        for case in CLAIMS {
            let mut claims = claims.clone();
            (case.change)(&mut claims, &self.setup());
            if !self.is_trusted(case.check, &claims) {
                let token = token(&header, &claims);
                self.check(case.name, case.description, case.check, case.kinds, &token);
            }
        }
        self.check_restrictions(&header, &claims);
        self.check_keys(&header, &claims);
        self.check_public_keys(&header, &claims);
        super::proofs::check(self);
    }

    /// Rules that only some verifiers have.
    fn check_restrictions(&mut self, header: &Members, claims: &Members) {
        let engine = self.engine;
        let (checks, rules) = (&engine.checks, &engine.checks.rules);
        let too_long = "a".repeat(engine.max_token_len.saturating_add(1));
        let result = self.read(&too_long);
        let is_refused = is_kind(&result, &["token_too_long"]);
        self.add("t12_too_long", "the token is too long", None, is_refused, &result);
        let mut check = |name, description, kinds: &[&str], header: &Members, claims: &Members| {
            let result = self.read(&token(header, claims));
            self.add(name, description, None, is_kind(&result, kinds), &result);
        };
        if let Types::Only(types) = &rules.types
            && !types.iter().any(|typ| typ.eq_ignore_ascii_case("JWT"))
        {
            let mut header = header.clone();
            header.set_text("typ", "JWT");
            let description = "a token of another type: `typ` is `JWT`";
            check("a10_typ_jwt", description, &["token_type"], &header, claims);
            header.remove("typ");
            check("a10_typ_missing", "`typ` is missing", &["token_type"], &header, claims);
        }
        let mut results = Vec::new();
        for (name, values) in checks.required_header.iter() {
            let mut absent = header.clone();
            absent.remove(name);
            results.push(self.read(&token(&absent, claims)));
            let mut other = header.clone();
            let longest = values.iter().map(|value| value.len()).max().unwrap_or_default();
            other.set_text(name, &"x".repeat(longest.saturating_add(1)));
            results.push(self.read(&token(&other, claims)));
        }
        let description = "a header parameter that is required is missing or has another value";
        self.add_worst("a09_required_parameter", description, &results, |result| {
            is_kind(result, &["header_parameter"])
        });
        let mut results = Vec::new();
        for name in &rules.required {
            let mut absent = claims.clone();
            absent.remove(name);
            results.push(self.read(&token(header, &absent)));
            let mut null = claims.clone();
            null.set(name, "null");
            // A `cnf` that is `null` is malformed.
            if &**name != "cnf" {
                results.push(self.read(&token(header, &null)));
            }
        }
        let description = "a claim that is required is missing or `null`";
        self.add_worst("c06_required_claim", description, &results, |result| {
            is_kind(result, &["missing_claim"])
        });
        if !checks.clients.is_empty() {
            let mut claims = claims.clone();
            claims.set_text("client_id", "another-client");
            if !checks.clients.iter().any(|client| client == "another-client") {
                let result = self.read(&token(header, &claims));
                let is_refused = is_kind(&result, &["client"]);
                self.add("c06_client_other", "the client is another", None, is_refused, &result);
            }
        }
        if claims.json("cnf").is_some() && !rules.required.iter().any(|name| **name == *"cnf") {
            let mut claims = claims.clone();
            claims.remove("cnf");
            let result = self.read(&token(header, &claims));
            let is_refused = is_kind(&result, &["not_sender_constrained"]);
            let description = "the token is not bound to its sender";
            self.add("d03_not_bound", description, None, is_refused, &result);
        }
        if let Some(age) = rules.max_age {
            let iat = self.now.saturating_sub(age).saturating_sub(rules.leeway).saturating_sub(1);
            if iat >= 0 {
                let mut claims = claims.clone();
                claims.set("iat", iat.to_string());
                let result = self.read(&token(header, &claims));
                let is_refused = is_kind(&result, &["too_old"]);
                self.add("c03_iat_too_old", "the token is too old", None, is_refused, &result);
            }
        }
    }

    /// Tokens whose signature no key has made, with each algorithm.
    fn check_keys(&mut self, header: &Members, claims: &Members) {
        for (name, description, byte) in [
            ("a13_signature_of_nobody", "no key has made the signature", 0x5a),
            ("a05_signature_zero", "the signature is all zeros (CVE-2022-21449)", 0),
        ] {
            let algorithms = self.engine.checks.algorithms;
            let results: Vec<_> = Algorithm::ALL
                .iter()
                .filter(|one| algorithms.contains(**one))
                .map(|one| {
                    let mut header = header.clone();
                    header.set_text("alg", one.name());
                    let signature = vec![byte; signature_len(*one)];
                    let sign = |_: &str| URL_SAFE_NO_PAD.encode_to_string(&signature);
                    self.verify(&Parts { header: &header, claims, sign: &sign }.token())
                })
                .collect();
            self.add_worst(name, description, &results, |result| is_kind(result, NO_KEY));
        }
    }

    /// Tokens that are signed with a public key as a shared secret (RFC 8725 §2.1).
    fn check_public_keys(&mut self, header: &Members, claims: &Members) {
        let keys = &self.engine.keys;
        let secrets = keys.public_texts(keys.are_by_issuer().then_some(&*self.issuer));
        let mut header = header.clone();
        header.set_text("alg", Algorithm::HS256.name());
        let verify = |secret: &Vec<u8>| {
            let sign = |input: &str| {
                URL_SAFE_NO_PAD.encode_to_string(hmac_sha256(secret, input.as_bytes()))
            };
            self.verify(&Parts { header: &header, claims, sign: &sign }.token())
        };
        let is_refused =
            |result: &_| is_kind(result, NO_KEY) || is_kind(result, &["algorithm_not_allowed"]);
        let results: Vec<_> = secrets.iter().map(verify).collect();
        let description = "`HS256`, and the secret is a public key of the verifier";
        // Without a public key, there is nothing to be taken for a secret.
        self.add_worst("a03_hs256_public_key", description, &results, is_refused);
    }

    /// Adds a case of several tokens: the first that is not refused so, or else the first.
    fn add_worst(
        &mut self,
        name: &'static str,
        description: &'static str,
        results: &[Result<(), Error>],
        is_refused: impl Fn(&Result<(), Error>) -> bool,
    ) {
        let wrong = results.iter().find(|result| !is_refused(result));
        if let Some(result) = wrong.or(results.first()) {
            self.add(name, description, None, is_refused(result), result);
        }
    }

    /// Reads a token as the engine does, without a look at its signature.
    fn read(&self, token: &str) -> Result<(), Error> {
        let checks = &self.engine.checks;
        let token = self.engine.parse(token)?;
        let ((), payload) = pipeline::check_form(token, |header| checks.check_header(header))?;
        checks.required_header.check(token)?;
        let checked = pipeline::check_claims(checks, payload, |_| Ok::<_, Error>(()))?;
        // As the engine decides on a request without a proof.
        match checked.registered.confirmation() {
            Some(confirmation) if !valid::is_own(confirmation) => {
                Err(Error::new(ErrorKind::SenderConstrained))
            }
            _ => Ok(()),
        }
    }

    /// Verifies a token with the keys that are there now.
    fn verify(&self, token: &str) -> Result<(), Error> {
        match self.engine.verify(token) {
            Ok(_) => Ok(()),
            Err(Failure::Final(error)) => Err(error),
            Err(Failure::KeyMissing(missing)) => Err(missing.error),
        }
    }

    fn check(
        &mut self,
        name: &'static str,
        description: &'static str,
        check: Check,
        kinds: &[&str],
        token: &str,
    ) {
        // A limit that is this low refuses it before any other check.
        if token.len() <= self.engine.max_token_len {
            let result = self.read(token);
            let is_refused = is_kind(&result, kinds);
            self.add(name, description, Some(check), is_refused, &result);
        }
    }

    pub(super) fn add(
        &mut self,
        name: &'static str,
        description: &'static str,
        check: Option<Check>,
        is_as_expected: bool,
        result: &Result<(), Error>,
    ) {
        let is_loose = check.is_some_and(|check| self.is_loose(check));
        let outcome = match (is_as_expected, is_loose) {
            (true, _) => SelfTestOutcome::Passed,
            (false, true) => SelfTestOutcome::Loosened,
            (false, false) => SelfTestOutcome::Failed,
        };
        self.report.add(SelfTestCase {
            name,
            place: self.place.map(Box::from),
            description,
            outcome,
            kind: result.as_ref().err().map(|error| error.kind().name()),
            setting: check.and_then(Check::loosened_by),
        });
    }

    /// Whether a setting turns the check off.
    fn is_loose(&self, check: Check) -> bool {
        let rules = &self.engine.checks.rules;
        match check {
            Check::Padding => self.engine.any_padding,
            Check::Type => matches!(rules.types, Types::Only(_)),
            Check::Issuer => rules.issuers.is_none(),
            Check::Audience => rules.audiences.is_none(),
            Check::Expiry | Check::Times => rules.leeway > seconds(Rules::MOST_LEEWAY),
            Check::HasExpiry => rules.without_expiry,
            Check::Subject => !rules.subject,
            Check::SubjectType => rules.integer_subject,
            Check::Confirmation => self.engine.checks.bindings.ignored,
            Check::Events => rules.events,
            Check::Keys
            | Check::Form
            | Check::Length
            | Check::Header
            | Check::ClaimsForm
            | Check::Token
            | Check::Source
            | Check::Credentials
            | Check::CrossSite
            | Check::AccessToken
            | Check::Scope
            | Check::Proof
            | Check::ProofAddress
            | Check::ProofTime
            | Check::ProofNonce
            | Check::Replay
            | Check::Binding
            | Check::Bound => false,
        }
    }

    /// Whether the changed claim has a value that the verifier trusts by its name.
    fn is_trusted(&self, check: Check, claims: &Members) -> bool {
        let rules = &self.engine.checks.rules;
        let (name, trusted) = match check {
            Check::Issuer => ("iss", rules.issuers.as_deref()),
            Check::Audience => ("aud", rules.audiences.as_deref()),
            _ => return false,
        };
        let value = claims.json(name).and_then(|json| serde_json::from_str::<Value>(json).ok());
        let trusted = trusted.unwrap_or_default();
        let is_trusted = |value: &Value| {
            value.as_str().is_some_and(|text| trusted.iter().any(|one| **one == *text))
        };
        match value {
            // An array with something else than texts is refused for that.
            Some(Value::Array(all)) => {
                all.iter().all(Value::is_string) && all.iter().any(is_trusted)
            }
            value => value.as_ref().is_some_and(is_trusted),
        }
    }

    fn setup(&self) -> Setup<'_> {
        let (issuer, audience) = (&self.issuer, &self.audience);
        // A longer one is `any_leeway`, which the report names.
        let leeway = self.engine.checks.rules.leeway.min(seconds(Rules::MOST_LEEWAY));
        Setup { issuer, audience, now: self.now, leeway }
    }
}

/// A token whose signature nobody has made.
fn token(header: &Members, claims: &Members) -> String {
    Parts { header, claims, sign: &no_signature }.token()
}

/// 64 bytes in base64url, as those of `ES256` and `EdDSA`.
fn no_signature(_: &str) -> String {
    URL_SAFE_NO_PAD.encode_to_string([0x5a; 64])
}

fn is_kind(result: &Result<(), Error>, kinds: &[&str]) -> bool {
    result.as_ref().is_err_and(|error| kinds.contains(&error.kind().name()))
}

/// The bytes of a signature (RFC 7518 §3). Of RSA, those of a key with 2048 bits.
fn signature_len(algorithm: Algorithm) -> usize {
    match algorithm.family() {
        Family::Hmac => match algorithm {
            Algorithm::HS384 => 48,
            Algorithm::HS512 => 64,
            _ => 32,
        },
        Family::RsaPkcs1 | Family::RsaPss => 256,
        Family::P256 | Family::Ed25519 => 64,
        Family::P384 => 96,
        Family::P521 => 132,
    }
}

/// The name of the case that must be accepted.
const VALID: &str = "valid";

/// The kinds of a refusal by the keys.
const NO_KEY: &[&str] = &["signature", "unknown_key", "keys_not_tried"];
