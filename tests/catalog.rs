//! Setting cameras up over HTTP, at the real server: what is kept, what a change means, and how
//! others' systems provision.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

#[path = "support/binary.rs"]
mod binary;
#[path = "support/catalog_server.rs"]
mod catalog_server;

use std::{os::unix::fs::PermissionsExt as _, time::Duration};

use catalog_server::{CatalogServer, configured};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

/// An RTSP camera with every field set.
fn door() -> Value {
    json!({
        "id": "door",
        "name": "Front door",
        "location": "Hall",
        "source": {
            "type": "rtsp", "host": "192.0.2.7", "port": 8554, "path": "/Streaming/Channels/1",
            "username": "admin", "password": "hunter2",
        },
        "on_demand": false,
        "max_viewers": 7,
        "rtsp_transport": "udp",
        "jpeg_fps": 12.5,
        "substream_url": "rtsp://192.0.2.7:8554/Streaming/Channels/102",
    })
}

fn fresh() -> (tempfile::TempDir, CatalogServer) {
    let dir = tempfile::tempdir().unwrap();
    let server = CatalogServer::start(dir.path(), &[]);
    (dir, server)
}

#[tokio::test]
async fn a_camera_that_was_only_published_can_be_forgotten_once_it_is_offline() {
    let dir = tempfile::tempdir().unwrap();
    let server = CatalogServer::start(dir.path(), &[]);
    let remove = || server.send("DELETE", "/api/cameras/album", &[], "");
    assert_eq!(remove().await.unwrap().error(), (404, "not_configured"));

    let mut publisher = TcpStream::connect(&server.ingest).await.unwrap();
    let picture = framecast::wire::jpeg::skeleton(64, 48, 500, 1);
    let head = "POST /publish/album HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\
                Content-Type: video/x-motion-jpeg\r\n\r\n1f4\r\n";
    // The start of a second picture shows where the first ends.
    let body = [head.as_bytes(), &picture, b"\r\n2\r\n\xff\xd8\r\n"].concat();
    publisher.write_all(&body).await.unwrap();
    let is_online = async |online: bool| {
        let camera = server.get("/api/cameras/album").await;
        camera.status == 200 && camera.json["online"] == online
    };
    while !is_online(true).await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let kept = remove().await.unwrap();
    assert_eq!(kept.error(), (404, "not_configured"));
    assert!(kept.message().contains("publisher"), "{}", kept.text);

    drop(publisher);
    while !is_online(false).await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let gone = remove().await.unwrap();
    assert_eq!((gone.status, &*gone.text), (204, ""));
    assert_eq!(server.get("/api/cameras/album").await.error(), (404, "unknown_camera"));
}

