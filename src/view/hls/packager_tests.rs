//! Parts and segments of made-up video: lengths, times, where they end.

use std::time::{Duration, Instant};

use super::*;
use crate::{
    relay::{AudioFormat, VideoFormat},
    view::hls::targets::target_s,
};

fn format(has_audio: bool) -> Arc<Format> {
    let config = Bytes::from_static(&[1, 0x64, 0, 0x1f]);
    let video = VideoFormat {
        codec: Codec::H264,
        rfc6381: "avc1.64001f".into(),
        width: 640,
        height: 360,
        config: config.clone(),
    };
    let audio =
        AudioFormat { rfc6381: "mp4a.40.2".into(), sample_rate: 48_000, channels: 1, config };
    Arc::new(Format { video, audio: has_audio.then_some(audio) })
}

/// A camera of 100 bytes a picture.
struct Camera {
    packager: Packager,
    format: Arc<Format>,
    begin: Instant,
}

impl Camera {
    fn new(target_s: u32) -> Self {
        Self { packager: Packager::new(target_s), format: format(false), begin: Instant::now() }
    }

    fn push(&mut self, medium: Medium, pts: i64, size: usize) {
        let unit = Unit {
            seq: 0,
            generation: 1,
            format: self.format.clone(),
            medium,
            pts,
            data: Bytes::from(vec![0; size]),
            received_at: self.begin + Duration::from_micros(pts.unsigned_abs() * 100 / 9),
        };
        self.packager.push(Arc::new(unit)).unwrap();
    }

    /// Pictures at these times, a key frame every `group`.
    fn send(&mut self, times: impl IntoIterator<Item = i64>, group: usize) -> Vec<Piece> {
        for (n, pts) in times.into_iter().enumerate() {
            self.push(Medium::Video { is_key: n % group == 0 }, pts, 100);
        }
        self.packager.take()
    }
}

fn parts(pieces: &[Piece]) -> Vec<(i64, bool)> {
    let part = |piece: &Piece| match piece {
        Piece::Part(part) => Some((part.duration, part.is_independent)),
        _ => None,
    };
    pieces.iter().filter_map(part).collect()
}

fn segments(pieces: &[Piece]) -> Vec<i64> {
    let end = |piece: &Piece| if let Piece::End(duration) = piece { Some(*duration) } else { None };
    pieces.iter().filter_map(end).collect()
}

#[test]
fn a_part_is_closed_with_the_picture_after_which_one_more_would_be_too_many() {
    let mut camera = Camera::new(1);
    let pieces = camera.send((0..6).map(|n| n * 3000), 30);
    assert_eq!(parts(&pieces), [(18_000, true)], "without waiting for the seventh");
    let pieces = camera.send([18_000], 30);
    assert_eq!(parts(&pieces), []);
}

#[test]
fn segments_end_at_key_frames_and_are_as_long_as_they_are() {
    let mut camera = Camera::new(1);
    let pieces = camera.send((0..91).map(|n| n * 3000), 30);
    assert_eq!(segments(&pieces), [90_000; 3]);
    assert_eq!(parts(&pieces).len(), 15);
    let independent: Vec<_> = parts(&pieces).iter().map(|part| part.1).collect();
    assert_eq!(independent[..6], [true, false, false, false, false, true]);
}

#[test]
fn short_groups_share_a_segment_of_half_a_second_or_more() {
    let mut camera = Camera::new(1);
    let pieces = camera.send((0..61).map(|n| n * 3000), 6);
    assert_eq!(segments(&pieces), [54_000, 54_000, 54_000]);
}

#[test]
fn parts_are_never_longer_than_announced_and_mostly_close_to_it_whatever_the_pace() {
    for fps in [1, 2, 4, 5, 7, 8, 10, 12, 15, 20, 24, 25, 30, 50, 60] {
        let mut camera = Camera::new(2);
        let pieces = camera.send((0..fps * 20).map(|n| n * TICKS / fps), fps as usize * 2);
        let target = camera.packager.targets().unwrap().part;
        let all = parts(&pieces);
        assert!(all.len() > 10, "{fps} fps: {all:?}");
        assert!(all.iter().all(|part| part.0 <= target), "{fps} fps: {all:?}");
        // Only a segment's last part may be shorter than 85 %.
        let short = all.iter().filter(|part| part.0 * 100 < target * 85).count();
        assert!(short <= segments(&pieces).len() + 1, "{fps} fps: {short} of {all:?}");
    }
}

