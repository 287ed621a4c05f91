//! A store of refresh families against a model that remembers every token.

use std::{fmt, thread, time::Duration};

use super::random::Random;
use crate::{
    error::ErrorKind,
    refresh::{Login, RefreshStore, RefreshTokens, Session, TokenStatus},
    testing::clock::TestClock,
};

const PART: &str = "part 7 of the suite of refresh stores";
pub(super) const GRACE: u64 = 10;
const IDLE: u64 = 100;
const ABSOLUTE: u64 = 300;
const SUBJECTS: [&str; 2] = ["ada", "grace"];

/// One step of a sequence; a number chooses among the families that were ever opened.
#[derive(Clone, Copy, Debug)]
enum Act {
    Login(usize),
    /// Presents the newest token, or one that is so many older.
    Present(usize, usize),
    /// A token of the family that never was.
    Guess(usize),
    /// A token of no family.
    Stray(usize),
    End(usize),
    EndAll(usize),
    Wait(u64),
}

impl Act {
    fn any(random: &mut Random) -> Self {
        let family = random.pick(&[0, 1, 2, 3, 4, 5]);
        match random.pick(&[0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 6, 6, 6]) {
            0 => Self::Login(random.pick(&[0, 1])),
            1 => Self::Present(family, random.pick(&[0, 0, 0, 1, 1, 2, 3])),
            2 => Self::Guess(family),
            3 => Self::Stray(family),
            4 => Self::End(family),
            5 => Self::EndAll(random.pick(&[0, 1])),
            _ => Self::Wait(random.pick(&[
                1,
                2,
                GRACE - 1,
                GRACE,
                GRACE + 1,
                IDLE - 1,
                IDLE,
                IDLE + 1,
                ABSOLUTE,
            ])),
        }
    }
}

/// Does random things with a store for a while, and compares what can be seen with the model.
pub(super) async fn run(case: u64, store: impl RefreshStore, clock: TestClock) {
    let mut random = Random::new(case);
    let mut story = Story { case, acts: Vec::new() };
    let mut world = World::new(store, clock);
    world.login(0).await;
    for _ in 0..random.pick(&[10, 20, 30, 40, 50]) {
        let act = Act::any(&mut random);
        story.acts.push(act);
        world.act(act).await;
    }
}

/// The steps so far. They are written out if the test fails.
struct Story {
    case: u64,
    acts: Vec<Act>,
}

impl Drop for Story {
    fn drop(&mut self) {
        if thread::panicking() {
            let (case, next) = (self.case, self.case.saturating_add(1));
            eprintln!(
                "case {case}, after a login of subject 0: {:?}\n\
                 repeat it with `refresh_store_cases({case}..{next}, …)`",
                self.acts
            );
        }
    }
}

/// A login, with all the tokens that it ever had and when each was spent.
struct History {
    id: String,
    subject: usize,
    opened: u64,
    refreshed: u64,
    tokens: Vec<(String, Option<u64>)>,
    ended: bool,
}

/// The outcome that the model expects for a token.
#[derive(Debug, PartialEq)]
enum Outcome {
    New,
    Again(String),
    Refused,
    Stolen,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "it is the live token, so it gives a new one (`Rotated::Rotated`)",
            Self::Again(_) => {
                "it was spent within the grace, and its successor was not used yet, so it gives the \
                 same successor (`Rotated::Repeated`)"
            }
            Self::Refused => "its session has ended (`Rotated::Expired` or `Rotated::Unknown`)",
            Self::Stolen => {
                "it was spent before, so it ends its session (`Rotated::Reused`, delete the family)"
            }
        })
    }
}

impl History {
    fn is_over(&self, now: u64) -> bool {
        self.ended || now >= self.refreshed + IDLE || now >= self.opened + ABSOLUTE
    }

    fn outcome(&self, at: usize, now: u64) -> Outcome {
        let (spent, next) = (self.tokens[at].1, self.tokens.get(at + 1));
        match (spent, next) {
            _ if self.is_over(now) => Outcome::Refused,
            (None, _) => Outcome::New,
            (Some(spent), Some((next, None))) if now < spent + GRACE => {
                Outcome::Again(next.clone())
            }
            _ => Outcome::Stolen,
        }
    }
}

struct World {
    tokens: RefreshTokens,
    clock: TestClock,
    /// When it began, in seconds since 1970.
    begin: i64,
    /// Seconds since then.
    now: u64,
    histories: Vec<History>,
}

