//! Follows the catalog: each configured camera that has an address is pulled as its entry says.
//!
//! Belongs here: entries turned into plain settings of those who connect and decode. Does not: either.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    ingest::pull::{Pull, Settings, answer_trials},
    media::{Decoders, Pictures},
    net::{Lifetime, guard::Guard},
    relay::{Camera, CameraId, Protocol, Registry},
    store::catalog::{Catalog, Entry},
};

/// A camera that is pulled.
struct Running {
    settings: Settings,
    camera: Arc<Camera>,
    pull: Pull,
    /// None for what brings pictures itself.
    pictures: Option<(f64, Pictures)>,
}

/// Follows the catalog until shutdown, and answers trials of sources.
pub(super) fn start(
    registry: &Arc<Registry>,
    catalog: &Catalog,
    guard: &Guard,
    decoders: Decoders,
    lifetime: &Lifetime,
) {
    let (registry, guard) = (registry.clone(), guard.clone());
    lifetime.tasks.spawn(answer_trials(registry.clone(), guard.clone(), lifetime.clone()));
    let mut follower = Follower {
        registry,
        decoders,
        catalog: catalog.clone(),
        guard,
        lifetime: lifetime.clone(),
        running: BTreeMap::new(),
    };
    let shutdown = lifetime.shutdown.clone();
    lifetime.tasks.spawn(async move {
        let mut changes = follower.catalog.watch();
        loop {
            let entries = changes.borrow_and_update().clone();
            follower.follow(&entries).await;
            match shutdown.run_until_cancelled(changes.changed()).await {
                Some(Ok(())) => {}
                Some(Err(_)) | None => return,
            }
        }
    });
}

struct Follower {
    registry: Arc<Registry>,
    decoders: Decoders,
    catalog: Catalog,
    guard: Guard,
    lifetime: Lifetime,
    running: BTreeMap<CameraId, Running>,
}

impl Follower {
    async fn follow(&mut self, entries: &BTreeMap<CameraId, Arc<Entry>>) {
        let gone: BTreeSet<_> =
            self.running.keys().filter(|id| !entries.contains_key(*id)).cloned().collect();
        for id in gone {
            self.end(&id).await;
            // Now that it is offline it is forgotten, unless it was configured anew meanwhile.
            self.catalog.release(id).await;
        }
        for (id, entry) in entries {
            let Some(camera) = self.registry.get(id.as_str()) else { continue };
            let settings = self.settings(entry);
            let as_before = |running: &Running| {
                Some(&running.settings) == settings.as_ref()
                    && Arc::ptr_eq(&running.camera, &camera)
            };
            if let Some(running) = self.running.get_mut(id).filter(|running| as_before(running)) {
                let fps = entry.settings.jpeg_fps;
                if running.pictures.as_ref().is_some_and(|(before, _)| *before != fps) {
                    running.pictures = Some((fps, self.decoders.start(&camera, fps)));
                }
                continue;
            }
            self.end(id).await;
            if let Some(settings) = settings {
                let (guard, lifetime) = (self.guard.clone(), &self.lifetime);
                let pull = Pull::start(&self.registry, &camera, settings.clone(), guard, lifetime);
                let makes = settings.source.protocol != Protocol::Mjpeg;
                let fps = entry.settings.jpeg_fps;
                let pictures = makes.then(|| (fps, self.decoders.start(&camera, fps)));
                self.running.insert(id.clone(), Running { settings, camera, pull, pictures });
            }
        }
    }

    async fn end(&mut self, id: &CameraId) {
        if let Some(running) = self.running.remove(id) {
            running.pull.close().await;
        }
    }

    /// `None` for a camera that is pushed, or whose password cannot be read.
    fn settings(&self, entry: &Entry) -> Option<Settings> {
        let source = match self.catalog.source(entry) {
            Ok(source) => source?,
            Err(error) => {
                tracing::error!(camera = %entry.id, "not connected to: {error}");
                if let Some(camera) = self.registry.get(entry.id.as_str()) {
                    self.registry.explain(&camera, &error.to_string());
                }
                return None;
            }
        };
        Some(Settings { source, on_demand: entry.settings.on_demand })
    }
}
