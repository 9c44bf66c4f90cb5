//! The pictures that are sent: a JPEG with a time stamp in a comment segment, which survives every
//! wrapping of the picture.

use crate::sys;

/// Marks the comment as ours.
const MAGIC: &[u8; 8] = b"fc-stamp";
/// Offset of the stamp: after SOI, the comment's marker and length, and [`MAGIC`].
const STAMP_AT: usize = 2 + 4 + MAGIC.len();
/// Bytes from the picture's start to the end of the stamp.
pub const STAMP_END: usize = STAMP_AT + 8;

/// A picture of exactly `len` bytes: a real header of 640×480, then noise up to the end marker, so
/// that nothing on the way could compress it.
pub fn jpeg(len: usize) -> Vec<u8> {
    let mut jpeg = vec![0xFF, 0xD8, 0xFF, 0xFE];
    let comment = 2 + MAGIC.len() + 8;
    jpeg.extend((comment as u16).to_be_bytes());
    jpeg.extend(MAGIC);
    jpeg.extend([0; 8]);
    // SOF0: 8 bits, 480 lines of 640 samples, one component.
    jpeg.extend([0xFF, 0xC0, 0, 11, 8, 0x01, 0xE0, 0x02, 0x80, 1, 1, 0x11, 0]);
    jpeg.extend([0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0]);
    let mut noise = 0x9E37_79B9_7F4A_7C15_u64;
    while jpeg.len() + 2 < len {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        // Inside picture data FF is a marker.
        jpeg.push((noise as u8).min(0xFE));
    }
    jpeg.extend([0xFF, 0xD9]);
    jpeg
}

/// Stamps a picture with this moment.
pub fn stamp(jpeg: &mut [u8]) {
    jpeg[STAMP_AT..STAMP_END].copy_from_slice(&sys::now_ns().to_le_bytes());
}

/// When a picture, of which these are the first bytes, was stamped.
pub fn stamped_at(jpeg: &[u8]) -> Option<u64> {
    let magic = jpeg.get(STAMP_AT - MAGIC.len()..STAMP_AT)?;
    let stamp = jpeg.get(STAMP_AT..STAMP_END)?;
    (magic == MAGIC).then(|| u64::from_le_bytes(stamp.try_into().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_taken_by_the_server_and_gives_its_stamp_back() {
        let mut jpeg = jpeg(30_000);
        stamp(&mut jpeg);
        assert_eq!(jpeg.len(), 30_000);
        let info = framecast::wire::jpeg::inspect(&jpeg, &framecast::wire::jpeg::Limits::default());
        assert_eq!(info.map(|info| (info.width, info.height)), Ok((640, 480)));
        let age = sys::now_ns() - stamped_at(&jpeg).expect("a stamp");
        assert!(age < 1_000_000_000, "{age} ns");
    }
}
