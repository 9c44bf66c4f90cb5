//! What the relay logs of cameras that come and go or cannot be scaled, in virtual time.
//!
//! A program of its own: `tracing` decides once for all threads whether a line is wanted at all, and
//! beside tests that listen to nothing it may decide that just before one of these begins to listen.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};

use framecast::{
    relay::{
        CameraId, Clock, Limits, Producer, Publisher, Quality, Registry, Rung, Stamp, Transport,
    },
    wire::jpeg,
};
use tokio::time::advance;

fn relay(limits: Limits) -> Arc<Registry> {
    Registry::new(limits, Clock::starting_at(1_700_000_000_000_000))
}

fn id(text: &str) -> CameraId {
    CameraId::parse(text).unwrap()
}

fn publish(relay: &Arc<Registry>, camera: &str) -> Producer {
    relay.publish(&id(camera), Publisher::over(Transport::Http)).unwrap()
}

/// Everything logged while the guard lives, by this thread.
#[derive(Clone, Default)]
struct Log(Arc<parking_lot::Mutex<Vec<u8>>>);

impl Log {
    fn start() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let lines =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(lines))
    }

    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(std::mem::take(&mut *self.0.lock())).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_camera_that_comes_and_goes_without_end_is_logged_once_a_minute() {
    let (log, _guard) = Log::start();
    let relay = relay(Limits::default());
    for second in 0..300 {
        publish(&relay, "flaps").close("battery empty");
        if second == 10 {
            publish(&relay, "steady");
            assert_eq!(log.lines().iter().filter(|line| line.contains("steady")).count(), 2);
        }
        advance(Duration::from_secs(1)).await;
        relay.sweep();
    }
    let lines = log.lines();
    assert!((4..=6).contains(&lines.len()), "{lines:#?}");
    for line in &lines {
        assert!(line.contains("is offline") && line.contains("battery empty"), "{line}");
        assert!(line.contains("changes=1"), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_take_over_is_logged_as_such_with_the_newcomers_address() {
    let (log, _guard) = Log::start();
    let relay = relay(Limits::default());
    let _older = publish(&relay, "door");
    let from = Some("192.0.2.7:4000".parse().unwrap());
    let newer = Publisher { from, ..Publisher::over(Transport::WebSocket) };
    let _newer = relay.publish(&id("door"), newer).unwrap();
    let lines = log.lines();
    assert!(lines[0].contains("camera online") && lines[0].contains("over=http"), "{lines:?}");
    for part in ["taken over", "camera=door", "over=websocket", "from=192.0.2.7:4000"] {
        assert!(lines[1].contains(part), "{part}: {lines:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn publishers_refused_for_want_of_room_are_logged_once_a_minute_with_a_count() {
    let (log, _guard) = Log::start();
    let relay = relay(Limits { max_cameras: 1, ..Limits::default() });
    let _first = publish(&relay, "first");
    log.lines();
    for _ in 0..61 {
        assert!(relay.admits(&id("second")).is_err());
        advance(Duration::from_secs(1)).await;
    }
    let lines = log.lines();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines[0].contains("--max-cameras") && !lines[0].contains("more like it"));
    assert!(lines[1].contains("and 59 more like it before"), "{lines:#?}");
}

#[tokio::test(start_paused = true)]
async fn pictures_that_cannot_be_scaled_are_logged_once_a_minute_and_camera_with_the_reason() {
    let (log, _guard) = Log::start();
    let relay = relay(Limits::default());
    let mut orders = relay.orders().unwrap();
    let mut rungs = Vec::new();
    let door = publish(&relay, "door");
    door.publish_jpeg(&jpeg::skeleton(1280, 720, 5000, 7), Stamp::default()).unwrap();
    let frame = door.camera().latest().unwrap();
    let qualities = [Rung::LOW, Rung::MEDIUM].map(Quality::Rung);
    let _viewers = qualities.map(|quality| door.camera().watch(quality));
    for _ in qualities {
        rungs.push(orders.rungs.recv().await.unwrap());
    }
    log.lines();
    for _ in 0..61 {
        for rung in &rungs {
            rung.failed(frame.clone(), "no tables");
        }
        advance(Duration::from_secs(1)).await;
    }
    let lines = log.lines();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    for part in ["WARN", "cannot be scaled", "camera=door", "width=320", "why=no tables"] {
        assert!(lines[0].contains(part), "{part}: {lines:?}");
    }
    assert!(lines[1].contains("and 119 more like it before"), "{lines:#?}");
}
