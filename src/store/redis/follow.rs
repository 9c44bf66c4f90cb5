//! The relay's side: which cameras there are, who publishes them, and their frames as they come.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use futures_util::stream::{self, BoxStream, SelectAll, StreamExt};

use super::keys::{Client, Status};
use crate::relay::{Camera, CameraId, Latest, Presence, Registry};

/// A client's activity is written on every frame whose number is a multiple of this.
const ACTIVITY_EVERY: u64 = 10;

/// What there is to write.
#[derive(Debug)]
pub(super) enum News {
    /// A client came, went or was active.
    Client(CameraId, Client),
    /// The relay has forgotten the camera.
    Forgotten(CameraId),
}

#[derive(Default)]
pub(super) struct Follow {
    cameras: HashMap<CameraId, Followed>,
    frames: SelectAll<BoxStream<'static, (CameraId, Arc<Latest>)>>,
}

struct Followed {
    camera: Arc<Camera>,
    client: Option<Client>,
    seq: u64,
}

impl Follow {
    /// The next frame of any camera. `None` while there are no cameras. Cancel safe.
    pub(super) async fn next_frame(&mut self) -> Option<(CameraId, Arc<Latest>)> {
        self.frames.next().await
    }

    /// Compares what is known with what the relay has.
    pub(super) fn sync(&mut self, registry: &Registry) -> Vec<News> {
        let mut news = Vec::new();
        let list = registry.list();
        self.cameras.retain(|id, followed| {
            let kept = list.binary_search_by(|camera| camera.id().cmp(id)).is_ok();
            if !kept {
                news.push(News::Forgotten(followed.camera.id().clone()));
            }
            kept
        });
        for camera in list {
            let id = camera.id().clone();
            let followed = match self.cameras.entry(id.clone()) {
                // The same id may be another camera: forgotten and published again in between.
                Entry::Occupied(entry) if Arc::ptr_eq(&entry.get().camera, &camera) => {
                    entry.into_mut()
                }
                entry => {
                    self.frames.push(frames_of(&camera));
                    entry.insert_entry(Followed { camera, client: None, seq: 0 }).into_mut()
                }
            };
            if followed.refresh() {
                news.extend(followed.client.map(|client| News::Client(id, client)));
            }
        }
        news
    }

    /// Notes a frame. `None` when the relay has forgotten the camera.
    pub(super) fn note(&mut self, id: &CameraId, frame: &Latest) -> Option<Noted> {
        let followed = self.cameras.get_mut(id)?;
        let before = std::mem::replace(&mut followed.seq, frame.seq);
        // Not the consumer's own count: that knows nothing of frames before its first.
        let skipped = frame.seq.saturating_sub(before + 1);
        // The tenth is due even if it was itself skipped.
        let is_due = before / ACTIVITY_EVERY != frame.seq / ACTIVITY_EVERY;
        let connected = |client: &&mut Client| client.status == Status::Connected;
        let active = followed.client.as_mut().filter(connected).filter(|_| is_due).map(|client| {
            client.last_seen_ms = frame.received_us / 1000;
            *client
        });
        Some(Noted { skipped, active })
    }

    /// The clients that are connected here.
    pub(super) fn connected(&self) -> impl Iterator<Item = (&CameraId, Client)> {
        self.cameras.iter().filter_map(|(id, followed)| {
            let client = followed.client?;
            (client.status == Status::Connected).then_some((id, client))
        })
    }

    /// Says of all connected clients that they were seen at `now_ms`.
    pub(super) fn keep_alive(&mut self, now_ms: u64) -> Vec<News> {
        let mut news = Vec::new();
        for (id, followed) in &mut self.cameras {
            if let Some(client) = &mut followed.client
                && client.status == Status::Connected
            {
                client.last_seen_ms = client.last_seen_ms.max(now_ms);
                news.push(News::Client(id.clone(), *client));
            }
        }
        news
    }
}

/// What comes with a frame.
#[derive(Debug)]
pub(super) struct Noted {
    /// Frames of the camera before it that did not come.
    pub skipped: u64,
    /// The client's state, if its activity is to be written.
    pub active: Option<Client>,
}

