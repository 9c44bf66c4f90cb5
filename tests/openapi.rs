//! The API's description, held against what the routes do.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

#[path = "support/clip.rs"]
mod clip;
mod common;
#[path = "support/view_port.rs"]
mod view_port;
#[path = "support/whep_client.rs"]
mod whep_client;

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    net::SocketAddr,
    num::NonZeroUsize,
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::ConnectInfo,
    http::Request,
};
use clip::Clip;
use framecast::{
    media::Media,
    relay::{
        Clock, Codec, Format, Limits, LinkState, LinkStatus, Quality, Registry, Rung, TICKS,
        VideoFormat,
    },
    view::{Rest, View, routes},
};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::{
    io::AsyncReadExt as _,
    time::{sleep, timeout},
};
use tower::ServiceExt as _;
use view_port::{INGEST_PORT, PATIENCE, ViewPort, head, put, whep_routes};
use whep_client::Client;

fn h265() -> Format {
    let video = VideoFormat {
        codec: Codec::H265,
        rfc6381: "hvc1.1.6.L93.B0".into(),
        width: 640,
        height: 360,
        config: Bytes::new(),
    };
    Format { video, audio: None }
}

/// Status, without waiting for a body's end.
async fn status(port: &ViewPort, method: &str, path: &str, headers: &str, body: &str) -> u16 {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: here\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    let mut stream = port.send(&request).await;
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(timeout(PATIENCE, stream.read_u8()).await.expect("a head in time").unwrap());
    }
    head(&bytes).0
}

/// Statuses that were made to happen, by method and path.
#[derive(Default)]
struct Seen(BTreeMap<(String, String), BTreeSet<u16>>);

impl Seen {
    fn add(&mut self, method: &str, template: &str, status: u16) {
        let key = (method.to_lowercase(), template.to_owned());
        self.0.entry(key).or_default().insert(status);
    }

    /// Every status that the descriptions of reading routes promise.
    async fn reading(&mut self, port: &ViewPort) {
        let star = "If-None-Match: *\r\n";
        for (template, path, headers) in [
            ("/api/cameras", "/api/cameras", ""),
            ("/api/cameras/{id}", "/api/cameras/door", ""),
            ("/api/cameras/{id}", "/api/cameras/-", ""),
            ("/api/cameras/{id}", "/api/cameras/nobody", ""),
            ("/api/cameras/{id}/frames", "/api/cameras/door/frames", ""),
            ("/api/cameras/{id}/frames", "/api/cameras/-/frames", ""),
            ("/api/cameras/{id}/frames", "/api/cameras/nobody/frames", ""),
            ("/api/cameras/{id}/frame.jpg", "/api/cameras/door/frame.jpg", ""),
            ("/api/cameras/{id}/frame.jpg", "/api/cameras/door/frame.jpg", star),
            ("/api/cameras/{id}/frame.jpg", "/api/cameras/door/frame.jpg?after=1&timeout_ms=1", ""),
            ("/api/cameras/{id}/frame.jpg", "/api/cameras/door/frame.jpg?at=x", ""),
            ("/api/cameras/{id}/frame.jpg", "/api/cameras/door/frame.jpg?max_age_ms=1", ""),
            ("/api/cameras/{id}/frame.jpg", "/api/cameras/mute/frame.jpg", ""),
            // Of this picture only the header is good.
            ("/api/cameras/{id}/frame.jpg", "/api/cameras/door/frame.jpg?width=320", ""),
            ("/api/cameras/{id}/stream.mjpeg", "/api/cameras/door/stream.mjpeg", ""),
            ("/api/cameras/{id}/stream.mjpeg", "/api/cameras/door/stream.mjpeg?max_fps=x", ""),
            ("/api/cameras/{id}/stream.mjpeg", "/api/cameras/nobody/stream.mjpeg", ""),
            ("/api/cameras/{id}/frame.jpg", "/api/cameras/hevc/frame.jpg", ""),
            ("/api/cameras/{id}/stream.mjpeg", "/api/cameras/hevc/stream.mjpeg", ""),
            ("/api/cameras/{id}/stream/status", "/api/cameras/door/stream/status", ""),
            ("/api/cameras/{id}/stream/status", "/api/cameras/-/stream/status", ""),
            ("/api/cameras/{id}/stream/status", "/api/cameras/nobody/stream/status", ""),
            ("/api/streams/status/{id}", "/api/streams/status/door", ""),
            ("/api/streams/status/{id}", "/api/streams/status/-", ""),
            ("/api/streams/status/{id}", "/api/streams/status/nobody", ""),
            ("/api/camera-presets", "/api/camera-presets", ""),
            ("/api/stats", "/api/stats", ""),
            ("/api/info", "/api/info", ""),
            ("/api/openapi.json", "/api/openapi.json", ""),
            ("/healthz", "/healthz", ""),
            ("/readyz", "/readyz", ""),
        ] {
            self.add("get", template, status(port, "GET", path, headers, "").await);
        }
    }

