//! One publisher's WebRTC connection: from its offer to the messages on its data channels.
//!
//! Knows nothing of cameras or frames: it yields [`Event`]s, which the caller must take at once, for the
//! connection holds at most 256 of them. Signaling, the relay and what a message means are elsewhere.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rand::distr::{Alphanumeric, SampleString};
use rtc::ice::mdns::MulticastDnsMode;
use rtc::peer_connection::configuration::setting_engine::SctpMaxMessageSize;
use rtc::peer_connection::transport::RTCDtlsRole;
use tokio::sync::{mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior};
use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelInit};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceCandidateInit,
    RTCPeerConnectionState, RTCSessionDescription, SettingEngine, SettingEngineBuilder,
};

use super::one_port::{Port, Registration};
use super::routes::Peer;
use super::runtime::SessionRuntime;
use super::sdp;
use super::stall::StallWatch;

/// The label of the channel that the server opens.
pub const FRAMES: &str = "frames";

/// A connection whose channel is not open this long after the answer has failed. Chromium itself gives up
/// after 15 s.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(15);

/// Silence after which ICE says `disconnected`, the time from then to `failed`, and the distance of checks
/// that keep an idle path open. A publisher that vanished is noticed in about 4 s (30 s by default).
const ICE_DISCONNECTED: Duration = Duration::from_millis(1500);
const ICE_FAILED: Duration = Duration::from_secs(3);
const ICE_KEEPALIVE: Duration = Duration::from_millis(500);

/// Distance of the pokes while the channel opens. The crate's task leaves handshake packets lying until its
/// next timer unless something wakes it; with a poke the opening takes a quarter of the time.
const POKE: Duration = Duration::from_millis(5);

/// How often a channel that the page opened is looked at for a stall.
const STALL_CHECK: Duration = Duration::from_millis(250);

/// Channels of the page waiting to be taken. One is used at a time; further ones are closed.
const WAITING_CHANNELS: usize = 4;

/// Letters of the ICE user fragment and password: over 95 and 190 bits, where RFC 8445 section 5.3 asks for
/// 24 and 128.
const UFRAG_LEN: usize = 16;
const PASSWORD_LEN: usize = 32;

/// Longest wait for the connection to say goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// How the server's channel treats loss. It is unordered in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reliability {
    /// A message is repeated until it is this old (`maxPacketLifeTime`).
    LifetimeMs(u16),
    /// A message is repeated this often (`maxRetransmits`).
    Retransmits(u16),
}

impl Default for Reliability {
    /// 150 ms: every 40 KB frame arrives at 5 % packet loss, and no frame is shown later than it is worth.
    fn default() -> Self {
        Self::LifetimeMs(150)
    }
}

/// Who opens the data channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opener {
    /// The server opens [`FRAMES`]. A channel that the page opens as well is accepted.
    Server(Reliability),
    /// The page does (legacy pages).
    Page,
}

/// Why an offer could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The description is not one that can be answered.
    #[error("the offer cannot be answered: {0}")]
    Offer(#[from] webrtc::error::Error),
    /// The offer has no section for a data channel.
    #[error("the offer has no application section; create a data channel before the offer")]
    NoDataChannel,
    /// The port has as many sessions as it takes.
    #[error("the server has as many WebRTC publishers as it takes")]
    Full,
}

/// What happens on a connection.
#[derive(Debug)]
pub enum Event {
    /// A channel is open; messages may follow.
    Opened,
    /// A binary message.
    Binary(Bytes),
    /// A text message.
    Text(String),
    /// The page's own channel is closed: by the page, or from here because it had stalled. The connection lives.
    ChannelClosed {
        /// Whether it was closed from here.
        stalled: bool,
    },
    /// The connection is over. Nothing follows.
    Ended(End),
}

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// The page closed the server's channel or its connection.
    #[error("the publisher closed the connection")]
    Closed,
    /// No sign of life.
    #[error("the connection to the publisher was lost")]
    Lost,
    /// No channel within [`OPEN_TIMEOUT`].
    #[error("no data channel opened; is the server's UDP port reachable from the publisher?")]
    NotOpened,
}

struct PageChannel {
    channel: Arc<dyn DataChannel>,
    stall: StallWatch,
}

/// One connection. Dropping it ends it and frees its place on the port; [`Session::close`] also says goodbye.
pub struct Session {
    connection: Arc<dyn PeerConnection>,
    runtime: Arc<SessionRuntime>,
    registration: Registration,
    frames: Option<Arc<dyn DataChannel>>,
    page: Option<PageChannel>,
    offered: mpsc::Receiver<Arc<dyn DataChannel>>,
    state: watch::Receiver<RTCPeerConnectionState>,
    stopped: watch::Receiver<bool>,
    opening: bool,
    answered: Instant,
    tick: Interval,
    remote_candidates: usize,
    ended: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("opening", &self.opening).finish_non_exhaustive()
    }
}

