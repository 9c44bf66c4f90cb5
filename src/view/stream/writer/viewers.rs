//! The writer's viewers: who comes and goes, what each asks for, and what it is told.

use std::sync::atomic::Ordering::Relaxed;

use super::{Command, MAX_WANTED, Writer};
use crate::{
    net::close_code,
    relay::CameraId,
    view::stream::{
        GOING, messages,
        viewer::{Format, Sent, Text, Viewer, Wants},
    },
    wire::stream::{CameraStatus, PROTOCOL, ServerMessage},
};

impl Writer {
    pub(super) fn obey(&mut self, command: Command) {
        match command {
            Command::Add(viewer) => self.add(*viewer),
            Command::Gone(id) => {
                if let Some(&key) = self.keys.get(&id) {
                    self.remove(key);
                }
            }
            Command::Subscribe(id, camera, wish) => self.with(id, |writer, key| {
                let wants = &mut writer.viewers[key].wants;
                let Some(camera) = camera else {
                    wants.all = Some(wish);
                    return writer.subscribe_wanted(key);
                };
                if wants.cameras.len() >= MAX_WANTED && !wants.cameras.contains_key(&camera) {
                    return writer.refuse_more(key);
                }
                wants.cameras.insert(camera.clone(), Some(wish));
                writer.tell_if_unknown(key, &camera);
                writer.follow(key, &camera);
            }),
            Command::Unsubscribe(id, camera) => self.with(id, |writer, key| {
                let wants = &mut writer.viewers[key].wants;
                let Some(camera) = camera else {
                    *wants = Wants::default();
                    return writer.subscribe_wanted(key);
                };
                // Remembered only where it takes one camera out of all.
                if wants.all.is_some() && wants.cameras.len() < MAX_WANTED {
                    wants.cameras.insert(camera.clone(), None);
                } else {
                    wants.cameras.remove(&camera);
                }
                writer.follow(key, &camera);
            }),
            Command::Ack(id, camera, seq) => self.with(id, |writer, key| {
                if let Some(subscription) = writer.subscription_of(key, &camera) {
                    writer.acked(subscription, seq);
                }
            }),
            Command::Text(id, message) => self.with(id, |writer, key| writer.text(key, message)),
            Command::Control(id, frame) => self.with(id, |writer, key| {
                writer.viewers[key].control(frame);
                writer.flush(key);
            }),
            Command::Close(id, code, reason) => {
                self.with(id, |writer, key| writer.close(key, code, reason));
            }
        }
    }

    pub(super) fn with(&mut self, id: u64, act: impl FnOnce(&mut Self, usize)) {
        // A viewer may be gone while its reader's last commands are on their way.
        if let Some(&key) = self.keys.get(&id) {
            act(self, key);
        }
    }

    pub(super) fn add(&mut self, viewer: Viewer) {
        let id = viewer.id;
        let key = self.viewers.insert(viewer);
        self.keys.insert(id, key);
        let viewer = &self.viewers[key];
        if viewer.line().format() != Format::Legacy {
            let known = self.registry.list();
            let known = known.iter().filter(|camera| viewer.wants.of(camera.id()).is_some());
            let hello = ServerMessage::Hello {
                version: env!("CARGO_PKG_VERSION"),
                protocol: PROTOCOL,
                server_us: self.registry.clock().unix_us(),
                max_fps: self.max_fps,
                cameras: &known.map(|camera| messages::status(camera)).collect::<Vec<_>>(),
            };
            let hello = messages::text(&hello);
            self.text(key, hello);
        }
        for camera in self.viewers[key].wants.cameras.keys().cloned().collect::<Vec<_>>() {
            self.tell_if_unknown(key, &camera);
        }
        self.subscribe_wanted(key);
    }

    /// Tells a viewer that came while the server goes.
    pub(super) fn turn_away(&mut self, viewer: Viewer) {
        let id = viewer.id;
        let key = self.viewers.insert(viewer);
        self.keys.insert(id, key);
        self.close(key, close_code::GOING_AWAY, GOING);
    }

    pub(super) fn tell_if_unknown(&mut self, key: usize, camera: &CameraId) {
        if self.registry.get(camera.as_str()).is_none() {
            let status = CameraStatus {
                camera: camera.to_string(),
                name: camera.to_string(),
                online: false,
                since_us: 0,
                reason: Some("nobody has published this camera yet".to_owned()),
                transport: None,
            };
            self.text(key, messages::text(&ServerMessage::Camera(&status)));
        }
    }

    pub(super) fn refuse_more(&mut self, key: usize) {
        let message = format!("a viewer may name {MAX_WANTED} cameras; subscribe to \"*\" instead");
        let error = ServerMessage::Error { code: "bad_request", message: &message, camera: None };
        self.text(key, messages::text(&error));
    }

    pub(super) fn text(&mut self, key: usize, text: impl Into<Text>) {
        let viewer = &mut self.viewers[key];
        if viewer.line().format() == Format::Legacy {
            return;
        }
        if !viewer.text(text.into()) {
            return self.close(key, close_code::NOT_READING, "the viewer reads nothing");
        }
        self.flush(key);
    }

    /// Writes what waits for a viewer but frames. True when a frame could follow.
    pub(super) fn flush(&mut self, key: usize) -> bool {
        let now = self.now();
        let viewer = &mut self.viewers[key];
        if viewer.is_blocked() || viewer.is_dead() {
            return false;
        }
        match viewer.flush(now) {
            Sent::Whole => return viewer.line().is_free(),
            Sent::Partly | Sent::Nothing => self.await_writable(key),
            Sent::Dead => viewer.die(),
        }
        false
    }

    pub(super) fn close(&mut self, key: usize, code: u16, reason: &str) {
        let now = self.now();
        self.viewers[key].close(messages::close(code, reason), now);
        self.flush(key);
    }

    pub(super) fn remove(&mut self, key: usize) {
        let mut viewer = self.viewers.remove(key);
        viewer.die();
        self.keys.remove(&viewer.id);
        for subscription in viewer.subscriptions.into_values() {
            self.unsubscribe(subscription);
        }
        self.figures.viewers.fetch_sub(1, Relaxed);
    }
}
