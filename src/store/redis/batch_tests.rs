//! In virtual time: instants are made up, nothing sleeps.

use super::*;
use crate::{
    relay::{Clock, Limits, Publisher, Registry, Stamp, Transport},
    store::redis::keys::Status,
    wire::jpeg,
};

const TTL: Duration = Duration::from_secs(10);

fn id(n: usize) -> CameraId {
    CameraId::parse(&format!("cam{n}")).expect("a good id")
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Frames of one camera, numbered from 1.
fn frames<const N: usize>(len: usize) -> [Arc<Latest>; N] {
    let registry = Registry::new(Limits::default(), Clock::system());
    let producer = registry.publish(&id(0), Publisher::over(Transport::Synthetic)).expect("free");
    std::array::from_fn(|n| {
        let jpeg = jpeg::skeleton(8, 8, len, n as u8);
        producer.publish_jpeg(&jpeg, Stamp::default()).expect("a good frame");
        producer.camera().latest().expect("just published")
    })
}

fn client(last_seen_ms: u64, status: Status) -> Client {
    Client { connected_at_ms: 1, last_seen_ms, status }
}

fn seqs(entries: &[Entry]) -> Vec<(&str, Option<u64>)> {
    entries.iter().map(|e| (e.camera.as_str(), e.frame.as_ref().map(|f| f.seq))).collect()
}

#[test]
fn a_window_lasts_80_ms_from_its_first_operation() {
    let [frame] = frames(64);
    let (mut batch, start) = (Batch::new(TTL), frame.received_at);
    assert_eq!(batch.due_at(), None);
    batch.push_frame(&id(1), frame.clone(), start);
    batch.push_frame(&id(2), frame.clone(), start + ms(30));
    assert_eq!(batch.due_at(), Some(start + ms(80)));
    let entries = batch.take(start + ms(80));
    assert_eq!(seqs(&entries), [("cam1", Some(1)), ("cam2", Some(1))]);
    batch.done(entries, 0);
    assert_eq!(batch.due_at(), None);
    assert!(batch.slots.is_empty());
}

#[test]
fn ten_operations_end_a_window_early() {
    let [frame] = frames(64);
    let (mut batch, start) = (Batch::new(TTL), frame.received_at);
    for n in 1..=9 {
        batch.push_frame(&id(n), frame.clone(), start + ms(n as u64));
    }
    assert_eq!(batch.due_at(), Some(start + ms(81)));
    // A newer frame of the same camera is no further operation.
    batch.push_frame(&id(9), frame.clone(), start + ms(10));
    assert_eq!(batch.due_at(), Some(start + ms(81)));
    batch.push_client(&id(9), client(1, Status::Connected), start + ms(10));
    assert_eq!(batch.due_at(), Some(start + ms(1)));
    assert_eq!(batch.take(start + ms(10)).len(), 9);
}

#[test]
fn a_flush_carries_ten_operations_and_the_rest_keeps_its_own_window() {
    let [frame] = frames(64);
    let (mut batch, start) = (Batch::new(TTL), frame.received_at);
    for n in 0..13 {
        batch.push_frame(&id(n), frame.clone(), start + ms(n as u64));
    }
    assert_eq!(batch.take(start + ms(20)).len(), 10);
    assert_eq!(batch.due_at(), Some(start + ms(90)));
    assert_eq!(batch.take(start + ms(90)).len(), 3);
}

#[test]
fn a_flush_carries_4_mib_or_one_frame() {
    let [frame] = frames(3 << 20);
    let (mut batch, start) = (Batch::new(TTL), frame.received_at);
    batch.push_frame(&id(1), frame.clone(), start);
    batch.push_frame(&id(2), frame.clone(), start);
    assert_eq!(batch.take(start).len(), 1);
    assert_eq!(batch.take(start).len(), 1);
}

#[test]
fn the_newest_frame_of_a_camera_wins_within_a_window() {
    let frames: [_; 5] = frames(64);
    let (mut batch, start) = (Batch::new(TTL), frames[0].received_at);
    for frame in &frames {
        batch.push_frame(&id(1), frame.clone(), start);
    }
    assert_eq!(seqs(&batch.take(start)), [("cam1", Some(5))]);
    assert_eq!(batch.lost(), Lost { coalesced: 4, dropped: 0 });
}

#[test]
fn a_camera_that_is_being_written_is_held_so_that_no_older_frame_overtakes() {
    let [one, two, three] = frames(64);
    let (mut batch, start) = (Batch::new(TTL), one.received_at);
    batch.push_frame(&id(1), one, start);
    let flying = batch.take(start);
    batch.push_frame(&id(1), two, start + ms(10));
    batch.push_frame(&id(1), three, start + ms(20));
    assert_eq!(batch.due_at(), None);
    assert!(batch.take(start + ms(500)).is_empty());
    batch.done(flying, 0);
    // It has waited since the first of the two.
    assert_eq!(batch.due_at(), Some(start + ms(90)));
    assert_eq!(seqs(&batch.take(start + ms(90))), [("cam1", Some(3))]);
    assert_eq!(batch.lost(), Lost { coalesced: 1, dropped: 0 });
}

#[test]
fn what_was_not_answered_waits_again_unless_something_newer_does() {
    let [one, two] = frames(64);
    let (mut batch, start) = (Batch::new(TTL), one.received_at);
    for n in [1, 2] {
        batch.push_frame(&id(n), one.clone(), start);
        batch.push_client(&id(n), client(1, Status::Connected), start);
    }
    let flying = batch.take(start);
    batch.push_frame(&id(2), two, start);
    batch.push_client(&id(2), client(2, Status::Disconnected), start);
    batch.put_back(flying);
    assert_eq!(batch.lost(), Lost { coalesced: 0, dropped: 1 });
    let mut entries = batch.take(start);
    entries.sort_by(|a, b| a.camera.cmp(&b.camera));
    assert_eq!(seqs(&entries), [("cam1", Some(1)), ("cam2", Some(2))]);
    assert_eq!(entries[0].client, Some(client(1, Status::Connected)));
    assert_eq!(entries[1].client, Some(client(2, Status::Disconnected)));
}

#[test]
fn while_redis_is_away_one_frame_a_camera_is_held_and_the_others_count_as_dropped() {
    let frames: [_; 100] = frames(64);
    let (mut batch, start) = (Batch::new(TTL), frames[0].received_at);
    batch.set_away(true);
    for (n, frame) in frames.iter().enumerate() {
        for camera in 0..3 {
            batch.push_frame(&id(camera), frame.clone(), start + ms(33 * n as u64));
        }
    }
    batch.replaced(5);
    assert_eq!(batch.lost(), Lost { coalesced: 0, dropped: 3 * 99 + 5 });
    assert_eq!((batch.slots.len(), batch.queue.len(), batch.ready), (3, 3, 3));
    let newest = seqs(&batch.take(start)).iter().map(|&(_, seq)| seq).collect::<Vec<_>>();
    assert_eq!(newest, [Some(100); 3]);
}

#[test]
fn a_frame_that_would_have_expired_is_not_written_but_the_state_beside_it_is() {
    let [frame] = frames(64);
    let (mut batch, start) = (Batch::new(TTL), frame.received_at);
    for n in [1, 2] {
        batch.push_frame(&id(n), frame.clone(), start);
    }
    batch.push_client(&id(2), client(1, Status::Disconnected), start);
    let entries = batch.take(start + TTL);
    assert_eq!(seqs(&entries), [("cam2", None)]);
    assert_eq!(batch.lost(), Lost { coalesced: 0, dropped: 2 });
    batch.done(entries, 0);
    assert_eq!((batch.slots.len(), batch.queue.len(), batch.ready), (0, 0, 0));
}

#[test]
fn nothing_stays_of_a_forgotten_camera() {
    let [one, two] = frames(64);
    let (mut batch, start) = (Batch::new(TTL), one.received_at);
    // One waits, one is being written while a newer frame waits.
    batch.push_frame(&id(1), one.clone(), start);
    let flying = batch.take(start);
    batch.push_frame(&id(1), two, start);
    batch.push_frame(&id(2), one, start);
    batch.forget(&id(1));
    batch.forget(&id(2));
    batch.forget(&id(3));
    assert_eq!(batch.due_at(), None);
    batch.put_back(flying);
    assert_eq!(batch.lost(), Lost { coalesced: 0, dropped: 3 });
    assert_eq!((batch.slots.len(), batch.queue.len(), batch.ready), (0, 0, 0));
}

#[test]
fn at_the_end_the_states_come_out_and_frames_are_dropped() {
    let [frame] = frames(64);
    let (mut batch, start) = (Batch::new(TTL), frame.received_at);
    batch.push_frame(&id(1), frame, start);
    batch.push_client(&id(2), client(7, Status::Disconnected), start);
    let (clients, lost) = batch.into_clients();
    assert_eq!(clients, [(id(2), client(7, Status::Disconnected))]);
    assert_eq!(lost, Lost { coalesced: 0, dropped: 1 });
}
