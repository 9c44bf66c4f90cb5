//! The codecs of libjpeg-turbo: feature `turbojpeg`.
//!
//! It decodes to an eighth, a quarter, and so on of the size, in that share of the time; the rest of
//! the way is as in `pure`.

use std::fmt;

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use turbojpeg::{Colorspace, Compressor, Decompressor, PixelFormat, ScalingFactor, Subsamp};

use super::scaler::{ScaleError, Target};

/// As in `pure`.
const MAX_SCANS: u32 = 32;

#[derive(Default)]
pub(super) struct Codec {
    decoded: Vec<u8>,
    scaled: Vec<u8>,
    resizer: Resizer,
    /// Made with the first picture, as that can fail.
    turbo: Option<(Decompressor, Compressor)>,
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
        if self.turbo.is_none() {
            let mut decoder = Decompressor::new().map_err(error)?;
            decoder.set_scan_limit(MAX_SCANS).map_err(error)?;
            let encoder = Compressor::new().map_err(error)?;
            self.turbo = Some((decoder, encoder));
        }
        let Some((decoder, encoder)) = &mut self.turbo else { return Ok(()) };
        let header = decoder.read_header(jpeg).map_err(error)?;
        let (format, pixel, bytes, subsamp) = match header.colorspace {
            Colorspace::Gray => (PixelFormat::GRAY, PixelType::U8, 1, Subsamp::Gray),
            Colorspace::CMYK | Colorspace::YCCK => {
                return Err(ScaleError("it has the colours of a printer".to_owned()));
            }
            _ => (PixelFormat::RGB, PixelType::U8x3, 3, Subsamp::Sub2x2),
        };
        let (width, height) = (usize::from(to.width), usize::from(to.height));
        let enough = |n: &usize| {
            let factor = ScalingFactor::new(*n, 8);
            factor.scale(header.width) >= width && factor.scale(header.height) >= height
        };
        let factor = ScalingFactor::new((1..8).find(enough).unwrap_or(8), 8);
        decoder.set_scaling_factor(factor).map_err(error)?;
        let (w, h) = (factor.scale(header.width), factor.scale(header.height));
        self.decoded.resize(w * h * bytes, 0);
        let pixels = turbojpeg::Image {
            pixels: &mut self.decoded[..],
            width: w,
            pitch: w * bytes,
            height: h,
            format,
        };
        decoder.decompress(jpeg, pixels).map_err(error)?;

        let small = if (w, h) == (width, height) {
            &self.decoded
        } else {
            let decoded = ImageRef::new(w as u32, h as u32, &self.decoded, pixel).map_err(error)?;
            self.scaled.resize(width * height * bytes, 0);
            let (to_width, to_height) = (u32::from(to.width), u32::from(to.height));
            let mut scaled = Image::from_slice_u8(to_width, to_height, &mut self.scaled, pixel)
                .map_err(error)?;
            let how = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
            self.resizer.resize(&decoded, &mut scaled, &how).map_err(error)?;
            &self.scaled
        };
        encoder.set_subsamp(subsamp).map_err(error)?;
        encoder.set_quality(i32::from(to.quality)).map_err(error)?;
        let pixels =
            turbojpeg::Image { pixels: &small[..], width, pitch: width * bytes, height, format };
        out.extend(&*encoder.compress_to_owned(pixels).map_err(error)?);
        Ok(())
    }
}

fn error(error: impl fmt::Display) -> ScaleError {
    ScaleError(error.to_string())
}
