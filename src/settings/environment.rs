//! Settings from variables of the environment.

use std::{env, ffi::OsStr};

use zeroize::Zeroizing;

use super::{
    Settings,
    variables::{self, Variable},
};
use crate::error::ConfigError;

impl Settings {
    /// Reads the settings from all environment variables whose names begin with `prefix`, such as
    /// `AUTH_`. The rest of a name is the name of a setting in capitals: `AUTH_ISSUER`. See
    /// [`from_variables`](Self::from_variables) for the rules.
    ///
    /// # Errors
    ///
    /// See [`from_variables`](Self::from_variables).
    pub fn from_env(prefix: &str) -> Result<Self, ConfigError> {
        Self::from_variables(prefix, env::vars_os())
    }

    /// Reads the settings from the variables whose names begin with `prefix`. Use it in a test, or
    /// with a source of your own.
    ///
    /// - A variable whose name does not begin with the prefix is ignored.
    /// - An empty value counts as a variable that is not set. It is an error for a setting that
    ///   restricts which tokens are accepted: `CLIENT_ID`, `ALGORITHMS`, `TOKEN_TYPE`,
    ///   `ACCESS_TOKENS_ONLY`, `REQUIRED_CLAIM`, `MAX_AGE`.
    /// - Several values are separated by commas. A flag is `true` or `false`, or 1 or 0. A duration
    ///   is a text such as `10m`, or whole seconds.
    /// - Whether the rest of a name is in capitals makes no difference.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Settings`], which names the variable, if
    ///
    /// - no setting has the name; the error suggests a similar one,
    /// - the value is malformed or not valid Unicode,
    /// - the variable occurs twice,
    /// - `ISSUER` is missing.
    ///
    /// The value of a secret is never in an error. Contradictions between settings, and values out
    /// of range, are errors of [`layer`](Self::layer) and [`verifier`](Self::verifier).
    ///
    /// # Example: a test of a configuration
    /// ```
    /// use tower_jwt_auth::settings::Settings;
    ///
    /// let mut variables = vec![
    ///     ("AUTH_ISSUER", "https://login.example.com"),
    ///     ("AUTH_AUDIENCE", "https://api.example.com,https://other.example.com"),
    ///     ("AUTH_LEEWAY", "30s"),
    ///     ("AUTH_ACCESS_TOKENS_ONLY", "true"),
    ///     ("AUTH_REALM", ""),
    ///     ("PATH", "/bin"),
    /// ];
    /// let settings = Settings::from_variables("AUTH_", variables.clone())?;
    /// assert_eq!(settings.audiences().count(), 2);
    ///
    /// variables.push(("AUTH_CLIENT_IDS", "web"));
    /// let error = Settings::from_variables("AUTH_", variables).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "`AUTH_CLIENT_IDS` is not a setting, did you mean `AUTH_CLIENT_ID`?"
    /// );
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn from_variables(
        prefix: &str,
        variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> Result<Self, ConfigError> {
        let mut set = Vec::new();
        for (name, value) in variables {
            let (name, value) = (name.as_ref().to_string_lossy(), value.as_ref());
            let Some(setting) = name.strip_prefix(prefix) else { continue };
            let (setting, name) = (setting.to_ascii_lowercase(), name.escape_debug().to_string());
            if value.is_empty() {
                if RESTRICTIONS.contains(&&*setting) {
                    return Err(ConfigError::Settings(format!(
                        "`{name}` is empty, and would restrict nothing: give it a value, or unset it"
                    )));
                }
                continue;
            }
            match value.to_str() {
                Some(text) => {
                    set.push(Variable { setting, name, text: Zeroizing::new(text.to_owned()) })
                }
                None => {
                    return Err(ConfigError::Settings(format!("`{name}` is not valid Unicode")));
                }
            }
        }
        variables::read(prefix, set).map(Self).map_err(ConfigError::Settings)
    }
}

/// The settings that refuse tokens which are accepted without them. An operator who sets one must
/// not lose it because the text that was to be put into it is missing.
const RESTRICTIONS: [&str; 6] =
    ["client_id", "algorithms", "token_type", "access_tokens_only", "required_claim", "max_age"];

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: (&str, &str) = ("AUTH_ISSUER", "https://login.example.com");

