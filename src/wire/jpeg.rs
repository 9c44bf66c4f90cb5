//! What a JPEG's markers say: size in pixels, and whether the file is whole. Nothing is decoded.
//!
//! Marker syntax: ITU-T T.81, annex B.

use thiserror::Error;

/// How far before the end the EOI marker may stand: some cameras pad a picture to a word or line.
const EOI_TAIL_BYTES: usize = 64;

/// Bounds a picture has to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest file, in bytes.
    pub max_bytes: usize,
    /// Largest width × height, in pixels.
    pub max_pixels: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 4 << 20, max_pixels: 16 << 20 }
    }
}

/// What the frame header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
}

/// Why a picture is refused. The texts go to the publisher.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JpegError {
    /// No SOI marker, or no frame header before the picture data.
    #[error("not a JPEG: {0}; send whole JPEG files")]
    NotJpeg(&'static str),
    /// The file ends early.
    #[error("truncated JPEG of {0} bytes: the end marker FF D9 is missing; send whole files")]
    Truncated(usize),
    /// A coding that viewers cannot show.
    #[error(
        "unsupported JPEG coding SOF{0}; send baseline or progressive Huffman (SOF0, SOF1, SOF2)"
    )]
    Unsupported(u8),
    /// More pixels than allowed.
    #[error("{width}x{height} is over the limit of {max_pixels} pixels (--max-pixels)")]
    TooManyPixels {
        /// From the header.
        width: u16,
        /// From the header.
        height: u16,
        /// The limit.
        max_pixels: u64,
    },
    /// More bytes than allowed.
    #[error("frame of {bytes} bytes is over the limit of {max_bytes} (--max-frame-bytes)")]
    TooLarge {
        /// Of this frame.
        bytes: u64,
        /// The limit.
        max_bytes: usize,
    },
}

impl JpegError {
    /// The stable error code of `docs/protocol.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotJpeg(_) => "not_jpeg",
            Self::Truncated(_) => "truncated",
            Self::Unsupported(_) => "unsupported_jpeg",
            Self::TooManyPixels { .. } => "too_many_pixels",
            Self::TooLarge { .. } => "too_large",
        }
    }
}

/// Reads the size from the frame header and checks the limits and the end marker.
///
/// Costs a walk over the marker segments before the picture data (some hundred bytes) and a look
/// at the last [`EOI_TAIL_BYTES`].
pub fn inspect(jpeg: &[u8], limits: &Limits) -> Result<Info, JpegError> {
    if jpeg.len() > limits.max_bytes {
        return Err(JpegError::TooLarge { bytes: jpeg.len() as u64, max_bytes: limits.max_bytes });
    }
    if !starts_like_jpeg(jpeg) {
        return Err(JpegError::NotJpeg("it does not start with FF D8"));
    }
    let info = frame_header(jpeg)?;
    if u64::from(info.width) * u64::from(info.height) > limits.max_pixels {
        return Err(JpegError::TooManyPixels {
            width: info.width,
            height: info.height,
            max_pixels: limits.max_pixels,
        });
    }
    let tail = &jpeg[jpeg.len().saturating_sub(EOI_TAIL_BYTES)..];
    if !tail.windows(2).any(|pair| pair == [0xFF, 0xD9]) {
        return Err(JpegError::Truncated(jpeg.len()));
    }
    Ok(info)
}

/// Whether the bytes start with the SOI marker.
pub fn starts_like_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xFF, 0xD8])
}

