//! RTSP (RFC 2326), through retina: which streams are taken, and what is made of their frames.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::StreamExt as _;
use retina::{
    client::{
        Credentials, Demuxed, InitialSequenceNumberPolicy, InitialTimestampPolicy, PlayOptions,
        Session, SessionOptions, SetupOptions, Stream, TcpTransportOptions, TeardownPolicy,
        Transport, UdpTransportOptions,
    },
    codec::{AudioFrame, CodecItem, FrameFormat, ParametersRef, VideoFrame},
};
use url::Url;

use super::{
    dial,
    live::{Dial, Event},
    tunnel::Tunnel,
    words,
};
use crate::{
    net::guard::Pinned,
    relay::{AudioFormat, Codec, Failure, Format, Medium, Source, TICKS, VideoFormat},
};

/// Most bytes of one coded picture: a key frame of 4K at 100 Mbit/s has a third of it.
const MAX_UNIT: usize = 4 << 20;

/// What the video stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Video(Codec),
    Jpeg,
}

impl Kind {
    fn of(stream: &Stream) -> Option<Self> {
        match stream.encoding_name() {
            "h264" => Some(Self::Video(Codec::H264)),
            "h265" => Some(Self::Video(Codec::H265)),
            "jpeg" => Some(Self::Jpeg),
            _ => None,
        }
    }
}

/// A camera that plays.
pub(super) struct Rtsp {
    demuxed: Pin<Box<Demuxed>>,
    /// What brings it; nothing where the media come over UDP.
    tunnel: Tunnel,
    /// Which of the streams, and what it is.
    video: (usize, Kind),
    audio: Option<usize>,
    /// What was said of the units last; `None` before the first key frame.
    format: Option<Format>,
    /// The parameters changed, which counts from the next key frame on.
    renewed: bool,
    /// The key frame behind a format.
    held: Option<Event>,
}

impl Rtsp {
    /// Connects to the pinned address, and has the camera play.
    pub(super) async fn connect(
        dial: &Dial<'_>,
        pinned: &Pinned,
        udp: bool,
    ) -> Result<Self, Failure> {
        let (addr, mut tunnel) = if !udp {
            let camera = dial::dial(dial, pinned).await?;
            Tunnel::open(camera).await.map_err(|error| words::of_io(&error, &pinned.url))?
        } else if pinned.url.scheme.is_tls() {
            return Err(words::no_tls_over_udp());
        } else {
            // Media come from where the library is connected to, so it connects by itself, and bounds nothing.
            // Whether somebody is there is said more clearly by this.
            let (_, addr) = dial::tcp(dial, pinned).await?;
            (addr, Tunnel::default())
        };
        // The address in place of the name, so that the name is not looked up a second time.
        let url = format!("rtsp://{addr}{}", dial.source.path.reveal());
        let url = Url::parse(&url).map_err(|_| words::garbage("an address"))?;
        let begun = tunnel.with(begin(url, dial.source, udp)).await;
        let (demuxed, video, audio) = begun.map_err(|trouble| match trouble {
            Trouble::Rtsp(error) => failure(&error, dial.source, &mut tunnel),
            Trouble::Codec(failure) => failure,
        })?;
        let demuxed = Box::pin(demuxed);
        Ok(Self { demuxed, tunnel, video, audio, format: None, renewed: false, held: None })
    }

    /// What comes next. Cancel safe.
    pub(super) async fn next(&mut self) -> Result<Event, Failure> {
        loop {
            if let Some(event) = self.held.take() {
                return Ok(event);
            }
            let item = match self.tunnel.with(self.demuxed.next()).await {
                Some(Ok(item)) => item,
                Some(Err(error)) => return Err(broken(&error, &mut self.tunnel)),
                None => return Err(self.tunnel.ended().unwrap_or_else(words::ended)),
            };
            let event = match item {
                CodecItem::VideoFrame(frame) if frame.stream_id() == self.video.0 => {
                    self.tunnel.delivered();
                    self.picture(frame)?
                }
                CodecItem::AudioFrame(frame) if Some(frame.stream_id()) == self.audio => {
                    self.sound(&frame)
                }
                _ => None,
            };
            if let Some(event) = event {
                return Ok(event);
            }
        }
    }

