//! MJPEG over real sockets, frames put straight into the relay.

#![allow(clippy::unwrap_used)]

#[path = "support/view_port.rs"]
mod view_port;

use std::{collections::HashMap, process::Stdio, time::Duration};

use framecast::{
    relay::{Camera, Producer, Stamp},
    synth::{Pattern, Variant},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    net::{TcpSocket, TcpStream},
    process::Command,
    time::{Instant, sleep, timeout},
};
use view_port::{PATIENCE, ViewPort, at_30_fps, head, picture, put, until};

/// What stands between two pictures for a page: the boundary, and the header of the part after it.
const BOUNDARY: &str = "\r\n--framecast\r\n";
const PAGE_HEADER: &str = "Content-Type: image/jpeg\r\n\r\n";

/// Reads one stream as HTTP/1.0, where the body comes without chunks around it.
struct Client(BufReader<TcpStream>);

impl Client {
    async fn open(port: &ViewPort, path: &str) -> Self {
        let stream = port.send(&format!("GET {path} HTTP/1.0\r\n\r\n")).await;
        Self::start(stream).await
    }

    /// Takes the answer's head and the first boundary.
    async fn start(stream: TcpStream) -> Self {
        let mut client = Self(BufReader::new(stream));
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            bytes.extend(client.line().await.bytes());
        }
        let (status, headers) = head(&bytes);
        assert_eq!(status, 200);
        assert_eq!(headers["content-type"], "multipart/x-mixed-replace; boundary=framecast");
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(client.line().await, "--framecast\r\n");
        client
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        timeout(PATIENCE, self.0.read_line(&mut line)).await.expect("a line in time").unwrap();
        assert!(!line.is_empty(), "the stream has ended");
        line
    }

    /// One part, and the boundary that has to follow it at once.
    async fn part(&mut self) -> (u64, Vec<u8>) {
        let mut headers = HashMap::new();
        loop {
            let line = self.line().await;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_owned(), value.to_owned());
        }
        assert_eq!(headers["Content-Type"], "image/jpeg");
        assert!(headers["X-Framecast-Received-Us"].parse::<u64>().unwrap() > 0);
        let mut jpeg = vec![0; headers["Content-Length"].parse().unwrap()];
        self.0.read_exact(&mut jpeg).await.unwrap();
        assert_eq!((&jpeg[..2], &jpeg[jpeg.len() - 2..]), (&[0xFF, 0xD8][..], &[0xFF, 0xD9][..]));
        assert_eq!(self.line().await, "\r\n");
        assert_eq!(self.line().await, "--framecast\r\n");
        (headers["X-Framecast-Seq"].parse().unwrap(), jpeg)
    }

    /// Whether nothing more comes, now that the stream is to end.
    async fn ends(mut self) -> bool {
        let mut rest = Vec::new();
        timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.expect("an end in time").unwrap();
        rest.is_empty()
    }
}

fn drops(camera: &Camera, reason: &str) -> u64 {
    camera.snapshot().drops.get(reason).copied().unwrap_or(0)
}

#[tokio::test]
async fn each_part_is_a_whole_picture_with_the_next_boundary_right_behind() {
    let port = ViewPort::start().await;
    let door = port.publish("door");
    put(&door, 1, 500);
    put(&door, 2, 70_000);
    let mut client = Client::open(&port, "/api/cameras/door/stream.mjpeg").await;
    // The newest at once, with its boundary although nothing follows yet.
    assert_eq!(client.part().await, (2, picture(2, 70_000)));
    for fill in 3..20 {
        sleep(Duration::from_millis(34)).await;
        let len = 1000 * usize::from(fill);
        put(&door, fill, len);
        assert_eq!(client.part().await, (u64::from(fill), picture(fill, len)));
    }
    assert_eq!(drops(door.camera(), "behind") + drops(door.camera(), "paced"), 0);
}

