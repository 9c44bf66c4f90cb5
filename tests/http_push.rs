//! Publishing over HTTP, with real clients and with raw bytes, good and bad.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod common;

use std::{process::Stdio, time::Duration};

use common::{Relay, error, jpeg, json, post, raw, until};
use framecast::{relay::Limits, wire::jpeg::skeleton};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const SECOND: Duration = Duration::from_secs(1);

/// Starts a chunked push and returns its socket.
async fn open(relay: &Relay, camera: &str, headers: &str) -> TcpStream {
    let mut socket = TcpStream::connect(relay.ingest).await.unwrap();
    let head = format!(
        "POST /publish/{camera} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{headers}\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket
}

async fn chunk(socket: &mut TcpStream, bytes: &[u8]) {
    let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    socket.write_all(&chunk).await.unwrap();
}

/// Ends the body and returns the answer.
async fn finish(mut socket: TcpStream) -> String {
    socket.write_all(b"0\r\n\r\n").await.unwrap();
    answer(socket).await
}

async fn answer(mut socket: TcpStream) -> String {
    let mut bytes = vec![0; 4096];
    let n = tokio::time::timeout(15 * SECOND, socket.read(&mut bytes)).await.unwrap().unwrap();
    String::from_utf8_lossy(&bytes[..n]).into_owned()
}

fn reason(relay: &Relay, camera: &str) -> String {
    let snapshot = relay.registry.get(camera).unwrap().snapshot();
    snapshot.reason.map(|it| it.to_string()).unwrap_or_default()
}

async fn ffmpeg_publishes(format: &str) {
    let relay = Relay::start().await;
    let mut ffmpeg = tokio::process::Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-re",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=320x240:rate=25",
            "-t",
            "2",
        ])
        .args(["-f", format, &relay.publish_url("test")])
        .stdin(Stdio::null())
        .spawn()
        .expect("ffmpeg is installed");
    until(|| relay.registry.get("test").is_some_and(|it| it.snapshot().frames > 10)).await;
    let camera = relay.json("/api/cameras/test").await;
    assert_eq!((&camera["online"], &camera["width"]), (&true.into(), &320.into()));
    assert!(ffmpeg.wait().await.unwrap().success());
    let camera = relay.registry.get("test").unwrap();
    until(|| !camera.snapshot().online).await;
    let after = camera.snapshot();
    assert_eq!((after.frames, &after.drops), (50, &Default::default()));
    assert_eq!(reason(&relay, "test"), "the push ended");
}

#[tokio::test]
async fn ffmpeg_publishes_mpjpeg_as_it_is() {
    ffmpeg_publishes("mpjpeg").await;
}

#[tokio::test]
async fn ffmpeg_publishes_mjpeg_as_it_is() {
    ffmpeg_publishes("mjpeg").await;
}

#[tokio::test]
async fn curl_publishes_stills_with_and_without_a_type_and_waits_for_100_continue() {
    let relay = Relay::start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    // Above curl's own threshold for Expect: 100-continue.
    let picture = skeleton(640, 480, 1 << 20, 3);
    std::fs::write(file.path(), &picture).unwrap();
    let curl = |camera: &str, args: &[&str]| {
        let mut curl = tokio::process::Command::new("curl");
        curl.args(["-sS", "-m", "5", "-w", "%{http_code}", "-H", "Expect: 100-continue"])
            .args(args);
        curl.args(["-T", file.path().to_str().unwrap(), &relay.publish_url(camera)]);
        curl.output()
    };
    let typed = curl("typed", &["-H", "Content-Type: image/jpeg"]).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&typed.stdout), r#"{"camera":"typed","seq":1}200"#);
    let untyped = curl("untyped", &[]).await.unwrap();
    let text = String::from_utf8_lossy(&untyped.stdout);
    assert_eq!(text, r#"{"camera":"untyped","frames":1,"refused":{}}200"#);
    for camera in ["typed", "untyped"] {
        let snapshot = relay.registry.get(camera).unwrap().snapshot();
        assert!(snapshot.online, "for 10 s");
        let got = relay.get(&format!("/api/cameras/{camera}/frame.jpg")).await;
        assert_eq!(got.bytes().await.unwrap(), picture);
    }
}

