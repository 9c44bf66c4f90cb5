//! Where pictures come from. Each source is a thread that keeps the newest picture in a slot.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use thiserror::Error;
use tokio::sync::watch;

use super::{Options, clock::local_us};
use crate::{
    synth::{Pattern, Variant},
    wire::{
        mjpeg, multipart,
        pieces::{Piece, SplitError},
    },
};

/// Largest picture read from standard input: as much as any server can be set to take.
const MAX_FRAME_BYTES: usize = 64 << 20;
/// Bytes asked of standard input at a time: what a pipe holds.
const READ_BYTES: usize = 64 << 10;

/// Why there are no pictures.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The folder cannot be read.
    #[error("cannot read the folder {}: {error}", path.display())]
    Folder {
        /// As given.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// Nothing in it.
    #[error("there is no .jpg or .jpeg file that can be read in {}", .0.display())]
    Empty(PathBuf),
    /// Standard input cannot be read.
    #[error("cannot read standard input: {0}")]
    Stdin(io::Error),
    /// It carries something else.
    #[error("standard input is no MJPEG stream: {0}")]
    NotMjpeg(SplitError),
    /// It carried nothing.
    #[error("standard input ended without a picture; pipe an MJPEG stream into it")]
    NoPicture,
    /// No thread could be started, or it failed.
    #[error("the source of pictures failed: {0}")]
    Thread(String),
}

/// One picture.
#[derive(Debug)]
pub(super) struct Picture {
    pub jpeg: Vec<u8>,
    /// On this machine's clock.
    pub captured_us: u64,
    /// From 1; a gap says that pictures were skipped.
    pub index: u64,
}

/// The newest picture, and who makes the next.
#[derive(Debug)]
pub(super) struct Source {
    pub newest: watch::Receiver<Option<Arc<Picture>>>,
    thread: Option<JoinHandle<Result<(), SourceError>>>,
}

impl Source {
    /// Starts the source that the options ask for.
    pub(super) fn start(options: &Options) -> Result<Self, SourceError> {
        let (sender, newest) = watch::channel(None);
        let slot = Slot { sender, index: 0 };
        let period = Duration::from_secs_f64(1.0 / options.fps);
        let work: Box<dyn FnOnce() -> Result<(), SourceError> + Send> = if options.stdin {
            Box::new(move || stdin(slot, io::stdin().lock()))
        } else if let Some(folder) = &options.folder {
            let (files, repeat) = (list(folder)?, options.repeat);
            let folder = folder.clone();
            Box::new(move || play(slot, period, &folder, &files, repeat))
        } else {
            let (width, height) = options.size;
            let pattern = Pattern::new(width, height, Variant::Clock).with_quality(options.quality);
            Box::new(move || draw(slot, period, pattern))
        };
        let thread = thread::Builder::new().name("pictures".into()).spawn(work);
        let thread = thread.map_err(|error| SourceError::Thread(error.to_string()))?;
        Ok(Self { newest, thread: Some(thread) })
    }

    /// How it ended, once [`Self::newest`] is closed.
    pub(super) fn outcome(mut self) -> Result<(), SourceError> {
        let failed = |_| SourceError::Thread("it panicked".into());
        self.thread.take().map_or(Ok(()), |thread| thread.join().map_err(failed)?)
    }
}

/// Where a source puts its newest picture.
struct Slot {
    sender: watch::Sender<Option<Arc<Picture>>>,
    index: u64,
}

impl Slot {
    /// False when nobody wants more.
    fn put(&mut self, jpeg: Vec<u8>, captured_us: u64) -> bool {
        self.index += 1;
        let picture = Picture { jpeg, captured_us, index: self.index };
        self.sender.send(Some(Arc::new(picture))).is_ok()
    }
}

/// When the next picture is due; after a pause the missed ones are left out.
struct Pace {
    due: Instant,
    period: Duration,
}

impl Pace {
    fn new(period: Duration) -> Self {
        Self { due: Instant::now(), period }
    }

    fn wait(&mut self) {
        let now = Instant::now();
        thread::sleep(self.due.saturating_duration_since(now));
        self.due = (self.due + self.period).max(now);
    }
}

