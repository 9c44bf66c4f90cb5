//! WHEP (draft-ietf-wish-whep): the routes, and what a viewer gets over WebRTC.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;
#[path = "support/recorded.rs"]
mod recorded;
#[path = "support/whep_client.rs"]
mod whep_client;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use common::{Relay, error, until};
use framecast::relay::{
    Camera, CameraId, Codec, Failure, LinkState, LinkStatus, Medium, Publisher, Transport,
};
use recorded::{Playing, TICKS_PER_PICTURE, connect, high};
use reqwest::{Client as Http, Method, Response};
use webrtc::media_stream::track_remote::TrackRemote;
use whep_client::{Client, FMTP, packet, post};

/// What a well-formed offer has to have for the routes' own checks.
fn offer(format: &str) -> String {
    format!("v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 {format}\r\na=fmtp:96 {FMTP}\r\n")
}

async fn send(relay: &Relay, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Http::new().request(method, format!("http://{}{path}", relay.view));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

async fn patch(relay: &Relay, session: &str, etag: Option<&str>, body: &str) -> Response {
    let url = format!("http://{}{session}", relay.view);
    let mut request = Http::new().patch(url).body(body.to_owned());
    request = request.header("content-type", "application/trickle-ice-sdpfrag");
    if let Some(etag) = etag {
        request = request.header("if-match", etag);
    }
    request.send().await.unwrap()
}

fn header(response: &Response, name: &str) -> String {
    response.headers()[name].to_str().unwrap().to_owned()
}

/// Pictures that are whole, from RTP: (time, NAL units' kinds).
async fn pictures(track: &Arc<dyn TrackRemote>, count: usize) -> Vec<(u32, Vec<u8>)> {
    let (mut pictures, mut kinds, mut sequence) = (Vec::new(), Vec::new(), None::<u16>);
    while pictures.len() < count {
        let packet = packet(track).await;
        let number = packet.header.sequence_number;
        assert!(sequence.is_none_or(|before| number == before.wrapping_add(1)), "none is missing");
        sequence = Some(number);
        let payload = &packet.payload;
        match payload[0] & 0x1F {
            24 => {
                let mut at = 1;
                while at < payload.len() {
                    kinds.push(payload[at + 2] & 0x1F);
                    at += 2 + usize::from(u16::from_be_bytes([payload[at], payload[at + 1]]));
                }
            }
            28 if payload[1] & 0x80 != 0 => kinds.push(payload[1] & 0x1F),
            28 => {}
            kind => kinds.push(kind),
        }
        if packet.header.marker {
            pictures.push((packet.header.timestamp, std::mem::take(&mut kinds)));
        }
    }
    pictures
}

#[tokio::test]
async fn a_viewer_begins_with_a_key_frame_and_gets_every_picture_in_the_cameras_time() {
    let relay = Relay::start().await;
    let _camera = Playing::start(&relay.registry, "door");
    let mut client = Client::new().await;
    let begun = Instant::now();
    let answer = client.post(relay.view, "door").await;
    assert_eq!(answer.status(), 201);
    assert_eq!(header(&answer, "content-type"), "application/sdp");
    assert!(header(&answer, "location").starts_with("/whep/door/"));
    assert!(header(&answer, "etag").starts_with('"'));
    let track = client.connect(&answer.text().await.unwrap()).await;
    let pictures = pictures(&track, 60).await;
    println!("60 pictures after {:?}", begun.elapsed());
    assert_eq!(pictures[0].1, [7, 8, 5], "parameter sets, then a key frame");
    assert!(pictures.iter().filter(|(_, kinds)| kinds.contains(&5)).count() >= 2);
    assert!(pictures.iter().all(|(_, kinds)| kinds[0] == 1 || *kinds == [7, 8, 5]));
    let steps: Vec<_> = pictures.windows(2).map(|two| two[1].0.wrapping_sub(two[0].0)).collect();
    let hurried = steps.iter().take_while(|step| **step == 90).count();
    assert!(hurried < 35, "those since the key frame: {steps:?}");
    let live = &steps[hurried..];
    assert!(live.iter().all(|step| i64::from(*step) == TICKS_PER_PICTURE), "{steps:?}");
    client.close().await;
}

#[tokio::test]
async fn a_camera_that_comes_anew_goes_on_in_the_same_session() {
    let relay = Relay::start().await;
    let (producer, recording) = (connect(&relay.registry, "door"), high());
    let push = |key: usize, pts: i64| {
        producer.push_unit(Medium::Video { is_key: true }, pts, recording.units[key].1.clone())
    };
    producer.begin_video(recording.format.clone()).unwrap();
    push(0, 5_000_000).unwrap();
    let mut client = Client::new().await;
    let answer = client.post(relay.view, "door").await.text().await.unwrap();
    let track = client.connect(&answer).await;
    let first = pictures(&track, 1).await[0].0;
    producer.begin_video(recording.format.clone()).unwrap();
    push(0, 7).unwrap();
    let second = pictures(&track, 1).await;
    let step = second[0].0.wrapping_sub(first);
    assert!((1..90_000 * 10).contains(&step), "time goes on from where it was: {step}");
    assert_eq!(second[0].1, [7, 8, 5]);
    client.close().await;
}

#[tokio::test]
async fn delete_frees_the_seat_at_once_and_the_session_is_gone() {
    let relay = Relay::start().await;
    let _camera = Playing::start(&relay.registry, "door");
    let camera = relay.registry.get("door").unwrap();
    camera.limit_viewers(1);
    let mut client = Client::new().await;
    let answer = client.post(relay.view, "door").await;
    let session = header(&answer, "location");
    let track = client.connect(&answer.text().await.unwrap()).await;
    pictures(&track, 1).await;

    let full = post(relay.view, "door", &Client::new().await.offer).await;
    assert!(full.headers().contains_key("retry-after"));
    assert!(full.text().await.unwrap().contains("stream at capacity"));
    let elsewhere = session.replace("door", "yard");
    let other = send(&relay, Method::DELETE, &elsewhere, &[]).await;
    assert_eq!(error(other).await, (404, "not_found".into()), "of another camera");

    assert_eq!(send(&relay, Method::DELETE, &session, &[]).await.status(), 200);
    assert_eq!(camera.seats_taken(), 0);
    assert_eq!(camera.snapshot().video.unwrap().viewers, 0);
    let again = send(&relay, Method::DELETE, &session, &[]).await;
    assert_eq!(error(again).await, (404, "not_found".into()));
    assert_eq!(post(relay.view, "door", &Client::new().await.offer).await.status(), 201);
}

#[tokio::test]
async fn a_viewer_that_never_connects_is_let_go() {
    let relay = Relay::start().await;
    let _camera = Playing::start(&relay.registry, "door");
    assert_eq!(post(relay.view, "door", &Client::new().await.offer).await.status(), 201);
    let camera = relay.registry.get("door").unwrap();
    assert_eq!(camera.seats_taken(), 1);
    let begun = Instant::now();
    while camera.seats_taken() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "as long as any viewer may be silent");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn patch_takes_candidates_and_refuses_a_restart() {
    let relay = Relay::start().await;
    let _camera = Playing::start(&relay.registry, "door");
    let client = Client::new().await;
    let answer = client.post(relay.view, "door").await;
    let (session, etag) = (header(&answer, "location"), header(&answer, "etag"));
    let ufrag = client.offer.lines().find(|line| line.starts_with("a=ice-ufrag:")).unwrap();
    let candidate = "a=candidate:1 1 udp 2 127.0.0.1 5000 typ host\r\na=end-of-candidates\r\n";
    let fragment = format!("{ufrag}\r\nm=video 9 RTP/AVP 0\r\na=mid:0\r\n{candidate}");

    let taken = patch(&relay, &session, Some(&etag), &fragment).await;
    assert_eq!(taken.status(), 204);
    // Any of several.
    let listed = format!("\"other\", {etag}");
    let listed = patch(&relay, &session, Some(&listed), &fragment).await;
    assert_eq!(listed.status(), 204);
    let blind = patch(&relay, &session, None, &fragment).await;
    assert_eq!(error(blind).await, (428, "precondition_required".into()));
    let other = patch(&relay, &session, Some("\"other\""), &fragment).await;
    assert_eq!(error(other).await, (412, "precondition_failed".into()));
    let restart = patch(&relay, &session, Some(&etag), "a=ice-ufrag:new\r\na=ice-pwd:p\r\n").await;
    assert_eq!(error(restart).await, (422, "ice_restart".into()));
    let unknown = patch(&relay, "/whep/door/none", Some(&etag), &fragment).await;
    assert_eq!(error(unknown).await, (404, "not_found".into()));
    let url = format!("http://{}{session}", relay.view);
    let json = Http::new().patch(url).header("content-type", "application/json").body("{}");
    assert_eq!(error(json.send().await.unwrap()).await, (415, "unsupported_media_type".into()));
}

#[tokio::test]
async fn what_cannot_be_played_is_refused_with_words() {
    let relay = Relay::start().await;
    let h264 = offer("H264/90000");
    let refusal =
        async |camera: &str, offer: &str| error(post(relay.view, camera, offer).await).await;

    let gone = post(relay.view, "none", &h264).await;
    assert_eq!(gone.status(), 404);
    assert!(gone.text().await.unwrap().contains("camera not configured"));

    relay.still("webcam", common::jpeg(64, 48, 1)).await;
    assert_eq!(refusal("webcam", &h264).await, (404, "no_video".into()));

    let (hevc, mut recording) = (connect(&relay.registry, "hevc"), high());
    recording.format.video.codec = Codec::H265;
    hevc.begin_video(recording.format.clone()).unwrap();
    let unit = |n: usize| recording.units[n].1.clone();
    hevc.push_unit(Medium::Video { is_key: true }, 0, unit(0)).unwrap();
    let answer = post(relay.view, "hevc", &h264).await;
    assert!(answer.text().await.unwrap().contains("HLS"));
    assert_eq!(refusal("hevc", &h264).await, (415, "unsupported_codec".into()));

    let b_frames = connect(&relay.registry, "b");
    recording.format.video.codec = Codec::H264;
    b_frames.begin_video(recording.format.clone()).unwrap();
    for (n, shown) in [0, 3, 1, 2, 6, 4, 5, 9, 7, 8].into_iter().enumerate() {
        b_frames.push_unit(Medium::Video { is_key: n == 0 }, shown * 3000, unit(n)).unwrap();
    }
    assert_eq!(refusal("b", &h264).await, (415, "unsupported_codec".into()));

    let _camera = Playing::start(&relay.registry, "door");
    assert_eq!(refusal("door", &offer("VP8/90000")).await, (415, "unsupported_codec".into()));
    assert_eq!(refusal("door", "m=audio 9 x 0\r\n").await, (400, "bad_request".into()));
    assert_eq!(refusal("door", &h264).await, (400, "bad_request".into()), "no ICE, no DTLS");
    let long = "a".repeat(70_000);
    assert_eq!(refusal("door", &long).await, (413, "too_large".into()));
    let url = format!("http://{}/whep/door", relay.view);
    let json = common::post(&url, "application/json", h264).await;
    assert_eq!(error(json).await, (415, "unsupported_media_type".into()));

    for camera in ["hevc", "b", "door", "webcam"] {
        assert_eq!(relay.registry.get(camera).unwrap().seats_taken(), 0, "{camera}");
    }
}

#[tokio::test]
async fn a_session_ends_when_b_frames_turn_up_or_the_server_goes() {
    let relay = Relay::start().await;
    let (producer, recording) = (connect(&relay.registry, "b"), high());
    producer.begin_video(recording.format.clone()).unwrap();
    let push = |n: usize, pts: i64| {
        producer.push_unit(
            Medium::Video { is_key: n == 0 },
            pts * 3000,
            recording.units[n].1.clone(),
        )
    };
    push(0, 0).unwrap();
    let mut viewer = Client::new().await;
    let answer = viewer.post(relay.view, "b").await.text().await.unwrap();
    let track = viewer.connect(&answer).await;
    pictures(&track, 1).await;
    for (n, pts) in [3, 1, 2, 6, 4, 5, 9, 7, 8].into_iter().enumerate() {
        push(n + 1, pts).unwrap();
    }
    let camera = relay.registry.get("b").unwrap();
    until(|| camera.seats_taken() == 0).await;
    let why = error(viewer.post(relay.view, "b").await).await;
    assert_eq!(why, (415, "unsupported_codec".into()), "to who asks anew");

    let _camera = Playing::start(&relay.registry, "door");
    let mut viewer = Client::new().await;
    let answer = viewer.post(relay.view, "door").await.text().await.unwrap();
    let track = viewer.connect(&answer).await;
    pictures(&track, 1).await;
    let begun = Instant::now();
    relay.drain().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "nobody waits for viewers");
}