    /// The same of HLS, of a camera `film` whose segment has this name.
    async fn hls(&mut self, port: &ViewPort, segment: &str) {
        for (folder, of) in [
            ("/hls/{stream}", ["/hls/cam_film", "/hls/-", "/hls/nobody"]),
            ("/api/cameras/{id}/stream", ["film", "-", "nobody"]),
        ] {
            let master = if folder.starts_with("/hls") { "index.m3u8" } else { "playlist.m3u8" };
            for camera in of {
                let here = if folder.starts_with("/hls") {
                    camera.to_owned()
                } else {
                    format!("/api/cameras/{camera}/stream")
                };
                for (name, file) in [
                    (master, master.to_owned()),
                    ("media.m3u8", "media.m3u8".to_owned()),
                    ("segment/{name}", format!("segment/{segment}")),
                ] {
                    let template = format!("{folder}/{name}");
                    let path = format!("{here}/{file}");
                    self.add("get", &template, status(port, "GET", &path, "", "").await);
                }
            }
        }
    }

    /// The same of WHEP, of a camera `film`. Returns an offer that is answered.
    async fn whep(&mut self, port: &ViewPort) -> String {
        let (camera, session) = ("/whep/{camera}", "/whep/{camera}/{session}");
        let (sdp, fragment) = (
            "Content-Type: application/sdp\r\n",
            "Content-Type: application/trickle-ice-sdpfrag\r\n",
        );
        let offer = Client::new().await.offer;
        let long = "x".repeat(65 << 10);
        let opened = port.ask_with("POST", "/whep/film", sdp, &offer).await;
        self.add("post", camera, opened.status);
        for (path, headers, body) in [
            ("/whep/film", sdp, "v=0\r\n"),
            ("/whep/nobody", sdp, &*offer),
            ("/whep/film", sdp, &*long),
            ("/whep/film", "", &*offer),
        ] {
            self.add("post", camera, status(port, "POST", path, headers, body).await);
        }
        let mine = opened.header("location");
        let matching = format!("{fragment}If-Match: {}\r\n", opened.header("etag"));
        let other = format!("{fragment}If-Match: \"other\"\r\n");
        let candidate = "a=candidate:1 1 udp 2 127.0.0.1 5000 typ host\r\n";
        for (path, headers, body) in [
            (mine, &*matching, candidate),
            (mine, &*other, candidate),
            (mine, fragment, candidate),
            (mine, "", candidate),
            (mine, &*matching, "a=ice-ufrag:other\r\n"),
            (mine, &*matching, &*long),
            ("/whep/film/none", &*matching, candidate),
        ] {
            self.add("patch", session, status(port, "PATCH", path, headers, body).await);
        }
        for _ in 0..2 {
            self.add("delete", session, status(port, "DELETE", mine, "", "").await);
        }
        offer
    }

