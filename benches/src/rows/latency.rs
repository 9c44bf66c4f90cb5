//! Latency in a real browser, from a camera page to a viewer page; the measuring itself is
//! `benches/browser/latency.mjs`.

use std::{
    io,
    process::{Command, Stdio},
};

use serde_json::Value;

use super::Effort;
use crate::{
    report::{Goal, Section, show},
    subject, sys,
};

pub fn run(effort: Effort) -> io::Result<Section> {
    // Two pages and a server: they get what the machine has.
    sys::pin_to(&[sys::SERVER_CORE, sys::LOAD_CORE])?;
    let output = Command::new("node")
        .arg(subject::folder().join("browser/latency.mjs"))
        .args(["--json", "--runs", &effort.rounds.to_string()])
        .args(["--seconds", &(4 * effort.seconds).to_string()])
        .env("FRAMECAST_BIN", subject::framecast_binary())
        .stderr(Stdio::inherit())
        .output();
    sys::pin(sys::LOAD_CORE)?;
    let output = output?;
    if !output.status.success() {
        return Err(io::Error::other(format!("latency.mjs: {}", output.status)));
    }
    Ok(section(&serde_json::from_slice(&output.stdout)?))
}

fn section(result: &Value) -> Section {
    let figure = |part: &str, name: &str| result[part][name]["median"].as_f64().unwrap_or(f64::NAN);
    let ms = |part: &str, name: &str| show(figure(part, name), "");
    let row = |name: &str, part: &str| {
        let lost = if part == "send_to_message" { ms(part, "p99_ms") } else { ms(part, "p95_ms") };
        let fps = figure(part, "fps_shown");
        let fps = if fps.is_nan() { String::new() } else { show(fps, "") };
        vec![name.to_owned(), ms(part, "p50_ms"), lost, fps]
    };
    let table = vec![
        ["way", "p50, ms", "p95, ms", "fps shown"].map(str::to_owned).to_vec(),
        vec![
            "`send()` of the capture page to the viewer page's message event (p99 for p95)".into(),
            ms("send_to_message", "p50_ms"),
            ms("send_to_message", "p99_ms"),
            String::new(),
        ],
        row("camera to painted pixels", "camera_to_screen"),
        row(
            "floor: the same without network, the page's encoder, `BroadcastChannel`",
            "floor_worker",
        ),
        row("floor with plain `canvas.toBlob`", "floor_page"),
    ];
    let at_most =
        |what: &str, part, name, bound| Goal::at_most(what, figure(part, name), bound, "ms");
    let goals = vec![
        at_most("`send()` to message event, p50", "send_to_message", "p50_ms", 5.0),
        at_most("`send()` to message event, p99", "send_to_message", "p99_ms", 25.0),
        at_most("camera to painted pixels, p50", "camera_to_screen", "p50_ms", 28.0),
        at_most("camera to painted pixels, p95", "camera_to_screen", "p95_ms", 42.0),
        Goal::at_least("frames shown", figure("camera_to_screen", "fps_shown"), 29.0, "fps"),
    ];
    Section {
        name: "latency".into(),
        title: "Latency in the browser".into(),
        how: "Capture page and viewer page in one Chromium, 640×480. The camera is a canvas with a clock in \
              black and white blocks, drawn every 33.5 ms so that it does not lock to the screen's own \
              beat; each animation frame of the viewer page reads it back from the page's canvas. \
              `node benches/browser/latency.mjs` says more."
            .into(),
        goals,
        table,
        measured: String::new(),
    }
}