#[tokio::test]
async fn a_page_gets_the_header_of_the_next_part_right_behind_each_picture() {
    // Chromium shows a part when it has read the header of the one after it.
    const BETWEEN: &[u8] = b"--framecast\r\nContent-Type: image/jpeg\r\n\r\n";
    let port = ViewPort::start().await;
    let door = port.publish("door");
    put(&door, 1, 5000);
    let accept = "Accept: image/avif,image/webp,image/apng,image/*,*/*;q=0.8\r\n";
    let request = format!("GET /api/cameras/door/stream.mjpeg HTTP/1.0\r\n{accept}\r\n");
    let mut client = Client::start(port.send(&request).await).await;
    let mut expected = BETWEEN["--framecast\r\n".len()..].to_vec();
    for fill in 1..=5 {
        expected.extend(picture(fill, 5000));
        expected.extend(b"\r\n");
        expected.extend(BETWEEN);
        let mut sent = vec![0; expected.len()];
        timeout(PATIENCE, client.0.read_exact(&mut sent)).await.expect("at once").unwrap();
        assert!(sent == expected, "picture {fill}");
        expected.clear();
        put(&door, fill + 1, 5000);
    }
}

#[tokio::test]
async fn a_frame_reaches_its_client_within_milliseconds() {
    let port = ViewPort::start().await;
    let door = port.publish("door");
    put(&door, 0, 30_000);
    let mut client = Client::open(&port, "/api/cameras/door/stream.mjpeg").await;
    client.part().await;
    let mut latencies = Vec::new();
    for fill in 1..=30 {
        sleep(Duration::from_millis(40)).await;
        let start = Instant::now();
        put(&door, fill, 30_000);
        client.part().await;
        latencies.push(start.elapsed());
    }
    latencies.sort();
    println!("publish to part: median {:?}, most {:?}", latencies[15], latencies[29]);
    assert!(latencies[15] < Duration::from_millis(10), "{latencies:?}");
}

#[tokio::test]
async fn a_client_that_wants_fewer_frames_gets_fewer_and_still_the_last() {
    let port = ViewPort::start().await;
    let door = port.publish("door");
    put(&door, 0, 1000);
    let mut client = Client::open(&port, "/api/cameras/door/stream.mjpeg?max_fps=5").await;
    let start = Instant::now();
    let publishing = tokio::spawn(async move {
        for fill in 1..=30 {
            put(&door, fill, 1000);
            sleep(Duration::from_millis(33)).await;
        }
        door
    });
    let mut seqs = Vec::new();
    while seqs.last() != Some(&31) {
        seqs.push(client.part().await.0);
    }
    let allowed = start.elapsed().as_secs_f64() * 5.0 + 2.0;
    assert!((4.0..=allowed).contains(&(seqs.len() as f64)), "{seqs:?}");
    assert!(seqs.is_sorted());
    let door = publishing.await.unwrap();
    let (paced, behind) = (drops(door.camera(), "paced"), drops(door.camera(), "behind"));
    assert_eq!(paced + behind + seqs.len() as u64, 31);
    assert!(paced >= 15 && behind <= 5, "{paced} paced, {behind} behind");
}

#[tokio::test]
async fn the_servers_limit_holds_whatever_is_asked() {
    let port = ViewPort::with(framecast::relay::Limits::default(), 10.0).await;
    let task = at_30_fps(port.publish("door"), 1000);
    let mut client = Client::open(&port, "/api/cameras/door/stream.mjpeg?max_fps=1000").await;
    client.part().await;
    let start = Instant::now();
    for _ in 0..10 {
        client.part().await;
    }
    assert!(start.elapsed() > Duration::from_millis(850), "{:?}", start.elapsed());
    task.abort();
}

