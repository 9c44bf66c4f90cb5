//! Test pictures: something that moves, with the time and the frame's number burnt in.
//!
//! Belongs here: drawing and encoding. Does not: when a picture is due or where it goes.
//!
//! The background is drawn once; a frame redraws the clock and the two things that move, and is
//! then encoded whole. 640×480 at quality 80 costs 1.6 ms of one core in a release build, publishing
//! included; the drawing is 0.05 ms of it, the rest the encoder's.

mod canvas;
mod font;

use jpeg_encoder::Encoder;

use canvas::{Canvas, Rect, ycc};

/// Smallest side in pixels: one block of the encoder with its halved colours.
pub const MIN_SIDE: u16 = 16;

/// The quality that [`Pattern::new`] starts with, from 1 to 100.
pub const QUALITY: u8 = 80;

/// What the clock shows: `HH:MM:SS.mmm`.
const CLOCK_CHARS: usize = 12;

/// One turn of what moves, in microseconds.
const TURN_US: u64 = 4_000_000;

/// Which picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// A large clock over a dark grid.
    Clock,
    /// Colour bars with a smaller clock below.
    Bars,
}

/// Draws the frames of one test camera.
#[derive(Debug)]
pub struct Pattern {
    canvas: Canvas,
    background: Canvas,
    variant: Variant,
    quality: u8,
    /// Where the last frame differs from the background.
    dirty: Vec<Rect>,
}

impl Pattern {
    /// A camera of this size in pixels; sides below [`MIN_SIDE`] become it.
    pub fn new(width: u16, height: u16, variant: Variant) -> Self {
        let mut background = Canvas::new(width.max(MIN_SIDE), height.max(MIN_SIDE));
        match variant {
            Variant::Clock => grid(&mut background),
            Variant::Bars => bars(&mut background),
        }
        let canvas = background.clone();
        Self { canvas, background, variant, quality: QUALITY, dirty: Vec::new() }
    }

    /// Another quality, 1 to 100.
    pub fn with_quality(self, quality: u8) -> Self {
        Self { quality: quality.clamp(1, 100), ..self }
    }

    /// Frame `n` as a JPEG; its clock shows `unix_us` in UTC.
    pub fn frame(&mut self, unix_us: u64, n: u64) -> Vec<u8> {
        let mut jpeg = Vec::new();
        self.frame_behind(&mut jpeg, unix_us, n);
        jpeg
    }

    /// As [`Self::frame`], behind what stands in `buf` already.
    pub fn frame_behind(&mut self, buf: &mut Vec<u8>, unix_us: u64, n: u64) {
        self.draw(unix_us, n);
        let encoder = Encoder::new(buf, self.quality);
        // It fails when a side is 0 or the writer fails; neither can be.
        encoder.encode_image(&self.canvas).expect("a Vec takes every byte");
    }

    fn draw(&mut self, unix_us: u64, n: u64) {
        for rect in self.dirty.drain(..) {
            self.canvas.restore(&self.background, rect);
        }
        let (w, h) = (self.canvas.width(), self.canvas.height());
        // Where the moving things are, 0 to 1 and back to 0.
        let phase = (unix_us % TURN_US) as f32 / TURN_US as f32;
        let swing = 1.0 - (2.0 * phase - 1.0).abs();
        let at = |room: usize, size: usize| (room.saturating_sub(size) as f32 * swing) as usize;

        let marker = match self.variant {
            Variant::Clock => {
                let side = (h / 10).max(4);
                Rect { x: at(w, side), y: h - side - side / 2, w: side, h: side }
            }
            Variant::Bars => {
                let width = (w / 80).max(2);
                Rect { x: at(w, width), y: 0, w: width, h: h * 2 / 3 }
            }
        };
        // Empties and fills each second: a stutter shows as a jump.
        let second = (unix_us % 1_000_000) as usize;
        let progress = Rect { x: 0, y: 0, w: (w * second / 1_000_000).max(1), h: (h / 40).max(2) };
        let top = if self.variant == Variant::Clock { h / 3 } else { h * 2 / 3 };
        let scale = (w * 7 / 8 / (CLOCK_CHARS * font::ADVANCE))
            .min((h / 3) / (2 * font::ADVANCE + font::HEIGHT))
            .max(1);

        let colour =
            if self.variant == Variant::Clock { ycc(255, 220, 0) } else { ycc(255, 255, 255) };
        self.fill(marker, colour);
        self.fill(progress, ycc(0, 220, 120));
        let clock = self.label(&clock_text(unix_us), top, scale);
        self.label(&format!("FRAME {n}"), clock.y + clock.h, scale.div_ceil(2));
    }

    fn fill(&mut self, rect: Rect, colour: canvas::Colour) {
        self.canvas.fill(rect, colour);
        self.dirty.push(rect);
    }

