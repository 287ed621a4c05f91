//! The builder of a verifier. It refuses settings that are not safe.

use std::{
    fmt,
    future::Future,
    sync::{Arc, Weak},
    time::Duration,
};

use serde::de::DeserializeOwned;

use super::{
    Cache, CachedRule, Claims, Engines, RuleError, Verifier,
    allowed_values::AllowedValues,
    binding::{Bindings, Proofs},
    cache::EngineId,
    engine::Engine,
    limits::{check_required, check_required_header, check_token_len, check_types},
    origin::Origin,
    pipeline::{Checks, LogOptions},
    rule::UserRules,
    shadow::ShadowRules,
};
use crate::{
    alg::{Algorithm, AlgorithmSet},
    claims::RegisteredClaims,
    clock::{Clock, SystemClock},
    error::ConfigError,
    few::SharedTexts,
    keys::{IntoKeySource, KeySource, KeySources},
    observe::{Observer, Observers},
    proof::{DPoP, MutualTls},
    revocation::{Denylist, Revocations},
    rules::{self, Rules, Types},
    scope_hierarchy::ScopeHierarchy,
    token::{self, RequiredHeader},
};

/// Builds a [`Verifier`].
///
/// # Defaults
///
/// - keys, issuer, audience: none, and `build()` asks for them
/// - clients: all
/// - algorithms: all that the keys may verify; of keys that are fetched, those of public keys
/// - `exp`: required; `nbf`, `iat`: checked where they are
/// - `sub`: required
/// - leeway for the three: 60 s
/// - maximum age: none
/// - `typ`: none, `JWT` or `at+jwt`
/// - other header parameters: ignored
/// - length of a token: at most 8 KiB
/// - padding: refused
/// - tokens that are bound to their sender (`cnf`): refused
/// - denylist: none; with one, `jti` is required, and where it cannot be asked, the answer
///   is 503
/// - cache of verified tokens: at most 16 MiB
/// - shadow rules: none
/// - clock: that of the system
/// - scopes that imply others: none
/// - observers: none
#[must_use = "a builder does nothing until it is built"]
pub struct VerifierBuilder<C = RegisteredClaims> {
    keys: Result<Vec<KeySource>, ConfigError>,
    issuers: AllowedValues,
    audiences: AllowedValues,
    clients: Vec<String>,
    algorithms: Option<AlgorithmSet>,
    subject: bool,
    integer_subject: bool,
    leeway: Duration,
    any_leeway: bool,
    without_expiry: bool,
    max_age: Option<Duration>,
    types: Types,
    events: bool,
    required: Vec<String>,
    required_header: RequiredHeader,
    max_token_len: usize,
    any_padding: bool,
    user_rules: UserRules<C>,
    ignore_confirmation: bool,
    proofs: Proofs,
    has_second_proof: bool,
    revocations: Revocations,
    token_id: bool,
    clock: Box<dyn Clock>,
    scope_hierarchy: Option<ScopeHierarchy>,
    cache: Cache,
    log: LogOptions,
    shadow: ShadowRules,
    observers: Observers,
}

impl Verifier {
    /// A builder. It needs at least a key, an issuer and an audience.
    ///
    /// The verifier reads the registered claims;
    /// [`.claims::<User>()`](VerifierBuilder::claims) reads a type of the application too.
    pub fn builder() -> VerifierBuilder {
        VerifierBuilder::new()
    }
}

