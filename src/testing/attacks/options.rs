//! The options of a run, and the requests that follow from them.

use http::{Method, Response, StatusCode, header::AUTHORIZATION};

use super::{
    Attack, Forge, HOST_NAME, Head, bearer,
    cookie::{self, CookieRoute, Origin},
    dpop::{self, Client},
    report::AttackReport,
    transport::COOKIES,
};
use crate::{
    attack::Check,
    error::{Error, ErrorKind},
    testing::{
        grpc_status::{is_grpc_error, is_grpc_refusal},
        issuer::TestIssuer,
        proof::TestProofKey,
        token::TestToken,
    },
};

#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) issuer: TestIssuer,
    /// The token of the application, and whether it is not the usual one.
    pub(super) token: TestToken,
    pub(super) has_own_token: bool,
    pub(super) method: Method,
    pub(super) cookie: Option<(String, Method)>,
    pub(super) origin: Origin,
    pub(super) reads_authorization: bool,
    pub(super) access_tokens_only: bool,
    /// The public URL of a service that takes proofs, and the key of the client.
    pub(super) dpop: Option<String>,
    pub(super) proof_key: TestProofKey,
    pub(super) any_client_clock: bool,
    pub(super) bound_tokens_only: bool,
    pub(super) refusals: Vec<StatusCode>,
    pub(super) allowed: Vec<(String, String)>,
}

impl Options {
    pub(super) fn new(issuer: &TestIssuer) -> Self {
        Self {
            issuer: issuer.clone(),
            token: issuer.token(),
            has_own_token: false,
            method: Method::GET,
            cookie: None,
            origin: Origin::new(&format!("https://{HOST_NAME}")),
            reads_authorization: true,
            access_tokens_only: false,
            dpop: None,
            proof_key: TestProofKey::new(),
            any_client_clock: false,
            bound_tokens_only: false,
            refusals: REFUSALS.to_vec(),
            allowed: Vec::new(),
        }
    }

    /// The tokens of the run: bound ones if the service takes proofs.
    pub(super) fn forge(&self) -> Forge {
        match self.dpop {
            Some(_) => {
                let token = self.token.clone().bound_to(&self.proof_key);
                Forge::new(&self.issuer, token, "DPoP")
            }
            None => self.bearer_forge(),
        }
    }

    /// Tokens that are not bound.
    fn bearer_forge(&self) -> Forge {
        Forge::new(&self.issuer, self.token.clone(), "Bearer")
    }

    /// The client of a service that takes proofs.
    fn client(&self) -> Option<Client> {
        let url = self.dpop.as_deref()?;
        Some(Client::new(url, self.proof_key.clone(), &self.issuer))
    }

    /// Whether this is the answer to an attack that was refused: by its status, or because this crate
    /// has refused it and an answer of the application's own, such as a redirection, says so.
    pub(super) fn is_refusal<R>(&self, response: &Response<R>) -> bool {
        let status = response.status();
        self.refusals.contains(&status)
            || response.extensions().get::<Error>().is_some_and(|error| {
                // The key of the token may come with the next fetch: it is not accepted either way.
                let is_pending = matches!(error.kind(), ErrorKind::KeyPending { .. });
                let says_so = !status.is_success() || is_grpc_refusal(response);
                says_so && (is_pending || !error.is_server_fault())
            })
    }

    /// Whether this is the answer to a valid request.
    pub(super) fn is_accepted<R>(&self, response: &Response<R>) -> bool {
        let status = response.status();
        let is_refused = response.extensions().get::<Error>().is_some();
        let is_error = status.as_u16() >= 400 || is_grpc_error(response.headers());
        !is_refused && !is_error && !self.refusals.contains(&status)
    }

    /// The cookie that the service reads.
    fn route(&self) -> Option<CookieRoute> {
        let (name, method) = self.cookie.clone()?;
        let has_get = self.method == Method::GET;
        Some(CookieRoute { name, method, origin: self.origin.clone(), has_get })
    }

