//! One publisher's WebRTC connection: from its offer to the messages on its data channels.
//!
//! Knows nothing of cameras or frames: it yields [`Event`]s, which the caller must take at once,
//! for the connection holds at most 256 of them. Signaling, the relay and what a message means are
//! elsewhere.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use tokio::time::{Interval, MissedTickBehavior};
use webrtc::{
    data_channel::{DataChannel, DataChannelEvent},
    peer_connection::{RTCIceCandidateInit, RTCPeerConnectionState, RTCSessionDescription},
};

use super::{Full, Reliability, stall::StallWatch};
use crate::net::webrtc::{
    CLOSE_TIMEOUT, Connection, OpenError, Patience, Port, Purpose, close_later, sdp,
};

/// The label of the channel that the server opens.
pub const FRAMES: &str = "frames";

/// A connection whose channel is not open this long after the answer has failed. Chromium itself
/// gives up after 15 s.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(15);

/// A publisher that vanished is noticed in about 4 s (30 s by default).
const PATIENCE: Patience = Patience {
    disconnected: Duration::from_millis(1500),
    failed: Duration::from_secs(3),
    keepalive: Duration::from_millis(500),
};

/// Distance of the pokes while the channel opens. The crate's task leaves handshake packets lying
/// until its next timer unless something wakes it; with a poke the opening takes a quarter of the
/// time.
const POKE: Duration = Duration::from_millis(5);

/// How often a channel that the page opened is looked at for a stall.
const STALL_CHECK: Duration = Duration::from_millis(250);

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
    #[error(transparent)]
    Full(#[from] Full),
}

impl From<OpenError> for AnswerError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Full(full) => Self::Full(full),
            OpenError::Crate(error) => Self::Offer(error),
        }
    }
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
    /// The page's own channel is closed: by the page, or from here because it had stalled. The
    /// connection lives.
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

/// One connection. Dropping it ends it and frees its place on the port; [`Session::close`] also
/// says goodbye.
pub struct Session {
    connection: Connection,
    frames: Option<Arc<dyn DataChannel>>,
    page: Option<PageChannel>,
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
        let (offer, candidates) = sdp::prepare_offer(offer);
        if !offer.lines().any(|line| line.starts_with("m=application")) {
            return Err(AnswerError::NoDataChannel);
        }
        let connection =
            Connection::open(port, Purpose { patience: PATIENCE, media: None }).await?;
        let mut tick = tokio::time::interval(POKE);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut session = Self {
            connection,
            frames: None,
            page: None,
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
        Ok((session, sdp::with_candidates(&answer, &port.reached_at())))
    }

    async fn negotiate(&mut self, offer: String, opener: Opener) -> webrtc::error::Result<String> {
        if let Opener::Server(reliability) = opener {
            // Before the offer is taken in, so that it opens with the transport. Opening it here
            // rather than in the page is what keeps it alive under loss, see `stall`.
            let channel =
                self.connection.peer.create_data_channel(FRAMES, Some(reliability.init())).await?;
            self.frames = Some(channel);
        }
        self.connection.peer.set_remote_description(RTCSessionDescription::offer(offer)?).await?;
        let answer = self.connection.peer.create_answer(None).await?;
        let sdp = answer.sdp.clone();
        self.connection.peer.set_local_description(answer).await?;
        Ok(sdp)
    }

    /// Tries another address of the page, `candidate:…`. Ones that cannot be used, and more than
    /// [`sdp::MAX_REMOTE_CANDIDATES`], are passed over: the page's own checks tell its address
    /// anyhow.
    pub async fn add_candidate(&mut self, candidate: &str) {
        if self.remote_candidates >= sdp::MAX_REMOTE_CANDIDATES || !sdp::is_usable(candidate) {
            return;
        }
        self.remote_candidates += 1;
        let init = RTCIceCandidateInit {
            candidate: candidate.to_owned(),
            ..RTCIceCandidateInit::default()
        };
        if let Err(error) = self.connection.peer.add_ice_candidate(init).await {
            tracing::debug!(%error, candidate, "passed over a remote candidate");
        }
    }

    /// What happens next. Cancel safe: a dropped call loses nothing. After [`Event::Ended`] it
    /// never returns.
    pub async fn next(&mut self) -> Event {
        if self.ended {
            return std::future::pending().await;
        }
        loop {
            let page = self.page.as_ref().map(|page| &page.channel);
            let event = tokio::select! {
                event = poll(self.frames.as_ref()) => self.on_frames(event),
                event = poll(page) => self.on_page(event),
                Some(channel) = self.connection.offered.recv() => {
                    self.take_page_channel(channel);
                    None
                }
                Ok(()) = self.connection.state.changed() => self.on_state(),
                Ok(()) = self.connection.stopped.changed() => Some(Event::Ended(End::Closed)),
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
        match *self.connection.state.borrow_and_update() {
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
            if let (Some(frames), true) = (&self.frames, self.connection.is_proven()) {
                // Changes nothing; it wakes the connection's task, which then sends what it has.
                let _ = frames.set_buffered_amount_low_threshold(0).await;
            }
            return None;
        }
        let packets = self.connection.data_packets();
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
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.connection.peer.close()).await;
    }
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