impl VerifierBuilder {
    /// Reads the claims as a `C` too: a type of the application that implements
    /// [`Deserialize`](serde::Deserialize) for a JSON object, such as a struct or a map. A token
    /// that does not fit it is refused. Handlers then get a [`Claims<C>`](crate::Claims).
    ///
    /// # Example
    /// ```
    /// use tower_jwt_auth::{Key, Verifier};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct User {
    ///     tenant: String,
    /// }
    ///
    /// let verifier = Verifier::builder()
    ///     .claims::<User>()
    ///     .issuer("https://login.example.com")
    ///     .audience("https://api.example.com")
    ///     .keys(Key::hs256([7; 32]))
    ///     .build()?;
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn claims<C: Send + Sync + 'static>(self) -> VerifierBuilder<C> {
        VerifierBuilder {
            user_rules: self.user_rules.of_type(),
            keys: self.keys,
            issuers: self.issuers,
            audiences: self.audiences,
            clients: self.clients,
            algorithms: self.algorithms,
            subject: self.subject,
            integer_subject: self.integer_subject,
            without_expiry: self.without_expiry,
            leeway: self.leeway,
            any_leeway: self.any_leeway,
            max_age: self.max_age,
            types: self.types,
            events: self.events,
            required: self.required,
            required_header: self.required_header,
            max_token_len: self.max_token_len,
            any_padding: self.any_padding,
            ignore_confirmation: self.ignore_confirmation,
            proofs: self.proofs,
            has_second_proof: self.has_second_proof,
            revocations: self.revocations,
            token_id: self.token_id,
            clock: self.clock,
            scope_hierarchy: self.scope_hierarchy,
            cache: self.cache,
            log: self.log,
            shadow: self.shadow,
            observers: self.observers,
        }
    }
}

impl<C> VerifierBuilder<C> {
    pub(crate) fn new() -> Self {
        Self {
            keys: Ok(Vec::new()),
            issuers: AllowedValues::Only(Vec::new()),
            audiences: AllowedValues::Only(Vec::new()),
            clients: Vec::new(),
            algorithms: None,
            subject: true,
            integer_subject: false,
            without_expiry: false,
            leeway: Duration::from_secs(60),
            any_leeway: false,
            max_age: None,
            types: Types::Usual,
            events: false,
            required: Vec::new(),
            required_header: RequiredHeader::default(),
            max_token_len: 8 * 1024,
            any_padding: false,
            user_rules: UserRules::new(),
            ignore_confirmation: false,
            proofs: Proofs::default(),
            has_second_proof: false,
            revocations: Revocations::default(),
            token_id: true,
            clock: Box::new(SystemClock),
            scope_hierarchy: None,
            cache: Cache::default(),
            log: LogOptions::default(),
            shadow: ShadowRules::default(),
            observers: Observers::default(),
        }
    }

    /// Adds keys that are trusted: a [`Key`](crate::Key), several, a
    /// [`KeySet`](crate::KeySet), the `Result` of making one, a
    /// [`KeysById`](crate::keys::by_id::KeysById), or with the feature
    /// `remote` a `RemoteKeys`.
    pub fn keys(mut self, keys: impl IntoKeySource) -> Self {
        self.keys = self.keys.and_then(|mut sources| {
            sources.push(keys.into_key_source()?);
            Ok(sources)
        });
        self
    }