impl Session {
    /// Answers an offer. The second value is the answer, with the candidates of the port in it.
    ///
    /// # Errors
    /// See [`AnswerError`]. Nothing of the attempt stays behind.
    pub async fn answer(
        port: &Port,
        offer: &str,
        opener: Opener,
    ) -> Result<(Self, String), AnswerError> {
        let shared = port.shared().clone();
        let (offer, candidates) = sdp::prepare_offer(offer);
        if !offer.lines().any(|line| line.starts_with("m=application")) {
            return Err(AnswerError::NoDataChannel);
        }
        let ufrag = Alphanumeric.sample_string(&mut rand::rng(), UFRAG_LEN);
        let password = Alphanumeric.sample_string(&mut rand::rng(), PASSWORD_LEN);
        let peer = Peer::new(ufrag.clone(), &password);
        let registration = Registration::new(shared.clone(), peer).ok_or(AnswerError::Full)?;

        let (stopped_tx, stopped) = watch::channel(false);
        let (state_tx, state) = watch::channel(RTCPeerConnectionState::New);
        let (offered_tx, offered) = mpsc::channel(WAITING_CHANNELS);
        let runtime =
            Arc::new(SessionRuntime::new(shared.clone(), registration.peer.clone(), stopped_tx));
        // One placeholder for each address family the port speaks; see `SessionRuntime::wrap_udp_socket`.
        let mut placeholders = vec!["127.0.0.1:0"];
        if shared.speaks_v6() {
            placeholders.push("[::1]:0");
        }
        let connection = PeerConnectionBuilder::new()
            .with_setting_engine(settings(ufrag, password))
            .with_runtime(runtime.clone())
            .with_handler(Arc::new(Handler { state: state_tx, offered: offered_tx }))
            .with_udp_addrs(placeholders)
            .build()
            .await?;
        let mut tick = tokio::time::interval(POKE);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut session = Self {
            connection: Arc::new(connection),
            runtime,
            registration,
            frames: None,
            page: None,
            offered,
            state,
            stopped,
            opening: true,
            answered: Instant::now(),
            tick,
            remote_candidates: 0,
            ended: false,
        };
        let answer = session.negotiate(offer, opener).await?;
        for candidate in candidates {
            session.add_candidate(&candidate).await;
        }
        Ok((session, sdp::with_candidates(&answer, &shared.candidates.addresses())))
    }

    async fn negotiate(&mut self, offer: String, opener: Opener) -> webrtc::error::Result<String> {
        if let Opener::Server(reliability) = opener {
            // Before the offer is taken in, so that it opens with the transport. Opening it here rather than
            // in the page is what keeps it alive under loss, see `stall`.
            let channel =
                self.connection.create_data_channel(FRAMES, Some(init(reliability))).await?;
            self.frames = Some(channel);
        }
        self.connection.set_remote_description(RTCSessionDescription::offer(offer)?).await?;
        let answer = self.connection.create_answer(None).await?;
        let sdp = answer.sdp.clone();
        self.connection.set_local_description(answer).await?;
        Ok(sdp)
    }

    /// Tries another address of the page, `candidate:…`. Ones that cannot be used, and more than
    /// [`sdp::MAX_REMOTE_CANDIDATES`], are passed over: the page's own checks tell its address anyhow.
    pub async fn add_candidate(&mut self, candidate: &str) {
        if self.remote_candidates >= sdp::MAX_REMOTE_CANDIDATES || !sdp::is_usable(candidate) {
            return;
        }
        self.remote_candidates += 1;
        let init = RTCIceCandidateInit {
            candidate: candidate.to_owned(),
            ..RTCIceCandidateInit::default()
        };
        if let Err(error) = self.connection.add_ice_candidate(init).await {
            tracing::debug!(%error, candidate, "passed over a remote candidate");
        }
    }

    /// What happens next. Cancel safe: a dropped call loses nothing. After [`Event::Ended`] it never returns.
    pub async fn next(&mut self) -> Event {
        if self.ended {
            return std::future::pending().await;
        }
        loop {
            let page = self.page.as_ref().map(|page| &page.channel);
            let event = tokio::select! {
                event = poll(self.frames.as_ref()) => self.on_frames(event),
                event = poll(page) => self.on_page(event),
                Some(channel) = self.offered.recv() => {
                    self.take_page_channel(channel);
                    None
                }
                Ok(()) = self.state.changed() => self.on_state(),
                Ok(()) = self.stopped.changed() => Some(Event::Ended(End::Closed)),
                _ = self.tick.tick() => self.on_tick().await,
            };
            if let Some(event) = event {
                self.ended = matches!(event, Event::Ended(_));
                return event;
            }
        }
    }

