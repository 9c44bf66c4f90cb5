//! Pixels, in the colours and the layout that the encoder wants.

use jpeg_encoder::{ImageBuffer, JpegColorType, rgb_to_ycbcr};

/// Luma and the two chromas.
pub(super) type Colour = [u8; 3];

/// A colour from red, green and blue.
pub(super) fn ycc(r: u8, g: u8, b: u8) -> Colour {
    rgb_to_ycbcr(r, g, b).into()
}

/// In pixels; what lies outside the canvas is left out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rect {
    pub x: usize,
    pub y: usize,
    pub w: usize,
    pub h: usize,
}

/// One plane a component, so that the encoder only copies rows.
#[derive(Debug, Clone)]
pub(super) struct Canvas {
    width: u16,
    height: u16,
    planes: [Vec<u8>; 3],
}

impl Canvas {
    pub(super) fn new(width: u16, height: u16) -> Self {
        let plane = vec![0; usize::from(width) * usize::from(height)];
        Self { width, height, planes: [plane.clone(), plane.clone(), plane] }
    }

    pub(super) fn width(&self) -> usize {
        self.width.into()
    }

    pub(super) fn height(&self) -> usize {
        self.height.into()
    }

    pub(super) fn fill(&mut self, rect: Rect, colour: Colour) {
        let rows = self.rows(rect);
        for (plane, value) in self.planes.iter_mut().zip(colour) {
            for row in rows.clone() {
                plane[row].fill(value);
            }
        }
    }

    /// Copies the rectangle from a canvas of the same size.
    pub(super) fn restore(&mut self, from: &Self, rect: Rect) {
        let rows = self.rows(rect);
        for (plane, source) in self.planes.iter_mut().zip(&from.planes) {
            for row in rows.clone() {
                plane[row.clone()].copy_from_slice(&source[row]);
            }
        }
    }

    /// The rectangle's rows as ranges of a plane.
    fn rows(&self, rect: Rect) -> impl Iterator<Item = std::ops::Range<usize>> + Clone + use<> {
        let width = self.width();
        let (left, right) = (rect.x.min(width), (rect.x + rect.w).min(width));
        let (top, bottom) = (rect.y.min(self.height()), (rect.y + rect.h).min(self.height()));
        (top..bottom).map(move |y| y * width + left..y * width + right)
    }
}

impl ImageBuffer for &Canvas {
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
        let start = usize::from(y) * usize::from(self.width);
        for (buffer, plane) in buffers.iter_mut().zip(&self.planes) {
            buffer.extend_from_slice(&plane[start..start + usize::from(self.width)]);
        }
    }
}
