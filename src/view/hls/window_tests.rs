//! What of a stream is kept, and under which numbers.

use std::time::Duration;

use super::*;
use crate::relay::{Codec, Format, Medium, Unit, VideoFormat};

const START_US: u64 = (NUMBERS_BEGIN + 1000) * 1_000_000;
const TARGETS: Targets = Targets { segment_s: 1, part: 18_000 };

fn presentation() -> Arc<Presentation> {
    let config = Bytes::from_static(&[1]);
    let (rfc6381, width, height) = ("avc1.64001f".into(), 640, 360);
    let video = VideoFormat { codec: Codec::H264, rfc6381, width, height, config };
    let format = Arc::new(Format { video, audio: None });
    Arc::new(Presentation { init: Bytes::from_static(b"i"), format, has_audio: false, fps: 30.0 })
}

fn part(size: usize, shown_at: i64) -> NewPart {
    let unit = Arc::new(Unit {
        seq: 1,
        generation: 1,
        format: presentation().format.clone(),
        medium: Medium::Video { is_key: true },
        pts: 0,
        data: Bytes::new(),
        received_at: Instant::now(),
    });
    let bytes = Bytes::from(vec![0; size]);
    let units = (unit.clone(), unit);
    NewPart { bytes, duration: 18_000, is_independent: true, shown_at, units }
}

fn window() -> Window {
    let mut window = Window::new(START_US);
    window.begin(presentation(), TARGETS);
    window
}

/// A segment of five parts.
fn add_segment(window: &mut Window, size: usize) {
    for _ in 0..5 {
        window.add(part(size, 0), START_US);
    }
    window.end(90_000);
}

fn numbers(window: &Window) -> Vec<u64> {
    window.shown().map(|segment| segment.number).collect()
}

#[test]
fn three_target_durations_are_shown_and_as_much_again_can_be_had() {
    let mut window = window();
    for _ in 0..20 {
        add_segment(&mut window, 100);
    }
    let first = START_US / 500_000 - NUMBERS_BEGIN * 2;
    assert_eq!(numbers(&window), [first + 17, first + 18, first + 19]);
    assert!(window.segment(first + 14).is_some(), "gone from the playlist a moment ago");
    assert!(window.segment(first + 10).is_none());
    assert_eq!(window.edge(), (first + 20, 0));
}

#[test]
fn half_second_segments_are_shown_six_at_a_time() {
    let mut window = window();
    for _ in 0..40 {
        window.add(part(100, 0), START_US);
        window.end(45_000);
        assert!(window.whole() <= 7);
    }
    assert_eq!(window.whole(), 6);
}

#[test]
fn bytes_are_bounded_whatever_the_playlist_should_show() {
    let mut window = window();
    for _ in 0..20 {
        add_segment(&mut window, 1 << 20);
        let held: usize = window.segments.iter().map(Segment::bytes).sum();
        assert!(held <= MAX_BYTES + (5 << 20), "{held}");
        assert_eq!(held, window.bytes);
    }
    assert!(window.whole() >= 1);
}

#[test]
fn a_discontinuity_that_leaves_the_playlist_is_counted() {
    let mut window = window();
    add_segment(&mut window, 100);
    window.begin(presentation(), TARGETS);
    let mut seen = Vec::new();
    for _ in 0..6 {
        add_segment(&mut window, 100);
        let tags = super::super::playlist::media(&window).matches("DISCONTINUITY\n").count();
        seen.push((tags, window.discontinuities()));
    }
    assert_eq!(seen, [(1, 0), (1, 0), (0, 1), (0, 1), (0, 1), (0, 1)]);
}

#[test]
fn the_next_parts_name_is_known_before_its_segment() {
    let mut window = window();
    add_segment(&mut window, 100);
    let next = window.next_part();
    assert!(matches!(window.part(next), Found::Soon));
    assert!(matches!(window.part(next + 1), Found::No));
    window.add(part(7, 0), START_US);
    assert!(matches!(window.part(next), Found::Here(bytes) if bytes.len() == 7));
}

#[test]
fn a_window_begun_anew_has_higher_numbers() {
    let mut old = window();
    // As short as segments are, over a minute.
    for _ in 0..120 {
        add_segment(&mut old, 10);
    }
    let new = Window::new(START_US + 60_000_000);
    assert!(new.edge().0 >= old.edge().0 && new.next_part() > old.next_part());
}

#[test]
fn wall_times_are_steady_though_the_network_is_not_and_follow_a_clock_that_drifts() {
    let mut clock = WallClock::default();
    let mut last = clock.wall_us(0, START_US);
    for n in 1..3600 {
        // The camera's second takes 0.1 % longer; the network up to 40 ms.
        let came = START_US + n * 1_001_000 + n % 5 * 10_000;
        let wall = clock.wall_us(n as i64 * 90_000, came);
        let step = Duration::from_micros(wall - last).as_millis();
        assert!((990..=1010).contains(&step), "{step}");
        assert!(came.abs_diff(wall) < 80_000, "{}", came.abs_diff(wall));
        last = wall;
    }
}