    fn on_frames(&mut self, event: Option<DataChannelEvent>) -> Option<Event> {
        match event {
            Some(DataChannelEvent::OnOpen) => {
                self.opened();
                Some(Event::Opened)
            }
            Some(DataChannelEvent::OnMessage(message)) => {
                // Unordered: a message can overtake the acknowledgement that opens the channel.
                self.opened();
                message_event(message.is_string, message.data)
            }
            Some(DataChannelEvent::OnClose) | None => {
                self.frames = None;
                Some(Event::Ended(End::Closed))
            }
            Some(_) => None,
        }
    }

    fn on_page(&mut self, event: Option<DataChannelEvent>) -> Option<Event> {
        match event {
            Some(DataChannelEvent::OnOpen) => {
                self.opened();
                Some(Event::Opened)
            }
            Some(DataChannelEvent::OnMessage(message)) => {
                if let Some(page) = &mut self.page {
                    page.stall.message(Instant::now());
                }
                message_event(message.is_string, message.data)
            }
            Some(DataChannelEvent::OnClose) | None => {
                self.page = None;
                Some(Event::ChannelClosed { stalled: false })
            }
            Some(_) => None,
        }
    }

    fn take_page_channel(&mut self, channel: Arc<dyn DataChannel>) {
        if self.page.is_some() {
            close_later(channel);
            return;
        }
        self.page = Some(PageChannel { channel, stall: StallWatch::new(Instant::now()) });
    }

    fn opened(&mut self) {
        if self.opening {
            self.opening = false;
            self.tick = tokio::time::interval(STALL_CHECK);
            self.tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
    }

    fn on_state(&mut self) -> Option<Event> {
        match *self.state.borrow_and_update() {
            RTCPeerConnectionState::Failed => Some(Event::Ended(End::Lost)),
            RTCPeerConnectionState::Closed => Some(Event::Ended(End::Closed)),
            _ => None,
        }
    }

    async fn on_tick(&mut self) -> Option<Event> {
        if self.opening {
            if self.answered.elapsed() >= OPEN_TIMEOUT {
                return Some(Event::Ended(End::NotOpened));
            }
            if let (Some(frames), true) = (&self.frames, self.registration.peer.is_proven()) {
                // Changes nothing; it wakes the connection's task, which then sends what it has.
                let _ = frames.set_buffered_amount_low_threshold(0).await;
            }
            return None;
        }
        let packets = self.registration.peer.data_packets();
        let page = self.page.as_mut()?;
        if !page.stall.is_stalled(packets, Instant::now()) {
            return None;
        }
        tracing::info!("closing a stalled data channel that the page had opened");
        let page = self.page.take()?;
        close_later(page.channel);
        Some(Event::ChannelClosed { stalled: true })
    }

    /// Ends the connection and lets the page know.
    pub async fn close(self) {
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.connection.close()).await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.runtime.abort();
    }
}

/// Closing takes the connection's lock, which the caller must not wait for; the channel is kept until then.
fn close_later(channel: Arc<dyn DataChannel>) {
    tokio::spawn(async move {
        let closed = tokio::time::timeout(CLOSE_TIMEOUT, channel.close()).await;
        tracing::debug!(?closed, "closed a data channel");
    });
}

async fn poll(channel: Option<&Arc<dyn DataChannel>>) -> Option<DataChannelEvent> {
    match channel {
        Some(channel) => channel.poll().await,
        None => std::future::pending().await,
    }
}

fn message_event(is_string: bool, data: BytesMut) -> Option<Event> {
    if !is_string {
        return Some(Event::Binary(data.freeze()));
    }
    // Browsers send valid UTF-8 only; anything else is nobody's message.
    String::from_utf8(data.to_vec()).ok().map(Event::Text)
}

fn init(reliability: Reliability) -> RTCDataChannelInit {
    let (lifetime, retransmits) = match reliability {
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

fn settings(ufrag: String, password: String) -> SettingEngine {
    SettingEngineBuilder::new()
        .with_ice_credentials(ufrag, password)
        .with_ice_timeouts(Some(ICE_DISCONNECTED), Some(ICE_FAILED), Some(ICE_KEEPALIVE))
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        // The browser starts the handshake as soon as it has a path: 410 → 126 ms to the open channel.
        .with_answering_dtls_role(RTCDtlsRole::Server)
        // Announces 262,144 bytes; with the default of 65,536 a browser's `send()` throws above that.
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
