//! What a request's body makes of a camera's settings.
//!
//! One reading serves POST and PATCH: a body is a JSON merge patch (RFC 7396) of the settings that
//! there are, or of the defaults.

use serde_json::{Map, Value};

use super::fields::{Fields, Given, bad};
use crate::{
    net::{ApiError, guard::Guard},
    store::catalog::{
        Address, DEFAULT_JPEG_FPS, Hidden, MAX_VIEWERS, RtspTransport, Settings, Source,
    },
    wire::{
        Secret,
        fingerprint::{BadFingerprint, Fingerprint},
        source_url::{BadSourceUrl, MASK, Parts, Scheme, SourceUrl},
    },
};

/// What can be set; `id` only says which camera.
const KNOWN: [&str; 9] = [
    "id",
    "name",
    "location",
    "source",
    "on_demand",
    "max_viewers",
    "rtsp_transport",
    "jpeg_fps",
    "substream_url",
];

/// `has_password` is what answers say; sent back it changes nothing.
const KNOWN_OF_SOURCE: [&str; 9] = [
    "type",
    "url",
    "host",
    "port",
    "path",
    "username",
    "password",
    "has_password",
    "tls_fingerprint",
];

/// The path of an RTSP camera that is given by its host alone.
const DEFAULT_PATH: &str = "/stream1";

/// The settings of `before`, or the defaults, with what `body` says.
pub(super) fn settings(
    body: &Map<String, Value>,
    before: Option<&Settings>,
    guard: &Guard,
) -> Result<Settings, ApiError> {
    let fields = Fields::new(body, "", &KNOWN)?;
    let default = Settings::default();
    let old = before.cloned().unwrap_or_else(Settings::default);
    let given_source = fields.object("source")?;
    let new_source = match given_source {
        Given::Absent => old.source,
        Given::Null => Source::Push,
        Given::Is(map) => source(map, before.map(|_| &old.source))?,
    };
    let substream = substream(fields.text("substream_url")?, old.substream, &new_source)?;
    let told = |name: &str| body.contains_key(name);
    if let Some(address) = new_source.address().filter(|_| told("source")) {
        admitted(address, guard)?;
    }
    if let Some(address) = substream.as_ref().filter(|_| told("substream_url")) {
        admitted(address, guard)?;
    }
    let words = "\"tcp\" or \"udp\"";
    let rtsp_transport = fields.word("rtsp_transport", words, RtspTransport::of)?;
    let rtsp_transport = rtsp_transport.or(old.rtsp_transport, default.rtsp_transport);
    // A change of something else is none of the two's business.
    if told("source") || told("rtsp_transport") {
        carried(&new_source, rtsp_transport)?;
    }
    Ok(Settings {
        name: optional(fields.line("name")?, old.name),
        location: optional(fields.line("location")?, old.location),
        source: new_source,
        on_demand: fields.boolean("on_demand")?.or(old.on_demand, default.on_demand),
        max_viewers: fields.integer("max_viewers", 0..=MAX_VIEWERS)?.or(old.max_viewers, 0),
        rtsp_transport,
        jpeg_fps: fields.number("jpeg_fps", 0.1..=60.0)?.or(old.jpeg_fps, DEFAULT_JPEG_FPS),
        substream,
    })
}

/// The settings of `before`, or the defaults, with another RTSP source.
pub(super) fn provisioned(
    rtsp_url: &str,
    name: Given<String>,
    before: Option<&Settings>,
    guard: &Guard,
) -> Result<Settings, ApiError> {
    let old = before.cloned().unwrap_or_default();
    let parts = SourceUrl::parse(rtsp_url).map_err(|error| bad(format!("rtsp_url: {error}")))?;
    of_scheme(parts.url.scheme, true, "rtsp_url")?;
    let mut address = Login::of(parts).address(None, "rtsp_url")?;
    let same = old.source.address().filter(|old| old.url.same_peer(&address.url));
    address.fingerprint = same.and_then(|old| old.fingerprint);
    admitted(&address, guard)?;
    let source = Source::Rtsp(address);
    carried(&source, old.rtsp_transport)?;
    let substream = substream(Given::Absent, old.substream, &source)?;
    Ok(Settings { name: optional(name, old.name), source, substream, ..old })
}

fn optional<T>(given: Given<T>, before: Option<T>) -> Option<T> {
    match given {
        Given::Absent => before,
        Given::Null => None,
        Given::Is(value) => Some(value),
    }
}

fn admitted(address: &Address, guard: &Guard) -> Result<(), ApiError> {
    let refused =
        |error: crate::net::guard::Refused| ApiError::new("refused_source", error.to_string());
    guard.admits(&address.url).map_err(refused)
}

/// Whether the media of the source can come in this way.
fn carried(source: &Source, transport: RtspTransport) -> Result<(), ApiError> {
    match source {
        Source::Rtsp(address) if address.url.scheme.is_tls() && transport == RtspTransport::Udp => {
            Err(bad(
                "rtsp_transport must be \"tcp\" for rtsps:// addresses: their media come inside the \
                     encrypted connection",
            ))
        }
        _ => Ok(()),
    }
}

