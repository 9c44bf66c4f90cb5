//! For how long a camera is wanted: by those who watch, or by who started it.
//!
//! Belongs here: waiting for that to begin and to end. Does not: connecting.

use std::time::Duration;

use tokio::sync::watch;

use crate::relay::{Camera, Demand, Source, Wish};

/// How long a camera stays connected after its last viewer: one who turns a page or comes back finds it.
const LINGER: Duration = Duration::from_secs(15);

/// Whether anybody wants pictures or video.
pub(super) struct Wanted {
    always: bool,
    pictures: Demand,
    video: Demand,
}

impl Wanted {
    pub(super) fn new(camera: &Camera, always: bool) -> Self {
        Self { always, pictures: camera.demand(), video: camera.video_demand() }
    }

    pub(super) fn now(&self) -> bool {
        self.always || self.pictures.is_wanted() || self.video.is_wanted()
    }

    pub(super) async fn begins(&mut self) {
        tokio::select! {
            () = self.pictures.wanted() => {}
            () = self.video.wanted() => {}
        }
    }

    /// Waits until nobody has for [`LINGER`].
    pub(super) async fn ends(&mut self) {
        if self.always {
            std::future::pending::<()>().await;
        }
        loop {
            tokio::join!(self.pictures.unwanted_for(LINGER), self.video.unwanted_for(LINGER));
            // One may be wanted again while the other was waited for.
            if !self.now() {
                return;
            }
        }
    }
}

/// Waits until `source` is not to be connected to any more.
pub(super) async fn unwanted(
    source: &Source,
    configured: &Source,
    wish: &mut watch::Receiver<Wish>,
    wanted: &mut Wanted,
) {
    loop {
        let now = wish.borrow_and_update().clone();
        match now {
            Wish::Started(overrides) if overrides.apply(configured.clone()) == *source => {
                if wish.changed().await.is_err() {
                    return;
                }
            }
            Wish::Configured if configured == source => tokio::select! {
                () = wanted.ends() => return,
                _ = wish.changed() => {}
            },
            _ => return,
        }
    }
}
