//! `auto` over links in virtual time, with the acknowledgement window that the writer has.

use std::collections::VecDeque;

use super::*;
use crate::view::stream::flow::Flow;

/// Bytes of a picture, as a 1080p camera's are.
fn bytes(quality: Quality) -> f64 {
    match quality.name() {
        "source" => 120e3,
        "high" => 70e3,
        "medium" => 25e3,
        _ => 8e3,
    }
}

/// What the kernel may hold for a viewer.
const BUFFER: f64 = 256.0 * 1024.0;

/// A camera of 30 fps and 1920×1080, over a link behind the kernel's buffer, 20 ms each way.
struct Link<R, J> {
    /// Bytes a second, by seconds since the start.
    rate: R,
    /// Milliseconds more for a frame, by its number.
    jitter: J,
}

/// What was sent when, second by second, and the frames' ages.
struct Seen {
    /// Of each second, the quality at its end.
    by_second: Vec<&'static str>,
    changes: usize,
    ages: Vec<Duration>,
}

impl<R: Fn(f64) -> f64, J: Fn(u64) -> f64> Link<R, J> {
    fn run(&self, size: Size, seconds: u64) -> Seen {
        let start = Instant::now();
        let (mut auto, mut flow) = (size.auto(start).unwrap(), Flow::default());
        let mut quality = size.quality(Some(&auto), Some(1920));
        let mut seen = Seen { by_second: Vec::new(), changes: 0, ages: Vec::new() };
        let (mut counts, mut pending) = (Counts::default(), None);
        let (mut free_at, mut arrived_at) = (start, start);
        let mut acks: VecDeque<(Instant, u64)> = VecDeque::new();
        for ms in 0..seconds * 1000 {
            let now = start + Duration::from_millis(ms);
            let mut frame = (ms % 33 == 0).then_some(ms / 33 + 1);
            if quality == Quality::Rung(Rung::LOW) {
                frame = frame.filter(|seq| seq % 3 == 0);
            }
            counts.behind += u64::from(frame.is_some() && pending.is_some());
            pending = frame.or(pending);
            while acks.front().is_some_and(|&(at, _)| at <= now) {
                let (_, seq) = acks.pop_front().unwrap();
                flow.acked(seq, now, || Some(start + Duration::from_millis((seq - 1) * 33)));
                let Some(delay) = flow.delay() else { continue };
                if auto.acked(now, delay, counts, size.depth(Some(1920))) {
                    let chosen = size.quality(Some(&auto), Some(1920));
                    seen.changes += usize::from(chosen != quality);
                    quality = chosen;
                }
            }
            let rate = (self.rate)(ms as f64 / 1000.0);
            let is_full = free_at.saturating_duration_since(now).as_secs_f64() * rate > BUFFER;
            if let Some(seq) = pending.filter(|_| flow.is_open(now) && !is_full) {
                pending = None;
                counts.sent += 1;
                flow.sent(seq, now);
                free_at = free_at.max(now) + Duration::from_secs_f64(bytes(quality) / rate);
                let jitter = Duration::from_secs_f64((self.jitter)(seq) / 1000.0);
                // TCP keeps their order.
                arrived_at = arrived_at.max(free_at + Duration::from_millis(20) + jitter);
                seen.ages.push(arrived_at - now);
                acks.push_back((arrived_at + Duration::from_millis(20), seq));
            }
            if ms % 1000 == 999 {
                seen.by_second.push(quality.name());
            }
        }
        seen
    }
}

impl Seen {
    fn share(&self, name: &str, from: usize) -> f64 {
        let seconds = &self.by_second[from..];
        seconds.iter().filter(|&&quality| quality == name).count() as f64 / seconds.len() as f64
    }
}

const AUTO: Size = Size::Auto(Quality::Source);

#[test]
fn a_link_with_room_keeps_the_best_picture() {
    let seen = Link { rate: |_| 20e6, jitter: |_| 0.0 }.run(AUTO, 60);
    assert_eq!((seen.changes, seen.by_second[59]), (0, "source"));
}

