//! What each viewer is due without a frame: pings, figures, its end when it reads nothing; and the end of all.

use std::{collections::BTreeMap, time::Duration};

use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use super::{Command, Subscription, Writer};
use crate::{
    net::{close_code, heartbeat},
    view::stream::{
        GOING, messages,
        viewer::{Format, NOT_READING},
    },
    wire::{
        envelope::{Opcode, websocket_frame},
        stream::{Served, ServerMessage},
    },
};

/// Each viewer is looked after once a second, a slice of them at a time: telling thousands at once
/// would hold up a frame by milliseconds.
pub(super) const TICK: Duration = Duration::from_millis(50);
const SLICES: u64 = 20;
/// Seconds between `stats` messages.
const STATS_PERIOD: u64 = 5;

impl Writer {
    /// Looks after a slice of the viewers, every [`TICK`].
    pub(super) fn tick(&mut self) {
        self.ticks += 1;
        let (second, slice) = (self.ticks / SLICES, self.ticks % SLICES);
        let now = self.now();
        for key in (slice as usize..self.viewers.capacity()).step_by(SLICES as usize) {
            let Some(viewer) = self.viewers.get(key) else { continue };
            if viewer.is_overdue(now) || viewer.is_dead() {
                self.remove(key);
                continue;
            }
            if viewer.is_not_reading(now) {
                tracing::info!(viewer = viewer.id, "viewer read nothing for {NOT_READING:?}");
                self.close(key, close_code::NOT_READING, "the viewer read nothing for 30 s");
                continue;
            }
            // Spread over the period by the viewers' numbers.
            let turn = second + viewer.id + 1;
            if turn.is_multiple_of(heartbeat::PERIOD.as_secs()) {
                self.viewers[key].control(websocket_frame(Opcode::Ping, b""));
                self.flush(key);
            }
            if turn.is_multiple_of(STATS_PERIOD) || self.has_other_quality(key) {
                self.send_stats(key);
            }
        }
    }

    /// Whether a viewer gets a camera in another quality than it was told.
    fn has_other_quality(&self, key: usize) -> bool {
        let viewer = &self.viewers[key];
        if viewer.line().format() == Format::Legacy || !viewer.line().is_free() {
            return false;
        }
        viewer.subscriptions.values().any(|&s| {
            let showing = &self.subscriptions[s].showing;
            showing.watch.served() != showing.told
        })
    }

    fn send_stats(&mut self, key: usize) {
        let viewer = &self.viewers[key];
        // Figures are only good fresh: none are queued for a viewer that is behind.
        if viewer.line().format() == Format::Legacy || !viewer.line().is_free() {
            return;
        }
        for &s in viewer.subscriptions.values() {
            let showing = &mut self.subscriptions[s].showing;
            showing.told = showing.watch.served();
        }
        let subscriptions = viewer.subscriptions.values().map(|&s| &self.subscriptions[s]);
        let served = |s: &Subscription| Served { counts: s.counts, quality: s.showing.told.name() };
        let cameras: BTreeMap<&str, Served> =
            subscriptions.map(|s| (s.camera.id().as_str(), served(s))).collect();
        let message = messages::text(&ServerMessage::Stats { cameras: &cameras });
        self.text(key, message);
    }

    /// Tells every viewer that the server goes, and waits a little until they have read it.
    pub(super) async fn close_all(&mut self, mut commands: mpsc::Receiver<Command>) {
        for key in self.viewers.iter().map(|(key, _)| key).collect::<Vec<_>>() {
            self.close(key, close_code::GOING_AWAY, GOING);
        }
        let mut tick = tokio::time::interval(TICK);
        while !self.viewers.is_empty() {
            tokio::select! {
                Some((key, id)) = self.writable.next() => self.became_writable(key, id),
                Some(command) = commands.recv() => match command {
                    Command::Add(viewer) => self.turn_away(*viewer),
                    Command::Gone(_) => self.obey(command),
                    _ => {}
                },
                _ = tick.tick() => {
                    let now = self.now();
                    for key in self.viewers.iter().map(|(key, _)| key).collect::<Vec<_>>() {
                        let viewer = &self.viewers[key];
                        if viewer.is_dead() || viewer.is_overdue(now) {
                            self.remove(key);
                        }
                    }
                }
            }
        }
    }
}
