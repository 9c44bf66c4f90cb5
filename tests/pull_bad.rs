//! Cameras that are broken or mean no good: each hurts only itself.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod common;

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use common::{Relay, json, post};
use serde_json::{Value, json as object};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// A server that does this with each connection.
async fn server<F: Future<Output = ()> + Send>(
    serve: impl Fn(TcpStream) -> F + Send + Sync + Copy + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move { serve(stream).await });
        }
    });
    addr
}

/// The error of a trial; others keep coming meanwhile.
async fn refused(relay: &Relay, kind: &str, addr: SocketAddr) -> Value {
    let scheme = if kind == "rtsp" { "rtsp" } else { "http" };
    let url = format!("{scheme}://{addr}/live");
    let body = object!({"source": {"type": kind, "url": url}}).to_string();
    let answer = post(&format!("http://{}/api/camera-test", relay.view), "", body).await;
    let answer = json(answer).await;
    assert_eq!(answer["ok"], false, "{answer}");
    answer["error"].clone()
}

async fn relay() -> Relay {
    Relay::with_flags(&["--data-dir", "off"]).await
}

/// Two of the tests look at the memory of the process: no two run beside each other.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Bytes of memory that the process holds, or at its peak, by a line of its status.
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|it| it.starts_with(line)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// What the process holds now. The peak begins anew.
fn memory_now() -> u64 {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    memory("VmRSS:")
}

/// How much more it has held since.
fn grown(before: u64) -> u64 {
    memory("VmHWM:").saturating_sub(before)
}

async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(text).ok()
}

const SDP: &str = "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=x\r\nt=0 0\r\na=control:*\r\n\
    m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=0\r\n\
    a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0LAHtkDxWhAAAADAEAAAAwDxYuS,aMuMsg==\r\n";

/// Answers like a camera until it is to play, and leaves the rest to the caller.
async fn plays(mut stream: TcpStream) -> TcpStream {
    while let Some(request) = head(&mut stream).await {
        let cseq = request.lines().find(|line| line.starts_with("CSeq")).unwrap().to_owned();
        let (more, body) = match request.split(' ').next().unwrap() {
            "DESCRIBE" => {
                let length = SDP.len();
                (format!("Content-Type: application/sdp\r\nContent-Length: {length}\r\n"), SDP)
            }
            "SETUP" => {
                let transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=1\r\n";
                (format!("{transport}Session: 1\r\n"), "")
            }
            "PLAY" => ("Session: 1\r\nRange: npt=0-\r\n".to_owned(), ""),
            _ => (String::new(), ""),
        };
        let answer = format!("RTSP/1.0 200 OK\r\n{cseq}\r\n{more}\r\n{body}");
        stream.write_all(answer.as_bytes()).await.unwrap();
        if request.starts_with("PLAY") {
            break;
        }
    }
    stream
}