#[tokio::test]
async fn what_is_set_up_is_there_after_a_restart_to_the_last_field() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("made/by the server");
    let server = CatalogServer::start(&dir, &[]);
    let added = server.tell("POST", "/api/cameras", &door()).await;
    assert_eq!(
        (added.status, &added.headers["location"]),
        (201, &"/api/cameras/door".parse().unwrap())
    );
    let shown = json!({
        "id": "door",
        "name": "Front door",
        "location": "Hall",
        "source": {
            "type": "rtsp", "url": "rtsp://192.0.2.7:8554/Streaming/Channels/1",
            "host": "192.0.2.7", "port": 8554, "path": "/Streaming/Channels/1",
            "username": "admin", "has_password": true,
        },
        "on_demand": false,
        "max_viewers": 7,
        "rtsp_transport": "udp",
        "jpeg_fps": 12.5,
        "substream_url": "rtsp://192.0.2.7:8554/Streaming/Channels/102",
    });
    assert_eq!(configured(&added.json), shown);
    assert_eq!((&added.json["online"], &added.json["viewers"]), (&json!(false), &json!(0)));
    assert!(added.json["reason"].is_string(), "{}", added.text);

    let yard = json!({"id": 7, "source": {"type": "mjpeg", "url": "http://192.0.2.8/video"}});
    assert_eq!(server.tell("POST", "/api/cameras", &yard).await.status, 201);
    for gate in ["gate", "shed"] {
        assert_eq!(server.tell("POST", "/api/cameras", &json!({"id": gate})).await.status, 201);
    }
    let moved = server.tell("PATCH", "/api/cameras/7", &json!({"location": "Yard"})).await;
    assert_eq!((moved.status, &moved.json["location"]), (200, &json!("Yard")));
    let removed = server.send("DELETE", "/api/cameras/shed", &[], "").await.unwrap();
    assert_eq!((removed.status, &*removed.text), (204, ""));
    assert_eq!(server.get("/api/cameras/shed").await.error(), (404, "unknown_camera"));

    let before = server.configured().await;
    let ids: Vec<_> = before.iter().map(|camera| camera["id"].as_str().unwrap()).collect();
    assert_eq!((ids, &before[1]), (vec!["7", "door", "gate"], &shown));
    let server = server.restart(&dir, &[]);
    assert_eq!(server.configured().await, before);
    assert_eq!(server.catalog().await, json!({"cameras": 3, "kept": true, "problem": null}));
    assert!(server.get("/api/cameras/door").await.json["reason"].is_string());

    // For its owner's eyes only.
    let mode = |name: &str| dir.join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!([mode(""), mode("catalog.db"), mode("catalog.key")], [0o700, 0o600, 0o600]);
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_null_is_the_default() {
    let (_dir, server) = fresh();
    let mut expected = configured(&server.tell("POST", "/api/cameras", &door()).await.json);
    let patch = async |body: Value| server.tell("PATCH", "/api/cameras/door", &body).await;
    for (body, changed) in [
        (json!({}), json!({})),
        (json!({"name": "Back door"}), json!({"name": "Back door"})),
        (
            json!({"on_demand": true, "max_viewers": 0, "id": "door"}),
            json!({"on_demand": true, "max_viewers": 0}),
        ),
        (
            json!({"location": null, "jpeg_fps": null, "rtsp_transport": null}),
            json!({"location": null, "jpeg_fps": 5.0, "rtsp_transport": "tcp"}),
        ),
        (json!({"name": null}), json!({"name": "door"})),
        (json!({"substream_url": null}), json!({"substream_url": null})),
    ] {
        let answer = patch(body.clone()).await;
        assert_eq!(answer.status, 200, "{body}: {}", answer.text);
        for (field, value) in changed.as_object().unwrap() {
            expected[field] = value.clone();
        }
        assert_eq!(configured(&answer.json), expected, "{body}");
    }
    assert_eq!(server.configured().await, [expected]);
}

#[tokio::test]
async fn a_sources_fields_are_merged_and_its_password_stays_where_it_was() {
    let (_dir, server) = fresh();
    server.tell("POST", "/api/cameras", &door()).await;
    let patch = async |source: Value| {
        server.tell("PATCH", "/api/cameras/door", &json!({"source": source})).await
    };
    let url = |answer: &catalog_server::Answer| answer.json["source"]["url"].clone();
    let has_password =
        |answer: &catalog_server::Answer| answer.json["source"]["has_password"] == true;

    let other_path = patch(json!({"path": "/live"})).await;
    assert_eq!(url(&other_path), "rtsp://192.0.2.7:8554/live");
    assert!(has_password(&other_path));
    // What was answered can be sent back.
    let echoed = patch(other_path.json["source"].clone()).await;
    assert_eq!(echoed.json["source"], other_path.json["source"]);

    // The password of this camera is not for whoever sits at another address.
    for source in [
        json!({"host": "192.0.2.66"}),
        json!({"port": 554}),
        json!({"username": "root"}),
        json!({"url": "rtsps://192.0.2.7:8554/live"}),
        json!({"url": "rtsp://root@192.0.2.7:8554/live"}),
    ] {
        let refused = patch(source.clone()).await;
        assert_eq!(refused.error(), (400, "bad_request"), "{source}");
        assert!(refused.message().contains("password has to be given again"), "{}", refused.text);
    }
    let kept = server.get("/api/cameras/door").await.json["source"].clone();
    assert_eq!(kept, other_path.json["source"], "what was refused changed nothing");

    let moved = patch(json!({"host": "192.0.2.66", "password": "swordfish"})).await;
    assert_eq!((url(&moved), has_password(&moved)), (json!("rtsp://192.0.2.66:8554/live"), true));
    let open = patch(json!({"host": "192.0.2.67", "password": null})).await;
    assert_eq!((open.status, has_password(&open)), (200, false), "{}", open.text);
    let mjpeg = patch(json!({"type": "mjpeg", "url": "http://192.0.2.7/video"})).await;
    assert_eq!(mjpeg.json["source"]["type"], "mjpeg");
    let pushed = server.tell("PATCH", "/api/cameras/door", &json!({"source": null})).await;
    assert_eq!(pushed.json["source"], json!({"type": "push"}));
}

