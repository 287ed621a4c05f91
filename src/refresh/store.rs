//! The data that is kept of a login, and the store that keeps it.

use std::{fmt, num::NonZeroU32, sync::Arc};

use base64_simd::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::authentication::Authentication;
use crate::{claims::Confirmation, digest::Thumbprint, error::StoreError, maybe_ready::MaybeReady};

/// Keeps the families of refresh tokens.
///
/// Implement it for a database of your own. Each method must be atomic and isolated, as in a
/// serializable transaction. Otherwise, two requests with one token may both win. `now` is in
/// seconds since 1970-01-01T00:00:00Z. A family whose [`expires_at`](Session::expires_at) is
/// `now` or earlier counts as missing: do not list it. It may be deleted.
///
/// # Example: the rotation in a transaction
/// ```
/// use tower_jwt_auth::refresh::{Family, Rotated, Rotation};
///
/// # trait Transaction {
/// #     fn load(&mut self, id: &str) -> Option<Family>;
/// #     fn save(&mut self, family: &Family);
/// #     fn delete(&mut self, id: &str);
/// # }
/// // Between `BEGIN IMMEDIATE` and `COMMIT`, or with the row locked by `FOR UPDATE`.
/// fn rotate(transaction: &mut impl Transaction, rotation: &Rotation) -> Rotated {
///     let Some(mut family) = transaction.load(rotation.id()) else { return Rotated::Unknown };
///     let rotated = family.rotate(rotation);
///     match &rotated {
///         Rotated::Rotated(_) => transaction.save(&family),
///         Rotated::Reused(_) | Rotated::Expired => transaction.delete(rotation.id()),
///         _ => {}
///     }
///     rotated
/// }
/// ```
pub trait RefreshStore: Send + Sync + 'static {
    /// Adds a family.
    ///
    /// # Errors
    ///
    /// The store cannot be reached, or already has a family of this id.
    fn create(&self, family: Family, now: i64) -> MaybeReady<Result<(), StoreError>>;

    /// Reads the family of this id.
    ///
    /// # Errors
    ///
    /// The store cannot be reached.
    fn get(&self, id: &str, now: i64) -> MaybeReady<Result<Option<Family>, StoreError>>;

    /// Loads a family, calls [`Family::rotate`] and saves the result, in one step.
    ///
    /// # Errors
    ///
    /// The store cannot be reached. The token may have been spent: within the grace, it gives its
    /// successor in either case.
    fn rotate(&self, rotation: Rotation) -> MaybeReady<Result<Rotated, StoreError>>;

    /// Lists the sessions of a subject.
    ///
    /// # Errors
    ///
    /// The store cannot be reached.
    fn list(&self, subject: &str, now: i64) -> MaybeReady<Result<Vec<Session>, StoreError>>;

    /// Gives the oldest sessions of a subject beyond the newest `most`, each to one caller, in
    /// one step. The caller revokes their access tokens and then [ends](Self::end) them. The
    /// store may have deleted their families already, or gives them to another caller after a
    /// while if they are still there.
    ///
    /// The default returns `None`: the store has no such step. Then the sessions are listed, and
    /// of many simultaneous logins of one subject, each ends all of them.
    ///
    /// # Errors
    ///
    /// The store cannot be reached: some of the sessions may have ended.
    fn displace(
        &self,
        subject: &str,
        most: usize,
        now: i64,
    ) -> MaybeReady<Result<Option<Vec<Session>>, StoreError>> {
        let _ = (subject, most, now);
        MaybeReady::Ready(Ok(None))
    }

    /// Deletes the family of this id, and gives its session if it existed.
    ///
    /// # Errors
    ///
    /// The store cannot be reached.
    fn end(&self, id: &str) -> MaybeReady<Result<Option<Session>, StoreError>>;

    /// Deletes all families of a subject, and gives their sessions.
    ///
    /// # Errors
    ///
    /// The store cannot be reached: some of them may have ended.
    fn end_all(&self, subject: &str) -> MaybeReady<Result<Vec<Session>, StoreError>>;
}

impl<R: RefreshStore + ?Sized> RefreshStore for Arc<R> {
    fn create(&self, family: Family, now: i64) -> MaybeReady<Result<(), StoreError>> {
        (**self).create(family, now)
    }

    fn get(&self, id: &str, now: i64) -> MaybeReady<Result<Option<Family>, StoreError>> {
        (**self).get(id, now)
    }

    fn rotate(&self, rotation: Rotation) -> MaybeReady<Result<Rotated, StoreError>> {
        (**self).rotate(rotation)
    }

    fn list(&self, subject: &str, now: i64) -> MaybeReady<Result<Vec<Session>, StoreError>> {
        (**self).list(subject, now)
    }

    fn displace(
        &self,
        subject: &str,
        most: usize,
        now: i64,
    ) -> MaybeReady<Result<Option<Vec<Session>>, StoreError>> {
        (**self).displace(subject, most, now)
    }

    fn end(&self, id: &str) -> MaybeReady<Result<Option<Session>, StoreError>> {
        (**self).end(id)
    }

