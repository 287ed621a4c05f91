//! One connection for many commands, made anew when it breaks; nothing waits for long.

use std::{
    error::Error as StdError,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use redis::{
    AsyncConnectionConfig, Client, ErrorKind, FromRedisValue, IntoConnectionInfo, Pipeline,
    RedisError, RedisResult, Script, ScriptInvocation, aio::MultiplexedConnection,
    io::tcp::TcpSettings,
};
use tokio::{runtime::Handle, time::timeout};

/// Connects, and connects again after a fault. A connection that does not answer in time
/// is taken for dead: the next command has another one.
pub(super) struct Link {
    client: Client,
    /// For the answer to one command.
    timeout: Duration,
    connect_timeout: Duration,
    state: Mutex<State>,
    /// Held by the one who connects.
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    /// How many connections there were.
    generation: u64,
    failed: Option<Instant>,
    /// When the last answer came.
    answered: Option<Instant>,
}

/// What may be sent a second time after a connection has broken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It changes nothing, or the same when it is done twice.
    May,
    /// What became of it the first time is not known, and makes a difference.
    MayNot,
}

impl Link {
    pub(super) fn new(url: &str, timeout: Duration, connect: Duration) -> Result<Self, Failure> {
        let info = url.into_connection_info()?;
        // A command is one small packet that somebody waits for.
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        Ok(Self {
            client: Client::open(info)?,
            timeout,
            connect_timeout: connect,
            state: Mutex::default(),
            connecting: tokio::sync::Mutex::new(()),
        })
    }

    /// Runs a script, and has it loaded where the store does not know it.
    pub(super) async fn script<T: FromRedisValue>(
        &self,
        invocation: &ScriptInvocation<'_>,
        again: Again,
    ) -> Result<T, Failure> {
        self.run(&Command::Script(invocation), again).await
    }

    pub(super) async fn pipeline<T: FromRedisValue>(
        &self,
        pipeline: &Pipeline,
        again: Again,
    ) -> Result<T, Failure> {
        self.run(&Command::Pipeline(pipeline), again).await
    }

    async fn run<T: FromRedisValue>(
        &self,
        command: &Command<'_>,
        again: Again,
    ) -> Result<T, Failure> {
        if again == Again::MayNot && self.is_idle() {
            // The server may have closed it since, and then it is not known whether it got
            // what was sent. A question tells before.
            let ping = redis::pipe().cmd("PING").ignore().clone();
            let ping = Command::Pipeline(&ping);
            if let Err(Failure::Closed) = self.run_once::<()>(&ping).await {
                self.run_once::<()>(&ping).await?;
            }
        }
        match self.run_once(command).await {
            // The server has closed it, as it does with one that was idle or at a restart.
            Err(Failure::Closed) if again == Again::May => self.run_once(command).await,
            outcome => outcome,
        }
    }

    async fn run_once<T: FromRedisValue>(&self, command: &Command<'_>) -> Result<T, Failure> {
        let (mut connection, generation) = self.connection().await?;
        let outcome = match timeout(self.timeout, command.send(&mut connection)).await {
            Ok(answer) => answer.map_err(Failure::from),
            Err(_) => Err(Failure::Late),
        };
        let mut state = self.state();
        if outcome.as_ref().is_err_and(Failure::is_of_the_connection) {
            if state.generation == generation {
                state.connection = None;
            }
        } else {
            state.answered = Some(Instant::now());
        }
        drop(state);
        outcome
    }

    /// A connection of its own, for a command that blocks.
    pub(super) async fn dedicated(
        &self,
        response: Duration,
    ) -> Result<MultiplexedConnection, Failure> {
        if Handle::try_current().is_err() {
            return Err(Failure::NoRuntime);
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(Some(response));
        let connect = self.client.get_multiplexed_async_connection_with_config(&config);
        match timeout(self.connect_timeout, connect).await {
            Ok(connection) => Ok(connection?),
            Err(_) => Err(Failure::Late),
        }
    }

    /// How long an answer may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    async fn connection(&self) -> Result<(MultiplexedConnection, u64), Failure> {
        if let Some(found) = self.state().get()? {
            return Ok(found);
        }
        let _one = self.connecting.lock().await;
        // Another one may have tried while this one waited.
        if let Some(found) = self.state().get()? {
            return Ok(found);
        }
        let connected = self.dedicated(self.timeout).await;
        let mut state = self.state();
        match connected {
            Ok(connection) => {
                state.generation = state.generation.wrapping_add(1);
                state.connection = Some(connection.clone());
                state.failed = None;
                Ok((connection, state.generation))
            }
            Err(failure) => {
                state.failed = Some(Instant::now());
                Err(failure)
            }
        }
    }

