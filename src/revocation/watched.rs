//! A token that a stream lives by, and whether its time has ended.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use tokio::time::Instant;

use super::record::{Kind, Revocation, TokenIds};
use crate::claims::{Confirmation, RegisteredClaims};

/// A token that is watched, and those who wait for its end.
pub(crate) struct Watched(Mutex<State>);

pub(super) struct State {
    pub(super) token: WatchedToken,
    ended: Option<Ended>,
    /// Whether somebody has looked at it since it has ended.
    is_noticed: bool,
    /// It changes when another token takes the place of this one.
    version: u32,
    /// When the denylist last said that the token is not revoked.
    confirmed: Instant,
    pub(super) watches: u32,
    last_id: u32,
    wakers: Wakers,
}

/// Why a stream has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Expired,
    Revoked,
    Unchecked,
}

/// How a token is now.
pub(crate) enum Look {
    Ended(Ended),
    Valid {
        /// The second in which it ends; the last one of all times if it never does.
        ends_at: i64,
        version: u32,
    },
}

impl Watched {
    pub(super) fn new(token: WatchedToken) -> Self {
        Self(Mutex::new(State {
            token,
            ended: None,
            is_noticed: false,
            // Not the version of a watch that has seen none.
            version: 1,
            confirmed: Instant::now(),
            watches: 0,
            last_id: 0,
            wakers: Wakers::None,
        }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock panics half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends it if the revocation names its token. The hash that has led here is no proof of it.
    pub(super) fn hear(&self, revocation: &Revocation) {
        let mut state = self.lock();
        if state.token.is_revoked_by(revocation) {
            let wakers = state.end(Ended::Revoked);
            // A waker may run code of others.
            drop(state);
            wakers.wake();
        }
    }
}

impl State {
    /// Looks at it at this time, in seconds since 1970. Also gives those who are to be woken because it
    /// has just expired.
    pub(super) fn look(&mut self, now: i64) -> (Look, Wakers) {
        let ends_at = self.token.ends_at;
        let is_over = ends_at <= now;
        match self.ended {
            Some(ended) => (Look::Ended(ended), Wakers::default()),
            None if is_over => (Look::Ended(Ended::Expired), self.end(Ended::Expired)),
            None => (Look::Valid { ends_at, version: self.version }, Wakers::default()),
        }
    }

    /// Ends it if it has not ended. Gives those who are to be woken.
    pub(super) fn end(&mut self, why: Ended) -> Wakers {
        self.ended.get_or_insert(why);
        mem::take(&mut self.wakers)
    }

    /// Whether this is the first look at it since it has ended.
    pub(super) fn notice(&mut self) -> bool {
        self.ended.is_some() && !mem::replace(&mut self.is_noticed, true)
    }

    pub(super) fn is_version(&self, version: u32) -> bool {
        self.version == version
    }

    pub(super) fn confirm(&mut self) {
        self.confirmed = Instant::now();
    }

    pub(super) fn confirmed(&self) -> Instant {
        self.confirmed
    }

    /// Puts another token in its place. Gives the old one, and those who are to look again.
    pub(super) fn replace(&mut self, token: WatchedToken) -> (WatchedToken, Wakers) {
        self.version = self.version.wrapping_add(1);
        self.confirm();
        (mem::replace(&mut self.token, token), mem::take(&mut self.wakers))
    }

    /// The number of another watch.
    pub(super) fn join(&mut self) -> u32 {
        self.watches = self.watches.saturating_add(1);
        self.last_id = self.last_id.wrapping_add(1);
        self.last_id
    }

    /// Gives the former waker of the watch. Drop it when the lock is free: it may be the last owner of a
    /// task with another watch.
    pub(super) fn wake_later(&mut self, id: u32, waker: &Waker) -> Option<Waker> {
        self.wakers.set(id, waker)
    }

    /// A watch leaves. Says whether it was the last one, and gives its waker, to be dropped when the lock
    /// is free.
    pub(super) fn leave(&mut self, id: u32) -> (bool, Option<Waker>) {
        let waker = self.wakers.remove(id);
        self.watches = self.watches.saturating_sub(1);
        (self.watches == 0, waker)
    }
}

/// The wakers of the watches, by their numbers. Nearly always there is one.
#[derive(Default)]
pub(super) enum Wakers {
    #[default]
    None,
    One(u32, Waker),
    #[allow(clippy::box_collection, reason = "it is rare, and the others take less memory so")]
    Many(Box<BTreeMap<u32, Waker>>),
}

impl Wakers {
    /// Gives the former waker with this number.
    fn set(&mut self, id: u32, waker: &Waker) -> Option<Waker> {
        let known = match self {
            Self::One(own, known) if *own == id => Some(known),
            Self::Many(all) => all.get_mut(&id),
            Self::None | Self::One(..) => None,
        };
        if let Some(known) = known {
            return (!known.will_wake(waker)).then(|| mem::replace(known, waker.clone()));
        }
        let waker = waker.clone();
        *self = match mem::take(self) {
            Self::None => Self::One(id, waker),
            Self::One(own, known) => {
                Self::Many(Box::new(BTreeMap::from([(own, known), (id, waker)])))
            }
            Self::Many(mut all) => {
                all.insert(id, waker);
                Self::Many(all)
            }
        };
        None
    }

    fn remove(&mut self, id: u32) -> Option<Waker> {
        match self {
            Self::Many(all) => all.remove(&id),
            Self::One(own, _) if *own == id => match mem::take(self) {
                Self::One(_, waker) => Some(waker),
                Self::None | Self::Many(_) => None,
            },
            Self::None | Self::One(..) => None,
        }
    }

    pub(super) fn wake(self) {
        match self {
            Self::None => {}
            Self::One(_, waker) => waker.wake(),
            Self::Many(all) => all.into_values().for_each(Waker::wake),
        }
    }
}

/// The parts of a token that are needed while a stream lives by it. Its claims would take several times
/// as much memory.
#[derive(Clone)]
pub(crate) struct WatchedToken {
    /// The texts, one after the other: see [`WatchedToken::texts`].
    text: Box<str>,
    /// The end of each text.
    ends: [u32; TEXTS],
    /// A bit for each text that is there.
    present: u8,
    /// Before all times if it is not known, which is how a revocation takes it.
    issued_at: i64,
    /// After all times if it never ends.
    ends_at: i64,
    confirmation: Option<Box<Confirmation>>,
}

/// The first thing in which the owner of a token differs from that of another.
pub(crate) enum Difference {
    Issuer,
    Subject,
    Client,
    Key,
}

impl WatchedToken {
    /// The token with these claims, which ends at this second, or never.
    pub(crate) fn new(claims: &RegisteredClaims, ends_at: Option<i64>) -> Self {
        let client = claims.client();
        let texts: [Option<&str>; TEXTS] = [
            claims.issuer(),
            claims.token_id(),
            claims.session_id(),
            claims.subject(),
            client.as_deref(),
        ];
        let (mut ends, mut present, mut end) = ([0; TEXTS], 0, 0_usize);
        for (place, (slot, text)) in ends.iter_mut().zip(texts).enumerate() {
            end = end.saturating_add(text.map_or(0, str::len));
            *slot = u32::try_from(end).unwrap_or(u32::MAX);
            present |= u8::from(text.is_some()) << place;
        }
        let all: Vec<&str> = texts.into_iter().flatten().collect();
        Self {
            text: all.concat().into(),
            ends,
            present,
            issued_at: TokenIds::new(claims).issued_at().unwrap_or(i64::MIN),
            ends_at: ends_at.unwrap_or(i64::MAX),
            confirmation: claims.confirmation().copied().map(Box::new),
        }
    }

    /// By which revocations name it.
    pub(crate) fn ids(&self) -> TokenIds<'_> {
        let [issuer, token_id, session_id, subject, _] = self.texts();
        let issued_at = Some(self.issued_at).filter(|time| *time != i64::MIN);
        TokenIds::of(issuer.unwrap_or_default(), [token_id, session_id, subject], issued_at)
    }

    /// In what the owner of another token differs from that of this one. Without a subject, nobody knows
    /// who it is.
    pub(crate) fn difference(&self, other: &Self) -> Option<Difference> {
        let [issuer, _, _, subject, client] = self.texts();
        let [other_issuer, _, _, other_subject, other_client] = other.texts();
        if issuer != other_issuer {
            Some(Difference::Issuer)
        } else if subject.is_none() || subject != other_subject {
            Some(Difference::Subject)
        } else if client != other_client {
            Some(Difference::Client)
        } else if self.confirmation != other.confirmation {
            Some(Difference::Key)
        } else {
            None
        }
    }

    fn is_revoked_by(&self, revocation: &Revocation) -> bool {
        let (ids, name): (_, (Kind, &str)) = (self.ids(), revocation.name());
        ids.issuer() == revocation.issuer()
            && ids.each().any(|own| own == name)
            && revocation.revokes(ids.issued_at())
    }

    /// The issuer, `jti`, `sid`, the subject and the client.
    fn texts(&self) -> [Option<&str>; TEXTS] {
        let (mut texts, mut start) = ([None; TEXTS], 0);
        for (place, (slot, end)) in texts.iter_mut().zip(self.ends).enumerate() {
            let end = usize::try_from(end).unwrap_or(usize::MAX);
            if self.present & (1 << place) != 0 {
                *slot = self.text.get(start..end);
            }
            start = end;
        }
        texts
    }
}

const TEXTS: usize = 5;

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Wake,
    };