    fn end_all(&self, subject: &str) -> MaybeReady<Result<Vec<Session>, StoreError>> {
        (**self).end_all(subject)
    }
}

/// A login of a user, with its time and its end. Times are in seconds since
/// 1970-01-01T00:00:00Z.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub(crate) id: String,
    pub(crate) subject: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) label: Option<String>,
    pub(crate) created_at: i64,
    pub(crate) refreshed_at: i64,
    pub(crate) idle_until: i64,
    pub(crate) ends_at: i64,
    /// How long it may stay idle, in seconds, if it ends with the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) browser_idle: Option<NonZeroU32>,
    /// The login, if it says more than that it was when the session was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) authentication: Option<Box<Authentication>>,
    /// The key or the certificate that it is bound to.
    #[serde(default, rename = "cnf", skip_serializing_if = "Option::is_none")]
    pub(crate) confirmation: Option<Box<Confirmation>>,
}

impl Session {
    /// The session's id: the `sid` of its access tokens. It is not secret.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The subject: the `sub` of its access tokens.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The client that it was opened with.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// The scope that was granted, words separated by spaces.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// The label by which the user recognizes it, such as the name of a browser.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// When it was opened.
    #[must_use]
    pub fn created_at(&self) -> i64 {
        self.created_at
    }

    /// When its token was last rotated; before the first rotation, when it was opened.
    #[must_use]
    pub fn refreshed_at(&self) -> i64 {
        self.refreshed_at
    }

    /// When it ends unless it is refreshed before.
    #[must_use]
    pub fn expires_at(&self) -> i64 {
        self.idle_until.min(self.ends_at)
    }

    /// When it ends, however often it is refreshed.
    #[must_use]
    pub fn absolute_expires_at(&self) -> i64 {
        self.ends_at
    }

    /// Whether it was opened [until the browser closes](super::Login::until_browser_closes): its
    /// cookies have no `Max-Age`.
    #[must_use]
    pub fn ends_with_browser(&self) -> bool {
        self.browser_idle.is_some()
    }

    /// When the user has logged in, in seconds since 1970-01-01T00:00:00Z: the `auth_time` of its
    /// access tokens. A refresh does not change it, a
    /// [step-up](crate::sessions::Sessions::step_up) does.
    #[must_use]
    pub fn auth_time(&self) -> i64 {
        self.authentication.as_ref().map_or(self.created_at, |login| login.auth_time)
    }

    /// The authentication context of the last login: the `acr` of its access tokens.
    #[must_use]
    pub fn acr(&self) -> Option<&str> {
        self.authentication.as_ref()?.acr.as_deref()
    }

    /// The methods of the last login: the `amr` of its access tokens.
    #[must_use]
    pub fn amr(&self) -> &[String] {
        self.authentication.as_ref().map_or(&[], |login| &login.amr)
    }

    /// The thumbprint of the key that it is bound to (RFC 9449 §5).
    #[must_use]
    pub fn jkt(&self) -> Option<Thumbprint> {
        self.confirmation.as_ref()?.jkt
    }

    /// The thumbprint of the client certificate that it is bound to (RFC 8705 §3.1).
    #[must_use]
    pub fn x5t_s256(&self) -> Option<Thumbprint> {
        self.confirmation.as_ref()?.x5t_s256
    }

    /// Whether a client that has `proven` this may refresh it.
    pub(crate) fn is_met_by(&self, proven: Option<&Confirmation>) -> bool {
        self.confirmation.as_ref().is_none_or(|bound| bound.is_met_by(proven))
    }

    /// Keeps another login.
    pub(crate) fn set_authentication(&mut self, login: Authentication) {
        let is_plain = login.is_plain(self.created_at);
        self.authentication = (!is_plain).then(|| Box::new(login));
    }

    /// The seconds that it may stay idle, if others may for `idle`.
    pub(crate) fn idle(&self, idle: i64) -> i64 {
        self.browser_idle.map_or(idle, |limit| idle.min(limit.get().into()))
    }
}

/// A session, and the digests of its tokens. Each family has one session and one live token.
///
/// It serializes, so that a store can keep it as one value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    pub(crate) session: Session,
    /// The digest of the live token.
    pub(crate) current: Digest,
    /// The token before, while it may be repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<Previous>,
}

/// A token that was just spent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Previous {
    pub(crate) digest: Digest,
    /// The salt that its successor was made with.
    pub(crate) salt: Digest,
    /// Until when it may be presented again.
    pub(crate) until: i64,
}

impl Family {
    /// Its session.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Whether the token of this digest gives a successor now.
    #[must_use]
    pub fn takes(&self, digest: Digest, now: i64) -> bool {
        let repeats = |previous: &Previous| previous.digest == digest && now < previous.until;
        now < self.session.expires_at()
            && (self.current == digest || self.previous.as_ref().is_some_and(repeats))
    }

    /// Converts a family for a caller whose clock says `now`. Its token was
    /// [rotated](Rotation::at) by the clock of the store, which says `store_now`.
    #[must_use]
    pub fn as_of(mut self, store_now: i64, now: i64) -> Self {
        if let Some(previous) = &mut self.previous {
            previous.until = previous.until.saturating_sub(store_now).saturating_add(now);
        }
        self
    }

