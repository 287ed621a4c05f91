//! A login, with what its session keeps.

use std::time::Duration;

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
}
