//! Families of refresh tokens, for all machines of a service.

use std::{collections::HashMap, fmt, sync::LazyLock};

use aws_lc_rs::digest::{SHA256, digest};
use base64_simd::URL_SAFE_NO_PAD;
use redis::Script;

use super::{
    Redis,
    link::{Again, Failure, script},
};
use crate::{
    error::StoreError,
    issue::refresh::{Digest, Family, Previous, RefreshStore, Rotated, Rotation, Session},
    step::Step,
};

/// Keeps families of refresh tokens in Redis; cheap to clone. Made by
/// [`Redis::refresh`].
///
/// # Rules
///
/// 1. A family is one key, and a rotation is one script on it: of two requests with one
///    token, on two machines, one wins.
/// 2. Whether a family's time is over, the clock of this process says. Redis deletes it by
///    itself a minute later.
/// 3. An index by subject says which families there may be, and the families which
///    there are. The subject is in no key's name, but in the value.
/// 4. A rotation whose answer is lost is not sent again: the client may present its token
///    again, within the grace.
///
/// A label of a browser and a subject are personal data, and are in Redis as they are;
/// of a token there is a digest.
///
/// # Example
/// ```no_run
/// use tower_jwt_auth::{issue::refresh::RefreshTokens, redis::Redis};
///
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// let redis = Redis::builder("redis://127.0.0.1:6379").prefix("shop").build().await?;
/// let refresh = RefreshTokens::builder(redis.refresh()).build()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisRefresh(Redis);

impl RedisRefresh {
    pub(super) fn new(redis: Redis) -> Self {
        Self(redis)
    }

    /// The key of a family. Each is a script's only one, so it may be in any slot.
    fn family(&self, id: &str) -> String {
        self.0.key(&format!("refresh:{id}"))
    }

    /// The key of a subject's index. A digest: a subject may be long, or an address.
    fn index(&self, subject: &str) -> String {
        let digest = digest(&SHA256, subject.as_bytes());
        self.0.key(&format!("sessions:{}", URL_SAFE_NO_PAD.encode_to_string(digest)))
    }

    async fn create_family(&self, family: Family, now: i64) -> Result<(), StoreError> {
        let session = &family.session;
        let fields = to_fields(&family)?;
        let mut create = CREATE.key(self.family(&session.id));
        create.arg(now).arg(kept(session.expires_at(), now, AFTER_END));
        fields.iter().for_each(|(name, value)| {
            create.arg(*name).arg(value);
        });
        // A second attempt would find what the first one made.
        if !self.0.link().script::<bool>(&create, Again::MayNot).await? {
            return Err(StoreError::new("a family of this id is there"));
        }
        // Only then the index: whoever finds an id there, and no family, takes it out. A
        // family that is in no index, since this failed, has a token that nobody has.
        let mut index = INDEX.key(self.index(&session.subject));
        index.arg(&session.id).arg(session.ends_at).arg(now);
        index.arg(kept(session.ends_at, now, INDEX_AFTER_END));
        let some: Vec<String> = self.0.link().script(&index, Again::May).await?;
        if !some.is_empty() {
            // Tidying up, which is as well done the next time.
            let _ = self.sessions(&session.subject, some).await;
        }
        Ok(())
    }

    async fn find_family(&self, id: &str, now: i64) -> Result<Option<Family>, StoreError> {
        let mut pipe = redis::pipe();
        pipe.hgetall(self.family(id));
        let (fields,): (Fields,) = self.0.link().pipeline(&pipe, Again::May).await?;
        if fields.is_empty() {
            return Ok(None);
        }
        let family = family_of(&fields).ok_or(FOREIGN)?;
        Ok(Some(family).filter(|family| family.session.expires_at() > now))
    }