    /// The same of those that change something.
    async fn changing(&mut self, port: &ViewPort) {
        let bare = ViewPort::without_catalog().await;
        let (cameras, camera, provision) =
            ("/api/cameras", "/api/cameras/{id}", "/cameras/provision");
        let (start, stop) = ("/api/cameras/{id}/stream/start", "/api/cameras/{id}/stream/stop");
        let (test, source_test) = ("/api/cameras/{id}/test", "/api/camera-test");
        let pushed = json!({"id": "pushed"}).to_string();
        let _ = status(port, "POST", cameras, "", &pushed).await;
        let there = json!({"type": "rtsp", "url": "rtsp://192.0.2.7/live"});
        let moved_source = json!({"source": there}).to_string();
        let proxied = "X-Forwarded-For: 192.0.2.7\r\n";
        let gate = json!({"id": "gate"}).to_string();
        let moved = json!({"location": "Yard"}).to_string();
        let gate_url = json!({"camera_id": 2, "rtsp_url": "rtsp://192.0.2.7/live"}).to_string();
        let metadata = "rtsp://169.254.169.254/";
        let source = json!({"type": "rtsp", "url": metadata});
        let refused = json!({"id": "cloud", "source": source}).to_string();
        let refused_url = json!({"camera_id": 2, "rtsp_url": metadata}).to_string();
        let long = json!({"name": "x".repeat(65 << 10)}).to_string();
        for (port, method, template, path, headers, body) in [
            (port, "POST", cameras, cameras, "", &*gate),
            (port, "POST", cameras, cameras, "", &*gate),
            (port, "POST", cameras, cameras, "", "{}"),
            (port, "POST", cameras, cameras, proxied, &*gate),
            (port, "POST", cameras, cameras, "", &*long),
            (port, "POST", cameras, cameras, "", &*refused),
            (&bare, "POST", cameras, cameras, "", &*gate),
            (port, "PATCH", camera, "/api/cameras/gate", "", &*moved),
            (port, "PATCH", camera, "/api/cameras/-", "", &*moved),
            (port, "PATCH", camera, "/api/cameras/gate", proxied, &*moved),
            (port, "PATCH", camera, "/api/cameras/nobody", "", &*moved),
            (port, "PATCH", camera, "/api/cameras/gate", "", &*long),
            (port, "PATCH", camera, "/api/cameras/gate", "", &*refused.replace("cloud", "gate")),
            (&bare, "PATCH", camera, "/api/cameras/gate", "", &*moved),
            (port, "DELETE", camera, "/api/cameras/gate", proxied, ""),
            (port, "DELETE", camera, "/api/cameras/gate", "", ""),
            (port, "DELETE", camera, "/api/cameras/gate", "", ""),
            (port, "DELETE", camera, "/api/cameras/-", "", ""),
            (&bare, "DELETE", camera, "/api/cameras/gate", "", ""),
            (port, "POST", provision, provision, "", &*gate_url),
            (port, "POST", provision, provision, "", "{}"),
            (port, "POST", provision, provision, proxied, &*gate_url),
            (port, "POST", provision, provision, "", &*long),
            (port, "POST", provision, provision, "", &*refused_url),
            (&bare, "POST", provision, provision, "", &*gate_url),
            (port, "POST", start, "/api/cameras/hevc/stream/start", "", ""),
            (port, "POST", start, "/api/cameras/hevc/stream/start", "", "{\"rtsp_port\":0}"),
            (port, "POST", start, "/api/cameras/hevc/stream/start", proxied, ""),
            (port, "POST", start, "/api/cameras/nobody/stream/start", "", ""),
            (port, "POST", start, "/api/cameras/door/stream/start", "", ""),
            (port, "POST", start, "/api/cameras/hevc/stream/start", "", &*long),
            (port, "POST", stop, "/api/cameras/still/stream/stop", "", ""),
            (port, "POST", stop, "/api/cameras/-/stream/stop", "", ""),
            (port, "POST", stop, "/api/cameras/hevc/stream/stop", proxied, ""),
            (port, "POST", stop, "/api/cameras/nobody/stream/stop", "", ""),
            (port, "POST", stop, "/api/cameras/door/stream/stop", "", ""),
            (port, "POST", test, "/api/cameras/2/test", "", ""),
            (port, "POST", test, "/api/cameras/-/test", "", ""),
            (port, "POST", test, "/api/cameras/2/test", proxied, ""),
            (port, "POST", test, "/api/cameras/nobody/test", "", ""),
            (port, "POST", test, "/api/cameras/pushed/test", "", ""),
            (&bare, "POST", test, "/api/cameras/2/test", "", ""),
            (port, "POST", source_test, source_test, "", &*moved_source),
            (port, "POST", source_test, source_test, "", "{\"nonsense\":1}"),
            (port, "POST", source_test, source_test, proxied, "{}"),
            (port, "POST", source_test, source_test, "", "{}"),
            (port, "POST", source_test, source_test, "", &*long),
            (port, "POST", source_test, source_test, "", &*refused),
            (&bare, "POST", source_test, source_test, "", &*moved_source),
        ] {
            self.add(method, template, status(port, method, path, headers, body).await);
        }
    }
}

