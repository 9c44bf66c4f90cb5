//! What was refused of pushes, in the log: many programs that push show no answer of a server.
//!
//! Belongs here: which refusals are told, and how often. Does not: what they say.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;

use super::push_body::BROKEN_OFF;
use crate::{
    net::ApiError,
    telemetry::{Seldom, Unsaid},
};

/// Between two lines of one camera.
const PERIOD: Duration = Duration::from_secs(60);

/// Ids that are remembered, as anybody can make up more; those beyond it share their lines.
const MAX_CAMERAS: usize = 100;

/// Characters of an id that are shown; more are no id.
const MAX_ID: usize = 65;

/// When which camera's refusals were told. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusals(Arc<Mutex<HashMap<String, Seldom>>>);

impl Refusals {
    /// Logs why something was refused, at most once a minute and camera.
    pub(super) fn tell(&self, camera: &str, from: Option<SocketAddr>, error: &ApiError) {
        // Ends that are nobody's mistake.
        if matches!(error.code, "draining" | "replaced") || error.message == BROKEN_OFF {
            return;
        }
        let camera: String = camera.chars().take(MAX_ID).collect();
        let Some(unsaid) = self.event(&camera) else { return };
        let from = from.map(tracing::field::display);
        let ApiError { code, message } = error;
        tracing::warn!(?camera, from, code, "refused of what was pushed: {message}{unsaid}");
    }
}

impl Refusals {
    /// `Some` when a line is due.
    fn event(&self, camera: &str) -> Option<Unsaid> {
        let mut cameras = self.0.lock();
        if !cameras.contains_key(camera) && cameras.len() >= MAX_CAMERAS {
            cameras.retain(|id, seldom| id.is_empty() || !seldom.is_over());
        }
        // No camera has this id.
        let id =
            if cameras.contains_key(camera) || cameras.len() < MAX_CAMERAS { camera } else { "" };
        cameras.entry(id.to_owned()).or_insert_with(|| Seldom::new(1, PERIOD)).event()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ids_that_are_made_up_fill_neither_the_memory_nor_the_log() {
        let refusals = Refusals::default();
        let error = ApiError::new("not_jpeg", "it is none");
        refusals.tell(&"x".repeat(1000), None, &error);
        assert!(refusals.0.lock().keys().all(|id| id.len() <= MAX_ID));
        for _ in 0..2 {
            let ids = (0..10 * MAX_CAMERAS).map(|n| format!("made-up-{n}"));
            let lines = ids.filter(|id| refusals.event(id).is_some()).count();
            assert!((MAX_CAMERAS - 1..=MAX_CAMERAS + 1).contains(&lines), "{lines}");
            assert!(refusals.0.lock().len() <= MAX_CAMERAS + 1);
            tokio::time::advance(2 * PERIOD).await;
        }
    }

    #[test]
    fn ends_that_are_nobodys_mistake_are_not_told() {
        let refusals = Refusals::default();
        for (code, message) in
            [("draining", "going"), ("replaced", "newer"), ("bad_request", BROKEN_OFF)]
        {
            refusals.tell("door", None, &ApiError::new(code, message));
        }
        assert!(refusals.0.lock().is_empty());
    }
}
