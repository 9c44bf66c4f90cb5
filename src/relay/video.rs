//! A camera's encoded video, as the camera made it: access units in the order they are decoded in.
//!
//! Belongs here: the units since the newest key frame, who reads them, and what format they have. Does
//! not: protocols that bring them (`ingest`), containers that carry them on (`view`), codecs (`media`).
//!
//! Unlike pictures, units depend on those before them, so a consumer gets each of them. One that lags
//! behind what is kept goes on with the newest key frame and is told how many units it missed.

use std::{
    collections::VecDeque,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;

use super::{
    meter::Meter,
    track::{Demand, Viewing},
};

/// Ticks of a [`Unit`]'s times in a second: RTP's clock for video (RFC 6184 section 8.2.1).
pub const TICKS: i64 = 90_000;

/// Most bytes kept of a camera's video: 16 s at 4 Mbit/s. A longer group of pictures loses its
/// beginning, and who comes late waits for the next key frame.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// Most units kept: 16 s of 30 fps video with 48 kHz AAC.
const MAX_UNITS: usize = 1280;

/// How video is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// ITU-T H.264, AVC.
    H264,
    /// ITU-T H.265, HEVC.
    H265,
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::H264 => "H.264",
            Self::H265 => "H.265",
        })
    }
}

/// What a decoder has to know before the first unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoFormat {
    /// How it is coded.
    pub codec: Codec,
    /// Codec, profile and level as in RFC 6381, such as `avc1.64001f`.
    pub rfc6381: String,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// The decoder configuration record of ISO/IEC 14496-15: `avcC` or `hvcC` without its box header.
    pub config: Bytes,
}

/// What an AAC decoder has to know before the first unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioFormat {
    /// As in RFC 6381, such as `mp4a.40.2`.
    pub rfc6381: String,
    /// Hz.
    pub sample_rate: u32,
    /// How many.
    pub channels: u16,
    /// The AudioSpecificConfig of ISO/IEC 14496-3.
    pub config: Bytes,
}

/// What the units of a camera are, until another of these comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// Of the pictures.
    pub video: VideoFormat,
    /// Of the sound, where there is any that can be passed on.
    pub audio: Option<AudioFormat>,
}

/// Of what a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// One picture.
    Video {
        /// Whether decoding can begin with it.
        is_key: bool,
    },
    /// One AAC frame.
    Audio,
}

/// One access unit. Immutable and shared.
#[derive(Debug)]
pub struct Unit {
    /// Of the camera, one more with each unit. It goes on over reconnects.
    pub seq: u64,
    /// Grows by one each time that the camera connects anew or its format changes. Times of two
    /// generations have nothing to do with each other.
    pub generation: u64,
    /// What it is coded as.
    pub format: Arc<Format>,
    /// Of what it is.
    pub medium: Medium,
    /// When it is to be shown, in [`TICKS`] a second, from a point that is the generation's. Units come
    /// in the order they are decoded in, so with B-frames this goes forth and back.
    pub pts: i64,
    /// Video: NAL units, each behind its length in four bytes (ISO/IEC 14496-15), without parameter sets
    /// that the format has already. Audio: the raw AAC frame.
    pub data: Bytes,
    /// When its last byte came.
    pub received_at: Instant,
}

impl Unit {
    /// Whether a decoder can begin with it.
    pub fn is_key(&self) -> bool {
        self.medium == Medium::Video { is_key: true }
    }

    /// Whether it is a picture.
    pub fn is_video(&self) -> bool {
        matches!(self.medium, Medium::Video { .. })
    }
}

/// The units of one camera.
#[derive(Debug)]
pub(super) struct VideoTrack {
    /// Number of the newest unit, and whether the camera was forgotten.
    newest: watch::Sender<(u64, bool)>,
    viewers: watch::Sender<usize>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// Those since the newest key frame at least, where they fit.
    units: VecDeque<Arc<Unit>>,
    bytes: usize,
    seq: u64,
    generation: u64,
    format: Option<Arc<Format>>,
    meter: Meter,
    /// Between the two newest key frames, in ticks.
    key_interval: Option<i64>,
    newest_key: Option<(u64, i64)>,
    /// When the newest picture is to be shown, and how often that was before the one ahead of it.
    newest_pts: Option<i64>,
    reordered: u32,
}

