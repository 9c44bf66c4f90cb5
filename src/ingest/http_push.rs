//! Publishing over HTTP: `POST` or `PUT` to `/publish/{camera}`.
//!
//! Belongs here: what is done with a body, and the answers. Does not: reading the
//! body, where a frame ends in it (`wire`), who holds a camera between two stills ([`Stills`]).

use std::{collections::BTreeMap, net::SocketAddr};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Ingest,
    claim::{Claim, Denied},
    push_body::{Kind, Reader, Stop},
    refusals::Refusals,
    stills::Stills,
};
use crate::{
    net::{ApiError, Id, Lifetime, Peer, Query, Upload},
    relay::{CameraId, DropReason, Outcome, PublishError, Publisher, Refused, Stamp, Transport},
    wire::{envelope, jpeg::JpegError, mjpeg, multipart, pieces::Piece},
};

/// The HTTP door in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HttpPush {
    ingest: Ingest,
    stills: Stills,
    refusals: Refusals,
}

/// What any publisher may say in the query.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct PublishQuery {
    /// The camera's name for people, at most 80 characters. Default: the id.
    pub name: Option<String>,
}

/// The answer to an endless body, once it has ended.
#[derive(Debug, Serialize)]
pub struct Summary {
    camera: String,
    /// Frames taken.
    frames: u64,
    /// Frames refused, by error code.
    refused: BTreeMap<&'static str, u64>,
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        Self::new(refused.code(), refused.to_string())
    }
}

impl From<PublishError> for ApiError {
    fn from(error: PublishError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl HttpPush {
    /// With no stills yet.
    pub fn new(ingest: Ingest) -> Self {
        let stills = Stills::new(ingest.registry.clone());
        Self { ingest, stills, refusals: Refusals::default() }
    }

    async fn take(&self, asked: Asked<'_>, body: &mut Reader) -> Result<Response, ApiError> {
        let id = CameraId::parse(asked.camera);
        let id = id.map_err(|error| ApiError::new("bad_camera_id", error.to_string()))?;
        let publisher =
            Publisher { transport: Transport::Http, name: asked.name, from: asked.from };
        let claim = Claim::new(&self.ingest.registry, id.clone(), publisher.clone())?;
        if asked.kind == Kind::Still {
            return self.still(&id, publisher, asked.length, body).await;
        }
        let (splitter, head) = self.splitter(&id, &asked.kind, body).await?;
        let mut stream = Stream {
            claim,
            splitter,
            refusals: &self.refusals,
            from: asked.from,
            frames: 0,
            refused: BTreeMap::new(),
            fault: None,
        };
        let ended = stream.run(head, body).await;
        let Stream { claim, frames, refused, fault, .. } = stream;
        match ended {
            // `curl -T picture.jpg` does not say what it sends, and means one still.
            Ok(()) if frames == 1 && asked.length.is_some() => {
                if let Some(producer) = claim.into_producer() {
                    self.stills.adopt(producer, body.lifetime());
                }
            }
            Ok(()) if frames == 0 => return Err(fault.unwrap_or_else(no_pictures)),
            Ok(()) => claim.close("the push ended"),
            Err(error) => {
                claim.close(&error.reason);
                return Err(error.answer);
            }
        }
        Ok(Json(Summary { camera: id.to_string(), frames, refused }).into_response())
    }

    async fn still(
        &self,
        id: &CameraId,
        publisher: Publisher,
        length: Option<u64>,
        body: &mut Reader,
    ) -> Result<Response, ApiError> {
        let max_bytes = self.ingest.registry.limits().frame.max_bytes;
        let too_large = |bytes: u64| {
            let error = JpegError::TooLarge { bytes, max_bytes };
            self.stills.refused(id, error.code());
            ApiError::new(error.code(), error.to_string())
        };
        let announced = length.unwrap_or(0);
        if announced > max_bytes as u64 {
            return Err(too_large(announced));
        }
        let headroom = envelope::headroom(id.as_str().len());
        let room = usize::try_from(announced).unwrap_or(0);
        let mut buf = Vec::with_capacity(headroom + room);
        buf.resize(headroom, 0);
        while let Some(chunk) = body.chunk(None).await.map_err(|stop| stop.answer)? {
            let bytes = buf.len() - headroom + chunk.len();
            if bytes > max_bytes {
                return Err(too_large(bytes as u64));
            }
            buf.extend_from_slice(chunk);
        }
        let outcome = self.stills.publish(id, publisher, buf, body.lifetime())?;
        let (Outcome::Published { seq } | Outcome::Duplicate { seq }) = outcome else {
            return Err(ApiError::new("bad_request", "a still without a number cannot be late"));
        };
        Ok(Json(json!({"camera": id, "seq": seq})).into_response())
    }

    /// Looks at a body's first bytes. Returns them too.
    async fn splitter(
        &self,
        id: &CameraId,
        kind: &Kind,
        body: &mut Reader,
    ) -> Result<(Splitter, Vec<u8>), ApiError> {
        let max_bytes = self.ingest.registry.limits().frame.max_bytes;
        let headroom = envelope::headroom(id.as_str().len());
        let mut head = Vec::new();
        while let Some(chunk) = body.chunk(None).await.map_err(|stop| stop.answer)? {
            // Line ends before the first boundary say nothing.
            let blank =
                if head.is_empty() { chunk.len() - chunk.trim_ascii_start().len() } else { 0 };
            head.extend_from_slice(&chunk[blank..]);
            if head.len() >= 2 {
                break;
            }
        }
        let multipart =
            |boundary| Splitter::Multipart(multipart::Splitter::new(boundary, max_bytes, headroom));
        let splitter = match (kind, head.get(..2)) {
            (Kind::Multipart(boundary), _) => multipart(boundary.as_deref()),
            (_, Some(b"--")) => multipart(None),
            (_, Some([0xFF, 0xD8])) => Splitter::Jpegs(mjpeg::Splitter::new(max_bytes, headroom)),
            (_, start) => {
                self.stills.refused(id, "not_jpeg");
                let what = if start.is_some() { "starts otherwise" } else { "is empty" };
                let message = format!(
                    "send JPEGs (FF D8 ...) or multipart (--boundary ...); this body {what}"
                );
                return Err(ApiError::new("not_jpeg", message));
            }
        };
        Ok((splitter, head))
    }
}

/// Takes one request, see the module's header.
pub async fn push(
    State(door): State<HttpPush>,
    Id(camera): Id,
    Query(PublishQuery { name }): Query<PublishQuery>,
    Peer(from): Peer,
    lifetime: Lifetime,
    headers: HeaderMap,
    upload: Upload,
) -> Result<Response, ApiError> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok());
    let kind = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let kind = kind.map_or(Kind::Unsaid, Kind::of);
    let tasks = lifetime.tasks.clone();
    let inflow = if kind == Kind::Still { upload.through_http() } else { upload.direct() };
    let mut body = Reader::new(inflow, lifetime);
    // A client may close right behind its last byte, and the connection then drops this request;
    // what has arrived by then still counts.
    let taking = tasks.spawn(async move {
        let asked = Asked { camera: &camera, name, from, length, kind };
        let answer = door.take(asked, &mut body).await;
        if let Err(error) = &answer {
            door.refusals.tell(&camera, from, error);
        }
        body.drain();
        answer
    });
    taking.await.unwrap_or_else(|_| Err(ApiError::new("internal", "the push failed; see the log")))
}

