//! One connection for many commands. It is replaced when it breaks, and every wait is limited.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, FromRedisValue, IntoConnectionInfo, Pipeline,
    RedisResult, Script, ScriptInvocation, Value, aio::MultiplexedConnection, io::tcp::TcpSettings,
};
use tokio::time::timeout;

use super::{
    failure::{FOREIGN, Failure},
    server::{self, Role},
    tls::{Tls, TlsSettings},
};
use crate::{error::ConfigError, runtime::runtime_with_timer};

/// Connects, and connects again after a fault. A connection that does not answer in time counts
/// as dead, and the next command gets another one.
pub(super) struct Connection {
    client: Client,
    tls: Option<Tls>,
    /// The time that the answer to one command may take.
    timeout: Duration,
    connect_timeout: Duration,
    state: Mutex<ConnectionState>,
    /// Locked while connecting.
    connecting: tokio::sync::Mutex<()>,
    /// Whether the operator knows that the server may evict keys.
    told_of_eviction: AtomicBool,
}

#[derive(Default)]
struct ConnectionState {
    connection: Option<MultiplexedConnection>,
    /// The number of connections that there were.
    connection_number: u64,
    /// The time and the reason of the last attempt to connect, if it failed.
    failed: Option<(Instant, Failure)>,
    /// When the server last proved that it is a primary.
    proven: Option<Instant>,
}

/// Whether a command may be sent a second time after a connection has broken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// Yes: it changes nothing, or changes the same when it is done twice.
    Once,
    /// No: it may have been done the first time, and doing it twice makes a difference.
    Never,
}

impl Connection {
    pub(super) fn new(
        url: &str,
        tls: &TlsSettings,
        timeout: Duration,
        connect: Duration,
    ) -> Result<Self, ConfigError> {
        let wrong = |what: &str| ConfigError::Store(format!("{ADDRESS}: {what}"));
        // The client library refuses the address of TLS unless it makes the connections itself.
        let (plain, is_tls) = match url.split_once("://") {
            Some(("rediss", rest)) => (format!("redis://{rest}"), true),
            Some(("valkeys", rest)) => (format!("valkey://{rest}"), true),
            _ => (url.to_owned(), false),
        };
        if is_tls && url.contains('#') {
            return Err(wrong(
                "certificates are always checked, so remove `#` and the text after it; for a \
                 server with a certificate of your own authority, call `.root_certificates(…)`",
            ));
        }
        if !is_tls && !tls.is_empty() {
            return Err(wrong("certificates require an address that begins with `rediss://`"));
        }
        let info = plain.into_connection_info().map_err(|error| wrong(error.category()))?;
        let tls = match info.addr() {
            ConnectionAddr::Tcp(host, port) if is_tls => Some(Tls::new(host, *port, tls)?),
            ConnectionAddr::Tcp(..) | ConnectionAddr::Unix(_) if !is_tls => None,
            // With another spelling, the client library would make the TLS connection itself.
            _ => return Err(wrong("write the scheme in lower case: `rediss://`")),
        };
        // A command is one small packet, and a request waits for its answer.
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        Ok(Self {
            client: Client::open(info).map_err(|error| wrong(error.category()))?,
            tls,
            timeout,
            connect_timeout: connect,
            state: Mutex::default(),
            connecting: tokio::sync::Mutex::new(()),
            told_of_eviction: AtomicBool::new(false),
        })
    }

    /// Runs a script, and loads it if the store does not know it.
    pub(super) async fn script<T: FromRedisValue>(
        &self,
        invocation: &ScriptInvocation<'_>,
        retry: Retry,
    ) -> Result<T, Failure> {
        self.run(&Command::Script(invocation), retry).await
    }

    pub(super) async fn pipeline<T: FromRedisValue>(
        &self,
        pipeline: &Pipeline,
        retry: Retry,
    ) -> Result<T, Failure> {
        self.run(&Command::Pipeline(pipeline), retry).await
    }