async fn plays_garbage(stream: TcpStream) {
    let garbage: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    let _ = plays(stream).await.write_all(&garbage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_after_play_ends_the_connection_and_nothing_else() {
    let _alone = ALONE.lock().await;
    let relay = relay().await;
    let steady = relay.steady("steady").await;
    let error = refused(&relay, "rtsp", server(plays_garbage).await).await;
    assert_eq!(error["code"], "bad_stream", "{error}");
    steady.undisturbed().await;
}

/// What a server has got rid of in all.
static SENT: AtomicUsize = AtomicUsize::new(0);

/// Sends these on and on until nobody takes them, which is soon.
async fn floods(stream: &mut TcpStream, mut next: impl FnMut() -> Vec<u8>) {
    loop {
        let block = next();
        if stream.write_all(&block).await.is_err() {
            return;
        }
        assert!(SENT.fetch_add(block.len(), Relaxed) < 1 << 30, "1 GiB was taken");
    }
}

fn zeros() -> Vec<u8> {
    vec![0; 64 << 10]
}

const HUGE: &[u8] = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 2147483648\r\n\r\n";

/// Packets of RTP that hold pieces of one picture, whose last piece never comes (RFC 6184, 5.8).
fn endless_picture() -> impl FnMut() -> Vec<u8> {
    let mut pieces = 0_u16..;
    move || {
        let piece = pieces.next().unwrap();
        let kind = if piece == 0 { 0x85 } else { 0x05 };
        let [high, low] = piece.to_be_bytes();
        let mut packet =
            vec![b'$', 0, 16, 0, 0x80, 96, high, low, 0, 0, 0, 0, 0, 0, 0, 1, 0x7C, kind];
        packet.resize(4 + (16 << 8), 0);
        packet
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_never_ends_over_rtsp_is_cut_off_and_takes_no_memory_while_others_go_on() {
    let _alone = ALONE.lock().await;
    let relay = relay().await;
    let steady = relay.steady("steady").await;
    let endless = server(|mut stream| async move {
        let _ = head(&mut stream).await;
        let _ = stream.write_all(b"RTSP/1.0 200 OK\r\n").await;
        floods(&mut stream, || b"X-More: and more\r\n".repeat(4000)).await;
    });
    let huge = server(|mut stream| async move {
        let _ = head(&mut stream).await;
        let _ = stream.write_all(HUGE).await;
        floods(&mut stream, zeros).await;
    });
    let later = server(|stream| async move {
        let mut stream = plays(stream).await;
        let _ = stream.write_all(HUGE).await;
        floods(&mut stream, zeros).await;
    });
    let cases = [
        (endless.await, "a header of more than 16 KiB"),
        (huge.await, "a message of more than 256 KiB"),
        (later.await, "a message of more than 256 KiB"),
    ];
    let before = memory_now();
    for (addr, words) in cases {
        SENT.store(0, Relaxed);
        let (error, ()) = tokio::join!(refused(&relay, "rtsp", addr), steady.undisturbed());
        assert_eq!(error["code"], "bad_stream", "{error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{error}");
        // What the system's buffers hold, on both sides.
        let sent = SENT.load(Relaxed);
        assert!(sent < 16 << 20, "{words}: {sent} bytes were taken");
    }
    let more = grown(before);
    println!("cut off messages: {} KiB more memory", more >> 10);
    assert!(more < 8 << 20, "{more} bytes");

    let picture = server(|stream| async move {
        floods(&mut plays(stream).await, endless_picture()).await;
    });
    let (error, ()) = tokio::join!(refused(&relay, "rtsp", picture.await), steady.undisturbed());
    assert!(
        error["message"].as_str().unwrap().contains("8 MiB without a whole picture"),
        "{error}"
    );
    let more = grown(before);
    println!("and an endless picture: {} KiB", more >> 10);
    assert!(more < 24 << 20, "{more} bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_that_answers_byte_by_byte_is_given_up_after_10_s() {
    let _alone = ALONE.lock().await;
    let relay = relay().await;
    let trickles = server(|mut stream| async move {
        let letters = b"RTSP/1.0 200 OK\r\nX: ".iter().chain(std::iter::repeat(&b'a'));
        for letter in letters {
            if stream.write_u8(*letter).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let started = Instant::now();
    let error = refused(&relay, "rtsp", trickles.await).await;
    let took = started.elapsed().as_secs_f64();
    assert_eq!(error["code"], "unreachable", "{error}");
    assert!((9.5..14.0).contains(&took), "{took} s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_without_end_and_2_gb_parts_over_http_take_no_memory() {
    let _alone = ALONE.lock().await;
    let relay = relay().await;
    let steady = relay.steady("steady").await;
    let before = memory_now();
    let endless = server(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        let line = format!("X-More: {}\r\n", "a".repeat(4000));
        while stream.write_all(line.as_bytes()).await.is_ok() {}
    });
    let error = refused(&relay, "mjpeg", endless.await).await;
    assert_eq!(error["code"], "bad_stream", "{error}");

    let huge = server(|mut stream| async move {
        let start = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=x\r\n\r\n\
            --x\r\nContent-Type: image/jpeg\r\nContent-Length: 2147483648\r\n\r\n";
        let _ = stream.write_all(start.as_bytes()).await;
        let zeros = vec![0; 1 << 20];
        while stream.write_all(&zeros).await.is_ok() {}
    });
    let error = refused(&relay, "mjpeg", huge.await).await;
    assert_eq!(error["code"], "bad_stream", "{error}");
    let more = grown(before);
    assert!(more < 48 << 20, "{more} bytes");
    steady.undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_leads_to_no_address_that_a_source_may_not_have() {
    let _alone = ALONE.lock().await;
    let relay = relay().await;
    let redirects = server(|mut stream| async move {
        let _ = head(&mut stream).await;
        let to = "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\n\r\n";
        let _ = stream.write_all(to.as_bytes()).await;
    });
    let error = refused(&relay, "mjpeg", redirects.await).await;
    assert_eq!(error["code"], "refused_source", "{error}");
    let page = server(|mut stream| async move {
        let _ = head(&mut stream).await;
        let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nhome";
        let _ = stream.write_all(page.as_bytes()).await;
    });
    let error = refused(&relay, "mjpeg", page.await).await;
    assert!(error["message"].as_str().unwrap().contains("a page"), "{error}");
}
