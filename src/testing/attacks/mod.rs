//! Attacks on a router: requests that it must refuse.

mod cookie;
mod dpop;
mod fault;
mod keys;
mod options;
mod proof_options;
mod report;
mod run;
mod transport;

use std::{borrow::Cow, fmt};

use base64_simd::URL_SAFE_NO_PAD;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri,
    header::{AUTHORIZATION, HOST},
};

pub use self::{
    report::{AttackReport, UnrefusedAttack},
    run::{AttackRun, assert_refuses_all},
};
use super::{
    issuer::TestIssuer,
    jws::sign,
    keys::{self as keys_of_tests, Use},
    token::TestToken,
};
use crate::{
    attack::{CLAIMS, Check, FORMS, HEADERS, Members, Parts, Setup},
    issue::SigningKey,
    rules::{Rules, seconds},
};

/// A request that must be refused. [`attacks`] makes them.
///
/// `Debug` shows its name.
#[derive(Clone)]
pub struct Attack {
    name: Cow<'static, str>,
    description: Cow<'static, str>,
    check: Check,
    head: Head,
    proof: Option<dpop::Proof>,
    /// The request is sent twice. This changes the second one, which is the attack.
    again: Option<fn(&mut Request<()>)>,
}

/// The parts of the request except its path.
#[derive(Clone, Default)]
struct Head {
    /// The method, if it must be this one.
    method: Option<Method>,
    query: Option<String>,
    headers: HeaderMap,
    /// The token that is in `Authorization` and nowhere else.
    token: Option<String>,
}

impl Attack {
    /// The name, such as `c05_aud_missing`: the id of the rule that it breaks, and how. A name does
    /// not change.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The fault of the request, as a sentence without a full stop. The wording may change.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The setting, or the check without a setting, that stops it. The wording may change.
    #[must_use]
    pub fn stopped_by(&self) -> &'static str {
        self.check.stopped_by()
    }

    /// The request for this path. Some attacks through a cookie have a method of their own.
    ///
    /// With [`dpop`](AttackRun::dpop), it has a new proof each time, without a nonce. If the attack is not
    /// one on this path, the request lacks the proof. An attack that repeats a request (`d02_…`) needs those of
    /// [`requests`](Self::requests): a router may accept this one.
    ///
    /// # Panics
    ///
    /// The path is not one.
    #[must_use]
    pub fn request(&self, method: Method, path: &str) -> Request<()> {
        let mut request = self.head(method, path, HOST_NAME);
        self.add_proof(&mut request, None);
        request
    }

    /// The requests for this path, which are to be sent one after the other. The last one must be refused,
    /// and others accepted. Most attacks have one. It is empty if the attack is not one on this path, such
    /// as another case of a path without letters, or needs the nonce of the service.
    ///
    /// # Example: a proof that is presented twice
    /// ```
    /// use axum::{Router, body::Body, http::Method, routing::get};
    /// use tower::ServiceExt;
    /// use tower_jwt_auth::{
    ///     JwtAuthLayer,
    ///     proof::{DPoP, MemoryReplayStore},
    ///     testing::{AttackRun, TestIssuer, assert_accepted, assert_refused},
    /// };
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let issuer = TestIssuer::new();
    /// let url = "https://api.example.com";
    /// let dpop = DPoP::required().public_url(url).replay_store(MemoryReplayStore::new()).build()?;
    /// let verifier = issuer.verifier_builder().dpop(dpop).build()?;
    /// let app = Router::new()
    ///     .route("/me", get(async || "hello"))
    ///     .layer(JwtAuthLayer::new(verifier));
    ///
    /// let mut attacks = AttackRun::new(&issuer).dpop(url).attacks();
    /// let attack = attacks.find(|attack| attack.name() == "d02_same_request").unwrap();
    /// let requests = attack.requests(Method::GET, "/me");
    /// let [first, second]: [_; 2] = requests.try_into().unwrap();
    /// assert_accepted(&app.clone().oneshot(first.map(|()| Body::empty())).await?);
    /// assert_refused(&app.oneshot(second.map(|()| Body::empty())).await?, "dpop_replayed");
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// The path is not one.
    #[must_use]
    pub fn requests(&self, method: Method, path: &str) -> Vec<Request<()>> {
        self.requests_at(method, path, HOST_NAME, None)
    }

    /// The same for a host, and with the nonce of the service.
    fn requests_at(
        &self,
        method: Method,
        path: &str,
        host: &str,
        nonce: Option<&str>,
    ) -> Vec<Request<()>> {
        let mut request = self.head(method, path, host);
        if !self.add_proof(&mut request, nonce) {
            return Vec::new();
        }
        let Some(again) = self.again else { return vec![request] };
        let mut second = request.clone();
        again(&mut second);
        vec![request, second]
    }

    /// The request without a proof.
    fn head(&self, method: Method, path: &str, host: &str) -> Request<()> {
        let mut target = path.to_owned();
        if let Some(query) = &self.head.query {
            target.push(if path.contains('?') { '&' } else { '?' });
            target.push_str(query);
        }
        let uri = Uri::try_from(target);
        let uri = uri.unwrap_or_else(|error| panic!("the path {path:?} is not one: {error}"));
        let mut request = Request::new(());
        *request.method_mut() = self.head.method.clone().unwrap_or(method);
        *request.uri_mut() = uri;
        let host = HeaderValue::try_from(host).expect("the authority of a URI is a host");
        request.headers_mut().insert(HOST, host);
        request.headers_mut().extend(self.head.headers.clone());
        request
    }

    /// Adds the proof, if the attack has one. `false` if it is no attack on this request.
    fn add_proof(&self, request: &mut Request<()>, nonce: Option<&str>) -> bool {
        let Some(proof) = &self.proof else { return true };
        let sent = dpop::Sent { method: request.method(), path: request.uri().path(), nonce };
        let Some(values) = proof.values(sent) else { return false };
        for value in values {
            let value = HeaderValue::try_from(value);
            let value = value.expect("proofs have only bytes that a header can have");
            request.headers_mut().append("dpop", value);
        }
        true
    }

    /// Adds a header in place of others of its name.
    fn with_header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.head.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    fn new(
        name: impl Into<Cow<'static, str>>,
        check: Check,
        description: impl Into<Cow<'static, str>>,
        head: Head,
    ) -> Self {
        let (name, description) = (name.into(), description.into());
        Self { name, description, check, head, proof: None, again: None }
    }

    /// This token in `Authorization`.
    fn bearer(
        name: impl Into<Cow<'static, str>>,
        check: Check,
        description: impl Into<Cow<'static, str>>,
        token: &str,
    ) -> Self {
        let head = Head::default().header(AUTHORIZATION, bearer(token));
        Self::new(name, check, description, Head { token: Some(token.to_owned()), ..head })
    }
}

