//! A bell: one reader of many cameras waits at it, and hears which of them have a newer frame.
//!
//! With a [`super::Consumer`] for each camera the same reader would poll as many futures, each with
//! a wake-up of its own; a writer with a hundred cameras spends more on those than on handing over
//! the frames.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

/// The reader's side. Only one task waits at a bell.
#[derive(Debug, Default)]
pub struct Bell(Arc<Rung>);

#[derive(Debug, Default)]
struct Rung {
    /// Keys of the ropes that were pulled; each at most once until it is answered.
    keys: Mutex<Vec<usize>>,
    reader: AtomicWaker,
}

/// A camera's rope at a bell. The camera stops ringing when this is dropped.
#[derive(Debug)]
pub struct Rope(Arc<Pull>);

/// What a track pulls.
#[derive(Debug)]
pub(super) struct Pull {
    bell: Arc<Rung>,
    key: usize,
    pulled: AtomicBool,
    let_go: AtomicBool,
}

impl Bell {
    /// A rope that names itself `key`; a number that the reader chooses.
    pub(super) fn rope(&self, key: usize) -> (Rope, Arc<Pull>) {
        let pull = Arc::new(Pull {
            bell: self.0.clone(),
            key,
            pulled: AtomicBool::new(false),
            let_go: AtomicBool::new(false),
        });
        (Rope(pull.clone()), pull)
    }

    /// Waits until a rope is pulled, and adds the keys of all that were to `keys`: a key may be of a rope
    /// that was dropped since. Cancel safe.
    pub async fn rung(&self, keys: &mut Vec<usize>) {
        std::future::poll_fn(|cx| {
            self.0.reader.register(cx.waker());
            let mut rung = self.0.keys.lock();
            if rung.is_empty() {
                return Poll::Pending;
            }
            if keys.is_empty() {
                mem::swap(&mut *rung, keys);
            } else {
                keys.append(&mut rung);
            }
            Poll::Ready(())
        })
        .await;
    }
}

impl Rope {
    /// To be called before the newest frame is looked at: one that comes later pulls again.
    pub fn answer(&self) {
        // Acquire: what the one who pulled has published is seen.
        self.0.pulled.swap(false, Ordering::AcqRel);
    }
}

impl Drop for Rope {
    fn drop(&mut self) {
        self.0.let_go.store(true, Ordering::Relaxed);
    }
}

impl Pull {
    /// There is a newer frame. False when the reader has let go, and the rope can be taken away.
    pub(super) fn pull(&self) -> bool {
        if self.let_go.load(Ordering::Relaxed) {
            return false;
        }
        if !self.pulled.swap(true, Ordering::AcqRel) {
            self.bell.keys.lock().push(self.key);
            self.bell.reader.wake();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn heard(bell: &Bell) -> Option<Vec<usize>> {
        let mut keys = Vec::new();
        let rung = bell.rung(&mut keys).now_or_never();
        rung.map(|()| keys)
    }

    #[tokio::test]
    async fn a_rope_rings_once_until_it_is_answered() {
        let bell = Bell::default();
        let ((door, pull_door), (_yard, pull_yard)) = (bell.rope(3), bell.rope(8));
        assert_eq!(heard(&bell), None);
        assert!(pull_door.pull() && pull_door.pull() && pull_yard.pull());
        assert_eq!(heard(&bell), Some(vec![3, 8]));
        pull_door.pull();
        assert_eq!(heard(&bell), None);
        door.answer();
        // One who waits is woken.
        let mut keys = Vec::new();
        tokio::join!(bell.rung(&mut keys), async { assert!(pull_door.pull()) });
        assert_eq!(keys, [3]);
    }

    #[test]
    fn a_dropped_rope_rings_no_more() {
        let bell = Bell::default();
        let (rope, pull) = bell.rope(0);
        drop(rope);
        assert!(!pull.pull());
        assert_eq!(heard(&bell), None);
    }
}