    fn picture(&mut self, frame: VideoFrame) -> Result<Option<Event>, Failure> {
        if frame.data().len() > MAX_UNIT {
            return Err(words::large_picture(MAX_UNIT));
        }
        let Kind::Video(codec) = self.video.1 else {
            return Ok(Some(Event::Jpeg(frame.into_data(), 0)));
        };
        let is_key = frame.is_random_access_point()
            || codec == Codec::H265 && has_random_access(frame.data());
        self.renewed |= frame.has_new_parameters();
        let pts = ticks(frame.timestamp());
        if is_key && (self.format.is_none() || self.renewed) {
            let format = self.describe(codec);
            self.renewed = false;
            if format.is_some() && format != self.format {
                self.format.clone_from(&format);
                self.held = Some(unit(Medium::Video { is_key }, pts, frame.into_data().into()));
                return Ok(format.map(Event::Format));
            }
        }
        // Before the first key frame nothing can be decoded, nor with parameters of what is to come.
        if self.format.is_none() || self.renewed {
            return Ok(None);
        }
        Ok(Some(unit(Medium::Video { is_key }, pts, frame.into_data().into())))
    }

    fn sound(&self, frame: &AudioFrame) -> Option<Event> {
        self.format.as_ref()?.audio.as_ref()?;
        let data = Bytes::copy_from_slice(frame.data());
        Some(unit(Medium::Audio, ticks(frame.timestamp()), data))
    }

    /// `None` while the camera has not sent its parameter sets.
    fn describe(&self, codec: Codec) -> Option<Format> {
        let streams = self.demuxed.streams();
        let Some(ParametersRef::Video(video)) = streams[self.video.0].parameters() else {
            return None;
        };
        let (width, height) = video.pixel_dimensions();
        let video = VideoFormat {
            codec,
            rfc6381: video.rfc6381_codec().to_owned(),
            width: width.try_into().ok()?,
            height: height.try_into().ok()?,
            config: Bytes::copy_from_slice(video.extra_data()),
        };
        let audio = self.audio.and_then(|audio| audio_format(&streams[audio]));
        Some(Format { video, audio })
    }
}

fn unit(medium: Medium, pts: i64, data: Bytes) -> Event {
    Event::Unit(medium, pts, data)
}

fn ticks(at: retina::Timestamp) -> i64 {
    let rate = i64::from(at.clock_rate().get());
    if rate == TICKS {
        return at.elapsed();
    }
    (i128::from(at.elapsed()) * i128::from(TICKS) / i128::from(rate)) as i64
}

/// Why a camera does not begin to play.
enum Trouble {
    Rtsp(retina::Error),
    Codec(Failure),
}

impl From<retina::Error> for Trouble {
    fn from(error: retina::Error) -> Self {
        Self::Rtsp(error)
    }
}

/// Has the camera play. Gives which of its streams are taken, too.
async fn begin(
    url: Url,
    source: &Source,
    udp: bool,
) -> Result<(Demuxed, (usize, Kind), Option<usize>), Trouble> {
    let login = Credentials {
        username: source.username.clone().unwrap_or_default(),
        password: source.password.as_ref().map_or("", |secret| secret.reveal()).to_owned(),
    };
    let wanted = source.username.is_some() || source.password.is_some();
    // No TEARDOWN: it would be sent in the background, on new connections too, to whatever address the
    // camera says it has.
    let options = SessionOptions::default()
        .creds(wanted.then_some(login))
        .teardown(TeardownPolicy::Never)
        .user_agent(concat!("framecast/", env!("CARGO_PKG_VERSION")).to_owned());
    let mut session = Session::describe(url, options).await?;
    let (video, kind) = choose_video(session.streams()).map_err(Trouble::Codec)?;
    session.setup(video, setup(udp)).await?;
    let audio = match choose_audio(session.streams()) {
        // Without sound where the camera does not give it.
        Some(audio) => session.setup(audio, setup(udp)).await.ok().map(|()| audio),
        None => None,
    };
    let options = PlayOptions::default()
        .initial_timestamp(InitialTimestampPolicy::Permissive)
        // What a camera says of its first packet is wrong where it shares a stream between its viewers.
        .initial_seq(InitialSequenceNumberPolicy::Ignore);
    let demuxed = session.play(options).await?.demuxed()?;
    Ok((demuxed, (video, kind), audio))
}

