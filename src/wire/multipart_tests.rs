//! The splitter of multipart bodies against whole, cut and hostile input.

use super::*;
use crate::wire::{
    jpeg::skeleton,
    mjpeg::tests::{cut, steps},
};

const MAX: usize = 5000;

fn split_by(boundary: Option<&str>, stream: &[u8]) -> Vec<Piece> {
    let mut results = steps().map(|step| {
        let mut splitter = Splitter::new(boundary, MAX, 3);
        let mut pieces = cut(stream, step, |input| splitter.next(input)).unwrap();
        pieces.extend(splitter.finish());
        pieces
    });
    let first = results.next().unwrap();
    for other in results {
        assert_eq!(other, first, "however the body is cut");
    }
    first
}

fn error(boundary: Option<&str>, stream: &[u8]) -> SplitError {
    let mut splitter = Splitter::new(boundary, MAX, 0);
    cut(stream, || 777, |input| splitter.next(input)).unwrap_err()
}

fn frame(jpeg: &[u8]) -> Piece {
    Piece::Frame([&[0; 3], jpeg].concat())
}

fn picture(fill: u8) -> Vec<u8> {
    skeleton(64, 48, 300, fill)
}

#[test]
fn what_ffmpeg_writes_is_read_without_being_told_the_boundary() {
    let (a, b) = (picture(1), picture(b'\n'));
    let mut stream = b"--ffmpeg\r\n".to_vec();
    for jpeg in [&a, &b] {
        stream.extend(
            format!("Content-type: image/jpeg\r\nContent-length: {}\r\n\r\n", jpeg.len()).bytes(),
        );
        stream.extend(jpeg);
        stream.extend(b"\r\n--ffmpeg\r\n");
    }
    assert_eq!(split_by(None, &stream), [frame(&a), frame(&b)]);
    assert_eq!(split_by(Some("ffmpeg"), &stream), [frame(&a), frame(&b)]);
}

#[test]
fn parts_without_a_length_end_with_their_jpeg_or_at_the_boundary() {
    let (a, b) = (picture(1), picture(2));
    let stream = [
        b"--x\r\nContent-Type: image/jpeg\r\n\r\n",
        &a[..],
        b"\r\n--x\r\n\r\n",
        b"no jpeg",
        b"\r\n--x\nContent-Length: 0\n\n",
        &b,
        b"\n--x\r\n\r\n",
        &a[..100],
        b"\r\n--x--\r\nepilogue",
    ]
    .concat();
    let pieces = [frame(&a), frame(b"no jpeg"), frame(&b), frame(&a[..100]), Piece::End];
    assert_eq!(split_by(Some("x"), &stream), pieces);
    // The frame is there before the boundary is.
    let mut splitter = Splitter::new(None, MAX, 3);
    let mut input = &[b"--x\r\n\r\n", &a[..]].concat()[..];
    assert_eq!(splitter.next(&mut input), Ok(Some(frame(&a))));
}

#[test]
fn an_empty_part_ends_at_its_boundary() {
    let a = picture(1);
    let stream = [b"--x\r\n\r\n--x\r\n\r\n", &a[..], b"\r\n--x\r\n--x--\r\n"].concat();
    assert_eq!(split_by(Some("x"), &stream), [frame(b""), frame(&a), Piece::End]);
}

#[test]
fn a_boundary_with_its_dashes_in_the_parameter_is_understood() {
    let a = picture(1);
    let stream = [b"--cam\r\n\r\n", &a[..], b"\r\n--cam--\r\n"].concat();
    assert_eq!(split_by(Some("--cam"), &stream), [frame(&a), Piece::End]);
}

#[test]
fn a_boundary_that_begins_with_dashes_of_its_own_is_understood() {
    // Of curl -F, of Chromium, of Firefox, and the shortest.
    for boundary in [
        "------------------------d74496d66958873e",
        "----WebKitFormBoundary7MA4YWxkTrZu0gW",
        "-----------------------------735323031399963166993862150",
        "-",
    ] {
        let a = picture(1);
        let mut stream = Vec::new();
        for field in ["name=\"note\"\r\n\r\n-- hello", "name=\"file\"\r\n\r\n"] {
            let head = format!("--{boundary}\r\nContent-Disposition: form-data; {field}");
            stream.extend_from_slice(head.as_bytes());
            if field.ends_with("\r\n") {
                stream.extend_from_slice(&a);
            }
            stream.extend_from_slice(b"\r\n");
        }
        stream.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        let pieces = [frame(b"-- hello"), frame(&a), Piece::End];
        assert_eq!(split_by(Some(boundary), &stream), pieces, "{boundary}");
    }
}