/// The request line and header, as far as they matter.
struct Asked<'a> {
    camera: &'a str,
    name: Option<String>,
    from: Option<SocketAddr>,
    length: Option<u64>,
    kind: Kind,
}

enum Splitter {
    Multipart(multipart::Splitter),
    Jpegs(mjpeg::Splitter),
}

/// One endless body on its way to one camera.
struct Stream<'a> {
    claim: Claim,
    splitter: Splitter,
    refusals: &'a Refusals,
    from: Option<SocketAddr>,
    frames: u64,
    refused: BTreeMap<&'static str, u64>,
    /// What was wrong with the first that was refused.
    fault: Option<ApiError>,
}

impl Stream<'_> {
    async fn run(&mut self, head: Vec<u8>, body: &mut Reader) -> Result<(), Stop> {
        self.cut(&head)?;
        drop(head);
        while let Some(chunk) = body.chunk(Some(&self.claim)).await? {
            self.cut(chunk)?;
        }
        let last = match &mut self.splitter {
            Splitter::Multipart(splitter) => splitter.finish(),
            Splitter::Jpegs(splitter) => splitter.finish(),
        };
        last.map_or(Ok(()), |piece| self.settle(piece))
    }

    fn cut(&mut self, mut input: &[u8]) -> Result<(), Stop> {
        while let Some(piece) = match &mut self.splitter {
            Splitter::Multipart(splitter) => splitter.next(&mut input)?,
            Splitter::Jpegs(splitter) => splitter.next(&mut input)?,
        } {
            self.settle(piece)?;
        }
        Ok(())
    }

    fn settle(&mut self, piece: Piece) -> Result<(), Stop> {
        let fault = match piece {
            Piece::Frame(buf) => match self.claim.publish(buf, Stamp::default()) {
                Ok(_) => {
                    self.frames += 1;
                    return Ok(());
                }
                Err(Denied::Refused(Refused::Replaced(camera))) => {
                    return Err(Stop::replaced(&camera));
                }
                Err(Denied::NotNow(error)) => return Err(error.into()),
                // Counted already.
                Err(Denied::Refused(error)) => error.into(),
            },
            Piece::TooLarge { bytes } => {
                let max_bytes = self.claim.limits().max_bytes;
                self.count(JpegError::TooLarge { bytes, max_bytes })
            }
            Piece::Garbage => self.count(JpegError::NotJpeg("a marker is missing in its header")),
            Piece::End => return Ok(()),
        };
        *self.refused.entry(fault.code).or_default() += 1;
        self.refusals.tell(self.claim.camera().as_str(), self.from, &fault);
        self.fault.get_or_insert(fault);
        Ok(())
    }

    /// Counts a picture that was refused before it could be published.
    fn count(&self, error: JpegError) -> ApiError {
        if let Some(reason) = DropReason::from_code(error.code()) {
            self.claim.count(reason, 1);
        }
        Refused::from(error).into()
    }
}

/// The answer to a body in which nothing was found that could be a picture.
fn no_pictures() -> ApiError {
    let message = "the body ended without a picture; in multipart each part needs a line with -- and \
                   the boundary of the Content-Type before it, a blank line, and then a whole JPEG";
    ApiError::new("no_pictures", message)
}
