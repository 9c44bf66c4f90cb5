//! What `framecast-bench-copies` prints, one of these for each number of viewers.

use serde::{Deserialize, Serialize};

/// What one published frame cost the server's heap.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Case {
    /// Viewers of the streaming WebSocket, and as many of MJPEG.
    pub viewers: usize,
    /// Bytes of a frame.
    pub frame_bytes: usize,
    /// Frames that were counted, each read and compared by every viewer.
    pub frames: u64,
    /// Allocations a frame, growing a buffer included.
    pub allocations: f64,
    /// Bytes allocated a frame.
    pub bytes: f64,
}
