//! The splitter of JPEG streams against whole, cut and hostile input.

use super::*;
use crate::wire::jpeg::skeleton;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

/// Feeds `stream` in pieces of the lengths that `step` gives.
pub(crate) fn cut(
    stream: &[u8],
    mut step: impl FnMut() -> usize,
    mut next: impl FnMut(&mut &[u8]) -> Result<Option<Piece>, SplitError>,
) -> Result<Vec<Piece>, SplitError> {
    let mut pieces = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let (mut now, later) = rest.split_at(step().clamp(1, rest.len()));
        rest = later;
        while let Some(piece) = next(&mut now)? {
            pieces.push(piece);
        }
        assert!(now.is_empty(), "what was given is taken");
    }
    Ok(pieces)
}

/// Random ways to cut a stream, byte by byte and all at once among them. The same each run.
pub(crate) fn steps() -> impl Iterator<Item = Box<dyn FnMut() -> usize>> {
    let random = (0..50u64).map(|seed| {
        let mut rng = StdRng::seed_from_u64(seed);
        let longest = rng.random_range(2..300usize);
        Box::new(move || rng.random_range(1..longest)) as Box<dyn FnMut() -> usize>
    });
    [Box::new(|| 1usize) as Box<dyn FnMut() -> usize>, Box::new(|| usize::MAX)]
        .into_iter()
        .chain(random)
}

fn split(stream: &[u8]) -> Vec<Piece> {
    let mut results = steps().map(|step| {
        let mut splitter = Splitter::new(5000, 3);
        let mut pieces = cut(stream, step, |input| splitter.next(input)).unwrap();
        pieces.extend(splitter.finish());
        pieces
    });
    let first = results.next().unwrap();
    for other in results {
        assert_eq!(other, first, "however the stream is cut");
    }
    first
}

fn frame(jpeg: &[u8]) -> Piece {
    Piece::Frame([&[0; 3], jpeg].concat())
}

/// A picture with all that can mislead: an end marker inside a segment, stuffed bytes, restart
/// markers, fill bytes, a second scan.
fn tricky() -> Vec<u8> {
    let skeleton = skeleton(64, 48, 80, 5);
    let (head, body) = skeleton.split_at(2);
    let thumbnail = [0xFF, 0xE1, 0, 8, 0xFF, 0xD8, 0xFF, 0xD9, 0, 0];
    let mut jpeg = [head, &thumbnail, &[0xFF, 0xFF], &body[..body.len() - 2]].concat();
    jpeg.extend([0xFF, 0x00, 7, 0xFF, 0xD3, 8, 0xFF, 0xFF, 0xC4, 0, 4, 0xFF, 0xD9]);
    jpeg.extend([0xFF, 0xDA, 0, 3, 1, 9, 9, 9, 0xFF, 0xD9]);
    jpeg
}

#[test]
fn jpegs_come_out_as_they_went_in() {
    let (a, b) = (tricky(), skeleton(8, 8, 900, 1));
    let stream = [&a[..], &b, &a].concat();
    assert_eq!(split(&stream), [frame(&a), frame(&b), frame(&a)]);
}

#[test]
fn padding_and_garbage_between_jpegs_are_stepped_over() {
    let jpeg = tricky();
    let stream = [b"\r\n\0\0\xFF", &jpeg[..], &[0xFF, 0xFF, 1], b"hello", &jpeg, &[0; 40]].concat();
    assert_eq!(split(&stream), [frame(&jpeg), frame(&jpeg)]);
}

#[test]
fn a_jpeg_cut_short_by_the_next_is_handed_out_to_be_counted() {
    let jpeg = skeleton(64, 48, 200, 5);
    let stream = [&jpeg[..120], &jpeg, &jpeg[..90]].concat();
    assert_eq!(split(&stream), [frame(&jpeg[..120]), frame(&jpeg), frame(&jpeg[..90])]);
}

#[test]
fn a_jpeg_over_the_limit_is_counted_and_the_next_is_taken() {
    let (large, good) = (skeleton(64, 48, 5001, 5), skeleton(64, 48, 5000, 5));
    let stream = [&large[..], &good].concat();
    assert_eq!(split(&stream), [Piece::TooLarge { bytes: 5001 }, frame(&good)]);
}

#[test]
fn what_only_starts_like_a_jpeg_is_garbage_and_the_next_is_taken() {
    let jpeg = tricky();
    for broken in [&[0xFF, 0xD8, 7, 7][..], &[0xFF, 0xD8, 0xFF, 0xE0, 0, 1]] {
        let stream = [broken, &jpeg].concat();
        assert_eq!(split(&stream), [Piece::Garbage, frame(&jpeg)]);
    }
}

#[test]
fn a_stream_of_something_else_and_a_jpeg_without_end_are_errors() {
    let error = |stream: &[u8]| {
        let mut splitter = Splitter::new(5000, 0);
        cut(stream, || 777, |input| splitter.next(input)).unwrap_err().code()
    };
    assert_eq!(error(&vec![b'x'; 100_000]), "not_jpeg");
    assert_eq!(error(&vec![0xFF; 100_000]), "not_jpeg");
    let mut endless = skeleton(64, 48, 100, 5);
    endless.truncate(98);
    endless.resize(30_000, 5);
    assert_eq!(error(&endless), "too_large");
}

#[test]
fn any_bytes_at_all_are_survived() {
    let mut rng = StdRng::seed_from_u64(1);
    for _ in 0..2000 {
        let mut splitter = Splitter::new(500, 3);
        // Few values, so that markers come up often.
        let pick =
            |rng: &mut StdRng| [0xFF, 0xD8, 0xD9, 0xDA, 0xC0, 0, 2, 3][rng.random_range(0..8)];
        let stream: Vec<u8> = (0..2000).map(|_| pick(&mut rng)).collect();
        let _ = cut(&stream, || 50, |input| splitter.next(input));
    }
}
