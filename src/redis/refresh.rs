//! A store of refresh tokens for all machines of a service.

use std::{collections::HashMap, fmt, sync::LazyLock};

use aws_lc_rs::digest::{SHA256, digest};
use base64_simd::URL_SAFE_NO_PAD;
use redis::{FromRedisValue, Pipeline, Script};

use super::{
    Redis,
    connection::{Retry, script},
    failure::Failure,
};
use crate::{
    clock::{Clock, SystemClock, unix_seconds},
    digest::Thumbprint,
    error::StoreError,
    maybe_ready::MaybeReady,
    random::unique_id,
    refresh::{Digest, Family, Previous, RefreshStore, Rotated, Rotation, Session},
};

/// Keeps families of refresh tokens in Redis; cheap to clone. Made by
/// [`Redis::refresh_store`].
///
/// # Rules
///
/// 1. A family is one key, and a rotation is one script on it. So if two machines get requests
///    with the same token, one of them wins.
/// 2. The clock of this process decides whether a session has expired. Redis deletes its
///    family a minute later.
/// 3. The clock of Redis decides whether a spent token may still be repeated: the machine that
///    is asked may not be the one that has spent it, and their clocks differ.
/// 4. An index by subject lists the families that may exist; a look at each of them decides.
///    The subject is in a value, and never in the name of a key.
/// 5. A rotation whose answer is lost is not sent again: the client may present its token
///    again, within the grace.
/// 6. Every read proves that the server is a primary that accepts writes.
///
/// The label of a session and its subject are personal data, and Redis has them in plain text.
/// Of a token, it has only a digest.
///
/// # Example
/// ```no_run
/// use tower_jwt_auth::{refresh::RefreshTokens, redis::Redis};
///
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// let redis = Redis::builder("redis://127.0.0.1:6379").prefix("shop").build().await?;
/// let refresh = RefreshTokens::builder(redis.refresh_store()).build()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisRefreshStore(Redis);

impl Redis {
    /// The store of refresh tokens.
    #[must_use]
    pub fn refresh_store(&self) -> RedisRefreshStore {
        RedisRefreshStore(self.clone())
    }
}

impl RedisRefreshStore {
    /// The key of a family.
    fn family(&self, id: &str) -> String {
        self.0.key(&format!("refresh:{id}"))
    }

    /// The key of a subject's index. It has a digest, because a subject may be long, or an
    /// e-mail address.
    fn index(&self, subject: &str) -> String {
        let digest = digest(&SHA256, subject.as_bytes());
        self.0.key(&format!("sessions:{}", URL_SAFE_NO_PAD.encode_to_string(digest)))
    }

    /// Tries every script and command once before the first use, so that a missing right is
    /// reported as such. [`RedisBuilder::build`](super::RedisBuilder::build) does so unless it is
    /// lazy.
    pub(super) async fn tried(&self) -> Result<&Self, StoreError> {
        self.0.0.tried.get_or_try_init(|| self.try_out()).await?;
        Ok(self)
    }

    async fn try_out(&self) -> Result<(), StoreError> {
        let id = format!("trial-{}", unique_id()?);
        let tried = self.try_all(&id).await;
        if tried.is_err() {
            let mut pipe = redis::pipe();
            pipe.del(self.family(&id)).ignore().del(self.index(&id)).ignore();
            // If they cannot be deleted, they expire.
            let _ = self.0.connection().pipeline::<()>(&pipe, Retry::Once).await;
        }
        tried
    }

