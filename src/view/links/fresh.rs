//! Pictures of now, of cameras that may have to be connected for them.
//!
//! Belongs here: waiting for one, and what is said when none comes. Does not: the routes, or how a picture
//! is answered.

use std::{sync::Arc, time::Duration};

use super::{
    super::{absent, rest::Rest},
    PATIENCE,
};
use crate::{
    net::ApiError,
    relay::{Camera, Codec, LinkState, LinkStatus, Presence, Seat},
};

/// Between two looks for a picture that came again.
const LOOK: Duration = Duration::from_millis(100);

/// A picture that is younger needs no newer one.
const FRESH: Duration = Duration::from_secs(2);

/// How long it takes at most until a camera that was set up just now is cared for.
const SOON: Duration = Duration::from_secs(1);

/// Refuses pictures of a camera that is known to have none.
pub(in super::super) fn has_pictures(camera: &Camera) -> Result<(), ApiError> {
    let id = camera.id();
    let message = match camera.video_format().map(|format| format.video.codec) {
        Some(Codec::H265) => format!(
            "camera {id} sends H.265, of which no JPEG is made; watch it over HLS, or set the camera to H.264"
        ),
        Some(Codec::H264) if !cfg!(feature = "openh264") => format!(
            "camera {id} sends H.264, of which this server makes no JPEG, as it was built without the \
             feature openh264; watch it over HLS or WebRTC"
        ),
        _ => return Ok(()),
    };
    Err(ApiError::new("unsupported_codec", message))
}

/// For a camera that has to be connected to: makes it so that its newest picture is one of now. Who
/// waits counts as a viewer, and takes a seat, which is returned for who stays.
pub(in super::super) async fn fresh(
    rest: &Rest,
    camera: &Arc<Camera>,
) -> Result<Option<Seat>, ApiError> {
    let online = matches!(camera.presence(), Presence::Online { .. });
    if online && camera.age().is_some_and(|age| age < FRESH) {
        return Ok(None);
    }
    let Some(before) = link(rest, camera).await else { return Ok(None) };
    has_pictures(camera)?;
    let seat = seat(camera)?;
    let _viewing = camera.viewing();
    let mut pictures = camera.consumer();
    pictures.skip_to(camera.latest().map_or(0, |newest| newest.seq));
    let mut states = camera.link().watch();
    let failed = async {
        loop {
            let now = states.borrow_and_update().clone();
            // Without one it may be set up anew just now, and what comes of that is what is waited for.
            let Some(now) = (if now.is_some() { now } else { link(rest, camera).await }) else {
                return;
            };
            if now.state == LinkState::Stopped || now.failures > before.failures {
                return;
            }
            if now.state == LinkState::Streaming && has_pictures(camera).is_err() {
                return;
            }
            if states.changed().await.is_err() {
                return;
            }
        }
    };
    // The same bytes as the newest that is kept, such as of a privacy mask, are no new frame.
    let clock = rest.view.registry.clock();
    let begun = clock.now();
    let same = async {
        loop {
            tokio::time::sleep(LOOK).await;
            let is_online = matches!(camera.presence(), Presence::Online { .. });
            if is_online && camera.age().is_some_and(|age| age < clock.now() - begun) {
                return;
            }
        }
    };
    tokio::select! {
        next = pictures.next() => if next.is_some() { return Ok(Some(seat)) },
        () = same => return Ok(Some(seat)),
        () = failed => {}
        () = tokio::time::sleep(PATIENCE) => {}
        () = rest.shutdown.cancelled() => return Err(Rest::draining()),
    }
    has_pictures(camera)?;
    Err(absent::offline(camera))
}

/// How the camera is connected; `None` if the server does not connect to it.
pub(super) async fn link(rest: &Rest, camera: &Camera) -> Option<LinkStatus> {
    let mut link = camera.link().watch();
    if has_address(rest, camera) {
        // One that was set up or changed a moment ago is taken up in the next.
        let soon = tokio::time::timeout(SOON, link.wait_for(Option::is_some));
        let _ = rest.shutdown.run_until_cancelled(soon).await;
    }
    link.borrow().clone()
}

/// Whether it is set up with an address to connect to.
fn has_address(rest: &Rest, camera: &Camera) -> bool {
    let entry = rest.setup.catalog().ok().and_then(|catalog| catalog.get(camera.id().as_str()));
    entry.is_some_and(|entry| entry.settings.source.address().is_some())
}

/// What is said in place of the newest picture of a camera that has none.
pub(in super::super) fn nothing_yet(rest: &Rest, camera: &Camera) -> Option<ApiError> {
    let connected_to = camera.link().status().is_some() || has_address(rest, camera);
    connected_to.then(|| absent::offline(camera))
}

/// One of the viewers that a camera may have.
pub(in super::super) fn seat(camera: &Camera) -> Result<Seat, ApiError> {
    camera.seat().map_err(|error| ApiError::new(error.code(), error.to_string()))
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        relay::{CameraId, Clock, Configured, Failure, Limits, Registry},
        view::View,
    };

    fn status(state: LinkState, failure: Option<Failure>) -> LinkStatus {
        LinkStatus {
            state,
            reconnects: 0,
            failures: u64::from(failure.is_some()),
            last_error: failure.map(Arc::new),
            next_retry_us: None,
        }
    }

    /// A camera whose connection is left to the test, and what is said when no picture of it comes.
    async fn told(before: Option<Failure>, meanwhile: Option<(u64, LinkStatus)>) -> (String, f64) {
        let registry = Registry::new(Limits::default(), Clock::system());
        let camera =
            registry.configure(&CameraId::parse("door").unwrap(), Configured::default()).unwrap();
        camera.link().report(Some(status(LinkState::Connecting, before)));
        let view = View { registry, max_fps: 30.0 };
        let rest = Rest::new(view, CancellationToken::new(), 8080);
        let begun = Instant::now();
        let later = camera.clone();
        tokio::spawn(async move {
            if let Some((seconds, status)) = meanwhile {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                later.link().report(Some(status));
            }
        });
        let error = fresh(&rest, &camera).await.unwrap_err();
        assert_eq!(error.code, "camera_offline", "{}", error.message);
        assert_eq!(nothing_yet(&rest, &camera).unwrap().message, error.message);
        (error.message, begun.elapsed().as_secs_f64())
    }

    #[tokio::test(start_paused = true)]
    async fn a_camera_that_says_nothing_is_offline_with_what_is_known_of_it() {
        let silent = || Failure::new("unreachable", "192.0.2.7:554 does not answer");
        let offline = "camera door is offline: 192.0.2.7:554 does not answer";
        let (message, waited) = told(None, None).await;
        assert_eq!(message, "camera door is still being connected; try again in a moment");
        assert_eq!(waited, PATIENCE.as_secs_f64());
        let (message, waited) = told(Some(silent()), None).await;
        assert_eq!((message.as_str(), waited), (offline, PATIENCE.as_secs_f64()));
        // Of the attempt that is waited for, as soon as it is known.
        for seconds in [3, 10] {
            let failed = status(LinkState::Waiting, Some(silent()));
            let (message, waited) = told(None, Some((seconds, failed))).await;
            assert_eq!((message.as_str(), waited), (offline, seconds as f64));
        }
    }
}
