//! Entries as rows of the database.

use rusqlite::{Connection, OptionalExtension as _, Row, named_params};

use super::{Address, Entry, Hidden, KeyError, RtspTransport, Settings, Source, vault::Vault};
use crate::{
    relay::CameraId,
    wire::{Secret, source_url::SourceUrl},
};

/// What a sealed secret is for, as associated data.
pub(super) mod slot {
    /// Of the source.
    pub const PASSWORD: &str = "password";
    /// Of the source.
    pub const PATH: &str = "path";
    /// Of the substream.
    pub const SUB_PASSWORD: &str = "substream password";
    /// Of the substream.
    pub const SUB_PATH: &str = "substream path";
}

const ALL: &str = "SELECT id, name, location, kind, url, username, password, path, on_demand, \
                   max_viewers, rtsp_transport, jpeg_fps, created_us, updated_us, sub_url, \
                   sub_username, sub_password, sub_path, tls_fingerprint FROM camera ORDER BY id";

const PUT: &str = "INSERT OR REPLACE INTO camera (id, name, location, kind, url, username, password, \
                   path, on_demand, max_viewers, rtsp_transport, jpeg_fps, created_us, updated_us, \
                   sub_url, sub_username, sub_password, sub_path, tls_fingerprint) VALUES (:id, :name, :location, \
                   :kind, :url, :username, :password, :path, :on_demand, :max_viewers, \
                   :rtsp_transport, :jpeg_fps, :created_us, :updated_us, :sub_url, :sub_username, \
                   :sub_password, :sub_path, :tls_fingerprint)";

/// All entries. A row that cannot be read, which only another program can have written, is left
/// out and said.
pub(super) fn all(db: &Connection) -> Result<Vec<Entry>, rusqlite::Error> {
    let mut statement = db.prepare(ALL)?;
    let mut rows = statement.query([])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        match read(row) {
            Ok(Some(entry)) => entries.push(entry),
            Ok(None) | Err(_) => {
                let id: Option<String> = row.get(0).optional().ok().flatten();
                tracing::warn!(
                    camera = id.unwrap_or_default(),
                    "a camera of the catalog cannot be read and is left out; configure it again"
                );
            }
        }
    }
    Ok(entries)
}

/// Adds an entry, or replaces that of the same camera. Its secrets are sealed by now.
pub(super) fn put(db: &Connection, entry: &Entry) -> Result<(), rusqlite::Error> {
    let Settings {
        name,
        location,
        source,
        on_demand,
        max_viewers,
        rtsp_transport,
        jpeg_fps,
        substream,
    } = &entry.settings;
    let (main, sub) = (source.address(), substream.as_ref());
    let url = |address: Option<&Address>| address.map(|address| address.url.to_string());
    let username = |address: Option<&Address>| address.and_then(|address| address.username.clone());
    let mut statement = db.prepare_cached(PUT)?;
    statement.execute(named_params! {
        ":id": entry.id.as_str(),
        ":name": name,
        ":location": location,
        ":kind": source.kind(),
        ":url": url(main),
        ":username": username(main),
        ":password": sealed(main, |of| &of.password),
        ":path": sealed(main, |of| &of.path),
        ":on_demand": on_demand,
        ":max_viewers": max_viewers,
        ":rtsp_transport": rtsp_transport.name(),
        ":jpeg_fps": jpeg_fps,
        ":created_us": integer(entry.created_us),
        ":updated_us": integer(entry.updated_us),
        ":sub_url": url(sub),
        ":sub_username": username(sub),
        ":sub_password": sealed(sub, |of| &of.password),
        ":sub_path": sealed(sub, |of| &of.path),
        ":tls_fingerprint": main.and_then(|main| main.fingerprint).map(|it| it.to_string()),
    })?;
    Ok(())
}

/// Removes an entry, if there is one.
pub(super) fn remove(db: &Connection, id: &CameraId) -> Result<(), rusqlite::Error> {
    db.execute("DELETE FROM camera WHERE id = ?1", [id.as_str()]).map(|_| ())
}

