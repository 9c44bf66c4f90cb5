//! The real binary: what it says of settings, what it prints, and how it ends.

#![allow(clippy::unwrap_used)]

#[path = "support/binary.rs"]
mod binary;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use binary::{FREE, PATIENCE, Server, framecast, output};
use framecast::{
    synth::{Pattern, Variant},
    wire::{envelope, jpeg},
};
use futures_util::StreamExt as _;
use tokio_tungstenite::tungstenite::Message;

/// Waits for a frame of the camera that says when it was taken, as a viewer gets it.
async fn stamped_frame(view: &str, camera: &str) -> (u64, u64, Vec<u8>) {
    let url = format!("ws://{view}/stream?cameras={camera}");
    let (mut viewer, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    loop {
        let Message::Binary(message) = viewer.next().await.unwrap().unwrap() else { continue };
        let (header, jpeg) = envelope::read(&message).unwrap();
        assert_eq!(header.camera, camera);
        if header.captured_us > 0 {
            return (header.captured_us, header.received_us, jpeg.to_vec());
        }
    }
}

#[test]
fn help_shows_the_commands_and_the_servers_options() {
    let (code, help, _) = output(framecast(&["--help"]));
    assert_eq!(code, Some(0));
    for part in ["serve", "demo", "publish", "health", "--view-addr", "FRAMECAST_VIEW_ADDR"] {
        assert!(help.contains(part), "{part}: {help}");
    }
    let (code, help, _) = output(framecast(&["publish", "--help"]));
    assert!(code == Some(0) && help.contains("--stdin") && !help.contains("--view-addr"));
    let (code, version, _) = output(framecast(&["--version"]));
    assert_eq!((code, version.trim()), (Some(0), concat!("framecast ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn what_cannot_be_used_is_said_before_anything_starts() {
    for (args, parts) in [
        (&["--max-fps", "fast"][..], &["'fast'", "--max-fps"][..]),
        (&["serve", "--max-fpz", "3"], &["--max-fpz", "--max-fps"]),
        (&["sevre"], &["sevre", "'serve'"]),
        (&["demo", "--view-addr", "8080"], &["--view-addr", "both ask for port 8080"]),
        (&["--config", "/nonexistent"], &["/nonexistent"]),
        (&["publish", "door", "--to", "wss://x"], &["--to", "plain ws://"]),
        (&["publish", "door", "--folder", "/nonexistent"], &["/nonexistent"]),
        (&["publish", "door", "--loop"], &["--folder"]),
    ] {
        let (code, stdout, stderr) = output(framecast(args));
        assert!(code.is_some_and(|code| code != 0) && stdout.is_empty(), "{args:?}: {stdout}");
        for part in parts {
            assert!(stderr.contains(part), "{args:?}: {stderr}");
        }
    }
    let mut command = framecast(&["demo"]);
    command.env("FRAMECAST_CACHE_SECS", "long");
    let (code, _, stderr) = output(command);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("FRAMECAST_CACHE_SECS in the environment"), "{stderr}");
}

#[test]
fn a_port_in_use_is_an_error_that_names_the_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    for flag in ["--ingest-addr", "--view-addr", "--api-addr"] {
        let mut args = vec!["serve", flag, &addr];
        for pair in FREE.chunks(2).filter(|pair| pair[0] != flag) {
            args.extend_from_slice(pair);
        }
        let (code, stdout, stderr) = output(framecast(&args));
        assert_eq!(code, Some(1), "{flag}");
        assert!(stdout.is_empty(), "{flag}: {stdout}");
        assert!(stderr.contains(flag) && stderr.contains(&addr), "{flag}: {stderr}");
    }
}

#[test]
fn each_port_is_announced_as_it_is_and_a_signal_ends_the_server_cleanly() {
    for signal in ["TERM", "INT"] {
        let mut command = framecast(&["--log", "warn", "--api-addr", "0", "--ingest-addr", "0"]);
        // A flag wins over the environment; what is no flag's comes from it.
        command.env("FRAMECAST_INGEST_ADDR", "127.0.0.1:1");
        command.env("FRAMECAST_VIEW_ADDR", "0.0.0.0:0");
        let mut server = Server::start(command);
        let ingest: SocketAddr = server.addr("framecast capture page  ").parse().unwrap();
        let view = server.addr("framecast viewer page   ");
        let api = server.addr("framecast legacy API    ");
        assert!(ingest.port() > 1 && ingest.ip().is_loopback());
        assert!(view.starts_with("localhost:") && !view.ends_with(":0"), "{view}");
        for addr in [ingest.to_string(), view.clone(), api] {
            TcpStream::connect(addr.replace("localhost", "127.0.0.1")).unwrap();
        }
        let warning = server.log.recv_timeout(PATIENCE).unwrap();
        assert!(warning.contains("--view-addr 0.0.0.0:0 is open to other machines"), "{warning}");

        let health = format!("http://{view}");
        assert_eq!(output(framecast(&["health", &health])).0, Some(0));
        server.signal(signal);
        let (code, took) = server.ended();
        assert_eq!(code, Some(0), "{signal}");
        assert!(took < Duration::from_secs(10), "{signal}: {took:?}");
        assert!(server.lines.recv().is_err(), "one line a port and no more");
        assert_eq!(output(framecast(&["health", &health])).0, Some(1));
    }
}

#[test]
fn the_log_starts_with_version_and_addresses_and_the_limit_of_open_files_is_raised() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -Sn 64 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_framecast")]);
    shell.args(["--log", "info", "--data-dir", "off"]).args(FREE);
    let server = Server::start(shell);
    let addrs = [server.addr("framecast capture page  "), server.addr("framecast viewer page   ")];
    let line = server.log.recv_timeout(PATIENCE).unwrap();
    for part in [concat!("framecast ", env!("CARGO_PKG_VERSION"), " started"), &addrs[0], &addrs[1]]
    {
        assert!(line.contains(part), "{part}: {line}");
    }
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.child.id())).unwrap();
    let open_files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let words: Vec<_> = open_files.split_whitespace().skip(3).collect();
    assert!(words[0] == words[1] && words[0] != "64", "{open_files}");
}

