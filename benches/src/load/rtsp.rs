//! Cameras that are connected to: an RTSP server that sends a recorded clip over and over, its packets made
//! once for all cameras, so that fifty cost less than a tenth of a core.
//!
//! Belongs here: as much of RTSP over TCP (RFC 2326, RFC 6184) as a client needs to get video. Does not: the
//! server that is measured.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// Pictures a second of the clip.
pub const FPS: u32 = 30;
const SECONDS: u32 = 10;
/// RTP's clock, ticks a second.
const TICKS: u32 = 90_000;
/// Most bytes of a NAL unit in one packet.
const PAYLOAD: usize = 1400;
/// Interleaved framing and the header of RTP.
const HEADER: usize = 4 + 12;

/// A clip as its cameras send it.
#[derive(Debug)]
pub struct Clip {
    /// Of each picture, its packets one after the other, without sequence numbers and times.
    pictures: Vec<Vec<u8>>,
}

impl Clip {
    /// 1080p30 at 4 Mbit/s, a key frame each second, no B-frames: what a camera sends. Made by ffmpeg the
    /// first time, which takes a minute, and kept as `file`.
    pub fn open(file: &Path) -> io::Result<Self> {
        if !file.exists() {
            let made = file.with_extension("new");
            std::fs::create_dir_all(file.parent().unwrap_or(Path::new(".")))?;
            let input = format!("testsrc2=size=1920x1080:rate={FPS},noise=alls=8:allf=t");
            let gop = FPS.to_string();
            let seconds = SECONDS.to_string();
            let status = Command::new("ffmpeg")
                .args(["-v", "error", "-y", "-f", "lavfi", "-i", &input, "-t", &seconds])
                .args(["-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "veryfast", "-bf", "0"])
                .args(["-g", &gop, "-keyint_min", &gop, "-sc_threshold", "0", "-profile:v", "high"])
                .args(["-b:v", "4M", "-maxrate", "4M", "-bufsize", "4M"])
                .args(["-x264-params", "aud=1:repeat-headers=1:sliced-threads=0", "-f", "h264"])
                .arg(&made)
                .status()?;
            if !status.success() {
                return Err(io::Error::other(format!("ffmpeg made no clip: {status}")));
            }
            std::fs::rename(&made, file)?;
        }
        let stream = std::fs::read(file)?;
        let mut pictures: Vec<Vec<u8>> = Vec::new();
        let mut nals = nal_units(&stream).into_iter().peekable();
        while let Some(nal) = nals.next() {
            match nal.first().map_or(0, |header| header & 0x1F) {
                // A picture begins with its delimiter.
                9 => pictures.push(Vec::new()),
                1..=8 => {
                    let Some(picture) = pictures.last_mut() else { continue };
                    let is_last = nals.peek().is_none_or(|next| next[0] & 0x1F == 9);
                    packetize(picture, nal, is_last);
                }
                _ => {}
            }
        }
        if pictures.len() < FPS as usize {
            return Err(io::Error::other(format!("{} holds no clip", file.display())));
        }
        Ok(Self { pictures })
    }

    /// Bits a second of its packets.
    pub fn bitrate(&self) -> f64 {
        let bytes: usize = self.pictures.iter().map(Vec::len).sum();
        bytes as f64 * 8.0 * f64::from(FPS) / self.pictures.len() as f64
    }
}

/// NAL units behind their start codes (ITU-T H.264 annex B).
fn nal_units(stream: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> =
        (0..stream.len().saturating_sub(3)).filter(|&at| stream[at..at + 3] == [0, 0, 1]).collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    let nals = starts.iter().zip(ends).map(|(&start, end)| {
        let nal = &stream[start + 3..end];
        let zeros = nal.iter().rev().take_while(|byte| **byte == 0).count();
        &nal[..nal.len() - zeros]
    });
    nals.filter(|nal| !nal.is_empty()).collect()
}

/// Single NAL unit packets, and FU-A where one is too large.
fn packetize(packets: &mut Vec<u8>, nal: &[u8], ends_picture: bool) {
    let mut add = |head: &[u8], payload: &[u8], is_last: bool| {
        let length = (12 + head.len() + payload.len()) as u16;
        packets.extend([b'$', 0]);
        packets.extend(length.to_be_bytes());
        packets.extend([0x80, if is_last && ends_picture { 0xE0 } else { 0x60 }]);
        packets.extend([0; 10]);
        packets.extend(head);
        packets.extend(payload);
    };
    if nal.len() <= PAYLOAD {
        return add(&[], nal, true);
    }
    let count = (nal.len() - 1).div_ceil(PAYLOAD);
    for (n, piece) in nal[1..].chunks(PAYLOAD).enumerate() {
        let is_last = n + 1 == count;
        let begin = if n == 0 { 0x80 } else { 0 };
        let end = if is_last { 0x40 } else { 0 };
        add(&[nal[0] & 0xE0 | 28, begin | end | nal[0] & 0x1F], piece, is_last);
    }
}

/// Serves the clip to whoever connects, each from its first picture on, until this process ends.
pub fn serve(clip: Arc<Clip>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for (n, socket) in listener.incoming().flatten().enumerate() {
            let clip = clip.clone();
            thread::spawn(move || {
                // The other side went.
                let _ = camera(socket, &clip, n as u32);
            });
        }
    });
    Ok(address)
}

