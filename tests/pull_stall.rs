//! A camera that says nothing for a second: viewers are at the live edge again once it goes on, and not
//! behind it by what was missed.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod common;
#[path = "support/playlist.rs"]
mod playlist;
#[path = "support/pulled.rs"]
mod pulled;
#[path = "support/rtsp_camera.rs"]
mod rtsp_camera;

use std::{
    io::Write as _,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use common::Relay;
use framecast::wire::{multipart::Splitter, pieces::Piece};
use playlist::Playlist;
use pulled::{door, relay, streaming};
use rtsp_camera::{PATIENCE, RtspCamera, clock, clock_of, now_ms};
use serde_json::json as object;
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

const WIDTH: usize = 640;
/// Rows of the picture that have the clock.
const ROWS: usize = 2 * (WIDTH / 24);

/// When something came, in Unix milliseconds, and its bytes.
type Came = (u64, Vec<u8>);

/// Follows the live edge as LL-HLS players do, and takes each newest part with what it needs before it.
async fn parts(relay: Arc<Relay>, until_ms: u64) -> Vec<Came> {
    let bytes = async |uri: &str| {
        let answer = relay.get(&format!("/hls/cam_door/{uri}")).await;
        assert_eq!(answer.status(), 200, "{uri}");
        answer.bytes().await.unwrap()
    };
    let mut came = Vec::new();
    let mut query = String::new();
    while now_ms() < until_ms {
        let list = bytes(&format!("media.m3u8{query}")).await;
        let list = Playlist::parse(std::str::from_utf8(&list).unwrap());
        let (msn, part) = list.edge();
        query = format!("?_HLS_msn={msn}&_HLS_part={part}");
        let ended = list.segments.last().and_then(|segment| segment.parts.last());
        let newest = list.open.last().or(ended).unwrap();
        assert!(newest.independent, "each picture of this camera is a key frame");
        let part = bytes(&newest.uri).await;
        let at = now_ms();
        came.push((at, [&bytes(list.maps.last().unwrap()).await[..], &part].concat()));
    }
    came
}

/// The pictures of the MJPEG stream.
async fn jpegs(relay: Arc<Relay>, until_ms: u64) -> Vec<Came> {
    let mut answer = relay.get("/api/cameras/door/stream.mjpeg").await;
    let mut splitter = Splitter::new(None, 1 << 20, 0);
    let mut came = Vec::new();
    while now_ms() < until_ms {
        let chunk = timeout(PATIENCE, answer.chunk()).await.unwrap().unwrap().unwrap();
        let mut rest = &chunk[..];
        while let Some(piece) = splitter.next(&mut rest).unwrap() {
            let Piece::Frame(jpeg) = piece else { panic!("no picture") };
            came.push((now_ms(), jpeg));
        }
    }
    came
}

/// What the clock in a part's last picture says.
fn clock_of_part(part: &[u8]) -> Option<u64> {
    let crop = format!("crop={WIDTH}:{ROWS}:0:0");
    let mut ffmpeg = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "mp4", "-i", "-", "-fps_mode", "passthrough", "-vf", &crop])
        .args(["-f", "rawvideo", "-pix_fmt", "gray", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("apt-get install ffmpeg");
    let mut stdin = ffmpeg.stdin.take().unwrap();
    let part = part.to_vec();
    let writing = std::thread::spawn(move || stdin.write_all(&part));
    let pixels = ffmpeg.wait_with_output().unwrap().stdout;
    writing.join().unwrap().unwrap();
    clock_of(pixels.chunks_exact(WIDTH * ROWS).last()?, WIDTH)
}

/// Holds what came against when the camera was frozen and when it went on.
async fn is_live_again(
    what: &str,
    came: JoinHandle<Vec<Came>>,
    (frozen, thawed): (u64, u64),
    clock: impl Fn(&[u8]) -> Option<u64>,
) {
    let came = came.await.unwrap();
    // When, and how old it was then, in milliseconds.
    let seen: Vec<(u64, u64)> = came
        .iter()
        .map(|(at, bytes)| (*at, at.saturating_sub(clock(bytes).expect("a clock in the picture"))))
        .collect();
    let ages = |from: u64, to: u64| -> Vec<u64> {
        let within = seen.iter().filter(|(at, _)| (from..to).contains(at));
        within.map(|(_, age)| *age).collect()
    };
    let mut usual = ages(0, frozen);
    usual.sort_unstable();
    let usual = usual[usual.len() / 2];
    let made = |(at, age): &(u64, u64)| at - age;
    let missing = seen.windows(2).map(|pair| made(&pair[1]).saturating_sub(made(&pair[0]))).max();
    let back = seen.iter().find(|it| made(it) >= thawed).map(|(at, _)| at - thawed);
    let later = ages(thawed + 1500, u64::MAX);
    println!(
        "{what}: usually {usual} ms old, {missing:?} ms missing, back {back:?} ms after the thaw, then {later:?}"
    );
    assert!(missing.unwrap() >= 900, "{what}: it was not frozen");
    assert!(back.unwrap() < 1500, "{what}: back after {back:?} ms");
    assert!(later.len() >= 3, "{what}: {later:?}");
    // One that plays on where it was would be older by the second that was missed, and so would all of them.
    let mut sorted = later.clone();
    sorted.sort_unstable();
    let now = sorted[sorted.len() / 2];
    assert!(now < usual + 500, "{what}: {now} ms old, usually {usual}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_second_without_pictures_hls_and_mjpeg_are_at_the_live_edge_again() {
    let mut rtsp = RtspCamera::start(&["--gop", "1", "--kbps", "4000"]);
    let relay = Arc::new(relay().await);
    let settings = object!({"on_demand": false, "jpeg_fps": 10.0});
    let camera = door(&relay, &rtsp.url, settings).await;
    streaming(&camera).await;
    // Until both have begun.
    for path in ["/hls/cam_door/index.m3u8", "/api/cameras/door/frame.jpg"] {
        assert_eq!(relay.get(path).await.status(), 200, "{path}");
    }
    let until = now_ms() + 6500;
    let hls = tokio::spawn(parts(relay.clone(), until));
    let mjpeg = tokio::spawn(jpegs(relay.clone(), until));
    sleep(Duration::from_millis(2500)).await;
    rtsp.tell("freeze");
    let frozen = now_ms();
    sleep(Duration::from_secs(1)).await;
    let thawed = now_ms();
    rtsp.tell("thaw");
    is_live_again("LL-HLS", hls, (frozen, thawed), clock_of_part).await;
    is_live_again("MJPEG", mjpeg, (frozen, thawed), |jpeg| clock(jpeg, WIDTH)).await;
}
