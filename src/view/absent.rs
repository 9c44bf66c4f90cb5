//! Why a camera cannot be shown in the way that was asked for, in words that say what to do.

use crate::{
    net::ApiError,
    relay::{Camera, LinkState, Presence},
};

/// It has no video, and never will while it is published as it is.
pub(super) fn no_video(camera: &Camera) -> ApiError {
    let id = camera.id();
    let message = format!(
        "camera {id} sends pictures, not video; watch it by /api/cameras/{id}/stream.mjpeg, \
         /api/cameras/{id}/frame.jpg or the WebSocket /stream?cameras={id}"
    );
    ApiError::new("no_video", message)
}

/// It is not there, or nothing to show has come.
pub(super) fn offline(camera: &Camera) -> ApiError {
    let id = camera.id();
    let link = camera.link().status();
    let is_connecting = link.as_ref().is_some_and(|link| link.state == LinkState::Connecting);
    let failure = link.and_then(|link| link.last_error);
    let message = match (camera.presence(), failure) {
        (Presence::Online { .. }, _) => {
            format!("camera {id} is connected, but has sent nothing to show yet; try again")
        }
        (Presence::Offline { .. }, Some(failure)) => format!("camera {id} is offline: {failure}"),
        (Presence::Offline { .. }, None) if is_connecting => {
            format!("camera {id} is still being connected; try again in a moment")
        }
        (Presence::Offline { reason, .. }, None) => format!("camera {id} is offline: {reason}"),
    };
    ApiError::new("camera_offline", message)
}

/// Whether connecting to it has failed, or is not wanted.
pub(super) fn has_failed(camera: &Camera) -> bool {
    let state = camera.link().status().map(|link| link.state);
    matches!(camera.presence(), Presence::Offline { .. })
        && matches!(state, Some(LinkState::Waiting | LinkState::Stopped))
}
