//! A camera's password goes in and is seen nowhere again: not in answers, errors, figures, the log
//! at its most talkative, or any byte of the data folder.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

#[path = "support/binary.rs"]
mod binary;
#[path = "support/catalog_server.rs"]
mod catalog_server;

use std::{fs, path::Path};

use catalog_server::{Answer, CatalogServer};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

/// In every password and every part of a path that is one; nowhere else.
const MARK: &str = "hunter2";

/// The places where it is, as text or in hexadecimal.
fn leaks(bytes: &[u8]) -> bool {
    let hex: String = MARK.bytes().map(|byte| format!("{byte:02x}")).collect();
    let text = bytes.to_ascii_lowercase();
    [MARK, &hex].iter().any(|part| holds(&text, part))
}

fn holds(bytes: &[u8], part: &str) -> bool {
    bytes.windows(part.len()).any(|window| window == part.as_bytes())
}

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let read = |entry: fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    };
    fs::read_dir(dir).unwrap().map(|entry| read(entry.unwrap())).collect()
}

/// Requests that are taken, each with a secret in another place.
fn taken() -> Vec<(&'static str, &'static str, Value)> {
    let field = json!({"type": "rtsp", "host": "192.0.2.7", "username": "admin",
        "password": "hunter2-field"});
    let url = json!({"type": "mjpeg",
        "url": "http://admin:hunter2%2Durl@192.0.2.8/video?user=admin&pwd=hunter2-query"});
    let path = json!({"type": "rtsp", "host": "192.0.2.9",
        "path": "/user=admin_password=hunter2-path_channel=1_stream=0"});
    vec![
        (
            "POST",
            "/api/cameras",
            json!({"id": "field", "source": field,
            "substream_url": "rtsp://admin:hunter2-sub@192.0.2.7/2"}),
        ),
        ("POST", "/api/cameras", json!({"id": "url", "source": url})),
        ("POST", "/api/cameras", json!({"id": "path", "source": path})),
        ("POST", "/api/cameras", json!({"id": "gone", "source": field})),
        ("PATCH", "/api/cameras/field", json!({"source": {"password": "hunter2-patched"}})),
        ("PATCH", "/api/cameras/field", json!({"name": "Front door"})),
        (
            "POST",
            "/cameras/provision",
            json!({"camera_id": 2, "rtsp_url": "rtsp://admin:hunter2-provisioned@192.0.2.7/"}),
        ),
        ("DELETE", "/api/cameras/gone", json!({})),
    ]
}

/// Requests that are refused, with a secret where something is wrong.
fn refused() -> Vec<(&'static str, &'static str, String)> {
    let source = |source: Value| json!({"id": "bad", "source": source}).to_string();
    let url = |url: &str| source(json!({"type": "rtsp", "url": url}));
    let mut all: Vec<_> = [
        url("rtsp://admin:hunter2/with/slashes@192.0.2.7/live"),
        url("rtsp://admin:hunter2#fragment@192.0.2.7/live"),
        url("rtsp://admin:hunter2 space@192.0.2.7/live"),
        url("rtsp://admin:hunter2%ZZ@192.0.2.7:99999/live"),
        url("exec://hunter2"),
        url("hunter2"),
        url("rtsp://admin:hunter2@169.254.169.254/live"),
        url(&format!("rtsp://admin:hunter2@192.0.2.7/{}", "x".repeat(3000))),
        url("rtsp://192.0.2.7/pwd=hunter2@x"),
        source(json!({"type": "rtsp", "host": "admin:hunter2@192.0.2.7"})),
        source(json!({"type": "rtsp", "host": "192.0.2.7", "port": "hunter2"})),
        source(json!({"type": "rtsp", "host": "192.0.2.7", "path": "/a#pwd=hunter2"})),
        source(json!({"type": "hunter2"})),
        source(json!({"type": "rtsp", "host": "192.0.2.7", "password": ["hunter2"]})),
        source(json!({"type": "rtsp", "host": "192.0.2.7", "password": "hunter2\n"})),
        source(json!({"type": "rtsp", "host": "192.0.2.7", "password": "hunter2".repeat(99)})),
        source(json!({"type": "rtsp", "host": "192.0.2.7", "username": "admin:hunter2"})),
        source(json!("rtsp://admin:hunter2@192.0.2.7/")),
        json!({"id": "bad", "substream_url": "rtsp://admin:hunter2@192.0.2.7/"}).to_string(),
        json!(["rtsp://admin:hunter2@192.0.2.7/"]).to_string(),
        r#"{"id": "bad", "source": {"password": "hunter2" "#.to_owned(),
        r#"{"id": "bad", "source": {"password": hunter2}}"#.to_owned(),
    ]
    .into_iter()
    .map(|body| ("POST", "/api/cameras", body))
    .collect();
    let moved = json!({"source": {"url": "rtsp://root:hunter2@192.0.2.7:bad/"}}).to_string();
    all.push(("PATCH", "/api/cameras/field", moved));
    for url in ["http://admin:hunter2@192.0.2.7/", "rtsp://admin:hunter2/@192.0.2.7/"] {
        let body = json!({"camera_id": 2, "rtsp_url": url}).to_string();
        all.push(("POST", "/cameras/provision", body));
    }
    all
}

