//! Security schemes, and the requirements that name them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Flow, HttpAuthScheme, HttpBuilder, OAuth2, Scopes, SecurityRequirement,
    SecurityScheme,
};

use crate::{
    authorize::PolicyAlternative,
    error::ConfigError,
    source::{TokenPlace, TokenSources},
    verifier::Proofs,
};

/// The security schemes of a layer, and the ways to send a request with them.
#[derive(Clone)]
pub(super) struct Schemes {
    all: BTreeMap<String, SecurityScheme>,
    /// Each of them is enough. It is not empty.
    ways: Vec<Way>,
}

/// Schemes that are used together.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Way {
    /// The scheme that sends the token.
    token: String,
    /// The proofs that are sent with it.
    proofs: Vec<&'static str>,
}

/// The requirements of the operations of one security.
#[derive(Clone)]
pub(super) struct Part {
    /// The schemes that the requirements name. There is one part for each.
    pub(super) schemes: Arc<Schemes>,
    /// The scopes of the policies.
    pub(super) scopes: BTreeSet<String>,
}

impl Part {
    pub(super) fn is_of(&self, schemes: &Arc<Schemes>) -> bool {
        Arc::ptr_eq(&self.schemes, schemes)
    }
}

impl Schemes {
    /// The schemes of a layer with these sources and proofs, and those that were given: a scheme of
    /// OAuth or OpenID Connect sends the token in `Authorization`.
    pub(super) fn new(
        sources: &TokenSources,
        proofs: &Proofs,
        given: Vec<(String, SecurityScheme)>,
    ) -> Result<Self, ConfigError> {
        let (mut all, mut in_header, mut elsewhere) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (name, scheme) in given {
            check_name(&name)?;
            let is_oauth =
                matches!(scheme, SecurityScheme::OAuth2(_) | SecurityScheme::OpenIdConnect(_));
            let ways = if is_oauth { &mut in_header } else { &mut elsewhere };
            ways.push(name.clone());
            if all.insert(name, scheme).is_some() {
                return Err(ConfigError::Conflict(
                    "two security schemes have the same name: give one of them another name",
                ));
            }
        }
        let places = sources.places();
        let has_header = places.contains(&TokenPlace::Authorization);
        if !has_header && !in_header.is_empty() {
            return Err(ConfigError::Conflict(
                "OAuth and OpenID Connect send the token in `Authorization`, where the layer does \
                 not look for it: add `TokenSource::authorization()`, or leave the scheme out",
            ));
        }
        let mut of_bearer = in_header.clone();
        for place in places {
            let (stem, scheme) = scheme_of(place);
            let mut name = stem.to_owned();
            let mut number = 2;
            while all.contains_key(&name) {
                name = format!("{stem}{number}");
                number += 1;
            }
            of_bearer.push(name.clone());
            all.insert(name, scheme);
        }
        of_bearer.extend(elsewhere);
        if let Some(dpop) = proofs.dpop.as_ref().filter(|_| has_header) {
            in_header.push(DPOP.into());
            let nonce = if dpop.has_nonces() { NONCE } else { "" };
            let algorithms = dpop.algorithms().replace(' ', ", ");
            let about = format!("A DPoP proof (RFC 9449), signed with {algorithms}.{nonce}");
            all.insert(DPOP.into(), api_key(ApiKey::Header, "Authorization", ABOUT_DPOP));
            all.insert(DPOP_PROOF.into(), api_key(ApiKey::Header, "DPoP", &about));
        }
        if proofs.mutual_tls.is_some() {
            let description = Some(ABOUT_CERTIFICATE.into());
            let scheme =
                SecurityScheme::MutualTls { description, deprecated: None, extensions: None };
            all.insert(MUTUAL_TLS.into(), scheme);
        }
        let mut ways = Vec::new();
        for bound_by in proofs_at_once(proofs) {
            let names = if bound_by.contains(&DPOP_PROOF) { &in_header } else { &of_bearer };
            ways.extend(
                names.iter().map(|name| Way { token: name.clone(), proofs: bound_by.clone() }),
            );
        }
        if ways.is_empty() {
            return Err(ConfigError::Conflict(
                "no security scheme of OpenAPI says where the layer looks for tokens: describe it \
                 with `.scheme(name, scheme)`",
            ));
        }
        all.retain(|name, _| {
            ways.iter().any(|way| way.token == *name || way.proofs.contains(&&**name))
        });
        Ok(Self { all, ways })
    }

    /// The requirements of which one is enough. It is never empty: that would mean a public operation.
    pub(super) fn requirements(
        &self,
        alternatives: &[PolicyAlternative],
    ) -> Vec<SecurityRequirement> {
        let mut requirements = Vec::new();
        for alternative in alternatives {
            let is_good =
                |way: &&Way| !alternative.is_sender_constrained() || !way.proofs.is_empty();
            for way in self.ways.iter().filter(is_good) {
                let requirement = way.requirement(alternative.scopes());
                if !requirements.contains(&requirement) {
                    requirements.push(requirement);
                }
            }
        }
        if requirements.is_empty() {
            requirements.extend(self.ways.iter().map(|way| way.requirement(&[])));
        }
        requirements
    }

    /// The schemes for a document with these parts. A flow of OAuth also names the scopes of the parts that
    /// have this scheme.
    pub(super) fn for_document(
        &self,
        parts: &[Part],
    ) -> Result<BTreeMap<String, SecurityScheme>, ConfigError> {
        let mut all = self.all.clone();
        for (name, scheme) in &mut all {
            if let SecurityScheme::OAuth2(oauth) = scheme {
                let own = self.all.get(name);
                let parts = parts.iter().filter(|part| part.schemes.all.get(name) == own);
                let scopes = parts.flat_map(|part| part.scopes.iter().cloned()).collect();
                for flow in oauth.flows.values_mut() {
                    add_scopes(flow, &scopes)?;
                }
            }
        }
        Ok(all)
    }

