//! Makes parts of units, and says where segments end. No clock and no socket: units in, pieces out.
//!
//! How long a unit is shown is only known when the next one comes. To wait for that would make every
//! part a picture later, so a part is closed with the pace of the pictures before; the next one's decode
//! time is exact again, and nothing adds up.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    targets::{MAX_TARGET_S, Targets},
    timeline::{Jump, Timeline},
};
use crate::{
    relay::{Codec, Format, Medium, TICKS, Unit},
    wire::fmp4::{self, BadTrack, Run, Sample, Track},
};

/// Pictures that are looked at before the first part: as many as tell how B-frames are ordered. They
/// are no more than a part has at 30 a second, so nothing is later for it.
const PROBE_PICTURES: usize = 6;
/// Slower cameras are looked at for so long, in ticks; with sound that has not come yet, twice that.
const PROBE_TICKS: i64 = TICKS * 3 / 10;

/// Most of one part: of one of 200 ms at 5 Gbit/s nobody has a use.
const MAX_PART_BYTES: usize = 2 << 20;
const MAX_PART_SAMPLES: usize = 256;

/// A longer one is cut, at whatever picture: three of them have to fit into the window.
const MAX_SEGMENT_BYTES: usize = 3 << 20;

/// What the packager made of the units so far.
#[derive(Debug)]
pub(super) enum Piece {
    /// What follows has this initialization section and nothing to do with what was before.
    Begin(Arc<Presentation>),
    /// The next part of the segment.
    Part(NewPart),
    /// The segment is complete and takes so many ticks.
    End(i64),
}

/// What the parts since the last discontinuity are.
#[derive(Debug)]
pub(super) struct Presentation {
    /// The initialization section.
    pub init: Bytes,
    /// Of the camera.
    pub format: Arc<Format>,
    /// Whether there is sound, which it takes more than a format for.
    pub has_audio: bool,
    /// Pictures a second.
    pub fps: f64,
}

impl Presentation {
    /// As the playlist has it, RFC 6381.
    pub(super) fn codecs(&self) -> String {
        let Format { video, audio } = &*self.format;
        match audio.as_ref().filter(|_| self.has_audio) {
            Some(audio) => format!("{},{}", video.rfc6381, audio.rfc6381),
            None => video.rfc6381.clone(),
        }
    }
}

