//! What framecast is measured against: servers of a camera relay as small as can be, in this binary
//! and in `peers/`.
//!
//! All take pictures at `GET /publish/{camera}` as binary WebSocket messages and hand them to
//! `GET /stream?cameras={camera}`; each prints `ingest ADDR` and `view ADDR` when it is ready.

mod floor;
mod http;
mod receive;
mod sinks;
mod tasks;

use std::{io, net::SocketAddr, sync::Arc};

use clap::ValueEnum;
use tokio::net::{TcpListener, TcpStream};

use self::http::Newest;

/// Servers in this binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// One thread, one `send` of ready bytes a viewer: nothing can be less.
    Floor,
    /// One thread reads each picture into a buffer of its own: nothing can be less.
    Receive,
    /// A tokio task a viewer writes the shared ready bytes.
    Tasks,
    /// A tokio task a viewer with tokio-tungstenite's sink.
    Sinks,
}

/// Serves until killed.
pub fn serve(mode: Mode, workers: usize) -> io::Result<()> {
    match mode {
        Mode::Floor => floor::serve(),
        Mode::Receive => receive::serve(),
        Mode::Tasks => tokio_server(workers, tasks::feed),
        Mode::Sinks => tokio_server(workers, sinks::feed),
    }
}

fn announce(ingest: SocketAddr, view: SocketAddr) {
    println!("ingest {ingest}\nview {view}");
}

/// A runtime with `workers` threads; a task `feed` a viewer.
fn tokio_server<F: Future<Output = io::Result<()>> + Send + 'static>(
    workers: usize,
    feed: fn(TcpStream, Arc<Newest>) -> F,
) -> io::Result<()> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(workers).enable_all().build()?.block_on(async {
        let newest = Arc::new(Newest::default());
        let ingest = TcpListener::bind("127.0.0.1:0").await?;
        let view = TcpListener::bind("127.0.0.1:0").await?;
        announce(ingest.local_addr()?, view.local_addr()?);
        tokio::spawn(accept(ingest, newest.clone(), publisher));
        accept(view, newest, feed).await
    })
}

async fn accept<F: Future<Output = io::Result<()>> + Send + 'static>(
    listener: TcpListener,
    newest: Arc<Newest>,
    talk: fn(TcpStream, Arc<Newest>) -> F,
) -> io::Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(talk(socket, newest.clone()));
    }
}

async fn publisher(mut socket: TcpStream, newest: Arc<Newest>) -> io::Result<()> {
    let camera = newest.sender(http::upgrade(&mut socket).await?);
    loop {
        camera.send_replace(http::next_message(&mut socket).await?);
    }
}