    async fn rotate_family(&self, rotation: Rotation) -> Result<Rotated, StoreError> {
        let now = rotation.now();
        let mut rotate = ROTATE.key(self.family(rotation.id()));
        rotate.arg(now);
        for digest in [rotation.presented(), rotation.next(), rotation.salt()] {
            rotate.arg(digest.to_text());
        }
        rotate.arg(rotation.repeat_until()).arg(rotation.idle_until());
        rotate.arg(AFTER_END).arg(LONGEST);
        // Where it was done the first time, a second time would be the use of a spent
        // token.
        let answer: Vec<String> = self.0.link().script(&rotate, Again::MayNot).await?;
        let mut answer = answer.into_iter();
        let outcome = answer.next();
        let mut session = || {
            let (session, refreshed, idle) = (answer.next()?, answer.next()?, answer.next()?);
            read_session(&session, &refreshed, &idle)
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
            // An id that stays in the index is taken out when that is read.
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
        // Not the key: another login may be in it by now.
        let _ = self.forget(subject, ids).await;
        Ok(ended)
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

    async fn ids(&self, subject: &str) -> Result<Vec<String>, Failure> {
        let mut pipe = redis::pipe();
        pipe.zrange(self.index(subject), 0, -1);
        let (ids,) = self.0.link().pipeline(&pipe, Again::May).await?;
        Ok(ids)
    }

    /// The sessions of these ids. Those that are there no more leave the index.
    async fn sessions(&self, subject: &str, ids: Vec<String>) -> Result<Vec<Session>, Failure> {
        let mut pipe = redis::pipe();
        ids.iter().for_each(|id| {
            pipe.hgetall(self.family(id));
        });
        let found: Vec<Fields> = self.0.link().pipeline(&pipe, Again::May).await?;
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

    /// Deletes these families, and gives the sessions of those that there were. Each is
    /// one transaction on one key.
    async fn delete(&self, ids: &[String]) -> Result<Vec<Session>, Failure> {
        let mut pipe = redis::pipe();
        for id in ids {
            let key = self.family(id);
            pipe.cmd("MULTI").ignore().hgetall(&key).ignore().del(&key).ignore().cmd("EXEC");
        }
        // A second attempt would not give the sessions that the first one ended.
        let answers: Vec<(Fields, u64)> = self.0.link().pipeline(&pipe, Again::MayNot).await?;
        let found = answers.iter().map(|(fields, _)| fields).filter(|fields| !fields.is_empty());
        // One that cannot be read was deleted all the same.
        found.map(|fields| session_of(fields).ok_or(FOREIGN)).collect()
    }

    async fn forget(&self, subject: &str, ids: Vec<String>) -> Result<(), Failure> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut pipe = redis::pipe();
        pipe.zrem(self.index(subject), ids).ignore();
        self.0.link().pipeline(&pipe, Again::May).await
    }
}

impl RefreshStore for RedisRefresh {
    fn create(&self, family: Family, now: i64) -> Step<Result<(), StoreError>> {
        let store = self.clone();
        Step::pending(async move { store.create_family(family, now).await })
    }

    fn get(&self, id: &str, now: i64) -> Step<Result<Option<Family>, StoreError>> {
        let (store, id) = (self.clone(), id.to_owned());
        Step::pending(async move { store.find_family(&id, now).await })
    }

    fn rotate(&self, rotation: Rotation) -> Step<Result<Rotated, StoreError>> {
        let store = self.clone();
        Step::pending(async move { store.rotate_family(rotation).await })
    }

    fn list(&self, subject: &str, now: i64) -> Step<Result<Vec<Session>, StoreError>> {
        let (store, subject) = (self.clone(), subject.to_owned());
        Step::pending(async move { store.list_sessions(&subject, now).await })
    }

    fn end(&self, id: &str) -> Step<Result<Option<Session>, StoreError>> {
        let (store, id) = (self.clone(), id.to_owned());
        Step::pending(async move { store.end_family(&id).await })
    }

    fn end_all(&self, subject: &str) -> Step<Result<Vec<Session>, StoreError>> {
        let (store, subject) = (self.clone(), subject.to_owned());
        Step::pending(async move { store.end_families(&subject).await })
    }
}

impl fmt::Debug for RedisRefresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisRefresh").field(&self.0).finish()
    }
}

type Fields = HashMap<String, String>;

/// What changes with a rotation stands beside the session, so that no script has to read
/// JSON: its numbers are not exact there.
fn to_fields(family: &Family) -> Result<Vec<(&'static str, String)>, serde_json::Error> {
    let session = &family.session;
    let mut fields = vec![
        ("session", serde_json::to_string(session)?),
        ("ends", session.ends_at.to_string()),
        ("idle", session.idle_until.to_string()),
        ("refreshed", session.refreshed_at.to_string()),
        ("current", family.current.to_text()),
    ];
    if let Some(previous) = &family.previous {
        fields.push(("previous", previous.digest.to_text()));
        fields.push(("salt", previous.salt.to_text()));
        fields.push(("until", previous.until.to_string()));
    }
    Ok(fields)
}

fn family_of(fields: &Fields) -> Option<Family> {
    let digest = |name: &str| fields.get(name).map(|text| Digest::from_text(text));
    let previous = match (digest("previous"), digest("salt"), fields.get("until")) {
        (Some(digest), Some(salt), Some(until)) => {
            Some(Previous { digest: digest?, salt: salt?, until: until.parse().ok()? })
        }
        _ => None,
    };
    Some(Family { session: session_of(fields)?, current: digest("current")??, previous })
}

fn session_of(fields: &Fields) -> Option<Session> {
    read_session(fields.get("session")?, fields.get("refreshed")?, fields.get("idle")?)
}

fn read_session(json: &str, refreshed: &str, idle: &str) -> Option<Session> {
    let mut session: Session = serde_json::from_str(json).ok()?;
    session.refreshed_at = refreshed.parse().ok()?;
    session.idle_until = idle.parse().ok()?;
    Some(session)
}

/// For how many seconds a key is kept that ends then: counted from now, so that it does
/// not matter what time it is where Redis is.
fn kept(end: i64, now: i64, after: i64) -> i64 {
    end.saturating_sub(now).max(0).saturating_add(after).min(LONGEST)
}

static CREATE: LazyLock<Script> = LazyLock::new(|| script(include_str!("create.lua")));
static ROTATE: LazyLock<Script> = LazyLock::new(|| script(include_str!("rotate.lua")));
static INDEX: LazyLock<Script> = LazyLock::new(|| script(include_str!("index.lua")));

const FOREIGN: Failure = Failure::Foreign("a family in the store is not as it was put there");

/// How much longer than its session a family is kept, in seconds.
const AFTER_END: i64 = 60;

/// How much longer than its last session an index is kept, in seconds: for clocks that
/// differ.
const INDEX_AFTER_END: i64 = 24 * 60 * 60;

/// The longest time that Redis is told to keep anything, in seconds: a hundred years.
const LONGEST: i64 = 100 * 366 * 24 * 60 * 60;

/// How many families are read or deleted in one go.
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
        let family: Family = serde_json::from_str(json).unwrap();
        let mut fields: Fields = HashMap::new();
        for (name, value) in to_fields(&family).unwrap() {
            fields.insert(name.to_owned(), value);
        }
        assert_eq!(session_of(&fields).as_ref(), Some(family.session()));
        assert_eq!(family_of(&fields), Some(family));
        fields.insert("idle".to_owned(), "7".to_owned());
        assert_eq!(session_of(&fields).map(|session| session.expires_at()), Some(7));
        fields.remove("session");
        assert_eq!(session_of(&fields), None);
    }
}
