//! Recorded video as a camera sends it: the clips of `tests/vectors/video/`, unit by unit.

#![allow(dead_code, reason = "each test file uses its part")]

use std::{path::Path, time::Duration};

use bytes::Bytes;
use framecast::relay::{AudioFormat, Codec, Format, Medium, Producer, TICKS, VideoFormat};
use shiguredo_mp4::{
    Encode as _, TrackKind,
    boxes::SampleEntry,
    demux::{Input, Mp4FileDemuxer},
};
use tokio::time::Instant;

pub struct Clip {
    pub format: Format,
    /// In the order they are sent in.
    pub units: Vec<Recorded>,
    /// In ticks.
    pub length: i64,
}

#[derive(Clone)]
pub struct Recorded {
    pub medium: Medium,
    /// Ticks.
    pub decoded_at: i64,
    /// Ticks.
    pub pts: i64,
    pub data: Bytes,
}

impl Clip {
    pub fn open(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/video");
        let file = std::fs::read(folder.join(name)).unwrap();
        let mut demuxer = Mp4FileDemuxer::new();
        demuxer.handle_input(Input { position: 0, data: &file });
        let (mut video, mut audio, mut units) = (None, None, Vec::new());
        while let Some(sample) = demuxer.next_sample().unwrap() {
            let scale = i64::from(sample.track.timescale.get());
            let ticks = |time: i64| time * TICKS / scale;
            let is_video = sample.track.kind == TrackKind::Video;
            match sample.sample_entry {
                Some(SampleEntry::Mp4a(it)) => audio = Some(audio_format(it)),
                Some(entry) => video = Some(video_format(entry)),
                None => {}
            }
            let decoded_at = ticks(sample.timestamp as i64);
            let offset = ticks(sample.composition_time_offset.unwrap_or_default());
            let begin = sample.data_offset as usize;
            units.push(Recorded {
                medium: match is_video {
                    true => Medium::Video { is_key: sample.keyframe },
                    false => Medium::Audio,
                },
                decoded_at,
                pts: decoded_at + offset,
                data: Bytes::copy_from_slice(&file[begin..begin + sample.data_size]),
            });
        }
        units.sort_by_key(|unit| unit.decoded_at);
        let pictures = units.iter().filter(|unit| unit.medium != Medium::Audio);
        let decoded: Vec<_> = pictures.map(|unit| unit.decoded_at).collect();
        let length = decoded[decoded.len() - 1] + decoded[1] - decoded[0];
        units.retain(|unit| unit.decoded_at < length);
        Self { format: Format { video: video.unwrap(), audio }, units, length }
    }

    /// Without its sound.
    pub fn silent(mut self) -> Self {
        self.format.audio = None;
        self.units.retain(|unit| unit.medium != Medium::Audio);
        self
    }

    /// Pictures in it.
    pub fn pictures(&self) -> usize {
        self.units.iter().filter(|unit| unit.medium != Medium::Audio).count()
    }

    /// The units of the clip over and over.
    pub fn endless(&self) -> impl Iterator<Item = Recorded> {
        (0..).flat_map(|round| {
            let later = round * self.length;
            self.units.iter().cloned().map(move |unit| Recorded {
                decoded_at: unit.decoded_at + later,
                pts: unit.pts + later,
                ..unit
            })
        })
    }

    /// As a camera sends it, in its own time, from an odd point in time, for so long.
    pub async fn send(&self, producer: &Producer, length: Duration) {
        let begin = Instant::now();
        for unit in self.endless() {
            let due = Duration::from_micros(unit.decoded_at as u64 * 100 / 9);
            if due >= length {
                return;
            }
            tokio::time::sleep_until(begin + due).await;
            // The camera was replaced: a test is over.
            if producer.push_unit(unit.medium, 4_711_000 + unit.pts, unit.data).is_err() {
                return;
            }
        }
    }

    /// So much of it at once.
    pub fn send_at_once(&self, producer: &Producer, from: i64, until: i64) {
        for unit in self.endless().skip_while(|unit| unit.decoded_at < from) {
            if unit.decoded_at >= until {
                return;
            }
            producer.push_unit(unit.medium, unit.pts, unit.data).unwrap();
        }
    }
}

fn video_format(entry: &SampleEntry) -> VideoFormat {
    let (width, height) = entry.video_resolution().unwrap();
    let (codec, config) = match entry {
        SampleEntry::Avc1(it) => (Codec::H264, it.avcc_box.encode_to_vec().unwrap()),
        SampleEntry::Hvc1(it) => (Codec::H265, it.hvcc_box.encode_to_vec().unwrap()),
        other => panic!("{other:?}"),
    };
    // Behind the header of the box.
    let config = Bytes::from(config).slice(8..);
    let rfc6381 = match codec {
        Codec::H264 => format!("avc1.{:02x}{:02x}{:02x}", config[1], config[2], config[3]),
        Codec::H265 => "hvc1.1.6.L60.90".into(),
    };
    VideoFormat { codec, rfc6381, width, height, config }
}

fn audio_format(entry: &shiguredo_mp4::boxes::Mp4aBox) -> AudioFormat {
    let info = entry.esds_box.es.dec_config_descr.dec_specific_info.as_ref().unwrap();
    AudioFormat {
        rfc6381: "mp4a.40.2".into(),
        sample_rate: u32::from(entry.audio.samplerate.integer),
        channels: entry.audio.channelcount,
        config: info.payload.clone().into(),
    }
}
