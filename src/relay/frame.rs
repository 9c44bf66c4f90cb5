//! One frame: a picture and the message it travels in.

use std::{ops::Deref, sync::OnceLock, time::Instant};

use bytes::Bytes;

use super::CameraId;
use crate::wire::{envelope, jpeg};

/// Memory that a cached frame takes beside its message's buffer, in bytes: its place in the ring, twice, as a
/// ring that grows doubles; the message's share count; and what the allocator keeps of both blocks.
/// Without it a camera of tiny pictures would take several times what `--cache-bytes` allows.
const OVERHEAD: usize = 2 * size_of::<Frame>() + 96;

/// An immutable picture. One contiguous buffer **is** the message that binary viewers get
/// (WebSocket header, envelope, JPEG); everything else is a slice of it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Frame {
    message: Bytes,
    jpeg_at: u8,
    /// Bytes of memory that the message's buffer takes.
    held: u32,
    /// The camera's frame number, from 1, growing by 1.
    pub seq: u64,
    /// Unix microseconds on the server's clock; 0 if unknown.
    pub captured_us: u64,
    /// Unix microseconds on the server's clock.
    pub received_us: u64,
    /// When it was complete here.
    pub received_at: Instant,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
}

impl Frame {
    /// Lays the headers before the JPEG that starts at `headroom` in `buf`.
    pub(super) fn build(
        mut buf: Vec<u8>,
        camera: &CameraId,
        info: jpeg::Info,
        seq: u64,
        captured_us: u64,
        received: (Instant, u64),
    ) -> Self {
        let headroom = envelope::headroom(camera.as_str().len());
        let jpeg_len = buf.len() - headroom;
        let header = envelope::Header {
            seq,
            captured_us,
            received_us: received.1,
            width: info.width,
            height: info.height,
            camera: camera.as_str(),
        };
        let (message_at, _) = envelope::write_before(&mut buf[..headroom], &header, jpeg_len);
        let small = |n: usize| u8::try_from(n).expect("headers are shorter than 128 bytes");
        // What is over 4 GiB has been refused long before.
        let held = u32::try_from(buf.capacity()).unwrap_or(u32::MAX);
        Self {
            held,
            message: Bytes::from(buf).slice(message_at..),
            jpeg_at: small(headroom - message_at),
            seq,
            captured_us,
            received_us: received.1,
            received_at: received.0,
            width: info.width,
            height: info.height,
        }
    }

    /// A whole WebSocket message, header included, to be written to a socket as it is.
    pub fn websocket_message(&self) -> &Bytes {
        &self.message
    }

    /// Exactly the publisher's bytes.
    pub fn jpeg(&self) -> Bytes {
        self.message.slice(usize::from(self.jpeg_at)..)
    }

    /// Bytes of the JPEG.
    pub fn jpeg_len(&self) -> usize {
        self.message.len() - usize::from(self.jpeg_at)
    }

    /// Bytes that the cache counts for this frame: the message's buffer, with what it has room for
    /// beyond, and [`OVERHEAD`].
    pub(super) fn cost(&self) -> usize {
        self.held as usize + OVERHEAD
    }
}

/// Number of places for encodings that an edge makes of a frame.
const ENCODINGS: usize = 3;

/// The newest frame, with room for what an edge makes of it for some viewers: each is made once, by the
/// first that asks, and shared by all. Frames in the cache do not carry them.
#[derive(Debug)]
pub struct Latest {
    frame: Frame,
    encodings: [OnceLock<Bytes>; ENCODINGS],
}

impl Latest {
    pub(super) fn new(frame: Frame) -> Self {
        Self { frame, encodings: Default::default() }
    }

    /// The encoding kept in place `slot` (below 3), made by `make` if this is the first call.
    pub fn encoded(&self, slot: usize, make: impl FnOnce(&Frame) -> Bytes) -> &Bytes {
        self.encodings[slot].get_or_init(|| make(&self.frame))
    }
}

impl Deref for Latest {
    type Target = Frame;

    fn deref(&self) -> &Frame {
        &self.frame
    }
}