fn setup(udp: bool) -> SetupOptions {
    let transport = if udp {
        Transport::Udp(UdpTransportOptions::default())
    } else {
        Transport::Tcp(TcpTransportOptions::default())
    };
    SetupOptions::default().transport(transport).frame_format(FrameFormat::MP4)
}

/// The first that can be passed on: cameras list their main stream first.
fn choose_video(streams: &[Stream]) -> Result<(usize, Kind), Failure> {
    let videos = || streams.iter().enumerate().filter(|(_, stream)| stream.media() == "video");
    let known = videos().find_map(|(at, stream)| Some((at, Kind::of(stream)?)));
    known.ok_or_else(|| {
        let plain = |name: &str| -> String {
            name.chars().filter(char::is_ascii_alphanumeric).take(20).collect()
        };
        let offered: Vec<_> = videos().take(4).map(|(_, it)| plain(it.encoding_name())).collect();
        match &offered[..] {
            [] => words::unsupported_codec("no video"),
            offered => words::unsupported_codec(&offered.join(", ").to_uppercase()),
        }
    })
}

/// AAC, whose parameters are in the description.
fn choose_audio(streams: &[Stream]) -> Option<usize> {
    streams.iter().position(|stream| audio_format(stream).is_some())
}

fn audio_format(stream: &Stream) -> Option<AudioFormat> {
    let Some(ParametersRef::Audio(audio)) = stream.parameters() else { return None };
    let rfc6381 = audio.rfc6381_codec().filter(|codec| codec.starts_with("mp4a.40."))?;
    Some(AudioFormat {
        rfc6381: rfc6381.to_owned(),
        sample_rate: audio.clock_rate(),
        channels: audio.channels().get(),
        config: Bytes::copy_from_slice(audio.extra_data()),
    })
}

/// Whether decoding can begin with the picture: NAL unit types 16 to 21 (ITU-T H.265, table 7-1).
/// retina takes clean random access pictures for others.
fn has_random_access(mut data: &[u8]) -> bool {
    while let Some((length, rest)) = data.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some(nal) = rest.get(..length) else { return false };
        let Some(first) = nal.first() else { return false };
        match (first >> 1) & 0x3F {
            16..=21 => return true,
            0..=15 => return false,
            _ => data = &rest[length..],
        }
    }
    false
}

/// Of the way to the first picture.
fn failure(error: &retina::Error, source: &Source, tunnel: &mut Tunnel) -> Failure {
    match error.status_code().filter(|status| *status >= 300) {
        Some(status) => words::of_status(status, source),
        None => broken(error, tunnel),
    }
}

/// Of a connection that was there.
fn broken(error: &retina::Error, tunnel: &mut Tunnel) -> Failure {
    // Without a tunnel the library tells what it was only in its text, which must not be shown.
    let cut = || {
        ["reading from RTSP", "writing to RTSP"].iter().any(|cut| error.to_string().contains(cut))
    };
    match tunnel.ended() {
        Some(failure) => failure,
        None if cut() => words::broken(),
        None => words::garbage("RTSP"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nals(types: &[u8]) -> Vec<u8> {
        types.iter().flat_map(|kind| [0, 0, 0, 3, kind << 1, 1, 0xAB]).collect()
    }

    #[test]
    fn clean_random_access_pictures_of_h265_begin_a_group_also_behind_sei_and_parameter_sets() {
        assert!(has_random_access(&nals(&[19])) && has_random_access(&nals(&[32, 33, 34, 39, 21])));
        assert!(!has_random_access(&nals(&[1])) && !has_random_access(&nals(&[39, 0])));
        assert!(!has_random_access(&[]) && !has_random_access(&[0, 0, 0, 9, 42]));
    }
}