    /// Whether a scheme is one that OpenAPI has since version 3.2.
    pub(super) fn need_version_3_2(&self) -> bool {
        self.all.values().any(|scheme| match scheme {
            SecurityScheme::OAuth2(OAuth2 { flows, oauth2_metadata_url, .. }) => {
                let is_new = |flow: &Flow| matches!(flow, Flow::DeviceAuthorization(_));
                oauth2_metadata_url.is_some() || flows.values().any(is_new)
            }
            _ => false,
        })
    }

    /// The names of the schemes.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.all.keys().map(String::as_str)
    }
}

impl Way {
    fn requirement(&self, scopes: &[String]) -> SecurityRequirement {
        let requirement = SecurityRequirement::new(&self.token, scopes);
        let none = std::iter::empty::<String>();
        self.proofs.iter().fold(requirement, |all, proof| all.add(*proof, none.clone()))
    }
}

/// The sets of proofs that a request may have: those that are required, and one that is optional.
fn proofs_at_once(proofs: &Proofs) -> Vec<Vec<&'static str>> {
    let dpop = proofs.dpop.as_ref().map(|dpop| (DPOP_PROOF, dpop.is_required()));
    let mutual_tls = proofs.mutual_tls.as_ref().map(|tls| (MUTUAL_TLS, tls.is_required()));
    let (required, optional): (Vec<_>, Vec<_>) =
        dpop.into_iter().chain(mutual_tls).partition(|(_, is_required)| *is_required);
    let required: Vec<_> = required.into_iter().map(|(proof, _)| proof).collect();
    let mut sets = vec![required.clone()];
    for (proof, _) in optional {
        sets.push([&*required, &[proof]].concat());
    }
    sets
}

fn scheme_of(place: TokenPlace<'_>) -> (&'static str, SecurityScheme) {
    match place {
        TokenPlace::Authorization => {
            let http = HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .bearer_format("JWT")
                .description(Some("An access token as `Authorization: Bearer` (RFC 6750)."));
            ("bearerAuth", SecurityScheme::Http(http.build()))
        }
        TokenPlace::Header(name) => {
            ("headerAuth", api_key(ApiKey::Header, name.as_str(), "An access token in a header."))
        }
        TokenPlace::Query(name) => {
            ("queryAuth", api_key(ApiKey::Query, name, "An access token in the query."))
        }
        TokenPlace::Cookie { name, is_guarded } => {
            let about = if is_guarded { ABOUT_COOKIE } else { "An access token in a cookie." };
            ("cookieAuth", api_key(ApiKey::Cookie, name, about))
        }
    }
}

fn api_key(place: fn(ApiKeyValue) -> ApiKey, name: &str, about: &str) -> SecurityScheme {
    SecurityScheme::ApiKey(place(ApiKeyValue::with_description(name, about)))
}

/// The names of components have only these characters (OpenAPI 3.1 §4.8.7.1).
fn check_name(name: &str) -> Result<(), ConfigError> {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if name.is_empty() || !name.bytes().all(is_good) {
        return Err(ConfigError::InvalidName(
            "the name of a security scheme has only ASCII letters, digits, `.`, `-` and `_`",
        ));
    }
    if [DPOP, DPOP_PROOF, MUTUAL_TLS].contains(&name) {
        return Err(ConfigError::InvalidName(
            "`dpop`, `dpopProof` and `mutualTls` are names of schemes that follow from the verifier: \
             choose another name",
        ));
    }
    Ok(())
}

/// Adds scopes that the flow does not name. Their descriptions are empty.
fn add_scopes(flow: &mut Flow, new: &BTreeSet<String>) -> Result<(), ConfigError> {
    let scopes = match flow {
        Flow::Implicit(flow) => &mut flow.scopes,
        Flow::Password(flow) => &mut flow.scopes,
        Flow::ClientCredentials(flow) => &mut flow.scopes,
        Flow::AuthorizationCode(flow) => &mut flow.scopes,
        Flow::DeviceAuthorization(flow) => &mut flow.scopes,
    };
    // A value of this type only shows what it has as JSON.
    let json = serde_json::to_value(&*scopes).unwrap_or_default();
    let mut all: BTreeMap<String, String> = match json.get("scopes") {
        None => BTreeMap::new(),
        Some(known) => serde_json::from_value(known.clone()).map_err(|_| {
            ConfigError::Conflict("the scopes of a flow of OAuth cannot be read as JSON")
        })?,
    };
    for scope in new {
        all.entry(scope.clone()).or_default();
    }
    *scopes = all.into_iter().collect::<Scopes>();
    Ok(())
}

const DPOP: &str = "dpop";
const DPOP_PROOF: &str = "dpopProof";
const MUTUAL_TLS: &str = "mutualTls";

const ABOUT_DPOP: &str = "`DPoP`, a blank and an access token that is bound to a key (RFC 9449).";
const NONCE: &str = " It has the nonce of the last `DPoP-Nonce` header.";
const ABOUT_CERTIFICATE: &str =
    "The client certificate that the access token is bound to (RFC 8705).";
const ABOUT_COOKIE: &str = "An access token in a cookie. A request that may change something must come \
                            from a page of this service or of a trusted origin: the browser says so \
                            in `Origin` and `Sec-Fetch-Site`.";
