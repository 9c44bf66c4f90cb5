//! What comes of the video of cameras that the server connects to, as players of others see it, from a
//! camera's own encoder to their decoders.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod common;
#[path = "support/pulled.rs"]
mod pulled;
#[path = "support/rtsp_camera.rs"]
mod rtsp_camera;

use std::{path::Path, process::Stdio, time::Duration, time::Instant};

use common::{Relay, error, json, post};
use framecast::{
    relay::{CameraId, LinkState, Publisher, Stamp, Transport},
    wire::{multipart::Splitter, pieces::Piece},
};
use pulled::{door, relay, still, streaming, wait_for};
use rtsp_camera::{PATIENCE, RtspCamera, clock, clock_of, now_ms};
use serde_json::json as object;
use tokio::process::Command;

const WIDTH: usize = 640;
/// Rows of the picture that have the clock.
const ROWS: usize = 2 * (WIDTH / 24);

/// What ffmpeg says to every fragmented MP4 over HLS, as it reads the initialization section before each
/// segment.
const USUAL: [&str; 3] = [
    "Found duplicated MOOV Atom. Skipped it",
    "Last message repeated",
    // A reader that a busy machine has held up goes on further ahead.
    "expired from playlists",
];

/// What the program wrote. It must have nothing to complain of, not even a warning.
async fn run(program: &str, args: &[&str]) -> Vec<u8> {
    let output = Command::new(program)
        .args(["-v", "warning"])
        .args(args)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(60), output).await.unwrap();
    let output = output.unwrap_or_else(|error| panic!("this test needs {program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let is_usual = |line: &str| USUAL.iter().any(|usual| line.contains(usual));
    assert!(said.lines().all(is_usual), "{program} {args:?}: {said}");
    assert!(output.status.success());
    output.stdout
}

/// Some seconds of the camera's HLS as ffmpeg took them, times and all.
struct Recording {
    folder: tempfile::TempDir,
}

/// One packet of a [`Recording`].
#[derive(Debug)]
struct Packet {
    is_video: bool,
    pts: f64,
    dts: f64,
}

impl Recording {
    async fn of(relay: &Relay, seconds: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("http://{}/hls/cam_door/index.m3u8", relay.view);
        let recording = Self { folder };
        let (seconds, file) = (seconds.to_string(), recording.file());
        // Not "-v error" alone: times that go back are a warning of the muxer's.
        let args = ["-i", &url, "-t", &seconds, "-map", "0", "-c", "copy", "-f", "mpegts", &file];
        run("ffmpeg", &args).await;
        recording
    }

    fn file(&self) -> String {
        Path::new(self.folder.path()).join("recording.ts").to_str().unwrap().to_owned()
    }

    async fn codecs(&self) -> Vec<String> {
        let args = ["-show_entries", "stream=codec_name", "-of", "csv=p=0", &self.file()];
        let text = String::from_utf8(run("ffprobe", &args).await).unwrap();
        // Those of the program, an empty line, those of the file.
        let streams = text.trim_end().rsplit("\n\n").next().unwrap_or_default();
        streams.lines().map(str::to_owned).collect()
    }

    async fn packets(&self) -> Vec<Packet> {
        let entries = "packet=codec_type,pts_time,dts_time";
        let args = ["-show_entries", entries, "-of", "csv=p=0", &self.file()];
        let text = String::from_utf8(run("ffprobe", &args).await).unwrap();
        let packet = |line: &str| {
            let mut cells = line.split(',');
            let is_video = cells.next().unwrap() == "video";
            let mut time = || cells.next().unwrap().parse().unwrap();
            Packet { is_video, pts: time(), dts: time() }
        };
        let is_packet = |line: &&str| line.starts_with("video,") || line.starts_with("audio,");
        text.lines().filter(is_packet).map(packet).collect()
    }

    /// When each picture is shown and what its clock says: the same but for its beginning, and growing.
    async fn clocks(&self) -> Vec<(f64, u64)> {
        let crop = format!("crop={WIDTH}:{ROWS}:0:0");
        let args = ["-i", &self.file(), "-map", "0:v", "-fps_mode", "passthrough", "-vf", &crop];
        let times = ["-enc_time_base", "-1"];
        let raw = ["-f", "rawvideo", "-pix_fmt", "gray", "-"];
        let pixels = run("ffmpeg", &[&args[..], &times, &raw].concat()).await;
        let clocks = pixels.chunks(WIDTH * ROWS).map(|picture| clock_of(picture, WIDTH).unwrap());
        let packets = self.packets().await;
        let mut shown: Vec<_> = packets.iter().filter(|it| it.is_video).map(|it| it.pts).collect();
        shown.sort_unstable_by(f64::total_cmp);
        let clocks: Vec<_> = clocks.collect();
        assert_eq!(clocks.len(), shown.len(), "every picture can be decoded");
        let pictures: Vec<_> = shown.into_iter().zip(clocks).collect();
        // However late a busy machine's camera makes them.
        let (begun, first) = pictures[0];
        for (shown, clock) in &pictures {
            let passed = (*clock as f64 - first as f64) / 1000.0;
            assert!(
                (shown - begun - passed).abs() < 0.08,
                "not in the camera's time: {pictures:?}"
            );
        }
        assert!(pictures.is_sorted_by_key(|(_, clock)| *clock), "not in order: {pictures:?}");
        pictures
    }

    /// When a tone begins behind silence.
    async fn tones(&self) -> Vec<f64> {
        const RATE: usize = 48_000;
        const STEP: usize = RATE / 200;
        const FRAME: usize = 1024;
        let args = ["-i", &self.file(), "-map", "0:a", "-f", "f32le", "-ac", "1", "-"];
        let samples = run("ffmpeg", &args).await;
        let samples: Vec<_> =
            samples.chunks_exact(4).map(|it| f32::from_le_bytes(it.try_into().unwrap())).collect();
        let packets = self.packets().await;
        let begins: Vec<_> = packets.iter().filter(|it| !it.is_video).map(|it| it.pts).collect();
        // Of AAC. A camera that is held up leaves gaps, so samples are not just counted.
        assert_eq!(samples.len(), begins.len() * FRAME);
        let loud: Vec<_> =
            samples.chunks(STEP).map(|step| step.iter().any(|it| it.abs() > 0.1)).collect();
        let is_beginning =
            |at: &usize| *at >= 40 && loud[*at] && !loud[*at - 40..*at].iter().any(|loud| *loud);
        let beginnings = (0..loud.len()).filter(is_beginning);
        let time = |at: usize| begins[at / FRAME] + (at % FRAME) as f64 / RATE as f64;
        beginnings.map(|at| time(at * STEP)).collect()
    }
}

async fn master(relay: &Relay) -> String {
    let answer = relay.get("/hls/cam_door/index.m3u8").await;
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap()
}

/// What a viewer over WebRTC is told.
async fn refusal_of_whep(relay: &Relay) -> String {
    let url = format!("http://{}/whep/door", relay.view);
    let offer = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n";
    let answer = post(&url, "application/sdp", offer).await;
    assert_eq!(answer.status(), 415);
    answer.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_udp_pictures_come_and_a_camera_that_goes_is_missed_and_found_again() {
    let mut rtsp = RtspCamera::start(&[]);
    let relay = relay().await;
    let settings = object!({"rtsp_transport": "udp", "on_demand": false});
    let camera = door(&relay, &rtsp.url, settings).await;
    streaming(&camera).await;
    let taken = clock(&still(&relay).await, WIDTH).expect("a clock in the picture");
    assert!(now_ms().abs_diff(taken) < 5000, "an old picture");

    rtsp.tell("freeze");
    let frozen = Instant::now();
    let failed = wait_for(&camera, |now| now.state == LinkState::Waiting).await;
    let took = frozen.elapsed().as_secs_f64();
    assert!((4.5..10.0).contains(&took), "{took} s");
    assert_eq!(failed.last_error.unwrap().code, "stalled");
    rtsp.tell("thaw");
    assert_eq!(streaming(&camera).await.reconnects, 1);

    let (url, killed) = (rtsp.url.clone(), Instant::now());
    drop(rtsp);
    wait_for(&camera, |now| now.state == LinkState::Waiting).await;
    let took = killed.elapsed();
    assert!(took < Duration::from_secs(9), "{took:?}");
    let _rtsp = RtspCamera::again(&url, &["--size", "320x240"]);
    let returned = Instant::now();
    streaming(&camera).await;
    assert!(returned.elapsed() < Duration::from_secs(9), "{:?}", returned.elapsed());
    assert!(clock(&still(&relay).await, 320).is_some());
}

/// The pictures of an MJPEG answer.
struct Mjpeg {
    answer: reqwest::Response,
    splitter: Splitter,
    pictures: std::collections::VecDeque<Vec<u8>>,
}

impl Mjpeg {
    async fn of(relay: &Relay, query: &str) -> Self {
        let answer = relay.get(&format!("/api/cameras/door/stream.mjpeg{query}")).await;
        assert_eq!(answer.status(), 200, "{query}");
        let splitter = Splitter::new(None, 1 << 20, 0);
        Self { answer, splitter, pictures: std::collections::VecDeque::new() }
    }

    async fn picture(&mut self) -> Vec<u8> {
        loop {
            if let Some(picture) = self.pictures.pop_front() {
                return picture;
            }
            let chunk = tokio::time::timeout(PATIENCE, self.answer.chunk()).await.expect("in time");
            let chunk = chunk.unwrap().expect("the stream has ended");
            let mut rest = &chunk[..];
            while let Some(piece) = self.splitter.next(&mut rest).unwrap() {
                let Piece::Frame(jpeg) = piece else { panic!("no picture") };
                self.pictures.push_back(jpeg);
            }
        }
    }
}

/// What is kept of the camera is a picture of before.
fn has_been_there(relay: &Relay) {
    let door = CameraId::parse("door").unwrap();
    let before = relay.registry.publish(&door, Publisher::over(Transport::Http)).unwrap();
    before.publish_jpeg(&common::jpeg(640, 360, 1), Stamp::default()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mjpeg_of_a_camera_that_is_connected_for_it_begins_with_a_picture_of_now_and_outlasts_it() {
    let mut rtsp = RtspCamera::start(&[]);
    let relay = relay().await;
    has_been_there(&relay);
    let camera = door(&relay, &rtsp.url, object!({"max_viewers": 2})).await;
    let asked = now_ms();
    let (mut whole, mut small) =
        tokio::join!(Mjpeg::of(&relay, ""), Mjpeg::of(&relay, "?width=320"));
    for (stream, width) in [(&mut whole, 640), (&mut small, 320)] {
        let taken = clock(&stream.picture().await, width).expect("a clock in the picture");
        assert!(taken + 1000 > asked, "{width}: of {} ms before", asked - taken);
    }
    assert_eq!(camera.seats_taken(), 2);

    rtsp.tell("freeze");
    wait_for(&camera, |now| now.state == LinkState::Waiting).await;
    let thawed = now_ms();
    rtsp.tell("thaw");
    let mut taken = 0;
    while taken < thawed {
        taken = clock(&whole.picture().await, 640).expect("a clock in the picture");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mjpeg_of_a_camera_that_cannot_be_connected_to_is_refused_in_the_words_of_its_still() {
    let rtsp = RtspCamera::start(&["--user", "admin", "--password", "hunter2"]);
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let cases = [
        (rtsp.url_with("admin:wrong"), "refuses the user name"),
        (format!("rtsp://{gone}/"), "refuses connections"),
    ];
    for (url, words) in cases {
        let relay = relay().await;
        has_been_there(&relay);
        let camera = door(&relay, &url, object!({})).await;
        let asked = Instant::now();
        let answers = ["stream.mjpeg", "stream.mjpeg?width=320", "frame.jpg"].map(async |path| {
            let answer = relay.get(&format!("/api/cameras/door/{path}")).await;
            let status = answer.status().as_u16();
            (status, json(answer).await["error"].clone())
        });
        let [whole, small, still] = answers;
        let (whole, small, still) = tokio::join!(whole, small, still);
        assert!(asked.elapsed() < Duration::from_secs(13), "{:?}", asked.elapsed());
        assert_eq!((still.0, &still.1["code"]), (503, &"camera_offline".into()));
        assert!(still.1["message"].as_str().unwrap().contains(words), "{still:?}");
        assert_eq!((&whole, &small), (&still, &still));
        assert_eq!(camera.seats_taken(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mjpeg_of_a_camera_that_says_nothing_is_refused_once_the_attempt_has_failed() {
    let relay = relay().await;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rtsp://{}/", silent.local_addr().unwrap());
    door(&relay, &url, object!({})).await;
    let asked = Instant::now();
    let answer = relay.get("/api/cameras/door/stream.mjpeg").await;
    assert_eq!(error(answer).await, (503, "camera_offline".to_owned()));
    let took = asked.elapsed().as_secs_f64();
    assert!((9.0..13.0).contains(&took), "{took} s");
}

/// Wants MJPEG and still to be refused in these words, and well before an attempt's 10 s are over.
async fn refused_at_once(relay: &Relay, words: &str) {
    let asked = Instant::now();
    let answers = ["stream.mjpeg", "frame.jpg"].map(async |path| {
        let answer = relay.get(&format!("/api/cameras/door/{path}")).await;
        let status = answer.status().as_u16();
        (status, json(answer).await["error"]["message"].clone())
    });
    let [stream, still] = answers;
    let (stream, still) = tokio::join!(stream, still);
    assert_eq!(stream, still);
    assert!(still.0 == 503 && still.1.as_str().unwrap().contains(words), "{still:?}");
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_while_an_address_is_corrected_is_told_at_once_what_came_of_the_new_one() {
    let relay = relay().await;
    let gone = [0; 2].map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let gone = gone.map(|listener| listener.local_addr().unwrap().to_string());
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = reqwest::Client::new();
    let camera = door(&relay, &format!("rtsp://{}/", gone[0]), object!({})).await;
    let start = format!("{}/stream/start", relay.camera_url("door"));
    // Those that failed before are none of those that are waited for.
    for _ in 0..6 {
        assert_eq!(post(&start, "", String::new()).await.status(), 200);
    }
    let before = camera.link().status().unwrap().failures;
    assert!(before >= 6);
    let elsewhere = object!({"rtsp_port": silent.local_addr().unwrap().port()}).to_string();
    let started = tokio::spawn(async move { post(&start, "", elsewhere).await.status() });
    let (_held, _) = tokio::time::timeout(PATIENCE, silent.accept()).await.unwrap().unwrap();
    let body = object!({"source": {"url": format!("rtsp://{}/", gone[1])}}).to_string();
    let correct = async {
        common::until(|| camera.seats_taken() == 2).await;
        let patch = client.patch(relay.camera_url("door")).body(body);
        assert_eq!(patch.send().await.unwrap().status(), 200);
    };
    let words = format!("{} refuses connections", gone[1]);
    tokio::join!(refused_at_once(&relay, &words), correct);
    assert!(camera.link().status().unwrap().failures > before);
    assert_eq!(started.await.unwrap(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_that_is_removed_and_added_again_says_again_why_it_cannot_be_connected_to() {
    let relay = relay().await;
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = reqwest::Client::new();
    let body =
        object!({"id": "door", "source": {"type": "rtsp", "url": format!("rtsp://{gone}/")}});
    for _ in 0..3 {
        let cameras = format!("http://{}/api/cameras", relay.view);
        assert_eq!(post(&cameras, "", body.to_string()).await.status(), 201);
        refused_at_once(&relay, &format!("{gone} refuses connections")).await;
        let removed = client.delete(relay.camera_url("door")).send().await.unwrap();
        assert_eq!(removed.status(), 204);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_comes_with_the_pictures_that_it_belongs_to() {
    let rtsp = RtspCamera::start(&["--aac"]);
    let relay = relay().await;
    door(&relay, &rtsp.url, object!({})).await;
    assert!(master(&relay).await.contains(",mp4a.40.2\""));
    let recording = Recording::of(&relay, 8).await;
    assert_eq!(recording.codecs().await, ["h264", "aac"]);
    let packets = recording.packets().await;
    for is_video in [true, false] {
        let these = packets.iter().filter(|packet| packet.is_video == is_video);
        let dts: Vec<_> = these.map(|packet| packet.dts).collect();
        assert!(dts.windows(2).all(|pair| pair[0] < pair[1]), "{dts:?}");
        assert!(dts[dts.len() - 1] - dts[0] > 6.0, "{dts:?}");
    }
    // The tone begins with the even seconds of the clock in the picture.
    let clocks = recording.clocks().await;
    let begins = |pair: &&[(f64, u64)]| {
        (pair[0].1 / 1000 + 1, pair[1].1 / 1000 % 2) == (pair[1].1 / 1000, 0)
    };
    let seen: Vec<_> = clocks.windows(2).filter(begins).map(|pair| pair[1].0).collect();
    let heard = recording.tones().await;
    assert!(seen.len() >= 3 && heard.len() >= 2, "{seen:?} {heard:?}");
    let late = |heard: &f64| {
        let nearest =
            seen.iter().map(|seen| heard - seen).min_by(|a, b| a.abs().total_cmp(&b.abs()));
        nearest.unwrap()
    };
    let mut late: Vec<_> = heard.iter().map(late).collect();
    println!("sound behind its pictures, in s: {late:?}");
    // The middle one: the camera's encoder evens out times that are off by less than 40 ms.
    late.sort_unstable_by(f64::total_cmp);
    assert!(late[late.len() / 2].abs() < 0.05, "{late:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h265_plays_over_hls_and_the_other_outputs_say_that_it_does() {
    let rtsp = RtspCamera::start(&["--codec", "h265", "--fps", "10"]);
    let relay = relay().await;
    door(&relay, &rtsp.url, object!({})).await;
    let master = master(&relay).await;
    assert!(master.contains("CODECS=\"hvc1."), "{master}");
    let recording = Recording::of(&relay, 4).await;
    assert_eq!(recording.codecs().await, ["hevc"]);
    assert!(recording.clocks().await.len() > 10);

    let refused = refusal_of_whep(&relay).await;
    assert!(
        refused.contains("unsupported_codec") && refused.contains("plays over HLS"),
        "{refused}"
    );
    for path in ["frame.jpg", "stream.mjpeg"] {
        let answer = relay.get(&format!("/api/cameras/door/{path}")).await;
        assert_eq!(error(answer).await, (415, "unsupported_codec".to_owned()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b_frames_play_over_hls_in_their_order_and_webrtc_says_that_they_do() {
    let rtsp = RtspCamera::start(&["--bframes", "2"]);
    let relay = relay().await;
    door(&relay, &rtsp.url, object!({})).await;
    let recording = Recording::of(&relay, 5).await;
    let packets = recording.packets().await;
    assert!(packets.windows(2).all(|pair| pair[0].dts < pair[1].dts), "{packets:?}");
    assert!(packets.iter().all(|packet| packet.pts >= packet.dts), "{packets:?}");
    assert!(packets.windows(2).any(|pair| pair[1].pts < pair[0].pts), "no B-frames");
    assert!(recording.clocks().await.len() > 60);

    let refused = refusal_of_whep(&relay).await;
    assert!(refused.contains("B-frames") && refused.contains("plays over HLS"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_is_left_15_s_after_it_is_known_that_nobody_watches_over_hls_any_more() {
    let rtsp = RtspCamera::start(&[]);
    let relay = relay().await;
    let camera = door(&relay, &rtsp.url, object!({})).await;
    master(&relay).await;
    let asked = Instant::now();
    wait_for(&camera, |now| now.state == LinkState::Standby).await;
    // Three target durations, which are 2 s while nothing is known of the camera, and 15 s.
    let took = asked.elapsed().as_secs_f64();
    assert!((20.5..28.0).contains(&took), "{took} s");
    common::until(|| rtsp.clients() == 0).await;
}
