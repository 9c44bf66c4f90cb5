//! Cameras that the server connects to, against the GStreamer test camera: every codec, logins, and
//! cameras that are killed, freeze, or come back as another.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod common;
#[path = "support/pulled.rs"]
mod pulled;
#[path = "support/rtsp_camera.rs"]
mod rtsp_camera;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use common::{Relay, error, json, post};
use framecast::relay::{Codec, LinkState};
use pulled::{door, relay, still, streaming, wait_for};
use rtsp_camera::{PATIENCE, RtspCamera, clock, now_ms};
use serde_json::{Value, json as object};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

async fn tell(relay: &Relay, path: &str, body: Value) -> Value {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = post(&format!("http://{}{path}", relay.view), "", body).await;
    assert_eq!(answer.status(), 200, "{path}");
    json(answer).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_on_demand_is_connected_once_for_all_who_watch_and_left_15_s_after_the_last() {
    let rtsp = RtspCamera::start(&["--aac"]);
    let relay = relay().await;
    let camera = door(&relay, &rtsp.url, object!({})).await;
    let shown = relay.json("/api/cameras/door").await;
    assert_eq!(shown["reason"], "standing by: connects when somebody watches");
    assert_eq!(rtsp.clients(), 0);

    let taken = clock(&still(&relay).await, 640).expect("a clock in the picture");
    assert!(now_ms().abs_diff(taken) < 5000, "an old picture");
    let mut others = Vec::new();
    for _ in 0..5 {
        others.push(relay.get("/api/cameras/door/stream.mjpeg").await);
        others.last_mut().unwrap().chunk().await.unwrap();
    }
    let mut video = camera.watch_video();
    let unit = tokio::time::timeout(PATIENCE, video.next()).await.unwrap().unwrap().unit;
    assert!(unit.is_key() && unit.format.video.codec == Codec::H264);
    assert_eq!((unit.format.video.width, unit.format.video.height), (640, 360));
    assert_eq!(unit.format.audio.as_ref().unwrap().rfc6381, "mp4a.40.2");
    assert_eq!(rtsp.most_clients(), 1);

    let health = relay.json("/api/streams/status/door").await;
    assert_eq!((&health["is_active"], &health["codec"]), (&true.into(), &"h264".into()));
    assert_eq!((&health["width"], &health["last_error"]), (&640.into(), &Value::Null));

    drop((others, video));
    let left = Instant::now();
    wait_for(&camera, |now| now.state == LinkState::Standby).await;
    let took = left.elapsed().as_secs_f64();
    assert!((14.0..20.0).contains(&took), "{took} s");
    let stored = relay.get("/api/cameras/door/frame.jpg?stored=true").await;
    assert_eq!(stored.status(), 200, "the last picture stays");
    assert_eq!(camera.link().status().unwrap().state, LinkState::Standby);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h265_has_video_and_says_that_it_has_no_pictures() {
    let rtsp = RtspCamera::start(&["--codec", "h265"]);
    let relay = relay().await;
    let camera = door(&relay, &rtsp.url, object!({})).await;
    let answer = relay.get("/api/cameras/door/frame.jpg").await;
    assert_eq!(error(answer).await, (415, "unsupported_codec".to_owned()));
    let unit = tokio::time::timeout(PATIENCE, camera.watch_video().next()).await.unwrap().unwrap();
    assert_eq!(unit.unit.format.video.codec, Codec::H265);
    assert!(unit.unit.format.video.rfc6381.starts_with("hvc1."), "{:?}", unit.unit.format);
    let mjpeg = relay.get("/api/cameras/door/stream.mjpeg").await;
    assert_eq!(error(mjpeg).await, (415, "unsupported_codec".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mjpeg_over_rtsp_and_over_http_passes_as_it_is() {
    let rtsp = RtspCamera::start(&["--codec", "mjpeg", "--fps", "10"]);
    let relay = relay().await;
    let camera = door(&relay, &rtsp.url, object!({})).await;
    let taken = clock(&still(&relay).await, 640).expect("a clock in the picture");
    assert!(now_ms().abs_diff(taken) < 5000, "an old picture");
    assert_eq!(camera.snapshot().video.map(|video| video.codec), None);

    let source = format!("http://{}/api/cameras/door/stream.mjpeg", relay.view);
    let second = object!({"id": "copy", "source": {"type": "mjpeg", "url": source}});
    let added = post(&format!("http://{}/api/cameras", relay.view), "", second.to_string()).await;
    assert_eq!(added.status(), 201);
    let _watching = relay.registry.get("copy").unwrap().viewing();
    let mut copies = relay.registry.get("copy").unwrap().consumer();
    let copied = tokio::time::timeout(PATIENCE, copies.next()).await.unwrap().unwrap().frame;
    let same = camera.cached(100, |frame| frame.jpeg()).into_iter().any(|it| it == copied.jpeg());
    assert!(same, "not the source's bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_of_a_stream_with_b_frames_come_whole_and_in_order() {
    let rtsp = RtspCamera::start(&["--bframes", "2"]);
    let relay = relay().await;
    let camera = door(&relay, &rtsp.url, object!({"jpeg_fps": 10})).await;
    let mut video = camera.watch_video();
    let mut pts = Vec::new();
    while pts.len() < 20 {
        let unit = tokio::time::timeout(PATIENCE, video.next()).await.unwrap().unwrap().unit;
        pts.push(unit.pts);
    }
    assert!(pts.windows(2).any(|pair| pair[1] < pair[0]), "no B-frames: {pts:?}");

    let _watching = camera.viewing();
    let mut pictures = camera.consumer();
    let mut clocks = Vec::new();
    while clocks.len() < 12 {
        let next = tokio::time::timeout(PATIENCE, pictures.next()).await.unwrap().unwrap();
        clocks.push(clock(&next.frame.jpeg(), 640).expect("a clock in the picture"));
    }
    // Before the order is known, at the very first, one may come early.
    assert!(clocks[4..].is_sorted(), "{clocks:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_polls_gets_each_time_a_picture_that_was_taken_later() {
    // Half a minute without a key frame but the first.
    let rtsp = RtspCamera::start(&["--fps", "15", "--gop", "450"]);
    let relay = relay().await;
    door(&relay, &rtsp.url, object!({})).await;
    let (mut clocks, mut seq) = (Vec::new(), 0);
    for _ in 0..25 {
        let path = format!("/api/cameras/door/frame.jpg?after={seq}&timeout_ms=9000");
        let answer = relay.get(&path).await;
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        seq = answer.headers()["x-framecast-seq"].to_str().unwrap().parse().unwrap();
        clocks.push(clock(&answer.bytes().await.unwrap(), 640).expect("a clock in the picture"));
    }
    assert!(clocks.windows(2).all(|pair| pair[0] < pair[1]), "{clocks:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_is_used_and_a_wrong_one_is_told_in_words() {
    for scheme in [&[][..], &["--basic"]] {
        let login = ["--user", "admin", "--password", "hunter2"];
        let rtsp = RtspCamera::start(&[&login[..], scheme].concat());
        let relay = relay().await;
        let path = "/api/camera-test";
        let source = |url: String| object!({"source": {"type": "rtsp", "url": url}});
        let good = tell(&relay, path, source(rtsp.url_with("admin:hunter2"))).await;
        assert_eq!(
            (&good["ok"], &good["found"]["codec"]),
            (&true.into(), &"h264".into()),
            "{good}"
        );
        assert_eq!((&good["found"]["width"], &good["found"]["audio"]), (&640.into(), &Value::Null));
        let bad = tell(&relay, path, source(rtsp.url_with("admin:wrong"))).await;
        assert_eq!((&bad["ok"], &bad["error"]["code"]), (&false.into(), &"unauthorized".into()));
        assert!(bad["error"]["message"].as_str().unwrap().contains("refuses the user name"));
        let none = tell(&relay, path, source(rtsp.url.clone())).await;
        assert!(none["error"]["message"].as_str().unwrap().contains("wants a user name"), "{none}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_an_address_is_told_in_words() {
    let rtsp = RtspCamera::start(&[]);
    let relay = relay().await;
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let cases = [
        (format!("rtsp://{gone}/"), "refused", "refuses connections"),
        (rtsp.url.replace("stream1", "nothing"), "not_found", "/nothing"),
        (format!("rtsp://{}/", silent.local_addr().unwrap()), "unreachable", "does not answer"),
        ("rtsp://camera.invalid/".to_owned(), "unreachable", "camera.invalid"),
    ];
    for (url, code, words) in cases {
        let body = object!({"source": {"type": "rtsp", "url": url}});
        let told = tell(&relay, "/api/camera-test", body).await;
        let message = told["error"]["message"].as_str().unwrap();
        assert_eq!(told["error"]["code"], code, "{url}: {message}");
        assert!(message.contains(words), "{url}: {message}");
    }
    let pushed = object!({"source": {"type": "push"}}).to_string();
    let path = format!("http://{}/api/camera-test", relay.view);
    assert_eq!(error(post(&path, "", pushed).await).await, (409, "not_pulled".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_that_was_killed_is_back_within_3_s_as_another_size_and_generation() {
    let rtsp = RtspCamera::start(&[]);
    let relay = relay().await;
    let camera = door(&relay, &rtsp.url, object!({"on_demand": false})).await;
    streaming(&camera).await;
    let before = camera.snapshot().video.unwrap();
    let url = rtsp.url.clone();
    drop(rtsp);
    let failed = wait_for(&camera, |now| now.state == LinkState::Waiting).await;
    assert!(failed.last_error.is_some() && failed.next_retry_us.is_some(), "{failed:?}");
    // Away for longer than the first few tries.
    wait_for(&camera, |now| now.failures >= 5).await;
    let offline = relay.json("/api/cameras/door").await;
    assert_eq!(offline["online"], false);

    let rtsp = RtspCamera::again(&url, &["--size", "320x240"]);
    let returned = Instant::now();
    let back = streaming(&camera).await;
    let took = returned.elapsed();
    println!("back after {took:?}");
    // Tries are 1.5 s apart; but one that meets the camera as it starts may have to wait for an encoder
    // on a busy machine, and is given up after 10 s.
    assert!(took < Duration::from_secs(15), "{took:?}");
    assert_eq!((back.reconnects, back.last_error), (1, None));
    let video = camera.snapshot().video.unwrap();
    assert_eq!((video.width, video.height), (320, 240));
    assert!(video.generation > before.generation);
    drop(rtsp);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_that_freezes_is_left_after_5_s_and_is_back_when_it_thaws() {
    let mut rtsp = RtspCamera::start(&[]);
    let relay = relay().await;
    let camera = door(&relay, &rtsp.url, object!({"on_demand": false})).await;
    streaming(&camera).await;
    rtsp.tell("freeze");
    let frozen = Instant::now();
    let failed = wait_for(&camera, |now| now.state == LinkState::Waiting).await;
    let took = frozen.elapsed().as_secs_f64();
    assert!((4.5..9.0).contains(&took), "{took} s");
    assert_eq!(failed.last_error.unwrap().code, "stalled");
    rtsp.tell("thaw");
    assert_eq!(streaming(&camera).await.reconnects, 1);
}

fn address(rtsp: &RtspCamera) -> SocketAddr {
    rtsp.url.split('/').nth(2).unwrap().parse().unwrap()
}

/// A port with the camera at `to`, which says something else in the header line that begins so.
async fn saying(
    to: SocketAddr,
    start: &'static str,
    other: impl Fn(&str) -> String + Clone + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut outer, _)) = listener.accept().await {
            let mut inner = TcpStream::connect(to).await.unwrap();
            let other = other.clone();
            tokio::spawn(async move {
                let (mut from_camera, mut to_camera) = inner.split();
                let (mut asked, mut answer) = outer.split();
                let answers = async {
                    loop {
                        let mut line = Vec::new();
                        while line.last() != Some(&b'\n') {
                            line.push(from_camera.read_u8().await?);
                        }
                        let line = String::from_utf8(line).unwrap();
                        if !line.starts_with(start) {
                            answer.write_all(line.as_bytes()).await?;
                            continue;
                        }
                        let other = other(line.trim_end()) + "\r\n";
                        answer.write_all(other.as_bytes()).await?;
                        return tokio::io::copy(&mut from_camera, &mut answer).await;
                    }
                };
                let _ = tokio::join!(answers, tokio::io::copy(&mut asked, &mut to_camera));
            });
        }
    });
    addr
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_that_names_another_address_as_its_own_is_asked_where_it_was_found() {
    let rtsp = RtspCamera::start(&["--user", "admin", "--password", "hunter2", "--aac"]);
    let there = saying(address(&rtsp), "Content-Base: rtsp://127.0.0.1:", |_| {
        "Content-Base: rtsp://192.0.2.7:554/stream1/".to_owned()
    });
    let there = there.await;
    let relay = relay().await;
    let url = format!("rtsp://admin:hunter2@{there}/stream1");
    let body = object!({"source": {"type": "rtsp", "url": url}});
    let found = tell(&relay, "/api/camera-test", body).await;
    let found = (&found["found"]["codec"], &found["found"]["audio"]);
    assert_eq!(found, (&"h264".into(), &"mp4a.40.2".into()));
}

/// As one that shares a stream between its viewers: it is a few packets further by the time it answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_whose_first_packet_has_another_number_than_it_said_is_watched() {
    let rtsp = RtspCamera::start(&["--aac"]);
    let there = saying(address(&rtsp), "RTP-Info:", |line| {
        let ahead = |part: &str| match part.strip_prefix("seq=") {
            Some(number) => format!("seq={}", number.parse::<u16>().unwrap().wrapping_add(3)),
            None => part.to_owned(),
        };
        let changed = line.split(';').map(ahead).collect::<Vec<_>>().join(";");
        assert_ne!(changed, line);
        changed
    });
    let url = format!("rtsp://{}/stream1", there.await);
    let relay = relay().await;
    let body = object!({"source": {"type": "rtsp", "url": url}});
    let found = tell(&relay, "/api/camera-test", body).await;
    assert_eq!(found["found"]["codec"], "h264", "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn video_over_udp_comes_on_the_librarys_own_connection() {
    let rtsp = RtspCamera::start(&[]);
    let relay = relay().await;
    let source = object!({"type": "rtsp", "url": rtsp.url});
    let body = object!({"source": source, "rtsp_transport": "udp"});
    let found = tell(&relay, "/api/camera-test", body).await;
    assert_eq!(found["found"]["codec"], "h264", "{found}");
    let gone = rtsp.url.clone();
    drop(rtsp);
    let body = object!({"source": {"type": "rtsp", "url": gone}, "rtsp_transport": "udp"});
    let told = tell(&relay, "/api/camera-test", body).await;
    assert_eq!(told["error"]["code"], "refused", "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_can_be_started_with_another_path_and_stopped() {
    let rtsp = RtspCamera::start(&[]);
    let relay = relay().await;
    let camera = door(&relay, &rtsp.url.replace("stream1", "other"), object!({})).await;
    let answer = relay.get("/api/cameras/door/frame.jpg").await;
    assert_eq!(error(answer).await, (503, "camera_offline".to_owned()));

    let path = "/api/cameras/door/stream";
    let started = tell(&relay, &format!("{path}/start"), object!({"rtsp_path": "/stream1"})).await;
    assert_eq!((&started["streaming"], &started["state"]), (&true.into(), &"streaming".into()));
    assert_eq!(started["stream_url"], "/hls/cam_door/index.m3u8");
    let stopped = tell(&relay, &format!("{path}/stop"), Value::Null).await;
    assert_eq!((&stopped["streaming"], &stopped["state"]), (&false.into(), &"stopped".into()));
    let _watching = camera.viewing();
    assert_eq!(camera.link().status().unwrap().state, LinkState::Stopped, "whoever watches");
    relay.still("pushed", common::jpeg(64, 48, 1)).await;
    let start = format!("http://{}/api/cameras/pushed/stream/start", relay.view);
    assert_eq!(error(post(&start, "", "").await).await, (409, "not_pulled".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_that_says_nothing_is_offline_and_why_from_the_moment_it_is_set_up() {
    let relay = relay().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = silent.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            held.push(silent.accept().await.unwrap());
        }
    });
    let asked = Instant::now();
    let ask = async |n: u64| {
        let id = format!("door-{n}");
        let source = object!({"type": "rtsp", "url": format!("rtsp://{at}/")});
        let body = object!({"id": id, "source": source, "on_demand": n.is_multiple_of(2)});
        let url = format!("http://{}/api/cameras", relay.view);
        assert_eq!(post(&url, "", body.to_string()).await.status(), 201);
        // Some are being connected already, some are connected for this.
        tokio::time::sleep(Duration::from_millis(100 * (n / 2))).await;
        let answer = relay.get(&format!("/api/cameras/{id}/frame.jpg")).await;
        let status = answer.status().as_u16();
        let answer = json(answer).await;
        assert_eq!((status, &answer["error"]["code"]), (503, &"camera_offline".into()), "{id}");
        let message = answer["error"]["message"].as_str().unwrap();
        let offline = format!("camera {id} is offline: {at} does not answer");
        // A busy machine may begin to connect so late that the attempt outlives the request.
        let late = format!("camera {id} is still being connected; try again in a moment");
        assert!(message.starts_with(&offline) || message == late, "{message}");
    };
    tokio::join!(ask(0), ask(1), ask(2), ask(3), ask(4));
    let took = asked.elapsed().as_secs_f64();
    assert!((9.5..14.0).contains(&took), "{took} s");
    let kept = relay.get("/api/cameras/door-1/frame.jpg?stored=true").await;
    assert_eq!(error(kept).await, (404, "not_in_cache".to_owned()), "nothing is waited for");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_while_it_waits_to_try_again_tries_at_once() {
    let relay = relay().await;
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let camera = door(&relay, &format!("rtsp://{gone}/"), object!({"on_demand": false})).await;
    // From then on it waits for 2 s at least.
    let before = wait_for(&camera, |now| now.failures >= 4).await;
    let asked = Instant::now();
    let path = "/api/cameras/door/stream/start";
    let started = tell(&relay, path, object!({})).await;
    let took = asked.elapsed();
    assert!(took < Duration::from_millis(1500), "{took:?}");
    assert_eq!(started["state"], "waiting");
    assert!(camera.link().status().unwrap().failures > before.failures);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_password_is_tried_each_half_minute_and_another_one_at_once() {
    let rtsp = RtspCamera::start(&["--user", "admin", "--password", "hunter2"]);
    let relay = relay().await;
    let wrong = rtsp.url_with("admin:wrong");
    let camera = door(&relay, &wrong, object!({"on_demand": false})).await;
    let failed = wait_for(&camera, |now| now.state == LinkState::Waiting).await;
    assert_eq!(failed.last_error.unwrap().code, "unauthorized");
    let wait_ms = (failed.next_retry_us.unwrap() / 1000).saturating_sub(now_ms());
    assert!(wait_ms > 20_000, "{wait_ms} ms");
    let body = object!({"source": {"url": rtsp.url_with("admin:hunter2")}}).to_string();
    let patch = reqwest::Client::new().patch(relay.camera_url("door")).body(body);
    let asked = Instant::now();
    assert_eq!(patch.send().await.unwrap().status(), 200);
    streaming(&camera).await;
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_address_connects_anew_and_removing_disconnects() {
    let (one, other) = (RtspCamera::start(&[]), RtspCamera::start(&["--size", "320x240"]));
    let relay = relay().await;
    let camera = door(&relay, &one.url, object!({"on_demand": false})).await;
    streaming(&camera).await;
    let client = reqwest::Client::new();
    let url = relay.camera_url("door");
    let body = object!({"source": {"url": other.url}}).to_string();
    assert_eq!(client.patch(&url).body(body).send().await.unwrap().status(), 200);
    common::until(|| camera.snapshot().video.is_some_and(|video| video.width == 320)).await;
    common::until(|| one.clients() == 0).await;
    assert_eq!(client.delete(&url).send().await.unwrap().status(), 204);
    common::until(|| other.clients() == 0 && relay.registry.get("door").is_none()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_viewer_more_than_a_camera_may_have_is_refused() {
    let rtsp = RtspCamera::start(&["--codec", "mjpeg"]);
    let relay = relay().await;
    door(&relay, &rtsp.url, object!({"max_viewers": 1})).await;
    let mut first = relay.get("/api/cameras/door/stream.mjpeg").await;
    first.chunk().await.unwrap();
    let second = relay.get("/api/cameras/door/stream.mjpeg").await;
    assert!(second.headers().contains_key("retry-after"));
    assert_eq!(error(second).await, (503, "at_capacity".to_owned()));
    drop(first);
    for _ in 0..100 {
        let again = relay.get("/api/cameras/door/stream.mjpeg").await;
        if again.status() == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the seat is never free again");
}