    /// Sends commands that change nothing, and requires the server to prove that it is a primary
    /// that accepts writes, see [`proven`](server::proven). `nothing` is the name of a key that
    /// never exists.
    pub(super) async fn ask<T: FromRedisValue>(
        &self,
        nothing: &str,
        pipeline: &Pipeline,
    ) -> Result<T, Failure> {
        let mut pipe = server::proven(nothing);
        pipeline.cmd_iter().for_each(|command| {
            pipe.add_command(command.clone());
        });
        let answers: Vec<Value> = self.pipeline(&pipe, Retry::Once).await?;
        let mut answers = answers.into_iter();
        let role = answers.next().unwrap_or(Value::Nil);
        self.prove(Role::from_redis_value(role).map_err(|_| FOREIGN)?)?;
        T::from_redis_value(Value::Array(answers.collect())).map_err(|_| FOREIGN)
    }

    async fn run<T: FromRedisValue>(
        &self,
        command: &Command<'_>,
        retry: Retry,
    ) -> Result<T, Failure> {
        if self.is_unproven() {
            // The server may have closed the connection, and then nobody knows whether it has
            // got the command. Or it is no longer a primary. This finds out before.
            let role = redis::pipe().cmd("ROLE").clone();
            let role = Command::Pipeline(&role);
            let told = match self.run_once::<(Role,)>(&role).await {
                Err(Failure::Closed) => self.run_once(&role).await?,
                told => told?,
            };
            self.prove(told.0)?;
        }
        match self.run_once(command).await {
            // The server has closed it, because it was idle or because of a restart.
            Err(Failure::Closed) if retry == Retry::Once => self.run_once(command).await,
            outcome => outcome,
        }
    }

    async fn run_once<T: FromRedisValue>(&self, command: &Command<'_>) -> Result<T, Failure> {
        if runtime_with_timer().is_none() {
            return Err(Failure::NoRuntime);
        }
        let (mut connection, connection_number) = self.connection().await?;
        let outcome = match timeout(self.timeout, command.send(&mut connection)).await {
            Ok(answer) => answer.map_err(Failure::from),
            Err(_) => Err(Failure::Late),
        };
        let mut state = self.state();
        if outcome.as_ref().is_err_and(Failure::is_of_the_connection)
            && state.connection_number == connection_number
        {
            state.connection = None;
        }
        drop(state);
        outcome
    }

    /// Makes a separate connection, for commands that block.
    pub(super) async fn dedicated(
        &self,
        response: Duration,
    ) -> Result<MultiplexedConnection, Failure> {
        if runtime_with_timer().is_none() {
            return Err(Failure::NoRuntime);
        }
        match timeout(self.connect_timeout, self.connect(response)).await {
            Ok(connection) => connection,
            Err(_) => Err(Failure::Late),
        }
    }

