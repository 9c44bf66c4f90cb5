//! A camera's video over WHEP in a real Chromium.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/browser.rs"]
mod browser;
mod common;
#[path = "support/recorded.rs"]
mod recorded;

use std::time::Duration;

use axum::{
    Router,
    response::Html,
    routing::{get, post},
};
use browser::Browser;
use common::Relay;
use recorded::Playing;
use serde_json::Value;
use tokio::sync::mpsc;

/// Opens the page on a port of its own, as another site on this machine, and waits for what it tells.
async fn watch(relay: &Relay, camera: &str, ms: u32) -> Value {
    let (told, mut tells) = mpsc::channel::<String>(1);
    let router = Router::new()
        .route("/", get(async || Html(include_str!("support/whep_page.html"))))
        .route("/told", post(async move |what: String| told.send(what).await.unwrap()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let page = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, router).await });
    let whep = format!("http://{}/whep/{camera}", relay.view);
    let mut browser = Browser::open(&format!("http://{page}/?ms={ms}&whep={whep}"));
    let told = tokio::time::timeout(Duration::from_secs(45), tells.recv()).await;
    browser.assert_running();
    serde_json::from_str(&told.expect("the page tells").unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_high_profile_camera_plays_in_chromium_without_a_freeze() {
    let relay = Relay::start().await;
    let _camera = Playing::start(&relay.registry, "door");
    let told = watch(&relay, "door", 4000).await;
    println!("{told:#}");
    assert_eq!(told["error"], Value::Null);
    assert_eq!(told["width"], 320);
    assert!(told["time"].as_f64().unwrap() > 2.0, "the picture moves");
    let inbound = &told["inbound"];
    assert!(inbound["framesDecoded"].as_u64().unwrap() > 80, "3 s of 30 fps at least");
    assert_eq!(inbound["freezeCount"], 0);
    assert_eq!(inbound["packetsLost"], 0);
    assert!(told["first"].as_f64().unwrap() < 1000.0, "the first picture comes soon");
    assert_eq!(told["deleted"], 200, "the page may read Location, and DELETE");
    assert_eq!(told["dismissed"], true, "a session that the server ends says goodbye");
}