    /// Adds an issuer that is trusted: `iss` is then required, and equal to one of them byte for
    /// byte (RFC 7519 §4.1.1). Keys that are all bound to an issuer bring it along: it need not
    /// be named then.
    ///
    /// # Security
    ///
    /// Each key may sign for each of the issuers, unless it is bound to its own
    /// with [`KeySet::with_issuer`](crate::KeySet::with_issuer).
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuers.add(issuer.into());
        self
    }

    /// Trusts every issuer that signs with one of the keys, and tokens without
    /// `iss`.
    ///
    /// # Security
    ///
    /// Right only where nobody signs tokens for anybody else with these keys.
    pub fn any_issuer(mut self) -> Self {
        self.issuers = AllowedValues::Any;
        self
    }

    /// Adds a name of this service: `aud` is then required, and must have one of the names as a
    /// member, byte for byte (RFC 7519 §4.1.3).
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.add(audience.into());
        self
    }

    /// Accepts tokens for every audience, and tokens without `aud`.
    ///
    /// # Security
    ///
    /// A token that another service was given can then be used here by that
    /// service (RFC 8725 §2.7).
    pub fn any_audience(mut self) -> Self {
        self.audiences = AllowedValues::Any;
        self
    }

    /// Adds a client: only tokens of the clients that are added are accepted. Default: all
    /// clients.
    ///
    /// The client is read from `client_id` (RFC 9068 §2.2), or where that is not there,
    /// from `azp` (OpenID Connect Core 1.0 §2), `cid` or `appid`, as some providers call
    /// it. A token without any is refused.
    ///
    /// With an issuer whose access tokens have no `aud`, this takes the place of the
    /// audience: `.any_audience().client_id("my-app")`.
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.clients.push(id.into());
        self
    }

    /// Sets the only algorithms that are accepted, of those that the keys may verify (RFC 8725
    /// §3.1). Default: all of them.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// Sets how far the clocks of the issuer and of this machine may differ, in whole seconds, for `exp`, `nbf`, `iat` and the maximum age; at most 300 s.
    /// Default: 60 s.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Sets which scopes imply others, for all [`Scopes`](crate::authorize::Scopes) policies that see the
    /// claims of this verifier: in a [`RequireLayer`](crate::RequireLayer), an extractor or a handler.
    /// A policy with a hierarchy [of its own](crate::authorize::Scopes::with_hierarchy) uses that
    /// instead. Among [`Issuers`](super::Issuers), each verifier has its own. Default: none do.
    ///
    /// # Example: who may write may read
    /// ```
    /// use tower_jwt_auth::{Key, Verifier, authorize::ScopeHierarchy};
    ///
    /// let verifier = Verifier::builder()
    ///     .issuer("https://login.example.com")
    ///     .audience("https://api.example.com")
    ///     .keys(Key::hs256([7; 32]))
    ///     .scope_hierarchy(ScopeHierarchy::new().implies("files:write", ["files:read"]))
    ///     .build()?;
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn scope_hierarchy(mut self, hierarchy: ScopeHierarchy) -> Self {
        self.scope_hierarchy = Some(hierarchy);
        self
    }

    /// Sets the maximum age of a token since it was issued, in whole seconds, whatever its `exp`;
    /// `iat` is then required. Default: no limit.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Accepts only access tokens of RFC 9068: `typ` is `at+jwt`, and `iss`,
    /// `exp`, `aud`, `sub`, `client_id`, `iat` and `jti` are present (§2.2, §4).
    /// An ID token is then refused whatever its claims say.
    pub fn access_tokens_only(mut self) -> Self {
        self.types = Types::Only(Box::new(["at+jwt".into()]));
        self.subject = true;
        for name in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
            self.require(name.into());
        }
        self
    }

    /// Sets the only `typ` values that are accepted; `typ` is then required (RFC 8725 §3.11). Case
    /// and a leading `application/` do not matter. Of this and [`Self::access_tokens_only`], the
    /// last call counts for `typ`.
    pub fn token_types<T: Into<String>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        let types = types.into_iter().map(|typ| Box::from(token::essence(&typ.into())));
        self.types = Types::Only(types.collect());
        self
    }

    /// Accepts tokens without a subject.
    pub fn without_subject(mut self) -> Self {
        self.subject = false;
        self
    }

    /// Accepts a `sub` that is a whole number and not negative, as if it were the text of its digits.
    /// Some issuers write the number of a database row, although RFC 7519 §4.1.2 wants a string.
    /// Default: such a token is refused.
    ///
    /// [`Claims::registered`](super::Claims::registered) then has the digits. A claims type that has
    /// a [`RegisteredClaims`](crate::RegisteredClaims) inside of it still refuses a number, because
    /// its `Deserialize` does not know this setting.
    ///
    /// # Security
    ///
    /// The subject 42 is then the same as the subject `"42"`. Right only where the issuer does not
    /// use both.
    pub fn any_integer_subject(mut self) -> Self {
        self.integer_subject = true;
        self
    }

    /// Adds a claim that is required, registered or not. A token without it, or where it is
    /// `null`, is refused. At most 64 claims can be required.
    pub fn required_claim(mut self, name: impl Into<String>) -> Self {
        self.require(name.into());
        self
    }

    /// Adds a parameter of the token's header (RFC 7515 §4) that is required, and its value: a text
    /// that is compared exactly. With another value for the same name, each of the values is
    /// accepted. The signature covers the header.
    ///
    /// # Example: an AWS load balancer, whose keys other load balancers share
    /// ```
    /// # use tower_jwt_auth::{Key, Verifier};
    /// # let keys = Key::hs256([7; 32]);
    /// let arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/web/1a2b";
    /// let verifier = Verifier::builder()
    ///     .issuer("https://login.example.com")
    ///     .any_audience()
    ///     .required_header("signer", arn)
    ///     .keys(keys)
    ///     .build()?;
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn required_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.required_header.add(name.into(), value.into());
        self
    }

    /// Accepts tokens whose parts are padded with `=` too, as some load balancers write them. The
    /// padding must be canonical in all three parts (RFC 4648 §3.2). A token in which some parts
    /// are padded, and others are not although their length asks for it, is refused.
    ///
    /// # Security
    ///
    /// RFC 7515 §2 has no padding. If only the signature needs it, the same token exists as two
    /// texts. So tell tokens apart by `jti`, as the denylist does, and not by their text.
    pub fn any_padding(mut self) -> Self {
        self.any_padding = true;
        self
    }

    /// Sets the maximum length of a token, in bytes; at most 65536. Default: 8192.
    pub fn max_token_len(mut self, bytes: usize) -> Self {
        self.max_token_len = bytes;
        self
    }

    /// Adds a rule on the typed claims, asked after all others have passed.
    ///
    /// # Example: one tenant only
    /// ```
    /// use tower_jwt_auth::{Claims, Key, Verifier, verifier::RuleError};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct User {
    ///     tenant: String,
    /// }
    ///
    /// let verifier = Verifier::builder().claims::<User>()
    ///     .any_issuer()
    ///     .any_audience()
    ///     .keys(Key::hs256([7; 32]))
    ///     .rule(|user: &Claims<User>| match &*user.tenant {
    ///         "acme" => Ok(()),
    ///         _ => Err(RuleError::refuse("another tenant")),
    ///     })
    ///     .build()?;
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn rule<F>(mut self, rule: F) -> Self
    where
        F: Fn(&Claims<C>) -> Result<(), RuleError> + Send + Sync + 'static,
    {
        self.user_rules.add(rule);
        self
    }

    /// Adds a rule that may wait, such as a look into a database. It makes
    /// every request that gets so far wait for it.
    ///
    /// # Example: users that are active
    /// ```
    /// use tower_jwt_auth::{Claims, Key, Verifier, verifier::RuleError};
    ///
    /// # async fn is_active(_: Option<&str>) -> std::io::Result<bool> { Ok(true) }
    /// let verifier = Verifier::builder()
    ///     .any_issuer()
    ///     .any_audience()
    ///     .keys(Key::hs256([7; 32]))
    ///     .async_rule(|user: Claims| async move {
    ///         match is_active(user.subject()).await? {
    ///             true => Ok(()),
    ///             false => Err(RuleError::refuse("the user is not active")),
    ///         }
    ///     })
    ///     .build()?;
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn async_rule<F, Fut>(mut self, rule: F) -> Self
    where
        C: Send + Sync + 'static,
        F: Fn(Claims<C>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), RuleError>> + Send + 'static,
    {
        self.user_rules.add_async(rule);
        self
    }

    /// Adds a rule that may wait, and whose verdicts are kept for 30 s by a key of your own; see
    /// [`CachedRule`]. It runs in its place among the asynchronous rules.
    pub fn cached_rule(mut self, rule: CachedRule<C>) -> Self
    where
        C: Send + Sync + 'static,
    {
        self.user_rules.add_started(rule.start());
        self
    }

    /// Accepts tokens that are bound to a key (`cnf.jkt`), with a DPoP proof of that key (RFC 9449); see
    /// [`DPoP`]. Their requests have `Authorization: DPoP` in place of `Bearer`. A second call is an
    /// error in [`build`](Self::build). Default: such tokens are refused.
    ///
    /// A proof is one of a request: [`Verifier::verify`] refuses these tokens, and
    /// [`Verifier::verify_request`] and the layer check them.
    pub fn dpop(mut self, dpop: DPoP) -> Self {
        self.has_second_proof |= self.proofs.dpop.replace(dpop).is_some();
        self
    }

    /// Accepts tokens that are bound to a client certificate (`cnf.x5t#S256`), on connections with that
    /// certificate (RFC 8705); see [`MutualTls`]. A second call is an error in
    /// [`build`](Self::build). Default: such tokens are refused.
    ///
    /// As with [`dpop`](Self::dpop), the verifier must see the request.
    pub fn mutual_tls(mut self, mutual_tls: MutualTls) -> Self {
        self.has_second_proof |= self.proofs.mutual_tls.replace(mutual_tls).is_some();
        self
    }

    /// Asks this list, at each request, whether the token is revoked; see
    /// [`revocation`](crate::revocation). A token without `jti` is then refused. A second list is
    /// an error in [`build`](Self::build). Default: no list, and a token is valid until it expires.
    pub fn denylist(mut self, list: impl Denylist) -> Self {
        self.revocations.set(list);
        self
    }

    /// With a denylist, accepts tokens without `jti` nevertheless.
    ///
    /// # Security
    ///
    /// Such a token can only be revoked with its session or its subject.
    pub fn without_token_id(mut self) -> Self {
        self.token_id = false;
        self
    }

    /// Accepts tokens with the claim `events` too: logout tokens and other security events (RFC
    /// 8417). Default: they are refused.
    ///
    /// # Security
    ///
    /// Providers send such tokens to other parties, with the same key and often with the type
    /// `JWT`. A party that receives one could use it here as an access token.
    pub fn any_events(mut self) -> Self {
        self.events = true;
        self
    }

    /// Sets the clock. Default: the system clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Sets how much memory is taken for tokens that were verified, or that none is; see
    /// [`Cache`]. Default: 16 MiB.
    pub fn cache(mut self, cache: Cache) -> Self {
        self.cache = cache;
        self
    }

    /// Adds an observer, which is told of decisions, keys and the denylist; see
    /// [`observe`](crate::observe). Layers with this verifier use it, too. Default: none.
    ///
    /// # Example: metrics
    /// ```
    /// # #[cfg(feature = "metrics")] {
    /// use tower_jwt_auth::{Key, Verifier, observe::MetricsObserver};
    ///
    /// let verifier = Verifier::builder()
    ///     .issuer("https://login.example.com")
    ///     .audience("https://api.example.com")
    ///     .keys(Key::hs256([7; 32]))
    ///     .observer(MetricsObserver::new())
    ///     .build()?;
    /// # }
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.add(observer);
        self
    }

    /// Shows in the events of refusals what a token says whose signature was not verified: its
    /// `alg`, `typ` and `kid`, and its claims where they were read before a key was fetched. Texts
    /// are escaped, and cut at 64 characters. Default: only values of verified tokens are shown.
    ///
    /// Anybody can then write such texts into the log. Turn it on while you look for a fault.
    pub fn log_unverified(mut self) -> Self {
        self.log.unverified = true;
        self
    }

    /// Shows the subject in the events of the verifier's refusals, where the signature was verified.
    /// A refusal by a [policy](crate::authorize), and one of a [cached rule](CachedRule), which several
    /// requests may share, do not show it. Default: it is not shown, because it is personal data in many services. For requests that pass, see
    /// [`JwtAuthLayer::record_subject`](crate::JwtAuthLayer::record_subject).
    pub fn log_subject(mut self) -> Self {
        self.log.subject = true;
        self
    }

    /// Adds rules that decide nothing: a token that the verifier accepts passes, and if one of these
    /// rules would have refused it, an event and [`Claims::shadow`] say so. Use it to see whom a
    /// stricter rule would lock out before you enforce it; the guide `shadow_rules` goes through it
    /// step by step. A second call adds to the first.
    ///
    /// The event has the level `info`, the fields `rule` and `more`, and what was expected and seen.
    /// There is at most one in ten seconds for each rule; `more` is the number of refusals since
    /// the last one. Default: no such rules.
    ///
    /// # Example: who has tokens for another audience?
    /// ```
    /// use std::time::Duration;
    /// use tower_jwt_auth::{Claims, Key, Verifier};
    ///
    /// let verifier = Verifier::builder()
    ///     .issuer("https://login.example.com")
    ///     .any_audience()
    ///     .keys(Key::hs256([7; 32]))
    ///     .shadow(|rules| {
    ///         rules.audience("https://api.example.com").max_age(Duration::from_secs(3600))
    ///     })
    ///     .build()?;
    ///
    /// // In a handler: which rules would have refused this token?
    /// async fn orders(claims: Claims) {
    ///     for rule in claims.shadow().iter() {
    ///         println!("{rule}: client {:?}", claims.client_id());
    ///     }
    /// }
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn shadow(mut self, rules: impl FnOnce(ShadowRules) -> ShadowRules) -> Self {
        self.shadow = rules(self.shadow);
        self
    }

    /// Opens the settings that take protection away.
    pub fn dangerous(self) -> DangerousVerifierBuilder<C> {
        DangerousVerifierBuilder(self)
    }

    #[cfg(feature = "issue")]
    pub(crate) fn observers(mut self, observers: Observers) -> Self {
        self.observers = observers;
        self
    }

    /// Adds a required claim, once.
    fn require(&mut self, name: String) {
        if !self.required.contains(&name) {
            self.required.push(name);
        }
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> VerifierBuilder<C> {
    /// Builds the verifier.
    ///
    /// # Errors
    ///
    /// A setting is missing, contradicts another one or is not safe. The message says what to
    /// write instead.
    pub fn build(mut self) -> Result<Verifier<C>, ConfigError> {
        self.revocations.check_config()?;
        self.user_rules.check_config()?;
        if self.has_second_proof {
            return Err(ConfigError::Conflict(
                "the verifier has two values for `.dpop(…)` or `.mutual_tls(…)`, call each once",
            ));
        }
        if self.revocations.is_configured() && self.token_id {
            self.require("jti".into());
        }
        let keys = KeySources::new(self.keys?)?;
        let allowed = self.algorithms.unwrap_or(AlgorithmSet::ALL);
        let algorithms: AlgorithmSet =
            keys.algorithms().iter().filter(|one| allowed.contains(*one)).collect();
        if algorithms.is_empty() {
            return Err(ConfigError::NoUsableAlgorithm);
        }
        let issuers = self
            .issuers
            .of_keys(&keys)?
            .check(ConfigError::NoIssuer, "the issuer is empty, give it the `iss` of its tokens")?;
        let audiences = self.audiences.check(
            ConfigError::NoAudience,
            "the audience is empty, give it the `aud` that names this service",
        )?;
        if self.clients.iter().any(String::is_empty) {
            return Err(ConfigError::InvalidName(
                "the client id is empty, give it the `client_id` of its tokens",
            ));
        }
        if self.leeway > Rules::MOST_LEEWAY && !self.any_leeway {
            return Err(ConfigError::OutOfRange(
                "a leeway of more than 300 s keeps expired tokens alive, \
                 set the clocks by NTP, or say `.dangerous().any_leeway(…)`",
            ));
        }
        check_required_header(&self.required_header)?;
        check_token_len(self.max_token_len)?;
        self.cache.check()?;
        check_required(self.required.iter())?;
        if let Types::Only(types) = &self.types {
            check_types(types)?;
        }
        let rules = Rules {
            issuers: issuers.map(|names| names.into_iter().map(Arc::from).collect()),
            audiences: audiences
                .map(|names| names.into_iter().map(|name| AUDIENCES.text(name)).collect()),
            subject: self.subject,
            integer_subject: self.integer_subject,
            without_expiry: self.without_expiry,
            leeway: rules::seconds(self.leeway),
            max_age: self.max_age.map(rules::seconds),
            types: self.types,
            events: self.events,
            required: self.required.into_iter().map(String::into_boxed_str).collect(),
        };
        let shadow = self.shadow.build(&rules)?;
        if let Some(shadow) = &shadow {
            self.user_rules.add_started(Ok(Arc::clone(shadow).into_rule()));
        }
        let bindings = Bindings::new(self.ignore_confirmation, self.proofs)?;
        let clock: Arc<dyn Clock> = self.clock.into();
        let scopes = self.scope_hierarchy.map(ScopeHierarchy::prepared);
        let engine = Arc::new_cyclic(|engine: &Weak<Engine<C>>| Engine {
            id: EngineId::new(),
            keys,
            checks: Checks {
                origin: Origin::new(&clock, &rules, scopes, &self.revocations, engine.clone()),
                algorithms,
                required_header: self.required_header,
                rules,
                bindings,
                clients: self.clients.into(),
                clock,
                log: self.log,
                shadow,
            },
            user_rules: self.user_rules,
            revocations: self.revocations,
            max_token_len: self.max_token_len,
            any_padding: self.any_padding,
            is_cached: self.cache.is_on(),
        });
        engine.observe(&self.observers, None);
        Ok(Verifier::new(Engines::One(engine), self.cache, self.observers))
    }
}

impl<C> fmt::Debug for VerifierBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifierBuilder")
            .field("keys", &self.keys)
            .field("leeway", &self.leeway)
            .field("types", &self.types)
            .finish_non_exhaustive()
    }
}

