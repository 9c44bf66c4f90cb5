//! One viewer's socket as its writer sees it: what is begun, what waits, and what may be dropped.
//!
//! Belongs here: the order in which bytes go out. Does not: which frame is due (the writer knows).

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use indexmap::IndexMap;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::auto::Size;
use crate::relay::{CameraId, Quality};

/// Text messages that may wait for a viewer that does not read: a status change of each of a
/// thousand cameras. One more ends the connection.
const MAX_TEXTS: usize = 1024;
/// Bytes of them: such a status has about 200, and the first message one for each camera.
const MAX_TEXT_BYTES: usize = 512 << 10;
/// A viewer that takes no byte for this long while some wait is closed.
pub(super) const NOT_READING: Duration = Duration::from_secs(30);
/// How long a viewer may take to read what is begun and its close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a frame is wrapped in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The envelope of `docs/protocol.md`.
    Binary,
    /// JSON with the picture in base64.
    Json,
    /// The legacy protocol's `frame_update`; no other message is sent to such a viewer.
    Legacy,
}

/// How a viewer wants a camera.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Wish {
    /// Frames a second, at most.
    pub fps: f64,
    pub size: Size,
}

impl Wish {
    /// As they were published.
    pub(super) fn source(fps: f64) -> Self {
        Self { fps, size: Size::Fixed(Quality::Source) }
    }
}

/// What a viewer wants of cameras.
#[derive(Debug, Default)]
pub(super) struct Wants {
    /// All cameras, now and later, like this.
    pub all: Option<Wish>,
    /// These, whether they exist or not; `None` leaves one out of all.
    pub cameras: HashMap<CameraId, Option<Wish>>,
}

impl Wants {
    /// How a camera is wanted, if it is.
    pub(super) fn of(&self, camera: &CameraId) -> Option<Wish> {
        self.cameras.get(camera).copied().unwrap_or(self.all)
    }

    /// Whether it asked for this camera by its name, not only for all.
    pub(super) fn names(&self, camera: &CameraId) -> bool {
        matches!(self.cameras.get(camera), Some(Some(_)))
    }

    /// Whether it wants to know how a camera is: also of one that it left out of all, to have it
    /// again when there is something to see.
    pub(super) fn hears_of(&self, camera: &CameraId) -> bool {
        self.all.is_some() || self.of(camera).is_some()
    }
}

/// Whether more can be written now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Sent {
    /// All of it is with the kernel.
    Whole,
    /// The kernel took a part; the rest is kept and comes first.
    Partly,
    /// The kernel took nothing, and nothing was kept.
    Nothing,
    /// The connection is gone.
    Dead,
}

/// A text message on its way.
#[derive(Debug, Clone)]
pub(super) struct Text {
    /// The whole WebSocket frame.
    pub message: Bytes,
    /// The camera whose state it tells.
    pub state_of: Option<CameraId>,
}

impl From<Bytes> for Text {
    fn from(message: Bytes) -> Self {
        Self { message, state_of: None }
    }
}

pub(super) struct Viewer {
    pub id: u64,
    /// Looked at for every frame.
    line: Arc<Line>,
    pub wants: Wants,
    /// Keys of this viewer's subscriptions.
    pub subscriptions: IndexMap<CameraId, usize>,
    /// Index of the subscription to be served next, so that each gets its turn on a slow link.
    pub turn: usize,
    /// Ends the reading half.
    ended: CancellationToken,
    dead: bool,
    /// A message that is begun: no other may come before its end.
    begun: Option<Bytes>,
    pong: Option<Bytes>,
    texts: VecDeque<Text>,
    text_bytes: usize,
    close: Option<Bytes>,
    /// Set when the kernel took less than all, until it is writable again.
    blocked_since: Option<Instant>,
    /// Set with `close`: until when it may be read.
    close_by: Option<Instant>,
}

/// All that a frame needs of a viewer, side by side: with thousands of viewers, each further place in
/// memory is a wait for it.
#[derive(Debug)]
pub(super) struct Line {
    format: Format,
    /// Whether a frame could start now: nothing is begun, the kernel takes more, and the viewer is not
    /// at its end. Only its writer looks.
    free: AtomicBool,
    pub(super) socket: TcpStream,
}

impl Viewer {
    pub(super) fn new(id: u64, line: Arc<Line>, wants: Wants, ended: CancellationToken) -> Self {
        Self {
            id,
            line,
            wants,
            subscriptions: IndexMap::new(),
            turn: 0,
            ended,
            dead: false,
            begun: None,
            pong: None,
            texts: VecDeque::new(),
            text_bytes: 0,
            close: None,
            blocked_since: None,
            close_by: None,
        }
    }

    /// Its socket, and what frames need besides.
    pub(super) fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// To be called after each change of what it depends on.
    fn settle(&mut self) {
        let free = self.blocked_since.is_none()
            && self.begun.is_none()
            && self.close_by.is_none()
            && !self.dead;
        self.line.free.store(free, Relaxed);
    }

