//! A publisher's time with a camera: from its first picture until a newer publisher takes over.

use std::{
    future::poll_fn,
    sync::atomic::{AtomicBool, Ordering},
    task::Poll,
};

use futures_util::task::AtomicWaker;

/// Shared by the camera and its producer. A `watch` would do, but would be registered with and left again
/// for every frame of a publisher.
#[derive(Debug, Default)]
pub(super) struct Tenure {
    over: AtomicBool,
    waiting: AtomicWaker,
}

impl Tenure {
    /// A newer publisher has come.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.waiting.wake();
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Resolves at the end. Only the task that called last is told. Cancel safe.
    pub(super) async fn ended(&self) {
        poll_fn(|cx| {
            self.waiting.register(cx.waker());
            // After it is registered, or an end between the two would be missed.
            if self.is_over() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
