//! A video track as its readers see it.

use std::time::Duration;

use super::*;

fn format(width: u16) -> Format {
    let video = VideoFormat {
        codec: Codec::H264,
        rfc6381: "avc1.64001f".into(),
        width,
        height: 360,
        config: Bytes::from_static(&[1, 0x64, 0, 0x1f]),
    };
    Format { video, audio: None }
}

/// A track in the middle of a group of three: key frame, two others.
fn flowing(at: Instant) -> VideoTrack {
    let track = VideoTrack::new(at);
    track.begin(format(640));
    for n in 0..3 {
        push(&track, n == 0, n, at);
    }
    track
}

fn push(track: &VideoTrack, is_key: bool, n: i64, at: Instant) {
    track.push(Medium::Video { is_key }, n * 3000, Bytes::from(vec![n as u8; 100]), at);
}

async fn pts(consumer: &mut VideoConsumer) -> i64 {
    consumer.next().await.unwrap().unit.pts / 3000
}

#[tokio::test]
async fn a_consumer_begins_with_the_newest_key_frame_and_misses_nothing() {
    let at = Instant::now();
    let track = flowing(at);
    let mut early = track.consumer();
    assert_eq!(pts(&mut early).await, 0);
    push(&track, true, 3, at);
    push(&track, false, 4, at);
    let mut late = track.consumer();
    assert_eq!(pts(&mut late).await, 3);
    assert_eq!(pts(&mut late).await, 4);
    for n in 1..5 {
        assert_eq!(pts(&mut early).await, n);
    }
}

#[tokio::test]
async fn a_consumer_that_lags_jumps_to_the_newest_key_frame_and_is_told() {
    let at = Instant::now();
    let track = flowing(at);
    let mut slow = track.consumer();
    assert_eq!(pts(&mut slow).await, 0);
    for n in 3..120 {
        push(&track, n % 30 == 0, n, at + Duration::from_millis(33) * n as u32);
    }
    let next = slow.next().await.unwrap();
    assert!(next.unit.is_key());
    assert_eq!((next.unit.pts / 3000, next.missed), (90, 89));
    assert_eq!(pts(&mut slow).await, 91);
}

#[tokio::test]
async fn a_new_format_begins_a_generation_with_a_key_frame() {
    let at = Instant::now();
    let track = flowing(at);
    let mut consumer = track.consumer();
    assert_eq!(pts(&mut consumer).await, 0);
    track.begin(format(1280));
    push(&track, false, 7, at);
    assert!(
        tokio::time::timeout(Duration::ZERO, consumer.next()).await.is_err(),
        "no key frame yet"
    );
    push(&track, true, 8, at);
    let next = consumer.next().await.unwrap();
    assert_eq!((next.unit.generation, next.unit.format.video.width, next.missed), (2, 1280, 0));
}

#[tokio::test]
async fn after_the_end_nothing_old_is_shown_and_the_wait_goes_on_until_the_camera_is_forgotten() {
    let at = Instant::now();
    let track = flowing(at);
    track.end();
    let mut consumer = track.consumer();
    assert!(tokio::time::timeout(Duration::ZERO, consumer.next()).await.is_err());
    assert!(consumer.format().is_none());
    track.close();
    assert!(consumer.next().await.is_none());
}

#[tokio::test]
async fn an_endless_group_is_bounded_and_harms_no_consumer_that_keeps_up() {
    let at = Instant::now();
    let track = flowing(at);
    let mut consumer = track.consumer();
    for n in 3..5000 {
        track.push(Medium::Video { is_key: false }, n * 3000, Bytes::from(vec![0; 10_000]), at);
        let next = consumer.next().await.unwrap();
        assert_eq!(next.missed, 0);
    }
    assert!(track.state.lock().bytes <= MAX_BYTES);
    let mut late = track.consumer();
    assert!(
        tokio::time::timeout(Duration::ZERO, late.next()).await.is_err(),
        "waits for a key frame"
    );
}

#[tokio::test]
async fn who_reads_video_is_demand_for_it() {
    let track = flowing(Instant::now());
    let mut demand = track.demand();
    assert!(tokio::time::timeout(Duration::ZERO, demand.wanted()).await.is_err());
    let consumer = track.consumer();
    demand.wanted().await;
    assert_eq!(track.viewers(), 1);
    drop(consumer);
    assert_eq!(track.viewers(), 0);
}

#[tokio::test]
async fn only_the_cameras_owner_brings_video_and_it_ends_with_them() {
    use crate::relay::{CameraId, Clock, Limits, Publisher, Registry, Transport};
    let registry = Registry::new(Limits::default(), Clock::system());
    let id = CameraId::parse("door").unwrap();
    let older = registry.publish(&id, Publisher::over(Transport::Rtsp)).unwrap();
    older.begin_video(format(640)).unwrap();
    older.push_unit(Medium::Video { is_key: true }, 0, Bytes::from_static(b"key")).unwrap();
    let camera = older.camera().clone();
    let mut consumer = camera.watch_video();
    assert!(consumer.next().await.unwrap().unit.is_key());
    assert_eq!(camera.snapshot().video.unwrap().width, 640);

    let newer = registry.publish(&id, Publisher::over(Transport::Rtsp)).unwrap();
    assert!(camera.video_format().is_none());
    assert!(older.begin_video(format(640)).is_err());
    assert!(older.push_unit(Medium::Audio, 0, Bytes::new()).is_err());
    newer.begin_video(format(1280)).unwrap();
    newer.close("done");
    assert!(camera.snapshot().video.is_none());
}