impl World {
    fn new(store: impl RefreshStore, clock: TestClock) -> Self {
        let begin = clock.unix_seconds();
        Self { tokens: tokens(store, &clock), clock, begin, now: 0, histories: Vec::new() }
    }

    async fn act(&mut self, act: Act) {
        let count = self.histories.len();
        match act {
            Act::Login(subject) => self.login(subject).await,
            Act::Wait(seconds) => {
                self.now += seconds;
                self.clock.advance(Duration::from_secs(seconds));
            }
            Act::EndAll(subject) => {
                let ended = self.tokens.end_all(SUBJECTS[subject]).await.unwrap();
                self.ended(|history| history.subject == subject, &ended);
            }
            Act::Present(family, back) => self.present(family % count, back).await,
            Act::Guess(family) => self.guess(family % count).await,
            Act::Stray(family) => {
                let stray = changed(&self.histories[family % count].tokens[0].0, 0);
                let refusal = self.refusal(&stray).await;
                assert!(
                    refusal == ErrorKind::RefreshToken,
                    "{PART}: a token of a session that never was is refused as {}; `refresh_token` is \
                     right (`Rotated::Unknown`)",
                    refusal.name()
                );
            }
            Act::End(family) => {
                let id = self.histories[family % count].id.clone();
                let ended = self.tokens.end(&id).await.unwrap();
                self.ended(|history| history.id == id, ended.as_slice());
            }
        }
        self.compare().await;
    }

    async fn login(&mut self, subject: usize) {
        let opened = self.tokens.open(Login::new(SUBJECTS[subject])).await.unwrap();
        assert!(!opened.is_repeated());
        self.histories.push(History {
            id: opened.session().id().into(),
            subject,
            opened: self.now,
            refreshed: self.now,
            tokens: vec![(opened.token().as_str().into(), None)],
            ended: false,
        });
    }

    async fn present(&mut self, family: usize, back: usize) {
        let now = self.now;
        let history = &mut self.histories[family];
        let of = history.tokens.len();
        let at = of.saturating_sub(1 + back);
        let expected = history.outcome(at, now);
        match self.tokens.rotate(&history.tokens[at].0).await {
            Ok(opened) => {
                let token = opened.token().as_str().to_owned();
                assert!(
                    opened.session().id() == history.id,
                    "{PART}: a rotation gave the session of another token"
                );
                if opened.is_repeated() {
                    assert!(
                        expected == Outcome::Again(token),
                        "{PART}: token {at} of {of} gave a successor again (`Rotated::Repeated`); right \
                         is: {expected}"
                    );
                } else {
                    assert!(
                        expected == Outcome::New,
                        "{PART}: token {at} of {of} gave a new successor (`Rotated::Rotated`); right is: \
                         {expected}"
                    );
                    assert!(
                        history.tokens.iter().all(|(old, _)| *old != token),
                        "{PART}: a rotation gave a token that was given before"
                    );
                    history.tokens[at].1 = Some(now);
                    history.tokens.push((token, None));
                    history.refreshed = now;
                }
            }
            Err(error) => match error.kind() {
                ErrorKind::RefreshToken => {
                    assert!(
                        expected == Outcome::Refused,
                        "{PART}: for token {at} of {of}, `rotate` says that its session has ended; right \
                         is: {expected}"
                    );
                    history.ended = true;
                }
                ErrorKind::RefreshTokenReused { session, .. } => {
                    assert!(
                        expected == Outcome::Stolen && **session == *history.id,
                        "{PART}: for token {at} of {of}, `rotate` says that it was stolen \
                         (`Rotated::Reused`); right is: {expected}"
                    );
                    history.ended = true;
                }
                other => panic!("{PART}: `rotate` failed: {}: {error}", other.name()),
            },
        }
    }

    async fn guess(&mut self, family: usize) {
        let history = &self.histories[family];
        let guessed = changed(&history.tokens[0].0, 63);
        let expected = match history.is_over(self.now) {
            true => None,
            false => Some(&*history.id),
        };
        let reused = match self.refusal(&guessed).await {
            ErrorKind::RefreshToken => None,
            ErrorKind::RefreshTokenReused { session, .. } => Some(session),
            other => panic!("{PART}: `rotate` failed: {}", other.name()),
        };
        assert!(
            reused.as_deref() == expected,
            "{PART}: a wrong token with the id of a session ends the session {reused:?}; right is \
             {expected:?}, because only a thief has such a token while the session lasts"
        );
        self.histories[family].ended = true;
    }

