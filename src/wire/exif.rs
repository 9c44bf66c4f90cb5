//! Which way up a JPEG is to be shown: the orientation in its Exif segment, read and written.
//!
//! Exif 2.32 (JEITA CP-3451X), 4.5 and 4.6: a TIFF file in an APP1 segment.

use super::segments::segments;

/// The marker of Exif's segment.
const APP1: u8 = 0xE1;
/// The tag of the orientation.
const ORIENTATION: u16 = 0x0112;
/// What an Exif segment starts with.
const EXIF: &[u8; 6] = b"Exif\0\0";
/// Bytes of one entry of a TIFF directory.
const ENTRY: usize = 12;

/// 1 to 8 as in Exif; 1, upright, where the picture does not say. From 5 on it is shown with width
/// and height exchanged.
pub fn orientation(jpeg: &[u8]) -> u8 {
    let exif = segments(jpeg).filter(|&(marker, _)| marker == APP1);
    let tiff = exif.filter_map(|(_, content)| content.strip_prefix(EXIF)).next();
    tiff.and_then(in_tiff).filter(|turn| (1..=8).contains(turn)).unwrap_or(1)
}

/// A whole Exif segment that says nothing but the orientation.
pub fn segment(orientation: u8) -> Vec<u8> {
    let tiff = tiff(orientation);
    let len = 2 + EXIF.len() + tiff.len();
    [&[0xFF, APP1, 0, len as u8][..], EXIF, &tiff].concat()
}

fn tiff(orientation: u8) -> Vec<u8> {
    let mut tiff = b"MM\0\x2A\0\0\0\x08\0\x01".to_vec();
    tiff.extend(ORIENTATION.to_be_bytes());
    // One SHORT, left-aligned in the four bytes of the value; then no further directory.
    tiff.extend([0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0]);
    tiff
}

fn in_tiff(tiff: &[u8]) -> Option<u8> {
    let big = match tiff.get(..4)? {
        b"MM\0\x2A" => true,
        b"II\x2A\0" => false,
        _ => return None,
    };
    let short = |at: usize| -> Option<u16> {
        let bytes = *tiff.get(at..)?.first_chunk()?;
        Some(if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let offset = *tiff.get(4..)?.first_chunk()?;
    let offset = if big { u32::from_be_bytes(offset) } else { u32::from_le_bytes(offset) };
    let directory = usize::try_from(offset).ok()?;
    let first = directory.checked_add(2)?;
    (0..usize::from(short(directory)?))
        .map(|n| first + n * ENTRY)
        .find(|&entry| short(entry) == Some(ORIENTATION))
        .and_then(|entry| u8::try_from(short(entry + 8)?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::jpeg::skeleton;

    fn with_app1(tiff: &[u8]) -> Vec<u8> {
        let len = u16::try_from(2 + EXIF.len() + tiff.len()).unwrap();
        let picture = skeleton(64, 48, 100, 7);
        [&picture[..2], &[0xFF, 0xE1], &len.to_be_bytes(), EXIF, tiff, &picture[2..]].concat()
    }

    #[test]
    fn what_is_written_is_read() {
        for turn in 1..=8 {
            assert_eq!(orientation(&with_app1(&tiff(turn))), turn);
            let picture = skeleton(64, 48, 100, 7);
            let picture = [&picture[..2], &segment(turn), &picture[2..]].concat();
            assert_eq!(orientation(&picture), turn);
        }
    }

    #[test]
    fn both_byte_orders_are_read_behind_other_segments() {
        // As phones write it: little endian, another entry before it.
        let intel = b"II\x2A\0\x08\0\0\0\x02\0\x0F\x01\x02\0\x01\0\0\0x\0\0\0\
                      \x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let picture = with_app1(intel);
        assert_eq!(orientation(&picture), 6);
        let comment = [&picture[..2], b"\xFF\xFE\0\x04hi", &picture[2..]].concat();
        assert_eq!(orientation(&comment), 6);
    }

    #[test]
    fn without_it_or_with_nonsense_a_picture_is_upright_and_no_cut_panics() {
        assert_eq!(orientation(&skeleton(64, 48, 100, 7)), 1);
        assert_eq!(orientation(&with_app1(&tiff(9))), 1);
        assert_eq!(orientation(&with_app1(b"MM\0\x2A\xFF\xFF\xFF\xFF\0\x01")), 1);
        let whole = with_app1(&tiff(6));
        for len in 0..whole.len() {
            let _ = orientation(&whole[..len]);
        }
    }
}
