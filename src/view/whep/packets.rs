//! H.264 access units as RTP payloads (RFC 6184).
//!
//! Bytes in, bytes out: no numbers, no times. A key frame gets the parameter sets in front, as a decoder
//! that begins here has nothing else to know them from.

use bytes::{BufMut as _, Bytes, BytesMut};

/// Most bytes of a payload: with the headers of RTP, SRTP, UDP and IPv6 below 1280, which every network
/// carries whole (RFC 8200 section 5).
pub(super) const MAX_PAYLOAD: usize = 1180;

/// Kinds of NAL units (ITU-T H.264, table 7-1, and RFC 6184, table 1).
const ACCESS_UNIT_DELIMITER: u8 = 9;
const FILLER: u8 = 12;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// Bits of a NAL unit's first byte: how much it is needed, and what it is.
const IMPORTANCE: u8 = 0x60;
const KIND: u8 = 0x1F;

/// The parameter sets of an `avcC`, as NAL units; none where it cannot be read.
pub(super) fn parameter_sets(config: &Bytes) -> Vec<Bytes> {
    fn read(config: &Bytes) -> Option<Vec<Bytes>> {
        let mut sets = Vec::new();
        let mut at = 5;
        // How many sequence parameter sets there are stands in five bits, of the others in eight.
        for mask in [0x1F, 0xFF] {
            let count = config.get(at)? & mask;
            at += 1;
            for _ in 0..count {
                let len = usize::from(u16::from_be_bytes([*config.get(at)?, *config.get(at + 1)?]));
                at += 2;
                config.get(at..at + len).filter(|set| !set.is_empty())?;
                sets.push(config.slice(at..at + len));
                at += len;
            }
        }
        Some(sets)
    }
    read(config).unwrap_or_default()
}

/// The payloads of one access unit, whose NAL units stand each behind its length in four bytes. `sets`
/// go in front of it.
pub(super) fn payloads(sets: &[Bytes], unit: &Bytes) -> Vec<Bytes> {
    let mut payloads = Vec::with_capacity(unit.len() / MAX_PAYLOAD + 2);
    if !sets.is_empty() {
        aggregate(sets, &mut payloads);
    }
    for nal in nals(unit) {
        // Neither says anything that the marker does not, or nothing at all.
        if !matches!(nal[0] & KIND, ACCESS_UNIT_DELIMITER | FILLER) {
            split(&nal, &mut payloads);
        }
    }
    payloads
}

/// The NAL units of an access unit. What does not fit its length is left out, with all behind it.
fn nals(unit: &Bytes) -> impl Iterator<Item = Bytes> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let len = unit.get(at..at + 4)?;
            let len = u32::from_be_bytes([len[0], len[1], len[2], len[3]]) as usize;
            let begin = at + 4;
            let end = begin.checked_add(len).filter(|end| *end <= unit.len())?;
            at = end;
            if len > 0 {
                return Some(unit.slice(begin..end));
            }
        }
    })
}

/// Small NAL units in one payload (section 5.7.1); ones that do not fit, each for itself.
fn aggregate(nals: &[Bytes], payloads: &mut Vec<Bytes>) {
    let len = 1 + nals.iter().map(|nal| 2 + nal.len()).sum::<usize>();
    if nals.len() < 2 || len > MAX_PAYLOAD {
        return nals.iter().for_each(|nal| split(nal, payloads));
    }
    let importance = nals.iter().map(|nal| nal[0] & IMPORTANCE).max().unwrap_or_default();
    let mut payload = BytesMut::with_capacity(len);
    payload.put_u8(importance | STAP_A);
    for nal in nals {
        // Shorter than a payload, so the length fits.
        payload.put_u16(nal.len() as u16);
        payload.put_slice(nal);
    }
    payloads.push(payload.freeze());
}

