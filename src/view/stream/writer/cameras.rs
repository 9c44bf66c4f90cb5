//! The writer's cameras: kept in step with the registry, and told of to those concerned.

use std::sync::Arc;

use super::{Watched, Writer};
use crate::{
    relay::{Camera, CameraId},
    view::stream::{
        messages,
        viewer::{Text, Viewer},
    },
    wire::stream::ServerMessage,
};

impl Writer {
    /// Compares what is known with the registry, and tells those concerned.
    pub(super) fn sync_cameras(&mut self) {
        let listed = self.registry.list();
        // The registry lists by id.
        let gone = |id: &CameraId| listed.binary_search_by(|camera| camera.id().cmp(id)).is_err();
        let gone: Vec<CameraId> = self.by_id.keys().filter(|id| gone(id)).cloned().collect();
        for id in gone {
            self.forget(&id);
        }
        for camera in &listed {
            let known = self.watched(camera.id());
            // Forgotten and published anew in between: another camera under the same id.
            if known.is_some_and(|known| !Arc::ptr_eq(&known.camera, camera)) {
                self.forget(camera.id());
            }
            let status = messages::status(camera);
            match self.watched_mut(camera.id()) {
                Some(known) if known.status == status => {}
                Some(known) => {
                    known.status = status;
                    self.tell_status(camera.id());
                }
                None => {
                    self.know(camera);
                    self.tell_status(camera.id());
                    self.subscribe_all_to(camera.id());
                }
            }
        }
    }

    fn know(&mut self, camera: &Arc<Camera>) {
        let watched = Watched {
            camera: camera.clone(),
            status: messages::status(camera),
            subscriptions: Vec::new(),
            rope: None,
            seen: 0,
        };
        let key = self.cameras.insert(watched);
        self.by_id.insert(camera.id().clone(), key);
    }

    fn watched(&self, id: &CameraId) -> Option<&Watched> {
        self.by_id.get(id).map(|&key| &self.cameras[key])
    }

    fn watched_mut(&mut self, id: &CameraId) -> Option<&mut Watched> {
        self.by_id.get(id).map(|&key| &mut self.cameras[key])
    }

    fn tell_status(&mut self, id: &CameraId) {
        let Some(watched) = self.watched(id) else { return };
        let message = messages::text(&ServerMessage::Camera(&watched.status));
        self.tell(id, &Text { message, state_of: Some(id.clone()) });
    }

    /// Sends a text to everybody who wants this camera.
    pub(super) fn tell(&mut self, id: &CameraId, text: &Text) {
        let all = self.viewers.iter().filter(|(_, viewer)| viewer.wants.of(id).is_some());
        for key in all.map(|(key, _)| key).collect::<Vec<_>>() {
            self.text(key, text.clone());
        }
    }

    pub(super) fn subscribe_all_to(&mut self, id: &CameraId) {
        let wanted = |(key, viewer): (usize, &Viewer)| Some((key, viewer.wants.of(id)?));
        for (key, fps) in self.viewers.iter().filter_map(wanted).collect::<Vec<_>>() {
            self.subscribe(key, id, fps);
        }
    }

    pub(super) fn forget(&mut self, id: &CameraId) {
        let Some(&key) = self.by_id.get(id) else { return };
        for subscription in self.cameras[key].subscriptions.clone() {
            self.unsubscribe(subscription);
        }
        self.by_id.remove(id);
        self.cameras.remove(key);
        let message = messages::text(&ServerMessage::Gone { camera: id.as_str() });
        self.tell(id, &Text { message, state_of: Some(id.clone()) });
    }
}
