//! Socket options.

use std::{io, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// What the kernel may hold for one viewer, in bytes. Linux doubles the value asked for to cover
/// its own bookkeeping (socket(7), `SO_SNDBUF`), so this becomes 256 KiB.
const SEND_BUFFER: usize = 128 << 10;

/// Unsent bytes above which the kernel takes no more. What is sent but not acknowledged is bounded
/// by the send buffer; what has not even been sent is only delay, and this bounds it to about one
/// frame of 640×480.
const NOT_SENT_LOW_WATER: u32 = 32 << 10;

/// Silence after which the kernel asks whether the peer is still there, and the distance of its
/// questions. A viewer of a camera that is offline is sent nothing, so nothing else would tell that
/// its machine is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// What every connection needs.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    // A frame is written whole; waiting for more to fill a segment would only delay it.
    stream.set_nodelay(true)?;
    let keep_alive = TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(KEEP_ALIVE);
    SockRef::from(stream).set_tcp_keepalive(&keep_alive)
}

/// Bounds what the kernel holds for a slow viewer, so that it skips frames instead of falling
/// behind.
pub fn bound_send_buffer(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_send_buffer_size(SEND_BUFFER)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(NOT_SENT_LOW_WATER)?;
    Ok(())
}