    async fn try_all(&self, id: &str) -> Result<(), StoreError> {
        let (id, now) = (id.to_owned(), unix_seconds(SystemClock.now()));
        let digest = |byte| Digest::new([byte; 32]);
        let session = Session {
            id: id.clone(),
            subject: id.clone(),
            client_id: None,
            scope: None,
            label: None,
            created_at: now,
            refreshed_at: now,
            idle_until: now.saturating_add(MINUTE),
            ends_at: now.saturating_add(MINUTE),
            browser_idle: None,
            authentication: None,
            confirmation: None,
        };
        let family = Family { session, current: digest(0), previous: None };
        // With room for one, the first of two is displaced.
        let displaced = format!("{id}-displaced");
        let mut other = family.clone();
        other.session.id.clone_from(&displaced);
        self.create_family(other, now).await?;
        self.create_family(family, now).await?;
        self.displace_families(&id, 1, now).await?;
        // It is rotated, repeated, and reused, which deletes it.
        for presented in [0, 0, 2] {
            let (presented, next, salt) = (digest(presented), digest(1), digest(3));
            let (id, grace, idle) = (id.clone(), MINUTE, MINUTE);
            let (authentication, proven) = (None, None);
            let rotation =
                Rotation { id, presented, next, salt, now, grace, idle, authentication, proven };
            self.rotate_family(rotation).await?;
        }
        self.find_family(&id, now).await?;
        self.list_sessions(&id, now).await?;
        self.end_family(&id).await?;
        self.end_families(&id).await?;
        self.forget(&id, vec![id.clone()]).await?;
        Ok(())
    }

    async fn create_family(&self, family: Family, now: i64) -> Result<(), StoreError> {
        let session = &family.session;
        let fields = to_fields(&family)?;
        let mut create = CREATE.key(self.family(&session.id));
        let previous = family.previous.as_ref();
        let left =
            previous.map_or(0, |previous| previous.until.saturating_sub(now)).clamp(0, MINUTE);
        create.arg(now).arg(kept(session.expires_at(), now, AFTER_END)).arg(left);
        fields.iter().for_each(|(name, value)| {
            create.arg(*name).arg(value);
        });
        // A second attempt would find the family of the first one.
        if !self.0.connection().script::<bool>(&create, Retry::Never).await? {
            return Err(StoreError::new("a family of this id already exists"));
        }
        // The index comes second, because an id without a family is removed from it. If this
        // fails, the family is in no index, but its token was given to nobody.
        let mut index = INDEX.key(self.index(&session.subject));
        index.arg(&session.id).arg(kept(session.ends_at, now, INDEX_AFTER_END));
        let some: Vec<String> = self.0.connection().script(&index, Retry::Once).await?;
        if !some.is_empty() {
            // This only tidies up, which the next login does as well.
            let _ = self.sessions(&session.subject, some).await;
        }
        Ok(())
    }

    async fn find_family(&self, id: &str, now: i64) -> Result<Option<Family>, StoreError> {
        let mut pipe = redis::pipe();
        pipe.cmd("TIME").hgetall(self.family(id));
        let (time, fields): ((i64, i64), Fields) = self.ask(&pipe).await?;
        if fields.is_empty() {
            return Ok(None);
        }
        let store_now = time.0.saturating_mul(1000).saturating_add(time.1 / 1000);
        let family = family_of(&fields, store_now, now).ok_or(FOREIGN)?;
        Ok(Some(family).filter(|family| family.session.expires_at() > now))
    }

    async fn rotate_family(&self, rotation: Rotation) -> Result<Rotated, StoreError> {
        let now = rotation.now();
        let mut rotate = ROTATE.key(self.family(rotation.id()));
        rotate.arg(now);
        for digest in [rotation.presented(), rotation.next(), rotation.salt()] {
            rotate.arg(digest.to_text());
        }
        rotate.arg(rotation.grace()).arg(rotation.idle_until());
        rotate.arg(AFTER_END).arg(LONGEST);
        let login = rotation.authentication.as_ref().map(serde_json::to_string).transpose()?;
        let proven = rotation.proven.as_ref();
        let text = |method: Option<Thumbprint>| method.map(|method| method.to_string());
        rotate.arg(login.unwrap_or_default());
        rotate.arg(text(proven.and_then(|proven| proven.jkt)).unwrap_or_default());
        rotate.arg(text(proven.and_then(|proven| proven.x5t_s256)).unwrap_or_default());
        // If the first attempt succeeded, a second one would use a spent token.
        let answer: Vec<String> = self.0.connection().script(&rotate, Retry::Never).await?;
        let mut answer = answer.into_iter();
        let outcome = answer.next();
        let mut session = || {
            let (session, refreshed, idle) = (answer.next()?, answer.next()?, answer.next()?);
            read_session(&session, &refreshed, &idle, &answer.next()?)
        };
        let rotated = match outcome.as_deref() {
            Some("unknown") => Some(Rotated::Unknown),
            Some("expired") => Some(Rotated::Expired),
            Some("rotated") => session().map(Rotated::Rotated),
            Some("reused") => session().map(Rotated::Reused),
            Some("repeated") => session().and_then(|session| {
                let salt = Digest::from_text(&answer.next()?)?;
                Some(Rotated::Repeated { session, salt })
            }),
            _ => None,
        };
        rotated.ok_or_else(|| FOREIGN.into())
    }

