//! MJPEG over HTTP: parts one after the other, or JPEGs on end.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::header::CONTENT_TYPE;

use super::{
    http::{self, Answer},
    live::{Dial, Event},
    words,
};
use crate::{
    ingest::push_body::Kind,
    net::guard::Pinned,
    relay::Failure,
    wire::{
        mjpeg, multipart,
        pieces::{Piece, SplitError},
    },
};

enum Splitter {
    Multipart(multipart::Splitter),
    Plain(mjpeg::Splitter),
}

impl Splitter {
    fn next(&mut self, input: &mut &[u8]) -> Result<Option<Piece>, SplitError> {
        match self {
            Self::Multipart(splitter) => splitter.next(input),
            Self::Plain(splitter) => splitter.next(input),
        }
    }
}

/// A camera's answer, read picture by picture.
pub(super) struct Mjpeg {
    answer: Answer,
    splitter: Splitter,
    headroom: usize,
    /// Read, and not yet split.
    rest: Bytes,
}

impl Mjpeg {
    /// Asks for the stream.
    pub(super) async fn connect(dial: &Dial<'_>, pinned: Pinned) -> Result<Self, Failure> {
        let answer = http::get(dial, pinned).await?;
        let media = answer.response.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
        let media = media.unwrap_or_default();
        let (max_bytes, headroom) = (dial.max_bytes, dial.headroom);
        let splitter = match Kind::of(media) {
            Kind::Multipart(boundary) => Splitter::Multipart(multipart::Splitter::new(
                boundary.as_deref(),
                max_bytes,
                headroom,
            )),
            Kind::Still => return Err(not_mjpeg("a single picture")),
            Kind::Unsaid if media.starts_with("text/") => return Err(not_mjpeg("a page")),
            Kind::Unsaid => Splitter::Plain(mjpeg::Splitter::new(max_bytes, headroom)),
        };
        Ok(Self { answer, splitter, headroom, rest: Bytes::new() })
    }

    /// The next picture. Cancel safe.
    pub(super) async fn next(&mut self) -> Result<Event, Failure> {
        loop {
            while !self.rest.is_empty() {
                let mut input = &self.rest[..];
                let piece = self.splitter.next(&mut input);
                let used = self.rest.len() - input.len();
                self.rest = self.rest.slice(used..);
                match piece.map_err(|_| words::garbage("MJPEG"))? {
                    Some(Piece::Frame(buf)) => return Ok(Event::Jpeg(buf, self.headroom)),
                    Some(Piece::End) => return Err(words::ended()),
                    Some(Piece::TooLarge { .. } | Piece::Garbage) | None => {}
                }
            }
            match self.answer.response.body_mut().frame().await {
                Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
                Some(Err(_)) => return Err(words::broken()),
                None => return Err(words::ended()),
            }
        }
    }
}

fn not_mjpeg(what: &str) -> Failure {
    let message =
        format!("the address answers with {what}, not with an MJPEG stream: check the path");
    Failure::new("bad_stream", message)
}
