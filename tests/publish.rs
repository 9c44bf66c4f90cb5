//! The `publish` command against a scripted server: what it sends, and how it takes what it is told; and
//! how it ends against a real one.

#![allow(clippy::unwrap_used)]

#[path = "support/binary.rs"]
mod binary;

use std::{sync::Arc, time::Duration};

use binary::{FREE, Server, framecast, output};
use clap::{Args as _, FromArgMatches as _};
use framecast::{
    publish::{self, Options, PublishError},
    wire::{fragment::PartHeader, jpeg},
};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
        protocol::CloseFrame,
    },
};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(20);

/// How far the scripted server's clock is ahead, in microseconds.
const AHEAD_US: u64 = 3_600_000_000;

fn options(addr: &str, more: &[&str]) -> Options {
    let command = Options::augment_args(clap::Command::new("publish"));
    let args = ["publish", "door", "--to", addr].into_iter().chain(more.iter().copied());
    Options::from_arg_matches(&command.get_matches_from(args)).unwrap()
}

struct Script {
    listener: TcpListener,
    addr: String,
}

impl Script {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = format!("http://{}", listener.local_addr().unwrap());
        Self { listener, addr }
    }

    /// Takes a publisher and greets it. Returns the socket and the path it asked for.
    async fn accept(&self) -> (WebSocketStream<TcpStream>, String) {
        let (stream, _) = timeout(PATIENCE, self.listener.accept()).await.unwrap().unwrap();
        let path = Arc::new(parking_lot::Mutex::new(String::new()));
        let seen = path.clone();
        #[allow(clippy::result_large_err)]
        let note = move |request: &Request, response: Response| {
            *seen.lock() = request.uri().to_string();
            Ok(response)
        };
        let mut socket = tokio_tungstenite::accept_hdr_async(stream, note).await.unwrap();
        let hello = json!({"type": "hello", "version": "0", "protocol": 1,
            "server_us": 1, "max_frame_bytes": 1 << 20});
        socket.send(Message::text(hello.to_string())).await.unwrap();
        let path = path.lock().clone();
        (socket, path)
    }
}

/// Answers pings and returns the next frame, with its part's header.
async fn next_frame(socket: &mut WebSocketStream<TcpStream>) -> Option<(PartHeader, Vec<u8>)> {
    loop {
        match timeout(PATIENCE, socket.next()).await.unwrap()?.ok()? {
            Message::Binary(bytes) => {
                let (header, payload) = PartHeader::read(&bytes, 1 << 20).unwrap();
                return Some((header, payload.to_vec()));
            }
            Message::Text(text) => {
                let message: Value = serde_json::from_str(&text).unwrap();
                if message["type"] == "bye" {
                    return None;
                }
                assert_eq!(message["type"], "ping");
                let server_us = message["t"].as_u64().unwrap() + AHEAD_US;
                let pong = json!({"type": "pong", "t": message["t"], "server_us": server_us});
                socket.send(Message::text(pong.to_string())).await.unwrap();
            }
            _ => {}
        }
    }
}

fn start(
    options: Options,
) -> (CancellationToken, tokio::task::JoinHandle<Result<(), PublishError>>) {
    let stop = CancellationToken::new();
    (stop.clone(), tokio::spawn(publish::run(options, stop)))
}

