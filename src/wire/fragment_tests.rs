//! Tests of splitting and reassembly; the layouts themselves are held by `tests/vectors/`.

use super::*;

const MAX: usize = 4 << 20;

fn whole(push: Push) -> Whole {
    match push {
        Push::Whole(whole) => whole,
        other => panic!("expected a whole frame, got {other:?}"),
    }
}

fn feed(r: &mut Reassembler, parts: &[Vec<u8>], now: Instant) -> Push {
    let mut last = Push::Incomplete;
    for part in parts {
        last = r.push(part, now).unwrap();
    }
    last
}

#[test]
fn parts_in_any_order_make_the_frame_behind_its_headroom() {
    let jpeg: Vec<u8> = (0..1000u32).map(|i| i as u8).collect();
    let mut parts = split(&jpeg, 5, 99, 128).unwrap();
    parts.reverse();
    parts.insert(3, parts[1].clone());
    let mut r = Reassembler::new(MAX, 40);
    let done = whole(feed(&mut r, &parts, Instant::now()));
    assert_eq!((done.seq, done.captured_us), (5, 99));
    assert_eq!(&done.buf[40..], &jpeg[..]);
    assert_eq!(r.pending_bytes(), 0);
}

#[test]
fn every_length_and_limit_splits_into_parts_that_fit_and_join() {
    for len in 1..200 {
        for limit in [HEADER_LEN + 1, HEADER_LEN + 7, HEADER_LEN + 64, 4096] {
            let jpeg = vec![7; len];
            let parts = split(&jpeg, 1, 0, limit).unwrap();
            assert!(parts.iter().all(|p| p.len() <= limit), "{len} bytes, limit {limit}");
            let done = whole(feed(&mut Reassembler::new(MAX, 0), &parts, Instant::now()));
            assert_eq!(done.buf, jpeg, "{len} bytes, limit {limit}");
        }
    }
    assert_eq!(split(&[], 1, 0, 4096), None);
    assert_eq!(split(&[0; 2000], 1, 0, HEADER_LEN + 1), None);
    assert_eq!(split(&[0; 10], 1, 0, HEADER_LEN), None);
}

#[test]
fn a_newer_whole_frame_gives_up_the_older_ones() {
    let now = Instant::now();
    for parts in [1, 2] {
        let mut r = Reassembler::new(MAX, 7);
        let old = split(&[1; 100], 1, 0, HEADER_LEN + 50).unwrap();
        let new = split(&[2; 100], 2, 0, HEADER_LEN + 100 / parts).unwrap();
        assert_eq!((old.len(), new.len()), (2, parts));
        assert_eq!(r.push(&old[0], now), Ok(Push::Incomplete));
        let done = whole(feed(&mut r, &new, now));
        assert_eq!((done.seq, &done.buf[7..]), (2, &[2; 100][..]));
        assert_eq!(r.push(&old[1], now), Ok(Push::Late));
        assert_eq!((r.take_incomplete(), r.take_late()), (1, 0));
        assert_eq!(r.push(&old[0], now), Ok(Push::Late));
        assert_eq!(r.take_late(), 1);
    }
}

#[test]
fn a_part_that_never_comes_costs_its_frame_after_a_second() {
    let now = Instant::now();
    let mut r = Reassembler::new(MAX, 0);
    let parts = split(&[1; 100], 1, 0, HEADER_LEN + 50).unwrap();
    assert_eq!(r.push(&parts[0], now), Ok(Push::Incomplete));
    r.expire(now + PART_TIMEOUT - Duration::from_millis(1));
    assert_eq!((r.take_incomplete(), r.pending_bytes()), (0, 100));
    r.expire(now + PART_TIMEOUT);
    assert_eq!((r.take_incomplete(), r.pending_bytes()), (1, 0));
}

#[test]
fn incomplete_frames_are_bounded_in_bytes_and_in_number() {
    let now = Instant::now();
    let mut r = Reassembler::new(1000, 0);
    for seq in 0..100 {
        let parts = split(&[1; 900], seq, 0, HEADER_LEN + 450).unwrap();
        assert_eq!(r.push(&parts[0], now), Ok(Push::Incomplete));
        assert!(r.pending_bytes() <= 2000);
    }
    assert_eq!(r.take_incomplete(), 98);
    let mut r = Reassembler::new(1000, 0);
    for seq in 0..100 {
        let parts = split(&[1; 10], seq, 0, HEADER_LEN + 5).unwrap();
        assert_eq!(r.push(&parts[0], now), Ok(Push::Incomplete));
    }
    assert_eq!(r.take_incomplete(), 100 - MAX_PENDING_FRAMES as u64);
    let older = PartHeader { part: 0, parts: 2, frame_len: 10, seq: 0, captured_us: 0 };
    let message = [&older.write()[..], &[1; 5]].concat();
    assert_eq!(r.push(&message, now), Ok(Push::Late));
}

#[test]
fn headers_that_contradict_themselves_are_refused() {
    let message = |part, parts, frame_len, payload: usize| {
        let header = PartHeader { part, parts, frame_len, seq: 1, captured_us: 0 };
        [&header.write()[..], &vec![0; payload]].concat()
    };
    let now = Instant::now();
    let mut r = Reassembler::new(1000, 0);
    for (bad, code) in [
        (message(0, 65535, 1000, 1), "bad_part"),
        (message(0, 0, 1000, 1000), "bad_part"),
        (message(2, 2, 1000, 500), "bad_part"),
        (message(0, 2, 1000, 499), "bad_part"),
        (message(0, 1, 0, 0), "bad_part"),
        (message(5, 6, 10, 0), "bad_part"),
        (message(0, 6, 10, 2), "bad_part"),
        (message(0, 1, 1001, 1001), "too_large"),
        (message(0, 1, u32::MAX, 9), "too_large"),
        (b"\x01\x02\x00".to_vec(), "bad_part"),
        (b"\x01\x03".to_vec(), "not_jpeg"),
        (Vec::new(), "not_jpeg"),
    ] {
        assert_eq!(r.push(&bad, now).unwrap_err().code(), code, "{bad:?}");
    }
    assert_eq!(r.push(&message(0, 2, 10, 5), now), Ok(Push::Incomplete));
    assert_eq!(r.push(&message(1, 3, 10, 4), now).unwrap_err().code(), "bad_part");
    assert!(matches!(r.push(&message(1, 2, 10, 5), now), Ok(Push::Whole(_))));
}
