//! Who may set cameras up, and where none may be, at the real server.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

#[path = "support/binary.rs"]
mod binary;
#[path = "support/catalog_server.rs"]
mod catalog_server;

use catalog_server::CatalogServer;
use serde_json::{Value, json};

fn started(flags: &[&str]) -> (tempfile::TempDir, CatalogServer) {
    let dir = tempfile::tempdir().unwrap();
    let server = CatalogServer::start(dir.path(), flags);
    (dir, server)
}

#[tokio::test]
async fn no_source_is_at_a_metadata_or_link_local_address_however_it_is_written() {
    let (_dir, server) = started(&["--source-networks", "0.0.0.0/0,::/0"]);
    server.tell("POST", "/api/cameras", &json!({"id": "door"})).await;
    let before = server.configured().await;
    for host in [
        "169.254.169.254",
        "169.254.0.1",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        // IPv4 in IPv6: mapped, compatible, translated, tunneled.
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[::169.254.169.254]",
        "[64:ff9b::169.254.169.254]",
        "[2002:a9fe:a9fe::1]",
        "[::ffff:100.100.100.200]",
        "[::ffff:0:0]",
        "0.0.0.0",
        "255.255.255.255",
        "[ff02::1]",
    ] {
        let (rtsp, http) = (format!("rtsp://{host}/live"), format!("http://{host}/video"));
        let attempts = [
            ("POST", "/api/cameras", json!({"id": "x", "source": {"type": "rtsp", "url": rtsp}})),
            ("POST", "/api/cameras", json!({"id": "x", "source": {"type": "mjpeg", "url": http}})),
            ("POST", "/api/cameras", json!({"id": "x", "source": {"type": "rtsp", "host": host}})),
            (
                "PATCH",
                "/api/cameras/door",
                json!({"source": {"type": "rtsp", "url": "rtsp://192.0.2.7/"}, "substream_url": rtsp}),
            ),
            ("POST", "/cameras/provision", json!({"camera_id": 2, "rtsp_url": rtsp})),
        ];
        for (method, path, body) in attempts {
            let refused = server.tell(method, path, &body).await;
            assert_eq!(refused.error(), (422, "refused_source"), "{body}: {}", refused.text);
            assert!(refused.message().contains("never connected to"), "{}", refused.message());
        }
    }
    // What browsers and some systems read as 169.254.169.254.
    for host in ["2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518"] {
        let url = format!("http://{host}/latest/meta-data");
        let body = json!({"id": "x", "source": {"type": "mjpeg", "url": url}});
        let refused = server.tell("POST", "/api/cameras", &body).await;
        assert_eq!(refused.error(), (422, "refused_source"), "{host}");
    }
    assert_eq!(server.configured().await, before);
}

#[tokio::test]
async fn sources_are_in_the_networks_that_were_named_and_nowhere_else() {
    let (_dir, server) = started(&["--source-networks", "192.168.0.0/16"]);
    let at = |id: &str, host: &str| json!({"id": id, "source": {"type": "rtsp", "host": host}});
    for (id, host) in [("a", "192.168.1.64"), ("b", "::ffff:192.168.1.64"), ("c", "cam.lan")] {
        let added = server.tell("POST", "/api/cameras", &at(id, host)).await;
        assert_eq!(added.status, 201, "{host}: {}", added.text);
    }
    for host in ["10.0.0.5", "::ffff:10.0.0.5", "2001:db8::5"] {
        let refused = server.tell("POST", "/api/cameras", &at("x", host)).await;
        assert_eq!(refused.error(), (422, "refused_source"), "{host}");
        assert!(refused.message().contains("--source-networks"), "{}", refused.message());
    }
}

