//! The catalog over real files.

use std::{fs, path::Path};

use rusqlite::Connection;

use crate::relay::{Clock, Limits};

use super::{
    open::{DATABASE, KEY},
    *,
};

fn id(text: &str) -> CameraId {
    CameraId::parse(text).unwrap()
}

fn registry() -> Arc<Registry> {
    Registry::new(Limits::default(), Clock::system())
}

fn open(dir: &Path) -> Catalog {
    let place = Place { dir: dir.to_owned(), key_file: None };
    Catalog::open(Some(place), registry()).unwrap()
}

/// The thread ends soon after its last handle, not with it.
async fn reopen(dir: &Path, old: Catalog) -> Catalog {
    drop(old);
    open(dir)
}

fn address(url: &str) -> Address {
    let parts = SourceUrl::parse(url).unwrap();
    Address {
        url: parts.url,
        username: parts.username,
        password: parts.password.map(Hidden::Fresh),
        path: parts.path.map(Hidden::Fresh),
        fingerprint: None,
    }
}

fn rtsp(url: &str) -> Settings {
    Settings { source: Source::Rtsp(address(url)), ..Settings::default() }
}

async fn set(catalog: &Catalog, camera: &str, settings: Settings) -> Arc<Entry> {
    let set = catalog.change::<CatalogError>(id(camera), |_| Ok(Some(settings))).await;
    set.unwrap().unwrap()
}

/// All bytes of all files in a folder.
fn bytes(dir: &Path) -> Vec<u8> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    files.flat_map(|file| fs::read(file).unwrap()).collect()
}

fn contains(bytes: &[u8], part: &str) -> bool {
    bytes.windows(part.len()).any(|window| window == part.as_bytes())
}

#[tokio::test]
async fn what_was_set_is_there_after_a_restart_to_the_last_field() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        name: Some("Front door".into()),
        location: Some("Hall".into()),
        source: Source::Rtsp(address("rtsp://admin:hunter2@192.0.2.7:8554/live?pwd=swordfish")),
        on_demand: false,
        max_viewers: 7,
        rtsp_transport: RtspTransport::Udp,
        jpeg_fps: 12.5,
        substream: Some(address("rtsp://192.0.2.7:8554/sub")),
    };
    let catalog = open(dir.path());
    assert!(catalog.is_kept() && catalog.problem().is_none());
    let mut changes = catalog.watch();
    let entry = set(&catalog, "door", settings).await;
    assert!(changes.has_changed().unwrap());
    assert!(changes.borrow_and_update().contains_key("door"));
    let fingerprint = "0123456789abcdef".repeat(4).parse().ok();
    let encrypted = Address { fingerprint, ..address("https://cam/") };
    set(&catalog, "web", Settings { source: Source::Mjpeg(encrypted), ..rtsp("rtsp://a") }).await;
    set(&catalog, "push", Settings::default()).await;

    let again = reopen(dir.path(), catalog).await;
    assert_eq!(again.get("door").unwrap(), entry);
    let web = again.source(&again.get("web").unwrap()).unwrap().unwrap();
    assert_eq!(web.fingerprint, fingerprint);
    let kinds: Vec<_> = again.list().values().map(|entry| entry.settings.source.kind()).collect();
    assert_eq!(kinds, ["rtsp", "push", "mjpeg"]);
    let (url, login) = again.open_address(&entry, Which::Main).unwrap().unwrap();
    assert_eq!(url.to_string(), "rtsp://192.0.2.7:8554/live?pwd=***");
    assert_eq!(login.path.reveal(), "/live?pwd=swordfish");
    assert_eq!(login.password.unwrap().reveal(), "hunter2");
}

#[tokio::test]
async fn secrets_are_neither_in_the_files_nor_in_debug_output() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(dir.path());
    let mut settings = rtsp("rtsp://admin:hunter2@192.0.2.7/live?pwd=swordfish");
    settings.substream = Some(address("rtsp://u:opensesame@192.0.2.8/x?token=xyzzyplugh"));
    let debug = format!("{settings:?}");
    let entry = set(&catalog, "door", settings).await;
    let debug = format!("{debug} {entry:?} {:?}", catalog.open_address(&entry, Which::Main));
    for secret in ["hunter2", "swordfish", "opensesame", "xyzzyplugh"] {
        assert!(!contains(&bytes(dir.path()), secret), "{secret} is on the disk");
        assert!(!debug.contains(secret), "{debug}");
    }
    assert!(contains(&bytes(dir.path()), "192.0.2.7"), "the files were read");
    // A sealed secret that is moved to another camera does not open there.
    let stolen = Entry { id: id("other"), ..(*entry).clone() };
    assert_eq!(catalog.open_address(&stolen, Which::Main), Err(KeyError::Damaged));
}

