//! Who has registered, and how a password is checked.

use std::{
    collections::HashMap,
    io,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use redis::{
    AsyncCommands, Client, RedisResult,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use serde::{Deserialize, Serialize};

use crate::{
    attempts::Network,
    hashing::{Hashing, Unhashed},
};

/// A user, as it is stored.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct User {
    /// The `sub` of the tokens: an email may change, this does not.
    pub(crate) id: String,
    pub(crate) email: String,
    /// By Argon2, with its salt (PHC string).
    pub(crate) password: String,
}

/// Where the users are kept. A database is another variant: nobody else knows which it is.
pub(crate) enum Users {
    Memory(Mutex<Memory>),
    /// For several processes: the users by id, and the ids by email.
    Redis(ConnectionManager),
}

#[derive(Default)]
pub(crate) struct Memory {
    by_id: HashMap<String, User>,
    ids: HashMap<String, String>,
}

/// Anybody may register, and memory is finite.
const MOST: usize = 10_000;

impl Users {
    pub(crate) fn in_memory() -> Self {
        Self::Memory(Mutex::default())
    }

    pub(crate) async fn in_redis(url: &str) -> RedisResult<Self> {
        let second = Some(Duration::from_secs(1));
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(second)
            .set_response_timeout(second)
            .set_number_of_retries(1);
        let client = Client::open(url)?;
        Ok(Self::Redis(client.get_connection_manager_with_config(config).await?))
    }

    /// Adds a user, unless there is one of this email.
    pub(crate) async fn add(&self, user: User) -> io::Result<()> {
        match self {
            Self::Memory(users) => {
                let mut users = users.lock().unwrap_or_else(PoisonError::into_inner);
                if users.by_id.len() >= MOST {
                    return Err(io::Error::other("there is no room for more users"));
                }
                if !users.ids.contains_key(&user.email) {
                    users.ids.insert(user.email.clone(), user.id.clone());
                    users.by_id.insert(user.id.clone(), user);
                }
                Ok(())
            }
            Self::Redis(redis) => {
                let (mut redis, id) = (awake(redis).await, id_key(&user.id));
                let text = serde_json::to_string(&user)?;
                let _: () = redis.set(&id, text).await.map_err(io::Error::other)?;
                // Only now the email: who finds it there finds the user, too.
                let email = email_key(&user.email);
                if !redis.set_nx(email, &user.id).await.map_err(io::Error::other)? {
                    let _: () = redis.del(id).await.map_err(io::Error::other)?;
                }
                Ok(())
            }
        }
    }

    pub(crate) async fn by_email(&self, email: &str) -> io::Result<Option<User>> {
        match self {
            Self::Memory(users) => {
                let users = users.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(users.ids.get(email).and_then(|id| users.by_id.get(id)).cloned())
            }
            Self::Redis(redis) => {
                let mut redis = awake(redis).await;
                let id = redis.get(email_key(email)).await.map_err(io::Error::other)?;
                match id {
                    Some(id) => read(redis, id).await,
                    None => Ok(None),
                }
            }
        }
    }

    pub(crate) async fn by_id(&self, id: &str) -> io::Result<Option<User>> {
        match self {
            Self::Memory(users) => {
                let users = users.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(users.by_id.get(id).cloned())
            }
            Self::Redis(redis) => read(awake(redis).await, id.to_owned()).await,
        }
    }
}

/// A connection that was idle may have been closed: who asks first finds out.
async fn awake(redis: &ConnectionManager) -> ConnectionManager {
    let mut redis = redis.clone();
    let _: RedisResult<()> = redis.ping().await;
    redis
}

async fn read(mut redis: ConnectionManager, id: String) -> io::Result<Option<User>> {
    let text: Option<String> = redis.get(id_key(&id)).await.map_err(io::Error::other)?;
    Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
}

fn id_key(id: &str) -> String {
    format!("auth_server:user:{id}")
}

fn email_key(email: &str) -> String {
    format!("auth_server:email:{email}")
}

/// The passwords of users.
pub(crate) struct Passwords {
    hashing: Hashing<Network>,
    /// What the passwords of unknown users are compared with, so that they take as long
    /// as those of known ones.
    nobody: String,
}

impl Passwords {
    pub(crate) async fn new() -> Result<Self, Unhashed> {
        let hashing = Hashing::new();
        let nobody = hashing.hash(String::new(), None).await?;
        Ok(Self { hashing, nobody })
    }

    pub(crate) async fn hash(&self, password: String, client: Network) -> Result<String, Unhashed> {
        self.hashing.hash(password, Some(client)).await
    }

    /// Whether the password is this user's; never that of an unknown one.
    pub(crate) async fn is_of(
        &self,
        password: String,
        user: Option<&User>,
        client: Network,
    ) -> Result<bool, Unhashed> {
        let stored = user.map_or(&self.nobody, |user| &user.password).clone();
        Ok(self.hashing.is_same(password, stored, Some(client)).await? && user.is_some())
    }
}