#[tokio::test]
async fn a_multipart_body_is_a_camera_until_it_ends() {
    let relay = Relay::start().await;
    let kind = "Content-Type: multipart/x-mixed-replace; boundary=\"cut here\"\r\n";
    let mut socket = open(&relay, "door", kind).await;
    chunk(&mut socket, b"--cut here\r\nContent-Type: image/jpeg\r\n\r\n").await;
    let picture = jpeg(64, 48, 1);
    for byte in &picture {
        chunk(&mut socket, &[*byte]).await;
    }
    // It is there before any boundary follows.
    until(|| relay.registry.get("door").is_some_and(|it| it.snapshot().frames == 1)).await;
    let got = relay.get("/api/cameras/door/frame.jpg").await;
    assert_eq!(got.bytes().await.unwrap(), picture);
    chunk(&mut socket, b"\r\n--cut here\r\nContent-Length: 5\r\n\r\nhello\r\n--cut here--\r\n")
        .await;
    let answer = finish(socket).await;
    let summary = r#"{"camera":"door","frames":1,"refused":{"not_jpeg":1}}"#;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(summary), "{answer}");
    assert_eq!(reason(&relay, "door"), "the push ended");
}

#[tokio::test]
async fn curl_pushes_a_picture_as_a_form() {
    let relay = Relay::start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let picture = jpeg(640, 480, 3);
    std::fs::write(file.path(), &picture).unwrap();
    let form = format!("file=@{};type=image/jpeg", file.path().display());
    let curl = tokio::process::Command::new("curl")
        .args(["-sS", "-m", "5", "-w", "%{http_code}", "-F", &form, &relay.publish_url("form")])
        .output();
    let answer = curl.await.unwrap().stdout;
    let summary = r#"{"camera":"form","frames":1,"refused":{}}200"#;
    assert_eq!(String::from_utf8_lossy(&answer), summary);
    let got = relay.get("/api/cameras/form/frame.jpg").await;
    assert_eq!(got.bytes().await.unwrap(), picture);
}

#[tokio::test]
async fn a_push_without_one_good_picture_is_told_what_to_do() {
    let relay = Relay::start().await;
    let picture = jpeg(64, 48, 1);
    let cut = &picture[..picture.len() - 20];
    for (boundary, body, status, code) in [
        ("a", [b"--b\r\n\r\n", &picture[..], b"\r\n--b--\r\n"].concat(), 422, "no_pictures"),
        ("a", b"--a--\r\n".to_vec(), 422, "no_pictures"),
        ("a", vec![], 422, "no_pictures"),
        ("a", b"--a\r\n\r\nhello\r\n--a--\r\n".to_vec(), 422, "not_jpeg"),
        ("a", [b"--a\r\n\r\n", cut, b"\r\n--a\r\n\r\nhello\r\n"].concat(), 422, "truncated"),
        ("a", b"--a\r\nContent-Length: 5000000\r\n\r\n\r\n--a--\r\n".to_vec(), 413, "too_large"),
    ] {
        let kind = format!("multipart/x-mixed-replace; boundary={boundary}");
        let told = String::from_utf8_lossy(&body[..body.len().min(12)]).into_owned();
        let answer = post(&relay.publish_url("door"), &kind, body).await;
        assert_eq!(error(answer).await, (status, code.into()), "{told:?}");
    }
    let answer = post(&relay.publish_url("door"), "video/x-motion-jpeg", cut.to_vec()).await;
    assert_eq!(error(answer).await, (422, "truncated".into()));
}

#[tokio::test]
async fn a_push_takes_a_camera_with_its_first_good_picture() {
    let relay = Relay::start().await;
    let mut owner = open(&relay, "door", "").await;
    chunk(&mut owner, &jpeg(64, 48, 1)).await;
    until(|| relay.registry.get("door").is_some_and(|it| it.snapshot().frames == 1)).await;
    // Of a push that says nothing, and of one that sends rubbish.
    let kind = "Content-Type: multipart/x-mixed-replace; boundary=x\r\n";
    let mut newer = open(&relay, "door", kind).await;
    chunk(&mut newer, b"--x\r\n\r\nhello\r\n--x\r\n").await;
    let camera = relay.registry.get("door").unwrap();
    until(|| camera.snapshot().drops.get("not_jpeg") == Some(&1)).await;
    chunk(&mut owner, &jpeg(64, 48, 2)).await;
    until(|| camera.snapshot().frames == 2).await;
    chunk(&mut newer, &[b"\r\n", &jpeg(64, 48, 3)[..]].concat()).await;
    let told = answer(owner).await;
    assert!(told.starts_with("HTTP/1.1 409 "), "{told}");
    until(|| camera.snapshot().frames == 3).await;
}

