//! HLS as players of others see it: ffprobe and ffmpeg read a camera's video from a real server.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[path = "support/clip.rs"]
mod clip;
mod common;

use std::{process::Stdio, time::Duration};

use clip::Clip;
use common::Relay;
use framecast::relay::{CameraId, Producer, Publisher, Transport};
use tokio::process::Command;

/// A camera that sends a clip over and over until it is dropped.
struct Camera(tokio::task::JoinHandle<()>);

impl Camera {
    fn start(relay: &Relay, id: &str, clip: Clip) -> Self {
        let producer = publish(relay, id);
        producer.begin_video(clip.format.clone()).unwrap();
        Self(tokio::spawn(async move { clip.send(&producer, Duration::from_secs(60)).await }))
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn publish(relay: &Relay, id: &str) -> Producer {
    let id = CameraId::parse(id).unwrap();
    relay.registry.publish(&id, Publisher::over(Transport::Rtsp)).unwrap()
}

/// What the program said on its standard output; it must say nothing of errors.
async fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program)
        .args(["-v", "error"])
        .args(args)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(40), output).await.unwrap();
    let output = output.unwrap_or_else(|error| panic!("this test needs {program}: {error}"));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{program} {args:?}");
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// Reads 4 s of the camera and wants every picture, evenly spaced.
async fn plays(clip: &str) {
    let relay = Relay::start().await;
    let _camera = Camera::start(&relay, "2", Clip::open(clip));
    let url = format!("http://{}/hls/cam_2/index.m3u8", relay.view);
    let entries = "stream=codec_name,width,height:frame=media_type,pts_time";
    let args = ["-read_intervals", "%+4", "-show_entries", entries, "-of", "csv", &url];
    let text = said("ffprobe", &args).await;
    let times: Vec<f64> = text
        .lines()
        .filter_map(|line| line.strip_prefix("frame,video,")?.split(',').next()?.parse().ok())
        .collect();
    assert!(times.len() >= 100, "{text}");
    for pair in times.windows(2) {
        assert!((pair[1] - pair[0] - 1.0 / 30.0).abs() < 0.0015, "{pair:?}");
    }
    let sounds = text.lines().filter(|line| line.starts_with("frame,audio")).count();
    assert!((170..=220).contains(&sounds), "{sounds} of 187");
    assert!(text.contains("stream,h264,320,180") && text.contains("stream,aac"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ffprobe_reads_every_picture_and_the_sound() {
    plays("hls-plain.mp4").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ffprobe_reads_b_frames_in_their_order() {
    plays("hls-b-frames.mp4").await;
}
