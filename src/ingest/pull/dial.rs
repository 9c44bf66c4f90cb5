//! A connection to a camera's pinned address, encrypted where its address says so.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use super::{
    live::{Dial, START},
    words,
};
use crate::{
    net::{guard::Pinned, tls},
    relay::Failure,
};

/// When there is another address, or this one failed before: most time for it to accept the connection.
/// The system's own attempts come too seldom to notice soon that a camera has returned.
const SOON: Duration = Duration::from_secs(2);

/// A connection, encrypted or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connects to the first of the addresses that accepts it.
pub(super) async fn dial(dial: &Dial<'_>, pinned: &Pinned) -> Result<Box<dyn Stream>, Failure> {
    let (stream, _) = tcp(dial, pinned).await?;
    // Requests are small and waited for.
    let _ = stream.set_nodelay(true);
    if !pinned.url.scheme.is_tls() {
        return Ok(Box::new(stream));
    }
    let encrypted = tls::connect(stream, &pinned.url.host, dial.source.fingerprint).await;
    let encrypted = encrypted.map_err(|error| words::of_tls(&error, &pinned.url))?;
    Ok(Box::new(encrypted))
}

/// The same without encryption, and to which of them.
pub(super) async fn tcp(
    dial: &Dial<'_>,
    pinned: &Pinned,
) -> Result<(TcpStream, SocketAddr), Failure> {
    let within = if dial.retry || pinned.addrs.len() > 1 { SOON } else { START };
    let mut failed = None;
    for &addr in &pinned.addrs {
        let failure = match timeout(within, TcpStream::connect(addr)).await {
            Ok(Ok(stream)) => return Ok((stream, addr)),
            Ok(Err(error)) => words::of_io(&error, &pinned.url),
            Err(_) => words::no_answer(&pinned.url),
        };
        failed = failed.or(Some(failure));
    }
    Err(failed.unwrap_or_else(|| words::no_answer(&pinned.url)))
}
