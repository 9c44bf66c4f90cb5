//! Low-latency HLS from a real server: what playlists say, what is waited for, who may watch.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[path = "support/clip.rs"]
mod clip;
mod common;
#[path = "support/playlist.rs"]
mod playlist;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use clip::Clip;
use common::{Relay, error, jpeg};
use framecast::relay::{CameraId, Producer, Publisher, TICKS, Transport};
use playlist::Playlist;

/// A camera that has sent so many seconds of a clip.
fn camera(relay: &Relay, id: &str, clip: &Clip, seconds: i64) -> Producer {
    let id = CameraId::parse(id).unwrap();
    let producer = relay.registry.publish(&id, Publisher::over(Transport::Rtsp)).unwrap();
    producer.begin_video(clip.format.clone()).unwrap();
    clip.send_at_once(&producer, 0, seconds * TICKS);
    producer
}

async fn list(relay: &Relay, path: &str) -> Playlist {
    let answer = relay.get(path).await;
    assert_eq!(answer.status(), 200, "{:?}", answer.text().await);
    assert_eq!(answer.headers()["content-type"], "application/vnd.apple.mpegurl");
    assert_eq!(answer.headers()["cache-control"], "no-cache");
    Playlist::parse(&answer.text().await.unwrap())
}

const MEDIA: &str = "/hls/cam_2/media.m3u8";

#[tokio::test]
async fn the_master_playlist_says_what_the_video_is() {
    let relay = Relay::start().await;
    let clip = Clip::open("hls-plain.mp4");
    let camera = camera(&relay, "2", &clip, 3);
    for path in
        ["/hls/cam_2/index.m3u8", "/hls/2/index.m3u8", "/api/cameras/2/stream/playlist.m3u8"]
    {
        let master = list(&relay, path).await;
        let [variant] = &master.variants[..] else { panic!("{master:?}") };
        let codecs = format!("{},mp4a.40.2", clip.format.video.rfc6381);
        assert_eq!((&*variant.codecs, &*variant.resolution), (&*codecs, "320x180"));
        assert!((variant.frame_rate - 30.0).abs() < 0.01);
        assert!(variant.bandwidth >= variant.average, "{variant:?}");
        assert!((100_000..500_000).contains(&variant.average), "{variant:?}");
        let folder = path.rsplit_once('/').unwrap().0;
        let media = list(&relay, &format!("{folder}/{}", variant.uri)).await;
        media.check();
        let segment = relay.get(&format!("{folder}/{}", media.segments[0].uri)).await;
        assert_eq!(
            (segment.status().as_u16(), &segment.headers()["content-type"]),
            (200, &"video/mp4".parse().unwrap())
        );
        assert_eq!(segment.headers()["cache-control"], "max-age=3600, immutable");
    }
    // Each followed the same client's invitation, and a HEAD takes none.
    let seats = camera.camera().seats_taken();
    let url = format!("http://{}/hls/cam_2/index.m3u8", relay.view);
    let head = reqwest::Client::new().head(&url).send().await.unwrap();
    assert_eq!((head.status().as_u16(), camera.camera().seats_taken()), (200, seats));
}

#[tokio::test]
async fn a_camera_whose_id_is_cam_2_comes_before_camera_2() {
    let relay = Relay::start().await;
    let (plain, other) = (Clip::open("hls-plain.mp4"), Clip::open("hls-plain.mp4").silent());
    let _two = camera(&relay, "2", &plain, 3);
    let codecs = async |path: &str| list(&relay, path).await.variants[0].codecs.clone();
    assert!(codecs("/hls/cam_2/index.m3u8").await.contains("mp4a"));
    let _cam_two = camera(&relay, "cam_2", &other, 3);
    assert!(!codecs("/hls/cam_2/index.m3u8").await.contains("mp4a"));
    assert!(!codecs("/hls/cam_cam_2/index.m3u8").await.contains("mp4a"));
    assert!(codecs("/hls/2/index.m3u8").await.contains("mp4a"));
    assert!(codecs("/api/cameras/2/stream/playlist.m3u8").await.contains("mp4a"));
}

