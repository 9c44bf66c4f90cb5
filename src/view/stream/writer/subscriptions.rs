//! The writer's subscriptions: which viewer watches which quality of which camera.

use std::sync::Arc;

use super::{Showing, Subscription, Watched, Writer};
use crate::{
    relay::{Camera, CameraId, Pacer, Quality, Watch},
    view::stream::{flow::Flow, messages, viewer::Wish},
    wire::stream::{Counts, ServerMessage},
};

impl Writer {
    /// Brings a viewer's subscriptions in step with what it wants.
    pub(super) fn subscribe_wanted(&mut self, key: usize) {
        let viewer = &self.viewers[key];
        let gone: Vec<usize> = viewer
            .subscriptions
            .iter()
            .filter(|(camera, _)| viewer.wants.of(camera).is_none())
            .map(|(_, &subscription)| subscription)
            .collect();
        for subscription in gone {
            self.unsubscribe(subscription);
        }
        let wants = &self.viewers[key].wants;
        let wanted: Vec<(CameraId, Wish)> = if wants.all.is_some() {
            self.cameras.keys().filter_map(|id| Some((id.clone(), wants.of(id)?))).collect()
        } else {
            wants.cameras.iter().filter_map(|(id, &wish)| Some((id.clone(), wish?))).collect()
        };
        for (camera, wish) in wanted {
            self.subscribe(key, &camera, wish);
        }
    }

    pub(super) fn subscribe(&mut self, key: usize, camera: &CameraId, wish: Wish) {
        if let Some(subscription) = self.subscription_of(key, camera) {
            return self.resubscribe(subscription, wish);
        }
        // One that is not known yet is watched as soon as it appears. The registry is not asked here:
        // its change is on the way, and tells and subscribes everybody alike.
        let Some(known) = self.cameras.get(camera) else { return };
        let camera = known.camera.clone();
        let seat = match camera.seat() {
            Ok(seat) => seat,
            Err(error) => {
                let (code, message, camera) =
                    (error.code(), error.to_string(), camera.id().as_str());
                let told = ServerMessage::Error { code, message: &message, camera: Some(camera) };
                return self.text(key, messages::text(&told));
            }
        };
        let auto = wish.size.auto(self.now());
        let quality = wish.size.quality(auto.as_ref(), camera.latest().map(|latest| latest.width));
        self.next_subscription += 1;
        let subscription = self.subscriptions.insert(Subscription {
            viewer: key,
            line: self.viewers[key].line().clone(),
            pacer: Pacer::new(wish.fps),
            flow: Flow::default(),
            sent_seq: 0,
            again: false,
            pending: None,
            timer: false,
            id: self.next_subscription,
            counts: Counts::default(),
            showing: Box::new(Showing {
                size: wish.size,
                watch: self.watch(key, &camera, quality),
                auto,
                _seat: seat,
            }),
            camera: camera.clone(),
        });
        self.viewers[key].subscriptions.insert(camera.id().clone(), subscription);
        self.list(subscription);
    }

    /// Changes how a viewer gets a camera that it watches.
    fn resubscribe(&mut self, key: usize, wish: Wish) {
        self.next_subscription += 1;
        let now = self.now();
        let known = &mut self.subscriptions[key];
        known.pacer = Pacer::new(wish.fps);
        // A timer of the older rate may be an hour away.
        (known.timer, known.id) = (false, self.next_subscription);
        // What was learnt of the link holds for the same size.
        if known.showing.size != wish.size {
            known.showing.auto = wish.size.auto(now);
        }
        known.showing.size = wish.size;
        let (viewer, camera) = (known.viewer, known.camera.clone());
        let (quality, was_demand) =
            (known.showing.watch.quality(), known.showing.watch.is_demand());
        if !was_demand {
            let watch = self.watch(viewer, &camera, quality);
            self.subscriptions[key].showing.watch = watch;
        }
        if !self.choose(key) {
            self.retry(key);
        }
    }

