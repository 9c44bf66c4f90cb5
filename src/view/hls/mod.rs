//! Low-latency HLS out: a camera's video as it came, in fragmented MP4.
//!
//! Belongs here: everything between the relay's units and the answers of HTTP. Does not: MP4 boxes
//! (`wire::fmp4`), or how cameras are reached.
//!
//! One [`Muxer`] a camera, begun by the first request and freed some time after the last, makes parts
//! and segments once for all viewers, who share their bytes.

mod muxer;
mod packager;
mod playlist;
pub(super) mod routes;
mod sessions;
mod start;
mod targets;
mod timeline;
mod window;

use std::sync::Arc;

use dashmap::{DashMap, Entry};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    muxer::{InUse, Muxer},
    targets::{DEFAULT_TARGET_S, target_s},
};
use crate::relay::{Camera, CameraId, Clock, TICKS};

/// Most cameras whose target durations are remembered.
const MAX_LEARNT: usize = 10_000;

/// The muxers of all cameras. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hls {
    muxers: Arc<DashMap<CameraId, Arc<Muxer>>>,
    /// Target durations, in seconds, of cameras that were watched before.
    learnt: Arc<DashMap<CameraId, u32>>,
    clock: Clock,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Hls {
    /// None yet. When `shutdown` is cancelled all end, and whoever waits is answered.
    pub fn new(clock: Clock, shutdown: CancellationToken) -> Self {
        let (muxers, learnt) = Default::default();
        Self { muxers, learnt, clock, shutdown, tasks: TaskTracker::new() }
    }

    /// Muxers at work.
    pub fn muxers(&self) -> usize {
        self.muxers.len()
    }

    /// The camera's muxer, which is begun if there is none.
    fn muxer(&self, camera: &Arc<Camera>) -> InUse {
        // The entry is locked: who frees a muxer looks under the same lock whether it is in use.
        match self.muxers.entry(camera.id().clone()) {
            Entry::Occupied(it) if Arc::ptr_eq(&it.get().camera, camera) => {
                InUse::new(it.get().clone())
            }
            entry => {
                let muxer = Arc::new(Muxer::new(camera.clone(), self.clock));
                entry.insert(muxer.clone());
                self.tasks.spawn(self.clone().run(muxer.clone()));
                InUse::new(muxer)
            }
        }
    }

    /// The camera's muxer, if there is one.
    fn existing(&self, camera: &Arc<Camera>) -> Option<InUse> {
        let muxer = self.muxers.get(camera.id())?;
        Arc::ptr_eq(&muxer.camera, camera).then(|| InUse::new(muxer.clone()))
    }

    async fn run(self, muxer: Arc<Muxer>) {
        let id = muxer.camera.id().clone();
        tracing::debug!(camera = %id, "HLS muxer begins");
        // The camera's pace now, if it is connected, counts as much as what it had before.
        let seen = muxer.camera.snapshot().video.and_then(|video| video.key_interval_ms);
        let seen = seen.filter(|ms| *ms > 0).map(|ms| target_s(ms * TICKS / 1000));
        let known = self.learnt.get(&id).map(|target| *target).max(seen);
        let is_this = |_: &CameraId, it: &Arc<Muxer>| Arc::ptr_eq(it, &muxer);
        let is_needless =
            || self.muxers.remove_if(&id, |id, it| is_this(id, it) && it.is_idle()).is_some();
        let run = muxer.run(self.clock, known.unwrap_or(DEFAULT_TARGET_S), is_needless);
        if let Some(longest) = self.shutdown.run_until_cancelled(run).await
            && longest > 0
            && (self.learnt.len() < MAX_LEARNT || known.is_some())
        {
            self.learnt.insert(id.clone(), target_s(longest));
        }
        self.muxers.remove_if(&id, is_this);
        muxer.end();
        tracing::debug!(camera = %id, "HLS muxer ends");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use tokio::time::Instant;

    use super::*;
    use crate::relay::{
        Codec, Format, Limits, Medium, Producer, Publisher, Registry, Transport, VideoFormat,
    };

    /// A camera that has sent 2 s of video, and nobody's muxer.
    fn camera() -> (Producer, Hls) {
        let registry = Registry::new(Limits::default(), Clock::system());
        let door = CameraId::parse("door").unwrap();
        let producer = registry.publish(&door, Publisher::over(Transport::Rtsp)).unwrap();
        let config = Bytes::from_static(&[1]);
        let (rfc6381, width, height) = ("avc1.64001f".into(), 640, 360);
        let video = VideoFormat { codec: Codec::H264, rfc6381, width, height, config };
        producer.begin_video(Format { video, audio: None }).unwrap();
        for n in 0..60 {
            let medium = Medium::Video { is_key: n % 30 == 0 };
            producer.push_unit(medium, n * 3000, Bytes::from_static(b"picture")).unwrap();
        }
        (producer, Hls::new(registry.clock(), CancellationToken::new()))
    }

    fn readers(producer: &Producer) -> usize {
        producer.camera().snapshot().video.unwrap().viewers
    }

    fn playable(window: &window::Window) -> Option<u32> {
        (window.whole() > 0).then_some(window.targets()?.segment_s)
    }

    #[tokio::test(start_paused = true)]
    async fn a_muxer_is_freed_half_a_minute_after_the_last_request() {
        let (producer, hls) = camera();
        let muxer = hls.muxer(producer.camera());
        muxer.wait(Duration::from_secs(1), playable).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!((hls.muxers(), readers(&producer)), (1, 1), "in use");
        drop(muxer);
        tokio::time::sleep(Duration::from_secs(25)).await;
        drop(hls.muxer(producer.camera()));
        tokio::time::sleep(Duration::from_secs(25)).await;
        assert_eq!(hls.muxers(), 1);
        tokio::time::sleep(Duration::from_secs(8)).await;
        assert_eq!((hls.muxers(), readers(&producer)), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_camera_is_let_go_when_nobody_asks_and_who_comes_back_begins_with_what_is_now() {
        let (producer, hls) = camera();
        let muxer = hls.muxer(producer.camera());
        muxer.wait(Duration::from_secs(1), playable).await.unwrap();
        let before = muxer.look(window::Window::edge).0;
        drop(muxer);
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(readers(&producer), 1, "they may only be slow");
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!((hls.muxers(), readers(&producer)), (1, 0));

        let back = Instant::now();
        let muxer = hls.muxer(producer.camera());
        muxer.wait(Duration::from_secs(1), playable).await.unwrap();
        assert!(back.elapsed() < Duration::from_millis(10), "the newest key frame is there");
        assert_eq!(readers(&producer), 1);
        let shown: Vec<_> = muxer.look(|window| window.shown().map(|it| it.number).collect());
        assert!(shown[0] >= before, "{shown:?} from {before} on");
        assert_eq!(muxer.look(window::Window::discontinuities), 1);
        assert!(
            muxer.look(|window| window.segment(shown[0] - 1).is_some()),
            "what was is still there"
        );
        let playlist = String::from_utf8(muxer.playlist().to_vec()).unwrap();
        assert!(playlist.contains("DISCONTINUITY-SEQUENCE:1\n"), "{playlist}");
        assert!(!playlist.contains("EXT-X-DISCONTINUITY\n"), "{playlist}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_cameras_pace_is_what_the_target_duration_goes_by() {
        let (producer, hls) = camera();
        let first = hls.muxer(producer.camera()).wait(Duration::from_secs(1), playable).await;
        assert_eq!(first, Ok(1), "the relay has seen two key frames");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_a_camera_that_is_forgotten_is_answered() {
        let (producer, hls) = camera();
        let camera = producer.camera().clone();
        let muxer = hls.muxer(&camera);
        drop(producer);
        hls.shutdown.cancel();
        let waited = muxer.wait(Duration::from_secs(60), |_| None::<()>).await;
        assert_eq!(waited, Err(muxer::NotYet::Ended));
    }
}
