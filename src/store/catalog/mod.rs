//! The configured cameras, in a SQLite file that outlives the server.
//!
//! Belongs here: which settings a camera has, keeping them, and keeping their passwords secret.
//! Does not: HTTP, or connecting to cameras.
//!
//! One thread owns the file and makes all changes, one after the other; readers have a copy in
//! memory and wait for nobody. Without a file that can be used the catalog lives in memory and
//! says why, for live cameras need none of it.

mod entry;
mod open;
mod owner;
mod presets;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod vault;

use std::{collections::BTreeMap, fmt, io, path::PathBuf, sync::Arc};

use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

pub use entry::{
    Address, DEFAULT_JPEG_FPS, Entry, Hidden, MAX_TEXT, MAX_VIEWERS, RtspTransport, Settings,
    Source,
};
use open::Opened;
use owner::{Job, Owner};
pub use presets::{PRESETS, Preset};
use rows::slot;
pub use schema::OpenError;
pub use vault::KeyError;
use vault::Vault;

use crate::{
    relay::{self, CameraId, Protocol, PublishError, Registry},
    wire::{Secret, source_url::SourceUrl},
};

/// Changes that wait for the thread; more make their requests wait. Each takes some milliseconds.
const QUEUE: usize = 64;

/// Where the catalog is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Made if it is not there.
    pub dir: PathBuf,
    /// The key that passwords are encrypted with; `catalog.key` in `dir` if not named.
    pub key_file: Option<PathBuf>,
}

/// All entries, by their ids.
pub type Entries = Arc<BTreeMap<CameraId, Arc<Entry>>>;

/// Why a change was not made. The texts say what to do.
#[derive(Debug, Error)]
pub enum CatalogError {
    /// SQLite refused.
    #[error("the camera catalog cannot be written: {0}; look at the server's disk and log")]
    Write(#[from] rusqlite::Error),
    /// A password came and cannot be encrypted.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No room for another camera.
    #[error(transparent)]
    Full(#[from] PublishError),
    /// The server is ending.
    #[error("the server is shutting down; try again in some seconds")]
    Closed,
}

/// How a source is reached, secrets in the clear. Lives as long as a connection is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Path and query as they go to the camera.
    pub path: Secret,
    /// Who logs in.
    pub username: Option<String>,
    /// With what.
    pub password: Option<Secret>,
}

/// Which of a camera's addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// `source`.
    Main,
    /// `substream`. Without a user of its own it has that of the source, if it is on the same host
    /// and port.
    Substream,
}

/// The configured cameras. Cheap to clone; the thread ends with the last clone.
#[derive(Clone)]
pub struct Catalog {
    jobs: mpsc::Sender<Job>,
    entries: watch::Receiver<Entries>,
    vault: Arc<Vault>,
    problem: Option<Arc<str>>,
    kept: bool,
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { jobs: _, entries: _, vault: _, problem, kept } = self;
        f.debug_struct("Catalog")
            .field("problem", problem)
            .field("kept", kept)
            .finish_non_exhaustive()
    }
}

impl Catalog {
    /// Reads the catalog, makes its cameras known to `registry` and starts the thread. Blocks while
    /// the file is read, and up to 2 s while another process has it.
    ///
    /// Fails only if no thread can be had. A place that cannot be used, or none, makes a catalog in
    /// memory; [`Self::problem`] says why.
    pub fn open(place: Option<Place>, registry: Arc<Registry>) -> io::Result<Self> {
        let Opened { db, entries, vault, problem, kept } = open::open(place)?;
        for entry in &entries {
            if let Err(error) = owner::configure(&registry, entry) {
                tracing::error!(camera = %entry.id, "configured, but not shown: {error}");
            }
        }
        let entries = entries.into_iter().map(|entry| (entry.id.clone(), Arc::new(entry)));
        let (entries, reader) = watch::channel(Arc::new(entries.collect()));
        let vault = Arc::new(vault);
        let mut owner = Owner { db, vault: vault.clone(), registry, entries };
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        std::thread::Builder::new().name("catalog".into()).spawn(move || {
            while let Some(job) = queue.blocking_recv() {
                job(&mut owner);
            }
        })?;
        Ok(Self { jobs, entries: reader, vault, problem: problem.map(Into::into), kept })
    }

