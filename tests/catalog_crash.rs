//! The catalog of a server that is killed (`kill -9`) at any moment: what was answered is there.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

#[path = "support/binary.rs"]
mod binary;
#[path = "support/catalog_server.rs"]
mod catalog_server;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use binary::{FREE, PATIENCE, Server, framecast};
use catalog_server::CatalogServer;
use futures_util::future::join_all;
use serde_json::{Value, json};

/// What a client knows of its cameras' names.
#[derive(Debug, Default)]
struct Ledger {
    answered: BTreeMap<String, String>,
    /// The change that the server died of: it may be made or not, but not by halves.
    unanswered: Option<(String, Option<String>)>,
}

impl Ledger {
    /// Adds, renames and removes its cameras, one after the other, until the server is gone.
    async fn keep_changing(
        &mut self,
        server: &CatalogServer,
        prefix: String,
        answers: &AtomicUsize,
    ) {
        for n in 0.. {
            let newest = self.answered.keys().next_back().cloned();
            let oldest = self.answered.keys().next().cloned();
            let name = format!("name {n}");
            let (method, path, id, after) = match (n % 6, newest, oldest) {
                (1 | 4, Some(id), _) => ("PATCH", format!("/api/cameras/{id}"), id, Some(name)),
                (5, _, Some(id)) => ("DELETE", format!("/api/cameras/{id}"), id, None),
                _ => {
                    let id = format!("{prefix}-{n:06}");
                    ("POST", "/api/cameras".to_owned(), id, Some(name))
                }
            };
            let source = json!({"type": "rtsp", "host": "192.0.2.7", "username": "admin",
                "password": format!("secret of {id} {n}")});
            let body = match method {
                "DELETE" => String::new(),
                _ => json!({"id": id, "name": after, "source": source}).to_string(),
            };
            self.unanswered = Some((id.clone(), after.clone()));
            let Ok(answer) = server.send(method, &path, &[], &body).await else { return };
            assert!(answer.status < 300, "{method} {path}: {}", answer.text);
            self.unanswered = None;
            match after {
                Some(name) => self.answered.insert(id, name),
                None => self.answered.remove(&id),
            };
            answers.fetch_add(1, Relaxed);
        }
    }

    /// Whether a camera's name is as it was answered, or as it would have been.
    fn allows(&self, id: &str, name: Option<&String>) -> bool {
        let unanswered = self.unanswered.as_ref().filter(|(changed, _)| changed == id);
        name == self.answered.get(id) || unanswered.is_some_and(|(_, after)| name == after.as_ref())
    }
}

async fn names(server: &CatalogServer) -> BTreeMap<String, String> {
    let name = |camera: Value| {
        assert_eq!(camera["source"]["has_password"], true, "{camera}");
        let text = |field: &str| camera[field].as_str().unwrap().to_owned();
        (text("id"), text("name"))
    };
    server.configured().await.into_iter().map(name).collect()
}

fn kill(process: &mut Server) {
    process.signal("KILL");
    assert_eq!(process.ended().0, None, "it ended by the signal");
}

#[tokio::test]
async fn every_change_that_was_answered_survives_a_kill_in_the_midst_of_many() {
    const CLIENTS: usize = 4;
    let dir = tempfile::tempdir().unwrap();
    let mut known = BTreeMap::new();
    let mut changes = 0;
    for round in 0..8 {
        let mut server = CatalogServer::start(dir.path(), &[]);
        let started = names(&server).await;
        assert_eq!(started, known, "round {round}: another start changed something");
        let answers = AtomicUsize::new(0);
        let mut ledgers: [Ledger; CLIENTS] = Default::default();
        let changing = ledgers.iter_mut().enumerate().map(|(client, ledger)| {
            ledger.keep_changing(&server, format!("r{round}c{client}"), &answers)
        });
        let killing = async {
            let began = Instant::now();
            while answers.load(Relaxed) < 20 + 13 * round {
                assert!(began.elapsed() < PATIENCE, "{answers:?} changes");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            server.process.signal("KILL");
        };
        tokio::join!(join_all(changing), killing);
        assert_eq!(server.process.ended().0, None, "it ended by the signal");
        changes += answers.load(Relaxed);

        let mut server = CatalogServer::start(dir.path(), &[]);
        let cameras = server.catalog().await["cameras"].clone();
        let expected = json!({"cameras": cameras, "kept": true, "problem": null});
        assert_eq!(server.catalog().await, expected, "all passwords can be read");
        let there = names(&server).await;
        for (id, name) in &known {
            assert_eq!(there.get(id), Some(name), "round {round}: of a round before");
        }
        for ledger in &ledgers {
            for id in ledger.answered.keys() {
                assert!(ledger.allows(id, there.get(id)), "round {round}: {id} {ledger:?}");
            }
        }
        for (id, name) in &there {
            let allowed = ledgers.iter().any(|ledger| ledger.allows(id, Some(name)));
            assert!(known.contains_key(id) || allowed, "round {round}: {id} was never set up");
        }
        known = there;
        kill(&mut server.process);
    }
    println!("{changes} changes were answered, {} cameras are left", known.len());
    let file = rusqlite::Connection::open(dir.path().join("catalog.db")).unwrap();
    let sound: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
}

#[tokio::test]
async fn a_server_killed_while_it_makes_its_folder_starts_the_next_time() {
    for delay in 0..16 {
        let dir = tempfile::tempdir().unwrap();
        let mut command = framecast(&FREE);
        command.arg("--data-dir").arg(dir.path());
        let mut process = Server::start(command);
        tokio::time::sleep(Duration::from_millis(2 * delay)).await;
        kill(&mut process);

        let mut server = CatalogServer::start(dir.path(), &[]);
        let source = json!({"type": "rtsp", "url": "rtsp://admin:hunter2@192.0.2.7/"});
        let door = json!({"id": "door", "source": source});
        assert_eq!(server.tell("POST", "/api/cameras", &door).await.status, 201);
        kill(&mut server.process);
        let server = CatalogServer::start(dir.path(), &[]);
        let sound = json!({"cameras": 1, "kept": true, "problem": null});
        assert_eq!(server.catalog().await, sound, "killed after {} ms", 2 * delay);
    }
}
