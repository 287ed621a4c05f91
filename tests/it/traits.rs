//! What may be sent, shared, moved and cloned.

use std::{
    cell::Cell, convert::Infallible, error::Error as StdError, fmt::Debug, future::Ready,
    marker::PhantomPinned, rc::Rc,
};

use http::{Request, Response};
use tower::{Service, util::BoxCloneSyncService};
use tower_jwt_auth::{
    Algorithm, Claims, ConfigError, Error, ErrorKind, JwtAuthLayer, Key, KeySet, RegisteredClaims,
    RequireLayer, TokenSource, Verifier,
    alg::UnknownAlgorithm,
    authorize::{And, AnyRole, EveryRole, Not, Or, RequestHead, Roles, Scopes},
    claims::{Audience, ClaimPath, NumericDate, ScopeSet},
    clock::SystemClock,
    error::{FetchError, FetchErrorKind, InvalidRequest},
    keys::{
        KeySource, SkippedKey,
        by_id::{KeysById, KeysByIdBuilder},
    },
    layer::{JwtAuth, Require, RequireFuture, ResponseFuture, ServeMetadata},
    maybe_ready::{MaybeReady, MaybeReadyFuture},
    observe::{
        CacheLookup, Decision, DenylistReport, EarlyRemoval, FetchOutcome, KeyFetch, KeyReport,
        KeyRotation, OldKey, Outcome, RefreshOutcome, RemovedKeyUse, Scheme, ShadowOutcome,
    },
    report::{Finding, Lint, LintReport, SelfTestCase, SelfTestOutcome, SelfTestReport},
    resource::{ProtectedResource, ProtectedResourceBuilder},
    response::{DefaultRespond, ProblemJson, Rejection},
    revocation::Watchers,
    source::{CookieSourceBuilder, CustomSourceBuilder, DangerousCookieSourceBuilder},
    validity::{Guarded, NoLastItem, RenewError, Renewal, Validity, ValidityEnd},
    verifier::{
        CachedRule, DangerousVerifierBuilder, IssuerPattern, Issuers, IssuersBuilder, RuleError,
        ShadowRule, ShadowRules, ShadowVerdict, VerifierBuilder,
    },
};

fn data<T: Send + Sync + Unpin + Debug>() {}
fn shared<T: Send + Sync + Unpin + Debug + Clone>() {}
fn error<T: Send + Sync + Unpin + StdError + 'static>() {}
fn sent<T: Send + Unpin + Debug>() {}
fn any<T: Debug>() {}

/// Claims of an application: shared among threads, and no more.
#[derive(Debug)]
struct User;

/// A service as axum has it inside, and one that stays on its thread.
type Inner = BoxCloneSyncService<Request<String>, Response<String>, Infallible>;

#[derive(Clone, Debug)]
struct Local(Rc<PhantomPinned>);

impl Service<Request<Rc<Cell<u8>>>> for Local {
    type Response = Response<String>;
    type Error = Rc<str>;
    type Future = Ready<Result<Response<String>, Rc<str>>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Rc<str>>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Rc<Cell<u8>>>) -> Self::Future {
        std::future::ready(Err(Rc::from(format!("{:?}", self.0))))
    }
}

#[cfg(feature = "test-util")]
#[test]
fn traits_of_the_test_kit() {
    use tower_jwt_auth::testing::{
        Attack, AttackReport, AttackRun, CookieSession, TestClaims, TestClock, TestDenylist,
        TestIssuer, TestRefreshStore, TestServer, TestToken, UnrefusedAttack,
    };

    shared::<Attack>();
    shared::<AttackReport>();
    shared::<AttackRun>();
    shared::<UnrefusedAttack>();
    shared::<TestIssuer>();
    shared::<TestToken>();
    shared::<TestClock>();
    shared::<TestClaims>();
    shared::<CookieSession>();
    shared::<TestDenylist>();
    shared::<TestRefreshStore>();
    data::<TestServer>();
}