#[tokio::test]
async fn every_route_is_described_and_every_description_is_true() {
    let port = ViewPort::start().await;
    let (shutdown, tasks) = (&port.lifetime.shutdown, &port.lifetime.tasks);
    Media::start(&port.registry, NonZeroUsize::MIN, 100, shutdown, tasks);
    let (door, _mute) = (port.publish("door"), port.publish("mute"));
    put(&door, 1, 500);
    // Two that are connected to, one of them with video of which no pictures are made.
    let (hevc, still) = (port.publish("hevc"), port.publish("still"));
    hevc.begin_video(h265()).unwrap();
    for (camera, state) in [(&hevc, LinkState::Streaming), (&still, LinkState::Stopped)] {
        camera.camera().link().report(Some(LinkStatus {
            state,
            reconnects: 0,
            failures: 0,
            last_error: None,
            next_retry_us: None,
        }));
    }
    // Nobody connects here: each trial is answered that there are too many.
    let mut trials = port.registry.trials().unwrap();
    tokio::spawn(async move { while trials.recv().await.is_some() {} });
    sleep(Duration::from_millis(20)).await;
    let document = port.get("/api/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));

    let mut seen = Seen::default();
    seen.reading(&port).await;
    let (film, clip) = (port.publish("film"), Clip::open("hls-plain.mp4"));
    film.begin_video(clip.format.clone()).unwrap();
    clip.send_at_once(&film, 0, 3 * TICKS);
    let playlist = port.get("/hls/cam_film/media.m3u8").await;
    let playlist = String::from_utf8(playlist.body).unwrap();
    let segment = playlist.lines().find_map(|line| line.strip_prefix("segment/")).unwrap();
    seen.hls(&port, segment).await;
    let offer = seen.whep(&port).await;
    seen.changing(&port).await;
    // The part that comes next is waited for, here until the server goes.
    let (_, hint) = playlist.rsplit_once("segment/").unwrap();
    let hint = hint.split('"').next().unwrap();
    let folders = ["/hls/cam_film", "/api/cameras/film/stream"];
    let [direct, other] = folders.map(|folder| format!("{folder}/segment/{hint}"));
    let ((), direct, other) = tokio::join!(
        async {
            sleep(Duration::from_millis(50)).await;
            port.drain.cancel();
        },
        status(&port, "GET", &direct, "", ""),
        status(&port, "GET", &other, "", ""),
    );
    seen.add("get", "/hls/{stream}/segment/{name}", direct);
    seen.add("get", "/api/cameras/{id}/stream/segment/{name}", other);
    seen.hls(&port, segment).await;
    let sdp = "Content-Type: application/sdp\r\n";
    let drained = status(&port, "POST", "/whep/film", sdp, &offer).await;
    seen.add("post", "/whep/{camera}", drained);
    for (template, path) in [
        ("/readyz", "/readyz"),
        ("/api/cameras/{id}/stream.mjpeg", "/api/cameras/door/stream.mjpeg"),
    ] {
        seen.add("get", template, status(&port, "GET", path, "", "").await);
    }

    let mut described = 0;
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let mut promised: BTreeSet<u16> = operation["responses"]
                .as_object()
                .unwrap()
                .keys()
                .map(|status| status.parse().unwrap())
                .collect();
            assert!(operation["summary"].as_str().is_some(), "{method} {path}");
            assert!(operation["tags"][0].as_str().is_some(), "{method} {path}");
            assert!(ids.insert(operation["operationId"].as_str()), "{method} {path}");
            // The ingest port's are only pointed to.
            if operation.get("servers").is_some() {
                assert_eq!(path, "/publish/{camera}");
                continue;
            }
            // Takes 10 s; the next test makes it happen.
            let late = promised.remove(&408);
            assert_eq!(late, operation.get("requestBody").is_some(), "{method} {path}");
            let key = (method.clone(), path.clone());
            assert_eq!(seen.0.get(&key), Some(&promised), "{method} {path}");
            described += 1;
            let in_path = path.matches('{').count();
            let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
            let named = parameters.iter().filter(|parameter| parameter["in"] == "path").count();
            assert_eq!(in_path, named, "{path}");
            for parameter in parameters {
                assert!(parameter["description"].as_str().is_some(), "{path}: {parameter}");
            }
        }
    }
    assert_eq!(described, seen.0.len(), "a route is not described");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_a_timeout_at_every_route_that_takes_one() {
    let registry = Registry::new(Limits::default(), Clock::system());
    let whep = whep_routes(&registry, &Default::default());
    let rest = Rest::new(View { registry, max_fps: 30.0 }, Default::default(), INGEST_PORT);
    let router = routes(rest).merge(whep);
    let ask = async |method: &str, path: &str, kind: &str, body: Body| {
        let request = Request::builder().method(&*method.to_uppercase()).uri(path);
        let request = request.header("content-type", kind);
        let from: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let request = request.extension(ConnectInfo(from)).body(body).unwrap();
        router.clone().oneshot(request).await.unwrap()
    };
    let document = ask("GET", "/api/openapi.json", "", Body::empty()).await.into_body();
    let document = axum::body::to_bytes(document, usize::MAX).await.unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation.get("requestBody").is_some() && operation.get("servers").is_none() {
                let body = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
                let kinds = operation["requestBody"]["content"].as_object().unwrap();
                let path = path.replace("{id}", "door").replace("{camera}", "door");
                let answer = ask(method, &path, kinds.keys().next().unwrap(), body).await;
                assert_eq!(answer.status(), 408, "{method} {path}");
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 7);
}