    use super::*;

    fn token(payload: &str) -> WatchedToken {
        WatchedToken::new(&serde_json::from_str(payload).unwrap(), None)
    }

    #[test]
    fn it_keeps_the_names_of_a_token() {
        let whole = token(r#"{"iss":"i","jti":"jj","sid":"d","sub":"é","client_id":"c","iat":5}"#);
        let ids = whole.ids();
        assert_eq!((ids.issuer(), ids.token_id(), ids.session_id()), ("i", Some("jj"), Some("d")));
        assert_eq!((ids.subject(), ids.issued_at()), (Some("é"), Some(5)));
        let bare = token(r#"{"sub":"s"}"#);
        let ids = bare.ids();
        assert_eq!((ids.issuer(), ids.token_id(), ids.session_id()), ("", None, None));
        assert_eq!((ids.subject(), ids.issued_at()), (Some("s"), None));
    }

    #[test]
    fn only_a_revocation_that_names_it_ends_it() {
        let all = token(r#"{"iss":"i","jti":"j","sid":"d","sub":"s","iat":5}"#);
        for (revocation, ends) in [
            (Revocation::token("i", "j", 9), true),
            (Revocation::session("i", "d", 9), true),
            (Revocation::subject("i", "s", 5, 9), true),
            (Revocation::subject("i", "s", 4, 9), false),
            (Revocation::token("i", "d", 9), false),
            (Revocation::session("i", "s", 9), false),
            (Revocation::subject("i", "j", 5, 9), false),
            (Revocation::token("o", "j", 9), false),
        ] {
            assert_eq!(all.is_revoked_by(&revocation), ends, "{revocation:?}");
        }
        let undated = token(r#"{"iss":"i","sub":"s"}"#);
        assert!(undated.is_revoked_by(&Revocation::subject("i", "s", -5, 9)));
    }

    #[test]
    fn each_watch_has_one_waker() {
        #[derive(Default)]
        struct Count(AtomicUsize);

        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }

        let counts: Vec<Arc<Count>> = (0..4).map(|_| Arc::default()).collect();
        let wakers: Vec<Waker> =
            counts.iter().map(|count| Waker::from(Arc::clone(count))).collect();
        let mut all = Wakers::default();
        for (id, waker, has_former) in
            [(7, 0, false), (7, 0, false), (7, 1, true), (9, 2, false), (9, 3, true), (8, 0, false)]
        {
            assert_eq!(all.set(id, &wakers[waker]).is_some(), has_former, "{id} {waker}");
        }
        assert!(all.remove(8).is_some() && all.remove(8).is_none());
        all.wake();
        let woken = counts.iter().map(|count| count.0.load(Ordering::SeqCst)).collect::<Vec<_>>();
        assert_eq!(woken, [0, 1, 0, 1]);
        let mut one = Wakers::One(1, wakers[0].clone());
        assert!(one.remove(2).is_none() && one.remove(1).is_some() && one.remove(1).is_none());
    }

    #[test]
    fn a_watched_token_takes_little_memory() {
        // A stream has less than 600 bytes: see the bench `scale`.
        assert!(size_of::<Wakers>() <= 24, "{}", size_of::<Wakers>());
        assert!(size_of::<Watched>() <= 136, "{}", size_of::<Watched>());
    }

    #[test]
    fn owners_are_told_apart() {
        let differs = |first: &str, second: &str| token(first).difference(&token(second));
        let ada = r#"{"iss":"i","sub":"ada","client_id":"c","jti":"1"}"#;
        assert!(differs(ada, r#"{"iss":"i","sub":"ada","azp":"c","jti":"2","sid":"d"}"#).is_none());
        for (other, difference) in [
            (r#"{"iss":"o","sub":"ada","client_id":"c"}"#, "issuer"),
            (r#"{"iss":"i","sub":"eve","client_id":"c"}"#, "subject"),
            (r#"{"iss":"i","client_id":"c"}"#, "subject"),
            (r#"{"iss":"i","sub":"ada","client_id":"d"}"#, "client"),
            (r#"{"iss":"i","sub":"ada"}"#, "client"),
        ] {
            let found = match differs(ada, other) {
                Some(Difference::Issuer) => "issuer",
                Some(Difference::Subject) => "subject",
                Some(Difference::Client) => "client",
                Some(Difference::Key) => "key",
                None => "none",
            };
            assert_eq!(found, difference, "{other}");
        }
        let nobody = r#"{"iss":"i"}"#;
        assert!(matches!(differs(nobody, nobody), Some(Difference::Subject)));
        let (text, moved) = (r#"{"iss":"ab","sub":"c"}"#, r#"{"iss":"a","sub":"bc"}"#);
        assert!(differs(text, moved).is_some());
    }
}
