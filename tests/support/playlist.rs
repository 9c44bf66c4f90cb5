//! A media playlist, read with a parser that is not ours.

#![allow(dead_code, reason = "each test file uses its part")]

use quick_m3u8::{
    HlsLine, Reader,
    config::ParsingOptionsBuilder,
    tag::{KnownTag, hls},
};

#[derive(Debug, Default)]
pub struct Playlist {
    pub target_s: u64,
    pub part_target: f64,
    pub can_block: bool,
    pub part_hold_back: f64,
    pub hold_back: f64,
    pub sequence: u64,
    pub discontinuities: u64,
    /// Whole ones.
    pub segments: Vec<Segment>,
    /// Of the segment in the making.
    pub open: Vec<Part>,
    pub maps: Vec<String>,
    pub hint: String,
    /// Of the master playlist.
    pub variants: Vec<Variant>,
}

#[derive(Debug, Default, Clone)]
pub struct Segment {
    pub uri: String,
    pub duration: f64,
    pub parts: Vec<Part>,
    /// Index of its initialization section.
    pub map: usize,
    pub is_discontinuous: bool,
    pub date: String,
}

#[derive(Debug, Default, Clone, PartialEq)]
pub struct Part {
    pub uri: String,
    pub duration: f64,
    pub independent: bool,
}

#[derive(Debug)]
pub struct Variant {
    pub uri: String,
    pub bandwidth: u64,
    pub average: u64,
    pub codecs: String,
    pub resolution: String,
    pub frame_rate: f64,
}

impl Playlist {
    pub fn parse(text: &str) -> Self {
        let options = ParsingOptionsBuilder::new().with_parsing_for_all_tags().build();
        let mut reader = Reader::from_str(text, options);
        let (mut list, mut next) = (Self::default(), Segment::default());
        let mut duration = None;
        assert!(text.starts_with("#EXTM3U\n"), "{text}");
        while let Some(line) = reader.read_line().unwrap() {
            match line {
                HlsLine::KnownTag(KnownTag::Hls(tag)) => match tag {
                    hls::Tag::Targetduration(it) => list.target_s = it.target_duration(),
                    hls::Tag::PartInf(it) => list.part_target = it.part_target(),
                    hls::Tag::ServerControl(it) => {
                        list.can_block = it.can_block_reload();
                        list.part_hold_back = it.part_hold_back().unwrap();
                        list.hold_back = it.hold_back().unwrap();
                    }
                    hls::Tag::MediaSequence(it) => list.sequence = it.media_sequence(),
                    hls::Tag::DiscontinuitySequence(it) => {
                        list.discontinuities = it.discontinuity_sequence();
                    }
                    hls::Tag::Discontinuity(_) => next.is_discontinuous = true,
                    hls::Tag::Map(it) => list.maps.push(it.uri().into()),
                    hls::Tag::ProgramDateTime(it) => {
                        next.date = it.program_date_time().to_string();
                    }
                    hls::Tag::Part(it) => next.parts.push(Part {
                        uri: it.uri().into(),
                        duration: it.duration(),
                        independent: it.independent(),
                    }),
                    hls::Tag::Inf(it) => duration = Some(it.duration()),
                    hls::Tag::PreloadHint(it) => list.hint = it.uri().into(),
                    hls::Tag::StreamInf(it) => list.variants.push(Variant {
                        uri: String::new(),
                        bandwidth: it.bandwidth(),
                        average: it.average_bandwidth().unwrap(),
                        codecs: it.codecs().unwrap().into(),
                        resolution: it
                            .resolution()
                            .map(|it| format!("{}x{}", it.width, it.height))
                            .unwrap(),
                        frame_rate: it.frame_rate().unwrap(),
                    }),
                    hls::Tag::M3u(_) | hls::Tag::Version(_) => {}
                    other => panic!("{other:?} is not expected"),
                },
                HlsLine::Uri(uri) => match (list.variants.last_mut(), duration.take()) {
                    (Some(variant), None) => variant.uri = uri.into(),
                    (None, Some(duration)) => {
                        let map = list.maps.len() - 1;
                        let segment = std::mem::take(&mut next);
                        let uri = uri.into();
                        list.segments.push(Segment { uri, duration, map, ..segment });
                    }
                    _ => panic!("{uri} has no tag:\n{text}"),
                },
                HlsLine::Blank => {}
                other => panic!("{other:?} is not expected"),
            }
        }
        list.open = next.parts;
        list
    }

    /// What every media playlist has to keep to.
    pub fn check(&self) {
        let Self { target_s, part_target, segments, .. } = self;
        assert!(self.can_block && *target_s >= 1, "{self:?}");
        assert!(self.part_hold_back >= 3.0 * part_target - 1e-9, "{self:?}");
        assert!(self.hold_back >= 3.0 * *target_s as f64);
        assert!(!self.maps.is_empty() && !self.hint.is_empty(), "{self:?}");
        for segment in segments {
            assert!(segment.duration.round() as u64 <= *target_s, "{segment:?}");
            for (n, part) in segment.parts.iter().enumerate() {
                assert!(part.duration <= part_target + 1e-9, "{part:?} of {part_target}");
                let is_last = n + 1 == segment.parts.len();
                assert!(is_last || part.duration >= 0.85 * part_target, "{segment:?}");
            }
            if !segment.parts.is_empty() {
                let sum: f64 = segment.parts.iter().map(|part| part.duration).sum();
                assert!((sum - segment.duration).abs() < 0.01, "{sum} {segment:?}");
            }
        }
        let dates: Vec<_> = segments.iter().map(|segment| &segment.date).collect();
        assert!(dates.windows(2).all(|pair| pair[0] < pair[1]), "{dates:?}");
        // Parts are for the last three target durations alone.
        let mut after = self.open.iter().map(|part| part.duration).sum::<f64>();
        for segment in segments.iter().rev() {
            assert_eq!(!segment.parts.is_empty(), after < 3.0 * *target_s as f64, "{self:?}");
            after += segment.duration;
        }
    }

    /// The newest part's place: its segment's number, and its own in it.
    pub fn edge(&self) -> (u64, usize) {
        (self.sequence + self.segments.len() as u64, self.open.len())
    }
}