fn camera(mut socket: TcpStream, clip: &Clip, number: u32) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut reader = BufReader::new(socket.try_clone()?);
    let sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=clip\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n\
               a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:video\r\n";
    loop {
        let (method, cseq) = request(&mut reader)?;
        let (more, body) = match &*method {
            "DESCRIBE" => ("Content-Type: application/sdp\r\n", sdp),
            "SETUP" => ("Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n", ""),
            _ => ("Public: DESCRIBE, SETUP, PLAY\r\n", ""),
        };
        let length = body.len();
        // Nothing is read while pictures are sent, so the session asks for no sign of life.
        write!(
            socket,
            "RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nSession: 1;timeout=86400\r\n{more}Content-Length: {length}\r\n\r\n{body}"
        )?;
        if method == "PLAY" {
            break;
        }
    }
    thread::spawn(move || io::copy(&mut reader.take(u64::MAX), &mut io::sink()));
    // Not all in the same moment.
    thread::sleep(Duration::from_millis(u64::from(number % 50) * 33 / 50));
    let begun = Instant::now();
    let mut sequence: u16 = 0;
    let mut packets = Vec::new();
    for (n, picture) in (0_u32..).zip(clip.pictures.iter().cycle()) {
        let due = Duration::from_secs(1) * n / FPS;
        thread::sleep(due.saturating_sub(begun.elapsed()));
        packets.clone_from(picture);
        let mut at = 0;
        while let Some(packet) = packets.get_mut(at..).filter(|rest| rest.len() >= HEADER) {
            packet[6..8].copy_from_slice(&sequence.to_be_bytes());
            packet[8..12].copy_from_slice(&n.wrapping_mul(TICKS / FPS).to_be_bytes());
            packet[12..16].copy_from_slice(&number.to_be_bytes());
            sequence = sequence.wrapping_add(1);
            at += 4 + usize::from(u16::from_be_bytes([packet[2], packet[3]]));
        }
        socket.write_all(&packets)?;
    }
    Ok(())
}

/// Method and `CSeq` of the next request.
fn request(reader: &mut BufReader<TcpStream>) -> io::Result<(String, String)> {
    let (mut method, mut cseq) = (String::new(), String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        if line.is_empty() {
            return Ok((method, cseq));
        }
        if method.is_empty() {
            method = line.split(' ').next().unwrap_or_default().to_owned();
        } else if let Some(value) = line.strip_prefix("CSeq:") {
            cseq = value.trim().to_owned();
        }
    }
}