/// A part, ready to be sent.
#[derive(Debug)]
pub(super) struct NewPart {
    /// `moof` and `mdat`.
    pub bytes: Bytes,
    /// Ticks.
    pub duration: i64,
    /// Whether there is a key frame in it.
    pub is_independent: bool,
    /// When the first picture is shown, in ticks since the presentation began.
    pub shown_at: i64,
    /// Its first and its last unit.
    pub units: (Arc<Unit>, Arc<Unit>),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Packager {
    state: State,
    target_s: u32,
    targets: Option<Targets>,
    sequence: u32,
    longest_group: i64,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum State {
    /// For a key frame.
    Waiting,
    /// Looks at the first units.
    Probing(Vec<Arc<Unit>>),
    Running(Box<Running>),
}

#[derive(Debug)]
struct Running {
    timeline: Timeline,
    has_audio: bool,
    video: Vec<Picture>,
    audio: Vec<(Arc<Unit>, i64)>,
    last_audio: Option<i64>,
    part_bytes: usize,
    /// When its first picture is decoded.
    segment: i64,
    segment_bytes: usize,
    last_key: Option<i64>,
    /// The segment began with any picture.
    is_cut: bool,
}

#[derive(Debug)]
struct Picture {
    unit: Arc<Unit>,
    decoded_at: i64,
    shown_at: i64,
}

impl Packager {
    /// For a camera whose target duration is known, or guessed.
    pub(super) fn new(target_s: u32) -> Self {
        Self {
            state: State::Waiting,
            target_s: target_s.clamp(1, MAX_TARGET_S),
            targets: None,
            sequence: 0,
            longest_group: 0,
            pieces: Vec::new(),
        }
    }

    /// Known from the first part on.
    pub(super) fn targets(&self) -> Option<Targets> {
        self.targets
    }

    /// The longest time between two key frames, in ticks; 0 before the second one.
    pub(super) fn longest_group(&self) -> i64 {
        self.longest_group
    }

    /// The consumer missed units, or another generation begins: goes on with the next key frame.
    pub(super) fn interrupt(&mut self) -> Result<(), BadTrack> {
        if let State::Running(mut running) = std::mem::replace(&mut self.state, State::Waiting) {
            let last = running.timeline.last();
            let until = last.map_or(running.segment, |last| last + running.timeline.frame());
            self.close_part(&mut running, until)?;
            self.end_segment(&mut running, until);
        }
        Ok(())
    }

    /// The segment ends with the newest part, though the next one then begins with any picture.
    ///
    /// For the very first one: players do nothing with a playlist that has no whole segment.
    pub(super) fn cut(&mut self) {
        if let State::Running(mut running) = std::mem::replace(&mut self.state, State::Waiting) {
            let open = running.video.first().map(|first| first.decoded_at);
            let closed = running.timeline.last().unwrap_or_default() + running.timeline.frame();
            self.end_segment(&mut running, open.unwrap_or(closed));
            running.is_cut = true;
            self.state = State::Running(running);
        }
    }

    /// What was made since the last call.
    pub(super) fn take(&mut self) -> Vec<Piece> {
        std::mem::take(&mut self.pieces)
    }

    /// The next unit of the camera.
    pub(super) fn push(&mut self, unit: Arc<Unit>) -> Result<(), BadTrack> {
        match std::mem::replace(&mut self.state, State::Waiting) {
            State::Waiting if unit.is_key() => self.state = State::Probing(vec![unit]),
            State::Waiting => {}
            State::Probing(mut units) => {
                units.push(unit);
                if probed(&units) {
                    self.begin(units)?;
                } else {
                    self.state = State::Probing(units);
                }
            }
            State::Running(mut running) => match self.add(&mut running, unit.clone()) {
                Ok(()) => self.state = State::Running(running),
                Err(Stop::Bad(error)) => return Err(error),
                Err(Stop::Jump) => {
                    self.state = State::Running(running);
                    self.interrupt()?;
                    return self.push(unit);
                }
            },
        }
        Ok(())
    }

    fn begin(&mut self, units: Vec<Arc<Unit>>) -> Result<(), BadTrack> {
        let pts: Vec<_> = units.iter().filter(|it| it.is_video()).map(|it| it.pts).collect();
        let timeline = Timeline::learn(&pts);
        let format = units[0].format.clone();
        let has_audio = format.audio.is_some() && units.iter().any(|unit| !unit.is_video());
        let frame = timeline.frame();
        let targets = self.targets.get_or_insert_with(|| Targets::new(self.target_s, frame));
        tracing::debug!(?targets, frame, has_audio, "video is packaged");
        let fps = TICKS as f64 / frame as f64;
        let init = init(&format, has_audio)?;
        self.pieces.push(Piece::Begin(Arc::new(Presentation { init, format, has_audio, fps })));
        let mut running = Box::new(Running {
            timeline,
            has_audio,
            video: Vec::new(),
            audio: Vec::new(),
            last_audio: None,
            part_bytes: 0,
            segment: 0,
            segment_bytes: 0,
            last_key: None,
            is_cut: false,
        });
        for unit in units {
            match self.add(&mut running, unit) {
                Ok(()) => {}
                Err(Stop::Bad(error)) => return Err(error),
                // Without its first key frame nothing can be shown: the next one begins anew.
                Err(Stop::Jump) => {
                    self.state = State::Running(running);
                    return self.interrupt();
                }
            }
        }
        self.state = State::Running(running);
        Ok(())
    }

    fn add(&mut self, running: &mut Running, unit: Arc<Unit>) -> Result<(), Stop> {
        let Medium::Video { is_key } = unit.medium else {
            running.add_audio(unit);
            return Ok(());
        };
        let Some(targets) = self.targets else { return Ok(()) };
        let shown_at = running.timeline.shown_at(unit.pts);
        let at = running.timeline.decode_at(unit.pts)?;
        let frame = running.timeline.frame();
        if is_key {
            let group = running.last_key.map_or(0, |last| at - last);
            self.longest_group = self.longest_group.max(group);
            running.last_key = Some(at);
        }
        let segment = at - running.segment;
        // Another group has to fit in too, or it would be cut.
        let is_long = segment + frame / 2 >= targets.shortest_segment()
            || segment + self.longest_group > targets.longest_segment();
        let is_end = is_key && (is_long || running.is_cut);
        let is_full = segment + frame > targets.longest_segment()
            || running.segment_bytes + running.part_bytes + unit.data.len() > MAX_SEGMENT_BYTES;
        let is_begun = segment > 0;
        if is_begun && (is_end || is_full) {
            self.close_part(running, at)?;
            self.end_segment(running, at);
            running.is_cut = !is_key;
        }
        let begun = running.video.first().map(|first| first.decoded_at);
        // One that came late, so that the part was not closed before it.
        if begun.is_some_and(|begun| at + frame - begun > targets.part) || running.is_full(&unit) {
            self.close_part(running, at)?;
        }
        running.part_bytes += unit.data.len();
        running.video.push(Picture { unit, decoded_at: at, shown_at });
        let begun = running.video.first().map_or(at, |first| first.decoded_at);
        if at + 2 * frame - begun > targets.part {
            self.close_part(running, at + frame)?;
        }
        Ok(())
    }

    /// `until` is when the next picture is decoded.
    fn close_part(&mut self, running: &mut Running, until: i64) -> Result<(), BadTrack> {
        let Some(targets) = self.targets else { return Ok(()) };
        let video = std::mem::take(&mut running.video);
        let (Some(first), Some(last)) = (video.first(), video.last()) else { return Ok(()) };
        let ends = video.iter().skip(1).map(|next| next.decoded_at).chain([until]);
        let samples = video.iter().zip(ends).map(|(picture, end)| Sample {
            duration: ticks(end - picture.decoded_at),
            offset: offset(picture.shown_at - picture.decoded_at),
            is_sync: picture.unit.is_key(),
            data: picture.unit.data.clone(),
        });
        let decode_time = first.decoded_at.unsigned_abs();
        let mut runs = vec![Run { track_id: 1, decode_time, samples: samples.collect() }];
        runs.extend(running.take_audio());
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = fmp4::fragment(self.sequence, &runs)?;
        running.segment_bytes += bytes.len();
        running.part_bytes = 0;
        self.pieces.push(Piece::Part(NewPart {
            bytes,
            // A pause of the camera makes the samples longer, as it is; a playlist may not say so.
            duration: (until - first.decoded_at).min(targets.part),
            is_independent: video.iter().any(|picture| picture.unit.is_key()),
            shown_at: first.shown_at,
            units: (first.unit.clone(), last.unit.clone()),
        }));
        Ok(())
    }

    fn end_segment(&mut self, running: &mut Running, until: i64) {
        let longest = self.targets.map_or(0, Targets::longest_segment);
        let duration = (until - running.segment).min(longest);
        if running.segment_bytes > 0 {
            self.pieces.push(Piece::End(duration));
        }
        running.segment = until;
        running.segment_bytes = 0;
    }
}

impl Running {
    fn is_full(&self, unit: &Unit) -> bool {
        self.part_bytes + unit.data.len() > MAX_PART_BYTES || self.video.len() >= MAX_PART_SAMPLES
    }

    fn add_audio(&mut self, unit: Arc<Unit>) {
        let at = self.timeline.shown_at(unit.pts);
        let goes_on = at >= 0 && self.last_audio.is_none_or(|last| at > last);
        let fits = self.audio.len() < MAX_PART_SAMPLES && !self.is_full(&unit);
        if self.has_audio && goes_on && fits {
            self.last_audio = Some(at);
            self.part_bytes += unit.data.len();
            self.audio.push((unit, at));
        }
    }

    fn take_audio(&mut self) -> Option<Run> {
        let audio = std::mem::take(&mut self.audio);
        let (first, at) = audio.first()?;
        let rate = first.format.audio.as_ref().map_or(48_000, |audio| audio.sample_rate.max(1));
        let frame = 1024 * TICKS / i64::from(rate);
        let decode_time = at.unsigned_abs();
        let last = audio.last().map_or(0, |(_, at)| at + frame);
        let ends = audio.iter().skip(1).map(|(_, at)| *at).chain([last]);
        let samples = audio.iter().zip(ends).map(|((unit, at), end)| Sample {
            duration: ticks(end - at),
            offset: 0,
            is_sync: true,
            data: unit.data.clone(),
        });
        Some(Run { track_id: 2, decode_time, samples: samples.collect() })
    }
}

/// Why a unit was not added.
enum Stop {
    Jump,
    Bad(BadTrack),
}

impl From<Jump> for Stop {
    fn from(_: Jump) -> Self {
        Self::Jump
    }
}

impl From<BadTrack> for Stop {
    fn from(error: BadTrack) -> Self {
        Self::Bad(error)
    }
}

/// Whether enough is known to begin.
fn probed(units: &[Arc<Unit>]) -> bool {
    let pictures = units.iter().filter(|unit| unit.is_video()).count();
    let sound_is_due = units[0].format.audio.is_some() && units.iter().all(|unit| unit.is_video());
    let (first, last) = (&units[0], &units[units.len() - 1]);
    let passed = last.received_at.saturating_duration_since(first.received_at);
    let passed = i64::try_from(passed.as_micros()).unwrap_or(i64::MAX) * (TICKS / 1000) / 1000;
    let patience = if sound_is_due { 2 * PROBE_TICKS } else { PROBE_TICKS };
    pictures >= 2 && (pictures >= PROBE_PICTURES && !sound_is_due || passed >= patience)
        // Whatever the clock says.
        || units.len() >= MAX_PART_SAMPLES
}

fn init(format: &Format, has_audio: bool) -> Result<Bytes, BadTrack> {
    let video = &format.video;
    let (sample_entry, config_box) = match video.codec {
        Codec::H264 => (*b"avc1", *b"avcC"),
        Codec::H265 => (*b"hvc1", *b"hvcC"),
    };
    let mut tracks = vec![Track::Video {
        sample_entry,
        config_box,
        config: &video.config,
        width: video.width,
        height: video.height,
    }];
    if let Some(audio) = format.audio.as_ref().filter(|_| has_audio) {
        tracks.push(Track::Audio {
            sample_rate: audio.sample_rate,
            channels: audio.channels,
            config: &audio.config,
        });
    }
    fmp4::init(&tracks)
}

fn ticks(duration: i64) -> u32 {
    u32::try_from(duration.max(1)).unwrap_or(u32::MAX)
}

fn offset(ticks: i64) -> i32 {
    i32::try_from(ticks).unwrap_or_default()
}

#[cfg(test)]
#[path = "packager_tests.rs"]
mod tests;