#[tokio::test]
async fn a_client_that_reads_nothing_holds_one_frame_and_delays_nobody() {
    const LEN: usize = 200_000;
    let port = ViewPort::start().await;
    let door = port.publish("door");
    let camera = door.camera().clone();
    put(&door, 0, LEN);
    // What its kernel takes in is small, so that what comes late is what the server kept.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    let mut slow = socket.connect(port.addr).await.unwrap();
    let request = b"GET /api/cameras/door/stream.mjpeg HTTP/1.0\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut slow, request).await.unwrap();
    let mut quick = Client::open(&port, "/api/cameras/door/stream.mjpeg").await;
    until(|| camera.snapshot().viewers == 2).await;

    let task = at_30_fps(door, LEN);
    let start = Instant::now();
    let (mut frames, mut gap, mut last) = (0, Duration::ZERO, Instant::now());
    while start.elapsed() < Duration::from_secs(4) {
        quick.part().await;
        gap = gap.max(last.elapsed());
        last = Instant::now();
        frames += 1;
    }
    assert!(frames >= 100, "the quick client got {frames} of 120");
    assert!(gap < Duration::from_millis(300), "and once waited {gap:?}");

    // What stood in the kernels and the one frame behind it are old, then it is live again. The
    // frames between were counted when the stream went on.
    let newest = camera.snapshot().seq;
    let mut slow = Client::start(slow).await;
    let mut old = 0;
    while slow.part().await.0 + 5 < newest {
        old += 1;
    }
    let behind = drops(&camera, "behind");
    println!("quick: {frames} frames, longest gap {gap:?}; slow: {old} old, {behind} skipped");
    assert!(old <= 3, "{old} old frames came first");
    assert!(behind > 90, "{behind} skipped");
    task.abort();
}

#[tokio::test]
async fn the_last_change_reaches_a_client_that_was_behind() {
    // More than the kernels hold, so that the first waits in the server when the second comes.
    const LEN: usize = 2_000_000;
    let port = ViewPort::start().await;
    let door = port.publish("door");
    put(&door, 0, LEN);
    let mut client = Client::open(&port, "/api/cameras/door/stream.mjpeg").await;
    sleep(Duration::from_millis(100)).await;
    put(&door, 1, LEN);
    put(&door, 2, LEN);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(drops(door.camera(), "behind"), 0, "nothing was chosen while it was behind");
    // Nothing comes from here on: it is the socket alone that lets the stream go on.
    assert_eq!([client.part().await.0, client.part().await.0], [1, 3]);
    assert_eq!(drops(door.camera(), "behind"), 1);
}

#[tokio::test]
#[ignore = "takes 30 s; the clock itself is tested in net"]
async fn a_client_that_reads_nothing_for_30_s_is_dropped() {
    let port = ViewPort::start().await;
    let door = port.publish("door");
    let camera = door.camera().clone();
    let task = at_30_fps(door, 200_000);
    let deaf = port.send("GET /api/cameras/door/stream.mjpeg HTTP/1.1\r\nHost: here\r\n\r\n").await;
    until(|| camera.snapshot().viewers == 1).await;
    let start = Instant::now();
    while camera.snapshot().viewers == 1 {
        sleep(Duration::from_millis(100)).await;
    }
    let elapsed = start.elapsed();
    assert!((29..35).contains(&elapsed.as_secs()), "{elapsed:?}");
    drop(deaf);
    task.abort();
}

#[tokio::test]
async fn the_stream_outlasts_its_publisher_and_waits_for_a_first_frame() {
    let port = ViewPort::start().await;
    let door = port.publish("door");
    let mut client = Client::open(&port, "/api/cameras/door/stream.mjpeg").await;
    put(&door, 1, 500);
    assert_eq!(client.part().await.0, 1);
    drop(door);
    sleep(Duration::from_millis(100)).await;
    let door = port.publish("door");
    put(&door, 2, 500);
    assert_eq!(client.part().await.0, 2);
}

#[tokio::test]
async fn a_pushed_camera_that_is_offline_shows_its_newest_picture_at_once() {
    let port = ViewPort::start().await;
    let door = port.publish("door");
    put(&door, 1, 500);
    drop(door);
    let mut client = Client::open(&port, "/api/cameras/door/stream.mjpeg").await;
    assert_eq!(client.part().await, (1, picture(1, 500)));
}

