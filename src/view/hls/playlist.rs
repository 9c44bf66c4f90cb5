//! Playlists as text: RFC 8216bis (draft-pantos-hls-rfc8216bis), protocol version 9.
//!
//! Belongs here: what a playlist says of a [`Window`]. Does not: who asks, or what is waited for.

use std::fmt::Write as _;

use super::{
    packager::Presentation,
    targets::Targets,
    window::{Segment, Window},
};
use crate::{relay::TICKS, wire::iso8601};

/// The version that has all tags which are used here.
const VERSION: u32 = 9;

/// The one variant's playlist, from the master's folder.
pub(super) const MEDIA: &str = "media.m3u8";
/// Folder of all else, from there too.
pub(super) const FOLDER: &str = "segment";

/// Headroom of `BANDWIDTH` above what was seen: it is to be the most that there ever is.
const PEAK: f64 = 1.2;

/// What a name in [`FOLDER`] stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Init(u64),
    Segment(u64),
    Part(u64),
}

impl Name {
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (stem, ending) = name.split_once('.')?;
        let (kind, digits) = stem.split_once('-')?;
        let number = digits.parse().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()))?;
        match (kind, ending) {
            ("init", "mp4") => Some(Self::Init(number)),
            ("seg", "m4s") => Some(Self::Segment(number)),
            ("part", "m4s") => Some(Self::Part(number)),
            _ => None,
        }
    }
}

/// The master playlist: one variant. `session` is the viewer's, so that their requests can be told from
/// those of others.
pub(super) fn master(window: &Window, session: &str) -> String {
    let mut text = format!("#EXTM3U\n#EXT-X-VERSION:{VERSION}\n");
    if let Some(newest) = window.shown().next_back() {
        let (peak, average) = bits_per_second(window);
        let Presentation { format, fps, .. } = &*newest.presentation;
        let (width, height) = (format.video.width, format.video.height);
        let codecs = newest.presentation.codecs();
        _ = writeln!(
            text,
            "#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS=\"{codecs}\",\
             RESOLUTION={width}x{height},FRAME-RATE={fps:.3}\n{MEDIA}?session={session}",
        );
    }
    text
}

/// The highest of a segment, with headroom, and that of all together.
fn bits_per_second(window: &Window) -> (u64, u64) {
    let rate = |bytes: usize, length: i64| {
        if length > 0 { bytes as f64 * 8.0 * TICKS as f64 / length as f64 } else { 0.0 }
    };
    let rates = window.shown().map(|segment| rate(segment.bytes(), segment.length()));
    let peak = rates.fold(0.0, f64::max) * PEAK;
    let bytes = window.shown().map(Segment::bytes).sum();
    let average = rate(bytes, window.shown().map(Segment::length).sum());
    (peak.ceil() as u64, average.ceil() as u64)
}

/// The media playlist, the same for everybody. Empty before the first part.
pub(super) fn media(window: &Window) -> String {
    let mut text = String::new();
    if let (Some(targets), Some(first)) = (window.targets(), window.shown().next()) {
        header(&mut text, targets, first, window.discontinuities());
        let length: i64 = window.shown().map(Segment::length).sum();
        let mut passed = 0;
        let mut init = None;
        for segment in window.shown() {
            if segment.is_discontinuous && init.is_some() {
                text.push_str("#EXT-X-DISCONTINUITY\n");
            }
            if init != Some(segment.init) {
                _ = writeln!(text, "#EXT-X-MAP:URI=\"{FOLDER}/init-{}.mp4\"", segment.init);
                init = Some(segment.init);
            }
            passed += segment.length();
            let is_new = length - passed < 3 * i64::from(targets.segment_s) * TICKS;
            of_segment(&mut text, segment, is_new);
        }
        let next = window.next_part();
        _ = writeln!(text, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{FOLDER}/part-{next}.m4s\"");
    }
    text
}

fn header(text: &mut String, targets: Targets, first: &Segment, discontinuities: u64) {
    let part = seconds(targets.part);
    let hold_back = 3 * targets.segment_s;
    let part_hold_back = seconds(3 * targets.part);
    _ = write!(
        text,
        "#EXTM3U\n\
         #EXT-X-VERSION:{VERSION}\n\
         #EXT-X-TARGETDURATION:{}\n\
         #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={part_hold_back:.3},HOLD-BACK={hold_back}\n\
         #EXT-X-PART-INF:PART-TARGET={part:.3}\n\
         #EXT-X-MEDIA-SEQUENCE:{}\n",
        targets.segment_s, first.number,
    );
    if discontinuities > 0 {
        _ = writeln!(text, "#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuities}");
    }
}

fn of_segment(text: &mut String, segment: &Segment, with_parts: bool) {
    let wall = iso8601::format_ms(segment.wall_us / 1000);
    _ = writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{wall}");
    for part in segment.parts.iter().filter(|_| with_parts) {
        let independent = if part.is_independent { ",INDEPENDENT=YES" } else { "" };
        let duration = seconds(part.duration);
        _ = writeln!(
            text,
            "#EXT-X-PART:DURATION={duration:.5},URI=\"{FOLDER}/part-{}.m4s\"{independent}",
            part.number,
        );
    }
    if let Some(duration) = segment.duration {
        let duration = seconds(duration);
        _ = writeln!(text, "#EXTINF:{duration:.5},\n{FOLDER}/seg-{}.m4s", segment.number);
    }
}

fn seconds(ticks: i64) -> f64 {
    ticks as f64 / TICKS as f64
}