    /// Rotates the token, if it is the live one:
    ///
    /// 1. A family that has ended is [`Expired`](Rotated::Expired): delete it.
    /// 2. The session is bound to a key or to a certificate, and the client has not proven to have
    ///    it: [`Unknown`](Rotated::Unknown). Nothing changes, and nothing is deleted: whoever has only
    ///    the token can neither use the session nor end it.
    /// 3. The live token is spent, its successor becomes live, and the session is no longer
    ///    idle: [`Rotated`](Rotated::Rotated), save the family. With a step-up, its session has the new
    ///    login.
    /// 4. The token that was spent last, within its grace and before its successor is
    ///    spent, changes nothing: [`Repeated`](Rotated::Repeated).
    /// 5. Any other token of this family was spent before, and may have been stolen:
    ///    [`Reused`](Rotated::Reused), delete the family (RFC 9700 §4.14.2).
    #[must_use = "a family whose token was reused must be deleted"]
    pub fn rotate(&mut self, rotation: &Rotation) -> Rotated {
        if self.session.expires_at() <= rotation.now {
            return Rotated::Expired;
        }
        if !self.session.is_met_by(rotation.proven.as_ref()) {
            return Rotated::Unknown;
        }
        if self.current == rotation.presented {
            self.previous = Some(Previous {
                digest: rotation.presented,
                salt: rotation.salt,
                until: rotation.repeat_until(),
            });
            self.current = rotation.next;
            self.session.refreshed_at = rotation.now;
            let idle = self.session.idle(rotation.idle);
            self.session.idle_until = rotation.now.saturating_add(idle);
            if let Some(login) = &rotation.authentication {
                self.session.set_authentication(Authentication::clone(login));
            }
            return Rotated::Rotated(self.session.clone());
        }
        match &self.previous {
            Some(previous)
                if previous.digest == rotation.presented && rotation.now < previous.until =>
            {
                Rotated::Repeated { session: self.session.clone(), salt: previous.salt }
            }
            _ => Rotated::Reused(self.session.clone()),
        }
    }
}

/// A token that is presented, and the successor that replaces it.
#[derive(Clone, Debug)]
pub struct Rotation {
    pub(crate) id: String,
    pub(crate) presented: Digest,
    pub(crate) next: Digest,
    pub(crate) salt: Digest,
    pub(crate) now: i64,
    pub(crate) grace: i64,
    pub(crate) idle: i64,
    /// The new login, if this is a step-up.
    pub(crate) authentication: Option<Box<Authentication>>,
    /// The key and the certificate that the client has proven to have.
    pub(crate) proven: Option<Confirmation>,
}

impl Rotation {
    /// The id of the token's family.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The digest of the token that is presented.
    #[must_use]
    pub fn presented(&self) -> Digest {
        self.presented
    }

    /// The digest of its successor.
    #[must_use]
    pub fn next(&self) -> Digest {
        self.next
    }

    /// The salt that the successor is made with. It is kept while the token may be repeated.
    #[must_use]
    pub fn salt(&self) -> Digest {
        self.salt
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.now
    }

    /// The seconds from now for which the token may be repeated.
    #[must_use]
    pub fn grace(&self) -> i64 {
        self.grace
    }

    /// The time until which the token may be repeated.
    #[must_use]
    pub fn repeat_until(&self) -> i64 {
        self.now.saturating_add(self.grace)
    }

    /// When the session ends if it is not refreshed again. A session that [ends with the
    /// browser](Session::ends_with_browser) ends earlier: [`Family::rotate`] knows when.
    #[must_use]
    pub fn idle_until(&self) -> i64 {
        self.now.saturating_add(self.idle)
    }

    /// Sets another time. A store that several machines share must set the time of its database:
    /// otherwise, a machine whose clock is ahead by the grace takes an honest retry for a theft.
    /// Give [`Family::as_of`] the same time when the family is read.
    #[must_use]
    pub fn at(mut self, now: i64) -> Self {
        self.now = now;
        self
    }
}

/// The outcome of a [`Rotation`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a store knows all of them, and so must its user")]
pub enum Rotated {
    /// The token was live, and now its successor is.
    Rotated(Session),
    /// The token was spent a moment ago, and its successor was made with this salt.
    Repeated {
        /// The session as it is.
        session: Session,
        /// The salt that the successor was made with.
        salt: Digest,
    },
    /// The token was spent long ago: its family was deleted.
    Reused(Session),
    /// The session has expired: its family was deleted.
    Expired,
    /// The family does not exist, or is bound to what the client has not proven to have: do not delete
    /// it.
    Unknown,
}

/// 32 bytes: the SHA-256 of a token, which does not reveal the token, or a random salt.
///
/// It is compared in constant time. Its text is base64url.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// A digest of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the text of a digest.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode_to_vec(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The bytes as base64url.
    #[must_use]
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode_to_string(self.0)
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for Digest {}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_text(&text)
            .ok_or_else(|| D::Error::custom("a digest must be 32 bytes as base64url"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}