fn of_scheme(scheme: Scheme, rtsp: bool, field: &str) -> Result<(), ApiError> {
    let wanted = if rtsp { "rtsp:// or rtsps://" } else { "http:// or https://" };
    let good = scheme.is_rtsp() == rtsp;
    if good { Ok(()) } else { Err(bad(format!("{field} must start with {wanted}"))) }
}

fn source(map: &Map<String, Value>, before: Option<&Source>) -> Result<Source, ApiError> {
    let fields = Fields::new(map, "source.", &KNOWN_OF_SOURCE)?;
    let kinds = ["push", "rtsp", "mjpeg"];
    let known = |word: &str| kinds.into_iter().find(|kind| *kind == word);
    let kind = fields.word("type", "\"push\", \"rtsp\" or \"mjpeg\"", known)?;
    let kind = match (kind, before) {
        (Given::Is(kind), _) => kind,
        (_, Some(before)) => before.kind(),
        (_, None) => return Err(bad("source.type is missing: \"push\", \"rtsp\" or \"mjpeg\"")),
    };
    if kind == "push" {
        Fields::new(map, "source.", &["type"])?;
        return Ok(Source::Push);
    }
    let before = before.filter(|before| before.kind() == kind).and_then(Source::address);
    let address = login(fields, kind == "rtsp", before)?.address(before, "source")?;
    Ok(if kind == "rtsp" { Source::Rtsp(address) } else { Source::Mjpeg(address) })
}

fn login(fields: Fields<'_>, rtsp: bool, before: Option<&Address>) -> Result<Login, ApiError> {
    let why =
        |field: &'static str| move |error: BadSourceUrl| bad(format!("source.{field}: {error}"));
    let host =
        fields.text("host")?.value().map(SourceUrl::host).transpose().map_err(why("host"))?;
    let port = fields.integer("port", 1..=65_535)?.value().and_then(|port| port.try_into().ok());
    let path =
        fields.text("path")?.value().map(SourceUrl::path).transpose().map_err(why("path"))?;
    let mut login = if let Some(text) = fields.text("url")?.value() {
        let parts = SourceUrl::parse(text).map_err(why("url"))?;
        of_scheme(parts.url.scheme, rtsp, "source.url")?;
        let url = &parts.url;
        // Both are fine where they say the same, as what an answer said does.
        let agree = host.is_none_or(|host| host == url.host)
            && port.is_none_or(|port: u16| port == url.port)
            && path.is_none_or(|(path, _)| path == url.path);
        if !agree {
            let fields = "source.host, source.port and source.path";
            return Err(bad(format!("source.url and {fields} disagree; give only one of them")));
        }
        Login::of(parts)
    } else {
        let scheme = if rtsp { Scheme::Rtsp } else { Scheme::Http };
        let scheme = before.map_or(scheme, |before| before.url.scheme);
        let Some(host) = host.or_else(|| before.map(|before| before.url.host.clone())) else {
            let example = if rtsp { "rtsp://HOST:PORT/PATH" } else { "http://HOST:PORT/PATH" };
            return Err(bad(format!("source.url is missing: {example}, or give source.host")));
        };
        let port = port.or(before.map(|before| before.url.port));
        let (path, secret) = path.unwrap_or_else(|| {
            let default = if rtsp { DEFAULT_PATH } else { "/" };
            (before.map_or(default, |before| &before.url.path).to_owned(), None)
        });
        let port = port.unwrap_or(scheme.default_port());
        // Joined and taken apart again, it is what it will be when it is read back.
        let path = secret.map_or(path, |secret| secret.reveal().to_owned());
        let joined = SourceUrl { scheme, host, port, path }.to_string();
        let field = |error: BadSourceUrl| match error {
            BadSourceUrl::Authority => why("host")(error),
            _ => why("path")(error),
        };
        Login::of(SourceUrl::parse(&joined).map_err(field)?)
    };
    match fields.text("username")? {
        Given::Absent => {}
        Given::Is(name) if !name.is_empty() => {
            if name.chars().any(|c| c.is_control() || c == ':') {
                return Err(bad("source.username must be a text without : and control characters"));
            }
            login.username = Given::Is(name.to_owned());
        }
        _ => login.username = Given::Null,
    }
    match fields.text("password")? {
        Given::Absent => {}
        Given::Is(text) if !text.is_empty() => {
            if text.chars().any(char::is_control) || text.len() > MAX_PASSWORD {
                return Err(bad("source.password must be a text of at most 256 bytes on one line"));
            }
            login.password = Given::Is(Secret::new(text));
        }
        _ => login.password = Given::Null,
    }
    match fields.text("tls_fingerprint")? {
        Given::Absent => {}
        Given::Is(text) if !text.trim().is_empty() => {
            let why =
                |error: BadFingerprint| bad(format!("source.tls_fingerprint must be {error}"));
            login.fingerprint = Given::Is(text.parse().map_err(why)?);
        }
        _ => login.fingerprint = Given::Null,
    }
    Ok(login)
}

