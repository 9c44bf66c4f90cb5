//! The connections to Redis: a pool, and a bound on how long each answer may take.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use deadpool::managed::{self, Metrics, Object, Pool, PoolError, QueueMode, RecycleResult};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, Pipeline,
    RedisError, RedisResult, Value, aio::MultiplexedConnection,
};
use tokio::time::timeout;

use super::BadRedisUrl;

/// Connections kept open.
pub(super) const POOL_MIN: usize = 2;
/// Connections at the most, and so flushes under way at a time.
pub(super) const POOL_MAX: usize = 10;
/// How long getting a working connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// How long a command may take. A Redis that needs longer is as good as gone: frames come faster.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// Connections above [`POOL_MIN`] that were not used for so long are closed.
const IDLE: Duration = Duration::from_secs(60);
/// Characters of an error that are kept.
const MAX_ERROR: usize = 200;

/// Why nothing was done; the texts hold no password.
#[derive(Debug)]
pub(super) enum Failure {
    /// No connection, no answer, or all commands refused.
    Away(String),
    /// Redis is there, but does not do this.
    Refused(String),
    /// Redis is there, but has no memory left.
    Full(String),
}

/// Makes connections. Unlike other pools' managers it does not ask before each use whether one
/// still works: [`Link::run`] finds out by using it.
struct Manager {
    client: Client,
    config: AsyncConnectionConfig,
    /// Commands that a new connection begins with.
    greeting: u64,
    sent: Arc<AtomicU64>,
}

impl managed::Manager for Manager {
    type Type = MultiplexedConnection;
    type Error = RedisError;

    async fn create(&self) -> Result<MultiplexedConnection, RedisError> {
        let made = self.client.get_multiplexed_async_connection_with_config(&self.config).await?;
        self.sent.fetch_add(self.greeting, Ordering::Relaxed);
        Ok(made)
    }

    async fn recycle(
        &self,
        _: &mut MultiplexedConnection,
        _: &Metrics,
    ) -> RecycleResult<RedisError> {
        Ok(())
    }
}

pub(super) struct Link {
    pool: Pool<Manager>,
    /// Commands sent, all of them.
    sent: Arc<AtomicU64>,
    address: String,
    password: Option<String>,
}

impl Link {
    /// Connects to nothing yet.
    pub(super) fn new(url: &str) -> Result<Self, BadRedisUrl> {
        // The library's own texts are fixed ones; what it would add of the URL is left out.
        let bad = |error: &RedisError| BadRedisUrl(reason(error));
        if !url.contains("://") {
            return Err(BadRedisUrl("no scheme".into()));
        }
        let info = url.into_connection_info().map_err(|error| bad(&error))?;
        if let ConnectionAddr::TcpTls { .. } = info.addr() {
            // Another part of the process may have chosen one already; either will do.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN));
        let (address, password) = (address_of(&info), password_of(&info));
        // The name of the library, which nobody asks for, would be two commands.
        let settings = info.redis_settings().clone().set_skip_set_lib_name();
        let greeting = u64::from(settings.password().is_some()) + u64::from(settings.db() != 0);
        let info = info.set_redis_settings(settings);
        let client = Client::open(info).map_err(|error| bad(&error))?;
        let sent = Arc::new(AtomicU64::new(0));
        let manager = Manager { client, config, greeting, sent: sent.clone() };
        let pool = Pool::builder(manager)
            .max_size(POOL_MAX)
            // The one used last first, so that those beyond what is needed fall idle.
            .queue_mode(QueueMode::Lifo)
            .build()
            .map_err(|error| BadRedisUrl(error.to_string()))?;
        Ok(Self { pool, sent, address, password })
    }

    /// Host and port or path: for logs.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Commands sent so far.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Sends a pipeline and waits for the answer to each of its commands. All that is sent here may
    /// be sent twice.
    pub(super) async fn run(&self, pipe: &Pipeline) -> Result<Vec<RedisResult<Value>>, Failure> {
        loop {
            let mut connection = self.get().await?;
            let is_used = Object::metrics(&connection).recycle_count > 0;
            let answers = timeout(ANSWER_WITHIN, pipe.query_async(&mut *connection)).await;
            // One that Redis, or something between, has closed while it was idle. Each of these
            // leaves the pool, so this ends: with a new one.
            let is_stale =
                is_used && matches!(&answers, Ok(Err(error)) if error.is_connection_dropped());
            if !is_stale {
                self.sent.fetch_add(pipe.len() as u64, Ordering::Relaxed);
            }
            let failure = match answers {
                Ok(Ok(answers)) => return Ok(answers),
                Ok(Err(error)) => self.failure(&error),
                Err(_) => Failure::Away(format!("no answer within {ANSWER_WITHIN:?}")),
            };
            // Its answer may still come: nobody else may read it.
            drop(Object::take(connection));
            if !is_stale {
                return Err(failure);
            }
        }
    }

    /// Opens the connections that are kept, as far as Redis lets it.
    pub(super) async fn warm(&self) {
        let mut held = Vec::with_capacity(POOL_MIN);
        while held.len() < POOL_MIN {
            match self.get().await {
                Ok(connection) => held.push(connection),
                Err(_) => return,
            }
        }
    }

    /// Closes all idle connections: they lead to a Redis that is gone.
    pub(super) fn reset(&self) {
        self.pool.retain(|_, _| false);
    }

    /// Closes the idle connections that were not needed for long.
    pub(super) fn trim(&self) {
        let mut open = self.pool.status().size;
        self.pool.retain(|_, metrics| {
            let keep = open <= POOL_MIN || metrics.last_used() < IDLE;
            open -= usize::from(!keep);
            keep
        });
    }

    /// An error's text, without the password and not too long.
    pub(super) fn text(&self, error: &impl ToString) -> String {
        let mut text = error.to_string();
        // Redis repeats the arguments of a command that it does not know, AUTH's too.
        if let Some(password) = &self.password {
            text = text.replace(password.as_str(), "***");
        }
        text.chars().take(MAX_ERROR).collect()
    }

    async fn get(&self) -> Result<Object<Manager>, Failure> {
        match timeout(CONNECT_WITHIN, self.pool.get()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(PoolError::Backend(error))) => Err(self.failure(&error)),
            Ok(Err(error)) => Err(Failure::Away(self.text(&error))),
            Err(_) => Err(Failure::Away(format!("no connection within {CONNECT_WITHIN:?}"))),
        }
    }

    fn failure(&self, error: &RedisError) -> Failure {
        Failure::Away(self.text(error))
    }
}

fn reason(error: &RedisError) -> String {
    let text = error.to_string();
    text.split(" - ").next().unwrap_or("it cannot be read").to_owned()
}

fn address_of(info: &ConnectionInfo) -> String {
    match info.addr() {
        ConnectionAddr::Tcp(host, port) => format!("{host}:{port}"),
        ConnectionAddr::TcpTls { host, port, .. } => format!("{host}:{port}"),
        ConnectionAddr::Unix(path) => path.display().to_string(),
        _ => "redis".into(),
    }
}

fn password_of(info: &ConnectionInfo) -> Option<String> {
    info.redis_settings().password().filter(|password| !password.is_empty()).map(str::to_owned)
}