    /// One quality of a camera for a viewer. Who asks for all cameras gets what there is of one that the
    /// server connects to: only its name is a reason to connect it, or a page with a list of a
    /// hundred would connect a hundred.
    fn watch(&self, viewer: usize, camera: &Arc<Camera>, quality: Quality) -> Watch {
        let is_asked_for = self.viewers[viewer].wants.names(camera.id());
        if is_asked_for || camera.link().status().is_none() {
            camera.watch(quality)
        } else {
            camera.glance(quality)
        }
    }

    /// A viewer has shown a frame.
    pub(super) fn acked(&mut self, key: usize, seq: u64) {
        let now = self.now();
        let Subscription { flow, camera, sent_seq, counts, showing, .. } =
            &mut self.subscriptions[key];
        if seq > *sent_seq {
            return;
        }
        flow.acked(seq, now, || camera.received_at(seq));
        let is_new = match (&mut showing.auto, flow.delay()) {
            (Some(auto), Some(delay)) => {
                let depth = showing.size.depth(camera.latest().map(|latest| latest.width));
                auto.acked(now, delay, *counts, depth)
            }
            _ => false,
        };
        if !is_new || !self.choose(key) {
            self.retry(key);
        }
    }

    /// Gives a subscription the quality that it should have now. True when that is another.
    fn choose(&mut self, key: usize) -> bool {
        let Subscription { camera, showing, .. } = &self.subscriptions[key];
        let width = camera.latest().map(|latest| latest.width);
        let quality = showing.size.quality(showing.auto.as_ref(), width);
        if quality == showing.watch.quality() {
            return false;
        }
        let older = showing.watch.quality();
        let watch = self.watch(self.subscriptions[key].viewer, camera, quality);
        self.unlist(key);
        let subscription = &mut self.subscriptions[key];
        subscription.showing.watch = watch;
        subscription.again = quality.is_above(older);
        self.viewers[subscription.viewer].has_other_quality = true;
        self.list(key);
        true
    }

    /// Puts a subscription on the list of what it watches, and offers it the newest frame.
    fn list(&mut self, key: usize) {
        let subscription = &self.subscriptions[key];
        let watch = &subscription.showing.watch;
        let (quality, feed) = (watch.quality(), watch.feed().clone());
        let Some(known) = self.cameras.get_mut(subscription.camera.id()) else { return };
        let listed = known.feeds.iter().find(|(listed, _)| *listed == quality);
        if let Some(&(_, watched)) = listed {
            self.watched[watched].subscriptions.push(key);
        } else {
            let entry = self.watched.vacant_entry();
            known.feeds.push((quality, entry.key()));
            let rope = feed.hang(&self.bell, entry.key());
            // Looked at with the rope in place, so that no frame falls between the two.
            let seen = feed.newest().map_or(0, |(_, count)| count);
            let camera = known.camera.clone();
            entry.insert(Watched {
                camera,
                feed: feed.clone(),
                subscriptions: vec![key],
                rope,
                seen,
            });
        }
        if let Some(latest) = feed.latest() {
            self.offer(key, &latest, self.now());
        }
    }

    /// Takes a subscription off the list of what it watches.
    fn unlist(&mut self, key: usize) {
        let subscription = &self.subscriptions[key];
        let quality = subscription.showing.watch.quality();
        let Some(known) = self.cameras.get_mut(subscription.camera.id()) else { return };
        let Some(at) = known.feeds.iter().position(|(listed, _)| *listed == quality) else {
            return;
        };
        let watched = known.feeds[at].1;
        let subscriptions = &mut self.watched[watched].subscriptions;
        subscriptions.retain(|&other| other != key);
        if subscriptions.is_empty() {
            self.watched.remove(watched);
            known.feeds.swap_remove(at);
        }
    }

    pub(super) fn unsubscribe(&mut self, key: usize) {
        self.unlist(key);
        let subscription = self.subscriptions.remove(key);
        if let Some(viewer) = self.viewers.get_mut(subscription.viewer) {
            viewer.subscriptions.swap_remove(subscription.camera.id());
        }
    }

    pub(super) fn subscription_of(&self, key: usize, camera: &CameraId) -> Option<usize> {
        self.viewers[key].subscriptions.get(camera).copied()
    }
}