#[tokio::test]
async fn frames_carry_growing_numbers_and_capture_times_on_the_servers_clock() {
    let script = Script::new().await;
    let more = ["--size", "160x120", "--name", "Front door"];
    let (stop, running) = start(options(&script.addr, &more));
    let (mut socket, path) = script.accept().await;
    assert_eq!(path, "/publish/door?name=Front%20door");
    let mut last = 0;
    let mut stamped = 0;
    while stamped < 10 {
        let (header, payload) = next_frame(&mut socket).await.unwrap();
        assert_eq!(header.seq, last + 1);
        last = header.seq;
        assert_eq!(header.parts, 1, "a WebSocket message may be as long as a frame");
        let info = jpeg::inspect(&payload, &jpeg::Limits::default()).unwrap();
        assert_eq!((info.width, info.height), (160, 120));
        if header.captured_us > 0 {
            stamped += 1;
            let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_micros() as u64 + AHEAD_US;
            let age = now.abs_diff(header.captured_us);
            assert!(age < 1_000_000, "captured {age} us from now on the server's clock");
        }
    }
    stop.cancel();
    while next_frame(&mut socket).await.is_some() {}
    timeout(PATIENCE, running).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_lost_connection_is_made_again_and_a_replaced_publisher_stays_away() {
    let script = Script::new().await;
    let (_stop, running) = start(options(&script.addr, &["--size", "64x64"]));
    let (mut socket, _) = script.accept().await;
    next_frame(&mut socket).await.unwrap();
    drop(socket);
    let (mut socket, _) = script.accept().await;
    next_frame(&mut socket).await.unwrap();
    let frame = CloseFrame { code: 1001.into(), reason: "the server is shutting down".into() };
    socket.close(Some(frame)).await.unwrap();
    let (mut socket, _) = script.accept().await;
    next_frame(&mut socket).await.unwrap();
    let replaced = json!({"type": "replaced", "camera": "door", "message": "taken over"});
    socket.send(Message::text(replaced.to_string())).await.unwrap();
    let ended = timeout(PATIENCE, running).await.unwrap().unwrap();
    assert!(
        matches!(&ended, Err(PublishError::Replaced(text)) if text == "taken over"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_refusal_for_good_ends_the_command_with_the_servers_words() {
    let script = Script::new().await;
    let (_stop, running) = start(options(&script.addr, &[]));
    let (mut stream, _) = script.listener.accept().await.unwrap();
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await.unwrap();
    let body = r#"{"error":{"code":"bad_camera_id","message":"\"door\" is not a camera id"}}"#;
    let head = format!("HTTP/1.1 400 Bad Request\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let ended = timeout(PATIENCE, running).await.unwrap().unwrap();
    let Err(PublishError::Refused { reason, .. }) = &ended else { panic!("{ended:?}") };
    assert_eq!(reason, "\"door\" is not a camera id");
}

#[tokio::test]
async fn a_server_that_reads_slowly_gets_the_newest_frames_and_no_backlog() {
    let script = Script::new().await;
    let more = ["--size", "1280x960", "--quality", "95", "--fps", "60"];
    let (stop, running) = start(options(&script.addr, &more));
    let (mut socket, _) = script.accept().await;
    while next_frame(&mut socket).await.unwrap().0.captured_us == 0 {}
    // A second without reading: far more than the kernel's buffers hold.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut newest = 0;
    let stalled_us = std::time::UNIX_EPOCH.elapsed().unwrap().as_micros() as u64 + AHEAD_US;
    let mut old = 0;
    while newest < stalled_us {
        let (header, _) = next_frame(&mut socket).await.unwrap();
        newest = header.captured_us;
        old += usize::from(newest < stalled_us);
    }
    // 3 s at 60 fps would be 180.
    assert!(old < 60, "{old} old frames were queued");
    stop.cancel();
    drop(socket);
    timeout(PATIENCE, running).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_folder_is_published_once_and_then_the_command_ends() {
    let script = Script::new().await;
    let dir = tempfile::tempdir().unwrap();
    let mut pattern = framecast::synth::Pattern::new(64, 64, framecast::synth::Variant::Bars);
    for n in 0..3 {
        std::fs::write(dir.path().join(format!("{n}.jpg")), pattern.frame(n * 500_000, n)).unwrap();
    }
    let more = ["--folder", dir.path().to_str().unwrap(), "--fps", "5"];
    let (_stop, running) = start(options(&script.addr, &more));
    let (mut socket, _) = script.accept().await;
    let mut frames = 0;
    while let Some((_, payload)) = next_frame(&mut socket).await {
        let n = usize::from(payload != std::fs::read(dir.path().join("0.jpg")).unwrap());
        assert!(n > 0 || frames == 0);
        frames += 1;
    }
    assert!((2..=3).contains(&frames), "{frames}");
    timeout(PATIENCE, running).await.unwrap().unwrap().unwrap();
}

#[test]
fn pictures_that_the_server_refuses_are_told_and_if_there_are_no_others_it_is_a_failure() {
    let mut command = framecast(&["--max-frame-bytes", "100000"]);
    command.args(FREE);
    let server = Server::start(command);
    let to = format!("http://{}", server.addr("framecast capture page  "));
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    let publish = || {
        let folder = dir.path().to_str().unwrap();
        // Slow enough that none is replaced by the next while the connection is made.
        let args = ["publish", "door", "--to", &to, "--folder", folder, "--fps", "1"];
        let (code, _, said) = output(framecast(&args));
        let last = said.lines().last().unwrap_or_default().to_owned();
        (code, last, said)
    };
    put("1.jpg", b"no picture");
    put("2.jpg", b"no picture either");
    let (code, last, said) = publish();
    let all = "error: all pictures of camera door were refused (2), the last one so: ";
    assert!(
        code == Some(1) && last.starts_with(all) && last.ends_with(" (not_jpeg)"),
        "{code:?} {said}"
    );

    put("3.jpg", &jpeg::skeleton(64, 48, 500, 1));
    let (code, last, said) = publish();
    let some = "door: 2 of 3 pictures were refused, the last one so: ";
    assert!(
        code == Some(0) && last.starts_with(some) && last.ends_with(" (not_jpeg)"),
        "{code:?} {said}"
    );

    for name in ["1.jpg", "2.jpg"] {
        std::fs::remove_file(dir.path().join(name)).unwrap();
    }
    let (code, _, said) = publish();
    assert_eq!((code, said.as_str()), (Some(0), ""));

    // Over the limit that the server names, it is not even sent.
    put("3.jpg", &jpeg::skeleton(64, 48, 100_001, 1));
    let (code, last, said) = publish();
    let left_out =
        "all pictures of camera door were refused (1), the last one so: a picture of 100001 bytes";
    assert!(code == Some(1) && last.contains(left_out), "{code:?} {said}");
}
