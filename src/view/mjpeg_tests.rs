//! Which part of a stream comes when, in virtual time.

use std::time::Duration;

use tokio::time::timeout;

use super::*;
use crate::{
    relay::{CameraId, Limits, Producer, Publisher, Registry, Stamp, Transport},
    view::View,
    wire::jpeg,
};

fn put(producer: &Producer, fill: u8) {
    producer.publish_jpeg(&jpeg::skeleton(64, 48, 100, fill), Stamp::default()).unwrap();
}

fn camera() -> (Producer, Rest) {
    let registry = Registry::new(Limits::default(), Clock::starting_at(1_700_000_000_000_000));
    let door = CameraId::parse("door").unwrap();
    let producer = registry.publish(&door, Publisher::over(Transport::Http)).unwrap();
    let view = View { registry, max_fps: 30.0 };
    (producer, Rest::new(view, CancellationToken::new(), 8080))
}

fn start(fps: f64) -> (Producer, Parts) {
    let (producer, rest) = camera();
    let parts = Parts::new(&rest, producer.camera().clone(), Quality::Source, fps, &SIZED);
    (producer, parts)
}

#[tokio::test]
async fn all_clients_share_the_bytes_of_the_message_that_streaming_viewers_get() {
    let (producer, rest) = camera();
    put(&producer, 1);
    let message = producer.camera().latest().unwrap().websocket_message().as_ptr_range();
    let camera = producer.camera();
    let client = || Parts::new(&rest, camera.clone(), Quality::Source, 0.0, &SIZED).next();
    let ([header, picture, _], _one) = client().await.unwrap();
    let ([same_header, same_picture, _], _other) = client().await.unwrap();
    assert_eq!(picture.as_ptr_range(), same_picture.as_ptr_range());
    assert!(message.contains(&picture.as_ptr()) && picture.as_ptr_range().end == message.end);
    assert_eq!(header.as_ptr_range(), same_header.as_ptr_range());
}

#[tokio::test(start_paused = true)]
async fn the_next_frame_is_chosen_when_the_one_before_has_gone() {
    let (producer, parts) = start(0.0);
    let mut parts = Box::pin(stream::unfold(parts, Parts::next));
    put(&producer, 1);
    let first = parts.next().await.unwrap();
    for fill in 2..=4 {
        put(&producer, fill);
        assert!(timeout(Duration::from_secs(9), parts.next()).await.is_err());
    }
    drop(first);
    let [_, picture, _] = parts.next().await.unwrap();
    assert_eq!(picture[30], 4);
    let drops = producer.camera().snapshot().drops;
    assert_eq!((drops.get("behind"), drops.get("paced")), (Some(&2), None));
}

#[tokio::test(start_paused = true)]
async fn a_frame_held_back_goes_when_it_is_due_unless_a_newer_one_came() {
    let (producer, parts) = start(1.0);
    let mut parts = Box::pin(stream::unfold(parts, Parts::next));
    put(&producer, 1);
    drop(parts.next().await.unwrap());
    put(&producer, 2);
    assert!(timeout(Duration::from_millis(400), parts.next()).await.is_err());
    put(&producer, 3);
    let [_, picture, _] = timeout(Duration::from_millis(200), parts.next())
        .await
        .expect("due after half an interval of tolerance")
        .unwrap();
    assert_eq!(picture[30], 3);
    assert_eq!(producer.camera().snapshot().drops["paced"], 1);
    // The last change of a still camera.
    put(&producer, 4);
    assert_eq!(parts.next().await.unwrap()[1][30], 4);
}

/// The next part, and how long it took in seconds; none within a minute is `None`.
async fn within_a_minute<S>(parts: &mut S) -> Option<(Vec<Vec<u8>>, f64)>
where
    S: futures_util::Stream<Item = [Bytes; 3]> + Unpin,
{
    let begun = tokio::time::Instant::now();
    let part = timeout(Duration::from_secs(60), parts.next()).await.ok()?.unwrap();
    Some((part.iter().map(|bytes| bytes.to_vec()).collect(), begun.elapsed().as_secs_f64()))
}

fn about(seconds: f64, expected: f64) -> bool {
    (seconds - expected).abs() < 0.02
}

