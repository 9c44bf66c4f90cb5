//! Where the RTSP library connects to in place of the camera: it knows neither encryption nor a bound on
//! what it keeps of a message or picture, so its bytes go through here.
//!
//! The library gets a port of this machine that takes one connection. What the camera sends is looked at
//! (`wire::rtsp`) before it is passed on. To the camera it is as if it were behind a forwarded port: requests
//! name another host and port than its own.
//!
//! All of it runs inside the call that waits for the library, so nothing is left behind when that is dropped.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{dial::Stream, words};
use crate::{relay::Failure, wire::rtsp::Framing};

/// Bytes passed on at a time, which is also all that is kept: a picture of 4 Mbit/s and 30 fps.
const AT_A_TIME: usize = 16 << 10;

/// Most bytes without a whole picture: twice what a picture may have. The library puts together what
/// never ends.
const MAX_BETWEEN: usize = 8 << 20;

/// A camera's connection, passed on while somebody waits for what the library makes of it.
#[derive(Default)]
pub(super) struct Tunnel {
    /// Ends when the camera's side does, with the reason.
    passing: Option<Pin<Box<dyn Future<Output = Failure> + Send>>>,
    ended: Option<Failure>,
    /// Bytes since the last picture.
    between: Arc<AtomicUsize>,
}

impl Tunnel {
    /// Passes `camera` on to whoever connects first to the address that this gives. That is the library:
    /// another process on this machine that is quicker has the camera's port, which it could have had without
    /// this, and no login; the library is then refused, which ends both.
    pub(super) async fn open(camera: Box<dyn Stream>) -> io::Result<(SocketAddr, Self)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let between = Arc::new(AtomicUsize::new(0));
        let passing = Box::pin(pass(listener, camera, between.clone()));
        Ok((addr, Self { passing: Some(passing), ended: None, between }))
    }

    /// Waits for `work`, passing on what it needs. Cancel safe, if that is.
    pub(super) async fn with<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        if let Some(passing) = &mut self.passing {
            tokio::select! {
                biased;
                ended = passing => self.ended = Some(ended),
                done = &mut work => return done,
            }
        }
        // Closes the library's connection, behind what was passed on.
        self.passing = None;
        work.await
    }

    /// A picture came out of it.
    pub(super) fn delivered(&self) {
        self.between.store(0, Relaxed);
    }

    /// Why it has ended, if it has and nobody was told yet.
    pub(super) fn ended(&mut self) -> Option<Failure> {
        self.ended.take()
    }
}

async fn pass(
    listener: TcpListener,
    camera: Box<dyn Stream>,
    between: Arc<AtomicUsize>,
) -> Failure {
    let Ok((library, _)) = listener.accept().await else { return words::broken() };
    // Nobody else gets in.
    drop(listener);
    let _ = library.set_nodelay(true);
    let (mut asked, mut to_library) = library.into_split();
    let (mut from_camera, mut to_camera) = tokio::io::split(camera);
    let requests = async {
        // A camera that takes no more may have said why.
        let _ = tokio::io::copy(&mut asked, &mut to_camera).await;
        std::future::pending().await
    };
    let answers = async {
        let mut framing = Framing::default();
        let mut buffer = vec![0; AT_A_TIME];
        loop {
            let bytes = match from_camera.read(&mut buffer).await {
                Ok(0) => return words::ended(),
                Ok(count) => &buffer[..count],
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return words::ended();
                }
                Err(_) => return words::broken(),
            };
            if let Err(unfit) = framing.take(bytes) {
                return words::unfit(unfit);
            }
            if between.fetch_add(bytes.len(), Relaxed) + bytes.len() > MAX_BETWEEN {
                return words::endless(MAX_BETWEEN);
            }
            if to_library.write_all(bytes).await.is_err() {
                return words::broken();
            }
        }
    };
    tokio::select! {
        ended = answers => ended,
        never = requests => never,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{DuplexStream, duplex},
        net::TcpStream,
    };

    use super::*;

    const ANSWER: &[u8] = b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n";

    async fn tunnel() -> (DuplexStream, SocketAddr, Tunnel) {
        let (camera, near) = duplex(AT_A_TIME);
        let (addr, tunnel) = Tunnel::open(Box::new(near)).await.unwrap();
        (camera, addr, tunnel)
    }

    /// All that comes until the end.
    async fn rest(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        bytes
    }

    #[tokio::test]
    async fn one_is_let_in_and_nobody_after() {
        let (mut camera, addr, mut tunnel) = tunnel().await;
        let asked = tunnel.with(async {
            let mut library = TcpStream::connect(addr).await.unwrap();
            library.write_all(b"OPTIONS").await.unwrap();
            let mut asked = [0; 7];
            camera.read_exact(&mut asked).await.unwrap();
            assert!(TcpStream::connect(addr).await.is_err(), "the port is closed");
            asked
        });
        assert_eq!(&asked.await, b"OPTIONS");
    }

    #[tokio::test]
    async fn what_a_camera_says_before_it_closes_is_passed_on_and_then_the_end() {
        let (mut camera, addr, mut tunnel) = tunnel().await;
        let heard = tunnel.with(async {
            let mut library = TcpStream::connect(addr).await.unwrap();
            camera.write_all(ANSWER).await.unwrap();
            drop(camera);
            rest(&mut library).await
        });
        assert_eq!(heard.await, ANSWER);
        assert_eq!(tunnel.ended().unwrap().code, "ended");
    }

    #[tokio::test]
    async fn pictures_that_come_whole_may_go_on_for_ever() {
        let (mut camera, addr, mut tunnel) = tunnel().await;
        let frame = [&b"$\0\xff\xff"[..], &[0; 0xffff]].concat();
        let between = tunnel.between.clone();
        let passed = tunnel.with(async {
            let mut library = TcpStream::connect(addr).await.unwrap();
            let mut picture = vec![0; frame.len()];
            for _ in 0..2 * MAX_BETWEEN / frame.len() {
                let (sent, got) =
                    tokio::join!(camera.write_all(&frame), library.read_exact(&mut picture));
                sent.unwrap();
                got.unwrap();
                between.store(0, Relaxed);
            }
            // And without them it ends.
            let more = async { while camera.write_all(&frame).await.is_ok() {} };
            tokio::join!(more, rest(&mut library)).1.len()
        });
        let passed = passed.await;
        assert!((MAX_BETWEEN - AT_A_TIME..=MAX_BETWEEN).contains(&passed), "{passed}");
        assert!(tunnel.ended().unwrap().message.contains("8 MiB"));
    }

    #[tokio::test]
    async fn dropped_it_leaves_neither_port_nor_connection() {
        let (mut camera, addr, unused) = tunnel().await;
        drop(unused);
        assert!(TcpStream::connect(addr).await.is_err());
        assert_eq!(rest(&mut camera).await, b"");

        let (mut camera, addr, mut used) = tunnel().await;
        let connected = used.with(async {
            let mut library = TcpStream::connect(addr).await.unwrap();
            camera.write_all(ANSWER).await.unwrap();
            library.read_u8().await.unwrap();
            library
        });
        let mut library = connected.await;
        drop(used);
        assert_eq!(rest(&mut camera).await, b"");
        let closed = tokio::time::timeout(Duration::from_secs(5), rest(&mut library)).await;
        assert_eq!(closed.unwrap(), &ANSWER[1..]);
    }
}
