//! Cameras over WebRTC: the server's own crate as the client, all of them in one thread.
//!
//! A camera signals as `docs/protocol.md` says, takes the channel that the server opens, and sends a
//! stamped picture as one part at its own time of the period.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use bytes::BytesMut;
use framecast::wire::fragment::{HEADER_LEN, PartHeader};
use futures_util::{SinkExt as _, StreamExt as _};
use rtc::{
    ice::mdns::MulticastDnsMode, peer_connection::configuration::setting_engine::SctpMaxMessageSize,
};
use tokio::{
    net::TcpStream,
    time::{Instant, MissedTickBehavior, timeout},
};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};
use webrtc::{
    data_channel::{DataChannel, DataChannelEvent, RTCDataChannelInit},
    peer_connection::{
        PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCSessionDescription,
        SettingEngineBuilder,
    },
};

use crate::{frame, sys};

/// Cameras that connect at a time; a handshake costs both sides some milliseconds.
const CONNECTING: usize = 4;
const PATIENCE: Duration = Duration::from_secs(20);

/// Running senders; they end when this is dropped.
#[derive(Debug)]
pub struct Senders {
    sent: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Senders {
    /// Connects all `cameras`, and then sends each `fps` pictures of `len` bytes a second.
    pub fn start(addr: SocketAddr, cameras: &[String], len: usize, fps: f64) -> io::Result<Self> {
        let (sent, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (ready_tx, ready) = mpsc::channel();
        let cameras = cameras.to_vec();
        let thread = thread::Builder::new().name("senders".into()).spawn({
            let (sent, stop) = (sent.clone(), stop.clone());
            move || {
                let run = || -> io::Result<()> {
                    sys::pin(sys::LOAD_CORE)?;
                    let runtime =
                        tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                    runtime.block_on(async {
                        let cameras = connect_all(addr, cameras).await?;
                        let _ = ready_tx.send(Ok(()));
                        send(cameras, len, fps, &sent, &stop).await;
                        Ok(())
                    })
                };
                if let Err(error) = run() {
                    let _ = ready_tx.send(Err(error));
                }
            }
        })?;
        let started = Self { sent, stop, thread: Some(thread) };
        ready.recv().map_err(|_| io::Error::other("the senders ended early"))??;
        Ok(started)
    }

    /// Frames sent since the start, of all cameras.
    pub fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }
}

impl Drop for Senders {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Camera {
    channel: Arc<dyn DataChannel>,
    // Kept for as long as the camera sends.
    _peer: Box<dyn PeerConnection>,
    _unused: Arc<dyn DataChannel>,
    signal: WebSocketStream<TcpStream>,
}

struct Handler(tokio::sync::mpsc::Sender<Arc<dyn DataChannel>>);

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        let _ = self.0.try_send(channel);
    }
}

async fn connect_all(addr: SocketAddr, cameras: Vec<String>) -> io::Result<Vec<Camera>> {
    let connecting = cameras.into_iter().map(|camera| async move {
        let connected = timeout(PATIENCE, connect(addr, &camera)).await;
        connected.map_err(|_| io::Error::other(format!("{camera} does not connect")))?
    });
    let connecting = futures_util::stream::iter(connecting).buffered(CONNECTING);
    connecting.collect::<Vec<_>>().await.into_iter().collect()
}

async fn connect(addr: SocketAddr, camera: &str) -> io::Result<Camera> {
    let other = |error: &dyn std::fmt::Display| io::Error::other(format!("{camera}: {error}"));
    let settings = SettingEngineBuilder::new()
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_sctp_max_message_size(SctpMaxMessageSize::Unbounded)
        .build();
    let (offered_tx, mut offered) = tokio::sync::mpsc::channel(1);
    let peer = PeerConnectionBuilder::new()
        .with_setting_engine(settings)
        .with_handler(Arc::new(Handler(offered_tx)))
        .with_udp_addrs(vec!["127.0.0.1:0"])
        .build()
        .await
        .map_err(|error| other(&error))?;
    // Only so that the offer has a section for channels.
    let unused = RTCDataChannelInit { negotiated: Some(1000), ..RTCDataChannelInit::default() };
    let unused = peer.create_data_channel("unused", Some(unused)).await;
    let unused = unused.map_err(|error| other(&error))?;
    let offer = peer.create_offer(None).await.map_err(|error| other(&error))?;
    let text = serde_json::json!({"type": "offer", "camera": camera, "sdp": offer.sdp}).to_string();
    peer.set_local_description(offer).await.map_err(|error| other(&error))?;

    let socket = TcpStream::connect(addr).await?;
    let url = format!("ws://{addr}/signal");
    let signal = tokio_tungstenite::client_async(url, socket).await;
    let (mut signal, _) = signal.map_err(|error| other(&error))?;
    signal.send(Message::text(text)).await.map_err(|error| other(&error))?;
    let answer = loop {
        let message = signal.next().await.ok_or_else(|| other(&"the server hung up"))?;
        let message = message.map_err(|error| other(&error))?;
        let message: serde_json::Value = serde_json::from_slice(&message.into_data())?;
        match message["type"].as_str() {
            Some("answer") => break message["sdp"].as_str().unwrap_or_default().to_owned(),
            Some("error") => return Err(other(&message)),
            _ => {}
        }
    };
    let answer = RTCSessionDescription::answer(answer).map_err(|error| other(&error))?;
    peer.set_remote_description(answer).await.map_err(|error| other(&error))?;
    let channel = offered.recv().await.ok_or_else(|| other(&"no channel"))?;
    loop {
        match channel.poll().await {
            Some(DataChannelEvent::OnOpen) => break,
            Some(_) => {}
            None => return Err(other(&"the channel closed")),
        }
    }
    Ok(Camera { channel, _peer: Box::new(peer), _unused: unused, signal })
}

async fn send(cameras: Vec<Camera>, len: usize, fps: f64, sent: &AtomicU64, stop: &AtomicBool) {
    let period = Duration::from_secs_f64(1.0 / fps);
    let (start, count) = (Instant::now() + period, cameras.len() as u32);
    let jpeg = frame::jpeg(len);
    let turns = cameras.into_iter().enumerate().map(|(index, mut camera)| {
        let mut message = BytesMut::zeroed(HEADER_LEN);
        message.extend_from_slice(&jpeg);
        async move {
            let mut times = tokio::time::interval_at(start + period * index as u32 / count, period);
            times.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for seq in 1.. {
                tokio::select! {
                    biased;
                    _ = times.tick() => {}
                    // What the server says is of no use here, but must not stand in its way.
                    Some(_) = camera.signal.next() => continue,
                }
                if stop.load(Relaxed) {
                    break;
                }
                let (part, parts) = (0, 1);
                let header = PartHeader { part, parts, frame_len: len as u32, seq, captured_us: 0 };
                message[..HEADER_LEN].copy_from_slice(&header.write());
                frame::stamp(&mut message[HEADER_LEN..]);
                // A camera that breaks shows as frames that do not arrive.
                if camera.channel.send(message.clone()).await.is_err() {
                    break;
                }
                sent.fetch_add(1, Relaxed);
            }
        }
    });
    futures_util::future::join_all(turns).await;
}
