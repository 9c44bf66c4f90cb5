//! From a place on the disk to a catalog that can be used, or one in memory and the reason why.

use std::{io, path::PathBuf};

use rusqlite::Connection;

use super::{
    Entry, Place,
    rows::{self, slot},
    schema::{self, OpenError},
    vault::Vault,
};

/// The database's name in the data folder.
pub(super) const DATABASE: &str = "catalog.db";

/// The key's name in the data folder, unless another file is named.
pub(super) const KEY: &str = "catalog.key";

/// What a catalog starts with.
pub(super) struct Opened {
    pub db: Connection,
    pub entries: Vec<Entry>,
    pub vault: Vault,
    /// What the operator has to know and do.
    pub problem: Option<String>,
    /// Whether it outlives the process.
    pub kept: bool,
}

/// Reads what is kept there; without a place, or one that cannot be used, nothing is kept.
pub(super) fn open(place: Option<Place>) -> io::Result<Opened> {
    match place.map(kept) {
        Some(Ok(opened)) => Ok(opened),
        Some(Err(error)) => {
            tracing::error!("{error}. Cameras that are configured now are forgotten at the end");
            in_memory(Some(error.to_string()))
        }
        None => in_memory(None),
    }
}

fn kept(place: Place) -> Result<Opened, OpenError> {
    let path = place.dir.join(DATABASE);
    let db = schema::open(&path)?;
    let entries = rows::all(&db).map_err(|error| OpenError::Unusable { path, error })?;
    // After the database, whose lock keeps another process from making a key too.
    let vault = Vault::open(place.key_file.unwrap_or_else(|| place.dir.join(KEY)));
    let problem = readable(&vault, &entries).err();
    match &problem {
        Some(problem) => tracing::error!("{problem}"),
        None => tracing::info!("cameras that are set up are kept in {}", shown(place.dir)),
    }
    Ok(Opened { db, entries, vault, problem, kept: true })
}

fn in_memory(problem: Option<String>) -> io::Result<Opened> {
    let db = schema::in_memory().map_err(io::Error::other)?;
    let (entries, vault) = (Vec::new(), Vault::in_memory());
    Ok(Opened { db, entries, vault, problem, kept: false })
}

/// From the root, so that it is found from anywhere.
fn shown(dir: PathBuf) -> String {
    std::path::absolute(&dir).unwrap_or(dir).display().to_string()
}

/// Whether all passwords can be read, looked at once so that the operator hears of it at the start.
fn readable(vault: &Vault, entries: &[Entry]) -> Result<(), String> {
    vault.usable().map_err(|error| error.to_string())?;
    let locked = |entry: &&Entry| {
        let address = entry.settings.source.address();
        let sub = entry.settings.substream.as_ref();
        let all = [
            (slot::PASSWORD, address.and_then(|address| address.password.as_ref())),
            (slot::PATH, address.and_then(|address| address.path.as_ref())),
            (slot::SUB_PASSWORD, sub.and_then(|sub| sub.password.as_ref())),
            (slot::SUB_PATH, sub.and_then(|sub| sub.path.as_ref())),
        ];
        all.into_iter()
            .find_map(|(slot, hidden)| rows::opened(vault, &entry.id, slot, hidden).err())
    };
    let errors: Vec<_> =
        entries.iter().filter_map(|entry| Some((entry, locked(&entry)?))).collect();
    match errors.first() {
        None => Ok(()),
        Some((first, error)) => {
            let more = errors.len() - 1;
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            Err(format!("camera {}{more}: {error}", first.id))
        }
    }
}