#[tokio::test]
async fn what_cannot_be_had_is_said_before_the_body_is_sent() {
    let limits = Limits { max_cameras: 1, ..Limits::default() };
    let relay = Relay::with(limits).await;
    let _steady = relay.steady("door").await;
    let told = answer(open(&relay, "yard", "").await).await;
    assert!(told.starts_with("HTTP/1.1 503 ") && told.contains("too_many_cameras"), "{told}");
}

#[tokio::test]
async fn a_push_that_is_taken_over_ends_with_409() {
    let relay = Relay::start().await;
    let mut older = open(&relay, "door", "").await;
    chunk(&mut older, &jpeg(64, 48, 1)).await;
    until(|| relay.registry.get("door").is_some_and(|it| it.snapshot().frames == 1)).await;
    let mut newer = open(&relay, "door", "").await;
    chunk(&mut newer, &jpeg(64, 48, 2)).await;
    let told = answer(older).await;
    assert!(told.starts_with("HTTP/1.1 409 ") && told.contains("replaced"), "{told}");
    let camera = relay.registry.get("door").unwrap();
    until(|| camera.snapshot().frames == 2).await;
    assert!(camera.snapshot().online);
    drop(newer);
    until(|| !camera.snapshot().online).await;
    assert_eq!(reason(&relay, "door"), "publisher disconnected");
}

#[tokio::test]
async fn a_push_that_stalls_is_ended_after_10_s() {
    let relay = Relay::start().await;
    let mut socket = open(&relay, "door", "").await;
    chunk(&mut socket, &jpeg(64, 48, 1)).await;
    let told = answer(socket).await;
    assert!(told.starts_with("HTTP/1.1 408 ") && told.contains("\"timeout\""), "{told}");
    assert_eq!(reason(&relay, "door"), "no data from the publisher for 10 s");
}

#[tokio::test]
async fn a_shutdown_ends_a_push_with_its_reason() {
    let relay = Relay::start().await;
    let mut socket = open(&relay, "door", "").await;
    chunk(&mut socket, &jpeg(64, 48, 1)).await;
    until(|| relay.registry.get("door").is_some_and(|it| it.snapshot().frames == 1)).await;
    let _draining = relay.drain();
    let told = answer(socket).await;
    assert!(told.starts_with("HTTP/1.1 503 ") && told.contains("draining"), "{told}");
    assert_eq!(reason(&relay, "door"), "server shutting down");
}

/// A stream of two pictures with this framing, and its summary.
async fn two_pictures(socket: &mut TcpStream, camera: &str, chunked: bool) -> String {
    let part = |fill| [b"--x\r\n\r\n", &jpeg(64, 48, fill)[..], b"\r\n"].concat();
    let body = [&part(1)[..], &part(2), b"--x--\r\n"].concat();
    let framing = match chunked {
        true => "Transfer-Encoding: chunked".to_owned(),
        false => format!("Content-Length: {}", body.len()),
    };
    let kind = "multipart/x-mixed-replace; boundary=x";
    let head = format!(
        "POST /publish/{camera} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n{framing}\r\n\r\n"
    );
    // The head and the body's start in one, as a client with little to say sends them.
    let sent = match chunked {
        true => {
            let (a, b) = body.split_at(1000);
            let sizes = [a.len(), b.len()].map(|len| format!("{len:x}\r\n").into_bytes());
            [head.as_bytes(), &sizes[0], a, b"\r\n", &sizes[1], b, b"\r\n0\r\n\r\n"].concat()
        }
        false => [head.as_bytes(), &body].concat(),
    };
    socket.write_all(&sent).await.unwrap();
    let mut told = Vec::new();
    while !told.ends_with(b"}") {
        let read = tokio::time::timeout(10 * SECOND, socket.read_buf(&mut told));
        assert!(read.await.unwrap().unwrap() > 0, "{}", String::from_utf8_lossy(&told));
    }
    String::from_utf8(told).unwrap()
}

