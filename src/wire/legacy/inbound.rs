//! What a legacy publisher sends.

use std::borrow::Cow;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::wire::{iso8601, jpeg};

/// What a message holds besides its picture, at most: the wrap around it, ids and times.
const BESIDES_PICTURE: usize = 4 << 10;

/// A data URL's head is shorter than this; `data:image/jpeg;base64,` has 23 bytes.
const MAX_DATA_URL_HEAD: usize = 128;

/// v2's server took base64 with and without padding; so does this.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// One message.
#[derive(Debug, PartialEq, Eq)]
pub struct FromPublisher<'a> {
    /// Whom it says it is from; not checked against anything yet.
    pub client: Option<Cow<'a, str>>,
    /// What it says.
    pub body: Body<'a>,
}

/// What a message says.
#[derive(Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// `client-registration`: the client gives its id.
    Registration,
    /// `offer`: a WebRTC offer.
    Offer {
        /// The session description.
        sdp: String,
    },
    /// `ice-candidate`: an address of the client.
    Candidate {
        /// `candidate:…`; empty or `None` at the end.
        candidate: Option<String>,
    },
    /// `webcam_frame`: a picture.
    Frame(Frame<'a>),
    /// `heartbeat`.
    Heartbeat,
    /// `answer`, `connection_status`, `text_message`, `error`: taken, and nothing follows. (This
    /// server makes no offers, and the socket itself tells whether the client is there.)
    Note,
}

/// A picture, still encoded. Its own word on its size is not read: the bytes tell.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Base64, with or without a data URL's head.
    pub data: Cow<'a, str>,
    /// When it was sent: Unix milliseconds **on the publisher's clock**, so good for the order of
    /// its frames and for nothing else. `None` if missing or not a time.
    pub sent_ms: Option<i64>,
}

/// Why a message is not one of these. The texts go to the client.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// Not a JSON object with the fields it should have.
    #[error("not a message of this protocol: {0}")]
    Malformed(String),
    /// A type that v2 did not have.
    #[error("unknown message type {0:?}")]
    UnknownType(String),
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed(crate::wire::brief(&error.to_string()))
    }
}

/// Why a picture's text is not a picture.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PictureError {
    /// The text.
    #[error("payload.data is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// The picture, as far as its length tells.
    #[error(transparent)]
    Jpeg(#[from] jpeg::JpegError),
}

impl PictureError {
    /// The stable error code of `docs/protocol.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Base64(_) => "not_jpeg",
            Self::Jpeg(error) => error.code(),
        }
    }
}

/// The fields that all messages may have. What is missing is not an error here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(rename = "type")]
    kind: Option<String>,
    client_id: Option<String>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Picture<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Description {
    sdp: String,
}

/// The browser's `RTCIceCandidate`, as far as it is needed.
#[derive(Deserialize)]
struct Candidate {
    candidate: Option<String>,
}

impl<'a> FromPublisher<'a> {
    /// Reads a text message. A picture's text is borrowed, not copied.
    ///
    /// # Errors
    /// See [`Unreadable`].
    pub fn parse(text: &'a str) -> Result<Self, Unreadable> {
        let outer: Envelope<'a> = serde_json::from_str(text)?;
        match (outer.kind.as_deref(), outer.payload) {
            (Some("data-channel-message"), Some(payload)) => {
                let mut message = wrapped(payload)?;
                message.client = message.client.or(outer.client_id.map(Cow::Owned));
                Ok(message)
            }
            (Some("data-channel-message"), None) => Ok(Self::new(outer.client_id, Body::Note)),
            (Some(_), _) => read(outer),
            (None, _) => Err(Unreadable::Malformed("it has no type".to_owned())),
        }
    }

    fn new(client: Option<String>, body: Body<'a>) -> Self {
        Self { client: client.map(Cow::Owned), body }
    }
}