#[test]
fn traits() {
    shared::<Verifier<User>>();
    shared::<Claims<User>>();
    data::<VerifierBuilder<User>>();
    data::<DangerousVerifierBuilder<User>>();
    shared::<Lint>();
    shared::<Finding>();
    shared::<LintReport>();
    shared::<SelfTestCase>();
    shared::<SelfTestOutcome>();
    shared::<SelfTestReport>();
    shared::<ShadowRule>();
    shared::<ShadowRules>();
    shared::<ShadowVerdict>();

    shared::<JwtAuthLayer<User>>();
    shared::<JwtAuthLayer<User, ProblemJson>>();
    shared::<JwtAuthLayer<User, ProblemJson, ServeMetadata>>();
    shared::<JwtAuth<Inner, User>>();
    shared::<ProtectedResource>();
    data::<ProtectedResourceBuilder>();
    shared::<RequireLayer<User>>();
    shared::<Require<Inner, User>>();

    shared::<TokenSource>();
    shared::<CookieSourceBuilder>();
    data::<DangerousCookieSourceBuilder>();
    data::<CustomSourceBuilder>();
    shared::<Key>();
    shared::<KeySet>();
    data::<SkippedKey>();
    shared::<KeysById>();
    data::<KeysByIdBuilder>();
    shared::<SystemClock>();
    shared::<Algorithm>();

    shared::<RegisteredClaims>();
    shared::<Audience<'_>>();
    shared::<ScopeSet<'_>>();
    shared::<ClaimPath>();
    shared::<NumericDate>();

    shared::<Scopes>();
    shared::<Roles>();
    shared::<AnyRole>();
    shared::<EveryRole>();
    shared::<And<Scopes, Or<AnyRole, Not<EveryRole>>>>();

    shared::<Error>();
    shared::<ErrorKind>();
    shared::<InvalidRequest>();
    shared::<Rejection>();
    shared::<DefaultRespond>();
    shared::<ProblemJson>();
    error::<Error>();
    error::<ConfigError>();
    error::<UnknownAlgorithm>();
    error::<FetchError>();
    shared::<FetchErrorKind>();
    shared::<KeySource>();
    data::<RuleError>();
    data::<CachedRule<User>>();
    shared::<RequestHead<'_>>();
    shared::<Issuers<User>>();
    sent::<IssuersBuilder<User>>();
    shared::<IssuerPattern>();
    shared::<Decision<'_>>();
    shared::<(Outcome, Scheme, CacheLookup, FetchOutcome, RefreshOutcome, ShadowOutcome)>();
    shared::<(KeyFetch<'_>, KeyReport<'_>, KeyRotation<'_>)>();
    shared::<(EarlyRemoval<'_>, RemovedKeyUse<'_>, OldKey<'_>, DenylistReport)>();
    #[cfg(feature = "metrics")]
    shared::<tower_jwt_auth::observe::MetricsObserver>();

    shared::<Watchers>();
    shared::<Validity<Local>>();
    shared::<(ValidityEnd, NoLastItem)>();
    error::<RenewError>();
    data::<Guarded<String>>();
    any::<Guarded<Local, Local>>();
}

#[cfg(feature = "settings")]
#[test]
fn settings_are_shared() {
    shared::<tower_jwt_auth::settings::Settings>();
}

/// What waits is sent and not shared: a boxed future is not `Sync`.
#[test]
fn futures_are_sent_when_their_parts_are() {
    sent::<MaybeReady<Result<Claims<User>, Error>>>();
    sent::<MaybeReadyFuture<Result<Claims<User>, Error>>>();
    sent::<ResponseFuture<Inner, User, DefaultRespond, String, String>>();
    sent::<Renewal<User>>();
    sent::<RequireFuture<<Inner as Service<Request<String>>>::Future, String>>();

    any::<ResponseFuture<Local, User, DefaultRespond, Rc<Cell<u8>>, String>>();
    any::<RequireFuture<<Local as Service<Request<Rc<Cell<u8>>>>>::Future, String>>();
    any::<JwtAuth<Local, User>>();
}

#[cfg(feature = "issue")]
#[test]
fn pages_without_scripts() {
    use tower_jwt_auth::{
        issue::{DangerousTokenCookiesBuilder, TokenCookiesBuilder},
        sessions::{PageFuture, PageLayer, Pages},
    };

    shared::<PageLayer>();
    shared::<Pages<Inner>>();
    sent::<PageFuture<Inner, String>>();
    any::<PageFuture<Local, Rc<Cell<u8>>>>();
    data::<TokenCookiesBuilder>();
    data::<DangerousTokenCookiesBuilder>();
}

#[cfg(feature = "remote")]
#[test]
fn keys_that_are_fetched() {
    use tower_jwt_auth::{
        RemoteKeys,
        keys::remote::{DangerousRemoteKeysBuilder, KeyState, KeyStatus, RemoteKeysBuilder},
        settings::Settings,
    };

    shared::<RemoteKeys>();
    data::<RemoteKeysBuilder>();
    data::<DangerousRemoteKeysBuilder>();
    shared::<KeyStatus>();
    shared::<KeyState>();
    assert_eq!(size_of::<RemoteKeys>(), size_of::<usize>());

    /// Whatever waits may wait on any thread.
    fn waits<T: Send>(_: fn() -> T) {}
    waits(|| RemoteKeys::discover("").build());
    waits(|| Verifier::discover("", ""));
    waits(|| async { RemoteKeys::at("").lazy().unwrap().refresh().await });
    waits(|| async {
        let settings: Settings = serde_json::from_str("").unwrap();
        settings.layer().await
    });
}

#[cfg(feature = "axum")]
#[test]
fn extractors() {
    data::<tower_jwt_auth::extract::Authorized<Rc<()>, User>>();
}

#[test]
fn sizes() {
    assert_eq!(size_of::<Claims<[u8; 100]>>(), size_of::<usize>());
    assert_eq!(size_of::<Verifier<User>>(), size_of::<usize>());
    assert!(size_of::<Validity<User>>() <= 40);
    assert_eq!(size_of::<JwtAuthLayer<User>>(), size_of::<usize>());
    assert_eq!(size_of::<JwtAuth<Inner, User>>(), size_of::<(usize, Inner)>());
}
