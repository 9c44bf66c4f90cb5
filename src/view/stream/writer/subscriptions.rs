//! The writer's subscriptions: which viewer watches which quality of which camera.

use std::sync::Arc;

use super::{Showing, Subscription, Watched, Writer};
use crate::{
    relay::{AtCapacity, Camera, CameraId, Pacer, Quality, Watch},
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

    /// The same of one camera. The others are left alone: those that are full would be refused anew, and those
    /// that run would be paced anew.
    pub(super) fn follow(&mut self, key: usize, camera: &CameraId) {
        match (self.viewers[key].wants.of(camera), self.subscription_of(key, camera)) {
            (Some(wish), _) => self.subscribe(key, camera, wish),
            (None, Some(subscription)) => self.unsubscribe(subscription),
            (None, None) => {}
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
        let seat = match self.is_demand(key, &camera).then(|| camera.seat()).transpose() {
            Ok(seat) => seat,
            Err(full) => return self.tell_full(key, camera.id(), full),
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
                told: quality,
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
        self.entitle(key);
        if !self.choose(key) {
            self.retry(key);
        }
    }

    /// Whether a viewer is a reason to connect a camera, and takes a seat of it. Who asks for all cameras
    /// gets what there is of one that is connected on demand: only its name is a reason, or a page with
    /// a list of a hundred would connect a hundred.
    fn is_demand(&self, viewer: usize, camera: &Camera) -> bool {
        !camera.is_on_demand() || self.viewers[viewer].wants.names(camera.id())
    }

    /// One quality of a camera for a viewer.
    fn watch(&self, viewer: usize, camera: &Arc<Camera>, quality: Quality) -> Watch {
        if self.is_demand(viewer, camera) { camera.watch(quality) } else { camera.glance(quality) }
    }

    /// As a camera has come to be connected in another way, to all who watch it.
    pub(super) fn entitle_all(&mut self, id: &CameraId) {
        let Some(known) = self.cameras.get(id) else { return };
        let subscribed = known.feeds.iter().flat_map(|&(_, key)| &self.watched[key].subscriptions);
        for subscription in subscribed.copied().collect::<Vec<_>>() {
            self.entitle(subscription);
        }
    }

    /// Makes a subscription a reason to connect its camera, or none any more.
    fn entitle(&mut self, key: usize) {
        let Subscription { viewer, camera, showing, .. } = &self.subscriptions[key];
        let (viewer, camera, quality) = (*viewer, camera.clone(), showing.watch.quality());
        let is_demand = self.is_demand(viewer, &camera);
        if is_demand == showing.watch.is_demand() {
            return;
        }
        let seat = match is_demand.then(|| camera.seat()).transpose() {
            Ok(seat) => seat,
            Err(full) => return self.tell_full(viewer, camera.id(), full),
        };
        let watch = self.watch(viewer, &camera, quality);
        let showing = &mut self.subscriptions[key].showing;
        (showing.watch, showing._seat) = (watch, seat);
    }

    fn tell_full(&mut self, viewer: usize, camera: &CameraId, full: AtCapacity) {
        let (code, message, camera) = (full.code(), full.to_string(), camera.as_str());
        let told = ServerMessage::Error { code, message: &message, camera: Some(camera) };
        self.text(viewer, messages::text(&told));
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
        // As entitled as before: who found no seat finds none by another size.
        let watch =
            if showing.watch.is_demand() { camera.watch(quality) } else { camera.glance(quality) };
        self.unlist(key);
        let subscription = &mut self.subscriptions[key];
        subscription.showing.watch = watch;
        subscription.again = quality.is_above(older);
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