#[tokio::test]
async fn the_fingerprint_of_a_certificate_stays_with_its_address() {
    let (_dir, server) = fresh();
    let plain = "0123456789abcdef".repeat(4);
    let shown = ["01:23:45:67:89:AB:CD:EF"; 4].join(":");
    let source = json!({"type": "rtsp", "url": "rtsps://192.0.2.7/live", "tls_fingerprint": plain});
    let body = json!({"id": "door", "source": source});
    let added = server.tell("POST", "/api/cameras", &body).await;
    assert_eq!(added.json["source"]["tls_fingerprint"], shown, "{}", added.text);
    let patch = async |source: Value| {
        server.tell("PATCH", "/api/cameras/door", &json!({"source": source})).await
    };
    for source in [json!({"path": "/other"}), added.json["source"].clone()] {
        assert_eq!(patch(source).await.json["source"]["tls_fingerprint"], shown);
    }
    let provision = json!({"camera_id": "door", "rtsp_url": "rtsps://192.0.2.7/stream1"});
    assert_eq!(server.tell("POST", "/cameras/provision", &provision).await.status, 200);
    let kept = server.get("/api/cameras/door").await.json["source"].clone();
    assert_eq!((&kept["path"], &kept["tls_fingerprint"]), (&json!("/stream1"), &json!(shown)));
    for source in [
        json!({"tls_fingerprint": "AB:CD"}),
        json!({"url": "rtsp://192.0.2.7/live", "tls_fingerprint": plain}),
    ] {
        let refused = patch(source.clone()).await;
        assert_eq!(refused.error(), (400, "bad_request"), "{source}");
        assert!(refused.message().starts_with("source.tls_fingerprint "), "{}", refused.text);
    }
    for source in [json!({"host": "192.0.2.8"}), json!({"tls_fingerprint": null})] {
        patch(json!({"url": "rtsps://192.0.2.7/live", "tls_fingerprint": plain})).await;
        let gone = patch(source.clone()).await;
        assert_eq!(gone.status, 200, "{}", gone.text);
        assert_eq!(gone.json["source"].get("tls_fingerprint"), None, "{source}");
    }
}