/// What `data-channel-message` carries: a message, or as v2 also had it, a payload without its type
/// or plain text.
fn wrapped(payload: &RawValue) -> Result<FromPublisher<'_>, Unreadable> {
    if !payload.get().starts_with('{') {
        return Ok(FromPublisher::new(None, Body::Note));
    }
    let inner: Envelope<'_> = serde_json::from_str(payload.get())?;
    match inner.kind.as_deref() {
        Some(_) => read(inner),
        None => {
            let body = match serde_json::from_str::<Picture<'_>>(payload.get()) {
                Ok(Picture { data }) => {
                    Body::Frame(Frame { data, sent_ms: sent_ms(inner.timestamp) })
                }
                Err(_) => Body::Note,
            };
            Ok(FromPublisher::new(inner.client_id, body))
        }
    }
}

fn read(message: Envelope<'_>) -> Result<FromPublisher<'_>, Unreadable> {
    let Envelope { kind, client_id, timestamp, payload } = message;
    let kind = kind.unwrap_or_default();
    let payload = payload.map_or("null", RawValue::get);
    let body = match kind.as_str() {
        "client-registration" => Body::Registration,
        "offer" => {
            let Description { sdp } = serde_json::from_str(payload)?;
            Body::Offer { sdp }
        }
        "ice-candidate" => {
            let candidate: Option<Candidate> = serde_json::from_str(payload)?;
            Body::Candidate { candidate: candidate.and_then(|candidate| candidate.candidate) }
        }
        "webcam_frame" => {
            let Picture { data } = serde_json::from_str(payload)?;
            Body::Frame(Frame { data, sent_ms: sent_ms(timestamp) })
        }
        "heartbeat" => Body::Heartbeat,
        "answer" | "connection_status" | "text_message" | "error" => Body::Note,
        // What is echoed back stays short, whatever was sent.
        _ => return Err(Unreadable::UnknownType(kind.chars().take(64).collect())),
    };
    Ok(FromPublisher::new(client_id, body))
}

fn sent_ms(timestamp: Option<&RawValue>) -> Option<i64> {
    let text: String = serde_json::from_str(timestamp?.get()).ok()?;
    iso8601::parse_ms(&text)
}

/// Whether a connection's first message is of this dialect: it has one of the types above, and an
/// `offer` (which the modern dialect has too) carries a payload.
pub fn is_legacy(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Head {
        #[serde(rename = "type")]
        kind: String,
        payload: Option<IgnoredAny>,
    }
    let Ok(Head { kind, payload }) = serde_json::from_str(text) else { return false };
    match kind.as_str() {
        "offer" => payload.is_some(),
        "client-registration"
        | "data-channel-message"
        | "ice-candidate"
        | "webcam_frame"
        | "heartbeat"
        | "answer"
        | "connection_status"
        | "text_message"
        | "error" => true,
        _ => false,
    }
}

/// Longest text message, in bytes, that can hold a frame of `max_frame_bytes`.
pub fn max_message(max_frame_bytes: usize) -> usize {
    max_frame_bytes.div_ceil(3).saturating_mul(4).saturating_add(BESIDES_PICTURE)
}

/// Decodes a picture behind `headroom` zero bytes, so that the buffer can become the frame.
///
/// Costs 15 µs for 30 KB. The picture itself is looked at by [`jpeg::inspect`], later.
///
/// # Errors
/// When the text is not base64, or longer than `max_bytes` of picture can be.
pub fn decode_picture(
    text: &str,
    headroom: usize,
    max_bytes: usize,
) -> Result<Vec<u8>, PictureError> {
    let text = without_data_url_head(text.trim_ascii());
    let estimate = base64::decoded_len_estimate(text.len());
    // The estimate is rounded up by two bytes at the most.
    if estimate > max_bytes.saturating_add(2) {
        return Err(jpeg::JpegError::TooLarge { bytes: estimate as u64, max_bytes }.into());
    }
    let mut buf = vec![0; headroom + estimate];
    match BASE64.decode_slice(text, &mut buf[headroom..]) {
        Ok(len) => {
            buf.truncate(headroom + len);
            Ok(buf)
        }
        Err(base64::DecodeSliceError::DecodeError(error)) => Err(error.into()),
        Err(base64::DecodeSliceError::OutputSliceTooSmall) => {
            Err(base64::DecodeError::InvalidLength(text.len()).into())
        }
    }
}

fn without_data_url_head(text: &str) -> &str {
    let head = text.as_bytes().iter().take(MAX_DATA_URL_HEAD).position(|&byte| byte == b',');
    match head {
        Some(comma) if text.starts_with("data:") => &text[comma + 1..],
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: &str = r#"{"type":"webcam_frame","payload":{"data":"/9j/","size":3,"format":"jpeg"},"clientId":"a","timestamp":"1970-01-01T00:00:01.5Z"}"#;

    fn frame<'a>(text: &'a str) -> (Option<Cow<'a, str>>, Frame<'a>) {
        match FromPublisher::parse(text) {
            Ok(FromPublisher { client, body: Body::Frame(frame) }) => (client, frame),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_picture_is_borrowed_however_it_is_wrapped() {
        for text in [
            FRAME.to_owned(),
            format!(r#"{{"type":"data-channel-message","payload":{FRAME}}}"#),
            r#"{"type":"data-channel-message","clientId":"a","payload":{"data":"/9j/","size":3}}"#
                .to_owned(),
        ] {
            let (client, frame) = frame(&text);
            assert_eq!(client.as_deref(), Some("a"), "{text}");
            assert!(matches!(frame.data, Cow::Borrowed("/9j/")), "{text}");
        }
        assert_eq!(frame(FRAME).1.sent_ms, Some(1500));
    }

    #[test]
    fn an_escaped_picture_is_read_too() {
        let (client, frame) = frame(r#"{"payload":{"data":"\/9j\/"},"type":"webcam_frame"}"#);
        assert_eq!((client, &*frame.data, frame.sent_ms), (None, "/9j/", None));
    }

    #[test]
    fn a_wrap_in_a_wrap_is_refused_and_depth_costs_no_stack() {
        let once = format!(r#"{{"type":"data-channel-message","payload":{FRAME}}}"#);
        let twice = format!(r#"{{"type":"data-channel-message","payload":{once}}}"#);
        let refused = FromPublisher::parse(&twice);
        assert_eq!(refused, Err(Unreadable::UnknownType("data-channel-message".to_owned())));
        for deep in ["[".repeat(100_000), r#"{"payload":"#.repeat(100_000)] {
            assert!(FromPublisher::parse(&deep).is_err());
            assert!(!is_legacy(&deep));
        }
    }

    #[test]
    fn what_is_echoed_of_an_unknown_type_is_short() {
        let text = format!(r#"{{"type":"{}"}}"#, "x".repeat(10_000));
        let error = FromPublisher::parse(&text).unwrap_err();
        assert!(error.to_string().len() < 100, "{error}");
    }

    #[test]
    fn pictures_decode_behind_their_headroom() {
        for text in ["/9j/2w==", "/9j/2w", " /9j/2w==\n", "data:image/jpeg;base64,/9j/2w=="] {
            let buf = decode_picture(text, 3, 4).unwrap();
            assert_eq!(buf, [0, 0, 0, 0xFF, 0xD8, 0xFF, 0xDB], "{text:?}");
        }
    }

    #[test]
    fn bad_base64_and_large_pictures_are_refused() {
        for text in ["%", "A", "/9j/*w==", "data:,%", "ä", "/9j/=2w="] {
            assert_eq!(decode_picture(text, 3, 100).unwrap_err().code(), "not_jpeg", "{text}");
        }
        let long = "A".repeat(4 * 1000);
        assert_eq!(decode_picture(&long, 3, 2000).unwrap_err().code(), "too_large");
        assert_eq!(decode_picture(&long, 3, 3000).unwrap().len(), 3003);
        assert_eq!(decode_picture("", 3, 100).unwrap().len(), 3);
    }

    #[test]
    fn the_longest_message_holds_the_largest_frame() {
        for bytes in [1, 2, 3, 4 << 20] {
            assert!(max_message(bytes) >= base64::encoded_len(bytes, true).unwrap() + 4096);
        }
        assert_eq!(max_message(usize::MAX), usize::MAX, "no overflow");
    }
}