#[test]
fn more_workers_than_cores_are_not_started_and_the_log_says_so() {
    let server = Server::start(framecast(&[&["--workers", "512"][..], &FREE[..]].concat()));
    server.addr("framecast capture page  ");
    let line = server.log.recv_timeout(PATIENCE).unwrap();
    assert!(line.contains("--workers 512") && line.contains("cores"), "{line}");
    let threads = std::fs::read_dir(format!("/proc/{}/task", server.child.id())).unwrap().count();
    assert!(threads < 512, "{threads} threads");
}

#[test]
fn the_log_can_be_json() {
    let args = [&["--log-format", "json", "--log", "info"][..], &FREE[..]].concat();
    let mut server = Server::start(framecast(&args));
    server.addr("framecast capture page  ");
    server.signal("TERM");
    assert_eq!(server.ended().0, Some(0));
    let mut lines = 0;
    for line in server.log.iter() {
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(line["level"].is_string() && line["timestamp"].is_string(), "{line}");
        lines += 1;
    }
    assert!(lines > 0);
}

#[test]
fn a_publisher_waits_for_its_server_and_ends_at_a_signal() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut publisher = Server::start(framecast(&["publish", "door", "--to", &nobody]));
    let line = publisher.log.recv_timeout(PATIENCE).unwrap();
    assert!(line.contains("cannot reach the server") && line.contains("again in"), "{line}");
    publisher.signal("INT");
    let (code, took) = publisher.ended();
    assert!(code == Some(0) && took < Duration::from_secs(3), "{code:?} {took:?}");
}

