//! The real binary as a child process: started, read, signalled, and killed at the latest when
//! dropped.

#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The binary, in an environment without any of its variables but one: it keeps no cameras, or it
/// would keep them in the home of whoever runs the tests. `--data-dir` names a folder.
pub fn framecast(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_framecast"));
    command.args(args).stdin(Stdio::null());
    for name in ["WEBSOCKET_PORT", "STREAMING_PORT", "API_PORT", "REDIS_URL"] {
        command.env_remove(name);
    }
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FRAMECAST_")) {
        command.env_remove(name);
    }
    command.env("FRAMECAST_DATA_DIR", "off");
    command
}

/// Exit code, standard output and standard error of a command that ends by itself.
pub fn output(mut command: Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A running server or publisher; killed when dropped.
pub struct Server {
    pub child: Child,
    /// Of standard output.
    pub lines: mpsc::Receiver<String>,
    /// Of standard error.
    pub log: mpsc::Receiver<String>,
}

impl Server {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = reader::<ChildStdout>(child.stdout.take().unwrap());
        let log = reader::<ChildStderr>(child.stderr.take().unwrap());
        Self { child, lines, log }
    }

    /// The address in the next line, which starts as given.
    pub fn addr(&self, start: &str) -> String {
        let line = self.lines.recv_timeout(PATIENCE).unwrap();
        let url = line.strip_prefix(start).unwrap_or_else(|| panic!("{line:?}"));
        url.strip_prefix("http://").unwrap().strip_suffix('/').unwrap().to_owned()
    }

    pub fn signal(&self, name: &str) {
        let kill = format!("kill -s {name} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(sent.success());
    }

    /// The exit code, and how long it took.
    pub fn ended(&mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.code(), began.elapsed());
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("it did not end in {PATIENCE:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn reader<R: std::io::Read + Send + 'static>(from: R) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Ports that the system picks.
pub const FREE: [&str; 4] = ["--ingest-addr", "127.0.0.1:0", "--view-addr", "127.0.0.1:0"];
