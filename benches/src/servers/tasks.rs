//! A tokio task a viewer, which waits for the newest picture and writes the shared ready bytes
//! straight to its socket.

use std::{io, sync::Arc};

use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::http::{Newest, upgrade};

pub async fn feed(mut socket: TcpStream, newest: Arc<Newest>) -> io::Result<()> {
    let mut pictures = newest.sender(upgrade(&mut socket).await?).subscribe();
    while pictures.changed().await.is_ok() {
        let picture = pictures.borrow_and_update().clone();
        socket.write_all(&picture).await?;
    }
    Ok(())
}
