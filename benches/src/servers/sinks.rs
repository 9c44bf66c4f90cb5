//! A tokio task a viewer that writes through tokio-tungstenite's sink, as its examples have it: the
//! first thing that one would write.

use std::{io, sync::Arc};

use futures_util::SinkExt as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Message, protocol::Role};

use super::http::{Newest, upgrade};

pub async fn feed(mut socket: TcpStream, newest: Arc<Newest>) -> io::Result<()> {
    let mut pictures = newest.sender(upgrade(&mut socket).await?).subscribe();
    let mut sink =
        tokio_tungstenite::WebSocketStream::from_raw_socket(socket, Role::Server, None).await;
    while pictures.changed().await.is_ok() {
        let message = pictures.borrow_and_update().clone();
        // The sink writes a header of its own.
        let header = match message.get(1).map_or(0, |len| len & 0x7F) {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        let picture = Message::Binary(message.slice(header..));
        sink.send(picture).await.map_err(io::Error::other)?;
    }
    Ok(())
}