#[test]
fn what_is_refused_of_pushes_is_in_the_log_once_a_minute_and_camera() {
    let server = Server::start(framecast(&[&FREE[..], &["--max-frame-bytes", "64KiB"]].concat()));
    let ingest = server.addr("framecast capture page  ");
    let view = server.addr("framecast viewer page   ");
    let push = |to: &str, path: &str, body: &[u8]| {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let mut socket = TcpStream::connect(to).unwrap();
        socket.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    };
    let large = jpeg::skeleton(640, 480, 100_000, 1);
    for _ in 0..3 {
        push(&ingest, "/publish/hello", b"hello");
        push(&ingest, "/publish/no/slash", b"hello");
        push(&ingest, "/publish/b%20d", &large);
        push(&ingest, "/publish/large", &large.repeat(2));
        push(&view, "/publish/elsewhere", b"hello");
    }
    // As curl does that is interrupted: nobody's mistake.
    let mut broken = TcpStream::connect(&ingest).unwrap();
    let head = "POST /publish/gone HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n";
    broken.write_all(&[head.as_bytes(), &large[..4]].concat()).unwrap();
    drop(broken);
    server.signal("TERM");
    let lines: Vec<String> = server.log.iter().filter(|line| line.contains("refused")).collect();
    let has = |words: &[&str]| {
        let told = lines.iter().filter(|line| words.iter().all(|word| line.contains(word)));
        assert_eq!(told.count(), 1, "{words:?}: {lines:#?}");
    };
    has(&["WARN", "\"hello\"", "not_jpeg", "send JPEGs", "from=127.0.0.1:"]);
    has(&["WARN", "/publish/no/slash", "publish at /publish/{camera}"]);
    has(&["WARN", "\"b d\"", "bad_camera_id"]);
    has(&["WARN", "\"large\"", "too_large", "65536"]);
    has(&["WARN", "/publish/elsewhere", "ingest port"]);
    assert_eq!(lines.len(), 5, "{lines:#?}");
}

#[tokio::test]
async fn what_is_published_is_seen_and_a_second_publisher_takes_the_camera() {
    let server = Server::start(framecast(&FREE));
    let ingest = server.addr("framecast capture page  ");
    let view = server.addr("framecast viewer page   ");
    let args = ["publish", "door", "--to", &ingest, "--size", "160x120"];
    let mut first = Server::start(framecast(&args));
    let seen = tokio::time::timeout(PATIENCE, stamped_frame(&view, "door")).await;
    let (captured_us, received_us, picture) = seen.unwrap();
    let info = jpeg::inspect(&picture, &jpeg::Limits::default()).unwrap();
    assert_eq!((info.width, info.height), (160, 120));
    let age = Duration::from_micros(received_us - captured_us);
    assert!(age < Duration::from_secs(1), "{age:?}");

    let mut second = Server::start(framecast(&args));
    let (code, _) = first.ended();
    assert_eq!(code, Some(1));
    let words: Vec<_> = first.log.iter().collect();
    assert!(words.iter().any(|line| line.contains("took")), "{words:?}");
    second.signal("INT");
    assert_eq!(second.ended().0, Some(0));

    let (code, _, stderr) = output(framecast(&["publish", "bad id", "--to", &ingest]));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("is not a camera id"), "{stderr}");
    let (code, _, stderr) = output(framecast(&["publish", "door", "--to", &view]));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("publisher port"), "{stderr}");
}

#[tokio::test]
async fn a_pipe_of_mjpeg_is_published_until_it_ends() {
    let server = Server::start(framecast(&FREE));
    let ingest = server.addr("framecast capture page  ");
    let view = server.addr("framecast viewer page   ");
    let mut command = framecast(&["publish", "pipe", "--stdin", "--to", &ingest]);
    command.stdin(Stdio::piped());
    let mut publisher = Server::start(command);
    let mut pipe = publisher.child.stdin.take().unwrap();
    let writing = thread::spawn(move || {
        let mut pattern = Pattern::new(320, 240, Variant::Bars);
        for n in 0..100 {
            pipe.write_all(&pattern.frame(n * 33_333, n)).unwrap();
            thread::sleep(Duration::from_millis(33));
        }
    });
    let seen = tokio::time::timeout(PATIENCE, stamped_frame(&view, "pipe")).await;
    let info = jpeg::inspect(&seen.unwrap().2, &jpeg::Limits::default()).unwrap();
    assert_eq!((info.width, info.height), (320, 240));
    writing.join().unwrap();
    assert_eq!(publisher.ended().0, Some(0));
}