/// A camera that the server connects to, at present not connected.
fn configured(relay: &Relay, camera: &str) -> Arc<Camera> {
    let id = CameraId::parse(camera).unwrap();
    drop(relay.registry.publish(&id, Publisher::over(Transport::Rtsp)).unwrap());
    let camera = relay.registry.get(camera).unwrap();
    report(&camera, LinkState::Standby, None);
    camera
}

fn report(camera: &Camera, state: LinkState, last_error: Option<Arc<Failure>>) {
    let status = LinkStatus { state, reconnects: 0, failures: 0, last_error, next_retry_us: None };
    camera.link().report(Some(status));
}

#[tokio::test]
async fn a_viewer_waits_for_a_camera_that_is_connected_to_only_now() {
    let relay = Relay::start().await;
    let camera = configured(&relay, "door");
    let registry = relay.registry.clone();
    let pull = tokio::spawn(async move {
        camera.video_demand().wanted().await;
        report(&camera, LinkState::Connecting, None);
        tokio::time::sleep(Duration::from_millis(200)).await;
        Playing::start(&registry, "door")
    });
    let mut client = Client::new().await;
    let answer = client.post(relay.view, "door").await;
    assert_eq!(answer.status(), 201);
    let _playing = pull.await.unwrap();
    let track = client.connect(&answer.text().await.unwrap()).await;
    assert_eq!(pictures(&track, 1).await[0].1, [7, 8, 5]);
    client.close().await;
}

