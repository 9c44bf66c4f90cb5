//! As much of HTTP and WebSocket as the servers here need. Their only client is the load of this
//! binary, so nothing is checked.

use std::{collections::HashMap, io};

use framecast::wire::envelope::{MAX_WEBSOCKET_HEADER, Opcode, websocket_header};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// The load does not look at the accept key, and always sends the example of RFC 6455, 1.3.
pub const SWITCHING: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Bytes before the payload in a message from the load, whose messages all have the longest header.
pub const CLIENT_HEADER: usize = 14;

/// The camera that a request is for, what follows `/publish/` or `cameras=`, once its header is
/// whole.
pub fn camera(head: &[u8]) -> Option<String> {
    let head = std::str::from_utf8(head).ok().filter(|head| head.ends_with("\r\n\r\n"))?;
    let path = head.split(' ').nth(1)?;
    Some(path.rsplit(['/', '=']).next()?.to_owned())
}

/// Length of the payload of a message from the load.
pub fn payload_len(message: &[u8]) -> Option<usize> {
    let len = message.get(2..10)?.try_into().ok()?;
    usize::try_from(u64::from_be_bytes(len)).ok()
}

/// Makes a viewers' message of a publisher's in place; returns where it starts.
pub fn turn_around(message: &mut [u8]) -> usize {
    let (head, payload) = message.split_at_mut(CLIENT_HEADER);
    let mask = u32::from_ne_bytes([head[10], head[11], head[12], head[13]]);
    let mut words = payload.chunks_exact_mut(4);
    for word in &mut words {
        let plain = u32::from_ne_bytes([word[0], word[1], word[2], word[3]]) ^ mask;
        word.copy_from_slice(&plain.to_ne_bytes());
    }
    let rest = words.into_remainder();
    rest.iter_mut().zip(&head[10..]).for_each(|(byte, mask)| *byte ^= mask);
    let (header, len): ([u8; MAX_WEBSOCKET_HEADER], usize) =
        websocket_header(Opcode::Binary, payload.len());
    let at = CLIENT_HEADER - len;
    head[at..].copy_from_slice(&header[..len]);
    at
}

/// Reads a request, answers the upgrade, and returns the camera.
pub async fn upgrade(socket: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    loop {
        head.push(socket.read_u8().await?);
        if let Some(camera) = camera(&head) {
            socket.write_all(SWITCHING).await?;
            return Ok(camera);
        }
    }
}

/// Reads the next message of a publisher, and turns it around.
pub async fn next_message(socket: &mut TcpStream) -> io::Result<bytes::Bytes> {
    let mut head = [0; CLIENT_HEADER];
    socket.read_exact(&mut head).await?;
    let len = payload_len(&head).unwrap_or(0);
    let mut message = vec![0; CLIENT_HEADER + len];
    message[..CLIENT_HEADER].copy_from_slice(&head);
    socket.read_exact(&mut message[CLIENT_HEADER..]).await?;
    let at = turn_around(&mut message);
    Ok(bytes::Bytes::from(message).slice(at..))
}

/// The newest message of each camera, for tasks that wait for it.
#[derive(Debug, Default)]
pub struct Newest(parking_lot::Mutex<HashMap<String, tokio::sync::watch::Sender<bytes::Bytes>>>);

impl Newest {
    /// Whoever sends here feeds a camera.
    pub fn sender(&self, camera: String) -> tokio::sync::watch::Sender<bytes::Bytes> {
        self.0.lock().entry(camera).or_default().clone()
    }
}