#[tokio::test(start_paused = true)]
async fn a_picture_that_stays_comes_again_each_4_s_as_it_was_while_the_camera_is_online() {
    let (producer, rest) = camera();
    let camera = producer.camera().clone();
    let parts = Parts::new(&rest, camera.clone(), Quality::Source, 30.0, &SIZED);
    let mut parts = Box::pin(stream::unfold(parts, Parts::next));
    put(&producer, 1);
    let (first, _) = within_a_minute(&mut parts).await.unwrap();
    for _ in 0..3 {
        // The same picture from the publisher is none to be sent; it only says that it is there.
        put(&producer, 1);
        let (again, after) = within_a_minute(&mut parts).await.unwrap();
        assert_eq!(again, first);
        assert!(about(after, 4.0), "{after} s");
    }
    // Another one does not wait.
    tokio::time::sleep(Duration::from_secs(3)).await;
    put(&producer, 2);
    let (second, after) = within_a_minute(&mut parts).await.unwrap();
    assert!(second[1][30] == 2 && about(after, 0.0), "{after} s");
    let (again, after) = within_a_minute(&mut parts).await.unwrap();
    assert!(again == second && about(after, 4.0), "{after} s");

    assert_eq!(rest.mjpeg_sent().frames(), 6);
    let drops = camera.snapshot().drops;
    assert_eq!(drops.values().sum::<u64>(), 3, "{drops:?}");
    assert_eq!(drops["duplicate"], 3);
}

#[tokio::test(start_paused = true)]
async fn no_picture_comes_again_while_its_camera_is_offline_or_has_nothing_newer_to_show() {
    let (producer, rest) = camera();
    let camera = producer.camera().clone();
    let parts = Parts::new(&rest, camera.clone(), Quality::Source, 30.0, &SIZED);
    let registry = rest.view.registry.clone();
    let mut parts = Box::pin(stream::unfold(parts, Parts::next));
    put(&producer, 1);
    let (first, _) = within_a_minute(&mut parts).await.unwrap();
    drop(producer);
    assert_eq!(within_a_minute(&mut parts).await, None);
    // Back, and without a picture so far, as one with video whose first is only just decoded.
    let producer = registry.publish(camera.id(), Publisher::over(Transport::Http)).unwrap();
    assert_eq!(within_a_minute(&mut parts).await, None);
    // With the very picture that it had before.
    put(&producer, 1);
    let (again, after) = within_a_minute(&mut parts).await.unwrap();
    assert!(again == first && after <= 4.02, "{after} s");
    // However short it was away.
    drop(producer);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let _back = registry.publish(camera.id(), Publisher::over(Transport::Http)).unwrap();
    assert_eq!(within_a_minute(&mut parts).await, None);
}

#[tokio::test(start_paused = true)]
async fn no_picture_comes_again_to_a_client_that_has_not_taken_it_yet() {
    let (producer, parts) = start(30.0);
    let mut parts = Box::pin(stream::unfold(parts, Parts::next));
    put(&producer, 1);
    let first = parts.next().await.unwrap();
    assert_eq!(within_a_minute(&mut parts).await, None);
    drop(first);
    let (_, after) = within_a_minute(&mut parts).await.unwrap();
    assert!((4.0..4.1).contains(&after), "4 s after it was taken, not {after} s");
}

#[tokio::test(start_paused = true)]
async fn a_picture_comes_again_no_more_often_than_frames_are_wanted() {
    let (producer, parts) = start(0.1);
    let camera = producer.camera().clone();
    let mut parts = Box::pin(stream::unfold(parts, Parts::next));
    put(&producer, 1);
    let begun = tokio::time::Instant::now();
    let mut times = 0;
    while begun.elapsed() < Duration::from_secs(100) {
        within_a_minute(&mut parts).await.unwrap();
        times += 1;
    }
    assert!((10..=12).contains(&times), "{times} times in 100 s");
    // One that it was held back for takes its place, and nothing was left out.
    assert!(timeout(Duration::from_secs(6), parts.next()).await.is_err());
    put(&producer, 2);
    assert_eq!(within_a_minute(&mut parts).await.unwrap().0[1][30], 2);
    assert_eq!(camera.snapshot().drops.values().sum::<u64>(), 0);
}