#[tokio::test]
async fn the_description_lists_every_query_and_the_push_of_the_ingest_port() {
    let port = ViewPort::start().await;
    let document = port.get("/api/openapi.json").await.json();
    let parameters = |path: &str, place: &str| -> BTreeSet<String> {
        let all = document["paths"][path]["get"]["parameters"].as_array().unwrap();
        let here = all.iter().filter(|parameter| parameter["in"] == place);
        here.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect()
    };
    let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    let still = "/api/cameras/{id}/frame.jpg";
    assert_eq!(
        parameters(still, "query"),
        set(&["max_age_ms", "after", "timeout_ms", "at", "seq", "stored", "width", "quality"])
    );
    assert_eq!(parameters(still, "header"), set(&["If-None-Match"]));
    let stream = "/api/cameras/{id}/stream.mjpeg";
    assert_eq!(parameters(stream, "query"), set(&["max_fps", "width", "quality"]));

    for method in ["post", "put"] {
        let push = &document["paths"]["/publish/{camera}"][method];
        let server = push["servers"][0]["url"].as_str().unwrap();
        assert_eq!(server, format!("http://{{host}}:{INGEST_PORT}"));
        let bodies = push["requestBody"]["content"].as_object().unwrap();
        for kind in ["image/jpeg", "multipart/x-mixed-replace", "video/x-motion-jpeg"] {
            assert!(bodies.contains_key(kind), "{kind}");
        }
        for status in ["200", "400", "408", "409", "413", "422", "503"] {
            assert!(push["responses"][status]["description"].as_str().is_some(), "{status}");
        }
    }
}

