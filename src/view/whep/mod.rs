//! `/whep/{camera}`: a camera's H.264 over WebRTC, as it comes (draft-ietf-wish-whep).
//!
//! Belongs here: which sessions there are, and whether a camera can have one. Does not: HTTP (`routes`), a
//! session's connection and what is sent on it, which are in the files of their names.

mod offer;
mod packets;
pub(super) mod routes;
mod session;
mod timeline;

use std::{fmt, sync::Arc, time::Duration};

use dashmap::DashMap;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    net::{ApiError, webrtc::Port},
    relay::{Camera, Codec, Format, Presence, Registry, Transport, VideoConsumer},
    view::{absent, rest::Rest},
};
use offer::Offer;
pub use routes::routes;
use session::Command;

/// Sessions at a time. One of a 1080p camera takes about 1 % of a core.
const MAX_SESSIONS: usize = 1024;

/// Commands that may wait for a session.
const MAX_COMMANDS: usize = 8;

/// Longest wait for the first key frame of a camera that is connected to only now.
const VIDEO_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is looked meanwhile whether the camera has failed.
const LOOK: Duration = Duration::from_millis(100);

/// How a viewer wants its packets: one of its offer's payload types.
#[derive(Debug, Clone, PartialEq, Eq)]
struct CodecChoice {
    payload_type: u8,
    /// The parameters of the offer's `a=fmtp`.
    fmtp: String,
}

/// What the routes share. Cheap to clone.
#[derive(Clone)]
pub struct Whep {
    registry: Arc<Registry>,
    port: Arc<Port>,
    sessions: Arc<DashMap<String, Resource>>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl fmt::Debug for Whep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Whep").field("sessions", &self.sessions.len()).finish_non_exhaustive()
    }
}

/// A session as its URL sees it.
#[derive(Debug)]
struct Resource {
    camera: String,
    /// Of the session's one ICE session.
    etag: String,
    /// Of the offer.
    ufrag: Option<String>,
    commands: mpsc::Sender<Command>,
}

impl Whep {
    /// Sessions go over `port`, and end when `shutdown` is cancelled.
    pub fn new(
        registry: Arc<Registry>,
        port: Arc<Port>,
        shutdown: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        Self { registry, port, sessions: Arc::default(), shutdown, tasks }
    }
}

/// Frees the session's entry, however its task ends.
struct Place {
    sessions: Arc<DashMap<String, Resource>>,
    name: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.sessions.remove(&self.name);
    }
}

/// Waits until the camera has video that can be begun with.
async fn video(
    camera: &Camera,
    units: &mut VideoConsumer,
    shutdown: &CancellationToken,
) -> Result<Arc<Format>, ApiError> {
    let first = tokio::time::timeout(VIDEO_TIMEOUT, units.next());
    tokio::pin!(first);
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            biased;
            next = &mut first => return match next {
                Ok(Some(next)) => Ok(next.unit.format.clone()),
                Ok(None) => Err(ApiError::unknown_camera(camera.id().as_str())),
                Err(_) => Err(absent::offline(camera)),
            },
            _ = look.tick() => {
                if let Some(error) = hopeless(camera) {
                    return Err(error);
                }
            }
            () = shutdown.cancelled() => return Err(Rest::draining()),
        }
    }
}

/// Why it makes no sense to wait for a camera's video, if it makes none.
fn hopeless(camera: &Camera) -> Option<ApiError> {
    match camera.presence() {
        Presence::Online { transport: Transport::Rtsp, .. } => None,
        Presence::Online { .. } => Some(absent::no_video(camera)),
        // One that nothing connects to comes only by itself.
        Presence::Offline { .. } => {
            let comes_by_itself = camera.link().status().is_none();
            (comes_by_itself || absent::has_failed(camera)).then(|| absent::offline(camera))
        }
    }
}

fn choose<'a>(offer: &'a Offer, format: &Format) -> Result<&'a CodecChoice, ApiError> {
    let video = &format.video;
    if video.codec != Codec::H264 {
        let message = format!("{} is not sent over WebRTC; the camera plays over HLS", video.codec);
        return Err(ApiError::new("unsupported_codec", message));
    }
    let profile = video.config.get(1).copied().unwrap_or_default();
    offer.h264(profile).ok_or_else(|| {
        let message = "the camera sends H.264, and the offer has none with packetization-mode=1";
        ApiError::new("unsupported_codec", message)
    })
}

impl Whep {
    fn session(
        &self,
        camera: &str,
        session: &str,
    ) -> Result<impl std::ops::Deref<Target = Resource>, ApiError> {
        let known = self.sessions.get(session).filter(|resource| resource.camera == camera);
        known.ok_or_else(|| {
            ApiError::new("not_found", "there is no such session; it may have ended already")
        })
    }
}
