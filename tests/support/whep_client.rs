//! A WHEP viewer made of the `webrtc` crate, for tests.

#![allow(dead_code, reason = "each test file uses its part")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rtc::{
    ice::mdns::MulticastDnsMode,
    peer_connection::configuration::{
        interceptor_registry::register_default_interceptors,
        media_engine::{MIME_TYPE_H264, MediaEngine},
    },
    rtp::Packet,
    rtp_transceiver::{
        RTCRtpTransceiverDirection, RTCRtpTransceiverInit,
        rtp_sender::{RTCRtpCodec, RTCRtpCodecParameters, RtpCodecKind},
    },
};
use tokio::sync::mpsc;
use webrtc::{
    media_stream::track_remote::{TrackRemote, TrackRemoteEvent},
    peer_connection::{
        PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCSessionDescription,
        Registry, SettingEngineBuilder,
    },
};

/// The format that the client asks for.
pub const FMTP: &str = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";

pub struct Client {
    pc: Arc<dyn PeerConnection>,
    tracks: mpsc::Receiver<Arc<dyn TrackRemote>>,
    pub offer: String,
}

struct Handler(mpsc::Sender<Arc<dyn TrackRemote>>);

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let _ = self.0.try_send(track);
    }
}

impl Client {
    pub async fn new() -> Self {
        let mut codecs = MediaEngine::default();
        let codec = RTCRtpCodec {
            mime_type: MIME_TYPE_H264.to_owned(),
            clock_rate: 90_000,
            channels: 0,
            sdp_fmtp_line: FMTP.to_owned(),
            rtcp_feedback: vec![],
        };
        let parameters = RTCRtpCodecParameters { rtp_codec: codec, payload_type: 102 };
        codecs.register_codec(parameters, RtpCodecKind::Video).unwrap();
        let registry = register_default_interceptors(Registry::new(), &mut codecs).unwrap();
        let (tracks_tx, tracks) = mpsc::channel(4);
        let settings =
            SettingEngineBuilder::new().with_multicast_dns_mode(MulticastDnsMode::Disabled).build();
        let pc = PeerConnectionBuilder::new()
            .with_setting_engine(settings)
            .with_media_engine(codecs)
            .with_interceptor_registry(registry)
            .with_handler(Arc::new(Handler(tracks_tx)))
            .with_udp_addrs(vec!["127.0.0.1:0"])
            .build()
            .await
            .unwrap();
        let init = RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Recvonly,
            ..Default::default()
        };
        pc.add_transceiver_from_kind(RtpCodecKind::Video, Some(init)).await.unwrap();
        let offer = pc.create_offer(None).await.unwrap();
        let sdp = offer.sdp.clone();
        pc.set_local_description(offer).await.unwrap();
        Self { pc: Arc::new(pc), tracks, offer: sdp }
    }

    /// Sends the offer.
    pub async fn post(&self, view: SocketAddr, camera: &str) -> reqwest::Response {
        post(view, camera, &self.offer).await
    }

    /// Takes the answer and waits for the track.
    pub async fn connect(&mut self, answer: &str) -> Arc<dyn TrackRemote> {
        let answer = RTCSessionDescription::answer(answer.to_owned()).unwrap();
        self.pc.set_remote_description(answer).await.unwrap();
        let track = tokio::time::timeout(Duration::from_secs(10), self.tracks.recv()).await;
        track.expect("a track within 10 s").unwrap()
    }

    pub async fn close(self) {
        let _ = self.pc.close().await;
    }
}

pub async fn post(view: SocketAddr, camera: &str, offer: &str) -> reqwest::Response {
    let url = format!("http://{view}/whep/{camera}");
    crate::common::post(&url, "application/sdp", offer.to_owned()).await
}

/// The next packet of the track.
pub async fn packet(track: &Arc<dyn TrackRemote>) -> Packet {
    let next = async {
        loop {
            match track.poll().await {
                Some(TrackRemoteEvent::OnRtpPacket(packet)) => return packet,
                Some(_) => {}
                None => panic!("the track ended"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), next).await.expect("a packet within 5 s")
}