    /// Whether the kernel takes nothing at present.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked_since.is_some()
    }

    /// The kernel takes more again.
    pub(super) fn unblock(&mut self) {
        self.blocked_since = None;
        self.settle();
    }

    /// The connection is gone: nothing more is written, and the reading half ends.
    pub(super) fn die(&mut self) {
        self.dead = true;
        self.ended.cancel();
        self.settle();
    }

    /// Cancelled when the connection is gone.
    pub(super) fn ended(&self) -> CancellationToken {
        self.ended.clone()
    }

    /// Whether the connection is gone.
    pub(super) fn is_dead(&self) -> bool {
        self.dead
    }

    /// Queues a text message. One with the state of a camera replaces an older one of that camera that
    /// still waits. False when too many wait: the viewer has to be closed.
    #[must_use]
    pub(super) fn text(&mut self, text: Text) -> bool {
        if self.close_by.is_some() {
            return true;
        }
        if let Some(camera) = &text.state_of
            && let Some(older) = self.texts.iter().position(|t| t.state_of.as_ref() == Some(camera))
            && let Some(older) = self.texts.remove(older)
        {
            self.text_bytes -= older.message.len();
        }
        // The first in the queue always fits: the first message of all may list many cameras.
        let fits = self.texts.is_empty()
            || self.texts.len() < MAX_TEXTS
                && self.text_bytes + text.message.len() <= MAX_TEXT_BYTES;
        if fits {
            self.text_bytes += text.message.len();
            self.texts.push_back(text);
        }
        fits
    }

    /// Queues a control frame; a newer pong replaces one that waits (RFC 6455, 5.5.3).
    pub(super) fn control(&mut self, frame: Bytes) {
        if self.close_by.is_none() {
            self.pong = Some(frame);
        }
    }

    /// Starts the end: what is begun is finished, then comes this close frame, then nothing.
    pub(super) fn close(&mut self, frame: Bytes, now: Instant) {
        if self.close_by.is_none() {
            self.close = Some(frame);
            self.close_by = Some(now + CLOSE_TIMEOUT);
            self.texts.clear();
            self.text_bytes = 0;
            self.pong = None;
            self.settle();
        }
    }

    /// Whether it had its time: closed and not read, so that the connection is cut.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.close_by.is_some_and(|by| now >= by)
    }

    /// Whether it has taken no byte for [`NOT_READING`] while some waited.
    pub(super) fn is_not_reading(&self, now: Instant) -> bool {
        let since = self.blocked_since.filter(|_| self.close_by.is_none());
        since.is_some_and(|since| now.saturating_duration_since(since) >= NOT_READING)
    }

    /// Writes what waits, in order: the message that is begun, control frames, texts, the close.
    pub(super) fn flush(&mut self, now: Instant) -> Sent {
        let sent = self.flush_all(now);
        self.settle();
        sent
    }

    fn flush_all(&mut self, now: Instant) -> Sent {
        loop {
            let next = self.begun.take().or_else(|| self.pong.take());
            let next = next.or_else(|| self.next_text()).or_else(|| self.close.take());
            let Some(message) = next else { return Sent::Whole };
            match self.write(&message, now) {
                Sent::Whole => {}
                Sent::Nothing => {
                    // Back to the front: it is as good as begun.
                    self.begun = Some(message);
                    return Sent::Partly;
                }
                other => return other,
            }
        }
    }

    fn next_text(&mut self) -> Option<Bytes> {
        let text = self.texts.pop_front()?;
        self.text_bytes -= text.message.len();
        Some(text.message)
    }

    /// Hands one whole message to the kernel, as much as it takes.
    fn write(&mut self, message: &Bytes, now: Instant) -> Sent {
        let taken = self.line.send(message);
        self.taken(taken, message, now)
    }

    /// What came of [`Line::send`] with a whole message.
    pub(super) fn taken(&mut self, n: io::Result<usize>, message: &Bytes, now: Instant) -> Sent {
        match n {
            Ok(n) if n == message.len() => Sent::Whole,
            Ok(0) => Sent::Dead,
            Ok(n) => {
                self.begun = Some(message.slice(n..));
                self.blocked_since = Some(now);
                self.settle();
                Sent::Partly
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.blocked_since.get_or_insert(now);
                self.settle();
                Sent::Nothing
            }
            Err(_) => Sent::Dead,
        }
    }
}

impl Line {
    /// Of a viewer that has just come.
    pub(super) fn new(socket: TcpStream, format: Format) -> Self {
        Self { format, free: AtomicBool::new(true), socket }
    }

    /// What frames are wrapped in for the viewer.
    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Whether a frame could start now.
    pub(super) fn is_free(&self) -> bool {
        self.free.load(Relaxed)
    }

    /// Straight to the kernel: what tokio knows of the socket is one more place in memory, and needed
    /// only where the socket is full.
    pub(super) fn send(&self, message: &[u8]) -> io::Result<usize> {
        match rustix::net::send(&self.socket, message, rustix::net::SendFlags::NOSIGNAL) {
            Err(rustix::io::Errno::AGAIN) => self.socket.try_write(message),
            sent => Ok(sent?),
        }
    }
}
