//! The writer's cameras: kept in step with the registry, and told of to those concerned.

use std::sync::Arc;

use super::{Known, Writer};
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
        let gone: Vec<CameraId> = self.cameras.keys().filter(|id| gone(id)).cloned().collect();
        for id in gone {
            self.forget(&id);
        }
        for camera in &listed {
            let known = self.cameras.get(camera.id());
            // Forgotten and published anew in between: another camera under the same id.
            if known.is_some_and(|known| !Arc::ptr_eq(&known.camera, camera)) {
                self.forget(camera.id());
            }
            let (status, on_demand) = (messages::status(camera), camera.is_on_demand());
            if let Some(known) = self.cameras.get_mut(camera.id())
                && known.on_demand != on_demand
            {
                known.on_demand = on_demand;
                self.entitle_all(camera.id());
            }
            match self.cameras.get_mut(camera.id()) {
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
        let (status, on_demand) = (messages::status(camera), camera.is_on_demand());
        let known = Known { camera: camera.clone(), status, on_demand, feeds: Vec::new() };
        self.cameras.insert(camera.id().clone(), known);
    }

    fn tell_status(&mut self, id: &CameraId) {
        let Some(known) = self.cameras.get(id) else { return };
        let message = messages::text(&ServerMessage::Camera(&known.status));
        self.tell(id, &Text { message, state_of: Some(id.clone()) });
    }

    /// Sends a text to everybody concerned with this camera.
    pub(super) fn tell(&mut self, id: &CameraId, text: &Text) {
        let all = self.viewers.iter().filter(|(_, viewer)| viewer.wants.hears_of(id));
        for key in all.map(|(key, _)| key).collect::<Vec<_>>() {
            self.text(key, text.clone());
        }
    }

    pub(super) fn subscribe_all_to(&mut self, id: &CameraId) {
        let wanted = |(key, viewer): (usize, &Viewer)| Some((key, viewer.wants.of(id)?));
        for (key, wish) in self.viewers.iter().filter_map(wanted).collect::<Vec<_>>() {
            self.subscribe(key, id, wish);
        }
    }

    pub(super) fn forget(&mut self, id: &CameraId) {
        let Some(known) = self.cameras.get(id) else { return };
        let subscribed = known.feeds.iter().flat_map(|&(_, key)| &self.watched[key].subscriptions);
        for subscription in subscribed.copied().collect::<Vec<_>>() {
            self.unsubscribe(subscription);
        }
        self.cameras.remove(id);
        let message = messages::text(&ServerMessage::Gone { camera: id.as_str() });
        self.tell(id, &Text { message, state_of: Some(id.clone()) });
    }
}