#[tokio::test]
async fn pages_of_strangers_change_nothing_and_own_and_allowed_ones_do() {
    let (_dir, server) = started(&["--allow-origin", "https://house.example"]);
    server.tell("POST", "/api/cameras", &json!({"id": "door"})).await;
    let before = server.configured().await;
    let gate = json!({"id": "gate"}).to_string();
    let url = json!({"camera_id": 2, "rtsp_url": "rtsp://192.0.2.7/"}).to_string();
    let changes = [
        ("POST", "/api/cameras", &*gate),
        ("PATCH", "/api/cameras/door", r#"{"name": "mine"}"#),
        ("DELETE", "/api/cameras/door", ""),
        ("POST", "/cameras/provision", &*url),
    ];
    // As a page sends it without asking first: a form's body, or none.
    let form = ("content-type", "text/plain");
    for strange in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        // A stranger's name that leads here (DNS rebinding).
        ("host", "evil.example"),
    ] {
        for (method, path, body) in changes {
            let refused = server.send(method, path, &[strange, form], body).await.unwrap();
            assert_eq!(refused.error(), (403, "forbidden_origin"), "{method} {path} {strange:?}");
        }
    }
    assert_eq!(server.configured().await, before);

    let allowed = ("origin", "https://house.example");
    let asking = ("access-control-request-method", "PATCH");
    let preflight = server.send("OPTIONS", "/api/cameras/door", &[allowed, asking], "").await;
    let preflight = preflight.unwrap().headers;
    let methods = preflight["access-control-allow-methods"].to_str().unwrap();
    assert!(methods.contains("PATCH") && methods.contains("DELETE"), "{methods}");
    let own = format!("http://{}", server.view);
    for (origin, name) in [(allowed, "theirs"), (("origin", &*own), "ours")] {
        let body = json!({"name": name}).to_string();
        let changed = server.send("PATCH", "/api/cameras/door", &[origin], &body).await.unwrap();
        assert_eq!((changed.status, &changed.json["name"]), (200, &json!(name)));
    }
}

#[tokio::test]
async fn who_may_not_set_cameras_up_sees_no_address_and_changes_nothing() {
    let (dir, server) = started(&[]);
    let source = json!({"type": "rtsp", "url": "rtsp://admin:hunter2@192.0.2.7/live"});
    let door = json!({"id": "door", "source": source, "substream_url": "rtsp://192.0.2.7/2"});
    assert_eq!(server.tell("POST", "/api/cameras", &door).await.status, 201);
    assert_eq!(server.get("/api/info").await.json["manage"], true);

    // Behind a proxy everybody seems to be this machine.
    let proxied = [("x-forwarded-for", "192.0.2.99")];
    let elsewhere = started(&["--manage-from", "10.0.0.0/8"]);
    let behind = server.send("GET", "/api/cameras/door", &proxied, "").await.unwrap();
    assert_eq!(behind.json["source"], json!({"type": "rtsp"}));
    assert_eq!(behind.json["substream_url"], Value::Null);
    let info = server.send("GET", "/api/info", &proxied, "").await.unwrap();
    assert_eq!(info.json["manage"], false);
    for (method, path) in [
        ("POST", "/api/cameras"),
        ("PATCH", "/api/cameras/door"),
        ("DELETE", "/api/cameras/door"),
        ("POST", "/cameras/provision"),
    ] {
        let refused = server.send(method, path, &proxied, "{}").await.unwrap();
        assert_eq!(refused.error(), (403, "forbidden_address"), "{method} {path}");
        let refused = elsewhere.1.send(method, path, &[], "{}").await.unwrap();
        assert_eq!(refused.error(), (403, "forbidden_address"), "{method} {path}");
        assert!(refused.message().contains("--manage-from 127.0.0.1"), "{}", refused.message());
    }

    let server = server.restart(dir.path(), &["--manage-from", "127.0.0.0/8"]);
    let changed = server.send("PATCH", "/api/cameras/door", &proxied, r#"{"name": "x"}"#).await;
    assert_eq!(changed.unwrap().status, 200, "a proxy in a named network speaks for its clients");
}
