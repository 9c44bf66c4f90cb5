//! A camera `door` that the relay connects to, and how its connection is.

#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::Arc;

use framecast::relay::{Camera, LinkState, LinkStatus};
use serde_json::{Value, json as object};

use crate::{
    common::{Relay, post},
    rtsp_camera::PATIENCE,
};

pub async fn relay() -> Relay {
    Relay::with_flags(&["--data-dir", "off"]).await
}

/// Configures the camera `door`.
pub async fn door(relay: &Relay, url: &str, more: Value) -> Arc<Camera> {
    let kind = if url.starts_with("rtsp") { "rtsp" } else { "mjpeg" };
    let mut body = object!({"id": "door", "source": {"type": kind, "url": url}});
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    let answer = post(&format!("http://{}/api/cameras", relay.view), "", body.to_string()).await;
    assert_eq!(answer.status(), 201, "{:?}", answer.text().await);
    let camera = relay.registry.get("door").unwrap();
    let mut link = camera.link().watch();
    link.wait_for(Option::is_some).await.unwrap();
    camera
}

#[track_caller]
pub fn wait_for(
    camera: &Camera,
    is: impl Fn(&LinkStatus) -> bool + Send + 'static,
) -> impl Future<Output = LinkStatus> {
    let here = std::panic::Location::caller();
    let mut link = camera.link().watch();
    async move {
        let found = link.wait_for(|now| now.as_ref().is_some_and(&is));
        let found = tokio::time::timeout(PATIENCE, found).await;
        found.unwrap_or_else(|_| panic!("not in time, at {here}")).unwrap().clone().unwrap()
    }
}

pub async fn streaming(camera: &Camera) -> LinkStatus {
    wait_for(camera, |now| now.state == LinkState::Streaming).await
}

pub async fn still(relay: &Relay) -> Vec<u8> {
    let answer = relay.get("/api/cameras/door/frame.jpg").await;
    let status = answer.status();
    let bytes = answer.bytes().await.unwrap();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&bytes));
    bytes.to_vec()
}
