//! One legacy client as a publisher: its id, its camera, and what becomes of its pictures.
//!
//! Belongs here: registration, whose frame it is, the order of frames. Does not: sockets, or the
//! messages' JSON.

use std::net::SocketAddr;

use crate::{
    ingest::{
        Ingest,
        claim::Claim,
        frames::{Fault, FrameSink, Taken},
    },
    relay::{CameraId, Publisher as Publishes, Transport},
    wire::{
        envelope, jpeg,
        legacy::{Frame, decode_picture},
    },
};

/// A frame sent this long before the newest, or less, came late; one further back means that the
/// publisher's clock was set, and the count starts anew. A frame on its way for longer is not
/// live: the channel repeats nothing.
const LATE_WINDOW_MS: i64 = 2000;

/// What became of a picture.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Given {
    /// Taken by the camera, or refused by it.
    Taken(Taken),
    /// Not for any camera of this client.
    NoCamera(Fault),
}

/// See the module's header.
#[derive(Debug, Default)]
pub(super) struct Publisher {
    registered: Option<CameraId>,
    from: Option<SocketAddr>,
    /// The camera itself, from the first good picture on: a client that only registers, or sends
    /// rubbish, takes nothing from a publisher that sends.
    sink: Option<FrameSink>,
    order: Order,
}

impl Publisher {
    /// Nobody yet.
    pub fn connecting_from(from: Option<SocketAddr>) -> Self {
        Self { from, ..Self::default() }
    }

    /// Gives the client its id, or checks that it is the one it has.
    pub fn register(&mut self, client: &str) -> Result<&CameraId, Fault> {
        if let Some(registered) = &self.registered
            && registered.as_str() != client
        {
            let shown: String = client.chars().take(65).collect();
            let message = format!(
                "this connection is registered as {registered:?}; {shown:?} needs its own connection"
            );
            return Err(Fault { code: "bad_message", message });
        }
        let camera = match self.registered.take() {
            Some(registered) => registered,
            None => CameraId::parse(client).map_err(|error| {
                let message = format!("clientId {error}");
                Fault { code: "bad_camera_id", message }
            })?,
        };
        Ok(self.registered.insert(camera))
    }

    /// Whose message it is: v2 registered a client by any message that bore its id, so does this.
    pub fn identify(&mut self, client: Option<&str>) -> Result<&CameraId, Fault> {
        match client {
            Some(client) => self.register(client),
            None => self.registered.as_ref().ok_or_else(|| Fault {
                code: "bad_message",
                message: r#"register first: {"type":"client-registration","clientId":"…"}"#.into(),
            }),
        }
    }

    /// Takes a `webcam_frame`.
    pub fn frame(&mut self, ingest: &Ingest, client: Option<&str>, frame: &Frame<'_>) -> Given {
        let headroom = match self.identify(client) {
            Ok(camera) => envelope::headroom(camera.as_str().len()),
            Err(fault) => return Given::NoCamera(fault),
        };
        let limits = &ingest.registry.limits().frame;
        let buf = match decode_picture(&frame.data, headroom, limits.max_bytes) {
            Ok(buf) => buf,
            Err(error) => return self.refuse(error.code(), error.to_string()),
        };
        let late = self.order.is_late(frame.sent_ms);
        let sink = match self.sink(ingest, &buf[headroom..]) {
            Ok(sink) => sink,
            Err(given) => return given,
        };
        if late {
            return Given::Taken(sink.late());
        }
        let taken = sink.built(buf);
        // What is refused must not count as the newest.
        if taken == Taken::Ok {
            self.order.newest(frame.sent_ms);
        }
        Given::Taken(taken)
    }

    /// Takes a binary message: v2 took one as a bare picture.
    pub fn binary(&mut self, ingest: &Ingest, message: &[u8]) -> Given {
        if let Err(fault) = self.identify(None) {
            return Given::NoCamera(fault);
        }
        match self.sink(ingest, message) {
            Ok(sink) => Given::Taken(sink.jpeg(message)),
            Err(given) => given,
        }
    }

    /// Resolves when a newer publisher has taken the camera. Cancel safe.
    pub async fn replaced(&self) {
        match &self.sink {
            Some(sink) => sink.claim().replaced().await,
            None => std::future::pending().await,
        }
    }

    /// Takes the camera offline.
    pub fn close(&mut self, reason: &str) {
        if let Some(sink) = self.sink.take() {
            sink.close(reason);
        }
    }

    /// The camera, taken now if `picture` is the first good one.
    fn sink(&mut self, ingest: &Ingest, picture: &[u8]) -> Result<&mut FrameSink, Given> {
        if self.sink.is_none() {
            if let Err(error) = jpeg::inspect(picture, &ingest.registry.limits().frame) {
                return Err(self.refuse(error.code(), error.to_string()));
            }
            let camera = self.identify(None).map_err(Given::NoCamera)?.clone();
            let (transport, from) = (Transport::Legacy, self.from);
            let publisher = Publishes { transport, name: None, from };
            let claim = Claim::new(&ingest.registry, camera, publisher)
                .map_err(|error| Given::Taken(Taken::NotNow(error)))?;
            self.sink = Some(FrameSink::new(claim));
        }
        Ok(self.sink.as_mut().expect("it was made above"))
    }

    fn refuse(&mut self, code: &'static str, message: String) -> Given {
        match &mut self.sink {
            Some(sink) => Given::Taken(sink.refuse_frame(code, message)),
            None => Given::NoCamera(Fault { code, message }),
        }
    }
}

