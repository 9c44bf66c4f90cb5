//! The keys, their fields, and the script that writes them: see `docs/redis.md`.

use base64::{Engine, engine::general_purpose::STANDARD};
use redis::Cmd;

use super::Format;
use crate::relay::{CameraId, Frame};

/// The set of the ids of all clients.
pub(super) const CLIENTS: &str = "clients";

/// The hash of one client. The id may be another server's, so it is any bytes.
pub(super) fn client(id: &[u8]) -> Vec<u8> {
    [b"client:", id].concat()
}

/// The hash of one client's newest frame.
pub(super) fn image(id: &CameraId) -> String {
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

/// Writes all that a flush carries, in one command and so at once: a reader never sees half of a
/// picture, and a connection that breaks cannot leave one behind that never expires.
///
/// `KEYS`: [`CLIENTS`], then one key an operation, clients before frames. `ARGV`: the number of
/// clients, milliseconds until a picture expires, then four values an operation, see
/// [`client_values`] and [`frame_values`]. Answers with one text an operation: empty, or why Redis
/// refused it; the others are written all the same. Uses nothing that Redis 4 does not have.
pub(super) const SCRIPT: &str = "\
local function refusal(...)
  local answer = redis.pcall(...)
  return type(answer) == 'table' and answer.err or nil
end
local answers, clients = {}, tonumber(ARGV[1])
for n = 1, #KEYS - 1 do
  local key, at, why = KEYS[n + 1], 4 * n - 1, nil
  if n <= clients then
    why = refusal('SADD', KEYS[1], ARGV[at])
    why = refusal('HSET', key, 'connected_at', ARGV[at + 1], 'last_seen', ARGV[at + 2],
      'status', ARGV[at + 3]) or why
  else
    why = refusal('HSET', key, 'data', ARGV[at], 'size', ARGV[at + 1], 'format', 'jpeg',
      'timestamp', ARGV[at + 2], 'frame_number', ARGV[at + 3]) or
      refusal('PEXPIRE', key, ARGV[2])
  end
  answers[n] = why or ''
end
return answers";

/// Values of one operation of [`SCRIPT`].
pub(super) const VALUES: usize = 4;

pub(super) fn client_values(cmd: &mut Cmd, id: &CameraId, is: &Client) {
    cmd.arg(id.as_str()).arg(is.connected_at_ms).arg(is.last_seen_ms).arg(is.status.name());
}

/// `scratch` is room for the encoded picture, to be used again for the next.
pub(super) fn frame_values(cmd: &mut Cmd, frame: &Frame, format: Format, scratch: &mut String) {
    let jpeg = frame.jpeg();
    match format {
        Format::Raw => cmd.arg(&jpeg[..]),
        Format::Base64 => {
            scratch.clear();
            STANDARD.encode_string(&jpeg, scratch);
            cmd.arg(scratch.as_str())
        }
    };
    cmd.arg(jpeg.len()).arg(frame.received_us / 1000).arg(frame.seq);
}