#[test]
fn a_thin_link_gets_the_rung_that_fits_without_swinging() {
    // Medium needs 0.75 MB/s, high 2.1.
    let seen = Link { rate: |_| 1.2e6, jitter: |_| 0.0 }.run(AUTO, 300);
    assert!(
        seen.by_second[10..15].iter().all(|quality| *quality == "medium"),
        "{:?}",
        seen.by_second
    );
    assert!(seen.share("medium", 10) > 0.9, "{:?}", seen.by_second);
    // Down twice; then climbs that fail wait 5, 10, 20, 40, 80 s, and each is two changes.
    assert!(seen.changes <= 2 + 2 * 6, "{} changes", seen.changes);
    let mut ages = seen.ages[300..].to_vec();
    ages.sort();
    assert!(ages[ages.len() * 95 / 100] < Duration::from_millis(250), "{:?}", ages.last());
}

#[test]
fn the_thinnest_link_gets_the_lowest_rung_and_no_more_steps_than_there_are() {
    let seen = Link { rate: |_| 90e3, jitter: |_| 0.0 }.run(AUTO, 60);
    assert_eq!(seen.by_second[30], "low");
    assert!(seen.share("low", 15) > 0.8, "{:?}", seen.by_second);
}

#[test]
fn a_link_that_recovers_gets_the_best_picture_back() {
    let rate = |second| if (5.0..30.0).contains(&second) { 1.2e6 } else { 20e6 };
    let seen = Link { rate, jitter: |_| 0.0 }.run(AUTO, 120);
    assert_eq!(seen.by_second[4], "source");
    assert_eq!(seen.by_second[20], "medium", "{:?}", seen.by_second);
    assert_eq!(seen.by_second[70], "source", "{:?}", seen.by_second);
    assert!(seen.share("source", 70) == 1.0);
}

#[test]
fn after_one_bad_moment_it_is_back_within_some_seconds() {
    let rate = |second| if (10.0..12.0).contains(&second) { 1e6 } else { 20e6 };
    let seen = Link { rate, jitter: |_| 0.0 }.run(AUTO, 40);
    assert_ne!(seen.by_second[13], "source", "{:?}", seen.by_second);
    assert_eq!(seen.by_second[30], "source", "{:?}", seen.by_second);
}

#[test]
fn noise_on_a_link_with_room_changes_nothing() {
    // Twice a second a frame is 120 ms late and holds up those behind it; now and then one by 400.
    let jitter = |seq: u64| match seq {
        seq if seq % 101 == 0 => 400.0,
        seq if seq % 15 == 0 => 120.0,
        seq => (seq * 7 % 10) as f64,
    };
    let seen = Link { rate: |_| 20e6, jitter }.run(AUTO, 120);
    assert!(seen.share("source", 0) == 1.0, "{:?}", seen.by_second);
}

#[test]
fn the_size_is_that_of_the_picture_on_the_screen_and_never_above_the_camera() {
    let read = |quality, width| Size::read(quality, width, 30.0).unwrap();
    assert_eq!(read(None, None), Size::Fixed(Quality::Source));
    assert_eq!(read(Some("auto"), None), Size::Auto(Quality::Source));
    assert_eq!(read(Some("low"), Some(2000)), Size::Fixed(Quality::Rung(Rung::LOW)));
    assert!(Size::read(Some("best"), None, 30.0).unwrap_err().contains("auto"));
    assert!(Size::read(None, Some(0), 30.0).unwrap_err().contains("width"));
    for (width, camera, names) in [
        (300, 1920, &["medium", "low"][..]),
        (300, 640, &["source", "low"]),
        (1280, 1920, &["high", "medium", "low"]),
        (1281, 1920, &["source", "high", "medium", "low"]),
        (1281, 1280, &["source", "medium", "low"]),
        (600, 640, &["source", "low"]),
        (300, 320, &["source"]),
    ] {
        let size = read(None, Some(width));
        let steps: Vec<_> = size.steps(Some(camera)).map(Quality::name).collect();
        assert_eq!(steps, names, "{width} of {camera}");
    }
    assert_eq!(read(Some("high"), None).depth(Some(1920)), 0);
}

#[test]
fn a_small_picture_has_all_the_frames_that_the_viewer_wants() {
    for (fps, width, name) in [
        (30.0, 120, "medium"),
        (10.1, 320, "medium"),
        (10.0, 320, "low"),
        (2.0, 120, "low"),
        (2.0, 321, "medium"),
    ] {
        let top = Size::read(None, Some(width), fps).unwrap().quality(None, Some(1920));
        assert_eq!(top.name(), name, "{fps} fps of {width}");
    }
}