impl VideoTrack {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            newest: watch::Sender::default(),
            viewers: watch::Sender::default(),
            state: Arc::new(Mutex::new(State {
                units: VecDeque::new(),
                bytes: 0,
                seq: 0,
                generation: 0,
                format: None,
                meter: Meter::new(now),
                key_interval: None,
                newest_key: None,
                newest_pts: None,
                reordered: 0,
            })),
        }
    }

    /// What follows is of this format, and begins anew.
    pub(super) fn begin(&self, format: Format) {
        let mut state = self.state.lock();
        state.clear();
        state.generation += 1;
        state.format = Some(Arc::new(format));
    }

    /// The next unit; ignored before [`Self::begin`].
    pub(super) fn push(&self, medium: Medium, pts: i64, data: Bytes, received_at: Instant) {
        let mut state = self.state.lock();
        let Some(format) = state.format.clone() else { return };
        state.seq += 1;
        let (seq, generation) = (state.seq, state.generation);
        let unit = Unit { seq, generation, format, medium, pts, data, received_at };
        if unit.is_video() {
            state.meter.add(unit.data.len(), received_at);
            if state.newest_pts.is_some_and(|before| pts < before) {
                state.reordered = state.reordered.saturating_add(1);
            }
            state.newest_pts = Some(pts);
        }
        if unit.is_key() {
            state.key_interval = state.newest_key.map(|(_, before)| pts - before);
            // B-frames reach that many within a group; a clock that is set now and then does not.
            if state.reordered < REORDERED {
                state.reordered = 0;
            }
            state.newest_key = Some((seq, pts));
        }
        state.keep(Arc::new(unit));
        // Under the lock, so that numbers reach the consumers in order.
        self.newest.send_modify(|(newest, _)| *newest = seq);
    }

    /// Nobody brings units any more: who comes next must not see what was long ago.
    pub(super) fn end(&self) {
        let mut state = self.state.lock();
        state.clear();
        state.format = None;
    }

    /// The camera is forgotten.
    pub(super) fn close(&self) {
        self.end();
        self.newest.send_modify(|(_, closed)| *closed = true);
    }

    pub(super) fn format(&self) -> Option<Arc<Format>> {
        self.state.lock().format.clone()
    }

    pub(super) fn viewers(&self) -> usize {
        *self.viewers.borrow()
    }

    pub(super) fn demand(&self) -> Demand {
        Demand::new(&self.viewers)
    }

    pub(super) fn consumer(&self) -> VideoConsumer {
        VideoConsumer {
            newest: self.newest.subscribe(),
            state: self.state.clone(),
            cursor: None,
            _viewing: Viewing::new(&self.viewers),
        }
    }

    pub(super) fn snapshot(&self, now: Instant) -> Option<VideoSnapshot> {
        let mut state = self.state.lock();
        let format = state.format.clone()?;
        let (fps, bytes_per_s) = state.meter.per_second(now);
        let newest = state.units.back().map(|unit| unit.received_at);
        Some(VideoSnapshot {
            codec: format.video.codec,
            codecs: format.video.rfc6381.clone(),
            width: format.video.width,
            height: format.video.height,
            audio: format.audio.as_ref().map(|audio| audio.rfc6381.clone()),
            fps: (fps * 10.0).round() / 10.0,
            bitrate: (bytes_per_s * 8.0).round() as u64,
            key_interval_ms: state.key_interval.map(|ticks| ticks * 1000 / TICKS),
            age_ms: newest.map(|at| now.saturating_duration_since(at).as_millis() as u64),
            generation: state.generation,
            viewers: self.viewers(),
        })
    }
}

impl State {
    fn keep(&mut self, unit: Arc<Unit>) {
        self.bytes += unit.data.len();
        let newest_key = self.newest_key.map_or(u64::MAX, |(seq, _)| seq);
        self.units.push_back(unit);
        // The group before the newest stays until that one has begun to flow: a consumer that has not
        // read its last units yet must not lose them at the very moment a key frame comes.
        let spare = |units: &VecDeque<Arc<Unit>>| {
            let (first, last) = (units.front()?, units.back()?);
            Some(first.seq < newest_key && last.received_at - first.received_at > SPARE)
        };
        while self.units.len() > MAX_UNITS
            || self.bytes > MAX_BYTES
            || spare(&self.units).unwrap_or(false)
        {
            let Some(old) = self.units.pop_front() else { break };
            self.bytes -= old.data.len();
        }
    }