#[tokio::test]
async fn an_encrypted_source_brings_its_media_over_tcp_only() {
    let (dir, server) = fresh();
    let url = "rtsps://192.0.2.7/live";
    let only = "rtsp_transport must be \"tcp\" for rtsps:// addresses";
    let encrypted = json!({"id": "door", "source": {"type": "rtsp", "url": url}});
    let mut udp = encrypted.clone();
    udp["rtsp_transport"] = "udp".into();
    for path in ["/api/cameras", "/api/camera-test"] {
        let refused = server.tell("POST", path, &udp).await;
        assert_eq!(refused.error(), (400, "bad_request"), "{path}");
        assert!(refused.message().starts_with(only), "{path}: {}", refused.message());
    }
    assert_eq!(server.configured().await, Vec::<Value>::new());

    // Each half of it, when the other is there.
    assert_eq!(server.tell("POST", "/api/cameras", &encrypted).await.status, 201);
    let halves = [
        ("PATCH", "/api/cameras/door", json!({"rtsp_transport": "udp"})),
        ("PATCH", "/api/cameras/gate", json!({"source": {"url": url}})),
        ("POST", "/cameras/provision", json!({"camera_id": "gate", "rtsp_url": url})),
    ];
    let plain = json!({"type": "rtsp", "url": "rtsp://192.0.2.7/live"});
    let gate = json!({"id": "gate", "source": plain, "rtsp_transport": "udp"});
    assert_eq!(server.tell("POST", "/api/cameras", &gate).await.status, 201);
    let before = server.configured().await;
    for (method, path, body) in halves {
        let refused = server.tell(method, path, &body).await;
        assert_eq!(refused.error(), (400, "bad_request"), "{body}");
        assert!(refused.message().starts_with(only), "{body}: {}", refused.message());
    }
    assert_eq!(server.configured().await, before);
    let both = json!({"source": {"url": url}, "rtsp_transport": "tcp"});
    assert_eq!(server.tell("PATCH", "/api/cameras/gate", &both).await.status, 200);
    // JPEGs over HTTP do not ask for it.
    let web = json!({"type": "mjpeg", "url": "https://192.0.2.7/"});
    let web = json!({"id": "web", "source": web, "rtsp_transport": "udp"});
    assert_eq!(server.tell("POST", "/api/cameras", &web).await.status, 201);

    // One that was set up when it could be is refused when it connects, and otherwise like any other.
    let mut server = server;
    server.process.signal("TERM");
    assert_eq!(server.process.ended().0, Some(0));
    let file = rusqlite::Connection::open(dir.path().join("catalog.db")).unwrap();
    let change = "UPDATE camera SET rtsp_transport = 'udp' WHERE id = 'door'";
    assert_eq!(file.execute(change, []).unwrap(), 1);
    drop(file);
    let server = CatalogServer::start(dir.path(), &[]);
    let named = server.tell("PATCH", "/api/cameras/door", &json!({"name": "Door"})).await;
    assert_eq!((named.status, &named.json["rtsp_transport"]), (200, &json!("udp")));
    let tried = server.tell("POST", "/api/cameras/door/test", &json!({})).await;
    assert_eq!(tried.json["error"]["code"], "unsupported", "{}", tried.text);
    assert!(tried.text.contains("set rtsp_transport to tcp"), "{}", tried.text);
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_name_and_changes_nothing() {
    let (_dir, server) = fresh();
    server.tell("POST", "/api/cameras", &door()).await;
    let before = server.configured().await;
    let long = "x".repeat(81);
    for (body, words) in [
        (json!({"nmae": "x"}), "nmae cannot be set; what can be set here: id, name"),
        (json!({"source": {"pasword": "x"}}), "source.pasword cannot be set"),
        (json!({"id": "gate"}), "id cannot be changed"),
        (json!({"name": 5}), "name must be a text"),
        (json!({"name": long}), "at most 80 characters"),
        (json!({"name": "a\nb"}), "on one line"),
        (json!({"on_demand": "yes"}), "on_demand must be"),
        (json!({"max_viewers": -1}), "max_viewers must be a whole number from 0"),
        (json!({"max_viewers": 1.5}), "max_viewers must be a whole number"),
        (json!({"rtsp_transport": "quic"}), "\"tcp\" or \"udp\""),
        (json!({"jpeg_fps": 0}), "jpeg_fps must be a number from 0.1 to 60"),
        (json!({"source": {"type": "exec"}}), "\"push\", \"rtsp\" or \"mjpeg\""),
        (json!({"source": "rtsp://192.0.2.7/"}), "source must be an object"),
        (json!({"source": {"port": 0}}), "source.port must be a whole number from 1 to 65535"),
        (json!({"source": {"url": "file:///etc/passwd"}}), "must start with rtsp://"),
        (json!({"source": {"url": "http://192.0.2.7/"}}), "must start with rtsp://"),
        (json!({"source": {"url": "rtsp://192.0.2.7/", "host": "192.0.2.8"}}), "disagree"),
        (json!({"name": "fine", "substream_url": "http://192.0.2.7/"}), "substream_url must start"),
        (json!(["name"]), "must be a JSON object"),
    ] {
        let refused = server.tell("PATCH", "/api/cameras/door", &body).await;
        assert_eq!(refused.error(), (400, "bad_request"), "{body}");
        assert!(refused.message().contains(words), "{body}: {}", refused.message());
    }
    for (body, code, words) in [
        (json!({"id": "door"}), (409, "camera_exists"), "PATCH /api/cameras/door"),
        (json!({"name": "x"}), (400, "bad_request"), "id is missing"),
        (json!({"id": "a b"}), (400, "bad_camera_id"), "is not a camera id"),
        (json!({"id": "x", "source": {}}), (400, "bad_request"), "source.type is missing"),
        (
            json!({"id": "x", "source": {"type": "rtsp"}}),
            (400, "bad_request"),
            "source.url is missing",
        ),
    ] {
        let refused = server.tell("POST", "/api/cameras", &body).await;
        assert_eq!(refused.error(), code, "{body}: {}", refused.text);
        assert!(refused.message().contains(words), "{body}: {}", refused.message());
    }
    for method in ["PATCH", "DELETE"] {
        let refused = server.tell(method, "/api/cameras/nobody", &json!({})).await;
        assert_eq!(refused.error(), (404, "not_configured"));
    }
    assert_eq!(server.configured().await, before);
}

#[tokio::test]
async fn a_number_an_address_and_a_name_provision_a_camera() {
    let (dir, server) = fresh();
    let provision = async |body: Value| server.tell("POST", "/cameras/provision", &body).await;
    let url = "rtsp://admin:hunter2@192.0.2.7:554/stream1";
    let body = json!({"camera_id": 2, "rtsp_url": url, "name": "Ramp", "tenant": 17});
    let answer = provision(body.clone()).await;
    let told = json!({"success": true, "stream_path": "cam_2", "hls_url": "/hls/cam_2/index.m3u8"});
    assert_eq!((answer.status, &answer.json), (200, &told));
    // As often as its caller likes.
    assert_eq!(provision(body).await.json, told);
    let camera = server.get("/api/cameras/2").await.json;
    assert_eq!((&camera["name"], &camera["online"]), (&json!("Ramp"), &json!(false)));
    assert_eq!(
        camera["source"],
        json!({
            "type": "rtsp", "url": "rtsp://192.0.2.7:554/stream1", "host": "192.0.2.7",
            "port": 554, "path": "/stream1", "username": "admin", "has_password": true,
        })
    );

    // A camera that is there gets the new address and keeps the rest.
    server.tell("PATCH", "/api/cameras/2", &json!({"location": "Ground floor"})).await;
    let moved = json!({"camera_id": "2", "rtsp_url": "rtsp://admin:hunter3@192.0.2.9/live"});
    assert_eq!(provision(moved).await.json, told);
    let server = server.restart(dir.path(), &[]);
    let camera = server.get("/api/cameras/2").await.json;
    assert_eq!(camera["source"]["url"], "rtsp://192.0.2.9:554/live");
    assert_eq!([&camera["name"], &camera["location"]], ["Ramp", "Ground floor"]);
}

#[tokio::test]
async fn what_cannot_be_provisioned_is_said_as_everywhere() {
    let (_dir, server) = fresh();
    for (body, error, words) in [
        (json!({"rtsp_url": "rtsp://192.0.2.7/"}), (400, "bad_request"), "camera_id is missing"),
        (json!({"camera_id": 2}), (400, "bad_request"), "rtsp_url is missing"),
        (
            json!({"camera_id": -2, "rtsp_url": "rtsp://192.0.2.7/"}),
            (400, "bad_request"),
            "camera_id",
        ),
        (
            json!({"camera_id": "../2", "rtsp_url": "rtsp://192.0.2.7/"}),
            (400, "bad_camera_id"),
            "../2",
        ),
        (json!({"camera_id": 2, "rtsp_url": "http://192.0.2.7/"}), (400, "bad_request"), "rtsp://"),
        (json!({"camera_id": 2, "rtsp_url": 5}), (400, "bad_request"), "rtsp_url must be a text"),
        (
            json!({"camera_id": 2, "rtsp_url": "rtsp://169.254.169.254/"}),
            (422, "refused_source"),
            "link-local",
        ),
    ] {
        let refused = server.tell("POST", "/cameras/provision", &body).await;
        assert_eq!(refused.error(), error, "{body}");
        assert!(refused.message().contains(words), "{body}: {}", refused.message());
        let fields: Vec<_> = refused.json.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["error"], "{body}");
    }
    assert_eq!(server.configured().await, Vec::<Value>::new());
    assert_eq!(server.get("/cameras/provision").await.error(), (405, "method_not_allowed"));
}

