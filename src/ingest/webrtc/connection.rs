//! How a peer connection of the `webrtc` crate is set up here, and how it ends.
//!
//! Belongs here: the crate's settings, its callbacks, the place on the port. Does not: the offer,
//! the answer, and what happens on the channels, which is the [`session`](super::session)'s.

use std::{sync::Arc, time::Duration};

use rand::distr::{Alphanumeric, SampleString as _};
use rtc::{
    ice::mdns::MulticastDnsMode,
    peer_connection::{configuration::setting_engine::SctpMaxMessageSize, transport::RTCDtlsRole},
};
use tokio::sync::{mpsc, watch};
use webrtc::{
    data_channel::{DataChannel, RTCDataChannelInit},
    peer_connection::{
        PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCPeerConnectionState,
        SettingEngine, SettingEngineBuilder,
    },
};

use super::{
    one_port::{Registration, Shared},
    routes::Peer,
    runtime::SessionRuntime,
    session::AnswerError,
};

/// Silence after which ICE says `disconnected`, the time from then to `failed`, and the distance of
/// checks that keep an idle path open. A publisher that vanished is noticed in about 4 s (30 s by
/// default).
const ICE_DISCONNECTED: Duration = Duration::from_millis(1500);
const ICE_FAILED: Duration = Duration::from_secs(3);
const ICE_KEEPALIVE: Duration = Duration::from_millis(500);

/// Channels of the page waiting to be taken. One is used at a time; further ones are closed.
const WAITING_CHANNELS: usize = 4;

/// Letters of the ICE user fragment and password: over 95 and 190 bits, where RFC 8445 section 5.3
/// asks for 24 and 128.
const UFRAG_LEN: usize = 16;
const PASSWORD_LEN: usize = 32;

/// Longest wait for a connection or a channel to say goodbye.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// How the server's channel treats loss. It is unordered in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reliability {
    /// A message is repeated until it is this old (`maxPacketLifeTime`).
    LifetimeMs(u16),
    /// A message is repeated this often (`maxRetransmits`).
    Retransmits(u16),
}

impl Default for Reliability {
    /// 150 ms: every 40 KB frame arrives at 5 % packet loss, and no frame is shown later than it is
    /// worth.
    fn default() -> Self {
        Self::LifetimeMs(150)
    }
}

impl Reliability {
    pub(super) fn init(self) -> RTCDataChannelInit {
        let (lifetime, retransmits) = match self {
            Reliability::LifetimeMs(ms) => (Some(ms), None),
            Reliability::Retransmits(n) => (None, Some(n)),
        };
        RTCDataChannelInit {
            ordered: false,
            max_packet_life_time: lifetime,
            max_retransmits: retransmits,
            ..RTCDataChannelInit::default()
        }
    }
}

/// The port has as many sessions as it takes.
#[derive(Debug, thiserror::Error)]
#[error("the server has as many WebRTC publishers as it takes")]
pub struct Full;

/// A peer connection with its place on the port. Dropping it ends its tasks and frees the place.
pub(super) struct Connection {
    pub(super) peer: Box<dyn PeerConnection>,
    pub(super) place: Registration,
    /// Channels that the page opened.
    pub(super) offered: mpsc::Receiver<Arc<dyn DataChannel>>,
    pub(super) state: watch::Receiver<RTCPeerConnectionState>,
    /// Whether the connection's task has ended, by whatever cause.
    pub(super) stopped: watch::Receiver<bool>,
    _tasks: Tasks,
}

impl Connection {
    /// Sets up a connection that answers on the port.
    pub(super) async fn open(port: &Arc<Shared>) -> Result<Self, AnswerError> {
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
        let peer = PeerConnectionBuilder::new()
            .with_setting_engine(settings(ufrag, password))
            .with_runtime(tasks.0.clone())
            .with_handler(Arc::new(Handler { state: state_tx, offered: offered_tx }))
            .with_udp_addrs(placeholders)
            .build()
            .await?;
        Ok(Self { peer: Box::new(peer), place, offered, state, stopped, _tasks: tasks })
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
pub(super) fn close_later(channel: Arc<dyn DataChannel>) {
    tokio::spawn(async move {
        let closed = tokio::time::timeout(CLOSE_TIMEOUT, channel.close()).await;
        tracing::debug!(?closed, "closed a data channel");
    });
}

fn settings(ufrag: String, password: String) -> SettingEngine {
    SettingEngineBuilder::new()
        .with_ice_credentials(ufrag, password)
        .with_ice_timeouts(Some(ICE_DISCONNECTED), Some(ICE_FAILED), Some(ICE_KEEPALIVE))
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