/// Longest password, in bytes.
const MAX_PASSWORD: usize = 256;

/// An address as far as a body says it.
struct Login {
    url: SourceUrl,
    path: Option<Secret>,
    username: Given<String>,
    password: Given<Secret>,
    fingerprint: Given<Fingerprint>,
}

impl Login {
    fn of(parts: Parts) -> Self {
        let Parts { url, username, password, path } = parts;
        let username = username.map_or(Given::Absent, Given::Is);
        let password = password.map_or(Given::Absent, Given::Is);
        Self { url, path, username, password, fingerprint: Given::Absent }
    }

    /// With what is known already. A password goes on only to where it went before: otherwise
    /// whoever may change an address could have any camera's password sent to a host of theirs.
    fn address(self, before: Option<&Address>, field: &str) -> Result<Address, ApiError> {
        let Self { url, path, username, password, fingerprint } = self;
        // It is kept as it is shown, which with what is masked and encoded may be longer than what came.
        SourceUrl::parse(&url.to_string()).map_err(|error| bad(format!("{field}: {error}")))?;
        let same = before.filter(|before| before.url.same_peer(&url));
        let masked = url.path.contains(MASK)
            && path.as_ref().is_none_or(|path| path.reveal().contains(MASK));
        let path = if masked {
            let kept = same.filter(|before| before.url.path == url.path);
            let kept = kept.and_then(|before| before.path.clone());
            Some(kept.ok_or_else(|| {
                bad(format!(
                    "{field}: {MASK} stands for what is not shown; give the whole path again"
                ))
            })?)
        } else {
            path.map(Hidden::Fresh)
        };
        let username = optional(username, before.and_then(|before| before.username.clone()));
        let old = before.and_then(|before| before.password.clone());
        let password = match (password, old) {
            (Given::Is(secret), _) => Some(Hidden::Fresh(secret)),
            (Given::Null, _) | (Given::Absent, None) => None,
            (Given::Absent, old) if same.is_some_and(|same| same.username == username) => old,
            (Given::Absent, Some(_)) => {
                return Err(bad(format!(
                    "{field}: host, port, protocol or user changed, so the password has to be given \
                     again, or as null for none"
                )));
            }
        };
        let fingerprint = match fingerprint {
            Given::Is(_) if !url.scheme.is_tls() => {
                return Err(bad(format!(
                    "{field}.tls_fingerprint is only for addresses with rtsps:// and https://"
                )));
            }
            // Another camera has another certificate.
            Given::Absent => same.and_then(|same| same.fingerprint),
            given => given.value(),
        };
        Ok(Address { url, username, password, path, fingerprint })
    }
}

fn substream(
    given: Given<&str>,
    before: Option<Address>,
    source: &Source,
) -> Result<Option<Address>, ApiError> {
    let rtsp = match source {
        Source::Rtsp(_) => Some(true),
        Source::Mjpeg(_) => Some(false),
        Source::Push => None,
    };
    match given {
        Given::Null => Ok(None),
        // Of another kind of source it is of no use.
        Given::Absent => Ok(before.filter(|before| rtsp == Some(before.url.scheme.is_rtsp()))),
        Given::Is(text) => {
            let bad_url = |error: BadSourceUrl| bad(format!("substream_url: {error}"));
            let parts = SourceUrl::parse(text).map_err(bad_url)?;
            let Some(rtsp) = rtsp else {
                return Err(bad("substream_url is only for sources of type rtsp and mjpeg"));
            };
            of_scheme(parts.url.scheme, rtsp, "substream_url")?;
            let before = before.filter(|before| before.url.same_peer(&parts.url));
            Login::of(parts).address(before.as_ref(), "substream_url").map(Some)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(source_of: Value) -> Result<Source, ApiError> {
        source(source_of.as_object().unwrap(), None)
    }

    #[test]
    fn a_source_given_in_pieces_is_the_one_of_the_joined_address() {
        let url = "http://cam:8080/v%C3%A4?user=a&pwd=b";
        let joined = read(json!({"type": "mjpeg", "url": url})).unwrap();
        let path = "/vä?user=a&pwd=b";
        let pieces = json!({"type": "mjpeg", "host": "cam", "port": 8080, "path": path});
        assert_eq!(read(pieces).unwrap(), joined);
        assert_eq!(joined.address().unwrap().url.path, "/v%C3%A4?user=a&pwd=***");
    }

    #[test]
    fn what_could_not_be_read_back_is_refused_by_its_name() {
        let long = "x".repeat(2045);
        let masked = format!("http://cam/?{}", "pwd=&".repeat(400));
        let cases = [
            (json!({"type": "mjpeg", "host": "1.2.3.400"}), "source.host: "),
            (json!({"type": "rtsp", "host": "cam", "path": long}), "source.path: "),
            (json!({"type": "mjpeg", "url": masked}), "source: "),
        ];
        for (body, begins) in cases {
            let error = read(body).unwrap_err();
            assert_eq!(error.code, "bad_request");
            assert!(error.message.starts_with(begins), "{}", error.message);
        }
    }
}