    async fn end_family(&self, id: &str) -> Result<Option<Session>, StoreError> {
        let mut ended = self.delete(&[id.to_owned()]).await?;
        let ended = ended.pop();
        if let Some(session) = &ended {
            // If it stays in the index, it is removed when that is read.
            let _ = self.forget(&session.subject, vec![session.id.clone()]).await;
        }
        Ok(ended)
    }

    async fn end_families(&self, subject: &str) -> Result<Vec<Session>, StoreError> {
        let ids = self.ids(subject).await?;
        let mut ended = Vec::new();
        for some in ids.chunks(AT_ONCE) {
            ended.extend(self.delete(some).await?);
        }
        // Only these ids: another login may have added one by now.
        let _ = self.forget(subject, ids).await;
        Ok(ended)
    }

    async fn displace_families(
        &self,
        subject: &str,
        most: usize,
        now: i64,
    ) -> Result<Vec<Session>, StoreError> {
        let mut displace = DISPLACE.key(self.index(subject));
        displace.arg(self.family("")).arg(most).arg(now).arg(GIVEN_AWAY);
        // A second attempt would not give the sessions that the first one has given away.
        let ended: Vec<String> = self.0.connection().script(&displace, Retry::Never).await?;
        let session = |parts: &[String]| match parts {
            [json, refreshed, idle, login] => read_session(json, refreshed, idle, login),
            _ => None,
        };
        ended.chunks(4).map(|parts| session(parts).ok_or_else(|| FOREIGN.into())).collect()
    }

    async fn list_sessions(&self, subject: &str, now: i64) -> Result<Vec<Session>, StoreError> {
        let ids = self.ids(subject).await?;
        let mut sessions = Vec::new();
        for some in ids.chunks(AT_ONCE) {
            sessions.extend(self.sessions(subject, some.to_vec()).await?);
        }
        sessions.retain(|session| session.expires_at() > now);
        Ok(sessions)
    }

    /// Sends commands that change nothing.
    async fn ask<T: FromRedisValue>(&self, pipe: &Pipeline) -> Result<T, Failure> {
        self.0.connection().ask(&self.0.key("nothing"), pipe).await
    }

    async fn ids(&self, subject: &str) -> Result<Vec<String>, Failure> {
        let mut pipe = redis::pipe();
        pipe.zrange(self.index(subject), 0, -1);
        let (ids,) = self.ask(&pipe).await?;
        Ok(ids)
    }

    /// The sessions of these ids. Ids without a family are removed from the index.
    async fn sessions(&self, subject: &str, ids: Vec<String>) -> Result<Vec<Session>, Failure> {
        let mut pipe = redis::pipe();
        ids.iter().for_each(|id| {
            pipe.hgetall(self.family(id));
        });
        let found: Vec<Fields> = self.ask(&pipe).await?;
        let (mut sessions, mut gone) = (Vec::new(), Vec::new());
        for (id, fields) in ids.into_iter().zip(found) {
            if fields.is_empty() {
                gone.push(id);
            } else {
                sessions.push(session_of(&fields).ok_or(FOREIGN)?);
            }
        }
        let _ = self.forget(subject, gone).await;
        Ok(sessions)
    }