#[test]
fn a_body_that_ends_with_its_first_delimiter_has_no_part() {
    assert_eq!(split_by(Some("--x"), b"----x--\r\n"), [Piece::End]);
    assert_eq!(split_by(Some("--x"), b"--x--\r\n"), [Piece::End]);
}

#[test]
fn garbage_before_and_between_parts_is_stepped_over() {
    let a = picture(1);
    let long = vec![b'y'; 1000];
    let part = [b"--x\r\nContent-Length: 300\r\n\r\n", &a[..]].concat();
    let stream =
        [&b"preamble\r\n"[..], &long, b"\r\n", &part, b"junk\r\n", &long, b"\r\n", &part].concat();
    assert_eq!(split_by(Some("x"), &stream), [frame(&a), frame(&a)]);
}

#[test]
fn a_length_over_the_limit_is_not_believed_and_the_next_part_is_taken() {
    let a = picture(1);
    for announced in ["5001", "18446744073709551615"] {
        let head = format!("--x\r\nContent-Length: {announced}\r\n\r\n");
        let stream = [head.as_bytes(), &[7; 600], b"\r\n--x\r\n\r\n", &a].concat();
        let bytes = announced.parse().unwrap();
        assert_eq!(split_by(Some("x"), &stream), [Piece::TooLarge { bytes }, frame(&a)]);
    }
    // More than a number can hold is no length at all.
    let head = b"--x\r\nContent-Length: 99999999999999999999999\r\n\r\n";
    assert_eq!(split_by(Some("x"), &[head, &a[..]].concat()), [frame(&a)]);
}

#[test]
fn a_part_that_grows_over_the_limit_is_counted_and_the_next_is_taken() {
    let (large, a) = (skeleton(64, 48, MAX + 1, 5), picture(1));
    let stream = [b"--x\r\n\r\n", &large[..], b"\r\n--x\r\n\r\n", &a].concat();
    let bytes = MAX as u64 + 1;
    assert_eq!(split_by(Some("x"), &stream), [Piece::TooLarge { bytes }, frame(&a)]);
}

#[test]
fn a_length_that_lies_costs_its_own_part_only() {
    let a = picture(1);
    let short = [b"--x\r\nContent-Length: 200\r\n\r\n", &a[..], b"\r\n"].concat();
    let good = [b"--x\r\nContent-Length: 300\r\n\r\n", &a[..], b"\r\n"].concat();
    let stream = [short, good].concat();
    assert_eq!(split_by(Some("x"), &stream), [frame(&a[..200]), frame(&a)]);
}

#[test]
fn bodies_without_bounds_are_errors() {
    let header = [b"--x\r\n", &b"X-Field: again and again\r\n".repeat(1000)[..]].concat();
    assert_eq!(error(Some("x"), &header), SplitError::LongHeader(MAX_HEADER));
    let line = [b"--x\r\n", &[b'h'; 20_000][..]].concat();
    assert_eq!(error(Some("x"), &line), SplitError::LongHeader(MAX_HEADER));
    assert_eq!(error(Some("x"), &[b'z'; 100_000]).code(), "bad_request");
    assert_eq!(error(None, &b"--\r\n".repeat(50_000)).code(), "bad_request");
    assert_eq!(error(Some("x"), &b"--y\r\n\r\nabc\r\n".repeat(50_000)).code(), "bad_request");
    let endless = [b"--x\r\n\r\n", &[9; 30_000][..]].concat();
    assert_eq!(error(Some("x"), &endless).code(), "too_large");
}

#[test]
fn any_bytes_at_all_are_survived() {
    use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
    let words: [&[u8]; 9] = [
        b"--x",
        b"--",
        b"\r\n",
        b"\n",
        b"\r",
        b"Content-Length: 7",
        b"\xFF\xD8\xFF",
        b"\xFF\xD9",
        b"abc",
    ];
    let mut rng = StdRng::seed_from_u64(1);
    for round in 0..2000 {
        let stream: Vec<u8> =
            (0..400).flat_map(|_| words[rng.random_range(0..words.len())].to_vec()).collect();
        let mut splitter = Splitter::new((round % 2 == 0).then_some("x"), 50, 3);
        let _ = cut(&stream, || 13, |input| splitter.next(input));
        splitter.finish();
    }
}