    fn clear(&mut self) {
        self.units = VecDeque::new();
        self.bytes = 0;
        (self.key_interval, self.newest_key) = (None, None);
        (self.newest_pts, self.reordered) = (None, 0);
    }

    /// The unit after `cursor`, and how many a consumer misses by it.
    fn after(&self, cursor: Option<(u64, u64)>) -> Option<(Arc<Unit>, u64)> {
        let first = self.units.front()?.seq;
        if let Some((seq, generation)) = cursor
            && generation == self.generation
            && seq + 1 >= first
        {
            return Some((self.units.get((seq + 1 - first) as usize)?.clone(), 0));
        }
        let (key, _) = self.newest_key.filter(|(key, _)| *key >= first)?;
        let missed = match cursor {
            Some((seq, generation)) if generation == self.generation => key - seq - 1,
            _ => 0,
        };
        Some((self.units.get((key - first) as usize)?.clone(), missed))
    }
}

/// Pictures shown before the one ahead of them that make B-frames: a camera's clock may be set back once.
const REORDERED: u32 = 3;

/// Units of a group before the newest are kept this long.
const SPARE: Duration = Duration::from_secs(1);

/// What [`VideoConsumer::next`] brings.
#[derive(Debug, Clone)]
#[must_use]
pub struct NextUnit {
    /// The unit.
    pub unit: Arc<Unit>,
    /// Units of the same generation that this consumer was too slow for. The unit is then a key frame.
    pub missed: u64,
}

/// A reader of a camera's video, and somebody who watches it. It begins with the newest key frame, and
/// with each new generation anew.
#[derive(Debug)]
pub struct VideoConsumer {
    newest: watch::Receiver<(u64, bool)>,
    state: Arc<Mutex<State>>,
    /// Number and generation of the unit returned last.
    cursor: Option<(u64, u64)>,
    _viewing: Viewing,
}

impl VideoConsumer {
    /// The next unit, once there is one, however long the camera is away meanwhile. `None` when the
    /// camera was forgotten. Cancel safe.
    pub async fn next(&mut self) -> Option<NextUnit> {
        loop {
            let closed = self.newest.borrow_and_update().1;
            if let Some((unit, missed)) = self.state.lock().after(self.cursor) {
                self.cursor = Some((unit.seq, unit.generation));
                return Some(NextUnit { unit, missed });
            }
            if closed || self.newest.changed().await.is_err() {
                return None;
            }
        }
    }

    /// Whether the unit returned last is the newest.
    pub fn is_at_end(&self) -> bool {
        self.state.lock().after(self.cursor).is_none()
    }

    /// Whether pictures come in another order than they are shown in, as with B-frames; known after
    /// some pictures of the present generation.
    pub fn reorders(&self) -> bool {
        self.state.lock().reordered >= REORDERED
    }

    /// What units are at present; `None` while the camera is not connected.
    pub fn format(&self) -> Option<Arc<Format>> {
        self.state.lock().format.clone()
    }
}

/// A camera's video at one moment.
#[derive(Debug, Clone, Serialize)]
pub struct VideoSnapshot {
    /// How it is coded.
    pub codec: Codec,
    /// As in RFC 6381.
    pub codecs: String,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// The sound's codec as in RFC 6381.
    pub audio: Option<String>,
    /// Pictures a second over the last 2 s.
    pub fps: f64,
    /// Bits a second over the last 2 s, of the pictures.
    pub bitrate: u64,
    /// Milliseconds between the two newest key frames.
    pub key_interval_ms: Option<i64>,
    /// Milliseconds since the newest unit.
    pub age_ms: Option<u64>,
    /// How often the format or the connection was new.
    pub generation: u64,
    /// Who reads it: outputs, not people.
    pub viewers: usize,
}

#[cfg(test)]
#[path = "video_tests.rs"]
mod tests;