    /// The attacks that are not allowed.
    pub(super) fn attacks(&self, forge: &Forge) -> Vec<Attack> {
        let mut all = forge.attacks();
        let route = self.route();
        self.check_allowed(&all, forge);
        if self.access_tokens_only {
            all.extend(forge.other_types());
        }
        if self.has_own_token {
            all.extend(forge.without_scope());
        }
        let bearer = self.bearer_forge();
        if let Some(client) = self.client() {
            self.add_proofs(&mut all, &client, forge, &bearer);
        }
        if !self.reads_authorization {
            assert!(self.dpop.is_none(), "`dpop` is for a service that reads `Authorization`");
            let route = route.as_ref().expect("`without_authorization` is for a `.cookie(…)`");
            let is_elsewhere = |attack: &Attack| attack.head.token.is_none();
            let (elsewhere, moved): (Vec<_>, Vec<_>) = all.into_iter().partition(is_elsewhere);
            all = elsewhere;
            all.extend(moved.iter().filter_map(|attack| route.moved(attack)));
            all.push(forge.in_authorization());
        }
        if let Some(route) = &route {
            // The router reads this one.
            let own = COOKIES.iter().find(|(_, cookie)| *cookie == route.name);
            all.retain(|attack| own.is_none_or(|(own, _)| attack.name() != *own));
            all.extend(cookie::attacks(&bearer, route));
            if let Some(client) = self.client() {
                let head = route.same_origin(&format!("{}={}", route.name, forge.good()));
                all.push(dpop::in_cookie(&client, forge, head));
            }
            // A bad token where nobody looks is no reason to refuse a good one.
            all.retain(|attack| {
                self.reads_authorization || attack.name() != "t07_bad_header_good_cookie"
            });
        }
        all.retain(|attack| !self.allowed.iter().any(|(name, _)| attack.name() == name));
        all
    }

    /// Gives a right proof to all attacks, and adds attacks on proofs.
    fn add_proofs(&self, all: &mut Vec<Attack>, client: &Client, forge: &Forge, bearer: &Forge) {
        // It is another one with a key: the good token is bound here.
        all.retain(|attack| attack.name() != "d03_unbound_token_as_dpop");
        for attack in &mut *all {
            *attack = client.prove(attack.clone(), forge);
        }
        all.extend(dpop::attacks(client, forge, bearer));
        if self.bound_tokens_only {
            all.extend(dpop::unbound(client, forge, bearer));
        }
        if self.any_client_clock {
            all.retain(|attack| attack.check != Check::ProofTime);
        }
    }

    /// # Panics
    ///
    /// An attack is allowed that does not exist with any option.
    fn check_allowed(&self, usual: &[Attack], forge: &Forge) {
        if self.allowed.is_empty() {
            return;
        }
        let origin = self.origin.clone();
        let (name, method) = ("at".to_owned(), Method::POST);
        let route = CookieRoute { name, method, origin, has_get: true };
        let mut others = cookie::attacks(forge, &route);
        others.extend(forge.other_types());
        others.extend(forge.without_scope());
        others.push(forge.in_authorization());
        let (url, key) = ("https://api.test", TestProofKey::new());
        let client = Client::new(url, key, &self.issuer);
        others.extend(dpop::attacks(&client, forge, forge));
        others.extend(dpop::unbound(&client, forge, forge));
        others.push(dpop::in_cookie(&client, forge, Head::default()));
        for (name, _) in &self.allowed {
            let is_known = usual.iter().chain(&others).any(|attack| attack.name() == name);
            assert!(is_known, "no attack is called {name:?}: see `attacks` for the names");
        }
    }

    /// The requests that must be accepted, each with the cookie that it has.
    pub(super) fn valid(&self, forge: &Forge) -> Vec<(Attack, Option<&str>)> {
        let mut all = Vec::new();
        if self.reads_authorization {
            let header = Head::default().header(AUTHORIZATION, bearer(&forge.good()));
            let token = Some(forge.good());
            let valid =
                Attack::new("valid", Check::Token, "a valid token", Head { token, ..header });
            let valid = match self.client() {
                Some(client) => client.prove(valid, forge),
                None => valid,
            };
            all.push((valid, None));
        }
        if let (Some(route), Some((name, _))) = (self.route(), &self.cookie) {
            all.push((route.good(&self.bearer_forge()), Some(&**name)));
        }
        all
    }

    pub(super) fn report(&self, path: &str, forge: &Forge) -> AttackReport {
        let without_allowed = match &*self.allowed {
            [] => Vec::new(),
            _ => Self { allowed: Vec::new(), ..self.clone() }.attacks(forge),
        };
        let mut notes = Vec::new();
        if let Some(route) = self.route().filter(|route| !route.is_unsafe()) {
            notes.push(format!(
                "no request of another site was sent (w02): `{}` must change nothing",
                route.method
            ));
        }
        for (name, reason) in &self.allowed {
            let is_idle = !without_allowed.iter().any(|attack| attack.name() == name);
            let idle =
                if is_idle { " (the options of this run do not send it anyway)" } else { "" };
            notes.push(format!("{name}: allowed and not sent, {reason}{idle}"));
        }
        let expected = self.refusals.clone();
        AttackReport {
            path: path.to_owned(),
            sent: 0,
            fault: None,
            not_refused: Vec::new(),
            expected,
            notes,
        }
    }
}

/// The answers that refuse a request.
const REFUSALS: [StatusCode; 3] =
    [StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