#[tokio::test]
async fn answers_have_the_described_shape() {
    let port = ViewPort::start().await;
    let door = port.publish("door");
    put(&door, 1, 500);
    let _watch = door.camera().watch(Quality::Rung(Rung::LOW));
    let document = port.get("/api/openapi.json").await.json();
    let holds = |method: &str, template: &str, status: u16, answer: &Value| {
        let operation = &document["paths"][template][method];
        let response = &operation["responses"][status.to_string()];
        let schema = &response["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{method} {template} {status} is not described");
        matches(&document, schema, answer, template);
    };
    let source = json!({"type": "rtsp", "host": "192.0.2.7", "username": "admin", "password": "x"});
    let gate = json!({"id": "gate", "source": source, "substream_url": "rtsp://192.0.2.7/2"});
    let secure =
        json!({"type": "mjpeg", "url": "https://192.0.2.7/", "tls_fingerprint": "ab".repeat(32)});
    let secure = json!({"id": "secure", "source": secure});
    let provision = json!({"camera_id": 2, "rtsp_url": "rtsp://192.0.2.7/live"});
    for (method, template, path, body) in [
        ("post", "/api/cameras", "/api/cameras", &gate),
        ("post", "/api/cameras", "/api/cameras", &secure),
        ("patch", "/api/cameras/{id}", "/api/cameras/gate", &json!({"location": "Yard"})),
        ("patch", "/api/cameras/{id}", "/api/cameras/gate", &json!({"location": 5})),
        ("post", "/cameras/provision", "/cameras/provision", &provision),
        ("post", "/cameras/provision", "/cameras/provision", &json!({})),
    ] {
        let answer = port.tell(&method.to_uppercase(), path, body).await;
        holds(method, template, answer.status, &answer.json());
    }
    for (template, path) in [
        ("/api/cameras", "/api/cameras"),
        ("/api/cameras/{id}", "/api/cameras/door"),
        ("/api/cameras/{id}", "/api/cameras/gate"),
        ("/api/cameras/{id}", "/api/cameras/nobody"),
        ("/api/cameras/{id}/frames", "/api/cameras/door/frames"),
        ("/api/cameras/{id}/stream/status", "/api/cameras/door/stream/status"),
        ("/api/streams/status/{id}", "/api/streams/status/door"),
        ("/api/camera-presets", "/api/camera-presets"),
        ("/api/stats", "/api/stats"),
        ("/api/info", "/api/info"),
    ] {
        let answer = port.get(path).await;
        holds("get", template, answer.status, &answer.json());
    }
    // Every reference leads somewhere.
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

/// Holds a value against as much of JSON Schema as the description uses.
fn matches(document: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#'));
        return matches(document, target.expect("the reference leads somewhere"), value, at);
    }
    if let Some(either) = schema["oneOf"].as_array() {
        // A value that may be null is described as null or something else.
        let (null, other): (Vec<_>, Vec<_>) =
            either.iter().partition(|schema| schema["type"] == "null");
        assert_eq!((null.len(), other.len()), (1, 1), "{at}: {schema}");
        if !value.is_null() {
            matches(document, other[0], value, at);
        }
        return;
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        Value::String(kind) => vec![kind.as_str()],
        // Of any type.
        Value::Null => return,
        other => panic!("{at}: no type but {other}"),
    };
    let fits = allowed.contains(&kind) || (kind == "integer" && allowed.contains(&"number"));
    assert!(fits, "{at}: {value} is not {allowed:?}");
    match value {
        Value::Array(items) => {
            for item in items {
                matches(document, &schema["items"], item, at);
            }
        }
        Value::Object(fields) => {
            let none = serde_json::Map::new();
            let known = schema["properties"].as_object().unwrap_or(&none);
            for required in schema["required"].as_array().into_iter().flatten() {
                let name = required.as_str().unwrap();
                assert!(fields.contains_key(name), "{at}: {name} is missing");
            }
            for (name, field) in fields {
                match (known.get(name), &schema["additionalProperties"]) {
                    (Some(schema), _) => matches(document, schema, field, &format!("{at}.{name}")),
                    (None, more @ Value::Object(_)) => matches(document, more, field, at),
                    (None, _) => panic!("{at}.{name} is not described"),
                }
            }
        }
        _ => {}
    }
}
