//! A camera's first request: connecting it, and waiting until there is something to play.

use std::{sync::Arc, time::Duration};

use super::{
    muxer::{InUse, NotYet},
    window::Window,
};
use crate::{
    net::ApiError,
    relay::{Camera, Presence, Transport},
    view::{absent, rest::Rest},
};

/// How long the first request of a camera waits for its first part.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks whether a camera that is waited for has failed.
const LOOK: Duration = Duration::from_millis(100);

/// A window whose newest part is older is not played from: first there has to be a new one.
const STALE: Duration = Duration::from_secs(10);

/// The camera's muxer, once it has something to play.
pub(super) async fn started(rest: &Rest, camera: &Arc<Camera>) -> Result<InUse, ApiError> {
    if rest.shutdown.is_cancelled() {
        return Err(Rest::draining());
    }
    if has_pictures_only(camera) {
        return Err(absent::no_video(camera));
    }
    let muxer = rest.hls.muxer(camera);
    let clock = rest.view.registry.clock();
    let is_live = |window: &Window| {
        let age = window.newest().map(|newest| clock.now().saturating_duration_since(newest));
        (window.whole() > 0 && age? < STALE).then_some(())
    };
    let started = tokio::select! {
        biased;
        started = muxer.wait(START_PATIENCE, is_live) => started,
        () = has_failed(camera) => Err(NotYet::TimedOut),
    };
    match started {
        Ok(()) => Ok(muxer),
        Err(NotYet::TimedOut) if shows_pictures_only(camera) => Err(absent::no_video(camera)),
        Err(why) => Err(not_yet(camera, why)),
    }
}

/// Waits until the camera cannot be connected to: who waits for it then only holds a connection.
async fn has_failed(camera: &Camera) {
    let mut look = tokio::time::interval(LOOK);
    while !absent::has_failed(camera) {
        look.tick().await;
    }
}

/// Whether it is published in a way that brings no video.
fn has_pictures_only(camera: &Camera) -> bool {
    let brings_none = |transport| transport != Transport::Rtsp;
    camera.video_format().is_none()
        && matches!(camera.presence(), Presence::Online { transport, .. } if brings_none(transport))
}

/// Whether it turned out to bring none.
fn shows_pictures_only(camera: &Camera) -> bool {
    let is_online = matches!(camera.presence(), Presence::Online { .. });
    let has_pictures = camera.age().is_some_and(|age| age < STALE);
    camera.video_format().is_none() && is_online && has_pictures
}

/// What has not come is told in words.
pub(super) fn not_yet(camera: &Camera, why: NotYet) -> ApiError {
    if why == NotYet::Ended {
        let id = camera.id();
        let message = format!("camera {id} was forgotten, or the server is shutting down");
        return ApiError::new("draining", message);
    }
    absent::offline(camera)
}