/// The order of a client's frames by their sending times. Those are of the publisher's own clock,
/// which nothing in v2 compares with the server's: the capture time stays unknown.
#[derive(Debug, Default)]
struct Order {
    newest_ms: Option<i64>,
}

impl Order {
    fn is_late(&self, sent_ms: Option<i64>) -> bool {
        let behind = self.newest_ms.zip(sent_ms).map(|(newest, sent)| newest.saturating_sub(sent));
        behind.is_some_and(|ms| (1..=LATE_WINDOW_MS).contains(&ms))
    }

    fn newest(&mut self, sent_ms: Option<i64>) {
        self.newest_ms = sent_ms.or(self.newest_ms);
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::*;
    use crate::relay::{Clock, DropReason, Limits, Presence, Registry};

    fn ingest() -> Ingest {
        Ingest { registry: Registry::new(Limits::default(), Clock::system()) }
    }

    fn picture(fill: u8) -> String {
        STANDARD.encode(jpeg::skeleton(64, 48, 200, fill))
    }

    fn give(publisher: &mut Publisher, to: &Ingest, data: &str, sent_ms: Option<i64>) -> Given {
        publisher.frame(to, None, &Frame { data: Cow::Borrowed(data), sent_ms })
    }

    #[test]
    fn the_camera_is_taken_by_the_first_good_picture() {
        let (ingest, mut publisher) = (ingest(), Publisher::default());
        publisher.register("cam").unwrap();
        assert!(ingest.registry.get("cam").is_none());
        for bad in ["*", "AAAA"] {
            let Given::NoCamera(fault) = give(&mut publisher, &ingest, bad, None) else { panic!() };
            assert_eq!(fault.code, "not_jpeg");
            assert!(ingest.registry.get("cam").is_none());
        }
        assert_eq!(give(&mut publisher, &ingest, &picture(1), None), Given::Taken(Taken::Ok));
        let camera = ingest.registry.get("cam").unwrap();
        let transport = Transport::Legacy;
        assert!(
            matches!(camera.presence(), Presence::Online { transport: t, .. } if t == transport)
        );
        assert_eq!(camera.latest().unwrap().captured_us, 0);
        publisher.close("gone");
        assert!(matches!(camera.presence(), Presence::Offline { .. }));
    }

    #[test]
    fn a_refused_picture_is_counted_once_the_camera_is_there() {
        let (ingest, mut publisher) = (ingest(), Publisher::default());
        publisher.register("cam").unwrap();
        assert_eq!(give(&mut publisher, &ingest, &picture(1), None), Given::Taken(Taken::Ok));
        assert!(matches!(
            give(&mut publisher, &ingest, "*", None),
            Given::Taken(Taken::Refused(Some(_)))
        ));
        assert_eq!(ingest.registry.get("cam").unwrap().snapshot().drops["not_jpeg"], 1);
    }

    #[test]
    fn one_connection_is_one_camera() {
        let (ingest, mut publisher) = (ingest(), Publisher::default());
        publisher.register("cam").unwrap();
        assert!(publisher.register("cam").is_ok());
        assert_eq!(publisher.register("other").unwrap_err().code, "bad_message");
        let frame = Frame { data: picture(1).into(), sent_ms: None };
        assert!(matches!(publisher.frame(&ingest, Some("other"), &frame), Given::NoCamera(_)));
        assert!(ingest.registry.get("other").is_none());
        assert_eq!(publisher.frame(&ingest, Some("cam"), &frame), Given::Taken(Taken::Ok));
    }

    #[test]
    fn ids_that_are_no_camera_ids_are_refused_with_the_pattern() {
        let mut publisher = Publisher::default();
        let fault = publisher.register("living room").unwrap_err();
        assert_eq!(fault.code, "bad_camera_id");
        assert!(fault.message.contains("letters, digits"), "{}", fault.message);
        assert!(publisher.register("living-room").is_ok(), "and it may try again");
    }

    #[test]
    fn a_frame_without_any_id_is_told_to_register() {
        let (ingest, mut publisher) = (ingest(), Publisher::default());
        for given in [
            give(&mut publisher, &ingest, &picture(1), None),
            publisher.binary(&ingest, &jpeg::skeleton(64, 48, 200, 1)),
        ] {
            let Given::NoCamera(fault) = given else { panic!("{given:?}") };
            assert!(fault.message.contains("client-registration"), "{}", fault.message);
        }
    }

    #[test]
    fn an_older_frame_never_overtakes_and_a_clock_set_back_stops_nothing() {
        let (ingest, mut publisher) = (ingest(), Publisher::default());
        publisher.register("cam").unwrap();
        let mut seqs = Vec::new();
        let times =
            [Some(10_000), Some(10_066), Some(10_033), None, Some(8066), Some(8065), Some(1)];
        for (n, sent_ms) in times.into_iter().enumerate() {
            let given = give(&mut publisher, &ingest, &picture(n as u8), sent_ms);
            assert_eq!(given, Given::Taken(Taken::Ok));
            seqs.push(ingest.registry.get("cam").unwrap().latest().unwrap().seq);
        }
        assert_eq!(seqs, [1, 2, 2, 3, 3, 4, 5]);
        let drops = ingest.registry.get("cam").unwrap().snapshot().drops;
        assert_eq!(drops[DropReason::Late.name()], 2);
    }
}
