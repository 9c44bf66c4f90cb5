//! The REST routes over real sockets, frames put straight into the relay.

#![allow(clippy::unwrap_used)]

#[path = "support/view_port.rs"]
mod view_port;

use std::time::Duration;

use framecast::relay::{Limits, Stamp};
use serde_json::json;
use tokio::{
    io::AsyncReadExt as _,
    time::{Instant, sleep, timeout},
};
use view_port::{INGEST_PORT, PATIENCE, ViewPort, picture, put, until};

fn now_us() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(now.unwrap().as_micros()).unwrap()
}

#[tokio::test]
async fn cameras_are_listed_in_the_order_of_their_ids_with_their_figures() {
    let port = ViewPort::start().await;
    assert_eq!(port.get("/api/cameras").await.json(), json!({"cameras": []}));
    let yard = port.publish("yard");
    let door = port.publish("door");
    put(&door, 1, 500);
    put(&door, 2, 500);
    yard.close("battery empty");

    let answer = port.get("/api/cameras").await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"));
    let cameras = answer.json()["cameras"].clone();
    assert_eq!((&cameras[0]["id"], &cameras[1]["id"]), (&json!("door"), &json!("yard")));
    let one = port.get("/api/cameras/door").await.json();
    for (field, value) in [
        ("id", json!("door")),
        ("name", json!("door")),
        ("online", json!(true)),
        ("reason", json!(null)),
        ("transport", json!("http")),
        ("frames", json!(2)),
        ("seq", json!(2)),
        ("width", json!(640)),
        ("height", json!(480)),
        ("viewers", json!(0)),
        ("drops", json!({})),
    ] {
        assert_eq!(one[field], value, "{field}");
        assert_eq!(cameras[0][field], value, "{field}");
    }
    assert_eq!(one["cache"]["frames"], 2);
    assert_eq!(cameras[1]["online"], false);
    assert_eq!(cameras[1]["reason"], "battery empty");
    assert_eq!(cameras[1]["width"], json!(null));
}

#[tokio::test]
async fn a_still_is_exactly_the_bytes_that_were_published() {
    let port = ViewPort::start().await;
    let door = port.publish("door");
    let captured_us = now_us() - 5000;
    let source = picture(7, 12_345);
    door.publish_jpeg(&source, Stamp { publisher_seq: None, captured_us }).unwrap();

    let answer = port.get("/api/cameras/door/frame.jpg").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, source);
    assert_eq!(answer.header("content-type"), "image/jpeg");
    assert_eq!(answer.header("content-length"), "12345");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.number("x-framecast-seq"), 1);
    assert_eq!(answer.number("x-framecast-captured-us"), captured_us);
    let received_us = answer.number("x-framecast-received-us");
    assert!((captured_us..=now_us()).contains(&received_us));
    assert!(answer.number("x-framecast-age-ms") < 5000);
}

#[tokio::test]
async fn head_answers_as_get_without_the_body() {
    let port = ViewPort::start().await;
    put(&port.publish("door"), 1, 500);
    for path in [
        "/api/cameras",
        "/api/cameras/door",
        "/api/cameras/door/frame.jpg",
        "/api/cameras/door/frames",
        "/api/cameras/nobody",
        "/api/nothing",
        "/api/info",
        "/healthz",
        "/readyz",
    ] {
        let (get, head) = (port.get(path).await, port.ask("HEAD", path, "").await);
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
    let still = port.ask("HEAD", "/api/cameras/door/frame.jpg", "").await;
    assert_eq!(still.header("content-length"), "500");
    // The endless one too, and nobody is left watching.
    let stream = port.ask("HEAD", "/api/cameras/door/stream.mjpeg", "").await;
    assert_eq!((stream.status, stream.body.len()), (200, 0));
    until(|| port.registry.get("door").unwrap().snapshot().viewers == 0).await;
}

#[tokio::test]
async fn an_etag_saves_the_picture_until_there_is_another() {
    let port = ViewPort::start().await;
    let door = port.publish("door");
    put(&door, 1, 500);
    let path = "/api/cameras/door/frame.jpg";
    let first = port.get(path).await.header("etag").to_owned();
    assert!(first.starts_with('"') && first.ends_with("-1\""), "{first}");
    let ask = async |tag: &str| port.ask("GET", path, &format!("If-None-Match: {tag}\r\n")).await;

    let again = ask(&first).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), first);
    assert_eq!(again.number("x-framecast-seq"), 1);
    assert_eq!(ask(&format!("\"other\", W/{first}")).await.status, 304);
    assert_eq!(ask("*").await.status, 304);
    assert_eq!(ask("\"other\"").await.status, 200);

    put(&door, 2, 500);
    let newer = ask(&first).await;
    assert_eq!((newer.status, newer.body), (200, picture(2, 500)));
    assert_ne!(newer.headers["etag"], first);
}

