//! How a peer connection of the `webrtc` crate is set up here, and how it ends.
//!
//! Belongs here: the crate's settings, its callbacks, the place on the port. Does not: the offer,
//! the answer, and what is sent, which are those of `ingest` and `view`.

use std::{sync::Arc, time::Duration};

use rand::distr::{Alphanumeric, SampleString as _};
use rtc::{
    ice::mdns::MulticastDnsMode,
    interceptor::Registry,
    peer_connection::{
        configuration::{media_engine::MediaEngine, setting_engine::SctpMaxMessageSize},
        transport::RTCDtlsRole,
    },
};
use tokio::sync::{mpsc, watch};
use webrtc::{
    data_channel::DataChannel,
    peer_connection::{
        PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCPeerConnectionState,
        SettingEngine, SettingEngineBuilder,
    },
};

use super::{
    one_port::{Port, Registration},
    routes::Peer,
    runtime::SessionRuntime,
};

/// How soon a peer that vanished is noticed.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Silence after which ICE says `disconnected`.
    pub disconnected: Duration,
    /// From then to `failed`.
    pub failed: Duration,
    /// Between the checks that keep an idle path open.
    pub keepalive: Duration,
}

/// What a connection is for.
#[expect(missing_debug_implementations, reason = "the crate's parts have none")]
pub struct Purpose {
    /// How soon a peer that vanished is noticed.
    pub patience: Patience,
    /// Codecs, and what is done to RTP on its way; `None` where there are data channels only.
    pub media: Option<(MediaEngine, Registry)>,
}

/// Channels of the page waiting to be taken. One is used at a time; further ones are closed.
const WAITING_CHANNELS: usize = 4;

/// Letters of the ICE user fragment and password: over 95 and 190 bits, where RFC 8445 section 5.3
/// asks for 24 and 128.
const UFRAG_LEN: usize = 16;
const PASSWORD_LEN: usize = 32;

/// Longest wait for a connection or a channel to say goodbye.
pub const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// The port has as many sessions as it takes.
#[derive(Debug, thiserror::Error)]
#[error("the server has as many WebRTC connections as it takes")]
pub struct Full;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The port has as many sessions as it takes.
    #[error(transparent)]
    Full(#[from] Full),
    /// The crate's words.
    #[error(transparent)]
    Crate(#[from] webrtc::error::Error),
}

/// A peer connection with its place on the port. Dropping it ends its tasks and frees the place.
pub struct Connection {
    /// The crate's connection.
    pub peer: Box<dyn PeerConnection>,
    place: Registration,
    /// Channels that the page opened.
    pub offered: mpsc::Receiver<Arc<dyn DataChannel>>,
    /// How far it is.
    pub state: watch::Receiver<RTCPeerConnectionState>,
    /// Whether the connection's task has ended, by whatever cause.
    pub stopped: watch::Receiver<bool>,
    _tasks: Tasks,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Connection {
    /// Sets up a connection that answers on the port.
    ///
    /// # Errors
    /// See [`OpenError`]. Nothing of the attempt stays behind.
    pub async fn open(port: &Port, purpose: Purpose) -> Result<Self, OpenError> {
        let port = port.shared();
        let ufrag = Alphanumeric.sample_string(&mut rand::rng(), UFRAG_LEN);
        let password = Alphanumeric.sample_string(&mut rand::rng(), PASSWORD_LEN);
        let peer = Peer::new(ufrag.clone(), &password);
        let place = Registration::new(port.clone(), peer).ok_or(Full)?;

        let (stopped_tx, stopped) = watch::channel(false);
        let (state_tx, state) = watch::channel(RTCPeerConnectionState::New);
        let (offered_tx, offered) = mpsc::channel(WAITING_CHANNELS);
        let runtime = SessionRuntime::new(port.clone(), place.peer.clone(), stopped_tx);
        // Before anything is spawned, so that a caller that gives up leaves nothing running.
        let tasks = Tasks(Arc::new(runtime));
        // One placeholder for each address family the port speaks; see
        // `SessionRuntime::wrap_udp_socket`.
        let mut placeholders = vec!["127.0.0.1:0"];
        if port.speaks_v6() {
            placeholders.push("[::1]:0");
        }
        let mut builder = PeerConnectionBuilder::new();
        if let Some((codecs, interceptors)) = purpose.media {
            builder = builder.with_media_engine(codecs).with_interceptor_registry(interceptors);
        }
        let peer = builder
            .with_setting_engine(settings(ufrag, password, purpose.patience))
            .with_runtime(tasks.0.clone())
            .with_handler(Arc::new(Handler { state: state_tx, offered: offered_tx }))
            .with_udp_addrs(placeholders)
            .build()
            .await?;
        Ok(Self { peer: Box::new(peer), place, offered, state, stopped, _tasks: tasks })
    }

    /// Whether the peer has reached the port.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.place.peer.is_proven()
    }

    /// Reads so far that brought pieces of messages; the kernel may join several datagrams in one.
    #[must_use]
    pub fn data_packets(&self) -> u64 {
        self.place.peer.data_packets()
    }
}

/// Ends a connection's tasks with it.
struct Tasks(Arc<SessionRuntime>);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Closing takes the connection's lock, which the caller must not wait for; the channel is kept
/// until then.
pub fn close_later(channel: Arc<dyn DataChannel>) {
    tokio::spawn(async move {
        let closed = tokio::time::timeout(CLOSE_TIMEOUT, channel.close()).await;
        tracing::debug!(?closed, "closed a data channel");
    });
}

fn settings(ufrag: String, password: String, patience: Patience) -> SettingEngine {
    let Patience { disconnected, failed, keepalive } = patience;
    SettingEngineBuilder::new()
        .with_ice_credentials(ufrag, password)
        .with_ice_timeouts(Some(disconnected), Some(failed), Some(keepalive))
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        // The browser starts the handshake as soon as it has a path: 410 → 126 ms to the open
        // channel.
        .with_answering_dtls_role(RTCDtlsRole::Server)
        // Announces 262,144 bytes; with the default of 65,536 a browser's `send()` throws above
        // that.
        .with_sctp_max_message_size(SctpMaxMessageSize::Unbounded)
        .build()
}

struct Handler {
    state: watch::Sender<RTCPeerConnectionState>,
    offered: mpsc::Sender<Arc<dyn DataChannel>>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.state.send_replace(state);
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        // Runs on the connection's own task, which must not wait.
        if let Err(refused) = self.offered.try_send(channel) {
            close_later(refused.into_inner());
        }
    }
}