#[tokio::test]
async fn each_preset_fills_a_camera_in() {
    let (_dir, server) = fresh();
    let presets = server.get("/api/camera-presets").await.json;
    let presets = presets["presets"].as_array().unwrap();
    let paths: Vec<_> = presets.iter().map(|preset| preset["path"].as_str().unwrap()).collect();
    for path in [
        "/Streaming/Channels/1",
        "/cam/realmonitor?channel=1&subtype=0",
        "/axis-media/media.amp",
        "/stream1",
        "/live",
        "/video",
    ] {
        assert!(paths.contains(&path), "{path}");
    }
    for preset in presets {
        assert!(preset["name"].as_str().is_some_and(|name| !name.is_empty()), "{preset}");
        let source = json!({
            "type": preset["type"], "host": "192.0.2.7", "port": preset["port"],
            "path": preset["path"],
        });
        let body = json!({"id": preset["id"], "source": source});
        let added = server.tell("POST", "/api/cameras", &body).await;
        assert_eq!((added.status, &added.json["source"]["path"]), (201, &preset["path"]));
    }
}

#[tokio::test]
async fn a_folder_in_use_costs_the_second_server_its_memory_and_nothing_else() {
    let (dir, first) = fresh();
    first.tell("POST", "/api/cameras", &json!({"id": "door"})).await;
    let second = CatalogServer::start(dir.path(), &[]);
    let catalog = second.catalog().await;
    assert_eq!([&catalog["kept"], &catalog["cameras"]], [&json!(false), &json!(0)]);
    let problem = catalog["problem"].as_str().unwrap();
    assert!(problem.contains("used by another framecast"), "{problem}");
    assert_eq!(second.tell("POST", "/api/cameras", &json!({"id": "gate"})).await.status, 201);
    assert_eq!(first.configured().await.len(), 1);
    drop(second);
    let first = first.restart(dir.path(), &[]);
    assert_eq!(first.catalog().await, json!({"cameras": 1, "kept": true, "problem": null}));
}