#[tokio::test]
async fn a_picture_too_old_is_stale_and_the_same_bytes_again_keep_it_fresh() {
    let port = ViewPort::start().await;
    let door = port.publish("door");
    put(&door, 1, 500);
    sleep(Duration::from_millis(300)).await;
    let stale = port.get("/api/cameras/door/frame.jpg?max_age_ms=200").await;
    assert_eq!(stale.error(), (503, "stale".into()));
    assert!(stale.message().contains("ms old"), "{}", stale.message());
    assert_eq!(port.get("/api/cameras/door/frame.jpg?max_age_ms=60000").await.status, 200);

    put(&door, 1, 500);
    let fresh = port.get("/api/cameras/door/frame.jpg?max_age_ms=200").await;
    assert_eq!((fresh.status, fresh.number("x-framecast-seq")), (200, 1));
    assert!(fresh.number("x-framecast-age-ms") <= 200);
}

#[tokio::test]
async fn a_waiting_request_is_answered_as_soon_as_the_next_frame_comes() {
    let port = ViewPort::start().await;
    let door = port.publish("door");
    put(&door, 1, 30_000);
    let camera = door.camera().clone();
    let mut latencies = Vec::new();
    for seq in 1..=10 {
        let path = format!("/api/cameras/door/frame.jpg?after={seq}");
        let asking = port.get(&path);
        let publishing = async {
            // It counts as a viewer while it waits.
            until(|| camera.snapshot().viewers == 1).await;
            sleep(Duration::from_millis(20)).await;
            put(&door, 1 + seq as u8, 30_000);
            Instant::now()
        };
        let (answer, published) = tokio::join!(asking, publishing);
        latencies.push(published.elapsed());
        assert_eq!((answer.status, answer.number("x-framecast-seq")), (200, seq + 1));
        assert_eq!(answer.body, picture(1 + seq as u8, 30_000));
    }
    latencies.sort();
    println!("publish to answer: median {:?}, most {:?}", latencies[5], latencies[9]);
    assert!(latencies[5] < Duration::from_millis(20), "{latencies:?}");
    until(|| camera.snapshot().viewers == 0).await;
}

#[tokio::test]
async fn a_wait_ends_at_once_when_a_newer_frame_is_there_and_empty_when_none_comes() {
    let port = ViewPort::start().await;
    let door = port.publish("door");
    let start = Instant::now();
    let none = port.get("/api/cameras/door/frame.jpg?after=0&timeout_ms=50").await;
    assert_eq!((none.status, none.body.len()), (204, 0));
    for fill in 1..=3 {
        put(&door, fill, 500);
    }
    let newer = port.get("/api/cameras/door/frame.jpg?after=1").await;
    assert_eq!(newer.number("x-framecast-seq"), 3, "the newest, not the next");
    let none = port.get("/api/cameras/door/frame.jpg?after=3&timeout_ms=50").await;
    assert_eq!(none.status, 204);
    // A number of before a restart.
    let restarted = port.get("/api/cameras/door/frame.jpg?after=1000000").await;
    assert_eq!(restarted.number("x-framecast-seq"), 3);
    assert!(start.elapsed() < Duration::from_secs(5));

    // The first frame after a restart, too.
    let yard = port.publish("yard");
    let asking = port.get("/api/cameras/yard/frame.jpg?after=1000000");
    let publishing = async {
        until(|| yard.camera().snapshot().viewers == 1).await;
        put(&yard, 1, 500);
    };
    assert_eq!(tokio::join!(asking, publishing).0.number("x-framecast-seq"), 1);
}