#[tokio::test]
async fn playlists_keep_every_rule_from_one_to_the_next() {
    for clip in ["hls-plain.mp4", "hls-b-frames.mp4"] {
        let relay = Relay::start().await;
        let clip = Clip::open(clip);
        let camera = camera(&relay, "2", &clip, 2);
        let first = list(&relay, MEDIA).await;
        let (mut before, mut names) = (first, HashMap::new());
        for step in 0..60 {
            let from = 2 * TICKS + step * TICKS / 5;
            let (msn, part) = before.edge();
            let wait = format!("{MEDIA}?_HLS_msn={msn}&_HLS_part={part}");
            let wait = list(&relay, &wait);
            let push = async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                clip.send_at_once(&camera, from, from + TICKS / 5);
            };
            let (now, ()) = tokio::join!(wait, push);
            now.check();
            assert!(now.edge() > before.edge(), "{:?}", now.edge());
            assert_eq!(now.target_s, before.target_s, "must never change");
            assert_eq!(now.part_target.to_bits(), before.part_target.to_bits());
            assert!(now.sequence >= before.sequence);
            let parts = |list: &Playlist| -> Vec<_> {
                list.segments.iter().flat_map(|it| &it.parts).chain(&list.open).cloned().collect()
            };
            let fresh = parts(&now).into_iter().find(|part| !parts(&before).contains(part));
            assert_eq!(fresh.unwrap().uri, before.hint, "what was hinted at came");
            for (n, segment) in now.segments.iter().enumerate() {
                let number = now.sequence + n as u64;
                assert_eq!(names.entry(number).or_insert(segment.uri.clone()), &segment.uri);
            }
            let length: f64 = now.segments.iter().map(|segment| segment.duration).sum();
            if now.sequence > before.sequence {
                assert!(length >= 3.0 * now.target_s as f64 - 1e-6 && now.segments.len() >= 3);
            }
            assert!(now.segments.len() <= 7);
            before = now;
        }
        // A key frame a second, and segments that begin with it.
        let new = &before.segments[before.segments.len() - 2];
        assert!((new.duration - 1.0).abs() < 1e-6 && new.parts[0].independent, "{new:?}");
    }
}

