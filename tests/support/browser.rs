//! The system's Chromium, without a window, on one page.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A running browser; ended when dropped.
pub struct Browser {
    child: Child,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Opens `url`. Fails the test when there is no Chromium: `CHROMIUM_BIN` names one, otherwise
    /// it is looked for on the path.
    pub fn open(url: &str) -> Self {
        let chromium = find().expect(
            "this test needs Chromium: `make test` installs it, or set CHROMIUM_BIN to the path of \
             a Chromium or Chrome",
        );
        let profile = tempfile::tempdir().expect("a temporary directory");
        let child = Command::new(&chromium)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args(["--disable-dev-shm-usage"])
            .args(["--disable-background-networking", "--disable-extensions", "--mute-audio"])
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{} does not start ({error}); see CHROMIUM_BIN, make test",
                    chromium.display()
                )
            });
        Self { child, _profile: profile }
    }

    /// Fails the test with the right words when it is the browser that has ended.
    #[allow(dead_code, reason = "each test file uses its own part of this helper")]
    pub fn assert_running(&mut self) {
        if let Ok(Some(status)) = self.child.try_wait() {
            panic!("Chromium ended by itself or was ended from outside: {status}");
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn find() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM_BIN").filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&path)
        .flat_map(|dir| names.map(|name| dir.join(name)))
        .find(|candidate| candidate.is_file())
}
