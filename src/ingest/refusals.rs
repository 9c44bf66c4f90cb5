//! What was refused of pushes, in the log: many programs that push show no answer of a server.
//!
//! Belongs here: which refusals are told, and how often. Does not: what they say.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use super::push_body::BROKEN_OFF;
use crate::{net::ApiError, telemetry::SeldomEach};

/// Between two lines of one camera.
const PERIOD: Duration = Duration::from_secs(60);

/// Characters of an id that are shown; more are no id.
const MAX_ID: usize = 65;

/// When which camera's refusals were told. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Refusals(Arc<SeldomEach>);

impl Default for Refusals {
    fn default() -> Self {
        Self(Arc::new(SeldomEach::new(PERIOD)))
    }
}

impl Refusals {
    /// Logs why something was refused, at most once a minute and camera.
    pub(super) fn tell(&self, camera: &str, from: Option<SocketAddr>, error: &ApiError) {
        // Ends that are nobody's mistake.
        if matches!(error.code, "draining" | "replaced") || error.message == BROKEN_OFF {
            return;
        }
        let camera: String = camera.chars().take(MAX_ID).collect();
        let Some(unsaid) = self.0.event(&camera) else { return };
        let from = from.map(tracing::field::display);
        let ApiError { code, message } = error;
        tracing::warn!(?camera, from, code, "refused of what was pushed: {message}{unsaid}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_that_are_nobodys_mistake_are_not_told() {
        let refusals = Refusals::default();
        for (code, message) in
            [("draining", "going"), ("replaced", "newer"), ("bad_request", BROKEN_OFF)]
        {
            refusals.tell("door", None, &ApiError::new(code, message));
        }
        assert!(refusals.0.event("door").is_some(), "none was counted");
        refusals.tell("gate", None, &ApiError::new("not_jpeg", "it is none"));
        assert!(refusals.0.event("gate").is_none());
    }
}