    /// White on black, centred. Returns the box.
    fn label(&mut self, text: &str, y: usize, scale: usize) -> Rect {
        let (w, margin) = (self.canvas.width(), 2 * scale);
        let text_w = text.chars().count() * font::ADVANCE * scale - scale;
        let x = w.saturating_sub(text_w + 2 * margin) / 2;
        let rect = Rect { x, y, w: text_w + 2 * margin, h: font::HEIGHT * scale + 2 * margin };
        self.fill(rect, ycc(0, 0, 0));
        font::draw(&mut self.canvas, text, x + margin, y + margin, scale, ycc(255, 255, 255));
        rect
    }
}

/// `HH:MM:SS.mmm`, UTC.
fn clock_text(unix_us: u64) -> String {
    let ms = unix_us / 1000;
    let (s, ms) = (ms / 1000, ms % 1000);
    format!("{:02}:{:02}:{:02}.{ms:03}", s / 3600 % 24, s / 60 % 60, s % 60)
}

fn grid(canvas: &mut Canvas) {
    let (w, h) = (canvas.width(), canvas.height());
    canvas.fill(Rect { x: 0, y: 0, w, h }, ycc(18, 32, 52));
    let step = (h / 8).max(8);
    for x in (0..w).step_by(step) {
        canvas.fill(Rect { x, y: 0, w: 2, h }, ycc(44, 70, 104));
    }
    for y in (0..h).step_by(step) {
        canvas.fill(Rect { x: 0, y, w, h: 2 }, ycc(44, 70, 104));
    }
}

/// Seven bars at three quarters of full colour, as on a television test card, over a ramp of greys.
fn bars(canvas: &mut Canvas) {
    const C: u8 = 191;
    const BARS: [(u8, u8, u8); 7] =
        [(C, C, C), (C, C, 0), (0, C, C), (0, C, 0), (C, 0, C), (C, 0, 0), (0, 0, C)];
    const GREYS: usize = 16;
    let (w, h) = (canvas.width(), canvas.height());
    let upper = h * 2 / 3;
    for (i, (r, g, b)) in BARS.into_iter().enumerate() {
        let x = w * i / BARS.len();
        let rect = Rect { x, y: 0, w: w * (i + 1) / BARS.len() - x, h: upper };
        canvas.fill(rect, ycc(r, g, b));
    }
    for (i, grey) in (0..=255u8).step_by(256 / GREYS).enumerate() {
        let x = w * i / GREYS;
        let rect = Rect { x, y: upper, w: w * (i + 1) / GREYS - x, h: h - upper };
        canvas.fill(rect, ycc(grey, grey, grey));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Width and height from the frame header (ITU-T T.81, B.2.2).
    fn size(jpeg: &[u8]) -> (u16, u16) {
        assert!(jpeg.starts_with(&[0xFF, 0xD8]) && jpeg.ends_with(&[0xFF, 0xD9]));
        let at = jpeg.windows(2).position(|marker| marker == [0xFF, 0xC0]).unwrap();
        let side = |at| u16::from_be_bytes([jpeg[at], jpeg[at + 1]]);
        (side(at + 7), side(at + 5))
    }

    #[test]
    fn a_frame_is_a_whole_jpeg_of_its_size_and_moves() {
        for (variant, w, h) in
            [(Variant::Clock, 640, 480), (Variant::Bars, 320, 240), (Variant::Clock, 1, 1)]
        {
            let mut pattern = Pattern::new(w, h, variant);
            let (one, two) = (pattern.frame(1_000_000, 1), pattern.frame(1_033_000, 2));
            assert_eq!(size(&one), (w.max(MIN_SIDE), h.max(MIN_SIDE)));
            // On the smallest there is room for black only.
            assert!(one != two || w == 1);
        }
    }

    #[test]
    fn a_frame_leaves_nothing_of_the_one_before() {
        for variant in [Variant::Clock, Variant::Bars] {
            let mut used = Pattern::new(320, 240, variant);
            for n in 0..40 {
                used.frame(n * 97_000, n);
            }
            let fresh = Pattern::new(320, 240, variant).frame(5_000_000, 7);
            assert_eq!(used.frame(5_000_000, 7), fresh, "{variant:?}");
        }
    }

    #[test]
    fn the_clock_reads_as_the_time_of_day() {
        assert_eq!(clock_text(0), "00:00:00.000");
        assert_eq!(clock_text(1_700_000_000_123_456), "22:13:20.123");
    }

    #[test]
    fn what_stood_in_the_buffer_stays() {
        let mut buf = vec![7; 10];
        Pattern::new(64, 64, Variant::Bars).frame_behind(&mut buf, 0, 0);
        assert_eq!(buf[..10], [7; 10]);
        assert_eq!(size(&buf[10..]), (64, 64));
    }
}