/// A NAL unit as it is, or in fragments of like size where it is too long (section 5.8).
fn split(nal: &Bytes, payloads: &mut Vec<Bytes>) {
    if nal.len() <= MAX_PAYLOAD {
        payloads.push(nal.clone());
        return;
    }
    let (indicator, kind) = ((nal[0] & !KIND) | FU_A, nal[0] & KIND);
    let body = &nal[1..];
    let fragments = body.len().div_ceil(MAX_PAYLOAD - 2);
    let size = body.len().div_ceil(fragments);
    let mut begin_bit = 0x80;
    for (n, piece) in body.chunks(size).enumerate() {
        let end_bit = if (n + 1) * size >= body.len() { 0x40 } else { 0 };
        let mut payload = BytesMut::with_capacity(2 + piece.len());
        payload.put_u8(indicator);
        payload.put_u8(begin_bit | end_bit | kind);
        payload.put_slice(piece);
        payloads.push(payload.freeze());
        begin_bit = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(nals: &[&[u8]]) -> Bytes {
        let mut unit = BytesMut::new();
        for nal in nals {
            unit.put_u32(nal.len() as u32);
            unit.put_slice(nal);
        }
        unit.freeze()
    }

    #[test]
    fn a_small_unit_goes_as_it_is_and_delimiters_and_filler_not_at_all() {
        let payloads = payloads(&[], &unit(&[&[0x09, 0xF0], &[0x41, 1, 2, 3], &[0x0C, 0xFF]]));
        assert_eq!(payloads, [Bytes::from_static(&[0x41, 1, 2, 3])]);
    }

    #[test]
    fn parameter_sets_go_first_and_together() {
        let sets = [Bytes::from_static(&[0x67, 1, 2]), Bytes::from_static(&[0x68, 3])];
        let payloads = payloads(&sets, &unit(&[&[0x65, 9]]));
        assert_eq!(payloads[0][..], [0x78, 0, 3, 0x67, 1, 2, 0, 2, 0x68, 3]);
        assert_eq!(payloads[1][..], [0x65, 9]);
    }

    #[test]
    fn a_long_one_goes_in_fragments_of_which_it_can_be_made_again() {
        for len in [MAX_PAYLOAD + 1, 2 * (MAX_PAYLOAD - 2) + 1, 2 * (MAX_PAYLOAD - 2) + 2, 100_000]
        {
            let nal: Vec<u8> = std::iter::once(0x65).chain((1..len).map(|n| n as u8)).collect();
            let payloads = payloads(&[], &unit(&[&nal]));
            assert!(payloads.iter().all(|payload| payload.len() <= MAX_PAYLOAD));
            let marks: Vec<u8> = payloads.iter().map(|payload| payload[1] & 0xC0).collect();
            assert_eq!((marks[0], marks[marks.len() - 1]), (0x80, 0x40));
            assert!(marks[1..marks.len() - 1].iter().all(|mark| *mark == 0));
            let mut again = vec![(payloads[0][0] & !KIND) | (payloads[0][1] & KIND)];
            payloads.iter().for_each(|payload| again.extend_from_slice(&payload[2..]));
            assert_eq!(again, nal, "{len}");
        }
    }

    #[test]
    fn a_unit_that_is_cut_gives_what_is_whole_and_does_not_panic() {
        let whole = unit(&[&[0x41, 1], &[], &[0x41, 2, 3]]);
        assert_eq!(payloads(&[], &whole).len(), 2);
        for len in 0..whole.len() {
            assert!(payloads(&[], &whole.slice(..len)).len() <= 1);
        }
        assert!(payloads(&[], &Bytes::from_static(&[0xFF; 9])).is_empty());
    }

    #[test]
    fn parameter_sets_are_read_out_of_the_configuration() {
        let config = [1, 100, 0, 31, 0xFF, 0xE1, 0, 2, 0x67, 7, 1, 0, 1, 0x68, 0xFD, 0xF8];
        let sets = parameter_sets(&Bytes::copy_from_slice(&config));
        assert_eq!(sets, [&[0x67, 7][..], &[0x68][..]]);
        for len in 0..14 {
            assert!(parameter_sets(&Bytes::copy_from_slice(&config[..len])).is_empty(), "{len}");
        }
    }
}
