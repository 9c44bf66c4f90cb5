//! What was refused of pushes, in the log: many programs that push show no answer of a server.
//!
//! Belongs here: which refusals are told, and how often. Does not: what they say.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;

use super::push_body::BROKEN_OFF;
use crate::{net::ApiError, telemetry::Seldom};

/// Between two lines of one camera.
const PERIOD: Duration = Duration::from_secs(60);

/// Ids that are remembered, as anybody can make up more; beyond it all are forgotten, and told anew.
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
        let mut cameras = self.0.lock();
        if cameras.len() >= MAX_CAMERAS && !cameras.contains_key(&camera) {
            cameras.clear();
        }
        let seldom = cameras.entry(camera.clone()).or_insert_with(|| Seldom::new(1, PERIOD));
        let Some(unsaid) = seldom.event() else { return };
        let from = from.map(tracing::field::display);
        let ApiError { code, message } = error;
        tracing::warn!(?camera, from, code, "refused of what was pushed: {message}{unsaid}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_are_made_up_do_not_fill_the_memory() {
        let refusals = Refusals::default();
        for n in 0..10 * MAX_CAMERAS {
            let error = ApiError::new("not_jpeg", "it is none");
            refusals.tell(&format!("{n}{}", "x".repeat(1000)), None, &error);
        }
        let cameras = refusals.0.lock();
        assert!(cameras.len() <= MAX_CAMERAS);
        assert!(cameras.keys().all(|id| id.len() <= MAX_ID));
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