#[test]
fn an_uneven_pace_changes_no_promise_and_adds_nothing_up() {
    let mut camera = Camera::new(1);
    let times = (0..3000).map(|n| n * 3000 + [0, 700, -400, 200, -650][n as usize % 5]);
    let pieces = camera.send(times, 30);
    let target = camera.packager.targets().unwrap().part;
    assert!(parts(&pieces).iter().all(|part| part.0 <= target));
    let total: i64 = segments(&pieces).iter().sum();
    assert_eq!(total, 99 * 90_000, "the segments take as long as the camera's own time");
}

#[test]
fn a_group_longer_than_the_target_is_cut_so_that_the_target_holds() {
    let mut camera = Camera::new(2);
    let pieces = camera.send((0..1800).map(|n| n * 3000), 300);
    let all = segments(&pieces);
    assert!(all.iter().all(|it| (it + TICKS / 2) / TICKS <= 2), "{all:?}");
    assert_eq!(camera.packager.longest_group(), 900_000);
    assert_eq!(target_s(camera.packager.longest_group()), 10, "known for the next time");
}

#[test]
fn a_pause_makes_no_part_and_no_segment_longer_than_announced() {
    let mut camera = Camera::new(1);
    let times = (0..60).map(|n| n * 3000 + if n > 40 { 5 * TICKS } else { 0 });
    let pieces = camera.send(times, 30);
    let target = camera.packager.targets().unwrap().part;
    assert!(parts(&pieces).iter().all(|part| part.0 <= target));
    assert!(segments(&pieces).iter().all(|it| (it + TICKS / 2) / TICKS <= 1));
}

#[test]
fn a_clock_that_is_set_begins_anew_with_the_next_key_frame() {
    let mut camera = Camera::new(1);
    camera.send((0..40).map(|n| n * 3000), 30);
    for n in 0..60 {
        let is_key = n % 30 == 10;
        camera.push(Medium::Video { is_key }, 1_000_000_000 + n * 3000, 100);
    }
    let pieces = camera.packager.take();
    let begins = pieces.iter().filter(|piece| matches!(piece, Piece::Begin(_))).count();
    assert_eq!(begins, 1);
    assert!(matches!(pieces[0], Piece::Part(_)), "what was open is not lost");
}

#[test]
fn sound_that_is_announced_but_never_comes_is_left_out() {
    let mut camera = Camera::new(1);
    camera.format = format(true);
    let pieces = camera.send((0..60).map(|n| n * 3000), 30);
    let Piece::Begin(presentation) = &pieces[0] else { panic!("{:?}", pieces[0]) };
    assert!(!presentation.has_audio);
    assert_eq!(presentation.codecs(), "avc1.64001f");
}

#[test]
fn nothing_grows_without_bound() {
    let mut camera = Camera::new(1);
    camera.format = format(true);
    camera.send((0..12).map(|n| n * 3000), 30);
    // Pictures that all have one time, sound without end, and huge pictures.
    for n in 0..5000 {
        camera.push(Medium::Video { is_key: false }, 33_000, 100);
        camera.push(Medium::Audio, 33_000 + n, 10);
    }
    for n in 0..20 {
        camera.push(Medium::Video { is_key: false }, 40_000 + n, 1 << 20);
    }
    let pieces = camera.packager.take();
    let largest = pieces.iter().filter_map(|piece| match piece {
        Piece::Part(part) => Some(part.bytes.len()),
        _ => None,
    });
    assert!(largest.max().unwrap() < 2 * MAX_PART_BYTES);
    assert!(segments(&pieces).len() >= 6, "20 MB are cut into segments of 3 MiB");
}
