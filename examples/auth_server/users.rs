//! The registered users, and the check of a password.

use std::{
    collections::HashMap,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis::{
    AsyncCommands, AsyncConnectionConfig, Client, RedisResult, aio::MultiplexedConnection,
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

/// The store of the users. A database is another variant: nobody else knows which it is.
pub(crate) enum Users {
    Memory(Mutex<Memory>),
    /// For several processes: the users by id, and the ids by email.
    Redis(Redis),
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
        let client = Client::open(url)?;
        let connection = Mutex::new(Redis::connect(&client).await?);
        Ok(Self::Redis(Redis { client, connection }))
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
                let (mut redis, id) = (redis.connection().await?, id_key(&user.id));
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
                let mut redis = redis.connection().await?;
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
            Self::Redis(redis) => read(redis.connection().await?, id.to_owned()).await,
        }
    }
}

/// One connection that all requests share.
pub(crate) struct Redis {
    client: Client,
    connection: Mutex<MultiplexedConnection>,
}

impl Redis {
    async fn connect(client: &Client) -> RedisResult<MultiplexedConnection> {
        let second = Some(Duration::from_secs(1));
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(second)
            .set_response_timeout(second);
        client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// The connection, or a new one if the server has closed it.
    async fn connection(&self) -> io::Result<MultiplexedConnection> {
        let mut connection = self.shared().clone();
        let pong: RedisResult<()> = connection.ping().await;
        if pong.is_err() {
            connection = Self::connect(&self.client).await.map_err(io::Error::other)?;
            *self.shared() = connection.clone();
        }
        Ok(connection)
    }

    fn shared(&self) -> MutexGuard<'_, MultiplexedConnection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read(mut redis: MultiplexedConnection, id: String) -> io::Result<Option<User>> {
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
    /// The hash that the passwords of unknown users are compared with, so that they take
    /// as long as those of known ones.
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