/// The settings of a [`VerifierBuilder`] that take protection away.
#[derive(Debug)]
#[must_use = "call one of its methods"]
pub struct DangerousVerifierBuilder<C>(VerifierBuilder<C>);

impl<C> DangerousVerifierBuilder<C> {
    /// Takes tokens that are bound to a key of their sender (`cnf`, RFC 7800
    /// §3.1) as if they were not.
    ///
    /// # Security
    ///
    /// A stolen token then serves the thief, which the binding was to prevent.
    /// Right only behind something that has checked it, such as a gateway.
    pub fn ignore_confirmation(mut self) -> VerifierBuilder<C> {
        self.0.ignore_confirmation = true;
        self.0
    }

    /// Takes a token where the denylist cannot say whether it is revoked.
    ///
    /// # Security
    ///
    /// A client that can keep the list from answering is then never logged out. Such requests are an
    /// event of the level `error`, at most one in ten seconds.
    pub fn fail_open(mut self) -> VerifierBuilder<C> {
        self.0.revocations.fail_open();
        self.0
    }

    /// Accepts tokens without `exp`, and sets the maximum age of a token since it was issued, in
    /// whole seconds, as [`max_age`](VerifierBuilder::max_age) does. `iat` is then required. A
    /// token that has `exp` still expires then.
    ///
    /// # Security
    ///
    /// The issuer does not say when its tokens end, so the maximum age is the only limit of a
    /// stolen one. [`Revocation::of_token`](crate::revocation::Revocation::of_token) cannot revoke
    /// a token without `exp`: revoke its session or its subject.
    pub fn without_expiry(mut self, max_age: Duration) -> VerifierBuilder<C> {
        self.0.without_expiry = true;
        self.0.max_age = Some(max_age);
        self.0
    }

    /// A leeway of more than 300 s.
    ///
    /// # Security
    ///
    /// Tokens stay valid for so long after they have expired, and those that were revoked as
    /// well: a revocation ends 5 minutes after its tokens.
    pub fn any_leeway(mut self, leeway: Duration) -> VerifierBuilder<C> {
        self.0.leeway = leeway;
        self.0.any_leeway = true;
        self.0
    }
}

/// Several issuers name the same service.
static AUDIENCES: SharedTexts = SharedTexts::new();