#[tokio::test]
async fn a_substream_shares_the_sources_user_on_the_same_host_only() {
    let catalog = Catalog::open(None, registry()).unwrap();
    assert!(!catalog.is_kept() && catalog.problem().is_none());
    for (sub, user) in [
        ("rtsp://192.0.2.7/sub", Some("admin")),
        ("rtsp://192.0.2.8/sub", None),
        ("rtsp://192.0.2.7:8554/sub", None),
        ("rtsp://guest:x@192.0.2.7/sub", Some("guest")),
    ] {
        let mut settings = rtsp("rtsp://admin:hunter2@192.0.2.7/live");
        settings.substream = Some(address(sub));
        let entry = set(&catalog, "door", settings).await;
        let (_, login) = catalog.open_address(&entry, Which::Substream).unwrap().unwrap();
        assert_eq!(login.username.as_deref(), user, "{sub}");
        assert_eq!(login.password.is_some(), user.is_some(), "{sub}");
    }
}

#[tokio::test]
async fn a_file_of_an_older_version_is_brought_up_with_its_cameras() {
    let dir = tempfile::tempdir().unwrap();
    let old = schema::open_as_version(&dir.path().join(DATABASE), 1);
    let row = "INSERT INTO camera VALUES ('door', 'Front door', NULL, 'rtsp', \
               'rtsp://192.0.2.7:554/live', 'admin', NULL, NULL, 1, 0, 'tcp', 5.0, 1, 2)";
    old.execute_batch(row).unwrap();
    drop(old);
    let catalog = open(dir.path());
    assert_eq!(catalog.problem(), None);
    let entry = catalog.get("door").unwrap();
    assert_eq!(entry.settings.name.as_deref(), Some("Front door"));
    assert_eq!((entry.created_us, &entry.settings.substream), (1, &None));
    let settings = Settings { substream: Some(address("rtsp://a/b")), ..entry.settings.clone() };
    let entry = set(&catalog, "door", settings).await;
    assert_eq!(reopen(dir.path(), catalog).await.get("door").unwrap(), entry);
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_left_alone_and_said() {
    let newer = tempfile::tempdir().unwrap();
    let db = Connection::open(newer.path().join(DATABASE)).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let garbage = tempfile::tempdir().unwrap();
    fs::write(garbage.path().join(DATABASE), "no database at all, just a text".repeat(100))
        .unwrap();
    let taken = tempfile::tempdir().unwrap();
    let _taker = open(taken.path());
    let file = tempfile::NamedTempFile::new().unwrap();
    for (dir, words) in [
        (newer.path(), "newer framecast"),
        (garbage.path(), "move it away"),
        (taken.path(), "used by another framecast"),
        (file.path(), "cannot be written"),
    ] {
        let before = fs::read(dir.join(DATABASE)).ok();
        let catalog = open(dir);
        let problem = catalog.problem().unwrap();
        assert!(problem.contains(words), "{problem}");
        assert!(!catalog.is_kept());
        // It works nevertheless, until the end.
        set(&catalog, "door", rtsp("rtsp://admin:hunter2@192.0.2.7/")).await;
        assert!(catalog.get("door").is_some());
        assert!(fs::read(dir.join(DATABASE)).ok() == before, "{problem}: the file was changed");
    }
}

#[tokio::test]
async fn a_wrong_key_says_what_to_do_and_a_password_given_again_mends_it() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(dir.path());
    let settings = rtsp("rtsp://admin:hunter2@192.0.2.7/live");
    set(&catalog, "door", settings.clone()).await;
    set(&catalog, "free", rtsp("rtsp://192.0.2.8/live")).await;
    drop(catalog);
    fs::remove_file(dir.path().join(KEY)).unwrap();
    let catalog = open(dir.path());
    let problem = catalog.problem().unwrap();
    assert!(problem.contains("camera door") && problem.contains("old key file back"), "{problem}");
    assert!(catalog.is_kept());
    let door = catalog.get("door").unwrap();
    assert!(matches!(catalog.open_address(&door, Which::Main), Err(KeyError::Other { .. })));
    assert!(catalog.open_address(&catalog.get("free").unwrap(), Which::Main).is_ok());
    set(&catalog, "door", settings).await;
    let catalog = reopen(dir.path(), catalog).await;
    assert_eq!(catalog.problem(), None);
    assert!(catalog.open_address(&catalog.get("door").unwrap(), Which::Main).is_ok());

    // Without a usable key, what has no secret goes on.
    drop(catalog);
    fs::write(dir.path().join(KEY), "gibberish").unwrap();
    let catalog = open(dir.path());
    assert!(catalog.problem().unwrap().contains("hexadecimal"));
    set(&catalog, "free", rtsp("rtsp://192.0.2.9/live")).await;
    let refused = catalog
        .change::<CatalogError>(id("new"), |_| Ok(Some(rtsp("rtsp://a:hunter2@192.0.2.7/"))))
        .await;
    assert!(matches!(refused, Err(CatalogError::Key(_))), "{refused:?}");
    assert!(catalog.get("new").is_none());
}

