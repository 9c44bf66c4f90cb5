//! What is kept of a camera.

use std::fmt;

use crate::{
    relay::CameraId,
    wire::{Secret, fingerprint::Fingerprint, source_url::SourceUrl},
};

/// Longest name or location, in characters.
pub const MAX_TEXT: usize = 80;

/// Most viewers that a camera can be limited to.
pub const MAX_VIEWERS: u32 = 100_000;

/// Pictures a second from video, unless told otherwise: what a wall of tiles needs.
pub const DEFAULT_JPEG_FPS: f64 = 5.0;

/// A configured camera.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Which camera.
    pub id: CameraId,
    /// What was set.
    pub settings: Settings,
    /// Unix microseconds.
    pub created_us: u64,
    /// Unix microseconds, of the newest change.
    pub updated_us: u64,
}

/// What can be set of a camera.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// For people; the publisher's or the id without one. At most [`MAX_TEXT`] characters.
    pub name: Option<String>,
    /// Where it hangs, for people. At most [`MAX_TEXT`] characters.
    pub location: Option<String>,
    /// Where its pictures come from.
    pub source: Source,
    /// Connected only while somebody watches; always if false.
    pub on_demand: bool,
    /// Most viewers at a time; 0 is no limit.
    pub max_viewers: u32,
    /// How RTSP brings the media.
    pub rtsp_transport: RtspTransport,
    /// Pictures a second that are made of video.
    pub jpeg_fps: f64,
    /// The same camera in a smaller size, for small tiles.
    pub substream: Option<Address>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: None,
            location: None,
            source: Source::Push,
            on_demand: true,
            max_viewers: 0,
            rtsp_transport: RtspTransport::Tcp,
            jpeg_fps: DEFAULT_JPEG_FPS,
            substream: None,
        }
    }
}

/// Where a camera's pictures come from. None of these runs a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Whoever publishes under its id.
    Push,
    /// The server connects over RTSP.
    Rtsp(Address),
    /// The server asks for MJPEG over HTTP.
    Mjpeg(Address),
}

impl Source {
    /// As the API and the file have it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Rtsp(_) => "rtsp",
            Self::Mjpeg(_) => "mjpeg",
        }
    }

    /// Where the server connects to; `None` for one that is pushed.
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Push => None,
            Self::Rtsp(address) | Self::Mjpeg(address) => Some(address),
        }
    }

    /// Why the camera is offline until somebody publishes it.
    pub fn offline_reason(&self) -> &'static str {
        match self {
            Self::Push => "configured; nobody has published it yet",
            Self::Rtsp(_) | Self::Mjpeg(_) => "not connected yet",
        }
    }
}

/// An address to connect to, and what is secret about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Without anything secret.
    pub url: SourceUrl,
    /// Who logs in.
    pub username: Option<String>,
    /// With what.
    pub password: Option<Hidden>,
    /// Path and query as they go to the camera, where they hold a secret that `url` masks.
    pub path: Option<Hidden>,
    /// Of the one certificate that is trusted; without, those that the system trusts. A substream has none
    /// of its own.
    pub fingerprint: Option<Fingerprint>,
}

/// A secret on its way into the file, or from there.
#[derive(Clone, PartialEq, Eq)]
pub enum Hidden {
    /// As it was given; sealed when it is kept.
    Fresh(Secret),
    /// Encrypted; opened by [`super::Catalog::open_address`] only.
    Sealed(Vec<u8>),
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fresh(_) => "***",
            Self::Sealed(_) => "*** (sealed)",
        })
    }
}

/// How RTSP brings the media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RtspTransport {
    /// Inside the RTSP connection: passes every firewall, loses nothing.
    Tcp,
    /// RTP over UDP.
    Udp,
}

impl RtspTransport {
    /// As the API and the file have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }

    /// The transport of that name.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Tcp, Self::Udp].into_iter().find(|transport| transport.name() == name)
    }
}
