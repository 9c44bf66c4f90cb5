//! The codecs in Rust alone.
//!
//! Colours stay as JPEG has them, in brightness and two differences, from the decoder to the encoder:
//! scaling is linear, so that nothing is lost by it, and two conversions a picture are saved.

use std::fmt;

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use jpeg_encoder::{ColorType, Encoder};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::scaler::{ScaleError, Target};

/// Scans of a progressive picture: encoders make about ten. Each is another walk over all of it.
const MAX_SCANS: usize = 32;

#[derive(Default)]
pub(super) struct Codec {
    decoded: Vec<u8>,
    scaled: Vec<u8>,
    resizer: Resizer,
}

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codec").field("decoded", &self.decoded.len()).finish_non_exhaustive()
    }
}

impl Codec {
    /// Appends the scaled picture to `out`.
    pub(super) fn scale(
        &mut self,
        jpeg: &[u8],
        to: Target,
        out: &mut Vec<u8>,
    ) -> Result<(), ScaleError> {
        let side = usize::from(u16::MAX);
        let options = DecoderOptions::default()
            .set_max_width(side)
            .set_max_height(side)
            .jpeg_set_max_scans(MAX_SCANS);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
        decoder.decode_headers().map_err(error)?;
        let (colours, pixel, coding) = match decoder.input_colorspace() {
            Some(ColorSpace::YCbCr) => (ColorSpace::YCbCr, PixelType::U8x3, ColorType::Ycbcr),
            Some(ColorSpace::Luma) => (ColorSpace::Luma, PixelType::U8, ColorType::Luma),
            _ => (ColorSpace::RGB, PixelType::U8x3, ColorType::Rgb),
        };
        decoder.set_options(options.jpeg_set_out_colorspace(colours));
        let size = decoder.info().zip(decoder.output_buffer_size());
        let (info, bytes) = size.ok_or_else(|| ScaleError("it has no size".to_owned()))?;
        self.decoded.resize(bytes, 0);
        decoder.decode_into(&mut self.decoded).map_err(error)?;

        let (width, height) = (u32::from(info.width), u32::from(info.height));
        let decoded = ImageRef::new(width, height, &self.decoded, pixel).map_err(error)?;
        let (width, height) = (u32::from(to.width), u32::from(to.height));
        self.scaled.resize(width as usize * height as usize * pixel.size(), 0);
        let mut scaled =
            Image::from_slice_u8(width, height, &mut self.scaled, pixel).map_err(error)?;
        // Each pixel from as many as it covers: no shimmer, and half the time of a cubic filter.
        let how = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        self.resizer.resize(&decoded, &mut scaled, &how).map_err(error)?;

        let encoder = Encoder::new(out, to.quality);
        encoder.encode(&self.scaled, to.width, to.height, coding).map_err(error)
    }
}

fn error(error: impl fmt::Display) -> ScaleError {
    ScaleError(error.to_string())
}