#[tokio::test]
async fn rows_that_no_version_wrote_are_left_out_and_the_others_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(dir.path());
    set(&catalog, "door", rtsp("rtsp://192.0.2.7/live")).await;
    drop(catalog);
    let db = schema::open(&dir.path().join(DATABASE)).unwrap();
    for (id, kind, url, fingerprint) in [
        ("../x", "push", "", None),
        ("a", "exec", "", None),
        ("b", "rtsp", "file:///etc/passwd", None),
        ("c", "rtsp", "rtsps://192.0.2.7/live", Some("AB:CD")),
    ] {
        let row = "INSERT INTO camera VALUES (?1, NULL, NULL, ?2, ?3, NULL, NULL, NULL, 1, 0, 'tcp', \
                   5.0, 1, 2, NULL, NULL, NULL, NULL, ?4)";
        db.execute(row, (id, kind, url, fingerprint)).unwrap();
    }
    drop(db);
    let catalog = open(dir.path());
    assert_eq!(catalog.list().keys().map(CameraId::as_str).collect::<Vec<_>>(), ["door"]);
}

#[tokio::test]
async fn the_relay_knows_the_configured_cameras_and_changes_do_not_overlap() {
    let registry = registry();
    let catalog = Catalog::open(None, registry.clone()).unwrap();
    set(&catalog, "door", Settings { name: Some("Door".into()), ..Settings::default() }).await;
    assert_eq!(registry.get("door").unwrap().name(), "Door");
    let counting = (0..100).map(|_| {
        let catalog = catalog.clone();
        tokio::spawn(async move {
            let more = |now: Option<&Entry>| {
                let mut settings = now.unwrap().settings.clone();
                settings.max_viewers += 1;
                Ok::<_, CatalogError>(Some(settings))
            };
            catalog.change(id("door"), more).await.unwrap();
        })
    });
    for counted in counting.collect::<Vec<_>>() {
        counted.await.unwrap();
    }
    assert_eq!(catalog.get("door").unwrap().settings.max_viewers, 100);
    assert!(catalog.change::<CatalogError>(id("door"), |_| Ok(None)).await.unwrap().is_none());
    assert!(registry.get("door").is_none() && catalog.list().is_empty());
}

#[tokio::test]
async fn no_more_cameras_are_configured_than_the_relay_takes() {
    let limits = Limits { max_cameras: 2, ..Limits::default() };
    let catalog = Catalog::open(None, Registry::new(limits, Clock::system())).unwrap();
    set(&catalog, "a", Settings::default()).await;
    set(&catalog, "b", Settings::default()).await;
    let third = catalog.change::<CatalogError>(id("c"), |_| Ok(Some(Settings::default()))).await;
    assert!(matches!(third, Err(CatalogError::Full(_))), "{third:?}");
    assert_eq!(catalog.list().len(), 2);
}

#[tokio::test]
async fn a_removed_camera_is_released_with_its_limit_and_one_configured_anew_meanwhile_stays() {
    let registry = registry();
    let catalog = Catalog::open(None, registry.clone()).unwrap();
    let remove =
        async || catalog.change::<CatalogError>(id("door"), |_| Ok(None)).await.unwrap().is_none();
    let limited = Settings { max_viewers: 1, ..rtsp("rtsp://192.0.2.7/") };
    set(&catalog, "door", limited.clone()).await;
    let publisher = relay::Publisher::over(relay::Transport::Rtsp);
    let producer = registry.publish(&id("door"), publisher).unwrap();
    let camera = registry.get("door").unwrap();
    let seat = camera.seat().unwrap();
    assert!(camera.seat().is_err());
    assert!(remove().await);
    assert!(camera.seat().is_ok(), "the limit went with the entry");

    set(&catalog, "door", limited).await;
    producer.close("removed");
    catalog.release(id("door")).await;
    // A change made after it is answered after it.
    set(&catalog, "yard", Settings::default()).await;
    assert!(Arc::ptr_eq(&registry.get("door").unwrap(), &camera));
    assert!(camera.seat().is_err());
    drop(seat);
    assert!(remove().await);
    assert!(registry.get("door").is_none());
}
