//! The database file: how it is opened, and how an older one becomes one of today.

use std::{
    fs::{DirBuilder, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use thiserror::Error;

/// How long to wait for a server that is just ending to let go of the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Each brings a file from the version of its place to the next. Never change one that was
/// released; add another.
const STEPS: [&str; 3] = [
    "CREATE TABLE camera (
        id TEXT NOT NULL PRIMARY KEY,
        name TEXT,
        location TEXT,
        kind TEXT NOT NULL,
        url TEXT,
        username TEXT,
        password BLOB,
        path BLOB,
        on_demand INTEGER NOT NULL,
        max_viewers INTEGER NOT NULL,
        rtsp_transport TEXT NOT NULL,
        jpeg_fps REAL NOT NULL,
        created_us INTEGER NOT NULL,
        updated_us INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;",
    "ALTER TABLE camera ADD COLUMN sub_url TEXT;
    ALTER TABLE camera ADD COLUMN sub_username TEXT;
    ALTER TABLE camera ADD COLUMN sub_password BLOB;
    ALTER TABLE camera ADD COLUMN sub_path BLOB;",
    "ALTER TABLE camera ADD COLUMN tls_fingerprint TEXT;",
];

/// Why the file cannot be used. The texts say what to do.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The folder or file cannot be made.
    #[error("{} cannot be written: {error}; give a folder that can with --data-dir", path.display())]
    Folder {
        /// Of what could not be made.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// Another process has it.
    #[error(
        "{} is used by another framecast; give each its own --data-dir", .0.display()
    )]
    Busy(PathBuf),
    /// A file of a later version.
    #[error(
        "{} was written by a newer framecast (its version {found}, this one knows {}); run that one, \
         or give another --data-dir", path.display(), STEPS.len()
    )]
    Newer {
        /// Of the file.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// Everything else.
    #[error(
        "{} cannot be read as a camera catalog: {error}; move it away to start with an empty one",
        path.display()
    )]
    Unusable {
        /// Of the file.
        path: PathBuf,
        /// SQLite's words.
        error: rusqlite::Error,
    },
}

/// One that ends with the process.
pub(super) fn in_memory() -> Result<Connection, OpenError> {
    let path = PathBuf::from("memory");
    let fail = |error| OpenError::Unusable { path: path.clone(), error };
    let mut db = Connection::open_in_memory().map_err(fail)?;
    migrate(&mut db, &path, &STEPS)?;
    Ok(db)
}

/// The file `path`, made with its folder if it is not there.
pub(super) fn open(path: &Path) -> Result<Connection, OpenError> {
    let folder = |path: &Path, error| OpenError::Folder { path: path.to_owned(), error };
    if let Some(dir) = path.parent() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|error| folder(dir, error))?;
    }
    // Before SQLite does, so that it is its owner's alone; the files beside it take over its mode.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(folder(path, error));
        }
        _ => {}
    }
    let mut db = Connection::open(path).map_err(|error| explained(path, error))?;
    let fail = |error| explained(path, error);
    db.busy_timeout(BUSY_TIMEOUT).map_err(fail)?;
    // Before anything is written: a file of a later version stays as it is, to the last byte.
    let found = db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(fail)?;
    missing(path, &STEPS, found)?;
    prepare(&db).map_err(fail)?;
    migrate(&mut db, path, &STEPS)?;
    Ok(db)
}

/// A write-ahead log that is on the disk when a write is answered: what was answered survives the
/// end of the process and of the machine, at any moment.
fn prepare(db: &Connection) -> Result<(), rusqlite::Error> {
    // This process keeps a copy of all entries, which another must not change behind its back.
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "secure_delete", true)?;
    db.pragma_update(None, "trusted_schema", false)
}

fn migrate(db: &mut Connection, path: &Path, steps: &[&str]) -> Result<(), OpenError> {
    let fail = |error| explained(path, error);
    // All steps or none, also when the process ends in the midst of it.
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
    let found: i64 =
        change.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(fail)?;
    let missing = missing(path, steps, found)?;
    for step in missing {
        change.execute_batch(step).map_err(fail)?;
    }
    if !missing.is_empty() {
        change.pragma_update(None, "user_version", steps.len()).map_err(fail)?;
        if found > 0 {
            tracing::info!("{} brought from version {found} to {}", path.display(), steps.len());
        }
    }
    change.commit().map_err(fail)
}

/// The steps from version `found` to that of today.
fn missing<'a>(path: &Path, steps: &'a [&'a str], found: i64) -> Result<&'a [&'a str], OpenError> {
    let missing = usize::try_from(found).ok().and_then(|found| steps.get(found..));
    missing.ok_or_else(|| OpenError::Newer { path: path.to_owned(), found })
}

fn explained(path: &Path, error: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Busy(path),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            OpenError::Folder { path, error: io::Error::other(error.to_string()) }
        }
        _ => OpenError::Unusable { path, error },
    }
}

/// A file as a version of before left it.
#[cfg(test)]
pub(super) fn open_as_version(path: &Path, version: usize) -> Connection {
    let mut db = Connection::open(path).unwrap();
    migrate(&mut db, path, &STEPS[..version]).unwrap();
    db
}