    async fn refusal(&self, token: &str) -> ErrorKind {
        self.tokens.rotate(token).await.unwrap_err().kind().clone()
    }

    /// These have ended; a store may or may not have known those whose time was over.
    fn ended(&mut self, these: impl Fn(&History) -> bool, said: &[Session]) {
        let now = self.now;
        for history in &mut self.histories {
            let is_said = said.iter().any(|session| session.id() == history.id);
            if !these(history) || history.ended {
                assert!(
                    !is_said,
                    "{PART}: `end` or `end_all` gives a session of {} that {}",
                    SUBJECTS[history.subject],
                    if history.ended { "had ended before" } else { "it was not asked to end" }
                );
            } else {
                assert!(
                    is_said || history.is_over(now),
                    "{PART}: `end` or `end_all` does not give a session of {} that it had to end",
                    SUBJECTS[history.subject]
                );
                history.ended = true;
            }
        }
    }

    /// Compares everything that a caller can see with the model.
    async fn compare(&self) {
        for (place, subject) in SUBJECTS.iter().enumerate() {
            let listed = self.tokens.list(subject).await.unwrap();
            let mut listed: Vec<_> = listed.iter().map(|session| session.id().to_owned()).collect();
            let alive = |history: &&History| history.subject == place && !history.is_over(self.now);
            let mut expected: Vec<_> =
                self.histories.iter().filter(alive).map(|history| history.id.clone()).collect();
            listed.sort();
            expected.sort();
            assert!(
                listed == expected,
                "{PART}: `list` of {subject} gives {} sessions, and {} is right; too many: {:?}, missing: \
                 {:?}",
                listed.len(),
                expected.len(),
                listed.iter().filter(|id| !expected.contains(id)).collect::<Vec<_>>(),
                expected.iter().filter(|id| !listed.contains(id)).collect::<Vec<_>>()
            );
        }
        for history in &self.histories {
            for at in 0..history.tokens.len() {
                let takes =
                    matches!(history.outcome(at, self.now), Outcome::New | Outcome::Again(_));
                let standing = self.tokens.token_status(&history.tokens[at].0).await.unwrap();
                let session = match &standing {
                    TokenStatus::Active(session) => Some(session),
                    TokenStatus::Spent(_) | TokenStatus::Unknown => None,
                };
                let of = history.tokens.len();
                assert!(
                    session.is_some() == takes,
                    "{PART}: token {at} of {of} can{} be rotated; by what `get` gives, it is {}",
                    if takes { "" } else { "not" },
                    match &standing {
                        TokenStatus::Active(_) => "live",
                        TokenStatus::Spent(_) => "spent",
                        TokenStatus::Unknown => "unknown",
                    }
                );
                if let Some(session) = session {
                    let time = |seconds: u64| self.begin + i64::try_from(seconds).unwrap();
                    let until = (history.refreshed + IDLE).min(history.opened + ABSOLUTE);
                    for (name, said, right) in [
                        ("created_at", session.created_at(), time(history.opened)),
                        ("refreshed_at", session.refreshed_at(), time(history.refreshed)),
                        ("expires_at", session.expires_at(), time(until)),
                    ] {
                        let begin = self.begin;
                        assert!(
                            said == right,
                            "{PART}: `get` gives a session whose `{name}` is {} s after the begin of the \
                             sequence; {} s is right",
                            said - begin,
                            right - begin
                        );
                    }
                    assert!(
                        session.subject() == SUBJECTS[history.subject],
                        "{PART}: `get` gives a session of another subject"
                    );
                }
            }
        }
    }
}

/// Refresh tokens with the times of the model.
pub(super) fn tokens(store: impl RefreshStore, clock: &TestClock) -> RefreshTokens {
    let seconds = Duration::from_secs;
    RefreshTokens::builder(store)
        .grace(seconds(GRACE))
        .idle_lifetime(seconds(IDLE))
        .absolute_lifetime(seconds(ABSOLUTE))
        .clock(clock.clone())
        .build()
        .expect("the lifetimes are at least a minute")
}

/// The text with another letter at this place.
fn changed(text: &str, at: usize) -> String {
    let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}