/// Walks the segments to the frame header and on to the start of scan.
fn frame_header(jpeg: &[u8]) -> Result<Info, JpegError> {
    let truncated = || JpegError::Truncated(jpeg.len());
    let mut at = 2;
    let mut info = None;
    loop {
        if *jpeg.get(at).ok_or_else(truncated)? != 0xFF {
            return Err(JpegError::NotJpeg("a marker is missing in its header"));
        }
        let marker = *jpeg.get(at + 1).ok_or_else(truncated)?;
        match marker {
            // Fill bytes may precede a marker (B.1.1.2).
            0xFF => {
                at += 1;
                continue;
            }
            // TEM and RSTn stand alone.
            0x01 | 0xD0..=0xD7 => {
                at += 2;
                continue;
            }
            0xD9 => return Err(JpegError::NotJpeg("it ends before any picture data")),
            _ => {}
        }
        let len = usize::from(be16(jpeg, at + 2).ok_or_else(truncated)?);
        if len < 2 {
            return Err(JpegError::NotJpeg("a segment in its header has an impossible length"));
        }
        match marker {
            0xC0..=0xC2 => {
                let height = be16(jpeg, at + 5).ok_or_else(truncated)?;
                let width = be16(jpeg, at + 7).ok_or_else(truncated)?;
                if width == 0 || height == 0 {
                    return Err(JpegError::NotJpeg("its header says zero width or height"));
                }
                info = Some(Info { width, height });
            }
            // C4, C8 and CC are not frame headers (table B.1).
            0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                return Err(JpegError::Unsupported(marker - 0xC0));
            }
            0xDA => {
                return info.ok_or(JpegError::NotJpeg("no frame header before the picture data"));
            }
            _ => {}
        }
        at += 2 + len;
    }
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at + 2)?;
    Some(u16::from_be_bytes([pair[0], pair[1]]))
}

/// A JPEG that is only as much as [`inspect`] reads: header, one scan header, no picture, padding to
/// `len` bytes. For tests; a decoder refuses it.
#[doc(hidden)]
pub fn skeleton(width: u16, height: u16, len: usize, fill: u8) -> Vec<u8> {
    let mut jpeg = vec![0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8];
    jpeg.extend(height.to_be_bytes());
    jpeg.extend(width.to_be_bytes());
    jpeg.extend([1, 1, 0x11, 0, 0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0]);
    jpeg.resize(len.max(jpeg.len() + 2) - 2, fill);
    jpeg.extend([0xFF, 0xD9]);
    jpeg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_is_read_from_the_frame_header() {
        let jpeg = skeleton(640, 480, 100, 7);
        assert_eq!(inspect(&jpeg, &Limits::default()), Ok(Info { width: 640, height: 480 }));
    }

    #[test]
    fn a_header_of_65535_by_65535_is_over_the_pixel_limit() {
        let error = inspect(&skeleton(65535, 65535, 100, 7), &Limits::default()).unwrap_err();
        assert_eq!(error.code(), "too_many_pixels");
    }

    #[test]
    fn every_cut_of_a_jpeg_is_refused_and_none_panics() {
        let jpeg = skeleton(640, 480, 200, 7);
        for len in 0..jpeg.len() {
            assert!(inspect(&jpeg[..len], &Limits::default()).is_err(), "cut at {len}");
        }
        assert_eq!(inspect(&jpeg[..150], &Limits::default()).unwrap_err().code(), "truncated");
    }

    #[test]
    fn padding_behind_the_end_marker_is_accepted() {
        let mut jpeg = skeleton(64, 48, 100, 7);
        jpeg.extend([0; 32]);
        assert!(inspect(&jpeg, &Limits::default()).is_ok());
    }

    #[test]
    fn lossless_and_arithmetic_codings_are_refused_by_name() {
        let mut jpeg = skeleton(64, 48, 100, 7);
        jpeg[3] = 0xC3;
        assert_eq!(inspect(&jpeg, &Limits::default()), Err(JpegError::Unsupported(3)));
        jpeg[3] = 0xC9;
        assert_eq!(inspect(&jpeg, &Limits::default()), Err(JpegError::Unsupported(9)));
    }

    #[test]
    fn other_bytes_are_not_a_jpeg() {
        for bytes in [&b""[..], b"\xFF", b"hello", b"\xFF\xD8", b"\xFF\xD8\xFF\xD9", b"GIF89a"] {
            assert!(inspect(bytes, &Limits::default()).is_err(), "{bytes:?}");
        }
        let zero = skeleton(0, 48, 100, 7);
        assert_eq!(inspect(&zero, &Limits::default()).unwrap_err().code(), "not_jpeg");
    }

    #[test]
    fn the_byte_limit_is_inclusive() {
        let jpeg = skeleton(64, 48, 100, 7);
        let limits = |max_bytes| Limits { max_bytes, ..Limits::default() };
        assert!(inspect(&jpeg, &limits(100)).is_ok());
        assert_eq!(inspect(&jpeg, &limits(99)).unwrap_err().code(), "too_large");
    }
}