#[tokio::test]
async fn the_cache_is_listed_and_each_of_its_frames_can_be_had() {
    let port = ViewPort::start().await;
    let door = port.publish("door");
    for fill in 1..=3 {
        put(&door, fill, 500 + usize::from(fill));
        sleep(Duration::from_millis(400)).await;
    }
    let listed = port.get("/api/cameras/door/frames").await.json();
    assert_eq!((&listed["camera"], &listed["max_age_ms"]), (&json!("door"), &json!(10_000)));
    let frames = listed["frames"].as_array().unwrap();
    assert_eq!(frames.len(), 3);
    for (n, frame) in (1u64..).zip(frames) {
        let told = ["seq", "size", "width", "height"].map(|field| frame[field].as_u64().unwrap());
        assert_eq!(told, [n, 500 + n, 640, 480]);
        assert!(frame["received_us"].as_u64().unwrap() > 0);
    }
    // A little less back than its age: by then the second frame was there, the third was not.
    let ago = frames[1]["age_ms"].as_u64().unwrap() - 200;
    let then = port.get(&format!("/api/cameras/door/frame.jpg?at=-{ago}ms")).await;
    assert_eq!((then.status, then.body), (200, picture(2, 502)));
    assert!(then.headers["x-framecast-age-ms"].parse::<u64>().unwrap() >= ago);
    let now = port.get("/api/cameras/door/frame.jpg?at=-0s").await;
    assert_eq!(now.number("x-framecast-seq"), 3);
    let before = port.get("/api/cameras/door/frame.jpg?at=-60s").await;
    assert_eq!(before.error(), (404, "not_in_cache".into()));
    assert!(before.message().contains("oldest frame is 1"), "{}", before.message());
}

#[tokio::test]
async fn a_frame_is_had_by_its_number_until_it_leaves_the_cache() {
    let limits = Limits { cache_bytes: 5000, ..Limits::default() };
    let port = ViewPort::with(limits, 30.0).await;
    let door = port.publish("door");
    for fill in 1..=3 {
        put(&door, fill, 1000);
    }
    let path = "/api/cameras/door/frame.jpg?seq=2";
    let second = port.get(path).await;
    assert_eq!((second.status, second.number("x-framecast-seq")), (200, 2));
    assert_eq!(second.body, picture(2, 1000));
    let tag = format!("If-None-Match: {}\r\n", second.header("etag"));
    assert_eq!(port.ask("GET", path, &tag).await.status, 304);

    for fill in 4..=9 {
        put(&door, fill, 1000);
    }
    for gone in [path, "/api/cameras/door/frame.jpg?seq=10", "/api/cameras/door/frame.jpg?seq=0"] {
        let answer = port.get(gone).await;
        assert_eq!(answer.error(), (404, "not_in_cache".into()), "{gone}");
        assert!(answer.message().contains("to 9, see /frames"), "{}", answer.message());
    }
}

#[tokio::test]
async fn a_camera_without_a_frame_says_so() {
    let port = ViewPort::start().await;
    let _door = port.publish("door");
    for path in [
        "/api/cameras/door/frame.jpg",
        "/api/cameras/door/frame.jpg?at=-1s",
        "/api/cameras/door/frame.jpg?seq=1",
    ] {
        let answer = port.get(path).await;
        assert_eq!(answer.error(), (404, "not_in_cache".into()));
        assert!(answer.message().contains("no frame yet"), "{}", answer.message());
    }
    assert_eq!(port.get("/api/cameras/door/frames").await.json()["frames"], json!([]));
}