/// Settings with all secrets sealed.
pub(super) fn sealed_settings(
    vault: &Vault,
    id: &CameraId,
    mut settings: Settings,
) -> Result<Settings, KeyError> {
    let seal = |hidden: &mut Option<Hidden>, slot: &str| -> Result<(), KeyError> {
        if let Some(Hidden::Fresh(secret)) = hidden {
            let sealed = vault.seal(id, slot, secret)?;
            *hidden = Some(Hidden::Sealed(sealed));
        }
        Ok(())
    };
    if let Source::Rtsp(address) | Source::Mjpeg(address) = &mut settings.source {
        seal(&mut address.password, slot::PASSWORD)?;
        seal(&mut address.path, slot::PATH)?;
    }
    if let Some(address) = &mut settings.substream {
        seal(&mut address.password, slot::SUB_PASSWORD)?;
        seal(&mut address.path, slot::SUB_PATH)?;
    }
    Ok(settings)
}

/// A secret in the clear.
pub(super) fn opened(
    vault: &Vault,
    id: &CameraId,
    slot: &str,
    hidden: Option<&Hidden>,
) -> Result<Option<Secret>, KeyError> {
    match hidden {
        None => Ok(None),
        Some(Hidden::Fresh(secret)) => Ok(Some(secret.clone())),
        Some(Hidden::Sealed(bytes)) => vault.open_sealed(id, slot, bytes).map(Some),
    }
}

fn read(row: &Row<'_>) -> Result<Option<Entry>, rusqlite::Error> {
    let text = |name: &str| row.get::<_, String>(name);
    let Ok(id) = CameraId::parse(&text("id")?) else { return Ok(None) };
    let mut main = address(row, ["url", "username", "password", "path"])?;
    if let Some(main) = &mut main {
        let fingerprint: Option<String> = row.get("tls_fingerprint")?;
        let fingerprint = fingerprint.map(|text| text.parse()).transpose();
        // Without it another certificate would be trusted than was meant.
        let Ok(fingerprint) = fingerprint else { return Ok(None) };
        main.fingerprint = fingerprint;
    }
    let source = match (text("kind")?.as_str(), main) {
        ("push", _) => Source::Push,
        ("rtsp", Some(address)) => Source::Rtsp(address),
        ("mjpeg", Some(address)) => Source::Mjpeg(address),
        _ => return Ok(None),
    };
    let Some(rtsp_transport) = RtspTransport::of(&text("rtsp_transport")?) else { return Ok(None) };
    let settings = Settings {
        name: row.get("name")?,
        location: row.get("location")?,
        source,
        on_demand: row.get("on_demand")?,
        max_viewers: row.get("max_viewers")?,
        rtsp_transport,
        jpeg_fps: row.get("jpeg_fps")?,
        substream: address(row, ["sub_url", "sub_username", "sub_password", "sub_path"])?,
    };
    let time = |name: &str| row.get::<_, i64>(name).map(|us| us.max(0).unsigned_abs());
    let (created_us, updated_us) = (time("created_us")?, time("updated_us")?);
    Ok(Some(Entry { id, settings, created_us, updated_us }))
}

fn address(
    row: &Row<'_>,
    [url, username, password, path]: [&str; 4],
) -> Result<Option<Address>, rusqlite::Error> {
    let url: Option<String> = row.get(url)?;
    let Some(url) = url.and_then(|url| SourceUrl::parse(&url).ok()) else { return Ok(None) };
    let hidden = |name| row.get::<_, Option<Vec<u8>>>(name).map(|bytes| bytes.map(Hidden::Sealed));
    Ok(Some(Address {
        url: url.url,
        username: row.get(username)?,
        password: hidden(password)?,
        path: hidden(path)?,
        fingerprint: None,
    }))
}

fn sealed(address: Option<&Address>, which: fn(&Address) -> &Option<Hidden>) -> Option<&[u8]> {
    match which(address?) {
        Some(Hidden::Sealed(bytes)) => Some(bytes),
        // Nothing in the clear goes to the disk, come what may.
        Some(Hidden::Fresh(_)) | None => None,
    }
}

fn integer(us: u64) -> i64 {
    i64::try_from(us).unwrap_or(i64::MAX)
}
