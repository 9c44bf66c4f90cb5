//! The Huffman tables that webcams leave out of their JPEGs.
//!
//! Motion JPEG as USB webcams send it (UVC), and AVI before them, has no tables where they are the
//! typical ones of ITU-T T.81, annex K.3.3. Browsers and most libraries then take those; some decoders
//! refuse the picture.

use std::borrow::Cow;

use super::segments::segments;

/// Markers of the segments with tables, of the frame headers of sequential pictures, and of the scan.
const DHT: u8 = 0xC4;
const SOF0: u8 = 0xC0;
const SOF1: u8 = 0xC1;
const SOS: [u8; 2] = [0xFF, 0xDA];

/// One segment with all four: of each its class and number, how many codes it has of each length from
/// 1 to 16 bits, and their values.
#[rustfmt::skip]
static TYPICAL: &[u8] = &[
    0xFF, DHT, 0x01, 0xA2,
    // Brightness, DC coefficients (table K.3).
    0x00,
    0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0,
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
    // Brightness, AC coefficients (table K.5).
    0x10,
    0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125,
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07,
    0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xA1, 0x08, 0x23, 0x42, 0xB1, 0xC1, 0x15, 0x52, 0xD1, 0xF0,
    0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0A, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x25, 0x26, 0x27, 0x28,
    0x29, 0x2A, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49,
    0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
    0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
    0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7,
    0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3, 0xC4, 0xC5,
    0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xE1, 0xE2,
    0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8,
    0xF9, 0xFA,
    // Colour, DC coefficients (table K.4).
    0x01,
    0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0,
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
    // Colour, AC coefficients (table K.6).
    0x11,
    0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119,
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71,
    0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xA1, 0xB1, 0xC1, 0x09, 0x23, 0x33, 0x52, 0xF0,
    0x15, 0x62, 0x72, 0xD1, 0x0A, 0x16, 0x24, 0x34, 0xE1, 0x25, 0xF1, 0x17, 0x18, 0x19, 0x1A, 0x26,
    0x27, 0x28, 0x29, 0x2A, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
    0x49, 0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
    0x69, 0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
    0x88, 0x89, 0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5,
    0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3,
    0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA,
    0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8,
    0xF9, 0xFA,
];

/// The picture with the typical tables where it has none at all before its first scan; else as it is,
/// which costs a walk over its segments. One with some of the tables that it needs is damaged, not of a
/// webcam, and a progressive one has tables made for it: neither is changed.
pub fn completed(jpeg: &[u8]) -> Cow<'_, [u8]> {
    let mut segments = segments(jpeg);
    let mut is_sequential = false;
    for (marker, _) in segments.by_ref() {
        match marker {
            DHT => return Cow::Borrowed(jpeg),
            SOF0 | SOF1 => is_sequential = true,
            _ => {}
        }
    }
    let (head, rest) = jpeg.split_at(segments.at().min(jpeg.len()));
    if is_sequential && rest.starts_with(&SOS) {
        Cow::Owned([head, TYPICAL, rest].concat())
    } else {
        Cow::Borrowed(jpeg)
    }
}

/// A picture with its tables left out, as a webcam sends it. For tests.
#[doc(hidden)]
pub fn stripped(jpeg: &[u8]) -> Vec<u8> {
    let mut segments = segments(jpeg);
    let mut out = jpeg[..2].to_vec();
    loop {
        let start = segments.at();
        match segments.next() {
            Some((DHT, _)) => {}
            Some(_) => out.extend(&jpeg[start..segments.at()]),
            None => break,
        }
    }
    out.extend(&jpeg[segments.at()..]);
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jpeg_encoder::{ColorType, Encoder};

    use super::*;
    use crate::wire::jpeg::skeleton;

    fn picture(colours: ColorType, set: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
        let bytes = if colours == ColorType::Luma { 1 } else { 3 };
        let pixels: Vec<u8> = (0..48 * 32 * bytes).map(|n| (n * 31 % 251) as u8).collect();
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, 80);
        set(&mut encoder);
        encoder.encode(&pixels, 48, 32, colours).unwrap();
        jpeg
    }

    /// By class and number, whatever segments they are in.
    fn tables(jpeg: &[u8]) -> BTreeMap<u8, Vec<u8>> {
        let mut tables = BTreeMap::new();
        for (_, mut rest) in segments(jpeg).filter(|(marker, _)| *marker == DHT) {
            while let Some((&id, table)) = rest.split_first() {
                let values: usize = table[..16].iter().map(|&n| usize::from(n)).sum();
                tables.insert(id, table[..16 + values].to_vec());
                rest = &table[16 + values..];
            }
        }
        tables
    }

    #[test]
    fn a_picture_without_tables_gets_those_that_an_encoder_takes_by_itself() {
        let whole = picture(ColorType::Rgb, |_| {});
        let completed = completed(&stripped(&whole)).into_owned();
        assert_eq!(tables(&completed), tables(&whole));
        assert_eq!(tables(&completed).keys().copied().collect::<Vec<_>>(), [0, 1, 0x10, 0x11]);
        // Nothing else is added or lost.
        assert_eq!(stripped(&completed), stripped(&whole));
    }

    #[test]
    fn one_with_tables_stays_as_it_is_whatever_they_are() {
        let own = |it: &mut Encoder<&mut Vec<u8>>| it.set_optimized_huffman_tables(true);
        for whole in [picture(ColorType::Rgb, |_| {}), picture(ColorType::Luma, own)] {
            assert!(matches!(completed(&whole), Cow::Borrowed(_)));
        }
    }

    #[test]
    fn what_is_progressive_or_has_no_scan_stays_as_it_is() {
        let progressive = stripped(&picture(ColorType::Rgb, |it| it.set_progressive(true)));
        let bare = skeleton(64, 48, 100, 7);
        let scan = bare.windows(2).position(|pair| pair == SOS).unwrap();
        assert!(matches!(completed(&bare), Cow::Owned(_)));
        for jpeg in [&progressive[..], &bare[..scan], &bare[..scan + 1], &bare[..7], b"\xFF", b""] {
            assert!(matches!(completed(jpeg), Cow::Borrowed(_)), "{jpeg:02X?}");
        }
    }
}