    /// Deletes these families, and gives the sessions of those that existed. Each is one
    /// transaction on one key.
    async fn delete(&self, ids: &[String]) -> Result<Vec<Session>, Failure> {
        let mut pipe = redis::pipe();
        for id in ids {
            let key = self.family(id);
            pipe.cmd("MULTI").ignore().hgetall(&key).ignore().del(&key).ignore().cmd("EXEC");
        }
        // A second attempt would not give the sessions that the first one ended.
        let answers: Vec<(Fields, u64)> = self.0.connection().pipeline(&pipe, Retry::Never).await?;
        let found = answers.iter().map(|(fields, _)| fields).filter(|fields| !fields.is_empty());
        // A family that cannot be read was deleted, too.
        found.map(|fields| session_of(fields).ok_or(FOREIGN)).collect()
    }

    async fn forget(&self, subject: &str, ids: Vec<String>) -> Result<(), Failure> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut pipe = redis::pipe();
        pipe.zrem(self.index(subject), ids).ignore();
        self.0.connection().pipeline(&pipe, Retry::Once).await
    }
}

impl RefreshStore for RedisRefreshStore {
    fn create(&self, family: Family, now: i64) -> MaybeReady<Result<(), StoreError>> {
        let store = self.clone();
        MaybeReady::pending(async move { store.tried().await?.create_family(family, now).await })
    }

    fn get(&self, id: &str, now: i64) -> MaybeReady<Result<Option<Family>, StoreError>> {
        let (store, id) = (self.clone(), id.to_owned());
        MaybeReady::pending(async move { store.tried().await?.find_family(&id, now).await })
    }

    fn rotate(&self, rotation: Rotation) -> MaybeReady<Result<Rotated, StoreError>> {
        let store = self.clone();
        MaybeReady::pending(async move { store.tried().await?.rotate_family(rotation).await })
    }

    fn list(&self, subject: &str, now: i64) -> MaybeReady<Result<Vec<Session>, StoreError>> {
        let (store, subject) = (self.clone(), subject.to_owned());
        MaybeReady::pending(async move { store.tried().await?.list_sessions(&subject, now).await })
    }

    fn displace(
        &self,
        subject: &str,
        most: usize,
        now: i64,
    ) -> MaybeReady<Result<Option<Vec<Session>>, StoreError>> {
        let (store, subject) = (self.clone(), subject.to_owned());
        MaybeReady::pending(async move {
            store.tried().await?.displace_families(&subject, most, now).await.map(Some)
        })
    }

    fn end(&self, id: &str) -> MaybeReady<Result<Option<Session>, StoreError>> {
        let (store, id) = (self.clone(), id.to_owned());
        MaybeReady::pending(async move { store.tried().await?.end_family(&id).await })
    }

    fn end_all(&self, subject: &str) -> MaybeReady<Result<Vec<Session>, StoreError>> {
        let (store, subject) = (self.clone(), subject.to_owned());
        MaybeReady::pending(async move { store.tried().await?.end_families(&subject).await })
    }
}

impl fmt::Debug for RedisRefreshStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisRefreshStore").field(&self.0).finish()
    }
}

type Fields = HashMap<String, String>;

/// The fields of a family. Those that a rotation changes are apart from the session, so that no
/// script has to read JSON: Lua would lose digits of its numbers.
fn to_fields(family: &Family) -> Result<Vec<(&'static str, String)>, serde_json::Error> {
    let session = &family.session;
    let mut fields = vec![
        ("session", serde_json::to_string(session)?),
        ("ends", session.ends_at.to_string()),
        ("idle", session.idle_until.to_string()),
        ("refreshed", session.refreshed_at.to_string()),
        ("current", family.current.to_text()),
    ];
    if let Some(seconds) = session.browser_idle {
        fields.push(("browser_idle", seconds.to_string()));
    }
    if let Some(bound) = &session.confirmation {
        let methods = [("jkt", bound.jkt), ("x5t", bound.x5t_s256)];
        let methods = methods.into_iter().filter_map(|(name, method)| Some((name, method?)));
        fields.extend(methods.map(|(name, method)| (name, method.to_string())));
    }
    if let Some(previous) = &family.previous {
        fields.push(("previous", previous.digest.to_text()));
        fields.push(("salt", previous.salt.to_text()));
    }
    Ok(fields)
}

