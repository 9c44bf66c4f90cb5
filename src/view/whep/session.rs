//! One viewer's connection: answered, then fed with the camera's units until one side has enough.
//!
//! Belongs here: the peer connection, and what is sent when. Does not: HTTP, how units become payloads
//! and times.
//!
//! Nothing waits for a slow viewer: a packet that the network does not take is gone, and is sent again
//! only if the viewer asks for it soon. If this task itself does not keep up, the relay hands it the
//! newest key frame next.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use rtc::{
    interceptor::{NackResponderBuilder, Registry, SenderReportBuilder, Slot},
    media_stream::MediaStreamTrack,
    peer_connection::configuration::media_engine::{MIME_TYPE_H264, MediaEngine},
    rtp::{Packet, header::Header},
    rtp_transceiver::rtp_sender::{
        RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters,
        RTCRtpEncodingParameters, RtpCodecKind,
    },
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use webrtc::{
    media_stream::track_local::{TrackLocal, static_rtp::TrackLocalStaticRTP},
    peer_connection::{RTCIceCandidateInit, RTCPeerConnectionState, RTCSessionDescription},
};

use super::{CodecChoice, packets, timeline::Timeline};
use crate::{
    net::webrtc::{CLOSE_TIMEOUT, Connection, OpenError, Patience, Port, Purpose, sdp},
    relay::{Camera, Codec, Seat, Unit, VideoConsumer},
};

/// A viewer that vanished is let go in 20 s; one that changes networks gets that long to be heard again.
const PATIENCE: Patience = Patience {
    disconnected: Duration::from_secs(5),
    failed: Duration::from_secs(15),
    keepalive: Duration::from_secs(2),
};

/// Longest wait from the answer to the first packet. Browsers give up after 15 s.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// From the connection to the first packet. What comes right behind the handshake is lost on viewers that
/// set up their keys a moment later, and with it the key frame that the rest depends on.
const SETTLE: Duration = Duration::from_millis(20);

/// Packets kept for viewers that ask for one again: 1.2 s at 8 Mbit/s, 1.2 MB. A power of two.
const RESEND_PACKETS: u16 = 1024;

/// Packets that go out at once, and the pause behind them: 300 Mbit/s. A browser's receive buffer holds
/// about 100, and a key frame can have more.
const BURST: usize = 32;
const BREATH: Duration = Duration::from_millis(1);

/// What its resource is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Further addresses of the viewer, `candidate:…`.
    Candidates(Vec<String>),
    /// The viewer leaves.
    Close,
}

/// Why a session is over, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum End {
    #[error("the viewer left")]
    Left,
    #[error("the viewer is gone")]
    Lost,
    #[error("no connection came about; is the server's UDP port reachable from the viewer?")]
    NotConnected,
    #[error("the camera is no longer there")]
    CameraGone,
    #[error("the camera's video is no longer what browsers play over WebRTC")]
    Unplayable,
    #[error("the server shuts down")]
    Draining,
}

/// A connection that was answered.
#[derive(Debug)]
pub(super) struct Session {
    connection: Connection,
    outlet: Outlet,
    candidates: usize,
}