#[tokio::test]
async fn the_connection_of_an_endless_push_ends_with_its_answer() {
    let relay = Relay::start().await;
    for (camera, chunked) in [("length", false), ("chunks", true)] {
        let mut socket = TcpStream::connect(relay.ingest).await.unwrap();
        let told = two_pictures(&mut socket, camera, chunked).await;
        assert!(told.starts_with("HTTP/1.1 200 ") && told.contains("\"frames\":2"), "{told}");
        assert!(told.to_ascii_lowercase().contains("\r\nconnection: close\r\n"), "{told}");
        assert_eq!(socket.read(&mut [0; 1]).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn stills_and_a_stream_follow_each_other_on_one_connection() {
    let relay = Relay::start().await;
    let mut socket = TcpStream::connect(relay.ingest).await.unwrap();
    for fill in 1..4 {
        let picture = jpeg(64, 48, fill);
        let head = format!(
            "POST /publish/door HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n\
             Content-Length: {}\r\n\r\n",
            picture.len()
        );
        socket.write_all(&[head.as_bytes(), &picture].concat()).await.unwrap();
        let mut told = vec![0; 4096];
        let read = tokio::time::timeout(10 * SECOND, socket.read(&mut told)).await;
        told.truncate(read.unwrap().unwrap());
        assert!(told.ends_with(format!("\"seq\":{fill}}}").as_bytes()));
    }
    let told = two_pictures(&mut socket, "yard", false).await;
    assert!(told.starts_with("HTTP/1.1 200 ") && told.contains("\"frames\":2"), "{told}");
    // A stream of nothing does not end its connection either.
    let mut socket = TcpStream::connect(relay.ingest).await.unwrap();
    let head = b"POST /publish/yard HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    socket.write_all(head).await.unwrap();
    let mut told = [0; 4096];
    let read = tokio::time::timeout(10 * SECOND, socket.read(&mut told)).await.unwrap().unwrap();
    assert!(told[..read].starts_with(b"HTTP/1.1 422 "));
    let told = two_pictures(&mut socket, "yard", true).await;
    assert!(told.starts_with("HTTP/1.1 200 ") && told.contains("\"frames\":2"), "{told}");
}

#[tokio::test]
async fn a_body_that_breaks_off_or_is_malformed_is_answered_and_what_came_counts() {
    let relay = Relay::start().await;
    let picture = jpeg(64, 48, 1);
    let length = |bytes: &[u8]| {
        let length = format!("Content-Length: {}\r\n\r\n", bytes.len() + 1);
        [length.as_bytes(), bytes].concat()
    };
    let chunk = |bytes: &[u8], then: &[u8]| {
        let size = format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", bytes.len());
        [size.as_bytes(), bytes, then].concat()
    };
    for (camera, rest) in [
        ("short", length(&picture)),
        ("cut", chunk(&picture, b"\r\n")),
        ("malformed", chunk(&picture, b"\r\nhello\r\n")),
        ("longer", chunk(&picture, &[b'x'; 100_000])),
    ] {
        let head = format!("POST /publish/{camera} HTTP/1.1\r\nHost: x\r\n");
        let mut socket = TcpStream::connect(relay.ingest).await.unwrap();
        socket.write_all(&[head.as_bytes(), &rest].concat()).await.unwrap();
        socket.shutdown().await.unwrap();
        let told = answer(socket).await;
        assert!(
            told.starts_with("HTTP/1.1 400 ") && told.contains("broke off"),
            "{camera}: {told}"
        );
        assert_eq!(relay.registry.get(camera).unwrap().snapshot().frames, 1);
        assert_eq!(reason(&relay, camera), "publisher disconnected");
    }
}

#[tokio::test]
async fn a_picture_that_cannot_be_is_refused_and_nobody_is_disturbed() {
    let limits = Limits { max_cameras: 3, ..Limits::default() };
    let relay = Relay::with(limits).await;
    let steady = relay.steady("steady").await;
    relay.still("door", jpeg(64, 48, 1)).await;
    let good = jpeg(64, 48, 2);
    let cut = good[..good.len() / 2].to_vec();
    for (body, status, code) in [
        (vec![], 422, "not_jpeg"),
        (b"hello".to_vec(), 422, "not_jpeg"),
        (vec![0xFF; 100_000], 422, "not_jpeg"),
        (cut, 422, "truncated"),
        (skeleton(65535, 65535, 300, 0), 422, "too_many_pixels"),
        (vec![0xFF; (4 << 20) + 1], 413, "too_large"),
        (vec![0; 40 << 20], 413, "too_large"),
    ] {
        let len = body.len();
        let answer = post(&relay.publish_url("door"), "image/jpeg", body).await;
        assert_eq!(error(answer).await, (status, code.into()), "{len} bytes");
    }
    for kind in ["", "text/html", "application/json", "video/x-motion-jpeg"] {
        let answer = post(&relay.publish_url("door"), kind, "<html>").await;
        assert_eq!(error(answer).await, (422, "not_jpeg".into()), "{kind}");
    }
    for id in ["-", ".hidden", "a%20b", "%2e%2e%2fetc", &"x".repeat(65), "%FF"] {
        let answer = post(&relay.publish_url(id), "image/jpeg", good.clone()).await;
        assert_eq!(error(answer).await, (400, "bad_camera_id".into()), "{id}");
    }
    relay.still("yard", good.clone()).await;
    let fourth = post(&relay.publish_url("fourth"), "image/jpeg", good).await;
    assert_eq!(error(fourth).await, (503, "too_many_cameras".into()));
    let door = relay.registry.get("door").unwrap().snapshot();
    assert!(door.online && door.frames == 1, "{door:?}");
    assert_eq!((door.drops["truncated"], door.drops["too_large"]), (1, 2));
    steady.undisturbed().await;
}

#[tokio::test]
async fn a_hostile_stream_ends_with_a_clear_error_and_nobody_is_disturbed() {
    let relay = Relay::start().await;
    let steady = relay.steady("steady").await;
    let picture = jpeg(64, 48, 1);
    let part = [b"--x\r\n\r\n", &picture[..], b"\r\n"].concat();
    for (name, then, status, code) in [
        ("header", [b"--x\r\n".to_vec(), b"A: b\r\n".repeat(5000)].concat(), 400, "bad_request"),
        ("boundary", vec![b'z'; 6 << 20], 400, "bad_request"),
        ("frame", [b"--x\r\n\r\n".to_vec(), vec![7; 20 << 20]].concat(), 413, "too_large"),
    ] {
        let mut socket = open(&relay, name, "Content-Type: multipart/x-mixed-replace\r\n").await;
        chunk(&mut socket, &part).await;
        let hostile = [format!("{:x}\r\n", then.len()).as_bytes(), &then, b"\r\n"].concat();
        let _ = socket.write_all(&hostile).await;
        let told = answer(socket).await;
        assert!(told.starts_with(&format!("HTTP/1.1 {status} ")), "{name}: {told}");
        assert!(told.contains(code), "{name}: {told}");
        let camera = relay.registry.get(name).unwrap().snapshot();
        assert!(!camera.online && camera.frames == 1 && camera.reason.is_some(), "{camera:?}");
    }
    // Broken frames between good ones are counted and skipped.
    let other = jpeg(64, 48, 2);
    let wide = skeleton(65535, 65535, 300, 0);
    let broken = [&picture[..], &picture[..picture.len() - 20], b"garbage", &wide, &other].concat();
    let response = post(&relay.publish_url("mixed"), "video/x-motion-jpeg", broken).await;
    let summary = json(response).await;
    assert_eq!(summary["frames"], 2);
    assert_eq!(summary["refused"], serde_json::json!({"truncated": 1, "too_many_pixels": 1}));
    // Nonsense instead of HTTP.
    raw(relay.ingest, &[0xFF; 100_000], SECOND).await;
    raw(relay.ingest, &[b"GET / HTTP/1.1\r\nX: ", &[b'a'; 100_000][..]].concat(), SECOND).await;
    steady.undisturbed().await;
}
