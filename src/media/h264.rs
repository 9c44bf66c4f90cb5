//! One H.264 access unit to a JPEG.
//!
//! Belongs here: the decoder, and its planes on their way into the encoder. Does not: which units are
//! decoded when.

use bytes::Bytes;
use h264_reader::avcc::AvcDecoderConfigurationRecord;
use jpeg_encoder::{Encoder, ImageBuffer, JpegColorType, SamplingFactor};
use openh264::{
    OpenH264API,
    decoder::{DecodeOptions, DecodedYUV, DecoderConfig, Flush},
    formats::YUVSource as _,
};

/// Whether this build decodes H.264.
pub(super) const DECODES: bool = true;

/// Of the JPEGs, from 1 to 100: what a camera's own are like.
const QUALITY: u8 = 80;

const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// A decoder in the middle of a stream.
pub(super) struct Decoder {
    decoder: openh264::decoder::Decoder,
    /// The parameter sets, in the form of Annex B, until they are decoded.
    parameters: Vec<u8>,
    range: &'static Range,
    /// A unit in the form of Annex B.
    unit: Vec<u8>,
    /// How large the JPEG before was.
    room: usize,
}

impl Decoder {
    /// For a stream of this decoder configuration record (`avcC`). `None` if it cannot be read.
    pub(super) fn new(config: &Bytes) -> Option<Self> {
        let record = AvcDecoderConfigurationRecord::try_from(&config[..]).ok()?;
        let mut parameters = Vec::new();
        for set in record.sequence_parameter_sets().chain(record.picture_parameter_sets()) {
            parameters.extend_from_slice(&START_CODE);
            parameters.extend_from_slice(set.ok()?);
        }
        let context = record.create_context().ok();
        let full = context.as_ref().and_then(|context| {
            let vui = context.sps().next()?.vui_parameters.as_ref()?;
            Some(vui.video_signal_type.as_ref()?.video_full_range_flag)
        });
        let range = if full == Some(true) { &FULL } else { &LIMITED };
        let api = OpenH264API::from_source();
        let options = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
        let decoder = openh264::decoder::Decoder::with_api_config(api, options).ok()?;
        Some(Self { decoder, parameters, range, unit: Vec::new(), room: 0 })
    }

    /// Decodes a unit of length-prefixed NAL units. Where a picture comes out and is `wanted`, it is
    /// returned as a JPEG behind `headroom` free bytes.
    ///
    /// `reordered` is whether the stream has pictures that are shown later than ones decoded after
    /// them; without, each comes out at once.
    pub(super) fn decode(
        &mut self,
        unit: &[u8],
        reordered: bool,
        wanted: bool,
        headroom: usize,
    ) -> Result<Option<Vec<u8>>, String> {
        self.unit.clear();
        self.unit.append(&mut self.parameters);
        annex_b(unit, &mut self.unit)?;
        let flush = if reordered { Flush::NoFlush } else { Flush::Flush };
        let options = DecodeOptions::new().flush_after_decode(flush);
        let decoded = self.decoder.decode_with_options(&self.unit, options);
        let decoded = decoded.map_err(|error| error.to_string())?;
        let Some(yuv) = decoded.filter(|_| wanted) else { return Ok(None) };
        let (width, height) = yuv.dimensions();
        let side = |side: usize| u16::try_from(side).map_err(|_| format!("{width}x{height}"));
        let planes = Planes { width: side(width)?, height: side(height)?, yuv, range: self.range };
        let mut out = Vec::with_capacity(headroom + self.room + self.room / 8);
        out.resize(headroom, 0);
        let mut encoder = Encoder::new(&mut out, QUALITY);
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
        encoder.encode_image(planes).map_err(|error| error.to_string())?;
        self.room = out.len() - headroom;
        crate::wire::pieces::trim(&mut out);
        Ok(Some(out))
    }
}

fn annex_b(mut unit: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    while let Some((length, rest)) = unit.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let nal = rest.get(..length).ok_or("a NAL unit is cut off")?;
        out.extend_from_slice(&START_CODE);
        out.extend_from_slice(nal);
        unit = &rest[length..];
    }
    Ok(())
}

/// How the decoder's values become a JPEG's, which use all of 0 to 255.
struct Range {
    luma: [u8; 256],
    chroma: [u8; 256],
}

/// Video usually has 16 to 235 (ITU-T H.273, `VideoFullRangeFlag` 0).
static LIMITED: Range = Range { luma: stretched(16, 219), chroma: stretched_chroma() };

/// As it is.
static FULL: Range = Range { luma: stretched(0, 255), chroma: stretched(0, 255) };

const fn stretched(from: i32, span: i32) -> [u8; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        table[at] = clamped(((at as i32 - from) * 255 + span / 2).div_euclid(span));
        at += 1;
    }
    table
}

const fn stretched_chroma() -> [u8; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        table[at] = clamped(128 + ((at as i32 - 128) * 255 + 112).div_euclid(224));
        at += 1;
    }
    table
}

const fn clamped(value: i32) -> u8 {
    if value < 0 {
        0
    } else if value > 255 {
        255
    } else {
        value as u8
    }
}

/// The decoder's planes, row by row, straight into the encoder: no RGB in between.
struct Planes<'a> {
    width: u16,
    height: u16,
    yuv: DecodedYUV<'a>,
    range: &'static Range,
}

impl ImageBuffer for Planes<'_> {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        JpegColorType::Ycbcr
    }

    fn width(&self) -> u16 {
        self.width
    }

    fn height(&self) -> u16 {
        self.height
    }

    fn fill_buffers(&self, y: u16, buffers: &mut [Vec<u8>; 4]) {
        let (width, y) = (usize::from(self.width), usize::from(y));
        let (luma, blue, red) = self.yuv.strides();
        let Range { luma: stretch, chroma } = self.range;
        let row = &self.yuv.y()[y * luma..][..width];
        buffers[0].extend(row.iter().map(|&value| stretch[usize::from(value)]));
        let half = width.div_ceil(2);
        for (buffer, (plane, stride)) in
            buffers[1..].iter_mut().zip([(self.yuv.u(), blue), (self.yuv.v(), red)])
        {
            let row = &plane[y / 2 * stride..][..half.min(stride)];
            // Each twice; the encoder takes the mean of four equal ones.
            let end = buffer.len() + width;
            buffer.extend(row.iter().flat_map(|&value| [chroma[usize::from(value)]; 2]));
            buffer.truncate(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn black_white_and_grey_of_video_are_those_of_jpeg() {
        assert_eq!((LIMITED.luma[16], LIMITED.luma[235], LIMITED.luma[0]), (0, 255, 0));
        assert_eq!((LIMITED.chroma[128], LIMITED.chroma[240], LIMITED.chroma[16]), (128, 255, 1));
        assert!((0..=255_u8).all(|value| FULL.luma[usize::from(value)] == value));
    }

    #[test]
    fn units_are_cut_by_their_lengths_and_a_wrong_one_is_an_error() {
        let mut out = Vec::new();
        annex_b(&[0, 0, 0, 2, 7, 8, 0, 0, 0, 1, 9], &mut out).unwrap();
        assert_eq!(out, [0, 0, 0, 1, 7, 8, 0, 0, 0, 1, 9]);
        assert!(annex_b(&[0, 0, 0, 3, 7], &mut out).is_err());
        assert!(Decoder::new(&Bytes::from_static(b"no avcC")).is_none());
    }
}
