//! Viewers over low-latency HLS: each waits for the next part, takes all there are, and waits for the one after.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

/// Longest wait for an answer: a camera that is only just connected to takes some seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// A viewer of one camera, until this is dropped.
#[derive(Debug)]
pub struct HlsViewer {
    bytes: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl HlsViewer {
    /// Begins to watch; returns once the camera's master playlist has come.
    pub fn start(view: SocketAddr, camera: &str) -> io::Result<Self> {
        let (bytes, stop): (Arc<AtomicU64>, Arc<AtomicBool>) = Default::default();
        let mut client = Client::connect(view)?;
        let folder = format!("/hls/cam_{camera}");
        let master = client.text(&format!("{folder}/index.m3u8"))?;
        let media = master.lines().last().unwrap_or_default().to_owned();
        let (read, stopped) = (bytes.clone(), stop.clone());
        thread::spawn(move || -> io::Result<()> {
            let (mut place, mut newest) = (String::new(), String::new());
            while !stopped.load(Relaxed) {
                let list = client.text(&format!("{folder}/{media}{place}"))?;
                place = next_place(&list);
                let parts = list.lines().filter_map(|line| uri(line.strip_prefix("#EXT-X-PART:")?));
                let parts: Vec<&str> = parts.collect();
                // From the newest on, and what came since.
                let known = parts.iter().position(|part| *part == newest);
                for part in &parts[known.map_or(parts.len().saturating_sub(1), |at| at + 1)..] {
                    let bytes = client.get(&format!("{folder}/{part}"))?;
                    read.fetch_add(bytes.len() as u64, Relaxed);
                }
                newest = parts.last().map(|part| (*part).to_owned()).unwrap_or_default();
            }
            Ok(())
        });
        Ok(Self { bytes, stop })
    }

    /// Of the parts so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
}

impl Drop for HlsViewer {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

/// The query that waits for the part after the newest.
fn next_place(list: &str) -> String {
    let number = |name: &str| list.lines().find_map(|line| line.strip_prefix(name)?.parse().ok());
    let first: u64 = number("#EXT-X-MEDIA-SEQUENCE:").unwrap_or(0);
    let whole = list.lines().filter(|line| line.starts_with("#EXTINF:")).count() as u64;
    let open = list.rsplit("#EXTINF:").next().unwrap_or_default();
    let parts = open.lines().filter(|line| line.starts_with("#EXT-X-PART:")).count();
    format!("&_HLS_msn={}&_HLS_part={parts}", first + whole)
}

fn uri(attributes: &str) -> Option<&str> {
    attributes.split("URI=\"").nth(1)?.split('"').next()
}

/// One connection that stays.
#[derive(Debug)]
pub struct Client {
    socket: BufReader<TcpStream>,
    host: SocketAddr,
}

impl Client {
    pub fn connect(host: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(host)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { socket: BufReader::new(socket), host })
    }

    pub fn text(&mut self, path: &str) -> io::Result<String> {
        String::from_utf8(self.get(path)?).map_err(io::Error::other)
    }

    /// The body of a good answer.
    pub fn get(&mut self, path: &str) -> io::Result<Vec<u8>> {
        self.ask("GET", path, "")
    }

    pub fn ask(&mut self, method: &str, path: &str, body: &str) -> io::Result<Vec<u8>> {
        let (host, length) = (self.host, body.len());
        write!(
            self.socket.get_mut(),
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.socket.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.parse().ok())?
        });
        let mut body = vec![0; length.unwrap_or(0)];
        self.socket.read_exact(&mut body)?;
        if head.starts_with("HTTP/1.1 20") {
            return Ok(body);
        }
        let said = String::from_utf8_lossy(&body);
        Err(io::Error::other(format!(
            "{method} {path}: {} {said}",
            head.lines().next().unwrap_or("")
        )))
    }
}
