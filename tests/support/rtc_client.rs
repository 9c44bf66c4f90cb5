//! A publisher made of the `webrtc` crate, for tests: it offers, takes the channel that the server
//! opens (or opens one itself, as legacy pages do), and sends.

use std::sync::Arc;
use std::time::Duration;

use rtc::ice::mdns::MulticastDnsMode;
use rtc::peer_connection::configuration::setting_engine::SctpMaxMessageSize;
use tokio::sync::mpsc;
use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelInit};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCSessionDescription,
    SettingEngineBuilder,
};

/// What the client does about the channel.
#[allow(dead_code)]
pub enum Channel {
    /// Waits for the server's `frames`.
    FromServer,
    /// Opens its own.
    Own(RTCDataChannelInit),
}

/// See the module's header.
pub struct Client {
    pc: Arc<dyn PeerConnection>,
    own: Option<Arc<dyn DataChannel>>,
    // Kept, or the channel would be unregistered.
    _unused: Option<Arc<dyn DataChannel>>,
    offered: mpsc::Receiver<Arc<dyn DataChannel>>,
}

struct Handler(mpsc::Sender<Arc<dyn DataChannel>>);

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        let _ = self.0.try_send(channel);
    }
}

impl Client {
    /// Makes the offer. The client's socket is on `host`, for instance `127.0.0.1:0`.
    pub async fn offer(channel: Channel, host: &'static str) -> (Self, String) {
        let (tx, offered) = mpsc::channel(4);
        let pc = PeerConnectionBuilder::new()
            .with_setting_engine(
                SettingEngineBuilder::new()
                    .with_multicast_dns_mode(MulticastDnsMode::Disabled)
                    // Without it this side refuses to send what the server takes.
                    .with_sctp_max_message_size(SctpMaxMessageSize::Unbounded)
                    .build(),
            )
            .with_handler(Arc::new(Handler(tx)))
            .with_udp_addrs(vec![host])
            .build()
            .await
            .expect("a client connection");
        let (own, unused) = match channel {
            Channel::Own(init) => {
                let own = pc.create_data_channel("frames", Some(init)).await.expect("a channel");
                (Some(own), None)
            }
            Channel::FromServer => {
                let init =
                    RTCDataChannelInit { negotiated: Some(1000), ..RTCDataChannelInit::default() };
                let unused = pc.create_data_channel("unused", Some(init)).await.expect("a channel");
                (None, Some(unused))
            }
        };
        let offer = pc.create_offer(None).await.expect("an offer");
        let sdp = offer.sdp.clone();
        pc.set_local_description(offer).await.expect("local description");
        let client = Self { pc: Arc::new(pc), own, _unused: unused, offered };
        (client, sdp)
    }

    /// Takes the answer and waits for the open channel.
    pub async fn connect(&mut self, answer: &str) -> Arc<dyn DataChannel> {
        let answer = RTCSessionDescription::answer(answer.to_owned()).expect("an answer");
        self.pc.set_remote_description(answer).await.expect("remote description");
        // The crate's task sleeps through its own opening; see the server's `POKE`.
        let channel = match self.own.clone() {
            Some(own) => own,
            None => tokio::time::timeout(Duration::from_secs(10), self.offered.recv())
                .await
                .expect("the server opens a channel")
                .expect("the connection lives"),
        };
        loop {
            let event = tokio::time::timeout(Duration::from_secs(10), channel.poll()).await;
            match event.expect("an event") {
                Some(DataChannelEvent::OnOpen) => return channel,
                Some(_) => {}
                None => panic!("the channel ended before it was open"),
            }
        }
    }

    /// Ends the connection as a page that closes it.
    #[allow(dead_code)]
    pub async fn close(self) {
        let _ = self.pc.close().await;
    }
}