#[tokio::test]
async fn a_reload_waits_for_what_it_asks_for_and_no_longer_than_it_may() {
    let relay = Relay::start().await;
    let clip = Clip::open("hls-plain.mp4").silent();
    let _camera = camera(&relay, "2", &clip, 3);
    let (msn, part) = list(&relay, MEDIA).await.edge();
    let refused = async |query: String| error(relay.get(&format!("{MEDIA}?{query}")).await).await;
    let bad = (400, "bad_request".to_owned());
    assert_eq!(refused(format!("_HLS_msn={}", msn + 3)).await, bad);
    assert_eq!(refused(format!("_HLS_msn={msn}&_HLS_part={}", part + 50)).await, bad);
    assert_eq!(refused("_HLS_part=1".into()).await, bad);
    assert_eq!(refused("_HLS_msn=x".into()).await, bad);
    // What is there already is answered at once, also a part behind a segment's last one.
    let begin = Instant::now();
    list(&relay, &format!("{MEDIA}?_HLS_msn={}&_HLS_part=2", msn - 1)).await;
    list(&relay, &format!("{MEDIA}?_HLS_msn={}", msn - 1)).await;
    list(&relay, &format!("{MEDIA}?_HLS_msn={}&_HLS_part=9", msn - 2)).await;
    assert!(begin.elapsed() < Duration::from_secs(1));
    // A camera that has stopped: three target durations.
    let late = refused(format!("_HLS_msn={}", msn + 1)).await;
    assert_eq!(late, (503, "camera_offline".to_owned()));
    assert!((2500..4500).contains(&begin.elapsed().as_millis()), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn the_hinted_part_is_answered_when_it_is_complete() {
    let relay = Relay::start().await;
    let clip = Clip::open("hls-plain.mp4").silent();
    let camera = camera(&relay, "2", &clip, 3);
    let hint = list(&relay, MEDIA).await.hint;
    let push = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        // Six pictures and no seventh: none is waited for.
        clip.send_at_once(&camera, 3 * TICKS, 3 * TICKS + TICKS / 5);
        Instant::now()
    };
    let path = format!("/hls/cam_2/{hint}");
    let wait = async {
        let answer = relay.get(&path).await;
        assert_eq!(answer.status(), 200);
        (answer.bytes().await.unwrap(), Instant::now())
    };
    let ((bytes, came), pushed) = tokio::join!(wait, push);
    assert!(bytes.windows(4).any(|it| it == b"moof") && bytes.len() > 500);
    let late = came.saturating_duration_since(pushed);
    assert!(late < Duration::from_millis(150), "{late:?}");
    let number: u64 = hint.split(['-', '.']).nth(1).unwrap().parse().unwrap();
    for gone in [format!("part-{}.m4s", number + 5), "part-0.m4s".into(), "seg-x.m4s".into()] {
        let answer = relay.get(&format!("/hls/cam_2/segment/{gone}")).await;
        assert_eq!(error(answer).await, (404, "not_found".into()));
    }
}

#[tokio::test]
async fn a_camera_that_comes_back_otherwise_is_a_discontinuity_with_its_own_initialization() {
    let relay = Relay::start().await;
    let clip = Clip::open("hls-plain.mp4");
    let camera = camera(&relay, "2", &clip, 3);
    let before = list(&relay, MEDIA).await;
    let mut other = Clip::open("hls-b-frames.mp4").silent();
    other.format.video.width = 640;
    camera.begin_video(other.format.clone()).unwrap();
    // In steps: a reader that is far behind goes on with the newest key frame.
    for from in 0..3 {
        other.send_at_once(&camera, from * TICKS, (from + 1) * TICKS);
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let (msn, part) = before.edge();
    let after = list(&relay, &format!("{MEDIA}?_HLS_msn={}&_HLS_part={part}", msn + 1)).await;
    after.check();
    let anew = after.segments.iter().position(|segment| segment.is_discontinuous).unwrap();
    assert_eq!(
        (after.maps.len(), after.segments[anew].map, after.target_s),
        (2, 1, before.target_s)
    );
    let init = async |uri: &String| relay.get(&format!("/hls/cam_2/{uri}")).await.bytes().await;
    assert_ne!(init(&after.maps[0]).await.unwrap(), init(&after.maps[1]).await.unwrap());
    let master = list(&relay, "/hls/cam_2/index.m3u8").await;
    assert_eq!(master.variants[0].resolution, "640x180");
}

#[tokio::test]
async fn one_viewer_more_than_the_camera_may_have_is_told_to_come_again() {
    let relay = Relay::start().await;
    let camera = camera(&relay, "2", &Clip::open("hls-plain.mp4"), 3);
    camera.camera().limit_viewers(1);
    let get = async |path: &str, program: &str| {
        let url = format!("http://{}{path}", relay.view);
        let request = reqwest::Client::new().get(url).header("user-agent", program);
        request.send().await.unwrap()
    };
    let one = get("/hls/cam_2/index.m3u8", "one").await.text().await.unwrap();
    let two = get("/hls/cam_2/index.m3u8", "two").await;
    assert_eq!(two.headers()["retry-after"], "2");
    assert_eq!(error(two).await, (503, "at_capacity".into()));
    assert_eq!(error(get(MEDIA, "two").await).await, (503, "at_capacity".into()));
    let mine = Playlist::parse(&one).variants[0].uri.clone();
    assert_eq!(get(&format!("/hls/cam_2/{mine}"), "one").await.status(), 200);
    assert_eq!(camera.camera().seats_taken(), 1);
}

#[tokio::test]
async fn what_has_no_video_says_so_and_names_what_there_is() {
    let relay = Relay::start().await;
    let unknown = relay.get("/hls/cam_9/index.m3u8").await;
    assert_eq!(error(unknown).await, (404, "unknown_camera".into()));
    relay.still("webcam", jpeg(64, 48, 1)).await;
    let answer = relay.get("/hls/webcam/index.m3u8").await;
    assert!(answer.status().is_client_error());
    let text = answer.text().await.unwrap();
    assert!(
        text.contains("no_video") && text.contains("/api/cameras/webcam/stream.mjpeg"),
        "{text}"
    );
    let nowhere = relay.get("/hls/webcam/other.m3u8").await;
    assert_eq!(error(nowhere).await, (404, "not_found".into()));
}

#[tokio::test]
async fn a_cold_camera_is_waited_for_and_is_demand_meanwhile() {
    let relay = Relay::start().await;
    let clip = Clip::open("hls-plain.mp4");
    let camera = camera(&relay, "2", &clip, 0);
    let wait = async { (list(&relay, "/hls/cam_2/index.m3u8").await, Instant::now()) };
    let begin = async {
        camera.camera().video_demand().wanted().await;
        // No more than a part of video, and the sound that came with it.
        clip.send_at_once(&camera, 0, TICKS / 5);
        Instant::now()
    };
    let ((master, answered), sent) = tokio::join!(wait, begin);
    assert_eq!(master.variants.len(), 1);
    let late = answered.saturating_duration_since(sent);
    assert!(late < Duration::from_millis(200), "{late:?}");
    let media = list(&relay, MEDIA).await;
    assert_eq!((media.segments.len(), media.target_s), (1, 2), "players need a whole segment");
}

#[tokio::test]
async fn a_camera_that_does_not_come_is_answered_with_the_reason() {
    let relay = Relay::start().await;
    let id = CameraId::parse("2").unwrap();
    let producer = relay.registry.publish(&id, Publisher::over(Transport::Rtsp)).unwrap();
    producer.close("wrong password");
    let answer = relay.get("/hls/cam_2/index.m3u8").await;
    assert_eq!(answer.headers()["retry-after"], "2");
    let text = answer.text().await.unwrap();
    assert!(text.contains("camera_offline") && text.contains("wrong password"), "{text}");
}