impl Session {
    /// Answers an offer. The second value is the answer, with the candidates of the port in it.
    pub(super) async fn answer(
        port: &Port,
        offer: &str,
        choice: &CodecChoice,
    ) -> Result<(Self, String), OpenError> {
        let codec = RTCRtpCodec {
            mime_type: MIME_TYPE_H264.to_owned(),
            clock_rate: 90_000,
            channels: 0,
            sdp_fmtp_line: choice.fmtp.clone(),
            // A camera cannot be asked for a key frame from here; browsers that are not offered to ask
            // for one behave worse than those whose wish is not heard.
            rtcp_feedback: vec![feedback(""), feedback("pli")],
        };
        let mut codecs = MediaEngine::default();
        let parameters =
            RTCRtpCodecParameters { rtp_codec: codec.clone(), payload_type: choice.payload_type };
        codecs.register_codec(parameters, RtpCodecKind::Video)?;
        let resend = NackResponderBuilder::new().with_size(RESEND_PACKETS).build();
        let interceptors = Registry::new()
            .with(Slot::NackResponder, resend)
            .with(Slot::SenderReport, SenderReportBuilder::new().build());
        let purpose = Purpose { patience: PATIENCE, media: Some((codecs, interceptors)) };
        let connection = Connection::open(port, purpose).await?;

        let (offer, candidates) = sdp::prepare_offer(offer);
        let ssrc = rand::random();
        let coding = RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters {
                ssrc: Some(ssrc),
                ..RTCRtpCodingParameters::default()
            },
            codec,
            ..RTCRtpEncodingParameters::default()
        };
        let track = Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new(
            "framecast".to_owned(),
            "video".to_owned(),
            "video".to_owned(),
            RtpCodecKind::Video,
            vec![coding],
        )));
        connection.peer.add_track(track.clone()).await?;
        connection.peer.set_remote_description(RTCSessionDescription::offer(offer)?).await?;
        let answer = connection.peer.create_answer(None).await?;
        let answered = sdp::with_candidates(&answer.sdp, &port.reached_at());
        connection.peer.set_local_description(answer).await?;
        let outlet = Outlet {
            track,
            ssrc,
            payload_type: choice.payload_type,
            sequence: rand::random(),
            timeline: Timeline::new(rand::random(), Instant::now()),
        };
        let mut session = Self { connection, outlet, candidates: 0 };
        session.add_candidates(candidates).await;
        Ok((session, answered))
    }

    /// Feeds the viewer until the end. `waiting` is what keeps the camera's video wanted until then.
    pub(super) async fn run(
        mut self,
        camera: Arc<Camera>,
        waiting: VideoConsumer,
        // Before the seat, as what comes first goes last: whoever waits for its end finds the seat free.
        mut commands: mpsc::Receiver<Command>,
        _seat: Seat,
        shutdown: CancellationToken,
    ) -> End {
        let live = async {
            if let Some(end) = self.connected(&mut commands).await {
                return end;
            }
            tokio::time::sleep(SETTLE).await;
            // With the newest key frame as of now, not of when the viewer asked.
            let mut units = camera.watch_video();
            drop(waiting);
            self.feed(&mut units, &mut commands).await
        };
        let end = tokio::select! {
            end = live => end,
            () = shutdown.cancelled() => End::Draining,
        };
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.connection.peer.close()).await;
        end
    }

    async fn connected(&mut self, commands: &mut mpsc::Receiver<Command>) -> Option<End> {
        let deadline = tokio::time::Instant::now() + CONNECT_TIMEOUT;
        loop {
            let end = tokio::select! {
                Some(command) = commands.recv() => self.obey(command).await,
                end = state(&mut self.connection) => match end {
                    None => return None,
                    end => end,
                },
                () = tokio::time::sleep_until(deadline) => Some(End::NotConnected),
            };
            if end.is_some() {
                return end;
            }
        }
    }

    async fn feed(
        &mut self,
        units: &mut VideoConsumer,
        commands: &mut mpsc::Receiver<Command>,
    ) -> End {
        loop {
            let end = tokio::select! {
                next = units.next() => {
                    let Some(next) = next else { return End::CameraGone };
                    let mut batch = vec![next.unit];
                    while let Some(Some(next)) = units.next().now_or_never() {
                        batch.push(next.unit);
                    }
                    batch.retain(|unit| unit.is_video());
                    if units.reorders() {
                        return End::Unplayable;
                    }
                    self.outlet.send(&batch).await
                }
                end = ended(&mut self.connection) => Some(end),
                Some(command) = commands.recv() => self.obey(command).await,
            };
            if let Some(end) = end {
                return end;
            }
        }
    }

    async fn obey(&mut self, command: Command) -> Option<End> {
        match command {
            Command::Close => Some(End::Left),
            Command::Candidates(candidates) => {
                self.add_candidates(candidates).await;
                None
            }
        }
    }

    /// Tries further addresses of the viewer; those that cannot be used, and too many, are passed over,
    /// as its own checks tell its address anyhow.
    async fn add_candidates(&mut self, candidates: Vec<String>) {
        for candidate in candidates {
            if self.candidates >= sdp::MAX_REMOTE_CANDIDATES || !sdp::is_usable(&candidate) {
                continue;
            }
            self.candidates += 1;
            let init = RTCIceCandidateInit { candidate, ..RTCIceCandidateInit::default() };
            if let Err(error) = self.connection.peer.add_ice_candidate(init).await {
                tracing::debug!(%error, "passed over a viewer's candidate");
            }
        }
    }
}

