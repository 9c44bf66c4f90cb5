//! One JPEG to a smaller one: to what size, and what is kept of it beside the pixels.

use thiserror::Error;

use super::pure::Codec;
use crate::{
    relay::Rung,
    wire::{exif, huffman, segments::segments},
};

/// Longest colour profile that is kept, in bytes. Those of cameras have less than 4 KiB; one as large as
/// the picture would undo the scaling.
const MAX_PROFILE: usize = 8 << 10;
/// The marker of a segment with a colour profile, and what it starts with (ICC.1:2022, B.4).
const APP2: u8 = 0xE2;
const ICC: &[u8] = b"ICC_PROFILE\0";
/// The marker of JFIF's own segment, which is the first.
const APP0: u8 = 0xE0;

/// Why a picture was not scaled, in the decoder's or encoder's words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ScaleError(pub(super) String);

/// Scales pictures. Keeps its buffers from one to the next: those of the largest so far.
#[derive(Debug, Default)]
pub struct Scaler {
    codec: Codec,
}

/// What a picture becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// 1 to 100.
    pub quality: u8,
}

/// What a picture of `width` × `height` pixels, stored and not yet turned, becomes on a rung; `None` when
/// it is not wider as it is shown, and stays as it is.
fn target(jpeg: &[u8], (width, height): (u16, u16), rung: Rung) -> Option<Target> {
    // On its way there no picture is wider than either side: then its head need not be read.
    if width.max(height) <= rung.width() {
        return None;
    }
    let orientation = exif::orientation(jpeg);
    let shown = if orientation >= 5 { height } else { width };
    let side = |side: u16| {
        let scaled = u32::from(side) * u32::from(rung.width()) + u32::from(shown) / 2;
        u16::try_from((scaled / u32::from(shown)).max(1)).unwrap_or(u16::MAX)
    };
    (shown > rung.width()).then(|| Target {
        width: side(width),
        height: side(height),
        quality: rung.jpeg_quality(),
    })
}

impl Scaler {
    /// `jpeg`, of these many pixels, as it is on `rung`, behind `headroom` zero bytes. `None` when it
    /// is not wider than the rung: it is then good as it is.
    ///
    /// Orientation and colour profile are kept; other metadata is not.
    pub fn scale(
        &mut self,
        jpeg: &[u8],
        size: (u16, u16),
        rung: Rung,
        headroom: usize,
    ) -> Result<Option<Vec<u8>>, ScaleError> {
        let Some(target) = target(jpeg, size, rung) else { return Ok(None) };
        let mut out = vec![0; headroom];
        // Only for the decoder: what is published stays as the camera sent it.
        self.codec.scale(&huffman::completed(jpeg), target, &mut out)?;
        let kept = kept(jpeg);
        if !kept.is_empty() {
            let at = match segments(&out[headroom..]).next() {
                Some((APP0, content)) => headroom + 2 + 4 + content.len(),
                _ => headroom + 2,
            };
            out.splice(at..at, kept);
        }
        Ok(Some(out))
    }
}

/// The segments that go along: which way up, and what the colours mean.
fn kept(jpeg: &[u8]) -> Vec<u8> {
    let turned = exif::orientation(jpeg);
    let mut kept = if turned > 1 { exif::segment(turned) } else { Vec::new() };
    let profile =
        segments(jpeg).filter(|(marker, content)| *marker == APP2 && content.starts_with(ICC));
    let profile: Vec<&[u8]> = profile.map(|(_, content)| content).collect();
    if profile.iter().map(|content| content.len()).sum::<usize>() <= MAX_PROFILE {
        for content in profile {
            kept.extend([0xFF, APP2]);
            kept.extend((content.len() as u16 + 2).to_be_bytes());
            kept.extend(content);
        }
    }
    kept
}

/// Whether a picture of this size would be scaled; what it costs is a look at its head.
pub(super) fn is_wider(jpeg: &[u8], size: (u16, u16), rung: Rung) -> bool {
    target(jpeg, size, rung).is_some()
}

#[cfg(test)]
mod tests {
    use jpeg_encoder::{ColorType, Encoder};
    use zune_jpeg::{
        JpegDecoder,
        zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
    };

    use super::*;
    use crate::wire::jpeg::{Info, Limits, inspect, skeleton};