    /// Whether nothing has come over the connection for a while.
    fn is_idle(&self) -> bool {
        let state = self.state();
        state.connection.is_some()
            && state.answered.is_none_or(|answered| answered.elapsed() > IDLE)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that panics is done under it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is sent.
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

impl State {
    fn get(&self) -> Result<Option<(MultiplexedConnection, u64)>, Failure> {
        if let Some(connection) = &self.connection {
            return Ok(Some((connection.clone(), self.generation)));
        }
        match self.failed {
            Some(failed) if failed.elapsed() < PAUSE => Err(Failure::Down),
            _ => Ok(None),
        }
    }
}

/// Why there is no answer: nothing of what was asked, nor of who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server has closed the connection.
    Closed,
    /// There was no answer in time.
    Late,
    /// It could not be reached a moment ago.
    Down,
    /// There is no tokio runtime here.
    NoRuntime,
    /// What the server says, by its code alone: the text of an error may repeat what it
    /// was sent.
    Refused(String),
    /// A fault of the network.
    Io(String),
    /// What is kept is not what was put there.
    Foreign(&'static str),
}

impl Failure {
    /// Whether another connection may do better.
    fn is_of_the_connection(&self) -> bool {
        match self {
            Self::Closed | Self::Late | Self::Io(_) => true,
            // A server that has become a replica stays one: its name may be another's now.
            Self::Refused(code) => code == "READONLY",
            Self::Down | Self::NoRuntime | Self::Foreign(_) => false,
        }
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        if error.is_connection_dropped() && !error.is_connection_refusal() {
            return Self::Closed;
        }
        if error.is_timeout() {
            return Self::Late;
        }
        match error.kind() {
            ErrorKind::Io => {
                let source = StdError::source(&error).map(ToString::to_string);
                Self::Io(source.unwrap_or_else(|| error.category().to_owned()))
            }
            ErrorKind::Server(kind) => {
                let code = error.code().map(str::to_owned);
                Self::Refused(code.unwrap_or_else(|| format!("{kind:?}")))
            }
            ErrorKind::Extension => Self::Refused(error.code().unwrap_or("an error").to_owned()),
            ErrorKind::Parse => Self::Io("what it sends cannot be read".to_owned()),
            ErrorKind::UnexpectedReturnType => {
                Self::Foreign("the store answers what no Redis does")
            }
            _ => Self::Refused(error.category().to_owned()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the store has closed the connection"),
            Self::Late => f.write_str("the store does not answer in time"),
            Self::Down => f.write_str("the store could not be reached a moment ago"),
            Self::NoRuntime => f.write_str("the store needs a tokio runtime"),
            Self::Refused(code) => write!(f, "the store refuses: {code}"),
            Self::Io(what) => write!(f, "the store cannot be reached: {what}"),
            Self::Foreign(what) => f.write_str(what),
        }
    }
}

impl StdError for Failure {}

/// A script of ours, with what all of them need before it.
pub(super) fn script(text: &str) -> Script {
    Script::new(&[include_str!("whole.lua"), text].concat())
}

/// No server closes a connection that was in use so lately.
const IDLE: Duration = Duration::from_millis(500);

/// After a failed attempt to connect, nobody else tries for so long.
const PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p01_an_error_has_nothing_of_what_was_sent() {
        let text = "unknown command 'AUTH', with args beginning with: 'hunter2'".to_owned();
        let error = redis::make_extension_error("ERR2".to_owned(), Some(text));
        let failure = Failure::from(error);
        assert_eq!(failure.to_string(), "the store refuses: ERR2");
        let refused = Link::new("http://user:hunter2@host", PAUSE, PAUSE).err().unwrap();
        assert!(!format!("{refused} {refused:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn nobody_there_is_told_and_not_asked_at_once() {
        // A port that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let second = Duration::from_secs(1);
        let link =
            Link::new(&format!("redis://:hunter2@127.0.0.1:{port}"), second, second).unwrap();
        let ping = |_: ()| redis::pipe().cmd("PING").clone();
        let ask = async || link.pipeline::<()>(&ping(()), Again::May).await.unwrap_err();
        assert!(matches!(ask().await, Failure::Io(_)));
        assert_eq!(ask().await, Failure::Down);
        tokio::time::sleep(PAUSE).await;
        let failure = ask().await;
        assert!(matches!(failure, Failure::Io(_)) && !failure.to_string().contains("hunter2"));
    }
}