fn feedback(parameter: &str) -> RTCPFeedback {
    RTCPFeedback { typ: "nack".to_owned(), parameter: parameter.to_owned() }
}

/// Waits until it is connected (`None`) or cannot be any more.
async fn state(connection: &mut Connection) -> Option<End> {
    loop {
        match *connection.state.borrow_and_update() {
            RTCPeerConnectionState::Connected => return None,
            RTCPeerConnectionState::Failed => return Some(End::NotConnected),
            RTCPeerConnectionState::Closed => return Some(End::Left),
            _ => {}
        }
        tokio::select! {
            Ok(()) = connection.state.changed() => {}
            Ok(()) = connection.stopped.changed() => return Some(End::Lost),
            else => return Some(End::Lost),
        }
    }
}

/// Waits until a connection that was there is gone.
async fn ended(connection: &mut Connection) -> End {
    loop {
        match *connection.state.borrow_and_update() {
            RTCPeerConnectionState::Failed => return End::Lost,
            RTCPeerConnectionState::Closed => return End::Left,
            _ => {}
        }
        tokio::select! {
            Ok(()) = connection.state.changed() => {}
            Ok(()) = connection.stopped.changed() => return End::Lost,
            else => return End::Lost,
        }
    }
}

/// Where packets go out.
struct Outlet {
    track: Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    payload_type: u8,
    sequence: u16,
    timeline: Timeline,
}

impl std::fmt::Debug for Outlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outlet").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

impl Outlet {
    /// Sends pictures of which the last is the newest there is.
    async fn send(&mut self, units: &[Arc<Unit>]) -> Option<End> {
        let mut sent = 0;
        for (n, unit) in units.iter().enumerate() {
            let video = &unit.format.video;
            if video.codec != Codec::H264 {
                return Some(End::Unplayable);
            }
            let same = |other: &&Arc<Unit>| other.generation == unit.generation;
            let waiting = units[n + 1..].iter().filter(same).count();
            let timestamp = self.timeline.stamp(unit.generation, unit.pts, waiting, Instant::now());
            let sets =
                if unit.is_key() { packets::parameter_sets(&video.config) } else { Vec::new() };
            let mut payloads = packets::payloads(&sets, &unit.data).into_iter().peekable();
            while let Some(payload) = payloads.next() {
                if sent > 0 && sent % BURST == 0 {
                    tokio::time::sleep(BREATH).await;
                }
                sent += 1;
                let header = Header {
                    version: 2,
                    marker: payloads.peek().is_none(),
                    payload_type: self.payload_type,
                    sequence_number: self.sequence,
                    timestamp,
                    ssrc: self.ssrc,
                    ..Header::default()
                };
                self.sequence = self.sequence.wrapping_add(1);
                if let Err(error) = self.track.write_rtp(Packet { header, payload }).await {
                    tracing::debug!(%error, "cannot send to a viewer");
                    return Some(End::Lost);
                }
            }
        }
        None
    }
}
