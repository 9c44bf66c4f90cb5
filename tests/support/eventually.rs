//! Waiting for something that no message tells of.

use std::time::Duration;

/// Waits until it is so, and fails the test when it is not in time. The machine may be busy.
#[allow(dead_code, reason = "each test file uses its own part of this helper")]
pub async fn eventually(what: &str, condition: impl FnMut() -> bool) {
    within(Duration::from_secs(10), what, condition).await;
}

/// As [`eventually`], where the time itself is part of what is tested.
pub async fn within(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let done = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(limit, done).await.unwrap_or_else(|_| panic!("{what}"));
}