#[tokio::test]
async fn stats_sum_up_the_cameras_and_show_the_bounds() {
    let limits = Limits { max_cameras: 7, cache_bytes: 5000, ..Limits::default() };
    let port = ViewPort::with(limits, 30.0).await;
    let (door, yard) = (port.publish("door"), port.publish("yard"));
    put(&door, 1, 500);
    put(&yard, 1, 500);
    put(&yard, 1, 500);
    drop(yard);
    let _watching = (door.camera().viewing(), door.camera().viewing());
    let stats = port.get("/api/stats").await.json();
    let server = &stats["server"];
    assert_eq!(server["version"], env!("CARGO_PKG_VERSION"));
    assert!(server["uptime_s"].as_u64().unwrap() < 60);
    assert_eq!(server["cameras"], json!({"online": 1, "known": 2, "max": 7}));
    assert_eq!((&server["frames"], &server["viewers"]), (&json!(2), &json!(2)));
    assert_eq!(server["cache"]["max_camera_bytes"], 5000);
    assert_eq!(server["cache"]["max_age_ms"], 10_000);
    assert!(server["cache"]["bytes"].as_u64().unwrap() > 1000);
    assert_eq!(server["drops"], json!({"duplicate": 1}));
    // What the server knows of its other parts.
    assert_eq!(server["redis"], "ok");
    assert_eq!(stats["cameras"][1]["drops"], json!({"duplicate": 1}));
}

#[tokio::test]
async fn pages_learn_the_ingest_port() {
    let port = ViewPort::with(Limits::default(), 25.0).await;
    let version = env!("CARGO_PKG_VERSION");
    let info = json!({
        "version": version, "ingest_port": INGEST_PORT, "max_fps": 25.0, "manage": true,
        // Of those that the port was given; what only this machine reaches is left out.
        "ingest_addresses": ["192.0.2.7:8080", "[2001:db8::7]:8080"],
    });
    assert_eq!(port.get("/api/info").await.json(), info);
}

#[tokio::test]
async fn a_draining_server_is_not_ready_and_lets_nobody_wait() {
    let port = ViewPort::start().await;
    let door = port.publish("door");
    put(&door, 1, 500);
    assert_eq!(port.get("/healthz").await.text(), "ok");
    assert_eq!(port.get("/readyz").await.text(), "ok");
    let asking = port.get("/api/cameras/door/frame.jpg?after=1&timeout_ms=30000");
    let draining = async {
        until(|| door.camera().snapshot().viewers == 1).await;
        port.drain.cancel();
    };
    assert_eq!(tokio::join!(asking, draining).0.status, 204);
    let ready = port.get("/readyz").await;
    assert_eq!(ready.error(), (503, "draining".into()));
    assert_eq!(ready.header("retry-after"), "2");
    assert_eq!(port.get("/healthz").await.text(), "ok");
    assert_eq!(port.get("/api/cameras/door/frame.jpg").await.status, 200);
}

#[tokio::test]
async fn queries_that_cannot_be_read_are_refused_by_name() {
    let port = ViewPort::start().await;
    put(&port.publish("door"), 1, 500);
    for (query, name) in [
        ("frame.jpg?max_age_ms=old", "max_age_ms"),
        ("frame.jpg?max_age_ms=-1", "max_age_ms"),
        ("frame.jpg?max_age_ms=1&max_age_ms=2", "max_age_ms"),
        ("frame.jpg?after=x", "after"),
        ("frame.jpg?after=99999999999999999999", "after"),
        ("frame.jpg?after=1&timeout_ms=soon", "timeout_ms"),
        ("frame.jpg?after=1&timeout_ms=30001", "timeout_ms"),
        ("frame.jpg?at=3s", "at"),
        ("frame.jpg?at=-3m", "at"),
        ("frame.jpg?at=", "at"),
        ("frame.jpg?at=-3s&after=1", "at"),
        ("frame.jpg?at=-3s&max_age_ms=1", "at"),
        ("frame.jpg?seq=-1", "seq"),
        ("frame.jpg?seq=1&at=-3s", "seq"),
        ("frame.jpg?seq=1&after=1", "seq"),
        ("frame.jpg?seq=1&max_age_ms=1", "seq"),
        ("stream.mjpeg?max_fps=0", "max_fps"),
        ("stream.mjpeg?max_fps=-5", "max_fps"),
        ("stream.mjpeg?max_fps=NaN", "max_fps"),
        ("stream.mjpeg?max_fps=inf", "max_fps"),
        ("stream.mjpeg?max_fps=fast", "max_fps"),
    ] {
        let answer = port.get(&format!("/api/cameras/door/{query}")).await;
        assert_eq!(answer.error(), (400, "bad_request".into()), "{query}");
        let message = answer.message();
        assert!(!message.contains("invalid digit") && !message.contains("literal"), "{message}");
        assert!(
            message.contains(&format!("parameter {name}:"))
                || message.contains(&format!("`{name}`")),
            "{query}: {message}"
        );
    }
    // What is not known is ignored.
    assert_eq!(port.get("/api/cameras/door/frame.jpg?cachebuster=17").await.status, 200);
}

