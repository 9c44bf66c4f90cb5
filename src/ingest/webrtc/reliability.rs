//! How the server's data channel treats loss, which the publisher may choose.

use webrtc::data_channel::RTCDataChannelInit;

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
