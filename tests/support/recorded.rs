//! A camera that sends recorded H.264 over and over, straight into the relay.

#![allow(dead_code, reason = "each test file uses its part")]

use std::{sync::Arc, time::Duration};

use bytes::{BufMut as _, Bytes, BytesMut};
use framecast::relay::{
    Codec, Format, Medium, Producer, Publisher, Registry, TICKS, Transport, VideoFormat,
};

const HIGH: &[u8] = include_bytes!("../vectors/video/whep-high.h264");

/// Between two pictures.
pub const PERIOD: Duration = Duration::from_nanos(33_333_333);
pub const TICKS_PER_PICTURE: i64 = TICKS / 30;

/// What is in a file: its format, and its access units with whether each is a key frame.
pub struct Recording {
    pub format: Format,
    pub units: Vec<(bool, Bytes)>,
}

/// 2 s of 320x240 at 30 fps, High profile, a key frame a second, no B-frames.
pub fn high() -> Recording {
    let (mut sps, mut pps, mut units) = (&[][..], &[][..], Vec::new());
    for nal in nals(HIGH) {
        match nal[0] & 0x1F {
            7 => sps = nal,
            8 => pps = nal,
            kind @ (1 | 5) => {
                // One slice a picture is how it was recorded.
                let mut unit = BytesMut::new();
                unit.put_u32(nal.len() as u32);
                unit.put_slice(nal);
                units.push((kind == 5, unit.freeze()));
            }
            _ => {}
        }
    }
    let mut config = BytesMut::new();
    config.put_slice(&[1, sps[1], sps[2], sps[3], 0xFF, 0xE1]);
    config.put_u16(sps.len() as u16);
    config.put_slice(sps);
    config.put_u8(1);
    config.put_u16(pps.len() as u16);
    config.put_slice(pps);
    let video = VideoFormat {
        codec: Codec::H264,
        rfc6381: format!("avc1.{:02x}{:02x}{:02x}", sps[1], sps[2], sps[3]),
        width: 320,
        height: 240,
        config: config.freeze(),
    };
    Recording { format: Format { video, audio: None }, units }
}

/// The NAL units of a byte stream (ITU-T H.264, annex B).
fn nals(stream: &'static [u8]) -> Vec<&'static [u8]> {
    let starts: Vec<usize> = (0..stream.len() - 2)
        .filter(|&at| stream[at..at + 3] == [0, 0, 1])
        .map(|at| at + 3)
        .collect();
    let ends = starts[1..].iter().map(|start| start - 3).chain([stream.len()]);
    let mut nals = Vec::new();
    for (start, end) in starts.iter().zip(ends) {
        let nal = &stream[*start..end];
        let zeros = nal.iter().rev().take_while(|byte| **byte == 0).count();
        nals.push(&nal[..nal.len() - zeros]);
    }
    nals
}

/// A camera that is connected, as one that was pulled over RTSP.
pub fn connect(registry: &Arc<Registry>, camera: &str) -> Producer {
    let id = framecast::relay::CameraId::parse(camera).unwrap();
    registry.publish(&id, Publisher::over(Transport::Rtsp)).unwrap()
}

/// Sends the recording at its own pace until dropped.
pub struct Playing(tokio::task::JoinHandle<()>);

impl Playing {
    pub fn start(registry: &Arc<Registry>, camera: &str) -> Self {
        let (producer, recording) = (connect(registry, camera), high());
        producer.begin_video(recording.format.clone()).unwrap();
        Self(tokio::spawn(async move {
            let mut pace = tokio::time::interval(PERIOD);
            let mut pts = 0;
            for (is_key, unit) in recording.units.iter().cycle() {
                pace.tick().await;
                producer.push_unit(Medium::Video { is_key: *is_key }, pts, unit.clone()).unwrap();
                pts += TICKS_PER_PICTURE;
            }
        }))
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        self.0.abort();
    }
}
