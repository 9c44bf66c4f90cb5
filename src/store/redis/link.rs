//! The connections to Redis: a pool, and a bound on how long each answer may take.

use std::time::Duration;

use deadpool_redis::{
    Connection, Manager, Pool, PoolError, QueueMode,
    redis::{
        AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, Pipeline,
        RedisError, RedisResult, Value,
    },
};
use tokio::time::timeout;

use super::BadRedisUrl;

/// Connections kept open.
pub(super) const POOL_MIN: usize = 2;
/// Connections at the most, and so flushes under way at a time.
pub(super) const POOL_MAX: usize = 10;
/// How long getting a working connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// How long a pipeline may take. A Redis that needs longer is as good as gone: frames come faster.
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
}

pub(super) struct Link {
    pool: Pool,
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
        let manager = Manager::new_with_config(info, config).map_err(|error| bad(&error))?;
        let pool = Pool::builder(manager)
            .max_size(POOL_MAX)
            // The one used last first, so that those beyond what is needed fall idle.
            .queue_mode(QueueMode::Lifo)
            .build()
            .map_err(|error| BadRedisUrl(error.to_string()))?;
        Ok(Self { pool, address, password })
    }

    /// Host and port or path: for logs.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Sends a pipeline and waits for the answer to each of its commands.
    pub(super) async fn run(&self, pipe: &Pipeline) -> Result<Vec<RedisResult<Value>>, Failure> {
        let mut connection = self.get().await?;
        let answers = timeout(ANSWER_WITHIN, pipe.query_async(&mut connection)).await;
        let failure = match answers {
            Ok(Ok(answers)) => return Ok(answers),
            Ok(Err(error)) => self.failure(&error),
            Err(_) => Failure::Away(format!("no answer within {ANSWER_WITHIN:?}")),
        };
        // Its answer may still come: nobody else may read it.
        drop(Connection::take(connection));
        Err(failure)
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

    async fn get(&self) -> Result<Connection, Failure> {
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