impl fmt::Debug for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attack").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Head {
    /// Adds a header.
    fn header(mut self, name: impl Into<HeaderName>, value: impl AsRef<[u8]>) -> Self {
        let value = HeaderValue::from_bytes(value.as_ref());
        let mut value = value.expect("attacks have only bytes that a header can have");
        value.set_sensitive(true);
        self.headers.append(name.into(), value);
        self
    }

    fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    fn query(mut self, query: impl Into<String>) -> Self {
        self.query = Some(query.into());
        self
    }
}

/// Some 290 requests that a router must refuse which trusts this issuer and its audience: each
/// breaks one rule on the place of the token, its form, its header, its signature or its claims.
///
/// The token has a right signature if only that shows the hole. So the router needs to trust only
/// the keys of the issuer, and nothing else about it is special. The algorithm of the issuer decides
/// about some of them, such as `HS256` with the public key as the secret.
///
/// They are those of [`AttackRun::attacks`] without options. [`AttackRun`] sends them all, changes
/// another token, and adds those through a cookie.
///
/// # Example: one of them
/// ```
/// use axum::{Router, body::Body, http::Method, routing::get};
/// use tower::ServiceExt;
/// use tower_jwt_auth::{JwtAuthLayer, testing::{TestIssuer, assert_refused, attacks}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let issuer = TestIssuer::new();
/// let app = Router::new()
///     .route("/me", get(async || "hello"))
///     .layer(JwtAuthLayer::new(issuer.verifier()));
///
/// let attack = attacks(&issuer).find(|attack| attack.name() == "a08_crit_unknown").unwrap();
/// let request = attack.request(Method::GET, "/me").map(|()| Body::empty());
/// assert_refused(&app.oneshot(request).await.unwrap(), "unsupported_header");
/// # }
/// ```
pub fn attacks(issuer: &TestIssuer) -> impl Iterator<Item = Attack> + use<> {
    AttackRun::new(issuer).attacks()
}

/// Makes bad tokens of a good one.
struct Forge {
    token: TestToken,
    /// The scheme of `Authorization`.
    scheme: &'static str,
    audience: Box<str>,
    header: Members,
    claims: Members,
}

impl Forge {
    fn new(issuer: &TestIssuer, token: TestToken, scheme: &'static str) -> Self {
        let (header, claims) = (Members::from(&token.header), Members::from(&token.claims));
        Self { token, scheme, audience: issuer.audience().into(), header, claims }
    }