#[tokio::test]
async fn ids_and_paths_that_cannot_be_are_told_apart_from_those_that_are_not_there() {
    let port = ViewPort::start().await;
    put(&port.publish("door"), 1, 500);
    for route in ["", "/frame.jpg", "/frames", "/stream.mjpeg"] {
        for bad in ["..", "%2e%2e", "..%2f..%2fetc%2fpasswd", ".hidden", "a%20b", "%00", "%FF"] {
            let answer = port.get(&format!("/api/cameras/{bad}{route}")).await;
            assert_eq!(answer.error(), (400, "bad_camera_id".into()), "{bad}{route}");
        }
        let long = port.get(&format!("/api/cameras/{}{route}", "x".repeat(5000))).await;
        assert_eq!(long.error(), (400, "bad_camera_id".into()));
        assert!(long.body.len() < 500, "an id is not echoed whole");
        let unknown = port.get(&format!("/api/cameras/nobody{route}")).await;
        assert_eq!(unknown.error(), (404, "unknown_camera".into()), "{route}");
    }
    for path in ["/api", "/api/", "/api/nothing", "/api/cameras/../../etc/passwd", "/api/cameras/"]
    {
        let answer = port.get(path).await;
        assert_eq!(answer.error(), (404, "not_found".into()), "{path}");
    }
    assert_eq!(port.get("/api/cameras/door").await.status, 200);
}

#[tokio::test]
async fn a_method_that_a_path_has_not_is_refused_with_those_it_has() {
    let port = ViewPort::start().await;
    put(&port.publish("door"), 1, 500);
    for path in ["/api/stats", "/api/cameras/door/frame.jpg", "/api/openapi.json", "/readyz"] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
            let answer = port.ask(method, path, "").await;
            assert_eq!(answer.error(), (405, "method_not_allowed".into()), "{method} {path}");
            assert_eq!(answer.header("allow"), "GET,HEAD");
        }
    }
    assert_eq!(port.ask("DELETE", "/api/nothing", "").await.error().0, 404);
}

#[tokio::test]
async fn floods_are_refused_and_harm_nobody() {
    let port = ViewPort::start().await;
    put(&port.publish("door"), 1, 500);
    let query = format!("/api/cameras?x={}", "y".repeat(200_000));
    let many = "X-Flood: 1\r\n".repeat(5000);
    let long = format!("X-Flood: {}\r\n", "z".repeat(100_000));
    for (path, headers) in [(&*query, ""), ("/api/cameras", &*many), ("/api/cameras", &*long)] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: here\r\n{headers}\r\n");
        let mut stream = tokio::net::TcpStream::connect(port.addr).await.unwrap();
        // The server may answer and close before it has read all.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await;
        let mut answer = [0; 12];
        let read = timeout(PATIENCE, stream.read_exact(&mut answer)).await.expect("an answer");
        if read.is_ok() {
            let answer = std::str::from_utf8(&answer).unwrap();
            assert!(["HTTP/1.1 431", "HTTP/1.1 414"].contains(&answer), "{answer}");
        }
    }
    assert_eq!(port.get("/api/cameras/door/frame.jpg").await.status, 200);
}