#[tokio::test]
async fn a_password_is_seen_nowhere_again() {
    let dir = tempfile::tempdir().unwrap();
    let flags = ["--log", "trace"];
    let mut server = CatalogServer::start(dir.path(), &flags);
    let mut heard = 0;
    let mut hear = |what: &str, answer: &Answer| {
        heard += answer.text.len();
        let headers = format!("{:?}", answer.headers);
        assert!(!leaks(answer.text.as_bytes()), "{what}: {}", answer.text);
        assert!(!leaks(headers.as_bytes()), "{what}: {headers}");
    };
    for (method, path, body) in taken() {
        let answer = server.tell(method, path, &body).await;
        assert!(answer.status < 300, "{body}: {}", answer.text);
        hear(path, &answer);
    }
    for (method, path, body) in refused() {
        let answer = server.send(method, path, &[], &body).await.unwrap();
        assert!((400..500).contains(&answer.status), "{body}: {}", answer.text);
        hear(&body, &answer);
    }
    for path in [
        "/api/cameras",
        "/api/cameras/field",
        "/api/cameras/url",
        "/api/cameras/path",
        "/api/cameras/2",
        "/api/stats",
        "/api/info",
    ] {
        hear(path, &server.get(path).await);
    }
    assert!(heard > 5000, "only {heard} bytes of answers were looked at");
    let (mut viewer, _) =
        tokio_tungstenite::connect_async(format!("ws://{}/stream", server.view)).await.unwrap();
    let hello = viewer.next().await.unwrap().unwrap().into_data();
    assert!(holds(&hello, "Front door") && !leaks(&hello));

    // Killed, so that the write-ahead log is still there.
    server.process.signal("KILL");
    server.process.ended();
    let log: Vec<_> = server.process.log.iter().collect();
    assert!(log.iter().any(|line| line.contains("TRACE")), "the log is at its most talkative");
    assert!(log.iter().any(|line| line.contains("camera changed")));
    for line in log {
        assert!(!leaks(line.as_bytes()), "{line}");
    }
    let found = files(dir.path());
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"catalog.db") && names.contains(&"catalog.db-wal"), "{names:?}");
    assert!(found.iter().any(|(_, bytes)| holds(bytes, "192.0.2.7")), "nothing was looked at");
    for (name, bytes) in &found {
        assert!(!leaks(bytes), "{name}");
    }

    // Nor when the key is another and nothing can be read.
    fs::write(dir.path().join("catalog.key"), "00".repeat(32)).unwrap();
    let server = CatalogServer::start(dir.path(), &flags);
    let catalog = server.catalog().await;
    let problem = catalog["problem"].as_str().unwrap();
    assert!(problem.contains("put the old key file back"), "{problem}");
    assert_eq!((&catalog["kept"], &catalog["cameras"]), (&json!(true), &json!(4)));
    assert!(!leaks(problem.as_bytes()) && !leaks(server.get("/api/cameras").await.text.as_bytes()));
}