#[tokio::test]
async fn a_camera_that_cannot_be_connected_to_says_why() {
    let relay = Relay::start().await;
    let camera = configured(&relay, "door");
    tokio::spawn(async move {
        camera.video_demand().wanted().await;
        let failure = Failure::new("unauthorized", "the camera refused the password");
        report(&camera, LinkState::Waiting, Some(Arc::new(failure)));
    });
    let begun = Instant::now();
    let answer = post(relay.view, "door", &offer("H264/90000")).await;
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    assert!(answer.text().await.unwrap().contains("the camera refused the password"));
    assert!(begun.elapsed() < Duration::from_secs(5), "as soon as it is known");
}

#[tokio::test]
async fn the_routes_say_what_they_take() {
    let relay = Relay::start().await;
    let offers = send(&relay, Method::OPTIONS, "/whep/door", &[]).await;
    assert_eq!(
        (offers.status().as_u16(), header(&offers, "accept-post")),
        (204, "application/sdp".into())
    );
    let session = send(&relay, Method::OPTIONS, "/whep/door/x", &[]).await;
    assert_eq!(header(&session, "accept-patch"), "application/trickle-ice-sdpfrag");
    for path in ["/whep/door", "/whep/door/x"] {
        let got = send(&relay, Method::GET, path, &[]).await;
        assert!(header(&got, "allow").contains("OPTIONS"));
        assert_eq!(error(got).await, (405, "method_not_allowed".into()));
    }
    let origin = ("origin", "http://localhost:5173");
    let preflight = [origin, ("access-control-request-method", "PATCH")];
    let preflight = send(&relay, Method::OPTIONS, "/whep/door/x", &preflight).await;
    let methods = header(&preflight, "access-control-allow-methods");
    assert!(methods.contains("PATCH") && methods.contains("DELETE"), "{methods}");
    assert!(header(&preflight, "access-control-allow-headers").contains("if-match"));
    let seen = send(&relay, Method::OPTIONS, "/whep/door", &[origin]).await;
    let exposed = header(&seen, "access-control-expose-headers");
    for name in ["location", "etag", "retry-after"] {
        assert!(exposed.contains(name), "{exposed}");
    }
}
