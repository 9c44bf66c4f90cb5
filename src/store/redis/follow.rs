//! The relay's side: which cameras there are, who publishes them, and their frames as they come.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use futures_util::stream::{self, BoxStream, SelectAll, StreamExt};

use super::keys::{Client, Status};
use crate::relay::{Camera, CameraId, Next, Presence, Registry};

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
    frames: SelectAll<BoxStream<'static, (CameraId, Next)>>,
}

struct Followed {
    camera: Arc<Camera>,
    client: Option<Client>,
    seq: u64,
}

impl Follow {
    /// The next frame of any camera. `None` while there are no cameras. Cancel safe.
    pub(super) async fn next_frame(&mut self) -> Option<(CameraId, Next)> {
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

    /// Notes a frame. The client's state if its activity is due; `Err` when the relay has forgotten
    /// the camera.
    pub(super) fn note(&mut self, id: &CameraId, next: &Next) -> Result<Option<Client>, Unknown> {
        let followed = self.cameras.get_mut(id).ok_or(Unknown)?;
        let before = std::mem::replace(&mut followed.seq, next.frame.seq);
        let Some(client) = &mut followed.client else { return Ok(None) };
        // Skipped frames count: the tenth is due even if it was itself skipped.
        if before / ACTIVITY_EVERY == next.frame.seq / ACTIVITY_EVERY
            || client.status == Status::Disconnected
        {
            return Ok(None);
        }
        client.last_seen_ms = next.frame.received_us / 1000;
        Ok(Some(*client))
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

/// The relay has forgotten the camera.
#[derive(Debug)]
pub(super) struct Unknown;

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

fn frames_of(camera: &Camera) -> BoxStream<'static, (CameraId, Next)> {
    let start = (camera.id().clone(), camera.consumer());
    stream::unfold(start, async |(id, mut consumer)| {
        let next = consumer.next().await?;
        Some(((id.clone(), next), (id, consumer)))
    })
    .boxed()
}