impl Followed {
    /// Takes the presence over. True when there is something new to write.
    fn refresh(&mut self) -> bool {
        let new = match (self.camera.presence(), self.client) {
            (Presence::Online { since_us, .. }, known) => {
                let connected_at_ms = since_us / 1000;
                let same = |client: Client| {
                    client.status == Status::Connected && client.connected_at_ms == connected_at_ms
                };
                if known.is_some_and(same) {
                    return false;
                }
                let status = Status::Connected;
                Client { connected_at_ms, last_seen_ms: connected_at_ms, status }
            }
            (Presence::Offline { since_us, .. }, Some(known)) => {
                if known.status == Status::Disconnected {
                    return false;
                }
                let last_seen_ms = known.last_seen_ms.max(since_us / 1000);
                Client { last_seen_ms, status: Status::Disconnected, ..known }
            }
            (Presence::Offline { .. }, None) => return false,
        };
        self.client = Some(new);
        true
    }
}

fn frames_of(camera: &Camera) -> BoxStream<'static, (CameraId, Arc<Latest>)> {
    let start = (camera.id().clone(), camera.consumer());
    stream::unfold(start, async |(id, mut consumer)| {
        let next = consumer.next().await?;
        Some(((id.clone(), next.frame), (id, consumer)))
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        relay::{Clock, Limits, Producer, Publisher, Stamp, Transport},
        wire::jpeg,
    };

    fn publish(registry: &Arc<Registry>) -> Producer {
        let id = CameraId::parse("a").expect("a good id");
        registry.publish(&id, Publisher::over(Transport::Synthetic)).expect("free")
    }

    fn frame(producer: &Producer, n: u8) -> Arc<Latest> {
        let jpeg = jpeg::skeleton(8, 8, 64, n);
        producer.publish_jpeg(&jpeg, Stamp::default()).expect("a good frame");
        producer.camera().latest().expect("just published")
    }

    fn statuses(news: &[News]) -> Vec<(u64, Status)> {
        let status = |news: &News| match news {
            News::Client(_, client) => Some((client.connected_at_ms, client.status)),
            News::Forgotten(_) => None,
        };
        news.iter().filter_map(status).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn coming_going_and_taking_over_are_told_once() {
        let registry = Registry::new(Limits::default(), Clock::starting_at(5_000_000));
        let mut follow = Follow::default();
        let first = publish(&registry);
        assert_eq!(statuses(&follow.sync(&registry)), [(5000, Status::Connected)]);
        assert!(follow.sync(&registry).is_empty());
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        let second = publish(&registry);
        assert_eq!(statuses(&follow.sync(&registry)), [(6000, Status::Connected)]);
        drop(first);
        assert!(follow.sync(&registry).is_empty());
        drop(second);
        assert_eq!(statuses(&follow.sync(&registry)), [(6000, Status::Disconnected)]);
        assert!(follow.sync(&registry).is_empty());
        assert_eq!(follow.connected().count(), 0);
        assert!(follow.keep_alive(7000).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_forgotten_camera_is_told_and_its_frames_are_unknown() {
        let limits = Limits { forget_after: std::time::Duration::ZERO, ..Limits::default() };
        let registry = Registry::new(limits, Clock::system());
        let mut follow = Follow::default();
        let producer = publish(&registry);
        let last = frame(&producer, 1);
        let id = producer.camera().id().clone();
        follow.sync(&registry);
        drop(producer);
        registry.sweep();
        let news = follow.sync(&registry);
        assert!(matches!(&news[..], [News::Forgotten(gone)] if *gone == id), "{news:?}");
        assert!(follow.note(&id, &last).is_none());
        assert!(follow.next_frame().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn activity_is_due_on_every_10th_frame_even_if_that_was_skipped() {
        let registry = Registry::new(Limits::default(), Clock::system());
        let mut follow = Follow::default();
        let producer = publish(&registry);
        let id = producer.camera().id().clone();
        follow.sync(&registry);
        let mut due = Vec::new();
        let mut skipped = 0;
        for n in 1..=45 {
            let frame = frame(&producer, n);
            if frame.seq == 20 || frame.seq.is_multiple_of(7) {
                continue;
            }
            let noted = follow.note(&id, &frame).expect("known");
            skipped += noted.skipped;
            due.extend(noted.active.map(|_| frame.seq));
        }
        assert_eq!(due, [10, 22, 30, 40]);
        assert_eq!(skipped, 7);
    }
}