    /// Bright on its left half, dark on its right.
    fn picture(width: u16, height: u16, colours: ColorType, progressive: bool) -> Vec<u8> {
        let bytes = if colours == ColorType::Luma { 1 } else { 3 };
        let row = (0..width).flat_map(|x| vec![if x < width / 2 { 220 } else { 30 }; bytes]);
        let row: Vec<u8> = row.collect();
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, 90);
        encoder.set_progressive(progressive);
        encoder.encode(&row.repeat(height.into()), width, height, colours).unwrap();
        jpeg
    }

    fn turned(jpeg: &[u8], orientation: u8) -> Vec<u8> {
        [&jpeg[..2], &exif::segment(orientation), &jpeg[2..]].concat()
    }

    fn scale(jpeg: &[u8], rung: Rung) -> Result<Option<Vec<u8>>, ScaleError> {
        let Info { width, height } = inspect(jpeg, &Limits::default()).unwrap();
        Scaler::default().scale(jpeg, (width, height), rung, 0)
    }

    fn size(jpeg: &[u8]) -> (u16, u16) {
        let info = inspect(jpeg, &Limits::default()).unwrap();
        (info.width, info.height)
    }

    fn decoded(jpeg: &[u8], colours: ColorSpace) -> Vec<u8> {
        let options = DecoderOptions::default().jpeg_set_out_colorspace(colours);
        JpegDecoder::new_with_options(ZCursor::new(jpeg), options).decode().unwrap()
    }

    fn pixels(jpeg: &[u8]) -> Vec<u8> {
        decoded(jpeg, ColorSpace::RGB)
    }

    /// Brightness at the middle of the left and of the right half.
    fn halves(jpeg: &[u8]) -> (u8, u8) {
        let pixels = decoded(jpeg, ColorSpace::Luma);
        let (width, height) = size(jpeg);
        let (width, middle) = (usize::from(width), usize::from(height / 2));
        (pixels[middle * width + width / 4], pixels[middle * width + width * 3 / 4])
    }

    #[test]
    fn colour_grey_and_progressive_pictures_become_as_wide_as_the_rung() {
        for colours in [ColorType::Rgb, ColorType::Luma] {
            for progressive in [false, true] {
                let source = picture(1280, 722, colours, progressive);
                let small = scale(&source, Rung::MEDIUM).unwrap().unwrap();
                assert_eq!(size(&small), (640, 361), "{colours:?} {progressive}");
                let (left, right) = halves(&small);
                assert!(left.abs_diff(220) < 6 && right.abs_diff(30) < 6, "{left} {right}");
            }
        }
    }

    #[test]
    fn a_webcams_picture_without_huffman_tables_is_scaled_as_if_it_had_them() {
        for colours in [ColorType::Rgb, ColorType::Luma] {
            let source = picture(1280, 722, colours, false);
            let bare = huffman::stripped(&source);
            assert!(bare.len() < source.len());
            let small = scale(&bare, Rung::MEDIUM).unwrap().unwrap();
            assert_eq!(Some(small), scale(&source, Rung::MEDIUM).unwrap(), "{colours:?}");
            // The same pixels at its own size.
            let bare = huffman::completed(&bare);
            assert_eq!((size(&bare), pixels(&bare)), (size(&source), pixels(&source)));
        }
    }

    #[test]
    fn no_picture_is_enlarged() {
        for (width, height) in [(640, 480), (639, 2000), (16, 16)] {
            let source = picture(width, height, ColorType::Rgb, false);
            assert_eq!(scale(&source, Rung::MEDIUM).unwrap(), None, "{width}x{height}");
        }
        assert!(scale(&picture(641, 480, ColorType::Rgb, false), Rung::MEDIUM).unwrap().is_some());
    }

    #[test]
    fn the_orientation_stays_and_width_is_what_is_seen() {
        let source = picture(1280, 720, ColorType::Rgb, false);
        let half_turn = scale(&turned(&source, 3), Rung::MEDIUM).unwrap().unwrap();
        assert_eq!((exif::orientation(&half_turn), size(&half_turn)), (3, (640, 360)));
        // Lying on its side: 720 pixels are across.
        let upright = scale(&turned(&source, 6), Rung::MEDIUM).unwrap().unwrap();
        assert_eq!((exif::orientation(&upright), size(&upright)), (6, (1138, 640)));
        assert_eq!(scale(&turned(&source, 6), Rung::at_least(960).unwrap()).unwrap(), None);
        // And decoders still read what has a segment more.
        assert!(halves(&upright).0 > 200);
    }

    #[test]
    fn a_colour_profile_stays_unless_it_is_huge() {
        let source = picture(1280, 720, ColorType::Rgb, false);
        let with = |len: u16| {
            let head = [&[0xFF, APP2][..], &(len + 16).to_be_bytes(), ICC, &[1, 1]].concat();
            [&source[..2], &head, &vec![7; len.into()], &source[2..]].concat()
        };
        let profile = |jpeg: &[u8]| segments(jpeg).any(|(marker, _)| marker == APP2);
        assert!(profile(&scale(&with(500), Rung::LOW).unwrap().unwrap()));
        assert!(!profile(&scale(&with(9000), Rung::LOW).unwrap().unwrap()));
        assert!(!profile(&scale(&source, Rung::LOW).unwrap().unwrap()));
    }

    #[test]
    fn a_head_without_a_picture_is_an_error_and_the_next_picture_works() {
        let mut scaler = Scaler::default();
        let broken = skeleton(1280, 720, 5000, 7);
        assert!(scaler.scale(&broken, (1280, 720), Rung::LOW, 10).is_err());
        let source = picture(1280, 720, ColorType::Rgb, false);
        let small = scaler.scale(&source, (1280, 720), Rung::LOW, 10).unwrap().unwrap();
        assert_eq!(size(&small[10..]), (320, 180));
    }
}
