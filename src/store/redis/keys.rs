//! The keys, their fields, and the commands that write them: see `docs/redis.md`.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use deadpool_redis::redis::Pipeline;

use super::Format;
use crate::relay::{CameraId, Frame};

/// The set of the ids of all clients.
pub(super) const CLIENTS: &str = "clients";

/// The hash of one client. The id may be another server's, so it is any bytes.
pub(super) fn client(id: &[u8]) -> Vec<u8> {
    [b"client:", id].concat()
}

/// The hash of one client's newest frame.
fn image(id: &CameraId) -> String {
    format!("image:{id}")
}

/// Whether a client's publisher is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Connected,
    Disconnected,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
        }
    }
}

/// All there is to write of one client. Always written as a whole, so that whatever was lost in
/// between, the newest one puts it right. Times are Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Client {
    pub connected_at_ms: u64,
    pub last_seen_ms: u64,
    pub status: Status,
}

/// Commands that [`write_client`] and [`write_frame`] add, each.
pub(super) const COMMANDS: usize = 2;

pub(super) fn write_client(pipe: &mut Pipeline, id: &CameraId, is: &Client) {
    pipe.cmd("SADD").arg(CLIENTS).arg(id.as_str());
    pipe.cmd("HSET")
        .arg(client(id.as_str().as_bytes()))
        .arg(&[("connected_at", is.connected_at_ms), ("last_seen", is.last_seen_ms)])
        .arg("status")
        .arg(is.status.name());
}

/// `scratch` is room for the encoded picture, to be used again for the next.
pub(super) fn write_frame(
    pipe: &mut Pipeline,
    id: &CameraId,
    frame: &Frame,
    format: Format,
    ttl: Duration,
    scratch: &mut String,
) {
    let (key, jpeg) = (image(id), frame.jpeg());
    let hset = pipe.cmd("HSET").arg(&key).arg("data");
    match format {
        Format::Raw => hset.arg(&jpeg[..]),
        Format::Base64 => {
            scratch.clear();
            STANDARD.encode_string(&jpeg, scratch);
            hset.arg(scratch.as_str())
        }
    };
    hset.arg("size").arg(jpeg.len()).arg("format").arg("jpeg");
    hset.arg("timestamp").arg(frame.received_us / 1000).arg("frame_number").arg(frame.seq);
    pipe.cmd("PEXPIRE").arg(&key).arg(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1));
}