fn draw(mut slot: Slot, period: Duration, mut pattern: Pattern) -> Result<(), SourceError> {
    let mut pace = Pace::new(period);
    for n in 1.. {
        pace.wait();
        let captured_us = local_us();
        if !slot.put(pattern.frame(captured_us, n), captured_us) {
            break;
        }
    }
    Ok(())
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let fail = |error| SourceError::Folder { path: folder.to_owned(), error };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        if extension == "jpg" || extension == "jpeg" {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() { Err(SourceError::Empty(folder.to_owned())) } else { Ok(files) }
}

fn play(
    mut slot: Slot,
    period: Duration,
    folder: &Path,
    files: &[PathBuf],
    repeat: bool,
) -> Result<(), SourceError> {
    let mut pace = Pace::new(period);
    loop {
        let before = slot.index;
        for file in files {
            // A file that went away since is left out, as is one that is being written.
            let Ok(jpeg) = std::fs::read(file) else { continue };
            pace.wait();
            if !slot.put(jpeg, local_us()) {
                return Ok(());
            }
        }
        if slot.index == before {
            return Err(SourceError::Empty(folder.to_owned()));
        }
        if !repeat {
            // The last picture stays for as long as each of the others did.
            pace.wait();
            return Ok(());
        }
    }
}

/// Either kind of stream.
enum Splitter {
    Mjpeg(mjpeg::Splitter),
    Multipart(multipart::Splitter),
}

impl Splitter {
    /// By how the stream starts.
    fn for_stream(start: &[u8]) -> Self {
        if start.first() == Some(&0xFF) {
            Self::Mjpeg(mjpeg::Splitter::new(MAX_FRAME_BYTES, 0))
        } else {
            Self::Multipart(multipart::Splitter::new(None, MAX_FRAME_BYTES, 0))
        }
    }

    fn next(&mut self, input: &mut &[u8]) -> Result<Option<Piece>, SplitError> {
        match self {
            Self::Mjpeg(splitter) => splitter.next(input),
            Self::Multipart(splitter) => splitter.next(input),
        }
    }
}

fn stdin(mut slot: Slot, mut input: impl Read) -> Result<(), SourceError> {
    let mut buf = vec![0; READ_BYTES];
    let mut splitter = None;
    loop {
        let n = match input.read(&mut buf) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(SourceError::Stdin(error)),
        };
        let mut rest = &buf[..n];
        let splitter = splitter.get_or_insert_with(|| Splitter::for_stream(rest));
        while let Some(piece) = splitter.next(&mut rest).map_err(SourceError::NotMjpeg)? {
            match piece {
                Piece::Frame(jpeg) => {
                    if !slot.put(jpeg, local_us()) {
                        return Ok(());
                    }
                }
                // Whoever wrote it will write the next one right.
                Piece::TooLarge { .. } | Piece::Garbage => {}
                Piece::End => return Ok(()),
            }
        }
    }
    if slot.index == 0 { Err(SourceError::NoPicture) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot() -> (Slot, watch::Receiver<Option<Arc<Picture>>>) {
        let (sender, receiver) = watch::channel(None);
        (Slot { sender, index: 0 }, receiver)
    }

    fn newest(receiver: &watch::Receiver<Option<Arc<Picture>>>) -> (u64, Vec<u8>) {
        let picture = receiver.borrow().clone().unwrap();
        (picture.index, picture.jpeg.clone())
    }

    #[test]
    fn both_kinds_of_stream_are_told_apart_and_cut() {
        let mut pattern = Pattern::new(64, 48, Variant::Bars);
        let jpegs = [pattern.frame(1, 1), pattern.frame(400_000, 2)];
        let (mjpeg, receiver) = slot();
        stdin(mjpeg, &jpegs.concat()[..]).unwrap();
        assert_eq!(newest(&receiver), (2, jpegs[1].clone()));

        let mut body = Vec::new();
        for jpeg in &jpegs {
            body.extend_from_slice(b"--ffmpeg\r\nContent-Type: image/jpeg\r\n\r\n");
            body.extend_from_slice(jpeg);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--ffmpeg--\r\n");
        let (multipart, receiver) = slot();
        stdin(multipart, &body[..]).unwrap();
        assert_eq!(newest(&receiver), (2, jpegs[1].clone()));
    }

    #[test]
    fn what_is_no_stream_is_an_error() {
        let nothing = stdin(slot().0, &b""[..]);
        assert!(matches!(nothing, Err(SourceError::NoPicture)), "{nothing:?}");
        let text = stdin(slot().0, io::repeat(b'x').take(1 << 30));
        assert!(matches!(text, Err(SourceError::NotMjpeg(_))), "{text:?}");
    }

    #[test]
    fn a_folder_is_played_in_the_order_of_its_names() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.JPG", "a.jpeg", "c.txt"] {
            std::fs::write(dir.path().join(name), name).unwrap();
        }
        let files = list(dir.path()).unwrap();
        let names: Vec<_> = files.iter().filter_map(|file| file.file_name()).collect();
        assert_eq!(names, ["a.jpeg", "b.JPG"]);
        let (slot, receiver) = slot();
        play(slot, Duration::from_millis(1), dir.path(), &files, false).unwrap();
        assert_eq!(newest(&receiver), (2, b"b.JPG".to_vec()));
        assert!(matches!(list(Path::new("/nonexistent")), Err(SourceError::Folder { .. })));
    }
}