    /// The error of these variables.
    fn error(variables: &[(&str, &str)]) -> String {
        match Settings::from_variables("AUTH_", variables.iter().copied()).unwrap_err() {
            ConfigError::Settings(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_kind_of_value_is_read() {
        let settings = Settings::from_variables(
            "AUTH_",
            [
                ISSUER,
                ("AUTH_AUDIENCE", "https://api.example.com, https://other.example.com"),
                ("AUTH_LEEWAY", "30"),
                ("AUTH_MAX_AGE", "1h 30m"),
                ("AUTH_CACHE_BYTES", "1048576"),
                ("AUTH_JWKS_JITTER", "0.2"),
                ("AUTH_ALGORITHMS", "RS256,ES256"),
                ("AUTH_PUBLIC_KEY_FILE", "/run/secrets/key.pem"),
                ("AUTH_TOKEN_COOKIE", "__Host-at"),
                ("AUTH_REALM", "7"),
                ("AUTH_LAZY", "1"),
                ("AUTH_ACCESS_TOKENS_ONLY", "false"),
                ("auth_issuer", "https://other.example.com"),
                ("OTHER_AUTH_ISSUER", "https://other.example.com"),
                ("PATH", "/bin"),
            ],
        );
        let settings = settings.unwrap();
        assert_eq!(settings.issuer(), ISSUER.1);
        assert_eq!(settings.audiences().count(), 2);
        assert!(settings.0.lazy.0 && !settings.0.access_tokens_only.0);
        assert_eq!(settings.0.realm.unwrap().0, "7");
        assert_eq!(settings.0.cache_bytes.unwrap().0, 1 << 20);
        assert_eq!(settings.0.leeway.unwrap().0.as_secs(), 30);
        assert_eq!(settings.0.public_key_file.unwrap().to_str(), Some("/run/secrets/key.pem"));
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        let variables = [ISSUER, ("AUTH_LEEWAY", ""), ("AUTH_AUDIENCE", ""), ("AUTH_LAZY", "")];
        let settings = Settings::from_variables("AUTH_", variables).unwrap();
        assert_eq!(settings.audiences().count(), 0);
        assert!(settings.0.leeway.is_none() && !settings.0.lazy.0);
        assert_eq!(error(&[("AUTH_ISSUER", "")]), "`AUTH_ISSUER` is not set");
    }

    #[test]
    fn a_restriction_is_not_lost_because_its_value_is_empty() {
        for name in ["CLIENT_ID", "ALGORITHMS", "TOKEN_TYPE", "ACCESS_TOKENS_ONLY", "MAX_AGE"] {
            let name = format!("AUTH_{name}");
            assert_eq!(
                error(&[ISSUER, (&name, "")]),
                format!(
                    "`{name}` is empty, and would restrict nothing: give it a value, or unset it"
                )
            );
        }
        assert!(error(&[ISSUER, ("AUTH_required_claim", "")]).contains("is empty"));
    }

    #[test]
    fn an_error_names_the_variable() {
        for (name, value, said) in [
            ("AUTH_ISSUERS", "x", "is not a setting, did you mean `AUTH_ISSUER`?"),
            ("AUTH_ACESS_TOKENS_ONLY", "1", "did you mean `AUTH_ACCESS_TOKENS_ONLY`?"),
            ("AUTH_DATABASE", "x", "is not a setting, remove it"),
            ("AUTH_", "x", "is not a setting, remove it"),
            ("AUTH_LEEWAY", "soon", ": invalid value: string \"soon\", expected a duration"),
            ("AUTH_LAZY", "yes", "expected true or false, or 1 or 0"),
            ("AUTH_CACHE_BYTES", "1 MiB", "expected a whole number"),
            ("AUTH_JWKS_JITTER", "NaN", "expected a number"),
            ("AUTH_ALGORITHMS", "RS256,none", ": \"none\": unknown algorithm"),
            ("AUTH_AUDIENCE", "a,,b", ": a value in the list is empty"),
            ("AUTH_ISSUER", "https://other.example.com", "is set twice, remove one"),
            ("AUTH_issuer", "https://other.example.com", "`AUTH_ISSUER` is set twice"),
        ] {
            let error = error(&[ISSUER, (name, value)]);
            assert!(error.starts_with(&format!("`{name}`")) || error.starts_with(said), "{error}");
            assert!(error.contains(said), "{name}: {error}");
        }
        assert_eq!(error(&[]), "`AUTH_ISSUER` is not set");
        assert!(error(&[("AUTH_\n", "x")]).starts_with(r"`AUTH_\n` is not a setting"));
    }

    #[cfg(unix)]
    #[test]
    fn text_that_is_not_unicode_is_refused() {
        use std::os::unix::ffi::OsStrExt;

        let broken = OsStr::from_bytes(b"AUTH_REALM\xff");
        for (name, value, said) in [
            (OsStr::new("AUTH_REALM"), broken, "`AUTH_REALM` is not valid Unicode"),
            (broken, OsStr::new("x"), "`AUTH_REALM\u{fffd}` is not a setting"),
        ] {
            let error = Settings::from_variables("AUTH_", [(name, value)]).unwrap_err();
            assert!(error.to_string().starts_with(said), "{error}");
        }
        let other = [(OsStr::new("OTHER"), broken), (OsStr::new(ISSUER.0), OsStr::new(ISSUER.1))];
        assert!(Settings::from_variables("AUTH_", other).is_ok());
    }

    #[test]
    fn secrets_are_in_no_error() {
        let secret = ("AUTH_HMAC_SECRET", "hunter2");
        for other in [secret, ("AUTH_LEEWAY", "soon"), ("AUTH_HMAC_SECRETS", "hunter2")] {
            let error = error(&[secret, other, ISSUER]);
            assert!(!error.contains("hunter2"), "{error}");
        }
        let settings = Settings::from_variables("AUTH_", [secret, ISSUER]).unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn names_need_no_capitals_and_no_prefix() {
        let variables = [("issuer", ISSUER.1), ("Audience", "a")];
        let settings = Settings::from_variables("", variables).unwrap();
        assert_eq!((settings.issuer(), settings.audiences().count()), (ISSUER.1, 1));
    }
}
