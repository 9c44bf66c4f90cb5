//! The thread that has the file, and the changes it makes.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use rusqlite::Connection;
use tokio::sync::watch;

use super::{CatalogError, Entries, Entry, Settings, rows, vault::Vault};
use crate::relay::{CameraId, Configured, PublishError, Registry};

/// A change that waits for the thread.
pub(super) type Job = Box<dyn FnOnce(&mut Owner) + Send>;

/// What only the thread touches.
pub(super) struct Owner {
    pub db: Connection,
    pub vault: Arc<Vault>,
    pub registry: Arc<Registry>,
    pub entries: watch::Sender<Entries>,
}

impl Owner {
    /// Makes a camera's settings these, on the disk first; `None` removes it.
    pub fn put(
        &mut self,
        id: CameraId,
        before: Option<&Entry>,
        settings: Option<Settings>,
    ) -> Result<Option<Arc<Entry>>, CatalogError> {
        let Some(settings) = settings else {
            if before.is_some() {
                rows::remove(&self.db, &id)?;
                self.publish(|entries| entries.remove(&id));
                self.unconfigure(&id);
                tracing::info!(camera = %id, "camera no longer configured");
            }
            return Ok(None);
        };
        let settings = rows::sealed_settings(&self.vault, &id, settings)?;
        let now = unix_us();
        let created_us = before.map_or(now, |before| before.created_us);
        let entry = Arc::new(Entry { id: id.clone(), settings, created_us, updated_us: now });
        // First, as it may find no room.
        configure(&self.registry, &entry)?;
        if let Err(error) = rows::put(&self.db, &entry) {
            match before {
                // It was known before, so there is room.
                Some(before) => {
                    let _ = configure(&self.registry, before);
                }
                None => self.unconfigure(&id),
            }
            tracing::error!(camera = %id, "not kept: {error}");
            return Err(error.into());
        }
        self.publish(|entries| entries.insert(id.clone(), entry.clone()));
        let source = entry.settings.source.kind();
        let what = if before.is_some() { "changed" } else { "configured" };
        tracing::info!(camera = %id, source, "camera {what}");
        Ok(Some(entry))
    }

    /// Makes a camera one like any other, unless it is configured.
    pub fn release(&self, id: &CameraId) {
        if !self.entries.borrow().contains_key(id) {
            self.unconfigure(id);
        }
    }

    fn unconfigure(&self, id: &CameraId) {
        if let Some(camera) = self.registry.get(id.as_str()) {
            camera.limit_viewers(0);
        }
        self.registry.unconfigure(id);
    }

    fn publish<T>(&self, change: impl FnOnce(&mut BTreeMap<CameraId, Arc<Entry>>) -> T) {
        self.entries.send_modify(|entries| drop(change(Arc::make_mut(entries))));
    }
}

/// Tells the relay what it has to know of an entry.
pub(super) fn configure(registry: &Registry, entry: &Entry) -> Result<(), PublishError> {
    let reason = entry.settings.source.offline_reason().into();
    let name = entry.settings.name.clone();
    let on_demand = entry.settings.on_demand && entry.settings.source.kind() != "push";
    let camera = registry.configure(&entry.id, Configured { name, reason, on_demand })?;
    camera.limit_viewers(entry.settings.max_viewers);
    Ok(())
}

fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