#[tokio::test]
async fn a_picture_that_stays_is_sent_once_more_after_4_s_to_all_who_have_taken_it() {
    let port = ViewPort::start().await;
    let door = port.publish("door");
    put(&door, 1, 30_000);
    let begun = Instant::now();
    let mut program = Client::open(&port, "/api/cameras/door/stream.mjpeg?max_fps=5").await;
    let request = "GET /api/cameras/door/stream.mjpeg HTTP/1.0\r\nAccept: image/webp\r\n\r\n";
    let mut page = Client::start(port.send(request).await).await;
    let mut shown = vec![0; picture(1, 30_000).len() + 2 * PAGE_HEADER.len() + BOUNDARY.len()];
    assert_eq!(program.part().await, (1, picture(1, 30_000)));
    timeout(PATIENCE, page.0.read_exact(&mut shown)).await.expect("at once").unwrap();
    assert_eq!(program.part().await, (1, picture(1, 30_000)));
    let took = begun.elapsed().as_secs_f64();
    assert!((4.0..8.0).contains(&took), "{took} s");
    let mut again = vec![0; shown.len() - PAGE_HEADER.len()];
    timeout(PATIENCE, page.0.read_exact(&mut again)).await.expect("it, too").unwrap();
    assert!(again == shown[PAGE_HEADER.len()..]);
    put(&door, 2, 500);
    assert_eq!(program.part().await, (2, picture(2, 500)));
    assert_eq!(drops(door.camera(), "behind") + drops(door.camera(), "paced"), 0);
}

#[tokio::test]
async fn a_client_counts_as_viewer_until_it_leaves_even_when_nothing_is_sent() {
    let port = ViewPort::start().await;
    let door = port.publish("door");
    put(&door, 1, 500);
    let viewers = || door.camera().snapshot().viewers;
    let mut first = Client::open(&port, "/api/cameras/door/stream.mjpeg").await;
    let second = Client::open(&port, "/api/cameras/door/stream.mjpeg").await;
    first.part().await;
    until(|| viewers() == 2).await;
    drop(second);
    until(|| viewers() == 1).await;
    drop(first);
    until(|| viewers() == 0).await;
}

#[tokio::test]
async fn the_stream_ends_with_the_server() {
    let port = ViewPort::start().await;
    let door = port.publish("door");
    put(&door, 1, 500);
    let mut client = Client::open(&port, "/api/cameras/door/stream.mjpeg").await;
    client.part().await;
    // One that reads nothing, too.
    let idle = Client::open(&port, "/api/cameras/door/stream.mjpeg").await;
    port.lifetime.shutdown.cancel();
    port.lifetime.tasks.close();
    assert!(client.ends().await);
    drop(idle);
    timeout(PATIENCE, port.lifetime.tasks.wait()).await.expect("everything ends");
}

#[tokio::test]
async fn ffmpeg_decodes_the_stream() {
    let port = ViewPort::start().await;
    let door = port.publish("door");
    let task = tokio::spawn(publish_test_pictures(door));
    let url = format!("http://{}/api/cameras/door/stream.mjpeg", port.addr);
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "mpjpeg", "-i", &url])
        .args(["-frames:v", "20", "-fps_mode", "passthrough", "-f", "framecrc", "-"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(3 * PATIENCE, output).await.expect("ffmpeg ends in time");
    let output = output.expect("this test needs ffmpeg on the path; `make test` installs it");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    let listed = String::from_utf8(output.stdout).unwrap();
    let pictures: Vec<_> = listed.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(pictures.len(), 20, "{listed}");
    let sums: std::collections::HashSet<_> =
        pictures.iter().map(|line| line.rsplit(',').next().unwrap()).collect();
    assert!(sums.len() >= 19, "each picture is another one: {listed}");
    task.abort();
}

async fn publish_test_pictures(door: Producer) {
    let mut pattern = Pattern::new(320, 240, Variant::Clock);
    let mut tick = tokio::time::interval(Duration::from_millis(33));
    for n in 0.. {
        tick.tick().await;
        let jpeg = pattern.frame(1_700_000_000_000_000 + n * 33_333, n);
        door.publish_jpeg(&jpeg, Stamp::default()).unwrap();
    }
}
