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