/// The family for a caller whose clock says `now`, in seconds, while the clock of the store says
/// `store_now`, in milliseconds.
fn family_of(fields: &Fields, store_now: i64, now: i64) -> Option<Family> {
    let digest = |name: &str| fields.get(name).map(|text| Digest::from_text(text));
    let previous = match (digest("previous"), digest("salt"), fields.get("until")) {
        (Some(digest), Some(salt), Some(until)) => {
            let left = until.parse::<i64>().ok()?.saturating_sub(store_now).max(0);
            // Rounded up: a token that can be repeated for another moment can be repeated now.
            let until = now.saturating_add(left.saturating_add(999) / 1000);
            Some(Previous { digest: digest?, salt: salt?, until })
        }
        _ => None,
    };
    Some(Family { session: session_of(fields)?, current: digest("current")??, previous })
}

fn session_of(fields: &Fields) -> Option<Session> {
    let login = fields.get("login").map_or("", String::as_str);
    read_session(fields.get("session")?, fields.get("refreshed")?, fields.get("idle")?, login)
}

/// The session of these fields. The login is empty unless there was a step-up.
fn read_session(json: &str, refreshed: &str, idle: &str, login: &str) -> Option<Session> {
    let mut session: Session = serde_json::from_str(json).ok()?;
    if !login.is_empty() {
        session.set_authentication(serde_json::from_str(login).ok()?);
    }
    session.refreshed_at = refreshed.parse().ok()?;
    session.idle_until = idle.parse().ok()?;
    Some(session)
}

/// The seconds for which a key with this end is kept. They count from now, so the clock of Redis
/// does not matter.
fn kept(end: i64, now: i64, after: i64) -> i64 {
    end.saturating_sub(now).max(0).saturating_add(after).min(LONGEST)
}

static CREATE: LazyLock<Script> = LazyLock::new(|| script(include_str!("create.lua")));
static ROTATE: LazyLock<Script> = LazyLock::new(|| script(include_str!("rotate.lua")));
static DISPLACE: LazyLock<Script> = LazyLock::new(|| script(include_str!("displace.lua")));
static INDEX: LazyLock<Script> = LazyLock::new(|| script(include_str!("index.lua")));

const FOREIGN: Failure = Failure::Foreign(
    "a family of refresh tokens in Redis is malformed: nothing else may write to the keys of its \
     prefix",
);

/// The seconds that a family is kept after the end of its session.
const AFTER_END: i64 = 60;

/// The seconds that an index is kept after the end of its last session, because clocks differ.
const INDEX_AFTER_END: i64 = 24 * 60 * 60;

/// The longest time that Redis is told to keep anything, in seconds: a hundred years.
const LONGEST: i64 = 100 * 366 * 24 * 60 * 60;

/// The seconds that one login has to end a session that it displaces.
const GIVEN_AWAY: i64 = 5;

/// The longest time for which a token may be repeated, in seconds.
const MINUTE: i64 = 60;

/// The number of families that are read or deleted at a time.
const AT_ONCE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_kept_longer_than_its_session() {
        assert_eq!(kept(100, 40, AFTER_END), 120);
        assert_eq!(kept(100, 400, AFTER_END), AFTER_END);
        assert_eq!(kept(i64::MAX, i64::MIN, AFTER_END), LONGEST);
    }

    #[test]
    fn a_session_comes_back_as_it_is_now() {
        let json = r#"{"session":{"id":"i","subject":"s","label":"é \"x\"","created_at":1,
            "refreshed_at":1,"idle_until":9,"ends_at":9223372036854775807},
            "current":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#;
        // As a version without sessions that end with the browser has stored it.
        let family: Family = serde_json::from_str(json).unwrap();
        let mut fields: Fields = HashMap::new();
        for (name, value) in to_fields(&family).unwrap() {
            fields.insert(name.to_owned(), value);
        }
        assert_eq!(session_of(&fields).as_ref(), Some(family.session()));
        assert_eq!(family_of(&fields, 0, 0), Some(family));
        fields.insert("idle".to_owned(), "7".to_owned());
        assert_eq!(session_of(&fields).map(|session| session.expires_at()), Some(7));
        fields.remove("session");
        assert_eq!(session_of(&fields), None);
    }
}
