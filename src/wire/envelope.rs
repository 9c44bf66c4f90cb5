//! The header before a JPEG on its way to a viewer, and the WebSocket header before that.
//!
//! A frame is laid out once, as the very bytes of one unmasked WebSocket message: see
//! `docs/protocol.md`, *Streaming WebSocket*. Writing is here for the server, reading for clients
//! and tests.

use thiserror::Error;

/// First byte of every binary message of this protocol.
pub const VERSION: u8 = 1;
/// Second byte of a frame on its way to a viewer.
pub const KIND_FRAME: u8 = 1;
/// Bytes before the camera id.
pub const FIXED_LEN: usize = 33;
/// Longest header of an unmasked WebSocket frame (RFC 6455, 5.2: 2, 4 or 10 bytes).
pub const MAX_WEBSOCKET_HEADER: usize = 10;

/// The fields of a frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// The camera's frame number on this server.
    pub seq: u64,
    /// Unix microseconds on the server's clock; 0 if unknown.
    pub captured_us: u64,
    /// Unix microseconds on the server's clock.
    pub received_us: u64,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// At most 255 bytes; camera ids have at most 64.
    pub camera: &'a str,
}

/// Why a message is not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// The message ends inside the header.
    #[error("short")]
    Short,
    /// Not [`VERSION`].
    #[error("version")]
    Version,
    /// Not [`KIND_FRAME`].
    #[error("kind")]
    Kind,
    /// Not a camera id.
    #[error("camera")]
    Camera,
}

/// Longest camera id, in bytes.
pub const MAX_CAMERA_ID: usize = 64;

/// Whether a text is a camera id: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
pub fn is_camera_id(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    text.len() <= MAX_CAMERA_ID
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(inner)
}

/// Bytes to leave free before a JPEG so that [`write_before`] has room for both headers.
pub const fn headroom(camera_len: usize) -> usize {
    MAX_WEBSOCKET_HEADER + FIXED_LEN + camera_len
}

/// Writes both headers into the end of `room`, the bytes just before a JPEG of `jpeg_len` bytes,
/// and returns where each starts: (WebSocket header, envelope), as offsets into `room`.
///
/// `room` must be at least [`headroom`] long and the id at most 255 bytes; both are the caller's
/// own values, so a breach is a bug and panics.
pub fn write_before(room: &mut [u8], header: &Header<'_>, jpeg_len: usize) -> (usize, usize) {
    let id = header.camera.as_bytes();
    let envelope_at = room.len() - FIXED_LEN - id.len();
    let out = &mut room[envelope_at..];
    out[0] = VERSION;
    out[1] = KIND_FRAME;
    out[2..4].copy_from_slice(&0u16.to_le_bytes());
    out[4..12].copy_from_slice(&header.seq.to_le_bytes());
    out[12..20].copy_from_slice(&header.captured_us.to_le_bytes());
    out[20..28].copy_from_slice(&header.received_us.to_le_bytes());
    out[28..30].copy_from_slice(&header.width.to_le_bytes());
    out[30..32].copy_from_slice(&header.height.to_le_bytes());
    out[32] = u8::try_from(id.len()).expect("camera ids are at most 64 bytes");
    out[FIXED_LEN..].copy_from_slice(id);

    let (bytes, len) = websocket_header(Opcode::Binary, FIXED_LEN + id.len() + jpeg_len);
    let websocket_at = envelope_at - len;
    room[websocket_at..envelope_at].copy_from_slice(&bytes[..len]);
    (websocket_at, envelope_at)
}

/// Reads a frame message: the header and the JPEG.
pub fn read(message: &[u8]) -> Result<(Header<'_>, &[u8]), EnvelopeError> {
    let fixed: &[u8; FIXED_LEN] = message.first_chunk().ok_or(EnvelopeError::Short)?;
    if fixed[0] != VERSION {
        return Err(EnvelopeError::Version);
    }
    if fixed[1] != KIND_FRAME {
        return Err(EnvelopeError::Kind);
    }
    let end = FIXED_LEN + usize::from(fixed[32]);
    let id = message.get(FIXED_LEN..end).ok_or(EnvelopeError::Short)?;
    let id = std::str::from_utf8(id).ok().filter(|id| is_camera_id(id));
    let header = Header {
        seq: le64(fixed, 4),
        captured_us: le64(fixed, 12),
        received_us: le64(fixed, 20),
        width: u16::from_le_bytes([fixed[28], fixed[29]]),
        height: u16::from_le_bytes([fixed[30], fixed[31]]),
        camera: id.ok_or(EnvelopeError::Camera)?,
    };
    let jpeg = &message[end..];
    if jpeg.is_empty() { Err(EnvelopeError::Short) } else { Ok((header, jpeg)) }
}

/// What a WebSocket frame carries (RFC 6455, 11.8), as far as the server writes frames itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// UTF-8.
    Text = 1,
    /// Bytes.
    Binary = 2,
    /// Ends the connection.
    Close = 8,
    /// Asks for a pong.
    Ping = 9,
}

/// The header of one final, unmasked WebSocket frame: the bytes and how many of them count.
pub fn websocket_header(opcode: Opcode, payload: usize) -> ([u8; MAX_WEBSOCKET_HEADER], usize) {
    let mut bytes = [0; MAX_WEBSOCKET_HEADER];
    bytes[0] = 0x80 | opcode as u8;
    if let Some(short) = u8::try_from(payload).ok().filter(|&len| len < 126) {
        bytes[1] = short;
        (bytes, 2)
    } else if let Ok(medium) = u16::try_from(payload) {
        bytes[1] = 126;
        bytes[2..4].copy_from_slice(&medium.to_be_bytes());
        (bytes, 4)
    } else {
        bytes[1] = 127;
        bytes[2..10].copy_from_slice(&(payload as u64).to_be_bytes());
        (bytes, 10)
    }
}

/// One whole unmasked WebSocket frame, ready to be written.
pub fn websocket_frame(opcode: Opcode, payload: &[u8]) -> bytes::Bytes {
    let (header, len) = websocket_header(opcode, payload.len());
    let mut frame = Vec::with_capacity(len + payload.len());
    frame.extend_from_slice(&header[..len]);
    frame.extend_from_slice(payload);
    frame.into()
}

fn le64(bytes: &[u8; FIXED_LEN], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(eight)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header<'_> = Header {
        seq: 7,
        captured_us: 1_700_000_000_000_001,
        received_us: 1_700_000_000_004_002,
        width: 640,
        height: 480,
        camera: "door",
    };

    #[test]
    fn what_is_written_is_read_again_for_every_websocket_length_form() {
        for (jpeg_len, websocket_len) in [(10, 2), (200, 4), (70_000, 10)] {
            let mut buf = vec![0; headroom(4)];
            buf.resize(headroom(4) + jpeg_len, 0xAB);
            let (room, _) = buf.split_at_mut(headroom(4));
            let (websocket_at, envelope_at) = write_before(room, &HEADER, jpeg_len);
            assert_eq!(envelope_at - websocket_at, websocket_len);
            let (header, jpeg) = read(&buf[envelope_at..]).unwrap();
            assert_eq!(header, HEADER);
            assert_eq!(jpeg, vec![0xAB; jpeg_len]);
        }
    }

    #[test]
    fn a_cut_header_is_an_error_not_a_panic() {
        let mut room = vec![0; headroom(4)];
        let (_, at) = write_before(&mut room, &HEADER, 0);
        for len in 0..=room.len() - at {
            assert_eq!(read(&room[at..at + len]), Err(EnvelopeError::Short), "cut at {len}");
        }
    }
}