    /// Connects, and checks the kind of the server.
    async fn connect(&self, response: Duration) -> Result<MultiplexedConnection, Failure> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(Some(response));
        let mut connection = match &self.tls {
            None => self.client.get_multiplexed_async_connection_with_config(&config).await?,
            Some(tls) => {
                let stream = tls.connect().await.map_err(|error| Failure::Io(error.to_string()))?;
                let info = self.client.get_connection_info().redis_settings();
                let (connection, driver) =
                    MultiplexedConnection::new_with_config(info, stream, config).await?;
                // The task ends with the last clone of the connection.
                tokio::spawn(driver);
                connection
            }
        };
        server::check(&mut connection).await?;
        if !self.told_of_eviction.load(Ordering::Relaxed) {
            let policy = server::eviction(&mut connection).await?;
            if !self.told_of_eviction.swap(true, Ordering::Relaxed) {
                policy.tell();
            }
        }
        Ok(connection)
    }

    /// The time that it may take to connect.
    pub(super) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// The time that an answer may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    async fn connection(&self) -> Result<(MultiplexedConnection, u64), Failure> {
        if let Some(found) = self.state().get()? {
            return Ok(found);
        }
        let _one = self.connecting.lock().await;
        // Another task may have tried while this one waited.
        if let Some(found) = self.state().get()? {
            return Ok(found);
        }
        let connected = self.dedicated(self.timeout).await;
        let mut state = self.state();
        match connected {
            Ok(connection) => {
                state.connection_number = state.connection_number.wrapping_add(1);
                state.connection = Some(connection.clone());
                (state.proven, state.failed) = (Some(Instant::now()), None);
                Ok((connection, state.connection_number))
            }
            Err(failure) => {
                state.failed = Some((Instant::now(), failure.clone()));
                Err(failure)
            }
        }
    }

    /// Takes the role that the server claims. If it is not a primary, the connection is dropped,
    /// because the name may lead to another server by now.
    fn prove(&self, role: Role) -> Result<(), Failure> {
        let proof = role.check();
        let mut state = self.state();
        match proof {
            Ok(()) => state.proven = Some(Instant::now()),
            Err(_) => state.connection = None,
        }
        proof
    }

    /// Whether the server has not proved for a while that it is a primary.
    fn is_unproven(&self) -> bool {
        let state = self.state();
        state.connection.is_some() && state.proven.is_none_or(|proven| proven.elapsed() > IDLE)
    }

    fn state(&self) -> MutexGuard<'_, ConnectionState> {
        // No code that holds the lock panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A script or a pipeline that is sent.
enum Command<'a> {
    Script(&'a ScriptInvocation<'a>),
    Pipeline(&'a Pipeline),
}

impl Command<'_> {
    async fn send<T: FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> RedisResult<T> {
        match self {
            Self::Script(invocation) => invocation.invoke_async(connection).await,
            Self::Pipeline(pipeline) => pipeline.query_async(connection).await,
        }
    }
}

impl ConnectionState {
    fn get(&self) -> Result<Option<(MultiplexedConnection, u64)>, Failure> {
        if let Some(connection) = &self.connection {
            return Ok(Some((connection.clone(), self.connection_number)));
        }
        match &self.failed {
            Some((when, failure)) if when.elapsed() < PAUSE => Err(failure.clone()),
            _ => Ok(None),
        }
    }
}

/// Makes a script, with the functions that all scripts share before its text.
pub(super) fn script(text: &str) -> Script {
    Script::new(&[include_str!("whole.lua"), text].concat())
}

/// The time since the last use in which no server closes a connection, or becomes a replica.
const IDLE: Duration = Duration::from_millis(500);

/// The pause after a failed attempt to connect.
const PAUSE: Duration = Duration::from_millis(100);

const ADDRESS: &str = "the address of Redis is malformed, write \
                       `redis://user:password@host:port/database`, or `rediss://…` for TLS";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p01_a_wrong_address_is_not_repeated() {
        for url in [
            "http://user:hunter2@host",
            "rediss://user:hunter2@host#insecure",
            "REDISS://user:hunter2@host#insecure",
            " rediss://user:hunter2@host",
        ] {
            let refused =
                Connection::new(url, &TlsSettings::default(), PAUSE, PAUSE).err().unwrap();
            assert!(!refused.to_string().contains("hunter2"), "{refused}");
        }
    }

    #[tokio::test]
    async fn nobody_there_is_told_and_not_asked_at_once() {
        // A port that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let second = Duration::from_secs(1);
        let url = format!("redis://:hunter2@127.0.0.1:{port}");
        let connection = Connection::new(&url, &TlsSettings::default(), second, second).unwrap();
        let ping = redis::pipe().cmd("PING").clone();
        let ask = async || connection.pipeline::<()>(&ping, Retry::Once).await.unwrap_err();
        let begin = Instant::now();
        let first = ask().await;
        assert!(matches!(first, Failure::Io(_)) && !first.to_string().contains("hunter2"));
        // A moment later, the same failure is reported.
        while begin.elapsed() < PAUSE * 2 {
            assert_eq!(ask().await, first);
        }
    }
}
