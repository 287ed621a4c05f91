//! A login, with what its session keeps.

use std::time::Duration;

use super::authentication::Authentication;
use crate::{claims::Confirmation, digest::Thumbprint};

/// A user who has logged in, with the data that the session keeps.
#[derive(Clone, Debug)]
#[must_use = "a login does nothing until its session is opened"]
pub struct Login {
    pub(super) subject: String,
    pub(super) client_id: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) label: Option<String>,
    pub(super) lifetime: Option<Duration>,
    pub(super) until_browser_closes: bool,
    pub(super) acr: Option<String>,
    pub(super) amr: Vec<String>,
    pub(super) auth_time: Option<i64>,
    pub(super) jkt: Option<Thumbprint>,
    pub(super) x5t_s256: Option<Thumbprint>,
}

impl Login {
    /// A login of this subject, which is the `sub` of the tokens. The application must have
    /// authenticated the user.
    pub fn new(subject: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            client_id: None,
            scope: None,
            label: None,
            lifetime: None,
            until_browser_closes: false,
            acr: None,
            amr: Vec::new(),
            auth_time: None,
            jkt: None,
            x5t_s256: None,
        }
    }

    /// Sets the client. Default: the client of the issuer.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// Sets the scope, words separated by spaces (RFC 6749 §3.3). Default: none.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// Sets the name by which the user recognizes the session in a list, such as the name of a
    /// browser. It is cut to 200 characters.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        let label: String = label.into().chars().filter(|c| !c.is_control()).take(200).collect();
        self.label = Some(label).filter(|label| !label.is_empty());
        self
    }

    /// Sets how long the session lasts at most, in whole seconds, however often it is refreshed. It
    /// is at most the [absolute lifetime](super::RefreshTokensBuilder::absolute_lifetime), which is the
    /// default, and the session also ends when it is idle for too long.
    ///
    /// # Example: eight hours for a device that others use, too
    /// ```
    /// use std::time::Duration;
    /// use tower_jwt_auth::refresh::Login;
    ///
    /// let login = Login::new("user-1").lifetime(Duration::from_secs(8 * 60 * 60));
    /// # let _ = login;
    /// ```
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Makes the session end with the browser: its cookies have no `Max-Age`, after each refresh,
    /// too. Use it if the user has not chosen "remember me". Browsers that restore their windows keep such
    /// cookies, so the session also ends after a short idle time: see
    /// [`browser_idle_lifetime`](super::RefreshTokensBuilder::browser_idle_lifetime).
    ///
    /// For a client that is no browser, only the idle time makes a difference.
    pub fn until_browser_closes(mut self) -> Self {
        self.until_browser_closes = true;
        self
    }

    /// Sets the authentication context of the login, such as `phr` or `urn:example:silver`: the `acr`
    /// of the access tokens (RFC 9068 §2.2.1), which [`StepUp`](crate::authorize::StepUp) reads. It
    /// says how strong the login was. Default: none.
    pub fn acr(mut self, acr: impl Into<String>) -> Self {
        self.acr = Some(acr.into()).filter(|acr| !acr.is_empty());
        self
    }

    /// Sets the methods of the login, such as `pwd` and `otp` (RFC 8176): the `amr` of the access
    /// tokens. Default: none.
    pub fn amr<S: Into<String>>(mut self, methods: impl IntoIterator<Item = S>) -> Self {
        self.amr = methods.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the time at which the user was authenticated, in seconds since 1970-01-01T00:00:00Z: the
    /// `auth_time` of the access tokens. Use it if that was before the session is opened: after a
    /// login at another provider, it is the `auth_time` of the ID token. A time in the future counts
    /// as now. Default: now.
    pub fn auth_time(mut self, seconds: i64) -> Self {
        self.auth_time = Some(seconds);
        self
    }

    /// Binds the session to a key, by its [thumbprint](crate::proof::Thumbprint) (RFC 9449 §5). The access tokens have it as
    /// `cnf.jkt`, and each refresh needs a proof by this key. Default: the session is not bound.
    ///
    /// # Security
    ///
    /// The client must have proven that it has the key.
    pub fn jkt(mut self, thumbprint: Thumbprint) -> Self {
        self.jkt = Some(thumbprint);
        self
    }

    /// Binds the session to a client certificate, by the SHA-256 of its DER (RFC 8705 §3). The access
    /// tokens have it as `cnf.x5t#S256`, and each refresh needs this certificate. Default: the session
    /// is not bound.
    ///
    /// # Security
    ///
    /// The connection of the request must have this certificate.
    pub fn x5t_s256(mut self, thumbprint: Thumbprint) -> Self {
        self.x5t_s256 = Some(thumbprint);
        self
    }

    /// The key and the certificate that the session is bound to.
    pub(crate) fn confirmation(&self) -> Option<Confirmation> {
        Confirmation::new(self.jkt, self.x5t_s256)
    }

    /// The login as the session keeps it, if it is made `now`.
    pub(crate) fn authentication(&self, now: i64) -> Authentication {
        let auth_time = self.auth_time.map_or(now, |time| time.clamp(0, now.max(0)));
        Authentication { auth_time, acr: self.acr.clone(), amr: self.amr.clone() }
    }

    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }
}