    fn attacks(&self) -> Vec<Attack> {
        let mut all = transport::attacks(self);
        all.extend(FORMS.iter().filter_map(|case| {
            let token = self.with_parts(&self.header, &self.claims, case.change)?;
            Some(Attack::bearer(case.name, case.check, case.description, &token))
        }));
        // A change that changes nothing is no attack, such as of a name without letters to upper case.
        all.extend(HEADERS.iter().filter_map(|case| {
            let mut header = self.header.clone();
            (case.change)(&mut header, &self.setup());
            let token = match case.kinds {
                [] => self.with_signature(&header, |text| sign(&self.stranger(), text)),
                _ if header == self.header => return None,
                _ => self.signed(&header, &self.claims),
            };
            Some(Attack::bearer(case.name, case.check, case.description, &token))
        }));
        all.extend(keys::attacks(self));
        all.extend(CLAIMS.iter().filter_map(|case| {
            let mut claims = self.claims.clone();
            (case.change)(&mut claims, &self.setup());
            let token = self.signed(&self.header, &claims);
            let attack = Attack::bearer(case.name, case.check, case.description, &token);
            (claims != self.claims).then_some(attack)
        }));
        all
    }

    /// Tokens that are no access tokens of RFC 9068.
    fn other_types(&self) -> Vec<Attack> {
        let (mut jwt, mut untyped) = (self.header.clone(), self.header.clone());
        jwt.set_text("typ", "JWT");
        untyped.remove("typ");
        [
            ("a10_typ_jwt", "a token of another type: `typ` is `JWT`", jwt),
            ("a10_typ_missing", "`typ` is missing", untyped),
        ]
        .map(|(name, description, header)| {
            let token = self.signed(&header, &self.claims);
            Attack::bearer(name, Check::AccessToken, description, &token)
        })
        .into()
    }

    /// The token without its scopes, if it has some.
    fn without_scope(&self) -> Option<Attack> {
        self.claims.json("scope").filter(|scope| !matches!(*scope, "\"\"" | "null" | "[]"))?;
        let mut claims = self.claims.clone();
        claims.remove("scope");
        let token = self.signed(&self.header, &claims);
        let description = "the token lacks the scopes that the route needs";
        Some(Attack::bearer("c12_scope_missing", Check::Scope, description, &token))
    }

    /// A good token in `Authorization`, where the service does not look.
    fn in_authorization(&self) -> Attack {
        let head = Head::default().header(AUTHORIZATION, bearer(&self.good()));
        Attack::new("t16_authorization", Check::Source, "the token is in `Authorization`", head)
    }

    /// The good token.
    fn good(&self) -> String {
        self.signed(&self.header, &self.claims)
    }

    /// A key of the same algorithm that nobody trusts.
    fn stranger(&self) -> SigningKey {
        keys_of_tests::of(&self.token.issuer, self.token.key.algorithm(), Use::Stranger)
    }

    /// A token with this signature over its first two parts.
    fn with_signature(&self, header: &Members, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
        let sign = |input: &str| URL_SAFE_NO_PAD.encode_to_string(sign(input.as_bytes()));
        Parts { header, claims: &self.claims, sign: &sign }.token()
    }

    /// A token with another claim.
    fn with_claim(&self, name: &str, value: &str) -> String {
        let mut claims = self.claims.clone();
        claims.set_text(name, value);
        self.signed(&self.header, &claims)
    }

    /// Another good token, with the same claims except for `jti`.
    fn other(&self) -> String {
        let id = self.claims.json("jti").unwrap_or_default().trim_matches('"');
        self.with_claim("jti", &format!("{id}-another"))
    }

    /// A token that the key of the issuer has signed.
    fn signed(&self, header: &Members, claims: &Members) -> String {
        self.with_parts(header, claims, |parts| parts.token())
    }

    fn with_parts<T>(
        &self,
        header: &Members,
        claims: &Members,
        make: impl FnOnce(&Parts<'_>) -> T,
    ) -> T {
        with_parts(&self.token.key, header, claims, make)
    }

    fn setup(&self) -> Setup<'_> {
        let (issuer, audience) = (&self.token.issuer, &self.audience);
        Setup { issuer, audience, now: self.token.now, leeway: seconds(Rules::MOST_LEEWAY) }
    }
}

/// The parts of a token or of a proof that this key signs.
fn with_parts<T>(
    key: &SigningKey,
    header: &Members,
    claims: &Members,
    make: impl FnOnce(&Parts<'_>) -> T,
) -> T {
    let sign = |input: &str| URL_SAFE_NO_PAD.encode_to_string(sign(key, input.as_bytes()));
    make(&Parts { header, claims, sign: &sign })
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// The host of all requests.
const HOST_NAME: &str = "app.test";