    /// All entries at this moment.
    pub fn list(&self) -> Entries {
        self.entries.borrow().clone()
    }

    /// A camera's entry, if it is configured.
    pub fn get(&self, id: &str) -> Option<Arc<Entry>> {
        self.entries.borrow().get(id).cloned()
    }

    /// Tells of every change, for what follows the catalog.
    pub fn watch(&self) -> watch::Receiver<Entries> {
        self.entries.clone()
    }

    /// Whether it outlives the process.
    pub fn is_kept(&self) -> bool {
        self.kept
    }

    /// What an operator has to know and do; `None` if all is well.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Changes one camera's entry: `decide` sees the one that there is and says what it is to be;
    /// `None` removes it. Changes never overlap, and one that was answered is on the disk.
    ///
    /// A call that is dropped may still make its change.
    pub async fn change<E>(
        &self,
        id: CameraId,
        decide: impl FnOnce(Option<&Entry>) -> Result<Option<Settings>, E> + Send + 'static,
    ) -> Result<Option<Arc<Entry>>, E>
    where
        E: From<CatalogError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = move |owner: &mut Owner| {
            let now = owner.entries.borrow().get(&id).cloned();
            let changed = decide(now.as_deref())
                .and_then(|settings| owner.put(id, now.as_deref(), settings).map_err(Into::into));
            let _ = answer.send(changed);
        };
        if self.jobs.send(Box::new(job)).await.is_err() {
            return Err(CatalogError::Closed.into());
        }
        answered.await.unwrap_or_else(|_| Err(CatalogError::Closed.into()))
    }

    /// Has the relay forget a camera that was removed, now that nobody connects to it any more. One that
    /// is configured anew meanwhile stays: the thread decides, between two changes.
    pub async fn release(&self, id: CameraId) {
        let job = move |owner: &mut Owner| owner.release(&id);
        // Without the thread the server is ending, and forgets all of them.
        let _ = self.jobs.send(Box::new(job)).await;
    }

    /// Where a camera's pictures come from, secrets in the clear; `None` for one that is pushed.
    pub fn source(&self, entry: &Entry) -> Result<Option<relay::Source>, KeyError> {
        let Some((url, login)) = self.open_address(entry, Which::Main)? else { return Ok(None) };
        let protocol = match entry.settings.source {
            Source::Mjpeg(_) => Protocol::Mjpeg,
            _ => Protocol::Rtsp { udp: entry.settings.rtsp_transport == RtspTransport::Udp },
        };
        let Login { path, username, password } = login;
        let fingerprint = entry.settings.source.address().and_then(|address| address.fingerprint);
        Ok(Some(relay::Source { protocol, url, path, username, password, fingerprint }))
    }

    /// How one of a camera's addresses is logged in to; `None` if it has no such address.
    pub fn open_address(
        &self,
        entry: &Entry,
        which: Which,
    ) -> Result<Option<(SourceUrl, Login)>, KeyError> {
        let (main, sub) = (entry.settings.source.address(), entry.settings.substream.as_ref());
        let open = |slot, hidden: &Option<Hidden>| {
            rows::opened(&self.vault, &entry.id, slot, hidden.as_ref())
        };
        let login = |address: &Address, passwords, paths| -> Result<Login, KeyError> {
            let path = open(paths, &address.path)?;
            Ok(Login {
                path: path.unwrap_or_else(|| Secret::new(address.url.path.clone())),
                username: address.username.clone(),
                password: open(passwords, &address.password)?,
            })
        };
        match (which, main, sub) {
            (Which::Main, Some(main), _) => {
                Ok(Some((main.url.clone(), login(main, slot::PASSWORD, slot::PATH)?)))
            }
            (Which::Substream, main, Some(sub)) => {
                let mut own = login(sub, slot::SUB_PASSWORD, slot::SUB_PATH)?;
                let shared = main.filter(|main| main.url.same_peer(&sub.url));
                if let (None, None, Some(main)) = (&own.username, &own.password, shared) {
                    own.username = main.username.clone();
                    own.password = open(slot::PASSWORD, &main.password)?;
                }
                Ok(Some((sub.url.clone(), own)))
            }
            _ => Ok(None),
        }
    }
}
